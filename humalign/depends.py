"""What a running notebook depends on: the humalign modules it imports and the files it reads.

:func:`watch` is called in the kernel before the first cell and :func:`report` after the last one, see
:mod:`humalign.book.run`. Reads through Python's ``open`` are seen by themselves, when the file belongs to the package
or to the data folder; a reader written in C that opens a file unseen calls :func:`depends_on`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
MIME = "application/vnd.humalign.record+json"
SIZES = "/*"  # ends the name of a folder that stands for the names and sizes of its files
MANY = 500
DOWNLOAD = "application/vnd.humalign.download"

_seen: set[str] = set()
_asked = False  # whether anybody wanted to know what lies in the data folder
_outputs: set[str] = set()
_started = 0.0
_watching = False


def data_folder() -> Path | None:
    """``HUMALIGN_DATA`` as a folder, or None."""
    folder = os.path.expanduser(os.environ.get("HUMALIGN_DATA", ""))
    return _resolved(folder) if os.path.isdir(folder) else None


@lru_cache(maxsize=8)  # asked for every file that a page depends on
def _resolved(folder: str) -> Path:
    return Path(folder).resolve()


def depends_on(path) -> Path:
    """Note that the results of this process depend on the file ``path``; returns it as a Path."""
    _seen.add(os.path.abspath(os.fspath(path)))
    return Path(path)


def asks_data_folder() -> None:
    """Note that the results of this process depend on which files the data folder has, also where there is none."""
    global _asked
    _asked = True


def produces(path) -> Path:
    """Note a file that this process writes and the book needs, such as the table behind a figure."""
    _outputs.add(os.path.basename(os.fspath(path)))
    return Path(path)


def _audit(event: str, args: tuple) -> None:
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    path = args[0]
    if event == "open" and len(args) > 1 and args[1] and set("wax+") & set(str(args[1])):
        return
    try:
        path = os.path.abspath(os.fsdecode(path)) if path is not None else os.getcwd()
    except TypeError:  # a file descriptor
        return
    if path.startswith(_roots) and not path.endswith(".pyc") and "__pycache__" not in path:
        _seen.add(path)


_roots: tuple[str, ...] = ()


def watch() -> None:
    """Begin to note which files of the package and of the data folder are read."""
    global _started, _roots, _watching
    _started = time.time()
    data = data_folder()
    _roots = tuple(str(root) for root in (PACKAGE, data) if root)
    if not _watching:
        _watching = True
        sys.addaudithook(_audit)


def name_of(path) -> str:
    """A name for a file that does not change with the place of the clone or of the data."""
    path = Path(path).resolve()
    data = data_folder()
    for label, root in (("humalign", PACKAGE), ("data", data)):
        if root is not None and path.is_relative_to(root):
            return f"{label}:{path.relative_to(root).as_posix()}"
    return f"file:{path.as_posix()}"


def path_of(name: str) -> Path | None:
    """The file behind a name of :func:`name_of`; None where there is no data folder."""
    label, _, rest = name.partition(":")
    root = {"humalign": PACKAGE, "data": data_folder(), "file": Path("/")}.get(label)
    return None if root is None else root / rest


_hashes: dict[str, tuple[tuple, str]] = {}


def state(name: str) -> str:
    """Digest of the content of a file, or of the names in a folder; "missing" where there is none."""
    path = path_of(name.removesuffix(SIZES))
    if path is None or not path.exists():
        return "missing"
    if name.endswith(SIZES):
        sizes = sorted((p.name, p.stat().st_size) for p in path.iterdir() if p.is_file())
        return hashlib.sha256(repr(sizes).encode()).hexdigest()[:16]
    if path.is_dir():
        names = sorted(
            p.name for p in path.iterdir() if p.suffix not in (".py", ".pyc") and not p.name.startswith(("_", "."))
        )
        return hashlib.sha256("\0".join(n for n in names if (path / n).is_file()).encode()).hexdigest()[:16]
    stamp = path.stat()
    key = (stamp.st_size, stamp.st_mtime_ns)
    if _hashes.get(str(path), (None,))[0] != key:
        with open(path, "rb") as file:
            _hashes[str(path)] = key, hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return _hashes[str(path)][1]


def listing(limit: int = 20_000) -> str:
    """Digest of the names in the data folder, so that a data set that arrives is noticed."""
    root = data_folder()
    if root is None:
        return "none"
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        names += [os.path.relpath(os.path.join(folder, f), root) for f in sorted(files) if not f.startswith(".")]
        if len(names) > limit:
            break
    return hashlib.sha256("\0".join(names[:limit]).encode()).hexdigest()[:16]


def _many_as_one(names: set[str]) -> set[str]:
    """The names, with one for a whole folder where many of its files were read, since hashing all takes long."""
    count = Counter(name.rpartition("/")[0] for name in names if name.startswith("data:"))
    many = {folder for folder, number in count.items() if number > MANY}
    return {name for name in names if name.rpartition("/")[0] not in many} | {folder + SIZES for folder in many}


def report() -> None:
    """Show the record of this process as a notebook output that :mod:`humalign.book.run` takes away again."""
    from IPython.display import display

    files = _many_as_one({name_of(path) for path in _seen})
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "humalign" and getattr(module, "__file__", None):
            files.add(name_of(module.__file__))
    record = {}
    for name in sorted(files):
        path = path_of(name)
        changed = path is not None and path.is_file() and path.stat().st_mtime > _started > 0
        record[name] = "changed during the run" if changed else state(name)
    found = {"files": record, "listing": listing() if _asked else None, "outputs": sorted(_outputs)}
    display({MIME: found}, raw=True)
