"""The audit log: what is written stands, in order, whoever writes and whatever dies; and what was touched is named."""

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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.audit import HEAD_FILE, LOG_FILE, NOTHING, AuditLog, Event
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.engines.weights import load_weights
from clearspot.errors import ClearspotError, MachineFault, Refused
from clearspot.gate.receipt import sign_receipt, to_text
from clearspot.hashing import canonical_json, sha256_bytes
from clearspot.project import Project
from clearspot.provenance.keys import RECEIPT_KEY, load_private_key
from clearspot.signing import key_id
from tests.conftest import a_use

Call = Callable[..., tuple[int, str, str]]
Lines = list[bytes]
COUNT = 8


def a_log(folder: Path, key: Ed25519PrivateKey, **others: Any) -> AuditLog:
    return AuditLog(folder, key, {key_id(key.public_key()): key.public_key()}, **others)


def entries(log: AuditLog) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.event, entry.data) for _, entry in log.read()]


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def log(tmp_path: Path, key: Ed25519PrivateKey) -> AuditLog:
    begun = a_log(tmp_path / "audit", key)
    begun.begin()
    return begun


@pytest.fixture
def authority(project: Project) -> Authority:
    """What decides about consent in this test's project, with a log that was only just begun."""
    made = writing_authority(project)
    shutil.rmtree(made.log.folder)
    made.log.begin()
    return made


@pytest.fixture
def eight(authority: Authority) -> AuditLog:
    """The project's log, with eight entries: the first is what every log begins with."""
    for number in range(2, COUNT + 1):
        authority.log.append("approval", {"of": "script", "spot": f"spot-{number}", "by": "Ana"})
    return authority.log


# --- writing and reading ---------------------------------------------------------------------------------------


def test_a_log_begins_once(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = a_log(tmp_path / "some" / "where", key)
    assert (log.exists, log.begin(), log.exists, log.begin()) == (False, True, True, False)
    ((position, first),) = log.read()
    assert (first.n, first.event, first.data, first.previous) == (1, "begun", {}, NOTHING)
    assert (position.n, position.offset, position.sha256) == (1, log.path.stat().st_size, first.sha256)


def test_without_a_log_nothing_is_written_or_read(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = a_log(tmp_path / "audit", key)
    for ask in (lambda: log.append("grant", {}), lambda: list(log.read()), log.head):
        with pytest.raises(Refused, match=r"^.*: there is no audit log here\. `clearspot keys init` begins one; "):
            ask()
    assert log.inspect() == (0, ("there is no audit log here.",))
    assert not log.exists


def test_each_entry_names_the_one_before_and_the_head_the_last(log: AuditLog) -> None:
    written = [log.append("grant", {"spot": name}) for name in ("one", "two", "drei — ☕")]
    lines = log.path.read_bytes().splitlines()
    assert [entry.line for entry in written] == lines[1:]
    assert [json.loads(line)["previous"] for line in lines] == [NOTHING, *map(sha256_bytes, lines[:-1])]
    head = log.head()
    assert (head.n, head.size_bytes, head.sha256) == (4, log.path.stat().st_size, sha256_bytes(lines[-1]))
    assert written[-1].anchor == {"entry": 4, "sha256": head.sha256}


def test_reading_goes_on_where_it_stopped(log: AuditLog) -> None:
    log.append("grant", {"spot": "one"})
    *_, (position, _) = log.read()
    assert list(log.read(position)) == []
    log.append("refusal", {"why": "no"})
    assert [entry.data for _, entry in log.read(position)] == [{"why": "no"}]


def test_who_has_no_key_reads_and_does_not_write(log: AuditLog, key: Ed25519PrivateKey) -> None:
    reader = AuditLog(log.folder, None, {key_id(key.public_key()): key.public_key()})
    assert entries(reader) == [("begun", {})]
    with pytest.raises(ValueError, match="this log was opened to be read"):
        reader.append("grant", {})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
EVENTS = st.tuples(st.sampled_from(get_args(Event)), st.dictionaries(st.text(max_size=8), VALUES, max_size=4))


@settings(max_examples=15, deadline=None)
@given(st.lists(EVENTS, max_size=6))
def test_any_events_read_back_as_they_were_written(events: list[tuple[Event, dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = a_log(Path(folder), Ed25519PrivateKey.generate())
        log.begin()
        for event, data in events:
            log.append(event, data)
        assert entries(log) == [("begun", {}), *events]
        assert log.inspect() == (len(events) + 1, ())


def test_half_a_character_is_told_and_nothing_is_written(log: AuditLog) -> None:
    """What a command line in another encoding may hold: it has no bytes, so it cannot be hashed."""
    with pytest.raises(ClearspotError):
        log.append("approval", {"by": "\udcff"})
    assert entries(log) == [("begun", {})]


# --- tampering -------------------------------------------------------------------------------------------------


def edited(n: int, /, **fields: Any) -> Callable[[Lines], Lines]:
    """One entry with other fields, written as the house writes it."""

    def edit(lines: Lines) -> Lines:
        lines[n - 1] = canonical_json(json.loads(lines[n - 1]) | fields)
        return lines

    return edit


def forged(lines: Lines, start: int, stop: int) -> Lines:
    """Lines of somebody without the key: renumbered and chained as they should be, and somewhat other words."""
    for index in range(start, stop):
        value = json.loads(lines[index])
        value["n"], value["previous"] = index + 1, sha256_bytes(lines[index - 1]) if index else NOTHING
        value["data"] = {name: "Eva" if name == "by" else text for name, text in value["data"].items()}
        lines[index] = canonical_json(value)
    return lines


TAMPERED = "the audit log was tampered with or damaged: {} the 8 entries that were signed."
LONGER, SHORTER = TAMPERED.format("there is more in it than"), TAMPERED.format("it is shorter than")
ANEW = "the last entry is not entry 8 that was signed: the log was written anew"

TOUCHED: dict[str, tuple[Callable[[Lines], Lines], tuple[str, ...]]] = {
    "the first is removed": (lambda lines: lines[1:], ("entry 1 is missing",)),
    "one in the middle is removed": (lambda lines: lines[:3] + lines[4:], ("entry 4 is missing",)),
    "the last two are removed": (lambda lines: lines[:-2], ("entry 7 is missing", "entry 8 is missing")),
    "all are removed": (lambda lines: [], (SHORTER,)),
    "neighbours swapped": (
        lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], ("entry 4 stands out of its place, after entry 5",)
    ),
    "the last two swapped": (
        lambda lines: [*lines[:6], lines[7], lines[6]], ("entry 7 stands out of its place, after entry 8",)
    ),
    "one is there twice": (lambda lines: [*lines[:4], *lines[3:]], ("entry 4 is there twice",)),
    "one is copied over another": (
        lambda lines: [*lines[:4], lines[3], *lines[5:]], ("entry 4 is there twice", "entry 5 is missing")
    ),
    "a forged one is put in before the real one": (
        lambda lines: [*lines[:4], *edited(1, data={"by": "Eva"})(lines[4:5]), *lines[4:]],
        ("entry 5 is there twice",),
    ),
    "a forged one is put in, those after it chained anew": (
        lambda lines: forged([*lines[:4], lines[4], *lines[4:]], 4, 9), (LONGER,)
    ),
    "one is added": (lambda lines: forged([*lines, lines[-1]], 8, 9), (LONGER,)),
    "all are written anew, as long as before": (lambda lines: forged(lines, 1, 8), (ANEW,)),
    "all are written anew, in other words": (
        lambda lines: forged(edited(8, data={"by": "Ana", "more": "words" * 9})(lines), 1, 8), (ANEW,)
    ),
    "the last is another, as long as before": (
        edited(8, data={"of": "script", "spot": "spot-8", "by": "Eva"}), (ANEW,)
    ),
    "the last is longer": (edited(8, data={"by": "somebody else, with quite a long name"}), (ANEW,)),
    "a number is huge": (edited(4, n=10**18), ("entry 4 is missing",)),
    "a number is too huge to be read": (
        lambda lines: [*lines[:3], b'{"n":' + b"9" * 5000 + b"}", *lines[4:]],
        ("line 4 is no entry", "entry 4 is missing"),
    ),
    "one is no JSON": (lambda lines: [*lines[:3], b"\xff" * len(lines[3]), *lines[4:]], ("line 4 is no entry",)),
    "one is another kind of JSON": (lambda lines: [*lines[:3], b"[4]", *lines[4:]], ("line 4 is no entry",)),
    "one is nested too deep": (lambda lines: [*lines[:3], b"[" * 100_000, *lines[4:]], ("line 4 is no entry",)),
    "one is empty": (lambda lines: [*lines[:3], b"", *lines[4:]], ("line 4 is no entry",)),
}  # fmt: skip


def accused(problems: Iterable[str]) -> list[int]:
    """The entries that are said to be changed."""
    return [int(found[1]) for told in problems if (found := re.search(r"\bentry (\d+) was changed", told))]


@pytest.mark.parametrize("case", TOUCHED)
def test_a_touched_log_is_named_and_not_read(eight: AuditLog, project: Project, clearspot: Call, case: str) -> None:
    change, told = TOUCHED[case]
    eight.path.write_bytes(b"".join(line + b"\n" for line in change(eight.path.read_bytes().splitlines())))
    code, out, _ = clearspot("audit", "verify", "--json")
    problems = json.loads(out)["problems"]
    assert (code, set(told) - set(problems), accused(problems)) == (1, set(), [])
    with pytest.raises(Refused, match="the audit log was tampered with or damaged: "):
        list(eight.read())
    with pytest.raises(Refused, match="the audit log was tampered with or damaged: "):
        ask(writing_authority(project), project)


def test_bytes_after_the_last_line_are_seen(eight: AuditLog) -> None:
    eight.path.write_bytes(eight.path.read_bytes() + b" ")
    assert eight.inspect() == (9, (LONGER, "line 9 is no entry"))


@pytest.mark.parametrize("n", [1, 4, 8])
def test_other_line_ends_are_seen(eight: AuditLog, n: int) -> None:
    """The same length, and the same lines to whoever splits them generously."""
    lines = eight.path.read_bytes().splitlines(keepends=True)
    lines[n - 1] = lines[n - 1].replace(b"\n", b"\r")
    eight.path.write_bytes(b"".join(lines))
    with pytest.raises(Refused, match="the audit log was tampered with or damaged: "):
        list(eight.read())
    assert eight.inspect()[1]


FIELDS = {"at": "2026-01-01T00:00:00.000+00:00", "event": "grant", "data": {"by": "Eva"}, "previous": "f" * 64}


@pytest.mark.parametrize("n", [2, 4, 7])
@pytest.mark.parametrize("field", FIELDS)
def test_the_changed_entry_is_named_and_no_innocent_one(eight: AuditLog, field: str, n: int) -> None:
    lines = edited(n, **{field: FIELDS[field]})(eight.path.read_bytes().splitlines())
    eight.path.write_bytes(b"\n".join(lines) + b"\n")
    told = accused(eight.inspect()[1])
    # Whether an entry lies about the one before, or that one was changed too, nobody can tell.
    assert told == [n] or (field == "previous" and told == [n - 1, n])


UNREADABLE, RESIGNED = "the head of the log cannot be read", "the head was changed after it was signed"
HEADS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not JSON": (lambda head: b"{", UNREADABLE),
    "empty": (lambda head: b"", UNREADABLE),
    "nested too deep": (lambda head: b"[" * 100_000, UNREADABLE),
    "a number in words": (lambda head: head.replace(b'"n":8', b'"n":"8"'), UNREADABLE),
    "a field more": (lambda head: head.replace(b'"n":8', b'"n":8,"m":8'), UNREADABLE),
    "another count": (lambda head: head.replace(b'"n":8', b'"n":7'), RESIGNED),
    "a huge count": (lambda head: head.replace(b'"n":8', b'"n":' + b"8" * 4000), RESIGNED),
    "another line": (lambda head: head.replace(b"Ana", b"Eva"), "the newest entry in the head was changed"),
    "no signature": (lambda head: re.sub(rb'"ed25519":"[^"]*"', b'"ed25519":""', head), RESIGNED),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_a_touched_head_is_not_believed(eight: AuditLog, clearspot: Call, case: str) -> None:
    change, told = HEADS[case]
    path = eight.folder / HEAD_FILE
    path.write_bytes(change(path.read_bytes()))
    code, out, err = clearspot("audit", "verify")
    assert (code, out) == (1, f"{eight.path}: 8 entries, NOT in order\n")
    assert err == f"clearspot: {eight.path}: the audit log was tampered with or damaged: {told}.\n"
    with pytest.raises(Refused, match=told):
        list(eight.read())


def test_a_head_signed_by_nobody_known_is_not_believed(eight: AuditLog, key: Ed25519PrivateKey) -> None:
    """A log that is in order, of another project or of whoever made a key: head alone, or log and head."""
    stranger = a_log(eight.folder.with_name("other"), key)
    stranger.begin()
    for _ in range(COUNT - 1):
        stranger.append("approval", {"of": "script"})
    for name in (HEAD_FILE, LOG_FILE):
        shutil.copy(stranger.folder / name, eight.folder / name)
        whose = f"the head is signed with key {key_id(key.public_key())}, which is none of this project's"
        assert eight.inspect()[1][0] == f"the audit log was tampered with or damaged: {whose}."
        with pytest.raises(Refused, match=whose):
            list(eight.read())


def test_a_missing_head_or_log_is_tampering_and_both_are_no_log(eight: AuditLog, project: Project) -> None:
    head = (eight.folder / HEAD_FILE).read_bytes()
    (eight.folder / HEAD_FILE).unlink()
    assert eight.inspect()[1] == ("the audit log was tampered with or damaged: the signed head of the log is missing.",)
    eight.path.unlink()
    assert eight.inspect() == (0, ("there is no audit log here.",))
    with pytest.raises(Refused, match="there is no audit log here"):
        ask(writing_authority(project), project)
    (eight.folder / HEAD_FILE).write_bytes(head)
    assert SHORTER in eight.inspect()[1]
    assert not eight.begin()


def test_a_folder_in_the_place_of_the_log_is_told(eight: AuditLog) -> None:
    eight.path.unlink()
    eight.path.mkdir()
    for ask_it in (eight.inspect, lambda: list(eight.read()), lambda: eight.append("grant", {})):
        with contextlib.suppress(ClearspotError):  # whichever: never a traceback
            assert not isinstance(ask_it(), list)


def receipt_of(project: Project, anchor: object) -> Path:
    path = project.root / "x.receipt.json"
    receipt = sign_receipt({"audit": anchor}, load_private_key(project.keys_dir / RECEIPT_KEY))
    path.write_bytes(to_text(receipt))
    return path


def test_an_older_state_put_back_is_in_order_by_itself_and_a_receipt_gives_it_away(
    eight: AuditLog, project: Project, clearspot: Call, tmp_path: Path
) -> None:
    """What a log cannot know of itself: that there was more of it once. What left since then knows."""
    shutil.copytree(eight.folder, older := tmp_path / "older")
    receipt = receipt_of(project, eight.append("export", {"path": "a.wav"}).anchor)
    assert clearspot("audit", "verify", "--receipt", receipt)[0] == 0
    held = eight.head()
    for begin_anew, count in ((False, 8), (True, 1)):
        shutil.rmtree(eight.folder)
        if begin_anew:
            eight.begin()
        else:
            shutil.copytree(older, eight.folder)
        assert clearspot("audit", "verify")[:2] == (0, f"{eight.path}: {count} entries, all in order\n")
        code, _, err = clearspot("audit", "verify", "--receipt", receipt)
        problem = f"entry {held.n} is not the export that the receipt names: the log was cut or written anew"
        assert (code, err) == (1, f"clearspot: {eight.path}: {receipt}: {problem}\n")


def test_who_has_read_further_than_an_older_state_sees_that(
    authority: Authority, eight: AuditLog, tmp_path: Path
) -> None:
    shutil.copytree(eight.folder, older := tmp_path / "older")
    eight.append("approval", {"by": "Ana"})
    with authority.ledger.turn():
        pass
    shutil.rmtree(eight.folder)
    shutil.copytree(older, eight.folder)
    with pytest.raises(Refused, match="its last entry is not entry 8 that was signed"), authority.ledger.turn():
        pass


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


def ask(authority: Authority, project: Project) -> Grant:
    """Leave to speak with the shipped voice."""
    voice = load_voice("house", project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (a_use(),), authority, weights=weights, step="speak")


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
