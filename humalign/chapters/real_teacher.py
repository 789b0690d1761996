"""Teachers for real people: maps of published features, tested on people's responses; recorded, as fits take long."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import odd_one_out, resample, results, show
from .. import record as recording
from ..alignet import teacher as maps
from ..cache import kept
from ..calibration import expected_calibration_error, fit_temperature
from ..data import registry
from ..data.types import Features, Triplets
from ..errors import HumalignError
from ..probing import object_folds, partition_masks
from ..results import Measured, Rows, combine
from ..similarity import similarity_matrix
from ..source import Source
from .teacher import FOLDS, SEED, STRENGTH
from .things_files import TEST_SETS, TRAINING, questions

VERSION = 2  # of what is kept: goes up when its numbers change
RANDOM = 100_000  # soft-labelled random triplets, where too few were judged
NETWORKS = {"things/clip_vit_b32": "CLIP ViT-B/32", "things_eeg2/clip_vit_l14": "CLIP ViT-L/14"}
EMBEDDINGS = {"VICE": "things/vice_42", "SPoSE": "things/spose_49"}
STAGES = {  # stage: (kind of map, human embedding of its soft targets)
    "untransformed": ("untransformed", None),
    "plain": ("plain", None),
    "gLocal": ("glocal", None),
    "uncertainty, SPoSE": ("uncertainty", "SPoSE"),
    "uncertainty, VICE": ("uncertainty", "VICE"),
}
IN_SAMPLE = "embedding and choices stem from the same study: soft targets are in-sample"
RESPONSES = (TRAINING, *TEST_SETS)
HELD_OUT, REPEATED = "held-out objects", "repeated triplets"
SAME, PARTLY = "same objects, other responses", "a held-out object in each triplet"
FOLDS_FEW = 10  # where objects are few
FEW = 5000  # judged triplets below which maps are fitted on random ones
NONE = np.full(resample.DRAWS, np.nan, np.float32)  # of a value without draws
MEASURES = ("accuracy", "cross-entropy", "calibration error", "entropy", "entropy-disagreement")
NEEDED = (*NETWORKS, *EMBEDDINGS.values(), *RESPONSES)

# ---- real people -----------------------------------------------------------------------------------------------------


def _fit(x, kind, rows, fitted_to, human):
    """Similarities of mapped features: dot products; those without a map are scaled to fit ``rows`` best.

    Parameters
    ----------
    x : array (m, p)
    kind : str
    rows : int array (n, 3)
        Choices for the temperature of untransformed features (rows of length 1).
    fitted_to : int array (k, 3)
        Triplets that the map is fitted to.
    human : array (m, d) or None
        Embedding that gives soft targets.
    """
    if kind == "untransformed":
        similarity = similarity_matrix(x / np.linalg.norm(x, axis=1, keepdims=True), "dot")
        return similarity / fit_temperature(similarity, rows)
    targets = None if human is None else maps.soft_targets(human, fitted_to)
    return similarity_matrix(maps.fit(x, fitted_to, targets, kind, STRENGTH).apply(x), "dot")


def _random_rows(members: np.ndarray) -> np.ndarray:
    """Random triplets of some objects."""
    from ..alignet.sampling import sample

    return members[sample(RANDOM, "random", len(members), rng=np.random.default_rng(SEED))]


def _add(rows: Rows, p: np.ndarray, triplets: Triplets, similarity=None, **where) -> None:
    """Accuracy, cross-entropy, entropy and calibration error of probabilities, with draws over concepts.

    With similarities, as of answers of several people to each question, also :func:`disagreement`.
    """
    right = ((p[:, 0] > p[:, 1]) & (p[:, 0] > p[:, 2])).astype(np.float32)
    surprise = -np.log(np.maximum(p[:, 0], 1e-12))
    for name, scores in {"accuracy": right, "cross-entropy": surprise, "entropy": odd_one_out.entropy(p)}.items():
        value, drawn = resample.triplet_means(scores, triplets.triplets, triplets.concepts)
        rows.add(measure=name, value=value, draws=drawn, n=len(p), **where)
    rows.add(measure="calibration error", value=expected_calibration_error(p), draws=NONE, n=len(p), **where)
    if similarity is not None:
        value, drawn, n = disagreement(similarity, triplets)
        rows.add(measure="entropy-disagreement", value=value, draws=drawn, n=n, **where)


def disagreement(similarity, triplets: Triplets, least: int = 10) -> tuple[float, np.ndarray, int]:
    """Spearman correlation between a model's entropy and people's response entropy over repeated triplets.

    Parameters
    ----------
    similarity : array (m, m)
    triplets : Triplets
        One row a response.
    least : int
        Responses a triplet needs.

    Returns
    -------
    value, draws (B,) over triplets, number of triplets
    """
    objects, counts, _ = odd_one_out.response_counts(triplets.triplets)
    enough = counts.sum(1) >= least
    objects, counts = objects[enough], counts[enough]
    if len(objects) < 10:
        return float("nan"), NONE, len(objects)
    share = counts / counts.sum(1, keepdims=True)
    people = odd_one_out.entropy(share)
    model = odd_one_out.entropy(odd_one_out.probabilities(similarity, objects))
    return *resample.unit_correlation(model, people), len(objects)


def _judged(source, network) -> tuple[Triplets, Features]:
    """Responses about the objects of a network, and its features of them."""
    judged, found = (registry.load(name, source.profile) for name in (RESPONSES[0], network))
    own = set(found.ids)
    ids = [i for i in judged.ids if i in own]
    return judged.restrict(ids), found.align(ids)


def _repeated(source, ids) -> Triplets:
    """All answers to the repeated questions about some objects."""
    parts = [registry.load(name, source.profile).restrict(ids) for name in RESPONSES[1:]]
    rows = np.concatenate([p.triplets for p in parts])
    return Triplets(tuple(ids), rows, parts[0].source, parts[0].licence, "things/testset1+2")


def of_features(features: Features, answers, stage: str, human=None, **common) -> Measured:
    """One map of one network, tested on people's responses. Every map has strength .1.

    Untransformed features (rows of length 1) are compared at the temperature that fits the training choices best.

    Parameters
    ----------
    features : Features
        m objects.
    answers : (Triplets, Triplets or None)
        Responses about these objects, in their order, and answers of several people to the same questions, needed where
        responses are not few.
    stage : str
        Key of ``STAGES``.
    human : array (m, d), optional
        Embedding that soft targets come from.
    **common
        Further columns: model, profile.

    Returns
    -------
    Measured
        Detail "held-out objects": object-wise cross-validation, three folds; fitted on judged triplets of training
        objects (soft targets of the same triplets), tested on responses about held-out objects. Detail "repeated
        triplets": fitted on all objects, without the questions that were repeated (test_10 repeats half of them),
        tested on people's repeated answers; measure "entropy-disagreement" is the Spearman correlation with people's
        response entropy. Where objects are few (too few judged triplets) maps are fitted to soft targets of random
        triplets. Detail "same objects, other responses": no object is held out. Detail "a held-out object in each
        triplet": ten folds; the map is fitted to triplets of training objects and tested on the responses that hold at
        least one other object, up to three times each.

    Raises
    ------
    HumalignError
        When an object of a test is in training.
    """
    choices, again = answers
    x, kind = np.asarray(features.values, np.float32), STAGES[stage][0]
    rows = Rows(stage=stage, layer=features.layer, source=IN_SAMPLE, **common)
    if len(choices) < FEW:
        _of_few(rows, x, choices, kind, human)
        return rows.measured()
    held = np.full((len(choices), 3), np.nan)
    for member in object_folds(len(x), FOLDS, SEED):
        inside, outside = partition_masks(choices.triplets, member)
        own = choices.triplets[inside]
        if np.isin(own, choices.triplets[outside]).any():
            raise HumalignError(f"an object of the test is in training ({features.model}, {stage})")
        held[outside] = odd_one_out.probabilities(_fit(x, kind, own, own, human), choices.triplets[outside])
    tested = np.isfinite(held[:, 0])
    _add(rows, held[tested], choices.select(tested), dataset=RESPONSES[0], detail=HELD_OUT)
    own = choices.triplets[~np.isin(questions(choices.triplets), questions(again.triplets))]
    similarity = _fit(x, kind, own, own, human)
    p = odd_one_out.probabilities(similarity, again.triplets)
    _add(rows, p, again, similarity, dataset=again.name, detail=REPEATED)
    return rows.measured()


def _of_few(rows: Rows, x, choices, kind, human) -> None:
    """Results of one map of a network with few objects: fitted on all of them, and with some of them held out."""
    ids, asked = np.arange(len(x)), choices.triplets
    similarity = _fit(x, kind, asked, _random_rows(ids), human)
    _add(rows, odd_one_out.probabilities(similarity, asked), choices, dataset=RESPONSES[0], detail=SAME)
    tested, chances = [], []
    for member in object_folds(len(x), FOLDS_FEW, SEED):
        outside = np.flatnonzero(~member[asked].all(1))
        inside = np.setdiff1d(np.arange(len(asked)), outside)
        similarity = _fit(x, kind, asked[inside], _random_rows(ids[member]), human)
        tested.append(outside)
        chances.append(odd_one_out.probabilities(similarity, asked[outside]))
    tested = choices.select(np.concatenate(tested))
    _add(rows, np.concatenate(chances), tested, dataset=RESPONSES[0], detail=PARTLY)


def measure(source: Source, networks=tuple(NETWORKS), stages=tuple(STAGES)) -> Measured:
    """Teachers on real features, tested on people's responses: :func:`of_features`, map by map kept in the cache.

    Parameters
    ----------
    source : Source
    networks : sequence of str
        Data sets of features. Where too few responses are about their objects, maps with hard targets are left out.
    stages : sequence of str
        Keys of ``STAGES``.

    Raises
    ------
    MissingData
        When a file is not there.
    """
    load = partial(registry.load, profile=source.profile)
    sums = [load(name).checksum for name in (*EMBEDDINGS.values(), *RESPONSES)]
    parts = []
    for network in networks:
        choices, found = _judged(source, network)
        again = _repeated(source, choices.ids) if len(choices) >= FEW else None  # few objects: no such question
        shown = [s for s in stages if again is not None or STAGES[s][0] not in ("plain", "glocal")]
        for stage in tqdm(shown, desc=NETWORKS.get(network, network), unit="map", leave=False):

            def make(stage=stage, network=network, answers=(choices, again), found=found):
                human = STAGES[stage][1] and load(EMBEDDINGS[STAGES[stage][1]]).align(found.ids).values
                return of_features(found, answers, stage, human, model=network, profile=source.profile.name)

            inputs = [[STRENGTH, FOLDS, SEED, RANDOM, network, stage, load(network).checksum], sums]
            parts.append(kept(source.profile, f"real-teacher-{network}-{stage}", VERSION, inputs, make))
    return combine(*parts)


def references(source: Source, networks=tuple(NETWORKS)) -> pd.DataFrame:
    """What the same tests give for the human embeddings themselves, and what people leave open.

    Returns
    -------
    DataFrame
        Result rows with the model, dataset and detail of the tests of :func:`of_features`. Stages "VICE itself" and
        "SPoSE itself": softmax of dot products, no network (in-sample). Stage "people", repeated triplets only:
        "accuracy" is the leave-one-out ceiling, "cross-entropy" the mean entropy of the answers to a question (what a
        model that knew their shares would reach; too low where answers are few).
    """
    rows = Rows(source=IN_SAMPLE, profile=source.profile.name)
    for network in networks:
        choices, found = _judged(source, network)
        ids = choices.ids
        if len(choices) < FEW:
            tests = {SAME: choices}
        else:  # the same responses as the maps are tested on
            folds = object_folds(len(ids), FOLDS, SEED)
            tested = np.any([partition_masks(choices.triplets, member)[1] for member in folds], axis=0)
            tests = {HELD_OUT: choices.select(tested), REPEATED: _repeated(source, ids)}
        for detail, test in tests.items():
            dataset, again = (test.name, True) if detail == REPEATED else (RESPONSES[0], False)
            where = {"dataset": dataset, "detail": detail, "model": network, "layer": found.layer}
            for name, embedding in EMBEDDINGS.items():
                similarity = similarity_matrix(registry.load(embedding, source.profile).align(ids).values, "dot")
                p = odd_one_out.probabilities(similarity, test.triplets)
                _add(rows, p, test, similarity if again else None, stage=f"{name} itself", **where)
            if again:
                counts = odd_one_out.response_counts(test.triplets)[1]
                entropy = odd_one_out.entropy(counts / counts.sum(1, keepdims=True))
                people = {"accuracy": odd_one_out.noise_ceiling(test.triplets, "leave-one-out"),
                          "cross-entropy": float(np.average(entropy, weights=counts.sum(1)))}  # fmt: skip
                for measure, value in people.items():
                    rows.add(measure=measure, value=value, draws=NONE, n=len(counts), stage="people", **where)
    return rows.measured().table


def _real(source: Source) -> dict:
    """Teachers and references in one result table."""
    return {"teacher": results.combine(measure(source).table, references(source))}


PUBLIC = recording.Study("alignet", frozenset(NEEDED), ("teacher",), VERSION, _real, live=False)


def real(source: Source) -> tuple[pd.DataFrame, str]:
    """Teachers on real people as they were recorded, and when."""
    found = PUBLIC.tables(source.profile)
    return found["teacher"], found.when


# ---- tables and numbers ----------------------------------------------------------------------------------------------


def real_table(table: pd.DataFrame) -> pd.DataFrame:
    """Teachers on real people for display: a row a network, test and map, a column a measure with interval in words."""

    text = [show.number(v, (low, high) if np.isfinite(low) else None).text()
            for v, low, high in table[["value", "low", "high"]].to_numpy()]  # fmt: skip
    known = table.assign(text=text, model=table["model"].map(NETWORKS))
    keys = ["model", "detail", "stage", "provenance"]
    out = known.pivot_table(index=keys, columns="measure", values="text", aggfunc="first", sort=False)
    out["n"] = known[known["measure"] == "accuracy"].groupby(keys, sort=False)["n"].first().astype(int)
    order = {name: k for k, name in enumerate(NETWORKS.values())}
    out = out.reset_index().sort_values(
        ["model", "detail"], key=lambda c: c.map(order) if c.name == "model" else c, kind="stable"
    )
    out = out[["model", "detail", "stage", *(m for m in MEASURES if m in out), "n", "provenance"]].fillna("–")
    return out.rename(columns={"model": "network", "detail": "test", "stage": "map"}).reset_index(drop=True)


def numbers(table: pd.DataFrame, when: str) -> dict:
    """Numbers of the prose, by key: held-out accuracy and cross-entropy of CLIP ViT-B/32 before and after.

    Parameters
    ----------
    table, when
        :func:`real`.
    """
    own = table[(table["detail"] == HELD_OUT)].set_index(["stage", "measure"])
    out = {"te_when": when}
    for key, stage in (("before", "untransformed"), ("vice", "uncertainty, VICE"), ("plain", "plain")):
        for short, measure in (("accuracy", "accuracy"), ("surprise", "cross-entropy")):
            row = own.loc[stage, measure]
            out[f"te_{key}_{short}"] = show.number(row["value"], (row["low"], row["high"]), row["provenance"])
    return out
