"""What is asked of the spoken disclosure: which wording, where, how often, how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wording = Literal["short", "long"]


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
