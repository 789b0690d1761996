"""The page of a report card: figures from its tables, one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np

from .errors import MissingData
from .plots import panels, style
from .report import CHANCE, Report, summary
from .store import write_text

STAGES = {"zero-shot": ("o", "#2f6fae"), "zero-shot, same folds": ("s", "#7f9fbf"), "probed": ("D", "#841e5a")}
LINES = ("-", "--", ":", "-.")
WHOSE = {"simulated": "simulated observers", "people": "real people"}
LEAST = 20  # triplets in a bin of the reliability diagram


def _figure(height: float):
    from matplotlib.figure import Figure

    style.use()
    fig = Figure(figsize=(style.NARROW if style.narrow() else style.WIDTH, height), layout="constrained")
    return fig, fig.add_subplot()


def _points(frame, title: str, label: str):
    """Values with intervals, one line a data set and layer; ticks mark the ceiling of each."""
    frame = frame.copy()
    frame["line"] = frame["dataset"] + frame["detail"].map(lambda d: f", {d.partition(', ')[2]}" if ", " in d else "")
    frame["line"] += (
        "  (" + frame["layer"] + frame["whose"].map({"simulated": ", simulated observers", "people": ""}) + ")"
    )
    lines = list(dict.fromkeys(frame["line"]))[::-1]
    fig, ax = _figure(0.9 + (0.62 if style.narrow() else 0.34) * len(lines))
    y = frame["line"].map({name: k for k, name in enumerate(lines)}).to_numpy(float)
    for stage in dict.fromkeys(frame["stage"]):
        at = (frame["stage"] == stage).to_numpy()
        marker, color = STAGES.get(stage, ("o", style.GREY))
        shift = {"zero-shot, same folds": -0.16, "probed": 0.16}.get(stage, 0.0)
        ax.hlines(y[at] + shift, frame["low"][at], frame["high"][at], color=color, lw=1.6)
        ax.scatter(frame["value"][at], y[at] + shift, marker=marker, s=38, color=color, edgecolors=style.OUTLINE,
                   linewidths=0.6, label=stage, zorder=3)  # fmt: skip
    known = frame.dropna(subset=["ceiling"]).drop_duplicates("line")
    if len(known):
        height = known["line"].map({name: k for k, name in enumerate(lines)}).to_numpy(float)
        ax.vlines(known["ceiling"], height - 0.35, height + 0.35, color=style.GREY, lw=2.2, label="ceiling: people")
    ax.set(yticks=range(len(lines)), yticklabels=lines, xlabel=label, ylim=(-0.6, len(lines) - 0.4), title=title)
    ax.tick_params(axis="y", labelsize=9)
    ax.grid(axis="x")
    return fig, ax


@panels.figure
def accuracy(frame):
    """Odd-one-out accuracies with chance and ceilings."""
    fig, ax = _points(frame, "Odd-one-out accuracy", "share of triplets in which the model picks the human odd one")
    style.reference_line(ax, CHANCE, "chance", axis="x")
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return fig


@panels.figure
def similarity(frame):
    """RSA with people's dissimilarities."""
    fig, ax = _points(frame, "Agreement with people's dissimilarities", "Spearman's rho with the mean of the people")
    style.reference_line(ax, 0.0, "none", axis="x")
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return fig


@panels.figure
def reliability(frame):
    """Reliability diagram before and after a temperature was fitted."""
    fig, ax = _figure(4.6)
    ax.plot([CHANCE, 1], [CHANCE, 1], color=style.GREY, ls="--", lw=1.1)
    ax.annotate("calibrated", (0.97, 0.97), ha="right", va="top", xytext=(-4, -10), textcoords="offset points",
                fontsize=9, color=style.GREY)  # fmt: skip
    frame = frame[(frame["n"] >= LEAST) & (frame["layer"] == frame["layer"].iloc[0])]
    for k, (dataset, part) in enumerate(frame.groupby("dataset", sort=False)):
        for stage, more in part.groupby("stage", sort=False):
            marker, color = ("o", "#2f6fae") if stage == "zero-shot" else ("D", "#841e5a")
            name = f"{dataset}, {'as it is' if stage == 'zero-shot' else 'fitted temperature'}"
            line = {"marker": marker, "ms": 4, "lw": 1.3, "ls": LINES[k % len(LINES)], "color": color}
            ax.plot(more["confidence"], more["accuracy"], label=name, **line)
    ax.set(xlabel="confidence: probability of the chosen odd one", ylabel="share that agrees with people",
           xlim=(0.3, 1.02), ylim=(0.2, 1.02), title="Calibration of cosine similarities")  # fmt: skip
    style.legend(fig, *ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5)
    return fig


class Figures(dict):
    """Figures by name; asking for one that nothing was measured for raises MissingData."""

    def __missing__(self, name):
        raise MissingData(
            "was not measured, as no such data set shares ids with the features", name, "humalign data list"
        )


def figures(report: Report) -> dict:
    """All figures that the tables of a report allow: name to (figure, alternative text)."""
    short, found = summary(report), Figures()
    acc = short[(short["measure"] == "accuracy") & ~short["detail"].str.startswith("dot")]
    if len(acc):
        best = acc.loc[acc["value"].idxmax()]
        text = f"Odd-one-out accuracy of {report.model}; highest {best['value']:.3f} on {best['dataset']}"
        found["accuracy"] = (accuracy(acc), text)
    rho = short[short["measure"] == "spearman"]
    if len(rho):
        best = rho.loc[rho["value"].idxmax()]
        text = f"Spearman agreement of {report.model} with people; highest {best['value']:.3f} on {best['dataset']}"
        found["rsa"] = (similarity(rho), text)
    if len(report.reliability):
        found["calibration"] = (reliability(report.reliability), f"Confidence against accuracy of {report.model}")
    return found


def svg(fig) -> str:
    """A figure as an SVG element."""
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ddd; --soft: #666; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b; --line: #3a3d42; --soft: #a5a5a5; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 62rem; padding: 1rem; }
figure { margin: 1.5rem 0; overflow-x: auto; } figure svg { width: 100%; height: auto; max-width: 46rem; }
figcaption, .soft { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
"""


def _number(value, digits: int = 3) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def page(report: Report) -> str:
    """The report as one HTML page with its figures, numbers and a CSV to download."""
    esc = html.escape
    head = (
        "whose",
        "data set",
        "layer",
        "stage",
        "measure",
        "detail",
        "value",
        "95 % interval",
        "ceiling",
        "of the way",
        "n",
    )
    lines = []
    for row in summary(report).itertuples():
        interval = f"{_number(row.low)} to {_number(row.high)}" if np.isfinite(row.low) else ""
        share = f"{100 * row.share:.0f} %" if np.isfinite(row.share) else ""
        cells = [WHOSE[row.whose], row.dataset, row.layer, row.stage, row.measure, row.detail]
        numbers = [_number(row.value), interval, _number(row.ceiling), share, f"{row.n:,}"]
        lines.append("<tr>" + "".join(f"<td>{esc(str(c))}</td>" for c in cells)
                     + "".join(f'<td class="n">{esc(c)}</td>' for c in numbers) + "</tr>")  # fmt: skip
    csv = base64.b64encode(report.table.to_csv(index=False).encode()).decode()
    facts = "".join(
        f"<tr><th>{esc(str(k))}</th><td>{esc(str(v))}</td></tr>" for k, v in report.as_dict()["facts"].items()
    )
    shown = "".join(
        f'<figure role="img" aria-label="{esc(text)}">{svg(fig)}<figcaption>{esc(text)}.</figcaption></figure>'
        for fig, text in figures(report).values()
    )
    notes = "".join(f"<li>{esc(note)}</li>" for note in report.notes)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Report card: {esc(report.model)}</title>"
        f"<style>{STYLE}</style></head><body><main><h1>Report card: {esc(report.model)}</h1>{shown}"
        '<h2>Numbers</h2><p class="soft">Intervals: 95 % bootstrap over concepts or images. "Of the way": from chance '
        'to the ceiling that people set.</p><div class="wide"><table><thead><tr>'
        f"{''.join(f'<th>{h}</th>' for h in head)}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        f'<p><a download="report.csv" href="data:text/csv;base64,{csv}">All numbers as CSV</a></p>'
        f'<h2>The model</h2><div class="wide"><table>{facts}</table></div>'
        + (f"<h2>Left out</h2><ul>{notes}</ul>" if notes else "")
        + "</main></body></html>\n"
    )


def write_page(report: Report, path) -> Path:
    """Write :func:`page` to a file."""
    return write_text(path, page(report))


def write_folder(report: Report, folder) -> list[Path]:
    """Write the page, each figure as SVG and the numbers as CSV into a folder."""
    from . import results

    folder = Path(folder)
    paths = [write_page(report, folder / "report.html"), results.write(report.table, folder / "report.csv")]
    return paths + [write_text(folder / f"{name}.svg", svg(fig)) for name, (fig, _) in figures(report).items()]
