"""Enrolment: a sentence to read aloud, with words that are new each time, and whether a recording is that reading.

The form follows what the strictest platforms ask of a personal voice: own name and company's name in a fixed sentence
per language; the fresh words make an old recording, or one put together from others, useless.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from clearspot.consent.record import ConsentRecord, Reference, Scores, Statement, TalentEvidence, Time, Words
from clearspot.engines.protocols import Recogniser, SpeakerEncoder
from clearspot.errors import BadInput, Refused
from clearspot.files import write_atomically
from clearspot.hashing import sha256_file
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode
from clearspot.spot import Id, LocaleTag
from clearspot.text.match import closeness, match_lines
from clearspot.text.names import Name
from clearspot.text.said import Said, hold_against
from clearspot.yamlfile import Strict, dump_yaml, load_model, parse_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clearspot.transcript import Word

MAX_RECORDING_S = 120.0
"""A statement takes some fifteen seconds; a recording of minutes is something else."""

MAX_REFERENCE_S = 600.0
NAME_WORD_LETTERS = 3
"""Shorter parts of a name, such as initials, are heard with the rest or not at all."""

GIVEN = Path("voices enroll")
"""Where a name stands that somebody typed."""


class EnrolmentLimits(Strict):
    """How nearly a statement must be heard. The ranges keep a typing error from switching a check off."""

    error_rate: float = Field(ge=0, le=0.35)
    name_closeness: float = Field(ge=0.6, le=1)
    name_word_closeness: float = Field(ge=0.5, le=1)
    code_closeness: float = Field(ge=0.6, le=1)
    similarity: float = Field(ge=0.75, le=1)

    def as_scores(self) -> Scores:
        return Scores(
            error_rate=self.error_rate,
            talent=self.name_closeness,
            talent_word=self.name_word_closeness,
            company=self.name_closeness,
            code=self.code_closeness,
            similarity=self.similarity,
        )


class Reading(Strict):
    """What is read aloud in one language: a sentence with ``{talent}``, ``{company}``, ``{code}``, and code words."""

    sentence: Words
    words: Annotated[tuple[str, ...], Field(min_length=32)]

    @model_validator(mode="after")
    def _has_places(self) -> Self:
        if lacking := [name for name in ("{talent}", "{company}", "{code}") if self.sentence.count(name) != 1]:
            raise ValueError(f"the sentence should hold {' and '.join(lacking)} once")
        return self


class Readings(Strict):
    """``configs/enrolment.yaml``."""

    version: Words
    limits: EnrolmentLimits
    valid_hours: int = Field(ge=1, le=168)
    code_words: int = Field(ge=3, le=8)
    languages: dict[str, Reading] = Field(min_length=1)

    def of(self, locale: str) -> Reading:
        """What is read in a locale.

        Raises:
            Refused: There is no sentence for its language.
        """
        language = locale.split("-", maxsplit=1)[0]
        if language not in self.languages:
            raise Refused(
                f"there is no consent sentence for {locale}; there is for: {', '.join(self.languages)}.",
                where="configs/enrolment.yaml: languages",
                remedy="Let the talent speak one of those languages, or add a sentence and measure it.",
            )
        return self.languages[language]


class Challenge(Strict):
    """A sentence that waits to be read aloud. One at a time for a voice: a newer one makes the older void."""

    voice: Id
    locale: LocaleTag
    version: Words
    talent: Name
    company: Name
    code: Words
    text: Words
    made_at: Time


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a reading: the evidence, and what is wrong with it (empty where nothing is)."""

    transcript: str
    scores: Scores
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ears:
    """Who listens to enrolments, and the digests of their weights, for the record."""

    recogniser: Recogniser
    encoder: SpeakerEncoder
    recogniser_sha256: dict[str, str]
    encoder_sha256: dict[str, str]

    @property
    def models(self) -> dict[str, dict[str, str]]:
        """What stands in the record: engine and weights of both."""
        return {
            "recogniser": {"engine": self.recogniser.version, **self.recogniser_sha256},
            "speaker": {"engine": self.encoder.version, **self.encoder_sha256},
        }


def load_readings(path: Path) -> Readings:
    """The sentences and limits of a project.

    Raises:
        BadInput: The file is not what it should be.
    """
    return load_model(Readings, path)


def challenge(
    voice: str,
    locale: str,
    talent: str,
    company: str,
    readings: Readings,
    now: dt.datetime,
    choose: Callable[[tuple[str, ...]], str] = secrets.choice,
) -> Challenge:
    """A sentence for one talent and one company, with words that nobody can have recorded before.

    Raises:
        BadInput: A name or the locale is none.
        Refused: There is no sentence for the locale's language.
    """
    reading = readings.of(locale)
    left = list(reading.words)
    chosen = []
    for _ in range(readings.code_words):
        chosen.append(choose(tuple(left)))
        left.remove(chosen[-1])
    code = ", ".join(chosen)
    made = {
        "voice": voice,
        "locale": locale,
        "version": readings.version,
        "talent": talent,
        "company": company,
        "code": code,
        "text": reading.sentence.format(talent=talent, company=company, code=code),
        "made_at": now.astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
    return parse_model(Challenge, made, GIVEN)  # names come from people, and may be none


def keep_challenge(folder: Path, made: Challenge) -> Path:
    """Let a sentence wait to be read; the voice's earlier one is void then. Only its owner may read the file."""
    path = folder / f"{made.voice}.yaml"
    write_atomically(path, dump_yaml(made.model_dump(mode="json")).encode(), mode=0o600)
    return path


def waiting_challenge(folder: Path, voice: str, readings: Readings, now: dt.datetime) -> Challenge:
    """The sentence that waits to be read for a voice.

    Raises:
        Refused: None does, or it has waited too long.
    """
    path = folder / f"{voice}.yaml"
    remedy = f"clearspot voices enroll {voice} --locale L --talent NAME --company NAME gives a fresh one."
    if not path.is_file():
        raise Refused(f"no consent sentence waits to be read for {voice!r}.", where=str(path), remedy=remedy)
    made = load_model(Challenge, path)
    age_h = (now - dt.datetime.fromisoformat(made.made_at)).total_seconds() / 3600
    if not 0 <= age_h <= readings.valid_hours:
        raise Refused(
            f"the consent sentence is {age_h:.1f} hours old; its code words count for {readings.valid_hours}.",
            where=f"{path}: made_at",
            remedy=remedy,
        )
    return made


def challenge_of(record: ConsentRecord, evidence: TalentEvidence) -> Challenge:
    """The sentence that a record's statement is a reading of, to listen to it once more."""
    statement = evidence.statement
    return Challenge(
        voice=record.voice,
        locale=statement.locale,
        version=statement.version,
        talent=evidence.talent.legal_name,
        company=record.licensee.name,
        code=statement.code,
        text=statement.text,
        made_at=statement.recorded_at,
    )


def listen(made: Challenge, recording: Path, reference: Path, ears: Ears, limits: EnrolmentLimits) -> Heard:
    """Hold a recording against the sentence that should be read in it, and its speaker against the reference.

    Raises:
        BadInput: A file is not audio, or holds too little speech to compare.
    """
    spoken, locale = _speech(recording, MAX_RECORDING_S), made.locale
    words = ears.recogniser.recognise(spoken, language=locale.split("-", maxsplit=1)[0]).words
    said = hold_against(made.text, match_lines([made.text], words, locale)[0], (made.talent, made.company), locale)
    close = {
        "talent": closeness(made.talent, said.heard, locale),
        "talent_word": _least_word(made, words),
        "company": closeness(made.company, said.heard, locale),
        "code": min(closeness(word, said.heard, locale) for word in made.code.split(", ")),
    }
    one = _voice_in(recording, spoken, ears)
    other = _voice_in(reference, _speech(reference, MAX_REFERENCE_S), ears)
    scores = Scores(
        error_rate=round(said.error_rate, 3),
        **{name: round(value, 3) for name, value in close.items()},
        similarity=round(float(one @ other), 3),
    )
    return Heard(said.heard, scores, tuple(_problems(said, scores, limits, made)))


def accept(
    made: Challenge, heard: Heard, recording: Path, reference: Path, ears: Ears, readings: Readings, now: dt.datetime
) -> tuple[Statement, Reference]:
    """What goes into the record, once nothing is wrong with a reading. Files are named by their digests.

    Raises:
        Refused: Something is wrong with it; every reason is told.
    """
    if heard.problems:
        raise Refused(
            f"this is not the statement that was asked for: {'; '.join(heard.problems)}.",
            where=str(recording),
            remedy="Let the talent read the sentence aloud once more, in one go and without music.",
        )
    statement_sha256, reference_sha256 = sha256_file(recording), sha256_file(reference)
    if statement_sha256 == reference_sha256:
        raise Refused(
            "the statement and the reference are the same recording, so comparing them proves nothing.",
            where=str(reference),
            remedy="Give another recording of the talent as the reference: the one that the voice is made from.",
        )
    statement = Statement(
        locale=made.locale,
        version=made.version,
        text=made.text,
        code=made.code,
        transcript=heard.transcript,
        file=f"statement-{statement_sha256[:12]}{recording.suffix.lower()}",
        sha256=statement_sha256,
        recorded_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        scores=heard.scores,
        limits=readings.limits.as_scores(),
        models=ears.models,
    )
    name = f"reference-{reference_sha256[:12]}{reference.suffix.lower()}"
    return statement, Reference(file=name, sha256=reference_sha256)


def _speech(path: Path, most_s: float) -> Samples:
    samples = decode(path, channels=1, rate_hz=LISTEN_RATE_HZ)
    if len(samples) > most_s * LISTEN_RATE_HZ:
        raise BadInput(
            f"is {len(samples) / LISTEN_RATE_HZ:.0f} s long; at most {most_s:g} s are listened to.", where=str(path)
        )
    return samples


def _least_word(made: Challenge, words: tuple[Word, ...]) -> float:
    """How closely the least heard word of the talent's name was heard in its place: a shared surname is not a name."""
    before, _, after = made.text.partition(made.talent)
    stretches = [part for part in (before, made.talent, after) if part.strip(" ,.")]
    in_place = match_lines(stretches, words, made.locale)[stretches.index(made.talent)].heard
    parts = [part for part in made.talent.split() if len(part) >= NAME_WORD_LETTERS] or [made.talent]
    return min(closeness(part, in_place, made.locale) for part in parts)


def _voice_in(path: Path, samples: Samples, ears: Ears) -> NDArray[np.float32]:
    try:
        return ears.encoder.embed(samples)
    except BadInput as error:
        raise BadInput(error.what, where=str(path), remedy="Record it anew, in a quiet room.") from error


def _problems(said: Said, scores: Scores, limits: EnrolmentLimits, made: Challenge) -> list[str]:
    """Every reason not to take a reading, in words."""
    held = {
        f"the name {made.talent!r}": (scores.talent, limits.name_closeness),
        f"each word of the name {made.talent!r}": (scores.talent_word, limits.name_word_closeness),
        f"the company {made.company!r}": (scores.company, limits.name_closeness),
        f"the code words {made.code!r}": (scores.code, limits.code_closeness),
    }
    problems = [
        f"{what} was not heard in {said.heard!r} (closeness {got:.2f}, at least {least:g})"
        for what, (got, least) in held.items()
        if got < least
    ]
    if wording := said.difference(error_rate=limits.error_rate, name_closeness=0):
        problems.append(f"the wording differs: {wording}")
    if scores.similarity < limits.similarity:
        problems.append(
            f"the speaker is not the one of the reference (similarity {scores.similarity:.2f}, at least "
            f"{limits.similarity:g})"
        )
    return problems
