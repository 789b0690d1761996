"""The registry: one entry a data set says where it comes from, what its files look like, how to load and verify it."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from ..depends import asks_data_folder
from ..errors import HumalignError, InputError, MissingData
from .entry_types import Download, Entry, File, raw_file
from .known import check_known, manifest, rehearsal

__all__ = [
    "Download",
    "Entry",
    "File",
    "Place",
    "available",
    "dataset",
    "entries",
    "entry",
    "load",
    "manifest",
    "raw_file",
    "registered",
    "rehearsal",
    "table",
]

MODULES = (
    "things", "things_full", "things_vice", "things_images", "features_known", "mur92", "photographs", "levels",
    "validation", "tables", "multi_arrangement", "peterson", "cifar", "alignet", "imagenet", "fewshot",
)  # fmt: skip


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

    def make(self, kind, path, **values):
        """``kind(**values)`` with the entry's name, source and licence; what is wrong with it is said of ``path``."""
        own = {"name": self.entry.name, "source": self.entry.source, "licence": self.entry.licence}
        try:
            return kind(**{**own, **values})
        except InputError as error:
            raise InputError(error.problem, path, error.remedy) from None

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


def registered(name: str) -> Entry:
    """An entry of a module that was read before: for data sets that are made of the files of others."""
    return _ENTRIES[name]


@cache
def _modules() -> None:
    for module in MODULES:
        importlib.import_module(f".{module}", __package__)


def entries(profile=None) -> list[Entry]:
    """All entries, or those of one profile (a Profile or its name), by name; folders in the plain layout have none."""
    _modules()
    name = getattr(profile, "name", profile)
    found = [e for e in _ENTRIES.values() if name is None or name in e.profiles]
    return sorted(found, key=lambda e: e.name)


def entry(name: str, profile=None) -> Entry:
    """One entry; InputError names the nearest ones when there is none."""
    import difflib

    known = {e.name: e for e in entries(profile)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known)[:3]
        where = f" in the profile '{getattr(profile, 'name', profile)}'" if profile else ""
        nearest = f"nearest: {', '.join(near)}; " if near else ""
        raise InputError(f"no data set is called '{name}'{where}", "data", f"{nearest}'humalign data list' shows all")
    return known[name]


# ---------------------------------------------------------------------------------------------- loading


def _load(one: Entry, root: Path | None):
    if one.loader is None:
        raise InputError("has no loader", one.name)
    asks_data_folder()
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
    return _load(entry(name, profile), profile.data)


def available(profile) -> list[str]:
    """Names of the data sets whose files are at hand in this profile."""
    if found := [e for e in entries(profile) if e.files]:
        asks_data_folder()
    return [e.name for e in found if not e.missing(profile.data)] if profile.data is not None else []


# ---------------------------------------------------------------------------------------------- tables


def table(profile=None):
    """The registry as a table, one row a data set (for the book and the command line).

    Returns
    -------
    DataFrame
        name, title, kind, profiles, size, licence, source, by_hand (what has to be done), row_order, citation,
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
                "by_hand": one.by_hand,
                "row_order": one.row_order,
                "citation": one.citation,
                "files": "; ".join(f"{f.path} {f.what}".strip() for f in one.files.values()),
                "here": here,
            }
        )
    columns = ["name", "title", "kind", "profiles", "size", "licence", "source", "by_hand", "row_order", "citation"]
    return pd.DataFrame(rows, columns=[*columns, "files", "here"])
