"""What each language calls the symbols of a script: the dot of an address, per cent, money."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """The names of one currency and of its hundredth; an empty ``cent`` means it has none."""

    one: str
    many: str
    cent: str = ""
    cents: str = ""
    feminine: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words one language says for symbols.

    Of a tuple the first is what is said; all of them are understood when heard.
    """

    decimal: tuple[str, ...]
    percent: tuple[str, ...]
    dot: str
    at: str
    slash: str
    dash: str
    underscore: str
    ampersand: str
    plus: str
    minus: str
    number: str
    to: str
    cents_join: str
    money: tuple[tuple[str, Money], ...]


EUR, USD, GBP, BRL, MXN, JPY, CHF = "euro", "dollar", "pound", "real", "peso", "yen", "franc"
CENT = "cent"
PERCENT = "percent"


def _english() -> Vocabulary:
    return Vocabulary(
        decimal=("point",),
        percent=("percent", "per cent"),
        dot="dot",
        at="at",
        slash="slash",
        dash="dash",
        underscore="underscore",
        ampersand="and",
        plus="plus",
        minus="minus",
        number="number",
        to="to",
        cents_join="and",
        money=(
            (EUR, Money("euro", "euros", "cent", "cents")),
            (USD, Money("dollar", "dollars", "cent", "cents")),
            (GBP, Money("pound", "pounds", "penny", "pence")),
            (BRL, Money("real", "reais", "centavo", "centavos")),
            (MXN, Money("peso", "pesos", "centavo", "centavos")),
            (JPY, Money("yen", "yen")),
            (CHF, Money("franc", "francs", "centime", "centimes")),
        ),
    )


def _spanish() -> Vocabulary:
    return Vocabulary(
        decimal=("coma", "punto"),
        percent=("por ciento", "por cien", "porciento"),
        dot="punto",
        at="arroba",
        slash="barra",
        dash="guion",
        underscore="guion bajo",
        ampersand="y",
        plus="más",
        minus="menos",
        number="número",
        to="a",
        cents_join="con",
        money=(
            (EUR, Money("euro", "euros", "céntimo", "céntimos")),
            (USD, Money("dólar", "dólares", "centavo", "centavos")),
            (GBP, Money("libra", "libras", "penique", "peniques", feminine=True)),
            (BRL, Money("real", "reales", "centavo", "centavos")),
            (MXN, Money("peso", "pesos", "centavo", "centavos")),
            (JPY, Money("yen", "yenes")),
            (CHF, Money("franco", "francos", "céntimo", "céntimos")),
        ),
    )


def _italian() -> Vocabulary:
    return Vocabulary(
        decimal=("virgola", "punto"),
        percent=("per cento", "percento"),
        dot="punto",
        at="chiocciola",
        slash="barra",
        dash="trattino",
        underscore="trattino basso",
        ampersand="e",
        plus="più",
        minus="meno",
        number="numero",
        to="a",
        cents_join="e",
        money=(
            (EUR, Money("euro", "euro", "centesimo", "centesimi")),
            (USD, Money("dollaro", "dollari", "centesimo", "centesimi")),
            (GBP, Money("sterlina", "sterline", "penny", "pence", feminine=True)),
            (BRL, Money("real", "real", "centavo", "centavos")),
            (MXN, Money("peso", "pesos", "centavo", "centavos")),
            (JPY, Money("yen", "yen")),
            (CHF, Money("franco", "franchi", "centesimo", "centesimi")),
        ),
    )


def _portuguese() -> Vocabulary:
    return Vocabulary(
        decimal=("vírgula", "ponto"),
        percent=("por cento", "porcento"),
        dot="ponto",
        at="arroba",
        slash="barra",
        dash="hífen",
        underscore="sublinhado",
        ampersand="e",
        plus="mais",
        minus="menos",
        number="número",
        to="a",
        cents_join="e",
        money=(
            (EUR, Money("euro", "euros", "cêntimo", "cêntimos")),
            (USD, Money("dólar", "dólares", "centavo", "centavos")),
            (GBP, Money("libra", "libras", "penny", "pence", feminine=True)),
            (BRL, Money("real", "reais", "centavo", "centavos")),
            (MXN, Money("peso", "pesos", "centavo", "centavos")),
            (JPY, Money("iene", "ienes")),
            (CHF, Money("franco", "francos", "cêntimo", "cêntimos")),
        ),
    )


def _german() -> Vocabulary:
    return Vocabulary(
        decimal=("Komma", "Punkt"),
        percent=("Prozent",),
        dot="Punkt",
        at="at",
        slash="Schrägstrich",
        dash="Bindestrich",
        underscore="Unterstrich",
        ampersand="und",
        plus="plus",
        minus="minus",
        number="Nummer",
        to="bis",
        cents_join="und",
        money=(
            (EUR, Money("Euro", "Euro", "Cent", "Cent")),
            (USD, Money("Dollar", "Dollar", "Cent", "Cent")),
            (GBP, Money("Pfund", "Pfund", "Penny", "Pence")),
            (BRL, Money("Real", "Real", "Centavo", "Centavos")),
            (MXN, Money("Peso", "Peso", "Centavo", "Centavos")),
            (JPY, Money("Yen", "Yen")),
            (CHF, Money("Franken", "Franken", "Rappen", "Rappen")),
        ),
    )


def _french() -> Vocabulary:
    return Vocabulary(
        decimal=("virgule", "point"),
        percent=("pour cent", "pourcent"),
        dot="point",
        at="arobase",
        slash="barre oblique",
        dash="tiret",
        underscore="tiret bas",
        ampersand="et",
        plus="plus",
        minus="moins",
        number="numéro",
        to="à",
        cents_join="et",
        money=(
            (EUR, Money("euro", "euros", "centime", "centimes")),
            (USD, Money("dollar", "dollars", "cent", "cents")),
            (GBP, Money("livre", "livres", "penny", "pence", feminine=True)),
            (BRL, Money("real", "reais", "centavo", "centavos")),
            (MXN, Money("peso", "pesos", "centavo", "centavos")),
            (JPY, Money("yen", "yens")),
            (CHF, Money("franc", "francs", "centime", "centimes")),
        ),
    )


WRITTEN = {
    "en": _english,
    "es": _spanish,
    "it": _italian,
    "pt": _portuguese,
    "de": _german,
    "fr": _french,
}
