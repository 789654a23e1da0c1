"""Voices that speak with a Coqui model, whatever is in it; nothing here needs torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clearspot.consent.grant import Grant
from clearspot.consent.registry import VOICE_FILE, VoiceFile
from clearspot.files import PinnedFile
from clearspot.hashing import sha256_bytes
from clearspot.project import Project
from clearspot.yamlfile import dump_yaml, load_yaml
from tests.unit.consent_scenes import Stage, talent_voice

TEXTS = {"es-ES": "Hola, buenos días.", "pt-BR": "Olá, bom dia.", "en-US": "Hello, good day."}


@dataclass(frozen=True)
class Made:
    """A voice as the engine sees it: its files by role, its settings, and what it speaks.

    ``locales`` are what it speaks with these settings, ``rate_hz`` is its own rate.
    """

    files: Mapping[str, bytes]
    rate_hz: int
    locales: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def but(self, files: Mapping[str, bytes | None] | None = None, **settings: Any) -> Made:
        """The same with other files (None takes one away) or other settings (None, too)."""
        kept = {**self.files, **(files or {})}
        chosen = {**self.settings, **settings}
        return dataclasses.replace(
            self,
            files={role: data for role, data in kept.items() if data is not None},
            settings={name: value for name, value in chosen.items() if value is not None},
        )

    def config(self, changes: Mapping[str, Any], role: str = "model/config.json") -> Made:
        """The same with other values in its config: fields by their names with dots."""
        value = json.loads(self.files[role])
        for name, each in changes.items():
            *parents, last = name.split(".")
            place = value
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = each
        return self.but({role: json.dumps(value).encode()})

    def write(self, folder: Path) -> dict[str, Path]:
        """The files below a folder, by role."""
        paths = {role: folder / role for role in self.files}
        for role, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.files[role])
        return paths


def voice_of(project: Project, made: Made, voice_id: str = "ana") -> Stage:
    """A talent's voice that speaks with a model; its record names every file, and is signed."""
    stage = talent_voice(project, voice_id)
    paths = made.write(stage.folder / "weights")
    stage.weights = {role: PinnedFile(path, sha256_bytes(made.files[role])) for role, path in paths.items()}
    kept = load_yaml(stage.folder / VOICE_FILE)
    kept |= {"engine": "coqui", "weights": {"model": "tiny"}, "settings": dict(made.settings)}
    (stage.folder / VOICE_FILE).write_text(dump_yaml(kept), encoding="utf-8")
    stage.resign(
        {
            "voice_sha256": VoiceFile.model_validate(kept).digest,
            "weights": {role: file.sha256 for role, file in stage.weights.items()},
            "scope/locales": sorted({*TEXTS, *made.locales, "fr-FR"}),
        }
    )
    return stage


def grant_of(project: Project, made: Made, locale: str = "", voice_id: str = "ana") -> Grant:
    """Leave to speak with a model in a locale, the first that it speaks where none is given."""
    stage = voice_of(project, made, voice_id)
    return stage.authorize(stage.use(locale=locale or made.locales[0]))
