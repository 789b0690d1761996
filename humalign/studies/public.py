"""Tables made from the small public files: computed where the files are at hand, else as they were last recorded."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from .. import record as recording
from ..cache import kept
from ..data import registry
from ..errors import MissingData


@dataclass(frozen=True)
class Tables:
    """Named tables, where they come from ("live" or "recorded") and the date of the computation."""

    tables: dict[str, pd.DataFrame]
    provenance: str
    when: str

    def __getitem__(self, key: str) -> pd.DataFrame:
        return self.tables[key]


@dataclass(frozen=True)
class Study:
    """Some tables of the slice: their record's name, the data sets they need, their version, how to make them.

    Attributes
    ----------
    name : str
        Of the record, for instance "slice_concepts".
    needed : frozenset of str
        Names in the data registry.
    keys : tuple of str
        Names of the tables.
    version : int
        Goes up when the numbers change.
    make : callable
        Profile to dict of str to DataFrame.
    """

    name: str
    needed: frozenset
    keys: tuple[str, ...]
    version: int
    make: Callable

    def at_hand(self, profile) -> bool:
        """Whether the files are there."""
        return profile.data is not None and set(registry.available(profile.with_(name="slice"))) >= self.needed

    def inputs(self, profile) -> dict:
        """Checksums of the files read."""
        from ..store import sha256

        paths = [p for name in sorted(self.needed) for p in registry.entry(name, profile).found(profile.data).values()]
        return {path.relative_to(profile.data).as_posix(): sha256(path) for path in paths}

    def compute(self, profile) -> dict:
        """All tables, kept in the cache."""
        profile = profile.with_(name="slice")
        return kept(profile, self.name, self.version, [self.inputs(profile), profile.seed], lambda: self.make(profile))

    def record(self, profile, folder=None) -> list:
        """Compute all tables and store them with the package; see :mod:`humalign.record`.

        Raises
        ------
        MissingData
            Without the files.
        """
        if not self.at_hand(profile):
            raise MissingData("the public files are not all at hand", "HUMALIGN_DATA", "set it, or give --data")
        made = self.compute(profile)
        return recording.write(
            self.name, made, profile="slice", inputs=self.inputs(profile.with_(name="slice")), folder=folder
        )

    def tables(self, profile) -> Tables:
        """The tables: computed now, or taken from the cache, where the files are at hand; else recorded ones."""
        if self.at_hand(profile):
            return Tables(self.compute(profile), "live", datetime.date.today().isoformat())
        made = {key: recording.read(self.name, key) for key in self.keys}
        return Tables(made, "recorded", recording.facts(self.name)["date"])
