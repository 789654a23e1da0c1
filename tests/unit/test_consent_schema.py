"""The consent record's digest, which is what people sign, and the JSON Schema of its file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearspot.consent.record import ConsentRecord, json_schema
from clearspot.project import Project
from clearspot.yamlfile import dump_yaml, load_yaml, parse_model, parse_yaml
from tests.conftest import CHECKOUT
from tests.unit.consent_scenes import ANA, COMPANY, GUARDIAN, SHA_A, changed, leaves, load, talent_record
from tests.unit.test_consent_record import (
    COMPLETE,
    DEDICATION,
    FILE,
    HOUSE,
    NEEDED,
    SCORES,
    STATEMENT,
    SYNTHETIC,
    TALENT,
    WRONG,
    read,
)

# --- the digest: what is signed ----------------------------------------------------------------------------------


def test_the_shipped_records_digest_is_a_contract() -> None:
    """What the signature is over: another digest here and no consent there is holds."""
    assert load(HOUSE).record.digest == "bfe5393053ea3203921e17b5e4543b6f2a32dc7c7d389ae7ae001dc9108ebb7e"


def test_the_record_has_no_field_that_skips_a_check() -> None:
    """A field more is a decision: what it allows belongs into ``authorize`` and into the tables of these tests."""
    assert list(ConsentRecord.model_fields) == [
        "schema_version", "id", "voice", "status", "evidence", "licensee", "scope", "derivatives", "term",
        "exclusivity", "pay_agreement", "withdrawal", "voice_sha256", "weights", "previous_sha256",
    ]  # fmt: skip


def read_text(text: str) -> ConsentRecord:
    return parse_model(ConsentRecord, parse_yaml(text, ""), FILE)


FORMATS: dict[str, Callable[[str], str]] = {
    "a comment": lambda text: text.replace("scope:", "# As agreed.\nscope:  # in full"),
    "lines between": lambda text: text.replace("\nscope:", "\n\n\nscope:"),
    "a value in quotes": lambda text: text.replace("status: active", 'status: "active"'),
    "another order": lambda text: dump_yaml(dict(reversed(parse_yaml(text, "").items()))),
    "JSON": lambda text: json.dumps(parse_yaml(text, "")),
    "letters by their numbers": lambda text: json.dumps(parse_yaml(text, ""), ensure_ascii=True),
    "its own canonical form": lambda text: dump_yaml(
        parse_model(ConsentRecord, parse_yaml(text, ""), FILE).canonical()
    ),
}


@pytest.mark.parametrize("rewrite", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("text", [(HOUSE / FILE).read_text("utf-8"), dump_yaml(talent_record())], ids=["house", "ana"])
def test_how_a_record_is_written_changes_nothing(text: str, rewrite: Callable[[str], str]) -> None:
    assert read_text(rewrite(text)).digest == read_text(text).digest


DAY, TIME, NAME = "2026-12-24", "2026-10-30T10:00:00+02:00", "Somebody Else"
LATER = {"error_rate": 0.03, "talent": 0.9, "talent_word": 0.9, "company": 0.9, "code": 0.9, "similarity": 0.9}
OTHER: dict[str, Any] = {
    "id": "x", "voice": "mansion", "status": "revoked", "exclusivity": "none", "pay_agreement": "",
    "licensee/name": NAME, "licensee/agents": [NAME], "withdrawal/contact": NAME,
    "withdrawal/delete_within_days": 31, "voice_sha256": "c" * 64, "weights/model": SHA_A,
    "weights/styles": SHA_A, "previous_sha256": SHA_A, "term/start": "2025-01-01",
    "term/end": "2099-12-31", "term/time_zone": "Asia/Tokyo", "derivatives/translation": False,
    "derivatives/training": True, "derivatives/sublicence": True, "scope/locales": ["it-IT"], "scope/markets": ["IT"],
    "scope/advertisers": [NAME], "scope/products": [NAME], "scope/excluded_categories": ["betting"],
    "scope/media": ["tv"], "scope/purposes": ["internal"], "scope/max_spots": 9, "scope/approval": "per-spot",
    f"{TALENT}/legal_name": NAME, f"{TALENT}/identity_checked": "not", f"{TALENT}/adult": False,
    f"{TALENT}/guardian": NAME, f"{TALENT}/union": "", "evidence/reference/file": "b.wav",
    "evidence/reference/sha256": SHA_A,
    **{f"{STATEMENT}/{name}": "other" for name in ("version", "text", "code", "transcript", "file")},
    f"{STATEMENT}/locale": "it-IT", f"{STATEMENT}/sha256": SHA_A, f"{STATEMENT}/recorded_at": TIME,
    **{f"{SCORES}/{name}": value for name, value in LATER.items()},
    **{f"{STATEMENT}/limits/{name}": value for name, value in (LATER | {"error_rate": 0.1}).items()},
    f"{STATEMENT}/models/recogniser/engine": "whisper 2", f"{STATEMENT}/models/recogniser/model.bin": SHA_A,
}  # fmt: skip
TOGETHER: dict[str, dict[str, Any]] = {
    f"{TALENT}/legal_name": {f"{STATEMENT}/text": f"{NAME}, {COMPANY}"},
    "licensee/name": {f"{STATEMENT}/text": f"{NAME}, {ANA}"},
    f"{STATEMENT}/text": {f"{STATEMENT}/text": f"{ANA}, {COMPANY}"},
    f"{TALENT}/adult": {f"{TALENT}/guardian": GUARDIAN},
    f"{TALENT}/guardian": {f"{TALENT}/adult": False},
}
"""What has to change too, so that it is a record at all."""


def test_every_value_of_a_talents_record_is_in_the_table() -> None:
    assert set(leaves(read({}).canonical())) - {"schema_version", "evidence/basis"} == set(OTHER)


@pytest.mark.parametrize(("field", "value"), OTHER.items(), ids=OTHER)
def test_any_other_value_is_another_digest(field: str, value: Any) -> None:
    changes = {field: value, **TOGETHER.get(field, {})}
    assert read(changes).digest != read({}).digest


EVIDENCE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "synthetic": (SYNTHETIC, {"how_made": "otherwise", "dated": DAY, "attribution": [NAME]}),
    "public-dedication": (
        DEDICATION,
        {"url": "https://example.org/", "licence": "CC-BY-4.0", "dated": DAY, "attribution": [NAME]},
    ),
}


@pytest.mark.parametrize("basis", EVIDENCE)
def test_any_other_evidence_is_another_digest(basis: str) -> None:
    evidence, others = EVIDENCE[basis]
    assert {"basis", *others} == evidence.keys() | {"attribution"}
    digests = {read({"evidence": evidence | {field: value}}).digest for field, value in others.items()}
    assert len(digests | {read({"evidence": evidence}).digest, read({}).digest}) == len(others) + 2


# --- the JSON Schema, for editors and other tools ----------------------------------------------------------------

VALIDATOR = jsonschema.Draft202012Validator(
    json_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_the_schema_is_the_one_in_the_documentation(project: Project, clearspot: Callable[..., Any]) -> None:
    text = json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"
    assert (CHECKOUT / "docs" / "consent.schema.json").read_text(encoding="utf-8") == text
    assert clearspot("voices", "schema") == (0, text, "")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$id"] == "urn:clearspot:consent-record:1"


@pytest.mark.parametrize("record", [load_yaml(HOUSE / FILE), *COMPLETE.values()], ids=["house", *COMPLETE])
def test_a_record_that_is_right_is_so_by_the_schema(record: dict[str, Any]) -> None:
    VALIDATOR.validate(record)
    VALIDATOR.validate(parse_model(ConsentRecord, record, FILE).canonical())


BEYOND_SCHEMA = {
    "a locale that does not exist", "a market that does not exist", "a time zone on Mars", "a time zone by offset",
    "no time zone", "a continent", "a time zone elsewhere",
    "the time zone of whatever machine", "the time zone of none", "a term that ends before it starts",
    "a score that is no number", "a time without its offset",
}  # fmt: skip
"""What no schema can say."""


@pytest.mark.parametrize("changes", [c for name, (c, _) in WRONG.items() if name not in BEYOND_SCHEMA],
                         ids=[name for name in WRONG if name not in BEYOND_SCHEMA])  # fmt: skip
def test_a_record_that_is_wrong_is_so_by_the_schema(changes: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(changed(talent_record(), changes))


@pytest.mark.parametrize(("basis", "field"), [(basis, field) for basis, needed in NEEDED.items() for field in needed])
def test_a_piece_that_is_missing_is_so_by_the_schema(basis: str, field: str) -> None:
    assert not VALIDATOR.is_valid(changed(COMPLETE[basis], {field: ...}))


# --- any record --------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzáéíñçü-&.", min_size=1, max_size=20)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)).map(str)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """Any record of a synthetic or a dedicated voice."""
    made = draw(st.sampled_from([SYNTHETIC, DEDICATION])) | {"dated": draw(DAYS)}
    made |= {"how_made": draw(WORDS)} if made["basis"] == "synthetic" else {"licence": draw(WORDS)}
    start, end = sorted([draw(DAYS), draw(DAYS)])
    any_or_names = st.just("any") | st.lists(NAMES, max_size=3)
    return changed(
        talent_record(),
        {
            "evidence": made | {"attribution": draw(st.lists(WORDS, max_size=2))},
            "scope/advertisers": draw(any_or_names),
            "scope/products": draw(any_or_names),
            "scope/markets": draw(st.just("any") | st.lists(st.sampled_from(["ES", "US-NY", "GB"]), max_size=2)),
            "scope/max_spots": draw(st.just("any") | st.integers(1, 10**18)),
            "licensee": {"name": draw(NAMES), "agents": draw(st.lists(NAMES, max_size=2))},
            "term": {"start": start, "end": end, "time_zone": draw(st.sampled_from(["UTC", "Asia/Kathmandu"]))},
            "exclusivity": draw(WORDS),
            "withdrawal/contact": draw(WORDS),
            "weights": draw(st.dictionaries(WORDS, DIGESTS, min_size=1, max_size=3)),
            "voice_sha256": draw(DIGESTS),
        },
    )


@settings(max_examples=100, deadline=None)
@given(records())
@example(talent_record() | {"pay_agreement": "a line\u0085that ends as some machines end it"})
@example(talent_record() | {"pay_agreement": "a line\u2028and another", "exclusivity": "\0"})
def test_any_record_read_from_its_own_canonical_form_is_the_same(value: dict[str, Any]) -> None:
    record = parse_model(ConsentRecord, value, FILE)
    again = parse_model(ConsentRecord, parse_yaml(dump_yaml(record.canonical()), ""), FILE)
    assert (again, again.digest) == (record, record.digest)
    VALIDATOR.validate(record.canonical())
