"""One real run of the demo spot for all tests that read what it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearspot.engines.kokoro import KokoroEngine
from clearspot.engines.whisper import WhisperEngine
from clearspot.job import open_studio
from clearspot.project import Project, Settings
from tests.conftest import CHECKOUT, DEMO


@dataclass(frozen=True)
class DemoRun:
    """What `clearspot run` on the demo spot gave: its JSON, where its files are, and the project that signed them."""

    report: dict[str, Any]
    out: Path
    root: Path

    def file(self, locale: str, profile: str) -> Path:
        path = next(
            one["path"] for one in self.report["deliverables"] if (one["locale"], one["profile"]) == (locale, profile)
        )
        return Path(path)

    def receipt(self, locale: str, profile: str) -> dict[str, Any]:
        path = self.file(locale, profile)
        return json.loads(path.with_name(path.stem + ".receipt.json").read_text())["receipt"]


def run_clearspot(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, in a project."""
    return subprocess.run(
        [sys.executable, "-m", "clearspot", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"CLEARSPOT_PROJECT": str(root)},
        cwd=CHECKOUT,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, shared_project: Path) -> DemoRun:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = run_clearspot(shared_project, "run", DEMO, "--runner", "inline", "--out", out, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return DemoRun(json.loads(done.stdout), out, shared_project)


@pytest.fixture(scope="session")
def engines(shared_project: Path) -> Iterator[tuple[WhisperEngine, KokoroEngine]]:
    """The real recogniser and the real speech engine, loaded once for the session."""
    studio = open_studio(Project(shared_project, Settings()))
    yield studio.recogniser(), studio.speech("kokoro")  # type: ignore[misc]
    studio.stop()
