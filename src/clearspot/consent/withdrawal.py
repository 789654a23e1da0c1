"""How consent is ended here: signed, kept beside the voice, and written into the log."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from clearspot.consent.affected import known_here
from clearspot.consent.authority import Authority
from clearspot.consent.registry import Voice
from clearspot.consent.revocation import REVOCATION_FILE, Effect, keys_that_revoke, revoke, write_revocation
from clearspot.errors import BadInput, Refused
from clearspot.signing import key_id


def withdraw_consent(
    voice: Voice, effect: str, reason: str, key: Ed25519PrivateKey, authority: Authority
) -> tuple[Path, int]:
    """Revoke a voice's record and those before it. A take-down that stands already stands.

    Args:
        voice: The voice, as it is now.
        effect: ``from-now`` or ``take-down``.
        reason: Why, in words.
        key: The signer's: of anyone who signs for this voice, or the project's own.
        authority: Knows the keys and holds the log.

    Returns:
        Where the revocation lies, and how many deliverables left with the voice before.

    Raises:
        BadInput: There is no such effect, or no reason.
        Refused: The key's word does not end this voice's consent, or the log was tampered with.
        MachineFault: It cannot be written.
    """
    chosen = next((known for known in get_args(Effect) if known == effect), None)
    if chosen is None:
        raise BadInput(f"should be {' or '.join(get_args(Effect))} (it is {effect!r}).", where="--effect")
    if not reason.strip():
        raise BadInput("should say why.", where="--reason")
    name = key_id(key.public_key())
    if name not in keys_that_revoke(voice.id, authority.keys, authority.project_keys):
        raise Refused(
            f"key {name} is none whose word ends the consent for {voice.id!r}.",
            where="--key",
            remedy="Use the talent's, guardian's or licensee's key, or this project's own (leave out --key).",
        )
    known = known_here(authority, [voice.folder])
    before = known.revocation_of(voice.record.digest)
    if before is not None and before.effect == chosen == "take-down":
        # Said again by somebody whose take-down could not be finished, because another run had the folder.
        return authority.own_voices / voice.id / REVOCATION_FILE, len(known.of_voice(voice.id))
    if before is not None and before.effect in {"take-down", chosen}:
        raise BadInput(
            f"consent record {voice.record.id!r} was revoked already, on {before.at[:10]} ({before.effect}).",
            where="voices revoke",
        )
    try:
        revocation = revoke(voice, chosen, reason.strip(), key, authority.now())
    except ValidationError as error:
        raise BadInput("should be 1 to 2000 characters of text.", where="--reason") from error
    path = write_revocation(authority.own_voices / voice.id, revocation)  # first: alone, it already counts
    with authority.ledger.turn() as turn:
        turn.write("revocation", {"revocation": revocation.plain.model_dump(mode="json"), "key": name})
    return path, len(known.of_voice(voice.id))
