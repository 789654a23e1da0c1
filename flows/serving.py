"""The scheduler: deployments from ``schedule:`` in the project and in its spots, and a runner that runs them."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from clearspot_flows.rerender import rerender
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from clearspot.errors import ClearspotError
from clearspot.project import Project, find_project
from clearspot.schedule import Schedule
from clearspot.sweep import find_spots, own_schedule

SWEEP = "sweep"
AT_ONCE = 2
"""Flow runs side by side: a sweep, and a spot that has a schedule of its own. Each uses every core."""

LOOK_S = 10.0
"""How often schedules are read again."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as the files ask for it: its name, when, and the spots it is for (none: all without their own)."""

    name: str
    schedule: Schedule
    spots: tuple[str, ...] = ()


def wanted_of(project: Project) -> dict[str, Wanted]:
    """Every deployment that a project asks for, by name.

    Raises:
        BadInput: There is no folder of spots.
    """
    found = {SWEEP: Wanted(SWEEP, project.settings.schedule)}
    root = project.sweep_root
    for folder in find_spots(root):
        if schedule := own_schedule(folder):
            name = "spot-" + "-".join(folder.relative_to(root).parts or (folder.name,))
            found[name] = Wanted(name, schedule, (str(folder),))
    return found


def serve(project: Project, say: Say) -> None:
    """Keep the deployments as the files ask for, and run what is due, until told to stop (SIGTERM, Ctrl-C).

    Raises:
        BadInput: There is no folder of spots.
    """
    first = wanted_of(project)
    anyio.run(_serve, project, first, say)


async def _serve(project: Project, first: dict[str, Wanted], say: Say) -> None:
    runner = Runner(name="clearspot", pause_on_shutdown=False, limit=AT_ONCE, query_seconds=2)
    known: dict[str, Wanted] = {}
    ids: dict[str, Any] = {}
    await _follow(runner, project, first, known, ids, say)
    async with anyio.create_task_group() as group:
        group.start_soon(_keep_following, runner, project, known, ids, say)
        group.start_soon(_look_at_once, ids[SWEEP])
        group.start_soon(_stop_when_told, runner, say)
        await runner.start()
        group.cancel_scope.cancel()


async def _keep_following(
    runner: Runner, project: Project, known: dict[str, Wanted], ids: dict[str, Any], say: Say
) -> None:
    while True:
        await anyio.sleep(LOOK_S)
        try:
            now = find_project(project.root)
            await _follow(runner, now, wanted_of(now), known, ids, say)
        except ClearspotError as error:  # a file that somebody is writing just now: what held before holds on
            say(f"schedules stay as they are: {error}")


async def _follow(
    runner: Runner,
    project: Project,
    wanted: dict[str, Wanted],
    known: dict[str, Wanted],
    ids: dict[str, Any],
    say: Say,
) -> None:
    """Make the deployments what is wanted."""
    for name, one in wanted.items():
        if known.get(name) != one:
            deployment = await rerender.ato_deployment(
                name,
                schedule=_schedule(one.schedule),
                parameters={
                    "root": str(project.sweep_root),
                    "out": str(project.sweep_out),
                    "spots": list(one.spots) or None,
                },
                concurrency_limit=ConcurrencyLimitConfig(
                    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
                ),
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            ids[name] = await runner.aadd_deployment(deployment)
            known[name] = one
            say(f"{name}: {one.schedule}")
    for name in known.keys() - wanted.keys():
        async with get_client() as client:
            with contextlib.suppress(ObjectNotFound):
                await client.delete_deployment(ids.pop(name))
        del known[name]
        say(f"{name}: no schedule of its own any more")


def _schedule(schedule: Schedule) -> Any:
    if schedule.cron:
        return Cron(schedule.cron, timezone=schedule.timezone)
    return Interval(dt.timedelta(seconds=schedule.interval_s or 0), timezone=schedule.timezone)


async def _look_at_once(deployment_id: Any) -> None:
    """The first sweep need not wait for its time: something may have changed while nobody looked."""
    async with get_client() as client:
        await client.create_flow_run_from_deployment(deployment_id)


async def _stop_when_told(runner: Runner, say: Say) -> None:
    while not runner.started:
        await anyio.sleep(0.05)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            say("stopping")
            await runner.astop()
            return
