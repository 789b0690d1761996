"""The registry: one entry a data set says where it comes from, what its files look like, how to load and verify it."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from ..errors import HumalignError, InputError, MissingData
from ..store import read_json, sha256

MODULES = (
    "things", "things_full", "features_known", "mur92", "levels", "tables", "multi_arrangement", "peterson", "cifar",
    "alignet", "imagenet", "fewshot",
)  # fmt: skip
MANIFEST = "humalign-data.json"


@dataclass(frozen=True)
class File:
    """One file (or folder) of an entry.

    Attributes
    ----------
    path : str
        Relative to the data folder.
    what : str
        Content, shape, units.
    also : tuple of str
        Other places where it is looked for.
    optional, folder : bool
    url : str
        Where it can be fetched without a form, if anywhere.
    shared : bool
        Whether several data sets use it: its presence alone does not mean that this one is there.
    """

    path: str
    what: str = ""
    also: tuple[str, ...] = ()
    optional: bool = False
    folder: bool = False
    url: str = ""
    shared: bool = False

    def find(self, root: Path) -> Path | None:
        """Where the file lies under ``root``, or None."""
        for name in (self.path, *self.also):
            path = root / name
            if path.is_dir() if self.folder else path.is_file():
                return path
        return None


@dataclass(frozen=True)
class Download:
    """One open file on the network.

    Attributes
    ----------
    url : str
    path : str
        Where it goes, relative to the data folder: the file itself, or the folder an archive is unpacked into.
    mirrors : tuple of str
        Further addresses of the same bytes.
    checksum : str
        "sha256:..." or "md5:..."; "" when unknown.
    unpack : bool
        Whether it is a tar or zip archive.
    size : int
        Bytes, where known.
    """

    url: str
    path: str
    mirrors: tuple[str, ...] = ()
    checksum: str = ""
    unpack: bool = False
    size: int | None = None


def raw_file(repository: str, commit: str, path: str) -> str:
    """Address of a file of a public GitHub repository at one commit."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{quote(path)}"


@dataclass(frozen=True)
class Entry:
    """What is known of one data set, and how it is read.

    Attributes
    ----------
    name, title, kind : str
        ``kind``: triplets, rdm, embedding, features, stimuli, concepts, levels, transform, weights, table.
    profiles : tuple of str
    source, licence, citation : str
    files : dict of str to File
    row_order : str
        Which order the rows have; "ids inside" where the file names them.
    needs : str
        "", or what has to be done by hand (form, password, account).
    size : str
        How large, in words.
    expect : dict
        Facts of the published version (counts), checked by ``verify`` against :func:`humalign.data.verify.facts`.
    likely : dict
        Facts that no source at hand confirms; ``verify`` reports a difference as a note, not as a problem.
    downloads : tuple of Download
        What can be fetched without a form.
    any_of : tuple of str
        Optional files of which at least one is needed.
    loader : callable
        ``loader(at)`` with a :class:`Place`.
    checks : tuple of callables
        ``check(loaded, at)`` yields one-line problems.
    steps : tuple of str
        How to get it by hand.
    """

    name: str
    title: str
    kind: str
    profiles: tuple[str, ...]
    source: str
    licence: str
    citation: str = ""
    files: dict = field(default_factory=dict)
    row_order: str = ""
    needs: str = ""
    size: str = ""
    expect: dict = field(default_factory=dict)
    likely: dict = field(default_factory=dict)
    downloads: tuple = ()
    any_of: tuple[str, ...] = ()
    loader: Callable | None = None
    checks: tuple = ()
    steps: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from, short: the address, or the source in words."""
        return self.source.split(" ")[0] if self.source.startswith("http") else self.source

    @property
    def bytes(self) -> int | None:
        """About how many bytes its own files have, read from ``size``; None where it is not stated."""
        found = re.search(r"(\d+(?:\.\d+)?) (kB|MB|GB)", self.size)
        return round(float(found[1]) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[found[2]]) if found else None

    @property
    def closed(self) -> list[str]:
        """Keys of required files that cannot be fetched by a program."""
        if self.downloads:
            return []
        gone = [key for key, file in self.files.items() if not (file.optional or file.url)]
        if self.any_of and not any(self.files[key].url for key in self.any_of):
            gone += self.any_of[:1]
        return gone

    @property
    def by_hand(self) -> str:
        """What has to be done by hand, in words; "" when 'humalign data fetch' does everything."""
        return self.needs or ("see 'humalign data where'" if self.closed else "")

    def found(self, root: Path | None) -> dict[str, Path]:
        """Files that are there."""
        if root is None:
            return {}
        return {key: path for key, file in self.files.items() if (path := file.find(root))}

    def missing(self, root: Path | None) -> list[str]:
        """Keys of required files that are not there."""
        here = self.found(root)
        gone = [key for key, file in self.files.items() if not file.optional and key not in here]
        if self.any_of and not any(key in here for key in self.any_of):
            gone += self.any_of[:1]
        return gone


class Place:
    """Where one entry's files lie: what a loader is given."""

    def __init__(self, entry: Entry, root: Path):
        self.entry, self.root = entry, root

    def get(self, key: str) -> Path | None:
        """The file called ``key``, checked against its known checksum; None when it is not there."""
        path = self.entry.files[key].find(self.root)
        if path is not None and path.is_file():
            check_known(path, self.root, self.entry)
        return path

    def path(self, key: str) -> Path:
        """The file called ``key``; MissingData when it is not there."""
        path = self.get(key)
        if path is None:
            raise MissingData(
                "is not here",
                self.root / self.entry.files[key].path,
                f"'humalign data where {self.entry.name}' says how to get it",
            )
        return path

    def load(self, name: str):
        """Another entry from the same folder (for instance the concept names)."""
        return _load(entry(name), self.root)


_ENTRIES: dict[str, Entry] = {}


def dataset(name: str, *, files: dict, check=(), profiles=("full",), **facts_):
    """Register the decorated ``loader(at)`` as the data set ``name``; see :class:`Entry`."""

    def add(loader):
        if name in _ENTRIES and _ENTRIES[name].loader.__module__ != loader.__module__:
            raise HumalignError(f"two modules register the data set '{name}'")
        checks = tuple(check) if isinstance(check, (tuple, list)) else (check,)
        _ENTRIES[name] = Entry(name=name, files=files, profiles=tuple(profiles), loader=loader, checks=checks, **facts_)
        return loader

    return add


@cache
def _modules() -> None:
    for module in MODULES:
        importlib.import_module(f".{module}", __package__)


def entries(profile=None) -> list[Entry]:
    """All entries, or those of one profile (a Profile or its name), by name."""
    _modules()
    name = getattr(profile, "name", profile)
    if name == "mini":
        return _mini()
    found = [e for e in _ENTRIES.values() if name is None or name in e.profiles]
    return sorted(found, key=lambda e: e.name)


def entry(name: str, profile=None) -> Entry:
    """One entry; InputError names the nearest ones when there is none."""
    import difflib

    known = {e.name: e for e in entries(profile)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known)[:3]
        where = f" in the profile '{getattr(profile, 'name', profile)}'" if profile else ""
        raise InputError(
            f"no data set is called '{name}'{where}",
            "data",
            f"nearest: {', '.join(near)}; 'humalign data list' shows all",
        )
    return known[name]


# ---------------------------------------------------------------------------------------------- known checksums


@cache
def published() -> dict:
    """Checksums and sizes of the published files: {path: {"sha256", "size"}}."""
    path = resources.files(__package__).joinpath("checksums.json")
    return json.loads(path.read_text("utf8"))


def manifest(root: Path) -> dict:
    """What the data folder says of itself (``humalign-data.json``).

    Keys, all optional: sha256 {path: accepted checksum}, row_order {data set: order}, expect {data set: {fact: value}}
    and rehearsal (true for the tiny files of :mod:`humalign.data.rehearsal`).
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
    """Whether the folder holds tiny files written by :mod:`humalign.data.rehearsal`, not data."""
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
def _digest(path: Path, size: int, changed: int) -> str:
    return sha256(path)


def check_known(path: Path, root: Path, owner: Entry) -> bool:
    """InputError when a file differs from its known checksum; whether one is known."""
    known = known_checksum(path, root)
    if known is None:
        return False
    state = path.stat()
    if _digest(path, state.st_size, state.st_mtime_ns) != known:
        size = published().get(path.relative_to(root).as_posix(), {}).get("size")
        length = f" ({state.st_size} bytes, published {size})" if size and size != state.st_size else ""
        raise InputError(
            f"differs from the known checksum{length}: truncated or altered",
            path,
            f"get it again from {owner.origin}, or import it with --accept",
        )
    return True


# ---------------------------------------------------------------------------------------------- loading


def _load(one: Entry, root: Path | None):
    if one.loader is None:
        raise InputError("has no loader", one.name)
    if not one.files and "mini" in one.profiles:
        return one.loader(None)
    if root is None:
        raise MissingData("needs a data folder", one.name, "point HUMALIGN_DATA or --data at the folder with the data")
    if gone := one.missing(root):
        paths = ", ".join(one.files[key].path for key in gone[:3])
        raise MissingData(
            f"{paths} {'is' if len(gone) == 1 else 'are'} not in {root}",
            one.name,
            f"'humalign data where {one.name}' says how to get it",
        )
    return one.loader(Place(one, root))


def load(name: str, profile):
    """Read a data set.

    Parameters
    ----------
    name : str
        As 'humalign data list' shows it.
    profile : Profile

    Returns
    -------
    Triplets, HumanRDM, Stimuli, ConceptEmbedding, Features, LinearTransform, DataFrame or dict
        By the entry's kind.

    Raises
    ------
    MissingData
        When its files are not there.
    InputError
        When a file is damaged, or the profile has no such data set.
    """
    one = entry(name, profile)
    if profile.name == "mini":
        return one.loader(profile)
    return _load(one, profile.data)


def available(profile) -> list[str]:
    """Names of the data sets whose files are at hand in this profile."""
    if profile.name == "mini":
        return [e.name for e in entries(profile)]
    if profile.data is None:
        return []
    return [e.name for e in entries(profile) if e.files and not e.missing(profile.data)]


def _mini() -> list[Entry]:
    """Entries of the drawn world, made from ``humalign.world.datasets.DATASETS``."""
    try:
        datasets = importlib.import_module("humalign.world.datasets").DATASETS
    except ModuleNotFoundError as error:
        if error.name != "humalign.world.datasets":
            raise
        return []

    def make(name, function):
        takes = bool(inspect.signature(function).parameters)
        line = (inspect.getdoc(function) or name).split("\n")[0]
        return Entry(
            name=name,
            title=line,
            kind=getattr(function, "kind", "drawn world"),
            profiles=("mini",),
            source="drawn and answered by humalign.world",
            licence="MIT",
            row_order="ids inside",
            size="computed",
            loader=(lambda profile: function(profile)) if takes else (lambda profile: function()),
        )

    return [make(name, function) for name, function in sorted(datasets.items())]


# ---------------------------------------------------------------------------------------------- tables


def table(profile=None):
    """The registry as a table, one row a data set (for the book and the command line).

    Returns
    -------
    DataFrame
        name, title, kind, profiles, size, licence, source, needs (what has to be done by hand), row_order, citation,
        files, here (None without a data folder).
    """
    import pandas as pd

    root = getattr(profile, "data", None)
    rows = []
    for one in entries(profile):
        here = None if root is None or not one.files else not one.missing(root)
        rows.append(
            {
                "name": one.name,
                "title": one.title,
                "kind": one.kind,
                "profiles": ", ".join(one.profiles),
                "size": one.size,
                "licence": one.licence,
                "source": one.source,
                "needs": one.by_hand,
                "row_order": one.row_order,
                "citation": one.citation,
                "files": "; ".join(f"{f.path} {f.what}".strip() for f in one.files.values()),
                "here": here,
            }
        )
    columns = ["name", "title", "kind", "profiles", "size", "licence", "source", "needs", "row_order", "citation"]
    return pd.DataFrame(rows, columns=[*columns, "files", "here"])
