"""Loudness measured beside an independent meter, and brought to its target without losing a sample."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import resample_poly

from clearspot.config import load_profile
from clearspot.errors import MachineFault, Refused
from clearspot.media.audio import Samples
from clearspot.media.loudness import SILENT_LUFS, bring_to, decode_and_follow, decode_and_measure, measure, parse
from clearspot.project import Project, Settings
from clearspot.stages.disclose import encode, encode_to
from tests.conftest import tone

RATE_HZ = 48_000
TARGETS = ((-23.0, -1.0), (-16.0, -1.0), (-14.0, -1.0), (-23.0, -3.0), (-16.0, -2.0))


def stereo(left: Samples, right: Samples | None = None) -> Samples:
    return np.stack([left, left if right is None else right], axis=1).astype(np.float32)


def bursts() -> Samples:
    """Five seconds of noise like syllables: 0.3 s on, 0.2 s off, different in each ear."""
    random = np.random.default_rng(1)
    noise = random.normal(scale=0.05, size=(5 * RATE_HZ, 2))
    on = (np.arange(len(noise)) % (RATE_HZ // 2)) < 0.3 * RATE_HZ
    return (noise * on[:, None]).astype(np.float32)


def tones() -> Samples:
    """A low and a high tone, one louder than the other."""
    return stereo(tone(6.0, hz=100, level_db=-18), tone(6.0, hz=4000, level_db=-30))


def loud_then_soft() -> Samples:
    """Speech level, then 30 dB less: the relative gate of BS.1770 leaves the second half out."""
    random = np.random.default_rng(2)
    noise = random.normal(scale=0.1, size=8 * RATE_HZ).astype(np.float32)
    noise[4 * RATE_HZ :] *= 10 ** (-30 / 20)
    return stereo(noise)


def peaky() -> Samples:
    """Quiet noise with a click at full scale ten times a second: 40 dB between loudness and peaks."""
    random = np.random.default_rng(3)
    sound = random.normal(scale=0.01, size=5 * RATE_HZ).astype(np.float32)
    for start in range(RATE_HZ // 20, len(sound), RATE_HZ // 10):
        sound[start : start + 24] += np.hanning(24).astype(np.float32)
    return stereo(sound)


PROGRAMMES: tuple[Callable[[], Samples], ...] = (bursts, tones, loud_then_soft)


def meter_lufs(programme: Samples) -> float:
    """Integrated loudness by pyloudnorm."""
    return float(pyloudnorm.Meter(RATE_HZ).integrated_loudness(programme.astype(np.float64)))


def peak_dbtp(programme: Samples) -> float:
    """True peak: the highest sample at four times the rate (BS.1770-4, annex 2)."""
    return 20 * math.log10(float(np.abs(resample_poly(programme, 4, 1, axis=0)).max()))


@pytest.mark.parametrize("make", [*PROGRAMMES, peaky])
def test_measured_as_an_independent_meter_measures(make: Callable[[], Samples]) -> None:
    programme = make()
    got = measure(programme)
    assert got.integrated_lufs == pytest.approx(meter_lufs(programme), abs=0.1)
    assert got.true_peak_dbtp == pytest.approx(peak_dbtp(programme), abs=0.2)


def test_a_sine_in_both_ears_has_the_loudness_of_the_standard() -> None:
    """EBU Tech 3341, test signal 1: 1 kHz at -23 dBFS peak in both channels reads -23.0 LUFS."""
    got = measure(stereo(tone(20.0, hz=1000, level_db=-23)))
    assert got.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert got.true_peak_dbtp == pytest.approx(-23.0, abs=0.1)


def three_loud_seconds(louder_db: float = 10.0) -> Samples:
    """Fifteen seconds of a sine, of which three are louder."""
    sound = tone(15.0, hz=1000, level_db=-26)
    sound[6 * RATE_HZ : 9 * RATE_HZ] *= 10 ** (louder_db / 20)
    return stereo(sound)


def test_the_loudest_three_seconds_are_found() -> None:
    """Short-term loudness is over three seconds (EBU Tech 3341); a sine in both ears has its peak's level."""
    got = measure(three_loud_seconds())
    assert got.short_term_max_lufs == pytest.approx(-16.0, abs=0.1)
    assert measure(stereo(tone(20.0, hz=1000, level_db=-23))).short_term_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert measure(np.zeros((5 * RATE_HZ, 2), np.float32)).short_term_max_lufs == SILENT_LUFS


def test_a_file_is_measured_as_it_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    encode(three_loud_seconds(), EUROPEAN, path)
    assert decode_and_measure(path)[1].short_term_max_lufs == max(decode_and_follow(path)[1].short_term_lufs)


def test_what_was_not_measured_is_within_no_limit() -> None:
    got = parse(SUMMARY.format(lufs="-23.0", peak="-4.0"))
    assert not got.short_term_max_lufs <= 0


def test_a_peak_between_the_samples_is_found() -> None:
    """A quarter-rate sine sampled at 45 degrees: no sample is over -3 dBFS, the wave itself reaches 0."""
    time = np.arange(2 * RATE_HZ)
    wave = np.sin(np.pi / 2 * time + np.pi / 4) * np.hanning(len(time))
    assert 20 * math.log10(np.abs(wave).max()) == pytest.approx(-3.01, abs=0.01)
    assert measure(stereo(wave)).true_peak_dbtp == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("target_lufs", "ceiling_dbtp"), TARGETS)
@pytest.mark.parametrize("make", [*PROGRAMMES, peaky])
def test_a_programme_is_brought_to_its_target_under_its_ceiling(
    make: Callable[[], Samples], target_lufs: float, ceiling_dbtp: float
) -> None:
    programme = make()
    ready = bring_to(programme, target_lufs, ceiling_dbtp)
    assert ready.dtype == np.float32
    assert ready.shape == programme.shape
    assert meter_lufs(ready) == pytest.approx(target_lufs, abs=0.5)
    assert peak_dbtp(ready) <= ceiling_dbtp + 0.1


EUROPEAN = load_profile(Project(Path(), Settings()), "broadcast-eu")
"""-23 LUFS +-0.5, no three seconds over -18."""


def test_a_programme_with_three_loud_seconds_is_softer_within_the_tolerance(tmp_path: Path) -> None:
    """9.4 dB louder than the rest they are 5.35 LU over the whole; 5 are allowed at -23."""
    got = encode_to(three_loud_seconds(9.4), EUROPEAN, tmp_path / "x.wav").loudness
    assert got.short_term_max_lufs <= -18.0
    assert -23.5 <= got.integrated_lufs <= -23.3


def test_an_even_programme_is_where_it_should_be(tmp_path: Path) -> None:
    got = encode_to(three_loud_seconds(6.0), EUROPEAN, tmp_path / "x.wav").loudness
    assert got.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert got.short_term_max_lufs < -18.0


def test_three_seconds_that_are_too_loud_for_the_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as told:
        encode_to(three_loud_seconds(12.0), EUROPEAN, tmp_path / "x.wav")
    assert re.search(r"its loudest three seconds would be (0\.9|1\.0) LU over the -18 LUFS that any", str(told.value))
    calm = EUROPEAN.model_copy(update={"short_term_max_lufs": None})
    assert encode_to(three_loud_seconds(12.0), calm, tmp_path / "y.wav").loudness.short_term_max_lufs > -18.0


def test_gain_alone_is_used_where_peaks_allow_it() -> None:
    programme = bursts()
    ready = bring_to(programme, -23.0, -1.0)
    loud = np.abs(programme) > 1e-3
    gains = ready[loud] / programme[loud]
    assert np.ptp(20 * np.log10(gains)) < 1e-3


def test_the_limiter_moves_nothing_in_time() -> None:
    programme = peaky()
    ready = bring_to(programme, -16.0, -1.0)
    lags = range(-48, 49)
    match = [float((programme[100:-100, 0] * np.roll(ready[:, 0], lag)[100:-100]).sum()) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 2


def test_the_limiter_leaves_what_is_between_the_peaks() -> None:
    """Where the limiter has let go, only the gain is left: the noise keeps its wave."""
    programme = peaky()
    ready = bring_to(programme, -28.0, -1.0)
    after = slice(RATE_HZ // 20 + int(0.085 * RATE_HZ), RATE_HZ // 20 + int(0.095 * RATE_HZ))
    before, now = programme[after, 0].astype(np.float64), ready[after, 0].astype(np.float64)
    likeness = (before * now).sum() / math.sqrt((before**2).sum() * (now**2).sum())
    assert likeness > 0.98


@pytest.mark.parametrize(
    "programme",
    [
        np.zeros((5 * RATE_HZ, 2), dtype=np.float32),
        stereo(tone(3.0, level_db=-90)),
        np.zeros((100, 2), dtype=np.float32),
        np.full((2 * RATE_HZ, 2), np.nan, dtype=np.float32),
    ],
    ids=["zeros", "under the gate", "a few samples", "not numbers"],
)
def test_a_silent_programme_is_refused(programme: Samples) -> None:
    with pytest.raises(Refused, match="silent"):
        bring_to(programme, -23.0, -1.0)


@pytest.mark.parametrize(("target_lufs", "ceiling_dbtp"), [(-1.0, -9.0), (0.0, -1.0), (-3.0, -20.0), (-9.0, -12.0)])
def test_what_cannot_be_is_refused_with_what_it_comes_to(target_lufs: float, ceiling_dbtp: float) -> None:
    with pytest.raises(Refused, match=f"cannot reach {target_lufs:g} LUFS under {ceiling_dbtp:g} dBTP") as caught:
        bring_to(loud_then_soft(), target_lufs, ceiling_dbtp)
    assert "LUFS" in caught.value.what.split("comes to")[1]
    assert caught.value.remedy


SUMMARY = """
[Parsed_ebur128_0 @ 0x1] Summary:

  Integrated loudness:
    I:         {lufs} LUFS
    Threshold: -33.1 LUFS

  Loudness range:
    LRA:         2.0 LU

  True peak:
    Peak:       {peak} dBFS
"""


@pytest.mark.parametrize(
    ("lufs", "peak", "wanted"),
    [
        ("-23.1", "-4.2", (-23.1, -4.2)),
        ("-70.0", "-inf", (-70.0, -math.inf)),
        ("  -5.0", " 1.3", (-5.0, 1.3)),
    ],
)
def test_the_summary_is_read(lufs: str, peak: str, wanted: tuple[float, float]) -> None:
    got = parse(SUMMARY.format(lufs=lufs, peak=peak))
    assert (got.integrated_lufs, got.true_peak_dbtp) == wanted


@pytest.mark.parametrize("report", ["", "Summary:", "No such filter: 'ebur128'", SUMMARY.format(lufs="?", peak="-1")])
def test_a_report_without_a_summary_is_a_machine_fault(report: str) -> None:
    with pytest.raises(MachineFault, match="does not measure loudness"):
        parse(report)
