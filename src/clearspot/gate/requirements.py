"""What the policies of one locale's markets ask for together: it adds up, and the strictest wins."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from clearspot.consent.record import ANY, ConsentRecord
from clearspot.consent.registry import Voice
from clearspot.disclosure import DisclosureAsked, Wording
from clearspot.errors import Refused
from clearspot.gate.policy import (
    ALL,
    BASELINE,
    SOFT_RULES,
    Asked,
    AskedOfPeople,
    Basis,
    Policy,
    ScopeField,
    Severity,
    Tag,
    require_known,
)
from clearspot.spot import Spot

AT_START = "at the start"
ALL_BASES: frozenset[str] = frozenset(get_args(Basis))


@dataclass(frozen=True, slots=True)
class ConsentAsked:
    """What is asked of a voice's consent record.

    ``bases`` are the accepted ones. Of a person's voice (any basis but ``synthetic``) besides: ``stated`` are fields
    of the scope that may not be ``any``, and with ``per_spot`` the record must ask for approval of every spot.
    """

    bases: frozenset[str] = ALL_BASES
    stated: frozenset[str] = frozenset()
    per_spot: bool = False

    def lacking(self, record: ConsentRecord) -> Iterator[tuple[str, str, str]]:
        """Each field of a record that is less than what is asked: its name, what is asked, what it says."""
        if record.basis not in self.bases:
            yield "consent.bases", f"basis {' or '.join(sorted(self.bases)) or 'that no policy accepts'}", record.basis
        if record.basis == "synthetic":
            return
        if self.per_spot and record.scope.approval != "per-spot":
            yield "consent.per_spot", "approval: per-spot", record.scope.approval
        for field in sorted(self.stated):
            if getattr(record.scope, field) == ANY:
                yield "consent.stated", f"{field} by name or number", ANY


@dataclass(frozen=True, slots=True)
class Instruction:
    """What somebody does by hand, because no machine here can: where, what, and for which policy."""

    policy: str
    place: str
    do: str
    why: str


@dataclass(frozen=True, slots=True)
class Reason:
    """That one policy asks for one thing. ``requirement`` is its name, ``asked`` the value in words."""

    requirement: str
    asked: str
    policy: str
    why: str
    known_from: str


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A policy that is selected and not in force yet; nothing of it is required before its day."""

    policy: str
    title: str
    applies_from: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Requirements:
    """What one locale's deliverables must be.

    ``policies`` are those in force, by id, with the digest of what each says; ``tags`` the metadata that must be there;
    ``severity`` is by rule, and a rule that is not in it always fails; ``only_baseline`` are the markets that no other
    policy knows.
    """

    policies: Mapping[str, str]
    disclosure: DisclosureAsked
    tags: frozenset[str]
    manifest: bool
    watermark: bool
    consent: ConsentAsked
    severity: Mapping[str, Severity]
    instructions: tuple[Instruction, ...]
    reasons: tuple[Reason, ...]
    upcoming: tuple[Upcoming, ...] = ()
    only_baseline: tuple[str, ...] = ()

    @property
    def bases(self) -> frozenset[str]:
        """The accepted bases of consent."""
        return self.consent.bases

    def severity_of(self, rule: str) -> Severity:
        """How severe it is that a rule is not met; ``fail`` unless every policy that speaks of it says otherwise."""
        return self.severity.get(rule, "fail")

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Why nothing can meet all of these policies at once, in words; empty where something can."""
        told = []
        if not self.bases:
            told.append(f"no basis of consent is accepted by all of {self.who_asks('consent.bases')}")
        pace = self.disclosure.characters_per_minute
        if pace and pace[0] > pace[1]:
            told.append(f"no pace of the disclosure suits all of {self.who_asks('disclosure.characters_per_minute')}")
        return tuple(told)

    def as_json(self) -> dict[str, Any]:
        """The requirements for machines, and for the receipt: lists are sorted."""
        return {
            "policies": dict(self.policies),
            "disclosure": dataclasses.asdict(self.disclosure),
            "tags": sorted(self.tags),
            "manifest": self.manifest,
            "watermark": self.watermark,
            "consent": {
                "bases": sorted(self.consent.bases),
                "stated": sorted(self.consent.stated),
                "per_spot": self.consent.per_spot,
            },
            "severity": dict(self.severity),
            "instructions": [dataclasses.asdict(one) for one in self.instructions],
            "reasons": [dataclasses.asdict(one) for one in self.reasons],
            "conflicts": list(self.conflicts),
        }

    def in_words(self, requirement: str) -> str:
        """What is asked altogether under the name of one requirement, as a person says it."""
        if rule := requirement.partition("severity.")[2]:
            return self.severity_of(rule)
        if requirement == "disclosure.at_start":
            return AT_START
        group, _, name = requirement.rpartition(".")
        value = getattr(getattr(self, group) if group else self, name)
        return _WORDS[requirement](value) if requirement in _WORDS else str(value)

    def who_asks(self, requirement: str) -> str:
        """The policies that ask for something, by the name of the requirement."""
        return ", ".join(dict.fromkeys(one.policy for one in self.reasons if one.requirement == requirement))


def requirements_of(policies: Mapping[str, Policy], spot: Spot, locale: str, today: dt.date) -> Requirements:
    """What one locale of a spot must be on a day; see ``requirements``.

    Raises:
        BadInput: The spot names a policy that is not there.
    """
    require_known(policies, spot.order.policies, f"{spot.folder / 'spot.yaml'}: policies")
    return requirements(policies, spot.order.locales[locale].markets, spot.order.policies, today)


def requirements(
    policies: Mapping[str, Policy], markets: Iterable[str], named: Iterable[str], today: dt.date
) -> Requirements:
    """What a deliverable must be that runs in some markets under some policies.

    The baseline is always among them; a market that no policy knows has nothing else.

    Args:
        policies: Every policy there is, by id.
        markets: Where it runs.
        named: Policies that the spot names: contracts, platforms.
        today: The day it is; see ``policy.policy_day``.

    Raises:
        BadInput: A policy is named that is not there, or there is no baseline.
    """
    markets, named = tuple(markets), tuple(named)
    require_known(policies, (*named, BASELINE), "policies")
    selected = [
        policy
        for policy in policies.values()
        if policy.id in {*named, BASELINE} or any(policy.runs_in(market) for market in markets)
    ]
    later = [policy for policy in selected if not policy.in_force(today)]
    upcoming = tuple(
        Upcoming(policy.id, policy.title, policy.applies_from, tuple(_reasons(policy)))
        for policy in sorted(later, key=lambda policy: (policy.applies_from, policy.id))
    )
    alone = tuple(market for market in markets if all(_is_general(one) or not one.runs_in(market) for one in selected))
    added = add_up(policy for policy in selected if policy.in_force(today))
    return dataclasses.replace(added, upcoming=upcoming, only_baseline=tuple(dict.fromkeys(alone)))


def add_up(policies: Iterable[Policy]) -> Requirements:
    """The strictest of everything that some policies ask for. Their order, and one that comes twice, change nothing."""
    ordered = [policy for _, policy in sorted({policy.id: policy for policy in policies}.items())]
    asked = [policy.requires for policy in ordered]
    reasons = sorted(
        (reason for policy in ordered for reason in _reasons(policy)),
        key=lambda reason: (_place_of(reason.requirement), reason.policy),
    )
    watermark = any(one.watermark for one in asked)
    said = {one.severity[rule].value for one in asked for rule in SOFT_RULES if rule in one.severity}
    # Where two layers of marking are asked for, a mark that is not found is a layer that is not there. Where nobody
    # says that a warning will do, it will not.
    severe: Severity = "warn" if said == {"warn"} and not watermark else "fail"
    return Requirements(
        policies={policy.id: policy.digest for policy in ordered},
        disclosure=_disclosure(ordered),
        tags=frozenset(tag for one in asked for tags in one.tags for tag in tags.value),
        manifest=any(one.manifest for one in asked),
        watermark=watermark,
        consent=_consent(ordered),
        severity=dict.fromkeys(SOFT_RULES, severe),
        instructions=tuple(
            Instruction(policy.id, one.place, one.do, one.why) for policy in ordered for one in policy.requires.people
        ),
        reasons=tuple(reasons),
    )


def require_consent(asked: Requirements, voice: Voice) -> None:
    """Hold a voice's consent record against what the policies ask of it.

    Raises:
        Refused: It is less; the message names record, field, policy, asked and said.
    """
    for requirement, wanted, said in asked.consent.lacking(voice.record):
        who = [one for one in asked.reasons if one.requirement == requirement]
        if requirement == "consent.bases":
            who = [one for one in who if said not in one.asked.split(", ")]
        raise Refused(
            f"consent record {voice.record.id!r} is not what policies ask for "
            f"({', '.join(dict.fromkeys(one.policy for one in who))}): asked {wanted}, the record says {said}.",
            where=f"{voice.consent_path}: {_FIELDS[requirement]}",
            remedy="Ask the voice's owner for such a record, take another voice, or change the spot's markets.",
        )


_FIELDS = {"consent.bases": "evidence.basis", "consent.per_spot": "scope.approval", "consent.stated": "scope"}

ORDER = (
    *(f"disclosure.{name}" for name in ("at_start", "at_end", "wording", "repeat_every_s", "must_hold")),
    "disclosure.characters_per_minute", "tags", "manifest", "watermark",
    *(f"severity.{rule}" for rule in SOFT_RULES),
    *(f"consent.{name}" for name in ("bases", "stated", "per_spot")),
    "people",
)  # fmt: skip
"""Every requirement by its name, in the order in which people read them."""


def _place_of(requirement: str) -> int:
    return ORDER.index(requirement)


def _is_general(policy: Policy) -> bool:
    return policy.by_name or policy.markets == ALL


def _disclosure(policies: list[Policy]) -> DisclosureAsked:
    rules = [policy.requires.disclosure for policy in policies]
    wordings: set[Wording] = {one.wording.value for one in rules if one.wording}
    repeats = [one.repeat_every_s.value for one in rules if one.repeat_every_s]
    groups = [group for one in rules if one.must_hold for group in one.must_hold.value]
    paces = [one.characters_per_minute.value for one in rules if one.characters_per_minute]
    return DisclosureAsked(
        wording="long" if "long" in wordings else "short",
        at_end=any(one.at_end for one in rules),
        repeat_every_s=min(repeats, default=None),
        must_hold=_one_of_each(groups),
        characters_per_minute=(max(low for low, _ in paces), min(high for _, high in paces)) if paces else None,
    )


def _consent(policies: list[Policy]) -> ConsentAsked:
    rules = [policy.requires.consent for policy in policies]
    accepted = [frozenset[str](one.bases.value) for one in rules if one.bases]
    return ConsentAsked(
        bases=ALL_BASES.intersection(*accepted),
        stated=frozenset(field for one in rules if one.stated for field in one.stated.value),
        per_spot=any(one.per_spot for one in rules),
    )


def _reasons(policy: Policy) -> Iterator[Reason]:
    for name, asked in policy.each_asked():
        yield Reason(name, _in_words(name, asked), policy.id, asked.why, asked.known_from)


def _in_words(name: str, asked: Asked) -> str:
    """What is asked, as a person says it."""
    if isinstance(asked, AskedOfPeople):
        return f"{asked.place}: {asked.do}"
    value = getattr(asked, "value", None)
    return _WORDS[name](value) if name in _WORDS else str(value)


def _one_of_each(groups: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups of words in an order that does not hang on who wrote them."""
    return tuple(sorted({tuple(sorted(set(group))) for group in groups}))


def _listed(choices: Any) -> Callable[[Any], str]:
    """How several of some choices are said, always in the order of the choices."""
    return lambda some: ", ".join(one for one in get_args(choices) if one in some)


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "disclosure.at_start": lambda _: AT_START,
    "disclosure.at_end": lambda _: "at the end too",
    "disclosure.repeat_every_s": lambda seconds: f"every {seconds:g} s in anything longer",
    "disclosure.must_hold": lambda groups: ", and ".join(" or ".join(group) for group in _one_of_each(groups)),
    "disclosure.characters_per_minute": lambda pace: f"{pace[0]:g} to {pace[1]:g} characters a minute",
    "manifest": lambda _: "signed, and intact",
    "watermark": lambda _: "in the sound",
    "tags": _listed(Tag),
    "consent.bases": lambda bases: _listed(Basis)(bases) or "none is left",
    "consent.stated": lambda fields: f"{_listed(ScopeField)(fields)}: said, not any",
    "consent.per_spot": lambda _: "approval: per-spot",
}
