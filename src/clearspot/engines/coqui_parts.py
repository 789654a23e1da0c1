"""A line that is too long for a model to keep in mind, in parts that are not: sentences, or clauses."""

from __future__ import annotations

import re
from collections.abc import Callable

from clearspot.errors import BadInput

NEAREST = {"pt": "es"}
"""Where pysbd has no rules for a language, whose abbreviations end like its own (Sr., Sra., Dr.)."""

CLAUSES = re.compile(r"(?<=[,;:\uff0c\u3001\uff1b\uff1a])\s*")
"""Behind a comma, a semicolon or a colon, those of Chinese and Japanese too."""


def parts_of(text: str, language: str, fits: Callable[[str], bool]) -> list[str]:
    """A text whole where it fits; else its sentences; of a sentence that does not fit as many clauses at once as do.

    Args:
        text: What is to be said; no word of it is lost.
        language: ISO 639-1 code, maybe with a region.
        fits: Whether a model keeps a part in mind.

    Raises:
        BadInput: Between two commas there is more than fits.
    """
    if fits(text):
        return [text]
    parts: list[str] = []
    for sentence in sentences_of(text, language):
        parts += [sentence] if fits(sentence) else _clauses(sentence, fits)
    return [part for part in parts if any(each.isalnum() for each in part)]


def _clauses(sentence: str, fits: Callable[[str], bool]) -> list[str]:
    parts: list[str] = []
    for clause in CLAUSES.split(sentence):
        if not fits(clause):
            raise BadInput(
                f"this model cannot keep so much in mind: {len(clause)} characters without a full stop or a comma.",
                where=repr(clause),
                remedy="Make shorter sentences of it.",
            )
        if parts and fits(joined := f"{parts[-1]} {clause}"):
            parts[-1] = joined
        else:
            parts.append(clause)
    return parts


def sentences_of(text: str, language: str) -> list[str]:
    """The sentences of a text: by the rules of its language, or by those of English where pysbd has none for it.

    Raises:
        BadInput: It loses some of the text.
    """
    import pysbd  # comes with coqui-tts, which cuts texts with it too
    from pysbd.languages import LANGUAGE_CODES

    code = language.partition("-")[0]
    code = NEAREST.get(code, code)
    found = pysbd.Segmenter(language=code if code in LANGUAGE_CODES else "en", clean=False).segment(text)
    if "".join(found).split() != text.split():
        raise BadInput("cannot be cut into sentences without losing words.", where=repr(text))
    return [each.strip() for each in found if each.strip()]
