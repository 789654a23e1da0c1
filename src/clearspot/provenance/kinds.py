"""Of which kind a file is: by its ending, or where that says nothing, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from clearspot.provenance.tags_id3 import skip

ENDINGS = (".wav", ".mp3", ".m4a", ".mp4", ".flac", ".ogg", ".opus", ".srt", ".vtt")
"""Of everything that is delivered."""


def kind_of(path: Path) -> str:
    """The ending that stands for a file's kind, such as ``.mp3``, whatever the file is called.

    Empty for what is never delivered: a copy of that kind has neither our tags nor a manifest.

    Raises:
        OSError: It cannot be read.
    """
    ending = path.suffix.lower()
    if ending in ENDINGS:
        return ending
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        skip(file)
        after = file.read(4)
    if after == b"fLaC":  # a signed one begins with its manifest in ID3
        return ".flac"
    if head.startswith(b"RIFF") and head.endswith(b"WAVE"):
        return ".wav"
    if head[4:8] == b"ftyp":
        return ".mp4"
    if head.startswith(b"ID3") or _is_mpeg_frame(head):
        return ".mp3"
    return ".ogg" if head.startswith(b"OggS") else ""


def _is_mpeg_frame(head: bytes) -> bool:
    """Eleven bits of sync, and a layer: raw AAC (ADTS) has the same sync and none (ISO/IEC 11172-3, 13818-7)."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
