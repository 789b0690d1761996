"""What features are good for besides human judgments: few-shot transfer, shift, restricted heads, anomalies.

Closed-form ridge classifiers throughout, so that results depend on features and draws alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from .errors import InputError

STRENGTHS = tuple(2.0**k for k in range(6, 11))
SHIFT_STRENGTHS = tuple(2.0**k for k in range(-4, 11, 2))
BIAS = 100.0


def _features(values, where) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"has shape {values.shape} or NaN", where, "give finite features (n, p)")
    return values


class Ridge:
    """One-against-all ridge regression on standardised features, as few-shot evaluators of large models use it.

    Features are standardised by the training mean and standard deviation (+1e-5), a constant column of 100 plays the
    bias, targets are -1 and +1, and W = (X'X + strength I)^-1 X'Y. The smaller of the primal and the dual system is
    solved.

    Parameters
    ----------
    strength : float
        Added to the diagonal; the published grid is 2^6 to 2^10.

    Notes
    -----
    Closed form as in the few-shot evaluators of google-research/big_vision.
    """

    def __init__(self, strength: float = STRENGTHS[-1]):
        if not strength > 0:
            raise InputError(f"strength {strength} is not above 0", "ridge", "give a positive number")
        self.strength = float(strength)

    def fit(self, features, labels) -> Ridge:
        """Fit on features (n, p) and labels (n,)."""
        x = _features(features, "features")
        labels = np.asarray(labels)
        self.classes, codes = np.unique(labels, return_inverse=True)
        if len(labels) != len(x) or len(self.classes) < 2:
            raise InputError(f"{len(labels)} labels of {len(self.classes)} classes for {len(x)} rows", "ridge",
                             "give one label per row and at least two classes")  # fmt: skip
        self.mean, self.std = x.mean(0), x.std(0) + 1e-5
        x = self._design(x)
        y = np.full((len(x), len(self.classes)), -1.0)
        y[np.arange(len(x)), codes] = 1.0
        n, p = x.shape
        if n < p:
            self.weights = x.T @ np.linalg.solve(x @ x.T + self.strength * np.eye(n), y)
        else:
            self.weights = np.linalg.solve(x.T @ x + self.strength * np.eye(p), x.T @ y)
        return self

    def _design(self, x):
        return np.concatenate([(x - self.mean) / self.std, np.full((len(x), 1), BIAS)], axis=1)

    def scores(self, features) -> np.ndarray:
        """Score of each class, (n, classes)."""
        return self._design(_features(features, "features")) @ self.weights

    def predict(self, features) -> np.ndarray:
        """Label of the class with the highest score, (n,)."""
        return self.classes[self.scores(features).argmax(1)]


def draw_shots(labels, shots: int, seed: int, pool=None) -> np.ndarray:
    """Row numbers of ``shots`` examples of every class, drawn without replacement.

    Parameters
    ----------
    labels : array (n,)
    shots, seed : int
    pool : bool array (n,), optional
        Rows that examples may come from, such as the official training part (default: all).

    Raises
    ------
    InputError
        When a class has too few examples (without ``pool`` one must be left to test on), or none in the pool.
    """
    labels = np.asarray(labels)
    inside = np.arange(len(labels)) if pool is None else np.flatnonzero(pool)
    order = inside[np.random.default_rng(seed).permutation(len(inside))]
    frame = pd.DataFrame({"label": labels[order], "row": order})
    small = frame["label"].value_counts().reindex(pd.unique(pd.Series(labels)), fill_value=0)
    most = small.min() - (pool is None)
    if most < shots:
        raise InputError(f"class '{small.idxmin()}' has only {small.min()} examples", "few-shot",
                         f"lower the number of shots to {most} or less")  # fmt: skip
    return np.sort(frame.groupby("label").head(shots)["row"].to_numpy())


def few_shot(
    features, labels, shots: int = 1, *, seeds=range(20), strength: float = STRENGTHS[-1], pool=None
) -> pd.DataFrame:
    """Few-shot classification: ridge on ``shots`` examples a class, tested on all others.

    Parameters
    ----------
    features : float array (n, p)
    labels : array (n,)
    shots : int
    seeds : iterable of int
        One draw of examples each; the same draws for every network that is compared.
    strength : float
        See :class:`Ridge`.
    pool : bool array (n,), optional
        Rows that examples are drawn from; all other rows, some of every class, are the test set, in every draw.
        Default: drawn from all.

    Returns
    -------
    DataFrame
        label, accuracy (mean over draws), n (test examples a draw): one row a class.
    """
    labels = np.asarray(labels)
    if pool is not None:
        pool = np.asarray(pool, bool)
        if pool.shape != labels.shape:
            raise InputError(f"pool has shape {pool.shape} for {len(labels)} rows", "few-shot", "give one a row")
        if untested := sorted(set(labels.tolist()) - set(labels[~pool].tolist()), key=str):
            raise InputError(f"class '{untested[0]}' has no examples outside the pool", "few-shot",
                             "leave some of every class to test on")  # fmt: skip
    hits = pd.DataFrame({"label": labels, "hit": 0.0, "tests": 0})
    seeds = list(seeds)
    for seed in seeds:
        train = draw_shots(labels, shots, seed, pool)
        test = np.setdiff1d(np.arange(len(labels)), train) if pool is None else np.flatnonzero(~pool)
        predicted = Ridge(strength).fit(features[train], labels[train]).predict(features[test])
        hits.loc[test, "hit"] += predicted == labels[test]
        hits.loc[test, "tests"] += 1
    table = hits.groupby("label", sort=False)[["hit", "tests"]].sum()
    return pd.DataFrame({"label": table.index, "accuracy": (table["hit"] / table["tests"]).to_numpy(),
                         "n": (table["tests"] / len(seeds)).to_numpy()})  # fmt: skip


def nearest_centroid(features, labels, shots: int = 1, *, seeds=range(20)) -> np.ndarray:
    """Classification by the nearest mean of a few examples: how often each row is told right when it is no example.

    Features are centred on all rows and scaled to length 1; the class whose examples have the mean with the highest
    cosine wins.

    Parameters
    ----------
    features : float array (n, p)
    labels : array (n,)
    shots : int
        Examples of each class.
    seeds : iterable of int
        One draw of examples each; the same draws for every network that is compared.

    Returns
    -------
    float array (n,)
        NaN for a row that was an example in every draw.
    """
    x, labels = _features(features, "features"), np.asarray(labels)
    x = x - x.mean(0)
    x /= np.linalg.norm(x, axis=1, keepdims=True) + 1e-12
    classes, codes = np.unique(labels, return_inverse=True)
    hits, tests = np.zeros(len(x)), np.zeros(len(x))
    for seed in seeds:
        train = draw_shots(labels, shots, seed)
        centres = np.stack([x[train[codes[train] == k]].mean(0) for k in range(len(classes))])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True) + 1e-12
        test = np.setdiff1d(np.arange(len(x)), train)
        hits[test] += (x[test] @ centres.T).argmax(1) == codes[test]
        tests[test] += 1
    with np.errstate(invalid="ignore"):
        return hits / np.where(tests > 0, tests, np.nan)


def shift(
    features, superclass, subclass, source, *, holdout: float = 0.25, seed: int = 0, strengths=SHIFT_STRENGTHS
) -> pd.DataFrame:
    """Subpopulation shift: learn superclasses on some subclasses, test on unseen subclasses of the same superclasses.

    Parameters
    ----------
    features : float array (n, p)
    superclass, subclass : array (n,)
    source : collection
        Subclasses to learn from; all others are the target.
    holdout : float
        Share of every source subclass kept for the source accuracy.
    seed : int
        Of the draw of examples.
    strengths : sequence of float
        Ridge strengths; the best on a validation quarter of the training rows is used. The target is never looked at.

    Returns
    -------
    DataFrame
        population ("source", "target"), superclass, subclass, accuracy, n: one row a subclass.

    Raises
    ------
    InputError
        When a superclass has no source or no target subclass.

    Notes
    -----
    Protocol of BREEDS (Santurkar et al. 2021).
    """
    superclass, subclass, is_source = _sides(superclass, subclass, source)
    train, held = _split(np.flatnonzero(is_source), subclass, holdout, seed)
    fitting, validation = _split(train, subclass, 0.25, seed + 1)
    accuracy = [
        (
            Ridge(s).fit(features[fitting], superclass[fitting]).predict(features[validation]) == superclass[validation]
        ).mean()
        for s in strengths
    ]
    model = Ridge(strengths[int(np.argmax(accuracy))]).fit(features[train], superclass[train])
    return _populations(model.predict, features, superclass, subclass, held, np.flatnonzero(~is_source))


def shift_of_head(
    head: StreamedRidge, features, superclass, subclass, source, strengths, *, holdout: float = 0.25, seed: int = 0
) -> pd.DataFrame:
    """Subpopulation shift of a classifier that learned the superclasses elsewhere, as on training images.

    Parameters
    ----------
    head : StreamedRidge
        Has seen rows of the source subclasses; its classes are the superclasses.
    features, superclass, subclass, source
        Of the pictures that test it, as for :func:`shift`.
    strengths : sequence of float
        Ridge strengths; one is chosen on source pictures, the target is never looked at.
    holdout : float
        Share of every source subclass that chooses the strength, and does not count for the source accuracy.
    seed : int
        Of the draw of that share.

    Returns
    -------
    DataFrame
        As :func:`shift`.

    Raises
    ------
    InputError
        When a superclass has no source or no target subclass.
    """
    superclass, subclass, is_source = _sides(superclass, subclass, source)
    features = _features(features, "features")
    held, choosing = _split(np.flatnonzero(is_source), subclass, holdout, seed)

    def predict(x, strength):
        return head.classes[head.scores(x, strength).argmax(1)]

    right = [(predict(features[choosing], s) == superclass[choosing]).mean() for s in strengths]
    best = strengths[int(np.argmax(right))]
    return _populations(lambda x: predict(x, best), features, superclass, subclass, held, np.flatnonzero(~is_source))


def _sides(superclass, subclass, source):
    """Superclasses, subclasses, and which rows are of the source; InputError where a superclass lacks a side."""
    superclass, subclass = np.asarray(superclass), np.asarray(subclass)
    is_source = np.isin(subclass, list(source))
    for name in np.unique(superclass):
        inside = is_source[superclass == name]
        if inside.all() or not inside.any():
            kind = "target" if inside.all() else "source"
            raise InputError(f"superclass '{name}' has no {kind} subclass", "shift", "leave it out or split it")
    return superclass, subclass, is_source


def _populations(predict, features, superclass, subclass, held, target) -> pd.DataFrame:
    """Accuracy of a classifier on held-out source rows and on target rows, one row a subclass."""
    out = []
    for population, index in (("source", held), ("target", target)):
        right = predict(features[index]) == superclass[index]
        frame = pd.DataFrame({"superclass": superclass[index], "subclass": subclass[index], "right": right})
        grouped = frame.groupby(["superclass", "subclass"], sort=True)["right"].agg(["mean", "size"]).reset_index()
        grouped.insert(0, "population", population)
        out.append(grouped.rename(columns={"mean": "accuracy", "size": "n"}))
    return pd.concat(out, ignore_index=True)


def _split(rows, labels, share: float, seed: int):
    """Rows with ``share`` of every label held out (at least one each): the rest, the held-out."""
    rows = np.random.default_rng(seed).permutation(rows)
    frame = pd.DataFrame({"row": rows, "label": labels[rows]})
    rank = frame.groupby("label").cumcount()
    size = frame.groupby("label")["row"].transform("size")
    held = (rank < np.maximum(1, np.round(share * size))).to_numpy()
    return rows[~held], rows[held]


class StreamedRidge:
    """The classifier of :class:`Ridge` for more rows than fit into memory: sums over batches, then a closed form.

    The sums of x, of x x' and of x by class are all that is kept. Standardising and centring are done on the sums, so
    that the constant column separates from the others: W = (Z'Z + strength I)^-1 Z'Y with Z the standardised features,
    and 100 (sum of Y) / (100^2 n + strength) for the constant column.

    Parameters
    ----------
    classes : sequence
        All labels, in the order of the scores.
    """

    def __init__(self, classes):
        self.classes = np.asarray(classes)
        if len(self.classes) < 2 or len(set(self.classes.tolist())) != len(self.classes):
            raise InputError(f"{len(self.classes)} classes, or one of them twice", "ridge", "name each of several once")
        self._place = {name: k for k, name in enumerate(self.classes.tolist())}
        self.n = 0
        self.sum: Any = None
        self._solved: Any = None

    def add(self, features, labels) -> StreamedRidge:
        """Add a batch: features (n, p), labels (n,)."""
        x = _features(features, "features")
        if strange := sorted({name for name in labels if name not in self._place}, key=str):
            raise InputError(f"label {strange[0]} is not among the classes", "ridge", "name all classes at the start")
        codes = np.array([self._place[name] for name in labels], np.intp)
        if len(codes) != len(x):
            raise InputError(f"{len(codes)} labels for {len(x)} rows", "ridge", "give one label per row")
        if self.sum is None:
            p, k = x.shape[1], len(self.classes)
            self.sum, self.products = np.zeros(p), np.zeros((p, p))
            self.by_class, self.counts = np.zeros((k, p)), np.zeros(k)
        self._check_width(x)
        self.n += len(x)
        self.sum += x.sum(0)
        self.products += x.T @ x
        self.by_class += sparse.csr_array((np.ones(len(x)), (codes, np.arange(len(x)))), (len(self.counts), len(x))) @ x
        self.counts += np.bincount(codes, minlength=len(self.counts))
        self._solved = None
        return self

    def _check_width(self, x) -> None:
        if x.shape[1] != len(self.sum):
            raise InputError(f"features are {x.shape[1]} wide, not {len(self.sum)}", "ridge", "take one layer for all")

    def _decomposed(self):
        if self._solved is None:
            mean = self.sum / self.n
            cross = self.products - self.n * np.outer(mean, mean)
            std = np.sqrt(np.maximum(np.diag(cross), 0) / self.n) + 1e-5
            targets = 2 * (self.by_class - np.outer(self.counts, mean)).T / std[:, None]  # Z'Y; Z'1 is zero
            values, vectors = np.linalg.eigh(cross / np.outer(std, std))
            self._solved = mean, std, np.maximum(values, 0), vectors, vectors.T @ targets
        return self._solved

    def scores(self, features, strength: float) -> np.ndarray:
        """Score of each class at a strength of the ridge, (n, classes)."""
        if not self.n:
            raise InputError("has seen no rows", "ridge", "add batches first")
        x = _features(features, "features")
        self._check_width(x)
        mean, std, values, vectors, targets = self._decomposed()
        weights = vectors @ (targets / (values + strength)[:, None])
        bias = BIAS**2 * (2 * self.counts - self.n) / (BIAS**2 * self.n + strength)
        return ((x - mean) / std) @ weights + bias


def restricted_choices(scores, classes) -> np.ndarray:
    """The class with the highest score among those that may be answered, as for ImageNet-A.

    Parameters
    ----------
    scores : float array (n, c)
        Scores of all classes of the head.
    classes : sequence of int
        The classes that may be answered.

    Returns
    -------
    int array (n,)
    """
    scores, classes = np.asarray(scores), np.asarray(sorted(classes))
    return classes[scores[:, classes].argmax(1)]


def anomaly_scores(train, test, k: int = 5) -> np.ndarray:
    """Mean cosine distance to the k nearest training rows: higher is more anomalous, (n,)."""
    unit = [(v := _features(x, "features")) / (np.linalg.norm(v, axis=1, keepdims=True) + 1e-12) for x in (train, test)]
    if not 1 <= k <= len(unit[0]):
        raise InputError(f"k = {k} for {len(unit[0])} training rows", "anomaly", "choose k between 1 and that number")
    similarity = unit[1] @ unit[0].T
    nearest = np.partition(similarity, similarity.shape[1] - k, axis=1)[:, -k:]
    return 1 - nearest.mean(1)


def half_of_each(classes, superclass, seed: int = 0) -> np.ndarray:
    """Rows of half of the classes of every superclass, bool (n,), for what is known where new ones are sought.

    Parameters
    ----------
    classes, superclass : array (n,)
    seed : int
        Of the draw. Of an odd number the smaller half is taken.
    """
    classes, superclass = np.asarray(classes), np.asarray(superclass)
    generator, known = np.random.default_rng(seed), []
    for one in np.unique(superclass):
        names = generator.permutation(np.unique(classes[superclass == one]))
        known += list(names[: len(names) // 2])
    return np.isin(classes, known)


def anomaly_detection(train, train_labels, test, test_labels, k: int = 5) -> pd.DataFrame:
    """One class against the rest: AUROC of :func:`anomaly_scores` with each class in turn as the normal one.

    Returns
    -------
    DataFrame
        label, auroc, n (normal test rows): one row a class with normal and odd test rows. Chance is .5.

    Raises
    ------
    InputError
        When no class has both.
    """
    from sklearn.metrics import roc_auc_score

    train, test = np.asarray(train), np.asarray(test)
    train_labels, test_labels = np.asarray(train_labels), np.asarray(test_labels)
    rows = []
    for label in np.unique(train_labels):
        scores = anomaly_scores(train[train_labels == label], test, min(k, int((train_labels == label).sum())))
        odd = test_labels != label
        if odd.all() or not odd.any():
            continue
        rows.append({"label": label, "auroc": float(roc_auc_score(odd, scores)), "n": int((~odd).sum())})
    if not rows:
        raise InputError("no class has normal and odd test rows", "anomaly", "test with rows of the classes to learn")
    return pd.DataFrame(rows)
