"""A run with engines that answer at once, in a process of its own that a test may kill at any moment.

    python -m tests.killable PROJECT SPOT LOCALES PROFILE OUT

The fakes are those of ``conftest``; everything else is real: store, locks, log, ffmpeg, signatures, gate.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from clearspot import delivery, job
from clearspot.cli.main import invoke
from clearspot.engines.weights import Weights, load_weights
from clearspot.gate.evidence import Evidence, Expected
from clearspot.project import Project, find_project
from clearspot.spot import load_spot
from clearspot.stages.disclose import Candidate
from tests.conftest import A_LINE_S, A_LINES_TURN_S, FakeRecogniser, FakeStudio


def fake_engines(project: Project, spot: Path) -> FakeStudio:
    """Let runs of this process use fakes: a recogniser that hears what is said, a voice of tones."""
    Weights.on_disk = lambda self, model_id: True  # type: ignore[method-assign]
    lines = load_spot(spot).script.lines.values()
    told = [(text, n * A_LINES_TURN_S, n * A_LINES_TURN_S + A_LINE_S) for n, text in enumerate(lines)]
    listener = FakeRecogniser({"en": told})
    gather = delivery.gather

    def gather_what_was_placed(candidate: Candidate, expected: Expected, **others: Any) -> Evidence:
        placed = [(clip.text, clip.start_s, clip.end_s) for clip in expected.timeline.clips]
        listener.script[expected.translation.locale.split("-")[0]] = placed
        return gather(candidate, expected, **others)

    delivery.gather = gather_what_was_placed  # type: ignore[assignment]
    studio = FakeStudio(load_weights(project), "whisper-base", 2, listener=listener)
    job.open_studio = lambda *_: studio  # type: ignore[assignment]
    return studio


def main(root: str, spot: str, locales: str, profile: str, out: str) -> int:
    os.environ["CLEARSPOT_PROJECT"] = root
    studio = fake_engines(find_project(), Path(spot))
    only = [word for locale in locales.split(",") for word in ("--locale", locale)]
    code = invoke(["run", spot, "--runner", "inline", *only, "--profile", profile, "--out", out, "--json"])
    sys.stderr.write(f"spoken: {len(studio.voice.asked)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
