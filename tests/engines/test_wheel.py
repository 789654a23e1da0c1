"""The built wheel, away from the checkout: what it ships is all it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, DEMO
from tests.engines.conftest import DemoRun

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own; its dependencies are those of this environment."""
    source = tmp_path_factory.mktemp("source") / "clearspot"
    leave = shutil.ignore_patterns(".*", "out", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(CHECKOUT, source, ignore=leave)
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def test_a_spot_outside_the_checkout_makes_the_same_essence(installed: Path, tmp_path: Path, demo_run: DemoRun) -> None:
    """By the wheel, with Prefect, in another folder: the bytes of the demo run, which was inline in the checkout."""
    shutil.copytree(DEMO, tmp_path / "my spot")
    environment = os.environ | {"PYTHONPATH": str(installed)}
    environment.pop("CLEARSPOT_PROJECT", None)

    def clearspot(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "clearspot", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import clearspot; print(clearspot.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    clearspot("keys", "init")
    assert "active, signed with key" in clearspot("voices", "list")
    report = json.loads(clearspot("run", "my spot", "--locale", "pt-BR", "--json"))
    essences = {one["profile"]: one["essence_sha256"] for one in report["deliverables"]}
    assert essences == {
        one["profile"]: one["essence_sha256"] for one in demo_run.report["deliverables"] if one["locale"] == "pt-BR"
    }
    path = report["deliverables"][0]["path"]
    assert Path(tmp_path, path).is_file()
    assert "verified" in clearspot("verify", path)
