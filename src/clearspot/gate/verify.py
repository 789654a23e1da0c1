"""verify: what any copy of a deliverable proves by itself, given whom to trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clearspot.consent.affected import Known
from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.hearing import Ears, listen, sound_of
from clearspot.gate.reading import shown
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust
from clearspot.stages import captions

RULE = "consent-stands"
PROOF = {
    "manifest": "manifest-trusted",
    "tags": "tags-present",
    "spoken disclosure": "disclosure-heard",
    "watermark": "watermark-detected",
    "shown disclosure": "disclosure-shown",
}
"""The ways to say that a voice is synthetic, and the rule that finds each; the last is that of captions."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What one file proves: its findings, and what its manifest says of it."""

    path: Path
    findings: tuple[Finding, ...]
    facts: manifest.ManifestFacts

    @property
    def passed(self) -> bool:
        return all(finding.verdict != "fail" for finding in self.findings)

    @property
    def proof(self) -> dict[str, bool]:
        """Each way in which a file discloses that its voice is synthetic, and whether it still does."""
        verdicts = {finding.rule: finding.verdict for finding in self.findings}
        return {what: verdicts[rule] == "pass" for what, rule in PROOF.items() if rule in verdicts}


def verify(path: Path, trust: Trust, known: Known, ears: Ears, *, strict: bool = False) -> Verification:
    """Check a deliverable's manifest, essence, tags, consent and receipt; listen to it. Captions are read instead.

    Args:
        path: The deliverable, its captions, or a copy of either.
        trust: Whose signatures count.
        known: What is known here of exports and revocations.
        ears: Who listens to it.
        strict: The receipt must be there.

    Raises:
        BadInput: There is no such file, or it is of no kind that has manifests.
    """
    if not path.is_file():
        raise BadInput("there is no such file.", where=str(path))
    facts = manifest.read(path, trust)
    clearance = facts.clearance if facts.state == manifest.TRUSTED else {}
    if path.suffix.lower() in captions.FORMATS:
        # What they belong to is known by their manifest alone, and their own bytes are bound by it.
        essence: str | ClearspotError = str(clearance.get("essence_sha256", ""))
        own = [shown(path, clearance, ears.wordings)]
    else:
        essence = _essence_of(path)
        own = [
            _essence(essence, facts),
            _disclosed(facts, tags.read(path)),
            *listen(sound_of(path), clearance, ears),
        ]
    findings = [_manifest(facts), *own, _consent(essence, facts, known)]
    receipt_path = path.with_name(path.stem + ENDING)
    if strict or receipt_path.is_file():
        findings.append(_receipt(path, receipt_path, trust))
    return Verification(path, tuple(findings), facts)


def _manifest(facts: manifest.ManifestFacts) -> Finding:
    passed = facts.state == manifest.TRUSTED
    detail = "; ".join(facts.problems)
    if facts.state == "Valid" and not detail:
        detail = "intact, but its signer is not one this project trusts"
    return Finding("manifest-trusted", _verdict(passed), facts.state, manifest.TRUSTED, detail)


def _essence_of(path: Path) -> str | ClearspotError:
    try:
        return essence_sha256(path)
    except ClearspotError as error:
        return error


def _consent(essence: str | ClearspotError, facts: manifest.ManifestFacts, known: Known) -> Finding:
    """Whether the consent it left with stands; without a manifest the audit log may know the file by its bytes."""
    exported = known.by_bytes(essence) if isinstance(essence, str) else ()
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


def _essence(essence: str | ClearspotError, facts: manifest.ManifestFacts) -> Finding:
    named = str(facts.clearance.get("essence_sha256", ""))
    required = named[:12] or "named"
    if isinstance(essence, ClearspotError):
        return Finding("essence-unchanged", "fail", "unreadable", required, str(essence))
    return Finding("essence-unchanged", _verdict(bool(named) and essence == named), essence[:12], required)


def _disclosed(facts: manifest.ManifestFacts, found: dict[str, str]) -> Finding:
    asked = facts.clearance.get("tags")
    more = [name for name in tags.NAMES if isinstance(asked, list) and name in asked and name not in tags.ALWAYS]
    wanted = [*tags.ALWAYS, *more]
    missing = [name for name in wanted if not found.get(name)]
    unique = facts.clearance.get("unique_id")
    same = bool(unique) and found.get("UniqueId") == unique
    detail = f"missing: {', '.join(missing)}" if missing else "" if same else "another file's tags"
    measured = f"{len(wanted) - len(missing)} of {len(wanted)} tags"
    return Finding("tags-present", _verdict(not missing and same), measured, "all, of this file", detail)


def _receipt(path: Path, receipt_path: Path, trust: Trust) -> Finding:
    if not receipt_path.is_file():
        return Finding("receipt", "fail", "none", "signed, of this file", f"there is no {receipt_path.name} beside it")
    try:
        receipt = read_receipt(receipt_path)
    except BadInput as error:
        return Finding("receipt", "fail", "unreadable", "signed, of this file", str(error))
    problem = check_receipt(receipt, trust.receipt_keys)
    if not problem and sha256_file(path) not in _receipted(receipt["receipt"]):
        problem = "is of other bytes than this file's"
    return Finding("receipt", _verdict(not problem), "false" if problem else "signed", "signed, of this file", problem)


def _receipted(body: dict[str, Any]) -> set[object]:
    """The digests of the files that a receipt is for: the deliverable, and what lies beside it."""
    beside = body.get("beside")
    return {body.get("file_sha256"), *(beside.values() if isinstance(beside, dict) else ())}


def _verdict(passed: bool) -> Literal["pass", "fail"]:
    return "pass" if passed else "fail"
