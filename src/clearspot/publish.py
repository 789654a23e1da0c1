"""export: what passed is moved into place with its receipt; what did not leaves a refusal and no media."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearspot import __version__
from clearspot.config import CODECS
from clearspot.consent.grant import Grant, release
from clearspot.consent.registry import Voice
from clearspot.consent.spot_approval import owner_role
from clearspot.errors import ClearspotError, MachineFault
from clearspot.files import write_atomically
from clearspot.gate import receipt
from clearspot.gate.evidence import Evidence, HeardClip
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file, sha256_json
from clearspot.job import Job
from clearspot.provenance.manifest import BESIDE, SIDECAR
from clearspot.stages.translate import Translation

if TYPE_CHECKING:
    from clearspot.delivery import Made

REFUSAL, WITHDRAWN = ".refusal.json", ".withdrawn"
RUN_FILE = "run.json"
"""Beside the report: what the last run was asked for, and what came of it."""

MEDIA, CAPTIONS = tuple(f".{extension}" for extension in CODECS), (".srt", ".vtt")
PUBLISHED = (
    *MEDIA,
    *(ending + SIDECAR for ending in MEDIA if ending in BESIDE),
    receipt.ENDING,
    *CAPTIONS,
    *(ending + SIDECAR for ending in CAPTIONS),
)
"""The endings of everything that an export leaves; media first, manifests after what they are of."""


def publish(job: Job, made: Made, voice: Voice, evidence: Evidence, findings: tuple[Finding, ...]) -> Path:
    """Move a passed deliverable into place; what proves a file always before the file itself.

    First the log and the receipt; then renames alone: captions after their manifests, the sound last, after its own.
    Whenever the machine dies, what stands there under a final name has its proof beside it or proves nothing; and where
    the log cannot be written, what an earlier run left is not touched.

    Returns:
        The deliverable's final path.

    Raises:
        Refused: The voice's consent ended at the last moment.
        MachineFault: The folder or the audit log cannot be written to, or the disk is full.
    """
    locale = made.expected.translation.locale
    stem = job.folder(locale) / job.name(locale, made.profile_id)
    target = stem.with_name(made.candidate.path.name)
    body = _receipt_body(job, made, voice, evidence, findings)
    try:
        for path in made.candidate.files:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    except OSError as error:
        raise MachineFault(f"cannot be stored: {error.strerror}.", where=str(target)) from error
    body["audit"] = release(voice, made.grant, job.authority, _exported(target, body)).anchor
    write_atomically(_beside(stem, receipt.ENDING), receipt.to_text(receipt.sign_receipt(body, job.keys.receipt_key)))
    try:
        _beside(stem, REFUSAL).unlink(missing_ok=True)
        _set_aside_other_kinds(stem, made.candidate.path.suffix)
        for path in made.candidate.files:
            os.replace(path, stem.with_name(path.name))
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


def withdraw(
    job: Job,
    locale: str,
    profile_id: str,
    error: ClearspotError,
    findings: tuple[Finding, ...],
    made_from: Mapping[str, str],
    leave: Mapping[str, Any],
) -> None:
    """Take what an earlier run published out of the way (``.withdrawn``: its bytes are kept), then say why.

    ``made_from`` is the ingredients of what is refused for what it is: a plan knows it again by them. What stands
    against its locale, as the plan saw it, is written down too; and ``leave``, who had approved what (``leave_given``).

    Raises:
        MachineFault: The folder cannot be written to.
    """
    stem = job.folder(locale) / job.name(locale, profile_id)
    _set_aside(stem)
    _write_refusal(
        stem,
        error,
        about=about(job, locale, profile_id),
        findings=[asdict(finding) for finding in findings],
        requirements=job.requirements[locale].as_json(),
        ingredients=dict(made_from),
        blocks=list(job.blocks.get(locale, ())),
        **leave,
    )


def withdraw_orphan(path: Path, error: ClearspotError) -> None:
    """The same for a published file alone, where there may be no job that it belongs to any more.

    Args:
        path: The deliverable; what it is for, its receipt says.
        error: Why it may not lie there.

    Raises:
        MachineFault: The folder cannot be written to.
    """
    stem = path.with_suffix("")
    try:
        body = receipt.read_receipt(_beside(stem, receipt.ENDING)).get("receipt", {})
    except ClearspotError:
        body = {}  # it goes with or without
    _set_aside(stem)
    known = {name: body[name] for name in ("about", "requirements") if isinstance(body, dict) and name in body}
    _write_refusal(stem, error, findings=[], blocks=[error.what], **known)


def _set_aside(stem: Path) -> None:
    try:
        for ending in PUBLISHED:
            path = _beside(stem, ending)
            if path.exists():
                os.replace(path, _free(path))
    except OSError as problem:
        raise MachineFault(f"cannot be withdrawn: {problem.strerror}.", where=str(stem)) from problem


def _write_refusal(stem: Path, error: ClearspotError, **told: Any) -> None:
    body = {
        "deliverable": stem.name,
        "refused_at": _now(),
        "error": error.as_json(),
        "clearspot": __version__,
    }
    write_atomically(_beside(stem, REFUSAL), receipt.to_text(body | told))


def place_of(job: Job) -> str:
    """The spot's folder as the run's record names it: from the project's, so that a project may move."""
    folder, root = job.spot.folder.resolve(), job.project.root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def record_run(job: Job, ended: Sequence[tuple[str, str, str, ClearspotError | None]]) -> None:
    """Write down what the run was asked for and what came of it, also of what left no file.

    Args:
        job: The run.
        ended: Of each deliverable its locale, its profile, its verdict, and why it was not made.

    Raises:
        MachineFault: The folder cannot be written to.
    """
    body = {
        "spot": job.spot.id,
        "folder": place_of(job),
        "provider": job.project.settings.provider,
        "started": job.started.isoformat(timespec="seconds"),
        "finished": _now(),
        "deliverables": [
            {
                "name": job.name(locale, profile_id),
                "about": about(job, locale, profile_id),
                "verdict": verdict,
                "error": error.as_json() if error else None,
            }
            for locale, profile_id, verdict, error in ended
        ],
        "clearspot": __version__,
    }
    write_atomically(job.home / RUN_FILE, receipt.to_text(body))


def _set_aside_other_kinds(stem: Path, suffix: str) -> None:
    """What an earlier run published as another kind of file has no receipt any more."""
    for ending in (*MEDIA, *(ending + SIDECAR for ending in MEDIA)):
        path = _beside(stem, ending)
        if not ending.startswith(suffix) and path.exists():
            os.replace(path, _free(path))


def _free(path: Path) -> Path:
    """A name for what is withdrawn that nothing has yet."""
    names = (path.with_name(f"{path.name}{WITHDRAWN}{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def translation_sha256(translation: Translation) -> str:
    """The digest of the words spoken in one locale, the disclosure's included."""
    lines = {line.id: line.text for line in translation.lines}
    return sha256_json({"locale": translation.locale, "disclosure": translation.disclosure, "lines": lines})


def about(job: Job, locale: str, profile_id: str) -> dict[str, Any]:
    """What a deliverable is, in the terms that people order it in; receipts and refusals carry it alike."""
    profile, script = job.profiles[profile_id], job.spot.script
    return {
        "spot": job.spot.id,
        "locale": locale,
        "markets": list(job.spot.order.locales[locale].markets),
        "profile": profile_id,
        "title": profile.title,
        "limits": {
            "loudness_lufs": profile.loudness_lufs,
            "loudness_tolerance_lu": profile.loudness_tolerance_lu,
            "true_peak_dbtp": profile.true_peak_dbtp,
            "short_term_max_lufs": profile.short_term_max_lufs,
        },
        "advertiser": script.advertiser,
        "product": script.product,
        "source_locale": script.locale,
        "medium": job.spot.order.medium,
        "purpose": job.spot.order.purpose,
        "provider": job.project.settings.provider,
    }


def _receipt_body(
    job: Job, made: Made, voice: Voice, evidence: Evidence, findings: tuple[Finding, ...]
) -> dict[str, Any]:
    expected = evidence.expected
    return {
        "deliverable": made.candidate.path.name,
        "about": about(job, expected.translation.locale, made.profile_id),
        "essence_sha256": evidence.essence_sha256,
        "file_sha256": sha256_file(made.candidate.path),
        "beside": {path.name: sha256_file(path) for path in made.candidate.files[:-1]},
        "clearance": dict(made.clearance),
        "inputs": {
            **job.inputs,
            "translation": translation_sha256(expected.translation),
            "voice": made.grant.voice_sha256,
            "profile": sha256_json(expected.profile.plain),
        },
        "ingredients": dict(made.ingredients),
        "engines": _engines(job, made),
        "requirements": expected.requirements.as_json(),
        **leave_given(job, made, voice, evidence),
        "timeline": [_placed(job, clip) for clip in evidence.clips],
        "findings": [asdict(finding) for finding in findings],
        "provenance": {
            "manifest": evidence.manifest.state,
            "signer": evidence.manifest.signer,
            "signed_at": evidence.manifest.signed_at,
            "trusted_time": evidence.manifest.trusted_time,
            "certificate_ends": job.keys.ends.isoformat(),
        },
        "times": {"started": job.started.isoformat(timespec="seconds"), "exported": _now()},
        "clearspot": __version__,
        "python": platform.python_version(),
    }


def leave_given(job: Job, made: Made, voice: Voice, evidence: Evidence) -> dict[str, Any]:
    """Who approved what, and what the voice's owner allowed; receipts and the gate's refusals carry it alike.

    It names nobody but who signed words off: who the talent is stays in the record.
    """
    record, grant = voice.record, made.grant
    lines = evidence.expected.translation.lines
    approvals: dict[str, Any] = {
        "script": job.approvals.script.model_dump(exclude={"lines"}) if job.approvals.script else None,
        "translation": [
            {"line": line.id, "status": line.status, "by": line.approved_by or line.drafted_by, "at": line.approved_at}
            for line in lines
        ],
    }
    now = evidence.consent.approval if isinstance(evidence.consent, Grant) else grant.approval
    if now:
        approvals["voice"] = {
            "role": owner_role(voice), "key": now.key, "at": now.signed_at, "script_sha256": now.script_sha256,
        }  # fmt: skip
    return {
        "approvals": approvals,
        "consent": {
            "record": grant.record_id,
            "record_sha256": grant.record_sha256,
            "basis": grant.basis,
            "signed_by_keys": list(grant.signed_by),
            "markets": [use.market for use in grant.uses],
            "scope": record.scope.model_dump(mode="json"),
            "derivatives": record.derivatives.model_dump(mode="json"),
            "term": record.term.model_dump(mode="json"),
        },
    }


def _placed(job: Job, clip: HeardClip) -> dict[str, Any]:
    """One clip: what is said when, which approved line it is (none: the disclosure), and what was heard."""
    placed = clip.placed
    source = job.spot.script.lines.get(placed.line_id)
    return {
        "line": placed.line_id,
        "disclosure": source is None,
        "text": placed.text,
        "source": source or "",
        "start_s": round(placed.start_s, 3),
        "end_s": round(placed.end_s, 3),
        "rate": round(placed.rate, 3),
        "heard": clip.said.heard,
        "error_rate": round(clip.said.error_rate, 3),
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
        "speaker": {
            "engine": job.studio.speaker_encoder().version,
            "weights": job.studio.speaker_sha256(),
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
