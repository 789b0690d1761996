"""The ledger of claims: complete, and each test right on cases whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from humalign import claims, results
from humalign.claims import describe, judge, ledger, verdict
from humalign.errors import InputError
from humalign.resample import networks
from humalign.results import Measured, combine, interval

B = 400


def made(values: dict, noise=0.01, seeds=1, **common):
    """Measured rows for {model: value} with Gaussian draws."""
    rng = np.random.default_rng(0)
    keys = {
        "dataset": "things",
        "measure": "accuracy",
        "stage": "zero-shot",
        "detail": "cosine",
        "layer": "penultimate",
    }
    rows = [{**keys, **common, "model": m, "seed": s, "value": v} for m, v in values.items() for s in range(seeds)]
    draws = np.array([r["value"] for r in rows])[:, None] + noise * rng.standard_normal((len(rows), B))
    return Measured.of(rows, draws, profile="mini")


MODELS = pd.DataFrame(
    {
        "model": ["a1", "a2", "b1", "b2"],
        "training": ["one label", "one label", "none", "none"],
        "objective_family": ["", "", "", ""],
        "student": ["", "", "", ""],
        "group": ["A", "A", "B", "B"],
        "family": ["f", "f", "g", "g"],
        "parameters": [1e5, 2e5, 1e5, 4e5],
        "reference_accuracy": [0.1, 0.2, 0.3, 0.4],
    }
)
SELECT = {"dataset": "things", "measure": "accuracy", "stage": "zero-shot", "detail": "cosine"}


def effect(kind, measured, **test):
    return claims.TESTS[kind](measured, MODELS, {"kind": kind, "select": SELECT, **test})[0][0]


def test_ledger_is_complete_and_says_its_source():
    entries = ledger()
    assert len(entries) >= 30
    assert {c["paper"] for c in entries} == {1, 2}
    for claim in entries:
        assert claim["status"] in ("confirmed", "second-hand", "unverified")
        assert claim["source"]
        assert describe(claim["criterion"]).startswith("interval")
        if claim["status"] == "unverified":  # a recalled fact is a question
            assert claim["claim"].endswith("?") or "recalled" in claim["source"]


def test_group_difference():
    m = made({"a1": 0.5, "a2": 0.6, "b1": 0.3, "b2": 0.4}, noise=0)
    assert effect("group_difference", m, a="group == 'A'", b="group == 'B'") == pytest.approx(0.2)


def test_paired_difference_and_share():
    m = combine(
        made({"a1": 0.5, "a2": 0.5, "b1": 0.5}, noise=0),
        made({"a1": 0.6, "a2": 0.7, "b1": 0.4}, noise=0, stage="probed"),
    )
    select = {k: v for k, v in SELECT.items() if k != "stage"}
    kw = {"select": select, "plus": {"stage": "probed"}, "minus": {"stage": "zero-shot"}}
    assert claims.TESTS["paired_difference"](m, MODELS, kw)[0][0] == pytest.approx((0.1 + 0.2 - 0.1) / 3, abs=1e-6)
    assert claims.TESTS["share_positive"](m, MODELS, kw)[0][0] == pytest.approx(2 / 3)


def test_spread_change_is_that_of_standard_deviations():
    before, after = {"a1": 0.5, "a2": 0.3, "b1": 0.4}, {"a1": 0.6, "a2": 0.5, "b1": 0.55}
    m = combine(made(before, noise=0), made(after, noise=0, stage="probed"))
    test = {"select": {k: v for k, v in SELECT.items() if k != "stage"}, "plus": {"stage": "probed"},
            "minus": {"stage": "zero-shot"}}  # fmt: skip
    assert claims.TESTS["spread_change"](m, MODELS, test)[0][0] == pytest.approx(0.05 - 0.1, abs=1e-6)
    two = m.select((m.table["model"] != "b1").to_numpy())
    assert claims.TESTS["spread_change"](two, MODELS, test) is None


def test_slope_within_is_change_per_doubling():
    m = made({"a1": 0.50, "a2": 0.51, "b1": 0.30, "b2": 0.32}, noise=0)  # +.01 per doubling in both families
    assert effect("slope_within", m, x="parameters", within="family") == pytest.approx(0.01, abs=1e-6)


def test_correlation_with_a_fact_matches_numpy():
    values = {"a1": 0.5, "a2": 0.2, "b1": 0.4, "b2": 0.45}
    want = np.corrcoef(list(values.values()), MODELS["reference_accuracy"])[0, 1]
    assert effect("correlation", made(values, noise=0), x="reference_accuracy") == pytest.approx(want, abs=1e-6)


def test_ordered_and_smallest_and_spread():
    m = made({"a1": 0.5, "a2": 0.6, "b1": 0.3, "b2": 0.4}, noise=0)
    assert effect("ordered", m, order=["group == 'B'", "group == 'A'"]) == pytest.approx(0.2)
    assert effect("smallest", m) == pytest.approx(0.3)
    assert effect("mean", m) == pytest.approx(0.45)
    m = made({"a1": 0.5, "a2": 0.6, "b1": 0.3, "b2": 0.4}, noise=0)
    assert (
        claims.TESTS["spread_difference"](m, MODELS, {"select": SELECT, "a": "group == 'A'", "b": "group == 'B'"})
        is None
    )


def test_a_network_of_unknown_size_does_not_hide_the_slope():
    m = made({"a1": 0.5, "a2": 0.6, "b1": 0.3, "b2": 0.4}, noise=0)
    test = {"kind": "slope_within", "select": SELECT, "x": "parameters", "within": "family"}
    models = MODELS.assign(parameters=[1e5, 2e5, 4e5, np.nan], family=["f", "f", "f", "f"])
    values, basis = claims.TESTS["slope_within"](m, models, test)
    assert np.isfinite(values[0])
    assert basis == "3 networks in 1 families"


def test_best_layer_per_network():
    m = combine(made({"a1": 0.5, "a2": 0.3}, noise=0), made({"a1": 0.4, "a2": 0.6}, noise=0, layer="logits"))
    assert networks(m, MODELS, "best").value.tolist() == pytest.approx([0.5, 0.6])
    assert networks(m, MODELS, "penultimate").value.tolist() == pytest.approx([0.5, 0.3])


def test_seeds_widen_the_interval():
    rows = [{**SELECT, "layer": "p", "model": "a1", "seed": s, "value": v} for s, v in enumerate((0.3, 0.5, 0.7))]
    m = Measured.of(rows, np.repeat([[0.3], [0.5], [0.7]], B, 1), profile="mini")
    low, high = interval(networks(m, MODELS, "").draws[0])
    assert networks(m, MODELS, "").value[0] == pytest.approx(0.5)
    assert low < 0.45 < 0.55 < high  # no object noise at all: the width is that of the seeds


@pytest.mark.parametrize(
    ("low", "high", "criterion", "want"),
    [
        (0.1, 0.2, {"above": 0}, "replicates"),
        (-0.2, -0.1, {"above": 0}, "does not replicate"),
        (-0.1, 0.1, {"above": 0}, "undecided"),
        (-0.1, 0.1, {"within": [-0.2, 0.2]}, "replicates"),
        (0.3, 0.4, {"within": [-0.2, 0.2]}, "does not replicate"),
        (0.1, 0.4, {"within": [-0.2, 0.2]}, "undecided"),
        (-0.2, -0.1, {"below": 0}, "replicates"),
        (np.nan, np.nan, {"below": 0}, "not measured"),
    ],
)
def test_verdicts(low, high, criterion, want):
    assert verdict((low + high) / 2, low, high, criterion) == want


def test_judge_marks_what_was_not_measured_and_can_fail():
    m = made({"a1": 0.3, "b1": 0.5})
    claim = {
        "id": "x",
        "paper": 1,
        "claim": "A is better than B.",
        "source": "s",
        "status": "confirmed",
        "test": {"kind": "group_difference", "select": SELECT, "a": "group == 'A'", "b": "group == 'B'"},
        "criterion": {"above": 0},
    }
    other = {**claim, "id": "y", "test": {**claim["test"], "select": {"dataset": "elsewhere"}}}
    frame = judge(m, MODELS, [claim, other])
    assert frame["verdict"].tolist() == ["does not replicate", "not measured"]
    assert frame.loc[0, "low"] < frame.loc[0, "effect"] < frame.loc[0, "high"] < 0


def test_units_say_what_an_effect_is_measured_in():
    units = {c["id"]: claims.unit(c["test"]) for c in ledger()}
    assert all(units.values())
    assert units["p1-size"] == "accuracy per doubling"
    assert units["p1-size-rsa"] == "Spearman's ρ per doubling"
    assert units["p1-probing-share"] == "share of networks"
    assert units["p1-probing-rank"] == "Spearman's ρ"
    assert units["p1-reference-coarse"] == "difference of Pearson's r"
    assert units["p1-architecture"] == "accuracy (standard deviation)"
    assert describe({"within": [-0.01, 0.01]}) == "interval inside −0.01 to 0.01"


def test_controls_are_apart_from_claims():
    entries = {c["id"]: c for c in ledger()}
    assert all(c["claim"].startswith("Control:") for c in entries.values() if c["source"] == claims.CONTROL)
    frame = judge(made({"a1": 0.5}), MODELS, [entries["p1-untrained"], entries["p1-floor"]])
    assert frame["control"].tolist() == [True, False]


def test_statements_without_criterion_get_no_verdict():
    entries = claims.later()
    assert not {c["id"] for c in entries} & {c["id"] for c in ledger()}
    assert not any("criterion" in c for c in entries)
    frame = claims.describe_later(made({"a1": 0.5}), MODELS.assign(role="", objective="", augmentation=""))
    assert len(frame) == len(entries)
    assert "verdict" not in frame
    assert frame["effect"].isna().all()


def test_tables_refuse_what_is_wrong(tmp_path):
    rows = [{**SELECT, "model": "a", "value": 1.0}]
    with pytest.raises(InputError, match="twice"):
        results.table(rows + rows, profile="mini")
    with pytest.raises(InputError, match="provenance"):
        results.table(rows, profile="mini", provenance="guessed")
    with pytest.raises(InputError, match="unknown columns"):
        results.table([{**rows[0], "acuracy": 1}], profile="mini")
    with pytest.raises(InputError, match="does not exist"):
        results.read(tmp_path / "none.csv")


def test_measured_round_trip(tmp_path):
    m = made({"a1": 0.5, "a2": 0.4}, seeds=2)
    m.save(tmp_path / "m.csv")
    back = Measured.load(tmp_path / "m.csv", provenance="recorded")
    assert (back.table["provenance"] == "recorded").all()
    np.testing.assert_allclose(back.table["value"], m.table["value"], rtol=1e-5)
    np.testing.assert_allclose(back.draws, m.draws, atol=1e-3)


def test_training_runs_are_counted_per_network():
    m = combine(made({"a1": 0.5}, seeds=3), made({"b1": 0.5}))
    assert claims.training_runs(m, dataset="things") == "1 to 3"
    assert claims.training_runs(m.select("model == 'a1'"), dataset="things") == "3"
    assert claims.training_runs(m, dataset="elsewhere") == "0"


def test_two_measures_resample_training_runs_alike():
    levels = {"a1": (0.3, 0.5, 0.7), "b1": (0.2, 0.6, 0.4), "b2": (0.1, 0.1, 0.3)}
    rows, more = [], []
    for k, (model, values) in enumerate(levels.items()):
        for seed, value in enumerate(values):
            rows.append({**SELECT, "layer": "p", "model": model, "seed": seed, "value": value})
            more.insert(k * seed, {**rows[-1], "stage": "probed", "value": value + 0.1})  # in another order
    draws = [np.repeat([[r["value"]] for r in part], B, 1) for part in (rows, more)]
    m = combine(*(Measured.of(part, d, profile="mini") for part, d in zip((rows, more), draws)))
    test = {"select": {"dataset": "things"}, "plus": {"stage": "probed"}, "minus": {"stage": "zero-shot"}}
    values, _ = claims.paired_difference(m, MODELS, {**test, "layer": ""})
    np.testing.assert_allclose(values, 0.1, atol=1e-6)  # no noise is left in the paired difference


def test_provenance_of_a_verdict_is_the_one_farthest_from_live():
    live, recorded = made({"a1": 0.5}), made({"a1": 0.6}, stage="probed")
    recorded.table["provenance"] = "recorded"
    m = combine(live, recorded)
    select = {"dataset": "things"}
    assert claims.provenance(m, {"select": SELECT}) == "live"
    both = {"select": select, "plus": {"stage": "probed"}, "minus": {"stage": "zero-shot"}}
    assert claims.provenance(m, both) == "recorded"
    assert claims.provenance(m, {"select": SELECT, "with": {"stage": "probed"}}) == "recorded"
    assert claims.provenance(m, {"select": {"dataset": "elsewhere"}}) == ""
