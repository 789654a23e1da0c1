"""What consent costs: looking through a log of 100,000 entries, and one authorize, against their bars.

    python scripts/bench_consent.py [--entries N] [--calls N]

It needs the shipped voice's weights in the cache (`clearspot models fetch`); it works in a folder of its own, with
keys of its own. Times of authorize have the log's two flushes to disk in them. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearspot.audit import DOMAIN, HEAD_FILE, AuditLog, Entry, Head
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.grant import authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.scope import Use, uses_of
from clearspot.engines.weights import load_weights
from clearspot.files import DigestCache, PinnedFile
from clearspot.hashing import canonical_json, sha256_bytes
from clearspot.project import Project, Settings
from clearspot.provenance.keys import RECEIPT_KEY, create_keys, load_private_key
from clearspot.signing import key_id, sign
from clearspot.spot import load_spot

SPOT, VOICE, LOCALE = Path(__file__).parents[1] / "spots" / "lumen-coffee", "house", "es-ES"
LOG_BAR_S, AUTHORIZE_BAR_MS = 10.0, 20.0
ENTRIES, CALLS, ROUNDS = 100_000, 200, 3
SPOTS = 2_000
"""Distinct spots among the entries of the long log."""


@dataclass(frozen=True)
class Row:
    """One line of the table. What is held against the bar is the median; no bar: for information."""

    what: str
    median: float
    p95: float | None
    unit: str
    bar: float | None

    @property
    def missed(self) -> bool:
        return self.bar is not None and self.median >= self.bar

    @property
    def line(self) -> str:
        p95 = "" if self.p95 is None else f"{self.p95:.1f} {self.unit}"
        bar = "" if self.bar is None else f"{self.bar:g} {self.unit}"
        verdict = "" if self.bar is None else "**missed**" if self.missed else "met"
        return f"| {self.what} | {self.median:.1f} {self.unit} | {p95} | {bar} | {verdict} |"


@dataclass(frozen=True)
class Bench:
    """A project in a folder of its own, and one use of the shipped voice in it."""

    project: Project
    weights: dict[str, PinnedFile]
    uses: tuple[Use, ...]

    def authorize(self, authority: Authority) -> None:
        """One whole decision, as a run makes it for each locale: the voice is read from disk too."""
        voice = load_voice(VOICE, self.project.voice_folders())
        authorize(voice, self.uses, authority, weights=self.weights, step="speak")


def main() -> int:
    """Measure, print the table, and say whether a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--calls", type=int, default=CALLS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearspot-bench-") as folder:
        rows = list(measure(set_up(Path(folder)), asked.entries, asked.calls))
    print("| what | median | p95 | bar | |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(row.line)
    return 1 if any(row.missed for row in rows) else 0


def set_up(root: Path) -> Bench:
    """A new project, and what it asks of the shipped voice.

    Raises:
        SystemExit: The weights are not in the cache.
    """
    project = Project(root, Settings(provider="Bench"))
    create_keys(project.keys_dir, project.own_trust_dir, "Bench", dt.datetime.now(dt.UTC), renew=False)
    writing_authority(project).log.begin()
    spot = load_spot(SPOT)
    voice = load_voice(VOICE, project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=spot.commercial)
    if missing := [str(file.path) for file in weights.values() if not file.path.is_file()]:
        sys.exit(f"not in the cache: {', '.join(missing)}; run `clearspot models fetch` first")
    return Bench(project, weights, uses_of(spot, LOCALE, project.settings.provider))


def measure(bench: Bench, entries: int, calls: int) -> Iterator[Row]:
    """Every row of the table, the short log's first."""
    authority = writing_authority(bench.project)
    bench.authorize(authority)  # reads the weights
    times = [timed(lambda: bench.authorize(authority)) for _ in range(calls)]
    yield of_calls("authorize, digests warm", times, AUTHORIZE_BAR_MS)
    times = [timed(lambda: bench.authorize(replace(authority, digests=DigestCache()))) for _ in range(calls)]
    yield of_calls("authorize, digests cold", times, None)

    log = authority.log
    lengthen(log, entries, bench.project)
    about = f"a log of {entries:,} entries ({log.path.stat().st_size / 1e6:.0f} MB)"
    yield of_rounds(f"inspect {about}", lambda: inspect(log, entries))
    yield of_rounds(f"read {about}", lambda: read(log, entries))

    authority = writing_authority(bench.project)
    first_ms = timed(lambda: bench.authorize(authority))
    yield Row(f"the first authorize of a process, over {entries:,} entries", first_ms / 1e3, None, "s", None)
    times = [timed(lambda: bench.authorize(authority)) for _ in range(calls)]
    yield of_calls(f"authorize, digests warm, over {entries:,} entries", times, AUTHORIZE_BAR_MS)


def lengthen(log: AuditLog, entries: int, project: Project) -> None:
    """Put a log of many grants in its place, each like the newest one and of one of many spots; written in one go."""
    sample = [entry for _, entry in log.read() if entry.event == "grant"][-1]
    lines = [line for line in log.path.read_bytes().splitlines() if b'"event":"grant"' not in line]
    previous = sha256_bytes(lines[-1])
    for n in range(len(lines) + 1, entries + 1):
        data: dict[str, Any] = {**sample.data, "spot": f"spot-{n % SPOTS:04}", "step": ("speak", "export")[n % 2]}
        entry = Entry(n=n, at=sample.at, event="grant", data=data, previous=previous)
        lines.append(entry.line)
        previous = sha256_bytes(lines[-1])
    text = b"\n".join(lines) + b"\n"
    key = load_private_key(project.keys_dir / RECEIPT_KEY)
    signed = {"n": len(lines), "size_bytes": len(text), "sha256": previous}
    head = Head(
        **signed, line=lines[-1].decode(), key=key_id(key.public_key()), ed25519=sign(DOMAIN, signed, key)
    )  # fmt: skip
    with log.locked():
        log.path.write_bytes(text)
        (log.folder / HEAD_FILE).write_bytes(canonical_json(head.model_dump()))


def inspect(log: AuditLog, entries: int) -> None:
    """What `clearspot audit verify` does."""
    count, problems = log.inspect()
    if (count, problems) != (entries, ()):
        raise AssertionError(f"{count} entries, {problems[:3]}")


def read(log: AuditLog, entries: int) -> None:
    """What a process does before its first decision."""
    if (count := sum(1 for _ in log.read())) != entries:
        raise AssertionError(f"{count} entries")


def timed(call: Callable[[], object]) -> float:
    """How long one call takes, in ms."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def of_calls(what: str, times_ms: list[float], bar_ms: float | None) -> Row:
    """Many short calls as one row."""
    p95 = sorted(times_ms)[max(0, round(0.95 * len(times_ms)) - 1)]
    return Row(f"{what} ({len(times_ms)} calls)", statistics.median(times_ms), p95, "ms", bar_ms)


def of_rounds(what: str, call: Callable[[], object]) -> Row:
    """A few long calls as one row."""
    times_s = [timed(call) / 1e3 for _ in range(ROUNDS)]
    return Row(f"{what} ({ROUNDS} rounds)", statistics.median(times_s), max(times_s), "s", LOG_BAR_S)


if __name__ == "__main__":
    sys.exit(main())
