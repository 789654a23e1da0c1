"""speak: a line and a grant to a clip, trimmed to the speech and at one level."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from clearspot.consent.grant import Grant
from clearspot.engines.protocols import SpeechEngine
from clearspot.errors import BadInput
from clearspot.media.audio import Samples, resample
from clearspot.text.spoken import spoken_form
from clearspot.timebase import RATE_HZ, samples, seconds

SPEECH_LEVEL_DB = -20.0
"""Every clip's speech has this root-mean-square level (dBFS), the disclosure's too."""

QUIET_DB = -50.0
"""What is quieter than this at a clip's ends (dBFS, the clip's peak at 0) is not speech."""

KEEP_S = 0.06
"""Kept before the first and after the last sound, so that no consonant is clipped."""

FADE_S = 0.01


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken line: mono float32 at 48 kHz, shape (samples,). ``rate`` is what the engine was asked for."""

    line_id: str
    text: str
    rate: float
    samples: Samples

    @property
    def duration_s(self) -> float:
        return seconds(len(self.samples))


def speak(engine: SpeechEngine, grant: Grant, line_id: str, text: str, rate: float = 1.0) -> Clip:
    """Speak one line with a granted voice. Numbers, prices and addresses are put into words first.

    Raises:
        BadInput: Nothing audible came of it.
        Refused: The weights are not those that the grant names.
    """
    speech = engine.speak(grant, spoken_form(text, grant.locale), rate)
    sound = resample(speech.samples, speech.rate_hz, RATE_HZ)
    if not len(sound) or not np.isfinite(sound).all() or float(np.abs(sound).max()) < 1e-3:
        raise BadInput("no sound came of this text.", where=f"line {line_id!r}: {text!r}")
    return Clip(line_id, text, rate, _levelled(_trimmed(sound)))


def _trimmed(sound: Samples) -> Samples:
    """The speech without the silence around it, with short fades at the cuts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that no ffmpeg is on the path; nothing here needs one
        from pydub import AudioSegment
        from pydub.silence import detect_leading_silence

    peak = float(np.abs(sound).max())
    # pydub works in 16-bit integers: good for finding the cuts, which are then made in float.
    pcm = (sound / peak * 32767).astype("<i2")
    segment = AudioSegment(pcm.tobytes(), frame_rate=RATE_HZ, sample_width=2, channels=1)
    lead_s = detect_leading_silence(segment, silence_threshold=QUIET_DB) / 1000
    tail_s = detect_leading_silence(segment.reverse(), silence_threshold=QUIET_DB) / 1000
    start = samples(max(0.0, lead_s - KEEP_S))
    end = len(sound) - samples(max(0.0, tail_s - KEEP_S))
    cut = sound[start:end].copy()
    fade = min(samples(FADE_S), len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    cut[:fade] *= ramp
    cut[len(cut) - fade :] *= ramp[::-1]
    return cut


def _levelled(sound: Samples) -> Samples:
    """The clip with its speech at ``SPEECH_LEVEL_DB``, pauses not counted."""
    frame = samples(0.02)
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    power = (frames.astype(np.float64) ** 2).mean(axis=1)
    if not power.size:
        power = np.array([float((sound.astype(np.float64) ** 2).mean())])
    active = power[power > power.max() * 1e-3]  # within 30 dB of the loudest frame
    level_db = 10 * np.log10(active.mean())
    return np.asarray(sound * np.float32(10 ** ((SPEECH_LEVEL_DB - level_db) / 20)), dtype=np.float32)
