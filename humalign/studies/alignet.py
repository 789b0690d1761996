"""AligNet: the teacher on real choices, and the recorded runs of students in the drawn world."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .. import odd_one_out, results
from ..alignet import teacher
from ..calibration import expected_calibration_error
from ..config import Profile
from ..data import registry
from ..data.types import Triplets
from ..errors import MissingData
from ..measured import LEVEL, Measured, interval
from ..probing import object_folds, partition_masks
from ..similarity import similarity_matrix
from . import keep, resampling
from .real import questions

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
TEACHER = "alignet_teacher.csv"
RUNS, LOG, DIAGNOSIS = "alignet_runs.csv", "alignet_log.csv", "alignet_diagnosis.csv"


def recorded_path(name: str) -> Path:
    """A recorded table that comes with the package."""
    return Path(str(resources.files("humalign").joinpath("recorded", name)))


# ---- the teacher on real choices -------------------------------------------------------------------------------------


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
        value, drawn = resampling.means(scores[None], triplets)
        rows.append(dict(measure=name, value=float(value[0]), n=len(p), **common))
        draws.append(drawn[0])
    rows.append(dict(measure="calibration error", value=float(expected_calibration_error(p)), n=len(p), **common))
    draws.append(np.full(resampling.DRAWS, np.nan, np.float32))
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
    from ..alignet.measure import spearman

    objects, counts, _ = odd_one_out.response_counts(triplets.triplets)
    enough = counts.sum(1) >= least
    objects, counts = objects[enough], counts[enough]
    if len(objects) < 10:
        return float("nan"), np.full(resampling.DRAWS, np.nan), len(objects)
    share = counts / counts.sum(1, keepdims=True)
    people = odd_one_out.entropy(share)
    model = odd_one_out.entropy(odd_one_out.probabilities(similarity, objects))
    drawn = resampling.counts(len(objects)).astype(np.float64)
    return float(spearman(model, people, np.ones((len(objects), 1)))[0]), spearman(model, people, drawn), len(objects)


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
        those with hard ones are left out, and the test is on all responses about these objects.
    """
    parts = [["real teacher 2", STRENGTH, FOLDS, SEED, RANDOM, list(networks), list(stages)]]
    for name in (*networks, *EMBEDDINGS.values(), "things/test_10_id", "things/testset1", "things/testset2"):
        parts.append([name, registry.load(name, profile).checksum])
    parts.append(keep.code("studies.alignet", "alignet.teacher", "probing", "calibration", "odd_one_out"))
    return keep.measured(profile, "real-teacher", parts, lambda: _real_teacher(profile, networks, stages))


def _real_teacher(profile, networks, stages) -> Measured:
    from tqdm import tqdm

    rows, draws = [], []
    judged = registry.load("things/test_10_id", profile)
    for network in networks:
        features = registry.load(network, profile)
        ids = [i for i in judged.ids if i in set(features.ids)]
        x = np.asarray(features.align(ids).values, np.float32)
        human = {k: registry.load(v, profile).align(ids).values for k, v in EMBEDDINGS.items()}
        choices = judged.restrict(ids)
        repeated = [registry.load(f"things/testset{k}", profile).restrict(ids) for k in (1, 2)]
        few = len(choices) < 5000
        for stage in tqdm(stages, desc=NETWORKS.get(network, network), unit="map", leave=False):
            kind, name = STAGES[stage]
            if few and kind in ("plain", "glocal"):
                continue
            soft = None if name is None else human[name]
            common = {"model": network, "stage": stage, "layer": features.layer}
            if few:
                some = _random_rows(np.arange(len(ids)), RANDOM, SEED)
                z = _map(x, choices.triplets, kind, soft, some)
                similarity = _similarity(z, kind, choices.triplets)
                where = {"dataset": "things/test_10_id", "detail": "same objects, other responses", **common}
                new = _rows_of(odd_one_out.probabilities(similarity, choices.triplets), choices, **where)
                rows, draws = rows + new[0], draws + new[1]
                continue
            held = np.full((len(choices), 3), np.nan)
            for member in object_folds(len(ids), FOLDS, SEED):
                inside, outside = partition_masks(choices.triplets, member)
                own = choices.triplets[inside]
                similarity = _similarity(_map(x, own, kind, soft), kind, own)
                held[outside] = odd_one_out.probabilities(similarity, choices.triplets[outside])
            tested = np.isfinite(held[:, 0])
            where = {"dataset": "things/test_10_id", "detail": "held-out objects", **common}
            new = _rows_of(held[tested], choices.select(tested), **where)
            rows, draws = rows + new[0], draws + new[1]
            both = np.concatenate([r.triplets for r in repeated])
            own = choices.triplets[~np.isin(questions(choices.triplets), questions(both))]
            similarity = _similarity(_map(x, own, kind, soft), kind, own)
            again = Triplets(tuple(ids), both, judged.source, judged.licence, "things/testset1+2")
            where = {"dataset": "things/testset1+2", "detail": "repeated triplets", **common}
            new = _rows_of(odd_one_out.probabilities(similarity, again.triplets), again, **where)
            rows, draws = rows + new[0], draws + new[1]
            value, drawn, n = disagreement(similarity, again)
            rows.append(dict(measure="entropy-disagreement", value=value, n=n, **where))
            draws.append(drawn)
    table = results.table(rows, profile=profile.name, source=IN_SAMPLE)
    drawn = np.stack(draws).astype(np.float32)
    table["low"], table["high"] = interval(drawn, LEVEL)
    return Measured(table, drawn)


def record(profile: Profile, folder=None) -> list[Path]:
    """Compute :func:`real_teacher` and store it with the package, or in ``folder``; the files written."""
    table = real_teacher(profile).table.assign(provenance="recorded")
    path = recorded_path(TEACHER)
    return [results.write(table, path if folder is None else Path(folder) / path.name)]


def teacher_table(profile: Profile) -> pd.DataFrame:
    """The teacher's result table: live where the real data are at hand, recorded otherwise."""
    if profile.name != "mini":
        try:
            return real_teacher(profile).table
        except MissingData:
            pass
    return results.read(recorded_path(TEACHER), "recorded")


# ---- recorded runs of the drawn world --------------------------------------------------------------------------------


def runs() -> Measured:
    """All recorded alignment runs, with bootstrap draws over concepts.

    Raises
    ------
    MissingData
        When no run is recorded yet.
    """
    path = recorded_path(RUNS)
    if not path.is_file():
        raise MissingData("no run is recorded", "AligNet experiments", "python -m humalign.alignet.experiments")
    return Measured.load(path, "recorded")


def log() -> pd.DataFrame:
    """One line an experiment of the protocol: stage, model, seed, state (done, failed, not run), facts of training."""
    if not recorded_path(LOG).is_file():
        raise MissingData("no run is recorded", "AligNet experiments", "python -m humalign.alignet.experiments")
    return pd.read_csv(recorded_path(LOG))


def diagnosis() -> pd.DataFrame:
    """Recorded outcomes of the mistakes that ports make."""
    return results.read(recorded_path(DIAGNOSIS), "recorded")


def accuracy(measured: Measured, detail: str, dataset: str = "levels", measure: str = "accuracy") -> Measured:
    """Rows of one measure, for instance ``accuracy(runs(), "H2/coarse")``."""
    t = measured.table
    return measured.select(((t["dataset"] == dataset) & (t["measure"] == measure) & (t["detail"] == detail)).to_numpy())


def contrast(
    measured: Measured,
    plus: str,
    minus: str,
    detail: str,
    dataset: str = "levels",
    measure: str = "accuracy",
    models=None,
) -> pd.DataFrame:
    """Difference of two stages, network by network and on average; paired draws over concepts, mean over common seeds.

    Parameters
    ----------
    measured : Measured
    plus, minus : str
        Stages.
    detail, dataset, measure : str
    models : sequence of str, optional

    Returns
    -------
    DataFrame
        model ("all" last), value, low, high, seeds, detail, plus, minus.
    """
    part = accuracy(measured, detail, dataset, measure)
    index = {(r.stage, r.model, r.seed): i for i, r in enumerate(part.table.itertuples())}
    names = models or list(dict.fromkeys(m for s, m, _ in index if s == plus))
    rng, rows, every = np.random.default_rng(0), [], []
    values = part.table["value"].to_numpy()
    for model in names:
        seeds = sorted(s for stage, m, s in index if stage == plus and m == model and (minus, model, s) in index)
        if not seeds:
            continue
        i, j = ([index[stage, model, s] for s in seeds] for stage in (plus, minus))
        value, drawn = values[i] - values[j], part.draws[i] - part.draws[j]
        pick = rng.integers(len(seeds), size=(len(seeds), drawn.shape[1]))
        drawn = drawn[pick, np.arange(drawn.shape[1])].mean(0)
        every.append((value.mean(), drawn))
        low, high = interval(drawn)
        rows.append(dict(model=model, value=value.mean(), low=float(low), high=float(high), seeds=len(seeds)))
    if every:
        low, high = interval(np.mean([d for _, d in every], 0))
        rows.append(
            dict(
                model="all",
                value=np.mean([v for v, _ in every]),
                low=float(low),
                high=float(high),
                seeds=sum(r["seeds"] for r in rows),
            )
        )
    return pd.DataFrame(rows).assign(detail=detail, dataset=dataset, plus=plus, minus=minus)
