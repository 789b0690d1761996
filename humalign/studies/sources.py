"""Which data set stands behind a name of the studies (things, coarse, cichy ...) in each profile."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import odd_one_out
from ..config import Profile
from ..data import registry
from ..data.types import HumanRDM, Triplets
from ..errors import InputError, MissingData

TRIPLETS = ("things", "things-permuted", "coarse")
ARRANGEMENTS = ("cichy", "king1", "king2")
_MINI = {"things": "things", "things-permuted": "things-control", "coarse": "coarse-labels"}
_SPLITS = {"things": "things", "things-permuted": "things", "coarse": "test", "test": "test"}
FULL = {  # name in the studies: (data set with people's answers, data set with the pictures)
    "things": ("things/all", "things/images"),
    "things-permuted": ("things/all", "things/images"),
    "coarse": ("cifar100/coarse_triplets", "cifar100/train"),
    "cichy": ("cichy2019", "cichy2019/images"),
    "king1": ("king2019/set1", "king2019/set1/images"),
    "king2": ("king2019/set2", "king2019/set2/images"),
}
PICTURES = {  # pictures of transfer tasks and of Levels: name in the studies, data set with the pictures
    "caltech101": "caltech101",
    "cars196": "cars196",
    "cifar100-train": "cifar100/train",
    "cifar100-test": "cifar100/test",
    "dtd": "dtd",
    "pets": "pets",
    "ucmerced": "ucmerced",
    "imagenet-val": "imagenet/val",
    "imagenet-train": "imagenet/train",
    "imagenet-a": "imagenet_a",
    "levels": "levels/images",
}
CONTROL_SEED = 2023  # of the permutation of concepts in the control of the full profile


@lru_cache(maxsize=16)
def _mini(name: str):
    from ..world import datasets

    return datasets.load(name)


@lru_cache(maxsize=4)
def _full(name: str, root, stamp: str):
    from ..config import get_profile

    return registry.load(name, get_profile("full", data=root))


def _load(profile: Profile, dataset: str):
    """People's answers in the full profile, read once as long as the files do not change."""
    name = FULL[dataset][0]
    if profile.data is None:
        return registry.load(name, profile)  # says that there is no data folder
    found = registry.entry(name, "full").found(profile.data)
    stamp = repr(sorted((key, path.stat().st_mtime_ns, path.stat().st_size) for key, path in found.items()))
    return _full(name, profile.data, stamp)


def only_mini(profile: Profile, dataset: str) -> None:
    """MissingData in other profiles than mini, for what only the drawn world has."""
    if profile.name != "mini":
        raise MissingData(f"is not known of the data of the profile '{profile.name}'", dataset, "use the profile mini")


def _not_in_slice(profile: Profile, dataset: str) -> None:
    if profile.name == "slice":
        raise MissingData(
            "has no networks and people in the profile 'slice'",
            dataset,
            "the page on real human data shows what the slice offers; else use mini or full",
        )


def triplets(profile: Profile, dataset: str = "things") -> Triplets:
    """Odd-one-out responses of a data set.

    Parameters
    ----------
    dataset : {"things", "things-permuted", "coarse"}
        The control: in the drawn world other people, in the full profile the same responses with concepts permuted.

    Raises
    ------
    MissingData
        When the files are not there.
    """
    if dataset not in TRIPLETS:
        raise InputError(f"no triplets are called '{dataset}'", "dataset", f"choose one of {', '.join(TRIPLETS)}")
    _not_in_slice(profile, dataset)
    if profile.name == "mini":
        return _mini(_MINI[dataset])
    found = _load(profile, dataset)
    return permuted(found) if dataset == "things-permuted" else found


def people_entropy(profile: Profile) -> np.ndarray:
    """Entropy (nats) of people's choices on each odd-one-out triplet, (n,); in the full profile VICE's (the paper).

    Raises
    ------
    MissingData
        Where nobody says how sure people are.
    """
    if profile.name == "mini":
        from ..world import observers

        found = _mini("things")
        return odd_one_out.entropy(observers.group_probabilities(observers.values(found.ids), found.triplets))
    n, told = len(triplets(profile)), registry.load("things/vice_probabilities", profile)
    if len(told["probabilities"]) != n:
        raise InputError(
            f"has {len(told['probabilities'])} rows for {n} triplets",
            "things/vice_probabilities",
            "both have to come from the same release",
        )
    return np.asarray(told["entropies"] if "entropies" in told else odd_one_out.entropy(told["probabilities"]))


def permuted(triplets: Triplets, seed: int = CONTROL_SEED) -> Triplets:
    """The same responses with the objects permuted: same statistics, no relation to what the pictures show."""
    order = np.random.default_rng(seed).permutation(len(triplets.ids))
    return Triplets(
        triplets.ids,
        order[triplets.triplets],
        f"{triplets.source}, objects permuted",
        triplets.licence,
        name=f"{triplets.name}, permuted",
        concepts=triplets.concepts,
    )


def arrangement(profile: Profile, dataset: str) -> HumanRDM:
    """Dissimilarities of a multi-arrangement data set: "cichy", "king1" or "king2"."""
    if dataset not in ARRANGEMENTS:
        raise InputError(
            f"no arrangements are called '{dataset}'", "dataset", f"choose one of {', '.join(ARRANGEMENTS)}"
        )
    _not_in_slice(profile, dataset)
    return _mini(f"arrangement-{dataset}") if profile.name == "mini" else _load(profile, dataset)


def split(dataset: str) -> str:
    """The picture set of the drawn world that a data set is about."""
    return _SPLITS.get(dataset, dataset)


def pictures(dataset: str) -> str:
    """The data set of the registry with the pictures of a data set, for the full profile.

    Raises
    ------
    MissingData
        For a picture set that only the drawn world has.
    """
    return datasets_of(dataset)[-1]


def datasets_of(dataset: str) -> tuple[str, ...]:
    """The data sets of the registry behind a name of the studies: people's answers, where there are any, and pictures.

    Raises
    ------
    MissingData
        For a picture set that only the drawn world has.
    """
    if dataset in PICTURES:
        return (PICTURES[dataset],)
    if dataset not in FULL:
        raise MissingData("is a picture set of the drawn world", dataset, "use the profile mini")
    return FULL[dataset]


def missing(profile: Profile, dataset: str) -> str:
    """What keeps a data set from being used, in one line: people's answers or features of networks; "" if nothing."""
    if profile.name == "mini":
        return ""
    try:
        _not_in_slice(profile, dataset)
        if profile.data is None:
            raise MissingData("needs a data folder", dataset, "point HUMALIGN_DATA or --data at it")
        name = FULL[dataset][0]
        if gone := registry.entry(name, "full").missing(profile.data):
            return f"{name}: {gone[0]} is not here; 'humalign data where {name}' says how to get it"
        from . import feature_store

        if not feature_store.models(profile, dataset):
            raise feature_store.none_found(profile, dataset)
    except MissingData as error:
        return str(error)
    return ""


def at_hand(profile: Profile, datasets) -> tuple[str, ...]:
    """Those of some data sets that can be used: all in the drawn world, else those with answers and features.

    Raises
    ------
    MissingData
        When there is none.
    """
    told = {name: missing(profile, name) for name in datasets}
    found = tuple(name for name, line in told.items() if not line)
    if not found:
        raise MissingData(next(iter(told.values())))
    return found


class Found(dict):
    """Values by data set; asking for a data set that is not at hand raises MissingData."""

    def __missing__(self, dataset):
        raise MissingData("is not at hand", dataset, "'humalign plan --profile full' says what is missing")
