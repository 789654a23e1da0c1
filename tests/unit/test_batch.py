"""``clearspot run ROOT``: every spot below a folder, for somebody who asked for it; one bad spot stops no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clearspot.locks import spot_lock
from tests.change_scenes import (
    COCOA,
    NAMES,
    TEA,
    UNCHANGED,
    Call,
    another_spot,
    change,
    everything,
    logged,
    made_before,
    new_words,
    spot,
    swept_before,
)
from tests.conftest import Scene, edit

MADE = dict.fromkeys(NAMES, "made")


@pytest.fixture
def swept(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """Three spots, one of them further down, all of them made by a sweep."""
    return swept_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def command(scene: Scene, *arguments: str | Path) -> tuple[str | Path, ...]:
    """A run of every spot, without Prefect."""
    return ("run", scene.project.root / "spots", "--runner", "inline", "--out", scene.out, *arguments)


def batch(call: Call, scene: Scene, *arguments: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """One run of every spot: its exit code, the state of each by its place below ``spots``, and all that it says."""
    code, out, err = call(*command(scene, "--json", *arguments))
    assert (out.count("\n"), err.count("Traceback")) == (1, 0)
    said = json.loads(out)
    assert said["exit_code"] == code
    return code, {below(one["spot"]): one["state"] for one in said["spots"]}, said


def below(folder: str) -> str:
    return folder.partition("/spots/")[2]


def rows(out: str) -> dict[str, list[str]]:
    """A table for people: the cells of each row behind its first."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}


# --- all of them -------------------------------------------------------------------------------------------------


def test_every_spot_below_is_made_and_a_second_time_kept(
    scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call
) -> None:
    """The first is there already, the others are new; then nothing is spoken, heard or written any more."""
    made_before(scene, tmp_path_factory.getbasetemp(), clearspot)
    another_spot(scene, "lumen-tea", below="teas")
    another_spot(scene, COCOA)
    code, states, said = batch(clearspot, scene)
    assert (code, states) == (0, MADE | {"lumen-coffee": "unchanged"})
    assert said["not_begun"] == []
    verdicts = {below(one["spot"]): [each["verdict"] for each in one["deliverables"]] for one in said["spots"]}
    assert verdicts == {COCOA: ["cleared"], "lumen-coffee": [], TEA: ["cleared"]}
    scene.studio.voice.asked.clear()
    scene.listener.heard = 0
    before = everything(scene.out, scene.project.audit_dir / "log.jsonl")
    assert batch(clearspot, scene)[:2] == (0, UNCHANGED)
    assert everything(scene.out, scene.project.audit_dir / "log.jsonl") == before
    assert (scene.studio.voice.asked, scene.listener.heard) == ([], 0)


def test_only_what_changed_is_made(swept: Scene, clearspot: Call) -> None:
    """Of the spot of four deliverables two are new and two are kept: the table says so."""
    change(swept.spot)
    code, out, err = clearspot(*command(swept))
    assert code == 0
    assert rows(out) == {
        "spot": ["state", "cleared", "kept", "not", "exported"],
        COCOA: ["unchanged"],
        "lumen-coffee": ["made", "2", "2", "0"],
        TEA: ["unchanged"],
    }
    assert [line.rpartition(",")[0] for line in err.splitlines()] == [
        f"1/3 {COCOA}: unchanged",
        "2/3 lumen-coffee: made",
        f"3/3 {TEA}: unchanged",
    ]


def test_a_spot_itself_is_run_as_one(swept: Scene, clearspot: Call) -> None:
    """Also where another lies within it: what is in a spot is the spot's."""
    (swept.spot / "old").mkdir()
    (swept.spot / "old" / "spot.yaml").write_bytes((swept.spot / "spot.yaml").read_bytes())
    code, out, _ = clearspot("run", swept.spot, "--runner", "inline", "--out", swept.out, "--json")
    assert (code, "spots" in json.loads(out)) == (0, False)


# --- bad spots ---------------------------------------------------------------------------------------------------


def test_a_bad_spot_stops_no_other_and_the_worst_is_the_exit_code(swept: Scene, clearspot: Call) -> None:
    (another_spot(swept, "a-broken") / "spot.yaml").write_text("id: [")
    new_words(another_spot(swept, "b-unread"))
    change(spot(swept, TEA))
    code, states, said = batch(clearspot, swept)
    assert (code, said["not_begun"]) == (2, [])
    assert states == UNCHANGED | {"a-broken": "failed", "b-unread": "not exported", TEA: "made"}
    broken, unread = said["spots"][:2]
    assert (broken["error"]["kind"], broken["deliverables"]) == ("bad-input", [])
    assert "not approved in es-ES: offer" in unread["deliverables"][0]["error"]["what"]


def test_a_table_for_people_and_each_problem_once(swept: Scene, clearspot: Call) -> None:
    """The table on stdout; what is wrong on stderr, in its own words."""
    (another_spot(swept, "a-broken") / "spot.yaml").write_text("id: [")
    new_words(another_spot(swept, "b-unread"))
    change(spot(swept, TEA))
    code, out, err = clearspot(*command(swept))
    assert code == 2
    assert rows(out) == {
        "spot": ["state", "cleared", "kept", "not", "exported"],
        "a-broken": ["failed", "0", "0", "0"],
        "b-unread": ["not", "exported", "0", "0", "1"],
        COCOA: ["unchanged"],
        "lumen-coffee": ["unchanged"],
        TEA: ["made", "1", "0", "0"],
    }
    problems = [line for line in err.splitlines() if line.startswith("clearspot: ")]
    assert len(problems) == 2
    assert "a-broken/spot.yaml" in problems[0]
    assert "not approved in es-ES: offer" in problems[1]


def test_two_spots_of_one_id(swept: Scene, clearspot: Call) -> None:
    """The second would write over the first."""
    another_spot(swept, "lumen-tea", below="zzz")
    code, states, said = batch(clearspot, swept)
    assert (code, states) == (2, UNCHANGED | {"zzz/lumen-tea": "failed"})
    assert "two spots are called 'lumen-tea'" in said["spots"][-1]["error"]["what"]


def test_a_refused_spot_is_tried_again(swept: Scene, clearspot: Call) -> None:
    """Somebody asked for it: perhaps it was the machine. A sweep would wait until something changes."""
    change(spot(swept, TEA))
    swept.deaf_to = "Oferta"
    assert batch(clearspot, swept)[:2] == (1, UNCHANGED | {TEA: "not exported"})
    assert batch(clearspot, swept)[:2] == (1, UNCHANGED | {TEA: "not exported"})
    assert len([one for one in logged(swept.project, "refusal") if "lumen-tea" in json.dumps(one)]) == 2
    assert clearspot("serve", "--once") == (0, "3 spots, 0 made again, 0 not in order\n", "")
    swept.deaf_to = ""
    swept.studio.voice.asked.clear()
    assert batch(clearspot, swept)[:2] == (0, UNCHANGED | {TEA: "made"})
    assert swept.studio.voice.asked == [], "what was spoken comes from the store"


# --- enough is enough --------------------------------------------------------------------------------------------


def test_after_so_many_failures_no_further_spot_is_begun(swept: Scene, clearspot: Call) -> None:
    (another_spot(swept, "a-broken") / "spot.yaml").write_text("id: [")
    change(spot(swept, TEA))
    before = everything(swept.out)
    code, states, said = batch(clearspot, swept, "--max-failures", "1")
    assert (code, states) == (2, {"a-broken": "failed"})
    assert [below(folder) for folder in said["not_begun"]] == [*NAMES]
    assert (everything(swept.out), swept.studio.voice.asked) == (before, [])


def test_fewer_failures_than_that_stop_nothing(swept: Scene, clearspot: Call) -> None:
    for name in ("a-broken", "m-broken"):
        (another_spot(swept, name) / "spot.yaml").write_text("id: [")
    change(spot(swept, TEA))
    code, states, said = batch(clearspot, swept, "--max-failures", "2")
    assert (code, said["not_begun"]) == (2, [str(spot(swept, TEA))])
    assert states == {"a-broken": "failed", COCOA: "unchanged", "lumen-coffee": "unchanged", "m-broken": "failed"}
    assert batch(clearspot, swept, "--max-failures", "3")[1][TEA] == "made"


def test_the_table_names_what_was_not_begun(swept: Scene, clearspot: Call) -> None:
    (another_spot(swept, "a-broken") / "spot.yaml").write_text("id: [")
    code, out, _ = clearspot(*command(swept, "--max-failures", "1"))
    assert (code, list(rows(out))) == (2, ["spot", "a-broken", *NAMES])
    assert [rows(out)[name] for name in NAMES] == [["not", "begun"]] * 3


# --- what it does not take ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("only", [("--locale", "es-ES"), ("--profile", "podcast")])
def test_one_locale_or_profile_is_for_one_spot(swept: Scene, clearspot: Call, only: tuple[str, str]) -> None:
    change(spot(swept, TEA))
    code, out, err = clearspot(*command(swept, *only))
    assert (code, out) == (2, "")
    assert err.startswith("clearspot: --locale, --profile: is for one spot. Name a spot below ")
    assert swept.studio.voice.asked == []


def test_no_failures_at_all_cannot_be_asked_for(swept: Scene, clearspot: Call) -> None:
    assert clearspot(*command(swept, "--max-failures", "0"))[:2] == (2, "")


@pytest.mark.parametrize("case", ["empty", "nowhere", "hidden"])
def test_a_folder_without_spots_says_what_to_do(swept: Scene, clearspot: Call, case: str, tmp_path: Path) -> None:
    """A spot in a hidden folder is none."""
    root = tmp_path / case
    if case != "nowhere":
        root.mkdir()
    if case == "hidden":
        swept.spot.rename(root / ".lumen-coffee")
    code, out, err = clearspot("run", root, "--runner", "inline", "--out", swept.out)
    assert (code, out) == (2, "")
    assert err.startswith(f"clearspot: {root}")
    assert "spot.yaml" in err


def test_a_schedule_of_its_own_keeps_no_spot_from_a_run(swept: Scene, clearspot: Call) -> None:
    edit(spot(swept, TEA) / "spot.yaml", "medium:", "schedule: {interval_s: 60}\nmedium:")
    change(spot(swept, TEA))
    assert batch(clearspot, swept)[:2] == (0, UNCHANGED | {TEA: "made"})


def test_a_spot_that_another_run_has_is_not_what_was_asked_for(swept: Scene, clearspot: Call) -> None:
    """A sweep may pass over it; here somebody waits for the files."""
    change(spot(swept, TEA))
    with spot_lock(swept.project, swept.out / "lumen-tea"):
        code, states, said = batch(clearspot, swept)
    assert (code, states[TEA]) == (3, "under way")
    (told,) = [one for one in said["spots"] if one["error"]]
    assert told["error"]["what"] == "another run works on this spot."
