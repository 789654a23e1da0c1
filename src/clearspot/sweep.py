"""A sweep: look at many spots, make what changed in each, and let none that is bad stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, cast

from clearspot.delivery import Outcome, as_error
from clearspot.digests import digest_book
from clearspot.errors import BadInput, ClearspotError
from clearspot.job import Asked, Desk, Job, open_job
from clearspot.leave import Foresight
from clearspot.locks import UnderWay, spot_lock
from clearspot.plan import Deliverable, SpotPlan, plan_spot
from clearspot.progress import Event, Tell
from clearspot.schedule import Schedule
from clearspot.spot import SPOT_FILE, SpotFile
from clearspot.takedown import take_down
from clearspot.waiting import first_done
from clearspot.work import Hands, Runner, news, produce
from clearspot.yamlfile import load_model

State = Literal["unchanged", "waiting", "made", "not exported", "failed", "under way", "taken down"]
"""``waiting``: for a sign-off; what was approved before stays. ``not exported``: something of it was refused or failed.
``failed``: nothing of it could be begun. ``taken down``: something of it lay there still, and its consent was revoked;
the folder is then that of ``OUT``."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one spot. ``why`` is what its plan saw; ``error`` why nothing could be begun.

    ``warnings`` is what went wrong beside the deliverables; ``waiting`` what else of it waits for a sign-off.
    """

    folder: Path
    state: State
    why: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    error: ClearspotError | None = None
    warnings: tuple[ClearspotError, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.state == "under way":  # somebody else tells what comes of it
            return 0
        codes = [outcome.exit_code for outcome in self.outcomes]
        return max([*codes, self.error.exit_code if self.error else 0])

    def as_json(self) -> dict[str, Any]:
        """The result for machines."""
        return {
            "spot": str(self.folder),
            "state": self.state,
            "why": list(self.why),
            "deliverables": [
                {
                    "locale": one.locale,
                    "profile": one.profile,
                    "verdict": one.verdict,
                    "path": str(one.path) if one.path else None,
                    "error": one.error.as_json() if one.error else None,
                }
                for one in self.outcomes
            ],
            "error": self.error.as_json() if self.error else None,
            "waiting": list(self.waiting),
            "warnings": [warning.as_json() for warning in self.warnings],
        }


def find_spots(root: Path) -> Iterator[Path]:
    """Every folder with a ``spot.yaml`` below a root (or the root itself), in order; hidden folders are passed over.

    Raises:
        BadInput: There is no such folder.
    """
    if not root.is_dir():
        raise BadInput("there is no such folder.", where=str(root), remedy="Name the folder that holds the spots.")
    for folder, below, files in os.walk(root):
        if SPOT_FILE in files:
            below.clear()  # what is in a spot is the spot's
            yield Path(folder)
        below[:] = sorted(name for name in below if not name.startswith("."))


def own_schedule(folder: Path) -> Schedule | None:
    """The schedule that a spot has for itself; None where it goes with the project's, or cannot be read."""
    try:
        return load_model(SpotFile, folder / SPOT_FILE).schedule
    except ClearspotError:
        return None  # the sweep tells what is wrong with it


def plans(
    desk: Desk, folders: Iterable[Path], out: Path, foresight: Foresight
) -> Iterator[tuple[Path, SpotPlan | ClearspotError]]:
    """The plan of each spot, one at a time, or why it has none."""
    seen = dict[str, Path]()
    with digest_book(desk.project.digests_path) as book:
        for folder in folders:
            try:
                job = open_job(Asked(folder, out=out), desk, lambda _: None, book.sha256)
                _require_own_id(job.spot.id, folder, seen)
                yield folder, plan_spot(job, foresight, book.sha256)
            except Exception as error:  # noqa: BLE001  (one bad spot does not stop the others)
                yield folder, as_error(error, str(folder))


def _require_own_id(spot_id: str, folder: Path, seen: dict[str, Path]) -> None:
    if (first := seen.setdefault(spot_id, folder)) != folder:
        raise BadInput(
            f"two spots are called {spot_id!r}: this one and {first}.",
            where=f"{folder / SPOT_FILE}: id",
            remedy="Give one of them another id; their deliverables would be each other's.",
        )


def sweep(
    desk: Desk,
    folders: Iterable[Path],
    out: Path,
    hands: Hands,
    wanted: Callable[[Deliverable], bool] = news,
    watch: Callable[[Path], Tell] = lambda _: _nobody,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[Result]:
    """Make what changed in each spot, as many spots at once as there are hands for.

    Args:
        desk: What they share.
        folders: The spots.
        out: Where deliverables go.
        hands: Make what is not kept.
        wanted: Which of what is not kept is to be made.
        watch: Gives, for a spot, who is told of its stages.
        go_on: Whether a further spot is to be begun; those that are under way are ended.

    Yields:
        What became of each spot, as soon as it is known.
    """
    yield from _taken_down(desk, out)
    foresight = Foresight()

    def begin(folder: Path, planned: SpotPlan) -> Result:
        why = tuple(dict.fromkeys(told for one in planned.deliverables if wanted(one) for told in one.why))
        open_one = partial(open_job, Asked(folder, out=out), desk, watch(folder))
        result = _made(open_one, folder, why, hands.run, wanted)
        foresight.forget()  # that took its time
        return replace(result, warnings=(*planned.warnings, *result.warnings), waiting=_waits(planned))

    if hands.spots == 1:  # in this thread: no more threads than need be
        for folder, planned in plans(desk, takewhile(lambda _: go_on(), folders), out, foresight):
            yield _settled(folder, planned, wanted) or begin(folder, cast(SpotPlan, planned))
        return
    with ThreadPoolExecutor(hands.spots, "clearspot-spot") as pool:
        under_way: set[Future[Result]] = set()
        try:
            for folder, planned in plans(desk, takewhile(lambda _: go_on(), folders), out, foresight):
                if settled := _settled(folder, planned, wanted):
                    yield settled
                    continue
                under_way.add(pool.submit(begin, folder, cast(SpotPlan, planned)))
                while len(under_way) >= hands.spots:
                    done, under_way = first_done(under_way)
                    yield from (one.result() for one in done)
            while under_way:
                done, under_way = first_done(under_way)
                yield from (one.result() for one in done)
        except BaseException:
            desk.studio.close()  # first, so that the runs of all spots end
            raise


def _settled(folder: Path, planned: SpotPlan | ClearspotError, wanted: Callable[[Deliverable], bool]) -> Result | None:
    """What is known of a spot from its plan alone; None where there is something to be made."""
    if isinstance(planned, ClearspotError):
        return Result(folder, "failed", error=planned)
    if any(wanted(one) for one in planned.deliverables):
        return None
    waits = _waits(planned)
    return Result(folder, "waiting" if waits else "unchanged", waits, warnings=planned.warnings)


def _waits(planned: SpotPlan) -> tuple[str, ...]:
    """The lines that wait for a sign-off."""
    return tuple(dict.fromkeys(told for one in planned.deliverables if one.waits for told in one.why))


def _taken_down(desk: Desk, out: Path) -> Iterator[Result]:
    """First of all what may not lie there any more: its spot may be none of this sweep's, or not open any more."""
    try:
        for gone in take_down(desk.authority, desk.voices.values(), out, partial(spot_lock, desk.project)):
            reason, *trouble = gone.told
            yield Result(gone.path.parent.parent, "taken down", error=reason, warnings=tuple(trouble))
    except UnderWay as error:  # the next sweep takes it down
        yield Result(out, "under way", error=error)
    except ClearspotError as error:
        yield Result(out, "failed", error=error)


def _made(
    open_one: Callable[[], Job],
    folder: Path,
    why: tuple[str, ...],
    runner: Runner,
    wanted: Callable[[Deliverable], bool],
) -> Result:
    warnings: list[ClearspotError] = []
    try:
        job = open_one()
        warnings = job.warnings
        outcomes = tuple(produce(job, runner, wanted))
    except UnderWay as error:
        return Result(folder, "under way", why, error=error)
    except Exception as error:  # noqa: BLE001  (one bad spot does not stop the others)
        return Result(folder, "failed", why, error=as_error(error, str(folder)), warnings=tuple(warnings))
    made = all(outcome.error is None for outcome in outcomes)
    return Result(folder, "made" if made else "not exported", why, outcomes, warnings=tuple(warnings))


def _nobody(_: Event) -> None:
    """Is told, and says nothing."""
