"""Do networks know how sure people are? Choice probabilities at a temperature, their calibration and their entropy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import calibration as measures
from .. import odd_one_out, show
from ..data.plain import People
from ..data.types import Features, Triplets
from ..errors import MissingData
from ..plots import panels, style
from ..rsa import compare_vectors
from ..similarity import similarity_matrix
from ..source import Source
from ..store import digest
from . import networks

ROLES, OPTIONAL = ("things",), ()
VERSION = 1  # of what is kept: goes up when its numbers change
TEMPERATURES = tuple(float(f"{t:.4g}") for t in np.geomspace(0.02, 20, 21))
N = 16_000  # triplets at most: half of them choose a temperature, the other half judge it
BINS = 10
CRITERIA = {
    "ece": ("ECE", "#0072b2", "-"),
    "ece_mass": ("ECE, equal numbers", "#56b4e9", "--"),
    "js": ("JS distance from people", "#d55e00", "-."),
    "kl": ("KL from people, nats", "#009e73", ":"),
}
FEW = 20  # bins with fewer triplets are not drawn
RULES = {"1": ("as they are (temperature 1)", style.GREY, "s"), "log loss": ("temperature by log loss", "#2f6fae", "o")}

# ---- measuring -------------------------------------------------------------------------------------------------------


def halves(triplets: Triplets, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Rows to choose a temperature on, and rows to judge it on: evenly spread, taken in turn."""
    rows = np.linspace(0, len(triplets) - 1, min(n, len(triplets))).astype(int)
    return rows[::2], rows[1::2]


def of_similarity(similarity, triplets, rows, targets=None, temperatures=TEMPERATURES) -> dict[str, pd.DataFrame]:
    """Temperature search of one network on one half of the rows, calibration on the other half.

    Parameters
    ----------
    similarity : float (m, m)
    triplets : int (n, 3)
    rows : pair of int arrays
        From :func:`halves`.
    targets : pair of float arrays (., 3), optional
        People's probabilities for both halves; adds the criteria "kl" and "js".
    temperatures : sequence of float
        The grid.

    Returns
    -------
    dict of str to DataFrame
        "curves": criteria along the grid (first half). "chosen": one row a rule ("grid" and "continuous" with the
        lowest ECE as in the paper, "log loss", and "1"): temperature, and on the second half ece, ece_mass, nll,
        entropy (mean), sureness (mean largest probability), accuracy. "reliability": bins of confidence for "1" and
        "log loss", second half. "entropy": entropy (n,) of the second half at the temperature "log loss".
    """
    first, second = rows
    targets = targets or (None, None)
    curves = measures.search_temperature(similarity, triplets[first], targets[0], temperatures, BINS)
    rules = {
        "grid": float(curves.loc[curves["ece"].idxmin(), "temperature"]),
        "continuous": measures.fit_temperature(similarity, triplets[first], "ece", n_bins=BINS),
        "log loss": measures.fit_temperature(similarity, triplets[first], "nll"),
        "1": 1.0,
    }
    pairs = np.asarray(odd_one_out.pair_similarities(similarity, triplets[second]), dtype=np.float64)
    chosen, reliability = [], []
    for rule, temperature in rules.items():
        p = odd_one_out.softmax(pairs / temperature)
        doubt = odd_one_out.entropy(p)
        with np.errstate(divide="ignore"):
            nll = float(-np.log(p[:, 0]).mean())
        errors = [measures.expected_calibration_error(p, BINS, binning) for binning in ("width", "mass")]
        chosen.append({
            "rule": rule, "temperature": temperature, "ece": errors[0], "ece_mass": errors[1], "nll": nll,
            "entropy": float(doubt.mean()), "sureness": float(p.max(1).mean()),
            "accuracy": float((p.argmax(1) == 0).mean()), "n": len(p),
        })  # fmt: skip
        if rule in RULES:
            reliability.append(measures.calibration_table(p, BINS).assign(rule=rule))
        if rule == "log loss":
            entropy = doubt
    return {"curves": curves, "chosen": pd.DataFrame(chosen), "entropy": entropy,
            "reliability": pd.concat(reliability, ignore_index=True)}  # fmt: skip


def binned(values, by, edges) -> pd.DataFrame:
    """Mean of ``values`` in bins of ``by``: low, high, n, at (mean of ``by``), value."""
    index = np.clip(np.digitize(by, edges) - 1, 0, len(edges) - 2)
    n = np.bincount(index, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        at, mean = (np.bincount(index, v, len(edges) - 1) / n for v in (by, values))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n, "at": at, "value": mean})


def of_features(features: Features, triplets: Triplets, people: People | None = None) -> dict[str, pd.DataFrame]:
    """Calibration of one network in one layer, from cosine similarities.

    Parameters
    ----------
    features : Features
    triplets : Triplets
    people : People, optional
        With probabilities of the answers to the triplets; where they are known and not estimated, they are the targets
        of the criteria "kl" and "js".

    Returns
    -------
    dict of str to DataFrame
        "curves", "chosen" and "reliability" of :func:`of_similarity`, and the tables of :func:`doubts`, all with a
        column model.
    """
    rows = halves(triplets)
    known = people is not None and people.known and people.probabilities is not None
    targets = tuple(people.probabilities[r] for r in rows) if known else None
    similarity = similarity_matrix(features.align(triplets.ids).values, "cosine")
    made = of_similarity(similarity, triplets.triplets, rows, targets)
    out = {key: made[key].assign(model=features.model) for key in ("curves", "chosen", "reliability")}
    return {**out, **doubts(features.model, made["entropy"], triplets, people)}


def doubts(model: str, entropy, triplets: Triplets, people: People | None) -> dict[str, pd.DataFrame]:
    """Entropy of choices beside people's entropy and response times, on the second half of the triplets.

    Parameters
    ----------
    model : str
    entropy : float array (n,) or None
        Nats; None: of the people themselves.
    triplets : Triplets
    people : People or None
        With probabilities of the answers.

    Returns
    -------
    dict of str to DataFrame
        "entropy": mean in ten equally filled bins of people's entropy, see :func:`binned`. "doubt": Spearman
        correlations over triplets, with people's entropy and with response time. Both without rows where nobody says
        how sure people are.
    """
    if people is None or people.probabilities is None:
        bins, doubt = ["low", "high", "n", "at", "value", "model"], ["model", "entropy", "time"]
        return {"entropy": pd.DataFrame(columns=bins), "doubt": pd.DataFrame(columns=doubt)}
    second = halves(triplets)[1]
    human = odd_one_out.entropy(people.probabilities[second])
    seconds = None if triplets.response_times is None else triplets.response_times[second]
    own = human if entropy is None else entropy
    edges = np.quantile(human, np.linspace(0, 1, 11))
    rho = {
        name: np.nan if b is None else compare_vectors(own, b) for name, b in (("entropy", human), ("time", seconds))
    }
    return {"entropy": binned(own, human, edges).assign(model=model), "doubt": pd.DataFrame([{"model": model, **rho}])}


def measure(source: Source, layer: str = "penultimate", models=None, seeds=(0,)) -> dict[str, pd.DataFrame]:
    """Calibration of the networks of a source, network by network kept in the cache.

    Parameters
    ----------
    source : Source
    layer : str
    models, seeds
        See :meth:`humalign.source.Source.features`.

    Returns
    -------
    dict of str to DataFrame
        The tables of :func:`of_features` for all networks, with people themselves as model "people" in "entropy" and
        "doubt". Where people's probabilities are estimated (VICE), the criteria "kl" and "js" are missing; where there
        are none, "entropy" and "doubt" are empty, see :func:`rows_of`.
    """
    triplets = source.triplets("things")
    try:
        people = source.people("things")
    except MissingData:
        people = None
    chances = None if people is None or people.probabilities is None else digest(people.probabilities, people.known)

    def of_run(features, triplets, **_):
        return of_features(features[0], triplets, people)

    parts = [doubts("people", None, triplets, people)]
    parts += networks.each(
        source, "things", of_run, VERSION, name=f"calibration-{layer}", inputs=[TEMPERATURES, N, BINS, chances],
        layers=(layer,), models=models, seeds=seeds,
    )  # fmt: skip
    keys = ("curves", "chosen", "reliability", "entropy", "doubt")
    tables = {key: [part[key] for part in parts if key in part] for key in keys}
    return {key: pd.concat([t for t in found if len(t)] or found, ignore_index=True) for key, found in tables.items()}


def rows_of(tables: dict[str, pd.DataFrame], key: str) -> pd.DataFrame:
    """A table of :func:`measure`, or "time": the rows of "doubt" with response times.

    Raises
    ------
    MissingData
        When it has no rows, because nobody says how sure people are or how long they took.
    """
    table = tables["doubt"].dropna(subset="time") if key == "time" else tables[key]
    if len(table):
        return table
    if key == "time" and len(tables["doubt"]):
        raise MissingData("have no response times", "people's answers", "use the profile mini for this figure")
    told = "'humalign data where things/vice_probabilities' says what is needed"
    raise MissingData("it is not known how sure people are", key, told)


# ---- tables ----------------------------------------------------------------------------------------------------------


def by_rule(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its column rule as text: CSV files read a column that holds only 1 as numbers."""
    return table.assign(rule=table["rule"].astype(str))


def of_networks(table: pd.DataFrame, models) -> pd.DataFrame:
    """Rows of some networks."""
    return table[table["model"].isin(models)]


def table(models: pd.DataFrame, chosen: pd.DataFrame, doubt: pd.DataFrame) -> pd.DataFrame:
    """One row a network: temperatures by three rules, log loss, accuracy, correlations of its entropy.

    Parameters
    ----------
    models : DataFrame
        number, name, group, model.
    chosen : DataFrame
        model, rule, temperature, nll, accuracy.
    doubt : DataFrame
        model, entropy, time: rank correlations.
    """
    wide = chosen.pivot(index="model", columns="rule", values=["temperature", "nll", "accuracy"])
    rules = {"T, grid": "grid", "T, lowest ECE": "continuous", "T, log loss": "log loss"}
    columns = {heading: wide["temperature", rule] for heading, rule in rules.items()}
    columns |= {"log loss": wide["nll", "log loss"], "accuracy": wide["accuracy", "1"]}
    facts = of_networks(models, wide.index).set_index("model")[["name", "group"]].assign(**columns)
    headings = {"entropy": "ρ, people's entropy", "time": "ρ, response time"}
    return facts.join(doubt.set_index("model").rename(columns=headings))


def numbers(models: pd.DataFrame, chosen: pd.DataFrame, doubt: pd.DataFrame) -> dict:
    """Numbers of the prose, by key: triplets, medians over trained networks, who doubts most as people do.

    Parameters
    ----------
    models : DataFrame
        model, name, group.
    chosen : DataFrame
        model, rule, n (triplets of one half), ece, temperature.
    doubt : DataFrame
        model ("people" among them), entropy, time: rank correlations; what is not known gets no key.
    """
    group = chosen["model"].map(models.set_index("model")["group"])
    median = chosen[group != "Untrained"].groupby("rule")[["ece", "temperature"]].median()
    out = {
        "cal_n": show.number(2 * int(chosen["n"].max())),
        "cal_before": show.number(median.loc["1", "ece"]),
        "cal_after": show.number(median.loc["continuous", "ece"]),
        "cal_temperature": show.number(median.loc["continuous", "temperature"]),
    }
    if len(doubt):
        rows = doubt.set_index("model")
        own = rows.drop("people")
        best = own.loc[own["entropy"].idxmax()]
        out |= {"cal_doubt_name": networks.names(models)[best.name], "cal_doubt": show.number(best["entropy"])}
        if np.isfinite(rows.loc["people", "time"]):
            out |= {"cal_time_people": show.number(rows.loc["people", "time"]), "cal_time": show.number(best["time"])}
    return out


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def search(curves: pd.DataFrame, chosen: pd.DataFrame, names: dict[str, str], models, top: float = 0.5):
    """Criteria along the temperature, one panel a network (the form of the paper's search).

    Parameters
    ----------
    curves : DataFrame
        model, temperature and the criteria; those that are missing are left out.
    chosen : DataFrame
        model, rule, temperature.
    names : dict of str to str
    models : sequence of str
    top : float
        Upper end of the y axis.
    """
    fig, axes = panels.grid(len(models), 2.5, 2, sharey=True)
    for k, (ax, model) in enumerate(zip(axes, models)):
        part = curves[curves["model"] == model].sort_values("temperature")
        for key, (label, colour, line) in CRITERIA.items():
            if key in part and part[key].notna().any():
                ax.plot(part["temperature"], part[key], color=colour, ls=line, label=label)
        rules = chosen[chosen["model"] == model].set_index("rule")["temperature"]
        ax.axvline(rules["continuous"], color=style.GREY, lw=1, label="temperature with the lowest ECE")
        ax.set(xscale="log", title=names.get(model, model), ylim=(0, top))
        if k >= len(models) - 2:
            ax.set_xlabel("temperature")
        if k % 2 == 0:
            ax.set_ylabel("criterion")
    style.legend(fig, *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9.5)
    return fig


@panels.figure
def curves(table: pd.DataFrame, models: pd.DataFrame):
    """Expected calibration error and log loss of all networks along the temperature.

    Parameters
    ----------
    table : DataFrame
        model, temperature, ece, nll.
    models : DataFrame
        Facts.
    """
    group = models.set_index("model")["group"]
    fig, (left, right) = panels.axes(4.1, 1, 2)
    for ax, key, label in ((left, "ece", "expected calibration error"), (right, "nll", "log loss, nats")):
        for model, part in table.groupby("model", sort=False):
            part = part.sort_values("temperature")
            above = 2 + 1 / (group == group[model]).sum()  # the lines of small groups lie on those of large ones
            ax.plot(part["temperature"], part[key], zorder=above, **style.thin(group[model], 1, 0.7))
        ax.set(xscale="log", xlabel="temperature", ylabel=label)
    style.reference_line(right, np.log(3), "guessing")
    right.set_ylim(table["nll"].min() - 0.01, np.log(3) + 0.15)
    left.set_ylim(0, None)
    style.group_legend(fig, group[table["model"].unique()], lines=True, **panels.BELOW)
    return fig


@panels.figure
def reliability(table: pd.DataFrame, names: dict[str, str], models, rules=tuple(RULES)):
    """Share of choices that agree with people against the probability the network gives them; one panel a network.

    The area of a marker is the share of triplets in its bin; bins with fewer than 20 triplets are left out.
    """
    table = table[table["model"].isin(list(models)) & (table["n"] >= FEW)]
    top = min(1.0, 0.05 + table[["confidence", "accuracy"]].max().max())
    fig, axes = panels.grid(len(models), 2.9, 2, sharex=True, sharey=True)
    for k, (ax, model) in enumerate(zip(axes, models)):
        ax.plot([0, 1], [0, 1], color=style.GREY, ls="--", lw=1.1, label="calibrated")
        for rule in rules:
            part = table[(table["model"] == model) & (table["rule"] == rule)]
            label, colour, marker = RULES[rule]
            ax.plot(part["confidence"], part["accuracy"], color=colour, lw=1.2, zorder=2)
            look = {"color": colour, "marker": marker, "edgecolors": style.OUTLINE, "linewidths": 0.6, "zorder": 3}
            area = 6 + 130 * part["n"] / part["n"].sum()
            ax.scatter(part["confidence"], part["accuracy"], s=area, alpha=0.8, label=label, **look)
        ax.set(xlim=(0.3, top), ylim=(0.25, top), title=names.get(model, model))
        if k >= len(models) - 2:
            ax.set_xlabel("mean confidence in the bin")
        if k % 2 == 0:
            ax.set_ylabel("share as people chose")
    handles, labels = axes[0].get_legend_handles_labels()
    for handle in handles[1:]:
        handle.set_sizes([45])
    style.legend(fig, handles, labels, loc="outside lower center", ncols=3, fontsize=9.5)
    return fig


@panels.figure
def improvement(chosen: pd.DataFrame, models: pd.DataFrame):
    """Expected calibration error at temperature 1 and at the chosen one, network by network, sorted.

    Parameters
    ----------
    chosen : DataFrame
        model, rule, ece.
    models : DataFrame
        Facts.
    """
    wide = chosen.pivot(index="model", columns="rule", values="ece")
    rows = models.merge(wide, left_on="model", right_index=True).sort_values("continuous", ascending=False)
    fig, ax, y = panels.ladder(rows, 1.5)
    ax.hlines(y, rows["continuous"], rows["1"], color=style.GREY, lw=1, alpha=0.6)
    ax.scatter(rows["1"], y, s=22, facecolors="none", edgecolors=style.GREY)
    panels.dots(ax, rows["continuous"], y, rows["group"])
    ax.set_xlabel("expected calibration error on other triplets\n(open: temperature 1)")
    ax.set_xlim(-0.012 * rows[["1", "continuous"]].max().max(), None)
    return fig


@panels.figure
def entropy(table: pd.DataFrame, models: pd.DataFrame):
    """Mean entropy of the networks' choices in bins of people's entropy: beside people's own, and by themselves.

    Parameters
    ----------
    table : DataFrame
        model ("people" among them), at (mean of people's entropy in the bin), value.
    models : DataFrame
        Facts.
    """
    group = models.set_index("model")["group"]
    own = table[table["model"] == "people"]
    rest = table[table["model"] != "people"].assign(group=lambda t: t["model"].map(group))
    fig, axes = panels.axes(4.2, 1, 2)
    for ax, thin in zip(axes, (False, True)):
        for model, part in rest.groupby("model", sort=False) if thin else ():
            ax.plot(part["at"], part["value"], **style.thin(group[model], 0.6, 0.4))
        for name in style.order(rest["group"]):
            part = rest[rest["group"] == name].groupby("low")[["at", "value"]].mean()
            look = {"marker": style.marker(name), "ms": 5, "mec": style.OUTLINE, "mew": 0.6, "lw": 1.4}
            rim = style.casing(name, 1.4)
            ax.plot(part["at"], part["value"], color=style.color(name), path_effects=rim, **look)
        ax.set_xlabel("people's entropy, nats")
    axes[0].plot(own["at"], own["value"], color=style.GREY, ls="--", lw=1.3)
    if len(own):
        words = {"xytext": (8, -4), "textcoords": "offset points", "fontsize": 9.5, "color": style.GREY}
        axes[0].annotate("people", (own["at"].iloc[0], own["value"].iloc[0]), **words)
    style.reference_line(axes[1], float(np.log(3)), "ln 3: guessing", at=0.02)
    axes[0].set(title="a  with people", ylabel="network's entropy, nats")
    axes[1].set(title="b  networks alone, closer")
    style.group_legend(fig, rest["group"], **panels.BELOW)
    return fig


@panels.figure
def doubt(table: pd.DataFrame, models: pd.DataFrame):
    """Rank correlation of each network's entropy with people's entropy (x) and with their response times (y)."""
    rows = models.merge(table, on="model")
    people = table[table["model"] == "people"]
    fig, ax = panels.axes(4.6, width=5.6)
    style.points(ax, rows["entropy"], rows["time"], rows["group"], size=42)
    for value in people["time"]:
        style.reference_line(ax, value, "people's own entropy", at=0.02)
    ax.axhline(0, color=style.GREY, lw=0.8, ls=":")
    ax.axvline(0, color=style.GREY, lw=0.8, ls=":")
    ax.set(xlabel="Spearman's ρ with people's entropy", ylabel="Spearman's ρ with response times")
    style.group_legend(fig, rows["group"], loc="outside lower center", ncols=2)
    fig.canvas.draw()
    best = rows.sort_values("entropy", ascending=False).head(3)
    panels.label_points(ax, best["entropy"], best["time"], best["name"], first=range(len(best)))
    return fig
