"""The page on linear probing: points before and after, three transforms, tables, numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show
from ...chapters import networks, rsa
from ...config import Profile
from ...results import Measured
from ...roles import ARRANGEMENTS
from .. import probing

TRANSFORMS = {"last": "last fold (paper)", "mean": "mean of the folds", "all": "refitted on all triplets"}


def accuracy(probed: Measured, models: pd.DataFrame, stage: str, layer: str) -> pd.DataFrame:
    """Points: accuracy on people's choices of held-out concepts, at one stage and layer."""
    return networks.points(probed, models, layer, dataset="things", stage=stage, measure="accuracy")


def choices(probed: Measured, models: pd.DataFrame, layer: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """:func:`accuracy` before and after the transform, on the same triplets."""
    return accuracy(probed, models, probing.SAME, layer), accuracy(probed, models, "probed", layer)


def rho(agreement: Measured, models: pd.DataFrame, dataset: str, stage: str, layer: str) -> pd.DataFrame:
    """Points: Spearman's correlation with an arrangement set, at one stage and layer."""
    where = {"measure": "spearman", "detail": "correlation"}
    return networks.points(agreement, models, layer, dataset=dataset, stage=stage, **where)


def arrangements(agreement: Measured, models: pd.DataFrame, layer: str) -> tuple[dict, dict]:
    """Data set to :func:`rho`, before and after the transform."""
    stages = ("zero-shot", "probed")
    before, after = ({name: rho(agreement, models, name, stage, layer) for name in ARRANGEMENTS} for stage in stages)
    return before, after


def table(before: pd.DataFrame, after: pd.DataFrame, gains: pd.DataFrame, logits: pd.DataFrame) -> pd.DataFrame:
    """One row a network, in the order of ``after``: zero-shot, probed and gain as estimates, probed at the logits.

    Parameters
    ----------
    before, after, logits : DataFrame
        :func:`accuracy` at one layer, and after the transform at the logits.
    gains : DataFrame
        :func:`humalign.studies.probing.gains`.
    """
    parts = {"zero-shot, same triplets": before, "probed": after, "gain": gains}
    columns = {label: show.estimates(part, after["model"]) for label, part in parts.items()}
    columns["probed, logits"] = after["model"].map(logits.set_index("model")["value"]).to_numpy()
    return networks.numbered(after[["number", "name", "group"]].assign(**columns))


def transforms(profile: Profile, examples, layer: str, names: dict[str, str]) -> pd.DataFrame:
    """Agreement of some networks with the 118 pictures after each of three transforms: an estimate a cell.

    Parameters
    ----------
    profile : Profile
    examples : list of str
        Networks.
    layer : str
    names : dict of str to str
        Network to name, for the rows.
    """
    human, columns = networks.source(profile).arrangement("cichy"), []
    for which, label in TRANSFORMS.items():
        features = probing.transformed(profile, "cichy", models=examples, layers=(layer,), transform=which)
        common = {"stage": label, "dataset": "cichy", "profile": profile.name}
        found = rsa.of_features(features, human, ("correlation",), ("spearman",), **common)
        columns.append(found.table.set_index("model").apply(show.estimate, axis=1).rename(label))
    return pd.concat(columns, axis=1).rename(index=names).rename_axis("network")


def solvers(solved: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """:func:`humalign.studies.probing.solvers` with names and headings for readers."""
    headings = {"model": "network", "cross_entropy": "cross-entropy", "held_out": "held-out cross-entropy"}
    return solved.assign(model=solved["model"].map(names)).rename(columns=headings)


def headline(after: pd.DataFrame, gains: pd.DataFrame, shrunk: pd.DataFrame, arranged: dict[str, pd.DataFrame]) -> dict:
    """Numbers for the prose: best network, how many gain, how much, and in which sets of arrangements; key to number.

    Parameters
    ----------
    after : DataFrame
        :func:`accuracy` after the transform.
    gains : DataFrame
        :func:`humalign.studies.probing.gains`, shares.
    shrunk : DataFrame
        One row a network whose transform was shrunk to nothing.
    arranged : dict of str to DataFrame
        Data set to pairs before and after; see :func:`humalign.plots.panels.pairs`.
    """
    best, own = networks.best(after), networks.trained(gains)
    rise = networks.count(own["value"] > 0, own)
    out = {
        "pr_best": show.estimate(best),
        "pr_best_name": best["name"],
        "pr_rise": rise,
        "pr_sure": networks.count(own["low"] > 0, own),
        "pr_networks": show.number(len(own)),
        "pr_shrunk": show.number(len(shrunk)),
        "pr_gain": show.number(100 * own["value"].mean(), None, rise.provenance, digits=1, unit=" percentage points"),
    }
    for name, pairs in arranged.items():
        part = networks.trained(pairs)
        out[f"pr_{name}"] = networks.count(part["difference"] > 0, part)
    return out
