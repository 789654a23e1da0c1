"""A job: everything one run of one spot needs, loaded and checked before any work starts."""

from __future__ import annotations

import datetime as dt
import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from clearspot.approvals import Approvals, load_approvals
from clearspot.cache import Cache
from clearspot.config import (
    DisclosureWording,
    ListeningLimits,
    Profile,
    disclosure_in,
    load_limits,
    load_profile,
    load_wordings,
)
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.registry import load_voice, voice_folder
from clearspot.engines.registry import require_engines
from clearspot.engines.studio import Studio
from clearspot.engines.weights import Progress, load_weights
from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.gate.policy import Policy, load_policies, policy_day
from clearspot.gate.requirements import Requirements, requirements_of
from clearspot.hashing import sha256_file, sha256_json
from clearspot.progress import Tell
from clearspot.project import Project
from clearspot.provenance.keys import SigningKeys, Trust, load_trust, read_signing_keys, require_valid
from clearspot.provenance.manifest import rehearse
from clearspot.shelves import Bucket, Folder
from clearspot.spot import Spot, chosen, load_spot
from clearspot.store import Store
from clearspot.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for. No locales or profiles: all of the spot's."""

    spot_folder: Path
    locales: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    out: Path = Path("out")


@dataclass(frozen=True)
class Desk:
    """What all spots of a project share, read once. ``now`` is when that was: the day that the rules are those of.

    ``all_keys`` may have a certificate that ended: what may not lie in ``OUT`` any more is found and taken away all the
    same. Whoever signs takes ``keys``.
    """

    project: Project
    studio: Studio
    policies: Mapping[str, Policy]
    wordings: Mapping[str, DisclosureWording]
    limits: ListeningLimits
    trust: Trust
    all_keys: SigningKeys
    authority: Authority
    store: Store
    now: dt.datetime
    voices: Mapping[str, Path]
    profiles: dict[str, Profile] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def keys(self) -> SigningKeys:
        """The keys that sign exports.

        Raises:
            Refused: A certificate ended, or is not valid yet.
        """
        require_valid(self.all_keys, self.now)
        return self.all_keys

    def profile(self, profile_id: str) -> Profile:
        """A delivery profile, read once.

        Raises:
            BadInput: There is none of that name, or its file is wrong.
        """
        if profile_id not in self.profiles:
            self.profiles[profile_id] = load_profile(self.project, profile_id)
        return self.profiles[profile_id]


@dataclass(frozen=True)
class Job:
    """One run of one spot. ``requirements`` are those of each locale's markets, on the day of the run.

    ``inputs`` is the sha256 of what it is made from, as it was when the run began. ``todo`` is what is to be made: some
    of the locales, some of the profiles of each; ``speaks`` is whether a plan sees anything to be spoken; ``known`` is
    what it knows each deliverable to be made from, and ``blocks`` what stands against a locale. ``ahead`` holds the
    hearing of the recording where it was begun before the runner was ready. ``warnings`` is what went wrong beside the
    deliverables: it is told, and changes no exit code.
    """

    desk: Desk
    spot: Spot
    approvals: Approvals
    profiles: Mapping[str, Profile]
    requirements: Mapping[str, Requirements]
    inputs: Mapping[str, str]
    todo: Mapping[str, tuple[str, ...]]
    out: Path
    started: dt.datetime
    tell: Tell
    cache: Cache
    speaks: bool = True
    known: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict, repr=False)
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    ahead: list[Future[Transcript]] = field(default_factory=list, repr=False)
    warnings: list[ClearspotError] = field(default_factory=list, repr=False)

    @property
    def locales(self) -> tuple[str, ...]:
        """Where there is something to be made."""
        return tuple(self.todo)

    @property
    def project(self) -> Project:
        return self.desk.project

    @property
    def studio(self) -> Studio:
        return self.desk.studio

    @property
    def limits(self) -> ListeningLimits:
        return self.desk.limits

    @property
    def trust(self) -> Trust:
        return self.desk.trust

    @property
    def keys(self) -> SigningKeys:
        return self.desk.keys

    @property
    def authority(self) -> Authority:
        return self.desk.authority

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

    def disclosure_of(self, locale: str) -> str:
        """The words of the spoken disclosure in a locale.

        Raises:
            Refused: There is no wording for it or for such a voice, or it lacks words that a market asks for.
        """
        asked = self.requirements[locale].disclosure
        basis = self._basis if asked.wording == "long" else ""  # only the long one depends on it
        return disclosure_in(self.desk.wordings, self.project, locale, asked, basis)

    @functools.cached_property
    def _basis(self) -> str:
        """By which basis of consent the spot's voice speaks."""
        return load_voice(self.spot.order.voice, self.desk.voices).record.basis


def open_studio(project: Project, fetching: Progress = lambda *_: None) -> Studio:
    """The engines of a project, none of them loaded yet; ``fetching`` is told while weights are fetched.

    Raises:
        BadInput: The settings give options to an engine that there is not, or ``models.yaml`` is wrong.
    """
    settings = project.settings
    require_engines(settings.engines, "configs/clearspot.yaml: engines")
    weights = load_weights(project, fetching)
    return Studio(weights, settings.recogniser, project.workers, settings.recogniser_engine, settings.engines)


def open_desk(project: Project, studio: Studio) -> Desk:
    """Read what all spots of a project share.

    Raises:
        BadInput: Something in the project is not what it should be.
        Refused: Others can read the private keys.
    """
    now = dt.datetime.now(dt.UTC)
    return Desk(
        project=project,
        studio=studio,
        policies=load_policies(project),
        wordings=load_wordings(project),
        limits=load_limits(project),
        trust=load_trust(project.trust_dirs),
        all_keys=read_signing_keys(project),
        authority=writing_authority(project),
        store=open_store(project),
        now=now,
        voices=project.voice_folders(),
    )


def open_store(project: Project) -> Store:
    """The project's store.

    Raises:
        BadInput: Its URL is of a kind that is not known or not installed here.
    """
    shelf = Bucket(project.settings.store, project.settings.store_options) if project.store_is_remote else None
    return Store(shelf or Folder(project.store_dir), round(project.settings.store_limit_gb * 1e9))


def open_job(asked: Asked, desk: Desk, tell: Tell, digest_of: Callable[[Path], str] = sha256_file) -> Job:
    """Load and check everything about one spot that needs no engine.

    Args:
        asked: What the user asked for.
        desk: What all spots share.
        tell: Is told what happens.
        digest_of: The sha256 of a recording or a bed.

    Raises:
        BadInput: Something in the spot, the project or what was asked is wrong.
    """
    spot = load_spot(asked.spot_folder)
    locales = chosen(asked.locales, tuple(spot.order.locales), "--locale", spot)
    profiles = chosen(asked.profiles, spot.order.profiles, "--profile", spot)
    day = policy_day(desk.now)
    asked_of = {locale: requirements_of(desk.policies, spot, locale, day) for locale in locales}
    voice_folder(spot.order.voice, desk.voices)
    warnings: list[ClearspotError] = []
    return Job(
        desk=desk,
        spot=spot,
        approvals=load_approvals(spot.folder),
        profiles={profile: desk.profile(profile) for profile in profiles},
        requirements=asked_of,
        inputs=_inputs(spot, desk.limits, digest_of),
        todo=dict.fromkeys(locales, tuple(profiles)),
        out=asked.out,
        started=dt.datetime.now(dt.UTC),
        tell=tell,
        cache=Cache(desk.store, warnings.append),
        warnings=warnings,
    )


def require_ready(job: Job) -> None:
    """Fail before the work rather than after it.

    Raises:
        BadInput: The output folder is a file.
        Refused: The signer is not trusted, or its certificate ended.
        MachineFault: The output folder cannot be written to, or a signer elsewhere does not answer.
    """
    _require_output(job.out)
    if job.keys.command or job.keys.tsa_url:
        rehearse(job.keys, job.trust)


def _inputs(spot: Spot, limits: ListeningLimits, digest_of: Callable[[Path], str]) -> dict[str, str]:
    inputs = {
        "script": spot.script.digest,
        "spot": sha256_json(spot.order.model_dump(mode="json")),
        "recording": digest_of(spot.recording),
        "limits": sha256_json(limits.model_dump(mode="json")),
    }
    return inputs | ({"bed": digest_of(spot.bed)} if spot.bed else {})


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
