"""The page on concepts: points, pictures and rows of its figures by dimension, its tables, numbers in the prose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ... import show
from ...chapters import networks
from ...config import Profile
from ...record import Tables
from ...results import Measured
from .. import concepts, vice

COLUMNS = ["dimension", "stage", "model", "group", "kind", "layer", "value", "low", "high", "n", "provenance"]
R2 = ["model", "group", "layer", "detail", "value", "low", "high", "provenance"]
HELD = 100  # held-out triplets that a dimension needs to be named in the prose


# ---- figures by dimension --------------------------------------------------------------------------------------------


def points(measured: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """Accuracies zero-shot and probed, one row a dimension and network, with kind (of network) and training group."""
    kind = concepts.kinds(models).set_axis(models["model"])
    table = measured.table[measured.table["stage"] != concepts.SAME].rename(columns={"detail": "dimension"})
    return table.assign(kind=table["model"].map(kind), group=table["model"].map(models.set_index("model")["group"]))


def kinds(found: pd.DataFrame) -> list[str]:
    """Kinds of networks among :func:`points`, the one with the highest mean zero-shot accuracy first."""
    means = found[found["stage"] == "zero-shot"].groupby("kind")["value"].mean()
    return list(means.sort_values(ascending=False).index)


def pictures(profile: Profile, size: int) -> dict[str, np.ndarray]:
    """The leading pictures of each dimension: name to uint8 (n, size, size, 3)."""
    leading = concepts.top(profile)
    drawn = concepts.pictures(profile, leading["id"].unique(), size)
    return {name: np.stack([drawn[i] for i in rows["id"]]) for name, rows in leading.groupby("dimension")}


def others(order: pd.DataFrame, main) -> list[str]:
    """The dimensions of ``order`` that are not among ``main``, in the same order."""
    return [name for name in order["dimension"] if name not in main]


def three(names, page: int) -> list[str]:
    """The dimensions of a page of the appendix, up to three.

    Parameters
    ----------
    names : list of str
    page : int
        From 1.

    Raises
    ------
    MissingData
        When there are fewer dimensions than pages.
    """
    found = names[3 * (page - 1) : 3 * page]
    concepts.some(found)
    return found


def rows(found: pd.DataFrame, names) -> pd.DataFrame:
    """The rows of :func:`points` behind the figure of some dimensions."""
    return found.loc[found["dimension"].isin(names), COLUMNS]


# ---- which dimensions are shared -------------------------------------------------------------------------------------


def by_stage(measured: Measured, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Stage to mean accuracies of training groups, before and after the transform on the same triplets."""
    return {stage: concepts.by_group(measured, models, stage) for stage in (concepts.SAME, "probed")}


def held_out(groups: pd.DataFrame) -> pd.Series:
    """Number of triplets of each dimension in a table of :func:`by_stage`."""
    return groups.drop_duplicates("dimension").set_index("dimension")["n"]


def table(groups: pd.DataFrame, order: pd.DataFrame, columns) -> pd.DataFrame:
    """One row a dimension, in order: triplets, held out, accuracy of each training group.

    Parameters
    ----------
    groups : DataFrame
        dimension, group, value, n.
    order : DataFrame
        dimension, triplets.
    columns : sequence of str
        Training groups, in the order wanted.
    """
    wide = groups.pivot(index="dimension", columns="group", values="value")[list(columns)]
    wide.insert(0, "triplets", order.set_index("dimension")["triplets"])
    wide.insert(1, "held out", held_out(groups))
    return wide.loc[order["dimension"]].rename_axis("dimension")


def task(profile: Profile, part: concepts.Partition, nearest: int) -> dict:
    """Numbers for the prose on the division of triplets by dimension; key to number."""
    return {
        "con_kept": show.number(len(part.rows)),
        "con_source": concepts.title(profile),
        "con_single": show.number(100 * concepts.largest(profile), digits=0, unit=" %"),
        "con_nearest": show.number(nearest),
        "con_total": show.number(part.total),
    }


def headline(same: dict[str, pd.DataFrame], order: pd.DataFrame) -> dict:
    """Numbers for the prose: the dimensions with the highest and lowest accuracy, and the largest gain; key to number.

    Means over trained groups; dimensions with fewer than 100 held-out triplets do not count.

    Parameters
    ----------
    same : dict of str to DataFrame
        :func:`by_stage`.
    order : DataFrame
        dimension, triplets.
    """
    held = held_out(same["probed"])
    before, after = (_means(same[stage], held) for stage in (concepts.SAME, "probed"))
    every = order.set_index("dimension")["triplets"][held.index]
    return {
        "con_held": show.number(100 * held.sum() / every.sum(), digits=0, unit=" %"),
        "con_best": ", ".join(after.nlargest(4).index),
        "con_worst": ", ".join(after.nsmallest(4).index),
        "con_gain": ", ".join((after - before).nlargest(4).index),
        "con_best_value": show.number(after.max()),
        "con_worst_value": show.number(after.min()),
    }


def _means(groups: pd.DataFrame, held: pd.Series) -> pd.Series:
    """Mean of the trained groups within each dimension with enough held-out triplets."""
    means = networks.trained(groups).groupby("dimension")["value"].mean()
    return means[held[means.index] >= HELD]


# ---- regression ------------------------------------------------------------------------------------------------------


def r2(fitted: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """R2 of every network, layer and dimension (column detail), with training groups."""
    part = fitted.table[fitted.table["measure"] == "r2"]
    return part.assign(group=part["model"].map(models.set_index("model")["group"]))[R2]


def of_layers(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Layer to the rows of that layer."""
    return {name: found[found["layer"] == name] for name in concepts.LAYERS}


def accuracy(measured: Measured, models: pd.DataFrame, stage: str) -> dict[str, pd.DataFrame]:
    """Layer to points: accuracy on people's choices at the stage "probed" or "regression"."""
    where = {"dataset": "things", "stage": stage, "measure": "accuracy"}
    return {name: networks.points(measured, models, name, **where) for name in concepts.LAYERS}


def regression_table(pairs: dict[str, pd.DataFrame], found: pd.DataFrame) -> pd.DataFrame:
    """One row a network and layer: mean R2 over dimensions, accuracy by regression and after probing.

    Parameters
    ----------
    pairs : dict of str to DataFrame
        Layer to pairs, x probed, y regression; see :func:`humalign.plots.panels.pairs`.
    found : DataFrame
        :func:`r2`.
    """
    out = []
    for name, part in pairs.items():
        mean = found[found["layer"] == name].groupby("model")["value"].mean()
        for row in part.to_dict("records"):
            out.append(
                {
                    "no.": row["number"],
                    "network": row["name"],
                    "layer": name,
                    "mean R²": mean[row["model"]],
                    "regression": show.number(row["y"], (row["y_low"], row["y_high"]), row["provenance"]),
                    "probed": show.number(row["x"], (row["x_low"], row["x_high"]), row["provenance"]),
                }
            )
    return pd.DataFrame(out)


# ---- the public files ------------------------------------------------------------------------------------------------


def _clip(accuracy: pd.DataFrame, few: int) -> pd.DataFrame:
    """Accuracy of CLIP, one row a dimension, one column a stage; values on fewer than ``few`` triplets left out."""
    part = accuracy[(accuracy["model"] == vice.CLIP) & (accuracy["n"] >= few)]
    return part.pivot(index="detail", columns="stage", values="value")


def public_headline(public: Tables, few: int) -> dict:
    """Numbers for the prose on real people: responses that VICE predicts, and what the transform adds to CLIP.

    Parameters
    ----------
    public : Tables
        Of ``vice.PUBLIC``.
    few : int
        Accuracies on fewer triplets do not count.
    """
    counted = public["facts"].set_index("what")["value"]
    stages = _clip(public["accuracy"], few).dropna()
    gain = (stages["probed"] - stages[concepts.SAME]).sort_values(ascending=False)
    best = gain.index[0]
    return {
        "con_public": show.number(public.when, None, public.provenance, "THINGS-data, VICE, SPoSE"),
        "con_public_kept": show.number(int(counted["predicted by VICE"]), None, public.provenance),
        "con_public_total": show.number(int(counted["triplets"]), None, public.provenance),
        "con_public_gain": ", ".join(gain.index[:4]),
        "con_public_best": best,
        "con_public_before": show.number(stages.loc[best, concepts.SAME], None, public.provenance),
        "con_public_after": show.number(stages.loc[best, "probed"], None, public.provenance),
    }


def public_table(public: Tables, leading: pd.DataFrame, few: int) -> pd.DataFrame:
    """One row a VICE dimension: leading objects, triplets, accuracy of CLIP at three stages.

    Parameters
    ----------
    public : Tables
        Of ``vice.PUBLIC``.
    leading : DataFrame
        dimension, leading objects; in the order wanted.
    few : int
        Accuracies on fewer triplets are left out.
    """
    accuracy = public["accuracy"]
    plain = accuracy[(accuracy["stage"] == "zero-shot") & (accuracy["model"] == vice.CLIP)]
    out = leading.merge(_clip(accuracy, few), left_on="dimension", right_index=True, how="left")
    out = out.merge(plain[["detail", "n"]], left_on="dimension", right_on="detail")
    out = out.assign(n=out["n"].astype(int), provenance=public.provenance)
    out = out.rename(columns={"n": "triplets", concepts.SAME: "same triplets"})
    return out[["dimension", "leading objects", "triplets", "zero-shot", "same triplets", "probed", "provenance"]]
