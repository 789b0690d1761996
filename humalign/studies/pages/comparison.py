"""The page that sets networks beside networks: pairs, examples of triplets, tables, numbers in the prose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ... import show
from ...chapters import networks, vice
from ...config import Profile
from .. import comparison
from ..public import Tables

KINDS = {
    "first right, second wrong": 4,
    "second right, first wrong": 2,
    "both wrong, different": 2,
}  # to how many shown
SMALL = 1e-4  # per cent; smaller shares are not written out


def pairs(profile: Profile) -> pd.DataFrame:
    """Agreement and CKA of all pairs, both layers; see :func:`humalign.studies.comparison.pairs`."""
    return pd.concat([comparison.pairs(profile, layer) for layer in networks.LAYERS])


def order(found: pd.DataFrame, models: pd.DataFrame) -> list[str]:
    """Rows of the heat maps: people first, then networks by training group."""
    return comparison.order(list(dict.fromkeys(found["first"])), models)


def names(models: pd.DataFrame) -> dict[str, str]:
    """Name for readers of each network, and of people's dimensions."""
    return networks.names(models) | {comparison.PEOPLE: comparison.PEOPLE}


def agreement(found: pd.DataFrame) -> dict:
    """Numbers for the prose: mean agreement of two networks, and of a network with people; key to number.

    Parameters
    ----------
    found : DataFrame
        :func:`pairs`; the penultimate layer and each pair of different networks once count.
    """
    once = (found["layer"] == "penultimate") & (found["measure"] == "agreement") & (found["first"] < found["second"])
    people = (found["first"] == comparison.PEOPLE) | (found["second"] == comparison.PEOPLE)
    return {
        "cmp_agreement": show.number(found.loc[once & ~people, "value"].mean()),
        "cmp_agreement_people": show.number(found.loc[once & people, "value"].mean()),
    }


def shared_failures(wrong: pd.DataFrame) -> dict:
    """Numbers for the prose: triplets that all trained networks miss, or none; key to number.

    Parameters
    ----------
    wrong : DataFrame
        :func:`humalign.studies.comparison.failures`: first row none, last row all.
    """
    none, every = wrong.iloc[0], wrong.iloc[-1]
    expected = 100 * every["independent"]
    shown = expected if expected >= SMALL else f"less than {SMALL:.4f}"
    return {
        "cmp_all": show.number(100 * every["share"], digits=1, unit=" %"),
        "cmp_all_n": show.number(int(every["triplets"])),
        "cmp_all_expected": show.number(shown, digits=4, unit=" %"),
        "cmp_none": show.number(100 * none["share"], digits=1, unit=" %"),
        "cmp_known": show.number(100 * every["dimensions"], digits=0, unit=" %"),
        "cmp_networks": show.number(int(wrong["wrong"].max())),
    }


def clearest(apart: pd.DataFrame) -> pd.DataFrame:
    """Of each kind the triplets about which people are surest; see :func:`humalign.studies.comparison.clear`."""
    return pd.concat([comparison.clear(apart, kind, n) for kind, n in KINDS.items()], ignore_index=True)


def pictures(profile: Profile, chosen: pd.DataFrame, size: int) -> dict[str, np.ndarray]:
    """Pictures of the objects of some triplets (columns a, b, odd), by id: uint8 (size, size, 3)."""
    return networks.source(profile).seen("things", pd.unique(chosen[["a", "b", "odd"]].to_numpy().ravel()), size)


def apart_table(apart: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """How many triplets set two training groups apart, kind by kind, and the dimensions that they rest on most often.

    Parameters
    ----------
    apart : DataFrame
        kind, dimension; one row a triplet.
    first, second : str
        The groups.
    """
    kinds = {
        "first right, second wrong": f"{first} right, {second} wrong",
        "second right, first wrong": f"{second} right, {first} wrong",
        "both wrong, different": "both wrong, different",
    }
    found = apart.groupby("kind")["dimension"]
    top = found.agg(lambda part: ", ".join(part.value_counts().index[:4])).reindex(list(kinds)).fillna("")
    counts = found.size().reindex(list(kinds), fill_value=0)
    return pd.DataFrame(
        {
            "kind": list(kinds.values()),
            "triplets": counts.to_numpy(),
            "most frequent dimensions": top.to_numpy(),
        }
    )


def public_table(public: Tables) -> pd.DataFrame:
    """Agreement and CKA of models and people on the public files, one row a pair."""
    rows = public["pairs"]
    return pd.DataFrame(
        {
            "first": rows["model"].map(vice.NAMES),
            "second": rows["detail"].map(vice.NAMES),
            "measure": rows["measure"],
            "value": rows["value"],
            "low": rows["low"],
            "high": rows["high"],
            "provenance": public.provenance,
        }
    )
