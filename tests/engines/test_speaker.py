"""The speaker encoder with its real weights, held to what the original made of the same sounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clearspot.engines import speaker
from clearspot.engines.speaker import ResemblyzerEncoder, similarity
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode
from clearspot.project import Project, Settings
from scripts.make_speaker_golden import sound, windows
from tests.conftest import CHECKOUT, DEMO, tone

pytestmark = pytest.mark.real
GOLDEN = json.loads((CHECKOUT / "tests" / "data" / "speaker_golden.json").read_text(encoding="utf-8"))
JFK = CHECKOUT.parent / "shared" / "audio" / "jfk.flac"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    weights = load_weights(Project(tmp_path_factory.mktemp("project"), Settings()))
    return weights.resolve("speaker-encoder", commercial=True)["encoder.pt"].read()


@pytest.fixture(scope="module")
def encoder(checkpoint: bytes) -> ResemblyzerEncoder:
    return ResemblyzerEncoder(lambda: {"encoder.pt": checkpoint})


@pytest.fixture(scope="module")
def recording() -> Samples:
    return decode(DEMO / "recording.flac", channels=1, rate_hz=LISTEN_RATE_HZ)


def speech() -> Samples:
    return speaker.level_to(sound(), speaker.LOUDNESS_DBFS)


# --- the original ------------------------------------------------------------------------------------------------


def test_every_sound_is_brought_to_the_level_that_the_original_raises_quiet_ones_to() -> None:
    assert np.sqrt(np.mean(np.square(speech(), dtype=np.float64))) == pytest.approx(GOLDEN["rms"], rel=1e-6)
    assert speaker.level_to(sound() * 100, speaker.LOUDNESS_DBFS) == pytest.approx(speech(), abs=1e-6)


def test_the_mel_spectrogram_is_the_originals() -> None:
    mels = speaker.mel_spectrogram(speech())
    assert mels.shape == (431, 40)
    assert mels.dtype == np.float32
    for frame, expected in GOLDEN["mels"].items():
        assert mels[int(frame)] == pytest.approx(expected, rel=2e-5, abs=1e-7), frame


def test_long_sound_gives_the_same_spectrogram_in_blocks() -> None:
    long = np.tile(speech(), 15)  # 64.5 s: more than a block
    mels = speaker.mel_spectrogram(long)
    assert mels.shape == (6451, 40)
    assert mels[5590:6400] == pytest.approx(mels[430 * 10 : 430 * 10 + 810], rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("length", "starts"), GOLDEN["starts"].items())
def test_windows_lie_where_the_originals_do(length: str, starts: list[int]) -> None:
    assert speaker.window_starts(int(length)) == starts


def test_the_network_is_the_originals(encoder: ResemblyzerEncoder) -> None:
    embeddings = encoder.embed_mels(windows())
    assert embeddings.shape == (2, 256)
    assert embeddings.ravel() == pytest.approx(GOLDEN["of_windows"], abs=2e-6)


def test_batches_change_nothing(encoder: ResemblyzerEncoder) -> None:
    many = np.tile(windows(), (40, 1, 1))
    assert encoder.embed_mels(many) == pytest.approx(np.tile(encoder.embed_mels(windows()), (40, 1)), abs=1e-6)


def test_the_whole_is_the_originals(encoder: ResemblyzerEncoder) -> None:
    embedding = encoder.embed_speech(speech())
    assert embedding.shape == (256,)
    assert embedding.dtype == np.float32
    assert embedding == pytest.approx(GOLDEN["embedding"], abs=2e-6)
    assert similarity(embedding, np.array(GOLDEN["embedding"], dtype=np.float32)) == pytest.approx(1, abs=1e-6)


# --- several pieces at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.6, 1.61, 2.4, 3.19, 3.2, 3.21, 4.81, 30.0])
def test_few_windows_leave_nothing_unheard(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """What is at any moment of a piece is in a window; the last 10 ms may be in none."""
    monkeypatch.setattr(speaker, "mel_spectrogram", lambda speech: np.arange(len(speech) // speaker.MEL_HOP + 1))
    windows = speaker.windows_over(np.ones(round(seconds * LISTEN_RATE_HZ), dtype=np.float32))
    assert set(windows.ravel()) == set(range(round(seconds * 100)))
    assert len(windows) == -(-round(seconds * 100) // speaker.WINDOW_FRAMES)


def test_pieces_at_once_are_what_each_is_alone(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    pieces = [recording[at * LISTEN_RATE_HZ :][: round(length_s * LISTEN_RATE_HZ)] for at, length_s in ((2, 3), (9, 5))]
    together = encoder.embed_each(pieces)
    assert [each.shape for each in together] == [(2, 256), (4, 256)]
    for piece, who in zip(pieces, together, strict=True):
        assert encoder.embed_each([piece])[0] == pytest.approx(who, abs=1e-6)
        assert np.linalg.norm(who, axis=1) == pytest.approx(1, abs=1e-6)
        mean = who.mean(axis=0)
        assert similarity(mean, encoder.embed_speech(speaker.level_to(piece, speaker.LOUDNESS_DBFS))) > 0.97


def test_what_is_too_short_is_heard_over_and_over(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    brief = recording[2 * LISTEN_RATE_HZ :][: LISTEN_RATE_HZ * 7 // 10]
    (who,) = encoder.embed_each([brief])
    assert who == pytest.approx(encoder.embed_each([np.tile(brief, 3)])[0], abs=1e-6)


def test_in_what_cannot_be_heard_nobody_is(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    piece = recording[2 * LISTEN_RATE_HZ :][: 2 * LISTEN_RATE_HZ]
    broken = np.where(np.arange(len(piece)) == 5, np.float32(np.nan), piece)
    silent, empty, damaged, heard = encoder.embed_each([np.zeros_like(piece), piece[:0], broken, piece])
    assert [len(each) for each in (silent, empty, damaged, heard)] == [0, 0, 0, 2]
    assert encoder.embed_each([]) == ()
    assert encoder.embed_each([piece[:0]])[0].shape == (0, 256)


# --- voices ------------------------------------------------------------------------------------------------------


def test_one_voice_is_itself_whatever_it_says_and_however_loud(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    half = len(recording) // 2
    first, second = encoder.embed(recording[:half]), encoder.embed(recording[half:])
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
    assert similarity(first, second) > 0.85
    assert similarity(first, encoder.embed(recording[:half] * np.float32(0.01))) > 0.999


@pytest.mark.skipif(not JFK.exists(), reason="no recording of human speech beside the project")
def test_a_human_is_himself_and_not_the_demos_voice(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    human = decode(JFK, channels=1, rate_hz=LISTEN_RATE_HZ)
    first, second = (encoder.embed(half) for half in np.array_split(human, 2))
    assert similarity(first, second) > 0.8
    assert similarity(encoder.embed(human), encoder.embed(recording)) < 0.65


def test_silence_around_speech_changes_little(encoder: ResemblyzerEncoder, recording: Samples) -> None:
    spoken = recording[: 12 * LISTEN_RATE_HZ]
    faint = np.random.RandomState(3).standard_normal(20 * LISTEN_RATE_HZ).astype(np.float32) * np.float32(1e-4)
    assert similarity(encoder.embed(spoken), encoder.embed(np.concatenate([faint, spoken, faint]))) > 0.97


def test_the_same_samples_give_the_same_vector_from_every_thread(checkpoint: bytes, recording: Samples) -> None:
    reads: list[int] = []

    def read() -> dict[str, bytes]:
        reads.append(1)
        return {"encoder.pt": checkpoint}

    encoder = ResemblyzerEncoder(read)
    assert reads == [], "nothing is loaded before it is asked"
    before = recording.copy()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoder.embed, [recording[: 5 * LISTEN_RATE_HZ]] * 4))
    assert reads == [1]
    assert all(np.array_equal(found[0], other) for other in found)
    assert np.array_equal(before, recording)
    assert encoder.version.startswith("resemblyzer encoder in onnxruntime ")


# --- what is no voice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda spoken: spoken[:0], "silent"),
        (np.zeros_like, "silent"),
        (lambda spoken: np.append(spoken, np.float32("nan")), "finite"),
        (lambda spoken: np.append(spoken, np.float32("inf")), "finite"),
        (lambda spoken: np.stack([spoken, spoken], axis=1), "mono"),
        (lambda spoken: tone(5, rate_hz=LISTEN_RATE_HZ), r"holds \d\.\d s of speech"),
        (lambda spoken: spoken[LISTEN_RATE_HZ : LISTEN_RATE_HZ * 101 // 100], "holds 0.0 s of speech"),
        (lambda spoken: spoken[LISTEN_RATE_HZ : 2 * LISTEN_RATE_HZ], r"holds \d\.\d s of speech.* at least 1\.6 s"),
    ],
    ids=["nothing", "silence", "nan", "inf", "stereo", "a tone", "10 ms", "1 s"],
)
def test_what_holds_no_voice_is_told(
    encoder: ResemblyzerEncoder, recording: Samples, make: Callable[[Samples], Samples], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        encoder.embed(make(recording[: 5 * LISTEN_RATE_HZ]))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_no_level_makes_a_vector_of_nothing(encoder: ResemblyzerEncoder, recording: Samples, scale: float) -> None:
    scaled = recording[: 5 * LISTEN_RATE_HZ] * np.float32(scale)
    try:
        embedding = encoder.embed(scaled)
    except BadInput:
        return
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        (lambda data: {}, MachineFault, "cannot be loaded"),
        (lambda data: {"encoder.pt": b""}, MachineFault, "not a torch checkpoint"),
        (lambda data: {"encoder.pt": data[:-1]}, MachineFault, "ends inside"),
        (lambda data: {"encoder.pt": data.replace(b"weight_hh_l2", b"weight_hh_l9")}, MachineFault, "weight_hh_l2"),
        (lambda data: {"encoder.pt": data.replace(b"FloatStorage", b"QInt8Storage")}, Refused, "QInt8Storage"),
    ],
)
def test_weights_that_are_not_the_encoders_are_told(
    checkpoint: bytes,
    recording: Samples,
    damage: Callable[[bytes], dict[str, bytes]],
    error: type[ClearspotError],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        ResemblyzerEncoder(lambda: damage(checkpoint)).embed(recording[: 5 * LISTEN_RATE_HZ])
