"""One run of one spot: plan, make what the plan asks for, keep the rest, and write down what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clearspot.delivery import Outcome, conclude, refuse_deliverable
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.files import sweep_partials
from clearspot.gate.receipt import ENDING, read_receipt
from clearspot.gate.rules import Finding
from clearspot.job import Job, require_ready
from clearspot.leave import Foresight
from clearspot.locks import spot_lock
from clearspot.plan import Deliverable, SpotPlan, plan_spot
from clearspot.publish import REFUSAL, RUN_FILE, place_of
from clearspot.published import path_of
from clearspot.report.write import REPORT
from clearspot.spot import SPOT_FILE, SpotFile
from clearspot.takedown import take_down
from clearspot.yamlfile import load_model

Runner = Callable[[Job], list[Outcome]]
"""Makes everything in a job's ``todo``: with Prefect or without."""

MOST_SPOTS = 64
"""So many spots are under way at most, whoever works for them: each has a flow and a lock here."""

ROOM_S = 600.0
"""So often at most a process looks whether the store is within its limit."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What makes deliverables, and how many spots it should be given at once."""

    run: Runner
    spots: int = 1


def spots_at_once(workers: int) -> int:
    """How many spots keep so many workers busy: one each, also while one is concluded and the next is planned."""
    return min(workers + 1, MOST_SPOTS)


def everything(planned: Deliverable) -> bool:
    """What a run that somebody asked for makes: all that is not kept, also what was refused before."""
    return planned.state != "kept"


def news(planned: Deliverable) -> bool:
    """What a sweep makes: what was not said before."""
    return planned.pending


def produce(
    job: Job,
    runner: Runner,
    wanted: Callable[[Deliverable], bool] = everything,
    expect: Callable[[Job], None] = lambda _: None,
) -> list[Outcome]:
    """Bring a spot's deliverables to where they should be. One that fails does not stop the others.

    Args:
        job: What is asked for.
        runner: Makes what is not kept.
        wanted: Which of what is not kept is to be made.
        expect: Is told what will be made before it begins.

    Returns:
        What became of each deliverable that was kept or made, in the spot's order.

    Raises:
        ClearspotError: Nothing could be begun; ``UnderWay`` where another process makes this spot.
    """
    with spot_lock(job.project, job.home):
        for folder in (job.home, job.project.audit_dir):
            sweep_partials(folder)
        _require_own_home(job)
        plan = plan_spot(job, Foresight())
        kept = {(one.locale, one.profile): _kept(job, one) for one in plan.deliverables if one.state == "kept"}
        job.warnings.extend(_orphans_taken_down(job))
        left = left_to_do(job, plan, wanted)
        expect(left)
        made = {(one.locale, one.profile): one for one in _taken_back(left, plan, wanted)}
        left = left_to_do(job, plan, lambda one: wanted(one) and (one.locale, one.profile) not in made)
        if left.todo:
            job.studio.go_on()
            require_ready(left)
            made |= {(one.locale, one.profile): one for one in runner(left)}
        done = kept | made
        order = [(locale, profile) for locale, profiles in job.todo.items() for profile in profiles]
        outcomes = [done[each] for each in order if each in done]
        if made or _is_stale(job.home / REPORT):
            conclude(job, [_ended(one, done.get((one.locale, one.profile))) for one in plan.deliverables])
        if made:
            _make_room(job)
        return outcomes


def _ended(planned: Deliverable, outcome: Outcome | None) -> tuple[str, str, str, ClearspotError | None]:
    """What the run's record says of a deliverable, also of one that nobody wanted now."""
    if outcome:
        return planned.locale, planned.profile, outcome.verdict, outcome.error
    return planned.locale, planned.profile, "waiting" if planned.waits else Refused.kind, planned.refusal


def _taken_back(job: Job, plan: SpotPlan, wanted: Callable[[Deliverable], bool]) -> Iterator[Outcome]:
    """Take away at once what may not lie there any more: whatever else is wrong must not keep it there."""
    for one in plan.deliverables:
        if one.refusal and not one.waits and one.published.media and wanted(one):
            yield refuse_deliverable(job, one.locale, one.profile, one.refusal)


def _orphans_taken_down(job: Job) -> list[ClearspotError]:
    """Withdraw what lies in the spot's folder with a revoked consent and is none of what this run is about."""
    home = job.home.resolve()
    own = {home / locale / job.name(locale, profile) for locale, profiles in job.todo.items() for profile in profiles}

    def held(_: Path) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # by this run itself

    def is_orphan(path: Path) -> bool:
        return path.with_suffix("") not in own

    told: list[ClearspotError] = []
    try:
        for one in take_down(job.authority, job.desk.voices.values(), job.home, held, is_orphan):
            told.extend(one.told)
    except ClearspotError as error:  # what was taken down before it is told all the same
        told.append(error)
    return told


def _require_own_home(job: Job) -> None:
    """That what lies in the spot's folder in ``OUT`` is this spot's, and not that of another with the same id.

    A spot's folder may be renamed: the other one counts while it is there and still has the id.

    Raises:
        BadInput: It is another's.
    """
    try:
        place = str(read_receipt(job.home / RUN_FILE).get("folder") or place_of(job))
        if place == place_of(job):
            return
        other = load_model(SpotFile, job.project.root / place / SPOT_FILE).id
    except ClearspotError:
        return  # no run yet, or no such spot any more
    if other == job.spot.id:
        raise BadInput(
            f"two spots are called {other!r}: this one and {place}, whose deliverables lie there already.",
            where=f"{job.spot.folder / SPOT_FILE}: id",
            remedy="Give one of them another id, or name another --out.",
        )


def _is_stale(report: Path) -> bool:
    """Whether a run wrote receipts or refusals after the report, and died before it could write that."""
    if not report.is_file():
        return True
    told = report.stat().st_mtime
    written = (path for ending in (ENDING, REFUSAL) for path in report.parent.glob(f"*/*{ending}"))
    return any(path.stat().st_mtime > told for path in written)


def left_to_do(job: Job, plan: SpotPlan, wanted: Callable[[Deliverable], bool]) -> Job:
    """A job with what is wanted of a plan as its ``todo``."""
    todo: dict[str, tuple[str, ...]] = {}
    for one in plan.deliverables:
        if one.state != "kept" and wanted(one):
            todo[one.locale] = (*todo.get(one.locale, ()), one.profile)
    return replace(
        job,
        todo=todo,
        speaks=plan.speaks,
        known={(one.locale, one.profile): one.made_from for one in plan.deliverables},
        blocks={one.locale: one.why for one in plan.deliverables if one.state == "blocked"},
    )


def _kept(job: Job, planned: Deliverable) -> Outcome:
    receipt = planned.published.receipt
    return Outcome(
        planned.locale,
        planned.profile,
        path_of(job, planned.locale, receipt),
        str(receipt["essence_sha256"]),
        tuple(Finding(**finding) for finding in receipt["findings"]),
        kept=True,
    )


def _make_room(job: Job) -> None:
    """Keep the store within its limit. What fails here fails no deliverable.

    All of it is read for that: one process does it every now and then, and not after each of a thousand spots.
    """
    now = time.monotonic()
    if job.desk.store.swept_at + ROOM_S > now:
        return
    job.desk.store.swept_at = now
    try:
        job.desk.store.sweep()
    except MachineFault as error:
        job.warnings.append(error)
