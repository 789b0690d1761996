"""AligNet with real people: the split, labels of all triplets of a step, resuming, measures, and what is recorded."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from humalign import claim_tests, claims, cli, downstream, record
from humalign.alignet import batches, judged, pipeline, training
from humalign.alignet.images import Pictures
from humalign.alignet.settings import PRESETS
from humalign.alignet.student import Student, with_published_head
from humalign.alignet.teacher import Teacher
from humalign.chapters import real_alignet as study
from humalign.chapters import real_alignet_figures as figures
from humalign.commands import alignet
from humalign.config import get_profile
from humalign.errors import InputError, MissingData
from humalign.experiments import people, people_measures, queue
from humalign.probing import LinearTransform
from humalign.store import load_arrays
from humalign.zoo.loading import load

DATA = os.environ.get("HUMALIGN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")
STUDENT = "mini:softmax-resnet-m"


# ---- the split -------------------------------------------------------------------------------------------------------


def test_the_split_is_by_name_and_its_parts_share_none():
    held, choosing = (judged.names_of(record.FOLDER / name) for name in (study.HELD_OUT, study.CHOOSING))
    assert (len(held), len(choosing)) == (92, 46)
    assert held == sorted(set(held))
    assert not set(held) & set(choosing)
    assert set(people.held_out(True)) == set(held) | set(choosing)


@needs_data
def test_the_split_is_the_one_of_the_protocol():
    names = sorted(people._source(get_profile("slice", data=DATA)).published("things_cc0/images").ids)
    order = np.random.default_rng(1).permutation(len(names))
    assert people.held_out() == sorted(names[i] for i in order[:92])
    assert judged.names_of(record.FOLDER / study.CHOOSING) == sorted(names[i] for i in order[92:138])


@needs_data
@pytest.mark.parametrize("choosing", [False, True])
def test_no_fitted_response_touches_a_held_out_concept(choosing):
    out = people.held_out(choosing)
    data = judged.judged(get_profile("slice", data=DATA), features=people.FEATURES, dataset=people.CHOICES, exclude=out)
    touched = {data.choices.ids[i] for i in np.unique(data.choices.triplets)}
    assert not touched & set(out)
    assert data.choices.ids == data.features.ids
    assert len(data.choices.triplets) > 100_000


def test_names_to_leave_out(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("acorn\n\n# a remark\ntiger  # the animal\nacorn\n")
    assert judged.names_of(path) == ["acorn", "tiger"]
    assert judged.left_out(["acorn", "bee", "tiger"], ["acorn"], "x") == [False, True, True]
    with pytest.raises(InputError, match="'wolf' is to be left out"):
        judged.left_out(["acorn"], ["wolf"], "x")
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="holds no name"):
        judged.names_of(path)
    with pytest.raises(InputError, match="cannot be read"):
        judged.names_of(tmp_path / "none.txt")


# ---- labels and training ---------------------------------------------------------------------------------------------


def test_all_triplets_of_a_step():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 4)).astype(np.float32)
    shown = Pictures([f"p{i}" for i in range(9)], np.zeros((9, 8, 8, 3), np.uint8), 8)
    steps = batches.PoolBatches(values, shown, 3, 6, "all", seed=2)
    batch, rows = steps[1], np.random.default_rng([2, 1]).choice(9, 6, replace=False)
    assert batch.triplets.tolist() == [list(t) for t in itertools.combinations(range(6), 3)]
    gram = values[rows] @ values[rows].T
    a, b, c = batch.triplets.numpy().T
    np.testing.assert_allclose(batch.targets, np.stack([gram[a, b], gram[a, c], gram[b, c]], 1), rtol=1e-5)


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """Pictures by name, features of more names, a teacher, and a file of names to leave out."""
    monkeypatch.setenv("HUMALIGN_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    names = [f"thing{i:02d}" for i in range(14)]
    (tmp_path / "pictures").mkdir()
    for name in names[:12]:
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / "pictures" / f"{name}.png")
    order = rng.permutation(14)
    values = rng.normal(size=(14, 5)).astype(np.float32)
    np.savez(tmp_path / "features.npz", values=values[order], ids=np.array(names)[order])
    Teacher("given", "plain", LinearTransform(rng.normal(size=(5, 5)), 0.0, 1.0)).save(tmp_path / "teacher")
    (tmp_path / "out.txt").write_text("thing03\nthing07\n")
    return tmp_path, dict(zip(names, values))


def run(*words):
    return cli.main(["alignet", *map(str, words)])


def _sample(folder, transform="human-aligned", **options):
    words = ["sample", "--teacher", folder / "teacher", "--images", folder / "pictures", "--features",
             folder / "features.npz", "--exclude", folder / "out.txt", "--sampling", "all", "--validation", 30,
             "--transform", transform, "--out", folder / "labels"]  # fmt: skip
    return run(*words, *itertools.chain(*options.items()))


def test_labels_go_by_name_and_leave_out(labelled, capsys):
    folder, values = labelled
    for transform in pipeline.FOLDERS:
        assert _sample(folder, transform) == 0
    names = json.loads((folder / "labels" / "names.json").read_text())
    assert names == [f"thing{i:02d}.png" for i in range(12) if i not in (3, 7)]
    mapped, plain, wrong = (np.load(folder / "labels" / f"{one}.npy") for one in pipeline.FOLDERS.values())
    expected = Teacher.load(folder / "teacher").apply(np.stack([values[n.removesuffix(".png")] for n in names]))
    np.testing.assert_allclose(mapped, expected, rtol=1e-5)
    assert not np.allclose(plain, mapped)
    assert sorted(map(tuple, wrong.tolist())) == sorted(map(tuple, mapped.tolist()))
    assert (wrong != mapped).any(1).mean() > 0.5
    assert not list((folder / "labels").glob("*/train_*.npz"))  # none is stored
    assert (folder / "labels" / "permuted" / "val_all.npz").is_file()
    (folder / "out.txt").write_text("thing99\n")
    assert _sample(folder) == 2
    assert "'thing99' is to be left out" in capsys.readouterr().err


def _train(folder, out, *more):
    words = ["train", "--student", STUDENT, "--images", folder / "pictures", "--triplets", folder / "labels",
             "--sampling", "all", "--preset", "photographs", "--set", "steps=6", "warmup=1", "batch=6",
             "checkpoint_every=2", "lr=0.001"]  # fmt: skip
    return run(*words, "--out", folder / out, *more)


def test_a_killed_run_that_goes_on_equals_an_uninterrupted_one(labelled, monkeypatch, capsys):
    folder, _ = labelled
    assert _sample(folder) == 0
    assert _train(folder, "whole") == 0
    saved = training.Trainer.save

    class Killed(BaseException):
        pass

    def save(self):
        if self.step == 4:  # the checkpoint after step 2 is there, that after step 4 is not
            raise Killed
        return saved(self)

    monkeypatch.setattr(training.Trainer, "save", save)
    with pytest.raises(Killed):
        _train(folder, "killed")
    monkeypatch.setattr(training.Trainer, "save", saved)
    assert not (folder / "killed" / "student.safetensors").is_file()
    assert [p.name for p in sorted((folder / "killed").glob("step-*.safetensors"))] == ["step-00000002.safetensors"]
    assert _train(folder, "killed") == 0
    one, two = (load_arrays(folder / name / "student.safetensors")[0] for name in ("whole", "killed"))
    for name, value in one.items():
        np.testing.assert_array_equal(two[name], value)
    assert (folder / "whole" / "log.csv").read_text() == (folder / "killed" / "log.csv").read_text()
    assert run("evaluate", folder / "whole", "--images", folder / "pictures", "--triplets", folder / "labels",
               "--sampling", "all") == 0  # fmt: skip
    assert "val_all, cosine" in capsys.readouterr().out


def test_bad_input_gets_one_line(labelled, capsys):
    folder, _ = labelled
    assert _sample(folder) == 0
    capsys.readouterr()
    assert _train(folder, "a", "--transform", "permuted") == 2  # no such labels
    assert _train(folder, "b", "--side", 77) == 2  # a drawn network sees one size
    assert run("evaluate", STUDENT) == 2
    assert run("evaluate", "efficientnet-lite0", "--world", "--profile", "slice") == 2  # not in the drawn world
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("humalign alignet: ") for line in lines)


# ---- measures --------------------------------------------------------------------------------------------------------


def test_nearest_centroid_in_closed_form():
    x = np.array([[2.0, 0], [2, 0.1], [2, -0.1], [-2, 0], [-2, 0.1], [-2, -0.1]])
    labels = ["a"] * 3 + ["b"] * 3
    np.testing.assert_array_equal(downstream.nearest_centroid(x, labels, 1), 1)
    np.testing.assert_array_equal(downstream.nearest_centroid(x, labels, 1, seeds=()), np.nan)
    once = downstream.nearest_centroid(x, labels, 2, seeds=[0])
    assert np.isnan(once).sum() == 4  # the examples themselves are not tested


def test_correlation_of_rows():
    a = np.random.default_rng(0).normal(size=(4, 7))
    b = np.stack([2 * a[0] + 1, -a[1], np.ones(7), a[3] ** 3])
    found = people_measures.row_correlations(a, b)
    np.testing.assert_allclose(found[:3], [1, -1, 0], atol=1e-12)
    assert found[3] == pytest.approx(np.corrcoef(a[3], b[3])[0, 1])


def test_what_people_would_choose_by_their_dissimilarities():
    near = {"01": (1, 5, 5), "02": (5, 1, 5), "12": (5, 5, 1)}  # dissimilarities of (0, 1), (0, 2), (1, 2)
    rdms = []
    for pair in ("01", "01", "02", "12"):
        one = np.zeros((3, 3))
        one[np.triu_indices(3, 1)] = near[pair]
        rdms.append(one + one.T)
    np.testing.assert_allclose(
        people_measures.chosen_shares(np.stack(rdms), np.array([[0, 1, 2]])), [[1 / 4, 1 / 4, 1 / 2]]
    )


def test_imagenet_classes_go_by_synset():
    wordnet = pd.Series({"tiger": "n02129604", "ambulance": "n02701002", "anteater": "n02461830", "unknown": np.nan})
    assert people_measures.imagenet_classes(wordnet) == {"tiger": 292, "ambulance": 407}


def test_the_published_classifier_of_an_untouched_network_says_what_it_said():
    try:
        whole = load("efficientnet-lite0")
    except MissingData:
        pytest.skip("needs the package with the weights")
    import torch

    student = Student(load("efficientnet-lite0", head=False, side=64), 0, "native").eval()
    again, pixels = with_published_head(student), torch.rand(2, 3, 64, 64)
    assert again.preprocess.size == 64
    with torch.inference_mode():
        np.testing.assert_allclose(again.module(pixels), whole.module(pixels), rtol=1e-4, atol=1e-4)
        head = whole.module.classifier(student.tower(pixels))
        np.testing.assert_allclose(head, whole.module(pixels), rtol=1e-4, atol=1e-4)
        next(student.tower.parameters()).mul_(0.5)
        assert not np.allclose(with_published_head(student).module(pixels), whole.module(pixels), rtol=1e-2)


@needs_data
def test_an_untouched_network_keeps_all_and_agrees_as_an_independent_computation_says():
    from scipy.stats import spearmanr

    profile = get_profile("slice", data=DATA)
    name = "squeezenet1_0"
    found = people_measures.answers(people._source(profile), tuple(people.held_out()))
    student = people.untouched(profile, name, 64)
    table = people.with_people(student, profile, name, "base")
    value = table.table.set_index(["dataset", "measure", "detail", "layer"])["value"]
    assert value["imagenet", "agreement", "held-out", "logits"] == 1
    assert value["imagenet", "logit correlation", "92 images", "logits"] == pytest.approx(1)
    seen = people._before(profile, name, 64)
    upper = np.triu_indices(92, 1)
    own = spearmanr(1 - np.corrcoef(seen.images)[upper], found.arranged.mean()[upper])[0]
    assert value["mur92", "spearman", "correlation", "penultimate"] == pytest.approx(own, abs=1e-5)
    assert len(found.triplets) == 92 * 91 * 90 / 6
    ids = np.array(found.photographs.ids)
    assert set(ids[np.isin(ids, found.held_out)]) == set(people.held_out())
    alone = [spearmanr(1 - np.corrcoef(seen.images)[upper], one[upper])[0] for one in found.arranged.rdm]
    assert value["mur92", "spearman with each person", "correlation", "penultimate"] == pytest.approx(
        np.mean(alone), abs=1e-5
    )


# ---- the list and what is recorded -----------------------------------------------------------------------------------


def test_the_list_follows_the_protocol():
    listed = people.plan()
    assert len({e.name for e in listed}) == len({e.key for e in listed if e.run}) + 6 == len(listed)
    main = [e for e in listed if e.run and "," not in e.stage]
    assert len(main) == 27
    order = [(e.run.settings.seed, e.stage) for e in main]
    assert order == sorted(order, key=lambda one: (one[0], list(people.LABELS).index(one[1])))
    assert {e.run.settings.teacher for e in main if e.stage == "UnAligNet"} == {"untransformed"}
    again = people.plan(seeds=(7,))
    assert [e.run.settings.seed for e in again if e.run] == [7] * 9


def test_settings_are_those_that_were_chosen():
    table = study.chosen()
    for _, part in table.groupby("question", sort=False):
        assert part.loc[part["chosen"], "mean"].item() == part["mean"].max()
    np.testing.assert_allclose(table["mean"], table[["AligNet", "UnAligNet"]].mean(axis=1), atol=1e-6)
    last = table[table["chosen"]].iloc[-1]
    preset = PRESETS["photographs"]
    assert (preset.lr, preset.decay, preset.steps) == (last["lr"], last["decay"], last["steps"])


def test_criteria_name_their_tests():
    ledger = claims.ledger(study.CLAIMS)
    assert {c["test"]["kind"] for c in ledger} <= set(claim_tests.TESTS)
    assert all(c["paper"] == 2 for c in ledger)


@pytest.fixture(scope="module")
def recorded():
    return study.runs()


def test_the_log_and_the_tables_hold_the_same_runs(recorded):
    log, rows = study.log(), study.of_measure(recorded, study.PRIMARY).table
    listed = [(e.stage, e.model, e.seed) for e in people.plan()]
    assert list(log[["stage", "model", "seed"]].itertuples(index=False, name=None)) == listed
    done = log[log["state"] == "done"]
    assert set(done[["stage", "model", "seed"]].itertuples(index=False, name=None)) == set(
        rows[["stage", "model", "seed"]].itertuples(index=False, name=None)
    )
    trained = done[done["steps"].notna()]
    for row in trained.itertuples():
        settings = json.loads(row.settings)
        assert settings["seed"] == row.seed
        assert settings["steps"] == row.steps
    assert (trained["cpu_seconds"] < 15 * 60).all()
    assert (rows["provenance"] == "recorded").all()


def test_every_claim_is_judged_and_told(recorded):
    judged_ = study.verdicts(recorded)
    assert not (judged_["verdict"] == "not measured").any()
    told = study.numbers(recorded, judged_)
    assert sum(int(told[f"ra_{key}"].value) for key in ("holds", "fails", "open")) == len(judged_)
    assert len(study.claim_table(judged_)) == len(claims.ledger(study.CLAIMS))
    row = judged_.set_index("id").loc["ra-gain"]
    part = study.points(recorded).set_index(["model", "stage"])["value"].unstack()
    assert row["effect"] == pytest.approx((part["AligNet"] - part["base"]).mean(), abs=1e-4)


def test_tables_and_figures_of_the_page(recorded):
    import matplotlib.pyplot as plt

    contrasts = study.contrasts(recorded)
    assert set(contrasts["name"]) == set(study.MEASURES.values())
    every = contrasts[(contrasts["model"] == "all") & (contrasts["name"] == study.MEASURES[study.PRIMARY])]
    judged_ = study.verdicts(recorded).set_index("id")
    for row, claim in zip(every.itertuples(), ("ra-gain", "ra-people")):  # the figure and the claims say the same
        told = judged_.loc[claim, ["effect", "low", "high"]].astype(float)
        np.testing.assert_allclose([row.value, row.low, row.high], told, atol=1e-4)
    assert len(study.contrast_table(contrasts)) == 2 * len(study.MEASURES)
    assert len(study.table(recorded)) == 15  # three students, four stages and one at its own size
    curve = study.curve(recorded)
    assert curve.loc[curve["label"] == "base", "kept"].item() == 1
    for frame in (study.teacher_table(), study.chosen_table(), study.cost_table()):
        assert len(frame)
    fig = figures.agreement(study.main_points(recorded), study.main_limits())
    assert [ax.get_title() for ax in fig.axes] == list(study.main_limits())
    figures.trade_off(curve)
    figures.differences(contrasts)
    plt.close("all")


def test_the_commands_of_the_page_are_those_of_the_help():
    page = (Path(__file__).parents[1] / "notebooks" / "real_alignet.md").read_text("utf8")
    for command in alignet.REAL.values():
        assert command in page


def test_results_of_one_run_are_kept_in_one_file_and_a_finished_run_is_not_done_again(tmp_path, monkeypatch):
    profile = get_profile("slice", cache=tmp_path)
    done, listed = [], people.plan()[:2]

    def perform(experiment, _):
        done.append(experiment.name)
        if len(done) == 2:
            raise KeyboardInterrupt
        return study.runs().select("model == 'squeezenet1_0' and stage == 'base'"), {}, {"cpu_seconds": 1.0}

    which = queue.Series(lambda: listed, people.folder, perform, lambda _: "", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        queue.work(profile, say=lambda *_, **__: None, which=which)
    row, table, _ = queue.outcome(listed[0], people.folder(profile))
    assert row["state"] == "done"
    assert len(table.table)
    assert queue.outcome(listed[1], people.folder(profile))[0]["state"] == "not run"
    queue.work(profile, say=lambda *_, **__: None, which=which)
    assert done == [listed[0].name, listed[1].name, listed[1].name]
