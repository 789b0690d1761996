"""Choices of anything that chooses: read by name, held against people's answers to the same questions."""

import csv
import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humalign import choices, odd_one_out
from humalign.cli import main
from humalign.data import choices as reading
from humalign.data.types import Triplets
from humalign.errors import InputError

DATA = os.environ.get("HUMALIGN_DATA")
IDS = tuple("abcdefgh")
QUESTIONS = list(itertools.combinations(range(8), 3))[:30]


def crowd(seed=0, people=9, sure=0.7):
    """Answers of some people to thirty questions: mostly the last object of each."""
    rng = np.random.default_rng(seed)
    rows = []
    for question in QUESTIONS:
        for _ in range(people):
            odd = question[2] if rng.random() < sure else question[rng.integers(2)]
            rows.append([*[k for k in question if k != odd], odd])
    return Triplets(IDS, np.array(rows), "made", "none", "crowd")


def chooser(answer, ids=IDS[::-1]):
    """Choices of one chooser, objects numbered in another order."""
    place = {name: row for row, name in enumerate(ids)}
    rows = []
    for k, question in enumerate(QUESTIONS):
        odd = question[answer(k)]
        rows.append([place[IDS[one]] for one in (*[x for x in question if x != odd], odd)])
    return Triplets(ids, np.array(rows), "made", "none", "chooser")


def write(path, rows, head=("a", "b", "c", "odd")):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


# ---------------------------------------------------------------------------------------------- reading


def test_columns_in_any_order_and_by_name(tmp_path):
    rows = [("m", "cat", "dog", "car", "car", "p1"), ("n", "cat", "dog", "car", "cat", "p2")]
    made = reading.read(write(tmp_path / "x.csv", rows, ("model", "a", "b", "c", "odd", "person")))
    assert list(made) == ["m", "n"]
    assert made["m"].ids == ("car", "cat", "dog")
    assert made["m"].triplets.tolist() == [[1, 2, 0]]
    assert made["n"].triplets.tolist() == [[2, 0, 1]]
    assert made["n"].participants.tolist() == ["p2"]
    assert list(reading.read(write(tmp_path / "mine.csv", [("x", "y", "z", "y")]))) == ["mine"]


@pytest.mark.parametrize(
    ("rows", "head", "line"),
    [
        ([("a", "b", "c", "d")], None, "line 2 has the odd one 'd', which is none of the three"),
        ([("a", "b", "c", "a"), ("a", "a", "c", "a")], None, "line 3 names one object twice"),
        ([("a", "", "c", "a")], None, "line 2 has an empty name"),
        ([("a", "b", "c")], ("a", "b", "c"), "has no column called odd"),
        ([("a", "b", "c", "a", "")], ("a", "b", "c", "odd", "model"), "line 2 names no model"),
        ([], None, "a header and no rows"),
    ],
)
def test_bad_files_get_one_line(tmp_path, capsys, rows, head, line):
    path = write(tmp_path / "x.csv", rows, head or ("a", "b", "c", "odd"))
    with pytest.raises(InputError, match=line):
        reading.read(path)
    assert main(["evaluate", str(path)]) == 2
    told = capsys.readouterr().err
    assert line in told
    assert told.count("\n") == 1


# ---------------------------------------------------------------------------------------------- measures


def test_agreement_by_hand():
    people, rng = crowd(), np.random.default_rng(1)
    picks = rng.integers(3, size=len(QUESTIONS))
    rows, draws = choices.of_choices(chooser(lambda k: picks[k]), people, "m", "d")
    single, majority = [], []
    for question, pick in zip(QUESTIONS, picks):
        own = people.triplets[(np.sort(people.triplets, 1) == question).all(1)][:, 2]
        counts = np.array([(own == one).sum() for one in question])
        single.append(counts[pick] / counts.sum())
        majority.append((counts[pick] == counts.max()) / (counts == counts.max()).sum())
    assert [row["value"] for row in rows] == pytest.approx([np.mean(single), np.mean(majority)])
    assert [row["measure"] for row in rows] == ["accuracy", "agreement with majority"]
    assert all(np.percentile(d, 1) < row["value"] < np.percentile(d, 99) for row, d in zip(rows, draws))
    assert choices.limits(people)["accuracy", "leave-one-out"] == odd_one_out.noise_ceiling(
        people.triplets, "leave-one-out"
    )


def test_a_crowd_counts_every_answer_and_none_against_itself():
    people = crowd()
    found = choices.shared(people, people)
    assert found.own
    assert len(found.choices) == len(people)
    assert found.counts.sum(1).tolist() == [8] * len(people)
    rows, _ = choices.of_choices(people, people)
    single, majority = (row["value"] for row in rows)
    assert majority == pytest.approx(odd_one_out.noise_ceiling(people.triplets, "leave-one-out"))
    _, counts, _ = odd_one_out.response_counts(people.triplets)
    assert single == pytest.approx((counts * (counts - 1) / (9 * 8)).sum(1).mean())  # chance that two people agree


def numbered(people, names):
    return replace(people, participants=np.asarray(names))


def test_persons_of_the_crowd_are_known_by_their_answers():
    people = crowd()
    who = np.tile(np.arange(9), len(QUESTIONS))
    people = numbered(people, who)
    some = numbered(people.select(who < 3), np.repeat([["x", "y", "z"]], len(QUESTIONS), 0).ravel())
    found = choices.shared(some, people)
    assert found.own
    assert set(found.counts.sum(1)) == {8}
    other = crowd(seed=1, people=1)
    mixed = replace(some, triplets=np.concatenate([some.triplets, other.triplets]),
                    participants=np.concatenate([some.participants, ["new"] * len(QUESTIONS)]))  # fmt: skip
    assert choices.among(mixed, people).tolist() == [True] * len(some) + [False] * len(other)
    assert set(choices.shared(mixed, people).counts[-len(other) :].sum(1)) == {9}


def test_others_are_held_against_everybody():
    people = crowd()
    assert not choices.shared(chooser(lambda k: 2), people).own  # always people's favourite: no accident needed
    assert not choices.shared(crowd(seed=3, people=2), people).own
    most = people.select(np.tile(np.arange(9) < 8, len(QUESTIONS)))
    assert choices.shared(most, people).own  # without persons: as often as there, question by question
    once = crowd(people=1)
    assert choices.shared(once, once) is None  # nobody else answered


def consistency(first, second):
    """Of two choosers, from whether each was right on every question."""
    return choices.error_consistency((first == second).mean(), first.mean(), second.mean())


def test_error_consistency_closed_forms():
    right = np.array([1, 1, 0, 0, 1, 0, 1, 1.0])
    assert consistency(right, right) == pytest.approx(1)
    half = np.array([1, 1, 0, 0.0])
    assert consistency(half, np.array([1, 0, 1, 0.0])) == pytest.approx(0)  # as if independent
    assert consistency(half, 1 - half) == pytest.approx(-1)
    assert np.isnan(consistency(np.ones(2), np.ones(2)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_error_consistency_is_cohens_kappa(pairs):
    from sklearn.metrics import cohen_kappa_score

    first, second = np.array(pairs, float).T
    if len({*first, *second}) > 1:
        assert consistency(first, second) == pytest.approx(cohen_kappa_score(first, second))


def test_two_choosers_meet_by_question():
    people = crowd()
    first, second = chooser(lambda k: 2), chooser(lambda k: 2 if k % 2 else 0)
    rows, draws = choices.compare(first, second, people)
    assert {row["measure"]: row["value"] for row in rows}["agreement"] == pytest.approx(0.5)
    assert len(draws) == 2
    few = second.select(np.arange(5))
    assert choices.compare(first, few, people) == ([], [])


def test_by_concept_counts_each_question_for_its_three_concepts():
    table = choices.by_concept(chooser(lambda k: 2), crowd(sure=1.0))
    assert (table["value"] == 1).all()
    assert table["n"].sum() == 3 * len(QUESTIONS)


# ---------------------------------------------------------------------------------------------- the card


def test_strange_names_and_strange_questions_get_one_line(tmp_path, capsys):
    path = write(tmp_path / "x.csv", [("nobody", "knows", "this", "this")] * 30)
    assert main(["evaluate", str(path)]) == 2
    told = capsys.readouterr().err
    assert "3 of 3 names are in no data set on this machine, such as 'knows'" in told
    assert told.count("\n") == 1


def test_choices_about_drawn_pictures(tmp_path, capsys):
    from humalign.world import datasets

    asked = datasets.things_repeated()
    first = np.unique(np.sort(asked.triplets, 1), axis=0)[:60]
    names = np.array(asked.ids, object)[first]
    path = write(tmp_path / "mine.csv", [(*row, row[0]) for row in names])
    page = tmp_path / "card.html"
    assert main(["evaluate", str(path), "--json", str(tmp_path / "card.json"), "--html", str(page)]) == 0
    told = json.loads((tmp_path / "card.json").read_text())
    assert {row["measure"] for row in told["summary"]} >= {"accuracy", "agreement with majority"}
    assert page.stat().st_size > 10_000
    assert main(["evaluate", str(path), "--layer", "logits"]) == 2
    assert "has no meaning for choices" in capsys.readouterr().err


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")
def test_language_models_and_people_on_the_same_triplets(tmp_path, capsys):
    ids = Path(DATA, "things/concepts/unique_id.txt").read_text().split()
    files = {name: np.loadtxt(os.path.join(DATA, f"things/llm/{name}.txt"), dtype=int)
             for name in ("people", "gpt4", "chatgpt35")}  # fmt: skip
    rows = [(ids[c], ids[b], ids[a], ids[c], name) for name in ("gpt4", "chatgpt35") for a, b, c in files[name]]
    path = write(tmp_path / "llm.csv", rows, ("a", "b", "c", "odd", "model"))
    assert main(["evaluate", str(path), "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    table = {
        (r["model"], r["measure"], r["detail"]): r["value"]
        for r in told["results"]
        if r["dataset"] == "things/llm_people"
    }
    people, gpt4, chat = (files[name][:, 2] for name in ("people", "gpt4", "chatgpt35"))
    assert table["gpt4", "accuracy", ""] == pytest.approx((gpt4 == people).mean(), abs=1e-9)
    assert table["chatgpt35", "accuracy", ""] == pytest.approx((chat == people).mean(), abs=1e-9)
    assert table["gpt4", "agreement", "chatgpt35"] == pytest.approx((gpt4 == chat).mean(), abs=1e-9)
    a, b = (gpt4 == people).astype(float), (chat == people).astype(float)
    assert table["gpt4", "error consistency", "chatgpt35"] == pytest.approx(consistency(a, b), abs=1e-9)
