"""verify: what any copy of a deliverable proves by itself, given whom to trust."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearspot.consent.affected import Known
from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.hearing import Ears, listen, sound_of
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust

RULE = "consent-stands"
PROOF = {
    "manifest": "manifest-trusted",
    "tags": "tags-present",
    "spoken disclosure": "disclosure-heard",
    "watermark": "watermark-detected",
}
"""The four ways to say that a voice is synthetic, and the rule that finds each."""

CAPTIONS = {".srt", ".vtt"}
CAPTION_PROOF = {"manifest": "manifest-trusted", "first cue": "disclosure-shown"}
"""Captions are read, not heard: what of the four they can hold."""

MAX_CAPTION_BYTES = 1_000_000

TAG_NAMES = tuple(tags.Tags("", "", "", "", "", "", "", "", "").as_pairs())


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
        rules = CAPTION_PROOF if self.path.suffix.lower() in CAPTIONS else PROOF
        return {what: verdicts.get(rule) == "pass" for what, rule in rules.items()}


def verify(path: Path, trust: Trust, known: Known, ears: Ears, *, strict: bool = False) -> Verification:
    """Check a deliverable's manifest, essence, tags, consent and receipt; listen to it, or read its captions.

    Args:
        path: The deliverable, or a copy of it.
        trust: Whose signatures count.
        known: What is known here of exports and revocations.
        ears: Who listens to it.
        strict: The receipt must be there.

    Raises:
        BadInput: There is no such file, or it is no audio of a kind that carries manifests.
    """
    if not path.is_file():
        raise BadInput("there is no such file.", where=str(path))
    facts = manifest.read(path, trust)
    if path.suffix.lower() in CAPTIONS:
        return Verification(path, (_manifest(facts), _shown(path, facts), _consent("", facts, known)), facts)
    essence = _essence_of(path)
    clearance = facts.clearance if facts.state == manifest.TRUSTED else {}
    findings = [
        _manifest(facts),
        _essence(essence, facts),
        _disclosed(facts, tags.read(path)),
        _consent(essence, facts, known),
        *listen(sound_of(path), clearance, ears),
    ]
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


def _shown(path: Path, facts: manifest.ManifestFacts) -> Finding:
    """Whether captions show the disclosure that their manifest names, in their first cue."""
    disclosure = facts.clearance.get("disclosure")
    named = " ".join(str(disclosure.get("text", "")).split()) if isinstance(disclosure, dict) else ""
    try:
        text = html.unescape(path.read_bytes()[:MAX_CAPTION_BYTES].decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        text = ""
    first = next((cue for cue in text.replace("\r\n", "\n").split("\n\n") if "-->" in cue), "")
    shown = " ".join(first.partition("-->")[2].partition("\n")[2].split())
    passed = bool(named) and shown == named
    return Finding("disclosure-shown", _verdict(passed), shown or "nothing", named or "named", "")


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
    missing = [name for name in TAG_NAMES if not found.get(name)]
    unique = facts.clearance.get("unique_id")
    same = bool(unique) and found.get("UniqueId") == unique
    detail = f"missing: {', '.join(missing)}" if missing else "" if same else "another file's tags"
    measured = f"{len(TAG_NAMES) - len(missing)} of {len(TAG_NAMES)} tags"
    return Finding("tags-present", _verdict(not missing and same), measured, "all, of this file", detail)


def _receipt(path: Path, receipt_path: Path, trust: Trust) -> Finding:
    if not receipt_path.is_file():
        return Finding("receipt", "fail", "none", "signed, of this file", f"there is no {receipt_path.name} beside it")
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
