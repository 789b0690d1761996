"""What files should be: checksums and sizes as published, and what the manifest of a data folder says instead."""

from __future__ import annotations

import csv
import json
from functools import cache
from importlib import resources
from pathlib import Path

from ..errors import InputError
from ..store import checksum, read_json
from .entry_types import Entry

MANIFEST = "humalign-data.json"
LIKE = {"sha256?": {str: str}, "row_order?": {str: str}, "expect?": {str: {str: (float, str, bool)}},
        "rehearsal?": bool, "source?": str, "licence?": str, "drawn?": int, "note?": str}  # fmt: skip


@cache
def published() -> dict:
    """Checksums and sizes of the published files: {path: {"sha256" or "git", "size"}}; see ``store.checksum``."""
    path = resources.files(__package__).joinpath("checksums.json")
    return json.loads(path.read_text("utf8"))


@cache
def sources() -> tuple[dict, ...]:
    """Every address that was looked up (``sources.csv``), a row each.

    Keys row (place in the list of sources; "" for addresses that were known before), item, address ("": there is none),
    sure ("A": seen in public code or as the file itself; "B": named there; "C": inferred) and why_not (why the package
    does not fetch it; "" where it does).
    """
    text = resources.files(__package__).joinpath("sources.csv").read_text("utf8")
    return tuple(csv.DictReader(text.splitlines()))


def sure(address: str) -> str:
    """How sure an address is: "A", "B", "C", or "" where nobody looked."""
    return next((row["sure"] for row in sources() if row["address"] == address), "")


def manifest(root: Path) -> dict:
    """What the data folder says of itself (``humalign-data.json``).

    Keys, all optional: sha256 {path: accepted checksum}, row_order {data set: order}, expect {data set: {fact: value}}
    source, licence, note (text), drawn (version of the drawn world)
    and rehearsal (true for tiny or drawn files in published layouts: ``tests/rehearsal``, ``tests/published.py``).
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        return {}
    content = read_json(path, LIKE, "mend or delete it")
    if strange := sorted({*content} - {key.removesuffix("?") for key in LIKE}):
        told = ", ".join(key.removesuffix("?") for key in LIKE)
        raise InputError(f"has the key '{strange[0]}', which means nothing", path, f"keys are {told}")
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
    """The checksum the file should have, "KIND:DIGEST": the manifest's, else the published one; None when unknown."""
    name = Path(path).relative_to(root).as_posix()
    own = manifest(root)
    if name in own.get("sha256", {}):
        return f"sha256:{own['sha256'][name]}"
    return None if own.get("rehearsal") else published_checksum(name) or None


def published_checksum(name: str) -> str:
    """The checksum of a file as published, "KIND:DIGEST"; "" when unknown."""
    return next((f"{k}:{v}" for k, v in published().get(name, {}).items() if k != "size"), "")


@cache
def file_digest(path: Path, kind: str, _size: int, _changed: int) -> str:
    return checksum(path, kind)


def check_known(path: Path, root: Path, owner: Entry) -> bool:
    """InputError when a file differs from its known checksum; whether one is known."""
    known = known_checksum(path, root)
    if known is None:
        return False
    state = path.stat()
    kind, _, digest = known.partition(":")
    if file_digest(path, kind, state.st_size, state.st_mtime_ns) != digest:
        size = published().get(path.relative_to(root).as_posix(), {}).get("size")
        length = f" ({state.st_size} bytes, published {size})" if size and size != state.st_size else ""
        raise InputError(
            f"differs from the known checksum{length}: truncated or altered",
            path,
            f"get it again from {owner.origin}, or import it with --accept",
        )
    return True
