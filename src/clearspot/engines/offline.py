"""A watch over the network: while it stands, nothing in this process reaches out, and what tried to is told."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

REACHES_OUT = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
"""Events that CPython audits before they happen; a library that opens sockets without Python is not seen."""

_watches: list[list[str]] = []
_hooked: list[bool] = []


@contextlib.contextmanager
def no_network() -> Iterator[list[str]]:
    """Refuse every connection that Python makes, in every thread, for as long as the block lasts.

    Yields:
        What tried to reach out so far, in words.
    """
    if not _hooked:
        sys.addaudithook(_refuse)  # for the rest of the process: Python has no way to take one back
        _hooked.append(True)
    tried: list[str] = []
    _watches.append(tried)
    try:
        yield tried
    finally:
        _watches.remove(tried)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches or event not in REACHES_OUT:
        return
    address = arguments[1] if event in {"socket.connect", "socket.sendto", "socket.sendmsg"} else arguments[:2]
    if isinstance(address, str | bytes):  # a socket of this machine's own file system
        return
    for tried in tuple(_watches):
        tried.append(f"{event} {address}")
    raise ConnectionRefusedError(f"{event}: engines are checked without a network")
