"""The consent record: what its file must say, and how it is told what it does not."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from clearspot.consent.record import BASES, ConsentRecord
from clearspot.errors import BadInput
from clearspot.project import Project, shipped
from clearspot.yamlfile import parse_model
from tests.conftest import edit
from tests.unit.consent_scenes import ANA, COMPANY, GUARDIAN, changed, house_voice, load, talent_record

HOUSE = shipped("voices") / "house"
FILE = Path("consent.yaml")
TALENT, STATEMENT, SCORES = "evidence/talent", "evidence/statement", "evidence/statement/scores"
SCORED = ("error_rate", "talent", "talent_word", "company", "code", "similarity")
DEDICATION = {
    "basis": "public-dedication", "url": "https://example.org/corpus", "licence": "CC0-1.0", "dated": "2020-01-01",
}  # fmt: skip
SYNTHETIC = {"basis": "synthetic", "how_made": "A mean of style vectors.", "dated": "2026-11-22"}
COMPLETE: dict[str, dict[str, Any]] = {
    "talent": talent_record(),
    "public-dedication": talent_record() | {"evidence": DEDICATION},
    "synthetic": talent_record() | {"evidence": SYNTHETIC},
}


def read(changes: dict[str, Any], basis: str = "talent") -> ConsentRecord:
    return parse_model(ConsentRecord, changed(COMPLETE[basis], changes), FILE)


def told(changes: dict[str, Any], basis: str = "talent") -> str:
    """How a record is refused, after the name of its file."""
    with pytest.raises(BadInput) as refused:
        read(changes, basis)
    return str(refused.value).removeprefix("consent.yaml: ")


# --- the bases, and what each needs ------------------------------------------------------------------------------

SIGNERS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "a talent and the licensee": ("talent", {}, {"talent": ANA, "licensee": COMPANY}),
    "a minor's guardian and the licensee": (
        "talent",
        {f"{TALENT}/adult": False, f"{TALENT}/guardian": GUARDIAN},
        {"guardian": GUARDIAN, "licensee": COMPANY},
    ),
    "whoever uses what was dedicated": ("public-dedication", {}, {"licensee": COMPANY}),
    "whoever made a synthetic voice": ("synthetic", {}, {"licensee": COMPANY}),
}


@pytest.mark.parametrize(("basis", "changes", "signers"), SIGNERS.values(), ids=SIGNERS)
def test_who_signs(basis: str, changes: dict[str, Any], signers: dict[str, str]) -> None:
    record = read(changes, basis)
    assert record.basis == basis
    assert record.signers == signers


def test_there_are_three_bases() -> None:
    assert set(BASES) == set(COMPLETE)


NEEDED: dict[str, list[str]] = {
    "talent": [
        "schema_version", "id", "voice", "status", "evidence", "evidence/basis", "evidence/talent",
        *(f"{TALENT}/{name}" for name in ("legal_name", "identity_checked", "adult")),
        "evidence/statement",
        *(f"{STATEMENT}/{name}" for name in ("locale", "version", "text", "code", "transcript", "file", "sha256")),
        *(f"{STATEMENT}/{name}" for name in ("recorded_at", "scores", "limits", "models")),
        *(f"{SCORES}/{name}" for name in SCORED),
        *(f"{STATEMENT}/limits/{name}" for name in SCORED),
        "evidence/reference", "evidence/reference/file", "evidence/reference/sha256",
        "licensee", "licensee/name", "scope",
        *(f"scope/{name}" for name in ("locales", "markets", "advertisers", "products", "excluded_categories")),
        *(f"scope/{name}" for name in ("media", "purposes", "max_spots", "approval")),
        *(f"derivatives{name}" for name in ("", "/translation", "/training", "/sublicence")),
        *(f"term{name}" for name in ("", "/start", "/end", "/time_zone")),
        "withdrawal", "withdrawal/contact", "withdrawal/delete_within_days", "voice_sha256", "weights",
    ],
    "public-dedication": ["evidence/basis", "evidence/url", "evidence/licence", "evidence/dated"],
    "synthetic": ["evidence/basis", "evidence/how_made", "evidence/dated"],
}  # fmt: skip


@pytest.mark.parametrize(("basis", "field"), [(basis, field) for basis, needed in NEEDED.items() for field in needed])
def test_a_piece_that_is_missing_is_named(basis: str, field: str) -> None:
    assert told({field: ...}, basis) == f"{field.replace('/', '.')}: is missing."


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({f"{TALENT}/guardian": ...}, {f"{TALENT}/guardian": None}),
        ({f"{TALENT}/union": ...}, {f"{TALENT}/union": ""}),
        ({"licensee/agents": ...}, {"licensee/agents": []}),
        ({"exclusivity": ...}, {"exclusivity": ""}),
        ({"pay_agreement": ...}, {"pay_agreement": ""}),
        ({"previous_sha256": ...}, {"previous_sha256": ""}),
    ],
    ids=["no guardian", "no union", "no agents", "no exclusivity", "no pay agreement", "no record before"],
)
def test_what_may_be_left_out_is_as_good_as_empty(changes: dict[str, Any], gone: dict[str, Any]) -> None:
    assert read(changes).digest == read(gone).digest


EMPTY = [
    ("talent", f"{TALENT}/legal_name"),
    ("talent", f"{TALENT}/identity_checked"),
    ("talent", f"{STATEMENT}/text"),
    ("talent", f"{STATEMENT}/code"),
    ("talent", "licensee/name"),
    ("talent", "withdrawal/contact"),
    ("public-dedication", "evidence/licence"),
    ("public-dedication", "evidence/url"),
    ("synthetic", "evidence/how_made"),
]


@pytest.mark.parametrize("value", ["", "   "], ids=["nothing", "spaces"])
@pytest.mark.parametrize(("basis", "field"), EMPTY)
def test_what_is_needed_is_not_empty(basis: str, field: str, value: str) -> None:
    assert told({field: value}, basis).startswith(f"{field.replace('/', '.')}: ")


# --- wrong values ------------------------------------------------------------------------------------------------

UNKNOWN = "unknown field; known here: "
PLAIN = "should be the plain name of a file in the voice's folder"
ZONE = "should be an IANA time zone such as Europe/Madrid or UTC"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"scopes": {}}, f"scopes: {UNKNOWN}schema_version, id, voice, status, evidence"),
    "an unknown field in the scope": ({"scope/territory": "ES"}, f"scope.territory: {UNKNOWN}locales, markets"),
    "an unknown field of the talent": ({f"{TALENT}/age": 9}, f"evidence.talent.age: {UNKNOWN}legal_name"),
    "another basis's field": ({"evidence/how_made": "x"}, f"evidence.how_made: {UNKNOWN}basis, talent, statement"),
    "an unknown basis": (
        {"evidence/basis": "trust-me"},
        "evidence.basis: should be one of 'talent', 'public-dedication', 'synthetic' (it is 'trust-me').",
    ),
    "a later schema": ({"schema_version": 2}, "schema_version: Input should be 1 (it is 2)."),
    "a schema in words": ({"schema_version": "1"}, "schema_version: Input should be 1 (it is '1')."),
    "another status": ({"status": "paused"}, "status: Input should be 'active' or 'revoked' (it is 'paused')."),
    "an id with a space": ({"id": "Ana 1"}, "id: should be lower-case letters, digits and hyphens, at most 64"),
    "a voice that leads elsewhere": ({"voice": "../ana"}, "voice: should be lower-case letters, digits and hyphens"),
    "yes for true": ({f"{TALENT}/adult": "yes"}, "evidence.talent.adult: Input should be a valid boolean (it is"),
    "one for true": ({"derivatives/training": 1}, "derivatives.training: Input should be a valid boolean (it is 1)."),
    "no scope at all": ({"scope": {}}, "scope.locales: is missing; scope.markets: is missing; "),
    "everything, in another word": ({"scope/locales": "all"}, "scope.locales: "),
    "every category excluded in a word": ({"scope/excluded_categories": "any"}, "scope.excluded_categories: should be"),
    "a category that is none": ({"scope/excluded_categories": ["booze"]}, "scope.excluded_categories.0: Input should"),
    "a locale that does not exist": ({"scope/locales": ["es-ES", "xx-YY"]}, "scope.locales.1: should be a BCP-47 tag"),
    "a market that does not exist": ({"scope/markets": ["QQ"]}, "scope.markets.0: should be an ISO 3166 country"),
    "a medium that does not exist": ({"scope/media": ["billboard"]}, "scope.media.0: Input should be 'radio', "),
    "a purpose that does not exist": ({"scope/purposes": ["fun"]}, "scope.purposes.0: Input should be 'advertising', "),
    "an empty advertiser": ({"scope/advertisers": [""]}, "scope.advertisers.0: should not be empty (it is '')."),
    "no spots": ({"scope/max_spots": 0}, "scope.max_spots: Input should be greater than or equal to 1 (it is 0)."),
    "spots in words": ({"scope/max_spots": "3"}, "scope.max_spots: "),
    "yes to spots": ({"scope/max_spots": True}, "scope.max_spots: "),
    "an approval that is none": ({"scope/approval": "maybe"}, "scope.approval: Input should be 'per-spot' or 'not-"),
    "a day that does not exist": ({"term/start": "2026-02-30"}, "term.start: day is out of range for month (it is"),
    "an end in words": ({"term/end": "never"}, "term.end: Invalid isoformat string: 'never' (it is 'never')."),
    "a date in another form": ({"term/start": "20260101"}, "term.start: should be a date such as 2026-11-22 (it is"),
    "a term that ends before it starts": ({"term/end": "2025-12-31"}, "term: ends (2025-12-31) before it starts (2026"),
    "a time zone on Mars": ({"term/time_zone": "Mars/Olympus"}, f"term.time_zone: {ZONE} (it is 'Mars/Olympus')."),
    "no time zone": ({"term/time_zone": ""}, f"term.time_zone: {ZONE} (it is '')."),
    "a continent": ({"term/time_zone": "Europe"}, f"term.time_zone: {ZONE} (it is 'Europe')."),
    "a time zone elsewhere": ({"term/time_zone": "../UTC"}, f"term.time_zone: {ZONE} (it is '../UTC')."),
    "a time zone by offset": ({"term/time_zone": "+01:00"}, f"term.time_zone: {ZONE} (it is '+01:00')."),
    "the time zone of whatever machine": ({"term/time_zone": "localtime"}, f"term.time_zone: {ZONE} (it is 'localtim"),
    "the time zone of none": ({"term/time_zone": "Factory"}, f"term.time_zone: {ZONE} (it is 'Factory')."),
    "a digest in capitals": ({"voice_sha256": "A" * 64}, "voice_sha256: String should match pattern"),
    "a digest cut short": ({"voice_sha256": "a" * 63}, "voice_sha256: String should match pattern"),
    "no weights": ({"weights": {}}, "weights: Dictionary should have at least 1 item"),
    "weights by name": ({"weights/model": "kokoro"}, "weights.model: String should match pattern"),
    "a record before it that is none": ({"previous_sha256": "x"}, "previous_sha256: "),
    "files kept for ever": ({"withdrawal/delete_within_days": 3651}, "withdrawal.delete_within_days: Input should be"),
    "a statement in no file": ({f"{STATEMENT}/file": ""}, f"evidence.statement.file: {PLAIN} (it is '')."),
    "a statement outside the folder": ({f"{STATEMENT}/file": "../a.wav"}, f"evidence.statement.file: {PLAIN}"),
    "a statement at an absolute path": ({f"{STATEMENT}/file": "/a.wav"}, f"evidence.statement.file: {PLAIN}"),
    "a statement called dot dot": ({f"{STATEMENT}/file": ".."}, f"evidence.statement.file: {PLAIN}"),
    "a statement with a backslash": ({f"{STATEMENT}/file": "a\\b"}, f"evidence.statement.file: {PLAIN}"),
    "a statement with a NUL": ({f"{STATEMENT}/file": "a\0b"}, f"evidence.statement.file: {PLAIN}"),
    "a reference outside the folder": ({"evidence/reference/file": "../a.wav"}, f"evidence.reference.file: {PLAIN}"),
    "a time without its offset": ({f"{STATEMENT}/recorded_at": "2026-10-30T10:00:00"}, "evidence.statement.recorded_"),
    "no models that listened": ({f"{STATEMENT}/models": {}}, "evidence.statement.models: Dictionary should have"),
    "a score above exact": ({f"{SCORES}/talent": 1.1}, "evidence.statement.scores.talent: Input should be less than"),
    "a score that is no number": ({f"{SCORES}/talent": float("nan")}, "evidence.statement.scores.talent: should be a "),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG.values(), ids=WRONG)
def test_a_record_that_is_wrong(changes: dict[str, Any], words: str) -> None:
    """Each problem is told with its field, and a field has a name that people write: no kinds of a union in it."""
    found = told(changes)
    assert found.startswith(words)
    assert not any(inner in found for inner in ("literal[", "tuple[", "function-", "constrained-"))


# --- people ------------------------------------------------------------------------------------------------------

PEOPLE: dict[str, tuple[dict[str, Any], str]] = {
    "a minor without a guardian": ({f"{TALENT}/adult": False}, "evidence.talent: a minor needs a guardian (it is "),
    "an adult for whom somebody else signs": ({f"{TALENT}/guardian": GUARDIAN}, "evidence.talent: "),
    "a statement of another talent": (
        {f"{TALENT}/legal_name": "Eva Ruiz"},
        "(the whole file): evidence.statement.text does not name the talent 'Eva Ruiz' (it is ",
    ),
    "a statement for another company": (
        {"licensee/name": "Gloom Tea SA"},
        "(the whole file): evidence.statement.text does not name the licensee 'Gloom Tea SA' (it is ",
    ),
    "a statement that names neither": (
        {f"{STATEMENT}/text": "I agree to everything."},
        f"(the whole file): evidence.statement.text does not name the talent {ANA!r} (it is ",
    ),
    "a talent whose name is but a part of a word": (
        {f"{TALENT}/legal_name": "Ana Gar"},
        "(the whole file): evidence.statement.text does not name the talent 'Ana Gar' (it is ",
    ),
    "words heard worse than their limit": (
        {f"{SCORES}/error_rate": 0.21},
        "evidence.statement: scores are worse than their limits: error_rate (it is ",
    ),
    "another voice, and another name": (
        {f"{SCORES}/talent": 0.69, f"{SCORES}/similarity": 0.74},
        "evidence.statement: scores are worse than their limits: talent, similarity (it is ",
    ),
    "another company heard": ({f"{SCORES}/company": 0.1}, "evidence.statement: scores are worse than their limits: co"),
    "an old code word": ({f"{SCORES}/code": 0.79}, "evidence.statement: scores are worse than their limits: code"),
}


@pytest.mark.parametrize(("changes", "words"), PEOPLE.values(), ids=PEOPLE)
def test_a_talent_who_did_not_say_this(changes: dict[str, Any], words: str) -> None:
    assert told(changes).startswith(words)


def test_scores_at_their_limits_are_good_enough() -> None:
    assert read({SCORES: talent_record()["evidence"]["statement"]["limits"]}).basis == "talent"


SPACES = "has spaces at its ends, two in a row, or ones that are none"
BAD_NAMES: dict[str, tuple[str, str]] = {
    "empty": ("", "should not be empty"),
    "spaces alone": ("  ", "should not be empty"),
    "a space in front": (" Lumen", SPACES),
    "two spaces": ("Lumen  Coffee", SPACES),
    "a space that does not break": ("Lumen\u00a0Coffee", SPACES),
    "a tab": ("Lumen\tCoffee", SPACES),
    "a line": ("Lumen\nCoffee", SPACES),
    "a line of Unicode": ("Lumen\u2028Coffee", SPACES),
    "a space of no width": ("Lu\u200bmen", "holds a character that cannot be seen (ZERO WIDTH SPACE)"),
    "a joiner of no width": ("Lu\u200dmen", "holds a character that cannot be seen (ZERO WIDTH JOINER)"),
    "a soft hyphen": ("Lu\u00admen", "holds a character that cannot be seen (SOFT HYPHEN)"),
    "letters turned round": ("Lu\u202emen", "holds a character that cannot be seen (RIGHT-TO-LEFT OVERRIDE)"),
    "a byte order mark": ("Lumen\ufeff", "holds a character that cannot be seen (ZERO WIDTH NO-BREAK SPACE)"),
    "a tag": ("Lumen\U000e0041", "holds a character that cannot be seen (TAG LATIN CAPITAL LETTER A)"),
    "a NUL": ("Lu\0men", "holds a character that cannot be seen (U+0000)"),
    "a private character": ("Lu\ue000men", "holds a character that cannot be seen (U+E000)"),
    "a grapheme joiner": ("Lu\u034fmen", "holds a character that cannot be seen (COMBINING GRAPHEME JOINER)"),
    "a variation selector": ("Lumen\ufe0f", "holds a character that cannot be seen (VARIATION SELECTOR-16)"),
    "a filler of Hangul": ("Lumen \u3164", "holds a character that cannot be seen (HANGUL FILLER)"),
    "a filler in front of Hangul": ("\u115f", "holds a character that cannot be seen (HANGUL CHOSEONG FILLER)"),
    "an empty pattern of Braille": ("Lumen \u2800", "holds a character that cannot be seen (BRAILLE PATTERN BLANK)"),
    "a Cyrillic a": ("Lumen C\u0430fe", "'C\u0430fe' mixes the scripts CYRILLIC and LATIN"),
    "a Greek o": ("Lumen C\u03bfffee", "'C\u03bfffee' mixes the scripts GREEK and LATIN"),
    "a letter from mathematics": ("\U0001d40bumen", "'\U0001d40bumen' mixes the scripts LATIN and MATHEMATICAL"),
    "a wide letter": ("\uff2cumen", "'\uff2cumen' mixes the scripts CJK and LATIN"),
    "too long": ("L" * 201, "has 201 characters; a name has at most 200"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_that_is_not_what_it_seems(name: str, words: str) -> None:
    assert told({"licensee/agents": [name]}).startswith(f"licensee.agents.0: {words} (it is ")


@pytest.mark.parametrize(
    "name",
    [
        "O'Neill", "O\u2019Neill", "L'Oréal", "7-Eleven", "Müller & Söhne", "Łukasz Żółw", "Jean-Luc d'Or",
        "株式会社サンプル", "\u0418\u0432\u0430\u043d", "한국전력", "नरेंद्र", "محمد", "Mª Ángeles Ruiz", "佐々木 希",
        "Ka\u02bbiulani",
    ],
)  # fmt: skip
def test_a_name_that_people_have(name: str) -> None:
    assert read({"licensee/agents": [name]}).licensee.agents == (name,)


def test_a_name_in_two_forms_of_unicode_is_one_name() -> None:
    apart = {"licensee/agents": [unicodedata.normalize("NFD", "Señal Única")]}
    assert read(apart).digest == read({"licensee/agents": ["Señal Única"]}).digest


# --- the folder --------------------------------------------------------------------------------------------------


def test_a_voice_that_does_not_exist(project: Project) -> None:
    from clearspot.consent.registry import load_voice

    with pytest.raises(BadInput, match=r"^voices/: there is no voice 'mansion'; there is: house, joe\.$"):
        load_voice("mansion", project.voice_folders())


def test_a_voice_under_another_name(project: Project) -> None:
    target = house_voice(project).folder.rename(project.root / "voices" / "mansion")
    with pytest.raises(BadInput, match=r"voice\.yaml: id: says 'house', the folder is named 'mansion'\.$"):
        load(target)


@pytest.mark.parametrize(("one", "other"), [(".inf", "-.inf"), (".nan", "null"), (".inf", "null"), ("0", "no")])
def test_different_settings_have_different_digests(project: Project, one: str, other: str) -> None:
    """Else consent to one would be consent to the other; a setting that has no digest may be refused."""
    house = house_voice(project)
    before, digests = (house.folder / "voice.yaml").read_text(encoding="utf-8"), set()
    for value in (one, other):
        (house.folder / "voice.yaml").write_text(before, encoding="utf-8")
        edit(house.folder / "voice.yaml", "settings:\n", f"settings:\n  pitch: {value}\n")
        try:
            digests.add(house.load().file.digest)
        except BadInput:
            digests.add(f"{value} is refused")
    assert len(digests) == 2
