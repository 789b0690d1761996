"""What files should be: checksums and sizes as published, and what the manifest of a data folder says instead."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

from ..errors import InputError
from ..store import read_json, sha256
from .entry_types import Entry

MANIFEST = "humalign-data.json"


@cache
def published() -> dict:
    """Checksums and sizes of the published files: {path: {"sha256", "size"}}."""
    path = resources.files(__package__).joinpath("checksums.json")
    return json.loads(path.read_text("utf8"))


def manifest(root: Path) -> dict:
    """What the data folder says of itself (``humalign-data.json``).

    Keys, all optional: sha256 {path: accepted checksum}, row_order {data set: order}, expect {data set: {fact: value}}
    and rehearsal (true for tiny or drawn files in published layouts: ``tests/rehearsal``, ``tests/published.py``).
    """
    path = Path(root) / MANIFEST
    content = read_json(path) if path.is_file() else {}
    if not isinstance(content, dict):
        raise InputError("is not a JSON object", path, "delete it")
    return content


def expected(one: Entry, root: Path) -> dict:
    """Facts the files of an entry should have: what the folder's manifest says, else those of the published version."""
    told = manifest(root)
    own = told.get("expect", {}).get(one.name)
    return own if own is not None else {} if told.get("rehearsal") else one.expect


def rehearsal(root: Path | None) -> bool:
    """Whether the folder holds tiny or drawn files in published layouts, not data."""
    return root is not None and bool(manifest(root).get("rehearsal"))


def known_checksum(path: Path, root: Path) -> str | None:
    """The SHA-256 the file should have: from the folder's manifest, else as published; None when unknown."""
    name = Path(path).relative_to(root).as_posix()
    own = manifest(root)
    if name in own.get("sha256", {}):
        return own["sha256"][name]
    if own.get("rehearsal"):
        return None
    return published().get(name, {}).get("sha256")


@cache
def file_digest(path: Path, size: int, changed: int) -> str:
    return sha256(path)


def check_known(path: Path, root: Path, owner: Entry) -> bool:
    """InputError when a file differs from its known checksum; whether one is known."""
    known = known_checksum(path, root)
    if known is None:
        return False
    state = path.stat()
    if file_digest(path, state.st_size, state.st_mtime_ns) != known:
        size = published().get(path.relative_to(root).as_posix(), {}).get("size")
        length = f" ({state.st_size} bytes, published {size})" if size and size != state.st_size else ""
        raise InputError(
            f"differs from the known checksum{length}: truncated or altered",
            path,
            f"get it again from {owner.origin}, or import it with --accept",
        )
    return True
