"""How like itself each shipped voice is, in a sentence and in short lines, over music; and how like it others are.

    python -m scripts.voice_lines

Each voice says the long disclosure, and lines of less than 1.6 seconds, heard over and over as the gate does. Both are
held against the voice's short disclosure, which is what the gate takes for its likeness. The others are the styles that
Kokoro ships. ``gate.speaker.SHORT_LESS`` is from here.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from clearspot.config import DisclosureWording, load_wordings
from clearspot.engines.protocols import SpeakerEncoder
from clearspot.engines.studio import Studio
from clearspot.gate.speaker import Likeness, like
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode, resample
from clearspot.project import Project
from clearspot.text.spoken import spoken_form
from clearspot.trial import open_trial
from scripts.bench_project import SPOT, bench_project
from scripts.styles import HOUSE, STYLES, said_by

SHORT = {
    "en-US": ("Only today.", "Thank you.", "Come and see.", "Thirty percent.", "Real coffee.", "Wait no longer."),
    "es-ES": ("Solo hoy.", "Gracias.", "Ven a verlo.", "Treinta por ciento.", "Café de verdad.", "No esperes más."),
    "it-IT": ("Solo oggi.", "Grazie.", "Vieni a vederlo.", "Trenta per cento.", "Caffè vero.", "Non aspettare oltre."),
    "pt-BR": ("Só hoje.", "Obrigada.", "Venha ver.", "Trinta por cento.", "Café de verdade.", "Não espere mais."),
}
VOICES = {"house": tuple(SHORT), "joe": ("en-US",)}
UNDER_DB: Mapping[str, float | None] = {"alone": None, "music -20 dB": -20.0, "music -15 dB": -15.0}
"""How loud the demo's music is under the speech."""

Say = Callable[[str, str], Samples]
"""A text in a locale: mono at 16 kHz."""


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    bed = decode(SPOT / "bed.opus", channels=1, rate_hz=LISTEN_RATE_HZ)
    with bench_project() as project:
        studio = open_studio(project)
        try:
            ours = {voice: voice_of(project, studio, voice) for voice in VOICES}
            sayers = {name: functools.cache(say) for name, say in (ours | styles(studio)).items()}
            print(f"| voice | | said by | {' | '.join(UNDER_DB)} |\n|---|---|---|{len(UNDER_DB) * '---|'}")
            for voice, kind in itertools.product(VOICES, ("sentence", "short lines")):
                near = tuple(HOUSE) if voice == "house" else ()
                others = [name for name in STYLES if name not in near]
                for told, names in (("itself", [voice]), ("the two it is made of", near), ("others", others)):
                    pairs = list(spoken(load_wordings(project), sayers, voice, names, kind))
                    if pairs:
                        cells = (spread(studio.speaker_encoder(), pairs, bed, under) for under in UNDER_DB.values())
                        print(f"| {voice} | {kind} | {told} | {' | '.join(cells)} |", flush=True)
        finally:
            studio.stop()


def voice_of(project: Project, studio: Studio, voice: str) -> Say:
    """A shipped voice, under its consent for checks."""

    def say(text: str, locale: str) -> Samples:
        with open_trial(project, studio, voice, locale) as trial:
            speech = studio.speech(trial.grant.engine).speak(trial.grant, spoken_form(text, locale), 1.0)
        return resample(speech.samples, speech.rate_hz, LISTEN_RATE_HZ)

    return say


def styles(studio: Studio) -> dict[str, Say]:
    """Kokoro's own styles."""

    def sayer(name: str) -> Say:
        return lambda text, locale: said_by({name: 1.0}, studio, locale, text, LISTEN_RATE_HZ)

    return {name: sayer(name) for name in STYLES}


def spoken(
    wordings: Mapping[str, DisclosureWording], sayers: Mapping[str, Say], voice: str, names: Iterable[str], kind: str
) -> Iterator[tuple[Samples, Samples]]:
    """What a voice's likeness is made from, and what somebody says, in each locale of the voice."""
    for locale, name in itertools.product(VOICES[voice], names):
        texts = [wordings[locale].long] if kind == "sentence" else SHORT[locale]
        for text in texts:
            yield sayers[voice](wordings[locale].short, locale), trimmed(sayers[name](text, locale))


def spread(
    encoder: SpeakerEncoder, pairs: Iterable[tuple[Samples, Samples]], bed: Samples, under_db: float | None
) -> str:
    """The least and the largest likeness, with music under what is said."""
    places, found = np.random.default_rng(1), []
    for itself, said in pairs:
        heard = said if under_db is None else over(said, bed, under_db, places)
        (who,) = encoder.embed_each([heard])
        found.append(like(who.sum(axis=0), Likeness("spoken", encoder.embed(itself))))
    return f"{min(found):.2f} to {max(found):.2f}"


def over(speech: Samples, bed: Samples, under_db: float, places: np.random.Generator) -> Samples:
    """Speech with music under it, from another place of the music each time."""
    start = int(places.integers(0, len(bed) - len(speech)))
    music = bed[start : start + len(speech)]
    gain = np.sqrt(np.mean(speech**2) / np.mean(music**2)) * 10 ** (under_db / 20)
    return np.asarray(speech + gain * music, dtype=np.float32)


def trimmed(sound: Samples) -> Samples:
    """Speech without the silence around it, as a line's place in a programme has it."""
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return sound[loud[0] : loud[-1]]


if __name__ == "__main__":
    main()
