"""Manifests beside files that have no room for them: written, read by another reader, published, and broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import c2pa
import ffmpeg as graph
import pytest

from clearspot import pipeline, publish
from clearspot.config import load_wordings
from clearspot.consent.registry import load_voice
from clearspot.delivery import Made
from clearspot.errors import MachineFault, Refused
from clearspot.gate.receipt import ENDING, sign_receipt, to_text
from clearspot.gate.verify import Verification
from clearspot.gate.verify import verify as verify_file
from clearspot.hashing import sha256_file
from clearspot.job import Asked, Job, open_desk, open_job
from clearspot.media import ffmpeg
from clearspot.media.audio import essence_sha256, to_f32le
from clearspot.progress import Event
from clearspot.provenance import manifest
from clearspot.provenance.keys import Trust, load_trust
from clearspot.provenance.manifest import BESIDE, EMBEDDED, Claim, sidecar_of
from clearspot.provenance.nature import COMPOSITE_SYNTHETIC
from clearspot.stages.captions import first_cue
from tests.conftest import Scene, run_ffmpeg
from tests.unit.tag_scenes import NATURE
from tests.unit.test_provenance import CLEARANCE, DISCLOSURE, EARS, NOTHING_KNOWN, SAID, House, house, programme

CODECS = {
    ".wav": "pcm_s16le", ".mp3": "libmp3lame", ".m4a": "aac", ".mp4": "aac", ".flac": "flac", ".ogg": "libvorbis",
    ".opus": "libopus",
}  # fmt: skip
CAPTIONS = {
    ".srt": f"1\n00:00:00,250 --> 00:00:03,100\n{DISCLOSURE}\n\n2\n00:00:03,500 --> 00:00:05,000\nHola.\n",
    ".vtt": f"WEBVTT\n\n00:00:00.250 --> 00:00:03.100\n{DISCLOSURE}\n\n00:00:03.500 --> 00:00:05.000\nHola.\n",
}
SOUND = tuple(ending for ending in BESIDE if ending not in CAPTIONS)
ACTIONS = ("c2pa.opened", "c2pa.translated", "c2pa.edited", "c2pa.watermarked.bound")


@dataclass(frozen=True)
class Signed:
    """A house, its recording, and one signed file a format with the unsigned one that it was."""

    house: House
    recording: Path
    plain: Mapping[str, Path]
    files: Mapping[str, Path]

    def sign(self, plain: Path, target: Path, by: House | None = None, **changes: Any) -> Path:
        signer = by or self.house
        manifest.sign(plain, target, replace(claim_of(plain), **changes), self.recording, signer.keys, signer.trust)
        return target


def claim_of(plain: Path) -> Claim:
    """What the pipeline says of such a file; captions name the essence of the sound that they belong to."""
    essence = "e" * 64 if plain.suffix in CAPTIONS else essence_sha256(plain)
    clearance = {**CLEARANCE, "essence_sha256": essence}
    claim = Claim(SAID.title, "en-US", "es-ES", SAID.provider, "Clearspot", "0.1.0", clearance, NATURE)
    return replace(claim, watermark="") if plain.suffix in CAPTIONS else claim


def unsigned(folder: Path, ending: str, name: str = "plain") -> Path:
    path = folder / f"{name}{ending}"
    if ending in CAPTIONS:
        path.write_text(CAPTIONS[ending], encoding="utf-8")
        return path
    source = graph.input("pipe:", f="f32le", ar=48_000, ac=2)
    stream = source.output(f"file:{path}", acodec=CODECS[ending], **{"flags:a": "+bitexact"})
    ffmpeg.run(stream, stdin=to_f32le(programme()), about=path)
    return path


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("signed")
    recording = folder / "recording.flac"
    run_ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=1", recording)
    plain = {ending: unsigned(folder, ending) for ending in (*EMBEDDED, *BESIDE)}
    made = Signed(house(folder / "house"), recording, plain, {})
    files = {ending: made.sign(path, folder / f"spot{ending}") for ending, path in plain.items()}
    return replace(made, files=files)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(tmp_path_factory.mktemp("stranger"), "Another house")


@pytest.fixture(params=tuple(BESIDE))
def copy(request: pytest.FixtureRequest, signed: Signed, tmp_path: Path) -> Path:
    """A file and its sidecar, in another folder."""
    folder = tmp_path / "sent"
    folder.mkdir()
    for path in manifest.files_of(signed.files[request.param]):
        shutil.copyfile(path, folder / path.name)
    return folder / f"spot{request.param}"


def verify(path: Path, trust: Trust, **more: Any) -> Verification:
    return verify_file(path, trust, NOTHING_KNOWN, EARS, **more)


def verdicts(path: Path, trust: Trust) -> dict[str, str]:
    return {finding.rule: finding.verdict for finding in verify(path, trust).findings}


# --- another reader ----------------------------------------------------------------------------------------------


def read_directly(path: Path, trust: Trust) -> tuple[str, dict[str, Any]]:
    """State and active manifest, by c2pa's own reader alone."""
    beside = path.with_name(path.name + ".c2pa")
    data = beside.read_bytes() if beside.exists() else None
    context = c2pa.Context.from_dict({"trust": {"user_anchors": trust.anchors_pem}, "verify": {"verify_trust": True}})
    mime = "application/octet-stream" if data else EMBEDDED[path.suffix]
    with path.open("rb") as file, c2pa.Reader(mime, file, data, context=context) as reader:
        store = json.loads(reader.json())
        assert reader.is_embedded() == (data is None)
        return str(reader.get_validation_state()), store["manifests"][store["active_manifest"]]


def assertions(active: Mapping[str, Any]) -> dict[str, Any]:
    return {item["label"]: item["data"] for item in active["assertions"]}


@pytest.mark.parametrize("ending", [*EMBEDDED, *BESIDE])
def test_another_reader_finds_what_was_done(signed: Signed, ending: str) -> None:
    state, active = read_directly(signed.files[ending], signed.house.trust)
    assert state == "Trusted"
    assert active["title"] == SAID.title
    actions = assertions(active)["c2pa.actions.v2"]["actions"]
    marked = ending not in CAPTIONS
    assert tuple(action["action"] for action in actions) == (ACTIONS if marked else ACTIONS[:-1])
    assert actions[1]["parameters"] == {"sourceLanguage": "en-US", "targetLanguage": "es-ES"}
    assert actions[2]["digitalSourceType"] == COMPOSITE_SYNTHETIC
    (source,) = active["ingredients"]
    assert (source["title"], source["relationship"]) == ("recording.flac", "parentOf")
    (opened,) = actions[0]["parameters"]["ingredients"]
    assert opened["url"].endswith("c2pa.ingredient.v3")


@pytest.mark.parametrize("ending", [*EMBEDDED, *BESIDE])
def test_another_reader_finds_the_name_of_the_mark_where_there_is_one(signed: Signed, ending: str) -> None:
    _, active = read_directly(signed.files[ending], signed.house.trust)
    bound = assertions(active).get("c2pa.soft-binding")
    whole = {"alg": "io.clearspot.perth.1", "blocks": [{"scope": {}, "value": "MQ=="}]}
    assert bound == (None if ending in CAPTIONS else whole)


@pytest.mark.parametrize("ending", [".mp3", ".ogg", ".vtt"])
@pytest.mark.parametrize("allowed", [False, True])
def test_training_is_ruled_out_unless_consent_allows_it(
    signed: Signed, tmp_path: Path, ending: str, allowed: bool
) -> None:
    path = signed.sign(signed.plain[ending], tmp_path / f"spot{ending}", training=allowed)
    _, active = read_directly(path, signed.house.trust)
    uses = ("ai_generative_training", "ai_inference", "ai_training", "data_mining")
    ruled_out = {
        f"{owner}.training-mining": {"entries": {f"{owner}.{use}": {"use": "notAllowed"} for use in uses}}
        for owner in ("cawg", "c2pa")
    }
    said = {label: data for label, data in assertions(active).items() if "training" in label}
    assert said == ({} if allowed else ruled_out)


@pytest.mark.parametrize("ending", [*EMBEDDED, *BESIDE])
def test_another_reader_finds_what_it_was_cleared_by(signed: Signed, ending: str) -> None:
    _, active = read_directly(signed.files[ending], signed.house.trust)
    clearance = assertions(active)["io.clearspot.clearance"]
    assert clearance == {**claim_of(signed.plain[ending]).clearance, "provider": SAID.provider}


# --- the file and its sidecar ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", BESIDE)
def test_the_file_itself_is_left_as_it_was(signed: Signed, ending: str) -> None:
    path = signed.files[ending]
    assert path.read_bytes() == signed.plain[ending].read_bytes()
    assert 1_000 < sidecar_of(path).stat().st_size < 40_000
    assert manifest.files_of(path) == (path.with_name(f"spot{ending}.c2pa"), path)


def test_a_file_and_its_sidecar_prove_themselves_anywhere(copy: Path, signed: Signed) -> None:
    facts = manifest.read(copy, signed.house.trust)
    assert (facts.state, facts.problems, facts.signer) == ("Trusted", (), "Clearspot development signer")
    assert (facts.signed_at, facts.trusted_time) == ("", False)
    assert facts.clearance["consent_record"] == "house-2026-11"


def test_an_ending_in_capitals_is_the_same_format(copy: Path, signed: Signed) -> None:
    loud = copy.rename(copy.with_suffix(copy.suffix.upper()))
    sidecar_of(copy).rename(sidecar_of(loud))
    assert manifest.read(loud, signed.house.trust).state == "Trusted"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BROKEN: dict[str, Callable[[Path], None]] = {
    "one byte of the file": lambda path: flip(path, path.stat().st_size // 2),
    "its first byte": lambda path: flip(path, 0),
    "its last byte": lambda path: flip(path, -1),
    "bytes after its end": lambda path: rewrite(path, path.read_bytes() + b"\0"),
    "the file cut": lambda path: rewrite(path, path.read_bytes()[:-20]),
    "the file emptied": lambda path: rewrite(path, b""),
    "no sidecar": lambda path: sidecar_of(path).unlink(),
    "an empty sidecar": lambda path: rewrite(sidecar_of(path), b""),
    "the sidecar cut": lambda path: rewrite(sidecar_of(path), sidecar_of(path).read_bytes()[:-2000]),
    "half a sidecar": lambda path: rewrite(sidecar_of(path), sidecar_of(path).read_bytes()[:5000]),
    "a sidecar of text": lambda path: rewrite(sidecar_of(path), b"trust me"),
    "a sidecar of zeros": lambda path: rewrite(sidecar_of(path), bytes(10_000)),
    "the file as its own sidecar": lambda path: rewrite(sidecar_of(path), path.read_bytes()),
    "a huge sidecar": lambda path: rewrite(sidecar_of(path), bytes(10_000_001)),
    "a folder as sidecar": lambda path: as_a_folder(sidecar_of(path)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_was_changed_is_not_believed(copy: Path, signed: Signed, what: str) -> None:
    BROKEN[what](copy)
    assert manifest.read(copy, signed.house.trust).state in {"Invalid", "None"}
    found = verify(copy, signed.house.trust)
    assert not found.passed
    assert not found.proof["manifest"]


def test_what_is_signed_in_a_sidecar_cannot_be_changed(signed: Signed, tmp_path: Path) -> None:
    """A byte flipped in every 40: whatever is still believed says what it said."""
    path = Path(shutil.copyfile(signed.files[".srt"], tmp_path / "spot.srt"))
    whole = sidecar_of(signed.files[".srt"]).read_bytes()
    before = read_directly(signed.files[".srt"], signed.house.trust)[1]
    believed = 0
    for at in range(0, len(whole), 40):
        changed = bytearray(whole)
        changed[at] ^= 1
        sidecar_of(path).write_bytes(changed)
        if manifest.read(path, signed.house.trust).state == "Trusted":
            believed += 1
            assert read_directly(path, signed.house.trust)[1] == before
    padding = sum(whole[at] == 0 for at in range(0, len(whole), 40))  # around the signature, signed by nobody
    assert believed <= padding


def test_a_missing_sidecar_is_a_manifest_that_is_gone(copy: Path, signed: Signed) -> None:
    sidecar_of(copy).unlink()
    facts = manifest.read(copy, signed.house.trust)
    assert (facts.state, facts.problems) == ("None", (f"there is no {copy.name}.c2pa beside it",))


@pytest.mark.parametrize("ending", BESIDE)
def test_another_files_sidecar_is_not_believed(signed: Signed, tmp_path: Path, ending: str) -> None:
    """Each intact, by the same house; but not of each other."""
    plain = unsigned(tmp_path, ending, "other")
    if ending in CAPTIONS:
        plain.write_text(CAPTIONS[ending].replace("Hola", "Adiós"), encoding="utf-8")
    else:
        run_ffmpeg("-i", signed.plain[".wav"], "-filter:a", "volume=-2dB", "-c:a", CODECS[ending], plain)
    other = signed.sign(plain, tmp_path / f"spot{ending}")
    assert manifest.read(other, signed.house.trust).state == "Trusted"
    shutil.copyfile(sidecar_of(signed.files[ending]), sidecar_of(other))
    facts = manifest.read(other, signed.house.trust)
    assert facts.state == "Invalid"
    assert "assertion.dataHash.mismatch" in facts.problems[0]


@pytest.mark.parametrize("ending", BESIDE)
def test_a_strangers_signature_is_intact_and_not_trusted(
    signed: Signed, stranger: House, tmp_path: Path, ending: str
) -> None:
    path = signed.sign(signed.plain[ending], tmp_path / f"spot{ending}", by=stranger)
    assert manifest.read(path, signed.house.trust).state == "Valid"
    assert verdicts(path, signed.house.trust)["manifest-trusted"] == "fail"


@pytest.mark.parametrize("ending", [*EMBEDDED, *BESIDE])
def test_a_stranger_leaves_nothing_in_this_house(signed: Signed, stranger: House, tmp_path: Path, ending: str) -> None:
    mixed = House(stranger.project, stranger.keys, signed.house.trust)
    with pytest.raises(Refused, match="does not trust its signer"):
        signed.sign(signed.plain[ending], tmp_path / f"spot{ending}", by=mixed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", SOUND)
def test_a_manifest_inside_such_a_file_does_not_stand_in_for_its_sidecar(
    signed: Signed, tmp_path: Path, ending: str
) -> None:
    """A WAV with its own manifest, under another ending: the ending says where the proof must be."""
    path = Path(shutil.copyfile(signed.files[".wav"], tmp_path / f"spot{ending}"))
    assert manifest.read(path, signed.house.trust).state == "None"


# --- verify ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", CAPTIONS)
def test_captions_are_verified_by_what_they_can_prove(signed: Signed, ending: str) -> None:
    found = verify(signed.files[ending], signed.house.trust)
    assert {finding.rule: finding.verdict for finding in found.findings} == {
        "manifest-trusted": "pass", "disclosure-shown": "pass", "consent-stands": "pass",
    }  # fmt: skip
    assert (found.passed, found.proof) == (True, {"manifest": True, "shown disclosure": True})


@pytest.mark.parametrize("ending", SOUND)
def test_sound_with_a_sidecar_is_verified_like_any_other(signed: Signed, ending: str) -> None:
    found = verdicts(signed.files[ending], signed.house.trust)
    papers = ("manifest-trusted", "essence-unchanged", "consent-stands", "disclosure-heard", "watermark-detected")
    assert {found[rule] for rule in papers} == {"pass"}


@pytest.mark.parametrize("ending", CAPTIONS)
def test_captions_without_their_manifest_still_show_a_known_wording(
    signed: Signed, tmp_path: Path, ending: str
) -> None:
    ears = replace(EARS, wordings=load_wordings(signed.house.project))
    known = ears.wordings["es-ES"].short
    path = tmp_path / f"spot{ending}"
    path.write_text(CAPTIONS[ending].replace(DISCLOSURE, "\n".join(known.split(" ", 1))), encoding="utf-8")
    found = verify_file(path, signed.house.trust, NOTHING_KNOWN, ears)
    assert (found.passed, found.proof) == (False, {"manifest": False, "shown disclosure": True})
    path.write_text(CAPTIONS[ending].replace(DISCLOSURE, "Hola."), encoding="utf-8")
    assert not verify_file(path, signed.house.trust, NOTHING_KNOWN, ears).proof["shown disclosure"]


@pytest.mark.parametrize("ending", CAPTIONS)
def test_captions_that_begin_otherwise_than_their_manifest_says_fail(
    signed: Signed, tmp_path: Path, ending: str
) -> None:
    """Signed by this very house, but their first cue is a line."""
    plain = tmp_path / f"plain{ending}"
    plain.write_text(CAPTIONS[ending].replace(DISCLOSURE, "Hola."), encoding="utf-8")
    path = signed.sign(plain, tmp_path / f"spot{ending}")
    assert verdicts(path, signed.house.trust) == {
        "manifest-trusted": "pass", "disclosure-shown": "fail", "consent-stands": "pass",
    }  # fmt: skip


def test_captions_are_found_in_the_receipt_of_their_sound(signed: Signed, tmp_path: Path) -> None:
    path = Path(shutil.copyfile(signed.files[".srt"], tmp_path / "spot.srt"))
    shutil.copyfile(sidecar_of(signed.files[".srt"]), sidecar_of(path))
    assert not verify(path, signed.house.trust, strict=True).passed
    for beside, passes in (({path.name: sha256_file(path)}, True), ({path.name: "0" * 64}, False), ([], False)):
        body = {"file_sha256": "f" * 64, "beside": beside}
        receipt = to_text(sign_receipt(body, signed.house.keys.receipt_key))
        path.with_name(path.stem + ENDING).write_bytes(receipt)
        assert verify(path, signed.house.trust, strict=True).passed == passes


@pytest.mark.parametrize("ending", CAPTIONS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"-->", b"1\n00:00 --> 00:01", bytes(3000), b"<!-- " * 9000, b"a" * 1_100_000],
    ids=["empty", "not UTF-8", "an arrow", "no words", "zeros", "comments", "too long"],
)
def test_captions_that_are_none_are_judged_and_never_crash(
    signed: Signed, tmp_path: Path, ending: str, content: bytes
) -> None:
    path = tmp_path / f"spot{ending}"
    path.write_bytes(content)
    assert set(verdicts(path, signed.house.trust).values()) == {"fail"}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("1\n00:00:00,000 --> 00:00:01,000\nOne\ntwo\n\n2\n00:00:01,000 --> 00:00:02,000\nThree\n", "One two"),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\nBread &amp; butter\n", "Bread & butter"),
        ("\ufeff1\r\n00:00:00,000 --> 00:00:01,000\r\n  One \r\n\r\n2\r\n", "One"),
        ("1\n00:00:00,000 --> 00:00:01,000", ""),
        ("no cue here", ""),
        ("", ""),
    ],
)
def test_the_first_cue_is_what_is_read_first(text: str, first: str) -> None:
    assert first_cue(text) == first


# --- export ------------------------------------------------------------------------------------------------------

STEM = "lumen-coffee_es-ES_podcast"
Call = Callable[..., tuple[int, str, str]]


def run(clearspot: Call, scene: Scene) -> int:
    return clearspot(
        "run", scene.spot, "--runner", "inline", "--out", scene.out, "--locale", "es-ES", "--profile", "podcast"
    )[0]


def test_a_run_leaves_captions_that_prove_themselves(scene: Scene, clearspot: Call) -> None:
    assert run(clearspot, scene) == 0
    folder = scene.out / "lumen-coffee" / "es-ES"
    assert sorted(path.name.removeprefix(STEM) for path in folder.iterdir()) == [
        ".mp3", ".receipt.json", ".srt", ".srt.c2pa", ".vtt", ".vtt.c2pa",
    ]  # fmt: skip
    named = json.loads((folder / f"{STEM}.receipt.json").read_text())["receipt"]["beside"]
    assert named == {
        f"{STEM}{ending}": sha256_file(folder / f"{STEM}{ending}")
        for ending in (".srt.c2pa", ".srt", ".vtt.c2pa", ".vtt")
    }
    for ending in CAPTIONS:
        code, told, _ = clearspot("verify", "--strict", folder / f"{STEM}{ending}")
        assert (code, "verified" in told) == (0, True)
    (folder / f"{STEM}.srt.c2pa").unlink()
    code, told, _ = clearspot("verify", folder / f"{STEM}.srt")
    assert code == 1
    assert "left of its proof: shown disclosure; gone: manifest" in told


def test_the_manifest_of_a_run_says_what_consent_says_of_training(scene: Scene, clearspot: Call) -> None:
    scene.resign("training: true", "training: false")
    assert run(clearspot, scene) == 0
    folder = scene.out / "lumen-coffee" / "es-ES"
    trust = load_trust(scene.project.trust_dirs)
    for ending in (".mp3", ".srt", ".vtt"):
        said = assertions(read_directly(folder / f"{STEM}{ending}", trust)[1])
        assert said["cawg.training-mining"]["entries"]["cawg.ai_training"] == {"use": "notAllowed"}
        clearance = said["io.clearspot.clearance"]
        assert clearance["consent_record"] == "house-2026-11"
        assert len(clearance["consent_record_sha256"]) == len(clearance["script_sha256"]) == 64
        assert "baseline" in clearance["policies"]


@dataclass(frozen=True)
class Passed:
    """A deliverable in a format with a sidecar, that passed the gate and is not published yet."""

    job: Job
    made: Made
    gated: tuple[Any, Any]

    def publish(self) -> Path:
        voice = load_voice(self.made.grant.voice, self.job.project.voice_folders())
        return publish.publish(self.job, self.made, voice, *self.gated)

    @property
    def folder(self) -> Path:
        return self.job.folder("es-ES")

    def there(self) -> list[str]:
        return sorted(path.name.removeprefix(STEM) for path in self.folder.iterdir() if path.is_file())


def quiet(event: Event) -> None: ...


@pytest.fixture
def passed(scene: Scene, tmp_path: Path) -> Passed:
    asked = Asked(scene.spot, ("es-ES",), ("podcast",), scene.out)
    job = open_job(asked, open_desk(scene.project, scene.studio), quiet)
    timed = pipeline.align_script(job, pipeline.transcribe_recording(job))
    translation, grant = pipeline.translate_script(job, "es-ES"), pipeline.authorize_voice(job, "es-ES")
    timeline = pipeline.fit_timeline(job, timed, grant, pipeline.speak_lines(job, translation, grant))
    mixed = pipeline.mix_programme(job, timeline, None, "es-ES")
    made = pipeline.disclose_programme(job, mixed, timeline, translation, grant, "podcast", tmp_path)
    gated = pipeline.gate_candidate(job, made, timed)
    plain, sound = tmp_path / "plain.ogg", tmp_path / f"{STEM}.ogg"
    run_ffmpeg("-i", made.candidate.path, "-c:a", "libvorbis", "-map", "0:a", plain)
    manifest.sign(plain, sound, claim_of(plain), job.spot.recording, job.keys, job.trust)
    return Passed(job, replace(made, candidate=replace(made.candidate, path=sound)), gated)


ORDER = (".srt.c2pa", ".srt", ".vtt.c2pa", ".vtt", ".ogg.c2pa", ".ogg")


def test_sound_is_published_with_its_sidecar(passed: Passed) -> None:
    path = passed.publish()
    assert path == passed.folder / f"{STEM}.ogg"
    assert passed.there() == sorted([*ORDER, ".receipt.json"])
    assert manifest.read(path, passed.job.trust).state == "Trusted"
    assert not any(file.exists() for file in passed.made.candidate.files)


@pytest.mark.parametrize("stuck", ORDER)
def test_an_export_that_stops_anywhere_leaves_nothing_without_its_proof(passed: Passed, stuck: str) -> None:
    """A folder lies where one of the files belongs: what comes before it is there, what comes after is not."""
    (passed.folder / f"{STEM}{stuck}").mkdir(parents=True)
    with pytest.raises(MachineFault, match="cannot be moved into place"):
        passed.publish()
    assert passed.there() == sorted([*ORDER[: ORDER.index(stuck)], ".receipt.json"])
    for path in passed.folder.iterdir():
        if path.is_file() and path.suffix in BESIDE:
            assert manifest.read(path, passed.job.trust).state == "Trusted"


def test_what_is_withdrawn_takes_its_sidecars_along(passed: Passed) -> None:
    passed.publish()
    publish.withdraw(passed.job, "es-ES", "podcast", Refused("no more."), (), {}, {})
    assert passed.there() == sorted([*(f"{ending}.withdrawn" for ending in (*ORDER, ".receipt.json")), ".refusal.json"])


def test_what_the_gate_refuses_leaves_no_sidecar_anywhere(scene: Scene, clearspot: Call) -> None:
    scene.deaf_to = " "
    assert run(clearspot, scene) == 1
    assert scene.files() == [f"lumen-coffee/es-ES/{STEM}.refusal.json"]
