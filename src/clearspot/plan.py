"""The change plan: what of a spot would be made again, and why. It reads, and runs nothing.

A deliverable is kept where its receipt is ours, its files are as the receipt says, it was made from what there is now,
and consent and approvals stand. For the others the store is asked, stage by stage, what of them is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clearspot.actions import VoiceTool, aligning, drafting, encoding, fitting, mixing, speaking, transcribing
from clearspot.approvals import require_script_approval
from clearspot.consent.ledger import Export
from clearspot.disclosure import rate_for
from clearspot.errors import ClearspotError, Refused
from clearspot.hashing import sha256_file
from clearspot.ingredients import (
    APPROVED,
    changes,
    ingredients_of_locale,
    recogniser_of,
    speech_of,
    watermark_of,
    with_profile,
)
from clearspot.job import Job
from clearspot.leave import Foresight, asked_of
from clearspot.media import ffmpeg
from clearspot.published import DigestOf, Published, look
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages.translate import translate
from clearspot.store import Record
from clearspot.timebase import seconds

StepState = Literal["kept", "again"]
DeliverableState = Literal["kept", "again", "blocked", "refused"]

NEVER_STORED = {
    "authorize": "consent is asked every time",
    "sign": "papers are made anew for every file",
    "gate": "every new file is listened to",
    "export": "a new file takes its place",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a locale (of one line, or one profile, in ``of``): kept, or made again and why.

    ``follows``: only if what comes before it comes out otherwise.
    """

    stage: str
    state: StepState
    why: tuple[str, ...] = ()
    of: str = ""
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Deliverable:
    """What a run would do about one deliverable.

    ``kept``: nothing. ``again``: make it. ``blocked``: consent or approval stands against it today. ``refused``: the
    gate refused exactly this before. ``published`` is what lies there; ``changed`` is what differs from it, in words,
    by the stage that it matters to first; ``waits`` is whether nothing but the sign-off of new words is missing;
    ``refusal`` is what stands against it first; ``made_from`` is its ingredients, where nothing does.
    """

    locale: str
    profile: str
    state: DeliverableState
    why: tuple[str, ...]
    published: Published
    changed: Mapping[str, list[str]] = field(default_factory=dict)
    waits: bool = False
    refusal: Refused | None = None
    made_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def pending(self) -> bool:
        """Whether there is something to do that was not done before: what was said already need not be said again.

        What lies there stays while new words wait for their sign-off: it says what was approved. Consent that ended
        takes it away.
        """
        if self.state != "blocked":
            return self.state == "again"
        if self.published.media:
            return not self.waits or bool(self.published.wrong)
        return self.published.refusal.get("blocks") != list(self.why)


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """Every stage of every locale, and every deliverable; ``warnings`` is what went wrong while it was made."""

    spot: str
    steps: tuple[Step, ...]
    locales: Mapping[str, tuple[Step, ...]]
    deliverables: tuple[Deliverable, ...]
    warnings: tuple[ClearspotError, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether a run would do nothing that was not done before."""
        return not any(one.pending for one in self.deliverables)

    @property
    def again(self) -> tuple[tuple[str, Step], ...]:
        """Each step that would be done, with its locale (empty: of the whole spot)."""
        all_steps = [("", step) for step in self.steps]
        all_steps += [(locale, step) for locale, steps in self.locales.items() for step in steps]
        return tuple((locale, step) for locale, step in all_steps if step.state == "again")

    @property
    def speaks(self) -> bool:
        """Whether anything would be spoken."""
        return any(step.stage in {"speak", "fit"} for _, step in self.again)

    def as_json(self) -> dict[str, Any]:
        """The plan for machines."""
        return {
            "spot": self.spot,
            "empty": self.empty,
            "deliverables": [
                {"locale": one.locale, "profile": one.profile, "state": one.state, "why": list(one.why)}
                for one in self.deliverables
            ],
            "steps": [_step_json(step) for step in self.steps],
            "locales": {locale: [_step_json(step) for step in steps] for locale, steps in self.locales.items()},
        }


def plan_spot(job: Job, foresight: Foresight, digest_of: DigestOf = sha256_file) -> SpotPlan:
    """What a run of a job would do.

    Args:
        job: What is asked for.
        foresight: Says what consent would say.
        digest_of: The sha256 of a published file.

    Raises:
        BadInput: There is no such voice.
    """
    exports = _exports(job)
    deliverables = tuple(
        one for locale in job.todo for one in _deliverables(job, locale, foresight, digest_of, exports)
    )
    reasons = {
        locale: [one for one in deliverables if one.locale == locale and one.state != "kept"] for locale in job.todo
    }
    walk = _Walk(job, foresight)
    spot_steps, timed = walk.spot([one for several in reasons.values() for one in several])
    locales = {locale: tuple(walk.locale(locale, timed, again)) for locale, again in reasons.items()}
    return SpotPlan(job.spot.id, tuple(spot_steps), locales, deliverables, tuple(job.warnings))


def _exports(job: Job) -> Mapping[int, Export]:
    """What left, as the log has it; nothing, where it cannot be believed: consent is blocked by that too."""
    try:
        with job.authority.ledger.turn() as turn:
            return turn.exports
    except Refused:
        return {}


def _deliverables(
    job: Job, locale: str, foresight: Foresight, digest_of: DigestOf, exports: Mapping[int, Export]
) -> Iterator[Deliverable]:
    sign_offs, others = _missing_sign_offs(job, locale), _blocks(job, locale, foresight)
    blocks = tuple(error.what for error in (*sign_offs, *others))
    made_from = {} if others else ingredients_of_locale(job, foresight.voice(job), locale)
    for profile in job.todo[locale]:
        there = look(job, locale, profile, digest_of, exports)
        if blocks:
            waits = not others and _only_new_words(job, there.ingredients, made_from)
            first = (*others, *sign_offs)[0]
            yield Deliverable(locale, profile, "blocked", blocks, there, waits=waits, refusal=first)
        else:
            yield _deliverable(locale, profile, with_profile(job, made_from, profile), there)


def _only_new_words(job: Job, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether all that lacks a sign-off is new since the file was made: then the file says what is approved still."""
    if not before:
        return True

    def changed(*names: str) -> bool:
        return any(before.get(name) != now.get(name) for name in names)

    lines = job.spot.script.lines
    unsigned = [line for line in lines if now.get(f"state {line}") != APPROVED]
    new_lines = all(changed(f"words {line}", f"source {line}") for line in unsigned)
    new_script = changed("script", *(f"source {line}" for line in {*lines, *_lines_of(before)}))
    script_signed = not _refusals(lambda: require_script_approval(job.spot, job.approvals))
    return new_lines and (script_signed or new_script)


def _lines_of(made_from: Mapping[str, str]) -> list[str]:
    return [name.removeprefix("source ") for name in made_from if name.startswith("source ")]


def _deliverable(locale: str, profile: str, now: Mapping[str, str], there: Published) -> Deliverable:
    if there.refusal and there.refusal.get("ingredients") == now:
        told = str(there.refusal.get("error", {}).get("what", ""))
        return Deliverable(locale, profile, "refused", (told,), there, made_from=now)
    differing = changes(there.ingredients, now, locale, profile) if there.receipt else {}
    why = [told for several in differing.values() for told in several]
    if there.wrong:
        why.append(there.wrong)
    return Deliverable(locale, profile, "again" if why else "kept", tuple(why), there, differing, made_from=now)


def _missing_sign_offs(job: Job, locale: str) -> list[Refused]:
    """What somebody has to approve first: the script, lines of the locale; as a run would say it."""
    return _refusals(
        lambda: require_script_approval(job.spot, job.approvals),
        lambda: translate(job.spot, locale, "", job.approvals, lambda *_: _WouldDraft()),
    )


def _blocks(job: Job, locale: str, foresight: Foresight) -> list[Refused]:
    """What else stands against a locale before anything is made."""
    return _refusals(
        lambda: asked_of(job, locale), lambda: job.disclosure_of(locale), lambda: foresight.require(job, locale)
    )


def _refusals(*required: Callable[[], object]) -> list[Refused]:
    found: list[Refused] = []
    for require in required:
        try:
            require()
        except Refused as refusal:
            found.append(refusal)
    return found


class _WouldDraft:
    """Stands where a machine would draft a line: a plan only says that it would."""

    version = "a machine, if one is here that can"

    def knows(self, source: str, target: str) -> bool:
        return True

    def translate(self, text: str, source: str, target: str) -> str:
        return "not written yet"


class _Walk:
    """Asks the store along the stages; each key follows from what the stage before it gave."""

    def __init__(self, job: Job, foresight: Foresight) -> None:
        self._job, self._foresight = job, foresight

    def spot(self, again: list[Deliverable]) -> tuple[list[Step], str]:
        """Of transcribe and align; and the digest of the timed script, empty where it is not known."""
        job = self._job
        if not again:
            return [Step("transcribe", "kept"), Step("align", "kept")], ""
        why = _Why(again)
        heard = job.cache.find(transcribing(job.inputs["recording"], recogniser_of(job), ffmpeg.version()).key)
        steps = [why.step("transcribe", heard)]
        timed = None
        if heard:
            timed = job.cache.find(aligning(heard.output, job.spot.script, job.limits.recording).key)
        steps.append(why.step("align", timed, after=heard))
        return steps, timed.output if timed else ""

    def locale(self, locale: str, timed: str, again: list[Deliverable]) -> Iterator[Step]:
        """Everything of one locale."""
        job = self._job
        if not again:
            yield from (Step(stage, "kept") for stage in ("translate", "authorize", "speak", "fit", "mix"))
            yield from (
                Step(stage, "kept", of=profile)
                for profile in job.todo[locale]
                for stage in ("encode", "sign", "gate", "export")
            )
            return
        why = _Why(again)
        words = self._words(locale)
        drafts = [line for line in job.spot.script.lines if line not in words]
        told = tuple(f"line `{line}` is not translated: a machine drafts it" for line in drafts)
        yield Step("translate", "again" if drafts else "kept", told)
        yield Step("authorize", "again", (NEVER_STORED["authorize"],))
        try:
            voice = self._foresight.voice(job)
            tool = VoiceTool(voice.file.digest, speech_of(job, voice))
            disclosure = job.disclosure_of(locale)
        except Refused as refusal:  # nothing is known of a voice that may not speak
            yield from (Step(stage, "again", (refusal.what,)) for stage in ("speak", "fit", "mix"))
            return
        clips: list[tuple[str, str, str]] = []
        for line, text in {DISCLOSURE_ID: disclosure, **words}.items():
            record = self._clip(tool, locale, line, text)
            yield why.step("speak", record, of=line)
            if record:
                clips.append((line, text, record.output))
        yield from (Step("speak", "again", ("it is drafted first",), of=line) for line in drafts)
        yield from self._after_speech(
            locale, timed, clips, tool, why, complete=len(clips) == 1 + len(job.spot.script.lines)
        )

    def _words(self, locale: str) -> dict[str, str]:
        """The words of each line, as far as they are written, or drafted before."""
        script, written = self._job.spot.script, self._job.spot.translations.get(locale)
        words = dict(written.lines) if written else {}
        missing = [line for line in script.lines if line not in words]
        if missing and (engine := self._job.studio.translator(script.locale, locale)):
            for line in missing:
                action = drafting(engine.version, script.locale, locale, script.lines[line], "")
                if record := self._job.cache.find(action.key):
                    words[line] = str(record.facts["text"])
        return {line: words[line] for line in script.lines if line in words}

    def _clip(self, tool: VoiceTool, locale: str, line: str, text: str) -> Record | None:
        job = self._job
        record = job.cache.find(speaking(tool, locale, text, 1.0, "").key)
        if record is None or line != DISCLOSURE_ID:
            return record
        natural_s = seconds(int(record.facts.get("samples", 0)))
        rate = rate_for(job.requirements[locale].disclosure, text, natural_s)
        if rate is None:  # it will be refused, and by whom is said then
            return None
        return record if rate == 1.0 else job.cache.find(speaking(tool, locale, text, rate, "").key)

    def _after_speech(
        self, locale: str, timed: str, clips: list[tuple[str, str, str]], tool: VoiceTool, why: _Why, *, complete: bool
    ) -> Iterator[Step]:
        job = self._job
        fitted = mixed = None
        before: object = complete and timed
        if before:
            asked = job.requirements[locale].disclosure
            fitted = job.cache.find(fitting(timed, clips, tool, job.spot.order, asked, locale, ffmpeg.version()).key)
        yield why.step("fit", fitted, after=before)
        if fitted:
            bed = job.inputs.get("bed", "")
            mixed = job.cache.find(mixing(fitted.output, bed, watermark_of(job), ffmpeg.version(), locale).key)
        yield why.step("mix", mixed, after=fitted)
        for profile in job.todo[locale]:
            if profile not in why.profiles:
                yield from (Step(stage, "kept", of=profile) for stage in ("encode", "sign", "gate", "export"))
                continue
            encoded = None
            if mixed:
                encoded = job.cache.find(encoding(mixed.output, job.profiles[profile], ffmpeg.version(), "").key)
            yield why.step("encode", encoded, after=mixed, of=profile)
            for stage in ("sign", "gate", "export"):
                yield Step(stage, "again", why.of(stage, profile), of=profile)


class _Why:
    """What is told of a stage that is done again: what changed, or what comes before it."""

    def __init__(self, again: list[Deliverable]) -> None:
        self.profiles = {one.profile: one for one in again}
        self._changed: dict[str, list[str]] = {}
        for one in again:
            for stage, told in one.changed.items():
                known = self._changed.setdefault(stage, [])
                known += [each for each in told if each not in known]

    def of(self, stage: str, profile: str) -> tuple[str, ...]:
        """Of a stage that is never served from the store."""
        return tuple(self.profiles[profile].changed.get(stage, ())) or (NEVER_STORED[stage],)

    def step(self, stage: str, record: Record | None, *, after: object = True, of: str = "") -> Step:
        """Of one that is, and may be there: ``after`` is falsy where what comes before it is not known."""
        if record is not None:
            return Step(stage, "kept", of=of)
        changed = self.profiles[of].changed if of in self.profiles else self._changed
        own = tuple(told for told in changed.get(stage, ()) if stage != "speak" or _concerns(told, of))
        if not after:
            return Step(stage, "again", (*own, "what comes before it is made again"), of=of, follows=True)
        return Step(stage, "again", own or ("it is not in the store",), of=of)


def _concerns(told: str, line: str) -> bool:
    """Whether words about a change are about one line, or about every line."""
    if told.startswith("the disclosure"):
        return line == DISCLOSURE_ID
    return f"`{line}`" in told or not told.startswith("line `")


def _step_json(step: Step) -> dict[str, Any]:
    return {"stage": step.stage, "of": step.of, "state": step.state, "why": list(step.why), "follows": step.follows}
