"""Losses, optimiser and schedule of the AligNet student against closed forms."""

import math

import numpy as np
import pytest
import torch

from humalign.alignet import losses
from humalign.alignet.optim import AdamToStart, learning_rate, rate_sum
from humalign.errors import InputError


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 3, 5)) * 4, rng.normal(size=(7, 3)) * 3


def student(logits, temperature):
    s = np.stack([(logits[:, a] * logits[:, b]).sum(1) for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    return softmax(s / temperature)


@pytest.mark.parametrize("temperature", [1.0, 100.0])
def test_losses_equal_their_definitions(case, temperature):
    logits, target = case
    p, q = softmax(target), student(logits, temperature)
    m = (p + q) / 2
    kl = (p * np.log(p / q)).sum(1)
    jsd = 0.5 * (p * np.log(p / m)).sum(1) + 0.5 * (q * np.log(q / m)).sum(1)
    np.testing.assert_allclose(losses.kl(logits, target, temperature), kl, rtol=1e-9)
    np.testing.assert_allclose(losses.jsd(logits, target, temperature), jsd, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(losses.contrastive(logits, temperature), -np.log(q[:, 0]), rtol=1e-9)


def test_golden_value_by_hand():
    # u = e1, e1, e2: similarities (1, 0, 0); the teacher knows nothing: p = 1/3
    logits = np.array([[[1.0, 0], [1, 0], [0, 1]]])
    target = np.zeros((1, 3))
    z = math.e + 2
    expected = -math.log(3) - (math.log(math.e / z) + 2 * math.log(1 / z)) / 3
    assert losses.kl(logits, target, 1.0)[0] == pytest.approx(expected, rel=1e-12)
    assert losses.contrastive(logits, 1.0)[0] == pytest.approx(math.log(z) - 1, rel=1e-12)


def test_pairs_are_01_02_12_and_only_the_student_has_a_temperature(case):
    logits, _ = case
    own = np.stack([(logits[:, a] * logits[:, b]).sum(1) for a, b in losses.PAIRS], 1)
    np.testing.assert_allclose(losses.kl(logits, own / 100, 100.0), 0, atol=1e-12)
    swapped = losses.kl(logits, own[:, [2, 1, 0]] / 100, 100.0)
    assert swapped.max() > 1e-3


def test_default_temperature_is_100(case):
    logits, target = case
    np.testing.assert_array_equal(losses.kl(logits, target), losses.kl(logits, target, 100.0))
    np.testing.assert_array_equal(losses.jsd(logits, target), losses.jsd(logits, target, 100.0))


def test_bounds_and_extremes_are_finite():
    logits = torch.zeros(2, 3, 4)
    logits[:, :2, 0] = 1e4  # a student that is certain, in float16 even beyond its range
    target = torch.tensor([[1e4, 0, 0], [0, 0, 1e4]])
    jsd = losses.jsd(logits, target)
    assert torch.isfinite(jsd).all()
    assert jsd[0] == pytest.approx(0, abs=1e-6)
    assert jsd[1] == pytest.approx(math.log(2), rel=1e-6)
    assert torch.isfinite(losses.kl(logits, target)).all()
    logits.requires_grad_(True)
    losses.jsd(logits, target).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_half_precision_is_computed_in_float32(case):
    logits, target = (torch.tensor(x, dtype=torch.bfloat16) for x in case)
    out = losses.kl(logits, target)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, losses.kl(logits.float(), target.float()))


def test_gradient_of_kl_is_q_minus_p():
    s = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randn(5, 3, dtype=torch.float64)
    losses.kl_of_similarities(s, target, 7.0).sum().backward()
    torch.testing.assert_close(s.grad, (torch.softmax(s / 7, 1) - torch.softmax(target, 1)).detach() / 7)


def test_cosine_student_ignores_lengths(case):
    logits, target = case
    a = losses.kl(logits, target, 0.1, similarity="cosine")
    b = losses.kl(logits * 9, target, 0.1, similarity="cosine")
    np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 4)), np.zeros((2, 3)), np.zeros((0, 3, 4))])
def test_bad_shapes_are_refused(bad):
    with pytest.raises(InputError):
        losses.kl(bad, np.zeros((2, 3)))
    with pytest.raises(InputError):
        losses.kl(np.ones((2, 3, 4)), np.zeros((3, 3)))
    with pytest.raises(InputError):
        losses.jsd(np.ones((2, 3, 4)), np.zeros((2, 3)), temperature=0)


def test_local_loss_is_zero_for_equal_neighbourhoods_and_matches_a_loop():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
    np.testing.assert_allclose(losses.local(x, x * 3), 0, atol=1e-9)

    def rows(v):
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
        g = v @ v.T / 0.1
        return np.stack([softmax(np.delete(g[i], i)) for i in range(6)])

    t, o = rows(y), rows(x)
    np.testing.assert_allclose(losses.local(x, y, 0.1), (t * np.log(t / o)).sum(1), rtol=1e-7)


def test_matched_temperature_and_confidence_are_found():
    rng = np.random.default_rng(2)
    s = rng.normal(size=(400, 3)) * 50
    assert losses.match_temperature(s, s / 37.0) == pytest.approx(37, rel=0.02)
    scale = losses.match_confidence(s, s * 0.02)
    assert scale == pytest.approx(0.02, rel=1e-4)


# ---------------------------------------------------------------------------------------------- schedule and optimiser


def test_schedule_is_warm_up_and_cosine():
    assert learning_rate(0) == 0
    assert learning_rate(2500) == pytest.approx(1.5e-5)
    assert learning_rate(5000) == pytest.approx(3e-5)
    assert learning_rate(52_500) == pytest.approx(1.5e-5)  # half-way through the cosine
    assert learning_rate(100_000) == pytest.approx(0, abs=1e-20)
    assert rate_sum(3e-5, 5000, 100_000) == pytest.approx(1.5, rel=1e-3)
    with pytest.raises(InputError):
        learning_rate(0, 1.0, 10, 10)


def one(values, **options):
    p = torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))
    return p, AdamToStart([("p", p)], **options)


def test_first_step_and_decay_are_the_formula():
    p, o = one([1.0, -2.0], lr=0.1, decay=0.5)
    start = p.detach().clone()
    with torch.no_grad():
        p.add_(torch.tensor([0.3, 0.0]))  # away from the start, so that the decay acts
    p.grad = torch.tensor([4.0, -0.01], dtype=torch.float64)
    o.step()
    # first step of Adam: m^ = g, v^ = g^2
    g = p.grad
    expected = start + torch.tensor([0.3, 0]) - 0.1 * (g / (g.abs() + 1e-8) + 0.5 * torch.tensor([0.3, 0]))
    torch.testing.assert_close(p.detach(), expected)


def test_without_decay_it_is_torchs_adam():
    torch.manual_seed(0)
    a = torch.nn.Linear(4, 3)
    b = torch.nn.Linear(4, 3)
    b.load_state_dict(a.state_dict())
    ours, theirs = AdamToStart(a.named_parameters(), lr=0.01, decay=0.0), torch.optim.Adam(b.parameters(), lr=0.01)
    x = torch.randn(8, 4)
    for _ in range(5):
        for net, o in ((a, ours), (b, theirs)):
            o.zero_grad()
            net(x).square().mean().backward()
            o.step()
    for p, q in zip(a.parameters(), b.parameters()):
        torch.testing.assert_close(p, q)


def test_no_weight_goes_further_than_one_over_decay():
    decay, lr = 20.0, 0.01
    p, o = one([3.0], lr=lr, decay=decay)
    for k in range(1, 200):
        p.grad = torch.tensor([1.0], dtype=torch.float64)  # a constant gradient: Adam's step is exactly lr
        o.step()
        closed = -(1 - (1 - lr * decay) ** k) / decay
        assert float(p.detach() - 3.0) == pytest.approx(closed, rel=1e-6)
    assert abs(float(p.detach()) - 3.0) <= 1 / decay


def test_decay_pulls_to_the_loaded_weights_not_to_zero():
    for towards, goal in (("start", 3.0), ("zero", 0.0)):
        p, o = one([3.0], lr=0.1, decay=1.0, towards=towards)
        with torch.no_grad():
            p.fill_(5.0)
        for _ in range(200):
            p.grad = torch.zeros(1, dtype=torch.float64)
            o.step()
        assert float(p.detach()) == pytest.approx(goal, abs=1e-6)


def test_optimiser_state_travels_as_arrays():
    p, o = one([1.0, 2.0], lr=0.1)
    p.grad = torch.tensor([0.5, -1.0], dtype=torch.float64)
    o.step()
    q, r = one([1.0, 2.0], lr=0.1)
    with torch.no_grad():
        q.copy_(p)
    r.load(o.arrays(), o.count)
    for param, opt in ((p, o), (q, r)):
        param.grad = torch.tensor([-0.2, 0.3], dtype=torch.float64)
        opt.step()
    assert torch.equal(p, q)
    with pytest.raises(InputError):
        r.load({}, 1)
