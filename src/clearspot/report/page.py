"""The report as one HTML file: no request leaves it, and everything in it can be read without its script."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import importlib.resources
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearspot.gate.rules import Finding
from clearspot.media.loudness import SILENT_LUFS
from clearspot.report import charts
from clearspot.report.data import Deliverable, RunReport
from clearspot.report.explanations import explain

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "page"
VERDICTS = {"passed": "Passed", "refused": "Refused", "failed": "Not made", "unproven": "Not proven"}
NOTHING = "\u2013"
KEPT_FORMAT_CHARACTERS = "\u200c\u200d\u200e\u200f\u061c\u00ad"
"""Joiners and direction marks that ordinary text needs; every other invisible character is shown by its number."""


@dataclass(frozen=True, slots=True)
class LocaleGroup:
    """The deliverables of one locale, in order."""

    locale: str
    deliverables: tuple[Deliverable, ...]


def render(report: RunReport) -> str:
    """The page of one spot. All text is escaped; what it names is shown, never run.

    Returns:
        HTML with its styles, its script, its charts and small sound files inside.
    """
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            groups=_groups(report.deliverables),
            counts=_counts(report.deliverables),
            style=style,
            script=script,
            policy=_content_policy(style, script),
        )
    )


def _content_policy(style: str, script: str) -> str:
    """Nothing may be fetched but the deliverables beside the page; nothing may run but its own script."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_source_hash(style)}'",
            f"script-src '{_source_hash(script)}'",
            "media-src 'self' file: data:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@functools.cache
def _asset(name: str) -> str:
    return importlib.resources.files("clearspot.report").joinpath(FOLDER, name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    made.filters |= {
        "clock": charts.clock,
        "data_uri": _data_uri,
        "day": _day,
        "lufs": _lufs,
        "size": _size,
        "worst_first": _worst_first,
    }
    made.globals |= {
        "VERDICTS": VERDICTS,
        "charts": charts,
        "direction": direction,
        "explain": explain,
        "locale_name": locale_name,
        "measured": _measured,
    }
    return made


def visible(value: Any) -> Any:
    """Text whose invisible characters can be seen: one that reorders or hides words must not go unnoticed."""
    if type(value) is not str:
        return "" if value is None else value
    return re.sub(r"[^\n\t -~]", _shown, value)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return f"⟦U+{ord(character):04X}⟧" if hidden and character not in KEPT_FORMAT_CHARACTERS else character


def locale_name(tag: str) -> str:
    """A locale's English name, such as ``Spanish (Spain)``; the tag itself where nobody knows it."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-").get_display_name("en") or tag
    except (ValueError, UnknownLocaleError):
        return tag


def direction(tag: str) -> str:
    """``rtl`` or ``ltr``; ``auto`` where nobody knows the locale."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-").text_direction
    except (ValueError, UnknownLocaleError):
        return "auto"


def _groups(deliverables: Iterable[Deliverable]) -> tuple[LocaleGroup, ...]:
    by_locale: dict[str, list[Deliverable]] = {}
    for one in deliverables:
        by_locale.setdefault(one.locale, []).append(one)
    return tuple(LocaleGroup(locale, tuple(ones)) for locale, ones in by_locale.items())


def _counts(deliverables: tuple[Deliverable, ...]) -> dict[str, int]:
    """How many of each verdict, in the order of ``VERDICTS``; none that is nought."""
    counted = {verdict: sum(one.verdict == verdict for one in deliverables) for verdict in VERDICTS}
    return {verdict: count for verdict, count in counted.items() if count}


def _worst_first(findings: tuple[Finding, ...]) -> list[Finding]:
    return sorted(findings, key=lambda finding: ("fail", "warn", "pass").index(finding.verdict))


def _measured(deliverable: Deliverable, rule: str) -> str:
    return next((finding.measured for finding in deliverable.findings if finding.rule == rule), NOTHING)


def _day(value: str) -> str:
    """A time as people read it: ``22 November 2026, 14:03 UTC``; as it is where it is no time."""
    try:
        time = dt.datetime.fromisoformat(value)
        if time.utcoffset() is not None:
            time = time.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return value
    return f"{time.day} {time:%B %Y, %H:%M}" + (" UTC" if time.tzinfo else "")


def _lufs(value: float) -> str:
    return "silent" if value <= SILENT_LUFS else f"{value:.1f} LUFS".replace("-", charts.MINUS)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
