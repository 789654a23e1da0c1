"""Signatures: whose a record needs, which are believed, which keys count for what, and how keys are rotated."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.record import Role
from clearspot.consent.signature import sign_record
from clearspot.consent.trust import ConsentKey, add_key, load_consent_keys
from clearspot.errors import BadInput
from clearspot.project import Project
from clearspot.signing import public_text
from clearspot.yamlfile import dump_yaml
from tests.conftest import edit
from tests.unit.consent_scenes import (
    ANA,
    COMPANY,
    GUARDIAN,
    SHA_A,
    SIGNED,
    Change,
    Stage,
    house_voice,
    id_of,
    talent_voice,
)

MINOR = {"evidence/talent/adult": False, "evidence/talent/guardian": GUARDIAN}
REMEDY = " clearspot voices sign ana --as ROLE --key FILE, by whoever may give this consent."


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


# --- whose signatures a record needs -----------------------------------------------------------------------------


def test_signed_by_talent_and_licensee(ana: Stage) -> None:
    assert ana.authorize().signed_by == (id_of(ana.keys["talent"]), id_of(ana.keys["licensee"]))


def test_signed_by_a_minors_guardian_and_the_licensee(ana: Stage) -> None:
    ana.resign(MINOR)
    assert ana.authorize().signed_by == (id_of(ana.keys["guardian"]), id_of(ana.keys["licensee"]))


def test_a_shipped_record_is_signed_by_who_made_it(project: Project) -> None:
    assert house_voice(project).authorize().signed_by == ("9d6661d014e49156",)


LACKING: dict[str, tuple[dict[str, Any], tuple[Role, ...], str]] = {
    "the licensee alone": ({}, ("licensee",), "talent"),
    "the talent alone": ({}, ("talent",), "licensee"),
    "a guardian in place of an adult": ({}, ("guardian", "licensee"), "talent"),
    "a minor in place of the guardian": (MINOR, ("talent", "licensee"), "guardian"),
    "a guardian alone": (MINOR, ("guardian",), "licensee"),
}


@pytest.mark.parametrize(("changes", "roles", "lacking"), LACKING.values(), ids=LACKING)
def test_everyone_has_to_sign(ana: Stage, changes: dict[str, Any], roles: tuple[Role, ...], lacking: str) -> None:
    ana.change(changes)
    ana.sign(*roles)
    told = f"{ana.signature}: consent record 'ana-2026-11' is not signed as {lacking}.{REMEDY}"
    assert str(ana.refusal()) == told


def test_a_record_that_nobody_signed(ana: Stage) -> None:
    ana.signature.unlink()
    told = f"{ana.signature}: consent record 'ana-2026-11' is not signed as talent, licensee.{REMEDY}"
    assert str(ana.refusal()) == told


# --- signatures that are not to be believed ----------------------------------------------------------------------


def with_value(value: str) -> Change:
    """The talent's signature replaced by something else."""

    def write(ana: Stage) -> None:
        made, other = (sign_record(ana.load().record, role, ana.keys[role], SIGNED) for role in ("talent", "licensee"))
        ana.write_signatures(made.model_copy(update={"ed25519": value}), other)

    return write


def changed_after_signing(**update: str) -> Change:
    def write(ana: Stage) -> None:
        made, other = (sign_record(ana.load().record, role, ana.keys[role], SIGNED) for role in ("talent", "licensee"))
        ana.write_signatures(made.model_copy(update=update), other)

    return write


def by_a_stranger_under_a_trusted_name(ana: Stage) -> None:
    forged = sign_record(ana.load().record, "talent", Ed25519PrivateKey.generate(), SIGNED)
    changed_after_signing(ed25519=forged.ed25519)(ana)


def of_another_record_with_this_ones_digest(ana: Stage) -> None:
    mine, digest = ana.record(), ana.load().record.digest
    ana.resign({"withdrawal/contact": "somebody else"})
    text = ana.signature.read_text(encoding="utf-8").replace(ana.load().record.digest, digest)
    ana.consent.write_text(dump_yaml(mine), encoding="utf-8")
    ana.signature.write_text(text, encoding="utf-8")


def of_the_bare_digest(ana: Stage) -> None:
    """Made for something else: without the name of what is signed in front."""
    value = ana.keys["talent"].sign(bytes.fromhex(ana.load().record.digest))
    with_value(base64.b64encode(value).decode())(ana)


def in_another_role(ana: Stage) -> None:
    """The licensee's own signature as licensee, put in as the talent's with the talent's key."""
    theirs = sign_record(ana.load().record, "licensee", ana.keys["licensee"], SIGNED)
    changed_after_signing(ed25519=theirs.ed25519)(ana)


def yet_to_come(ana: Stage) -> None:
    ana.sign("talent", "licensee", when=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))


FALSE = "ed25519: the signature of consent record 'ana-2026-11' as talent is false."
FORGERIES: dict[str, tuple[Change, str]] = {
    "a stranger's under a trusted name": (by_a_stranger_under_a_trusted_name, FALSE),
    "of another record, with this one's digest": (of_another_record_with_this_ones_digest, FALSE),
    "made for something else": (of_the_bare_digest, FALSE),
    "the licensee's as the talent's": (in_another_role, FALSE),
    "dated anew": (changed_after_signing(signed_at="2026-10-01T00:00:00+00:00"), FALSE),
    "empty": (with_value(""), FALSE),
    "not base64": (with_value("!!!!"), FALSE),
    "base64 cut short": (with_value("3fs6nVV2C0Dqzgx1"), FALSE),
    "base64 with a wrong ending": (with_value("abc"), FALSE),
    "letters beyond ASCII": (with_value("señal"), FALSE),
    "zeros": (with_value(base64.b64encode(bytes(64)).decode()), FALSE),
    "from tomorrow": (yet_to_come, "signed_at: consent record 'ana-2026-11' is signed as talent at "),
}


@pytest.mark.parametrize(("forge", "told"), FORGERIES.values(), ids=FORGERIES)
def test_a_signature_that_is_not_to_be_believed(ana: Stage, forge: Change, told: str) -> None:
    forge(ana)
    assert str(ana.refusal()).startswith(f"{ana.signature}: {told}")


NONE_AT_ALL: dict[str, tuple[str, str]] = {
    "fields missing": ("signatures: []\n", "record_sha256: is missing"),
    "no digest": ("record_sha256: b\nsignatures: []\n", "record_sha256: String should match"),
    "nobody": (f"schema_version: 1\nrecord_sha256: {SHA_A}\nsignatures: []\n", "signatures: Tuple should have"),
    "a role that is none": (
        f"record_sha256: {SHA_A}\nsignatures:\n"
        f"- {{role: boss, key: {SHA_A[:16]}, signed_at: {SIGNED:%FT%TZ}, ed25519: x}}\n",
        "signatures.0.role: Input should be 'talent', 'guardian' or 'licensee' (it is 'boss')",
    ),
    "a list": ("[a]\n", "should hold fields"),
    "nothing": ("", "should hold fields"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), NONE_AT_ALL.values(), ids=NONE_AT_ALL)
def test_a_signature_file_that_is_none(ana: Stage, text: str, told: str) -> None:
    ana.signature.write_text(text, encoding="utf-8")
    assert told in str(ana.refusal(kind=BadInput))


def test_two_signatures_in_one_role(ana: Stage) -> None:
    one = sign_record(ana.load().record, "talent", ana.keys["talent"], SIGNED)
    ana.write_signatures(one, one)
    told = str(ana.refusal(kind=BadInput))
    assert told.startswith(f"{ana.signature}: (the whole file): two signatures as talent (it is ")


# --- a key is one person's, in one role, for certain voices ------------------------------------------------------

TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = (TODAY - dt.timedelta(days=1)).isoformat()
BINDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "of another person": (
        {"role": "talent", "holder": "Eva Ruiz"},
        f"is 'Eva Ruiz''s; {ANA!r} should sign as talent",
    ),
    "of a person who looks like her": (
        {"role": "talent", "holder": "Ana Garcia López"},
        f"is 'Ana Garcia López''s; {ANA!r} should sign as talent",
    ),
    "of another role": ({"role": "licensee", "holder": ANA}, "may sign as licensee, not as talent"),
    "of another voice": (
        {"role": "talent", "holder": ANA, "voices": ("bea", "house")},
        "counts for bea, house, not for ana",
    ),
    "revoked": ({"role": "talent", "holder": ANA, "revoked": "2026-11-02"}, "was revoked on 2026-11-02"),
    "revoked, whatever records it lists": (
        {"role": "talent", "holder": ANA, "revoked": "2026-11-02", "records": "this"},
        "was revoked on 2026-11-02",
    ),
    "ended": (
        {"role": "talent", "holder": ANA, "until": YESTERDAY},
        f"ended on {YESTERDAY} and does not count for record ",
    ),
    "ended, and good for other records": (
        {"role": "talent", "holder": ANA, "until": YESTERDAY, "records": (SHA_A,)},
        f"ended on {YESTERDAY} and does not count for record ",
    ),
}


@pytest.mark.parametrize(("key", "told"), BINDINGS.values(), ids=BINDINGS)
def test_a_key_that_does_not_count_for_this(ana: Stage, key: dict[str, Any], told: str) -> None:
    if key.get("records") == "this":
        key = key | {"records": (ana.load().record.digest,)}
    ana.trust(key=ana.keys["talent"], **key)
    name = id_of(ana.keys["talent"])
    assert str(ana.refusal()).startswith(f"{ana.signature}: key: is signed with key {name}, which {told}")


def test_a_key_that_nobody_trusts(ana: Stage) -> None:
    stranger = Ed25519PrivateKey.generate()
    ana.sign("talent", "licensee", talent=stranger)
    assert str(ana.refusal()) == (
        f"{ana.signature}: key: is signed with key {id_of(stranger)}, which is not trusted here. If it should be: "
        "clearspot keys trust FILE.pem --holder NAME --role talent --voice ana"
    )


# --- rotation ----------------------------------------------------------------------------------------------------


def test_a_key_counts_on_its_last_day_and_not_after(ana: Stage) -> None:
    ana.trust("talent", ANA, ana.keys["talent"], until="2026-12-31")
    for time in (dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, tzinfo=dt.UTC)):
        assert ana.authorize(authority=ana.at(time)).voice == "ana"
    told = str(ana.refusal(authority=ana.at(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))))
    assert "ended on 2026-12-31 and does not count for record " in told


def test_what_a_key_signed_before_it_ended_stays_good(ana: Stage) -> None:
    ana.trust("talent", ANA, ana.keys["talent"], until=YESTERDAY, records=(ana.load().record.digest,))
    assert ana.authorize().signed_by[0] == id_of(ana.keys["talent"])


def test_what_a_key_signs_after_it_ended_is_not(ana: Stage) -> None:
    ana.trust("talent", ANA, ana.keys["talent"], until=YESTERDAY, records=(ana.load().record.digest,))
    ana.resign({"exclusivity": "none"})
    assert f"ended on {YESTERDAY} and does not count for record {ana.load().record.digest[:12]}" in str(ana.refusal())


def test_a_new_key_takes_over(ana: Stage) -> None:
    ana.trust("talent", ANA, ana.keys["talent"], until=YESTERDAY)
    ana.keys["talent"] = ana.trust("talent", ANA)
    ana.sign("talent", "licensee")
    assert ana.authorize().signed_by[0] == id_of(ana.keys["talent"])


# --- several files of trust --------------------------------------------------------------------------------------


def in_the_project(ana: Stage, **says: Any) -> None:
    """What the project's committed file of trust says of the talent's key, beside that of this machine."""
    public = public_text(ana.keys["talent"].public_key())
    key = {"public": public, "holder": ANA, "role": "talent", "voices": ("ana",), **says}
    add_key(ana.project.root / "configs" / "trust", ConsentKey(**key))


TWO_FILES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "one revoked it": ({}, {"revoked": "2026-11-02"}, "was revoked on 2026-11-02"),
    "one revoked it, the other way round": ({"revoked": "2026-11-02"}, {}, "was revoked on 2026-11-02"),
    "one ended it": ({}, {"until": YESTERDAY}, f"ended on {YESTERDAY}"),
    "both ended it": ({"until": "2030-01-01"}, {"until": YESTERDAY}, f"ended on {YESTERDAY}"),
    "one ended it, one revoked it": ({"until": YESTERDAY}, {"revoked": "2026-11-02"}, "was revoked on 2026-11-02"),
}


@pytest.mark.parametrize(("machine", "project_says", "told"), TWO_FILES.values(), ids=TWO_FILES)
def test_the_stricter_of_two_files_counts(
    ana: Stage, machine: dict[str, Any], project_says: dict[str, Any], told: str
) -> None:
    ana.trust("talent", ANA, ana.keys["talent"], **machine)
    in_the_project(ana, **project_says)
    assert told in str(ana.refusal())


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"holder": "Eva Ruiz"}, f"is of {ANA!r} as talent; another file says 'Eva Ruiz' as talent."),
        ({"role": "guardian"}, f"is of {ANA!r} as talent; another file says {ANA!r} as guardian."),
    ],
    ids=["another holder", "another role"],
)
def test_two_files_that_say_different_things_of_one_key(ana: Stage, says: dict[str, Any], told: str) -> None:
    in_the_project(ana, **says)
    with pytest.raises(BadInput) as refused:
        ana.authorize()
    path = ana.project.own_trust_dir / "consent-keys.yaml"
    assert str(refused.value) == (
        f"{path}: says that key {id_of(ana.keys['talent'])} {told} One key is one person's, in one role."
    )


def test_a_key_under_the_name_of_another(ana: Stage) -> None:
    one, name = id_of(ana.keys["talent"]), "f" * 16
    edit(ana.project.own_trust_dir / "consent-keys.yaml", f"  {one}:", f"  {name}:")
    with pytest.raises(BadInput, match=rf"\(the whole file\): the key under {name} is {one} "):
        load_consent_keys(ana.project.trust_dirs)


@pytest.mark.parametrize("public", ["", "AAAA", "!" * 44, COMPANY], ids=["empty", "short", "no base64", "a name"])
def test_a_public_key_that_is_none(ana: Stage, public: str) -> None:
    edit(ana.project.own_trust_dir / "consent-keys.yaml", public_text(ana.keys["talent"].public_key()), f"'{public}'")
    with pytest.raises(BadInput, match=r"\.public: should be an Ed25519 public key in base64 \(it is "):
        load_consent_keys(ana.project.trust_dirs)
