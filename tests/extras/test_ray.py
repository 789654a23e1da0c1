"""Runs whose pieces are made by Ray's worker processes: `make test-extras` installs it. Only the engines are fakes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.machine_scenes import LOCALES, WAIT_S, Site, a_site, essences, wait_for

FAKES = """import sys
if 'default_worker.py' in ' '.join(sys.orig_argv):
    import tests.elsewhere_worker
"""
"""Ray starts its workers by a script of its own: they get their fakes from Python's own hook."""


@pytest.fixture
def site(keyed_project: Path, tmp_path: Path) -> Site:
    made = a_site(keyed_project, tmp_path)
    (tmp_path / "fakes").mkdir()
    (tmp_path / "fakes" / "sitecustomize.py").write_text(FAKES)
    made.env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "fakes"), made.env["PYTHONPATH"]])
    made.settings("machines: {runner: ray, workers: 2}\n")
    return made


def test_ray_makes_the_same_essence_and_loads_models_once(site: Site) -> None:
    report = site.run()
    assert essences(report) == essences(site.run(site.spot, "--runner", "inline", "--out", site.root / "inline"))
    made = site.notes("made")
    assert sorted(note["locale"] for note in made) == list(LOCALES)
    workers = {note["pid"] for note in (*made, *site.notes("heard"))}
    loaded = [note["pid"] for note in site.notes("studio") if note["pid"] in workers]
    assert sorted(loaded) == sorted(workers)
    assert site.leftovers() == []


def test_a_worker_of_rays_that_is_killed_costs_time_and_nothing_else(site: Site) -> None:
    undisturbed = essences(site.run(site.spot, "--runner", "inline", "--out", site.root / "inline"))
    shutil.rmtree(site.root / ".clearspot" / "store")
    run = site.start()
    wait_for(run, lambda: site.notes("begun"), "nothing began")
    victim = site.notes("begun")[0]
    os.kill(victim["pid"], signal.SIGKILL)
    said, told = run.communicate(timeout=WAIT_S)
    assert essences(json.loads(said)) == undisturbed, told
    assert len([note for note in site.notes("begun") if note["locale"] == victim["locale"]]) == 2
    assert site.leftovers() == []


JOIN = """import sys, ray
ray.init(sys.argv[1], logging_level='CRITICAL')
print(ray.get(ray.remote(num_cpus=0)(lambda: 'ran').remote()))
"""
STRANGER_S = 45.0
"""Who has the token is in within a few seconds; who has none is told so, or knocks for minutes."""


def test_only_who_has_the_runs_token_runs_code_on_the_workers(site: Site) -> None:
    run = site.start()
    wait_for(run, lambda: site.notes("begun"), "nothing began")
    held = site.notes("begun")[0]["pid"]
    (head,) = [one for one in psutil.Process(run.pid).children(recursive=True) if one.name() == "gcs_server"]
    (port,) = {one.laddr.port for one in head.net_connections("inet") if one.status == psutil.CONN_LISTEN}
    (host,) = [word.partition("=")[2] for word in head.cmdline() if word.startswith("--node-ip-address=")]
    own = head.environ()["RAY_AUTH_TOKEN"]

    def ran(**given: str) -> bool:
        command = [sys.executable, "-c", JOIN, f"{host}:{port}"]
        try:
            done = subprocess.run(command, env=os.environ | given, capture_output=True, timeout=STRANGER_S, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.stdout == b"ran\n"

    os.kill(held, signal.SIGSTOP)  # the run lasts until everybody has knocked
    try:
        assert not ran(RAY_AUTH_MODE="disabled")
        assert not ran(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="f" * len(own))
        assert ran(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=own), "nobody at all gets in, so nothing was shown"
    finally:
        os.kill(held, signal.SIGCONT)
    said, told = run.communicate(timeout=WAIT_S)
    assert json.loads(said)["exit_code"] == 0, told
