"""Probing every network: held-out accuracy by object-wise cross-validation; the transform on other tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import odd_one_out, probing, resample
from ..cache import kept
from ..chapters import networks, rsa
from ..config import Profile
from ..data.types import Features, Triplets
from ..errors import InputError
from ..probing.fitting import one_thread
from ..results import Measured, combine
from ..roles import ARRANGEMENTS
from ..similarity import similarity_matrix

LAYERS = ("penultimate", "logits")
# the papers' grid ends at .1; here weaker penalties fit too closely, and from .2 on most transforms collapse to zero
STRENGTHS = (0.01, 0.03, 0.1, 0.15)
FOLDS = 3
SEED = 42
PENALTY = "fro"
SAME = "zero-shot, same folds"
VERSION = 1  # of probes and tables that are kept: goes up when their numbers change


@dataclass(frozen=True)
class Probe:
    """What the cross-validation of one network and layer left behind.

    Attributes
    ----------
    model, layer : str
    seed : int
    table : DataFrame
        One row a fold and strength, see :func:`humalign.probing.cross_validate`.
    rows : int (h,)
        Held-out triplets of all folds (rows of the triplets), fold by fold; the same for every network.
    right, before : bool (h,)
        Whether probe, and cosine similarity of the raw features, pick the human odd one.
    transform : LinearTransform
    """

    model: str
    layer: str
    seed: int
    table: pd.DataFrame
    rows: np.ndarray
    right: np.ndarray
    before: np.ndarray
    transform: probing.LinearTransform

    @property
    def strength(self) -> float:
        """Selected strength (of the last fold, where each fold has its own)."""
        chosen = self.table[self.table["selected"]]
        return float(chosen.sort_values("fold")["strength"].iloc[-1])

    @property
    def collapsed(self) -> bool:
        """Whether the penalty has shrunk the transform to nothing: all similarities are then equal."""
        return float(np.abs(self.transform.weights).max()) < 1e-4

    @property
    def cross_entropy(self) -> float:
        """Mean held-out cross-entropy over folds at the selected strength, nats."""
        return float(self.table.loc[self.table["selected"], "ce"].mean())


def refit(values, triplets, strengths, penalty: str = PENALTY, **options) -> probing.LinearTransform:
    """Fit with the strongest of some strengths, warm-started from the weaker ones.

    With the unsquared norm, zero is a local minimum for every strength: a fit that starts with a strong penalty falls
    into it although a better transform exists. Cross-validation walks from weak to strong for the same reason. The
    report's ``seconds`` count all steps.

    Parameters
    ----------
    values : (m, p)
    triplets : int (n, 3)
    strengths : sequence of float
    penalty : str
    **options
        Of :func:`humalign.probing.fit`.
    """
    made, seconds = None, 0.0
    for strength in sorted(strengths):
        init = None if made is None else made.weights
        made = probing.fit(values, triplets, penalty=penalty, strength=strength, init=init, **options)
        seconds += made.report["seconds"]
    made.report["seconds"] = seconds
    return made


def one(features: Features, triplets: Triplets, transform: str = "last", **settings) -> Probe:
    """Cross-validate the probe of one network, concept-wise: all pictures of a concept lie in one fold.

    Parameters
    ----------
    features : Features
    triplets : Triplets
    transform : {"last", "mean", "all"}
        Which transform to keep: of the last fold (as the paper), the mean over folds, or refitted on all triplets with
        the selected strength.
    **settings
        Of :func:`humalign.probing.cross_validation`; for example ``nested=True`` or ``strengths``.
    """
    values = features.align(triplets.ids).values
    settings = {"strengths": STRENGTHS, "n_folds": FOLDS, "seed": SEED, "penalty": PENALTY, **settings}
    found = probing.cross_validation(values, triplets.triplets, groups=np.asarray(triplets.concepts), **settings)
    held = found.held_out()
    rows = held["triplet"].to_numpy()
    before = odd_one_out.scores(similarity_matrix(values, "cosine"), triplets.triplets[rows]) == 1
    if transform == "all":
        grid = [s for s in settings["strengths"] if s <= found.strength]
        made = refit(values, triplets.triplets, grid, settings["penalty"])
    elif transform in ("last", "mean"):
        made = found.transform(transform)
    else:
        raise InputError(f"no transform is called '{transform}'", "transform", "choose last, mean or all")
    return Probe(
        features.model,
        features.layer,
        int(features.meta.get("seed", 0)),
        found.table,
        rows,
        held["choice"].to_numpy() == 2,
        before,
        made,
    )


def _pack(probe: Probe) -> dict:
    scale = np.array([probe.transform.mean, probe.transform.std])
    return {
        "table": probe.table,
        "rows": probe.rows,
        "right": probe.right,
        "before": probe.before,
        "weights": probe.transform.weights,
        "scale": scale,
    }


def _unpack(arrays: dict, model: str, layer: str, seed: int) -> Probe:
    transform = probing.LinearTransform(arrays["weights"], *map(float, arrays["scale"]))
    return Probe(model, layer, seed, arrays["table"], arrays["rows"], arrays["right"], arrays["before"], transform)


def probes(
    profile: Profile,
    seeds=(0,),
    models=None,
    layers=LAYERS,
    dataset: str = "things",
    transform: str = "last",
    **settings,
):
    """Yield the :class:`Probe` of every network and layer; each is kept in the cache.

    Parameters
    ----------
    profile : Profile
    seeds, models, layers
        As :meth:`humalign.source.Source.features`.
    dataset : str
        Triplets to learn from.
    transform, **settings
        As :func:`one`.
    """
    triplets = networks.source(profile).triplets(dataset)
    features = networks.source(profile).features(dataset, layers, models, seeds)
    total = len(networks.source(profile).runs("things", models, seeds)) * len(layers)
    for part in tqdm(features, desc=f"probing on {dataset}", unit="layer", leave=False, total=total):
        parts = [
            part.meta.get("weights", part.checksum),
            part.layer,
            triplets.checksum,
            transform,
            sorted(settings.items()),
        ]
        name = f"probe-{dataset}-{part.model}.s{part.meta.get('seed', 0)}-{part.layer}"

        def make(part=part):
            with one_thread():
                return _pack(one(part, triplets, transform, **settings))

        arrays = kept(profile, name, VERSION, [*parts, STRENGTHS, FOLDS, SEED, PENALTY], make)
        yield _unpack(arrays, part.model, part.layer, int(part.meta.get("seed", 0)))


def state(profile: Profile, seeds=(0,), models=None) -> list:
    """What the transforms depend on, for cache keys."""
    checksum = networks.source(profile).triplets("things").checksum
    return [networks.source(profile).state("things", models, seeds), checksum, VERSION, STRENGTHS, FOLDS, SEED, PENALTY]


def of_probes(found, triplets: Triplets, draws: int = resample.DRAWS, stage: str = "probed", **common) -> Measured:
    """Held-out accuracy of probes, before and after, with bootstrap draws over concepts.

    Parameters
    ----------
    found : list of Probe
        All with the same held-out triplets.
    triplets : Triplets
        What they were fitted on.

    Returns
    -------
    Measured
        Measure "accuracy" with stages ``stage`` and "zero-shot, same folds" (cosine, the same held-out triplets).
    """
    first = found[0].rows
    if any(not np.array_equal(p.rows, first) for p in found):
        raise InputError("were held out with different folds", "probes", "use one seed and one number of folds")
    held = triplets.select(first)
    parts = []
    for name, detail, scores in ((stage, "dot", [p.right for p in found]), (SAME, "cosine", [p.before for p in found])):
        value, drawn = resample.triplet_means(np.stack(scores), held.triplets, held.concepts, draws)
        keys = {"stage": name, "measure": "accuracy", "detail": detail, "n": len(held)}
        rows = [{**keys, "model": p.model, "seed": p.seed, "layer": p.layer, "value": v} for p, v in zip(found, value)]
        parts.append(Measured.of(rows, drawn, **common))
    return combine(*parts)


def measure(profile: Profile, seeds=(0,), models=None, dataset: str = "things") -> Measured:
    """Probed accuracy of the networks of a profile and their zero-shot accuracy on the same held-out triplets.

    Returns
    -------
    Measured
        Data set ``dataset``, measure "accuracy", stages "probed" and "zero-shot, same folds".
    """
    triplets = networks.source(profile).triplets(dataset)

    def make():
        found = list(probes(profile, seeds, models, dataset=dataset))
        return of_probes(found, triplets, dataset=dataset, profile=profile.name)

    parts = [state(profile, seeds, models), dataset, triplets.checksum]
    return kept(profile, f"probing-{dataset}", VERSION, parts, make)


def transformed(profile: Profile, dataset: str, seeds=(0,), models=None, layers=LAYERS, **settings):
    """Yield features of a data set after each network's own transform, learned on odd-one-out choices.

    The standardisation is that of the pictures the transform was learned on, as in the paper. Where the penalty has
    shrunk the transform to zero (``Probe.collapsed``), there is nothing to compare and the network is left out.
    """
    found = {(p.model, p.seed, p.layer): p for p in probes(profile, seeds, models, layers, **settings)}
    for part in networks.source(profile).features(dataset, layers, models, seeds):
        probe = found.get((part.model, int(part.meta.get("seed", 0)), part.layer))
        if probe is None or probe.collapsed:  # None: no features for the pictures the transform is learned on
            continue
        transform = probe.transform
        yield Features(
            part.ids,
            transform.apply(part.values),
            part.model,
            part.layer,
            part.source,
            part.licence,
            part.name,
            part.meta,
        )


def measure_rsa(profile: Profile, seeds=(0,), models=None, roles=ARRANGEMENTS) -> Measured:
    """Agreement with people's arrangements after the transform learned on odd-one-out choices, stage "probed".

    See :mod:`humalign.chapters.rsa`, which measures raw features.

    Raises
    ------
    MissingData
        When there are no arrangements, or every transform collapsed.
    """
    source, out = networks.source(profile), []
    for role in source.at_hand(roles):
        human = source.arrangement(role)

        def make(role=role, human=human):
            features = transformed(profile, role, seeds, models)
            features = tqdm(features, desc=f"RSA on {role}, transformed", unit="layer", leave=False)
            return rsa.of_features(features, human, stage="probed", dataset=role, profile=profile.name)

        parts = [source.state(role, models, seeds), human.checksum, state(profile, seeds, models)]
        out.append(kept(profile, f"rsa-probed-{role}", VERSION, parts, make))
    return combine(*out)


def curves(profile: Profile, seeds=(0,), models=None, layers=("penultimate",)) -> pd.DataFrame:
    """Held-out loss and accuracy along the grid of strengths: mean and spread over folds, network by network."""
    parts = []
    for probe in probes(profile, seeds, models, layers):
        means = probe.table.groupby("strength", as_index=False)[["train_ce", "ce", "accuracy", "seconds"]].mean()
        parts.append(
            means.assign(
                model=probe.model, layer=probe.layer, seed=probe.seed, selected=means["strength"] == probe.strength
            )
        )
    return pd.concat(parts, ignore_index=True)


def collapsed(profile: Profile, seeds=(0,), models=None, layers=LAYERS) -> pd.DataFrame:
    """Networks and layers whose transform was shrunk to nothing: model, layer, seed."""
    rows = [(p.model, p.layer, p.seed) for p in probes(profile, seeds, models, layers) if p.collapsed]
    return pd.DataFrame(rows, columns=["model", "layer", "seed"])


def nested(profile: Profile, models, layers=("penultimate",)) -> pd.DataFrame:
    """The paper's selection beside nested folds, where no reported number was used for choosing the strength.

    Returns
    -------
    DataFrame
        model, layer, selection ("same folds", "nested folds"), strength, cross_entropy (nats), accuracy.
    """
    rows = []
    for label, settings in (("same folds", {}), ("nested folds", {"nested": True})):
        for probe in probes(profile, models=models, layers=layers, **settings):
            chosen = probe.table[probe.table["selected"]].sort_values("fold")
            rows.append(
                {
                    "model": probe.model,
                    "layer": probe.layer,
                    "selection": label,
                    "strength": ", ".join(f"{s:g}" for s in dict.fromkeys(chosen["strength"])),
                    "cross_entropy": probe.cross_entropy,
                    "accuracy": float(probe.right.mean()),
                }
            )
    return pd.DataFrame(rows)


def solvers(
    profile: Profile, models, strength: float = 0.1, layer: str = "penultimate", max_epochs: int = 100
) -> pd.DataFrame:
    """The exact solver beside the paper's Adam on the same training triplets (first fold), same penalty.

    Returns
    -------
    DataFrame
        model, solver, objective and cross_entropy (training, nats), held_out (nats), accuracy (held out), seconds,
        gap (nats; how much better any matrix of no larger norm could be, from the certificate).
    """
    triplets = networks.source(profile).triplets("things")
    parts = [triplets.checksum, strength, layer, max_epochs, networks.source(profile).state("things", models)]

    def make():
        fold = probing.object_folds(len(triplets.ids), FOLDS, SEED, np.asarray(triplets.concepts))[0]
        train, held = probing.partition(triplets.triplets, np.flatnonzero(fold))
        rows = []
        for part in networks.source(profile).features("things", (layer,), models):
            values = part.align(triplets.ids).values
            for solver in ("exact", "paper"):
                if solver == "exact":
                    made = refit(values, train, [s for s in STRENGTHS if s < strength] + [strength])
                else:
                    options = {"solver": "paper", "validation": held, "max_epochs": max_epochs}
                    made = probing.fit(values, train, penalty=PENALTY, strength=strength, **options)
                z = made.apply(values)
                certificate = made.report["certificate"]
                rows.append(
                    {
                        "model": part.model,
                        "solver": solver,
                        "objective": made.report["objective"],
                        "cross_entropy": made.report["cross_entropy"],
                        "held_out": probing.loss(np.eye(z.shape[1]), z, held, None),
                        "accuracy": odd_one_out.accuracy(z @ z.T, held),
                        "seconds": made.report["seconds"],
                        "gap": certificate["gap"],
                    }
                )
        return pd.DataFrame(rows)

    def alone():
        with one_thread():
            return make()

    return kept(profile, "probe-solvers", VERSION, parts, alone)


def gains(
    measured: Measured, models: pd.DataFrame, layer: str = "penultimate", dataset: str = "things"
) -> pd.DataFrame:
    """Probed minus zero-shot accuracy on the same held-out triplets, as points with intervals of the difference.

    Parameters
    ----------
    measured : Measured
        From :func:`measure`.
    models : DataFrame
        Facts.
    """
    parts = []
    for stage in ("probed", SAME):
        table = measured.table
        mask = (
            (table["dataset"] == dataset)
            & (table["stage"] == stage)
            & (table["measure"] == "accuracy")
            & (table["layer"] == layer)
        )
        part = measured.select(mask.to_numpy())
        order = part.table.sort_values(["model", "seed"]).index.to_numpy()
        parts.append(Measured(part.table.iloc[order], part.draws[order]))
    after, before = parts
    keys = ["model", "seed"]
    if not after.table[keys].equals(before.table[keys]):
        raise InputError("do not hold the same networks", "stages", "compute both with measure()")
    rows = after.table.assign(value=after.table["value"] - before.table["value"], stage="gain", detail="")
    difference = Measured.of(rows.drop(columns=["low", "high"]), after.draws - before.draws)
    return networks.points(difference, models, layer, dataset=dataset, stage="gain", measure="accuracy")
