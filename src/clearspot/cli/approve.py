"""``clearspot approve``: sign off words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.audit import AuditLog

app = typer.Typer(help="Sign off words: who, when, over which digest.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who signs off.")]
SpotFolder = Annotated[Path, typer.Argument(help="The spot's folder.")]


@app.command("script")
def script(spot: SpotFolder, by: By) -> None:
    """Sign off the script as it is now."""
    from clearspot.approvals import approve_script
    from clearspot.spot import load_spot

    loaded = load_spot(spot)
    log = _log(spot)
    approve_script(loaded, by, dt.datetime.now(dt.UTC))
    log.append("approval", {"of": "script", "spot": loaded.id, "script_sha256": loaded.script.digest, "by": by})
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
    log = _log(spot)
    approve_translation(loaded, locale, by, dt.datetime.now(dt.UTC), line or ())
    lines = loaded.translations[locale].lines
    wanted = list(line or loaded.script.lines)
    about = {"of": "translation", "spot": loaded.id, "script_sha256": loaded.script.digest, "locale": locale}
    log.append("approval", {**about, "lines": {line_id: lines[line_id] for line_id in wanted}, "by": by})
    for line_id in wanted:
        typer.echo(f"approved  {locale} {line_id}: {lines[line_id]}")


@app.command("voice")
def voice(
    spot: SpotFolder,
    key: Annotated[Path, typer.Option(help="The private key of the talent (or of a minor's guardian).")],
) -> None:
    """Sign one spot, as the person whose voice it is: for records that ask for it (`approval: per-spot`)."""
    from clearspot.consent.authority import writing_authority
    from clearspot.consent.registry import load_voice
    from clearspot.consent.spot_approval import approve_spot, owner_role
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_private_key
    from clearspot.signing import key_id
    from clearspot.spot import load_spot

    project, loaded, signer = find_project(spot), load_spot(spot), load_private_key(key)
    authority = writing_authority(project)
    cast = load_voice(loaded.order.voice, project.voice_folders())
    role, name, now = owner_role(cast), key_id(signer.public_key()), authority.now()
    authority.keys.require(name, role, cast.record, now.date(), "--key")
    approval = approve_spot(loaded, cast, signer, now)
    about = {"of": "voice", "spot": loaded.id, "script_sha256": approval.script_sha256, "voice": cast.id}
    authority.log.append("approval", {**about, "record_sha256": approval.record_sha256, "key": name})
    typer.echo(f"approved  {loaded.id} with voice {cast.id}, as {role}: the script as it is now")


def _log(spot: Path) -> AuditLog:
    """The log of the spot's project: what cannot be written down is not approved."""
    from clearspot.consent.authority import writing_authority
    from clearspot.project import find_project

    log = writing_authority(find_project(spot)).log
    log.head()
    return log
