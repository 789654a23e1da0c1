"""The receipt: the signed record of one export. A refusal has the same findings and no signature to sell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clearspot.errors import BadInput
from clearspot.signing import is_signed, key_id, sign
from clearspot.yamlfile import read_text

DOMAIN = b"clearspot receipt\x00"
SCHEMA = 1
ENDING = ".receipt.json"
"""A receipt lies beside its deliverable, under its name with this ending."""


def sign_receipt(body: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """A receipt with its Ed25519 signature over the canonical JSON of ``receipt``."""
    return {
        "schema": SCHEMA,
        "receipt": dict(body),
        "signature": {
            "algorithm": "ed25519",
            "key": key_id(key.public_key()),
            "value": sign(DOMAIN, body, key),
        },
    }


def check_receipt(receipt: Mapping[str, Any], trusted: Mapping[str, Ed25519PublicKey]) -> str:
    """Why a receipt is not to be believed; empty where it is."""
    signature, body = receipt.get("signature"), receipt.get("receipt")
    if receipt.get("schema") != SCHEMA or not isinstance(signature, dict) or not isinstance(body, dict):
        return "is not a receipt of a kind we know"
    key = trusted.get(str(signature.get("key")))
    if key is None:
        return f"is signed with key {signature.get('key')}, which is not trusted here"
    return "" if is_signed(DOMAIN, body, str(signature.get("value")), key) else "was changed after it was signed"


def read_receipt(path: Path) -> dict[str, Any]:
    """A receipt file's JSON.

    Raises:
        BadInput: It is not JSON.
    """
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput("is not JSON.", where=str(path)) from error
    return value if isinstance(value, dict) else {}


def not_in_log(receipt: Mapping[str, Any], entries: Mapping[int, str], trusted: Mapping[str, Ed25519PublicKey]) -> str:
    """Why a receipt and an audit log do not belong together; empty where they do.

    Args:
        receipt: The receipt.
        entries: The digest of each entry of the log, by its number.
        trusted: Public keys of receipts, by id.
    """
    if problem := check_receipt(receipt, trusted):
        return f"the receipt {problem}"
    anchor = receipt["receipt"].get("audit")
    if not isinstance(anchor, dict) or not isinstance(anchor.get("entry"), int):
        return "the receipt names no entry of a log"
    if entries.get(anchor["entry"], "") != anchor.get("sha256"):
        return f"entry {anchor.get('entry')} is not the export that the receipt names: the log was cut or written anew"
    return ""


def to_text(value: Mapping[str, Any]) -> bytes:
    """JSON for people and machines, in a stable order."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
