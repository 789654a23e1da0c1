"""One spot is made by one process at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from clearspot.errors import MachineFault
from clearspot.hashing import sha256_bytes
from clearspot.project import Project


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
    from filelock import FileLock, Timeout

    path = project.locks_dir / f"{sha256_bytes(str(home.resolve()).encode())[:32]}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise UnderWay(
            "another run works on this spot.", where=str(home), remedy="Wait until it has finished, and try again."
        ) from error
    except OSError as error:
        raise MachineFault(f"cannot be locked: {error.strerror}.", where=str(path)) from error
    try:
        yield
    finally:
        lock.release()
