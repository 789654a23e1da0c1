"""Revocation: signed, dated, with an effect; kept beside the voice, in the audit log, and in lists from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from clearspot.consent.record import Digest, Time, Words
from clearspot.consent.registry import Voice
from clearspot.consent.trust import ConsentKeys, KeyId
from clearspot.errors import Refused
from clearspot.files import write_atomically
from clearspot.hashing import canonical_json
from clearspot.signing import is_signed, key_id, sign
from clearspot.spot import Id
from clearspot.yamlfile import Strict, dump_yaml, load_model

REVOCATION_FILE = "revocation.yaml"
DOMAIN = b"clearspot revocation\x00"

Effect = Literal["from-now", "take-down"]
"""Nothing new is made; or that, and everything that was made is taken down."""


class Revocation(Strict):
    """That consent given by one record, and by those before it, has ended."""

    voice: Id
    record: Id
    record_sha256: Digest
    before: tuple[Digest, ...] = ()
    effect: Effect
    reason: Words
    at: Time

    @classmethod
    def of_log(cls, data: Mapping[str, Any]) -> Revocation:
        """The revocation in an entry of the audit log."""
        return cls.model_validate_json(canonical_json(data["revocation"]))

    def covers(self, voice: Voice) -> bool:
        """Whether a voice as it is falls under it: unless its record knowingly follows the revoked one."""
        followed = {record.digest for record in voice.before}
        return voice.id == self.voice and self.record_sha256 not in followed

    def names(self, record_sha256: str) -> bool:
        """Whether it ends the consent given by the record of that digest."""
        return record_sha256 in (self.record_sha256, *self.before)

    @property
    def time(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)


class SignedRevocation(Revocation):
    """``revocation.yaml``, in the voice's folder of the project."""

    schema_version: Literal[1] = 1
    key: KeyId
    ed25519: str = Field(max_length=100)

    @property
    def plain(self) -> Revocation:
        return Revocation.model_validate(self.model_dump(include=set(Revocation.model_fields)))


def revoke(voice: Voice, effect: Effect, reason: str, key: Ed25519PrivateKey, now: dt.datetime) -> SignedRevocation:
    """Sign that a voice's consent has ended."""
    plain = Revocation(
        voice=voice.id,
        record=voice.record.id,
        record_sha256=voice.record.digest,
        before=tuple(record.digest for record in voice.before),
        effect=effect,
        reason=reason,
        at=now.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
    )
    body = plain.model_dump(mode="json")
    signed = {"key": key_id(key.public_key()), "ed25519": sign(DOMAIN, body, key)}
    return SignedRevocation.model_validate(plain.model_dump() | signed)


def write_revocation(folder: Path, revocation: SignedRevocation) -> Path:
    """Keep a revocation in the voice's folder.

    Raises:
        MachineFault: It cannot be written.
    """
    path = folder / REVOCATION_FILE
    write_atomically(path, dump_yaml(revocation.model_dump(mode="json")).encode())
    return path


def read_revocation(
    folder: Path, consent_keys: ConsentKeys, project_keys: Mapping[str, Ed25519PublicKey]
) -> Revocation | None:
    """The revocation in a voice's folder, if there is one.

    It counts when signed with any key that this project trusts for the voice, or with one of the project's own: to end
    consent is easier than to give it.

    Raises:
        Refused: There is one that cannot be believed; until that is cleared up nobody speaks either.
        BadInput: It is not what it should be.
    """
    path = folder / REVOCATION_FILE
    if not path.exists():
        return None
    revocation = load_model(SignedRevocation, path)
    key = keys_that_revoke(revocation.voice, consent_keys, project_keys).get(revocation.key)
    if key is None or not is_signed(DOMAIN, revocation.plain.model_dump(mode="json"), revocation.ed25519, key):
        raise Refused(
            f"there is a revocation of voice {revocation.voice!r} that is not signed by anyone known here; until that "
            "is cleared up nobody speaks with it.",
            where=str(path),
            remedy="Ask the voice's owner; remove the file only if it is known to be a forgery.",
        )
    return revocation.plain


def keys_that_revoke(
    voice: str, consent_keys: ConsentKeys, project_keys: Mapping[str, Ed25519PublicKey]
) -> dict[str, Ed25519PublicKey]:
    """Whose word ends consent for a voice: any signer's whose key was not revoked itself, and the project's own."""
    trusted = {name: key.key for name, key in consent_keys.keys.items() if voice in key.voices and key.revoked is None}
    return {**trusted, **project_keys}


def refusal_of(revocation: Revocation, where: str) -> Refused:
    """How a revoked voice is refused."""
    return Refused(
        f"consent record {revocation.record!r} was revoked on {revocation.at[:10]} ({revocation.effect}): "
        f"status: asked 'active', allowed 'revoked'.",
        where=where,
        remedy="Nothing more is made with this voice. Consent given anew needs a record that follows the revoked one.",
    )
