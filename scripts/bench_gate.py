"""What the gate costs, against the one recognition pass that it contains.

    python -m scripts.bench_gate [--rounds N]

A 30 s advertisement through the real stages, in every shipped profile; then, by turns, the whole gate and the
recognition of the same samples alone. Ends with 1 where the gate takes longer than its bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from clearspot import pipeline
from clearspot.delivery import Made
from clearspot.gate.levels import level_of
from clearspot.gate.speaker import compare
from clearspot.identity import likeness_of
from clearspot.leave import ask_leave
from clearspot.media.audio import LISTEN_RATE_HZ, essence_sha256
from clearspot.provenance import manifest, tags
from clearspot.text.match import match_lines
from scripts.programmes import PROFILES, Programme, open_workshop, programmes

AD, LOCALE = "marina", "es-ES"
ROUNDS = 15
GATE_BAR = 1.3
RATIO = "gate / recognition"


def seconds_of(call: Callable[[], object]) -> float:
    """The processor time of all threads here: each engine has one, and what else the machine does is not ours."""
    began = time.process_time()
    call()
    return time.process_time() - began


def parts_of(programme: Programme, made: Made) -> dict[str, Callable[[], object]]:
    """Each thing that the gate does, by itself, the whole among it."""
    studio, candidate, timeline = programme.job.studio, made.candidate, made.expected.timeline
    clips, disclosures = timeline.clips, timeline.disclosures
    recogniser, watermarker, encoder = studio.recogniser(), studio.watermarker(), studio.speaker_encoder()
    likeness = likeness_of(programme.job, made.grant)
    words = recogniser.recognise(candidate.listening, language=programme.language).words
    return {
        "the whole gate": lambda: pipeline.gate_candidate(programme.job, made, programme.timed),
        "recognition": lambda: recogniser.recognise(candidate.listening, language=programme.language),
        "watermark": lambda: watermarker.detect(candidate.listening, LISTEN_RATE_HZ),
        "words to lines": lambda: match_lines([clip.text for clip in clips], words, programme.locale),
        "whose voice": lambda: compare(candidate.listening, clips, encoder, likeness),
        "disclosures' clearness": lambda: [level_of(candidate.listening, clip) for clip in disclosures],
        "consent, asked anew": lambda: ask_leave(programme.job, programme.locale, "export"),
        "essence": lambda: essence_sha256(candidate.path),
        "tags": lambda: tags.read(candidate.path),
        "manifest": lambda: manifest.read(candidate.path, programme.job.trust),
    }


def measured(programme: Programme, made: Made, rounds: int) -> dict[str, float]:
    """The median of each part in seconds, and of the whole gate against its recognition.

    They are taken by turns, and each round has its own ratio: a machine may get slower while we look.
    """
    parts = parts_of(programme, made)
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, call in parts.items():
            times[name].append(seconds_of(call))
    ratios = (gate / alone for gate, alone in zip(times["the whole gate"], times["recognition"], strict=True))
    return {name: statistics.median(taken) for name, taken in times.items()} | {RATIO: statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    found: dict[str, dict[str, float]] = {}
    with open_workshop() as shop:
        for programme in programmes(shop, [AD], [LOCALE], lambda what: print(what, file=sys.stderr)):
            for profile in PROFILES:
                made = programme.deliver(profile, shop.folder(profile))
                found[profile] = measured(programme, made, rounds)
                print(profile, found[profile], file=sys.stderr)
    print(f"| | {' | '.join(found)} |")
    print("|---|" + "---|" * len(found))
    for name in next(iter(found.values())):
        shown = "{:.2f}".format if name == RATIO else lambda seconds: f"{seconds * 1000:.0f} ms"
        print(f"| {name} | {' | '.join(shown(one[name]) for one in found.values())} |")
    worst = max(one[RATIO] for one in found.values())
    print(f"\n{'ok  ' if worst < GATE_BAR else 'OVER'} gate {worst:.2f} x its recognition pass, less than {GATE_BAR}")
    sys.exit(worst >= GATE_BAR)


if __name__ == "__main__":
    main()
