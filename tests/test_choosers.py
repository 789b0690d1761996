"""Language models and networks on the same questions: as recorded, against NumPy, and as the page tells readers to."""

import csv
import itertools
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humalign import choices, claims, record
from humalign.chapters import choosers, statements
from humalign.chapters import representation_comparison_figures as shared_figures
from humalign.cli import main
from humalign.config import get_profile
from humalign.data.types import Triplets

DATA = os.environ.get("HUMALIGN_DATA")
needs_data = [pytest.mark.data, pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")]
PAGE = Path(__file__).resolve().parents[1] / "notebooks" / "choosers.md"


def blocks(language):
    """What the page tells readers to write or to type."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf8"), re.S | re.M)


# ---- measures


def test_choices_of_a_similarity():
    matrix = np.array([[1, 0.9, 0.1, 0.5], [0.9, 1, 0.1, 0.5], [0.1, 0.1, 1, 0.5], [0.5, 0.5, 0.5, 1]])
    asked = Triplets(("a", "b", "c", "d"), np.array([[2, 1, 0], [0, 3, 2], [1, 2, 0]]), "made", "none")
    found = choices.of_similarity(matrix, asked, "me")
    assert found.name == "me"
    assert found.triplets[:, 2].tolist() == [2, 2, 2]
    assert [sorted(row) for row in found.triplets.tolist()] == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    flat = np.full((4, 4), 0.5)
    flat[0, 1] = flat[1, 0] = 0.9
    left = choices.of_similarity(flat, asked, "me")
    assert len(left) == 2  # three equal similarities choose nothing


def test_places_of_choices():
    rng = np.random.default_rng(0)
    rows = rng.permuted(rng.permutation(list(itertools.combinations(range(40), 3)))[:300], axis=1)
    ids = tuple(f"o{k:02d}" for k in range(40))
    people = Triplets(ids, rows, "made", "none", "people")
    turned = {"first": [1, 2, 0], "second": [0, 2, 1], "third": [0, 1, 2]}
    found = {name: Triplets(ids, rows[:, order], "made", "none", name) for name, order in turned.items()}
    found[choosers.REFERENCE] = found["third"]
    table = choosers.places(people, found).table.set_index(["model", "measure", "detail"])["value"]
    assert table["first", "first among differing", ""] == 1
    assert table["second", "first among differing", ""] == 0
    assert np.isnan(table["third", "first among differing", ""])
    assert table["third", "same as SPoSE", "third"] == 1
    assert table["first", "same as SPoSE", "third"] == 0


# ---- as recorded


@pytest.fixture(scope="module")
def recorded():
    return choosers.TABLES.tables(get_profile("mini").with_(data=None))


@pytest.fixture(scope="module")
def models():
    return choosers.facts(choosers.TABLES.source(get_profile("mini").with_(data=None)))


def test_without_data_the_page_shows_what_was_recorded(recorded, models):
    said = choosers.numbers(recorded, models)
    assert {one.provenance for one in said.values() if not isinstance(one, str)} == {"recorded"}
    assert said["ch_questions"].text() == "2,171"
    assert len(choosers.points(recorded, models)) == len(choosers.KNOWS) == 7
    table = choosers.table(recorded, models)
    assert table["chooser"].tolist()[-1] == "ChatGPT-3.5"
    assert (table["testset1"] != "").sum() == 5  # language models were not asked these
    assert len(choosers.pairs(recorded)) == 2 * 7 * 6 / 2
    assert len(statements.table(recorded["claims"], "recorded")) == 6
    assert len(claims.ledger(statements.LEDGER, "ch-")) == 6
    person, best = choosers.limits(recorded)
    assert 0.5 < person < best < 0.75


def test_figures_of_the_recorded_tables(recorded, models):
    import matplotlib.pyplot as plt

    names = dict(zip(models["model"], models["name"]))
    places = choosers.by_place(recorded, models)
    assert len(choosers.at_places(places).axes) == 5
    fig = choosers.categories(recorded["categories"], names)
    assert len(fig.axes[0].get_yticks()) == len(recorded["categories"])
    shown = choosers.ranked(choosers.points(recorded, models))
    assert next(iter(shown)) == "chatgpt35"
    fig = shared_figures.public_pairs(choosers.pairs(recorded), shown, choosers.MEASURES)
    assert [ax.get_title() for ax in fig.axes] == list(choosers.MEASURES.values())
    plt.close("all")


# ---- what readers are told


def test_the_example_of_the_page_can_be_read(tmp_path):
    from humalign.data import choices as reading

    (example,) = blocks("text")
    path = tmp_path / "choices.csv"
    path.write_text(example)
    assert {name: len(made) for name, made in reading.read(path).items()} == {"my-model": 2}
    (command,) = blocks("bash")
    assert shlex.split(command)[:3] == ["humalign", "evaluate", "choices.csv"]


@pytest.fixture(scope="module")
def tables():
    return choosers.TABLES.tables(get_profile("slice", data=DATA))


@pytest.fixture(scope="module")
def files():
    names = ("people", "gpt4", "chatgpt35")
    return {name: np.loadtxt(Path(DATA) / f"things/llm/{name}.txt", dtype=int) for name in names}


class TestGolden:
    pytestmark = needs_data

    def test_all_files_keep_one_order(self, files):
        """As the page says: the questions were put in the order of people's file, the person's odd one last."""
        a, b, c = files["people"].T
        ways = [np.column_stack(way) for way in ((b, c, a), (a, c, b), (a, b, c))]
        for name in ("gpt4", "chatgpt35"):
            assert np.any([(files[name] == way).all(1) for way in ways], axis=0).all()

    def test_values_against_numpy(self, tables, files):
        rows = tables["results"].set_index(["dataset", "model", "measure", "detail"])["value"]
        people = files["people"]
        for name in ("gpt4", "chatgpt35"):
            right = (files[name][:, 2] == people[:, 2]).mean()
            assert rows["choosers", name, "accuracy", ""] == pytest.approx(right, abs=1e-6)
            first, second = ((files[name][:, 2] == people[:, k]).sum() for k in (0, 1))
            found = rows["choosers", name, "first among differing", ""]
            assert found == pytest.approx(first / (first + second), abs=1e-6)
        values = np.load(Path(DATA) / "things/features/clip_vit_b32.npy")
        values = values[pd.read_csv(Path(DATA) / "things/concepts/row_orders.csv")["upper_index"]]
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        a, b, c = people.T
        s = np.stack([(values[i] * values[j]).sum(1) for i, j in ((b, c), (a, c), (a, b))], 1)
        clip = s.argmax(1) == 2
        assert rows["choosers", "clip_ViT-B/32", "accuracy", ""] == pytest.approx(clip.mean(), abs=1e-6)
        gpt = files["gpt4"][:, 2] == c
        same, p, q = (gpt == clip).mean(), gpt.mean(), clip.mean()
        chance = p * q + (1 - p) * (1 - q)
        kappa = rows["choosers", "gpt4", "error consistency", "clip_ViT-B/32"]
        assert kappa == pytest.approx((same - chance) / (1 - chance), abs=1e-6)
        spose = np.loadtxt(Path(DATA) / "things/embeddings/spose_embedding_49d_sorted.txt")
        s = np.stack([(spose[i] * spose[j]).sum(1) for i, j in ((b, c), (a, c), (a, b))], 1).argmax(1)
        chat = (files["chatgpt35"][:, 2:] == people).argmax(1)
        for k, place in enumerate(choosers.PLACES):
            found = rows["choosers", "chatgpt35", "same as SPoSE", place]
            assert found == pytest.approx((chat[s == k] == k).mean(), abs=1e-6)

    def test_the_command_of_the_page_gives_the_numbers_of_the_page(self, tables, files, tmp_path, monkeypatch):
        ids = (Path(DATA) / "things/concepts/unique_id.txt").read_text().split()
        monkeypatch.chdir(tmp_path)
        (example,), (command,) = blocks("text"), blocks("bash")
        with open("choices.csv", "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(example.split()[0].split(","))
            for name in ("gpt4", "chatgpt35"):
                out.writerows((ids[c], ids[a], ids[b], ids[c], name) for a, b, c in files[name])
        asked = [DATA if word == "DATA" else word for word in shlex.split(command)[1:]]
        assert main([*asked, "--profile", "slice", "--json", "card.json"]) == 0
        assert Path("card.html").stat().st_size > 10_000
        told = pd.DataFrame(json.loads(Path("card.json").read_text())["results"])
        told = told[told["dataset"] == "things/llm_people"].set_index(["model", "measure", "detail"])["value"]
        rows = tables["results"].set_index(["dataset", "model", "measure", "detail"])["value"]["choosers"]
        for key in (("gpt4", "accuracy", ""), ("chatgpt35", "accuracy", ""), ("gpt4", "agreement", "chatgpt35"),
                    ("gpt4", "error consistency", "chatgpt35")):  # fmt: skip
            assert told[key] == pytest.approx(rows[key], abs=1e-6)

    def test_what_is_recorded_is_what_is_computed(self, tables):
        before, keys = record.read("slice_choosers", "results"), ["dataset", "model", "stage", "measure", "detail"]
        both = before.merge(tables["results"], on=keys)
        assert len(both) == len(before) == len(tables["results"])
        np.testing.assert_allclose(both["value_x"], both["value_y"], rtol=1e-5, atol=2e-5)
