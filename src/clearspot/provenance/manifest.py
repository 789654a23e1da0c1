"""The signed manifest (C2PA) of a deliverable: written last, read back from the bytes.

It is inside the file where the format has room for it, else in a sidecar beside it (``<file>.c2pa``).
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearspot import __version__
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.provenance.keys import SigningKeys, Trust
from clearspot.provenance.kinds import kind_of
from clearspot.provenance.nature import Nature
from clearspot.provenance.signers import open_signer

ASSERTION = "io.clearspot.clearance"
"""Our own assertion: ids and digests only, never a person's data."""

PERTH = "io.clearspot.perth.1"
"""The watermark's name in a soft binding. C2PA's list of algorithms has no Perth, so the name is one of our own."""

MARK_PRESENT = "MQ=="
"""The soft binding's value, "1" in base64: the mark says that it is there, and nothing else."""

TRAINING_USES = ("ai_generative_training", "ai_inference", "ai_training", "data_mining")
"""What the training-and-data-mining assertion rules out (CAWG 1.1; C2PA 1.4 has the same under its own names)."""

EMBEDDED = {
    ".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".mp4": "video/mp4", ".flac": "audio/flac",
}  # fmt: skip
BESIDE = {".ogg": "audio/ogg", ".opus": "audio/ogg", ".srt": "application/x-subrip", ".vtt": "text/vtt"}
"""Formats that c2pa cannot write into: their manifests lie beside them."""

MIME = EMBEDDED | BESIDE
SIDECAR = ".c2pa"
MAX_SIDECAR_BYTES = 10_000_000
TRUSTED = "Trusted"
TIME_TRUSTED = "timeStamp.trusted"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a manifest says of a deliverable. Locales are BCP-47; ``clearance`` is our own assertion.

    ``nature`` is what its sound was made of, for captions that of the sound they belong to.
    ``training`` is whether the voice's owner allows training on it; where not, the manifest says so. ``watermark`` is
    the algorithm of the mark in the sound, empty where there is no sound.
    """

    title: str
    source_locale: str
    locale: str
    provider: str
    system: str
    version: str
    clearance: Mapping[str, Any]
    nature: Nature
    training: bool = False
    watermark: str = PERTH


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a file's manifest turned out to be.

    ``state`` is "Trusted" (intact, and signed by somebody this project trusts), "Valid" (intact, by anyone),
    "Invalid" (changed since), or "None" (there is no manifest). ``signed_at`` is what a time stamp says, whoever gave
    it; ``trusted_time`` whether an authority did that this project trusts. ``source_type`` is the IPTC term of what was
    made, empty where it names none or several.
    """

    state: str
    problems: tuple[str, ...]
    signer: str
    signed_at: str
    claim_generator: str
    actions: tuple[str, ...]
    clearance: Mapping[str, Any]
    trusted_time: bool = False
    source_type: str = ""


NO_MANIFEST = ManifestFacts("None", ("files of this kind hold no manifest",), "", "", "", (), {})


def sidecar_of(path: Path) -> Path:
    """Where a file's manifest lies if it is not inside."""
    return path.with_name(path.name + SIDECAR)


def files_of(path: Path) -> tuple[Path, ...]:
    """A signed file and its manifest where that is beside it; the manifest first, for whoever moves them."""
    return (sidecar_of(path), path) if path.suffix.lower() in BESIDE else (path,)


def sign(source: Path, target: Path, claim: Claim, recording: Path, keys: SigningKeys, trust: Trust) -> None:
    """Write ``target``: ``source`` with its manifest inside or beside it, the source recording as its ingredient.

    Raises:
        Refused: The signer, or its time-stamp authority, is not one this project trusts; nothing is left then.
        MachineFault: It could not be signed; nothing is left then either.
    """
    try:
        with _cleared_unless_done(target):
            manifest = _signed(source, target, claim, recording, keys, trust)
            if source.suffix in BESIDE:
                sidecar_of(target).write_bytes(manifest)
            _require_trusted(read(target, trust), target, keys)
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(target)) from error


def rehearse(keys: SigningKeys, trust: Trust) -> None:
    """Sign a few words, so that a signer who is out of reach, or not trusted, stops the work before it begins.

    Raises:
        Refused, MachineFault: As ``sign``.
    """
    with tempfile.TemporaryDirectory(prefix="clearspot-", ignore_cleanup_errors=True) as folder:
        words, signed = Path(folder) / "words.srt", Path(folder) / "signed.srt"
        words.write_text("1\n00:00:00,000 --> 00:00:01,000\nOne, two.\n", encoding="utf-8")
        claim = Claim(
            "Rehearsal",
            "en-US",
            "en-US",
            "",
            "Clearspot",
            __version__,
            {},
            Nature("synthetic", bed=False),
            watermark="",
        )
        sign(words, signed, claim, words, keys, trust)


def read(path: Path, trust: Trust) -> ManifestFacts:
    """What a file's manifest says, and whether to believe it. Any failure of the library means no manifest.

    Raises:
        BadInput: It cannot be read.
    """
    import c2pa

    try:
        kind = kind_of(path)
        if not kind:
            return NO_MANIFEST
        mime = MIME[kind]
        beside = _sidecar(path) if kind in BESIDE else None
        if isinstance(beside, str):
            return replace(NO_MANIFEST, problems=(beside,))
        context = c2pa.Context.from_dict(_settings(trust))
        with path.open("rb") as file, c2pa.Reader(mime, file, beside, context=context) as reader:
            state = str(reader.get_validation_state())
            store = json.loads(reader.json())
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error
    except Exception as error:  # noqa: BLE001  (the library's errors share no base we may name; all mean: no proof)
        return replace(NO_MANIFEST, problems=(str(error),))
    return _facts(state, store)


def _sidecar(path: Path) -> bytes | str:
    """The manifest beside a file, or why there is none."""
    beside = sidecar_of(path)
    if not beside.is_file():
        return f"there is no {beside.name} beside it"
    if beside.stat().st_size > MAX_SIDECAR_BYTES:
        return f"{beside.name} is too large to be a manifest"
    store = beside.read_bytes()
    # The library does not ask whether the outer box is as long as it says.
    return store if store and int.from_bytes(store[:4]) == len(store) else f"{beside.name} is not whole"


@contextlib.contextmanager
def _cleared_unless_done(target: Path) -> Iterator[None]:
    """What is half signed, or signed by the wrong hand, is never left lying about."""
    try:
        yield
    except BaseException:
        for path in (target, sidecar_of(target)):
            path.unlink(missing_ok=True)
        raise


def _signed(source: Path, target: Path, claim: Claim, recording: Path, keys: SigningKeys, trust: Trust) -> bytes:
    """Write the target; the manifest's own bytes are what the library gives back."""
    import c2pa

    mime, recording_mime = MIME[source.suffix], MIME.get(recording.suffix.lower(), "application/octet-stream")
    ingredient = {"title": recording.name, "relationship": "parentOf", "instance_id": "source-recording"}
    try:
        with open_signer(keys) as signer:
            builder = c2pa.Builder(_definition(claim, mime), c2pa.Context.from_dict(_settings(trust)))
            if source.suffix in BESIDE:
                builder.set_no_embed()
            with recording.open("rb") as file:
                builder.add_ingredient(ingredient, recording_mime, file)
            with source.open("rb") as unsigned, target.open("w+b") as signed:
                return bytes(builder.sign(signer, mime, unsigned, signed))
    except (OSError, ClearspotError):
        raise
    except Exception as error:
        raise _not_signed(error, target, keys) from error


def _not_signed(error: Exception, target: Path, keys: SigningKeys) -> ClearspotError:
    told = str(error)
    if keys.tsa_url and told.startswith("Signature"):  # the key was there; the library says no more than this
        return MachineFault(
            f"the time-stamp authority {keys.tsa_url} gave no time stamp: {told}.",
            where="configs/clearspot.yaml: signing.tsa_url",
            remedy="Try again when it can be reached, name another, or take the field out: then receipts say that "
            "there is no trusted time.",
        )
    return MachineFault(f"the manifest could not be signed: {told}.", where=target.name, remedy="clearspot doctor")


def _require_trusted(facts: ManifestFacts, target: Path, keys: SigningKeys) -> None:
    if facts.state != TRUSTED:
        why = f" ({'; '.join(facts.problems)})" if facts.problems else ""
        raise Refused(
            f"the manifest could not be signed: it would be {facts.state!r}, because this project does not trust its "
            f"signer{why}.",
            where=target.name,
            remedy="Put the signer's anchor into configs/trust/, or clearspot keys init --renew.",
        )
    if keys.tsa_url and not facts.trusted_time:
        raise Refused(
            f"the time stamp of {keys.tsa_url} is not one this project trusts.",
            where="configs/clearspot.yaml: signing.tsa_url",
            remedy="Put the authority's certificate into configs/trust/ as c2pa-NAME.pem, or take the field out.",
        )


def _facts(state: str, store: Mapping[str, Any]) -> ManifestFacts:
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    assertions = {item["label"]: item.get("data", {}) for item in active.get("assertions", ())}
    actions: Mapping[str, Any] = next(
        (data for label, data in assertions.items() if label.startswith("c2pa.actions")), {}
    )
    source_types = {str(kind) for item in actions.get("actions", ()) if (kind := item.get("digitalSourceType"))}
    results = store.get("validation_results", {}).get("activeManifest", {})
    signature = active.get("signature_info", {})
    generator: Mapping[str, Any] = next(iter(active.get("claim_generator_info", ())), {})
    return ManifestFacts(
        state=state,
        problems=tuple(f"{item.get('code')}: {item.get('explanation', '')}" for item in results.get("failure", ())),
        signer=str(signature.get("common_name") or signature.get("issuer") or ""),
        signed_at=str(signature.get("time") or ""),
        claim_generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        actions=tuple(str(item.get("action")) for item in actions.get("actions", ())),
        clearance=clearance if isinstance(clearance := assertions.get(ASSERTION), dict) else {},
        trusted_time=any(item.get("code") == TIME_TRUSTED for item in results.get("success", ())),
        source_type=source_types.pop() if len(source_types) == 1 else "",
    )


def _settings(trust: Trust) -> dict[str, Any]:
    return {
        "trust": {"user_anchors": trust.anchors_pem},
        "verify": {
            "verify_after_sign": True,
            "verify_trust": True,
            "ocsp_fetch": False,
            "remote_manifest_fetch": False,
        },
    }


def _definition(claim: Claim, mime: str) -> dict[str, Any]:
    return {
        "claim_generator_info": [{"name": claim.system, "version": claim.version}],
        "title": claim.title,
        "format": mime,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": list(_actions(claim))}},
            *_soft_binding(claim),
            *_training(claim),
            {"label": ASSERTION, "data": {"provider": claim.provider, **claim.clearance}},
        ],
    }


def _actions(claim: Claim) -> Iterator[dict[str, Any]]:
    """What was done, in its order; C2PA wants a work that has a source to begin by opening it."""
    yield {"action": "c2pa.opened", "parameters": {"ingredientIds": ["source-recording"]}}
    yield {
        "action": "c2pa.translated",
        "parameters": {"sourceLanguage": claim.source_locale, "targetLanguage": claim.locale},
    }
    yield {
        "action": "c2pa.edited",
        "description": claim.nature.description,
        "digitalSourceType": claim.nature.digital_source_type,
    }
    if claim.watermark:
        yield {"action": "c2pa.watermarked.bound", "description": "Inaudible watermark in the whole programme"}


def _soft_binding(claim: Claim) -> Iterator[dict[str, Any]]:
    """How to find the mark once the manifest is stripped; an empty scope is the whole asset (C2PA, soft bindings)."""
    if claim.watermark:
        blocks = [{"scope": {}, "value": MARK_PRESENT}]
        yield {"label": "c2pa.soft-binding", "data": {"alg": claim.watermark, "blocks": blocks}}


def _training(claim: Claim) -> Iterator[dict[str, Any]]:
    """That nobody may train on it, in the names of today (CAWG) and in those that older readers know (C2PA)."""
    for owner in () if claim.training else ("cawg", "c2pa"):
        entries = {f"{owner}.{use}": {"use": "notAllowed"} for use in TRAINING_USES}
        yield {"label": f"{owner}.training-mining", "data": {"entries": entries}}
