"""How often the rule behind verdicts is right: simulated claims with a known effect, judged as the ledger judges."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import claims, show
from ..plots import panels, style
from ..resample import counts, over_runs
from ..results import Measured, interval
from ..source import Source
from ..world.splits import concepts_of
from . import student, zero_shot
from .claims import COLOURS

REPEATS, DRAWS = 2000, 200  # simulated studies of each kind; draws of each, as many as of the ledger
# Differences of paired values, as the claims of both papers: how the book's own vary says how the simulated ones do.
DESIGNS = {
    "paper 1": {"select": {"dataset": "things", "measure": "accuracy", "layer": "penultimate"},
                "plus": {"stage": "probed"}, "minus": {"stage": "zero-shot, same folds"}, "of": "training != 'none'"},
    "paper 2": {"select": {"dataset": "levels", "measure": "accuracy", "detail": "reported/coarse"},
                "plus": {"stage": "AligNet"}, "minus": {"stage": "base"}},
}  # fmt: skip
LISTED, SAMPLE = "of these networks", "of networks like these"


def objects(source: Source) -> dict[str, int]:
    """Concepts that the claims of each paper rest on: all, and those that students are reported on."""
    everything = len(set(source.triplets("things").concepts))
    drawn = zero_shot.known(source) is not None
    return {"paper 1": everything, "paper 2": len(concepts_of(student.PART)) if drawn else everything}


def spreads(measured: Measured, models: pd.DataFrame, test: dict) -> dict | None:
    """How a paired difference of the book varies: between networks, between training runs, and over objects.

    Parameters
    ----------
    measured, models
        As for :func:`humalign.claims.judge`.
    test : dict
        select, plus, minus and of, as in ``claims.toml``.

    Returns
    -------
    dict or None
        networks, runs (how many each has, at most), between, within and objects (standard deviations of the true values
        of networks, of runs of one network, and of the objects' share that all networks have in common); None where
        fewer than two networks have both sides.
    """
    known = models.query(test["of"]) if "of" in test else models
    layer = test["select"].get("layer")
    rows = measured.select((measured.table["model"].isin(known["model"])).to_numpy())
    sides = [rows.select(claims._mask(rows, test, key)) for key in ("plus", "minus")]
    if layer is None:
        sides = [s.select(~s.table.duplicated(["model", "seed"]).to_numpy()) for s in sides]
    keyed = [s.table[["model", "seed", "value"]].assign(row=np.arange(len(s.table))) for s in sides]
    both = keyed[0].merge(keyed[1], on=["model", "seed"], suffixes=("", "_minus"))
    if both["model"].nunique() < 2:
        return None
    difference = (both["value"] - both["value_minus"]).to_numpy()
    drawn = sides[0].draws[both["row"]] - sides[1].draws[both["row_minus"]]
    groups = pd.Series(difference).groupby(both["model"].to_numpy())
    runs = groups.size()
    within = float(groups.var(ddof=1).mean()) if (runs > 1).any() else 0.0
    between = max(0.0, float(groups.mean().var(ddof=1)) - within / runs.mean())
    objects = float(np.nanstd(drawn.mean(0), ddof=1))
    return {"networks": len(runs), "runs": int(runs.max()), "between": between**0.5, "within": within**0.5,
            "objects": objects}  # fmt: skip


def simulate(design: dict, effect: float, sample: bool, objects: int, repeats: int = REPEATS, seed: int = 0):
    """Verdicts of simulated studies on "the mean difference is above 0", with the intervals of the ledger.

    Parameters
    ----------
    design : dict
        Of :func:`spreads`.
    effect : float
        The true mean: over the networks of the study, or, with ``sample``, over all networks like them.
    sample : bool
        Networks are drawn anew in every study.
    objects : int
        Resampled objects (concepts).
    repeats, seed : int

    Returns
    -------
    Series
        Share of each verdict, and ``covered``: of intervals that hold the true mean.
    """
    generator = np.random.default_rng([seed, objects, int(sample)])
    n, runs, drawn = design["networks"], design["runs"], counts(objects, DRAWS)
    # weight of each run of each network in each draw: draws of a mean over runs are linear in the runs
    one = np.eye(runs)[:, :, None] * np.ones(DRAWS)
    picked = np.stack([[over_runs(part, f"network {k}") for part in one] for k in range(n)])  # (n, runs, DRAWS)
    true = design["between"] * generator.standard_normal((repeats, n))
    true = effect + (true if sample else true - true.mean(1, keepdims=True))
    value = true[..., None] + design["within"] * generator.standard_normal((repeats, n, runs))
    # objects of each study, the same for all its networks
    noise = design["objects"] * objects**0.5 * generator.standard_normal((repeats, objects))
    draws = value.reshape(repeats, -1) @ picked.reshape(-1, DRAWS) / n + noise @ drawn / objects
    found = value.mean((1, 2)) + noise.mean(1)
    low, high = interval(draws)
    out = [claims.verdict(*ends, {"above": 0.0}) for ends in zip(found, low, high)]
    covered = float(((low <= effect) & (effect <= high)).mean())
    shares = pd.Series(out).value_counts(normalize=True).reindex(claims.VERDICTS[:3], fill_value=0.0)
    return pd.concat([shares, pd.Series({"covered": covered})])


def measure(measured: Measured, models: pd.DataFrame, objects: dict[str, int], repeats: int = REPEATS) -> pd.DataFrame:
    """:func:`simulate` for the numbers of networks, runs and objects of both papers' studies, without and with effect.

    Parameters
    ----------
    measured, models
        As for :func:`humalign.claims.judge`.
    objects : dict of str to int
        Concepts behind the claims of "paper 1" and "paper 2".

    Returns
    -------
    DataFrame
        study, networks, runs, objects, about (what the claim speaks of), effect (0, or three standard errors of objects
        and runs), one column a verdict (share of simulated studies), covered.
    """
    rows = []
    for study, test in DESIGNS.items():
        design = spreads(measured, models, test)
        if design is None:
            continue
        error = (design["objects"] ** 2 + design["within"] ** 2 / (design["networks"] * design["runs"])) ** 0.5
        for about, sample in ((LISTED, False), (SAMPLE, True)):
            for effect in (0.0, 3 * error):
                told = {"study": study, "networks": design["networks"], "runs": design["runs"],
                        "objects": objects[study], "about": about, "effect": effect}  # fmt: skip
                rows.append(told | simulate(design, effect, sample, objects[study], repeats).to_dict())
    return pd.DataFrame(rows)


def numbers(table: pd.DataFrame) -> dict:
    """Numbers for the prose: how often an effect of 0 "replicates", and one of three standard errors; key to number."""
    out = {}
    for key, about in (("listed", LISTED), ("sample", SAMPLE)):
        part = table[table["about"] == about]
        for name, rows in (("null", part[part["effect"] == 0]), ("real", part[part["effect"] > 0])):
            low, high = (100 * v for v in (rows["replicates"].min(), rows["replicates"].max()))
            out[f"vr_{key}_{name}"] = show.Words(f"{low:.1f} to {high:.1f} %" if len(rows) else "none")
    return out


@panels.figure
def figure(table: pd.DataFrame):
    """One bar a simulated study: share of each verdict.

    Parameters
    ----------
    table : DataFrame
        :func:`measure`.
    """
    fig, ax = panels.axes(1.2 + 0.42 * len(table))
    left, y = np.zeros(len(table)), np.arange(len(table))
    for name in claims.VERDICTS[:3]:
        share = table[name].to_numpy()
        ax.barh(y, share, left=left, color=COLOURS[name], label=name, edgecolor=style.PAPER, lw=0.5)
        for k, value in enumerate(share):
            if value >= 0.06:
                place = {"ha": "center", "va": "center", "color": style.PAPER}
                ax.text(left[k] + value / 2, k, f"{100 * value:.0f}", fontsize=9, **place)
        left += share
    for place in (0.025, 0.975):
        ax.axvline(place, color=style.GREY, ls=":", lw=1)
    words = [f"{r.study}, effect {'0' if r.effect == 0 else '+'}\n{r.about}" for r in table.itertuples()]
    ax.set_yticks(y, words, fontsize=8.5)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="share of simulated studies (numbers: per cent)")
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return fig
