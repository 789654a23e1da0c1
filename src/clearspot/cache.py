"""The store as a run uses it: what was made before is taken from it, what is made now is put there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from clearspot.actions import Action
from clearspot.errors import ClearspotError, MachineFault
from clearspot.packing import Codec
from clearspot.store import Record, Store

T = TypeVar("T")


def no_facts(_: object) -> Mapping[str, Any]:
    """Nothing that a plan would ask for."""
    return {}


class Cache:
    """One run's view of a store. ``made`` is every action that was not there and had to be done.

    A store that cannot be read or written costs time, never a deliverable: the first trouble is a warning, and the
    process goes on without it.
    """

    def __init__(self, store: Store, warn: Callable[[ClearspotError], None]) -> None:
        self._store, self._warn = store, warn
        self._lock = threading.Lock()
        self.made: list[Action] = []

    def value(
        self,
        action: Action,
        codec: Codec[T],
        make: Callable[[], T],
        facts: Callable[[T], Mapping[str, Any]] = no_facts,
    ) -> T:
        """What an action gives: from the store where it is there and whole, else made now and put there.

        Raises:
            ClearspotError: Whatever ``make`` raises; a failure is never kept.
        """
        record = self.find(action.key)
        data = self._read(record) if record else None
        if data is not None:
            # Bytes that are whole, and of another version's kind, are made again.
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, RecursionError):
                return codec.unpack(data)
        value = make()
        with self._lock:
            self.made.append(action)
        self._keep(action, codec.pack(value), facts(value))
        return value

    def find(self, key: str) -> Record | None:
        """What is known of an action's result that is in the store; None where it is not."""
        return self._without_trouble(lambda: self._store.find(key))

    def _read(self, record: Record) -> bytes | None:
        return self._without_trouble(lambda: self._store.read(record))

    def _keep(self, action: Action, data: bytes, facts: Mapping[str, Any]) -> None:
        self._without_trouble(lambda: self._store.keep(action.stage, action.key, data, facts))

    def _without_trouble(self, call: Callable[[], T]) -> T | None:
        if self._store.broken:
            return None
        try:
            return call()
        except MachineFault as error:
            with self._lock:
                first, self._store.broken = not self._store.broken, True
            if first:
                warning = MachineFault(
                    f"the store is not used for the rest of this run: {error.what}",
                    where=error.where,
                    remedy="What was made is not touched by this; the next run makes more again than it would have to.",
                )
                warning.__cause__ = error
                self._warn(warning)
            return None
