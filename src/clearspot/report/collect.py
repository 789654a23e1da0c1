"""A report from the files that a run left: nothing else is asked, so it can be made again at any time."""

from __future__ import annotations

import datetime as dt
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearspot import __version__
from clearspot.errors import BadInput
from clearspot.files import inside
from clearspot.gate.explain import BY_EACH, LABELS
from clearspot.gate.receipt import ENDING, check_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_bytes
from clearspot.media.loudness import decode_and_follow
from clearspot.publish import REFUSAL, RUN_FILE
from clearspot.report import facts
from clearspot.report.data import (
    Approval,
    ByHand,
    Clip,
    Deliverable,
    Limits,
    Media,
    Policy,
    Problem,
    RunReport,
    Sound,
    Verdict,
)
from clearspot.report.records import (
    About,
    ApprovalsRead,
    ClipRead,
    Ended,
    FindingRead,
    Receipt,
    RequirementsRead,
    Run,
    read_json,
    read_refusal,
    read_run,
    receipt_body,
)
from clearspot.report.waveform import envelope
from clearspot.timebase import seconds

KINDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".flac": "audio/flac", ".ogg": "audio/ogg",
         ".opus": "audio/ogg", ".mp4": "video/mp4"}  # fmt: skip
NOT_FAILED = {"cleared", "kept", "refused", "waiting"}
"""Verdicts of a run's record that say nothing about a failure."""

MAX_EMBEDDED_FILE_BYTES = 1_500_000
MAX_EMBEDDED_PAGE_BYTES = 8_000_000
"""A page carries small files itself, so that it plays wherever it is sent, and stays small enough to be sent."""

Trusted = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class _Known:
    """A deliverable and what it was read from."""

    about: About
    deliverable: Deliverable
    started: str = ""


def collect(folder: Path, trusted: Trusted) -> RunReport:
    """Everything a report shows, from the output folder of one spot.

    Args:
        folder: ``OUT/<spot>``.
        trusted: The public keys, by id, whose receipts count. A receipt of another key proves nothing, and the report
            says so.

    Raises:
        BadInput: There is no such folder, or nothing in it that a run left.
    """
    if not folder.is_dir():
        raise BadInput("there is no such folder.", where=str(folder), remedy="Name the folder OUT/<spot> of a run.")
    run = read_run(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else None
    with ThreadPoolExecutor(os.cpu_count() or 1, "report") as pool:
        known = list(pool.map(lambda read: read(), _readers(folder, trusted)))
    if run:
        known = [*_with_run(known, run)]
    if not known:
        raise BadInput(
            "holds no receipt, no refusal and no record of a run.",
            where=str(folder),
            remedy="Name the folder OUT/<spot> of a run.",
        )
    known.sort(key=lambda one: (one.about.locale, one.about.profile, one.deliverable.name))
    deliverables = _embedded_within([one.deliverable for one in known])
    return _report(folder, run, known, tuple(_anchored(deliverables)))


def _report(folder: Path, run: Run | None, known: list[_Known], deliverables: tuple[Deliverable, ...]) -> RunReport:
    about = next((one.about for one in known if one.about.spot), known[0].about)
    exported = sorted(one.deliverable.at for one in known if one.deliverable.at)
    started = sorted(one.started for one in known if one.started)
    return RunReport(
        spot=(run.spot if run else about.spot) or folder.name,
        provider=(run.provider if run else "") or about.provider,
        started=run.started if run else (started or exported or [""])[0],
        finished=run.finished if run else (exported or [""])[-1],
        written=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=__version__,
        about=facts.of_spot(about),
        source_locale=about.source_locale,
        deliverables=deliverables,
    )


def _readers(folder: Path, trusted: Trusted) -> Iterator[Callable[[], _Known]]:
    """One for each deliverable that left a receipt or a refusal; a refusal wins, since it is written last."""
    refusals = {path.name.removesuffix(REFUSAL): path for path in sorted(folder.glob(f"*/*{REFUSAL}"))}
    receipts = {path.name.removesuffix(ENDING): path for path in sorted(folder.glob(f"*/*{ENDING}"))}
    for name, path in (receipts | refusals).items():
        read = _refused if name in refusals else _exported
        yield lambda read=read, name=name, path=path: _read(read, folder, name, path, trusted)  # type: ignore[misc]


def _read(read: Callable[..., _Known], folder: Path, name: str, path: Path, trusted: Trusted) -> _Known:
    try:
        return read(folder, name, path, trusted)
    except BadInput as error:
        about = About(locale=path.parent.name, profile=name.rpartition("_")[2])
        return _Known(about, _bare(name, about, "unproven", Problem(error.what, error.where, error.remedy)))


def _bare(name: str, about: About, verdict: Verdict, problem: Problem | None) -> Deliverable:
    limits = about.limits
    return Deliverable(
        anchor="",
        name=name,
        locale=about.locale,
        profile=about.profile,
        verdict=verdict,
        title=about.title,
        markets=about.markets,
        problem=problem,
        limits=Limits(
            limits.loudness_lufs, limits.loudness_tolerance_lu, limits.true_peak_dbtp, limits.short_term_max_lufs
        )
        if limits
        else None,
    )


def _refused(_folder: Path, name: str, path: Path, _trusted: Trusted) -> _Known:
    refusal = read_refusal(path)
    error = refusal.error
    made = replace(
        _bare(name, refusal.about, "refused", Problem(error.what, error.where, error.remedy)),
        at=refusal.refused_at,
        findings=_findings(refusal.findings),
        approvals=_approvals(refusal.approvals),
        consent=facts.of_consent(refusal.consent) if refusal.consent else (),
        policies=_policies(refusal.requirements),
        by_hand=_by_hand(refusal.requirements),
    )
    return _Known(refusal.about, made)


def _exported(folder: Path, name: str, path: Path, trusted: Trusted) -> _Known:
    signed = read_json(path)
    body = receipt_body(signed, path)
    media, sound, problem = _media(folder, path, body)
    if doubt := check_receipt(signed, trusted):
        problem = Problem(
            f"the receipt {doubt}.",
            str(path),
            "Make the report where the receipt's key is trusted, or run the spot again.",
        )
    findings = _findings(body.findings)
    if not problem and any(finding.verdict == "fail" for finding in findings):
        problem = Problem("the receipt says itself that a rule failed.", str(path), "Run the spot again.")
    made = replace(
        _bare(name, body.about, "unproven" if problem else "passed", problem),
        at=body.times.exported,
        media=media,
        sound=sound,
        clips=tuple(_clip(clip) for clip in body.timeline),
        findings=findings,
        approvals=_approvals(body.approvals),
        consent=facts.of_consent(body.consent),
        policies=_policies(body.requirements),
        by_hand=_by_hand(body.requirements),
        proof=facts.of_proof(body),
        engines=facts.of_engines(body),
    )
    return _Known(body.about, made, body.times.started)


def _media(folder: Path, path: Path, body: Receipt) -> tuple[Media | None, Sound | None, Problem | None]:
    """The file beside a receipt, if it is the one that the receipt names; its bytes are read once."""
    file = inside(folder, f"{path.parent.name}/{body.deliverable}", where=str(path))
    kind = KINDS.get(file.suffix)
    if kind is None or body.deliverable != path.name.removesuffix(ENDING) + file.suffix:
        return None, None, Problem("the receipt names a file of another name.", str(path), "Run the spot again.")
    try:
        data = file.read_bytes()
    except OSError as error:
        return None, None, Problem(f"the file cannot be read: {error.strerror}.", str(file), "Run the spot again.")
    if sha256_bytes(data) != body.file_sha256:
        return (
            None,
            None,
            Problem(
                "the file is not the one that was exported: its bytes changed since.", str(file), "Run the spot again."
            ),
        )
    href = urllib.parse.quote(f"{path.parent.name}/{body.deliverable}")
    small = len(data) <= MAX_EMBEDDED_FILE_BYTES
    media = Media(body.deliverable, f"./{href}", kind, len(data), data if small else b"")
    return media, _sound(file), None


def _sound(file: Path) -> Sound:
    programme, loudness = decode_and_follow(file)
    return Sound(seconds(len(programme)), envelope(programme), loudness)


def _with_run(known: list[_Known], run: Run) -> Iterator[_Known]:
    """What the run says besides: what was asked for and failed left no file, or one of an earlier run."""
    left = {one.deliverable.name: one for one in known}
    failed = {ended.name: ended for ended in run.deliverables if ended.verdict not in NOT_FAILED}
    for name, one in left.items():
        yield _failed_again(one, failed[name]) if name in failed else one
    for ended in run.deliverables:
        if ended.name not in left:
            verdict: Verdict = "refused" if ended.verdict in {"refused", "waiting"} else "failed"
            yield _Known(ended.about, _bare(ended.name, ended.about, verdict, _problem(ended)))


def _failed_again(one: _Known, ended: Ended) -> _Known:
    """A deliverable of an earlier run: it stands, but the last run could not make it anew."""
    problem = _problem(ended)
    told = replace(problem, what=f"The last run could not make it anew; this is the one before. {problem.what}")
    verdict: Verdict = "failed" if one.deliverable.verdict == "passed" else one.deliverable.verdict
    return replace(one, deliverable=replace(one.deliverable, verdict=verdict, problem=told))


def _problem(ended: Ended) -> Problem:
    if ended.error:
        return Problem(ended.error.what, ended.error.where, ended.error.remedy)
    return Problem("the run says that it was made, but there is no receipt.", "", "Run the spot again.")


def _embedded_within(deliverables: list[Deliverable]) -> Iterator[Deliverable]:
    """The smallest file of each locale stays embedded, until the page has its fill; the others lie beside it."""
    best: dict[str, Deliverable] = {}
    for one in deliverables:
        if one.media and one.media.embedded:
            before = best.get(one.locale)
            if before is None or before.media is None or one.media.size_bytes < before.media.size_bytes:
                best[one.locale] = one
    room = MAX_EMBEDDED_PAGE_BYTES
    for one in deliverables:
        if one.media and one.media.embedded:
            if best[one.locale] is one and one.media.size_bytes <= room:
                room -= one.media.size_bytes
            else:
                one = replace(one, media=replace(one.media, embedded=b""))  # noqa: PLW2901
        yield one


def _anchored(deliverables: Iterator[Deliverable]) -> Iterator[Deliverable]:
    """Places in the page: by locale and profile, so that a link to one is good after the next run, too."""
    taken: set[str] = set()
    for number, one in enumerate(deliverables, 1):
        anchor = "-".join(re.findall(r"[a-z0-9]+", f"{one.locale} {one.profile}".lower()))
        anchor = f"of-{anchor}" if anchor and f"of-{anchor}" not in taken else f"number-{number}"
        taken.add(anchor)
        yield replace(one, anchor=anchor)


def _findings(read: tuple[FindingRead, ...]) -> tuple[Finding, ...]:
    return tuple(Finding(one.rule, one.verdict, one.measured, one.required, one.detail) for one in read)


def _policies(read: RequirementsRead) -> tuple[Policy, ...]:
    """In the order in which the markets' requirements are told; what people do by hand stands by itself."""
    return tuple(
        Policy(one.policy, LABELS.get(one.requirement, one.requirement), one.asked, one.why)
        for one in read.reasons
        if one.requirement not in BY_EACH
    )


def _by_hand(read: RequirementsRead) -> tuple[ByHand, ...]:
    return tuple(ByHand(one.place, one.do, one.policy, one.why) for one in read.instructions)


def _clip(read: ClipRead) -> Clip:
    return Clip(
        id=read.line,
        text=read.text,
        start_s=read.start_s,
        end_s=read.end_s,
        rate=read.rate,
        disclosure=read.disclosure,
        source=read.source,
        heard=read.heard,
        error_rate=read.error_rate,
    )


def _approvals(read: ApprovalsRead) -> tuple[Approval, ...]:
    script, voice = read.script, read.voice
    whole = [Approval("", "approved", script.by, script.at)] if script else []
    whole += [Approval("", "approved", f"{voice.role}, with key {voice.key}", voice.at, voice=True)] if voice else []
    return (*whole, *(Approval(line.line, line.status, line.by, line.at) for line in read.translation))
