"""What the gate knows of a deliverable: measured on its bytes, once, before any rule looks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from clearspot.config import DeliverableLimits, Profile
from clearspot.consent.grant import Grant
from clearspot.engines.protocols import Recogniser, SpeakerEncoder, Watermarker
from clearspot.errors import Refused
from clearspot.gate.levels import ClipLevel, level_of, speech_level_of
from clearspot.gate.requirements import Requirements
from clearspot.gate.speaker import Likeness, Speaker, compare
from clearspot.media.audio import LISTEN_RATE_HZ, essence_sha256
from clearspot.media.loudness import Loudness
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages.disclose import Candidate
from clearspot.stages.translate import Translation
from clearspot.text.match import match_lines
from clearspot.text.said import Said, hold_against
from clearspot.timeline import Placed, Timeline

NOT_ASKED = Refused("was not asked for.")


@dataclass(frozen=True, slots=True)
class HeardClip:
    """One clip of the timeline as it was heard in the delivered file (seconds)."""

    placed: Placed
    said: Said
    start_s: float | None
    end_s: float | None
    level: ClipLevel


@dataclass(frozen=True, slots=True)
class Expected:
    """What a deliverable should be, by everything that was approved and granted before it was made."""

    translation: Translation
    timeline: Timeline
    protected: tuple[str, ...]
    profile: Profile
    limits: DeliverableLimits
    tags: tags.Tags
    drafts_allowed: bool
    grant: Grant
    requirements: Requirements


@dataclass(frozen=True, slots=True)
class Certificate:
    """How long the signer's certificate lasts: until when, whole days from now, and what to do about it."""

    ends: dt.datetime
    days_left: int
    renewal: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a deliverable turned out to be.

    ``speaker`` is how like the voice its speech is. ``watermark`` is how surely it was found (0 to 1),
    ``watermark_from`` from where on it counts. ``consent`` is the
    grant asked for anew, or why there is none now; ``script`` who approved it, or why it is not; ``certificate`` is the
    signer's.
    """

    expected: Expected
    essence_sha256: str
    duration_s: float
    loudness: Loudness
    clips: tuple[HeardClip, ...]
    speaker: Speaker
    watermark: float
    watermark_from: float
    tags: Mapping[str, str]
    manifest: manifest.ManifestFacts
    consent: Grant | Refused = NOT_ASKED
    script: Mapping[str, str] | Refused = NOT_ASKED
    certificate: Certificate | Refused = NOT_ASKED

    @property
    def disclosures(self) -> tuple[HeardClip, ...]:
        return tuple(clip for clip in self.clips if clip.placed.line_id == DISCLOSURE_ID)

    @property
    def lines(self) -> tuple[HeardClip, ...]:
        return tuple(clip for clip in self.clips if clip.placed.line_id != DISCLOSURE_ID)


def gather(
    candidate: Candidate,
    expected: Expected,
    *,
    recogniser: Recogniser,
    watermarker: Watermarker,
    encoder: SpeakerEncoder,
    likeness: Likeness,
    trust: Trust,
) -> Evidence:
    """Listen to a candidate: to what is said and to who says it; look for its watermark, read tags and manifest.

    The recogniser hears the decoded file and nothing else; it is never told what it should hear.
    """
    locale = expected.translation.locale
    transcript = recogniser.recognise(candidate.listening, language=locale.split("-")[0])
    clips = expected.timeline.clips
    matches = match_lines([clip.text for clip in clips], transcript.words, locale)
    heard = tuple(
        HeardClip(
            clip,
            hold_against(clip.text, match, expected.protected, locale),
            match.start_s,
            match.end_s,
            (level_of if clip.line_id == DISCLOSURE_ID else speech_level_of)(candidate.listening, clip),
        )
        for clip, match in zip(clips, matches, strict=True)
    )
    return Evidence(
        expected=expected,
        essence_sha256=essence_sha256(candidate.path),
        duration_s=candidate.duration_s,
        loudness=candidate.loudness,
        clips=heard,
        speaker=compare(candidate.listening, clips, encoder, likeness),
        watermark=watermarker.detect(candidate.listening, LISTEN_RATE_HZ),
        watermark_from=watermarker.detected_from,
        tags=tags.read(candidate.path),
        manifest=manifest.read(candidate.path, trust),
    )
