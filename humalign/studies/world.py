"""What the chapter on the drawn world shows: tables of its frozen protocol, and the naming check."""

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
        {"dimension": name, "adjusted R2, superordinates": v["superordinate"], "with hypernyms": v["taxonomy"]}
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
