"""Copies that lost their manifest, their name or their kind: judged by what is left, and accused of nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clearspot.config import DisclosureWording, load_limits, load_profile
from clearspot.consent.affected import Known
from clearspot.errors import BadInput
from clearspot.gate.hearing import Ears
from clearspot.gate.rules import Finding
from clearspot.gate.verify import Verification, verify
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import Trust
from clearspot.provenance.kinds import ENDINGS, kind_of
from clearspot.provenance.manifest import MIME, Claim
from clearspot.stages.disclose import Papers, disclose, encode_to
from tests.conftest import FakeRecogniser, FakeWatermarker, Scene, run_ffmpeg
from tests.unit.tag_scenes import FORMATS, NATURE, PROFILES, SAID, SHIPPED, programme
from tests.unit.test_provenance import House, house

DISCLOSURE = "Este anuncio utiliza una voz sintética."
CLEARANCE = {
    "unique_id": SAID.unique_id,
    "locale": "es-ES",
    "disclosure": {"text": DISCLOSURE, "start_s": 0.25, "end_s": 3.1},
    "loudness": {"lufs": -18.5, "tolerance_lu": 5, "true_peak_dbtp": -0.9},
}
EARS = Ears(
    FakeRecogniser({"es": [(DISCLOSURE, 0.25, 3.1)]}, language="es"),
    FakeWatermarker(),
    load_limits(SHIPPED).deliverable,
    {"es-ES": DisclosureWording(short=DISCLOSURE, long="La voz de este anuncio es sintética.")},
)
UNATTESTED = "nothing signed and trusted says that they are this file's"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def delivered(own: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One finished file of every format."""
    folder = tmp_path_factory.mktemp("delivered")
    recording = folder / "recording.flac"
    run_ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=1", recording)
    claim = Claim(SAID.title, "en-US", "es-ES", SAID.provider, "Clearspot", "0.1.0", CLEARANCE, NATURE)
    papers = Papers(SAID, claim, recording, own.keys, own.trust)
    made = {}
    for ending, profile_id in PROFILES.items():
        profile = load_profile(SHIPPED, profile_id)
        encoded = encode_to(programme(), profile, folder / f"{ending}.encoded.{ending}")
        made[ending] = disclose(encoded, papers, folder, f"spot-{ending}").path
    return made


def judge(path: Path, trust: Trust) -> tuple[Verification, dict[str, Finding]]:
    found = verify(path, trust, Known((), ()), EARS)
    return found, {finding.rule: finding for finding in found.findings}


# --- tags without a manifest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "opus"])
def test_tags_of_a_copy_without_manifest_are_there_and_nobody_vouches_for_them(
    own: House, delivered: dict[str, Path], tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"copy.{ending}"
    run_ffmpeg("-i", delivered[ending], "-c", "copy", path)
    found, by_rule = judge(path, own.trust)
    tag = by_rule["tags-present"]
    assert tags.read(path).keys() == SAID.as_pairs().keys()
    assert (tag.verdict, tag.measured, tag.detail) == ("warn", "9 of 9 tags", UNATTESTED)
    assert (found.passed, found.proof["tags"], found.proof["manifest"]) == (False, True, False)
    assert found.unattested == ("tags",)


@pytest.mark.parametrize("said", ["", "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"])
def test_tags_that_say_nothing_of_a_machine_are_no_proof(
    own: House, delivered: dict[str, Path], tmp_path: Path, said: str
) -> None:
    path = tmp_path / "copy.mp3"
    run_ffmpeg("-i", delivered["mp3"], "-c", "copy", "-metadata", f"DigitalSourceType={said}", path)
    found, _ = judge(path, own.trust)
    assert (found.proof["tags"], found.unattested) == (False, ())


def test_a_tag_that_is_missing_is_missing_without_a_manifest_too(
    own: House, delivered: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "copy.mp3"
    run_ffmpeg("-i", delivered["mp3"], "-c", "copy", "-metadata", "Provider=", path)
    found, by_rule = judge(path, own.trust)
    assert (by_rule["tags-present"].verdict, by_rule["tags-present"].measured) == ("fail", "8 of 9 tags")
    assert by_rule["tags-present"].detail == f"missing: Provider; {UNATTESTED}"
    assert (found.proof["tags"], found.unattested) == (True, ("tags",))


def test_a_manifest_that_is_not_believed_vouches_for_no_tag(
    own: House, delivered: dict[str, Path], tmp_path: Path
) -> None:
    """It names them; but it is broken, and whoever broke it may have written what it says."""
    path = Path(shutil.copyfile(delivered["mp3"], tmp_path / "copy.mp3"))
    with path.open("ab") as file:
        file.write(b"x")
    found, by_rule = judge(path, own.trust)
    assert (found.facts.state, found.facts.clearance["unique_id"]) == ("Invalid", SAID.unique_id)
    assert (by_rule["tags-present"].verdict, by_rule["tags-present"].detail) == ("warn", UNATTESTED)
    tags.write(path, replace(SAID, unique_id="another"))
    tag = judge(path, own.trust)[1]["tags-present"]
    assert (tag.verdict, tag.detail) == ("fail", "not those that its manifest names")


# --- names and kinds -------------------------------------------------------------------------------------------


def test_the_kinds_are_those_that_have_manifests_and_captions() -> None:
    assert set(ENDINGS) == set(MIME)


@pytest.mark.parametrize("name", ["download", "spot.bin", "spot.mp3.1"])
@pytest.mark.parametrize("ending", FORMATS)
def test_a_deliverable_under_no_name_of_its_kind_still_proves_itself(
    own: House, delivered: dict[str, Path], tmp_path: Path, ending: str, name: str
) -> None:
    path = Path(shutil.copyfile(delivered[ending], tmp_path / name))
    if (beside := manifest.sidecar_of(delivered[ending])).is_file():
        shutil.copyfile(beside, manifest.sidecar_of(path))
    found, by_rule = judge(path, own.trust)
    assert found.facts.state == "Trusted"
    assert by_rule["tags-present"].verdict == by_rule["essence-unchanged"].verdict == "pass"


CONVERTED = {
    "copy.aac": ("m4a", ("-c", "copy")),
    "copy.mov": ("m4a", ("-c", "copy")),
    "copy.webm": ("opus", ("-c", "copy")),
    "copy.mka": ("flac", ("-c", "copy")),
    "copy.aiff": ("wav", ("-c:a", "pcm_s16be")),
    "copy": ("m4a", ("-c", "copy", "-f", "adts")),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_a_copy_of_a_kind_that_holds_no_manifest_is_listened_to(
    own: House, delivered: dict[str, Path], tmp_path: Path, name: str
) -> None:
    ending, options = CONVERTED[name]
    path = tmp_path / name
    run_ffmpeg("-i", delivered[ending], *options, path)
    found, by_rule = judge(path, own.trust)
    assert (by_rule["manifest-trusted"].verdict, found.facts.state) == ("fail", "None")
    assert by_rule["disclosure-heard"].verdict == by_rule["watermark-detected"].verdict == "pass"
    assert by_rule["loudness"].measured.endswith("dBTP")
    assert not found.passed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"Este anuncio utiliza una voz generada por inteligencia artificial."),
        ("page.html", b"<html></html>"),
        ("notes", b""),
        ("spot.ogg.c2pa", bytes(100)),
        ("spot.receipt.json", b"{}"),
    ],
)
def test_what_is_neither_audio_nor_captions_is_bad_input(own: House, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is neither audio nor captions"):
        judge(path, own.trust)


def test_a_picture_is_bad_input(own: House, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    run_ffmpeg("-f", "lavfi", "-i", "color=size=16x16", "-frames:v", "1", path)
    with pytest.raises(BadInput, match="is neither audio nor captions: it holds no audio"):
        judge(path, own.trust)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\0\0\0\0WAVE", ".wav"),
        (b"RIFF\0\0\0\0AVI ", ""),
        (b"\0\0\0\x20ftypM4A ", ".mp4"),
        (b"ID3\x04", ".mp3"),
        (b"\xff\xfb\x90\x00", ".mp3"),
        (b"\xff\xf1\x4c\x80", ""),  # ADTS
        (b"\xff\xf9\x4c\x80", ""),
        (b"fLaC", ".flac"),
        (b"OggS", ".ogg"),
        (b"\x1aE\xdf\xa3", ""),  # Matroska
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_a_kind_is_known_by_its_first_bytes(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    assert kind_of(path) == kind


def test_an_ending_that_is_known_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "file.WAV"
    path.write_bytes(b"ID3")
    assert kind_of(path) == ".wav"


# --- what a person reads ---------------------------------------------------------------------------------------

Call = Callable[..., tuple[int, str, str]]


def test_a_person_reads_what_is_left_of_a_copys_proof(scene: Scene, clearspot: Call, tmp_path: Path) -> None:
    arguments = ("--runner", "inline", "--out", scene.out, "--locale", "es-ES", "--profile", "podcast")
    assert clearspot("run", scene.spot, *arguments)[0] == 0
    (delivered,) = scene.out.rglob("*.mp3")
    copy, decoded = tmp_path / "copy.mp3", tmp_path / "copy.aiff"
    run_ffmpeg("-i", delivered, "-c", "copy", copy)
    run_ffmpeg("-i", delivered, "-map_metadata", "-1", decoded)
    scene.listener.language = "es"
    code, told, _ = clearspot("verify", copy)
    assert code == 1
    assert "left of its proof: tags (present, unattested), spoken disclosure, watermark; gone: manifest\n" in told
    code, told, _ = clearspot("verify", decoded)
    assert code == 1
    assert "left of its proof: spoken disclosure, watermark; gone: manifest, tags\n" in told
    (one,) = json.loads(clearspot("verify", copy, "--json")[1])["files"]
    assert (one["proof"]["tags"], one["unattested"]) == (True, ["tags"])
