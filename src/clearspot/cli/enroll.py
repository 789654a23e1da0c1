"""``clearspot voices enroll`` and ``check``: the talent's statement, asked for, listened to, and listened to again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clearspot.cli.voices import Json, VoiceId

if TYPE_CHECKING:
    from clearspot.consent.enrolment import Ears, Readings
    from clearspot.consent.record import ConsentRecord
    from clearspot.engines.studio import Studio
    from clearspot.project import Project

Text = Annotated[str | None, typer.Option()]


def enroll(  # noqa: PLR0913, PLR0917  (one option each, as people give them)
    voice_id: VoiceId,
    locale: Annotated[str | None, typer.Option(help="The language the talent reads, such as es-ES.")] = None,
    talent: Annotated[str | None, typer.Option(help="The talent's legal name.")] = None,
    company: Annotated[
        str | None, typer.Option(help="Who may use the voice (default: the project's provider).")
    ] = None,
    recording: Annotated[Path | None, typer.Option(help="The talent reading the sentence aloud.")] = None,
    reference: Annotated[Path | None, typer.Option(help="How the talent sounds: what the voice is made from.")] = None,
    identity: Annotated[str | None, typer.Option(help="How the talent's identity was checked.")] = None,
    contact: Annotated[str | None, typer.Option(help="Whom the talent tells that consent ends.")] = None,
    guardian: Annotated[str | None, typer.Option(help="The talent is a minor: their guardian's legal name.")] = None,
    union: Annotated[str, typer.Option(help="The talent's union, if any.")] = "",
    as_json: Json = False,
) -> None:
    """Enrol a talent, in two steps.

    First: --locale and --talent print a sentence with fresh code words, for the talent to read aloud. Then:
    --recording (that reading) with --reference, --identity and --contact checks it and drafts the consent record.
    """
    from clearspot.consent.enrolment import load_readings
    from clearspot.consent.registry import load_voice_file
    from clearspot.project import find_project

    project = find_project()
    readings = load_readings(project.config("enrolment.yaml"))
    file = load_voice_file(voice_id, project.voice_folders())
    if recording is None:
        _require(("--locale", locale), ("--talent", talent))
        _ask(project, readings, voice_id, str(locale), str(talent), company, as_json=as_json)
        return
    _require(("--reference", reference), ("--identity", identity), ("--contact", contact))
    from clearspot.consent.authority import writing_authority
    from clearspot.consent.enrolment_desk import Enrolment, take_statement
    from clearspot.job import open_studio

    folder = project.voice_folders()[voice_id]
    asked = Enrolment(
        voice=file,
        folder=folder,
        recording=recording,
        reference=Path(str(reference)),
        identity_checked=str(identity),
        contact=str(contact),
        guardian=guardian,
        union=union,
    )
    studio = open_studio(project)
    weights = studio.weights.pinned_voice(file, folder, commercial=False)
    digests = {role: pinned.sha256 for role, pinned in weights.items()}
    authority = writing_authority(project)
    record, path = take_statement(asked, project.enrolments_dir, readings, ears_of(studio), authority, digests)
    _told(record, path, as_json=as_json)


def check(
    voice_id: VoiceId,
    spot: Annotated[Path | None, typer.Option(help="Also hold this spot against the record's scope.")] = None,
    as_json: Json = False,
) -> int:
    """Check everything about a voice's consent, the talent's statement listened to once more; grants nothing."""
    from clearspot.consent.authority import reading_authority
    from clearspot.consent.checkup import check_voice
    from clearspot.consent.enrolment import load_readings
    from clearspot.consent.registry import load_voice
    from clearspot.errors import Refused
    from clearspot.job import open_studio
    from clearspot.project import find_project
    from clearspot.spot import load_spot

    project = find_project(spot)
    voice = load_voice(voice_id, project.voice_folders())
    readings = load_readings(project.config("enrolment.yaml"))
    studio = open_studio(project)
    asked = load_spot(spot) if spot else None
    ears = lambda: ears_of(studio)  # noqa: E731  (loaded only where there is something to hear)
    checks = check_voice(voice, reading_authority(project), project.settings.provider, asked, ears, readings)
    if as_json:
        rows = [{"check": one.name, "ok": one.ok, "found": one.found} for one in checks]
        typer.echo(json.dumps({"voice": voice_id, "record": voice.record.id, "checks": rows}))
    else:
        for one in checks:
            typer.echo(f"{'ok' if one.ok else 'REFUSED':8} {one.name:14} {one.found}")
    return 0 if all(one.ok for one in checks) else Refused.exit_code


def ears_of(studio: Studio) -> Ears:
    """Who listens to statements."""
    from clearspot.consent.enrolment import Ears

    return Ears(studio.recogniser(), studio.speaker_encoder(), studio.recogniser_sha256(), studio.speaker_sha256())


def _require(*options: tuple[str, object]) -> None:
    from clearspot.errors import BadInput

    if lacking := [name for name, value in options if value is None]:
        raise BadInput(
            f"{', '.join(lacking)} should be given too.",
            where="voices enroll",
            remedy="First --locale and --talent; then --recording, --reference, --identity and --contact.",
        )


def _ask(
    project: Project, readings: Readings, voice_id: str, locale: str, talent: str, company: str | None, *, as_json: bool
) -> None:
    """Make a sentence, let it wait, and print it."""
    import datetime as dt

    from clearspot.consent.enrolment import challenge, keep_challenge

    now = dt.datetime.now(dt.UTC)
    made = challenge(voice_id, locale, talent, company or project.settings.provider, readings, now)
    keep_challenge(project.enrolments_dir, made)
    if as_json:
        typer.echo(json.dumps({"text": made.text, "code": made.code, "valid_hours": readings.valid_hours}))
        return
    typer.echo(f"{talent} reads this aloud, in one go, in a quiet room, within {readings.valid_hours} hours:")
    typer.echo(f"\n  {made.text}\n")
    typer.echo(
        f"then: clearspot voices enroll {voice_id} --recording FILE --reference FILE --identity HOW --contact WHOM"
    )


def _told(record: ConsentRecord, path: Path, *, as_json: bool) -> None:
    from clearspot.consent.record import TalentEvidence

    assert isinstance(record.evidence, TalentEvidence)
    scores = record.evidence.statement.scores.model_dump()
    if as_json:
        typer.echo(json.dumps({"record": record.id, "path": str(path), "scores": scores}))
        return
    typer.echo(f"heard: {record.evidence.statement.transcript}")
    typer.echo(", ".join(f"{name} {value:.2f}" for name, value in scores.items()))
    typer.echo(f"drafted {path}: it allows nothing yet. Fill in its scope, then clearspot voices sign {record.voice}")
