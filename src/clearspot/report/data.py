"""What a report shows. Plain values: where they come from is ``collect``'s business, how they look is ``page``'s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clearspot.gate.rules import Finding
from clearspot.media.loudness import LoudnessOverTime

Verdict = Literal["passed", "refused", "failed", "unproven"]
"""``passed``: exported, and its receipt and bytes are in order. ``refused``: a rule or a person said no.
``failed``: the input or the machine was at fault. ``unproven``: files are there that prove nothing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not there, as errors tell it: what, where, how to mend it."""

    what: str
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A deliverable's file. ``href`` is relative to the report and percent-encoded.

    ``embedded`` holds the file's own bytes where the page carries them; empty where it plays the file beside it.
    """

    name: str
    href: str
    kind: str
    size_bytes: int
    embedded: bytes = b""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip on the timeline: a line, or the spoken disclosure (seconds).

    ``rate`` is against its natural speed; ``source`` is the approved line it translates.
    """

    id: str
    text: str
    start_s: float
    end_s: float
    rate: float = 1.0
    disclosure: bool = False
    source: str = ""
    heard: str = ""
    error_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """What decoding a file once gave.

    ``peaks`` is the waveform: the lowest and highest sample (full scale is 1) of equal stretches of time.
    """

    duration_s: float
    peaks: tuple[tuple[float, float], ...]
    loudness: LoudnessOverTime


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of loudness: LUFS, LU and dBTP. ``short_term_max_lufs`` is None where nothing is asked of it."""

    loudness_lufs: float
    tolerance_lu: float
    true_peak_dbtp: float
    short_term_max_lufs: float | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Who signed off which words, when. No ``line``: the whole script. ``status`` is ``approved`` or ``draft``.

    ``voice`` is that the voice's owner agreed to be heard in this spot.
    """

    line: str
    status: str
    by: str
    at: str
    voice: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value, to be shown as they are; ``exact`` for digests and the like."""

    name: str
    value: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """One requirement of one policy that applied, what it asked, and why."""

    id: str
    requirement: str
    asked: str
    why: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """What somebody still does by hand, where, for which policy, and why."""

    place: str
    do: str
    policy: str
    why: str


@dataclass(frozen=True, slots=True)
class Deliverable:
    """One file for one locale in one delivery profile: made, or not, and everything that is known of it.

    ``anchor`` is its place in the page; ``sound`` is None where there is no file to decode. ``consent``, ``proof`` and
    ``engines`` are shown as they stand.
    """

    anchor: str
    name: str
    locale: str
    profile: str
    verdict: Verdict
    title: str = ""
    markets: tuple[str, ...] = ()
    at: str = ""
    problem: Problem | None = None
    media: Media | None = None
    sound: Sound | None = None
    limits: Limits | None = None
    clips: tuple[Clip, ...] = ()
    findings: tuple[Finding, ...] = ()
    approvals: tuple[Approval, ...] = ()
    consent: tuple[Fact, ...] = ()
    policies: tuple[Policy, ...] = ()
    by_hand: tuple[ByHand, ...] = ()
    proof: tuple[Fact, ...] = ()
    engines: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything a page shows of one spot; times are ISO 8601 as written down, empty where nobody wrote them."""

    spot: str
    provider: str
    started: str
    finished: str
    written: str
    version: str
    about: tuple[Fact, ...]
    source_locale: str
    deliverables: tuple[Deliverable, ...]
