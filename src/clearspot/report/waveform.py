"""A waveform small enough for a page."""

from __future__ import annotations

import numpy as np

from clearspot.media.audio import Samples

COLUMNS = 600


def envelope(programme: Samples, columns: int = COLUMNS) -> tuple[tuple[float, float], ...]:
    """The lowest and the highest sample of equal stretches of a programme, cut to full scale.

    Args:
        programme: Shape (samples,) or (samples, channels); full scale is 1.
        columns: How many stretches, at most; a shorter programme has one a sample.
    """
    if len(programme) == 0:
        return ()
    channels = programme.shape[1] if programme.ndim == 2 else 1
    starts = np.unique(np.linspace(0, len(programme), min(columns, len(programme)), endpoint=False).astype(int))
    flat, edges = programme.ravel(), starts * channels  # one long row: many times as fast as a column each
    low = np.clip(np.nan_to_num(np.minimum.reduceat(flat, edges)), -1, 1)
    high = np.clip(np.nan_to_num(np.maximum.reduceat(flat, edges)), -1, 1)
    return tuple((round(float(lowest), 3), round(float(highest), 3)) for lowest, highest in zip(low, high, strict=True))
