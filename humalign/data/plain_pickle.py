"""A pickle of plain data, read without Python's pickle: the one file of that kind is the published Levels responses.

A pickle is a little program. This reader knows only the steps that build dicts, lists, tuples, sets, strings, bytes,
numbers, True, False and None; a name in the file never becomes a function or a class: the few names that plain data and
NumPy's numbers need (:data:`KNOWN`) are words to it, whose meaning is written here. Anything else ends the reading.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read

MOST_BYTES = 1 << 29
MOST_STEPS = 100_000_000
LONG = 64  # bytes of one whole number
NUMBERS = re.compile(r"^[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[US]\d{1,5}|\?|[bBhHiIlLqQefdFD])$")


class Refused(ValueError):
    """The file tries something that plain data do not need."""


class _Word:
    """A name of the file: only its meaning here counts."""

    def __init__(self, meaning: str):
        self.meaning = meaning


class _Dtype:
    """A kind of numbers or strings, which its state may complete."""

    slot = None

    def __init__(self, dtype):
        self.dtype = dtype


class _Array:
    """An array that its state fills; it stands for nothing before."""

    slot = None


class _Parts(tuple):
    """A tuple that holds words or unfinished things: it may be an argument, no value."""

    __slots__ = ()


UNFINISHED = (_Word, _Dtype, _Array, _Parts)

KNOWN = {  # (module, name): meaning
    **{(f"numpy.{core}.multiarray", name): name for core in ("core", "_core") for name in ("_reconstruct", "scalar")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "_frombuffer" for core in ("core", "_core")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("collections", "OrderedDict"): "dict",
    ("collections", "defaultdict"): "dict",
    **{
        (module, name): name
        for module in ("builtins", "__builtin__")
        for name in ("list", "dict", "set", "frozenset", "bytes", "bytearray")
    },
}


def _scalar_or_tuple(value, depth: int = 0) -> bool:
    """Whether a value may be a key: strings, bytes, numbers, None, and short tuples of them."""
    if isinstance(value, tuple) and not isinstance(value, _Parts):
        return depth < 2 and len(value) <= 16 and all(_scalar_or_tuple(one, depth + 1) for one in value)
    return value is None or isinstance(value, (str, bytes, bool, int, float, complex, np.generic))


def _key(value):
    if not _scalar_or_tuple(value):
        raise Refused(f"uses a {type(value).__name__} as a key")
    return value


def _value(value):
    if isinstance(value, UNFINISHED):
        raise Refused("holds a name or an unfinished array as a value")
    return value


def _dtype(name) -> np.dtype:
    if not isinstance(name, str) or not NUMBERS.match(name):
        raise Refused(f"holds an array of the kind {str(name)[:20]!r}: only numbers and strings are read")
    return np.dtype(name)


def _filled(dtype, shape, fortran, data) -> np.ndarray:
    """An array of numbers or strings from its bytes."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, (bytes, bytearray)):
        raise Refused("holds an array of objects")
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise Refused("holds an array without a proper shape")
    if len(data) != dtype.dtype.itemsize * math.prod(shape):
        raise Refused(f"holds an array of {len(data)} bytes for the shape {shape}")
    array = np.frombuffer(bytes(data), dtype.dtype)
    return array.reshape(shape, order="F" if fortran else "C").copy()


def _collection(meaning, items):
    """What a collection makes of its items."""
    if meaning == "bytearray" and isinstance(items, bytes):
        return bytearray(items)
    if meaning != "bytearray" and isinstance(items, (list, tuple)) and not isinstance(items, UNFINISHED):
        if meaning == "dict":
            return {_key(key): _value(value) for key, value in items}
        if meaning == "list":
            return [_value(one) for one in items]
        return (set if meaning == "set" else frozenset)([_key(one) for one in items])
    raise Refused(f"calls {meaning} in an unknown way")


def _called(word, given):
    """What a name that is called with arguments gives."""
    if not isinstance(word, _Word) or not isinstance(given, tuple):
        raise Refused("calls something")
    meaning, given = word.meaning, tuple(given)
    if meaning == "encode" and len(given) == 2 and isinstance(given[0], str) and given[1] == "latin1":
        return given[0].encode("latin1")  # bytes, as old protocols have them
    if meaning == "bytes" and not given:
        return b""
    if meaning == "dict" and (not given or (len(given) == 1 and isinstance(given[0], _Word))):
        return {}  # of a defaultdict the default is left out
    if meaning in ("list", "set", "frozenset", "bytearray", "dict") and len(given) <= 1:
        return _collection(meaning, given[0] if given else [])
    if meaning == "dtype" and 1 <= len(given) <= 3:
        return _Dtype(_dtype(given[0]))
    if meaning == "_reconstruct" and len(given) == 3 and isinstance(given[0], _Word) and given[1] == (0,):
        return _Array()
    if meaning == "scalar" and len(given) == 2:
        return _filled(given[0], (), False, given[1])[()]
    if meaning == "_frombuffer" and len(given) == 4 and given[3] in ("C", "F"):
        return _filled(given[1], given[2], given[3] == "F", given[0])
    raise Refused(f"calls {meaning} in an unknown way")


def _built(thing, state):
    """What the state of a thing makes of it."""
    if isinstance(thing, _Array) and isinstance(state, tuple) and len(state) == 5:
        _, shape, dtype, fortran, data = state
        return _filled(dtype, shape, fortran, data)
    if isinstance(thing, _Dtype) and isinstance(state, tuple) and len(state) in (8, 9):
        if state[2:5] != (None, None, None) or state[1] not in ("<", ">", "|", "="):
            raise Refused("holds an array of records")
        return _Dtype(thing.dtype if state[1] == "|" else thing.dtype.newbyteorder(state[1]))
    raise Refused("sets the state of something")


class _Reader:
    """One pass over the steps of a pickle."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    # ---- bytes ----

    def take(self, n: int) -> bytes:
        if n < 0 or self.at + n > len(self.data):
            raise Refused("is cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise Refused("is cut short")
        found, self.at = self.data[self.at : end], end + 1
        return found

    def word(self, module, name):
        if (module, name) not in KNOWN:
            hint = " (a table of pandas: take the raw sessions)" if str(module).startswith("pandas") else ""
            raise Refused(f"names {str(module)[:40]}.{str(name)[:40]}{hint}")
        self.push(_Word(KNOWN[module, name]))

    # ---- stack ----

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("takes what is not there")
        return self.stack.pop()

    def top(self, kind):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or type(self.stack[-1]) is not kind:
            raise Refused(f"adds to something that is no {kind.__name__}")
        return self.stack[-1]

    def marked(self) -> list:
        if not self.marks:
            raise Refused("ends a list that was not begun")
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def tuple_of(self, items):
        self.push((_Parts if any(isinstance(one, UNFINISHED) for one in items) else tuple)(items))

    def pairs(self, items, into: dict):
        if len(items) % 2:
            raise Refused("has a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            into[_key(key)] = _value(value)

    def remember(self, slot: int):
        if not self.stack:
            raise Refused("remembers what is not there")
        self.memo[slot] = self.stack[-1]
        if isinstance(self.stack[-1], (_Array, _Dtype)):
            self.stack[-1].slot = slot

    def recall(self, slot: int):
        if slot not in self.memo:
            raise Refused("recalls what was not remembered")
        self.push(self.memo[slot])

    def call(self):
        given, word = self.pop(), self.pop()
        self.push(_called(word, given))

    def build(self):
        state, thing = self.pop(), self.pop()
        made = _built(thing, state)
        if thing.slot is not None:
            self.memo[thing.slot] = made
        self.push(made)

    def text(self, n: int):
        self.push(self.take(n).decode("utf8", "surrogatepass"))

    def whole(self, n: int):
        if n > LONG:
            raise Refused(f"holds a number of {n} bytes")
        self.push(int.from_bytes(self.take(n), "little", signed=True))

    def integer(self, line: bytes):
        line = line.rstrip(b"L")
        if line in (b"00", b"01"):
            return self.push(line == b"01")
        if not re.fullmatch(rb"-?\d{1,150}", line):
            raise Refused("holds a number that is none")
        return self.push(int(line))

    # ---- steps ----

    def run(self):
        """The value that the pickle holds."""
        steps = self.steps()
        for _ in range(MOST_STEPS):
            code = self.take(1)
            if code == b".":
                value = _value(self.pop())
                if self.stack or self.marks or self.at != len(self.data):
                    raise Refused("goes on behind its end")
                return value
            step = steps.get(code)
            if step is None:
                raise Refused(f"has a step ({code!r}) that plain data do not need")
            step()
        raise Refused("has too many steps")

    def steps(self) -> dict:  # noqa: C901 (a table: each function is short)
        """One function a step; protocols 0 to 5."""
        import struct

        def mark():
            self.marks.append(len(self.stack))

        def drop():
            if self.marks and len(self.stack) == self.marks[-1]:
                self.marks.pop()
            else:
                self.pop()

        def append():
            value = _value(self.pop())
            self.top(list).append(value)

        def appends():
            items = [_value(one) for one in self.marked()]
            self.top(list).extend(items)

        def set_item():
            value, key = self.pop(), self.pop()
            self.pairs([key, value], self.top(dict))

        def set_items():
            items = self.marked()
            self.pairs(items, self.top(dict))

        def add_items():
            items = [_key(one) for one in self.marked()]
            self.top(set).update(items)

        def new_dict():
            found: dict = {}
            self.pairs(self.marked(), found)
            self.push(found)

        def named():
            name, module = self.pop(), self.pop()
            self.word(module, name)

        def protocol():
            if self.number(1) > 5:
                raise Refused("has a protocol that is not known")

        def old_text():
            self.push(self.line().decode("raw-unicode-escape"))

        return {
            b"\x80": protocol,
            b"\x95": lambda: self.take(8),  # the length of a frame
            b"(": mark,
            b"0": drop,
            b"1": self.marked,
            b"N": lambda: self.push(None),
            b"\x88": lambda: self.push(True),
            b"\x89": lambda: self.push(False),
            b"I": lambda: self.integer(self.line()),
            b"L": lambda: self.integer(self.line()),
            b"J": lambda: self.whole(4),
            b"K": lambda: self.push(self.number(1)),
            b"M": lambda: self.push(self.number(2)),
            b"\x8a": lambda: self.whole(self.number(1)),
            b"\x8b": lambda: self.whole(self.number(4)),
            b"G": lambda: self.push(struct.unpack(">d", self.take(8))[0]),
            b"F": lambda: self.push(float(self.line())),
            b"V": old_text,
            b"\x8c": lambda: self.text(self.number(1)),
            b"X": lambda: self.text(self.number(4)),
            b"\x8d": lambda: self.text(self.number(8)),
            b"C": lambda: self.push(self.take(self.number(1))),
            b"B": lambda: self.push(self.take(self.number(4))),
            b"\x8e": lambda: self.push(self.take(self.number(8))),
            b"\x96": lambda: self.push(bytearray(self.take(self.number(8)))),
            b"]": lambda: self.push([]),
            b"a": append,
            b"e": appends,
            b"l": lambda: self.push([_value(one) for one in self.marked()]),
            b")": lambda: self.push(()),
            b"t": lambda: self.tuple_of(self.marked()),
            b"\x85": lambda: self.tuple_of([self.pop()]),
            b"\x86": lambda: self.tuple_of([self.pop(), self.pop()][::-1]),
            b"\x87": lambda: self.tuple_of([self.pop(), self.pop(), self.pop()][::-1]),
            b"}": lambda: self.push({}),
            b"s": set_item,
            b"u": set_items,
            b"d": new_dict,
            b"\x8f": lambda: self.push(set()),
            b"\x90": add_items,
            b"\x91": lambda: self.push(frozenset([_key(one) for one in self.marked()])),
            b"p": lambda: self.remember(int(self.line())),
            b"q": lambda: self.remember(self.number(1)),
            b"r": lambda: self.remember(self.number(4)),
            b"\x94": lambda: self.remember(len(self.memo)),
            b"g": lambda: self.recall(int(self.line())),
            b"h": lambda: self.recall(self.number(1)),
            b"j": lambda: self.recall(self.number(4)),
            b"c": lambda: self.word(self.line().decode("ascii"), self.line().decode("ascii")),
            b"\x93": named,
            b"R": self.call,
            b"b": self.build,
        }


def plain_data(path):
    """The value of a pickle of plain data.

    Parameters
    ----------
    path : path
        At most half a gigabyte.

    Returns
    -------
    dict, list, tuple, set, str, bytes, number, NumPy array of numbers or strings, bool or None

    Raises
    ------
    InputError
        When the file tries anything else, is damaged, or is too large.

    Notes
    -----
    Steps of the format: ``pickletools`` of Python's standard library.
    """
    path = read.exists(Path(path))
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"is larger than {MOST_BYTES >> 20} MB", path, "plain data of this kind are not")
    try:
        return _Reader(path.read_bytes()).run()
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        told = str(error) if isinstance(error, Refused) else f"is damaged: {error}"
        raise InputError(f"is a pickle that {told}", path, "nothing of it was executed; " + read.AGAIN) from None
