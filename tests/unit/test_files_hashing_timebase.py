"""Files that appear whole or not at all; digests that do not drift; the one place where seconds become samples."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearspot import files
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.files import PinnedFile, inside, write_atomically
from clearspot.hashing import canonical_json, sha256_bytes, sha256_file, sha256_json
from clearspot.timebase import RATE_HZ, samples, seconds, timestamp

# --- writing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o640])
def test_a_written_file_has_its_bytes_and_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "new" / "deeper" / "receipt.json"
    write_atomically(path, b"first", mode=mode)
    write_atomically(path, b"second", mode=mode)
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [each.name for each in path.parent.iterdir()] == ["receipt.json"]


def test_the_mode_is_644_unless_said(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_private_file_is_never_readable_by_others_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    sync = os.fsync

    def look(handle: int) -> None:
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode):  # the folder is flushed too
            seen.append(stat.S_IMODE(mode))
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(tmp_path / "key.pem", b"secret", mode=0o600)
    assert seen == [0o600]


def failing(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize(
    ("error", "raised"),
    [(FULL, MachineFault), (KeyboardInterrupt(), KeyboardInterrupt), (MemoryError(), MemoryError)],
    ids=["disk full", "interrupted", "no memory"],
)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException, raised: type[BaseException]
) -> None:
    path = tmp_path / "approvals.yaml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, failing(error))
    with pytest.raises(raised) as told:
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["approvals.yaml"]
    if raised is MachineFault:
        assert str(told.value) == f"{path}: cannot be written: No space left on device."


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    (target / "kept").mkdir(parents=True)
    with pytest.raises(MachineFault, match=r"report\.html: cannot be written: Is a directory\."):
        write_atomically(target, b"")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(MachineFault, match=r"cannot be written: "):
        write_atomically(tmp_path / "out" / "receipt.json", b"")


# --- names inside a folder -------------------------------------------------------------------------------------

INSIDE = ["recording.wav", "takes/one.wav", "./recording.wav", "takes/../recording.wav", 'Ñandú\'s "take" 1.wav', "..."]
OUTSIDE = [
    "../recording.wav",
    "takes/../../recording.wav",
    "..",
    "../spot/../other/a.wav",
    "/etc/passwd",
    "../spot-2/recording.wav",
    "link-out/a.wav",
]


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    folder = tmp_path / "spot"
    (folder / "takes").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "link-out").symlink_to(tmp_path / "elsewhere")
    return folder


@pytest.mark.parametrize("name", INSIDE)
def test_a_name_in_the_folder_is_its_path(spot: Path, name: str) -> None:
    path = inside(spot, name, where="spot.yaml: recording")
    assert path.is_relative_to(spot.resolve())
    assert path == (spot / name).resolve()


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_is_refused(spot: Path, name: str) -> None:
    with pytest.raises(BadInput) as refused:
        inside(spot, name, where="spot.yaml: recording")
    assert str(refused.value) == (f"spot.yaml: recording: {name!r} leads out of spot/. Name a file in that folder.")


def test_an_absolute_name_is_refused_even_where_it_leads_inside(spot: Path) -> None:
    with pytest.raises(BadInput, match="leads out of spot/"):
        inside(spot, str(spot / "recording.wav"), where="spot.yaml: recording")


def test_a_name_that_no_file_can_have_is_refused(spot: Path) -> None:
    with pytest.raises(BadInput, match=r"^spot\.yaml: recording: ") as refused:
        inside(spot, "take\0.wav", where="spot.yaml: recording")
    assert repr("take\0.wav") in str(refused.value)


@given(name=st.text(alphabet="ab/.\\ ~é\n", max_size=12))
def test_no_name_leads_out(name: str) -> None:
    folder = Path("spots") / "lumen"
    try:
        path = inside(folder, name, where="spot.yaml")
    except BadInput:
        assert name.startswith("/") or ".." in name
    else:
        assert path.is_relative_to(folder.resolve())


# --- pinned files ----------------------------------------------------------------------------------------------


def test_a_pinned_file_gives_the_bytes_that_were_named(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    assert PinnedFile(path, sha256_bytes(b"weights")).read() == b"weights"


@pytest.mark.parametrize("data", [b"", b"weight", b"weights ", b"Weights"])
def test_a_pinned_file_with_other_bytes_is_not_opened(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    wanted = sha256_bytes(b"weights")
    with pytest.raises(Refused) as refused:
        PinnedFile(path, wanted).read()
    assert str(refused.value) == (
        f"{path}: is not the file that was named (sha256 {sha256_bytes(data)[:12]}, should be {wanted[:12]}); it is "
        "not opened. Delete it and run `clearspot models fetch`; if it was meant to change, name its new digest."
    )


@pytest.mark.parametrize(("name", "why"), [("none.bin", "No such file or directory"), (".", "Is a directory")])
def test_a_pinned_file_that_cannot_be_read_is_a_machine_fault(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(MachineFault, match=rf"cannot be read: {why}\."):
        PinnedFile(tmp_path / name, "0" * 64).read()


# --- digests ---------------------------------------------------------------------------------------------------

GOLDEN_VALUE = {"b": [1, 2.5, True, None], "a": "ñ \"'/\u2028", "c": {"z": {}, "y": []}, "ä": -0.0}
GOLDEN_JSON = '{"a":"ñ \\"\'/\u2028","b":[1,2.5,true,null],"c":{"y":[],"z":{}},"ä":-0.0}'
GOLDEN_SHA256 = "1d626493df6a0d9d4350a6c6449fccc6b2d80b74d66cc11a4b5249affc744a48"


def test_canonical_json_is_a_contract() -> None:
    """What is signed and what a cache key is: another digest here breaks every signature there is."""
    assert canonical_json(GOLDEN_VALUE).decode() == GOLDEN_JSON
    assert sha256_json(GOLDEN_VALUE) == GOLDEN_SHA256
    assert sha256_json({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_not_hashed(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"gain_db": number})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(value=st.dictionaries(st.text(), JSON, max_size=5))
def test_equal_values_have_equal_digests_whatever_their_order(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(data=st.binary(max_size=64))
def test_a_digest_is_sha256_in_lower_case_hex(data: bytes) -> None:
    assert sha256_bytes(data) == sha256_bytes(memoryview(data)) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert sha256_file(path) == sha256_bytes(b"x" * size)


def test_the_digest_of_no_file_is_a_machine_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="cannot be read: No such file or directory"):
        sha256_file(tmp_path / "none")


# --- time ------------------------------------------------------------------------------------------------------

TIMESTAMPS = [
    (0.0, "00:00:00,000"),
    (0.0004, "00:00:00,000"),
    (0.0006, "00:00:00,001"),
    (1.5, "00:00:01,500"),
    (59.9994, "00:00:59,999"),
    (59.9996, "00:01:00,000"),
    (61.001, "00:01:01,001"),
    (3599.9999, "01:00:00,000"),
    (3661.25, "01:01:01,250"),
    (86_400.0, "24:00:00,000"),
    (360_000.0, "100:00:00,000"),
    (-0.25, "00:00:00,000"),
]


@pytest.mark.parametrize(("time_s", "written"), TIMESTAMPS)
def test_timestamp(time_s: float, written: str) -> None:
    assert timestamp(time_s) == written
    assert timestamp(time_s, ".") == written.replace(",", ".")


@given(millis=st.integers(0, 99 * 3_600_000))
def test_a_timestamp_says_its_milliseconds(millis: int) -> None:
    hours, minutes, rest = timestamp(millis / 1000).split(":")
    whole, fraction = rest.split(",")
    assert (int(hours) * 60 + int(minutes)) * 60_000 + int(whole) * 1000 + int(fraction) == millis
    assert int(minutes) < 60
    assert int(whole) < 60


SAMPLES = [
    (0.0, 0),
    (1.0, 48_000),
    (1 / 48_000, 1),
    (0.5 / 48_000, 0),  # half a sample rounds to even
    (1.5 / 48_000, 2),
    (0.49 / 48_000, 0),
    (-0.25, -12_000),
    (600.0, 28_800_000),
]


@pytest.mark.parametrize(("time_s", "count"), SAMPLES)
def test_samples_is_the_nearest_whole_number(time_s: float, count: int) -> None:
    assert samples(time_s) == count


@given(count=st.integers(0, 600 * 192_000), rate_hz=st.sampled_from([8_000, 16_000, 24_000, 44_100, RATE_HZ, 96_000]))
def test_samples_to_seconds_and_back(count: int, rate_hz: int) -> None:
    assert samples(seconds(count, rate_hz), rate_hz) == count


@given(time_s=st.floats(0, 600))
def test_seconds_to_samples_and_back_moves_less_than_a_sample(time_s: float) -> None:
    assert abs(seconds(samples(time_s)) - time_s) <= 0.5 / RATE_HZ + 1e-9


def test_what_a_process_of_the_same_number_left_half_written_is_nobodys(tmp_path: Path) -> None:
    """In a container that is started again, we have the number that the killed one had."""
    ours = tmp_path / f".a.{files.machine()}-{os.getpid()}.{files.LIFE}x{files.PARTIAL}"
    its = tmp_path / f".a.{files.machine()}-{os.getpid()}.former{files.PARTIAL}"
    for path in (ours, its):
        path.touch()
    files.sweep_partials(tmp_path)
    assert (ours.exists(), its.exists()) == (True, True), "it may be a living one's of another container"
    for path in (ours, its):
        os.utime(path, (0, 0))
    files.sweep_partials(tmp_path)
    assert (ours.exists(), its.exists()) == (True, False)
