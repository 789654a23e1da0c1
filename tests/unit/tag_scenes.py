"""Files of every format with tags, and a second pair of eyes: what parsers of the tests' own find in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clearspot.config import load_profile
from clearspot.media.audio import Samples
from clearspot.media.loudness import bring_to
from clearspot.project import Project, Settings
from clearspot.provenance import tags
from clearspot.provenance.nature import Nature
from clearspot.stages.disclose import encode
from tests.conftest import tone

SHIPPED = Project(Path(), Settings())
PROFILES = {
    "wav": "broadcast-eu", "mp3": "podcast", "m4a": "stream", "mp4": "online-video", "flac": "archive", "ogg": "web",
    "opus": "app",
}  # fmt: skip
FORMATS = tuple(PROFILES)
UNIQUE = "0b8a9a52-59a6-4f6f-b8a7-3f3b6c7d0e11"
NATURE = Nature("talent", bed=True)
SAID = tags.Tags(
    title="Café <Lumen> & 光 (es-ES)",
    language="spa",
    comment=NATURE.sentence,
    digital_source_type=NATURE.digital_source_type,
    provider="Lumen Coffee — Prüfung 株式会社",
    system="Clearspot",
    system_version="0.1.0",
    created="2026-11-22T12:34:56+00:00",
    unique_id=UNIQUE,
    aigc=tags.aigc_label("Lumen Coffee — Prüfung 株式会社", UNIQUE),
)
SYSTEM = "Clearspot 0.1.0"
LENGTH_S = 6.0


def programme() -> Samples:
    """Six seconds of syllables: tones of changing pitch with pauses, in stereo."""
    parts = [
        np.concatenate([tone(0.4, hz=hz, level_db=-14), np.zeros(9600, np.float32)])
        for hz in (180, 220, 260, 200, 300, 240, 210, 280, 190, 230)
    ]
    return np.stack([np.concatenate(parts)] * 2, axis=1)


def encoded(folder: Path, ending: str, sound: Samples | None = None) -> Path:
    """The programme as the shipped profile of a format has it, without tags."""
    profile = load_profile(SHIPPED, PROFILES[ending])
    path = folder / f"spot.{ending}"
    sound = programme() if sound is None else sound
    encode(bring_to(sound, profile.loudness_lufs, profile.true_peak_dbtp - profile.codec_headroom_db), profile, path)
    return path


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a WAV, by the letter: even padding, and nothing after the size it states."""
    form, size, kind = struct.unpack_from("<4sI4s", data)
    assert (form, kind, size + 8) == (b"RIFF", b"WAVE", len(data))
    at = 12
    while at < len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    assert at == len(data)


def mp4_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of an MP4, one level of them."""
    at = 0
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + length]
        at += length
    assert at == len(data)


def riff(*parts: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """A WAV of some chunks, each as long as it says; ``size`` is what it says of itself."""
    body = b"".join(struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2) for name, data in parts)
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4 if size is None else size, b"WAVE") + body


def box(name: bytes, *parts: bytes, size: int | None = None) -> bytes:
    """A box of an MP4; ``size`` is what it says of itself."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8 if size is None else size, name) + body


def freeform(name: str, *values: bytes) -> bytes:
    """A freeform atom of ours."""
    data = b"".join(box(b"data", struct.pack(">II", 1, 0), value) for value in values)
    return box(b"----", box(b"mean", bytes(4), b"io.clearspot"), box(b"name", bytes(4), name.encode()), data)


def moov(*atoms: bytes) -> bytes:
    """What holds the atoms of iTunes."""
    return box(b"moov", box(b"udta", box(b"meta", bytes(4), box(b"ilst", *atoms))))


def syncsafe(number: int) -> bytes:
    """Four bytes of seven bits each."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def txxx(name: str, text: str, *, flags: int = 0, body: bytes | None = None, size: int | None = None) -> bytes:
    """An ID3v2.4 TXXX frame."""
    body = b"\x03" + name.encode() + b"\0" + text.encode() if body is None else body
    return b"TXXX" + syncsafe(len(body) if size is None else size) + flags.to_bytes(2) + body


def id3(*frames: bytes, version: int = 4, flags: int = 0, size: int | None = None) -> bytes:
    """An ID3v2 tag."""
    body = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + syncsafe(len(body) if size is None else size) + body


def comments(*said: str | bytes, count: int | None = None) -> bytes:
    """A block of Vorbis comments; ``count`` is how many it says there are."""
    raw = [each.encode() if isinstance(each, str) else each for each in said]
    listed = b"".join(struct.pack("<I", len(each)) + each for each in raw)
    return struct.pack("<I", 2) + b"us" + struct.pack("<I", len(raw) if count is None else count) + listed


def flac(*blocks: tuple[int, bytes]) -> bytes:
    """A FLAC file's head: blocks by their kind."""
    data = b"".join(
        bytes([kind | (0x80 if index == len(blocks) - 1 else 0)]) + len(body).to_bytes(3) + body
        for index, (kind, body) in enumerate(blocks)
    )
    return b"fLaC" + data


def page(body: bytes, lacing: bytes, serial: int = 7) -> bytes:
    """An Ogg page."""
    return struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 0, serial, 0, 0, len(lacing)) + lacing + body


def packet(data: bytes, serial: int = 7) -> bytes:
    """One packet on as many Ogg pages as it needs."""
    lacing = b"\xff" * (len(data) // 255) + bytes([len(data) % 255])
    pages, at = [], 0
    for start in range(0, len(lacing), 255):
        part = lacing[start : start + 255]
        pages.append(page(data[at : at + sum(part)], part, serial))
        at += sum(part)
    return b"".join(pages)


def opus(block: bytes) -> bytes:
    """An Opus file's head."""
    return packet(b"OpusHead" + bytes(11)) + packet(b"OpusTags" + block)
