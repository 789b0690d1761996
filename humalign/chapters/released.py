"""The released students of the second paper: before and after alignment, on every set of people that is at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import rsa
from ..cache import kept
from ..data import registry
from ..errors import MissingData
from ..results import Measured, Rows, combine
from ..source import Source
from ..store import digest
from ..zoo.facts import STATES, kinds
from . import generalisation, hierarchy, levels
from . import rsa as arranged
from .generalisation_tasks import FEW, LAYER

ROLES = ("levels", "imagenet-val", "caltech101", "cifar100-train", "cifar100-test", "dtd", "pets", "ucmerced",
         "cars196")  # fmt: skip
OPTIONAL = ("things", "cichy", "king1", "king2")
VERSION = 1  # of what is kept: goes up when its numbers change
REPORTED = "reported"  # detail of results on the concepts that the claims are about
RELATED = "breeds/entity13"  # pictures whose classes have superordinates
PER_CLASS = 4  # pictures of each class whose distances are compared
ALIKE, ALIKE_SEED = 300, 7  # objects whose dissimilarities networks share; which ones
SHOTS, DRAWS = (1,), 10  # examples of each class, and draws of them


def students(source: Source) -> pd.DataFrame:
    """The networks of the table that are students: index model, columns base (the key of its base) and state."""
    facts = kinds(source.networks())
    own = facts[facts["student"].isin(STATES)]
    base = own["model"].str.partition("+")[0]
    return pd.DataFrame({"base": base.to_numpy(), "state": own["student"].to_numpy()}, index=own["model"].to_numpy())


def _of_students(measured: Measured, known: pd.DataFrame, layer: str = LAYER, **columns) -> Measured:
    """Rows of students in one layer: model = the base, stage = the state; and other columns as given."""
    own = measured.select((measured.table["model"].isin(known.index) & (measured.table["layer"] == layer)).to_numpy())
    table = own.table.assign(stage=own.table["model"].map(known["state"]), model=own.table["model"].map(known["base"]))
    return Measured(table.assign(**columns), own.draws)


def _levels(source: Source, known: pd.DataFrame) -> list[Measured]:
    """Accuracy, doubt against response times, and gains, at each level."""
    found = _of_students(levels.measure(source, models=list(known.index)), known)
    right = found.table["measure"] == "accuracy"
    detail = found.table["detail"].where(~right, REPORTED + "/" + found.table["detail"])
    found = Measured(found.table.assign(detail=detail), found.draws)
    base = found.select((found.table["stage"] == "base").to_numpy())
    return [found, gains(found.select((found.table["stage"] != "base").to_numpy()), base)]


def gains(aligned: Measured, base: Measured) -> Measured:
    """Accuracy of aligned students minus that of their base, row by row, as measure "gain" (paired draws)."""
    key = ["dataset", "measure", "detail", "model", "seed"]
    left = aligned.table.reset_index().merge(base.table.reset_index(), on=key, suffixes=("", "_base"))
    left = left[left["measure"] == "accuracy"]
    i, j = left["index"].to_numpy(), left["index_base"].to_numpy()
    frame = aligned.table.loc[i].drop(columns=["low", "high"]).reset_index(drop=True)
    frame["value"] = frame["value"] - base.table["value"].to_numpy()[j]
    frame["measure"] = "gain"
    return Measured.of(pd.DataFrame(frame), aligned.draws[i] - base.draws[j])


def _arrangements(source: Source, known: pd.DataFrame) -> list[Measured]:
    return [_of_students(arranged.measure(source, models=list(known.index)), known)]


def _transfer(source: Source, known: pd.DataFrame) -> list[Measured]:
    """One example a class, and new subclasses: each the mean over the tasks that all states of a student have."""
    found = generalisation.measure(source, SHOTS, DRAWS, models=list(known.index), kinds=(FEW, "shift"))
    own = _of_students(found, known)
    few = {task.name for task in generalisation.TASKS if task.kind == FEW}
    out = []
    for name, wanted in (("one-shot", "1"), ("shift", "target")):
        table = own.table[(own.table["detail"] == wanted) & (own.table["dataset"].isin(few) == (name == "one-shot"))]
        rows = Rows(profile=source.profile.name, layer=LAYER)
        for model, part in table.groupby("model", sort=False):
            everywhere = part.groupby("dataset")["stage"].nunique() == part["stage"].nunique()
            part = part[part["dataset"].isin(everywhere.index[everywhere])]
            for stage, one in part.groupby("stage", sort=False):
                value, drawn = one["value"].mean(), own.draws[one.index].mean(0)
                rows.add(name, "accuracy", REPORTED, value, drawn, len(one), model=model, seed=0, stage=stage)
        out.append(rows)
    return [rows.measured() for rows in out if rows.rows]


def related(source: Source) -> pd.DataFrame:
    """The first pictures of each class of BREEDS Entity-13: id, concept (the class), superordinate."""
    shown = registry.load(RELATED, source.profile)
    table = pd.DataFrame({"id": shown.ids, "concept": shown.meta["wnid"], "superordinate": shown.concepts})
    return table[table.groupby("concept").cumcount() < PER_CLASS].reset_index(drop=True)


def _features(source: Source, role: str, model: str, ids) -> np.ndarray:
    return next(source.features(role, (LAYER,), [model])).align(list(ids)).values


def _hierarchy(source: Source, known: pd.DataFrame) -> list[Measured]:
    """How relative distances change between pictures of one class, one superordinate, and different ones."""
    shown, out = related(source), []
    here = known[known.index.isin(source.models("imagenet-val"))]
    for base, part in here.groupby("base", sort=False):
        models = dict(zip(part["state"], part.index))
        for state in [s for s in STATES[1:] if {"base", s} <= set(models)]:

            def make(base=base, state=state, models=models):
                before, after = (_features(source, "imagenet-val", models[s], shown["id"]) for s in ("base", state))
                own = {"model": base, "seed": 0, "stage": state, "layer": LAYER, "profile": source.profile.name}
                return hierarchy.of_features(before, after, shown, **own)

            inputs = [source.state("imagenet-val", [models[s]]) for s in ("base", state)]
            told = [*inputs, digest(shown.to_csv())]
            out.append(kept(source.profile, f"released-hierarchy-{base}-{state}", VERSION, told, make))
    return out


def _alike(source: Source, known: pd.DataFrame) -> list[Measured]:
    """How much the dissimilarities of THINGS in each student are those in the other students of its state."""
    here = known[known.index.isin(source.models("things"))]
    ids = np.array(source.pictures("things").ids)
    some = np.sort(np.random.default_rng(ALIKE_SEED).permutation(len(ids))[:ALIKE])
    out = []
    for state, part in here.groupby("state", sort=False):

        def make(state=state, part=part):
            upper = np.triu_indices(len(some), 1)
            vectors = {base: rsa.rdm(_features(source, "things", model, ids[some]), "correlation")[upper]
                       for model, base in part["base"].items()}  # fmt: skip
            own = {"stage": state, "layer": LAYER, "profile": source.profile.name}
            return combine(*hierarchy.alike(vectors, len(some), **own))

        if len(part) > 1:
            inputs = [source.state("things", [model]) for model in part.index]
            out.append(kept(source.profile, f"released-alike-{state}", VERSION, inputs, make))
    return out


def measure(source: Source) -> Measured:
    """Everything that the claims of the second paper are about, of the released students.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Measured
        model = key of the base, stage = "base", "UnAligNet" or "AligNet"; data sets "levels" (accuracy and gain with
        details "reported/coarse" ..., entropy-time with "coarse" ...), "cichy", "king1", "king2" (spearman), "one-shot"
        and "shift" (accuracy, detail "reported": the mean over the data sets that all states of a student have),
        "hierarchy" (distance-change by relation) and "model-similarity" (spearman). What lacks data is left out.

    Raises
    ------
    MissingData
        When nothing can be measured.
    """
    known, parts, gone = students(source), [], []
    for each in (_levels, _arrangements, _transfer, _hierarchy, _alike):
        try:
            parts += each(source, known)
        except MissingData as error:
            gone.append(error)
    if not parts:
        raise gone[0] if gone else source.no_features("levels", list(known.index))
    return combine(*parts)
