"""How long it takes to tag, sign and verify one file of 30 seconds, in every format.

    python -m scripts.provenance_speed [--rounds N]

Each is the median of its rounds, in milliseconds, on the demo spot's bed with its recording as ingredient. Encoding,
loudness and listening are not in it. The bar is 100 ms for tagging, signing and verifying together.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ffmpeg as graph

from clearspot.errors import BadInput
from clearspot.media import ffmpeg
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import create_keys, load_signing_keys, load_trust
from clearspot.provenance.nature import Nature
from clearspot.spot import load_spot

SPOT = load_spot(Path(__file__).parents[1] / "spots" / "lumen-coffee")
LENGTH_S, RATE_HZ, BAR_MS = 30, 48_000, 100.0
CODECS = {
    ".wav": "pcm_s24le", ".mp3": "libmp3lame", ".m4a": "aac", ".mp4": "aac", ".flac": "flac", ".ogg": "libvorbis",
    ".opus": "libopus",
}  # fmt: skip
CAPTIONS = "1\n00:00:00,250 --> 00:00:03,100\nEste anuncio utiliza una voz sintética.\n"


def encoded(folder: Path, ending: str) -> Path:
    """Thirty seconds of music in stereo, or a cue of captions."""
    path = folder / f"plain{ending}"
    if ending not in CODECS:
        path.write_text(CAPTIONS, encoding="utf-8")
        return path
    source = graph.input(f"file:{SPOT.bed}", stream_loop=-1)
    sample = {"sample_fmt": "s16"} if ending == ".flac" else {}
    stream = source.output(f"file:{path}", acodec=CODECS[ending], t=LENGTH_S, ar=RATE_HZ, ac=2, **sample)
    ffmpeg.run(stream, about=path)
    return path


def said(path: Path) -> tags.Tags:
    return tags.Tags(*[path.name] * 9)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def one_round(plain: Path, folder: Path) -> tuple[float, float, float]:
    """Tag, sign (which reads back what it signed) and verify one file: milliseconds each."""
    now = dt.datetime.now(dt.UTC)
    keys, trust = load_signing_keys(folder / "keys", now), load_trust((folder / "trust",))
    copy, target = Path(shutil.copy(plain, folder / f"tagged{plain.suffix}")), folder / f"signed{plain.suffix}"
    nature = Nature("synthetic", bed=False)
    claim = manifest.Claim("Title", "en-US", "es-ES", "Provider", "Clearspot", "0", {"unique_id": "1"}, nature)
    try:
        tagging = timed(lambda: tags.write(copy, said(copy)))
    except BadInput:  # captions have no tags
        tagging = 0.0
    signing = timed(lambda: manifest.sign(copy, target, claim, SPOT.recording, keys, trust))
    reading = timed(lambda: manifest.read(target, trust))
    return tagging, signing, reading


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{'format':8}{'tag':>8}{'sign':>8}{'verify':>8}{'together':>10}  ms, bar {BAR_MS:g}")
    slow = []
    with tempfile.TemporaryDirectory(prefix="clearspot-speed-") as name:
        folder = Path(name)
        create_keys(folder / "keys", folder / "trust", "Speed", dt.datetime.now(dt.UTC), renew=False)
        for ending in manifest.MIME:
            plain = encoded(folder, ending)
            one_round(plain, folder)  # what is imported once is not a file's cost
            each = zip(*(one_round(plain, folder) for _ in range(rounds)), strict=True)
            medians = [statistics.median(times) for times in each]
            together = sum(medians)
            print(f"{ending:8}" + "".join(f"{value:8.1f}" for value in medians) + f"{together:10.1f}")
            slow += [ending] if together > BAR_MS else []
    if slow:
        print(f"over the bar: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
