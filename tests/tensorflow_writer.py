"""Writes TensorFlow's files as TensorFlow does, for tests: checkpoints, and SavedModels that JAX exported."""

import struct

import numpy as np

KINDS = {"f4": 1, "f8": 2, "i4": 3, "i8": 9, "f2": 19}
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def field(number, value):
    """One field of a message: an integer, or bytes (also of a message, or text)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(pairs, restart=16):
    """A block of the table: keys share what they begin with, but for every 16th; a checksum that nobody reads."""
    out, restarts, last = bytearray(), [], b""
    for k, (key, value) in enumerate(pairs):
        shared = 0
        if k % restart == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    out += b"".join(struct.pack("<I", r) for r in restarts or [0]) + struct.pack("<I", len(restarts or [0]))
    return bytes(out)


def checkpoint(prefix, tensors, shards=1, per_block=20):
    """A checkpoint of named arrays."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    data = [bytearray() for _ in range(shards)]
    records = [(b"", field(1, shards) + field(2, 0) + field(3, field(1, 1)))]
    for k, name in enumerate(sorted(tensors)):
        array = np.asarray(tensors[name])
        shape = b"".join(field(2, field(1, int(n))) for n in array.shape)
        shard = k % shards
        raw = array.tobytes()
        record = field(1, KINDS[array.dtype.str[1:]]) + field(2, shape)
        record += field(3, shard) if shard else b""
        record += field(4, len(data[shard])) if data[shard] else b""
        record += field(5, len(raw)) + varint(6 << 3 | 5) + b"\0\0\0\0"
        data[shard] += raw
        records.append((name.encode(), record))
    out, index = bytearray(), []
    for start in range(0, len(records), per_block):
        part = block(records[start : start + per_block])
        index.append((records[min(start + per_block, len(records)) - 1][0], varint(len(out)) + varint(len(part))))
        out += part + b"\0" + b"\0\0\0\0"
    handles = []
    for part in (block([]), block(index, restart=1)):
        handles.append(varint(len(out)) + varint(len(part)))
        out += part + b"\0" + b"\0\0\0\0"
    footer = b"".join(handles)
    out += footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(out)
    for k, part in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{k:05d}-of-{shards:05d}").write_bytes(part)


def saved_model(folder, arrays, listed=None, graph=True):
    """A SavedModel whose signature captures ``arrays`` in this order; its variables have no names.

    Parameters
    ----------
    listed : sequence of int, optional
        Places in the list ``variables`` of the exported object, where they are others than in captured order.
    graph : bool
        False leaves the object graph out.
    """
    n = len(arrays)
    listed = list(range(n)) if listed is None else list(listed)

    def child(name, number):
        return field(1, (field(1, number) if number else b"") + field(2, name))

    # 0 root, 1 list of variables, 2 signatures, 3 the function, 4 a constant, 5 ... variables
    root = child("variables", 1) + child("signatures", 2) + child("f", 3) + field(4, field(1, "_generic_user_object"))
    nodes = [root, b"".join(child(str(listed[k]), 5 + k) for k in range(n)), child("serving_default", 3)]
    nodes += [field(8, field(1, "__inference_signature_wrapper_7")), field(9, field(1, "Const"))]
    nodes += [field(7, field(1, 1) + field(6, f"jax2tf_arg_{k}")) for k in range(n)]
    bound = field(2, b"".join(varint(k) for k in (*range(5, 5 + n), 4)))
    functions = field(2, field(1, "__inference_other_3") + field(2, b""))
    functions += field(2, field(1, "__inference_signature_wrapper_7") + field(2, bound))
    objects = b"".join(field(1, node) for node in nodes) + functions
    meta = field(1, field(1, "serve")) + field(2, b"") + (field(7, objects) if graph else b"")
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, meta))
    tensors = {f"variables/{listed[k]}{VALUE}": array for k, array in enumerate(arrays)}
    checkpoint(folder / "variables/variables", tensors)
