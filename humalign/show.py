"""What a notebook shows: numbered tables, figures with the numbers behind them, and numbers with their provenance.

Each object shows itself as HTML in Jupyter, as MyST text in the book and as plain text in a terminal.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
from pathlib import Path

from .depends import DOWNLOAD, produces
from .errors import InputError

PROVENANCE = {
    "live": "computed on this machine, when this page was built",
    "recorded": "computed by this code on the named data earlier and stored with the package",
    "published": "read in the paper, its code or its data",
    "second-hand": "quoted from somebody else's account of the paper",
}
ORIGIN = {
    "live": "computed here",
    "recorded": "recorded earlier",
    "published": "published",
    "second-hand": "second-hand",
}


def _check(provenance: str) -> str:
    if provenance not in PROVENANCE:
        raise InputError(f"'{provenance}' is no provenance", "provenance", f"use one of {', '.join(PROVENANCE)}")
    return provenance


def badge(provenance: str, source: str = "", markup: str = "html") -> str:
    """A small label that says where a number comes from, as "html", "markdown" (MyST) or "text"."""
    key = _check(provenance).replace("-", "")
    if markup == "html":
        title = html.escape(f"{provenance}: {PROVENANCE[provenance]}{'; ' + source if source else ''}", quote=True)
        return f'<span class="ha-badge ha-{key}" title="{title}">{provenance}</span>'
    return f"[{provenance}]{{.ha-badge .ha-{key}}}" if markup == "markdown" else f"[{provenance}]"


def _format(value, digits: int) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if number != number:
        return "–"
    if abs(number) == float("inf"):
        return "∞" if number > 0 else "−∞"
    if number == int(number) and not isinstance(value, float) and "float" not in type(value).__name__:
        return f"{int(number):,}"
    text = f"{number:.{digits}f}"
    return (text if float(text) else text.lstrip("-")).replace("-", "−")  # no minus before a rounded zero


class Number:
    """A value with its interval and provenance; see :func:`number`."""

    def __init__(self, value, interval=None, provenance="live", source="", digits=3, unit=""):
        self.value, self.interval, self.provenance, self.source = value, interval, _check(provenance), source or ""
        self.digits, self.unit = digits, unit

    def text(self) -> str:
        """Value, unit and interval as plain text."""
        main = _format(self.value, self.digits) + self.unit
        if self.interval is None:
            return main
        low, high = (_format(end, self.digits) for end in self.interval)
        return f"{main} [{low}, {high}]"

    def __repr__(self) -> str:
        return f"{self.text().replace('−', '-')} {badge(self.provenance, markup='text')}"

    def _repr_mimebundle_(self, **_):
        label = badge(self.provenance, self.source)
        return {
            "text/html": f'<span class="ha-number">{html.escape(self.text())} {label}</span>',
            "text/plain": repr(self),
        }


def number(value, interval=None, provenance: str = "live", source: str = "", digits: int = 3, unit: str = "") -> Number:
    """A number that says where it comes from.

    Parameters
    ----------
    value : float
    interval : pair of float, optional
        Ends of the 95 % interval.
    provenance : {"live", "recorded", "published", "second-hand"}
    source : str
        Paper, file or data set; shown when the reader points at the badge.
    digits : int
        Digits behind the point.
    unit : str
        Written right after the value, for instance " %".
    """
    return Number(value, interval, provenance, source, digits, unit)


def estimate(row) -> Number:
    """A row (value, low, high, provenance) as a number."""
    return number(row["value"], (row["low"], row["high"]), row["provenance"])


def estimates(points, models) -> list[Number]:
    """Numbers of some networks, in the order of ``models``, from points with one row a network."""
    rows = points.set_index("model")
    return [estimate(rows.loc[m]) for m in models]


class Table:
    """A data frame as a numbered, captioned table; see :func:`table`."""

    def __init__(self, frame, name=None, caption=None, digits=3, index=False):
        self.frame = frame.reset_index() if index else frame
        self.name, self.caption, self.digits = name, caption, digits

    def _cells(self, markup: str) -> list[list[str]]:
        badges = {c for c in self.frame.columns if set(map(str, self.frame[c])) <= {*PROVENANCE, "", "nan", "None"}}
        rows = []
        for values in self.frame.itertuples(index=False, name=None):
            row = []
            for column, value in zip(self.frame.columns, values):
                if column in badges and value in PROVENANCE:
                    row.append(badge(value, "", markup))
                else:
                    row.append(" ".join(self._part(v, markup) for v in (value if isinstance(value, list) else [value])))
            rows.append(row)
        return rows

    def _part(self, value, markup: str) -> str:
        escape = html.escape if markup == "html" else _escape
        if isinstance(value, Number):
            return escape(value.text()) + " " + badge(value.provenance, value.source, markup)
        return escape(_format(value, self.digits))

    def _right(self) -> list[bool]:
        return [self.frame[c].dtype.kind in "fiu" for c in self.frame.columns]

    def markdown(self) -> str:
        """The table as MyST text, without caption."""
        rule = [("--:" if right else ":--") for right in self._right()]
        lines = [[_escape(str(c)) for c in self.frame.columns], rule, *self._cells("markdown")]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def _repr_mimebundle_(self, **_):
        head = "".join(f"<th>{html.escape(str(c))}</th>" for c in self.frame.columns)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in self._cells("html"))
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        text = self.markdown()
        if self.caption:
            caption_line = " ".join(self.caption.split())
            name = f":name: {self.name}\n" if self.name else ""
            text = f":::{{table}} {caption_line}\n{name}\n{text}\n:::\n"
        return {
            "text/html": f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
            "text/markdown": text,
            "text/plain": self.frame.to_string(index=False),
        }


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|$#~])", r"\\\1", " ".join(text.split()))


def table(frame, name: str | None = None, caption: str | None = None, digits: int = 3, index: bool = False) -> Table:
    """A data frame as a numbered table: let it be the last line of a cell tagged ``remove-input``.

    Parameters
    ----------
    frame : pandas.DataFrame
        A column of provenances is shown as badges; a cell may hold a :func:`number`, or a list of texts and numbers.
    name : str
        Label for references, ``{numref}`tab-...```.
    caption : str
        MyST text; may hold roles such as ``{cite}``.
    digits : int
        Digits behind the point of floating-point columns.
    index : bool
        Show the index as first columns.
    """
    return Table(frame, name, caption, digits, index)


class DownloadLink:
    """A link to the numbers behind a figure; see :func:`figure_data`."""

    def __init__(self, name: str, text: str, rows: int, folder: str = "", origin: str = ""):
        self.name, self.text, self.rows, self.folder, self.origin = name, text, rows, folder, origin

    def _repr_mimebundle_(self, **_):
        label = f"{self.name}.csv ({self.rows} row{'s' if self.rows != 1 else ''})"
        data = base64.b64encode(self.text.encode()).decode() if len(self.text) < 400_000 else ""
        link = f'<a download="{self.name}.csv" href="data:text/csv;base64,{data}">{label}</a>' if data else label
        bundle = {
            "text/html": f'<p class="ha-data">{self.said()}: {link}</p>',
            "text/plain": f"{self.said()}: {label}",
        }
        if self.folder:
            bundle["text/markdown"] = bundle[DOWNLOAD] = self.markdown()
        return bundle

    def said(self) -> str:
        """What stands before the link."""
        return "The numbers of this figure" + (f", {self.origin}" if self.origin else "")

    def markdown(self) -> str:
        """The link as MyST text, for a page beside the folder with the file."""
        label = f"{self.name}.csv ({self.rows} row{'s' if self.rows != 1 else ''})"
        return f"{{.ha-data}}\n{self.said()}: {{download}}`{label} <{self.folder}/{self.name}.csv>`\n"


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise InputError(f"'{name}' cannot be a file name", "figure", "use letters, digits and -")
    return name


def _origin(frame) -> str:
    """Where the rows of a table come from, in words; "" where it does not say."""
    if "provenance" not in frame:
        return ""
    counts = frame["provenance"][frame["provenance"].isin(list(PROVENANCE))].value_counts()
    return " and ".join(ORIGIN[kind] for kind in counts.index)


def figure_data(frame, name: str) -> DownloadLink:
    """Offer the table behind a figure as CSV, in the book a file beside the page.

    Let it be the last line of the figure's cell. ``name`` is the label of the figure.
    """
    name = _file_name(name)
    text = frame.to_csv(index=frame.index.name is not None, lineterminator="\n")
    folder = os.environ.get("HUMALIGN_OUTPUT")
    if folder:
        from .store import write_text

        write_text(produces(Path(folder) / f"{name}.csv"), text)
    return DownloadLink(name, text, len(frame), Path(folder).name if folder else "", _origin(frame))


def figure(fig, frame=None, name: str | None = None) -> None:
    """Show a matplotlib figure and, below it, the link to its numbers.

    In the book it is also kept as ``data/NAME.svg``, and, as it looks on a phone, as ``data/NAME.narrow.svg``.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Drawn by a function that :func:`humalign.plots.panels.figure` decorates; others have no second picture.
    frame : pandas.DataFrame, optional
        The table the figure was drawn from.
    name : str, optional
        Label of the figure and name of the CSV file.
    """
    from IPython.display import SVG, display
    from matplotlib import pyplot

    from .plots import style

    picture, folder = svg(fig), os.environ.get("HUMALIGN_OUTPUT")
    if folder and name:
        from .store import write_text

        write_text(produces(Path(folder) / f"{_file_name(name)}.svg"), picture)
        if again := getattr(fig, "again", None):
            with style.phone():
                small = again()
            small = small[0] if isinstance(small, tuple) else small
            write_text(produces(Path(folder) / f"{name}.narrow.svg"), svg(small))
            pyplot.close(small)
    data = None if frame is None else figure_data(frame, name or "figure")
    display(SVG(picture))
    if data:
        display(data)
    pyplot.close(fig)


def svg(fig) -> str:
    """A matplotlib figure as short SVG: coordinates of a hundredth of a point, one style a group, pictures as WebP."""
    made = io.StringIO()
    fig.savefig(made, format="svg", metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", made.getvalue(), flags=re.S)
    text = re.sub(r"data:image/png;base64,([^\"]*)", lambda match: _webp(match[1]), text)
    text = re.sub(r'(<g) id="[^"]*_[^"]*"', r"\1", text)  # nothing refers to groups
    text = re.sub(r"font-family: [^;\"]*;", "font-family: sans-serif;", text)
    text = re.sub(r'; stroke-linejoin: miter(?=["])| transform="rotate\(-0 [^"]*\)"', "", text)
    text = re.sub(r'(\s)(d|x|y|points)="([^"]*)"', lambda match: f'{match[1]}{match[2]}="{_short(match[3])}"', text)
    text = re.sub(r"<g([^>]*)>\s*((?:<use [^>]*/>\s*)+)</g>", _once, text)
    return re.sub(r">\s+<", ">\n<", text)


def _short(numbers: str) -> str:
    text = re.sub(r"\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", text).strip()


def _once(match) -> str:
    """A group of marks of one style, with the style at the group."""
    styles = set(re.findall(r' style="([^"]*)"', match[2]))
    if len(styles) != 1 or "style=" in match[1] or match[2].count(" style=") != match[2].count("<use"):
        return match[0]
    marks = re.sub(r' style="[^"]*"', "", match[2])
    return f'<g{match[1]} style="{styles.pop()}">{marks}</g>'


def _webp(png: str) -> str:
    """The address of a picture (PNG, base64): the shorter one of WebP without loss and WebP of high quality."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        made = []
        for how in ({"lossless": True}, {"quality": 92}):
            made.append(io.BytesIO())
            picture.save(made[-1], "WEBP", **how)
    return "data:image/webp;base64," + base64.b64encode(min((m.getvalue() for m in made), key=len)).decode()


class Words(str):
    """A text for :func:`glue` that is shown without quotation marks."""

    __slots__ = ()
    __repr__ = str.__str__


def glue(key: str, value):
    """Give a value a key, so that prose on any page can show it: ``{glue:}`key```; sweeps collect it, too."""
    from myst_nb import glue as myst_glue

    myst_glue(key, Words(value) if type(value) is str else value, display=False)


def glue_all(values: dict, prefix: str = "") -> None:
    """Give every value of a mapping its key; see :func:`glue`. ``prefix`` is written before each key."""
    for key, value in values.items():
        glue(f"{prefix}{key}", value)
