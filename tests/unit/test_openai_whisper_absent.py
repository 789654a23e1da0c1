"""The original Whisper where it is not installed, and what is refused before it is asked."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest

from clearspot.engines import openai_whisper
from clearspot.engines.openai_whisper import OpenaiWhisperEngine
from clearspot.errors import BadInput, MachineFault

REMEDY = r"pip install 'clearspot\[openai-whisper\]'"


def never() -> dict[str, bytes]:
    pytest.fail("weights were read")


def test_where_it_is_not_installed_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("clearspot.engines.registry.version", missing)
    engine = OpenaiWhisperEngine(never, 1, {})
    for call in (
        lambda: engine.version,
        engine.warm_up,
        lambda: engine.recognise(np.zeros(16000, np.float32), language=None),
    ):
        with pytest.raises(MachineFault, match=f"needs openai-whisper, which is not installed. Run: {REMEDY}"):
            call()


def test_where_it_cannot_be_imported_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearspot.engines.registry.version", lambda _: "1")
    monkeypatch.setitem(sys.modules, "whisper", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MachineFault, match=f"cannot be imported: .* {REMEDY}"):
        OpenaiWhisperEngine(dict, 1, {}).warm_up()


@pytest.mark.parametrize("device", ["gpu", "auto", "", "cuda:", "CPU", "cpu\n", None, 0])
def test_a_device_is_never_guessed(device: Any) -> None:
    with pytest.raises(BadInput, match=r"engines\.openai-whisper\.device: .* is not a device; there is: cpu, cuda"):
        OpenaiWhisperEngine(never, 1, {"device": device})


def test_other_options_are_refused() -> None:
    with pytest.raises(BadInput, match="openai-whisper has no option gpu; it has: device"):
        OpenaiWhisperEngine(never, 1, {"gpu": True})


@pytest.mark.parametrize(
    "files", [{}, {"model.bin": b""}, {"a.pt": b"", "b.pt": b""}], ids=["none", "another's", "two"]
)
def test_one_checkpoint_is_asked_for(files: dict[str, bytes]) -> None:
    with pytest.raises(BadInput, match=r"asks for a model with one checkpoint, NAME\.pt"):
        openai_whisper._checkpoint(files)
