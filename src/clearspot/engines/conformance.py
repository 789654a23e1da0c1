"""What every engine has to do, as checks that anybody can run: ``clearspot engines check NAME``, and our own tests."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any, Literal

import numpy as np

from clearspot.consent.grant import Grant
from clearspot.engines.offline import no_network
from clearspot.engines.protocols import Speech, SpeechEngine
from clearspot.errors import BadInput, ClearspotError, Refused
from clearspot.spot import MAX_LINE_CHARACTERS

Verdict = Literal["pass", "fail", "skip"]

RATES = (0.8, 1.0, 1.15)
"""Speaking rates that lines are really fitted with."""

ODD_RATES = (0.0, -1.0, 1000.0, float("nan"), float("inf"))

NOTHING_TO_SAY = ("", "   ", "\n", "...")

AT_ONCE = 4

SOUNDING = 1e-3
"""The least peak of something that sounds; the stage ``speak`` refuses what is quieter."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    verdict: Verdict
    found: str


class Failed(Exception):
    """An engine does not do what it should."""


class Skipped(Exception):
    """Something could not be looked at, and why."""


@dataclass(frozen=True)
class SpeechTrial:
    """What a speech engine is tried with.

    ``make`` gives a new engine; ``grant`` is real leave whose ``weights`` are copies that may be spoilt;
    ``elsewhere`` the same for a locale that no engine speaks, or why there is none; ``sentences`` are two, in the
    grant's locale.
    """

    make: Callable[[], SpeechEngine]
    grant: Grant
    elsewhere: Grant | ClearspotError
    sentences: tuple[str, str]
    kept: list[SpeechEngine] = field(default_factory=list)

    @property
    def engine(self) -> SpeechEngine:
        """One engine for all checks that do not ask for a new one."""
        if not self.kept:
            self.kept.append(self.make())
        return self.kept[0]

    def say(self, text: str, rate: float = 1.0) -> Speech:
        return self.engine.speak(self.grant, text, rate)


def check_speech(trial: SpeechTrial) -> tuple[Check, ...]:
    """Everything that a speech engine has to do, one after the other, none hiding the next; no network meanwhile."""
    return run_checks(
        {
            "version": lambda: a_version(trial.engine.version),
            "grant-needed": lambda: _grant_needed(trial),
            "digest-checked": lambda: _digest_checked(trial),
            "loading": lambda: _loading(trial),
            "sound": lambda: _sound(trial),
            "same-again": lambda: _same_again(trial),
            "rate": lambda: _rate(trial),
            "odd-rates": lambda: _odd_rates(trial),
            "empty-text": lambda: _empty_text(trial),
            "huge-text": lambda: _huge_text(trial),
            "unknown-locale": lambda: _unknown_locale(trial),
            "side-by-side": lambda: _side_by_side(trial),
        }
    )


def run_checks(checks: Mapping[str, Callable[[], str]]) -> tuple[Check, ...]:
    """Run checks without a network, and say at last whether anything wanted one."""
    with no_network() as tried:
        done = [_look(name, look) for name, look in checks.items()]
    offline = (
        Check("no-network", "fail", f"tried {'; '.join(dict.fromkeys(tried))}")
        if tried
        else Check("no-network", "pass", "nothing was asked of a network")
    )
    return (*done, offline)


def a_version(version: object) -> str:
    """That an engine says what it is: the receipt and the store's keys hold it.

    Raises:
        Failed: It does not.
    """
    if not isinstance(version, str) or not version.strip():
        raise Failed(f"should be the package's name and version, is {version!r}")
    return version


def _look(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "pass", look())
    except Failed as problem:
        return Check(name, "fail", str(problem))
    except Skipped as reason:
        return Check(name, "skip", str(reason))
    except Exception as error:  # noqa: BLE001  (whatever an engine raises where it should not is what was found)
        return Check(name, "fail", f"{type(error).__name__}: {error}")


# --- grants and weights ------------------------------------------------------------------------------------------


@dataclass
class _Watched:
    """A file that knows whether it was read."""

    sha256: str
    was_read: bool = False

    def read(self) -> bytes:
        self.was_read = True
        return b""


class _Liar(SimpleNamespace):
    """Says that it is a grant."""

    __class__ = Grant  # type: ignore[assignment]


def _grant_needed(trial: SpeechTrial) -> str:
    grant = trial.grant
    watched = {role: _Watched(file.sha256) for role, file in grant.weights.items()}
    fields = {name: getattr(grant, name) for name in ("voice", "locale", "uses", "settings")}
    fields["weights"] = MappingProxyType(watched)
    no_grants = {"None": None, "a dict": fields, "a look-alike": SimpleNamespace(**fields), "a liar": _Liar(**fields)}
    engine = trial.make()
    for name, value in no_grants.items():
        calls: dict[str, Callable[[Any], Any]] = {
            "prepare": engine.prepare,
            "speak": lambda given: engine.speak(given, trial.sentences[0], 1.0),
        }
        for method, call in calls.items():
            try:
                call(value)
            except TypeError:
                pass
            else:
                raise Failed(f"{method} takes {name} for a grant; begin it with require_grant(grant)")
            if read := [role for role, file in watched.items() if file.was_read]:
                raise Failed(f"{method} reads {', '.join(read)} of {name} before it refuses")
    return f"{len(no_grants)} things that are no grant: refused, nothing read"


def _digest_checked(trial: SpeechTrial) -> str:
    for role, file in trial.grant.weights.items():
        with _spoilt(file.path):
            engine = trial.make()
            try:
                engine.prepare(trial.grant)
                engine.speak(trial.grant, trial.sentences[0], 1.0)
            except Refused:
                continue
            raise Failed(f"speaks although a bit of {role} was turned; read weights by grant.weights[...].read()")
    return f"{', '.join(trial.grant.weights)}: one bit turned is refused"


@contextlib.contextmanager
def _spoilt(path: Any) -> Iterator[None]:
    """A file with one bit turned in its middle, for as long as the block lasts."""
    good = path.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    path.write_bytes(bad)
    try:
        yield
    finally:
        path.write_bytes(good)


def _loading(trial: SpeechTrial) -> str:
    def time_s(engine: SpeechEngine) -> float:
        begun = time.perf_counter()
        engine.prepare(trial.grant)
        return time.perf_counter() - begun

    cold_s = time_s(trial.engine)
    return f"cold {cold_s:.2f} s, again {time_s(trial.make()):.2f} s, loaded {time_s(trial.engine):.3f} s"


# --- sound -------------------------------------------------------------------------------------------------------


def _sound(trial: SpeechTrial) -> str:
    speech = trial.say(trial.sentences[0])
    samples = speech.samples
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
        shape = getattr(samples, "shape", None)
        raise Failed(f"should be float32 of shape (samples,), is {getattr(samples, 'dtype', type(samples))} {shape}")
    if type(speech.rate_hz) is not int or not 8_000 <= speech.rate_hz <= 192_000:
        raise Failed(f"its rate should be an int from 8,000 to 192,000 Hz, is {speech.rate_hz!r}")
    if not np.isfinite(samples).all():
        raise Failed("has samples that are not finite numbers")
    peak = float(np.abs(samples).max(initial=0.0))
    if not SOUNDING <= peak <= 4.0:
        raise Failed(f"its peak is {peak:g}, where 1 is full scale")
    return f"float32, mono, {speech.rate_hz} Hz, {_length_s(speech):.2f} s, peak {peak:.2f}"


def _length_s(speech: Speech) -> float:
    return len(speech.samples) / speech.rate_hz


def _same_again(trial: SpeechTrial) -> str:
    text = trial.sentences[0]
    first, second = trial.say(text), trial.say(text)
    if not np.array_equal(first.samples, second.samples):
        raise Failed("the same text is another sound the second time; noise needs a fixed seed")
    other = trial.make().speak(trial.grant, text, 1.0)
    if not np.array_equal(first.samples, other.samples):
        raise Failed("the same text is another sound in a new engine; noise needs a fixed seed")
    return "the same samples again, and in a new engine"


def _rate(trial: SpeechTrial) -> str:
    lengths_s = [_length_s(trial.say(trial.sentences[1], rate)) for rate in RATES]
    told = ", ".join(f"{rate:g}: {length_s:.2f} s" for rate, length_s in zip(RATES, lengths_s, strict=True))
    if any(later >= earlier for earlier, later in itertools.pairwise(lengths_s)):
        raise Failed(f"a higher rate should take less time: {told}")
    return told


def _odd_rates(trial: SpeechTrial) -> str:
    for rate in ODD_RATES:
        _must_refuse(lambda rate=rate: trial.say(trial.sentences[0], rate), f"rate {rate:g}")  # type: ignore[misc]
    return f"{', '.join(f'{rate:g}' for rate in ODD_RATES)}: refused"


def _empty_text(trial: SpeechTrial) -> str:
    for text in NOTHING_TO_SAY:
        _must_refuse(lambda text=text: trial.say(text), repr(text))  # type: ignore[misc]
    return f"{', '.join(map(repr, NOTHING_TO_SAY))}: refused"


def _must_refuse(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except BadInput:
        return
    except Exception as error:
        raise Failed(f"{what} should be BadInput, is {type(error).__name__}: {error}") from error
    raise Failed(f"{what} should be BadInput, is spoken")


def _huge_text(trial: SpeechTrial) -> str:
    """A line as long as a script may have: all of it is spoken. One long word is spoken or refused, nothing else."""
    sentence = trial.sentences[0]
    times = MAX_LINE_CHARACTERS // (len(sentence) + 1)
    once_s = _length_s(trial.say(sentence))
    whole_s = _length_s(trial.say(" ".join([sentence] * times)))
    if whole_s < 0.6 * times * once_s:
        raise Failed(f"{times} times a sentence of {once_s:.2f} s takes {whole_s:.2f} s: some of it is lost")
    word = next(each for each in sentence if each.isalpha()) * MAX_LINE_CHARACTERS
    try:
        trial.say(word)
    except BadInput:
        return f"{times} sentences in {whole_s:.1f} s, none lost; one word of {len(word)} letters is refused"
    return f"{times} sentences in {whole_s:.1f} s, none lost; one word of {len(word)} letters is spoken"


def _unknown_locale(trial: SpeechTrial) -> str:
    elsewhere = trial.elsewhere
    if isinstance(elsewhere, ClearspotError):
        raise Skipped(f"there is no leave to try it: {elsewhere.what}")
    _must_refuse(lambda: trial.engine.speak(elsewhere, trial.sentences[0], 1.0), elsewhere.locale)
    return f"{elsewhere.locale}: refused"


def _side_by_side(trial: SpeechTrial) -> str:
    texts = [trial.sentences[index % 2] for index in range(2 * AT_ONCE)]
    alone = {text: trial.say(text).samples for text in trial.sentences}
    with ThreadPoolExecutor(AT_ONCE) as hands:
        together = list(hands.map(trial.say, texts))
    for text, speech in zip(texts, together, strict=True):
        if not np.array_equal(alone[text], speech.samples):
            raise Failed("calls side by side disturb each other: another sound than alone")
    return f"{len(texts)} calls, {AT_ONCE} at once: the same samples as alone"
