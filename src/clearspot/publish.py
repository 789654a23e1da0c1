"""export: what passed is moved into place with its receipt; what did not leaves a refusal and no media."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearspot import __version__
from clearspot.consent.grant import release
from clearspot.consent.registry import Voice
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

REFUSAL, WITHDRAWN = ".refusal.json", ".withdrawn"
PUBLISHED = (".wav", ".mp3", ".m4a", receipt.ENDING, ".srt", ".vtt")
"""The endings of everything that an export leaves; media first."""


def publish(job: Job, made: Made, voice: Voice, evidence: Evidence, findings: tuple[Finding, ...]) -> Path:
    """Move a passed deliverable into place; the log, receipt and captions first, so media never stands there alone.

    Returns:
        The deliverable's final path.

    Raises:
        Refused: The voice's consent ended at the last moment.
        MachineFault: The folder or the audit log cannot be written to, or the disk is full.
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
    body["audit"] = release(voice, made.grant, job.authority, _exported(target, body)).anchor
    write_atomically(_beside(stem, receipt.ENDING), receipt.to_text(receipt.sign_receipt(body, job.keys.receipt_key)))
    try:
        _beside(stem, REFUSAL).unlink(missing_ok=True)
        os.replace(made.candidate.path, target)
    except OSError as error:
        raise MachineFault(f"cannot be moved into place: {error.strerror}.", where=str(target)) from error
    return target


def _exported(target: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log keeps of an export: enough to find the file again, by its place or by its bytes."""
    clearance = body["clearance"]
    return {
        "path": str(target.resolve()),
        "essence_sha256": body["essence_sha256"],
        "file_sha256": body["file_sha256"],
        **{name: clearance[name] for name in ("unique_id", "spot", "locale", "markets")},
    }


def withdraw(job: Job, locale: str, profile_id: str, error: ClearspotError, findings: tuple[Finding, ...]) -> None:
    """Take what an earlier run published out of the way (``.withdrawn``: its bytes are kept), then say why.

    Raises:
        MachineFault: The folder cannot be written to.
    """
    stem = job.folder(locale) / job.name(locale, profile_id)
    try:
        for ending in PUBLISHED:
            path = _beside(stem, ending)
            if path.exists():
                os.replace(path, _free(path))
    except OSError as problem:
        raise MachineFault(f"cannot be withdrawn: {problem.strerror}.", where=str(stem)) from problem
    body = {
        "deliverable": stem.name,
        "refused_at": _now(),
        "error": error.as_json(),
        "findings": [asdict(finding) for finding in findings],
        "clearspot": __version__,
    }
    write_atomically(_beside(stem, REFUSAL), receipt.to_text(body))


def _free(path: Path) -> Path:
    """A name for what is withdrawn that nothing has yet."""
    names = (path.with_name(f"{path.name}{WITHDRAWN}{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def translation_sha256(translation: Translation) -> str:
    """The digest of the words spoken in one locale, the disclosure's included."""
    lines = {line.id: line.text for line in translation.lines}
    return sha256_json({"locale": translation.locale, "disclosure": translation.disclosure, "lines": lines})


def _receipt_body(job: Job, made: Made, evidence: Evidence, findings: tuple[Finding, ...]) -> dict[str, Any]:
    expected = evidence.expected
    return {
        "deliverable": made.candidate.path.name,
        "essence_sha256": evidence.essence_sha256,
        "file_sha256": sha256_file(made.candidate.path),
        "clearance": dict(made.clearance),
        "inputs": {
            **job.inputs,
            "translation": translation_sha256(expected.translation),
            "voice": made.grant.voice_sha256,
            "profile": sha256_json(expected.profile.model_dump(mode="json")),
        },
        "engines": _engines(job, made),
        "consent": {
            "record": made.grant.record_id,
            "record_sha256": made.grant.record_sha256,
            "basis": made.grant.basis,
            "signed_by_keys": list(made.grant.signed_by),
            "markets": [use.market for use in made.grant.uses],
        },
        "requirements": expected.requirements.as_json(),
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
            for clip in evidence.clips
        ],
        "findings": [asdict(finding) for finding in findings],
        "provenance": {
            "manifest": evidence.manifest.state,
            "signer": evidence.manifest.signer,
            "trusted_time": bool(evidence.manifest.signed_at),
        },
        "times": {"started": job.started.isoformat(timespec="seconds"), "exported": _now()},
        "clearspot": __version__,
        "python": platform.python_version(),
    }


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
        "watermark": {
            "engine": job.studio.watermarker().version,
            "weights": job.studio.watermark_sha256(),
        },
    }


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
