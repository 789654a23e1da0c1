"""The talent's own signature under one spot, where the record asks for it (``voice-approval.yaml`` in its folder)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from clearspot.consent.record import Digest, Role, Time
from clearspot.consent.registry import Voice
from clearspot.consent.scope import Use, out_of_scope
from clearspot.consent.signature import require_past
from clearspot.consent.trust import ConsentKeys, KeyId
from clearspot.errors import Refused
from clearspot.files import write_atomically
from clearspot.hashing import sha256_json
from clearspot.signing import is_signed, key_id, sign
from clearspot.spot import Id, Spot
from clearspot.text.names import Name
from clearspot.yamlfile import Strict, dump_yaml, load_model

FILE = "voice-approval.yaml"
PER_SPOT = "per-spot"
DOMAIN = b"clearspot spot approval\x00"


class SpotApproval(Strict):
    """That whoever the voice belongs to has read this script and agrees to be heard in this spot."""

    schema_version: Literal[1] = 1
    voice: Id
    record_sha256: Digest
    spot: Id
    advertiser: Name
    product: Name
    script_sha256: Digest
    signed_at: Time
    key: KeyId
    ed25519: str = Field(max_length=100)


def owner_role(voice: Voice) -> Role:
    """Who approves spots: the talent, their guardian, or, where there is no talent, who made the voice."""
    return next(iter(voice.record.signers))


def approve_spot(spot: Spot, voice: Voice, key: Ed25519PrivateKey, now: dt.datetime) -> SpotApproval:
    """Sign a spot's script as it is now, and write that beside it.

    Raises:
        MachineFault: It cannot be written.
    """
    unsigned = SpotApproval(
        voice=voice.id,
        record_sha256=voice.record.digest,
        spot=spot.id,
        advertiser=spot.script.advertiser,
        product=spot.script.product,
        script_sha256=spot.script.digest,
        signed_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        key=key_id(key.public_key()),
        ed25519="",
    )
    approval = unsigned.model_copy(update={"ed25519": sign(DOMAIN, _signed_part(unsigned), key)})
    write_atomically(spot.folder / FILE, dump_yaml(approval.model_dump(mode="json")).encode())
    return approval


def load_spot_approval(spot_folder: Path) -> SpotApproval | None:
    """The approval beside a spot, believed by nobody yet.

    Raises:
        BadInput: It is not what it should be.
    """
    path = spot_folder / FILE
    return load_model(SpotApproval, path) if path.exists() else None


def require_spot_approval(
    voice: Voice, use: Use, approval: SpotApproval | None, keys: ConsentKeys, now: dt.datetime
) -> None:
    """Where a record asks for it, the owner's signature under exactly this spot's script.

    Raises:
        Refused: There is none, or it is for another record, spot or script, or not signed by the voice's owner.
    """
    if voice.record.scope.approval != PER_SPOT:
        return
    role = owner_role(voice)
    if approval is None:
        raise out_of_scope(voice, "scope.approval", asked=f"{use.spot}, not approved by the {role}", allowed="per-spot")
    wanted = {
        "voice": voice.id,
        "record_sha256": voice.record.digest,
        "spot": use.spot,
        "advertiser": use.advertiser,
        "product": use.product,
        "script_sha256": use.script_sha256,
    }
    for field, asked in wanted.items():
        if (given := getattr(approval, field)) != asked:
            raise Refused(
                f"consent record {voice.record.id!r} asks for the {role}'s approval of every spot, and the approval "
                f"is of another {field}: asked {asked!r}, allowed {given!r}.",
                where=f"{FILE}: {field}",
                remedy=f"clearspot approve voice SPOT --key FILE, by the {role}.",
            )
    signed = _signed_part(approval)
    key = keys.require(
        approval.key, role, voice.record, now.astimezone(dt.UTC).date(), FILE, signed_sha256=sha256_json(signed)
    )
    if not is_signed(DOMAIN, signed, approval.ed25519, key.key):
        raise Refused("the signature under this spot is false.", where=f"{FILE}: ed25519", remedy="Have it signed.")
    require_past(approval.signed_at, now, "this spot is approved", FILE)


def _signed_part(approval: SpotApproval) -> dict[str, object]:
    return approval.model_dump(mode="json", exclude={"ed25519"})
