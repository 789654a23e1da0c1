"""captions: the lines as they are spoken, the disclosure as the first cue."""

from __future__ import annotations

import html
import itertools
import textwrap

from clearspot.timebase import timestamp
from clearspot.timeline import Timeline

LINE_CHARACTERS = 42
"""What fits on one row of a caption (BBC and EBU guidelines: 37 to 42)."""


FORMATS = (".srt", ".vtt")


def texts(timeline: Timeline) -> dict[str, str]:
    """Captions in every format, by the ending of its files."""
    return {".srt": srt(timeline), ".vtt": vtt(timeline)}


def first_cue(text: str) -> str:
    """The words of the first cue of SubRip or WebVTT captions, in one row; empty where there is none."""
    rows = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = next((number for number, row in enumerate(rows, 1) if "-->" in row), len(rows))
    return html.unescape(" ".join(" ".join(itertools.takewhile(str.strip, rows[start:])).split()))


def srt(timeline: Timeline) -> str:
    """SubRip captions."""
    cues = [
        f"{number}\n{timestamp(clip.start_s)} --> {timestamp(clip.end_s)}\n{_rows(clip.text)}\n"
        for number, clip in enumerate(timeline.clips, 1)
    ]
    return "\n".join(cues)


def vtt(timeline: Timeline) -> str:
    """WebVTT captions."""
    cues = []
    for clip in timeline.clips:
        times = f"{timestamp(clip.start_s, '.')} --> {timestamp(clip.end_s, '.')}"
        cues.append(f"{times}\n{html.escape(_rows(clip.text), quote=False)}\n")
    return "WEBVTT\n\n" + "\n".join(cues)


def _rows(text: str) -> str:
    return "\n".join(textwrap.wrap(text.replace("-->", "→"), LINE_CHARACTERS))
