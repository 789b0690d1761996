"""What features are good for besides human judgments: few-shot transfer, shift, restricted heads, anomalies.

Closed-form ridge classifiers throughout, so that results depend on features and draws alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

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


def draw_shots(labels, shots: int, seed: int) -> np.ndarray:
    """Row numbers of ``shots`` examples of every class, drawn without replacement.

    Raises
    ------
    InputError
        When a class has fewer examples than ``shots`` + 1 (one must be left to test on).
    """
    labels = np.asarray(labels)
    order = np.random.default_rng(seed).permutation(len(labels))
    frame = pd.DataFrame({"label": labels[order], "row": order})
    if (small := frame["label"].value_counts()).min() <= shots:
        raise InputError(f"class '{small.idxmin()}' has only {small.min()} examples", "few-shot",
                         f"lower the number of shots below {small.min()}")  # fmt: skip
    return np.sort(frame.groupby("label").head(shots)["row"].to_numpy())


def few_shot(features, labels, shots: int = 1, *, seeds=range(20), strength: float = STRENGTHS[-1]) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        label, accuracy (mean over draws), n (test examples a draw): one row a class.
    """
    labels = np.asarray(labels)
    hits = pd.DataFrame({"label": labels, "hit": 0.0, "tests": 0})
    seeds = list(seeds)
    for seed in seeds:
        train = draw_shots(labels, shots, seed)
        test = np.setdiff1d(np.arange(len(labels)), train)
        predicted = Ridge(strength).fit(features[train], labels[train]).predict(features[test])
        hits.loc[test, "hit"] += predicted == labels[test]
        hits.loc[test, "tests"] += 1
    table = hits.groupby("label", sort=False)[["hit", "tests"]].sum()
    return pd.DataFrame({"label": table.index, "accuracy": (table["hit"] / table["tests"]).to_numpy(),
                         "n": (table["tests"] / len(seeds)).to_numpy()})  # fmt: skip


def nearest_shot(features, labels, *, seeds=range(20), centre=None) -> pd.DataFrame:
    """One-shot classification by cosine similarity to the single example of each class.

    Parameters
    ----------
    features : float array (n, p)
    labels : array (n,)
    seeds : iterable of int
    centre : float array (p,), optional
        Subtracted first (for instance the mean over a reference set).

    Returns
    -------
    DataFrame
        label, accuracy, n: one row a class.
    """
    x = _features(features, "features") - (0 if centre is None else np.asarray(centre))
    x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12)
    labels = np.asarray(labels)
    classes = pd.unique(pd.Series(labels))
    hit, tests = np.zeros(len(labels)), np.zeros(len(labels))
    for seed in seeds:
        shot = draw_shots(labels, 1, seed)
        test = np.setdiff1d(np.arange(len(labels)), shot)
        predicted = labels[shot][(x[test] @ x[shot].T).argmax(1)]
        hit[test] += predicted == labels[test]
        tests[test] += 1
    own = [labels == c for c in classes]
    accuracy = [hit[rows].sum() / tests[rows].sum() for rows in own]
    return pd.DataFrame({"label": classes, "accuracy": accuracy, "n": [int(rows.sum()) - 1 for rows in own]})


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
    superclass, subclass = np.asarray(superclass), np.asarray(subclass)
    is_source = np.isin(subclass, list(source))
    for name in np.unique(superclass):
        inside = is_source[superclass == name]
        if inside.all() or not inside.any():
            kind = "target" if inside.all() else "source"
            raise InputError(f"superclass '{name}' has no {kind} subclass", "shift", "leave it out or split it")
    train, held = _split(np.flatnonzero(is_source), subclass, holdout, seed)
    fitting, validation = _split(train, subclass, 0.25, seed + 1)
    accuracy = [
        (
            Ridge(s).fit(features[fitting], superclass[fitting]).predict(features[validation]) == superclass[validation]
        ).mean()
        for s in strengths
    ]
    model = Ridge(strengths[int(np.argmax(accuracy))]).fit(features[train], superclass[train])
    out = []
    for population, index in (("source", held), ("target", np.flatnonzero(~is_source))):
        right = model.predict(features[index]) == superclass[index]
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


def restricted_accuracy(scores, labels, classes) -> float:
    """Accuracy of a head whose answers are restricted to some classes, as for ImageNet-A.

    Parameters
    ----------
    scores : float array (n, c)
        Scores of all classes of the head.
    labels : int array (n,)
        Class numbers of the head.
    classes : sequence of int
        The classes that may be answered.
    """
    scores, labels, classes = np.asarray(scores), np.asarray(labels), np.asarray(sorted(classes))
    if not np.isin(labels, classes).all():
        raise InputError("a label is not among the classes allowed", "restricted head", "check the class list")
    return float((classes[scores[:, classes].argmax(1)] == labels).mean())


def anomaly_scores(train, test, k: int = 5) -> np.ndarray:
    """Mean cosine distance to the k nearest training rows: higher is more anomalous, (n,)."""
    unit = [(v := _features(x, "features")) / (np.linalg.norm(v, axis=1, keepdims=True) + 1e-12) for x in (train, test)]
    if not 1 <= k <= len(unit[0]):
        raise InputError(f"k = {k} for {len(unit[0])} training rows", "anomaly", "choose k between 1 and that number")
    similarity = unit[1] @ unit[0].T
    nearest = np.partition(similarity, similarity.shape[1] - k, axis=1)[:, -k:]
    return 1 - nearest.mean(1)


def anomaly_detection(train, train_labels, test, test_labels, k: int = 5) -> pd.DataFrame:
    """One class against the rest: AUROC of :func:`anomaly_scores` with each class in turn as the normal one.

    Returns
    -------
    DataFrame
        label, auroc, n (normal test rows): one row a class. Chance is .5.
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
    return pd.DataFrame(rows)
