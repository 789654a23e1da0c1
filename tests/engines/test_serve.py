"""`clearspot serve` as users run it: Prefect's own server, a schedule, real engines; a line changes on disk."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

pytestmark = pytest.mark.real

PROFILE, LOCALE, WAIT_S = "podcast", "it-IT", 240.0
SETTINGS = "provider: Lumen Coffee demo\nschedule: {interval_s: 5}\n"


@dataclass(frozen=True)
class Served:
    """A project that is looked after, and where its Prefect answers."""

    root: Path
    process: subprocess.Popen[str]
    api: str
    log: Path

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
    log = root.parent / "serve.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "clearspot", "serve", "--port", str(port)],
            env=environment | {"CLEARSPOT_PROJECT": str(root)},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,
        )
        made = Served(root, process, f"http://127.0.0.1:{port}/api", log)
        try:
            yield made
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


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


def test_the_documented_notification_is_set_up_and_its_webhook_delivers(served: Served, tmp_path: Path) -> None:
    """The how-to's Python as it stands, with the address of a listener of ours; a sweep that fails says which spot.

    When Prefect's server fires its triggers is its own affair, and not always prompt: each part is looked at by itself.
    """
    page = (CHECKOUT / "docs" / "how-to.md").read_text(encoding="utf-8")
    code = re.search(r"## Be told when something is not in order.*?```python\n(.*?)```", page, re.DOTALL)
    assert code, "the how-to shows it"
    environment = os.environ | {"PREFECT_API_URL": served.api, "PREFECT_HOME": str(tmp_path / "home")}
    with listening() as (address, told):
        run_python(code[1].replace("https://example.com/hook", address), environment)
        (automation,) = ask(served, "automations/filter")
        assert (automation["name"], automation["enabled"]) == ("A sweep that is not in order", True)
        assert [action["type"] for action in automation["actions"]] == ["send-notification"]
        load = "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Hook\n"
        run_python(load + "Hook.load('clearspot').notify('not in order: broken', 'Clearspot')", environment)
        assert "not in order: broken" in told[0]
    broken = served.root / "spots" / "broken"
    broken.mkdir()
    (broken / "spot.yaml").write_text("id: broken\n")
    failed = {"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}, "limit": 5}
    served.wait_for(lambda: ask(served, "flow_runs/filter", failed), "no sweep failed")
    assert "broken" in ask(served, "flow_runs/filter", failed)[0]["state"]["message"]
    shutil.rmtree(broken)


def run_python(code: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def ask(served: Served, path: str, body: dict | None = None) -> list[dict]:
    """What the served Prefect knows."""
    return httpx.post(f"{served.api}/{path}", json=body or {}, timeout=30).raise_for_status().json()


class listening:
    """A listener on loopback: its address, and the bodies that were posted to it."""

    def __enter__(self) -> tuple[str, list[str]]:
        told: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/hook", told

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_told_to_stop_it_stops_clean(served: Served) -> None:
    """Exit code 0, no process of its session left, nothing half-made."""
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0, served.log.read_text()
    assert "stopping" in served.log.read_text()
    assert not answers(int(served.api.split(":")[2].split("/")[0]))
    assert [path for path in served.root.rglob("*.partial") if "prefect" not in path.parts] == []


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
