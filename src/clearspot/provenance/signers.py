"""Who holds the pen: the project's own key, or a command that reaches a key which never lies on disk."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.provenance.keys import SigningKeys

COMMAND_FIELD = "configs/clearspot.yaml: signing.command"
NUMBER_BYTES = 32
"""ES256: r and s are 32 bytes each, big-endian (RFC 7518, 3.4)."""

MAX_TOLD = 200
SECRET = re.compile(r"PRIVATE KEY|[A-Za-z0-9+/=]{32,}|(?i:pin|passw|secret|token)\S*\s*[=:]")


@contextlib.contextmanager
def open_signer(keys: SigningKeys) -> Iterator[Any]:
    """The c2pa signer of these keys, ES256.

    Where signing with it fails, what went wrong in a command is raised in place of the library's error, which tells
    only that there was no signature.

    Raises:
        MachineFault: The command failed, ran too long, or gave no signature of the certificate's key.
    """
    import c2pa

    if not keys.command:
        info = c2pa.C2paSignerInfo(
            b"es256", keys.chain_pem.encode(), keys.key_pem.encode(), keys.tsa_url.encode() or None
        )
        yield c2pa.Signer.from_info(info)
        return
    problems: list[ClearspotError] = []

    def signature(data: bytes) -> bytes:
        try:
            return signed_by_command(data, keys)
        except ClearspotError as error:
            problems.append(error)
            return b""

    signer = c2pa.Signer.from_callback(signature, c2pa.C2paSigningAlg.ES256, keys.chain_pem, keys.tsa_url or None)
    try:
        yield signer
    except Exception as error:
        if problems:
            raise problems[0] from error
        raise


def signed_by_command(data: bytes, keys: SigningKeys) -> bytes:
    """An ES256 signature over ``data``, asked of the configured command: r and s, 64 bytes.

    Raises:
        MachineFault: It failed, ran too long, or gave no signature of the certificate's key.
    """
    given = _ask(keys.command, data, keys.timeout_s)
    public = keys.certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):  # the loader has seen to it
        raise BadInput("is not an ES256 certificate.", where="configs/clearspot.yaml: signing.chain")
    for raw in _readings(given):
        numbers = (int.from_bytes(raw[:NUMBER_BYTES], "big"), int.from_bytes(raw[NUMBER_BYTES:], "big"))
        with contextlib.suppress(InvalidSignature):
            public.verify(encode_dss_signature(*numbers), data, ec.ECDSA(hashes.SHA256()))
            return raw
    raise MachineFault(
        f"the signing command gave {len(given)} bytes that are no ES256 signature by the certificate's key.",
        where=COMMAND_FIELD,
        remedy="It must sign with SHA-256 and the key of signing.chain's first certificate, and write DER, r and s "
        "(64 bytes), or either in base64.",
    )


def _readings(given: bytes) -> Iterator[bytes]:
    """What the bytes may be as r and s. Each is held against the key, so no guess can be wrong."""
    forms = [given]
    with contextlib.suppress(ValueError, binascii.Error):
        forms.append(base64.b64decode(b"".join(given.split()), validate=True))
    for form in forms:
        if len(form) == 2 * NUMBER_BYTES:
            yield form
        with contextlib.suppress(ValueError, OverflowError):
            yield b"".join(number.to_bytes(NUMBER_BYTES, "big") for number in decode_dss_signature(form))


def _ask(command: tuple[str, ...], data: bytes, timeout_s: float) -> bytes:
    """Run a command without a shell, in a process group of its own, so that what hangs ends with all it started."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise MachineFault(
            f"the signing command {command[0]!r} cannot be run: {error.strerror}.",
            where=COMMAND_FIELD,
            remedy="Name a program on PATH, or its whole path.",
        ) from error
    with process:
        try:
            output, report = process.communicate(data, timeout_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise MachineFault(
                f"the signing command {command[0]!r} did not answer in {timeout_s:g} s.",
                where=COMMAND_FIELD,
                remedy="Run it by hand; signing.timeout_s is how long it may take.",
            ) from error
    if process.returncode:
        raise MachineFault(
            f"the signing command {command[0]!r} ended with {process.returncode}{_told(report, command)}.",
            where=COMMAND_FIELD,
            remedy="Run it by hand: it reads from its input what it signs, and writes the signature.",
        )
    return output


def _told(report: bytes, command: tuple[str, ...]) -> str:
    """The last thing a command said, unless it could hold a secret: its arguments may hold a PIN, too."""
    lines = [line.strip() for line in report.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    last = "".join(character if character.isprintable() else "?" for character in lines[-1])
    for argument in sorted(command[1:], key=len, reverse=True):
        last = last.replace(argument, "…") if len(argument) > 2 else last
    return "" if SECRET.search(last) else f": {last[:MAX_TOLD]}"
