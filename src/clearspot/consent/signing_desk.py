"""Where people sign a consent record, and where the one before it is put away."""

from __future__ import annotations

from typing import get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.authority import Authority
from clearspot.consent.record import Role
from clearspot.consent.registry import CONSENT_FILE, SIGNATURE_FILE, Voice, history_folder
from clearspot.consent.signature import Signatures, require_signatures, sign_record
from clearspot.errors import BadInput
from clearspot.files import write_atomically
from clearspot.signing import key_id
from clearspot.yamlfile import dump_yaml, load_model


def sign_voice(voice: Voice, role: str, key: Ed25519PrivateKey, authority: Authority) -> tuple[Role, ...]:
    """Sign a voice's record in one role, keep a copy of both in the voice's history, and write that down.

    Args:
        voice: The voice; its record is signed as it is.
        role: One of the roles that the record needs.
        key: The signer's, trusted in that role for this voice.
        authority: Knows the keys and holds the log.

    Returns:
        The roles whose signatures are still missing.

    Raises:
        BadInput: The record needs no signature in that role, or does not name the record it replaces.
        Refused: The key may not sign this.
        MachineFault: The voice's folder or the log cannot be written to.
    """
    record, now = voice.record, authority.now()
    chosen = next((known for known in get_args(Role) if known == role), None)
    if chosen is None or chosen not in record.signers:
        raise BadInput(f"this record is signed as {' and '.join(record.signers)}, not as {role!r}.", where="--as")
    name = key_id(key.public_key())
    authority.keys.require(name, chosen, record, now.date(), str(voice.signature_path))
    signatures = _signatures_so_far(voice).with_one(sign_record(record, chosen, key, now))
    text = dump_yaml(signatures.model_dump(mode="json")).encode()
    kept = history_folder(voice.folder, record.digest)
    write_atomically(kept / CONSENT_FILE, dump_yaml(record.canonical()).encode())
    write_atomically(kept / SIGNATURE_FILE, text)
    write_atomically(voice.signature_path, text)
    lacking = tuple(each for each in record.signers if signatures.of(each) is None)
    if not lacking:  # the last to sign finds out whether those before them may
        require_signatures(record, voice.signature_path, authority.keys, now)
    noted = {
        "voice": voice.id,
        "record": record.id,
        "record_sha256": record.digest,
        "previous_sha256": record.previous_sha256,
        "role": chosen,
        "key": name,
        "complete": not lacking,
    }
    with authority.ledger.turn() as turn:
        authority.require_same_circle(turn)
        authority.note_circle(turn)
        turn.write("signature", noted)
    return lacking


def _signatures_so_far(voice: Voice) -> Signatures:
    """Those under this very record; none where it replaces the one that was signed before."""
    record, path = voice.record, voice.signature_path
    before = load_model(Signatures, path) if path.is_file() else None
    if before is not None and before.record_sha256 == record.digest:
        return before
    if before is not None and before.record_sha256 != record.previous_sha256:
        raise BadInput(
            f"this record replaces the signed one {before.record_sha256[:12]} and does not say so (it says "
            f"{record.previous_sha256[:12] or 'nothing'!r}).",
            where=f"{voice.consent_path}: previous_sha256",
            remedy=f"Set previous_sha256: {before.record_sha256}",
        )
    return Signatures.model_construct(schema_version=1, record_sha256=record.digest, signatures=())
