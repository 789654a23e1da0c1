"""Where a talent's statement is taken: listened to, kept with the voice, written down, and a record drafted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clearspot.consent.authority import Authority
from clearspot.consent.draft import DELETE_WITHIN_DAYS, draft_record, signed_before, write_draft
from clearspot.consent.enrolment import (
    GIVEN,
    Challenge,
    Ears,
    Heard,
    Readings,
    accept,
    challenge_of,
    listen,
    waiting_challenge,
)
from clearspot.consent.record import ConsentRecord, Reference, Statement, Talent, TalentEvidence, Withdrawal
from clearspot.consent.registry import Voice, VoiceFile
from clearspot.errors import MachineFault, Refused
from clearspot.files import write_atomically
from clearspot.yamlfile import parse_model


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What people bring to an enrolment: two recordings, and what no machine can know."""

    voice: VoiceFile
    folder: Path
    recording: Path
    reference: Path
    identity_checked: str
    contact: str
    guardian: str | None = None
    union: str = ""


def take_statement(
    asked: Enrolment,
    challenges: Path,
    readings: Readings,
    ears: Ears,
    authority: Authority,
    weights: Mapping[str, str],
) -> tuple[ConsentRecord, Path]:
    """Listen to a statement, and draft the record that it is the evidence of.

    Args:
        asked: The recordings and what people know.
        challenges: The folder of sentences that wait to be read.
        readings: The sentences and limits.
        ears: Who listens.
        authority: Its log takes down what came of it.
        weights: The digest of the voice's weights in each role.

    Returns:
        The drafted record, and where it lies.

    Raises:
        BadInput: A file is not audio, or a name is none.
        Refused: No sentence waits, or this is not a reading of it by the speaker of the reference.
        MachineFault: The voice's folder or the log cannot be written to.
    """
    now = authority.now()
    made = waiting_challenge(challenges, asked.voice.id, readings, now)
    typed = {
        "legal_name": made.talent,
        "identity_checked": asked.identity_checked,
        "adult": asked.guardian is None,
        "guardian": asked.guardian,
        "union": asked.union,
    }
    talent = parse_model(Talent, typed, GIVEN)
    withdrawal = parse_model(Withdrawal, {"contact": asked.contact, "delete_within_days": DELETE_WITHIN_DAYS}, GIVEN)
    heard = listen(made, asked.recording, asked.reference, ears, readings.limits)
    noted = _noted(made, heard)
    try:
        statement, reference = accept(made, heard, asked.recording, asked.reference, ears, readings, now)
    except Refused:
        authority.log.append("enrolment", {**noted, "accepted": False})
        raise
    evidence = TalentEvidence(basis="talent", talent=talent, statement=statement, reference=reference)
    before = signed_before(asked.folder)
    record = draft_record(asked.voice, evidence, made.company, withdrawal, weights, before, now)
    for source, kept in ((asked.recording, statement), (asked.reference, reference)):
        _keep(source, asked.folder, kept)
    path = write_draft(asked.folder, record)
    authority.log.append(
        "enrolment", {**noted, "accepted": True, "record": record.id, "statement_sha256": statement.sha256}
    )
    (challenges / f"{asked.voice.id}.yaml").unlink(missing_ok=True)  # its words were used
    return record, path


def listen_again(voice: Voice, evidence: TalentEvidence, ears: Ears, readings: Readings) -> Heard:
    """A statement that was accepted once, heard with the ears and limits of today.

    Raises:
        BadInput: A file is not audio.
    """
    made = challenge_of(voice.record, evidence)
    statement, reference = (voice.folder / kept.file for kept in (evidence.statement, evidence.reference))
    return listen(made, statement, reference, ears, readings.limits)


def _keep(source: Path, folder: Path, kept: Statement | Reference) -> None:
    """Copy a recording into the voice's folder, under the name that says which it is."""
    try:
        write_atomically(folder / kept.file, source.read_bytes())
    except OSError as error:
        raise MachineFault(f"cannot be read: {error.strerror}.", where=str(source)) from error


def _noted(made: Challenge, heard: Heard) -> dict[str, object]:
    """What the log says of a statement: no names, no words."""
    return {
        "voice": made.voice,
        "locale": made.locale,
        "version": made.version,
        "scores": heard.scores.model_dump(),
    }
