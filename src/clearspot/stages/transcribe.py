"""transcribe: a recording to its words with their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clearspot.engines.protocols import Recogniser
from clearspot.errors import BadInput
from clearspot.media.audio import LISTEN_RATE_HZ, decode, probe
from clearspot.transcript import Transcript

MAX_RECORDING_S = 600
SILENCE_PEAK = 10 ** (-60 / 20)
"""A recording whose loudest sample is below -60 dBFS holds nothing."""


def transcribe(recording: Path, recogniser: Recogniser) -> Transcript:
    """Hear a recording, its language included.

    Args:
        recording: Any audio file; telephone quality and surround sound are fine.
        recogniser: The engine that listens.

    Raises:
        BadInput: It is not audio, too long, silent, or nothing is said in it.
    """
    where = str(recording)
    duration_s = probe(recording).duration_s
    if duration_s > MAX_RECORDING_S:
        raise BadInput(f"is {duration_s:.0f} s long; at most {MAX_RECORDING_S} s are heard.", where=where)
    samples = decode(recording, channels=1, rate_hz=LISTEN_RATE_HZ)
    if not len(samples) or float(np.abs(samples).max()) < SILENCE_PEAK:
        raise BadInput("is silent.", where=where, remedy="Give the recording of the spokesperson.")
    transcript = recogniser.recognise(samples, language=None)
    if not transcript.words:
        raise BadInput("holds no speech.", where=where, remedy="Give the recording of the spokesperson.")
    return transcript
