"""``clearspot approve``: sign off words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Sign off words: who, when, over which digest.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who signs off.")]
SpotFolder = Annotated[Path, typer.Argument(help="The spot's folder.")]


@app.command("script")
def script(spot: SpotFolder, by: By) -> None:
    """Sign off the script as it is now."""
    from clearspot.approvals import approve_script
    from clearspot.spot import load_spot

    loaded = load_spot(spot)
    approve_script(loaded, by, dt.datetime.now(dt.UTC))
    for line_id, text in loaded.script.lines.items():
        typer.echo(f"approved  {line_id}: {text}")


@app.command("translation")
def translation(
    spot: SpotFolder,
    locale: Annotated[str, typer.Option(help="The translation's locale.")],
    by: By,
    line: Annotated[list[str] | None, typer.Option(help="Only this line (repeatable).")] = None,
) -> None:
    """Sign off the lines of one locale as they are now."""
    from clearspot.approvals import approve_translation
    from clearspot.spot import load_spot

    loaded = load_spot(spot)
    approve_translation(loaded, locale, by, dt.datetime.now(dt.UTC), line or ())
    lines = loaded.translations[locale].lines
    for line_id in line or loaded.script.lines:
        typer.echo(f"approved  {locale} {line_id}: {lines[line_id]}")
