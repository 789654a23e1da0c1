"""The audit log: what is written stands, in order, whoever writes and whatever dies; and what was touched is named."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.audit import HEAD_FILE, LOG_FILE, NOTHING, AuditLog, Event
from clearspot.consent.authority import Authority, writing_authority
from clearspot.errors import ClearspotError, Refused
from clearspot.gate.receipt import sign_receipt, to_text
from clearspot.hashing import canonical_json, sha256_bytes
from clearspot.project import Project
from clearspot.provenance.keys import RECEIPT_KEY, load_private_key
from clearspot.signing import key_id
from tests.unit.audit_scenes import COUNT, Call, Lines, a_log, ask, authority, eight, entries, key, log

__all__ = ["authority", "eight", "key", "log"]


# --- writing and reading ---------------------------------------------------------------------------------------


def test_a_log_begins_once(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = a_log(tmp_path / "some" / "where", key)
    assert (log.exists, log.begin(), log.exists, log.begin()) == (False, True, True, False)
    ((position, first),) = log.read()
    assert (first.n, first.event, first.data, first.previous) == (1, "begun", {}, NOTHING)
    assert (position.n, position.offset, position.sha256) == (1, log.path.stat().st_size, first.sha256)


def test_without_a_log_nothing_is_written_or_read(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    log = a_log(tmp_path / "audit", key)
    for asking in (lambda: log.append("grant", {}), lambda: list(log.read()), log.head):
        with pytest.raises(Refused, match=r"^.*: there is no audit log here\. `clearspot keys init` begins one; "):
            asking()
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
