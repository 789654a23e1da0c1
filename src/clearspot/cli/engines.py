"""``clearspot engines``: what speaks, listens and translates, and whether it does so as it should."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

app = typer.Typer(help="Engines: what speaks, listens and translates.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_engines(as_json: Json = False) -> None:
    """List every engine that is installed, shipped or brought by another package, and whether it can be used."""
    from clearspot.project import find_project
    from clearspot.trial import list_engines as every_engine

    found = every_engine(find_project())
    if as_json:
        typer.echo(json.dumps({"engines": [dataclasses.asdict(one) for one in found]}))
        return
    widest = max(len(one.package) for one in found)
    for one in found:
        state = one.version or f"not usable: {one.problem}"
        typer.echo(f"{one.kind:12} {one.name:16} {one.package:{widest}}  {state}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="The engine's name.")],
    voice: Annotated[str, typer.Option(help="The voice that it speaks with, or listens to.")] = "",
    locale: Annotated[str, typer.Option(help="What is spoken; else what the voice's consent names first.")] = "",
    as_json: Json = False,
) -> int:
    """Hold an engine to what every engine has to do. A voice is asked for leave, and that is logged."""
    from rich.console import Console
    from rich.table import Table

    from clearspot.errors import Refused
    from clearspot.project import find_project
    from clearspot.trial import check_engine

    found = check_engine(find_project(), name, voice, locale)
    failed = any(one.verdict == "fail" for checks in found.values() for one in checks)
    code = Refused.exit_code if failed else 0
    if as_json:
        rows = [{"kind": kind, **dataclasses.asdict(one)} for kind, checks in found.items() for one in checks]
        typer.echo(json.dumps({"engine": name, "exit_code": code, "checks": rows}, ensure_ascii=False))
        return code
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000
    for kind, checks in found.items():
        table = Table("check", "verdict", "found", title=f"{name}: {kind}", box=None, title_justify="left")
        for one in checks:
            table.add_row(one.name, one.verdict, one.found)
        console.print(table)
    return code
