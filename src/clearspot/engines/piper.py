"""Piper's voices through piper-tts, which is under GPL-3 and therefore an extra: ``pip install 'clearspot[piper]'``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import require_options, versions
from clearspot.engines.sessions import open_session
from clearspot.engines.vits import (
    PiperFile,
    PiperVoices,
    read_piper_file,
    require_speakable,
    with_fixed_noise,
)
from clearspot.errors import BadInput, ClearspotError, MachineFault


class PiperEngine:
    """Speaks a Piper voice in its one language. The last few voices stay loaded, by digests and seed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first grant. It has no options.

        Raises:
            BadInput: There are some.
        """
        require_options(options, (), "piper")
        self._voices = PiperVoices("piper", "Piper", _open)

    @functools.cached_property
    def version(self) -> str:
        """The package, which has its own espeak-ng in it, and what runs the network."""
        return versions("piper-tts", "onnxruntime", extra="piper")

    def prepare(self, grant: Grant) -> None:
        """See ``SpeechEngine.prepare``."""
        require_grant(grant)
        with self._voices.lent(grant):
            pass

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """See ``SpeechEngine.speak``. Rates from 0.5 to 2.0; the samples are at the voice's own rate."""
        require_grant(grant)
        with self._voices.lent(grant) as (voice, file):
            require_speakable(grant, file, text, rate, "Piper")
            import piper

            asked = piper.SynthesisConfig(length_scale=file.length_scale / rate, normalize_audio=False)
            sentences = [each.audio_float_array for each in voice.synthesize(without_phonemes(text), asked)]
        if not sentences:
            raise BadInput("Piper cannot speak this: no phonemes came of it.", where=repr(text))
        return Speech(np.concatenate(sentences).astype(np.float32, copy=False), file.rate_hz)


def without_phonemes(text: str) -> str:
    """A text with no two opening brackets beside each other: what follows two are phonemes to piper-tts, not words."""
    return re.sub(r"\[(?=\[)", "[ ", text)


def _open(model: bytes, config: bytes, seed: int) -> tuple[Any, PiperFile]:
    versions("piper-tts", extra="piper")
    import piper

    file = read_piper_file(config)
    try:
        session = open_session(with_fixed_noise(model, seed))
        return piper.PiperVoice(session=session, config=piper.PiperConfig.from_dict(dict(file.whole))), file
    except ClearspotError:
        raise
    except Exception as error:
        raise MachineFault(f"Piper's model cannot be loaded: {error}.", where="piper") from error
