"""Keeps what a study computed: under a digest of its inputs and its code, computed by one process while others wait."""

from __future__ import annotations

import contextlib
import inspect
import io
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd

from .. import results
from ..config import Profile
from ..results import Measured
from ..store import cached, digest


def code(*modules) -> str:
    """Digest of the source of modules, for instance ``code("rsa", "studies.zero_shot")``, or of functions.

    A module that is a folder counts with all its files.
    """
    package = __name__.split(".")[0]
    parts = {}
    for name in modules:
        if callable(name):
            parts[name.__qualname__] = inspect.getsource(name)
            continue
        spec = util.find_spec(f"{package}.{name}")
        path = Path(spec.origin)
        files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
        parts[name] = [f.read_bytes() for f in files]
    return digest(parts)


@contextlib.contextmanager
def lock(path):
    """One process at a time; where the system has no file locks, every process goes on."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def one_thread():
    """Run torch on one thread inside the block: in many small steps, threads wait more than they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def arrays(profile: Profile, name: str, parts, make, lock_as: str = "") -> dict:
    """Arrays of ``make()``, kept in the cache of the profile; see :func:`humalign.store.cached`."""
    folder = profile.cache / "studies"
    with lock(folder / f".{lock_as or name}.lock"):
        return cached(folder, name, parts, make)


def frame(profile: Profile, name: str, parts, make) -> pd.DataFrame:
    """A data frame of ``make()``, kept as CSV text at full precision."""

    def text():
        return {"table": _pack(make())}

    return _unpack(arrays(profile, name, parts, text)["table"])


def measured(profile: Profile, name: str, parts, make) -> Measured:
    """A result table with its draws, kept at full precision."""

    def pack():
        made = make()
        return {"table": _pack(made.table), "draws": made.draws}

    kept = arrays(profile, name, parts, pack)
    return Measured(results.table(_unpack(kept["table"])), kept["draws"])


def _pack(table: pd.DataFrame) -> np.ndarray:
    return np.frombuffer(table.to_csv(index=False).encode(), np.uint8)


def _unpack(stored: np.ndarray) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(stored.tobytes()))
