"""A log that was just begun, and one with eight entries: what the tests of the audit log share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.audit import AuditLog
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.engines.weights import load_weights
from clearspot.project import Project
from clearspot.signing import key_id
from tests.conftest import a_use

Call = Callable[..., tuple[int, str, str]]
Lines = list[bytes]
COUNT = 8


def a_log(folder: Path, key: Ed25519PrivateKey, **others: Any) -> AuditLog:
    return AuditLog(folder, key, {key_id(key.public_key()): key.public_key()}, **others)


def entries(log: AuditLog) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.event, entry.data) for _, entry in log.read()]


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def log(tmp_path: Path, key: Ed25519PrivateKey) -> AuditLog:
    begun = a_log(tmp_path / "audit", key)
    begun.begin()
    return begun


@pytest.fixture
def authority(project: Project) -> Authority:
    """What decides about consent in this test's project, with a log that was only just begun."""
    made = writing_authority(project)
    shutil.rmtree(made.log.folder)
    made.log.begin()
    return made


@pytest.fixture
def eight(authority: Authority) -> AuditLog:
    """The project's log, with eight entries: the first is what every log begins with."""
    for number in range(2, COUNT + 1):
        authority.log.append("approval", {"of": "script", "spot": f"spot-{number}", "by": "Ana"})
    return authority.log


def ask(authority: Authority, project: Project) -> Grant:
    """Leave to speak with the shipped voice."""
    voice = load_voice("house", project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (a_use(),), authority, weights=weights, step="speak")
