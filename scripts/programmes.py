"""Programmes to measure on: made-up advertisements through the real stages, from a recording to a candidate file.

Six advertisements in three languages (``programmes.yaml``), each a spot on disk with a recording, approvals and,
mostly, a bed. Speech is the house voice's, beds come from a formula; the same words give the same samples.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from clearspot import pipeline
from clearspot.approvals import approve_script, approve_translation
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.scope import Use
from clearspot.delivery import Made
from clearspot.engines.studio import Studio
from clearspot.gate.policy import load_policies
from clearspot.job import Asked, Job, open_desk, open_job, open_studio
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, to_f32le
from clearspot.pipeline import Bed
from clearspot.project import Project, Settings
from clearspot.provenance.keys import create_keys
from clearspot.spot import load_spot
from clearspot.stages.align import TimedScript
from clearspot.stages.mix import mix
from clearspot.stages.speak import Clip, speak
from clearspot.stages.translate import Translation
from clearspot.timebase import RATE_HZ
from clearspot.timeline import Timeline

HERE = Path(__file__).resolve().parent
SOURCE = "en-US"
MARKETS = {"es-ES": "ES", "it-IT": "IT", "pt-BR": "BR"}
PROFILES = ("podcast", "stream", "broadcast-eu")
PAUSE_S = 0.5
BED_S = 20.0
DEMO_BED = HERE.parent / "spots" / "lumen-coffee" / "bed.opus"

LAST = "measuring-last"
"""A policy of the measuring project: the long disclosure, and again at the end."""


@dataclass(frozen=True)
class Workshop:
    """A project of its own in a temporary folder, and its engines."""

    project: Project
    studio: Studio

    @property
    def root(self) -> Path:
        return self.project.root

    def folder(self, name: str) -> Path:
        """A new folder for candidates."""
        made = self.root / "candidates" / name
        made.mkdir(parents=True)
        return made


@dataclass(frozen=True)
class Programme:
    """One advertisement in one locale, as far as mix; ``samples`` is marked, shape (samples, 2) at 48 kHz."""

    job: Job
    ad: Mapping[str, Any]
    locale: str
    timed: TimedScript
    translation: Translation
    grant: Grant
    clips: tuple[Clip, ...]
    timeline: Timeline
    music: Bed | None
    samples: Samples

    @property
    def name(self) -> str:
        return f"{self.job.spot.id} {self.locale}"

    @property
    def language(self) -> str:
        return self.locale.partition("-")[0]

    def say(self, line_id: str, text: str) -> Clip:
        """Something else in the same voice."""
        return speak(self.job.studio.speech(self.grant.engine), self.grant, line_id, text)

    @property
    def bed(self) -> Samples | None:
        """The bed, shape (samples, 2) at 48 kHz."""
        return self.music.samples() if self.music else None

    def marked(self, timeline: Timeline) -> Samples:
        """Mixed and watermarked, as the pipeline does it."""
        return pipeline.mix_programme(self.job, timeline, self.music, self.locale)

    def unmarked(self) -> Samples:
        return mix(self.timeline, self.bed)

    def deliver(self, profile: str, folder: Path, samples: Samples | None = None, job: Job | None = None) -> Made:
        """A candidate, as the pipeline makes it; of other samples, or by another job, where these are given."""
        sound = self.samples if samples is None else samples
        return pipeline.disclose_programme(
            job or self.job, sound, self.timeline, self.translation, self.grant, profile, folder
        )


def ads() -> dict[str, dict[str, Any]]:
    """Every advertisement by its id."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "programmes.yaml").read_text(encoding="utf-8"))
    return found


@contextmanager
def open_workshop() -> Iterator[Workshop]:
    """A new project with keys and an audit log; it is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="clearspot-") as folder:
        project = a_project(Path(folder))
        studio = open_studio(project)
        try:
            yield Workshop(project, studio)
        finally:
            studio.stop()


def a_project(root: Path) -> Project:
    """A project in a folder, with keys, an audit log, and the policy that asks for the disclosure at the end."""
    project = Project(root, Settings(provider="Measurement"))
    create_keys(project.keys_dir, project.own_trust_dir, "Measurement", dt.datetime.now(dt.UTC), renew=False)
    writing_authority(project).log.begin()
    why = {"why": "To measure that too.", "known_from": "house-rule"}
    policy = {
        "id": LAST,
        "title": "Said again at the end",
        "notice": "For measuring.",
        "markets": ["AQ"],
        "applies_from": "always",
        "requires": {"disclosure": {"at_end": why, "wording": {**why, "value": "long"}}},
        "sources": [{"what": "scripts/programmes.py", "known_from": "house-rule"}],
        "checked": "2026-11-22",
    }
    _write(root / "configs" / "policies" / f"{LAST}.yaml", policy)
    load_policies(project)
    return project


def programmes(
    shop: Workshop, names: Iterable[str], locales: Iterable[str], tell: Callable[[str], None]
) -> Iterator[Programme]:
    """Some advertisements in some locales, through the real stages up to the mix."""
    everything, locales = ads(), tuple(locales)
    for name in names:
        tell(f"recording of {name}")
        job = a_job(shop, name, everything[name])
        timed = pipeline.align_script(job, pipeline.transcribe_recording(job))
        bed = pipeline.look_at_bed(job)
        for locale in locales:
            tell(f"speaking {name} {locale}")
            translation = pipeline.translate_script(job, locale)
            grant = pipeline.authorize_voice(job, locale)
            clips = pipeline.speak_lines(job, translation, grant)
            timeline = pipeline.fit_timeline(job, timed, grant, clips)
            samples = pipeline.mix_programme(job, timeline, bed, locale)
            yield Programme(job, everything[name], locale, timed, translation, grant, clips, timeline, bed, samples)


def a_job(shop: Workshop, name: str, ad: Mapping[str, Any], project: Project | None = None) -> Job:
    """A job for one advertisement: its spot is written if it is not there, recorded, and signed off."""
    folder = shop.root / "spots" / name
    if not folder.is_dir():
        _write_spot(folder, name, ad)
        _record(shop, folder, name, ad)
        now = dt.datetime.now(dt.UTC)
        spot = load_spot(folder)
        approve_script(spot, "Measurement", now)
        for locale in MARKETS:
            approve_translation(spot, locale, "Measurement", now)
    desk = open_desk(project or shop.project, shop.studio)
    return open_job(Asked(folder, out=shop.root / "out"), desk, lambda _: None)


def _write_spot(folder: Path, name: str, ad: Mapping[str, Any]) -> None:
    order: dict[str, Any] = {
        "id": name,
        "voice": "house",
        "recording": "recording.flac",
        "locales": {locale: {"markets": [market]} for locale, market in MARKETS.items()},
        "profiles": list(PROFILES),
        "medium": "radio",
    }
    if "duration_s" in ad:
        order["duration_s"] = ad["duration_s"]
    if ad.get("last"):
        order["policies"] = [LAST]
    if kind := ad.get("bed"):
        order["bed"] = "bed.opus" if kind == "demo" else "bed.wav"
        folder.mkdir(parents=True)
        _write_bed(folder / order["bed"], kind)
    _write(folder / "spot.yaml", order)
    script = {"advertiser": ad["name"], "product": ad["name"], "locale": SOURCE, "protected": [ad["name"]]}
    _write(folder / "script.yaml", {**script, "lines": ad["lines"][SOURCE]})
    for locale in MARKETS:
        _write(folder / "translations" / f"{locale}.yaml", {"locale": locale, "lines": ad["lines"][locale]})


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(value), allow_unicode=True, sort_keys=False), encoding="utf-8")


def _record(shop: Workshop, folder: Path, name: str, ad: Mapping[str, Any]) -> None:
    """The spokesperson's recording: the script, spoken by the house voice under a grant."""
    grant = _grant(shop, name)
    engine = shop.studio.speech(grant.engine)
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    parts = [pause]
    for line_id, text in ad["lines"][SOURCE].items():
        parts += [speak(engine, grant, line_id, text).samples, pause]
    write_audio(folder / "recording.flac", np.concatenate(parts), acodec="flac", sample_fmt="s16")


def _grant(shop: Workshop, name: str) -> Grant:
    voice = load_voice("house", shop.project.voice_folders())
    weights = shop.studio.weights
    for model_id in voice.file.weights.values():
        weights.resolve(model_id, commercial=True)
    use = Use(
        spot=name,
        script_sha256="0" * 64,
        locale=SOURCE,
        source_locale=SOURCE,
        market="US",
        advertiser="Measurement",
        product="Measurement",
        categories=(),
        medium="radio",
        purpose="internal",
        operator=shop.project.settings.provider,
    )
    pinned = weights.pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (use,), writing_authority(shop.project), weights=pinned, step="speak")


def profile_for(index: int) -> str:
    """A shipped profile for a programme, by turns: every locale gets each."""
    return PROFILES[(index + index // len(MARKETS)) % len(PROFILES)]


def write_audio(path: Path, samples: Samples, **options: object) -> None:
    """Mono or stereo samples at 48 kHz to a file."""
    import ffmpeg as graph

    channels = 1 if samples.ndim == 1 else samples.shape[1]
    source = graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=channels)
    ffmpeg.run(source.output(f"file:{path}", **options), stdin=to_f32le(samples), about=path)


# --- beds --------------------------------------------------------------------------------------------------------


def _write_bed(path: Path, kind: str) -> None:
    if kind == "demo":
        path.write_bytes(DEMO_BED.read_bytes())
        return
    write_audio(path, BEDS[kind](), acodec="pcm_s16le")


def _chords() -> Samples:
    """Four soft chords, each of five seconds, a little apart left and right."""
    time_s = np.arange(round(BED_S / 4 * RATE_HZ)) / RATE_HZ
    swell = np.sin(np.pi * time_s * 4 / BED_S) ** 0.5
    chords = [(48, 55, 60, 64), (45, 52, 57, 60), (41, 53, 57, 60), (43, 55, 59, 62)]
    sides = [
        np.concatenate([swell * sum(np.sin(2 * np.pi * _hz(n + cents) * time_s) for n in notes) for notes in chords])
        for cents in (-0.03, 0.03)
    ]
    return _bed(np.stack(sides, axis=1))


def _plucks() -> Samples:
    """A plucked note every quarter of a second, loud and quickly gone."""
    step = round(0.25 * RATE_HZ)
    time_s = np.arange(step) / RATE_HZ
    notes = [(60, 64, 67, 72, 67, 64, 62, 65)[at % 8] for at in range(round(BED_S / 0.25))]
    line = np.concatenate([np.exp(-time_s / 0.06) * np.sin(2 * np.pi * _hz(note) * time_s) for note in notes])
    return _bed(np.stack([line, np.roll(line, step // 8)], axis=1))


def _drums() -> Samples:
    """A low drum on every beat and a hiss between."""
    beat = round(0.5 * RATE_HZ)
    time_s = np.arange(beat) / RATE_HZ
    generator = np.random.default_rng(1)
    bars = []
    for _ in range(round(BED_S / 0.5)):
        low = np.exp(-time_s / 0.08) * np.sin(2 * np.pi * (55 + 60 * np.exp(-time_s / 0.03)) * time_s)
        hiss = np.where(time_s > 0.25, np.exp(-(time_s - 0.25) / 0.03), 0) * generator.standard_normal(beat)
        bars.append(low + 0.15 * hiss)
    line = np.concatenate(bars)
    return _bed(np.stack([line, line], axis=1))


def _noise() -> Samples:
    """Steady brown noise, other on each side: a street, the sea."""
    white = np.random.default_rng(2).standard_normal((round(BED_S * RATE_HZ), 2))
    spectrum = np.fft.rfft(white, axis=0)
    hertz = np.fft.rfftfreq(len(white), 1 / RATE_HZ)[:, None]
    return _bed(np.fft.irfft(spectrum / np.maximum(hertz, 100), len(white), axis=0))


def _hz(midi: float) -> float:
    return float(440 * 2 ** ((midi - 69) / 12))


def _bed(sound: np.ndarray) -> Samples:
    return np.asarray(sound / np.abs(sound).max() * 0.5, dtype=np.float32)


BEDS: Mapping[str, Callable[[], Samples]] = {"chords": _chords, "plucks": _plucks, "drums": _drums, "noise": _noise}
