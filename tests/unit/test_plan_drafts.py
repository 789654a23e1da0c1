"""Lines that a machine drafts: a plan knows the drafts there are, notices another machine, and runs none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.change_scenes import (
    STORED,
    UNCHANGED,
    Call,
    again,
    another_spot,
    approve,
    keep_caches,
    made,
    made_before,
    plan,
    run,
    serve,
    sine,
    states,
    swept_before,
)
from tests.conftest import FakeStudio, Scene, edit

ONE = ("--locale", "es-ES", "--profile", "podcast")


@dataclass
class Drafter:
    """Translates everything into the same words; counts how often it is asked."""

    version: str = "draft 1"
    text: str = "Hasta el domingo, un 30 % menos en lumencoffee.com."
    asked: int = 0

    def knows(self, source: str, target: str) -> bool:
        return True

    def translate(self, text: str, source: str, target: str) -> str:
        self.asked += 1
        return self.text


@pytest.fixture
def drafter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drafter]:
    """What drafts in every studio of this test."""
    one = Drafter()
    monkeypatch.setattr(FakeStudio, "translator", lambda *_: one)
    return one


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot with everything of it made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


@pytest.fixture
def drafted(there: Scene, drafter: Drafter, clearspot: Call) -> Scene:
    """The small spot with a line that is not translated, made: its drafts may leave."""
    edit(there.spot / "spot.yaml", "medium:", "policy: {drafts: export}\nmedium:")
    not_translated(there)
    assert run(clearspot, there, *ONE)[0] == 0
    drafter.asked = 0
    return there


def not_translated(scene: Scene) -> None:
    edit(scene.spot / "translations" / "es-ES.yaml", "  offer:", "#  offer:")


def test_what_was_drafted_before_is_kept(drafted: Scene, drafter: Drafter, clearspot: Call) -> None:
    said = plan(clearspot, drafted, *ONE)
    assert (states(said), said["empty"], drafter.asked) == ({"es-ES podcast": ("kept", ())}, True, 0)


def test_a_plan_drafts_nothing(there: Scene, drafter: Drafter, clearspot: Call) -> None:
    edit(there.spot / "spot.yaml", "medium:", "policy: {drafts: export}\nmedium:")
    not_translated(there)
    told = again(plan(clearspot, there, *ONE), stages=("translate", "speak"))
    assert told == {
        "es-ES translate": ("line `offer` is not translated: a machine drafts it",),
        "es-ES speak offer": ("it is drafted first",),
    }
    assert (drafter.asked, there.studio.voice.asked) == (0, [])


def test_a_plan_and_a_run_agree_about_a_draft(
    drafted: Scene, drafter: Drafter, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The draft is in the store, so what is spoken of it is known: nothing but what comes after the bed changes."""
    sine(drafted.spot / "bed.flac", 550, 5)
    caches = keep_caches(monkeypatch)
    told = again(plan(clearspot, drafted, *ONE), stages=(*STORED, "translate"))
    assert tuple(told) == ("es-ES mix", "es-ES encode podcast?")
    assert run(clearspot, drafted, *ONE)[0] == 0
    assert made(caches[-1]) == {name.removesuffix("?") for name in told}
    assert drafter.asked == 0


def test_another_drafter_is_noticed(drafted: Scene, drafter: Drafter, clearspot: Call) -> None:
    drafter.version, drafter.text = "draft 2", "Hasta el domingo, 30 % menos en lumencoffee.com."
    told = "what drafts the lines of es-ES that are not written"
    said = plan(clearspot, drafted, *ONE)
    assert (states(said), said["empty"]) == ({"es-ES podcast": ("again", (told,))}, False)
    assert run(clearspot, drafted, *ONE)[0] == 0
    assert plan(clearspot, drafted, *ONE)["empty"] is True


def test_another_drafter_is_nothing_to_what_people_wrote(there: Scene, drafter: Drafter, clearspot: Call) -> None:
    drafter.version = "draft 2"
    assert plan(clearspot, there)["empty"] is True


def test_a_draft_that_waits_is_told_once(there: Scene, drafter: Drafter, clearspot: Call) -> None:
    """Nobody approved it, and it may not leave without: refused once, then it waits."""
    shutil.rmtree(there.out)
    not_translated(there)
    assert plan(clearspot, there, *ONE)["empty"] is False
    code, report = run(clearspot, there, *ONE)
    assert (code, "not approved in es-ES: offer" in report["deliverables"][0]["error"]["what"]) == (1, True)
    said = plan(clearspot, there, *ONE)
    assert (states(said)["es-ES podcast"][0], said["empty"]) == ("blocked", True)


def test_a_sweep_tells_of_a_draft_once(
    scene: Scene, drafter: Drafter, tmp_path_factory: pytest.TempPathFactory, clearspot: Call
) -> None:
    """Until somebody writes the line down and signs it off."""
    swept = swept_before(scene, tmp_path_factory.getbasetemp(), clearspot)
    folder = another_spot(swept, "lumen-mate")
    edit(folder / "translations" / "es-ES.yaml", "  offer:", "#  offer:")
    assert serve(clearspot)[:2] == (1, UNCHANGED | {"lumen-mate": "not exported"})
    asked = drafter.asked
    assert serve(clearspot)[:2] == (0, UNCHANGED | {"lumen-mate": "waiting"})
    assert drafter.asked == asked
    edit(folder / "translations" / "es-ES.yaml", "#  offer:", "  offer:")
    approve(folder)
    assert serve(clearspot)[:2] == (0, UNCHANGED | {"lumen-mate": "made"})
