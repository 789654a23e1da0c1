"""Whisper through faster-whisper: one loaded model a process hears recordings and deliverables alike."""

from __future__ import annotations

import functools
import importlib.metadata
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clearspot.engines.registry import require_options
from clearspot.errors import MachineFault
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.transcript import Transcript, Word

BEAM_SIZE = 5


class WhisperEngine:
    """Recognition with word times; the same samples always give the same words."""

    def __init__(self, read_weights: Callable[[], dict[str, bytes]], workers: int, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first call.

        Args:
            read_weights: Gives the checked bytes of a CTranslate2 Whisper folder by file name.
            workers: How many calls may run side by side.
            options: It has none.

        Raises:
            BadInput: There are options.
        """
        require_options(options, (), "faster-whisper")
        self._read_weights = read_weights
        self._workers = workers
        self._model: Any = None
        self._lock = threading.Lock()

    @functools.cached_property
    def version(self) -> str:
        return f"faster-whisper {importlib.metadata.version('faster-whisper')}"

    def warm_up(self) -> None:
        """Load the model now, so that the first call need not."""
        self._ready()

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        """See ``Recogniser.recognise``."""
        segments, info = self._ready().transcribe(
            np.ascontiguousarray(samples, dtype=np.float32),
            language=language,
            beam_size=BEAM_SIZE,
            temperature=0.0,  # a fallback temperature would sample, and two runs would differ
            condition_on_previous_text=False,  # what it heard before must not colour what it hears next
            word_timestamps=True,
            vad_filter=True,  # into silence it dreams words
        )
        words = tuple(
            Word(word.word.strip(), float(word.start), float(word.end))
            for segment in segments
            for word in segment.words or ()
            if word.word.strip()
        )
        return Transcript(
            words=words,
            language=info.language,
            language_probability=float(info.language_probability),
            duration_s=len(samples) / LISTEN_RATE_HZ,
        )

    def _ready(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        from faster_whisper import WhisperModel

        files = self._read_weights()
        try:
            return WhisperModel(
                "clearspot-whisper",
                device="cpu",
                compute_type="int8",
                cpu_threads=1,  # two single-threaded workers are faster than one with two threads
                num_workers=self._workers,
                files=files,
            )
        except Exception as error:
            raise MachineFault(f"Whisper's model cannot be loaded: {error}.", where="whisper") from error
