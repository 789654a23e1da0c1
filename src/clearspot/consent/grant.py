"""Grants: what consent gives for one use. ``authorize`` is the only way to one."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from clearspot.audit import Entry
from clearspot.consent.authority import Authority
from clearspot.consent.ledger import Turn
from clearspot.consent.record import ANY
from clearspot.consent.registry import Voice
from clearspot.consent.scope import Use, out_of_scope, require_in_scope
from clearspot.consent.spot_approval import PER_SPOT, SpotApproval, require_spot_approval
from clearspot.consent.standing import require_evidence, require_not_revoked, require_standing
from clearspot.errors import BadInput, Refused
from clearspot.files import PinnedFile

_SEAL = object()

Step = Literal["prepare", "speak", "export"]
"""What leave is asked for: to load a voice, to speak with it, to let out what was spoken."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to speak with one voice in one locale. Made by ``authorize`` alone; engines take nothing else.

    ``training`` is whether models may be trained on the voice: manifests say so where not. ``approval`` is the owner's
    own yes to the spot, where the record asks for one.
    """

    voice: str
    engine: str
    record_id: str
    record_sha256: str
    voice_sha256: str
    basis: str
    training: bool
    signed_by: tuple[str, ...]
    uses: tuple[Use, ...]
    approval: SpotApproval | None
    at: dt.datetime
    weights: Mapping[str, PinnedFile]
    settings: Mapping[str, Any] = field(repr=False)
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Grant is made by consent.authorize and nowhere else")

    @property
    def locale(self) -> str:
        return self.uses[0].locale


def require_grant(value: object) -> Grant:
    """What every engine asks first.

    Raises:
        TypeError: It is no grant, whatever it says of itself.
    """
    if type(value) is not Grant:
        raise TypeError(f"an engine speaks with a Grant alone, not with {type(value).__name__}")
    return value


def authorize(
    voice: Voice,
    uses: tuple[Use, ...],
    authority: Authority,
    *,
    weights: Mapping[str, PinnedFile],
    step: Step,
    approval: SpotApproval | None = None,
) -> Grant:
    """Hold a voice's consent against the uses of one locale (one a market), and write down what came of it.

    Args:
        voice: The voice and its record, as read from disk.
        uses: At least one; they differ in nothing but their market.
        authority: Who may sign, who was revoked, and what was granted before.
        weights: For each role in ``voice.yaml`` the file that would be loaded.
        step: What leave is asked for. For an export every file is read anew, whatever its digest is known to be.
        approval: The owner's signature under this spot, where there is one.

    Returns:
        The grant that a speech engine takes.

    Raises:
        Refused: Unsigned, changed, untrusted, revoked, not in term, out of scope, or given for another voice or
            other weights. The message names record, field, asked and allowed.
        MachineFault: The audit log cannot be written: what cannot be written down is not granted.
    """
    if len({dataclasses.replace(use, market="") for use in uses}) != 1:
        raise ValueError("a grant is for the uses of exactly one spot in one locale")
    now = authority.now()
    noted = _noted(voice, uses, step)
    try:
        signed_by = _decide(voice, uses, authority, weights, step, approval, now)
    except (Refused, BadInput) as refusal:
        authority.note_refusal(noted, refusal)
        raise
    return Grant(
        voice=voice.id,
        engine=voice.file.engine,
        record_id=voice.record.id,
        record_sha256=voice.record.digest,
        voice_sha256=voice.record.voice_sha256,
        basis=voice.record.basis,
        training=voice.record.derivatives.training,
        signed_by=signed_by,
        uses=uses,
        approval=approval if voice.record.scope.approval == PER_SPOT else None,
        at=now,
        weights=MappingProxyType(
            {role: PinnedFile(file.path, voice.record.weights[role]) for role, file in weights.items()}
        ),
        settings=_frozen(voice.file.settings),
        seal=_SEAL,
    )


def foresee(
    voice: Voice,
    uses: tuple[Use, ...],
    authority: Authority,
    *,
    weights: Mapping[str, PinnedFile],
    approval: SpotApproval | None = None,
) -> None:
    """Whether ``authorize`` would say yes to these uses of a voice that stands (``require_all``).

    Nothing is granted, and nothing is written down: it is for plans, and no engine takes it for anything.

    Raises:
        Refused: It would say no.
    """
    _require_weights(voice, weights, authority, anew=False)
    for use in uses:
        require_in_scope(voice, use)
        require_spot_approval(voice, use, approval, authority.keys, authority.now())
    if voice.record.scope.max_spots != ANY:
        with authority.ledger.turn() as turn:
            _require_spots_left(voice, uses[0], turn)


def release(voice: Voice, grant: Grant, authority: Authority, exported: Mapping[str, Any]) -> Entry:
    """Write down that a deliverable is let out, unless its consent ended since it was granted.

    Call it before the file gets its final name: what left is then always in the log.

    Args:
        voice: The voice, as read from disk now.
        grant: What the deliverable was spoken with.
        authority: As for ``authorize``.
        exported: Its path, digests, locale and markets.

    Returns:
        The log's entry, for the receipt to name.

    Raises:
        Refused: The consent was revoked, or is another by now.
        MachineFault: The audit log cannot be written.
    """
    if voice.record.digest != grant.record_sha256:
        raise out_of_scope(voice, "record", asked=grant.record_sha256, allowed=voice.record.digest)
    known = tuple(authority.revocations(voice))
    record = {"voice": grant.voice, "record": grant.record_id, "record_sha256": grant.record_sha256}
    with authority.ledger.turn() as turn:
        require_not_revoked(voice, known, turn)
        return turn.write("export", {**record, **exported})


def _decide(
    voice: Voice,
    uses: tuple[Use, ...],
    authority: Authority,
    weights: Mapping[str, PinnedFile],
    step: Step,
    approval: SpotApproval | None,
    now: dt.datetime,
) -> tuple[str, ...]:
    """Everything that may refuse, the log last: what is decided there is written down before anyone else decides."""
    anew = step == "export"
    signed_by = require_standing(voice, authority, now)
    _require_weights(voice, weights, authority, anew=anew)
    require_evidence(voice, authority, anew=anew)
    for use in uses:
        require_in_scope(voice, use)
        require_spot_approval(voice, use, approval, authority.keys, now)
    known = tuple(authority.revocations(voice))
    with authority.ledger.turn() as turn:
        authority.require_same_circle(turn)
        require_not_revoked(voice, known, turn)
        _require_spots_left(voice, uses[0], turn)
        authority.note_circle(turn)
        turn.write("grant", {**_noted(voice, uses, step), "signed_by": list(signed_by)})
    return signed_by


def _frozen(value: Any) -> Any:
    """Settings that nobody can change, however deep: they are part of what was consented to."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _require_weights(voice: Voice, weights: Mapping[str, PinnedFile], authority: Authority, *, anew: bool) -> None:
    """The files that would be loaded are those that the record names; what is not there yet is checked when loaded."""
    record = voice.record
    if weights.keys() != record.weights.keys():
        asked, allowed = ", ".join(sorted(weights)), ", ".join(sorted(record.weights))
        raise out_of_scope(voice, "weights", asked=asked, allowed=allowed)
    for role, file in weights.items():
        named = record.weights[role]
        found = authority.digests.sha256(file.path, anew=anew) if file.path.is_file() else file.sha256
        for digest in (file.sha256, found):
            if digest != named:
                raise out_of_scope(voice, f"weights.{role}", asked=digest, allowed=named)


def _require_spots_left(voice: Voice, use: Use, turn: Turn) -> None:
    """The record's maximum of distinct spots, counted from everything that was ever granted."""
    record, most = voice.record, voice.record.scope.max_spots
    before = turn.spots(voice.id, record.id)
    if most != ANY and (use.spot, use.advertiser, use.product) not in before and len(before) >= int(most):
        raise out_of_scope(voice, "scope.max_spots", asked=f"{use.spot} as spot {len(before) + 1}", allowed=str(most))


def _noted(voice: Voice, uses: tuple[Use, ...], step: Step) -> dict[str, Any]:
    """What the audit log says of a grant or a refusal."""
    use = uses[0]
    return {
        "step": step,
        "voice": voice.id,
        "record": voice.record.id,
        "record_sha256": voice.record.digest,
        "previous_sha256": voice.record.previous_sha256,
        "spot": use.spot,
        "script_sha256": use.script_sha256,
        "locale": use.locale,
        "markets": [each.market for each in uses],
        "advertiser": use.advertiser,
        "product": use.product,
        "medium": use.medium,
        "purpose": use.purpose,
        "operator": use.operator,
    }
