"""How audible the watermark is, what it survives, and how far unmarked sound is from it: figures to choose strength on.

    python -m scripts.watermark_audibility [PROGRAMME]...

Takes programmes without a watermark (wav), and makes more: six languages, three voices, alone and with music 15 dB and
6 dB under the speech. Needs `pip install pesq`. Prints Markdown; writes no audio.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clearspot.engines.perth import CHECKPOINT, DETECTED_FROM, PerthWatermarker
from clearspot.engines.studio import WATERMARK_MODEL
from clearspot.engines.weights import load_weights
from clearspot.media import ffmpeg
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode, for_listening, from_f32le, resample, to_f32le
from clearspot.project import find_project
from clearspot.timebase import RATE_HZ
from scripts.speaker_scores import MIX, REFERENCES, STATEMENTS, head, row, speaker

WORKERS = 2
STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5)
BED = Path(__file__).resolve().parents[1] / "spots" / "lumen-coffee" / "bed.opus"
VOICES = (MIX, "jm_kumo", "jf_alpha")
"""Each speaks two of the six languages."""

SPEECH_DBFS = -20.0
MUSIC_DB = {"alone": None, "music -15 dB": -15.0, "music -6 dB": -6.0}
PAUSE_S, LEAD_S = 1.0, 0.5


# --- what happens to a programme on its way (stereo at 48 kHz; what comes out may be shorter or mono) --------------


def _through(programme: Samples, container: str, **options: object) -> Samples:
    import ffmpeg as graph

    source = graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=2)
    packed = ffmpeg.run(source.output("pipe:", f=container, **options), stdin=to_f32le(programme)).output
    back = graph.input("pipe:").output("pipe:", f="f32le", ar=RATE_HZ, ac=2)
    return from_f32le(ffmpeg.run(back, stdin=packed).output, 2)


def _filtered(programme: Samples, name: str, *values: object, **options: object) -> Samples:
    import ffmpeg as graph

    stream = graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=2).filter(name, *values, **options)
    return from_f32le(ffmpeg.run(stream.output("pipe:", f="f32le"), stdin=to_f32le(programme)).output, 2)


def _phone(programme: Samples) -> Samples:
    return _filtered(_filtered(programme, "highpass", 300), "lowpass", 3400)


CONDITIONS: dict[str, Callable[[Samples], Samples]] = {
    "as it is": lambda programme: programme,
    "mp3 128k": lambda programme: _through(programme, "mp3", audio_bitrate="128k"),
    "aac 128k": lambda programme: _through(programme, "adts", acodec="aac", audio_bitrate="128k"),
    "opus 32k": lambda programme: _through(programme, "opus", acodec="libopus", audio_bitrate="32k"),
    "-12 dB": lambda programme: programme * np.float32(10 ** (-12 / 20)),
    "phone band": _phone,
    "tempo 1.05": lambda programme: _filtered(programme, "atempo", 1.05),
    "10 s of it": lambda programme: programme[5 * RATE_HZ : 15 * RATE_HZ],
}


# --- programmes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Programme:
    """A programme, stereo at 48 kHz, and which of its samples are speech."""

    kind: str
    name: str
    samples: Samples
    spoken: np.ndarray


def spoken(programme: Samples) -> np.ndarray:
    """Where somebody speaks, by the detector of speech that the listener has, shape (samples,)."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = np.zeros(len(programme), dtype=bool)
    for span in get_speech_timestamps(for_listening(programme), VadOptions(min_silence_duration_ms=200)):
        found[span["start"] * 3 : span["end"] * 3] = True
    return found


def make_programmes(files: list[Path]) -> Iterator[Programme]:
    """The given files, and speech alone and with music."""
    for path in files:
        samples = decode(path, channels=2)
        yield Programme("given", path.stem, samples, spoken(samples))
    say = speaker(load_weights(find_project()))
    bed = decode(BED, channels=2)
    for at, locale in enumerate(STATEMENTS):
        speech = _speech(say, VOICES[at % len(VOICES)], locale)
        where = spoken(speech)
        music = np.tile(bed, (2, 1))[at * RATE_HZ :][: len(speech)]
        music = music / np.sqrt(np.mean(music**2)) * 10 ** (SPEECH_DBFS / 20)
        for kind, level_db in MUSIC_DB.items():
            gain = 0.0 if level_db is None else 10 ** (level_db / 20)
            yield Programme(kind, locale, (speech + gain * music).astype(np.float32), where)


def _speech(say: Callable[[str, str, str], Samples], voice: str, locale: str) -> Samples:
    """Two texts with a second between them, as loud as the mix has speech; the rest is digital silence."""
    texts = [resample(say(voice, locale, texts[locale]), LISTEN_RATE_HZ, RATE_HZ) for texts in (STATEMENTS, REFERENCES)]
    lead, pause = (np.zeros(round(length_s * RATE_HZ), dtype=np.float32) for length_s in (LEAD_S, PAUSE_S))
    speech = np.concatenate([lead, texts[0], pause, texts[1], pause])
    loud = np.abs(speech) > 0.02 * np.abs(speech).max()
    speech *= np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(np.mean(speech[loud] ** 2)))
    return np.stack([speech, speech], axis=1)


# --- measuring ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One programme at one strength; levels in dBFS of the mono mix, and of the mark in it."""

    kind: str
    strength: float
    mos: float
    speech_dbfs: float
    mark_in_speech_dbfs: float
    pause_dbfs: float
    mark_in_pause_dbfs: float
    evidence: dict[str, float]


def level_dbfs(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-15)) if len(samples) else -150.0


def measure(programme: Programme, marker: PerthWatermarker, strength: float) -> Measured:
    from pesq import pesq

    marked = marker.mark(programme.samples)
    mono, difference = programme.samples.mean(axis=1), (marked - programme.samples).mean(axis=1)
    where = programme.spoken
    return Measured(
        programme.kind,
        strength,
        float(pesq(LISTEN_RATE_HZ, for_listening(programme.samples), for_listening(marked), "wb")),
        *(level_dbfs(part[at]) for at in (where, ~where) for part in (mono, difference)),
        {name: marker.evidence(change(marked).mean(axis=1), RATE_HZ) for name, change in CONDITIONS.items()},
    )


def unmarked(programmes: list[Programme], marker: PerthWatermarker) -> dict[str, list[float]]:
    """The evidence in sound that has no mark: by condition, in short pieces, and in noise."""
    found = {
        name: [marker.evidence(change(one.samples).mean(axis=1), RATE_HZ) for one in programmes]
        for name, change in CONDITIONS.items()
    }
    for length_s in (1, 2, 5):
        size = length_s * RATE_HZ
        pieces = (
            one.samples[at : at + size].mean(axis=1)
            for one in programmes
            for at in range(0, len(one.samples) - size, size)
        )
        found[f"pieces of {length_s} s"] = [marker.evidence(piece, RATE_HZ) for piece in pieces]
    generator = np.random.RandomState(1)
    white = [generator.standard_normal(5 * RATE_HZ).astype(np.float32) * np.float32(level) for level in (0.3, 0.01)]
    found["white noise"] = [marker.evidence(noise, RATE_HZ) for noise in white]
    found["brown noise"] = [marker.evidence(np.cumsum(noise) / 100, RATE_HZ) for noise in white]
    bed = decode(BED, channels=1)
    found["music alone"] = [marker.evidence(bed[at : at + 5 * RATE_HZ], RATE_HZ) for at in range(0, len(bed), RATE_HZ)]
    return found


# --- tables ------------------------------------------------------------------------------------------------------


def number(values: list[float], places: int = 2) -> str:
    """Worst and median, for what is better when it is more."""
    return f"{min(values):.{places}f} / {np.median(values):.{places}f}"


def print_audibility(measured: list[Measured]) -> None:
    head(
        "How audible (MOS: PESQ wide band, lowest / median; levels: medians)",
        "programmes", "strength", "how many", "MOS",
        "speech dBFS", "mark under it", "to the mix", "pauses dBFS", "mark in them", "to the mix",
    )  # fmt: skip
    for kind in dict.fromkeys(one.kind for one in measured):
        for strength in STRENGTHS:
            some = [one for one in measured if (one.kind, one.strength) == (kind, strength)]
            levels = [
                float(np.median([getattr(one, name) for one in some]))
                for name in ("speech_dbfs", "mark_in_speech_dbfs", "pause_dbfs", "mark_in_pause_dbfs")
            ]
            speech, in_speech, pause, in_pause = levels
            cells = (speech, in_speech, in_speech - speech, pause, in_pause, in_pause - pause)
            row(kind, f"{strength:g}", len(some), number([one.mos for one in some]), *(f"{cell:.0f}" for cell in cells))


def print_survival(measured: list[Measured]) -> None:
    head("What it survives: lowest / median evidence", "programmes", "strength", *CONDITIONS)
    for kind in dict.fromkeys(one.kind for one in measured):
        for strength in STRENGTHS:
            some = [one for one in measured if (one.kind, one.strength) == (kind, strength)]
            row(kind, f"{strength:g}", *(number([one.evidence[name] for one in some]) for name in CONDITIONS))
    head(f"Missed at {DETECTED_FROM:g}, of all programmes", "strength", *CONDITIONS)
    for strength in STRENGTHS:
        some = [one for one in measured if one.strength == strength]
        missed = (sum(one.evidence[name] < DETECTED_FROM for one in some) for name in CONDITIONS)
        row(f"{strength:g}", *(f"{count} of {len(some)}" for count in missed))


def print_unmarked(found: dict[str, list[float]]) -> None:
    head("Sound without a mark: evidence", "sound", "how many", "median", "95 %", "99 %", "largest", "over the limit")
    for name, values in found.items():
        shares = (float(np.percentile(values, share)) for share in (50, 95, 99, 100))
        row(name, len(values), *shares, sum(value >= DETECTED_FROM for value in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programme", type=Path, nargs="*", help="a programme without a watermark")
    programmes = list(make_programmes(parser.parse_args().programme))
    checkpoint = load_weights(find_project()).resolve(WATERMARK_MODEL, commercial=True)[CHECKPOINT].read()
    markers = {strength: PerthWatermarker(lambda: {CHECKPOINT: checkpoint}, strength) for strength in STRENGTHS}

    def one(job: tuple[Programme, float]) -> Measured:
        print(job[0].kind, job[0].name, job[1], file=sys.stderr)
        return measure(job[0], markers[job[1]], job[1])

    print_unmarked(unmarked(programmes, markers[1.0]))
    with ThreadPoolExecutor(WORKERS) as pool:
        measured = list(pool.map(one, [(each, strength) for each in programmes for strength in STRENGTHS]))
    print_audibility(measured)
    print_survival(measured)


if __name__ == "__main__":
    main()
