"""What left with a consent that was revoked since goes out of the way, whatever else is wrong.

It goes by the audit log: a locale may have left its spot, a spot may not open any more, a certificate may have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from clearspot.consent.authority import Authority
from clearspot.consent.revocation import REVOCATION_FILE, Revocation, read_revocation, refusal_of
from clearspot.errors import ClearspotError, Refused
from clearspot.publish import withdraw_orphan
from clearspot.report.write import write_report


@dataclass(frozen=True, slots=True)
class TakenDown:
    """A deliverable that was taken down, and the revocation that says so; ``trouble`` is what went wrong with it."""

    path: Path
    refusal: Refused
    trouble: ClearspotError | None = None

    @property
    def told(self) -> tuple[ClearspotError, ...]:
        """What is said of it: why, and what went wrong."""
        said = Refused(f"{self.path.name} was taken down: {self.refusal.what}", where=self.refusal.where)
        return (said, self.trouble) if self.trouble else (said,)


def take_down(
    authority: Authority,
    voices: Iterable[Path],
    below: Path,
    hold: Callable[[Path], AbstractContextManager[None]],
    concerns: Callable[[Path], bool] = lambda _: True,
) -> Iterator[TakenDown]:
    """Withdraw every deliverable that lies there still and whose consent was revoked.

    Args:
        authority: Knows what left and what was revoked.
        voices: The folders of voices; each may hold a revocation.
        below: Only what lies in this folder. A copy of a project has the log of the first one, whose files are not its.
        hold: Holds a spot's folder in ``OUT`` meanwhile.
        concerns: Which paths of deliverables.

    Raises:
        Refused: The log was tampered with, a revocation cannot be believed, or the list from elsewhere is out of reach;
            what is known to be revoked was taken down before.
        UnderWay: Another run has a folder of which something is to go; everything else was taken down before.
        MachineFault: Such a folder cannot be held; everything else was taken down before.
    """
    place, doubts = below.resolve(), list[ClearspotError]()
    with authority.ledger.turn() as turn:
        revoked = {one: str(authority.log.path) for one in turn.revocations}
    for revocation, where in _told_elsewhere(authority, voices, doubts):
        revoked.setdefault(revocation, where)

    def ended() -> dict[Path, Revocation]:
        """What is to go. The newest export of a path is the one that lies there."""
        with authority.ledger.turn() as turn:
            newest = {one.path: one for one in turn.exports.values() if one.path.is_relative_to(place)}
        return {
            path: revocation
            for path, one in sorted(newest.items())
            for revocation in revoked
            if revocation.names(one.record_sha256) and path.is_file() and concerns(path)
        }

    for home in sorted({path.parent.parent for path in ended()}) if revoked else ():
        gone: list[TakenDown] = []
        try:
            with hold(home):
                # Asked again: a run may have put a file there that may lie there, before it let the folder go.
                for path, revocation in ended().items():
                    if path.parent.parent == home:
                        gone.append(_withdrawn(authority, path, revocation, revoked[revocation]))
                if gone:
                    write_report(home, authority.project_keys)
        except ClearspotError as trouble:
            if gone:
                gone[-1] = replace(gone[-1], trouble=gone[-1].trouble or trouble)
            else:  # the folder is another run's, or cannot be held: what is in it is there still
                doubts.append(trouble)
        yield from gone
    if doubts:
        raise doubts[0]


def _told_elsewhere(
    authority: Authority, voices: Iterable[Path], doubts: list[ClearspotError]
) -> Iterator[tuple[Revocation, str]]:
    """Revocations outside the log: one that cannot be believed hides no other."""
    kept = {path.parent for path in authority.own_voices.glob(f"*/{REVOCATION_FILE}")}
    for folder in sorted({*voices, *kept}):
        try:
            if found := read_revocation(folder, authority.keys, authority.project_keys):
                yield found, str(folder / REVOCATION_FILE)
        except ClearspotError as doubt:
            doubts.append(doubt)
    if authority.elsewhere is not None:
        try:
            yield from ((one, authority.elsewhere.source.url) for one in authority.elsewhere.current().revocations)
        except ClearspotError as doubt:
            doubts.append(doubt)


def _withdrawn(authority: Authority, path: Path, revocation: Revocation, where: str) -> TakenDown:
    refusal = refusal_of(revocation, where)
    try:
        withdraw_orphan(path, refusal)
        about = {"path": str(path), "voice": revocation.voice, "record_sha256": revocation.record_sha256}
        authority.log.append("withdrawal", about)
    except ClearspotError as trouble:
        return TakenDown(path, refusal, trouble)
    return TakenDown(path, refusal)
