"""Reading what strangers wrote: no more than there is, and no more at once than a tag can sensibly hold."""

from __future__ import annotations

import io
from typing import BinaryIO
from xml.parsers import expat

MAX_BLOCK_BYTES = 16 * 1024 * 1024
"""More than this is never held at once, whatever a file says of its own sizes."""

MAX_XML_BYTES = 1024 * 1024
MAX_READS, MAX_READ_BYTES = 20_000, 32 * 1024 * 1024
"""So much is read of one file before it is left alone: less than a second's work. Sound is passed over, not read."""

MAX_PARTS = 65_536
"""Fields, comments or elements looked at in one block."""

MAX_DEPTH = 32
XmlPath = tuple[str, ...]
"""The names of an XML element's ancestors and its own; a namespace stands before a name, with a space between."""


class Unreadable(Exception):
    """What follows cannot be read; what was read before it counts."""


class Sparing(io.BufferedReader):
    """A file that may be read so much and no more: ``Unreadable`` after ``MAX_READS`` or ``MAX_READ_BYTES``."""

    reads = bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.bytes_read += len(data)
        if self.reads > MAX_READS or self.bytes_read > MAX_READ_BYTES:
            raise Unreadable("more parts than a file with tags has")
        return data


def take(file: BinaryIO, count: int) -> bytes:
    """Exactly so many bytes.

    Raises:
        Unreadable: The file ends before, or it is more than a tag can be.
    """
    if not 0 <= count <= MAX_BLOCK_BYTES:
        raise Unreadable(f"{count} bytes are more than a tag has")
    data = file.read(count)
    if len(data) < count:
        raise Unreadable("the file ends in the middle")
    return data


def size_of(file: BinaryIO) -> int:
    """The length of a file in bytes; its position stays."""
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end


def text_of(data: bytes, encoding: str = "utf-8") -> str | None:
    """Bytes as text; None where they are none in that encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def xml_texts(data: bytes) -> list[tuple[XmlPath, str]]:
    """The texts of an XML document's innermost elements, and its attributes, as they come.

    A document type is refused, so there are no entities but XML's own five, and nothing is fetched or expanded.

    Raises:
        Unreadable: It is no XML in UTF-8, has a document type, or is deeper or has more parts than metadata has.
    """
    if len(data) > MAX_XML_BYTES:
        raise Unreadable("more XML than tags are")
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    leaves = _Leaves()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = leaves.start
    parser.CharacterDataHandler = leaves.text
    parser.EndElementHandler = leaves.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Unreadable(str(error)) from error
    return leaves.found


def _refuse_doctype(*_: object) -> None:
    raise Unreadable("a document type is refused")


class _Leaves:
    def __init__(self) -> None:
        self.found: list[tuple[XmlPath, str]] = []
        self._names: list[str] = []
        self._said: list[str] = []
        self._is_leaf = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._names.append(name)
        if len(self._names) > MAX_DEPTH:
            raise Unreadable("XML nested too deeply")
        self._said, self._is_leaf = [], True
        for attribute, value in attributes.items():
            self._add((*self._names, attribute), value)

    def text(self, said: str) -> None:
        self._said.append(said)

    def end(self, _: str) -> None:
        if self._is_leaf:
            self._add(tuple(self._names), "".join(self._said))
        self._names.pop()
        self._is_leaf = False

    def _add(self, path: XmlPath, text: str) -> None:
        if len(self.found) >= MAX_PARTS:
            raise Unreadable("XML of too many parts")
        self.found.append((path, text))
