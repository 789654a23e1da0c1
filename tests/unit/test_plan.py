"""What a plan says of a spot: what is whole is kept, what is not is made again; and a plan runs nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.gate.receipt import sign_receipt
from tests.change_scenes import (
    LINES,
    LOCALES,
    PROFILES,
    Call,
    again,
    approve,
    change,
    essences,
    everything,
    made_before,
    make_small,
    new_words,
    plan,
    run,
    sine,
    states,
    steps,
)
from tests.conftest import Scene, edit

ALL = tuple(f"{locale} {profile}" for locale in LOCALES for profile in PROFILES)
ES, IT = ALL[:2], ALL[2:]
KEPT = dict.fromkeys(ALL, ("kept", ()))
ONE = ("--locale", "es-ES", "--profile", "podcast")
STEM = "lumen-coffee_es-ES_podcast"


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def one_file(scene: Scene, ending: str) -> Path:
    """A file of the Spanish podcast."""
    return scene.out / "lumen-coffee" / "es-ES" / f"{STEM}{ending}"


# --- it runs nothing ---------------------------------------------------------------------------------------------


SITUATIONS: dict[str, tuple[Callable[[Scene], object], bool]] = {
    "everything is kept": (lambda scene: None, True),
    "nothing was ever made": (lambda scene: shutil.rmtree(scene.out), False),
    "nothing was ever stored": (lambda scene: shutil.rmtree(scene.project.store_dir), True),
    "nothing is there": (lambda scene: [shutil.rmtree(each) for each in (scene.out, scene.project.store_dir)], False),
    "something changed": (lambda scene: sine(scene.spot / "bed.flac", 550, 5), False),
    "something waits for a sign-off": (lambda scene: new_words(scene.spot), True),
    "consent covers it no more": (lambda scene: scene.resign("locales: any", "locales: [it-IT]"), False),
    "a published file is damaged": (lambda scene: one_file(scene, ".mp3").write_bytes(b"x"), False),
    "a stored blob is damaged": (
        lambda scene: [path.write_bytes(b"x") for path in scene.project.store_dir.rglob("blobs/*/*")], True
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SITUATIONS)
def test_it_runs_nothing_and_writes_nothing(there: Scene, clearspot: Call, case: str) -> None:
    """No engine is asked; what was published, what is stored and the audit log stay as they are."""
    do, empty = SITUATIONS[case]
    do(there)
    before = left_alone(there)
    assert plan(clearspot, there)["empty"] is empty
    assert clearspot("plan", there.spot, "--out", there.out)[::2] == (0, "")
    assert left_alone(there) == before
    assert (there.studio.voice.asked, there.listener.heard) == ([], 0)


def left_alone(scene: Scene) -> dict[str, tuple[str, int]]:
    """Everything but the digests that a plan remembers, and the lock of the log."""
    own = (str(scene.project.digests_path), str(scene.project.audit_dir / ".lock"))
    return {path: what for path, what in everything(scene.project.root).items() if not path.startswith(own)}


# --- never made, and all kept ------------------------------------------------------------------------------------


def test_what_was_never_made(scene: Scene, clearspot: Call) -> None:
    make_small(scene)
    said = plan(clearspot, scene)
    assert states(said) == dict.fromkeys(ALL, ("again", ("never made",)))
    assert said["empty"] is False
    told = again(said)
    spoken = [f"{locale} speak {line}" for locale in LOCALES for line in ("disclosure", *LINES)]
    not_there = {name for name, why in told.items() if why == ("it is not in the store",)}
    assert not_there == {"transcribe", *spoken}
    assert {name for name in told if name not in not_there} == {
        "align?", *(f"{locale} {stage}?" for locale in LOCALES for stage in ("fit", "mix")),
        *(f"{locale} encode {profile}?" for locale in LOCALES for profile in PROFILES),
    }  # fmt: skip


def test_everything_is_kept(there: Scene, clearspot: Call) -> None:
    said = plan(clearspot, there)
    assert (states(said), said["empty"], said["spot"]) == (KEPT, True, "lumen-coffee")
    assert {step["state"] for step in steps(said).values()} == {"kept"}
    assert clearspot("plan", there.spot, "--out", there.out)[1] == (
        "lumen-coffee: 4 of 4 deliverables are kept\n\nes-ES  kept: podcast, stream\n\nit-IT  kept: podcast, stream\n"
    )


def test_a_plan_for_people(there: Scene, clearspot: Call) -> None:
    change(there.spot)
    assert clearspot("plan", there.spot, "--out", there.out)[1].splitlines() == [
        "lumen-coffee: 2 of 4 deliverables are kept",
        "",
        "es-ES  again: podcast, stream",
        "    line `offer` changed in es-ES",
        "  translate  kept",
        "  authorize  again: consent is asked every time",
        "  speak      again (3 kept) offer: line `offer` changed in es-ES",
        "  fit        again: what comes before it is made again",
        "  mix        again: what comes before it is made again",
        "  encode     again podcast, stream: what comes before it is made again",
        "  sign       again podcast, stream: papers are made anew for every file",
        "  gate       again podcast, stream: every new file is listened to",
        "  export     again podcast, stream: a new file takes its place",
        "",
        "it-IT  kept: podcast, stream",
    ]


def test_a_plan_of_one_deliverable_is_of_that_one(there: Scene, clearspot: Call) -> None:
    sine(there.spot / "bed.flac", 550, 5)
    said = plan(clearspot, there, *ONE)
    assert states(said) == {"es-ES podcast": ("again", ("the bed changed",))}
    assert tuple(again(said)) == ("es-ES mix", "es-ES encode podcast?")
    assert run(clearspot, there, *ONE)[0] == 0
    assert states(plan(clearspot, there)) == dict.fromkeys(ALL, ("again", ("the bed changed",))) | {
        "es-ES podcast": ("kept", ())
    }


# --- what is no change -------------------------------------------------------------------------------------------


def touch(scene: Scene) -> None:
    """The same bytes, written anew."""
    for path in scene.spot.rglob("*.*"):
        path.write_bytes(path.read_bytes())


def rename(scene: Scene) -> None:
    scene.spot = scene.spot.rename(scene.spot.with_name("another-name"))


NO_CHANGE: dict[str, Callable[[Scene], object]] = {
    "a comment in spot.yaml": lambda scene: edit(scene.spot / "spot.yaml", "voice:", "# the house's own\nvoice:"),
    "a comment in the script": lambda scene: edit(scene.spot / "script.yaml", "lines:", "# read twice\nlines:"),
    "another name of the spot's folder": rename,
    "the same bytes, written anew": touch,
    "another order of profiles": lambda scene: edit(scene.spot / "spot.yaml", "podcast, stream", "stream, podcast"),
    "another order of locales": lambda scene: edit(
        scene.spot / "spot.yaml",
        "  es-ES: {markets: [ES]}\n  it-IT: {markets: [IT]}\n",
        "  it-IT: {markets: [IT]}\n  es-ES: {markets: [ES]}\n",
    ),
    "a schedule": lambda scene: edit(scene.spot / "spot.yaml", "medium:", "schedule: {interval_s: 60}\nmedium:"),
    "what is said by default": lambda scene: edit(scene.spot / "spot.yaml", "bed:", "script: script.yaml\nbed:"),
    "approved again, by somebody else": lambda scene: approve(scene.spot),
    "a profile that nobody asks for": lambda scene: scene.config("profiles/web.yaml", "Ogg", "ogg"),
    "a disclosure that nobody asks for": lambda scene: scene.config("disclosures.yaml", "This ad uses", "This ad has"),
    "the store is gone": lambda scene: shutil.rmtree(scene.project.store_dir),
    "a file that is not ours, in the output": lambda scene: one_file(scene, ".txt").write_text("notes"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_CHANGE)
def test_what_is_no_change(there: Scene, clearspot: Call, case: str) -> None:
    NO_CHANGE[case](there)
    said = plan(clearspot, there)
    assert (states(said), said["empty"]) == (KEPT, True)


# --- what was published and is not whole -------------------------------------------------------------------------


def change_receipt(scene: Scene) -> None:
    edit(one_file(scene, ".receipt.json"), '"verdict": "pass"', '"verdict": "Pass"')


def sign_as_a_stranger(scene: Scene) -> None:
    path = one_file(scene, ".receipt.json")
    signed = sign_receipt(json.loads(path.read_text())["receipt"], Ed25519PrivateKey.from_private_bytes(bytes(32)))
    path.write_text(json.dumps(signed))


def append(ending: str) -> Callable[[Scene], object]:
    def do(scene: Scene) -> None:
        with one_file(scene, ending).open("ab") as file:
            file.write(b"\0")

    return do


DAMAGE: dict[str, tuple[Callable[[Scene], object], str]] = {
    "the sound, a byte more": (append(".mp3"), f"{STEM}.mp3 was changed since"),
    "the sound, gone": (lambda scene: one_file(scene, ".mp3").unlink(), f"{STEM}.mp3 is gone"),
    "the sound, a folder now": (
        lambda scene: (one_file(scene, ".mp3").unlink(), one_file(scene, ".mp3").mkdir()), f"{STEM}.mp3 is gone"
    ),
    "captions, gone": (lambda scene: one_file(scene, ".srt").unlink(), f"{STEM}.srt is gone"),
    "captions, changed": (append(".vtt"), f"{STEM}.vtt was changed since"),
    "the receipt, gone": (lambda scene: one_file(scene, ".receipt.json").unlink(), "its receipt is gone"),
    "the receipt, changed": (change_receipt, "its receipt was changed after it was signed"),
    "the receipt, signed by a stranger": (
        sign_as_a_stranger, "its receipt is signed with key 139e3940e64b5491, which is not trusted here"
    ),
    "the receipt, no JSON": (
        lambda scene: one_file(scene, ".receipt.json").write_bytes(b"\xff{"),
        "its receipt is not a receipt of a kind we know",
    ),
    "everything of it, gone": (
        lambda scene: [path.unlink() for path in one_file(scene, "").parent.glob(f"{STEM}.*")], "never made"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_not_whole_is_made_again_from_the_store(there: Scene, clearspot: Call, case: str) -> None:
    do, why = DAMAGE[case]
    do(there)
    said = plan(clearspot, there)
    assert states(said) == KEPT | {"es-ES podcast": ("again", (why,))}
    assert (said["empty"], again(said)) == (False, {})


@pytest.mark.parametrize("case", ["the sound, a byte more", "captions, gone", "the receipt, signed by a stranger"])
def test_what_is_made_again_sounds_as_before(there: Scene, clearspot: Call, case: str) -> None:
    before = essences(there.out)
    DAMAGE[case][0](there)
    assert run(clearspot, there, *ONE)[0] == 0
    assert (essences(there.out), plan(clearspot, there)["empty"]) == (before, True)
    assert (there.studio.voice.asked, there.listener.heard) == ([], 1), "only the gate listened"
