"""Pages on students in the full profile: released networks where their features are there, else the drawn ones."""

import re
from pathlib import Path

import pandas as pd
import pytest
from rehearsing import NOTEBOOKS, adopt, figures, notes, notice, run

from humalign.book import requirements
from humalign.chapters import aligned, rated_pairs, student, verdicts
from humalign.config import get_profile
from humalign.errors import MissingData
from humalign.source import open_source

BASES, STATES = ("SigLIP-B", "DINOv2-B"), ("", "+UnAligNet", "+AligNet")
SEEN = ("things/images", "cichy2019/images", "king2019/set1/images", "king2019/set2/images", "levels/images",
        "levels/validation_images", "imagenet/val", "caltech101")  # fmt: skip
DRAWN = set(student.NAMES)  # networks of the drawn world
PAGES = ("student", "hierarchy", "levels")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    import rehearsal

    folder = tmp_path_factory.mktemp("students")
    root = rehearsal.write(folder / "data")
    profile = get_profile("full", data=root, cache=folder / "cache", device="cpu")
    adopt(root, profile, {base + state: {"penultimate": 6} for base in BASES for state in STATES}, SEEN)
    return run(PAGES, root, folder), folder / "book" / "data", profile


def shown(done, label):
    return pd.read_csv(done[1] / f"{label}.csv")


@pytest.mark.parametrize(
    ("label", "panels"),
    [
        ("fig-student-levels", {"coarse", "fine", "boundary"}),
        ("fig-student-choices", {"odd-one-out choices, all concepts"}),
        ("fig-student-arrangements", set(student.ARRANGED.values())),
        ("fig-levels-networks", {"coarse", "fine", "boundary"}),
        ("fig-levels-times", {"coarse", "fine", "boundary"}),
    ],
)
def test_main_figures_show_the_released_networks(done, label, panels):
    table = shown(done, label)
    assert set(table["model"]) == set(BASES)
    assert set(table["stage"]) == {"base", "UnAligNet", "AligNet"}
    assert panels <= set(table["panel"])


def test_contrasts_and_hierarchy_are_about_the_released_networks(done):
    contrasts = shown(done, "fig-student-contrasts")
    assert set(contrasts["model"]) == {*BASES, "all"}
    assert set(contrasts["provenance"]) == {"live"}
    assert {"levels", "one-shot", "shift"} == set(contrasts["dataset"])
    for label in ("fig-hierarchy-density", "fig-hierarchy-alike"):
        table = shown(done, label)
        assert set(table["model" if "model" in table else "first"]) == set(BASES)
    wnids = shown(done, "fig-hierarchy-map")["concept"]
    assert all(re.fullmatch(r"n\d{8}", name) for name in wnids)  # classes of ImageNet


def test_an_example_names_pictures_that_people_judged(done):
    table = shown(done, "fig-student-examples")
    assert len(table)
    assert table["people"].between(1 / 3, 1).all()
    assert all(re.match(r"n\d{8}_", name) for name in table["odd"])
    right = table["kind"].isin(["wrong before, right after", "right before and after"])
    assert ((table["after"] == table["odd"]) == right).all()


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_is_there_and_no_page_says_drawn(done, name):
    page = done[0][name]
    assert notes(page) == []
    assert figures(page) == set(re.findall(r"^\s+name: (fig-[\w-]+)$", (NOTEBOOKS / f"{name}.md").read_text(), re.M))
    assert "as in every profile" not in notice(page)
    assert "Rehearsal" in notice(page)


def test_ratings_of_people_reach_the_page(done):
    raters = shown(done, "fig-levels-validation")
    assert set(raters["student"]) == {rated_pairs.STUDY, *BASES}
    assert raters.groupby("student")["participant"].nunique().eq(3).all()  # the fourth had another slider
    table = shown(done, "fig-levels-rated")
    assert set(table["model"]) == {rated_pairs.STUDY, *BASES}
    assert set(table.loc[table["model"] == BASES[0], "stage"]) == {"base", "UnAligNet", "AligNet"}
    study = table[(table["model"] == rated_pairs.STUDY)].set_index("stage")["value"]
    assert study["AligNet"] > 0.5 > study["UnAligNet"]  # the tiny ratings follow the tiny AligNet
    pairs = shown(done, "fig-levels-pairs")
    assert set(pairs["closer"]) == {"AligNet", "UnAligNet"}
    assert all(re.fullmatch(r"n\d{8}_\d+\.JPEG", name) for name in pairs["image1"])


def test_without_ratings_the_section_is_one_sentence(done, tmp_path):
    from dataclasses import replace

    source = open_source(done[2])
    found = aligned.Students(open_source(get_profile("full", data=tmp_path, cache=tmp_path)), source, False)
    with pytest.raises(MissingData, match="levels/validation_ratings"):
        rated_pairs.rated(replace(found, runs=aligned.students(source).runs))


def test_training_itself_stays_drawn_and_says_so(done):
    said = notice(done[0]["student"])
    assert "Of the drawn world in every profile: fig-student-relations, fig-student-controls" in said
    assert set(shown(done, "fig-student-diagnosis")["model"]) <= DRAWN
    assert "seen teacher" in str(shown(done, "fig-student-controls")["stage"].tolist())


def test_without_released_networks_the_page_shows_drawn_ones_and_says_so(tmp_path):
    import rehearsal

    source = open_source(get_profile("full", data=rehearsal.write(tmp_path / "data"), cache=tmp_path / "cache"))
    found = aligned.students(source)
    assert found.drawn
    assert found.models == list(student.NAMES)
    said = requirements.Notice(source.profile, "student")
    assert any(line.what.startswith("features of 0 released networks") for line in said.missing)
    assert said.ribbon()[0] == "simulated"
    assert any("the page shows students of the drawn world" in line for line in said.sentences())


def test_every_claim_about_alignment_has_a_verdict_on_the_recorded_students():
    """The names of concepts in the record and in the ledger differ, and a claim that finds no row is silent."""
    told = verdicts.of_students(aligned.students(open_source("mini")))
    second = {key: str(value) for key, value in told.items() if key.startswith("p2") and key.endswith("_word")}
    assert len(second) == 12
    assert [key for key, value in second.items() if value == "was not measured"] == []


def test_pages_that_are_drawn_in_full_are_about_the_drawn_world():
    drawn = [name for name in requirements.notebooks() if requirements.of_notebook("full", name).drawn]
    # real_alignet: recorded, of real people
    assert drawn == ["alignet_data", "real_alignet", "second_world", "start", "world", "zoo"]


def test_figures_that_stay_drawn_are_figures_of_their_page():
    for name in requirements.notebooks():
        labels = requirements.of_notebook("full", name).simulated
        text = (Path(NOTEBOOKS) / f"{name}.md").read_text("utf8")
        assert [label for label in labels if f"name: {label}\n" not in text] == []
