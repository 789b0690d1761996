"""What the chapter on the drawn world shows: tables of its frozen protocol, and the naming check."""

from __future__ import annotations

import io
from importlib import resources

import numpy as np
import pandas as pd


def overlap() -> pd.DataFrame:
    """How much of each observers' dimension the label taxonomy explains (adjusted R²): dimension, two columns."""
    text = (resources.files("humalign.world") / "PROTOCOL.md").read_text("utf8")
    lines = [
        line for line in text.split("<!-- overlap -->")[1].split("<!-- end -->")[0].splitlines() if line.startswith("|")
    ]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    head = [cell.strip() for cell in lines[0].strip("|").split("|")]
    frame = pd.DataFrame(rows, columns=head)
    for column in head[1:]:
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    return frame.dropna()


def naming_check() -> pd.DataFrame:
    """Every answer of the blind naming check: concept, view, first, second, judged."""
    text = (resources.files("humalign.world") / "naming_check.csv").read_text("utf8")
    return pd.read_csv(io.StringIO(text), keep_default_na=False)


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
