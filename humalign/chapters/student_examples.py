"""Example triplets of the chapter on students: who calls which picture odd, and one of each level of abstraction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out
from ..similarity import similarity_matrix
from ..source import Source
from .student import PART, pictures

NEAR, FAR = ("dog", "cat", "giraffe"), ("banana", "car")  # concepts of one superordinate; of two others
KINDS = {  # (right before, right after): words
    (False, True): "wrong before, right after",
    (True, False): "right before, wrong after",
    (True, True): "right before and after",
    (False, False): "wrong before and after",
}


def judged(features: dict, model: str = "softmax-resnet-m", part: str = PART) -> pd.DataFrame:
    """Triplets of one part of the concept split whose pictures have recorded features, and what is said about them.

    Parameters
    ----------
    features : dict
        From :func:`humalign.chapters.student.recorded_features`.

    Returns
    -------
    DataFrame
        first, second (the pair that most observers keep), odd (picture ids), level, people (share of them that call
        it odd), before, after (the id that base and AligNet call odd), kind.
    """
    from ..world import observers
    from ..world.splits import level_triplets

    data, known = level_triplets(part), pictures("test")["id"]
    row = pd.Series(np.arange(len(known)), index=known)
    ids = np.array(data.ids)
    keep = np.isin(ids, known)[data.triplets].all(1)
    rows = data.triplets[keep]
    share = observers.group_probabilities(observers.values(data.ids), rows)[:, ::-1]  # chance that 0, 1 or 2 is odd
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


def judged_by_people(source: Source, model: str, stages=("base", "AligNet")) -> pd.DataFrame:
    """Triplets of Levels that real people judged, and what a released student says of them before and after alignment.

    Parameters
    ----------
    source : Source
    model : str
        Key of the untouched network.
    stages : pair of str
        Before and after.

    Returns
    -------
    DataFrame
        The columns of :func:`judged`; triplets that people are of two minds about, with equal shares, are left out.

    Raises
    ------
    MissingData
        Where answers or features are not on this machine.
    """
    from . import levels, released

    data, told = levels.judged(source)
    found = released.features(source, "levels", data.ids)
    ids, rows = np.array(data.ids), data.triplets
    share = told[["p0", "p1", "p2"]].to_numpy(float)
    order = np.argsort(share, 1, kind="stable")
    odd, top = order[:, 2], np.sort(share, 1)
    table = pd.DataFrame(ids[np.take_along_axis(rows, order, 1)], columns=["first", "second", "odd"])
    table["level"], table["people"] = data.level, top[:, 2]
    at = np.arange(len(rows))
    for name, stage in zip(("before", "after"), stages):
        chosen, _ = levels.choices(found[model, stage], rows, levels.SHARPNESS)
        table[name] = ids[rows[at, chosen]]
    right = [(table[name] == ids[rows[at, odd]]).tolist() for name in ("before", "after")]
    table["kind"] = [KINDS[key] for key in zip(*right)]
    return table[top[:, 2] > top[:, 1]].reset_index(drop=True)


def most_agreed(table: pd.DataFrame) -> pd.DataFrame:
    """Of each kind the triplet about which simulated observers agree most, with how many triplets are of the kind.

    Returns
    -------
    DataFrame
        The columns of :func:`judged`, and ``count``.
    """
    counts = table["kind"].value_counts()
    best = table.sort_values("people", ascending=False, kind="stable").drop_duplicates("kind").set_index("kind")
    best = best.loc[[k for k in KINDS.values() if k in best.index]].reset_index()
    return best.assign(count=best["kind"].map(counts))


def relations(near=NEAR, far=FAR) -> pd.DataFrame:
    """A triplet of each level of abstraction, in a small tree, for :func:`humalign.plots.schematics.relations`.

    Parameters
    ----------
    near : three concepts of one superordinate
    far : two concepts of two other superordinates

    Returns
    -------
    DataFrame
        level, picture (id), concept, superordinate, odd (share of observers who call it odd); three rows a level.
    """
    from ..world import observers
    from ..world.drawing import world
    from ..world.stimuli import concept_of

    first = {c: f"{c}/test0" for c in (*near, *far)}
    triplets = {
        "coarse": [first[near[0]], *(first[c] for c in far)],
        "fine": [first[c] for c in near],
        "boundary": [first[near[0]], f"{near[0]}/test1", first[near[1]]],
    }
    rows = []
    for level, ids in triplets.items():
        odd = observers.group_probabilities(observers.values(ids), np.array([[0, 1, 2]]))[0, ::-1]
        for name, share in zip(ids, odd):
            concept = concept_of(name)
            kind = world().superordinate[concept]
            rows.append(dict(level=level, picture=name, concept=concept, superordinate=kind, odd=float(share)))
    return pd.DataFrame(rows)
