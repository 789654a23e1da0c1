"""Leave to speak, as a job asks for it: the voice, the uses of one locale, what its markets ask of the consent."""

from __future__ import annotations

from clearspot.consent.grant import Grant, Step, authorize, foresee
from clearspot.consent.registry import Voice, load_voice, load_voice_file
from clearspot.consent.scope import uses_of
from clearspot.consent.spot_approval import load_spot_approval
from clearspot.consent.standing import require_all
from clearspot.disclosure import FASTEST, SLOWEST, characters_per_minute, rate_for
from clearspot.errors import Refused
from clearspot.gate.requirements import Requirements, require_consent
from clearspot.job import Job

PACE = "disclosure.characters_per_minute"


def ask_leave(job: Job, locale: str, step: Step) -> Grant:
    """A grant for one locale of a job.

    Raises:
        Refused: The voice's consent does not cover it, or less than a market asks for.
        BadInput: There is no such voice.
    """
    # Read from disk each time: what was revoked or taken away meanwhile is not allowed any more.
    voice = load_voice(job.spot.order.voice, job.project.voice_folders())
    require_consent(asked_of(job, locale), voice)
    return authorize(
        voice,
        uses_of(job.spot, locale, job.project.settings.provider),
        job.authority,
        weights=job.studio.weights.pinned_voice(voice.file, voice.folder, commercial=job.spot.commercial),
        step=step,
        approval=load_spot_approval(job.spot.folder),
    )


def asked_of(job: Job, locale: str) -> Requirements:
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


def disclosure_rate(job: Job, locale: str, text: str, natural_s: float) -> float:
    """The rate at which a locale's disclosure is spoken: that of the pace its markets ask for, or 1.0.

    Args:
        job: What is made.
        locale: Whose disclosure it is.
        text: Its words.
        natural_s: How long the voice takes over them at rate 1.

    Raises:
        Refused: No engine speaks it that slowly or that fast; the message names the policies that ask for it.
    """
    asked = asked_of(job, locale)
    rate = rate_for(asked.disclosure, text, natural_s)
    if rate is None:
        raise Refused(
            f"the disclosure in {locale} is read at {characters_per_minute(text, natural_s):.0f} characters a minute, "
            f"and {asked.in_words(PACE)} are asked for (by {asked.who_asks(PACE)}); no engine speaks at less than "
            f"{SLOWEST:g} or more than {FASTEST:g} times the natural speed.",
            where=f"{job.spot.folder / 'spot.yaml'}: locales.{locale}.markets",
            remedy="Word it in that market's own language, take another voice, or leave that market out of the locale.",
        )
    return rate


def make_ready(job: Job, grant: Grant) -> None:
    """Fetch and load what a grant allows, and nothing before there is one."""
    for model_id in load_voice_file(grant.voice, job.project.voice_folders()).weights.values():
        job.studio.weights.resolve(model_id, commercial=job.spot.commercial)
    job.studio.speech(grant.engine).prepare(grant)


class Foresight:
    """What consent would say, for plans: nothing is granted and nothing is written down.

    What a voice's record says whatever the use is asked once a voice. A run asks everything anew.
    """

    def __init__(self) -> None:
        self._voices: dict[str, Voice | Refused] = {}
        self._standing: dict[str, Refused | None] = {}

    def forget(self) -> None:
        """Ask everything anew from here on; whoever is asking meanwhile is not disturbed."""
        self._voices, self._standing = {}, {}

    def voice(self, job: Job) -> Voice:
        """A job's voice.

        Raises:
            BadInput: There is none of that name.
            Refused: It has no consent record.
        """
        voice_id, known = job.spot.order.voice, self._voices
        if voice_id not in known:
            try:
                known[voice_id] = load_voice(voice_id, job.desk.voices)
            except Refused as refusal:
                known[voice_id] = refusal
        found = known[voice_id]
        if isinstance(found, Refused):
            raise found
        return found

    def require(self, job: Job, locale: str) -> None:
        """That a job would get leave for one locale now.

        Raises:
            Refused: It would not.
        """
        voice, known = self.voice(job), self._standing
        if voice.id not in known:
            try:
                require_all(voice, job.authority)
                known[voice.id] = None
            except Refused as refusal:
                known[voice.id] = refusal
        if (stands_against := known[voice.id]) is not None:
            raise stands_against
        require_consent(asked_of(job, locale), voice)
        foresee(
            voice,
            uses_of(job.spot, locale, job.project.settings.provider),
            job.authority,
            weights=job.studio.weights.pinned_voice(voice.file, voice.folder, commercial=job.spot.commercial),
            approval=load_spot_approval(job.spot.folder),
        )
