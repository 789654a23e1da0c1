"""The pipeline against the bare engine loop, in one run, as ratios. Each candidate is a process of its own.

    python -m scripts.bench [--rounds N]

The loop is the limit to stay near: the same engines called by hand in two workers of one thread, for every
deliverable of the demo spot: recognise the recording, speak every line, mix, bring to loudness, encode, recognise
the result. It checks nothing, signs nothing and writes no receipt.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clearspot.config import Profile, load_disclosure, load_profile
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.scope import uses_of
from clearspot.disclosure import DisclosureAsked
from clearspot.engines.protocols import Recogniser, SpeechEngine
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode, for_listening
from clearspot.media.loudness import bring_to, decode_and_measure
from clearspot.project import find_project
from clearspot.spot import Spot, load_spot
from clearspot.stages.disclose import encode
from clearspot.stages.fit import Plan, Slot, Spoken, fit
from clearspot.stages.mix import mix
from clearspot.stages.speak import speak
from scripts.bench_project import SPOT, bench_project

WORKERS = 2
HELP_BAR_S, INLINE_BAR, PREFECT_BAR_S, SERVED_BAR_S, MEMORY_BAR_GB = 0.5, 1.25, 8.0, 2.0, 1.6


@dataclass(frozen=True)
class Bare:
    """The engines and the demo spot, loaded by hand."""

    spot: Spot
    engine: SpeechEngine
    listener: Recogniser
    grants: dict[str, Grant]
    profiles: dict[str, Profile]
    disclosures: dict[str, str]
    bed: Samples | None


def bare() -> Bare:
    """Everything that the loop needs, engines not loaded yet."""
    project, spot = find_project(SPOT), load_spot(SPOT)
    studio = open_studio(project)
    voice = load_voice(spot.order.voice, project.voice_folders())
    for model in voice.file.weights.values():
        studio.weights.resolve(model, commercial=True)
    weights = studio.weights.pinned_roles(voice.file.weights, commercial=True)
    authority, operator = writing_authority(project), project.settings.provider
    return Bare(
        spot=spot,
        engine=studio.speech(voice.file.engine),
        listener=studio.recogniser(),
        grants={
            locale: authorize(voice, uses_of(spot, locale, operator), authority, weights=weights, step="speak")
            for locale in spot.order.locales
        },
        profiles={name: load_profile(project, name) for name in spot.order.profiles},
        disclosures={locale: load_disclosure(project, locale, DisclosureAsked()) for locale in spot.order.locales},
        bed=decode(spot.bed, channels=2) if spot.bed else None,
    )


def loop(out: Path) -> None:
    """The bare engines by hand."""
    made = bare()
    with ThreadPoolExecutor(WORKERS) as pool:
        recording = decode(made.spot.recording, channels=1, rate_hz=LISTEN_RATE_HZ)
        heard = pool.submit(made.listener.recognise, recording, language=None)
        clips = {}
        for locale, disclosure in made.disclosures.items():
            lines = {"disclosure": disclosure} | made.spot.translations[locale].lines
            clips[locale] = [
                pool.submit(speak, made.engine, made.grants[locale], key, text) for key, text in lines.items()
            ]
        slots = tuple(Slot(line, 0.0, 0.0) for line in made.spot.script.lines)
        plan = Plan("flow", slots, made.spot.order.duration_s, heard.result().words[-1].end_s)
        jobs = []
        for locale, futures in clips.items():
            spoken = [
                Spoken(clip.line_id, clip.text, clip.duration_s, clip.samples)
                for clip in (future.result() for future in futures)
            ]
            programme = mix(fit(spoken[0], spoken[1:], plan), made.bed)
            jobs += [pool.submit(deliver, made, locale, name, programme, out) for name in made.profiles]
        for job in jobs:
            job.result()


def deliver(made: Bare, locale: str, name: str, programme: Samples, out: Path) -> None:
    """Loudness, encoding, and one recognition of what came of it."""
    profile = made.profiles[name]
    path = out / f"{locale}_{name}.{profile.extension}"
    ready = bring_to(programme, profile.loudness_lufs, profile.true_peak_dbtp - profile.codec_headroom_db)
    encode(ready, profile, path)
    decoded, _ = decode_and_measure(path)
    made.listener.recognise(for_listening(decoded), language=locale[:2])


def pipeline(out: Path, runner: str) -> None:
    """The product."""
    from clearspot.cli.main import invoke

    code = invoke(["run", str(SPOT), "--runner", runner, "--out", str(out), "--json"])
    if code:
        sys.exit(f"the run ended with {code}")


def measured(candidate: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak memory (GB, the process with its children) of one candidate in a process of its own."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench", "--one", candidate],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | (environment or {}),
    )
    seconds = time.perf_counter() - began
    return seconds, json.loads(done.stdout.splitlines()[-1])["peak_gb"]


@contextlib.contextmanager
def served() -> Iterator[dict[str, str]]:
    """A running Prefect server of our own; gives the environment that names it."""
    import socket
    import urllib.request

    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        quiet = {"PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, env=os.environ | quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}/api"
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=1).close()  # noqa: S310
                    break
                except OSError:
                    time.sleep(0.2)
            yield {"PREFECT_API_URL": url, "PREFECT_HOME": home}
        finally:
            server.terminate()
            server.wait()


def one(candidate: str) -> None:
    # A project of its own, with an empty store: what was made before is no candidate's.
    with tempfile.TemporaryDirectory() as folder, bench_project():
        if candidate == "loop":
            loop(Path(folder))
        else:
            pipeline(Path(folder), candidate)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_gb": peak_kb / 1e6}))


def help_seconds() -> float:
    """Seconds that `clearspot --help` takes, the best of five: what the machine does meanwhile is not ours."""
    command = [sys.executable, "-c", "from clearspot.cli.main import invoke; invoke(['--help'])"]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", choices=["loop", "inline", "prefect"])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        one(options.one)
        return
    best: dict[str, float] = {}
    peak: dict[str, float] = {}
    for _ in range(options.rounds):
        for candidate in ("loop", "inline", "prefect"):
            seconds, peak_gb = measured(candidate)
            best[candidate] = min(seconds, best.get(candidate, seconds))
            peak[candidate] = max(peak_gb, peak.get(candidate, 0.0))
    with served() as environment:
        best["prefect, running server"], peak["prefect, running server"] = measured("prefect", environment)
    for candidate, seconds in best.items():
        print(f"{candidate:24} {seconds:6.1f} s  {seconds / best['loop']:.2f} x loop  {peak[candidate]:.2f} GB")
    extra = best["prefect"] - best["inline"]
    served_extra = best["prefect, running server"] - best["inline"]
    bars = {
        f"inline {best['inline'] / best['loop']:.2f} x loop, at most {INLINE_BAR}": best["inline"] / best["loop"]
        <= INLINE_BAR,
        f"prefect {extra:+.1f} s, at most {PREFECT_BAR_S}": extra <= PREFECT_BAR_S,
        f"prefect with a running server {served_extra:+.1f} s, at most {SERVED_BAR_S}": served_extra <= SERVED_BAR_S,
        f"peak {max(peak.values()):.2f} GB, at most {MEMORY_BAR_GB}": max(peak.values()) <= MEMORY_BAR_GB,
        f"--help {(took := help_seconds()):.2f} s, at most {HELP_BAR_S}": took <= HELP_BAR_S,
    }
    for bar, held in bars.items():
        print(f"{'ok  ' if held else 'OVER'} {bar}")
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
