"""``clearspot policy``: what a spot must be, by which rules, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt

    from rich.console import Console

    from clearspot.gate.explain import LocaleRules

app = typer.Typer(help="The rules a spot runs under, and what they ask.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="As of this day, such as 2027-01-31; default: today.")]


@app.command("explain")
def explain(
    spot: Annotated[Path, typer.Argument(help="The folder that holds spot.yaml.")],
    locale: Annotated[list[str] | None, typer.Option(help="Only this locale (repeatable).")] = None,
    on: On = "",
    as_json: Json = False,
) -> None:
    """Print what each locale must be: what is required, by which policy, and why."""
    from clearspot.gate.explain import NOTICE
    from clearspot.gate.explain import as_json as rules_as_json
    from clearspot.gate.explain import explain as explain_spot
    from clearspot.gate.policy import load_policies
    from clearspot.project import find_project
    from clearspot.spot import chosen, load_spot

    today = _day(on)
    loaded = load_spot(spot)
    policies = load_policies(find_project(spot))
    locales = chosen(tuple(locale or ()), tuple(loaded.order.locales), "--locale", loaded)
    explained = explain_spot(policies, loaded, locales, today)
    if as_json:
        told = {one.locale: rules_as_json(one) for one in explained}
        about = {"spot": loaded.id, "on": today.isoformat(), "notice": NOTICE, "locales": told}
        typer.echo(json.dumps(about, ensure_ascii=False))
        return
    console = _console()
    for one in explained:
        _show(console, one)
    console.print(NOTICE, highlight=False)


@app.command("list")
def list_policies(on: On = "", as_json: Json = False) -> None:
    """List the policies: what selects them, since when they are in force, when they were checked, their file."""
    from rich.table import Table

    from clearspot.gate.explain import NOTICE, markets_of, state_of
    from clearspot.gate.policy import load_policies
    from clearspot.project import find_project

    today = _day(on)
    project = find_project()
    files = project.configs("policies")
    policies = load_policies(project)
    if as_json:
        told = [
            policy.model_dump(mode="json")
            | {"sha256": policy.digest, "in_force": policy.in_force(today), "file": str(files[name])}
            for name, policy in policies.items()
        ]
        typer.echo(json.dumps({"on": today.isoformat(), "notice": NOTICE, "policies": told}, ensure_ascii=False))
        return
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("policy", "markets", "state", "checked", "whose", "title"):
        table.add_column(heading, overflow="fold")
    for name, policy in policies.items():
        whose = "project's" if files[name].is_relative_to(project.root / "configs") else "shipped"
        table.add_row(name, markets_of(policy), state_of(policy, today), policy.checked, whose, policy.title)
    console.print(table)
    console.print(NOTICE, highlight=False)


def _show(console: Console, one: LocaleRules) -> None:
    from rich.table import Table

    from clearspot.gate.explain import rows

    required = one.required
    selected = [*required.policies, *(f"{coming.policy} from {coming.applies_from}" for coming in required.upcoming)]
    console.print(f"{one.locale} in {', '.join(one.markets)}: {', '.join(selected)}", highlight=False)
    if required.only_baseline:
        console.print(f"no policy but the baseline knows {', '.join(required.only_baseline)}", highlight=False)
    for conflict in required.conflicts:
        console.print(f"CANNOT BE MET: {conflict}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("required", "asked", "by", "why", "known from"):
        table.add_column(heading, overflow="fold", min_width=11, ratio=2 if heading == "why" else None)
    before = ""
    for row in rows(required):
        label, before = ("" if row.label == before else row.label), row.label
        table.add_row(label, row.asked, row.by, row.why, row.known_from)
    console.print(table)
    for policy, note in one.notes.items():
        console.print(f"{policy}: {note}", highlight=False)
    console.print()


def _console() -> Console:
    from rich.console import Console

    from clearspot.cli.show import WIDE

    console = Console(markup=False)
    if not console.is_terminal:
        console.width = WIDE  # a reason in a log or a pipe stays in one piece
    return console


def _day(on: str) -> dt.date:
    import datetime as dt

    from clearspot.errors import BadInput
    from clearspot.gate.policy import policy_day

    if not on:
        return policy_day(dt.datetime.now(dt.UTC))
    try:
        return dt.date.fromisoformat(on)
    except ValueError as error:
        raise BadInput(f"{on!r} is no date; write it like 2027-01-31.", where="--on") from error
