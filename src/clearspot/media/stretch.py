"""Faster speech at the same pitch."""

from __future__ import annotations

from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, from_f32le, to_f32le
from clearspot.timebase import RATE_HZ


def faster(speech: Samples, factor: float) -> Samples:
    """Mono speech at 48 kHz, shape (samples,), ``factor`` times as fast, its pitch kept (rubberband)."""
    import ffmpeg as graph

    stream = (
        graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=1)
        .filter("rubberband", tempo=factor, pitchq="quality")
        .output("pipe:", f="f32le", acodec="pcm_f32le", ar=RATE_HZ, ac=1)
    )
    stretched = from_f32le(ffmpeg.run(stream, stdin=to_f32le(speech)).output, 1)
    return stretched
