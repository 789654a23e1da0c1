"""Voices as they lie on disk: how to speak with one, its consent record, and the records before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from clearspot.consent.record import ConsentRecord
from clearspot.errors import BadInput, Refused
from clearspot.hashing import sha256_json
from clearspot.spot import Id
from clearspot.yamlfile import Strict, load_model

VOICE_FILE, CONSENT_FILE, SIGNATURE_FILE = "voice.yaml", "consent.yaml", "consent.sig.yaml"
HISTORY_FOLDER = "history"
MAX_RECORDS = 1000


class VoiceFile(Strict):
    """``voice.yaml``: the engine, a model of ``models.yaml`` for each role it asks for, and its settings.

    ``files`` are roles that are files in the voice's own folder, such as the recording that a cloning model copies.
    """

    id: Id
    name: str
    engine: str
    weights: dict[str, str]
    files: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        if twice := sorted(self.files.keys() & {role.partition("/")[0] for role in self.weights}):
            raise ValueError(f"files: {', '.join(twice)}: is named by weights too")
        return self

    @property
    def digest(self) -> str:
        """What a consent record is bound to: the engine, its weights' names and its settings."""
        unused = set() if self.files else {"files"}  # records are older than the field
        return sha256_json(self.model_dump(mode="json", exclude=unused))


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice's folder, read but not yet believed: only ``authorize`` decides whether it may speak.

    ``before`` holds the records that its record follows, newest first.
    """

    folder: Path
    file: VoiceFile
    record: ConsentRecord
    before: tuple[ConsentRecord, ...] = ()

    @property
    def id(self) -> str:
        return self.file.id

    @property
    def consent_path(self) -> Path:
        return self.folder / CONSENT_FILE

    @property
    def signature_path(self) -> Path:
        return self.folder / SIGNATURE_FILE


def voice_folder(voice_id: str, folders: Mapping[str, Path]) -> Path:
    """The folder of a voice.

    Raises:
        BadInput: There is no such voice.
    """
    if voice_id not in folders:
        known = ", ".join(sorted(folders)) or "none"
        raise BadInput(f"there is no voice {voice_id!r}; there is: {known}.", where="voices/")
    return folders[voice_id]


def load_voice_file(voice_id: str, folders: Mapping[str, Path]) -> VoiceFile:
    """How to speak with a voice; whether one may is another question.

    Raises:
        BadInput: There is no such voice, or its file is not what it should be.
    """
    path = voice_folder(voice_id, folders) / VOICE_FILE
    file = load_model(VoiceFile, path)
    if file.id != voice_id:
        raise BadInput(f"says {file.id!r}, the folder is named {voice_id!r}.", where=f"{path}: id")
    return file


def load_voice(voice_id: str, folders: Mapping[str, Path]) -> Voice:
    """A voice by its id.

    Raises:
        BadInput: There is no such voice, or its files are not what they should be.
        Refused: It has no consent record.
    """
    folder = voice_folder(voice_id, folders)
    file = load_voice_file(voice_id, folders)
    consent = folder / CONSENT_FILE
    if not consent.is_file():
        raise Refused(
            f"voice {voice_id!r} has no consent record; nobody may speak with it.",
            where=str(consent),
            remedy="Its owner's consent comes first; see docs/consent.md.",
        )
    record = load_model(ConsentRecord, consent)
    return Voice(folder, file, record, _before(record, folder))


def history_folder(folder: Path, record_sha256: str) -> Path:
    """Where a voice keeps one of its records, with its signatures, after the next has taken its place."""
    return folder / HISTORY_FOLDER / record_sha256


def _before(record: ConsentRecord, folder: Path) -> tuple[ConsentRecord, ...]:
    """The records that a record follows, newest first.

    Raises:
        Refused: One is missing, or is not the one whose digest the next one names.
    """
    chain: list[ConsentRecord] = []
    wanted = record.previous_sha256
    while wanted:
        path = history_folder(folder, wanted) / CONSENT_FILE
        if not path.is_file() or len(chain) >= MAX_RECORDS:
            raise _broken_chain(path, f"the record before it ({wanted[:12]}) is missing")
        earlier = load_model(ConsentRecord, path)
        if earlier.digest != wanted:
            raise _broken_chain(path, f"the record before it should be {wanted[:12]}, this is {earlier.digest[:12]}")
        if earlier.voice != record.voice:
            raise _broken_chain(path, f"the record before it is of another voice, {earlier.voice!r}")
        chain.append(earlier)
        wanted = earlier.previous_sha256
    return tuple(chain)


def _broken_chain(path: Path, why: str) -> Refused:
    return Refused(
        f"the history of this voice's consent is broken: {why}.",
        where=str(path),
        remedy="Put the voice's history/ folder back as it was; a record without its history does not count.",
    )
