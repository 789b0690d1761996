"""What a study asks for, by role: people's answers, pictures, networks and their features; in every profile alike.

:func:`open_source` is the one place that asks which profile it is. The drawn world (``mini``) and a lab's own study are
data folders in the plain layout (:mod:`humalign.data.plain`); ``slice`` and ``full`` are the published files that the
registry reads, and plain folders beside them (:mod:`humalign.roles` says which data sets play a role).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from .answers import KINDS, Answers
from .config import OWN, Profile, get_profile
from .data import plain, registry, things_full
from .data.features_file import FORMS
from .data.types import Features, Stimuli
from .errors import InputError, MissingData
from .features import shards
from .roles import FILES, NETWORKS, ROLES
from .store import cached, digest, lock, sha256

LAYERS = ("penultimate", "logits")
VERSION = 1  # of the features of the drawn world
YOURS = "Yours"  # training group of the reader's own network
UNKNOWN = "Not known"  # training group of a network whose published features are there, but of which no table knows
FACTS = ["model", "name", "source", "family", "size", "arch", "group", "palette", "objective", "augmentation",
         "training_data", "epochs", "wave", "parameters", "reference_accuracy", "own_accuracy", "seeds",
         "public", "stand_in", "role", "number"]  # of each network, in tables and under figures  # fmt: skip


@dataclass(frozen=True, eq=False)
class Source(Answers):
    """Data and networks of one profile; see :func:`open_source`.

    Parameters
    ----------
    mine : tuple
        The reader's own networks: (facts, list of Features or a Model), see :meth:`plus`.
    """

    mine: tuple = ()

    # ---- what is there

    @property
    def complete(self) -> bool:
        """Whether it reads all that both papers use (the profile full), so that studies are held as they held them."""
        return self.kind == "published" and self.profile.name == "full"

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

    def missing(self, role: str, features: bool = False) -> str:
        """What keeps a role from being used, in one line: people's answers, or features of networks; "" if nothing."""
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
            if features and not self.models(role):
                raise self.no_features(role)
        except InputError as error:
            return str(error)
        return ""

    def at_hand(self, roles, features: bool = True) -> tuple[str, ...]:
        """Those of some roles that can be used: with answers and, unless ``features`` is false, features.

        Raises
        ------
        MissingData
            When there is none.
        """
        told = {name: self.missing(name, features) for name in roles}
        found = tuple(name for name, line in told.items() if not line)
        if not found:
            raise MissingData(next(iter(told.values())))
        return found

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
            rows = [_facts(name, source="data folder") for name in sorted(found - set(table["model"]))]
        else:
            table, told = facts(self.profile), {"group": UNKNOWN, "palette": UNKNOWN, "source": "data folder"}
            known = {_plain(key) for key in table["model"]}
            sets = {name for role in ROLES for name in self._sets(role)} - set(NETWORKS)
            found = {model for name in sets for model, _ in self._read(name)}
            rows = [_facts(name, **told) for name in sorted(found) if _plain(name) not in known]
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
        top = self.root / shards.FOLDER
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
        one, found = self.role(role), []
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

    def models(self, role: str = "things", seed: int = 0) -> list[str]:
        """Networks at hand, in the order of the table: with weights (drawn world), or features of a role's pictures.

        Parameters
        ----------
        role : str
        seed : int
            Training run.
        """
        return [m for m in self._table["model"] if self._digest(role, m, seed)]

    def _digest(self, role: str, model: str, seed: int) -> str:
        """What the features of a training run depend on; "" where there are none."""
        if mine := self._mine(model):
            return self._own_digest(role, mine) if seed == 0 else ""
        if self.kind == "drawn":
            from .world import stimuli

            weights = self._weights(model, seed)
            return weights and digest(weights, VERSION, stimuli.drawings_digest())
        path = self.stored(role, model, seed)
        if path is not None and not self._unusable(model, path):
            return shards.about(path)["digest"]
        if seed != 0 or path is not None:
            return ""
        parts = self._files(role).get(model, {})
        found = [[layer, part.checksum] for layer, part in sorted(parts.items())] or self._running(role, model)
        return digest(found) if found else ""

    def _running(self, role: str, model: str) -> list:
        """Checksums of the weights and of the pictures of a network that runs here, without features that were
        published; [] for others."""
        from .zoo import weights_here

        shown = ROLES[role].pictures if self._may_be_files(role) else ()
        if not set(shown) & set(registry.available(self.profile)) or self.missing(role):
            return []
        path = self._once(("weights", model), [], lambda: weights_here(model, self.profile))
        return self._once(("running", role, path), [path], lambda: [VERSION, sha256(path), _held(self.pictures(role))]
                          ) if path else []  # fmt: skip

    def _weights(self, model: str, seed: int) -> str:
        """Checksum of the weights of a network of the drawn world; "" where it was not trained."""
        from .zoo import small

        try:
            return small.facts(model, seed, self.profile)["sha256"]
        except MissingData:
            return ""

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
        small = self.kind == "published" and self.profile.name == "slice" and role in ROLES
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

    def state(self, role: str = "things", models=None, seeds=(0,)) -> list:
        """What the features depend on, for cache keys: network, training run and digest of each.

        Raises
        ------
        MissingData
            As :meth:`features`, where there are none.
        """
        return [[m, s, self._digest(role, m, s)] for m, s in self.runs(role, models, seeds)]

    def runs(self, role: str = "things", models=None, seeds=(0,)) -> list[tuple[str, int]]:
        """The training runs that a study covers: (network, seed) pairs.

        Released students of the second paper are covered where they are named; by default the others are.

        Raises
        ------
        MissingData
            When none is at hand.
        """
        found = [(m, s) for s in seeds for m in self.models(role, s)
                 if (m not in self._students if models is None else m in models)]  # fmt: skip
        if found:
            return found
        if self.kind == "drawn":
            told = f"no weights are at hand (seeds {', '.join(map(str, seeds))})"
            raise MissingData(told, "mini zoo", "humalign world train NAME")
        raise self.no_features(role, models)

    def no_features(self, role: str, models=None) -> MissingData:
        """The error for a role without features of some networks, or of any."""
        pictures, whose = self.shown(role), "any network" if models is None else ", ".join(map(str, models))
        place, how = Path(self.root or "") / shards.FOLDER, shards.command("MODEL", pictures)
        if self.kind == OWN:  # ids are the names of the files
            how = f"humalign extract MODEL --images {place.parent / pictures / 'pictures'} --layers penultimate logits"
            how += f" --out {place / 'MODEL' / pictures}"
        else:
            how += "; 'humalign plan --profile full' lists networks and costs"
        return MissingData(f"there are no features of {whose} for the pictures of {pictures}", place, how)

    def features(self, role: str = "things", layers=LAYERS, models=None, seeds=(0,)) -> Iterator[Features]:
        """Features of one network and layer after the other for the pictures of a role, with names of the pictures.

        In the drawn world they are made on demand and kept; else they are read from the data folder
        (``features/MODEL/PICTURES``, or published files), or made where the network runs without a download.

        Parameters
        ----------
        role : str
        layers : tuple of str
            Layers that a network does not have are left out.
        models : list of str, optional
            Default: all at hand.
        seeds : tuple of int
            Training runs.

        Returns
        -------
        iterator of Features
            ``meta``: seed, weights, digest.

        Raises
        ------
        MissingData
            When there are none at all.
        InputError
            When a file is damaged.
        """
        runs = self.runs(role, models, seeds)
        for model, seed in tqdm(runs, f"features of {role}", unit="network", leave=False) if self._slow else runs:
            about = {"seed": seed, "weights": (known := self._digest(role, model, seed)), "digest": known}
            if mine := self._mine(model):
                found = self._own(role, mine, layers)
            elif self.kind == "drawn":
                found = self._drawn(role, model, seed, layers, known)
                about["weights"] = self._weights(model, seed)
            elif path := self.stored(role, model, seed):
                found = shards.read_layers(path, layers)
            elif model not in self._files(role):
                from .zoo import load

                running = self.seen_by(load(model, profile=self.profile), self.pictures(role))
                found = [part for part in running if part.layer in layers]
            else:
                given = self._files(role)[model]
                found = [_as_features(given[layer], layer) for layer in layers if layer in given]
            for part in found:
                yield replace(part, model=model, meta=about)

    @property
    def _slow(self) -> bool:
        return self.kind == "drawn"

    def layers(self, role: str, model: str) -> tuple[str, ...]:
        """Every layer of a network that :meth:`features` gives for the pictures of a role, in the order of depth.

        Of networks of the drawn world the outermost blocks (:func:`humalign.features.stages.blocks`), else the layers
        that were extracted.
        """
        from .features.stages import blocks
        from .zoo import small

        if mine := self._mine(model):
            return tuple(part.layer for part in mine) if isinstance(mine, list) else tuple(mine.layers)
        if self.kind == "drawn":
            return tuple(blocks(small.load(model, profile=self.profile)))
        path = self.stored(role, model)
        return tuple(shards.layers(path)) if path else tuple(self._files(role).get(model, LAYERS))

    def _drawn(self, role, model, seed, layers, known) -> list[Features]:
        """Features of the drawn world's networks, made on demand; those of the last layers are kept."""
        from .features import extract
        from .world import folder
        from .zoo import small

        shown, place = self.pictures(role), self.profile.cache / shards.FOLDER
        if set(layers) - set(LAYERS):
            network = small.load(model, seed, profile=self.profile)
            made = extract(network, self._sized(role, folder.SIDE), list(layers), device="cpu", progress=False)
            return list(made.values())

        def make():
            network, seen = small.load(model, seed, profile=self.profile), self._sized(role, folder.SIDE)
            found = extract(network, seen, network.layers, device="cpu", progress=False)
            return {layer: part.values for layer, part in found.items()}

        with lock(place / f".{self.shown(role)}.lock"):
            arrays = cached(place, f"{model}.s{seed}-{self.shown(role)}", [known, shown.ids], make)
        return [Features(shown.ids, arrays[layer], model, layer, shown.source, shown.licence, f"{model} {layer}")
                for layer in layers if layer in arrays]  # fmt: skip

    # ---- the reader's own network

    def plus(self, model_or_features, **facts) -> Source:
        """The same source with one more network, the reader's own: it stands in every table, in the group "Yours".

        Parameters
        ----------
        model_or_features : Features or list of them, path, Model, or str
            Features of one network, in one layer or several, with the names of the pictures; a file or folder of
            features; a network, or a name for :func:`humalign.zoo.load`, which then looks at the pictures.
        **facts
            Columns of :meth:`networks`, for instance ``name="My network"``.

        Raises
        ------
        MissingData, InputError
            A file that is not there or not readable; an unknown name.
        """
        found = model_or_features
        if isinstance(found, (str, Path)):
            path = Path(found)
            if path.suffix in FORMS or path.is_dir():
                layers = [one for one in shards.layers(path) if one in LAYERS]
                found = [shards.read(path, one) for one in layers] or [shards.read(path)]
            else:
                from .zoo import load

                found = load(str(found), profile=self.profile)
        if isinstance(found, Features):
            found = [found]
        name = found[0].model if isinstance(found, list) else found.name
        key = f"{name} (yours)" if name in set(self._table["model"]) else name
        row = _facts(key, **{"name": name, **facts})
        return replace(self, mine=(*self.mine, (row, found)), kept=self.kept)

    def _mine(self, model: str):
        return next((found for row, found in self.mine if row["model"] == model), None)

    def _own_digest(self, role: str, mine) -> str:
        if not isinstance(mine, list):
            return digest(mine.checksum, mine.preprocess.describe())
        covered = set(self.ids(role)) <= set(mine[0].ids)
        return digest([part.checksum for part in mine]) if covered else ""

    def _own(self, role: str, mine, layers) -> list[Features]:
        if isinstance(mine, list):
            return [part for part in mine if part.layer in layers]
        shown = self.pictures(role, self.side(mine))
        return [part for part in self.seen_by(mine, shown) if part.layer in layers]

    def side(self, model) -> int | None:
        """The size at which a network is shown pictures, pixels: drawn ones at its own, others as they are (None)."""
        return model.preprocess.resize if self.kind == "drawn" else None

    def seen_by(self, model, shown: Stimuli, progress: bool | None = None) -> list[Features]:
        """Features of some pictures in a loaded network, made on demand and kept: penultimate, and logits where there
        are any.

        Parameters
        ----------
        model : humalign.zoo.Model
        shown : Stimuli
        progress : bool, optional
            Bars of the extraction.
        """
        from .features import extract

        specs = {model.layers[layer]: layer for layer in reversed(LAYERS) if layer in model.layers}
        wanted = [layer for layer in LAYERS if layer in specs.values()]  # two names of one layer count once

        def make():
            found = extract(model, shown, wanted, device=self.profile.device, progress=progress)
            return {layer: part.values for layer, part in found.items()}

        place = self.profile.cache / shards.FOLDER / YOURS.lower()
        parts = [model.checksum, model.preprocess.describe(), sorted(specs.items()), shown.ids, _held(shown)]
        arrays = cached(place, "".join(c if c.isalnum() else "-" for c in shown.name), parts, make)
        return [Features(shown.ids, arrays[layer], model.name, layer) for layer in wanted]


def _held(shown: Stimuli) -> str:
    """Digest of what pictures hold, wherever their files lie and whatever these are called."""
    from .features.images import MOST, content

    return content(shown, most=MOST) or shown.checksum


def _plain(name: str) -> str:
    """A network's name as files and tables share it: efficientnet_lite0 is efficientnet-lite0."""
    return name.lower().replace("_", "-")


def _as_features(part, layer: str) -> Features:
    """Published features or an embedding of people, as features of a layer."""
    return Features(part.ids, np.asarray(part.values, np.float32), "", layer, part.source, part.licence, part.name)


def _facts(model: str, **facts) -> dict:
    """Facts of a network that no table knows."""
    return {"model": model, "name": model, "group": YOURS, "palette": YOURS, "source": "yours", "public": False,
            "reference_accuracy": np.nan, "parameters": np.nan, **facts}  # fmt: skip


def open_source(profile: Profile | str | Path | None = None, mine=None) -> Source:
    """Data and networks of a profile, or of a data folder in the plain layout.

    Parameters
    ----------
    profile : Profile, str or path
        A profile; the name of one ("mini", "slice", "full"; None: from the environment); or a folder with studies in
        the plain layout (:mod:`humalign.data.plain`), which need no code.
    mine : path, Features, Model or str, optional
        The reader's own network, see :meth:`Source.plus`; default: the file or name in ``HUMALIGN_MINE``, if any.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a name that is neither a profile nor a folder, or a folder without studies.

    Examples
    --------
    >>> source = open_source("mini")
    >>> len(source.triplets("things"))
    120000
    """
    if not isinstance(profile, Profile):
        profile = get_profile(profile and str(profile))
    found = _own(profile) if profile.kind == OWN else _opened(profile)
    mine = mine or os.environ.get("HUMALIGN_MINE")
    return found.plus(mine) if mine else found


def _own(profile: Profile) -> Source:
    """The studies in a folder; InputError where there are none."""
    root = Path(profile.data or "")
    if (root / plain.PICTURES).is_file():
        raise InputError("is one study", root, f"give the folder that holds it, {root.parent}")
    if not plain.studies(root):
        raise InputError("holds no study in the plain layout", root, plain.LIKE)
    return Source(profile, root)


def open_sources(profile: Profile) -> list[Source]:
    """All that networks can be tested on: the source of a profile and, beside the drawn world, the files in the data
    folder."""
    beside = [profile.with_(name="slice")] if profile.kind == "drawn" and profile.data is not None else []
    return [open_source(one) for one in (profile, *beside)]


@lru_cache(maxsize=8)
def _opened(profile: Profile) -> Source:
    if profile.kind == "drawn":
        from .world import folder

        return Source(profile, folder.ready(profile))
    return Source(profile, profile.data)
