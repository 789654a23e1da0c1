"""How loud a clip is in a delivered file, and what else is heard while it is: for the disclosure's clearness.

The clip is known to the sample, so whatever is heard of it in a moment and a band where the clip itself has next to
nothing is something else. What is left where the clip is loud (the watermark, the codec's noise, a limiter's work) lies
under it and nobody hears it there; so does anything that would hide itself so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearspot.media.audio import LISTEN_RATE_HZ, Samples, for_listening
from clearspot.timeline import Placed

WINDOW_S = 0.02
ACTIVE_DB = -30.0
"""A window this much under the loudest of its clip is still speech, as for the clips' own level (``stages.speak``)."""

GUARD_S = 0.12
"""Looked at before and after a clip: there the bed of a disclosure is gone, and nobody speaks (``stages.mix``)."""

LATE_S = 0.025
"""A decoder may give the sound this much early or late: an MP3 encoder's delay, where nobody takes it off."""

FRAME, HOP = 512, 128
"""32 ms every 8 ms: a drum's hit is some frames long."""

BANDS = 22
MASK_DB = 9.0
"""What is this much over the clip in a band, or in those beside it, within 16 ms, is something else: the watermark and
the shipped codecs stay below."""

REACH_BANDS, REACH_FRAMES = 1, 2
HEARD_FRAMES = 4
"""Something else has to last some 50 ms to count with all it has: the mean of so many frames."""

ROOM_DB, LEAST_ROOM = -40.0, 0.1
"""At least this share of bands and moments has to be so quiet in the clip; else nobody can tell what lies under it."""

SILENT_DB = -120.0


@dataclass(frozen=True, slots=True)
class ClipLevel:
    """Of one clip in the delivered file: its speech's root-mean-square level and that of what else is heard (dBFS).

    ``background_db`` is the loudest of it; as loud as the speech where it cannot be told, and louder than anything
    where nobody looked.
    """

    speech_db: float
    background_db: float = math.inf

    @property
    def clear_by_db(self) -> float:
        return self.speech_db - self.background_db


def speech_level_of(listening: Samples, placed: Placed) -> ClipLevel:
    """The level of a clip in its place in a delivered file; what else is heard there is not looked for.

    Args:
        listening: The whole file, mono at 16 kHz, shape (samples,).
        placed: The clip as it was made, and where it is.
    """
    if not np.isfinite(listening).all():
        return ClipLevel(SILENT_DB)
    start, end = (round(at_s * LISTEN_RATE_HZ) for at_s in (placed.start_s, placed.end_s))
    return ClipLevel(_speech_db(listening[start:end]))


def level_of(listening: Samples, placed: Placed) -> ClipLevel:
    """The level of a clip in its place in a delivered file, and of what else is heard there.

    Args:
        listening: See ``speech_level_of``.
        placed: See ``speech_level_of``.
    """
    speech_db = speech_level_of(listening, placed).speech_db
    if speech_db <= SILENT_DB:
        return ClipLevel(speech_db, speech_db)
    clip = for_listening(placed.samples)
    start, guard = round(placed.start_s * LISTEN_RATE_HZ), round(GUARD_S * LISTEN_RATE_HZ)
    heard, alone = _together(listening, np.pad(clip, guard), start - guard)
    mask = _spread(_in_bands(alone)) * 10 ** (MASK_DB / 10)
    if (mask < 10 ** ((speech_db + ROOM_DB) / 10)).mean() < LEAST_ROOM:
        return ClipLevel(speech_db, speech_db)
    else_heard = np.maximum(0, _in_bands(heard) - mask).sum(axis=1)
    loudest = np.convolve(else_heard, np.ones(HEARD_FRAMES) / HEARD_FRAMES, "valid").max(initial=0.0)
    return ClipLevel(speech_db, _db(float(loudest)))


def _speech_db(part: Samples) -> float:
    """The level of what is speech in it, pauses not counted."""
    window = round(WINDOW_S * LISTEN_RATE_HZ)
    power = (part[: len(part) // window * window].reshape(-1, window).astype(np.float64) ** 2).mean(axis=1)
    active = power[power > power.max(initial=0.0) * 10 ** (ACTIVE_DB / 10)]
    return _db(float(active.mean())) if active.size else SILENT_DB


def _together(listening: Samples, clip: Samples, start: int) -> tuple[Samples, Samples]:
    """What is heard from ``start`` on, as long as the clip and laid exactly over it; and the clip at its loudness.

    By the delay at which both correlate best, and the gain that leaves least (least squares).
    """
    from scipy.signal import correlate

    late = round(LATE_S * LISTEN_RATE_HZ)
    first = max(0, start - late)
    around = np.zeros(len(clip) + 2 * late, dtype=np.float32)
    there = listening[first : max(first, start + len(clip) + late)]
    around[first - (start - late) :][: len(there)] = there
    fits = correlate(around, clip, mode="valid")
    delay = int(np.argmax(fits))
    gain = max(0.0, float(fits[delay])) / max(1e-12, float((clip.astype(np.float64) ** 2).sum()))
    return around[delay : delay + len(clip)], clip * np.float32(gain)


def _in_bands(sound: Samples) -> NDArray[np.float64]:
    """Mean-square power in time and bands, shape (frames, bands); a frame's bands add up to its power."""
    window = np.hanning(FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 * (2 / (FRAME * (window**2).sum()))
    # Narrow at the bottom, where speech has its harmonics, and wider and wider ones above.
    edges = np.unique(np.round([0, 3, *np.geomspace(5, FRAME // 2 + 1, BANDS)]).astype(int))
    return np.add.reduceat(power, edges[:-1], axis=1)


def _spread(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The loudest of each band's neighbours in time and frequency: what masks it."""
    from scipy.ndimage import maximum_filter

    spread: NDArray[np.float64] = maximum_filter(power, size=(2 * REACH_FRAMES + 1, 2 * REACH_BANDS + 1))
    return spread


def _db(power: float) -> float:
    return max(SILENT_DB, 10 * float(np.log10(max(power, 1e-12))))
