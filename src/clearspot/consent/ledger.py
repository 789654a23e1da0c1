"""What the audit log says of consent: who was revoked, which records were followed by others, how many spots there are.

The log is the truth; this is its reading, kept in step with it entry by entry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from clearspot.audit import AuditLog, Entry, Event, Head, Position
from clearspot.consent.revocation import Revocation

Spot = tuple[str, str, str]
"""What makes a spot another spot: its id, its advertiser, its product."""


@dataclass(frozen=True, slots=True)
class Export:
    """A deliverable that left, as far as the ledger keeps it: its place, the voice and record it left with.

    ``entry_sha256`` is the digest of the log's entry, which its receipt names.
    """

    path: Path
    voice: str
    record_sha256: str
    entry_sha256: str


class Ledger:
    """One log's reading, for one process. ``turn`` gives it up to date, with the log held."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self._read = Position()
        self._spots: dict[tuple[str, str], set[Spot]] = {}
        self._followed: dict[str, str] = {}
        self._revocations: list[Revocation] = []
        self._exports: dict[int, Export] = {}
        self._circle: dict[str, Any] | None = None

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """Hold the log, with everything read that stands in it.

        Raises:
            Refused: There is no log, it was tampered with, or the clock is behind it.
            MachineFault: It cannot be read or held.
        """
        with self.log.locked():
            head = self.log.head()
            self.log.require_clock(head)
            self._catch_up(head)
            yield Turn(self)

    def _catch_up(self, head: Head) -> None:
        if head.sha256 != self._read.sha256:
            for position, entry in self.log.read(self._read):
                self._take(entry, position.sha256)
                self._read = position

    def _take(self, entry: Entry, sha256: str) -> None:
        data = entry.data
        believed = entry.event == "grant" or (entry.event == "signature" and data["complete"])
        if believed and data["previous_sha256"]:
            self._followed[data["previous_sha256"]] = data["record_sha256"]
        if entry.event == "grant":
            spots = self._spots.setdefault((data["voice"], data["record"]), set())
            spots.add((data["spot"], data["advertiser"], data["product"]))
        elif entry.event == "revocation":
            self._revocations.append(Revocation.of_log(data))
        elif entry.event == "export":
            self._exports[entry.n] = Export(Path(data["path"]), data["voice"], data["record_sha256"], sha256)
        elif entry.event == "trust":
            self._circle = data["keys"]


class Turn:
    """The ledger while the log is held: what it says cannot change before ``write`` has added to it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def spots(self, voice: str, record: str) -> frozenset[Spot]:
        """Every distinct spot that a record was ever granted for."""
        return frozenset(self._ledger._spots.get((voice, record), ()))

    def follower(self, record_sha256: str) -> str:
        """The digest of the record that took a record's place; empty where none did."""
        return self._ledger._followed.get(record_sha256, "")

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        return tuple(self._ledger._revocations)

    @property
    def exports(self) -> Mapping[int, Export]:
        """Everything that left, by the number of its entry, oldest first."""
        return MappingProxyType(self._ledger._exports)

    @property
    def circle(self) -> Mapping[str, Any] | None:
        """Who might sign, as it was last written down; None before the first time."""
        return self._ledger._circle

    def write(self, event: Event, data: Mapping[str, Any]) -> Entry:
        """Add an entry; the next turn reads it.

        Raises:
            MachineFault: It cannot be written.
        """
        return self._ledger.log.append(event, data)
