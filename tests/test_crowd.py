"""A crowd that answered the same questions: closed forms of agreement, entropy and reliability."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from humalign import crowd, odd_one_out, resample
from humalign.errors import InputError

COUNTS = np.array([[4, 0, 0], [2, 2, 0], [2, 1, 1]])


def test_two_people_agree():
    assert crowd.two_agree(COUNTS) == pytest.approx([1, 1 / 3, 1 / 6])
    assert crowd.across(COUNTS, COUNTS) == pytest.approx([1, 1 / 2, 3 / 8])  # the same people: not less the person
    assert np.isnan(crowd.two_agree([[1, 0, 0]])).all()


def test_agreement_of_samples_is_that_of_their_distribution():
    rng = np.random.default_rng(0)
    chances = np.array([[0.6, 0.3, 0.1]])
    two, over = [], []
    for _ in range(4000):
        first, second = rng.multinomial(7, chances[0]), rng.multinomial(4, chances[0])
        two.append(crowd.two_agree(first[None])[0])
        over.append(crowd.across(first[None], second[None])[0])
    assert np.mean(two) == pytest.approx((chances**2).sum(), abs=0.01)  # without bias, however few they are
    assert np.mean(over) == pytest.approx((chances**2).sum(), abs=0.01)


def test_doubt_of_few_people_is_corrected():
    rng = np.random.default_rng(1)
    chances = np.array([0.5, 0.3, 0.2])
    true = -(chances * np.log(chances)).sum()
    counts = rng.multinomial(40, chances, size=3000)
    assert crowd.doubt(counts).mean() < true - 0.015
    assert crowd.true_doubt(counts).mean() == pytest.approx(true, abs=0.005)
    assert crowd.doubt([[5, 0, 0], [2, 2, 2]]) == pytest.approx([0, np.log(3)])


def test_majority_and_others():
    assert crowd.majority(COUNTS).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]
    # third question: each of the two is one of three equal answers of the others, the single ones are none of the best
    assert odd_one_out.with_others(COUNTS) == pytest.approx([1, 0, (1 / 3 + 1 / 3) / 4])


def test_who_answered_what():
    rng = np.random.default_rng(2)
    questions, odd = np.array([[0, 1, 2], [1, 2, 4], [0, 3, 4]]), rng.integers(3, size=(5, 3))
    rows, who = [], []
    for person, own in enumerate(odd):
        for question, k in zip(questions[::-1], own[::-1]):
            rows.append([*np.delete(question, k)[::-1], question[k]])
            who.append(f"p{person}")
    found = crowd.of_answers(np.array(rows), who)
    order = [found.questions.tolist().index(q) for q in questions.tolist()]
    assert (found.odd[:, order] == odd).all()
    assert found.counts.sum(1).tolist() == [5, 5, 5]
    with pytest.raises(InputError, match="one answer of person p4 to each of 3"):
        crowd.of_answers(np.array(rows)[:-1], who[:-1])


def test_halves_hold_everybody_once():
    rng = np.random.default_rng(3)
    odd = rng.integers(3, size=(8, 20)).astype(np.int8)
    counts = crowd.counted(odd)
    for halves in (crowd.halves_of_people(odd, 5), crowd.halves_of_answers(counts, 5)):
        for first, second in halves:
            assert (first + second == counts).all()
            assert (first.sum(1) == 4).all()
            assert (first >= 0).all()


def test_spearman_brown_steps_up_to_the_reliability_of_all():
    rng = np.random.default_rng(4)
    true = rng.normal(size=20_000)
    first, second, third, fourth = (true + rng.normal(size=len(true)) for _ in range(4))
    whole = np.corrcoef(first + second, third + fourth)[0, 1]
    assert crowd.spearman_brown(np.corrcoef(first, second)[0, 1]) == pytest.approx(whole, abs=0.02)


def test_spearman_over_triplets():
    rng = np.random.default_rng(5)
    triplets = np.array([rng.choice(300, 3, replace=False) for _ in range(120)])
    x = rng.normal(size=120)
    y = x + rng.normal(size=120)
    value, draws = resample.triplet_correlation(x, y, triplets, range(300), draws=400)
    assert value == pytest.approx(spearmanr(x, y)[0])
    plain = [spearmanr(x[rows], y[rows])[0] for rows in rng.integers(120, size=(400, 120))]
    assert draws.std() == pytest.approx(np.std(plain), rel=0.35)  # concepts hardly repeat: as if triplets were drawn
    assert draws.mean() == pytest.approx(value, abs=0.04)
