"""A number written in figures: which number it is in a locale, and how it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from clearspot.text.languages import decimal_sign, language_of, territory_of, vocabulary

# A bare number of so many digits is a telephone or customer number, said digit by digit.
_DIALLED_DIGITS = 7
# num2words knows names of powers of ten up to here in every language we use.
_NAMED_DIGITS = 12
# "two point oh five": these say a fraction digit by digit, the others as a number.
_DIGITWISE_FRACTION = frozenset({"en", "de"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A non-negative number as written: decimal digits before and after the decimal sign."""

    whole: str
    fraction: str = ""
    grouped: bool = False

    @property
    def digits(self) -> str:
        """The value, written one way; two figures are equal when these are.

        A fraction of exactly three digits keeps its zeros: ``1,000`` may have been a thousand
        to whoever wrote it, so it must equal neither 1 nor 1000 by accident.
        """
        fraction = self.fraction if len(self.fraction) == 3 else self.fraction.rstrip("0")
        return f"{self.whole}.{fraction}" if fraction else self.whole


def read_figure(written: str, locale: str) -> Figure | None:
    """The number ``written`` stands for, or None when it is no one number (a date, a version)."""
    compact = re.sub(r"[\s'’]", "", written)  # noqa: RUF001 - the Swiss group with this sign
    spaced = compact != written
    signs = [char for char in compact if char in ".,"]
    if not signs:
        return Figure(compact, grouped=spaced)
    last = signs[-1]
    head, _, tail = compact.rpartition(last)
    if len(set(signs)) == 2:
        grouped = signs.count(last) == 1 and _is_grouped(head, locale)
        return Figure(re.sub(r"[.,]", "", head), tail, grouped=True) if grouped else None
    if len(signs) > 1:
        return Figure(re.sub(r"[.,]", "", compact), grouped=True) if _is_grouped(compact, locale) else None
    if last != decimal_sign(locale) and _is_grouped(compact, locale):
        return Figure(head + tail, grouped=True)
    return Figure(head, tail, grouped=spaced)


def _is_grouped(written: str, locale: str) -> bool:
    by_two = language_of(locale) == "hi" or territory_of(locale) == "IN"
    middle = r"\d{2,3}" if by_two else r"\d{3}"
    return re.fullmatch(rf"[1-9]\d{{0,2}}([.,]{middle})*[.,]\d{{3}}", written) is not None


def say_figure(figure: Figure, locale: str) -> str:
    """The words of a number: ``"two point five"``, ``"treinta"``; figures where we have no words."""
    whole = say_whole(figure.whole, locale, grouped=figure.grouped)
    if not figure.fraction:
        return whole
    if not has_words(locale):
        return f"{figure.whole}{decimal_sign(locale)}{figure.fraction}"
    return f"{whole} {vocabulary(locale).decimal[0]} {_say_fraction(figure.fraction, locale)}"


def _say_fraction(digits: str, locale: str) -> str:
    zeros = len(digits) - len(digits.lstrip("0"))
    if language_of(locale) in _DIGITWISE_FRACTION or len(digits) - zeros > 2 or zeros == len(digits):
        return _say_digits(digits, locale)
    return " ".join([*([_named(0, locale)] * zeros), _named(int(digits), locale)])


def say_whole(digits: str, locale: str, *, grouped: bool = False) -> str:
    """The words of a whole number; long bare ones and those with leading zeros digit by digit."""
    if not has_words(locale):
        return digits
    dialled = not grouped and len(digits) >= _DIALLED_DIGITS and not digits.endswith("000")
    padded = len(digits) > 1 and digits.startswith("0")
    if dialled or padded or len(digits) > _NAMED_DIGITS:
        return _say_digits(digits, locale)
    return _named(int(digits), locale)


def say_ordinal(number: int, locale: str, *, feminine: bool = False) -> str:
    """The words of an ordinal; the cardinal where num2words has no ordinal."""
    from num2words import num2words

    try:
        words = str(num2words(number, lang=str(_num2words_language(locale)), to="ordinal"))
    except (NotImplementedError, IndexError, KeyError, ValueError, OverflowError):
        return _named(number, locale)
    if feminine and language_of(locale) in {"es", "it", "pt"}:
        return re.sub(r"o\b", "a", words)
    if feminine and words == "premier":
        return "première"
    return words


def has_words(locale: str) -> bool:
    """Whether num2words can say numbers in the language of ``locale``."""
    return _num2words_language(locale) is not None


@cache
def _num2words_language(locale: str) -> str | None:
    from num2words import CONVERTER_CLASSES

    language = language_of(locale)
    for name in (f"{language}_{territory_of(locale)}", language):
        # Regional Spanish differs from "es" only in its currency.
        if name in CONVERTER_CLASSES and not name.startswith("es_"):
            return str(name)
    return None


def _say_digits(digits: str, locale: str) -> str:
    return " ".join(_named(int(digit), locale) for digit in digits)


@lru_cache(maxsize=4096)
def _named(number: int, locale: str) -> str:
    from num2words import num2words

    language = _num2words_language(locale)
    if language is None:
        return str(number)
    try:
        return str(num2words(number, lang=language)).replace(",", "")
    except (NotImplementedError, IndexError, KeyError, ValueError, OverflowError):
        return str(number)
