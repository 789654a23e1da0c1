"""How like the consented voice the speech in delivered files is, and how like other voices of the same model.

    python -m scripts.voice_identity

Renders the demo spot in a project of its own, with real engines, and holds each deliverable against the house voice and
against each style that Kokoro ships. ``configs/listening.yaml`` has its limits from here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from clearspot.config import load_wordings
from clearspot.engines import kokoro
from clearspot.gate.speaker import Likeness, Speaker, compare
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, for_listening, resample
from clearspot.media.loudness import decode_and_measure
from clearspot.text.spoken import spoken_form
from clearspot.timebase import samples
from clearspot.timeline import Placed
from scripts.bench_project import SPOT, bench_project

LOCALES = ("es-ES", "it-IT", "pt-BR")
HOUSE = {"jf_gongitsune": 0.5, "jm_kumo": 0.5}
STYLES = {
    "house": HOUSE,
    **{name: {name: 1.0} for name in ("jf_gongitsune", "jm_kumo", "jf_alpha", "jf_nezumi", "jf_tebukuro")},
}


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with bench_project() as project, tempfile.TemporaryDirectory(prefix="clearspot-identity-") as name:
        spot = project.root / "spots" / SPOT.name
        command = [sys.executable, "-m", "clearspot", "run", str(spot), "--runner", "inline", "--out", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_environment(project.root))
        studio = open_studio(project)
        encoder = studio.speaker_encoder()

        def bytes_of(model: str) -> bytes:
            return next(iter(studio.weights.resolve(model, commercial=True).values())).read()

        model, styles = kokoro._open(bytes_of("kokoro-82m-int8")), bytes_of("kokoro-styles")
        wordings = load_wordings(project)

        def likeness(mix: dict[str, float], locale: str) -> Likeness:
            style, text = kokoro._mean_style(styles, mix, "measured"), spoken_form(wordings[locale].short, locale)
            sound, rate_hz = model.create(text, voice=style, lang=kokoro.LANGUAGES[locale])
            return Likeness("spoken", encoder.embed(resample(np.asarray(sound, np.float32), rate_hz, LISTEN_RATE_HZ)))

        known = {(style, locale): likeness(mix, locale) for style, mix in STYLES.items() for locale in LOCALES}
        found: dict[str, list[Speaker]] = defaultdict(list)
        for path in sorted(Path(name).rglob("*.receipt.json")):
            receipt = json.loads(path.read_text(encoding="utf-8"))["receipt"]
            heard, clips = _delivered(path.with_name(receipt["deliverable"]), receipt["timeline"])
            for style in STYLES:
                found[style].append(compare(heard, clips, encoder, known[style, receipt["about"]["locale"]]))
        studio.stop()
    print("| measured against | disclosure | lines | least line |")
    print("|---|---|---|---|")
    for style, all_of in found.items():
        columns = ([one.disclosure for one in all_of], [one.lines for one in all_of], [one.least for one in all_of])
        numbers = ([each[1] if isinstance(each, tuple) else each for each in column if each] for column in columns)
        print(f"| {style} | " + " | ".join(f"{min(column):.2f} to {max(column):.2f}" for column in numbers) + " |")


def _environment(root: Path) -> dict[str, str]:
    return os.environ | {"CLEARSPOT_PROJECT": str(root)}


def _delivered(path: Path, timeline: list[dict[str, object]]) -> tuple[Samples, list[Placed]]:
    """A deliverable as the gate hears it, and where its clips are."""
    programme, _ = decode_and_measure(path)

    def placed(clip: dict[str, object]) -> Placed:
        start_s, end_s = float(str(clip["start_s"])), float(str(clip["end_s"]))
        silence = np.zeros(samples(end_s - start_s), dtype=np.float32)
        return Placed(str(clip["line"]), str(clip["text"]), samples(start_s), silence, 1.0)

    return for_listening(programme), [placed(clip) for clip in timeline]


if __name__ == "__main__":
    main()
