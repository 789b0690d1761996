"""The full profile end to end, offline: tiny files in the exact layouts, untrained networks, notebooks by papermill."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from rehearsing import figures, notes, notice, run

from humalign.config import get_profile

NETWORKS = ("resnet18", "mocov2-rn50")  # with logits and without
PICTURES = ("things/images", "cichy2019/images", "king2019/set1/images", "king2019/set2/images", "levels/images",
            "levels/validation_images")  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with every data set, and features of two untrained networks extracted from its pictures."""
    import rehearsal

    from humalign import features, zoo
    from humalign.source import open_source

    root = rehearsal.write(tmp_path_factory.mktemp("full") / "data")
    profile = get_profile("full", data=root, cache=root.parent / "cache", device="cpu")
    for seed, name in enumerate(NETWORKS):
        model = zoo.load(name, pretrained=False, seed=seed)
        model.preprocess = replace(model.preprocess, size=32, resize=32)  # small pictures, for speed
        for pictures in (*PICTURES, *(["cifar100/train"] if seed == 0 else [])):
            out = root / "features" / name / pictures
            shown = open_source(profile).published(pictures)
            features.extract(model, shown, list(model.layers), device="cpu", out=out)
    return root


@pytest.fixture(scope="module")
def full(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("done")
    done = run(("zero_shot", "rsa", "levels"), data, folder)
    return done, folder / "book" / "data"


@pytest.mark.parametrize("name", ["zero_shot", "rsa", "levels"])
def test_the_page_says_that_nothing_is_missing_and_that_it_is_a_rehearsal(full, name):
    said = notice(full[0][name])
    missing = [line.strip() for line in said.splitlines() if "missing" in line]
    students = ["missing, optional: features of 0 released networks after alignment"]
    assert missing == (students if name == "levels" else [])
    assert ("Everything is there." in said) == (name != "levels")
    assert "Rehearsal" in said


def test_zero_shot_on_all_data_sets(full):
    done, tables = full
    assert notes(done["zero_shot"]) == []
    wanted = {"fig-zero-shot", "fig-zero-shot-ladder", "fig-zero-shot-coarse", "fig-zero-shot-control"}
    assert wanted <= figures(done["zero_shot"])
    table = pd.read_csv(tables / "fig-zero-shot.csv")
    assert table["model"].tolist() == list(NETWORKS)
    assert set(table["provenance"]) == {"live"}
    assert table["value"].between(0, 1).all()
    assert (table["low"] <= table["value"]).all()
    coarse = pd.read_csv(tables / "fig-zero-shot-coarse.csv")
    assert coarse["model"].tolist() == ["resnet18"]  # the only one whose features of these pictures are there


def test_rsa_on_all_arrangements(full):
    done, tables = full
    assert {"fig-rsa-cichy", "fig-rsa-king", "fig-rsa-sets", "fig-rsa-tasks"} <= figures(done["rsa"])
    table = pd.read_csv(tables / "fig-rsa-sets.csv")
    assert set(table["dataset"]) == {"cichy", "king1", "king2"}
    assert set(table["model"]) == set(NETWORKS)
    # the pictures of these sets have no categories: that figure says so, all others are there
    assert notes(done["rsa"])
    assert all("categories" in reason for reason in notes(done["rsa"]))


def test_levels_from_raw_sessions(full):
    done, tables = full
    assert notes(done["levels"]) == []
    wanted = {"fig-levels-people", "fig-levels-ceilings", "fig-levels-every", "fig-levels-every-times"}
    assert wanted <= figures(done["levels"])
    every = pd.read_csv(tables / "fig-levels-every.csv")
    assert sorted(every["model"]) == sorted(3 * list(NETWORKS))
    assert set(every["provenance"]) == {"live"}
    assert set(pd.read_csv(tables / "fig-levels-people.csv")["level"]) <= {"coarse", "fine", "boundary"}


def test_numbers_equal_those_of_the_measures(data, full):
    """The number on the page is the one that features, triplets and the measure give without the book."""
    from humalign import odd_one_out
    from humalign.data import registry
    from humalign.features import shards
    from humalign.similarity import similarity_matrix

    triplets = registry.load("things/all", get_profile("full", data=data))
    folder = data / "features" / "mocov2-rn50" / "things" / "images"
    similarity = similarity_matrix(shards.read(folder).align(triplets.ids).values, "cosine")
    table = pd.read_csv(full[1] / "fig-zero-shot.csv").set_index("model")
    assert table.loc["mocov2-rn50", "value"] == pytest.approx(odd_one_out.accuracy(similarity, triplets.triplets))


def test_missing_data_are_named_and_the_rest_is_shown(data, tmp_path):
    """Only the arrangements of Cichy et al. are there: their figures are shown, all others say what is missing."""
    part = tmp_path / "data"
    for name in ("humalign-data.json", "cichy2019", *(f"features/{n}/cichy2019" for n in NETWORKS)):
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (data / name).is_dir() else shutil.copy
        copy(data / name, part / name)
    done = run(("rsa", "levels"), part, tmp_path)
    said = notice(done["rsa"])
    assert "missing: king2019/set1" in said
    assert "humalign data fetch king2019/set1" in said
    assert "there: cichy2019" in said
    assert "fig-rsa-cichy" in figures(done["rsa"])
    assert "fig-rsa-king" not in figures(done["rsa"])
    assert any("king1: was not measured; 'humalign plan" in reason for reason in notes(done["rsa"]))
    table = pd.read_csv(tmp_path / "book" / "data" / "fig-rsa-sets.csv")
    assert set(table["dataset"]) == {"cichy"}

    drawn = {"fig-levels-networks", "fig-levels-times", "fig-levels-validation", "fig-levels-rated",
             "fig-levels-pairs"}  # of the drawn world's students, where no released one is  # fmt: skip
    assert figures(done["levels"]) == drawn
    assert all("levels" in reason for reason in notes(done["levels"]))
    assert "missing: levels" in notice(done["levels"])
