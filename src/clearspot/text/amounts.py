"""A number with its unit - per cent, money, an ordinal - in words that agree with each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from clearspot.text.figures import Figure, has_words, say_figure, say_ordinal, say_whole
from clearspot.text.languages import PERCENT_FIRST, home_currency, language_of, vocabulary
from clearspot.text.vocabulary import CENT, PERCENT, Money


@dataclass(frozen=True, slots=True)
class Amount:
    """A number found in figures.

    ``said`` is for a speech engine and ``counted`` for comparison: they differ for ordinals,
    which are compared as cardinals. ``digits`` is the value written one way (``"2.99"``) and
    ``unit`` is ``"percent"``, ``"cent"``, a currency, or empty.
    """

    said: str
    counted: str
    digits: str
    unit: str = ""


def plain_amount(figure: Figure, locale: str) -> Amount:
    """A number on its own."""
    words = say_figure(figure, locale)
    return Amount(words, words, figure.digits)


def percent_amount(figure: Figure, locale: str) -> Amount:
    """So many per cent."""
    number, percent = say_figure(figure, locale), vocabulary(locale).percent[0]
    if language_of(locale) in PERCENT_FIRST:
        number, percent = percent, number
    words = f"{number}{'' if language_of(locale) == 'zh' else ' '}{percent}"
    return Amount(words, words, figure.digits, PERCENT)


def ordinal_amount(figure: Figure, locale: str, suffix: str) -> Amount:
    """An ordinal in figures; ``suffix`` tells its gender (``ª``, ``re``) where there is one."""
    cardinal = say_figure(figure, locale)
    if figure.fraction or not has_words(locale) or len(figure.whole) > 4:
        return Amount(cardinal, cardinal, figure.digits)
    feminine = suffix.strip(".") in {"ª", "ra", "da", "ta", "ma", "va", "na", "re", "ère"}
    ordinal = say_ordinal(int(figure.whole), locale, feminine=feminine)
    if language_of(locale) == "de":
        # A date in German is nearly always in the dative: "am dreißigsten Juni".
        ordinal += "n"
    return Amount(ordinal, cardinal, figure.digits)


def money_amount(figure: Figure, currency: str, locale: str, scale: str = "") -> Amount:
    """An amount of money, its hundredths said as such when it is written with two of them.

    ``scale`` is the word of a power of ten between number and currency ("million").
    """
    money = dict(vocabulary(locale).money).get(currency)
    if currency == CENT or money is None:
        return _hundredths(figure, locale)
    digits, zero = figure.digits, figure.whole.strip("0") == ""
    if scale:
        words = f"{say_figure(figure, locale)} {scale} {_of(locale)}{money.many}"
        return Amount(words, words, scaled(digits, powers(locale)[scale.lower()]), currency)
    if len(figure.fraction) not in {0, 2} or not money.cents:
        words = f"{say_figure(figure, locale)} {money.many if digits != '1' else money.one}"
        return Amount(words, words, digits, currency)
    cents = figure.fraction.strip("0") and say_cents(figure.fraction, money, locale)
    if zero and cents and currency == home_currency(locale):
        return Amount(cents, cents, digits, currency)
    if zero and cents:
        words = f"{say_figure(figure, locale)} {money.many}"
        return Amount(words, words, digits, currency)
    words = _counted(figure, money.one, money.many, locale, feminine=money.feminine)
    if cents:
        words = f"{words} {vocabulary(locale).cents_join} {cents}"
    return Amount(words, words, digits, currency)


def named_money(figure: Figure, currency: str, word: str, locale: str) -> Amount:
    """A whole amount whose currency is a word: said as written, "a 50 dollar voucher"."""
    amount = money_amount(figure, currency, locale)
    if figure.fraction:
        return amount
    number = amount.counted.rpartition(" ")[0]
    return replace(amount, said=f"{number} {word}")


def say_cents(fraction: str, money: Money, locale: str) -> str:
    """The words of two digits of hundredths: ``"ninety-nine cents"``."""
    return _counted(Figure(str(int(fraction))), money.cent, money.cents, locale)


def _hundredths(figure: Figure, locale: str) -> Amount:
    home = dict(vocabulary(locale).money).get(home_currency(locale))
    if home is None or not home.cents:
        home = vocabulary(locale).money[0][1]
    if figure.fraction:
        words = f"{say_figure(figure, locale)} {home.cents}"
    else:
        words = _counted(figure, home.cent, home.cents, locale)
    return Amount(words, words, figure.digits, CENT)


def _counted(figure: Figure, one: str, many: str, locale: str, *, feminine: bool = False) -> str:
    number = say_whole(figure.whole, locale, grouped=figure.grouped)
    for pattern, agreeing in _AGREEMENT.get((language_of(locale), feminine), ()):
        number = re.sub(pattern, agreeing, number)
    return f"{number} {one if figure.whole == '1' else many}"


# How a number changes before a noun, by language and whether the noun is feminine: Spanish "veintiún
# euros", Portuguese "duas libras", German "ein Euro".
_AGREEMENT = {
    ("de", False): ((r"eins$", "ein"),),
    ("es", False): ((r"veintiuno$", "veintiún"), (r"\buno$", "un")),
    ("es", True): ((r"uno$", "una"), (r"(cient|quinient)os\b", r"\1as")),
    ("pt", True): ((r"\bum$", "uma"), (r"\bdois$", "duas"), (r"entos\b", "entas")),
    ("it", False): ((r"^uno$", "un"),),
    ("it", True): ((r"^uno$", "una"),),
    ("fr", True): ((r"\bun$", "une"),),
}


def _of(locale: str) -> str:
    return {"es": "de ", "pt": "de ", "it": "di ", "fr": "de "}.get(language_of(locale), "")


_POWERS = {
    "en": {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12},
    "es": {"mil": 3, "millón": 6, "millon": 6, "millones": 6, "billón": 12, "billon": 12, "billones": 12},
    "it": {"mila": 3, "mille": 3, "milione": 6, "milioni": 6, "miliardo": 9, "miliardi": 9, "bilioni": 12},
    "pt": {"mil": 3, "milhão": 6, "milhao": 6, "milhões": 6, "milhoes": 6, "bilhão": 9, "bilhões": 9}
    | {"bilião": 12, "biliões": 12, "trilhão": 12, "trilhões": 12},
    "de": {"tausend": 3, "million": 6, "millionen": 6, "milliarde": 9, "milliarden": 9}
    | {"billion": 12, "billionen": 12},
    "fr": {
        "mille": 3,
        "million": 6,
        "millions": 6,
        "milliard": 9,
        "milliards": 9,
        "billion": 12,
        "billions": 12,
    },
}


# Written right after a price in English: "£1.2m".
SHORT_POWERS = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion"}


def powers(locale: str) -> dict[str, int]:
    """The lower-case names of powers of ten in a language, each with its exponent."""
    return _POWERS.get(language_of(locale), {})


def scaled(digits: str, exponent: int) -> str:
    """``digits`` times ten to the ``exponent``, exact however long: on the text, not on floats."""
    whole, _, fraction = digits.partition(".")
    moved = fraction[:exponent].ljust(exponent, "0")
    rest = fraction[exponent:].rstrip("0")
    whole = (whole + moved).lstrip("0") or "0"
    return f"{whole}.{rest}" if rest else whole
