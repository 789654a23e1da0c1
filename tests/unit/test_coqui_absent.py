"""The Coqui engine without Coqui: what a default installation says of it, and what is refused before it is asked."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from clearspot.consent.registry import VOICE_FILE, load_voice_file
from clearspot.engines.coqui import CoquiEngine
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.project import Project
from tests.unit.consent_scenes import Stage, talent_voice

REMEDY = r"pip install 'clearspot\[coqui\]'"


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a default installation, wherever this runs."""

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("clearspot.engines.registry.version", version)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that are there and cannot be imported."""
    monkeypatch.setattr("clearspot.engines.registry.version", lambda _: "1.0")
    monkeypatch.setitem(sys.modules, "torch", None)


CALLS: dict[str, Any] = {
    "prepare": lambda engine, grant: engine.prepare(grant),
    "speak": lambda engine, grant: engine.speak(grant, "Hola.", 1.0),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@calls
@pytest.mark.usefixtures("not_installed")
def test_where_it_is_not_installed_the_remedy_is_told(ana: Stage, call: Any) -> None:
    with pytest.raises(MachineFault, match=f"engine 'coqui' needs coqui-tts, which is not installed. Run: {REMEDY}"):
        call(CoquiEngine({}), ana.authorize())


@calls
@pytest.mark.usefixtures("broken")
def test_where_it_cannot_be_imported_the_remedy_is_told(ana: Stage, call: Any) -> None:
    with pytest.raises(MachineFault, match=f"cannot be imported: .*torch.* Run: {REMEDY}"):
        call(CoquiEngine({}), ana.authorize())


@pytest.mark.usefixtures("not_installed")
def test_without_it_there_is_no_version_to_write_down() -> None:
    with pytest.raises(MachineFault, match=REMEDY):
        _ = CoquiEngine({}).version


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:3"])
def test_devices_are_named(device: str) -> None:
    assert CoquiEngine({"device": device}).device == device
    assert CoquiEngine({}).device == "cpu"


@pytest.mark.parametrize("device", ["gpu", "auto", "", "cuda:", "cuda:x", "CPU", "cpu\n", None, 0])
def test_a_device_is_never_guessed(device: Any) -> None:
    with pytest.raises(BadInput, match=r"engines\.coqui\.device: .* is not a device; there is: cpu, cuda, cuda:1"):
        CoquiEngine({"device": device})


def test_other_options_are_refused() -> None:
    with pytest.raises(BadInput, match="coqui has no option gpu; it has: device"):
        CoquiEngine({"gpu": True})


XTTS = """models:
  xtts-v2:
    title: XTTS-v2
    licence: Coqui Public Model License 1.0
    commercial: false
    files:
      config.json: {{sha256: {sha}, bytes: 1}}
      model.pth: {{sha256: {sha}, bytes: 1}}
      vocab.json: {{sha256: {sha}, bytes: 1}}
    source: {{path: models/xtts-v2}}
"""
VOICE = """id: ana
name: Ana
engine: coqui
weights: {model: xtts-v2}
files: {reference: reference.wav}
"""


def test_a_model_for_private_use_alone_never_speaks_in_a_commercial_spot(project: Project, ana: Stage) -> None:
    """It is refused before there is a grant, so before any engine is asked; not one of its files needs to be there."""
    (project.root / "configs").mkdir(exist_ok=True)
    (project.root / "configs" / "models.yaml").write_text(XTTS.format(sha="a" * 64), encoding="utf-8")
    (ana.folder / VOICE_FILE).write_text(VOICE, encoding="utf-8")
    weights, voice = load_weights(project), load_voice_file("ana", {"ana": ana.folder})
    assert not weights.on_disk("xtts-v2")
    with pytest.raises(Refused, match=r"'xtts-v2' \(Coqui Public Model License 1\.0\) may not be used commercially"):
        weights.pinned_voice(voice, ana.folder, commercial=True)
    private = weights.pinned_voice(voice, ana.folder, commercial=False)
    assert private.keys() == {"model/config.json", "model/model.pth", "model/vocab.json", "reference"}
