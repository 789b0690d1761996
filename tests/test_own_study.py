"""A lab's own study in the plain layout runs through the chapters without a line of code."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from humalign import cli, odd_one_out, rsa
from humalign.book import requirements
from humalign.book.run import plan
from humalign.chapters import networks, zero_shot
from humalign.chapters import rsa as rsa_chapter
from humalign.config import get_profile
from humalign.similarity import similarity_matrix
from humalign.source import open_source

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
M, NETWORKS = 12, ("blurred", "noisy", "random")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Twelve pictures, answers of one latent space, an arrangement, and features of three networks: files alone."""
    root, rng = tmp_path_factory.mktemp("lab"), np.random.default_rng(0)
    folder = root / "kitchen"
    (folder / "pictures").mkdir(parents=True)
    ids = [f"object {k}" for k in range(M)]
    latent = rng.gamma(0.5, 1.0, (M, 4))
    for k in range(M):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(folder / f"pictures/{k}.png")
    pictures = pd.DataFrame({"id": ids, "file": [f"pictures/{k}.png" for k in range(M)], "kind": ["a", "b"] * (M // 2)})
    pictures.to_csv(folder / "pictures.csv", index=False)
    rows = np.array([rng.permutation(M)[:3] for _ in range(600)])
    kept = odd_one_out.choices(similarity_matrix(latent, "dot"), rows)
    ordered = np.array([[*np.delete(row, k), row[k]] for row, k in zip(rows, kept)])
    names = np.array(ids, object)
    for file, part in (("answers", ordered), ("repeated", np.repeat(ordered[:40], 3, 0))):
        table = pd.DataFrame(dict(zip(("first", "second", "odd"), names[part].T)))
        table.to_csv(folder / f"{file}.csv", index=False)
    people = np.stack([rsa.rdm(latent + 0.1 * rng.normal(size=latent.shape), "euclidean") for _ in range(4)])
    np.savez(folder / "arrangement.npz", ids=np.array(ids), rdm=people)
    for name, noise in zip(NETWORKS, (0.1, 0.6, 9.0)):
        (root / "features" / name).mkdir(parents=True)
        values = latent + noise * rng.normal(size=latent.shape)
        np.savez(root / "features" / name / "kitchen.npz", penultimate=values, ids=np.array(ids))
    return root


def test_roles_are_played_by_the_studies_that_have_their_file(lab):
    source = open_source(lab)
    assert source.role("things").folder == source.role("cichy").folder == "kitchen"
    assert source.missing("things", features=True) == source.missing("cichy", features=True) == ""
    assert "king1" in source.missing("king1")
    assert list(source.models("things")) == sorted(NETWORKS)


def test_zero_shot(lab):
    source = open_source(lab)
    measured = zero_shot.measure(source)
    points = networks.points(measured, source.networks(), "penultimate", dataset="things", detail="dot")
    value = points.set_index("model")["value"]
    assert value["blurred"] > value["noisy"] > value["random"] - 0.05
    answers = source.triplets("things")
    (part,) = source.features("things", models=["noisy"])
    by_hand = odd_one_out.accuracy(similarity_matrix(part.align(answers.ids).values, "dot"), answers.triplets)
    assert value["noisy"] == pytest.approx(by_hand)
    ceilings = zero_shot.ceilings(source)
    assert set(ceilings["detail"]) == {"majority", "leave-one-out"}  # nobody was simulated: no Bayes limit
    references = zero_shot.references(source)
    assert set(references["model"]) == {"pixels", "colour histogram", "category"}
    zero_shot.ladder(points, references, ceilings)
    zero_shot.overview(points, zero_shot.limit(ceilings))
    zero_shot.ladder(points, references, ceilings[:0])  # nobody answered twice
    assert zero_shot.limit(ceilings[:0]) is None


def test_rsa(lab):
    source = open_source(lab)
    measured = rsa_chapter.measure(source)
    table = measured.table.query("measure == 'spearman' and detail == 'correlation'").set_index("model")["value"]
    assert table["blurred"] > table["random"]
    human = source.arrangement("cichy")
    (part,) = source.features("cichy", models=["blurred"])
    own = rsa.rdm(part.align(human.ids).values, "correlation")
    assert table["blurred"] == pytest.approx(rsa.compare(own, human.mean()))


def test_a_network_of_ones_own_joins(lab, tmp_path):
    source = open_source(lab)
    ids = source.ids("things")
    path = tmp_path / "mine.npz"
    np.savez(path, features=np.random.default_rng(1).normal(size=(M, 5)), ids=np.array(ids))
    measured = zero_shot.measure(open_source(lab, path))
    points = networks.points(measured, open_source(lab, path).networks(), "best", dataset="things", detail="cosine")
    assert points.set_index("model").loc["mine", "group"] == "Yours"


# ---- as the profile of a notebook


def test_a_page_runs_on_the_folder(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(lab.parent)  # the folder is named from here; the notebook runs elsewhere
    target = tmp_path / "page.ipynb"
    assert cli.main(["run", str(NOTEBOOKS / "zero_shot.md"), "-p", "profile", lab.name, "-o", str(target)]) == 0
    page = json.loads(target.read_text())
    assert page["metadata"]["humalign"]["parameters"]["profile"] == str(lab)
    assert page["metadata"]["humalign"]["missed"] == 3  # two figures of roles that nobody plays here, and their numbers
    shown = pd.read_csv(tmp_path / "page-data" / "fig-zero-shot.csv").set_index("model")["value"]
    measured = zero_shot.measure(open_source(lab), roles=("things",)).table
    wanted = measured[measured["detail"] == "cosine"].set_index("model")["value"]
    assert shown.to_dict() == pytest.approx(wanted.to_dict(), abs=1e-6)


def test_the_environment_makes_the_folder_the_profile_of_the_book(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(lab.parent)
    monkeypatch.setenv("HUMALIGN_PROFILE", lab.name)
    assert get_profile().data == lab
    runs = {run.source.stem: run for run in plan(NOTEBOOKS, tmp_path)}
    assert runs["rsa"].parameters["profile"] == str(lab)
    before = runs["rsa"].digest
    extra = lab / "kitchen" / "notes.txt"
    extra.write_text("a file more")
    assert runs["rsa"].digest != before  # whatever changes in the folder makes its pages run again
    extra.unlink()


def test_the_notice_says_which_study_plays_what(lab):
    said = repr(requirements.Notice(get_profile(lab), "rsa"))
    assert "there: arrangements: kitchen: features of blurred, noisy, random" in said
    assert said.count("a further study with arrangement.npz") == 1
    assert "a further study with sessions.csv" in repr(requirements.Notice(get_profile(lab), "levels"))
    assert "humalign plan" not in said


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda lab, empty: "nowhere", "no profile is called 'nowhere', and no folder"),
        (lambda lab, empty: empty, "holds no study in the plain layout"),
        (lambda lab, empty: lab / "kitchen", "is one study; give the folder that holds it"),
    ],
)
def test_what_is_no_folder_of_studies_is_said_in_one_line(lab, tmp_path, capsys, make, told):
    code = cli.main(["run", str(NOTEBOOKS / "zero_shot.md"), "-p", "profile", str(make(lab, tmp_path))])
    said = capsys.readouterr().err
    assert code == 2
    assert told in said
    assert said.count("\n") == 1
