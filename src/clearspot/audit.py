"""The audit log: append-only JSON lines, each with the digest of the one before, under a signed head.

The head is written first and holds the newest line: a process that dies between the two leaves a line that the next
one can complete, and never a line that nobody signed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from clearspot.chain import NOTHING, inspect_chain
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.files import write_atomically
from clearspot.hashing import canonical_json, sha256_bytes
from clearspot.signing import is_signed, key_id, sign
from clearspot.yamlfile import Strict

LOG_FILE, HEAD_FILE, LOCK_FILE = "log.jsonl", "head.json", ".lock"
DOMAIN = b"clearspot audit log\x00"
CLOCK_SLACK_S = 5.0
"""How far two machines that share a log may disagree about the time."""

LOCK_TIMEOUT_S = 60.0

Event = Literal[
    "begun", "trust", "enrolment", "signature", "grant", "refusal", "approval", "export", "withdrawal", "revocation"
]


def utc_now() -> dt.datetime:
    """The time, as every record of this house writes it."""
    return dt.datetime.now(dt.UTC)


class Entry(Strict):
    """One line of the log: ``n`` counts from 1, ``at`` is UTC, ``previous`` the sha256 of the line before."""

    n: int
    at: str
    event: Event
    data: dict[str, Any]
    previous: str

    @property
    def time(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)

    @property
    def sha256(self) -> str:
        """The digest of its line, which the entry after it names."""
        return sha256_bytes(self.line)

    @property
    def line(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))

    @property
    def anchor(self) -> dict[str, int | str]:
        """What a receipt says of it: a log that lost it is not the log that the file left by."""
        return {"entry": self.n, "sha256": self.sha256}


class Head(Strict):
    """What is signed: how many entries there are, how long the log is, the digest of its last line, and that line."""

    n: int
    size_bytes: int
    sha256: str
    line: str
    key: str
    ed25519: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come: the last entry read, where the next begins, and the digest of the last line."""

    n: int = 0
    offset: int = 0
    sha256: str = NOTHING


class AuditLog:
    """One log in one folder, safe for several threads and processes. Everything happens inside ``locked``."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PrivateKey | None,
        trusted: Mapping[str, Ed25519PublicKey],
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            folder: Where the log and its head lie.
            key: Signs the head; None only reads.
            trusted: Public keys that may have signed the head, by key id.
            clock: The time of new entries.
        """
        self.folder, self.clock = folder, clock
        self._key, self._trusted = key, trusted
        self._mine = threading.RLock()

    @property
    def path(self) -> Path:
        return self.folder / LOG_FILE

    @property
    def exists(self) -> bool:
        return (self.folder / HEAD_FILE).exists() or self.path.exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the log: no other thread or process reads or writes it meanwhile. May be nested.

        Raises:
            MachineFault: Somebody else held it for too long, or the folder cannot be written to.
        """
        from filelock import FileLock, Timeout

        with self._mine:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = FileLock(self.folder / LOCK_FILE, timeout=LOCK_TIMEOUT_S, is_singleton=True)
                lock.acquire()
            except Timeout as error:
                raise MachineFault("is held by another process.", where=str(self.folder)) from error
            except OSError as error:
                raise MachineFault(f"cannot be written to: {error.strerror}.", where=str(self.folder)) from error
            try:
                yield
            finally:
                lock.release()

    def begin(self) -> bool:
        """Write the first entry, where there is no log yet.

        Returns:
            Whether one was begun.
        """
        with self.locked():
            if self.exists:
                return False
            self._write(Position(), "begun", {}, self.clock())
            return True

    def append(self, event: Event, data: Mapping[str, Any]) -> Entry:
        """Add an entry.

        Raises:
            Refused: There is no log, it was tampered with, or this machine's clock is behind it.
            MachineFault: It cannot be written.
        """
        with self.locked():
            head = self.head()
            self.require_clock(head)
            # Never before the entry before it, within the slack neither: else the clock could go back step by step.
            at = max(self.clock(), self._newest(head))
            return self._write(Position(head.n, head.size_bytes, head.sha256), event, data, at)

    def head(self) -> Head:
        """The signed head, the log completed to it where a process died between the two.

        Raises:
            Refused: There is no log, the head is not signed by a key of this project, or the log is not as long as
                the head says.
        """
        with self.locked():
            head = self._signed_head()
            self._complete(head)
            return head

    def require_clock(self, head: Head) -> dt.datetime:
        """The time now, which must not be before the newest entry's.

        Raises:
            Refused: This machine's clock was set back.
        """
        now, newest = self.clock(), self._newest(head)
        if (newest - now).total_seconds() > CLOCK_SLACK_S:
            raise Refused(
                f"this machine's clock says {_stamp(now)}, and the audit log's newest entry is of {_stamp(newest)}.",
                where=str(self.path),
                remedy="Set the clock right; a term of consent cannot be held against a clock that runs backwards.",
            )
        return now

    def read(self, since: Position | None = None) -> Iterator[tuple[Position, Entry]]:
        """Every entry after a position, each held against the one before and the last against the signed head.

        Raises:
            Refused: The log was tampered with; the message names the entry.
        """
        with self.locked():
            head = self.head()
            at = since or Position()
            with self._reading():
                file = self.path.open("rb")
            with file:
                file.seek(at.offset)
                for line in file:
                    entry = _entry(line.rstrip(b"\n"), self.path, at.n + 1)
                    if entry.n != at.n + 1 or entry.previous != at.sha256:
                        raise _tampered(self.path, f"entry {at.n + 1} does not follow the one before it")
                    at = Position(entry.n, at.offset + len(line), sha256_bytes(line.rstrip(b"\n")))
                    yield at, entry
            if (at.n, at.sha256) != (head.n, head.sha256):
                raise _tampered(self.path, f"its last entry is not entry {head.n} that was signed")

    def inspect(self) -> tuple[int, tuple[str, ...]]:
        """Every entry looked at, whatever is wrong with those before it.

        Returns:
            How many entries there are, and what is wrong, entry by entry; empty where nothing is.
        """
        with self.locked():
            head, problems = None, []
            try:
                head = self._signed_head()
                self._complete(head)
            except Refused as refusal:
                problems.append(refusal.what)
            with self._reading():
                data = self.path.read_bytes() if self.path.exists() else b""
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        found = inspect_chain(lines, head.n if head else 0)
        if head and not found and (not lines or sha256_bytes(lines[-1]) != head.sha256):
            found.append(f"the last entry is not entry {head.n} that was signed: the log was written anew")
        return len(lines), tuple(problems + found)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MachineFault(f"cannot be read: {error.strerror}.", where=str(self.path)) from error

    def _signed_head(self) -> Head:
        path = self.folder / HEAD_FILE
        try:
            head = Head.model_validate_json(path.read_bytes(), strict=True)
        except FileNotFoundError as error:
            if self.path.exists():
                raise _tampered(path, "the signed head of the log is missing") from error
            raise Refused(
                "there is no audit log here.",
                where=str(self.folder),
                remedy="`clearspot keys init` begins one; where there was one, put it back from its backup first.",
            ) from error
        except (OSError, ValidationError) as error:
            raise _tampered(path, "the head of the log cannot be read") from error
        key = self._trusted.get(head.key)
        if key is None:
            raise _tampered(path, f"the head is signed with key {head.key}, which is none of this project's")
        if not is_signed(DOMAIN, _signed_part(head), head.ed25519, key):
            raise _tampered(path, "the head was changed after it was signed")
        if sha256_bytes(head.line.encode()) != head.sha256:
            raise _tampered(path, "the newest entry in the head was changed")
        return head

    def _complete(self, head: Head) -> None:
        """Write what a process that died did not: at most the one line that the head holds."""
        last = head.line.encode() + b"\n"
        have = self.path.stat().st_size if self.path.exists() else 0
        if have == head.size_bytes:
            return
        begins = head.size_bytes - len(last)
        if have > head.size_bytes:
            raise _tampered(self.path, f"there is more in it than the {head.n} entries that were signed")
        if have < begins:
            raise _tampered(self.path, f"it is shorter than the {head.n} entries that were signed")
        if have > begins:
            with self._reading(), self.path.open("rb") as file:
                file.seek(begins)
                rest = file.read()
            if not last.startswith(rest):
                raise _tampered(self.path, f"its end is not that of entry {head.n} that was signed")
        self._put(begins, last)

    def _newest(self, head: Head) -> dt.datetime:
        return _entry(head.line.encode(), self.path, head.n).time

    def _write(self, after: Position, event: Event, data: Mapping[str, Any], at: dt.datetime) -> Entry:
        if self._key is None:
            raise ValueError("this log was opened to be read")
        entry = Entry(
            n=after.n + 1,
            at=at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
            event=event,
            data=dict(data),
            previous=after.sha256,
        )
        try:
            line = entry.line
        except ValueError as error:
            raise BadInput(f"cannot be written down: {error}.", where=str(self.path)) from error
        size_bytes = after.offset + len(line) + 1
        unsigned = Head(
            n=entry.n,
            size_bytes=size_bytes,
            sha256=sha256_bytes(line),
            line=line.decode(),
            key=key_id(self._key.public_key()),
            ed25519="",
        )
        head = unsigned.model_copy(update={"ed25519": sign(DOMAIN, _signed_part(unsigned), self._key)})
        write_atomically(self.folder / HEAD_FILE, canonical_json(head.model_dump()))
        self._put(after.offset, line + b"\n")
        return entry

    def _put(self, offset: int, line: bytes) -> None:
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.ftruncate(handle, offset)
                while line:
                    written = os.pwrite(handle, line, offset)
                    line, offset = line[written:], offset + written
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise MachineFault(f"cannot be written: {error.strerror}.", where=str(self.path)) from error


def _signed_part(head: Head) -> dict[str, int | str]:
    return {"n": head.n, "size_bytes": head.size_bytes, "sha256": head.sha256}


def _entry(line: bytes, path: Path, n: int) -> Entry:
    """A line as an entry. Not through the strict model: its chain of digests says that we wrote it so."""
    try:
        value = json.loads(line)
        entry = Entry.model_construct(**{name: value[name] for name in Entry.model_fields})
        if entry.event not in get_args(Event) or not isinstance(entry.data, dict) or not isinstance(entry.n, int):
            raise ValueError("no entry")  # noqa: TRY301  (told like the other ways not to be one)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _tampered(path, f"entry {n} is none") from error
    return entry


def _stamp(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="seconds")


def _tampered(path: Path, what: str) -> Refused:
    return Refused(
        f"the audit log was tampered with or damaged: {what}.",
        where=str(path),
        remedy="`clearspot audit verify` lists everything; put the log back from its backup.",
    )
