"""AligNet in the drawn world: triplets of the concept split, measures, the list of experiments, the queue."""

import os

import numpy as np
import pytest
import torch

from humalign import resample, results
from humalign.alignet.optim import rate_sum
from humalign.chapters import hierarchy, released, student
from humalign.config import get_profile
from humalign.errors import InputError, MissingData
from humalign.experiments import diagnose, measures, queue, students
from humalign.experiments import plan as listed
from humalign.levels import LEVELS
from humalign.results import Measured
from humalign.world import observers
from humalign.world.drawing import world
from humalign.world.splits import PER_LEVEL, concepts_of, level_triplets, shift_ids
from humalign.world.stimuli import concept_of, split_ids


@pytest.fixture(scope="module")
def h2():
    return level_triplets("H2")


def test_level_triplets_are_about_the_part(h2):
    owner = np.array(h2.concepts)[h2.triplets]
    kind = np.vectorize(world().superordinate.get)(owner)
    own = np.isin(owner, concepts_of("H2"))
    assert not np.isin(owner, concepts_of("H1")).any()
    differ = np.array([len(set(row)) for row in owner])
    kinds = np.array([len(set(row)) for row in kind])
    at = {level: h2.level == level for level in LEVELS}
    assert own[at["coarse"]].all()
    assert (kinds[at["coarse"]] == 3).all()
    assert own[at["fine"]].any(1).all()
    assert (kinds[at["fine"]] == 1).all()
    assert (differ[at["fine"]] == 3).all()
    assert (differ[at["boundary"]] == 2).all()
    twin = np.array([max(set(row), key=list(row).count) for row in owner[at["boundary"]]])
    assert np.isin(twin, concepts_of("H2")).all()
    assert 0.4 < (kinds[at["boundary"]] == 1).mean() < 0.65
    assert all(n == PER_LEVEL for n in (at[level].sum() for level in LEVELS))
    assert abs(np.bincount(h2.triplets[:, 2] == h2.triplets.max(1))[1] / len(h2) - 1 / 3) < 0.05


def test_what_people_see_scores_high_and_noise_scores_chance(h2):
    from humalign import odd_one_out
    from humalign.similarity import similarity_matrix

    coarse = h2.select(h2.level == "coarse")
    seen = odd_one_out.accuracy(similarity_matrix(observers.values(h2.ids), "cosine"), coarse.triplets)
    noise = np.random.default_rng(0).normal(size=(len(h2.ids), 20))
    assert seen > 0.6
    assert abs(odd_one_out.accuracy(similarity_matrix(noise, "cosine"), coarse.triplets) - 1 / 3) < 0.03


def test_one_shot_and_shift_on_known_features():
    ids = split_ids("test")
    concepts = [concept_of(i) for i in ids]
    names = sorted(set(concepts))
    onehot = np.eye(len(names))[[names.index(c) for c in concepts]]
    assert measures.one_shot(onehot, ids, "H2").mean() == 1
    rng = np.random.default_rng(0)
    assert measures.one_shot(rng.normal(size=(len(ids), 30)), ids, "H2").mean() < 0.1
    kinds = sorted(set(world().superordinate.values()))
    code = np.eye(len(kinds))
    owners = [concept_of(i) for i in shift_ids()]
    train = code[[kinds.index(world().superordinate[c]) for c in owners]]
    test = code[[kinds.index(world().superordinate[c]) for c in concepts]]
    assert measures.shift(train, owners, test, concepts, "H2").mean() == 1
    assert len(measures.shift(train, owners, test, concepts, "H2")) == len(concepts_of("H2"))


def table(stage, model="m", seed=0, shift=0.0):
    rows = [
        dict(dataset="levels", measure="accuracy", detail=d, value=0.4 + shift, n=9) for d in ("H2/coarse", "H2/fine")
    ]
    draws = np.random.default_rng(3).normal(0.4, 0.02, (2, 200)) + shift
    return Measured.of(rows, draws, profile="mini", model=model, seed=seed, layer="penultimate", stage=stage)


def test_gains_and_contrasts_are_paired():
    base, aligned = table("base"), table("AligNet", shift=0.1)
    gain = released.gains(aligned, base)
    assert set(gain.table["measure"]) == {"gain"}
    assert np.allclose(gain.table["value"], 0.1)
    assert np.allclose(gain.draws, 0.1, atol=1e-6)
    both = results.combine(base, aligned, table("base", seed=1), table("AligNet", seed=1, shift=0.2))
    own = student.of_measure(both, "H2/coarse")
    found = resample.difference(own, {"stage": "AligNet"}, {"stage": "base"}).set_index("model")
    assert found.loc["m", "value"] == pytest.approx(0.15)
    assert found.loc["all", "seeds"] == 2
    assert found.loc["m", "low"] == pytest.approx(0.1, abs=1e-6)  # both seeds may be drawn twice
    assert resample.difference(own, {"stage": "AligNet"}, {"stage": "Scratch"}).empty
    with pytest.raises(InputError, match="several rows"):
        resample.difference(both, {"stage": "AligNet"}, {"stage": "base"})


def test_distances_shrink_within_and_grow_between():
    shown = student.pictures("things")
    concepts, kinds = shown["concept"], shown["superordinate"]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(concepts), 30))
    group = rng.normal(size=(len(set(kinds)), 30))[np.unique(kinds, return_inverse=True)[1]]
    own = rng.normal(size=(len(set(concepts)), 30))[np.unique(concepts, return_inverse=True)[1]]
    found = hierarchy.of_features(noise, noise + group + own, shown, profile="mini", model="m", stage="AligNet")
    change = found.table.set_index("detail")["value"]
    assert change["same concept"] < change["same superordinate"] < 0 < change["different superordinate"]
    assert (found.table["low"] <= found.table["value"]).all()


def test_the_list_holds_what_the_protocol_names():
    plan = listed.plan()
    assert len({e.name for e in plan}) == len(plan)
    primary = [e for e in plan if e.stage in ("AligNet", "UnAligNet")]
    assert len(primary) == 4 * 3 * 2
    assert {e.run.settings.teacher for e in primary if e.stage == "AligNet"} == {"human-aligned"}
    assert {e.run.settings.teacher for e in primary if e.stage == "UnAligNet"} == {"untransformed"}
    for e in primary:
        s = e.run.settings
        assert (s.decay, s.towards, s.local, s.loss, s.steps, s.head, s.seed) == (
            0.5,
            "start",
            0.1,
            "kl",
            500,
            0,
            e.seed,
        )
        assert (e.run.teacher, e.run.judged, e.run.pictures, e.run.rule, e.run.seed) == (
            "teacher-web", "seen", "all", "mixed", e.seed,
        )  # fmt: skip
    text = os.path.join(os.path.dirname(listed.__file__), "PROTOCOL.md")
    with open(text, encoding="utf8") as file:
        protocol = file.read().lower().replace("\n", " ")
    changes = {e.stage.partition(", ")[2] for e in plan if ", " in e.stage}
    known = {"plain": "plain teacher", "glocal": "glocal teacher", "from scratch": "scratch"}
    for change in changes:
        assert known.get(change.lower(), change.lower()) in protocol, change


def test_every_student_is_in_the_zoo_and_saw_no_held_out_labels():
    from humalign.zoo.small import TEACHERS, spec

    seen = {"concepts", "pictures", "captions-seen", "taxonomy", "coarse"}
    assert all(spec(s)["data"] in seen for s in listed.STUDENTS)
    for e in listed.plan():
        assert e.model in listed.STUDENTS or e.model in TEACHERS
        assert e.run is None or e.run.teacher in TEACHERS
    assert TEACHERS[listed.SEEN_TEACHER]["data"] == "taxonomy"
    assert all(spec(n["start"])["data"] in seen for n in TEACHERS.values())


def test_a_teacher_network_as_student_leaves_the_teacher_as_it_is():
    """A tower is trained in place; features of the teacher asked for later must not come from it."""
    from humalign.zoo import load

    tower = load(f"mini:{listed.MAIN}", head=False)
    before = {k: v.clone() for k, v in tower.module.state_dict().items()}
    for value in tower.module.parameters():
        value.data.zero_()
    again = load(f"mini:{listed.MAIN}", head=False).module.state_dict()
    assert all((again[k] == v).all() for k, v in before.items())


def test_diagnosis_decays_as_strongly_as_the_paper():
    s = diagnose.SHORT
    assert diagnose.strength(s) * rate_sum(s.lr, s.warmup, s.steps) == pytest.approx(1.5)
    assert len({m.name for m in diagnose.mistakes()}) == len(diagnose.mistakes())
    assert {m.settings.get("towards") for m in diagnose.mistakes()} == {None, "zero"}


def test_a_student_starts_from_random_weights_or_its_training_run(tmp_path):
    profile = get_profile("mini", cache=tmp_path)
    first, same, other = (
        students.start(students.StudentRun("softmax-resnet-s", seed=seed, scratch=True), profile) for seed in (0, 0, 1)
    )
    for p, q, r in zip(*([v for v in one.state_dict().values() if v.ndim > 1] for one in (first, same, other))):
        assert torch.equal(p, q)
        assert not torch.equal(p, r) or not p.any()
    with pytest.raises(MissingData):  # not trained in this cache: the queue waits for it
        students.start(students.StudentRun("softmax-vit-m", seed=1), profile)


def test_claims_are_exclusive_and_outlive_a_dead_owner(tmp_path):
    path = tmp_path / "x.lock"
    with queue.claim(path) as mine:
        assert mine
        path.write_text("1")  # process 1 is alive
        with queue.claim(path) as other:
            assert not other
    path.write_text("99999999")  # no such process
    with queue.claim(path) as mine:
        assert mine
    assert not path.exists()


def test_queue_skips_waits_and_collects(tmp_path, monkeypatch):
    profile = get_profile("mini", cache=tmp_path)
    done = [e for e in listed.plan() if e.model == "softmax-vit-m" and e.seed == 0 and e.stage in ("base", "AligNet")]
    rng = np.random.default_rng(0)
    sizes = {"things": len(split_ids("things")), "test": len(student.pictures())}
    for k, e in enumerate(done):
        kept = {s: rng.normal(size=(m, 4)).astype(np.float16) for s, m in sizes.items()}
        queue.store_results(
            e, queue.folder(profile), table(e.stage, e.model, shift=0.1 * k), kept, {"cpu_seconds": 1.0}
        )
        assert queue.done(e, queue.folder(profile))
    monkeypatch.setattr(queue, "recorded_folder", lambda: tmp_path / "recorded")

    def missing(*args, **more):
        raise queue.MissingData("no weights")

    monkeypatch.setattr(queue, "perform", missing)
    monkeypatch.setattr(queue, "start", missing)
    said = []
    assert queue.work(profile, "softmax-vit-m.s0", say=lambda text, **k: said.append(text)) == 0
    assert said
    assert all("waits" in line for line in said)
    frame = queue.collect(profile, tmp_path / "recorded")
    assert (frame["state"] == "done").sum() == 2
    assert (frame["state"] == "not run").sum() == len(frame) - 2  # all that did not run is listed
    stored = Measured.load(tmp_path / "recorded" / student.RUNS)
    gain = stored.table[stored.table["measure"] == "gain"]
    assert gain["value"].tolist() == pytest.approx([0.1, 0.1])
    assert (stored.table["dataset"] == "hierarchy").sum() == 3
    few = stored.table[
        stored.table["dataset"] == "few-shot"
    ]  # features of noise: chance, three numbers of examples each
    assert sorted(few["detail"]) == sorted(2 * [str(n) for n in student.SHOTS])
    assert few["value"].mean() == pytest.approx(1 / few["n"].iloc[0], abs=0.05)
    noise = stored.table[stored.table["dataset"] == "anomaly"]
    assert noise["value"].between(0.4, 0.6).all()
    kinds = student.pictures()["superordinate"].nunique()
    assert (noise["n"] == kinds).all()  # every superordinate is the normal class once
    assert students.StudentRun("a").key != students.StudentRun("b").key
