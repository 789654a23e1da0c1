"""The store: what was kept is found again as it was, or not at all; what is damaged is made again."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.actions import Action
from clearspot.cache import Cache
from clearspot.errors import MachineFault, Refused
from clearspot.files import PARTIAL
from clearspot.hashing import sha256_bytes
from clearspot.packing import TEXT, TIMED
from clearspot.shelves import Folder
from clearspot.store import YOUNG_S, Checked, Record, Status, Store, Swept
from tests.unit.store_scenes import (
    BLOB_DAMAGE,
    GB,
    RECORD_DAMAGE,
    Run,
    an_action,
    blob_name,
    keep_text,
    key_of,
    read_back,
    record_name,
    said,
    spoil,
    things,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "store")


@pytest.fixture
def store(shelf: Folder) -> Store:
    return Store(shelf, GB)


def used_at(shelf: Folder, record: Record, when: float) -> None:
    """Say when a result was last used."""
    os.utime(shelf.root / blob_name(record.output), (when, when))


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- keeping and finding ---------------------------------------------------------------------------------------


def test_a_store_that_was_never_written_is_empty_and_makes_no_folder(store: Store, shelf: Folder) -> None:
    assert store.find(key_of("a")) is None
    assert store.status() == Status(str(shelf.root), GB, 0, 0, {})
    assert store.sweep() == store.sweep(0) == Swept(0, 0)
    assert store.verify() == Checked(0, 0, ())
    assert not shelf.root.exists()


def test_what_is_kept_is_found_again(store: Store, shelf: Folder) -> None:
    key = key_of("a")
    kept = store.keep("speak", key, b"sound", {"samples": 5})
    assert kept == Record("speak", key, sha256_bytes(b"sound"), 5, {"samples": 5})
    for one in (store, Store(shelf, GB)):
        assert one.find(key) == kept
        assert one.read(kept) == b"sound"
    assert files_in(shelf.root) == [blob_name(kept.output), record_name(key)]


FACTS = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12) | st.lists(st.text(max_size=5), max_size=3),
    max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=200), FACTS), max_size=3), st.text(max_size=10))
def test_any_bytes_and_facts_are_found_as_they_were_kept(results: list[tuple[bytes, dict[str, Any]]], of: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Folder(Path(folder)), GB)
        kept = [store.keep(of, key_of(str(n)), data, facts) for n, (data, facts) in enumerate(results)]
        other = Store(Folder(Path(folder)), GB)
        assert [other.find(record.key) for record in kept] == kept
        assert [other.read(record) for record in kept] == [data for data, _ in results]
        assert other.verify().damaged == ()


def test_equal_results_lie_there_once(store: Store, shelf: Folder) -> None:
    first, second = (store.keep("speak", key_of(name), b"sound", {"of": name}) for name in "ab")
    assert len(files_in(shelf.root)) == 3
    assert [store.read(record) for record in (first, second)] == [b"sound", b"sound"]


def test_a_key_that_is_kept_again_has_what_was_kept_last(store: Store, shelf: Folder) -> None:
    for data in (b"first", b"second"):
        store.keep("speak", key_of("a"), data, {})
    assert read_back(store, key_of("a")) == read_back(Store(shelf, GB), key_of("a")) == b"second"


@pytest.mark.parametrize("error", [MachineFault("full."), KeyboardInterrupt(), SystemExit(137)], ids=repr)
def test_the_record_comes_last(store: Store, shelf: Folder, error: BaseException) -> None:
    """Whoever dies between the two leaves a blob that nobody can find; never a record of what is not there."""

    class Dying(Folder):
        def write(self, name: str, data: bytes) -> None:
            if name.startswith("records/"):
                raise error
            super().write(name, data)

    dying = Store(Dying(shelf.root), GB)
    with pytest.raises(type(error)):
        keep_text(dying, "Hello")
    key, output = an_action("Hello").key, sha256_bytes(said("Hello").encode())
    assert files_in(shelf.root) == [blob_name(output)]
    assert (dying.find(key), store.find(key)) == (None, None)
    assert store.verify() == Checked(1, 0, ())
    run = Run(store)
    assert (run.ask("Hello"), run.made, run.warnings) == (said("Hello"), ["Hello"], [])
    assert read_back(dying, key) == said("Hello").encode()


@pytest.mark.parametrize("text", ["Hello", ""])
def test_a_run_makes_only_what_is_not_there(store: Store, shelf: Folder, text: str) -> None:
    first, second, third = Run(store), Run(store), Run(Store(shelf, GB))
    assert [run.ask(text) for run in (first, first, second, third)] == [said(text)] * 4
    assert [run.made for run in (first, second, third)] == [[text], [], []]
    found = third.cache.find(an_action(text).key)
    assert found is not None
    assert found.facts == {"characters": len(said(text))}


def test_two_stages_of_the_same_inputs_are_two_results(store: Store) -> None:
    """The same words drafted and spoken: one store, and neither is taken for the other."""
    run, spoken = Run(store), Action("speak", an_action("Hello").inputs)
    assert run.ask("Hello") == said("Hello")
    assert Cache(store, run.warnings.append).value(spoken, TEXT, lambda: "sound") == "sound"
    assert (run.ask("Hello"), run.warnings) == (said("Hello"), [])


def test_a_failure_is_never_kept(store: Store, shelf: Folder) -> None:
    run = Run(store)

    def refuse() -> str:
        raise Refused("no.")

    for _ in range(2):
        with pytest.raises(Refused):
            run.cache.value(an_action("Hello"), TEXT, refuse)
    assert (run.made, run.warnings, files_in(shelf.root)) == ([], [], [])
    assert run.ask("Hello") == said("Hello")


# --- what is damaged -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False], ids=["who kept it", "who comes later"])
@pytest.mark.parametrize("case", BLOB_DAMAGE)
def test_a_damaged_blob_is_a_miss_and_made_again(store: Store, shelf: Folder, case: str, same: bool) -> None:
    kept, other = keep_text(store, "Hello"), keep_text(store, "Good night")
    spoil(shelf, blob_name(kept.output), BLOB_DAMAGE[case])
    reader = store if same else Store(shelf, GB)
    assert read_back(reader, kept.key) is None
    left = shelf.size(blob_name(kept.output))
    assert left is None or left != kept.size, "what has the right size and the wrong bytes is gone"
    heals(reader, shelf, "Hello")
    assert read_back(reader, other.key) == said("Good night").encode()


@pytest.mark.parametrize("case", RECORD_DAMAGE)
def test_a_damaged_record_is_a_miss_and_made_again(store: Store, shelf: Folder, case: str) -> None:
    kept, other = keep_text(store, "Hello"), keep_text(store, "Good night")
    spoil(shelf, record_name(kept.key), RECORD_DAMAGE[case])
    reader = Store(shelf, GB)
    assert reader.find(kept.key) is None
    if not case.startswith("sealed, of") and case != "sealed, with a wrong size":  # in order, of what is not there
        assert shelf.size(record_name(kept.key)) is None, "it is taken away"
    heals(reader, shelf, "Hello")
    assert read_back(reader, other.key) == said("Good night").encode()


def heals(store: Store, shelf: Folder, text: str) -> None:
    """A run gets the right value and makes it once; after it everything is whole for everybody."""
    run = Run(store)
    assert [run.ask(text), run.ask(text)] == [said(text)] * 2
    assert (run.made, run.warnings) == ([text], [])
    after = Run(Store(shelf, GB))
    assert (after.ask(text), after.made) == (said(text), [])
    assert Store(shelf, GB).verify().damaged == ()


def test_the_record_of_another_key_copied_over_is_not_served(store: Store, shelf: Folder) -> None:
    kept, other = keep_text(store, "Hello"), keep_text(store, "Good night")
    shelf.write(record_name(kept.key), shelf.read(record_name(other.key)) or b"")
    heals(Store(shelf, GB), shelf, "Hello")


def test_a_blob_copied_over_another_is_not_served(store: Store, shelf: Folder) -> None:
    kept, other = keep_text(store, "Hello"), keep_text(store, "Jello")
    assert kept.size == other.size
    shelf.write(blob_name(kept.output), shelf.read(blob_name(other.output)) or b"")
    heals(store, shelf, "Hello")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_garbage_is_ever_served(garbage: bytes, over_the_record: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shelf = Folder(Path(folder))
        kept = keep_text(Store(shelf, GB), "Hello")
        shelf.write(record_name(kept.key) if over_the_record else blob_name(kept.output), garbage)
        run = Run(Store(shelf, GB))
        assert run.ask("Hello") == said("Hello")
        assert run.warnings == []


@pytest.mark.parametrize("data", [b"", b"{}", b"not of this kind", b'{"lines":5,"duration_s":1}', b"\xff" * 99])
def test_whole_bytes_of_another_kind_are_made_again(store: Store, shelf: Folder, data: bytes) -> None:
    """Another version kept something else under the same key: its digest is in order, its value is not one of ours."""
    from clearspot.stages.align import TimedScript

    value, action = TimedScript((), 1.5), an_action("Hello")
    store.keep(action.stage, action.key, data, {})
    run = Run(store)
    assert [run.cache.value(action, TIMED, lambda: value) for _ in range(2)] == [value, value]
    assert (run.made, run.warnings) == (["Hello"], [])
    assert read_back(Store(shelf, GB), action.key) == TIMED.pack(value)


# --- room ------------------------------------------------------------------------------------------------------


def three_used_in_order(store: Store, shelf: Folder) -> list[Record]:
    """Three results of the same size; the first was last used five hours ago, the last three hours ago."""
    records = [store.keep("speak", key_of(name), name.encode() * 1000, {}) for name in "abc"]
    for number, record in enumerate(records):
        used_at(shelf, record, time.time() - 3600 * (5 - number))
    return records


def one_of(store: Store, records: list[Record]) -> int:
    """The bytes of one of several results of the same size, with its record."""
    return store.status().bytes // len(records)


@pytest.mark.parametrize(
    ("stay", "read", "left"),
    [(3, "", "abc"), (2, "", "bc"), (1, "", "c"), (0, "", ""), (2, "a", "ac"), (1, "a", "a"), (1, "ab", "b")],
)
def test_what_was_not_used_for_longest_goes_first(store: Store, shelf: Folder, stay: int, read: str, left: str) -> None:
    records = three_used_in_order(store, shelf)
    one = one_of(store, records)
    for name in read:
        assert read_back(store, key_of(name))
        time.sleep(0.02)
    swept = store.sweep(stay * one)
    assert swept == Swept(2 * (3 - stay), (3 - stay) * one)
    for each in (store, Store(shelf, GB)):
        assert "".join(name for name in "abc" if each.find(key_of(name))) == left
    assert len(files_in(shelf.root)) == 2 * len(left), "records go with their blobs"


def test_the_limit_is_the_stores_own_unless_said(store: Store, shelf: Folder) -> None:
    one = one_of(store, three_used_in_order(store, shelf))
    assert Store(shelf, 3 * one).sweep() == Swept(0, 0)
    assert Store(shelf, 3 * one - 1).sweep() == Swept(2, one)
    assert Store(shelf, 0).sweep(2 * one) == Swept(0, 0)


def test_all_who_share_a_blob_go_with_it(store: Store, shelf: Folder) -> None:
    for name in "ab":
        used_at(shelf, store.keep("speak", key_of(name), b"sound" * 99, {}), time.time() - 7200)
    keep_text(store, "Hello")
    assert store.sweep(600).count == 3
    assert [store.find(key_of(name)) for name in "ab"] == [None, None]
    assert read_back(store, an_action("Hello").key) == said("Hello").encode()


@pytest.mark.parametrize(("age_s", "stays"), [(0.0, True), (YOUNG_S - 60, True), (YOUNG_S + 60, False)])
def test_a_blob_without_a_record_stays_while_it_is_young(
    store: Store, shelf: Folder, age_s: float, stays: bool
) -> None:
    """It may belong to a process that is about to write its record."""
    kept, lone = keep_text(store, "Hello"), store.keep("speak", key_of("a"), b"sound", {})
    shelf.delete(record_name(lone.key))
    used_at(shelf, lone, time.time() - age_s)
    used_at(shelf, kept, time.time() - 2 * YOUNG_S)
    assert Store(shelf, GB).sweep() == (Swept(0, 0) if stays else Swept(1, lone.size))
    assert (shelf.size(blob_name(lone.output)) is not None) == stays
    assert read_back(Store(shelf, GB), kept.key) == said("Hello").encode()


@pytest.mark.parametrize(("age_s", "stays"), [(0.0, True), (YOUNG_S + 60, False)])
def test_half_a_file_of_another_machine_is_nothing_and_goes_when_it_is_old(
    store: Store, shelf: Folder, age_s: float, stays: bool
) -> None:
    kept = keep_text(store, "Hello")
    half = (shelf.root / blob_name(kept.output)).with_name(f".{kept.output}.another-machine-1.x1y2{PARTIAL}")
    half.write_bytes(b"half")
    os.utime(half, (time.time() - age_s,) * 2)
    assert store.status().blobs == 1
    assert store.verify() == Checked(1, 1, ())
    assert half.exists() == stays
    assert read_back(store, kept.key) == said("Hello").encode()


def test_what_does_not_belong_there_is_taken_away(store: Store, shelf: Folder) -> None:
    keep_text(store, "Hello")
    for name in ("records/aa/notes.txt", "blobs/aa/notes.txt"):
        shelf.write(name, b"notes")
    assert set(store.verify().damaged) == {"records/aa/notes.txt", "blobs/aa/notes.txt"}
    assert Store(shelf, GB).verify() == Checked(1, 1, ())


# --- looking at it ---------------------------------------------------------------------------------------------


def test_status_counts_results_by_stage(store: Store, shelf: Folder) -> None:
    for stage, names in {"speak": "abc", "fit": "d", "align": "ef"}.items():
        for name in names:
            store.keep(stage, key_of(name), f"of {stage}".encode(), {})
    status = Store(shelf, 5 * GB).status()
    assert (status.place, status.limit_bytes, status.blobs) == (str(shelf.root), 5 * GB, 3)
    assert list(status.stages.items()) == [("align", 2), ("fit", 1), ("speak", 3)]
    assert status.bytes == sum((shelf.root / name).stat().st_size for name in files_in(shelf.root))


def test_verify_names_what_was_damaged_and_takes_it_away(store: Store, shelf: Folder) -> None:
    names = ["whole", "a bit", "shorter", "gone", "no record", "bad record", "another's record"]
    records = {name: store.keep("speak", key_of(name), f"the sound of {name}".encode(), {}) for name in names}
    blob = {name: blob_name(record.output) for name, record in records.items()}
    record = {name: record_name(record.key) for name, record in records.items()}
    for name, damage in (("a bit", flip), ("shorter", lambda data: data[:3]), ("gone", lambda data: None)):
        spoil(shelf, blob[name], damage)
    shelf.delete(record["no record"])
    spoil(shelf, record["bad record"], flip)
    shelf.write(record["another's record"], shelf.read(record["whole"]) or b"")
    checked = Store(shelf, GB).verify()
    assert set(checked.damaged) == {
        blob["a bit"], record["a bit"], blob["shorter"], record["shorter"], record["gone"], record["bad record"],
        record["another's record"],
    }  # fmt: skip
    assert (checked.blobs, checked.records) == (6, 6)
    assert set(things(shelf)) == {
        blob["whole"], record["whole"], blob["no record"], blob["bad record"], blob["another's record"],
    }  # fmt: skip
    assert Store(shelf, GB).verify() == Checked(4, 1, ())
    assert read_back(Store(shelf, GB), key_of("whole")) == b"the sound of whole"


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
