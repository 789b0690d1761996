"""The ledger of claims: complete, and each test right on cases whose answer is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humalign import claim_tests, claims, multiplicity, results, zoo
from humalign.claims import describe, judge, ledger, verdict
from humalign.errors import InputError
from humalign.resample import networks
from humalign.results import Measured, combine, interval
from humalign.zoo.facts import kinds

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
    return claim_tests.TESTS[kind](measured, MODELS, {"kind": kind, "select": SELECT, **test})[0][0]


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
    assert claim_tests.TESTS["paired_difference"](m, MODELS, kw)[0][0] == pytest.approx((0.1 + 0.2 - 0.1) / 3, abs=1e-6)
    assert claim_tests.TESTS["share_positive"](m, MODELS, kw)[0][0] == pytest.approx(2 / 3)


def test_spread_change_is_that_of_standard_deviations():
    before, after = {"a1": 0.5, "a2": 0.3, "b1": 0.4}, {"a1": 0.6, "a2": 0.5, "b1": 0.55}
    m = combine(made(before, noise=0), made(after, noise=0, stage="probed"))
    test = {"select": {k: v for k, v in SELECT.items() if k != "stage"}, "plus": {"stage": "probed"},
            "minus": {"stage": "zero-shot"}}  # fmt: skip
    assert claim_tests.TESTS["spread_change"](m, MODELS, test)[0][0] == pytest.approx(
        (0.05 - 0.1) / 0.886227, abs=1e-6
    )  # c4 of 3
    two = m.select((m.table["model"] != "b1").to_numpy())
    assert claim_tests.TESTS["spread_change"](two, MODELS, test) is None


def test_spread_is_unbiased_for_few_normal_values():
    """c4 as tabulated: .7979 for 2, .8862 for 3, .9727 for 10 (Montgomery, Statistical Quality Control, app. VI)."""
    values = np.random.default_rng(0).standard_normal((3, 40000))
    assert claim_tests._spread(values).mean() == pytest.approx(1, abs=0.01)
    for n, c4 in ((2, 0.7979), (3, 0.8862), (10, 0.9727)):
        part = np.arange(n, dtype=float)[:, None]
        assert part.std(0, ddof=1)[0] / claim_tests._spread(part)[0] == pytest.approx(c4, abs=5e-5)


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
        claim_tests.TESTS["spread_difference"](m, MODELS, {"select": SELECT, "a": "group == 'A'", "b": "group == 'B'"})
        is None
    )


def test_a_network_of_unknown_size_does_not_hide_the_slope():
    m = made({"a1": 0.5, "a2": 0.6, "b1": 0.3, "b2": 0.4}, noise=0)
    test = {"kind": "slope_within", "select": SELECT, "x": "parameters", "within": "family"}
    models = MODELS.assign(parameters=[1e5, 2e5, 4e5, np.nan], family=["f", "f", "f", "f"])
    values, basis = claim_tests.TESTS["slope_within"](m, models, test)
    assert np.isfinite(values[0])
    assert basis == "3 networks in 1 families, one training run each"


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
    assert frame.loc[1, "basis"] == "nothing was measured on elsewhere"
    frame = judge(made({"b1": 0.5, "b2": 0.5}), MODELS, [claim])
    count = (MODELS["group"] == "A").sum()
    assert frame["basis"].tolist() == [f"features of 0 of the {count} networks that it compares"]


def test_a_claim_about_networks_that_are_not_public_says_what_it_needs():
    """In full: the sixteen networks of one recipe; nobody publishes their weights, and no other network counts."""
    facts = kinds(zoo.table("full"))
    seen = facts.loc[facts["source"] == "torchvision", "model"].tolist()[:4]
    rows = [dict(profile="full", dataset="things", model=m, stage="zero-shot", layer="penultimate", measure="accuracy",
                 detail="cosine", value=0.4, n=10) for m in seen]  # fmt: skip
    measured = Measured.of(rows, np.full((len(rows), 4), 0.4))
    wanted = [claim for claim in ledger() if claim["id"] in ("p1-architecture", "p1-objective")]
    frame = judge(measured, facts, wanted)
    assert frame["verdict"].tolist() == ["not measured"] * 2
    for basis in frame["basis"]:
        assert "16 of them have no public weights: needed are features of these very networks" in basis
    from humalign.chapters import claims as page

    (told, *_) = page.verdict_table(frame.assign(provenance="live"))["statistic (basis)"]
    assert "features of 0 of the 16 networks that it compares; 16 of them" in told  # where the claim stands


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
    values, _ = claim_tests.paired_difference(m, MODELS, {**test, "layer": ""})
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


def test_pairs_are_matched_by_training_run():
    """A run whose transform collapsed leaves its partner out, too, and the basis says so."""
    plain = made({"a1": 0.5, "a2": 0.4}, noise=0, seeds=3)
    plain.table["value"] += 0.1 * plain.table["seed"]
    probed = Measured(plain.table.assign(stage="probed", value=plain.table["value"] + 0.02), plain.draws)
    probed = probed.select("model != 'a1' or seed < 2")
    select = {k: v for k, v in SELECT.items() if k != "stage"}
    test = {"select": select, "plus": {"stage": "probed"}, "minus": {"stage": "zero-shot"}}
    values, basis = claim_tests.paired_difference(combine(plain, probed), MODELS, test)
    assert values[0] == pytest.approx(0.02)
    assert basis == "2 networks, 2 to 3 training runs each, without 1 that lacks a partner"


def test_centred_draws_hold_a_correlation_near_one():
    rng = np.random.default_rng(0)
    values = np.tanh(np.arctanh(0.94) - 0.4 + 0.2 * rng.standard_normal(1001))
    values[0] = 0.94
    low, high = interval(values[1:])
    assert high < 0.94  # the fault that is mended
    low, high = interval(claims.centred(values, "correlation"))
    assert low < 0.94 < high < 1
    np.testing.assert_allclose(claims.centred(values, "mean"), values[1:])
    same = np.arctanh(values[1:]) - np.median(np.arctanh(values[1:])) + np.arctanh(0.94)
    np.testing.assert_allclose(claims.centred(values, "correlation"), np.tanh(same))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.88, 1.0])
def test_centred_shares_stay_shares_and_hold_the_estimate(share):
    draws = np.clip(0.8 * share + 0.1 * np.random.default_rng(0).standard_normal(400), 0, 1)
    found = claims.centred(np.r_[share, draws], "share_positive")
    assert found.min() >= 0
    assert found.max() <= 1
    low, high = interval(found)
    assert low <= share <= high


def test_p_values_count_what_lies_beyond_the_criterion():
    from scipy.stats import norm

    draws = norm.ppf((np.arange(999) + 0.5) / 999)  # standard normal
    counted, tail = multiplicity.p_values(1.5, draws + 1.5, {"above": 0})
    assert counted == pytest.approx(2 * norm.sf(1.5), abs=4e-3)
    assert tail == pytest.approx(2 * norm.sf(1.5), abs=2e-3)
    assert multiplicity.p_values(9, draws + 9, {"above": 0})[0] == pytest.approx(2 / 1000)  # the floor
    inside = multiplicity.p_values(1, draws + 1, {"within": [-3, 3]})
    assert inside[1] == pytest.approx(2 * norm.sf(2), abs=2e-3)  # the nearer edge is the harder one
    outside = multiplicity.p_values(5, draws + 5, {"within": [-3, 3]})
    assert outside[1] == pytest.approx(2 * norm.sf(2), abs=2e-3)
    assert np.isnan(multiplicity.p_values(np.nan, draws, {"above": 0})).all()


def test_holm_is_the_step_down_by_hand():
    """Holm (1979): .01 x 4, .02 x 3, .03 x 2 and .04, each at least the one before."""
    found = multiplicity.holm([0.04, 0.01, np.nan, 0.03, 0.02])
    np.testing.assert_allclose(found, [0.06, 0.04, np.nan, 0.06, 0.06])
    assert multiplicity.holm([0.6, 0.7]).tolist() == [1, 1]
    assert multiplicity.holm([]).size == 0


def test_multiplicity_changes_no_verdict():
    m = made({"a1": 0.3, "b1": 0.5})
    test = {"kind": "group_difference", "select": SELECT, "a": "group == 'A'", "b": "group == 'B'"}
    claim = {"id": "x", "paper": 1, "claim": "A is better.", "source": "s", "status": "confirmed", "test": test,
             "criterion": {"above": 0}}  # fmt: skip
    entries = [claim, {**claim, "id": "y", "test": {**test, "select": {"dataset": "elsewhere"}}}]
    plain, more = judge(m, MODELS, entries), judge(m, MODELS, entries, p=True)
    pd.testing.assert_frame_equal(plain, more[plain.columns])
    assert more["holm"].tolist()[0] < 1e-6
    assert np.isnan(more["holm"][1])


RECORDED = Path(claims.__file__).parent / "recorded"
BINS = {"slice_doubt_entropy.csv", "slice_doubt_errors.csv"}  # low and high are ends of bins there


@pytest.mark.parametrize("name", sorted(p.name for p in RECORDED.glob("*.csv")))
def test_no_recorded_interval_excludes_its_estimate(name):
    frame = pd.read_csv(RECORDED / name)
    estimates = [c for c in ("value", "effect", "difference") if c in frame]
    if name in BINS or not {"low", "high"} <= set(frame) or not estimates:
        assert name in BINS or "low" not in frame
        return
    rounding = 1e-5 * frame[estimates[0]].abs() + 1e-9  # tables hold 6 digits
    known = frame["low"].notna()
    inside = (frame["low"] - rounding <= frame[estimates[0]]) & (frame[estimates[0]] <= frame["high"] + rounding)
    assert inside[known].all(), frame[known & ~inside]
