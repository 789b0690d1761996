"""What the chapter on the drawn world shows: its people, the tables of its frozen protocol, and the naming check."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from ..store import read_json

FROZEN = Path(str(resources.files("humalign.world").joinpath("frozen.json")))


def overlap() -> pd.DataFrame:
    """How much of each observers' dimension the label taxonomy explains (adjusted R²): dimension, two columns."""
    found = read_json(FROZEN)["overlap"]["dimensions"]
    rows = [
        {"dimension": name, "adjusted R², superordinates": v["superordinate"], "with hypernyms": v["taxonomy"]}
        for name, v in sorted(found.items(), key=lambda item: -item[1]["taxonomy"])
    ]
    return pd.DataFrame(rows)


def naming_check() -> pd.DataFrame:
    """Every answer of the blind naming check: concept, view, first, second, judged."""
    return pd.read_csv(FROZEN.with_name("naming_check.csv"), keep_default_na=False)


def naming_summary() -> pd.DataFrame:
    """Share of the drawings by how their first name was judged."""
    order = ["same", "synonym", "broader", "narrower", "other"]
    counts = naming_check()["judged"].value_counts().reindex(order, fill_value=0)
    return pd.DataFrame(
        {"first name given": order, "drawings": counts.to_numpy(), "share": counts.to_numpy() / counts.sum()}
    )


def sets() -> pd.DataFrame:
    """The data sets of the drawn world as its people and pictures make them: name, what it plays, size."""
    from ..world import datasets

    plays = {
        "things": "THINGS odd-one-out", "things-repeated": "THINGS repeated triplets (ceilings)",
        "things-repeated-again": "the same people once more", "things-control": "control: permuted taxonomy",
        "arrangement-cichy": "118-image arrangements", "arrangement-king1": "144-image arrangements, set 1",
        "arrangement-king2": "144-image arrangements, set 2", "levels": "Levels (coarse, fine, boundary)",
        "coarse-labels": "CIFAR-100 coarse triplets", "observer-dimensions": "VICE",
    }  # fmt: skip
    rows = []
    for name, role in plays.items():
        loaded = datasets.load(name)
        objects = len(loaded.ids)
        if hasattr(loaded, "triplets"):
            people = len(np.unique(loaded.participants)) if loaded.participants is not None else 0
            rows.append((name, role, objects, people, len(loaded.triplets)))
        elif hasattr(loaded, "rdm"):
            rows.append((name, role, objects, loaded.people, objects * (objects - 1) // 2))
        else:
            rows.append((name, role, objects, 0, loaded.values.shape[1]))
    return pd.DataFrame(rows, columns=["data set", "plays", "pictures", "people", "triplets, pairs or dimensions"])


def dimensions() -> pd.DataFrame:
    """What the main group attends to, in the mean of the things pictures of each superordinate.

    Returns
    -------
    DataFrame
        superordinate, dimension, value; dimensions in their own order, the colours last.
    """
    from ..world import datasets
    from ..world.drawing import world

    truth, drawings = datasets.embedding(), world()
    kinds = np.array([drawings.superordinate[i.partition("/")[0]] for i in truth.ids])
    means = {kind: truth.values[kinds == kind].mean(0) for kind in drawings.superordinates}
    table = pd.DataFrame(means, index=pd.Index(truth.dimensions, name="dimension"))
    long = table.rename_axis(columns="superordinate").stack().rename("value").reset_index()
    return long[["superordinate", "dimension", "value"]]


def difficulty(n: int = 40_000, bins: int = 8) -> pd.DataFrame:
    """How hard triplets are for people: choices and times by the entropy of the main group's choices.

    Parameters
    ----------
    n : int
        Triplets of the things set.
    bins : int
        Equally filled bins of entropy.

    Returns
    -------
    DataFrame
        entropy (mean of the bin, nats), accuracy (of the group's own values), bayes (share of the most likely answer),
        n, seconds_low, seconds, seconds_high (quartiles of response times).
    """
    from .. import odd_one_out
    from ..world import datasets, observers

    things = datasets.things()
    shown, seconds = things.triplets[:n], things.response_times[:n]
    seen = observers.values(things.ids)
    probabilities = observers.group_probabilities(seen, shown)
    doubt = odd_one_out.entropy(probabilities)
    edges = np.quantile(doubt, np.linspace(0, 1, bins + 1)[1:-1])
    columns = {"entropy": doubt, "right": odd_one_out.choices(seen @ seen.T, shown) == 2, "bayes": probabilities.max(1)}
    frame = pd.DataFrame({"bin": np.digitize(doubt, edges), **columns, "seconds": seconds}).groupby("bin")
    table = frame.agg(
        entropy=("entropy", "mean"), accuracy=("right", "mean"), bayes=("bayes", "mean"), n=("right", "size")
    )
    table[["seconds_low", "seconds", "seconds_high"]] = (
        frame["seconds"].quantile([0.25, 0.5, 0.75]).unstack().to_numpy()
    )
    return table.reset_index(drop=True)
