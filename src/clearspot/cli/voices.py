"""``clearspot voices``: who may be spoken with, for what."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.consent.registry import Voice
    from clearspot.project import Project

app = typer.Typer(help="Voices, and the consent that allows them.", no_args_is_help=True)
VoiceId = Annotated[str, typer.Argument(help="The voice's id.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("list")
def list_voices(as_json: Json = False) -> None:
    """List the voices: their engine, basis of consent, term, and whether the record holds."""
    from clearspot.consent.registry import load_voice
    from clearspot.errors import ClearspotError
    from clearspot.project import find_project

    project = find_project()
    rows = {}
    for voice_id in project.voice_folders():
        try:
            voice = load_voice(voice_id, project.voice_folders())
            record = voice.record
            rows[voice_id] = {
                "engine": voice.file.engine,
                "basis": record.basis,
                "record": record.id,
                "until": record.term.end,
                "state": state_of(voice, project),
            }
        except ClearspotError as error:
            rows[voice_id] = {"engine": "?", "basis": "?", "record": "?", "until": "?", "state": str(error)}
    if as_json:
        typer.echo(json.dumps({"voices": rows}))
        return
    for voice_id, row in rows.items():
        typer.echo(f"{voice_id:14} {row['engine']:8} {row['basis']:18} until {row['until']}  {row['state']}")


@app.command("show")
def show(voice_id: VoiceId, as_json: Json = False) -> None:
    """Show a voice and its consent record: what was allowed, for what, until when, signed by whom."""
    from clearspot.consent.registry import load_voice, load_voice_file
    from clearspot.errors import Refused
    from clearspot.project import find_project
    from clearspot.yamlfile import dump_yaml

    project = find_project()
    folders = project.voice_folders()
    file = load_voice_file(voice_id, folders)
    shown: dict[str, object] = {"voice": file.model_dump(mode="json"), "voice_sha256": file.digest}
    try:
        voice = load_voice(voice_id, folders)
        shown |= {"consent": voice.record.canonical(), "record_sha256": voice.record.digest}
        shown["state"] = state_of(voice, project)
    except Refused as refusal:
        shown["state"] = f"refused: {refusal}"
    typer.echo(json.dumps(shown) if as_json else dump_yaml(shown).rstrip())


@app.command("sign")
def sign(
    voice_id: VoiceId,
    key: Annotated[Path, typer.Option(help="The private key of whoever may give this consent.")],
) -> None:
    """Sign a voice's consent record as it is now."""
    from clearspot.consent.registry import load_voice
    from clearspot.consent.signature import sign_record
    from clearspot.files import write_atomically
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_consent_key
    from clearspot.yamlfile import dump_yaml

    voice = load_voice(voice_id, find_project().voice_folders())
    signature = sign_record(voice.record, load_consent_key(key))
    write_atomically(voice.signature_path, dump_yaml(signature.model_dump()).encode())
    typer.echo(f"signed record {voice.record.id} ({voice.record.digest[:12]}) with key {signature.key}")
    typer.echo(f"signed on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {voice.signature_path}")


def state_of(voice: Voice, project: Project) -> str:
    """Whether a voice's record stands today, in words; empty never."""
    from clearspot.consent.grant import require_standing
    from clearspot.errors import Refused
    from clearspot.provenance.keys import load_trust

    try:
        key = require_standing(voice, load_trust(project.trust_dirs).consent_keys, dt.datetime.now(dt.UTC).date())
    except Refused as refusal:
        return f"refused: {refusal}"
    return f"active, signed with key {key}"
