"""A store to break: runs that ask it for values, and everything that can become of what lies on a shelf."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clearspot.actions import Action, drafting
from clearspot.cache import Cache
from clearspot.errors import ClearspotError
from clearspot.hashing import canonical_json, sha256_bytes, sha256_json
from clearspot.packing import TEXT
from clearspot.shelves import Item, Shelf
from clearspot.store import BLOBS, RECORDS, Record, Store

GB = 10**9
Damage = Callable[[bytes], bytes | None]
"""Other bytes in the place of those that were written; None where they are gone."""


def key_of(text: str) -> str:
    return sha256_bytes(text.encode())


def blob_name(output: str) -> str:
    return f"{BLOBS}/{output[:2]}/{output}"


def record_name(key: str) -> str:
    return f"{RECORDS}/{key[:2]}/{key}"


def an_action(text: str) -> Action:
    """A line to be drafted: the smallest of all actions."""
    return drafting("engine 1", "en-US", "es-ES", text, "es-ES")


def said(text: str) -> str:
    """What the engine says to a text; always the same, so that a wrong value is seen."""
    return f"«{text}», con café ☕"


@dataclass
class Run:
    """One run's view of a store: what it asks for, what it had to make, and what it was warned of."""

    store: Store
    warnings: list[ClearspotError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = Cache(self.store, self.warnings.append)

    def ask(self, text: str) -> str:
        return self.cache.value(an_action(text), TEXT, lambda: said(text), lambda value: {"characters": len(value)})

    @property
    def made(self) -> list[str]:
        """The texts that were not there."""
        return [str(action.inputs["text"]) for action in self.cache.made]


def keep_text(store: Store, text: str) -> Record:
    """Put into a store what a run would."""
    value = said(text)
    return store.keep("translate", an_action(text).key, value.encode(), {"characters": len(value)})


def read_back(store: Store, key: str) -> bytes | None:
    """A result's bytes by its key, or None."""
    record = store.find(key)
    return store.read(record) if record else None


def things(shelf: Shelf) -> dict[str, Item]:
    """Everything on a shelf by its name."""
    return {item.name: item for item in shelf.items()}


def spoil(shelf: Shelf, name: str, damage: Damage) -> None:
    """Damage what lies under a name, behind the store's back."""
    data = shelf.read(name)
    assert data is not None, f"there is no {name}"
    changed = damage(data)
    assert changed != data
    if changed is None:
        shelf.delete(name)
    else:
        shelf.write(name, changed)


def flipped(place: int) -> Damage:
    """One bit is another."""

    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return flip


BLOB_DAMAGE: dict[str, Damage] = {
    "the first bit flipped": flipped(0),
    "a bit in the middle flipped": flipped(7),
    "the last bit flipped": flipped(-1),
    "as long, of zeros": lambda data: bytes(len(data)),
    "as long, another text": lambda data: b"x" * len(data),
    "truncated by one": lambda data: data[:-1],
    "truncated to half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "a byte more": lambda data: data + b"\n",
    "huge": lambda data: data * 50_000,
    "deleted": lambda data: None,
}


def resealed(**fields: Any) -> Damage:
    """A record with other fields, as in order within itself as if it had been written so."""

    def reseal(data: bytes) -> bytes:
        body = json.loads(data) | fields
        del body["sha256"]
        return canonical_json({**body, "sha256": sha256_json(body)})

    return reseal


def edited(**fields: Any) -> Damage:
    """A record with other fields that nobody sealed; None takes a field away."""
    return lambda data: canonical_json(
        {name: value for name, value in (json.loads(data) | fields).items() if value is not None}
    )


RECORD_DAMAGE: dict[str, Damage] = {
    "a bit flipped": flipped(40),
    "the last bit flipped": flipped(-1),
    "truncated by one": lambda data: data[:-1],
    "truncated to half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "a byte more": lambda data: data + b"}",
    "deleted": lambda data: None,
    "not JSON": lambda data: b"what is this?",
    "not UTF-8": lambda data: b"\xff\xfe\xfd" + data,
    "zeros": lambda data: bytes(len(data)),
    "huge and binary": lambda data: bytes(range(256)) * 20_000,
    "huge and JSON": lambda data: b'"' + b"x" * 3_000_000 + b'"',
    "nested too deep": lambda data: b"[" * 200_000,
    "a number too huge to be read": lambda data: b"9" * 5_000,
    "another kind of JSON": lambda data: b"[4]",
    "nothing as JSON": lambda data: b"null",
    "an empty object": lambda data: b"{}",
    "a size that is no number": lambda data: data.replace(b'"size":', b'"size":NaN,"was":'),
    "another output": edited(output=key_of("another")),
    "another size": edited(size=3),
    "another stage": edited(stage="speak"),
    "other facts": edited(facts={"characters": 1}),
    "no seal": edited(sha256=None),
    "a field less": edited(output=None),
    "a field more": edited(more=1),
    "the record of another key": resealed(key=key_of("another")),
    "of another schema": resealed(schema=2),
    "of no schema": resealed(schema=None),
    "sealed, of a blob that is not there": resealed(output=key_of("nowhere")),
    "sealed, with a wrong size": resealed(size=1),
    "sealed, with a size in words": resealed(size="many"),
    "sealed, with facts that are none": resealed(facts=[5]),
}
