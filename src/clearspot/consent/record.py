"""The consent record: what a voice's owner allowed, for what, for how long. ``docs/consent.md`` explains each field."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from clearspot.hashing import sha256_json
from clearspot.spot import Category, Id, LocaleTag, Market, Medium, Purpose
from clearspot.text.names import Name
from clearspot.yamlfile import Strict

ANY = "any"
HEX64 = r"^[0-9a-f]{64}$"
SCHEMA_VERSION = 1
PLAIN_NAME = r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$"
NO_PLACES = {"localtime", "Factory", "posixrules"}
"""What zoneinfo opens too, and what means another time on another machine."""


def _date(value: str) -> str:
    if dt.date.fromisoformat(value).isoformat() != value:
        raise ValueError("should be a date such as 2026-11-22")
    return value


def _time(value: str) -> str:
    if dt.datetime.fromisoformat(value).utcoffset() is None:
        raise ValueError("should be a time with its offset, such as 2026-11-22T10:00:00+00:00")
    return value


def _time_zone(value: str) -> str:
    import zoneinfo

    try:
        if value in NO_PLACES:
            raise ValueError("no place")  # noqa: TRY301  (told like the other ways to be none)
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("should be an IANA time zone such as Europe/Madrid or UTC") from error
    return value


def _file_name(value: str) -> str:
    if not re.fullmatch(PLAIN_NAME, value):
        raise ValueError("should be the plain name of a file in the voice's folder")
    return value


Digest = Annotated[str, Field(pattern=HEX64)]
Date = Annotated[str, AfterValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Time = Annotated[str, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
FileName = Annotated[str, AfterValidator(_file_name), WithJsonSchema({"type": "string", "pattern": PLAIN_NAME})]
Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
"""Something said in words; never empty."""

Role = Literal["talent", "guardian", "licensee"]
"""Who signs: the person whose voice it is, the guardian of a minor, and whoever may use the voice."""

Share = Annotated[float, Field(ge=0, le=1)]


class Scope(Strict):
    """What was allowed. Where a field is a list, that and nothing else; ``any`` is a word that somebody signed.

    ``max_spots`` counts distinct spots; ``approval: per-spot`` asks for the talent's signature under every spot.
    """

    locales: Literal["any"] | tuple[LocaleTag, ...]
    markets: Literal["any"] | tuple[Market, ...]
    advertisers: Literal["any"] | tuple[Name, ...]
    products: Literal["any"] | tuple[Name, ...]
    excluded_categories: tuple[Category, ...]
    media: Literal["any"] | tuple[Medium, ...]
    purposes: Literal["any"] | tuple[Purpose, ...]
    max_spots: Literal["any"] | Annotated[int, Field(ge=1)]
    approval: Literal["per-spot", "not-needed"]


class Derivatives(Strict):
    """What may be made of the voice besides speech in its own words: each yes or no, none by silence."""

    translation: bool
    training: bool
    sublicence: bool


class Term(Strict):
    """The first and the last day on which the voice may be used, in a time zone."""

    start: Date
    end: Date
    time_zone: TimeZone

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"ends ({self.end}) before it starts ({self.start})")
        return self


class Licensee(Strict):
    """Who may use the voice, and who may do so for them."""

    name: Name
    agents: tuple[Name, ...] = ()


class Withdrawal(Strict):
    """Whom to tell that consent ends, and how soon the voice's files are deleted then."""

    contact: Words
    delete_within_days: int = Field(ge=0, le=3650)


class Talent(Strict):
    """The person whose voice it is. A minor's guardian signs for them."""

    legal_name: Name
    identity_checked: Words
    adult: bool
    guardian: Name | None = None
    union: str = ""

    @model_validator(mode="after")
    def _guardian_of_a_minor(self) -> Self:
        if not self.adult and self.guardian is None:
            raise ValueError("a minor needs a guardian")
        if self.adult and self.guardian is not None:
            raise ValueError("an adult consents in person; a guardian signs for a minor alone")
        return self


class Scores(Strict):
    """How a statement was heard: error rate of its words (0 is exact), the rest closeness (1 is exact).

    ``talent_word`` is of the least heard word of the talent's name; ``similarity`` compares the speakers.
    """

    error_rate: float = Field(ge=0)
    talent: Share
    talent_word: Share
    company: Share
    code: Share
    similarity: float = Field(ge=-1, le=1)


class Statement(Strict):
    """The recorded statement: what was to be read, what was heard, how well, and by which models.

    ``version`` is that of the sentence in ``enrolment.yaml``; ``limits`` are those that ``scores`` were held to.
    """

    locale: LocaleTag
    version: Words
    text: Words
    code: Words
    transcript: Words
    file: FileName
    sha256: Digest
    recorded_at: Time
    scores: Scores
    limits: Scores
    models: dict[str, dict[str, str]] = Field(min_length=1)

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        scores, limits = self.scores, self.limits
        worse = [name for name in Scores.model_fields if getattr(scores, name) < getattr(limits, name)]
        worse = [name for name in worse if name != "error_rate"]
        if scores.error_rate > limits.error_rate:
            worse.append("error_rate")
        if worse:
            raise ValueError(f"scores are worse than their limits: {', '.join(worse)}")
        return self


class Reference(Strict):
    """The recording of the talent that the voice must sound like; a file in the voice's folder."""

    file: FileName
    sha256: Digest


class TalentEvidence(Strict):
    """A natural person said yes, in a recorded statement."""

    basis: Literal["talent"]
    talent: Talent
    statement: Statement
    reference: Reference


class DedicationEvidence(Strict):
    """The speaker released the recordings for everyone, under CC0 or the like."""

    basis: Literal["public-dedication"]
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    licence: Words
    dated: Date
    attribution: tuple[str, ...] = ()


class SyntheticEvidence(Strict):
    """No natural person's likeness: how it was made."""

    basis: Literal["synthetic"]
    how_made: Words
    dated: Date
    attribution: tuple[str, ...] = ()


Evidence = Annotated[TalentEvidence | DedicationEvidence | SyntheticEvidence, Field(discriminator="basis")]
BASES = tuple(get_args(kind.model_fields["basis"].annotation)[0] for kind in get_args(get_args(Evidence)[0]))


class ConsentRecord(Strict):
    """``consent.yaml`` of a voice. ``voice_sha256`` and ``weights`` bind it to what it was given for.

    ``previous_sha256`` is the digest of the record before it; empty for a voice's first.
    """

    schema_version: Literal[1]
    id: Id
    voice: Id
    status: Literal["active", "revoked"]
    evidence: Evidence
    licensee: Licensee
    scope: Scope
    derivatives: Derivatives
    term: Term
    exclusivity: str = ""
    pay_agreement: str = ""
    withdrawal: Withdrawal
    voice_sha256: Digest
    weights: dict[str, Digest] = Field(min_length=1)
    previous_sha256: Digest | Literal[""] = ""

    @model_validator(mode="after")
    def _statement_names_both(self) -> Self:
        if isinstance(self.evidence, TalentEvidence):
            text = self.evidence.statement.text
            for who, name in (("talent", self.evidence.talent.legal_name), ("licensee", self.licensee.name)):
                if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
                    raise ValueError(f"evidence.statement.text does not name the {who} {name!r}")
        return self

    @property
    def basis(self) -> str:
        return self.evidence.basis

    @property
    def signers(self) -> dict[Role, str]:
        """Whose signatures the record needs: role and name."""
        if not isinstance(self.evidence, TalentEvidence):
            return {"licensee": self.licensee.name}
        talent = self.evidence.talent
        owner: dict[Role, str] = {"talent": talent.legal_name}
        if talent.guardian is not None:
            owner = {"guardian": talent.guardian}
        return owner | {"licensee": self.licensee.name}

    @property
    def digest(self) -> str:
        """The sha256 of the record's canonical form: what is signed, and what a manifest may name."""
        return sha256_json(self.canonical())

    def canonical(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``consent.yaml``.

    What it cannot say, such as that a term ends after it starts, is checked when a record is read.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:clearspot:consent-record:1",
        **ConsentRecord.model_json_schema(),
    }
