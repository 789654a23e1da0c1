"""Speech over the bed, one line as a clip, and the captions: levels and times as measured, text as written."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from clearspot.consent.grant import Grant
from clearspot.engines.protocols import Speech
from clearspot.errors import BadInput
from clearspot.media.audio import Samples
from clearspot.project import Project, Settings
from clearspot.stages.captions import srt, vtt
from clearspot.stages.mix import mix
from clearspot.stages.speak import Clip, speak
from clearspot.timeline import Placed, Timeline
from tests.conftest import a_grant, tone

RATE_HZ = 48_000


def rms_db(sound: Samples) -> float:
    """Root-mean-square level in dBFS."""
    return 10 * math.log10(float((sound.astype(np.float64) ** 2).mean()) + 1e-20)


def at(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * RATE_HZ), round(end_s * RATE_HZ))


# --- mix -------------------------------------------------------------------------------------------------------


def silent(line_id: str, start_s: float, end_s: float) -> Placed:
    """A clip without sound: what is measured under it is the bed alone."""
    sound = np.zeros(round((end_s - start_s) * RATE_HZ), dtype=np.float32)
    return Placed(line_id, line_id, round(start_s * RATE_HZ), sound, 1.0)


def timeline(*lines: tuple[float, float], duration_s: float) -> Timeline:
    """A disclosure from 0.25 to 2.25 s, and lines."""
    placed = tuple(silent(f"line-{index}", *times) for index, times in enumerate(lines))
    return Timeline((silent("disclosure", 0.25, 2.25), *placed), round(duration_s * RATE_HZ))


def steady(duration_s: float, level_db: float = -12.0) -> Samples:
    """A bed of one loudness throughout: noise, different in each ear."""
    random = np.random.default_rng(11)
    return random.normal(scale=10 ** (level_db / 20), size=(round(duration_s * RATE_HZ), 2)).astype(np.float32)


TWO_LINES = timeline((4.0, 6.0), (8.0, 10.0), duration_s=14.0)
UNDER_SPEECH = [(3.9, 6.2), (7.9, 10.2)]
BETWEEN = [(2.8, 3.65), (6.5, 7.65), (10.5, 12.4)]


@pytest.mark.parametrize("bed_level_db", [-3.0, -12.0, -40.0])
def test_the_bed_has_its_level_between_lines_and_ten_decibels_less_under_them(bed_level_db: float) -> None:
    programme = mix(TWO_LINES, steady(20.0, bed_level_db))
    for span in BETWEEN:
        assert rms_db(programme[at(*span)]) == pytest.approx(-30.0, abs=0.2)
    for span in UNDER_SPEECH:
        assert rms_db(programme[at(*span)]) == pytest.approx(-40.0, abs=0.2)
    worst_under = max(rms_db(programme[at(*span)]) for span in UNDER_SPEECH)
    least_between = min(rms_db(programme[at(*span)]) for span in BETWEEN)
    assert least_between - worst_under >= 9.8


def test_the_bed_is_silent_under_the_disclosure_and_comes_in_softly() -> None:
    programme = mix(TWO_LINES, steady(20.0))
    assert not programme[: TWO_LINES.disclosures[0].end].any()
    rising = [rms_db(programme[at(start_s, start_s + 0.05)]) for start_s in (2.3, 2.4, 2.5, 2.6, 2.7)]
    assert rising == sorted(rising)
    assert rising[0] < -80


def test_the_bed_stays_down_between_lines_that_are_close() -> None:
    close = timeline((4.0, 6.0), (6.2, 8.0), duration_s=12.0)
    programme = mix(close, steady(20.0))
    assert rms_db(programme[at(5.9, 6.3)]) == pytest.approx(-40.0, abs=0.2)


def test_the_bed_never_jumps() -> None:
    """Of a steady tone, the level from one 10 ms to the next changes by less than the ramps' own slope."""
    wave = np.stack([tone(20.0, hz=1000.0)] * 2, axis=1)
    programme = mix(TWO_LINES, wave)[at(2.35, 13.0)]
    levels = [rms_db(frame) for frame in programme.reshape(-1, RATE_HZ // 100, 2)]
    assert max(abs(b - a) for a, b in itertools.pairwise(levels)) < 2.0


@pytest.mark.parametrize("bed_s", [0.4, 1.0, 3.0, 5.5])
def test_a_short_bed_is_repeated_to_the_end(bed_s: float) -> None:
    long = timeline((4.0, 6.0), duration_s=25.0)
    programme = mix(long, steady(bed_s))
    for start_s in np.arange(7.0, 23.0, 1.0):
        # Where noise crosses into other noise at equal gain it loses up to 3 dB.
        assert rms_db(programme[at(start_s, start_s + 0.5)]) == pytest.approx(-30.0, abs=3.2)


def test_a_repeat_is_joined_without_a_click() -> None:
    wave = np.stack([tone(3.0, hz=250.0)] * 2, axis=1)
    programme = mix(timeline((4.0, 5.0), duration_s=25.0), wave)
    step = np.abs(np.diff(programme[at(6.0, 23.0), 0])).max()
    loudest = np.abs(programme).max()
    assert step <= loudest * 2 * math.pi * 250.0 / RATE_HZ * 1.05


@pytest.mark.parametrize("bed_s", [20.0, 60.0])
def test_the_bed_ends_with_the_programme_in_a_fade(bed_s: float) -> None:
    programme = mix(TWO_LINES, steady(bed_s))
    assert programme.shape == (TWO_LINES.length, 2)
    falling = [rms_db(programme[at(start_s, start_s + 0.25)]) for start_s in (12.4, 12.8, 13.2, 13.6, 13.75)]
    assert falling == sorted(falling, reverse=True)
    assert rms_db(programme[-480:]) < -70


@pytest.mark.parametrize("bed", [None, np.zeros((0, 2), np.float32), np.zeros((RATE_HZ, 2), np.float32)])
def test_without_a_sounding_bed_the_programme_is_the_speech(bed: Samples | None) -> None:
    speech = tone(2.0)
    placed = Placed("line-0", "", 4 * RATE_HZ, speech, 1.0)
    whole = Timeline((silent("disclosure", 0.25, 2.25), placed), 8 * RATE_HZ)
    programme = mix(whole, bed)
    assert programme.dtype == np.float32
    assert programme.shape == (8 * RATE_HZ, 2)
    assert np.array_equal(programme[placed.start : placed.end], np.stack([speech, speech], axis=1))
    assert not programme[: placed.start].any()
    assert not programme[placed.end :].any()


# --- speak -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grants(shared_project: Path) -> dict[str, Grant]:
    """Leave to speak with the shipped voice, by locale."""
    project = Project(shared_project, Settings())
    return {locale: a_grant(project, locale) for locale in ("en-US", "es-ES", "de-DE")}


@dataclass
class Says:
    """An engine that says one sound, whatever it is asked."""

    sound: Samples
    rate_hz: int = RATE_HZ
    version: str = "says 1"
    asked: list[tuple[str, str, float]] = field(default_factory=list)

    def prepare(self, grant: Grant) -> None: ...

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        self.asked.append((grant.locale, text, rate))
        return Speech(self.sound, self.rate_hz)


def padded(sound: Samples, before_s: float, after_s: float, noise_db: float = -120.0) -> Samples:
    """A sound with quiet around it."""
    random = np.random.default_rng(5)
    before, after = (round(each_s * RATE_HZ) for each_s in (before_s, after_s))
    around = random.normal(scale=10 ** (noise_db / 20), size=before + len(sound) + after)
    around[before : before + len(sound)] += sound
    return around.astype(np.float32)


def babble(duration_s: float, level_db: float) -> Samples:
    """Noise of one level with hard edges."""
    noise = np.random.default_rng(6).normal(size=round(duration_s * RATE_HZ))
    return (noise * 10 ** (level_db / 20)).astype(np.float32)


def said(grants: dict[str, Grant], sound: Samples, rate_hz: int = RATE_HZ) -> Clip:
    return speak(Says(sound, rate_hz), grants["en-US"], "hook", "Hello.")


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.8), (0.3, 1.2), (2.0, 2.0)])
@pytest.mark.parametrize("noise_db", [-120.0, -75.0])
def test_silence_is_trimmed_and_the_sound_kept_from_first_to_last(
    grants: dict[str, Grant], before_s: float, after_s: float, noise_db: float
) -> None:
    sound = babble(1.0, -20.0)
    clip = said(grants, padded(sound, before_s, after_s, noise_db))
    kept_s = min(before_s, 0.06) + min(after_s, 0.06)
    assert clip.duration_s == pytest.approx(1.0 + kept_s, abs=0.02)
    # The sound itself is in there, its first and last 50 ms too: only 10 ms fades at bare edges are missing.
    likeness = np.correlate(clip.samples[: 4 * RATE_HZ // 10], sound[: RATE_HZ // 10])
    start = int(np.argmax(likeness))
    assert start / RATE_HZ == pytest.approx(min(before_s, 0.06), abs=0.011)
    for edge in (slice(480, 2400), slice(len(sound) - 2400, len(sound) - 480)):
        part, whole = clip.samples[start:][edge], sound[edge]
        assert np.corrcoef(part, whole)[0, 1] > 0.999


def test_a_soft_consonant_before_the_vowel_is_kept(grants: dict[str, Grant]) -> None:
    """An "f" 35 dB under the vowel, a tenth of a second long."""
    word = np.concatenate([babble(0.1, -55.0), babble(0.4, -20.0), babble(0.1, -55.0)])
    clip = said(grants, padded(word, 0.5, 0.5))
    assert clip.duration_s == pytest.approx(0.6 + 0.12, abs=0.025)


@pytest.mark.parametrize("level_db", [-3.0, -20.0, -45.0])
@pytest.mark.parametrize("pause_s", [0.0, 0.5])
def test_every_clip_is_at_the_same_level_pauses_not_counted(
    grants: dict[str, Grant], level_db: float, pause_s: float
) -> None:
    half = babble(0.8, level_db)
    sound = np.concatenate([half, np.zeros(round(pause_s * RATE_HZ), dtype=np.float32), half])
    clip = said(grants, padded(sound, 0.3, 0.3))
    assert rms_db(clip.samples[at(0.1, 0.8)]) == pytest.approx(-20.0, abs=0.3)


def test_clips_of_different_engines_and_levels_are_within_half_a_decibel(grants: dict[str, Grant]) -> None:
    sounds = [
        (babble(1.0, -30.0), RATE_HZ),
        (tone(1.0, hz=200.0, level_db=-3.0), RATE_HZ),
        (tone(2.0, rate_hz=24_000, hz=150.0, level_db=-25.0), 24_000),
        (tone(0.5, rate_hz=22_050, hz=300.0, level_db=-40.0), 22_050),
    ]
    levels = [rms_db(said(grants, *sound).samples[at(0.15, 0.35)]) for sound in sounds]
    assert max(levels) - min(levels) <= 0.5


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_an_engines_rate_becomes_48_khz(grants: dict[str, Grant], rate_hz: int) -> None:
    clip = said(grants, tone(1.0, rate_hz=rate_hz, hz=400.0), rate_hz)
    assert clip.samples.dtype == np.float32
    assert clip.samples.ndim == 1
    assert clip.duration_s == pytest.approx(1.0, abs=0.02)
    spectrum = np.abs(np.fft.rfft(clip.samples, 10 * RATE_HZ))
    assert np.argmax(spectrum) / 10 == pytest.approx(400.0, abs=1.0)


@pytest.mark.parametrize(
    ("locale", "text", "spoken"),
    [
        ("en-US", "Save 30% today.", "Save thirty percent today."),
        ("es-ES", "Ahorra un 30 %.", "Ahorra un treinta por ciento."),
        ("en-US", "Go to lumencoffee.com.", "Go to lumencoffee dot com."),
        ("en-US", "No figures here.", "No figures here."),
    ],
)
def test_the_engine_gets_words_and_the_clip_keeps_the_text(
    grants: dict[str, Grant], locale: str, text: str, spoken: str
) -> None:
    engine = Says(tone(1.0))
    clip = speak(engine, grants[locale], "offer", text, 1.07)
    assert engine.asked == [(locale, spoken, 1.07)]
    assert (clip.line_id, clip.text, clip.rate) == ("offer", text, 1.07)


def with_a_hole() -> Samples:
    sound = tone(1.0)
    sound[1000] = np.nan
    return sound


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(RATE_HZ, dtype=np.float32),
        np.full(RATE_HZ, 1e-5, dtype=np.float32),
        np.full(RATE_HZ, np.nan, dtype=np.float32),
        np.full(RATE_HZ, np.inf, dtype=np.float32),
        with_a_hole(),
        np.zeros(0, dtype=np.float32),
    ],
    ids=["zeros", "next to nothing", "NaN", "infinite", "one NaN", "empty"],
)
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 24_000])
def test_an_engine_that_says_nothing_is_bad_input_that_names_the_line(
    grants: dict[str, Grant], sound: Samples, rate_hz: int
) -> None:
    with pytest.raises(BadInput, match="no sound came of this text") as caught:
        said(grants, sound, rate_hz)
    assert caught.value.where == "line 'hook': 'Hello.'"


@pytest.mark.parametrize("count", [1, 7, 480, 961])
def test_a_very_short_sound_is_a_clip(grants: dict[str, Grant], count: int) -> None:
    clip = said(grants, np.full(count, 0.5, dtype=np.float32))
    assert len(clip.samples) == count
    assert np.isfinite(clip.samples).all()


# --- captions --------------------------------------------------------------------------------------------------


def captioned(*texts: str) -> Timeline:
    """A disclosure from 0.25 to 2.25 s, then each text for 1.5 s, half a second apart."""
    clips = [
        Placed(f"line-{index}", text, round((2.75 + 2 * index) * RATE_HZ), np.zeros(72_000, np.float32), 1.0)
        for index, text in enumerate(texts)
    ]
    opening = Placed(
        "disclosure", "This ad uses an AI-generated voice.", 12_000, np.zeros(2 * RATE_HZ, np.float32), 1.0
    )
    return Timeline((opening, *clips), 10 * RATE_HZ)


TWO_CUES = captioned("Hola, soy Nora.", "Cada mañana tostamos nuestro café en pequeños lotes, a mano.")

SRT = """\
1
00:00:00,250 --> 00:00:02,250
This ad uses an AI-generated voice.

2
00:00:02,750 --> 00:00:04,250
Hola, soy Nora.

3
00:00:04,750 --> 00:00:06,250
Cada mañana tostamos nuestro café en
pequeños lotes, a mano.
"""

VTT = """\
WEBVTT

00:00:00.250 --> 00:00:02.250
This ad uses an AI-generated voice.

00:00:02.750 --> 00:00:04.250
Hola, soy Nora.

00:00:04.750 --> 00:00:06.250
Cada mañana tostamos nuestro café en
pequeños lotes, a mano.
"""


def test_subrip_captions_disclosure_first() -> None:
    assert srt(TWO_CUES) == SRT


def test_webvtt_captions_disclosure_first() -> None:
    assert vtt(TWO_CUES) == VTT


@pytest.mark.parametrize("write", [srt, vtt])
@pytest.mark.parametrize(
    "text",
    [
        "From here --> there.",
        "00:00:00,000 --> 09:00:00,000 Buy.",
        "An arrow that is -- > almost one, and ---> a longer one, and -->--> two.",
        "A line that would be broken so that its arrow begins a row -->",
        "Two lines\n\n2\n00:00:01,000 --> 00:00:02,000\nof another cue",
        "\r\rNOTE nothing\r\r",
    ],
)
def test_no_text_can_break_a_cue(write: Callable[[Timeline], str], text: str) -> None:
    made = write(captioned(text, "The end."))
    arrows = re.findall(r"^\d\d:\d\d:\d\d[.,]\d{3} --> \d\d:\d\d:\d\d[.,]\d{3}$", made, re.MULTILINE)
    assert len(arrows) == made.count("-->") == 3
    cues = [block for block in made.split("\n\n") if "-->" in block]
    assert len(cues) == 3
    assert cues[-1].endswith("The end.\n")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Fish & chips", "Fish &amp; chips"),
        ("Now < 5 euro", "Now &lt; 5 euro"),
        ("<b>Bold</b> &amp; more", "&lt;b&gt;Bold&lt;/b&gt; &amp;amp; more"),
    ],
)
def test_webvtt_shows_signs_that_mean_something_to_it(text: str, written: str) -> None:
    """WebVTT 3.1: cue text holds neither "&" nor "<" but as escapes; a player drops what looks like a tag."""
    cue = vtt(captioned(text)).split("\n\n")[-1].splitlines()[1]
    assert cue.replace(">", "&gt;") == written


@pytest.mark.parametrize("write", [srt, vtt])
def test_rows_are_as_long_as_a_caption_may_be_and_no_word_is_lost(write: Callable[[Timeline], str]) -> None:
    text = "Sin atajos, sin desperdicio: solo café que sabe como debe, desde 1987 y hasta el domingo. " * 3
    made = write(captioned(text.strip()))
    rows = made.rstrip("\n").split("\n\n")[-1].splitlines()
    rows = rows[next(index for index, row in enumerate(rows) if "-->" in row) + 1 :]
    assert max(len(row) for row in rows) <= 42
    assert " ".join(rows).split() == text.split()
