"""A small spot that was made before, what can be changed in it, and what runs make again of it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearspot.actions import Action
from clearspot.approvals import approve_script, approve_translation
from clearspot.cache import Cache
from clearspot.hashing import sha256_file
from clearspot.spot import DISCLOSURE_ID, load_spot
from tests.conftest import NOW, Scene, run_ffmpeg

Call = Callable[..., tuple[int, str, str]]

LINES = ("hello", "offer", "legal")
"""The lines of the small spot, out of the demo's six."""

ORDER = """
id: lumen-coffee
voice: house
recording: recording.flac
bed: bed.flac
locales:
  es-ES: {markets: [ES]}
  it-IT: {markets: [IT]}
profiles: [podcast, app]
timing: flow
medium: radio
purpose: advertising
"""
LOCALES, PROFILES = ("es-ES", "it-IT"), ("podcast", "app")


def make_small(scene: Scene, order: str = ORDER) -> None:
    """Three lines, two locales, two profiles, twelve seconds: as little as has everything."""
    (scene.spot / "spot.yaml").write_text(order.lstrip(), encoding="utf-8")
    for path in (scene.spot / "script.yaml", *(scene.spot / "translations").iterdir()):
        told = path.read_text(encoding="utf-8").splitlines(keepends=True)
        gone = tuple(f"  {line}:" for line in ("roast", "nothing", "tagline"))
        path.write_text("".join(line for line in told if not line.startswith(gone)), encoding="utf-8")
    sine(scene.spot / "recording.flac", 220, 12)
    sine(scene.spot / "bed.flac", 330, 4)
    (scene.spot / "bed.opus").unlink()
    approve(scene)
    scene.hear()


def sine(path: Path, hz: int, length_s: int, *more: str) -> None:
    """A file of one tone."""
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=48000:duration={length_s}", *more, path)


def approve(scene: Scene, spot: Path | None = None) -> None:
    """Sign off everything as it is now."""
    loaded = load_spot(spot or scene.spot)
    approve_script(loaded, "Ana", NOW)
    for locale in loaded.translations:
        approve_translation(loaded, locale, "Ana", NOW)
