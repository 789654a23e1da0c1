"""The rerender flow: what changed below a root is made, a bad spot stops no other, and the run's page says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clearspot import job
from tests.change_scenes import COCOA, TEA, Call, another_spot, change, everything, new_words, spot, swept_before
from tests.conftest import Scene, edit


@pytest.fixture
def swept(
    scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    """Three spots, all of them made; the flow has fake engines too."""
    monkeypatch.setattr("clearspot_flows.rerender.open_studio", job.open_studio)
    return swept_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def look_after(scene: Scene, *spots: str) -> tuple[str, str]:
    """One run of the flow: how it ended, and what it says."""
    return flow_of(scene.project.sweep_root, scene.out, [str(spot(scene, name)) for name in spots] or None)


def flow_of(root: Path, out: Path, folders: list[str] | None = None) -> tuple[str, str]:
    # Imported late: Prefect reads its settings once, and they are not settled while tests are collected.
    from clearspot_flows.rerender import rerender

    state = rerender(str(root), str(out), folders, return_state=True)
    return str(state.name), str(state.message)


def table() -> list[dict[str, Any]]:
    """What the page of the newest run shows."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/latest/filter", json={}).json()
    (newest,) = [one for one in found if one["key"] == "sweep"]
    return list(json.loads(newest["data"]))


def media(scene: Scene, name: str) -> list[Path]:
    return [*(scene.out / Path(name).name).rglob("*.mp3")]


def test_a_changed_spot_is_made_and_then_there_is_nothing_to_do(swept: Scene) -> None:
    change(spot(swept, TEA))
    before = everything(*(swept.out / name for name in ("lumen-coffee", COCOA)))
    assert look_after(swept) == ("Completed", "3 spots, 1 made again")
    because = "line `offer` changed in es-ES"
    assert table() == [{"spot": "lumen-tea", "state": "made", "because": because, "error": "", "warnings": ""}]
    assert everything(*(swept.out / name for name in ("lumen-coffee", COCOA))) == before
    assert len(swept.studio.voice.asked) == 1
    before, heard = everything(swept.out), swept.listener.heard
    assert look_after(swept) == ("Completed", "3 spots, 0 made again")
    assert (table(), everything(swept.out), swept.listener.heard) == ([], before, heard)


def test_bad_spots_stop_no_other_and_the_run_fails_by_their_names(swept: Scene) -> None:
    (another_spot(swept, "broken") / "spot.yaml").write_text("id: [", encoding="utf-8")
    new_words(another_spot(swept, "unread"))
    new_words(spot(swept, COCOA))
    change(spot(swept, TEA))
    assert look_after(swept) == ("Failed", "not in order: broken, unread")
    rows = {row["spot"]: row for row in table()}
    assert {name: row["state"] for name, row in rows.items()} == {
        "broken": "failed", "lumen-cocoa": "waiting", "lumen-tea": "made", "unread": "not exported",
    }  # fmt: skip
    assert "spot.yaml, line 1" in rows["broken"]["error"]
    assert "not approved in es-ES: offer: " in rows["unread"]["error"]
    assert rows["unread"]["because"].startswith("not approved in es-ES: offer: ")
    assert rows["lumen-cocoa"]["because"].startswith("not approved in es-ES: offer: ")
    assert (len(media(swept, TEA)), len(media(swept, COCOA)), media(swept, "unread")) == (1, 1, [])
    assert look_after(swept) == ("Failed", "not in order: broken"), "a refusal was told, a file that cannot be read is"


def test_a_spot_with_a_schedule_of_its_own_is_left_to_it(swept: Scene) -> None:
    for name in (TEA, COCOA):
        change(spot(swept, name))
    edit(spot(swept, TEA) / "spot.yaml", "medium:", "schedule: {interval_s: 60}\nmedium:")
    assert look_after(swept) == ("Completed", "2 spots, 1 made again")
    assert [row["spot"] for row in table()] == ["lumen-cocoa"]
    assert look_after(swept, TEA) == ("Completed", "1 spots, 1 made again")
    assert [row["spot"] for row in table()] == ["lumen-tea"]


def test_a_root_that_is_not_there_fails_and_says_so(swept: Scene, tmp_path: Path) -> None:
    name, message = flow_of(tmp_path / "nowhere", swept.out)
    assert name == "Failed"
    assert "there is no such folder" in message


def test_each_spot_is_a_flow_run_of_its_own(swept: Scene) -> None:
    from prefect.client.orchestration import get_client

    change(spot(swept, TEA))
    look_after(swept)
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(limit=200)
    (made,) = [run for run in runs if run.name == "lumen-tea" and run.parameters["out"] == str(swept.out)]
    assert made.parent_task_run_id is not None
    assert (made.state_name, made.state and made.state.message) == ("Completed", "1 in order")
