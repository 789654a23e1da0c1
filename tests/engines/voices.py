"""Voices for engine tests: copies of real ones in a project of the test's, signed by a key that it trusts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.registry import CONSENT_FILE, SIGNATURE_FILE, VOICE_FILE, VoiceFile
from clearspot.project import Project
from clearspot.yamlfile import dump_yaml
from tests.conftest import sign_folder, trust_key


def signed_copy(project: Project, source: Path, voice_id: str, **changes: Any) -> Path:
    """A voice's copy under another id and with other fields in voice.yaml, allowed in every locale."""
    folder = project.own_voice(voice_id)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("history", SIGNATURE_FILE))
    for path in folder.iterdir():
        path.chmod(0o644)
    file = yaml.safe_load((folder / VOICE_FILE).read_text(encoding="utf-8")) | {"id": voice_id} | changes
    record = yaml.safe_load((folder / CONSENT_FILE).read_text(encoding="utf-8"))
    record |= {"id": f"{voice_id}-test", "voice": voice_id, "licensee": {"name": "Clearspot project"}}
    record |= {"voice_sha256": VoiceFile.model_validate(file).digest, "previous_sha256": ""}
    record["scope"]["locales"] = "any"
    record["evidence"]["dated"] = str(record["evidence"]["dated"])
    record["term"] |= {name: str(record["term"][name]) for name in ("start", "end")}
    (folder / VOICE_FILE).write_text(dump_yaml(file), encoding="utf-8")
    (folder / CONSENT_FILE).write_text(dump_yaml(record), encoding="utf-8")
    key = Ed25519PrivateKey.generate()
    trust_key(project, key, voices=(voice_id,))
    sign_folder(folder, key)
    return folder
