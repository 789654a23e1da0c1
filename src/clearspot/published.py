"""What earlier runs left of one deliverable, and whether it is still whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.consent.ledger import Export
from clearspot.errors import ClearspotError
from clearspot.gate.receipt import ENDING, check_receipt, read_receipt
from clearspot.job import Job
from clearspot.provenance.keys import WARN_DAYS
from clearspot.publish import MEDIA, REFUSAL

DigestOf = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Published:
    """A deliverable as it lies in ``OUT``.

    ``receipt`` is what its receipt says, empty where there is none to be believed; ``wrong`` is why it cannot be kept,
    empty where it can. ``refusal`` is what an earlier run wrote where it was refused. ``media`` is whether any file of
    it lies there under a final name.
    """

    receipt: Mapping[str, Any]
    wrong: str
    refusal: Mapping[str, Any]
    media: bool

    @property
    def ingredients(self) -> Mapping[str, str]:
        """What the receipt says that it was made from."""
        named = self.receipt.get("ingredients")
        return named if isinstance(named, dict) else {}


def look(job: Job, locale: str, profile_id: str, digest_of: DigestOf, exports: Mapping[int, Export]) -> Published:
    """What lies there.

    Args:
        job: Of the spot.
        locale: One of its locales.
        profile_id: One of its profiles.
        digest_of: The sha256 of a file.
        exports: What left, as this project's log has it: only what it let out itself is its to keep.
    """
    stem = job.folder(locale) / job.name(locale, profile_id)
    receipt_path, refusal_path = _beside(stem, ENDING), _beside(stem, REFUSAL)
    media = any(_beside(stem, ending).exists() for ending in MEDIA)
    refusal = _read(refusal_path)
    if not receipt_path.is_file():
        why = "its receipt is gone" if media else "it was refused" if refusal else "never made"
        return Published({}, why, refusal, media)
    receipt = _read(receipt_path)
    if problem := check_receipt(receipt, job.trust.receipt_keys):
        return Published({}, f"its receipt {problem}", refusal, media)
    body = receipt["receipt"]
    if body.get("deliverable") != f"{stem.name}.{job.profiles[profile_id].extension}":
        return Published({}, "its receipt is of another file", refusal, media)
    if not _left_by(exports, body):
        return Published({}, "its receipt is of no export in this project's log", refusal, media)
    wrong = next(_wrong(stem.parent, body, digest_of), "") or _ending(job, body)
    return Published(body, wrong, refusal, media)


def _left_by(exports: Mapping[int, Export], body: Mapping[str, Any]) -> bool:
    anchor = body.get("audit")
    if not isinstance(anchor, dict):
        return False
    export = exports.get(anchor.get("entry", 0))
    return export is not None and export.entry_sha256 == anchor.get("sha256")


def path_of(job: Job, locale: str, receipt: Mapping[str, Any]) -> Path:
    """Where the media lies that a receipt is for."""
    return job.folder(locale) / str(receipt["deliverable"])


def _wrong(folder: Path, body: Mapping[str, Any], digest_of: DigestOf) -> Iterator[str]:
    """Why the files that a receipt names are not as it says, one after the other."""
    beside = body.get("beside")
    named = {str(body.get("deliverable")): body.get("file_sha256"), **(beside if isinstance(beside, dict) else {})}
    for name, sha256 in named.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            yield f"{name} is gone"
        elif digest_of(path) != sha256:
            yield f"{name} was changed since"


def _ending(job: Job, body: Mapping[str, Any]) -> str:
    """Why a file's signature will not be believed for long, where there is a newer certificate to sign it with."""
    provenance = body.get("provenance")
    if not isinstance(provenance, dict) or provenance.get("trusted_time"):
        return ""
    try:
        ends = dt.datetime.fromisoformat(str(provenance.get("certificate_ends")))
        soon = ends - job.started < dt.timedelta(days=WARN_DAYS)
        newer = soon and job.keys.ends > ends
    except (ValueError, TypeError):
        return ""  # of before it was written down
    except ClearspotError:
        return ""  # there is nothing to sign it with: that is told where something has to be signed
    return f"its certificate ends on {ends:%Y-%m-%d}" if newer else ""


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return read_receipt(path) if path.is_file() else {}
    except ClearspotError:
        return {}


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
