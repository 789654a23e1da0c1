"""Detached Ed25519 signatures over a consent record's digest (``consent.sig.yaml`` beside ``consent.yaml``)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clearspot.consent.record import ConsentRecord, Digest
from clearspot.errors import Refused
from clearspot.hashing import sha256_bytes
from clearspot.yamlfile import Strict, load_model

DOMAIN = b"clearspot consent record\x00"
"""Put before what is signed, so that a signature made for something else never fits here."""


class RecordSignature(Strict):
    """One signature: ``key`` is the first 16 hex digits of the sha256 of the raw public key."""

    key: str
    record_sha256: Digest
    ed25519: str


def key_id(key: Ed25519PublicKey) -> str:
    """The short name of a public key."""
    return sha256_bytes(key.public_bytes_raw())[:16]


def sign_record(record: ConsentRecord, key: Ed25519PrivateKey) -> RecordSignature:
    """Sign a record as it is."""
    signature = key.sign(DOMAIN + bytes.fromhex(record.digest))
    return RecordSignature(
        key=key_id(key.public_key()),
        record_sha256=record.digest,
        ed25519=base64.b64encode(signature).decode(),
    )


def require_signature(record: ConsentRecord, path: Path, trusted: Mapping[str, Ed25519PublicKey]) -> str:
    """The id of the trusted key that signed exactly this record.

    Raises:
        Refused: There is no signature, the record was edited, the key is not trusted or the signature is false.
    """
    if not path.is_file():
        raise Refused(
            f"consent record {record.id!r} is not signed.",
            where=str(path),
            remedy=f"clearspot voices sign {record.voice} --key FILE, by whoever may give this consent.",
        )
    signature = load_model(RecordSignature, path)
    if signature.record_sha256 != record.digest:
        raise Refused(
            f"consent record {record.id!r} was changed after it was signed (signed over "
            f"{signature.record_sha256[:12]}, is {record.digest[:12]}).",
            where=f"{path}: record_sha256",
            remedy="Restore the signed record, or have it signed again by whoever may give this consent.",
        )
    key = trusted.get(signature.key)
    if key is None:
        raise Refused(
            f"consent record {record.id!r} is signed with key {signature.key}, which is not trusted here.",
            where=f"{path}: key",
            remedy="If it should be, put its public key into configs/trust/ as consent-NAME.pem.",
        )
    try:
        key.verify(base64.b64decode(signature.ed25519, validate=True), DOMAIN + bytes.fromhex(record.digest))
    except (InvalidSignature, ValueError) as error:
        raise Refused(
            f"the signature of consent record {record.id!r} is false.",
            where=f"{path}: ed25519",
            remedy="Have the record signed again by whoever may give this consent.",
        ) from error
    return signature.key
