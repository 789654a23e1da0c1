"""Clips in their places: what fit makes and everything after it reads."""

from __future__ import annotations

from dataclasses import dataclass

from clearspot.media.audio import Samples
from clearspot.spot import DISCLOSURE_ID
from clearspot.timebase import seconds

AFTER_DISCLOSURE_S = 0.5
"""Quiet between a disclosure and what is spoken before or after it; the bed comes and goes here."""


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
    """Every clip in the order it is heard, the disclosure first; ``length`` in samples at 48 kHz."""

    clips: tuple[Placed, ...]
    length: int

    @property
    def duration_s(self) -> float:
        return seconds(self.length)

    @property
    def disclosures(self) -> tuple[Placed, ...]:
        """The spoken disclosure each time it is heard, the one at the start first."""
        return tuple(clip for clip in self.clips if clip.line_id == DISCLOSURE_ID)

    @property
    def lines(self) -> tuple[Placed, ...]:
        return tuple(clip for clip in self.clips if clip.line_id != DISCLOSURE_ID)
