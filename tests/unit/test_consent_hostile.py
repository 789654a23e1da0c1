"""What somebody who can write to the repository tries, and how each is refused: records, signatures, keys, names."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.record import ConsentRecord, Role
from clearspot.consent.revocation import revoke, write_revocation
from clearspot.consent.signature import sign_record
from clearspot.consent.trust import KEYS_FILE, ConsentKey, add_key
from clearspot.consent.withdrawal import withdraw_consent
from clearspot.errors import BadInput, ClearspotError, Refused
from clearspot.project import Project
from clearspot.provenance.keys import load_signing_keys
from clearspot.signing import public_text, sign
from tests.conftest import edit
from tests.unit.consent_scenes import (
    ANA,
    COMPANY,
    FILES,
    GUARDIAN,
    SHA_A,
    SIGNED,
    Change,
    Stage,
    id_of,
    let_it_be,
    talent_voice,
)


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


def refused(ana: Stage, kind: type[ClearspotError], **asked: Any) -> ClearspotError:
    """How a voice is refused, when it is read or when it is asked for."""
    with pytest.raises(kind) as told:
        ana.authorize(ana.use(**asked))
    assert type(told.value) is kind
    assert "\n" not in str(told.value), "one paragraph"
    return told.value


# --- each field of a signed record -------------------------------------------------------------------------------

EDITS: dict[str, dict[str, Any]] = {
    "id": {"id": "ana-2027-01"},
    "voice": {"voice": "bea"},
    "status": {"status": "revoked"},
    "evidence": {"evidence/talent/identity_checked": "seen by nobody"},
    "licensee": {"licensee/agents": ["Gloom Studios"]},
    "scope": {"scope/advertisers": "any"},
    "derivatives": {"derivatives/sublicence": True},
    "term": {"term/end": "2099-12-31"},
    "exclusivity": {"exclusivity": ""},
    "pay_agreement": {"pay_agreement": "PO-0000"},
    "withdrawal": {"withdrawal/contact": "nobody@example.org"},
    "voice_sha256": {"voice_sha256": SHA_A},
    "weights": {"weights/model": SHA_A},
}
ELSEWHERE = {"schema_version": "no other is read", "previous_sha256": "there is no such record"}


def test_every_field_of_the_record_is_edited() -> None:
    assert {*EDITS, *ELSEWHERE} == set(ConsentRecord.model_fields)


@pytest.mark.parametrize("changes", EDITS.values(), ids=EDITS)
def test_an_edited_record_is_refused_as_changed(ana: Stage, changes: dict[str, Any]) -> None:
    signed, name = ana.load().record.digest, changes.get("id", "ana-2026-11")
    ana.change(changes)
    assert str(refused(ana, Refused)) == (
        f"{ana.signature}: record_sha256: consent record {name!r} was changed after it was signed (signed over "
        f"{signed[:12]}, is {ana.load().record.digest[:12]}). Restore the signed record, or have it signed again by "
        "whoever may give this consent."
    )
    newest = ana.entries()[-1]
    assert (newest.event, newest.data["record_sha256"]) == ("refusal", ana.load().record.digest)


# --- everything else ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """An attack; ``where`` and ``told`` are how its refusal begins, with ``{names}`` of what the attack returns.

    ``logged`` is False where the voice cannot even be read, or where the log itself is what was attacked.
    """

    attack: Callable[[Stage], Any]
    where: str
    told: str
    kind: type[ClearspotError] = Refused
    asked: dict[str, Any] | None = None
    logged: bool = True


SIG, RECORD = "{folder}/consent.sig.yaml: ", "{folder}/consent.yaml: "
DOES_NOT = "consent record 'ana-2026-11' does not allow this: "
FALSE = "the signature of consent record 'ana-2026-11' as talent is false."


def another(ana: Stage) -> Stage:
    return talent_voice(ana.project, "bea")


def stolen_signatures(ana: Stage) -> None:
    shutil.copy(another(ana).signature, ana.signature)


def stolen_signatures_with_this_digest(ana: Stage) -> dict[str, str]:
    bea = another(ana)
    text = bea.signature.read_text(encoding="utf-8").replace(bea.load().record.digest, ana.load().record.digest)
    ana.signature.write_text(text, encoding="utf-8")
    return {"key": id_of(bea.keys["talent"])}


def exchanged_roles(ana: Stage) -> dict[str, str]:
    made = {role: sign_record(ana.load().record, role, ana.keys[role], SIGNED) for role in ("talent", "licensee")}
    ana.write_signatures(
        made["talent"].model_copy(update={"role": "licensee"}), made["licensee"].model_copy(update={"role": "talent"})
    )
    return {"key": id_of(ana.keys["licensee"])}


def of_another_domain(domain: bytes) -> Change:
    """The talent did sign these very words, but as something else."""

    def attack(ana: Stage) -> None:
        record = ana.load().record
        made, other = (sign_record(record, role, ana.keys[role], SIGNED) for role in ("talent", "licensee"))
        part = {"record_sha256": record.digest, "role": "talent", "signed_at": made.signed_at}
        taken = sign(domain, part, ana.keys["talent"])
        ana.write_signatures(made.model_copy(update={"ed25519": taken}), other)

    return attack


def with_a_key(role: Role, holder: str, **more: Any) -> Callable[[Stage], dict[str, str]]:
    """A key that somebody trusts for something is used for the talent's signature."""

    def attack(ana: Stage) -> dict[str, str]:
        key = ana.trust(role, holder, **more)
        ana.sign("talent", "licensee", talent=key)
        return {"key": id_of(key)}

    return attack


def signed_by_a_stranger(ana: Stage) -> dict[str, str]:
    key = Ed25519PrivateKey.generate()
    ana.sign("talent", "licensee", talent=key)
    return {"key": id_of(key)}


def a_key_slipped_in(ana: Stage) -> dict[str, str]:
    """With write access and nothing else: a key of one's own in her name, and the record signed with it."""
    key = Ed25519PrivateKey.generate()
    slip_in(ana, key, holder=ANA, role="talent", voices=("ana",))
    ana.resign({"scope/advertisers": "any"})
    ana.sign("talent", "licensee", talent=key)
    return {"key": id_of(key)}


def slip_in(ana: Stage, key: Ed25519PrivateKey, **says: Any) -> None:
    add_key(ana.project.own_trust_dir, ConsentKey(public=public_text(key.public_key()), **says))


def a_revoked_key_made_good(ana: Stage) -> dict[str, str]:
    key = ana.keys["talent"]
    ana.trust("talent", ANA, key, revoked="2026-11-02")
    slip_in(ana, key, holder=ANA, role="talent", voices=("ana",))
    return {"key": id_of(key)}


def a_key_taken_away(ana: Stage) -> dict[str, str]:
    """Somebody who could have revoked is made to be nobody."""
    path = ana.project.own_trust_dir / KEYS_FILE
    key = id_of(ana.keys["guardian"])
    head, _, rest = path.read_text(encoding="utf-8").partition(f"  {key}:\n")
    lines = rest.splitlines(keepends=True)
    after = next((i for i, line in enumerate(lines) if not line.startswith("    ")), len(lines))
    path.write_text(head + "".join(lines[after:]), encoding="utf-8")
    return {"key": key}


def another_voices_record(ana: Stage) -> None:
    bea = another(ana)
    for name in ("consent.yaml", "consent.sig.yaml"):
        shutil.copy(bea.folder / name, ana.folder / name)


def a_voice_edited(old: str, new: str) -> Change:
    return lambda ana: edit(ana.folder / "voice.yaml", old, new)


def revoked_and_hidden(ana: Stage) -> None:
    path, _ = withdraw_consent(ana.load(), "from-now", "as agreed", ana.keys["talent"], ana.authority)
    path.unlink()


def revoked_and_an_older_record_put_back(ana: Stage) -> None:
    saved = {path: path.read_bytes() for path in (ana.consent, ana.signature)}
    ana.follow({"exclusivity": "none"})
    withdraw_consent(ana.load(), "from-now", "as agreed", ana.keys["talent"], ana.authority)
    for path, data in saved.items():
        path.write_bytes(data)


def a_forged_revocation(ana: Stage) -> None:
    forged = revoke(ana.load(), "take-down", "spite", Ed25519PrivateKey.generate(), SIGNED)
    write_revocation(ana.folder, forged)


def history_removed(ana: Stage) -> dict[str, str]:
    before = ana.keep()
    ana.follow({"exclusivity": "none"})
    shutil.rmtree(ana.folder / "history")
    return {"before": before.name}


def a_record_before_it_made_up(ana: Stage) -> dict[str, str]:
    ana.change({"previous_sha256": SHA_A})
    return {"before": SHA_A}


def rolled_back(ana: Stage) -> dict[str, str]:
    saved = {path: path.read_bytes() for path in (ana.consent, ana.signature)}
    older = ana.load().record.digest
    ana.follow({"scope/markets": []})
    newer = ana.load().record.digest
    for path, data in saved.items():
        path.write_bytes(data)
    return {"older": older[:12], "newer": newer[:12]}


OTHER_VOICE = f"voice_sha256: {DOES_NOT}voice_sha256: asked '"
KEY = "key: is signed with key {key}, which "
REVOKED = "consent record 'ana-2026-11' was revoked on "
CIRCLE = "who may sign consent has changed: key {key} "
MORE = "{folder}/history/{before}/consent.yaml: the history of this voice's consent is broken: the record before it ("
CYRILLIC = "Lumen C\u043effee"
CASES: dict[str, Case] = {
    "a schema of tomorrow": Case(
        lambda ana: ana.change({"schema_version": 2}),
        RECORD,
        "schema_version: Input should be 1 (it is 2).",
        BadInput,
        logged=False,
    ),
    "a record before it, made up": Case(a_record_before_it_made_up, MORE, "{before:.12}) is missing", logged=False),
    "a record without its history": Case(history_removed, MORE, "{before:.12}) is missing", logged=False),
    "an older record put back": Case(
        rolled_back, RECORD, "previous_sha256: consent record 'ana-2026-11' ({older}) was replaced by a newer one ("
    ),
    "another voice's signatures": Case(
        stolen_signatures, SIG, "record_sha256: consent record 'ana-2026-11' was changed after it was signed"
    ),
    "another voice's signatures with this record's digest": Case(
        stolen_signatures_with_this_digest, SIG, KEY + "counts for bea, not for ana."
    ),
    "signatures with their roles exchanged": Case(exchanged_roles, SIG, KEY + "may sign as licensee, not as talent."),
    "what the talent signed as approval of a spot": Case(
        of_another_domain(b"clearspot spot approval\x00"), SIG, f"ed25519: {FALSE}"
    ),
    "what the talent signed as revocation": Case(
        of_another_domain(b"clearspot revocation\x00"), SIG, f"ed25519: {FALSE}"
    ),
    "what the talent signed as nothing": Case(of_another_domain(b""), SIG, f"ed25519: {FALSE}"),
    "a stranger's key": Case(signed_by_a_stranger, SIG, KEY + "is not trusted here."),
    "a revoked key, once more": Case(
        with_a_key("talent", ANA, revoked="2026-11-02"), SIG, KEY + "was revoked on 2026-11-02."
    ),
    "an ended key, and a date from before": Case(
        with_a_key("talent", ANA, until="2026-11-20"), SIG, KEY + "ended on 2026-11-20 and does not count for record "
    ),
    "a key for another voice": Case(
        with_a_key("talent", ANA, voices=("bea",)), SIG, KEY + "counts for bea, not for ana."
    ),
    "a key of another talent": Case(
        with_a_key("talent", "Eva Ruiz"), SIG, KEY + f"is 'Eva Ruiz''s; {ANA!r} should sign as talent."
    ),
    "a guardian's key for an adult": Case(
        with_a_key("guardian", GUARDIAN), SIG, KEY + "may sign as guardian, not as talent."
    ),
    "the company's key for the talent": Case(
        with_a_key("licensee", COMPANY), SIG, KEY + "may sign as licensee, not as talent."
    ),
    "a key slipped into the circle": Case(
        a_key_slipped_in, f"configs/trust/{KEYS_FILE}: ", CIRCLE + "(new, talent of ana)."
    ),
    "a revoked key made good again": Case(
        a_revoked_key_made_good, f"configs/trust/{KEYS_FILE}: ", CIRCLE + "(changed, talent of ana)."
    ),
    "a key taken out of the circle": Case(a_key_taken_away, f"configs/trust/{KEYS_FILE}: ", CIRCLE + "(gone)."),
    "another voice's record and signatures": Case(
        another_voices_record,
        RECORD,
        "voice: consent record 'bea-2026-11' does not allow this: voice: asked 'ana', allowed 'bea'.",
    ),
    "another mix": Case(a_voice_edited("a: 1.0", "b: 1.0"), RECORD, OTHER_VOICE),
    "another engine": Case(a_voice_edited("kokoro", "x"), RECORD, OTHER_VOICE),
    "another name": Case(a_voice_edited("Ana", "Eva"), RECORD, OTHER_VOICE),
    "a setting more": Case(
        a_voice_edited("settings:\n", "settings:\n  pitch: 2\n"), RECORD, OTHER_VOICE
    ),
    "another model by name": Case(
        a_voice_edited("model: m", "model: n"), RECORD, OTHER_VOICE
    ),
    "revoked, and the revocation deleted": Case(revoked_and_hidden, RECORD, REVOKED),
    "revoked, and an older record put back": Case(
        revoked_and_an_older_record_put_back, "{own}/revocation.yaml: ", REVOKED
    ),
    "a revocation by nobody": Case(
        a_forged_revocation,
        "{folder}/revocation.yaml: ",
        "there is a revocation of voice 'ana' that is not signed by anyone known here; until that is cleared up",
    ),
    "an advertiser with a Cyrillic letter": Case(
        let_it_be,
        RECORD,
        f"scope.advertisers: {DOES_NOT}scope.advertisers: asked {CYRILLIC!r}, allowed 'Lumen Coffee' (they look alike, "
        "but it has CYRILLIC SMALL LETTER O where the record has LATIN SMALL LETTER O).",
        asked={"advertiser": CYRILLIC},
    ),
    "a product with an accent": Case(
        let_it_be,
        RECORD,
        f"scope.products: {DOES_NOT}scope.products: asked 'Lumen Coffee subscript\u0131on', allowed 'Lumen Coffee "
        "subscription' (they look alike, but it has LATIN SMALL LETTER DOTLESS I where the record has LATIN SMALL "
        "LETTER I).",
        asked={"product": "Lumen Coffee subscript\u0131on"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_attack_is_refused_and_written_down(ana: Stage, case: Case) -> None:
    names = {"folder": ana.folder, "own": ana.folder, **(case.attack(ana) or {})}
    before = len(ana.entries())
    refusal = refused(ana, case.kind, **(case.asked or {}))
    assert str(refusal).startswith((case.where + case.told).format(**names)), str(refusal)
    written = [entry.data for entry in ana.entries()[before:] if entry.event == "refusal"]
    if case.logged:
        assert [(each["why"], each["where"]) for each in written] == [(refusal.what, refusal.where)]
    assert "grant" not in [entry.event for entry in ana.entries()[before:]]


def test_a_signing_certificate_that_has_ended(project: Project) -> None:
    in_twenty_years = dt.datetime.now(dt.UTC) + dt.timedelta(days=20 * 365)
    with pytest.raises(Refused, match=r"c2pa\.chain\.pem: the signing certificate is valid from .*, not now\. clearsp"):
        load_signing_keys(project.keys_dir, in_twenty_years)


def test_nothing_was_wrong_to_begin_with(ana: Stage) -> None:
    """So that each refusal above is of what was done there."""
    assert ana.authorize().voice == "ana"
    assert {name: (ana.folder / name).read_bytes() for name in FILES} == FILES
