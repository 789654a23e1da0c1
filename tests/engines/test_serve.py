"""`clearspot serve` as users run it: Prefect's own server, a schedule, real engines; a line changes on disk."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from clearspot.approvals import approve_translation
from clearspot.gate.receipt import check_receipt
from clearspot.hashing import sha256_file
from clearspot.project import Project, Settings
from clearspot.provenance.keys import load_trust
from clearspot.spot import load_spot
from tests.conftest import CHECKOUT, DEMO, edit
from tests.listening import listening

pytestmark = pytest.mark.real

PROFILE, LOCALE, WAIT_S = "podcast", "it-IT", 240.0
SETTINGS = "provider: Lumen Coffee demo\nschedule: {interval_s: 5}\n"


@dataclass
class Served:
    """A project that is looked after, and where its Prefect answers."""

    root: Path
    port: int
    log: Path
    process: subprocess.Popen[str] = field(init=False)

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        with self.log.open("a") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clearspot", "serve", "--port", str(self.port)],
                env=environment | {"CLEARSPOT_PROJECT": str(self.root)},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL for it and for everything that it started: server, runs and what they started."""
        for pid in (self.process.pid, *started_by(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def spot(self) -> Path:
        return self.root / "spots" / "lumen-coffee"

    @property
    def receipt(self) -> Path:
        return self.root / "out" / "lumen-coffee" / LOCALE / f"lumen-coffee_{LOCALE}_{PROFILE}.receipt.json"

    def said(self) -> dict[str, str]:
        """The words that the newest receipt says were heard, by line."""
        if not self.receipt.is_file():
            return {}
        return {clip["line"]: clip["heard"] for clip in self.body()["timeline"]}

    def body(self) -> dict:
        return json.loads(self.receipt.read_text())["receipt"]

    def wait_for(self, what: Callable[[], object], told: str) -> None:
        until = time.monotonic() + WAIT_S
        while not what():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, f"{told}\n{self.log.read_text()}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def served(keyed_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of its own on a free port, and at the end a clean stop."""
    root = tmp_path_factory.mktemp("served") / "project"
    shutil.copytree(keyed_project, root)
    (root / "configs").mkdir(exist_ok=True)
    (root / "configs" / "clearspot.yaml").write_text(SETTINGS)
    spot = root / "spots" / "lumen-coffee"
    shutil.copytree(DEMO, spot)
    edit(spot / "spot.yaml", "  es-ES: {markets: [ES]}\n", "")
    edit(spot / "spot.yaml", "  pt-BR: {markets: [BR]}\n", "")
    edit(spot / "spot.yaml", "profiles: [broadcast-eu, podcast, stream]", f"profiles: [{PROFILE}]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Served(root, port, root.parent / "serve.log")
    made.start()
    try:
        yield made
    finally:
        made.kill()


def test_what_was_never_made_is_made(served: Served) -> None:
    served.wait_for(served.receipt.is_file, "nothing was made")
    assert "piccoli lotti" in served.said()["roast"]


def test_a_changed_line_is_on_its_way_within_an_interval(served: Served) -> None:
    kept = clips_in(served)
    path = served.spot / "translations" / f"{LOCALE}.yaml"
    edit(path, "in piccoli lotti, a mano", "con pazienza, a mano")
    approve_translation(load_spot(served.spot), LOCALE, "Ugo Reviewer", dt.datetime.now(dt.UTC), ["roast"])
    served.wait_for(lambda: "pazienza" in served.said().get("roast", ""), "the change was not made")
    assert clips_in(served) == kept + 1, "one line was spoken, and no other"
    signed = json.loads(served.receipt.read_text())
    assert check_receipt(signed, load_trust(Project(served.root, Settings()).trust_dirs).receipt_keys) == ""
    media = served.receipt.with_name(served.body()["deliverable"])
    served.wait_for(lambda: sha256_file(media) == served.body()["file_sha256"], "the file is not the receipt's")


def test_who_should_know_is_told_once_for_each_sweep_that_is_not_in_order(served: Served, tmp_path: Path) -> None:
    """The how-to's Python and YAML as they stand, with the address of a listener of ours."""
    page = (CHECKOUT / "docs" / "how-to.md").read_text(encoding="utf-8")
    shown = re.search(
        r"## Be told when something is not in order.*?```python\n(.*?)```.*?```yaml\n(.*?)```", page, re.DOTALL
    )
    assert shown, "the how-to shows both"
    broken = served.root / "spots" / "broken"
    served.wait_for(lambda: "runs are shown on" in served.log.read_text(), "there is no server")
    earlier = {run["id"] for run in runs_that(served, "FAILED")}
    with listening() as (address, told):
        run_python(shown[1].replace("https://example.com/hook", address), served, tmp_path)
        with (served.root / "configs" / "clearspot.yaml").open("a") as settings:
            settings.write(shown[2])
        served.wait_for(lambda: "s, tells custom-webhook/" in served.log.read_text(), "the setting was not read")
        before = in_order(served)
        served.wait_for(lambda: in_order(served) > before, "no sweep was in order")
        assert (told, {run["id"] for run in runs_that(served, "FAILED")}) == ([], earlier)
        broken.mkdir()
        (broken / "spot.yaml").write_text("id: broken\n")
        served.wait_for(lambda: told, "nobody was told")
        shutil.rmtree(broken)
        before = in_order(served)
        served.wait_for(lambda: in_order(served) > before, "no sweep was in order again")
        failed = [run for run in runs_that(served, "FAILED") if run["id"] not in earlier]
        assert {run["state"]["message"] for run in failed} == {"not in order: broken"}
        served.wait_for(lambda: len(told) >= len(failed), "a sweep was not told")
        assert sorted(json.loads(one)["text"] for one in told) == sorted(
            f"Clearspot: not in order: broken\n{page_of(served, run)}" for run in failed
        ), "each once"


def run_python(code: str, served: Served, home: Path) -> None:
    """As a reader does beside ``clearspot serve``."""
    environment = os.environ | {"PREFECT_API_URL": served.api, "PREFECT_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def runs_that(served: Served, ended: str) -> list[dict]:
    """Sweeps that ended so, as Prefect keeps them."""
    asked = {"flows": {"name": {"any_": ["rerender"]}}, "flow_runs": {"state": {"type": {"any_": [ended]}}}}
    return httpx.post(f"{served.api}/flow_runs/filter", json=asked, timeout=30).raise_for_status().json()


def in_order(served: Served) -> int:
    """How many sweeps have looked at everything and found it in order."""
    return sum(run["state"]["message"].endswith("made again") for run in runs_that(served, "COMPLETED"))


def page_of(served: Served, run: dict) -> str:
    return f"{served.api.removesuffix('/api')}/runs/flow-run/{run['id']}"


def test_killed_in_the_middle_of_a_sweep_it_goes_on_when_it_is_started_again(served: Served) -> None:
    """Everything at once, as when the machine dies: no lock and no run of before keeps the next one from its work."""
    kept = clips_in(served)
    edit(served.spot / "translations" / f"{LOCALE}.yaml", "con pazienza, a mano", "con amore, a mano")
    approve_translation(load_spot(served.spot), LOCALE, "Ugo Reviewer", dt.datetime.now(dt.UTC), ["roast"])
    served.wait_for(lambda: clips_in(served) == kept + 1, "the line was not spoken")
    served.kill()
    assert "amore" not in served.said()["roast"], "it was killed in the middle"
    served.start()
    served.wait_for(lambda: "amore" in served.said().get("roast", ""), "it did not go on")
    assert clips_in(served) == kept + 1, "what was spoken before was not spoken again"


def test_told_to_stop_it_stops_clean(served: Served) -> None:
    """Exit code 0, no process of its session left, nothing half-made."""
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0, served.log.read_text()
    assert "stopping" in served.log.read_text()
    assert not answers(served.port)
    assert [path for path in served.root.rglob("*.partial") if "prefect" not in path.parts] == []


def started_by(pid: int) -> list[int]:
    """Every process below one, however deep."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]
            found += [int(stat.parent.name)] if int(parent) == pid else []
    return [*found, *(each for child in found for each in started_by(child))]


def clips_in(served: Served) -> int:
    """How many clips the store holds."""
    records = (served.root / ".clearspot" / "store").glob("records/*/*")
    return sum(b'"stage":"speak"' in path.read_bytes() for path in records)


def test_killed_it_leaves_no_server_behind(tmp_path: Path) -> None:
    """SIGKILL gives nobody time to tidy up: the server is attached, and ends by itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys, time; from pathlib import Path; from clearspot_flows.server import prefect_server\n"
        f"with prefect_server(Path({str(tmp_path)!r}), {port}) as address:\n    print(address, flush=True)\n"
        "    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}/api"
    process.kill()
    process.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and answers(port):
        time.sleep(0.1)
    assert not answers(port)


def answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
