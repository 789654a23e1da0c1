"""How like the consented voice the speech in delivered files is, and how like other voices of the same model.

    python -m scripts.voice_identity

Renders the advertisements of ``programmes.yaml`` with real engines, in every shipped profile, and holds each candidate
against the house voice and against each style that Kokoro ships. ``configs/listening.yaml`` has its limits from here.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import defaultdict
from collections.abc import Iterable

from clearspot.engines.studio import Studio
from clearspot.gate.speaker import Likeness, Speaker, compare
from clearspot.media.audio import LISTEN_RATE_HZ
from scripts.programmes import MARKETS, PROFILES, ads, open_workshop, programmes
from scripts.styles import HOUSE, STYLES, said_by

MIXES = {"house": HOUSE, **{name: {name: 1.0} for name in STYLES}}


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    found: dict[str, list[Speaker]] = defaultdict(list)
    with open_workshop() as shop:
        known = functools.cache(functools.partial(likeness, shop.studio))
        encoder = shop.studio.speaker_encoder()
        for programme in programmes(shop, ads(), MARKETS, lambda what: print(what, file=sys.stderr)):
            words = programme.job.disclosure_of(programme.locale)
            for profile in PROFILES:
                made = programme.deliver(profile, shop.folder(f"{programme.name} {profile}"))
                clips = made.expected.timeline.clips
                for style in MIXES:
                    itself = known(style, programme.locale, words)
                    found[style].append(compare(made.candidate.listening, clips, encoder, itself))
    print("| measured against | disclosure | lines | least line | least short line |")
    print("|---|---|---|---|---|")
    for style, all_of in found.items():
        columns = (
            [one.disclosure for one in all_of],
            [one.lines for one in all_of],
            [one.least and one.least[1] for one in all_of],
            [one.short and one.short[1] for one in all_of],
        )
        print(f"| {style} | {' | '.join(map(spread, columns))} |", flush=True)


def likeness(studio: Studio, style: str, locale: str, text: str) -> Likeness:
    """How a style sounds, as the gate finds it out of a voice: by a disclosure's words."""
    heard = said_by(MIXES[style], studio, locale, text, LISTEN_RATE_HZ)
    return Likeness("spoken", studio.speaker_encoder().embed(heard))


def spread(column: Iterable[float | None]) -> str:
    """From the least to the most, of those that there are."""
    numbers = [one for one in column if one is not None]
    return f"{min(numbers):.2f} to {max(numbers):.2f} ({len(numbers)})" if numbers else "none"


if __name__ == "__main__":
    main()
