"""mix: the timeline over the bed to one stereo programme."""

from __future__ import annotations

import numpy as np

from clearspot.media.audio import Samples
from clearspot.timebase import samples
from clearspot.timeline import AFTER_DISCLOSURE_S, Timeline

BED_LEVEL_DB = -30.0
"""Root-mean-square level of the bed where nobody speaks (dBFS); speech is at -20."""

DUCK_DB = -10.0
"""How much lower it is while somebody speaks."""

DUCK_BEFORE_S, DUCK_AFTER_S, RAMP_S = 0.10, 0.25, 0.20
FADE_OUT_S = 1.5
LOOP_CROSSFADE_S = 0.5


def mix(timeline: Timeline, bed: Samples | None) -> Samples:
    """The programme: speech in the middle, the bed under it, nothing under a disclosure.

    Args:
        timeline: Where each clip goes.
        bed: Stereo at 48 kHz, shape (samples, 2), or None.

    Returns:
        float32, shape (timeline.length, 2). Not at its final loudness yet; it may exceed full scale.
    """
    programme = np.zeros((timeline.length, 2), dtype=np.float32)
    for placed in timeline.clips:
        programme[placed.start : placed.end] += placed.samples[:, None]
    if bed is not None and len(bed):
        programme += _bed_under(timeline, bed)
    return programme


def _bed_under(timeline: Timeline, bed: Samples) -> Samples:
    start = timeline.disclosures[0].end
    length = _bed_end(timeline) - start
    under = np.zeros((timeline.length, 2), dtype=np.float32)
    rms = float(np.sqrt((bed.astype(np.float64) ** 2).mean()))
    if rms > 0 and length > 0:
        level = np.float32(10 ** (BED_LEVEL_DB / 20) / rms)
        under[start : start + length] = _as_long_as(bed, length) * level
        under *= _gains(timeline)[:, None]
    return under


def _bed_end(timeline: Timeline) -> int:
    """Where the bed is over: before the disclosure that ends the spot, or with the spot."""
    closing = timeline.clips[-1]
    return closing.start if len(timeline.disclosures) > 1 and closing in timeline.disclosures else timeline.length


def _gains(timeline: Timeline) -> Samples:
    """The bed's gain at every sample: up between lines, down under them, away for a disclosure, out at the end."""
    ramp, aside = samples(RAMP_S), samples(AFTER_DISCLOSURE_S)
    shapes = [
        [(placed.start - aside, 0.0), (placed.start, -80.0), (placed.end, -80.0), (placed.end + aside, 0.0)]
        for placed in timeline.disclosures
    ]
    for placed in timeline.lines:
        down, up = placed.start - samples(DUCK_BEFORE_S), placed.end + samples(DUCK_AFTER_S)
        shapes.append([(down - ramp, 0.0), (down, DUCK_DB), (up, DUCK_DB), (up + ramp, 0.0)])
    where = np.arange(timeline.length)
    # Where two lines are close, their ramps overlap: the lower gain holds.
    gain_db = np.zeros(timeline.length)
    for ramp_points in shapes:
        at, level_db = zip(*ramp_points, strict=True)
        gain_db = np.minimum(gain_db, np.interp(where, at, level_db))
    gains = 10 ** (gain_db / 20)
    end = _bed_end(timeline)
    fade = min(samples(FADE_OUT_S), end)
    gains[end - fade : end] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    for placed in timeline.disclosures:
        gains[placed.start : placed.end] = 0.0  # nothing under it, not even what nobody hears
    return gains.astype(np.float32)


def _as_long_as(bed: Samples, length: int) -> Samples:
    """The bed cut to a length, or repeated with crossfades until it is that long."""
    fade = min(samples(LOOP_CROSSFADE_S), len(bed) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    made = bed
    while len(made) < length:
        joined = made[len(made) - fade :] * (1 - ramp) + bed[:fade] * ramp
        made = np.concatenate([made[: len(made) - fade], joined, bed[fade:]])
    return made[:length]
