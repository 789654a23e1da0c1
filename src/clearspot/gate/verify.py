"""verify: what any copy of a deliverable proves by itself, given whom to trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust

TAG_NAMES = tuple(tags.Tags("", "", "", "", "", "", "", "", "").as_pairs())


@dataclass(frozen=True, slots=True)
class Verification:
    """What one file proves: its findings, and what its manifest says of it."""

    path: Path
    findings: tuple[Finding, ...]
    facts: manifest.ManifestFacts

    @property
    def passed(self) -> bool:
        return all(finding.verdict == "pass" for finding in self.findings)


def verify(path: Path, trust: Trust) -> Verification:
    """Check a deliverable's manifest, essence, tags and, where it lies beside it, its receipt.

    Raises:
        BadInput: There is no such file, or it is no audio of a kind that carries manifests.
    """
    if not path.is_file():
        raise BadInput("there is no such file.", where=str(path))
    facts = manifest.read(path, trust)
    found = tags.read(path)
    findings = [
        _manifest(facts),
        _essence(path, facts),
        _disclosed(facts, found),
    ]
    receipt_path = path.with_name(path.stem + ENDING)
    if receipt_path.is_file():
        findings.append(_receipt(path, receipt_path, trust))
    return Verification(path, tuple(findings), facts)


def _manifest(facts: manifest.ManifestFacts) -> Finding:
    passed = facts.state == manifest.TRUSTED
    detail = "; ".join(facts.problems)
    if facts.state == "Valid" and not detail:
        detail = "intact, but its signer is not one this project trusts"
    return Finding("manifest-trusted", _verdict(passed), facts.state, manifest.TRUSTED, detail)


def _essence(path: Path, facts: manifest.ManifestFacts) -> Finding:
    named = str(facts.clearance.get("essence_sha256", ""))
    try:
        actual = essence_sha256(path)
    except ClearspotError as error:
        return Finding("essence-unchanged", "fail", "unreadable", named[:12] or "named", str(error))
    return Finding("essence-unchanged", _verdict(bool(named) and actual == named), actual[:12], named[:12] or "named")


def _disclosed(facts: manifest.ManifestFacts, found: dict[str, str]) -> Finding:
    missing = [name for name in TAG_NAMES if not found.get(name)]
    unique = facts.clearance.get("unique_id")
    same = bool(unique) and found.get("UniqueId") == unique
    detail = f"missing: {', '.join(missing)}" if missing else "" if same else "another file's tags"
    measured = f"{len(TAG_NAMES) - len(missing)} of {len(TAG_NAMES)} tags"
    return Finding("tags-present", _verdict(not missing and same), measured, "all, of this file", detail)


def _receipt(path: Path, receipt_path: Path, trust: Trust) -> Finding:
    try:
        receipt = read_receipt(receipt_path)
    except BadInput as error:
        return Finding("receipt", "fail", "unreadable", "signed, of this file", str(error))
    problem = check_receipt(receipt, trust.receipt_keys)
    if not problem and receipt["receipt"].get("file_sha256") != sha256_file(path):
        problem = "is of other bytes than this file's"
    return Finding("receipt", _verdict(not problem), "false" if problem else "signed", "signed, of this file", problem)


def _verdict(passed: bool) -> Literal["pass", "fail"]:
    return "pass" if passed else "fail"
