"""What left with a voice, and whether the consent it left with still stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clearspot.audit import Entry
from clearspot.consent.authority import Authority
from clearspot.consent.revocation import REVOCATION_FILE, Revocation, read_revocation


@dataclass(frozen=True, slots=True)
class Exported:
    """One deliverable that left, as the audit log has it; ``at`` is when."""

    at: dt.datetime
    entry: int
    path: Path
    file_sha256: str
    essence_sha256: str
    unique_id: str
    spot: str
    locale: str
    markets: tuple[str, ...]
    voice: str
    record: str
    record_sha256: str


@dataclass(frozen=True, slots=True)
class Known:
    """Everything this project knows of what left and of what was revoked, and where each revocation stands."""

    exported: tuple[Exported, ...]
    revoked: tuple[tuple[Revocation, str], ...]

    def of_voice(self, voice: str) -> tuple[Exported, ...]:
        return tuple(one for one in self.exported if one.voice == voice)

    def by_bytes(self, essence_sha256: str) -> tuple[Exported, ...]:
        """Every export of exactly this essence."""
        return tuple(one for one in self.exported if one.essence_sha256 == essence_sha256)

    def revocation_of(self, record_sha256: str) -> Revocation | None:
        """What ended the consent given by a record: a take-down before anything milder."""
        found = [one for one, _ in self.revoked if one.names(record_sha256)]
        return min(found, key=lambda one: (one.effect != "take-down", one.time), default=None)


def known_here(authority: Authority, folders: Iterable[Path]) -> Known:
    """Everything known: from the audit log, the voices' folders, and the list from elsewhere.

    Raises:
        Refused: The log was tampered with, a revocation cannot be believed, or the list is out of reach.
    """
    revoked: dict[Revocation, str] = {}
    exported = []
    log = authority.log
    for _, entry in log.read() if log.exists else ():
        if entry.event == "export":
            exported.append(_exported(entry))
        elif entry.event == "revocation":
            revoked[Revocation.of_log(entry.data)] = str(log.path)
    kept = {path.parent for path in authority.own_voices.glob(f"*/{REVOCATION_FILE}")}
    for folder in sorted({*folders, *kept}):
        if found := read_revocation(folder, authority.keys, authority.project_keys):
            revoked[found] = str(folder / REVOCATION_FILE)
    if authority.elsewhere is not None:
        revoked |= dict.fromkeys(authority.elsewhere.current().revocations, authority.elsewhere.source.url)
    return Known(tuple(exported), tuple(revoked.items()))


def _exported(entry: Entry) -> Exported:
    data = entry.data
    same = ("file_sha256", "essence_sha256", "unique_id", "spot", "locale", "voice", "record", "record_sha256")
    return Exported(
        at=entry.time,
        entry=entry.n,
        path=Path(data["path"]),
        markets=tuple(data["markets"]),
        **{name: str(data[name]) for name in same},
    )
