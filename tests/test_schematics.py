"""The two schematic drawings show what their tables hold, and their examples follow the rules that captions name."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from humalign.chapters import alignet_data, student_examples, teacher
from humalign.odd_one_out import softmax
from humalign.plots import schematics, style
from humalign.source import open_source
from humalign.world import observers, stimuli
from humalign.world.stimuli import concept_of, split_ids


@pytest.fixture(autouse=True)
def _close():
    style.use()
    yield
    plt.close("all")
    matplotlib.rcdefaults()


@pytest.fixture(scope="module")
def relations():
    return student_examples.relations()


class Map:
    """A map that gives each picture a vector made for the test."""

    def __init__(self, values):
        self.apply = lambda x: values


@pytest.fixture
def world(monkeypatch):
    """Vectors in place of features: those of the map are what people see, those without it are noise."""
    seen = observers.values(split_ids("things"))
    noise = np.random.default_rng(0).normal(size=seen.shape)
    monkeypatch.setattr(teacher, "features", lambda *args: None)
    monkeypatch.setattr(teacher, "fitted", lambda p, n, kind: Map(noise if kind == "untransformed" else seen))
    names = [f"{c}/test{k}" for c in ("dog", "cat", "car") for k in range(3)]
    frame = pd.DataFrame([names[k : k + 3] for k in (0, 3, 6)], columns=["first", "second", "odd"])
    frame[["s01", "s02", "s12"]] = [[1.0, 0, 0], [2.0, 0, 0], [9.0, 0, 0]]
    monkeypatch.setattr(alignet_data, "sampled", lambda source, rules: {rules[0]: frame})
    return open_source("mini")


def test_a_chance_is_that_of_the_pair_without_the_picture():
    values, row = np.random.default_rng(1).normal(size=(5, 3)), np.array([[4, 0, 2]])
    a, b, c = values[row[0]]
    expected = softmax(np.array([b @ c, a @ c, a @ b]))
    np.testing.assert_allclose(alignet_data._chances(values, row)[0], expected, rtol=1e-5)


def test_examples_of_the_steps_follow_their_rules(world):
    table = alignet_data.pipeline(world)
    assert table["step"].unique().tolist() == [1, 2, 3]
    odd = ["odd_1", "odd_2", "odd_3"]
    answers = table[table["node"] == "answers"].set_index("words")
    np.testing.assert_allclose(answers[odd].sum(axis=1), 1, rtol=1e-5)
    chosen = answers[odd].to_numpy().argmax(1)
    chosen = dict(zip(answers.index, chosen.tolist()))
    assert chosen["people"] == chosen["map"] == 2 != chosen["features alone"]  # as the caption says
    label = answers.loc["soft label"]
    assert label["first"].startswith("cat/")  # the middle one of three certainties
    np.testing.assert_allclose(label[odd].to_numpy(float), softmax(np.array([2.0, 0, 0]))[::-1])
    assert answers.iloc[-1][odd].tolist() == label[odd].tolist()  # the student's target


def test_levels_are_what_their_names_say(relations):
    for level, part in relations.groupby("level"):
        sizes = (part["superordinate"].nunique(), part["concept"].nunique(), part["picture"].nunique())
        assert sizes == {"coarse": (3, 3, 3), "fine": (1, 3, 3), "boundary": (1, 2, 3)}[level]
        assert part["odd"].sum() == pytest.approx(1)
        assert (part["concept"] == part["picture"].map(concept_of)).all()
    assert set(relations["level"]) == set(schematics.RULES) == set(style.LEVELS)


def test_drawings(world, relations):
    steps = alignet_data.pipeline(world)
    shown = stimuli.pictures_of(steps, 8)
    assert set(shown) == set(steps[["first", "second", "third"]].stack().dropna())
    fig = schematics.pipeline(steps, shown)
    fig.canvas.draw()
    ax = fig.axes[0]
    assert len(ax.images) == 9
    heights = sorted(round(bar.get_height() / schematics.BAR, 6) for c in ax.containers for bar in c)
    odd = steps[["odd_1", "odd_2", "odd_3"]].stack().dropna()
    assert heights == pytest.approx(sorted(odd), abs=1e-5)
    words = " ".join(t.get_text().replace("\n", " ") for t in ax.texts)
    assert all(w in words for w in steps[steps["node"] == "works"]["words"])
    assert all(title in words for title in steps["title"])

    fig = schematics.relations(relations, stimuli.pictures_of(relations, 8))
    fig.canvas.draw()
    texts = [t.get_text() for t in fig.axes[0].texts]
    assert len(fig.axes[0].images) == 6
    assert {*relations["superordinate"], *relations["concept"]} <= set(texts)
    assert sorted(t for t in texts if t.endswith("%")) == sorted(f"{v:.0%}" for v in relations["odd"])


def test_no_words_leave_the_drawing(world, relations):
    steps = alignet_data.pipeline(world)
    for fig in (
        schematics.pipeline(steps, stimuli.pictures_of(steps, 8)),
        schematics.relations(relations, stimuli.pictures_of(relations, 8)),
    ):
        fig.canvas.draw()
        whole = fig.bbox
        for text in fig.axes[0].texts:
            box = text.get_window_extent()
            assert box.x0 >= whole.x0 - 1
            assert box.x1 <= whole.x1 + 1
