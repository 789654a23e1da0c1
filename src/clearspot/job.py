"""A job: everything one run of one spot needs, loaded and checked before any work starts."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from clearspot.approvals import Approvals, load_approvals
from clearspot.config import (
    ListeningLimits,
    Profile,
    load_limits,
    load_profile,
)
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.registry import voice_folder
from clearspot.engines.studio import Studio
from clearspot.engines.weights import Progress, load_weights
from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.gate.policy import load_policies, policy_day
from clearspot.gate.requirements import Requirements, requirements_of
from clearspot.hashing import sha256_file, sha256_json
from clearspot.progress import Tell
from clearspot.project import Project
from clearspot.provenance.keys import SigningKeys, Trust, load_trust, signing_keys_of
from clearspot.provenance.manifest import rehearse
from clearspot.spot import Spot, chosen, load_spot
from clearspot.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for. No locales or profiles: all of the spot's."""

    spot_folder: Path
    locales: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    out: Path = Path("out")


@dataclass(frozen=True)
class Job:
    """One run of one spot. ``requirements`` are those of each locale's markets, on the day of the run.

    ``inputs`` is the sha256 of what it is made from, as it was when the run began. ``ahead`` holds the hearing of the
    recording where it was begun before the runner was ready. ``warnings`` is what went wrong beside the deliverables:
    it is told, and changes no exit code.
    """

    project: Project
    spot: Spot
    approvals: Approvals
    locales: tuple[str, ...]
    profiles: Mapping[str, Profile]
    requirements: Mapping[str, Requirements]
    limits: ListeningLimits
    trust: Trust
    keys: SigningKeys
    authority: Authority
    inputs: Mapping[str, str]
    studio: Studio
    out: Path
    started: dt.datetime
    tell: Tell
    ahead: list[Future[Transcript]] = field(default_factory=list, repr=False)
    warnings: list[ClearspotError] = field(default_factory=list, repr=False)

    def name(self, locale: str, profile: str) -> str:
        """A deliverable's file name without its ending."""
        return f"{self.spot.id}_{locale}_{profile}"

    @property
    def home(self) -> Path:
        """Where everything of the spot goes: a folder a locale, and the report."""
        return self.out / self.spot.id

    def folder(self, locale: str) -> Path:
        """Where a locale's deliverables go."""
        return self.home / locale


def open_studio(project: Project, fetching: Progress = lambda *_: None) -> Studio:
    """The engines of a project, none of them loaded yet; ``fetching`` is told while weights are fetched."""
    weights = load_weights(project, fetching)
    return Studio(weights, project.settings.recogniser, project.workers)


def open_job(asked: Asked, project: Project, studio: Studio, tell: Tell) -> Job:
    """Load and check everything that needs no engine.

    Raises:
        BadInput: Something in the spot, the project or what was asked is wrong.
        Refused: The signing keys may not be used, or are not trusted.
        MachineFault: The output folder cannot be written to, or a signer elsewhere does not answer.
    """
    now = dt.datetime.now(dt.UTC)
    spot = load_spot(asked.spot_folder)
    locales = chosen(asked.locales, tuple(spot.order.locales), "--locale", spot)
    profiles = chosen(asked.profiles, spot.order.profiles, "--profile", spot)
    policies = load_policies(project)
    asked_of = {locale: requirements_of(policies, spot, locale, policy_day(now)) for locale in locales}
    voice_folder(spot.order.voice, project.voice_folders())
    _require_output(asked.out)
    delivery = {profile: load_profile(project, profile) for profile in profiles}
    limits = load_limits(project)
    trust, keys = load_trust(project.trust_dirs), signing_keys_of(project, now)
    if keys.command or keys.tsa_url:
        rehearse(keys, trust)
    return Job(
        project=project,
        spot=spot,
        approvals=load_approvals(spot.folder),
        locales=locales,
        profiles=delivery,
        requirements=asked_of,
        limits=limits,
        inputs=_inputs(spot, limits),
        trust=trust,
        keys=keys,
        authority=writing_authority(project),
        studio=studio,
        out=asked.out,
        started=now,
        tell=tell,
    )


def _inputs(spot: Spot, limits: ListeningLimits) -> dict[str, str]:
    inputs = {
        "script": spot.script.digest,
        "spot": sha256_json(spot.order.model_dump(mode="json")),
        "recording": sha256_file(spot.recording),
        "limits": sha256_json(limits.model_dump(mode="json")),
    }
    return inputs | ({"bed": sha256_file(spot.bed)} if spot.bed else {})


def _require_output(out: Path) -> None:
    """Fail before the work rather than after it."""
    nearest = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise BadInput("is a file, not a folder.", where=str(nearest), remedy="Name another --out.")
    probe = nearest / f".clearspot-probe-{threading.get_native_id()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MachineFault(
            f"cannot be written to: {error.strerror}.", where=str(nearest), remedy="Name another --out."
        ) from error
