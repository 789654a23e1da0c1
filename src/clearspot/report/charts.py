"""Where things stand in a deliverable's two charts; times in per cent of its length, so that no text is stretched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clearspot.media.loudness import SILENT_LUFS, STEP_S
from clearspot.report.data import Clip, Deliverable, Limits, Sound

CURVE_POINTS = 800
"""More than a chart is wide in pixels."""

LOUDNESS_ABOVE_LU, LOUDNESS_BELOW_LU = 10.0, 26.0
"""How far over and under its target the loudness chart reaches."""

TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120)
MAX_TICKS = 8
GRID_LU = 6
MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on an axis in per cent of its length, and what stands there."""

    at: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Region:
    """A clip on the time axis: left edge and width in per cent, and the number by which the table names it."""

    clip: Clip
    number: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class LoudnessChart:
    """Two curves as SVG paths in a box of 100 by 100, and marks on the loudness axis (0 at the top)."""

    momentary: str
    short_term: str
    grid: tuple[Mark, ...]
    band_top: float
    band_height: float
    integrated: float
    short_term_max: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Loudness at one time, for those who read numbers rather than curves (seconds, LUFS)."""

    at_s: float
    momentary_lufs: float
    short_term_lufs: float


def regions(deliverable: Deliverable) -> tuple[Region, ...]:
    """Every clip in its place; what lies outside the file is cut off at its edges."""
    length_s = _length_s(deliverable)
    made, lines = [], 0
    for clip in deliverable.clips:
        lines += 0 if clip.disclosure else 1
        left, right = _share(clip.start_s, length_s), _share(clip.end_s, length_s)
        made.append(Region(clip, "D" if clip.disclosure else str(lines), left, max(0.0, round(right - left, 2))))
    return tuple(made)


def time_axis(deliverable: Deliverable) -> tuple[Mark, ...]:
    """Times at even steps, at most eight of them."""
    length_s = _length_s(deliverable)
    step_s = next((step for step in TICKS_S if length_s / step <= MAX_TICKS), math.ceil(length_s / MAX_TICKS))
    marks = [
        Mark(_share(time_s, length_s), clock(time_s), "start" if time_s == 0 else "middle")
        for time_s in range(0, int(length_s) + 1, step_s)
    ]
    # A label in the middle of the right edge would be cut off.
    return tuple(Mark(mark.at, mark.label, "end") if mark.at > 96 else mark for mark in marks)


def waveform(sound: Sound) -> str:
    """The waveform's outline as an SVG path in a box as wide as it has peaks, from -100 to 100."""
    if not sound.peaks:
        return ""
    upper = [f"{x},{round(-100 * high, 1):g}" for x, (_, high) in enumerate(sound.peaks)]
    lower = [f"{x},{round(-100 * low, 1):g}" for x, (low, _) in enumerate(sound.peaks)]
    return f"M{' '.join([*upper, *reversed(lower)])}Z"


def loudness(sound: Sound, limits: Limits | None) -> LoudnessChart:
    """Loudness over time against its limits."""
    curve = sound.loudness
    target = limits.loudness_lufs if limits else curve.integrated_lufs
    top, bottom = target + LOUDNESS_ABOVE_LU, target - LOUDNESS_BELOW_LU

    def height(lufs: float) -> float:
        return round(min(100.0, max(0.0, (top - lufs) / (top - bottom) * 100)), 2)

    def path(values: Sequence[float]) -> str:
        points = _thinned(values)
        step = 100 / max(1, len(points))
        # Until a window is full for the first time there is nothing to draw.
        begun = next((x for x, value in enumerate(points) if value > SILENT_LUFS), len(points))
        drawn = [f"{round((x + 1) * step, 2):g},{height(points[x]):g}" for x in range(begun, len(points))]
        return f"M{' '.join(drawn)}" if drawn else ""

    tolerance = limits.tolerance_lu if limits else 0.0
    first = math.ceil(bottom / GRID_LU) * GRID_LU
    lines = [lufs for lufs in range(first, math.floor(top), GRID_LU) if lufs > bottom + 1]
    ceiling = limits.short_term_max_lufs if limits else None
    return LoudnessChart(
        momentary=path(curve.momentary_lufs),
        short_term=path(curve.short_term_lufs),
        grid=tuple(Mark(height(lufs), f"{lufs}".replace("-", MINUS)) for lufs in lines),
        band_top=height(target + tolerance),
        band_height=round(height(target - tolerance) - height(target + tolerance), 2) if limits else 0.0,
        integrated=height(curve.integrated_lufs),
        short_term_max=None if ceiling is None else height(ceiling),
    )


def readings(sound: Sound) -> tuple[Reading, ...]:
    """Loudness in numbers: at most some twenty times, the loudest of each stretch."""
    curve = sound.loudness
    pairs = list(zip(curve.momentary_lufs, curve.short_term_lufs, strict=True))
    step_s = next((step for step in TICKS_S if len(pairs) * STEP_S / step <= 20), TICKS_S[-1])
    size = round(step_s / STEP_S)
    stretches = [(start, pairs[start : start + size]) for start in range(0, len(pairs), size)]
    return tuple(
        Reading(start * STEP_S, max(each[0] for each in part), max(each[1] for each in part))
        for start, part in stretches
    )


def loudest(sound: Sound) -> tuple[float, float]:
    """The loudest momentary and the loudest short-term loudness, LUFS."""
    curve = sound.loudness
    return max(curve.momentary_lufs, default=SILENT_LUFS), max(curve.short_term_lufs, default=SILENT_LUFS)


def clock(time_s: float) -> str:
    """A time as people read it: ``0:07``."""
    minutes, rest = divmod(int(max(0.0, time_s)), 60)
    return f"{minutes}:{rest:02}"


def _length_s(deliverable: Deliverable) -> float:
    if deliverable.sound:
        return max(deliverable.sound.duration_s, 0.001)
    return max((clip.end_s for clip in deliverable.clips), default=0.001)


def _share(time_s: float, length_s: float) -> float:
    return round(min(100.0, max(0.0, time_s / length_s * 100)), 2)


def _thinned(values: Sequence[float]) -> list[float]:
    """At most ``CURVE_POINTS`` values, the highest of each stretch."""
    size = max(1, math.ceil(len(values) / CURVE_POINTS))
    return [max(values[start : start + size]) for start in range(0, len(values), size)]
