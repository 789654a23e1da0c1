"""The conformance checks themselves: an engine in order passes each, and each finds the engine that is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.conformance import SpeechTrial, check_speech
from clearspot.engines.conformance_words import (
    RecognitionTrial,
    Said,
    TranslationTrial,
    check_recognition,
    check_translation,
)
from clearspot.engines.offline import no_network
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import require_words
from clearspot.errors import BadInput, Refused
from clearspot.project import Project
from clearspot.transcript import Transcript, Word
from tests.conftest import tone
from tests.unit.consent_scenes import Stage, talent_voice

SENTENCES = ("Este anuncio usa una voz.", "La voz de este anuncio fue generada por una máquina.")


class Good:
    """A speech engine that does everything right, in tones."""

    version = "good 1"
    least, most = 0.5, 2.0

    def __init__(self) -> None:
        self.loaded = False

    def prepare(self, grant: Grant) -> None:
        require_grant(grant)
        self.load(grant)

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        require_grant(grant)
        if grant.locale != "es-ES":
            raise BadInput("speaks Spanish alone.")
        if not self.least <= rate <= self.most:
            raise BadInput("no rate.")
        require_words(text, "good")
        self.load(grant)
        return self.sound(text, rate)

    def load(self, grant: Grant) -> None:
        if not self.loaded:
            for file in grant.weights.values():
                file.read()
            self.loaded = True

    def sound(self, text: str, rate: float) -> Speech:
        return Speech(tone(0.05 * len(text) / rate, rate_hz=24_000, hz=100 + len(text)), 24_000)


class NoVersion(Good):
    version = ""


class TakesAnything(Good):
    def speak(self, grant: Any, text: str, rate: float) -> Speech:
        return self.sound(text, rate)


class ReadsFirst(Good):
    def prepare(self, grant: Grant) -> None:
        if grant is not None and not isinstance(grant, dict):
            self.load(grant)
        super().prepare(grant)


class ByIsinstance(Good):
    """What says that it is a grant is one to ``isinstance``."""

    def prepare(self, grant: Grant) -> None:
        if not isinstance(grant, Grant):
            raise TypeError("a Grant")


class ReadsByPath(Good):
    def load(self, grant: Grant) -> None:
        for file in grant.weights.values():
            file.path.read_bytes()


class InStereo(Good):
    def sound(self, text: str, rate: float) -> Speech:
        mono = super().sound(text, rate)
        return Speech(np.stack([mono.samples, mono.samples], axis=1), mono.rate_hz)


class InDoubles(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return Speech(super().sound(text, rate).samples.astype(np.float64), 24_000)  # type: ignore[arg-type]


class AtOddRate(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return Speech(super().sound(text, rate).samples, 24_000.0)  # type: ignore[arg-type]


class Silent(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return Speech(np.zeros(24_000, dtype=np.float32), 24_000)


class NotANumber(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return Speech(super().sound(text, rate).samples * np.float32("nan"), 24_000)


class Noisy(Good):
    def sound(self, text: str, rate: float) -> Speech:
        clean = super().sound(text, rate).samples
        return Speech(clean + 1e-4 * np.random.default_rng().standard_normal(len(clean)).astype(np.float32), 24_000)


class SeededOnce(Good):
    """The same from its start on, and another the second time: what onnxruntime's seed does."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.RandomState(0)

    def sound(self, text: str, rate: float) -> Speech:
        return Speech(super().sound(text, rate).samples * np.float32(self.random.uniform(0.5, 1)), 24_000)


class AnotherEachTime(Good):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        self.level = 1 / type(self).made

    def sound(self, text: str, rate: float) -> Speech:
        return Speech(super().sound(text, rate).samples * np.float32(self.level), 24_000)


class DeafToRate(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return super().sound(text, 1.0)


class AnyRate(Good):
    least, most = float("-inf"), float("inf")

    def sound(self, text: str, rate: float) -> Speech:
        return super().sound(text, 1.0 if rate <= 0 else rate)


class NoisesOfDots(Good):
    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        return super().speak(grant, text if text != "..." else "dot", rate)


class CrashesOnNothing(Good):
    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        require_grant(grant)
        text[0]
        return super().speak(grant, text, rate)


class CutsShort(Good):
    def sound(self, text: str, rate: float) -> Speech:
        return super().sound(text[:400], rate)


class CrashesOnLongWords(Good):
    def sound(self, text: str, rate: float) -> Speech:
        if max(map(len, text.split())) > 500:
            raise IndexError("index 510 is out of bounds")
        return super().sound(text, rate)


class SpeaksAllTongues(Good):
    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        require_grant(grant)
        self.load(grant)
        return self.sound(text, rate)


class NotForThreads(Good):
    def __init__(self) -> None:
        super().__init__()
        self.busy = 0
        self.together = threading.Barrier(2)

    def sound(self, text: str, rate: float) -> Speech:
        self.busy += 1
        try:
            if threading.current_thread() is not threading.main_thread():
                self.together.wait(10)
            return Speech(super().sound(text, rate).samples * np.float32(1 / self.busy), 24_000)
        finally:
            self.busy -= 1


class CallsHome(Good):
    """Tries to, and goes on where it cannot: as many libraries do."""

    def load(self, grant: Grant) -> None:
        try:
            socket.create_connection(("192.0.2.1", 443), timeout=0.01)
        except OSError:
            super().load(grant)


WRONG: dict[type[Good], tuple[str, str]] = {
    NoVersion: ("version", "should be the package's name and version"),
    TakesAnything: ("grant-needed", "speak takes None for a grant"),
    ReadsFirst: ("grant-needed", "prepare reads model, styles of a look-alike before it refuses"),
    ByIsinstance: ("grant-needed", "prepare takes a liar for a grant"),
    ReadsByPath: ("digest-checked", "speaks although a bit of model was turned"),
    InStereo: ("sound", "should be float32 of shape (samples,), is float32 ("),
    InDoubles: ("sound", "should be float32 of shape (samples,), is float64"),
    AtOddRate: ("sound", "its rate should be an int from 8,000 to 192,000 Hz, is 24000.0"),
    Silent: ("sound", "its peak is 0"),
    NotANumber: ("sound", "has samples that are not finite numbers"),
    Noisy: ("same-again", "another sound the second time"),
    SeededOnce: ("same-again", "another sound the second time"),
    AnotherEachTime: ("same-again", "another sound in a new engine"),
    DeafToRate: ("rate", "a higher rate should take less time"),
    AnyRate: ("odd-rates", "rate 0 should be BadInput, is spoken"),
    NoisesOfDots: ("empty-text", "'...' should be BadInput, is spoken"),
    CrashesOnNothing: ("empty-text", "'' should be BadInput, is IndexError"),
    CutsShort: ("huge-text", "some of it is lost"),
    CrashesOnLongWords: ("huge-text", "IndexError: index 510 is out of bounds"),
    SpeaksAllTongues: ("unknown-locale", "vo-AQ should be BadInput, is spoken"),
    NotForThreads: ("side-by-side", "calls side by side disturb each other"),
    CallsHome: ("no-network", "tried socket.getaddrinfo ('192.0.2.1', 443)"),
}


@pytest.fixture
def ana(project: Project) -> Stage:
    stage = talent_voice(project)
    stage.resign({"scope/locales": ["es-ES", "vo-AQ"]})
    return stage


def trial(stage: Stage, make: Callable[[], Any]) -> SpeechTrial:
    elsewhere = stage.authorize(stage.use(locale="vo-AQ"))
    return SpeechTrial(make, stage.authorize(), elsewhere, SENTENCES)


def test_an_engine_in_order_passes_everything(ana: Stage) -> None:
    checks = check_speech(trial(ana, Good))
    assert [one for one in checks if one.verdict != "pass"] == []
    assert [one.name for one in checks] == [
        "version", "grant-needed", "digest-checked", "loading", "sound", "same-again", "rate", "odd-rates",
        "empty-text", "huge-text", "unknown-locale", "side-by-side", "no-network",
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "told"), WRONG.items(), ids=[kind.__name__ for kind in WRONG])
def test_each_check_finds_the_engine_that_is_not(ana: Stage, kind: type[Good], told: tuple[str, str]) -> None:
    name, found = told
    verdicts = {one.name: one for one in check_speech(trial(ana, kind))}
    assert verdicts[name].verdict == "fail"
    assert found in verdicts[name].found


def test_the_files_are_as_they_were(ana: Stage) -> None:
    tried = trial(ana, ReadsByPath)
    check_speech(tried)
    assert {role: file.read() for role, file in tried.grant.weights.items()} == {"model": b"model", "styles": b"styles"}


def test_without_leave_for_another_locale_nothing_is_said_of_it(ana: Stage) -> None:
    refusal = Refused("no leave.")
    checks = {one.name: one for one in check_speech(SpeechTrial(Good, ana.authorize(), refusal, SENTENCES))}
    assert checks["unknown-locale"].verdict == "skip"
    assert "no leave." in checks["unknown-locale"].found


# --- no network --------------------------------------------------------------------------------------------------


def test_nothing_reaches_out_and_afterwards_it_may_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with no_network() as tried:
            with pytest.raises(ConnectionRefusedError, match="without a network"):
                socket.create_connection(address)
            with pytest.raises(ConnectionRefusedError):
                socket.getaddrinfo("localhost", 80)
        assert tried[0].startswith("socket.getaddrinfo")
        with socket.create_connection(address, timeout=5):
            pass


def test_another_thread_does_not_reach_out_either() -> None:
    raised: list[BaseException] = []

    def reach() -> None:
        try:
            socket.create_connection(("127.0.0.1", 9))
        except OSError as error:
            raised.append(error)

    with no_network() as tried:
        thread = threading.Thread(target=reach)
        thread.start()
        thread.join()
    assert len(tried) == 1
    assert "without a network" in str(raised[0])


def test_what_stays_on_the_machine_may_go_on() -> None:
    with no_network() as tried:
        left, right = socket.socketpair()
        left.send(b"x")
        assert right.recv(1) == b"x"
        left.close()
        right.close()
    assert tried == []


# --- listeners ---------------------------------------------------------------------------------------------------

TEXT = "Este anuncio usa una voz."
SAID = Said(np.ones(32_000, dtype=np.float32) * 0.1, "es-ES", TEXT)


class Listens:
    """A recogniser that does everything right: it hears the text wherever there is sound."""

    version = "listens 1"

    def warm_up(self) -> None: ...

    def recognise(self, samples: Any, *, language: str | None) -> Transcript:
        loud = float(np.abs(samples).max()) > 0.05
        return Transcript(self.words(samples) if loud else (), "es", 0.9, len(samples) / 16_000)

    def words(self, samples: Any) -> tuple[Word, ...]:
        return tuple(Word(word, 0.3 * i, 0.3 * i + 0.2) for i, word in enumerate(TEXT.split()))


class Dreams(Listens):
    def recognise(self, samples: Any, *, language: str | None) -> Transcript:
        return Transcript(self.words(samples), "es", 0.9, len(samples) / 16_000)


class Mishears(Listens):
    def words(self, samples: Any) -> tuple[Word, ...]:
        return (Word("Gracias", 0.0, 0.5),)


class OutOfOrder(Listens):
    def words(self, samples: Any) -> tuple[Word, ...]:
        return (*super().words(samples)[:-1], Word("voz.", 0.0, 0.1))


class TakesItForItalian(Listens):
    def recognise(self, samples: Any, *, language: str | None) -> Transcript:
        heard = super().recognise(samples, language=language)
        return heard if language else Transcript(heard.words, "it", 0.9, heard.duration_s)


class Wavers(Listens):
    calls = 0

    def words(self, samples: Any) -> tuple[Word, ...]:
        self.calls += 1
        return tuple(Word(w.text, w.start_s, w.end_s + self.calls / 1000) for w in super().words(samples))


WRONG_LISTENERS: dict[type[Listens], tuple[str, str]] = {
    Dreams: ("silence", "hears 'Este anuncio usa una voz.' in silence"),
    Mishears: ("understands", "hears 'Gracias' where"),
    OutOfOrder: ("word-times", "'voz.' from 0.00 to 0.10 s is out of order"),
    TakesItForItalian: ("language", "takes es for it"),
    Wavers: ("same-again", "otherwise the second time"),
}


def test_a_recogniser_in_order_passes_everything() -> None:
    assert {one.verdict for one in check_recognition(RecognitionTrial(Listens, SAID))} == {"pass"}


@pytest.mark.parametrize(("kind", "told"), WRONG_LISTENERS.items(), ids=[kind.__name__ for kind in WRONG_LISTENERS])
def test_each_check_finds_the_recogniser_that_is_not(kind: type[Listens], told: tuple[str, str]) -> None:
    name, found = told
    verdicts = {one.name: one for one in check_recognition(RecognitionTrial(kind, SAID))}
    assert verdicts[name].verdict == "fail"
    assert found in verdicts[name].found


def test_where_nothing_is_said_only_silence_is_judged() -> None:
    verdicts = {one.name: one.verdict for one in check_recognition(RecognitionTrial(Listens, "name a --voice"))}
    assert verdicts["silence"] == verdicts["version"] == verdicts["no-network"] == "pass"
    assert {verdicts[name] for name in ("understands", "word-times", "language", "side-by-side")} == {"skip"}


# --- translators -------------------------------------------------------------------------------------------------

LOCALES = {"en-US": "Good morning.", "es-ES": "Buenos días.", "it-IT": "Buongiorno."}


class Translates:
    """A translator that does everything right, for one pair."""

    version = "translates 1"

    def knows(self, source: str, target: str) -> bool:
        return (source, target) == ("en-US", "es-ES")

    def translate(self, text: str, source: str, target: str) -> str:
        return f"¡{text}!"


class KnowsNothing(Translates):
    def knows(self, source: str, target: str) -> bool:
        return False


class SaysMaybe(Translates):
    def knows(self, source: str, target: str) -> bool:
        return 0.5  # type: ignore[return-value]


class KnowsAll(Translates):
    def knows(self, source: str, target: str) -> bool:
        return True


class SaysNothing(Translates):
    def translate(self, text: str, source: str, target: str) -> str:
        return " "


class NeverTheSame(Translates):
    calls = 0

    def translate(self, text: str, source: str, target: str) -> str:
        self.calls += 1
        return f"{text} {self.calls}"


WRONG_TRANSLATORS: dict[type[Translates], tuple[str, str]] = {
    KnowsNothing: ("pairs", "knows no pair of en-US, es-ES, it-IT"),
    SaysMaybe: ("pairs", "should be True or False, is 0.5"),
    KnowsAll: ("unknown-locale", "says that it knows vo-AQ to en-US"),
    SaysNothing: ("translates", "a draft should be text, is ' '"),
    NeverTheSame: ("same-again", "another draft the second time"),
}


def test_a_translator_in_order_passes_everything() -> None:
    assert {one.verdict for one in check_translation(TranslationTrial(Translates, LOCALES))} == {"pass"}


@pytest.mark.parametrize(("kind", "told"), WRONG_TRANSLATORS.items(), ids=[kind.__name__ for kind in WRONG_TRANSLATORS])
def test_each_check_finds_the_translator_that_is_not(kind: type[Translates], told: tuple[str, str]) -> None:
    name, found = told
    verdicts = {one.name: one for one in check_translation(TranslationTrial(kind, LOCALES))}
    assert verdicts[name].verdict == "fail"
    assert found in verdicts[name].found
