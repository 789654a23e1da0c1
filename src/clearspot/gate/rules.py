"""The rules, each one small function of the evidence. All of them run; one failure keeps the file in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clearspot.errors import Refused
from clearspot.gate.evidence import Evidence, HeardClip
from clearspot.provenance.manifest import TRUSTED

Verdict = Literal["pass", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: what it measured, what it requires, and in ``detail`` what to look at."""

    rule: str
    verdict: Verdict
    measured: str
    required: str
    detail: str = ""


Rule = Callable[[Evidence], Finding]


def consent_valid(evidence: Evidence) -> Finding:
    """The voice's consent covers this use today, asked again now that the file is made."""
    if isinstance(evidence.consent, Refused):
        return _finding("consent-valid", False, "refused", "a grant", str(evidence.consent))
    spoken, now = evidence.expected.grant, evidence.consent
    same = (spoken.record_sha256, spoken.voice_sha256) == (now.record_sha256, now.voice_sha256)
    detail = "" if same else "the record or the voice is not the one it was spoken with"
    return _finding("consent-valid", same, f"record {now.record_id}", "a grant", detail)


def script_approved(evidence: Evidence) -> Finding:
    """The script is approved as it stands, and the recording says it."""
    if isinstance(evidence.script, Refused):
        return _finding("script-approved", False, "refused", "approved and matched", str(evidence.script))
    by, worst = evidence.script["by"], evidence.script["worst_line"]
    return _finding("script-approved", True, f"by {by}; recording matches ({worst})", "approved and matched")


def translation_approved(evidence: Evidence) -> Finding:
    """Every line is approved, or the spot's policy lets drafts out."""
    lines = evidence.expected.translation.lines
    drafts = [line.id for line in lines if line.status != "approved"]
    required = "all approved, or drafts allowed" if evidence.expected.drafts_allowed else "all approved"
    measured = f"{len(lines) - len(drafts)} of {len(lines)} approved"
    detail = f"drafts: {', '.join(drafts)}" if drafts else ""
    return _finding("translation-approved", not drafts or evidence.expected.drafts_allowed, measured, required, detail)


def disclosure_heard(evidence: Evidence) -> Finding:
    """The spoken disclosure is heard at the start of the delivered file, in its words."""
    limits = evidence.expected.limits
    clip = evidence.disclosure
    problem = clip.said.difference(error_rate=limits.disclosure_error_rate, name_closeness=limits.name_closeness)
    problem = problem or _out_of_place(clip, limits.place_tolerance_s)
    measured = f"error rate {clip.said.error_rate:.2f} at {_time(clip.start_s)}"
    required = f"at most {limits.disclosure_error_rate:g} at {clip.placed.start_s:.1f} s"
    return _finding("disclosure-heard", not problem, measured, required, problem)


def lines_heard(evidence: Evidence) -> Finding:
    """Every line is heard in the delivered file, in its words and in its place; numbers and prices exactly."""
    limits = evidence.expected.limits
    problems = []
    for clip in evidence.lines:
        problem = clip.said.difference(error_rate=limits.line_error_rate, name_closeness=limits.name_closeness)
        if problem := problem or _out_of_place(clip, limits.place_tolerance_s):
            problems.append(f"line {clip.placed.line_id!r}: {problem}")
    worst = max(evidence.lines, key=lambda clip: clip.said.error_rate)
    measured = f"worst error rate {worst.said.error_rate:.2f} ({worst.placed.line_id})"
    required = f"at most {limits.line_error_rate:g}, numbers exact"
    return _finding("lines-heard", not problems, measured, required, "; ".join(problems))


def loudness(evidence: Evidence) -> Finding:
    """Integrated programme loudness within the profile's tolerance (ITU-R BS.1770)."""
    profile, got = evidence.expected.profile, evidence.loudness.integrated_lufs
    passed = abs(got - profile.loudness_lufs) <= profile.loudness_tolerance_lu
    required = f"{profile.loudness_lufs:g} ±{profile.loudness_tolerance_lu:g} LUFS"
    return _finding("loudness", passed, f"{got:.1f} LUFS", required)


def true_peak(evidence: Evidence) -> Finding:
    """True peak at or under the profile's limit (ITU-R BS.1770, annex 2)."""
    limit, got = evidence.expected.profile.true_peak_dbtp, evidence.loudness.true_peak_dbtp
    return _finding("true-peak", got <= limit, f"{got:.1f} dBTP", f"at most {limit:g} dBTP")


def duration(evidence: Evidence) -> Finding:
    """The delivered file is as long as the timeline."""
    wanted, tolerance = evidence.expected.timeline.duration_s, evidence.expected.limits.duration_tolerance_s
    passed = abs(evidence.duration_s - wanted) <= tolerance
    return _finding("duration", passed, f"{evidence.duration_s:.3f} s", f"{wanted:.3f} ±{tolerance:g} s")


def tags_present(evidence: Evidence) -> Finding:
    """Every tag is in the file with the value it was given."""
    wanted = evidence.expected.tags.as_pairs()
    wrong = [name for name, text in wanted.items() if evidence.tags.get(name) != text]
    measured = f"{len(wanted) - len(wrong)} of {len(wanted)}"
    detail = f"missing or different: {', '.join(wrong)}" if wrong else ""
    return _finding("tags-present", not wrong, measured, f"all {len(wanted)}", detail)


def manifest_trusted(evidence: Evidence) -> Finding:
    """The signed manifest is intact, by a signer this project trusts, and names these very bytes."""
    facts = evidence.manifest
    same_bytes = facts.clearance.get("essence_sha256") == evidence.essence_sha256
    detail = "; ".join(facts.problems) or ("" if same_bytes else "it names another essence")
    return _finding("manifest-trusted", facts.state == TRUSTED and same_bytes, facts.state, TRUSTED, detail)


RULES: tuple[Rule, ...] = (
    consent_valid,
    script_approved,
    translation_approved,
    disclosure_heard,
    lines_heard,
    loudness,
    true_peak,
    duration,
    tags_present,
    manifest_trusted,
)


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Every rule's finding, in order."""
    return tuple(rule(evidence) for rule in RULES)


def _out_of_place(clip: HeardClip, tolerance_s: float) -> str:
    if clip.start_s is None or clip.end_s is None:
        return "was not said"
    early = clip.placed.start_s - clip.start_s > tolerance_s
    late = clip.end_s - clip.placed.end_s > tolerance_s
    if early or late:
        return (
            f"heard from {clip.start_s:.1f} to {clip.end_s:.1f} s, its place is "
            f"{clip.placed.start_s:.1f} to {clip.placed.end_s:.1f} s"
        )
    return ""


def _time(value: float | None) -> str:
    return "no time" if value is None else f"{value:.1f} s"


def _finding(rule: str, passed: bool, measured: str, required: str, detail: str = "") -> Finding:
    return Finding(rule, "pass" if passed else "fail", measured, required, detail)
