"""Programme loudness (ITU-R BS.1770-4, EBU R128): measure it, and bring a programme to its target."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clearspot.errors import MachineFault, Refused
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, from_f32le, to_f32le
from clearspot.timebase import RATE_HZ

SILENT_LUFS = -70.0
"""The absolute gate of BS.1770: what is below it counts as silence."""

OVERSAMPLE = 4
"""True peak is taken at four times the rate (BS.1770-4, annex 2)."""

STEP_S = 0.1
"""How often loudness is measured over time."""

NUMBER = r"(-?[\d.]+|-?inf|nan)"
"""A loudness, as the filter writes it."""

LOUDNESS_SLACK_LU = 0.1
MAX_ROUNDS = 16


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBTP; and of any three seconds the highest loudness.

    ``short_term_max_lufs`` is NaN, which is within no limit, where it was not measured.
    """

    integrated_lufs: float
    true_peak_dbtp: float
    short_term_max_lufs: float = math.nan


@dataclass(frozen=True, slots=True)
class LoudnessOverTime:
    """Loudness at every ``STEP_S`` (EBU Tech 3341), in LUFS.

    ``momentary`` is over the 0.4 s before, ``short_term`` over the 3 s before; ``SILENT_LUFS`` stands for less.
    """

    integrated_lufs: float
    momentary_lufs: tuple[float, ...]
    short_term_lufs: tuple[float, ...]


def measure(programme: Samples) -> Loudness:
    """The loudness of a stereo programme at 48 kHz, shape (samples, 2)."""
    import ffmpeg as graph

    source = graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=2)
    stream = source.filter("ebur128", peak="true", framelog="info").output("pipe:", f="null")
    return parse(ffmpeg.run(stream, stdin=to_f32le(programme)).report)


def decode_and_measure(path: Path) -> tuple[Samples, Loudness]:
    """A file's programme, shape (samples, 2) at 48 kHz, and its loudness, decoded once."""
    import ffmpeg as graph

    stream = (
        graph.input(f"file:{path}")
        .audio.filter("aresample", RATE_HZ)
        .filter("aformat", channel_layouts="stereo")
        .filter("ebur128", peak="true", framelog="info")
        .output("pipe:", f="f32le", acodec="pcm_f32le", ar=RATE_HZ, ac=2)
    )
    result = ffmpeg.run(stream, about=path)
    return from_f32le(result.output, 2), parse(result.report)


def decode_and_follow(path: Path) -> tuple[Samples, LoudnessOverTime]:
    """A file's programme, shape (samples, 2) at 48 kHz, and its loudness over time, decoded once.

    Raises:
        MachineFault: It cannot be decoded, or this ffmpeg does not measure loudness.
    """
    import ffmpeg as graph

    stream = (
        graph.input(f"file:{path}")
        .audio.filter("aresample", RATE_HZ)
        .filter("aformat", channel_layouts="stereo")
        .filter("ebur128", framelog="info")
        .output("pipe:", f="f32le", acodec="pcm_f32le", ar=RATE_HZ, ac=2)
    )
    result = ffmpeg.run(stream, about=path)
    return from_f32le(result.output, 2), follow(result.report)


def follow(report: str) -> LoudnessOverTime:
    """What ffmpeg's ebur128 filter says every 0.1 s, and of the whole.

    Raises:
        MachineFault: It says nothing of the whole.
    """
    steps = _steps(report)
    whole = re.search(rf"\bI:\s+{NUMBER} LUFS", report[report.rfind("Summary:") :])
    if not whole:
        raise MachineFault(
            "this ffmpeg does not measure loudness (filter ebur128).", remedy="clearspot doctor says more."
        )
    momentary, short_term = zip(*steps, strict=True) if steps else ((), ())
    return LoudnessOverTime(
        _heard(whole[1]), tuple(_heard(value) for value in momentary), tuple(_heard(value) for value in short_term)
    )


def _steps(report: str) -> list[tuple[str, str]]:
    """Momentary and short-term loudness every 0.1 s, as the filter writes them."""
    return re.findall(rf"\bM:\s*{NUMBER}\s+S:\s*{NUMBER}\s+I:", report)


def _heard(value: str) -> float:
    lufs = float(value)
    return lufs if lufs > SILENT_LUFS else SILENT_LUFS


def parse(report: str) -> Loudness:
    """The summary that ffmpeg's ebur128 filter prints at its end, and the loudest of what it says on its way.

    Raises:
        MachineFault: There is none, as with an ffmpeg that lacks the filter.
    """
    summary = report[report.rfind("Summary:") :]
    integrated = re.search(r"\bI:\s+(-?[\d.]+|-inf|nan) LUFS", summary)
    peak = re.search(r"\bPeak:\s+(-?[\d.]+|-inf|nan) dBFS", summary)
    if not integrated or not peak:
        raise MachineFault(
            "this ffmpeg does not measure loudness (filter ebur128).", remedy="clearspot doctor says more."
        )
    loudest = max((_heard(short_term) for _, short_term in _steps(report)), default=math.nan)
    return Loudness(float(integrated[1]), float(peak[1]), loudest)


def bring_to(programme: Samples, target_lufs: float, ceiling_dbtp: float) -> Samples:
    """A stereo programme at its target loudness, its true peak under the ceiling.

    Gain first; a look-ahead limiter on the oversampled signal only where the gain would carry peaks over the
    ceiling. The limiter takes loudness away, so gain and limiter are tried again until both hold.

    Raises:
        Refused: The programme is silent, or cannot be that loud under that ceiling.
    """
    first = measure(programme)
    if not first.integrated_lufs > SILENT_LUFS:
        raise Refused("the programme is silent.", where="loudness")
    gain_db = target_lufs - first.integrated_lufs
    if first.true_peak_dbtp + gain_db <= ceiling_dbtp:
        return _gain(programme, gain_db)
    limit_db = ceiling_dbtp
    for _ in range(MAX_ROUNDS):
        limited = _limit(_gain(programme, gain_db), limit_db)
        got = measure(limited)
        off_lu = target_lufs - got.integrated_lufs
        over_db = got.true_peak_dbtp - ceiling_dbtp
        if abs(off_lu) <= LOUDNESS_SLACK_LU and over_db <= 0:
            return limited
        gain_db += off_lu
        limit_db -= over_db + 0.05 if over_db > 0 else 0.0
    raise Refused(
        f"cannot reach {target_lufs:g} LUFS under {ceiling_dbtp:g} dBTP; it comes to {got.integrated_lufs:.1f} LUFS.",
        where="loudness",
        remedy="Ask for a lower loudness in the delivery profile.",
    )


def _gain(programme: Samples, gain_db: float) -> Samples:
    return np.asarray(programme * np.float32(10 ** (gain_db / 20)), dtype=np.float32)


def _limit(programme: Samples, ceiling_db: float) -> Samples:
    import ffmpeg as graph

    stream = (
        graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=2)
        .filter("aresample", RATE_HZ * OVERSAMPLE)
        .filter("alimiter", limit=10 ** (ceiling_db / 20), attack=2, release=60, level="false", latency="true")
        .filter("aresample", RATE_HZ)
        .output("pipe:", f="f32le", acodec="pcm_f32le", ar=RATE_HZ, ac=2)
    )
    limited = from_f32le(ffmpeg.run(stream, stdin=to_f32le(programme)).output, 2)
    # The two resamplings may end a few samples early or late.
    fitted = np.zeros_like(programme)
    count = min(len(programme), len(limited))
    fitted[:count] = limited[:count]
    return fitted
