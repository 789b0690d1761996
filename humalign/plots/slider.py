"""A picture with a slider: what a measure, or an answer, is at one value of a parameter (Vega-Lite).

The picture is complete without JavaScript, at the value where the slider stands at first. With it (``slider.js``; Vega
lies once in the built book, :func:`humalign.plots.explorer.bundle`) the reader moves the slider, by keyboard too, and
chooses the network.
"""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from .explorer import LOOK, dressed, picture

COLOURS = ("#2f6fae", "#c65a00", "#00795a")  # of the series, light; in the dark those of DARK
DARK = ("#5b9ddb", "#f0802e", "#2fbf95")
SHAPES = ("circle", "square", "triangle-up")
WIDTH, HEIGHT = 260, 220  # pixels of a panel


@dataclass(frozen=True)
class Panel:
    """Columns that are shown together: as lines along the parameter, or as bars at the slider's value.

    ``series``: column to the word for it; ``ends``: of the value axis.
    """

    title: str
    series: dict[str, str]
    bars: bool = False
    ends: tuple[float, float] | None = None


@dataclass
class Slider:
    """Shows itself as HTML; see :func:`slider`."""

    frame: pd.DataFrame
    along: str
    word: str
    panels: tuple[Panel, ...]
    name: str
    about: str
    start: float

    def _repr_mimebundle_(self, **_):
        return {"text/html": fragment(self), "text/plain": self.frame.to_string(index=False)}


def slider(frame: pd.DataFrame, along: str, word: str, panels, name: str, about: str, start: float) -> Slider:
    """A picture with a slider: let it be the last line of a cell.

    Parameters
    ----------
    frame : DataFrame
        One row a network and value of the parameter: network (its name), the column ``along`` (positive numbers), and
        the columns of the panels.
    along : str
        Column of the parameter.
    word : str
        What the parameter is called.
    panels : sequence of Panel
    name : str
        Label of the element, for links.
    about : str
        Whose judgments these are, in words.
    start : float
        The slider stands at first at the value nearest to this.

    Raises
    ------
    InputError
        For a column that is not there, or fewer than two values of the parameter.
    """
    panels = tuple(panels)
    wanted = ("network", along, *(column for panel in panels for column in panel.series))
    if gone := [column for column in wanted if column not in frame]:
        raise InputError(f"has no column called {gone[0]}", name, "give one row a network and value")
    if frame[along].nunique() < 2 or not (frame[along] > 0).all():
        raise InputError("needs at least two positive values to slide between", name, f"look at the column {along}")
    return Slider(frame.reset_index(drop=True), along, word, panels, name, about, start)


def rows(made: Slider, network: str) -> list[dict]:
    """What the picture shows of one network: step (place of the slider), at, panel, series, value."""
    part = made.frame[made.frame["network"] == network].sort_values(made.along)
    out = []
    for step, row in enumerate(part.to_dict("records")):
        for k, panel in enumerate(made.panels):
            for column, words in panel.series.items():
                if pd.notna(row[column]):
                    one = {"step": step, "at": float(row[made.along]), "panel": k, "series": words}
                    out.append({**one, "value": float(row[column])})
    return out


def chart(made: Slider, network: str, step: int) -> dict:
    """The picture as a Vega-Lite specification, the slider at ``step``; ``slider.js`` puts in other rows."""
    parts = []
    for k, panel in enumerate(made.panels):
        names = list(panel.series.values())
        scale = {"zero": panel.bars} if panel.ends is None else {"domain": list(panel.ends)}
        value = {"field": "value", "type": "quantitative", "title": panel.title, "scale": scale}
        here, own = {"filter": "datum.step == step"}, {"filter": f"datum.panel == {k}"}
        legend = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 240} if len(names) > 1 else None
        colour = {"field": "series", "type": "nominal", "legend": None if panel.bars else legend,
                  "scale": {"domain": names, "range": list(COLOURS[: len(names)])}}  # fmt: skip
        if panel.bars:
            across = {"field": "series", "type": "nominal", "sort": names, "title": None, "axis": {"labelAngle": 0}}
            layers = [{"mark": {"type": "bar"}, "transform": [own, here],
                       "encoding": {"x": across, "y": value, "color": colour}}]  # fmt: skip
        else:
            along = {"field": "at", "type": "quantitative", "title": made.word, "scale": {"type": "log"},
                     "axis": {"tickCount": 4, "labelOverlap": True}}  # fmt: skip
            shape = {"field": "series", "type": "nominal", "legend": colour["legend"],
                     "scale": {"domain": names, "range": list(SHAPES[: len(names)])}}  # fmt: skip
            layers = [
                {"mark": {"type": "rule", "strokeDash": [4, 3]}, "transform": [own, here], "encoding": {"x": along}},
                {"mark": {"type": "line"}, "transform": [own],
                 "encoding": {"x": along, "y": value, "color": colour}},
                {"mark": {"type": "point", "filled": True, "size": 130, "opacity": 1}, "transform": [own, here],
                 "encoding": {"x": along, "y": value, "color": colour, "shape": shape}},
            ]  # fmt: skip
        parts.append({"width": WIDTH, "height": HEIGHT, "layer": layers})
    return {"data": {"values": rows(made, network)}, "params": [{"name": "step", "value": step}], "hconcat": parts,
            "resolve": {"scale": {"color": "independent", "shape": "independent"}}, "config": LOOK}  # fmt: skip


def fragment(made: Slider) -> str:
    """The element as HTML: style, picture, data, script."""
    networks = list(dict.fromkeys(made.frame["network"]))
    values = np.sort(made.frame[made.frame["network"] == networks[0]][made.along].unique())
    step = int(np.abs(np.log(values) - np.log(made.start)).argmin())
    spec = chart(made, networks[0], step)
    data = {
        "rows": {network: rows(made, network) for network in networks}, "word": made.word, "step": step,
        "panels": [asdict(panel) for panel in made.panels], "spec": spec, "dark": dict(zip(COLOURS, DARK)),
    }  # fmt: skip
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    about, titles = html.escape(made.about), html.escape(", ".join(panel.title for panel in made.panels))
    alt = f"{titles} of {html.escape(networks[0])} at {html.escape(made.word)} {values[step]:g}."
    return dressed(
        "slider",
        (
            f'<div class="ha-slider" id="{made.name}"><p class="ha-slider-about">{about}</p>'
            f'<div class="ha-slider-controls"></div><div class="ha-slider-chart" role="img" aria-label="{alt}">'
            f'{picture(spec)}</div><p class="ha-slider-said" role="status"></p>'
            f'<script type="application/json">{text}</script></div>'
        ),
    )
