"""A sweep over many spots: what changed is made, one bad spot stops no other, and nothing is done or told twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from clearspot import inline, job
from clearspot.errors import BadInput
from clearspot.sweep import Result, find_spots, sweep
from clearspot.work import Hands
from tests.change_scenes import (
    COCOA,
    NAMES,
    TEA,
    UNCHANGED,
    Call,
    another_spot,
    approve,
    change,
    everything,
    logged,
    new_words,
    serve,
    spot,
    swept_before,
)
from tests.conftest import Scene, edit


@pytest.fixture
def swept(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """Three spots, one of them further down, all of them made by a sweep."""
    return swept_before(scene, tmp_path_factory.getbasetemp(), clearspot)


# --- which spots there are ---------------------------------------------------------------------------------------


def test_spots_are_found_wherever_they_lie(tmp_path: Path) -> None:
    """Not in hidden folders, and not in a spot: what is in there is its own."""
    for name in ("b", "a/z/deep/down", "a/b", "c/.git", ".hidden", "b/old", "b/.new", "lumen", "lumen/translations"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "spot.yaml").touch()
    (tmp_path / "no spot").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "spot.yaml.old").touch()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    found = [str(folder.relative_to(tmp_path)) for folder in find_spots(tmp_path)]
    assert found == ["a/b", "a/z/deep/down", "b", "lumen"]


def test_a_root_may_be_a_spot_itself_or_hold_none(tmp_path: Path) -> None:
    assert [*find_spots(tmp_path)] == []
    (tmp_path / "spot.yaml").touch()
    (tmp_path / "in it").mkdir()
    (tmp_path / "in it" / "spot.yaml").touch()
    assert [*find_spots(tmp_path)] == [tmp_path]


def test_no_such_root_is_bad_input(tmp_path: Path, swept: Scene, clearspot: Call) -> None:
    with pytest.raises(BadInput, match=r"there is no such folder\. Name the folder that holds the spots\."):
        [*find_spots(tmp_path / "nowhere")]
    shutil.rmtree(swept.project.root / "spots")
    code, out, err = clearspot("serve", "--once")
    assert (code, out) == (2, "")
    assert err.startswith(f"clearspot: {swept.project.root / 'spots'}: there is no such folder.")


# --- only what changed -------------------------------------------------------------------------------------------


def test_where_nothing_changed_nothing_is_done(swept: Scene, clearspot: Call) -> None:
    before = everything(swept.out, swept.project.store_dir, swept.project.audit_dir / "log.jsonl")
    assert serve(clearspot)[:2] == (0, UNCHANGED)
    assert clearspot("serve", "--once") == (0, "3 spots, 0 made again, 0 not in order\n", "")
    assert everything(swept.out, swept.project.store_dir, swept.project.audit_dir / "log.jsonl") == before
    assert (swept.studio.voice.asked, swept.listener.heard) == ([], 0)


def test_only_the_changed_spot_is_made(swept: Scene, clearspot: Call) -> None:
    change(spot(swept, TEA))
    before = everything(*(swept.out / name for name in ("lumen-coffee", COCOA)))
    code, out, err = clearspot("serve", "--once")
    assert (code, err) == (0, "")
    assert out == (f"{spot(swept, TEA)}: made (line `offer` changed in es-ES)\n3 spots, 1 made again, 0 not in order\n")
    assert [(locale, rate) for locale, _, rate in swept.studio.voice.asked] == [("es-ES", 1.0)]
    assert everything(*(swept.out / name for name in ("lumen-coffee", COCOA))) == before
    assert serve(clearspot)[:2] == (0, UNCHANGED)


def test_a_new_spot_is_made_also_one_with_a_schedule_of_its_own(swept: Scene, clearspot: Call) -> None:
    """Who starts a sweep by hand, or by cron, means all of them."""
    folder = another_spot(swept, "lumen-mate", below="teas/cold")
    edit(folder / "spot.yaml", "medium:", "schedule: {interval_s: 60}\nmedium:")
    code, states, spots = serve(clearspot)
    assert (code, states) == (0, UNCHANGED | {"teas/cold/lumen-mate": "made"})
    (one,) = spots["teas/cold/lumen-mate"]["deliverables"]
    assert (one["verdict"], Path(one["path"]).is_file()) == ("cleared", True)
    assert spots["teas/cold/lumen-mate"]["why"] == ["never made"]


# --- a bad spot --------------------------------------------------------------------------------------------------


def no_consent(scene: Scene, folder: Path) -> None:
    voice = scene.project.root / "voices" / "nora"
    voice.mkdir(parents=True, exist_ok=True)
    text = (scene.project.voice_folders()["house"] / "voice.yaml").read_text(encoding="utf-8")
    (voice / "voice.yaml").write_text(text.replace("id: house", "id: nora"), encoding="utf-8")
    edit(folder / "spot.yaml", "voice: house", "voice: nora")


def in_the_way(scene: Scene, folder: Path) -> None:
    scene.out.joinpath(folder.name).write_bytes(b"a file where a folder should be")


Spoil = Callable[[Scene, Path], object]
BAD: dict[str, tuple[Spoil, int, str, str]] = {
    "broken": (lambda _, folder: (folder / "spot.yaml").write_text("id: ["), 2, "failed", "spot.yaml, line 1"),
    "binary": (lambda _, folder: (folder / "script.yaml").write_bytes(bytes(256)), 2, "failed", "script.yaml: "),
    "mute": (lambda _, folder: (folder / "recording.flac").unlink(), 2, "failed", "no file 'recording.flac'"),
    "strange": (
        lambda _, folder: edit(folder / "spot.yaml", "podcast", "vinyl"), 2, "failed", "no delivery profile 'vinyl'"
    ),
    "nobody": (lambda _, folder: edit(folder / "spot.yaml", "house", "nobody"), 2, "failed", "no voice 'nobody'"),
    "noise": (
        lambda _, folder: (folder / "recording.flac").write_bytes(b"noise"), 2, "not exported", "recording.flac: "
    ),
    "taken": (no_consent, 1, "not exported", "voice 'nora' has no consent record"),
    "unread": (lambda _, folder: new_words(folder), 1, "not exported", "not approved in es-ES: offer"),
    "in-the-way": (in_the_way, 3, "not exported", "Not a directory"),
}  # fmt: skip


def test_bad_spots_stop_no_other_and_the_worst_is_the_exit_code(swept: Scene, clearspot: Call) -> None:
    for name, (spoil, *_) in BAD.items():
        spoil(swept, another_spot(swept, name))
    change(spot(swept, TEA))
    code, states, spots = serve(clearspot)
    assert states == UNCHANGED | {TEA: "made"} | {name: state for name, (_, _, state, _) in BAD.items()}
    assert code == 3
    for name, (_, _, _, told) in BAD.items():
        errors = [spots[name]["error"], *(one["error"] for one in spots[name]["deliverables"])]
        assert told in "; ".join(f"{error['where']}: {error['what']}" for error in errors if error), name


@pytest.mark.parametrize("case", ["broken", "noise", "taken", "in-the-way"])
def test_the_exit_code_says_what_is_wrong(swept: Scene, clearspot: Call, case: str) -> None:
    spoil, exit_code, state, _ = BAD[case]
    spoil(swept, another_spot(swept, case))
    code, out, err = clearspot("serve", "--once")
    assert code == exit_code
    assert out.splitlines()[-1] == "4 spots, 0 made again, 1 not in order"
    assert f"/spots/{case}: {state}" in out
    problems = [line for line in err.splitlines() if not line.startswith("clearspot: warning: ")]
    assert len(problems) == 1, "each problem is told once, in one line"
    assert problems[0].startswith("clearspot: ")
    warned = [told for told in err.splitlines() if told not in problems]
    assert ["the report was not written" in told for told in warned] == [True] * (case == "in-the-way")


# --- once is enough ----------------------------------------------------------------------------------------------


def test_a_spot_that_waits_for_a_sign_off_is_no_failure(swept: Scene, clearspot: Call) -> None:
    """What was approved before stays; what is missing is said, at every sweep, and nothing is tried."""
    new_words(spot(swept, TEA))
    before = everything(swept.out)
    for _ in range(2):
        code, states, spots = serve(clearspot)
        assert (code, states) == (0, UNCHANGED | {TEA: "waiting"})
        assert "not approved in es-ES: offer: " in spots[TEA]["why"][0]
        assert spots[TEA]["deliverables"] == []
    assert everything(swept.out) == before
    approve(spot(swept, TEA))
    assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: "made"})


def refused_at_the_gate(scene: Scene) -> None:
    change(spot(scene, TEA))
    scene.deaf_to = "Oferta"


def out_of_scope(scene: Scene) -> None:
    edit(spot(scene, TEA) / "spot.yaml", "medium: radio", "medium: podcast")
    scene.resign("media: any", "media: [radio]")


def never_signed_off(scene: Scene) -> None:
    shutil.rmtree(scene.out / "lumen-tea")
    new_words(spot(scene, TEA))


REFUSED: dict[str, tuple[Callable[[Scene], object], str, str]] = {
    "by the gate": (refused_at_the_gate, "the gate refused it: lines-heard", "unchanged"),
    "by the voice's consent": (out_of_scope, "scope.media: asked 'podcast', allowed 'radio'", "unchanged"),
    "for want of a sign-off": (never_signed_off, "not approved in es-ES: offer", "waiting"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_spot_is_told_once_and_not_tried_until_something_changes(
    swept: Scene, clearspot: Call, case: str
) -> None:
    refuse, told, then = REFUSED[case]
    refuse(swept)
    code, states, spots = serve(clearspot)
    assert (code, states[TEA]) == (1, "not exported")
    assert told in spots[TEA]["deliverables"][0]["error"]["what"]
    assert not [*swept.out.rglob("lumen-tea*.mp3")]
    heard, entries = swept.listener.heard, len([*logged(swept.project, "refusal")])
    for _ in range(2):
        assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: then})
    assert (swept.listener.heard, len([*logged(swept.project, "refusal")])) == (heard, entries)
    swept.deaf_to = ""
    edit(spot(swept, TEA) / "spot.yaml", "bed: bed.flac\n", "")
    if case != "by the gate":
        edit(spot(swept, TEA) / "spot.yaml", "medium: ", "medium: radio # ")
    approve(spot(swept, TEA))
    assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: "made"})


def test_consent_that_ended_takes_down_what_lies_there_once(swept: Scene, clearspot: Call) -> None:
    assert clearspot("voices", "revoke", "house", "--reason", "We parted.", "--yes")[0] == 0
    code, states, _ = serve(clearspot)
    assert (code, states) == (1, dict.fromkeys(NAMES, "not exported"))
    assert not [path for path in swept.out.rglob("*") if path.suffix in {".mp3", ".m4a"}]
    assert serve(clearspot)[:2] == (0, UNCHANGED)
    assert swept.studio.voice.asked == []


# --- one at a time -----------------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from clearspot.locks import spot_lock
from clearspot.project import Project, Settings

with spot_lock(Project(Path(sys.argv[1]), Settings()), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_spot_that_another_process_makes_is_passed_over(swept: Scene, clearspot: Call) -> None:
    """Whoever makes it tells what comes of it."""
    for name in (TEA, COCOA):
        change(spot(swept, name))
    command = [sys.executable, "-c", HOLDER, str(swept.project.root), str(swept.out / "lumen-tea")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        before = everything(swept.out / "lumen-tea")
        code, states, spots = serve(clearspot)
        assert (code, states) == (0, UNCHANGED | {TEA: "under way", COCOA: "made"})
        assert spots[TEA]["error"]["what"] == "another run works on this spot."
        assert everything(swept.out / "lumen-tea") == before
    finally:
        holder.communicate("\n", timeout=10)
    assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: "made"})


def test_of_two_sweeps_at_once_each_deliverable_is_exported_once(swept: Scene, clearspot: Call) -> None:
    for name in (TEA, COCOA):
        change(spot(swept, name))
    before = Counter(one["path"] for one in logged(swept.project, "export"))
    found: dict[int, list[Result]] = {0: [], 1: []}
    gate = threading.Barrier(2)

    def go(number: int) -> None:
        studio = job.open_studio(swept.project)
        desk = job.open_desk(swept.project, studio)
        gate.wait(10)
        found[number] = [*sweep(desk, find_spots(swept.project.sweep_root), swept.project.sweep_out, Hands(inline.run))]
        studio.stop()

    threads = [threading.Thread(target=go, args=(number,)) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    new = Counter(one["path"] for one in logged(swept.project, "export")) - before
    assert {Path(path).name: count for path, count in new.items()} == {
        "lumen-tea_es-ES_podcast.mp3": 1,
        "lumen-cocoa_es-ES_podcast.mp3": 1,
    }
    states = {result.state for results in found.values() for result in results}
    assert states <= {"unchanged", "made", "under way"}
    assert serve(clearspot)[:2] == (0, UNCHANGED)


def test_the_store_is_not_read_through_after_every_spot(
    swept: Scene, monkeypatch: pytest.MonkeyPatch, clearspot: Call
) -> None:
    """With a thousand spots that would be a thousand times all of it; with one it is once, as ever."""
    from clearspot.store import Store, Swept

    sweeps: list[Store] = []
    monkeypatch.setattr(Store, "sweep", lambda self: (sweeps.append(self), Swept(0, 0))[1])
    for name in NAMES:
        change(spot(swept, name))
    clearspot("run", swept.project.sweep_root, "--runner", "inline", "--out", swept.out, "--json")
    assert len(sweeps) == 1


def swept_side_by_side(swept: Scene, at_once: int, go_on: Callable[[], bool]) -> list[Result]:
    for name in NAMES:
        change(spot(swept, name))
    studio = job.open_studio(swept.project)
    desk = job.open_desk(swept.project, studio)
    folders = find_spots(swept.project.sweep_root)
    return [*sweep(desk, folders, swept.out, Hands(inline.run, at_once), go_on=go_on)]


def test_spots_side_by_side_come_to_the_same(swept: Scene, clearspot: Call) -> None:
    results = swept_side_by_side(swept, 2, lambda: True)
    assert sorted((result.folder.name, result.state) for result in results) == [
        (Path(name).name, "made") for name in sorted(NAMES, key=lambda name: Path(name).name)
    ]
    assert serve(clearspot)[:2] == (0, UNCHANGED)


def test_side_by_side_too_none_begins_that_is_not_wanted_and_none_is_lost(swept: Scene) -> None:
    asked: list[int] = []

    def twice() -> bool:
        asked.append(1)
        return len(asked) <= 2

    assert [result.state for result in swept_side_by_side(swept, 2, twice)] == ["made", "made"]
