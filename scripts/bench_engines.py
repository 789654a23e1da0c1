"""The speech engines beside each other: how fast and heavy, how well understood, how alike in each language, how clean.

    python -m scripts.bench_engines

Each engine speaks in a process of its own, so that loading is cold and memory is its own; this process listens. What is
spoken are the two disclosures of each locale that the engine speaks. Coqui has no trained model that every machine can
fetch: where it is installed, the tiny ones of its tests are measured, without listening (``bench_coqui``). Prints
Markdown tables.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from clearspot.config import load_wordings
from clearspot.consent.authority import accept_circle, writing_authority
from clearspot.consent.registry import VoiceFile, load_voice
from clearspot.consent.signing_desk import sign_voice
from clearspot.consent.trust import ConsentKey, add_key
from clearspot.engines.registry import engines_of
from clearspot.engines.sessions import open_session
from clearspot.engines.weights import Model, PackagesSource, WeightsDigest
from clearspot.errors import ClearspotError
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, resample
from clearspot.project import Project, project_at, shipped
from clearspot.provenance.keys import CONSENT_KEY, load_private_key
from clearspot.signing import public_text
from clearspot.stages.speak import speak
from clearspot.text.normalise import normalise
from clearspot.timebase import RATE_HZ
from clearspot.trial import open_trial
from clearspot.yamlfile import dump_yaml
from scripts.bench_coqui import bench_coqui
from scripts.bench_project import bench_project

VOICES = {"kokoro": "house", "piper": "joe", "sherpa": "joe"}
"""The shipped voice that each engine speaks with; for engines that it does not name, a copy is signed for the bench."""

DNSMOS = Model(
    title="DNSMOS P.835 (signal, background, overall)",
    licence="MIT",
    commercial=True,
    files={
        "dnsmos.onnx": WeightsDigest(
            sha256="269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd", bytes=1157965
        )
    },
    source=PackagesSource(packages={"dnsmos.onnx": ("speechmos==0.0.1.1:speechmos/dnsmos_models/sig_bak_ovr.onnx",)}),
)
DNSMOS_WINDOW = 144_160
"""9.01 s at 16 kHz; what is shorter is repeated."""
OVERALL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])
"""From the model's raw overall score to the scale of 1 to 5, as DNSMOS's own code has it."""


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(speak_all(project_at(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))))
        return
    with bench_project() as project, tempfile.TemporaryDirectory() as name:
        found = {}
        for engine in engines_of("speech"):
            if engine == "coqui":
                continue
            if engine not in VOICES:
                print(f"{engine}: no voice of it here", file=sys.stderr)
                continue
            spoken = Path(name) / engine
            spoken.mkdir()
            command = [
                sys.executable,
                "-m",
                "scripts.bench_engines",
                str(project.root),
                _voice(project, engine),
                str(spoken),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{engine}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            found[engine] = json.loads(done.stdout) | {"heard": hear_all(project, spoken)}
        tell(found | bench_coqui())


def _voice(project: Project, engine: str) -> str:
    """A voice that is spoken with an engine: the shipped one, or a copy of it in the bench's project, signed there."""
    source = shipped("voices") / VOICES[engine]
    file = yaml.safe_load((source / "voice.yaml").read_text(encoding="utf-8"))
    if file["engine"] == engine:
        return VOICES[engine]
    voice_id = f"{VOICES[engine]}-{engine}"
    folder = project.own_voice(voice_id)
    folder.mkdir(parents=True)
    file |= {"id": voice_id, "engine": engine}
    (folder / "voice.yaml").write_text(dump_yaml(file), encoding="utf-8")
    text = (source / "consent.yaml").read_text(encoding="utf-8")
    old = load_voice(VOICES[engine], project.voice_folders())
    text = text.replace(old.record.voice_sha256, VoiceFile.model_validate(file).digest)
    text = text.replace(f"voice: {VOICES[engine]}\n", f"voice: {voice_id}\n")
    (folder / "consent.yaml").write_text(text, encoding="utf-8")
    key = load_private_key(project.keys_dir / CONSENT_KEY)
    holder = old.record.licensee.name
    trusted = ConsentKey(public=public_text(key.public_key()), holder=holder, role="licensee", voices=(voice_id,))
    add_key(project.own_trust_dir, trusted)
    accept_circle(project)
    sign_voice(load_voice(voice_id, project.voice_folders()), "licensee", key, writing_authority(project))
    return voice_id


def speak_all(project: Project, voice_id: str, out: Path) -> dict[str, Any]:
    """Load a voice's engine and let it speak in every locale that it knows; clips go to ``out`` as 16 kHz arrays."""
    studio = open_studio(project)
    measured: dict[str, Any] = {"voice": voice_id}
    sound_s = spent_s = spent_cpu_s = 0.0
    engine: Any = None
    for locale in load_wordings(project):
        try:
            with open_trial(project, studio, voice_id, locale) as trial:
                if engine is None:
                    engine = trial.make()
                    measured["version"] = engine.version
                    measured["cold_s"] = time_s(partial(engine.prepare, trial.grant))
                    measured["warm_s"] = time_s(partial(trial.make().prepare, trial.grant))
                for index, text in enumerate(trial.sentences):
                    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
                    speech = engine.speak(trial.grant, text, 1.0)
                    spent_s += time.perf_counter() - begun_s
                    spent_cpu_s += time.process_time() - begun_cpu_s
                    sound_s += len(speech.samples) / speech.rate_hz
                    clip = speak(engine, trial.grant, f"{locale}-{index}", text)
                    np.save(out / f"{locale}-{index}.npy", resample(clip.samples, RATE_HZ, LISTEN_RATE_HZ))
        except ClearspotError:  # not a locale of the engine's, or not of the consent
            continue
    studio.stop()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return measured | {"rtf": [spent_s / sound_s, spent_cpu_s / sound_s], "memory_mb": memory_mb}


def time_s(call: Any) -> list[float]:
    """How long a call takes, by the clock and by the processor: the clock also counts what else the machine does."""
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    call()
    return [time.perf_counter() - begun_s, time.process_time() - begun_cpu_s]


def hear_all(project: Project, spoken: Path) -> dict[str, dict[str, float]]:
    """What Whisper, the speaker encoder and DNSMOS make of an engine's clips, by locale."""
    from rapidfuzz.distance import Levenshtein

    studio = open_studio(project)
    wordings = load_wordings(project)
    weights = replace(studio.weights, models={**studio.weights.models, "dnsmos": DNSMOS})
    dnsmos = open_session(weights.resolve("dnsmos", commercial=True)["dnsmos.onnx"].read())
    found: dict[str, dict[str, float]] = {}
    home: Any = None
    for locale in (each for each in wordings if (spoken / f"{each}-0.npy").exists()):
        clips = [np.load(spoken / f"{locale}-{index}.npy") for index in range(2)]
        wrong = length = 0
        for clip, text in zip(clips, (wordings[locale].short, wordings[locale].long), strict=True):
            wanted = normalise(text, locale)
            heard = studio.recogniser().recognise(clip, language=locale.split("-")[0]).text
            wrong += Levenshtein.distance(wanted, normalise(heard, locale))
            length += len(wanted)
        whole = np.concatenate(clips)
        voice = studio.speaker_encoder().embed(whole)
        home = voice if home is None else home
        found[locale] = {"cer": wrong / length, "alike": float(home @ voice), "dnsmos": _overall(dnsmos, whole)}
    studio.stop()
    return found


def _overall(dnsmos: Any, samples: Samples) -> float:
    """DNSMOS's overall score of mono samples at 16 kHz: the mean of windows that begin a second apart."""
    clip = np.clip(samples, -1, 1)
    while len(clip) < DNSMOS_WINDOW:
        clip = np.concatenate([clip, clip])
    starts = range(0, len(clip) - DNSMOS_WINDOW + 1, LISTEN_RATE_HZ)
    raw = [dnsmos.run(None, {"input_1": clip[None, start : start + DNSMOS_WINDOW]})[0][0][2] for start in starts]
    return float(np.mean([OVERALL(each) for each in raw]))


def tell(found: dict[str, dict[str, Any]]) -> None:
    """Print what was measured."""
    print("| engine | voice | seconds a second of sound | load, cold | load, again | peak memory |")
    print("|---|---|---|---|---|---|")
    for engine, row in found.items():
        (rtf, rtf_cpu), (cold_s, cold_cpu_s), (warm_s, warm_cpu_s) = row["rtf"], row["cold_s"], row["warm_s"]
        times = f"{rtf:.2f} ({rtf_cpu:.2f}) | {cold_s:.1f} s ({cold_cpu_s:.1f}) | {warm_s:.1f} s ({warm_cpu_s:.1f})"
        times += f" | {row['memory_mb']:.0f} MB"
        print(f"| {engine} ({row['version']}) | {row['voice']} | {times} |")
    heard = {engine: row for engine, row in found.items() if row["heard"]}  # random weights say nothing
    if not heard:
        return
    locales = list(dict.fromkeys(locale for row in heard.values() for locale in row["heard"]))
    print("\n| engine | " + " | ".join(locales) + " |\n" + "|---" * (len(locales) + 1) + "|")
    for engine, row in heard.items():
        cells = [row["heard"].get(locale) for locale in locales]
        told = [f"{c['cer']:.2f} / {c['alike']:.2f} / {c['dnsmos']:.1f}" if c else "" for c in cells]
        print(f"| {engine} | " + " | ".join(told) + " |")


if __name__ == "__main__":
    main()
