"""Digests of files that did not change, remembered between processes, so that a plan need not read them all.

A file is known again by its device, inode, size, and the times of its last change of content and of anything; the last
cannot be set by hand. Runs never ask here: what they keep or export they read anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from clearspot.hashing import sha256_file

SETTLED_S = 2.0
"""A file that is younger is not remembered: some disks tell times in coarse steps, and it may change within one."""

TABLE = "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stat TEXT NOT NULL, sha256 TEXT NOT NULL)"
ROW = "INSERT OR REPLACE INTO digests VALUES (?, ?, ?)"


class DigestBook:
    """A book of digests. Without its file, or where that cannot be written, it still gives the right ones."""

    def __init__(self, database: sqlite3.Connection | None) -> None:
        self._database = database

    def sha256(self, path: Path) -> str:
        """The sha256 of a file's bytes.

        Raises:
            MachineFault: It cannot be read.
        """
        place, stat = str(path.resolve()), _stat(path)
        if (known := self._known(place, stat)) is not None:
            return known
        digest = sha256_file(path)
        if self._database is not None and _settled(path) and stat and stat == _stat(path):
            with contextlib.suppress(sqlite3.Error):
                self._database.execute(ROW, (place, stat, digest))
        return digest

    def _known(self, place: str, stat: str) -> str | None:
        if self._database is None or not stat:
            return None
        try:
            row = self._database.execute("SELECT stat, sha256 FROM digests WHERE path = ?", (place,)).fetchone()
        except sqlite3.Error:
            return None
        return str(row[1]) if row and row[0] == stat else None


@contextlib.contextmanager
def digest_book(path: Path) -> Iterator[DigestBook]:
    """Open a project's book."""
    database = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = _opened(path)
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):  # damaged: it holds nothing that cannot be had again
            with contextlib.suppress(sqlite3.Error, OSError):
                path.unlink()
                database = _opened(path)
    except OSError:
        pass  # a disk that is read only: every file is read
    try:
        yield DigestBook(database)
    finally:
        if database is not None:
            database.close()


def _settled(path: Path) -> bool:
    with contextlib.suppress(OSError):
        stat = path.stat()
        return time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED_S
    return False


def _opened(path: Path) -> sqlite3.Connection:
    # Each row is written by itself: a sweep may take hours, and others want to write meanwhile.
    database = sqlite3.connect(path, timeout=1, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")  # what a power cut takes is read from the files again
        database.execute(TABLE)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _stat(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
