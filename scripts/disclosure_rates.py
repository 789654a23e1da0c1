"""How well the spoken disclosure is understood in delivered files, per locale, and how clear of everything else it is.

    python -m scripts.disclosure_rates [--locales es-ES,it-IT] [--only understood|clear]

The house voice speaks both its wordings of ``configs/disclosures.yaml`` (it is nobody's: its long one is
``long_plain``), the other wording follows as a line with the demo spot's bed, the watermark is laid in, every shipped
profile encodes that, and the project's recogniser listens. Then the house voice and Joe, who makes no pause, with all
kinds of sound laid under the disclosure, in three profiles.
Prints Markdown tables; the limits in ``configs/listening.yaml`` come from them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clearspot.config import Profile, load_disclosure, load_profile
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.scope import Use
from clearspot.disclosure import DisclosureAsked, Wording
from clearspot.engines.kokoro import LANGUAGES
from clearspot.engines.studio import Studio
from clearspot.gate.levels import level_of
from clearspot.job import open_studio
from clearspot.media.audio import Samples, decode, for_listening
from clearspot.media.loudness import bring_to, decode_and_measure
from clearspot.project import Project, Settings
from clearspot.provenance.keys import create_keys
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages.disclose import encode
from clearspot.stages.fit import Plan, Slot, Spoken, fit
from clearspot.stages.mix import mix
from clearspot.stages.speak import SPEECH_LEVEL_DB, speak
from clearspot.text.match import match_lines
from clearspot.timebase import RATE_HZ, samples
from clearspot.timeline import Timeline

BED = Path(__file__).parents[1] / "spots" / "lumen-coffee" / "bed.opus"
WORDINGS: tuple[Wording, ...] = ("short", "long")
CLEAR_OF = (("joe", "en-US"), ("house", "en-US"), ("house", "es-ES"), ("house", "it-IT"))
"""Voices and locales that something is laid under."""

PROFILES = ("broadcast-eu", "podcast", "stream")
"""What that is delivered in: linear, MP3, AAC."""

UNDER_DB: Mapping[str, tuple[float, ...]] = {
    "the bed": (-50, -40, -30, -20, -10),
    "noise": (-50, -40, -30, -20, -10),
    "the bed, gone in the pauses": (-30, -20, -10),
    "noise, gone in the pauses": (-30, -20, -10),
    "a drum's hit of 60 ms every 0.5 s": (-30, -20, -10),
    "a drum's hit of 60 ms every second": (-20, -10),
    "another voice": (-30, -20, -10),
}
"""What is laid under the disclosure, and how loud, against its speech: hits as they are, all else on the whole."""

HIT_S = 0.06


@dataclass(frozen=True)
class Said:
    """One disclosure as a voice says it, and the programme that it opens; shape (samples, 2), not marked yet."""

    voice: str
    locale: str
    wording: str
    timeline: Timeline
    programme: Samples


@dataclass(frozen=True)
class Heard:
    """One disclosure in one delivered file; ``under`` is what lay under it, and how loud (dB against its speech)."""

    said: Said
    profile: str
    under: tuple[str, float] | None
    clear_db: float
    error_rate: float = 0.0
    heard: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--locales", default=",".join(LANGUAGES))
    parser.add_argument("--only", choices=("understood", "clear"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearspot-") as folder:
        project = Project(Path(folder), Settings())
        create_keys(project.keys_dir, project.own_trust_dir, "Measurement", dt.datetime.now(dt.UTC), renew=False)
        writing_authority(project).log.begin()
        studio = open_studio(project)
        if options.only != "clear":
            found = [heard for locale in options.locales.split(",") for heard in understood(project, studio, locale)]
            print("\n".join(understood_table(found)))
        if options.only != "understood":
            print("\n".join(clear_table(list(clear(project, studio)))))
        studio.stop()


def understood(project: Project, studio: Studio, locale: str) -> Iterator[Heard]:
    """Both wordings in one locale by the house voice, in every shipped profile, listened to."""
    for said in both_wordings(project, studio, "house", locale):
        marked = studio.watermarker().mark(said.programme)
        for profile_id in project.configs("profiles"):
            delivered = deliver(marked, load_profile(project, profile_id))
            transcript = studio.recogniser().recognise(delivered, language=locale.split("-", maxsplit=1)[0])
            match = match_lines([clip.text for clip in said.timeline.clips], transcript.words, locale)[0]
            clear_db = level_of(delivered, said.timeline.disclosures[0]).clear_by_db
            yield Heard(said, profile_id, None, clear_db, match.character_error_rate, match.heard)


def clear(project: Project, studio: Studio) -> Iterator[Heard]:
    """Both wordings with nothing under them and with everything, in three profiles."""
    everything = [(what, level_db) for what, levels in UNDER_DB.items() for level_db in levels]
    for voice, locale in CLEAR_OF:
        for said in both_wordings(project, studio, voice, locale):
            for under in (None, *everything):
                marked = studio.watermarker().mark(with_under(said, under))
                for profile_id in PROFILES:
                    delivered = deliver(marked, load_profile(project, profile_id))
                    clear_db = level_of(delivered, said.timeline.disclosures[0]).clear_by_db
                    yield Heard(said, profile_id, under, clear_db)
            print(voice, locale, said.wording, file=sys.stderr, flush=True)


def both_wordings(project: Project, studio: Studio, voice_id: str, locale: str) -> Iterator[Said]:
    """A disclosure in each wording, followed by the other one as a line over the bed."""
    grant = grant_for(project, studio, voice_id, locale)
    engine = studio.speech(grant.engine)
    bed = decode(BED, channels=2)
    texts = [load_disclosure(project, locale, DisclosureAsked(wording), grant.basis) for wording in WORDINGS]
    spoken = [speak(engine, grant, DISCLOSURE_ID, text) for text in texts]
    clips = [Spoken(DISCLOSURE_ID, clip.text, clip.duration_s, clip.samples) for clip in spoken]
    for wording, clip, other in zip(WORDINGS, clips, reversed(clips), strict=True):
        line = Spoken("line", other.text, other.natural_s, other.samples)
        timeline = fit(clip, [line], Plan("flow", (Slot("line", 0.0, line.natural_s),), None, line.natural_s))
        yield Said(voice_id, locale, wording, timeline, mix(timeline, bed))


def grant_for(project: Project, studio: Studio, voice_id: str, locale: str) -> Grant:
    """Leave to speak with a voice, as for any other use; nothing is sold with it."""
    voice = load_voice(voice_id, project.voice_folders())
    use = Use(
        spot="measurement",
        script_sha256="0" * 64,
        locale=locale,
        source_locale=locale,
        market=locale.rpartition("-")[2],
        advertiser="Clearspot",
        product="Measurement",
        categories=(),
        medium="radio",
        purpose="internal",
        operator="Measurement",
    )
    for model_id in voice.file.weights.values():
        studio.weights.resolve(model_id, commercial=False)
    pinned = studio.weights.pinned_roles(voice.file.weights, commercial=False)
    return authorize(voice, (use,), writing_authority(project), weights=pinned, step="speak")


# --- what is laid under it ---------------------------------------------------------------------------------------


def with_under(said: Said, under: tuple[str, float] | None) -> Samples:
    """The programme with something under its disclosure, from the start of the file to the disclosure's end."""
    if under is None:
        return said.programme
    what, level_db = under
    made, clip = said.programme.copy(), said.timeline.disclosures[0]
    made[: clip.end] += laid_under(what, said) * np.float32(10 ** ((SPEECH_LEVEL_DB + level_db) / 20))
    return made


def laid_under(what: str, said: Said) -> Samples:
    """A kind of sound at a level of 0 dB, shape (samples, 2), until the disclosure ends."""
    clip = said.timeline.disclosures[0]
    if what.startswith("a drum"):
        return hits(clip.end, 1.0 if what.endswith("second") else 0.5)
    if what == "another voice":  # what the line says, in the same voice: nothing is more alike
        return _level(np.resize(said.timeline.lines[0].samples, clip.end)[:, None].repeat(2, axis=1))
    bed = decode(BED, channels=2) if what.startswith("the bed") else NOISE
    sound = _level(np.resize(bed, (clip.end, 2)))
    if what.endswith("pauses"):
        sound[: clip.start] = 0
        sound[clip.start :] *= speaking(clip.samples)[:, None]
    return sound


def hits(count: int, every_s: float) -> Samples:
    """A drum's hits, each at 0 dB; silence between."""
    time_s = np.arange(samples(HIT_S)) / RATE_HZ
    rattle = 0.3 * np.random.default_rng(1).standard_normal(len(time_s))
    hit = (np.sin(2 * np.pi * 110 * time_s) + rattle) * np.exp(-time_s / 0.03)
    made = np.zeros((count, 2), np.float32)
    for start in range(samples(0.2), count - len(hit), samples(every_s)):
        made[start : start + len(hit)] = _level(hit)[:, None]
    return made


def speaking(clip: Samples) -> Samples:
    """1 where somebody speaks, 0 in the pauses, with ramps of 10 ms between."""
    window = samples(0.02)
    power = (clip[: len(clip) // window * window].reshape(-1, window) ** 2).mean(axis=1)
    active = np.repeat(power > power.max() * 1e-3, window).astype(np.float32)
    ramp = samples(0.01)
    return np.convolve(np.pad(active, (0, len(clip) - len(active))), np.ones(ramp) / ramp, "same").astype(np.float32)


def _level(sound: np.ndarray) -> Samples:
    return np.asarray(sound / np.sqrt((sound**2).mean()), dtype=np.float32)


NOISE = np.random.default_rng(0).standard_normal((20 * RATE_HZ, 2)).astype(np.float32)


# --- what a listener gets ----------------------------------------------------------------------------------------


def deliver(programme: Samples, profile: Profile) -> Samples:
    """What a listener of the encoded file gets: mono at 16 kHz."""
    with tempfile.TemporaryDirectory(prefix="clearspot-") as folder:
        path = Path(folder) / f"delivered.{profile.extension}"
        encode(bring_to(programme, profile.loudness_lufs, profile.true_peak_dbtp - 1), profile, path)
        return for_listening(decode_and_measure(path)[0])


def understood_table(found: list[Heard]) -> Iterator[str]:
    yield "| locale | short, mean / worst | long, mean / worst | clear by, least (dB) |"
    yield "|---|---|---|---|"
    for locale in dict.fromkeys(heard.said.locale for heard in found):
        here = [heard for heard in found if heard.said.locale == locale]
        cells = []
        for wording in WORDINGS:
            rates = [heard.error_rate for heard in here if heard.said.wording == wording]
            cells.append(f"{statistics.mean(rates):.2f} / {max(rates):.2f}")
        yield f"| {locale} | {' | '.join(cells)} | {min(heard.clear_db for heard in here):.0f} |"
    yield ""
    for heard in sorted(found, key=lambda one: -one.error_rate)[:8]:
        yield f"- {heard.said.locale} {heard.said.wording} {heard.profile} {heard.error_rate:.2f}: {heard.heard}"
    yield ""


def clear_table(found: list[Heard]) -> Iterator[str]:
    """Of each kind and level: how clear the disclosure is, least and most, by voice."""
    voices = tuple(dict.fromkeys(heard.said.voice for heard in found))
    yield f"| under the disclosure | against its speech | {' | '.join(f'{v}, least / most (dB)' for v in voices)} |"
    yield "|---|---|" + "---|" * len(voices)
    for under in dict.fromkeys(heard.under for heard in found):
        cells = []
        for voice in voices:
            clear = [heard.clear_db for heard in found if heard.under == under and heard.said.voice == voice]
            cells.append(f"{min(clear):.0f} / {max(clear):.0f}")
        what, level_db = (under[0], f"{under[1]:g} dB") if under else ("nothing", "")
        yield f"| {what} | {level_db} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
