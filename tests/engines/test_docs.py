"""The documentation's examples, run as they stand and held against what the pages show."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import clearspot
from tests.conftest import CHECKOUT

pytestmark = pytest.mark.real

BLOCK = re.compile(r"^(?P<run><!-- run -->\n)?```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"# exits with (\d+)")
DONE = "@@done {} {}@@"


@dataclass(frozen=True)
class Example:
    """One command of a page: what is typed, the lines of output shown, the exit code it must have."""

    command: str
    shown: tuple[str, ...]
    exit_code: int


def examples(page: str, *, marked_only: bool) -> list[Example]:
    """The examples of a page in ``docs/``, in order; ``...`` in a shown line stands for anything."""
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    bodies = [block["body"] for block in BLOCK.finditer(text) if block["run"] or not marked_only]
    return [example for body in bodies for example in _of_block(body)]


def _of_block(body: str) -> list[Example]:
    found: list[tuple[list[str], list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line == ">" or line.startswith("> "):
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [_example("\n".join(command), shown) for command, shown in found]


def _example(command: str, lines: list[str]) -> Example:
    codes = [int(match[1]) for line in lines if (match := EXITS.fullmatch(line))]
    shown = tuple(line for line in lines if line.strip(" .") and not EXITS.fullmatch(line))
    return Example(command, shown, codes[0] if codes else 0)


def run_in_one_session(wanted: list[Example], folder: Path) -> list[tuple[int, str]]:
    """Each example's exit code and output, all typed into one bash that starts in ``folder``."""
    script = folder / "session.sh"
    script.write_text(
        "".join(
            f"{example.command}\nprintf '\\n%s\\n' \"{DONE.format(number, '$?')}\"\n"
            for number, example in enumerate(wanted)
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        ["bash", str(script)],
        cwd=_made(folder / "work"),
        env=_environment(_made(folder / "bin")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    results, rest = [], done.stdout
    for number in range(len(wanted)):
        ended = re.search(DONE.format(number, r"(\d+)"), rest)
        assert ended, f"the session ended in {wanted[number].command!r}:\n{rest}"
        results.append((int(ended[1]), rest[: ended.start()]))
        rest = rest[ended.end() :]
    return results


def _environment(programs: Path) -> dict[str, str]:
    """The reader's: the command and the checkout are known, nothing of this test's own project is."""
    source = Path(clearspot.__file__).parents[1]
    for name, arguments in {"clearspot": "-W ignore -m clearspot", "python": ""}.items():
        program = programs / name
        program.write_text(
            f'#!/bin/sh\nexec env PYTHONPATH={shlex.quote(str(source))}:"$PYTHONPATH" '
            f'{shlex.quote(sys.executable)} {arguments} "$@"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
    kept = {name: text for name, text in os.environ.items() if name not in {"CLEARSPOT_PROJECT", "CLEARSPOT_OFFLINE"}}
    return kept | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CLEARSPOT_CHECKOUT": str(CHECKOUT),
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def not_shown(example: Example, output: str) -> list[str]:
    """The lines that the page shows and the output does not have, whatever the spacing."""
    printed = [" ".join(line.split()) for line in output.splitlines()]
    return [line for line in example.shown if not any(_pattern(line).search(one) for one in printed)]


def _pattern(line: str) -> re.Pattern[str]:
    parts = [r"\s+".join(re.escape(word) for word in part.split()) for part in line.split("...")]
    return re.compile(".*".join(parts))


def test_a_shown_line_must_be_printed() -> None:
    example = _example("x", ["one  two", "...", "three ... five", "# exits with 1"])
    assert example == Example("x", ("one  two", "three ... five"), 1)
    assert not_shown(example, "  one two\nthree four five\n") == []
    assert not_shown(example, "one, two\nthree four\n") == ["one  two", "three ... five"]


@pytest.mark.parametrize(("page", "marked_only"), [("tutorial.md", False), ("how-to.md", True), ("plug-ins.md", False)])
def test_the_page_is_true(page: str, marked_only: bool, tmp_path: Path) -> None:
    wanted = examples(page, marked_only=marked_only)
    assert len(wanted) > 10
    for example, (code, output) in zip(wanted, run_in_one_session(wanted, tmp_path), strict=True):
        told = f"{page}: $ {example.command}\n{output}"
        assert code == example.exit_code, told
        assert not_shown(example, output) == [], told
