"""Tags in m4a and mp4: freeform atoms as iTunes has them, and an XMP packet with the IPTC digital source type.

Sources: ISO/IEC 14496-12 (boxes), Adobe XMP specification part 3 (the ``uuid`` box), IPTC Photo Metadata Standard
(Iptc4xmpExt:DigitalSourceType).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import escape

from clearspot.errors import BadInput
from clearspot.provenance.reading import Unreadable, size_of, take, text_of, xml_texts

if TYPE_CHECKING:
    from clearspot.provenance.tags import Tags

FREEFORM = "io.clearspot"
"""Whose freeform atoms ours are: ``----:io.clearspot:NAME``."""

XMP_ID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
XMP, RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC_EXT, OURS = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "https://clearspot.io/xmp/1.0/"
SOURCE_TYPE = f"{IPTC_EXT} DigitalSourceType"

META_BYTES = 4
"""Version and flags, which ``meta`` has before its boxes."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: it begins at ``start``, its body at ``at``; ``end`` is the first byte after it."""

    kind: bytes
    start: int
    at: int
    end: int


def write(path: Path, tags: Tags) -> None:
    """Add our freeform atoms and name, comment and tool; put an XMP packet of ours in the place of another.

    Raises:
        BadInput: Its boxes are none.
    """
    from mutagen import mp4

    atoms: Any = mp4
    file = atoms.MP4(path)
    if file.tags is None:
        file.add_tags()
    file.tags["\xa9nam"] = [tags.title]
    file.tags["\xa9cmt"] = [tags.comment]
    file.tags["\xa9too"] = [f"{tags.system} {tags.system_version}"]
    for name in tags.unsaid:
        file.tags.pop(f"----:{FREEFORM}:{name}", None)
    for name, text in tags.as_pairs().items():
        file.tags[f"----:{FREEFORM}:{name}"] = [atoms.MP4FreeForm(text.encode(), atoms.AtomDataType.UTF8)]
    file.save()
    _put_xmp(path, _packet(tags))


def pairs(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Our tags as freeform atoms and XMP say them.

    Raises:
        Unreadable: A box ends outside the one it is in; what came before was given.
    """
    for box in boxes(file, 0, size_of(file)):
        if box.kind == b"moov":
            for atom in _inside(file, box, (b"udta", b"meta", b"ilst", b"----")):
                yield from _freeform(file, atom)
        elif _is_xmp(file, box):
            yield from _xmp_pairs(take(file, box.end - file.tell()))


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places in a file.

    Raises:
        Unreadable: One ends before it begins or after ``end``.
    """
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", take(file, 8))
        at = start + 8
        if size == 1:
            (size,) = struct.unpack(">Q", take(file, 8))
            at += 8
        after = start + size if size else end  # without a size it goes on to the end
        if not at <= after <= end:
            raise Unreadable(f"box {kind!r} ends outside the one that it is in")
        yield Box(kind, start, at, after)
        start = after


def _inside(file: BinaryIO, box: Box, kinds: tuple[bytes, ...]) -> Iterator[Box]:
    """Boxes within boxes, each of its kind."""
    if not kinds:
        yield box
        return
    for one in boxes(file, box.at + (META_BYTES if box.kind == b"meta" else 0), box.end):
        if one.kind == kinds[0]:
            yield from _inside(file, one, kinds[1:])


def _freeform(file: BinaryIO, atom: Box) -> Iterator[tuple[str, str]]:
    """A freeform atom's name with each of its values."""
    said: dict[bytes, list[str | None]] = {b"mean": [], b"name": [], b"data": []}
    for one in boxes(file, atom.at, atom.end):
        if one.kind in said:
            file.seek(one.at)
            body = take(file, one.end - one.at)
            said[one.kind].append(text_of(body[8 if one.kind == b"data" else 4 :]))
    if said[b"mean"] == [FREEFORM] and len(said[b"name"]) == 1:
        yield from ((said[b"name"][0] or "", value) for value in said[b"data"] if value is not None)


def _is_xmp(file: BinaryIO, box: Box) -> bool:
    """Whether a box holds XMP; then the file stands where that begins."""
    file.seek(box.at)
    return box.kind == b"uuid" and box.end - box.at >= len(XMP_ID) and take(file, len(XMP_ID)) == XMP_ID


def _put_xmp(path: Path, packet: bytes) -> None:
    """Append an XMP box; one that is there becomes free space, so that nothing else moves."""
    with path.open("r+b") as file:
        try:
            found = list(boxes(file, 0, size_of(file)))
            old = [box for box in found if _is_xmp(file, box)]
        except Unreadable as error:
            raise BadInput(f"cannot be tagged: {error}.", where=str(path)) from error
        file.seek(found[-1].start if found else 0)
        if not any(file.read(4)):
            raise BadInput("cannot be tagged: nothing may follow its last box.", where=str(path))
        for box in old:
            file.seek(box.start + 4)
            file.write(b"free")
            file.seek(box.at)
            file.write(bytes(box.end - box.at))
        file.seek(0, 2)
        file.write(struct.pack(">I4s", 8 + len(XMP_ID) + len(packet), b"uuid") + XMP_ID + packet)


def _packet(tags: Tags) -> bytes:
    ours = "".join(f"<clearspot:{name}>{escape(text)}</clearspot:{name}>" for name, text in tags.as_pairs().items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="{XMP}"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f' xmlns:Iptc4xmpExt="{IPTC_EXT}" xmlns:clearspot="{OURS}">'
        f"<dc:title>{_in_any_language(tags.title)}</dc:title>"
        f"<dc:description>{_in_any_language(tags.comment)}</dc:description>"
        f"<dc:identifier>{escape(tags.unique_id)}</dc:identifier>"
        f"<xmp:CreateDate>{escape(tags.created)}</xmp:CreateDate>"
        f"<xmp:CreatorTool>{escape(f'{tags.system} {tags.system_version}')}</xmp:CreatorTool>"
        f"<Iptc4xmpExt:DigitalSourceType>{escape(tags.digital_source_type)}</Iptc4xmpExt:DigitalSourceType>"
        f"{ours}</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    ).encode()


def _in_any_language(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'


def _xmp_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    """Our properties, each as an element or as an attribute: RDF takes both for the same."""
    for (*place, name), text in xml_texts(data):
        if place[-1:] != [f"{RDF} Description"]:
            continue
        if name == SOURCE_TYPE:
            yield "DigitalSourceType", text
        elif name.startswith(f"{OURS} "):
            yield name.removeprefix(f"{OURS} "), text
