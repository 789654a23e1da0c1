"""How well spoken statements of consent are understood, and how nearly wrong ones pass.

    python scripts/statement_rates.py [--locales es-ES,it-IT] [--each 2] [--heard FILE]

Kokoro reads the sentences of ``configs/enrolment.yaml`` aloud with made-up names and random code words, in three of
its own styles, and the project's recogniser listens. What was heard is then held against the statement that was read
and against others: another person, another company, other code words. Prints Markdown tables.

The styles belong to nobody who could consent or refuse; what is spoken is heard once and not kept.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import random
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from clearspot.engines import kokoro
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, resample
from clearspot.project import find_project
from clearspot.text.match import closeness, heard_text, match_lines
from clearspot.text.said import hold_against
from clearspot.text.spoken import spoken_form
from clearspot.transcript import Word
from clearspot.yamlfile import load_yaml

STYLES = {
    "jm_kumo": {"jm_kumo": 1.0},
    "jf_gongitsune": {"jf_gongitsune": 1.0},
    "house": {"jf_gongitsune": 0.5, "jm_kumo": 0.5},
}
LOCALES = ("en-US", "en-GB", "es-ES", "es-MX", "it-IT", "pt-BR", "pt-PT", "de-DE", "fr-FR")
SILENCE_S = 0.3
OTHER_CODES = 4
PART_LETTERS = 3
"""Shorter words of a name ("am", "du") are not asked for by themselves."""

TALENTS = {
    "en": ("Nora Example", "Tom Hartley", "Grace Okafor", "Daniel Brooks", "Helen Whitfield"),
    "es": ("Marta Ruiz", "Javier Ortega", "Lucía Fernández", "Pablo Castillo", "Elena Navarro"),
    "it": ("Giulia Conti", "Marco Bellini", "Chiara Romano", "Luca Esposito", "Paolo Marchetti"),
    "pt": ("João Pereira", "Beatriz Almeida", "Rafael Moreira", "Inês Carvalho", "Tiago Fonseca"),
    "de": ("Anna Becker", "Jonas Hoffmann", "Katrin Vogel", "Lukas Schneider", "Miriam Krause"),
    "fr": ("Claire Moreau", "Julien Lefèvre", "Camille Dubois", "Antoine Girard", "Sophie Renard"),
}
COMPANIES = {
    "en": ("Harbour Street Agency", "Lumen Coffee", "Northgate Radio", "Bluebell Books", "Kestrel Studio"),
    "es": ("Café Lumen", "Agencia Puerto Azul", "Estudio Ribera", "Panadería El Molino", "Radio Costa Verde"),
    "it": ("Caffè Lumen", "Agenzia Porto Nuovo", "Studio Aurora", "Libreria del Corso", "Radio Collina"),
    "pt": ("Café Lumen", "Agência Porto Claro", "Estúdio Maré Alta", "Padaria Boa Vista", "Rádio Serra Nova"),
    "de": ("Lumen Kaffee", "Agentur am Hafen", "Studio Nordlicht", "Buchhandlung Lindner", "Radio Alpenblick"),
    "fr": ("Café Lumen", "Agence du Port", "Studio Belle Rive", "Librairie du Marché", "Radio Colline"),
}


@dataclass(frozen=True)
class Case:
    """One statement: who reads it, and the words that fill it. ``guardian`` is empty where the talent reads."""

    locale: str
    style: str
    talent: str
    company: str
    guardian: str
    code: tuple[str, ...]

    @property
    def language(self) -> str:
        return self.locale.split("-", maxsplit=1)[0]

    def template(self, config: Any) -> str:
        return str(config["languages"][self.language]["guardian" if self.guardian else "sentence"])

    def text(self, config: Any) -> str:
        return self.template(config).format(**asdict(self) | {"code": ", ".join(self.code)})


@dataclass(frozen=True)
class Scores:
    """One statement held against what was heard; all but ``error_rate`` are 0..1, 1 is exact.

    ``talent`` and ``company`` (the guardian's name counts as the talent's) and ``code`` are closeness anywhere in the
    statement; ``_placed`` is one minus the error rate of what was heard in that place, ``_words`` the closeness of the
    name's least heard word there. ``complaint`` is what the enrolment says of the wording.
    """

    error_rate: float
    talent: float
    company: float
    code: tuple[float, ...]
    talent_placed: float
    company_placed: float
    talent_words: float
    company_words: float
    code_placed: tuple[float, ...]
    complaint: str

    def passes(self, limits: Any) -> bool:
        """By the limits in force: names and code anywhere in the statement."""
        named = min(self.talent, self.company) >= limits["name_closeness"]
        return not self.complaint and named and min(self.code) >= limits["code_closeness"]

    def passes_placed(self, limits: Any) -> bool:
        """By the same limits, each code word moreover in its own place."""
        return self.passes(limits) and min(self.code_placed) >= limits["code_closeness"]


def cases(config: Any, locales: Sequence[str], each: int) -> Iterator[Case]:
    """Statements of every locale and style; the last of each locale is a guardian's, if one may be."""
    for locale in locales:
        language = locale.split("-", maxsplit=1)[0]
        dice = random.Random(locale)  # noqa: S311  (names and words for a measurement)
        may_be_minor = "guardian" in config["languages"][language]
        for style in STYLES:
            for index in range(each):
                talent, guardian = dice.sample(TALENTS[language], 2)
                yield Case(
                    locale=locale,
                    style=style,
                    talent=talent,
                    company=dice.choice(COMPANIES[language]),
                    guardian=guardian if may_be_minor and style == "house" and index == each - 1 else "",
                    code=tuple(dice.sample(config["languages"][language]["words"], config["code_words"])),
                )


def wrong_cases(case: Case, config: Any) -> Iterator[tuple[str, Case]]:
    """Statements that this one is not, by what is wrong with them."""
    dice = random.Random(repr(case))  # noqa: S311  (as above)
    given, _, family = case.talent.partition(" ")
    for other in TALENTS[case.language]:
        if other not in {case.talent, case.guardian}:
            yield "talent", replace(case, talent=other)
            yield "same family name", replace(case, talent=f"{other.split()[0]} {family}")
            yield "same given name", replace(case, talent=f"{given} {other.split()[-1]}")
    first, _, rest = case.company.partition(" ")
    for other in COMPANIES[case.language]:
        head, _, tail = other.partition(" ")
        if other != case.company:
            yield "company", replace(case, company=other)
        if tail != rest and head != first:
            yield "company's second half", replace(case, company=f"{first} {tail}")
            yield "company's first half", replace(case, company=f"{head} {rest}")
    spare = [word for word in config["languages"][case.language]["words"] if word not in case.code]
    for _ in range(OTHER_CODES):
        yield "code", replace(case, code=tuple(dice.sample(spare, len(case.code))))
        at = dice.randrange(len(case.code))
        yield "one code word", replace(case, code=(*case.code[:at], dice.choice(spare), *case.code[at + 1 :]))
    yield "code in another order", replace(case, code=(*case.code[1:], case.code[0]))


def scores(case: Case, words: Sequence[Word], config: Any) -> Scores:
    """What was heard, held against a statement with the project's own functions."""
    text, heard, limits = case.text(config), heard_text(words), config["limits"]
    match = match_lines([text], words, case.locale)[0]
    people = [name for name in (case.talent, case.guardian) if name]
    said = hold_against(text, match, (*people, case.company), case.locale)
    placed = _placed(case, words, config)
    return Scores(
        error_rate=said.error_rate,
        talent=min(closeness(name, heard, case.locale) for name in people),
        company=closeness(case.company, heard, case.locale),
        code=tuple(closeness(word, heard, case.locale) for word in case.code),
        talent_placed=min(whole for slot, whole, _ in placed if slot in {"talent", "guardian"}),
        company_placed=min(whole for slot, whole, _ in placed if slot == "company"),
        talent_words=min(worst for slot, _, worst in placed if slot in {"talent", "guardian"}),
        company_words=min(worst for slot, _, worst in placed if slot == "company"),
        code_placed=tuple(whole for slot, whole, _ in placed if slot == "code"),
        complaint=said.difference(error_rate=limits["error_rate"], name_closeness=0),
    )


def _placed(case: Case, words: Sequence[Word], config: Any) -> list[tuple[str, float, float]]:
    """Each name and code word against what was heard in its place: as a whole, and its least heard word.

    The places are found as the lines of a script are: every stretch of the sentence and everything that fills it is a
    line of its own.
    """
    slots: list[tuple[str, str]] = []
    for before, slot, _, _ in string.Formatter().parse(case.template(config)):
        if any(map(str.isalnum, before)):
            slots.append(("", before))
        if slot:
            slots += [(slot, text) for text in (case.code if slot == "code" else [getattr(case, slot)])]
    matches = match_lines([text for _, text in slots], words, case.locale)
    found = []
    for (slot, text), match in zip(slots, matches, strict=True):
        parts = [word for word in text.split() if len(word) >= PART_LETTERS] or [text]
        least = min(closeness(part, match.heard, case.locale) for part in parts)
        found.append((slot, max(0.0, 1 - match.character_error_rate), least))
    return [each for each in found if each[0]]


def hear_all(listed: Sequence[Case], config: Any) -> list[tuple[Word, ...]]:
    """Every case spoken and listened to, on all cores."""
    project = find_project(Path(__file__).parents[1])
    studio = open_studio(project)
    weights = studio.weights.resolve("kokoro-82m-int8", commercial=True)
    styles = next(iter(studio.weights.resolve("kokoro-styles", commercial=True).values())).read()
    model = kokoro._open(next(iter(weights.values())).read())  # the engine itself speaks under a grant only
    vectors = {name: kokoro._mean_style(styles, mix, name) for name, mix in STYLES.items()}
    quiet = np.zeros(round(SILENCE_S * LISTEN_RATE_HZ), np.float32)

    def hear(case: Case) -> tuple[Word, ...]:
        text = spoken_form(case.text(config), case.locale)
        sound, rate_hz = model.create(text, voice=vectors[case.style], lang=kokoro.LANGUAGES[case.locale])
        sound = resample(np.asarray(sound, np.float32), rate_hz, LISTEN_RATE_HZ)
        return studio.recogniser().recognise(np.concatenate([quiet, sound, quiet]), language=case.language).words

    try:
        return list(studio.work_all([functools.partial(hear, case) for case in listed]))
    finally:
        studio.stop()


def heard_or_kept(listed: Sequence[Case], config: Any, kept: Path | None) -> list[tuple[Word, ...]]:
    """What was heard of each case, from the file of an earlier run where that has it."""
    known = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    keys = [f"{case.style} {case.locale} {case.text(config)}" for case in listed]
    new = [at for at, key in enumerate(keys) if key not in known]
    heard = hear_all([listed[at] for at in new], config) if new else []
    for at, words in zip(new, heard, strict=True):
        known[keys[at]] = [asdict(word) for word in words]
    if kept:
        kept.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    return [tuple(Word(**word) for word in known[key]) for key in keys]


def spread(values: Iterable[float], worst: Callable[[Sequence[float]], float] = min) -> str:
    """Mean and worst."""
    listed = list(values)
    return f"{sum(listed) / len(listed):.2f} / {worst(listed):.2f}"


def print_true(found: Sequence[tuple[Case, Scores]], limits: Any) -> None:
    """The statements that were read, each held against itself; mean / worst."""
    print("\n| locale | n | error rate | talent | company | code word | talent's words | company's words "
          "| code word in place | complaints | pass | pass placed |")  # fmt: skip
    print("|---" * 12 + "|")
    for locale in dict.fromkeys(case.locale for case, _ in found):
        mine = [score for case, score in found if case.locale == locale]
        cells = [
            spread([one.error_rate for one in mine], max),
            spread(one.talent for one in mine),
            spread(one.company for one in mine),
            spread(value for one in mine for value in one.code),
            spread(one.talent_words for one in mine),
            spread(one.company_words for one in mine),
            spread(value for one in mine for value in one.code_placed),
            str(sum(bool(one.complaint) for one in mine)),
            str(sum(one.passes(limits) for one in mine)),
            str(sum(one.passes_placed(limits) for one in mine)),
        ]
        print(f"| {locale} | {len(mine)} | " + " | ".join(cells) + " |")
    print()
    for case, score in found:
        if not score.passes_placed(limits):
            code = ", ".join(f"{word} {value:.2f}" for word, value in zip(case.code, score.code_placed, strict=True))
            print(f"- {case.locale} {case.style}: {score.complaint or 'no complaint'}; code in place: {code}")


def print_wrong(found: Sequence[tuple[Case, str, Case, Scores]], limits: Any) -> None:
    """Wrong statements against what was heard: the largest score of what was not said, and how many would pass."""
    aspects: dict[str, Callable[[Scores], float]] = {
        "talent": lambda score: score.talent,
        "company": lambda score: score.company,
        "code": lambda score: min(score.code),
        "talent's words": lambda score: score.talent_words,
        "company's words": lambda score: score.company_words,
        "code in place": lambda score: min(score.code_placed),
    }
    print("\n| language | what is wrong | n | largest " + " | largest ".join(aspects) + " | pass | pass placed |")
    print("|---" * (len(aspects) + 5) + "|")
    for language in dict.fromkeys(case.language for case, *_ in found):
        for kind in dict.fromkeys(kind for _, kind, _, _ in found):
            mine = [score for case, at, _, score in found if (case.language, at) == (language, kind)]
            words = [f"{max(aspect(score) for score in mine):.2f}" for aspect in aspects.values()]
            passed = [sum(score.passes(limits) for score in mine), sum(score.passes_placed(limits) for score in mine)]
            print(f"| {language} | {kind} | {len(mine)} | {' | '.join(words)} | {passed[0]} | {passed[1]} |")
    print()
    passing = [f"{kind}: {_differing(case, other)}" for case, kind, other, score in found if score.passes(limits)]
    print("\n".join(f"- passes, {line}" for line in dict.fromkeys(passing)))


def _differing(case: Case, other: Case) -> str:
    mine, theirs = asdict(case), asdict(other)
    return "; ".join(f"{theirs[field]} for {mine[field]}" for field in mine if mine[field] != theirs[field])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locales", default=",".join(LOCALES))
    parser.add_argument("--each", type=int, default=2, help="statements a locale and style")
    parser.add_argument("--heard", type=Path, help="a file to keep what was heard in, and to take it from")
    options = parser.parse_args()
    config = load_yaml(find_project(Path(__file__).parents[1]).config("enrolment.yaml"))
    listed = list(cases(config, options.locales.split(","), options.each))
    heard = list(zip(listed, heard_or_kept(listed, config, options.heard), strict=True))
    print_true([(case, scores(case, words, config)) for case, words in heard], config["limits"])
    wrong = [(case, kind, other, words) for case, words in heard for kind, other in wrong_cases(case, config)]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(scores, [one[2] for one in wrong], [one[3] for one in wrong], repeat(config), chunksize=50)
        print_wrong([(*one[:3], score) for one, score in zip(wrong, found, strict=True)], config["limits"])


if __name__ == "__main__":
    main()
