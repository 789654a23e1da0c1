"""Whisper through faster-whisper: one loaded model a process hears recordings and deliverables alike."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clearspot.engines.registry import require_options, versions
from clearspot.errors import BadInput, MachineFault
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.transcript import Transcript, Word

BEAM_SIZE = 5

NO_SPEECH = 0.3
"""A window that Whisper cannot make sense of (a mean log probability under -1) is no speech from this probability on;
0.6 is its own. Into a second of noise after the last word it put "No, no, no." with 0.49 to 0.52 and -1.35; speech has
0.02 and less, and -0.3."""

LONG_S = 60.0
"""Only what is longer is heard in batches: a window is 30 s, and of two there is little to gain."""
MAX_BATCH = 64

NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""What faster-whisper would look for elsewhere, a hub among others, if it were not given."""


class WhisperEngine:
    """Recognition with word times; the same samples always give the same words."""

    def __init__(self, read_weights: Callable[[], dict[str, bytes]], workers: int, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first call.

        Args:
            read_weights: Gives the checked bytes of a CTranslate2 Whisper folder by file name.
            workers: How many calls may run side by side.
            options: ``batch_size`` is how many windows of 30 s of a long recording are heard at once; 0, which it is by
                default, hears one after the other.

        Raises:
            BadInput: There are others, or the batch size is none.
        """
        require_options(options, ("batch_size",), "faster-whisper")
        self.batch_size = options.get("batch_size", 0)
        if type(self.batch_size) is not int or not 0 <= self.batch_size <= MAX_BATCH:
            raise BadInput(
                f"should be a whole number from 0 (no batches) to {MAX_BATCH} (it is {self.batch_size!r}).",
                where="configs/clearspot.yaml: engines.faster-whisper.batch_size",
            )
        self._read_weights = read_weights
        self._workers = workers
        self._model: Any = None
        self._lock = threading.Lock()

    @functools.cached_property
    def version(self) -> str:
        """The package, what runs its networks, and what else makes other words of the same sound."""
        package = versions("faster-whisper", "ctranslate2", "onnxruntime")
        return f"{package}, batches of {self.batch_size} over {LONG_S:g} s" if self.batch_size else package

    def warm_up(self) -> None:
        """Load the model now, so that the first call need not."""
        self._ready()

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        """See ``Recogniser.recognise``.

        Batches are for recordings, whose language is asked for: their words and times are not quite those of the plain
        way, and a gate, which knows the language, hears as exactly as can be.
        """
        model, duration_s = self._ready(), len(samples) / LISTEN_RATE_HZ
        manner: dict[str, Any] = {
            "language": language,
            "beam_size": BEAM_SIZE,
            "temperature": 0.0,  # a fallback temperature would sample, and two runs would differ
            "condition_on_previous_text": False,  # what it heard before must not colour what it hears next
            "word_timestamps": True,
            "vad_filter": True,  # into silence it dreams words
            "no_speech_threshold": NO_SPEECH,
        }
        if self.batch_size and language is None and duration_s > LONG_S:
            from faster_whisper import BatchedInferencePipeline

            model = BatchedInferencePipeline(model)  # one a call: it remembers where it is
            manner["batch_size"] = self.batch_size
        segments, info = model.transcribe(np.ascontiguousarray(samples, dtype=np.float32), **manner)
        words = tuple(
            Word(word.word.strip(), float(word.start), float(word.end))
            for segment in segments
            for word in segment.words or ()
            if word.word.strip()
        )
        return Transcript(
            words=words,
            language=info.language,
            # Of silence and noise it names some language, too, and may be sure of it: where nothing is said, nobody is.
            language_probability=float(info.language_probability) if words else 0.0,
            duration_s=duration_s,
        )

    def _ready(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        from faster_whisper import WhisperModel

        files = dict(self._read_weights())  # faster-whisper takes things out of it
        if missing := [name for name in NEEDED if name not in files]:
            raise MachineFault(
                f"the model of Whisper has no {', '.join(missing)}; it has: {', '.join(files)}.",
                where="configs/models.yaml",
                remedy="`clearspot models add` names every file of a folder for faster-whisper.",
            )
        files.setdefault("preprocessor_config.json", b"{}")  # or it would look for one in the current folder
        try:
            model = WhisperModel(
                "clearspot-whisper",
                device="cpu",
                compute_type="int8",
                cpu_threads=1,  # two single-threaded workers are faster than one with two threads
                num_workers=self._workers,
                files=files,
            )
        except Exception as error:
            raise MachineFault(f"Whisper's model cannot be loaded: {error}.", where="whisper") from error
        _require_fit(model)
        return model


def _require_fit(model: Any) -> None:
    """That a model can do what is asked of it.

    Raises:
        MachineFault: Its spectrograms are others than its files say.
        BadInput: It knows English alone.
    """
    bands = len(model.feature_extractor.mel_filters)
    if model.model.n_mels != bands:
        raise MachineFault(
            f"Whisper's model takes {model.model.n_mels} mel bands and would be given {bands}.",
            where="configs/models.yaml",
            remedy="Name its preprocessor_config.json among its files, too.",
        )
    if not model.model.is_multilingual:
        raise BadInput(
            "this Whisper knows English alone: it takes every language for English, and is sure of it.",
            where="configs/clearspot.yaml: recogniser",
            remedy="Name a multilingual one (without .en).",
        )
