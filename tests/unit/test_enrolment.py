"""Enrolment with ears that are told what to hear; ``tests/engines/test_enrolment.py`` has real voices."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from clearspot.consent.authority import Authority
from clearspot.consent.enrolment import (
    Challenge,
    Ears,
    Readings,
    challenge,
    keep_challenge,
    listen,
    load_readings,
    waiting_challenge,
)
from clearspot.consent.enrolment_desk import Enrolment, listen_again, take_statement
from clearspot.consent.record import ConsentRecord, TalentEvidence
from clearspot.consent.registry import load_voice, load_voice_file
from clearspot.errors import BadInput, ClearspotError, Refused
from clearspot.media.audio import Samples
from clearspot.project import Project
from tests.conftest import NOW, FakeRecogniser, Scene, run_ffmpeg

Call = Callable[..., tuple[int, str, str]]
TALENT, COMPANY = "Nora Example", "Harbour Street Agency"
STATEMENT_S, REFERENCE_S = 12.0, 20.0
LANGUAGES = ("en", "es", "it", "pt", "de", "fr")


@dataclass
class FakeEncoder:
    """Tells voices apart by the length of what it hears; ``tests/engines`` has the real one."""

    alike: float = 0.9
    version: str = "fake-encoder 1"
    heard: list[float] = field(default_factory=list)

    def embed(self, samples: Samples) -> np.ndarray:
        self.heard.append(len(samples) / 16_000)
        reference = len(samples) > (STATEMENT_S + REFERENCE_S) / 2 * 16_000
        return np.array([1.0, 0.0] if reference else [self.alike, (1 - self.alike**2) ** 0.5], dtype=np.float32)


@pytest.fixture
def readings(project: Project) -> Readings:
    return load_readings(project.config("enrolment.yaml"))


@pytest.fixture
def made(readings: Readings) -> Challenge:
    return challenge("house", "en-US", TALENT, COMPANY, readings, dt.datetime.now(dt.UTC))


@pytest.fixture
def ears() -> Ears:
    return Ears(FakeRecogniser(), FakeEncoder(), {"model.bin": "a" * 64}, {"encoder.pt": "b" * 64})


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, Path]:
    """A statement and a reference: tones as long as they should be."""
    paths = []
    for name, seconds in (("statement.WAV", STATEMENT_S), ("reel.flac", REFERENCE_S)):
        paths.append(tmp_path / name)
        run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency=220:duration={seconds}", paths[-1])
    return paths[0], paths[1]


def hear(ears: Ears, text: str, language: str = "en") -> None:
    ears.recogniser.script[language] = [(text, 0.0, STATEMENT_S)]  # type: ignore[attr-defined]


# --- the sentence ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_sentence_and_words_that_are_told_apart(readings: Readings, language: str) -> None:
    reading = readings.languages[language]
    assert len(set(reading.words)) == len(reading.words) >= 32
    assert not [word for word in reading.words if len(word.split()) != 1]


def test_a_sentence_holds_both_names_and_fresh_words(readings: Readings, made: Challenge) -> None:
    words = made.code.split(", ")
    assert len(set(words)) == readings.code_words
    assert set(words) <= set(readings.languages["en"].words)
    assert all(part in made.text for part in (TALENT, COMPANY, made.code))
    assert "{" not in made.text


def test_no_two_sentences_have_the_same_words(readings: Readings) -> None:
    codes = {challenge("house", "fr-FR", TALENT, COMPANY, readings, NOW).code for _ in range(50)}
    assert len(codes) == 50


def test_a_locale_without_a_sentence_is_refused(readings: Readings) -> None:
    with pytest.raises(Refused, match="there is no consent sentence for ja-JP; there is for: en, es, it, pt, de, fr"):
        challenge("house", "ja-JP", TALENT, COMPANY, readings, NOW)


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0, ""), (23.9, ""), (24.1, "is 24.1 hours old; its code words count for 24"), (-1, "is -1.0 hours old")],
    ids=["at once", "just in time", "too late", "from the future"],
)
def test_a_sentence_counts_for_a_day(
    tmp_path: Path, readings: Readings, made: Challenge, hours: float, told: str
) -> None:
    path = keep_challenge(tmp_path, made)
    assert path.stat().st_mode & 0o777 == 0o600
    now = dt.datetime.fromisoformat(made.made_at) + dt.timedelta(hours=hours)
    if not told:
        assert waiting_challenge(tmp_path, "house", readings, now) == made
        return
    with pytest.raises(Refused, match=told):
        waiting_challenge(tmp_path, "house", readings, now)


# --- listening ---------------------------------------------------------------------------------------------------


def said(text: str) -> Callable[[Challenge], str]:
    return lambda made: text


def without_code(made: Challenge) -> str:
    return made.text.replace(made.code, "one two three four")


def one_old_word(made: Challenge) -> str:
    return made.text.replace(made.code.split(", ")[1], "umbrella")


REFUSED: dict[str, tuple[Callable[[Challenge], str], str]] = {
    "nothing was said": (said("hm"), "the name 'Nora Example' was not heard in 'hm'"),
    "another talent": (lambda made: made.text.replace(TALENT, "Peter Miller"), "the name 'Nora Example' was not heard"),
    "a relative": (
        lambda made: made.text.replace("Nora", "Helen"),
        "each word of the name 'Nora Example' was not heard",
    ),
    "no talent": (lambda made: made.text.replace(TALENT, ""), "the name 'Nora Example' was not heard"),
    "another company": (
        lambda made: made.text.replace(COMPANY, "Golden Gate Films"),
        "the company 'Harbour Street Agency' was not heard",
    ),
    "another code": (without_code, "the code words"),
    "one word of an old code": (one_old_word, "the code words"),
    "something else entirely": (said("Good morning. Here is the weather for tomorrow."), "the wording differs"),
    "a denial put in": (lambda made: made.text.replace("agree", "do not agree"), "the wording differs: denials differ"),
    "half of it": (lambda made: made.text[: len(made.text) // 2], "the wording differs"),
    "an amount put in": (
        lambda made: made.text.replace("advertisements", "advertisements for 500 euros"),
        "the wording differs: numbers differ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_the_sentence_is_told(
    ears: Ears, made: Challenge, readings: Readings, recordings: tuple[Path, Path], case: str
) -> None:
    spoken, told = REFUSED[case]
    hear(ears, spoken(made))
    heard = listen(made, *recordings, ears, readings.limits)
    assert [problem for problem in heard.problems if told in problem], heard.problems


def test_the_sentence_itself_passes(
    ears: Ears, made: Challenge, readings: Readings, recordings: tuple[Path, Path]
) -> None:
    hear(ears, made.text)
    heard = listen(made, *recordings, ears, readings.limits)
    assert heard.problems == ()
    assert heard.scores.model_dump() == {
        "error_rate": 0.0, "talent": 1.0, "talent_word": 1.0, "company": 1.0, "code": 1.0, "similarity": 0.9,
    }  # fmt: skip


def test_another_speaker_is_told_with_both_numbers(
    ears: Ears, made: Challenge, readings: Readings, recordings: tuple[Path, Path]
) -> None:
    hear(ears, made.text)
    ears.encoder.alike = 0.5  # type: ignore[attr-defined]
    (problem,) = listen(made, *recordings, ears, readings.limits).problems
    least = readings.limits.similarity
    assert problem == f"the speaker is not the one of the reference (similarity 0.50, at least {least:g})"


# --- at the desk -------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """A voice that waits to be enrolled, in a project of its own."""

    scene: Scene
    authority: Authority
    ears: Ears
    readings: Readings
    asked: Enrolment
    made: Challenge

    @property
    def challenges(self) -> Path:
        return self.scene.project.enrolments_dir

    def take(self, **changes: object) -> ConsentRecord:
        asked = dataclasses.replace(self.asked, **changes)  # type: ignore[arg-type]
        weights = dict(load_voice("house", {"house": asked.folder}).record.weights)
        return take_statement(asked, self.challenges, self.readings, self.ears, self.authority, weights)[0]

    def logged(self) -> list[dict[str, object]]:
        return [entry.data for _, entry in self.authority.log.read() if entry.event == "enrolment"]


@pytest.fixture
def desk(
    scene: Scene, authority: Authority, ears: Ears, readings: Readings, made: Challenge, recordings: tuple[Path, Path]
) -> Desk:
    folder = scene.voice()
    keep_challenge(scene.project.enrolments_dir, made)
    hear(ears, made.text)
    asked = Enrolment(
        load_voice_file("house", {"house": folder}), folder, *recordings, "passport seen", "agent@example.com"
    )
    return Desk(scene, authority, ears, readings, asked, made)


def test_an_enrolment_drafts_a_record_that_allows_nothing_yet(desk: Desk) -> None:
    (desk.asked.folder / "consent.sig.yaml").unlink()  # nobody signed anything before
    record = desk.take()
    evidence = record.evidence
    assert isinstance(evidence, TalentEvidence)
    assert load_voice("house", {"house": desk.asked.folder}).record == record
    assert evidence.statement.text == desk.made.text
    assert evidence.statement.limits.similarity == desk.readings.limits.similarity
    assert evidence.statement.models["speaker"] == {"engine": "fake-encoder 1", "encoder.pt": "b" * 64}
    for kept in (evidence.statement, evidence.reference):
        assert (desk.asked.folder / kept.file).is_file()
    assert evidence.statement.file.endswith(".wav")
    assert record.scope.locales == record.scope.markets == record.scope.media == ()
    assert (record.scope.max_spots, record.scope.approval) == (1, "per-spot")
    assert not any(record.derivatives.model_dump().values())
    assert list(record.signers) == ["talent", "licensee"]


def test_a_new_enrolment_follows_the_signed_record_and_keeps_its_terms(desk: Desk) -> None:
    before = load_voice("house", {"house": desk.asked.folder}).record
    record = desk.take()
    assert record.previous_sha256 == before.digest
    assert record.scope == before.scope


def test_a_minors_guardian_signs(desk: Desk) -> None:
    assert list(desk.take(guardian="Paula Example").signers) == ["guardian", "licensee"]


def test_the_sentence_counts_once(desk: Desk) -> None:
    desk.take()
    with pytest.raises(Refused, match="no consent sentence waits to be read for 'house'"):
        desk.take()


def test_a_newer_sentence_makes_the_older_void(desk: Desk) -> None:
    newer = challenge("house", "en-US", TALENT, COMPANY, desk.readings, dt.datetime.now(dt.UTC))
    keep_challenge(desk.challenges, newer)
    with pytest.raises(Refused, match="the code words"):
        desk.take()


def test_a_refusal_keeps_nothing_but_a_line_in_the_log(desk: Desk) -> None:
    before = {path: path.read_bytes() for path in desk.asked.folder.rglob("*") if path.is_file()}
    hear(desk.ears, "Good morning.")
    with pytest.raises(Refused, match="this is not the statement that was asked for: the name 'Nora Example'"):
        desk.take()
    assert {path: path.read_bytes() for path in desk.asked.folder.rglob("*") if path.is_file()} == before
    (entry,) = desk.logged()
    assert entry["accepted"] is False
    assert TALENT not in json.dumps(entry)
    hear(desk.ears, desk.made.text)
    desk.take()  # the sentence still waits: one may read it again
    assert [entry["accepted"] for entry in desk.logged()] == [False, True]


BAD: dict[str, tuple[dict[str, str], type[ClearspotError], str]] = {
    "the statement is its own reference": ({"reference": "statement.WAV"}, Refused, "are the same recording"),
    "no recording": ({"recording": "gone.wav"}, BadInput, "gone.wav: is not audio that can be read"),
    "a text for a recording": ({"recording": "text.wav"}, BadInput, "text.wav: is not audio that can be read"),
    "a recording of minutes": ({"recording": "long.wav"}, BadInput, "long.wav: is 125 s long; at most 120 s"),
}


@pytest.mark.parametrize("case", BAD)
def test_recordings_that_are_none(desk: Desk, tmp_path: Path, case: str) -> None:
    changes, kind, told = BAD[case]
    (tmp_path / "text.wav").write_text("hello")
    if "long.wav" in changes.values():
        run_ffmpeg("-f", "lavfi", "-i", "sine=duration=125:sample_rate=16000", tmp_path / "long.wav")
    with pytest.raises(kind, match=told):
        desk.take(**{name: tmp_path / file for name, file in changes.items()})


def test_a_kept_statement_is_heard_again(desk: Desk) -> None:
    desk.take()
    voice = load_voice("house", {"house": desk.asked.folder})
    assert isinstance(voice.record.evidence, TalentEvidence)
    assert listen_again(voice, voice.record.evidence, desk.ears, desk.readings).problems == ()
    desk.ears.encoder.alike = 0.4  # type: ignore[attr-defined]
    assert "the speaker is not" in listen_again(voice, voice.record.evidence, desk.ears, desk.readings).problems[0]


def load_voice_as_it_is(desk: Desk):
    sign_before = desk.asked.folder / "consent.sig.yaml"
    assert sign_before.exists()
    return load_voice("house", {"house": desk.asked.folder})


# --- the command -------------------------------------------------------------------------------------------------


def test_the_first_step_prints_the_sentence(scene: Scene, clearspot: Call) -> None:
    scene.voice()
    code, out, _ = clearspot("voices", "enroll", "house", "--locale", "it-IT", "--talent", "Giulia Conti", "--json")
    told = json.loads(out)
    assert code == 0
    assert "Giulia Conti" in told["text"]
    assert scene.project.settings.provider in told["text"]
    assert told["code"] in told["text"]
    assert (scene.project.enrolments_dir / "house.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["house"], 2, "--locale, --talent should be given too."),
        (["house", "--locale", "ja-JP", "--talent", "A"], 1, "there is no consent sentence for ja-JP"),
        (["house", "--locale", "en-US", "--talent", "A\u202eB"], 2, "holds a character that cannot be seen"),
        (["house", "--recording", "x.wav"], 2, "--reference, --identity, --contact should be given too."),
        (["house", "--locale", "en-US", "--talent", "Nor\u0430 Example"], 2, "mixes the scripts CYRILLIC and LATIN"),
        (["../house", "--locale", "en-US", "--talent", "A"], 2, "there is no voice '../house'"),
    ],
    ids=["nothing", "no sentence", "a hidden character", "a recording alone", "another script", "a path for a voice"],
)
def test_what_the_command_asks_for(scene: Scene, clearspot: Call, arguments: list[str], code: int, told: str) -> None:
    done, _, err = clearspot("voices", "enroll", *arguments)
    assert (done, told in err) == (code, True), err
