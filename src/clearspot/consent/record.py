"""The consent record: what a voice's owner allowed, for what, for how long."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from clearspot.hashing import sha256_json
from clearspot.spot import Id, LocaleTag, Market, Medium, Purpose
from clearspot.yamlfile import Strict

ANY = "any"
HEX64 = r"^[0-9a-f]{64}$"


def _date(value: str) -> str:
    dt.date.fromisoformat(value)
    return value


Digest = Annotated[str, Field(pattern=HEX64)]
Date = Annotated[str, AfterValidator(_date)]


class Scope(Strict):
    """What was allowed. Each field is ``any`` or the list of what is allowed; nothing else is."""

    locales: Literal["any"] | tuple[LocaleTag, ...]
    markets: Literal["any"] | tuple[Market, ...]
    advertisers: Literal["any"] | tuple[str, ...]
    products: Literal["any"] | tuple[str, ...]
    media: Literal["any"] | tuple[Medium, ...]
    purposes: Literal["any"] | tuple[Purpose, ...]

    def allows(self, field: str, asked: str) -> bool:
        """Whether one field of the scope covers what is asked; a country covers its parts (US covers US-NY)."""
        allowed = getattr(self, field)
        if allowed == ANY:
            return True
        return asked in allowed or (field == "markets" and asked.split("-", maxsplit=1)[0] in allowed)


class Term(Strict):
    """The first and the last day on which the voice may be used (UTC)."""

    start: Date
    end: Date


class Evidence(Strict):
    """What backs the basis; ``NEEDED_EVIDENCE`` says which fields each basis asks for."""

    how_made: str = ""
    url: str = ""
    licence: str = ""
    dated: str = ""
    statement_sha256: str = ""
    attribution: tuple[str, ...] = ()


NEEDED_EVIDENCE = {
    "talent": ("statement_sha256",),
    "public-dedication": ("url", "licence", "dated"),
    "synthetic": ("how_made",),
}


class ConsentRecord(Strict):
    """``consent.yaml`` of a voice, schema 1. ``voice_sha256`` and ``weights`` bind it to what it was given for."""

    schema_version: Literal[1]
    id: Id
    voice: Id
    status: Literal["active", "revoked"]
    basis: Literal["talent", "public-dedication", "synthetic"]
    subject: str = Field(min_length=1)
    licensee: str = Field(min_length=1)
    evidence: Evidence
    scope: Scope
    term: Term
    voice_sha256: Digest
    weights: dict[str, Digest] = Field(min_length=1)
    contact: str = Field(min_length=1)

    @model_validator(mode="after")
    def _evidence_fits_basis(self) -> Self:
        needed = NEEDED_EVIDENCE[self.basis]
        if lacking := [name for name in needed if not getattr(self.evidence, name).strip()]:
            raise ValueError(f"the basis {self.basis!r} needs evidence.{', evidence.'.join(lacking)}")
        return self

    @property
    def digest(self) -> str:
        """The sha256 of the record's canonical form: what is signed, and what a manifest may name."""
        return sha256_json(self.canonical())

    def canonical(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
