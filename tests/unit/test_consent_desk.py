"""Where people sign: the commands for keys and signatures, and the chain of a voice's records that they leave."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.registry import CONSENT_FILE, SIGNATURE_FILE, history_folder
from clearspot.consent.signature import Signatures
from clearspot.consent.signing_desk import sign_voice
from clearspot.errors import BadInput, Refused
from clearspot.hashing import sha256_json
from clearspot.project import Project
from clearspot.yamlfile import load_model, load_yaml
from tests.unit.consent_scenes import (
    ANA,
    COMPANY,
    GUARDIAN,
    SHA_A,
    SIGNED,
    Stage,
    house_voice,
    id_of,
    private_pem,
    public_pem,
    talent_voice,
)

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


def a_new_key(ana: Stage, folder: Path, role: str) -> tuple[Ed25519PrivateKey, Path, Path]:
    """A key that nobody trusts yet, and the files of its halves."""
    key = ana.keys[role] = Ed25519PrivateKey.generate()  # type: ignore[index]
    return key, private_pem(folder / f"{role}.key.pem", key), public_pem(folder / f"{role}.pub.pem", key)


# --- the commands ------------------------------------------------------------------------------------------------


def test_from_keys_to_a_voice_that_may_speak(ana: Stage, clearspot: Call, tmp_path: Path) -> None:
    ana.signature.unlink()
    before = len(ana.entries())
    trusted = ana.project.root / "configs" / "trust" / "consent-keys.yaml"
    digest, paths = ana.load().record.digest[:12], {}
    for role, holder in (("talent", ANA), ("licensee", COMPANY)):
        key, paths[role], public = a_new_key(ana, tmp_path, role)
        told = clearspot("keys", "trust", public, "--holder", holder, "--role", role, "--voice", "ana")
        assert told == (0, f"{id_of(key)} counts as {holder}, {role} of ana: {trusted}\n", "")
    signed = f"signed record ana-2026-11 ({digest}) as "
    assert clearspot("voices", "sign", "ana", "--as", "talent", "--key", paths["talent"]) == (
        0, f"{signed}talent: {ana.signature}\nit counts once it is signed as licensee too\n", "",
    )  # fmt: skip
    assert "is not signed as licensee" in str(ana.refusal())
    ids = f"{id_of(ana.keys['talent'])}, {id_of(ana.keys['licensee'])}"
    assert clearspot("voices", "sign", "ana", "--as", "licensee", "--key", paths["licensee"]) == (
        0, f"{signed}licensee: {ana.signature}\nsigned by everyone it needs; active, signed with key {ids}\n", "",
    )  # fmt: skip
    assert ", ".join(ana.authorize().signed_by) == ids
    events = [(entry.event, entry.data.get("role"), entry.data.get("complete")) for entry in ana.entries()[before:]]
    assert [each for each in events if each[0] == "signature"] == [
        ("signature", "talent", False), ("signature", "licensee", True),
    ]  # fmt: skip
    assert [event for event, *_ in events].count("trust") == 2, "each change of who may sign is written down"


def test_keys_show_tells_whose_consent_counts(ana: Stage, clearspot: Call) -> None:
    ana.trust("guardian", GUARDIAN, ana.keys["guardian"], revoked="2026-11-02")
    ana.trust("licensee", COMPANY, ana.keys["licensee"], until="2026-12-31")
    code, out, _ = clearspot("keys", "show")
    shown = [line for line in out.splitlines() if line.startswith("consent key:  ")]
    assert code == 0
    assert f"consent key:  {id_of(ana.keys['talent'])} {ANA}, talent of ana, no end" in shown
    assert f"consent key:  {id_of(ana.keys['guardian'])} {GUARDIAN}, guardian of ana, revoked 2026-11-02" in shown
    assert f"consent key:  {id_of(ana.keys['licensee'])} {COMPANY}, licensee of ana, until 2026-12-31" in shown
    assert "consent key:  9d6661d014e49156 Clearspot project, licensee of house, no end" in shown


def test_a_key_that_is_retired_leaves_what_it_signed(ana: Stage, clearspot: Call, tmp_path: Path) -> None:
    name, trusted = id_of(ana.keys["talent"]), ana.project.root / "configs" / "trust" / "consent-keys.yaml"
    ended = f"{name} signs nothing new; 1 records of it stay good: {trusted}\n"
    assert clearspot("keys", "retire", name) == (0, ended, "")
    key = load_yaml(trusted)["keys"][name]
    assert (key["until"], key["records"]) == (
        f"{dt.datetime.now(dt.UTC) - dt.timedelta(days=1):%F}",
        [ana.load().record.digest],
    )
    assert ana.authorize().signed_by[0] == name
    ana.change({"previous_sha256": ana.keep().name})
    pem = private_pem(tmp_path / "talent.pem", ana.keys["talent"])
    code, _, err = clearspot("voices", "sign", "ana", "--as", "talent", "--key", pem)
    assert code == 1, "it signs nothing new, from now on"
    assert f"is signed with key {name}, which ended on " in err


def test_a_key_that_is_retired_keeps_no_record_that_it_did_not_sign(ana: Stage, clearspot: Call) -> None:
    """A signature file that names a key is none of that key's, unless it really signed."""
    name = id_of(ana.keys["talent"])
    ana.change({"exclusivity": "forged"})
    ana.sign("talent", "licensee", talent=Ed25519PrivateKey.generate())
    text = ana.signature.read_text(encoding="utf-8").splitlines()
    text = [f"  key: {name}" if line.startswith("  key: ") and name not in line else line for line in text]
    ana.signature.write_text("\n".join(text), encoding="utf-8")
    assert clearspot("keys", "retire", name)[1].startswith(f"{name} signs nothing new; 0 records of it stay good: ")


def test_a_key_that_was_stolen_leaves_nothing(ana: Stage, clearspot: Call) -> None:
    name = id_of(ana.keys["talent"])
    code, out, _ = clearspot("keys", "retire", name, "--revoke")
    assert (code, out.split(":")[0]) == (0, f"{name} counts for nothing any more")
    assert f"is signed with key {name}, which was revoked on " in str(ana.refusal())


@pytest.mark.parametrize("how", [("--revoke",), ()], ids=["revoked", "retired"])
def test_a_key_that_ended_is_not_trusted_again(ana: Stage, clearspot: Call, tmp_path: Path, how: tuple[str]) -> None:
    """A key that was lost would be back by one command, typed by somebody who does not know."""
    name, public = id_of(ana.keys["talent"]), public_pem(tmp_path / "talent.pem", ana.keys["talent"])
    clearspot("keys", "retire", name, *how)
    code, _, err = clearspot("keys", "trust", public, "--holder", ANA, "--role", "talent", "--voice", "ana")
    assert code != 0
    assert name in err


def test_a_key_that_is_not_there_cannot_be_retired(ana: Stage, clearspot: Call) -> None:
    code, _, err = clearspot("keys", "retire", "a" * 16)
    assert (code, err.startswith("clearspot: KEY: there is no consent key 'aaaaaaaaaaaaaaaa'; there is: ")) == (2, True)


TRUST_WRONG: dict[str, tuple[str, str, str, str]] = {
    "no such role": (ANA, "boss", "ana", "keys trust: role: Input should be 'talent', 'guardian' or 'licensee' (it is"),
    "a name with what is not seen": ("An\u200ba", "talent", "ana", "keys trust: holder: holds a character that cannot"),
    "a voice that leads elsewhere": (ANA, "talent", "../ana", "keys trust: voices.0: should be lower-case letters"),
}


@pytest.mark.parametrize(("holder", "role", "voice", "told"), TRUST_WRONG.values(), ids=TRUST_WRONG)
def test_a_key_is_trusted_for_what_can_be(
    ana: Stage, clearspot: Call, tmp_path: Path, holder: str, role: str, voice: str, told: str
) -> None:
    public = public_pem(tmp_path / "key.pem", ana.keys["talent"])
    code, _, err = clearspot("keys", "trust", public, "--holder", holder, "--role", role, "--voice", voice)
    assert (code, err.removeprefix("clearspot: ").startswith(told)) == (2, True), err
    assert not (ana.project.root / "configs" / "trust").exists()


def test_nobody_is_trusted_by_their_private_key(ana: Stage, clearspot: Call, tmp_path: Path) -> None:
    private = private_pem(tmp_path / "key.pem", ana.keys["talent"])
    told = clearspot("keys", "trust", private, "--holder", ANA, "--role", "talent", "--voice", "ana")
    assert told == (2, "", f"clearspot: {private}: is not an Ed25519 public key in PEM.\n")


SIGN_WRONG: dict[str, tuple[str, str, int, str]] = {
    "as nobody known": ("boss", "talent", 2, "--as: this record is signed as talent and licensee, not as 'boss'."),
    "in a role it does not need": (
        "guardian",
        "guardian",
        2,
        "--as: this record is signed as talent and licensee, not as 'guardian'.",
    ),
    "with another role's key": ("talent", "licensee", 1, "which may sign as licensee, not as talent."),
    "with a stranger's key": (
        "talent",
        "stranger",
        1,
        "which is not trusted here. If it should be: clearspot keys tru",
    ),
}


@pytest.mark.parametrize(("role", "whose", "code", "told"), SIGN_WRONG.values(), ids=SIGN_WRONG)
def test_signing_as_who_one_is_not(
    ana: Stage, clearspot: Call, tmp_path: Path, role: str, whose: str, code: int, told: str
) -> None:
    before = ana.signature.read_bytes()
    key = {**ana.keys, "stranger": Ed25519PrivateKey.generate()}[whose]  # type: ignore[dict-item]
    found, out, err = clearspot("voices", "sign", "ana", "--as", role, "--key", private_pem(tmp_path / "k.pem", key))
    assert (found, out, told in err) == (code, "", True), err
    assert ana.signature.read_bytes() == before


def test_a_signers_key_that_others_can_read(ana: Stage, clearspot: Call, tmp_path: Path) -> None:
    pem = private_pem(tmp_path / "k.pem", ana.keys["talent"])
    pem.chmod(0o644)
    told = f"clearspot: {pem}: this private key can be read by others. chmod 600 {pem}\n"
    assert clearspot("voices", "sign", "ana", "--as", "talent", "--key", pem) == (1, "", told)


# --- the chain ---------------------------------------------------------------------------------------------------


def test_a_voices_records_are_a_chain(ana: Stage) -> None:
    digests = [ana.load().record.digest]
    for contact in ("b@example.org", "c@example.org"):
        ana.follow({"withdrawal/contact": contact})
        digests.insert(0, ana.load().record.digest)
        assert ana.authorize().record_sha256 == digests[0]
    assert [record.digest for record in ana.load().before] == digests[1:], "newest first"
    for digest in digests:
        folder = history_folder(ana.folder, digest)
        assert sha256_json(load_yaml(folder / CONSENT_FILE)) == digest
        kept = load_model(Signatures, folder / SIGNATURE_FILE)
        assert (kept.record_sha256, [one.role for one in kept.signatures]) == (digest, ["talent", "licensee"])
    assert sorted(path.name for path in (ana.folder / "history").iterdir()) == sorted(digests)


def test_a_record_says_which_one_it_replaces(ana: Stage) -> None:
    before = ana.load().record.digest
    ana.change({"exclusivity": "none"})
    with pytest.raises(BadInput) as refused:
        sign_voice(ana.load(), "talent", ana.keys["talent"], ana.authority)
    assert str(refused.value) == (
        f"{ana.consent}: previous_sha256: this record replaces the signed one {before[:12]} and does not say so "
        f"(it says 'nothing'). Set previous_sha256: {before}"
    )


def a_history(ana: Stage) -> Path:
    """Where the first of three records of a voice is kept."""
    first = ana.keep()
    ana.follow({"exclusivity": "second"})
    ana.follow({"exclusivity": "third"})
    return first / CONSENT_FILE


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (lambda path: shutil.rmtree(path.parent), "the record before it ({}) is missing"),
    "all of it removed": (lambda path: shutil.rmtree(path.parents[1]), " is missing"),
    "edited": (
        lambda path: path.write_text(path.read_text("utf-8").replace("tulip", "roses"), encoding="utf-8"),
        "the record before it should be {}, this is ",
    ),
    "another record in its place": (
        lambda path: shutil.copy(path.parents[2] / CONSENT_FILE, path),
        "the record before it should be {}, this is ",
    ),
}


@pytest.mark.parametrize(("damage", "told"), BROKEN.values(), ids=BROKEN)
def test_a_history_that_is_broken(ana: Stage, damage: Callable[[Path], object], told: str) -> None:
    first = a_history(ana)
    damage(first)
    with pytest.raises(Refused) as refused:
        ana.load()
    assert "the history of this voice's consent is broken: " in str(refused.value)
    assert told.format(first.parent.name[:12]) in str(refused.value)
    assert str(refused.value).endswith("back as it was; a record without its history does not count.")


def test_the_history_of_another_voice_is_none(ana: Stage) -> None:
    """Else one who may sign for one voice could say that the record of another was replaced."""
    house = house_voice(ana.project)
    before = house.load().record.digest
    shutil.copytree(house.folder / "history", ana.folder / "history")
    ana.change({"previous_sha256": before})
    with pytest.raises(Refused, match="the history of this voice's consent is broken: "):
        ana.resign()
    assert house.authorize().record_sha256 == before


# --- an older record put back ------------------------------------------------------------------------------------


def put_back(ana: Stage, saved: Path) -> None:
    for name in (CONSENT_FILE, SIGNATURE_FILE):
        shutil.copy(saved / name, ana.folder / name)


def replaced_at_the_desk(ana: Stage) -> None:
    ana.follow({"scope/markets": []})


def replaced_and_used(ana: Stage) -> None:
    """Signed elsewhere; this project's log knows of it by its first grant alone."""
    ana.resign({"previous_sha256": ana.keep().name, "exclusivity": "less"})
    ana.authorize()


@pytest.mark.parametrize("replace", [replaced_at_the_desk, replaced_and_used], ids=["at the desk", "by its first use"])
def test_an_older_record_that_is_put_back(
    ana: Stage, tmp_path: Path, replace: Callable[[Stage], None], clearspot: Call
) -> None:
    shutil.copytree(ana.folder, tmp_path / "saved")
    older = ana.load().record.digest
    replace(ana)
    newer = ana.load().record.digest
    put_back(ana, tmp_path / "saved")
    told = (
        f"{ana.consent}: previous_sha256: consent record 'ana-2026-11' ({older[:12]}) was replaced by a newer one "
        f"({newer[:12]}). Put the newest record back; an older one gives nothing any more."
    )
    assert str(ana.refusal()) == told
    assert told in clearspot("voices", "list")[1]


def test_a_record_that_not_everyone_signed_replaces_nothing(ana: Stage, tmp_path: Path) -> None:
    shutil.copytree(ana.folder, tmp_path / "saved")
    ana.change({"previous_sha256": ana.keep().name})
    sign_voice(ana.load(), "talent", ana.keys["talent"], ana.authority)
    put_back(ana, tmp_path / "saved")
    assert ana.authorize().signed_by[0] == id_of(ana.keys["talent"])


def test_a_signature_that_does_not_complete_the_record_replaces_nothing(ana: Stage, tmp_path: Path) -> None:
    """The last to sign finds out that one before them may not; the record before it stays the one that counts."""
    shutil.copytree(ana.folder, tmp_path / "saved")
    kept = ana.keep()
    ana.change({"previous_sha256": kept.name, "exclusivity": SHA_A})
    ana.sign("talent", talent=Ed25519PrivateKey.generate(), when=SIGNED)
    with pytest.raises(Refused, match="which is not trusted here"):
        sign_voice(ana.load(), "licensee", ana.keys["licensee"], ana.authority)
    put_back(ana, tmp_path / "saved")
    assert ana.authorize().record_sha256 == kept.name
