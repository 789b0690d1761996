"""The validation study with drawn people: pairs on which two networks disagree, ratings that follow what is seen."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

from humalign.chapters import levels_figures, rated_pairs
from humalign.chapters.student import pictures
from humalign.world import observers

MODEL = "softmax-resnet-m"


@pytest.fixture(scope="module")
def shown():
    return pictures("test")


def test_pairs_are_the_most_divergent_ones_of_one_superordinate(shown):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(len(shown), 5)), rng.normal(size=(len(shown), 5))
    pairs = rated_pairs.divergent(a, b, shown, n=40)
    assert len(pairs) == 80
    assert (pairs["difference"][:40] < 0).all()
    assert (pairs["difference"][40:] > 0).all()
    first, second = shown.iloc[pairs["first"]], shown.iloc[pairs["second"]]
    assert (first["superordinate"].to_numpy() == second["superordinate"].to_numpy()).all()
    assert (first["concept"].to_numpy() != second["concept"].to_numpy()).all()
    assert first["superordinate"][:].iloc[:40].value_counts().max() <= rated_pairs.MOST


def students(stages, shown):
    features = {(MODEL, stage): values for stage, values in stages.items()}
    return SimpleNamespace(drawn=True, models=[MODEL], features=lambda: features, pictures=lambda: shown)


def test_agreement_with_ratings_is_a_rank_correlation_over_pairs(shown):
    """Against SciPy on distances that SciPy computes; a network that people's ratings follow is near 1."""
    rng = np.random.default_rng(2)
    stages = {name: rng.normal(size=(len(shown), 4)) for name in ("base", "UnAligNet")}
    stages["AligNet"] = observers.values(tuple(shown["id"]))
    rated = rated_pairs.rated(students(stages, shown))
    table = rated_pairs.agreement(rated, "recorded").set_index("stage")
    assert list(table.index) == ["base", "UnAligNet", "AligNet"]
    one = rated[MODEL]
    mean = one.ratings.groupby(["image1", "image2"])["rating"].mean()
    place = {name: k for k, name in enumerate(shown["id"])}
    for stage, values in stages.items():
        pairs = [(values[place[a]], values[place[b]]) for a, b in mean.index]
        wanted = stats.spearmanr([-distance.cosine(a, b) for a, b in pairs], mean)[0]
        assert table["value"][stage] == pytest.approx(wanted)
        assert table["low"][stage] <= table["value"][stage] <= table["high"][stage]
    assert table["value"]["AligNet"] > table["value"]["base"] + 0.3
    assert set(table["n"]) == {len(mean)}


def test_example_pairs_are_the_most_divergent_ones_with_their_mean_rating(shown):
    rng = np.random.default_rng(3)
    one = rated_pairs.rated(students({n: rng.normal(size=(len(shown), 4)) for n in ("AligNet", "UnAligNet")}, shown))[
        MODEL
    ]
    table = rated_pairs.examples(one, 2)
    assert table["closer"].tolist() == ["AligNet", "AligNet", "UnAligNet", "UnAligNet"]
    gap = table["alignet"] - table["unalignet"]
    assert gap.iloc[0] == one.pairs["difference"].min()
    assert gap.iloc[2] == one.pairs["difference"].max()
    for row in table.itertuples():
        own = one.ratings[(one.ratings["image1"] == row.image1) & (one.ratings["image2"] == row.image2)]
        assert row.rating == pytest.approx(own["rating"].mean())
        assert row.people == rated_pairs.RATERS
    blank = {name: np.zeros((4, 4, 3), np.uint8) for name in table[["image1", "image2"]].to_numpy().ravel()}
    fig = rated_pairs.pairs_shown(table, blank)
    assert fig.axes[0].get_xlabel().startswith(f"rated {table['rating'][0]:.1f}")


def test_people_with_another_slider_count_in_correlations_only():
    """As published: means and t of 49 people, correlations of 54."""
    pairs = pd.DataFrame({"image1": ["a", "b", "c"], "image2": ["d", "e", "f"], "alignet": [0.1, 0.5, 0.9],
                          "unalignet": [0.9, 0.5, 0.2], "difference": [-1.0, -0.1, 1.0]})  # fmt: skip
    rows = [(p, k, r, "1-5") for p, ratings in enumerate([(5, 4, 1), (4, 4, 2)]) for k, r in enumerate(ratings)]
    rows += [(9, k, r, "1-10") for k, r in enumerate((1, 2, 10))]
    ratings = pd.DataFrame(rows, columns=["participant", "pair", "rating", "slider"])
    ratings = ratings.join(pairs[["image1", "image2"]], on="pair")
    summary, people = rated_pairs.validate(ratings, pairs)
    assert sorted(people["participant"]) == [0, 1]
    value = summary.set_index("quantity")["value"]
    assert value["mean rating, pairs closer under AligNet"] == pytest.approx(4.25)
    means = [10 / 3, 10 / 3, 13 / 3]
    wanted = stats.pearsonr(pairs["alignet"], means)[0]
    assert value["Pearson's r of rating and alignet distance"] == pytest.approx(wanted)


def test_a_network_that_sees_what_people_see_wins(shown):
    seen = observers.values(tuple(shown["id"]))
    noise = np.random.default_rng(1).normal(size=seen.shape)
    rated = rated_pairs.rated(students({"AligNet": seen, "UnAligNet": noise}, shown))
    found, people = rated_pairs.summary(rated)
    value = found.set_index("quantity")["ResNet"]
    assert value["mean rating, pairs closer under AligNet"] > value["mean rating, pairs closer under UnAligNet"] + 0.5
    assert value["Pearson's r of rating and alignet distance"] < -0.5
    assert value.index.isin(rated_pairs.RATED).all()
    assert len(people) == rated_pairs.RATERS
    means = people[["AligNet", "UnAligNet"]].to_numpy().mean()
    assert means == pytest.approx(3, abs=0.02)  # five equal piles
    axis = levels_figures.validation(people, rated_pairs.published_ratings()).axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["ResNet", "real people\n(published)"]
