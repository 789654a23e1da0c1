"""What an engine is to the rest of the house."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clearspot.consent.grant import Grant
from clearspot.media.audio import Samples
from clearspot.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Speech:
    """What a speech engine said: mono float32, shape (samples,), at the engine's own rate."""

    samples: Samples
    rate_hz: int


class SpeechEngine(Protocol):
    """Speaks text with the voice that a grant allows. Safe to call from several threads."""

    @property
    def version(self) -> str:
        """Name and version of the engine's package, as it stands in the receipt."""
        ...

    def prepare(self, grant: Grant) -> None:
        """Load the granted weights now, so that the first line need not.

        Raises:
            Refused: The weights are not those that the grant names.
            MachineFault: They cannot be loaded.
        """
        ...

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """Speak ``text`` in the grant's locale at ``rate`` times the natural speed.

        Raises:
            BadInput: The engine does not speak the locale, or makes no sound of the text.
            Refused: The weights are not those that the grant names.
            MachineFault: The weights cannot be loaded.
        """
        ...


class Recogniser(Protocol):
    """Writes down what is said, with word times. Safe to call from several threads."""

    @property
    def version(self) -> str: ...

    def warm_up(self) -> None:
        """Load the model now, so that the first call need not."""
        ...

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        """What is said in mono float32 samples at 16 kHz; it is never told what it should hear.

        Not even protected names are given as hot words: Whisper says them into silence where nobody did.

        Args:
            samples: Shape (samples,).
            language: ISO 639-1 code, or None to have it detected.
        """
        ...


class SpeakerEncoder(Protocol):
    """Turns speech into a vector that says who speaks, whatever is said. Safe to call from several threads."""

    @property
    def version(self) -> str:
        """What makes the vectors, as it stands in the receipt."""
        ...

    @property
    def enough_s(self) -> float:
        """The seconds of speech that it takes to say whose it is."""
        ...

    def embed(self, samples: Samples) -> NDArray[np.float32]:
        """The voice in mono float32 samples at 16 kHz.

        Args:
            samples: Shape (samples,).

        Returns:
            float32, shape (256,), of length 1: the dot product of two is their cosine similarity.

        Raises:
            BadInput: It is silent, is not made of finite numbers, or holds too little speech.
            Refused: The weights are not those that ``models.yaml`` names.
            MachineFault: The weights cannot be loaded.
        """
        ...

    def embed_each(self, speeches: Iterable[Samples]) -> tuple[NDArray[np.float32], ...]:
        """The voice in several pieces of speech, mono float32 at 16 kHz.

        Args:
            speeches: Each of the shape (samples,); one that is too short to compare is heard over and over.

        Returns:
            Of each, who speaks in every stretch of it: float32, shape (stretches, 256), each of length 1; their mean is
            who speaks in all of it. No stretches of what is silent, or not made of finite numbers.

        Raises:
            Refused: See ``embed``.
            MachineFault: See ``embed``.
        """
        ...


class Watermarker(Protocol):
    """Puts an inaudible mark into sound, and says whether sound has it. Safe to call from several threads."""

    @property
    def version(self) -> str:
        """What makes the mark and how strong, as it stands in the receipt."""
        ...

    @property
    def detected_from(self) -> float:
        """The confidence from which sound counts as marked."""
        ...

    def mark(self, programme: Samples) -> Samples:
        """The same programme with the mark in it.

        The difference is the same in both channels: what stereo there is stays. Digital silence stays silent and has
        no mark. It may exceed full scale where the programme nearly does.

        Args:
            programme: float32 at 48 kHz, shape (samples, 2).

        Returns:
            Of the same shape; the programme itself is left alone.

        Raises:
            BadInput: It is not stereo, or not made of finite numbers.
            Refused: The weights are not those that ``models.yaml`` names.
            MachineFault: The weights cannot be loaded.
        """
        ...

    def detect(self, samples: Samples, rate_hz: int) -> float:
        """How sure it is that the mark is in the whole of some mono samples.

        Args:
            samples: Mono float32, shape (samples,); of stereo, the mean of the channels.
            rate_hz: Their rate; 32 kHz and more is best.

        Returns:
            0 to 1, never NaN; 0 for silence, and for less than can be judged.

        Raises:
            BadInput: They are not mono, or not finite numbers.
            Refused: The weights are not those that ``models.yaml`` names.
            MachineFault: The weights cannot be loaded.
        """
        ...


class Translator(Protocol):
    """Drafts a translation. A person approves it."""

    @property
    def version(self) -> str: ...

    def knows(self, source: str, target: str) -> bool:
        """Whether it translates from one locale to another."""
        ...

    def translate(self, text: str, source: str, target: str) -> str: ...
