"""Where a store keeps its bytes: a folder of this machine, or anything that fsspec reaches (S3 and alike)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clearspot.errors import BadInput, MachineFault
from clearspot.files import PARTIAL, is_left_behind, write_atomically

BLOBS, RECORDS = "blobs", "records"
"""The two rooms of a store; nothing else below its root is ever touched."""


PATIENCE = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}}
"""How long S3 is waited for, unless ``store_options`` say otherwise: a run goes on without its store."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on a shelf: its name, its size, and when it was last used (seconds since 1970)."""

    name: str
    size_bytes: int
    used: float


class Shelf(Protocol):
    """Names to bytes. What is written appears whole or not at all. Safe for several threads and processes."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes under a name, or None.

        Raises:
            MachineFault: It cannot be read.
        """
        ...

    def size(self, name: str) -> int | None:
        """How many bytes are under a name, or None."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put bytes under a name.

        Raises:
            MachineFault: It cannot be written to.
        """
        ...

    def touch(self, name: str) -> None:
        """Note that something was used, where that can be noted."""
        ...

    def delete(self, name: str) -> None:
        """Take something away, if it is there and that is allowed."""
        ...

    def items(self) -> Iterator[Item]:
        """Everything there is."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, made when something is first put there."""

    root: Path

    @property
    def place(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        """See ``Shelf.read``."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineFault(f"cannot be read: {error.strerror}.", where=str(self.root / name)) from error

    def size(self, name: str) -> int | None:
        """See ``Shelf.size``."""
        try:
            return (self.root / name).stat().st_size
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """See ``Shelf.write``: a temporary file, flushed, then renamed in the same folder."""
        write_atomically(self.root / name, data)

    def touch(self, name: str) -> None:
        """See ``Shelf.touch``."""
        with contextlib.suppress(OSError):  # on a disk that is read only, nothing is evicted either
            os.utime(self.root / name)

    def delete(self, name: str) -> None:
        """See ``Shelf.delete``."""
        with contextlib.suppress(OSError):
            (self.root / name).unlink()

    def items(self) -> Iterator[Item]:
        """See ``Shelf.items``. What killed processes left half-written is taken away."""
        for path in sorted(path for room in (BLOBS, RECORDS) for path in (self.root / room).rglob("*")):
            with contextlib.suppress(OSError):  # somebody else may take it away meanwhile
                stat = path.stat()
                if path.name.startswith(".") and path.name.endswith(PARTIAL):
                    if is_left_behind(path):
                        path.unlink()
                elif path.is_file():
                    yield Item(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime)


class Bucket:
    """What a URL of fsspec names: an object appears there whole, when all of it has arrived.

    When it was last used cannot be noted there: the oldest goes first.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """Nothing is asked of it yet.

        Raises:
            BadInput: The URL is of a kind that is not known or not installed here.
        """
        import fsspec

        self.place = re.sub(r"//[^/@]*@", "//", url)  # no password on a screen or in a log
        try:
            given = {**(PATIENCE if url.startswith("s3") else {}), **options}
            self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, **given)
        except Exception as error:
            # What is below may repeat a key in its words; that something is not installed is all that helps.
            told = f": {error}" if isinstance(error, ImportError) else f" ({type(error).__name__})"
            raise BadInput(
                f"this store cannot be opened{told}.",
                where="configs/clearspot.yaml: store",
                remedy="For s3:// install clearspot[s3]; store_options go to fsspec as they are.",
            ) from error

    def read(self, name: str) -> bytes | None:
        """See ``Shelf.read``."""
        try:
            data: bytes = self._files.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unreachable(error) from error
        return data

    def size(self, name: str) -> int | None:
        """See ``Shelf.size``."""
        try:
            return int(self._files.info(self._path(name))["size"])
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unreachable(error) from error

    def write(self, name: str, data: bytes) -> None:
        """See ``Shelf.write``."""
        try:
            self._files.pipe_file(self._path(name), data)
        except Exception as error:
            raise self._unreachable(error) from error

    def touch(self, name: str) -> None:
        """See ``Shelf.touch``."""

    def delete(self, name: str) -> None:
        """See ``Shelf.delete``."""
        with contextlib.suppress(FileNotFoundError):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                raise
            except Exception as error:
                raise self._unreachable(error) from error

    def items(self) -> Iterator[Item]:
        """See ``Shelf.items``."""
        try:
            found = self._files.find(self._root, detail=True)
        except Exception as error:
            raise self._unreachable(error) from error
        for path, facts in sorted(found.items()):
            yield Item(path.removeprefix(self._root).lstrip("/"), int(facts["size"]), _written(facts))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _unreachable(self, error: Exception) -> MachineFault:
        # The message of what is below may hold a key: only its kind is told.
        return MachineFault(
            f"the store does not answer as it should ({type(error).__name__}).",
            where=self.place,
            remedy="Look at store and store_options in configs/clearspot.yaml, and whether it can be reached.",
        )


def _written(facts: Mapping[str, Any]) -> float:
    """When an object was written, as far as its kind of store says so."""
    for name in ("LastModified", "mtime", "created"):
        when = facts.get(name)
        if when is not None:
            return float(when.timestamp() if hasattr(when, "timestamp") else when)
    return 0.0
