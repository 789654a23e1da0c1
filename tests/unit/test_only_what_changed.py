"""A run makes what changed and leaves the rest as it is, byte for byte; a store is a help and never a danger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearspot.errors import MachineFault
from clearspot.project import Project, find_project
from clearspot.shelves import Folder
from tests.change_scenes import (
    LINES,
    Call,
    another_spot,
    approve,
    begun,
    change,
    change_source,
    essences,
    everything,
    keep_caches,
    logged,
    made,
    made_before,
    make_small,
    records,
    reencode,
    run,
    sine,
    verdicts,
)
from tests.conftest import Scene, edit

YES = ("--reason", "We parted.", "--yes")
ONE = ("--locale", "es-ES", "--profile", "podcast")
SPANISH = "lumen-coffee_es-ES_podcast"
NEW_OFFER = "Hasta el domingo, te ahorras un treinta por ciento en tu primer pedido en lumencoffee punto com."


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def of_stage(project: Project, stage: str) -> dict[str, str]:
    """What the store has of a stage: the digest of each result by its key."""
    return {key: record["output"] for key, record in records(project).items() if record["stage"] == stage}


def results(project: Project) -> dict[str, Any]:
    """What the store has: the stage and the digest of each result by its key."""
    return {key: (record["stage"], record["output"]) for key, record in records(project).items()}


# --- exactly what changed ----------------------------------------------------------------------------------------


def test_of_a_changed_line_only_that_line_is_spoken(there: Scene, clearspot: Call) -> None:
    """No other clip is another, and no byte of another locale is written."""
    clips, before = of_stage(there.project, "speak"), everything(there.out / "lumen-coffee" / "it-IT")
    sound = essences(there.out)
    assert (len(clips), len(before)) == (2 * (1 + len(LINES)), 12)
    change(there.spot)
    code, report = run(clearspot, there)
    assert (code, there.studio.voice.asked) == (0, [("es-ES", NEW_OFFER, 1.0)])
    now = of_stage(there.project, "speak")
    assert clips.items() <= now.items()
    assert len(now) == len(clips) + 1
    assert everything(there.out / "lumen-coffee" / "it-IT") == before
    assert {name for name, essence in essences(there.out).items() if essence != sound[name]} == {
        SPANISH,
        "lumen-coffee_es-ES_stream",
    }
    assert verdicts(report) == {
        "es-ES podcast": "cleared", "es-ES stream": "cleared", "it-IT podcast": "kept", "it-IT stream": "kept",
    }  # fmt: skip


def test_a_line_that_is_changed_back_is_not_spoken_again(there: Scene, clearspot: Call) -> None:
    sound = essences(there.out)
    for old, new in (("ahorra un 30 %", "te ahorras un 30 %"), ("te ahorras un 30 %", "ahorra un 30 %")):
        edit(there.spot / "translations" / "es-ES.yaml", old, new)
        approve(there.spot)
        assert run(clearspot, there, *ONE)[0] == 0
    assert there.studio.voice.asked == [("es-ES", NEW_OFFER, 1.0)]
    assert essences(there.out) == sound


MIXED = {"es-ES mix", "es-ES encode podcast", "es-ES encode stream"}
NOTHING_SPOKEN: dict[str, tuple[Callable[[Scene], object], set[str], int]] = {
    "a new bed": (lambda scene: sine(scene.spot / "bed.flac", 550, 5), MIXED, 2),
    "another delivery profile": (
        lambda scene: scene.config("profiles/podcast.yaml", "192", "256"), {"es-ES encode podcast"}, 1
    ),
    "a profile more": (
        lambda scene: edit(scene.spot / "spot.yaml", "podcast, stream", "podcast, stream, web"), {"es-ES encode web"}, 1
    ),
    "consent, renewed": (lambda scene: scene.resign("contact: the issue tracker", "contact: somebody at"), set(), 2),
    "other bytes of the same recording": (reencode, {"transcribe"}, 3),
    "a line of the script, its translations as before": (change_source, {"align"}, 2),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING_SPOKEN)
def test_nothing_is_spoken_for_what_is_not_speech(
    there: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """And where a stage gives what it gave before, nothing after it is done: only new files are listened to."""
    change_it, makes, listened = NOTHING_SPOKEN[case]
    caches = keep_caches(monkeypatch)
    change_it(there)
    code, _ = run(clearspot, there, "--locale", "es-ES")
    assert (code, there.studio.voice.asked, made(caches[-1])) == (0, [], makes)
    assert there.listener.heard == listened


def test_a_new_file_has_its_own_papers_whatever_came_from_the_store(there: Scene, clearspot: Call) -> None:
    """Its sound may be an old one. Its id, its receipt and its entry in the log never are."""
    folder = there.out / "lumen-coffee" / "es-ES"
    before = json.loads((folder / f"{SPANISH}.receipt.json").read_text())["receipt"]
    (folder / f"{SPANISH}.mp3").unlink()
    assert run(clearspot, there, *ONE)[0] == 0
    after = json.loads((folder / f"{SPANISH}.receipt.json").read_text())["receipt"]
    assert after["essence_sha256"] == before["essence_sha256"]
    assert after["ingredients"] == before["ingredients"]
    assert after["clearance"]["unique_id"] != before["clearance"]["unique_id"]
    assert after["audit"]["entry"] > before["audit"]["entry"]


# --- two spots, one store ----------------------------------------------------------------------------------------


def test_what_two_spots_say_is_spoken_once_under_leave_for_each(there: Scene, clearspot: Call) -> None:
    other = another_spot(there, "lumen-tea")
    granted = len([*logged(there.project, "grant")])
    assert run(clearspot, there, other)[0] == 0
    assert there.studio.voice.asked == []
    asked = [(one["spot"], one["step"], one["locale"]) for one in [*logged(there.project, "grant")][granted:]]
    assert {("lumen-tea", "speak", "es-ES"), ("lumen-tea", "export", "es-ES")} <= {*asked}
    assert {spot for spot, _, _ in asked} == {"lumen-tea"}
    sound = essences(there.out)
    assert sound["lumen-tea_es-ES_podcast"] == sound[SPANISH]


def test_stored_clips_of_a_revoked_voice_are_not_served(there: Scene, clearspot: Call) -> None:
    """They are there, and consent is asked every time."""
    other = another_spot(there, "lumen-tea")
    assert clearspot("voices", "revoke", "house", *YES)[0] == 0
    code, report = run(clearspot, there, other)
    assert (code, verdicts(report), there.studio.voice.asked) == (1, {"es-ES podcast": "refused"}, [])
    assert "was revoked on" in report["deliverables"][0]["error"]["what"]
    left = {path.name for path in (there.out / "lumen-tea").rglob("*") if path.is_file()}
    assert left == {"lumen-tea_es-ES_podcast.refusal.json", "report.html", "run.json"}
    assert not [one for one in logged(there.project, "export") if one["spot"] == "lumen-tea"]


# --- a store is never needed -------------------------------------------------------------------------------------


def unpublish(scene: Scene) -> dict[str, str]:
    """Take away what was published; gives what it sounded like."""
    sound = essences(scene.out)
    shutil.rmtree(scene.out)
    return sound


def test_without_its_store_everything_is_made_again_and_sounds_the_same(there: Scene, clearspot: Call) -> None:
    before = results(there.project)
    sound = unpublish(there)
    shutil.rmtree(there.project.store_dir)
    assert run(clearspot, there, *ONE)[0] == 0
    assert len(there.studio.voice.asked) == 1 + len(LINES)
    assert essences(there.out).items() <= sound.items()
    assert results(there.project).items() <= before.items()


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


SPOILT: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "blobs with a bit flipped": ("blobs", flipped),
    "blobs cut in half": ("blobs", lambda data: data[: len(data) // 2]),
    "blobs gone": ("blobs", lambda data: None),
    "records with a bit flipped": ("records", flipped),
    "records emptied": ("records", lambda data: b""),
    "every second record gone": ("records", lambda data: None if data[-3] % 2 else data),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_damaged_store_costs_time_and_nothing_else(there: Scene, clearspot: Call, case: str) -> None:
    shelf, spoil = SPOILT[case]
    sound = {name: essence for name, essence in unpublish(there).items() if name == SPANISH}
    for path in sorted((there.project.store_dir / shelf).rglob("*")):
        if path.is_file() and (data := spoil(path.read_bytes())) is not None:
            path.write_bytes(data)
        elif path.is_file():
            path.unlink()
    code, out, err = clearspot("run", there.spot, "--runner", "inline", "--out", there.out, "--json", *ONE)
    assert (code, err, essences(there.out)) == (0, "", sound), out


@pytest.mark.parametrize("calls", [0, 1, 7, 17])
def test_a_store_that_cannot_be_written_any_more_is_told_once(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """The disk is full from some write on: the run goes on, without it."""
    make_small(scene)
    write, left = Folder.write, iter(range(calls))

    def write_while_there_is_room(shelf: Folder, name: str, data: bytes) -> None:
        if next(left, None) is None:
            raise MachineFault("cannot be written: No space left on device.", where=name)
        write(shelf, name, data)

    monkeypatch.setattr(Folder, "write", write_while_there_is_room)
    code, out, err = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out, *ONE)
    assert (code, essences(scene.out).keys()) == (0, {SPANISH}), out
    assert err.count("the store is not used for the rest of this run: cannot be written") == 1
    assert err.count("warning") == 1


# --- equal inputs, equal keys ------------------------------------------------------------------------------------


def test_two_projects_come_to_the_same_keys_and_bytes(
    there: Scene, clearspot: Call, keyed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No path, no time and no number of workers is in a key: machines may share a store."""
    elsewhere = tmp_path / "elsewhere" / "another project"
    shutil.copytree(keyed_project, elsewhere)
    spot = shutil.copytree(there.spot, elsewhere / "spot")
    monkeypatch.setenv("CLEARSPOT_PROJECT", str(elsewhere))
    other = begun(Scene(find_project(), spot, there.studio, tmp_path / "other-out"))
    assert run(clearspot, other, *ONE)[0] == 0
    assert len(results(other.project)) == 9
    assert results(other.project).items() <= results(there.project).items()
    assert essences(other.out).items() <= essences(there.out).items()
