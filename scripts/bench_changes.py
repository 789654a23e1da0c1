"""What a change costs, against a cold run: nothing changed, one line of one locale changed; the store; many plans.

    python -m scripts.bench_changes [--spots N]

Runs are processes of their own with the real engines on the demo spot, without Prefect. Ends with 1 where a bar does
not hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import yaml

from clearspot.approvals import approve_script, approve_translation
from clearspot.cache import Cache
from clearspot.gate import receipt
from clearspot.hashing import sha256_file
from clearspot.ingredients import ingredients
from clearspot.job import Asked, Desk, Job, open_desk, open_job, open_studio
from clearspot.leave import Foresight
from clearspot.plan import SpotPlan, plan_spot
from clearspot.project import Project
from clearspot.spot import load_spot
from clearspot.sweep import find_spots, plans
from scripts.bench_project import SPOT, bench_project

NOTHING_BAR_S, NOTHING_BAR, LINE_BAR, STORE_BAR = 1.5, 0.03, 0.25, 0.02
BIG_PLAN_BAR_S, PLANS_BAR_S, GROWTH_BAR_MB = 1.0, 20.0, 20.0
LOCALES = {"es-ES": "ES", "es-MX": "MX", "it-IT": "IT", "pt-BR": "BR", "pt-PT": "PT", "fr-FR": "FR", "de-DE": "DE",
           "en-GB": "GB", "nl-NL": "NL", "pl-PL": "PL"}  # fmt: skip
LINES = 60


def run() -> float:
    """Seconds that one `clearspot run` takes, start-up included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "scripts.bench_changes", "--run"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def one_run(project: Project) -> None:
    """The run itself; the seconds that its threads spent with the store are written beside the project."""
    from clearspot.cli.main import invoke

    spent: list[float] = []
    for name in ("find", "_read", "_keep"):
        setattr(Cache, name, timed(getattr(Cache, name), spent))
    spot, out = project.root / "spots" / SPOT.name, project.root / "out"
    code = invoke(["run", str(spot), "--runner", "inline", "--out", str(out), "--json"])
    (project.root / "store-seconds.json").write_text(json.dumps(sum(spent)), encoding="utf-8")
    sys.exit(code)


def timed(call: Callable[..., object], spent: list[float]) -> Callable[..., object]:
    """A call whose seconds are noted."""

    def noted(*arguments: object) -> object:
        began = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            spent.append(time.perf_counter() - began)

    return noted


def change_a_line(project: Project) -> None:
    """Another word in one line of one locale, signed off."""
    folder = project.root / "spots" / SPOT.name
    path = folder / "translations" / "it-IT.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("piccoli lotti", "piccolissimi lotti"), encoding="utf-8")
    approve_translation(load_spot(folder), "it-IT", "Bench", dt.datetime.now(dt.UTC), ["roast"])


# --- many plans --------------------------------------------------------------------------------------------------


def many_spots(project: Project, desk: Desk, count: int) -> Path:
    """Copies of the demo spot under other ids, each published: small files under receipts that are the project's own.

    The media are a few bytes: a plan reads digests, and its book of digests reads each file once.
    """
    root = project.root / "many"
    for number in range(count):
        folder = root / f"spot-{number:04}"
        shutil.copytree(SPOT, folder)
        path = folder / "spot.yaml"
        text = path.read_text(encoding="utf-8").replace("id: lumen-coffee", f"id: spot-{number:04}")
        path.write_text(text, encoding="utf-8")
        job = open_job(Asked(folder, out=project.root / "published"), desk, lambda _: None)
        exported = {"path": str(job.home), "voice": job.spot.order.voice, "record_sha256": ""}
        left = desk.authority.log.append("export", exported)  # a plan keeps what its own log let out
        for locale, profiles in job.todo.items():
            for profile in profiles:
                publish_small(job, locale, profile, left.anchor)
    return root


def publish_small(job: Job, locale: str, profile: str, anchor: Mapping[str, int | str]) -> None:
    """A few bytes in the place of a deliverable, and their receipt."""
    voice = Foresight().voice(job)
    path = job.folder(locale) / f"{job.name(locale, profile)}.{job.profiles[profile].extension}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    body = {
        "deliverable": path.name,
        "file_sha256": sha256_file(path),
        "beside": {},
        "audit": dict(anchor),
        "ingredients": ingredients(job, voice, locale, profile),
    }
    signed = receipt.sign_receipt(body, job.keys.receipt_key)
    path.with_name(path.stem + receipt.ENDING).write_bytes(receipt.to_text(signed))


def big_spot(project: Project) -> Path:
    """A spot of 60 lines in ten locales, never made."""
    folder = project.root / "big"
    shutil.copytree(SPOT, folder)
    lines = {f"line-{number:02}": f"This is line number {number} of a long programme." for number in range(LINES)}
    order = yaml.safe_load((folder / "spot.yaml").read_text(encoding="utf-8"))
    order |= {"id": "big", "locales": {locale: {"markets": [market]} for locale, market in LOCALES.items()}}
    order.pop("duration_s")
    script = yaml.safe_load((folder / "script.yaml").read_text(encoding="utf-8"))
    write(folder / "spot.yaml", order)
    write(folder / "script.yaml", script | {"lines": lines})
    for locale in LOCALES:
        write(folder / "translations" / f"{locale}.yaml", {"locale": locale, "lines": lines})
    spot, now = load_spot(folder), dt.datetime.now(dt.UTC)
    approve_script(spot, "Bench", now)
    for locale in LOCALES:
        approve_translation(spot, locale, "Bench", now)
    return folder


def write(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), encoding="utf-8")


def plan_seconds(desk: Desk, folder: Path) -> float:
    began = time.perf_counter()
    job = open_job(Asked(folder), desk, lambda _: None)
    plan_spot(job, Foresight())
    return time.perf_counter() - began


def plans_seconds(project: Project, desk: Desk, root: Path) -> Iterator[tuple[float, float, int]]:
    """Twice over all: seconds, how much memory grew after the first hundred (MB), and how many plans are empty."""
    for _ in range(2):
        began, at_first, empty = time.perf_counter(), 0, 0
        for number, (_, planned) in enumerate(plans(desk, find_spots(root), project.root / "published", Foresight())):
            empty += isinstance(planned, SpotPlan) and planned.empty
            at_first = at_first or (memory_kb() if number >= 100 else 0)
        yield time.perf_counter() - began, (memory_kb() - at_first) / 1000 if at_first else 0.0, empty


def memory_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spots", type=int, default=1000)
    parser.add_argument("--run", action="store_true", help="one run in the project that is there; for this script")
    options = parser.parse_args()
    if options.run:
        from clearspot.project import find_project

        one_run(find_project())
        return
    with bench_project() as project:
        cold_s = run()
        store_s = json.loads((project.root / "store-seconds.json").read_text(encoding="utf-8"))
        nothing_s = min(run() for _ in range(3))
        change_a_line(project)
        line_s = run()
        desk = open_desk(project, open_studio(project))
        big = big_spot(project)
        big_s = max(plan_seconds(desk, big) for _ in range(3))
        root = many_spots(project, desk, options.spots)
        (first_s, _, _), (again_s, grown_mb, empty) = plans_seconds(project, desk, root)
    print(f"cold run {cold_s:.1f} s, nothing changed {nothing_s:.2f} s, one line of one locale {line_s:.1f} s")
    print(f"{options.spots} plans: {first_s:.1f} s at first, {again_s:.1f} s when files are known; {empty} are empty")
    bars = {
        f"nothing changed: {nothing_s:.2f} s, at most {NOTHING_BAR_S}": nothing_s <= NOTHING_BAR_S,
        f"nothing changed: {nothing_s / cold_s:.1%} of the cold run, at most {NOTHING_BAR:.0%}": nothing_s
        <= NOTHING_BAR * cold_s,
        f"one line changed: {line_s / cold_s:.1%} of the cold run, at most {LINE_BAR:.0%}": line_s <= LINE_BAR * cold_s,
        f"store: {store_s / cold_s:.1%} of the cold run, at most {STORE_BAR:.0%}": store_s <= STORE_BAR * cold_s,
        f"plan of {LINES} lines x {len(LOCALES)} locales: {big_s:.2f} s, at most {BIG_PLAN_BAR_S:g}": big_s
        <= BIG_PLAN_BAR_S,
        f"plans of {options.spots} spots: {first_s:.1f} s, at most {PLANS_BAR_S:g}": first_s <= PLANS_BAR_S,
        f"memory grew by {grown_mb:.1f} MB after the first hundred, at most {GROWTH_BAR_MB:g}": grown_mb
        <= GROWTH_BAR_MB,
        f"all {options.spots} plans are empty": empty == options.spots,
    }
    for bar, held in bars.items():
        print(f"{'ok  ' if held else 'OVER'} {bar}")
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
