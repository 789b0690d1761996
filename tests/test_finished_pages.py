"""Finished pages: provenance in one line, figures that enlarge, tables that sort; in a browser without network."""

from pathlib import Path

import pytest
from browsing import opened

from humalign import plots, show
from humalign.book.pages import MARKS, SAID, one_line

STATIC = Path(__file__).parents[1] / "book" / "_static"


def badge(kind):
    return show.number(0.5, provenance=kind, source="a file")._repr_mimebundle_()["text/html"]


def test_every_provenance_has_words_and_a_letter():
    assert set(SAID) == set(MARKS) == set(show.PROVENANCE)
    assert len(set(MARKS.values())) == len(MARKS)


def test_a_paragraph_ends_with_one_line():
    out = one_line(f"<p>First {badge('live')}, then {badge('live')}.</p>")
    assert out.count("a file") == 2  # a pointer at each number tells its source
    assert out.endswith('<span class="ha-from ha-live">computed here</span></p>')
    assert "ha-badge" not in out


def test_rarer_kinds_are_marked_and_explained():
    out = one_line(f"<p>{badge('live')} {badge('live')} {badge('published')}</p>")
    assert '0.500<sup class="ha-mark"' in out
    assert "computed here; <sup>p</sup> published</span>" in out


def test_a_column_of_one_label_becomes_the_line_below_the_table():
    row = "<tr><td>1</td><td>{}</td></tr>"
    table = "<table><thead><tr><th>a</th><th>provenance</th></tr></thead><tbody>{}</tbody></table>"
    same = one_line(table.format(row.format(show.badge("live")) * 3))
    assert "provenance" not in same
    assert same.endswith('</table><p class="ha-from ha-live">computed here</p>')
    mixed = one_line(table.format(row.format(show.badge("live")) * 2 + row.format(show.badge("recorded"))))
    assert mixed.count("<td>computed here</td>") == 2
    assert "<td>recorded earlier</td>" in mixed


def test_pages_without_numbers_and_the_legend_stay_as_they_are():
    assert one_line("<p>a<br></p>") == "<p>a<br></p>"
    legend = f'<div class="ha-legend"><p>{show.badge("live")}</p></div>'
    assert "ha-badge" in one_line(legend)


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>t</title><link rel="stylesheet" href="{css}"><script src="{js}"></script><script src="{tables}"></script></head>
<body><main class="bd-content"><article class="bd-article"><figure><img class="dark-light" alt="A dot"
src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='300' height='100'%3E%3C/svg%3E"></figure>
<table class="table"><thead><tr><th>name</th><th>value</th></tr></thead><tbody>
<tr><td>b</td><td>0.2 [0.1, 0.3]</td></tr><tr><td>a</td><td>−0.5</td></tr>
<tr><td>d</td><td>1,200</td></tr><tr><td>c</td><td>–</td></tr>
</tbody></table></article></main></body></html>"""


@pytest.fixture
def page(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(
        PAGE.format(
            css=(STATIC / "humalign.css").as_uri(),
            js=(STATIC / "humalign.js").as_uri(),
            tables=(Path(plots.__file__).parent / "static" / "tables.js").as_uri(),
        ),
        encoding="utf8",
    )
    shown, trouble = opened(browser, path)
    yield shown
    assert trouble == []


def test_a_figure_enlarges_by_keyboard_and_closes_again(page):
    page.get_by_role("button", name="A dot").focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] img").get_attribute("alt") == "A dot"
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.textContent") == ""  # back on the figure's button
    assert page.evaluate("document.activeElement.className") == "ha-enlarge"


def test_a_table_sorts_by_number_and_by_name(page):
    def names():
        return [text[0] for text in page.locator("tbody tr").all_inner_texts()]

    value = page.get_by_role("button", name="value")
    value.click()
    assert names() == ["d", "b", "a", "c"]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("value")
    value.click()
    assert names() == ["a", "b", "d", "c"]  # what has no number stays at the end
    value.click()
    assert names() == ["b", "a", "d", "c"]
    page.get_by_role("button", name="name").click()
    assert names() == ["a", "b", "c", "d"]
