"""The surrogate teacher: an affine map of a frozen network's features that agrees with people, doubts included.

Uncertainty distillation: soft targets from a human embedding, KL divergence, pull towards a scaled identity. Beside it
the plain transform (hard choices), the gLocal transform, and the untransformed features (the teacher of UnAligNet).
Source: Muttenthaler et al. (2025), Methods; its objective is reconstructed, see the notes of :func:`fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import as_triplets, one_of, to_numpy
from ..errors import InputError
from ..odd_one_out import softmax
from ..probing.transform import LinearTransform
from ..store import digest, read_json, write_json
from . import losses

KINDS = ("uncertainty", "plain", "glocal", "untransformed")
SOLVER = {"max_iterations": 300, "tolerance": 1e-6}


def soft_targets(values, triplets, std=None, draws: int = 50, seed: int = 0, chunk: int = 20_000) -> np.ndarray:
    r"""What people would answer, as probabilities of the pairs (0, 1), (0, 2), (1, 2).

    Parameters
    ----------
    values : array (m, d)
        A human embedding, for instance VICE, SPoSE or the observers' dimensions.
    triplets : int array (n, 3)
    std : array (m, d), optional
        Standard deviations of the embedding (VICE's variational posterior). Then the mean over ``draws`` of
        :math:`softmax(z_a z_b, z_a z_c, z_b z_c)` with :math:`z = \max(0, N(\mu, \sigma^2))`.
    draws, seed : int
        Of the Monte Carlo estimate.
    chunk : int
        Triplets at a time.

    Returns
    -------
    float64 array (n, 3)

    Raises
    ------
    InputError
        For shapes that do not fit or a negative standard deviation.
    """
    values = np.asarray(to_numpy(values), dtype=np.float64)
    rows = to_numpy(as_triplets(triplets, len(values)))
    if std is None:
        draws, noise = 1, None
    else:
        noise = np.asarray(to_numpy(std), dtype=np.float64)
        if noise.shape != values.shape or not (noise >= 0).all() or draws < 1:
            raise InputError(f"has shape {noise.shape}, or a negative entry", "std", "give one deviation per value")
    rng, out = np.random.default_rng(seed), np.zeros(rows.shape)
    for _ in range(draws):
        z = values if noise is None else np.maximum(values + noise * rng.standard_normal(values.shape), 0)
        for start in range(0, len(rows), chunk):
            a, b, c = (z[rows[start : start + chunk, k]] for k in range(3))
            pairs = np.stack([np.einsum("ij,ij->i", a, b), np.einsum("ij,ij->i", a, c), np.einsum("ij,ij->i", b, c)], 1)
            out[start : start + chunk] += softmax(pairs)
    return out / draws


def fit(
    features,
    triplets,
    targets=None,
    kind: str = "uncertainty",
    strength: float = 0.1,
    bias: bool = True,
    *,
    reference=None,
    alpha: float = 0.25,
    temperature: float = 0.1,
    **solver,
) -> LinearTransform:
    r"""Fit the map :math:`z = \frac{x - mean}{std} W + b`.

    Parameters
    ----------
    features : array (m, p)
        Of the objects people judged.
    triplets : int array (n, 3)
        Odd one last.
    targets : array (n, 3), optional
        Soft targets; needed by "uncertainty". Without them the kept pair has probability 1.
    kind : {"uncertainty", "plain", "glocal"}
        "uncertainty": mean KL(targets || softmax(S)) + strength * ||W - mean(diag W) I||_F^2.
        "plain": mean cross-entropy of the choices + strength * the same penalty.
        "glocal": (1 - alpha) * the plain loss + alpha * the local term + strength * the same penalty.
    strength : float
    bias : bool
    reference : array (r, p), optional
        Features of other images for the local term; default: the features themselves.
    alpha, temperature : float
        Of the local term.
    solver
        Further options of :func:`humalign.probing.fit` or :func:`humalign.probing.fit_glocal`.

    Returns
    -------
    LinearTransform

    Raises
    ------
    InputError
        For an unknown kind, missing targets, or data that do not fit.

    Notes
    -----
    Cross-entropy with soft targets differs from the KL divergence by their entropy, a constant. The paper states the
    ingredients (affine, KL, human uncertainty, regularised); their combination here is a reconstruction. Similarities
    are dot products. Solved to convergence by L-BFGS from the best multiple of the identity, not by mini-batches.
    """
    from ..probing import fit as probe
    from ..probing import fit_glocal

    one_of(kind, KINDS[:3], "kind")
    if kind == "uncertainty" and targets is None:
        raise InputError("needs soft targets", "teacher", "give targets, or fit the kind 'plain'")
    options = {"penalty": "identity", "strength": strength, "bias": bias, **SOLVER, **solver}
    if kind == "glocal":
        other = np.asarray(to_numpy(features if reference is None else reference))
        return fit_glocal(features, triplets, other, alpha=alpha, temperature=temperature, **options)
    return probe(features, triplets, soft_targets=targets if kind == "uncertainty" else None, **options)


def untransformed(features, centre: bool = False, scale: float = 1.0) -> LinearTransform:
    """The map of UnAligNet: the features as they are, or centred and scaled.

    Parameters
    ----------
    features : array (m, p)
        Images whose mean is taken out when ``centre`` is set.
    centre : bool
        Subtract each feature's mean.
    scale : float
        Factor of the **similarities**; the features get its root. See :func:`scaled_to`.
    """
    values = np.asarray(to_numpy(features), dtype=np.float64)
    mean = values.mean(0) if centre else 0.0
    return LinearTransform((np.eye(values.shape[1]) * np.sqrt(scale)).astype(np.float32), mean, 1.0)


def scaled_to(features, transformed, n: int = 6000, seed: int = 0) -> LinearTransform:
    """Centred, untransformed features, scaled until soft labels of random triplets are as sure as the teacher's.

    Parameters
    ----------
    features : array (m, p)
    transformed : array (m, q)
        The human-aligned teacher's representations of the same images.
    """
    from .dataset import dot_products
    from .sampling import _random

    triplets = _random(len(features), n, np.random.default_rng(seed))
    plain = untransformed(features, centre=True)
    factor = losses.match_confidence(dot_products(plain.apply(features), triplets), dot_products(transformed, triplets))
    return untransformed(features, centre=True, scale=factor)


@dataclass(eq=False)
class Teacher:
    """A network and its map.

    Attributes
    ----------
    network : str
        The tower the features come from (``timm:NAME`` ...), or a name for stored features.
    kind : str
        One of :data:`KINDS`.
    transform : LinearTransform
    meta : dict
        How it was fitted: data sets, strength, sizes.
    """

    network: str
    kind: str
    transform: LinearTransform
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        one_of(self.kind, KINDS, "kind")

    def apply(self, features) -> np.ndarray:
        """Representations of images: float32 (m, q)."""
        return np.asarray(self.transform.apply(np.asarray(features, np.float32)), np.float32)

    @property
    def key(self) -> str:
        """Digest of the map."""
        t = self.transform
        return digest(
            self.network,
            self.kind,
            t.weights,
            np.asarray(t.mean),
            np.asarray(t.std),
            np.zeros(0) if t.bias is None else t.bias,
        )

    def save(self, folder) -> Path:
        """Write ``transform.npz`` (readable as a gLocal file) and ``teacher.json`` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.transform.save(folder / "transform.npz")
        write_json(folder / "teacher.json", {"network": self.network, "kind": self.kind, "key": self.key, **self.meta})
        return folder

    @classmethod
    def load(cls, folder) -> Teacher:
        """Read a folder that :meth:`save` wrote; InputError when its parts do not belong together."""
        folder = Path(folder)
        if not (folder / "teacher.json").is_file():
            raise InputError("is no teacher (no teacher.json)", folder, "name the folder that 'alignet teacher' wrote")
        meta = read_json(folder / "teacher.json", {"network": str, "kind": str, "key": str}, "fit the teacher again")
        network, kind, key = (meta.pop(k) for k in ("network", "kind", "key"))
        teacher = cls(network, kind, LinearTransform.load(folder / "transform.npz"), meta)
        if key != teacher.key:
            raise InputError("does not fit transform.npz", folder / "teacher.json", "fit the teacher again")
        return teacher


def scores(similarity, triplets) -> dict[str, float]:
    """How well similarities predict choices: accuracy, cross-entropy (nats), entropy (nats), calibration error.

    Parameters
    ----------
    similarity : array (m, m)
        Taken as they are: softmax without temperature.
    triplets : int array (n, 3)
        Odd one last.
    """
    from .. import odd_one_out
    from ..calibration import expected_calibration_error

    p = to_numpy(odd_one_out.probabilities(similarity, triplets))
    return {
        "accuracy": float(odd_one_out.accuracy(similarity, triplets)),
        "cross-entropy": float(-np.log(np.maximum(p[:, 0], 1e-12)).mean()),
        "entropy": float(np.mean(odd_one_out.entropy(p))),
        "calibration error": float(expected_calibration_error(p)),
    }


def cross_validate(
    features,
    triplets,
    targets=None,
    kind: str = "uncertainty",
    strengths=(0.01, 0.1, 1.0),
    *,
    n_folds: int = 3,
    seed: int = 42,
    groups=None,
    **options,
):
    """Object-wise cross-validation of a teacher on human choices.

    Each fold fits on triplets of training objects only and is tested on triplets of held-out objects only; those that
    mix both are left out.

    Parameters
    ----------
    features : array (m, p)
    triplets : int array (n, 3)
        Human choices, odd one last.
    targets : array (n, 3), optional
        Soft targets of the same rows.
    kind, options
        As in :func:`fit`.
    strengths : sequence of float
    n_folds, seed : int
    groups : array (m,), optional
        Objects of one group stay together.

    Returns
    -------
    DataFrame
        fold, strength, measure, value, n: accuracy, cross-entropy, entropy, calibration error on held-out choices.
    """
    import pandas as pd

    from ..probing import object_folds, partition_masks
    from ..similarity import similarity_matrix

    rows = to_numpy(as_triplets(triplets, len(features)))
    table = []
    for fold, member in enumerate(object_folds(len(features), n_folds, seed, groups)):
        inside, outside = partition_masks(rows, member)
        if not inside.any() or not outside.any():
            raise InputError(
                f"fold {fold} has no triplets to fit on or to test on", "cross-validation", "use fewer folds"
            )
        for strength in strengths:
            part = None if targets is None else np.asarray(targets)[inside]
            fitted = fit(np.asarray(features), rows[inside], part, kind, strength, **options)
            found = scores(similarity_matrix(fitted.apply(features), "dot"), rows[outside])
            table += [
                dict(fold=fold, strength=strength, measure=k, value=v, n=int(outside.sum())) for k, v in found.items()
            ]
    return pd.DataFrame(table)


def best_strength(table) -> float:
    """The strength with the lowest mean held-out cross-entropy in a table of :func:`cross_validate`."""
    part = table[table["measure"] == "cross-entropy"].groupby("strength")["value"].mean()
    return float(part.idxmin())
