"""Reports for tests: one with everything in it that a page can show."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from clearspot.gate.rules import RULES, Finding
from clearspot.media.loudness import LoudnessOverTime
from clearspot.report.data import (
    Approval,
    ByHand,
    Clip,
    Deliverable,
    Fact,
    Limits,
    Media,
    Policy,
    Problem,
    RunReport,
    Sound,
)

RULE_NAMES = tuple(rule.__name__.replace("_", "-") for rule in RULES)
LENGTH_S = 20.0


def a_sound(length_s: float = LENGTH_S) -> Sound:
    """A waveform that swells and falls, at -16 LUFS or so; nothing is measured before a window is full."""
    steps = round(length_s * 10)
    peaks = tuple((-abs(math.sin(x / 40)), abs(math.sin(x / 40))) for x in range(600))
    momentary = tuple(-70.0 if step < 4 else -16.0 + 6 * math.sin(step / 5) for step in range(steps))
    short_term = tuple(-70.0 if step < 30 else -16.0 + math.sin(step / 15) for step in range(steps))
    return Sound(length_s, peaks, LoudnessOverTime(-16.1, momentary, short_term))


CLIPS = (
    Clip("disclosure", "Este anuncio utiliza una voz generada.", 0.25, 4.0, disclosure=True, heard="Este anuncio"),
    Clip("hello", "Hola, soy Nora.", 5.0, 9.0, 1.1, source="Hi, I'm Nora.", heard="Hola, soy Nora", error_rate=0.08),
    Clip("legal", "Oferta válida.", 15.0, 19.5, source="Offer ends.", heard="", error_rate=1.0),
)


def findings(*failed: str) -> tuple[Finding, ...]:
    """Every rule of the gate, some of them failed."""
    return tuple(
        Finding(
            name, "fail" if name in failed else "pass", f"{name} measured", f"{name} required", "look at line legal"
        )
        for name in RULE_NAMES
    )


def a_deliverable(**changes: Any) -> Deliverable:
    """A deliverable that passed, with everything that a page can show of one."""
    whole = Deliverable(
        anchor="of-es-es-podcast",
        name="lumen-coffee_es-ES_podcast",
        locale="es-ES",
        profile="podcast",
        verdict="passed",
        title="Podcast",
        markets=("ES",),
        at="2026-11-22T14:03:00+00:00",
        media=Media("lumen-coffee_es-ES_podcast.mp3", "./es-ES/lumen-coffee_es-ES_podcast.mp3", "audio/mpeg", 960_000),
        sound=a_sound(),
        limits=Limits(-16.0, 0.5, -1.0, -12.0),
        clips=CLIPS,
        findings=findings(),
        approvals=(
            Approval("", "approved", "Ada Producer", "2026-11-20T09:00:00+00:00"),
            Approval("hello", "approved", "Ulla Reviewer", "2026-11-21T10:30:00+00:00"),
            Approval("legal", "draft", "never approved", ""),
        ),
        consent=(Fact("Record", "house-2026-11"), Fact("Record's sha256", "ab" * 32, exact=True)),
        policies=(Policy("eu-ai-act", "spoken disclosure", "at the start", "Listeners are told before they hear."),),
        by_hand=(ByHand("YouTube", "tick the box for altered content", "platform-youtube", "The platform asks."),),
        proof=(Fact("Essence's sha256", "cd" * 32, exact=True),),
        engines=(Fact("Engine, speech", "kokoro-onnx 0.6.1\nmodel: ef", exact=True),),
    )
    return replace(whole, **changes)


def a_refusal(**changes: Any) -> Deliverable:
    """A deliverable that the gate refused: no file, but findings and what to do."""
    return a_deliverable(
        **{
            "anchor": "of-it-it-podcast",
            "name": "lumen-coffee_it-IT_podcast",
            "locale": "it-IT",
            "verdict": "refused",
            "media": None,
            "sound": None,
            "clips": (),
            "approvals": (),
            "consent": (),
            "proof": (),
            "engines": (),
            "findings": findings("disclosure-heard"),
            "problem": Problem("the gate refused it.", "lumen-coffee_it-IT_podcast", "Mend what the findings name."),
            **changes,
        }
    )


def a_report(*deliverables: Deliverable, **changes: Any) -> RunReport:
    """A report of those deliverables; of one that passed and one that was refused unless others are given."""
    whole = RunReport(
        spot="lumen-coffee",
        provider="Lumen Coffee demo",
        started="2026-11-22T14:00:00+00:00",
        finished="2026-11-22T14:03:00+00:00",
        written="2026-11-22T14:03:01+00:00",
        version="0.1.0",
        about=(Fact("Advertiser", "Lumen Coffee"), Fact("Medium", "radio")),
        source_locale="en-US",
        deliverables=deliverables or (a_deliverable(), a_refusal()),
    )
    return replace(whole, **changes)
