"""Grants: what consent gives for one use. ``authorize`` is the only way to one."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearspot.consent.record import ANY, ConsentRecord
from clearspot.consent.registry import Voice
from clearspot.consent.signature import require_signature
from clearspot.errors import Refused
from clearspot.files import PinnedFile

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a voice: where, for whom, in what, for what, on which day (UTC)."""

    locale: str
    market: str
    advertiser: str
    product: str
    medium: str
    purpose: str
    day: dt.date


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to speak with one voice in one locale. Made by ``authorize`` alone; engines take nothing else."""

    voice: str
    engine: str
    record_id: str
    record_sha256: str
    voice_sha256: str
    basis: str
    signed_by: str
    uses: tuple[Use, ...]
    weights: Mapping[str, PinnedFile]
    settings: Mapping[str, Any] = field(repr=False)
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Grant is made by consent.authorize and nowhere else")

    @property
    def locale(self) -> str:
        return self.uses[0].locale


def authorize(
    voice: Voice,
    uses: tuple[Use, ...],
    *,
    weights: Mapping[str, PinnedFile],
    trusted: Mapping[str, Ed25519PublicKey],
) -> Grant:
    """Hold a voice's consent against the uses of one locale (one a market).

    Args:
        voice: The voice and its record, as read from disk.
        uses: At least one; all of the same locale.
        weights: For each role in ``voice.yaml`` the file that would be loaded.
        trusted: Public keys that may sign consent, by key id.

    Returns:
        The grant that a speech engine takes.

    Raises:
        Refused: Unsigned, changed, untrusted, revoked, not in term, out of scope, or given for another voice or
            other weights. The message names record, field, asked and allowed.
    """
    if not uses or len({(use.locale, use.day) for use in uses}) != 1:
        raise ValueError("a grant is for the uses of exactly one locale on one day")
    record = voice.record
    signed_by = require_standing(voice, trusted, uses[0].day)
    _require_weights(voice, weights)
    for use in uses:
        _require_in_scope(voice, use)
    return Grant(
        voice=voice.id,
        engine=voice.file.engine,
        record_id=record.id,
        record_sha256=record.digest,
        voice_sha256=record.voice_sha256,
        basis=record.basis,
        signed_by=signed_by,
        uses=uses,
        weights=MappingProxyType({role: PinnedFile(file.path, record.weights[role]) for role, file in weights.items()}),
        settings=MappingProxyType(copy.deepcopy(voice.file.settings)),
        seal=_SEAL,
    )


def require_standing(voice: Voice, trusted: Mapping[str, Ed25519PublicKey], day: dt.date) -> str:
    """Whether a voice's record stands on a day, whatever the use: signed, of this voice, active, in term.

    Returns:
        The id of the key that signed it.

    Raises:
        Refused: It does not stand.
    """
    record, where = voice.record, str(voice.consent_path)
    signed_by = require_signature(record, voice.signature_path, trusted)
    if record.voice != voice.id:
        raise _refusal(record, where, "voice", asked=voice.id, allowed=record.voice)
    if record.voice_sha256 != voice.file.digest:
        raise _refusal(record, where, "voice_sha256", asked=voice.file.digest, allowed=record.voice_sha256)
    _require_in_force(voice, day)
    return signed_by


def _require_weights(voice: Voice, weights: Mapping[str, PinnedFile]) -> None:
    record, where = voice.record, str(voice.consent_path)
    if weights.keys() != record.weights.keys():
        asked, allowed = ", ".join(sorted(weights)), ", ".join(sorted(record.weights))
        raise _refusal(record, where, "weights", asked=asked, allowed=allowed)
    for role, file in weights.items():
        if file.sha256 != record.weights[role]:
            raise _refusal(record, where, f"weights.{role}", asked=file.sha256, allowed=record.weights[role])


def _require_in_force(voice: Voice, day: dt.date) -> None:
    record, where = voice.record, str(voice.consent_path)
    if record.status != "active":
        raise _refusal(record, where, "status", asked="active", allowed=record.status)
    start, end = dt.date.fromisoformat(record.term.start), dt.date.fromisoformat(record.term.end)
    if not start <= day <= end:
        field_name = "term.start" if day < start else "term.end"
        raise _refusal(record, where, field_name, asked=str(day), allowed=f"{start} to {end}")


def _require_in_scope(voice: Voice, use: Use) -> None:
    asked_of = {
        "locales": use.locale,
        "markets": use.market,
        "advertisers": use.advertiser,
        "products": use.product,
        "media": use.medium,
        "purposes": use.purpose,
    }
    for name, asked in asked_of.items():
        if not voice.record.scope.allows(name, asked):
            allowed = getattr(voice.record.scope, name)
            shown = allowed if allowed == ANY else ", ".join(allowed) or "nothing"
            raise _refusal(voice.record, str(voice.consent_path), f"scope.{name}", asked=asked, allowed=shown)


def _refusal(record: ConsentRecord, where: str, name: str, *, asked: str, allowed: str) -> Refused:
    return Refused(
        f"consent record {record.id!r} does not allow this: {name}: asked {asked!r}, allowed {allowed!r}.",
        where=f"{where}: {name}",
        remedy="Ask the voice's owner for a record that covers it, or change the spot.",
    )
