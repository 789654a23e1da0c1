"""Files that lie about themselves: reading their tags is quick, takes little memory, and gives what can be proved."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mutagen import id3 as mutagens_id3

from clearspot.provenance import tags
from tests.unit.tag_scenes import (
    FORMATS,
    SAID,
    box,
    comments,
    encoded,
    flac,
    freeform,
    id3,
    moov,
    opus,
    packet,
    page,
    riff,
    syncsafe,
    txxx,
)

SECONDS, BYTES = 5.0, 80_000_000
"""What reading any file may take, on a busy machine and watched; measured alone, at most a third of a second."""

ENOUGH = {"UniqueId": "7"}
NOTHING: dict[str, str] = {}


def read_within_limits(path: Path) -> dict[str, str]:
    tracemalloc.start()
    begun = time.monotonic()
    try:
        return tags.read(path)
    finally:
        took, (_, most) = time.monotonic() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert took < SECONDS
        assert most < BYTES


def ixml(inside: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<BWFXML><CLEARSPOT>{inside}</CLEARSPOT></BWFXML>'.encode()


def wav(*parts: tuple[bytes, bytes], size: int | None = None) -> bytes:
    return riff((b"fmt ", bytes(16)), *parts, size=size)


ID = "<UniqueId>7</UniqueId>"
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip
FILE_ENTITY = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def xmp(inside: str, before: str = "") -> bytes:
    return box(
        b"uuid",
        XMP_UUID,
        f'{before}<x xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:c="https://clearspot.io/xmp/1.0/">'
        f"<r:RDF><r:Description>{inside}</r:Description></r:RDF></x>".encode(),
    )


def nested(depth: int) -> bytes:
    """Boxes in boxes, each as large as it says."""
    data = b""
    for _ in range(depth):
        data = struct.pack(">I4s", len(data) + 8, b"moov") + data
    return data


def bomb(version: int) -> bytes:
    """A TXXX frame that says 64 MB, in 64 kB."""
    packed = zlib.compress(b"\x03UniqueId\0" + b"7" * 64_000_000, 9)
    body = syncsafe(64_000_010) + packed if version == 4 else struct.pack(">I", 64_000_010) + packed
    flags = 0x0009 if version == 4 else 0x0080
    size = syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
    return b"TXXX" + size + flags.to_bytes(2) + body


GOOD_FRAME = txxx("UniqueId", "7")

# Bytes of a file, and what can be proved of it.
LIES: dict[str, dict[str, tuple[bytes, dict[str, str]]]] = {
    "wav": {
        "a chunk of 4 GB": (wav((b"iXML", ixml(ID))) + struct.pack("<4sI", b"bext", 0xFFFFFFFF), ENOUGH),
        "no chunk but its head": (riff() + b"iXML", NOTHING),
        "a list without a type": (wav((b"LIST", b"IN")), NOTHING),
        "a list's field longer than it": (wav((b"LIST", b"INFO" + struct.pack("<4sI", b"INAM", 99) + b"T")), NOTHING),
        "a size of nothing, as from a stream": (wav((b"iXML", ixml(ID)), size=0), ENOUGH),
        "a size that ends before the chunk": (wav((b"iXML", ixml(ID)), size=30), NOTHING),
        "a million empty chunks": (wav(*[(b"JUNK", b"")] * 1_000_000, (b"iXML", ixml(ID))), NOTHING),
        "two million empty fields": (
            wav((b"LIST", b"INFO" + bytes(8) * 1_900_000), (b"iXML", ixml(ID))), ENOUGH,
        ),
        "entities in entities": (wav((b"iXML", ixml("<UniqueId>&i;</UniqueId>", LAUGHS))), NOTHING),
        "a document type, and nothing in it": (wav((b"iXML", ixml(ID, "<!DOCTYPE BWFXML>"))), NOTHING),
        "an entity of this machine": (wav((b"iXML", ixml("<UniqueId>&f;</UniqueId>", FILE_ENTITY))), NOTHING),
        "an entity of nobody": (wav((b"iXML", ixml("<UniqueId>&x;</UniqueId>"))), NOTHING),
        "XML without an end": (wav((b"iXML", ixml(ID)[:-3])), NOTHING),
        "XML that is none": (wav((b"iXML", b"UniqueId: 7")), NOTHING),
        "XML in no UTF-8": (wav((b"iXML", ixml(ID).replace(b"7", b"\xff\xfe"))), NOTHING),
        "XML in UTF-16": (wav((b"iXML", ixml(ID).decode().encode("utf-16"))), NOTHING),
        "XML that says it is in another encoding": (
            wav((b"iXML", ixml(ID).replace(b'"1.0"', b'"1.0" encoding="utf-7"'))), ENOUGH,
        ),
        "XML of a hundred thousand levels": (wav((b"iXML", b"<a>" * 100_000)), NOTHING),
        "XML of a hundred thousand elements": (wav((b"iXML", ixml("<a/>" * 100_000 + ID))), NOTHING),
        "XML of two megabytes": (wav((b"iXML", ixml(f"<a>{'x' * 2_000_000}</a>{ID}"))), NOTHING),
        "our field in somebody else's place": (
            wav((b"iXML", ixml(ID).replace(b"CLEARSPOT", b"USER"))), NOTHING,
        ),
        "a broken chunk before a good one": (wav((b"iXML", b"<a>"), (b"id3 ", id3(GOOD_FRAME))), ENOUGH),
        "a text in no UTF-8": (wav((b"LIST", b"INFO" + struct.pack("<4sI", b"INAM", 2) + b"\xff\xff")), NOTHING),
        "a bext of three bytes": (wav((b"bext", b"abc")), NOTHING),
        "a bext in no ASCII": (wav((b"bext", " DigitalSourceType=x UniqueId=é".encode())), NOTHING),
        "a compressed frame": (wav((b"id3 ", id3(bomb(4)))), NOTHING),
        "another form": (b"RF64" + wav((b"iXML", ixml(ID)))[4:], NOTHING),
    },
    "mp3": {
        "a tag of 256 MB": (id3(GOOD_FRAME, size=0x0FFFFFFF), ENOUGH),
        "a frame of 256 MB": (id3(GOOD_FRAME, txxx("Title", "T", size=0x0FFFFFFF)), ENOUGH),
        "a frame longer than the tag": (id3(GOOD_FRAME, txxx("Title", "T", size=40)) + bytes(99), ENOUGH),
        "frames after the padding": (id3(bytes(10), GOOD_FRAME), NOTHING),
        "a million empty frames": (id3(b"TIT2\0\0\0\0\0\0" * 1_000_000, GOOD_FRAME), NOTHING),
        "a compressed frame of 2.4": (id3(bomb(4), GOOD_FRAME), ENOUGH),
        "a compressed frame of 2.3": (id3(bomb(3), version=3), NOTHING),
        "an encrypted frame": (id3(txxx("UniqueId", "7", flags=0x0004)), NOTHING),
        "an encoding that there is not": (id3(txxx("", "", body=b"\x09UniqueId\x007")), NOTHING),
        "half a character in UTF-16": (id3(txxx("", "", body=b"\x01\xff\xfeU")), NOTHING),
        "no UTF-8": (id3(txxx("", "", body=b"\x03UniqueId\0\xff")), NOTHING),
        "a name and no text": (id3(txxx("", "", body=b"\x03UniqueId")), NOTHING),
        "a frame of nothing": (id3(txxx("", "", body=b""), GOOD_FRAME), ENOUGH),
        "an extended header longer than the tag": (id3(syncsafe(0x0FFFFFF), GOOD_FRAME, flags=0x40), NOTHING),
        "an extended header": (id3(syncsafe(6) + b"\1\0", GOOD_FRAME, flags=0x40), ENOUGH),
        "version 2.9": (id3(GOOD_FRAME, version=9), NOTHING),
        "zeros put in, as radios need it": (id3(txxx("", "", body=b"\x03Title\0a\xff\0b", flags=2)), NOTHING),
        "a length stated too": (id3(txxx("", "", body=bytes(4) + b"\x03UniqueId\x007", flags=1)), ENOUGH),
        "the tag at the end": (bytes(500) + id3(GOOD_FRAME), NOTHING),
    },
    "mp4": {
        "a box of 4 GB": (moov(freeform("UniqueId", b"7")) + box(b"mdat", size=0xFFFFFFFF), ENOUGH),
        "a box of exabytes": (moov(freeform("UniqueId", b"7")) + struct.pack(">I4sQ", 1, b"uuid", 2**63), ENOUGH),
        "a box of four bytes": (moov(freeform("UniqueId", b"7")) + box(b"free", size=4) + xmp(""), ENOUGH),
        "a box that never ends": (moov(freeform("UniqueId", b"7")) + box(b"mdat", bytes(99), size=0), ENOUGH),
        "a box larger than the one that it is in": (box(b"moov", box(b"udta", size=99)) + bytes(99), NOTHING),
        "a hundred thousand boxes in each other": (nested(100_000), NOTHING),
        "a million boxes": (box(b"free") * 1_000_000 + moov(freeform("UniqueId", b"7")), NOTHING),
        "a million atoms": (moov(box(b"----") * 1_000_000 + freeform("UniqueId", b"7")), NOTHING),
        "an atom without a name": (moov(box(b"----", box(b"data", bytes(8), b"7"))), NOTHING),
        "an atom with two names": (
            moov(box(b"----", *[box(b"mean", bytes(4), b"io.clearspot")], *[box(b"name", bytes(4), b"UniqueId")] * 2,
                     box(b"data", bytes(8), b"7"))), NOTHING,
        ),
        "somebody else's atom": (moov(freeform("UniqueId", b"7").replace(b"io.clearspot", b"io.clearspat")), NOTHING),
        "no UTF-8": (moov(freeform("UniqueId", b"\xff"), freeform("Title", b"T")), {"Title": "T"}),
        "data of no bytes": (moov(freeform("Title", b"T").replace(b"\0\0\0\x11data", b"\0\0\0\x08data")), NOTHING),
        "XMP": (xmp("<c:UniqueId>7</c:UniqueId>"), ENOUGH),
        "XMP with entities in entities": (xmp("<c:UniqueId>&i;</c:UniqueId>", LAUGHS), NOTHING),
        "XMP with an entity of this machine": (xmp("<c:UniqueId>&f;</c:UniqueId>", FILE_ENTITY), NOTHING),
        "XMP with a document type": (xmp("<c:UniqueId>7</c:UniqueId>", "<!DOCTYPE x>"), NOTHING),
        "XMP in no UTF-8": (xmp("<c:UniqueId>7</c:UniqueId>").replace(b"7<", b"\xff<"), NOTHING),
        "a uuid of three bytes": (box(b"uuid", b"abc") + moov(freeform("UniqueId", b"7")), ENOUGH),
    },
    "flac": {
        "a block of 16 MB": (flac((4, comments("UniqueId=7")), (1, b""))[:-3] + b"\xff\xff\xff", ENOUGH),
        "four thousand million comments": (flac((4, comments("UniqueId=7", count=0xFFFFFFFF))), ENOUGH),
        "a comment of 4 GB": (flac((4, comments("UniqueId=7", count=2) + b"\xff\xff\xff\xff")), ENOUGH),
        "a maker of 4 GB": (flac((4, b"\xff\xff\xff\xff" + comments("UniqueId=7"))), NOTHING),
        "a comment without a name": (flac((4, comments("7", "UniqueId=7"))), ENOUGH),
        "no UTF-8": (flac((4, comments(b"Title=\xff", "UniqueId=7"))), ENOUGH),
        "four million empty comments": (flac((4, comments(*[""] * 4_000_000, "UniqueId=7"))), NOTHING),
        "a million empty blocks": (flac(*[(1, b"")] * 1_000_000, (4, comments("UniqueId=7"))), NOTHING),
        "a block of nothing": (flac((4, b"")), NOTHING),
        "an ID3 tag before it": (id3(bytes(99)) + flac((4, comments("UniqueId=7"))), ENOUGH),
        "an ID3 tag longer than it": (id3(size=0x0FFFFFFF) + flac((4, comments("UniqueId=7"))), NOTHING),
    },
    "opus": {
        "as it should be": (opus(comments("UniqueId=7")), ENOUGH),
        "another stream's pages between": (
            packet(b"OpusHead" + bytes(11)) + packet(b"OpusTags" + comments("UniqueId=8"), serial=8)
            + packet(b"OpusTags" + comments("UniqueId=7")), ENOUGH,
        ),
        "comments over many pages": (opus(comments("x=" + "y" * 300_000, "UniqueId=7")), ENOUGH),
        "a packet that never ends": (packet(b"OpusHead") + page(bytes(255 * 255), b"\xff" * 255) * 400, NOTHING),
        "a million empty pages": (
            packet(b"OpusHead") + page(b"", b"") * 1_000_000 + packet(b"OpusTags" + comments("UniqueId=7")), NOTHING,
        ),
        "a page longer than the file": (packet(b"OpusHead") + page(b"OpusTags", b"\xff" * 255), NOTHING),
        "four thousand million comments": (opus(comments("UniqueId=7", count=0xFFFFFFFF)), ENOUGH),
        "a comment of 4 GB": (opus(comments("UniqueId=7", count=2) + b"\xff\xff\xff\xff"), ENOUGH),
        "no UTF-8": (opus(comments(b"Title=\xff", "UniqueId=7")), ENOUGH),
        "comments of another codec": (packet(b"OpusHead") + packet(b"\x03vorbis" + comments("UniqueId=7")), NOTHING),
    },
}  # fmt: skip
LIES["m4a"] = LIES["mp4"]
EACH = [(ending, what) for ending, lies in LIES.items() for what in lies]


@pytest.mark.parametrize(("ending", "what"), EACH, ids=[f"{ending}: {what}" for ending, what in EACH])
def test_a_file_that_lies_gives_what_can_be_proved(tmp_path: Path, ending: str, what: str) -> None:
    data, provable = LIES[ending][what]
    path = tmp_path / f"file.{ending}"
    path.write_bytes(data)
    assert read_within_limits(path) == provable


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize(
    "head",
    [
        riff((b"fmt ", bytes(16)), size=0xFFFFFFFF) + struct.pack("<4sI", b"iXML", 0xF0000000),
        id3(size=0x0FFFFFFF) + b"TXXX" + syncsafe(0x0FFFFF00) + bytes(2),
        struct.pack(">I4sQ", 1, b"uuid", 5_000_000_000) + XMP_UUID,
        b"fLaC\x84\xff\xff\xff",
        packet(b"OpusHead"),
        b"",
    ],
    ids=["wav", "mp3", "mp4", "flac", "ogg", "zeros"],
)
def test_five_gigabytes_of_nothing_are_not_read(tmp_path: Path, ending: str, head: bytes) -> None:
    """What the sizes say is true here: the file is that long, and holds no more than its head (it is sparse)."""
    path = tmp_path / f"file.{ending}"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(5_000_000_000)
    assert read_within_limits(path) == {}


# --- a tag that says two things --------------------------------------------------------------------------------


TWICE: dict[str, dict[str, bytes]] = {
    "wav": {
        "two chunks": wav((b"iXML", ixml(ID)), (b"iXML", ixml("<UniqueId>8</UniqueId>"))),
        "two kinds of chunks": wav((b"iXML", ixml(ID)), (b"id3 ", id3(txxx("UniqueId", "8")))),
        "two elements": wav((b"iXML", ixml(ID + "<UniqueId>8</UniqueId>"))),
        "in its other spelling": wav((b"iXML", ixml(ID + "<uniqueid>8</uniqueid>"))),
    },
    "mp3": {
        "two frames": id3(GOOD_FRAME, txxx("UniqueId", "8")),
        "two texts": id3(txxx("UniqueId", "7\0" + "8")),
        "an empty one": id3(GOOD_FRAME, txxx("UniqueId", "")),
    },
    "mp4": {
        "two atoms": moov(freeform("UniqueId", b"7"), freeform("UniqueId", b"8")),
        "two values": moov(freeform("UniqueId", b"7", b"8")),
        "an atom and XMP": moov(freeform("UniqueId", b"7")) + xmp("<c:UniqueId>8</c:UniqueId>"),
        "two indexes": moov(freeform("UniqueId", b"7")) + moov(freeform("UniqueId", b"8")),
    },
    "flac": {
        "two comments": flac((4, comments("UniqueId=7", "UNIQUEID=8"))),
        "two blocks": flac((4, comments("UniqueId=7")), (4, comments("UniqueId=8"))),
    },
    "opus": {"two comments": opus(comments("UniqueId=7", "UNIQUEID=8"))},
}
SAYINGS = [(ending, how) for ending, cases in TWICE.items() for how in cases]


@pytest.mark.parametrize(("ending", "how"), SAYINGS, ids=[f"{ending}: {how}" for ending, how in SAYINGS])
def test_a_tag_that_says_two_things_says_nothing(tmp_path: Path, ending: str, how: str) -> None:
    path = tmp_path / f"file.{ending}"
    path.write_bytes(TWICE[ending][how])
    assert tags.read(path) == {}
    path.write_bytes(TWICE[ending][how].replace(b"8", b"7"))
    assert how == "an empty one" or tags.read(path) == ENOUGH


# --- what others write -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("encoding", [0, 1, 2, 3], ids=["latin-1", "utf-16", "utf-16-be", "utf-8"])
def test_frames_that_another_program_saved_are_read(tmp_path: Path, version: int, encoding: int) -> None:
    """Any version, any encoding, with the zeros that radios need."""
    if version == 3 and encoding >= 2:
        encoding = 1  # 2.3 knows two
    file = mutagens_id3.ID3()
    file.add(mutagens_id3.TXXX(encoding=encoding, desc="Provider", text="Café ÿþ"))
    path = tmp_path / "file.mp3"
    file.save(path, v2_version=version, padding=lambda _: 100)
    assert tags.read(path) == {"Provider": "Café ÿþ"}


@pytest.mark.parametrize("version", [3, 4])
def test_unsynchronised_tags_are_read(tmp_path: Path, version: int) -> None:
    """Every FF gets a zero after it, so that no radio takes it for sound (id3v2.3.0, section 5)."""
    body = b"\x00Provider\0caf\xe9 \xff\xe0"
    spread = body.replace(b"\xff", b"\xff\0")
    path = tmp_path / "file.mp3"
    if version == 4:
        path.write_bytes(id3(txxx("", "", body=spread, flags=2), flags=0x80))
    else:
        path.write_bytes(id3(b"TXXX" + struct.pack(">IH", len(body), 0) + spread, version=3, flags=0x80))
    assert tags.read(path) == {"Provider": "café ÿà"}


# --- real files, damaged ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A tagged file of every format."""
    folder = tmp_path_factory.mktemp("whole")
    made = {ending: encoded(folder, ending) for ending in FORMATS}
    for path in made.values():
        tags.write(path, SAID)
    return {ending: path.read_bytes() for ending, path in made.items()}


def places(length: int) -> Iterator[int]:
    """Every byte of the first and last hundred, and four hundred between, closer where the tags are."""
    yield from range(min(100, length))
    yield from range(max(0, length - 100), length)
    yield from (int(place) for place in np.geomspace(100, length - 1, 200))
    yield from (length - int(place) for place in np.geomspace(100, length - 1, 200))


@pytest.mark.parametrize("ending", FORMATS)
def test_of_a_file_cut_anywhere_what_is_left_is_right(tmp_path: Path, whole: dict[str, bytes], ending: str) -> None:
    path, wanted = tmp_path / f"file.{ending}", SAID.as_pairs()
    for place in places(len(whole[ending])):
        path.write_bytes(whole[ending][:place])
        assert tags.read(path).items() <= wanted.items(), place


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_bytes_changed_at_random_never_crash_it(
    tmp_path: Path, whole: dict[str, bytes], ending: str, seed: int
) -> None:
    path, random = tmp_path / f"file.{ending}", np.random.default_rng(seed)
    starts = [
        place
        for name in (*tags.NAMES, "moov", "ilst", "RIFF", "LIST")
        if (place := whole[ending].find(name.encode())) > 0
    ]
    for _ in range(150):
        data = bytearray(whole[ending][:400_000] + whole[ending][-20_000:])
        for _ in range(int(random.integers(1, 12))):
            near = int(random.choice([0, *starts])) + int(random.integers(0, 300))
            data[near] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF, random.integers(256)]))
        path.write_bytes(data)
        assert set(tags.read(path)) <= set(tags.NAMES)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_a_file_under_another_ending_is_read_as_that(
    tmp_path: Path, whole: dict[str, bytes], ending: str, other: str
) -> None:
    path = tmp_path / f"file.{other}"
    path.write_bytes(whole[ending])
    alike = ({"m4a", "mp4"}, {"ogg", "opus"}, {ending})
    same = any({ending, other} <= kinds for kinds in alike)
    assert tags.read(path) == (SAID.as_pairs() if same else {})


def test_what_is_not_there_has_no_tags(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    for name in ("missing.wav", "folder.wav", "file.txt", "file"):
        assert tags.read(tmp_path / name) == {}
