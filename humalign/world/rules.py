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
    from . import labels

    concepts = list(world().concepts)
    target = observers.authored_values()
    taxonomy, names = labels.matrix(concepts)
    shared = taxonomy[:, [n not in concepts for n in names]].astype(float)
    coarse = np.array([labels.superordinate(c) for c in concepts])
    one_hot = (coarse[:, None] == np.unique(coarse)[None]).astype(float)

    superordinate, full = adjusted(one_hot, target), adjusted(shared, target)
    values = observers.concept_values()
    row = {c: k for k, c in enumerate(concepts)}
    order = [row[observers.permutation()[c]] for c in concepts]
    rho, null = mantel(shared, values, permutations)
    control = mantel(shared, values[order])[0]
    upper = np.triu_indices(len(concepts), 1)
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


def adjusted(design: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Adjusted R2 of each column of ``target`` (n, d) on a design (n, k) with a constant: (d,)."""
    basis = np.linalg.svd(np.c_[np.ones(len(design)), design], full_matrices=False)
    basis = basis[0][:, basis[1] > 1e-9 * basis[1][0]]
    rest = target - basis @ (basis.T @ target)
    unexplained = (rest**2).sum(0) / ((target - target.mean(0)) ** 2).sum(0)
    return 1 - unexplained * (len(design) - 1) / (len(design) - basis.shape[1])


def mantel(labels: np.ndarray, values: np.ndarray, permutations: int = 0) -> tuple[float, list[float]]:
    """Spearman correlation of the dissimilarities of concepts in labels and in what people see.

    Parameters
    ----------
    labels : (n, k) of 0 and 1
        Every concept with at least one; their dissimilarity is Jaccard's.
    values : (n, d)
        Their dissimilarity is one minus the cosine.
    permutations : int

    Returns
    -------
    float, and the list of its values where the concepts of the labels are permuted
    """
    from scipy.stats import rankdata

    common = labels @ labels.T
    jaccard = 1 - common / (labels.sum(1)[:, None] + labels.sum(1) - common)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    upper = np.triu_indices(len(labels), 1)

    def ranks(rdm):
        r = rankdata(rdm[upper])
        return (r - r.mean()) / r.std()

    told = np.zeros_like(jaccard)
    told[upper] = ranks(jaccard)
    told, seen, rng, null = told + told.T, ranks(1 - unit @ unit.T), stimuli.generator("overlap"), []
    for _ in range(permutations):
        order = rng.permutation(len(labels))
        null.append(float((told[np.ix_(order, order)][upper] * seen).mean()))
    return float((told[upper] * seen).mean()), null


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the taxonomy that is left as it is


def rewired_overlap(profile) -> dict:
    """How far each rewired taxonomy, and THINGS' 27 categories, contain what people attend to.

    Parameters
    ----------
    profile : Profile
        With the real data folder, for THINGS; without it that row is missing.

    Returns
    -------
    dict
        Label set to ``mantel`` (:func:`mantel`) and ``r2`` (mean of :func:`adjusted`): taxonomies over the seen
        concepts and the observers' dimensions; THINGS' categories, over the concepts that have one, and SPoSE-49.
    """
    from ..data import registry
    from . import labels, splits

    concepts = list(splits.concepts_of("seen"))
    rows = [k for k, c in enumerate(world().concepts) if c in set(concepts)]
    values, authored, out = observers.concept_values()[rows], observers.authored_values()[rows], {}
    authored = authored[:, authored.std(0) > 0]
    for share in SHARES:
        found, names = labels.rewired(concepts, share)
        shared = found[:, [n not in labels.hierarchy() for n in names]].astype(float)
        out[f"taxonomy, {share:.0%} left"] = {
            "mantel": mantel(shared, values)[0], "r2": float(adjusted(shared, authored).mean())
        }  # fmt: skip
    real = profile.with_(name="slice")
    if {"things/categories_27", "things/spose_49"} <= set(registry.available(real)):
        told = registry.load("things/categories_27", real)
        spose = registry.load("things/spose_49", real).align(told.index[told.any(axis=1)]).values
        told = told[told.any(axis=1)].to_numpy(float)
        out["THINGS, 27 categories, and SPoSE-49"] = {
            "mantel": mantel(told, spose)[0], "r2": float(adjusted(told, spose).mean())
        }  # fmt: skip
    return out


def naming(profile, pictures: int = 20) -> dict:
    """Share of the test pictures that a linear probe of trivial descriptions names, as networks are probed.

    Parameters
    ----------
    profile : Profile
        Keeps the drawn pictures.
    pictures : int
        Training pictures of each concept.

    Returns
    -------
    dict
        Description (:func:`humalign.features.simple.descriptions`, of 32 pixels) to accuracy.
    """
    from .fitting import linear_probe

    train, test = (stimuli.images(split, 32, profile) for split in ("train", "test"))
    train = train.align([i for i in train.ids if int(i.rpartition("train")[2]) < pictures])
    number = {c: k for k, c in enumerate(world().concepts)}
    y, z = ([number[c] for c in s.concepts] for s in (train, test))
    tested = descriptions(test.images)
    return {name: linear_probe(x, y, tested[name], z) for name, x in descriptions(train.images).items()}
