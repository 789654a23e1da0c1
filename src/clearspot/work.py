"""One run of one spot: plan, make what the plan asks for, keep the rest, and write down what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clearspot.delivery import Outcome, conclude, refuse_deliverable
from clearspot.errors import MachineFault
from clearspot.files import sweep_partials
from clearspot.gate.receipt import ENDING
from clearspot.gate.rules import Finding
from clearspot.job import Job, require_ready
from clearspot.leave import Foresight
from clearspot.locks import spot_lock
from clearspot.plan import Deliverable, SpotPlan, plan_spot
from clearspot.publish import REFUSAL
from clearspot.published import path_of
from clearspot.report.write import REPORT

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
        plan = plan_spot(job, Foresight())
        kept = {(one.locale, one.profile): _kept(job, one) for one in plan.deliverables if one.state == "kept"}
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
            conclude(job, outcomes)
        if made:
            _make_room(job)
        return outcomes


def _taken_back(job: Job, plan: SpotPlan, wanted: Callable[[Deliverable], bool]) -> Iterator[Outcome]:
    """Take away at once what may not lie there any more: whatever else is wrong must not keep it there."""
    for one in plan.deliverables:
        if one.refusal and not one.waits and one.published.media and wanted(one):
            yield refuse_deliverable(job, one.locale, one.profile, one.refusal)


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
