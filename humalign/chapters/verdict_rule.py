"""How often the rule behind verdicts is right: simulated claims with a known effect, judged as the ledger judges."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import claim_tests, claims, show
from ..plots import panels, style
from ..resample import counts, over_runs
from ..results import Measured, interval
from ..source import Source
from ..world.splits import concepts_of
from . import student, zero_shot
from .claims import COLOURS

REPEATS, DRAWS = 2000, 200  # simulated studies of each kind; draws of each
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
    sides = [rows.select(claim_tests.selected(rows, test, key)) for key in ("plus", "minus")]
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


def spreads_of_groups(measured: Measured, models: pd.DataFrame, test: dict) -> dict | None:
    """How the difference of two groups varies (``a`` and ``b`` of a test); as :func:`spreads`, with networks as pairs.

    Returns
    -------
    dict or None
        networks (a tuple: of both groups), resampled (True: networks are drawn anew, as the test does), and the rest of
        :func:`spreads`; None where a group has fewer than two networks.
    """
    rows = measured.select(claim_tests.selected(measured, test, "where"))
    rows = rows.select((rows.table["layer"] == test["layer"]).to_numpy())
    groups = [models.query(test[key])["model"] for key in ("a", "b")]
    inside = [rows.table["model"].isin(group).to_numpy() for group in groups]
    if min(rows.table["model"][keep].nunique() for keep in inside) < 2:
        return None
    by_run = [rows.table[keep].groupby("model")["value"] for keep in inside]
    runs = pd.concat([g.size() for g in by_run])
    within = float(pd.concat([g.var(ddof=1) for g in by_run]).mean()) if (runs > 1).all() else 0.0
    apart = [g.mean().var(ddof=1) for g in by_run]
    between = max(0.0, float(np.mean(apart)) - within / runs.mean())
    drawn = rows.draws[inside[0]].mean(0) - rows.draws[inside[1]].mean(0)
    return {"networks": tuple(len(g) for g in by_run), "resampled": True, "runs": int(runs.max()),
            "between": between**0.5, "within": within**0.5, "objects": float(np.nanstd(drawn, ddof=1))}  # fmt: skip


def _weights(networks: int, runs: int, draws: int, side: int, resampled: bool) -> np.ndarray:
    """Weight of each run of each network of a side in each draw of its mean, (networks x runs, draws)."""
    one = np.eye(runs)[:, :, None] * np.ones(draws)
    picked = np.stack([[over_runs(part, f"network {k}" + " b" * side) for part in one] for k in range(networks)])
    if resampled:
        pick = np.random.default_rng([side, networks]).integers(networks, size=(networks, draws))
        picked = picked * (pick == np.arange(networks)[:, None, None]).sum(1)[:, None]
    return picked.reshape(-1, draws) / networks


def simulate(
    design: dict, effect: float, sample: bool, objects: int, repeats: int = REPEATS, seed: int = 0, draws: int = DRAWS
):  # fmt: skip
    """Verdicts of simulated studies on "the mean difference is above 0", with the intervals of the ledger.

    Parameters
    ----------
    design : dict
        Of :func:`spreads`, or :func:`spreads_of_groups`.
    effect : float
        The true mean (of a group less that of another): over the networks of the study, or, with ``sample``, over all
        networks like them.
    sample : bool
        Networks are drawn anew in every study.
    objects : int
        Resampled objects (concepts).
    repeats, seed, draws : int

    Returns
    -------
    Series
        Share of each verdict, and ``covered``: of intervals that hold the true mean.
    """
    generator = np.random.default_rng([seed, objects, int(sample)])
    runs, found, moved = design["runs"], effect, effect
    for side, n in enumerate(np.atleast_1d(design["networks"])):  # draws of a mean over runs are linear in the runs
        true = design["between"] * generator.standard_normal((repeats, n))
        true = true if sample else true - true.mean(1, keepdims=True)
        value = true[..., None] + design["within"] * generator.standard_normal((repeats, n, runs))
        weights, sign = _weights(n, runs, draws, side, design.get("resampled", False)), 1 - 2 * side
        moved = moved + sign * value.reshape(repeats, -1) @ weights
        found = found + sign * value.mean((1, 2))
    # objects of each study, the same for all its networks
    noise = design["objects"] * objects**0.5 * generator.standard_normal((repeats, objects))
    found = found + noise.mean(1)
    low, high = interval(moved + noise @ counts(objects, draws) / objects)
    out = [claims.verdict(*ends, {"above": 0.0}) for ends in zip(found, low, high)]
    covered = float(((low <= effect) & (effect <= high)).mean())
    shares = pd.Series(out).value_counts(normalize=True).reindex(claims.VERDICTS[:3], fill_value=0.0)
    return pd.concat([shares, pd.Series({"covered": covered})])


def measure(
    measured: Measured, models: pd.DataFrame, objects: dict[str, int], repeats: int = REPEATS, designs=None
) -> pd.DataFrame:  # fmt: skip
    """:func:`simulate` for the numbers of networks, runs and objects of the book's studies, without and with effect.

    Parameters
    ----------
    measured, models
        As for :func:`humalign.claims.judge`.
    objects : dict of str to int
        Concepts behind the claims of each design.
    repeats : int
    designs : dict of str to dict, optional
        Tests whose differences are simulated; default: those of both papers. A difference of groups speaks of networks
        like these only, since its networks are drawn anew.

    Returns
    -------
    DataFrame
        study, networks, runs, objects, about (what the claim speaks of), effect (0, or three standard errors of objects
        and runs), one column a verdict (share of simulated studies), covered.
    """
    rows = []
    for study, test in (designs or DESIGNS).items():
        groups = "a" in test
        design = (spreads_of_groups if groups else spreads)(measured, models, test)
        if design is None:
            continue
        sizes = np.atleast_1d(design["networks"])
        several = design["within"] ** 2 / design["runs"] + groups * design["between"] ** 2
        error = (design["objects"] ** 2 + several * (1 / sizes).sum()) ** 0.5
        for about, sample in ((SAMPLE, True),) if groups else ((LISTED, False), (SAMPLE, True)):
            for effect in (0.0, 3 * error):
                told = {"study": study, "networks": " against ".join(map(str, sizes)), "runs": design["runs"],
                        "objects": objects[study], "about": about, "effect": effect}  # fmt: skip
                drawn = simulate(design, effect, sample, objects[study], repeats, draws=measured.draws.shape[1])
                rows.append(told | drawn.to_dict())
    return pd.DataFrame(rows)


def _between(shares: pd.Series, digits: int, provenance: str) -> show.Number | show.Words:
    """The smallest and the largest of some shares in per cent, in words; a number where they are one."""
    if shares.nunique() == 1:
        return show.number(100 * shares.iloc[0], None, provenance, digits=digits, unit=" %")
    return show.Words(
        f"{100 * shares.min():.{digits}f} to {100 * shares.max():.{digits}f} %" if len(shares) else "none"
    )


def numbers(table: pd.DataFrame, provenance: str = "live") -> dict:
    """Numbers for the prose, key to number.

    How often an effect of 0 "replicates" (``vr_<about>_null``), and one of three standard errors (``_real``); and how
    many intervals hold the truth (``_covered``).
    """
    out = {}
    for key, about in (("listed", LISTED), ("sample", SAMPLE)):
        part = table[table["about"] == about]
        out[f"vr_{key}_covered"] = _between(part["covered"], 0, provenance)
        for name, rows in (("null", part[part["effect"] == 0]), ("real", part[part["effect"] > 0])):
            out[f"vr_{key}_{name}"] = _between(rows["replicates"], 1, provenance)
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
