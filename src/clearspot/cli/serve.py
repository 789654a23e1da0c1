"""``clearspot serve``: make again what changed, on a schedule."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.project import Project
    from clearspot.sweep import Result


def serve(
    once: Annotated[bool, typer.Option("--once", help="One sweep now, without Prefect; for cron.")] = False,
    port: Annotated[int, typer.Option(help="Where Prefect's page is shown.", min=1, max=65535)] = 4200,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: one JSON object on stdout.")] = False,
) -> int:
    """Look after every spot: what changed is made again, on the schedule in configs/clearspot.yaml."""
    from clearspot.project import find_project

    project = find_project()
    return _once(project, as_json=as_json) if once else _serve(project, port)


def _once(project: Project, *, as_json: bool) -> int:
    from clearspot.inline import run
    from clearspot.job import open_desk, open_studio
    from clearspot.sweep import find_spots, sweep
    from clearspot.work import Hands

    studio = open_studio(project)
    results = []
    try:
        for result in sweep(open_desk(project, studio), find_spots(project.sweep_root), project.sweep_out, Hands(run)):
            results.append(result)
            if not as_json:
                _tell(result)
    finally:
        studio.stop()
    code = max((result.exit_code for result in results), default=0)
    if as_json:
        typer.echo(json.dumps({"spots": [one.as_json() for one in results], "exit_code": code}, ensure_ascii=False))
    else:
        made = sum(result.state == "made" for result in results)
        typer.echo(
            f"{len(results)} spots, {made} made again, {sum(bool(one.exit_code) for one in results)} not in order"
        )
    return code


def _tell(result: Result) -> None:
    if result.state == "unchanged":
        return
    typer.echo(f"{result.folder}: {result.state}" + (f" ({'; '.join(result.why)})" if result.why else ""))
    for line in result.waiting:
        typer.echo(f"{result.folder}: waiting ({line})")
    for warning in result.warnings:
        typer.echo(f"clearspot: warning: {warning}", err=True)
    errors = [result.error, *(outcome.error for outcome in result.outcomes)]
    for problem in dict.fromkeys(str(error) for error in errors if error):
        typer.echo(f"clearspot: {problem}", err=True)


def _serve(project: Project, port: int) -> int:
    from clearspot_flows.quiet import settle
    from clearspot_flows.server import prefect_server, require_server, without_password

    from clearspot.errors import ClearspotError
    from clearspot.job import open_desk, open_studio

    desk = open_desk(project, open_studio(project))  # what is wrong with the project is told now, not at a sweep
    try:
        _ = desk.keys
    except ClearspotError as error:  # nothing can be made; what may not lie there any more is taken down all the same
        typer.echo(f"clearspot: warning: {error}", err=True)
    settle(project.prefect_dir)
    with contextlib.ExitStack() as stack:
        if not os.environ.get("PREFECT_API_URL"):
            os.environ["PREFECT_API_URL"] = stack.enter_context(prefect_server(project.prefect_dir, port))
        else:
            require_server(os.environ["PREFECT_API_URL"])
        typer.echo(f"runs are shown on {without_password(os.environ['PREFECT_API_URL']).removesuffix('/api')}")
        typer.echo(f"spots: {project.sweep_root}  out: {project.sweep_out}")
        from clearspot_flows.serving import serve as serve_flows

        serve_flows(project, typer.echo)
    return 0
