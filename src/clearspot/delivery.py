"""From a programme to a published file: disclose, gate, export; and what becomes of what is not published."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from clearspot import __version__, publish
from clearspot.actions import encoding
from clearspot.approvals import Approvals, load_approvals, require_script_approval
from clearspot.config import Profile
from clearspot.consent.grant import Grant
from clearspot.consent.registry import load_voice
from clearspot.errors import ClearspotError, MachineFault, Refused
from clearspot.gate.evidence import Certificate, Evidence, Expected, gather
from clearspot.gate.rules import Finding, judge
from clearspot.hashing import sha256_bytes, sha256_file
from clearspot.identity import likeness_of
from clearspot.ingredients import ingredients
from clearspot.job import Job
from clearspot.leave import Foresight, ask_leave, asked_of
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples
from clearspot.media.ffmpeg import FfmpegFailed
from clearspot.packing import PROGRAMME, Codec
from clearspot.progress import telling
from clearspot.provenance.manifest import Claim
from clearspot.provenance.nature import Nature
from clearspot.provenance.tags import AIGC, Tags, aigc_label
from clearspot.stages import captions
from clearspot.stages.align import TimedScript
from clearspot.stages.disclose import Candidate, Encoded, Papers, disclose, encode_to, read_encoded
from clearspot.stages.translate import Translation, still_approved
from clearspot.timeline import Timeline

OF_THE_SOUND = frozenset({
    "disclosure-heard", "disclosure-clear", "disclosure-placed", "lines-heard", "speaker-consented", "loudness",
    "true-peak", "duration", "watermark-detected",
})  # fmt: skip
"""Rules of the gate that say the same of the same sound, whoever asks and when."""


@dataclass(frozen=True)
class Made:
    """A candidate with everything the gate and the receipt need to know of it.

    ``ingredients`` is what it was made from, by name and digest.
    """

    profile_id: str
    candidate: Candidate
    expected: Expected
    grant: Grant
    clearance: Mapping[str, object]
    ingredients: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What became of one deliverable. ``path`` is None where it was refused or failed; ``error`` says why.

    ``kept`` is what an earlier run published and nothing changed since.
    """

    locale: str
    profile: str
    path: Path | None
    essence_sha256: str
    findings: tuple[Finding, ...]
    error: ClearspotError | None = None
    kept: bool = False

    @property
    def verdict(self) -> str:
        """``cleared`` or ``kept``, or what kind of error: ``refused``, ``bad-input``, ``machine-fault``."""
        if self.error:
            return self.error.kind
        return "kept" if self.kept else "cleared"

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


def disclose_programme(
    job: Job,
    programme: Samples,
    timeline: Timeline,
    translation: Translation,
    grant: Grant,
    profile_id: str,
    folder: Path,
) -> Made:
    """disclose: a candidate file with tags and manifest. Its sound may come from the store, its papers never do."""
    locale, profile = translation.locale, job.profiles[profile_id]
    clearance = _clearance(job, translation, timeline, grant) | {"loudness": _loudness_promised(profile)}
    nature = Nature(grant.basis, bed=job.spot.bed is not None)
    papers = Papers(
        tags=_tags(job, locale, str(clearance["unique_id"]), nature),
        claim=Claim(
            title=_title(job, locale),
            source_locale=job.spot.script.locale,
            locale=locale,
            provider=job.project.settings.provider,
            system="Clearspot",
            version=__version__,
            clearance=clearance,
            nature=nature,
            training=grant.training,
        ),
        recording=job.spot.recording,
        keys=job.keys,
        trust=job.trust,
        captions=captions.texts(timeline),
    )
    with telling(job.tell, locale, "disclose", profile_id):
        name = job.name(locale, profile_id)
        encoded = job.studio.work(lambda: _encoded(job, programme, profile, folder / name, f"{locale} {profile_id}"))
        candidate = job.studio.work(lambda: disclose(encoded, papers, folder, name))
    expected = Expected(
        translation=translation,
        timeline=timeline,
        protected=job.spot.script.protected,
        profile=profile,
        limits=job.limits.deliverable,
        tags=papers.tags,
        drafts_allowed=job.spot.order.policy.drafts == "export",
        grant=grant,
        requirements=asked_of(job, locale),
    )
    made_from = ingredients(job, load_voice(grant.voice, job.project.voice_folders()), locale, profile_id)
    return Made(profile_id, candidate, expected, grant, clearance, made_from)


def _encoded(job: Job, programme: Samples, profile: Profile, stem: Path, about: str) -> Encoded:
    path = stem.with_name(f"{stem.name}.encoded.{profile.extension}")

    def read(data: bytes) -> Encoded:
        try:
            path.write_bytes(data)
            return read_encoded(path)
        except OSError as error:
            raise MachineFault(f"cannot be written: {error.strerror}.", where=str(path)) from error
        except FfmpegFailed as error:
            raise ValueError("no audio") from error

    action = encoding(sha256_bytes(PROGRAMME.pack(programme)), profile, ffmpeg.version(), about)
    codec = Codec[Encoded](lambda encoded: encoded.path.read_bytes(), read)
    return job.cache.value(action, codec, lambda: encode_to(programme, profile, path))


def gate_candidate(job: Job, made: Made, timed: TimedScript) -> tuple[Evidence, tuple[Finding, ...]]:
    """gate: what the delivered bytes are, against what they must be."""
    locale = made.expected.translation.locale
    with telling(job.tell, locale, "gate", made.profile_id) as stage:
        heard = job.studio.work(
            lambda: gather(
                made.candidate,
                made.expected,
                recogniser=job.studio.recogniser(),
                watermarker=job.studio.watermarker(),
                encoder=job.studio.speaker_encoder(),
                likeness=likeness_of(job, made.grant),
                trust=job.trust,
            )
        )
        # Asked last: what was withdrawn while we listened counts.
        approvals = load_approvals(job.spot.folder)
        translation = still_approved(made.expected.translation, job.spot, approvals)
        evidence = replace(
            heard,
            expected=replace(made.expected, translation=translation),
            consent=_consent_now(job, locale),
            script=_script_now(job, timed, approvals),
            certificate=Certificate(job.keys.ends, job.keys.days_left(dt.datetime.now(dt.UTC)), job.keys.renewal),
        )
        findings = judge(evidence)
        if any(finding.verdict == "fail" for finding in findings):
            stage.end = "refused"
        return evidence, findings


def export_candidate(job: Job, made: Made, gated: tuple[Evidence, tuple[Finding, ...]]) -> Outcome:
    """export: published with its receipt if every rule passed; else a refusal file, and no media."""
    evidence, findings = gated
    locale = made.expected.translation.locale
    with telling(job.tell, locale, "export", made.profile_id) as stage:
        failed = [finding for finding in findings if finding.verdict == "fail"]
        if not failed:
            voice = load_voice(made.grant.voice, job.project.voice_folders())
            path = publish.publish(job, made, voice, evidence, findings)
            return Outcome(locale, made.profile_id, path, evidence.essence_sha256, findings)
        stage.end = "refused"
        for path in made.candidate.files:
            path.unlink(missing_ok=True)
        told = "; ".join(
            f"{finding.rule}: {finding.measured}, required {finding.required}"
            + (f" ({finding.detail})" if finding.detail else "")
            for finding in failed
        )
        refusal = Refused(
            f"the gate refused it: {told}.",
            where=job.name(locale, made.profile_id),
            remedy="Mend what the findings name and run again.",
        )
        return refuse_deliverable(job, locale, made.profile_id, refusal, findings, _leave_given(job, made, evidence))


def conclude(job: Job, ended: Sequence[tuple[str, str, str, ClearspotError | None]]) -> None:
    """The run's own record, and the page for people. What fails here fails no deliverable: it is a warning.

    Args:
        job: The run.
        ended: Of each deliverable its locale, its profile, its verdict, and why it was not made.
    """
    from clearspot.report.write import write_report

    with telling(job.tell, "", "report") as stage:
        try:
            publish.record_run(job, ended)
            write_report(job.home, job.trust.receipt_keys)
        except Exception as error:  # noqa: BLE001  (whatever it is, what was exported stays exported)
            stage.end = "failed"
            cause = as_error(error, str(job.home))
            warning = MachineFault(
                f"the report was not written: {cause.what}",
                where=cause.where,
                remedy=f"The deliverables are not touched by this. Try again: clearspot report {job.home}",
            )
            warning.__cause__ = error
            job.warnings.append(warning)


def as_error(error: BaseException, where: str) -> ClearspotError:
    """An error as users are told it; one that is none of ours is a bug, and stops its deliverable alone."""
    if isinstance(error, ClearspotError):
        return error
    bug = MachineFault(f"this is a bug in Clearspot: {type(error).__name__}: {error}.", where=where)
    bug.__cause__ = error
    return bug


def _leave_given(job: Job, made: Made, evidence: Evidence) -> Mapping[str, Any]:
    """For a refusal to carry; nothing of a voice that cannot be read any more, or is another by now."""
    try:
        voice = load_voice(made.grant.voice, job.project.voice_folders())
    except ClearspotError:
        return {}
    same = voice.record.digest == made.grant.record_sha256
    return publish.leave_given(job, made, voice, evidence) if same else {}


def refuse_deliverable(
    job: Job,
    locale: str,
    profile_id: str,
    error: ClearspotError,
    findings: tuple[Finding, ...] = (),
    leave: Mapping[str, Any] = MappingProxyType({}),
) -> Outcome:
    """What becomes of a deliverable that is not made: a refusal file where it was refused."""
    if isinstance(error, Refused):
        about = {"step": "deliverable", "deliverable": job.name(locale, profile_id), "voice": job.spot.order.voice}
        try:
            job.authority.note_refusal(about, error)
        except Refused as said_so:
            error = said_so
        lasting = job.known.get((locale, profile_id), {}) if _lasts(job, locale, findings) else {}
        try:
            publish.withdraw(job, locale, profile_id, error, findings, lasting, leave)
        except ClearspotError as trouble:  # one deliverable's trouble stays its own
            error = trouble
    return Outcome(locale, profile_id, None, "", findings, error)


def _lasts(job: Job, locale: str, findings: tuple[Finding, ...]) -> bool:
    """Whether a refusal is for what the deliverable is made from, and not for a yes or a signer that may come back."""
    if any(finding.verdict == "fail" and finding.rule not in OF_THE_SOUND for finding in findings):
        return False
    try:
        Foresight().require(job, locale)
        return load_approvals(job.spot.folder) == job.approvals
    except ClearspotError:
        return False


def _consent_now(job: Job, locale: str) -> Grant | Refused:
    try:
        return ask_leave(job, locale, "export")
    except Refused as refusal:
        return refusal


def _script_now(job: Job, timed: TimedScript, approvals: Approvals) -> Mapping[str, str] | Refused:
    try:
        approval = require_script_approval(job.spot, approvals)
    except Refused as refusal:
        return refusal
    if sha256_file(job.spot.recording) != job.inputs["recording"]:
        return Refused("changed while the spot was made.", where=str(job.spot.recording), remedy="Run it again.")
    worst = max(timed.lines, key=lambda line: line.error_rate)
    return {"by": approval.by, "worst_line": f"worst {worst.error_rate:.2f}, {worst.id}"}


def _title(job: Job, locale: str) -> str:
    return f"{job.spot.script.product} ({locale})"


def _tags(job: Job, locale: str, unique_id: str, nature: Nature) -> Tags:
    import langcodes

    return Tags(
        title=_title(job, locale),
        language=langcodes.get(locale).to_alpha3(variant="B"),
        comment=nature.sentence,
        digital_source_type=nature.digital_source_type,
        provider=job.project.settings.provider,
        system="Clearspot",
        system_version=__version__,
        created=job.started.isoformat(timespec="seconds"),
        unique_id=unique_id,
        aigc=aigc_label(job.project.settings.provider, unique_id) if AIGC in asked_of(job, locale).tags else "",
    )


def _loudness_promised(profile: Profile) -> dict[str, float]:
    promised = {
        "lufs": profile.loudness_lufs,
        "tolerance_lu": profile.loudness_tolerance_lu,
        "true_peak_dbtp": profile.true_peak_dbtp,
    }
    highest = profile.short_term_max_lufs
    return promised if highest is None else promised | {"short_term_max_lufs": highest}


def _clearance(job: Job, translation: Translation, timeline: Timeline, grant: Grant) -> dict[str, object]:
    """Our own assertion: ids and digests that tie the file to what was approved and allowed."""
    opening, asked = timeline.disclosures[0], asked_of(job, translation.locale)
    return {
        "unique_id": str(uuid.uuid4()),
        "spot": job.spot.id,
        "locale": translation.locale,
        "markets": list(job.spot.order.locales[translation.locale].markets),
        "policies": list(asked.policies),
        "tags": sorted(asked.tags),
        "watermark": "needed" if asked.severity_of("watermark-detected") == "fail" else "not needed",
        "script_sha256": job.spot.script.digest,
        "translation_sha256": publish.translation_sha256(translation),
        "drafts": [line.id for line in translation.lines if line.status == "draft"],
        "consent_record": grant.record_id,
        "consent_record_sha256": grant.record_sha256,
        "disclosure": {
            "text": opening.text,
            "start_s": round(opening.start_s, 3),
            "end_s": round(opening.end_s, 3),
            "again_at_s": [round(clip.start_s, 3) for clip in timeline.disclosures[1:]],
        },
    }
