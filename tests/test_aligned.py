"""Students before and after alignment: training runs averaged, controls side by side, numbers of the prose."""

import numpy as np
import pandas as pd
import pytest

from humalign import claim_tests, levels, resample
from humalign.chapters import student, student_examples
from humalign.config import get_profile
from humalign.experiments.plan import STUDENTS, plan
from humalign.results import Measured
from humalign.source import open_source

PLACES = [("levels", "accuracy", f"H2/{level}") for level in levels.LEVELS]
PLACES += [("one-shot", "accuracy", "H2"), ("shift", "accuracy", "H2"), ("levels", "entropy-time", "coarse")]


@pytest.fixture(scope="module")
def everything():
    """Every experiment of the protocol as if it had been run: value .4, +.1 for AligNet, seed k adds k / 100."""
    rng, rows, draws = np.random.default_rng(0), [], []
    shared = {place: rng.normal(0, 0.02, 50) for place in PLACES}
    for e in plan():
        for dataset, measure, detail in PLACES:
            value = 0.4 + 0.1 * e.stage.startswith("AligNet") + e.seed / 100
            rows.append(dict(dataset=dataset, measure=measure, detail=detail, model=e.model, seed=e.seed, stage=e.stage,
                             value=value, n=100, provenance="recorded"))  # fmt: skip
            draws.append(value + shared[dataset, measure, detail])
    return Measured.of(rows, np.stack(draws), profile="mini", layer="penultimate")


def test_means_and_intervals_are_over_training_runs(everything):
    table = student.averaged(everything)
    assert list(dict.fromkeys(table["model"])) == list(student.NAMES)
    assert (table["seeds"] == 3).all()
    row = table[(table["stage"] == "AligNet") & (table["detail"] == "H2/coarse")].iloc[0]
    assert row["value"] == pytest.approx(0.51)
    assert row["each"] == "0.5000 0.5100 0.5200"
    own = everything.table
    one = everything.select(
        ((own["seed"] == 1) & (own["stage"] == "AligNet") & (own["model"] == row["model"])).to_numpy()
    )
    alone = student.averaged(one)
    alone = alone[alone["detail"] == "H2/coarse"].iloc[0]
    assert alone["each"] == ""
    assert row["high"] - row["low"] > alone["high"] - alone["low"]  # runs differ, so the interval is wider


def test_resampled_runs_stay_paired_within_a_network():
    draws = np.random.default_rng(1).normal(size=(3, 40))
    np.testing.assert_allclose(resample.over_runs(draws, "a") + 1, resample.over_runs(draws + 1, "a"))
    assert not np.array_equal(resample.over_runs(draws, "a"), resample.over_runs(draws, "b"))


def test_every_control_of_the_protocol_has_a_place(everything):
    table = student.controls(everything)
    expected = {e.stage for e in plan() if e.model == STUDENTS[0]}
    assert set(table["stage"]) == expected
    assert table["stage"].tolist()[:3] == ["base", "UnAligNet", "AligNet"]
    assert table["coarse"].notna().all()
    names = table["stage"].tolist()
    assert names.index("AligNet, seen teacher") == names.index("UnAligNet, seen teacher") + 1
    changes = student.change_table(everything)
    first = changes[changes["student"] == "ResNet"].set_index("control")
    assert set(first.index) == {s for s in expected if "," in s}
    assert first["coarse"].str.startswith("+0.000").all()
    assert first["runs"]["AligNet, seen teacher"] == 3
    assert set(changes["student"]) == set(student.NAMES.values())


def test_prose_takes_its_verdicts_from_the_numbers(everything):
    log = pd.DataFrame({"state": ["done", "done", "not run"]})
    contrasts = student.contrasts(everything)
    assert (student.mean_table(contrasts)["runs"] == 12).all()
    told = student.numbers(contrasts, log)
    assert told["st_coarse_base_word"].startswith("higher")
    assert told["st_coarse_un"].value == pytest.approx(0.1)
    assert (told["st_seeds"].value, told["st_done"].value, told["st_planned"].value) == (3, 2, 3)
    assert student.verdict(-0.2, -0.1).startswith("lower")
    assert student.verdict(-0.2, 0.1).startswith("not resolved")


def test_page_and_claims_agree_on_the_recorded_runs():
    """One difference of stages has one interval in the whole book."""
    runs, facts = student.runs(), pd.DataFrame({"model": list(student.NAMES)})
    found = student.contrasts(runs)
    found = found[found["model"] == "all"]
    assert len(found) == 3 * len(student.MEASURES)
    for row in found.itertuples():
        select = {"dataset": row.dataset, "measure": "accuracy", "detail": row.detail}
        test = {"select": select, "plus": {"stage": row.plus}, "minus": {"stage": row.minus}}
        values, _ = claim_tests.paired_difference(runs, facts, test)
        assert row.value == pytest.approx(values[0])
        np.testing.assert_allclose([row.low, row.high], resample.interval(values[1:]), atol=1e-6)


def test_recorded_runs_fill_every_panel():
    runs = student.runs()
    for wanted in (student.CHOICES, student.ARRANGED, student.LEVELS, student.TIMES):
        table = student.by_panel(runs, wanted)
        assert set(table["panel"]) == set(wanted.values())
        assert table.groupby("panel").size().nunique() == 1
    teachers = student.teachers(runs)
    assert set(teachers["map"]) >= {"none", "human-aligned"}
    assert student.teacher_lines(teachers, ["coarse", "shot"])["shot"]["teacher"] > 0


def test_settings_and_published_values_are_complete():
    assert student.settings_table().notna().all(axis=None)
    table = student.published_levels()
    assert (table["base, lowest"] < table["base, highest"]).all()
    assert (table["provenance"] == "second-hand").all()


def test_lines_of_chance_and_people(tmp_path):
    drawn = open_source(get_profile("mini", cache=tmp_path))
    people = student.people_lines(drawn)
    assert set(people) == {*student.CHOICES.values(), *student.ARRANGED.values()}
    assert people["odd-one-out choices, all concepts"]["best possible"] == pytest.approx(0.67, abs=0.01)
    assert people["odd-one-out choices, held-out concepts only"] == {"chance": 1 / 3}  # that ceiling is not known
    assert all(0.5 < people[t]["best possible"] < 1 for t in people if t.startswith("arrangement"))
    accuracy, times = student.level_lines(drawn)
    for level in ("coarse", "fine", "boundary"):
        assert 1 / 3 < accuracy[level]["chance"] < accuracy[level]["people"]  # ties make chance better than one third
        assert times[level]["people"] > 0
    best = student.split_lines(drawn, n=300)
    assert set(best) == {f"{level}, H2" for level in accuracy}
    assert all(lines["chance"] < lines["best possible"] < 1 for lines in best.values())


def test_examples_are_what_people_agree_on_most():
    from humalign.plots import panels

    table = student_examples.judged(student.recorded_features())
    assert (table["people"] >= 1 / 3).all()
    right = table["kind"].isin(["wrong before, right after", "right before and after"])
    assert ((table["after"] == table["odd"]) == right).all()
    best = student_examples.most_agreed(table)
    assert best["count"].sum() == len(table)
    for row in best.itertuples():
        assert row.people == table.loc[table["kind"] == row.kind, "people"].max()
    blank = {name: np.zeros((4, 4, 3), np.uint8) for name in best[["first", "second", "odd"]].to_numpy().ravel()}
    assert len(panels.examples(best, blank).axes) == 3 * len(best)
