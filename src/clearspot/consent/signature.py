"""Detached signatures over a consent record's digest (``consent.sig.yaml`` beside ``consent.yaml``)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, model_validator

from clearspot.consent.record import ConsentRecord, Digest, Role, Time
from clearspot.consent.trust import ConsentKey, ConsentKeys, KeyId
from clearspot.errors import Refused
from clearspot.signing import is_signed, key_id, sign
from clearspot.yamlfile import Strict, load_model

DOMAIN = b"clearspot consent record\x00"
CLOCKS_DIFFER_BY = dt.timedelta(minutes=5)


class RecordSignature(Strict):
    """One person's signature: in which role, with which key, when."""

    role: Role
    key: KeyId
    signed_at: Time
    ed25519: str = Field(max_length=100)


class Signatures(Strict):
    """``consent.sig.yaml``: who signed the record of that digest."""

    schema_version: Literal[1] = 1
    record_sha256: Digest
    signatures: tuple[RecordSignature, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _one_a_role(self) -> Self:
        roles = [signature.role for signature in self.signatures]
        if twice := sorted({role for role in roles if roles.count(role) > 1}):
            raise ValueError(f"two signatures as {', '.join(twice)}")
        return self

    def of(self, role: Role) -> RecordSignature | None:
        return next((signature for signature in self.signatures if signature.role == role), None)

    def with_one(self, signature: RecordSignature) -> Signatures:
        """These, with one in place of whatever stood for its role."""
        others = [one for one in self.signatures if one.role != signature.role]
        return self.model_copy(update={"signatures": (*others, signature)})


def sign_record(record: ConsentRecord, role: Role, key: Ed25519PrivateKey, now: dt.datetime) -> RecordSignature:
    """Sign a record as it is."""
    unsigned = RecordSignature(
        role=role,
        key=key_id(key.public_key()),
        signed_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        ed25519="",
    )
    return unsigned.model_copy(update={"ed25519": sign(DOMAIN, _signed_part(record.digest, unsigned), key)})


def require_signatures(
    record: ConsentRecord, path: Path, trusted: ConsentKeys, now: dt.datetime
) -> tuple[RecordSignature, ...]:
    """The signatures of everyone whose consent the record needs.

    Raises:
        Refused: One is missing, false, or made with a key that does not count for this; or the record was edited.
    """
    if not path.is_file():
        raise _unsigned(record, path, ", ".join(record.signers))
    signatures = load_model(Signatures, path)
    if signatures.record_sha256 != record.digest:
        raise Refused(
            f"consent record {record.id!r} was changed after it was signed (signed over "
            f"{signatures.record_sha256[:12]}, is {record.digest[:12]}).",
            where=f"{path}: record_sha256",
            remedy="Restore the signed record, or have it signed again by whoever may give this consent.",
        )
    return tuple(_require(record, signatures, role, path, trusted, now) for role in record.signers)


def _require(
    record: ConsentRecord, signatures: Signatures, role: Role, path: Path, trusted: ConsentKeys, now: dt.datetime
) -> RecordSignature:
    signature = signatures.of(role)
    if signature is None:
        raise _unsigned(record, path, role)
    day = now.astimezone(dt.UTC).date()
    key = trusted.require(signature.key, role, record, day, str(path))
    if not is_signed(DOMAIN, _signed_part(record.digest, signature), signature.ed25519, key.key):
        raise Refused(
            f"the signature of consent record {record.id!r} as {role} is false.",
            where=f"{path}: ed25519",
            remedy="Have the record signed again by whoever may give this consent.",
        )
    require_past(signature.signed_at, now, f"consent record {record.id!r} is signed as {role}", str(path))
    return signature


def require_past(signed_at: str, now: dt.datetime, what: str, where: str) -> None:
    """That something was signed before now, give or take what clocks differ by.

    Raises:
        Refused: It says that it was signed later than now.
    """
    if dt.datetime.fromisoformat(signed_at) > now + CLOCKS_DIFFER_BY:
        raise Refused(
            f"{what} at {signed_at}, which is yet to come.",
            where=f"{where}: signed_at",
            remedy="Set this machine's clock right, or have it signed again.",
        )


def signed_by(signatures: Signatures, key: ConsentKey) -> bool:
    """Whether a key really made one of these signatures, whatever they say of it."""
    return any(
        one.key == key.id and is_signed(DOMAIN, _signed_part(signatures.record_sha256, one), one.ed25519, key.key)
        for one in signatures.signatures
    )


def _signed_part(record_sha256: str, signature: RecordSignature) -> dict[str, str]:
    return {"record_sha256": record_sha256, "role": signature.role, "signed_at": signature.signed_at}


def _unsigned(record: ConsentRecord, path: Path, roles: str) -> Refused:
    return Refused(
        f"consent record {record.id!r} is not signed as {roles}.",
        where=str(path),
        remedy=f"clearspot voices sign {record.voice} --as ROLE --key FILE, by whoever may give this consent.",
    )
