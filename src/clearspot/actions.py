"""What a stage's result depends on, and the key that follows from it: content and parameters, never a path or a time.

The parts named here are the contract of the store. A change of what a stage makes of the same inputs needs a new number
in ``VERSIONS``; tests hold golden keys against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearspot.config import Profile, RecordingLimits
from clearspot.disclosure import DisclosureAsked
from clearspot.hashing import sha256_json
from clearspot.spot import Script, SpotFile

VERSIONS: Mapping[str, int] = {
    "transcribe": 1,
    "align": 1,
    "translate": 1,
    "speak": 1,
    "fit": 1,
    "mix": 1,
    "encode": 1,
}


@dataclass(frozen=True, slots=True)
class Tool:
    """An engine as far as its results depend on it: its package with version, and the digest of each weights file."""

    version: str
    weights: Mapping[str, str]

    @property
    def parts(self) -> dict[str, Any]:
        return {"version": self.version, "weights": dict(sorted(self.weights.items()))}


@dataclass(frozen=True, slots=True)
class VoiceTool:
    """A voice as far as its sound depends on it; ``voice_sha256`` is the digest that its consent record names."""

    voice_sha256: str
    tool: Tool

    @property
    def parts(self) -> dict[str, Any]:
        return {"voice": self.voice_sha256, **self.tool.parts}


@dataclass(frozen=True, slots=True)
class Action:
    """One call of a stage by everything that its result depends on. ``about`` says where, for people; no key has it."""

    stage: str
    inputs: Mapping[str, Any]
    about: str = ""

    @property
    def key(self) -> str:
        return sha256_json({"stage": self.stage, "version": VERSIONS[self.stage], "inputs": dict(self.inputs)})


def transcribing(recording_sha256: str, recogniser: Tool, ffmpeg: str) -> Action:
    """transcribe: a recording, what decodes it, and who listens."""
    return Action("transcribe", {"recording": recording_sha256, "recogniser": recogniser.parts, "ffmpeg": ffmpeg})


def aligning(transcript_sha256: str, script: Script, limits: RecordingLimits) -> Action:
    """align: words that were heard, the words that were approved, and how closely they are held together."""
    approved = {"locale": script.locale, "protected": list(script.protected), "lines": list(script.lines.items())}
    return Action(
        "align", {"transcript": transcript_sha256, "script": approved, "limits": limits.model_dump(mode="json")}
    )


def drafting(engine: str, source: str, target: str, text: str, about: str) -> Action:
    """translate, where a machine drafts a line."""
    return Action("translate", {"engine": engine, "source": source, "target": target, "text": text}, about)


def speaking(voice: VoiceTool, locale: str, text: str, rate: float, about: str) -> Action:
    """speak: one text in one voice at one rate. Which line of which spot it is makes no difference."""
    return Action("speak", {"voice": voice.parts, "locale": locale, "text": text, "rate": rate}, about)


def fitting(
    timed_sha256: str,
    clips: Sequence[tuple[str, str, str]],
    voice: VoiceTool,
    order: SpotFile,
    asked: DisclosureAsked,
    locale: str,
    ffmpeg: str,
) -> Action:
    """fit: the recording's times, and of each clip its line, its text and the digest of its samples.

    Voice and locale are in it because lines without room are spoken again, ffmpeg because it stretches them.
    """
    inputs = {
        "timed": timed_sha256,
        "clips": [list(clip) for clip in clips],
        "voice": voice.parts,
        "timing": order.timing,
        "duration_s": order.duration_s,
        "at_end": asked.at_end,
        "repeat_every_s": asked.repeat_every_s,
        "locale": locale,
        "ffmpeg": ffmpeg,
    }
    return Action("fit", inputs, locale)


def mixing(timeline_sha256: str, bed_sha256: str, watermark: Tool, ffmpeg: str, about: str) -> Action:
    """mix: the timeline over the bed, which ffmpeg decodes, marked."""
    inputs = {"timeline": timeline_sha256, "bed": bed_sha256, "watermark": watermark.parts, "ffmpeg": ffmpeg}
    return Action("mix", inputs, about)


def encoding(programme_sha256: str, profile: Profile, ffmpeg: str, about: str) -> Action:
    """disclose, as far as it does not sign: the programme at its loudness, in its codec."""
    delivery = {name: value for name, value in profile.plain.items() if name != "title"}
    return Action("encode", {"programme": programme_sha256, "profile": delivery, "ffmpeg": ffmpeg}, about)
