"""Whose voice is heard in a deliverable: its speech against how the consented voice sounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearspot.config import LikenessKind
from clearspot.engines.protocols import SpeakerEncoder
from clearspot.errors import BadInput
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.spot import DISCLOSURE_ID
from clearspot.timeline import Placed

ENOUGH_S = 2.0
"""A line of less speech than the encoder compares is heard over and over until there is so much of it."""

MOST_TIMES = 4
"""So many times that much at most, for a line that is pauses for the most part."""

SHORT_LESS = 0.20
"""So much less like its voice a short line may be than a longer one (docs/measurements.md)."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a voice sounds: an embedding of the speaker encoder, float32, shape (256,), of length 1."""

    kind: LikenessKind
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Speaker:
    """How like the voice the speech is: cosine similarities, 1 for the same, None where there is too little to tell.

    ``disclosure`` is that of every disclosure together, ``lines`` that of every line, ``least`` the line that is least
    like it, with how like it is; ``short`` the same of lines that say too little by themselves (0: nobody
    is heard).
    """

    kind: LikenessKind
    disclosure: float | None
    lines: float | None
    least: tuple[str, float] | None
    short: tuple[str, float] | None = None


def compare(listening: Samples, clips: Iterable[Placed], encoder: SpeakerEncoder, likeness: Likeness) -> Speaker:
    """Hold the speech in a file against a voice, where the timeline has it.

    Args:
        listening: Mono float32 at 16 kHz, shape (samples,).
        clips: What is said when.
        encoder: Hears who speaks.
        likeness: How the voice sounds.
    """
    parts = {(clip.line_id, clip.start_s): _part(listening, clip) for clip in clips}
    disclosures = [part for (line, _), part in parts.items() if line == DISCLOSURE_ID]
    lines = {line: part for (line, _), part in parts.items() if line != DISCLOSURE_ID}

    def like(sound: Samples) -> float | None:
        try:
            return float(np.dot(encoder.embed(sound), likeness.embedding))
        except (BadInput, ValueError):  # too little speech, or none at all
            return None

    def least(told: Mapping[str, float]) -> tuple[str, float] | None:
        return min(told.items(), key=lambda one: one[1], default=None)

    each = {line: like(part) for line, part in lines.items()}
    long = {line: found for line, found in each.items() if found is not None}
    short = {line: _over_and_over(like, lines[line]) for line, found in each.items() if found is None}
    together = [np.concatenate([*parts]) if parts else _NOTHING for parts in (disclosures, lines.values())]
    return Speaker(likeness.kind, like(together[0]), like(together[1]), least(long), least(short))


_NOTHING: Samples = np.zeros(0, dtype=np.float32)


def _over_and_over(like: Callable[[Samples], float | None], part: Samples) -> float:
    """How like the voice a short line is, said as often as makes enough of it; 0 where nobody is heard in it at all."""
    enough = math.ceil(ENOUGH_S * LISTEN_RATE_HZ / max(1, len(part)))
    tries = (like(np.tile(part, times * enough)) for times in range(1, MOST_TIMES + 1))  # pauses do not count
    return next((found for found in tries if found is not None), 0.0)


def _part(listening: Samples, clip: Placed) -> Samples:
    return listening[round(clip.start_s * LISTEN_RATE_HZ) : round(clip.end_s * LISTEN_RATE_HZ)]
