"""The chapters that fit, divide and compare, in the full profile: tiny files, small features of others, offline."""

import pandas as pd
import pytest
from rehearsing import adopt, figures, notes, notice, run

from humalign.chapters.generalisation_tasks import TASKS
from humalign.config import get_profile
from humalign.roles import ROLES

PICTURES = ("things/images", "cichy2019/images", "king2019/set1/images", "king2019/set2/images")
WIDTHS = {  # three training groups; the second has no logits; two with layers between
    "resnet18": {"layer1:gap": 6, "layer2:gap": 8, "layer10": 8, "penultimate": 12, "logits": 10},
    "mocov2-rn50": {"layer4:gap": 7, "penultimate": 16},
    "align": {"penultimate": 8, "logits": 6},
}
IMAGE_WIDTHS = {  # one head with as many classes as the tiny ImageNet has, one with others
    "resnet18": {"penultimate": 12, "logits": 24},
    "align": {"penultimate": 8, "logits": 6},
}
CHAPTERS = ("concepts", "calibration", "representation_comparison", "claims", "table1", "real_data", "probing", "start",
            "generalisation")  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """All chapters, run once; and the folder with the numbers behind their figures."""
    import rehearsal

    folder = tmp_path_factory.mktemp("chapters")
    root = rehearsal.write(folder / "data")
    profile = get_profile("full", data=root)
    adopt(root, profile, WIDTHS, PICTURES)
    adopt(
        root,
        profile,
        IMAGE_WIDTHS,
        [name for one in ROLES.values() if one.kind in ("pictures", "sessions") for name in one.pictures],
    )
    less = {"claims": {"trials": 500}, "probing": {"max_epochs": 2}, "generalisation": {"shots": [1], "draws": 2}}
    return run(CHAPTERS, root, folder, **less), folder / "book" / "data"


@pytest.mark.parametrize("name", [n for n in CHAPTERS if n != "start"])
def test_the_page_says_that_it_is_a_rehearsal_and_that_nothing_is_missing(done, name):
    said = notice(done[0][name])
    assert "Rehearsal" in said
    assert "Everything is there." in said


def test_a_page_without_data_says_so(done):
    assert "made-up example" in notice(done[0]["start"])


def test_concepts_use_the_dimensions_of_the_paper(done):
    page, tables = done[0]["concepts"], done[1]
    wanted = {"fig-concepts", "fig-concepts-ranking", "fig-concepts-r2", "fig-concepts-regression"}
    assert wanted <= figures(page)
    assert "things/vice_45" in str(page["cells"])
    assert notes(page) == []
    assert (tables / "explore-dimensions.csv").is_file()
    table = pd.read_csv(tables / "fig-concepts.csv")
    assert set(table["model"]) == set(WIDTHS)
    assert set(table["provenance"]) == {"live"}


def test_calibration_relates_doubt_to_that_of_vice(done):
    page, tables = done[0]["calibration"], done[1]
    wanted = {"search", "curves", "reliability", "improvement", "entropy"}
    assert {f"fig-calibration-{name}" for name in wanted} <= figures(page)
    assert notes(page)
    assert all("no response times" in reason for reason in notes(page))
    assert set(pd.read_csv(tables / "fig-calibration-entropy.csv")["model"]) == {*WIDTHS, "people"}


def test_comparison_sets_two_groups_apart(done):
    page, tables = done[0]["representation_comparison"], done[1]
    wanted = {"pairs", "failures", "doubt", "triplets", "maps", "layers", "public"}
    assert {f"fig-comparison-{name}" for name in wanted} <= figures(page)
    assert notes(page) == []
    layers = pd.read_csv(tables / "fig-comparison-layers.csv")
    deep = [(model, layer) for model in ("resnet18", "mocov2-rn50") for layer in WIDTHS[model]]
    assert list(zip(layers["model"], layers["layer"])) == deep
    assert layers["detail"].tolist() == [1, 2, 3, 4, 5, 1, 2]
    assert set(layers["provenance"]) == {"live"}
    maps = pd.read_csv(tables / "fig-comparison-maps.csv")
    assert maps["id"].nunique() == 30  # every tiny concept, none of the drawn world


def test_claims_are_judged_on_what_is_there(done):
    page, tables = done[0]["claims"], done[1]
    assert notes(page)  # none of these networks is a student of the second paper
    assert all("released students" in reason for reason in notes(page))
    assert {"fig-claims-tally", "fig-claims-1", "fig-claims-2", "fig-claims-recovery"} <= figures(page)
    table = pd.read_csv(tables / "fig-claims-recovery.csv")
    assert set(table["generator"]) == set(table["candidate"]) == set(WIDTHS)


def test_table_1_holds_the_numbers_of_this_run(done):
    page = done[0]["table1"]
    assert notes(page) == []
    assert "zero-shot" in str(page["cells"])


def test_real_data_are_computed_not_recorded(done):
    page, tables = done[0]["real_data"], done[1]
    assert notes(page) == []
    assert "in every profile" in notice(page)
    assert set(pd.read_csv(tables / "fig-real-accuracy.csv")["provenance"]) == {"live"}


def test_probing(done):
    page, tables = done[0]["probing"], done[1]
    assert {"fig-probing", "fig-probing-rsa", "fig-probing-strengths", "fig-probing-solvers"} <= figures(page)
    assert notes(page) == []
    assert set(pd.read_csv(tables / "fig-probing.csv")["model"]) == set(WIDTHS)


def test_transfer_on_all_sets_of_the_paper(done):
    page, tables = done[0]["generalisation"], done[1]
    assert notes(page) == []
    assert {"fig-transfer", "fig-transfer-shots", "fig-transfer-people", "fig-generalisation-one-shot"} <= figures(page)
    table = pd.read_csv(tables / "fig-transfer.csv")
    assert list(dict.fromkeys(table["task"])) == [task.name for task in TASKS if task.pictures != ("test",)]
    own = table["task"] == "imagenet-a, own head"
    assert table.loc[own, "model"].tolist() == ["resnet18"]  # the other's head knows other classes
    assert all(set(part["model"]) == set(IMAGE_WIDTHS) for _, part in table[~own].groupby("task"))
    assert table["value"].between(0, 1).all()
    assert set(table["provenance"]) == {"live"}
    assert set(pd.read_csv(tables / "fig-transfer-people.csv")["task"]) == set(table["task"])
