"""The rule behind verdicts, simulated with known effects."""

import numpy as np
import pytest

from humalign.chapters import verdict_rule
from humalign.results import Measured

EXACT = {"networks": 10, "runs": 1, "between": 0.0, "within": 0.0, "objects": 0.01}


def test_without_an_effect_the_rule_errs_in_two_and_a_half_per_cent_each_way():
    found = verdict_rule.simulate(EXACT, 0.0, False, 300, repeats=4000)
    assert found["replicates"] == pytest.approx(0.025, abs=0.01)
    assert found["does not replicate"] == pytest.approx(0.025, abs=0.01)
    assert found[["replicates", "does not replicate", "undecided"]].sum() == pytest.approx(1)
    assert found["covered"] == pytest.approx(0.95, abs=0.015)


def test_power_is_that_of_a_normal_test():
    """An effect of three standard errors: P(z > 1.96 - 3) = .85."""
    assert verdict_rule.simulate(EXACT, 0.03, False, 300)["replicates"] == pytest.approx(0.851, abs=0.03)
    assert verdict_rule.simulate(EXACT, 0.2, False, 300)["replicates"] == 1
    assert verdict_rule.simulate(EXACT, -0.2, False, 300)["does not replicate"] == 1


def test_intervals_without_networks_are_too_narrow_for_networks_as_a_sample():
    wide = {**EXACT, "between": 0.1}
    assert verdict_rule.simulate(wide, 0.0, False, 300)["covered"] > 0.92
    assert verdict_rule.simulate(wide, 0.0, True, 300)["covered"] < 0.6


def test_spreads_are_found_again():
    generator = np.random.default_rng(0)
    models, runs, draws = 40, 4, 300
    network, run = 0.05 * generator.standard_normal(models), 0.02 * generator.standard_normal((models, runs))
    common = 0.03 * generator.standard_normal(draws)
    rows, drawn = [], []
    for k in range(models):
        for seed in range(runs):
            value = network[k] + run[k, seed]
            for stage, own in (("base", 0.0), ("AligNet", value)):
                rows.append({"dataset": "levels", "measure": "accuracy", "detail": "reported/coarse", "stage": stage,
                             "model": f"m{k}", "seed": seed, "value": own})  # fmt: skip
                drawn.append(own + common * (stage == "AligNet"))
    measured = Measured.of(rows, np.array(drawn), profile="mini")
    facts = measured.table[["model"]].drop_duplicates().assign(training="one label")
    found = verdict_rule.spreads(measured, facts, verdict_rule.DESIGNS["paper 2"])
    assert (found["networks"], found["runs"]) == (models, runs)
    assert found["between"] == pytest.approx(network.std(ddof=1), rel=0.15)
    assert found["within"] == pytest.approx(0.02, rel=0.15)
    assert found["objects"] == pytest.approx(common.std(ddof=1), rel=0.01)
    table = verdict_rule.measure(measured, facts, {"paper 1": 50, "paper 2": 50}, repeats=50)
    assert table["study"].unique().tolist() == ["paper 2"]  # the other study was not measured
    assert len(verdict_rule.figure(table).axes) == 1
    assert all(verdict_rule.numbers(table))
