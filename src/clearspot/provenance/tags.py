"""Tags that say it in plain words and for machines: written after encoding, before the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clearspot.errors import BadInput, MachineFault

FREEFORM = "----:io.clearspot:"
"""Where iTunes-style files keep names of one's own."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What every deliverable says of itself. ``created`` is UTC, ISO 8601; ``language`` is ISO 639-2/B or -1."""

    title: str
    language: str
    comment: str
    digital_source_type: str
    provider: str
    system: str
    system_version: str
    created: str
    unique_id: str

    def as_pairs(self) -> dict[str, str]:
        """Every tag by the name it has in TXXX frames and freeform atoms."""
        return {"".join(word.title() for word in name.split("_")): text for name, text in asdict(self).items()}


def wav_info(tags: Tags) -> dict[str, str]:
    """The LIST/INFO fields of a WAV, by ffmpeg's names; the encoder writes them with the file."""
    return {
        "title": tags.title,
        "language": tags.language,
        "comment": f"{tags.comment} DigitalSourceType={tags.digital_source_type} UniqueId={tags.unique_id}",
        "date": tags.created,
        "copyright": tags.provider,
    }


def write(path: Path, tags: Tags) -> None:
    """Write the tags into an encoded WAV, MP3 or M4A file.

    Raises:
        BadInput: It is another format.
        MachineFault: The file cannot be written.
    """
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise BadInput(f"no tags are known for this format; there are: {', '.join(_WRITERS)}.", where=str(path))
    import mutagen

    try:
        writer(path, tags)
    except (mutagen.MutagenError, OSError) as error:
        raise MachineFault(f"the tags cannot be written: {error}.", where=str(path)) from error


def read(path: Path) -> dict[str, str]:
    """Our tags as a file holds them, by the names of ``Tags.as_pairs``; what is not there is left out."""
    import mutagen

    try:
        file: Any = mutagen.File(path)
    except (mutagen.MutagenError, OSError):
        return {}
    if file is None or file.tags is None:
        return {}
    if hasattr(file.tags, "getall"):  # ID3
        return {frame.desc: str(frame.text[0]) for frame in file.tags.getall("TXXX") if frame.text}
    return {
        key.removeprefix(FREEFORM): bytes(values[0]).decode("utf-8", "replace")
        for key, values in file.tags.items()
        if key.startswith(FREEFORM) and values
    }


def _write_id3(path: Path, tags: Tags) -> None:
    import mutagen
    from mutagen import id3

    frames: Any = id3  # mutagen's frames carry no types
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    file.tags.add(frames.TIT2(encoding=3, text=tags.title))
    file.tags.add(frames.TLAN(encoding=3, text=tags.language))
    file.tags.add(frames.COMM(encoding=3, lang="eng", desc="", text=tags.comment))
    file.tags.add(frames.TSSE(encoding=3, text=f"{tags.system} {tags.system_version}"))
    for name, text in tags.as_pairs().items():
        file.tags.add(frames.TXXX(encoding=3, desc=name, text=text))
    file.save()


def _write_mp4(path: Path, tags: Tags) -> None:
    from mutagen import mp4

    atoms: Any = mp4
    file = atoms.MP4(path)
    if file.tags is None:
        file.add_tags()
    file.tags["\xa9nam"] = [tags.title]
    file.tags["\xa9cmt"] = [tags.comment]
    file.tags["\xa9too"] = [f"{tags.system} {tags.system_version}"]
    for name, text in tags.as_pairs().items():
        file.tags[FREEFORM + name] = [atoms.MP4FreeForm(text.encode(), atoms.AtomDataType.UTF8)]
    file.save()


_WRITERS: Mapping[str, Callable[[Path, Tags], None]] = {
    ".wav": _write_id3,
    ".mp3": _write_id3,
    ".m4a": _write_mp4,
}
