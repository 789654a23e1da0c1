"""What was heard of one line, held against what was approved.

Numbers, prices, dates and denials must agree exactly, protected names closely, every word at least in half of its
letters, and the whole within an error rate. The rate alone would let "July 30" pass for "June 30".
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    "nl": frozenset(["niet", "geen", "nooit", "niemand", "niets", "nergens", "zonder", "nee", "noch"]),
    "pl": frozenset(["nie", "bez", "nigdy", "nikt", "nic", "żaden", "żadna", "żadne", "ani", "nigdzie"]),
    "fr": frozenset(["ne", "pas", "non", "sans", "jamais", "ni", "aucun", "aucune", "rien", "personne"]),
}
"""Words that turn a sentence around. Most are too short for the other rules, and an error rate hardly sees them."""

SHORT_LETTERS = 4
"""What is written short has this many letters at most: "g", "km", "Sr.", "Str."."""

NAME_LETTERS = 5
"""A calendar name this long is found inside joined words too ("adomenica")."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line as it was heard.

    ``exact`` and ``exact_heard`` are the numbers, prices and calendar names approved and heard; ``names`` is each
    protected name that the line holds with its closeness (0..1, 1 is exact); ``lost`` are the words not heard,
    ``added`` those heard that nobody approved; ``denials`` are the words such as "not" and "without"; ``error_rate``
    is the character error rate.
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
    added: tuple[str, ...] = ()

    @property
    def denies(self) -> bool:
        """Whether a denial was heard that is not in the text, or one that is in it was not."""
        return self.denials != self.denials_heard

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

    @property
    def addition(self) -> str:
        """What was said besides, in words; empty where nothing was. In a long line a word is a small error rate."""
        return (
            f"heard besides: {', '.join(self.added)}; heard {self.heard!r}, approved {self.text!r}"
            if self.added
            else ""
        )


def hold_against(text: str, match: LineMatch, protected: Sequence[str], locale: str) -> Said:
    """One approved line against the words that were attributed to it."""
    heard = heard_text(match.words)
    expected = normalise(text, locale).replace(" ", "")
    exact = _exact(text, locale)
    return Said(
        text=text,
        heard=heard,
        error_rate=match.character_error_rate,
        exact=exact,
        exact_heard=exact if _same_numbers(text, heard, locale) else _exact(heard, locale),
        names=tuple(
            (name, closeness(name, heard, locale))
            for name in protected
            if normalise(name, locale).replace(" ", "") in expected
        ),
        denials=denials(text, locale),
        denials_heard=_denials(
            spaced_as(_without_contractions(text, locale), _without_contractions(heard, locale)), locale
        ),
        lost=_lost_words(normalise(text, locale), normalise(heard, locale), _words_of(protected, locale)),
        added=_added_words(normalise(text, locale), normalise(heard, locale)),
    )


def spaced_as(expected: str, heard: str) -> str:
    """Heard words parted as the expected ones are, wherever every letter between two common word ends is the same.

    Nobody hears a space: "pagados" is "paga dos", and "no va" may be "Nova". A letter that differs keeps the words
    around it as they were heard.

    Args:
        expected: Normalised.
        heard: Normalised.
    """
    from rapidfuzz.distance import Levenshtein

    wanted, given = expected.replace(" ", ""), heard.replace(" ", "")
    ends_wanted, ends = _word_ends(expected), _word_ends(heard)
    for block in Levenshtein.opcodes(wanted, given):
        if block.tag != "equal":
            continue
        shift = block.dest_start - block.src_start
        here = range(block.dest_start, block.dest_end + 1)
        common = [at for at in here if at in ends and at - shift in ends_wanted]
        if common:
            inside = range(common[0], common[-1] + 1)
            ends = {at for at in ends if at not in inside} | {at for at in inside if at - shift in ends_wanted}
    cuts = sorted(ends)
    return " ".join(given[start:end] for start, end in pairwise(cuts))


def _word_ends(text: str) -> set[int]:
    """Where words begin and end, counted without spaces."""
    return {0, *itertools.accumulate(map(len, text.split()))}


def _exact(text: str, locale: str) -> tuple[str, ...]:
    """What must agree exactly: numbers, prices, months and days."""
    return (*number_runs(text, locale), *_calendar(text, locale))


def _same_numbers(text: str, heard: str, locale: str) -> bool:
    """Whether the same numbers were said, however the listener wrote them: "20 e 5" is "25" in Portuguese."""
    expected, said = normalise(text, locale), normalise(heard, locale)
    return _exact(expected, locale) == _exact(spaced_as(expected, said), locale)


def _without_contractions(text: str, locale: str) -> str:
    """Normalised; an English "isn't" is "is not"."""
    return normalise(re.sub(r"n['\u2019]t\b", " not", text) if locale.startswith("en") else text, locale)


def denials(text: str, locale: str) -> tuple[str, ...]:
    """The words of denial in a text, in order: "not", "without"; none in a language whose words are not known here."""
    return _denials(_without_contractions(text, locale), locale)


def _denials(normalised: str, locale: str) -> tuple[str, ...]:
    """The words of denial in a normalised text, in order."""
    known = DENIALS.get(locale.split("-", maxsplit=1)[0], frozenset())
    return tuple("not" if word == "cannot" else word for word in normalised.split() if word in known)


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


def _added_words(expected: str, heard: str) -> tuple[str, ...]:
    """The words of ``heard`` of which more than half is in no place of ``expected``; both normalised.

    Letters heard instead of others are not counted: that is how a word is misheard. Nor is a word that is written short
    in ``expected`` and said in full, as "Dr." is.
    """
    from rapidfuzz.distance import Levenshtein

    joined = heard.replace(" ", "")
    besides = [False] * len(joined)
    for block in Levenshtein.opcodes(expected.replace(" ", ""), joined):
        if block.tag == "insert":
            besides[block.dest_start : block.dest_end] = [True] * (block.dest_end - block.dest_start)
    short = {word for word in expected.split() if len(word) <= SHORT_LETTERS} - {*heard.split()}
    added, at = [], 0
    for word in heard.split():
        share = sum(besides[at : at + len(word)]) / len(word)
        if len(word) >= WORD_LETTERS and share > 1 - WORD_SHARE and not any(_is_short_for(word, one) for one in short):
            added.append(word)
        at += len(word)
    return tuple(added)


def _is_short_for(word: str, short: str) -> bool:
    """Whether ``short`` can be ``word`` written short: its first letter, and others of it in their order."""
    letters = iter(unaccented(word))
    return word[0] == short[0] and all(letter in letters for letter in unaccented(short))


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
