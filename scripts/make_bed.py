"""Compose the coffee spot's music bed and encode it as Opus; two runs give the same bytes.

Usage: python scripts/make_bed.py [OUTPUT]   (default: spots/lumen-coffee/bed.opus)
"""

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float64]
OUTPUT = Path(__file__).resolve().parents[1] / "spots" / "lumen-coffee" / "bed.opus"
RATE_HZ = 48_000
LENGTH_S, SOUNDING_S, FADE_S = 44.0, 43.7, 2.5  # the last chord fades out, then silence
BEAT_S, BAR_S = 60.0 / 96.0, 240.0 / 96.0
SWING_BEATS = 0.58  # where the off-beat eighth falls within its beat
REVERB_S, REVERB_T60_S, PREDELAY_S, REVERB_GAIN = 1.6, 1.3, 0.018, 0.32
LOW_CUT_HZ, HIGH_CUT_HZ = 40.0, 7_000.0
PEAK_DBFS = -3.2
BITRATE_BPS = 104_000
SEED = 96
PITCH_HZ = 440.0 * 2.0 ** ((np.arange(128) - 69.0) / 12.0)  # by MIDI number
# A chord is its bass note, then the voices from low to high (MIDI numbers).
FMAJ9, EM7 = (41, 57, 60, 64, 67), (40, 55, 59, 62, 67)
DM9, CMAJ7 = (38, 53, 57, 60, 64), (36, 52, 55, 59, 64)
AM7, G13SUS = (45, 55, 60, 64, 67), (43, 53, 57, 60, 64)
CMAJ9, FINAL = (36, 55, 59, 62, 64), (36, 55, 59, 62, 64, 67)
BARS = [CMAJ9, FMAJ9, EM7, DM9, CMAJ7, FMAJ9, EM7, AM7, G13SUS, FMAJ9, EM7, DM9, CMAJ7, FMAJ9, DM9, G13SUS]
# Chord strokes by phrase, as (beat, beats held, velocity): the one-bar intro, three of four bars, the ending.
STROKES = [[(0.0, 3.9, 0.8)], [(0.0, 1.5, 0.9), (1.58, 2.3, 0.7)],
           [(0.0, 1.5, 0.9), (1.58, 1.3, 0.7), (3.0, 0.9, 0.6)],
           [(0.0, 0.9, 0.9), (1.58, 1.3, 0.75), (3.58, 0.4, 0.55)],
           [(0.0, 2.4, 0.9), (2.58, 1.4, 0.65)]]  # fmt: skip
# The plucked motif, as (bar, beat, MIDI number); it leaves gaps for the voice.
MOTIF = [(1, 2.0, 76), (1, 2.58, 79), (1, 3.0, 81), (2, 0.58, 79), (4, 2.0, 74), (4, 2.58, 76), (4, 3.0, 79),
         (6, 2.0, 79), (6, 3.0, 74), (8, 2.0, 72), (8, 3.0, 74), (9, 2.0, 76), (9, 2.58, 79), (9, 3.0, 84),
         (10, 0.58, 83), (12, 2.0, 79), (12, 3.0, 76), (15, 1.58, 72), (15, 2.58, 74), (15, 3.58, 76),
         (16, 1.0, 79), (16, 2.0, 88)]  # fmt: skip


def envelope(length_s: float, attack_s: float, decay_s: float, release_s: float) -> tuple[Audio, Audio]:
    """Return the time axis and a click-free gain curve: cosine attack and release, exponential decay."""
    time_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    ramp = np.clip(np.minimum(time_s / attack_s, (length_s - time_s) / release_s), 0.0, 1.0)
    return time_s, (0.5 - 0.5 * np.cos(np.pi * ramp)) * np.exp(-time_s / decay_s)


def band(audio: Audio, low_hz: float, high_hz: float) -> Audio:
    """Keep low_hz to high_hz along the last axis, with smooth zero-phase slopes."""
    freq_hz = np.maximum(np.fft.rfftfreq(audio.shape[-1], 1.0 / RATE_HZ), 1e-3)
    gain = 1.0 / np.sqrt((1.0 + (low_hz / freq_hz) ** 4) * (1.0 + (freq_hz / high_hz) ** 4))
    return np.fft.irfft(np.fft.rfft(audio) * gain, audio.shape[-1])


def add(mix: Audio, sound: Audio, start_s: float, gain: float, pan: float = 0.0) -> None:
    """Mix in a mono or stereo sound at start_s; pan runs from -1 (left) to 1 (right), constant power."""
    start = round(start_s * RATE_HZ)
    angle = (pan + 1.0) * np.pi / 4.0
    sides = np.sqrt(2.0) * gain * np.array([[np.cos(angle)], [np.sin(angle)]])
    room = mix[:, start : start + sound.shape[-1]]
    room += (sides * np.atleast_2d(sound))[:, : room.shape[1]]


def keys(midi: int, length_s: float, velocity: float) -> Audio:
    """Return a stereo electric-piano note: FM that mellows as it decays, and a detuned voice on each side."""
    time_s, gain = envelope(length_s, 0.006, 1.0, min(0.35, length_s / 2.0))
    side = np.array([[-1.0], [1.0]])
    centre = 2.0 * np.pi * PITCH_HZ[midi] * time_s
    detuned = centre * (1.0 + 0.0035 * side)
    index = velocity * (0.3 + 1.6 * np.exp(-time_s / 0.3))
    tine = 0.1 * velocity * np.exp(-time_s / 0.1) * np.sin(4.0 * centre)
    body = np.sin(centre + index * np.sin(centre)) + 0.45 * np.sin(detuned + index * np.sin(detuned))
    return velocity * gain * (1.0 + 0.15 * side * np.sin(2.0 * np.pi * 3.2 * time_s)) * (body + tine)


def plucked(midi: int, length_s: float, decay_s: float, damping_hz: float) -> Audio:
    """Return a plucked note, for bass and motif: five harmonics, the upper ones dying first."""
    time_s, gain = envelope(length_s, 0.005, decay_s, min(0.3, length_s / 2.0))
    order = np.arange(1, 6)[:, None]
    waves = np.sin(2.0 * np.pi * PITCH_HZ[midi] * order * time_s) / order**1.6
    return gain * np.sum(waves * np.exp(damping_hz * (1 - order) * time_s), axis=0)


def brush(rng: np.random.Generator, length_s: float, low_hz: float, high_hz: float) -> Audio:
    """Return one brush stroke of shaped noise."""
    _, gain = envelope(length_s, 0.006, length_s / 4.0, length_s / 2.0)
    return gain * band(rng.standard_normal(gain.size), low_hz, high_hz)


def play_bar(mix: Audio, bar: int, rng: np.random.Generator) -> None:
    """Play the chords, the bass and the drums of one bar; the pattern changes every four bars."""
    start_s, phrase, chord = bar * BAR_S, (bar + 3) // 4, BARS[bar]
    for beat, beats, velocity in STROKES[phrase]:
        for voice, midi in enumerate(chord[1:]):  # a slight roll, low to high
            note = keys(midi, beats * BEAT_S + 0.12, velocity)
            add(mix, note, start_s + beat * BEAT_S + 0.009 * voice, 0.08, -0.3 + 0.2 * voice)
    leap = (7 if phrase % 2 else 12) if bar and bar % 4 == 0 else 0
    for beat, step, gain in ((0.0, 0, 0.22), (1.58, 0, 0.13), (2.0, leap, 0.2))[: 3 if bar else 1]:
        length_s = BEAT_S * (0.4 if beat == 1.58 else 1.5)
        add(mix, plucked(chord[0] + step, length_s, 0.7, 6.0), start_s + beat * BEAT_S, gain)
    for beat, gain in ((0.0, 0.42), (2.0, 0.38), (2.58, 0.2))[: (3 if phrase == 3 else 2) if bar else 0]:
        time_s, shape = envelope(0.3, 0.004, 0.08, 0.1)  # a sine that settles from 135 to 55 Hz
        kick = shape * np.sin(2.0 * np.pi * (55.0 * time_s + 80.0 * 0.03 * (1.0 - np.exp(-time_s / 0.03))))
        add(mix, kick, start_s + beat * BEAT_S, gain)
    for beat in (1.0, 3.0) if bar else ():
        add(mix, brush(rng, 0.28, 400.0, 3_000.0), start_s + beat * BEAT_S, 0.2, 0.15)
    for half in range(0 if bar else 2, 8):  # swung eighths, the off-beats lighter
        beat_s = (half // 2 + SWING_BEATS * (half % 2)) * BEAT_S
        gain = rng.uniform(0.9, 1.1) * (0.06 if half % 2 else 0.09)
        add(mix, brush(rng, 0.12, 2_500.0, 5_000.0), start_s + beat_s, gain, -0.4)


def compose() -> Audio:
    """Return the finished stereo bed, shaped (2, samples)."""
    rng = np.random.default_rng(SEED)
    mix = np.zeros((2, int(LENGTH_S * RATE_HZ)))
    for bar in range(len(BARS)):
        play_bar(mix, bar, rng)
    end_s = len(BARS) * BAR_S
    for voice, midi in enumerate(FINAL[1:]):
        add(mix, keys(midi, LENGTH_S - end_s, 0.8), end_s + 0.035 * voice, 0.085, -0.3 + 0.15 * voice)
    add(mix, plucked(FINAL[0], LENGTH_S - end_s, 1.2, 6.0), end_s, 0.23)
    for index, (bar, beat, midi) in enumerate(MOTIF):
        add(mix, plucked(midi, 1.6, 0.45, 4.0), bar * BAR_S + beat * BEAT_S, 0.1, 0.35 if index % 2 else 0.2)
    time_s = np.arange(int(REVERB_S * RATE_HZ)) / RATE_HZ
    tail = 10.0 ** (-3.0 * time_s / REVERB_T60_S) * band(rng.standard_normal((2, time_s.size)), 250.0, 4e3)
    tail *= np.clip(time_s / 0.01, 0.0, 1.0) / np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    size = mix.shape[1] + time_s.size
    add(mix, np.fft.irfft(np.fft.rfft(mix, size) * np.fft.rfft(tail, size), size), PREDELAY_S, REVERB_GAIN)
    _, gain = envelope(SOUNDING_S, 0.005, np.inf, FADE_S)
    mix = band(mix, LOW_CUT_HZ, HIGH_CUT_HZ) * np.pad(gain, (0, mix.shape[1] - gain.size))
    return mix * (10.0 ** (PEAK_DBFS / 20.0) / np.max(np.abs(mix)))


def main() -> None:
    """Compose the bed and encode it to the path given as the first argument."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    command += ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"]
    command += ["-map_metadata", "-1", "-c:a", "libopus", "-b:a", str(BITRATE_BPS), "-f", "ogg"]
    command += ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-serial_offset", "1", str(output)]
    subprocess.run(command, input=compose().T.astype("<f4").tobytes(), check=True)


if __name__ == "__main__":
    main()
