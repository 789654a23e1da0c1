"""The documented example plug-in, installed for real: found, checked, and refused where its engine's name is taken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT
from tests.engines.voices import signed_copy

pytestmark = pytest.mark.real
EXAMPLE = CHECKOUT / "examples" / "plugin"
Call = Callable[..., subprocess.CompletedProcess[str]]


def install(source: Path, target: Path) -> Path:
    """A package as pip installs it, in a folder of its own; nothing is fetched."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)
    return install(source, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def call(project: object, installed: Path) -> Call:
    """The command line where the plug-in is installed, and other folders where others are."""

    def run(*arguments: str, also: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(installed), *map(str, also), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "clearspot", *arguments],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            check=False,
            timeout=600,
        )

    return run


def test_its_engines_are_listed_with_their_package(call: Call) -> None:
    done = call("engines", "list", "--json")
    assert done.returncode == 0, done.stderr
    listed = {(one["kind"], one["name"]): one for one in json.loads(done.stdout)["engines"]}
    for engine in (("speech", "espeak"), ("recognition", "sphinx"), ("translation", "glossary")):
        assert listed[engine]["package"] == "clearspot-example-engines 0.1.0"
        assert listed[engine]["problem"] == ""
    assert listed["speech", "espeak"]["version"].startswith("espeakng-loader ")
    assert listed["speech", "kokoro"]["package"].startswith("clearspot ")


def test_its_speech_engine_passes_every_check(project, call: Call) -> None:
    signed_copy(project, EXAMPLE / "robot", "robot")
    done = call("engines", "check", "espeak", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    assert len(checks) == 13
    assert [check for check in checks if check["verdict"] != "pass"] == []


def test_its_recogniser_passes_every_check(project, call: Call, tmp_path: Path) -> None:
    """With its own model, named and checked like any other; it hears the shipped voice in American English."""
    import pocketsphinx

    packaged, model = Path(pocketsphinx.get_model_path("en-us")), tmp_path / "sphinx"
    shutil.copytree(packaged / "en-us", model)
    for name in ("en-us.lm.bin", "cmudict-en-us.dict"):
        shutil.copyfile(packaged / name, model / name)
    files = [option for path in sorted(model.iterdir()) if path.name != "README" for option in ("--file", path.name)]
    done = call("models", "add", "sphinx-en-us", "--path", str(model), "--licence", "BSD", "--commercial", *files)
    assert done.returncode == 0, done.stderr
    settings = project.root / "configs" / "clearspot.yaml"
    settings.write_text("recogniser: sphinx-en-us\nrecogniser_engine: sphinx\n", encoding="utf-8")
    done = call("engines", "check", "sphinx", "--voice", "house", "--locale", "en-US", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    assert len(checks) == 8
    assert [check for check in checks if check["verdict"] != "pass"] == []


def test_its_translator_drafts_by_the_glossary_of_the_settings(project, call: Call) -> None:
    settings = project.root / "configs" / "clearspot.yaml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f"engines:\n  glossary: {{file: '{EXAMPLE / 'glossary.csv'}'}}\n", encoding="utf-8")
    done = call("engines", "check", "glossary", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {check["name"]: check["found"] for check in json.loads(done.stdout)["checks"]}
    assert found["pairs"] == "1 pairs: en-US to es-ES"
    assert found["translates"] == "'Este anuncio usa una voz generada por IA.'"


def test_without_a_glossary_it_fails_the_check(call: Call) -> None:
    done = call("engines", "check", "glossary", "--json")
    assert done.returncode == 1
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if check["verdict"] == "fail"}
    assert failed == {"pairs", "translates", "same-again", "side-by-side"}


def test_two_packages_with_an_engine_of_one_name_are_refused(call: Call, tmp_path: Path) -> None:
    """Which of them speaks must not be left to chance; not even the shipped one's name can be taken."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "other_engines.py").write_text("class Engine: ...\n", encoding="utf-8")
    (other / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
        "[project]\nname = 'other-engines'\nversion = '1.0'\n"
        "[project.entry-points.'clearspot.speech']\nespeak = 'other_engines:Engine'\n"
        "[tool.setuptools]\npy-modules = ['other_engines']\n",
        encoding="utf-8",
    )
    done = call("engines", "list", also=(install(other, tmp_path / "installed"),))
    assert done.returncode == 2
    assert "two packages bring a speech engine 'espeak': " in done.stderr
    assert "clearspot-example-engines 0.1.0" in done.stderr
    assert "other-engines 1.0" in done.stderr


def test_a_package_that_cannot_be_imported_is_listed_with_its_problem(call: Call, tmp_path: Path) -> None:
    broken = tmp_path / "installed" / "broken-1.0.dist-info"
    broken.mkdir(parents=True)
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (broken / "entry_points.txt").write_text("[clearspot.speech]\nbroken = nothing_here:Engine\n", encoding="utf-8")
    done = call("engines", "list", "--json", also=(broken.parent,))
    assert done.returncode == 0
    (one,) = [one for one in json.loads(done.stdout)["engines"] if one["name"] == "broken"]
    assert one["version"] == ""
    assert "cannot be imported: ModuleNotFoundError: No module named 'nothing_here'" in one["problem"]
