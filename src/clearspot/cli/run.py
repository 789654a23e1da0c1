"""``clearspot run``: make what a spot orders, or every spot below a folder."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.delivery import Outcome
    from clearspot.job import Job
    from clearspot.project import Project
    from clearspot.work import Hands


class Runner(enum.StrEnum):
    """With Prefect or without; the essence is the same."""

    PREFECT = "prefect"
    INLINE = "inline"


def run(
    spot: Annotated[Path, typer.Argument(help="The spot's folder, or a folder of many spots.")],
    locale: Annotated[list[str] | None, typer.Option(help="Only this locale (repeatable).")] = None,
    profile: Annotated[list[str] | None, typer.Option(help="Only this delivery profile (repeatable).")] = None,
    out: Annotated[Path, typer.Option(help="Where deliverables go.")] = Path("out"),
    runner: Annotated[Runner, typer.Option(help="What runs the stages.")] = Runner.PREFECT,
    max_failures: Annotated[
        int | None, typer.Option(help="Of many spots: begin no further one after so many failed.", min=1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Turn a spot's recording into finished, disclosed, cleared files in its locales."""
    from clearspot.cli import show
    from clearspot.errors import BadInput
    from clearspot.job import Asked, open_desk, open_job, open_studio
    from clearspot.project import find_project
    from clearspot.work import produce

    project = find_project(spot)
    if _holds_spots(spot):
        from clearspot.cli.batch import run_batch

        if locale or profile:
            raise BadInput("is for one spot.", where="--locale, --profile", remedy=f"Name a spot below {spot}.")
        with hands_of(runner, project) as hands:
            return run_batch(project, spot, out, hands, max_failures=max_failures, as_json=as_json)
    asked = Asked(spot, tuple(locale or ()), tuple(profile or ()), out)
    with show.live(quiet=as_json) as screen:
        studio = open_studio(project, screen.fetching)
        job = open_job(asked, open_desk(project, studio), screen.tell)
        try:
            with hands_of(runner, project) as hands:
                outcomes = produce(job, hands.run, expect=screen.expect)
        finally:
            studio.stop()
    show.outcomes(job, outcomes, as_json=as_json)
    return max((outcome.exit_code for outcome in outcomes), default=0)


def _holds_spots(folder: Path) -> bool:
    """Whether a folder is no spot itself, and there are spots below it."""
    from clearspot.spot import SPOT_FILE
    from clearspot.sweep import find_spots

    return folder.is_dir() and not (folder / SPOT_FILE).exists() and any(find_spots(folder))


@contextlib.contextmanager
def hands_of(name: Runner, project: Project) -> Iterator[Hands]:
    """What makes deliverables; Prefect is imported when there is something to make, and not before."""
    from clearspot import inline
    from clearspot.pipeline import warm_up
    from clearspot.work import Hands, spots_at_once

    machines, lock, last = project.settings.machines, threading.Lock(), contextlib.ExitStack()
    opened: list[Hands] = []

    def prefect(job: Job) -> list[Outcome]:
        if machines.runner == "threads":
            warm_up(job)
        with lock:
            if not opened:
                from clearspot_flows.quiet import settle

                settle(project.prefect_dir)
                from clearspot_flows.localize import hands_of as hands_of_project

                opened.append(last.enter_context(hands_of_project(project)))
        made: list[Outcome] = opened[0].run(job)
        return made

    with last:
        if name is Runner.INLINE:
            yield Hands(inline.run)
        else:
            many = machines.runner != "threads"
            yield Hands(prefect, spots_at_once(machines.processes) if many else 1)
