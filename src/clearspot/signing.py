"""One way to sign: Ed25519 over a domain and the canonical JSON of a value."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clearspot.hashing import canonical_json, sha256_bytes


def key_id(key: Ed25519PublicKey) -> str:
    """The short name of a public key: the first 16 hex digits of the sha256 of its 32 raw bytes."""
    return sha256_bytes(key.public_bytes_raw())[:16]


def sign(domain: bytes, value: Any, key: Ed25519PrivateKey) -> str:
    """A signature, in base64.

    Args:
        domain: What kind of thing is signed, ending in a zero byte: so that a signature made for something else
            never fits here.
        value: Anything that has a canonical JSON.
        key: Who signs.
    """
    return base64.b64encode(key.sign(domain + canonical_json(value))).decode()


def is_signed(domain: bytes, value: Any, signature: str, key: Ed25519PublicKey) -> bool:
    """Whether a signature is this key's, over this value, in this domain."""
    try:
        key.verify(base64.b64decode(signature, validate=True), domain + canonical_json(value))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def public_text(key: Ed25519PublicKey) -> str:
    """A public key in base64, as trust files hold it."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from base64.

    Raises:
        ValueError: It is none.
    """
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
