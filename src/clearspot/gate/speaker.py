"""Whose voice is heard in a deliverable: its speech against how the consented voice sounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearspot.config import LikenessKind
from clearspot.engines.protocols import SpeakerEncoder
from clearspot.errors import BadInput
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.spot import DISCLOSURE_ID
from clearspot.timeline import Placed


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a voice sounds: an embedding of the speaker encoder, float32, shape (256,), of length 1."""

    kind: LikenessKind
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Speaker:
    """How like the voice the speech is: cosine similarities, 1 for the same, None where there is too little to tell.

    ``disclosure`` is that of every disclosure together, ``lines`` that of every line, ``least`` the line that is least
    like it, with how like it is.
    """

    kind: LikenessKind
    disclosure: float | None
    lines: float | None
    least: tuple[str, float] | None


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

    def like(sounds: Iterable[Samples]) -> float | None:
        try:
            return float(np.dot(encoder.embed(np.concatenate([*sounds])), likeness.embedding))
        except (BadInput, ValueError):  # too little speech, or none at all
            return None

    each = [(line, found) for line, part in lines.items() if (found := like([part])) is not None]
    least = min(each, key=lambda one: one[1], default=None)
    return Speaker(likeness.kind, like(disclosures), like(lines.values()), least)


def _part(listening: Samples, clip: Placed) -> Samples:
    return listening[round(clip.start_s * LISTEN_RATE_HZ) : round(clip.end_s * LISTEN_RATE_HZ)]
