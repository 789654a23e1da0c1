"""``clearspot audit``: what was granted, refused, approved, exported and revoked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The audit log of consent and exports.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("verify")
def verify(
    receipt: Annotated[
        list[Path] | None, typer.Option(help="A receipt whose export must stand in the log (repeatable).")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check every entry of the log: nothing removed, changed, added or reordered, and the head signed."""
    from clearspot.consent.authority import reading_authority
    from clearspot.errors import Refused
    from clearspot.gate.receipt import not_in_log, read_receipt
    from clearspot.project import find_project

    authority = reading_authority(find_project())
    log = authority.log
    count, problems = log.inspect()
    if receipt and not problems:
        entries = {entry.n: position.sha256 for position, entry in log.read()}
        told = ((path, not_in_log(read_receipt(path), entries, authority.project_keys)) for path in receipt)
        problems = tuple(f"{path}: {problem}" for path, problem in told if problem)
    if as_json:
        typer.echo(json.dumps({"log": str(log.path), "entries": count, "problems": problems}))
    else:
        for problem in problems:
            typer.echo(f"clearspot: {log.path}: {problem}", err=True)
        typer.echo(f"{log.path}: {count} entries, {'NOT in order' if problems else 'all in order'}")
    return Refused.exit_code if problems else 0


@app.command("show")
def show(
    voice: Annotated[str, typer.Option(help="Only entries about this voice.")] = "",
    event: Annotated[str, typer.Option(help="Only this kind: grant, refusal, export ...")] = "",
    last: Annotated[int, typer.Option(help="Only so many, the newest.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Show the newest entries of the log."""
    from collections import deque

    from clearspot.consent.authority import reading_authority
    from clearspot.project import find_project

    log = reading_authority(find_project()).log
    wanted = (
        entry
        for _, entry in log.read()
        if (not event or entry.event == event) and (not voice or _voice_of(entry.data) == voice)
    )
    newest = deque(wanted, maxlen=last)
    if as_json:
        typer.echo(json.dumps({"entries": [entry.model_dump(mode="json") for entry in newest]}))
        return
    for entry in newest:
        data = {**entry.data, **entry.data.get("revocation", {})}
        data = {name: value for name, value in data.items() if not name.endswith("_sha256")}
        told = ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int) and value)
        typer.echo(f"{entry.n:6} {entry.at[:19]}Z  {entry.event:10} {told}")


def _voice_of(data: dict[str, object]) -> object:
    revocation = data.get("revocation")
    return revocation.get("voice") if isinstance(revocation, dict) else data.get("voice")
