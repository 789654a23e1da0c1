"""``clearspot voices revoke`` and ``affected``: that consent ended, and what left before."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clearspot.cli.voices import Json, VoiceId


def revoke(
    voice_id: VoiceId,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    effect: Annotated[
        str, typer.Option(help="from-now: nothing new is made. take-down: and what was made is taken down.")
    ] = "from-now",
    key: Annotated[
        Path | None, typer.Option(help="The key of whoever revokes (default: this project's own, on their word).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really; it cannot be undone.")] = False,
) -> None:
    """End the consent for a voice: from now on nothing is spoken with it and nothing is exported."""
    from clearspot.consent.authority import writing_authority
    from clearspot.consent.registry import load_voice
    from clearspot.consent.withdrawal import withdraw_consent
    from clearspot.errors import BadInput
    from clearspot.locks import spot_lock
    from clearspot.project import find_project
    from clearspot.provenance.keys import RECEIPT_KEY, load_private_key
    from clearspot.takedown import take_down

    project = find_project()
    voice = load_voice(voice_id, project.voice_folders())
    if not yes:
        raise BadInput(
            f"this ends the consent record {voice.record.id!r} for good ({effect}).",
            where="--yes",
            remedy="Add --yes if that is meant.",
        )
    signer = load_private_key(key or project.keys_dir / RECEIPT_KEY)
    authority = writing_authority(project)
    path, count = withdraw_consent(voice, effect, reason, signer, authority)
    typer.echo(f"revoked {voice_id} ({voice.record.id}), {effect}: {path}")
    typer.echo(f"{count} deliverables were exported with it: clearspot voices affected {voice_id}")
    if effect == "take-down":
        hold = partial(spot_lock, project)
        for one in take_down(authority, project.voice_folders().values(), project.sweep_out, hold):
            typer.echo(f"taken down: {one.path}")
            if one.trouble:
                typer.echo(f"clearspot: {one.trouble}", err=True)


def affected(voice_id: VoiceId, as_json: Json = False) -> None:
    """List every deliverable that was ever exported with a voice: path, digest, markets, from the audit log."""
    from clearspot.consent.affected import known_here
    from clearspot.consent.authority import reading_authority
    from clearspot.consent.registry import voice_folder
    from clearspot.project import find_project

    project = find_project()
    authority = reading_authority(project)
    authority.log.head()  # where there is no log, "none" would be a guess
    known = known_here(authority, project.voice_folders().values())
    rows: list[dict[str, object]] = []
    exported = known.of_voice(voice_id)
    if not exported:
        voice_folder(voice_id, project.voice_folders())  # a voice that nobody ever knew is a mistake, not "none"
    for one in exported:
        revocation = known.revocation_of(one.record_sha256)
        rows.append(
            {
                "path": str(one.path),
                "there": one.path.is_file(),
                "file_sha256": one.file_sha256,
                "essence_sha256": one.essence_sha256,
                "spot": one.spot,
                "locale": one.locale,
                "markets": list(one.markets),
                "exported_at": one.at.isoformat(timespec="seconds"),
                "record": one.record,
                "revoked": revocation.effect if revocation else None,
                "delete_by": _delete_by(revocation.time, project.voice_folders().get(voice_id)) if revocation else None,
            }
        )
    if as_json:
        typer.echo(json.dumps({"voice": voice_id, "deliverables": rows}))
        return
    for row in rows:
        state = f"revoked, {row['revoked']}" + (f", delete by {row['delete_by']}" if row["delete_by"] else "")
        there = "" if row["there"] else "  (not there any more)"
        typer.echo(
            f"{row['exported_at']}  {', '.join(row['markets']):12} {row['file_sha256'][:16]}  {row['path']}"  # type: ignore[arg-type, index]
            f"{'  ' + state if row['revoked'] else ''}{there}"
        )
    typer.echo(f"{len(rows)} deliverables were exported with {voice_id}")


def _delete_by(revoked: dt.datetime, folder: Path | None) -> str | None:
    """The day by which the voice's files are to be deleted, where its record is still there to say so."""
    from clearspot.consent.record import ConsentRecord
    from clearspot.consent.registry import CONSENT_FILE
    from clearspot.yamlfile import load_model

    if folder is None or not (folder / CONSENT_FILE).is_file():
        return None
    days = load_model(ConsentRecord, folder / CONSENT_FILE).withdrawal.delete_within_days
    return (revoked + dt.timedelta(days=days)).date().isoformat()
