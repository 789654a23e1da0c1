"""Many spots over many workers, event by event, from what ``scripts.bench_scale`` measured on one machine.

    python -m scripts.simulate_scale scale.json [--spots 1000] [--locales 20] [--workers 100] [--svg curve.svg]

What is simulated: one run that has ``spots_at_once(workers)`` spots under way, a recording heard before its locales are
made, tasks given to free workers in order, models loaded once a worker, and a server that passes no more tasks a second
than Prefect's was measured to. What is not: slow networks, machines that differ, workers that die.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.work import spots_at_once

HOUR_S = 3600.0
NOBODY = -1
"""In place of a worker, where the coordinator itself works."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of each part, and how many tasks a second are passed on (0: without limit).

    ``coordinator_s`` is what a spot takes of the one process that plans it and writes its report.
    """

    hear_s: float
    make_s: float
    load_s: float
    tasks_per_s: float
    coordinator_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Went:
    """How a simulated run went: seconds from beginning to end, and how busy the workers were, 0 to 1."""

    wall_s: float
    busy: float


@dataclass(slots=True)
class _Spot:
    left: int


def simulate(costs: Costs, spots: int, locales: int, workers: int, runs: int = 1) -> Went:
    """So many spots, shared by ``runs`` coordinators: workers take tasks in the order in which they become possible.

    ``locales`` tasks of a spot become possible when its recording is heard; the next spot begins when one is concluded.
    """
    at_once = runs * spots_at_once(workers)
    concluding = [0.0] * runs
    waiting: deque[tuple[str, _Spot]] = deque()
    begun = 0
    running: list[tuple[float, int, int, str, _Spot]] = []
    idle = list(range(workers))[::-1]
    cold = set(idle)
    now = passed_until = work_s = 0.0
    number = 0

    def begin() -> None:
        nonlocal begun
        if begun < spots:
            begun += 1
            waiting.append(("hear", _Spot(locales)))

    for _ in range(at_once):
        begin()
    while waiting or running:
        while waiting and idle:
            kind, spot = waiting.popleft()
            worker = idle.pop()
            takes_s = (costs.hear_s if kind == "hear" else costs.make_s) + (costs.load_s if worker in cold else 0.0)
            cold.discard(worker)
            passed_until = max(now, passed_until) + (1 / costs.tasks_per_s if costs.tasks_per_s else 0.0)
            work_s += takes_s
            number += 1
            heapq.heappush(running, (passed_until + takes_s, number, worker, kind, spot))
        now, _, worker, kind, spot = heapq.heappop(running)
        if kind == "conclude":
            begin()
            continue
        idle.append(worker)
        if kind == "hear":
            waiting.extend(("make", spot) for _ in range(locales))
        else:
            spot.left -= 1
            if not spot.left:
                free = min(range(runs), key=concluding.__getitem__)
                concluding[free] = max(now, concluding[free]) + costs.coordinator_s
                number += 1
                heapq.heappush(running, (concluding[free], number, NOBODY, "conclude", spot))
    return Went(now, work_s / (now * workers))


def costs_of(measured: dict[str, Any]) -> Costs:
    names = ("hear_s", "make_s", "load_s", "prefect_tasks_per_s", "coordinator_s")
    return Costs(*(float(measured[name] or 0.0) for name in names))


def limits(measured: dict[str, Any], spots: int, locales: int, went: Went) -> list[tuple[str, str]]:
    """What everything together would ask of what is shared."""
    pieces = spots * locales
    tasks_s = (pieces + spots) / went.wall_s
    requests_s = pieces * measured["store_requests_per_piece"] / went.wall_s
    stored_gb = pieces * measured["store_bytes_per_piece"] / 1e9
    return [
        ("tasks a second, asked for", f"{tasks_s:.1f}"),
        ("seconds of the coordinator, in all", f"{spots * measured['coordinator_s']:.0f} of {went.wall_s:.0f}"),
        ("tasks a second that Prefect passed on here", f"{measured['prefect_tasks_per_s']:.1f}"),
        ("tasks a second that Dask alone passed on here", f"{measured['dask_tasks_per_s']:.0f}"),
        ("store requests a second", f"{requests_s:.0f}"),
        ("store, written in all", f"{stored_gb:.0f} GB"),
        ("store, written a second", f"{stored_gb * 1e3 / went.wall_s:.0f} MB"),
    ]


def curve(points: list[tuple[int, float]], unit: str) -> str:
    """A small chart: workers, and how many times faster than the first; the line is what would be perfect."""
    width, height, left, bottom = 560, 300, 46, 34
    first_workers, first_s = points[0]
    most = points[-1][0] / first_workers
    gains = [(workers, first_s / wall_s) for workers, wall_s in points]

    def x(workers: float) -> float:
        return left + (width - left - 12) * workers / points[-1][0]

    def y(gain: float) -> float:
        return height - bottom - (height - bottom - 14) * gain / most

    line = " ".join(f"{x(workers):.1f},{y(gain):.1f}" for workers, gain in gains)
    dots = "".join(f'<circle cx="{x(workers):.1f}" cy="{y(gain):.1f}" r="3.5"/>' for workers, gain in gains)
    words = "".join(
        f'<text x="{x(workers):.1f}" y="{height - bottom + 16}" text-anchor="middle">{workers}</text>'
        for workers, _ in gains[1:]
    )
    marks = "".join(
        f'<text x="{left - 6}" y="{y(gain) + 4:.1f}" text-anchor="end">{gain:.0f}x</text>' for _, gain in gains[1:]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="Gain by number of workers"><rect width="{width}" height="{height}" '
        f'fill="#fff"/><path d="M{left} 14V{height - bottom}H{width - 12}" fill="none" stroke="#555"/>'
        f'<line x1="{x(first_workers):.1f}" y1="{y(1):.1f}" x2="{x(points[-1][0]):.1f}" y2="{y(most):.1f}" '
        f'stroke="#bbb" stroke-dasharray="4 4"/><polyline points="{line}" fill="none" stroke="#0a6" stroke-width="2"/>'
        f'<g fill="#0a6">{dots}</g><g fill="#333">{words}{marks}'
        f'<text x="{width - 12}" y="{height - 4}" text-anchor="end">workers ({unit})</text></g></svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("measured", type=Path)
    parser.add_argument("--spots", type=int, default=1000)
    parser.add_argument("--locales", type=int, default=20)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1, help="so many coordinators, each with its share of the spots")
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text(encoding="utf-8"))
    costs = costs_of(measured)
    steps = sorted({1, *(max(1, options.workers * part // 10) for part in (1, 2, 5, 10, 20))})
    points = []
    print("| workers | hours | times one worker | workers busy |\n|---|---|---|---|")
    for workers in steps:
        went = simulate(costs, options.spots, options.locales, workers, options.runs)
        points.append((workers, went.wall_s))
        gain = points[0][1] / went.wall_s
        print(f"| {workers} | {went.wall_s / HOUR_S:.2f} | {gain:.1f} | {went.busy:.0%} |")
    went = simulate(costs, options.spots, options.locales, options.workers, options.runs)
    print(f"\nwith {options.workers} workers:")
    for name, value in limits(measured, options.spots, options.locales, went):
        print(f"| {name} | {value} |")
    if options.svg:
        told = f"{options.spots:,} spots x {options.locales} locales, simulated"
        options.svg.write_text(curve(points, told), encoding="utf-8")


if __name__ == "__main__":
    main()
