"""RIFF/WAVE files as chunks: walked without trust in any size they state, and written anew beside themselves.

Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clearspot.errors import BadInput
from clearspot.provenance.reading import MAX_PARTS, Unreadable, size_of, take

HEAD_BYTES, CHUNK_HEAD_BYTES = 12, 8
MAX_FILE_BYTES = 0xFFFFFFFF
STREAMED = (0, 0xFFFFFFFF)
"""What a writer that could not go back leaves where the file's size should be."""

COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its body begins at ``at`` and has ``size`` bytes.

    ``kind`` is its four letters; of a list ``LIST/`` and the list's own four.
    """

    kind: str
    at: int
    size: int


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a WAVE file, as far as they lie within it.

    Raises:
        Unreadable: It is no RIFF/WAVE file, or a chunk ends outside it.
    """
    file.seek(0)
    form, size, kind = struct.unpack("<4sI4s", take(file, HEAD_BYTES))
    if (form, kind) != (b"RIFF", b"WAVE"):
        raise Unreadable("is no RIFF/WAVE file")
    end = size_of(file) if size in STREAMED else min(size_of(file), CHUNK_HEAD_BYTES + size)
    at = HEAD_BYTES
    while at + CHUNK_HEAD_BYTES <= end:
        file.seek(at)
        name, length = struct.unpack("<4sI", take(file, CHUNK_HEAD_BYTES))
        body = at + CHUNK_HEAD_BYTES
        if body + length > end:
            raise Unreadable(f"chunk {name!r} ends outside the file")
        listed = name == b"LIST" and length >= 4
        yield Chunk((name + b"/" + take(file, 4) if listed else name).decode("latin-1"), body, length)
        at = body + length + length % 2


def fields(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The chunks within a chunk, such as those of LIST/INFO after its type, as far as they lie within it."""
    at = 0
    for _ in range(MAX_PARTS):
        if at + CHUNK_HEAD_BYTES > len(data):
            return
        name, length = struct.unpack_from("<4sI", data, at)
        at += CHUNK_HEAD_BYTES
        if at + length > len(data):
            return
        yield name.decode("latin-1"), data[at : at + length]
        at += length + length % 2


def chunk(name: str, body: bytes) -> bytes:
    """A chunk in bytes, padded to an even length."""
    return struct.pack("<4sI", name.encode("ascii"), len(body)) + body + bytes(len(body) % 2)


def rewrite(
    source: Path, target: Path, *, before: Sequence[bytes], after: Sequence[bytes], replaced: Collection[str]
) -> None:
    """Write a WAVE file with other chunks beside its sound, which is copied piece by piece.

    Args:
        source: The file.
        target: The new one; what is there is overwritten.
        before: Chunks that come after ``fmt`` and before everything else, where those who stream find them.
        after: Chunks that come last.
        replaced: Kinds of chunks that are left out.

    Raises:
        BadInput: It is no RIFF/WAVE file, or the new one would be too large for one (4 GB).
    """
    with source.open("rb") as file:
        try:
            kept = [one for one in chunks(file) if one.kind not in replaced]
        except Unreadable as error:
            raise BadInput(f"cannot be tagged: {error}.", where=str(source)) from error
        kept.sort(key=lambda one: one.kind != "fmt ")  # the order of all others stays
        if not kept or kept[0].kind != "fmt ":
            raise BadInput("cannot be tagged: it has no format chunk.", where=str(source))
        size = 4 + sum(CHUNK_HEAD_BYTES + one.size + one.size % 2 for one in kept)
        size += sum(map(len, before)) + sum(map(len, after))
        if size > MAX_FILE_BYTES - CHUNK_HEAD_BYTES:
            raise BadInput("is too large for a WAVE file (4 GB).", where=str(source), remedy="Take FLAC.")
        with target.open("wb") as new:
            new.write(struct.pack("<4sI4s", b"RIFF", size, b"WAVE"))
            _copy(file, new, kept[0])
            new.writelines(before)
            for one in kept[1:]:
                _copy(file, new, one)
            new.writelines(after)


def _copy(file: BinaryIO, new: BinaryIO, one: Chunk) -> None:
    file.seek(one.at - CHUNK_HEAD_BYTES)
    left = CHUNK_HEAD_BYTES + one.size
    while left:
        piece = take(file, min(left, COPY_BYTES))
        new.write(piece)
        left -= len(piece)
    new.write(bytes(one.size % 2))
