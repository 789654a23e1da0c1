"""Tags as Vorbis comments: flac, ogg (Vorbis) and opus.

Sources: xiph.org, Vorbis I specification (comment field), RFC 9639 (FLAC), RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from clearspot.provenance import tags_id3
from clearspot.provenance.reading import MAX_BLOCK_BYTES, MAX_PARTS, Unreadable, take, text_of

if TYPE_CHECKING:
    from clearspot.provenance.tags import Tags

FLAC_COMMENT = 4
COMMENT_MARKS = {b"\x01vorbis": b"\x03vorbis", b"OpusHead": b"OpusTags"}
"""How a codec's first packet begins, and how the one with its comments does."""

PAGE_HEAD_BYTES = 27


def write(path: Path, tags: Tags) -> None:
    """Add our comments to those of a flac, ogg or opus file."""
    from mutagen.flac import FLAC
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis

    kinds: Any = {".flac": FLAC, ".ogg": OggVorbis, ".opus": OggOpus}
    file = kinds[path.suffix](path)
    if file.tags is None:
        file.add_tags()
    # Names are the same in capitals: our Title, Language and Comment are those that players show.
    said = tags.as_pairs() | {
        "description": tags.comment,
        "organization": tags.provider,
        "date": tags.created,
        "encoder": f"{tags.system} {tags.system_version}",
    }
    for name in tags.unsaid:
        if name in file.tags:
            del file.tags[name]
    for name, text in said.items():
        file.tags[name] = [text]
    file.save()


def flac_pairs(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The comments of a FLAC file, also behind the ID3 tag that C2PA puts before it.

    Raises:
        Unreadable: It is no FLAC file, or its blocks end outside it.
    """
    tags_id3.skip(file)
    if take(file, 4) != b"fLaC":
        raise Unreadable("is no FLAC file")
    last = False
    while not last:
        head = take(file, 4)
        last = bool(head[0] & 0x80)
        length = int.from_bytes(head[1:])
        if head[0] & 0x7F == FLAC_COMMENT:
            yield from _comments(take(file, length))
        else:
            file.seek(length, 1)


def ogg_pairs(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The comments of the first stream of an Ogg file, where that is Vorbis or Opus.

    Raises:
        Unreadable: It is no such file, or its comments are not whole.
    """
    first, second, *_ = _packets(file, 2)
    for begins, mark in COMMENT_MARKS.items():
        if first.startswith(begins) and second.startswith(mark):
            yield from _comments(second[len(mark) :])


def _packets(file: BinaryIO, count: int) -> list[bytes]:
    """The first packets of the first stream, put together from its pages."""
    packets: list[bytes] = []
    unfinished = bytearray()
    stream: int | None = None
    while True:
        mark, serial, segments = struct.unpack("<4s10xI8xB", take(file, PAGE_HEAD_BYTES))
        if mark != b"OggS":
            raise Unreadable("is no Ogg file")
        stream = serial if stream is None else stream
        lacing = take(file, segments)
        body = take(file, sum(lacing))
        if serial != stream:
            continue
        at = 0
        for length in lacing:
            unfinished += body[at : at + length]
            at += length
            if length < 255:
                packets.append(bytes(unfinished))
                unfinished.clear()
            if len(packets) == count:
                return packets
        if len(unfinished) > MAX_BLOCK_BYTES:
            raise Unreadable("a packet of more than comments have")


def _comments(data: bytes) -> Iterator[tuple[str, str]]:
    at = 4 + _length(data, 0)
    count, at = _length(data, at), at + 4
    for _ in range(min(count, MAX_PARTS)):
        length, at = _length(data, at), at + 4
        if at + length > len(data):
            raise Unreadable("a comment ends outside its block")
        name, is_one, text = (text_of(data[at : at + length]) or "").partition("=")
        if is_one:
            yield name, text
        at += length


def _length(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise Unreadable("comments end in the middle")
    return int.from_bytes(data[at : at + 4], "little")
