"""The rerender flow: a sweep over many spots; each spot that changed is a localize flow of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clearspot_flows.localize import hands_of
from clearspot_flows.notify import tell
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from clearspot.job import open_desk, open_studio
from clearspot.locks import UnderWay, sweep_lock
from clearspot.project import Project, find_project, project_at
from clearspot.sweep import Result, find_spots, own_schedule, sweep


@flow(name="rerender", persist_result=False, on_failure=[tell])
def rerender(root: str, out: str, spots: list[str] | None = None, project: str = "", notify: str = "") -> State[str]:
    """Make again what changed below ``root``: in the spots named, or in all that have no schedule of their own.

    ``notify`` names the notification block that is told when the sweep is not in order, where ``project`` does not:
    that its settings cannot be read is one of the things that are told.
    """
    place = project_at(Path(project)) if project else find_project(Path(root))
    try:
        with sweep_lock(place, spots or ()):
            return _rerender(place, root, out, spots)
    except UnderWay:
        return Completed(message="the sweep before is still under way")


def _rerender(project: Project, root: str, out: str, spots: list[str] | None) -> State[str]:
    folders = map(Path, spots) if spots else (each for each in find_spots(Path(root)) if own_schedule(each) is None)
    studio = open_studio(project)
    try:
        with hands_of(project) as hands:
            results = list(sweep(open_desk(project, studio), folders, Path(out), hands))
    finally:
        studio.stop()
    _report(results)
    wrong = [result for result in results if result.exit_code]
    if wrong:
        return Failed(message=f"not in order: {', '.join(result.folder.name for result in wrong)}")
    made = sum(result.state == "made" for result in results)
    return Completed(message=f"{len(results)} spots, {made} made again")


def _report(results: Sequence[Result]) -> None:
    """What became of each spot that was not as it should be, as an artifact on the flow run's page."""
    create_table_artifact(
        key="sweep",
        table=[
            {
                "spot": result.folder.name,
                "state": result.state,
                "because": "; ".join(result.why),
                "error": str(result.error or "; ".join(str(one.error) for one in result.outcomes if one.error)),
                "waiting": "; ".join(result.waiting),
                "warnings": "; ".join(map(str, result.warnings)),
            }
            for result in results
            if result.state != "unchanged"
        ],
        description=f"{len(results)} spots were looked at",
    )
