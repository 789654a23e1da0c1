"""Which heard words belong to which approved line, and how near they are."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.text.match import closeness, heard_text, match_lines
from clearspot.text.normalise import normalise, number_runs
from clearspot.transcript import Word

# The demo spot with its disclosure, as approved.
DEMO = {
    "en-US": (
        "Hi, I'm Nora, from Lumen Coffee.",
        "Every morning we roast our beans in small batches, by hand.",
        "No shortcuts. No waste. Just coffee that tastes the way it should.",
        "Until Sunday, save 30% on your first order at lumencoffee.com.",
        "Lumen Coffee. Good mornings start here.",
        "Offer ends June 30. Terms apply.",
        "This ad uses an AI-generated voice.",
    ),
    "es-ES": (
        "Hola, soy Nora, de Lumen Coffee.",
        "Cada mañana tostamos nuestro café en pequeños lotes, a mano.",
        "Sin atajos. Sin desperdicio. Solo café que sabe como debe.",
        "Hasta el domingo, ahorra un 30 % en tu primer pedido en lumencoffee.com.",
        "Lumen Coffee. Las buenas mañanas empiezan aquí.",
        "Oferta válida hasta el 30 de junio. Se aplican condiciones.",
        "Este anuncio utiliza una voz generada por inteligencia artificial.",
    ),
    "it-IT": (
        "Ciao, sono Nora, di Lumen Coffee.",
        "Ogni mattina tostiamo il nostro caffè in piccoli lotti, a mano.",
        "Nessuna scorciatoia. Nessuno spreco. Solo caffè con il gusto che deve avere.",
        "Fino a domenica risparmi il 30% sul primo ordine su lumencoffee.com.",
        "Lumen Coffee. Il buongiorno comincia qui.",
        "Offerta valida fino al 30 giugno. Si applicano condizioni.",
        "Questo annuncio usa una voce generata dall'intelligenza artificiale.",
    ),
    "pt-BR": (
        "Oi, eu sou a Nora, da Lumen Coffee.",
        "Toda manhã torramos nossos grãos em pequenos lotes, à mão.",
        "Sem atalhos. Sem desperdício. Só café com o gosto que deve ter.",
        "Até domingo, economize 30% no primeiro pedido em lumencoffee.com.",
        "Lumen Coffee. As boas manhãs começam aqui.",
        "Oferta válida até 30 de junho. Consulte as condições.",
        "Este anúncio usa uma voz gerada por inteligência artificial.",
    ),
    "de-DE": (
        "Hallo, ich bin Nora von Lumen Coffee.",
        "Jeden Morgen rösten wir unsere Bohnen in kleinen Mengen, von Hand.",
        "Keine Abkürzungen. Keine Verschwendung. Nur Kaffee, der so schmeckt, wie er soll.",
        "Bis Sonntag sparen Sie 30 % bei Ihrer ersten Bestellung auf lumencoffee.com.",
        "Lumen Coffee. Hier beginnt ein guter Morgen.",
        "Angebot gültig bis 30. Juni. Es gelten die Geschäftsbedingungen.",
        "Diese Werbung verwendet eine KI-generierte Stimme.",
    ),
    "fr-FR": (
        "Bonjour, moi c'est Nora, de Lumen Coffee.",
        "Chaque matin, nous torréfions nos grains en petites quantités, à la main.",
        "Pas de raccourci. Pas de gaspillage. Juste un café qui a le goût qu'il doit avoir.",
        "Jusqu'à dimanche, économisez 30 % sur votre première commande sur lumencoffee.com.",
        "Lumen Coffee. Les bons matins commencent ici.",
        "Offre valable jusqu'au 30 juin. Voir conditions.",
        "Cette publicité utilise une voix générée par intelligence artificielle.",
    ),
}


def heard(*texts: str) -> list[Word]:
    """Words of half a second each, one after the other."""
    return [Word(text, index / 2, index / 2 + 0.4) for index, text in enumerate(texts)]


def spoken(lines: Sequence[str]) -> list[Word]:
    return heard(*(word for line in lines for word in line.split()))


@pytest.mark.parametrize("locale", DEMO)
def test_a_perfect_reading_matches_every_line(locale: str) -> None:
    matches = match_lines(DEMO[locale], spoken(DEMO[locale]), locale)
    assert [match.character_error_rate for match in matches] == [0.0] * 7
    assert [len(match.words) for match in matches] == [len(line.split()) for line in DEMO[locale]]
    assert all(match.heard == match.expected == normalise(match.expected, locale) for match in matches)


@pytest.mark.parametrize("locale", DEMO)
@pytest.mark.parametrize("style", ["bare", "words", "whisper"])
def test_the_spellings_of_a_recogniser_match(locale: str, style: str) -> None:
    offer = DEMO[locale][3].lower().replace(" %", "%").replace(",", "")
    percent = {"en": "percent", "es": "por ciento", "it": "per cento", "pt": "por cento", "de": "prozent"}
    if style == "words":
        offer = offer.replace("%", " " + percent.get(locale[:2], "pour cent"))
    texts = [f" {word}" for word in offer.split()]
    if style == "whisper":
        # Whisper parts words before punctuation: " 30", "%" and " lumencoffee", ".com.".
        texts = [part for text in texts for part in text.replace("%", "|%").replace(".com", "|.com").split("|")]
    words = [Word(text, 1.0 * index, 1.0 * index + 0.5) for index, text in enumerate(texts)]
    (match,) = match_lines([DEMO[locale][3]], words, locale)
    assert match.character_error_rate == 0.0
    assert number_runs(heard_text(match.words), locale) == ("30 percent",)


@pytest.mark.parametrize("locale", DEMO)
@pytest.mark.parametrize("dropped", range(7))
def test_a_line_left_out_is_missed_and_only_that(locale: str, dropped: int) -> None:
    lines = DEMO[locale]
    matches = match_lines(lines, spoken([*lines[:dropped], *lines[dropped + 1 :]]), locale)
    rates = [match.character_error_rate for match in matches]
    assert rates[dropped] == 1.0
    assert (matches[dropped].words, matches[dropped].start_s, matches[dropped].end_s) == ((), None, None)
    assert rates[:dropped] + rates[dropped + 1 :] == [0.0] * 6


def test_times_are_those_of_the_words() -> None:
    first, second = match_lines(["Good morning", "Terms apply"], spoken(["good morning terms apply"]), "en-US")
    assert (first.start_s, first.end_s, second.start_s, second.end_s) == (0.0, 0.9, 1.0, 1.9)


def test_extra_words_are_charged_to_a_neighbouring_line() -> None:
    words = spoken(["good morning", "subscribe now", "terms apply"])
    matches = match_lines(["Good morning.", "Terms apply."], words, "en-US")
    assert [word for match in matches for word in match.words] == words
    # "subscribenow" is twelve letters too many for a line of eleven or ten.
    assert sorted(match.character_error_rate for match in matches) in ([0.0, 12 / 11], [0.0, 12 / 10])


def test_a_tie_goes_to_the_line_that_has_the_word() -> None:
    first, second = match_lines(["go", "going"], heard("go"), "en-US")
    assert (first.heard, second.heard) == ("go", "")
    first, second = match_lines(["going", "go"], heard("go"), "en-US")
    assert (first.heard, second.heard) == ("", "go")


@pytest.mark.parametrize(
    ("texts", "joined", "runs"),
    [
        (("$2", ",99"), "$2,99", ("2.99 dollar",)),
        ((" only", " $2", ".99"), "only $2.99", ("2.99 dollar",)),
        (("30", "%"), "30 %", ("30 percent",)),
        (("lumencoffee", ".com"), "lumencoffee.com", ()),
        (("AI", "-generated"), "AI-generated", ()),
        (("save", "-20%"), "save -20%", ("-20 percent",)),
        ((), "", ()),
    ],
)
def test_words_cut_in_two_are_rejoined(texts: tuple[str, ...], joined: str, runs: tuple[str, ...]) -> None:
    assert heard_text(heard(*texts)) == joined
    assert number_runs(heard_text(heard(*texts)), "en-US") == runs


def test_a_price_cut_at_its_point_is_the_price() -> None:
    first, second = match_lines(["Only $2.99.", "Terms apply."], heard("only", "$2", ".99", "terms", "apply"), "en-US")
    assert (first.character_error_rate, second.character_error_rate) == (0.0, 0.0)


def test_nothing_heard() -> None:
    assert [match.character_error_rate for match in match_lines(["one line", ""], [], "en-US")] == [1.0, 0.0]


def test_no_lines_take_no_words() -> None:
    assert match_lines([], [], "en-US") == ()
    with pytest.raises(ValueError, match="2 words were heard but no line was expected"):
        match_lines([], heard("hello", "there"), "en-US")


@pytest.mark.parametrize("text", ["🎉", "\ud800", "مرحبا", "٣٠%", "...", "9" * 500, "word " * 400, "", "  "])
def test_hostile_words_are_all_attributed(text: str) -> None:
    words = heard(text, "hello", text, text, "bye", text)
    matches = match_lines(["hello", text, "bye"], words, "en-US")
    assert [word for match in matches for word in match.words] == words


ANY_WORD = st.sampled_from([*"abc", "ab", "...", "30", "%", "$2", ".99", "🎉", "go", "going", "", "\ud800"])


@given(
    lines=st.lists(st.text("ab go%3", max_size=12), min_size=1, max_size=5),
    texts=st.lists(ANY_WORD, max_size=14),
)
@settings(max_examples=200, deadline=None)
def test_every_word_is_attributed_once_and_in_order(lines: list[str], texts: list[str]) -> None:
    words = heard(*texts)
    matches = match_lines(lines, words, "en-US")
    assert len(matches) == len(lines)
    assert [word for match in matches for word in match.words] == words


@given(
    lines=st.lists(st.lists(st.text("abcde", min_size=1, max_size=4), min_size=1, max_size=4), min_size=1, max_size=4)
)
@settings(max_examples=100, deadline=None)
def test_a_perfect_reading_is_perfect_and_garbage_is_not(lines: list[list[str]]) -> None:
    said = [" ".join(line) for line in lines]
    words = spoken(said)
    assert {match.character_error_rate for match in match_lines(said, words, "en-US")} == {0.0}
    noisy = [*words[: len(words) // 2], Word("xyzzy", 0.0, 0.1), *words[len(words) // 2 :]]
    assert max(match.character_error_rate for match in match_lines(said, noisy, "en-US")) > 0


@given(
    lines=st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3), min_size=1, max_size=3),
    texts=st.lists(st.sampled_from(["a", "b", "c", "ab", "bc"]), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_the_total_distance_is_the_least_there_is(lines: list[list[str]], texts: list[str]) -> None:
    from itertools import combinations_with_replacement

    from rapidfuzz.distance import Levenshtein

    said = ["".join(line) for line in lines]
    cuts = combinations_with_replacement(range(len(texts) + 1), len(said) - 1)
    least = min(
        sum(
            Levenshtein.distance(line, "".join(texts[start:end]))
            for line, start, end in zip(said, (0, *cut), (*cut, len(texts)), strict=True)
        )
        for cut in cuts
    )
    matches = match_lines(said, heard(*texts), "es-ES")
    total = sum(match.character_error_rate * len(match.expected) for match in matches)
    assert round(total) == least


@pytest.mark.parametrize(("line_count", "word_count", "limit_s"), [(20, 300, 0.2), (60, 900, 2.0)])
def test_long_scripts_are_matched_in_time(line_count: int, word_count: int, limit_s: float) -> None:
    rng = random.Random(7)
    vocabulary = ["".join(rng.choices("abcdefghijklmno", k=rng.randint(2, 9))) for _ in range(400)]
    texts = rng.choices(vocabulary, k=word_count)
    per_line = word_count // line_count
    lines = [" ".join(texts[at : at + per_line]) for at in range(0, word_count, per_line)]
    noisy = [text if rng.random() > 0.1 else "um" for text in texts]
    match_lines(lines[:1], heard(*noisy[:1]), "en-US")
    fastest_s = 1e9
    for _ in range(3):
        started_s = time.perf_counter()
        match_lines(lines, heard(*noisy), "en-US")
        fastest_s = min(fastest_s, time.perf_counter() - started_s)
    # Continuous integration shares its processors: twice the target is still a failure worth seeing.
    assert fastest_s < 2 * limit_s


CLOSENESS = [
    ("Lumen Coffee", "Hola soy Nora de Lumencofe", "es-ES", 1 - 2 / 11),
    ("Lumen Coffee", "Hi, I'm Nora, from Lumen Coffee.", "en-US", 1.0),
    ("Lumen Coffee", "hi from lumencoffee", "en-US", 1.0),
    ("lumencoffee.com", "on lumen coffee dot com", "en-US", 1.0),
    ("lumencoffee.com", "en lumencoffee punto com", "es-ES", 1.0),
    ("Lumen Coffee", "", "en-US", 0.0),
    ("abc", "xyz", "en-US", 0.0),
    ("", "anything", "en-US", 1.0),
    ("🎉", "", "en-US", 1.0),
]


@pytest.mark.parametrize(("expected", "text", "locale", "value"), CLOSENESS)
def test_closeness_of_a_name_to_what_was_heard(expected: str, text: str, locale: str, value: float) -> None:
    assert closeness(expected, text, locale) == pytest.approx(value)


@given(
    name=st.text("abc", min_size=1, max_size=6),
    before=st.text("abcd", max_size=9),
    after=st.text("abcd", max_size=9),
)
@settings(max_examples=100, deadline=None)
def test_a_name_said_anywhere_is_exact(name: str, before: str, after: str) -> None:
    assert closeness(name, f"{before} {name} {after}", "en-US") == 1.0


def test_closeness_of_long_texts_is_quick() -> None:
    started_s = time.perf_counter()
    closeness("abcdefghij" * 10, "jihgfedcba" * 30, "en-US")
    assert time.perf_counter() - started_s < 0.5
