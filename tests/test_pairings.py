"""Each chapter on the drawn world sets its results beside real people and the papers; every name there exists."""

import re
from pathlib import Path

import pandas as pd
import pytest

from humalign import claims as ledger
from humalign import show
from humalign.chapters import pairings, student
from humalign.errors import InputError

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
DRAWN = ("zero_shot", "rsa", "probing", "concepts", "calibration", "representation_comparison", "teacher",
         "alignet_data", "student", "hierarchy", "levels", "generalisation", "table1")  # fmt: skip
ROWS = [pytest.param(row, id=row.get("finding", str(row.get("drawn")))) for row in pairings.pairs()]


def words(cell: list) -> str:
    return " ".join(map(str, cell)).strip()


@pytest.mark.parametrize("chapter", DRAWN)
def test_every_drawn_chapter_has_a_table_of_two_to_six_rows(chapter):
    assert 2 <= len(pairings.of_chapter(chapter)) <= 6
    assert (NOTEBOOKS / f"{chapter}.md").read_text("utf8").count(f'pairings.table("{chapter}"') == 1


@pytest.mark.parametrize("row", ROWS)
def test_every_name_exists_and_no_cell_is_empty(row):
    for name in row.get("people", ()):
        cell, verdict = pairings.of_people(name)
        assert isinstance(cell[0], show.Number)
        assert ("-" in name) == bool(verdict), "claims have a verdict, numbers have none"
    for name in row.get("drawn", ()):
        if name not in pairings.drawn_claims():
            pages = [(NOTEBOOKS / f"{chapter}.md").read_text("utf8") for chapter in row["chapters"]]
            assert any(f"{{glue:}}`{name}`" in page for page in pages), f"no page of this row shows {name}"
    assert words(pairings.published(row))
    for side in ("drawn", "people", "published"):
        assert len(row.get(f"no_{side}", "a reason")) > 5


def test_every_claim_has_its_row_and_the_ledger_shows_both_other_sides():
    own = [claim["id"] for claim in ledger.ledger()]
    rows = [row["drawn"][0] for row in pairings.pairs() if len(row.get("drawn", ())) == 1]
    assert sorted(name for name in rows if name in own) == sorted(own)
    beside = pairings.beside(pd.DataFrame({"id": own}))
    assert all(words(cell) for column in beside for cell in beside[column])
    assert len(re.findall(r"beside\(part\)", (NOTEBOOKS / "claims.md").read_text("utf8"))) == 2


def test_a_table_says_what_was_measured_and_what_was_not():
    from humalign.source import open_source

    models = open_source("mini").networks()
    table = pairings.table("student", student.as_claimed(student.runs()), models)
    first = table.iloc[0]
    assert first["verdict"].startswith("drawn: ")
    assert words(first["published"]).startswith("base (Paper 2)")
    missing = pairings.table("calibration").iloc[0]
    assert words(missing["here"]) == "not measured · not measured"
    assert "none: " in words(table[table["verdict"].str.startswith("people: ")].iloc[0]["here"])


def test_what_is_unknown_is_refused_in_one_line():
    with pytest.raises(InputError, match="neither a claim nor a number"):
        pairings.of_people("rn_nothing")
    with pytest.raises(InputError, match="neither a claim nor a number"):
        pairings.of_people("zz_nothing")
    with pytest.raises(InputError, match="no row is about 'nothing'"):
        pairings.table("nothing")
    with pytest.raises(InputError, match="names no published number"):
        pairings.published({"published": [{"work": "Paper 9", "label": "none"}]})


def test_a_cell_may_hold_texts_and_numbers():
    frame = pd.DataFrame({"a": [["from", show.number(0.5), "to", show.number(1.0, provenance="recorded")]]})
    text = show.table(frame).markdown()
    assert "from 0.500 [live]" in text
    assert "to 1.000 [recorded]" in text


def test_every_claim_on_drawn_students_is_measured():
    from humalign.chapters import aligned, verdicts
    from humalign.source import open_source

    said = verdicts.of_students(aligned.students(open_source("mini")))
    words = {key: word for key, word in said.items() if key.startswith("p2_") and key.endswith("_word")}
    assert len(words) > 10
    assert "was not measured" not in words.values()
