"""Whether a voice's record stands, whatever the use: signed, of this voice, in force, evidenced, not revoked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from clearspot.consent.authority import Authority
from clearspot.consent.ledger import Turn
from clearspot.consent.record import Reference, Statement, TalentEvidence
from clearspot.consent.registry import Voice
from clearspot.consent.revocation import Revocation, refusal_of
from clearspot.consent.scope import out_of_scope, require_in_term
from clearspot.consent.signature import require_signatures
from clearspot.errors import Refused
from clearspot.files import inside


def require_standing(voice: Voice, authority: Authority, now: dt.datetime) -> tuple[str, ...]:
    """Whether a voice's record is signed by everyone it needs, is of this voice as it is, and in force.

    Returns:
        The ids of the keys that signed it.

    Raises:
        Refused: It does not stand; the message names record, field, asked and allowed.
    """
    record = voice.record
    signatures = require_signatures(record, voice.signature_path, authority.keys, now)
    if record.voice != voice.id:
        raise out_of_scope(voice, "voice", asked=voice.id, allowed=record.voice)
    if record.voice_sha256 != voice.file.digest:
        raise out_of_scope(voice, "voice_sha256", asked=voice.file.digest, allowed=record.voice_sha256)
    require_in_term(voice, now)
    return tuple(signature.key for signature in signatures)


def require_evidence(voice: Voice, authority: Authority, *, anew: bool) -> None:
    """The recordings that a talent's record rests on: the statement, and the reference of how they sound.

    Args:
        voice: The voice.
        authority: Knows digests of files that did not change.
        anew: Read the files whatever is known.

    Raises:
        Refused: One is missing, or not the one that was signed for.
    """
    evidence = voice.record.evidence
    if not isinstance(evidence, TalentEvidence):
        return
    for name, recording in (("statement", evidence.statement), ("reference", evidence.reference)):
        _require_recording(voice, name, recording, authority, anew=anew)


def require_not_revoked(voice: Voice, known: Iterable[tuple[Revocation, str]], turn: Turn) -> None:
    """That nobody revoked the record, and that no newer one took its place.

    Args:
        voice: The voice.
        known: Revocations from outside the log, and where each stands.
        turn: What the log says.

    Raises:
        Refused: Somebody did, or one has.
    """
    log = str(voice.consent_path)
    for revocation, where in (*known, *((one, log) for one in turn.revocations)):
        if revocation.covers(voice):
            raise refusal_of(revocation, where)
    if follower := turn.follower(voice.record.digest):
        raise Refused(
            f"consent record {voice.record.id!r} ({voice.record.digest[:12]}) was replaced by a newer one "
            f"({follower[:12]}).",
            where=f"{voice.consent_path}: previous_sha256",
            remedy="Put the newest record back; an older one gives nothing any more.",
        )


def require_all(voice: Voice, authority: Authority, *, anew: bool = False) -> tuple[str, ...]:
    """Everything that can be asked of a voice without a use; see the functions above.

    Returns:
        The ids of the keys that signed its record.

    Raises:
        Refused: It does not stand.
    """
    now = authority.now()
    signed_by = require_standing(voice, authority, now)
    require_evidence(voice, authority, anew=anew)
    known = tuple(authority.revocations(voice))
    with authority.ledger.turn() as turn:
        authority.require_same_circle(turn)
        require_not_revoked(voice, known, turn)
    return signed_by


def _require_recording(
    voice: Voice, name: str, recording: Statement | Reference, authority: Authority, *, anew: bool
) -> None:
    field = f"evidence.{name}.sha256"
    path = inside(voice.folder, recording.file, where=f"{voice.consent_path}: evidence.{name}.file")
    if not path.is_file():
        raise out_of_scope(voice, field, asked=f"no file {recording.file}", allowed=recording.sha256)
    if (actual := authority.digests.sha256(path, anew=anew)) != recording.sha256:
        raise out_of_scope(voice, field, asked=actual, allowed=recording.sha256)
