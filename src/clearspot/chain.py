"""A chain of JSON lines, each with a number and the digest of the line before: what is wrong with it, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clearspot.hashing import sha256_bytes

NOTHING = "0" * 64
"""What the first line names as the digest of the one before."""

MOST_TOLD = 1000


def inspect_chain(lines: Sequence[bytes], signed: int) -> list[str]:
    """Everything that is wrong with a chain, none of it hiding the next.

    Args:
        lines: The lines as they are, without their ends.
        signed: How many there should be; 0 where that is not known.
    """
    links = [_link(line) for line in lines]
    return [*_out_of_order(links, signed), *_changed(links)]


@dataclass(frozen=True, slots=True)
class _Link:
    """What the links of the chain need of one line; ``n`` is None where it is no entry."""

    n: int | None
    previous: str
    sha256: str


def _link(line: bytes) -> _Link:
    try:
        value = json.loads(line)
        n, previous = value["n"], value["previous"]
    except (ValueError, KeyError, TypeError, RecursionError):
        n, previous = None, ""
    return _Link(n if isinstance(n, int) else None, str(previous), sha256_bytes(line))


def _out_of_order(links: Sequence[_Link], signed: int) -> Iterator[str]:
    """What is missing, twice there, or out of its place."""
    seen: set[int] = set()
    highest = 0
    for index, link in enumerate(links, start=1):
        if link.n is None:
            yield f"line {index} is no entry"
            continue
        if link.n in seen:
            yield f"entry {link.n} is there twice"
        elif link.n < highest:
            yield f"entry {link.n} stands out of its place, after entry {highest}"
        seen.add(link.n)
        highest = max(highest, link.n)
    told = range(1, min(max(highest, signed), len(links) + MOST_TOLD) + 1)  # a forged number may be anything
    yield from (f"entry {n} is missing" for n in told if n not in seen)


def _changed(links: Sequence[_Link]) -> Iterator[str]:
    """Entries whose line is not the one that the entry after them names."""
    digests = {link.n: link.sha256 for link in links if link.n is not None} | {0: NOTHING}
    for link in links:
        if link.n is not None and link.previous != digests.get(link.n - 1, link.previous):
            yield f"entry {max(1, link.n - 1)} was changed"
