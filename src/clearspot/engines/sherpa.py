"""Piper's voices through sherpa-onnx (Apache-2.0, an extra), with phonemes from the espeak-ng that Kokoro brings."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import require_options, versions
from clearspot.engines.vits import (
    PiperFile,
    PiperVoices,
    read_piper_file,
    require_speakable,
    with_fixed_noise,
)
from clearspot.errors import BadInput, ClearspotError, MachineFault

SENTENCE_ENDS = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model in sherpa-onnx, what gives its phonemes, and what its file says."""

    tts: Any
    phonemizer: Any
    file: PiperFile


class SherpaEngine:
    """Speaks a Piper voice in its one language. The last few voices stay loaded, by digests and seed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first grant. It has no options.

        Raises:
            BadInput: There are some.
        """
        require_options(options, (), "sherpa")
        self._voices = PiperVoices("sherpa", "sherpa-onnx", _open)

    @functools.cached_property
    def version(self) -> str:
        """The package, what runs its networks, and what gives its phonemes."""
        packages = ("sherpa-onnx", "sherpa-onnx-core", "kokoro-onnx", "phonemizer", "espeakng-loader")
        return versions(*packages, extra="sherpa")

    def prepare(self, grant: Grant) -> None:
        """See ``SpeechEngine.prepare``."""
        require_grant(grant)
        with self._voices.lent(grant):
            pass

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """See ``SpeechEngine.speak``. Rates from 0.5 to 2.0; the samples are at the voice's own rate."""
        require_grant(grant)
        with self._voices.lent(grant) as loaded:
            return _say(loaded, grant, text, rate)


def _say(loaded: _Loaded, grant: Grant, text: str, rate: float) -> Speech:
    require_speakable(grant, loaded.file, text, rate, "sherpa-onnx")
    sentences = [loaded.phonemizer.phonemize(part, loaded.file.espeak_voice) for part in SENTENCE_ENDS.split(text)]
    codepoints = [[ord(symbol) for symbol in sentence] for sentence in sentences if sentence]
    if not codepoints:
        raise BadInput("sherpa-onnx cannot speak this: no phonemes came of it.", where=repr(text))
    import sherpa_onnx

    asked = sherpa_onnx.GenerationConfig()
    asked.phoneme_codepoints = codepoints
    asked.speed = rate
    asked.silence_scale = 1.0  # the default shortens every pause to a fifth
    audio = loaded.tts.generate(text, asked)
    return Speech(np.asarray(audio.samples, dtype=np.float32), int(audio.sample_rate))


def _open(model: bytes, config: bytes, seed: int) -> _Loaded:
    versions("sherpa-onnx", extra="sherpa")
    from kokoro_onnx.tokenizer import Tokenizer

    file = read_piper_file(config)
    told = {
        "model_type": "vits",
        "comment": "piper",
        "language": file.locale,
        "voice": file.espeak_voice,
        "has_espeak": "1",
        "n_speakers": "1",
        "sample_rate": str(file.rate_hz),
    }
    try:
        tts = _runtime(with_fixed_noise(model, seed, told), file)
        return _Loaded(tts, Tokenizer(vocab=dict(file.symbols)), file)
    except ClearspotError:
        raise
    except Exception as error:
        raise MachineFault(f"sherpa-onnx cannot load the model: {error}.", where="sherpa") from error


def _runtime(model: bytes, file: PiperFile) -> Any:
    """sherpa-onnx takes paths alone: the checked bytes lie in a folder that nobody else can read, for the moment."""
    import sherpa_onnx

    with tempfile.TemporaryDirectory(prefix="clearspot-") as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(model)
        tokens = "".join(f"{symbol} {number}\n" for symbol, number in file.symbols.items())
        (folder / "tokens.txt").write_text(tokens, encoding="utf-8")
        vits = sherpa_onnx.OfflineTtsVitsModelConfig(
            model=str(folder / "model.onnx"),
            tokens=str(folder / "tokens.txt"),
            noise_scale=file.noise_scale,
            noise_scale_w=file.noise_w,
            length_scale=file.length_scale,
        )
        inner = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=1, provider="cpu")
        return sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=inner, max_num_sentences=1))
