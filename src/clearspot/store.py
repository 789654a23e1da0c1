"""The store: results of stages by what they depend on. Blobs are named by their digest, records by an action's key.

A blob is written first and its record last, each whole or not at all: whenever a process dies, what can be found is
complete. Everything is checked when it is read; what is damaged is taken away and counts as not there.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearspot.errors import MachineFault
from clearspot.hashing import canonical_json, sha256_bytes, sha256_json
from clearspot.shelves import BLOBS, RECORDS, Item, Shelf

SCHEMA = 1
DIGEST = re.compile(r"[0-9a-f]{64}")
YOUNG_S = 3600.0
"""A blob without a record may belong to a process that is about to write it: younger ones stay."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one action gave: ``output`` is the sha256 of its blob, ``size`` the bytes of it.

    ``facts`` are small things about the result that a plan asks for without reading it.
    """

    stage: str
    key: str
    output: str
    size: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """What a store holds, by stage: number of results and their bytes; ``bytes`` counts everything."""

    place: str
    limit_bytes: int
    bytes: int
    blobs: int
    stages: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Swept:
    """What was taken out of a store: how many things, and their bytes."""

    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What every byte of a store was found to be; ``damaged`` names what was taken away."""

    blobs: int
    records: int
    damaged: tuple[str, ...]


class Store:
    """Blobs and action records on a shelf. Safe for several threads and processes.

    ``broken`` is set by who found it unusable, so that nobody else of this process waits for it again; ``swept_at`` by
    who made room in it (seconds of ``time.monotonic``).
    """

    def __init__(self, shelf: Shelf, limit_bytes: int) -> None:
        self.shelf, self.limit_bytes = shelf, limit_bytes
        self.broken = False
        self.swept_at = float("-inf")

    def find(self, key: str) -> Record | None:
        """The record of an action whose blob is there, as large as it should be; else None."""
        record = self._record(key)
        if record is None or self.shelf.size(_blob(record.output)) != record.size:
            return None
        return record

    def read(self, record: Record) -> bytes | None:
        """A result's bytes, checked against their digest; damaged ones are taken away and are None."""
        name = _blob(record.output)
        data = self.shelf.read(name)
        if data is None:
            return None
        if sha256_bytes(data) != record.output:
            self.shelf.delete(name)
            return None
        self.shelf.touch(name)
        return data

    def keep(self, stage: str, key: str, data: bytes, facts: Mapping[str, Any]) -> Record:
        """Write a result: its blob first, its record last.

        Raises:
            MachineFault: The store cannot be written to.
        """
        record = Record(stage, key, sha256_bytes(data), len(data), dict(facts))
        name = _blob(record.output)
        if self.shelf.size(name) == record.size:
            self.shelf.touch(name)
        else:
            self.shelf.write(name, data)
        self.shelf.write(_record(key), _record_bytes(record))
        return record

    def status(self) -> Status:
        """What there is."""
        blobs, records = self._everything()
        stages: dict[str, int] = {}
        for name in records:
            record = self._record(name.rsplit("/", 1)[-1])
            if record is not None:
                stages[record.stage] = stages.get(record.stage, 0) + 1
        total = sum(item.size_bytes for item in (*blobs.values(), *records.values()))
        return Status(self.shelf.place, self.limit_bytes, total, len(blobs), dict(sorted(stages.items())))

    def sweep(self, limit_bytes: int | None = None) -> Swept:
        """Take away what was not used for longest until the rest is within the limit, and what nothing points to.

        Args:
            limit_bytes: Instead of the store's own.
        """
        limit = self.limit_bytes if limit_bytes is None else limit_bytes
        blobs, records = self._everything()
        pointed = {name: record.output for name in records if (record := self._record(name.rsplit("/", 1)[-1]))}
        now, there, used = time.time(), {_digest(item) for item in blobs.values()}, set(pointed.values())
        gone = [item for name, item in records.items() if name not in pointed]
        # What points nowhere, and what nothing points to: unless a process may just be writing the other half.
        lost = [records[name] for name, output in pointed.items() if output not in there]
        orphans = [item for item in blobs.values() if _digest(item) not in used]
        gone += [item for item in (*lost, *orphans) if now - item.used > YOUNG_S]
        total = sum(item.size_bytes for item in (*blobs.values(), *records.values()))
        total -= sum(item.size_bytes for item in gone)
        taken = {item.name for item in gone}
        owners_of: dict[str, list[Item]] = {}
        for name, output in pointed.items():
            owners_of.setdefault(output, []).append(records[name])
        for item in sorted(blobs.values(), key=lambda each: each.used):
            if total <= limit:
                break
            if item.name not in taken:
                owners = owners_of.get(_digest(item), [])
                gone += [*owners, item]  # a record without its blob is nothing
                total -= item.size_bytes + sum(owner.size_bytes for owner in owners)
        self._delete(gone)
        return Swept(len(gone), sum(item.size_bytes for item in gone))

    def verify(self) -> Checked:
        """Read every byte; what is damaged, or points nowhere, is taken away."""
        blobs, records = self._everything()
        damaged = [item for item in blobs.values() if self._spoilt(item)]
        spoilt = {_digest(item) for item in damaged}
        for name, item in records.items():
            if self.shelf.size(name) is None:
                continue  # somebody else took it away meanwhile
            record = self._record(name.rsplit("/", 1)[-1])
            if record is None or record.output in spoilt or self.shelf.size(_blob(record.output)) is None:
                damaged.append(item)
        self._delete(damaged)
        return Checked(len(blobs), len(records), tuple(item.name for item in damaged))

    def _spoilt(self, item: Item) -> bool:
        try:
            data = self.shelf.read(item.name)
        except MachineFault:
            return True
        return data is not None and sha256_bytes(data) != _digest(item)

    def _everything(self) -> tuple[dict[str, Item], dict[str, Item]]:
        items = list(self.shelf.items())
        return (
            {item.name: item for item in items if item.name.startswith(f"{BLOBS}/")},
            {item.name: item for item in items if item.name.startswith(f"{RECORDS}/")},
        )

    def _delete(self, items: list[Item]) -> None:
        for item in items:
            self.shelf.delete(item.name)

    def _record(self, key: str) -> Record | None:
        data = self.shelf.read(_record(key))
        if data is None:
            return None
        record = _read_record(data, key)
        if record is None:
            self.shelf.delete(_record(key))
        return record


def _blob(digest: str) -> str:
    return f"{BLOBS}/{digest[:2]}/{digest}"


def _record(key: str) -> str:
    return f"{RECORDS}/{key[:2]}/{key}"


def _digest(item: Item) -> str:
    return item.name.rsplit("/", 1)[-1]


def _record_bytes(record: Record) -> bytes:
    body = {
        "schema": SCHEMA,
        "stage": record.stage,
        "key": record.key,
        "output": record.output,
        "size": record.size,
        "facts": dict(record.facts),
    }
    return canonical_json({**body, "sha256": sha256_json(body)})


def _read_record(data: bytes, key: str) -> Record | None:
    """A record, or None where its bytes are not what was written for that key."""
    try:
        body = json.loads(data)
        digest = body.pop("sha256")
        if digest != sha256_json(body) or body["schema"] != SCHEMA or body["key"] != key:
            return None
        record = Record(str(body["stage"]), key, str(body["output"]), int(body["size"]), dict(body["facts"]))
        # A store may be shared: what a record names becomes the name of a file, so it is a digest or nothing.
        return record if DIGEST.fullmatch(record.output) and record.size >= 0 else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
