"""Whisper on a long recording, one window after the other and in batches: words, times, seconds, memory.

The recording is the demo's, ten times in a row (four minutes). Run: ``python -m scripts.bench_batches [SIZE]...``;
memory is of one process, so name one size alone to know its own.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
from rapidfuzz.distance import Levenshtein

from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode
from clearspot.project import Project, Settings, find_project
from clearspot.spot import load_spot
from clearspot.text.normalise import normalise
from clearspot.transcript import Transcript

TIMES = 10
SIZES = (0, 4, 8)


def memory_mb() -> float:
    """What this process holds now, in megabytes of 10**6 bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmRSS"))


def heard(root: Project, samples: Samples, size: int) -> tuple[Transcript, float, float]:
    """What is heard in batches of ``size``, the seconds of processor time that it took, and the most memory."""
    studio = open_studio(Project(root.root, Settings(engines={"faster-whisper": {"batch_size": size}})))
    engine, most, done = studio.recogniser(), [0.0], threading.Event()
    engine.warm_up()

    def watch() -> None:
        while not done.wait(0.05):
            most[0] = max(most[0], memory_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = time.process_time()
    found = engine.recognise(samples, language=None)
    took_s = time.process_time() - before
    done.set()
    watcher.join()
    studio.stop()
    return found, took_s, most[0]


def main(sizes: tuple[int, ...]) -> None:
    """Print one row for each size of batches."""
    project = find_project()
    spot = project.root / "spots" / "lumen-coffee"
    once = decode(spot / "recording.flac", channels=1, rate_hz=LISTEN_RATE_HZ)
    samples = np.concatenate([once] * TIMES)
    said = normalise(" ".join([*load_spot(spot).script.lines.values()] * TIMES), "en-US")
    print(f"{len(samples) / LISTEN_RATE_HZ:.0f} s of speech")
    first: list[str] = []
    for size in sizes:
        found, took_s, most_mb = heard(project, samples, size)
        words = [word.text for word in found.words]
        first = first or words
        text = normalise(found.text, "en-US")
        rate = Levenshtein.distance(said, text) / len(said)
        print(
            f"batches of {size or 'none'}: {len(found.words)} words, character error rate {rate:.3f}, "
            f"{Levenshtein.distance(first, words)} words otherwise than in the first row, "
            f"{took_s:.0f} s of processor time, {most_mb:.0f} MB at most",
            flush=True,
        )


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
