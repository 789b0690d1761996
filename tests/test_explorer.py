"""Scatters to explore: complete without JavaScript, and in a browser with the network cut."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from browsing import opened

from humalign.errors import InputError
from humalign.plots import explorer

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

NUMBERS = (
    explorer.Number("accuracy", "odd-one-out accuracy"),
    explorer.Number("size", "millions of parameters", log=True),
    explorer.Number("rho", "correlation"),
)


def frame():
    return pd.DataFrame(
        {
            "name": ["Alpha", "Beta", "</script>", "Delta"],
            "group": ["Image/Text", "Self-Supervised", "Self-Supervised", "Untrained"],
            "accuracy": [0.5, 0.4, 0.42, 0.34],
            "accuracy low": [0.45, 0.35, 0.4, np.nan],
            "accuracy high": [0.55, 0.45, 0.44, np.nan],
            "size": [100.0, 10.0, 1.0, np.nan],
            "rho": [0.3, -0.1, 0.2, 0.0],
        }
    )


def made(**more):
    return explorer.explorer(frame(), NUMBERS, "explore-test", "Made up", **more)


def test_rows_without_a_number_are_left_out_and_keep_their_intervals():
    rows = explorer.values(frame(), "size", "accuracy")
    assert [row["name"] for row in rows] == ["Alpha", "Beta", "</script>"]
    assert (rows[0]["low"], rows[0]["high"]) == (0.45, 0.55)
    assert explorer.values(frame(), "rho", "accuracy")[3]["low"] == 0.34  # no interval: both ends are the value


def test_without_javascript_there_are_a_picture_and_a_table():
    text = explorer.fragment(made())
    assert text.count("</script>") == 2
    still = text[: text.index('<script type="application/json">')]
    assert "<svg" in still
    assert re.search(
        r"<th scope=\"row\"[^>]*>Alpha</th><td>Image/Text</td><td>0.500</td><td>100.0</td><td>0.300</td>", still
    )
    assert "−0.100" in still
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.S)[1])
    assert data["rows"][2]["name"] == "</script>"
    assert data["rows"][3]["values"]["size"] == [None, None, None]


def test_bad_columns_are_refused():
    with pytest.raises(InputError, match="no column called depth"):
        explorer.explorer(frame(), (*NUMBERS, explorer.Number("depth", "d")), "x", "y")
    with pytest.raises(InputError, match="at least two"):
        explorer.explorer(frame(), NUMBERS[:1], "x", "y")


@pytest.fixture
def page(browser, tmp_path):
    (tmp_path / "_static" / "vega").mkdir(parents=True)
    (tmp_path / "_static" / "vega" / "vega.js").write_text(explorer.bundle(), "utf8")
    pair = explorer.Pair("first", "rho", "accuracy", "data:image/gif;base64,R0lGODlhAQABAAAAACw=", "one")
    parts = [
        made(),
        explorer.explorer(frame(), NUMBERS, "explore-pairs", "Made up", [pair, explorer.Pair("second", "size", "rho")]),
    ]
    body = "".join(explorer.fragment(one) for one in parts)
    path = tmp_path / "page.html"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>t</title>'
    path.write_text(
        f'<!doctype html><html lang="en" data-content_root="./"><head>{head}</head><body>{body}</body></html>', "utf8"
    )
    shown, trouble = opened(browser, path, viewport={"width": 390, "height": 844})
    shown.locator("#explore-test .ha-explore-said", has_text="networks").wait_for()
    yield shown
    assert trouble == []


def dots(page, name="explore-test"):
    return page.locator(f"#{name} .mark-symbol.role-mark").first.locator("path").count()


def test_axes_groups_and_picks(page):
    assert dots(page) == 3  # one has no size
    page.get_by_label("Across").select_option("rho")
    page.locator("#explore-test .role-axis-title", has_text="correlation").first.wait_for()
    assert dots(page) == 4
    page.locator("#explore-test").get_by_role("checkbox", name="Untrained").uncheck()
    page.locator("#explore-test .ha-explore-said", has_text="3 networks").wait_for()
    assert dots(page) == 3
    page.locator("#explore-test").get_by_text("All numbers as a table").click()
    page.get_by_role("button", name="Beta").press("Enter")
    page.locator("#explore-test .ha-explore-said", has_text="Beta: odd-one-out accuracy 0.400").wait_for()
    assert page.get_by_role("button", name="Beta").get_attribute("aria-pressed") == "true"
    page.locator("#explore-pairs .ha-explore-said", has_text="Beta").wait_for()  # marked in the other picture, too
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_dot_says_its_name_and_can_be_clicked(page):
    dot = page.locator("#explore-test .mark-symbol.role-mark path").first
    dot.hover()
    page.locator("#vg-tooltip-element", has_text="Alpha").wait_for()
    dot.click()
    page.locator("#explore-test .ha-explore-said", has_text="Alpha:").wait_for()


def test_pairs_are_chosen_together(page):
    page.get_by_label("Show").select_option(label="second")
    page.locator("#explore-pairs .role-axis-title", has_text="millions of parameters").first.wait_for()
    assert dots(page, "explore-pairs") == 3
