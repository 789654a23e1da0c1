"""``clearspot models``: weights by name and digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.engines.weights import Progress, Weights

app = typer.Typer(help="Weights by name and digest.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(help="Model ids; all if none is given.")]


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """List the models that are known: size, licence, whether they are on this machine."""
    weights = _weights()
    rows = {
        model_id: {
            "title": model.title,
            "licence": model.licence,
            "commercial": model.commercial,
            "bytes": model.size_bytes,
            "on_disk": weights.on_disk(model_id),
            "folder": str(weights.folder(model_id)),
        }
        for model_id, model in weights.models.items()
    }
    if as_json:
        typer.echo(json.dumps({"models": rows}))
        return
    for model_id, row in rows.items():
        here = "here" if row["on_disk"] else "not fetched"
        use = "commercial use" if row["commercial"] else "NON-COMMERCIAL"
        size = weights.models[model_id].size_bytes / 1e6
        typer.echo(f"{model_id:18} {size:6.0f} MB  {here:12} {use:15} {row['licence']}")


@app.command("fetch")
def fetch(names: Names = None) -> None:
    """Fetch models that are not on this machine yet."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {}

        def tell(model_id: str, got: int, total: int) -> None:
            if model_id not in tasks:
                tasks[model_id] = bars.add_task(model_id, total=total)
            bars.update(tasks[model_id], completed=got)

        weights = _weights(tell)
        for model_id in names or list(weights.models):
            if weights.on_disk(model_id):
                typer.echo(f"{model_id}: here already")
            else:
                typer.echo(f"{model_id}: fetched into {weights.fetch(model_id)}")


@app.command("verify")
def verify(names: Names = None) -> int:
    """Check every byte of the models on this machine against models.yaml."""
    from clearspot.errors import Refused

    weights = _weights()
    worst = 0
    for model_id in names or list(weights.models):
        try:
            typer.echo(f"{model_id}: {weights.verify(model_id)}")
        except Refused as refusal:
            typer.echo(f"{model_id}: WRONG: {refusal}")
            worst = refusal.exit_code
    return worst


def _weights(tell: Progress | None = None) -> Weights:
    from clearspot.engines.weights import load_weights
    from clearspot.project import find_project

    return load_weights(find_project(), tell or (lambda *_: None))
