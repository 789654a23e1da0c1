"""Which of the four disclosures are still there after what happens to files: re-encoding, levels, cuts, copies.

    python -m scripts.survival [--ads alba,luna]

Eighteen programmes in three languages (scripts/programmes.py) become candidates of the shipped profiles by turns; each
is changed in every way below, and each copy is judged by what ``clearspot verify`` runs. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.config import load_limits, load_wordings
from clearspot.consent.affected import Known
from clearspot.gate.hearing import Ears
from clearspot.gate.verify import PROOF, verify
from clearspot.media import ffmpeg
from clearspot.media.audio import probe
from clearspot.project import Project
from clearspot.provenance import tags
from clearspot.provenance.keys import Trust
from scripts.programmes import MARKETS, Programme, Workshop, ads, open_workshop, profile_for, programmes

KINDS = ("spoken disclosure", "tags", "manifest", "watermark")
UNATTESTED = "tags, unattested"
"""Tags say that it is synthetic, and nothing signed says that they are this file's."""

READABLE = "`DigitalSourceType`"
"""The tag that says it to machines can still be read. ``verify`` wants all tags, and the manifest's word for them."""

PIECE_S = 10.0
CODECS: dict[str, dict[str, Any]] = {
    ".wav": {"acodec": "pcm_s24le"},
    ".mp3": {"acodec": "libmp3lame", "audio_bitrate": "192k"},
    ".m4a": {"acodec": "aac", "audio_bitrate": "192k"},
}
"""How a file is encoded again that stays what it was."""


@dataclass(frozen=True)
class Survived:
    """One copy: which of the disclosures are in it."""

    programme: str
    change: str
    proof: dict[str, bool]


# --- what happens to files: each writes a copy, and gives it -----------------------------------------------------


def _as(ending: str, **options: Any) -> Callable[[Path, Path], Path]:
    def write(source: Path, folder: Path) -> Path:
        return _written(_input(source), folder / f"copy{ending}", **options)

    return write


def _filtered(*filters: tuple[str, tuple[Any, ...]]) -> Callable[[Path, Path], Path]:
    def write(source: Path, folder: Path) -> Path:
        stream = _input(source).audio
        for name, values in filters:
            stream = stream.filter(name, *values)
        return _written(stream, folder / f"copy{source.suffix}", ar=48_000, **CODECS[source.suffix])

    return write


def _piece(where: float) -> Callable[[Path, Path], Path]:
    """Ten seconds, from the start (0) to the end (1) of a file."""

    def write(source: Path, folder: Path) -> Path:
        start_s = where * max(0.0, probe(source).duration_s - PIECE_S)
        stream = _input(source, ss=start_s, t=PIECE_S)
        return _written(stream, folder / f"copy{source.suffix}", **CODECS[source.suffix])

    return write


def _input(source: Path, **options: Any) -> Any:
    import ffmpeg as graph

    return graph.input(f"file:{source}", **options)


def _written(stream: Any, target: Path, **options: Any) -> Path:
    ffmpeg.run(stream.output(f"file:{target}", **options), about=target)
    return target


CHANGES: dict[str, Callable[[Path, Path], Path]] = {
    "as delivered": lambda source, _: source,
    "wav": _as(".wav", acodec="pcm_s16le"),
    "mp3 128k": _as(".mp3", acodec="libmp3lame", audio_bitrate="128k"),
    "aac 128k": _as(".m4a", acodec="aac", audio_bitrate="128k"),
    "opus 32k": _as(".opus", acodec="libopus", audio_bitrate="32k"),
    "gain -12 dB": _filtered(("volume", ("-12dB",))),
    "loudnorm": _filtered(("loudnorm", ())),
    "10 s, the first": _piece(0.0),
    "10 s, in the middle": _piece(0.5),
    "tempo 1.05": _filtered(("atempo", (1.05,))),
    "ffmpeg -c copy": lambda source, folder: _written(_input(source), folder / f"copy{source.suffix}", c="copy"),
    "phone band": _filtered(("highpass", (300,)), ("lowpass", (3400,))),
}


# --- measuring ---------------------------------------------------------------------------------------------------


def survivals(
    shop: Workshop, names: Iterable[str], locales: Iterable[str], tell: Callable[[str], None]
) -> Iterator[Survived]:
    """Every programme through every change."""
    ears = ears_of(shop)
    for index, programme in enumerate(programmes(shop, names, locales, tell)):
        for one in of_programme(programme, profile_for(index), shop.folder(f"survival-{index}"), ears, CHANGES):
            tell(f"{one.programme}, {one.change}: {', '.join(what for what, there in one.proof.items() if there)}")
            yield one


def of_programme(
    programme: Programme, profile: str, folder: Path, ears: Ears, changes: Iterable[str]
) -> Iterator[Survived]:
    """One programme, delivered in a profile, through some changes."""
    source = programme.deliver(profile, folder).candidate.path
    for change in changes:
        place = folder / change.replace(" ", "-")
        place.mkdir()
        copy = CHANGES[change](source, place)
        yield Survived(f"{programme.name} {profile}", change, judged(copy, programme.job.trust, ears))
        shutil.rmtree(place)


def ears_of(shop: Workshop) -> Ears:
    """What listens, as ``clearspot verify`` has it."""
    project: Project = shop.project
    studio = shop.studio
    return Ears(studio.recogniser(), studio.watermarker(), load_limits(project).deliverable, load_wordings(project))


def judged(path: Path, trust: Trust, ears: Ears) -> dict[str, bool]:
    """What is left of a file's proof; tags that no trusted manifest vouches for are counted apart."""
    readable = bool(tags.read(path).get("DigitalSourceType"))
    found = verify(path, trust, Known((), ()), ears)
    left = {what: found.proof[what] and what not in found.unattested for what in KINDS}
    return {**left, UNATTESTED: "tags" in found.unattested, READABLE: readable}


def table(found: list[Survived]) -> Iterator[str]:
    """How many copies still have each disclosure."""
    assert set(KINDS) == set(PROOF) - {"shown disclosure"}, "captions have no sound that could be changed"
    columns = (*KINDS, UNATTESTED, READABLE)
    yield f"| what happened | {' | '.join(columns)} |"
    yield "|---|" + "---|" * len(columns)
    for change in CHANGES:
        here = [one for one in found if one.change == change]
        cells = (f"{sum(one.proof[what] for one in here)}/{len(here)}" for what in columns)
        yield f"| {change} | {' | '.join(cells)} |"
    yield ""
    bare = [one for one in found if not any(one.proof[what] for what in KINDS)]
    yield f"Copies with none of the four: {len(bare)} of {len(found)}."
    yield from (f"- {one.programme}, {one.change}" for one in bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ads", default=",".join(ads()))
    parser.add_argument("--locales", default=",".join(MARKETS))
    options = parser.parse_args()
    with open_workshop() as shop:
        found = list(survivals(shop, options.ads.split(","), options.locales.split(","), _tell))
    print("\n".join(table(found)))


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
