"""Options under `engines:` belong to an engine that there is: a slip in its name is told, never ignored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clearspot.engines.registry import KINDS, engines_of
from clearspot.errors import BadInput
from clearspot.job import open_studio
from clearspot.project import Project, Settings

Call = Callable[..., tuple[int, str, str]]


def test_a_slip_in_an_engines_name_is_told_with_the_names_there_are(project: Project) -> None:
    slipped = Project(project.root, Settings(engines={"coqi": {"device": "cuda"}, "kokoro": {}}))
    with pytest.raises(
        BadInput, match=r"clearspot\.yaml: engines: there is no engine 'coqi'; there is: .*coqui.*kokoro"
    ):
        open_studio(slipped)


def test_every_engine_that_there_is_may_have_options(project: Project) -> None:
    named = {name: {} for kind in KINDS for name in engines_of(kind)}
    open_studio(Project(project.root, Settings(engines=named))).close()


@pytest.mark.parametrize("command", [("engines", "list"), ("plan", "spots/lumen-coffee"), ("serve", "--once")])
def test_commands_tell_it_before_they_begin(project: Project, clearspot: Call, command: tuple[str, ...]) -> None:
    settings = project.root / "configs" / "clearspot.yaml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("engines: {coqi: {device: cuda}}\n", encoding="utf-8")
    code, _, err = clearspot(*command)
    assert (code, "there is no engine 'coqi'" in err) == (2, True), err
