"""The claims of both papers on the results of one source: what they are judged on, tables, numbers, figures."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from .. import claims, show
from ..errors import MissingData
from ..plots import panels, style
from ..results import KEYS, Measured, farthest
from ..source import YOURS, Source
from ..zoo.facts import kinds
from . import concepts, networks, probing, released, rsa, student, zero_shot

ROLES, OPTIONAL = ("things", "cichy", "king1", "king2"), ("coarse", *released.ROLES)
COLOURS = {
    "replicates": "#228833",
    "does not replicate": "#cc3311",
    "undecided": "#8a6400",
    "not measured": style.GREY,
}
ALPHA = 0.05  # level of Holm's correction
SHAPES = {"replicates": "o", "does not replicate": "X", "undecided": "D", "not measured": "|"}

# ---- what claims are judged on ---------------------------------------------------------------------------------------


def join(*parts: Measured) -> Measured:
    """Measured tables as one; the smallest number of draws counts, and of rows with one key the first is kept."""
    draws = min(p.draws.shape[1] for p in parts)
    table = pd.concat([p.table for p in parts], ignore_index=True)
    values = np.concatenate([p.draws[:, :draws] for p in parts])
    first = ~table.duplicated(KEYS).to_numpy()
    return Measured(table[first], values[first])


def paper_one(source: Source) -> Measured:
    """Zero-shot accuracy, RSA, probing, regression and accuracy by dimension, further training runs included.

    What lacks data is left out, and so are the students of the second paper and their teacher.

    Raises
    ------
    MissingData
        When nothing can be measured.
    """
    facts, parts, gone = kinds(source.networks()), [], []
    own = facts.loc[facts["student"] == "", "model"].tolist()
    together = (  # a network whose transform collapsed in the live run is still one of those compared without it
        (zero_shot.measure,), (rsa.measure, probing.measure_rsa), (probing.measure,), (concepts.regression_accuracy,),
        (concepts.measure,),
    )  # fmt: skip
    for measures in together:
        live = []
        for measure in measures:
            try:
                live.append(measure(source, models=own))
            except MissingData as error:
                gone.append(error)
        if live:
            parts.append(networks.with_recorded(*live))
    if not parts:
        raise gone[0]
    return join(*parts)


def paper_two(source: Source) -> Measured | None:
    """Students before and after alignment: the released ones, of the drawn world the recorded runs; None without any.

    Results on the concepts that are reported have the detail "reported", or begin with "reported/".
    """
    try:
        if zero_shot.known(source) is None:
            return released.measure(source)
        return student.as_claimed(student.runs())
    except MissingData:
        return None


def collect(source: Source) -> tuple[Measured, pd.DataFrame]:
    """Everything that the claims are tested on.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Measured
        Rows of both papers' studies with their bootstrap draws.
    DataFrame
        Facts of the networks (:func:`humalign.zoo.facts.kinds`); the reader's own is no evidence for a claim.

    Raises
    ------
    MissingData
        When nothing can be measured.
    InputError
        For a claim that selects no network, or a single one, of a table that holds the comparisons of the papers.
    """
    facts = kinds(source.networks())
    facts = facts[facts["group"] != YOURS]
    if facts["role"].str.contains("architecture").any():
        for claim in [*claims.ledger(), *claims.later()]:
            claims.check(claim, facts)
    second = paper_two(source)
    try:
        first = paper_one(source)
    except MissingData:
        if second is None:
            raise
        return second, facts
    return (first if second is None else join(first, second)), facts


# ---- tables ----------------------------------------------------------------------------------------------------------


def verdict_table(verdicts: pd.DataFrame, beside: pd.DataFrame | None = None) -> pd.DataFrame:
    """What a reader wants of :func:`humalign.claims.judge`: each effect with its unit, interval and provenance.

    Parameters
    ----------
    verdicts : DataFrame
    beside : DataFrame, optional
        Real people and what was published, row by row (:func:`humalign.chapters.pairings.beside`): they follow the
        verdict, and what decided it comes last.
    """
    effects = [
        "" if row.verdict == "not measured" else show.number(row.effect, (row.low, row.high), row.provenance)
        for row in verdicts.itertuples()
    ]
    basis = [f"{s} ({b})" if b else s for s, b in zip(verdicts["statistic"], verdicts["basis"])]
    columns = {
        "claim (source)": [f"{c} ({s})" for c, s in zip(verdicts["claim"], verdicts["source"])],
        "statistic (basis)": basis,
        "criterion": verdicts["criterion"].to_numpy(),
        "effect": effects,
        "unit": verdicts["unit"].to_numpy(),
        "verdict": verdicts["verdict"].to_numpy(),
    }
    if "holm" in verdicts:
        decided = verdicts["verdict"].isin(["replicates", "does not replicate"])
        columns["survives Holm"] = np.where(decided, np.where(verdicts["holm"] < ALPHA, "yes", "no"), "")
    if beside is None:
        return pd.DataFrame(columns)
    here = [[effect, unit] if effect else "not measured" for effect, unit in zip(effects, columns.pop("unit"))]
    first = {"claim": verdicts["claim"].to_numpy(), "here": here, "verdict": columns.pop("verdict")}
    last = {key: values for key, values in columns.items() if key not in ("claim (source)", "effect")}
    return pd.DataFrame(first | dict(beside.items()) | last)


def effect_table(effects: pd.DataFrame) -> pd.DataFrame:
    """What a reader wants of :func:`humalign.claims.describe_later`: the same without criterion and verdict."""
    marked = np.where(effects["effect"].isna(), "not measured", "")
    return verdict_table(effects.assign(criterion="", verdict=marked)).drop(columns=["criterion", "verdict"])


def students(source: Source) -> Measured:
    """:func:`paper_two`.

    Raises
    ------
    MissingData
        Where no student was measured.
    """
    found = paper_two(source)
    if found is None:
        raise MissingData("were not measured", "released students", released.GET)
    return found


def numbers_of_tests(verdicts: pd.DataFrame, measured: Measured) -> dict:
    """Numbers for the prose on many tests at once: how many, how many are decided, and what survives; key to number.

    Parameters
    ----------
    verdicts : DataFrame
        Of :func:`humalign.claims.judge` with p-values.
    measured : Measured
    """
    tests, draws = int(verdicts["holm"].notna().sum()), measured.draws.shape[1]
    decided = verdicts[verdicts["verdict"].isin(["replicates", "does not replicate"])]
    basis = farthest(decided["provenance"], "live")
    return {
        "cl_tests": show.number(tests),
        "cl_decided": show.number(len(decided), provenance=basis),
        "cl_survive": show.number(int((decided["holm"] < ALPHA).sum()), provenance=basis),
        "cl_floor": show.number(2 / (draws + 1), digits=3),
        "cl_first_step": show.number(ALPHA / max(tests, 1), digits=4),
        **of_draws(verdicts, draws, "cl"),
    }


def of_draws(verdicts: pd.DataFrame, draws: int, prefix: str) -> dict:
    """Numbers for the prose on how well intervals are known: ``<prefix>_draws``, ``_error``, ``_most``.

    The latter two are how far other draws would move an end, in per cent of the width: median and most over the claims.
    """
    share = 100 * (verdicts["error"] / (verdicts["high"] - verdicts["low"])).replace(np.inf, np.nan)
    basis, told = farthest(verdicts["provenance"], "live"), {"error": share.median(), "most": share.max()}
    return {f"{prefix}_draws": show.number(draws, provenance=basis)} | {
        f"{prefix}_{key}": show.number(value, None, basis, digits=1, unit=" %") for key, value in told.items()
    }


def verdict_counts(verdicts: pd.DataFrame) -> dict[str, show.Number | str]:
    """How many claims of each paper got each verdict: ``cl_<verdict>_<paper>``, ``cl_all_<paper>``.

    Controls are counted apart: ``cl_controls_<paper>``, and ``cl_controls_kept_<paper>`` that hold.
    """
    out = {}
    for paper, part in verdicts.groupby("paper"):
        basis = farthest(part["provenance"], "live")
        control, part = part[part["control"]], part[~part["control"]]
        kept = int((control["verdict"] == "replicates").sum())
        out[f"cl_controls_{paper}"] = show.Words(len(control))
        out[f"cl_controls_kept_{paper}"] = show.number(kept, provenance=basis)
        out[f"cl_all_{paper}"] = show.Words(len(part))
        for verdict in claims.VERDICTS:
            count = int((part["verdict"] == verdict).sum())
            out[f"cl_{verdict.replace(' ', '_')}_{paper}"] = show.number(count, provenance=basis)
    return out


def criteria(file: str = "claims.toml") -> dict[str, dict]:
    """Claim to criterion, as written in a ledger before any result was seen."""
    return {claim["id"]: claim["criterion"] for claim in claims.ledger(file)}


def of_paper(verdicts: pd.DataFrame, paper: int) -> pd.DataFrame:
    """Verdicts on the claims of paper 1 or 2."""
    return verdicts[verdicts["paper"] == paper]


def numbers(verdicts: pd.DataFrame, measured: Measured) -> dict:
    """Numbers for the prose: verdicts of each paper, and the training runs behind them; key to number."""
    return {
        **verdict_counts(verdicts),
        "cl_runs_1": claims.training_runs(measured, dataset="things", stage="zero-shot"),
        "cl_runs_2": claims.training_runs(measured, dataset="levels", stage="AligNet"),
    }


def numbers_of_recovery(probed: pd.DataFrame, plain: pd.DataFrame) -> dict:
    """Numbers for the prose: generators named right with and without the probe, and all; key to number.

    Parameters
    ----------
    probed, plain : DataFrame
        :func:`humalign.chapters.recovery.recovered`.
    """
    return {
        "cl_recovered": show.number(int(probed["right"].sum())),
        "cl_recovered_plain": show.number(int(plain["right"].sum())),
        "cl_generators": show.number(len(probed)),
    }


# ---- figures ---------------------------------------------------------------------------------------------------------


def _ends(criterion: dict) -> tuple[float, float]:
    """Range of effects that agree with a claim."""
    if "within" in criterion:
        return tuple(criterion["within"])
    return (criterion["above"], np.inf) if "above" in criterion else (-np.inf, criterion["below"])


@panels.figure
def forest(verdicts: pd.DataFrame, criteria: dict[str, dict], width: int = 58):
    """One row a claim: its effect with 95 % interval, and shaded the range that agrees with the claim.

    Every row has its own scale, since effects are shares, correlations and slopes; its unit stands in brackets.

    Parameters
    ----------
    verdicts : DataFrame
        Of :func:`humalign.claims.judge`: id, claim, effect, low, high, verdict, unit.
    criteria : dict of str to dict
        Claim id to criterion.
    """
    rows = verdicts.reset_index(drop=True)
    tall = 1.25 if style.narrow() else 0.72  # inches a row: words beside the interval, on a phone above it
    fig, axes = panels.axes(0.3 + tall * len(rows), len(rows), 1, squeeze=False, layout="none")
    beside = (
        {"left": 0.03, "right": 0.97, "hspace": 3.2} if style.narrow() else {"left": 0.52, "right": 0.985, "hspace": 1}
    )
    fig.subplots_adjust(top=1 - 0.75 / (0.3 + tall * len(rows)) if style.narrow() else 0.995, bottom=0.02, **beside)
    for ax, row in zip(axes[:, 0], rows.itertuples()):
        low, high = _ends(criteria[row.id])
        marks = [v for v in (row.effect, row.low, row.high, low, high) if np.isfinite(v)]
        pad = 0.16 * max(max(marks) - min(marks), 1e-3)
        left, right = min(marks) - pad, max(marks) + pad
        ax.axvspan(max(low, left), min(high, right), color="#228833", alpha=0.16, lw=0)
        for end in (low, high):
            if np.isfinite(end):
                ax.axvline(end, color=style.GREY, lw=1, ls="--")
        colour = COLOURS[row.verdict]
        if row.verdict == "not measured":
            middle = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": 9, "color": style.GREY}
            ax.text(0.5, 0.5, "not measured", **middle)
        else:
            ax.hlines(0, row.low, row.high, color=colour, lw=2.4)
            ax.scatter(row.effect, 0, s=60, c=colour, marker=SHAPES[row.verdict], edgecolors=style.OUTLINE, zorder=3)
        ax.set(xlim=(left, right), ylim=(-1, 1), yticks=[])
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="x", labelsize=8.5, pad=1)
        ax.locator_params(axis="x", nbins=4)
        measured = f" [{row.unit}]" if getattr(row, "unit", "") else ""
        text = textwrap.fill(row.claim + measured, width)
        place = {"transform": ax.transAxes, "fontsize": 8.5}
        if style.narrow():
            ax.text(0, 1.55, text, color=style.GREY, va="bottom", **place)
            ax.text(0, 1.12, row.verdict, color=colour, weight="bold", va="bottom", **place)
            continue
        lines, step = text.count("\n") + 2, 0.4  # height of a line, in heights of the axes
        top, place = 0.5 + lines / 2 * step, {"ha": "right", "va": "top", **place}
        ax.text(-0.03, top, text, color=style.GREY, **place)
        ax.text(-0.03, top - (lines - 1) * step, row.verdict, color=colour, weight="bold", **place)
    return fig


@panels.figure
def tally(verdicts: pd.DataFrame):
    """How many claims of each paper replicate, do not, or stay open; one bar a paper, and one for the controls."""
    bar = verdicts["paper"].map("paper {}".format)
    if "control" in verdicts:
        bar = bar.where(~verdicts["control"].astype(bool), "controls")
    order = [*sorted(set(bar) - {"controls"}), *({"controls"} & set(bar))]
    counts = pd.crosstab(bar, verdicts["verdict"]).reindex(index=order, columns=list(COLOURS), fill_value=0)
    fig, ax = panels.axes(0.9 + 0.55 * len(counts))
    left, look = np.zeros(len(counts)), {"edgecolor": style.PAPER, "lw": 0.5}
    for verdict, colour in COLOURS.items():
        value = counts[verdict].to_numpy()
        ax.barh(np.arange(len(counts)), value, left=left, color=colour, label=verdict, **look)
        for k, v in enumerate(value):
            if v:
                ax.text(left[k] + v / 2, k, str(v), ha="center", va="center", color=style.PAPER, fontsize=10)
        left += value
    ax.set_yticks(np.arange(len(counts)), counts.index)
    ax.invert_yaxis()
    ax.set_xlabel("claims")
    ax.locator_params(axis="x", integer=True)
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return fig


@panels.figure
def recovery(table: pd.DataFrame, names: dict[str, str], columns=("accuracy", "zero_shot")):
    """Who fits best the choices that each network made: one matrix with the probe, one without.

    Parameters
    ----------
    table : DataFrame
        generator, candidate and the columns shown.
    names : dict of str to str
        Display names.
    """
    from matplotlib.patches import Rectangle

    titles = {"accuracy": "with the probe, held-out concepts", "zero_shot": "without the probe"}
    fig, axes = panels.axes(4.2 * len(columns), len(columns), squeeze=False)
    for ax, column in zip(axes[:, 0], columns):
        wide = table.pivot(index="generator", columns="candidate", values=column)
        order = list(dict.fromkeys(table["generator"]))
        values = 100 * wide.reindex(index=order, columns=order).to_numpy()
        lost = values - values.max(axis=1, keepdims=True)  # to the best candidate of the row
        digits, shown = 0 if style.narrow() else 1, [names.get(m, m) for m in order]
        words = [[f"{v:.{digits}f}" for v in row] for row in values]
        look = {"cmap": "viridis", "vmin": min(-1, np.nanpercentile(lost, 5)), "vmax": 0, "cbar": False, "fmt": ""}
        panels.heat_map(ax, lost, annot=words, annot_kws={"fontsize": 8.5}, **look)
        for k, text in enumerate(ax.texts):
            text.set_weight("bold" if lost.flat[k] == 0 else "normal")
        for k in range(len(order)):
            ax.add_patch(Rectangle((k, k), 1, 1, fill=False, ec="#cc3311", lw=1.8))
        at = np.arange(len(order)) + 0.5
        ax.set_xticks(at, shown, rotation=55 if style.narrow() else 35, ha="right", fontsize=8.5)
        ax.set_yticks(at, shown, fontsize=8.5, rotation=0)
        ax.set(title=titles[column], ylabel="who made the choices")
        ax.tick_params(length=0)
        where = {"location": "bottom"} if style.narrow() else {"shrink": 0.8}
        fig.colorbar(ax.collections[0], ax=ax, label="points behind the best", **where)
    axes[-1, 0].set_xlabel("who is fitted to them")
    return fig
