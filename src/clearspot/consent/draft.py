"""A consent record to begin with, after an enrolment: everything that is known, and nothing allowed yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from clearspot.consent.record import (
    ConsentRecord,
    Derivatives,
    Licensee,
    Scope,
    TalentEvidence,
    Term,
    Withdrawal,
)
from clearspot.consent.registry import CONSENT_FILE, SIGNATURE_FILE, VoiceFile
from clearspot.consent.signature import Signatures
from clearspot.files import write_atomically
from clearspot.yamlfile import dump_yaml, load_model

DRAFT_DAYS = 365
DELETE_WITHIN_DAYS = 30
HEADER = """\
# Drafted by `clearspot voices enroll`. It allows nothing yet: fill in scope, derivatives and term with the talent, then
# `clearspot voices sign {voice} --as talent|guardian|licensee --key FILE`. What each field means: docs/consent.md.
"""


def draft_record(
    file: VoiceFile,
    evidence: TalentEvidence,
    company: str,
    withdrawal: Withdrawal,
    weights: Mapping[str, str],
    before: ConsentRecord | None,
    now: dt.datetime,
) -> ConsentRecord:
    """A record for a voice that was just enrolled.

    Args:
        file: The voice, as it will speak.
        evidence: The talent and their statement.
        company: The licensee, as the statement names it.
        withdrawal: Whom to tell that consent ends, and how soon files are deleted then.
        weights: The digest of the file in each role.
        before: The record of an earlier enrolment, whose terms are kept and which it follows.
        now: The time of the enrolment.
    """
    today = now.date()
    terms = {
        "scope": Scope(
            locales=(),
            markets=(),
            advertisers=(),
            products=(),
            excluded_categories=(),
            media=(),
            purposes=(),
            max_spots=1,
            approval="per-spot",
        ),
        "derivatives": Derivatives(translation=False, training=False, sublicence=False),
        "term": Term(start=today.isoformat(), end=(today + dt.timedelta(days=DRAFT_DAYS)).isoformat(), time_zone="UTC"),
    }
    if before is not None:
        terms = {"scope": before.scope, "derivatives": before.derivatives, "term": before.term}
    return ConsentRecord(
        schema_version=1,
        id=f"{file.id}-{now:%Y-%m-%d-%H%M%S}"[-64:],
        voice=file.id,
        status="active",
        evidence=evidence,
        licensee=Licensee(name=company, agents=before.licensee.agents if before else ()),
        withdrawal=withdrawal,
        voice_sha256=file.digest,
        weights=dict(weights),
        previous_sha256=before.digest if before else "",
        **terms,
    )


def write_draft(folder: Path, record: ConsentRecord) -> Path:
    """Write a drafted record. The signature of the one before stays until the new one is signed, and fits no more.

    Raises:
        MachineFault: It cannot be written.
    """
    path = folder / CONSENT_FILE
    write_atomically(path, (HEADER.format(voice=record.voice) + dump_yaml(record.canonical())).encode())
    return path


def signed_before(folder: Path) -> ConsentRecord | None:
    """The record that a new one has to follow: the one in the folder, if anybody signed it.

    Raises:
        BadInput: It is not what it should be.
    """
    record, signatures = folder / CONSENT_FILE, folder / SIGNATURE_FILE
    if not record.is_file() or not signatures.is_file():
        return None
    found = load_model(ConsentRecord, record)
    return found if load_model(Signatures, signatures).record_sha256 == found.digest else None
