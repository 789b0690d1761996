"""A scatter to explore: any number of each network against any other (Vega-Lite through Altair).

The picture and the table below it are complete without JavaScript. With it (``explorer.js``; Vega lies once in the
built book, :func:`bundle`) the reader chooses what is shown, points at networks, picks some, and hides training groups.
"""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass
from importlib import resources

import pandas as pd

from ..errors import InputError
from . import style

SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down", "<": "triangle-left",
           ">": "triangle-right", "D": "diamond", "P": "cross", "h": "circle",
           "X": "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z",
           "*": "M0,-1L.29,-.4L.95,-.31L.48,.15L.59,.81L0,.5L-.59,.81L-.48,.15L-.95,-.31L-.29,-.4Z"}  # fmt: skip
WIDTH, HEIGHT = 620, 380  # pixels of the picture


@dataclass(frozen=True)
class Number:
    """A number of every network that an axis can show: its column, and what the axis says.

    A column NAME may have intervals in columns ``NAME low`` and ``NAME high``. ``log``: on a logarithmic axis.
    """

    column: str
    title: str
    log: bool = False


@dataclass(frozen=True)
class Pair:
    """Two numbers that are shown together, under one title, with a picture of what they are about.

    ``image`` is an address (``data:`` too), ``alt`` says what it shows.
    """

    title: str
    x: str
    y: str
    image: str = ""
    alt: str = ""


@dataclass
class Explorer:
    """Shows itself as HTML; see :func:`explorer`."""

    frame: pd.DataFrame
    numbers: tuple[Number, ...]
    name: str
    about: str
    pairs: tuple[Pair, ...] = ()

    def _repr_mimebundle_(self, **_):
        return {"text/html": fragment(self), "text/plain": self.frame.to_string(index=False)}


def explorer(frame: pd.DataFrame, numbers, name: str, about: str, pairs=()) -> Explorer:
    """A scatter to explore: let it be the last line of a cell.

    Parameters
    ----------
    frame : DataFrame
        One row a network: name, group (training group), and the columns that ``numbers`` name.
    numbers : sequence of Number
        At first the second is on the x axis and the first on the y axis.
    name : str
        Label of the element, for links.
    about : str
        Whose judgments these are, in words; shown with the picture.
    pairs : sequence of Pair
        Where the reader picks one of these, in place of the two axes; the first is shown at first. There is no table
        then.

    Raises
    ------
    InputError
        For a column that is not there, or fewer than two numbers.
    """
    numbers = tuple(numbers)
    if len(numbers) < 2:
        raise InputError("needs at least two numbers", name, "give one for each axis")
    if gone := [c for c in ("name", "group", *(n.column for n in numbers)) if c not in frame]:
        raise InputError(f"has no column called {gone[0]}", name, "give one row a network with these columns")
    return Explorer(frame.reset_index(drop=True), numbers, name, about, tuple(pairs))


def values(frame: pd.DataFrame, x: str, y: str) -> list[dict]:
    """The rows that a picture shows: name, group, x, y and the interval of y; networks without x or y are left out."""
    out = []
    for row in frame.to_dict("records"):
        if any(pd.isna(row[column]) for column in (x, y)):
            continue
        ends = {end: row.get(f"{y} {end}", math.nan) for end in ("low", "high")}
        ends = {end: row[y] if pd.isna(value) else value for end, value in ends.items()}
        out.append({"name": row["name"], "group": row["group"], "x": row[x], "y": row[y], **ends, "picked": False})
    return out


def chart(frame: pd.DataFrame, x: Number, y: Number) -> dict:
    """The picture as a Vega-Lite specification; ``explorer.js`` puts in other rows, titles and axes."""
    import altair as alt

    groups = style.order(frame["group"])
    colours = alt.Scale(domain=groups, range=[style.color(g) for g in groups])
    shapes = alt.Scale(domain=groups, range=[SYMBOLS[style.marker(g)] for g in groups])
    across, up = (
        axis(f"{name}:Q", title=number.title, scale=alt.Scale(type="log") if number.log else alt.Scale(zero=False))
        for axis, name, number in ((alt.X, "x", x), (alt.Y, "y", y))
    )
    base = alt.Chart(alt.Data(values=values(frame, x.column, y.column))).encode(x=across)
    colour = alt.Color(
        "group:N", scale=colours, legend=alt.Legend(title=None, orient="bottom", columns=3, labelLimit=220)
    )
    bars = base.mark_rule(opacity=0.35).encode(y=alt.Y("low:Q", title=y.title), y2="high:Q", color=colour)
    dots = base.mark_point(filled=True, size=90, opacity=0.9, strokeWidth=1).encode(
        y=up, color=colour, shape=alt.Shape("group:N", scale=shapes),
        tooltip=[alt.Tooltip("name:N", title="network"), alt.Tooltip("group:N", title="group"),
                 alt.Tooltip("x:Q", title=x.title, format=".3~f"), alt.Tooltip("y:Q", title=y.title, format=".3~f")],
    )  # fmt: skip
    rings = base.transform_filter("datum.picked").mark_point(size=260, strokeWidth=2.5).encode(y=up)
    names = base.transform_filter("datum.picked").mark_text(align="left", dx=11, dy=-9, fontSize=13, fontWeight="bold")
    made = (bars + dots + rings + names.encode(y=up, text="name:N")).properties(width=WIDTH, height=HEIGHT)
    spec = made.configure(**LOOK).to_dict()
    del spec["$schema"]  # the page knows which one it loads
    return spec


LOOK = {
    "background": "transparent",
    "font": "sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 13, "labelColor": "#57606a", "titleColor": "#57606a",
             "gridOpacity": 0.25, "domainColor": "#8c959f", "tickColor": "#8c959f"},
    "legend": {"labelFontSize": 12, "labelColor": "#57606a", "symbolSize": 90, "symbolOpacity": 0.9},
    "view": {"stroke": None},
}  # fmt: skip


def picture(spec: dict) -> str:
    """The specification as SVG."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(spec)
    return svg[svg.index("<svg") :]


def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script that puts ``vegaEmbed`` on the window."""
    import vl_convert

    return f"(() => {{{vl_convert.javascript_bundle()}\n}})();\n"  # its names stay its own


def dressed(name: str, element: str) -> str:
    """An element of a page between its style (``<name>.css``) and its scripts (``parts.js``, ``<name>.js``)."""
    css, parts, own = (
        resources.files(__package__).joinpath(part).read_text("utf8")
        for part in (f"{name}.css", "parts.js", f"{name}.js")
    )
    return f"<style>{css}</style>{element}<script>{parts}{own}</script>"


def table(made: Explorer) -> str:
    """All numbers as an HTML table; the script makes the names buttons that pick."""
    head = "".join(f"<th scope='col'>{html.escape(n.title)}</th>" for n in made.numbers)
    lines = []
    for row in made.frame.to_dict("records"):
        cells = "".join(f"<td>{_shown(row[n.column])}</td>" for n in made.numbers)
        name, group = html.escape(str(row["name"])), html.escape(str(row["group"]))
        lines.append(f'<tr><th scope="row" data-name="{name}">{name}</th><td>{group}</td>{cells}</tr>')
    head = f"<tr><th scope='col'>network</th><th scope='col'>training group</th>{head}</tr>"
    return f"<table class='table'><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"


def _shown(value) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}".replace("-", "−") if abs(value) < 10 else f"{value:,.1f}"


def fragment(made: Explorer) -> str:
    """The element as HTML: style, picture, table, data, script."""
    first, second = made.numbers[1], made.numbers[0]
    if made.pairs:
        named = {n.column: n for n in made.numbers}
        first, second = named[made.pairs[0].x], named[made.pairs[0].y]
    spec = chart(made.frame, first, second)
    rows = []
    for row in made.frame.to_dict("records"):
        known = {n.column: [_plain(row.get(n.column + end)) for end in ("", " low", " high")] for n in made.numbers}
        rows.append({"name": row["name"], "group": row["group"], "values": known})
    data = {
        "rows": rows, "numbers": [vars(n) for n in made.numbers], "pairs": [vars(p) for p in made.pairs],
        "groups": style.order(made.frame["group"]), "x": first.column, "y": second.column, "spec": spec,
    }  # fmt: skip
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    alt = html.escape(f"{second.title} against {first.title} of {len(rows)} networks; {made.about}.")
    if made.pairs:
        image, said = made.pairs[0].image, html.escape(made.pairs[0].alt)
        below = f'<img class="ha-explore-picture" src="{image}" alt="{said}">'
    else:
        below = f'<div class="ha-explore-table">{table(made)}</div>'
        below = f"<details><summary>All numbers as a table</summary>{below}</details>"
    return dressed(
        "explorer",
        (
            f'<div class="ha-explore" id="{made.name}">'
            f'<p class="ha-explore-about">{html.escape(made.about)}</p><div class="ha-explore-controls"></div>'
            f'<div class="ha-explore-chart" role="img" aria-label="{alt}">{picture(spec)}</div>'
            f'<p class="ha-explore-said" role="status"></p>'
            f'{below}<script type="application/json">{text}</script></div>'
        ),
    )


def _plain(value):
    return None if value is None or pd.isna(value) else float(value)
