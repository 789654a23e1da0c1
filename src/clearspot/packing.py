"""Values of stages as bytes, so that a store can keep them: the same call of a stage gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from clearspot.hashing import canonical_json
from clearspot.media.audio import Samples, from_f32le, to_f32le
from clearspot.stages.align import TimedLine, TimedScript
from clearspot.timeline import Placed, Timeline
from clearspot.transcript import Transcript, Word

T = TypeVar("T")


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How one kind of value becomes bytes and is read again.

    ``unpack`` raises ValueError, KeyError, TypeError or RecursionError on bytes that are of no such value.
    """

    pack: Callable[[T], bytes]
    unpack: Callable[[bytes], T]


def _transcript(data: bytes) -> Transcript:
    body = json.loads(data)
    return Transcript(**{**body, "words": tuple(Word(**word) for word in body["words"])})


def _timed(data: bytes) -> TimedScript:
    body = json.loads(data)
    return TimedScript(tuple(TimedLine(**line) for line in body["lines"]), body["duration_s"])


def _samples(channels: int) -> Codec[Samples]:
    return Codec(to_f32le, lambda data: from_f32le(data, channels))


TRANSCRIPT: Codec[Transcript] = Codec(lambda value: canonical_json(asdict(value)), _transcript)
TIMED: Codec[TimedScript] = Codec(lambda value: canonical_json(asdict(value)), _timed)
TEXT: Codec[str] = Codec(lambda value: value.encode(), lambda data: data.decode())
CLIP: Codec[Samples] = _samples(1)
PROGRAMME: Codec[Samples] = _samples(2)


def _pack_timeline(timeline: Timeline) -> bytes:
    """A head of JSON with its length before it, then the samples of every clip, one after the other."""
    head = canonical_json(
        {
            "length": timeline.length,
            "clips": [
                {"line_id": clip.line_id, "text": clip.text, "start": clip.start, "rate": clip.rate}
                | {"samples": len(clip.samples)}
                for clip in timeline.clips
            ],
        }
    )
    return b"".join([len(head).to_bytes(8, "little"), head, *(CLIP.pack(clip.samples) for clip in timeline.clips)])


def _unpack_timeline(data: bytes) -> Timeline:
    start = 8 + int.from_bytes(data[:8], "little")
    if start > len(data):
        raise ValueError("a timeline's head is cut off")
    body: Mapping[str, Any] = json.loads(data[8:start])
    clips = []
    for clip in body["clips"]:
        end = start + 4 * int(clip["samples"])
        if not start <= end <= len(data):
            raise ValueError("a timeline's samples are cut off")
        samples = CLIP.unpack(data[start:end])
        clips.append(Placed(clip["line_id"], clip["text"], clip["start"], samples, clip["rate"]))
        start = end
    if start != len(data):
        raise ValueError("a timeline has more samples than clips")
    return Timeline(tuple(clips), body["length"])


TIMELINE: Codec[Timeline] = Codec(_pack_timeline, _unpack_timeline)
