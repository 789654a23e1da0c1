"""What a manifest says besides who signed it, and manifests beside files that cannot carry one."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest

from clearspot.config import load_profile
from clearspot.consent.affected import Known
from clearspot.gate.verify import verify
from clearspot.provenance import manifest
from clearspot.provenance.manifest import Claim, sidecar
from clearspot.stages.disclose import Papers, disclose, disclose_captions
from tests.conftest import run_ffmpeg, tone
from tests.unit.test_provenance import CLEARANCE, DISCLOSURE, SAID, House, house

CAPTIONS = {
    ".srt": f"1\n00:00:00,250 --> 00:00:02,000\n{DISCLOSURE}\n\n2\n00:00:03,000 --> 00:00:04,000\nHola.\n",
    ".vtt": f"WEBVTT\n\n00:00:00.250 --> 00:00:02.000\n{DISCLOSURE}\n\n00:00:03.000 --> 00:00:04.000\nHola.\n",
}
NO_EARS: Any = None
"""Captions are not listened to."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def papers(own: House, tmp_path_factory: pytest.TempPathFactory) -> Papers:
    recording = tmp_path_factory.mktemp("spot") / "recording.flac"
    run_ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=1", recording)
    clearance = CLEARANCE | {"disclosure": {"text": DISCLOSURE}, "loudness": {"lufs": -16}}
    claim = Claim(SAID.title, "en-US", "es-ES", SAID.provider, "Clearspot", "0.1.0", clearance, watermark="perth 1")
    return Papers(SAID, claim, recording, own.keys, own.trust)


@pytest.fixture
def captions(papers: Papers, tmp_path: Path) -> dict[str, Path]:
    return {path.suffix: path for path in disclose_captions(CAPTIONS, papers, tmp_path, "lumen_es-ES_podcast")}


@pytest.fixture(scope="module")
def opus(own: House, papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sound = np.stack([tone(4.0, level_db=-14)] * 2, axis=1)
    profile = load_profile(own.project, "web-opus")
    return disclose(sound, profile, papers, tmp_path_factory.mktemp("opus"), "lumen_es-ES").path


def assertions(path: Path, mime: str, own: House) -> dict[str, Any]:
    """What c2pa's own reader finds, whatever we make of it."""
    context = c2pa.Context.from_dict({"trust": {"user_anchors": own.trust.anchors_pem}})
    beside = sidecar(path)
    store = beside.read_bytes() if beside.is_file() else None
    with path.open("rb") as file, c2pa.Reader(mime, file, manifest_data=store, context=context) as reader:
        assert reader.get_validation_state() == "Trusted"
        told = json.loads(reader.json())
    return {one["label"]: one["data"] for one in told["manifests"][told["active_manifest"]]["assertions"]}


# --- what it says --------------------------------------------------------------------------------------------------


def test_the_actions_in_order_with_the_watermark_last(opus: Path, own: House) -> None:
    actions = assertions(opus, "audio/ogg", own)["c2pa.actions.v2"]["actions"]
    assert [one["action"] for one in actions] == [
        "c2pa.opened", "c2pa.translated", "c2pa.edited", "c2pa.watermarked.bound",
    ]  # fmt: skip
    assert actions[1]["parameters"] == {"sourceLanguage": "en-US", "targetLanguage": "es-ES"}
    assert actions[2]["digitalSourceType"] == manifest.COMPOSITE_SYNTHETIC


def test_the_soft_binding_names_what_made_the_mark(opus: Path, own: House) -> None:
    binding = assertions(opus, "audio/ogg", own)["c2pa.soft-binding"]
    assert binding["alg"] == manifest.WATERMARK_ALGORITHM
    assert base64.b64decode(binding["blocks"][0]["value"]) == b"perth 1"


def test_nobody_may_train_on_it_unless_the_owner_said_so(papers: Papers, own: House, tmp_path: Path) -> None:
    allowed = replace(papers, claim=replace(papers.claim, training_allowed=True))
    for given, there in ((papers, True), (allowed, False)):
        (path, _) = disclose_captions(CAPTIONS, given, tmp_path, f"training-{there}")
        found = assertions(path, "application/x-subrip", own)
        assert ("cawg.training-mining" in found) is there
    entries = assertions(tmp_path / "training-True.srt", "application/x-subrip", own)["cawg.training-mining"]["entries"]
    assert {one["use"] for one in entries.values()} == {"notAllowed"}
    assert set(entries) == set(manifest.USES_FOR_TRAINING)


# --- beside the file -----------------------------------------------------------------------------------------------


def test_captions_carry_no_promise_of_sound(captions: dict[str, Path], own: House) -> None:
    found = assertions(captions[".vtt"], "text/vtt", own)
    assert "c2pa.soft-binding" not in found
    assert "loudness" not in found[manifest.ASSERTION]
    assert found[manifest.ASSERTION]["consent_record"] == CLEARANCE["consent_record"]


@pytest.mark.parametrize("ending", CAPTIONS)
def test_captions_verify_by_their_manifest_and_their_first_cue(
    captions: dict[str, Path], own: House, ending: str
) -> None:
    found = verify(captions[ending], own.trust, Known((), ()), NO_EARS)
    assert found.passed, found.findings
    assert found.proof == {"manifest": True, "first cue": True}


@pytest.mark.parametrize("ending", CAPTIONS)
def test_captions_with_another_word_do_not(captions: dict[str, Path], own: House, ending: str) -> None:
    path = captions[ending]
    path.write_text(path.read_text(encoding="utf-8").replace("sintética", "humana"), encoding="utf-8")
    found = verify(path, own.trust, Known((), ()), NO_EARS)
    assert found.proof == {"manifest": False, "first cue": False}
    assert not found.passed


def test_a_file_without_its_sidecar_has_no_manifest(opus: Path, own: House, tmp_path: Path) -> None:
    copy = Path(shutil.copy(opus, tmp_path))
    facts = manifest.read(copy, own.trust)
    assert facts.state == "None"
    assert "there is no" in facts.problems[0]


def test_the_sidecar_of_another_file_is_no_proof(opus: Path, captions: dict[str, Path], own: House) -> None:
    path = captions[".srt"]
    shutil.copy(sidecar(opus), sidecar(path))
    assert manifest.read(path, own.trust).state != "Trusted"


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_flipped_byte_is_found_in_the_file_and_in_the_sidecar(
    opus: Path, own: House, tmp_path: Path, place: int
) -> None:
    for victim in (opus, sidecar(opus)):
        copy = Path(shutil.copy(opus, tmp_path))
        shutil.copy(sidecar(opus), sidecar(copy))
        broken = tmp_path / victim.name
        data = bytearray(broken.read_bytes())
        data[place] ^= 0x55
        broken.write_bytes(data)
        assert manifest.read(copy, own.trust).state != "Trusted", victim.name


def test_a_sidecar_by_somebody_else_is_not_trusted(papers: Papers, own: House, tmp_path: Path) -> None:
    other = house(tmp_path / "stranger", "Another house")
    theirs = replace(papers, keys=other.keys, trust=other.trust)
    (path, _) = disclose_captions(CAPTIONS, theirs, tmp_path, "theirs")
    assert manifest.read(path, own.trust).state == "Valid"
    assert not verify(path, own.trust, Known((), ()), NO_EARS).passed
