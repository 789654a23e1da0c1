"""The one error family. Its children are the exit codes."""

from __future__ import annotations

from typing import ClassVar


class ClearspotError(Exception):
    """What a user is told: what is wrong, where, and how to mend it.

    Args:
        what: One sentence that says what is wrong.
        where: The file, field or value that it is about.
        remedy: What the user can do.
    """

    exit_code: ClassVar[int] = 3
    kind: ClassVar[str] = "failed"

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.remedy))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f" {self.remedy}" if self.remedy else "")

    def as_json(self) -> dict[str, str]:
        """The error for machines."""
        return {"kind": self.kind, "what": self.what, "where": self.where, "remedy": self.remedy}


def _rebuild(kind: type[ClearspotError], what: str, where: str, remedy: str) -> ClearspotError:
    return kind(what, where=where, remedy=remedy)


class Refused(ClearspotError):
    """Consent, approval, script match or gate said no; nothing of that deliverable is published."""

    exit_code = 1
    kind = "refused"


class BadInput(ClearspotError):
    """The input or the configuration is wrong."""

    exit_code = 2
    kind = "bad-input"


class MachineFault(ClearspotError):
    """A missing tool, a full disk, a model that cannot be loaded, an interrupted run."""

    exit_code = 3
    kind = "machine-fault"
