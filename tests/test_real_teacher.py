"""The recorded teacher on real people, and how its table is shown; the fits themselves where the data are at hand."""

import numpy as np
import pytest

from humalign import record
from humalign.chapters import real_teacher as study
from humalign.config import get_profile
from humalign.data import registry
from humalign.data.types import Triplets
from humalign.errors import MissingData
from humalign.probing import object_folds, partition_masks
from humalign.source import open_source


def test_the_record_holds_every_map_test_and_measure():
    found, when = study.real(open_source(get_profile("mini").with_(data=None)))
    assert when == record.facts("alignet")["date"]
    said = set(record.facts("alignet")["inputs"])  # by name, or by the paths of their files
    for name in (*study.NETWORKS, *study.EMBEDDINGS.values(), *study.RESPONSES):
        assert said & {name, *(file.path for file in registry.entry(name).files.values())}
    large = found[found["model"] == "things/clip_vit_b32"]
    for detail in (study.HELD_OUT, study.REPEATED):
        assert set(large.loc[large["detail"] == detail, "stage"]) >= set(study.STAGES)
    assert (found["provenance"] == "recorded").all()
    drawn = found["low"].notna()
    assert ((found["low"] <= found["value"]) & (found["value"] <= found["high"]))[drawn].all()
    means = found["measure"].isin(["accuracy", "cross-entropy"]) & (found["stage"] != "people")
    assert drawn[means].all()
    wide = study.real_table(found)
    assert len(wide) == found.groupby(["model", "detail", "stage"]).ngroups
    assert study.numbers(found, when)["te_vice_accuracy"].provenance == "recorded"


def test_disagreement_is_spearman_over_repeated_questions():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 4)) * 1.2
    similarity, rows = x @ x.T, []
    for _ in range(40):
        a, b, c = rng.permutation(9)[:3]
        p = np.exp([similarity[a, b], similarity[a, c], similarity[b, c]])
        for k in rng.choice(3, size=60, p=p / p.sum()):
            rows.append([(a, b, c), (a, c, b), (b, c, a)][k])
    triplets = Triplets(tuple("abcdefghi"), np.array(rows), "made up", "none", name="made up")
    value, draws, n = study.disagreement(similarity, triplets)
    assert n <= 40
    assert value > 0.7  # people's answers follow the similarities
    assert np.percentile(draws, 2.5) < value < np.percentile(draws, 97.5)


def test_tests_hold_no_object_and_no_question_of_training():
    source = open_source("slice")
    try:
        choices, _ = study._judged(source, "things/clip_vit_b32")
    except MissingData:
        pytest.skip("needs the public sample of real data")
    for member in object_folds(len(choices.ids), study.FOLDS, study.SEED):
        inside, outside = partition_masks(choices.triplets, member)
        assert not np.isin(choices.triplets[inside], choices.triplets[outside]).any()
    again = study._repeated(source, choices.ids)
    kept = ~np.isin(study.questions(choices.triplets), study.questions(again.triplets))
    own = {tuple(sorted(t)) for t in choices.triplets[kept].tolist()}
    assert own
    assert not own & {tuple(sorted(t)) for t in again.triplets.tolist()}
