"""The spectrum of sound frame by frame, and the sound of a changed part of it: what a watermark is put into.

Frames and bins are those of a short-time Fourier transform of 2,048 samples every 320 at 32 kHz, Hann window, frames
centred on their times. At any rate of which 64 ms and 10 ms are whole samples, a transform of 64 ms every 10 ms has
the same frames and the same bins, so nothing need be resampled.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearspot.media.audio import Samples

REFERENCE_RATE_HZ = 32_000
BINS = 1025
"""Bins 15.625 Hz apart, up to 16 kHz."""

BLOCK_FRAMES = 250
"""How much is transformed at once: more is slower, as it leaves the processor's cache."""

Spectrum = NDArray[np.complex64]
"""complex64, shape (frames, bins)."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How the samples of one rate become frames."""

    rate_hz: int

    @staticmethod
    def fits(rate_hz: int) -> bool:
        """Whether this rate has all bins, and whole samples in 64 and in 10 ms."""
        return rate_hz >= REFERENCE_RATE_HZ and rate_hz % 500 == 0

    @property
    def hop(self) -> int:
        """Samples from one frame to the next: 10 ms."""
        return self.rate_hz // 100

    @property
    def window(self) -> int:
        """Samples in a frame: 64 ms."""
        return self.rate_hz * 8 // 125

    @property
    def steps(self) -> int:
        """How many frames a sample can lie in."""
        return -(-self.window // self.hop)

    @property
    def scale(self) -> np.float32:
        """Brings magnitudes, which are sums over samples, to those of the reference rate."""
        return np.float32(REFERENCE_RATE_HZ / self.rate_hz)


@dataclass(frozen=True, slots=True)
class Frames:
    """What ``analyse`` gives: the lowest bins, and of each frame the mean level of all bins."""

    low: Spectrum
    levels: NDArray[np.float32]


def levels_of(spectrum: Spectrum, framing: Framing) -> NDArray[np.float32]:
    """Magnitudes as Perth has them: 0 is -180 dB or less, 1 is 15 dB. Shape (frames, bins)."""
    magnitudes = np.maximum(np.abs(spectrum) * framing.scale, np.float32(1e-9))
    return np.asarray((np.float32(20) * np.log10(magnitudes) + np.float32(180)) / np.float32(195))


def analyse(mono: Samples, framing: Framing, low_bins: int) -> Frames:
    """The frames of mono samples, shape (samples,): one every 10 ms, the first and the last cut by the ends.

    Both ends are mirrored, or, where there is less than half a frame, padded with silence.
    """
    from scipy.fft import rfft

    half = framing.window // 2
    padded = np.pad(mono, half, mode="reflect" if len(mono) > half else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, framing.window)[:: framing.hop]
    low = np.empty((len(frames), low_bins), dtype=np.complex64)
    levels = np.empty(len(frames), dtype=np.float32)
    for first in range(0, len(frames), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        spectrum = rfft(frames[block] * _hann(framing.window), axis=1)[:, :BINS]
        low[block] = spectrum[:, :low_bins]
        levels[block] = levels_of(spectrum, framing).mean(axis=1)
    return Frames(low, levels)


def synthesise(low: Spectrum, length: int, framing: Framing) -> Samples:
    """The sound of frames that have nothing above their lowest bins, as long as what ``analyse`` was given.

    Frames are windowed again, added where they overlap, and divided by the sum of their squared windows (Griffin and
    Lim, 1984). Where the original cuts what the last hop does not fill, the last frame holds on.

    Returns:
        float32, shape (length,).
    """
    from scipy.fft import irfft

    hop, steps, count = framing.hop, framing.steps, len(low)
    rows = np.zeros((count + steps, hop), dtype=np.float32)
    for first in range(0, count, BLOCK_FRAMES):
        waves = irfft(low[first : first + BLOCK_FRAMES], n=framing.window, axis=1) * _hann(framing.window)
        waves = np.pad(waves, ((0, 0), (0, steps * hop - framing.window)))
        for step in range(steps):
            rows[first + step : first + step + len(waves)] += waves[:, step * hop : (step + 1) * hop]
    windows = np.pad(_hann(framing.window) ** 2, (0, steps * hop - framing.window)).reshape(steps, hop)
    for row in range(len(rows)):
        rows[row] /= np.maximum(windows[max(0, row - count + 1) : row + 1].sum(axis=0), np.float32(1e-9))
    return rows.ravel()[framing.window // 2 :][:length]


@functools.cache
def _hann(size: int) -> Samples:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
