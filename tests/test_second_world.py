"""The second drawn world: its edition, kinds of concepts, rewired taxonomies, its frozen protocol and its ledger."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humalign import claim_tests, claims, edition, record
from humalign.chapters import second_world
from humalign.errors import InputError
from humalign.results import Measured
from humalign.world import kinds, labels, rules
from humalign.world.drawing import world

SECOND = """
import json
from humalign.edition import NOW
from humalign.world import kinds, labels, observers, protocol, splits
from humalign.world.drawing import world
from humalign.zoo import facts, small

names, part = observers.dimension_names(), splits.concept_split()
values = dict(zip(world().concepts, observers.authored_values().tolist()))
rows = {n: [v for v in (values[n], values[kinds.basic(n)])] for n in ("dalmatian", "taxi")}
table = facts.table("mini")
print(json.dumps({
    "number": NOW.number, "side": small.SIDE, "concepts": len(world().concepts), "kinds": kinds.table(),
    "together": all(part[k] == part[b] for k, (b, _) in kinds.table().items()), "rows": rows, "names": names[:51],
    "hypernyms": {c: labels.hypernyms(c) for c in ("dalmatian", "dog", "horse")}, "drift": protocol.drift(),
    "document": protocol.document(protocol.DOCUMENT.read_text("utf8"), protocol.store.read_json(protocol.FROZEN))
                == protocol.DOCUMENT.read_text("utf8"),
    "roles": table.set_index("model")["role"].to_dict(), "parts": sorted(set(part.values())),
}))
"""


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """What a process finds that was told to use the second world."""
    env = {**os.environ, edition.VARIABLE: "2", "HUMALIGN_CACHE": str(tmp_path_factory.mktemp("second"))}
    out = subprocess.run([sys.executable, "-c", SECOND], env=env, capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


def test_the_second_world_is_chosen_by_the_environment_and_frozen(second):
    assert (second["number"], second["side"], second["concepts"]) == (2, 64, 320)
    assert second["drift"] == []
    assert second["document"]
    assert edition.NOW.number == 1
    assert len(world().concepts) == 198


def test_an_unknown_world_is_refused_in_one_line():
    env = {**os.environ, edition.VARIABLE: "3"}
    out = subprocess.run([sys.executable, "-m", "humalign", "world", "verify"], env=env, capture_output=True, text=True)
    assert out.returncode == 2
    assert out.stderr.count("\n") == 1
    assert "HUMALIGN_WORLD" in out.stderr
    assert "Traceback" not in out.stderr


def test_kinds_inherit_and_go_with_their_basic_concept(second):
    assert second["together"]
    assert second["parts"] == ["H1", "H2", "seen"]
    for kind, (own, basic) in second["rows"].items():
        changed = second["kinds"][kind][1]
        for name, a, b in zip(second["names"], own, basic):
            assert a == changed.get(name, b)
    assert second["hypernyms"]["dalmatian"] == second["hypernyms"]["dog"]
    assert second["hypernyms"]["dog"][0] == "dog"


def test_networks_with_other_data_take_no_part_in_comparisons_of_architecture(second):
    roles = second["roles"]
    assert {m for m, role in roles.items() if "architecture" in role} == {f"softmax-{a}-m" for a in
                                                                         ("resnet", "vgg", "densenet")}  # fmt: skip
    assert not any("architecture" in roles[m] or "objective" in roles[m] for m in roles if m.startswith("softmax-10"))


@pytest.mark.parametrize("line", ["poodle: pet*1", "poodle < dog", "poodle < dog: pet*x", "a < dog:\na < cat:"])
def test_unreadable_kinds_name_their_line(line):
    with pytest.raises(InputError, match=r"here:\d"):
        kinds.parse(line, "here")


# ---- rewired taxonomies ----------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1))
def test_rewiring_keeps_classes_and_their_sizes(share):
    concepts = list(world().concepts)[::2]
    other = labels.rewiring(concepts, share)
    assert sorted(other.values()) == sorted(concepts)
    kept = sum(a == b for a, b in other.items())
    assert kept == round(share * len(concepts)) or kept == len(concepts) == round(share * len(concepts)) + 1
    values, names = labels.rewired(concepts, share)
    true, same = labels.matrix(concepts)
    assert names == same
    np.testing.assert_array_equal(values.sum(0), true.sum(0))
    own = [name in labels.hierarchy() for name in names]
    np.testing.assert_array_equal(values[:, own], true[:, own])


def test_what_a_small_share_leaves_a_larger_one_leaves():
    concepts = list(world().concepts)
    quarter, half = (labels.rewiring(concepts, share) for share in (0.25, 0.5))
    assert {c for c in concepts if quarter[c] == c} < {c for c in concepts if half[c] == c}
    np.testing.assert_array_equal(labels.rewired(concepts, 1.0)[0], labels.matrix(concepts)[0])


def test_mantel_is_one_for_equal_structure_and_nothing_for_shuffled():
    groups = np.repeat(np.eye(6), 8, axis=0)
    found, null = rules.mantel(groups, groups, 50)
    assert found == pytest.approx(1)
    assert max(np.abs(null)) < 0.2
    assert abs(rules.mantel(groups, groups[np.random.default_rng(0).permutation(48)])[0]) < 0.2


# ---- the ledger ------------------------------------------------------------------------------------------------------


def _measured(values):
    columns = {"dataset": "things", "measure": "accuracy", "stage": "zero-shot", "detail": "cosine", "seed": 0}
    more = {"layer": "penultimate", "profile": "mini", "n": 1, "provenance": "live", "source": "test"}
    table = pd.DataFrame([{**columns, **more, "model": m, "value": v} for m, v in values.items()])
    draws = table["value"].to_numpy()[:, None] + np.zeros((len(table), 4))
    return Measured(table.assign(low=table["value"], high=table["value"]), draws)


def test_slope_and_line_are_those_of_least_squares():
    x = {"a": 0.0, "b": 0.5, "c": 1.0, "d": np.nan}
    models = pd.DataFrame({"model": list(x), "overlap": list(x.values())})
    measured = _measured({"a": 0.30, "b": 0.40, "c": 0.44, "d": 0.25})
    slope, intercept = np.polyfit([0, 0.5, 1], [0.30, 0.40, 0.44], 1)
    test = {"kind": "slope", "x": "overlap", "layer": "penultimate", "of": "model != 'd'"}
    assert claim_tests.slope(measured, models, test)[0][0] == pytest.approx(slope)
    test |= {"kind": "line_at", "at": 0.7, "b": "model == 'd'"}
    assert claim_tests.line_at(measured, models, test)[0][0] == pytest.approx(intercept + 0.7 * slope - 0.25)
    assert claim_tests.slope(measured, models, {**test, "of": "model in ['a', 'b']"}) is None


def test_every_claim_of_the_second_world_selects_networks_that_are_listed(second):
    ids = [claim["id"] for claim in claims.ledger(second_world.LEDGER)]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("w2-") for name in ids)
    at = next(c["test"]["at"] for c in claims.ledger(second_world.LEDGER) if c["id"] == "w2-real")
    assert at == pytest.approx(second_world.real_overlap(), abs=5e-4)


def _recorded():
    return all((edition.EDITIONS["2"].within(record.RECORDED) / name).is_file() for name in second_world.FILES.values())


@pytest.mark.skipif(not _recorded(), reason="no run of the second world is recorded")
def test_recorded_verdicts_come_from_recorded_draws():
    runs, aligned, models = second_world.networks(), second_world.students(), second_world.facts()
    verdicts = second_world.judged()
    told = verdicts[verdicts["verdict"] != "not measured"]
    assert len(told) > 20
    assert ((told["low"] <= told["effect"]) & (told["effect"] <= told["high"])).all()
    for part in (runs, aligned):
        known = part.table["low"].notna()
        assert (part.table["low"] <= part.table["value"])[known].all()
    # the claim on rewired labels once more, from the rows, without the ledger
    rows = runs.table[(runs.table["dataset"] == "things") & (runs.table["stage"] == "zero-shot") &
                      (runs.table["detail"] == "cosine") & (runs.table["layer"] == "penultimate")]  # fmt: skip
    mean = rows.groupby("model")["value"].mean()
    data = models.set_index("model")
    zero = data.index[data["training_data"] == "taxonomy-0"].intersection(mean.index)
    names = data.index[(data["objective"] == "Sigmoid") & (data["training_data"] == "concepts")].intersection(
        mean.index
    )
    own = verdicts.set_index("id")["effect"]["w2-zero"]
    assert own == pytest.approx(mean[zero].mean() - mean[names].mean(), abs=1e-6)
