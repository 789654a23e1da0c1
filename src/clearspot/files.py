"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.hashing import sha256_bytes, sha256_file

PARTIAL = ".partial"
"""How the name of a file ends that is not whole yet; before it stand the machine and the process that write it."""

STALE_S = 3600.0
"""What another machine left, of which nobody here can say whether it is alive, is taken away after this long."""

LIFE = secrets.token_hex(4)
"""This process, whatever others had its number before: in a container that is started again it is always the same."""


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file and the sha256 it must have. ``read`` is the way to its bytes."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """The bytes, checked: what was checked is what is used, whatever happens to the file meanwhile.

        Raises:
            Refused: The bytes are not those that were named.
            MachineFault: The file cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise MachineFault(f"cannot be read: {error.strerror}.", where=str(self.path)) from error
        if (actual := sha256_bytes(data)) != self.sha256:
            raise digest_mismatch(self.path, actual, self.sha256)
        return data


class DigestCache:
    """Digests of files, remembered in this process for as long as nothing about a file changes.

    A file is known again by its path, device, inode, size, and the times of its last change of content and of
    anything (the latter cannot be set by hand). Nothing is written down: a remembered digest cannot be forged on disk.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str | int, ...], str] = {}

    def sha256(self, path: Path, *, anew: bool = False) -> str:
        """The sha256 of a file's bytes.

        Args:
            path: The file.
            anew: Read the bytes whatever is remembered, as an export does.

        Raises:
            MachineFault: It cannot be read, or changes while it is read.
        """
        key = self._key(path)
        if anew or key not in self._known:
            digest = sha256_file(path)
            if self._key(path) != key:
                raise MachineFault("changed while it was read.", where=str(path), remedy="Run it again.")
            self._known[key] = digest
        return self._known[key]

    def _key(self, path: Path) -> tuple[str | int, ...]:
        return (str(path), *_signs_of(path))


@contextlib.contextmanager
def held_to(path: Path, sha256: str) -> Iterator[Path]:
    """A file for as long as something reads it: it is the one that was named, before and after.

    Raises:
        MachineFault: It is another by now, was touched while it was read, or cannot be read.
    """
    before = _signs_of(path)
    if sha256_file(path) == sha256:
        yield path
        if _signs_of(path) == before:
            return
    raise MachineFault("changed while the spot was made.", where=str(path), remedy="Run it again.")


def _signs_of(path: Path) -> tuple[int, ...]:
    """What changes whenever a file does; the last cannot be set by hand."""
    try:
        stat = path.stat()
    except OSError as error:
        raise MachineFault(f"cannot be read: {error.strerror}.", where=str(path)) from error
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def digest_mismatch(path: Path, actual: str, wanted: str) -> Refused:
    """The refusal of a file that is not the one that was named."""
    return Refused(
        f"is not the file that was named (sha256 {actual[:12]}, should be {wanted[:12]}); it is not opened.",
        where=str(path),
        remedy="Delete it and run `clearspot models fetch`; if it was meant to change, name its new digest.",
    )


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside the target, flush to disk, move into place: never half a file under the final name.

    Raises:
        MachineFault: The folder cannot be written to or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.{machine()}-{os.getpid()}.{LIFE}"
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=PARTIAL, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, path)
            _flush_folder(path.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(path)) from error


def sweep_partials(folder: Path) -> None:
    """Take away what killed processes left half-written below a folder; what is being written stays."""
    for path in folder.rglob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):  # somebody else may take it away meanwhile
            if is_left_behind(path):
                path.unlink()


def is_left_behind(partial: Path) -> bool:
    """Whether nobody will finish a half-written file.

    Its process is gone; or it is old, and another machine's, or of another process that had our number.

    Raises:
        OSError: It is gone.
    """
    form = re.search(r"\.([^.]*)-(\d+)\.([^.]*)$", partial.name.removesuffix(PARTIAL))
    if form and form[1] == machine():
        writer = int(form[2])
        if not alive(writer) or writer != os.getpid() or form[3].startswith(LIFE):
            return not alive(writer)
    return time.time() - partial.stat().st_mtime > STALE_S


def alive(process: int) -> bool:
    """Whether a process of this machine is still there."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def machine() -> str:
    """This machine's name, as names of temporary files have it."""
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())


def _flush_folder(folder: Path) -> None:
    """Let a rename outlive a power cut, where the system can do that."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def inside(folder: Path, name: str, *, where: str) -> Path:
    """The path of ``name`` in ``folder``; a name that leads out of it is refused.

    Raises:
        BadInput: The name is absolute or leaves the folder.
    """
    try:
        path = (folder / name).resolve()
        path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"{name[:80]!r} is no file name that can be used.", where=where) from error
    if Path(name).is_absolute() or not path.is_relative_to(folder.resolve()):
        raise BadInput(f"{name!r} leads out of {folder.name}/.", where=where, remedy="Name a file in that folder.")
    return path
