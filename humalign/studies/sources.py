"""Which data set stands behind a name of the studies (things, coarse, cichy ...) in each profile."""

from __future__ import annotations

from functools import lru_cache

from ..config import Profile
from ..data.types import HumanRDM, Triplets
from ..errors import InputError

TRIPLETS = ("things", "things-permuted", "coarse")
ARRANGEMENTS = ("cichy", "king1", "king2")
TITLES = {
    "mini": {
        "things": "odd-one-out choices, 396 pictures",
        "things-permuted": "control: people with permuted concepts",
        "coarse": "coarse category task",
        "cichy": "arrangements, 118 pictures",
        "king1": "arrangements, 144 pictures, set 1",
        "king2": "arrangements, 144 pictures, set 2",
    },
}
_MINI = {"things": "things", "things-permuted": "things-control", "coarse": "coarse-labels"}
_SPLITS = {"things": "things", "things-permuted": "things", "coarse": "test", "test": "test"}


def title(profile: Profile, dataset: str) -> str:
    """A data set in words, for axes and headings."""
    return TITLES.get(profile.name, {}).get(dataset, dataset)


@lru_cache(maxsize=16)
def _mini(name: str):
    from ..world import datasets

    return datasets.load(name)


def only_mini(profile: Profile, dataset: str) -> None:
    """InputError in other profiles than mini, which have no trained zoo at hand."""
    if profile.name != "mini":
        raise InputError(
            f"'{dataset}' has no networks and people in the profile '{profile.name}' yet",
            "profile",
            "see the page on real human data for what the slice offers",
        )


def triplets(profile: Profile, dataset: str = "things") -> Triplets:
    """Odd-one-out responses of a data set.

    Parameters
    ----------
    dataset : {"things", "things-permuted", "coarse"}
    """
    if dataset not in TRIPLETS:
        raise InputError(f"no triplets are called '{dataset}'", "dataset", f"choose one of {', '.join(TRIPLETS)}")
    only_mini(profile, dataset)
    return _mini(_MINI[dataset])


def arrangement(profile: Profile, dataset: str) -> HumanRDM:
    """Dissimilarities of a multi-arrangement data set: "cichy", "king1" or "king2"."""
    if dataset not in ARRANGEMENTS:
        raise InputError(
            f"no arrangements are called '{dataset}'", "dataset", f"choose one of {', '.join(ARRANGEMENTS)}"
        )
    only_mini(profile, dataset)
    return _mini(f"arrangement-{dataset}")


def split(dataset: str) -> str:
    """The picture set of the drawn world that a data set is about."""
    return _SPLITS.get(dataset, dataset)
