"""A run's folder for candidates. What a killed run left in one is swept away by the next."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from clearspot.errors import BadInput, MachineFault
from clearspot.files import STALE_S

WORKSHOP = ".clearspot-"
LOCK = ".lock"
"""Beside the folder: held for as long as the run lives, however it ends. A process's number would say less: another
process may have it by now, and in a container that is started again it is always the same."""

PATIENCE_S = 10.0
"""Who sweeps may hold a lock for a moment."""


@contextlib.contextmanager
def workshop(out: Path) -> Iterator[Path]:
    """A hidden folder in ``out`` for candidates: on the same disk, so that export is a rename.

    Raises:
        BadInput: ``out`` is no folder.
        MachineFault: It cannot be written to.
    """
    from filelock import FileLock

    with contextlib.ExitStack() as mine:
        try:
            out.mkdir(parents=True, exist_ok=True)
            sweep_workshops(out)
            folder = out / f"{WORKSHOP}{secrets.token_hex(8)}"
            lock = _lock_of(folder)
            mine.callback(lock.unlink, missing_ok=True)
            mine.enter_context(FileLock(lock, timeout=PATIENCE_S))  # first: a folder without it is nobody's
            folder.mkdir()
        except FileExistsError as error:
            raise BadInput("is not a folder.", where=str(out), remedy="Name another --out.") from error
        except OSError as error:
            raise MachineFault(f"cannot be written to: {error.strerror}.", where=str(out)) from error
        mine.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def sweep_workshops(out: Path) -> None:
    """Take away the workshops in a folder whose runs are no more, on whatever machine they were."""
    from filelock import FileLock, Timeout

    left = {path.with_suffix("") if path.suffix == LOCK else path for path in out.glob(f"{WORKSHOP}*")}
    for folder in left:
        lock = _lock_of(folder)
        if lock.is_file() or _is_old(folder):
            with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)


def _is_old(folder: Path) -> bool:
    """An earlier version's, which had no locks, may be at work yet."""
    try:
        return folder.is_dir() and time.time() - folder.stat().st_mtime > STALE_S
    except OSError:
        return False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)
