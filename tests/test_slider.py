"""Sliders: complete without JavaScript, moved by keyboard in a browser with the network cut."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from browsing import opened

from humalign.errors import InputError
from humalign.plots import explorer, slider

pytest.importorskip("vl_convert")

PANELS = (
    slider.Panel("mean probability", {"largest": "largest", "smallest": "smallest"}, bars=True, ends=(0, 1)),
    slider.Panel("error", {"error": "error"}),
)


def frame():
    t = np.geomspace(0.1, 10, 5)
    part = pd.DataFrame({"t": t, "largest": 1 / (1 + t), "smallest": t / (30 + t), "error": np.abs(np.log(t))})
    return pd.concat([part.assign(network="Alpha"), part.assign(network="</script>", error=part["error"] + 1)])


def made(**more):
    return slider.slider(frame(), "t", "temperature", PANELS, "slide-test", "Made up", 1.0, **more)


def test_rows_have_a_step_for_each_value():
    rows = slider.rows(made(), "Alpha")
    assert len(rows) == 15
    assert {row["step"]: row["at"] for row in rows} == pytest.approx(dict(enumerate(np.geomspace(0.1, 10, 5))))
    assert [row["value"] for row in rows if row["panel"] == 1 and row["step"] == 2] == pytest.approx([0])


def test_without_javascript_there_is_a_picture_with_its_words():
    text = slider.fragment(made())
    assert text.count("</script>") == 2
    still = text[: text.index('<script type="application/json">')]
    assert "<svg" in still
    assert 'aria-label="mean probability, error of Alpha at temperature 1."' in still
    assert list(json.loads(re.search(r'json">(.*?)</script>', text, re.S)[1])["rows"]) == ["Alpha", "</script>"]


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="no column called depth"):
        slider.slider(frame(), "depth", "depth", PANELS, "x", "y", 1)
    with pytest.raises(InputError, match="two positive values"):
        slider.slider(frame().assign(t=0.0), "t", "temperature", PANELS, "x", "y", 1)


@pytest.fixture(params=[1280, 390])
def page(request, browser, tmp_path):
    (tmp_path / "_static" / "vega").mkdir(parents=True)
    (tmp_path / "_static" / "vega" / "vega.js").write_text(explorer.bundle(), "utf8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>t</title>'
    path = tmp_path / "page.html"
    body = slider.fragment(made())
    path.write_text(
        f'<!doctype html><html lang="en" data-content_root="./"><head>{head}</head><body>{body}</body></html>', "utf8"
    )
    shown, trouble = opened(browser, path, viewport={"width": request.param, "height": 844})
    shown.locator("#slide-test .ha-slider-said", has_text="temperature 1:").wait_for()
    yield shown
    assert trouble == []


def test_the_slider_moves_by_keyboard_and_the_picture_follows(page):
    chart, said = page.locator("#slide-test .ha-slider-chart"), page.locator("#slide-test .ha-slider-said")
    before = chart.locator(".mark-rect path").first.get_attribute("d")
    page.get_by_label("temperature", exact=True).press("ArrowRight")
    said.get_by_text("temperature 3.162: largest 0.24").wait_for()
    assert page.get_by_label("temperature", exact=True).get_attribute("aria-valuetext") == "3.162"
    page.wait_for_function(
        "before => document.querySelector('#slide-test .mark-rect path').getAttribute('d') !== before", arg=before
    )
    page.get_by_label("Network").select_option("</script>")
    said.get_by_text("error 2.151").wait_for()
    assert "of </script> at temperature 3.162" in chart.get_attribute("aria-label")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_the_dark_picture_has_light_colours(page):
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.locator(f"#slide-test .mark-rect path[fill='{slider.DARK[0]}']").first.wait_for()
