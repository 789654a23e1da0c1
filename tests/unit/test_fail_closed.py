"""What changes while a spot is made counts; what a killed run left is swept; nothing withdrawn is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearspot import delivery, pipeline
from clearspot.engines.weights import Weights
from clearspot.provenance import tags
from clearspot.workshop import workshop
from tests.conftest import Scene, edit
from tests.unit.policy_scenes import WHY, asked, own_policy

Call = Callable[..., tuple[int, str, str]]
ONE = ("--locale", "es-ES", "--profile", "podcast", "--json")


def run(clearspot: Call, scene: Scene) -> tuple[int, dict[str, Any]]:
    code, out, _ = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out, *ONE)
    return code, json.loads(out)


def while_listening(scene: Scene, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    gather = delivery.gather

    def gather_and_change(*given: Any, **named: Any) -> object:
        heard = gather(*given, **named)
        change()
        return heard

    monkeypatch.setattr(delivery, "gather", gather_and_change)


def append_to_recording(scene: Scene) -> None:
    with (scene.spot / "recording.flac").open("ab") as file:
        file.write(b"\0")


CHANGES: dict[str, tuple[Callable[[Scene], object], str, str]] = {
    "the record is revoked": (
        lambda scene: scene.resign("status: active", "status: revoked"),
        "consent-valid",
        "allowed 'revoked'",
    ),
    "another record takes its place": (
        lambda scene: scene.resign("contact: the issue tracker", "contact: somebody"),
        "consent-valid",
        "not the one it was spoken with",
    ),
    "the script's approval is taken back": (
        lambda scene: edit(scene.spot / "approvals.yaml", "by: Demo producer", "by: Somebody\n  lines_gone: x"),
        "",
        "",
    ),
    "a line's approval is taken back": (
        lambda scene: edit(scene.spot / "approvals.yaml", "  es-ES:\n    hello:", "  es-ES:\n    hullo:"),
        "translation-approved",
        "drafts: hello",
    ),
    "the recording is another": (append_to_recording, "script-approved", "changed while the spot was made"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_changes_while_we_listen_counts(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    change, rule, told = CHANGES[case]
    while_listening(scene, monkeypatch, lambda: change(scene))
    code, report = run(clearspot, scene)
    (one,) = report["deliverables"]
    assert one["path"] is None
    assert code in {1, 2}
    if rule:
        assert (code, one["verdict"]) == (1, "refused")
        assert told in one["findings"][rule]["detail"]
    assert not list(scene.out.rglob("*.mp3"))


@pytest.mark.parametrize("profile", ["broadcast-eu", "podcast", "stream"])
def test_sound_that_the_tag_writer_damaged_is_not_what_was_measured(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    """The gate hears what was encoded; what is delivered has to be those very bytes."""
    write = tags.write

    def write_and_damage(path: Path, said: tags.Tags) -> None:
        write(path, said)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(tags, "write", write_and_damage)
    arguments = ("--runner", "inline", "--out", scene.out, "--locale", "es-ES", "--profile", profile, "--json")
    code, out, _ = clearspot("run", scene.spot, *arguments)
    (one,) = json.loads(out)["deliverables"]
    failed = {rule: found["detail"] for rule, found in one["findings"].items() if found["verdict"] == "fail"}
    assert (code, one["verdict"], one["path"]) == (1, "refused", None)
    assert failed == {"manifest-trusted": "it names another essence"}


def test_a_pace_that_no_engine_speaks_at_is_refused_by_the_policy_that_asks_for_it(
    scene: Scene, clearspot: Call
) -> None:
    """China's 160 characters a minute at most are Chinese ones: a third of how fast letters are read."""
    pace = {"disclosure": {"characters_per_minute": asked([120, 160])}}
    own_policy(scene.project, id="slow", requires={"manifest": WHY} | pace)
    code, report = run(clearspot, scene)
    (one,) = report["deliverables"]
    assert (code, one["verdict"], one["path"]) == (1, "refused", None)
    assert one["error"]["what"] == (
        "the disclosure in es-ES is read at 1036 characters a minute, and 120 to 160 characters a minute are asked for "
        "(by slow); no engine speaks at less than 0.5 or more than 2 times the natural speed."
    )
    assert {rate for _, _, rate in scene.studio.voice.asked} <= {1.0}, "and none was asked to"


def test_nothing_is_fetched_for_a_voice_that_may_not_speak(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.resign("status: active", "status: revoked")
    fetched: list[str] = []
    monkeypatch.setattr(Weights, "on_disk", lambda self, model_id: False)
    monkeypatch.setattr(Weights, "fetch", lambda self, model_id: fetched.append(model_id))
    code, report = run(clearspot, scene)
    assert (code, report["deliverables"][0]["verdict"], fetched) == (1, "refused", [])


def test_what_a_killed_run_left_is_swept_and_a_living_one_is_left_alone(scene: Scene, clearspot: Call) -> None:
    """A run lives for as long as its lock is held, on whatever machine; its process's number says nothing."""
    dead = scene.out / ".clearspot-0123456789abcdef"
    older, newer = scene.out / ".clearspot-host.17-a", scene.out / ".clearspot-host.18-a"  # an earlier version's
    with workshop(scene.out) as alive:
        (scene.out / f"{dead.name}.lock").touch()
        for folder in (dead, older, newer, alive):
            folder.mkdir(exist_ok=True)
            (folder / "candidate.mp3").write_bytes(b"x")
        os.utime(older, (0, 0))
        code, _ = run(clearspot, scene)
        assert code == 0
        assert [folder.exists() for folder in (dead, older, newer, alive)] == [False, False, True, True]
        assert (alive / "candidate.mp3").exists()
    assert [*scene.out.glob(".clearspot-*")] == [newer]


def test_nothing_that_is_withdrawn_is_lost(scene: Scene, clearspot: Call) -> None:
    kept = []
    for _ in range(2):
        assert run(clearspot, scene)[0] == 0
        (media,) = scene.out.rglob("*.mp3")
        kept.append(media.read_bytes())
        edit(scene.spot / "translations" / "es-ES.yaml", "a mano", "a pie")
        assert run(clearspot, scene)[0] == 1
        edit(scene.spot / "translations" / "es-ES.yaml", "a pie", "a mano")
    withdrawn = sorted(scene.out.rglob("*.mp3.withdrawn*"))
    assert [path.read_bytes() for path in withdrawn] == kept


def test_a_bug_in_one_locale_stops_no_other(scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipeline.translate

    def translate(spot: Any, locale: str, *others: Any) -> object:
        if locale == "it-IT":
            raise ZeroDivisionError("a bug")
        return real(spot, locale, *others)

    monkeypatch.setattr(pipeline, "translate", translate)
    arguments = ("--runner", "inline", "--out", scene.out, "--profile", "podcast", "--json")
    code, out, _ = clearspot("run", scene.spot, *arguments)
    verdicts = {one["locale"]: one["verdict"] for one in json.loads(out)["deliverables"]}
    assert (code, verdicts) == (3, {"es-ES": "cleared", "it-IT": "machine-fault", "pt-BR": "cleared"})
