"""The engines of one process: made once, shared by every run and thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from clearspot.engines.protocols import Recogniser, SpeakerEncoder, SpeechEngine, Translator, Watermarker
from clearspot.engines.registry import engines_of, make_engine
from clearspot.engines.weights import Weights

T = TypeVar("T")

SPEAKER_MODEL = "speaker-encoder"
"""The model in ``models.yaml`` that compares voices."""
WATERMARK_MODEL = "perth-implicit"
"""The model in ``models.yaml`` that marks sound and finds the mark."""


@dataclass
class Studio:
    """Engines by name, each made at its first use and then kept.

    ``weights`` is the resolver; ``recogniser_model`` names the model that listens, ``recogniser_engine`` what runs it;
    ``options`` are those of each engine by its name.
    """

    weights: Weights
    recogniser_model: str
    workers: int
    recogniser_engine: str = "faster-whisper"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _hands: ThreadPoolExecutor = field(init=False, repr=False)
    _stopped: bool = field(default=False, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)
    _made: dict[str, object] = field(default_factory=dict, repr=False)
    _making: dict[str, threading.RLock] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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

    @property
    def stopped(self) -> bool:
        """Whether nothing more begins."""
        return self._stopped

    def stop(self) -> None:
        """Begin nothing more; what runs already ends by itself."""
        self._stopped = True
        self._hands.shutdown(wait=False, cancel_futures=True)

    def go_on(self) -> None:
        """Begin again after a stop, with the engines that are loaded: one run's end is not the next one's."""
        if self._stopped and not self._closed:
            self.__post_init__()

    def close(self) -> None:
        """Stop, whatever is still about to begin."""
        self._closed = True
        self.stop()

    def empty(self) -> None:
        """Let go of the engines: they know the studio, which knows them. Whoever asks for one again loads it anew."""
        self._made.clear()

    def speech(self, name: str) -> SpeechEngine:
        """The speech engine of that name.

        Raises:
            BadInput: There is none, or its options are wrong.
            MachineFault: Its package cannot be imported.
        """
        engine: SpeechEngine = self.once(  # type: ignore[assignment]
            f"speech {name}",
            lambda: make_engine("speech", name, "voice.yaml: engine", options=self.options.get(name, {})),
        )
        return engine

    def recogniser(self) -> Recogniser:
        """The one recogniser: it hears recordings and deliverables alike.

        Raises:
            BadInput: There is none of the name in the settings, or its options are wrong.
            MachineFault: Its package cannot be imported.
        """
        name = self.recogniser_engine
        where, options = "configs/clearspot.yaml: recogniser_engine", self.options.get(name, {})
        made: Recogniser = self.once(  # type: ignore[assignment]
            "recogniser",
            lambda: make_engine("recognition", name, where, self.read_recogniser, self.workers, options=options),
        )
        return made

    def read_recogniser(self) -> dict[str, bytes]:
        """The checked bytes of the listening model, by file name; fetched if need be."""
        files = self.weights.resolve(self.recogniser_model, commercial=True)
        return {name: file.read() for name, file in files.items()}

    def recogniser_sha256(self) -> dict[str, str]:
        """The digests of the listening model's files, for the receipt."""
        return {name: file.sha256 for name, file in self.weights.model(self.recogniser_model).files.items()}

    def speaker_encoder(self) -> SpeakerEncoder:
        """The one speaker encoder: it compares voices of recordings and deliverables alike."""
        from clearspot.engines.speaker import ResemblyzerEncoder

        made: SpeakerEncoder = self.once("speaker encoder", lambda: ResemblyzerEncoder(self._read_speaker_encoder))
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

        made: Watermarker = self.once("watermarker", lambda: PerthWatermarker(self._read_watermarker))
        return made

    def _read_watermarker(self) -> dict[str, bytes]:
        files = self.weights.resolve(WATERMARK_MODEL, commercial=True)
        return {name: file.read() for name, file in files.items()}

    def watermark_sha256(self) -> dict[str, str]:
        """The digests of the watermark's files, for the receipt."""
        return {name: file.sha256 for name, file in self.weights.model(WATERMARK_MODEL).files.items()}

    def translator(self, source: str, target: str) -> Translator | None:
        """The first engine, in the order of their names, that translates from one locale to another; or None."""
        for name in engines_of("translation"):
            engine = self._translator(name)
            if engine.knows(source, target):
                return engine
        return None

    def _translator(self, name: str) -> Translator:
        made: Translator = self.once(  # type: ignore[assignment]
            f"translation {name}",
            lambda: make_engine("translation", name, "entry points", options=self.options.get(name, {})),
        )
        return made

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What was made under that name, made now if nobody did yet; who asks for the same waits meanwhile."""
        with self._lock:
            making = self._making.setdefault(what, threading.RLock())
        with making:
            if what not in self._made:
                self._made[what] = make()
            return self._made[what]  # type: ignore[return-value]
