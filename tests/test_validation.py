"""The validation study with drawn people: pairs on which two networks disagree, ratings that follow what is seen."""

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest

from humalign.chapters import levels, levels_figures
from humalign.chapters.student import pictures
from humalign.world import observers

MODEL = "softmax-resnet-m"


@pytest.fixture(scope="module")
def shown():
    return pictures("test")


def test_pairs_are_the_most_divergent_ones_of_one_superordinate(shown):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(len(shown), 5)), rng.normal(size=(len(shown), 5))
    pairs = levels.divergent(a, b, shown, n=40)
    assert len(pairs) == 80
    assert (pairs["difference"][:40] < 0).all()
    assert (pairs["difference"][40:] > 0).all()
    first, second = shown.iloc[pairs["first"]], shown.iloc[pairs["second"]]
    assert (first["superordinate"].to_numpy() == second["superordinate"].to_numpy()).all()
    assert (first["concept"].to_numpy() != second["concept"].to_numpy()).all()
    assert first["superordinate"][:].iloc[:40].value_counts().max() <= levels.MOST


def test_a_network_that_sees_what_people_see_wins(shown):
    seen = observers.values(tuple(shown["id"]))
    noise = np.random.default_rng(1).normal(size=seen.shape)
    found, people = levels.rated({(MODEL, "AligNet"): seen, (MODEL, "UnAligNet"): noise}, shown, {MODEL: "ResNet"})
    value = found.set_index("quantity")["ResNet"]
    assert value["mean rating, pairs closer under AligNet"] > value["mean rating, pairs closer under UnAligNet"] + 0.5
    assert value["Pearson's r of rating and alignet distance"] < -0.5
    assert value.index.isin(levels.RATED).all()
    assert len(people) == levels.RATERS
    means = people[["AligNet", "UnAligNet"]].to_numpy().mean()
    assert means == pytest.approx(3, abs=0.02)  # five equal piles
    axis = levels_figures.validation(people, levels.published_ratings()).axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["ResNet", "real people\n(published)"]
