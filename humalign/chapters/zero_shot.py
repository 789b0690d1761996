"""Zero-shot odd-one-out: how often each network picks the odd one that people picked, beside noise ceilings."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd

from .. import odd_one_out, resample, results, show
from ..data.types import Features, Triplets
from ..errors import MissingData
from ..plots import factors, groups, panels, style
from ..results import Measured
from ..similarity import similarity_matrix
from ..source import LAYERS, Source
from . import networks

ROLES, OPTIONAL = ("things",), ("things-permuted", "coarse")
VERSION = 2  # of what is kept: goes up when its numbers change
KERNELS = ("cosine", "dot", "euclidean")
BY_ROLE = {"coarse": {"kernels": ("cosine",)}}  # roles that are not measured with all of them
STAGE, CHANCE = "zero-shot", 1 / 3
YLABEL = "odd-one-out accuracy"
LARGE = 8192  # objects; more are compared block by block
CEILING = {"model": "people", "stage": "ceiling", "measure": "accuracy"}  # of rows about people
CEILINGS = {"bayes": "Bayes", "majority": "majority", "loo": "leave-one-out"}
REFERENCES = {"pixels": "pixels", "colours": "colour histogram", "category": "category", "dims": "people's dimensions"}

# ---- measuring -------------------------------------------------------------------------------------------------------


def right(features: Features, triplets: Triplets, kernel: str = "cosine") -> np.ndarray:
    """Whether the network picks the human odd one, triplet by triplet.

    Parameters
    ----------
    features : Features
        Rows for at least the objects of the triplets.
    triplets : Triplets
    kernel : {"cosine", "dot", "euclidean", "pearson"}

    Returns
    -------
    bool (n,)
    """
    values = features.align(triplets.ids).values
    if len(values) > LARGE:
        return in_blocks(values, triplets.triplets, kernel)
    return odd_one_out.scores(similarity_matrix(values, kernel), triplets.triplets) == 1


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
    features, triplets: Triplets, kernels=KERNELS, draws: int = resample.DRAWS, repeated: bool = False, **common
) -> Measured:  # fmt: skip
    """Accuracy of each layer and kernel, with bootstrap draws over concepts.

    Parameters
    ----------
    features : iterable of Features
        ``meta["seed"]`` is the seed of the training run (0 where not given).
    triplets : Triplets
    kernels : tuple of str
    draws, repeated
        Of :func:`humalign.resample.triplet_means`.
    **common
        Further columns: ``profile`` and ``dataset``.

    Returns
    -------
    Measured
        Measure "accuracy", stage "zero-shot", detail = kernel.
    """
    rows, hits = [], []
    for part in features:
        for kernel in kernels:
            rows.append({**networks.identity(part), "detail": kernel})
            hits.append(right(part, triplets, kernel))
    value, drawn = resample.triplet_means(
        np.stack(hits), triplets.triplets, triplets.concepts, draws, repeated=repeated
    )
    common = {"measure": "accuracy", "stage": STAGE, "n": len(triplets), **common}
    return Measured.of([{**row, "value": v} for row, v in zip(rows, value)], drawn, **common)


def measure(source: Source, models=None, seeds=(0,), roles=(*ROLES, *OPTIONAL)) -> Measured:
    """Zero-shot accuracy of the networks of a source, with draws; see :func:`humalign.chapters.networks.measure`."""
    return networks.measure(source, roles, of_features, VERSION, name="zero-shot", models=models, seeds=seeds,
                            kernels=KERNELS, by_role=BY_ROLE)  # fmt: skip


def references(source: Source, role: str = "things", draws: int = resample.DRAWS) -> pd.DataFrame:
    """Accuracy of simple descriptions of the pictures: pixels, colour histogram, category, people's dimensions.

    None of them is a network; the last two know what the pictures show.
    """
    triplets = source.triplets(role)
    found = source.descriptions(role, triplets.ids)
    # rounded, since categories tie: the last digit of a sum depends on the number of threads
    near = [np.round(similarity_matrix(part.values, "cosine"), 6) for part in found]
    hits = [odd_one_out.scores(similarity, triplets.triplets, ties="fraction") for similarity in near]
    value, drawn = resample.triplet_means(np.stack(hits), triplets.triplets, triplets.concepts, draws)
    common = {"dataset": role, "stage": "reference", "measure": "accuracy", "detail": "cosine", "n": len(triplets)}
    rows = [{"model": part.model, "value": v} for part, v in zip(found, value)]
    return Measured.of(rows, drawn, profile=source.profile.name, **common).table


def ceilings(source: Source) -> pd.DataFrame:
    """What people leave open: ceilings of the odd-one-out task.

    Returns
    -------
    DataFrame
        A result table with model "people", stage "ceiling" and detail "majority" (largest share of answers to repeated
        triplets), "leave-one-out" (one answer against the majority of the others), and, of simulated people, "Bayes"
        (the most likely answer of the group, from the observers themselves). Without repeated triplets no row of the
        first two.
    """
    rows, told = [], ""
    with contextlib.suppress(MissingData):
        repeated = source.repeated("things")
        rows, told = _of_repeated(repeated), repeated.name
    if (people := known(source)) is not None:
        chances, told = people.probabilities[:: max(1, len(people.probabilities) // 20_000)], ""
        rows.append({"detail": "Bayes", "value": chances.max(1).mean(), "n": len(chances)})
    frame = pd.DataFrame(rows, columns=["detail", "value", "n"])
    return results.table(frame, **CEILING, dataset="things", profile=source.profile.name, source=told)


def ceilings_of(repeated: Triplets, **common) -> pd.DataFrame:
    """The rows of :func:`ceilings` for answers to repeated triplets; ``common``: dataset, profile, source."""
    return results.table(_of_repeated(repeated), **{**CEILING, **common})


def _of_repeated(repeated: Triplets) -> list[dict]:
    return [{"detail": kind, "value": odd_one_out.noise_ceiling(repeated.triplets, kind), "n": len(repeated)}
            for kind in ("majority", "leave-one-out")]  # fmt: skip


def known(source: Source):
    """Simulated people, whose chances are known; None where people are real."""
    try:
        people = source.people("things")
    except MissingData:
        return None
    return people if people.known else None


def limit(ceilings: pd.DataFrame) -> float | None:
    """The line that the figures draw: "Bayes" where it is known, else "majority" (its estimate), or none."""
    found = ceilings.set_index("detail")["value"]
    return next((float(found[name]) for name in ("Bayes", "majority") if name in found), None)


def three_categories(source: Source, role: str = "things") -> float:
    """Share of the triplets of three categories, in which the category cannot decide; NaN where none are known."""
    triplets = source.triplets(role)
    try:
        kind = source.pictures(role).align(triplets.ids).meta["kind"]
    except (MissingData, KeyError):
        return float("nan")
    label = np.asarray(kind)[triplets.triplets]
    pairs = ((0, 1), (0, 2), (1, 2))
    return float(np.mean(np.all([label[:, a] != label[:, b] for a, b in pairs], axis=0)))


# ---- tables ----------------------------------------------------------------------------------------------------------


def by_layer(measured: Measured, models: pd.DataFrame, kernel: str) -> dict[str, pd.DataFrame]:
    """Layer to points on people's choices; see :func:`humalign.chapters.networks.points`."""
    return {name: networks.points(measured, models, name, dataset="things", detail=kernel) for name in LAYERS}


def by_kernel(measured: Measured, models: pd.DataFrame, dataset: str = "things") -> pd.DataFrame:
    """Mean accuracy of each training group, one row a group and layer, one column a kernel."""
    table = measured.table[(measured.table["dataset"] == dataset) & measured.table["detail"].isin(KERNELS)]
    table = table.assign(group=table["model"].map(models.set_index("model")["group"]))
    runs = table.groupby(["group", "model", "layer", "detail"])["value"].mean()  # a network counts once
    wide = runs.groupby(["group", "layer", "detail"]).mean().unstack().reindex(columns=list(KERNELS))
    known = [g for g in models["group"].unique() if g in wide.index.get_level_values(0)]
    order = [(g, layer) for g in known for layer in LAYERS if (g, layer) in wide.index]
    return wide.loc[order].rename_axis(columns=None).reset_index()


def table(points: pd.DataFrame, layers: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a network: facts, accuracy at each layer, training runs, and ``points`` as estimates ("best").

    Parameters
    ----------
    points : DataFrame
        Of the better layer.
    layers : dict of str to DataFrame
        :func:`by_layer`.
    """
    out = points[["name", "group", "reference_accuracy"]].copy()
    for name, part in layers.items():
        out[name] = points["model"].map(part.set_index("model")["value"]).to_numpy()
    out = out.assign(runs=points["runs"], best=show.estimates(points, points["model"]))
    return out.rename(columns={"reference_accuracy": "linear probe"})


def slopes(points: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on classification accuracy, trained networks: pooled, in each training group, and within groups.

    Parameters
    ----------
    points : DataFrame
        One row a network: group, reference_accuracy, value.

    Returns
    -------
    DataFrame
        networks, n, slope (points of odd-one-out accuracy per point of classification accuracy), r.
    """
    known = networks.trained(points)
    found = groups.slopes(known["reference_accuracy"], known["value"], known["group"])
    return found.rename(columns={"group": "networks"})


def numbers(source: Source, points, ceilings, references) -> dict:
    """Numbers of the prose, by key.

    Parameters
    ----------
    source : Source
    points : DataFrame
        One row a network.
    ceilings, references : DataFrame
        Of :func:`ceilings` and :func:`references`; details and models that are not among them get no key.
    """
    choices, best, worst = source.triplets("things"), networks.best(points), networks.worst(points)
    limits, simple = ceilings.set_index("detail")["value"], references.set_index("model")
    return {
        "zs_pictures": show.number(len(choices.ids)),
        "zs_concepts": show.number(len(set(choices.concepts))),
        "zs_span": show.number(three_categories(source), digits=2),
        "zs_networks": show.number(len(points)),
        "zs_best": show.estimate(best),
        "zs_best_name": best["name"],
        "zs_worst": show.estimate(worst),
        "zs_worst_name": worst["name"],
        **{f"zs_{key}": show.number(limits[name]) for key, name in CEILINGS.items() if name in limits},
        **{f"zs_{key}": show.estimate(simple.loc[name]) for key, name in REFERENCES.items() if name in simple.index},
    }


def numbers_of_control(points: pd.DataFrame) -> dict:
    """Numbers of the prose on people whose concepts are permuted, by key; one row of ``points`` a network."""
    above, below = points["low"] > CHANCE, points["high"] < CHANCE
    return {"zs_above": networks.count(above, points), "zs_below": networks.count(below, points)}


# ---- figures ---------------------------------------------------------------------------------------------------------


def overview(points: pd.DataFrame, ceiling: float | None = None, title: str = ""):
    """Six panels of zero-shot accuracy (form of Fig. 2); see :func:`humalign.plots.factors.six`."""
    return factors.six(points, YLABEL, chance=CHANCE, ceiling=ceiling, title=title)


@panels.figure
def ladder(points: pd.DataFrame, references: pd.DataFrame, ceilings: pd.DataFrame):
    """Every network as one bar of a ladder, with simple descriptions, chance and noise ceilings beside them.

    Parameters
    ----------
    points : DataFrame
        Facts, value, low, high.
    references, ceilings : DataFrame
        Result tables of :func:`references` and :func:`ceilings`.
    """
    rows = points.sort_values("value").reset_index(drop=True)
    fig, ax, y = panels.ladder(rows, 1.6)
    ax.hlines(y, rows["low"], rows["high"], color=style.GREY, lw=1, alpha=0.6, zorder=2)
    style.single_runs(ax, rows, y, along="x")
    panels.dots(ax, rows["value"], y, rows["group"])
    marks = [("chance", CHANCE, ":")]
    marks += [(r.model, r.value, "--") for r in references.itertuples()]
    marks += [(f"people, {r.detail}", r.value, "-.") for r in ceilings.itertuples()]
    for _, value, line in marks:
        ax.axvline(value, color=style.GREY, ls=line, lw=1.1, zorder=1)
    ax.set_xlabel(YLABEL)
    panels.tops(ax, marks)
    return fig


@panels.figure
def coarse(things: pd.DataFrame, coarse_points: pd.DataFrame, ceiling: float | None = None):
    """Accuracy on the coarse category task and on human choices against classification accuracy (appendix A1)."""
    fig, axes = panels.axes(4.0, 1, 2)
    shown = (("coarse categories", coarse_points, None), ("people's choices", things, ceiling))
    for ax, (title, points, top) in zip(axes, shown):
        x, ends = points["reference_accuracy"], {"low": points["low"], "high": points["high"]}
        style.points(ax, x, points["value"], points["group"], size=42, **ends)
        trained = networks.trained(points)
        panels.fit(ax, trained["reference_accuracy"], trained["value"])
        groups.within(ax, trained["reference_accuracy"], trained["value"], trained["group"])
        ax.set_ylim(panels.limits(points, CHANCE, top))
        panels.lines(ax, CHANCE, top)
        ax.set(xlabel="classification accuracy", title=title)
    axes[0].set_ylabel(YLABEL)
    style.group_legend(fig, things["group"], **panels.BELOW)
    return fig


def objective_class(facts: pd.DataFrame) -> pd.Series:
    """Class of each network's objective, as the paper's figures of two layers mark it.

    Parameters
    ----------
    facts : DataFrame
        group, objective, augmentation.
    """
    plus = ("cosine softmax", "logit norm", "label smoothing", "logit penalty", "extra", "mixup")

    def name(row) -> str:
        words = f"{row.objective} {row.augmentation}".lower()
        if row.group == "Image/Text":
            return "Image/Text (contrastive)"
        if row.group == "Self-Supervised":
            return "Self-sup."
        if "sigmoid" in words:
            return "Sigmoid"
        if "squared error" in words:
            return "Squared error"
        return "Softmax+" if any(p in words for p in plus) else "Softmax"

    return pd.Series([name(row) for row in facts.itertuples()], index=facts.index, dtype=object)


@panels.figure
def two_layers(pairs: pd.DataFrame, ceiling: float | None = None, what: str = YLABEL, chance: float | None = CHANCE):
    """Logits against penultimate layer, every network one point, marked by its objective (appendix A2 and A3)."""
    pairs = pairs.assign(group=objective_class(pairs))
    fig = panels.identities(pairs, f"{what}, penultimate", f"{what}, logits", 5.5, chance=chance, ceiling=ceiling)
    far = pairs.reindex(pairs["difference"].abs().sort_values(ascending=False).index).head(4)
    fig.canvas.draw()
    panels.label_points(fig.axes[0], far["x"], far["y"], far["name"], first=range(len(far)), most=0.3)
    return fig


@panels.figure
def differences(pairs: pd.DataFrame, label: str = "logits minus penultimate, percentage points"):
    """Bars of the difference of two values, network by network, sorted; bars below zero are hatched."""
    rows = pairs.sort_values("difference").reset_index(drop=True)
    fig, ax, y = panels.ladder(rows, lines=False)
    value, look = 100 * rows["difference"], {"edgecolor": style.OUTLINE, "lw": 0.6, "height": 0.75}
    bars = ax.barh(y, value, color=[style.color(g) for g in rows["group"]], **look)
    for bar, v in zip(bars, value):
        if v < 0:
            bar.set_hatch("////")
    ax.axvline(0, color=style.GREY, lw=1)
    ax.set_xlabel(label)
    return fig


@panels.figure
def control(pairs: pd.DataFrame):
    """Accuracy for the observers whose concepts are permuted (y) against the ordinary observers (x)."""
    fig, ax = panels.axes(4.6, width=5.6)
    panels.crosses(ax, pairs)
    panels.lines(ax, CHANCE, None)
    ends = panels.limits(pairs.rename(columns={"y": "value", "y_low": "low", "y_high": "high"}), CHANCE)
    half = max(abs(ends[0] - CHANCE), abs(ends[1] - CHANCE), 0.02)
    ax.set(xlabel="accuracy, people", ylabel="accuracy, people with\npermuted concepts")
    ax.set_ylim(CHANCE - half, CHANCE + half)
    style.group_legend(fig, pairs["group"], loc="outside lower center", ncols=2)
    return fig
