"""Where things are: the project's folders, what the package ships, and the settings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from clearspot.errors import BadInput
from clearspot.schedule import Schedule
from clearspot.yamlfile import UNSHOWN, Strict, load_model

SETTINGS = Path("configs") / "clearspot.yaml"
TRUE = {"1", "true", "yes", "on"}


class RevocationSource(Strict):
    """A list of revocations that others keep: a URL or a file, and the public key (base64) that signs it.

    It is asked again every ``refresh_s``; unreachable for longer than ``grace_s``, nobody speaks.
    """

    url: str = Field(min_length=1)
    key: str = Field(pattern=r"^[A-Za-z0-9+/]{43}=$")
    refresh_s: int = Field(default=3600, ge=1, le=86_400)
    grace_s: int = Field(default=86_400, ge=1, le=30 * 86_400)


class Signing(Strict):
    """Who signs manifests. By default the project's own key of ``clearspot keys init``.

    ``command`` is a program and its arguments, run without a shell: it reads what it signs from its input and writes an
    ES256 signature, so that the key stays where it is (a token, a key service). ``chain`` is then the PEM file of its
    certificate and those between it and the anchor. ``timeout_s`` is how long one signature may take. ``tsa_url`` names
    a time-stamp authority (RFC 3161); where it is named, nothing leaves without its stamp.
    """

    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    chain: str = ""
    timeout_s: float = Field(default=30, gt=0, le=600)
    tsa_url: str = Field(default="", pattern=r"^(https?://[^\s/]+\S*)?$")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if bool(self.command) != bool(self.chain):
            lacking = "chain" if self.command else "command"
            raise ValueError(f"{lacking}: is missing; command and chain go together")
        return self


def _a_mapping(value: Any) -> Any:
    """Refused without a word of what it holds: options of a store may be secrets."""
    if not isinstance(value, dict):
        raise PydanticCustomError(UNSHOWN, "should hold fields (name: value)")
    return value


def _a_block(value: Any) -> Any:
    """Refused without a word of what it holds: whoever writes the address here that belongs into a block."""
    if not isinstance(value, str) or not re.fullmatch(r"([a-z0-9-]+/[a-z0-9-]+)?", value):
        raise PydanticCustomError(UNSHOWN, "should name a block as Prefect does: kind/name, such as slack-webhook/ops")
    return value


class Sweep(Strict):
    """What a re-render looks at: every spot below ``root``; deliverables go to ``out``."""

    root: str = "spots"
    out: str = "out"


class Machines(Strict):
    """Who makes what Prefect runs: ``threads`` of this process, or worker processes of ``dask`` or ``ray``.

    ``address`` is a running cluster's (empty: one on this machine, for as long as the run); ``workers`` is how many
    worker processes it has (0: one a core).
    """

    runner: Literal["threads", "dask", "ray"] = "threads"
    address: str = Field(default="", pattern=r"^\S*$")
    workers: int = Field(default=0, ge=0, le=10_000)

    @property
    def processes(self) -> int:
        """How many worker processes there are, as far as is said."""
        return self.workers or os.cpu_count() or 1

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> Self:
        if self.runner == "threads" and (self.address or self.workers):
            raise ValueError("runner: should be dask or ray where address or workers are given")
        return self


class Settings(Strict):
    """``configs/clearspot.yaml``. Relative paths start at the project's folder.

    ``provider`` is who answers for the files, written into tags and manifest, and who must be a voice's licensee or
    act for one; ``recogniser`` is the model that listens, ``recogniser_engine`` what runs it; ``engines`` has the
    options of each engine by its name; ``models_dir`` holds the weights (empty: the user's cache folder); ``audit_dir``
    holds the audit log (empty: ``.clearspot/audit``; machines that share voices share one); ``signing`` says who signs
    manifests; ``offline`` forbids fetching weights; ``workers`` is how many engine calls run side by side (0: one a
    core). ``store`` keeps what stages gave, in a folder (empty: ``.clearspot/store``) or at a URL of fsspec such as
    ``s3://bucket/clearspot``, which gets ``store_options``; it grows to ``store_limit_gb`` (10**9 bytes). ``sweep``
    says what a re-render looks at, ``schedule`` when; ``notify`` names the notification block of Prefect's that is told
    what was not in order (empty: nobody is); ``machines`` says who makes what Prefect runs.
    """

    provider: str = "Clearspot user"
    recogniser: str = "whisper-base"
    recogniser_engine: str = "faster-whisper"
    engines: dict[str, dict[str, Any]] = Field(default_factory=dict)
    models_dir: str = ""
    audit_dir: str = ""
    revocation_list: RevocationSource | None = None
    signing: Signing = Signing()
    offline: bool = False
    workers: int = Field(default=0, ge=0, le=256)
    store: str = ""
    store_options: Annotated[dict[str, Any], BeforeValidator(_a_mapping)] = Field(default_factory=dict)
    store_limit_gb: float = Field(default=20, gt=0, le=100_000)
    sweep: Sweep = Sweep()
    schedule: Schedule = Schedule(interval_s=600)
    notify: Annotated[str, BeforeValidator(_a_block)] = ""
    machines: Machines = Machines()


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with ``configs/``, ``voices/`` and private state in ``.clearspot/``; the shipped files fill gaps."""

    root: Path
    settings: Settings

    def config(self, name: str) -> Path:
        """The project's own ``configs/<name>`` if it has one, else the shipped one."""
        own = self.root / "configs" / name
        return own if own.exists() else shipped("configs") / name

    def configs(self, folder: str) -> dict[str, Path]:
        """Every ``*.yaml`` of a folder of configs by its stem; the project's own replace shipped ones."""
        found = {path.stem: path for path in sorted((shipped("configs") / folder).glob("*.yaml"))}
        found |= {path.stem: path for path in sorted((self.root / "configs" / folder).glob("*.yaml"))}
        return found

    def voice_folders(self) -> dict[str, Path]:
        """Every voice by its id; the project's own replace shipped ones."""
        return {
            path.parent.name: path.parent
            for base in (shipped("voices"), self.root / "voices")
            for path in sorted(base.glob("*/voice.yaml"))
        }

    @property
    def keys_dir(self) -> Path:
        return self.root / ".clearspot" / "keys"

    @property
    def audit_dir(self) -> Path:
        if given := self.settings.audit_dir:
            return (self.root / Path(given).expanduser()).resolve()
        return self.root / ".clearspot" / "audit"

    @property
    def kept_list(self) -> Path:
        """Where the newest list of revocations from elsewhere is kept."""
        return self.root / ".clearspot" / "revocations.yaml"

    @property
    def enrolments_dir(self) -> Path:
        """Where sentences wait to be read aloud."""
        return self.root / ".clearspot" / "enrolments"

    def own_voice(self, voice_id: str) -> Path:
        """The project's own folder for a voice, whether or not the voice itself is a shipped one."""
        return self.root / "voices" / voice_id

    @property
    def store_is_remote(self) -> bool:
        """Whether the store is at a URL; a plain path and ``file://`` are folders."""
        scheme, mark, _ = self.settings.store.partition("://")
        return bool(mark) and scheme != "file"

    @property
    def store_dir(self) -> Path:
        """The store's folder, where it is one."""
        if given := self.settings.store.removeprefix("file://"):
            return (self.root / Path(given).expanduser()).resolve()
        return self.root / ".clearspot" / "store"

    @property
    def locks_dir(self) -> Path:
        return self.root / ".clearspot" / "locks"

    @property
    def digests_path(self) -> Path:
        """Digests of files that did not change, for plans."""
        return self.root / ".clearspot" / "digests.sqlite"

    @property
    def likenesses_dir(self) -> Path:
        """How voices sound that are their own measure. Beside the private keys: whoever writes here decides too."""
        return self.root / ".clearspot" / "likenesses"

    @property
    def sweep_root(self) -> Path:
        return (self.root / Path(self.settings.sweep.root).expanduser()).resolve()

    @property
    def sweep_out(self) -> Path:
        return (self.root / Path(self.settings.sweep.out).expanduser()).resolve()

    @property
    def prefect_dir(self) -> Path:
        return self.root / ".clearspot" / "prefect"

    @property
    def trust_dirs(self) -> tuple[Path, ...]:
        """Where trust anchors lie: shipped, the project's committed ones, and those of ``keys init``."""
        return (
            shipped("configs") / "trust",
            self.root / "configs" / "trust",
            self.root / ".clearspot" / "trust",
        )

    @property
    def own_trust_dir(self) -> Path:
        return self.trust_dirs[-1]

    @property
    def models_dir(self) -> Path:
        if given := os.environ.get("CLEARSPOT_MODELS") or self.settings.models_dir:
            return (self.root / Path(given).expanduser()).resolve()
        import platformdirs

        return Path(platformdirs.user_cache_dir("clearspot")) / "models"

    @property
    def offline(self) -> bool:
        return self.settings.offline or os.environ.get("CLEARSPOT_OFFLINE", "").lower() in TRUE

    @property
    def workers(self) -> int:
        return self.settings.workers or os.cpu_count() or 1


def shipped(kind: str) -> Path:
    """The shipped ``configs`` or ``voices``: in an installed package inside it, in a checkout at its top."""
    packaged = Path(__file__).parent / "shipped" / kind
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / kind


def find_project(start: Path | None = None) -> Project:
    """The project that a spot, or the current folder, belongs to.

    It is the folder named by ``CLEARSPOT_PROJECT``, else the nearest folder with ``configs/clearspot.yaml`` at or
    above ``start``, else at or above the current folder, else the current folder with the shipped settings.

    Raises:
        BadInput: The settings are not what they should be.
    """
    if named := os.environ.get("CLEARSPOT_PROJECT"):
        root = Path(named).expanduser().resolve()
        if not root.is_dir():
            raise BadInput("is not a folder.", where=f"CLEARSPOT_PROJECT={named}")
        return _project(root)
    here = Path.cwd()
    for base in [start.resolve(), here] if start else [here]:
        for folder in (base, *base.parents):
            if (folder / SETTINGS).is_file():
                return _project(folder)
    return _project(here)


def project_at(root: Path) -> Project:
    """The project of exactly that folder, whatever the environment says.

    Raises:
        BadInput: The settings are not what they should be.
    """
    return _project(root)


def _project(root: Path) -> Project:
    own = root / SETTINGS
    return Project(root, load_model(Settings, own) if own.is_file() else Settings())
