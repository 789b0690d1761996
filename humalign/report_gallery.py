"""Report cards of several models side by side: one static page with a table that sorts."""

from __future__ import annotations

import html
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .config import whose
from .data import files
from .errors import InputError
from .report import CEILING, CHANCE_OF
from .report_figures import STYLE, WHOSE
from .store import write_text

SHOWN = {  # measure, stage and beginning of the detail: what a column is called
    ("accuracy", "zero-shot", "cosine"): "odd-one-out accuracy",
    ("accuracy", "zero-shot", ""): "odd-one-out accuracy",
    ("accuracy", "probed", ""): "accuracy after a linear transform",
    ("spearman", "zero-shot", "correlation"): "correlation with people's arrangement",
}
COLUMNS = ["model", "whose", "dataset", "measure", "value", "low", "high", "chance", "ceiling", "layer", "n"]


def read(paths) -> list[dict]:
    """Cards from JSON files of ``humalign evaluate``; a file may hold one or several.

    Raises
    ------
    MissingData, InputError
        For a file that is not there or holds no card; a model that occurs twice.
    """
    cards = []
    for path in map(Path, paths):
        try:
            content = json.loads(files.read_text(path))
        except json.JSONDecodeError as error:
            raise InputError(
                f"is no JSON (line {error.lineno})", path, "write it with 'humalign evaluate --json'"
            ) from None
        found = content.get("cards", [content]) if isinstance(content, dict) else []
        if not found or not all(isinstance(one, dict) and {"model", "results"} <= set(one) for one in found):
            raise InputError("holds no report card", path, "write it with 'humalign evaluate NAME --json FILE'")
        for one in found:
            if one["model"] in {card["model"] for card in cards}:
                told = f"'{one['model']}' has a card already"
                raise InputError(told, path, "give every model once, or rename the file of features")
            cards.append(one)
    return cards


def rows(cards) -> pd.DataFrame:
    """The measures of a gallery: one row a model, data set and measure, at the layer with the larger value.

    Parameters
    ----------
    cards : list of dict
        :meth:`humalign.report.Report.as_dict`: model and results (rows of the result table, people's ceilings among
        them).

    Returns
    -------
    DataFrame
        model, whose ("simulated" or "people"), dataset, measure (its heading), value, low, high, chance, ceiling (NaN
        where none is known), layer, n.
    """
    out = []
    for card in cards:
        table = pd.DataFrame(card["results"])
        for column in ("value", "low", "high", "n"):
            table[column] = pd.to_numeric(table[column])
        people, own = table[table["model"] == "people"], table[table["model"] != "people"]
        for (measure, stage, detail), title in SHOWN.items():
            asked = own[(own["measure"] == measure) & (own["stage"] == stage)]
            asked = asked[
                asked["detail"].eq("")
                if not detail and stage == "zero-shot"
                else asked["detail"].str.startswith(detail)
            ]
            for (kind, dataset), part in asked.groupby([asked["profile"].map(whose), "dataset"], sort=False):
                best = part.loc[part["value"].idxmax()]
                out.append({"model": card["model"], "whose": kind, "dataset": dataset, "measure": title,
                            "value": best["value"], "low": best["low"], "high": best["high"],
                            "chance": CHANCE_OF.get(measure, np.nan), "ceiling": _ceiling(people, dataset, measure),
                            "layer": best["layer"], "n": best["n"]})  # fmt: skip
    return pd.DataFrame(out, columns=COLUMNS)


def _ceiling(people: pd.DataFrame, dataset: str, measure: str) -> float:
    name, *details = CEILING.get(measure, ("",))
    at = people[(people["dataset"] == dataset) & (people["measure"] == name)]
    for detail in details:
        found = at[at["detail"] == detail]
        if len(found):
            return float(found["value"].iloc[0])
    return np.nan


def table(found: pd.DataFrame) -> str:
    """The gallery as an HTML table: a line a model, a column a data set and measure; the head of a column sorts.

    Columns of simulated observers and of real people never mix: each head says whose judgments they are. A bar runs
    from chance to the ceiling of people where both are known.
    """
    keys = list(found[["whose", "dataset", "measure"]].drop_duplicates().itertuples(index=False, name=None))
    keys.sort(key=lambda key: key[0] != "people")
    heads = "".join(
        f'<th scope="col" class="ha-{kind}"><span class="ha-whose">{WHOSE[kind]}</span> '
        f"{html.escape(f'{dataset}: {measure}'.rstrip(': '))}</th>"
        for kind, dataset, measure in keys
    )
    place = found.set_index(["model", "whose", "dataset", "measure"])
    lines = []
    for model in dict.fromkeys(found["model"]):
        cells = "".join(_cell(place.loc[(model, *key)] if (model, *key) in place.index else None) for key in keys)
        lines.append(f'<tr><th scope="row">{html.escape(model)}</th>{cells}</tr>')
    return (f'<table class="table ha-sortable ha-gallery"><thead><tr><th scope="col">model</th>{heads}</tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table>")  # fmt: skip


def _cell(row) -> str:
    if row is None or not np.isfinite(row["value"]):
        return "<td>–</td>"
    value, interval = f"{row['value']:.3f}", ""
    if np.isfinite(row["low"]):
        interval = f" <small>[{row['low']:.3f}, {row['high']:.3f}]</small>"
    bar = ""
    if np.isfinite(row["chance"]) and np.isfinite(row["ceiling"]) and row["ceiling"] > row["chance"]:
        share = np.clip((row["value"] - row["chance"]) / (row["ceiling"] - row["chance"]), 0, 1)
        bar = f'<span class="ha-way" aria-hidden="true"><i style="width:{100 * share:.0f}%"></i></span>'
    told = [row["layer"]] + [f"n = {row['n']:,.0f}"] * bool(np.isfinite(row["n"]))
    title = ", ".join(told + [f"ceiling {row['ceiling']:.3f}"] * bool(np.isfinite(row["ceiling"])))
    return f'<td title="{html.escape(title)}">{value}{interval}{bar}</td>'.replace(">-", ">−")


def _static(name: str) -> str:
    return resources.files("humalign.plots").joinpath("static", name).read_text("utf8")


class Gallery:
    """The table of :func:`table`, which shows itself in a notebook and in the book."""

    def __init__(self, found: pd.DataFrame):
        self.found = found

    def _repr_mimebundle_(self, **_):
        shown = f'<div class="pst-scrollable-table-container">{table(self.found)}</div>'
        text = f"<style>{_static('tables.css')}</style>{shown}"
        return {"text/html": text, "text/plain": self.found.to_string(index=False)}


def page(cards) -> str:
    """One HTML page that needs nothing else: the table, what is compared with what, and notes.

    Raises
    ------
    InputError
        When no card holds a measure that the gallery shows.
    """
    found = rows(cards)
    if not len(found):
        raise InputError("hold no measure that a gallery shows", "these cards", "evaluate on choices or arrangements")
    notes = "".join(
        f"<li>{html.escape(card['model'])}: {html.escape(note)}</li>"
        for card in cards
        for note in card.get("notes", [])
    )
    said = (
        f"{len(cards)} models. The head of a column sorts the table. Each value is that of the model's better layer, "
        "with its 95 % bootstrap interval over concepts or images; a bar runs from chance to the noise ceiling. "
        "Values of simulated observers say nothing about people."
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>Gallery of report cards</title>'
        f"<style>{STYLE}{_static('tables.css')}</style></head><body><main><h1>Gallery of report cards</h1><p>{said}</p>"
        f'<div class="wide" role="region" aria-label="Report cards" tabindex="0">{table(found)}</div>'
        + (f"<h2>Left out</h2><ul>{notes}</ul>" if notes else "")
        + f"</main><script>{_static('tables.js')}</script></body></html>\n"
    )


def write(cards, path) -> Path:
    """Write :func:`page` to a file."""
    return write_text(path, page(cards))
