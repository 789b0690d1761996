"""A gallery of report cards: what it shows, bad input, sorting in a browser with the network cut."""

import json

import pytest
from browsing import opened

from humalign import cli, report_gallery
from humalign.errors import InputError


def row(
    model,
    value,
    dataset="things",
    measure="accuracy",
    stage="zero-shot",
    detail="cosine",
    profile="mini",
    layer="logits",
):
    return {"profile": profile, "dataset": dataset, "model": model, "layer": layer, "stage": stage, "measure": measure,
            "detail": detail, "value": value, "low": value - 0.1, "high": value + 0.1, "n": 100}  # fmt: skip


def card(model, value, **more):
    results = [row(model, value), row(model, value - 0.2, layer="penultimate"), row(model, 0.9, detail="dot"),
               row("people", 0.8, measure="ceiling", stage="ceiling", detail="leave-one-out")]  # fmt: skip
    return {"model": model, "results": [*results, *more.get("rows", [])], "notes": more.get("notes", [])}


def test_the_better_layer_counts_and_the_ceiling_is_that_of_people(monkeypatch):
    monkeypatch.setattr(report_gallery, "CEILING", {"accuracy": ("ceiling", "leave-one-out", "majority")})
    found = report_gallery.rows([card("a", 0.5)])
    assert len(found) == 1  # the dot product is no column
    one = found.iloc[0]
    assert (one["value"], one["layer"], one["ceiling"], one["whose"]) == (0.5, "logits", 0.8, "simulated")
    assert 'style="width:36%"' in report_gallery.table(found)  # (.5 - 1/3) / (.8 - 1/3)


def test_real_people_and_simulated_observers_have_columns_of_their_own():
    real = row("a", 0.4, dataset="things", profile="slice")
    text = report_gallery.page([card("a", 0.5, rows=[real], notes=["x: <left> out"])])
    head = text[text.index("<thead>") : text.index("</thead>")]
    assert head.index("real people") < head.index("simulated observers")
    assert "a: x: &lt;left&gt; out" in text
    assert "http" not in text


def write(path, content):
    path.write_text(json.dumps(content), "utf8")
    return str(path)


def test_command_reads_files_with_one_card_and_with_several(tmp_path, capsys):
    one = write(tmp_path / "one.json", card("c", 0.4))
    several = write(tmp_path / "several.json", {"cards": [card("a", 0.5), card("b", 0.6)]})
    assert cli.main(["gallery", one, several, "--out", str(tmp_path / "g.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text("utf8").count('<th scope="row">') == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON (line 1)"),
        ("[]", "holds no report card"),
        ('{"cards": []}', "holds no report card"),
        (json.dumps({"cards": [card("a", 0.5), card("a", 0.5)]}), "'a' has a card already"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path, capsys, content, told):
    (tmp_path / "bad.json").write_text(content, "utf8")
    assert cli.main(["gallery", str(tmp_path / "bad.json"), "--out", str(tmp_path / "g.html")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_cards_without_a_shown_measure_are_refused():
    with pytest.raises(InputError, match="no measure"):
        report_gallery.page([{"model": "a", "results": [row("a", 0.5, measure="other")]}])


def test_it_sorts_in_a_browser(browser, tmp_path):
    path = report_gallery.write(
        [card(name, value) for name, value in (("b", 0.4), ("a", 0.6), ("c", 0.5))], tmp_path / "g.html"
    )
    page, trouble = opened(browser, path, viewport={"width": 390, "height": 844})
    page.get_by_role("button", name="odd-one-out").press("Enter")
    assert page.locator("tbody th").all_inner_texts() == ["a", "c", "b"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert trouble == []
