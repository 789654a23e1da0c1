"""export: what passed is moved into place with its receipt; what did not leaves a refusal and no media."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearspot import __version__
from clearspot.consent.grant import Grant
from clearspot.errors import ClearspotError, MachineFault
from clearspot.files import write_atomically
from clearspot.gate import receipt
from clearspot.gate.evidence import Evidence
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file, sha256_json
from clearspot.job import Job
from clearspot.stages import captions
from clearspot.stages.translate import Translation

if TYPE_CHECKING:
    from clearspot.pipeline import Made

RECEIPT, REFUSAL, WITHDRAWN = ".receipt.json", ".refusal.json", ".withdrawn"


def publish(job: Job, made: Made, evidence: Evidence, findings: tuple[Finding, ...]) -> Path:
    """Move a passed deliverable into place; receipt and captions first, so media never stands there alone.

    Returns:
        The deliverable's final path.

    Raises:
        MachineFault: The folder cannot be written to or the disk is full.
    """
    locale = made.expected.translation.locale
    stem = job.folder(locale) / job.name(locale, made.profile_id)
    target = stem.with_name(stem.name + made.candidate.path.suffix)
    body = _receipt_body(job, made, evidence, findings)
    try:
        with made.candidate.path.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise MachineFault(f"cannot be stored: {error.strerror}.", where=str(target)) from error
    write_atomically(_beside(stem, ".srt"), captions.srt(made.expected.timeline).encode())
    write_atomically(_beside(stem, ".vtt"), captions.vtt(made.expected.timeline).encode())
    write_atomically(_beside(stem, RECEIPT), receipt.to_text(receipt.sign_receipt(body, job.keys.receipt_key)))
    try:
        os.replace(made.candidate.path, target)
        _beside(stem, REFUSAL).unlink(missing_ok=True)
    except OSError as error:
        raise MachineFault(f"cannot be moved into place: {error.strerror}.", where=str(target)) from error
    return target


def withdraw(job: Job, locale: str, profile_id: str, error: ClearspotError, findings: tuple[Finding, ...]) -> None:
    """Write the refusal of a deliverable. Media of an earlier run loses its name (``.withdrawn``), not its bytes."""
    stem = job.folder(locale) / job.name(locale, profile_id)
    body = {
        "deliverable": stem.name,
        "refused_at": _now(),
        "error": error.as_json(),
        "findings": [asdict(finding) for finding in findings],
        "clearspot": __version__,
    }
    write_atomically(_beside(stem, REFUSAL), receipt.to_text(body))
    media = _beside(stem, "." + job.profiles[profile_id].extension)
    for path in (media, _beside(stem, RECEIPT), _beside(stem, ".srt"), _beside(stem, ".vtt")):
        if path.exists():
            os.replace(path, path.with_name(path.name + WITHDRAWN))


def translation_sha256(translation: Translation) -> str:
    """The digest of the words spoken in one locale, the disclosure's included."""
    lines = {line.id: line.text for line in translation.lines}
    return sha256_json({"locale": translation.locale, "disclosure": translation.disclosure, "lines": lines})


def _receipt_body(job: Job, made: Made, evidence: Evidence, findings: tuple[Finding, ...]) -> dict[str, Any]:
    expected = evidence.expected
    locale = expected.translation.locale
    return {
        "deliverable": made.candidate.path.name,
        "essence_sha256": evidence.essence_sha256,
        "file_sha256": sha256_file(made.candidate.path),
        "clearance": dict(made.clearance),
        "inputs": _inputs(job, expected.translation, made.grant),
        "engines": _engines(job, made),
        "consent": {
            "record": made.grant.record_id,
            "record_sha256": made.grant.record_sha256,
            "basis": made.grant.basis,
            "signed_by_key": made.grant.signed_by,
            "markets": [use.market for use in made.grant.uses],
        },
        "approvals": {
            "script": job.approvals.script.model_dump(exclude={"lines"}) if job.approvals.script else None,
            "translation": [
                {
                    "line": line.id,
                    "status": line.status,
                    "by": line.approved_by or line.drafted_by,
                    "at": line.approved_at,
                }
                for line in expected.translation.lines
            ],
        },
        "timeline": [
            {
                "line": clip.placed.line_id,
                "start_s": round(clip.placed.start_s, 3),
                "end_s": round(clip.placed.end_s, 3),
                "rate": round(clip.placed.rate, 3),
                "heard": clip.said.heard,
                "error_rate": round(clip.said.error_rate, 3),
            }
            for clip in (evidence.disclosure, *evidence.lines)
        ],
        "findings": [asdict(finding) for finding in findings],
        "provenance": {
            "manifest": evidence.manifest.state,
            "signer": evidence.manifest.signer,
            "trusted_time": bool(evidence.manifest.signed_at),
            "locale": locale,
        },
        "times": {"started": job.started.isoformat(timespec="seconds"), "exported": _now()},
        "clearspot": __version__,
        "python": platform.python_version(),
    }


def _inputs(job: Job, translation: Translation, grant: Grant) -> dict[str, str]:
    """The sha256 of everything the deliverable was made from, by what it is."""
    spot = job.spot
    inputs = {
        "script": spot.script.digest,
        "spot": sha256_json(spot.order.model_dump(mode="json")),
        "recording": sha256_file(spot.recording),
        "translation": translation_sha256(translation),
        "voice": grant.voice_sha256,
        "limits": sha256_json(job.limits.model_dump(mode="json")),
    }
    if spot.bed:
        inputs["bed"] = sha256_file(spot.bed)
    return inputs


def _engines(job: Job, made: Made) -> dict[str, Mapping[str, Any]]:
    speech = job.studio.speech(made.grant.engine)
    return {
        "speech": {
            "engine": speech.version,
            "weights": {role: file.sha256 for role, file in made.grant.weights.items()},
        },
        "recognition": {
            "engine": job.studio.recogniser().version,
            "weights": job.studio.recogniser_sha256(),
        },
    }


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
