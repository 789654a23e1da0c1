"""One spot is made by one process at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from clearspot.errors import MachineFault
from clearspot.hashing import sha256_bytes
from clearspot.project import Project

LET_GO_S = 120.0
"""A piece that is given up takes as long to end as its longest engine call, at most."""


class UnderWay(MachineFault):
    """Another process works on the same spot."""


@contextlib.contextmanager
def spot_lock(project: Project, home: Path) -> Iterator[None]:
    """Hold a spot's output folder. The lock ends with its process, however that ends.

    Args:
        project: Keeps the lock's file.
        home: ``OUT/<spot>``.

    Raises:
        UnderWay: Somebody else holds it.
        MachineFault: The lock cannot be written.
    """
    path = project.locks_dir / f"{sha256_bytes(str(home.resolve()).encode())[:32]}.lock"
    with _held(path, "another run works on this spot.", str(home)):
        yield


@contextlib.contextmanager
def locale_lock(project: Project, home: Path, locale: str) -> Iterator[None]:
    """Hold one locale of a spot, for a process that makes it for a run elsewhere.

    A worker that was given up may still be alive: who makes its piece again waits until it has let go.

    Raises:
        UnderWay: It did not within ``LET_GO_S``.
        MachineFault: The lock cannot be written.
    """
    path = project.locks_dir / f"{sha256_bytes(f'{home.resolve()} {locale}'.encode())[:32]}.lock"
    with _held(path, "another worker is still at this locale.", str(home / locale), LET_GO_S):
        yield


@contextlib.contextmanager
def sweep_lock(project: Project, spots: Iterable[str]) -> Iterator[None]:
    """Hold a sweep over some spots (none: over all): the next one need not begin before it has ended.

    Raises:
        UnderWay: One is under way.
        MachineFault: The lock cannot be written.
    """
    path = project.locks_dir / f"sweep-{sha256_bytes(' '.join(spots).encode())[:16]}.lock"
    with _held(path, "the sweep before is still under way.", str(project.root)):
        yield


@contextlib.contextmanager
def _held(path: Path, taken: str, where: str, patience_s: float = 0) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=patience_s)
        lock.acquire()
    except Timeout as error:
        raise UnderWay(taken, where=where, remedy="Wait until it has finished, and try again.") from error
    except OSError as error:
        raise MachineFault(f"cannot be locked: {error.strerror}.", where=str(path)) from error
    try:
        yield
    finally:
        lock.release()
