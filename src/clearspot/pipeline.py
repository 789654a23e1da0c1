"""The order of the stages. Each step takes a job and values, and gives a value; runners call them in this order.

transcribe -> align -> per locale: translate, authorize, speak, fit, mix -> per profile: disclose, gate, export
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from clearspot import __version__, publish
from clearspot.approvals import Approvals, load_approvals, require_script_approval
from clearspot.config import Profile, load_disclosure
from clearspot.consent.grant import Grant, Step, authorize
from clearspot.consent.registry import load_voice, load_voice_file
from clearspot.consent.scope import uses_of
from clearspot.consent.spot_approval import load_spot_approval
from clearspot.disclosure import rate_for
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.gate.evidence import Certificate, Evidence, Expected, gather
from clearspot.gate.requirements import Requirements, require_consent
from clearspot.gate.rules import Finding, judge
from clearspot.hashing import sha256_file
from clearspot.job import Job
from clearspot.media.audio import Samples, decode, probe
from clearspot.progress import telling
from clearspot.provenance.manifest import COMPOSITE_SYNTHETIC, Claim
from clearspot.provenance.tags import AIGC, Tags, aigc_label
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages import captions
from clearspot.stages.align import TimedScript, align
from clearspot.stages.disclose import Candidate, Papers, disclose
from clearspot.stages.fit import Plan, Slot, Spoken, fit, rates_needed
from clearspot.stages.mix import mix
from clearspot.stages.speak import Clip, speak
from clearspot.stages.transcribe import transcribe
from clearspot.stages.translate import Translation, still_approved, translate
from clearspot.timeline import Timeline
from clearspot.transcript import Transcript

MIN_BED_S, MAX_BED_S = 1.0, 1800.0


@dataclass(frozen=True)
class Made:
    """A candidate with everything the gate and the receipt need to know of it."""

    profile_id: str
    candidate: Candidate
    expected: Expected
    grant: Grant
    clearance: Mapping[str, object]


@dataclass(frozen=True)
class Outcome:
    """What became of one deliverable. ``path`` is None where it was refused or failed; ``error`` says why."""

    locale: str
    profile: str
    path: Path | None
    essence_sha256: str
    findings: tuple[Finding, ...]
    error: ClearspotError | None = None

    @property
    def verdict(self) -> str:
        """``cleared``, or what kind of error kept it in: ``refused``, ``bad-input``, ``machine-fault``."""
        return self.error.kind if self.error else "cleared"

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


def warm_up(job: Job) -> None:
    """Begin what every runner begins with, while the runner starts: load the voice, hear the recording.

    What fails here fails again, and is told, in the stage that it belongs to.
    """

    def voice() -> None:
        require_script_approval(job.spot, job.approvals)
        _make_ready(job, _authorize(job, job.locales[0], "prepare"))

    job.ahead.append(job.studio.begin(lambda: _hear(job)))
    job.studio.begin(voice)


def transcribe_recording(job: Job) -> Transcript:
    """transcribe: the recording, once for all locales."""
    with telling(job.tell, "", "transcribe"):
        return job.ahead.pop().result() if job.ahead else job.studio.work(lambda: _hear(job))


def _hear(job: Job) -> Transcript:
    require_script_approval(job.spot, job.approvals)
    return transcribe(job.spot.recording, job.studio.recogniser())


def align_script(job: Job, transcript: Transcript) -> TimedScript:
    """align: what was said against what was approved."""
    with telling(job.tell, "", "align"):
        return align(transcript, job.spot.script, job.limits.recording, job.spot.recording)


def translate_script(job: Job, locale: str) -> Translation:
    """translate: the lines of one locale."""
    with telling(job.tell, locale, "translate"):
        require_script_approval(job.spot, job.approvals)
        disclosure = load_disclosure(job.project, locale, _asked(job, locale).disclosure)
        return translate(job.spot, locale, disclosure, job.approvals, job.studio.translator)


def authorize_voice(job: Job, locale: str) -> Grant:
    """authorize: leave to speak in one locale, and the voice made ready."""
    with telling(job.tell, locale, "authorize"):
        grant = _authorize(job, locale, "speak")
        _make_ready(job, grant)
        return grant


def speak_lines(job: Job, translation: Translation, grant: Grant) -> tuple[Clip, ...]:
    """speak: the disclosure and every line at their natural rates, as many side by side as there are workers."""
    engine, asked = job.studio.speech(grant.engine), _asked(job, grant.locale).disclosure

    def one(line_id: str, text: str) -> Clip:
        with telling(job.tell, translation.locale, "speak", line_id):
            clip = speak(engine, grant, line_id, text)
            rate = rate_for(asked, text, clip.duration_s) if line_id == DISCLOSURE_ID else 1.0
            return clip if rate == 1.0 else speak(engine, grant, line_id, text, rate)

    return job.studio.work_all(partial(one, line_id, text) for line_id, text in translation.spoken)


def fit_timeline(job: Job, timed: TimedScript, grant: Grant, clips: Sequence[Clip]) -> Timeline:
    """fit: clips to a timeline; lines without room are spoken again, faster."""
    with telling(job.tell, grant.locale, "fit"):
        plan = Plan(
            timing=job.spot.order.timing,
            slots=tuple(Slot(line.id, line.start_s, line.end_s) for line in timed.lines),
            duration_s=job.spot.order.duration_s,
            source_duration_s=timed.duration_s,
            at_end=_asked(job, grant.locale).disclosure.at_end,
            repeat_every_s=_asked(job, grant.locale).disclosure.repeat_every_s,
        )
        opening, *lines = (Spoken(clip.line_id, clip.text, clip.duration_s, clip.samples) for clip in clips)
        rates = rates_needed(opening, lines, plan)
        engine = job.studio.speech(grant.engine)
        again = job.studio.work_all(
            partial(speak, engine, grant, line.line_id, line.text, rate)
            for line, rate in zip(lines, rates, strict=True)
            if rate != 1.0
        )
        hurried = {clip.line_id: clip.samples for clip in again}
        return fit(opening, [replace(line, samples=hurried.get(line.line_id, line.samples)) for line in lines], plan)


def decode_bed(job: Job) -> Samples | None:
    """The bed, decoded once for all locales; shape (samples, 2) at 48 kHz."""
    if job.spot.bed is None:
        return None
    length_s = probe(job.spot.bed).duration_s
    if not MIN_BED_S <= length_s <= MAX_BED_S:
        raise BadInput(
            f"is {length_s:.1f} s long; a bed has {MIN_BED_S:g} to {MAX_BED_S:g} s.", where=str(job.spot.bed)
        )
    return decode(job.spot.bed, channels=2)


def mix_programme(job: Job, timeline: Timeline, bed: Samples | None, locale: str) -> Samples:
    """mix: the timeline over the bed, watermarked: once, for every profile."""
    with telling(job.tell, locale, "mix"):
        return job.studio.work(lambda: job.studio.watermarker().mark(mix(timeline, bed)))


def disclose_programme(
    job: Job,
    programme: Samples,
    timeline: Timeline,
    translation: Translation,
    grant: Grant,
    profile_id: str,
    folder: Path,
) -> Made:
    """disclose: a candidate file with tags and manifest."""
    locale, profile = translation.locale, job.profiles[profile_id]
    clearance = _clearance(job, translation, timeline, grant) | {"loudness": _loudness_promised(profile)}
    papers = Papers(
        tags=_tags(job, locale, str(clearance["unique_id"])),
        claim=Claim(
            title=_title(job, locale),
            source_locale=job.spot.script.locale,
            locale=locale,
            provider=job.project.settings.provider,
            system="Clearspot",
            version=__version__,
            clearance=clearance,
            training=grant.training,
        ),
        recording=job.spot.recording,
        keys=job.keys,
        trust=job.trust,
        captions=captions.texts(timeline),
    )
    with telling(job.tell, locale, "disclose", profile_id):
        name = job.name(locale, profile_id)
        candidate = job.studio.work(lambda: disclose(programme, profile, papers, folder, name))
    expected = Expected(
        translation=translation,
        timeline=timeline,
        protected=job.spot.script.protected,
        profile=profile,
        limits=job.limits.deliverable,
        tags=papers.tags,
        drafts_allowed=job.spot.order.policy.drafts == "export",
        grant=grant,
        requirements=_asked(job, locale),
    )
    return Made(profile_id, candidate, expected, grant, clearance)


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
        return refuse_deliverable(job, locale, made.profile_id, refusal, findings)


def conclude(job: Job, outcomes: Sequence[Outcome]) -> None:
    """The run's own record, and the page for people. What fails here fails no deliverable: it is a warning."""
    from clearspot.report.write import write_report

    with telling(job.tell, "", "report") as stage:
        try:
            publish.record_run(job, [(one.locale, one.profile, one.error) for one in outcomes])
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


def refuse_deliverable(
    job: Job, locale: str, profile_id: str, error: ClearspotError, findings: tuple[Finding, ...] = ()
) -> Outcome:
    """What becomes of a deliverable that is not made: a refusal file where it was refused."""
    if isinstance(error, Refused):
        about = {"step": "deliverable", "deliverable": job.name(locale, profile_id), "voice": job.spot.order.voice}
        try:
            job.authority.note_refusal(about, error)
        except Refused as said_so:
            error = said_so
        publish.withdraw(job, locale, profile_id, error, findings)
    return Outcome(locale, profile_id, None, "", findings, error)


def _authorize(job: Job, locale: str, step: Step) -> Grant:
    # Read from disk each time: what was revoked or taken away meanwhile is not allowed any more.
    voice = load_voice(job.spot.order.voice, job.project.voice_folders())
    require_consent(_asked(job, locale), voice)
    return authorize(
        voice,
        uses_of(job.spot, locale, job.project.settings.provider),
        job.authority,
        weights=job.studio.weights.pinned_roles(voice.file.weights, commercial=job.spot.commercial),
        step=step,
        approval=load_spot_approval(job.spot.folder),
    )


def _asked(job: Job, locale: str) -> Requirements:
    """What the markets of a locale ask for, together.

    Raises:
        Refused: They ask for what nothing can be at once.
    """
    asked = job.requirements[locale]
    if asked.conflicts:
        raise Refused(
            f"{'; '.join(asked.conflicts)}.",
            where=f"{job.spot.folder / 'spot.yaml'}: locales.{locale}.markets",
            remedy="Split the markets over two spots; `clearspot policy explain` says who asks for what.",
        )
    return asked


def _make_ready(job: Job, grant: Grant) -> None:
    """Fetch and load what a grant allows, and nothing before there is one."""
    for model_id in load_voice_file(grant.voice, job.project.voice_folders()).weights.values():
        job.studio.weights.resolve(model_id, commercial=job.spot.commercial)
    job.studio.speech(grant.engine).prepare(grant)


def _consent_now(job: Job, locale: str) -> Grant | Refused:
    try:
        return _authorize(job, locale, "export")
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


def _tags(job: Job, locale: str, unique_id: str) -> Tags:
    import langcodes

    return Tags(
        title=_title(job, locale),
        language=langcodes.get(locale).to_alpha3(variant="B"),
        comment="The voice in this recording was generated by artificial intelligence, with consent.",
        digital_source_type=COMPOSITE_SYNTHETIC,
        provider=job.project.settings.provider,
        system="Clearspot",
        system_version=__version__,
        created=job.started.isoformat(timespec="seconds"),
        unique_id=unique_id,
        aigc=aigc_label(job.project.settings.provider, unique_id) if AIGC in _asked(job, locale).tags else "",
    )


def _loudness_promised(profile: Profile) -> dict[str, float]:
    return {
        "lufs": profile.loudness_lufs,
        "tolerance_lu": profile.loudness_tolerance_lu,
        "true_peak_dbtp": profile.true_peak_dbtp,
    }


def _clearance(job: Job, translation: Translation, timeline: Timeline, grant: Grant) -> dict[str, object]:
    """Our own assertion: ids and digests that tie the file to what was approved and allowed."""
    opening, asked = timeline.disclosures[0], _asked(job, translation.locale)
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
