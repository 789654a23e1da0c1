"""The order of the stages, and the store around them. Each step takes a job and values, and gives a value.

transcribe -> align -> per locale: translate, authorize, speak, fit, mix -> per profile: disclose, gate, export

What a stage gave before, of the same inputs, comes from the store; the key of each is in ``actions``. Consent,
signing and the gate are asked anew every time (``delivery``).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from clearspot.actions import Tool, VoiceTool, aligning, drafting, fitting, mixing, speaking, transcribing
from clearspot.approvals import require_script_approval
from clearspot.consent.grant import Grant
from clearspot.delivery import disclose_programme, export_candidate, gate_candidate
from clearspot.engines.protocols import Translator
from clearspot.errors import BadInput
from clearspot.files import held_to
from clearspot.hashing import sha256_bytes
from clearspot.ingredients import recogniser_of, watermark_of
from clearspot.job import Job
from clearspot.leave import ask_leave, asked_of, disclosure_rate, make_ready
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, decode, probe
from clearspot.packing import CLIP, PROGRAMME, TEXT, TIMED, TIMELINE, TRANSCRIPT
from clearspot.progress import telling
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages.align import TimedScript, align
from clearspot.stages.fit import Plan, Slot, Spoken, fit, rates_needed
from clearspot.stages.mix import mix
from clearspot.stages.speak import Clip, speak
from clearspot.stages.transcribe import transcribe
from clearspot.stages.translate import Translation, translate
from clearspot.timeline import Timeline
from clearspot.transcript import Transcript

__all__ = [
    "Bed", "align_script", "authorize_voice", "disclose_programme", "export_candidate", "fit_timeline",
    "gate_candidate", "look_at_bed", "mix_programme", "speak_lines", "transcribe_recording", "translate_script",
    "warm_up",
]  # fmt: skip

MIN_BED_S, MAX_BED_S = 1.0, 1800.0


@dataclass
class Bed:
    """The bed, decoded when it is first needed and then kept; ``sha256`` is its file's."""

    path: Path
    sha256: str
    _samples: Samples | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def samples(self) -> Samples:
        """Shape (samples, 2) at 48 kHz.

        Raises:
            BadInput: It cannot be decoded.
            MachineFault: It is another file by now.
        """
        with self._lock:
            if self._samples is None:
                with held_to(self.path, self.sha256):
                    decoded = decode(self.path, channels=2)
                self._samples = decoded  # not before it is known to have been the right file all the time
            return self._samples


def warm_up(job: Job) -> None:
    """Begin what every runner begins with, while the runner starts: load the voice, hear the recording.

    What fails here fails again, and is told, in the stage that it belongs to. A second call does nothing.
    """
    if job.ahead:
        return

    def voice() -> None:
        require_script_approval(job.spot, job.approvals)
        make_ready(job, ask_leave(job, job.locales[0], "prepare"))

    job.ahead.append(job.studio.begin(lambda: _hear(job)))
    if job.speaks:
        job.studio.begin(voice)


def transcribe_recording(job: Job) -> Transcript:
    """transcribe: the recording, once for all locales."""
    with telling(job.tell, "", "transcribe"):
        return job.ahead.pop().result() if job.ahead else job.studio.work(lambda: _hear(job))


def _hear(job: Job) -> Transcript:
    require_script_approval(job.spot, job.approvals)
    action = transcribing(job.inputs["recording"], recogniser_of(job), ffmpeg.version())

    def make() -> Transcript:
        with held_to(job.spot.recording, job.inputs["recording"]) as recording:
            return transcribe(recording, job.studio.recogniser())

    return job.cache.value(action, TRANSCRIPT, make)


def align_script(job: Job, transcript: Transcript) -> TimedScript:
    """align: what was said against what was approved."""
    script, limits = job.spot.script, job.limits.recording
    with telling(job.tell, "", "align"):
        action = aligning(sha256_bytes(TRANSCRIPT.pack(transcript)), script, limits)
        return job.cache.value(action, TIMED, lambda: align(transcript, script, limits, job.spot.recording))


def translate_script(job: Job, locale: str) -> Translation:
    """translate: the lines of one locale."""
    with telling(job.tell, locale, "translate"):
        require_script_approval(job.spot, job.approvals)
        asked_of(job, locale)
        return translate(job.spot, locale, job.disclosure_of(locale), job.approvals, partial(_translator, job))


def _translator(job: Job, source: str, target: str) -> Translator | None:
    engine = job.studio.translator(source, target)
    return _Remembered(job, engine) if engine else None


@dataclass(frozen=True)
class _Remembered:
    """A translator that does not translate the same line twice."""

    job: Job
    engine: Translator

    @property
    def version(self) -> str:
        return self.engine.version

    def knows(self, source: str, target: str) -> bool:
        return self.engine.knows(source, target)

    def translate(self, text: str, source: str, target: str) -> str:
        action = drafting(self.version, source, target, text, target)
        return self.job.cache.value(
            action, TEXT, lambda: self.engine.translate(text, source, target), lambda draft: {"text": draft}
        )


def authorize_voice(job: Job, locale: str) -> Grant:
    """authorize: leave to speak in one locale. What was spoken before needs it too, so it is asked every time."""
    with telling(job.tell, locale, "authorize"):
        return ask_leave(job, locale, "speak")


def speak_lines(job: Job, translation: Translation, grant: Grant) -> tuple[Clip, ...]:
    """speak: the disclosure and every line at their natural rates, as many side by side as there are workers."""

    def one(line_id: str, text: str) -> Clip:
        with telling(job.tell, translation.locale, "speak", line_id):
            clip = _spoken(job, grant, line_id, text)
            if line_id != DISCLOSURE_ID:
                return clip
            rate = disclosure_rate(job, grant.locale, text, clip.duration_s)
            return clip if rate == 1.0 else _spoken(job, grant, line_id, text, rate)

    return job.studio.work_all(partial(one, line_id, text) for line_id, text in translation.spoken)


def _spoken(job: Job, grant: Grant, line_id: str, text: str, rate: float = 1.0) -> Clip:
    engine = job.studio.speech(grant.engine)

    def make() -> Samples:
        make_ready(job, grant)
        return speak(engine, grant, line_id, text, rate).samples

    action = speaking(voice_tool(job, grant), grant.locale, text, rate, f"{grant.locale} {line_id}")
    return Clip(line_id, text, rate, job.cache.value(action, CLIP, make, lambda made: {"samples": len(made)}))


def voice_tool(job: Job, grant: Grant) -> VoiceTool:
    """The granted voice as far as its sound depends on it."""
    weights = {role: file.sha256 for role, file in grant.weights.items()}
    return VoiceTool(grant.voice_sha256, Tool(job.studio.speech(grant.engine).version, weights))


def fit_timeline(job: Job, timed: TimedScript, grant: Grant, clips: Sequence[Clip]) -> Timeline:
    """fit: clips to a timeline; lines without room are spoken again, faster."""
    asked = asked_of(job, grant.locale).disclosure
    with telling(job.tell, grant.locale, "fit"):
        action = fitting(
            sha256_bytes(TIMED.pack(timed)),
            [(clip.line_id, clip.text, sha256_bytes(CLIP.pack(clip.samples))) for clip in clips],
            voice_tool(job, grant),
            job.spot.order,
            asked,
            grant.locale,
            ffmpeg.version(),
        )
        plan = Plan(
            timing=job.spot.order.timing,
            slots=tuple(Slot(line.id, line.start_s, line.end_s) for line in timed.lines),
            duration_s=job.spot.order.duration_s,
            source_duration_s=timed.duration_s,
            at_end=asked.at_end,
            repeat_every_s=asked.repeat_every_s,
        )
        return job.cache.value(action, TIMELINE, lambda: _fit(job, plan, grant, clips))


def _fit(job: Job, plan: Plan, grant: Grant, clips: Sequence[Clip]) -> Timeline:
    opening, *lines = (Spoken(clip.line_id, clip.text, clip.duration_s, clip.samples) for clip in clips)
    rates = rates_needed(opening, lines, plan)
    again = job.studio.work_all(
        partial(_spoken, job, grant, line.line_id, line.text, rate)
        for line, rate in zip(lines, rates, strict=True)
        if rate != 1.0
    )
    hurried = {clip.line_id: clip.samples for clip in again}
    return fit(opening, [replace(line, samples=hurried.get(line.line_id, line.samples)) for line in lines], plan)


def look_at_bed(job: Job) -> Bed | None:
    """The bed, if there is one; it is decoded once for all locales, when the first is mixed.

    Raises:
        BadInput: It is not audio, too short or too long.
    """
    if job.spot.bed is None:
        return None
    length_s = probe(job.spot.bed).duration_s
    if not MIN_BED_S <= length_s <= MAX_BED_S:
        raise BadInput(
            f"is {length_s:.1f} s long; a bed has {MIN_BED_S:g} to {MAX_BED_S:g} s.", where=str(job.spot.bed)
        )
    return Bed(job.spot.bed, job.inputs["bed"])


def mix_programme(job: Job, timeline: Timeline, bed: Bed | None, locale: str) -> Samples:
    """mix: the timeline over the bed, watermarked: once, for every profile."""
    with telling(job.tell, locale, "mix"):
        timeline_sha256 = sha256_bytes(TIMELINE.pack(timeline))
        action = mixing(timeline_sha256, bed.sha256 if bed else "", watermark_of(job), ffmpeg.version(), locale)

        def make() -> Samples:
            return job.studio.watermarker().mark(mix(timeline, bed.samples() if bed else None))

        return job.studio.work(lambda: job.cache.value(action, PROGRAMME, make))
