"""Files that are never half-written: atomic writes, checksums, products cached under a digest of what made them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from .errors import InputError


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside ``path`` that replaces it only when the block ends well.

    The temporary name keeps the suffix, since some writers append one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    umask = os.umask(0)
    os.umask(umask)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~umask)  # last, since some writers replace the file
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_text(path, text: str) -> Path:
    """Write ``text`` (UTF-8) atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf8")
    return Path(path)


def write_json(path, value) -> Path:
    """Write ``value`` as readable JSON, atomically."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path):
    """Read JSON; InputError when the file is damaged."""
    try:
        return json.loads(Path(path).read_text("utf8"))
    except (ValueError, OSError) as error:
        raise InputError(f"cannot be read as JSON ({error})", path, "delete it and make it again") from None


def sha256(path) -> str:
    """Hex digest of a file."""
    return checksum(path, "sha256")


def checksum(path, kind: str) -> str:
    """Hex digest of a file: "sha256", "md5", or "git" (the name git gives to the content: SHA-1 with a header)."""
    with open(path, "rb") as file:
        if kind != "git":
            return hashlib.file_digest(file, kind).hexdigest()
        head = f"blob {os.fstat(file.fileno()).st_size}\0".encode()
        return hashlib.file_digest(file, lambda: hashlib.sha1(head)).hexdigest()


def content(path) -> str:
    """Digest of the content of a file, or of all files in a folder with their names."""
    path = Path(path)
    if not path.is_dir():
        return sha256(path)
    return digest([[p.relative_to(path).as_posix(), sha256(p)] for p in sorted(path.rglob("*")) if p.is_file()])


def digest(*parts) -> str:
    """Hex digest (16 digits) of nested plain values, bytes, paths (by content) and arrays (by content)."""
    state = hashlib.sha256()

    def feed(value):
        state.update(type(value).__name__.encode() + b"\0")
        if isinstance(value, np.ndarray):
            state.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, bytes):
            state.update(value)
        elif isinstance(value, Path):
            state.update(sha256(value).encode())
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                feed(str(key))
                feed(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                feed(item)
        else:
            state.update(repr(value).encode())
        state.update(b"\1")

    feed(list(parts))
    return state.hexdigest()[:16]


def save_arrays(path, arrays: dict, meta: dict | None = None) -> Path:
    """Write arrays as safetensors with a JSON side-car ``<path>.json`` (meta and the checksum), both atomically.

    The side-car is written last: arrays without a matching side-car count as not written.
    """
    from safetensors.numpy import save_file

    path = Path(path)
    with atomic_path(path) as partial:
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, partial)
        checksum = sha256(partial)
    write_json(path.with_name(path.name + ".json"), {**(meta or {}), "sha256": checksum})
    return path


def load_arrays(path, verify: bool = True):
    """Read what :func:`save_arrays` wrote: (arrays, meta).

    Raises
    ------
    InputError
        When the file, its side-car or its checksum is missing or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    side = path.with_name(path.name + ".json")
    if not path.is_file() or not side.is_file():
        raise InputError("is missing or has no side-car", path, "make it again")
    meta = read_json(side)
    if verify and meta.get("sha256") != sha256(path):
        raise InputError("does not match the checksum of its side-car", path, "delete both files and make them again")
    try:
        return load_file(path), meta
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot be read as safetensors ({error})", path, "delete it and make it again") from None


def lock(path):
    """One process at a time: ``with lock(path): ...`` waits until no other process is inside."""
    from filelock import FileLock

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def cached(folder, name: str, made_from, make):
    """Arrays made by ``make()`` (a dict), kept under ``folder/name-<digest of parts>.safetensors``.

    ``made_from`` must name everything the product depends on, including a version of the code that makes it.
    A damaged or half-written file is made again.
    """
    path = Path(folder) / f"{name}-{digest(made_from)}.safetensors"
    with contextlib.suppress(InputError):
        return load_arrays(path)[0]
    arrays = make()
    save_arrays(path, arrays, {"name": name})
    return arrays
