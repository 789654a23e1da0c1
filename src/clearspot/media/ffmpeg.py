"""The only caller of ffmpeg: which binary, how it is run, how its failure is told."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.errors import MachineFault

TIMEOUT_S = 600
ENV = "CLEARSPOT_FFMPEG"


@dataclass(frozen=True, slots=True)
class FfmpegResult:
    """What one run of ffmpeg gave: bytes on stdout, and its report on stderr."""

    output: bytes
    report: str


class FfmpegFailed(MachineFault):
    """ffmpeg ended with an error; ``report`` is what it said."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "", report: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.report = report


@functools.cache
def binary() -> str:
    """The path of ffmpeg: the one that ``CLEARSPOT_FFMPEG`` names, else the one bundled with imageio-ffmpeg.

    Raises:
        MachineFault: There is none.
    """
    if named := os.environ.get(ENV):
        found = shutil.which(named)
        if not found:
            raise MachineFault("is not a program.", where=f"{ENV}={named}", remedy="Name an ffmpeg, or unset it.")
        return found
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise MachineFault(
            "no ffmpeg was found.", remedy=f"pip install imageio-ffmpeg, or set {ENV} to one."
        ) from error


@functools.cache
def version() -> str:
    """The first line of what ffmpeg says of itself: what it encodes depends on it.

    Raises:
        MachineFault: It cannot be run.
    """
    try:
        done = subprocess.run([binary(), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineFault(f"ffmpeg cannot be run: {error}.", where=binary()) from error
    return done.stdout.partition("\n")[0].partition(" Copyright")[0]


def run(stream: Any, *, stdin: bytes | None = None, about: Path | None = None) -> FfmpegResult:
    """Run one ffmpeg-python graph. No shell, no terminal, no network protocols.

    Args:
        stream: An output stream of ffmpeg-python.
        stdin: Bytes for an input ``pipe:``.
        about: The user's file that it is about, for the message.

    Raises:
        FfmpegFailed: It ended with an error or ran too long; the message has its last line.
    """
    import ffmpeg

    head, *rest = ffmpeg.compile(stream, cmd=binary(), overwrite_output=True)
    guard = ["-hide_banner", "-nostats"] if stdin is not None else ["-hide_banner", "-nostats", "-nostdin"]
    feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    try:
        done = subprocess.run([head, *guard, *rest], capture_output=True, timeout=TIMEOUT_S, check=False, **feed)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FfmpegFailed(f"ffmpeg did not finish: {error}.", where=str(about or "")) from error
    report = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        lines = [line.strip() for line in report.splitlines() if line.strip()]
        raise FfmpegFailed(
            f"ffmpeg failed: {lines[-1] if lines else f'exit {done.returncode}'}",
            where=str(about or ""),
            report=report,
        )
    return FfmpegResult(done.stdout, report)


@functools.cache
def abilities() -> frozenset[str]:
    """The names of the filters and encoders that this ffmpeg has.

    Raises:
        MachineFault: It cannot be run.
    """
    names: set[str] = set()
    for listing in ("-filters", "-encoders"):
        try:
            done = subprocess.run(
                [binary(), "-hide_banner", listing], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MachineFault(f"ffmpeg cannot be run: {error}.", where=binary()) from error
        names |= {parts[1] for line in done.stdout.splitlines() if len(parts := line.split()) > 1}
    return frozenset(names)
