"""The audit log: what dies in the middle, clocks, disks, several at once, and looking at it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.audit import AuditLog
from clearspot.consent.authority import Authority, writing_authority
from clearspot.errors import MachineFault, Refused
from clearspot.project import Project
from clearspot.provenance.keys import RECEIPT_KEY
from tests.unit.audit_scenes import COUNT, Call, a_log, ask, authority, eight, entries, key, log

__all__ = ["authority", "eight", "key", "log"]


# --- what dies in the middle -----------------------------------------------------------------------------------


def test_a_line_that_was_cut_anywhere_is_completed(log: AuditLog) -> None:
    """The head comes first: whoever died after it left any part of the line, or none."""
    log.append("grant", {"spot": "☕"})
    whole, line = log.path.read_bytes(), log.head().line.encode() + b"\n"
    for cut in range(len(line) + 1):
        log.path.write_bytes(whole[: len(whole) - cut])
        assert log.head().n == 2
        assert log.path.read_bytes() == whole
    log.path.write_bytes(whole[:-9] + b"#")
    with pytest.raises(Refused, match="the audit log was tampered with or damaged: "):
        log.head()


@pytest.mark.parametrize("left", [None, b"", b'{"at'], ids=["no file", "an empty file", "some of it"])
def test_the_very_first_line_is_completed_too(log: AuditLog, left: bytes | None) -> None:
    log.path.unlink()
    if left is not None:
        log.path.write_bytes(left)
    assert log.inspect() == (1, ())
    assert entries(log) == [("begun", {})]


APPENDER = """
import sys
from pathlib import Path
from clearspot.audit import AuditLog
from clearspot.provenance.keys import load_private_key
from clearspot.signing import key_id

folder, key_path, name, count = sys.argv[1:]
key = load_private_key(Path(key_path))
log = AuditLog(Path(folder), key, {key_id(key.public_key()): key.public_key()})
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(count)):
    log.append("approval", {"by": name, "number": number})
    print(number, flush=True)
"""


def appender(log: AuditLog, project: Project, name: str, count: int) -> subprocess.Popen[str]:
    """A process that is about to write, once it is told to."""
    key = project.keys_dir / RECEIPT_KEY
    command = [sys.executable, "-c", APPENDER, str(log.folder), str(key), name, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def begin(child: subprocess.Popen[str]) -> None:
    assert child.stdin
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()


def test_killed_processes_leave_a_log_that_verifies(authority: Authority, project: Project) -> None:
    log, chance = authority.log, random.Random(20)
    children = [appender(log, project, str(name), 10_000) for name in range(10)]
    for name, child in enumerate(children):
        begin(child)
        assert child.stdout
        told = [child.stdout.readline() for _ in range(chance.randint(1, 4))]
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(chance.random() * 0.03)
        child.kill()
        child.communicate()
        count, problems = log.inspect()
        written = [data["number"] for _, data in entries(log) if data.get("by") == str(name)]
        assert (problems, written) == ((), list(range(len(written))))
        assert count > len(written) >= len(told)


def test_four_processes_at_once_lose_nothing(authority: Authority, project: Project) -> None:
    children = [appender(authority.log, project, str(name), 50) for name in range(4)]
    for child in children:
        begin(child)
    assert [child.communicate(timeout=60) and child.returncode for child in children] == [0, 0, 0, 0]
    assert_all_landed(authority.log, 4)


def test_eight_threads_at_once_lose_nothing(authority: Authority, project: Project) -> None:
    """Half of them share a log, the others opened one each."""

    def write(name: int) -> None:
        log = authority.log if name % 2 else writing_authority(project).log
        for number in range(50):
            log.append("approval", {"by": str(name), "number": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert_all_landed(authority.log, 8)


def assert_all_landed(log: AuditLog, writers: int) -> None:
    assert log.inspect() == (1 + writers * 50, ())
    for name in range(writers):
        assert [data["number"] for _, data in entries(log) if data.get("by") == str(name)] == list(range(50))


# --- clocks, disks, and looking at it --------------------------------------------------------------------------


@pytest.mark.parametrize(("back_s", "refused"), [(-86_400, False), (4, False), (6, True), (400 * 86_400, True)])
def test_a_clock_that_runs_backwards_gives_no_grant(
    eight: AuditLog, authority: Authority, project: Project, back_s: int, refused: bool
) -> None:
    newest = [entry for _, entry in eight.read()][-1].time
    eight.clock = lambda: newest - dt.timedelta(seconds=back_s)
    if not refused:
        assert ask(authority, project).at == eight.clock()
        return
    told = f"this machine's clock says {eight.clock():%Y-%m-%dT%H:%M:%S}+00:00, and the audit log's newest entry is of "
    for attempt in (lambda: ask(authority, project), lambda: eight.append("approval", {})):
        with pytest.raises(Refused, match=re.escape(told)):
            attempt()
    assert eight.inspect() == (COUNT, ())


@contextlib.contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    """A disk that is full: the system itself takes no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("room", "fits"), [(None, "nothing"), (0, "the head"), (20, "a part of the line")], ids=str)
def test_on_a_full_disk_nothing_is_granted(
    eight: AuditLog, authority: Authority, project: Project, room: int | None, fits: str
) -> None:
    """What was signed in the head before the disk was full is completed later: told too often, never too seldom."""
    for _ in range(8):  # longer than a head
        ask(authority, project)
    count = eight.head().n
    size_bytes = 200 if room is None else eight.path.stat().st_size + room
    with no_file_longer_than(size_bytes), pytest.raises(MachineFault, match=r"cannot be written: File too large\."):
        ask(authority, project)
    assert eight.inspect() == (count + (fits != "nothing"), ())


def test_where_the_log_cannot_be_nothing_is_granted(eight: AuditLog, authority: Authority, project: Project) -> None:
    shutil.rmtree(eight.folder)
    eight.folder.write_text("a file")
    with pytest.raises(MachineFault, match=r"cannot be written to: File exists\."):
        ask(authority, project)


@contextlib.contextmanager
def as_somebody_without_rights() -> Iterator[None]:
    """Rights of a user that owns nothing here, where tests are run by one who may do anything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_log_in_a_folder_that_may_only_be_read_takes_nothing(key: Ed25519PrivateKey) -> None:
    with tempfile.TemporaryDirectory() as outer:
        log = a_log(Path(outer) / "audit", key)
        log.begin()
        Path(outer).chmod(0o755)
        log.folder.chmod(0o555)
        with (
            as_somebody_without_rights(),
            pytest.raises(MachineFault, match=r"cannot be written( to)?: Permission denied\."),
        ):
            log.append("grant", {})
        log.folder.chmod(0o755)
        assert log.inspect() == (1, ())


SHOWN: dict[str, tuple[tuple[str, ...], list[int]]] = {
    "everything": ((), [1, 2, 3, 4, 5]),
    "one kind": (("--event", "grant"), [2, 3]),
    "one voice, revocations of it too": (("--voice", "house"), [2, 5]),
    "one kind of one voice": (("--voice", "house", "--event", "grant"), [2]),
    "the newest": (("--last", "2"), [4, 5]),
    "the newest of one kind": (("--last", "1", "--event", "grant"), [3]),
    "a kind there is none of": (("--event", "export"), []),
}


@pytest.mark.parametrize("case", SHOWN)
def test_the_log_is_shown_as_asked(authority: Authority, clearspot: Call, case: str) -> None:
    arguments, shown = SHOWN[case]
    for voice in ("house", "other"):
        authority.log.append("grant", {"voice": voice, "spot": "lumen", "record_sha256": "f" * 64})
    authority.log.append("approval", {"of": "script", "spot": "lumen"})
    authority.log.append("revocation", {"revocation": {"voice": "house"}})
    code, out, _ = clearspot("audit", "show", *arguments, "--json")
    assert (code, [entry["n"] for entry in json.loads(out)["entries"]]) == (0, shown)
    code, out, _ = clearspot("audit", "show", *arguments)
    assert (code, [int(line.split()[0]) for line in out.splitlines()]) == (0, shown)
    assert "f" * 64 not in out
    if 2 in shown:
        assert re.search(
            r"^ {5}2 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  grant      spot lumen, voice house$", out, re.MULTILINE
        )


def test_showing_a_log_that_is_not_there_or_touched_is_refused(eight: AuditLog, clearspot: Call) -> None:
    eight.path.write_bytes(eight.path.read_bytes().replace(b"Ana", b"Eva", 1))
    code, _, err = clearspot("audit", "show")
    assert (code, "entry 3 does not follow the one before it" in err) == (1, True)
    shutil.rmtree(eight.folder)
    code, _, err = clearspot("audit", "show")
    assert (code, "there is no audit log here." in err) == (1, True)
