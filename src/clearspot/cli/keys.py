"""``clearspot keys``: what signs deliverables and receipts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

app = typer.Typer(help="Signing keys and a development certificate chain.", no_args_is_help=True)


@app.command("init")
def init(
    renew: Annotated[bool, typer.Option("--renew", help="Make new ones; what was signed still verifies.")] = False,
) -> None:
    """Make the keys that sign, readable only by you, and publish their public halves as trust anchors."""
    from clearspot.project import find_project
    from clearspot.provenance.keys import create_keys

    project = find_project()
    now = dt.datetime.now(dt.UTC)
    made = create_keys(project.keys_dir, project.own_trust_dir, project.settings.provider, now, renew=renew)
    if not made:
        typer.echo(f"keys are there already: {project.keys_dir} (--renew makes new ones)")
        return
    typer.echo(f"private keys:  {project.keys_dir} (never share or commit them)")
    typer.echo(f"trust anchors: {project.own_trust_dir} (copy them to whoever verifies)")
    typer.echo("This is a development certificate chain: it proves what this machine made, not who you are.")


@app.command("show")
def show() -> None:
    """Show what would sign, and until when."""
    from clearspot.consent.signature import key_id
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_signing_keys

    project = find_project()
    keys = load_signing_keys(project.keys_dir, dt.datetime.now(dt.UTC))
    typer.echo(f"certificate:  {keys.certificate.subject.rfc4514_string()}")
    typer.echo(f"valid until:  {keys.certificate.not_valid_after_utc:%Y-%m-%d}")
    typer.echo(f"receipt key:  {key_id(keys.receipt_key.public_key())}")
