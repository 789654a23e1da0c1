"""Tags in wav: LIST/INFO for players, ``bext`` and ``iXML`` for broadcast and post, ID3 for whoever reads that.

Sources: EBU Tech 3285 (bext, version 1), ixml.info (iXML 2.10), Microsoft and IBM 1991 (LIST/INFO).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from xml.sax.saxutils import escape

from clearspot.provenance import riff, tags_id3
from clearspot.provenance.reading import Unreadable, take, text_of, xml_texts

if TYPE_CHECKING:
    from clearspot.provenance.tags import Tags

INFO_NAMES = {"INAM": "Title", "ILNG": "Language", "ICRD": "Created", "ICOP": "Provider", "AIGC": "AIGC"}
"""The fields of LIST/INFO that hold one of our tags and nothing else."""

IXML_PLACE = ("BWFXML", "CLEARSPOT")
REPLACED = frozenset({"LIST/INFO", "bext", "iXML", "id3 ", "ID3 "})

DESCRIPTION_BYTES, ORIGINATOR_BYTES, REFERENCE_BYTES = 256, 32, 32
DATE_BYTES, TIME_BYTES = 10, 8
VERSION_1 = struct.pack("<8xH254x", 1)
"""No time reference, version 1, no UMID, and what is reserved."""

SOURCE_MARK, ID_MARK = " DigitalSourceType=", " UniqueId="


def write(source: Path, target: Path, tags: Tags) -> None:
    """Write a wav with our chunks in place of those of their kinds; the sound is copied piece by piece.

    Raises:
        BadInput: It is no RIFF/WAVE file.
    """
    riff.rewrite(
        source,
        target,
        before=(
            riff.chunk("bext", _bext(tags, _history(source, tags))),
            riff.chunk("iXML", _ixml(tags)),
            riff.chunk("LIST", _info(tags)),
        ),
        after=(riff.chunk("id3 ", tags_id3.rendered(tags)),),
        replaced=REPLACED,
    )


def pairs(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Our tags as each chunk of a wav says them; what one chunk says wrong is not the others' loss.

    Raises:
        Unreadable: It is no RIFF/WAVE file, or a chunk ends outside it.
    """
    for one in riff.chunks(file):
        if reader := _READERS.get(one.kind):
            file.seek(one.at)
            try:
                yield from reader(take(file, one.size))
            except Unreadable:
                continue


def _info(tags: Tags) -> bytes:
    said = {
        "INAM": tags.title,
        "ILNG": tags.language,
        "ICMT": _sentence(tags, tags.comment),
        "ICRD": tags.created,
        "ICOP": tags.provider,
        "ISFT": f"{tags.system} {tags.system_version}",
        "AIGC": tags.aigc,
    }
    return b"INFO" + b"".join(riff.chunk(name, text.encode() + b"\0") for name, text in said.items() if text)


def _info_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    for name, body in riff.fields(data[4:]):
        text = text_of(body.rstrip(b"\0"))
        if text is not None and name in INFO_NAMES:
            yield INFO_NAMES[name], text
        elif text is not None and name == "ICMT" and SOURCE_MARK in text:
            yield "Comment", text.rpartition(SOURCE_MARK)[0]
            yield from _named_in(text)


def _bext(tags: Tags, history: str) -> bytes:
    """A bext chunk's body; it holds ASCII alone, so what is not becomes a question mark, and iXML has it whole."""
    named = _sentence(tags, "")
    if not named.isascii() or len(named) >= DESCRIPTION_BYTES:
        named = ""  # half an id is another id
    comment = tags.comment[: DESCRIPTION_BYTES - 1 - len(named)]
    return (
        _ascii(comment + named, DESCRIPTION_BYTES)
        + _ascii(tags.provider, ORIGINATOR_BYTES)
        + _ascii(tags.unique_id.replace("-", ""), REFERENCE_BYTES)
        + _ascii(tags.created[:10], DATE_BYTES)
        + _ascii(tags.created[11:19], TIME_BYTES)
        + VERSION_1
        + history.encode("ascii", "replace")
    )


def _bext_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    text = text_of(data[:DESCRIPTION_BYTES].partition(b"\0")[0], "ascii")
    if text is not None:
        yield from _named_in(text)


def _history(source: Path, tags: Tags) -> str:
    """How the sound was coded (EBU R 98); empty where the format chunk does not say."""
    with source.open("rb") as file:
        try:
            form = next((one for one in riff.chunks(file) if one.kind == "fmt "), None)
            if form is None:
                return ""
            file.seek(form.at)
            channels, rate_hz, bits = struct.unpack("<2xHI6xH", take(file, 16))
        except Unreadable:
            return ""
    mode = {1: "mono", 2: "stereo"}.get(channels, "multichannel")
    return f"A=PCM,F={rate_hz},W={bits},M={mode},T={tags.system} {tags.system_version}\r\n"


def _ixml(tags: Tags) -> bytes:
    ours = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in tags.as_pairs().items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<BWFXML><IXML_VERSION>2.10</IXML_VERSION><PROJECT>{escape(tags.title)}</PROJECT>"
        f"<NOTE>{escape(tags.comment)}</NOTE><FILE_UID>{escape(tags.unique_id)}</FILE_UID>"
        f"<CLEARSPOT>{ours}</CLEARSPOT></BWFXML>\n"
    ).encode()


def _ixml_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    for (*place, name), text in xml_texts(data.rstrip(b"\0")):
        if tuple(place) == IXML_PLACE:
            yield name, text


def _id3_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    return tags_id3.pairs(io.BytesIO(data))


def _sentence(tags: Tags, comment: str) -> str:
    """What a field for one text says: a sentence for people, and what machines look for."""
    return f"{comment}{SOURCE_MARK}{tags.digital_source_type}{ID_MARK}{tags.unique_id}"


def _named_in(text: str) -> Iterator[tuple[str, str]]:
    source, has_id, unique_id = text.rpartition(SOURCE_MARK)[2].partition(ID_MARK)
    if has_id:
        yield "DigitalSourceType", source
        yield "UniqueId", unique_id


def _ascii(text: str, size: int) -> bytes:
    return text.encode("ascii", "replace")[:size].ljust(size, b"\0")


_READERS = {
    "LIST/INFO": _info_pairs,
    "bext": _bext_pairs,
    "iXML": _ixml_pairs,
    "id3 ": _id3_pairs,
    "ID3 ": _id3_pairs,
}
