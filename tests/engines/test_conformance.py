"""Every engine that is installed does what every engine has to do. ``tests/unit/test_conformance.py`` has the checks
themselves, and engines that fail them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clearspot.engines.conformance import Check
from clearspot.engines.registry import KINDS, engines_of
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.job import open_studio
from clearspot.project import Project, Settings, shipped
from clearspot.trial import CHECK, check_engine, list_engines, open_trial
from tests.engines.voices import signed_copy
from tests.unit.consent_scenes import talent_voice

pytestmark = pytest.mark.real

VOICES: dict[str, Callable[[Project], Path]] = {
    "kokoro": lambda project: signed_copy(project, shipped("voices") / "house", "tried-kokoro"),
    "piper": lambda project: signed_copy(project, shipped("voices") / "joe", "tried-piper"),
    "sherpa": lambda project: signed_copy(project, shipped("voices") / "joe", "tried-sherpa", engine="sherpa"),
}
"""For each speech engine a voice in the test's project that may be spoken in every locale."""

ELSEWHERE = {"coqui", "openai-whisper"}
"""Engines that ``tests/extras`` holds to the same checks: Coqui, and the original Whisper, which need torch."""


def not_passed(checks: tuple[Check, ...]) -> list[Check]:
    return [one for one in checks if one.verdict != "pass"]


@pytest.fixture
def trying(keyed_project: Path, tmp_path: Path) -> Project:
    """A project for trials, not the one that commands would find."""
    return Project(Path(shutil.copytree(keyed_project, tmp_path / "trying")), Settings())


@pytest.mark.parametrize("name", [name for name in engines_of("speech") if name not in ELSEWHERE])
def test_every_speech_engine_passes(trying: Project, name: str) -> None:
    assert name in VOICES, "say in VOICES with which voice it is tried"
    found = check_engine(trying, name, VOICES[name](trying).name, "en-US")
    assert not_passed(found["speech"]) == []


@pytest.mark.parametrize("name", [name for name in engines_of("recognition") if name not in ELSEWHERE])
def test_every_recogniser_passes(trying: Project, name: str) -> None:
    found = check_engine(trying, name, "house", "es-ES")
    assert not_passed(found["recognition"]) == []


@pytest.mark.parametrize("name", engines_of("translation"))
def test_every_translator_passes(trying: Project, name: str) -> None:
    found = check_engine(trying, name, "", "")
    assert not_passed(found["translation"]) == []


# --- leave for a check -------------------------------------------------------------------------------------------


def test_a_check_is_written_down_as_what_it_is(trying: Project) -> None:
    studio = open_studio(trying)
    with open_trial(trying, studio, "house", "it-IT") as trial:
        assert trial.grant.locale == "it-IT"
    studio.stop()
    from clearspot.consent.authority import writing_authority

    grants = [entry.data for _, entry in writing_authority(trying).log.read() if entry.event == "grant"]
    assert [grant["locale"] for grant in grants] == ["it-IT", "vo-AQ"]
    assert {(grant["spot"], grant["product"], grant["purpose"], grant["advertiser"]) for grant in grants} == {
        (CHECK, CHECK, "internal", "Clearspot user")
    }


def test_what_is_not_covered_is_not_asked_for(trying: Project) -> None:
    """The shipped Joe speaks American English alone; a refusal in the log would be of nothing that anybody wanted."""
    from clearspot.consent.authority import writing_authority

    studio = open_studio(trying)
    with open_trial(trying, studio, "joe") as trial:
        assert trial.grant.locale == "en-US"
        assert isinstance(trial.elsewhere, Refused)
    studio.stop()
    log = [entry.event for _, entry in writing_authority(trying).log.read()]
    assert "refusal" not in log


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ({"scope/advertisers": ["Lumen Coffee"]}, "scope.advertisers: asked 'Clearspot user'"),
        ({"scope/excluded_categories": ["alcohol"]}, "scope.excluded_categories: asked 'no categories"),
        ({"scope/purposes": ["advertising"]}, "scope.purposes: asked 'internal', allowed 'advertising'"),
        ({"scope/max_spots": 3}, "scope.max_spots: asked 'engine-check, beside the spots'"),
    ],
    ids=["another advertiser", "excluded categories", "advertising alone", "counted spots"],
)
def test_a_narrow_consent_refuses_a_check(
    project: Project, monkeypatch: pytest.MonkeyPatch, scope: dict[str, object], told: str
) -> None:
    """There is no way round a talent's consent for tests of an engine either, and no spot of theirs is used up.

    Nor is anything fetched for it: leave comes before gigabytes.
    """
    ana = talent_voice(project)
    wide = {f"scope/{name}": "any" for name in ("locales", "markets", "advertisers", "products", "media", "purposes")}
    wide |= {"scope/excluded_categories": [], "scope/max_spots": "any", "scope/approval": "not-needed"}
    ana.resign(wide | {"derivatives/sublicence": True} | scope)
    studio = open_studio(project)
    weights = type(studio.weights)
    fetched: list[str] = []
    monkeypatch.setattr(weights, "resolve", lambda _, model_id, **__: fetched.append(model_id))
    monkeypatch.setattr(weights, "pinned_voice", lambda *_, **__: ana.weights)
    with pytest.raises(Refused, match=told.replace("(", r"\(")), open_trial(project, studio, "ana"):
        pass
    studio.stop()
    assert "grant" not in [entry.event for entry in ana.entries()]
    assert fetched == []


# --- the command -------------------------------------------------------------------------------------------------


def test_list_names_every_engine(trying: Project) -> None:
    listed = {(one.kind, one.name): one for one in list_engines(trying)}
    assert listed.keys() == {(kind, name) for kind in KINDS for name in engines_of(kind)}
    assert listed["speech", "kokoro"].version.startswith("kokoro-onnx ")
    assert listed["speech", "kokoro"].problem == ""


def test_an_extra_that_is_not_installed_is_told(trying: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("clearspot.engines.registry.version", missing)
    listed = {one.name: one for one in list_engines(trying)}
    assert listed["piper"].version == ""
    assert listed["piper"].problem == (
        "piper-tts: engine 'piper' needs piper-tts, which is not installed. Run: pip install 'clearspot[piper]'"
    )
    with pytest.raises(MachineFault, match="which is not installed"):
        check_engine(trying, "piper", "joe", "")


def test_the_command_shows_a_table_and_ends_with_1_where_something_fails(
    project: Project, clearspot: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = clearspot("engines", "check", "bergamot")
    assert code == 0
    assert "bergamot: translation" in out
    assert "no-network      pass     nothing was asked of a network" in out
    monkeypatch.setattr("clearspot.engines.bergamot.BergamotEngine.knows", lambda *_: True)
    code, out, _ = clearspot("engines", "check", "bergamot", "--json")
    told = json.loads(out)
    assert code == told["exit_code"] == 1
    failed = {check["name"]: check for check in told["checks"] if check["verdict"] == "fail"}
    assert failed["unknown-locale"]["found"] == "says that it knows vo-AQ to en-US"
    assert failed["unknown-locale"]["kind"] == "translation"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("os",), "there is no engine 'os'; there is: bergamot, coqui, faster-whisper, kokoro"),
        (("sherpa",), "a speech engine is checked with a voice of its own"),
        (("piper", "--voice", "house"), "voice 'house' is spoken with 'kokoro'"),
        (("kokoro", "--voice", "nobody"), "there is no voice 'nobody'"),
        (("kokoro", "--locale", "xx-ES"), "there is no sentence in xx-ES"),
    ],
    ids=["no such engine", "no voice of it", "another's voice", "no such voice", "no such locale"],
)
def test_what_cannot_be_checked_is_told(
    project: Project, clearspot: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = clearspot("engines", "check", *arguments)
    assert code == BadInput.exit_code
    assert told in err
