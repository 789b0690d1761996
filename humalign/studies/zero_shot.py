"""Zero-shot odd-one-out accuracy of every network, the ceilings that people set, and simple references."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import odd_one_out, resample, results
from ..cache import kept
from ..config import Profile
from ..data.types import Features, Triplets
from ..errors import MissingData
from ..results import Measured, combine
from ..roles import TRIPLETS
from ..similarity import similarity_matrix
from . import networks

KERNELS = ("cosine", "dot", "euclidean")
LAYERS = ("penultimate", "logits")
STAGE = "zero-shot"
VERSION = 1  # of the tables that are kept: goes up when their numbers change
LARGE = 8192  # objects; more are compared block by block


def scores(features: Features, triplets: dict[str, Triplets], kernel: str = "cosine") -> dict[str, np.ndarray]:
    """Whether the network picks the human odd one, triplet by triplet.

    Parameters
    ----------
    features : Features
        Rows for at least the objects of the triplets.
    triplets : dict of str to Triplets
        Data sets on the same objects.
    kernel : {"cosine", "dot", "euclidean", "pearson"}

    Returns
    -------
    dict of str to bool (n,)
    """
    first = next(iter(triplets.values()))
    values, aligned = features.align(first.ids).values, {n: part.align(first.ids) for n, part in triplets.items()}
    if len(values) > LARGE:
        return {name: in_blocks(values, part.triplets, kernel) for name, part in aligned.items()}
    similarity = similarity_matrix(values, kernel)
    return {name: odd_one_out.scores(similarity, part.triplets) == 1 for name, part in aligned.items()}


def in_blocks(values: np.ndarray, triplets: np.ndarray, kernel: str = "cosine", block: int = 512) -> np.ndarray:
    """The same for so many objects that the matrix of all their similarities would not fit: block after block.

    Parameters
    ----------
    values : array (m, p)
    triplets : int array (n, 3)

    Returns
    -------
    bool (n,)
    """
    out = np.empty(len(triplets), bool)
    for start in range(0, len(triplets), block):
        used, rows = np.unique(triplets[start : start + block], return_inverse=True)
        similarity = similarity_matrix(values[used], kernel)
        out[start : start + block] = odd_one_out.scores(similarity, rows.reshape(-1, 3)) == 1
    return out


def of_features(
    features, triplets: dict[str, Triplets], kernels=("cosine",), draws=resample.DRAWS, **common
) -> Measured:
    """Accuracy of each network, layer and kernel with bootstrap draws over concepts.

    Parameters
    ----------
    features : iterable of Features
        ``meta["seed"]`` is the seed of the training run (0 where not given).
    triplets : dict of str to Triplets
        Data sets on the same objects.
    kernels : tuple of str
    draws : int
    **common
        Further columns, for instance ``profile="mini"``.

    Returns
    -------
    Measured
        Measure "accuracy", stage "zero-shot", detail = kernel.
    """
    rows, right = [], {name: [] for name in triplets}
    for part in features:
        for kernel in kernels:
            rows.append(
                {"model": part.model, "seed": int(part.meta.get("seed", 0)), "layer": part.layer, "detail": kernel}
            )
            for name, values in scores(part, triplets, kernel).items():
                right[name].append(values)
    out = []
    for name, part in triplets.items():
        value, drawn = resample.triplet_means(np.stack(right[name]), part.triplets, part.concepts, draws)
        keys = {"dataset": name, "measure": "accuracy", "stage": STAGE, "n": len(part)}
        out.append(Measured.of([{**r, **keys, "value": v} for r, v in zip(rows, value)], drawn, **common))
    return combine(*out)


def measure(profile: Profile, seeds=(0,), datasets=TRIPLETS, models=None) -> Measured:
    """Zero-shot accuracy of the networks of a profile, with draws; kept in the cache.

    Three kernels on ``things`` and ``things-permuted``, cosine on ``coarse``. Of several data sets, those that are not
    at hand are left out (:meth:`humalign.source.Source.at_hand`); with none, MissingData says what is missing.

    Parameters
    ----------
    profile : Profile
    seeds : tuple of int
        Training runs.
    datasets : tuple of str
    models : list of str, optional
        Default: all.
    """
    datasets = networks.source(profile).at_hand(datasets)
    jobs = [(("things", "things-permuted"), KERNELS), (("coarse",), ("cosine",))]
    out = []
    for names, kernels in jobs:
        names = [n for n in names if n in datasets]
        if not names:
            continue
        triplets = {n: networks.source(profile).triplets(n) for n in names}
        state = networks.source(profile).state(names[0], models, seeds)
        parts = [state, kernels, [t.checksum for t in triplets.values()]]

        def make(names=names, kernels=kernels, triplets=triplets):
            features = networks.source(profile).features(names[0], LAYERS, models, seeds)
            features = tqdm(features, desc=f"accuracy on {names[0]}", unit="layer", leave=False)
            return of_features(features, triplets, kernels, profile=profile.name)

        out.append(kept(profile, f"zero-shot-{names[0]}", VERSION, parts, make))
    return combine(*out)


def references(profile: Profile, dataset: str = "things", draws: int = resample.DRAWS) -> pd.DataFrame:
    """Accuracy of simple descriptions of the pictures: pixels, colour histogram, category, people's dimensions.

    None of them is a network; the last two know what the pictures show.
    """
    triplets = networks.source(profile).triplets(dataset)
    made = []
    for part in networks.source(profile).descriptions(dataset, triplets.ids):
        similarity = similarity_matrix(part.values, "cosine")
        made.append((part.model, odd_one_out.scores(similarity, triplets.triplets, ties="fraction")))
    scores = np.stack([s for _, s in made])
    value, drawn = resample.triplet_means(scores, triplets.triplets, triplets.concepts, draws)
    rows = [
        {"dataset": dataset, "model": n, "stage": "reference", "measure": "accuracy", "detail": "cosine", "value": v}
        for (n, _), v in zip(made, value)
    ]
    return Measured.of(rows, drawn, profile=profile.name, n=len(triplets)).table


def by_kernel(measured: Measured, models: pd.DataFrame, dataset: str = "things") -> pd.DataFrame:
    """Mean accuracy of each training group, one row a group and layer, one column a kernel."""
    table = measured.table[(measured.table["dataset"] == dataset) & measured.table["detail"].isin(KERNELS)]
    table = table.assign(group=table["model"].map(models.set_index("model")["group"]))
    runs = table.groupby(["group", "model", "layer", "detail"])["value"].mean()  # a network counts once
    wide = runs.groupby(["group", "layer", "detail"]).mean().unstack().reindex(columns=list(KERNELS))
    known = [g for g in models["group"].unique() if g in wide.index.get_level_values(0)]
    order = [(g, layer) for g in known for layer in LAYERS if (g, layer) in wide.index]
    return wide.loc[order].rename_axis(columns=None).reset_index()


def predicted(profile: Profile, layer: str = "penultimate", models=None) -> Measured:
    """Accuracy on all triplets ("things") and on those that people's dimensions predict ("things-predicted").

    Cosine similarity; the second set is the one that the accuracies by dimension are about.
    """
    from . import concepts

    def make():
        part = concepts.partition(profile)
        sets = {"things": networks.source(profile).triplets(), "things-predicted": part.triplets}
        features = networks.source(profile).features("things", (layer,), models)
        return of_features(features, sets, profile=profile.name)

    parts = [networks.source(profile).state("things", models), layer, networks.source(profile).triplets().checksum]
    return kept(profile, "predicted", VERSION, [*parts, concepts.state(profile)], make)


def silent(profile: Profile, dataset: str = "things") -> float:
    """Share of the triplets of three categories, so that the category cannot decide; NaN outside the drawn world."""
    if profile.name != "mini":
        return float("nan")
    triplets = networks.source(profile).triplets(dataset)
    kind = networks.source(profile).pictures(dataset).align(triplets.ids).meta["kind"]
    label = np.asarray(kind)[triplets.triplets]
    pairs = ((0, 1), (0, 2), (1, 2))
    return float(np.mean(np.all([label[:, a] != label[:, b] for a, b in pairs], axis=0)))


def limit(ceilings: pd.DataFrame) -> float:
    """The line that the figures draw: "Bayes" where it is known, else "majority" (its estimate from answers)."""
    known = ceilings.set_index("detail")["value"]
    return float(known["Bayes"] if "Bayes" in known else known["majority"])


def _known(source):
    """Simulated people; None where people are real."""
    try:
        people = source.people("things")
    except MissingData:
        return None
    return people if people.known else None


@lru_cache(maxsize=4)
def ceilings(profile: Profile) -> pd.DataFrame:
    """What people leave open: ceilings of the odd-one-out task.

    Returns
    -------
    DataFrame
        A result table with model "people", stage "ceiling" and detail "majority" (largest share of answers to repeated
        triplets), "leave-one-out" (one answer against the majority of the others), and in the drawn world "Bayes" (the
        most likely answer of the group, from the observers themselves). In the full profile the first of the repeated
        test sets of THINGS that is at hand.
    """
    source = networks.source(profile)
    repeated = source.repeated("things")
    rows = [(kind, odd_one_out.noise_ceiling(repeated.triplets, kind), len(repeated))
            for kind in ("majority", "leave-one-out")]  # fmt: skip
    told = repeated.name
    people = _known(source)
    if people is not None:
        chances, told = people.probabilities, ""
        chances = chances[:: max(1, len(chances) // 20_000)]
        rows.append(("Bayes", chances.max(1).mean(), len(chances)))
    keys = {"dataset": "things", "model": "people", "stage": "ceiling", "measure": "accuracy"}
    rows = [{**keys, "detail": detail, "value": value, "n": n} for detail, value, n in rows]
    return results.table(rows, profile=profile.name, source=told)
