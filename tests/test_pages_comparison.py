"""What the pages on claims, calibration and comparison show, on small made-up tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages_made import FACTS, MODELS, measured

from humalign.chapters import calibration, claims
from humalign.chapters import representation_comparison as comparison
from humalign.errors import MissingData
from humalign.record import Tables
from humalign.source import open_source


def test_claims_page():
    assert {"above", "below", "within"} >= set().union(*claims.criteria().values())
    columns = {"control": False, "provenance": "live", "verdict": "replicates"}
    verdicts = pd.DataFrame({"paper": [1, 2, 2]}).assign(**columns)
    assert len(claims.of_paper(verdicts, 2)) == 2
    found = measured([{"dataset": "things", "model": "a", "value": 0.5, "seed": s} for s in (0, 1)])
    out = claims.numbers(verdicts, found)
    assert (out["cl_runs_1"], out["cl_runs_2"], out["cl_replicates_2"].value) == ("2", "0", 2)
    right, wrong = pd.DataFrame({"right": [True, True]}), pd.DataFrame({"right": [True, False]})
    out = claims.numbers_of_recovery(right, wrong)
    assert [out[f"cl_{key}"].value for key in ("recovered", "recovered_plain", "generators")] == [2, 1, 2]


@pytest.fixture
def calibrated():
    """Temperatures by four rules, and correlations, of two networks."""
    rules = ["1", "grid", "continuous", "log loss"]
    rows = [
        {"model": m, "rule": r, "temperature": t, "ece": t / 10, "nll": t / 2, "accuracy": 0.5, "n": 8}
        for m, scale in (("a", 1.0), ("u", 100.0))
        for t, r in zip(scale * np.arange(1, 5), rules)
    ]
    doubt = {"model": ["a", "u", "people"], "entropy": [0.2, 0.1, 1.0], "time": [0.05, 0.01, 0.3]}
    return pd.DataFrame(rows), pd.DataFrame(doubt)


def test_calibration_numbers(calibrated):
    chosen, doubt = calibrated
    out = calibration.numbers(MODELS, chosen, doubt)
    medians = [out[f"cal_{key}"].value for key in ("n", "before", "after", "temperature")]
    assert medians == [16, 0.1, 0.3, 3.0]  # of the trained network alone
    assert out["cal_doubt_name"] == "Alpha"
    assert (out["cal_time_people"].value, out["cal_time"].value) == (0.3, 0.05)
    out = calibration.numbers(MODELS, chosen, doubt.assign(time=np.nan))
    assert {"cal_doubt"} == {"cal_doubt", "cal_time", "cal_time_people"} & set(out)
    assert not {"cal_doubt", "cal_time"} & set(calibration.numbers(MODELS, chosen, doubt[:0]))
    with pytest.raises(MissingData, match="response times"):
        calibration.rows_of({"doubt": doubt.assign(time=np.nan)}, "time")
    with pytest.raises(MissingData, match="how sure people are"):
        calibration.rows_of({"doubt": doubt[:0]}, "doubt")


def test_calibration_table(calibrated):
    table = calibration.table(MODELS, *calibrated)
    assert "no." not in table
    assert table.loc["a", ["T, grid", "T, lowest ECE", "T, log loss", "log loss"]].tolist() == [2, 3, 4, 2]
    assert table["ρ, response time"].tolist() == [0.05, 0.01]


def test_calibration_rules_are_text(calibrated):
    chosen, _ = calibrated
    assert calibration.by_rule(chosen[:1].assign(rule=1))["rule"].tolist() == ["1"]
    assert set(calibration.of_networks(chosen, ["u"])["model"]) == {"u"}


PEOPLE = comparison.PEOPLE


def test_comparison_counts_each_pair_once(monkeypatch):
    names = ["a", "b", PEOPLE]
    rows = [(x, y, 1.0 if x == y else 0.4 if PEOPLE in (x, y) else 0.6) for x in names for y in names]
    found = pd.DataFrame(rows, columns=["first", "second", "value"]).assign(measure="agreement", layer="penultimate")
    other = pd.concat([found.assign(measure="CKA", value=0.0), found.assign(layer="logits", value=0.0)])
    out = comparison.numbers(pd.concat([found, other]))
    assert out["cmp_agreement"].value == pytest.approx(0.6)
    assert out["cmp_agreement_people"].value == pytest.approx(0.4)
    assert comparison.order(found, FACTS)[0] == PEOPLE
    assert comparison.names(MODELS)[PEOPLE] == PEOPLE
    monkeypatch.setattr(comparison, "pairs_of_layer", lambda _, layer: found.assign(layer=layer))
    assert set(comparison.pairs(open_source("mini"))["layer"]) == {"penultimate", "logits"}


@pytest.mark.parametrize(("share", "shown"), [(0.002, 0.2), (1e-9, "less than 0.0001")])
def test_comparison_shared_failures(share, shown):
    wrong = pd.DataFrame({"wrong": [0, 1], "triplets": [6, 4], "share": [0.6, 0.4], "dimensions": [1.0, 0.25]})
    out = comparison.numbers_of_failures(wrong.assign(independent=[0.5, share]))
    assert out["cmp_all_expected"].value == shown
    values = [out[f"cmp_{key}"].value for key in ("all", "all_n", "none", "known", "networks")]
    assert values == [40, 4, 60, 25, 1]


def test_comparison_triplets_that_set_apart(monkeypatch):
    first, both = "first right, second wrong", "both wrong, different"
    rows = [(first, 0.3, "red"), (first, 0.1, "blue"), (first, 0.2, "red"), (both, 0.1, "green")]
    apart = pd.DataFrame(rows, columns=["kind", "entropy", "dimension"]).assign(triplet=range(4))
    apart = apart.assign(**{c: [f"{c}{k}/0" for k in range(4)] for c in ("a", "b", "odd")})
    table = comparison.apart_table(apart, "X", "Y")
    assert table["kind"].tolist() == ["X right, Y wrong", "Y right, X wrong", both]
    assert table["triplets"].tolist() == [3, 0, 1]
    assert table["most frequent dimensions"].tolist() == ["red, blue", "", "green"]
    chosen = comparison.clearest(apart)
    assert chosen["entropy"].tolist() == [0.1, 0.2, 0.3, 0.1]
    source = SimpleNamespace(seen=lambda role, ids, side: sorted(ids))
    assert len(comparison.pictures(source, chosen, 8)) == 12


def test_comparison_public_table():
    clip, _, vice, _ = comparison.COMPARED
    rows = {"model": [clip], "detail": [vice], "measure": "CKA", "value": 0.4, "low": 0.3, "high": 0.5}
    table = comparison.public_table(Tables({"pairs": pd.DataFrame(rows)}, "recorded", ""))
    assert table.loc[0, ["first", "second"]].tolist() == ["CLIP ViT-B/32", "VICE (42 dimensions)"]
    assert table["provenance"].tolist() == ["recorded"]
