"""What the Coqui engine costs, with the tiny models that its tests make: no trained one can be fetched everywhere.

    python -m scripts.bench_engines

runs it where Coqui is installed (`.venv-extras`). The models are real in every layer and trained on nothing, so what
they say is noise: how fast, how heavy and how long to load is all that is measured. Each is made in one process and
measured in another, so that loading is cold: it includes the import of torch and Coqui.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.bench_project import bench_project

KINDS = ("vits", "vits of many", "your_tts", "glow_tts", "xtts")
"""The keys of ``tests.extras.coqui_models.MAKERS``, which to ask for would import torch here."""


def main() -> None:
    if sys.argv[1] == "make":
        make(sys.argv[2], Path(sys.argv[3]))
    else:
        print(json.dumps(measure(Path(sys.argv[2]))))


def bench_coqui() -> dict[str, dict[str, Any]]:
    """For each kind of model what was measured, as ``bench_engines`` tells it; nothing where Coqui is not installed."""
    if not (find_spec("torch") and find_spec("TTS")):
        print("coqui: not installed here; .venv-extras/bin/python -m scripts.bench_engines has it", file=sys.stderr)
        return {}
    found = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="clearspot-bench-") as folder:
            done = None
            for step in (["make", kind, folder], ["measure", folder]):
                command = [sys.executable, "-m", "scripts.bench_coqui", *step]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise SystemExit(f"coqui, {kind}: {done.stderr.strip().splitlines()[-1]}")
            assert done is not None
            found[f"coqui, {kind}"] = json.loads(done.stdout.splitlines()[-1]) | {"heard": {}}
    return found


def make(kind: str, folder: Path) -> None:
    """Write a tiny model's files, and beside them what a voice has to say of it."""
    from tests.extras.coqui_models import MAKERS

    made = MAKERS[kind]()
    made.write(folder / "files")
    told = {
        "rate_hz": made.rate_hz,
        "locales": made.locales,
        "settings": dict(made.settings),
        "roles": list(made.files),
    }
    (folder / "made.json").write_text(json.dumps(told), encoding="utf-8")


def measure(folder: Path) -> dict[str, Any]:
    """Load a model's engine and let it speak; seconds by the clock and by the processor."""
    from clearspot.engines.coqui import CoquiEngine
    from scripts.bench_engines import time_s
    from tests.extras.coqui_voices import TEXTS, Made, grant_of

    told = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    files = {role: (folder / "files" / role).read_bytes() for role in told["roles"]}
    made = Made(files, told["rate_hz"], tuple(told["locales"]), told["settings"])
    with bench_project() as project:
        grant = grant_of(project, made)
        engine, again = CoquiEngine({}), CoquiEngine({})
        cold_s, warm_s = time_s(partial(engine.prepare, grant)), time_s(partial(again.prepare, grant))
        sound_s = 0.0
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        for times in (1, 2, 3):
            speech = engine.speak(grant, " ".join([TEXTS[grant.locale]] * times), 1.0)
            sound_s += len(speech.samples) / speech.rate_hz
        spent_s, spent_cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return {
        "voice": "random weights",
        "version": engine.version,
        "cold_s": cold_s,
        "warm_s": warm_s,
        "rtf": [spent_s / sound_s, spent_cpu_s / sound_s],
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
