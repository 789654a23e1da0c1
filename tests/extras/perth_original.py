"""The original Perth, as resemble-perth installs it."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any

import torch


class Spectrogram(torch.nn.Module):
    """What torchaudio's class of this name does with the arguments that Perth gives it."""

    def __init__(self, n_fft: int, win_length: int, hop_length: int, window_fn: Any, **_: object) -> None:
        super().__init__()
        self.sizes = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "center": True}
        self.register_buffer("window", window_fn(win_length))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return torch.stft(samples, window=self.window, pad_mode="reflect", return_complex=True, **self.sizes)


class InverseSpectrogram(Spectrogram):
    def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
        return torch.istft(spectrum, window=self.window, **self.sizes)


class TimeStretch(torch.nn.Module):
    """Perth makes one, and asks it for nothing; its buffer is in the checkpoint."""

    def __init__(self, n_freq: int, hop_length: int) -> None:
        super().__init__()
        self.register_buffer("phase_advance", torch.zeros(n_freq, 1))


def watermarker() -> Any:
    """The original watermarker.

    torchaudio's packages load CUDA's libraries, even where there is no CUDA: where it is not installed, the three
    classes above are in its place. The golden values, which are held against too, were made with the real one.
    """
    if find_spec("torchaudio") is None:
        modules = {name: types.ModuleType(name) for name in ("torchaudio", "torchaudio.transforms")}
        for name, module in modules.items():
            module.__spec__ = ModuleSpec(name, None)
        for made in (Spectrogram, InverseSpectrogram, TimeStretch):
            setattr(modules["torchaudio.transforms"], made.__name__, made)
        sys.modules |= modules
    from perth.perth_net.perth_net_implicit.perth_watermarker import PerthImplicitWatermarker

    return PerthImplicitWatermarker()
