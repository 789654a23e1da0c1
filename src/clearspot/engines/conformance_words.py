"""What engines that listen or translate have to do; those that speak are in ``conformance``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from clearspot.engines.conformance import AT_ONCE, Check, Failed, Skipped, a_version, run_checks
from clearspot.engines.protocols import Recogniser, Translator
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.transcript import Transcript

SILENCE_S = 3.0
UNKNOWN = "vo-AQ"
"""Volapük in Antarctica, which no engine of ours or anybody else's speaks."""

PAIRS = 3
"""How many of the pairs that a translator knows are tried."""

HEARD_WITHIN = 0.35
"""The character error rate of plain speech that a recogniser must stay below to be of any use."""


@dataclass(frozen=True)
class Said:
    """Speech and its words: mono float32 at 16 kHz, shape (samples,)."""

    samples: Samples
    locale: str
    text: str

    @property
    def language(self) -> str:
        return self.locale.split("-", maxsplit=1)[0]


@dataclass(frozen=True)
class RecognitionTrial:
    """What a recogniser is tried with; ``said`` is something it should understand, or why there is nothing."""

    make: Callable[[], Recogniser]
    said: Said | str
    kept: list[Recogniser] = field(default_factory=list)

    @property
    def engine(self) -> Recogniser:
        if not self.kept:
            self.kept.append(self.make())
        return self.kept[0]

    def speech(self) -> Said:
        if isinstance(self.said, str):
            raise Skipped(self.said)
        return self.said


def check_recognition(trial: RecognitionTrial) -> tuple[Check, ...]:
    """Everything that a recogniser has to do, one after the other, none hiding the next; no network meanwhile."""
    return run_checks(
        {
            "version": lambda: a_version(trial.engine.version),
            "silence": lambda: _silence(trial),
            "understands": lambda: _understands(trial),
            "word-times": lambda: _word_times(trial),
            "language": lambda: _language(trial),
            "same-again": lambda: _hears_the_same(trial),
            "side-by-side": lambda: _hears_side_by_side(trial),
        }
    )


def _silence(trial: RecognitionTrial) -> str:
    trial.engine.warm_up()
    count = round(SILENCE_S * LISTEN_RATE_HZ)
    noise = 1e-3 * np.random.RandomState(0).standard_normal(count).astype(np.float32)
    for name, samples in (("silence", np.zeros(count, dtype=np.float32)), ("faint noise", noise)):
        if heard := trial.engine.recognise(samples, language="en").text:
            raise Failed(f"hears {heard!r} in {name}")
    return f"{SILENCE_S:g} s of silence and of faint noise: no words"


def _understands(trial: RecognitionTrial) -> str:
    from rapidfuzz.distance import Levenshtein

    from clearspot.text.normalise import normalise

    said = trial.speech()
    heard = trial.engine.recognise(said.samples, language=said.language)
    wanted = normalise(said.text, said.locale)
    rate = Levenshtein.distance(wanted, normalise(heard.text, said.locale)) / max(1, len(wanted))
    if rate > HEARD_WITHIN:
        raise Failed(f"hears {heard.text!r} where {said.text!r} was said (character error rate {rate:.2f})")
    return f"character error rate {rate:.2f}"


def _word_times(trial: RecognitionTrial) -> str:
    said = trial.speech()
    heard = trial.engine.recognise(said.samples, language=said.language)
    length_s = len(said.samples) / LISTEN_RATE_HZ
    if abs(heard.duration_s - length_s) > 0.01:
        raise Failed(f"says that {length_s:.2f} s last {heard.duration_s:.2f} s")
    last_s = 0.0
    for word in heard.words:
        if not (math.isfinite(word.end_s) and last_s <= word.start_s <= word.end_s <= length_s + 0.5):
            raise Failed(f"{word.text!r} from {word.start_s:.2f} to {word.end_s:.2f} s is out of order")
        last_s = word.start_s
    return f"{len(heard.words)} words, in order, within {length_s:.2f} s"


def _language(trial: RecognitionTrial) -> str:
    said = trial.speech()
    heard = trial.engine.recognise(said.samples, language=None)
    if heard.language != said.language:
        raise Failed(f"takes {said.language} for {heard.language}")
    if not 0 <= heard.language_probability <= 1:
        raise Failed(f"is sure of it by {heard.language_probability:g}")
    return f"{heard.language}, sure by {heard.language_probability:.2f}"


def _hears_the_same(trial: RecognitionTrial) -> str:
    said = trial.speech()
    if trial.engine.recognise(said.samples, language=said.language) != trial.engine.recognise(
        said.samples, language=said.language
    ):
        raise Failed("hears the same samples otherwise the second time")
    return "the same words and times again"


def _hears_side_by_side(trial: RecognitionTrial) -> str:
    said = trial.speech()
    alone = trial.engine.recognise(said.samples, language=said.language)

    def hear(_: int) -> Transcript:
        return trial.engine.recognise(said.samples, language=said.language)

    with ThreadPoolExecutor(AT_ONCE) as hands:
        if any(heard != alone for heard in hands.map(hear, range(AT_ONCE))):
            raise Failed("calls side by side disturb each other: other words than alone")
    return f"{AT_ONCE} calls at once: the same words as alone"


@dataclass(frozen=True)
class TranslationTrial:
    """What a translator is tried with: a sentence in each locale."""

    make: Callable[[], Translator]
    sentences: dict[str, str]
    kept: list[Translator] = field(default_factory=list)

    @property
    def engine(self) -> Translator:
        if not self.kept:
            self.kept.append(self.make())
        return self.kept[0]

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of locales that it says it knows.

        Raises:
            Failed: It knows none, or does not say yes or no.
        """
        known = []
        for source, target in itertools.permutations(self.sentences, 2):
            says = self.engine.knows(source, target)
            if not isinstance(says, bool):
                raise Failed(f"knows({source!r}, {target!r}) should be True or False, is {says!r}")
            if says:
                known.append((source, target))
        if not known:
            raise Failed(f"knows no pair of {', '.join(self.sentences)}")
        return known


def check_translation(trial: TranslationTrial) -> tuple[Check, ...]:
    """Everything that a translator has to do, one after the other, none hiding the next; no network meanwhile."""
    return run_checks(
        {
            "version": lambda: a_version(trial.engine.version),
            "pairs": lambda: _pairs(trial),
            "unknown-locale": lambda: _unknown_pair(trial),
            "translates": lambda: _translates(trial),
            "same-again": lambda: _translates_the_same(trial),
            "side-by-side": lambda: _translates_side_by_side(trial),
        }
    )


def _pairs(trial: TranslationTrial) -> str:
    known = trial.pairs()
    return f"{len(known)} pairs: {', '.join(f'{source} to {target}' for source, target in known[:6])}"


def _unknown_pair(trial: TranslationTrial) -> str:
    for source, target in ((UNKNOWN, "en-US"), ("en-US", UNKNOWN)):
        if trial.engine.knows(source, target) is not False:
            raise Failed(f"says that it knows {source} to {target}")
    return f"{UNKNOWN}: not known"


def _translates(trial: TranslationTrial) -> str:
    drafts = [trial.engine.translate(trial.sentences[source], source, target) for source, target in _tried(trial)]
    for draft in drafts:
        if not isinstance(draft, str) or not draft.strip():
            raise Failed(f"a draft should be text, is {draft!r}")
    return f"{drafts[0]!r}"


def _translates_the_same(trial: TranslationTrial) -> str:
    for source, target in _tried(trial):
        text = trial.sentences[source]
        again = trial.make().translate(text, source, target)
        if not trial.engine.translate(text, source, target) == trial.engine.translate(text, source, target) == again:
            raise Failed(f"{source} to {target}: another draft the second time")
    return "the same drafts again, and in a new engine"


def _translates_side_by_side(trial: TranslationTrial) -> str:
    tried = _tried(trial) * AT_ONCE

    def draft(pair: tuple[str, str]) -> str:
        return trial.engine.translate(trial.sentences[pair[0]], *pair)

    alone = [draft(pair) for pair in tried]
    with ThreadPoolExecutor(AT_ONCE) as hands:
        if list(hands.map(draft, tried)) != alone:
            raise Failed("calls side by side disturb each other: other drafts than alone")
    return f"{len(tried)} calls, {AT_ONCE} at once: the same drafts as alone"


def _tried(trial: TranslationTrial) -> list[tuple[str, str]]:
    return trial.pairs()[:PAIRS]
