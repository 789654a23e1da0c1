"""The scheduler: deployments from ``schedule:`` in the project and in its spots, and a runner that runs them."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from clearspot_flows.notify import what_is_wrong
from clearspot_flows.rerender import rerender
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.schedules import Cron, Interval
from prefect.types.entrypoint import EntrypointType

from clearspot.delivery import as_error
from clearspot.errors import ClearspotError
from clearspot.hashing import sha256_bytes
from clearspot.project import Project, project_at
from clearspot.schedule import Schedule
from clearspot.spot import SPOT_FILE, SpotFile
from clearspot.sweep import find_spots
from clearspot.yamlfile import load_model

SWEEP = "sweep"
AT_ONCE = 2
"""Flow runs side by side: a sweep, and a spot that has a schedule of its own. Each uses every core."""

LOOK_S = 10.0
"""How often schedules are read again."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as the files ask for it: when, where, and for which spots (none: all without their own schedule).

    ``notify`` is the block that is told when they are not in order (empty: nobody is). The deployment's full name holds
    the project's digest: several projects may share a server, and each makes its own spots.
    """

    name: str
    schedule: Schedule
    root: str
    out: str
    spots: tuple[str, ...] = ()
    notify: str = ""


def wanted_of(project: Project, known: Mapping[str, Wanted] | None = None) -> dict[str, Wanted]:
    """Every deployment that a project asks for, by name.

    Args:
        project: As it is now.
        known: What it asked for before: what holds for a spot whose file cannot be read just now.

    Raises:
        BadInput: There is no folder of spots.
    """
    root, out, notify = project.sweep_root, project.sweep_out, project.settings.notify
    found = {SWEEP: Wanted(SWEEP, project.settings.schedule, str(root), str(out), notify=notify)}
    for folder in find_spots(root):
        place = folder.relative_to(root).as_posix()
        name = f"spot-{re.sub('[^A-Za-z0-9]+', '-', place).strip('-')}-{sha256_bytes(place.encode())[:6]}"
        try:
            schedule = load_model(SpotFile, folder / SPOT_FILE).schedule
        except ClearspotError:
            found |= {name: known[name]} if known and name in known else {}
            continue
        if schedule:
            found[name] = Wanted(name, schedule, str(root), str(out), (str(folder),), notify)
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
    await _forget_others(project, first)
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
            now = project_at(project.root)
            await _follow(runner, now, wanted_of(now, known), known, ids, say)
        except Exception as error:  # noqa: BLE001  (a file that is being written, a server that is away: tried again)
            say(f"schedules stay as they are: {as_error(error, 'serve')}")


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
                _deployment(name, project),
                schedule=_schedule(one.schedule),
                parameters={
                    "root": one.root,
                    "out": one.out,
                    "spots": list(one.spots) or None,
                    "project": str(project.root),
                    "notify": one.notify,
                },
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            ids[name] = await runner.aadd_deployment(deployment)
            known[name] = one
            say(f"{name}: {one.schedule}" + (f", tells {one.notify}" if one.notify else ""))
            if wrong := await what_is_wrong(one.notify):
                say(f"clearspot: warning: nobody will be told what is not in order: {wrong}")
    for name in known.keys() - wanted.keys():
        async with get_client() as client:
            with contextlib.suppress(ObjectNotFound):
                await client.delete_deployment(ids.pop(name))
        del known[name]
        say(f"{name}: no schedule of its own any more")


async def _forget_others(project: Project, wanted: dict[str, Wanted]) -> None:
    """Delete what is left on the server of spots that went, or lost their schedule, while nobody looked."""
    names = {_deployment(name, project) for name in wanted}
    async with get_client() as client:
        mine = DeploymentFilter(name=DeploymentFilterName(like_=_deployment("", project)))
        while left := [one for one in await client.read_deployments(deployment_filter=mine) if one.name not in names]:
            for one in left:
                with contextlib.suppress(ObjectNotFound):
                    await client.delete_deployment(one.id)


def _deployment(name: str, project: Project) -> str:
    """The full name of a deployment: several projects may share a server."""
    return f"{name}-{sha256_bytes(str(project.root).encode())[:8]}"


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
