"""Finished pages: figures as part of the page, and one line of provenance for each paragraph, caption or table."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from ..show import ORIGIN as SAID

PLACES = ("figcaption", "caption", "p", "li", "dd", "dt", "h1", "h2", "h3", "h4")  # what has a line of its own
MARKS = {"live": "c", "recorded": "r", "published": "p", "second-hand": "s"}
INKS = {
    "#7f7f7f": "var(--ha-ink)",
    "#a8a8a8": "var(--ha-outline)",
    "#000000": "var(--ha-black)",
    "#fefefe": "var(--ha-paper)",
}  # follow the theme
DARK = (
    "8b008b",
    "a52a2a",
    "008b8b",
    "006400",
    "8020e0",
    "2f6fae",
    "1d6c8a",
    "841e5a",
    "4477aa",
    "228833",
    "aa3377",
    "004488",
    "aa7711",
    "997700",
    "bb5566",
    "666666",
    "d55e00",
    "cc3311",
    "8a6400",
)  # too dark for a dark page; see humalign.css
HEAVY = 600_000  # bytes; a larger figure stays a file of its own


def inline(body: str, find: Callable[[str], Path | None], narrow: Callable[[str], Path]) -> str:
    """The HTML of a page with its figures (class dark-light) inside, so that their text is text and follows the theme.

    Parameters
    ----------
    body : str
        HTML.
    find : callable
        The file of an image by its name in the built book; None where there is none.
    narrow : callable
        Where the picture for a phone lies, by the label of the figure; the style sheet shows one of both.
    """
    label = ""

    def put(match):
        nonlocal label
        tag = match[0]
        said = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if tag.startswith("<figure"):
            label = said.get("id", "")
            return tag
        name = said.get("src", "").rpartition("/")[2]
        path = find(name) if "dark-light" in said.get("class", "") and name.endswith(".svg") else None
        if path is None or not path.is_file() or path.stat().st_size > HEAVY:
            return tag
        alt, prefix = html.unescape(said.get("alt", "")), "f" + path.stem[:8]
        wide, small = drawing(path.read_text("utf8"), alt, prefix), narrow(label)
        if not label or not small.is_file():
            return wide
        small = drawing(small.read_text("utf8"), alt, prefix + "n")
        return f'<span class="ha-wide">{wide}</span><span class="ha-phone">{small}</span>'

    return re.sub(r"<(?:img|figure)\b[^>]*>", put, body)


def drawing(svg: str, alt: str, prefix: str) -> str:
    """A figure that matplotlib wrote, as an element of a page: ids of its own, colours of text and lines by the theme.

    Parameters
    ----------
    svg : str
        The file.
    alt : str
        Words in its place.
    prefix : str
        Put before every id.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r'(\sid="|href="#|url\(#)', rf"\1{prefix}-", svg)
    for colour, ink in INKS.items():
        svg = svg.replace(f": {colour}", f": {ink}")
    svg = re.sub(rf": #({'|'.join(DARK)})\b", r": var(--ha-\1, #\1)", svg)
    head, _, rest = svg.partition(">")
    head = re.sub(r'\s(xmlns(:\w+)?|version|height)="[^"]*"', "", head)
    label = html.escape(alt, quote=True)
    return (
        f'<svg class="ha-figure dark-light" role="img" aria-label="{label}"{head.removeprefix("<svg")}>{rest.strip()}'
    )


def one_line(body: str) -> str:
    """The HTML of a page with the labels of its numbers gathered.

    Each paragraph, list item or caption with labelled numbers ends with one line that says where they come from; a
    table is followed by it. Where numbers differ, those of the rarer kinds carry a raised letter, which the line
    explains.
    A column of a table that holds one label throughout is left out, since the line says the same.

    Parameters
    ----------
    body : str
        HTML; labels are what :func:`humalign.show.badge` makes.
    """
    if "ha-badge" not in body:
        return body
    from bs4 import BeautifulSoup

    page, blocks = BeautifulSoup(body, "html.parser"), {}
    for label in page.select("span.ha-badge"):
        cell = label.find_parent(["td", "th"])
        block = label.find_parent("table") if cell else label.find_parent(PLACES)
        if block is not None and not label.find_parent(class_="ha-legend"):
            blocks.setdefault(id(block), (block, []))[1].append(label)
    for block, labels in blocks.values():
        _gather(page, block, labels)
    return str(page)


def _gather(page, block, labels) -> None:
    kinds = [label.get_text() for label in labels]
    told = sorted(set(kinds), key=lambda kind: (-kinds.count(kind), list(SAID).index(kind)))
    if block.name == "table":
        _drop_column(block, told)
    for label, kind in zip(labels, kinds):
        if label.parent is None or label.decomposed:
            continue
        before = label.previous_sibling
        if isinstance(before, str):
            before.replace_with(before.rstrip())
        holder = label.parent
        if label.get("title") and "ha-number" in holder.get("class", ()):
            holder["title"] = label["title"]
        if holder.name in ("td", "th", "p") and holder.get_text(strip=True) == kind:
            label.replace_with(SAID[kind])  # the label is the content
        elif kind == told[0]:
            label.decompose()
        else:
            mark = page.new_tag("sup", attrs={"class": "ha-mark", "title": label.get("title") or SAID[kind]})
            mark.string = MARKS[kind]
            label.replace_with(mark)
    line = page.new_tag(
        "p" if block.name == "table" else "span", attrs={"class": f"ha-from ha-{told[0].replace('-', '')}"}
    )
    line.append(SAID[told[0]])
    for kind in told[1:]:
        if block.find("sup", class_="ha-mark", string=MARKS[kind]):
            mark = page.new_tag("sup")
            mark.string = MARKS[kind]
            line.append("; ")
            line.append(mark)
            line.append(f" {SAID[kind]}")
    if block.name == "table":
        (block.find_parent(class_="pst-scrollable-table-container") or block).insert_after(line)
        return
    if block.name in ("caption", "figcaption"):
        block = block.find("p") or block
    anchor = block.find("a", class_="headerlink", recursive=False)
    (anchor.insert_before if anchor else block.append)(line)


def _drop_column(table, told) -> None:
    """Take out the columns in which every row has the same label and nothing else."""
    rows = [row.find_all(["td", "th"], recursive=False) for row in table.select("tbody > tr")]
    head = table.select_one("thead > tr")
    if len(told) != 1 or head is None or not rows or len({len(row) for row in rows}) != 1:
        return
    heads = head.find_all(["td", "th"], recursive=False)
    if len(heads) != len(rows[0]):
        return
    for k in reversed(range(len(heads))):
        if all(row[k].get_text(strip=True) == told[0] for row in rows):
            for cell in [heads[k], *(row[k] for row in rows)]:
                cell.decompose()
