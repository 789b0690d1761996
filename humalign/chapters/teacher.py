"""The teacher: maps of a frozen network's features that agree with people; fitted to drawn people and to real ones."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import odd_one_out, resample, results, show
from .. import record as recording
from ..alignet import teacher as maps
from ..arrays import one_of
from ..cache import kept
from ..calibration import expected_calibration_error, fit_temperature
from ..data import registry
from ..data.types import Features, Triplets
from ..errors import HumalignError
from ..probing import object_folds, partition_masks, transform
from ..results import LEVEL, Measured, combine, interval
from ..similarity import similarity_matrix
from ..source import Source
from ..zoo import small
from .real_data import questions

ROLES, OPTIONAL = (), ()  # teachers of the drawn world; data sets of real people by name, see NEEDED
VERSION = 1  # of what is kept: goes up when its numbers change
STRENGTH = 0.1  # fixed in advance for every map, in the middle of the range .03 to .3 that worked for another map
FOLDS, SEED = 3, 42
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
RESPONSES = ("things/test_10_id", "things/testset1", "things/testset2")
HELD_OUT, REPEATED = "held-out objects", "repeated triplets"
SAME, PARTLY = "same objects, other responses", "a held-out object in each triplet"
FOLDS_FEW = 10  # where objects are few
FEW = 5000  # judged triplets below which maps are fitted on random ones
MEASURES = ("accuracy", "cross-entropy", "calibration error", "entropy", "entropy-disagreement")
NEEDED = (*NETWORKS, *EMBEDDINGS.values(), *RESPONSES)
TEACHER = "teacher-web"  # the network of the drawn world whose features are mapped
JUDGED = 30_000  # soft-labelled triplets of things pictures that a map of the drawn world is fitted on
STRENGTHS = (0.01, 0.1, 1.0)
KINDS = ("uncertainty", "plain", "glocal")  # of maps that are cross-validated

# ---- teachers of the drawn world -------------------------------------------------------------------------------------


def concepts(part: str) -> tuple[str, ...]:
    """Concepts of a part of the concept split; also "without H2"."""
    from ..world.splits import concepts_of

    return tuple(sorted(concepts_of("seen") + concepts_of("H1"))) if part == "without H2" else concepts_of(part)


def state(source: Source, network: str, seed: int = 0) -> list[str]:
    """What the features of a network of the drawn world, or of a teacher network, depend on, for cache keys."""
    from ..world import stimuli

    return [small.facts(network, seed, source.profile)["sha256"], stimuli.drawings_digest()]


def features(source: Source, network: str, split: str, seed: int = 0) -> np.ndarray:
    """Penultimate features of a network of the drawn world, or of a teacher network, for a split of its pictures.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str
        Of the zoo, or a teacher network (:data:`humalign.zoo.small.TEACHERS`).
    split : {"train", "test", "things", "cichy", "king1", "king2"}
    seed : int
        Training run.

    Returns
    -------
    float32 array (m, p)
    """
    from ..features import extract
    from ..world import stimuli

    profile = source.profile

    def make():
        model, shown = small.load(network, seed, profile=profile), stimuli.images(split, small.SIDE, profile)
        return {"values": extract(model, shown, device="cpu", progress=False)["penultimate"].values}

    name = f"teacher-features-{network}.s{seed}-{split}"
    return kept(profile, name, VERSION, state(source, network, seed), make)["values"]


def judged_triplets(part: str, n: int = JUDGED) -> np.ndarray:
    """Random triplets of things pictures of three different concepts of a part of the split: int (n, 3)."""
    from ..world.datasets import random_triplets
    from ..world.stimuli import concept_of, generator, split_ids

    names = np.array([concept_of(i) for i in split_ids("things")])
    rows = np.flatnonzero(np.isin(names, concepts(part)))
    codes = np.unique(names[rows], return_inverse=True)[1]
    return rows[random_triplets(codes, n, generator(f"alignet/teacher/{part}"))]


def choices(part: str) -> np.ndarray:
    """Hard choices: the people's answers to things triplets whose three concepts belong to a part of the split."""
    from ..world.datasets import things

    data = things("train")
    inside = np.isin(np.array(data.concepts), concepts(part))
    return data.triplets[inside[data.triplets].all(1)]


def fitted(
    source: Source,
    network: str = TEACHER,
    kind: str = "uncertainty",
    part: str = "seen",
    strength: float = STRENGTH,
    seed: int = 0,
) -> maps.Teacher:
    """A teacher fitted to the drawn people, kept in the cache.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str
        Network whose features are mapped: a teacher network, or one of the zoo.
    kind : {"uncertainty", "plain", "glocal", "untransformed"}
        "untransformed" is centred and scaled until its labels are as sure as those of "uncertainty".
    part : {"seen", "all"}
        Concepts that people judged.
    strength : float
    seed : int
        Of the network.
    """
    from ..world.datasets import embedding
    from ..world.observers import PARAMETERS, SCALE

    one_of(kind, maps.KINDS, "kind")
    name = f"mini:{network}" + (f":{seed}" if seed else "")
    judged = len(choices(part)) if kind == "plain" else JUDGED
    meta = {"judged": part, "strength": strength, "triplets": judged}
    if kind == "untransformed":
        plain = features(source, network, "train", seed)
        aligned = fitted(source, network, "uncertainty", part, strength, seed).apply(plain)
        return maps.Teacher(name, kind, maps.scaled_to(plain, aligned), meta)

    def make():
        x = features(source, network, "things", seed)
        if kind == "uncertainty":
            rows = judged_triplets(part)
            made = maps.fit(x, rows, maps.soft_targets(embedding().values, rows), kind, strength)
        else:
            more = {"reference": features(source, network, "train", seed)[::16]} if kind == "glocal" else {}
            made = maps.fit(x, choices(part), None, kind, strength, **more)
        return {"weights": made.weights, "mean": np.array([made.mean]), "std": np.array([made.std]), "bias": made.bias}

    inputs = [maps.SOLVER, state(source, network, seed), part, strength, JUDGED, SCALE, PARAMETERS]
    found = kept(source.profile, f"teacher-{network}.s{seed}-{kind}", VERSION, inputs, make)
    return maps.Teacher(name, kind, transform.LinearTransform(**found), meta)


def strengths(source: Source, network: str = TEACHER) -> pd.DataFrame:
    """Object-wise cross-validation of three kinds of maps over strengths, drawn people; folds over concepts.

    Parameters
    ----------
    source : Source
        The drawn world.
    network : str

    Returns
    -------
    DataFrame
        kind, strength, measure, value (mean of three folds), low, high (range), and the kind "untransformed" at the
        temperature that fits best (strength NaN).
    """
    inputs = state(source, network)
    return kept(source.profile, "alignet-strengths", VERSION, inputs, lambda: _strengths(source, network))


def _strengths(source, network) -> pd.DataFrame:
    from ..world.datasets import embedding, things

    x, choices = features(source, network, "things"), things("train")
    rows = choices.triplets[::3]
    targets = maps.soft_targets(embedding().values, rows)
    groups = np.unique(choices.concepts, return_inverse=True)[1]
    parts = []
    for kind in tqdm(KINDS, desc="maps", leave=False):
        own = targets if kind == "uncertainty" else None
        parts.append(maps.cross_validate(x, rows, own, kind, STRENGTHS, groups=groups).assign(kind=kind))
    similarity = similarity_matrix(x, "cosine")
    plain = []
    for fold, member in enumerate(object_folds(len(x), 3, 42, groups)):
        inside, outside = partition_masks(rows, member)
        fitted = similarity / fit_temperature(similarity, rows[inside])
        found = maps.scores(fitted, rows[outside])
        plain += [dict(fold=fold, strength=np.nan, measure=k, value=v, kind="untransformed") for k, v in found.items()]
    table = pd.concat([*parts, pd.DataFrame(plain)], ignore_index=True)
    grouped = table.groupby(["kind", "strength", "measure"], sort=False, dropna=False)["value"]
    return grouped.agg(value="mean", low="min", high="max").reset_index()


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


def _rows_of(p: np.ndarray, triplets: Triplets, **common) -> tuple[list, list]:
    """Accuracy, cross-entropy, entropy and calibration error of probabilities, with draws over concepts."""
    right = ((p[:, 0] > p[:, 1]) & (p[:, 0] > p[:, 2])).astype(np.float32)
    surprise = -np.log(np.maximum(p[:, 0], 1e-12))
    values = {"accuracy": right, "cross-entropy": surprise, "entropy": odd_one_out.entropy(p)}
    rows, draws = [], []
    for name, scores in values.items():
        value, drawn = resample.triplet_means(scores, triplets.triplets, triplets.concepts)
        rows.append(dict(measure=name, value=value, n=len(p), **common))
        draws.append(drawn)
    rows.append(dict(measure="calibration error", value=float(expected_calibration_error(p)), n=len(p), **common))
    draws.append(np.full(resample.DRAWS, np.nan, np.float32))
    return rows, draws


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
        return float("nan"), np.full(resample.DRAWS, np.nan), len(objects)
    share = counts / counts.sum(1, keepdims=True)
    people = odd_one_out.entropy(share)
    model = odd_one_out.entropy(odd_one_out.probabilities(similarity, objects))
    drawn = resample.counts(len(objects)).astype(np.float64)
    value = resample.spearman(model, people, np.ones((len(objects), 1)))[0]
    return float(value), resample.spearman(model, people, drawn), len(objects)


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
    common = {"stage": stage, "layer": features.layer, **common}
    if len(choices) < FEW:
        return _of_few(x, choices, kind, human, common)
    held = np.full((len(choices), 3), np.nan)
    for member in object_folds(len(x), FOLDS, SEED):
        inside, outside = partition_masks(choices.triplets, member)
        own = choices.triplets[inside]
        if np.isin(own, choices.triplets[outside]).any():
            raise HumalignError(f"an object of the test is in training ({features.model}, {stage})")
        held[outside] = odd_one_out.probabilities(_fit(x, kind, own, own, human), choices.triplets[outside])
    tested = np.isfinite(held[:, 0])
    where = {"dataset": RESPONSES[0], "detail": HELD_OUT, **common}
    rows, draws = _rows_of(held[tested], choices.select(tested), **where)
    own = choices.triplets[~np.isin(questions(choices.triplets), questions(again.triplets))]
    similarity = _fit(x, kind, own, own, human)
    where = {"dataset": again.name, "detail": REPEATED, **common}
    new = _rows_of(odd_one_out.probabilities(similarity, again.triplets), again, **where)
    rows, draws = rows + new[0], draws + new[1]
    value, drawn, n = disagreement(similarity, again)
    rows.append(dict(measure="entropy-disagreement", value=value, n=n, **where))
    return _measured(rows, [*draws, drawn])


def _of_few(x, choices, kind, human, common) -> Measured:
    """Results of one map of a network with few objects: fitted on all of them, and with some of them held out."""
    ids, rows = np.arange(len(x)), choices.triplets
    similarity = _fit(x, kind, rows, _random_rows(ids), human)
    where = {"dataset": RESPONSES[0], "detail": SAME, **common}
    found, draws = _rows_of(odd_one_out.probabilities(similarity, rows), choices, **where)
    tested, chances = [], []
    for member in object_folds(len(x), FOLDS_FEW, SEED):
        outside = np.flatnonzero(~member[rows].all(1))
        inside = np.setdiff1d(np.arange(len(rows)), outside)
        similarity = _fit(x, kind, rows[inside], _random_rows(ids[member]), human)
        tested.append(outside)
        chances.append(odd_one_out.probabilities(similarity, rows[outside]))
    where = {"dataset": RESPONSES[0], "detail": PARTLY, **common}
    new = _rows_of(np.concatenate(chances), choices.select(np.concatenate(tested)), **where)
    return _measured(found + new[0], draws + new[1])


def _measured(rows, draws) -> Measured:
    table = results.table(rows, source=IN_SAMPLE)
    drawn = np.stack(draws).astype(np.float32)
    table["low"], table["high"] = interval(drawn, LEVEL)
    return Measured(table, drawn)


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
    rows, draws, whose = [], [], {"profile": source.profile.name}
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
            where = {"dataset": "things/testset1+2" if detail == REPEATED else RESPONSES[0], "detail": detail}
            common = {**where, **whose, "model": network, "layer": found.layer}
            for name, dataset in EMBEDDINGS.items():
                similarity = similarity_matrix(registry.load(dataset, source.profile).align(ids).values, "dot")
                p = odd_one_out.probabilities(similarity, test.triplets)
                new = _rows_of(p, test, stage=f"{name} itself", **common)
                rows, draws = rows + new[0], draws + new[1]
                if detail == REPEATED:
                    value, drawn, n = disagreement(similarity, test)
                    rows.append(
                        dict(measure="entropy-disagreement", value=value, n=n, stage=f"{name} itself", **common)
                    )
                    draws.append(drawn)
            if detail == REPEATED:
                counts = odd_one_out.response_counts(test.triplets)[1]
                entropy = odd_one_out.entropy(counts / counts.sum(1, keepdims=True))
                people = {"accuracy": odd_one_out.noise_ceiling(test.triplets, "leave-one-out"),
                          "cross-entropy": float(np.average(entropy, weights=counts.sum(1)))}  # fmt: skip
                for measure, value in people.items():
                    rows.append(dict(measure=measure, value=value, n=len(counts), stage="people", **common))
                    draws.append(np.full(resample.DRAWS, np.nan))
    return _measured(rows, draws).table


def _real(source: Source) -> dict:
    """Teachers and references in one result table."""
    return {"teacher": results.combine(measure(source).table, references(source))}


PUBLIC = recording.Study("alignet", frozenset(NEEDED), ("teacher",), VERSION, _real, live=False)


def real(source: Source) -> tuple[pd.DataFrame, str]:
    """Teachers on real people as they were recorded, and when."""
    found = PUBLIC.tables(source.profile)
    return found["teacher"], found.when


# ---- tables and numbers ----------------------------------------------------------------------------------------------


def strength_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of map and strength, one column a measure: mean over folds; of :func:`strengths`."""
    found = table[table["kind"] != "untransformed"]
    return found.pivot_table(index=["kind", "strength"], columns="measure", values="value").reset_index()


def real_table(table: pd.DataFrame) -> pd.DataFrame:
    """Teachers on real people for display: a row a network, test and map, a column a measure with interval in words."""

    def words(row):
        if not np.isfinite(row["low"]):
            return f"{row['value']:.3f}"
        return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"

    text = table.assign(text=table.apply(words, axis=1), model=table["model"].map(NETWORKS))
    keys = ["model", "detail", "stage", "provenance"]
    out = text.pivot_table(index=keys, columns="measure", values="text", aggfunc="first", sort=False).reset_index()
    n = table[table["measure"] == "accuracy"].groupby([table["model"].map(NETWORKS), "detail", "stage"])["n"].first()
    out["n"] = [int(n[m, d, s]) for m, d, s in zip(out["model"], out["detail"], out["stage"])]
    measures = [m for m in MEASURES if m in out]
    order = {name: k for k, name in enumerate(NETWORKS.values())}
    out = out.sort_values(["model", "detail"], key=lambda c: c.map(order) if c.name == "model" else c, kind="stable")
    named = {"model": "network", "detail": "test", "stage": "map"}
    out = out[["model", "detail", "stage", *measures, "n", "provenance"]].fillna("–")
    return out.rename(columns=named).reset_index(drop=True)


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
