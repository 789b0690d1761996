"""Real people, real networks: published networks on free photographs and on the 92 images, beside people's choices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import claims, record, resample, results, show
from .. import rsa as measures
from ..data.types import Triplets
from ..record import Tables
from ..results import Measured, combine
from ..similarity import similarity_matrix
from ..source import LAYERS, Source
from ..zoo import facts as zoo
from . import networks, rsa, statements, things_files, zero_shot
from .things_files import CONCEPTS, EMBEDDINGS, NAMES, TEST_SETS, TRAINING, kernel_of

ROLES, OPTIONAL = ("photographs", "mur92"), ()
VERSION = 5  # of what is kept: goes up when its numbers change
NEEDED = frozenset({
    *TEST_SETS, TRAINING, CONCEPTS, *NAMES, "things/categories_27", "things_cc0/images", "things_cc0/features",
    "mur92", "mur92/images", "mur92/features", "weights/squeezenet1_0",
})  # fmt: skip
COMPARISONS = {"spearman": "with the mean of 16 people", "spearman with each person": "with single people, averaged"}
IN_SAMPLE = "People"  # training group of what was fitted to people's choices
OFTEN = 5  # a question with more answers is one of the repeated ones
ONCE = "photographs, each triplet once"

# ---- measuring -------------------------------------------------------------------------------------------------------


def choices(source: Source) -> Measured:
    """Odd-one-out accuracy of every network on the responses among the concepts of the photographs."""
    return zero_shot.measure(source, roles=("photographs",))


def of_triplets(features, triplets: Triplets, kernels=zero_shot.KERNELS, draws: int = resample.DRAWS, **common):
    """As :func:`humalign.chapters.zero_shot.of_features`, each distinct triplet counted once.

    The score of a triplet is the share of its responses that the network gives, so that a question which was asked of
    forty people weighs no more than one which was asked of one.
    """
    _, first, index = np.unique(things_files.questions(triplets.triplets), return_index=True, return_inverse=True)
    size, rows, shares = np.bincount(index), [], []
    for part in features:
        for kernel in kernels:
            rows.append({**networks.identity(part), "detail": kernel})
            shares.append(np.bincount(index, zero_shot.right(part, triplets, kernel)) / size)
    value, drawn = resample.triplet_means(np.stack(shares), triplets.triplets[first], triplets.concepts, draws)
    common |= {"dataset": ONCE, "measure": "accuracy", "stage": zero_shot.STAGE, "n": len(first)}
    return Measured.of([{**row, "value": v} for row, v in zip(rows, value)], drawn, **common)


def choices_once(source: Source) -> Measured:
    """The same with each distinct triplet counted once: added after the width of the first intervals was seen."""
    return networks.measure(source, "photographs", of_triplets, VERSION, name="zero-shot-once")


def all_concepts(source: Source) -> Measured:
    """The same on all responses of test_10, of networks and embeddings whose features cover all 1,854 concepts."""
    triplets, rows, hits = source.triplets("things"), [], []
    whole = set(triplets.ids)
    for part in source.features("photographs", ("penultimate",)):
        if whole <= set(part.ids):
            for kernel in ("cosine", "dot"):
                rows.append({**networks.identity(part), "detail": kernel})
                hits.append(zero_shot.right(part, triplets, kernel))
    value, drawn = resample.triplet_means(np.stack(hits), triplets.triplets, triplets.concepts)
    common = {"dataset": "things", "measure": "accuracy", "stage": zero_shot.STAGE, "n": len(triplets)}
    return Measured.of(
        [{**row, "value": v} for row, v in zip(rows, value)], drawn, profile=source.profile.name, **common
    )


def arrangements(source: Source) -> Measured:
    """Agreement of every network with 16 people on the 92 images."""
    return networks.measure(source, "mur92", rsa.of_people, VERSION, name="rsa-people")


def with_embeddings(source: Source) -> Measured:
    """Spearman's correlation of the similarities of each layer (cosine) with those of SPoSE and VICE (dot product).

    Both embeddings were fitted to THINGS triplets; draws resample concepts.
    """
    ids = source.triplets("photographs").ids
    parts = [(part, similarity_matrix(part.align(ids).values, kernel_of(part.model)))
             for part in source.features("photographs")]  # fmt: skip
    people = {part.model: similarity for part, similarity in parts if part.model in EMBEDDINGS}
    rows, drawn = [], []
    for target, similarity in people.items():
        human = measures.upper_triangle(similarity)
        for part, own in parts:
            if part.model != target:
                value, spread = resample.pair_correlation(measures.upper_triangle(own), human)
                rows.append(
                    {**networks.identity(part), "dataset": target, "detail": kernel_of(part.model), "value": value}
                )
                drawn.append(spread)
    common = {"measure": "spearman", "stage": zero_shot.STAGE, "n": len(ids), "source": things_files.IN_SAMPLE}
    return Measured.of(rows, np.stack(drawn), profile=source.profile.name, **common)


def _tables(source: Source) -> dict:
    models, choice, arranged = source.networks(), choices(source), arrangements(source)
    both = combine(choice, arranged)
    once = choices_once(source)
    later = Measured(once.table.assign(dataset="photographs"), once.draws)
    judged = claims.judge(both, models, claims.ledger(statements.LEDGER, "rp-"))
    again = claims.judge(combine(later, arranged), models, claims.ledger(statements.LEDGER, "rp-"))
    embedded, sides = with_embeddings(source), {"plus": {"layer": "logits"}, "minus": {"layer": "penultimate"}}
    parts = {
        "photographs": choice.select("detail == 'cosine'"),
        "mur92": arranged.select("measure == 'spearman'"),
        "spose_49": embedded.select("dataset == 'spose_49'"),
    }
    layers = [resample.difference(part, **sides).assign(dataset=name) for name, part in parts.items()]
    triplets = source.triplets("photographs")
    asked = np.unique(things_files.questions(triplets.triplets), return_counts=True)[1]
    common = {"dataset": "photographs", "model": "people", "stage": "count", "profile": source.profile.name}
    counted = {"responses": len(triplets), "triplets": len(asked), "concepts": len(triplets.ids),
               "often": (asked > OFTEN).sum(), "responses to these": asked[asked > OFTEN].sum()}  # fmt: skip
    rows = [
        both.table, once.table, all_concepts(source).table, embedded.table,
        results.table([{"measure": key, "value": value} for key, value in counted.items()], **common),
        zero_shot.ceilings(source), zero_shot.references(source, "photographs"),
        rsa.ceilings_of(source.arrangement("mur92"), **rsa.RECORDED, dataset="mur92", profile=source.profile.name),
    ]  # fmt: skip
    return {
        "results": results.combine(*rows),
        "claims": judged,
        "claims_once": again,
        "layers": pd.concat(layers, ignore_index=True),
    }


TABLES = record.Study("slice_networks", NEEDED, ("results", "claims", "claims_once", "layers"), VERSION, _tables)
"""Everything that this page shows."""

# ---- tables ----------------------------------------------------------------------------------------------------------


def points(tables: Tables, models: pd.DataFrame, layer: str = "best", **where) -> pd.DataFrame:
    """One row a network: facts, value, low, high; intervals over objects.

    Parameters
    ----------
    tables : Tables
    models : DataFrame
        :meth:`humalign.source.Source.networks`.
    layer : str
        "penultimate", "logits", or "best": the better one, network by network.
    **where
        Columns of the results and the value wanted; of odd-one-out accuracies, the detail is :func:`kernel_of`.
    """
    rows = tables["results"]
    rows = rows[np.all([rows[column] == value for column, value in where.items()], axis=0)]
    rows = rows[(rows["stage"] == zero_shot.STAGE) & rows["layer"].isin(LAYERS if layer == "best" else [layer])]
    if where.get("measure") == "accuracy":
        rows = rows[rows["detail"] == rows["model"].map(kernel_of)]
    rows = rows.sort_values("value", ascending=False, kind="stable").drop_duplicates("model")
    columns = ["model", "layer", "value", "low", "high", "n", "detail", "dataset", "measure"]
    out = models.merge(rows[columns], on="model", validate="one_to_one")
    return out.assign(runs=1, each="", provenance=tables.provenance).sort_values("number").reset_index(drop=True)


def references(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy of simple descriptions of the photographs, and people's ceilings (of all concepts)."""
    rows = tables["results"]
    return rows[rows["stage"] == "reference"], rows[(rows["stage"] == "ceiling") & (rows["measure"] == "accuracy")]


def published() -> pd.DataFrame:
    """Odd-one-out accuracies that others published, with source and caveat; those of the second paper stand elsewhere.

    Returns
    -------
    DataFrame
        As :func:`humalign.zoo.facts.published_numbers`, and reference_accuracy (ImageNet top-1 of the network, NaN
        where no table has it).
    """
    out = zoo.published_numbers()
    known = zoo.table()[["model", "reference_accuracy"]]
    return out[out["work"] != "Paper 2"].merge(known, on="model", how="left")


def by_layer(tables: Tables, models: pd.DataFrame, **where) -> dict[str, pd.DataFrame]:
    """Layer to :func:`points`."""
    return {layer: points(tables, models, layer, **where) for layer in LAYERS}


def with_people(tables: Tables, models: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, tuple]]:
    """Agreement with the people who arranged 92 images: title to points of both layers, and title to ceiling."""
    parts = {}
    for measure, title in COMPARISONS.items():
        found = by_layer(tables, models, dataset="mur92", measure=measure)
        parts[title] = pd.concat(found.values(), ignore_index=True)
    return parts, networks.titled(people_limits(tables), COMPARISONS)


def with_people_embedded(tables: Tables, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Agreement with SPoSE and VICE: name of the embedding to points of both layers."""
    names = networks.names(models)
    return {
        names[model]: pd.concat(by_layer(tables, models, dataset=model, measure="spearman").values(), ignore_index=True)
        for model in EMBEDDINGS
    }


def people_limits(tables: Tables) -> dict[str, tuple[float, float]]:
    """The ceiling of each comparison with the 16 people: measure to lower and upper end."""
    rows = tables["results"]
    found = rows[rows["measure"] == "ceiling"].set_index("detail")["value"]
    return {"spearman": (found["mean"],) * 2,
            "spearman with each person": (found["single, lower"], found["single, upper"])}  # fmt: skip


def beside(tables: Tables, models: pd.DataFrame, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """Published numbers beside those of this page: what, published, here, why they differ.

    "here" is the accuracy among the concepts of the photographs, "here, all" that on all responses of test_10, where
    the features cover all concepts.
    """
    shown = published() if shown is None else shown
    rows, cells = [], {}
    for dataset in ("photographs", "things"):
        for layer, part in by_layer(tables, models, dataset=dataset, measure="accuracy").items():
            cells |= {(dataset, layer, row["model"]): row for row in part.to_dict("records")}
    names = networks.names(models)
    for one in shown[shown["here"] != ""].itertuples():
        found = [cells.get((dataset, one.here_layer, one.here)) for dataset in ("photographs", "things")]
        here, every = ("" if cell is None else show.estimate(cell) for cell in found)
        told = show.number(one.value, None, "published", one.source)
        network = (zoo.facts_of(one.network) or {"name": one.network})["name"]
        words = {"published": f"{network}, {one.layer}" if one.layer else network, "by": one.work,
                 "value": told, "here": names[one.here], "278 concepts": here, "all concepts": every,
                 "why they differ": one.why}  # fmt: skip
        rows.append(words)
    return pd.DataFrame(rows)


def table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """One row a network: facts, what is not known, accuracy at both layers, correlation with people at both layers."""
    first = points(tables, models, "best", dataset="photographs", measure="accuracy")
    out = first[["name", "training_data", "objective"]].copy()
    out["million parameters"] = first["parameters"] / 1e6
    out["ImageNet top-1"] = first["reference_accuracy"]
    columns = {"choices": {"dataset": "photographs", "measure": "accuracy"},
               "arrangements": {"dataset": "mur92", "measure": "spearman"}}  # fmt: skip
    for title, where in columns.items():
        for layer, part in by_layer(tables, models, **where).items():
            out[f"{title}, {layer}"] = first["model"].map(part.set_index("model")["value"]).to_numpy()
    out["remark"] = np.where(first["group"] == IN_SAMPLE, "in-sample", "")
    return out.assign(provenance=tables.provenance).rename(columns={"training_data": "trained on"})


def notes(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """What is known of each network and what is not, in words."""
    first = points(tables, models, "best", dataset="photographs", measure="accuracy")
    told = [(zoo.facts_of(model) or {"note": "no table knows it"})["note"] for model in first["model"]]
    return first[["name"]].assign(note=told)


def layer_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Logits minus penultimate layer of each network in each comparison, and the mean over networks, for display."""
    rows, titles = tables["layers"], {"photographs": "choices", "mur92": "arrangements", "spose_49": "SPoSE"}
    cells = {(r.dataset, r.model): show.number(r.value, (r.low, r.high), tables.provenance) for r in rows.itertuples()}
    names = networks.names(models) | {"all": "mean of these"}
    shown = [model for model in names if model in set(rows["model"])]
    columns = {title: [cells.get((name, model), "") for model in shown] for name, title in titles.items()}
    return pd.DataFrame({"name": [names[model] for model in shown], **columns})


def claim_table(tables: Tables) -> pd.DataFrame:
    """The claims of this page; beside them the same with each distinct triplet counted once."""
    once = tables["claims_once"].set_index("id").loc[tables["claims"]["id"]]
    more = statements.table(once, tables.provenance)
    columns = {"each triplet once": more["effect"], "verdict then": more["verdict"]}
    shown = ("claim", "criterion", "basis", "effect", "verdict")
    return statements.table(tables["claims"], tables.provenance, shown).assign(**columns)


def numbers(tables: Tables, models: pd.DataFrame) -> dict:
    """Numbers of the prose, by key."""
    rows, told = tables["results"], tables.provenance
    found = points(tables, models, "best", dataset="photographs", measure="accuracy")
    own, people = found[found["group"] != IN_SAMPLE], found[found["group"] == IN_SAMPLE]
    mean = points(tables, models, "best", dataset="mur92", measure="spearman")
    single = points(tables, models, "best", dataset="mur92", measure="spearman with each person")
    (limit, _), (low, high) = people_limits(tables).values()
    counts = rows[rows["stage"] == "count"].set_index("measure")["value"]
    simple, ceilings = (part.set_index("model" if k == 0 else "detail") for k, part in enumerate(references(tables)))
    out = {f"rn_{key.replace(' ', '_')}": show.number(int(value), None, told) for key, value in counts.items()}
    out |= {"rn_networks": show.number(len(own), None, told), "rn_networks_92": show.number(len(mean), None, told)}
    for key, part in (("choices", own), ("mean", mean), ("single", single)):
        best, worst = networks.best(part), networks.worst(part)
        out |= {f"rn_{key}_best": show.estimate(best), f"rn_{key}_worst": show.estimate(worst)}
        if key != "single":  # the prose names the networks of the other two
            out |= {f"rn_{key}_best_name": best["name"], f"rn_{key}_worst_name": worst["name"]}
    out |= {f"rn_{row['model']}": show.estimate(row) for row in people.to_dict("records")}
    out |= {f"rn_{name}": show.number(simple.loc[model, "value"], None, told)
            for name, model in (("pixels", "pixels"), ("category", "category"))}  # fmt: skip
    out["rn_ceiling"] = show.number(ceilings.loc["majority", "value"], None, told)
    out |= {f"rn_limit_{key}": show.number(value, None, told, digits=2)
            for key, value in (("mean", limit), ("low", low), ("high", high))}  # fmt: skip
    out |= statements.numbers(tables["claims"], told, "rn")
    out |= statements.counts(tables["claims_once"], told, "rn_{}_once")
    every = tables["layers"].set_index(["model", "dataset"]).loc[("all", "spose_49")]
    out["rn_spose_layer"] = show.number(every["value"], (every["low"], every["high"]), told)
    return out
