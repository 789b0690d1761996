"""Real human data: ceilings, embeddings and networks on THINGS triplets, row orders, and 92 images with 16 people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import odd_one_out, record, resample, results, rsa, show
from ..data.row_orders import ORDERS, detect, in_order
from ..errors import InputError
from ..record import Tables
from ..results import Measured, combine
from ..similarity import similarity_matrix
from ..source import Source
from . import rsa as rsa_chapter
from .things_files import CONCEPTS, EMBEDDINGS, IN_SAMPLE, NAMES, TEST_SETS, TRAINING, object_ids, questions

ROLES, OPTIONAL = (), ()  # the page is about single published files: NEEDED
VERSION = 4  # of the tables that are kept: goes up when their numbers change
NEEDED = frozenset({
    *TEST_SETS, TRAINING, "things/testset2_repeat", CONCEPTS, *NAMES, "things/categories_27", "mur92", "mur92/images",
    "weights/squeezenet1_0",
})  # fmt: skip
DRAWS = resample.DRAWS
NETWORK = "squeezenet1_0"  # sees the 92 images
MODELS = {
    key: (name, ("dot", "cosine"), IN_SAMPLE) if key in EMBEDDINGS.values() else (name, ("cosine", "dot"), "")
    for key, name in NAMES.items()
}
"""Data set of the features: display name, kernels (the first is the one to read), remark."""


def facts() -> pd.DataFrame:
    """Name and training group of each model of this chapter, for figures."""
    group = {
        "things/clip_vit_b32": "Image/Text",
        "things/vgg16_srf200": "Supervised (ImageNet-1K)",
        "things/word2vec": "Text only",
    }
    rows = [{"model": key, "name": name, "group": group.get(key, "People")} for key, (name, _, _) in MODELS.items()]
    return pd.DataFrame(rows)


# ---- measuring -------------------------------------------------------------------------------------------------------


def ceilings(source: Source, draws: int = DRAWS) -> Measured:
    """Human noise ceilings of the repeated test sets, and how often people repeat their own answer.

    Returns
    -------
    Measured
        Measure "ceiling", detail "majority" or "leave-one-out" per test set; measure "agreement", detail "same person
        again" for testset2 and its repetition. Draws resample distinct triplets.
    """
    rows, out = [], []
    generator = np.random.default_rng(source.profile.seed)
    for name in (*TEST_SETS, "things/testset2_repeat"):
        triplets = source.published(name).triplets
        objects, _, index = odd_one_out.response_counts(triplets)
        drawn = resample.drawn_rows(len(objects), generator, draws)
        for kind in ("majority", "leave-one-out"):
            each = np.array([odd_one_out.noise_ceiling(triplets[index == k], kind) for k in range(len(objects))])
            rows.append({"dataset": name, "model": "people", "measure": "ceiling", "detail": kind,
                         "value": odd_one_out.noise_ceiling(triplets, kind), "n": len(triplets)})  # fmt: skip
            out.append(each @ drawn / len(each))
    first, again = (source.published(f"things/testset2{end}") for end in ("", "_repeat"))
    if not (questions(first.triplets) == questions(again.triplets)).all():
        raise InputError(
            "does not ask the questions of testset2 row by row", "things/testset2_repeat", "check the files"
        )
    same = (first.triplets[:, 2] == again.triplets[:, 2]).astype(float)
    _, _, index = odd_one_out.response_counts(first.triplets)
    size, hits = np.bincount(index), np.bincount(index, same)
    weights = resample.counts(len(size), draws).T
    rows.append({"dataset": "things/testset2", "model": "people", "measure": "agreement", "detail": "same person again",
                 "value": same.mean(), "n": len(same)})  # fmt: skip
    out.append((weights @ hits) / (weights @ size))
    return Measured.of(rows, np.array(out), profile=source.profile.name, source="THINGS-data")


def _accuracies(triplets, similarities: dict, draws: int, **common):
    """Rows and draws of accuracies on one set of triplets; ``similarities`` maps facts (a tuple of pairs) to S."""
    scores = np.stack([odd_one_out.scores(similarity, triplets.triplets) for similarity in similarities.values()])
    value, drawn = resample.triplet_means(scores, triplets.triplets, triplets.concepts, draws)
    rows = [{**common, **dict(facts), "measure": "accuracy", "value": v, "n": len(triplets)}
            for facts, v in zip(similarities, value)]  # fmt: skip
    return rows, list(drawn)


def _facts(**facts) -> tuple:
    return tuple(facts.items())


def zero_shot(source: Source, draws: int = DRAWS) -> Measured:
    """Odd-one-out accuracy of embeddings and features on the human test sets; draws resample concepts."""
    ids = object_ids(source)
    similarities = {}
    for key, (_, kernels, remark) in MODELS.items():
        values = source.published(key).align(ids).values
        for kernel in kernels:
            similarities[_facts(model=key, detail=kernel, source=remark)] = similarity_matrix(values, kernel)
    rows, out = [], []
    for name in TEST_SETS:
        part = _accuracies(source.published(name).align(ids), similarities, draws, dataset=name, stage="zero-shot")
        rows += part[0]
        out += part[1]
    return Measured.of(rows, np.array(out), profile=source.profile.name)


def ceilings92(source: Source) -> Measured:
    """What a perfect model would reach on the 92 images, with the mean of 16 people and with single ones.

    Returns
    -------
    Measured
        Model "people", measure "ceiling": detail "mean" for the first, "single, lower" and "single, upper" for the
        second; without draws.
    """
    found = source.arrangement("mur92")
    people = rsa_chapter.ceilings_of(found, **rsa_chapter.RECORDED, dataset="mur92", profile=source.profile.name)
    return Measured(people, np.full((len(people), DRAWS), np.nan))


def category_rdms(source: Source) -> pd.DataFrame:
    """Mean dissimilarity between the categories of the 92 images, as percentile ranks within each RDM.

    Returns
    -------
    DataFrame
        model, first, second (categories), rank (0 to 100): small enough to be recorded.
    """
    from scipy.stats import rankdata

    human = source.arrangement("mur92")
    stimuli = source.pictures("mur92").align(human.ids)
    (logits,) = source.features("mur92", ("logits",), [NETWORK])
    rdms = {"16 people": human.mean(),
            "SqueezeNet, logits": rsa.rdm(logits.align(human.ids).values, "correlation")}  # fmt: skip
    names = list(dict.fromkeys(stimuli.concepts))
    codes = np.array([names.index(c) for c in stimuli.concepts])
    upper = np.triu_indices(len(codes), 1)
    rows = []
    for model, matrix in rdms.items():
        rank = np.zeros(matrix.shape)
        rank[upper] = 100 * (rankdata(matrix[upper]) - 1) / (len(upper[0]) - 1)
        rank += rank.T
        for i, first in enumerate(names):
            for j, second in enumerate(names):
                block = rank[np.ix_(codes == i, codes == j)]
                pairs = block[~np.eye(len(block), dtype=bool)] if i == j else block
                rows.append({"model": model, "first": first, "second": second, "rank": float(pairs.mean())})
    return pd.DataFrame(rows)


def category_map(source: Source, model: str = "things/clip_vit_b32") -> pd.DataFrame:
    """Two-dimensional t-SNE map of the concepts, with one high-level category each.

    Returns
    -------
    DataFrame
        concept, x, y, category ("other" where none or several apply).
    """
    from sklearn.manifold import TSNE

    ids = object_ids(source)
    values = source.published(model).align(ids).values
    membership = source.published("things/categories_27").loc[list(ids)]
    single = membership.sum(axis=1).to_numpy() == 1
    category = np.where(single, membership.columns.to_numpy()[membership.to_numpy().argmax(1)], "other")
    settings = {"metric": "cosine", "init": "random", "random_state": source.profile.seed}
    neighbours = min(30.0, (len(ids) - 1) / 3)  # 30 is the default of scikit-learn; tiny sets have fewer
    place = TSNE(perplexity=neighbours, **settings).fit_transform(np.asarray(values, np.float32))
    return pd.DataFrame({"concept": ids, "x": place[:, 0], "y": place[:, 1], "category": category})


# model: kernel, the order its file is in, and an order that it can be (and for CLIP was) taken for
ROW_ORDERS = {
    "things/vice_42": ("dot", "raw", "sorted"),
    "things/spose_49": ("dot", "sorted", "raw"),
    "things/clip_vit_b32": ("cosine", "upper", "python"),
    "things/vgg16_srf200": ("cosine", "raw", "sorted"),
    "things/word2vec": ("cosine", "sorted", "raw"),
}


def row_order_cost(source: Source) -> pd.DataFrame:
    """What a wrong row order costs: odd-one-out accuracy with rows met by name, and by position in another order.

    Returns
    -------
    DataFrame
        A result table: measure "accuracy", detail "right order, all trials", "wrong order, all trials", and both for
        "affected trials" (those that touch a concept whose row differs between the two orders); ``low``/``high`` =
        95 % Wilson interval over trials, ``n`` = trials.
    """
    from scipy.stats import binomtest

    ids, rows = object_ids(source), []
    for model, (kernel, order, other) in ROW_ORDERS.items():
        right = source.published(model).align(ids).values
        place = {name: row for row, name in enumerate(in_order(ids, other))}
        as_they_lie = source.published(model).align(in_order(ids, order)).values
        wrong = as_they_lie[[place[name] for name in ids]]
        moved = np.array([a != b for a, b in zip(in_order(ids, order), in_order(ids, other))])
        moved = np.isin(ids, np.array(in_order(ids, order))[moved])
        for name in (TRAINING, *TEST_SETS):
            responses = source.published(name).align(ids).triplets
            touched = moved[responses].any(1)
            for label, values in (("right", right), ("wrong", wrong)):
                similarity = similarity_matrix(values.astype(np.float64), kernel)
                hit = odd_one_out.choices(similarity, responses) == 2
                for scope, part in (("all trials", hit), ("affected trials", hit[touched])):
                    low, high = binomtest(int(part.sum()), len(part)).proportion_ci(method="wilson")
                    rows.append({"dataset": name, "model": model, "measure": "accuracy", "n": len(part),
                                 "value": part.mean(), "low": low, "high": high,
                                 "detail": f"{label} order, {scope}"})  # fmt: skip
    return results.table(rows, profile=source.profile.name, source="wrong row order")


def order_evidence(source: Source) -> pd.DataFrame:
    """Which row order people's choices name for each file; see :func:`humalign.data.row_orders.detect`.

    Returns
    -------
    DataFrame
        file, order, accuracy, standard_error, n (trials that touch a concept whose row differs), named (the order that
        the evidence names, or those it cannot tell apart).
    """
    ids, parts = object_ids(source), []
    for model, (_, order, _) in ROW_ORDERS.items():
        found = detect(source.published(model).align(in_order(ids, order)).values, data=source.root)
        named = " or ".join(found.candidates)
        parts.append(found.table.assign(file=MODELS[model][0], named=named)[["file", *found.table, "named"]])
    return pd.concat(parts, ignore_index=True)


def measure(source: Source) -> Measured:
    """Everything this chapter measures, as one table."""
    return combine(ceilings(source), zero_shot(source), ceilings92(source))


def _tables(source: Source) -> dict:
    made = {"row_order": row_order_cost, "order_evidence": order_evidence, "category_rdms": category_rdms,
            "concept_map": category_map}  # fmt: skip
    return {"results": measure(source).table, **{name: make(source) for name, make in made.items()}}


TABLES = record.Study(
    "slice", NEEDED, ("results", "row_order", "order_evidence", "category_rdms", "concept_map"), VERSION, _tables
)
"""Everything that this page shows, from :func:`measure`, :func:`row_order_cost`, :func:`order_evidence`,
:func:`category_rdms` and :func:`category_map`."""


# ---- tables ----------------------------------------------------------------------------------------------------------


def order_table(evidence: pd.DataFrame) -> pd.DataFrame:
    """:func:`order_evidence` for display: one row a file, one column an order."""
    words = evidence.assign(text=[f"{v:.3f} ± {e:.3f}" for v, e in zip(evidence.accuracy, evidence.standard_error)])
    out = words.pivot(index=["file", "named"], columns="order", values="text").reset_index()
    out = out.set_index("file").loc[list(dict.fromkeys(evidence["file"]))].reset_index()
    return out[["file", *ORDERS, "named"]].rename(columns={"named": "people's choices name"})


CORRECTED = {  # of the table of corrections: what, and the row of the results that holds it now
    "CLIP ViT-B/32, zero-shot, test set 1": ("things/testset1", "zero-shot", "cosine", "accuracy"),
    "CLIP ViT-B/32, zero-shot, test set 2": ("things/testset2", "zero-shot", "cosine", "accuracy"),
    "92 images, ceiling shown for the mean of 16 people": ("mur92", "", "mean", "ceiling"),
}


def corrections(tables: Tables) -> pd.DataFrame:
    """Numbers of this page before and after its two errors were mended.

    "before" was recorded with the errors in place (CLIP's rows named by Python's order; the mean of people beside the
    upper ceiling for single people); "now" is read off the tables.
    """
    before = record.read("slice_before", "correction").set_index("what")["value"]
    rows = tables["results"].drop_duplicates(["dataset", "stage", "detail", "measure", "model"])
    rows = rows[rows.model.isin(["things/clip_vit_b32", "people"])].set_index(["dataset", "stage", "detail", "measure"])
    now = {what: rows.loc[key, "value"] for what, key in CORRECTED.items()}
    out = pd.DataFrame({"what": list(now), "before": before.loc[list(now)].to_numpy(), "now": list(now.values())})
    return out.assign(difference=out["now"] - out["before"], provenance=tables.provenance)


def ceiling_table(tables: Tables) -> pd.DataFrame:
    """Ceilings and repeated answers, for display."""
    rows = tables["results"]
    rows = rows[(rows.model == "people") & rows.dataset.str.startswith("things/")]
    name = rows.dataset.str.removeprefix("things/")
    frame = rows[["value", "low", "high"]].assign(responses=rows.n.astype(int), provenance=tables.provenance)
    frame.insert(0, "data set", name)
    frame.insert(1, "what", rows.detail)
    return frame


def accuracy_table(tables: Tables, facts: pd.DataFrame) -> pd.DataFrame:
    """Zero-shot accuracies, for display."""
    rows = tables["results"]
    rows = rows[
        (rows.measure == "accuracy") & (rows.stage == "zero-shot") & rows.dataset.isin(TEST_SETS) & (rows.layer == "")
    ]
    name = dict(zip(facts.model, facts.name))
    return pd.DataFrame(
        {"model": rows.model.map(name), "kernel": rows.detail, "data set": rows.dataset.str.removeprefix("things/"),
         "accuracy": rows.value, "low": rows.low, "high": rows.high,
         "remark": np.where(rows.source == IN_SAMPLE, "in-sample", ""), "provenance": tables.provenance}
    )  # fmt: skip


def numbers(tables: Tables) -> dict:
    """The numbers that the prose of the chapter quotes, with interval and provenance."""
    rows = tables["results"]

    def one(query, digits=3):
        row = rows.query(query).iloc[0]
        ends = (row.low, row.high) if row.low == row.low else None
        return show.number(row.value, ends, tables.provenance, "THINGS-data", digits)

    return {
        "real_again": one("measure == 'agreement'"),
        "real_single_low": one("dataset == 'mur92' and detail == 'single, lower'", 2),
        "real_single_high": one("dataset == 'mur92' and detail == 'single, upper'", 2),
        "real_ceiling_mean": one("dataset == 'mur92' and measure == 'ceiling' and detail == 'mean'", 2),
    }
