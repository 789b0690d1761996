"""Levels: each step of the published analysis against brute force on small cases."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humalign import levels
from humalign.errors import InputError


def make(choices: dict, level="coarse", seconds=2.0):
    """Trials from {(a, b, c): [selected image of each person]}."""
    rows = []
    for images, chosen in choices.items():
        for person, image in enumerate(chosen):
            rows.append(
                {
                    "participant": f"p{person}",
                    "kind": "trial",
                    "level": level,
                    "selected": image,
                    "seconds": seconds * (person + 1),
                    **dict(zip(levels.IMAGES, images)),
                }
            )
    return pd.DataFrame(rows)


def brute_loo(choices):
    out = []
    for i, own in enumerate(choices):
        others = [c for j, c in enumerate(choices) if j != i]
        n = {c: others.count(c) for c in set(others)}
        best = [c for c, k in n.items() if k == max(n.values())]
        out.append(1.0 if best == [own] else 0.5 if own in best else 0.0)
    return np.mean(out)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=5))
def test_leave_one_out_equals_brute_force(choices):
    answers = levels.responses(make({("b", "a", "c"): choices}))
    assert levels.leave_one_out(answers).iloc[0] == pytest.approx(brute_loo(choices))


def test_order_of_images_does_not_matter():
    rows = [
        make({order: ["x1"]}).assign(participant=f"p{i}")
        for i, order in enumerate(itertools.permutations(("x1", "y", "z")))
    ]
    answers = levels.responses(pd.concat(rows, ignore_index=True), most=6)
    assert answers["triplet"].nunique() == 1
    assert (answers["choice"] == 0).all()
    assert levels.leave_one_out(answers).iloc[0] == 1.0


def test_entropy_takes_only_the_four_published_values():
    rng = np.random.default_rng(0)
    trials = make({(f"a{i}", f"b{i}", f"c{i}"): rng.choice([f"a{i}", f"b{i}", f"c{i}"], 5) for i in range(200)})
    entropy = levels.distributions(levels.responses(trials))["entropy"]
    known = np.array([0, 0.562, 0.693, 1.040])
    assert (np.abs(entropy.to_numpy()[:, None] - known).min(1) < 5e-4).all()
    assert entropy.nunique() == 4


def test_few_responses_are_dropped_and_many_are_cut():
    trials = make({("a", "b", "c"): list("aaab"), ("d", "e", "f"): list("dde"), ("g", "h", "i"): list("ggggggg")})
    answers = levels.responses(trials)
    assert sorted(answers.groupby("triplet").size()) == [4, 5]


def test_exclusions_follow_missed_and_catch_trials():
    trials = make({("a", "b", "c"): list("aab"), ("d", "e", "f"): list("ddd")})
    catch = pd.DataFrame(
        [
            {
                "participant": f"p{p}",
                "kind": "catch",
                "level": "",
                "image1": "q",
                "image2": "r",
                "image3": "s",
                "selected": "q" if p else "r",
                "correct": "q",
                "seconds": 1.0,
            }
            for p in range(3)
        ]
    )
    trials.loc[(trials.participant == "p2") & (trials.image1 == "a"), "selected"] = None
    kept, people = levels.exclude(pd.concat([trials, catch], ignore_index=True), max_missed=0)
    assert people.set_index("participant")["kept"].to_dict() == {"p0": False, "p1": True, "p2": False}
    assert set(kept["participant"]) == {"p1"}


def test_model_choices_and_tie_rules():
    top = np.array([1, 1, 3, 3, 6])
    chosen = np.array([0, 1, 1, 2, -1])
    assert levels.correct(chosen, top).tolist() == [1, 0, 1, 0, 0]
    assert np.isnan(levels.correct(chosen, top, "drop")).tolist() == [False, False, True, True, True]
    with pytest.raises(InputError, match="tie rule"):
        levels.correct(chosen, top, "other")


def test_times_follow_disagreement_in_the_summary():
    rng = np.random.default_rng(1)
    parts = []
    for i in range(120):
        hard = i % 2
        images = (f"a{i}", f"b{i}", f"c{i}")
        chosen = rng.choice(images, 5) if hard else [images[0]] * 5
        parts.append(make({images: list(chosen)}, seconds=2.0 + 2 * hard))
    table = levels.summary(levels.responses(pd.concat(parts, ignore_index=True))).set_index("level")
    assert table.loc["coarse", "time_entropy"] > 0.5
    assert 0 < table.loc["all", "ceiling"] < 1
    assert table.loc["all", "triplets"] == 120


def test_one_line_errors():
    with pytest.raises(InputError, match="columns"):
        levels.check_trials(pd.DataFrame({"participant": []}))
    bad = make({("a", "b", "c"): ["z"]})
    with pytest.raises(InputError, match="none of its three images"):
        levels.check_trials(bad)
    with pytest.raises(InputError, match="level 'odd'"):
        levels.check_trials(make({("a", "b", "c"): ["a"]}, level="odd"))
