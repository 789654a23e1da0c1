"""Where a report is written, and what a run does about it."""

from __future__ import annotations

from pathlib import Path

from clearspot.errors import MachineFault
from clearspot.files import write_atomically
from clearspot.report.collect import Trusted, collect
from clearspot.report.page import render

REPORT = "report.html"


def write_report(folder: Path, trusted: Trusted) -> Path:
    """Make the page of one spot from what its runs left in ``OUT/<spot>``, and write it there.

    Args:
        folder: ``OUT/<spot>``.
        trusted: As for ``collect``.

    Returns:
        The page's path.

    Raises:
        BadInput: There is nothing to report on.
        MachineFault: It cannot be written, or a file cannot be decoded.
    """
    path = folder / REPORT
    write_atomically(path, _encoded(render(collect(folder, trusted)), path))
    return path


def _encoded(page: str, path: Path) -> bytes:
    try:
        return page.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MachineFault("holds half a character.", where=str(path)) from error
