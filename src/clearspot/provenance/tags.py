"""Tags that say it in plain words and for machines: written after encoding, before the manifest.

mutagen writes what it can. What reads is our own, because a copy of a file may come back from anywhere: every reader
goes over a file once, holds little of it, and inflates and expands nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from clearspot.errors import BadInput, MachineFault
from clearspot.provenance import tags_id3, tags_mp4, tags_vorbis, tags_wav
from clearspot.provenance.kinds import kind_of
from clearspot.provenance.nature import SYNTHETIC
from clearspot.provenance.reading import Sparing, Unreadable

ALWAYS = (
    "Title", "Language", "Comment", "DigitalSourceType", "Provider", "System", "SystemVersion", "Created", "UniqueId",
)  # fmt: skip
"""What every deliverable says. Provider, system, version, time and unique id are what California's SB 942 asks for."""

AIGC = "AIGC"
"""China's implicit label; only where a market of the deliverable asks for it."""

NAMES = (*ALWAYS, AIGC)

USUAL = {"TIT2": "Title", "TLAN": "Language", "description": "Comment"}
"""Usual fields that ``write`` fills too, and that tools which copy a file into another keep in the place of ours."""

NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What some format cannot hold (XML, NUL-ended fields), or nobody can see."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What every deliverable says of itself. ``created`` is UTC, ISO 8601; ``language`` is ISO 639-2/B.

    ``aigc`` is China's label as ``aigc_label`` makes it; empty where no market asks for it.
    """

    title: str
    language: str
    comment: str
    digital_source_type: str
    provider: str
    system: str
    system_version: str
    created: str
    unique_id: str
    aigc: str = ""

    def as_pairs(self) -> dict[str, str]:
        """Every tag by the name it has in every format."""
        said = dict(zip(NAMES, asdict(self).values(), strict=True))
        return {name: text for name, text in said.items() if name not in self.unsaid}

    @property
    def unsaid(self) -> frozenset[str]:
        """The names of tags that are not said, and that a file may not keep from before either."""
        return frozenset() if self.aigc else frozenset({AIGC})


def aigc_label(provider: str, unique_id: str) -> str:
    """China's implicit label of content that is generated for certain: a JSON object under the key ``AIGC``.

    Whoever exports the file made it and is the first to hand it on. The reserved codes are the producer's and the
    propagator's own; we have none. Source: the fields of GB 45438-2025, from summaries (configs/policies/cn.yaml);
    its text was not read.
    """
    label = {
        "Label": "1",
        "ContentProducer": provider,
        "ProduceID": unique_id,
        "ReservedCode1": "",
        "ContentPropagator": provider,
        "PropagateID": unique_id,
        "ReservedCode2": "",
    }
    return json.dumps(label, ensure_ascii=False, separators=(",", ":"))


def say_synthetic(said: Mapping[str, str]) -> bool:
    """Whether a file's tags tell a machine that its sound is synthetic."""
    return said.get("DigitalSourceType") in SYNTHETIC


def write(path: Path, tags: Tags) -> None:
    """Write the tags into an encoded file: beside it, then in its place, so it is never half tagged.

    Raises:
        BadInput: It is another format, no file of its format, or a tag holds characters that are no text.
        MachineFault: The file cannot be written.
    """
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise BadInput(f"no tags are known for this format; there are: {', '.join(_WRITERS)}.", where=str(path))
    for name, text in tags.as_pairs().items():
        if NOT_TEXT.search(text):
            raise BadInput("a tag may not hold control characters.", where=f"{path}: {name}")
    import mutagen

    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        try:
            writer(path, Path(beside), tags)
            shutil.copymode(path, beside)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    # On what is no file of its format mutagen also lets errors out that are not its own.
    except (mutagen.MutagenError, OSError, LookupError, ValueError, RecursionError, struct.error) as error:
        raise MachineFault(f"the tags cannot be written: {error}.", where=str(path)) from error


def read(path: Path) -> dict[str, str]:
    """Our tags as a file holds them, by the names of ``NAMES``; what is not there is left out.

    A format may hold a tag in several places, and a file it twice. One that says two things says nothing, and is left
    out; so is an empty one. A usual field counts where ours is not there. What cannot be read ends the reading, and
    what was read before it counts.
    """
    by_name = {name.casefold(): name for name in (*NAMES, *USUAL)}
    said: dict[str, set[str]] = {}
    try:
        if (reader := _READERS.get(kind_of(path))) is None:
            return {}
        with path.open("rb", buffering=0) as raw, Sparing(raw) as file:
            for name, text in reader(file):
                if (known := by_name.get(name.casefold())) and len(said.setdefault(known, set())) < 2:
                    said[known].add(text)
    except (OSError, Unreadable):
        pass
    said = {USUAL[name]: texts for name, texts in said.items() if name in USUAL} | said
    return {name: text for name in NAMES if len(said.get(name, ())) == 1 and (text := min(said[name]))}


def _on_a_copy(writer: Callable[[Path, Tags], None]) -> Callable[[Path, Path, Tags], None]:
    """A writer that changes a file where it lies, as one that writes another."""

    def write_other(source: Path, target: Path, tags: Tags) -> None:
        shutil.copyfile(source, target)
        writer(target, tags)

    return write_other


_WRITERS: Mapping[str, Callable[[Path, Path, Tags], None]] = {
    ".wav": tags_wav.write,
    ".mp3": _on_a_copy(tags_id3.write),
    ".m4a": _on_a_copy(tags_mp4.write),
    ".mp4": _on_a_copy(tags_mp4.write),
    ".flac": _on_a_copy(tags_vorbis.write),
    ".ogg": _on_a_copy(tags_vorbis.write),
    ".opus": _on_a_copy(tags_vorbis.write),
}
_READERS: Mapping[str, Callable[[BinaryIO], Iterator[tuple[str, str]]]] = {
    ".wav": tags_wav.pairs,
    ".mp3": tags_id3.pairs,
    ".m4a": tags_mp4.pairs,
    ".mp4": tags_mp4.pairs,
    ".flac": tags_vorbis.flac_pairs,
    ".ogg": tags_vorbis.ogg_pairs,
    ".opus": tags_vorbis.ogg_pairs,
}
