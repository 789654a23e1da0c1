"""Runs whose pieces are made by other processes: a Dask cluster of this machine, as its own commands start it.

The engines are fakes at the same seam as elsewhere, installed in every process; scheduler, workers, Prefect's server,
store, locks, log, ffmpeg, signatures and gate are real. ``tests/engines/test_machines.py`` has the real engines.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearspot.errors import BadInput
from clearspot.project import project_at
from tests.conftest import CHECKOUT, edit
from tests.machine_scenes import (
    LOCALES,
    WAIT_S,
    Cluster,
    Site,
    a_free_port,
    a_site,
    composed,
    ended,
    essences,
    started,
    wait_for,
)
from tests.unit.test_store_s3 import KEY_ID, SECRET, Place, options_for, serving

A_TASK_BYTES = 4_000
"""What a task is told and gives back is text of about this size; a second of sound has 192,000 bytes."""


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prefect's own server, for all runs of this module."""
    from clearspot_flows.server import prefect_server

    home = tmp_path_factory.mktemp("prefect-of-machines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        with prefect_server(home, a_free_port()) as api:
            yield api


@pytest.fixture
def site(keyed_project: Path, tmp_path: Path) -> Site:
    return a_site(keyed_project, tmp_path)


@pytest.fixture
def cluster(site: Site, prefect: str, tmp_path: Path) -> Iterator[Cluster]:
    """Two workers of one process each; the project's runs go there, and Prefect is running already."""
    address = f"tcp://127.0.0.1:{a_free_port()}"
    log = tmp_path / "dask" / "log"
    log.parent.mkdir()
    scheduler = started(composed("scheduler", {"tcp://0.0.0.0:8786": address}), site.env, log)
    made = Cluster(address, site.env, log, scheduler, [])
    site.env["PREFECT_API_URL"] = prefect
    site.settings(f"machines: {{runner: dask, address: '{address}', workers: 2}}\n")
    try:
        made.join()
        made.join()
        yield made
    finally:
        for process in [*made.workers, scheduler]:
            with contextlib.suppress(ProcessLookupError):
                ended(process)


def test_workers_make_the_same_essence_and_load_models_once_and_never_get_sound(site: Site, cluster: Cluster) -> None:
    report = site.run()
    assert essences(report) == essences(site.run(site.spot, "--runner", "inline", "--out", site.root / "inline"))
    made = site.notes("made")
    assert sorted(note["locale"] for note in made) == list(LOCALES)
    workers = {process.pid for process in cluster.workers}
    assert {note["pid"] for note in made} <= workers
    loaded = [note["pid"] for note in site.notes("studio") if note["pid"] in workers]
    assert sorted(loaded) == sorted(set(loaded)), "a worker process opens its engines once"
    assert len(made) > len(loaded)
    (heard,) = site.notes("heard")
    assert len(heard["back"]) == 64, "a digest"
    for note in (*made, heard):
        assert all(len(json.dumps(each)) < A_TASK_BYTES for each in note["given"])
        assert len(json.dumps(note["back"])) < 3 * A_TASK_BYTES, "verdicts with their findings"
    assert site.leftovers() == []


def test_a_worker_that_is_killed_in_the_middle_costs_time_and_nothing_else(site: Site, cluster: Cluster) -> None:
    undisturbed = essences(site.run(site.spot, "--runner", "inline", "--out", site.root / "inline"))
    shutil.rmtree(site.root / ".clearspot" / "store")
    run = site.start()
    wait_for(run, lambda: [one for one in site.notes("begun") if not _is_made(site, one)], "nothing began")
    wait_for(run, lambda: spoken_in(site.root / ".clearspot" / "store"), "nothing was spoken")
    victim = next(one for one in site.notes("begun") if not _is_made(site, one))
    os.kill(victim["pid"], signal.SIGKILL)
    said, told = run.communicate(timeout=WAIT_S)
    assert essences(json.loads(said)) == undisturbed, told
    again = [note["pid"] for note in site.notes("begun") if note["locale"] == victim["locale"]]
    assert len(again) == 2, "it was made again, once"
    assert again[0] != again[1], "by another worker"
    assert site.leftovers() == []
    assert site.run()["deliverables"][0]["verdict"] == "kept", "what lies there is whole and ours"


def test_a_worker_that_sees_another_spot_makes_nothing(site: Site, cluster: Cluster) -> None:
    """The script is another when the worker reads it than when the run was planned: no other file is made of it."""
    for process in cluster.workers:
        ended(process)
    cluster.join(ELSEWHERE_EDITS="1")
    report = site.run()
    assert report["exit_code"] == 3
    errors = {one["error"]["what"] for one in report["deliverables"]}
    assert errors == {"script is not what the run was planned from: another checkout, or it changed meanwhile."}
    assert {one["verdict"] for one in report["deliverables"]} == {"machine-fault"}
    assert [*site.out.rglob("*.mp3")] == []
    assert site.leftovers() == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_workers_pieces_and_leaves_nothing(site: Site, cluster: Cluster, stop: signal.Signals) -> None:
    run = site.start()
    wait_for(run, lambda: site.notes("begun"), "nothing began")
    run.send_signal(stop)
    said, told = run.communicate(timeout=WAIT_S)
    assert (run.returncode, json.loads(said)["error"]["what"]) == (3, "stopped before it was finished.")
    assert "Traceback" not in told
    assert site.leftovers() == []
    assert all(process.poll() is None for process in cluster.workers), "the cluster is not ours to end"
    assert set(essences(site.run())) == {(locale, "podcast") for locale in LOCALES}


def test_a_scheduler_that_is_killed_in_the_middle_is_told_and_the_next_run_goes_on(
    site: Site, cluster: Cluster
) -> None:
    run = site.start()
    wait_for(run, lambda: site.notes("begun"), "nothing began")
    cluster.scheduler.kill()
    said, told = run.communicate(timeout=WAIT_S)
    assert "Traceback" not in told
    report = json.loads(said)
    assert (run.returncode, report["exit_code"]) == (3, 3), told
    lost = [one["error"]["what"] for one in report["deliverables"] if one["error"]]
    assert lost
    assert all("no worker finished it" in what for what in lost)
    for process in cluster.workers:
        ended(process)
    assert site.leftovers() == []
    site.settings("provider: Lumen Coffee demo\n")
    assert set(essences(site.run(site.spot, "--runner", "inline", "--out", site.out))) == {
        (locale, "podcast") for locale in LOCALES
    }


def test_a_refusal_stays_a_refusal_and_stops_no_other_locale(site: Site, cluster: Cluster) -> None:
    edit(site.spot / "translations" / "it-IT.yaml", "piccoli", "grandi")
    report = site.run()
    verdicts = {one["locale"]: one["verdict"] for one in report["deliverables"]}
    assert verdicts == {"es-ES": "cleared", "it-IT": "refused", "pt-BR": "cleared"}
    assert report["exit_code"] == 1
    assert len(site.notes("begun")) == 3, "what is refused is not asked again"
    assert (site.out / "lumen-coffee" / "it-IT" / "lumen-coffee_it-IT_podcast.refusal.json").exists()


def test_a_recording_that_says_something_else_is_every_locales_refusal(
    site: Site, cluster: Cluster, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(site.spot, tmp_path / "other"))
    edit(other / "script.yaml", "30%", "40%")  # what the workers hear
    for process in cluster.workers:
        ended(process)
    cluster.join(ELSEWHERE_SPOT=str(other))
    report = site.run()
    assert {one["verdict"] for one in report["deliverables"]} == {"refused"}
    assert "line 'offer': numbers differ" in report["deliverables"][0]["error"]["what"]
    assert (report["exit_code"], site.notes("begun")) == (1, [])
    assert len([*site.out.rglob("*.refusal.json")]) == len(LOCALES)


def test_many_spots_are_under_way_at_once(site: Site, cluster: Cluster) -> None:
    for number in range(3):
        folder = site.root / "spots" / f"spot-{number}"
        shutil.copytree(site.spot, folder)
        edit(folder / "spot.yaml", "id: lumen-coffee", f"id: spot-{number}")
    report = site.run(site.root / "spots")
    assert {Path(one["spot"]).name: one["state"] for one in report["spots"]} == dict.fromkeys(
        ["lumen-coffee", "spot-0", "spot-1", "spot-2"], "made"
    )
    order = [note["spot"] for note in site.notes("begun")]
    assert order != sorted(order), "spots took turns"
    assert len(order) == 4 * len(LOCALES)


def test_workers_share_a_store_in_a_bucket_and_its_key_is_told_to_nobody(
    site: Site, cluster: Cluster, prefect: str
) -> None:
    server, url = serving()
    try:
        place = Place("spots-of-many", url)
        settings = (site.root / "configs" / "clearspot.yaml").read_text(encoding="utf-8")
        options = json.dumps(options_for(url))
        site.settings(f"{settings}store: s3://{place.name}/clearspot\nstore_options: {options}\n")
        undisturbed = essences(site.run())
        assert {name.split("/")[1] for name in place.names()} == {"blobs", "records"}
        assert not (site.root / ".clearspot" / "store").exists()
        said = len(place.names())
        assert essences(site.run(site.spot, "--out", site.root / "again")) == undisturbed
        assert len(place.names()) == said, "what one worker put there served all"
    finally:
        server.stop()
    told = everything_of(prefect) + cluster.log.read_text() + Path(site.env["ELSEWHERE_NOTES"]).read_text()
    assert "lumen-coffee" in told
    assert SECRET not in told
    assert KEY_ID not in told


def everything_of(api: str) -> str:
    """What Prefect's server knows: runs with their parameters, artifacts, logs, events."""
    kinds = ("flow_runs", "task_runs", "artifacts", "logs", "events")
    asked = (httpx.post(f"{api}/{kind}/filter", json={}, timeout=30) for kind in kinds)
    return "".join(answer.raise_for_status().text for answer in asked)


def test_a_work_pool_runs_a_sweep_by_the_commands_that_are_documented(
    site: Site, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "fakes").mkdir()
    install = (
        "import os\nif 'prefect.engine' in ' '.join(__import__('sys').orig_argv):\n    import tests.elsewhere_worker\n"
    )
    (tmp_path / "fakes" / "sitecustomize.py").write_text(install)
    env = site.env | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "fakes"), site.env["PYTHONPATH"]]),
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    commands = documented(CHECKOUT / "deploy" / "prefect.yaml")
    assert [command.split()[:2] for command in commands] == [
        ["prefect", "work-pool"], ["prefect", "deploy"], ["prefect", "deployment"], ["prefect", "worker"],
    ]  # fmt: skip
    commands[-1] += " --run-once"
    for command in commands:
        done = subprocess.run(
            command.split(),
            env=env,
            cwd=CHECKOUT / "deploy",
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    made = sorted(path.name for path in site.out.rglob("*.mp3"))
    assert made == [f"lumen-coffee_{locale}_podcast.mp3" for locale in LOCALES], done.stdout + done.stderr
    assert {note["pid"] for note in site.notes("made")} <= {process.pid for process in cluster.workers}


def documented(path: Path) -> list[str]:
    """The commands in a file's first comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#   ") for line in lines if line.startswith("#   ")]


def test_no_workers_is_told(site: Site) -> None:
    site.env["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    site.settings(f"machines: {{runner: dask, address: 'tcp://127.0.0.1:{a_free_port()}'}}\n")
    report = site.run()
    assert report["exit_code"] == 3
    assert "there is no cluster with workers" in report["error"]["what"]


def test_workers_elsewhere_need_a_server_that_they_reach(site: Site) -> None:
    site.settings("machines: {runner: dask, address: 'tcp://10.1.2.3:8786'}\n")
    report = site.run()
    assert (report["exit_code"], report.get("error", report)["where"]) == (2, "PREFECT_API_URL")


def test_an_address_is_a_clusters(site: Site) -> None:
    site.settings("machines: {address: 'tcp://127.0.0.1:8786'}\n")
    with pytest.raises(BadInput, match="machines: runner: should be dask or ray"):
        project_at(site.root)


def _is_made(site: Site, begun: dict[str, Any]) -> bool:
    return any(note["locale"] == begun["locale"] for note in site.notes("made"))


def spoken_in(store: Path) -> int:
    """How many clips a store holds."""
    records = (path for path in store.glob("records/*/*") if not path.name.startswith("."))
    return sum(b'"stage":"speak"' in path.read_bytes() for path in records)
