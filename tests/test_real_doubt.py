"""The crowd of 160 people: models beside their answers, against few lines of NumPy, and as recorded."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humalign import claims, record
from humalign.chapters import real_doubt, statements
from humalign.chapters import real_doubt_figures as figures
from humalign.chapters import real_doubt_measures as measures
from humalign.config import get_profile

DATA = os.environ.get("HUMALIGN_DATA")
needs_data = [pytest.mark.data, pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")]


# ---- as recorded


@pytest.fixture(scope="module")
def recorded():
    return real_doubt.TABLES.tables(get_profile("mini").with_(data=None))


@pytest.fixture(scope="module")
def models():
    return real_doubt.TABLES.source(get_profile("mini").with_(data=None)).networks()


def test_without_data_the_page_shows_what_was_recorded(recorded, models):
    assert recorded.provenance == "recorded"
    said = real_doubt.numbers(recorded)
    assert said["rd_people"].text() == "160"
    assert said["rd_questions"].text() == "440"
    assert {one.provenance for one in said.values()} == {"recorded"}
    assert len(statements.table(recorded["claims"], "recorded")) == int(said["rd_claims"].value) == 7
    assert len(real_doubt.calibration_table(recorded, models)) == 5 * 3
    assert set(real_doubt.failures_table(recorded, models)["people's odd one"]) >= {"charcoal"}
    assert real_doubt.apart_table(recorded)["answers then"].min() > 10
    assert real_doubt.people_table(recorded)["questions"].max() == 1000
    source = real_doubt.TABLES.source(get_profile("mini").with_(data=None))
    assert real_doubt.pictures(source, recorded["pictured"]) == {}


def test_a_perfect_model_lies_between_people_and_the_best(recorded):
    own = real_doubt.of_people(recorded)
    ends = real_doubt.limits(recorded)
    assert ends["with single answers"][0] < ends["with single answers"][1]
    assert own["known doubt", "half"] < own["known doubt", "reliability"] < own["known doubt", "ceiling"] < 1
    assert own["log loss", ""] < np.log(3)
    points = real_doubt.points(recorded, pd.DataFrame({"model": list(real_doubt.SHORT.values()), "name": "x"}))
    for title, part in points.items():
        if title != "with the majority":  # a model may give the majority's answer more often than a person does
            assert (part["value"] < ends[title][1]).all()


def test_the_criteria_name_their_tests():
    ledger = claims.ledger(statements.LEDGER, "rd-")
    assert len(ledger) == 7
    assert not {c["id"] for c in ledger} & {c["id"] for c in claims.ledger(statements.LEDGER, "rp-")}


def test_figures_of_the_recorded_tables(recorded, models):
    import matplotlib.pyplot as plt

    fig = figures.shares(recorded["shares"])
    assert [t.get_text() for t in fig.axes[0].texts][:3] == ["most frequent answer", "second", "third"]
    people = real_doubt.persons(recorded, models)
    assert len(figures.persons(people).axes[0].get_yticks()) == 6
    fig = figures.doubt(recorded["entropy"], recorded["errors"], models)
    assert {t.get_text() for t in fig.axes[1].texts} >= {"SPoSE", "VICE", "CLIP ViT-B/32", "VGG-16", "word2vec"}
    fig = figures.pictured(recorded["pictured"], {})
    written = {t.get_text() for ax in fig.axes for t in ax.texts}
    assert {name.replace("_", " ") for name in recorded["pictured"]["concept"]} <= written
    alike = real_doubt.alike(recorded)
    assert len(alike) == 5 * 4 / 2 + 6  # each two models, and each and the people with people
    plt.close("all")


def test_reliability_is_one_where_halves_agree():
    counts = np.array([[9, 1, 0], [4, 3, 3], [6, 4, 0], [10, 0, 0]])
    assert measures.reliability([(counts, counts)] * 3) == pytest.approx((1, 1))


# ---- golden values, each against a few lines of NumPy that share nothing with the package


def answers(name):
    return np.loadtxt(Path(DATA) / "things/triplets" / name, dtype=int)


def counted(rows):
    """Question (sorted) to how often each of its objects was called odd."""
    out = {}
    for row in rows[:, :3]:
        question = tuple(sorted(row))
        out.setdefault(question, np.zeros(3))[question.index(row[2])] += 1
    return out


def similarity(file, order=None):
    things = Path(DATA) / "things"
    values = np.load(things / file) if file.endswith(".npy") else np.loadtxt(things / file)
    if order:
        values = values[pd.read_csv(things / "concepts/row_orders.csv")[order]]
    if "embeddings" not in file:
        values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return values @ values.T


def odd(matrix, question):
    a, b, c = question
    return int(np.argmax([matrix[b, c], matrix[a, c], matrix[a, b]]))


@pytest.fixture(scope="module")
def tables():
    return real_doubt.TABLES.tables(get_profile("slice", data=DATA))


def value(tables, model, measure, stage="zero-shot", detail=""):
    rows = tables["results"]
    where = {"model": model, "measure": measure, "stage": stage, "detail": detail, "dataset": "crowd"}
    (found,) = rows[np.all([rows[key] == one for key, one in where.items()], axis=0)]["value"]
    return found


class TestGolden:
    pytestmark = needs_data

    def test_people(self, tables):
        people = counted(answers("responses_2025.txt"))
        counts = np.array(list(people.values()))
        assert counts.shape == (440, 3)
        pairs = (counts * (counts - 1)).sum(1) / (160 * 159)
        assert value(tables, "people", "accuracy", "ceiling", "another person") == pytest.approx(pairs.mean(), abs=1e-6)
        best = counts.max(1).mean() / 160
        assert value(tables, "people", "accuracy", "ceiling", "majority") == pytest.approx(best, abs=1e-6)

    def test_the_same_questions_before_and_now(self, tables):
        now, before = counted(answers("responses_2025.txt")), {}
        for name in ("testset1.txt", "testset2.txt"):
            before |= {q: c for q, c in counted(answers(name)).items() if q in now}
        gaps = []
        for question, c in before.items():
            d, n, m = now[question], c.sum(), 160
            own = [(c * (c - 1)).sum() / (n * (n - 1)), (d * (d - 1)).sum() / (m * (m - 1))]
            gaps.append((c * d).sum() / (n * m) - np.mean(own))
        assert len(gaps) == 308
        found = value(tables, "people", "across minus within", "again")
        assert found == pytest.approx(np.mean(gaps), abs=1e-6)

    @pytest.mark.parametrize(("model", "file", "order"), [
        ("clip_ViT-B/32", "features/clip_vit_b32.npy", "upper_index"), ("word2vec", "features/word2vec.npy", None),
        ("spose_49", "embeddings/spose_embedding_49d_sorted.txt", None),
    ])  # fmt: skip
    def test_models(self, tables, model, file, order):
        from scipy.optimize import minimize_scalar
        from scipy.stats import spearmanr

        people, matrix = counted(answers("responses_2025.txt")), similarity(file, order)
        share = np.array(list(people.values())) / 160
        picks = np.array([odd(matrix, question) for question in people])
        right = share[np.arange(440), picks]
        assert value(tables, model, "accuracy") == pytest.approx(right.mean(), abs=1e-6)
        top = share == share.max(1, keepdims=True)
        majority = (top / top.sum(1, keepdims=True))[np.arange(440), picks]
        assert value(tables, model, "agreement with majority") == pytest.approx(majority.mean(), abs=1e-6)
        # the temperature: half as many responses of test_10 as the chapter on calibration uses, to other questions
        known = {*people, *counted(answers("testset1.txt")), *counted(answers("testset2.txt"))}
        rows = answers("test_10_ID.txt")
        rows = rows[[tuple(sorted(row)) not in known for row in rows[:, :3]]]
        rows = rows[np.linspace(0, len(rows) - 1, 8000).astype(int)]
        pairs = np.stack([matrix[rows[:, i], rows[:, j]] for i, j in ((0, 1), (0, 2), (1, 2))], 1)

        def loss(log):
            scaled = pairs / np.exp(log)
            return (np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)) + scaled.max(1) - scaled[:, 0]).mean()

        best = np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x)
        chosen = tables["chosen"]
        chosen = chosen[(chosen["model"] == model) & (chosen["rule"].astype(str) == "log loss")].set_index("set")
        assert chosen.loc["crowd", "temperature"] == pytest.approx(best, rel=2e-3)
        s = np.array([[matrix[b, c], matrix[a, c], matrix[a, b]] for a, b, c in people]) / best
        p = np.exp(s - s.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        assert value(tables, model, "log loss", "log loss") == pytest.approx(
            -(share * np.log(p)).sum(1).mean(), abs=1e-4
        )
        people_doubt = -np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0).sum(1)
        rho = spearmanr(-(p * np.log(p)).sum(1), people_doubt)[0]
        assert value(tables, model, "doubt") == pytest.approx(rho, abs=2e-3)
        confidence, weight = np.repeat(p.max(1), 3), share.ravel()
        hit = (np.arange(3) == p.argmax(1)[:, None]).ravel()
        bins = np.minimum((confidence * 10).astype(int), 9)
        gaps = [abs((weight * (hit - confidence))[bins == b].sum()) for b in range(10)]
        assert chosen.loc["crowd", "ece"] == pytest.approx(sum(gaps) / 440, abs=1e-3)

    def test_reliability_of_doubt(self, tables):
        from scipy.stats import spearmanr

        people = {}
        for a, b, odd_one, person in answers("responses_2025.txt"):
            people.setdefault(tuple(sorted((a, b, odd_one))), {})[person] = odd_one
        table = np.array([[q.index(given[p]) for p in range(160)] for q, given in people.items()])
        rng, found = np.random.default_rng(0), []
        for _ in range(60):
            order = rng.permutation(160)
            doubts = []
            for half in (order[:80], order[80:]):
                p = np.stack([(table[:, half] == k).mean(1) for k in range(3)], 1)
                doubts.append(-np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(1))
            found.append(spearmanr(*doubts)[0])
        half = np.mean(found)
        assert value(tables, "people", "known doubt", "ceiling", "half") == pytest.approx(half, abs=3e-3)
        ceiling = value(tables, "people", "known doubt", "ceiling", "ceiling")
        assert ceiling == pytest.approx(np.sqrt(2 * half / (1 + half)), abs=3e-3)

    def test_what_is_recorded_is_what_is_computed(self, tables):
        for key in ("results", "chosen"):
            before = record.read("slice_doubt", key)
            keys = ["dataset", "model", "stage", "measure", "detail"] if key == "results" else ["model", "set", "rule"]
            both = before.astype({k: str for k in keys}).merge(tables[key].astype({k: str for k in keys}), on=keys)
            assert len(both) == len(before) == len(tables[key])
            for column in ("value",) if key == "results" else ("ece", "nll"):
                np.testing.assert_allclose(both[f"{column}_x"], both[f"{column}_y"], rtol=1e-5, atol=2e-5)

    def test_photographs_are_shown(self, tables):
        found = real_doubt.pictures(real_doubt.TABLES.source(get_profile("slice", data=DATA)), tables["pictured"])
        assert set(found) == set(tables["pictured"]["concept"])
        assert all(one.shape == (200, 200, 3) for one in found.values())
