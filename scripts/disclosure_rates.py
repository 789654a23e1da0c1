"""How well the spoken disclosure is understood in delivered files, per locale, and how clear of the bed it is.

    python scripts/disclosure_rates.py [--locales es-ES,it-IT]

The house voice speaks both its wordings of ``configs/disclosures.yaml`` (it is nobody's, so its long one is
``long_plain``), the other wording follows as a line with the demo spot's bed, every shipped profile encodes that, and
the project's recogniser listens. Then the same with the bed laid under the disclosure. Prints Markdown tables; the
limits in ``configs/listening.yaml`` come from them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
from collections.abc import Iterator
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
from clearspot.stages.speak import speak
from clearspot.text.match import match_lines
from clearspot.timeline import Timeline

BED = Path(__file__).parents[1] / "spots" / "lumen-coffee" / "bed.opus"
WORDINGS: tuple[Wording, ...] = ("short", "long")
UNDER_DB = (-40.0, -30.0, -20.0, -10.0)
"""How loud a bed is laid under the disclosure, against its speech."""


@dataclass(frozen=True)
class Heard:
    """One disclosure in one delivered file; ``under_db`` is how loud a bed lay under it, None for none."""

    locale: str
    wording: str
    profile: str
    under_db: float | None
    error_rate: float
    clear_db: float
    heard: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--locales", default=",".join(LANGUAGES))
    locales = parser.parse_args().locales.split(",")
    with tempfile.TemporaryDirectory(prefix="clearspot-") as folder:
        project = Project(Path(folder), Settings())
        create_keys(project.keys_dir, project.own_trust_dir, "Measurement", dt.datetime.now(dt.UTC), renew=False)
        writing_authority(project).log.begin()
        studio = open_studio(project)
        found = [heard for locale in locales for heard in in_locale(project, studio, locale)]
        studio.stop()
    print("\n".join(tables(found)))


def in_locale(project: Project, studio: Studio, locale: str) -> Iterator[Heard]:
    """Both wordings in one locale, in every shipped profile."""
    grant = grant_for(project, studio, locale)
    engine = studio.speech(grant.engine)
    bed = decode(BED, channels=2)
    texts = [load_disclosure(project, locale, DisclosureAsked(wording), grant.basis) for wording in WORDINGS]
    spoken = [speak(engine, grant, DISCLOSURE_ID, text) for text in texts]
    clips = [Spoken(DISCLOSURE_ID, clip.text, clip.duration_s, clip.samples) for clip in spoken]
    for wording, clip, other in zip(WORDINGS, clips, reversed(clips), strict=True):
        line = Spoken("line", other.text, other.natural_s, other.samples)
        timeline = fit(clip, [line], Plan("flow", (Slot("line", 0.0, line.natural_s),), None, line.natural_s))
        programme = mix(timeline, bed)
        for profile_id in project.configs("profiles"):
            profile = load_profile(project, profile_id)
            for under_db in (None, *UNDER_DB) if profile_id == "podcast" else (None,):
                delivered = deliver(with_bed_under(programme, timeline, bed, under_db), profile)
                yield listen(delivered, timeline, studio, locale, wording, profile_id, under_db)


def grant_for(project: Project, studio: Studio, locale: str) -> Grant:
    """Leave to speak with the house voice, as for any other use."""
    voice = load_voice("house", project.voice_folders())
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
    weights = studio.weights
    for model_id in voice.file.weights.values():
        weights.resolve(model_id, commercial=True)
    pinned = weights.pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (use,), writing_authority(project), weights=pinned, step="speak")


def with_bed_under(programme: Samples, timeline: Timeline, bed: Samples, under_db: float | None) -> Samples:
    """The programme with the bed under its disclosure too, that much under the speech's level of -20 dBFS."""
    if under_db is None:
        return programme
    made, clip = programme.copy(), timeline.disclosures[0]
    part = np.resize(bed, (clip.end, 2))
    made[: clip.end] += part * np.float32(10 ** ((under_db - 20) / 20) / np.sqrt((part**2).mean()))
    return made


def deliver(programme: Samples, profile: Profile) -> Samples:
    """What a listener of the encoded file gets: mono at 16 kHz."""
    with tempfile.TemporaryDirectory(prefix="clearspot-") as folder:
        path = Path(folder) / f"delivered.{profile.extension}"
        encode(bring_to(programme, profile.loudness_lufs, profile.true_peak_dbtp - 1), profile, path)
        return for_listening(decode_and_measure(path)[0])


def listen(
    delivered: Samples,
    timeline: Timeline,
    studio: Studio,
    locale: str,
    wording: str,
    profile_id: str,
    under_db: float | None,
) -> Heard:
    transcript = studio.recogniser().recognise(delivered, language=locale.split("-", maxsplit=1)[0])
    match = match_lines([clip.text for clip in timeline.clips], transcript.words, locale)[0]
    opening = timeline.disclosures[0]
    clear_db = level_of(delivered, opening.start_s, opening.end_s).clear_by_db
    return Heard(locale, wording, profile_id, under_db, match.character_error_rate, clear_db, match.heard)


def tables(found: list[Heard]) -> Iterator[str]:
    yield "| locale | short, mean / worst | long, mean / worst | clear by, least (dB) |"
    yield "|---|---|---|---|"
    clean = [heard for heard in found if heard.under_db is None]
    for locale in dict.fromkeys(heard.locale for heard in clean):
        here = [heard for heard in clean if heard.locale == locale]
        cells = []
        for wording in WORDINGS:
            rates = [heard.error_rate for heard in here if heard.wording == wording]
            cells.append(f"{statistics.mean(rates):.2f} / {max(rates):.2f}")
        yield f"| {locale} | {' | '.join(cells)} | {min(heard.clear_db for heard in here):.0f} |"
    yield ""
    yield "| bed under the disclosure, against its speech | clear by, median / most (dB) | error rate, mean |"
    yield "|---|---|---|"
    for under_db in UNDER_DB:
        under = [heard for heard in found if heard.under_db == under_db]
        clear = [heard.clear_db for heard in under]
        rate = statistics.mean(heard.error_rate for heard in under)
        yield f"| {under_db:g} dB | {statistics.median(clear):.0f} / {max(clear):.0f} | {rate:.2f} |"
    yield ""
    for heard in sorted(clean, key=lambda one: -one.error_rate)[:8]:
        yield f"- {heard.locale} {heard.wording} {heard.profile} {heard.error_rate:.2f}: {heard.heard}"


if __name__ == "__main__":
    main()
