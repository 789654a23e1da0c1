"""Projects whose runs are made by worker processes, and a Dask cluster of this machine to make them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clearspot.files import is_left_behind
from tests.conftest import CHECKOUT, DEMO, edit

WAIT_S = 300.0
LOCALES = ("es-ES", "it-IT", "pt-BR")


@dataclass
class Site:
    """A project whose runs are made by workers, and the place where they note what they do."""

    root: Path
    env: dict[str, str]

    @property
    def spot(self) -> Path:
        return self.root / "spots" / "lumen-coffee"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def settings(self, text: str) -> None:
        (self.root / "configs").mkdir(exist_ok=True)
        (self.root / "configs" / "clearspot.yaml").write_text(text, encoding="utf-8")

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """A run of the spot, or of what is named, into the project's own folder unless another is named."""
        out: list[str | Path] = [] if "--out" in arguments else ["--out", self.out]
        return ["run", *(arguments or (self.spot,)), *out, "--json"]

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.elsewhere", *map(str, self.command(*arguments))],
            env=self.env,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path) -> dict[str, Any]:
        """A run that is waited for: what it says."""
        process = self.start(*arguments)
        said, told = process.communicate(timeout=WAIT_S)
        assert "Traceback" not in told, told
        report: dict[str, Any] = json.loads(said)
        assert report["exit_code"] == process.returncode
        return report

    def notes(self, fact: str) -> list[dict[str, Any]]:
        path = Path(self.env["ELSEWHERE_NOTES"])
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [note for note in map(json.loads, lines) if note["fact"] == fact]

    def leftovers(self) -> list[str]:
        """Folders of candidates, and half-written files that nobody will finish."""
        partials = [path for path in self.root.rglob("*.partial") if is_left_behind(path)]
        found = [*self.out.glob(".clearspot-*"), *partials]
        return [str(path) for path in found]


def essences(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What each deliverable sounds like, by locale and profile; every one of them was cleared."""
    assert {one["verdict"] for one in report["deliverables"]} == {"cleared"}, report
    return {(one["locale"], one["profile"]): one["essence_sha256"] for one in report["deliverables"]}


def a_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(run: subprocess.Popen[str], what: Callable[[], object], told: str) -> None:
    """Until something is so; a run that ends before it says why."""
    until = time.monotonic() + WAIT_S
    while not what():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until, told
        time.sleep(0.1)


@dataclass
class Cluster:
    """A scheduler and its workers, as `dask scheduler` and `dask worker` start them."""

    address: str
    env: dict[str, str]
    log: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def join(self, **environment: str) -> subprocess.Popen[bytes]:
        """One worker more, of one process and one thread: no nanny, so that who is killed stays dead."""
        command = composed("worker", {"tcp://scheduler:8786": self.address, "/tmp": str(self.log.parent), "8788": "0"})
        preload = ["--no-nanny", "--preload", "tests.elsewhere_worker"]
        process = started([*command, *preload], self.env | environment, self.log)
        self.workers.append(process)
        return process


def composed(service: str, instead: dict[str, str]) -> list[str]:
    """The command of a service in deploy/compose.yaml, with what is otherwise here."""
    services = yaml.safe_load((CHECKOUT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return [instead.get(word, word) for word in services[service]["command"]]


def started(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name(command[0])
    with log.open("ab") as said:
        return subprocess.Popen([str(program), *command[1:]], env=env, cwd=CHECKOUT, stdout=said, stderr=said)


def ended(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def a_site(keyed_project: Path, folder: Path) -> Site:
    """A project of its own with the demo spot, for one profile."""
    root = folder / "project"
    shutil.copytree(keyed_project, root)
    shutil.copytree(DEMO, root / "spots" / "lumen-coffee")
    edit(root / "spots" / "lumen-coffee" / "spot.yaml", "[broadcast-eu, podcast, stream]", "[podcast]")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    env = kept | {
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "src")]),
        "CLEARSPOT_PROJECT": str(root),
        "ELSEWHERE_PROJECT": str(root),
        "ELSEWHERE_SPOT": str(root / "spots" / "lumen-coffee"),
        "ELSEWHERE_NOTES": str(folder / "notes.jsonl"),
    }
    return Site(root, env)
