"""Figures as a reader sees them, in the column of the book and on a phone, in light and in dark: size and contrast."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browsing import figure_texts, opened
from test_book import SITE, notebooks

from humalign import show
from humalign.book.pages import inline
from humalign.plots import factors, panels, style

STATIC = Path(__file__).parents[1] / "book" / "_static"
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}
WIDTHS = (1280, 390)
LEAST_PIXELS, LEAST_CONTRAST = 11, 4.5


def points(n=24):
    rng = np.random.default_rng(0)
    value = rng.uniform(0.35, 0.5, n)
    groups = [list(style.ALIASES)[k % 4] for k in range(n)]
    groups[:4] = ["Image/Text", "Self-Supervised", "Untrained", "Image/Text"]
    role = np.where(np.arange(n) % 2, "objective architecture", "size")
    return pd.DataFrame({
        "model": [f"m{k}" for k in range(n)], "name": [f"Network {k}" for k in range(n)], "number": range(n),
        "group": groups, "family": [f"Family {k % 5}" for k in range(n)], "role": role, "objective": "Softmax",
        "augmentation": "", "parameters": np.geomspace(1e4, 1e6, n), "reference_accuracy": rng.uniform(0.2, 0.7, n),
        "value": value, "low": value - 0.01, "high": value + 0.01,
    })  # fmt: skip


@panels.figure
def on_colour(grid):
    fig, ax = panels.axes(3)
    panels.heat_map(ax, grid, annot=True, fmt=".2f", cmap="viridis", annot_kws={"fontsize": 9})
    return fig


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page with two figures, as the book has them."""
    style.use()
    folder, body = tmp_path_factory.mktemp("page"), ""
    figures = {
        "fig-six": factors.six(points(), "odd-one-out accuracy", chance=1 / 3, ceiling=0.67),
        "fig-heat": on_colour(pd.DataFrame(np.linspace(0, 1, 30).reshape(5, 6))),
    }
    for name, fig in figures.items():
        (folder / f"{name}.svg").write_text(show.svg(fig), "utf8")
        with style.phone():
            (folder / f"{name}.narrow.svg").write_text(show.svg(fig.again()), "utf8")
        body += f'<figure id="{name}"><img class="dark-light" src="{name}.svg" alt="A figure of points"></figure>'
    body = inline(body, lambda name: folder / name, lambda label: folder / f"{label}.narrow.svg")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>t</title>'
    head += f'<link rel="stylesheet" href="{(STATIC / "humalign.css").as_uri()}">'
    look = "<style>body, figure { margin: 0 } .bd-article { max-width: 672px; margin: 0 auto }</style>"
    main = f'<main class="bd-content"><article class="bd-article">{body}</article></main>'
    (folder / "page.html").write_text(f'<!doctype html><html lang="en"><head>{head}{look}</head>{main}</html>', "utf8")
    return folder / "page.html"


def failures(page, theme):
    ground = GROUNDS[theme]
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'; document.body.style.background = '{ground}'")
    found = figure_texts(page, ground)
    bad = [row for row in found if row["pixels"] < LEAST_PIXELS - 0.05 or row["contrast"] < LEAST_CONTRAST]
    return found, bad


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_figure_reads_in_the_column_and_on_a_phone(browser, made, width, theme):
    page, trouble = opened(browser, made, viewport={"width": width, "height": 900})
    found, bad = failures(page, theme)
    assert {row["figure"] for row in found} == {"fig-six", "fig-heat"}
    assert not bad
    assert page.locator("svg.ha-figure:visible").count() == 2  # one picture of each figure
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not trouble


def test_the_measure_sees_small_and_faint_texts(browser, tmp_path):
    text = '<text x="5" y="40" style="font-size: {}px; fill: {}">words</text>'
    svg = f'<svg class="ha-figure" width="200" height="90">{text.format(8, "#000")}{text.format(14, "#ccc")}</svg>'
    (tmp_path / "page.html").write_text(f"<!doctype html><body><figure id='f'>{svg}</figure></body>", "utf8")
    page, _ = opened(browser, tmp_path / "page.html")
    assert len(failures(page, "light")[1]) == 2


@pytest.mark.book
@pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the book is not built; run 'make book' first")
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_figures_of_the_book_read_on_every_page(browser, path):
    for width in WIDTHS:
        page, _ = opened(browser, path, viewport={"width": width, "height": 900})
        page.wait_for_load_state("load")
        for theme in GROUNDS:
            assert not failures(page, theme)[1]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.context.close()
