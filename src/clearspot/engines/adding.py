"""A model that nobody has pinned yet: fetched once, its digests taken, and its entry written into ``models.yaml``."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from clearspot.engines import fetching
from clearspot.engines.weights import (
    HubSource,
    Model,
    ModelsFile,
    PathSource,
    Progress,
    Weights,
    WeightsDigest,
    load_weights,
    plain_file_name,
)
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.files import inside, write_atomically
from clearspot.hashing import sha256_file
from clearspot.project import Project
from clearspot.yamlfile import load_model, parse_model, parse_yaml, with_entry

Names = tuple[str, ...]

WHISPER_FILES: tuple[Names, ...] = (
    ("model.bin",),
    ("config.json",),
    ("tokenizer.json",),
    ("vocabulary.json", "vocabulary.txt"),
    ("preprocessor_config.json", ""),
)
"""The files of a CTranslate2 Whisper folder. Of each group the first that is there; an empty name: maybe none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model as somebody asks for it. ``files`` are groups of names as in ``WHISPER_FILES``."""

    title: str
    licence: str
    commercial: bool
    source: HubSource | PathSource
    files: tuple[Names, ...] = WHISPER_FILES


@dataclass(frozen=True, slots=True)
class Added:
    """What was pinned, where its files lie, and the file that names it now; ``is_new`` where it did not before."""

    model: Model
    folder: Path
    written: Path
    is_new: bool


def source_of(hub: str, revision: str, endpoint: str, path: str, project: Project) -> HubSource | PathSource:
    """Where a model comes from, as the command line says it: a hub's repository, or a folder of this machine.

    Raises:
        BadInput: It is neither, both, or no commit is named.
    """
    if bool(hub) == bool(path):
        raise BadInput("should be one of --hub OWNER/NAME and --path FOLDER.", where="clearspot models add")
    if path:
        if revision or endpoint:
            raise BadInput("a folder has no --revision and no --endpoint.", where="--path")
        return PathSource(path=_as_written(Path(path).expanduser().resolve(), project.root))
    if len(parts := hub.split("/")) != 2 or not all(parts):
        raise BadInput(f"{hub!r} is not OWNER/NAME.", where="--hub")
    try:
        return HubSource(hub=hub, revision=revision, endpoint=endpoint)
    except ValidationError as error:
        raise BadInput(
            f"should be a commit of 40 hexadecimal digits, since a branch moves (it is {revision!r}).",
            where="--revision",
            remedy="The repository's page of its history shows it.",
        ) from error


def add_model(project: Project, model_id: str, wanted: Wanted, progress: Progress = lambda *_: None) -> Added:
    """Pin a model as it is now, and write it into the project's own ``configs/models.yaml``.

    A project without one gets a copy of the shipped file, which its own replaces as a whole.

    Raises:
        BadInput: The id is none, or a file is missing, empty or named in a way that cannot be.
        Refused: The id is there already with other files, or says otherwise whether it may be used commercially.
        MachineFault: Something cannot be fetched or written.
    """
    weights = load_weights(project, progress)
    _parsed(model_id, _entry(wanted, {"any": WeightsDigest(sha256="0" * 64, bytes=1)}))
    _require_plain(wanted.files)
    if isinstance(wanted.source, PathSource):
        folder = project.root / Path(wanted.source.path)
        names = _there(folder, wanted.files)
        return _write(project, model_id, _pinned(model_id, wanted, folder, names))
    if weights.offline:
        raise MachineFault("fetching is switched off.", where="offline", remedy="Add it where fetching is allowed.")
    return _add_from_hub(project, model_id, wanted, wanted.source, weights)


def _add_from_hub(project: Project, model_id: str, wanted: Wanted, source: HubSource, weights: Weights) -> Added:
    try:
        weights.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{model_id}.", dir=weights.cache) as work:
            made = fetching.fetch_anew(model_id, wanted.files, source, Path(work), weights.progress)
            model = _pinned(model_id, wanted, made, tuple(sorted(path.name for path in made.iterdir())))
            added = _write(project, model_id, model)
            if not added.folder.exists():  # fetched once: what was pinned is what will be read
                os.replace(made, added.folder)
            elif not load_weights(project).on_disk(model_id):
                shutil.copytree(made, added.folder, dirs_exist_ok=True)
    except OSError as error:
        raise MachineFault(f"model {model_id!r} cannot be stored: {error}.", where=str(weights.cache)) from error
    return added


def _require_plain(groups: tuple[Names, ...]) -> None:
    """That files are named as ``models.yaml`` can name them; before anything is fetched, and written anywhere."""
    for name in (each for group in groups for each in group if each):
        try:
            plain_file_name(name)
        except ValueError as error:
            raise BadInput(
                f"{name!r} {error}: the files of a model lie in one folder.",
                where="--file",
                remedy="A model whose files lie in several folders is several models.",
            ) from error


def _there(folder: Path, groups: tuple[Names, ...]) -> Names:
    """Of each group of names the first that lies in a folder."""
    found = []
    for group in groups:
        here = next((name for name in group if name and inside(folder, name, where="--file").is_file()), None)
        if here is not None:
            found.append(here)
        elif "" not in group:
            raise BadInput(f"there is no {' or '.join(group)} in it.", where=str(folder), remedy="Name each --file.")
    return tuple(found)


def _pinned(model_id: str, wanted: Wanted, folder: Path, names: Names) -> Model:
    files = {}
    for name in names:
        path = folder / name
        if not (size := path.stat().st_size):
            raise BadInput("is empty.", where=str(path))
        files[name] = WeightsDigest(sha256=sha256_file(path), bytes=size)
    return _parsed(model_id, _entry(wanted, files))


def _entry(wanted: Wanted, files: dict[str, WeightsDigest]) -> dict[str, object]:
    return {
        "title": wanted.title,
        "licence": wanted.licence,
        "commercial": wanted.commercial,
        "files": {name: file.model_dump() for name, file in files.items()},
        "source": wanted.source.model_dump(exclude_defaults=True),
    }


def _parsed(model_id: str, entry: dict[str, object]) -> Model:
    """An entry as the strict reader takes it, so that what is written can be read."""
    return parse_model(ModelsFile, {"models": {model_id: entry}}, Path("models.yaml")).models[model_id]


def _write(project: Project, model_id: str, model: Model) -> Added:
    from filelock import FileLock

    own = project.root / "configs" / "models.yaml"
    try:
        project.locks_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(project.locks_dir / "models.yaml.lock")
        with lock:
            now = project.config("models.yaml")
            known = load_model(ModelsFile, now).models
            is_new = model_id not in known
            if is_new:
                text = now.read_bytes().decode("utf-8")
                entry = model.model_dump(mode="json", exclude_defaults=True)
                written = with_entry(text, "models", model_id, entry, str(now))
                after = parse_model(ModelsFile, parse_yaml(written, str(now)), now).models
                if after != known | {model_id: model}:
                    raise MachineFault("the entry cannot be written without changing others.", where=str(now))
                write_atomically(own, written.encode("utf-8"))
            elif known[model_id].files != model.files:
                raise _another(model_id, known[model_id], model, now)
            elif known[model_id].commercial != model.commercial:
                raise Refused(
                    f"there is a model {model_id!r} already, whose entry says commercial: "
                    f"{str(known[model_id].commercial).lower()}.",
                    where=str(now),
                    remedy="Correct the entry there, if the licence says otherwise.",
                )
            resolver = load_weights(project)
            return Added(resolver.model(model_id), resolver.folder(model_id), own if is_new else now, is_new)
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(own)) from error


def _another(model_id: str, known: Model, model: Model, where: Path) -> Refused:
    differing = sorted(
        name for name in known.files.keys() | model.files.keys() if known.files.get(name) != model.files.get(name)
    )
    return Refused(
        f"there is a model {model_id!r} already, and these files of it are others: {', '.join(differing)}.",
        where=str(where),
        remedy="Give it another id, or take the old entry out.",
    )


def _as_written(folder: Path, root: Path) -> str:
    """A folder as ``models.yaml`` names it: from the project where it lies inside, so that both may move."""
    if not folder.is_dir():
        raise BadInput("is not a folder.", where=f"--path {folder}")
    home = root.resolve()
    return str(folder.relative_to(home)) if folder.is_relative_to(home) else str(folder)
