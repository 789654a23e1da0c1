"""The Prefect flow around the same steps: same bytes, failures kept apart, retries only where they help."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clearspot import delivery, pipeline
from clearspot.consent.grant import Grant
from clearspot.engines.protocols import Speech
from clearspot.errors import MachineFault
from tests.conftest import FakeSpeech, Scene

Call = Callable[..., tuple[int, str, str]]
ONE = ("--locale", "es-ES", "--profile", "podcast")


def run(clearspot: Call, scene: Scene, runner: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = scene.out / runner
    code, printed, told = clearspot("run", scene.spot, "--runner", runner, "--out", out, "--json", *arguments)
    assert told == ""
    return code, json.loads(printed)


def verdicts(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(one["locale"], one["profile"]): one["verdict"] for one in report["deliverables"]}


def test_both_runners_make_the_same_essence(scene: Scene, clearspot: Call) -> None:
    essences = []
    for runner in ("inline", "prefect"):
        code, report = run(clearspot, scene, runner)
        assert code == 0
        essences.append({(one["locale"], one["profile"]): one["essence_sha256"] for one in report["deliverables"]})
    assert essences[0] == essences[1]
    assert len(essences[0]) == 9
    assert len(set(essences[0].values())) == 9


@pytest.mark.parametrize("runner", ["inline", "prefect"])
def test_a_refused_locale_does_not_stop_the_others(scene: Scene, clearspot: Call, runner: str) -> None:
    text = scene.spot / "translations" / "it-IT.yaml"
    text.write_text(text.read_text().replace("piccoli", "grandi"))
    code, report = run(clearspot, scene, runner, "--profile", "podcast")
    assert code == 1
    assert verdicts(report) == {
        ("es-ES", "podcast"): "cleared",
        ("it-IT", "podcast"): "refused",
        ("pt-BR", "podcast"): "cleared",
    }
    assert (scene.out / runner / "lumen-coffee/it-IT/lumen-coffee_it-IT_podcast.refusal.json").exists()
    assert not (scene.out / runner / "lumen-coffee/it-IT/lumen-coffee_it-IT_podcast.mp3").exists()


@pytest.mark.parametrize("runner", ["inline", "prefect"])
def test_a_revoked_voice_is_a_refusal_in_both_runners(scene: Scene, clearspot: Call, runner: str) -> None:
    scene.resign("status: active", "status: revoked")
    code, report = run(clearspot, scene, runner, *ONE)
    assert (code, verdicts(report)) == (1, {("es-ES", "podcast"): "refused"})
    assert "status: asked 'active', allowed 'revoked'" in report["deliverables"][0]["error"]["what"]


def kill_process() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def kill_this_thread() -> None:
    """What the kernel may do with a signal for the process: give it to a thread that is not the main one."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.mark.parametrize("send", [kill_process, kill_this_thread])
@pytest.mark.parametrize("runner", ["inline", "prefect"])
def test_a_stop_is_not_lost(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, runner: str, send: Callable[[], None]
) -> None:
    """It comes while somebody speaks and tasks are handed out: the run ends, and nothing of it is left."""
    speak, told = FakeSpeech.speak, threading.Lock()

    def speak_and_stop(self: FakeSpeech, grant: Grant, text: str, rate: float) -> Speech:
        if told.acquire(blocking=False):
            send()
        return speak(self, grant, text, rate)

    monkeypatch.setattr(FakeSpeech, "speak", speak_and_stop)
    code, _, err = clearspot("run", scene.spot, "--runner", runner, "--out", scene.out)
    assert code == 3
    assert "stopped before it was finished" in err
    assert [path for path in scene.out.rglob("*") if path.is_file()] == []


def test_a_machine_that_fails_once_is_asked_again(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, fail_first=MachineFault("the disk hiccuped."))
    code, report = run(clearspot, scene, "prefect", *ONE)
    assert (code, verdicts(report)) == (0, {("es-ES", "podcast"): "cleared"})
    assert len(calls) == 2


def test_what_is_refused_is_not_asked_again(scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.hear({"legal": ""})
    calls = counted(monkeypatch, name="align")
    code, _ = run(clearspot, scene, "prefect", *ONE)
    assert (code, len(calls)) == (1, 1)


def test_the_gate_table_is_on_the_runs_page(scene: Scene, clearspot: Call) -> None:
    from prefect.client.orchestration import get_client

    code, _ = run(clearspot, scene, "prefect", *ONE)
    assert code == 0
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/latest/filter", json={}).json()
    (table,) = [one for one in found if one["key"] == "gate-lumen-coffee"]
    (row,) = json.loads(table["data"])
    assert row["deliverable"] == "lumen-coffee_es-ES_podcast"
    assert row["verdict"] == "cleared"
    assert row["loudness"].startswith("pass: -16")


def test_task_runs_have_readable_names(scene: Scene, clearspot: Call) -> None:
    from prefect.client.orchestration import get_client

    run(clearspot, scene, "prefect", *ONE)
    with get_client(sync_client=True) as client:
        names = {one.name for one in client.read_task_runs(limit=100)}
    assert {"speak es-ES", "fit es-ES", "gate es-ES podcast", "export es-ES podcast"} <= names


def test_nothing_calls_home() -> None:
    import os

    from prefect.settings import get_current_settings

    assert get_current_settings().server.analytics_enabled is False
    assert os.environ["DO_NOT_TRACK"] == "1"


def counted(
    monkeypatch: pytest.MonkeyPatch, *, name: str = "disclose", fail_first: Exception | None = None
) -> list[object]:
    """Count the calls of a stage's function; the first may fail."""
    room = pipeline if hasattr(pipeline, name) else delivery
    real, calls, lock = getattr(room, name), [], threading.Lock()

    def call(*arguments: object) -> object:
        with lock:
            calls.append(arguments)
            first = len(calls) == 1
        if first and fail_first:
            raise fail_first
        return real(*arguments)

    monkeypatch.setattr(room, name, call)
    return calls
