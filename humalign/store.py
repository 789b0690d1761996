"""Files that are never half-written: atomic writes, checksums, products cached under a digest of what made them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np

from .errors import HumalignError, InputError

FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))  # no room, too large a file, no quota


def no_room(error: BaseException) -> bool:
    """Whether an error, of Python or of a library that only tells in words, says that the disk is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    words = str(error)
    if isinstance(error, OSError) and re.search(r"\d+ written|encoder error|\[Errno (27|28|122)\]", words):
        return True  # NumPy, Pillow, copytree
    return any(f"{head} {number}" in words for head in ("os error", "errno =") for number in FULL)


@contextlib.contextmanager
def telling_no_room(path):
    """A full disk within the block becomes one line that names ``path``."""
    try:
        yield
    except Exception as error:
        if not no_room(error):
            raise
        raise HumalignError(
            f"{path}: cannot be written, no room is left (disk full, or a limit on file sizes); make room and run the "
            "same command again: what was finished is kept"
        ) from None


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside ``path`` that replaces it only when the block ends well.

    The temporary name keeps the suffix, since some writers append one.
    """
    path = Path(path)
    with telling_no_room(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:100]}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    umask = os.umask(0)
    os.umask(umask)
    try:
        with telling_no_room(path):
            yield Path(name)
        os.chmod(name, 0o666 & ~umask)  # last, since some writers replace the file
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_text(path, text: str) -> Path:
    """Write ``text`` (UTF-8) atomically."""
    try:
        content = text.encode("utf8")
    except UnicodeEncodeError as error:
        told = error.object[max(0, error.start - 20) : error.end].encode("ascii", "backslashreplace").decode()
        raise InputError(f"would hold a name that is no text ({told})", path, "rename the file behind it") from None
    with atomic_path(path) as partial:
        partial.write_bytes(content)
    return Path(path)


def write_json(path, value) -> Path:
    """Write ``value`` as readable JSON, atomically."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path, like=None, remedy: str = "delete it and make it again"):
    """Read JSON.

    Parameters
    ----------
    path : path
    like : optional
        What it must be, see :func:`unlike`.
    remedy : str

    Raises
    ------
    InputError
        When the file is damaged, nested too deeply, or of another form.
    """
    try:
        found = json.loads(Path(path).read_text("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"cannot be read as JSON ({reason})", path, remedy) from None
    if like is not None and (told := unlike(found, like)):
        raise InputError(told, path, remedy)
    return found


def unlike(value, like, where: str = "it") -> str:
    """How a value that was read from a file differs from the form it should have, in words; "" when it fits.

    Parameters
    ----------
    value : plain value
    like : type, tuple of types, list, dict
        ``str``; ``(str, None)`` for either; ``[str]`` for a list of such; ``{str: int}`` for an object with any keys;
        ``{"key": int, "other?": str}`` for an object with these keys, "?" marking those that may be missing; further
        keys are free. ``float`` takes whole numbers, too; ``bool`` is no number.
    """
    if isinstance(like, tuple):
        return "" if any(not unlike(value, one, where) for one in like) else unlike(value, like[0], where)
    if like is None or isinstance(like, type):
        kinds: tuple | type = (int, float) if like is float else type(None) if like is None else like
        fits = isinstance(value, kinds) and (like in (bool, object) or not isinstance(value, bool))
        return "" if fits else f"{where} is {_kind(value)} where {_kind(like)} is expected"
    if not isinstance(value, type(like)):
        return f"{where} is {_kind(value)} where {_kind(like)} is expected"
    if isinstance(like, list):
        return next((told for k, one in enumerate(value) if (told := unlike(one, like[0], f"{where}[{k}]"))), "")
    if str in like:
        return next((told for k, one in value.items() if (told := unlike(one, like[str], f"{where}['{k}']"))), "")
    for key, part in like.items():
        name = key.removesuffix("?")
        if name not in value:
            if key == name:
                return f"{where} has no '{name}'"
        elif told := unlike(value[name], part, f"'{name}'"):
            return told
    return ""


def _kind(value) -> str:
    kind = value if isinstance(value, type) else type(value)
    return {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number", bool: "true or "
            "false", type(None): "nothing"}.get(kind, kind.__name__)  # fmt: skip


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
    meta = read_json(side, {"sha256": str}, "delete both files and make them again")
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
