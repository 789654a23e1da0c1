"""What is required of each locale of a spot, by which policy, and why: for people and for machines."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clearspot.gate.policy import ALL, ALWAYS, Policy
from clearspot.gate.requirements import Reason, Requirements, requirements_of
from clearspot.spot import Spot

NOTICE = "Clearspot helps with compliance and is not legal advice."

LABELS = {
    "disclosure.at_start": "spoken disclosure",
    "disclosure.at_end": "disclosure, once more",
    "disclosure.wording": "disclosure's wording",
    "disclosure.repeat_every_s": "disclosure, repeated",
    "disclosure.must_hold": "disclosure holds",
    "disclosure.characters_per_minute": "disclosure's pace",
    "tags": "metadata",
    "manifest": "manifest",
    "watermark": "watermark",
    "severity.watermark-detected": "watermark not found",
    "consent.bases": "consent accepted",
    "consent.stated": "consent's scope",
    "consent.per_spot": "consent for each spot",
    "people": "done by people",
}
TOGETHER = "together"
BY_EACH = {"people"}
"""What does not add up to anything: each asks for its own."""


@dataclass(frozen=True, slots=True)
class LocaleRules:
    """One locale, its markets, and what they require on a day; ``notes`` are what policies say of their first day."""

    locale: str
    markets: tuple[str, ...]
    required: Requirements
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a requirement, what is asked, by which policy, and why.

    ``by`` says ``together`` on the line that gives the strictest of what several ask differently.
    """

    label: str
    asked: str
    by: str
    why: str = ""
    known_from: str = ""


def explain(
    policies: Mapping[str, Policy], spot: Spot, locales: Iterable[str], today: dt.date
) -> tuple[LocaleRules, ...]:
    """What the locales of a spot must be on a day.

    Raises:
        BadInput: The spot names a policy that is not there.
    """
    return tuple(_explain_one(policies, spot, locale, today) for locale in locales)


def rows(required: Requirements) -> tuple[Row, ...]:
    """Every requirement with everyone who asks for it; after those in force, the upcoming ones with their day."""
    told: list[Row] = []
    for name, group in itertools.groupby(required.reasons, lambda reason: reason.requirement):
        reasons = list(group)
        if name not in BY_EACH and {reason.asked for reason in reasons} != {required.in_words(name)}:
            told.append(Row(LABELS[name], required.in_words(name), TOGETHER))
        told += [_row(reason, reason.policy) for reason in reasons]
    for coming in required.upcoming:
        by = f"{coming.policy}, UPCOMING: from {coming.applies_from}"
        told += [_row(reason, by) for reason in coming.reasons]
    return tuple(told)


def as_json(one: LocaleRules) -> dict[str, Any]:
    """One locale's rules for machines."""
    required = one.required
    return {
        "markets": list(one.markets),
        "only_baseline": list(required.only_baseline),
        **required.as_json(),
        "notes": dict(one.notes),
        "upcoming": [dataclasses.asdict(coming) for coming in required.upcoming],
    }


def state_of(policy: Policy, today: dt.date) -> str:
    """Whether a policy is in force, and what selects it, in a few words."""
    when = "in force" if policy.in_force(today) else f"UPCOMING, from {policy.applies_from}"
    if policy.in_force(today) and policy.applies_from != ALWAYS:
        when += f" since {policy.applies_from}"
    return f"{when}, where a spot names it" if policy.by_name else when


def markets_of(policy: Policy) -> str:
    """What selects a policy, short enough for a table."""
    if policy.by_name:
        return "by name"
    if policy.markets == ALL:
        return "all"
    listed = list(policy.markets)
    return ", ".join(listed if len(listed) <= 4 else [*listed[:3], f"and {len(listed) - 3} more"])


def _explain_one(policies: Mapping[str, Policy], spot: Spot, locale: str, today: dt.date) -> LocaleRules:
    required = requirements_of(policies, spot, locale, today)
    selected = (*required.policies, *(coming.policy for coming in required.upcoming))
    notes = {name: note for name in selected if (note := policies[name].applies_note)}
    return LocaleRules(locale, spot.order.locales[locale].markets, required, notes)


def _row(reason: Reason, by: str) -> Row:
    return Row(LABELS[reason.requirement], reason.asked, by, reason.why, reason.known_from)
