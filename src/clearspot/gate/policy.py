"""Policies: the rules that a spot runs under, as data. One file a rule; ``docs/policies.md`` explains each field.

A policy only ever asks for more. What Clearspot does without being asked (a spoken disclosure at the start, tags, a
signed manifest, a valid consent, and a gate whose rules fail) no file can switch off.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from clearspot.consent.record import Date, Words
from clearspot.disclosure import Wording
from clearspot.errors import BadInput
from clearspot.hashing import sha256_json
from clearspot.project import Project
from clearspot.spot import Id, Market, SpokenText
from clearspot.yamlfile import Strict, load_model

BASELINE = "baseline"
"""The policy that every spot runs under, wherever it runs."""

ALL = "all"
ALWAYS = "always"

KnownFrom = Literal["official", "secondary", "memory", "our-reading", "house-rule"]
"""How well something is known: the official text was read; somebody else's summary of it; nothing but memory; how we
read what leaves room; a rule of Clearspot's own that no law asks for."""

Tag = Literal[
    "Title", "Language", "Comment", "DigitalSourceType", "Provider", "System", "SystemVersion", "Created", "UniqueId",
    "AIGC",
]  # fmt: skip
"""Metadata a policy may ask for, by the names of ``provenance.tags``. A closed list: what nobody writes cannot be
asked for."""

Severity = Literal["fail", "warn"]
Basis = Literal["talent", "public-dedication", "synthetic"]
ScopeField = Literal["locales", "markets", "advertisers", "products", "media", "purposes", "max_spots"]

SOFT_RULES = ("watermark-detected",)
"""The rules of the gate whose severity a policy may say. Every other one always fails."""


def _applies_from(value: str) -> str:
    if value == ALWAYS:
        return value
    if dt.date.fromisoformat(value).isoformat() != value:
        raise ValueError(f"should be a date such as 2026-11-22, or {ALWAYS!r}")
    return value


def _soft_rule(value: str) -> str:
    if value not in SOFT_RULES:
        raise ValueError(f"only of {', '.join(SOFT_RULES)} may a policy say how severe it is; every other rule fails")
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"holds {', '.join(twice)} twice")
    return values


class Asked(Strict):
    """One thing a policy asks for: why, in plain words, and how well that is known."""

    why: Words
    known_from: KnownFrom


class AskedWording(Asked):
    value: Wording


class AskedRepeat(Asked):
    """Seconds: in a programme longer than this, the disclosure is heard again at least this often."""

    value: float = Field(ge=15, le=600)


class AskedWords(Asked):
    """Groups of words; the disclosure's wording holds at least one of each group."""

    value: tuple[Annotated[tuple[SpokenText, ...], Field(min_length=1)], ...] = Field(min_length=1, max_length=20)


class AskedPace(Asked):
    """Characters a minute, lowest and highest, at which the disclosure may be read."""

    value: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(le=3000)]]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.value[0] >= self.value[1]:
            raise ValueError("should be the lowest and then the highest number of characters a minute")
        return self


class AskedTags(Asked):
    value: Annotated[tuple[Tag, ...], Field(min_length=1), AfterValidator(_distinct)]


class AskedBases(Asked):
    """Bases of consent that are accepted; no other is."""

    value: Annotated[tuple[Basis, ...], Field(min_length=1), AfterValidator(_distinct)]


class AskedScope(Asked):
    """Fields of a record's scope that must say what is allowed: a list or a number, never ``any``."""

    value: Annotated[tuple[ScopeField, ...], Field(min_length=1), AfterValidator(_distinct)]


class AskedSeverity(Asked):
    value: Severity


class AskedOfPeople(Asked):
    """What no machine here can do or check: somebody ticks a box, keeps a promise. It is in the receipt."""

    place: Words
    do: Words


class DisclosureRules(Strict):
    """What is asked of the spoken disclosure. It is always at the start; a policy may ask for that, and for more."""

    at_start: Asked | None = None
    at_end: Asked | None = None
    wording: AskedWording | None = None
    repeat_every_s: AskedRepeat | None = None
    must_hold: AskedWords | None = None
    characters_per_minute: AskedPace | None = None


class ConsentRules(Strict):
    """What is asked of the voice's consent record; ``stated`` and ``per_spot`` where a person's voice is meant."""

    bases: AskedBases | None = None
    stated: AskedScope | None = None
    per_spot: Asked | None = None


class Requires(Strict):
    """Everything a policy may ask for."""

    disclosure: DisclosureRules = DisclosureRules()
    manifest: Asked | None = None
    watermark: Asked | None = None
    tags: tuple[AskedTags, ...] = ()
    consent: ConsentRules = ConsentRules()
    severity: dict[Annotated[str, AfterValidator(_soft_rule)], AskedSeverity] = Field(default_factory=dict)
    people: tuple[AskedOfPeople, ...] = ()


class Source(Strict):
    """Where a policy's content comes from; ``url`` only where somebody has seen that page."""

    what: Words
    known_from: Literal["official", "secondary", "memory", "house-rule"]
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=300)] | None = None


class Policy(Strict):
    """``configs/policies/<id>.yaml``.

    ``markets`` select it; with ``by_name`` a spot does, for contracts and platforms. ``applies_from`` is its first
    day, or ``always``; ``checked`` the day on which somebody last held it against its sources.
    """

    id: Id
    title: Words
    notice: Words
    markets: Literal["all"] | tuple[Market, ...]
    by_name: bool = False
    applies_from: Annotated[str, AfterValidator(_applies_from)]
    applies_note: Words | None = None
    requires: Requires
    sources: tuple[Source, ...] = Field(min_length=1)
    checked: Date

    @model_validator(mode="after")
    def _selected_somehow(self) -> Self:
        if self.by_name and self.markets != ():
            raise ValueError("markets: should be empty where by_name is true; a spot names this policy itself")
        if not self.by_name and self.markets == ():
            raise ValueError("markets: is empty; list countries, or say `all`, or `by_name: true`")
        if isinstance(self.markets, tuple):
            _distinct(self.markets)
        if not any(True for _ in self.each_asked()):
            raise ValueError("requires: asks for nothing")
        return self

    @property
    def digest(self) -> str:
        """The sha256 of what the file says; comments and order do not count."""
        return sha256_json(self.model_dump(mode="json"))

    def in_force(self, today: dt.date) -> bool:
        return self.applies_from == ALWAYS or today.isoformat() >= self.applies_from

    def runs_in(self, market: str) -> bool:
        """Whether a market selects this policy.

        A country has the rules of all its parts, since an ad that runs in the whole country runs in each of them: US
        selects what US-NY does. A part has its country's rules and its own, and not those of its neighbours.
        """
        if self.markets == ALL:
            return True
        return any(market == mine or _part_of(market, mine) or _part_of(mine, market) for mine in self.markets)

    def each_asked(self) -> Iterator[tuple[str, Asked]]:
        """Everything that is asked for, by its name."""
        asked = self.requires
        for group in ("disclosure", "consent"):
            for name in type(getattr(asked, group)).model_fields:
                if one := getattr(getattr(asked, group), name):
                    yield f"{group}.{name}", one
        for name in ("manifest", "watermark"):
            if one := getattr(asked, name):
                yield name, one
        for name, several in (("tags", asked.tags), ("people", asked.people)):
            yield from ((name, one) for one in several)
        yield from ((f"severity.{rule}", one) for rule, one in asked.severity.items())


def load_policies(project: Project) -> Mapping[str, Policy]:
    """Every policy of a project by its id: the shipped ones, and the project's own in their place or besides.

    Raises:
        BadInput: A file is not what it should be, or the baseline asks for less than Clearspot does anyway.
    """
    files = project.configs("policies")
    policies = {stem: _load(stem, path) for stem, path in files.items()}
    if BASELINE not in policies:
        raise BadInput("there is no baseline policy.", where="configs/policies", remedy="Install Clearspot again.")
    _require_floor(policies[BASELINE], files[BASELINE])
    return policies


def require_known(policies: Iterable[str], named: Iterable[str], where: str) -> None:
    """Hold the names of a spot's policies against those there are.

    Raises:
        BadInput: There is none of that name; the message says which there are.
    """
    known = sorted(policies)
    if unknown := [name for name in named if name not in known]:
        raise BadInput(
            f"there is no policy {', '.join(map(repr, unknown))}; there is: {', '.join(known)}.",
            where=where,
            remedy="clearspot policy list shows them.",
        )


def policy_day(now: dt.datetime) -> dt.date:
    """The latest day that it is anywhere on Earth at a moment.

    So a rule counts from the first minute of its first day, wherever its market lies.
    """
    return now.astimezone(dt.timezone(dt.timedelta(hours=14))).date()


def _load(stem: str, path: Path) -> Policy:
    policy = load_model(Policy, path)
    if policy.id != stem:
        raise BadInput(f"says {policy.id}, the file is named {stem}.", where=f"{path}: id")
    return policy


def _require_floor(baseline: Policy, path: Path) -> None:
    """What every file has is said, and explained, in the baseline; a project's own may ask for more."""
    asked = {name for name, _ in baseline.each_asked()}
    floor = {"disclosure.at_start", "manifest", "consent.bases", *(f"severity.{rule}" for rule in SOFT_RULES)}
    missing = sorted(floor - asked)
    tags = {tag for one in baseline.requires.tags for tag in one.value}
    missing += [f"tags: {tag}" for tag in get_args(Tag) if tag not in tags and tag != "AIGC"]
    if missing:
        raise BadInput(
            f"the baseline may ask for more and never for less; it lacks: {', '.join(missing)}.",
            where=f"{path}: requires",
        )
    if baseline.markets != ALL or baseline.applies_from != ALWAYS:
        raise BadInput("the baseline holds in all markets, always.", where=f"{path}: markets, applies_from")


def _part_of(market: str, country: str) -> bool:
    return market.startswith(f"{country}-")
