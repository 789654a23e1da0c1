"""What a file says of itself and who signed it, read back from its bytes; and how little it takes to break that."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.config import Profile, load_limits, load_profile
from clearspot.consent.affected import Known
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.gate.hearing import Ears
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt, sign_receipt, to_text
from clearspot.gate.verify import Verification
from clearspot.gate.verify import verify as verify_file
from clearspot.hashing import sha256_file
from clearspot.media.audio import Samples, decode, essence_sha256
from clearspot.media.loudness import Loudness, measure
from clearspot.project import Project, Settings
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import (
    SigningKeys,
    Trust,
    create_keys,
    load_private_key,
    load_signing_keys,
    load_trust,
)
from clearspot.provenance.manifest import Claim
from clearspot.provenance.nature import COMPOSITE_SYNTHETIC
from clearspot.signing import key_id
from clearspot.stages.disclose import Candidate, Papers, encode_to
from clearspot.stages.disclose import disclose as disclose_encoded
from tests.conftest import FakeRecogniser, FakeWatermarker, run_ffmpeg, tone
from tests.unit.tag_scenes import NATURE, riff_chunks

NOW = dt.datetime.now(dt.UTC)
PROFILES = {"wav": "broadcast-eu", "mp3": "podcast", "m4a": "stream", "flac": "archive"}
FORMATS = tuple(PROFILES)
PERSON = "Nora Quesada Ibarra"
"""The recording's own tags hold this name; a deliverable may not."""

NOTHING_KNOWN = Known((), ())
DISCLOSURE = "Este anuncio utiliza una voz sintética."
SAID = tags.Tags(
    title="Café Lumen (es-ES)",
    language="spa",
    comment=NATURE.sentence,
    digital_source_type=NATURE.digital_source_type,
    provider="Lumen Coffee — Prüfung",
    system="Clearspot",
    system_version="0.1.0",
    created="2026-11-22T12:00:00+00:00",
    unique_id="0b8a9a52-59a6-4f6f-b8a7-3f3b6c7d0e11",
)
CLEARANCE = {
    "unique_id": SAID.unique_id,
    "spot": "lumen-coffee",
    "locale": "es-ES",
    "markets": ["ES", "MX"],
    "script_sha256": "a" * 64,
    "consent_record": "house-2026-11",
    "consent_record_sha256": "c" * 64,
    "disclosure": {"text": DISCLOSURE, "start_s": 0.25, "end_s": 3.1},
    "loudness": {"lufs": -18.5, "tolerance_lu": 5, "true_peak_dbtp": -0.9},
}
EARS = Ears(
    FakeRecogniser({"es": [(DISCLOSURE, 0.25, 3.1)]}),
    FakeWatermarker(),
    load_limits(Project(Path(), Settings())).deliverable,
    {},
)
HEARD = {"disclosure-heard", "watermark-detected"}
"""They hear the disclosure in whatever there is: these tests are about papers; ``tests/engines`` listens."""


def verify(path: Path, trust: Trust, known: Known) -> Verification:
    return verify_file(path, trust, known, EARS)


@dataclass(frozen=True)
class House:
    """A project that signs: its keys, whom it trusts, and where they lie."""

    project: Project
    keys: SigningKeys
    trust: Trust


def house(root: Path, provider: str = "Test house") -> House:
    project = Project(root, Settings(provider=provider))
    create_keys(project.keys_dir, project.own_trust_dir, provider, NOW, renew=False)
    return House(project, load_signing_keys(project.keys_dir, NOW), load_trust((project.own_trust_dir,)))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(tmp_path_factory.mktemp("stranger"), "Another house")


def programme() -> Samples:
    """Six seconds of syllables: tones of changing pitch with pauses, in stereo."""
    parts = [
        np.concatenate([tone(0.4, hz=hz, level_db=-14), np.zeros(9600, np.float32)])
        for hz in (180, 220, 260, 200, 300, 240, 210, 280, 190, 230)
    ]
    return np.stack([np.concatenate(parts)] * 2, axis=1)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spot") / "recording.flac"
    run_ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=1", "-metadata", f"artist={PERSON}", path)
    return path


def disclose(sound: Samples, profile: Profile, papers: Papers, folder: Path, name: str) -> Candidate:
    """Encoded, tagged and signed, as the pipeline does it without a store."""
    encoded = encode_to(sound, profile, folder / f"{name}.encoded.{profile.extension}")
    return disclose_encoded(encoded, papers, folder, name)


@pytest.fixture(scope="module")
def made(own: House, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Candidate]:
    """One finished file a format."""
    claim = Claim(SAID.title, "en-US", "es-ES", SAID.provider, "Clearspot", "0.1.0", CLEARANCE, NATURE)
    papers = Papers(SAID, claim, recording, own.keys, own.trust)
    sound = programme()
    return {
        ending: disclose(
            sound, load_profile(own.project, profile), papers, tmp_path_factory.mktemp(ending), "lumen_es-ES"
        )
        for ending, profile in PROFILES.items()
    }


@pytest.fixture(params=FORMATS)
def candidate(request: pytest.FixtureRequest, made: dict[str, Candidate]) -> Candidate:
    return made[request.param]


@pytest.fixture
def copy(candidate: Candidate, tmp_path: Path) -> Path:
    """A copy of a finished file under another name, in another folder."""
    folder = tmp_path / "sent by mail"
    folder.mkdir()
    return Path(shutil.copyfile(candidate.path, folder / f"Copy (1){candidate.path.suffix}"))


# --- keys ------------------------------------------------------------------------------------------------------

PRIVATE = ("c2pa.key.pem", "receipt.key.pem", "consent.key.pem")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(*folders: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for folder in folders for path in sorted(folder.iterdir())}


def test_private_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    assert create_keys(tmp_path / "keys", tmp_path / "trust", "Test", NOW, renew=False)
    assert mode(tmp_path / "keys") == 0o700
    assert {name: mode(tmp_path / "keys" / name) for name in PRIVATE} == dict.fromkeys(PRIVATE, 0o600)
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "trust").iterdir()) == [
        "c2pa", "receipt",
    ]  # fmt: skip
    assert not any(b"PRIVATE" in data for data in snapshot(tmp_path / "trust").values())


def test_a_second_call_does_nothing(tmp_path: Path) -> None:
    keys, trust = tmp_path / "keys", tmp_path / "trust"
    create_keys(keys, trust, "Test", NOW, renew=False)
    before = snapshot(keys, trust)
    assert not create_keys(keys, trust, "Other", NOW + dt.timedelta(days=9), renew=False)
    assert snapshot(keys, trust) == before


@pytest.mark.parametrize("later", [dt.timedelta(days=300), dt.timedelta(seconds=1), dt.timedelta(0)])
def test_renewing_makes_new_keys_and_keeps_old_anchors(tmp_path: Path, later: dt.timedelta) -> None:
    keys, trust = tmp_path / "keys", tmp_path / "trust"
    create_keys(keys, trust, "Test", NOW, renew=False)
    old_keys, old_anchors = snapshot(keys), snapshot(trust)
    assert create_keys(keys, trust, "Test", NOW + later, renew=True)
    changed = {name for name, data in snapshot(keys).items() if old_keys[name] != data}
    assert changed == set(old_keys) - {"consent.key.pem", "consent.pub.pem"}  # somebody's identity is not renewed here
    anchors = snapshot(trust)
    assert set(old_anchors.values()) <= set(anchors.values())
    assert len(anchors) == len(old_anchors) + 2
    assert {name: mode(keys / name) for name in PRIVATE} == dict.fromkeys(PRIVATE, 0o600)


def test_what_was_signed_before_a_renewal_is_trusted_after_it(
    made: dict[str, Candidate], own: House, tmp_path: Path
) -> None:
    shutil.copytree(own.project.root, tmp_path / "own")
    project = Project(tmp_path / "own", Settings())
    create_keys(project.keys_dir, project.own_trust_dir, "Test", NOW + dt.timedelta(hours=1), renew=True)
    trust = load_trust((project.own_trust_dir,))
    assert manifest.read(made["wav"].path, trust).state == "Trusted"


def test_the_chain_is_what_c2pa_asks_for(own: House) -> None:
    leaf, authority = x509.load_pem_x509_certificates(own.keys.chain_pem.encode())
    assert leaf.issuer == authority.subject
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each.dotted_string for each in usage] == ["1.3.6.1.5.5.7.3.4"]  # emailProtection
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=3651)


@pytest.mark.parametrize("name", ["c2pa.key.pem", "receipt.key.pem"])
@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o660])
def test_a_signing_key_that_others_may_read_is_refused(tmp_path: Path, name: str, bits: int) -> None:
    create_keys(tmp_path / "keys", tmp_path / "trust", "Test", NOW, renew=False)
    (tmp_path / "keys" / name).chmod(bits)
    with pytest.raises(Refused, match="can be read by others") as caught:
        load_signing_keys(tmp_path / "keys", NOW)
    assert caught.value.remedy == f"chmod 600 {tmp_path / 'keys' / name}"


def test_a_consent_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys", tmp_path / "trust", "Test", NOW, renew=False)
    path = tmp_path / "keys" / "consent.key.pem"
    assert isinstance(load_private_key(path), Ed25519PrivateKey)
    path.chmod(0o644)
    with pytest.raises(Refused, match="can be read by others"):
        load_private_key(path)


@pytest.mark.parametrize(("days", "allowed"), [(-1, False), (0, True), (3649, True), (3651, False), (9000, False)])
def test_a_certificate_signs_only_while_it_is_valid(own: House, days: int, allowed: bool) -> None:
    when = NOW + dt.timedelta(days=days)
    if allowed:
        load_signing_keys(own.project.keys_dir, when)
        return
    with pytest.raises(Refused, match=r"valid from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, not now") as caught:
        load_signing_keys(own.project.keys_dir, when)
    assert "clearspot keys init --renew" in caught.value.remedy


def pem(key: Any, password: bytes | None = None) -> bytes:
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


WRONG_KEYS = {
    "empty": b"",
    "text": b"not a key",
    "another kind": pem(ec.generate_private_key(ec.SECP256R1())),
    "with a password": pem(Ed25519PrivateKey.generate(), b"secret"),
    "public": Ed25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_KEYS)
def test_a_key_that_is_none_is_bad_input(tmp_path: Path, kind: str) -> None:
    create_keys(tmp_path / "keys", tmp_path / "trust", "Test", NOW, renew=False)
    for name in ("receipt.key.pem", "consent.key.pem"):
        (tmp_path / "keys" / name).write_bytes(WRONG_KEYS[kind])
    with pytest.raises(BadInput):
        load_signing_keys(tmp_path / "keys", NOW)
    with pytest.raises(BadInput):
        load_private_key(tmp_path / "keys" / "consent.key.pem")


def test_without_keys_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no signing keys yet") as caught:
        load_signing_keys(tmp_path, NOW)
    assert caught.value.remedy == "clearspot keys init"


def test_keys_never_show_in_print(own: House) -> None:
    shown = f"{own.keys!r} {own.keys} {[own.keys]}"
    assert "PRIVATE" not in shown
    assert "BEGIN" not in shown
    assert own.keys.key_pem.splitlines()[1] not in shown


@pytest.mark.parametrize("name", ["c2pa-x.pem", "receipt-x.pem"])
@pytest.mark.parametrize("content", [b"", b"garbage", WRONG_KEYS["another kind"], b"\xff\xfe"])
def test_an_anchor_that_is_none_is_bad_input_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="is not a trust anchor") as caught:
        load_trust((tmp_path,))
    assert caught.value.where == str(tmp_path / name)


# --- tags ------------------------------------------------------------------------------------------------------


def test_every_tag_is_read_back_as_it_was_given(candidate: Candidate) -> None:
    assert tags.read(candidate.path) == SAID.as_pairs()
    assert set(SAID.as_pairs()) == {
        "Title", "Language", "Comment", "DigitalSourceType", "Provider", "System", "SystemVersion", "Created",
        "UniqueId",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "wanted"),
    [
        ("wav", {"TIT2": SAID.title, "TLAN": "spa", "COMM::eng": SAID.comment, "TXXX:UniqueId": SAID.unique_id}),
        ("mp3", {"TIT2": SAID.title, "TLAN": "spa", "COMM::eng": SAID.comment, "TXXX:UniqueId": SAID.unique_id}),
        ("m4a", {"©nam": SAID.title, "©cmt": SAID.comment, "©too": "Clearspot 0.1.0"}),
    ],
)
def test_other_programs_find_the_tags(made: dict[str, Candidate], ending: str, wanted: dict[str, str]) -> None:
    found = mutagen.File(made[ending].path).tags
    for name, text in wanted.items():
        value = found[name]
        assert (value[0] if isinstance(value, list) else str(value)) == text


def info_list(path: Path) -> dict[str, str]:
    """The LIST/INFO chunk of a WAV, by its four-letter names (RIFF MCI, 1991)."""
    data, found = path.read_bytes(), {}
    start = data.index(b"INFO", data.index(b"LIST"))
    end = start + int.from_bytes(data[start - 4 : start], "little")
    at = start + 4
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found[data[at : at + 4].decode()] = data[at + 8 : at + 8 + size].rstrip(b"\0").decode()
        at += 8 + size + size % 2
    return found


def test_a_wavs_own_info_list_says_it_too(made: dict[str, Candidate]) -> None:
    found = info_list(made["wav"].path)
    assert found["INAM"] == SAID.title
    assert found["ILNG"] == "spa"
    assert found["ICRD"] == SAID.created
    assert found["ICOP"] == SAID.provider
    assert found["ICMT"].startswith(SAID.comment)
    assert COMPOSITE_SYNTHETIC in found["ICMT"]
    assert SAID.unique_id in found["ICMT"]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_player_finds_title_and_comment(made: dict[str, Candidate], ending: str) -> None:
    import av

    with av.open(str(made[ending].path)) as container:
        found = {name.lower(): text for name, text in container.metadata.items()}
    assert found["title"] == SAID.title
    assert found["comment"].startswith(SAID.comment)
    assert found["digitalsourcetype"] == COMPOSITE_SYNTHETIC


@pytest.mark.parametrize("name", ["song.aac", "song.webm", "song", "song.WAV.txt"])
def test_another_format_gets_no_tags(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="no tags are known for this format"):
        tags.write(tmp_path / name, SAID)


def test_tags_that_cannot_be_written_are_a_machine_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="tags cannot be written"):
        tags.write(tmp_path / "missing.mp3", SAID)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("content", [b"", b"text", bytes(5000)], ids=["empty", "text", "zeros"])
def test_what_is_not_audio_has_no_tags(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"file.{ending}"
    path.write_bytes(content)
    assert tags.read(path) == {}


# --- the manifest ----------------------------------------------------------------------------------------------


def test_its_own_house_trusts_it(candidate: Candidate, own: House) -> None:
    facts = manifest.read(candidate.path, own.trust)
    assert (facts.state, facts.problems) == ("Trusted", ())
    assert facts.actions == ("c2pa.opened", "c2pa.translated", "c2pa.edited", "c2pa.watermarked.bound")
    assert facts.signer == "Clearspot development signer"
    assert facts.claim_generator == "Clearspot 0.1.0"
    assert facts.signed_at == ""


def test_clearance_is_read_back_with_the_essence_it_is_for(candidate: Candidate, own: House) -> None:
    said = manifest.read(candidate.path, own.trust).clearance
    essence = essence_sha256(candidate.path)
    assert said == {**CLEARANCE, "provider": SAID.provider, "essence_sha256": essence}


def test_another_house_sees_it_intact_but_does_not_trust_it(candidate: Candidate, stranger: House) -> None:
    facts = manifest.read(candidate.path, stranger.trust)
    assert facts.state == "Valid"
    nobody = manifest.read(candidate.path, Trust("", {}))
    assert nobody.state != "Trusted"


def middle_of_sound(path: Path) -> int:
    """The place in a file of a byte in the middle of its middle packet."""
    import av

    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
    middle = packets[len(packets) // 2]
    return path.read_bytes().index(middle) + len(middle) // 2


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[middle_of_sound(path)] ^= 1
    path.write_bytes(data)


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x00" * 64)


def retitle(path: Path) -> None:
    """One letter of the tags, in place."""
    data = path.read_bytes()
    assert SAID.unique_id.encode() in data
    path.write_bytes(data.replace(SAID.unique_id.encode(), b"1" + SAID.unique_id.encode()[1:]))


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])


@pytest.mark.parametrize("change", [flip, append, retitle, cut])
def test_a_change_of_any_bytes_is_seen(copy: Path, own: House, change: Callable[[Path], None]) -> None:
    change(copy)
    assert manifest.read(copy, own.trust).state in {"Invalid", "None"}
    assert not verify(copy, own.trust, NOTHING_KNOWN).passed


def test_a_flipped_byte_is_another_essence(copy: Path, candidate: Candidate) -> None:
    flip(copy)
    assert essence_sha256(copy) != essence_sha256(candidate.path)


def test_a_copy_by_ffmpeg_has_no_manifest(copy: Path, own: House) -> None:
    stripped = copy.with_name(f"stripped{copy.suffix}")
    run_ffmpeg("-i", copy, "-c", "copy", stripped)
    facts = manifest.read(stripped, own.trust)
    assert (facts.state, facts.actions, facts.clearance) == ("None", (), {})
    found = {finding.rule: finding for finding in verify(stripped, own.trust, NOTHING_KNOWN).findings}
    assert found["manifest-trusted"].verdict == "fail"
    assert "another file" not in found["tags-present"].detail


def test_a_manifest_moved_to_other_sound_is_not_believed(
    own: House, recording: Path, made: dict[str, Candidate], tmp_path: Path
) -> None:
    """Other samples of the same length and place in the file: digest and signature notice."""
    data = bytearray(made["wav"].path.read_bytes())
    start = data.index(b"data") + 8
    data[start : start + 60_000] = bytes(60_000)
    path = tmp_path / "other.wav"
    path.write_bytes(data)
    assert manifest.read(path, own.trust).state == "Invalid"


def test_no_private_key_and_nobodys_name_is_in_the_file(candidate: Candidate, own: House) -> None:
    data = candidate.path.read_bytes()
    for name in PRIVATE:
        text = (own.project.keys_dir / name).read_text()
        assert text.encode() not in data
        key = serialization.load_pem_private_key(text.encode(), password=None)
        raw = (
            key.private_bytes_raw()
            if isinstance(key, Ed25519PrivateKey)
            else key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
        )
        assert raw not in data
    assert b"PRIVATE KEY" not in data
    assert PERSON.encode() not in data
    assert str(own.project.root).encode() not in data


def test_a_stranger_cannot_sign_in_this_house(
    own: House, stranger: House, recording: Path, made: dict[str, Candidate], tmp_path: Path
) -> None:
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0.1.0", {}, NATURE)
    with pytest.raises(Refused, match="could not be signed"):
        manifest.sign(made["wav"].path, tmp_path / "signed.wav", claim, recording, stranger.keys, own.trust)
    assert not (tmp_path / "signed.wav").exists()


def test_keys_that_do_not_fit_each_other_do_not_sign(
    own: House, stranger: House, recording: Path, made: dict[str, Candidate], tmp_path: Path
) -> None:
    mixed = replace(own.keys, key_pem=stranger.keys.key_pem)
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0.1.0", {}, NATURE)
    with pytest.raises(MachineFault, match="could not be signed"):
        manifest.sign(made["wav"].path, tmp_path / "signed.wav", claim, recording, mixed, own.trust)
    assert not (tmp_path / "signed.wav").exists()


# --- a finished file -------------------------------------------------------------------------------------------


def test_a_candidate_is_what_its_profile_says(candidate: Candidate, own: House) -> None:
    profile = load_profile(own.project, PROFILES[candidate.path.suffix[1:]])
    assert candidate.loudness.integrated_lufs == pytest.approx(profile.loudness_lufs, abs=0.2)
    assert candidate.loudness.true_peak_dbtp <= profile.true_peak_dbtp
    assert candidate.duration_s == pytest.approx(6.0, abs=0.03)
    assert len(decode(candidate.path, channels=2)) / 48_000 == pytest.approx(candidate.duration_s, abs=0.001)
    measured = measure(decode(candidate.path, channels=2))
    assert measured.integrated_lufs == pytest.approx(candidate.loudness.integrated_lufs, abs=0.1)
    assert measured.true_peak_dbtp == pytest.approx(candidate.loudness.true_peak_dbtp, abs=0.1)
    assert [path.name for path in candidate.path.parent.iterdir()] == [candidate.path.name]


def test_the_same_programme_again_is_the_same_essence(
    own: House, recording: Path, candidate: Candidate, tmp_path: Path
) -> None:
    """A signature differs each time; what is heard does not, nor do tags of another day change it."""
    claim = Claim("Another", "en-US", "es-ES", "Other", "Clearspot", "0.2.0", {"unique_id": "2"}, NATURE)
    papers = Papers(
        replace(SAID, created="2027-01-01T00:00:00+00:00", unique_id="2"), claim, recording, own.keys, own.trust
    )
    profile = load_profile(own.project, PROFILES[candidate.path.suffix[1:]])
    again = disclose(programme(), profile, papers, tmp_path, "again")
    assert essence_sha256(again.path) == essence_sha256(candidate.path)
    assert again.path.read_bytes() != candidate.path.read_bytes()


# --- receipts --------------------------------------------------------------------------------------------------

BODY: Mapping[str, Any] = {
    "deliverable": "lumen_es-ES.wav",
    "file_sha256": "f" * 64,
    "consent": {"record": "house-2026-11", "markets": ["ES"]},
    "findings": [{"rule": "loudness", "verdict": "pass", "measured": "-23.0 LUFS"}],
    "timeline": [{"line": "hook", "start_s": 3.25}],
    "flag": True,
    "none": None,
}


def test_a_receipt_is_believed_as_it_was_signed(own: House) -> None:
    receipt = sign_receipt(BODY, own.keys.receipt_key)
    assert check_receipt(receipt, own.trust.receipt_keys) == ""
    assert receipt["signature"]["key"] == key_id(own.keys.receipt_key.public_key())
    assert check_receipt(json.loads(to_text(receipt)), own.trust.receipt_keys) == ""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested JSON that holds a plain value."""
    if isinstance(value, Mapping):
        return [place for key, each in value.items() for place in places(each, (*path, key))]
    if isinstance(value, list):
        return [place for index, each in enumerate(value) for place in places(each, (*path, index))]
    return [path]


@pytest.mark.parametrize("place", places(BODY), ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("other", ["changed", 0, None, False, float("nan")], ids=repr)
def test_every_changed_value_of_a_receipt_is_seen(own: House, place: tuple[Any, ...], other: object) -> None:
    receipt = json.loads(to_text(sign_receipt(BODY, own.keys.receipt_key)))
    holder = receipt["receipt"]
    for step in place[:-1]:
        holder = holder[step]
    if holder[place[-1]] is other:
        return
    holder[place[-1]] = other
    assert check_receipt(receipt, own.trust.receipt_keys) == "was changed after it was signed"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda receipt: receipt["receipt"].update(extra=1), "was changed after it was signed"),
        (lambda receipt: receipt["receipt"].pop("flag"), "was changed after it was signed"),
        (lambda receipt: receipt["signature"].update(value="AAAA"), "was changed after it was signed"),
        (lambda receipt: receipt["signature"].update(value="no base64!"), "was changed after it was signed"),
        (lambda receipt: receipt["signature"].update(value=None), "was changed after it was signed"),
        (lambda receipt: receipt["signature"].update(key="0" * 16), "which is not trusted here"),
        (lambda receipt: receipt["signature"].pop("key"), "which is not trusted here"),
        (lambda receipt: receipt.update(schema=2), "is not a receipt of a kind we know"),
        (lambda receipt: receipt.update(receipt=[]), "is not a receipt of a kind we know"),
        (lambda receipt: receipt.pop("signature"), "is not a receipt of a kind we know"),
        (lambda receipt: receipt.clear(), "is not a receipt of a kind we know"),
    ],
)  # fmt: skip
def test_a_receipt_that_is_not_right_says_why(
    own: House, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    receipt = sign_receipt(BODY, own.keys.receipt_key)
    change(receipt)
    assert problem in check_receipt(receipt, own.trust.receipt_keys)


def test_another_houses_receipt_is_not_believed(own: House, stranger: House) -> None:
    receipt = sign_receipt(BODY, stranger.keys.receipt_key)
    assert "which is not trusted here" in check_receipt(receipt, own.trust.receipt_keys)
    # Nor does the name of a trusted key help.
    receipt["signature"]["key"] = key_id(own.keys.receipt_key.public_key())
    assert check_receipt(receipt, own.trust.receipt_keys) == "was changed after it was signed"


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"receipt"', "[" * 100_000, "\x00"])
def test_a_file_that_is_no_receipt_is_never_believed(tmp_path: Path, own: House, text: str) -> None:
    path = tmp_path / "x.receipt.json"
    path.write_text(text)
    try:
        receipt = read_receipt(path)
    except BadInput:
        return
    assert check_receipt(receipt, own.trust.receipt_keys)


# --- verify ----------------------------------------------------------------------------------------------------


def write_receipt(path: Path, signer: SigningKeys, **other: str) -> Path:
    body = {**BODY, "file_sha256": sha256_file(path), **other}
    beside = path.with_name(path.stem + ENDING)
    beside.write_bytes(to_text(sign_receipt(body, signer.receipt_key)))
    return beside


def verdicts(path: Path, trust: Trust) -> dict[str, str]:
    return {finding.rule: finding.verdict for finding in verify(path, trust, NOTHING_KNOWN).findings}


def test_any_copy_proves_itself_in_any_folder(copy: Path, own: House) -> None:
    found = verify(copy, own.trust, NOTHING_KNOWN)
    assert found.passed
    assert {finding.rule: finding.verdict for finding in found.findings} == {
        "manifest-trusted": "pass", "essence-unchanged": "pass", "tags-present": "pass",
        "consent-stands": "pass", "disclosure-heard": "pass", "watermark-detected": "pass", "loudness": "pass",
    }  # fmt: skip
    assert found.facts.clearance["consent_record"] == "house-2026-11"


def test_an_ending_in_capitals_is_the_same_format(copy: Path, own: House) -> None:
    assert verify(copy.rename(copy.with_suffix(copy.suffix.upper())), own.trust, NOTHING_KNOWN).passed


@pytest.mark.parametrize(("highest", "verdict"), [(-10.0, "pass"), (-30.0, "fail")])
def test_three_seconds_are_held_to_what_the_manifest_promises(
    own: House, recording: Path, tmp_path: Path, highest: float, verdict: str
) -> None:
    promised = CLEARANCE["loudness"] | {"short_term_max_lufs": highest}
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0.1.0", {**CLEARANCE, "loudness": promised}, NATURE)
    papers = Papers(SAID, claim, recording, own.keys, own.trust)
    made = disclose(programme(), load_profile(own.project, "podcast"), papers, tmp_path, "promised")
    found = {finding.rule: finding for finding in verify(made.path, own.trust, NOTHING_KNOWN).findings}
    assert found["loudness"].verdict == verdict
    assert f"short-term at most {highest:g} LUFS" in found["loudness"].required


def test_its_receipt_beside_it_is_checked_too(copy: Path, own: House) -> None:
    write_receipt(copy, own.keys)
    assert verdicts(copy, own.trust)["receipt"] == "pass"
    assert verify(copy, own.trust, NOTHING_KNOWN).passed


def test_a_wrong_receipt_beside_it_fails(copy: Path, own: House, stranger: House) -> None:
    beside = write_receipt(copy, own.keys, file_sha256="0" * 64)
    (finding,) = [each for each in verify(copy, own.trust, NOTHING_KNOWN).findings if each.rule == "receipt"]
    assert (finding.verdict, finding.detail) == ("fail", "is of other bytes than this file's")
    write_receipt(copy, stranger.keys)
    assert verdicts(copy, own.trust)["receipt"] == "fail"
    beside.write_text("no JSON")
    assert verdicts(copy, own.trust)["receipt"] == "fail"
    beside.write_text('{"schema": 1, "receipt": {}, "signature": {"key": {}, "value": []}}')
    assert verdicts(copy, own.trust)["receipt"] == "fail"


def test_another_files_tags_are_seen(copy: Path, own: House) -> None:
    """Tags that are all there, but of another deliverable."""
    tags.write(copy, replace(SAID, unique_id="another-file"))
    found = {finding.rule: finding for finding in verify(copy, own.trust, NOTHING_KNOWN).findings}
    assert found["tags-present"].verdict == "fail"
    assert found["manifest-trusted"].verdict == "fail"


def test_tags_of_another_deliverable_are_told_apart(own: House, recording: Path, tmp_path: Path) -> None:
    """Signed with tags that are not those its manifest names."""
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0.1.0", {**CLEARANCE, "unique_id": "other"}, NATURE)
    papers = Papers(SAID, claim, recording, own.keys, own.trust)
    made = disclose(programme(), load_profile(own.project, "podcast"), papers, tmp_path, "mixed")
    found = {finding.rule: finding for finding in verify(made.path, own.trust, NOTHING_KNOWN).findings}
    assert found["manifest-trusted"].verdict == "pass"
    assert (found["tags-present"].verdict, found["tags-present"].detail) == ("fail", "another file's tags")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "without its label"])
def test_a_label_that_the_manifest_names_has_to_be_there(
    own: House, recording: Path, tmp_path: Path, ending: str, labelled: bool
) -> None:
    """China's, asked for by a market when it left."""
    asked = {**CLEARANCE, "tags": ["AIGC", "Title"]}
    said = replace(SAID, aigc=tags.aigc_label(SAID.provider, SAID.unique_id)) if labelled else SAID
    papers = Papers(said, Claim("T", "en-US", "es-ES", "P", "C", "1", asked, NATURE), recording, own.keys, own.trust)
    made = disclose(programme(), load_profile(own.project, PROFILES[ending]), papers, tmp_path, "labelled")
    (finding,) = [each for each in verify(made.path, own.trust, NOTHING_KNOWN).findings if each.rule == "tags-present"]
    wanted = ("pass", "10 of 10 tags", "") if labelled else ("fail", "9 of 10 tags", "missing: AIGC")
    assert (finding.verdict, finding.measured, finding.detail) == wanted


@pytest.mark.parametrize("wrong", [7, "AIGC", None, {"AIGC": 1}, [7, None, ["AIGC"]]])
def test_a_manifest_that_asks_for_nonsense_asks_for_the_nine(
    own: House, recording: Path, tmp_path: Path, wrong: Any
) -> None:
    asked = {**CLEARANCE, "tags": wrong}
    papers = Papers(SAID, Claim("T", "en-US", "es-ES", "P", "C", "1", asked, NATURE), recording, own.keys, own.trust)
    made = disclose(programme(), load_profile(own.project, "podcast"), papers, tmp_path, "odd")
    assert verdicts(made.path, own.trust)["tags-present"] == "pass"


def test_a_signed_wav_keeps_every_chunk(made: dict[str, Candidate]) -> None:
    kinds = [name for name, _ in riff_chunks(made["wav"].path.read_bytes())]
    assert kinds == [b"fmt ", b"bext", b"iXML", b"LIST", b"data", b"id3 ", b"C2PA"]


def test_a_stranger_does_not_verify_it_and_is_told_why(candidate: Candidate, stranger: House) -> None:
    finding = verify(candidate.path, stranger.trust, NOTHING_KNOWN).findings[0]
    assert (finding.rule, finding.verdict, finding.measured) == ("manifest-trusted", "fail", "Valid")
    assert finding.detail


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path: Path, own: House) -> None:
    for path in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(BadInput, match="there is no such file"):
            verify(path, own.trust, NOTHING_KNOWN)


@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a", "flac"])
@pytest.mark.parametrize(
    "content", [b"", b"RIFF", bytes(3000), b"ID3" + bytes(100), b"fLaC" + bytes(100), b"OggS" + bytes(100)]
)
def test_what_proves_nothing_is_judged_and_never_crashes(
    own: House, tmp_path: Path, ending: str, content: bytes
) -> None:
    path = tmp_path / f"file.{ending}"
    path.write_bytes(content)
    assert {rule for rule, verdict in verdicts(path, own.trust).items() if verdict != "fail"} <= HEARD


@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a", "flac"])
def test_a_recording_under_any_ending_is_judged_and_never_crashes(
    recording: Path, own: House, tmp_path: Path, ending: str
) -> None:
    path = Path(shutil.copyfile(recording, tmp_path / f"file.{ending}"))
    assert {rule for rule, verdict in verdicts(path, own.trust).items() if verdict != "fail"} <= HEARD


@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a", "flac"])
def test_a_deliverable_under_another_ending_is_judged_and_never_crashes(
    candidate: Candidate, own: House, tmp_path: Path, ending: str
) -> None:
    path = Path(shutil.copyfile(candidate.path, tmp_path / f"file.{ending}"))
    assert verdicts(path, own.trust)["essence-unchanged"] in {"pass", "fail"}


@pytest.mark.parametrize("seed", range(8))
def test_damage_anywhere_is_judged_and_never_crashes(copy: Path, own: House, seed: int) -> None:
    """Thirty bytes of the first and last 20 kB, where headers, tags and manifest are, at random."""
    random = np.random.default_rng(seed)
    data = bytearray(copy.read_bytes())
    for _ in range(30):
        place = int(random.integers(0, 20_000))
        data[place if random.integers(2) else -place] = int(random.integers(256))
    copy.write_bytes(data)
    assert not verify(copy, own.trust, NOTHING_KNOWN).passed


@pytest.mark.parametrize(("lost_lu", "allowed"), [(0.4, True), (0.6, False)])
def test_a_codec_that_cannot_be_made_up_for_is_held_to_the_profile(
    own: House, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_lu: float, allowed: bool
) -> None:
    """It is encoded again to come closer; what counts in the end is the profile's own tolerance of 0.5 LU."""
    tried = []

    def measure(path: Path) -> tuple[Samples, Loudness]:
        tried.append(path)
        return programme(), Loudness(-16.0 - lost_lu, -3.0)

    monkeypatch.setattr("clearspot.stages.disclose.decode_and_measure", measure)
    claim = Claim("T", "en-US", "es-ES", "P", "Clearspot", "0.1.0", CLEARANCE, NATURE)
    papers = Papers(SAID, claim, recording, own.keys, own.trust)
    arguments = (programme(), load_profile(own.project, "podcast"), papers, tmp_path, "lossy")
    if allowed:
        assert disclose(*arguments).path.is_file()
    else:
        with pytest.raises(Refused, match=r"after encoding it is -16\.6 LUFS"):
            disclose(*arguments)
    assert len(tried) == 3
