"""What a run looks like: live on a terminal, plain lines elsewhere, one JSON object for machines."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clearspot.delivery import Outcome
from clearspot.job import Job
from clearspot.progress import Event

STAGES = ("translate", "authorize", "speak", "fit", "mix", "disclose", "gate", "export")
SPOT_STAGES = ("transcribe", "align", "report")
WIDE = 1000
MARKS = {"start": "…", "done": "✓", "refused": "✗", "failed": "!"}


class Screen:
    """Takes a run's events and shows them; safe to call from several threads."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._states: dict[tuple[str, str], str] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._wanted: dict[tuple[str, str], int] = {}
        self._fetching: dict[str, tuple[int, int]] = {}
        self._began = time.monotonic()
        self._locales: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def expect(self, job: Job) -> None:
        """Learn what will happen, so that the table has its rows and its counts."""
        self._locales = job.locales
        for locale in job.locales:
            self._wanted[locale, "speak"] = len(job.spot.script.lines) + 1
            for stage in ("disclose", "gate", "export"):
                self._wanted[locale, stage] = len(job.todo[locale])

    def tell(self, event: Event) -> None:
        """See ``progress.Tell``."""
        key = (event.locale, event.stage)
        with self._lock:
            if event.state == "done":
                self._counts[key] = self._counts.get(key, 0) + 1
            finished = self._counts.get(key, 0) >= self._wanted.get(key, 1)
            if self._states.get(key) not in {"refused", "failed"}:  # what went wrong stays to be seen
                self._states[key] = "start" if event.state == "done" and not finished else event.state
            wrong = event.state in {"refused", "failed"}
            if self._quiet or self._console.is_terminal or not (wrong or (event.state == "done" and finished)):
                return
            elapsed_s = time.monotonic() - self._began
            detail = event.detail if wrong else ""
            what = " ".join(filter(None, (event.locale, event.stage, detail)))
            self._console.print(f"{elapsed_s:6.1f} s  {what}: {event.state}", highlight=False)

    def fetching(self, model: str, got_bytes: int, total_bytes: int) -> None:
        """See ``weights.Progress``."""
        with self._lock:
            before = self._fetching.get(model)
            self._fetching[model] = (got_bytes, total_bytes)
            if self._quiet or self._console.is_terminal or (before and got_bytes < total_bytes):
                return
            state = "fetched" if got_bytes >= total_bytes else "fetching"
            self._console.print(f"{state} {model}: {total_bytes / 1e6:.0f} MB", highlight=False)

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("", min_width=10)
        for stage in STAGES:
            table.add_column(stage, justify="center")
        spot = "  ".join(f"{stage} {self._mark('', stage)}" for stage in SPOT_STAGES)
        for model, (got, total) in dict(self._fetching).items():
            if got < total:
                spot += f"  fetching {model} {got / 1e6:.0f}/{total / 1e6:.0f} MB"
        for locale in self._locales:
            table.add_row(locale, *(self._mark(locale, stage) for stage in STAGES))
        table.caption = Text(f"{spot}   {time.monotonic() - self._began:.0f} s")
        table.caption_justify = "left"
        return table

    def _mark(self, locale: str, stage: str) -> str:
        key = (locale, stage)
        state = self._states.get(key)
        if state is None:
            return "·"
        wanted = self._wanted.get(key, 1)
        if state == "start" and wanted > 1:
            return f"{self._counts.get(key, 0)}/{wanted}"
        return MARKS[state]


@contextlib.contextmanager
def live(*, quiet: bool) -> Iterator[Screen]:
    """A screen for the time of a run, on stderr."""
    console = Console(stderr=True)
    screen = Screen(console, quiet=quiet)
    if quiet or not console.is_terminal:
        yield screen
        return
    with Live(screen, console=console, refresh_per_second=4, transient=True):
        yield screen


def outcomes(job: Job, made: Sequence[Outcome], *, as_json: bool) -> None:
    """What was made and where; what was refused and why."""
    if as_json:
        print(json.dumps(_as_json(job, made), ensure_ascii=False))  # noqa: T201
        return
    console = Console(markup=False)
    if not console.is_terminal:
        console.width = WIDE  # a path in a log or a pipe stays in one piece
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("locale", "profile", "verdict", "loudness", "true peak", "length", "file"):
        table.add_column(heading, overflow="fold")
    for outcome in made:
        measured = {finding.rule: finding.measured for finding in outcome.findings}
        figures = (measured.get(rule, "-").partition(",")[0] for rule in ("loudness", "true-peak", "duration"))
        table.add_row(outcome.locale, outcome.profile, outcome.verdict, *figures, str(outcome.path or "-"))
    console.print(table)
    errors = Console(stderr=True, markup=False)
    for problem in dict.fromkeys(str(outcome.error) for outcome in made if outcome.error):
        errors.print(f"\nclearspot: {problem}", highlight=False, soft_wrap=True)
    for outcome in made:
        for finding in outcome.findings:
            if finding.verdict == "warn":
                name = job.name(outcome.locale, outcome.profile)
                told = f"{name}: {finding.rule}: {finding.measured}, should be {finding.required}. {finding.detail}"
                errors.print(f"\nclearspot: warning: {told.rstrip()}", highlight=False, soft_wrap=True)
    for warning in job.warnings:
        errors.print(f"\nclearspot: warning: {warning}", highlight=False, soft_wrap=True)


def _as_json(job: Job, made: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "spot": job.spot.id,
        "warnings": [warning.as_json() for warning in job.warnings],
        "exit_code": max((outcome.exit_code for outcome in made), default=0),
        "deliverables": [
            {
                "locale": outcome.locale,
                "profile": outcome.profile,
                "verdict": outcome.verdict,
                "path": str(outcome.path) if outcome.path else None,
                "essence_sha256": outcome.essence_sha256 or None,
                "findings": {
                    finding.rule: {
                        "verdict": finding.verdict,
                        "measured": finding.measured,
                        "required": finding.required,
                        "detail": finding.detail,
                    }
                    for finding in outcome.findings
                },
                "error": outcome.error.as_json() if outcome.error else None,
            }
            for outcome in made
        ],
    }
