"""One process at a time makes a spot; a lock ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearspot.errors import MachineFault, Refused
from clearspot.locks import UnderWay, spot_lock
from clearspot.project import Project, Settings


@pytest.fixture
def here(tmp_path: Path) -> Project:
    """A project that nobody has worked in."""
    return Project(tmp_path / "project", Settings())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a spot's deliverables would go; nothing is there yet."""
    return tmp_path / "out" / "lumen-coffee"


HOLDER = """
import subprocess, sys
from pathlib import Path
from clearspot.locks import spot_lock
from clearspot.project import Project, Settings

with spot_lock(Project(Path(sys.argv[1]), Settings()), Path(sys.argv[2])):
    lasting = sys.argv[3:] and subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    print(lasting.pid if lasting else 0, flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def held_by_a_process(project: Project, home: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds a spot, and the one that it started if it was asked to; it lets go when told anything."""
    command = [sys.executable, "-c", HOLDER, str(project.root), str(home), *more]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin
    assert holder.stdout
    try:
        yield holder, int(holder.stdout.readline())
    finally:
        with contextlib.suppress(BrokenPipeError):
            holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()


def taken(project: Project, home: Path) -> str:
    """What is told to somebody who wants a spot; nothing where they may have it."""
    try:
        with spot_lock(project, home):
            return ""
    except UnderWay as error:
        return str(error)


def taken_elsewhere(project: Project, home: Path) -> str:
    """The same, in another thread."""
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(taken(project, home)))
    thread.start()
    thread.join(10)
    return told[0]


def told_of(home: Path) -> str:
    return f"{home}: another run works on this spot. Wait until it has finished, and try again."


# --- one at a time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asking", [taken, taken_elsewhere], ids=["the same thread", "another thread"])
def test_who_comes_second_is_told_so(here: Project, home: Path, asking: Callable[[Project, Path], str]) -> None:
    with spot_lock(here, home):
        assert asking(here, home) == told_of(home)
        assert asking(here, home) == told_of(home), "asking does not set it free"
    assert asking(here, home) == ""
    assert not home.exists(), "a lock leaves nothing among the deliverables"


def test_another_process_is_told_so(here: Project, home: Path) -> None:
    with held_by_a_process(here, home) as (holder, _):
        assert taken(here, home) == told_of(home)
        holder.communicate("let go\n", timeout=10)
        assert holder.returncode == 0
        assert taken(here, home) == ""


def test_a_process_is_told_so_too(here: Project, home: Path) -> None:
    with spot_lock(here, home):
        command = [sys.executable, "-c", HOLDER, str(here.root), str(home)]
        second = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert second.stderr.splitlines()[-1] == f"clearspot.locks.UnderWay: {told_of(home)}"
        assert taken(here, home) == told_of(home)


def test_it_is_a_machine_fault_with_exit_3(here: Project, home: Path) -> None:
    with spot_lock(here, home), pytest.raises(UnderWay) as caught, spot_lock(here, home):
        pass
    error = caught.value
    assert isinstance(error, MachineFault)
    assert (error.exit_code, error.kind, error.where) == (3, "machine-fault", str(home))
    assert error.remedy
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied)) == (UnderWay, told_of(home))


COUNTER = """
import sys
from pathlib import Path
from clearspot.locks import UnderWay, spot_lock
from clearspot.project import Project, Settings

project, home, count = Project(Path(sys.argv[1]), Settings()), Path(sys.argv[2]), Path(sys.argv[3])
done = 0
while done < 25:
    try:
        with spot_lock(project, home):
            number = int(count.read_text())
            count.write_text("half written")
            count.write_text(str(number + 1))
            done += 1
    except UnderWay:
        pass
"""


def test_of_several_only_one_is_ever_inside(here: Project, home: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(here.root), str(home), str(count)]
    racers = [subprocess.Popen(command) for _ in range(3)]
    assert [racer.wait(30) for racer in racers] == [0, 0, 0]
    assert count.read_text() == "75"


# --- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Refused("no."), ValueError("a bug"), KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_a_lock_ends_with_what_it_was_for(here: Project, home: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), spot_lock(here, home):
        raise error
    assert taken(here, home) == taken_elsewhere(here, home) == ""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free(here: Project, home: Path, how: signal.Signals) -> None:
    for _ in range(2):
        with held_by_a_process(here, home) as (holder, _):
            assert taken(here, home) == told_of(home)
            holder.send_signal(how)
            assert holder.wait(10) == -how
            assert taken(here, home) == ""


def test_what_a_killed_process_had_started_holds_nothing(here: Project, home: Path) -> None:
    """An encoder or a signer may live on for a while: it is not the run."""
    with held_by_a_process(here, home, "and start another") as (holder, lasting):
        try:
            holder.kill()
            holder.wait(10)
            os.kill(lasting, 0)
            assert taken(here, home) == ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(lasting, signal.SIGKILL)


def test_what_lies_in_a_lock_file_holds_nothing(here: Project, home: Path) -> None:
    """A lock is not a file that is there: nobody has to tidy up after a power cut."""
    with spot_lock(here, home):
        (file,) = here.locks_dir.iterdir()
    file.write_bytes(b"12345\nsome-host\n\xff")
    os.utime(file, (0, 0))
    assert taken(here, home) == ""
    with spot_lock(here, home):
        assert taken(here, home) == told_of(home)


# --- whose it is -----------------------------------------------------------------------------------------------


def test_other_spots_are_not_disturbed(here: Project, home: Path, tmp_path: Path) -> None:
    others = [home.with_name("lumen-tea"), tmp_path / "elsewhere" / home.name, home / "es-ES", home.parent]
    with spot_lock(here, home), held_by_a_process(here, others[0]):
        assert [taken_elsewhere(here, other) for other in others] == [told_of(others[0]), "", "", ""]
        with contextlib.ExitStack() as all_at_once:
            for other in others[1:]:
                all_at_once.enter_context(spot_lock(here, other))
            assert taken(here, home) == told_of(home)
    assert [taken(here, each) for each in (home, *others)] == [""] * 5


ALIASES: dict[str, Callable[[Path], Path]] = {
    "with dots": lambda home: home / ".." / home.name,
    "from the current folder": lambda home: Path("out") / home.name,
    "with a dot": lambda home: Path("./out/.") / home.name,
    "through a link": lambda home: home.parent.with_name("link") / home.name,
}


@pytest.mark.parametrize("there", [True, False], ids=["there", "not made yet"])
@pytest.mark.parametrize("alias", ALIASES)
def test_a_folder_by_another_name_is_the_same(
    here: Project, home: Path, monkeypatch: pytest.MonkeyPatch, alias: str, there: bool
) -> None:
    (home if there else home.parent).mkdir(parents=True)
    home.parent.with_name("link").symlink_to(home.parent)
    monkeypatch.chdir(home.parents[1])
    other = ALIASES[alias](home)
    with spot_lock(here, home):
        assert taken(here, other) == told_of(other)
    with spot_lock(here, other):
        assert taken(here, home) == told_of(home)


@pytest.mark.parametrize("place", [".clearspot", ".clearspot/locks"])
def test_a_lock_that_cannot_be_written_is_told(here: Project, home: Path, place: str) -> None:
    """And it is not said that somebody else works on the spot."""
    in_the_way = here.root / place
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_bytes(b"a file where a folder should be")
    with pytest.raises(MachineFault, match=r"\.lock: cannot be locked: ") as caught, spot_lock(here, home):
        pass
    assert not isinstance(caught.value, UnderWay)
    assert caught.value.where.startswith(str(here.locks_dir))
