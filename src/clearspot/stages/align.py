"""align: words heard x approved script to timed lines, or a refusal that says what was said instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clearspot.config import RecordingLimits
from clearspot.errors import Refused
from clearspot.spot import Script
from clearspot.text.match import match_lines
from clearspot.text.said import hold_against
from clearspot.transcript import Transcript


@dataclass(frozen=True, slots=True)
class TimedLine:
    """One line of the script where the recording says it (seconds from its start)."""

    id: str
    start_s: float
    end_s: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class TimedScript:
    """The lines of a script with the times the recording gives them."""

    lines: tuple[TimedLine, ...]
    duration_s: float


def align(transcript: Transcript, script: Script, limits: RecordingLimits, recording: Path) -> TimedScript:
    """Hold what was said against what was approved.

    Numbers and prices must agree exactly, protected names closely, everything else within the error rate.

    Raises:
        Refused: Another language, or words that are not the approved words; each differing line is named.
    """
    where = str(recording)
    declared = script.locale.split("-")[0]
    if transcript.language != declared and transcript.language_probability >= limits.language_probability:
        raise Refused(
            f"the recording is in {transcript.language!r} (sure to {transcript.language_probability:.0%}), the "
            f"script says {script.locale}.",
            where=where,
            remedy="Give the right recording, or correct locale: in the script and have it approved again.",
        )
    matches = match_lines(tuple(script.lines.values()), transcript.words, script.locale)
    problems = [
        f"line {line_id!r}: {problem}"
        for (line_id, text), match in zip(script.lines.items(), matches, strict=True)
        if (
            problem := hold_against(text, match, script.protected, script.locale).difference(
                error_rate=limits.line_error_rate, name_closeness=limits.name_closeness
            )
        )
    ]
    if problems:
        raise Refused(
            "what was said is not what was approved. " + "; ".join(problems) + ".",
            where=where,
            remedy="Record it again, or correct the script and have it approved.",
        )
    lines = tuple(
        TimedLine(line_id, match.start_s or 0.0, match.end_s or 0.0, match.character_error_rate)
        for line_id, match in zip(script.lines, matches, strict=True)
    )
    return TimedScript(lines, transcript.duration_s)
