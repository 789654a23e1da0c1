"""How a voice sounds, for the gate to know it again: from the consent's recording, or from the granted voice itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.engines.protocols import SpeakerEncoder
from clearspot.engines.weights import Weights
from clearspot.errors import BadInput, MachineFault
from clearspot.files import PinnedFile
from clearspot.gate.speaker import Likeness, Speaker, compare
from clearspot.hashing import sha256_file
from clearspot.identity import DOMAIN, likeness_of
from clearspot.media.audio import LISTEN_RATE_HZ, Samples
from clearspot.project import Project
from clearspot.signing import sign
from clearspot.timebase import RATE_HZ
from clearspot.timeline import Placed
from tests.change_scenes import Call, change, make_small, run, sine
from tests.conftest import FakeStudio, Scene
from tests.unit.consent_scenes import talent_voice


class ByLevel:
    """Two voices, told from each other by how loud they are; silence is nobody's."""

    version = "by level"
    enough_s = 1.0

    def embed(self, samples: Samples) -> np.ndarray:
        level = float(np.abs(samples).max(initial=0.0))
        if level == 0.0:
            raise BadInput("is silent.")
        share = np.float32(level)
        return np.array([share, np.sqrt(1 - share * share)], dtype=np.float32)

    def embed_each(self, speeches: Iterable[Samples]) -> tuple[np.ndarray, ...]:
        return tuple(self.embed(speech)[None] if speech.any() else np.zeros((0, 2)) for speech in speeches)


NORA = Likeness("spoken", np.array([0.1, np.sqrt(0.99)], dtype=np.float32))
ENCODER: SpeakerEncoder = ByLevel()


def placed(line: str, start_s: float, length_s: float = 1.0) -> Placed:
    return Placed(line, line, round(start_s * RATE_HZ), np.zeros(round(length_s * RATE_HZ), dtype=np.float32), 1.0)


def listening(**levels: float) -> tuple[Samples, list[Placed]]:
    """A second for each clip, at its level."""
    sound = np.concatenate([np.full(LISTEN_RATE_HZ, level, dtype=np.float32) for level in levels.values()])
    return sound, [placed(line, at) for at, line in enumerate(levels)]


def test_each_part_is_held_against_the_voice() -> None:
    found = compare(*listening(disclosure=0.1, hook=0.1, offer=0.9), ENCODER, NORA)
    assert found.kind == "spoken"
    assert found.disclosure == pytest.approx(1.0)
    assert found.lines == pytest.approx(0.87, abs=0.01), "the mean of one that is and one that is not"
    assert found.least == ("offer", pytest.approx(0.52, abs=0.01))
    assert found.short is None


def test_every_disclosure_counts() -> None:
    sound, clips = listening(disclosure=0.1, hook=0.1, again=0.9)
    clips[2] = placed("disclosure", 2)
    found = compare(sound, clips, ENCODER, NORA)
    assert found.disclosure == pytest.approx(0.52, abs=0.01), "the one that is another's"
    assert found.least == ("hook", pytest.approx(1.0))
    silent, _ = listening(disclosure=0.1, hook=0.1, again=0.0)
    assert compare(silent, clips, ENCODER, NORA).disclosure is None, "who says the second cannot be told"


def test_where_nobody_is_heard_it_is_nobody_whom_we_know() -> None:
    found = compare(*listening(disclosure=0.1, hook=0.0, offer=0.1), ENCODER, NORA)
    assert found.least == ("hook", 0.0)
    assert found.lines == pytest.approx(1.0), "of what is heard"
    found = compare(*listening(disclosure=0.0, hook=0.0), ENCODER, NORA)
    assert (found.disclosure, found.lines, found.least) == (None, None, ("hook", 0.0))
    sound, clips = listening(disclosure=0.1, hook=0.1)
    found = compare(sound[: LISTEN_RATE_HZ // 2], clips, ENCODER, NORA)  # the file ends before it was all said
    assert (found.disclosure, found.lines, found.short) == (None, None, ("hook", 0.0))
    assert compare(sound, clips[1:], ENCODER, NORA).disclosure is None
    assert compare(sound, [], ENCODER, NORA) == Speaker("spoken", None, None, None, None)


def test_a_line_that_says_too_little_counts_by_itself_and_with_the_others() -> None:
    sound, clips = listening(disclosure=0.1, hook=0.1, offer=0.9)
    found = compare(sound, [*clips[:2], placed("offer", 2, 0.34)], ENCODER, NORA)
    assert found.least == ("hook", pytest.approx(1.0))
    assert found.short == ("offer", pytest.approx(0.52, abs=0.01))
    assert found.lines == pytest.approx(0.97, abs=0.01), "a third as long, it counts a third as much"
    shorts = [placed(line, at, 0.5) for at, line in enumerate(("disclosure", "hook", "offer"))]
    found = compare(sound, shorts, ENCODER, NORA)
    assert found.disclosure is None, "too little to tell"
    assert found.lines == pytest.approx(0.87, abs=0.01), "together they are enough"


# --- where it comes from -----------------------------------------------------------------------------------------


def remembered(scene: Scene) -> list[Path]:
    return sorted(scene.project.likenesses_dir.glob("*.json"))


def test_a_synthetic_voice_is_its_own_measure_and_is_asked_once(scene: Scene, clearspot: Call) -> None:
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    asked = [(locale, text) for locale, text, _ in scene.studio.voice.asked]
    assert len(remembered(scene)) == 2
    for locale, words in (("es-ES", "voz"), ("it-IT", "voce")):
        spoken = [text for spoken_in, text in asked if spoken_in == locale and words in text]
        assert len(spoken) == 2, "the disclosure, and once more for its likeness"
    scene.studio.voice.asked.clear()
    change(scene.spot)
    assert run(clearspot, scene)[0] == 0
    assert len(scene.studio.voice.asked) == 1


def test_what_was_remembered_is_used_only_while_it_is_whole(scene: Scene, clearspot: Call) -> None:
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    kept = {path: path.read_bytes() for path in remembered(scene)}
    stranger = Ed25519PrivateKey.generate()
    spoils: list[Callable[[dict[str, Any]], Any]] = [
        lambda _: [1, 2],
        lambda _: {},
        lambda told: told["likeness"],
        lambda told: told | {"likeness": told["likeness"] | {"embedding": [1.0] + 255 * [0.0]}},
        lambda told: told | {"signature": 7},
        lambda told: told | {"signature": sign(DOMAIN, told["likeness"], stranger)},
    ]
    spoilt = [lambda told, spoil=spoil: json.dumps(spoil(json.loads(told))).encode() for spoil in spoils]
    for spoil in (lambda _: b"", lambda _: b"\xff", lambda told: told[:-9], lambda _: b"[" * 100_000, *spoilt):
        for path, told in kept.items():
            path.write_bytes(spoil(told))
        scene.out = scene.out.with_name(f"{scene.out.name}-again")
        assert run(clearspot, scene)[0] == 0
        assert {path: path.read_bytes() for path in remembered(scene)} == kept


def test_one_that_was_remembered_for_another_voice_is_none(scene: Scene, clearspot: Call) -> None:
    """Signed it is, but not for this: two locales' likenesses change places."""
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    one, other = remembered(scene)
    before = one.read_bytes(), other.read_bytes()
    one.write_bytes(before[1])
    other.write_bytes(before[0])
    scene.out = scene.out.with_name("again")
    assert run(clearspot, scene)[0] == 0
    assert (one.read_bytes(), other.read_bytes()) == before


def test_a_voice_that_is_another_is_refused(scene: Scene, clearspot: Call) -> None:
    """The likeness is remembered; what is heard in the files is another voice."""
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    other = np.zeros(256, dtype=np.float32)
    other[0] = 1.0
    scene.studio.encoder.embed = lambda samples: other  # type: ignore[method-assign]
    scene.out = scene.out.with_name("again")
    code, said = run(clearspot, scene)
    assert code == 1
    assert {one["verdict"] for one in said["deliverables"]} == {"refused"}
    assert "speaker-consented: disclosure 0.06, lines 0.06" in said["deliverables"][0]["error"]["what"]
    assert [path for path in scene.out.rglob("*.mp3")] == []


def test_what_lies_in_the_place_of_a_talents_recording_is_not_listened_to(
    project: Project, fake_studio: FakeStudio
) -> None:
    """It is held to the digest in the consent while it is read: another one in its place makes no likeness."""
    ana = talent_voice(project)
    path = ana.folder / ana.record()["evidence"]["reference"]["file"]
    sine(path, 220, 3)
    job: Any = SimpleNamespace(project=project, studio=fake_studio)
    grant: Any = SimpleNamespace(voice="ana")
    with pytest.raises(MachineFault, match="changed while the spot was made"):
        likeness_of(job, grant)
    ana.resign({"evidence/reference/sha256": sha256_file(path)})
    found = likeness_of(job, grant)
    assert (found.kind, found.embedding.shape) == ("recorded", (256,))


def test_a_voice_that_only_the_store_has_is_fetched_to_be_known(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that never spoke, with a store that others filled: nothing is spoken but the likeness."""
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    for path in remembered(scene):
        path.unlink()
    scene.studio.voice.asked.clear()
    fetched, resolve = [], Weights.resolve

    def resolve_and_note(self: Weights, model_id: str, *, commercial: bool) -> dict[str, PinnedFile]:
        fetched.append(model_id)
        return resolve(self, model_id, commercial=commercial)

    monkeypatch.setattr(Weights, "resolve", resolve_and_note)
    sine(scene.spot / "bed.flac", 440, 4)
    assert run(clearspot, scene)[0] == 0
    assert {"kokoro-82m-int8", "kokoro-styles"} <= {*fetched}
    assert len(scene.studio.voice.asked) == 2
