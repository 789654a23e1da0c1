"""Digests, and the one canonical form of JSON that is hashed and signed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from clearspot.errors import MachineFault

READ_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sha256_bytes(data: bytes | memoryview) -> str:
    """The sha256 of bytes, in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> str:
    """The sha256 of a value's canonical JSON."""
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, read in pieces.

    Raises:
        MachineFault: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise MachineFault(f"cannot be read: {error.strerror}", where=str(path)) from error
    return digest.hexdigest()
