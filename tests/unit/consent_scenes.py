"""A voice in the test's project and everyone who signs for it: what the tests of consent share."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from clearspot.audit import AuditLog, Entry
from clearspot.consent.authority import Authority, accept_circle, writing_authority
from clearspot.consent.grant import Grant, Step, authorize
from clearspot.consent.ledger import Ledger
from clearspot.consent.record import Role
from clearspot.consent.registry import (
    CONSENT_FILE,
    SIGNATURE_FILE,
    VOICE_FILE,
    Voice,
    VoiceFile,
    history_folder,
    load_voice,
)
from clearspot.consent.scope import Use
from clearspot.consent.signature import RecordSignature, Signatures, sign_record
from clearspot.consent.signing_desk import sign_voice
from clearspot.consent.spot_approval import SpotApproval
from clearspot.consent.trust import ConsentKey, add_key
from clearspot.errors import ClearspotError, Refused
from clearspot.files import PinnedFile
from clearspot.hashing import sha256_bytes
from clearspot.project import Project, shipped
from clearspot.provenance.keys import CONSENT_KEY, RECEIPT_KEY, load_private_key
from clearspot.signing import key_id, public_text
from clearspot.yamlfile import dump_yaml, load_yaml
from tests.conftest import a_use, trust_key

ANA, GUARDIAN, COMPANY, AGENT = "Ana García López", "Marta López Ruiz", "Lumen Coffee SL", "Studio Norte"
SIGNED = dt.datetime(2026, 11, 1, 12, 0, tzinfo=dt.UTC)
"""When these records are signed: before any clock of a test."""

FILES = {"statement.wav": b"RIFF statement", "reference.wav": b"RIFF reference", "m.onnx": b"model", "s.npz": b"styles"}
SHA_A, SHA_B = "a" * 64, "b" * 64
STATEMENT = f"My name is {ANA}. I know and agree that {COMPANY} uses recordings of my voice. My code words are tulip."


def sha_of(name: str) -> str:
    return sha256_bytes(FILES[name])


def talent_record(voice_sha256: str = SHA_A) -> dict[str, Any]:
    """A talent's record as its file holds it, every field of it, narrow to the demo spot."""
    names = ("error_rate", "talent", "talent_word", "company", "code", "similarity")
    scores = dict(zip(names, (0.02, 1.0, 0.95, 0.97, 1.0, 0.91), strict=True))
    limits = dict(zip(names, (0.2, 0.7, 0.5, 0.7, 0.8, 0.75), strict=True))
    statement = {
        "locale": "es-ES", "version": "2026-11", "text": STATEMENT, "code": "tulip", "transcript": STATEMENT.lower(),
        "file": "statement.wav", "sha256": sha_of("statement.wav"), "recorded_at": "2026-10-30T10:00:00+01:00",
        "scores": scores, "limits": limits, "models": {"recogniser": {"engine": "whisper 1", "model.bin": SHA_B}},
    }  # fmt: skip
    talent = {"legal_name": ANA, "identity_checked": "passport", "adult": True, "guardian": None, "union": "AISGE"}
    scope = {
        "locales": ["es-ES"], "markets": ["ES"], "advertisers": ["Lumen Coffee"],
        "products": ["Lumen Coffee subscription"], "excluded_categories": [], "media": ["radio"],
        "purposes": ["advertising"], "max_spots": "any", "approval": "not-needed",
    }  # fmt: skip
    return {
        "schema_version": 1,
        "id": "ana-2026-11",
        "voice": "ana",
        "status": "active",
        "evidence": {
            "basis": "talent",
            "talent": talent,
            "statement": statement,
            "reference": {"file": "reference.wav", "sha256": sha_of("reference.wav")},
        },
        "licensee": {"name": COMPANY, "agents": [AGENT]},
        "scope": scope,
        "derivatives": {"translation": True, "training": False, "sublicence": False},
        "term": {"start": "2026-01-01", "end": "2036-12-31", "time_zone": "Europe/Madrid"},
        "exclusivity": "coffee, in Spain",
        "pay_agreement": "PO-4711",
        "withdrawal": {"contact": "ana@example.org", "delete_within_days": 30},
        "voice_sha256": voice_sha256,
        "weights": {"model": sha_of("m.onnx"), "styles": sha_of("s.npz")},
        "previous_sha256": "",
    }


def leaves(value: Any, name: str = "") -> Iterator[str]:
    """The dotted names of everything in a record that holds nothing else."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{name}/{key}" if name else key)
    else:
        yield name


def changed(record: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A record with other values: fields by their names with slashes; a value of ``...`` takes the field out."""
    made = copy.deepcopy(dict(record))
    for field, value in changes.items():
        *parents, last = field.split("/")
        place = made
        for parent in parents:
            place = place[parent]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return made


def load(folder: Path) -> Voice:
    return load_voice(folder.name, {folder.name: folder})


@dataclass
class Stage:
    """A voice's folder in a project, the keys of those who sign for it, and the weights that it would load."""

    project: Project
    folder: Path
    keys: dict[Role, Ed25519PrivateKey]
    weights: dict[str, PinnedFile]
    operator: str = COMPANY

    @property
    def consent(self) -> Path:
        return self.folder / CONSENT_FILE

    @property
    def signature(self) -> Path:
        return self.folder / SIGNATURE_FILE

    @property
    def authority(self) -> Authority:
        """What decides here, as a process just begun has it."""
        return writing_authority(self.project)

    def at(self, time: dt.datetime) -> Authority:
        """What decides, where it is that time, with a log that was begun then."""
        key = load_private_key(self.project.keys_dir / RECEIPT_KEY)
        folder = self.project.root / f"audit {time:%Y-%m-%d %H%M%S}"
        log = AuditLog(folder, key, self.authority.project_keys, clock=lambda: time)
        log.begin()
        return dataclasses.replace(self.authority, ledger=Ledger(log))

    def load(self) -> Voice:
        return load(self.folder)

    def record(self) -> dict[str, Any]:
        value: dict[str, Any] = load_yaml(self.consent)
        return value

    def change(self, changes: Mapping[str, Any]) -> None:
        """Edit the record as whoever may write to the folder can, and sign nothing."""
        self.consent.write_text(dump_yaml(changed(self.record(), changes)), encoding="utf-8")

    def resign(self, changes: Mapping[str, Any] | None = None) -> None:
        """Edit the record, and let everyone sign it whose consent it needs."""
        self.change(changes or {})
        self.sign(*self.load().record.signers)

    def sign(self, *roles: Role, when: dt.datetime = SIGNED, **keys: Ed25519PrivateKey) -> None:
        """Let these roles sign the record as it is, and nobody else; some with other keys than theirs."""
        record = self.load().record
        self.write_signatures(*(sign_record(record, role, keys.get(role, self.keys[role]), when) for role in roles))

    def write_signatures(self, *signatures: RecordSignature, record_sha256: str = "") -> None:
        digest = record_sha256 or self.load().record.digest
        body = Signatures.model_construct(schema_version=1, record_sha256=digest, signatures=signatures)
        self.signature.write_text(dump_yaml(body.model_dump(mode="json")), encoding="utf-8")

    def keep(self) -> Path:
        """Put record and signatures into the voice's history, as signing at the desk does."""
        kept = history_folder(self.folder, self.load().record.digest)
        kept.mkdir(parents=True, exist_ok=True)
        for name in (CONSENT_FILE, SIGNATURE_FILE):
            shutil.copy(self.folder / name, kept / name)
        return kept

    def follow(self, changes: Mapping[str, Any]) -> None:
        """A record in place of the one that is there, and everyone signs it at the desk, one after the other."""
        self.change({"previous_sha256": self.keep().name, **changes})
        for role in self.load().record.signers:
            sign_voice(self.load(), role, self.keys[role], self.authority)

    def trust(self, role: Role, holder: str, key: Ed25519PrivateKey | None = None, **more: Any) -> Ed25519PrivateKey:
        """Let a key count here, for this voice where nothing else is said; a new one where none is given."""
        key = key or Ed25519PrivateKey.generate()
        trust_key(self.project, key, holder=holder, role=role, **{"voices": (self.folder.name,), **more})
        return key

    def use(self, **changes: Any) -> Use:
        return a_use(**{"operator": self.operator, **changes})

    def authorize(
        self,
        *uses: Use,
        authority: Authority | None = None,
        step: Step = "speak",
        approval: SpotApproval | None = None,
    ) -> Grant:
        return authorize(
            self.load(),
            uses or (self.use(),),
            authority or self.authority,
            weights=self.weights,
            step=step,
            approval=approval,
        )

    def refusal(self, *uses: Use, kind: type[ClearspotError] = Refused, **more: Any) -> ClearspotError:
        """How it is told that consent says no."""
        with pytest.raises(kind) as refused:
            self.authorize(*uses, **more)
        assert type(refused.value) is kind
        assert "\n" not in str(refused.value), "one paragraph"
        return refused.value

    def entries(self) -> list[Entry]:
        """Everything in the audit log."""
        return [entry for _, entry in self.authority.log.read()]


def talent_voice(project: Project, voice_id: str = "ana") -> Stage:
    """A talent's own voice: a record, the recordings that it rests on, weights of a few bytes, all in order."""
    folder = project.root / "voices" / voice_id
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    model, styles = (PinnedFile(folder / name, sha_of(name)) for name in ("m.onnx", "s.npz"))
    file = {"id": voice_id, "name": voice_id.title(), "engine": "kokoro", "weights": {"model": "m", "styles": "s"}}
    file |= {"settings": {"mix": {"a": 1.0}}}
    (folder / VOICE_FILE).write_text(dump_yaml(file), encoding="utf-8")
    keys: dict[Role, Ed25519PrivateKey] = {
        role: Ed25519PrivateKey.generate() for role in ("talent", "guardian", "licensee")
    }
    stage = Stage(project, folder, keys, {"model": model, "styles": styles})
    holders: dict[Role, str] = {"talent": ANA, "guardian": GUARDIAN, "licensee": COMPANY}
    for role, holder in holders.items():
        public = public_text(keys[role].public_key())
        key = ConsentKey(public=public, holder=holder, role=role, voices=(voice_id,))
        add_key(project.own_trust_dir, key)
    accept_circle(project)
    record = talent_record(VoiceFile.model_validate(file).digest) | {"id": f"{voice_id}-2026-11", "voice": voice_id}
    stage.consent.write_text(dump_yaml(record), encoding="utf-8")
    stage.sign("talent", "licensee")
    return stage


def house_voice(project: Project) -> Stage:
    """The project's own copy of the shipped voice, as it was signed; the project's consent key may sign it anew."""
    folder = project.root / "voices" / "house"
    shutil.copytree(shipped("voices") / "house", folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    digests = load(folder).record.weights
    weights = {role: PinnedFile(project.root / "models" / role, digests[role]) for role in digests}
    key = load_private_key(project.keys_dir / CONSENT_KEY)
    return Stage(project, folder, {"licensee": key}, weights, operator="Test")


def private_pem(path: Path, key: Ed25519PrivateKey) -> Path:
    """A private key as people keep it: in a file that nobody else may read."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path


def public_pem(path: Path, key: Ed25519PrivateKey) -> Path:
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def id_of(key: Ed25519PrivateKey) -> str:
    return key_id(key.public_key())


Change = Callable[[Stage], object]
"""Something that is done to a voice before it is asked whether it may speak."""


def let_it_be(_: Stage) -> None:
    """Nothing is done."""
