"""Published networks on free photographs and on 92 images: by name, against few lines of NumPy, as recorded."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humalign import claim_tests, claims, zoo
from humalign.answers import joined
from humalign.at_hand import UNKNOWN
from humalign.chapters import networks, rated_pairs, real_networks, statements
from humalign.chapters import real_networks_figures as figures
from humalign.config import get_profile
from humalign.data.types import Triplets
from humalign.errors import InputError
from humalign.results import Measured
from humalign.source import open_source

DATA = os.environ.get("HUMALIGN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")
FILES = ("test_10_ID.txt", "testset1.txt", "testset2.txt")


# ---- answers and features by name


def test_responses_of_several_files_meet_by_name():
    one = Triplets(("a", "b", "c", "d"), np.array([[0, 1, 2], [1, 2, 3]]), "s", "l")
    two = Triplets(("d", "c", "b", "a"), np.array([[3, 2, 1], [0, 1, 2]]), "s", "l")
    found = joined([one, two], ("c", "a", "b"), "both")
    assert found.ids == ("c", "a", "b")
    names = np.array(found.ids)[found.triplets]
    assert names.tolist() == [["a", "b", "c"], ["a", "b", "c"]]
    with pytest.raises(InputError):
        joined([one], ("a", "b", "x"), "strange")
    with pytest.raises(InputError, match="no triplet has all three"):
        joined([one], ("a", "d"), "too few")


@pytest.fixture
def linked(tmp_path):
    """The real folder by links, with a folder of features of its own that a test may add to."""
    root = tmp_path / "data"
    root.mkdir()
    for path in Path(DATA).iterdir():
        if path.name != "things_cc0":
            (root / path.name).symlink_to(path)
    (root / "things_cc0" / "features").mkdir(parents=True)
    for path in (Path(DATA) / "things_cc0").iterdir():
        if path.name != "features":
            (root / "things_cc0" / path.name).symlink_to(path)
    for path in (Path(DATA) / "things_cc0/features").iterdir():
        (root / "things_cc0/features" / path.name).symlink_to(path)
    return root, root / "things_cc0" / "features"


@needs_data
@pytest.mark.data
def test_a_network_that_no_table_knows_joins_and_a_strange_name_is_refused(linked, tmp_path):
    root, folder = linked
    with np.load(folder / "movenet_lightning.penultimate.npz") as file:
        ids, values = file["ids"], file["features"]
    np.savez(folder / "new_net.pooled.npz", ids=ids[::-1], features=values[::-1])
    np.savez(folder / "half_net.pooled.npz", ids=ids[:100], features=values[:100])
    profile = get_profile("slice", data=root, cache=tmp_path / "cache")
    source = open_source(profile)
    known = source.networks().set_index("model")
    assert known.loc["new_net", "group"] == UNKNOWN
    assert "new_net" in source.models("photographs")
    assert "half_net" not in source.models("photographs")  # it left pictures out
    new, old = source.features("photographs", models=["movenet_lightning", "new_net"])
    new, old = (part.align(source.ids("photographs")) for part in (new, old))
    assert new.layer == old.layer == "penultimate"
    np.testing.assert_array_equal(new.values, old.values)  # rows are met by name
    np.savez(folder / "wrong_net.pooled.npz", ids=np.array(["no such thing", *ids[1:]]), features=values)
    with pytest.raises(InputError, match="none of the pictures"):
        open_source(profile.with_(seed=1)).models("photographs")


@needs_data
@pytest.mark.data
def test_every_published_network_has_its_row():
    source = open_source("slice")
    known = source.networks().set_index("model")
    for role, count in (("photographs", 19), ("mur92", 11)):
        models = source.models(role)
        assert len(models) == count
        assert UNKNOWN not in set(known.loc[models, "group"])
        assert (known.loc[models, "training_data"] != "").all()
        assert all(zoo.facts_of(m)["note"] for m in models if zoo.facts_of(m)["source"] == "files")
    assert source.models("things") == ["clip_ViT-B/32", "vgg16_srf200", "word2vec"]


@needs_data
@pytest.mark.data
def test_a_network_without_published_features_looks_itself(tmp_path):
    from humalign import features

    source = open_source(get_profile("slice", data=DATA, cache=tmp_path))
    shown = source.pictures("mur92")
    few = shown.align(shown.ids[::45])
    made = features.extract("efficientnet-lite2", few, ("penultimate", "logits"), device="cpu", progress=False)
    source.kept.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source), "pictures", lambda source, role, side=None: few)
        found = {part.layer: part for part in source.features("mur92", models=["efficientnet-lite2"])}
    for layer, part in made.items():
        np.testing.assert_allclose(found[layer].align(few.ids).values, part.values, rtol=1e-4, atol=1e-4)
        assert found[layer].model == "efficientnet-lite2"


# ---- golden values, each against a few lines of NumPy that share nothing with the package


def orders():
    with open(Path(DATA) / "things/concepts/row_orders.csv") as file:
        return list(csv.DictReader(file))


def accuracy(similarity, ids):
    """Share of the responses within ``ids`` whose kept pair is the most similar one."""
    names, place = [row["uniqueID"] for row in orders()], {name: k for k, name in enumerate(ids)}
    hits = []
    for file in FILES:
        for response in np.loadtxt(Path(DATA) / "things/triplets" / file, dtype=int)[:, :3]:
            rows = [place.get(names[r]) for r in response]
            if None not in rows:
                a, b, odd = rows
                hits.append(similarity[a, b] > max(similarity[a, odd], similarity[b, odd]))
    return len(hits), float(np.mean(hits))


def unit(values):
    values = values.astype(float)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def lying(folder, name):
    with np.load(Path(DATA) / folder / "features" / name) as file:
        return file["ids"].tolist(), file["features"].astype(float)


@pytest.fixture(scope="module")
def tables():
    return real_networks.TABLES.tables(get_profile("slice", data=DATA))


def cell(tables, model, layer="penultimate", **where):
    rows = tables["results"]
    where |= {"model": model, "layer": layer, "stage": "zero-shot"}
    (value,) = rows[np.all([rows[key] == wanted for key, wanted in where.items()], axis=0)]["value"]
    return value


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(("model", "file"), [
    ("efficientnet-lite0", "efficientnet_lite0.logits"), ("mobilenet_v1_0.25", "mobilenet_v1_0.25.logits"),
    ("mobilenet_v2_1.0", "mobilenet_v2_1.0.penultimate"), ("squeezenet1_0", "squeezenet1_0.penultimate"),
    ("object_labeler", "object_labeler.logits"), ("movenet_lightning", "movenet_lightning.penultimate"),
    ("deeplab_v3_mobilenet_v2", "deeplab_v3_mobilenet_v2.penultimate"),
    ("siglip2_giant_text_directions", "siglip2_giant_text_directions.profile"),
])  # fmt: skip
def test_choices_against_numpy(tables, model, file):
    ids, values = lying("things_cc0", f"{file}.npz")
    n, value = accuracy(unit(values) @ unit(values).T, ids)
    layer = "logits" if file.endswith("logits") else "penultimate"
    assert n == 605
    found = cell(tables, model, layer, dataset="photographs", measure="accuracy", detail="cosine")
    assert found == pytest.approx(value, abs=1e-6)


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(("model", "file", "order", "kernel"), [
    ("clip_ViT-B/32", "features/clip_vit_b32.npy", "upper_index", "cosine"),
    ("word2vec", "features/word2vec.npy", None, "cosine"),
    ("vice_42", "embeddings/vice_42d.npy", "raw_index", "dot"),
])  # fmt: skip
def test_files_with_all_concepts_are_restricted_by_name(tables, model, file, order, kernel):
    values, ids = np.load(Path(DATA) / "things" / file), lying("things_cc0", "squeezenet1_0.logits.npz")[0]
    row = {r["uniqueID"]: int(r[order]) if order else k for k, r in enumerate(orders())}
    values = values[[row[name] for name in ids]]
    values = unit(values) if kernel == "cosine" else values.astype(float)
    found = cell(tables, model, dataset="photographs", measure="accuracy", detail=kernel)
    assert found == pytest.approx(accuracy(values @ values.T, ids)[1], abs=1e-6)


@needs_data
@pytest.mark.data
def test_arrangements_against_scipy(tables):
    from scipy.io import loadmat
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    people = loadmat(Path(DATA) / "mur92/92_behavRDMs.mat", simplify_cells=True)["rdms_behav_92"]
    upper = np.triu_indices(92, 1)
    people = np.array([one["RDM"][upper] for one in people])
    ids, values = lying("mur92", "object_labeler.logits.npz")
    own = pdist(values[np.argsort([int(name) for name in ids])], "correlation")
    want = {"spearman": spearmanr(own, people.mean(0))[0],
            "spearman with each person": np.mean([spearmanr(own, one)[0] for one in people])}  # fmt: skip
    for measure, value in want.items():
        assert cell(tables, "object_labeler", "logits", dataset="mur92", measure=measure) == pytest.approx(
            value, abs=1e-6
        )
    limits = real_networks.people_limits(tables)
    assert limits["spearman"][0] == pytest.approx(0.88, abs=0.01)  # of the data's description
    assert limits["spearman with each person"] == pytest.approx((0.478, 0.575), abs=1e-3)


@needs_data
@pytest.mark.data
def test_embeddings_against_scipy(tables):
    from scipy.stats import spearmanr

    ids, values = lying("things_cc0", "efficientnet_lite1.penultimate.npz")
    spose = np.loadtxt(Path(DATA) / "things/embeddings/spose_embedding_49d_sorted.txt")
    row = {r["uniqueID"]: k for k, r in enumerate(orders())}
    spose, upper = spose[[row[name] for name in ids]], np.triu_indices(len(ids), 1)
    value = spearmanr((unit(values) @ unit(values).T)[upper], (spose @ spose.T)[upper])[0]
    found = cell(tables, "efficientnet-lite1", dataset="spose_49", measure="spearman")
    assert found == pytest.approx(value, abs=1e-5)


@needs_data
@pytest.mark.data
def test_what_is_recorded_is_what_is_computed(tables):
    from humalign import record

    recorded = record.read("slice_networks", "results")
    both = recorded.merge(tables["results"], on=["dataset", "model", "layer", "stage", "measure", "detail"])
    assert len(both) == len(recorded) == len(tables["results"])
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=2e-5)


# ---- measures


def test_resampled_networks_widen_an_interval_and_leave_its_value():
    rng = np.random.default_rng(0)
    rows = [{"model": f"m{k}", "layer": layer, "value": v, "dataset": "d", "measure": "accuracy", "profile": "p"}
            for k in range(6) for layer, v in (("penultimate", 0.4), ("logits", 0.4 + 0.05 * k))]  # fmt: skip
    draws = np.array([row["value"] for row in rows])[:, None] + rng.normal(scale=1e-3, size=(1, 200))
    measured = Measured.of(rows, draws)
    models = pd.DataFrame({"model": [f"m{k}" for k in range(6)], "group": "g"})
    test = {"kind": "paired_difference", "plus": {"layer": "logits"}, "minus": {"layer": "penultimate"}}
    fixed, moving = (claims.effect(measured, models, {"test": {**test, "networks": on}}) for on in (False, True))
    assert fixed["effect"] == moving["effect"] == pytest.approx(0.125)
    assert fixed["high"] - fixed["low"] < 1e-4  # both layers move together
    assert 0.05 < moving["high"] - moving["low"] < 0.2


def test_the_criteria_name_their_tests():
    ledger = claims.ledger(statements.LEDGER, "rp-")
    assert len(ledger) == 9
    assert {c["test"]["kind"] for c in ledger} <= set(claim_tests.TESTS)
    assert sum(c["status"] == "direction seen before" for c in ledger) == 2


# ---- page


@pytest.fixture
def recorded():
    return real_networks.TABLES.tables(get_profile("mini").with_(data=None))


def test_without_data_the_page_shows_what_was_recorded(recorded):
    assert recorded.provenance == "recorded"
    models = real_networks.TABLES.source(get_profile("mini").with_(data=None)).networks()
    said = real_networks.numbers(recorded, models)
    assert said["rn_responses"].text() == "605"
    assert said["rn_choices_best"].provenance == "recorded"
    assert len(real_networks.claim_table(recorded)) == 9
    table = real_networks.table(recorded, models)
    assert (table["remark"] == "in-sample").sum() == 2
    assert len(real_networks.notes(recorded, models)) == len(table) == 19
    sums = real_networks.beside(recorded, models)
    assert set(sums["here"]) <= set(models["name"])


def test_other_published_numbers_stand_on_the_page_that_can_use_them():
    """Each says what it is, and each page named in the file shows its table."""
    found = zoo.published_others("")
    assert (found[["work", "quantity", "network", "responses", "what", "source", "caveat"]] != "").all(axis=None)
    assert set(found["model"]) - {""} <= set(zoo.table()["model"])
    assert found["value"].between(-1, 1).all()  # shares and correlations, no per cent
    for page in found["page"].unique():
        text = (Path(__file__).resolve().parents[1] / f"notebooks/{page}.md").read_text("utf8")
        assert f'networks.published("{page}")' in text
        table = networks.published(page)
        numbers = table.select_dtypes("number")
        assert numbers.notna().to_numpy().sum() == (found["page"] == page).sum()  # none is lost
    assert (zoo.published_numbers()["what"] != "").all()


@needs_data
def test_every_number_that_was_gathered_is_in_the_package():
    gathered = pd.read_csv(Path(DATA) / "published/paper_numbers.csv", dtype=str).fillna("")
    shown = pd.concat([zoo.published_numbers()["value"], zoo.published_others("")["value"]])
    known = np.array([*shown, *rated_pairs.RATED.values()])
    lost = []
    for row in gathered.itertuples():
        for one in row.value.split("/"):
            value = float(one) / (100 if row.unit in ("%", "points") else 1)
            if np.abs(known - value).min() > 6e-5:
                lost.append((row.paper, row.quantity, row.network, row.value))
    assert lost == []


def test_published_numbers_carry_source_and_caveat():
    shown = real_networks.published()
    assert (shown[["source", "caveat"]] != "").all(axis=None)
    assert shown["value"].between(1 / 3, 0.7).all()
    near = shown[shown["here"] != ""]
    assert (near["why"] != "").all()
    assert set(shown["model"]) - {""} <= set(zoo.table()["model"])


def test_figures_of_a_made_up_table():
    import matplotlib.pyplot as plt

    rng, n = np.random.default_rng(0), 6
    value = rng.uniform(0.3, 0.6, n)
    points = pd.DataFrame({
        "model": [f"m{k}" for k in range(n)], "name": [f"Net {k}" for k in range(n)], "number": range(1, n + 1),
        "group": ["Image/Text", "People", *["Supervised (ImageNet-1K)"] * 2, *["Supervised (other data)"] * 2],
        "family": ["a", "a", "b", "b", "c", "c"], "role": "size", "parameters": 1e6 * np.arange(1, n + 1),
        "reference_accuracy": [0.7, np.nan, 0.5, 0.6, np.nan, np.nan], "value": value, "low": value - 0.05,
        "high": value + 0.05, "each": "", "runs": 1, "layer": "penultimate",
    })  # fmt: skip
    published = pd.DataFrame({"here": ["m0", "", "m3"], "value": [0.5, 0.4, 0.45], "layer": "logits",
                              "reference_accuracy": [0.7, 0.8, np.nan]})  # fmt: skip
    lines = pd.DataFrame({"model": ["pixels"], "detail": [""], "value": [0.35]})
    fig = figures.ladder(points, lines, lines.assign(model="people", detail="majority", value=0.68), published)
    assert len(fig.legends) == 1
    assert [one.get_text() for one in fig.legends[0].get_texts()][-1].startswith("published")
    hollow = [c for c in fig.axes[0].collections if c.get_label().startswith("published")]
    np.testing.assert_allclose(hollow[0].get_offsets()[:, 0], [0.5, 0.45])
    layers = {"penultimate": points, "logits": points.assign(value=value[::-1])[:4]}
    fig = figures.overview(points, layers, points, published)
    assert [ax.get_title()[0] for ax in fig.axes] == list("abcd")
    both = pd.concat([points, points[2:].assign(layer="logits")])
    fig = figures.columns({"mean": both, "single": both}, {"mean": (0.8, 0.8), "single": (0.4, 0.5)})
    words = [text.get_text() for ax in fig.axes for text in ax.texts]
    assert words == ["people 0.80", "people 0.40 to 0.50"]
    plt.close("all")
