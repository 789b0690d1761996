"""TensorFlow's files without TensorFlow: tensors of a checkpoint, and the variables of a SavedModel in captured order.

A checkpoint is a sorted table of small records (``.index``: LevelDB's format, of which what TensorFlow writes is read)
that say where each tensor lies in the ``.data-…`` files. A SavedModel has one beside ``saved_model.pb``, whose object
graph says which variables its signature captures, and in which order. Nothing of the files is executed.

Sources: tensorflow/core/protobuf/{tensor_bundle,saved_object_graph,trackable_object_graph}.proto,
tensorflow/core/lib/io/format.cc.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 14: "<u2", 19: "<f2"}
BFLOAT16 = 14
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
AGAIN = "get it again"


# ---- protocol buffers ------------------------------------------------------------------------------------------------


def varint(data, at: int) -> tuple[int, int]:
    """A number of variable length at a place: (number, the place behind it); ValueError where it does not end."""
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        value |= (data[place] & 127) << shift
        if data[place] < 128:
            return value, place + 1
        shift += 7
    raise ValueError("a number does not end")


def fields(data):
    """Fields of a message, as (number, value): integers, or memoryviews for all that has a length."""
    data, at = memoryview(data), 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire in (1, 5):
            value, at = int.from_bytes(data[at : at + (8 if wire == 1 else 4)], "little"), at + (8 if wire == 1 else 4)
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"a field has the unknown kind {wire}")
        if at > len(data):
            raise ValueError("a field is cut short")
        yield number, value


def numbers(value) -> list[int]:
    """Repeated integers: one, or packed."""
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        one, at = varint(value, at)
        out.append(one)
    return out


def first(data, number: int, default=b""):
    """The last value of a field (as protocol buffers have it), or ``default``."""
    found = default
    for key, value in fields(data):
        found = value if key == number else found
    return found


# ---- checkpoints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorAt:
    """Where a tensor lies: kind of numbers, shape, number of the data file, first byte and length."""

    kind: int
    shape: tuple
    shard: int
    offset: int
    size: int


def _block(data, at: int, size: int):
    """Keys and values of one block of the table."""
    if at + size + 5 > len(data) or size < 4:
        raise ValueError("a block is cut short")
    if data[at + size]:
        raise ValueError("blocks are compressed, which is not read")
    block = data[at : at + size]
    end = size - 4 * (1 + int.from_bytes(block[-4:], "little"))
    place, key = 0, b""
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise ValueError("a record is cut short")
        key = key[:shared] + bytes(block[place : place + own])
        yield key, block[place + own : place + own + length]
        place += own + length
    if place != end:
        raise ValueError("a block does not end where it says")


def read_index(path) -> tuple[dict[str, TensorAt], int]:
    """Places of all tensors by name, and the number of data files.

    Raises
    ------
    MissingData, InputError
        When the file is not there, or is none or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingData("there is no such file", path, AGAIN)
    data = memoryview(path.read_bytes())
    try:
        if len(data) < 48 or data[-8:] != MAGIC:
            raise ValueError("its last bytes are others")
        _, at = varint(data, len(data) - 48)
        _, at = varint(data, at)
        at, place = varint(data, at)
        size, _ = varint(data, place)
        places, shards = {}, 1
        for _, handle in _block(data, at, size):
            start, behind = varint(handle, 0)
            for key, value in _block(data, start, varint(handle, behind)[0]):
                if not key:
                    shards = first(value, 1, 1)
                    if first(value, 2, 0):
                        raise ValueError("its numbers are big-endian, which is not read")
                    continue
                dims = [first(one, 1, 0) for number, one in fields(first(value, 2)) if number == 2]
                places[key.decode("utf8")] = TensorAt(
                    first(value, 1, 0), tuple(dims), first(value, 3, 0), first(value, 4, 0), first(value, 5, 0)
                )
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"is no TensorFlow checkpoint, or damaged ({error})", path, AGAIN) from None
    return places, shards


def data_files(prefix, shards: int) -> list[Path]:
    """The files with the numbers of a checkpoint."""
    prefix = Path(prefix)
    return [prefix.with_name(f"{prefix.name}.data-{k:05d}-of-{shards:05d}") for k in range(shards)]


class Checkpoint:
    """Tensors of a checkpoint by name, read when they are asked for.

    Parameters
    ----------
    prefix : path
        The path without ``.index``.
    """

    def __init__(self, prefix):
        self.prefix = Path(prefix)
        self.places, shards = read_index(self.prefix.with_name(self.prefix.name + ".index"))
        self.files = data_files(self.prefix, shards)

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def _bytes(self, name: str, place: TensorAt):
        if place.shard >= len(self.files) or not self.files[place.shard].is_file():
            raise MissingData("lacks a file with its numbers", self.prefix, AGAIN)
        path = self.files[place.shard]
        if place.offset + place.size > path.stat().st_size:
            raise InputError(f"is cut short before '{name}' ends", path, AGAIN)
        return np.memmap(path, np.uint8, "r", place.offset, place.size)

    def __getitem__(self, name: str) -> np.ndarray:
        """A tensor of numbers; the array lies on disk. 16-bit brain floats become float32."""
        place = self.places[name]
        if place.kind not in KINDS:
            raise InputError(f"'{name}' has the unknown kind {place.kind}", self.prefix, "only numbers are read")
        dtype = np.dtype(KINDS[place.kind])
        if place.size != dtype.itemsize * int(np.prod(place.shape, dtype=np.int64)):
            raise InputError(f"'{name}' has {place.size} bytes for shape {place.shape}", self.prefix, AGAIN)
        if not place.size:
            return np.empty(place.shape, dtype)
        values = self._bytes(name, place).view(dtype).reshape(place.shape)
        if place.kind == BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values


# ---- SavedModels -----------------------------------------------------------------------------------------------------


def _children(node) -> list[tuple[str, int]]:
    """(name, number) of the objects that an object of the graph refers to."""
    pairs = [one for number, one in fields(node) if number == 1]
    return [(bytes(first(one, 2)).decode("utf8"), first(one, 1, 0)) for one in pairs]


def _captured(graph, signature: str) -> list[int]:
    """Numbers of the variables that a signature captures, in their order; [] where the graph does not say."""
    nodes = [value for number, value in fields(graph) if number == 1]
    place = 0
    for name in ("signatures", signature):
        found = dict(_children(nodes[place])) if place < len(nodes) else {}
        if name not in found:
            return []
        place = found[name]
    function = bytes(first(first(nodes[place], 8), 1))
    for number, value in fields(graph):
        if number == 2 and bytes(first(value, 1)) == function:
            inputs = [n for key, one in fields(first(value, 2)) if key == 2 for n in numbers(one)]
            return [n for n in inputs if any(key == 7 for key, _ in fields(nodes[n]))]  # not constants
    return []


def _names(graph, known) -> dict[int, str]:
    """Number of each object to the name of its tensor: the way to it from the root, one that the checkpoint has."""
    nodes = [value for number, value in fields(graph) if number == 1]
    out: dict[int, str] = {}
    seen, queue = {0}, deque([(0, "")])
    while queue:
        number, way = queue.popleft()
        for name, child in _children(nodes[number]):
            # as tensorflow/python/checkpoint/trackable_utils.py spells it
            step = way + name.replace(".", "..").replace("/", ".S")
            if step + VALUE in known:
                out.setdefault(child, step + VALUE)
            if child not in seen and child < len(nodes):
                seen.add(child)
                queue.append((child, step + "/"))
    return out


def captured(folder, signature: str = "serving_default") -> list[np.ndarray]:
    """Variables of a SavedModel in the order in which its signature captures them.

    Where the object graph does not name them, variables that are numbered in the checkpoint (``variables/0`` ...) are
    taken by number: exporters of JAX keep them in one list, in captured order.

    Parameters
    ----------
    folder : path
        With ``saved_model.pb`` and ``variables/``.
    signature : str

    Returns
    -------
    list of array

    Raises
    ------
    MissingData, InputError
        When files are missing or damaged, or the order of the variables is told nowhere.
    """
    folder = Path(folder)
    model = folder / "saved_model.pb"
    if not model.is_file():
        raise MissingData("is no SavedModel: there is no saved_model.pb", folder, AGAIN)
    checkpoint = Checkpoint(folder / "variables/variables")
    try:
        graph = first(first(model.read_bytes(), 2), 7)
        order, names = _captured(graph, signature), _names(graph, checkpoint.places) if len(graph) else {}
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"is no SavedModel, or damaged ({error})", model, AGAIN) from None
    if order:
        if lost := [number for number in order if number not in names]:
            raise InputError(f"captures variable {lost[0]}, which its checkpoint lacks", model, AGAIN)
        return [checkpoint[names[number]] for number in order]
    numbered = {}
    for name in checkpoint.places:
        parts = name.removesuffix(VALUE).split("/")
        if name.endswith(VALUE) and parts[-1].isdigit():
            numbered[int(parts[-1])] = name
    if not numbered or sorted(numbered) != list(range(len(numbered))):
        raise InputError(f"does not say in which order '{signature}' takes its variables", folder, "export it again")
    return [checkpoint[numbered[number]] for number in sorted(numbered)]
