"""The reader of plain pickles: what plain data are comes back, and nothing else is ever built, called or imported."""

import collections
import contextlib
import copyreg
import io
import os
import pickle
import struct
import sys
import time

import numpy as np
import pandas as pd
import pytest

from humalign.data import plain_pickle
from humalign.errors import InputError

TRIALS = {
    "person 1": [
        {"rt": 1234, "image1Path": "n01440764_1.JPEG", "selected_image": None, "ok": True, "x": -0.5, "π": "é\n\u2028"},
        {"rt": np.float64(3.5), "rt2": np.int64(-7), "name": np.str_("n1"), "flag": np.bool_(True)},
    ],
    2: (1, (2, 3), ()),
    (1, "a"): {1, 2, frozenset({3}) and 3},
    "big": 2**200,
    "negative": -(2**70),
    "bytes": b"\x00\xff",
    "array": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">i2"),
    "words": np.array(["ab", "c"]),
    "empty": np.zeros((0, 3)),
}


@pytest.fixture
def opened(tmp_path):
    """Reads bytes as a file; afterwards nothing was imported and nothing happened."""
    path, before = tmp_path / "x.pkl", set(sys.modules)

    def load(data):
        path.write_bytes(data)
        return plain_pickle.plain_data(path)

    yield load
    assert not {"antigravity", "this"} & (set(sys.modules) - before)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pkl"]


def refused(opened, data, match=None):
    with pytest.raises(InputError, match=match) as caught:
        opened(data)
    text = str(caught.value)
    assert "\n" not in text
    assert "nothing of it was executed" in text or "larger than" in text or "empty" in text
    return text


def same(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_back(opened, protocol):
    assert same(TRIALS, opened(pickle.dumps(TRIALS, protocol)))


def test_pickles_of_older_numpy_come_back(opened):
    data = pickle.dumps(TRIALS, 2).replace(b"numpy._core.", b"numpy.core.")
    assert same(TRIALS, opened(data))


def test_special_dicts_become_dicts(opened):
    plain = collections.defaultdict(list, {"a": [1]}), collections.OrderedDict(b=2)
    assert opened(pickle.dumps(plain)) == ({"a": [1]}, {"b": 2})


def test_what_is_shared_stays_shared(opened):
    row = [1]
    found = opened(pickle.dumps({"a": row, "b": row}))
    assert found["a"] is found["b"]


class Calls:
    """Pickles as a call of ``function`` with ``given``, and perhaps a state and items."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def payloads():
    for function, given in (
        (os.system, ("touch owned",)),
        (eval, ("1 + 1",)),
        (exec, ("import antigravity",)),
        (__import__, ("antigravity",)),
        (getattr, ("", "join")),
        (open, ("owned", "w")),
        (type, ("X", (), {})),
        (np.load, ("owned.npy",)),
        (np.frombuffer, (b"1234", "i4")),
        (np.memmap, ("owned", "f4", "w+", 0, (1,))),
        (np.array, ([1],)),
        (pickle.loads, (b"N.",)),
        (copyreg._reconstructor, (object, object, None)),
        (io.BytesIO, (b"x",)),
        (np.dtype, ("O",)),
        (np.dtype, ("V8",)),
        (np.dtype, ([("a", "i4")],)),
        (np.dtype, ("i4, i4",)),
        (np.dtype, ("U999999999",)),
        (np.ndarray, ((2,), "O")),
        (collections.OrderedDict, ([("a", 1)], 2)),
        (collections.defaultdict, (os.system,)),
        (list, (b"a",)),
        (set, ([[1]],)),
        (bytearray, (10**9,)),
    ):
        yield f"{function.__name__} {str(given)[:30]}", pickle.dumps(Calls(function, given))
    array = np._core.multiarray._reconstruct
    yield "another class of array", pickle.dumps(Calls(array, (np.memmap, (0,), b"b")))
    yield "an array that begins large", pickle.dumps(Calls(array, (np.ndarray, (10**9,), b"b")))
    good = (1, (2,), np.dtype("i4"), False, b"12345678")
    for what, state in (
        ("objects", (1, (1,), np.dtype("O"), False, [os.system])),
        ("too few bytes", (1, (10**9,), np.dtype("i4"), False, b"1234")),
        ("a negative shape", (1, (-2,), np.dtype("i4"), False, b"12345678")),
        ("many axes", (1, (1,) * 65, np.dtype("i1"), False, b"1")),
        ("a state of four", good[:4]),
        ("a shape of booleans", (1, (True, 2), np.dtype("i4"), False, b"12345678")),
    ):
        yield f"an array with {what}", pickle.dumps(Calls(array, (np.ndarray, (0,), b"b"), state))
    yield "an array without numbers", pickle.dumps([Calls(array, (np.ndarray, (0,), b"b"))])
    yield "an array of objects", pickle.dumps(np.array([{"a": 1}], dtype=object))
    yield "records", pickle.dumps(np.zeros(2, dtype=[("a", "i4")]))
    yield "dates", pickle.dumps(np.array(["2020-01-01"], dtype="M8[D]"))
    yield "a table of pandas", pickle.dumps(pd.DataFrame({"a": [1]}))
    yield "a series of pandas", pickle.dumps({"p": pd.Series([1.0])})
    yield "a state of a set", pickle.dumps(Calls(set, ([1],), {"__class__": "x"}))
    yield "a name as a value", b"cnumpy\nndarray\n."
    yield "a name in a list", b"]cnumpy\nndarray\na."
    yield "a name in a tuple in a dict", b"}X\x01\x00\x00\x00acnumpy\nndarray\n\x85s."
    yield "a name as a key", b"}cnumpy\nndarray\nNs."
    yield "a path in a name", b"\x80\x04\x8c\x05numpy\x8c\x11core.os.system\x93."
    yield "an object of a name", b"(X\x02\x00\x00\x00lsios\nsystem\n."
    yield "an object", b"(cos\nsystem\nX\x02\x00\x00\x00lso."
    yield "a new object", b"cnumpy\nndarray\n)\x81."
    yield "an extension", b"\x82\x01."
    yield "a persistent object", b"Psecret\n."
    yield "a buffer from elsewhere", b"\x80\x05\x97."
    yield "a state of a dict", b"}}X\x01\x00\x00\x00aK\x01sb."
    yield "a name that is a number", b"K\x01K\x02\x93."


@pytest.mark.parametrize(("what", "data"), list(payloads()), ids=lambda value: value if isinstance(value, str) else "")
def test_what_tries_more_is_refused(opened, what, data):
    refused(opened, data, "is a pickle that")


def test_the_extension_registry_is_not_asked(opened):
    copyreg.add_extension("os", "system", 240)
    try:
        copyreg._extension_cache[240] = os.system  # what C's unpickler would take without asking
        refused(opened, b"\x82\xf0X\x02\x00\x00\x00ls\x85R.", "step")
    finally:
        copyreg.remove_extension("os", "system", 240)


@pytest.mark.parametrize("n", range(0, 200, 7))
def test_damage_is_told_in_one_line(opened, n):
    whole = pickle.dumps(TRIALS)
    refused(opened, whole[: max(1, len(whole) - n - 1)])
    rng = np.random.default_rng(n)
    spoilt = bytearray(whole)
    for place in rng.integers(0, len(whole), 5):
        spoilt[place] = rng.integers(256)
    with contextlib.suppress(InputError):  # or other plain data
        opened(bytes(spoilt))


@pytest.mark.parametrize(
    "data",
    [
        b"<html>", b".", b"N", b"NN.", b"N.N", b"(N.", b"u.", b"]u.", b"}(NNNu.", b"h\x05.", b"q\x01.", b"a.", b"0.",
        b"\x80\x09N.", b"I1e5\n.", b"Inine\n.", b"F1,5\n.", b"L" + b"9" * 5000 + b"L\n.", b"\x8c\x02\xff\xfe.",
        b"(]K\x01a.", b"]](e", b"}]Ns.",
    ],
)  # fmt: skip
def test_what_is_no_program_is_refused(opened, data):
    refused(opened, data)


def test_bombs_do_not_go_off(opened):
    start = time.perf_counter()
    nest = b")" + b"".join(b"\x94h" + bytes([k]) + b"\x86" for k in range(60))  # (x, x) of (x, x) ...: 2^60 leaves
    refused(opened, b"\x80\x04}" + nest + b"Ns.", "uses a tuple as a key")
    refused(opened, b"\x80\x04\x8f(" + nest + b"\x90.", "uses a tuple as a key")
    found = opened(b"\x80\x04" + nest + b".")  # as a value it is small: the same tuples
    for _ in range(60):
        assert found[0] is found[1]
        found = found[0]
    refused(opened, b"\x8b" + struct.pack("<i", 1 << 20) + bytes(1 << 20) + b".", "number of")
    refused(opened, b"\x8e" + struct.pack("<q", 1 << 60) + b"x.", "cut short")
    refused(opened, b"\x8b" + struct.pack("<i", -1) + b".")
    deep = opened(b"]" * 200_000 + b"a" * 199_999 + b".")
    del deep
    assert time.perf_counter() - start < 10


def test_large_files_are_not_read(opened, monkeypatch):
    monkeypatch.setattr(plain_pickle, "MOST_BYTES", 10)
    refused(opened, pickle.dumps(list(range(100))), "larger than")
    monkeypatch.setattr(plain_pickle, "MOST_BYTES", 1 << 29)
    monkeypatch.setattr(plain_pickle, "MOST_STEPS", 10)
    refused(opened, pickle.dumps(list(range(100))), "too many steps")


def test_the_module_does_not_use_pickle():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(plain_pickle))
    names = {a.name for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) for a in node.names}
    assert not names & {"pickle", "_pickle", "pickletools", "marshal", "importlib", "copyreg", "builtins"}
