"""verify: what any copy of a deliverable proves by itself, given whom to trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clearspot.consent.affected import Known
from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.hearing import Ears, listen, sound_of
from clearspot.gate.reading import shown
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256, probe
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust
from clearspot.provenance.kinds import ENDINGS
from clearspot.stages import captions

RULE, TAGS = "consent-stands", "tags-present"
PROOF = {
    "manifest": "manifest-trusted",
    "tags": TAGS,
    "spoken disclosure": "disclosure-heard",
    "watermark": "watermark-detected",
    "shown disclosure": "disclosure-shown",
}
"""The ways to say that a voice is synthetic, and the rule that finds each; the last is that of captions."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What one file proves: its findings, and what its manifest and its tags say of it."""

    path: Path
    findings: tuple[Finding, ...]
    facts: manifest.ManifestFacts
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(finding.verdict != "fail" for finding in self.findings)

    @property
    def proof(self) -> dict[str, bool]:
        """Each way in which a file discloses that its voice is synthetic, and whether it still does."""
        verdicts = {finding.rule: finding.verdict for finding in self.findings}
        left = {what: verdicts[rule] == "pass" for what, rule in PROOF.items() if rule in verdicts}
        return left | dict.fromkeys(self.unattested, True)

    @property
    def unattested(self) -> tuple[str, ...]:
        """What of that is in the file, and nothing signed vouches for: tags that anybody may have written."""
        vouched = self.facts.state == manifest.TRUSTED
        return ("tags",) if tags.say_synthetic(self.tags) and not vouched else ()


def verify(path: Path, trust: Trust, known: Known, ears: Ears, *, strict: bool = False) -> Verification:
    """Check a deliverable's manifest, essence, tags, consent and receipt; listen to it. Captions are read instead.

    Args:
        path: The deliverable, its captions, or a copy of either.
        trust: Whose signatures count.
        known: What is known here of exports and revocations.
        ears: Who listens to it.
        strict: The receipt must be there.

    Raises:
        BadInput: There is no such file, or it is neither audio nor captions.
    """
    if not path.is_file():
        raise BadInput("there is no such file.", where=str(path))
    facts = manifest.read(path, trust)
    if facts is manifest.NO_MANIFEST:
        _require_sound(path)
    clearance = facts.clearance if facts.state == manifest.TRUSTED else {}
    if path.suffix.lower() in captions.FORMATS:
        # What they belong to is known by their manifest alone, and their own bytes are bound by it.
        essence: str | ClearspotError = str(clearance.get("essence_sha256", ""))
        said: Mapping[str, str] = {}
        own = [shown(path, clearance, ears.wordings)]
    else:
        essence, said = _essence_of(path), tags.read(path)
        own = [
            _essence(essence, facts),
            _disclosed(facts, said),
            *listen(sound_of(path), clearance, ears),
        ]
    findings = [_manifest(facts), *own, _consent(essence, facts, known)]
    receipt_path = path.with_name(path.stem + ENDING)
    if strict or receipt_path.is_file():
        findings.append(_receipt(path, receipt_path, trust))
    return Verification(path, tuple(findings), facts, said)


def _manifest(facts: manifest.ManifestFacts) -> Finding:
    passed = facts.state == manifest.TRUSTED
    detail = "; ".join(facts.problems)
    if facts.state == "Valid" and not detail:
        detail = "intact, but its signer is not one this project trusts"
    return Finding("manifest-trusted", _verdict(passed), facts.state, manifest.TRUSTED, detail)


def _require_sound(path: Path) -> None:
    """Of a kind that is never delivered, a copy still has to be something to listen to."""
    try:
        probe(path)
    except BadInput as error:
        raise BadInput(
            f"is neither audio nor captions: it {error.what}",
            where=str(path),
            remedy=f"Give a deliverable or a copy of one: {', '.join(ENDINGS)}, or any audio that ffmpeg reads.",
        ) from error


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


def _disclosed(facts: manifest.ManifestFacts, found: Mapping[str, str]) -> Finding:
    """Whether all tags are there, and are this file's; whose they are, only a manifest that is trusted can say."""
    asked = facts.clearance.get("tags")
    more = [name for name in tags.NAMES if isinstance(asked, list) and name in asked and name not in tags.ALWAYS]
    wanted = [*tags.ALWAYS, *more]
    missing = [name for name in wanted if not found.get(name)]
    unique, vouched = facts.clearance.get("unique_id"), facts.state == manifest.TRUSTED
    same = bool(unique) and found.get("UniqueId") == unique
    verdict: Literal["pass", "fail", "warn"] = "fail"
    details = [f"missing: {', '.join(missing)}"] if missing else []
    if vouched or (unique and not same and found.get("UniqueId")):
        details += [] if same else ["another file's tags" if vouched else "not those that its manifest names"]
        if same and found.get("DigitalSourceType", facts.source_type) != facts.source_type:
            details.append("DigitalSourceType is not what its manifest says")
        verdict = _verdict(not details)
    elif found:
        verdict = "fail" if missing else "warn"
        details.append("nothing signed and trusted says that they are this file's")
    detail = "; ".join(details)
    measured = f"{len(wanted) - len(missing)} of {len(wanted)} tags"
    return Finding(TAGS, verdict, measured, "all, of this file", detail)


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
