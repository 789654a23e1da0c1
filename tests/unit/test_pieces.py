"""The engines of a worker process: loaded once a project, and of the last few projects alone."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearspot import pieces
from clearspot.engines.kept import LARGE_KEPT
from clearspot.engines.studio import Studio
from clearspot.project import Project, project_at


@pytest.fixture(autouse=True)
def _no_studios_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And no collector: what is let go has to go by itself."""
    monkeypatch.setattr(pieces, "_studios", {})
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def projects(keyed_project: Path, tmp_path: Path) -> list[Project]:
    made = []
    for number in range(LARGE_KEPT + 1):
        shutil.copytree(keyed_project, tmp_path / str(number))
        made.append(project_at(tmp_path / str(number)))
    return made


def loaded(project: Project) -> weakref.ref[Studio]:
    """A project's studio with an engine in it, which knows the studio as engines do."""
    studio = pieces._studio_of(project)
    studio.once("an engine", lambda: [studio.read_recogniser])
    return weakref.ref(studio)


def test_a_project_has_one_studio(projects: list[Project]) -> None:
    first = loaded(projects[0])
    loaded(projects[1])
    assert loaded(projects[0])() is first()


def test_the_studios_of_the_last_projects_are_kept_and_no_more(projects: list[Project]) -> None:
    known = [loaded(project) for project in projects[:LARGE_KEPT]]
    loaded(projects[0])
    loaded(projects[LARGE_KEPT])
    assert [studio() is None for studio in known] == [False, *[True] * (LARGE_KEPT - 1)]


def test_other_models_are_another_studio_and_the_one_before_is_gone(projects: list[Project]) -> None:
    first = loaded(projects[0])
    models = projects[0].root / "configs" / "models.yaml"
    models.parent.mkdir(exist_ok=True)
    models.write_bytes(projects[0].config("models.yaml").read_bytes() + b"# changed\n")
    second = loaded(projects[0])
    assert first() is None
    assert second() is not None
