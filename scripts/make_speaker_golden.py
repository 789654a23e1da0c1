"""What the original speaker encoder makes of sounds that anybody can make again, for `tests/engines/test_speaker.py`.

    python scripts/make_speaker_golden.py tests/data/speaker_golden.json

Runs where Resemblyzer does (torch, librosa, webrtcvad, setuptools<81), which is nowhere near Clearspot; the test
imports only the formulas.
"""

from __future__ import annotations

import json
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
DURATION_S = 4.3
FRAMES = (0, 1, 150, 300, 429)
"""The frames of the mel spectrogram that are kept."""

LENGTHS = (25_600, 25_759, 37_919, 37_920, 44_799, 44_800, 68_800, 100_001)
"""Lengths in samples of which the windows' places are kept, some a sample apart."""

VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""Three formants each: Peterson and Barney (1952), men."""


def sound() -> NDArray[np.float32]:
    """Five sung vowels with breath, quieter than -30 dBFS: harmonics of a gliding tone, weighted by formants.

    Returns:
        float32 at 16 kHz, shape (68800,).
    """
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.6 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    vowel = np.minimum(len(VOWELS_HZ) - 1, (time_s / DURATION_S * len(VOWELS_HZ)).astype(int))
    formants_hz = np.array(VOWELS_HZ, dtype=float)[vowel]
    voice = np.zeros_like(time_s)
    for harmonic in range(1, 33):
        away = (harmonic * pitch_hz[:, None] - formants_hz) / 120
        voice += (1 / (1 + away**2)).sum(axis=1) / harmonic**0.5 * np.sin(harmonic * phase)
    breath = np.random.RandomState(7).standard_normal(len(time_s))  # whose numbers NumPy promises never to change
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 2.5 * time_s)
    return (0.003 * loudness * (voice + 0.05 * breath)).astype(np.float32)


def windows() -> NDArray[np.float32]:
    """Two windows of random mel spectrograms, float32, shape (2, 160, 40)."""
    return (np.random.RandomState(8).random_sample((2, 160, 40)) ** 4).astype(np.float32)


def _original() -> Any:
    import scipy.ndimage

    # Resemblyzer 0.1.4 imports from a module that SciPy 2 no longer has.
    moved = types.ModuleType("scipy.ndimage.morphology")
    moved.binary_dilation = scipy.ndimage.binary_dilation  # type: ignore[attr-defined]
    sys.modules["scipy.ndimage.morphology"] = moved
    import resemblyzer

    return resemblyzer


def main() -> None:
    resemblyzer = _original()
    import torch

    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    speech = resemblyzer.audio.normalize_volume(sound(), -30, increase_only=True)
    with torch.no_grad():
        of_windows = encoder(torch.from_numpy(windows())).numpy()
    golden = {
        "made_with": {name: version(name) for name in ("resemblyzer", "torch", "librosa", "numpy")},
        "rms": float(np.sqrt(np.mean(np.square(speech, dtype=np.float64)))),
        "mels": {str(frame): resemblyzer.audio.wav_to_mel_spectrogram(speech)[frame] for frame in FRAMES},
        "embedding": encoder.embed_utterance(speech),
        "of_windows": of_windows,
        "starts": {
            str(length): [int(mel.start) for mel in encoder.compute_partial_slices(length, 1.3, 0.75)[1]]
            for length in LENGTHS
        },
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=_rounded)}" for key, value in golden.items()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rounded(array: NDArray[np.float32]) -> list[float]:
    return [float(f"{number:.8g}") for number in array.ravel()]


if __name__ == "__main__":
    main()
