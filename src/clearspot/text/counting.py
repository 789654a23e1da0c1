"""The numbers and prices a text says, in one spelling each, for exact comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from clearspot.text.amounts import Amount, powers, scaled
from clearspot.text.figures import has_words
from clearspot.text.folding import cardinals_for_ordinals, fold
from clearspot.text.languages import home_currency, language_of, money_words, vocabulary
from clearspot.text.numerals import MOST_WORDS, Numerals, numerals
from clearspot.text.spoken import pieces
from clearspot.text.vocabulary import CENT, PERCENT

_PAUSE = re.compile(r"(?<!\bMio)(?<!\bMrd)[.,;:!?…()\"“”«»¿¡\n]+(?=\s|$)|[–—]")  # noqa: RUF001 - dashes are pauses
# "two dollars fifty", "dos euros con cincuenta": what may stand before hundredths without their name.
_BEFORE_BARE_CENTS = {"es": ("con",), "it": ("e",), "pt": ("e",)}
# "al menos 30" is at least thirty, not minus thirty.
_AT_LEAST = frozenset({"al", "au", "pelo", "du", "lo", "a", "per"})
_SHORT_POWERS = frozenset({"k", "m", "mm", "mn", "bn", "mio", "mrd", "md", "mill"})
# "$5-million" keeps its million; "2 € mil cafés" is two euros.
_MILLION = 6
_OF = frozenset({"de", "di", "d", "of"})


@dataclass(frozen=True, slots=True)
class _Token:
    """A folded word, an amount in figures, or - when both are empty - a pause."""

    word: str = ""
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """A number found at some token: its digits, its unit, and the index after it."""

    digits: str
    unit: str
    end: int
    article: bool = False


def number_runs(text: str, locale: str) -> tuple[str, ...]:
    """The numbers and prices said in ``text``, in order: ``("30 percent", "2.99 dollar")``.

    Spellings of one amount come out equal ("30 %", "thirty percent"); different amounts never do.
    A word that is also an article ("un", "eine") counts only with a unit or inside a longer number.
    Give it the text as written: once normalised, "20, 1" and "21" are the same words.

    Args:
        text: the text as approved or heard.
        locale: a BCP 47 tag.
    """
    reader = _Reader(_tokens(text, locale), locale)
    return reader.runs()


def _tokens(text: str, locale: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    for piece in pieces(text, locale):
        if isinstance(piece, Amount):
            tokens.append(_Token(amount=piece))
            continue
        for index, phrase in enumerate(_PAUSE.split(piece)):
            tokens.extend([_Token()] if index else [])
            folded = cardinals_for_ordinals(fold(phrase), locale)
            tokens.extend(_Token(word) for word in folded.split())
    return tuple(tokens)


class _Reader:
    """Reads amounts off a row of tokens."""

    def __init__(self, tokens: Sequence[_Token], locale: str) -> None:
        self._tokens = tokens
        self._locale = locale
        self._language = language_of(locale)
        self._numerals: Numerals = numerals(locale)
        self._minus = fold(vocabulary(locale).minus)
        self._decimals = frozenset(map(fold, vocabulary(locale).decimal))
        self._powers = {fold(word): exponent for word, exponent in powers(locale).items()}
        self._units = _units(locale)

    def runs(self) -> tuple[str, ...]:
        """Every amount, in its one spelling."""
        found: list[str] = []
        at, last_end = 0, -1
        while at < len(self._tokens):
            said = self._amount(at)
            if said is None:
                at += 1
                continue
            # After a number even an article counts: "venti uno" is more than twenty.
            if not said.article or said.unit or last_end == at:
                found.append(self._sign(at) + self._canonical(said))
            at = last_end = said.end
        return tuple(found)

    def _word(self, at: int) -> str:
        return self._tokens[at].word if 0 <= at < len(self._tokens) else ""

    def _sign(self, at: int) -> str:
        negative = self._word(at - 1) == self._minus and self._word(at - 2) not in _AT_LEAST
        return "-" if negative else ""

    def _canonical(self, said: _Said) -> str:
        digits, unit = said.digits, said.unit
        whole, _, fraction = digits.partition(".")
        if unit == home_currency(self._locale) and not whole.strip("0") and 0 < len(fraction) <= 2:
            # "$0.99" is said "ninety-nine cents".
            digits, unit = str(int(fraction.ljust(2, "0"))), CENT
        return f"{digits} {unit}".rstrip()

    def _amount(self, at: int) -> _Said | None:
        """The number at a token with its unit and hundredths."""
        number = self._number(at)
        if number is None:
            return None
        said = self._with_power(number if number.unit else self._with_fraction(number))
        return self._with_short_power(self._with_cents(self._with_unit(said)))

    def _number(self, at: int, below: int = 10**18) -> _Said | None:
        """The number at a token, without unit; in words it is at most so large."""
        if at >= len(self._tokens):
            return None
        amount = self._tokens[at].amount
        if amount is not None:
            return _Said(_figures(amount, self._locale), amount.unit, at + 1)
        run: list[str] = []
        while len(run) < MOST_WORDS and self._numerals.is_word(word := self._word(at + len(run))):
            run.append(word)
        if not powers(self._locale):
            return self._ungrammatical(run, at)
        for length in range(len(run), 0, -1):
            value = self._numerals.value(tuple(run[:length]))
            if value is not None and value < below:
                article = length == 1 and run[0] in self._numerals.ones
                return self._after_comma(_Said(str(value), "", at + length, article))
        return None

    def _ungrammatical(self, run: list[str], at: int) -> _Said | None:
        """The whole run, as its number below a thousand or else as its words.

        Where the grammar of larger numbers is not written down, cutting a run could make two
        different amounts equal.
        """
        while run and run[-1] in self._numerals.connectors:
            run.pop()
        if not run or run[0] in self._numerals.connectors:
            return None
        value = self._numerals.value(tuple(run))
        article = len(run) == 1 and run[0] in self._numerals.ones
        return _Said("".join(run) if value is None else str(value), "", at + len(run), article)

    def _after_comma(self, said: _Said) -> _Said:
        """The number with what follows a comma: in "one thousand, two hundred", not in "thirty, five"."""
        end = said.end
        if end >= len(self._tokens) or self._tokens[end] != _Token() or not said.digits.endswith("000"):
            return said
        rest = self._number(end + 1) if self._word(end - 1) in self._powers else None
        if rest is None or rest.unit or len(rest.digits) > 3 or not rest.digits.isdigit() or rest.article:
            return said
        if self._tokens[end + 1].amount is not None:
            return said
        return _Said(str(int(said.digits) + int(rest.digits)), "", rest.end)

    def _with_fraction(self, said: _Said) -> _Said:
        """The number with its fraction, the number words after "point"."""
        if self._word(said.end) not in self._decimals or not said.digits.isdigit():
            return said
        fraction, end = "", said.end + 1
        unit = ""
        while (part := self._number(end, below=1000)) is not None and part.digits.isdigit():
            fraction, end, unit = fraction + part.digits, part.end, part.unit
            if unit or len(part.digits) > 1:
                break
        if not fraction:
            return said
        kept = fraction if len(fraction) == 3 else fraction.rstrip("0")
        return _Said(f"{said.digits}.{kept}" if kept else said.digits, unit, end)

    def _with_power(self, said: _Said) -> _Said:
        """The number times the power of ten after it: "2 million", "2,5 Millionen"."""
        exponent = self._powers.get(self._word(said.end))
        if exponent is None or (said.unit and exponent < _MILLION) or not _is_decimal(said.digits):
            return said
        end = said.end + 1
        if self._word(end) in _OF and self._units.get((self._word(end + 1),)):
            end += 1
        return _Said(scaled(said.digits, exponent), said.unit, end)

    def _with_short_power(self, said: _Said) -> _Said:
        """The amount with "k", "m" or "Mio" after it, as part of its unit: "5k" is not five."""
        short = self._word(said.end)
        if short not in _SHORT_POWERS:
            return said
        after = self._with_unit(_Said(said.digits, "", said.end + 1))
        return _Said(said.digits, " ".join(f"{said.unit} {short} {after.unit}".split()), after.end)

    def _with_unit(self, said: _Said) -> _Said:
        if said.unit:
            return said
        end = said.end
        if self._word(end) in _OF and self._word(end - 1) in self._powers:
            end += 1
        for length in (2, 1):
            phrase = tuple(self._word(end + offset) for offset in range(length))
            unit = self._units.get(phrase)
            # "dos por cien euros" is two for a hundred euros.
            sold = length == 2 and (self._word(end + 2),) in self._units
            if unit and not sold:
                return _Said(said.digits, unit, end + length, said.article)
        return said

    def _with_cents(self, said: _Said) -> _Said:
        """The amount with its hundredths: "two dollars and 99 cents", "dos euros con cincuenta"."""
        if said.unit in {"", PERCENT, CENT} or not said.digits.isdigit():
            return said
        joiners = {fold(vocabulary(self._locale).cents_join), fold(vocabulary(self._locale).ampersand)}
        joined = self._word(said.end) in joiners
        rest = self._number(said.end + joined)
        rest = rest if rest is None or rest.unit else self._with_unit(rest)
        if rest is None or not rest.digits.isdigit() or len(rest.digits) > 2:
            return said
        bare = not joined or self._word(said.end) in _BEFORE_BARE_CENTS.get(self._language, ())
        named = rest.unit == CENT
        if not named and (rest.unit or not bare or len(rest.digits) < 2):
            return said
        fraction = rest.digits.rjust(2, "0").rstrip("0")
        return _Said(f"{said.digits}.{fraction}" if fraction else said.digits, said.unit, rest.end)


def _figures(amount: Amount, locale: str) -> str:
    """The digits of an amount, or its words where words of that size are not read back to digits."""
    if powers(locale) or not has_words(locale) or not amount.digits.isdigit() or len(amount.digits) < 4:
        return amount.digits
    return fold(amount.counted).replace(" ", "") if not amount.unit else amount.digits


def _is_decimal(digits: str) -> bool:
    return digits.replace(".", "", 1).isdigit() and digits.isascii()


@cache
def _units(locale: str) -> dict[tuple[str, ...], str]:
    """Folded phrases of units, each with its name."""
    units = {tuple(fold(word).split()): unit for word, unit in money_words(locale).items()}
    units |= {tuple(fold(phrase).split()): PERCENT for phrase in vocabulary(locale).percent}
    return units
