"""Tags as ID3v2 frames: mp3, and the ID3 chunk of wav. Source of the format: id3.org, id3v2.3.0 and id3v2.4.0."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from clearspot.provenance.reading import Unreadable, size_of, take, text_of

if TYPE_CHECKING:
    from clearspot.provenance.tags import Tags

HEAD_BYTES = 10
ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
"""By the number that a text frame begins with."""

UNSYNCHRONISED, EXTENDED = 0x80, 0x40
FRAME_UNSYNCHRONISED, FRAME_LENGTH_STATED = 0x02, 0x01
NAMED = {b"TXXX": "", b"TIT2": "TIT2", b"TLAN": "TLAN"}
"""The frames that are read, by the names that their texts have; a TXXX frame names itself."""

PLAIN = {3: 0, 4: FRAME_UNSYNCHRONISED | FRAME_LENGTH_STATED}
"""By version, the format flags of a frame that is neither compressed nor encrypted nor in a group."""


def write(path: Path, tags: Tags) -> None:
    """Add our frames to the ID3v2 tag of an mp3, which gets one where it has none."""
    id3 = _mutagens()
    try:
        file = id3.ID3(path)
    except id3.ID3NoHeaderError:
        file = id3.ID3()
    _fill(file, tags)
    file.save(path)


def rendered(tags: Tags) -> bytes:
    """Our frames as an ID3v2.4 tag."""
    file, said = _mutagens().ID3(), io.BytesIO()
    _fill(file, tags)
    file.save(said, v1=0, padding=lambda _: 0)
    return said.getvalue()


def _fill(file: Any, tags: Tags) -> None:
    frames = _mutagens()
    file.add(frames.TIT2(encoding=3, text=tags.title))
    file.add(frames.TLAN(encoding=3, text=tags.language))
    file.add(frames.COMM(encoding=3, lang="eng", desc="", text=tags.comment))
    file.add(frames.TSSE(encoding=3, text=f"{tags.system} {tags.system_version}"))
    for name in tags.unsaid:
        file.delall(f"TXXX:{name}")
    for name, text in tags.as_pairs().items():
        file.add(frames.TXXX(encoding=3, desc=name, text=text))


def _mutagens() -> Any:
    """Mutagen's module; its classes carry no types."""
    from mutagen import id3

    return id3


def skip(file: BinaryIO) -> None:
    """Go past an ID3v2 tag where there is one."""
    start = file.tell()
    head = file.read(HEAD_BYTES)
    whole = len(head) == HEAD_BYTES and head.startswith(b"ID3")
    file.seek(start + (HEAD_BYTES + _seven_bits(head[6:]) if whole else 0))


def pairs(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The names and texts of the TXXX frames of the ID3v2.3 or 2.4 tag that a file begins with; its title and language.

    Nothing is inflated: a compressed frame is passed over, as is what is longer than a tag can be.

    Raises:
        Unreadable: A frame ends outside the tag; those before it were given.
    """
    head = take(file, HEAD_BYTES)
    version, flags, size = head[3], head[5], _seven_bits(head[6:])
    if not head.startswith(b"ID3") or version not in PLAIN:
        return
    end = min(file.tell() + size, size_of(file))
    if version == 3 and flags & UNSYNCHRONISED:  # here the whole tag is, in 2.4 each frame for itself
        body = take(file, end - file.tell()).replace(b"\xff\x00", b"\xff")
        file, end = io.BytesIO(body), len(body)
    if flags & EXTENDED:
        stated = take(file, 4)
        file.seek(_seven_bits(stated) - 4 if version == 4 else int.from_bytes(stated), 1)
    while file.tell() + HEAD_BYTES <= end:
        name, stated, frame_flags = struct.unpack(">4s4sH", take(file, HEAD_BYTES))
        length = _seven_bits(stated) if version == 4 else int.from_bytes(stated)
        after = file.tell() + length
        if name == bytes(4):
            return
        if after > end:
            raise Unreadable(f"frame {name!r} ends outside the tag")
        if name in NAMED and not (frame_flags & 0xFF) & ~PLAIN[version]:
            body = _plain(take(file, length), frame_flags, flags, version)
            yield from _texts(body, NAMED[name])
        file.seek(after)


def _plain(body: bytes, frame_flags: int, flags: int, version: int) -> bytes:
    if version != 4:
        return body
    if frame_flags & FRAME_LENGTH_STATED:
        body = body[4:]
    if frame_flags & FRAME_UNSYNCHRONISED or flags & UNSYNCHRONISED:
        body = body.replace(b"\xff\x00", b"\xff")
    return body


def _texts(body: bytes, name: str) -> Iterator[tuple[str, str]]:
    """A text frame's name with each of its texts: most frames have one. A TXXX frame's first text is its name."""
    if not body or body[0] >= len(ENCODINGS):
        return
    # In UTF-16 each text begins with a mark of its byte order, not only the first.
    said = text_of(body[1:], ENCODINGS[body[0]]) or ""
    values = [one.removeprefix("\ufeff") for one in said.split("\0")]
    name = name or values.pop(0)
    if len(values) > 1 and not values[-1]:
        values.pop()  # the end was marked too
    yield from ((name, value) for value in values)


def _seven_bits(data: bytes) -> int:
    """Four bytes of seven bits each, as ID3v2 states sizes."""
    return sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(data[:4]))
