"""What a decision about consent rests on: who may sign, who was revoked, what was granted before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clearspot.audit import AuditLog
from clearspot.consent.ledger import Ledger, Turn
from clearspot.consent.registry import Voice
from clearspot.consent.revocation import REVOCATION_FILE, Revocation, read_revocation
from clearspot.consent.revocation_list import PolledList
from clearspot.consent.trust import KEYS_FILE, ConsentKeys, load_consent_keys
from clearspot.errors import ClearspotError, Refused
from clearspot.files import DigestCache
from clearspot.project import Project
from clearspot.provenance.keys import RECEIPT_KEY, load_private_key, load_trust


@dataclass(frozen=True)
class Authority:
    """One project's, for one process.

    ``project_keys`` are the project's own public keys, by id; ``own_voices`` is where it keeps revocations of any
    voice, shipped ones too; ``elsewhere`` is the list of revocations that others keep.
    """

    keys: ConsentKeys
    ledger: Ledger
    project_keys: Mapping[str, Ed25519PublicKey]
    own_voices: Path
    elsewhere: PolledList | None = None
    digests: DigestCache = field(default_factory=DigestCache, repr=False)

    @property
    def log(self) -> AuditLog:
        return self.ledger.log

    def now(self) -> dt.datetime:
        """The one clock that decides; see ``AuditLog.require_clock``."""
        return self.log.clock()

    def revocations(self, voice: Voice) -> Iterator[tuple[Revocation, str]]:
        """Every revocation known outside the log that may concern a voice, and where it stands.

        Raises:
            Refused: One cannot be believed, or the list from elsewhere is out of reach.
        """
        for folder in dict.fromkeys((voice.folder, self.own_voices / voice.id)):
            if revocation := read_revocation(folder, self.keys, self.project_keys):
                yield revocation, str(folder / REVOCATION_FILE)
        if self.elsewhere is not None:
            yield from ((one, self.elsewhere.source.url) for one in self.elsewhere.current().revocations)

    def require_same_circle(self, turn: Turn) -> None:
        """That whoever may sign is whom this project knows: the circle is noted once, and never changed in silence.

        Whoever can write into configs/ can add a key there; whoever runs this project has to say yes to it.

        Raises:
            Refused: Keys were added, changed or taken away since that was last written down.
        """
        if changed := self.changed_keys(turn):
            raise Refused(
                f"who may sign consent has changed: {', '.join(changed)}.",
                where=f"configs/trust/{KEYS_FILE}",
                remedy="Look at them with `clearspot keys show`; if they are right: clearspot keys accept",
            )

    def changed_keys(self, turn: Turn) -> list[str]:
        """Each key that is not as it was last written down, and how; none before anything was."""
        before, now = turn.circle, self.keys.circle
        if before is None:
            return []
        return [
            f"key {name} ({'new' if name not in before else 'gone' if name not in now else 'changed'}"
            + (f", {now[name]['role']} of {', '.join(now[name]['voices'])}" if name in now else "")
            + ")"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]

    def note_circle(self, turn: Turn) -> None:
        """Write down who may sign, where that is not as it was."""
        if turn.circle is None or self.changed_keys(turn):
            turn.write("trust", {"keys": self.keys.circle})

    def note_refusal(self, about: Mapping[str, Any], refusal: ClearspotError) -> None:
        """Write down that something was refused.

        Raises:
            Refused: That cannot be written down; the refusal stands, and says so.
        """
        try:
            self.log.append("refusal", {**about, "why": refusal.what, "where": refusal.where})
        except ClearspotError as problem:
            if problem.what == refusal.what:  # it is the log itself that refuses
                return
            raise Refused(
                f"{refusal.what} (The audit log could not take that down: {problem.what})",
                where=refusal.where,
                remedy=refusal.remedy,
            ) from problem


def writing_authority(project: Project) -> Authority:
    """What decides about consent in a project, and writes down what it decides.

    Raises:
        BadInput: There are no keys yet, or a trust file is not what it should be.
        Refused: The key that signs the log can be read by others.
    """
    return _open(project, load_private_key(project.keys_dir / RECEIPT_KEY))


def reading_authority(project: Project) -> Authority:
    """The same for those who only look; it needs no private key and grants nothing.

    Raises:
        BadInput: A trust file is not what it should be.
    """
    return _open(project, None)


def require_known_circle(project: Project) -> None:
    """That nobody else changed who may sign, before it is changed on purpose.

    Raises:
        Refused: Somebody did.
    """
    authority = writing_authority(project)
    with authority.ledger.turn() as turn:
        authority.require_same_circle(turn)
        authority.note_circle(turn)


def accept_circle(project: Project) -> list[str]:
    """Write into the log who may sign now, as whoever runs this project wants it.

    Returns:
        What changed.
    """
    authority = writing_authority(project)
    with authority.ledger.turn() as turn:
        changed = authority.changed_keys(turn)
        authority.note_circle(turn)
        return changed


def _open(project: Project, key: Ed25519PrivateKey | None) -> Authority:
    source = project.settings.revocation_list
    project_keys = load_trust(project.trust_dirs).receipt_keys
    return Authority(
        keys=load_consent_keys(project.trust_dirs),
        ledger=Ledger(AuditLog(project.audit_dir, key, project_keys)),
        project_keys=project_keys,
        own_voices=project.root / "voices",
        elsewhere=PolledList(source, project.kept_list, project.root) if source else None,
    )
