"""How alike the speaker encoder finds the same voice and different ones: figures to choose a threshold on.

    python scripts/speaker_scores.py [--human RECORDING]...

Synthetic voices say one statement in six languages, and other words as a reference, in English and in each of the six.
Statements are heard as they are, and quiet, noisy, through mp3 and through a telephone; references always as they are.
Human recordings are cut in two: each half is a statement for the other. Prints Markdown; writes no audio.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearspot.engines.kokoro import LANGUAGES
from clearspot.engines.speaker import ResemblyzerEncoder, similarity
from clearspot.engines.weights import Weights, load_weights
from clearspot.media import ffmpeg
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode, from_f32le, resample, to_f32le
from clearspot.project import find_project

WORKERS = 2
MP3_RATE_HZ, TELEPHONE_RATE_HZ = 48_000, 8_000
ENGLISH = "en-US"

MIX = "house mix"
PARTS = {"jf_gongitsune": 0.5, "jm_kumo": 0.5}
VOICES = {style: {style: 1.0} for style in ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")} | {
    MIX: PARTS
}

STATEMENTS = {
    "en-US": "My name is Nora Example. I know that Harbour Street Agency will use recordings of my voice to make and "
    "use a synthetic version of it in advertising.",
    "es-ES": "Me llamo Nora Example. Sé que la agencia Harbour Street utilizará grabaciones de mi voz para crear y "
    "usar una versión sintética de ella en publicidad.",
    "it-IT": "Mi chiamo Nora Example. So che l'agenzia Harbour Street userà registrazioni della mia voce per creare e "
    "usare una sua versione sintetica nella pubblicità.",
    "pt-BR": "Meu nome é Nora Example. Sei que a agência Harbour Street vai usar gravações da minha voz para criar e "
    "usar uma versão sintética dela em publicidade.",
    "de-DE": "Mein Name ist Nora Example. Ich weiß, dass die Agentur Harbour Street Aufnahmen meiner Stimme verwenden "
    "wird, um daraus eine künstliche Stimme für Werbung zu machen und zu nutzen.",
    "fr-FR": "Je m'appelle Nora Example. Je sais que l'agence Harbour Street utilisera des enregistrements de ma voix "
    "pour en créer et en utiliser une version synthétique dans la publicité.",
}

REFERENCES = {
    "en-US": "The old lighthouse stands at the end of a narrow path. In winter the wind is so strong that nobody walks "
    "there, but in June the whole village comes to eat, to dance and to watch the ships go by until it is dark.",
    "es-ES": "El viejo faro está al final de un camino estrecho. En invierno el viento es tan fuerte que nadie pasea "
    "por allí, pero en junio todo el pueblo viene a comer, a bailar y a mirar los barcos hasta que anochece.",
    "it-IT": "Il vecchio faro si trova in fondo a un sentiero stretto. D'inverno il vento è così forte che nessuno ci "
    "cammina, ma a giugno tutto il paese viene a mangiare, a ballare e a guardare le navi finché non fa buio.",
    "pt-BR": "O velho farol fica no fim de um caminho estreito. No inverno o vento é tão forte que ninguém anda por "
    "lá, mas em junho toda a vila vem comer, dançar e olhar os barcos passarem até ficar escuro.",
    "de-DE": "Der alte Leuchtturm steht am Ende eines schmalen Weges. Im Winter ist der Wind so stark, dass dort "
    "niemand geht, aber im Juni kommt das ganze Dorf, um zu essen, zu tanzen und den Schiffen nachzusehen.",
    "fr-FR": "Le vieux phare se trouve au bout d'un chemin étroit. En hiver le vent est si fort que personne ne s'y "
    "promène, mais en juin tout le village vient manger, danser et regarder passer les bateaux jusqu'à la nuit.",
}

Embedding = NDArray[np.float32]
Embed = Callable[[Samples], Embedding]


# --- what happens to a statement on its way (mono float32 at 16 kHz, in and out) ---------------------------------


def _quiet(samples: Samples) -> Samples:
    return np.asarray(samples * (10 ** (-20 / 20) / np.abs(samples).max()), dtype=np.float32)


def _noisy(samples: Samples) -> Samples:
    noise = np.random.RandomState(1).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2)) * 10 ** (-20 / 20)
    return (samples + noise).astype(np.float32)


def _mp3(samples: Samples) -> Samples:
    import ffmpeg as graph

    raw = to_f32le(resample(samples, LISTEN_RATE_HZ, MP3_RATE_HZ))
    source = graph.input("pipe:", f="f32le", ar=MP3_RATE_HZ, ac=1)
    packed = ffmpeg.run(source.output("pipe:", f="mp3", audio_bitrate="64k"), stdin=raw).output
    back = graph.input("pipe:", f="mp3").output("pipe:", f="f32le", ar=LISTEN_RATE_HZ, ac=1)
    return from_f32le(ffmpeg.run(back, stdin=packed).output, 1)


def _telephone(samples: Samples) -> Samples:
    return resample(resample(samples, LISTEN_RATE_HZ, TELEPHONE_RATE_HZ), TELEPHONE_RATE_HZ, LISTEN_RATE_HZ)


CONDITIONS: dict[str, Callable[[Samples], Samples]] = {
    "as it is": lambda samples: samples,
    "peak -20 dBFS": _quiet,
    "white noise, 20 dB SNR": _noisy,
    "mp3 64k": _mp3,
    "all three": lambda samples: _mp3(_noisy(_quiet(samples))),
    "telephone (8 kHz)": _telephone,
}


# --- speaking and comparing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """One statement against one reference."""

    condition: str
    locale: str
    reference_locale: str
    voice: str
    reference_voice: str
    similarity: float

    @property
    def kind(self) -> str:
        """Whether it is one voice, two, or the mix and a part of it."""
        pair = {self.voice, self.reference_voice}
        if len(pair) == 1:
            return "same"
        return "mix and part" if MIX in pair and pair & set(PARTS) else "different"


def speaker(weights: Weights) -> Callable[[str, str, str], Samples]:
    """A function that says a text with a voice in a locale, at 16 kHz. Styles are nobody's, so no grant is asked."""
    import onnxruntime
    from kokoro_onnx import Kokoro

    model = weights.resolve("kokoro-82m-int8", commercial=True)["kokoro.onnx"].read()
    styles = weights.resolve("kokoro-styles", commercial=True)["voices.npz"]
    with np.load(io.BytesIO(styles.read()), allow_pickle=False) as table:
        mixed = {
            voice: sum(np.float32(share) * table[style] for style, share in mix.items())
            for voice, mix in VOICES.items()
        }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session._model_path = str(styles.path)  # Kokoro wants a file to exist and never reads it
    kokoro = Kokoro.from_session(session, str(styles.path))

    def say(voice: str, locale: str, text: str) -> Samples:
        samples, rate_hz = kokoro.create(text, voice=mixed[voice], speed=1.0, lang=LANGUAGES[locale])
        return resample(np.asarray(samples, dtype=np.float32), int(rate_hz), LISTEN_RATE_HZ)

    return say


@dataclass(frozen=True)
class Heard:
    """The embeddings of what one voice said in one locale, the statement's by condition."""

    statements: dict[str, Embedding]
    reference: Embedding
    statement_s: float
    reference_s: float


def hear_all(say: Callable[[str, str, str], Samples], embed: Embed) -> dict[tuple[str, str], Heard]:
    """Every voice in every locale."""

    def hear(voice: str, locale: str) -> Heard:
        statement, reference = (say(voice, locale, texts[locale]) for texts in (STATEMENTS, REFERENCES))
        print(f"{voice} {locale}", file=sys.stderr)
        return Heard(
            {condition: embed(change(statement)) for condition, change in CONDITIONS.items()},
            embed(reference),
            len(statement) / LISTEN_RATE_HZ,
            len(reference) / LISTEN_RATE_HZ,
        )

    keys = [(voice, locale) for voice in VOICES for locale in STATEMENTS]
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(keys, pool.map(lambda key: hear(*key), keys), strict=True))


def compare(heard: dict[tuple[str, str], Heard]) -> list[Score]:
    """Every statement against every voice's reference in English and in the statement's own language."""
    return [
        Score(
            condition, locale, to, voice, other, similarity(heard[voice, locale].statements[condition], there.reference)
        )
        for condition in CONDITIONS
        for voice, locale in heard
        for (other, to), there in heard.items()
        if to in {ENGLISH, locale}
    ]


def equal_error(same: list[float], different: list[float]) -> tuple[float, float]:
    """The threshold at which as many of one are refused as of the other let through, and that share of both."""
    candidates = np.unique(np.concatenate([same, different]))
    refused = np.array([np.mean(np.less(same, at)) for at in candidates])
    let_through = np.array([np.mean(np.greater_equal(different, at)) for at in candidates])
    low = int(np.argmin(np.abs(refused - let_through)))
    if refused[low] == let_through[low] == 0:
        return (max(different) + min(same)) / 2, 0.0  # they do not meet: the middle of the gap
    return float(candidates[low]), float((refused[low] + let_through[low]) / 2)


# --- tables ------------------------------------------------------------------------------------------------------


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |")


def head(title: str, *columns: str) -> None:
    print(f"\n### {title}\n")
    row(*columns)
    print("|---" * len(columns) + "|")


def spread(values: list[float]) -> tuple[object, ...]:
    """How many; min, 5 %, median, 95 %, max."""
    return (len(values), *(float(np.percentile(values, share)) for share in (0, 5, 50, 95, 100)))


def values(scores: Iterable[Score], kind: str) -> list[float]:
    return [score.similarity for score in scores if score.kind == kind]


def print_distributions(scores: list[Score]) -> None:
    head(
        "Similarities", "statement", "reference in", "voices", "pairs", "min", "5 %", "median", "95 %", "max"
    )  # fmt: skip
    errors = []
    for condition in CONDITIONS:
        for place in ("English", "its own language"):
            some = [
                score
                for score in scores
                if score.condition == condition
                and score.reference_locale == (ENGLISH if place == "English" else score.locale)
            ]
            for kind in ("same", "mix and part", "different"):
                row(condition, place, kind, *spread(values(some, kind)))
            same, different = values(some, "same"), values(some, "different")
            parts = values(some, "mix and part")
            errors.append((condition, place, *equal_error(same, different), *equal_error(same, different + parts)))
    head(
        "Equal error", "statement", "reference in", "threshold", "error", "threshold, with mix and part", "error"
    )  # fmt: skip
    for error in errors:
        row(*error)
    same, different = values(scores, "same"), values(scores, "different")
    row("all", "both", *equal_error(same, different), *equal_error(same, different + values(scores, "mix and part")))


def print_thresholds(scores: list[Score]) -> None:
    head("What a threshold does, all conditions", "threshold", "same refused", "different let through", "parts too")
    kinds = [np.array(values(scores, kind)) for kind in ("same", "different", "mix and part")]
    for at in np.arange(0.60, 0.90, 0.02):
        same, different, parts = kinds
        row(
            f"{at:.2f}",
            *(f"{100 * share:.1f} %" for share in ((same < at).mean(), (different >= at).mean(), (parts >= at).mean())),
        )


def print_locales(scores: list[Score]) -> None:
    head("Same voice by language, min / median", "statement", "reference in English", "in its own language")
    for locale in STATEMENTS:
        cells = []
        for to in (ENGLISH, locale):
            some = [s for s in scores if (s.condition, s.locale, s.reference_locale) == ("as it is", locale, to)]
            same = values(some, "same")
            cells.append(f"{min(same):.3f} / {np.median(same):.3f}")
        row(locale, *cells)


def print_voices(scores: list[Score]) -> None:
    head("Voice against voice, median of all statements as they are", "says", *VOICES)
    for voice in VOICES:
        cells = []
        for other in VOICES:
            pair = ("as it is", voice, other)
            cells.append(
                float(np.median([s.similarity for s in scores if (s.condition, s.voice, s.reference_voice) == pair]))
            )
        row(voice, *cells)


def print_humans(recordings: dict[str, Samples], embed: Embed, heard: dict[tuple[str, str], Heard]) -> None:
    """Halves of each recording against each other, whole recordings against styles and against one another."""
    if not recordings:
        return
    head("Halves of one human recording", "recording", "statement", "first : second", "second : first")
    for name, samples in recordings.items():
        halves = np.array_split(samples, 2)
        for condition, change in CONDITIONS.items():
            pairs = (halves, halves[::-1])
            row(name, condition, *(similarity(embed(change(one)), embed(other)) for one, other in pairs))
    whole = {name: embed(samples) for name, samples in recordings.items()}
    head("Humans against the rest", "recording", "against", "pairs", "min", "5 %", "median", "95 %", "max")
    for name, embedding in whole.items():
        for voice in VOICES:
            there = [said.reference for (other, _), said in heard.items() if other == voice]
            row(name, voice, *spread([similarity(embedding, reference) for reference in there]))
        for other in sorted(whole.keys() - {name}):
            row(name, other, *spread([similarity(embedding, whole[other])]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--human", type=Path, action="append", default=[], help="a recording of one person speaking")
    recordings = {path.stem: decode(path, channels=1, rate_hz=LISTEN_RATE_HZ) for path in parser.parse_args().human}
    weights = load_weights(find_project())

    def read() -> dict[str, bytes]:
        return {name: file.read() for name, file in weights.resolve("speaker-encoder", commercial=True).items()}

    encoder = ResemblyzerEncoder(read)
    heard = hear_all(speaker(weights), encoder.embed)
    for what in ("statement_s", "reference_s"):
        lengths = [getattr(said, what) for said in heard.values()]
        print(f"{what}: {min(lengths):.1f} to {max(lengths):.1f}")
    scores = compare(heard)
    print_distributions(scores)
    print_thresholds(scores)
    print_locales(scores)
    print_voices(scores)
    print_humans(recordings, encoder.embed, heard)


if __name__ == "__main__":
    main()
