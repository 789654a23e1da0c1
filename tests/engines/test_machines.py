"""Worker processes with the real engines: the same essence as without them, and each model loaded once a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, DEMO
from tests.engines.conftest import DemoRun

pytestmark = pytest.mark.real


def test_worker_processes_make_the_same_essence_with_each_model_loaded_once(
    keyed_project: Path, demo_run: DemoRun, tmp_path: Path
) -> None:
    """A cluster of the run's own: no address, no server that was there before."""
    root = tmp_path / "project"
    shutil.copytree(keyed_project, root)
    (root / "configs").mkdir(exist_ok=True)
    (root / "configs" / "clearspot.yaml").write_text("machines: {runner: dask, workers: 2}\n")
    given = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "clearspot", "run", DEMO, "--profile", "podcast", "--out", tmp_path / "out", "--json"],
        env=given
        | {
            "CLEARSPOT_PROJECT": str(root),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": "tests.loads",
            "LOADS": str(tmp_path / "loads"),
            "PYTHONPATH": str(CHECKOUT),
        },
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    made = {one["locale"]: one["essence_sha256"] for one in json.loads(done.stdout)["deliverables"]}
    alone = {
        one["locale"]: one["essence_sha256"] for one in demo_run.report["deliverables"] if one["profile"] == "podcast"
    }
    assert made == alone
    loads = Counter((tmp_path / "loads").read_text().splitlines())
    assert {line.split()[1] for line in loads} == {"whisper", "kokoro"}
    assert set(loads.values()) == {1}, "three locales and a recording, and each model once a process"
    assert len({line.split()[0] for line in loads}) == 2
    assert [*(tmp_path / "out").glob(".clearspot-*")] == []
    left = subprocess.run(["pgrep", "-f", str(root)], capture_output=True, check=False)
    assert left.stdout == b"", "server and workers ended with it"
