"""A recogniser for Clearspot: PocketSphinx, which hears American English on any machine."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clearspot.engines.registry import require_options, versions
from clearspot.errors import BadInput, MachineFault
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.transcript import Transcript, Word

LANGUAGE_MODEL, DICTIONARY = "en-us.lm.bin", "cmudict-en-us.dict"
ACOUSTIC = ("feat.params", "mdef", "means", "noisedict", "sendump", "transition_matrices", "variances")
FRAMES_A_SECOND = 100
NO_WORD = re.compile(r"[<\[].*|\+\+.*")
"""Silence, the ends of a sentence, and noises, among its words."""


class SphinxEngine:
    """Hears English, and nothing else. Its model is one of ``models.yaml`` like any other; see docs/plug-ins.md."""

    def __init__(
        self, read_weights: Callable[[], Mapping[str, bytes]], workers: int, options: Mapping[str, Any]
    ) -> None:
        """Takes what reads the listening model's files, how many calls run at once, and ``engines.sphinx``: no options.

        The calls wait for each other: a decoder hears one thing at a time.
        """
        require_options(options, (), "sphinx")
        self._read_weights = read_weights
        self._decoder: Any = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        return versions("pocketsphinx", "faster-whisper", "onnxruntime")  # the last two hear what is speech at all

    def warm_up(self) -> None:
        with self._lock:
            self._ready()

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        """See ``Recogniser.recognise``. It never says that it is sure of a language: it knows but one."""
        # Comes with Clearspot. Without it, PocketSphinx hears "I'm" in digital silence.
        from faster_whisper.vad import get_speech_timestamps

        if language not in {None, "en"}:
            raise BadInput(f"PocketSphinx knows English alone, not {language!r}.", where="language")
        sound = np.ascontiguousarray(samples, dtype=np.float32)
        words: list[Word] = []
        with self._lock:
            decoder = self._ready()
            for stretch in get_speech_timestamps(sound) if sound.any() else []:
                words += _hear(decoder, sound[stretch["start"] : stretch["end"]], stretch["start"] / LISTEN_RATE_HZ)
        sure = 1.0 if language and words else 0.0
        return Transcript(tuple(words), "en", sure, len(sound) / LISTEN_RATE_HZ)

    def _ready(self) -> Any:
        if self._decoder is None:
            self._decoder = _load(self._read_weights())
        return self._decoder


def _load(files: Mapping[str, bytes]) -> Any:
    import pocketsphinx

    if missing := sorted({*ACOUSTIC, LANGUAGE_MODEL, DICTIONARY} - files.keys()):
        raise BadInput(
            f"PocketSphinx asks for a model with {', '.join(missing)}, too; this one has: {', '.join(files)}.",
            where="configs/clearspot.yaml: recogniser",
        )
    # It takes paths alone: the checked bytes lie in a folder that nobody else can read, until they are loaded.
    with tempfile.TemporaryDirectory(prefix="clearspot-") as name:
        for file, data in files.items():
            Path(name, file).write_bytes(data)
        try:
            return pocketsphinx.Decoder(
                hmm=name,
                lm=str(Path(name, LANGUAGE_MODEL)),
                dict=str(Path(name, DICTIONARY)),
                samprate=LISTEN_RATE_HZ,
                loglevel="FATAL",
            )
        except Exception as error:
            raise MachineFault(f"PocketSphinx cannot load its model: {error}.", where="sphinx") from error


def _hear(decoder: Any, speech: Samples, from_s: float) -> Iterator[Word]:
    """The words of one stretch of speech that begins at ``from_s``."""
    # It goes on from the levels of what it heard before; the same speech has to be the same words each time.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw((np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    for heard in decoder.seg() or ():
        if not NO_WORD.fullmatch(heard.word):
            start_s, end_s = (
                from_s + heard.start_frame / FRAMES_A_SECOND,
                from_s + (heard.end_frame + 1) / FRAMES_A_SECOND,
            )
            yield Word(heard.word.partition("(")[0], start_s, end_s)  # "coffee(2)" is coffee, said in another way
