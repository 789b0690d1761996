"""The teacher on real people's choices: maps of CLIP features, tested on responses they were not fitted to."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from .. import odd_one_out, resample, results
from .. import record as recording
from ..alignet import teacher
from ..cache import kept
from ..calibration import expected_calibration_error
from ..chapters.real_data import questions
from ..config import Profile
from ..data import registry
from ..data.types import Features, Triplets
from ..errors import HumalignError
from ..probing import object_folds, partition_masks
from ..results import LEVEL, Measured, combine, interval
from ..similarity import similarity_matrix

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
VERSION = 1  # of the tables that are kept: goes up when their numbers change
FEW = 5000  # judged triplets below which maps are fitted on random ones
MEASURES = ("accuracy", "cross-entropy", "calibration error", "entropy", "entropy-disagreement")


def _targets(human: np.ndarray, rows: np.ndarray):
    return teacher.soft_targets(human, rows)


def _map(x, rows, kind, human, extra=None):
    """Transformed features, and the temperature-free similarities of a stage."""
    if kind == "untransformed":
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        return unit
    own = rows if extra is None else extra
    targets = None if human is None else _targets(human, own)
    return teacher.fit(x, own, targets, kind, STRENGTH).apply(x)


def _similarity(z, kind, rows):
    """Dot products; untransformed ones at the scale that fits the training choices best."""
    similarity = similarity_matrix(z, "dot")
    if kind != "untransformed":
        return similarity
    from ..calibration import fit_temperature

    return similarity / fit_temperature(similarity, rows)


def _random_rows(members: np.ndarray, n: int, seed: int) -> np.ndarray:
    from ..alignet.sampling import sample

    return members[sample(n, "random", len(members), rng=np.random.default_rng(seed))]


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


def real_teacher(profile: Profile, networks=tuple(NETWORKS), stages=tuple(STAGES)) -> Measured:
    """Teachers on real features, tested on people's responses (profile slice or full).

    Every map has strength .1. Untransformed features (rows of length 1) are compared at the temperature that fits the
    training choices best.

    Parameters
    ----------
    profile : Profile
    networks : sequence of str
        Data sets of features.
    stages : sequence of str
        Keys of ``STAGES``.

    Returns
    -------
    Measured
        Dataset "things/test_10_id", detail "held-out objects": object-wise cross-validation, three folds; fitted on
        judged triplets of training objects (soft targets of the same triplets), tested on responses about held-out
        objects. Dataset "things/testset1+2", detail "repeated triplets": fitted on all objects, without the questions
        of these sets (test_10 repeats half of them), tested on people's repeated answers; measure
        "entropy-disagreement" is the Spearman correlation with people's response entropy.
        For features of few objects (too few judged triplets) the maps with soft targets are fitted on random triplets,
        and those with hard ones are left out. Detail "same objects, other responses": no object is held out. Detail "a
        held-out object in each triplet": ten folds; the map is fitted to triplets of training objects and tested on
        the responses that hold at least one other object, up to three times each.
    """
    from tqdm import tqdm

    sources = [registry.load(name, profile).checksum for name in (*EMBEDDINGS.values(), *RESPONSES)]
    parts = []
    for network in networks:
        for stage in tqdm(stages, desc=NETWORKS.get(network, network), unit="map", leave=False):
            about = [STRENGTH, FOLDS, SEED, RANDOM, network, stage, registry.load(network, profile).checksum]
            name = "real-teacher-" + "".join(c if c.isalnum() else "-" for c in f"{network}-{stage}".lower())
            if not (few(profile, network) and STAGES[stage][0] in ("plain", "glocal")):
                make = partial(_of_map, profile, network, stage)
                parts.append(kept(profile, name, VERSION, [about, sources], make))
    return combine(*parts)


def few(profile: Profile, network: str) -> bool:
    """Whether too few judged triplets are about the objects of a network to fit a map to them."""
    return len(_judged(profile, network)[0]) < FEW


def _judged(profile, network) -> tuple[Triplets, Features]:
    """Responses about the objects of a network, and its features of them."""
    judged, features = registry.load(RESPONSES[0], profile), registry.load(network, profile)
    own = set(features.ids)
    ids = [i for i in judged.ids if i in own]
    return judged.restrict(ids), features.align(ids)


def _repeated(profile, ids) -> Triplets:
    """All answers to the repeated questions about some objects."""
    parts = [registry.load(name, profile).restrict(ids) for name in RESPONSES[1:]]
    rows = np.concatenate([p.triplets for p in parts])
    return Triplets(tuple(ids), rows, parts[0].source, parts[0].licence, "things/testset1+2")


def _of_map(profile, network, stage) -> Measured:
    """Results of one map of one network."""
    choices, features = _judged(profile, network)
    x, ids = np.asarray(features.values, np.float32), choices.ids
    kind, name = STAGES[stage]
    soft = None if name is None else registry.load(EMBEDDINGS[name], profile).align(ids).values
    common = {"model": network, "stage": stage, "layer": features.layer}
    if few(profile, network):
        return _of_few(profile, x, choices, kind, soft, common)
    held = np.full((len(choices), 3), np.nan)
    for member in object_folds(len(ids), FOLDS, SEED):
        inside, outside = partition_masks(choices.triplets, member)
        own = choices.triplets[inside]
        if np.isin(own, choices.triplets[outside]).any():
            raise HumalignError(f"an object of the test is in training ({network}, {stage})")
        similarity = _similarity(_map(x, own, kind, soft), kind, own)
        held[outside] = odd_one_out.probabilities(similarity, choices.triplets[outside])
    tested = np.isfinite(held[:, 0])
    where = {"dataset": RESPONSES[0], "detail": HELD_OUT, **common}
    rows, draws = _rows_of(held[tested], choices.select(tested), **where)
    again = _repeated(profile, ids)
    own = choices.triplets[~np.isin(questions(choices.triplets), questions(again.triplets))]
    similarity = _similarity(_map(x, own, kind, soft), kind, own)
    where = {"dataset": again.name, "detail": REPEATED, **common}
    new = _rows_of(odd_one_out.probabilities(similarity, again.triplets), again, **where)
    rows, draws = rows + new[0], draws + new[1]
    value, drawn, n = disagreement(similarity, again)
    rows.append(dict(measure="entropy-disagreement", value=value, n=n, **where))
    return _measured(profile, rows, [*draws, drawn])


def _of_few(profile, x, choices, kind, soft, common) -> Measured:
    """Results of one map of a network with few objects: fitted on all of them, and with some of them held out."""
    ids = np.arange(len(x))
    similarity = _similarity(
        _map(x, choices.triplets, kind, soft, _random_rows(ids, RANDOM, SEED)), kind, choices.triplets
    )
    where = {"dataset": RESPONSES[0], "detail": SAME, **common}
    rows, draws = _rows_of(odd_one_out.probabilities(similarity, choices.triplets), choices, **where)
    tested, found = [], []
    for member in object_folds(len(x), FOLDS_FEW, SEED):
        outside = np.flatnonzero(~member[choices.triplets].all(1))
        inside = np.setdiff1d(np.arange(len(choices)), outside)
        some = _random_rows(ids[member], RANDOM, SEED)
        similarity = _similarity(_map(x, some, kind, soft), kind, choices.triplets[inside])
        tested.append(outside)
        found.append(odd_one_out.probabilities(similarity, choices.triplets[outside]))
    where = {"dataset": RESPONSES[0], "detail": PARTLY, **common}
    new = _rows_of(np.concatenate(found), choices.select(np.concatenate(tested)), **where)
    return _measured(profile, rows + new[0], draws + new[1])


def _measured(profile, rows, draws) -> Measured:
    table = results.table(rows, profile=profile.name, source=IN_SAMPLE)
    drawn = np.stack(draws).astype(np.float32)
    table["low"], table["high"] = interval(drawn, LEVEL)
    return Measured(table, drawn)


def references(profile: Profile, networks=tuple(NETWORKS)) -> pd.DataFrame:
    """What the same tests give for the human embeddings themselves, and what people leave open.

    Returns
    -------
    DataFrame
        Result rows with the model, dataset and detail of the tests of :func:`real_teacher`. Stages "VICE itself" and
        "SPoSE itself": softmax of dot products, no network (in-sample). Stage "people", repeated triplets only:
        "accuracy" is the leave-one-out ceiling, "cross-entropy" the mean entropy of the answers to a question (what a
        model that knew their shares would reach; too low where answers are few).
    """
    rows, draws = [], []
    for network in networks:
        choices, features = _judged(profile, network)
        ids = choices.ids
        if few(profile, network):
            tests = {SAME: choices}
        else:  # the same responses as the maps are tested on
            folds = object_folds(len(ids), FOLDS, SEED)
            tested = np.any([partition_masks(choices.triplets, member)[1] for member in folds], axis=0)
            tests = {HELD_OUT: choices.select(tested), REPEATED: _repeated(profile, ids)}
        for detail, test in tests.items():
            where = {"dataset": "things/testset1+2" if detail == REPEATED else RESPONSES[0], "detail": detail}
            common = {**where, "model": network, "layer": features.layer}
            for name, dataset in EMBEDDINGS.items():
                similarity = similarity_matrix(registry.load(dataset, profile).align(ids).values, "dot")
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
    return _measured(profile, rows, draws).table


def _tables(source) -> dict:
    """Teachers and references in one result table."""
    return {"teacher": combine(real_teacher(source.profile).table, references(source.profile))}


NEEDED = frozenset({*NETWORKS, *EMBEDDINGS.values(), *RESPONSES})
PUBLIC = recording.Study("alignet", NEEDED, ("teacher",), VERSION, _tables)


def table(profile: Profile) -> tuple[pd.DataFrame, str]:
    """Teachers on real people, and when they were computed; see :meth:`humalign.record.Study.tables`."""
    found = PUBLIC.tables(profile)
    return found["teacher"], found.when


def wide(found: pd.DataFrame) -> pd.DataFrame:
    """The table for display: one row a network, test and map, one column a measure with its interval in words."""

    def words(row):
        if not np.isfinite(row["low"]):
            return f"{row['value']:.3f}"
        return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"

    text = found.assign(text=found.apply(words, axis=1), model=found["model"].map(NETWORKS))
    keys = ["model", "detail", "stage", "provenance"]
    out = text.pivot_table(index=keys, columns="measure", values="text", aggfunc="first", sort=False).reset_index()
    n = found[found["measure"] == "accuracy"].groupby([found["model"].map(NETWORKS), "detail", "stage"])["n"].first()
    out["n"] = [int(n[m, d, s]) for m, d, s in zip(out["model"], out["detail"], out["stage"])]
    measures = [m for m in MEASURES if m in out]
    order = {name: k for k, name in enumerate(NETWORKS.values())}
    out = out.sort_values(["model", "detail"], key=lambda c: c.map(order) if c.name == "model" else c, kind="stable")
    named = {"model": "network", "detail": "test", "stage": "map"}
    out = out[["model", "detail", "stage", *measures, "n", "provenance"]].fillna("–")
    return out.rename(columns=named).reset_index(drop=True)


def headline(found: pd.DataFrame) -> dict:
    """Numbers for the prose: held-out accuracy and cross-entropy of CLIP ViT-B/32 before and after, key to number."""
    from .. import show

    own = found[(found["detail"] == HELD_OUT)].set_index(["stage", "measure"])
    out = {}
    for key, stage in (("before", "untransformed"), ("vice", "uncertainty, VICE"), ("plain", "plain")):
        for short, measure in (("accuracy", "accuracy"), ("surprise", "cross-entropy")):
            row = own.loc[stage, measure]
            out[f"{key}_{short}"] = show.number(row["value"], (row["low"], row["high"]), row["provenance"])
    return out
