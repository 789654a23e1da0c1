"""The rerender flow: what changed below a root is made, a bad spot stops no other, and the run's page says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from clearspot import job
from clearspot.errors import MachineFault
from tests.change_scenes import COCOA, TEA, Call, another_spot, change, everything, new_words, spot, swept_before
from tests.conftest import Scene, edit
from tests.listening import listening


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
    assert table() == [
        {"spot": "lumen-tea", "state": "made", "because": because, "error": "", "waiting": "", "warnings": ""}
    ]
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


# --- who is told -------------------------------------------------------------------------------------------------


def told_by(scene: Scene, address: str, root: Path | None = None) -> tuple[str, str]:
    """One run of the flow that is to tell a webhook at an address; how it ended, and what it says."""
    from clearspot_flows.rerender import rerender

    save_webhook(address)
    where = str(root or scene.project.sweep_root)
    state = rerender(where, str(scene.out), notify="custom-webhook/ops", return_state=True)
    return str(state.name), str(state.message)


def save_webhook(address: str) -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    block = CustomWebhookNotificationBlock(name="ops", url=address, json_data={"text": "{{subject}}: {{body}}"})
    block.save("ops", overwrite=True)


def break_one(scene: Scene) -> None:
    (another_spot(scene, "broken") / "spot.yaml").write_text("id: [", encoding="utf-8")


def test_when_all_is_well_nobody_is_told(swept: Scene) -> None:
    with listening() as (address, told):
        assert told_by(swept, address)[0] == "Completed"
    assert told == []


def test_what_is_not_in_order_is_told_once_by_name(swept: Scene) -> None:
    break_one(swept)
    with listening() as (address, told):
        assert told_by(swept, address)[0] == "Failed"
    (body,) = told
    assert json.loads(body)["text"].startswith("Clearspot: not in order: broken")


def test_a_sweep_that_could_not_begin_is_told_too(swept: Scene, tmp_path: Path) -> None:
    with listening() as (address, told):
        assert told_by(swept, address, tmp_path / "nowhere")[0] == "Failed"
    (body,) = told
    assert "there is no such folder" in body


SETTING, BEFORE = "custom-webhook/now", "custom-webhook/before"


@pytest.mark.parametrize(
    ("settings", "told"), [(f"notify: {SETTING}", SETTING), ("provider: X", ""), ("notify: [", BEFORE)]
)
def test_the_setting_of_now_counts_and_where_it_cannot_be_read_the_one_before(
    settings: str, told: str, tmp_path: Path
) -> None:
    from clearspot_flows.notify import whom

    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "clearspot.yaml").write_text(settings, encoding="utf-8")
    assert whom({"project": str(tmp_path), "notify": BEFORE}) == told
    assert whom({"project": "", "notify": BEFORE}) == BEFORE


@pytest.mark.parametrize(("refused", "arrived"), [(2, 1), (3, 0)])
def test_who_does_not_answer_is_asked_three_times(
    refused: int, arrived: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import anyio
    from clearspot_flows.notify import tell
    from clearspot_flows.rerender import rerender
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Failed

    monkeypatch.setattr("clearspot_flows.notify.AGAIN_S", (0.0, 0.0))
    run = FlowRun(flow_id=uuid4(), parameters={"notify": "custom-webhook/ops"})
    problem = ""
    with listening(refused) as (address, told):
        save_webhook(address)
        try:
            anyio.run(tell, rerender, run, Failed(message="not in order: broken"))
        except MachineFault as error:
            problem = str(error)
    assert len(told) == arrived
    nobody = "notify: custom-webhook/ops: nobody was told (HTTPStatusError): not in order: broken."
    assert problem.startswith(nobody if not arrived else "")
    assert (nobody in capsys.readouterr().err) == (not arrived)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("custom-webhook/nobody", "Unable to find block document named nobody"),
        ("telepathy/ops", "Unable to find block document named ops for block type telepathy"),
        ("secret/ops", "notify: secret/ops: is no notification block."),
        ("custom-webhook/ops", ""),
        ("", ""),
    ],
)
def test_a_block_that_cannot_tell_is_known_before(name: str, told: str) -> None:
    import anyio
    from clearspot_flows.notify import what_is_wrong
    from prefect.blocks.system import Secret

    save_webhook("http://127.0.0.1:9")
    Secret(value="x").save("ops", overwrite=True)
    assert told in (wrong := anyio.run(what_is_wrong, name))
    assert bool(wrong) == bool(told)
