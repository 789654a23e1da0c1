"""Weights are data: found by name, fetched once, checked by digest before anything opens them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from clearspot.consent.record import Digest
from clearspot.consent.registry import VoiceFile
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.files import DigestCache, PinnedFile, digest_mismatch, inside
from clearspot.hashing import sha256_bytes, sha256_file
from clearspot.project import Project
from clearspot.yamlfile import Strict, load_model

Progress = Callable[[str, int, int], None]
"""Told while something is fetched: model id, bytes so far, bytes in all."""


def plain_file_name(name: str) -> str:
    """A name without a folder, as the files of a model have it.

    Raises:
        ValueError: It is another.
    """
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise ValueError("should be a plain file name")
    return name


FileName = Annotated[str, AfterValidator(plain_file_name)]


ModelId = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]


class WeightsDigest(Strict):
    """What one file of a model must be."""

    sha256: Digest
    bytes: int = Field(gt=0)


class PathSource(Strict):
    """A folder on this machine, relative to the project; it holds the files under their names."""

    path: str


class PackagesSource(Strict):
    """For each file the parts ``PACKAGE==VERSION:PATH/IN/WHEEL``, joined in order."""

    packages: dict[FileName, tuple[str, ...]]


class HubSource(Strict):
    """A repository of a model hub at one commit; ``endpoint`` is empty for the hub's own."""

    hub: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    endpoint: str = ""


class Model(Strict):
    """One entry of ``models.yaml``."""

    title: str
    licence: str
    commercial: bool
    files: dict[FileName, WeightsDigest] = Field(min_length=1)
    source: PathSource | PackagesSource | HubSource

    @property
    def size_bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


class ModelsFile(Strict):
    """``configs/models.yaml``."""

    models: dict[ModelId, Model]


@dataclass(frozen=True, slots=True)
class Weights:
    """The resolver: a model's id to its files, fetched into ``cache`` where they are not on this machine yet."""

    models: Mapping[str, Model]
    cache: Path
    root: Path
    offline: bool
    progress: Progress = lambda *_: None
    digests: DigestCache = field(default_factory=DigestCache)

    def model(self, model_id: str) -> Model:
        """The entry of ``models.yaml``.

        Raises:
            BadInput: There is none of that name.
        """
        if model_id not in self.models:
            raise BadInput(
                f"there is no model {model_id!r}; there is: {', '.join(sorted(self.models))}.",
                where="configs/models.yaml",
            )
        return self.models[model_id]

    def folder(self, model_id: str) -> Path:
        """Where a model's files lie, or will."""
        model = self.model(model_id)
        if isinstance(model.source, PathSource):
            return self.root / Path(model.source.path).expanduser()
        joined = "".join(f"{name}{file.sha256}" for name, file in sorted(model.files.items()))
        return self.cache / f"{model_id}-{sha256_bytes(joined.encode())[:12]}"

    def on_disk(self, model_id: str) -> bool:
        return all((self.folder(model_id) / name).is_file() for name in self.model(model_id).files)

    def resolve(self, model_id: str, *, commercial: bool) -> dict[str, PinnedFile]:
        """A model's files by name, fetched if need be. Their digests are checked when they are read.

        Raises:
            Refused: Its licence forbids the use, or what was fetched is not what ``models.yaml`` names.
            MachineFault: It is not on this machine and cannot be fetched.
        """
        files = self.pinned(model_id, commercial=commercial)
        if not self.on_disk(model_id):
            self.fetch(model_id)
        return files

    def pinned(self, model_id: str, *, commercial: bool) -> dict[str, PinnedFile]:
        """Where a model's files are or will be, and what they must be; nothing is fetched.

        Raises:
            Refused: Its licence forbids the use.
        """
        model = self.model(model_id)
        if commercial and not model.commercial:
            raise Refused(
                f"model {model_id!r} ({model.licence}) may not be used commercially.",
                where="configs/models.yaml",
                remedy="Use another model.",
            )
        folder = self.folder(model_id)
        return {name: PinnedFile(folder / name, file.sha256) for name, file in model.files.items()}

    def pinned_roles(self, roles: Mapping[str, str], *, commercial: bool) -> dict[str, PinnedFile]:
        """For each role that a voice names, its model's files; several files of one role get ``role/name``.

        Raises:
            Refused: A licence forbids the use.
        """
        found: dict[str, PinnedFile] = {}
        for role, model_id in roles.items():
            files = self.pinned(model_id, commercial=commercial)
            found |= {role if len(files) == 1 else f"{role}/{name}": file for name, file in files.items()}
        return found

    def pinned_voice(self, voice: VoiceFile, folder: Path, *, commercial: bool) -> dict[str, PinnedFile]:
        """Every file that a voice is spoken with, by its role: of its models, and of its own folder.

        What lies in its folder is pinned to what it is now; what it must be, the consent record says.

        Raises:
            Refused: A licence forbids the use.
            BadInput: A file of its own is missing.
        """
        found = self.pinned_roles(voice.weights, commercial=commercial)
        for role, name in voice.files.items():
            where = f"{folder / 'voice.yaml'}: files.{role}"
            path = inside(folder, name, where=where)
            if not path.is_file():
                raise BadInput(f"there is no file {name!r} in the voice's folder.", where=where)
            found[role] = PinnedFile(path, self.digests.sha256(path))
        return found

    def fetch(self, model_id: str) -> Path:
        """Bring a model's files into the cache, checked; nothing is there before all of it is.

        Raises:
            Refused: A digest does not fit.
            MachineFault: Fetching is forbidden here, failed, or the model is a path that lacks files.
        """
        from filelock import FileLock

        from clearspot.engines import fetching

        model, folder = self.model(model_id), self.folder(model_id)
        if isinstance(model.source, PathSource):
            if self.on_disk(model_id):
                return folder
            raise MachineFault(
                f"model {model_id!r} should lie here and does not: {', '.join(model.files)}.",
                where=str(folder),
                remedy="Put its files there, or correct its path in configs/models.yaml.",
            )
        if self.offline:
            raise MachineFault(
                f"model {model_id!r} is not on this machine and fetching is switched off.",
                where="offline",
                remedy=f"Run `clearspot models fetch {model_id}` where it is allowed, into {self.cache}.",
            )
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with FileLock(self.cache / f".{model_id}.lock"):
                if self.on_disk(model_id):
                    return folder
                with tempfile.TemporaryDirectory(prefix=f".{model_id}.", dir=self.cache) as work:
                    made = fetching.assemble(model_id, model, Path(work), self.progress)
                    _check_all(made, model)
                    if folder.exists():
                        shutil.rmtree(folder)
                    os.replace(made, folder)
        except OSError as error:
            raise MachineFault(
                f"model {model_id!r} cannot be stored: {error.strerror}.", where=str(self.cache)
            ) from error
        return folder

    def verify(self, model_id: str) -> Literal["ok", "missing"]:
        """Check every byte of a model on disk.

        Raises:
            Refused: A digest does not fit.
        """
        if not self.on_disk(model_id):
            return "missing"
        _check_all(self.folder(model_id), self.model(model_id))
        return "ok"


def load_weights(project: Project, progress: Progress = lambda *_: None) -> Weights:
    """The resolver for a project.

    Raises:
        BadInput: ``models.yaml`` is not what it should be.
    """
    models = load_model(ModelsFile, project.config("models.yaml")).models
    return Weights(models, project.models_dir, project.root, project.offline, progress)


def _check_all(folder: Path, model: Model) -> None:
    for name, file in model.files.items():
        path = inside(folder, name, where="configs/models.yaml")
        if (actual := sha256_file(path)) != file.sha256:
            raise digest_mismatch(path, actual, file.sha256)
