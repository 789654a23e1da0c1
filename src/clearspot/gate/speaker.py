"""Whose voice is heard in a deliverable: its speech against how the consented voice sounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearspot.config import LikenessKind
from clearspot.engines.protocols import SpeakerEncoder
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.spot import DISCLOSURE_ID
from clearspot.timeline import Placed

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

    ``disclosure`` is that of the disclosure, or of the least like it where it is said several times; ``lines`` that of
    all lines together, each for as long as it is; ``least`` the line that is least like the voice, with how like it is;
    ``short`` the same of lines that say too little by themselves and were heard over and over (0: nobody is heard).
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
    clips = tuple(clips)
    speeches = [_part(listening, clip) for clip in clips]
    pieces = [_Piece(len(speech), who) for speech, who in zip(speeches, encoder.embed_each(speeches), strict=True)]
    disclosures = [piece for clip, piece in zip(clips, pieces, strict=True) if clip.line_id == DISCLOSURE_ID]
    lines = {clip.line_id: piece for clip, piece in zip(clips, pieces, strict=True) if clip.line_id != DISCLOSURE_ID}
    enough = encoder.enough_s * LISTEN_RATE_HZ

    def together(pieces: Iterable[_Piece]) -> float | None:
        heard = [piece for piece in pieces if len(piece.who)]
        if sum(piece.length for piece in heard) < enough:
            return None
        whole = np.sum([piece.length * piece.who.mean(axis=0) for piece in heard], axis=0)
        return like(whole, likeness)

    def least(pieces: Mapping[str, _Piece]) -> tuple[str, float] | None:
        found = {line: like(piece.who.sum(axis=0), likeness) for line, piece in pieces.items()}
        return min(found.items(), key=itemgetter(1), default=None)

    each = [together([piece]) for piece in disclosures]
    return Speaker(
        likeness.kind,
        None if None in each else min((one for one in each if one is not None), default=None),
        together(lines.values()),
        least({line: piece for line, piece in lines.items() if piece.length >= enough}),
        least({line: piece for line, piece in lines.items() if piece.length < enough}),
    )


class _Piece(NamedTuple):
    """A clip in a file: how many samples it is, and who is heard in each stretch of it, shape (stretches, 256)."""

    length: int
    who: NDArray[np.float32]


def _part(listening: Samples, clip: Placed) -> Samples:
    return listening[round(clip.start_s * LISTEN_RATE_HZ) : round(clip.end_s * LISTEN_RATE_HZ)]


def like(who: NDArray[np.float32], likeness: Likeness) -> float:
    """How like a voice a speaker is: their cosine similarity; 0 where nobody is heard.

    Args:
        who: The speaker, float32, shape (256,), of any length.
        likeness: How the voice sounds.
    """
    length = float(np.linalg.norm(who))
    return float(np.dot(who, likeness.embedding)) / length if length > 0 else 0.0
