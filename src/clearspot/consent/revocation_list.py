"""A list of revocations that others keep: fetched from a URL or a file, signed, and never believed when too old."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from clearspot.audit import utc_now
from clearspot.consent.record import Time
from clearspot.consent.revocation import Revocation
from clearspot.errors import BadInput, ClearspotError, MachineFault, Refused
from clearspot.files import write_atomically
from clearspot.project import RevocationSource
from clearspot.signing import is_signed, public_key
from clearspot.yamlfile import MAX_BYTES, Strict, dump_yaml, load_model, parse_model, parse_yaml, read_text

DOMAIN = b"clearspot revocation list\x00"
TIMEOUT_S = 5.0
CLOCK_SLACK = dt.timedelta(seconds=5)
SCHEMES = ("http://", "https://")


class RevocationList(Strict):
    """What its keeper signs: ``serial`` never goes back, and by ``next_update`` there is a newer one."""

    schema_version: Literal[1]
    serial: int = Field(ge=1)
    issued_at: Time
    next_update: Time
    revocations: tuple[Revocation, ...]


class SignedList(RevocationList):
    """The list as it is published."""

    ed25519: str = Field(max_length=100)

    @property
    def plain(self) -> RevocationList:
        return RevocationList.model_validate(self.model_dump(include=set(RevocationList.model_fields)))


@dataclass
class PolledList:
    """One list, asked again every ``refresh_s``, and good for ``grace_s`` after it was last reached.

    ``kept`` is the copy on this machine, whose own time says when the list was last reached.
    """

    source: RevocationSource
    kept: Path
    root: Path
    clock: Callable[[], dt.datetime] = utc_now
    _asked: dt.datetime | None = field(default=None, repr=False)
    _parsed: tuple[tuple[int, ...], SignedList | None] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def current(self) -> RevocationList:
        """The list as it is now, fetched anew where it is time.

        Raises:
            Refused: It could not be reached for longer than its grace, it is overdue, or what is kept is not signed
                by its keeper.
        """
        with self._lock:
            now = self.clock()
            why = self._refresh(now) if self._is_due(now) else ""
            known = self._known()
            reached = self._reached()
            if known is None or reached is None:
                raise self._unknown(f"was never reached ({why})" if why else "was never reached")
            age_s = (now - reached).total_seconds()
            if age_s > self.source.grace_s:
                raise self._unknown(f"was last reached {age_s / 3600:.1f} hours ago, grace is "
                                    f"{self.source.grace_s / 3600:.1f} ({why or 'not asked again yet'})")  # fmt: skip
            if now > dt.datetime.fromisoformat(known.next_update):
                raise self._unknown(f"is overdue: a newer one was promised by {known.next_update}")
            return known

    def _is_due(self, now: dt.datetime) -> bool:
        newest = max((time for time in (self._asked, self._reached()) if time is not None), default=None)
        return newest is None or not 0 <= (now - newest).total_seconds() < self.source.refresh_s

    def _refresh(self, now: dt.datetime) -> str:
        """Fetch the list and keep it.

        Returns:
            Why that was not possible; empty where it was.
        """
        self._asked = now
        try:
            value = parse_yaml(self._fetch(), self.source.url)
            fetched = self._check(parse_model(SignedList, value, Path(self.source.url)), Path(self.source.url))
            known = self._known()
            if known is not None and fetched.serial < known.serial:
                return f"it went back from number {known.serial} to {fetched.serial}"
            write_atomically(self.kept, dump_yaml(fetched.model_dump(mode="json")).encode())
            os.utime(self.kept, (now.timestamp(), now.timestamp()))
        except (BadInput, MachineFault, Refused) as error:
            return error.what
        return ""

    def _fetch(self) -> str:
        if not self.source.url.startswith(SCHEMES):
            return read_text(self.root / self.source.url)
        import httpx

        try:
            with httpx.stream("GET", self.source.url, timeout=TIMEOUT_S, follow_redirects=False) as answer:
                answer.raise_for_status()
                body, until = b"", time.monotonic() + TIMEOUT_S
                for piece in answer.iter_bytes():
                    body += piece
                    if time.monotonic() > until:
                        raise MachineFault("cannot be reached: timed out.", where=self.source.url)
                    if len(body) > MAX_BYTES:
                        raise BadInput(f"is longer than {MAX_BYTES:,} bytes.", where=self.source.url)
                return body.decode()
        except UnicodeDecodeError as error:
            raise BadInput("is not UTF-8 text.", where=self.source.url) from error
        except httpx.HTTPError as error:
            raise MachineFault(f"cannot be reached: {error}.", where=self.source.url) from error

    def _known(self) -> SignedList | None:
        """What is kept on this machine; nothing where that is not the keeper's any more. Read when it has changed."""
        try:
            stat = self.kept.stat()
        except OSError:
            return None
        same = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if self._parsed is None or self._parsed[0] != same:
            try:
                self._parsed = (same, self._check(load_model(SignedList, self.kept), self.kept))
            except ClearspotError:
                self._parsed = (same, None)  # as good as none: it is fetched again, or refused
        return self._parsed[1]

    def _check(self, known: SignedList, path: Path) -> SignedList:
        key = public_key(self.source.key)
        if not is_signed(DOMAIN, known.plain.model_dump(mode="json"), known.ed25519, key):
            raise Refused("is not signed by the key that configs/clearspot.yaml names.", where=str(path))
        return known

    def _reached(self) -> dt.datetime | None:
        """When the list was last reached; never, where that would be yet to come."""
        try:
            reached = dt.datetime.fromtimestamp(self.kept.stat().st_mtime, dt.UTC)
        except OSError:
            return None
        return reached if reached <= self.clock() + CLOCK_SLACK else None

    def _unknown(self, why: str) -> Refused:
        return Refused(
            f"the list of revocations {why}; nobody may speak before it is known who may not.",
            where=self.source.url,
            remedy="Make it reachable, or ask its keeper.",
        )
