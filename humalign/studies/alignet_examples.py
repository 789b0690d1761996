"""Triplets on which a student changed its mind: one of each kind, chosen by a rule, with what drawn people say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out
from ..similarity import similarity_matrix
from . import alignet

KINDS = {  # (right before, right after): words
    (False, True): "wrong before, right after",
    (True, False): "right before, wrong after",
    (True, True): "right before and after",
    (False, False): "wrong before and after",
}


def judged(features: dict, model: str = "softmax-resnet-m", part: str = "H2") -> pd.DataFrame:
    """Triplets of one part of the concept split whose pictures have recorded features, and what is said about them.

    Parameters
    ----------
    features : dict
        From :func:`humalign.studies.alignet.recorded_features`.

    Returns
    -------
    DataFrame
        first, second (the pair that most drawn people keep), odd (picture ids), level, people (share of them that call
        it odd), before, after (the id that base and AligNet call odd), kind.
    """
    from ..alignet import measure
    from ..world import observers

    data, known = measure.level_triplets(part), alignet.pictures("test")["id"]
    row = pd.Series(np.arange(len(known)), index=known)
    ids = np.array(data.ids)
    keep = np.isin(ids, known)[data.triplets].all(1)
    rows = data.triplets[keep]
    share = observers.group_probabilities(measure._seen(), rows)[:, ::-1]  # chance that 0, 1 or 2 is odd
    order = np.argsort(share, 1)  # the likely odd one last
    rows, share = np.take_along_axis(rows, order, 1), np.take_along_axis(share, order, 1)
    shown = row.loc[ids[rows].ravel()].to_numpy().reshape(rows.shape)
    table = pd.DataFrame(ids[rows], columns=["first", "second", "odd"])
    table["level"], table["people"] = data.level[keep], share[:, 2]
    for name, stage in (("before", "base"), ("after", "AligNet")):
        chosen = odd_one_out.choices(similarity_matrix(features[model, stage], "cosine"), shown)
        table[name] = ids[rows[np.arange(len(rows)), chosen]]
    right = [(table[name] == table["odd"]).tolist() for name in ("before", "after")]
    table["kind"] = [KINDS[key] for key in zip(*right)]
    return table.drop_duplicates(["first", "second", "odd"], ignore_index=True)


def examples(table: pd.DataFrame) -> pd.DataFrame:
    """Of each kind the triplet about which drawn people agree most, with how many triplets are of the kind.

    Returns
    -------
    DataFrame
        The columns of :func:`judged`, and ``count``.
    """
    counts = table["kind"].value_counts()
    best = table.sort_values("people", ascending=False, kind="stable").drop_duplicates("kind").set_index("kind")
    best = best.loc[[k for k in KINDS.values() if k in best.index]].reset_index()
    return best.assign(count=best["kind"].map(counts))


def pictures(table: pd.DataFrame, size: int = 128) -> dict:
    """The pictures of some triplets: id to uint8 array (size, size, 3)."""
    from ..world.stimuli import draw_ids

    names = list(dict.fromkeys(table[["first", "second", "odd"]].to_numpy().ravel()))
    return dict(zip(names, draw_ids(names, size, workers=1, progress=False)[0]))
