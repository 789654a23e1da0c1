"""Text as it is said: figures, signs and addresses in words, punctuation kept for its prosody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from clearspot.text.amounts import (
    SHORT_POWERS,
    Amount,
    money_amount,
    named_money,
    ordinal_amount,
    percent_amount,
    plain_amount,
    powers,
)
from clearspot.text.figures import has_words, read_figure
from clearspot.text.languages import (
    CURRENCY_SIGNS,
    currency_of_sign,
    language_of,
    money_words,
    territory_of,
    vocabulary,
)

# Endings that make "Good.Morning" a missing space and "lumencoffee.com" an address.
_TOP_LEVELS = (
    "com|net|org|info|biz|shop|store|coffee|app|dev|online|site|tech|club|eu|io|ai|co|tv|me"
    "|us|uk|ca|au|ie|es|mx|ar|cl|pe|it|pt|br|de|at|ch|fr|be|nl|pl|se|dk|jp|cn|in"
)
_WEB = (
    r"(?<![\w.@-])(?:https?://)?"
    rf"(?:(?:www\.)(?:[\w-]+\.)*[\w-]+|(?:[\w-]+\.)+(?:{_TOP_LEVELS}))(?![\w-]|\.\w)(?:/[\w./-]*[\w/])?"
)
_EMAIL = rf"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+(?:{_TOP_LEVELS})(?![\w-])"
# A no-break or thin space always groups thousands. A plain one may part two numbers: it groups one
# triple only ("10 000"), so that "900 123 456" stays the telephone number it is.
_HARD_SPACE = "\u00a0\u2009\u202f"
_HARD_GROUPED = rf"[1-9]\d{{0,2}}(?:[{_HARD_SPACE}'’]\d{{3}})+(?!\d)"  # noqa: RUF001
_SOFT_GROUPED = r"(?<!\d )[1-9]\d{0,2} \d{3}(?! ?\d)"
_ORDINALS = {
    "en": r"(?:st|nd|rd|th)\b",
    "es": r"(?:\.?[ºª]|°(?!\w)|(?:er|r[oa]|d[oa]|t[oa]|m[oa]|v[oa]|n[oa])\b)",
    "it": r"(?:\.?[ºª]|°(?! ?\w))",
    "pt": r"(?:\.?[ºª]|°(?!\w))",
    "de": r"\.(?= (?:Jan|Feb|März|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez))",
    "fr": r"(?:er|re|ère|ème|eme|e|nde|nd)\b",
}
_SPACELESS = frozenset({"ja", "zh", "th"})

Piece = str | Amount


def spoken_form(text: str, locale: str) -> str:
    """``text`` as a voice says it in ``locale``: ``"save 30%"`` becomes ``"save thirty percent"``.

    Figures, money, per cent, ordinals, addresses and signs become words; sentence punctuation stays,
    since a speech engine takes its prosody from it. Text without figures or signs comes back as it is.

    Args:
        text: the text as approved or heard.
        locale: a BCP 47 tag; its language chooses the words, its territory separators and money.
    """
    return join_pieces([piece if isinstance(piece, str) else piece.said for piece in pieces(text, locale)], locale)


def join_pieces(said: list[str], locale: str) -> str:
    """The pieces in one text, a space between words that would otherwise touch."""
    spaceless = language_of(locale) in _SPACELESS
    joined = ""
    for part in said:
        touching = joined and part and joined[-1].isalnum() and part[0].isalnum()
        joined += f" {part}" if touching and not spaceless else part
    return joined


def pieces(text: str, locale: str) -> list[Piece]:
    """``text`` cut into plain wording and the amounts found in it, in order."""
    plain = _plain_signs(text)
    found: list[Piece] = []
    end = 0
    for match in _pattern(locale).finditer(plain):
        found.append(plain[end : match.start()])
        found.extend(_said(match, plain, locale))
        end = match.end()
    return [*found, plain[end:]]


def _plain_signs(text: str) -> str:
    """Every figure and sign in its ASCII form, so that "٣٠%", "３０％" and "30%" are one."""  # noqa: RUF002
    if text.isascii():
        return text
    # Wide commas and points are punctuation, save between figures.
    narrow = re.sub(r"(?<=\d)[，．](?=\d)", lambda wide: unicodedata.normalize("NFKC", wide.group()), text)  # noqa: RUF001
    return "".join(map(_plain_sign, narrow))


# Marks that nobody says, and the minus signs that are not hyphens.
_SIGNS = {"™": "", "℠": "", "®": "", "©": "", "−": "-", "﹣": "-", "－": "-"}  # noqa: RUF001


@cache
def _plain_sign(char: str) -> str:
    if char in "ºª" or char.isascii():
        return char
    if char in _SIGNS:
        return _SIGNS[char]
    if unicodedata.category(char) == "Nd":
        return str(unicodedata.digit(char))
    plain = unicodedata.normalize("NFKC", char)
    if plain != char and len(plain) == 1 and plain in "%$€£¥&@#+":
        return plain
    # "1½" is not "11/2" and "10²" is not "102".
    return f" {plain} ".replace("\u2044", "/") if re.search(r"[0-9]", plain) else char


@cache
def _pattern(locale: str) -> re.Pattern[str]:
    language = language_of(locale)
    # Figures that stay figures must not grow together once their punctuation is gone.
    soft = "" if language == "en" or not has_words(locale) else f"|{_SOFT_GROUPED}"
    number = rf"(?:{_HARD_GROUPED}{soft}|\d++)(?:[.,]\d+)*"
    signs = "|".join(re.escape(sign) for sign in ("US$", "R$", "$", "€", "£", "¥"))
    codes = "|".join(code for code in CURRENCY_SIGNS if code.isalpha())
    # The longest first, or "euro" would leave the "s" of "euros".
    names = "|".join(sorted(map(re.escape, money_words(locale)), key=len, reverse=True))
    pence = r"|p\b" if territory_of(locale) == "GB" else ""
    scales = "|".join(sorted(powers(locale), key=len, reverse=True)) or r"(?!)"
    suffix = rf"[ {_HARD_SPACE}]?(?:(?P<percent>%)|(?P<after>{signs}|¢|(?:{codes}|{names})\b{pence}))"
    scaled = rf"[ {_HARD_SPACE}](?P<scale>{scales})\b"
    short = rf"|(?P<short>{'|'.join(SHORT_POWERS)})\b" if language == "en" else ""
    return re.compile(
        rf"(?P<email>{_EMAIL})|(?P<web>{_WEB})"
        rf"|(?P<before>(?<![\w])(?:{codes})|{signs})[ {_HARD_SPACE}]?(?P<price>{number})(?:{scaled}{short})?"
        rf"|(?P<number>{number})(?:{suffix}|(?P<ordinal>{_ORDINALS.get(language, '(?!)')}))?"
        rf"|(?P<minus>(?<![^\s(\[])-[ {_HARD_SPACE}]?(?=(?:{signs})?\d))"
        r"|(?P<range>(?<=[\d%€]) ?– ?(?=[$€£]?\d))"  # noqa: RUF001
        r"|(?P<pause>(?<=\d)[-:/](?=\d))"
        rf"|(?P<sign>{signs}|[%&+]|#(?=\d)|@(?=\w))",
        re.IGNORECASE,
    )


def _said(match: re.Match[str], text: str, locale: str) -> Iterator[Piece]:
    kind, words = match.lastgroup or "", vocabulary(locale)
    groups = match.groupdict()
    if groups["email"] or groups["web"]:
        yield from _address(match.group(), locale)
    elif groups["price"]:
        scale = groups["scale"] or SHORT_POWERS.get((groups.get("short") or "").lower(), "")
        yield from _price(groups["price"], groups["before"], scale, locale)
    elif groups["number"]:
        yield from _number(groups, locale)
    elif kind == "minus":
        yield f"{words.minus} "
    elif kind == "range":
        yield f" {words.to} "
    elif kind == "pause":
        yield " "
    else:
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        said = _sign(match.group(), locale)
        yield (" " if before.isalnum() else "") + said + (" " if after.isalnum() or after == "(" else "")


def _sign(sign: str, locale: str) -> str:
    words = vocabulary(locale)
    named = {
        "%": words.percent[0],
        "&": words.ampersand,
        "+": words.plus,
        "#": words.number,
        "@": words.at,
    }
    if sign in named:
        return named[sign]
    return dict(words.money)[currency_of_sign(sign, locale)].many


def _price(written: str, sign: str, scale: str, locale: str) -> Iterator[Piece]:
    figure = read_figure(written, locale)
    if figure is None:
        yield f"{_sign(sign, locale)} "
        yield from _parts(written, locale)
    else:
        yield money_amount(figure, currency_of_sign(sign, locale), locale, scale)


def _number(groups: dict[str, str | None], locale: str) -> Iterator[Piece]:
    written = groups["number"] or ""
    figure, after = read_figure(written, locale), groups["after"]
    if figure is None:
        yield from _parts(written, locale)
        yield f" {after or ''}{_sign('%', locale) if groups['percent'] else ''}".rstrip()
    elif groups["percent"]:
        yield percent_amount(figure, locale)
    elif after:
        currency, named = _currency(after, locale), after.lower() in money_words(locale)
        if named:
            yield named_money(figure, currency, after, locale)
        else:
            yield money_amount(figure, currency, locale)
    elif groups["ordinal"]:
        yield ordinal_amount(figure, locale, groups["ordinal"])
    else:
        yield plain_amount(figure, locale)


def _currency(written: str, locale: str) -> str:
    if written in {"¢", "p"}:
        return "cent"
    named = money_words(locale).get(written.lower())
    return named or currency_of_sign(written, locale)


def _parts(written: str, locale: str) -> Iterator[Piece]:
    """The numbers of a date or a version, apart."""
    for part in re.split(r"(\D+)", written):
        figure = read_figure(part, locale) if part.isdigit() else None
        yield plain_amount(figure, locale) if figure else ", "


def _address(written: str, locale: str) -> Iterator[Piece]:
    words = vocabulary(locale)
    names = {".": words.dot, "@": words.at, "/": words.slash, "-": words.dash, "_": words.underscore}
    bare = re.sub(r"^https?://", "", written, flags=re.IGNORECASE).rstrip("/")
    for part in re.split(r"(\d+|[.@/_+-])", bare):
        if part.isdigit():
            yield from _parts(part, locale)
        else:
            yield f" {names.get(part, words.plus)} " if part and not part[0].isalnum() else part
