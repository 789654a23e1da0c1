"""``clearspot store``: what stages gave before, and the room that it takes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="The store: what stages gave before.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show what the store holds, by stage, and how much room it takes."""
    from clearspot.job import open_store
    from clearspot.project import find_project

    found = open_store(find_project()).status()
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(f"{found.place}: {_megabytes(found.bytes)} of at most {_megabytes(found.limit_bytes)}")
    for stage, count in found.stages.items():
        typer.echo(f"  {stage:10} {count}")


@app.command("gc")
def collect(
    limit_gb: Annotated[float | None, typer.Option(help="Shrink it to this, instead of its own limit.", min=0)] = None,
    as_json: Json = False,
) -> None:
    """Take away what nothing points to, and what was not used for longest until the store is within its limit."""
    from clearspot.job import open_store
    from clearspot.project import find_project

    swept = open_store(find_project()).sweep(None if limit_gb is None else round(limit_gb * 1e9))
    if as_json:
        typer.echo(json.dumps(asdict(swept)))
        return
    typer.echo(f"taken away: {swept.count} files, {_megabytes(swept.bytes)}")


@app.command("verify")
def verify(as_json: Json = False) -> None:
    """Read every byte; what is damaged is taken away, and made again when it is needed."""
    from clearspot.job import open_store
    from clearspot.project import find_project

    checked = open_store(find_project()).verify()
    if as_json:
        typer.echo(json.dumps(asdict(checked)))
        return
    for name in checked.damaged:
        typer.echo(f"damaged, taken away: {name}")
    typer.echo(f"{checked.blobs} blobs, {checked.records} records, {len(checked.damaged)} damaged")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
