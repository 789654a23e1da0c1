"""The last few models of a process: each loaded once, whoever asks, and let go when others are needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

VOICES_KEPT = 4
"""Voices of an engine that a process keeps. A spot has one, and a worker makes pieces of a few spots at once, so that
four are seldom too few. Each more would be memory for as long as the process lives, and to load one again takes Piper
or Kokoro one or two seconds (docs/measurements.md)."""

LARGE_KEPT = 2
"""The same for voices of torch (the checkpoint of XTTS alone has nearly 2 GB), and for all engines of a project."""

SMALL_KEPT = 64
"""The same for what takes less than a megabyte: a style, what was heard in a recording."""


@dataclass(eq=False)
class _Entry(Generic[T]):
    """One thing: what it is once it was made, who has it now, and the lock of whoever makes it."""

    users: int = 0
    made: list[T] = field(default_factory=list)
    making: threading.Lock = field(default_factory=threading.Lock)


class Kept(Generic[T]):
    """Things by their keys, the last few that were used. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        """Nothing is made yet; ``most`` are kept, and more only while all of them are in use."""
        self._most = most
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """What has that key, made now if nobody did yet. It is not let go before it is given back.

        Threads that ask for the same wait until it is made; those that ask for others do not. Room is made first, so
        that there is never one more in memory than need be.
        """
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry  # the last one is the one that was used last
            entry.users += 1
            self._make_room()
        try:
            with entry.making:
                if not entry.made:
                    entry.made.append(make())
            yield entry.made[0]
        finally:
            with self._lock:
                entry.users -= 1
                if not entry.made and not entry.users:
                    del self._entries[key]  # it could not be made; the next one tries again
                self._make_room()

    def _make_room(self) -> None:
        idle = [key for key, entry in self._entries.items() if not entry.users]
        for key in idle[: max(0, len(self._entries) - self._most)]:
            del self._entries[key]
