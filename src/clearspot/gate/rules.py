"""The rules, each one small function of the evidence. All of them run; one failure keeps the file in."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from clearspot.disclosure import characters_per_minute, within
from clearspot.errors import Refused
from clearspot.gate.evidence import Evidence, HeardClip
from clearspot.gate.speaker import SHORT_LESS
from clearspot.provenance.keys import WARN_DAYS
from clearspot.provenance.manifest import TRUSTED

Verdict = Literal["pass", "fail", "warn"]
"""``warn``: not as it should be, and no market of this deliverable asks for it."""


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
    """The spoken disclosure is heard in the delivered file, in its words, wherever it has to be."""
    limits, locale = evidence.expected.limits, evidence.expected.translation.locale
    most = limits.disclosure_error_rate_in(locale)
    problems = []
    for clip in evidence.disclosures:
        problem = clip.said.difference(error_rate=most, name_closeness=limits.name_closeness)
        if problem := problem or clip.said.addition or _out_of_place(clip, limits.place_tolerance_s):
            problems.append(f"at {clip.placed.start_s:.1f} s: {problem}")
    worst = max(evidence.disclosures, key=lambda clip: clip.said.error_rate)
    at = " and ".join(_time(clip.start_s) for clip in evidence.disclosures)
    places = " and ".join(f"{clip.placed.start_s:.1f} s" for clip in evidence.disclosures)
    measured = f"error rate {worst.said.error_rate:.2f} at {at}"
    return _finding("disclosure-heard", not problems, measured, f"at most {most:g} at {places}", "; ".join(problems))


def disclosure_clear(evidence: Evidence) -> Finding:
    """The disclosure is as loud as the other speech, with nothing under it."""
    limits = evidence.expected.limits
    spoken_db = statistics.median(clip.level.speech_db for clip in evidence.lines)
    worst = min(evidence.disclosures, key=lambda clip: clip.level.clear_by_db)
    quietest = min(evidence.disclosures, key=lambda clip: clip.level.speech_db)
    softer_db = spoken_db - quietest.level.speech_db
    problems = []
    if worst.level.clear_by_db < limits.disclosure_clear_db:
        problems.append(f"at {worst.placed.start_s:.1f} s something is heard under it")
    if softer_db > limits.disclosure_level_db:
        problems.append(f"at {quietest.placed.start_s:.1f} s it is softer than the lines")
    measured = f"{worst.level.clear_by_db:.0f} dB over what is under it, {softer_db:+.1f} dB softer than the lines"
    required = f"at least {limits.disclosure_clear_db:g} dB, at most {limits.disclosure_level_db:g} dB"
    return _finding("disclosure-clear", not problems, measured, required, "; ".join(problems))


def disclosure_placed(evidence: Evidence) -> Finding:
    """The disclosure is where the markets ask for it: first, again in long programmes, at the end; at its pace."""
    asked, timeline = evidence.expected.requirements.disclosure, evidence.expected.timeline
    times = [(clip.start_s, clip.end_s) for clip in timeline.disclosures]
    away_s = [after - before for (_, before), (after, _) in pairwise([*times, (evidence.duration_s, 0.0)])]
    problems = []
    if timeline.clips[0] not in timeline.disclosures:
        problems.append("it does not come first")
    if asked.at_end and timeline.clips[-1] not in timeline.disclosures:
        problems.append("it is not heard at the end")
    if asked.repeat_every_s is not None and max(away_s) > asked.repeat_every_s:
        problems.append(f"it is away for {max(away_s):.0f} s")
    opening = timeline.disclosures[0]
    pace = characters_per_minute(opening.text, opening.end_s - opening.start_s)
    if asked.characters_per_minute and not within(pace, asked.characters_per_minute):
        problems.append(f"it is read at {pace:.0f} characters a minute")
    required = "first" + (", at the end" if asked.at_end else "")
    required += f", every {asked.repeat_every_s:g} s" if asked.repeat_every_s is not None else ""
    if asked.characters_per_minute:
        required += ", {:g} to {:g} characters a minute".format(*asked.characters_per_minute)
    often = "once" if len(times) == 1 else f"{len(times)} times"
    measured = f"{often}, {pace:.0f} characters a minute"
    return _finding("disclosure-placed", not problems, measured, required, "; ".join(problems))


def lines_heard(evidence: Evidence) -> Finding:
    """Every line is heard in the delivered file, in its words and in its place; numbers and prices exactly."""
    limits = evidence.expected.limits
    problems = []
    for clip in evidence.lines:
        problem = clip.said.difference(error_rate=limits.line_error_rate, name_closeness=limits.name_closeness)
        if problem := problem or clip.said.addition or _out_of_place(clip, limits.place_tolerance_s):
            problems.append(f"line {clip.placed.line_id!r}: {problem}")
    worst = max(evidence.lines, key=lambda clip: clip.said.error_rate)
    measured = f"worst error rate {worst.said.error_rate:.2f} ({worst.placed.line_id})"
    required = f"at most {limits.line_error_rate:g}, numbers exact"
    return _finding("lines-heard", not problems, measured, required, "; ".join(problems))


def speaker_consented(evidence: Evidence) -> Finding:
    """The speech is the consented speaker's: that of the disclosure, that of the lines, and no line is another's."""
    found, limits = evidence.speaker, evidence.expected.limits
    least, least_of_line = limits.speaker_similarity[found.kind], limits.speaker_line_similarity[found.kind]
    problems = [
        f"the {name} is another's voice"
        if like is not None
        else f"there is too little of the {name} to tell whose it is"
        for name, like in (("disclosure", found.disclosure), ("speech of the lines", found.lines))
        if like is None or not like >= least
    ]
    for one, must in ((found.least, least_of_line), (found.short, least_of_line - SHORT_LESS)):
        if one and not one[1] >= must:
            problems.append(f"line {one[0]!r} is another's voice ({one[1]:.2f})")
    measured = f"disclosure {_like(found.disclosure)}, lines {_like(found.lines)}"
    measured += f", least {_like(found.least[1])} ({found.least[0]})" if found.least else ""
    required = f"at least {least:g}, each line {least_of_line:g}, short ones {least_of_line - SHORT_LESS:.2g}"
    required += f", like the voice as {found.kind}"
    return _finding("speaker-consented", not problems, measured, required, "; ".join(problems))


def loudness(evidence: Evidence) -> Finding:
    """Programme loudness within the profile's tolerance (ITU-R BS.1770), and no three seconds over its limit."""
    profile, got = evidence.expected.profile, evidence.loudness
    passed = abs(got.integrated_lufs - profile.loudness_lufs) <= profile.loudness_tolerance_lu
    measured = f"{got.integrated_lufs:.1f} LUFS"
    required = f"{profile.loudness_lufs:g} ±{profile.loudness_tolerance_lu:g} LUFS"
    highest = profile.short_term_max_lufs
    if highest is None:
        return _finding("loudness", passed, measured, required)
    calm = got.short_term_max_lufs <= highest
    measured += f", short-term at most {got.short_term_max_lufs:.1f}"
    detail = "" if calm else "three seconds of it are louder than any may be"
    return _finding("loudness", passed and calm, measured, f"{required}, short-term at most {highest:g}", detail)


def true_peak(evidence: Evidence) -> Finding:
    """True peak at or under the profile's limit (ITU-R BS.1770, annex 2)."""
    limit, got = evidence.expected.profile.true_peak_dbtp, evidence.loudness.true_peak_dbtp
    return _finding("true-peak", got <= limit, f"{got:.1f} dBTP", f"at most {limit:g} dBTP")


def duration(evidence: Evidence) -> Finding:
    """The delivered file is as long as the timeline."""
    wanted, tolerance = evidence.expected.timeline.duration_s, evidence.expected.limits.duration_tolerance_s
    passed = abs(evidence.duration_s - wanted) <= tolerance
    return _finding("duration", passed, f"{evidence.duration_s:.3f} s", f"{wanted:.3f} ±{tolerance:g} s")


def watermark_detected(evidence: Evidence) -> Finding:
    """The watermark is found in the delivered file: it stays when tags and manifest are stripped."""
    passed = evidence.watermark >= evidence.watermark_from
    return _finding(
        "watermark-detected", passed, f"confidence {evidence.watermark:.2f}", f"at least {evidence.watermark_from:g}"
    )


def tags_present(evidence: Evidence) -> Finding:
    """Every tag is in the file with the value it was given, and every one that a market asks for is among them."""
    given = evidence.expected.tags.as_pairs()
    wanted = [*given, *sorted(evidence.expected.requirements.tags - given.keys())]
    wrong = [name for name in wanted if name not in given or evidence.tags.get(name) != given[name]]
    measured = f"{len(wanted) - len(wrong)} of {len(wanted)}"
    detail = f"missing or different: {', '.join(wrong)}" if wrong else ""
    return _finding("tags-present", not wrong, measured, f"all {len(wanted)}", detail)


def manifest_trusted(evidence: Evidence) -> Finding:
    """The signed manifest is intact, by a signer this project trusts, and names these very bytes."""
    facts = evidence.manifest
    same_bytes = facts.clearance.get("essence_sha256") == evidence.essence_sha256
    detail = "; ".join(facts.problems) or ("" if same_bytes else "it names another essence")
    return _finding("manifest-trusted", facts.state == TRUSTED and same_bytes, facts.state, TRUSTED, detail)


def certificate_lasts(evidence: Evidence) -> Finding:
    """The signer's certificate is valid, and has time left: after its last day nothing can be signed."""
    found = evidence.certificate
    if isinstance(found, Refused):
        return _finding("certificate-lasts", False, "unknown", "valid", str(found))
    measured, required = f"{found.days_left} days, until {found.ends:%Y-%m-%d}", f"valid, at least {WARN_DAYS} days"
    if 0 <= found.days_left < WARN_DAYS:
        return Finding("certificate-lasts", "warn", measured, required, f"it ends soon: {found.renewal}")
    return _finding("certificate-lasts", found.days_left >= WARN_DAYS, measured, required)


RULES: tuple[Rule, ...] = (
    consent_valid,
    script_approved,
    translation_approved,
    disclosure_heard,
    disclosure_clear,
    disclosure_placed,
    lines_heard,
    speaker_consented,
    loudness,
    true_peak,
    duration,
    watermark_detected,
    tags_present,
    manifest_trusted,
    certificate_lasts,
)


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Every rule's finding, in order; one that no market of this deliverable insists on may only warn."""
    severity_of = evidence.expected.requirements.severity_of
    return tuple(
        replace(found, verdict=severity_of(found.rule)) if found.verdict == "fail" else found
        for found in (rule(evidence) for rule in RULES)
    )


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


def _like(similarity: float | None) -> str:
    return "unknown" if similarity is None else f"{similarity:.2f}"


def _finding(rule: str, passed: bool, measured: str, required: str, detail: str = "") -> Finding:
    return Finding(rule, "pass" if passed else "fail", measured, required, detail)
