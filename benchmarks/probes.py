"""The probing engine: loss and gradient, cross-validation at the size of THINGS, exact against the papers' solver."""

import math
import time
from unittest import mock

import numpy as np
import torch
from scipy.optimize import minimize

from humalign import odd_one_out, probing
from humalign.probing import fitting
from humalign.probing.engine import Objective, TripletLikelihood
from humalign.probing.solvers import Outcome

from .measures import OBJECTS, WIDTH, random_triplets
from .timing import best, head, line, once


def planted(m, p, n, seed=0, dimensions=40):
    """Features that mix a sparse hidden embedding, and choices drawn from its softmax."""
    rng = np.random.default_rng(seed)
    hidden = rng.gamma(0.12, 1.5, (m, dimensions))
    features = hidden @ rng.standard_normal((dimensions, p)) + rng.standard_normal((m, p)) + 1
    sets = random_triplets(n, m, seed)
    prob = odd_one_out.probabilities(hidden @ hidden.T, sets)
    kept = (prob.cumsum(1) > rng.random((n, 1))).argmax(1)
    triplets = np.take_along_axis(sets, np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[kept], 1)
    return features.astype(np.float32), triplets


def gathered(x, rows, weights):
    """Reference: loss and gradient by autograd over gathered rows."""
    leaf = weights.clone().requires_grad_(True)
    z = x @ leaf
    total = 0.0
    for part in rows.split(50_000):
        a, b, c = (z[part[:, column]] for column in range(3))
        logits = torch.stack([(a * b).sum(1), (a * c).sum(1), (b * c).sum(1)], 1)
        total = total - logits.log_softmax(1)[:, 0].sum() / len(rows)
    total.backward()
    return float(total.detach()), leaf.grad


def loss_and_gradient():
    """One full-batch loss and gradient over 1.25 million triplets."""
    n = 1_250_000
    head(f"one loss and gradient: {n:,} triplets, {OBJECTS:,} objects x {WIDTH}, {torch.get_num_threads()} threads")
    features, triplets = planted(OBJECTS, WIDTH, n)
    x = torch.tensor((features - features.mean()) / features.std())
    seconds, likelihood = once(lambda: TripletLikelihood(triplets, OBJECTS))
    line("indices of pairs (once a data set)", seconds)
    objective = Objective(x, likelihood, "fro2", 1e-3)
    weights = 0.02 * torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    seconds = best(lambda: objective(weights), 5)
    few = torch.from_numpy(triplets[: n // 10])
    other, (value, gradient) = once(lambda: gathered(x, few, weights))
    small = Objective(x, TripletLikelihood(few, OBJECTS), None, 0.0)
    mine, slope = small(weights)
    difference = float((slope - gradient).norm() / gradient.norm())
    note = f"reference: {10 * other:.1f} s (autograd over rows, from a tenth); "
    note += f"difference {abs(mine - value):.0e}, {difference:.0e}"
    line("loss and gradient by W", seconds, 10 * other, "<= 0.2 s", note)


def cross_validation(n=1_460_000):
    """Three folds and five strengths of one network at the size of THINGS."""
    head(f"cross-validation: {n:,} triplets, {OBJECTS:,} objects x {WIDTH}, 3 folds x 5 strengths")
    features, triplets = planted(OBJECTS, WIDTH, n)
    seconds, table = once(lambda: probing.cross_validate(features, triplets, penalty="fro"))
    means = table.groupby("strength")[["ce", "accuracy", "iterations"]].mean()
    line("cross_validate(penalty='fro')", seconds, None, "<= 300 s", f"best held-out loss {means['ce'].min():.4f}")
    print(means.to_string(float_format="%.4f"))


def solvers():
    """The exact solver against mini-batch Adam on the same data."""
    m, p, n = 500, 64, 40_000
    head(f"exact against paper: {n:,} triplets, {m} objects x {p}, training objective after each solver")
    features, triplets = planted(m, p, n)
    for penalty, strength in (("fro", 1e-2), ("fro2", 1e-3)):
        fast, exact = once(lambda: probing.fit(features, triplets, penalty=penalty, strength=strength))  # noqa: B023
        slow, paper = once(
            lambda: probing.fit(features, triplets, penalty=penalty, strength=strength, solver="paper", max_epochs=100)  # noqa: B023
        )
        a, b = exact.report, paper.report
        gap = a["certificate"]
        note = f"objective {a['objective']:.5f}, Adam {b['objective']:.5f} ({slow:.1f} s); "
        note += f"{gap['kind']} {gap['gap']:.1e}"
        line(f"penalty {penalty}, strength {strength:g}", fast, slow, "", note)
        if a["objective"] > b["objective"] + 1e-6 or not math.isfinite(b["objective"]):
            print("  the exact solver is above the papers' here")
        with mock.patch.object(fitting, "lbfgs", scipy_lbfgs):
            library, other = once(lambda: probing.fit(features, triplets, penalty=penalty, strength=strength))  # noqa: B023
        told = f"objective {other.report['objective'] - a['objective']:+.1e} of the library"
        line("  its L-BFGS against scipy's, same tolerance", fast, library, "", told)


def scipy_lbfgs(function, start, *, tolerance, max_iterations):
    """Reference: SciPy's L-BFGS-B in place of the package's own."""
    began = time.perf_counter()

    def flat(x):
        value, gradient = function(torch.as_tensor(x, dtype=start.dtype).view(start.shape))
        return float(value), gradient.reshape(-1).double().numpy()

    options = {"maxcor": 20, "maxiter": max_iterations, "ftol": tolerance, "gtol": 1e-9}
    done = minimize(flat, start.double().reshape(-1).numpy(), jac=True, method="L-BFGS-B", options=options)
    weights = torch.as_tensor(done.x, dtype=start.dtype).view(start.shape)
    return Outcome(weights, float(done.fun), done.nit, done.nfev, time.perf_counter() - began, bool(done.success))


def mini(m=396, p=128, n=100_000):
    """Cross-validation at the size of the drawn world, one network."""
    head(f"cross-validation in the drawn world: {n:,} triplets, {m} objects x {p}, 3 folds x 6 strengths")
    features, triplets = planted(m, p, n)
    strengths = (0.001, 0.01, 0.03, 0.1, 0.2, 0.3)
    groups = np.repeat(np.arange(m // 2), 2)
    seconds, _ = once(lambda: probing.cross_validate(features, triplets, strengths, groups=groups))
    line("cross_validate, one network and layer", seconds)
