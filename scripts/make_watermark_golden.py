"""What the original Perth makes of a sound that anybody can make again, for `tests/engines/test_watermark.py`.

    python scripts/make_watermark_golden.py tests/data/watermark_golden.json

Runs where resemble-perth does (torch, torchaudio, librosa, setuptools<81), which is nowhere near Clearspot; the tests
import only the formulas.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 32_000
DURATION_S, SILENCE_S = 4.0, (2.5, 2.8)
FRAMES = (0, 1, 120, 251, 252, 300, 400)
"""The frames that are kept; in two of them the sound goes into digital silence."""

SAMPLE_STEP = 479
"""Every such sample of the mark is kept."""

BRANCH_STEP = 97
SHARES = (0.0, 0.25, 0.5, 1.0)
"""How much of the mark there is in what the decoder is asked about."""

VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""Three formants each: Peterson and Barney (1952), men."""


def sound() -> NDArray[np.float32]:
    """Five sung vowels with breath and a pause of digital silence: harmonics of a gliding tone, weighted by formants.

    Returns:
        float32 at 32 kHz, shape (128000,): a whole number of hops, so that the original returns all of it.
    """
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.6 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    vowel = np.minimum(len(VOWELS_HZ) - 1, (time_s / DURATION_S * len(VOWELS_HZ)).astype(int))
    formants_hz = np.array(VOWELS_HZ, dtype=float)[vowel]
    voice = np.zeros_like(time_s)
    for harmonic in range(1, 65):
        away = (harmonic * pitch_hz[:, None] - formants_hz) / 120
        voice += (1 / (1 + away**2)).sum(axis=1) / harmonic**0.5 * np.sin(harmonic * phase)
    breath = np.random.RandomState(7).standard_normal(len(time_s))  # whose numbers NumPy promises never to change
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 2.5 * time_s)
    made = 0.1 * loudness * (voice + 0.05 * breath)
    made[round(SILENCE_S[0] * RATE_HZ) : round(SILENCE_S[1] * RATE_HZ)] = 0
    return made.astype(np.float32)


def answers(watermarker: Any) -> dict[str, Any]:
    """What the original says at each step; the same function asks the installed one in `tests/extras`."""
    import torch

    net, given = watermarker.perth_net, sound()
    with torch.no_grad():
        levels, _ = net.ap.signal_to_magphase(given)
        bands = levels[None, : net.subband]
        difference = watermarker.apply_watermark(given, RATE_HZ) - given
        return {
            "levels": {frame: bands[0, :, frame].numpy() for frame in FRAMES},
            "residual": {frame: net.encoder.layers(bands)[0, :, frame].numpy() for frame in FRAMES},
            "silent": np.flatnonzero(net.encoder(levels[None])[1][0, 0].numpy() == 0),
            "difference": difference[::SAMPLE_STEP],
            "difference_rms": np.sqrt(np.mean(np.square(difference, dtype=np.float64), keepdims=True)),
            "branches": {name: _branch(net, name, bands) for name in ("slow", "normal", "fast")},
            "evidence": {share: _evidence(net, given + np.float32(share) * difference) for share in SHARES},
        }


def _branch(net: Any, name: str, bands: Any) -> NDArray[np.float32]:
    from torch.nn.functional import interpolate

    frames = int(bands.shape[2] * {"slow": 1.25, "normal": 1, "fast": 0.75}[name])
    stretched = interpolate(bands, size=frames, mode="linear", align_corners=True)
    said: NDArray[np.float32] = getattr(net.decoder, f"{name}_layers")(stretched)[0, :, ::BRANCH_STEP].numpy().T
    return said


def _evidence(net: Any, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    levels, _ = net.ap.signal_to_magphase(samples)
    evidence: NDArray[np.float32] = net.decoder(levels[None]).numpy()
    return evidence


def main() -> None:
    from perth.perth_net.perth_net_implicit.perth_watermarker import PerthImplicitWatermarker

    made_with = {name: version(name) for name in ("resemble-perth", "torch", "torchaudio", "librosa", "numpy")}
    golden = {"made_with": made_with} | answers(PerthImplicitWatermarker())
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=_rounded)}" for key, value in golden.items()]
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rounded(array: NDArray[np.float32]) -> list[Any]:
    return [int(number) if float(number).is_integer() else float(f"{number:.8g}") for number in array.ravel()]


if __name__ == "__main__":
    main()
