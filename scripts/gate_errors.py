"""How often the gate is wrong: good deliverables that it refuses, and broken ones that it lets through.

    python -m scripts.gate_errors [--ads alba,luna]

Good ones are the programmes of scripts/programmes.py in two profiles each. Broken ones are made by giving the real
stages something else than was approved, or by changing the bytes they gave (scripts/breakages.py); what the gate
expects stays what was approved. Each breakage has a rule that has to catch it; others may too. Prints Markdown; ends
with 1 where a bar does not hold.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from clearspot import pipeline
from clearspot.errors import ClearspotError
from clearspot.gate.rules import Finding
from clearspot.job import Job
from scripts.breakages import BREAKAGES, Bench, Make, good
from scripts.programmes import (
    MARKETS,
    Programme,
    Workshop,
    a_job,
    a_project,
    ads,
    open_workshop,
    profile_for,
    programmes,
)

LEAST_GOOD, LEAST_BROKEN, MOST_REFUSED = 30, 60, 1 / 30
TIMES = 3
"""How many programmes each breakage is tried on."""


@dataclass(frozen=True)
class Judged:
    """What the gate said of one deliverable; ``breakage`` is empty for a good one."""

    breakage: str
    programme: str
    failed: tuple[Finding, ...]


def judge_all(
    shop: Workshop, names: Iterable[str], locales: Iterable[str], tell: Callable[[str], None], times: int = TIMES
) -> Iterator[Judged]:
    """Every good deliverable, and every breakage on as many programmes as asked for: each time another."""
    elsewhere = a_project(shop.root / "elsewhere")
    left = dict.fromkeys((one.name for one in BREAKAGES), times)
    total = len(tuple(names)) * len(tuple(locales))
    for index, programme in enumerate(programmes(shop, names, locales, tell)):
        stranger = a_job(shop, programme.job.spot.id, programme.ad, elsewhere)
        at = partial(_bench, shop, index, stranger)
        for turn in (0, 1):
            yield judged("", programme, at(turn), good, tell)
        suited = [one for number, one in enumerate(BREAKAGES) if _turn(number, index, total, times)]
        owed = [one for one in BREAKAGES if left[one.name] >= total - index and one not in suited]
        for number, one in enumerate([*suited, *owed]):
            if left[one.name] and one.only(programme):
                left[one.name] -= 1
                yield judged(one.name, programme, at(number + 2), one.make, tell)


def _turn(number: int, index: int, total: int, times: int) -> bool:
    """Whether a breakage is this programme's: spread over all, so that languages, beds and profiles differ."""
    return (index + number) % max(1, total // times) == 0


def _bench(shop: Workshop, index: int, stranger: Job, turn: int) -> Bench:
    return Bench(shop.folder(f"gate-{index}-{turn}"), profile_for(index + turn), stranger)


def judged(name: str, programme: Programme, bench: Bench, make: Make, tell: Callable[[str], None]) -> Judged:
    """The real gate on one deliverable. What a stage already refuses to make is refused."""
    try:
        made = make(programme, bench)
        _, findings = pipeline.gate_candidate(programme.job, made, programme.timed)
        failed = tuple(finding for finding in findings if finding.verdict == "fail")
    except ClearspotError as error:
        failed = (Finding(f"before the gate: {error.kind}", "fail", "", "", str(error)),)
    shutil.rmtree(bench.folder, ignore_errors=True)
    tell(
        f"{name or 'good'}, {programme.name} {bench.profile}: "
        + ("; ".join(f"{one.rule} ({one.measured}; {one.detail})" for one in failed) or "passed")
    )
    return Judged(name, f"{programme.name} {bench.profile}", failed)


def tables(found: list[Judged]) -> Iterator[str]:
    """What was refused of the good ones, and which rule caught the broken ones."""
    good = [one for one in found if not one.breakage]
    refused = [one for one in good if one.failed]
    yield f"Good deliverables: {len(good)}, refused: {len(refused)}."
    yield from (
        f"- {one.programme}: {'; '.join(f'{f.rule}: {f.detail or f.measured}' for f in one.failed)}" for one in refused
    )
    yield ""
    yield "| broken | let through | caught by its rule | rules that caught it |"
    yield "|---|---|---|---|"
    for breakage in BREAKAGES:
        here = [one for one in found if one.breakage == breakage.name]
        rules = dict.fromkeys(finding.rule for one in here for finding in one.failed)
        counts = {rule: sum(any(f.rule == rule for f in one.failed) for one in here) for rule in rules}
        told = ", ".join(f"{rule} {count}" for rule, count in counts.items())
        own = f"{breakage.rule} {counts.get(breakage.rule, 0)}/{len(here)}"
        yield f"| {breakage.name} | {sum(not one.failed for one in here)}/{len(here)} | {own} | {told} |"
    broken = [one for one in found if one.breakage]
    passed = [one for one in broken if not one.failed]
    yield ""
    yield f"Broken deliverables: {len(broken)}, let through: {len(passed)}."
    yield from (f"- {one.breakage}: {one.programme}" for one in passed)


def held(found: list[Judged]) -> bool:
    """Whether nothing broken passed, each was caught by its rule, and at most one good one in thirty was refused."""
    rules_of = {one.name: one.rules for one in BREAKAGES}
    good = [one for one in found if not one.breakage]
    caught = all(any(f.rule in rules_of[one.breakage] for f in one.failed) for one in found if one.breakage)
    return caught and sum(bool(one.failed) for one in good) <= max(1, len(good) * MOST_REFUSED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ads", default=",".join(ads()))
    parser.add_argument("--locales", default=",".join(MARKETS))
    parser.add_argument("--times", type=int, default=TIMES, help="programmes that each breakage is tried on")
    options = parser.parse_args()
    names, locales = options.ads.split(","), options.locales.split(",")
    with open_workshop() as shop:
        found = list(judge_all(shop, names, locales, _tell, options.times))
    print("\n".join(tables(found)))
    sys.exit(not held(found))


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
