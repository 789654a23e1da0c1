"""The engines of one process: made once, shared by every run and thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeVar

from clearspot.engines.protocols import Recogniser, SpeakerEncoder, SpeechEngine, Translator, Watermarker
from clearspot.engines.weights import Weights
from clearspot.errors import BadInput

T = TypeVar("T")

SPEECH: Mapping[str, str] = {"kokoro": "clearspot.engines.kokoro:KokoroEngine"}
TRANSLATION: Mapping[str, str] = {"bergamot": "clearspot.engines.bergamot:BergamotEngine"}
SPEAKER_MODEL = "speaker-encoder"
"""The model in ``models.yaml`` that compares voices."""
WATERMARK_MODEL = "perth-implicit"
"""The model in ``models.yaml`` that marks sound and finds the mark."""


@dataclass
class Studio:
    """Engines by name, each made at its first use and then kept.

    ``weights`` is the resolver; ``recogniser_model`` names the model that listens.
    """

    weights: Weights
    recogniser_model: str
    workers: int
    _hands: ThreadPoolExecutor = field(init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)
    _made: dict[str, object] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self._stopped = False
        self._hands = ThreadPoolExecutor(self.workers, "clearspot-worker")

    def work(self, call: Callable[[], T]) -> T:
        """Do something heavy on one of the ``workers`` threads, and wait for it.

        A few threads do all heavy work, whoever asks: as many calls run side by side as there are cores, and the
        memory allocator keeps a few pools instead of one for every thread that waits.
        """
        return self._hands.submit(call).result()

    def begin(self, call: Callable[[], T]) -> Future[T]:
        """Start something heavy on one of the ``workers`` threads, and wait for nothing."""
        return self._hands.submit(call)

    def work_all(self, calls: Iterable[Callable[[], T]]) -> tuple[T, ...]:
        """Do several heavy things and wait for all; the first error is raised, and what has not begun is dropped."""
        futures = [self._hands.submit(call) for call in calls]
        try:
            return tuple(future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()

    def stop(self) -> None:
        """Begin nothing more; what runs already ends by itself."""
        self._stopped = True
        self._hands.shutdown(wait=False, cancel_futures=True)

    def go_on(self) -> None:
        """Begin again after a stop, with the engines that are loaded: one run's end is not the next one's."""
        if self._stopped:
            self.__post_init__()

    def speech(self, name: str) -> SpeechEngine:
        """The speech engine of that name.

        Raises:
            BadInput: There is none.
        """
        if name not in SPEECH:
            raise BadInput(
                f"there is no speech engine {name!r}; there is: {', '.join(SPEECH)}.",
                where="voice.yaml: engine",
            )
        engine: SpeechEngine = self._once(SPEECH[name])  # type: ignore[assignment]
        return engine

    def recogniser(self) -> Recogniser:
        """The one recogniser: it hears recordings and deliverables alike."""
        from clearspot.engines.whisper import WhisperEngine

        with self._lock:
            if "recogniser" not in self._made:
                self._made["recogniser"] = WhisperEngine(self._read_recogniser, self.workers)
            made: Recogniser = self._made["recogniser"]  # type: ignore[assignment]
            return made

    def _read_recogniser(self) -> dict[str, bytes]:
        files = self.weights.resolve(self.recogniser_model, commercial=True)
        return {name: file.read() for name, file in files.items()}

    def recogniser_sha256(self) -> dict[str, str]:
        """The digests of the listening model's files, for the receipt."""
        return {name: file.sha256 for name, file in self.weights.model(self.recogniser_model).files.items()}

    def speaker_encoder(self) -> SpeakerEncoder:
        """The one speaker encoder: it compares voices of recordings and deliverables alike."""
        from clearspot.engines.speaker import ResemblyzerEncoder

        with self._lock:
            if "speaker encoder" not in self._made:
                self._made["speaker encoder"] = ResemblyzerEncoder(self._read_speaker_encoder)
            made: SpeakerEncoder = self._made["speaker encoder"]  # type: ignore[assignment]
            return made

    def _read_speaker_encoder(self) -> dict[str, bytes]:
        files = self.weights.resolve(SPEAKER_MODEL, commercial=True)
        return {name: file.read() for name, file in files.items()}

    def speaker_sha256(self) -> dict[str, str]:
        """The digests of the speaker encoder's files, for the receipt."""
        return {name: file.sha256 for name, file in self.weights.model(SPEAKER_MODEL).files.items()}

    def watermarker(self) -> Watermarker:
        """The one watermarker: it marks programmes and looks for the mark in deliverables."""
        from clearspot.engines.perth import PerthWatermarker

        with self._lock:
            if "watermarker" not in self._made:
                self._made["watermarker"] = PerthWatermarker(self._read_watermarker)
            made: Watermarker = self._made["watermarker"]  # type: ignore[assignment]
            return made

    def _read_watermarker(self) -> dict[str, bytes]:
        files = self.weights.resolve(WATERMARK_MODEL, commercial=True)
        return {name: file.read() for name, file in files.items()}

    def watermark_sha256(self) -> dict[str, str]:
        """The digests of the watermark's files, for the receipt."""
        return {name: file.sha256 for name, file in self.weights.model(WATERMARK_MODEL).files.items()}

    def translator(self, source: str, target: str) -> Translator | None:
        """The first engine that translates from one locale to another, or None."""
        for name in TRANSLATION:
            engine: Translator = self._once(TRANSLATION[name])  # type: ignore[assignment]
            if engine.knows(source, target):
                return engine
        return None

    def _once(self, path: str) -> object:
        with self._lock:
            if path not in self._made:
                module, _, name = path.partition(":")
                self._made[path] = getattr(import_module(module), name)()
            return self._made[path]
