"""``clearspot plan``: what would be made again, and why; runs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from clearspot.plan import SpotPlan, Step

STAGES = ("translate", "authorize", "speak", "fit", "mix", "encode", "sign", "gate", "export")


def plan(
    spot: Annotated[Path, typer.Argument(help="The spot's folder.")],
    locale: Annotated[list[str] | None, typer.Option(help="Only this locale (repeatable).")] = None,
    profile: Annotated[list[str] | None, typer.Option(help="Only this delivery profile (repeatable).")] = None,
    out: Annotated[Path, typer.Option(help="Where deliverables go.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what `clearspot run` would make again, stage by stage, and why. Runs nothing."""
    from rich.console import Console

    from clearspot.digests import digest_book
    from clearspot.job import Asked, open_desk, open_job, open_studio
    from clearspot.leave import Foresight
    from clearspot.plan import plan_spot
    from clearspot.project import find_project

    project = find_project(spot)
    asked = Asked(spot, tuple(locale or ()), tuple(profile or ()), out)
    with digest_book(project.digests_path) as book:
        job = open_job(asked, open_desk(project, open_studio(project)), lambda _: None, book.sha256)
        planned = plan_spot(job, Foresight(), book.sha256)
    for warning in job.warnings:
        typer.echo(f"clearspot: warning: {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(planned.as_json(), ensure_ascii=False))
        return
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000
    _show(console, planned)


def _show(console: Console, planned: SpotPlan) -> None:
    kept = [one for one in planned.deliverables if one.state == "kept"]
    console.print(f"{planned.spot}: {len(kept)} of {len(planned.deliverables)} deliverables are kept")
    if any(step.state == "again" for step in planned.steps):
        console.print()
        _stages(console, planned.steps, ("transcribe", "align"))
    for locale, steps in planned.locales.items():
        mine = [one for one in planned.deliverables if one.locale == locale]
        console.print()
        for state in ("kept", "again", "blocked", "refused"):
            names = [one.profile for one in mine if one.state == state]
            if names:
                console.print(f"{locale}  {state}: {', '.join(names)}")
        for why in dict.fromkeys(why for one in mine for why in one.why):
            console.print(f"    {why}")
        if any(one.state != "kept" for one in mine):
            _stages(console, steps, STAGES)


def _stages(console: Console, steps: tuple[Step, ...], stages: tuple[str, ...]) -> None:
    """A row a stage: how much of it is kept, what is made again, and why."""
    for stage in stages:
        mine = [step for step in steps if step.stage == stage]
        again = [step for step in mine if step.state == "again"]
        if not mine:
            continue
        if not again:
            console.print(f"  {stage:10} kept")
            continue
        of = ", ".join(step.of for step in again if step.of)
        why = "; ".join(dict.fromkeys(why for step in again for why in step.why))
        left = f" ({len(mine) - len(again)} kept)" if len(mine) > len(again) else ""
        console.print(f"  {stage:10} again{left}{f' {of}' if of else ''}: {why}")
