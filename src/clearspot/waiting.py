"""Waiting in the main thread for what others do, so that a stop is heard."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

T = TypeVar("T")

LISTEN_S = 0.2
"""So often the main thread looks up from waiting.

The kernel may give a process's signal to any of its threads. Only the main thread runs Python's handlers, and a wait
without an end is interrupted only by a signal that this very thread got (docs.python.org/3/library/signal.html).
"""


def first_done(futures: Iterable[Future[T]]) -> tuple[set[Future[T]], set[Future[T]]]:
    """Wait until one of some futures is done.

    Returns:
        Those that are done, and those that are not.
    """
    left = set(futures)
    while True:
        done, left = wait(left, LISTEN_S, FIRST_COMPLETED)
        if done or not left:
            return done, left


def result_of(future: Future[T]) -> T:
    """Wait for a future: what it gave, or raised."""
    first_done([future])
    return future.result()
