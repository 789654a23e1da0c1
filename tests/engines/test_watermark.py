"""The watermark with its real weights: held to what the original made of a sound, then to what we promise of it."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from clearspot.engines import perth
from clearspot.engines.perth import PerthWatermarker
from clearspot.engines.studio import Studio
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.files import PinnedFile
from clearspot.media.audio import Samples, decode, resample, to_f32le
from clearspot.media.bands import Framing, analyse, levels_of, synthesise
from clearspot.media.loudness import bring_to
from clearspot.project import Project, Settings
from scripts.make_watermark_golden import BRANCH_STEP, SAMPLE_STEP, sound
from tests.conftest import CHECKOUT, DEMO, run_ffmpeg, tone
from tests.unit.test_checkpoint import named, row, table, tensor, text, zipped

pytestmark = pytest.mark.real
GOLDEN = json.loads((CHECKOUT / "tests" / "data" / "watermark_golden.json").read_text(encoding="utf-8"))
RATE_HZ = 48_000
REFERENCE = Framing(32_000)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    weights = load_weights(Project(tmp_path_factory.mktemp("project"), Settings()))
    return weights.resolve("perth-implicit", commercial=True)["perth.pt"].read()


@pytest.fixture(scope="module")
def marker(checkpoint: bytes) -> PerthWatermarker:
    """At the original's strength."""
    return PerthWatermarker(lambda: {"perth.pt": checkpoint}, strength=1.0)


@pytest.fixture(scope="module")
def shipped(checkpoint: bytes) -> PerthWatermarker:
    """At the strength that programmes get."""
    return PerthWatermarker(lambda: {"perth.pt": checkpoint})


@pytest.fixture(scope="module")
def programme() -> Samples:
    """Twelve seconds of the demo's spokesperson over its bed, in stereo."""
    speech = decode(DEMO / "recording.flac", channels=1)[: 12 * RATE_HZ]
    bed = decode(DEMO / "bed.opus", channels=2)[: 12 * RATE_HZ]
    return (speech[:, None] + bed * np.float32(0.1)).astype(np.float32)


@pytest.fixture(scope="module")
def marked(shipped: PerthWatermarker, programme: Samples) -> Samples:
    return shipped.mark(programme)


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30))


def mid(programme: Samples) -> Samples:
    return programme.mean(axis=1, dtype=np.float32)


# --- the original ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    return levels_of(analyse(sound(), REFERENCE, 128).low, REFERENCE)


def test_levels_are_the_originals(levels: np.ndarray) -> None:
    assert levels.shape == (401, 128)
    for frame, expected in GOLDEN["levels"].items():
        assert levels[int(frame)] == pytest.approx(expected, abs=2e-5), frame


def test_the_encoder_is_the_originals(marker: PerthWatermarker, levels: np.ndarray) -> None:
    residual = marker.run("encoder", levels)
    for frame, expected in GOLDEN["residual"].items():
        assert residual[int(frame)] == pytest.approx(expected, abs=2e-6), frame


@pytest.mark.parametrize(("name", "stretch"), [("slow", 1.25), ("normal", 1.0), ("fast", 0.75)])
def test_the_decoder_is_the_originals(marker: PerthWatermarker, levels: np.ndarray, name: str, stretch: float) -> None:
    said = marker.run(name, perth.stretched(levels, int(len(levels) * stretch)))
    assert said[::BRANCH_STEP].ravel() == pytest.approx(GOLDEN["branches"][name], abs=5e-5)


def test_digital_silence_is_where_the_original_finds_it() -> None:
    heard = perth.audible(analyse(sound(), REFERENCE, 128).levels)
    assert np.flatnonzero(~heard).tolist() == GOLDEN["silent"]


def test_the_mark_is_the_originals(marker: PerthWatermarker) -> None:
    difference = marker.difference(sound(), REFERENCE)
    assert np.sqrt(np.mean(np.square(difference, dtype=np.float64))) == pytest.approx(
        GOLDEN["difference_rms"][0], rel=1e-4
    )
    assert difference[::SAMPLE_STEP] == pytest.approx(GOLDEN["difference"], abs=2e-6)


@pytest.mark.parametrize("share", GOLDEN["evidence"])
def test_the_answer_is_the_originals(marker: PerthWatermarker, share: str) -> None:
    mixed = sound() + np.float32(share) * marker.difference(sound(), REFERENCE)
    assert marker.evidence(mixed, 32_000) == pytest.approx(GOLDEN["evidence"][share][0], abs=2e-4)


def test_at_48_khz_the_mark_is_that_of_32_khz(marker: PerthWatermarker) -> None:
    """The same frames and bins: 130 dB below full scale is what resampling itself leaves."""
    low = sound()
    high = resample(low, 32_000, 48_000)
    expected = resample(marker.difference(low, REFERENCE), 32_000, 48_000)
    error = (marker.difference(high, Framing(48_000)) - expected)[RATE_HZ // 10 : -RATE_HZ // 10]
    assert level_db(error) < level_db(expected) - 50
    assert marker.evidence(high, 48_000) == pytest.approx(marker.evidence(low, 32_000), abs=1e-3)


# --- the front end -----------------------------------------------------------------------------------------------


LENGTHS = (1, 320, 1024, 1025, 1600, 4096, 48_000, 48_001, 48_319, 60 * 320)


@pytest.mark.parametrize("length", LENGTHS)
def test_sound_put_together_again_is_the_sound_to_its_last_sample(length: int) -> None:
    noise = np.random.RandomState(1).standard_normal(length).astype(np.float32)
    frames = analyse(noise, REFERENCE, 1025)
    assert synthesise(frames.low, length, REFERENCE) == pytest.approx(noise, abs=1e-5)


@pytest.mark.parametrize("rate_hz", [32_000, 48_000, 96_000])
def test_every_rate_has_the_same_frames(rate_hz: int) -> None:
    framing = Framing(rate_hz)
    frames, reference = (analyse(_chirp(each.rate_hz), each, 128) for each in (framing, REFERENCE))
    assert frames.low.shape == reference.low.shape == (101, 128)
    levels, expected = levels_of(frames.low, framing), levels_of(reference.low, REFERENCE)
    loud = expected[4:97] > 0.8  # the ends are mirrored at other samples
    assert loud.sum() > 1000
    assert levels[4:97][loud] == pytest.approx(expected[4:97][loud], abs=2e-5)


def _chirp(rate_hz: int) -> Samples:
    time_s = np.arange(rate_hz) / rate_hz
    return np.sin(2 * np.pi * (200 + 700 * time_s) * time_s).astype(np.float32)


@pytest.mark.parametrize(
    ("rate_hz", "fits"),
    [(8_000, False), (16_000, False), (22_050, False), (44_100, False), (32_000, True), (48_000, True)],
)
def test_rates_that_need_no_resampling(rate_hz: int, fits: bool) -> None:
    assert Framing.fits(rate_hz) is fits


# --- what is promised of a marked programme ----------------------------------------------------------------------


def test_a_marked_programme_is_found_and_an_unmarked_one_is_not(
    shipped: PerthWatermarker, programme: Samples, marked: Samples
) -> None:
    assert shipped.detect(mid(marked), RATE_HZ) > shipped.detected_from + 0.2
    assert shipped.detect(mid(programme), RATE_HZ) < shipped.detected_from - 0.2


@pytest.mark.parametrize("length", [0, 1, 2, 479, 480, 1535, 1536, 1537, 48_000, 48_001, 96_479])
def test_length_and_type_stay(shipped: PerthWatermarker, programme: Samples, length: int) -> None:
    given = programme[2 * RATE_HZ :][:length]
    marked = shipped.mark(given)
    assert marked.shape == (length, 2)
    assert marked.dtype == np.float32
    assert np.isfinite(marked).all()


def test_stereo_stays(programme: Samples, marked: Samples) -> None:
    """The same is added to both channels: what differs between them is one rounding of float32."""
    side, side_after = (np.diff(each.astype(np.float64), axis=1) for each in (programme, marked))
    assert np.abs(side).max() > 0.01
    assert np.abs(side_after - side).max() <= np.finfo(np.float32).eps


def test_equal_channels_stay_equal(shipped: PerthWatermarker, programme: Samples) -> None:
    mono = np.repeat(programme[: 2 * RATE_HZ, :1], 2, axis=1)
    marked = shipped.mark(mono)
    assert np.array_equal(marked[:, 0], marked[:, 1])


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "at_most_dbfs"), [(16_000, 24_000, -110), (8_000, 16_000, -95), (4_000, 8_000, -80)]
)
def test_what_lies_above_the_mark_stays(
    programme: Samples, marked: Samples, from_hz: int, to_hz: int, at_most_dbfs: float
) -> None:
    """The mark lies below 2 kHz; above are the skirts of its windows, lower than 16 bits can hold."""
    inside = np.hanning(len(programme))  # the excerpt is cut where there is sound
    spectrum = np.fft.rfft(mid(marked - programme).astype(np.float64) * inside) / len(programme)
    frequencies = np.fft.rfftfreq(len(programme), 1 / RATE_HZ)
    band = (frequencies >= from_hz) & (frequencies < to_hz)
    assert 10 * np.log10(2 * np.sum(np.abs(spectrum[band]) ** 2)) < at_most_dbfs


def test_digital_silence_stays_silent(shipped: PerthWatermarker, programme: Samples) -> None:
    silence = np.zeros((2 * RATE_HZ, 2), dtype=np.float32)
    assert np.array_equal(shipped.mark(silence), silence)
    marked = shipped.mark(np.concatenate([silence, programme[: 3 * RATE_HZ], silence]))
    assert not marked[: 19 * RATE_HZ // 10].any()
    assert not marked[-19 * RATE_HZ // 10 :].any()
    assert shipped.detect(mid(marked), RATE_HZ) > shipped.detected_from


def test_the_programme_itself_is_left_alone(shipped: PerthWatermarker, programme: Samples) -> None:
    before = programme.copy()
    shipped.mark(programme)
    shipped.detect(mid(programme), RATE_HZ)
    assert np.array_equal(before, programme)


def test_two_channels_that_cancel_have_no_mono_mix_to_mark(shipped: PerthWatermarker) -> None:
    one = tone(3)
    against = np.stack([one, -one], axis=1)
    assert np.array_equal(shipped.mark(against), against)


def test_a_clipped_and_loud_programme_is_marked_too(shipped: PerthWatermarker, programme: Samples) -> None:
    loud = np.clip(programme * np.float32(12), -1, 1)
    marked = shipped.mark(loud)
    assert np.isfinite(marked).all()
    assert shipped.detect(np.clip(mid(marked), -1, 1), RATE_HZ) > shipped.detected_from


@pytest.mark.parametrize(("weaker", "stronger"), [(0.5, 1.0), (1.0, 1.5)])
def test_strength_is_how_much(checkpoint: bytes, programme: Samples, weaker: float, stronger: float) -> None:
    levels_db, found = [], []
    for strength in (weaker, stronger):
        marker = PerthWatermarker(lambda: {"perth.pt": checkpoint}, strength)
        marked = marker.mark(programme[: 6 * RATE_HZ])
        levels_db.append(level_db(marked - programme[: 6 * RATE_HZ]))
        found.append(marker.evidence(mid(marked), RATE_HZ))
    expected_db = 20 * np.log10(stronger / weaker)
    assert levels_db[1] - levels_db[0] == pytest.approx(expected_db, abs=1)
    assert found[0] < found[1]


# --- on the way to the listener ----------------------------------------------------------------------------------

WAYS: dict[str, tuple[str, ...]] = {
    "wav": (),
    "mp3": ("-b:a", "128k"),
    "m4a": ("-c:a", "aac", "-b:a", "128k"),
    "opus": ("-c:a", "libopus", "-b:a", "32k"),
    "flac": ("-filter:a", "volume=-12dB"),
    "ogg": ("-filter:a", "highpass=300,lowpass=3400", "-ac", "1", "-ar", "16000"),
}


@pytest.fixture(scope="module")
def delivered(programme: Samples, marked: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both programmes at -16 LUFS, in every format."""
    folder = tmp_path_factory.mktemp("delivered")
    for name, samples in {"unmarked": programme, "marked": marked}.items():
        raw = folder / f"{name}.raw"
        raw.write_bytes(to_f32le(bring_to(samples, -16.0, -1.5)))
        for ending, options in WAYS.items():
            run_ffmpeg("-f", "f32le", "-ar", "48000", "-ac", "2", "-i", raw, *options, folder / f"{name}.{ending}")
    return folder


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("ending", WAYS)
def test_the_mark_arrives_and_is_not_found_where_it_is_not(
    shipped: PerthWatermarker, delivered: Path, ending: str, rate_hz: int
) -> None:
    found, not_found = (
        shipped.detect(decode(delivered / f"{name}.{ending}", channels=1, rate_hz=rate_hz), rate_hz)
        for name in ("marked", "unmarked")
    )
    assert found > shipped.detected_from + 0.1
    assert not_found < shipped.detected_from / 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.RandomState(2).standard_normal(5 * RATE_HZ).astype(np.float32) * np.float32(0.1),
        lambda: np.sign(tone(5)),
        lambda: decode(DEMO / "bed.opus", channels=1)[: 20 * RATE_HZ],
    ],
    ids=["noise", "a square", "music"],
)
def test_what_is_no_speech_has_no_mark(shipped: PerthWatermarker, make: Callable[[], Samples]) -> None:
    assert shipped.detect(make(), RATE_HZ) < shipped.detected_from


# --- long, at once, and again ------------------------------------------------------------------------------------


def test_pieces_of_a_long_programme_join_without_a_seam(
    marker: PerthWatermarker, programme: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = marker.mark(programme)
    evidence = marker.evidence(mid(whole), RATE_HZ)
    monkeypatch.setattr(perth, "CHUNK_FRAMES", 301)  # three seconds, and a joint where no second ends
    assert marker.mark(programme) == pytest.approx(whole, abs=1e-6)
    assert marker.evidence(mid(whole), RATE_HZ) == pytest.approx(evidence, abs=0.02)


def test_a_long_programme_needs_little_more_memory_than_itself(
    shipped: PerthWatermarker, programme: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk of work, however long it is: here of five seconds, 70 MB for a minute."""
    monkeypatch.setattr(perth, "CHUNK_FRAMES", 500)
    long = np.tile(programme, (15, 1))  # three minutes
    mono = mid(long)
    tracemalloc.start()
    try:
        shipped.mark(long)
        _, for_marking = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        shipped.detect(mono, RATE_HZ)
        _, for_finding = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert for_marking < long.nbytes * 1.5 + 40_000_000
    assert for_finding < mono.nbytes * 1.5 + 40_000_000


def test_every_thread_and_every_process_gives_the_same(
    checkpoint: bytes, shipped: PerthWatermarker, programme: Samples
) -> None:
    reads: list[int] = []

    def read() -> dict[str, bytes]:
        reads.append(threading.get_ident())
        return {"perth.pt": checkpoint}

    marker = PerthWatermarker(read)
    assert reads == [], "nothing is loaded before it is asked"
    given = programme[: 4 * RATE_HZ]
    with ThreadPoolExecutor(4) as pool:
        marked = list(pool.map(marker.mark, [given] * 4))
        found = list(pool.map(lambda each: marker.evidence(mid(each), RATE_HZ), marked))
    assert len(reads) == 1
    assert all(np.array_equal(shipped.mark(given), each) for each in marked)
    assert len(set(found)) == 1


def test_the_studio_has_one_and_names_its_weights(tmp_path: Path) -> None:
    studio = Studio(load_weights(Project(tmp_path, Settings())), "whisper-base", workers=1)
    assert studio.watermarker() is studio.watermarker()
    assert studio.watermarker().version.startswith("perth implicit at strength ")
    assert list(studio.watermark_sha256()) == ["perth.pt"]
    assert all(len(digest) == 64 for digest in studio.watermark_sha256().values())
    studio.stop()


# --- what cannot be marked, or is not what it seems --------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda programme: programme[:, 0], "stereo"),
        (lambda programme: programme[:, :1], "stereo"),
        (lambda programme: np.repeat(programme, 3, axis=1), "stereo"),
        (lambda programme: np.where(programme > 0.1, np.nan, programme), "finite"),
        (lambda programme: np.where(programme > 0.1, np.inf, programme), "finite"),
        (lambda programme: programme * np.float32(1e30), "finite"),
    ],
    ids=["mono", "one channel", "six channels", "nan", "inf", "huge"],
)
def test_what_is_no_programme_is_told(
    shipped: PerthWatermarker, programme: Samples, spoil: Callable[[Samples], Samples], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        shipped.mark(spoil(programme).astype(np.float32))


@pytest.mark.parametrize(
    "spoil", [lambda s: np.append(s, np.float32("nan")), lambda s: np.append(s, np.float32("-inf"))]
)
def test_a_mark_is_not_looked_for_in_what_is_no_sound(
    shipped: PerthWatermarker, marked: Samples, spoil: Callable[[Samples], Samples]
) -> None:
    with pytest.raises(BadInput, match="finite"):
        shipped.detect(spoil(mid(marked)), RATE_HZ)
    with pytest.raises(BadInput, match="mono"):
        shipped.detect(marked, RATE_HZ)


@pytest.mark.parametrize("scale", [0.0, 1e-40, 1e-12, 1e-6, 1e3])
@pytest.mark.parametrize("length", [0, 1, 1000, 47_999, 48_000, 240_000])
def test_no_length_and_no_level_gives_anything_but_a_confidence(
    shipped: PerthWatermarker, marked: Samples, scale: float, length: int
) -> None:
    found = shipped.detect(mid(marked)[:length] * np.float32(scale), RATE_HZ)
    assert 0 <= found <= 1
    assert found == 0 or (length >= 48_000 and scale)


MISSHAPEN = table(model=table(**{"encoder.layers.0.conv.weight": tensor()}))
RUNS_A_COMMAND = named("posix", "system") + row(text("id")) + b"R"


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        (lambda data: {}, MachineFault, "cannot be loaded"),
        (lambda data: {"perth.pt": b""}, MachineFault, "not a torch checkpoint"),
        (lambda data: {"perth.pt": data[:-1000]}, MachineFault, "not a torch checkpoint"),
        (lambda data: {"perth.pt": data.replace(b"slow_layers.3", b"slow_layers.9")}, MachineFault, "damaged"),
        (lambda data: {"perth.pt": zipped(table(t=tensor()))}, MachineFault, "no encoder.layers.0.conv.weight"),
        (lambda data: {"perth.pt": zipped(MISSHAPEN)}, MachineFault, r"shape \(2, 3\), not \(256, 128, 1\)"),
        (lambda data: {"perth.pt": zipped(RUNS_A_COMMAND)}, Refused, "asks for 'posix.system'"),
    ],
)
def test_weights_that_are_not_perths_are_told(
    checkpoint: bytes,
    programme: Samples,
    damage: Callable[[bytes], dict[str, bytes]],
    error: type[ClearspotError],
    told: str,
) -> None:
    broken = PerthWatermarker(lambda: damage(checkpoint))
    for _ in range(2):  # and it does not get better by asking again
        with pytest.raises(error, match=told):
            broken.mark(programme[: 2 * RATE_HZ])
    with pytest.raises(error, match=told):
        broken.detect(mid(programme), RATE_HZ)


def test_one_changed_byte_of_the_weights_is_refused(tmp_path: Path, programme: Samples, checkpoint: bytes) -> None:
    """By their digest, before anything of them is read."""
    project = Project(tmp_path, Settings())
    weights = load_weights(project)
    pinned = weights.resolve("perth-implicit", commercial=True)["perth.pt"]
    changed = bytearray(checkpoint)
    changed[len(changed) // 2] ^= 1
    copy = tmp_path / "perth.pt"
    copy.write_bytes(changed)
    tampered = PinnedFile(copy, pinned.sha256)
    with pytest.raises(Refused, match=r"perth\.pt"):
        PerthWatermarker(lambda: {"perth.pt": tampered.read()}).mark(programme)
