"""How alignment reshapes the conceptual hierarchy: distances by relation, maps, similarity between networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import hierarchy
from ..errors import MissingData
from ..results import Measured
from ..store import load_arrays
from . import aligned

STAGES = aligned.STAGES
PER_CONCEPT = 4  # test pictures kept of each concept
RELATIONS = ("same concept", "same superordinate", "different superordinate")
LEVELS = ("concept", "superordinate")


def recorded_features(split: str = "test") -> dict[tuple[str, str], np.ndarray]:
    """Features of the students (seed 0) by (model, stage).

    Parameters
    ----------
    split : {"test", "things", "cichy", "king1", "king2"}
        "test" holds the first 4 pictures of each concept.

    Returns
    -------
    dict
        Float32 arrays (pictures, p).

    Raises
    ------
    MissingData
        When no experiment was recorded.
    """
    from ..alignet import experiments

    path = experiments.recorded_folder() / experiments.FEATURES
    if not path.is_file():
        raise MissingData("no features of students were recorded", path, "run 'python -m humalign.alignet.experiments'")
    arrays, _ = load_arrays(path)
    keys = (key.split("/") for key in sorted(arrays))
    return {(m, s): arrays[f"{m}/{s}/{k}"].astype(np.float32) for m, s, k in keys if k == split}


def pictures(split: str = "test") -> pd.DataFrame:
    """Concept and superordinate of the pictures of :func:`recorded_features`: id, concept, superordinate."""
    from ..world.drawing import world
    from ..world.stimuli import concept_of, split_ids

    ids = split_ids(split)
    if split == "test":
        ids = [i for i in ids if int(i.rsplit("test", 1)[1]) < PER_CONCEPT]
    concepts = [concept_of(i) for i in ids]
    return pd.DataFrame({"id": ids, "concept": concepts, "superordinate": [world().superordinate[c] for c in concepts]})


def changes(
    features: dict, shown: pd.DataFrame, stages=("UnAligNet", "AligNet"), metric="cosine", scale="mean"
) -> pd.DataFrame:
    """Change of relative distance from base, pair by pair, of every student.

    Returns
    -------
    DataFrame
        model, stage, relation, change: one row a pair of pictures.
    """
    labels = [shown[level].to_numpy() for level in LEVELS]
    parts = []
    for (model, stage), values in features.items():
        if stage in stages and (model, "base") in features:
            found = hierarchy.distance_change(
                features[model, "base"], values, labels, metric=metric, scale=scale, names=RELATIONS
            )
            parts.append(found[["relation", "change"]].assign(model=model, stage=stage))
    return pd.concat(parts, ignore_index=True)


def densities(table: pd.DataFrame, bins: int = 60) -> pd.DataFrame:
    """Histogram densities of the changes: model, stage, relation, change (middle of the bin), density."""
    low, high = np.percentile(table["change"], [0.2, 99.8])
    edges = np.linspace(low, high, bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    parts = []
    for (model, stage, relation), part in table.groupby(["model", "stage", "relation"], observed=True):
        density, _ = np.histogram(part["change"], edges, density=True)
        parts.append(
            pd.DataFrame({"model": model, "stage": stage, "relation": relation, "change": middle, "density": density})
        )
    return pd.concat(parts, ignore_index=True)


def maps(features: dict, shown: pd.DataFrame, model: str) -> pd.DataFrame:
    """First two principal components of one student at each stage.

    Returns
    -------
    DataFrame
        stage, id, concept, superordinate, x, y (standard deviations over all pictures of the first component).
    """
    parts = []
    for stage in STAGES:
        if (model, stage) in features:
            scores = hierarchy.principal_components(features[model, stage])
            scores = scores / scores[:, 0].std()
            parts.append(shown.assign(stage=stage, x=scores[:, 0], y=scores[:, 1]))
    return pd.concat(parts, ignore_index=True)


def similarities(features: dict, stages=STAGES) -> pd.DataFrame:
    """RSA between students at each stage: stage, first, second, spearman."""
    rows = []
    for stage in stages:
        own = {m: v for (m, s), v in features.items() if s == stage}
        if len(own) < 2:
            continue
        table = hierarchy.model_similarity(own, "correlation")
        rows += [
            {"stage": stage, "first": a, "second": b, "spearman": table.loc[a, b]}
            for a in table.index
            for b in table.columns
        ]
    return pd.DataFrame(rows)


def change_table(runs: Measured) -> pd.DataFrame:
    """Mean change of relative distance by student, stage and relation, training runs averaged, for display."""
    t = runs.table
    keep = (t["dataset"] == "hierarchy") & (t["measure"] == "distance-change")
    found = aligned.averaged(runs.select(keep.to_numpy()), STAGES)
    found["model"] = found["model"].map(aligned.NAMES)
    columns = ["model", "stage", "detail", "value", "low", "high", "seeds"]
    named = {"model": "student", "detail": "relation", "value": "change"}
    return found[columns].rename(columns=named).assign(provenance="recorded")


def scales(features: dict, shown: pd.DataFrame) -> pd.DataFrame:
    """Mean change by relation in both units: relative to the mean distance, and in standard deviations (z).

    Returns
    -------
    DataFrame
        student, stage, unit, and one column a relation.
    """
    parts = [changes(features, shown, scale=scale).assign(unit=unit)
             for scale, unit in (("mean", "mean distance"), ("z", "standard deviation"))]  # fmt: skip
    grouped = pd.concat(parts).groupby(["model", "stage", "unit", "relation"], observed=True)["change"].mean()
    out = grouped.unstack()[list(RELATIONS)].reset_index()
    out["model"] = pd.Categorical(out["model"].map(aligned.NAMES), list(aligned.NAMES.values()))
    out = out.sort_values(["unit", "model", "stage"], ignore_index=True)
    return out.astype({"model": str}).rename(columns={"model": "student"}).assign(provenance="recorded")


def load():
    """Runs, features of test pictures and facts of the pictures, as recorded."""
    from . import alignet

    return alignet.runs(), recorded_features("test"), pictures("test")
