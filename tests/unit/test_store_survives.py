"""The store in bad times: things in its way, disks full or not to be written, clocks, kills, many at once."""

from __future__ import annotations

import errno
import itertools
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clearspot import files
from clearspot import store as store_module
from clearspot.errors import MachineFault
from clearspot.files import PARTIAL
from clearspot.hashing import sha256_bytes
from clearspot.shelves import Folder
from clearspot.store import Store, Swept
from tests.unit.store_scenes import (
    GB,
    Run,
    an_action,
    blob_name,
    flipped,
    keep_text,
    key_of,
    read_back,
    record_name,
    said,
    spoil,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "store")


def halves(folder: Path) -> list[Path]:
    """Files that are not whole."""
    return list(folder.rglob(f"*{PARTIAL}"))


# --- a store that gives trouble --------------------------------------------------------------------------------


def a_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a file where a folder should be")


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "kept").mkdir(parents=True)


KEY, OUTPUT = an_action("Hello").key, sha256_bytes(said("Hello").encode())
IN_THE_WAY: dict[str, tuple[bool, str, Callable[[Path], None]]] = {
    "the store is a file": (False, "", a_file),
    "its records are a file": (False, "records", a_file),
    "its blobs are a file": (False, "blobs", a_file),
    "some records are a file": (False, f"records/{KEY[:2]}", a_file),
    "some blobs are a file": (False, f"blobs/{OUTPUT[:2]}", a_file),
    "a record is a folder": (True, record_name(KEY), a_folder),
    "a blob is a folder": (True, blob_name(OUTPUT), a_folder),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_what_is_in_the_way_is_a_warning_and_no_more(shelf: Folder, case: str) -> None:
    kept_before, place, put = IN_THE_WAY[case]
    if kept_before:
        keep_text(Store(shelf, GB), "Hello")
    put(shelf.root / place)
    run = Run(Store(shelf, GB))
    assert [run.ask(text) for text in ("Hello", "Good night", "Hello")] == [
        said("Hello"), said("Good night"), said("Hello"),
    ]  # fmt: skip
    assert (len(run.warnings), run.made) == (1, ["Hello", "Good night", "Hello"])
    (warning,) = run.warnings
    assert isinstance(warning, MachineFault)
    assert str(warning).startswith(f"{shelf.root}")
    assert ": the store is not used for the rest of this run: cannot be " in str(warning)


def test_many_at_once_are_warned_once(shelf: Folder) -> None:
    """All of them are asking already when the first trouble comes."""
    together, got = threading.Barrier(8), []

    class Failing(Folder):
        def read(self, name: str) -> bytes | None:
            together.wait(10)
            raise MachineFault("cannot be read.", where=name)

    run = Run(Store(Failing(shelf.root), GB))
    threads = [threading.Thread(target=lambda text=name: got.append(run.ask(text))) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == [said(name) for name in "abcdefgh"]
    assert (len(run.warnings), sorted(run.made)) == (1, list("abcdefgh"))


# --- disks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "told"), [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("step", ["mkstemp", "fsync", "replace"])
def test_what_cannot_be_written_is_a_warning_and_no_more(
    shelf: Folder, monkeypatch: pytest.MonkeyPatch, step: str, code: int, told: str
) -> None:
    keep_text(Store(shelf, GB), "Hello")

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.tempfile if step == "mkstemp" else files.os, step, fail)
    run = Run(Store(shelf, GB))
    assert [run.ask(text) for text in ("Hello", "One", "Two")] == [said("Hello"), said("One"), said("Two")]
    assert run.made == ["One", "Two"]
    (warning,) = run.warnings
    assert told in str(warning)
    monkeypatch.undo()
    assert halves(shelf.root) == []
    assert Store(shelf, GB).verify().damaged == ()


DISK_BYTES = 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB of this test's own; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "clearspot-test", str(place)]
    try:
        subprocess.run(asked, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {getattr(error, 'stderr', '') or error}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_time_and_nothing_else(disk: Path) -> None:
    shelf = Folder(disk / "store")
    texts = [name * 100_000 for name in "abcd"]
    run = Run(Store(shelf, GB))
    assert [run.ask(text) for text in texts] == [said(text) for text in texts]
    (warning,) = run.warnings
    assert "No space left on device" in str(warning)
    assert halves(disk) == []
    after = Run(Store(shelf, GB))
    assert [after.ask(text) for text in texts[:2]] == [said(text) for text in texts[:2]]
    assert (after.made, after.warnings) == ([], [])
    assert Store(shelf, GB).sweep(120_000).count == 2, "room can still be made"
    assert Run(Store(shelf, GB)).ask(texts[3]) == said(texts[3])
    assert read_back(Store(shelf, GB), an_action(texts[3]).key) == said(texts[3]).encode()


def test_room_for_a_blob_and_none_for_its_record(disk: Path) -> None:
    shelf = Folder(disk / "store")
    (disk / "others").write_bytes(bytes(DISK_BYTES - mmap.PAGESIZE))
    run = Run(Store(shelf, GB))
    assert (run.ask("Hello"), len(run.warnings)) == (said("Hello"), 1)
    assert {path.name for path in disk.rglob("*") if path.is_file()} == {"others", OUTPUT}
    assert Store(shelf, GB).find(an_action("Hello").key) is None
    (disk / "others").unlink()
    after = Run(Store(shelf, GB))
    assert (after.ask("Hello"), after.made, after.warnings) == (said("Hello"), ["Hello"], [])
    assert Store(shelf, GB).verify().damaged == ()


def test_from_a_disk_that_is_read_only_is_still_read(disk: Path) -> None:
    shelf = Folder(disk / "store")
    keep_text(Store(shelf, GB), "Hello")
    spoilt = keep_text(Store(shelf, GB), "Good night")
    spoil(shelf, blob_name(spoilt.output), flipped(3))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    run = Run(Store(shelf, GB))
    assert (run.ask("Hello"), run.made, run.warnings) == (said("Hello"), [], [])
    assert (run.ask("Good night"), run.made) == (said("Good night"), ["Good night"])
    (warning,) = run.warnings
    assert "Read-only file system" in str(warning)
    store = Store(shelf, GB)
    assert blob_name(spoilt.output) in store.verify().damaged
    store.sweep(0)
    assert Run(Store(shelf, GB)).ask("Hello") == said("Hello")


# --- clocks ----------------------------------------------------------------------------------------------------

TIMES = {"1970": 0.0, "2001": 1e9, "2242": 2.0**33}


def set_clock(monkeypatch: pytest.MonkeyPatch, *times: float) -> None:
    """What the store takes for now, one after the other and over again."""
    clock = itertools.cycle(times)
    for module in (store_module, files):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: next(clock)))


def everything_is_right(shelf: Folder, texts: list[str]) -> None:
    """Whatever the clock says, what is within the limit stays, and what is not there is made again."""
    store = Store(shelf, GB)
    assert store.sweep() == Swept(0, 0)
    assert store.verify().damaged == ()
    run = Run(store)
    assert [run.ask(text) for text in texts] == [said(text) for text in texts]
    assert (run.made, run.warnings, store.status().blobs) == ([], [], len(texts))
    store.sweep(store.status().bytes // 2)
    after = Run(Store(shelf, GB))
    assert [after.ask(text) for text in texts] == [said(text) for text in texts]
    assert (0 < len(after.made) < len(texts), after.warnings) == (True, [])
    store.sweep(0)
    assert store.status().bytes == 0


@pytest.mark.parametrize("now", TIMES)
@pytest.mark.parametrize("used", TIMES)
def test_no_clock_changes_a_value(shelf: Folder, monkeypatch: pytest.MonkeyPatch, used: str, now: str) -> None:
    set_clock(monkeypatch, TIMES[now])
    for text in ("One", "Two", "Six"):
        keep_text(Store(shelf, GB), text)
    for path in shelf.root.rglob("*"):
        os.utime(path, (TIMES[used],) * 2)
    everything_is_right(shelf, ["One", "Two", "Six"])


def test_nor_does_one_that_jumps(shelf: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, *TIMES.values(), -1e9, time.time())
    for number, text in enumerate(("One", "Two", "Six")):
        output = keep_text(Store(shelf, GB), text).output
        os.utime(shelf.root / blob_name(output), (1e9 * number,) * 2)
    everything_is_right(shelf, ["One", "Two", "Six"])


# --- what dies in the middle -----------------------------------------------------------------------------------

KEEPER = """
import sys
from pathlib import Path
from clearspot.hashing import sha256_bytes
from clearspot.shelves import Folder
from clearspot.store import Store

store, name = Store(Folder(Path(sys.argv[1])), 10**9), sys.argv[2]
print("ready", flush=True)
for number in range(10_000):
    text = f"{name} {number} "
    store.keep("speak", sha256_bytes(text.encode()), text.encode() * 5_000, {"number": number})
"""


def test_what_a_killed_process_kept_is_whole(shelf: Folder) -> None:
    for name in range(5):
        command = [sys.executable, "-c", KEEPER, str(shelf.root), str(name)]
        keeper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert keeper.stdout
        assert keeper.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.013 * name)
        keeper.send_signal(signal.SIGKILL)
        assert keeper.wait(10) == -signal.SIGKILL
        keeper.stdout.close()
    store = Store(shelf, GB)
    checked = store.verify()
    assert checked.records > 0
    assert checked.damaged == (), "no record of what is not there, no blob that is not whole"
    for name in range(5):
        for number in itertools.count():
            text = f"{name} {number} "
            record = store.find(key_of(text))
            if record is None:
                break
            assert (store.read(record), record.facts) == (text.encode() * 5_000, {"number": number})
    store.status()
    assert halves(shelf.root) == [], "what they left half-written is taken away"


def test_what_is_being_written_is_left_alone(shelf: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """However old it looks, and whoever tidies up meanwhile."""
    replace, seen = os.replace, []

    def tidy_first(half: str, path: Path) -> None:
        os.utime(half, (0, 0))
        Store(shelf, 0).sweep()
        seen.append(Path(half).exists())
        replace(half, path)

    monkeypatch.setattr(files.os, "replace", tidy_first)
    run = Run(Store(shelf, GB))
    assert (run.ask("Hello"), run.warnings, seen) == (said("Hello"), [], [True, True])


# --- many at once ----------------------------------------------------------------------------------------------

WORKERS, ROUNDS = 3, 6
SHARED = [f"Line {number}" for number in range(6)]


def work(root: Path, worker: int, start: Barrier, told: Any) -> None:
    """One process that asks for what all ask for and for what it alone does, and keeps what others keep otherwise."""
    wrong, warnings = [], []
    start.wait(60)
    for number in range(ROUNDS):
        run = Run(Store(Folder(root), GB))
        for text in (*SHARED, f"Line {number} of {worker}"):
            if run.ask(text) != said(text):
                wrong.append(text)
        key = key_of(f"differs {number}")
        run.store.keep("speak", key, f"{number} by {worker} ".encode() * 1_000, {"by": worker})
        wrong += [str(data) for data in [read_back(Store(Folder(root), GB), key)] if not by_somebody(data, number)]
        warnings += [str(warning) for warning in run.warnings]
    told.put((worker, wrong, warnings))


def by_somebody(data: bytes | None, number: int) -> bool:
    """Whether it is what one of the workers kept, whole; or nothing."""
    return data is None or any(data == f"{number} by {worker} ".encode() * 1_000 for worker in range(WORKERS))


def tidy(root: Path, start: Barrier, stop: Event, told: Any) -> None:
    """One process that takes away again and again, sometimes everything."""
    start.wait(60)
    swept = 0
    for limit in itertools.cycle((30_000, 3_000, 0)):
        store = Store(Folder(root), limit)
        swept += store.sweep().count
        store.status()
        if stop.wait(0.02):
            break
    told.put(("tidy", swept, []))


def test_several_processes_never_read_what_is_wrong(shelf: Folder) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, stop, told = spawn.Barrier(WORKERS + 1), spawn.Event(), spawn.Queue()
    workers = [spawn.Process(target=work, args=(shelf.root, n, start, told)) for n in range(WORKERS)]
    sweeper = spawn.Process(target=tidy, args=(shelf.root, start, stop, told))
    for process in (*workers, sweeper):
        process.start()
    try:
        answers = [told.get(timeout=60) for _ in workers]
    finally:
        stop.set()
    swept = told.get(timeout=60)
    for process in (*workers, sweeper):
        process.join(60)
    assert sorted(answers) == [(worker, [], []) for worker in range(WORKERS)]
    assert swept[1] > 0
    assert halves(shelf.root) == []
    spoilt = [name for name in Store(shelf, GB).verify().damaged if name.startswith("blobs/")]
    assert spoilt == [], "a record may have lost its blob to the sweep, but nothing is half"
