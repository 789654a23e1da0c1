"""Torch checkpoints without torch, and without trust: arrays come out, nothing that is named in the file is run.

A checkpoint is a pickle, and a pickle is a program. Python's own unpickler can be told which classes to refuse, but a
few bytes still make it allocate gigabytes, hash a tuple for ever or overflow the C stack. So the few operations that
a checkpoint needs are carried out here, one by one, and every other is refused.

Formats: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (``_legacy_save`` and ``_save``).
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from clearspot.errors import BadInput, ClearspotError, Refused

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the old format."""

MAX_OPERATIONS = 300_000
MAX_ENTRIES = 100_000
MAX_DEPTH = 32
MAX_NAME_LENGTH = 1000
MAX_DIMENSIONS = 32

STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
    "torch.BoolStorage": "?",
}
"""Torch's class of a storage to the type of its numbers."""

ORDERED_DICT = "collections.OrderedDict"
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
UNREADABLE = "is not a torch checkpoint, or a damaged one"
KNOWN = {*STORAGES, ORDERED_DICT, TENSOR, PARAMETER}


def read_tensors(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    """Every tensor of a torch checkpoint, in the old format or today's (a zip).

    Args:
        data: The whole file.
        where: What errors call it.

    Returns:
        Arrays of the shapes and types they were saved with, by dotted name: ``{"model": {"w": tensor}}`` gives
        ``model.w``; an item of a list has its index for a name. They are views of the file's bytes, so they cannot be
        written to, and what a file only claims to hold costs no memory. Numbers and strings are left out.

    Raises:
        Refused: It asks for a class or an operation that no checkpoint of plain tensors needs, or for too many.
        BadInput: It is not a checkpoint, or a damaged one.
    """
    try:
        tree, storages = _read_zip(data, where) if data.startswith(b"PK") else _read_old(data, where)
        found: dict[str, NDArray[Any]] = {}
        for name, tensor in _named_tensors(tree, where):
            if name in found:
                _damaged(f"names the tensor {name!r} twice", where)
            found[name] = _view(tensor, storages[tensor.storage.key], name, where)
    except ClearspotError:
        raise
    except Exception as error:
        # Parsers fail on made-up bytes in more ways than can be listed; all of them mean the same.
        raise BadInput(f"{UNREADABLE}.", where=where) from error
    if not found:
        _damaged("holds no tensors", where)
    return found


@dataclass(frozen=True, slots=True)
class _Global:
    """A class or function that the file names. It is never looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers in a row: their key in the file, their type, how many."""

    key: str
    dtype: str
    count: int

    @property
    def size_bytes(self) -> int:
        return self.count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# --- the two formats ---------------------------------------------------------------------------------------------


def _read_old(data: bytes, where: str) -> tuple[Any, dict[str, memoryview]]:
    """Magic number, version, system, the object and its storages' keys, a pickle each; then the raw storages."""
    stream = io.BytesIO(data)
    if _plain(stream, where) != MAGIC:
        _damaged(UNREADABLE, where)
    _plain(stream, where)
    if _plain(stream, where).get("little_endian") is not True:
        _damaged("was written by a big-endian machine", where)
    machine = _Machine(where)
    tree = machine.run(stream)
    keys = _plain(stream, where)
    at = stream.tell()
    found: dict[str, memoryview] = {}
    for key in keys:
        storage = machine.storages[key]
        (count,) = struct.unpack_from("<q", data, at)
        if count != storage.count or key in found:
            _damaged(f"says two things of the storage {key!r}", where)
        found[key] = memoryview(data)[at + 8 : at + 8 + storage.size_bytes]
        at += 8 + storage.size_bytes
    return tree, found


def _plain(stream: io.BytesIO, where: str) -> Any:
    return _Machine(where).run(stream)


def _read_zip(data: bytes, where: str) -> tuple[Any, dict[str, bytes]]:
    """``NAME/data.pkl`` is the object, ``NAME/data/KEY`` a storage; torch never compresses them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            _refuse("is compressed, which a checkpoint never is", where)
        # Entries can overlap, and a small file can hold one large entry a thousand times.
        if sum(entry.file_size for entry in entries) > len(data):
            _refuse("claims to hold more than its own size", where)
        pickles = [entry.filename for entry in entries if entry.filename.count("/") == 1]
        pickles = [name for name in pickles if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            _damaged("is a zip file, but not a torch checkpoint", where)
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            _damaged("was written by a big-endian machine", where)
        machine = _Machine(where)
        tree = machine.run(io.BytesIO(archive.read(pickles[0])))
        return tree, {key: archive.read(f"{folder}data/{key}") for key in machine.storages}


# --- the pickle --------------------------------------------------------------------------------------------------

VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE"}
MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PUTS, GETS = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}


@dataclass
class _Machine:
    """Carries out the operations of one pickle; ``storages`` are those that it named."""

    where: str
    storages: dict[str, _Storage] = field(default_factory=dict)
    _stack: list[Any] = field(default_factory=list)
    _marks: list[int] = field(default_factory=list)
    _memo: dict[int, Any] = field(default_factory=dict)

    def run(self, stream: io.BytesIO) -> Any:
        """The object that one pickle makes; the stream stands behind it afterwards."""
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MAX_OPERATIONS:
                _refuse(f"takes more than {MAX_OPERATIONS} operations to open", self.where)
            if operation.name == "STOP":
                break
            self._do(operation.name, argument)
        return self._stack.pop()

    def _do(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in VALUES:
            stack.append(argument)
        elif name in MADE:
            stack.append(MADE[name]())
        elif name in PUTS:
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in GETS:
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in TUPLES:
            stack.append(tuple(self._take(TUPLES[name])))
        elif name not in {"PROTO", "FRAME"}:
            self._fill_or_build(name, argument)

    def _fill_or_build(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in {"APPEND", "APPENDS"}:
            items = self._take(1) if name == "APPEND" else self._since_mark()
            self._top(list).extend(items)
        elif name in {"SETITEM", "SETITEMS"}:
            items = self._take(2) if name == "SETITEM" else self._since_mark()
            self._set(items)
        elif name == "GLOBAL":
            stack.append(self._global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            stack.append(self._global(".".join(self._take(2))))
        elif name == "BINPERSID":
            stack.append(self._storage(*self._take(1)))
        elif name == "REDUCE":
            stack.append(self._reduce(*self._take(2)))
        elif name == "BUILD":
            self._take(1)  # the attributes of a state_dict, such as its version; the tensors are its items
            self._top(dict)
        else:
            _refuse(f"uses the pickle operation {name}, which no checkpoint of tensors needs", self.where)

    def _take(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            _damaged(UNREADABLE, self.where)
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        taken = self._stack[mark:]
        del self._stack[mark:]
        return taken

    def _top(self, kind: type[Any]) -> Any:
        if type(self._stack[-1]) is not kind:
            _damaged(UNREADABLE, self.where)
        return self._stack[-1]

    def _set(self, items: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Nothing that could be deep: hashing nested tuples takes for ever, or the C stack.
            if not isinstance(key, str | int):
                _refuse("has a key that is neither a string nor a number", self.where)
            target[key] = value

    def _global(self, name: str) -> _Global:
        if name not in KNOWN:
            _refuse(f"asks for {name[:100]!r}, which no checkpoint of plain tensors needs", self.where)
        return _Global(name)

    def _reduce(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            _damaged(UNREADABLE, self.where)
        if function.name == ORDERED_DICT and not arguments:
            return {}
        if function.name == TENSOR:
            return self._tensor(*arguments[:4])
        if function.name == PARAMETER and isinstance(arguments[0], _Tensor):
            return arguments[0]
        _refuse(f"calls {function.name!r} in a way that no checkpoint of plain tensors needs", self.where)

    def _storage(self, named: Any) -> _Storage:
        kind, storage_class, key, _, count, *view = named
        if kind != "storage" or not isinstance(key, str) or not _is_count(count) or any(view):
            _damaged("describes a storage that makes no sense", self.where)
        dtype = STORAGES.get(storage_class.name)
        if dtype is None:
            _refuse(f"calls {storage_class.name!r} a storage", self.where)
        storage = _Storage(key, dtype, count)
        if self.storages.setdefault(key, storage) != storage:
            _damaged(f"says two things of the storage {key!r}", self.where)
        return storage

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any) -> _Tensor:
        sizes = (offset, *shape, *strides)
        if not isinstance(storage, _Storage) or not all(map(_is_count, sizes)) or len(shape) != len(strides):
            _damaged("describes a tensor that makes no sense", self.where)
        if len(shape) > MAX_DIMENSIONS:
            _refuse(f"has a tensor of more than {MAX_DIMENSIONS} dimensions", self.where)
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


# --- from the object to arrays -----------------------------------------------------------------------------------


def _named_tensors(tree: Any, where: str) -> Iterator[tuple[str, _Tensor]]:
    """Every tensor by its dotted name. One dict may stand in many places, or in itself: visits are counted."""
    visits = 0

    def walk(branch: Any, prefix: str, depth: int) -> Iterator[tuple[str, _Tensor]]:
        nonlocal visits
        visits += len(branch)
        if visits > MAX_ENTRIES or depth > MAX_DEPTH:
            _refuse(f"has more than {MAX_ENTRIES} entries, or is nested deeper than {MAX_DEPTH}", where)
        for key, value in branch.items() if isinstance(branch, dict) else enumerate(branch):
            if not isinstance(value, _Tensor | dict | list | tuple):
                continue
            name = f"{prefix}{key}"
            if len(name) > MAX_NAME_LENGTH:
                _refuse(f"has a name of more than {MAX_NAME_LENGTH} characters", where)
            if isinstance(value, _Tensor):
                yield name, value
            else:
                yield from walk(value, f"{name}.", depth + 1)

    return walk(tree, "", 0)


def _view(tensor: _Tensor, raw: bytes | memoryview, name: str, where: str) -> NDArray[Any]:
    storage = tensor.storage
    if len(raw) != storage.size_bytes:
        _damaged(f"ends inside the storage of {name!r}, or that has another size than it says", where)
    count = math.prod(tensor.shape)
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    # A stride of 0 would let one number stand for billions.
    if count > storage.count or (count and last >= storage.count) or tensor.offset > storage.count:
        _damaged(f"has a tensor {name!r} that reaches outside its storage", where)
    numbers = np.frombuffer(raw, dtype=storage.dtype)
    if not count:
        return numbers[:0].reshape(tensor.shape)
    return np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :],
        shape=tensor.shape,
        strides=[stride * numbers.itemsize for stride in tensor.strides],
        writeable=False,
    )


def _damaged(what: str, where: str) -> NoReturn:
    raise BadInput(f"{what}.", where=where)


def _refuse(what: str, where: str) -> NoReturn:
    raise Refused(f"{what}; it is not opened.", where=where)
