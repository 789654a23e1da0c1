"""What is heard beside a clip in its place: nothing, a bed, a drum now and then, somebody else."""

from __future__ import annotations

import numpy as np
import pytest

from clearspot.config import load_limits
from clearspot.gate.levels import GUARD_S, ClipLevel, level_of
from clearspot.media.audio import Samples, for_listening
from clearspot.project import Project
from clearspot.timebase import RATE_HZ, samples
from clearspot.timeline import Placed

START_S = 0.25
SPEECH_DB = -20.0


def voice(duration_s: float = 2.4, hz: float = 120.0, seed: int = 1) -> Samples:
    """Somebody who never pauses: harmonics of a wandering pitch under formants that move, never silent."""
    time_s = np.arange(samples(duration_s)) / RATE_HZ
    shapes = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    pitch_hz = hz * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time_s + shapes[0]))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    low_hz = 500 + 250 * np.sin(2 * np.pi * 2.3 * time_s + shapes[1])
    high_hz = 1700 + 700 * np.sin(2 * np.pi * 1.7 * time_s + shapes[2])
    sound = np.zeros(len(time_s))
    for harmonic in range(1, 40):
        at_hz = harmonic * pitch_hz
        loud = np.exp(-(((at_hz - low_hz) / 120) ** 2)) + 0.3 * np.exp(-(((at_hz - high_hz) / 200) ** 2)) + 0.001
        sound += loud * np.sin(harmonic * phase)
    sound *= 1 + 0.4 * np.sin(2 * np.pi * 4 * time_s + shapes[3])
    edge = samples(0.03)
    sound[:edge] *= np.linspace(0, 1, edge)
    sound[-edge:] *= np.linspace(1, 0, edge)
    return at_level(sound, SPEECH_DB)


def at_level(sound: Samples, level_db: float) -> Samples:
    return np.asarray(sound * (10 ** (level_db / 20) / np.sqrt((sound**2).mean())), dtype=np.float32)


CLIP = Placed("disclosure", "words", samples(START_S), voice(), 1.0)
LENGTH = CLIP.end + samples(0.5)


def noise(level_db: float) -> Samples:
    return at_level(np.random.default_rng(5).standard_normal(LENGTH), SPEECH_DB + level_db)


def drums(level_db: float, every_s: float = 0.5) -> Samples:
    """Hits of 60 ms, each that loud, and silence between: nine tenths of the time nothing is there."""
    time_s = np.arange(samples(0.06)) / RATE_HZ
    hit = at_level(np.sin(2 * np.pi * 110 * time_s) * np.exp(-time_s / 0.03), SPEECH_DB + level_db)
    made = np.zeros(LENGTH, np.float32)
    for start in range(samples(0.4), LENGTH - len(hit), samples(every_s)):
        made[start : start + len(hit)] = hit
    return made


def while_it_lasts(sound: Samples) -> Samples:
    """From the first sample of the clip to its last, and nothing beside it."""
    made = np.zeros(LENGTH, np.float32)
    made[CLIP.start : CLIP.end] = sound[CLIP.start : CLIP.end]
    return made


def somebody_else(level_db: float) -> Samples:
    return np.resize(at_level(voice(3.0, 210.0, seed=2), SPEECH_DB + level_db), LENGTH)


def judged(under: Samples | float = 0.0, clip: Placed = CLIP) -> ClipLevel:
    made = np.zeros(max(LENGTH, clip.end + samples(0.5)), np.float32)
    made[clip.start : clip.end] = clip.samples
    if isinstance(under, np.ndarray):
        made[: len(under)] += under
    return level_of(for_listening(made), clip)


@pytest.fixture
def least_db(project: Project) -> float:
    return load_limits(project).deliverable.disclosure_clear_db


def test_a_voice_without_a_pause_is_clear_where_nothing_is_under_it(least_db: float) -> None:
    found = judged()
    assert found.clear_by_db > least_db + 20
    assert found.speech_db == pytest.approx(SPEECH_DB, abs=0.5)


UNDER = {
    "a bed": noise(-20),
    "a bed as loud as the speech": noise(0),
    "a bed that comes and goes with the clip": while_it_lasts(noise(-20)),
    "drums": drums(-20),
    "loud drums": drums(-10),
    "one hit a second": drums(-20, every_s=1.0),
    "somebody else": somebody_else(-20),
    "somebody else, loud": somebody_else(-6),
    "the same voice a moment later": np.concatenate([np.zeros(samples(0.6), np.float32), CLIP.samples * 0.1]),
    "a hum in the quiet before it": np.concatenate([noise(-20)[: CLIP.start], np.zeros(9, np.float32)]),
    "a click after it": np.concatenate([np.zeros(CLIP.end + samples(0.02), np.float32), noise(-20)[: samples(0.05)]]),
}


@pytest.mark.parametrize("under", UNDER.values(), ids=UNDER)
def test_what_is_heard_beside_it_is_too_much(under: Samples, least_db: float) -> None:
    found = judged(under)
    assert found.clear_by_db < least_db
    assert found.clear_by_db > -25


@pytest.mark.parametrize("under", [noise(-60), drums(-60), somebody_else(-60)], ids=["bed", "drums", "voice"])
def test_what_nobody_hears_is_let_be(under: Samples, least_db: float) -> None:
    assert judged(under).clear_by_db > least_db


def test_how_loud_it_is_is_told() -> None:
    for level_db in (-30.0, -20.0, -10.0):
        assert judged(noise(level_db)).clear_by_db == pytest.approx(-level_db, abs=6)
        assert judged(drums(level_db)).clear_by_db == pytest.approx(-level_db, abs=6)


@pytest.mark.parametrize("late_s", [-0.02, -0.003, 0.001, 0.02])
def test_a_decoders_delay_and_another_loudness_change_nothing(late_s: float, least_db: float) -> None:
    made = np.zeros(LENGTH, np.float32)
    start = CLIP.start + samples(late_s)
    made[start : start + len(CLIP.samples)] = CLIP.samples * 0.3
    assert level_of(for_listening(made), CLIP).clear_by_db > least_db


def test_what_begins_after_the_quiet_beside_a_clip_is_not_its() -> None:
    late = np.zeros(LENGTH, np.float32)
    late[CLIP.end + samples(GUARD_S + 0.04) :] = noise(0)[: LENGTH - CLIP.end - samples(GUARD_S + 0.04)]
    assert judged(late).clear_by_db > 50


def test_a_clip_that_is_not_there_is_not_clear() -> None:
    nothing, other = np.zeros(LENGTH, np.float32), np.zeros(LENGTH, np.float32)
    other[CLIP.start : CLIP.end] = voice(2.4, 180.0, seed=9)
    assert level_of(for_listening(nothing), CLIP) == ClipLevel(-120.0, -120.0)
    assert level_of(for_listening(nothing[:0]), CLIP).clear_by_db == 0
    assert level_of(for_listening(other), CLIP).clear_by_db < 10
    assert level_of(np.full(LENGTH // 3, np.nan, np.float32), CLIP).clear_by_db == 0


def test_where_the_clip_itself_hides_everything_nothing_is_clear() -> None:
    """Nobody can say what lies under a voice that is noise in every band, all the time."""
    hiss = Placed("disclosure", "words", samples(START_S), noise(0)[: samples(2.4)], 1.0)
    assert judged(clip=hiss).clear_by_db == 0
