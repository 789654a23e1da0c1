"""Numbers in words, read back: which number "two hundred and six" is, language by language."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from clearspot.text.amounts import powers
from clearspot.text.figures import has_words, say_whole
from clearspot.text.folding import fold, unaccented
from clearspot.text.languages import language_of

# "nine hundred and ninety nine thousand nine hundred and ninety nine million ..." is cut here.
MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Numerals:
    """The number words of a language.

    ``small`` has the numbers below a thousand by their folded words without spaces, ``words`` all
    single words that may be part of a number, ``ones`` the words for one that are articles as well.
    """

    small: dict[str, int]
    words: frozenset[str]
    scales: tuple[tuple[str, int], ...]
    joiner: str
    ones: frozenset[str]
    connectors: frozenset[str]

    def value(self, run: tuple[str, ...]) -> int | None:
        """The number a run of folded words says, None when it is not exactly one number."""
        if run[0] == self.joiner or run[-1] == self.joiner:
            return None
        return self._read("".join(run))

    def _read(self, key: str) -> int | None:
        value = self._parse(key)
        # "trentatré" ends in an accent or not, depending on who writes it.
        return value if value is not None or key.isascii() else self._parse(unaccented(key))

    def _parse(self, key: str) -> int | None:
        if key in self.small:
            return self.small[key]
        for word, exponent in self.scales:
            at = key.find(word)
            if at >= 0:
                value = self._split(key[:at], key[at + len(word) :], 10**exponent)
                if value is not None:
                    return value
        return None

    def _split(self, head: str, tail: str, size: int) -> int | None:
        many = self._parse(head) if head else 1
        if not many or many >= (1000 if size == 1000 else 10**6):
            return None
        rest = self._parse(tail) if tail else 0
        if rest is None and self.joiner and tail.startswith(self.joiner):
            rest = self._parse(tail.removeprefix(self.joiner))
        return None if rest is None or rest >= size or (tail and not rest) else many * size + rest

    def is_word(self, word: str) -> bool:
        """Whether a folded word may be part of a number: "hundred", "treinta", "zweitausend"."""
        if word in self.words:
            return True
        if not 0 < len(word) < 100:
            return False
        return self._read(word) is not None if self.scales else self._is_compound(word)

    def _is_compound(self, word: str) -> bool:
        """Whether a word is made of number words only, as Dutch "twaalfduizendvijfhonderd" is."""
        ends = {0}
        for end in range(2, len(word) + 1):
            if any(end - start >= 2 and word[start:end] in self.words for start in ends):
                ends.add(end)
        return len(word) in ends


@cache
def numerals(locale: str) -> Numerals:
    """The number words of ``locale``; empty where num2words has none."""
    language = language_of(locale)
    small: dict[str, int] = {}
    words: set[str] = set()
    for tag in (locale, *_COUSINS.get(language, ())) if has_words(locale) else ():
        for number in range(1000):
            said = fold(say_whole(str(number), tag))
            for form in _spellings(said, number, language):
                small.setdefault(form.replace(" ", ""), number)
                words.update(form.split())
    named = {fold(name): exponent for name, exponent in powers(locale).items() if exponent > 2}
    scales = named | {unaccented(name): exponent for name, exponent in named.items()}
    large = set(scales) if scales else _large_words(locale)
    joiner = _JOINERS.get(language, "")
    ordered = sorted(scales.items(), key=lambda scale: (-scale[1], -len(scale[0])))
    return Numerals(
        small=small,
        words=frozenset(words | large | {joiner} - {""}),
        scales=tuple(ordered),
        joiner=joiner,
        ones=_ONES.get(language, frozenset(key for key, number in small.items() if number == 1)),
        connectors=frozenset(word for word in words if word not in small),
    )


def _large_words(locale: str) -> set[str]:
    """The words of thousands and millions in a language whose grammar is not written here."""
    if not has_words(locale):
        return set()
    return {word for number in _LARGE for word in fold(say_whole(str(number), locale)).split()}


_LARGE = (1000, 2000, 5000, 10**6, 2 * 10**6, 5 * 10**6, 10**9)


# Other varieties whose numbers are understood as well.
_COUSINS = {"pt": ("pt", "pt-BR"), "fr": ("fr-BE", "fr-CH")}
_JOINERS = {"en": "and", "it": "e", "pt": "e", "de": "und"}
# English "one" is never an article, so it always counts.
_ONES = {
    "en": frozenset[str](),
    "es": frozenset({"un", "uno", "una"}),
    "it": frozenset({"un", "uno", "una"}),
    "pt": frozenset({"um", "uma"}),
    "de": frozenset({"ein", "eine", "einen", "einem", "einer", "eines", "eins"}),
    "fr": frozenset({"un", "une"}),
}


def _spellings(said: str, number: int, language: str) -> set[str]:
    forms = _VARIANTS.get(language, _same)(said, number)
    if number == 1:
        forms |= _ONES.get(language, frozenset())
    return forms | {unaccented(form) for form in forms}


def _same(said: str, number: int) -> set[str]:
    return {said}


def _english(said: str, number: int) -> set[str]:
    forms = {said, said.replace(" and ", " ")}
    return forms | {form.removeprefix("one ") for form in forms if number >= 100}


def _spanish(said: str, number: int) -> set[str]:
    forms = {said, re.sub(r"uno$", "un", said), re.sub(r"uno$", "una", said), re.sub(r"uno$", "ún", said)}
    if number == 100:
        forms.add("ciento")
    return forms | {re.sub(r"(cient|quinient)os", r"\1as", form) for form in forms}


def _italian(said: str, number: int) -> set[str]:
    return {said, re.sub(r"(?<=.)uno$", "un", said)}


def _portuguese(said: str, number: int) -> set[str]:
    forms = {said, said.replace("catorze", "quatorze")}
    forms |= {re.sub(r"\bum$", "uma", re.sub(r"\bdois$", "duas", form)) for form in forms}
    if number == 100:
        forms.add("cento")
    return forms | {re.sub(r"entos\b", "entas", form) for form in forms}


def _german(said: str, number: int) -> set[str]:
    forms = {said, re.sub(r"eins$", "ein", said), re.sub(r"eins$", "eine", said)}
    forms |= {form.removeprefix("ein") for form in forms if 100 <= number < 200}
    forms |= {re.sub(r"hundert(?=.)", "hundertund", form) for form in forms}
    return forms | {re.sub(r"zwei$", "zwo", form) for form in forms}


def _french(said: str, number: int) -> set[str]:
    forms = {said, said.replace("cents", "cent").replace("vingts", "vingt")}
    return forms | {re.sub(r"\bun$", "une", form) for form in forms}


_VARIANTS: dict[str, Callable[[str, int], set[str]]] = {
    "en": _english,
    "es": _spanish,
    "it": _italian,
    "pt": _portuguese,
    "de": _german,
    "fr": _french,
}
