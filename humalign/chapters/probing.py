"""Linear probing: choices on held-out concepts before and after a learned transform; the transform on other tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import odd_one_out, probing, resample, show
from ..cache import kept
from ..data.types import Features, Triplets
from ..errors import InputError
from ..probing.fitting import one_thread
from ..results import Measured, combine
from ..roles import ARRANGEMENTS
from ..similarity import similarity_matrix
from ..source import LAYERS, Source
from . import networks, rsa

ROLES, OPTIONAL = ("things",), ARRANGEMENTS
VERSION, PROBES = 2, 1  # of what is kept, and of probes: go up when their numbers change
# the papers' grid ends at .1; here weaker penalties fit too closely, and from .2 on most transforms collapse to zero
STRENGTHS = (0.01, 0.03, 0.1, 0.15)
PAPER = probing.STRENGTHS  # the papers' grid, for their data
WIDER = (0.3, 0.15, 0.1, 0.03, 0.01, 0.003, 1e-3, 1e-4, 1e-5)  # beside it, for one network of each training group
FOLDS, SEED, PENALTY = 3, 42, "fro"
SETTINGS = (FOLDS, SEED, PENALTY)
RAW, SAME, PROBED = "zero-shot", "zero-shot, same folds", "probed"  # stages
TRANSFORMS = {"last": "last fold (paper)", "mean": "mean of the folds", "all": "refitted on all triplets"}

# ---- probes ----------------------------------------------------------------------------------------------------------


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


def settings_of(source: Source) -> tuple:
    """All that the probes of a source depend on beside its data, for cache keys; the first is the grid of strengths.

    With all data of the papers the grid is theirs.
    """
    return (PAPER if source.profile.complete else STRENGTHS, *SETTINGS)


def fit_probe(features: Features, triplets: Triplets, transform: str = "last", **settings) -> Probe:
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

    Raises
    ------
    InputError
        For another transform.
    """
    values = features.align(triplets.ids).values
    settings = {"strengths": STRENGTHS, "n_folds": FOLDS, "seed": SEED, "penalty": PENALTY, **settings}
    found = probing.cross_validation(values, triplets.triplets, groups=np.asarray(triplets.concepts), **settings)
    held = found.held_out()
    rows = held["triplet"].to_numpy()
    before = odd_one_out.scores(similarity_matrix(values, "cosine"), triplets.triplets[rows]) == 1
    if transform == "all":
        grid = [s for s in settings["strengths"] if s <= found.strength]
        limits = {key: settings[key] for key in ("tolerance", "max_iterations") if key in settings}
        made = refit(values, triplets.triplets, grid, settings["penalty"], **limits)
    elif transform in ("last", "mean"):
        made = found.transform(transform)
    else:
        raise InputError(f"no transform is called '{transform}'", "transform", "choose last, mean or all")
    right = held["choice"].to_numpy() == 2
    return Probe(
        **networks.identity(features), table=found.table, rows=rows, right=right, before=before, transform=made
    )


def kept_probe(source: Source, features: Features, triplets: Triplets, transform="last", **settings) -> Probe:
    """:func:`fit_probe` for one network of a source, read from the cache where it was fitted before."""
    if source.profile.complete:
        settings = {"strengths": PAPER, **settings}

    def make():
        with one_thread():
            return _pack(fit_probe(features, triplets, transform, **settings))

    who = networks.identity(features)
    name = f"probe-things-{who['model']}.s{who['seed']}-{who['layer']}"
    known = features.meta.get("weights", features.checksum)
    parts = [known, features.layer, triplets.checksum, transform, sorted(settings.items()), *settings_of(source)]
    return _unpack(kept(source.profile, name, PROBES, parts, make), **who)


def _pack(probe: Probe) -> dict:
    scale = np.array([probe.transform.mean, probe.transform.std])
    arrays = {key: getattr(probe, key) for key in ("table", "rows", "right", "before")}
    return {**arrays, "weights": probe.transform.weights, "scale": scale}


def _unpack(arrays: dict, **who) -> Probe:
    transform = probing.LinearTransform(arrays["weights"], *map(float, arrays["scale"]))
    return Probe(**who, **{key: arrays[key] for key in ("table", "rows", "right", "before")}, transform=transform)


def probes(source: Source, models=None, seeds=(0,), layers=LAYERS, transform="last", **settings) -> Iterator[Probe]:
    """The :class:`Probe` of one network and layer after the other; each is kept in the cache.

    Parameters
    ----------
    source : Source
    models, seeds, layers
        As :meth:`humalign.source.Source.features`.
    transform, **settings
        As :func:`fit_probe`.
    """
    triplets, total = source.triplets("things"), len(source.runs("things", models, seeds)) * len(layers)
    features = source.features("things", layers, models, seeds)
    for part in tqdm(features, desc="probing", unit="layer", leave=False, total=total):
        yield kept_probe(source, part, triplets, transform, **settings)


def transformed(features, probes) -> Iterator[Features]:
    """Features of any pictures after each network's own transform, learned on odd-one-out choices.

    The standardisation is that of the pictures the transform was learned on, as in the paper. Where the penalty has
    shrunk the transform to zero (``Probe.collapsed``), there is nothing to compare and the network is left out.

    Parameters
    ----------
    features : iterable of Features
    probes : iterable of Probe
    """
    known = {(p.model, p.seed, p.layer): p.transform for p in probes if not p.collapsed}
    for part in features:
        if transform := known.get(tuple(networks.identity(part).values())):
            yield replace(part, values=transform.apply(part.values))


# ---- measuring -------------------------------------------------------------------------------------------------------


def of_probes(probes, triplets: Triplets, draws: int = resample.DRAWS, **common) -> Measured:
    """Held-out accuracy of probes, before and after, with bootstrap draws over concepts.

    Parameters
    ----------
    probes : list of Probe
        All with the same held-out triplets.
    triplets : Triplets
        What they were fitted on.

    Returns
    -------
    Measured
        Measure "accuracy" with stages "probed" and "zero-shot, same folds" (cosine, the same held-out triplets).

    Raises
    ------
    InputError
        For probes with other held-out triplets.
    """
    first = probes[0].rows
    if any(not np.array_equal(p.rows, first) for p in probes):
        raise InputError("were held out with different folds", "probes", "use one seed and one number of folds")
    held = triplets.select(first)
    parts = []
    for stage, detail, scores in (
        (PROBED, "dot", [p.right for p in probes]),
        (SAME, "cosine", [p.before for p in probes]),
    ):
        value, drawn = resample.triplet_means(np.stack(scores), held.triplets, held.concepts, draws)
        rows = [{"model": p.model, "seed": p.seed, "layer": p.layer, "value": v} for p, v in zip(probes, value)]
        parts.append(Measured.of(rows, drawn, stage=stage, measure="accuracy", detail=detail, n=len(held), **common))
    return combine(*parts)


def of_features(features, triplets: Triplets, fit=fit_probe, draws: int = resample.DRAWS, **common) -> Measured:
    """:func:`of_probes` of each layer of a training run; ``fit`` gives the :class:`Probe` of features and triplets."""
    return of_probes([fit(part, triplets) for part in features], triplets, draws, **common)


def measure(source: Source, models=None, seeds=(0,)) -> Measured:
    """Probed accuracy of a source's networks, and zero-shot accuracy on the same held-out triplets: :func:`of_probes`.

    See :func:`humalign.chapters.networks.measure`.
    """
    of_kept = partial(of_features, fit=partial(kept_probe, source))
    return networks.measure(
        source, "things", of_kept, VERSION, name="probing", inputs=settings_of(source), models=models, seeds=seeds
    )


def measure_rsa(source: Source, models=None, seeds=(0,), roles=ARRANGEMENTS) -> Measured:
    """Agreement with people's arrangements after the transform, which is not fitted again.

    As :func:`humalign.chapters.rsa.measure`, at the stage "probed"; networks whose transform collapsed are left out.
    """
    known, choices = set(source.runs("things", models, seeds)), source.triplets("things")

    def fitted_from(model, seed):
        own = source.state("things", [model], (seed,)) if (model, seed) in known else []
        return [own, choices.checksum, rsa.VERSION, *settings_of(source)]

    def of_transformed(features, human, **common):
        model, seed, _ = networks.identity(features[0]).values()
        found = probes(source, [model], (seed,)) if (model, seed) in known else ()
        moved = list(transformed(features, found))
        return rsa.of_features(moved, human, stage=PROBED, **common) if moved else {}

    return networks.measure(source, roles, of_transformed, VERSION, name="rsa-probed", inputs=fitted_from,
                            models=models, seeds=seeds)  # fmt: skip


# ---- strengths, transforms and solvers -------------------------------------------------------------------------------


def curves(source: Source, models=None, seeds=(0,), layers=("penultimate",)) -> pd.DataFrame:
    """Held-out loss and accuracy along the grid of strengths: mean over folds, network by network.

    With all data of the papers: along a wider grid than theirs, for the first network of each training group.

    Returns
    -------
    DataFrame
        strength, train_ce, ce (nats), accuracy, seconds, model, layer, seed, selected (on the grid of the chapter).
    """
    parts, more, chosen = [], {}, {}
    if source.profile.complete:
        group = source.networks().set_index("model")["group"]
        here = [model for model, _ in source.runs("things", models, seeds)]
        models = list(group[here].drop_duplicates().index) if models is None else models
        chosen = {(p.model, p.layer, p.seed): p.strength for p in probes(source, models, seeds, layers)}
        more = {"strengths": WIDER}
    for probe in probes(source, models, seeds, layers, **more):
        means = probe.table.groupby("strength", as_index=False)[["train_ce", "ce", "accuracy", "seconds"]].mean()
        who = {"model": probe.model, "layer": probe.layer, "seed": probe.seed}
        strength = chosen.get((probe.model, probe.layer, probe.seed), probe.strength)
        parts.append(means.assign(**who, selected=means["strength"] == strength))
    return pd.concat(parts, ignore_index=True)


def collapsed(source: Source, models=None, seeds=(0,), layers=LAYERS) -> pd.DataFrame:
    """Networks and layers whose transform was shrunk to nothing: model, layer, seed."""
    rows = [(p.model, p.layer, p.seed) for p in probes(source, models, seeds, layers) if p.collapsed]
    return pd.DataFrame(rows, columns=["model", "layer", "seed"])


def nested(source: Source, models, layers=("penultimate",)) -> pd.DataFrame:
    """The paper's selection beside nested folds, where no reported number was used for choosing the strength.

    Returns
    -------
    DataFrame
        model, layer, selection ("same folds", "nested folds"), strength, cross_entropy (nats), accuracy.
    """
    rows = []
    for label, settings in (("same folds", {}), ("nested folds", {"nested": True})):
        for probe in probes(source, models, layers=layers, **settings):
            chosen = probe.table[probe.table["selected"]].sort_values("fold")["strength"]
            used = ", ".join(f"{s:g}" for s in dict.fromkeys(chosen))
            rows.append({"model": probe.model, "layer": probe.layer, "selection": label, "strength": used,
                         "cross_entropy": probe.cross_entropy, "accuracy": float(probe.right.mean())})  # fmt: skip
    return pd.DataFrame(rows)


def transforms(source: Source, models, layer: str, names: dict[str, str]) -> pd.DataFrame:
    """Agreement of some networks with the 118 pictures after each of three transforms: an estimate a cell.

    A row a network, by its name in ``names``.
    """
    human, columns = source.arrangement("cichy"), []
    ways = {"metrics": ("correlation",), "methods": ("spearman",), "dataset": "cichy", "profile": source.profile.name}
    for which, label in TRANSFORMS.items():
        found = probes(source, models, layers=(layer,), transform=which)
        moved = transformed(source.features("cichy", (layer,), models), found)
        agreement = rsa.of_features(moved, human, stage=label, **ways)
        columns.append(agreement.table.set_index("model").apply(show.estimate, axis=1).rename(label))
    return pd.concat(columns, axis=1).rename(index=names).rename_axis("network")


def solvers(source: Source, models, strength=0.1, layer="penultimate", max_epochs: int = 100) -> pd.DataFrame:
    """The exact solver beside the paper's Adam on the same training triplets (first fold), same penalty.

    Returns
    -------
    DataFrame
        model, solver, objective and cross_entropy (training, nats), held_out (nats), accuracy (held out), seconds,
        gap (nats; how much better any matrix of no larger norm could be, from the certificate).
    """
    triplets = source.triplets("things")
    parts = [triplets.checksum, strength, layer, max_epochs, source.state("things", models)]

    def make():
        fold = probing.object_folds(len(triplets.ids), FOLDS, SEED, np.asarray(triplets.concepts))[0]
        train, held = probing.partition(triplets.triplets, np.flatnonzero(fold))
        rows = []
        for part in source.features("things", (layer,), models):
            values = part.align(triplets.ids).values
            adam = {"penalty": PENALTY, "strength": strength, "solver": "paper", "max_epochs": max_epochs}
            with one_thread():
                both = {"exact": refit(values, train, [s for s in STRENGTHS if s < strength] + [strength]),
                        "paper": probing.fit(values, train, validation=held, **adam)}  # fmt: skip
            for solver, made in both.items():
                z = made.apply(values)
                rows.append({
                    "model": part.model, "solver": solver, "objective": made.report["objective"],
                    "cross_entropy": made.report["cross_entropy"],
                    "held_out": probing.loss(np.eye(z.shape[1]), z, held, None),
                    "accuracy": odd_one_out.accuracy(z @ z.T, held), "seconds": made.report["seconds"],
                    "gap": made.report["certificate"]["gap"],
                })  # fmt: skip
        return pd.DataFrame(rows)

    return kept(source.profile, "probe-solvers", PROBES, parts, make)


# ---- points and tables -----------------------------------------------------------------------------------------------


def accuracy(probed: Measured, models: pd.DataFrame, stage: str, layer: str) -> pd.DataFrame:
    """Points: accuracy on people's choices of held-out concepts, at one stage and layer."""
    return networks.points(probed, models, layer, dataset="things", stage=stage, measure="accuracy")


def choices(probed: Measured, models: pd.DataFrame, layer: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """:func:`accuracy` before and after the transform, on the same triplets."""
    return accuracy(probed, models, SAME, layer), accuracy(probed, models, PROBED, layer)


def rho(agreement: Measured, models: pd.DataFrame, role: str, layer: str, stage: str = PROBED) -> pd.DataFrame:
    """Points: Spearman's correlation with an arrangement set, at one stage and layer."""
    where = {"dataset": role, "stage": stage, "measure": "spearman", "detail": "correlation"}
    return networks.points(agreement, models, layer, **where)


def arrangements(agreement: Measured, models: pd.DataFrame, layer: str) -> dict[str, pd.DataFrame]:
    """Role, of those measured, to the networks' agreement before (x) and after (y) the transform; see
    :func:`networks.pairs`.
    """
    roles = [role for role in ARRANGEMENTS if (agreement.table["dataset"] == role).any()]
    stages = [{role: rho(agreement, models, role, layer, stage) for role in roles} for stage in (RAW, PROBED)]
    return networks.pairs_of(*stages)


def gains(measured: Measured, models: pd.DataFrame, layer: str = "penultimate") -> pd.DataFrame:
    """Points: probed minus zero-shot accuracy on the same held-out triplets; ``measured``: of :func:`measure`."""
    table, keys = measured.table, ["model", "seed"]
    table = table[(table["dataset"] == "things") & (table["measure"] == "accuracy") & (table["layer"] == layer)]
    after, before = (table[table["stage"] == stage].sort_values(keys) for stage in (PROBED, SAME))
    if not np.array_equal(after[keys], before[keys]):
        raise InputError("do not hold the same networks", "stages", "compute both with measure()")
    rows = after.assign(value=after["value"].to_numpy() - before["value"].to_numpy(), stage="gain", detail="")
    draws = measured.draws[after.index] - measured.draws[before.index]
    difference = Measured.of(rows.drop(columns=["low", "high"]), draws)
    return networks.points(difference, models, layer, dataset="things", stage="gain", measure="accuracy")


def table(before: pd.DataFrame, after: pd.DataFrame, gains: pd.DataFrame, logits: pd.DataFrame) -> pd.DataFrame:
    """One row a network, in the order of ``after``: zero-shot, probed and gain as estimates, probed at the logits.

    Parameters
    ----------
    before, after, logits : DataFrame
        :func:`accuracy` at one layer, and after the transform at the logits.
    gains : DataFrame
        :func:`gains`.
    """
    parts = {"zero-shot, same triplets": before, "probed": after, "gain": gains}
    columns = {label: show.estimates(part, after["model"]) for label, part in parts.items()}
    columns["probed, logits"] = after["model"].map(logits.set_index("model")["value"]).to_numpy()
    return after[["name", "group"]].assign(**columns)


def solver_table(solved: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """:func:`solvers` with names and headings for readers."""
    headings = {"model": "network", "cross_entropy": "cross-entropy", "held_out": "held-out cross-entropy"}
    return solved.assign(model=solved["model"].map(names)).rename(columns=headings)


def numbers(after: pd.DataFrame, gains: pd.DataFrame, shrunk: pd.DataFrame, arranged: dict[str, pd.DataFrame]) -> dict:
    """Numbers of the prose, by key: best network, how many gain, how much, and in which sets of arrangements.

    Parameters
    ----------
    after : DataFrame
        :func:`accuracy` after the transform.
    gains : DataFrame
        :func:`gains`, shares.
    shrunk : DataFrame
        :func:`collapsed`: one row a network whose transform was shrunk to nothing.
    arranged : dict of str to DataFrame
        :func:`arrangements`.
    """
    best, own = networks.best(after), networks.trained(gains)
    rise = networks.count(own["value"] > 0, own)
    out = {
        "pr_best": show.estimate(best),
        "pr_best_name": best["name"],
        "pr_rise": rise,
        "pr_sure": networks.count(own["low"] > 0, own),
        "pr_networks": show.number(len(own)),
        "pr_shrunk": show.number(len(shrunk)),
        "pr_gain": show.number(100 * own["value"].mean(), None, rise.provenance, digits=1, unit=" percentage points"),
    }
    for role, pairs in arranged.items():
        part = networks.trained(pairs)
        out[f"pr_{role}"] = networks.count(part["difference"] > 0, part)
    return out
