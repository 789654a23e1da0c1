"""``clearspot run ROOT``: many spots, as many at once as there are hands for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from clearspot.locks import UnderWay
from clearspot.progress import Event, Tell
from clearspot.project import Project
from clearspot.sweep import Result, find_spots, sweep
from clearspot.work import Hands, everything

NOT_BEGUN = "not begun"
SHOWN = 20
"""So many rows of a live table at most: those under way and the newest."""


class BatchScreen:
    """A row a spot: what is done of it. Takes events of several threads."""

    def __init__(self, console: Console, root: Path, folders: Sequence[Path]) -> None:
        self._console, self._root, self._folders = console, root, folders
        self._now: dict[Path, str] = {}
        self._ended: dict[Path, tuple[str, float]] = {}
        self._began: dict[Path, float] = {}

    def watch(self, folder: Path) -> Tell:
        """Who is told of one spot's stages."""
        self._began[folder] = time.monotonic()

        def tell(event: Event) -> None:
            self._now[folder] = " ".join(filter(None, (event.locale, event.stage, event.detail)))

        return tell

    def ended(self, result: Result) -> None:
        """A spot is done with; without a terminal that is all that is shown."""
        now = time.monotonic()
        took_s = now - self._began.get(result.folder, now)
        self._now.pop(result.folder, None)
        self._ended[result.folder] = (result.state, took_s)
        if not self._console.is_terminal:
            done = f"{len(self._ended)}/{len(self._folders)}"
            self._console.print(f"{done} {self._name(result.folder)}: {result.state}, {took_s:.1f} s", highlight=False)

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("spot", "state", "seconds", "now"):
            table.add_column(heading)
        for folder, (state, took_s) in list(self._ended.items())[-SHOWN:]:
            table.add_row(self._name(folder), state, f"{took_s:.1f}", "")
        for folder, now in list(self._now.items()):
            table.add_row(self._name(folder), "…", f"{time.monotonic() - self._began[folder]:.0f}", now)
        table.caption = f"{len(self._ended)} of {len(self._folders)}"
        table.caption_justify = "left"
        return table

    def _name(self, folder: Path) -> str:
        return _below(folder, self._root)


def run_batch(project: Project, root: Path, out: Path, hands: Hands, *, max_failures: int | None, as_json: bool) -> int:
    """Make every spot below a root.

    Args:
        project: The spots'.
        root: Their folder.
        out: Where deliverables go.
        hands: Make what is not kept.
        max_failures: After so many spots that are not in order, no further one is begun.
        as_json: One JSON object on stdout, and nothing else there.

    Returns:
        The worst exit code of the spots that were looked at; 3 where another run works on one.
    """
    from clearspot.job import open_desk, open_studio

    folders = list(find_spots(root))
    console = Console(stderr=True)
    studio = open_studio(project)
    results: list[Result] = []

    def go_on() -> bool:
        failed = sum(bool(one.exit_code) for one in results if one.state != "taken down")
        return max_failures is None or failed < max_failures

    with _live(console, BatchScreen(console, root, folders), quiet=as_json) as screen:
        try:
            for result in sweep(open_desk(project, studio), folders, out, hands, everything, screen.watch, go_on):
                screen.ended(result)
                results.append(result)
        finally:
            studio.stop()
    begun = {result.folder for result in results}
    left = [folder for folder in folders if folder not in begun]
    code = max((_exit_code(result) for result in results), default=0)
    _tell(results, left, root, code, as_json=as_json)
    return code


def _exit_code(result: Result) -> int:
    """A sweep passes over what somebody else makes; who asked for it here has not got it."""
    return UnderWay.exit_code if result.state == "under way" else result.exit_code


@contextlib.contextmanager
def _live(console: Console, screen: BatchScreen, *, quiet: bool) -> Iterator[BatchScreen]:
    if quiet or not console.is_terminal:
        yield screen
        return
    with Live(screen, console=console, refresh_per_second=4, transient=True):
        yield screen


def _tell(results: Sequence[Result], left: Sequence[Path], root: Path, code: int, *, as_json: bool) -> None:
    if as_json:
        said = {
            "spots": [result.as_json() for result in results],
            "not_begun": [str(folder) for folder in left],
            "exit_code": code,
        }
        print(json.dumps(said, ensure_ascii=False))  # noqa: T201
        return
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("spot", "state", "cleared", "kept", "not exported"):
        table.add_column(heading)
    for result in results:
        verdicts = [one.verdict for one in result.outcomes]
        counts = (verdicts.count("cleared"), verdicts.count("kept"), sum(bool(one.error) for one in result.outcomes))
        shown = ("" if result.state == "unchanged" else str(count) for count in counts)
        table.add_row(_below(result.folder, root), result.state, *shown)
    for folder in left:
        table.add_row(_below(folder, root), NOT_BEGUN)
    console.print(table)
    errors = Console(stderr=True, markup=False)
    for result in results:
        told = [result.error, *(one.error for one in result.outcomes)]
        for problem in dict.fromkeys(str(error) for error in told if error):
            errors.print(f"\nclearspot: {problem}", highlight=False, soft_wrap=True)
        for warning in result.warnings:
            errors.print(f"\nclearspot: warning: {warning}", highlight=False, soft_wrap=True)


def _below(folder: Path, root: Path) -> str:
    """A spot's place below the root; where something was taken down, its place in the output."""
    if folder == root:
        return folder.name
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else str(folder)
