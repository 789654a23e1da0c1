"""Options under `engines:` belong to an engine that there is: a slip in its name is told, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clearspot.engines.registry import KINDS, engines_of, make_engine, require_rate
from clearspot.errors import BadInput, MachineFault
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
    studio = open_studio(Project(project.root, Settings(engines=named)))
    studio.close()
    assert studio.options.keys() == named.keys() > {"kokoro", "coqui", "faster-whisper"}


@pytest.mark.parametrize("command", [("engines", "list"), ("plan", "spots/lumen-coffee"), ("serve", "--once")])
def test_commands_tell_it_before_they_begin(project: Project, clearspot: Call, command: tuple[str, ...]) -> None:
    settings = project.root / "configs" / "clearspot.yaml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("engines: {coqi: {device: cuda}}\n", encoding="utf-8")
    code, _, err = clearspot(*command)
    assert (code, "there is no engine 'coqi'" in err) == (2, True), err


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else's, whose engines cannot be made."""
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    points = "[clearspot.speech]\nodd = theirs_engine:Odd\ntells = theirs_engine:Tells\n"
    (folder / "entry_points.txt").write_text(points, encoding="utf-8")
    (tmp_path / "theirs_engine.py").write_text(
        "from clearspot.errors import BadInput\n\n\nclass Odd:\n    def __init__(self): ...\n\n\n"
        "class Tells:\n    def __init__(self, options):\n        raise BadInput('no key.', where='theirs')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugged")
def test_a_plug_in_that_cannot_be_made_is_named() -> None:
    with pytest.raises(
        MachineFault, match=r"^theirs 1\.0: speech engine 'odd' cannot be made: TypeError: .*Tell whoever"
    ):
        make_engine("speech", "odd", "voice.yaml: engine", options={})


@pytest.mark.usefixtures("plugged")
def test_what_a_plug_in_tells_by_itself_stays_as_it_is() -> None:
    with pytest.raises(BadInput, match=r"^theirs: no key\.$"):
        make_engine("speech", "tells", "voice.yaml: engine", options={})


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.49, 2.01, float("nan"), float("inf")])
def test_rates_that_nobody_speaks_at(rate: float) -> None:
    with pytest.raises(BadInput, match=r"rate: .* is not a rate from 0\.5 to 2\."):
        require_rate(rate)
    require_rate(0.5)
    require_rate(2.0)
