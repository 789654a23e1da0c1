"""How loud speech is in a delivered file, and what lies under it: for the disclosure's clearness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clearspot.media.audio import LISTEN_RATE_HZ, Samples

WINDOW_S = 0.02
ACTIVE_DB = -30.0
"""A window this much under the loudest of its clip is still speech, as for the clips' own level (``stages.speak``)."""

QUIETEST = 0.1
"""Speech pauses between words and closes the lips: at least this share of its windows is the background alone."""

SILENT_DB = -120.0


@dataclass(frozen=True, slots=True)
class ClipLevel:
    """Of one clip in the delivered file: its speech's root-mean-square level and its background's (dBFS)."""

    speech_db: float
    background_db: float

    @property
    def clear_by_db(self) -> float:
        return self.speech_db - self.background_db


def level_of(listening: Samples, start_s: float, end_s: float) -> ClipLevel:
    """The level of what is heard between two times of a file.

    Args:
        listening: The whole file, mono at 16 kHz, shape (samples,).
        start_s: Where the clip begins.
        end_s: Where it ends.
    """
    window = round(WINDOW_S * LISTEN_RATE_HZ)
    part = listening[max(0, round(start_s * LISTEN_RATE_HZ)) : max(0, round(end_s * LISTEN_RATE_HZ))]
    part = part[: len(part) // window * window]
    if not len(part):
        return ClipLevel(SILENT_DB, SILENT_DB)
    power = np.sort((part.reshape(-1, window).astype(np.float64) ** 2).mean(axis=1))
    active = power[power > power[-1] * 10 ** (ACTIVE_DB / 10)]
    quiet = power[: max(1, round(len(power) * QUIETEST))]
    return ClipLevel(_db(active.mean() if active.size else 0.0), _db(float(quiet.mean())))


def _db(power: float) -> float:
    return max(SILENT_DB, 10 * float(np.log10(max(power, 1e-12))))
