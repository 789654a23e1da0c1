"""Text reduced to what can be heard of it: letters and words, no case, no punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from clearspot.text.figures import has_words, say_ordinal, say_whole
from clearspot.text.languages import language_of


def fold(text: str) -> str:
    """``text`` in NFKC, casefolded, letters, marks and numbers only, single spaces, stripped.

    Apostrophes and hyphens become spaces ("dell'intelligenza" is "dell intelligenza"); format
    characters inside words, such as the joiners of Hindi, vanish.
    """
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(_kept(char) for char in composed)
    return " ".join(unicodedata.normalize("NFKC", kept).split())


@cache
def _kept(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] in "LMN":
        return char
    return "" if category == "Cf" else " "


def unaccented(text: str) -> str:
    """``text`` without its combining marks, as a hasty recogniser writes it."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def cardinals_for_ordinals(folded: str, locale: str) -> str:
    """Folded text with ordinal words as cardinals: "june thirtieth" is "june thirty".

    Ordinals that are also everyday words ("second", "cuarto", "sexta") stay as they are.
    """
    pattern, table = _ordinals(locale)
    if not table:
        return folded
    while True:
        replaced = pattern.sub(lambda match: table[match.group()], folded)
        # A replacement may complete another ordinal; each round has fewer, so this ends.
        if replaced == folded:
            return folded
        folded = replaced


# Everyday words, weekdays, rooms, verbs and hundredths among the ordinals, and English "twenty
# second", which is also the length of a spot. The whole phrase is meant: "thirty first" is thirty-one.
_EVERYDAY = {
    "en": {1, 2, 3, 100, *range(22, 100, 10)},
    "es": {*range(1, 6), 100},
    "it": {*range(1, 6), 100},
    "pt": {*range(1, 7), 100},
    "de": {1, 2, 3, 8, 100},
    "fr": {1, 2, 100},
}
# After these an ordinal is a fraction: "a tenth" is not ten.
_BEFORE_FRACTIONS = {
    "en": ("a", "an", "one"),
    "es": ("un", "una"),
    "it": ("un",),
    "pt": ("um", "uma"),
    "fr": ("un",),
}


@cache
def _ordinals(locale: str) -> tuple[re.Pattern[str], dict[str, str]]:
    language = language_of(locale)
    table: dict[str, str] = {}
    if language in _EVERYDAY and has_words(locale):
        for number in range(100, 0, -1):
            if number not in _EVERYDAY[language]:
                cardinal = fold(say_whole(str(number), locale))
                table |= dict.fromkeys(_forms(number, locale), cardinal)
    phrases = "|".join(map(re.escape, sorted(table, key=len, reverse=True))) or "(?!)"
    whole = "".join(rf"(?<!\b{word} )" for word in _BEFORE_FRACTIONS.get(language, ()))
    return re.compile(rf"{whole}\b(?:{phrases})\b"), table


def _forms(number: int, locale: str) -> set[str]:
    said, language = say_ordinal(number, locale), language_of(locale)
    forms = {fold(said)}
    if language in {"es", "it", "pt"}:
        forms.add(fold(re.sub(r"o\b", "a", said)))
    if language == "de":
        forms |= {fold(said) + ending for ending in "nrsm"}
    return forms | {unaccented(form) for form in forms}
