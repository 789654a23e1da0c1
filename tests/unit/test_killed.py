"""A run that is killed at any moment: the next one completes with the same essence, and nothing half-made is left.

The engines are fakes that answer at once; all else is real. ``scripts/kills.py`` does the same with the real ones.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from clearspot.project import Project
from scripts.kills import Place, trouble_of_kills

KILLS = 30
LOCALES = ("es-ES",)
SPOKEN = 7 * len(LOCALES)


@pytest.fixture
def place(project: Project, spot_folder: Path, tmp_path: Path) -> Place:
    command = ("tests.killable", str(project.root), str(spot_folder), ",".join(LOCALES), "podcast")
    return Place(project, command, tmp_path / "out")


def test_thirty_kills_change_nothing_but_the_time(place: Place, tmp_path: Path) -> None:
    place.finish()
    undisturbed = place.essences()
    assert len(undisturbed) == len(LOCALES)
    began = time.monotonic()
    place = place.forget(tmp_path / "again")
    place.finish()
    took_s = time.monotonic() - began
    assert place.essences() == undisturbed
    assert trouble_of_kills(place.forget(tmp_path / "killed"), undisturbed, took_s, KILLS) == []


def test_what_was_spoken_before_the_kill_is_not_spoken_again(place: Place) -> None:
    """Killed when a clip is in the store: the run after it speaks what is missing, and each line once."""
    run = place.start()
    until = time.monotonic() + 60
    while time.monotonic() < until and not spoken_in(place.project.store_dir):
        time.sleep(0.005)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    before = spoken_in(place.project.store_dir)
    assert before
    likenesses = len(LOCALES) - len(list(place.project.likenesses_dir.glob("*.json")))
    assert place.finish().splitlines()[-1] == f"spoken: {SPOKEN - before + likenesses}"


def spoken_in(store: Path) -> int:
    """How many clips a store holds."""
    records = (path for path in store.glob("records/*/*") if not path.name.startswith("."))
    return sum(b'"stage":"speak"' in path.read_bytes() for path in records)


def test_a_place_that_was_tampered_with_is_told(place: Place) -> None:
    """The check itself can fail: a changed file, a foreign leftover."""
    place.finish()
    assert (place.half_made(), place.left_over()) == ([], [])
    media = next(place.out.rglob("*.mp3"))
    media.write_bytes(media.read_bytes()[:-1])
    (place.out / ".clearspot-1-x").mkdir()
    assert place.half_made() == [str(media)]
    assert len(place.left_over()) == 1
