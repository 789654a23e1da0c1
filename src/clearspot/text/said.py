"""What was heard of one line, held against what was approved.

Numbers, prices, dates and denials must agree exactly, protected names closely, every word at least in half of its
letters, and the whole within an error rate. The rate alone would let "July 30" pass for "June 30".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearspot.text.folding import unaccented
from clearspot.text.match import LineMatch, closeness, heard_text
from clearspot.text.normalise import normalise, number_runs

WORD_LETTERS = 4
"""Shorter words are left to the error rate: recognisers join and split them freely."""

WORD_SHARE = 0.5
"""A word counts as heard when at least this share of its letters was."""

DENIALS: Mapping[str, frozenset[str]] = {
    "en": frozenset(["no", "not", "never", "nor", "none", "nobody", "nothing", "neither", "without", "cannot"]),
    "es": frozenset(["no", "sin", "nunca", "jamás", "ni", "nadie", "nada", "tampoco", "ningún", "ninguno", "ninguna"]),
    "it": frozenset(["no", "non", "senza", "mai", "nessun", "nessuno", "nessuna", "niente", "nulla", "neanche"]),
    "pt": frozenset(["não", "sem", "nunca", "jamais", "nem", "ninguém", "nada", "nenhum", "nenhuma"]),
    "de": frozenset(
        ["nicht", "kein", "keine", "keinen", "keinem", "keiner", "nie", "niemals", "ohne", "nein", "nichts"]
    ),
    "fr": frozenset(["ne", "pas", "non", "sans", "jamais", "ni", "aucun", "aucune", "rien", "personne"]),
}
"""Words that turn a sentence around. Most are too short for the other rules, and an error rate hardly sees them."""

NAME_LETTERS = 5
"""A calendar name this long is found inside joined words too ("adomenica")."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line as it was heard.

    ``exact`` and ``exact_heard`` are the numbers, prices and calendar names approved and heard; ``names`` is each
    protected name that the line holds with its closeness (0..1, 1 is exact); ``lost`` are the words not heard;
    ``denials`` are the words such as "not" and "without"; ``error_rate`` is the character error rate.
    """

    text: str
    heard: str
    error_rate: float
    exact: tuple[str, ...]
    exact_heard: tuple[str, ...]
    names: tuple[tuple[str, float], ...]
    lost: tuple[str, ...]
    denials: tuple[str, ...] = ()
    denials_heard: tuple[str, ...] = ()

    def difference(self, *, error_rate: float, name_closeness: float) -> str:
        """What is wrong with it, in words; empty where it is within the limits."""
        if not self.heard:
            return "was not said"
        held = {"numbers": (self.exact, self.exact_heard), "denials": (self.denials, self.denials_heard)}
        for what, (approved, heard) in held.items():
            if approved != heard:
                listed, listed_heard = (", ".join(each) or "none" for each in (approved, heard))
                return f"{what} differ: approved {listed}, heard {listed_heard} in {self.heard!r}"
        for name, close in self.names:
            if close < name_closeness:
                return (
                    f"the name {name!r} was not heard in {self.heard!r} (closeness {close:.2f}, at least "
                    f"{name_closeness:g})"
                )
        if self.lost:
            return f"not heard: {', '.join(self.lost)}; heard {self.heard!r}, approved {self.text!r}"
        if self.error_rate > error_rate:
            return (
                f"heard {self.heard!r} (error rate {self.error_rate:.2f}, at most {error_rate:g}), "
                f"approved {self.text!r}"
            )
        return ""


def hold_against(text: str, match: LineMatch, protected: Sequence[str], locale: str) -> Said:
    """One approved line against the words that were attributed to it."""
    heard = heard_text(match.words)
    expected = normalise(text, locale).replace(" ", "")
    exact, denials = (*number_runs(text, locale), *_calendar(text, locale)), _denials(text, locale)
    # Where every letter is the same, so is what was said: "pagados" is "paga dos", "20 e 5" is "25" in Portuguese.
    letter_by_letter = expected == match.heard.replace(" ", "")
    return Said(
        text=text,
        heard=heard,
        error_rate=match.character_error_rate,
        exact=exact,
        exact_heard=exact if letter_by_letter else (*number_runs(heard, locale), *_calendar(heard, locale)),
        names=tuple(
            (name, closeness(name, heard, locale))
            for name in protected
            if normalise(name, locale).replace(" ", "") in expected
        ),
        denials=denials,
        denials_heard=denials if letter_by_letter else _denials(heard, locale),
        lost=_lost_words(normalise(text, locale), normalise(heard, locale), _words_of(protected, locale)),
    )


def _denials(text: str, locale: str) -> tuple[str, ...]:
    """The words of denial in a text, in order; English contractions (isn't) count as "not"."""
    language = locale.split("-", maxsplit=1)[0]
    known = DENIALS.get(language, frozenset())
    found = []
    for word in normalise(re.sub(r"n['\u2019]t\b", " not", text) if language == "en" else text, locale).split():
        if word in known:
            found.append("not" if word == "cannot" else word)
    return tuple(found)


def _words_of(texts: Sequence[str], locale: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in normalise(text, locale).split())


def _lost_words(expected: str, heard: str, excused: frozenset[str]) -> tuple[str, ...]:
    """The words of ``expected`` (normalised) of which less than half was heard; protected names are excused here."""
    from rapidfuzz.distance import Levenshtein

    joined = expected.replace(" ", "")
    found = [False] * len(joined)
    for block in Levenshtein.opcodes(joined, heard.replace(" ", "")):
        if block.tag == "equal":
            found[block.src_start : block.src_end] = [True] * (block.src_end - block.src_start)
    lost, at = [], 0
    for word in expected.split():
        share = sum(found[at : at + len(word)]) / len(word)
        if len(word) >= WORD_LETTERS and share < WORD_SHARE and word not in excused:
            lost.append(word)
        at += len(word)
    return tuple(lost)


def _calendar(text: str, locale: str) -> tuple[str, ...]:
    """The months and days of the week that a text names, in their order in the text; accents come and go."""
    said = unaccented(normalise(text, locale))
    joined, words = said.replace(" ", ""), said.split()
    found = [
        (joined.find(plain), name)
        for plain, name in _calendar_names(locale).items()
        if (plain in joined if len(plain) >= NAME_LETTERS else plain in words)
    ]
    return tuple(name for _, name in sorted(found))


@functools.cache
def _calendar_names(locale: str) -> Mapping[str, str]:
    """Months and days of the week in a locale, normalised, by the same without accents."""
    from babel.dates import get_day_names, get_month_names

    tag = locale.replace("-", "_")
    names = (*get_month_names("wide", locale=tag).values(), *get_day_names("wide", locale=tag).values())
    spelt = (normalise(name, locale).replace(" ", "") for name in names)
    return {unaccented(name): name for name in spelt}
