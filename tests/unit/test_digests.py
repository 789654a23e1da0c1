"""Remembered digests: right whatever happened to the file, and right without the book that they are written in."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clearspot import digests
from clearspot.digests import digest_book
from clearspot.errors import MachineFault
from clearspot.hashing import sha256_bytes, sha256_file

SETTLED_S = digests.SETTLED_S


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sets back when a file last changed in any way, so young files count as old here."""
    monkeypatch.setattr(digests, "SETTLED_S", -10.0)


@pytest.fixture
def young(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is outside of tests."""
    monkeypatch.setattr(digests, "SETTLED_S", SETTLED_S)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return settled(tmp_path / "recording.flac", b"first")


def settled(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file whose bytes were read, in order."""
    seen: list[Path] = []

    def read(path: Path) -> str:
        seen.append(path)
        return sha256_file(path)

    monkeypatch.setattr(digests, "sha256_file", read)
    return seen


def asked(book: Path, *files: Path) -> list[str]:
    """What a process of its own is told of some files."""
    with digest_book(book) as opened:
        return [opened.sha256(file) for file in files]


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    book, digest = tmp_path / "state" / "digests.sqlite", sha256_bytes(b"first")
    assert asked(book, file, file) == [digest, digest]
    assert asked(book, file) == [digest]
    assert reads == [file]


def test_a_file_by_another_name_is_the_same_file(
    tmp_path: Path, file: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link.flac"
    link.symlink_to(file)
    asked(tmp_path / "digests.sqlite", file, Path("recording.flac"), tmp_path / "." / "recording.flac", link)
    assert reads == [file]


def set_back(file: Path, change: Callable[[], object]) -> None:
    """Change a file and set its time back to what it was: the system still knows."""
    before = file.stat()
    change()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def replace_with(file: Path, data: bytes) -> None:
    other = file.with_name("other")
    other.write_bytes(data)
    os.replace(other, file)


CHANGES: dict[str, tuple[Callable[[Path], object], bytes]] = {
    "another size": (lambda file: file.write_bytes(b"second"), b"second"),
    "the same size": (lambda file: file.write_bytes(b"other"), b"other"),
    "emptied": (lambda file: file.write_bytes(b""), b""),
    "the same size, and its time set back": (
        lambda file: set_back(file, lambda: file.write_bytes(b"other")), b"other"
    ),
    "another file in its place": (lambda file: replace_with(file, b"other"), b"other"),
    "another file in its place, as old": (lambda file: set_back(file, lambda: replace_with(file, b"other")), b"other"),
    "in its middle, and its time set back": (lambda file: set_back(file, lambda: poke(file)), b"fiRst"),
    "a link to another, as old": (lambda file: set_back(file, lambda: relink(file)), b"other"),
    "written anew, the same": (lambda file: file.write_bytes(b"first"), b"first"),
    "touched": (lambda file: os.utime(file, (0, 0)), b"first"),
    "other rights": (lambda file: file.chmod(0o600), b"first"),
}  # fmt: skip


def poke(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(2)
        opened.write(b"R")


def relink(file: Path) -> None:
    file.with_name("other").write_bytes(b"other")
    file.unlink()
    file.symlink_to(file.with_name("other"))


@pytest.mark.parametrize("case", CHANGES)
def test_every_change_is_noticed(tmp_path: Path, file: Path, case: str) -> None:
    """Also within one process, and also where somebody set the file's time back."""
    change, now = CHANGES[case]
    book = tmp_path / "digests.sqlite"
    with digest_book(book) as opened:
        assert opened.sha256(file) == sha256_bytes(b"first")
        change(file)
        assert opened.sha256(file) == sha256_bytes(now)
    assert asked(book, file) == [sha256_bytes(now)]


@pytest.mark.usefixtures("young")
def test_a_file_that_is_written_again_and_again_is_never_mistaken(tmp_path: Path, file: Path) -> None:
    with digest_book(tmp_path / "digests.sqlite") as book:
        for number in range(300):
            data = f"{number:05}".encode()
            file.write_bytes(data)
            assert book.sha256(file) == sha256_bytes(data), number


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize("age_s", [0, 60, 3600])
def test_a_file_that_was_just_written_is_not_remembered(
    tmp_path: Path, file: Path, reads: list[Path], age_s: float
) -> None:
    """It may change again within one step of its disk's clock, and nothing but its bytes would tell."""
    os.utime(file, (time.time() - age_s,) * 2)
    for _ in range(3):
        assert asked(tmp_path / "digests.sqlite", file) == [sha256_bytes(b"first")]
    assert len(reads) == 3


@pytest.mark.usefixtures("young")
def test_times_that_come_in_coarse_steps(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux before 6.13, and on many network disks, they come in steps of 1 to 10 ms."""

    def coarse(path: Path) -> str:
        stat = path.stat()
        steps = [time_ns // 10_000_000 for time_ns in (stat.st_mtime_ns, stat.st_ctime_ns)]
        return " ".join(map(str, (stat.st_dev, stat.st_ino, stat.st_size, *steps)))

    monkeypatch.setattr(digests, "_stat", coarse)
    with digest_book(tmp_path / "digests.sqlite") as book:
        for number in range(200):
            data = f"{number:05}".encode()
            file.write_bytes(data)
            assert book.sha256(file) == sha256_bytes(data), number


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_slowly(path: Path) -> str:
        digest = sha256_file(path)
        path.write_bytes(b"meanwhile")
        return digest

    book = tmp_path / "digests.sqlite"
    monkeypatch.setattr(digests, "sha256_file", read_slowly)
    assert asked(book, file) == [sha256_bytes(b"first")]
    monkeypatch.undo()
    assert asked(book, file) == [sha256_bytes(b"meanwhile")]


def test_a_file_that_is_not_there_is_a_machine_fault(tmp_path: Path, file: Path) -> None:
    book = tmp_path / "digests.sqlite"
    asked(book, file)
    file.unlink()
    with pytest.raises(MachineFault, match=r"recording\.flac: "):
        asked(book, file)


# --- several at once ---------------------------------------------------------------------------------------------


def test_nobody_waits_for_a_sweep_that_has_the_book_open(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    """A sweep may take hours; what it learnt is of use to others at once, and they may write too."""
    book, other = tmp_path / "digests.sqlite", settled(tmp_path / "bed.flac", b"bed")
    with digest_book(book) as sweep:
        sweep.sha256(file)
        began = time.monotonic()
        assert asked(book, file, other) == [sha256_bytes(b"first"), sha256_bytes(b"bed")]
        assert time.monotonic() - began < 0.5
        assert sweep.sha256(other) == sha256_bytes(b"bed")
    assert reads == [file, other]


def test_many_books_at_once_are_all_right(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(40)]
    for file in files:
        settled(file, file.name.encode())
    with ThreadPoolExecutor(8) as pool:
        told = [pool.submit(asked, tmp_path / "state" / "digests.sqlite", *files) for _ in range(8)]
    assert [each.result() for each in told] == [[sha256_bytes(file.name.encode()) for file in files]] * 8


# --- without its file --------------------------------------------------------------------------------------------


def as_table(sql: str) -> Callable[[Path], object]:
    """A book that another program wrote."""

    def do(book: Path) -> None:
        with sqlite3.connect(book) as database:
            database.executescript(sql)

    return do


SPOILT: dict[str, Callable[[Path], object]] = {
    "emptied": lambda book: book.write_bytes(b""),
    "no database": lambda book: book.write_bytes(b"not a database" * 500),
    "cut in half": lambda book: book.write_bytes(book.read_bytes()[: len(book.read_bytes()) // 2]),
    "its end zeroed": lambda book: book.write_bytes(book.read_bytes()[:4096] + bytes(len(book.read_bytes()) - 4096)),
    "every byte after the head another": lambda book: book.write_bytes(
        book.read_bytes()[:100] + bytes(byte ^ 255 for byte in book.read_bytes()[100:])
    ),
    "another table of that name": as_table("DROP TABLE digests; CREATE TABLE digests (path INTEGER)"),
    "a view of that name": as_table("DROP TABLE digests; CREATE VIEW digests AS SELECT 1 AS path"),
    "rows of another kind": as_table("UPDATE digests SET stat = 5, sha256 = x'00'"),
    "a folder": lambda book: (book.unlink(), book.mkdir()),
    "a link to nowhere": lambda book: (book.unlink(), book.symlink_to("/nowhere/at/all")),
    "not to be written": lambda book: book.chmod(0o400),
}


@pytest.mark.parametrize("case", SPOILT)
def test_without_a_whole_book_every_digest_is_right_all_the_same(tmp_path: Path, file: Path, case: str) -> None:
    book, other = tmp_path / "state" / "digests.sqlite", tmp_path / "bed.flac"
    other.write_bytes(b"bed")
    asked(book, file)
    SPOILT[case](book)
    file.write_bytes(b"second")
    for _ in range(2):
        assert asked(book, file, other) == [sha256_bytes(b"second"), sha256_bytes(b"bed")]


DAMAGED: dict[str, Callable[[Path], object]] = {
    "no database": lambda book: book.write_bytes(b"not a database" * 500),
    "another file's head": lambda book: book.write_bytes(b"fLaC" + book.read_bytes()[4:]),
    "cut within its head": lambda book: book.write_bytes(book.read_bytes()[:50] + b"?"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_book_is_replaced(tmp_path: Path, file: Path, reads: list[Path], case: str) -> None:
    """It holds nothing that cannot be had again; without a new one every plan would read every file for ever."""
    book = tmp_path / "digests.sqlite"
    asked(book, file)
    DAMAGED[case](book)
    for _ in range(3):
        assert asked(book, file) == [sha256_bytes(b"first")]
    assert reads == [file, file], "once before, and once for the new book"


def test_where_no_book_can_be_every_digest_is_right_too(tmp_path: Path, file: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file where a folder should be")
    assert asked(tmp_path / "state" / "digests.sqlite", file) == [sha256_bytes(b"first")]
    assert asked(Path("/proc/none/digests.sqlite"), file) == [sha256_bytes(b"first")]


def test_a_disk_that_is_read_only(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was remembered before is still of use; what is new is read."""
    book = tmp_path / "digests.sqlite"
    asked(book, file)
    connect = sqlite3.connect
    monkeypatch.setattr(
        digests.sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more)
    )
    other = tmp_path / "bed.flac"
    other.write_bytes(b"bed")
    assert asked(book, file, other, other) == [sha256_bytes(b"first"), *[sha256_bytes(b"bed")] * 2]


def test_a_false_entry_can_only_come_from_who_wrote_the_book(tmp_path: Path, file: Path) -> None:
    """A plan would be wrong with it, and a run would not: what a run keeps or exports it reads itself."""
    book = tmp_path / "digests.sqlite"
    asked(book, file)
    as_table("UPDATE digests SET sha256 = 'somebody else''s'")(book)
    assert asked(book, file) == ["somebody else's"]
