"""What a recogniser heard: words with their times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, as the recogniser spelt it, punctuation included.

    ``start_s`` and ``end_s`` are seconds from the start of the recording.
    """

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording in order, and the language they were heard in.

    ``language`` is the ISO 639-1 code the recogniser believes was spoken and
    ``language_probability`` how sure it is (0..1).
    """

    words: tuple[Word, ...]
    language: str
    language_probability: float
    duration_s: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)
