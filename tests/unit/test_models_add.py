"""`clearspot models add`: a model that nobody has pinned is fetched once, pinned as it came, and named from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clearspot.engines.weights import ModelsFile, load_weights
from clearspot.errors import BadInput
from clearspot.project import Project, shipped
from clearspot.yamlfile import load_model, parse_yaml, with_entry
from tests.unit.hub import COMMIT, Hub

Call = Callable[..., tuple[int, str, str]]

TINY = {"model.bin": b"weights", "config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}
LARGE = TINY | {"preprocessor_config.json": b'{"feature_size": 128}', "README.md": b"unasked"}
FREE = ("--licence", "MIT", "--commercial")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def cache(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEARSPOT_MODELS", str(project.root / "cache"))
    return project.root / "cache"


def offer(hub: Hub, files: dict[str, bytes]) -> tuple[str, ...]:
    """Let the hub have a repository with these files, and the options that name it."""
    hub.files = {f"/owner/name/resolve/{COMMIT}/{name}": data for name, data in files.items()}
    return ("--hub", "owner/name", "--revision", COMMIT, "--endpoint", hub.url, *FREE)


def folder_of(project: Project, files: dict[str, bytes]) -> Path:
    folder = project.root / "models" / "mine"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("files", "named"),
    [(TINY, set(TINY)), (LARGE, set(LARGE) - {"README.md"})],
    ids=["vocabulary.txt and no preprocessor", "a preprocessor, and what nobody asked for"],
)
def test_a_repository_of_a_hub_is_pinned_as_it_came(
    project: Project, cache: Path, hub: Hub, clearspot: Call, files: dict[str, bytes], named: set[str]
) -> None:
    code, out, err = clearspot("models", "add", "whisper-new", *offer(hub, files), "--title", "Whisper, new")
    assert (code, err) == (0, "")
    for name in named:
        assert f"{sha256(files[name])}  {len(files[name]):>13,}  {name}" in out
    weights = load_weights(project)
    model = weights.model("whisper-new")
    assert {name: file.sha256 for name, file in model.files.items()} == {name: sha256(files[name]) for name in named}
    assert (model.title, model.licence, model.commercial) == ("Whisper, new", "MIT", True)

    asked = len(hub.seen)  # fetched once: what was pinned is what is read
    read = {name: file.read() for name, file in weights.resolve("whisper-new", commercial=True).items()}
    assert read == {name: files[name] for name in named}
    assert len(hub.seen) == asked
    assert [path.name for path in cache.iterdir()] == [weights.folder("whisper-new").name]


def test_another_machine_fetches_the_same_or_nothing(
    project: Project, cache: Path, hub: Hub, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    clearspot("models", "add", "whisper-new", *offer(hub, TINY))
    monkeypatch.setenv("CLEARSPOT_MODELS", str(project.root / "elsewhere"))
    assert clearspot("models", "fetch", "whisper-new")[0] == 0
    monkeypatch.setenv("CLEARSPOT_MODELS", str(project.root / "swapped"))
    offer(hub, TINY | {"model.bin": b"another"})
    code, _, err = clearspot("models", "fetch", "whisper-new")
    assert code == 1
    assert "is not the file that was named" in err


@pytest.mark.usefixtures("cache")
def test_what_was_there_stays_as_it_was_written(project: Project, clearspot: Call) -> None:
    folder = folder_of(project, TINY)
    was = (shipped("configs") / "models.yaml").read_text()
    assert clearspot("models", "add", "mine", "--path", folder, "--licence", "MIT", "--non-commercial")[0] == 0
    own = project.root / "configs" / "models.yaml"
    assert own.read_text().startswith(was)
    assert load_weights(project).model("mine").commercial is False
    assert "source:\n      path: models/mine" in own.read_text(), "from the project, so that both may move"

    own.write_text(own.read_text() + "# an end of ours\n")
    clearspot("models", "add", "mine-too", "--path", folder, *FREE)
    assert own.read_text().startswith(was)
    assert own.read_text().endswith("# an end of ours\n")
    models = load_model(ModelsFile, own).models
    assert list(models)[-2:] == ["mine", "mine-too"]


@pytest.mark.usefixtures("cache")
def test_the_same_again_changes_nothing_and_others_under_its_name_are_refused(
    project: Project, clearspot: Call
) -> None:
    folder = folder_of(project, TINY)
    ask = ("models", "add", "mine", "--path", folder, *FREE)
    assert clearspot(*ask)[0] == 0
    own = project.root / "configs" / "models.yaml"
    was = own.read_bytes()
    code, out, _ = clearspot(*ask, "--json")
    assert code == 0
    assert json.loads(out)["added"] is False
    code, _, err = clearspot(*[each if each != "--commercial" else "--non-commercial" for each in ask])
    assert (code, "whose entry says commercial: true" in err) == (1, True), err
    (folder / "model.bin").write_bytes(b"another")
    code, _, err = clearspot(*ask)
    assert code == 1
    assert "there is a model 'mine' already, and these files of it are others: model.bin" in err
    assert own.read_bytes() == was
    assert clearspot("models", "add", "whisper-base", "--path", folder, *FREE)[0] == 1


@pytest.mark.usefixtures("cache")
def test_files_may_be_named(project: Project, clearspot: Call) -> None:
    folder = folder_of(project, {"small.pt": b"weights", "other": b"x"})
    assert clearspot("models", "add", "one", "--path", folder, *FREE, "--file", "small.pt")[0] == 0
    assert list(load_weights(project).model("one").files) == ["small.pt"]


HUB = ("--hub", "owner/name")
AT = ("--revision", COMMIT)
WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "neither": ((), 2, "should be one of --hub OWNER/NAME and --path FOLDER"),
    "both": ((*HUB, *AT, "--path", "."), 2, "should be one of"),
    "no repository": (("--hub", "name", *AT), 2, "--hub: 'name' is not OWNER/NAME"),
    "a branch": ((*HUB, "--revision", "main"), 2, "should be a commit of 40 hexadecimal digits"),
    "no commit": (HUB, 2, "should be a commit of 40 hexadecimal digits"),
    "no folder": (("--path", "nowhere"), 2, "nowhere: is not a folder"),
    "a folder at a commit": (("--path", ".", *AT), 2, "a folder has no --revision"),
    "a folder without them": (("--path", "."), 2, "there is no model.bin in it"),
    "a file that leads out": (("--path", ".", "--file", "../x"), 2, "--file: '../x' should be a plain file name"),
    "a file in a folder": (("--path", ".", "--file", "a/b"), 2, "--file: 'a/b' should be a plain file name"),
}


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_added_is_told(
    project: Project, clearspot: Call, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(project.root)
    options, exit_code, told = WRONG[kind]
    code, _, err = clearspot("models", "add", "new", *FREE, *options)
    assert (code, told in err) == (exit_code, True), err
    assert not (project.root / "configs" / "models.yaml").exists()


@pytest.mark.parametrize("licence", ["MIT", "CC BY-NC 4.0"])
def test_whether_it_may_earn_money_is_never_guessed(
    project: Project, cache: Path, hub: Hub, clearspot: Call, licence: str
) -> None:
    asked = [each for each in offer(hub, TINY) if each not in FREE]
    code, _, err = clearspot("models", "add", "new", *asked, "--licence", licence)
    assert code == 2
    assert "should be one of --commercial and --non-commercial" in err
    assert hub.seen == []
    assert not (project.root / "configs" / "models.yaml").exists()


def test_an_id_that_cannot_be_is_told_before_anything_is_fetched(
    project: Project, cache: Path, hub: Hub, clearspot: Call
) -> None:
    code, _, err = clearspot("models", "add", "../x", *offer(hub, TINY))
    assert code == 2, err
    assert hub.seen == []


@pytest.mark.parametrize("name", ["a/b", "../x", "/x", ".hidden", "a\\b"])
def test_a_file_that_cannot_be_named_is_told_before_anything_is_fetched(
    project: Project, cache: Path, hub: Hub, clearspot: Call, name: str
) -> None:
    asked = offer(hub, {"a": b"weights", name: b"weights"})
    code, _, err = clearspot("models", "add", "new", *asked, "--file", "a", "--file", name)
    assert (code, f"--file: {name!r} should be a plain file name" in err) == (2, True), err
    assert hub.seen == []
    assert not cache.exists()


def test_what_the_hub_lacks_leaves_nothing(project: Project, cache: Path, hub: Hub, clearspot: Call) -> None:
    lacking = {name: data for name, data in TINY.items() if name != "vocabulary.txt"}
    code, _, err = clearspot("models", "add", "new", *offer(hub, lacking))
    assert code == 3
    assert "vocabulary.json or vocabulary.txt cannot be fetched from the model hub" in err
    assert list(cache.iterdir()) == []
    assert not (project.root / "configs" / "models.yaml").exists()


@pytest.mark.usefixtures("cache")
def test_offline_nothing_is_asked(hub: Hub, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARSPOT_OFFLINE", "1")
    code, _, err = clearspot("models", "add", "new", *offer(hub, TINY))
    assert code == 3
    assert "fetching is switched off" in err
    assert hub.seen == []


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  a: {x: 1}\n",
        "models:\n  a: {x: 1}",
        "# head\nmodels:   # ours\n    a:\n        x: 1   # why\n# tail\n\n",
        "models:\n  a:\n    x: 1\nother: 2\n",
        "models: {a: {x: 1}}\n",
        '{"models": {"a": {"x": 1}}}',
        "models: {}\n",
        "models:\n  a:\n    x: [1,\n      2]  # two\n",
        "models:\r\n  a: {x: 1}\r\n",
    ],
)
def test_an_entry_goes_into_a_mapping_however_it_is_written(text: str) -> None:
    before = parse_yaml(text, "t")
    after = with_entry(text, "models", "b", {"é": "ö: #", "list": [1]}, "t")
    assert parse_yaml(after, "t") == before | {"models": before["models"] | {"b": {"é": "ö: #", "list": [1]}}}
    assert list(parse_yaml(after, "t")["models"])[-1] == "b"
    assert [line for line in text.splitlines() if "#" in line] == [
        line for line in after.splitlines() if "#" in line and "ö" not in line
    ]


def test_where_there_is_no_such_mapping_nothing_is_written() -> None:
    with pytest.raises(BadInput, match="models: should hold fields"):
        with_entry("models: [1]\n", "models", "b", {}, "t")
