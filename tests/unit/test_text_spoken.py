"""How figures, signs and addresses are said, language by language."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from clearspot.text.spoken import spoken_form

SAID = [
    # The offer of the demo spot, in its six languages.
    (
        "en-US",
        "Until Sunday, save 30% on your first order at lumencoffee.com.",
        "Until Sunday, save thirty percent on your first order at lumencoffee dot com.",
    ),
    (
        "es-ES",
        "Hasta el domingo, ahorra un 30 % en tu primer pedido en lumencoffee.com.",
        "Hasta el domingo, ahorra un treinta por ciento en tu primer pedido en lumencoffee punto com.",
    ),
    (
        "it-IT",
        "Fino a domenica risparmi il 30% sul primo ordine su lumencoffee.com.",
        "Fino a domenica risparmi il trenta per cento sul primo ordine su lumencoffee punto com.",
    ),
    (
        "pt-BR",
        "Até domingo, economize 30% no primeiro pedido em lumencoffee.com.",
        "Até domingo, economize trinta por cento no primeiro pedido em lumencoffee ponto com.",
    ),
    (
        "de-DE",
        "Bis Sonntag sparen Sie 30 % bei Ihrer ersten Bestellung auf lumencoffee.com.",
        "Bis Sonntag sparen Sie dreißig Prozent bei Ihrer ersten Bestellung auf lumencoffee Punkt com.",
    ),
    (
        "fr-FR",
        "Économisez 30 % sur votre première commande sur lumencoffee.com.",
        "Économisez trente pour cent sur votre première commande sur lumencoffee point com.",
    ),
    # And its legal line.
    ("en-US", "Offer ends June 30. Terms apply.", "Offer ends June thirty. Terms apply."),
    ("es-ES", "Oferta válida hasta el 30 de junio.", "Oferta válida hasta el treinta de junio."),
    ("it-IT", "Offerta valida fino al 30 giugno.", "Offerta valida fino al trenta giugno."),
    ("pt-BR", "Oferta válida até 30 de junho.", "Oferta válida até trinta de junho."),
    ("de-DE", "Angebot gültig bis 30. Juni. Es gelten", "Angebot gültig bis dreißigsten Juni. Es gelten"),
    ("fr-FR", "Offre valable jusqu'au 30 juin.", "Offre valable jusqu'au trente juin."),
    # Money.
    ("en-US", "Only $2.99!", "Only two dollars and ninety-nine cents!"),
    ("en-US", "$1, £3 or €0.50", "one dollar, three pounds or zero point five zero euros"),
    ("en-US", "$0.99 or 99¢", "ninety-nine cents or ninety-nine cents"),
    ("en-US", "a 50 dollar voucher", "a fifty dollar voucher"),
    ("en-US", "$2.5 million", "two point five million dollars"),
    ("en-US", "2 real friends", "two real friends"),
    ("en-GB", "£3.50 or 50p", "three pounds and fifty pence or fifty pence"),
    ("es-ES", "2,50 € o 21 €", "dos euros con cincuenta céntimos o veintiún euros"),
    ("es-ES", "101 € y 200 £", "ciento un euros y doscientas libras"),
    ("es-ES", "2 millones de euros", "dos millones de euros"),
    ("es-MX", "$2.50", "dos pesos con cincuenta centavos"),
    ("it-IT", "1 € o 2,50 €", "un euro o due euro e cinquanta centesimi"),
    ("pt-BR", "R$ 2,50", "dois reais e cinquenta centavos"),
    ("pt-PT", "16,20 €", "dezasseis euros e vinte cêntimos"),
    ("de-DE", "1 € oder 2,50 €", "ein Euro oder zwei Euro und fünfzig Cent"),
    ("fr-FR", "2,50 €", "deux euros et cinquante centimes"),
    # Separators are the locale's.
    ("en-US", "1,000 and 2.5", "one thousand and two point five"),
    ("es-ES", "1.000 y 2,5", "mil y dos coma cinco"),
    ("es-MX", "1,000 y 2.5", "mil y dos coma cinco"),
    ("it-IT", "1.000 e 2,5", "mille e due virgola cinque"),
    ("pt-PT", "1.000 e 2,05", "mil e dois vírgula zero cinco"),
    ("de-DE", "1.234,5", "eintausendzweihundertvierunddreißig Komma fünf"),
    ("fr-FR", "10 000 €", "dix mille euros"),
    ("es-ES", "al 900 123 456", "al novecientos ciento veintitrés cuatrocientos cincuenta y seis"),
    # Ordinals.
    ("en-US", "June 30th, our 1st", "June thirtieth, our first"),
    ("es-ES", "el 30.º", "el trigésimo"),
    ("fr-FR", "le 1er juin", "le premier juin"),
    # Signs and addresses.
    ("en-US", "Beans & cups", "Beans and cups"),
    ("en-US", "-20%, 10–20%", "minus twenty percent, ten to twenty percent"),  # noqa: RUF001
    ("en-US", "24/7 B2B", "twenty-four seven B two B"),
    ("en-US", "https://www.lumen-coffee.com/us", "www dot lumen dash coffee dot com slash us"),
    ("en-US", "Good morning.Start here.", "Good morning.Start here."),
    ("en-US", "hi@lumencoffee.com", "hi at lumencoffee dot com"),
    ("es-ES", "www.lumencoffee.com", "www punto lumencoffee punto com"),
    ("es-ES", "hola@lumencoffee.es", "hola arroba lumencoffee punto es"),
    ("de-DE", "shop24.de", "shop vierundzwanzig Punkt de"),
    # Figures of other scripts are figures; "1½" is not "11/2".
    ("en-US", "٣٠% ３０％ 1½", "thirty percent thirty percent one one two "),  # noqa: RUF001
    # Other languages: num2words where it can, figures where it cannot.
    ("pl-PL", "30%", "trzydzieści procent"),
    ("nl-NL", "30 % op lumencoffee.com", "dertig procent op lumencoffee punt com"),
    ("hi-IN", "30%", "30 प्रतिशत"),
    ("zh-CN", "30%", "百分之30"),
    ("xx", "30 apples", "30 apples"),
]


@pytest.mark.parametrize(("locale", "written", "said"), SAID)
def test_text_is_said(locale: str, written: str, said: str) -> None:
    assert spoken_form(written, locale) == said


@pytest.mark.parametrize("locale", ["en-US", "es-ES", "it-IT", "pt-BR", "de-DE", "fr-FR", "ja-JP", "ar"])
@pytest.mark.parametrize(
    "text", ["", "Hi, I'm Nora; really?", "🎉 Ya está…", "مرحبا بكم", "\ud800 x", "広告\uff0c声。"]
)
def test_text_without_figures_stays_as_it_is(text: str, locale: str) -> None:
    assert spoken_form(text, locale) == text


@pytest.mark.parametrize("text", ["9" * 500, "1." * 1000, "a." * 1000, "$" * 2000, "a@" * 1000, "9" * 5000])
def test_hostile_text_is_said_quickly(text: str) -> None:
    started_s = time.perf_counter()
    spoken_form(text, "en-US")
    assert time.perf_counter() - started_s < 2.0


def test_importing_loads_no_number_or_locale_library() -> None:
    code = (
        "import sys, clearspot.text.match;"
        "sys.exit(bool({'num2words', 'babel', 'numpy', 'rapidfuzz'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
