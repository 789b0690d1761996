"""Transfer, shift and anomalies: closed forms and cases whose answer is known."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge

from humalign import downstream
from humalign.errors import InputError


def blobs(classes=6, each=12, dims=20, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return np.eye(classes, dims)[labels] + spread * rng.standard_normal((len(labels), dims)), labels


@pytest.mark.parametrize("dims", [5, 200])
def test_ridge_equals_scikit_learn_in_primal_and_dual(dims):
    x, labels = blobs(4, 10, dims, 0.5)
    own = downstream.Ridge(64.0).fit(x, labels)
    design = np.c_[(x - x.mean(0)) / (x.std(0) + 1e-5), np.full(len(x), 100.0)]
    y = np.where(labels[:, None] == np.arange(4), 1.0, -1.0)
    reference = SklearnRidge(alpha=64.0, fit_intercept=False, solver="cholesky").fit(design, y)
    np.testing.assert_allclose(own.weights, reference.coef_.T, atol=1e-6)


@pytest.mark.parametrize("batch", [7, 1000])
def test_streamed_ridge_equals_the_one_in_memory(batch):
    rng = np.random.default_rng(3)
    x, labels = rng.normal(1.0, 2.0, (90, 11)), rng.integers(5, size=90)
    streamed = downstream.StreamedRidge(range(5))
    for start in range(0, 90, batch):
        streamed.add(x[start : start + batch], labels[start : start + batch])
    own = downstream.Ridge(3.0).fit(x, labels)
    np.testing.assert_allclose(streamed.scores(x, 3.0), own.scores(x), atol=1e-8)


def test_streamed_ridge_refuses_what_it_cannot_use():
    head = downstream.StreamedRidge(list("ab"))
    with pytest.raises(InputError, match="has seen no rows"):
        head.scores(np.ones((1, 2)), 1.0)
    with pytest.raises(InputError, match="label c is not among the classes"):
        head.add(np.ones((1, 2)), ["c"])
    with pytest.raises(InputError, match="2 labels for 1 rows"):
        head.add(np.ones((1, 2)), ["a", "b"])
    with pytest.raises(InputError, match="one of them twice"):
        downstream.StreamedRidge(list("aba"))
    head.add(np.ones((1, 2)), ["a"]).add(np.ones((0, 2)), [])  # an empty batch changes nothing
    assert head.n == 1
    for use in (lambda x: head.add(x, ["a"]), lambda x: head.scores(x, 1.0)):
        with pytest.raises(InputError, match="3 wide, not 2"):
            use(np.ones((1, 3)))
    assert head.n == 1


def test_shift_of_a_head_that_learned_elsewhere():
    """The strength is chosen on a part of the source, whose other rows give its accuracy; never on the target."""
    rng = np.random.default_rng(4)
    supers = np.repeat(np.arange(3), 40)
    subs = np.repeat(np.arange(12), 10)  # the first two of each four are the source
    source = [s for s in range(12) if s % 4 < 2]
    x = np.eye(3)[supers] @ rng.normal(size=(3, 8)) + 0.5 * rng.normal(size=(120, 8))
    learned = np.isin(subs, source)
    head = downstream.StreamedRidge([0, 1, 2]).add(x[learned], supers[learned])
    found = downstream.shift_of_head(head, x, supers, subs, source, [0.5])
    own = downstream.Ridge(0.5).fit(x[learned], supers[learned]).predict(x) == supers
    target = found[found["population"] == "target"].set_index("subclass")["accuracy"]
    assert target.to_dict() == {s: own[subs == s].mean() for s in range(12) if s % 4 >= 2}
    assert found[found["population"] == "source"]["n"].sum() == 60 - 12  # a quarter of ten, rounded: two each
    chosen = downstream.shift_of_head(head, x, supers, subs, source, [0.5, 1e9])
    wrong = supers.copy()
    wrong[~learned] = (wrong[~learned] + 1) % 3  # what the target holds does not matter for the choice
    other = downstream.shift_of_head(head, x, wrong, subs, source, [0.5, 1e9])
    same = chosen["population"] == "source"
    assert chosen.loc[same, "accuracy"].tolist() == other.loc[other["population"] == "source", "accuracy"].tolist()
    with pytest.raises(InputError, match="has no target subclass"):
        downstream.shift_of_head(head, x, supers, subs, range(12), [1.0])


def test_few_shot_is_perfect_on_blobs_and_chance_on_noise():
    x, labels = blobs(dims=6)
    assert downstream.few_shot(x, labels, seeds=range(3), strength=1.0)["accuracy"].mean() > 0.99
    noise = np.random.default_rng(0).standard_normal((600, 20))
    labels = np.repeat(np.arange(6), 100)
    assert abs(downstream.few_shot(noise, labels, seeds=range(3))["accuracy"].mean() - 1 / 6) < 0.05


def test_shots_are_never_tested_and_every_class_has_them():
    labels = np.repeat(list("abc"), 5)
    rows = downstream.draw_shots(labels, 2, seed=3)
    assert sorted(labels[rows]) == list("aabbcc")
    with pytest.raises(InputError, match="only 5 examples"):
        downstream.draw_shots(labels, 5, 0)


def test_examples_come_from_the_pool_and_all_else_is_tested():
    labels = np.repeat(list("abc"), 6)
    pool = np.tile([True, True, True, False, False, False], 3)
    rows = downstream.draw_shots(labels, 3, 0, pool)
    assert sorted(rows) == sorted(np.flatnonzero(pool))  # all of it, since nothing has to be left in the pool
    x = np.eye(3)[np.repeat([0, 1, 2], 6)]
    found = downstream.few_shot(x, labels, 2, seeds=range(4), strength=1.0, pool=pool)
    assert found["n"].tolist() == [3, 3, 3]
    assert (found["accuracy"] == 1).all()
    x[~pool] = np.eye(3)[np.repeat([1, 2, 0], 3)]  # the test part looks like another class
    assert (downstream.few_shot(x, labels, 2, seeds=range(4), strength=1.0, pool=pool)["accuracy"] == 0).all()
    with pytest.raises(InputError, match="to 0 or less"):
        downstream.draw_shots(labels, 1, 0, pool & (labels != "b"))
    with pytest.raises(InputError, match="class 'b' has no examples outside the pool"):
        downstream.few_shot(x, labels, 1, seeds=[0], pool=pool | (labels == "b"))
    with pytest.raises(InputError, match=r"shape \(4,\) for 18 rows"):
        downstream.few_shot(x, labels, 1, seeds=[0], pool=pool[:4])
    as_numbers = downstream.few_shot(x, labels, 2, seeds=range(4), strength=1.0, pool=pool.astype(int))
    assert as_numbers["n"].tolist() == [3, 3, 3]


def test_no_class_to_look_for_anomalies_in():
    x = np.eye(4)
    with pytest.raises(InputError, match="no class has normal and odd"):
        downstream.anomaly_detection(x[:2], ["a", "b"], x[2:], ["c", "d"])


def test_shift_tests_only_unseen_subclasses():
    x, sub = blobs(6, 12)
    sup = sub // 2  # three superclasses of two subclasses; one-hot features carry no relation between subclasses
    table = downstream.shift(x, sup, sub, source=[0, 2, 4])
    target = table[table.population == "target"]
    assert set(target["subclass"]) == {1, 3, 5}
    assert table[table.population == "source"]["accuracy"].mean() > 0.99
    shared = np.c_[x, 3 * np.eye(3)[sup]]
    assert (
        downstream.shift(shared, sup, sub, source=[0, 2, 4]).query("population == 'target'")["accuracy"].mean() > 0.99
    )
    with pytest.raises(InputError, match="no target"):
        downstream.shift(x, sup, sub, source=[0, 1, 2, 4])


def test_restricted_head():
    scores = np.array([[9.0, 1, 2, 0], [0, 5, 1, 4]])
    assert downstream.restricted_choices(scores, [1, 2, 3]).tolist() == [2, 1]


def test_anomalies():
    x, labels = blobs(3, 20)
    table = downstream.anomaly_detection(x, labels, *blobs(3, 10, seed=1))
    assert (table["auroc"] > 0.99).all()
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((200, 10)), rng.integers(2, size=200)
    chance = downstream.anomaly_detection(*noise, rng.standard_normal((400, 10)), rng.integers(2, size=400))
    assert (chance["auroc"] - 0.5).abs().max() < 0.1
