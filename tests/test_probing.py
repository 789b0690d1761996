"""Probing: loss and gradients against loops, solvers against each other and against certificates, folds, files."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from humalign import odd_one_out, probing
from humalign.errors import InputError
from humalign.probing.engine import Objective, TripletLikelihood, penalty_value
from humalign.probing.fitting import Basis
from humalign.probing.solvers import EarlyStopping, lbfgs
from humalign.similarity import similarity_matrix


def planted(m=60, p=12, n=6000, seed=0, noise=0.3, dimensions=4):
    """Features that mix a hidden embedding, and choices drawn from its softmax."""
    rng = np.random.default_rng(seed)
    hidden = rng.gamma(0.6, 1.2, (m, dimensions))
    features = hidden @ rng.standard_normal((dimensions, p)) + noise * rng.standard_normal((m, p)) + 2
    sets = np.argsort(rng.random((n, m)), axis=1)[:, :3]
    prob = odd_one_out.probabilities(hidden @ hidden.T, sets)
    kept = (prob.cumsum(1) > rng.random((n, 1))).argmax(1)
    triplets = np.take_along_axis(sets, np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[kept], 1)
    return features.astype(np.float32), triplets, odd_one_out.probabilities(hidden @ hidden.T, triplets)


FEATURES, TRIPLETS, TARGETS = planted()


def loop_loss(weights, features, triplets, bias=0, targets=None):
    z = features.astype(float) @ weights + bias
    total = 0
    for row, (i, j, k) in enumerate(triplets):
        logits = np.array([z[i] @ z[j], z[i] @ z[k], z[j] @ z[k]])
        log_p = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        total -= log_p[0] if targets is None else targets[row] @ log_p
    return total / len(triplets)


# ---------------------------------------------------------------- loss and gradient


@pytest.mark.parametrize("penalty", ["fro", "fro2", "identity", None])
def test_loss_equals_a_loop(penalty):
    rng = np.random.default_rng(0)
    w = 0.1 * rng.standard_normal((12, 12))
    triplets = np.vstack([TRIPLETS[:60], TRIPLETS[:20], TRIPLETS[:20, [2, 0, 1]]])  # repeated, and judged otherwise
    expected = {
        "fro": np.linalg.norm(w),
        "fro2": np.square(w).sum(),
        "identity": np.square(w - np.eye(12) * np.diag(w).mean()).sum(),
        None: 0,
    }[penalty]
    value = probing.loss(w, FEATURES, triplets, penalty, 0.3)
    assert isinstance(value, float)
    assert value == pytest.approx(loop_loss(w, FEATURES, triplets) + 0.3 * expected, abs=1e-9)
    tensors = probing.loss(torch.tensor(w), torch.tensor(FEATURES), torch.tensor(triplets), penalty, 0.3)
    assert tensors == pytest.approx(value, abs=1e-9)


def test_loss_with_soft_targets_bias_and_rectangular_weights():
    rng = np.random.default_rng(0)
    w, b = 0.1 * rng.standard_normal((12, 5)), rng.standard_normal(5)
    value = probing.loss(w, FEATURES, TRIPLETS[:80], None, bias=b, soft_targets=TARGETS[:80])
    assert value == pytest.approx(loop_loss(w, FEATURES, TRIPLETS[:80], b, TARGETS[:80]), abs=1e-9)


def test_loss_is_stable_for_large_similarities():
    value = probing.loss(1e3 * np.eye(12), FEATURES, TRIPLETS, None)
    assert math.isfinite(value)
    assert probing.loss(np.zeros((12, 12)), FEATURES, TRIPLETS, None) == pytest.approx(math.log(3))


@pytest.mark.parametrize("penalty", ["fro", "fro2", "identity", None])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_gradient_equals_autograd(penalty, bias, soft):
    x = torch.tensor(FEATURES, dtype=torch.float64)
    rows = np.vstack([TRIPLETS[:300], TRIPLETS[:50]])
    targets = np.vstack([TARGETS[:300], TARGETS[:50]]) if soft else None
    likelihood = TripletLikelihood(rows, len(x), targets, dtype=torch.float64)
    objective = Objective(x, likelihood, penalty, 0.2, bias)
    w = 0.05 * torch.randn(12 + bias, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    leaf = w.clone().requires_grad_(True)
    z = objective.x @ leaf
    t = torch.tensor(rows)
    logits = torch.stack([(z[t[:, a]] * z[t[:, b]]).sum(1) for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    target = torch.tensor(targets) if soft else torch.tensor([1.0, 0, 0], dtype=torch.float64).expand(len(rows), 3)
    value = -(target * logits.log_softmax(1)).sum(1).mean() + 0.2 * penalty_value(leaf[:12], penalty)[0]
    if penalty == "identity":
        core = leaf[:12]
        eye = torch.eye(12, dtype=torch.float64)
        value = value - 0.2 * penalty_value(core, penalty)[0] + 0.2 * ((core - eye * core.diagonal().mean()) ** 2).sum()
    value.backward()
    mine, gradient = objective(w)
    assert mine == pytest.approx(value.item(), abs=1e-10)
    torch.testing.assert_close(gradient, leaf.grad, atol=1e-9, rtol=1e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_loss_is_convex_in_the_gram_matrix(seed, share):
    """Along the segment between two positive semidefinite M the loss stays below the chord."""
    rng = np.random.default_rng(seed)
    a, b = 0.2 * rng.standard_normal((2, 12, 12))
    likelihood = TripletLikelihood(TRIPLETS[:200], 60, dtype=torch.float64)
    x = torch.tensor(FEATURES, dtype=torch.float64)

    def value(gram):
        return likelihood.value(x @ torch.tensor(gram) @ x.T)

    m, k = a @ a.T, b @ b.T
    assert value(share * m + (1 - share) * k) <= share * value(m) + (1 - share) * value(k) + 1e-9


# ---------------------------------------------------------------- solvers


def test_lbfgs_solves_a_quadratic():
    rng = np.random.default_rng(0)
    a = torch.tensor(rng.standard_normal((20, 20)))
    a = a @ a.T + 0.1 * torch.eye(20, dtype=torch.float64)
    b = torch.tensor(rng.standard_normal(20))
    out = lbfgs(
        lambda v: (float(0.5 * v @ a @ v - b @ v), a @ v - b), torch.zeros(20, dtype=torch.float64), tolerance=1e-14
    )
    torch.testing.assert_close(out.weights, torch.linalg.solve(a, b), atol=1e-4, rtol=1e-4)
    assert out.converged


@pytest.mark.parametrize("strength", [1e-3, 1e-2, 5e-2])
def test_certificate_bounds_the_squared_penalty(strength):
    fitted = probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=strength, dtype=torch.float64, tolerance=1e-10)
    certificate = fitted.report["certificate"]
    assert certificate["kind"] == "duality gap"
    assert 0 <= certificate["gap"] < 2e-3
    best = fitted.report["objective"]
    scaled = (FEATURES - fitted.mean) / fitted.std
    assert probing.loss(fitted.weights, scaled, TRIPLETS, "fro2", strength) == pytest.approx(best, abs=1e-6)
    # no other point may undercut value - gap; a poor point must have a large, but valid, gap
    for seed in range(3):
        poor = probing.fit(
            FEATURES,
            TRIPLETS,
            penalty="fro2",
            strength=strength,
            init="random",
            seed=seed,
            max_iterations=6,
            dtype=torch.float64,
        )
        assert poor.report["objective"] >= best - certificate["gap"]
        assert poor.report["objective"] - poor.report["certificate"]["gap"] <= best + 1e-9


def test_optimality_conditions_hold():
    """G + sI is positive semidefinite and (G + sI) W = 0 up to the tolerance."""
    strength = 0.02
    basis = Basis(FEATURES, dtype=torch.float64)
    likelihood = TripletLikelihood(TRIPLETS, 60, dtype=torch.float64)
    objective = Objective(basis.x, likelihood, "fro2", strength)
    fitted = probing.fit(
        FEATURES, TRIPLETS, penalty="fro2", strength=strength, dtype=torch.float64, tolerance=1e-12, max_iterations=2000
    )
    w = basis.inward(fitted.weights)
    z = objective.x @ w
    g = objective.x.T @ (likelihood(z @ z.T)[1] @ objective.x) + strength * torch.eye(12, dtype=torch.float64)
    assert float(torch.linalg.eigvalsh((g + g.T) / 2)[0]) > -1e-3 * float(g.abs().max())
    assert float((g @ w).norm()) < 1e-3 * float(w.norm())


def test_different_starts_reach_one_optimum():
    values = [
        probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=0.01, init=init, seed=seed, tolerance=1e-9).report[
            "objective"
        ]
        for init, seed in (("identity", 0), ("random", 1), ("random", 2))
    ]
    assert max(values) - min(values) < 1e-4


@pytest.mark.parametrize("penalty", ["fro", "fro2", "identity"])
def test_exact_is_never_above_paper(penalty):
    exact = probing.fit(FEATURES, TRIPLETS, penalty=penalty, strength=1e-2)
    paper = probing.fit(FEATURES, TRIPLETS, penalty=penalty, strength=1e-2, solver="paper", max_epochs=40)
    assert exact.report["objective"] <= paper.report["objective"] + 1e-6
    assert paper.report["objective"] < math.log(3)


def test_the_probe_recovers_the_planted_geometry():
    fitted = probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=1e-3)
    zero_shot = odd_one_out.accuracy(similarity_matrix(FEATURES), TRIPLETS)
    fresh = planted(seed=0)[1]
    truth = (TARGETS.argmax(1) == 0).mean()
    probed = odd_one_out.accuracy(similarity_matrix(fitted.apply(FEATURES), "dot"), fresh)
    assert probed > zero_shot + 0.03
    assert probed > truth - 0.03


@pytest.mark.parametrize("penalty", ["fro", "fro2", "identity"])
def test_wide_features_are_reduced_without_changing_the_problem(penalty):
    """Features wider than objects: the reduced problem has the value of the full one, and no full step improves it."""
    x, triplets, _ = planted(m=25, p=60, n=1500)
    fitted = probing.fit(x, triplets, penalty=penalty, strength=0.02, dtype=torch.float64, tolerance=1e-10)
    assert fitted.weights.shape == (60, 60)
    scaled = (x.astype(float) - fitted.mean) / fitted.std
    assert probing.loss(fitted.weights, scaled, triplets, penalty, 0.02) == pytest.approx(
        fitted.report["objective"], abs=1e-5
    )
    likelihood = TripletLikelihood(triplets, 25, dtype=torch.float64)
    objective = Objective(torch.tensor(scaled), likelihood, penalty, 0.02)
    out = lbfgs(objective, torch.tensor(fitted.weights, dtype=torch.float64), max_iterations=200, tolerance=1e-10)
    assert out.value > fitted.report["objective"] - 1e-4


def test_soft_targets_with_bias_reach_the_entropy():
    x, triplets, targets = planted(noise=0.0, n=4000)
    fitted = probing.fit(x, triplets, soft_targets=targets, penalty="identity", strength=1e-6, bias=True)
    assert fitted.bias.shape == (12,)
    assert 0 <= fitted.report["kl"] < 0.01
    s = similarity_matrix(fitted.apply(x), "dot")
    assert np.abs(odd_one_out.probabilities(s, triplets) - targets).mean() < 0.03


def test_collapse_of_the_unsquared_norm_is_seen():
    fitted = probing.fit(FEATURES, TRIPLETS, penalty="fro", strength=50.0)
    assert fitted.report["cross_entropy"] == pytest.approx(math.log(3), abs=1e-6)
    with pytest.raises(InputError, match="collapsed"):
        assert probing.cross_validation(FEATURES, TRIPLETS, strengths=(50.0,)).strength


def test_a_table_of_collapsed_probes_is_kept_and_selects_none():
    rng = np.random.default_rng(0)
    x, rows = rng.normal(size=(30, 4)), np.array([rng.permutation(30)[:3] for _ in range(300)])
    settings = {"strengths": (10.0, 100.0), "n_folds": 3, "penalty": "fro2"}
    table = probing.cross_validate(x, rows, **settings)
    assert len(table) == 6
    assert not table["selected"].any()
    found = probing.cross_validation(x, rows, **settings)
    for ask in (lambda: found.strength, lambda: found.accuracy, lambda: found.held_out(), lambda: found.transform()):
        with pytest.raises(InputError, match="every probe collapsed"):
            ask()
    assert len(found.held_out(10.0)) == table["n_validation"].sum() / 2


def test_init_is_honoured_and_checked():
    first = probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=0.01)
    again = probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=0.01, init=first.weights)
    assert again.report["iterations"] <= first.report["iterations"]
    assert again.report["objective"] <= first.report["objective"] + 1e-6
    with pytest.raises(InputError, match="init"):
        probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=0.01, init=np.eye(3))


def test_glocal_trades_people_against_neighbourhoods():
    images = FEATURES[:40] + 0.1
    settings = dict(penalty="identity", strength=1e-3, max_iterations=80)
    loose, tight = (probing.fit_glocal(FEATURES, TRIPLETS, images, alpha=a, **settings).report for a in (0.0, 0.9))
    assert loose["cross_entropy"] < tight["cross_entropy"]
    assert loose["local"] > tight["local"]
    x = torch.tensor(FEATURES)
    lowest = probing.local_loss(x, x)
    assert probing.local_loss(x, 3 * x) == pytest.approx(float(lowest), abs=1e-5)
    assert probing.local_loss(x, x @ torch.diag(torch.arange(12.0))) > lowest
    with pytest.raises(InputError, match="alpha"):
        probing.fit_glocal(FEATURES, TRIPLETS, images, alpha=2)


# ---------------------------------------------------------------- folds


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 12), st.integers(0, 10**6))
def test_partition_equals_a_loop(m, seed):
    rng = np.random.default_rng(seed)
    triplets = np.array([rng.permutation(m)[:3] for _ in range(50)])
    chosen = np.flatnonzero(rng.random(m) < 0.6)
    train = [row for row in triplets.tolist() if all(i in chosen for i in row)]
    held = [row for row in triplets.tolist() if not any(i in chosen for i in row)]
    for given_as in (chosen, torch.tensor(chosen), np.isin(np.arange(m), chosen), set(chosen.tolist())):
        a, b = probing.partition(triplets, given_as)
        assert a.tolist() == train
        assert b.tolist() == held


@pytest.mark.parametrize("nobody", [set(), np.array([], int), np.zeros(5, bool)])
def test_partition_without_training_objects(nobody):
    rows = np.array([[0, 1, 2], [2, 3, 4]])
    train, held = probing.partition(rows, nobody)
    assert (len(train), held.tolist()) == (0, rows.tolist())


def test_folds_are_those_of_sklearn_and_groups_stay_together():
    expected = [train for train, _ in KFold(3, shuffle=True, random_state=42).split(np.arange(20))]
    for mask, train in zip(probing.object_folds(20, 3, 42), expected):
        np.testing.assert_array_equal(np.flatnonzero(mask), train)
    groups = np.array(list("aabbccddee"))
    for mask in probing.object_folds(10, 5, 0, groups):
        for name in set(groups):
            assert len(set(mask[groups == name])) == 1
    for bad in (1, 21):
        with pytest.raises(InputError, match="n_folds"):
            probing.object_folds(20, bad)


def test_partition_refuses_bad_objects():
    for bad in (np.array([-1]), np.array([0.5]), np.ones((2, 2), int), np.array([True, False])):
        with pytest.raises(InputError, match="train_objects"):
            probing.partition(TRIPLETS, bad)


@pytest.fixture(scope="module")
def crossed():
    return probing.cross_validation(FEATURES, TRIPLETS, strengths=(1e-1, 1e-2, 1e-3), penalty="fro2")


def test_cross_validation_holds_objects_out(crossed):
    table = crossed.table
    assert len(table) == 9
    assert {"fold", "strength", "n_train", "n_validation", "train_ce", "ce", "accuracy", "seconds"} <= set(table)
    for fold, member in enumerate(crossed.folds):
        train, held = probing.partition(TRIPLETS, member)
        assert set(np.unique(train)).isdisjoint(np.unique(held))
        rows = table[table["fold"] == fold]
        assert (rows["n_train"] == len(train)).all()
        assert (rows["n_validation"] == len(held)).all()
        transform = crossed.transform(fold)
        scaled = (FEATURES - transform.mean) / transform.std
        chosen = rows[rows["selected"]].iloc[0]
        assert probing.loss(transform.weights, scaled, held, None) == pytest.approx(chosen["ce"], abs=1e-4)
        assert probing.loss(transform.weights, scaled, train, None) == pytest.approx(chosen["train_ce"], abs=1e-4)
        s = similarity_matrix(transform.apply(FEATURES), "dot")
        assert odd_one_out.accuracy(s, held) == pytest.approx(chosen["accuracy"], abs=0.005)
        choice = crossed.held_out().query("fold == @fold")
        np.testing.assert_array_equal(TRIPLETS[choice["triplet"]], held)
        assert (choice["choice"] == 2).mean() == pytest.approx(chosen["accuracy"])


def test_selection_is_by_mean_cross_entropy(crossed):
    means = crossed.table.groupby("strength")["ce"].mean()
    assert crossed.strength == means.idxmin()
    assert set(crossed.table[crossed.table["selected"]]["strength"]) == {crossed.strength}
    mean = crossed.transform("mean")
    grams = [crossed.transform(fold).weights @ crossed.transform(fold).weights.T for fold in range(3)]
    np.testing.assert_allclose(mean.weights @ mean.weights.T, np.mean(grams, 0), atol=1e-4)
    np.testing.assert_array_equal(crossed.transform().weights, crossed.transform(2).weights)
    with pytest.raises(InputError, match="strength"):
        crossed.transform(0, 0.5)


def test_each_strength_reaches_the_optimum_of_a_fresh_fit(crossed):
    """Warm starts along the grid end where a cold start ends."""
    train, _ = probing.partition(TRIPLETS, crossed.folds[0])
    for strength in (1e-1, 1e-2, 1e-3):
        warm = crossed.transform(0, strength)
        scaled = (FEATURES - warm.mean) / warm.std
        cold = probing.fit(FEATURES, train, penalty="fro2", strength=strength)
        value = probing.loss(warm.weights, scaled, train, "fro2", strength)
        assert value == pytest.approx(cold.report["objective"], abs=2e-4)


def test_nested_folds_choose_without_the_held_out_objects():
    settings = dict(strengths=(3e-1, 1e-2, 1e-4), penalty="fro2", seed=1)
    nested = probing.cross_validation(FEATURES, TRIPLETS, nested=True, **settings)
    assert (nested.table.groupby("fold")["selected"].sum() == 1).all()
    plain = probing.cross_validate(FEATURES, TRIPLETS, **settings)
    np.testing.assert_allclose(nested.table["ce"], plain["ce"], atol=1e-6)
    for fold, member in enumerate(nested.folds):
        rows = nested.table[nested.table["fold"] == fold]
        chosen = rows[rows["selected"]]["strength"].item()
        inside = probing.partition(TRIPLETS, member)[0]
        objects = np.flatnonzero(member)
        renumbered = np.searchsorted(objects, inside)
        inner = probing.cross_validation(FEATURES[objects], renumbered, **settings)
        # standardisation differs a little (all objects there, training objects here); the choice should not
        assert chosen == inner.strength


def test_groups_paper_solver_and_harsh_ties_run():
    groups = np.repeat(np.arange(30), 2)
    table = probing.cross_validate(
        FEATURES,
        TRIPLETS,
        (1e-3,),
        n_folds=2,
        groups=groups,
        solver="paper",
        max_epochs=3,
        ties="harsh",
        shared_early_stopping=True,
    )
    assert len(table) == 2
    assert table["accuracy"].between(0.3, 1).all()


def test_early_stopping_shared_by_folds_keeps_its_state():
    stop = EarlyStopping(patience=2)
    assert [stop(value) for value in (1.0, 0.5, 0.6, 0.7)] == [False, False, False, True]
    assert stop(0.8)  # the next fold inherits the counter
    assert not EarlyStopping(patience=2)(0.8)


def test_harsh_ties():
    s = np.array([[0, 5, 1, 0], [5, 0, 1, 0.001], [1, 1, 0, 0.002], [0, 0.001, 0.002, 0]])
    rows = np.array([[0, 1, 2], [2, 3, 1], [0, 1, 3]])
    np.testing.assert_array_equal(probing.harsh_scores(s, rows), [0, 0, 1])
    flat = np.array([[0, 0.003, 0.002], [0.003, 0, 0.001], [0.002, 0.001, 0]])
    assert odd_one_out.accuracy(flat, np.array([[0, 1, 2]])) == 1
    assert probing.harsh_scores(flat, np.array([[0, 1, 2]]))[0] == 0  # .33 .33 .33


# ---------------------------------------------------------------- the transform and its files


def test_transform_standardises_then_multiplies(tmp_path):
    rng = np.random.default_rng(0)
    for bias in (None, rng.standard_normal(3)):
        t = probing.LinearTransform(rng.standard_normal((5, 3)), 2.0, 3.0, bias)
        x = rng.standard_normal((4, 5))
        expected = (x - 2) / 3 @ t.weights + (0 if bias is None else bias)
        np.testing.assert_allclose(t.apply(x), expected)
        np.testing.assert_allclose(t.apply(torch.tensor(x)).numpy(), expected)
        again = probing.LinearTransform.load(t.save(tmp_path / "w.npz"))
        np.testing.assert_array_equal(again.apply(x), t.apply(x))
        with np.load(tmp_path / "w.npz") as file:
            assert set(file.files) == {"weights", "mean", "std"} | ({"bias"} if bias is not None else set())


def test_fit_standardises_by_two_numbers():
    fitted = probing.fit(FEATURES, TRIPLETS, penalty="fro2", strength=0.01, max_iterations=3)
    assert fitted.mean == pytest.approx(float(FEATURES.mean(dtype=float)), rel=1e-5)
    assert fitted.std == pytest.approx(float(FEATURES.std(dtype=float)), rel=1e-5)


def test_damaged_files_are_one_line_errors(tmp_path):
    good = tmp_path / "good.npz"
    probing.LinearTransform(np.eye(3)).save(good)
    cut = tmp_path / "cut.npz"
    cut.write_bytes(good.read_bytes()[:-200])
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, weights=np.eye(3))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, weights=np.array([{"a": 1}], dtype=object), mean=0, std=1)
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, weights=np.eye(3), mean=0, std=0)
    text = tmp_path / "text.npz"
    text.write_text("no numbers")
    for path in (cut, lacking, pickled, wrong, text, tmp_path / "absent.npz"):
        with pytest.raises(InputError) as caught:
            probing.LinearTransform.load(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"\.npz"):
        probing.LinearTransform(np.eye(3)).save(tmp_path / "w.pkl")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["good.npz", "cut.npz", "lacking.npz", "pickled.npz", "wrong.npz", "text.npz"]
    )


BAD = [
    (lambda: probing.fit(np.ones((60, 4)), TRIPLETS), "constant"),
    (lambda: probing.fit(FEATURES, TRIPLETS + 1), "1-based"),
    (lambda: probing.fit(FEATURES[:30], TRIPLETS), "there are 30 objects"),
    (lambda: probing.fit(FEATURES, TRIPLETS, penalty="l1"), "penalty"),
    (lambda: probing.fit(FEATURES, TRIPLETS, strength=-1), "strength"),
    (lambda: probing.fit(FEATURES, TRIPLETS, solver="sgd"), "solver"),
    (lambda: probing.fit(FEATURES, TRIPLETS, soft_targets=TARGETS[:5]), "soft_targets"),
    (lambda: probing.fit(FEATURES, TRIPLETS, soft_targets=2 * TARGETS), "sum to 1"),
    (lambda: probing.loss(np.eye(3), FEATURES, TRIPLETS), "weights"),
    (lambda: probing.loss(np.ones((12, 3)), FEATURES, TRIPLETS, "identity", 1.0), "square"),
    (lambda: probing.cross_validate(FEATURES, TRIPLETS[:2]), "fewer folds"),
    (lambda: probing.LinearTransform(np.eye(3)).apply(np.ones((2, 4))), "4 columns"),
    (lambda: probing.LinearTransform(np.eye(3), bias=np.ones(2)), "bias"),
    (lambda: probing.LinearTransform(np.eye(3), std=0.0), "std"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_a_one_line_error(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_constant_counts_need_no_triplets_in_the_gradient():
    """All permutations of three objects carry no information: loss ln 3 is the best there is."""
    rows = np.array(list(itertools.permutations(range(3))))
    fitted = probing.fit(np.random.default_rng(0).standard_normal((3, 4)), rows, penalty="fro2", strength=1e-3)
    assert fitted.report["cross_entropy"] == pytest.approx(math.log(3), abs=1e-3)


def test_command_prints_a_table_and_stores_the_transform(tmp_path, monkeypatch, capsys):
    """Features lie in another order than the triplets' ids: they are matched by id."""
    from humalign.cli import main
    from humalign.data.types import Triplets
    from humalign.source import Source
    from humalign.store import save_arrays

    ids = tuple(f"object{index}" for index in range(60))
    path = tmp_path / "features.safetensors"
    about = {"source": "test", "licence": "none"}
    values = FEATURES[::-1].copy()
    save_arrays(path, {"features": values}, {"ids": ids[::-1], "model": "m", "layer": "penultimate", **about})
    judged = Triplets(ids=ids, triplets=TRIPLETS, **about)
    monkeypatch.setattr(Source, "answers_of", lambda self, role: judged)
    out, table = tmp_path / "probe.npz", tmp_path / "probe.json"
    options = ["--triplets", "x", "--penalty", "fro2", "--strengths", "0.1", "0.01", "--device", "cpu"]
    assert main(["probe", str(path), *options, "--out", str(out), "--json", str(table)]) == 0
    assert "selected strength: 0.01" in capsys.readouterr().out
    expected = probing.cross_validation(FEATURES, TRIPLETS, (0.1, 0.01), penalty="fro2", groups=np.array(ids))
    np.testing.assert_allclose(probing.LinearTransform.load(out).weights, expected.transform().weights, atol=1e-5)
    assert json.loads(table.read_text())["strength"] == 0.01
    assert main(["probe", str(path), *options, "--out", "w.pkl"]) == 2
    assert "npz" in capsys.readouterr().err
