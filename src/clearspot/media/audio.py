"""Audio files into arrays and back, and what can be read off a file without decoding it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearspot.errors import BadInput
from clearspot.media import ffmpeg
from clearspot.timebase import RATE_HZ

Samples = NDArray[np.float32]
"""float32, shape (samples,) for speech or (samples, channels) for a programme; full scale is 1.0."""

LISTEN_RATE_HZ = 16_000
"""The rate that recognisers take."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file says of its first audio stream."""

    codec: str
    rate_hz: int
    channels: int
    duration_s: float


def probe(path: Path) -> AudioFacts:
    """What a file says of its first audio stream, without decoding it.

    Raises:
        BadInput: It is not audio, or holds no audio stream.
    """
    with _opened(path) as (container, stream):
        if stream.duration is not None and stream.time_base:
            duration_s = float(stream.duration * stream.time_base)
        else:
            duration_s = (container.duration or 0) / 1_000_000  # libav counts in microseconds
        return AudioFacts(stream.codec_context.name, stream.rate, stream.channels, duration_s)


def decode(path: Path, *, channels: int, rate_hz: int = RATE_HZ) -> Samples:
    """A file's first audio stream as float32 samples, resampled and mixed to ``channels`` (1 or 2).

    Returns:
        Shape (samples,) for one channel, (samples, 2) for two.

    Raises:
        BadInput: It is not audio, or holds none.
    """
    import ffmpeg as graph

    probe(path)
    stream = graph.input(f"file:{path}").output(
        "pipe:", f="f32le", acodec="pcm_f32le", ac=channels, ar=rate_hz, map="0:a:0"
    )
    try:
        raw = ffmpeg.run(stream, about=path).output
    except ffmpeg.FfmpegFailed as error:
        raise BadInput(f"cannot be decoded: {error.what}", where=str(path)) from error
    return from_f32le(raw, channels)


def from_f32le(raw: bytes, channels: int) -> Samples:
    """Interleaved little-endian float32 bytes as samples."""
    flat = np.frombuffer(raw, dtype="<f4").astype(np.float32)
    return flat if channels == 1 else flat.reshape(-1, channels)


def to_f32le(samples: Samples) -> bytes:
    """Samples as interleaved little-endian float32 bytes."""
    return np.ascontiguousarray(samples, dtype="<f4").tobytes()


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Band-limited rational resampling along the first axis; the same array where the rates are equal."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    divisor = int(np.gcd(from_hz, to_hz))
    return np.asarray(resample_poly(samples, to_hz // divisor, from_hz // divisor, axis=0), dtype=np.float32)


def for_listening(programme: Samples, rate_hz: int = RATE_HZ) -> Samples:
    """A programme as a recogniser takes it: mono at 16 kHz."""
    mono = programme if programme.ndim == 1 else programme.mean(axis=1)
    return resample(mono.astype(np.float32), rate_hz, LISTEN_RATE_HZ)


def essence_sha256(path: Path) -> str:
    """The sha256 of the encoded audio alone: codec setup and packets, without tags and manifest.

    Raises:
        BadInput: It is not audio.
    """
    digest = hashlib.sha256()
    with _opened(path) as (container, stream):
        context = stream.codec_context
        digest.update(f"{context.name} {stream.rate} {stream.channels} ".encode())
        digest.update(context.extradata or b"")
        for packet in container.demux(stream):
            digest.update(memoryview(packet))
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """A file's container and first audio stream; whatever libav cannot read is bad input."""
    import av

    try:
        # The prefix keeps libav from taking a name such as concat:x for a protocol.
        with av.open(f"file:{path}") as container:
            if not container.streams.audio:
                raise BadInput("holds no audio.", where=str(path), remedy="Give an audio file.")
            yield container, container.streams.audio[0]
    except (av.FFmpegError, OSError, ValueError, AttributeError) as error:  # AttributeError: an unknown codec
        raise BadInput(
            f"is not audio that can be read ({_reason(error)}).",
            where=str(path),
            remedy="Give WAV, FLAC, MP3, M4A, OGG or Opus.",
        ) from error


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
