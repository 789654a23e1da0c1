"""The talent's own yes to a spot: `approval: per-spot`, and every way in which such an approval can be wrong."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent.spot_approval import SpotApproval, approve_spot, load_spot_approval
from clearspot.errors import BadInput
from clearspot.project import Project
from clearspot.spot import Spot, load_spot
from tests.conftest import edit
from tests.unit.consent_scenes import ANA, GUARDIAN, SHA_A, SIGNED, Stage, house_voice, id_of, private_pem, talent_voice

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


@pytest.fixture
def spot(ana: Stage, spot_folder: Path) -> Spot:
    """The demo spot, spoken by the talent, who wants to see every script."""
    ana.resign({"scope/approval": "per-spot"})
    edit(spot_folder / "spot.yaml", "voice: house", "voice: ana")
    return load_spot(spot_folder)


def of(ana: Stage, spot: Spot, **changes: Any) -> Any:
    return ana.use(script_sha256=spot.script.digest, **changes)


def signed(ana: Stage, spot: Spot, key: Ed25519PrivateKey | None = None, when: dt.datetime = SIGNED) -> SpotApproval:
    return approve_spot(spot, ana.load(), key or ana.keys["talent"], when)


def test_an_approved_spot(ana: Stage, spot: Spot) -> None:
    assert ana.authorize(of(ana, spot), approval=signed(ana, spot)).voice == "ana"
    assert load_spot_approval(spot.folder) == signed(ana, spot)


def test_a_spot_that_is_not_approved(ana: Stage, spot: Spot) -> None:
    assert load_spot_approval(spot.folder) is None
    told = "scope.approval: asked 'lumen-coffee, not approved by the talent', allowed 'per-spot'."
    assert told in str(ana.refusal(of(ana, spot)))


def test_where_nobody_asks_for_it_an_approval_is_not_read(ana: Stage, spot: Spot) -> None:
    approval = signed(ana, spot).model_copy(update={"ed25519": "false"})
    ana.resign({"scope/approval": "not-needed"})
    assert ana.authorize(of(ana, spot), approval=approval).voice == "ana"


OTHER_APPROVALS: dict[str, dict[str, str]] = {
    "another voice": {"voice": "bea"},
    "another record": {"record_sha256": SHA_A},
    "another spot": {"spot": "summer"},
    "another advertiser": {"advertiser": "Gloom Tea"},
    "another product": {"product": "Tea"},
    "another script": {"script_sha256": SHA_A},
}


@pytest.mark.parametrize("update", OTHER_APPROVALS.values(), ids=OTHER_APPROVALS)
def test_an_approval_of_something_else(ana: Stage, spot: Spot, update: dict[str, str]) -> None:
    approval = signed(ana, spot)
    (field, given), asked = next(iter(update.items())), getattr(approval, next(iter(update)))
    assert str(ana.refusal(of(ana, spot), approval=approval.model_copy(update=update))) == (
        f"voice-approval.yaml: {field}: consent record 'ana-2026-11' asks for the talent's approval of every spot, and "
        f"the approval is of another {field}: asked {asked!r}, allowed {given!r}. clearspot approve voice SPOT --key "
        "FILE, by the talent."
    )


def by_the_licensee(ana: Stage, spot: Spot) -> SpotApproval:
    return signed(ana, spot, ana.keys["licensee"])


def by_a_stranger(ana: Stage, spot: Spot) -> SpotApproval:
    return signed(ana, spot, Ed25519PrivateKey.generate())


def by_a_stranger_in_her_name(ana: Stage, spot: Spot) -> SpotApproval:
    return by_a_stranger(ana, spot).model_copy(update={"key": id_of(ana.keys["talent"])})


def dated_anew(ana: Stage, spot: Spot) -> SpotApproval:
    return signed(ana, spot).model_copy(update={"signed_at": "2026-11-20T00:00:00+00:00"})


def from_tomorrow(ana: Stage, spot: Spot) -> SpotApproval:
    return signed(ana, spot, when=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))


def with_a_key_that_ended(ana: Stage, spot: Spot) -> SpotApproval:
    """The record that the key signed stays good; a spot approved after that is new, whatever date it bears."""
    digest = ana.load().record.digest
    ana.trust("talent", ANA, ana.keys["talent"], until="2026-11-10", records=(digest,))
    return signed(ana, spot)


def with_a_revoked_key(ana: Stage, spot: Spot) -> SpotApproval:
    approval, old = signed(ana, spot), ana.keys["talent"]
    ana.keys["talent"] = ana.trust("talent", ANA)
    ana.sign("talent", "licensee")
    ana.trust("talent", ANA, old, revoked="2026-11-10")
    return approval


def the_signature_under_the_record(ana: Stage, spot: Spot) -> SpotApproval:
    from clearspot.consent.signature import sign_record

    taken = sign_record(ana.load().record, "talent", ana.keys["talent"], SIGNED)
    return signed(ana, spot).model_copy(update={"ed25519": taken.ed25519})


FALSE = "ed25519: the signature under this spot is false. Have it signed."
NOT_BELIEVED: dict[str, tuple[Callable[[Stage, Spot], SpotApproval], str]] = {
    "by the licensee": (by_the_licensee, "which may sign as licensee, not as talent."),
    "by a stranger": (by_a_stranger, "which is not trusted here. If it should be: clearspot keys trust FILE.pem"),
    "by a stranger in her name": (by_a_stranger_in_her_name, FALSE),
    "dated anew": (dated_anew, FALSE),
    "the signature under the record": (the_signature_under_the_record, FALSE),
    "from tomorrow": (from_tomorrow, "signed_at: "),
    "with a key that ended": (with_a_key_that_ended, "which ended on 2026-11-10"),
    "with a revoked key": (with_a_revoked_key, "which was revoked on 2026-11-10."),
}


@pytest.mark.parametrize(("make", "told"), NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_an_approval_that_is_not_to_be_believed(
    ana: Stage, spot: Spot, make: Callable[[Stage, Spot], SpotApproval], told: str
) -> None:
    refused = str(ana.refusal(of(ana, spot), approval=make(ana, spot)))
    assert refused.startswith("voice-approval.yaml: ")
    assert told in refused


def test_who_approves(ana: Stage, spot: Spot) -> None:
    """A minor's guardian; for a voice that is nobody's, whoever made it."""
    ana.resign({"evidence/talent/adult": False, "evidence/talent/guardian": GUARDIAN})
    assert "not approved by the guardian'" in str(ana.refusal(of(ana, spot)))
    assert "may sign as talent, not as guardian" in str(ana.refusal(of(ana, spot), approval=signed(ana, spot)))
    assert ana.authorize(of(ana, spot), approval=signed(ana, spot, ana.keys["guardian"])).voice == "ana"
    house = house_voice(ana.project)
    house.resign({"scope/approval": "per-spot"})
    assert "not approved by the licensee'" in str(house.refusal(of(house, spot)))


def test_the_command_approves_the_script_as_it_is_now(ana: Stage, spot: Spot, clearspot: Call, tmp_path: Path) -> None:
    pem = private_pem(tmp_path / "talent.pem", ana.keys["talent"])
    told = "approved  lumen-coffee with voice ana, as talent: the script as it is now\n"
    assert clearspot("approve", "voice", spot.folder, "--key", pem) == (0, told, "")
    approval = load_spot_approval(spot.folder)
    assert ana.authorize(of(ana, spot), approval=approval).voice == "ana"
    noted = [entry.data for entry in ana.entries() if entry.event == "approval"]
    assert [(each["of"], each["key"], each["script_sha256"]) for each in noted] == [
        ("voice", id_of(ana.keys["talent"]), spot.script.digest)
    ]
    edit(spot.folder / "script.yaml", "Lumen Coffee", "Lumen Tea")
    changed = load_spot(spot.folder)
    assert "the approval is of another script_sha256: " in str(
        ana.refusal(dataclasses.replace(of(ana, changed), advertiser="Lumen Coffee"), approval=approval)
    )


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        ("licensee", "which may sign as licensee, not as talent. "),
        ("guardian", "which may sign as guardian, not as talent. "),
        ("stranger", "which is not trusted here. "),
    ],
)
def test_the_command_takes_the_owners_key_alone(
    ana: Stage, spot: Spot, clearspot: Call, tmp_path: Path, whose: str, told: str
) -> None:
    key = {**ana.keys, "stranger": Ed25519PrivateKey.generate()}[whose]  # type: ignore[dict-item]
    code, out, err = clearspot("approve", "voice", spot.folder, "--key", private_pem(tmp_path / "k.pem", key))
    assert (code, out) == (1, "")
    assert err.startswith(f"clearspot: --key: key: is signed with key {id_of(key)}, {told}")
    assert load_spot_approval(spot.folder) is None


@pytest.mark.parametrize("text", ["", "[a]", "voice: ana\n", "voice: !!python/name:os.system\n"])
def test_a_file_of_approval_that_is_none(ana: Stage, spot: Spot, text: str) -> None:
    (spot.folder / "voice-approval.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_spot_approval(spot.folder)
    assert str(refused.value).startswith(str(spot.folder / "voice-approval.yaml"))
