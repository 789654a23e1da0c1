"""``clearspot models``: weights by name and digest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
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
    with _bars() as tell:
        weights = _weights(tell)
        for model_id in names or list(weights.models):
            if weights.on_disk(model_id):
                typer.echo(f"{model_id}: here already")
            else:
                typer.echo(f"{model_id}: fetched into {weights.fetch(model_id)}")


@app.command("add")
def add(  # noqa: PLR0913, PLR0917  (one option each, as people give them)
    model_id: Annotated[str, typer.Argument(metavar="ID", help="What the model is to be called.")],
    licence: Annotated[str, typer.Option(help="Its licence, in the publisher's words.")],
    hub: Annotated[str, typer.Option(metavar="OWNER/NAME", help="A repository of a model hub.")] = "",
    revision: Annotated[str, typer.Option(metavar="COMMIT", help="The commit there: 40 hexadecimal digits.")] = "",
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Another hub than huggingface_hub's own.")] = "",
    path: Annotated[str, typer.Option(metavar="FOLDER", help="Instead of a hub, a folder of this machine.")] = "",
    file: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A file of it; again for each. Those of a CTranslate2 Whisper if none is."),
    ] = None,
    commercial: Annotated[
        bool | None,
        typer.Option("--commercial/--non-commercial", help="Whether its licence allows commercial use; one is needed."),
    ] = None,
    title: Annotated[str, typer.Option(help="What it is, for people.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Fetch a model that is not named yet, pin what came, and write it into the project's models.yaml."""
    from clearspot.engines.adding import WHISPER_FILES, Wanted, add_model, source_of
    from clearspot.errors import BadInput
    from clearspot.project import find_project

    if commercial is None:
        raise BadInput(
            "should be one of --commercial and --non-commercial: whether its licence allows use in advertisements.",
            where="clearspot models add",
            remedy="Read the licence; nobody guesses it.",
        )
    project = find_project()
    source = source_of(hub, revision, endpoint, path, project)
    files = tuple((name,) for name in file) if file else WHISPER_FILES
    wanted = Wanted(title or hub or model_id, licence, commercial, source, files)
    with _bars() as tell:
        added = add_model(project, model_id, wanted, tell)
    if as_json:
        told = {"id": model_id, "added": added.is_new, "written": str(added.written), "folder": str(added.folder)}
        typer.echo(json.dumps(told | {"model": added.model.model_dump(mode="json")}))
        return
    for name, digest in added.model.files.items():
        typer.echo(f"{digest.sha256}  {digest.bytes:>13,}  {name}")
    typer.echo(
        f"{model_id}: {'added to' if added.is_new else 'is there already, with these files, in'} {added.written}"
    )
    typer.echo("Compare the digests with those that the publisher names: from now on nothing else is opened.")


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


@contextlib.contextmanager
def _bars() -> Iterator[Progress]:
    """A bar on the terminal for each model that is fetched; without an end where nobody knows how much will come."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {}

        def tell(model_id: str, got: int, total: int) -> None:
            if model_id not in tasks:
                tasks[model_id] = bars.add_task(model_id, total=total or None)
            bars.update(tasks[model_id], completed=got)

        yield tell


def _weights(tell: Progress | None = None) -> Weights:
    from clearspot.engines.weights import load_weights
    from clearspot.project import find_project

    return load_weights(find_project(), tell or (lambda *_: None))
