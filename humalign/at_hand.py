"""What of a profile is at hand by role: answers, networks and features in files; and what stands in for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from .answers import KINDS, Answers
from .config import OWN
from .data import plain, registry, things_full
from .data.types import Features
from .errors import InputError, MissingData
from .features import shards
from .roles import FILES, NETWORKS, ROLES

YOURS = "Yours"  # training group of the reader's own network
UNKNOWN = "Not known"  # training group of a network whose published features are there, but of which no table knows
FACTS = ["model", "name", "source", "family", "size", "arch", "group", "palette", "objective", "augmentation",
         "training_data", "epochs", "wave", "parameters", "reference_accuracy", "own_accuracy", "seeds",
         "public", "stand_in", "role", "number"]  # of each network, in tables and under figures  # fmt: skip


@dataclass(frozen=True, eq=False)
class AtHand(Answers):
    """Answers, networks and features of one profile, as far as they lie in files; see :class:`humalign.source.Source`.

    Parameters
    ----------
    mine : tuple
        The reader's own networks: (facts, list of Features or a Model), see :meth:`humalign.source.Source.plus`.
    """

    mine: tuple = ()

    # ---- what is there

    def roles(self) -> list[str]:
        """Roles whose answers or pictures are at hand, and studies of the data folder's owner."""
        known = [name for name in ROLES if not self.missing(name)]
        taken = {one.folder for one in ROLES.values()} if self.kind == "drawn" else {ROLES[n].folder for n in known}
        return known + [name for name in (plain.studies(self.root) if self.root else ()) if name not in taken]

    def answer_sets(self) -> list[str]:
        """Everything at hand that people did: names for :meth:`answers_of` and :meth:`pictures`.

        Of the drawn world its roles; else the published data sets by their names in the registry, and what the studies
        of the data folder hold (STUDY for its answers, STUDY/labels, STUDY/sessions, STUDY/arrangement). Controls, and
        second answers of the same people, are left out.
        """
        if self.kind == "drawn":
            judged = [name for name, one in ROLES.items() if one.kind != "pictures" and not one.control]
            return [name for name in judged if not self.missing(name)]
        found = []
        if self.kind == "published":
            here, again = set(registry.available(self.profile)), {one.again[1] for one in ROLES.values() if one.again}
            found = [
                one.name for one in registry.entries(self.profile) if one.kind in KINDS and one.name in here - again
            ]
        root = self.root
        for study in plain.studies(root) if root else ():
            for file, kind in FILES.items():
                if root and kind != "pictures" and file != "control.csv" and (root / study / file).is_file():
                    found.append(study if file == "answers.csv" else f"{study}/{file.partition('.')[0]}")
        return found

    def missing(self, role: str) -> str:
        """What keeps people's answers of a role from being used, in one line; "" if nothing."""
        try:
            one = self.role(role)
            if folder := self._folder(role):
                if role in ROLES or "/" in role or not any((folder / file).is_file() for file in FILES):
                    self._file(folder, one.file)
            elif self.root is None:
                raise MissingData("needs a data folder", role, "point HUMALIGN_DATA or --data at it")
            else:
                needed = [*one.answers, *one.pictures] if one.joined else [one.answers or one.pictures]
                for name in (self._published((n,) if isinstance(n, str) else n, role) for n in needed):
                    gone = registry.entry(name).missing(self.root)
                    if gone or name not in registry.available(self.profile):
                        told = gone[0] if gone else "a file"
                        return f"{name}: {told} is not here; 'humalign data where {name}' says how to get it"
        except InputError as error:
            return str(error)
        return ""

    # ---- networks

    def networks(self) -> pd.DataFrame:
        """Facts of the networks, one row each: those of the profile's table, then the reader's own.

        Returns
        -------
        DataFrame
            The columns of :data:`FACTS`; number is the order of the table, reference_accuracy a share.
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        from .zoo import table as facts

        if self.kind == OWN:
            table = facts()
            found = {m for study in plain.studies(self.root) for m in shards.models(self.root, study)}
            table = table[table["model"].isin(found)]
            rows = [facts_of(name, source="data folder") for name in sorted(found - set(table["model"]))]
        else:
            table, told = facts(self.profile), {"group": UNKNOWN, "palette": UNKNOWN, "source": "data folder"}
            known = {_plain(key) for key in table["model"]}
            sets = {name for role in ROLES for name in self._sets(role)} - set(NETWORKS)
            found = {model for name in sets for model, _ in self._read(name)}
            rows = [facts_of(name, **told) for name in sorted(found) if _plain(name) not in known]
        rows += [row for row, _ in self.mine]
        if rows or self.kind == OWN:
            table = pd.concat([table.astype(object), pd.DataFrame(rows, dtype=object)], ignore_index=True)
            for column in ("name", "role", "objective", "augmentation", "family", "size", "arch", "stand_in"):
                table[column] = table[column].fillna("")
            table = table.infer_objects().assign(number=np.arange(1, len(table) + 1))
        return table[[column for column in FACTS if column in table]]

    def shown(self, role: str) -> str:
        """The name under which the features of the pictures of a role are stored.

        Of several published sets of pictures the first that is at hand, or of which there are features.
        """
        if self._folder(role):
            return self.role(role).folder
        names = self.role(role).pictures
        if not names:
            return self._published(names, f"pictures of {role}")
        here = next((n for n in names if self.root and not registry.entry(n).missing(self.root)), names[0])
        if here == names[0]:
            return here
        top = (self.root or Path()) / shards.FOLDER
        return self._once(("shown", role), [top] if top.is_dir() else [], lambda: self._first_seen(names, here))

    def _picture_set(self, role: str) -> str:
        """The published pictures that play a role: those that networks saw, where there are several."""
        several = len(self.role(role).pictures) > 1
        return self._published((self.shown(role),), f"pictures of {role}") if several else super()._picture_set(role)

    def _first_seen(self, names, here: str) -> str:
        """Of the sets of pictures before ``here`` the first that a network has features of, else ``here``."""
        models = list(self._table["model"])
        before = names[: names.index(here)]
        return next((n for n in before if any(shards.find(self.root, m, n) for m in models)), here)

    def standing_in(self, role: str = "things") -> list[str]:
        """What stands in for published files that are not at hand, a sentence each; none in a plain folder."""
        one = self.role(role)
        found: list[str] = []
        if self._folder(role) or self.root is None:
            return found
        of = {"Pictures": one.pictures, "People's dimensions": one.people, "Answers of several people": one.repeated}
        for word, names in of.items():
            here = (n for n in names if not registry.entry(n).missing(self.root))
            taken = self.shown(role) if names == one.pictures else next(here, "")
            if taken and taken != names[0]:
                told = registry.entry(taken).title
                found.append(f"{word}: {taken} ({told}), in the place of {names[0]}, which is not here.")
        if "things/all" in one.answers and (told := things_full.stand_in(self.root)):
            found.insert(0, f"Answers: {told}.")
        return found

    def stored(self, role: str, model: str, seed: int = 0) -> Path | None:
        """The features of a training run for the pictures of a role in the data folder, or None."""
        return shards.find(self.root, model if seed == 0 else f"{model}.s{seed}", self.shown(role))

    def refused(self, role: str) -> list[str]:
        """Networks whose features are there but are not used, with the reason."""
        found = {m: p for m in self._table["model"] if (p := self.stored(role, m))}
        return [f"{m} ({why})" for m, p in found.items() if (why := self._unusable(m, p))]

    def _unusable(self, model: str, path: Path) -> str:
        """Why features do not count: an extraction that is not finished, or random weights under the name of a trained
        network (allowed in a rehearsal); "" where they count."""
        if not shards.finished(path):
            return "extraction not finished"
        if shards.about(path)["weights"].startswith("untrained") and self._group[model] != "Untrained":
            return "" if registry.rehearsal(self.root) else "random weights"
        return ""

    @cached_property
    def _students(self) -> set:
        return set(self._table.loc[self._table["role"].astype(str).str.startswith("student"), "model"])

    @cached_property
    def _group(self) -> dict:
        return dict(zip(self._table["model"], self._table["group"]))

    # ---- published features

    def _files(self, role: str) -> dict[str, dict[str, Features]]:
        """Features that come as published files for all objects of a role: network, layer.

        A network of which one layer is given stands for its penultimate one, whatever its own name.
        """
        sets = self._sets(role)
        if not sets or self._folder(role) or self.missing(role):
            return {}
        paths = [p for name in sets for p in registry.entry(name).files_in(self.root).values()]
        return self._once(("features", role, *sets), paths, lambda: self._layers_of(role, sets))

    def _sets(self, role: str) -> list[str]:
        """Published data sets with features of networks that are at hand for a role."""
        known = self._may_be_files(role)
        here = set(registry.available(self.profile)) if known else ()
        return [name for name in known if name in here]

    def _may_be_files(self, role: str) -> tuple[str, ...]:
        """Published data sets with features of networks for a role, at hand or not; of the small public files only."""
        small = self.kind == "published" and not self.profile.complete and role in ROLES
        return ROLES[role].features if small else ()

    def _layers_of(self, role: str, sets: list[str]) -> dict[str, dict[str, Features]]:
        from .zoo.facts import keys

        wanted, known = set(self.ids(role)), {_plain(key): key for key in keys()}
        found: dict[str, dict[str, Features]] = {}
        for name in sets:
            read = self._read(name)
            for (model, layer), part in (read if isinstance(read, dict) else {(NETWORKS[name], ""): read}).items():
                if wanted <= set(part.ids):  # a network that left pictures out cannot be compared
                    found.setdefault(known.get(_plain(model), model), {})[layer] = part
        return {model: layers if len(layers) > 1 else {"penultimate": next(iter(layers.values()))}
                for model, layers in found.items()}  # fmt: skip


def _plain(name: str) -> str:
    """A network's name as files and tables share it: efficientnet_lite0 is efficientnet-lite0."""
    return name.lower().replace("_", "-")


def as_features(part, layer: str) -> Features:
    """Published features or an embedding of people, as features of a layer."""
    return Features(part.ids, np.asarray(part.values, np.float32), "", layer, part.source, part.licence, part.name)


def facts_of(model: str, **facts) -> dict:
    """Facts of a network that no table knows."""
    return {"model": model, "name": model, "group": YOURS, "palette": YOURS, "source": "yours", "public": False,
            "reference_accuracy": np.nan, "parameters": np.nan, **facts}  # fmt: skip
