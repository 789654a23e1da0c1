"""``clearspot voices``: who may be spoken with, for what."""

from __future__ import annotations

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
        shown |= {"before": [record.digest for record in voice.before], "state": state_of(voice, project)}
    except Refused as refusal:
        shown["state"] = f"refused: {refusal}"
    typer.echo(json.dumps(shown) if as_json else dump_yaml(shown).rstrip())


@app.command("sign")
def sign(
    voice_id: VoiceId,
    key: Annotated[Path, typer.Option(help="The private key of whoever may give this consent.")],
    role: Annotated[str, typer.Option("--as", help="talent, guardian or licensee.")],
) -> None:
    """Sign a voice's consent record as it is now, in one role; a record that is replaced goes into history/."""
    from clearspot.consent.authority import writing_authority
    from clearspot.consent.registry import load_voice
    from clearspot.consent.signing_desk import sign_voice
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_private_key

    project = find_project()
    authority = writing_authority(project)
    voice = load_voice(voice_id, project.voice_folders())
    lacking = sign_voice(voice, role, load_private_key(key), authority)
    typer.echo(f"signed record {voice.record.id} ({voice.record.digest[:12]}) as {role}: {voice.signature_path}")
    if lacking:
        typer.echo(f"it counts once it is signed as {', '.join(lacking)} too")
    else:
        typer.echo(f"signed by everyone it needs; {state_of(voice, project)}")


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of consent.yaml, for editors and other tools."""
    from clearspot.consent.record import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, sort_keys=True))


def state_of(voice: Voice, project: Project) -> str:
    """Whether a voice's record stands today, in words; empty never."""
    from clearspot.consent.authority import reading_authority
    from clearspot.consent.standing import require_all
    from clearspot.errors import Refused

    try:
        keys = require_all(voice, reading_authority(project))
    except Refused as refusal:
        return f"refused: {refusal}"
    return f"active, signed with key {', '.join(keys)}"
