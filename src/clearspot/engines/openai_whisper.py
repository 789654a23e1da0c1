"""The original Whisper, with torch: any checkpoint that openai-whisper itself takes, on the CPU or a GPU."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clearspot.engines.registry import device_of, require_options, versions
from clearspot.engines.torch_tensors import read_checkpoint, require_device, require_memory
from clearspot.engines.whisper import NO_SPEECH
from clearspot.errors import BadInput, MachineFault
from clearspot.hashing import sha256_bytes
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.transcript import Transcript, Word

ENGINE = "openai-whisper"
BEAM_SIZE = 5
CHECKPOINT = ".pt"
REMEDY = "pip install 'clearspot[openai-whisper]'"


class OpenaiWhisperEngine:
    """Recognition with word times; the same samples always give the same words. One call at a time."""

    def __init__(self, read_weights: Callable[[], dict[str, bytes]], workers: int, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first call.

        Args:
            read_weights: Gives the checked bytes of a model by file name; one is a checkpoint, ``NAME.pt``.
            workers: How many calls may run side by side; here they wait for each other, since torch takes every core.
            options: ``device`` is where torch runs: ``cpu``, which it is by default, ``cuda``, or ``cuda:1``.

        Raises:
            BadInput: There are others, or the device is none of these.
        """
        require_options(options, ("device",), ENGINE)
        self.device = device_of(options, ENGINE)
        self._read_weights = read_weights
        self._model: Any = None
        self._lock = threading.Lock()

    @functools.cached_property
    def version(self) -> str:
        """The packages, and the device: a GPU's words are not always the CPU's.

        Raises:
            MachineFault: They are not installed.
        """
        packages = versions(ENGINE, "torch", "faster-whisper", "onnxruntime", extra=ENGINE)  # the last two hear silence
        return f"{packages} on {self.device.partition(':')[0]}"

    def warm_up(self) -> None:
        """Load the model now, so that the first call need not."""
        with self._lock:
            self._ready()

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        """See ``Recogniser.recognise``. Silence is cut out first, as faster-whisper does: into it Whisper dreams."""
        from faster_whisper.vad import SpeechTimestampsMap, collect_chunks, get_speech_timestamps

        sound = np.ascontiguousarray(samples, dtype=np.float32)
        duration_s = len(sound) / LISTEN_RATE_HZ
        with self._lock:
            model = self._ready()
            spoken = get_speech_timestamps(sound) if sound.any() else []
            if not spoken:
                return Transcript((), language or "en", 0.0, duration_s)
            speech = np.concatenate(collect_chunks(sound, spoken)[0])
            words, heard_in, probability = _hear(model, speech, language)
        places = SpeechTimestampsMap(spoken, LISTEN_RATE_HZ)
        return Transcript(
            words=tuple(_placed(word, places) for word in words),
            language=heard_in,
            language_probability=probability if words else 0.0,
            duration_s=duration_s,
        )

    def _ready(self) -> Any:
        if self._model is None:
            _ = self.version
            self._model = _load(self._read_weights(), self.device)
        return self._model


def _hear(model: Any, speech: Samples, language: str | None) -> tuple[list[Word], str, float]:
    """The words of speech, times from its start, the language, and how sure it is (0..1)."""
    import torch
    from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

    probability = 1.0
    with torch.inference_mode():
        if language is None:
            mel = log_mel_spectrogram(speech, model.dims.n_mels, padding=N_SAMPLES)
            _, sure = model.detect_language(pad_or_trim(mel, N_FRAMES).to(model.device))
            language = max(sure, key=sure.get)
            probability = float(sure[language])
        try:
            found = model.transcribe(
                speech,
                language=language,
                beam_size=BEAM_SIZE,
                temperature=0.0,  # a fallback temperature would sample, and two runs would differ
                condition_on_previous_text=False,  # what it heard before must not colour what it hears next
                word_timestamps=True,
                no_speech_threshold=NO_SPEECH,
                fp16=False,
            )
        except ValueError as error:
            if "language" in str(error).lower():
                raise BadInput(f"Whisper does not know the language {language!r}.", where="language") from error
            raise
    words = [
        Word(text, float(word["start"]), float(word["end"]))
        for segment in found["segments"]
        for word in segment.get("words", ())
        if (text := word["word"].strip())
    ]
    return words, language, probability


def _placed(word: Word, places: Any) -> Word:
    """A word where it is with the silence put back; it stays in one stretch of speech."""
    stretch = places.get_chunk_index((word.start_s + word.end_s) / 2)
    start_s, end_s = (float(places.get_original_time(at_s, stretch)) for at_s in (word.start_s, word.end_s))
    return Word(word.text, start_s, max(start_s, end_s))


def _load(files: Mapping[str, bytes], device: str) -> Any:
    try:
        import whisper
        from whisper.model import ModelDimensions, Whisper
    except ImportError as error:
        raise MachineFault(f"{ENGINE} cannot be imported: {error}.", where=ENGINE, remedy=REMEDY) from error
    require_device(device, ENGINE)
    name, data = _checkpoint(files)
    state = read_checkpoint(data, name)
    try:
        model = Whisper(ModelDimensions(**state["dims"]))
        model.load_state_dict(state["model_state_dict"])
        if heads := _alignment_heads(whisper, sha256_bytes(data)):
            model.set_alignment_heads(heads)
        model = model.float().train(mode=False)
    except Exception as error:
        require_memory(error, name)
        why = " ".join(str(error).split())[:300]
        raise BadInput(
            f"is no checkpoint of Whisper: {type(error).__name__}: {why}.",
            where=name,
            remedy="See docs/how-to.md, Listen with the original Whisper.",
        ) from error
    if not model.is_multilingual:
        raise BadInput(
            "this Whisper knows English alone: it takes every language for English, and is sure of it.",
            where="configs/clearspot.yaml: recogniser",
            remedy="Name a multilingual one (without .en).",
        )
    try:
        return model.to(device)
    except Exception as error:
        raise MachineFault(f"Whisper does not fit on {device}: {error}.", where=name) from error


def _checkpoint(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    found = [name for name in files if name.endswith(CHECKPOINT)]
    if len(found) != 1:
        raise BadInput(
            f"{ENGINE} asks for a model with one checkpoint, NAME{CHECKPOINT}; this one has: {', '.join(files)}.",
            where="configs/clearspot.yaml: recogniser",
            remedy="See docs/how-to.md, Listen with the original Whisper.",
        )
    return found[0], files[found[0]]


def _alignment_heads(whisper: Any, sha256: str) -> bytes | None:
    """Which heads time the words, where it is one of OpenAI's own files: the addresses of those hold their digests."""
    for name, address in whisper._MODELS.items():
        if sha256 in address.split("/"):
            heads: bytes | None = whisper._ALIGNMENT_HEADS.get(name)
            return heads
    return None
