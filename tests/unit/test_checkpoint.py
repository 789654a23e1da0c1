"""Torch checkpoints, honest and hostile, assembled here operation by operation: torch is not installed."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.engines.checkpoint import MAGIC, MAX_ENTRIES, MAX_OPERATIONS, UNREADABLE, read_tensors
from clearspot.errors import BadInput, Refused

WHERE = "weights.pt"
LITTLE = b"little"

# --- a pickle, operation by operation ----------------------------------------------------------------------------

NEW_DICT = b"ccollections\nOrderedDict\n)R"
FALSE, NONE = b"\x89", b"N"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def row(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def table(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + item for key, item in items.items()) + b"u"


def storage(key: str = "0", kind: str = "FloatStorage", count: int = 6) -> bytes:
    return row(text("storage"), named("torch", kind), text(key), text("cpu"), number(count)) + b"Q"


def tensor(
    of: bytes | None = None, offset: int = 0, shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1)
) -> bytes:
    sizes = (row(*map(number, values)) for values in (shape, strides))
    arguments = row(of or storage(), number(offset), *sizes, FALSE, NEW_DICT)
    return named("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


# --- the two formats ---------------------------------------------------------------------------------------------

SIX = np.arange(6, dtype="<f4")


def _used(body: bytes) -> dict[str, np.ndarray]:
    return {"0": SIX} if text("0") in body else {}


def old(body: bytes, storages: dict[str, np.ndarray] | None = None, little: bytes = b"\x88") -> bytes:
    storages = _used(body) if storages is None else storages
    keys = b"](" + b"".join(map(text, storages)) + b"e"
    parts = (number(MAGIC), number(1001), table(little_endian=little), body, keys)
    raw = (struct.pack("<q", len(numbers)) + numbers.tobytes() for numbers in storages.values())
    return b"".join(map(pickled, parts)) + b"".join(raw)


def zipped(
    body: bytes,
    storages: dict[str, np.ndarray] | None = None,
    compression: int = zipfile.ZIP_STORED,
    order: bytes = LITTLE,
) -> bytes:
    storages = _used(body) if storages is None else storages
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(body))
        archive.writestr("archive/byteorder", order)
        for key, numbers in storages.items():
            archive.writestr(f"archive/data/{key}", numbers.tobytes())
        archive.writestr("archive/version", b"3\n")
    return stream.getvalue()


Pack = Callable[..., bytes]
formats = pytest.mark.parametrize("pack", [old, zipped])

# --- honest ones -------------------------------------------------------------------------------------------------


@formats
def test_tensors_come_out_by_dotted_name(pack: Pack) -> None:
    metadata = table(_metadata=NEW_DICT) + b"b"  # what torch hangs onto a state_dict
    state = NEW_DICT + b"(" + text("lstm.w") + tensor() + text("lstm.b") + tensor(None, 4, (2,), (1,)) + b"u" + metadata
    body = table(step=number(7), name=text("x"), rate=b"G" + struct.pack(">d", 0.5), model_state=state, none=NONE)
    found = read_tensors(pack(body), WHERE)
    assert {name: value.tolist() for name, value in found.items()} == {
        "model_state.lstm.w": [[0, 1, 2], [3, 4, 5]],
        "model_state.lstm.b": [4, 5],
    }
    assert all(value.dtype == np.float32 and not value.flags.writeable for value in found.values())


@formats
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DoubleStorage", "f8"),
        ("FloatStorage", "f4"),
        ("HalfStorage", "f2"),
        ("LongStorage", "i8"),
        ("IntStorage", "i4"),
        ("ShortStorage", "i2"),
        ("CharStorage", "i1"),
        ("ByteStorage", "u1"),
        ("BoolStorage", "?"),
    ],
)
def test_every_type_of_storage(pack: Pack, kind: str, dtype: str) -> None:
    numbers = np.array([0, 1, 1, 0], dtype=dtype)
    body = table(t=tensor(storage("a", kind, 4), 0, (4,), (1,)))
    found = read_tensors(pack(body, {"a": numbers}), WHERE)["t"]
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, numbers)


@formats
@pytest.mark.parametrize(
    ("offset", "shape", "strides", "expected"),
    [
        (0, (3, 2), (1, 3), [[0, 3], [1, 4], [2, 5]]),  # transposed
        (1, (2, 2), (3, 1), [[1, 2], [4, 5]]),  # a slice
        (5, (), (), 5),  # a number
        (0, (6, 1), (1, 999), [[0], [1], [2], [3], [4], [5]]),  # the stride of a single item says nothing
        (6, (0, 5), (5, 1), []),  # nothing at all
    ],
)
def test_views_are_read_as_they_were_saved(
    pack: Pack, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], expected: object
) -> None:
    found = read_tensors(pack(table(t=tensor(None, offset, shape, strides))), WHERE)["t"]
    assert found.shape == shape
    assert found.tolist() == expected


@formats
def test_a_parameter_and_a_list_and_numbers_for_keys(pack: Pack) -> None:
    parameter = named("torch._utils", "_rebuild_parameter") + row(tensor(), FALSE, NEW_DICT) + b"R"
    body = table(p=parameter, several=b"](" + tensor() + tensor() + b"e", by=b"}" + number(3) + tensor() + b"s")
    assert set(read_tensors(pack(body), WHERE)) == {"p", "several.0", "several.1", "by.3"}


@formats
def test_todays_operations_too(pack: Pack) -> None:
    """Protocol 4: frames, short strings, memo without numbers, names from the stack."""
    short = b"".join(b"\x8c" + bytes([len(part)]) + part for part in (b"collections", b"OrderedDict"))
    body = b"\x95" + struct.pack("<Q", 5) + short + b"\x93)R\x94(" + text("t") + tensor() + b"u"
    assert read_tensors(pack(body), WHERE)["t"].shape == (2, 3)


# --- hostile ones ------------------------------------------------------------------------------------------------

BOMB = b"}q\x00" + b"".join(
    b"}(" + text("a") + b"h" + bytes([i]) + text("b") + b"h" + bytes([i]) + b"uq" + bytes([i + 1]) for i in range(30)
)
"""Thirty dicts, each twice in the next: a thousand million names."""

HOSTILE: dict[str, tuple[bytes, type[Exception], str]] = {
    "a call of the system": (named("posix", "system") + row(text("id")) + b"R", Refused, "asks for 'posix.system'"),
    "a name from the stack": (text("builtins") + text("eval") + b"\x93", Refused, "asks for 'builtins.eval'"),
    "a whole module": (named("torch.nn.modules.linear", "Linear"), Refused, "torch.nn.modules.linear.Linear"),
    "another way to unpickle": (named("torch.storage", "_load_from_bytes"), Refused, "_load_from_bytes"),
    "an unknown storage": (table(t=tensor(storage(kind="QInt8Storage"))), Refused, "torch.QInt8Storage"),
    "a function for a storage": (
        row(text("storage"), named("collections", "OrderedDict"), text("0"), text("cpu"), number(6)) + b"Q",
        Refused,
        "collections.OrderedDict",
    ),
    "an instance": (b"(i" + b"os\nsystem\n", Refused, "INST"),
    "an extension code": (b"\x82\x01", Refused, "EXT1"),
    "a new object": (NEW_DICT + b")\x81", Refused, "NEWOBJ"),
    "a million zeros": (b"\x96" + struct.pack("<Q", 2**40), BadInput, UNREADABLE),
    "a dict with contents": (
        named("collections", "OrderedDict") + row(b"]") + b"R",
        Refused,
        "calls 'collections.OrderedDict'",
    ),
    "a storage that is called": (named("torch", "FloatStorage") + row(number(2**40)) + b"R", Refused, "FloatStorage"),
    "a text that is called": (text("f") + b")R", BadInput, UNREADABLE),
    "deep tuples as a key": (b"}" + b")" + b"\x85" * 100_000 + NONE + b"s", Refused, "key"),
    "broad tuples as a key": (b"})" + b"q\x00h\x00\x86" * 60 + NONE + b"s", Refused, "key"),
    "a dict in itself": (b"}q\x00(" + text("a") + b"h\x00u", Refused, "nested deeper"),
    "a list in itself": (b"]q\x00h\x00a", Refused, "nested deeper"),
    "a thousand million names": (BOMB, Refused, "entries"),
    "deep dicts": ((b"}" + text("a")) * 50 + b"}" + b"s" * 50, Refused, "nested deeper"),
    "too many operations": (b"N" * (MAX_OPERATIONS + 1), Refused, "operations"),
    "too many entries": (b"](" + b"N" * (MAX_ENTRIES + 1) + b"e", Refused, "entries"),
    "a long name": (table(**{"a" * 2000: tensor()}), Refused, "name"),
    "the same name twice": (
        b"}(" + text("a.b") + tensor() + text("a") + table(b=tensor()) + b"u",
        BadInput,
        "'a.b' twice",
    ),
    "a far entry of the memo": (b"}r" + struct.pack("<I", 2**32 - 1), BadInput, "no tensors"),
    "an entry that is not there": (b"h\x07", BadInput, UNREADABLE),
    "an empty stack": (b"", BadInput, UNREADABLE),
    "a mark that is not there": (b"t", BadInput, UNREADABLE),
    "an odd number of items": (b"}(" + text("a") + b"u", BadInput, UNREADABLE),
    "items of a list": (b"](" + text("a") + NONE + b"u", BadInput, UNREADABLE),
    "no tensors": (table(step=number(1)), BadInput, "no tensors"),
    "nothing but a number": (number(1), BadInput, UNREADABLE),
    "a storage of nothing": (row(text("storage")) + b"Q", BadInput, UNREADABLE),
    "a storage of another sort": (
        row(text("module"), named("torch", "FloatStorage"), text("0"), text("cpu"), number(6)) + b"Q",
        BadInput,
        "makes no sense",
    ),
    "a huge storage": (table(t=tensor(storage(count=2**60))), BadInput, "storage"),
    "a negative storage": (table(t=tensor(storage(count=-1))), BadInput, "makes no sense"),
    "a storage that is not there": (table(t=tensor(storage("7"))), BadInput, UNREADABLE),
    "two sizes of one storage": (table(a=tensor(), b=tensor(storage(count=5))), BadInput, "two things"),
    "two types of one storage": (table(a=tensor(), b=tensor(storage(kind="IntStorage"))), BadInput, "two things"),
    "a tensor of a text": (table(t=tensor(text("0"))), BadInput, "makes no sense"),
    "a negative offset": (table(t=tensor(None, -1)), BadInput, "makes no sense"),
    "an offset too far": (table(t=tensor(None, 1)), BadInput, "outside"),
    "a huge offset": (table(t=tensor(None, 2**62)), BadInput, "outside"),
    "an immense offset": (table(t=tensor(None, 2**200)), BadInput, "makes no sense"),
    "a stride too far": (table(t=tensor(None, 0, (2, 3), (4, 1))), BadInput, "outside"),
    "a negative stride": (table(t=tensor(None, 5, (6,), (-1,))), BadInput, "makes no sense"),
    "a huge stride": (table(t=tensor(None, 0, (2, 1), (2**62, 1))), BadInput, "outside"),
    "a huge stride of one": (table(t=tensor(None, 0, (1,), (2**62,))), BadInput, UNREADABLE),
    "one number for billions": (table(t=tensor(None, 0, (2**40,), (0,))), BadInput, "outside"),
    "nothing, at length": (table(t=tensor(None, 0, (0, 2**62), (1, 1))), BadInput, UNREADABLE),
    "nothing, too far": (table(t=tensor(None, 9, (0,), (1,))), BadInput, "outside"),
    "a shape without strides": (table(t=tensor(None, 0, (2, 3), (1,))), BadInput, "makes no sense"),
    "a truth for a size": (table(t=tensor().replace(number(2), b"\x88")), BadInput, "makes no sense"),
    "too many dimensions": (table(t=tensor(None, 0, (1,) * 40, (1,) * 40)), Refused, "dimensions"),
}


@formats
@pytest.mark.parametrize(("body", "error", "told"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle_is_told_and_costs_nothing(pack: Pack, body: bytes, error: type[Exception], told: str) -> None:
    data = pack(body)
    begun = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises((BadInput, Refused), match=told) as caught:
            read_tensors(data, WHERE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert type(caught.value) is error
    assert caught.value.where == WHERE
    assert peak < 5_000_000 + 100 * len(data)
    assert time.monotonic() - begun < 20


HONEST = table(t=tensor())


def overlapping(times: int) -> bytes:
    """One large entry that the directory names many times."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(HONEST))
        archive.writestr("archive/data/0", bytes(100_000))
        first = archive.filelist[-1]
        archive.filelist += [first] * times
    return stream.getvalue()


def swollen() -> bytes:
    """An entry whose directory claims a terabyte."""
    data = zipped(HONEST)
    stated = struct.pack("<II", 24, 24)
    return data.replace(stated, struct.pack("<II", 2**32 - 2, 2**32 - 2))


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        (b"", BadInput, UNREADABLE),
        (b"RIFF\x00\x00\x00\x00WAVE", BadInput, UNREADABLE),
        (b"PK", BadInput, UNREADABLE),
        (b"PK\x03\x04" + bytes(100), BadInput, UNREADABLE),
        (pickled(number(1)), BadInput, UNREADABLE),
        (pickled(named("posix", "system")), Refused, "posix.system"),
        (old(HONEST, little=FALSE), BadInput, "big-endian"),
        (zipped(HONEST, order=b"big"), BadInput, "big-endian"),
        (zipped(HONEST, compression=zipfile.ZIP_DEFLATED), Refused, "compressed"),
        (zipped(HONEST, {"0": np.zeros(10**6, "f4")}, zipfile.ZIP_BZIP2), Refused, "compressed"),
        (overlapping(1000), Refused, "more than its own size"),
        (swollen(), Refused, "more than its own size"),
        (zipped(HONEST).replace(b"data.pkl", b"code.pkl"), BadInput, "is a zip file, but not"),
        (zipped(HONEST).replace(SIX.tobytes(), bytes(24)), BadInput, UNREADABLE),  # its checksum
        (zipped(HONEST, {"0": SIX[:5]}), BadInput, "another size"),
        (old(HONEST, {"0": SIX[:5]}), BadInput, "two things"),
        (old(HONEST, {"0": SIX, "1": SIX}), BadInput, UNREADABLE),
        (old(HONEST)[:-1], BadInput, "ends inside"),
    ],
)
def test_a_hostile_file_is_told(data: bytes, error: type[Exception], told: str) -> None:
    with pytest.raises((BadInput, Refused), match=told) as caught:
        read_tensors(data, WHERE)
    assert type(caught.value) is error


@formats
def test_a_truncated_file_is_told_wherever_it_ends(pack: Pack) -> None:
    data = pack(HONEST)
    for length in range(len(data)):
        with pytest.raises((BadInput, Refused)):
            read_tensors(data[:length], WHERE)


@formats
@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_flipped_bytes_never_raise_anything_else(pack: Pack, changes: list[tuple[int, int]]) -> None:
    data = bytearray(pack(table(a=tensor(), b=tensor(None, 1, (2,), (2,)))))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        found = read_tensors(bytes(data), WHERE)
    except (BadInput, Refused):
        return
    assert sum(value.size for value in found.values()) <= 12


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_pickle_raises_nothing_else(body: bytes) -> None:
    with pytest.raises((BadInput, Refused)):
        read_tensors(old(body), WHERE)
