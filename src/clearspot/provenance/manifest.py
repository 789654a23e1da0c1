"""The signed manifest (C2PA) in a deliverable: written last, read back from the file's bytes."""

from __future__ import annotations

import json
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

MIME = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".flac": "audio/flac"}
TRUSTED = "Trusted"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a manifest says of a deliverable. Locales are BCP-47; ``clearance`` is our own assertion."""

    title: str
    source_locale: str
    locale: str
    provider: str
    system: str
    version: str
    clearance: Mapping[str, Any]


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

    Raises:
        Refused: The signer is not one this project trusts; nothing is left then.
        MachineFault: It could not be signed.
    """
    import c2pa

    mime = MIME[source.suffix]
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
        with source.open("rb") as unsigned, target.open("w+b") as signed:
            builder.sign(signer, mime, unsigned, signed)
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(target)) from error
    except Exception as error:
        target.unlink(missing_ok=True)
        raise MachineFault(
            f"the manifest could not be signed: {error}.", where=target.name, remedy="clearspot doctor"
        ) from error
    if (state := read(target, trust).state) != TRUSTED:
        target.unlink()
        raise Refused(
            f"the manifest could not be signed: it would be {state!r}, because this project does not trust its signer.",
            where=target.name,
            remedy="Put the signer's anchor into configs/trust/, or clearspot keys init --renew.",
        )


def read(path: Path, trust: Trust) -> ManifestFacts:
    """What a file's manifest says, and whether to believe it. Any failure of the library means no manifest.

    Raises:
        BadInput: It is not a format that carries manifests.
    """
    import c2pa

    mime = MIME.get(path.suffix.lower())
    if mime is None:
        raise BadInput(f"is not a format with a manifest; those are: {', '.join(MIME)}.", where=str(path))
    try:
        context = c2pa.Context.from_dict(_settings(trust))
        with path.open("rb") as file, c2pa.Reader(mime, file, context=context) as reader:
            state = str(reader.get_validation_state())
            store = json.loads(reader.json())
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error
    except Exception as error:  # noqa: BLE001  (the library's errors share no base we may name; all mean: no proof)
        return ManifestFacts("None", (str(error),), "", "", "", (), {})
    return _facts(state, store)


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
    return {
        "claim_generator_info": [{"name": claim.system, "version": claim.version}],
        "title": claim.title,
        "format": mime,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [opened, translated, edited]}},
            {"label": ASSERTION, "data": {"provider": claim.provider, **claim.clearance}},
        ],
    }


def _ingredient_mime(path: Path) -> str:
    return MIME.get(path.suffix.lower(), "application/octet-stream")
