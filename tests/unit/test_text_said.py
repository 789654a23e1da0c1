"""What a line may sound like and still be the line that was approved."""

from __future__ import annotations

import pytest

from clearspot.text.match import match_lines
from clearspot.text.said import Said, hold_against
from tests.conftest import spread

NAMES = ("Lumen Coffee", "lumencoffee.com")

SAME = [
    ("en-US", "Offer ends June 30. Terms apply.", "Offer end June 30th, terms apply"),
    ("en-US", "save 30% at lumencoffee.com.", "Save thirty percent at Lumencofee .com"),
    ("es-ES", "Hola, soy Nora, de Lumen Coffee.", "Hola soy Nora de Lumencofe."),
    ("es-ES", "ahorra un 30 % en lumencoffee.com", "ahora un 30% en Lumencofe .com"),
    ("it-IT", "Fino a domenica risparmi il 30%", "fino ad omenica, risparmi il 30 %"),
    ("it-IT", "in piccoli lotti, a mano.", "in piccoli lotti amano"),
    ("pt-BR", "economize 30% em lumencoffee.com.", "economize 30 % em lumencofí .com."),
    ("pt-BR", "Oferta válida até 30 de junho.", "oferta válida até trinta de junho"),
    ("es-ES", "Llévate tres plantas y paga dos.", "Llévate tres plantas y pagados."),
    ("it-IT", "Da lunedì a giovedì.", "Dall 'une di a giovedì."),
    ("pt-BR", "Oferta válida até 31 de março.", "oferta válida até 30 e um de março."),
    ("pt-BR", "A partir de 25 euros por viagem.", "a partir de 20 e 5 euros por viagem"),
    ("pt-BR", "Seguro a partir de 25 euros por viagem.", "seguros a partir de 20 e 5 euros por viagem"),
    ("es-ES", "Este sábado, lleva tres plantas y paga dos.", "Este sábado llevate tres plantas y pagados."),
    ("es-ES", "Nova Energy, luz que entiendes.", "No va Energy, luz que entiendes."),
]

DIFFERENT = [
    ("es-ES", "Lleva tres plantas y paga dos.", "Lleva tres plantas y pagatres.", "numbers differ"),
    ("es-ES", "Nova va a más, cada día.", "Nova no va a más, cada día.", "denials differ"),
    ("en-US", "It is sold with sugar in it.", "It isn't sold with sugar in it.", "denials differ"),
    ("en-US", "Offer ends June 30.", "Offer ends July 30.", "approved 30, june, heard 30, july"),
    ("en-US", "Until Sunday, save 30%", "Until Monday, save 30%", "sunday"),
    ("en-US", "save 30% today", "save 13% today", "30 percent"),
    ("en-US", "save 30% today", "save 30 dollars today", "30 percent"),
    ("en-US", "save 30% today", "save today", "heard none"),
    ("en-US", "save on your order", "save 5% on your order", "approved none"),
    ("es-ES", "café tostado en pequeños lotes, a mano", "café tostado en pequeños lotes", "not heard: mano"),
    ("es-ES", "tostamos nuestro café con mucha paciencia", "tostamos nuestro café con mucha", "paciencia"),
    ("it-IT", "Offerta valida fino al 30 giugno.", "Offerta valida fino al 30 luglio.", "giugno"),
    ("pt-BR", "da Lumen Coffee para você", "da Luna Tea para você", "the name 'Lumen Coffee'"),
    ("en-US", "Terms apply.", "", "was not said"),
    ("es-ES", "Llévate tres plantas y paga dos.", "Llévate tres plantas y paga doce.", "heard 3, 12"),
    ("it-IT", "Da lunedì a giovedì.", "Da martedì a giovedì.", "approved lunedì, giovedì, heard martedì, giovedì"),
    ("pt-BR", "Oferta válida até 31 de março.", "oferta válida até 30 de março.", "heard 30, março"),
    ("pt-BR", "A partir de 25 euros por viagem.", "a partir de 20 e 6 euros por viagem", "25 euro"),
]


def said(locale: str, text: str, heard: str) -> Said:
    words = spread(heard, 0, 3) if heard else []
    return hold_against(text, match_lines([text], words, locale)[0], NAMES, locale)


@pytest.mark.parametrize(("locale", "text", "heard"), SAME)
def test_a_spelling_is_no_difference(locale: str, text: str, heard: str) -> None:
    assert said(locale, text, heard).difference(error_rate=0.2, name_closeness=0.6) == ""


@pytest.mark.parametrize(("locale", "text", "heard", "told"), DIFFERENT)
def test_another_word_is_one(locale: str, text: str, heard: str, told: str) -> None:
    assert told in said(locale, text, heard).difference(error_rate=0.1, name_closeness=0.6)


LONG = "Hand-roasted in small batches, delivered to your door every single week of the year."


@pytest.mark.parametrize(
    ("text", "heard", "added"),
    [
        (LONG, LONG, ()),
        (LONG, LONG.replace("delivered", "delivered free"), ("free",)),
        (LONG, LONG.replace("year.", "year. Hand-roasted"), ("hand", "roasted")),
        (LONG, f"Hello everybody. {LONG}", ("hello", "everybody")),
        (LONG, LONG.replace("small batches", "smell patches"), ()),  # misheard, not added
        (LONG, LONG.replace("every single week", "each and every week"), ()),  # nearly as long: lost, not added
    ],
)
def test_a_word_that_nobody_approved_is_one_however_long_the_line(
    text: str, heard: str, added: tuple[str, ...]
) -> None:
    """A word more in a line of eighty letters is an error rate of a twentieth."""
    got = said("en-US", text, heard)
    assert got.added == added
    assert got.addition == (f"heard besides: {', '.join(added)}; heard {heard!r}, approved {text!r}" if added else "")


@pytest.mark.parametrize(("locale", "text", "heard"), SAME)
def test_another_spelling_adds_nothing(locale: str, text: str, heard: str) -> None:
    assert said(locale, text, heard).added == ()


@pytest.mark.parametrize(
    ("locale", "text", "heard", "told"),
    [
        ("en-US", "This offer is not valid in Alaska.", "This offer is valid in Alaska.", "approved not, heard none"),
        ("en-US", "It isn't valid.", "It is valid.", "approved not, heard none"),
        ("es-ES", "La oferta no es válida.", "La oferta es válida.", "approved no, heard none"),
        ("es-ES", "Café con azúcar.", "Café sin azúcar.", "approved none, heard sin"),
        ("it-IT", "Non contiene zucchero.", "Contiene zucchero.", "approved non, heard none"),
        ("pt-BR", "Não contém açúcar.", "Contém açúcar.", "approved não, heard none"),
    ],
)
def test_a_denial_that_is_lost_turns_the_sentence_around(locale: str, text: str, heard: str, told: str) -> None:
    assert f"denials differ: {told}" in said(locale, text, heard).difference(error_rate=0.5, name_closeness=0.6)


@pytest.mark.parametrize(
    ("text", "heard"), [("It isn't valid.", "It is not valid."), ("You cannot lose.", "You can not lose.")]
)
def test_two_ways_to_deny_are_one(text: str, heard: str) -> None:
    assert said("en-US", text, heard).difference(error_rate=0.5, name_closeness=0.6) == ""


@pytest.mark.parametrize(
    ("locale", "text", "heard"),
    [
        ("en-US", "Ask Dr. Miller today.", "Ask Doctor Miller today."),
        ("es-ES", "Pregunte al Sr. García hoy.", "Pregunte al señor García hoy."),
        ("en-US", "Only 5 km from town.", "Only five kilometers from town."),
        ("es-ES", "Una bolsa de 250 g de café.", "Una bolsa de 250 gramos de café."),
        ("en-US", "Visit us on Main St. today.", "Visit us on Main Street today."),
    ],
)
def test_a_word_that_is_written_short_is_said_in_full(locale: str, text: str, heard: str) -> None:
    assert said(locale, text, heard).added == ()
    assert said(locale, text, f"{heard} Completamente gratis.").added
