"""What one more worker process is worth, and what a spot-locale costs: real engines, an empty store for each round.

    python -m scripts.bench_scale [--spots 4] [--locales 3] [--workers 1 2] [--rounds N] [--out scale.json]

Each candidate is one `clearspot run` of all spots by so many Dask worker processes of one thread and one core each, as
the containers in deploy/ have them. Prefect's server, the scheduler and the workers are running before it begins, and
have made one spot, as they have where many machines work: models are loaded, and the disclosure of each locale is
spoken. Profile: podcast. Bar: two workers give at least 1.8 times one.

What is measured goes to a JSON file that ``scripts.simulate_scale`` reads: seconds and CPU seconds of each task, what a
spot costs its coordinator, bytes and requests of the store, and how many empty tasks a second Dask alone, and Prefect
over Dask with its server, get through.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import psutil
import yaml

from clearspot.approvals import approve_translation
from clearspot.media.audio import Samples, decode
from clearspot.project import Project
from clearspot.spot import load_spot
from scripts.bench_project import SPOT, bench_project
from scripts.programmes import write_audio

BAR = 1.8
LOCALES = ("es-ES", "it-IT", "pt-BR")
ENDS = ".!;,:"
EMPTY_DASK, EMPTY_PREFECT = 1_000, 60
REPOSITORY = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def site(home: Path, workers: int) -> Iterator[dict[str, str]]:
    """Prefect's server, a scheduler and workers; gives what runs need in their environment."""
    from clearspot_flows.quiet import settle
    from clearspot_flows.server import prefect_server

    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    settle(home)
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = Path(sys.executable).with_name("dask")
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])
    with prefect_server(home, free_port()) as api, (home / "dask.log").open("wb") as log:
        given = {
            "PREFECT_API_URL": api,
            "DASK_ADDRESS": address,
            "PYTHONPATH": path,
            "BENCH_NOTES": str(home / "notes"),
        }
        options = ["--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0"]
        commands = [[dask, "scheduler", "--host", address, "--no-dashboard"]]
        commands += workers * [
            [dask, "worker", address, *options, "--local-directory", home, "--preload", "scripts.bench_scale_worker"]
        ]
        processes = [
            subprocess.Popen([str(word) for word in command], env=os.environ | given, stdout=log, stderr=log)
            for command in commands
        ]
        for core, worker in enumerate(processes[1:]):
            psutil.Process(worker.pid).cpu_affinity([core % (os.cpu_count() or 1)])  # whatever it starts inherits it
        try:
            wait_for_workers(address, workers)
            yield given
        finally:
            for process in processes[::-1]:  # the scheduler last: workers say goodbye to it
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_for_workers(address: str, workers: int) -> None:
    import distributed

    with distributed.Client(address, timeout=120, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=300)


def make_spots(project: Project, spots: int, locales: int) -> None:
    """So many spots of the demo's words, of so many of its locales, one profile each; and one that is made first.

    Each has work of its own, as two ads have: another recording's bytes, and lines that end otherwise, so that no stage
    finds in the store what another spot left there. Only the disclosure is the same, as it is in any project.
    """
    demo = decode(SPOT / "recording.flac", channels=1)
    shutil.rmtree(project.root / "spots")
    make_spot(project.root / "first" / "spot", demo, 0, LOCALES[:locales])
    for number in range(1, spots + 1):
        make_spot(project.root / "spots" / f"spot-{number}", demo, number, LOCALES[:locales])


def make_spot(folder: Path, demo: Samples, number: int, locales: tuple[str, ...]) -> None:
    shutil.copytree(SPOT, folder)
    write_audio(folder / "recording.flac", np.pad(demo, (0, 480 * (1 + number))))
    order = folder / "spot.yaml"
    text = order.read_text(encoding="utf-8").replace("id: lumen-coffee", f"id: spot-{number}")
    text = text.replace("profiles: [broadcast-eu, podcast, stream]", "profiles: [podcast]")
    kept = (line for line in text.splitlines() if not line.strip().startswith(LOCALES[len(locales) :]))
    order.write_text("\n".join(kept) + "\n", encoding="utf-8")
    for locale in locales:
        end_otherwise(folder, locale, ENDS[number % len(ENDS)] * (1 + number // len(ENDS)))


def end_otherwise(folder: Path, locale: str, end: str) -> None:
    """Put another mark at the end of each line of a translation, and sign it off."""
    path = folder / "translations" / f"{locale}.yaml"
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
    words["lines"] = {line: text.rstrip(".") + end for line, text in words["lines"].items()}
    path.write_text(yaml.safe_dump(words, allow_unicode=True, sort_keys=False), encoding="utf-8")
    approve_translation(load_spot(folder), locale, "Bench", dt.datetime.now(dt.UTC))


def measured(workers: int, spots: int, locales: int) -> dict[str, Any]:
    """One candidate: wall seconds, and what its tasks and its store cost."""
    with tempfile.TemporaryDirectory() as name, bench_project() as project, site(Path(name), workers) as given:
        make_spots(project, spots, locales)
        settings = project.root / "configs" / "clearspot.yaml"
        machines = f"machines: {{runner: dask, address: '{given['DASK_ADDRESS']}', workers: {workers}}}\n"
        settings.write_text(settings.read_text(encoding="utf-8") + machines, encoding="utf-8")
        run(project, "first", given)
        written, notes = stored(project), Path(given["BENCH_NOTES"])
        loading = notes.read_text(encoding="utf-8").splitlines()
        wall_s = run(project, "spots", given)
        told = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()[len(loading) :]]
        overhead = empty_tasks(given) if workers > 1 else {}
        kept = stored(project) - written
        return {"wall_s": wall_s, "first": loading, "notes": told, "store_bytes": kept, **overhead}


def run(project: Project, folder: str, given: dict[str, str]) -> float:
    """Seconds that a run of all spots in a folder takes."""
    command = [sys.executable, "-m", "scripts.bench_scale_worker", "run", str(project.root / folder)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--out", str(project.root / "out"), "--json"],
        env=os.environ | given,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"the run ended with {done.returncode}: {done.stdout}")
    return wall_s


def stored(project: Project) -> int:
    """Bytes in the store."""
    return sum(path.stat().st_size for path in (project.store_dir / "blobs").glob("*/*"))


def empty_tasks(given: dict[str, str]) -> dict[str, float]:
    """How many tasks that do nothing are done a second: by Dask alone, and by Prefect's tasks over it."""
    code = (
        "import sys; from scripts.bench_scale import empty_dask, empty_prefect; "
        "print(empty_dask(sys.argv[1]), empty_prefect(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, given["DASK_ADDRESS"]]
    done = subprocess.run(command, env=os.environ | given, stdout=subprocess.PIPE, text=True, check=True)
    dask, prefect = map(float, done.stdout.split())
    return {"dask_tasks_per_s": dask, "prefect_tasks_per_s": prefect}


def empty_dask(address: str) -> float:
    import distributed

    with distributed.Client(address, set_as_default=False) as client:
        client.gather(client.map(_nothing, range(10), pure=False))
        began = time.perf_counter()
        client.gather(client.map(_nothing, range(EMPTY_DASK), pure=False))
        return EMPTY_DASK / (time.perf_counter() - began)


def empty_prefect(address: str) -> float:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect_dask import DaskTaskRunner

    nothing = task(_nothing, name="nothing", cache_policy=NO_CACHE, persist_result=False)

    @flow(name="empty", task_runner=DaskTaskRunner(address=address), persist_result=False)
    def empty(count: int) -> float:
        began = time.perf_counter()
        for future in [nothing.submit(number) for number in range(count)]:
            future.wait()
        return time.perf_counter() - began

    empty(4)
    return EMPTY_PREFECT / float(empty(EMPTY_PREFECT))


def _nothing(number: int) -> int:
    return number


def summary(found: dict[int, dict[str, Any]], spots: int, locales: int) -> dict[str, Any]:
    """What the simulation takes: means of tasks that ran alone on a core, and what is shared."""
    fewest, most = min(found), max(found)
    notes, first = found[fewest]["notes"], [json.loads(line) for line in found[fewest]["first"]]
    made = [note for note in notes if note["task"] == "make"]
    heard = [note for note in notes if note["task"] == "hear"]
    cold = next(note for note in first if note["task"] == "make")
    pieces = spots * locales
    asked = [note["requests"] for note in made]
    return {
        "spots": spots,
        "locales": locales,
        "wall_s": {str(workers): one["wall_s"] for workers, one in found.items()},
        "make_s": mean(note["wall_s"] for note in made),
        "make_cpu_s": mean(note["cpu_s"] for note in made),
        "coordinator_s": sum(note["thread_s"] for note in notes if note["task"] == "coordinator") / spots,
        "hear_s": mean(note["wall_s"] for note in heard),
        "load_s": max(0.0, cold["wall_s"] - mean(note["wall_s"] for note in made)),
        "store_bytes_per_piece": found[fewest]["store_bytes"] / pieces,
        "store_requests_per_piece": mean(sum(one.values()) for one in asked),
        "store_requests_by_kind": {kind: mean(one[kind] for one in asked) for kind in asked[0]},
        "dask_tasks_per_s": found[most].get("dask_tasks_per_s"),
        "prefect_tasks_per_s": found[most].get("prefect_tasks_per_s"),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "peak_worker_gb": max(note["peak_gb"] for one in found.values() for note in one["notes"] if "peak_gb" in note),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spots", type=int, default=4)
    parser.add_argument("--locales", type=int, default=3, choices=[1, 2, 3])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    best: dict[int, dict[str, Any]] = {}
    for _ in range(options.rounds):
        for workers in options.workers:
            busy = psutil.getloadavg()[0]
            one = measured(workers, options.spots, options.locales)
            print(f"{workers} workers: {one['wall_s']:.1f} s (load before it {busy:.1f})", flush=True)
            if workers not in best or one["wall_s"] < best[workers]["wall_s"]:
                best[workers] = one
    told = summary(best, options.spots, options.locales)
    print(json.dumps(told, indent=2))
    if options.out:
        options.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    if {1, 2} <= best.keys():
        ratio = best[1]["wall_s"] / best[2]["wall_s"]
        held = ratio >= BAR
        print(f"{'ok  ' if held else 'UNDER'} two workers {ratio:.2f} times one, at least {BAR}")
        sys.exit(not held)


if __name__ == "__main__":
    main()
