"""What a study asks for, by role: people's answers, pictures, networks and their features; in every profile alike.

:func:`open_source` is the one place that asks which profile it is. The drawn world (``mini``) and a lab's own study are
data folders in the plain layout (:mod:`humalign.data.plain`); ``slice`` and ``full`` are the published files that the
registry reads, and plain folders beside them (:mod:`humalign.roles` says which data sets play a role).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from .at_hand import YOURS, AtHand, as_features, facts_of
from .config import OWN, Profile, get_profile
from .data import plain, registry
from .data.features_file import FORMS
from .data.types import Features, Stimuli
from .errors import InputError, MissingData
from .features import shards
from .roles import ROLES
from .store import cached, digest, lock, sha256

LAYERS = ("penultimate", "logits")
VERSION = 1  # of the features of the drawn world


@dataclass(frozen=True, eq=False)
class Source(AtHand):
    """Data and networks of one profile; see :func:`open_source`.

    Its networks and what lies in files come from :class:`humalign.at_hand.AtHand`, answers and pictures from
    :class:`humalign.answers.Answers`; here features are read, or made of networks that run.
    """

    # ---- which networks, and in which state

    def missing(self, role: str, features: bool = False) -> str:
        """What keeps a role from being used, in one line: people's answers, or features of networks; "" if nothing."""
        told = super().missing(role)
        try:
            lacking = features and not told and not self.models(role)
            return str(self.no_features(role)) if lacking else told
        except InputError as error:
            return str(error)

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
                found = [as_features(given[layer], layer) for layer in layers if layer in given]
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
        row = facts_of(key, **{"name": name, **facts})
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
        profile = get_profile(str(profile) if profile else None)
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
