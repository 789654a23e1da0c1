"""The signed manifest (C2PA) in a deliverable: written last, read back from the file's bytes."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.provenance.keys import SigningKeys, Trust

SOURCE_TYPE_BASE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE_SYNTHETIC = SOURCE_TYPE_BASE + "compositeWithTrainedAlgorithmicMedia"
"""A trained model's speech together with other material (IPTC NewsCodes)."""

ASSERTION = "io.clearspot.clearance"
"""Our own assertion: ids and digests only, never a person's data."""

WATERMARK_ALGORITHM = "io.clearspot.perth-implicit.1"
"""The soft binding's name: C2PA's list of algorithms has none for Perth, so it is one of ours. It carries no id; it
says by which mark a file whose manifest was stripped can still be told as generated."""

USES_FOR_TRAINING = ("cawg.ai_inference", "cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")
"""What a voice's owner may forbid (CAWG Training and Data Mining Assertion 1.1)."""

MIME = {
    ".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".mp4": "video/mp4", ".flac": "audio/flac",
}  # fmt: skip
"""Formats that carry their manifest in themselves."""

BESIDE = {".ogg": "audio/ogg", ".opus": "audio/ogg", ".srt": "application/x-subrip", ".vtt": "text/vtt"}
"""Formats that cannot: theirs lies beside them, under their whole name and this ending."""

SIDECAR = ".c2pa"
TRUSTED = "Trusted"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a manifest says of a deliverable. Locales are BCP-47; ``clearance`` is our own assertion.

    ``watermark`` is what put the mark into the sound, empty where there is no sound; ``training_allowed`` is whether
    the voice's owner lets models learn from it.
    """

    title: str
    source_locale: str
    locale: str
    provider: str
    system: str
    version: str
    clearance: Mapping[str, Any]
    watermark: str = ""
    training_allowed: bool = False


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a file's manifest turned out to be.

    ``state`` is "Trusted" (intact, and signed by somebody this project trusts), "Valid" (intact, by anyone),
    "Invalid" (changed since), or "None" (there is no manifest).
    """

    state: str
    problems: tuple[str, ...]
    signer: str
    signed_at: str
    claim_generator: str
    actions: tuple[str, ...]
    clearance: Mapping[str, Any]


def sign(source: Path, target: Path, claim: Claim, recording: Path, keys: SigningKeys, trust: Trust) -> None:
    """Write ``target``: ``source`` with its manifest, the source recording as its ingredient.

    In a format that cannot carry one, ``target`` is the same bytes, and the manifest is written beside it; see
    ``sidecar``.

    Raises:
        Refused: The signer is not one this project trusts; nothing is left then.
        MachineFault: It could not be signed.
    """
    import c2pa

    beside = source.suffix in BESIDE
    mime = (BESIDE if beside else MIME)[source.suffix]
    try:
        context = c2pa.Context.from_dict(_settings(trust))
        signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(b"es256", keys.chain_pem.encode(), keys.key_pem.encode(), None)
        )
        builder = c2pa.Builder(_definition(claim, mime), context)
        with recording.open("rb") as file:
            ingredient = {
                "title": recording.name,
                "relationship": "parentOf",
                "instance_id": "source-recording",
            }
            builder.add_ingredient(ingredient, _ingredient_mime(recording), file)
        if beside:
            builder.set_no_embed()
        with source.open("rb") as unsigned, target.open("w+b") as signed:
            store = builder.sign(signer, mime, unsigned, signed)
        if beside:
            shutil.copyfile(source, target)
            sidecar(target).write_bytes(store)
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(target)) from error
    except Exception as error:
        _discard(target)
        raise MachineFault(
            f"the manifest could not be signed: {error}.", where=target.name, remedy="clearspot doctor"
        ) from error
    if (state := read(target, trust).state) != TRUSTED:
        _discard(target)
        raise Refused(
            f"the manifest could not be signed: it would be {state!r}, because this project does not trust its signer.",
            where=target.name,
            remedy="Put the signer's anchor into configs/trust/, or clearspot keys init --renew.",
        )


def sidecar(path: Path) -> Path:
    """Where the manifest of a file lies that cannot carry it."""
    return path.with_name(path.name + SIDECAR)


def _store_beside(path: Path) -> bytes:
    """The bytes of a sidecar; its outer box has to be as long as it says, which the library does not ask.

    Raises:
        ValueError: It is not.
    """
    store = sidecar(path).read_bytes()
    if int.from_bytes(store[:4]) != len(store):
        raise ValueError("the manifest beside it is not as long as it says")
    return store


def _discard(target: Path) -> None:
    target.unlink(missing_ok=True)
    sidecar(target).unlink(missing_ok=True)


def read(path: Path, trust: Trust) -> ManifestFacts:
    """What a file's manifest says, and whether to believe it. Any failure of the library means no manifest.

    Raises:
        BadInput: It is not a format that carries manifests.
    """
    import c2pa

    ending = path.suffix.lower()
    mime = MIME.get(ending) or BESIDE.get(ending)
    if mime is None:
        known = ", ".join((*MIME, *BESIDE))
        raise BadInput(f"is not a format with a manifest; those are: {known}.", where=str(path))
    if ending in BESIDE and not sidecar(path).is_file():
        return ManifestFacts("None", (f"there is no {sidecar(path).name} beside it",), "", "", "", (), {})
    try:
        context = c2pa.Context.from_dict(_settings(trust))
        store = _store_beside(path) if ending in BESIDE else None
        with path.open("rb") as file, c2pa.Reader(mime, file, manifest_data=store, context=context) as reader:
            state = str(reader.get_validation_state())
            told = json.loads(reader.json())
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error
    except Exception as error:  # noqa: BLE001  (the library's errors share no base we may name; all mean: no proof)
        return ManifestFacts("None", (str(error),), "", "", "", (), {})
    return _facts(state, told)


def _facts(state: str, store: Mapping[str, Any]) -> ManifestFacts:
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    assertions = {item["label"]: item.get("data", {}) for item in active.get("assertions", ())}
    actions: Mapping[str, Any] = next(
        (data for label, data in assertions.items() if label.startswith("c2pa.actions")), {}
    )
    failures = store.get("validation_results", {}).get("activeManifest", {}).get("failure", ())
    signature = active.get("signature_info", {})
    generator: Mapping[str, Any] = next(iter(active.get("claim_generator_info", ())), {})
    return ManifestFacts(
        state=state,
        problems=tuple(f"{item.get('code')}: {item.get('explanation', '')}" for item in failures),
        signer=str(signature.get("common_name") or signature.get("issuer") or ""),
        signed_at=str(signature.get("time") or ""),
        claim_generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        actions=tuple(str(item.get("action")) for item in actions.get("actions", ())),
        clearance=clearance if isinstance(clearance := assertions.get(ASSERTION), dict) else {},
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
    edited = {
        "action": "c2pa.edited",
        "description": "Voice synthesised with consent, mixed with music, spoken disclosure added",
        "digitalSourceType": COMPOSITE_SYNTHETIC,
    }
    translated = {
        "action": "c2pa.translated",
        "parameters": {"sourceLanguage": claim.source_locale, "targetLanguage": claim.locale},
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["source-recording"]}}
    marked = [{"action": "c2pa.watermarked.bound"}] if claim.watermark else []
    return {
        "claim_generator_info": [{"name": claim.system, "version": claim.version}],
        "title": claim.title,
        "format": mime,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [opened, translated, edited, *marked]}},
            {"label": ASSERTION, "data": {"provider": claim.provider, **claim.clearance}},
            *_soft_binding(claim),
            *_training(claim),
        ],
    }


def _soft_binding(claim: Claim) -> list[dict[str, Any]]:
    """That the sound itself is marked, over the whole of it."""
    if not claim.watermark:
        return []
    value = base64.b64encode(claim.watermark.encode()).decode()
    return [
        {"label": "c2pa.soft-binding", "data": {"alg": WATERMARK_ALGORITHM, "blocks": [{"scope": {}, "value": value}]}}
    ]


def _training(claim: Claim) -> list[dict[str, Any]]:
    """That nobody may train on the voice, unless its owner said that they may."""
    if claim.training_allowed:
        return []
    entries = {use: {"use": "notAllowed"} for use in USES_FOR_TRAINING}
    return [{"label": "cawg.training-mining", "data": {"entries": entries}}]


def _ingredient_mime(path: Path) -> str:
    return MIME.get(path.suffix.lower(), "application/octet-stream")
