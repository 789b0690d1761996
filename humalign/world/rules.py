"""The rules that set the choice scale and the scene coupling, and what the drawn people and labels are like."""

from __future__ import annotations

import numpy as np

from ..features.simple import descriptions
from ..levels import exclude
from ..odd_one_out import softmax
from . import datasets, observers, stimuli
from .drawing import world

SCALES = tuple(round(0.80 + 0.02 * k, 2) for k in range(36))
KAPPAS = (0.0, 0.2, 0.4, 0.6, 0.8)
BAYES_TARGET = 0.672
HISTOGRAM_LIMIT = 0.370
CALIBRATION_TRIPLETS = 20_000


def choice_statistics(probabilities: np.ndarray, matrix: np.ndarray) -> dict:
    """What the scale rule looks at: (n, 3) choice probabilities and the (m, d) values they come from."""
    best = probabilities.max(1)
    return {
        "dimensions": int(matrix.shape[1]),
        "entries_above_.1": float((matrix > 0.1).sum(1).mean()),
        "density": float((matrix > 0.1).mean()),
        "bayes": float(best.mean()),
        "entropy": float(observers.entropy(probabilities).mean()),
        "share_p>.9": float((best > 0.9).mean()),
        "share_p<.4": float((best < 0.4).mean()),
    }


def _calibration_triplets():
    ids, shown, _ = datasets._things_design()
    return ids, shown[:CALIBRATION_TRIPLETS]


def calibrate_scale(scales=SCALES) -> dict:
    """Statistics of the main group at each scale; the rule takes the Bayes accuracy nearest .672."""
    ids, shown = _calibration_triplets()
    seen = observers.values(ids, scale=1.0)
    rows = {s: choice_statistics(observers.group_probabilities(seen, shown, scale=s), s * seen) for s in scales}
    chosen = min(rows, key=lambda s: (abs(rows[s]["bayes"] - BAYES_TARGET), s))
    return {"rows": rows, "chosen": chosen}


def vice_statistics(profile) -> dict:
    """The same statistics of VICE, read from the real embedding of 1,854 objects (profile with data).

    Raises
    ------
    MissingData
        When the profile has no data folder.
    """
    from ..errors import MissingData

    path = profile.data and profile.data / "things" / "embeddings" / "vice_42d.npy"
    if not path or not path.is_file():
        raise MissingData(
            "VICE is not at hand", path or "--data", "point HUMALIGN_DATA at the folder with the real data"
        )
    vice = np.maximum(np.load(path, allow_pickle=False).astype(float), 0)
    shown = datasets.random_triplets(np.arange(len(vice)), CALIBRATION_TRIPLETS, stimuli.generator("calibration/vice"))
    return choice_statistics(softmax(observers.pair_similarities(vice, shown)), vice)


def zero_shot(features: np.ndarray, triplets: np.ndarray) -> float:
    """Share of triplets whose first two rows have the highest cosine of centred features."""
    centred = features - features.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-12
    gram = centred @ centred.T
    i, j, k = triplets.T
    return float(np.mean((gram[i, j] > gram[i, k]) & (gram[i, j] > gram[j, k])))


def calibrate_kappa(kappas=KAPPAS) -> dict:
    """Accuracy of trivial features at each scene coupling; the rule: the largest with the histogram at most .370."""
    choices = datasets.things().triplets
    ids = stimuli.split_ids("things")
    rows = {}
    for kappa in kappas:
        pixels, _ = stimuli.draw_ids(ids, 32, kappa, workers=1, progress=False)
        rows[kappa] = {name: zero_shot(f, choices) for name, f in descriptions(pixels).items()}
    allowed = [k for k in rows if rows[k]["colour histogram"] <= HISTOGRAM_LIMIT]
    return {"rows": rows, "chosen": max(allowed) if allowed else None}


def calibrate(profile) -> dict:
    """Both rules and the VICE statistics (about 15 s); no network enters.

    Parameters
    ----------
    profile : Profile
        With the real data folder, for VICE; without it that row is missing.
    """
    out = {"scale": calibrate_scale(), "kappa": calibrate_kappa()}
    if profile.data is not None:
        out["vice"] = vice_statistics(profile)
    return out


def observed() -> dict:
    """Properties of the frozen data: ceilings, repeat agreement, levels, response times, control group."""
    from scipy.stats import spearmanr

    ids, shown = _calibration_triplets()
    seen = observers.values(ids)
    bayes = observers.group_probabilities(seen, shown)
    triplets, control = datasets.things(), datasets.permuted()
    gram = seen @ seen.T
    best = {name: _best(gram, t.triplets) for name, t in {"main": triplets, "control": control}.items()}
    first, again = datasets.things_repeated(), datasets.things_repeated(again=True)
    levels = datasets.levels()
    level_seen = observers.values(levels.ids)
    rows = {}
    for level in datasets.LEVELS:
        own = levels.triplets[levels.level == level]
        p = observers.group_probabilities(level_seen, own[:3000])
        rho = spearmanr(observers.entropy(p), np.log(levels.response_times[levels.level == level][:3000])).statistic
        rows[level] = {"trials": len(own), "bayes": float(p.max(1).mean()), "rt_entropy_spearman": float(rho)}
    sessions = datasets.levels_sessions()
    return {
        "bayes": float(bayes.max(1).mean()),
        "accuracy_of_group_mean": best["main"],
        "control_vs_main_values": best["control"],
        "repeat_agreement": float((first.triplets[:, 2] == again.triplets[:, 2]).mean()),
        "median_seconds": float(np.median(triplets.response_times)),
        "levels": rows,
        "levels_people": int(sessions["participant"].nunique()),
        "levels_excluded": int((~exclude(sessions)[1]["kept"]).sum()),
        "arrangement_split_half": {name: _split_half(datasets.arrangement(name).rdm) for name in stimuli.ARRANGEMENTS},
    }


def _best(gram, triplets) -> float:
    i, j, k = triplets.T
    return float(np.mean((gram[i, j] > gram[i, k]) & (gram[i, j] > gram[j, k])))


def _split_half(rdm) -> float:
    from scipy.stats import spearmanr

    upper = np.triu_indices(rdm.shape[1], 1)
    return float(spearmanr(rdm[::2].mean(0)[upper], rdm[1::2].mean(0)[upper]).statistic)


def overlap(permutations: int = 999) -> dict:
    """How far the label taxonomy already contains what the observers attend to.

    Returns
    -------
    dict
        ``dimensions``: name -> adjusted R2 of the authored values (198 concepts) on one-hot superordinates, and on the
        superordinates plus hypernyms of the label taxonomy; ``mean_r2``; ``mantel``: Spearman correlation between the
        concept dissimilarities of the labels (Jaccard) and those of the observers (cosine of their values), with its
        permutation p; ``mantel_control``: the same for the permuted taxonomy; ``purity``: share of superordinate pairs
        that both files put together.
    """
    from scipy.stats import rankdata

    from . import labels

    concepts = list(world().concepts)
    target = observers.authored_values()
    taxonomy, names = labels.matrix(concepts)
    shared = taxonomy[:, [n not in concepts for n in names]].astype(float)
    coarse = np.array([labels.superordinate(c) for c in concepts])
    one_hot = (coarse[:, None] == np.unique(coarse)[None]).astype(float)

    def adjusted(design):
        basis = np.linalg.svd(np.c_[np.ones(len(design)), design], full_matrices=False)
        basis = basis[0][:, basis[1] > 1e-9 * basis[1][0]]
        rest = target - basis @ (basis.T @ target)
        unexplained = (rest**2).sum(0) / ((target - target.mean(0)) ** 2).sum(0)
        return 1 - unexplained * (len(design) - 1) / (len(design) - basis.shape[1])

    superordinate, full = adjusted(one_hot), adjusted(shared)
    common = shared @ shared.T
    jaccard = 1 - common / (shared.sum(1)[:, None] + shared.sum(1) - common)
    values = observers.concept_values()
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    seen = 1 - unit @ unit.T
    upper = np.triu_indices(len(concepts), 1)

    def ranks(rdm):
        r = rankdata(rdm[upper])
        return (r - r.mean()) / r.std()

    label_ranks = np.zeros_like(jaccard)
    label_ranks[upper] = ranks(jaccard)
    label_ranks += label_ranks.T
    other = ranks(seen)
    rng = stimuli.generator("overlap")
    rho = float((label_ranks[upper] * other).mean())
    null = []
    for _ in range(permutations):
        order = rng.permutation(len(concepts))
        null.append((label_ranks[np.ix_(order, order)][upper] * other).mean())
    row = {c: k for k, c in enumerate(concepts)}
    order = [row[observers.permutation()[c]] for c in concepts]
    control = float((label_ranks[upper] * ranks(seen[np.ix_(order, order)])).mean())
    drawn = np.array([world().superordinate[c] for c in concepts])
    same = (drawn[:, None] == drawn)[upper]
    told = (coarse[:, None] == coarse)[upper]
    dimensions = observers.dimension_names()[: target.shape[1]]
    return {
        "dimensions": {
            n: {"superordinate": float(a), "taxonomy": float(b)} for n, a, b in zip(dimensions, superordinate, full)
        },
        "mean_r2": {"superordinate": float(superordinate.mean()), "taxonomy": float(full.mean())},
        "mantel": rho,
        "mantel_p": float((1 + sum(n >= rho for n in null)) / (1 + permutations)),
        "mantel_control": control,
        "purity": float((same & told).sum() / (same | told).sum()),
    }
