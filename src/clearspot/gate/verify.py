"""verify: what any copy of a deliverable proves by itself, given whom to trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearspot.consent.affected import Known
from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust

RULE = "consent-stands"
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


def verify(path: Path, trust: Trust, known: Known) -> Verification:
    """Check a deliverable's manifest, essence, tags, the consent it left with and, beside it, its receipt.

    Args:
        path: The deliverable, or a copy of it.
        trust: Whose signatures count.
        known: What is known here of exports and revocations.

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
        _consent(path, facts, known),
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


def _consent(path: Path, facts: manifest.ManifestFacts, known: Known) -> Finding:
    """Whether the consent it left with stands; without a manifest the audit log may know the file by its bytes."""
    try:
        exported = known.by_bytes(essence_sha256(path))
    except ClearspotError:
        exported = ()
    named = str(facts.clearance.get("consent_record_sha256", "")) if facts.state == manifest.TRUSTED else ""
    if not named and exported:
        named = next(
            (one.record_sha256 for one in exported if known.revocation_of(one.record_sha256)),
            exported[-1].record_sha256,
        )
    if not named:
        return Finding(
            RULE, "fail", "no record named", "consent not revoked", "nothing says which consent it left with"
        )
    revocation = known.revocation_of(named)
    if revocation is None:
        return Finding(RULE, "pass", "not revoked", "consent not revoked")
    measured = f"revoked on {revocation.at[:10]}, {revocation.effect}"
    before = any(one.record_sha256 == named and one.at < revocation.time for one in exported)
    if revocation.effect == "from-now" and before:
        return Finding(RULE, "pass", measured, "consent not revoked", "this file left before, and may stay")
    detail = "take this file down" if revocation.effect == "take-down" else "nothing shows that this file left before"
    return Finding(RULE, "fail", measured, "consent not revoked", detail)


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
