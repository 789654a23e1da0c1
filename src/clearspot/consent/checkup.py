"""Everything that can be checked about a voice's consent, one after the other, none hiding the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearspot.consent.authority import Authority
from clearspot.consent.enrolment import Ears, Readings
from clearspot.consent.enrolment_desk import listen_again
from clearspot.consent.record import TalentEvidence
from clearspot.consent.registry import Voice
from clearspot.consent.scope import require_in_scope, uses_of
from clearspot.consent.spot_approval import load_spot_approval, require_spot_approval
from clearspot.consent.standing import require_evidence, require_not_revoked, require_standing
from clearspot.errors import BadInput, ClearspotError, Refused
from clearspot.spot import Spot


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    ok: bool
    found: str


def check_voice(
    voice: Voice,
    authority: Authority,
    operator: str,
    spot: Spot | None,
    ears: Callable[[], Ears],
    readings: Readings,
) -> tuple[Check, ...]:
    """Look at a voice's record, its history, evidence and revocations, and at one spot's uses if there is one.

    Args:
        voice: The voice, as read from disk with its history.
        authority: Who may sign, and what was revoked.
        operator: Who runs this project.
        spot: To be held against the record's scope; None for no spot.
        ears: Loads who listens, where there is a statement to listen to.
        readings: The limits of today.
    """
    checks: dict[str, Callable[[], str]] = {
        "record": lambda: _record(voice, authority),
        "history": lambda: f"{len(voice.before)} records before this one, each intact",
        "evidence": lambda: _evidence(voice, authority),
        "revocations": lambda: _revocations(voice, authority),
        "statement": lambda: _statement(voice, ears, readings),
        "spots": lambda: _spots(voice, authority),
    }
    if spot is not None:
        checks |= {f"use {locale}": _use(voice, authority, operator, spot, locale) for locale in spot.order.locales}
    return tuple(_check(name, look) for name, look in checks.items())


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except ClearspotError as error:
        return Check(name, False, str(error))


def _record(voice: Voice, authority: Authority) -> str:
    keys = require_standing(voice, authority, authority.now())
    return f"{voice.record.id} ({voice.record.digest[:12]}), signed with key {', '.join(keys)}, in its term"


def _evidence(voice: Voice, authority: Authority) -> str:
    require_evidence(voice, authority, anew=True)
    return f"{voice.record.basis}: what it rests on is there and unchanged"


def _revocations(voice: Voice, authority: Authority) -> str:
    known = tuple(authority.revocations(voice))
    with authority.ledger.turn() as turn:
        require_not_revoked(voice, known, turn)
    return "not revoked, and the newest record known"


def _statement(voice: Voice, ears: Callable[[], Ears], readings: Readings) -> str:
    evidence = voice.record.evidence
    if not isinstance(evidence, TalentEvidence):
        return f"none is needed for {evidence.basis}"
    heard = listen_again(voice, evidence, ears(), readings)
    if heard.problems:
        raise Refused("; ".join(heard.problems), where=evidence.statement.file)
    return ", ".join(f"{name} {value:.2f}" for name, value in heard.scores.model_dump().items())


def _spots(voice: Voice, authority: Authority) -> str:
    with authority.ledger.turn() as turn:
        count = len(turn.spots(voice.id, voice.record.id))
    return f"{count} granted, {voice.record.scope.max_spots} allowed"


def _use(voice: Voice, authority: Authority, operator: str, spot: Spot, locale: str) -> Callable[[], str]:
    def look() -> str:
        uses = uses_of(spot, locale, operator)
        if not uses:
            raise BadInput("names no market.", where=locale)
        for use in uses:
            require_in_scope(voice, use)
            approval = load_spot_approval(spot.folder)
            require_spot_approval(voice, use, approval, authority.keys, authority.now())
        return f"covered in {', '.join(use.market for use in uses)}"

    return look
