"""What is asked of the spoken disclosure: which wording, where, how often, how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wording = Literal["short", "long"]

SLOWEST, FASTEST = 0.5, 2.0
"""Rates that every engine here speaks at; beyond them they refuse, and nobody would take it for speech."""


@dataclass(frozen=True, slots=True)
class DisclosureAsked:
    """What the policies of one locale's markets ask of its spoken disclosure, together. At the start it always is.

    ``repeat_every_s``: in a programme longer than this, it is heard again at least this often. ``must_hold``: groups
    of words; the wording holds at least one of each group. ``characters_per_minute``: how fast it may be read, lowest
    and highest.
    """

    wording: Wording = "short"
    at_end: bool = False
    repeat_every_s: float | None = None
    must_hold: tuple[tuple[str, ...], ...] = ()
    characters_per_minute: tuple[float, float] | None = None


def wording_for(asked: DisclosureAsked, basis: str) -> str:
    """The field of a wording that is said: only a talent consented, so no other voice says that somebody did."""
    return "long_plain" if asked.wording == "long" and basis != "talent" else asked.wording


def characters_per_minute(text: str, lasts_s: float) -> float:
    """How fast a text was read; letters and digits count, spaces and punctuation do not."""
    return sum(character.isalnum() for character in text) / lasts_s * 60 if lasts_s > 0 else 0.0


def within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def rate_for(asked: DisclosureAsked, text: str, natural_s: float) -> float | None:
    """The speaking rate that brings a disclosure into the pace that is asked for; 1.0 where it is there already.

    It aims at the middle of what may be: an engine does not meet a rate exactly. None where no rate that an engine
    speaks at brings it there.
    """
    pace = characters_per_minute(text, natural_s)
    if asked.characters_per_minute is None or not pace or within(pace, asked.characters_per_minute):
        return 1.0
    rate = min(FASTEST, max(SLOWEST, sum(asked.characters_per_minute) / 2 / pace))
    return rate if within(pace * rate, asked.characters_per_minute) else None
