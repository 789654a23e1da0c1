"""A piece of a spot that another process makes: what it is told, what it checks, what it gives back.

Only names, paths and digests go there, and only verdicts come back; sound goes through the store and the output folder,
which every machine must reach under the same path.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clearspot import __version__, inline, job, pipeline
from clearspot.consent.registry import load_voice
from clearspot.delivery import Outcome
from clearspot.engines.kept import LARGE_KEPT
from clearspot.engines.studio import Studio
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.gate.rules import Finding
from clearspot.hashing import sha256_bytes, sha256_json
from clearspot.ingredients import ingredients
from clearspot.job import Asked, Job
from clearspot.locks import locale_lock
from clearspot.packing import TIMED
from clearspot.progress import Event
from clearspot.project import Project, project_at

GOING = "going"
"""A file in the workshop for as long as its run wants anything: who does not find it stops."""

STOP_S = 60.0
"""So long a run that is stopped waits for the workers that make its pieces."""

EVENTS = ".events"
LOOK_S = 0.5
KINDS = {kind.kind: kind for kind in (Refused, BadInput, MachineFault)}


@dataclass(frozen=True, slots=True)
class Piece:
    """One locale of a spot, or its recording (no locale), as the process that makes it is told of it.

    ``inputs`` is the digests of what the spot is made from, ``made_from`` one digest a profile of all that the plan
    knows it to be made from: who finds others has another project before it. ``workshop`` is the run's folder for
    candidates, ``started`` when it began; ``blocks`` is what stood against the locale in the plan.
    """

    root: str
    spot: str
    out: str
    workshop: str
    started: str
    inputs: Mapping[str, str]
    locale: str = ""
    profiles: tuple[str, ...] = ()
    made_from: Mapping[str, str] | None = None
    blocks: tuple[str, ...] = ()
    version: str = __version__

    def as_json(self) -> dict[str, Any]:
        """The piece as it goes to another process: text alone, a few kB."""
        return asdict(self) | {"profiles": list(self.profiles), "blocks": list(self.blocks)}


def piece_from(told: Mapping[str, Any]) -> Piece:
    """The piece that another process told us of.

    Raises:
        MachineFault: It runs another version of Clearspot.
    """
    if told.get("version") != __version__:
        raise MachineFault(
            f"this worker runs Clearspot {__version__}, the run {told.get('version')}.",
            where="worker",
            remedy="Install the same version everywhere.",
        )
    return Piece(**{**told, "profiles": tuple(told["profiles"]), "blocks": tuple(told["blocks"])})


def piece_of(whole: Job, workshop: Path, locale: str = "") -> Piece:
    """The piece of a job that is one locale, or its recording."""
    profiles = whole.todo[locale] if locale else ()
    known = {profile: whole.known.get((locale, profile), {}) for profile in profiles}
    return Piece(
        root=str(whole.project.root.resolve()),
        spot=str(whole.spot.folder.resolve()),
        out=str(whole.out.resolve()),
        workshop=str(workshop.resolve()),
        started=whole.started.isoformat(),
        inputs=dict(whole.inputs),
        locale=locale,
        profiles=profiles,
        made_from={profile: sha256_json(dict(parts)) for profile, parts in known.items() if parts},
        blocks=whole.blocks.get(locale, ()),
    )


# --- the process that makes it ---------------------------------------------------------------------------------

_turn = threading.Lock()
"""A worker process makes one piece at a time: it has one thread for engines, and one studio to stop."""

_studios: dict[str, tuple[str, Studio]] = {}
"""By project, the last few that were served: what its engines depend on, and the studio that has them loaded."""


def hear(piece: Piece) -> str:
    """Transcribe and align a spot's recording; what was found goes to the store.

    Returns:
        The digest of the timed script.

    Raises:
        ClearspotError: Whatever transcribe and align raise, or ``MachineFault`` where this is another project.
    """
    with _at_work(piece) as here:
        return _digest(pipeline.align_script(here, pipeline.transcribe_recording(here)))


def make(piece: Piece, heard: str) -> dict[str, Any]:
    """Make one locale, from the timed script of that digest.

    Returns:
        What became of each profile, and what went wrong beside; for ``outcomes_from``.

    Raises:
        MachineFault: This is another project or another version, or the run does not want it any more.
    """
    with _at_work(piece) as here, locale_lock(here.project, here.home, piece.locale):
        silent = replace(here, tell=lambda _: None)  # it was told when the recording was heard
        timed = pipeline.align_script(silent, pipeline.transcribe_recording(silent))
        if _digest(timed) != heard:
            raise _another("the recording as it was heard", piece)
        outcomes = inline.run_in(here, Path(piece.workshop), timed)
        return {"outcomes": [_told(one) for one in outcomes], "warnings": [one.as_json() for one in here.warnings]}


@contextlib.contextmanager
def _at_work(piece: Piece) -> Iterator[Job]:
    """The job of a piece, for as long as its run wants it."""
    with _turn:
        if not (Path(piece.workshop) / GOING).exists():
            raise _stopped(piece)
        project = project_at(Path(piece.root))
        studio = _studio_of(project)
        studio.go_on()
        here = _open(piece, project, studio)
        with _while_wanted(piece, studio):
            yield here


def _studio_of(project: Project) -> Studio:
    """The engines of this process for a project: loaded once, for as long as what they depend on stays the same."""
    alone = replace(project, settings=project.settings.model_copy(update={"workers": 1}))
    depends = sha256_json([
        alone.settings.model_dump(mode="json", include={"recogniser", "recogniser_engine", "engines", "models_dir"}),
        sha256_bytes(project.config("models.yaml").read_bytes()),
        project.offline,
    ])  # fmt: skip
    root = str(project.root)
    known = _studios.pop(root, None)
    if known is None or known[0] != depends:
        gone = [known] if known else []
        while len(_studios) >= LARGE_KEPT:
            gone.append(_studios.pop(next(iter(_studios))))
        for _, studio in gone:
            studio.empty()
        known = (depends, job.open_studio(alone))
    _studios[root] = known  # the last one is the one that was used last
    return known[1]


def _open(piece: Piece, project: Project, studio: Studio) -> Job:
    """The piece's job, read from the disk as it is now, and held to what the run was planned from.

    Everything but the engines is read anew for each piece: a worker lives for weeks, and keys, rules, consent and the
    day change meanwhile.
    """
    told = _Notes(Path(piece.workshop) / f"{piece.locale or 'spot'}-{os.getpid()}{EVENTS}")
    asked = Asked(Path(piece.spot), (piece.locale,) if piece.locale else (), piece.profiles, Path(piece.out))
    opened = job.open_job(asked, job.open_desk(project, studio), told)
    for name in sorted({*opened.inputs, *piece.inputs}):
        if opened.inputs.get(name) != piece.inputs.get(name):
            raise _another(name, piece)
    known: dict[tuple[str, str], dict[str, str]] = {}
    voice = load_voice(opened.spot.order.voice, opened.desk.voices) if piece.made_from else None
    for profile, digest in (piece.made_from or {}).items():
        assert voice is not None
        parts = ingredients(opened, voice, piece.locale, profile)
        if sha256_json(parts) != digest:
            raise _another(f"what {opened.name(piece.locale, profile)} is made from", piece)
        known[piece.locale, profile] = parts
    return replace(
        opened,
        todo={piece.locale: piece.profiles} if piece.locale else opened.todo,
        started=dt.datetime.fromisoformat(piece.started),
        known=known,
        blocks={piece.locale: piece.blocks} if piece.blocks else {},
    )


@contextlib.contextmanager
def _while_wanted(piece: Piece, studio: Studio) -> Iterator[None]:
    """Stop the studio as soon as the run is stopped or gone.

    Raises:
        MachineFault: It was.
    """
    done, unwanted = threading.Event(), threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            if not (Path(piece.workshop) / GOING).exists():
                unwanted.set()
                studio.stop()
                return

    thread = threading.Thread(target=look, name="clearspot-wanted", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        if not unwanted.is_set():
            raise
    finally:
        done.set()
        thread.join()
    if unwanted.is_set():  # what failed for that reason was not refused
        raise _stopped(piece)


@dataclass(frozen=True)
class _Notes:
    """Writes down what a piece tells, a line an event, where the run reads it. It is for people alone."""

    path: Path

    def __call__(self, event: Event) -> None:
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")


def _digest(timed: Any) -> str:
    return sha256_bytes(TIMED.pack(timed))


def _another(what: str, piece: Piece) -> MachineFault:
    return MachineFault(
        f"{what} is not what the run was planned from: another checkout, or it changed meanwhile.",
        where=f"worker {piece.spot}",
        remedy="Let every machine see the same project folder, install the same packages, and run it again.",
    )


def _stopped(piece: Piece) -> MachineFault:
    return MachineFault("stopped before it was finished.", where=piece.spot, remedy="Run it again.")


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "locale": outcome.locale,
        "profile": outcome.profile,
        "path": str(outcome.path) if outcome.path else None,
        "essence_sha256": outcome.essence_sha256,
        "findings": [asdict(finding) for finding in outcome.findings],
        "error": outcome.error.as_json() if outcome.error else None,
    }


# --- the run that asked for it ---------------------------------------------------------------------------------


def outcomes_from(told: Mapping[str, Any], whole: Job) -> list[Outcome]:
    """What another process made of a piece; its warnings become the job's own, each once."""
    known = {str(warning) for warning in whole.warnings}
    warnings = (_error_from(warning) for warning in told["warnings"])
    whole.warnings.extend(warning for warning in warnings if str(warning) not in known)
    return [_outcome_from(each, whole.out) for each in told["outcomes"]]


def _outcome_from(told: Mapping[str, Any], out: Path) -> Outcome:
    path = Path(told["path"]) if told["path"] else None
    return Outcome(
        told["locale"],
        told["profile"],
        out / path.relative_to(out.resolve()) if path else None,
        told["essence_sha256"],
        tuple(Finding(**finding) for finding in told["findings"]),
        _error_from(told["error"]) if told["error"] else None,
    )


def _error_from(told: Mapping[str, str]) -> ClearspotError:
    return KINDS[told["kind"]](told["what"], where=told["where"], remedy=told["remedy"])


class Listening:
    """Reads what the pieces of a run tell, wherever they are made."""

    def __init__(self, workshop: Path) -> None:
        self._workshop = workshop
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[Event]:
        """Every event that was not there before; a line that is still being written waits."""
        for path in sorted(self._workshop.glob(f"*{EVENTS}")):
            with contextlib.suppress(OSError):
                data = path.read_bytes()[self._read.get(path, 0) :]
                whole = data[: data.rfind(b"\n") + 1]
                self._read[path] = self._read.get(path, 0) + len(whole)
                for line in whole.splitlines():
                    yield Event(**json.loads(line))
