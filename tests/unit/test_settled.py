"""What is settled stays settled: a refusal is told once, and one spot's or profile's trouble is no other's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearspot import delivery
from clearspot.project import shipped
from tests.change_scenes import (
    COCOA,
    LOCALES,
    TEA,
    UNCHANGED,
    Call,
    again,
    another_spot,
    approve,
    change,
    logged,
    made_before,
    new_words,
    plan,
    run,
    serve,
    sine,
    spot,
    states,
    swept_before,
)
from tests.conftest import Scene, edit

SPANISH = ("--locale", "es-ES")
ONE = (*SPANISH, "--profile", "podcast")
STEM = "lumen-coffee_es-ES_podcast"
MATE = "lumen-mate"


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


@pytest.fixture
def swept(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """Three spots, one of them further down, all of them made by a sweep."""
    return swept_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def spanish(scene: Scene) -> Path:
    """Where the Spanish files lie."""
    return scene.out / "lumen-coffee" / "es-ES"


def media(scene: Scene, name: str) -> list[str]:
    """The sounds of a spot under their final names."""
    return sorted(path.name for path in (scene.out / name).rglob("*.mp3"))


# --- told once ---------------------------------------------------------------------------------------------------


def untranslated(_: Scene, folder: Path) -> None:
    edit(folder / "translations" / "es-ES.yaml", "  offer:", "#  offer:")


def translated(_: Scene, folder: Path) -> None:
    edit(folder / "translations" / "es-ES.yaml", "#  offer:", "  offer:")


def recording_of_other_words(scene: Scene, folder: Path) -> None:
    scene.hear({"offer": "Bananas are cheap at the harbour every second Thursday of the month"})
    sine(folder / "recording.flac", 221, 12)


def recorded_again(scene: Scene, folder: Path) -> None:
    scene.hear()
    sine(folder / "recording.flac", 222, 12)


def too_short(_: Scene, folder: Path) -> None:
    edit(folder / "spot.yaml", "medium:", "duration_s: 3\nmedium:")


def long_enough(_: Scene, folder: Path) -> None:
    edit(folder / "spot.yaml", "duration_s: 3\n", "")


def out_of_scope_and_unsigned(scene: Scene, folder: Path) -> None:
    edit(folder / "spot.yaml", "medium: radio", "medium: podcast")
    new_words(folder)
    scene.resign("media: any", "media: [radio]")


def in_scope_and_signed(_: Scene, folder: Path) -> None:
    edit(folder / "spot.yaml", "medium: podcast", "medium: radio")
    approve(folder)


Do = Callable[[Scene, Path], object]
REFUSED: dict[str, tuple[Do, str, str, Do]] = {
    "a line that nobody translated": (untranslated, "offer", "waiting", translated),
    "a recording of other words": (recording_of_other_words, "offer", "unchanged", recorded_again),
    "words that do not fit": (too_short, "3.0", "unchanged", long_enough),
    "two things at once": (out_of_scope_and_unsigned, "not approved in es-ES: offer", "unchanged", in_scope_and_signed),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_once_and_tried_again_when_something_changes(
    swept: Scene, clearspot: Call, case: str
) -> None:
    """Also where it comes to nothing half-way: a sweep every ten minutes would tell it 144 times a day."""
    spoil, told, then, mend = REFUSED[case]
    folder = another_spot(swept, MATE)
    spoil(swept, folder)
    code, now, spots = serve(clearspot)
    assert (code, now[MATE]) == (1, "not exported")
    (one,) = spots[MATE]["deliverables"]
    assert (one["verdict"], media(swept, MATE)) == ("refused", [])
    assert told in f"{one['error']['where']}: {one['error']['what']}"
    heard, spoken = swept.listener.heard, len(swept.studio.voice.asked)
    entries = len([*logged(swept.project, "refusal")])
    for _ in range(2):
        code, now, _ = serve(clearspot)
        assert (code, now[MATE]) == (0, then)
    assert (swept.listener.heard, len(swept.studio.voice.asked)) == (heard, spoken)
    assert len([*logged(swept.project, "refusal")]) == entries
    mend(swept, folder)
    code, now, _ = serve(clearspot)
    assert (code, now[MATE], media(swept, MATE)) == (0, "made", [f"{MATE}_es-ES_podcast.mp3"])


def test_consent_that_ends_where_it_did_not_cover_the_spot(swept: Scene, clearspot: Call) -> None:
    """Two things stand against it then, and a run only gets to the first of them: both are known the next time."""
    folder = another_spot(swept, MATE)
    edit(folder / "spot.yaml", "medium: radio", "medium: podcast")
    swept.resign("media: any", "media: [radio]")
    assert clearspot("voices", "revoke", "house", "--reason", "We parted.", "--yes")[0] == 0
    assert serve(clearspot)[0] == 1
    assert serve(clearspot)[:2] == (0, UNCHANGED | {MATE: "unchanged"})


def test_another_reason_is_told_again(swept: Scene, clearspot: Call) -> None:
    """It is the same spot that may not be made, and not the same that somebody has to mend."""
    folder = another_spot(swept, MATE)
    new_words(folder)
    assert serve(clearspot)[0] == 1
    assert serve(clearspot)[:2] == (0, UNCHANGED | {MATE: "waiting"})
    edit(folder / "translations" / "es-ES.yaml", "te ahorras un 30 %", "se ahorra un 30 %")
    code, now, spots = serve(clearspot)
    assert (code, now[MATE]) == (1, "not exported")
    assert "se ahorra" in spots[MATE]["deliverables"][0]["error"]["what"]
    assert serve(clearspot)[:2] == (0, UNCHANGED | {MATE: "waiting"})


def test_a_sign_off_withdrawn_while_it_was_made_and_given_back(
    there: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate refused it for a yes that was missing then: nothing it is made from has to change for another try."""
    path, gather = there.spot / "approvals.yaml", delivery.gather
    before = path.read_bytes()

    def withdraw_meanwhile(*given: Any, **named: Any) -> Any:
        heard = gather(*given, **named)
        edit(path, "  es-ES:\n    hello:", "  es-ES:\n    hullo:")
        return heard

    (spanish(there) / f"{STEM}.mp3").unlink()
    monkeypatch.setattr(delivery, "gather", withdraw_meanwhile)
    code, report = run(clearspot, there, *ONE)
    assert (code, "translation-approved" in report["deliverables"][0]["error"]["what"]) == (1, True)
    monkeypatch.setattr(delivery, "gather", gather)
    path.write_bytes(before)
    said = plan(clearspot, there, *ONE)
    assert (states(said), said["empty"]) == ({"es-ES podcast": ("again", ("it was refused",))}, False)
    assert run(clearspot, there, *ONE)[0] == 0
    assert plan(clearspot, there, *ONE)["empty"] is True


# --- new words that wait -----------------------------------------------------------------------------------------


def test_a_run_that_somebody_asks_for_withdraws_what_waits(there: Scene, clearspot: Call) -> None:
    """An empty plan is one where a sweep finds nothing to do. Who runs it all the same is told why it is refused."""
    new_words(there.spot)
    assert plan(clearspot, there)["empty"] is True
    code, report = run(clearspot, there)
    assert code == 1
    assert {one["locale"]: one["verdict"] for one in report["deliverables"]} == {"es-ES": "refused", "it-IT": "kept"}
    left = {path.name for path in spanish(there).iterdir()}
    assert (f"{STEM}.mp3" in left, f"{STEM}.mp3.withdrawn" in left) == (False, True)
    assert plan(clearspot, there)["empty"] is True


def test_a_damaged_file_is_not_left_there_while_new_words_wait(swept: Scene, clearspot: Call) -> None:
    """What was approved may stay; what somebody put in its place may not."""
    new_words(spot(swept, TEA))
    assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: "waiting"})
    (swept.out / "lumen-tea" / "es-ES" / "lumen-tea_es-ES_podcast.mp3").write_bytes(b"not ours")
    assert clearspot("plan", spot(swept, TEA), "--out", swept.out, "--json")[1].count('"empty": false') == 1
    code, now, _ = serve(clearspot)
    assert (code, now[TEA], media(swept, "lumen-tea")) == (1, "not exported", [])
    assert serve(clearspot)[:2] == (0, UNCHANGED | {TEA: "waiting"})


# --- one spot's trouble, one profile's reasons -------------------------------------------------------------------


def test_a_spot_that_cannot_even_be_refused_stops_no_other(swept: Scene, clearspot: Call) -> None:
    """No refusal can be written where a file lies in place of its folder."""
    new_words(another_spot(swept, "aaa"))
    (swept.out / "aaa").mkdir()
    (swept.out / "aaa" / "es-ES").write_bytes(b"")
    change(spot(swept, TEA))
    code, now, spots = serve(clearspot)
    assert (code, now) == (3, UNCHANGED | {"aaa": "not exported", TEA: "made"})
    (one,) = spots["aaa"]["deliverables"]
    assert (one["verdict"], "cannot be written" in one["error"]["what"]) == ("machine-fault", True)


def test_two_spots_of_one_id(swept: Scene, clearspot: Call) -> None:
    """They would take each other's place at every sweep: the second is not made, and the first is left as it is."""
    change(another_spot(swept, "lumen-tea"))
    (swept.project.root / "spots" / "teas").rename(swept.project.root / "spots" / "a-teas")
    for _ in range(2):
        code, now, spots = serve(clearspot)
        assert (code, now) == (
            2,
            {COCOA: "unchanged", "lumen-coffee": "unchanged", "a-teas/lumen-tea": "unchanged", "lumen-tea": "failed"},
        )
        assert "two spots are called 'lumen-tea'" in spots["lumen-tea"]["error"]["what"]
        assert spots["lumen-tea"]["error"]["where"].endswith("spots/lumen-tea/spot.yaml: id")


def test_warnings_of_a_sweep_are_told(swept: Scene, clearspot: Call) -> None:
    """What was made is whole; somebody should hear all the same that every sweep is slow from now on."""
    change(spot(swept, TEA))
    shutil.rmtree(swept.project.store_dir)
    swept.project.store_dir.write_bytes(b"a file where a folder should be")
    code, out, err = clearspot("serve", "--once")
    assert (code, out.splitlines()[-1]) == (0, "3 spots, 1 made again, 0 not in order")
    assert err.startswith("clearspot: warning: ")
    assert err.count("the store is not used for the rest of this run") == 1


def test_warnings_of_a_sweep_are_told_to_machines(swept: Scene, clearspot: Call) -> None:
    change(spot(swept, TEA))
    shutil.rmtree(swept.project.store_dir)
    swept.project.store_dir.write_bytes(b"a file where a folder should be")
    _, now, spots = serve(clearspot)
    assert now == UNCHANGED | {TEA: "made"}
    (warning,) = spots[TEA]["warnings"]
    assert (warning["kind"], "the store is not used" in warning["what"]) == ("machine-fault", True)


def test_reasons_of_one_profile_are_not_anothers(there: Scene, clearspot: Call) -> None:
    for name in ("podcast", "stream"):
        there.config(f"profiles/{name}.yaml", "192", "256")
    told = {f"es-ES encode {name}": (f"delivery profile {name} changed",) for name in ("podcast", "stream")}
    assert again(plan(clearspot, there, *SPANISH)) == told


def test_a_new_profile_has_no_reasons_of_those_before_it(there: Scene, clearspot: Call) -> None:
    there.config("profiles/podcast.yaml", "192", "256")
    edit(there.spot / "spot.yaml", "podcast, stream", "podcast, stream, web")
    assert again(plan(clearspot, there, *SPANISH)) == {
        "es-ES encode podcast": ("delivery profile podcast changed",),
        "es-ES encode web": ("it is not in the store",),
    }


# --- what lies there under another name --------------------------------------------------------------------------


def test_the_receipt_of_another_profile_vouches_for_nothing(there: Scene, clearspot: Call) -> None:
    """It is ours, signed and whole, and made from the very same: a profile that is a copy of another."""
    profiles = there.project.root / "configs" / "profiles"
    profiles.mkdir(parents=True)
    shutil.copy(shipped("configs") / "profiles" / "podcast.yaml", profiles / "twin.yaml")
    edit(there.spot / "spot.yaml", "podcast, stream", "podcast, stream, twin")
    shutil.copy(spanish(there) / f"{STEM}.receipt.json", spanish(there) / "lumen-coffee_es-ES_twin.receipt.json")
    said = states(plan(clearspot, there))
    assert said["es-ES twin"] == ("again", ("its receipt is of another file",))
    assert {said[f"{locale} {profile}"][0] for locale in LOCALES for profile in ("podcast", "stream")} == {"kept"}


def test_another_file_extension_sets_the_old_media_aside(there: Scene, clearspot: Call) -> None:
    """Without its receipt it proves nothing any more; its bytes are kept."""
    there.config("profiles/podcast.yaml", "extension: mp3\ncodec: libmp3lame", "extension: ogg\ncodec: libvorbis")
    old = (spanish(there) / f"{STEM}.mp3").read_bytes()
    assert run(clearspot, there, *ONE)[0] == 0
    left = {path.name for path in spanish(there).iterdir() if path.name.startswith(f"{STEM}.")}
    assert {f"{STEM}.ogg", f"{STEM}.ogg.c2pa", f"{STEM}.mp3.withdrawn"} <= left
    assert f"{STEM}.mp3" not in left
    assert (spanish(there) / f"{STEM}.mp3.withdrawn").read_bytes() == old
    assert plan(clearspot, there, *ONE)["empty"] is True
