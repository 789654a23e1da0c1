"""Clips in their places: what fit makes and everything after it reads."""

from __future__ import annotations

from dataclasses import dataclass

from clearspot.media.audio import Samples
from clearspot.timebase import seconds

AFTER_DISCLOSURE_S = 0.5
"""Quiet between the disclosure and what comes next; the bed comes in here."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip in its place: ``start`` in samples at 48 kHz, ``rate`` against its natural length."""

    line_id: str
    text: str
    start: int
    samples: Samples
    rate: float

    @property
    def end(self) -> int:
        return self.start + len(self.samples)

    @property
    def start_s(self) -> float:
        return seconds(self.start)

    @property
    def end_s(self) -> float:
        return seconds(self.end)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The disclosure first, then every line; ``length`` in samples at 48 kHz."""

    disclosure: Placed
    lines: tuple[Placed, ...]
    length: int

    @property
    def duration_s(self) -> float:
        return seconds(self.length)

    @property
    def clips(self) -> tuple[Placed, ...]:
        return (self.disclosure, *self.lines)
