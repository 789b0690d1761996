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


@pytest.mark.parametrize(("networks", "low", "high"), [(3, 0.6, 0.92), (40, 0.92, 0.97)])
def test_few_networks_drawn_anew_make_intervals_too_narrow(networks, low, high):
    """A bootstrap of n values has the variance of (n - 1) / n of them, and quantiles of a normal."""
    design = {"networks": (networks, networks), "resampled": True, "runs": 1, "between": 1.0, "within": 0.0,
              "objects": 0.0}  # fmt: skip
    found = verdict_rule.simulate(design, 0.5, True, 50, repeats=1500)
    assert low < found["covered"] < high


def test_the_spread_of_groups_is_found_again():
    generator = np.random.default_rng(0)
    rows, drawn, common = [], [], 0.01 * generator.standard_normal(200)
    for k in range(80):
        network = 0.05 * generator.standard_normal() + 0.1 * (k % 2)
        for seed in range(3):
            value = network + 0.02 * generator.standard_normal()
            rows.append({"dataset": "things", "measure": "accuracy", "model": f"m{k}", "seed": seed, "value": value,
                         "layer": "penultimate"})  # fmt: skip
            drawn.append(value + common * (k % 2))
    measured = Measured.of(rows, np.array(drawn), profile="mini")
    facts = measured.table[["model"]].drop_duplicates().assign(group=lambda t: t["model"].str[1:].astype(int) % 2)
    test = {"select": {"dataset": "things"}, "layer": "penultimate", "a": "group == 1", "b": "group == 0"}
    found = verdict_rule.spreads_of_groups(measured, facts, test)
    assert (found["networks"], found["runs"]) == ((40, 40), 3)
    assert found["between"] == pytest.approx(0.05, rel=0.15)
    assert found["within"] == pytest.approx(0.02, rel=0.15)
    assert found["objects"] == pytest.approx(common.std(ddof=1), rel=0.01)
    table = verdict_rule.measure(measured, facts, {"labels": 50}, repeats=50, designs={"labels": test})
    assert table["networks"].tolist() == ["40 against 40"] * 2
    assert verdict_rule.spreads_of_groups(measured, facts, {**test, "a": "model == 'm1'"}) is None


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
