"""The released students of the second paper: before and after alignment, on every set of people that is at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import rsa, zoo
from ..cache import kept
from ..data import registry
from ..errors import MissingData
from ..levels import LEVELS
from ..results import Measured, Rows, combine
from ..roles import ROLES as PLAYED
from ..source import Source
from ..store import digest
from ..zoo.facts import STATES, kinds
from . import generalisation, hierarchy, levels, student, zero_shot
from . import rsa as arranged
from .generalisation_tasks import FEW, LAYER

ROLES = ("levels", "imagenet-val", "caltech101", "cifar100-train", "cifar100-test", "dtd", "pets", "ucmerced",
         "cars196")  # fmt: skip
OPTIONAL = ("things", "cichy", "king1", "king2")
GET = "humalign data fetch --tier paper2, then humalign extract --tier paper2"
VERSION = 2  # of what is kept: goes up when its numbers change
REPORTED = student.WHOLE  # detail of results on the concepts that the claims are about
PANELS = {  # (dataset, measure, detail): title
    **{("levels", "accuracy", f"{REPORTED}/{level}"): f"Levels, {level}" for level in LEVELS},
    ("one-shot", "accuracy", REPORTED): "one example",
    ("shift", "accuracy", REPORTED): "new subclasses",
}
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
    """Every set of arrangements, and of ratings of likeness, that people gave."""
    playing = {name for one in PLAYED.values() for name in one.answers}
    others = [n for n in source.answer_sets() if n not in playing and source.role(n).kind == "arrangement"]
    roles = [name for name, one in PLAYED.items() if one.kind == "arrangement"]
    return [_of_students(arranged.measure(source, models=list(known.index), roles=(*roles, *others)), known)]


def _choices(source: Source, known: pd.DataFrame) -> list[Measured]:
    """Odd-one-out choices of THINGS."""
    return [_of_students(zero_shot.measure(source, models=list(known.index), roles=("things",)), known)]


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


def features(source: Source, role: str, ids) -> dict[tuple[str, str], np.ndarray]:
    """Features of every student for some pictures of a role, by base and state: (m, p) each.

    Raises
    ------
    MissingData
        Where no student has any.
    """
    known, here = students(source), source.models(role)
    found = known[known.index.isin(here)]
    if found.empty:
        raise source.no_features(role)
    return {(row.base, row.state): _features(source, role, row.Index, ids) for row in found.itertuples()}


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
            return combine(*hierarchy.alike(vectors, **own))

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
        details "reported/coarse" ..., entropy-time with "coarse" ...), "things" (accuracy of choices, detail the
        kernel), "cichy", "king1", "king2" and other sets of arrangements or ratings of likeness (spearman), "one-shot"
        and "shift" (accuracy, detail "reported": the mean over the data sets that all states of a student have),
        "hierarchy" (distance-change by relation) and "model-similarity" (spearman). What lacks data is left out.

    Raises
    ------
    MissingData
        When nothing can be measured.
    """
    known, parts, gone = students(source), [], []
    for each in (_levels, _choices, _arrangements, _transfer, _hierarchy, _alike):
        try:
            parts += each(source, known)
        except MissingData as error:
            gone.append(error)
    if not parts:
        raise gone[0] if gone else MissingData("were not measured", "released students", GET)
    return combine(*parts)


# ---- tables ----------------------------------------------------------------------------------------------------------


def by_stage(measured: Measured, measure: str = "accuracy") -> pd.DataFrame:
    """What each student reaches in each state, training runs averaged.

    Parameters
    ----------
    measured : Measured
        :func:`measure`, or the drawn students of :func:`humalign.chapters.claims.paper_two`.
    measure : {"accuracy", "spearman"}
        On the three levels, one-shot and shift; or every correlation with people: arrangements and ratings of likeness,
        and doubt with response times.

    Returns
    -------
    DataFrame
        panel, and the columns of :func:`humalign.chapters.student.averaged`.
    """
    t = measured.table
    students, titles = list(dict.fromkeys(t.loc[t["stage"] == "AligNet", "model"])), dict(PANELS)
    if measure != "accuracy":
        rows = t[(t["measure"] == "spearman") & (t["detail"] == "correlation")]
        titles = {(name, "spearman", "correlation"): _title(name) for name in dict.fromkeys(rows["dataset"])}
        titles |= {("levels", "entropy-time", level): f"doubt and response time, {level}" for level in LEVELS}
    keys = pd.Series(list(zip(t["dataset"], t["measure"], t["detail"])), index=t.index)
    found = student.averaged(measured.select(keys.isin(list(titles)).to_numpy()), STATES, students)
    panel = [titles[key] for key in zip(found["dataset"], found["measure"], found["detail"])]
    order = list(titles.values())
    return found.assign(panel=panel).sort_values("panel", key=lambda c: c.map(order.index), kind="stable")


def _title(name: str) -> str:
    """A set of arrangements in words."""
    return PLAYED[name].title if name in PLAYED else registry.entry(name).title


# ---- beside published numbers ----------------------------------------------------------------------------------------


def beside(measured: Measured) -> pd.DataFrame:
    """Accuracies that the second paper is quoted with, beside those here.

    Parameters
    ----------
    measured : Measured
        :func:`humalign.chapters.claims.paper_two`.

    Returns
    -------
    DataFrame
        what, network, published, here (the same network, or the lowest or highest student; NaN where there is none),
        whose (whose number stands here), what it is, source, caveat, provenance (of the published number).
    """
    shown, t = zoo.published_numbers(), measured.table
    shown = shown[shown["work"] == "Paper 2"]
    students = set(t.loc[t["stage"] == "AligNet", "model"])
    own = t[(t["dataset"] == "levels") & (t["measure"] == "accuracy") & t["stage"].isin(STATES)]
    own = own[own["model"].isin(students)]
    mean = own.groupby(["detail", "stage", "model"])["value"].mean()
    drawn = not set(own["model"]) & set(zoo.table("full")["model"])
    rows = []
    for row in shown.itertuples():
        level, words = row.responses.partition("Levels, ")[2], row.network.split()
        base, _, state = row.model.partition("+")
        if words[0] in ("lowest", "highest") and (found := mean.get((f"{REPORTED}/{level}", words[1]))) is not None:
            here = found.min() if words[0] == "lowest" else found.max()
            whose = "students of the drawn world" if drawn else "released students on this machine"
        else:
            here = mean.get((f"{REPORTED}/{level}", state or "base", base), np.nan)
            whose = "the same network" if np.isfinite(here) else ""
        rows.append({"what": row.responses, "network": row.network, "published": row.value, "here": here,
                     "whose": whose, "what it is": row.what, "source": row.source, "caveat": row.caveat,
                     "provenance": row.provenance})  # fmt: skip
    return pd.DataFrame(rows)
