"""Consent: the one way to a grant, every way in which it is refused, and that there is no other way."""

from __future__ import annotations

import ast
import base64
import copy
import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clearspot.consent.grant import Grant, Use, authorize
from clearspot.consent.record import NEEDED_EVIDENCE, ConsentRecord
from clearspot.consent.registry import CONSENT_FILE, SIGNATURE_FILE, VOICE_FILE, Voice, load_voice
from clearspot.consent.signature import key_id, sign_record
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, Refused
from clearspot.files import PinnedFile
from clearspot.hashing import sha256_bytes
from clearspot.project import Project, shipped
from clearspot.provenance.keys import load_consent_key, load_trust
from clearspot.yamlfile import dump_yaml
from tests.conftest import CHECKOUT, edit

DAY = dt.date(2026, 11, 22)
USE = Use(
    locale="es-ES",
    market="ES",
    advertiser="Lumen Coffee",
    product="Lumen Coffee subscription",
    medium="radio",
    purpose="advertising",
    day=DAY,
)
NARROW = {
    "locales": ["es-ES"],
    "markets": ["ES"],
    "advertisers": ["Lumen Coffee"],
    "products": ["Lumen Coffee subscription"],
    "media": ["radio"],
    "purposes": ["advertising"],
}
SHA_A, SHA_B = "a" * 64, "b" * 64


@pytest.fixture
def key(project: Project) -> Ed25519PrivateKey:
    """A key that may sign consent: its public half lies in the project's trust folder."""
    return load_consent_key(project.keys_dir / "consent.key.pem")


@pytest.fixture
def trusted(project: Project) -> Mapping[str, Ed25519PublicKey]:
    return load_trust(project.trust_dirs).consent_keys


@pytest.fixture
def folder(project: Project) -> Path:
    """The project's own copy of the shipped voice, to break."""
    target = project.root / "voices" / "house"
    shutil.copytree(shipped("voices") / "house", target)
    for path in target.iterdir():
        path.chmod(0o644)
    return target


@pytest.fixture
def weights(project: Project) -> dict[str, PinnedFile]:
    """The files that would be loaded, with the digests of ``models.yaml``; nothing is opened."""
    models = load_weights(project)
    roles = {"model": "kokoro-82m-int8", "styles": "kokoro-styles"}
    return {
        role: PinnedFile(models.folder(model_id) / name, file.sha256)
        for role, model_id in roles.items()
        for name, file in models.model(model_id).files.items()
    }


def load(folder: Path) -> Voice:
    return load_voice(folder.name, {folder.name: folder})


def record_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = yaml.load((folder / CONSENT_FILE).read_text(encoding="utf-8"), yaml.BaseLoader)
    return value | {"schema_version": 1}


def write_record(folder: Path, record: dict[str, Any]) -> None:
    (folder / CONSENT_FILE).write_text(dump_yaml(record), encoding="utf-8")


def sign(folder: Path, key: Ed25519PrivateKey) -> None:
    signature = sign_record(load(folder).record, key)
    (folder / SIGNATURE_FILE).write_text(dump_yaml(signature.model_dump()), encoding="utf-8")


def refusal(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey], *uses: Use
) -> str:
    with pytest.raises(Refused) as refused:
        authorize(load(folder), uses or (USE,), weights=weights, trusted=trusted)
    told = str(refused.value)
    assert told.startswith(str(folder)), "the message starts with the file"
    assert "\n" not in told, "one paragraph"
    return told


# --- the way to a grant ------------------------------------------------------------------------------------------


def test_the_shipped_voice_may_speak(
    weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]
) -> None:
    voice = load(shipped("voices") / "house")
    grant = authorize(voice, (USE,), weights=weights, trusted=trusted)
    assert grant.voice == "house"
    assert grant.engine == "kokoro"
    assert grant.record_id == "house-2026-11"
    assert grant.record_sha256 == voice.record.digest
    assert grant.basis == "synthetic"
    assert grant.signed_by == "9d6661d014e49156"
    assert grant.locale == "es-ES"
    assert grant.uses == (USE,)
    assert {role: file.sha256 for role, file in grant.weights.items()} == voice.record.weights
    assert {role: file.path for role, file in grant.weights.items()} == {
        role: file.path for role, file in weights.items()
    }
    assert grant.settings["mix"] == {"jf_gongitsune": 0.5, "jm_kumo": 0.5}


def test_the_shipped_records_digest_is_a_contract() -> None:
    """What the signature is over: another digest here and no consent there is holds."""
    record = load(shipped("voices") / "house").record
    assert record.digest == "b18bf8b8f1df104bb45837aec08b86010549895e33be9ca00767fd26e2025b47"


def test_a_grant_is_for_all_markets_of_one_locale(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey], key: Ed25519PrivateKey
) -> None:
    write_record(folder, record_of(folder) | {"scope": NARROW | {"markets": ["ES", "MX"]}})
    sign(folder, key)
    uses = tuple(dataclasses.replace(USE, market=market) for market in ("ES", "MX"))
    assert authorize(load(folder), uses, weights=weights, trusted=trusted).uses == uses
    third = (*uses, dataclasses.replace(USE, market="AR"))
    assert "scope.markets: asked 'AR', allowed 'ES, MX'" in refusal(folder, weights, trusted, *third)


@pytest.mark.parametrize("uses", [(), (USE, dataclasses.replace(USE, locale="it-IT"))], ids=["no use", "two locales"])
def test_a_grant_is_for_exactly_one_locale(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    uses: tuple[Use, ...],
) -> None:
    with pytest.raises(ValueError, match="exactly one locale"):
        authorize(load(folder), uses, weights=weights, trusted=trusted)


# --- the record and its signature ----------------------------------------------------------------------------------


def test_a_voice_without_a_record(folder: Path) -> None:
    (folder / CONSENT_FILE).unlink()
    with pytest.raises(Refused) as refused:
        load(folder)
    assert str(refused.value).startswith(
        f"{folder / CONSENT_FILE}: voice 'house' has no consent record; nobody may speak with it."
    )


def test_a_record_that_is_not_signed(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]
) -> None:
    (folder / SIGNATURE_FILE).unlink()
    assert refusal(folder, weights, trusted) == (
        f"{folder / SIGNATURE_FILE}: consent record 'house-2026-11' is not signed. "
        "clearspot voices sign house --key FILE, by whoever may give this consent."
    )


# Every field of the signed record with another value that is allowed there.
EDITS: dict[str, Any] = {
    "id": "house-2027-01",
    "voice": "mansion",
    "status": "revoked",
    "basis": "talent",
    "subject": "Somebody",
    "licensee": "Lumen Coffee",
    "evidence.how_made": "Differently",
    "evidence.url": "https://example.org/",
    "evidence.licence": "CC0-1.0",
    "evidence.dated": "2026-11-23",
    "evidence.statement_sha256": SHA_A,
    "evidence.attribution": [],
    "scope.locales": ["es-ES"],
    "scope.markets": ["ES"],
    "scope.advertisers": ["Lumen Coffee"],
    "scope.products": ["Lumen Coffee subscription"],
    "scope.media": ["radio"],
    "scope.purposes": ["advertising"],
    "term.start": "2025-01-01",
    "term.end": "2099-12-31",
    "voice_sha256": SHA_A,
    "weights.model": SHA_A,
    "weights.styles": SHA_A,
    "contact": "nobody@example.org",
}


def leaves(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name


def edited(record: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    *parents, last = field.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    place[last] = value
    if field == "basis":  # a basis without its evidence would not even be a record
        changed["evidence"]["statement_sha256"] = SHA_A
    return changed


def test_every_field_of_the_record_is_in_the_table() -> None:
    record = load(shipped("voices") / "house").record
    assert set(leaves(record.canonical())) - {"schema_version"} == set(EDITS)


@pytest.mark.parametrize(("field", "value"), EDITS.items(), ids=EDITS)
def test_an_edited_record_is_refused_as_changed(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    field: str,
    value: Any,
) -> None:
    write_record(folder, edited(record_of(folder), field, value))
    told = refusal(folder, weights, trusted)
    assert told.startswith(f"{folder / SIGNATURE_FILE}: record_sha256: consent record ")
    assert "was changed after it was signed (signed over b18bf8b8f1df, is " in told


def test_another_schema_is_no_record(folder: Path) -> None:
    write_record(folder, record_of(folder) | {"schema_version": 2})
    with pytest.raises(BadInput, match=r"schema_version: .*\(it is 2\)"):
        load(folder)


def test_a_comment_changes_nothing(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]
) -> None:
    edit(folder / CONSENT_FILE, "scope:\n", "# As agreed.\nscope:\n")
    assert authorize(load(folder), (USE,), weights=weights, trusted=trusted).record_id == "house-2026-11"


def resigned_by_a_stranger(folder: Path, _: Ed25519PrivateKey) -> None:
    sign(folder, Ed25519PrivateKey.generate())


def a_strangers_signature_under_a_trusted_name(folder: Path, key: Ed25519PrivateKey) -> None:
    forged = sign_record(load(folder).record, Ed25519PrivateKey.generate())
    forged = forged.model_copy(update={"key": key_id(key.public_key())})
    (folder / SIGNATURE_FILE).write_text(dump_yaml(forged.model_dump()), encoding="utf-8")


def another_records_signature(folder: Path, key: Ed25519PrivateKey) -> None:
    mine = record_of(folder)
    write_record(folder, mine | {"contact": "somebody else"})
    sign(folder, key)
    write_record(folder, mine)


def another_records_signature_with_this_records_digest(folder: Path, key: Ed25519PrivateKey) -> None:
    another_records_signature(folder, key)
    signature = yaml.safe_load((folder / SIGNATURE_FILE).read_text(encoding="utf-8"))
    signature["record_sha256"] = load(folder).record.digest
    (folder / SIGNATURE_FILE).write_text(dump_yaml(signature), encoding="utf-8")


def a_signature_of_the_bare_digest(folder: Path, key: Ed25519PrivateKey) -> None:
    """Made for something else: without the name of what is signed in front."""
    record = load(folder).record
    value = base64.b64encode(key.sign(bytes.fromhex(record.digest))).decode()
    text = dump_yaml({"key": key_id(key.public_key()), "record_sha256": record.digest, "ed25519": value})
    (folder / SIGNATURE_FILE).write_text(text, encoding="utf-8")


def with_signature(value: str) -> Callable[[Path, Ed25519PrivateKey], None]:
    def write(folder: Path, key: Ed25519PrivateKey) -> None:
        text = {"key": key_id(key.public_key()), "record_sha256": load(folder).record.digest, "ed25519": value}
        (folder / SIGNATURE_FILE).write_text(dump_yaml(text), encoding="utf-8")

    return write


FALSE = "ed25519: the signature of consent record 'house-2026-11' is false."
FORGERIES: dict[str, tuple[Callable[[Path, Ed25519PrivateKey], None], str]] = {
    "a key that is not trusted": (resigned_by_a_stranger, "which is not trusted here."),
    "a stranger's signature under a trusted name": (a_strangers_signature_under_a_trusted_name, FALSE),
    "another record's signature": (another_records_signature, "was changed after it was signed"),
    "another record's signature with this digest": (another_records_signature_with_this_records_digest, FALSE),
    "a signature made for something else": (a_signature_of_the_bare_digest, FALSE),
    "an empty signature": (with_signature(""), FALSE),
    "not base64": (with_signature("!!!!"), FALSE),
    "base64 cut short": (with_signature("3fs6nVV2C0Dqzgx1"), FALSE),
    "base64 with a wrong ending": (with_signature("abc"), FALSE),
    "letters beyond ASCII": (with_signature("señal"), FALSE),
    "zeros": (with_signature(base64.b64encode(bytes(64)).decode()), FALSE),
}


@pytest.mark.parametrize(("forge", "told"), FORGERIES.values(), ids=FORGERIES)
def test_a_signature_that_is_not_to_be_believed(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
    forge: Callable[[Path, Ed25519PrivateKey], None],
    told: str,
) -> None:
    forge(folder, key)
    refused = refusal(folder, weights, trusted)
    assert refused.startswith(f"{folder / SIGNATURE_FILE}: ")
    assert told in refused


def test_a_key_is_trusted_only_where_its_public_half_lies(
    folder: Path, weights: Mapping[str, PinnedFile], key: Ed25519PrivateKey
) -> None:
    sign(folder, key)
    told = refusal(folder, weights, {})
    assert f"is signed with key {key_id(key.public_key())}, which is not trusted here." in told
    assert "put its public key into configs/trust/ as consent-NAME.pem" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key: a\n", "record_sha256: is missing"),
        ("key: a\nrecord_sha256: b\ned25519: c\n", "record_sha256: "),
        ("[a]\n", "should hold fields"),
        ("", "should hold fields"),
    ],
    ids=["fields missing", "no digest", "a list", "nothing"],
)
def test_a_signature_file_that_is_none(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    text: str,
    told: str,
) -> None:
    (folder / SIGNATURE_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        authorize(load(folder), (USE,), weights=weights, trusted=trusted)
    assert str(refused.value).startswith(str(folder / SIGNATURE_FILE))
    assert told in str(refused.value)


# --- in force ----------------------------------------------------------------------------------------------------

TERM = {"term": {"start": "2026-11-01", "end": "2026-11-30"}}
IN_FORCE: dict[str, tuple[dict[str, Any], dt.date, str]] = {
    "revoked": ({"status": "revoked"}, DAY, "status: asked 'active', allowed 'revoked'"),
    "not yet started": (
        TERM,
        dt.date(2026, 10, 31),
        "term.start: asked '2026-10-31', allowed '2026-11-01 to 2026-11-30'",
    ),
    "expired": (TERM, dt.date(2026, 12, 1), "term.end: asked '2026-12-01', allowed '2026-11-01 to 2026-11-30'"),
    "a term that ends before it starts": (
        {"term": {"start": "2026-12-01", "end": "2026-11-01"}},
        DAY,
        "term.start: asked '2026-11-22', allowed '2026-12-01 to 2026-11-01'",
    ),
}


@pytest.mark.parametrize(("change", "day", "told"), IN_FORCE.values(), ids=IN_FORCE)
def test_a_record_that_is_not_in_force(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
    change: dict[str, Any],
    day: dt.date,
    told: str,
) -> None:
    write_record(folder, record_of(folder) | change)
    sign(folder, key)
    refused = refusal(folder, weights, trusted, dataclasses.replace(USE, day=day))
    assert f"consent record 'house-2026-11' does not allow this: {told}." in refused
    assert "Ask the voice's owner for a record that covers it, or change the spot." in refused


@pytest.mark.parametrize("day", [dt.date(2026, 11, 1), dt.date(2026, 11, 30)], ids=["the first", "the last"])
def test_the_first_and_the_last_day_are_in_the_term(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
    day: dt.date,
) -> None:
    write_record(folder, record_of(folder) | TERM)
    sign(folder, key)
    uses = (dataclasses.replace(USE, day=day),)
    assert authorize(load(folder), uses, weights=weights, trusted=trusted).uses == uses


# --- in scope ----------------------------------------------------------------------------------------------------

OUT_OF_SCOPE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another locale": ({}, {"locale": "it-IT"}, "scope.locales: asked 'it-IT', allowed 'es-ES'"),
    "the same language elsewhere": ({}, {"locale": "es-MX"}, "scope.locales: asked 'es-MX', allowed 'es-ES'"),
    "another market": ({}, {"market": "MX"}, "scope.markets: asked 'MX', allowed 'ES'"),
    "a part does not cover its country": (
        {"markets": ["US-NY"]},
        {"market": "US"},
        "scope.markets: asked 'US', allowed 'US-NY'",
    ),
    "a part does not cover another part": (
        {"markets": ["US-NY", "CA"]},
        {"market": "US-CA"},
        "scope.markets: asked 'US-CA', allowed 'US-NY, CA'",
    ),
    "another advertiser": (
        {},
        {"advertiser": "Gloom Tea"},
        "scope.advertisers: asked 'Gloom Tea', allowed 'Lumen Coffee'",
    ),
    "an advertiser whose name only begins so": (
        {},
        {"advertiser": "Lumen Coffee Ltd"},
        "scope.advertisers: asked 'Lumen Coffee Ltd', allowed 'Lumen Coffee'",
    ),
    "an advertiser called any": (
        {"advertisers": ["any"]},
        {"advertiser": "Gloom Tea"},
        "scope.advertisers: asked 'Gloom Tea', allowed 'any'",
    ),
    "another product": (
        {},
        {"product": "Gloom Tea"},
        "scope.products: asked 'Gloom Tea', allowed 'Lumen Coffee subscription'",
    ),
    "another medium": ({}, {"medium": "tv"}, "scope.media: asked 'tv', allowed 'radio'"),
    "another purpose": ({}, {"purpose": "internal"}, "scope.purposes: asked 'internal', allowed 'advertising'"),
    "nothing allowed": ({"markets": []}, {}, "scope.markets: asked 'ES', allowed 'nothing'"),
}  # fmt: skip


@pytest.mark.parametrize(("scope", "asked", "told"), OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE)
def test_a_use_out_of_scope_is_told_with_what_was_asked_and_what_is_allowed(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
    scope: dict[str, Any],
    asked: dict[str, Any],
    told: str,
) -> None:
    write_record(folder, record_of(folder) | {"scope": NARROW | scope})
    sign(folder, key)
    refused = refusal(folder, weights, trusted, dataclasses.replace(USE, **asked))
    field = told.split(":", maxsplit=1)[0]
    assert refused.startswith(f"{folder / CONSENT_FILE}: {field}: consent record 'house-2026-11' does not allow")
    assert f"{told}." in refused


IN_SCOPE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exactly that": ({}, {}),
    "any of everything": (dict.fromkeys(NARROW, "any"), {"locale": "pt-BR", "market": "BR", "medium": "tv"}),
    "a country covers its parts": ({"markets": ["US"]}, {"market": "US-NY"}),
    "a part covers itself": ({"markets": ["US-NY"]}, {"market": "US-NY"}),
    "one of several": ({"media": ["tv", "radio"]}, {"medium": "radio"}),
}


@pytest.mark.parametrize(("scope", "asked"), IN_SCOPE.values(), ids=IN_SCOPE)
def test_a_use_in_scope(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
    scope: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    write_record(folder, record_of(folder) | {"scope": NARROW | scope})
    sign(folder, key)
    uses = (dataclasses.replace(USE, **asked),)
    assert authorize(load(folder), uses, weights=weights, trusted=trusted).uses == uses


# --- given for this voice and these weights ------------------------------------------------------------------------


def test_another_voices_record_copied_over(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]
) -> None:
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    edit(other / VOICE_FILE, "id: house", "id: other")
    told = refusal(other, weights, trusted)
    assert "consent record 'house-2026-11' does not allow this: voice: asked 'other', allowed 'house'." in told


EDITED_VOICES = {
    "the mix": ("{jf_gongitsune: 0.5, jm_kumo: 0.5}", "{jf_gongitsune: 0.1, jm_kumo: 0.9}"),
    "the engine": ("engine: kokoro", "engine: another"),
    "the name": ("name: House voice", "name: Nora"),
    "a setting more": ("settings:\n", "settings:\n  pitch: 2\n"),
    "the model's name": ("model: kokoro-82m-int8", "model: kokoro-82m"),
}


@pytest.mark.parametrize(("old", "new"), EDITED_VOICES.values(), ids=EDITED_VOICES)
def test_an_edited_voice_has_no_consent(
    folder: Path,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    old: str,
    new: str,
) -> None:
    edit(folder / VOICE_FILE, old, new)
    told = refusal(folder, weights, trusted)
    assert told.startswith(f"{folder / CONSENT_FILE}: voice_sha256: ")
    assert f"allowed '{load(folder).record.voice_sha256}'" in told


@pytest.mark.parametrize("value", [".nan", ".inf", '"\\ud800"', "!!binary /w=="], ids=["NaN", "inf", "half", "bytes"])
def test_a_setting_that_has_no_digest_is_refused(
    folder: Path, weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey], value: str
) -> None:
    """What cannot be hashed cannot be consented to."""
    edit(folder / VOICE_FILE, "settings:\n", f"settings:\n  pitch: {value}\n")
    with pytest.raises((BadInput, Refused)) as refused:
        authorize(load(folder), (USE,), weights=weights, trusted=trusted)
    assert str(refused.value).startswith(str(folder))


@pytest.mark.parametrize(("one", "other"), [(".inf", "-.inf"), (".nan", "null"), (".inf", "null"), ("0", "no")])
def test_different_settings_have_different_digests(folder: Path, one: str, other: str) -> None:
    """Else consent to one would be consent to the other; a setting that has no digest may be refused."""
    digests = set()
    for value in (one, other):
        (folder / VOICE_FILE).write_text(
            f"{{id: house, name: House, engine: kokoro, weights: {{}}, settings: {{pitch: {value}}}}}", encoding="utf-8"
        )
        try:
            digests.add(load(folder).file.digest)
        except BadInput:
            digests.add(f"{value} is refused")
    assert len(digests) == 2


OTHER_WEIGHTS: dict[str, tuple[Callable[[dict[str, PinnedFile]], dict[str, PinnedFile]], str]] = {
    "another model": (
        lambda files: files | {"model": PinnedFile(files["model"].path, SHA_B)},
        f"weights.model: asked '{SHA_B}', allowed '6e742170d309",
    ),
    "other styles": (
        lambda files: files | {"styles": PinnedFile(files["styles"].path, SHA_B)},
        f"weights.styles: asked '{SHA_B}', allowed 'fc663c0f5c64",
    ),
    "a file more": (
        lambda files: files | {"vocoder": files["model"]},
        "weights: asked 'model, styles, vocoder', allowed 'model, styles'",
    ),
    "a file less": (
        lambda files: {"model": files["model"]},
        "weights: asked 'model', allowed 'model, styles'",
    ),
    "none": (lambda _: {}, "weights: asked '', allowed 'model, styles'"),
}


@pytest.mark.parametrize(("change", "told"), OTHER_WEIGHTS.values(), ids=OTHER_WEIGHTS)
def test_other_weights_have_no_consent(
    folder: Path,
    weights: dict[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
    change: Callable[[dict[str, PinnedFile]], dict[str, PinnedFile]],
    told: str,
) -> None:
    assert told in refusal(folder, change(weights), trusted)


# --- the record itself -------------------------------------------------------------------------------------------

COMPLETE = {
    "talent": {"statement_sha256": SHA_A},
    "public-dedication": {"url": "https://example.org/", "licence": "CC0-1.0", "dated": "2020-01-01"},
    "synthetic": {"how_made": "A mean of style vectors."},
}


@pytest.mark.parametrize("basis", NEEDED_EVIDENCE)
def test_complete_evidence(folder: Path, basis: str) -> None:
    write_record(folder, record_of(folder) | {"basis": basis, "evidence": COMPLETE[basis]})
    assert load(folder).record.basis == basis


@pytest.mark.parametrize("value", [None, "", "   "], ids=["left out", "empty", "spaces"])
@pytest.mark.parametrize(("basis", "field"), [(basis, field) for basis, needed in COMPLETE.items() for field in needed])
def test_evidence_that_the_basis_needs(folder: Path, basis: str, field: str, value: str | None) -> None:
    evidence = {name: text for name, text in COMPLETE[basis].items() if name != field}
    evidence |= {} if value is None else {field: value}
    write_record(folder, record_of(folder) | {"basis": basis, "evidence": evidence})
    with pytest.raises(BadInput) as refused:
        load(folder)
    assert str(refused.value).startswith(str(folder / CONSENT_FILE))
    assert f"the basis {basis!r} needs evidence.{field}" in str(refused.value)


WRONG_RECORDS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"scopes": {}}, "scopes: unknown field; known here: schema_version, id, voice, status"),
    "an unknown field in the scope": (
        {"scope": dict.fromkeys(NARROW, "any") | {"territory": "ES"}},
        "scope.territory: unknown field; known here: locales, markets",
    ),
    "no scope": ({"scope": {}}, "scope.locales: is missing; scope.markets: is missing"),
    "a scope of everything but one": (
        {"scope": {name: "any" for name in NARROW if name != "markets"}},
        "scope.markets: is missing",
    ),
    "a scope of all": ({"scope": NARROW | {"locales": "all"}}, "scope.locales"),
    "a locale that does not exist": ({"scope": NARROW | {"locales": ["xx-YY"]}}, "(it is 'xx-YY')"),
    "a market that does not exist": ({"scope": NARROW | {"markets": ["QQ"]}}, "(it is 'QQ')"),
    "another status": ({"status": "paused"}, "status: Input should be 'active' or 'revoked' (it is 'paused')"),
    "another basis": ({"basis": "trust-me"}, "'talent', 'public-dedication' or 'synthetic' (it is 'trust-me')"),
    "no end": ({"term": {"start": "2026-01-01"}}, "term.end: is missing"),
    "a day that does not exist": ({"term": {"start": "2026-02-30", "end": "2027-01-01"}}, "term.start: day is out"),
    "an end in words": ({"term": {"start": "2026-01-01", "end": "never"}}, "term.end: Invalid isoformat string"),
    "a digest in capitals": ({"voice_sha256": "A" * 64}, "voice_sha256: "),
    "a digest cut short": ({"voice_sha256": "a" * 63}, "voice_sha256: "),
    "no weights": ({"weights": {}}, "weights: "),
    "nobody": ({"subject": ""}, "subject: "),
    "no contact": ({"contact": ""}, "contact: "),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), WRONG_RECORDS.values(), ids=WRONG_RECORDS)
def test_a_record_that_is_wrong(folder: Path, change: dict[str, Any], told: str) -> None:
    write_record(folder, record_of(folder) | change)
    with pytest.raises(BadInput) as refused:
        load(folder)
    assert str(refused.value).startswith(str(folder / CONSENT_FILE))
    assert told in str(refused.value)


def test_a_voice_that_does_not_exist(project: Project) -> None:
    with pytest.raises(BadInput, match=r"voices/: there is no voice 'mansion'; there is: house\."):
        load_voice("mansion", project.voice_folders())


def test_a_voice_under_another_name(folder: Path) -> None:
    target = folder.rename(folder.with_name("mansion"))
    with pytest.raises(BadInput, match=r"voice\.yaml: id: says 'house', the folder is named 'mansion'\."):
        load_voice("mansion", {"mansion": target})


# --- no other way ------------------------------------------------------------------------------------------------


@pytest.fixture
def grant(weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]) -> Grant:
    return authorize(load(shipped("voices") / "house"), (USE,), weights=weights, trusted=trusted)


ITALIAN = (dataclasses.replace(USE, locale="it-IT"),)


@pytest.mark.parametrize("seal", [None, object(), True, "seal"], ids=["None", "an object", "True", "text"])
def test_a_grant_cannot_be_made_by_hand(grant: Grant, seal: object) -> None:
    fields = {field.name: getattr(grant, field.name) for field in dataclasses.fields(grant)}
    with pytest.raises(TypeError, match=r"made by consent\.authorize and nowhere else"):
        Grant(**fields, seal=seal)
    with pytest.raises(TypeError, match="seal"):
        Grant(**fields)
    with pytest.raises(TypeError, match=r"made by consent\.authorize and nowhere else"):
        dataclasses.replace(grant, uses=ITALIAN, seal=seal)


def test_a_grant_cannot_be_replaced_or_changed(grant: Grant) -> None:
    with pytest.raises((TypeError, ValueError), match="seal"):
        dataclasses.replace(grant, uses=ITALIAN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        grant.uses = ITALIAN  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        grant.locale = "it-IT"  # type: ignore[misc]
    with pytest.raises(TypeError):
        grant.weights["model"] = PinnedFile(Path("other"), SHA_A)  # type: ignore[index]
    with pytest.raises(TypeError):
        grant.settings["mix"] = {"jm_kumo": 1.0}  # type: ignore[index]


def test_a_copy_of_a_grant_is_for_the_same_use(grant: Grant) -> None:
    assert copy.copy(grant) == grant
    assert copy.copy(grant).locale == "es-ES"


def test_a_grants_settings_cannot_be_changed_through_the_voice(
    weights: Mapping[str, PinnedFile], trusted: Mapping[str, Ed25519PublicKey]
) -> None:
    """The settings were consented to as they were; nobody mixes another voice after that."""
    voice = load(shipped("voices") / "house")
    grant = authorize(voice, (USE,), weights=weights, trusted=trusted)
    voice.file.settings["mix"]["jm_kumo"] = 1.0
    assert grant.settings["mix"] == {"jf_gongitsune": 0.5, "jm_kumo": 0.5}


def test_what_a_grant_gives_is_the_file_that_consent_names(
    folder: Path,
    tmp_path: Path,
    trusted: Mapping[str, Ed25519PublicKey],
    key: Ed25519PrivateKey,
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"consented")
    sha256 = sha256_bytes(b"consented")
    write_record(folder, record_of(folder) | {"weights": {"model": sha256}})
    sign(folder, key)
    named = {"model": PinnedFile(path, sha256)}
    grant = authorize(load(folder), (USE,), weights=named, trusted=trusted)
    assert grant.weights["model"].read() == b"consented"
    path.write_bytes(b"swapped!!")
    for given in (grant, authorize(load(folder), (USE,), weights=named, trusted=trusted)):
        assert given.weights["model"].sha256 == sha256
        with pytest.raises(Refused, match=r"model\.onnx: is not the file that was named .*; it is not opened\."):
            given.weights["model"].read()


SOURCES = sorted(path for base in ("src", "flows") for path in (CHECKOUT / base).rglob("*.py"))
MAKER = CHECKOUT / "src" / "clearspot" / "consent" / "grant.py"


def name_of(node: ast.expr | None) -> str:
    """The last name of a dotted name: ``Grant`` of ``grant.Grant``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=str() as name):
            return name.split(".")[-1]
    return ""


def makes_a_grant(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        given = [name_of(argument) for argument in node.args]
        return name_of(node.func) == "Grant" or (name_of(node.func) == "__new__" and "Grant" in given)
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "_SEAL" or (alias.asname and alias.name == "Grant") for alias in node.names)
    return isinstance(node, ast.Name | ast.Attribute) and name_of(node) == "_SEAL"


@pytest.mark.parametrize("path", [p for p in SOURCES if p != MAKER], ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_nothing_but_authorize_makes_grants(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [getattr(node, "lineno", 0) for node in ast.walk(tree) if makes_a_grant(node)]
    assert not found, f"{path.name} makes a Grant in line {found}"


def test_authorize_makes_grants_in_one_place() -> None:
    tree = ast.parse(MAKER.read_text(encoding="utf-8"))
    makers = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(inner, ast.Call) and makes_a_grant(inner) for inner in ast.walk(node))
    ]
    assert makers == ["authorize"]


def speakers() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (f"{path.stem}.{node.name}", method)
        for path in sorted((CHECKOUT / "src" / "clearspot" / "engines").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "speak"
    ]


def test_the_speech_engines_are_found() -> None:
    assert {"protocols.SpeechEngine", "kokoro.KokoroEngine"} <= {name for name, _ in speakers()}


@pytest.mark.parametrize(("name", "method"), speakers(), ids=[name for name, _ in speakers()])
def test_no_engine_speaks_without_a_grant(name: str, method: ast.FunctionDef) -> None:
    required = method.args.args[1 : len(method.args.args) - len(method.args.defaults)]
    assert "Grant" in [name_of(argument.annotation) for argument in required], f"{name}.speak takes no Grant"


def test_the_record_has_no_field_that_skips_a_check() -> None:
    """A field more is a decision: what it allows belongs into ``authorize`` and into the tables above."""
    assert list(ConsentRecord.model_fields) == [
        "schema_version", "id", "voice", "status", "basis", "subject", "licensee", "evidence", "scope", "term",
        "voice_sha256", "weights", "contact",
    ]  # fmt: skip
