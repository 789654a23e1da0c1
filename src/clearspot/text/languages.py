"""What is known of a locale: its vocabulary, its separators, its home currency."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from clearspot.text.vocabulary import BRL, CENT, CHF, EUR, GBP, JPY, MXN, USD, WRITTEN, Money, Vocabulary

if TYPE_CHECKING:
    from babel import Locale

CURRENCY_SIGNS = MappingProxyType(
    {
        "R$": BRL,
        "US$": USD,
        "€": EUR,
        "£": GBP,
        "¥": JPY,
        "EUR": EUR,
        "USD": USD,
        "GBP": GBP,
        "BRL": BRL,
        "MXN": MXN,
        "JPY": JPY,
        "CHF": CHF,
    }
)
_ISO_CODES = {EUR: "EUR", USD: "USD", GBP: "GBP", BRL: "BRL", MXN: "MXN", JPY: "JPY", CHF: "CHF"}
_PESO_TERRITORIES = frozenset({"MX", "AR", "CL", "CO", "UY", "DO", "CU", "PH"})
_EURO_TERRITORIES = frozenset({"AT", "BE", "DE", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "PT"})
_HOME_BY_TERRITORY = {"US": USD, "CA": USD, "AU": USD, "NZ": USD, "GB": GBP, "BR": BRL, "CH": CHF}
_HOME_BY_LANGUAGE = {"en": USD, "es": EUR, "it": EUR, "pt": BRL, "de": EUR, "fr": EUR, "nl": EUR}

# Languages that say "per cent" before the number.
PERCENT_FIRST = frozenset({"zh", "tr"})

# Of the languages without a table of their own: decimal, percent, dot, at, ampersand.
_SHORT = {
    "nl": ("komma", "procent", "punt", "apenstaartje", "en"),
    "pl": ("przecinek", "procent", "kropka", "małpa", "i"),
    "sv": ("komma", "procent", "punkt", "snabel-a", "och"),
    "da": ("komma", "procent", "punktum", "snabel-a", "og"),
    "no": ("komma", "prosent", "punktum", "krøllalfa", "og"),
    "ca": ("coma", "per cent", "punt", "arrova", "i"),
    "tr": ("virgül", "yüzde", "nokta", "et", "ve"),
    "ja": ("点", "パーセント", "ドット", "アット", "アンド"),
    "zh": ("点", "百分之", "点", "艾特", "和"),
    "ko": ("점", "퍼센트", "점", "골뱅이", "앤드"),
    "hi": ("दशमलव", "प्रतिशत", "डॉट", "ऐट", "और"),
}


def language_of(locale: str) -> str:
    """The lower-case language subtag of a locale tag: ``"pt"`` of ``"pt-BR"``."""
    return locale.replace("_", "-").split("-")[0].lower()


def territory_of(locale: str) -> str:
    """The upper-case two-letter territory of a locale tag, or the empty string."""
    parts = locale.replace("_", "-").split("-")[1:]
    return next((part.upper() for part in parts if len(part) == 2 and part.isalpha()), "")


def home_currency(locale: str) -> str:
    """The currency meant by a bare word such as "cents" in a locale, or the empty string."""
    territory = territory_of(locale)
    if territory in _PESO_TERRITORIES:
        return MXN
    if territory in _EURO_TERRITORIES:
        return EUR
    if territory:
        return _HOME_BY_TERRITORY.get(territory, "")
    return _HOME_BY_LANGUAGE.get(language_of(locale), "")


def currency_of_sign(sign: str, locale: str) -> str:
    """The currency a sign or ISO code stands for; ``$`` is the peso where pesos are spent."""
    if sign == "$":
        return MXN if territory_of(locale) in _PESO_TERRITORIES else USD
    return CURRENCY_SIGNS[sign.upper()]


@cache
def vocabulary(locale: str) -> Vocabulary:
    """The words for symbols in the language of ``locale``."""
    language = language_of(locale)
    if language in WRITTEN:
        return WRITTEN[language]()
    english = WRITTEN["en"]()
    decimal, percent, dot, at, ampersand = _SHORT.get(language, (".", "%", ".", "@", "&"))
    return Vocabulary(
        decimal=(decimal,),
        percent=(percent,),
        dot=dot,
        at=at,
        slash="/",
        dash="-",
        underscore="_",
        ampersand=ampersand,
        plus="plus",
        minus="minus",
        number="#",
        to="–",  # noqa: RUF001 - the range sign itself, where the word is not known
        cents_join=",",
        money=tuple((key, _money_of_babel(key, locale, money)) for key, money in english.money),
    )


def _money_of_babel(currency: str, locale: str, fallback: Money) -> Money:
    known = _babel_locale(locale)
    if known is None:
        return fallback
    from babel.numbers import get_currency_name

    code = _ISO_CODES[currency]
    return Money(
        get_currency_name(code, count=1, locale=known),
        get_currency_name(code, count=5, locale=known),
    )


@cache
def _babel_locale(locale: str) -> Locale | None:
    from babel import Locale, UnknownLocaleError

    for tag in (locale.replace("-", "_"), language_of(locale)):
        try:
            return Locale.parse(tag)
        except (UnknownLocaleError, ValueError):
            continue
    return None


@cache
def decimal_sign(locale: str) -> str:
    """``"."`` or ``","``: what separates the fraction in ``locale`` by CLDR, a point when unknown."""
    known = _babel_locale(locale)
    if known is None:
        return "."
    symbols = known.number_symbols
    decimal = symbols.get("latn", symbols).get("decimal", ".")
    return decimal if decimal in {".", ","} else "."


@cache
def money_words(locale: str) -> dict[str, str]:
    """Lower-case currency words of a language, each with its currency or ``"cent"``."""
    words: dict[str, str] = {}
    for _, money in vocabulary(locale).money:
        words.update({word.lower(): CENT for word in (money.cent, money.cents) if word})
    for currency, money in vocabulary(locale).money:
        words.update({money.one.lower(): currency, money.many.lower(): currency})
    if language_of(locale) != "pt":
        # "two real friends" are no money.
        words.pop("real", None)
    return words | {word: CENT for word in _EXTRA_CENTS.get(language_of(locale), ())}


# Names of the hundredth that are also heard, beside the ones we say.
_EXTRA_CENTS = {
    "es": ("centimo", "centimos", "cent", "cents"),
    "it": ("cent",),
    "pt": ("centimo", "centimos"),
    "fr": ("centime", "centimes"),
    "de": ("cents",),
}
