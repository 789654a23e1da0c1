"""Whose signature counts for which voice: ``consent-keys.yaml`` in the folders of trust."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, Field, model_validator

from clearspot.consent.record import ConsentRecord, Date, Digest, Role
from clearspot.errors import BadInput, Refused
from clearspot.files import write_atomically
from clearspot.hashing import sha256_json
from clearspot.signing import key_id, public_key
from clearspot.spot import Id
from clearspot.text.names import Name
from clearspot.yamlfile import Strict, dump_yaml, load_model

KEYS_FILE = "consent-keys.yaml"
HEADER = (
    "# Whose signature counts as consent, as whom, for which voices. Review a change of this file like a contract.\n"
)

KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _public(value: str) -> str:
    try:
        public_key(value)
    except ValueError as error:
        raise ValueError("should be an Ed25519 public key in base64") from error
    return value


class ConsentKey(Strict):
    """One public key: whose it is, in which role, for which voices.

    After ``until`` it signs nothing new, and counts for the records listed in ``records`` alone: so that keys can
    be rotated without breaking what they signed, and an old key cannot sign with a date of long ago. A key with
    ``revoked`` counts for nothing.
    """

    public: Annotated[str, AfterValidator(_public)]
    holder: Name
    role: Role
    voices: tuple[Id, ...] = Field(min_length=1)
    until: Date | None = None
    records: tuple[Digest, ...] = ()
    revoked: Date | None = None

    @property
    def key(self) -> Ed25519PublicKey:
        return public_key(self.public)

    @property
    def id(self) -> str:
        return key_id(self.key)


class KeysFile(Strict):
    """``consent-keys.yaml``: keys by their ids."""

    keys: dict[KeyId, ConsentKey] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_right(self) -> Self:
        for name, key in self.keys.items():
            if key.id != name:
                raise ValueError(f"the key under {name} is {key.id}")
        return self


@dataclass(frozen=True, slots=True)
class ConsentKeys:
    """Every key of consent that this project knows, by id."""

    keys: Mapping[str, ConsentKey]

    @property
    def circle(self) -> dict[str, Any]:
        """Who may sign, as what, for which voices: what the audit log notes of it. No names."""
        return {
            name: key.model_dump(mode="json", include={"role", "voices", "until", "revoked"})
            | {"sha256": sha256_json(key.model_dump(mode="json"))}
            for name, key in sorted(self.keys.items())
        }

    def require(
        self, name: str, role: Role, record: ConsentRecord, day: dt.date, where: str, signed_sha256: str = ""
    ) -> ConsentKey:
        """The key of that id, if it may sign something about a record in that role.

        Args:
            name: The key's id, as a signature names it.
            role: In which role it signed.
            record: What it signed, or what that is about.
            day: Today, UTC.
            where: The file that the signature stands in.
            signed_sha256: The digest of what it signed, where that is not the record itself.

        Raises:
            Refused: It is not known, of somebody else, of another role or voice, revoked, or has ended and does not
                count for this record.
        """
        key = self.keys.get(name)
        if key is None:
            raise Refused(
                f"is signed with key {name}, which is not trusted here.",
                where=f"{where}: key",
                remedy=f"If it should be: clearspot keys trust FILE.pem --holder NAME --role {role} "
                f"--voice {record.voice}",
            )
        if problem := _why_not(key, role, record, day, signed_sha256 or record.digest):
            raise Refused(
                f"is signed with key {name}, which {problem}.",
                where=f"{where}: key",
                remedy=f"Have it signed by whoever may, with a key that {KEYS_FILE} trusts for this.",
            )
        return key


def _why_not(key: ConsentKey, role: Role, record: ConsentRecord, day: dt.date, signed_sha256: str) -> str:
    """Why a key does not count under a record in a role; empty where it does."""
    holder = record.signers[role]
    if key.revoked is not None:
        return f"was revoked on {key.revoked}"
    if key.role != role:
        return f"may sign as {key.role}, not as {role}"
    if key.holder != holder:
        return f"is {key.holder!r}'s; {holder!r} should sign as {role}"
    if record.voice not in key.voices:
        return f"counts for {', '.join(key.voices)}, not for {record.voice}"
    if key.until is not None and day > dt.date.fromisoformat(key.until) and signed_sha256 not in key.records:
        what = "record" if signed_sha256 == record.digest else "what is signed here:"
        return f"ended on {key.until} and does not count for {what} {signed_sha256[:12]}"
    return ""


def load_consent_keys(folders: Iterable[Path]) -> ConsentKeys:
    """The keys of all folders of trust. A key that is revoked, or has ended, in one of them has so in all.

    Raises:
        BadInput: A file is not what it should be, or two say different things of one key.
    """
    found: dict[str, ConsentKey] = {}
    for path in (folder / KEYS_FILE for folder in folders):
        if not path.exists():
            continue
        for name, key in load_model(KeysFile, path).keys.items():
            found[name] = _both(found[name], key, path) if name in found else key
    return ConsentKeys(found)


def add_key(folder: Path, key: ConsentKey) -> Path:
    """Write a key into a folder's ``consent-keys.yaml``, beside those that are there.

    Returns:
        The file.

    Raises:
        BadInput: The file is not what it should be.
        MachineFault: It cannot be written.
    """
    path = folder / KEYS_FILE
    keys = dict(load_model(KeysFile, path).keys) if path.exists() else {}
    body = KeysFile(keys={**keys, key.id: key}).model_dump(mode="json", exclude_defaults=True)
    write_atomically(path, (HEADER + dump_yaml(body)).encode())
    return path


def _both(one: ConsentKey, other: ConsentKey, path: Path) -> ConsentKey:
    """What two files say of one key, together: never more than either allows."""
    if (one.holder, one.role) != (other.holder, other.role):
        raise BadInput(
            f"says that key {one.id} is of {other.holder!r} as {other.role}; another file says {one.holder!r} as "
            f"{one.role}.",
            where=str(path),
            remedy="One key is one person's, in one role.",
        )
    ends = [key.until for key in (one, other) if key.until is not None]
    return one.model_copy(
        update={
            "voices": tuple(dict.fromkeys((*one.voices, *other.voices))),
            "until": min(ends) if ends else None,
            "records": tuple(dict.fromkeys((*one.records, *other.records))),
            "revoked": one.revoked or other.revoked,
        }
    )
