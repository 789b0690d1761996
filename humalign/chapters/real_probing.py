"""Real people, a linear transform: choices on unseen objects before and after it, other people, and by dimension."""

from __future__ import annotations

import csv
import io
from functools import partial
from importlib import resources
from itertools import combinations

import numpy as np
import pandas as pd

from .. import claim_tests, claims, odd_one_out, record, resample, results, rsa, show
from ..data.types import Triplets
from ..record import Tables
from ..results import Measured, combine, interval
from ..similarity import similarity_matrix
from ..source import Source
from . import concepts, networks, probing, statements, things_files, zero_shot

ROLES, OPTIONAL = ("things",), ()
VERSION = 2  # of what is kept: goes up when its numbers change
TESTS = {  # other people's answers: name in results and data set
    "testset1": "things/testset1",
    "testset2": "things/testset2",
    "crowd": "things/responses_2025",
}
NEEDED = frozenset({
    things_files.TRAINING, things_files.CONCEPTS, *things_files.NAMES, *TESTS.values(), "things_eeg2/clip_vit_l14",
    "glocal/clip_ViT-L_14_visual",
})  # fmt: skip
# stage: penalty and grid, fixed before any value was seen; the first is the paper's, with .03, and .3 beyond its end
PENALTIES = {
    probing.PROBED: ("fro", (1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3)),
    "probed, towards identity": ("identity", (0.03, 0.1, 0.3, 1.0)),
}
PULLED = list(PENALTIES)[1]
SOLVER = {"tolerance": 1e-4, "max_iterations": 150}
LAYER = "penultimate"
GLOCAL = "clip_ViT-L/14"
CLIP, CROWD, UNSEEN = "clip_ViT-B/32", "crowd", "things"
TITLES = {UNSEEN: "unseen objects", "testset1": "test set 1", "testset2": "test set 2", CROWD: "160 people of 2025"}
PUBLISHED = "published_transforms.csv"

# ---- measuring -------------------------------------------------------------------------------------------------------


def training(source: Source) -> Triplets:
    """The responses to learn from: those to questions that no other data set of this page asks.

    test_10 repeats most questions of test set 2, half of those of the crowd, and some of test set 1; left in, they
    would be tested on.
    """
    everything = source.triplets("things")
    asked = np.concatenate([things_files.questions(one.triplets) for one in tests(source).values()])
    return everything.select(~np.isin(things_files.questions(everything.triplets), asked))


def tests(source: Source) -> dict[str, Triplets]:
    """The answers of other people, by name, objects in the order of the responses to learn from."""
    ids = source.triplets("things").ids
    return {name: source.published(key).align(ids) for name, key in TESTS.items()}


def fits(source: Source) -> dict:
    """Stage to a function that gives the :class:`humalign.chapters.probing.Probe` of features and triplets, kept."""
    return {stage: partial(probing.kept_probe, source, transform="all", penalty=penalty, strengths=grid, **SOLVER)
            for stage, (penalty, grid) in PENALTIES.items()}  # fmt: skip


def of_network(features, answers, part: concepts.Partition, values, fits: dict, **common) -> Measured:
    """Everything that this page measures of one network.

    Parameters
    ----------
    features : list of Features
    answers : tuple of Triplets
        The responses to learn from, then those of ``TESTS``.
    part : Partition
        Of the responses to learn from, by dimension of people.
    values : float (m, d)
        These dimensions.
    fits : dict
        :func:`fits`.

    Returns
    -------
    Measured
        Data set "things" (unseen objects; stages "zero-shot, same folds" and those of ``PENALTIES``), each of ``TESTS``
        (stage "zero-shot" in place of the first), "things-dimensions" (accuracy and R2), and the odd-one-out task on
        regressed dimensions (data set "things", stage "regression").
    """
    learned, *asked = answers
    elsewhere = [(one, {**common, "dataset": name}) for name, one in zip(TESTS, asked)]
    found = [zero_shot.of_features(features, one, ("cosine",), **where) for one, where in elsewhere]
    for stage, fit in fits.items():
        probes = [fit(one, learned) for one in features]
        held = probing.of_probes(probes, learned, **common)
        kept = held.select((held.table["stage"] == probing.PROBED).to_numpy())
        found.append(Measured(kept.table.assign(stage=stage), kept.draws))
        moved = list(probing.transformed(features, probes))
        found += [zero_shot.of_features(moved, one, ("dot",), **{**where, "stage": stage})
                  for one, where in elsewhere if moved]  # fmt: skip
    found.append(held.select((held.table["stage"] == probing.SAME).to_numpy()))
    own = {key: value for key, value in common.items() if key != "dataset"}
    found.append(concepts.of_features(features, learned, part, fits[probing.PROBED], **own))
    found.append(concepts.regress(features, learned, values, part.names, **own))
    return combine(*found)


def measure(source: Source) -> Measured:
    """:func:`of_network` of CLIP ViT-B/32, VGG-16 and word vectors, network by network kept in the cache."""
    learned, (names, values) = training(source), concepts.dimensions(source)
    part, ways = concepts.divide(learned, values, names), fits(source)
    inputs = [source.people("things").checksum, sorted(PENALTIES.items()), sorted(SOLVER.items())]
    of_one = partial(of_network, part=part, values=values, fits=ways)
    return networks.measure(source, "things", of_one, VERSION, name="real-probing", layers=(LAYER,), inputs=inputs,
                            answers=(learned, *tests(source).values()))  # fmt: skip


def strengths(source: Source) -> pd.DataFrame:
    """Cross-validation along the grids: model, stage, strength, train_ce, ce (nats), accuracy, converged, selected."""
    learned, out = training(source), []
    for features in source.features("things", (LAYER,)):
        for stage, fit in fits(source).items():
            probe = fit(features, learned)
            means = probe.table.groupby("strength", as_index=False)[["train_ce", "ce", "accuracy", "converged"]].mean()
            chosen = means["strength"] == probe.strength
            out.append(means.assign(model=features.model, stage=stage, selected=chosen))
    return pd.concat(out, ignore_index=True)


def differences(measured: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """How far apart two networks are before and after the transform, on the same triplets, with paired intervals.

    Returns
    -------
    DataFrame
        dataset, first, second, when ("before", "after", "change"), value, low, high: accuracy of the first minus that
        of the second.
    """
    rows, names = [], models.loc[models["model"].isin(measured.table["model"]), "model"]
    for dataset in TITLES:
        before = probing.SAME if dataset == UNSEEN else zero_shot.STAGE
        for first, second in combinations(names, 2):
            parts = {}
            for when, stage in (("before", before), ("after", probing.PROBED)):
                test = {"layer": LAYER, "select": {"dataset": dataset, "stage": stage, "measure": "accuracy"},
                        "a": f"model == {first!r}", "b": f"model == {second!r}"}  # fmt: skip
                parts[when] = claim_tests.group_difference(measured, models, test)[0]
            parts["change"] = parts["after"] - parts["before"]
            for when, found in parts.items():
                low, high = interval(found[1:])
                rows.append({"dataset": dataset, "first": first, "second": second, "when": when, "value": found[0],
                             "low": float(low), "high": float(high)})  # fmt: skip
    return pd.DataFrame(rows)


def dimensions(source: Source, most: int = 5) -> pd.DataFrame:
    """VICE's dimensions from heavy to light: dimension, leading objects, triplets to learn from that rest on it."""
    names, values = concepts.dimensions(source)
    part = concepts.divide(training(source), values, names)
    lead = concepts.leading(source, most).groupby("dimension", sort=False)["id"].agg(", ".join)
    counts = np.bincount(part.dimension.ravel(), minlength=len(names))
    words = lead.loc[list(names)].str.replace("_", " ").to_numpy()
    return pd.DataFrame({"dimension": names, "leading objects": words, "triplets": counts})


def glocal(source: Source, draws: int = resample.DRAWS) -> Measured:
    """CLIP ViT-L/14 on 200 concepts with and without its published gLocal transform.

    Returns
    -------
    Measured
        Measure "spearman" with SPoSE's dot products (both in-sample), measure "accuracy" on all human triplets within
        the 200 concepts; stage "zero-shot" and "gLocal".
    """
    features = source.published("things_eeg2/clip_vit_l14")
    transform = source.published("glocal/clip_ViT-L_14_visual")
    human = similarity_matrix(source.published("things/spose_49").align(features.ids).values, "dot")
    answers = [source.published(name) for name in (*things_files.TEST_SETS, things_files.TRAINING)]
    own = {name: row for row, name in enumerate(features.ids)}
    rows = [np.array([own.get(name, -1) for name in one.ids])[one.triplets] for one in answers]
    inside = np.concatenate([part[(part >= 0).all(1)] for part in rows])
    triplets = Triplets(features.ids, inside, answers[0].source, answers[0].licence)
    target, rows, drawn = rsa.upper_triangle(human), [], []
    common = {"model": GLOCAL, "layer": "visual", "dataset": "200 concepts", "profile": source.profile.name}
    common["source"] = things_files.IN_SAMPLE
    ways = {"zero-shot": (features.values, "cosine"), "gLocal": (transform.apply(features.values), "dot")}
    scores = []
    for stage, (values, kernel) in ways.items():
        similarity = similarity_matrix(values, kernel)
        near, spread = resample.pair_correlation(rsa.upper_triangle(similarity), target, draws)
        rows.append({"stage": stage, "detail": kernel, "value": near})
        drawn.append(spread)
        scores.append(odd_one_out.scores(similarity, triplets.triplets))
    value, spread = resample.triplet_means(np.stack(scores), triplets.triplets, triplets.concepts, draws)
    task = [{**row, "value": v} for row, v in zip(rows, value)]
    return combine(
        Measured.of(rows, np.array(drawn), measure="spearman", n=len(features), **common),
        Measured.of(task, spread, measure="accuracy", n=len(triplets), **common),
    )


def _tables(source: Source) -> dict:
    measured, models = measure(source), source.networks()
    learned = training(source)
    part = concepts.divide(learned, *reversed(concepts.dimensions(source)))
    counted = {"responses": len(learned), "left out": len(source.triplets("things")) - len(learned),
               "predicted by VICE": len(part.rows)}  # fmt: skip
    common = {"dataset": UNSEEN, "model": "people", "stage": "count", "profile": source.profile.name}
    limits = [zero_shot.ceilings_of(one, dataset=name, profile=source.profile.name)
              for name, one in tests(source).items()]  # fmt: skip
    counts = results.table([{"measure": key, "value": value} for key, value in counted.items()], **common)
    return {
        "results": results.combine(measured.table, glocal(source).table, *limits, counts),
        "claims": claims.judge(measured, models, claims.ledger(statements.LEDGER, "rq-")),
        "strengths": strengths(source),
        "differences": differences(measured, models),
        "dimensions": dimensions(source),
    }


TABLES = record.Study(
    "slice_probing",
    NEEDED,
    ("results", "claims", "strengths", "differences", "dimensions"),
    VERSION,
    _tables,
    live=False,
)
"""Everything that this page shows. The fits take about ten minutes of one core, so what was recorded is shown."""

# ---- tables ----------------------------------------------------------------------------------------------------------


def points(tables: Tables, models: pd.DataFrame, **where) -> pd.DataFrame:
    """One row a network: facts, value, low, high (95 %, over objects).

    Parameters
    ----------
    tables : Tables
    models : DataFrame
        :meth:`humalign.source.Source.networks`.
    **where
        Columns of the results and the value wanted.
    """
    rows = tables["results"]
    rows = rows[np.all([rows[key] == value for key, value in where.items()], axis=0)]
    out = models.merge(rows[["model", "layer", "value", "low", "high", "n"]], on="model", validate="one_to_one")
    return out.assign(runs=1, each="", provenance=tables.provenance).sort_values("number").reset_index(drop=True)


def accuracy(tables: Tables, models: pd.DataFrame, dataset: str, stage: str | None = None) -> pd.DataFrame:
    """:func:`points` of accuracy in one data set at a stage; None: before any transform, on the same triplets."""
    stage = stage or (probing.SAME if dataset == UNSEEN else zero_shot.STAGE)
    return points(tables, models, dataset=dataset, measure="accuracy", stage=stage)


def effects(tables: Tables, models: pd.DataFrame, stage: str = probing.PROBED) -> dict[str, pd.DataFrame]:
    """Title to pairs, accuracy before (x) and after (y) the transform; see :func:`networks.pairs`."""
    return {title: networks.pairs(accuracy(tables, models, name), accuracy(tables, models, name, stage))
            for name, title in TITLES.items()}  # fmt: skip


def limits(tables: Tables) -> dict[str, float]:
    """Title to people's leave-one-out ceiling; none is known for unseen objects."""
    rows = tables["results"]
    rows = rows[(rows["model"] == "people") & (rows["detail"] == "leave-one-out")].set_index("dataset")["value"]
    return networks.titled(rows, TITLES)


def curves(tables: Tables, stage: str = probing.PROBED) -> pd.DataFrame:
    """The rows of :func:`strengths` of one penalty."""
    rows = tables["strengths"]
    return rows[rows["stage"] == stage].reset_index(drop=True)


def by_group(tables: Tables, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Stage to accuracy by dimension: dimension, group, value, low, high, n; before and after, same triplets.

    Values on fewer than 20 triplets are left out.
    """
    rows = tables["results"]
    rows = rows[(rows["dataset"] == concepts.DATASET) & (rows["measure"] == "accuracy") & (rows["n"] >= concepts.FEW)]
    rows = rows.rename(columns={"detail": "dimension"})
    rows = rows.assign(group=rows["model"].map(models.set_index("model")["group"]))
    columns = ["dimension", "model", "group", "value", "low", "high", "n", "provenance"]
    return {stage: rows.loc[rows["stage"] == stage, columns] for stage in (probing.SAME, probing.PROBED)}


def r2(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """R2 of each dimension and network on held-out objects, with training groups."""
    rows = tables["results"]
    return concepts.r2(Measured(rows, np.empty((len(rows), 0))), models)


def strength_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """One row a network and penalty: chosen strength, cross-entropy, accuracy after the transform, for display."""
    names, cells = networks.names(models), {}
    for dataset in TITLES:
        for stage in PENALTIES:
            part = accuracy(tables, models, dataset, stage)
            cells |= {(row["model"], stage, dataset): show.estimate(row) for row in part.to_dict("records")}
    words = {probing.PROBED: "zero (first paper)", PULLED: "a scaled identity"}
    rows = tables["strengths"].query("selected")
    out = pd.DataFrame({"network": rows["model"].map(names), "pull towards": rows["stage"].map(words),
                        "λ": rows["strength"], "cross-entropy": rows["ce"]})  # fmt: skip
    for dataset, title in TITLES.items():
        out[title] = [cells[key] for key in zip(rows["model"], rows["stage"], [dataset] * len(rows))]
    return out.reset_index(drop=True)


def difference_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of networks and set of answers: difference before, after, and its change, for display."""
    names, rows = networks.names(models), tables["differences"]
    told = [show.number(r.value, (r.low, r.high), tables.provenance) for r in rows.itertuples()]
    pairs = [f"{names[r.first]} minus {names[r.second]}" for r in rows.itertuples()]
    out = rows.assign(networks=pairs, answers=rows["dataset"].map(TITLES), told=told)
    keys = ["answers", "networks"]
    wide = out.pivot(index=keys, columns="when", values="told").loc[list(dict.fromkeys(zip(*(out[k] for k in keys))))]
    return wide[["before", "after", "change"]].reset_index().rename_axis(columns=None)


def dimension_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """One row a dimension, from heavy to light: leading objects, triplets, held out, probed accuracy and R2."""
    out, names = tables["dimensions"].copy(), networks.names(models)
    probed, fitted = by_group(tables, models)[probing.PROBED], r2(tables, models)
    wide = probed.pivot(index="dimension", columns="model", values="value")
    n = probed.drop_duplicates("dimension").set_index("dimension")["n"]
    out["held out"] = out["dimension"].map(n).astype("Int64")
    read = fitted.pivot(index="detail", columns="model", values="value")
    for model in wide.columns:
        out[f"{names[model]}, accuracy"] = out["dimension"].map(wide[model])
    for model in read.columns:
        out[f"{names[model]}, R²"] = out["dimension"].map(read[model])
    return out.assign(provenance=tables.provenance)


def glocal_table(tables: Tables) -> pd.DataFrame:
    """:func:`glocal` for display: one row a stage."""
    rows = tables["results"][tables["results"]["model"] == GLOCAL]
    told = [show.number(r.value, (r.low, r.high), tables.provenance) for r in rows.itertuples()]
    wide = rows.assign(told=told).pivot(index="stage", columns="measure", values="told")
    return wide.loc[list(rows["stage"].unique()), ["spearman", "accuracy"]].reset_index().rename_axis(columns=None)


def published() -> pd.DataFrame:
    """Accuracies that others published before and after a linear transform: work, network, before, after, here, why."""
    text = resources.files("humalign.zoo").joinpath(PUBLISHED).read_text("utf8")
    out = pd.DataFrame(csv.DictReader(io.StringIO(text)))
    return out.assign(before=out["before"].astype(float), after=out["after"].astype(float), provenance="published")


def beside(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Published accuracies before and after a transform beside those of this page (unseen objects), for display."""
    names, rows = networks.names(models), []
    stages = {"before": None, "after": probing.PROBED}
    here = {when: accuracy(tables, models, UNSEEN, stage).set_index("model") for when, stage in stages.items()}
    for one in published().itertuples():
        told = {when: show.number(getattr(one, when), None, "published", one.source) for when in here}
        own = {f"here, {when}": show.estimate(part.loc[one.here]) if one.here else "" for when, part in here.items()}
        rows.append({"published": one.network, "by": one.work, **told, "here": names.get(one.here, ""), **own,
                     "why they differ": one.why})  # fmt: skip
    return pd.DataFrame(rows)


def numbers(tables: Tables, models: pd.DataFrame) -> dict:
    """Numbers of the prose, by key."""
    told, rows, out = tables.provenance, tables["results"], {}
    short = {CLIP: "clip", "vgg16_srf200": "vgg", "word2vec": "words"}
    for dataset in (UNSEEN, CROWD):
        for when, stage in (("before", None), ("after", probing.PROBED)):
            for row in accuracy(tables, models, dataset, stage).to_dict("records"):
                out[f"rq_{dataset}_{short[row['model']]}_{when}"] = show.estimate(row)
    counts = rows[rows["stage"] == "count"].set_index("measure")["value"]
    out |= {f"rq_{key.replace(' ', '_')}": show.number(int(value), None, told) for key, value in counts.items()}
    out |= statements.numbers(tables["claims"], told, "rq", "claim_{}")
    people = limits(tables)
    out |= {f"rq_limit_{name}": show.number(people[title], None, told) for name, title in TITLES.items()
            if title in people}  # fmt: skip
    after = by_group(tables, models)[probing.PROBED]
    mean = after[after["n"] >= concepts.HELD].groupby("dimension")["value"].mean().sort_values()
    gain = (mean - by_group(tables, models)[probing.SAME].groupby("dimension")["value"].mean())[mean.index]
    out |= {"rq_most_gained": ", ".join(gain.nlargest(4).index)}
    out |= {"rq_best_dimensions": ", ".join(mean.index[:-5:-1]), "rq_worst_dimensions": ", ".join(mean.index[:4]),
            "rq_best_dimension": show.number(mean.iloc[-1], None, told),
            "rq_worst_dimension": show.number(mean.iloc[0], None, told)}  # fmt: skip
    apart = tables["differences"]
    for r in apart[apart["dataset"] == UNSEEN].itertuples():
        key = f"rq_{r.dataset}_{short[r.first]}_{short[r.second]}_{r.when}"
        out[key] = show.number(r.value, (r.low, r.high), told)
    fitted = r2(tables, models)
    for model, part in fitted.groupby("model"):
        out[f"rq_r2_{short[model]}"] = show.number(part["value"].mean(), None, told, digits=2)
    task = points(tables, models, dataset=UNSEEN, stage=concepts.REGRESSION, measure="accuracy")
    out |= {f"rq_regression_{short[r['model']]}": show.estimate(r) for r in task.to_dict("records")}
    return out
