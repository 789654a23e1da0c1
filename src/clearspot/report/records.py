"""The files of a run as a report reads them: receipts, refusals, and the run's own record.

They are read for what a report shows, so unknown fields are left alone and what older files lack may be missing.
What is there must be of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from clearspot.gate.receipt import read_receipt
from clearspot.yamlfile import parse_model


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class LimitsRead(_Read):
    loudness_lufs: float
    loudness_tolerance_lu: float
    true_peak_dbtp: float
    short_term_max_lufs: float | None = None


class About(_Read):
    """What a deliverable is."""

    spot: str = ""
    locale: str
    profile: str
    markets: tuple[str, ...] = ()
    title: str = ""
    limits: LimitsRead | None = None
    advertiser: str = ""
    product: str = ""
    source_locale: str = ""
    medium: str = ""
    purpose: str = ""
    provider: str = ""


class FindingRead(_Read):
    rule: str
    verdict: Literal["pass", "fail", "warn"]
    measured: str
    required: str
    detail: str = ""


class ClipRead(_Read):
    line: str
    disclosure: bool = False
    text: str = ""
    source: str = ""
    start_s: float
    end_s: float
    rate: float = 1.0
    heard: str = ""
    error_rate: float | None = None


class ScriptRead(_Read):
    by: str
    at: str
    digest: str = ""


class LineRead(_Read):
    line: str
    status: str
    by: str = ""
    at: str = ""


class VoiceRead(_Read):
    """The voice's owner's own yes to a spot, by their role and key and by no name."""

    role: str
    key: str
    at: str
    script_sha256: str = ""


class ApprovalsRead(_Read):
    script: ScriptRead | None = None
    voice: VoiceRead | None = None
    translation: tuple[LineRead, ...] = ()


class ConsentRead(_Read):
    """``scope``, ``derivatives`` and ``term`` as in ``consent.yaml``."""

    record: str
    record_sha256: str
    basis: str
    signed_by_keys: tuple[str, ...] = ()
    scope: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)
    derivatives: dict[str, bool] = Field(default_factory=dict)
    term: dict[str, str] = Field(default_factory=dict)


class ReasonRead(_Read):
    """That one policy asks for one thing."""

    requirement: str
    asked: str
    policy: str
    why: str


class InstructionRead(_Read):
    """What somebody does by hand."""

    policy: str
    place: str
    do: str
    why: str


class RequirementsRead(_Read):
    """What the markets of a deliverable asked for."""

    reasons: tuple[ReasonRead, ...] = ()
    instructions: tuple[InstructionRead, ...] = ()


class EngineRead(_Read):
    engine: str
    weights: dict[str, str]


class ProvenanceRead(_Read):
    manifest: str = ""
    signer: str = ""
    trusted_time: bool = False
    certificate_ends: str = ""


class TimesRead(_Read):
    started: str = ""
    exported: str = ""


class AuditRead(_Read):
    entry: int
    sha256: str


class Receipt(_Read):
    """The body of a receipt."""

    deliverable: str
    about: About
    essence_sha256: str
    file_sha256: str
    inputs: dict[str, str] = Field(default_factory=dict)
    engines: dict[str, EngineRead] = Field(default_factory=dict)
    consent: ConsentRead
    audit: AuditRead | None = None
    approvals: ApprovalsRead
    timeline: tuple[ClipRead, ...]
    findings: tuple[FindingRead, ...] = Field(min_length=1)
    requirements: RequirementsRead = RequirementsRead()
    provenance: ProvenanceRead = ProvenanceRead()
    times: TimesRead = TimesRead()
    clearspot: str = ""


class ErrorRead(_Read):
    kind: str
    what: str
    where: str = ""
    remedy: str = ""


class Refusal(_Read):
    """A refusal file."""

    deliverable: str
    about: About
    refused_at: str = ""
    error: ErrorRead
    findings: tuple[FindingRead, ...] = ()
    requirements: RequirementsRead = RequirementsRead()
    approvals: ApprovalsRead = ApprovalsRead()
    consent: ConsentRead | None = None


class Ended(_Read):
    """One deliverable in the run's own record."""

    name: str
    about: About
    verdict: str
    error: ErrorRead | None = None


class Run(_Read):
    """``run.json``."""

    spot: str
    provider: str = ""
    started: str = ""
    finished: str = ""
    deliverables: tuple[Ended, ...] = ()


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a file.

    Raises:
        BadInput: It is not JSON, or too large.
    """
    return read_receipt(path)


def read_run(path: Path) -> Run:
    """The run's own record.

    Raises:
        BadInput: It is not what it should be.
    """
    return parse_model(Run, dict(read_json(path)), path)


def read_refusal(path: Path) -> Refusal:
    """A refusal file.

    Raises:
        BadInput: It is not what it should be.
    """
    return parse_model(Refusal, dict(read_json(path)), path)


def receipt_body(signed: Mapping[str, Any], path: Path) -> Receipt:
    """What a receipt says, whoever signed it.

    Raises:
        BadInput: It is not what it should be.
    """
    return parse_model(Receipt, signed.get("receipt"), path)
