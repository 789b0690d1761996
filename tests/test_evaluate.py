"""The report card: numbers equal direct computations, files and networks, friendly failures, page and JSON."""

import json
import os

import numpy as np
import pytest

from humalign import cli, odd_one_out, report, results, rsa
from humalign.chapters import calibration, probing, zero_shot
from humalign.chapters import rsa as rsa_chapter
from humalign.config import get_profile
from humalign.data import plain
from humalign.data.types import Features, HumanRDM, Stimuli, Triplets
from humalign.errors import HumalignError, InputError
from humalign.similarity import similarity_matrix
from humalign.source import Source, open_source, open_sources

DATA = os.environ.get("HUMALIGN_DATA")
IDS = tuple(f"thing{i:02d}" for i in range(40))


def world(seed=0):
    """Two small data sets with a planted embedding: triplets answered thrice, and five people's dissimilarities."""
    rng = np.random.default_rng(seed)
    truth = np.abs(rng.normal(size=(40, 6)))
    distinct = np.stack([rng.permutation(40)[:3] for _ in range(2500)])
    triplets = np.repeat(distinct, 3, 0)
    s = similarity_matrix(truth, "dot").astype(float)
    p = np.exp(1.2 * np.stack([s[triplets[:, a], triplets[:, b]] for a, b in ((1, 2), (0, 2), (0, 1))], 1))
    odd = (rng.random((len(triplets), 1)) > (p / p.sum(1, keepdims=True)).cumsum(1)).sum(1).clip(0, 2)
    rest = np.array([[1, 2], [0, 2], [0, 1]])[odd]
    rows = np.concatenate([np.take_along_axis(triplets, rest, 1), np.take_along_axis(triplets, odd[:, None], 1)], 1)
    people = []
    for _ in range(5):
        noise = rng.normal(0, 0.4, (40, 40))
        rdm = np.asarray(rsa.rdm(truth)) + noise + noise.T
        np.fill_diagonal(rdm, 0)
        people.append(rdm - np.minimum(rdm.min(), 0) * (1 - np.eye(40)))
    return truth, Triplets(IDS, rows, "here", "MIT", name="choices"), HumanRDM(IDS, np.stack(people), "here", "MIT")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with one study, ``choices``: pictures, the answers, the dissimilarities."""
    root, (_, triplets, rdm) = tmp_path_factory.mktemp("data"), world()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    plain.write_pictures(root / "choices", Stimuli(IDS, "here", "MIT", images=pixels))
    plain.write_answers(root / "choices/answers.csv", triplets)
    plain.write_arrangement(root / "choices/arrangement.npz", rdm)
    return root


@pytest.fixture
def small(folder, tmp_path, monkeypatch):
    """The truth that made the study, its answers, its dissimilarities, and its source."""
    monkeypatch.setenv("HUMALIGN_CACHE", str(tmp_path / "cache"))
    return *world(), open_source(folder)


def test_numbers_equal_direct_computations(small):
    truth, triplets, rdm, source = small
    order = np.random.default_rng(3).permutation(40)
    features = Features([IDS[k] for k in order], truth[order] + 0.3, "planted")
    card = report.card(source, features)
    short = report.summary(card).set_index(["dataset", "stage", "measure", "detail"])
    for kernel in ("cosine", "dot"):
        row = short.loc["choices", "zero-shot", "accuracy", kernel]
        direct = odd_one_out.accuracy(similarity_matrix(truth + 0.3, kernel), triplets.triplets)
        assert row["value"] == pytest.approx(direct, abs=1e-9)
        assert row["low"] < direct < row["high"]
        ceiling = odd_one_out.noise_ceiling(triplets.triplets, "leave-one-out")
        assert row["ceiling"] == pytest.approx(ceiling)
        assert row["distance"] == pytest.approx(ceiling - direct)
        assert row["share"] == pytest.approx((direct - 1 / 3) / (ceiling - 1 / 3))
    rho = short.loc["choices/arrangement", "zero-shot", "spearman", "correlation"]
    assert rho["value"] == pytest.approx(rsa.compare(rsa.rdm(truth + 0.3), rdm.mean()), abs=1e-9)
    single = short.loc["choices/arrangement", "zero-shot", "spearman with each person", "correlation"]
    each = [rsa.compare(rsa.rdm(truth + 0.3), one) for one in rdm.rdm]
    assert single["value"] == pytest.approx(np.mean(each), abs=1e-9)
    assert single["ceiling"] == pytest.approx(rsa.noise_ceiling(rdm.rdm)[1])
    people = card.table[card.table["model"] == "people"]
    assert set(people["detail"]) == {"majority", "leave-one-out", "reliability", "one person", "mean of all"}
    pearson = short.loc["choices/arrangement", "zero-shot", "pearson", "correlation"]
    assert pearson["ceiling"] == pytest.approx(rsa_chapter.limits(people, "pearson")["choices/arrangement"])
    results.table(card.table)  # a valid result table


def test_probe_and_calibration_help_a_distorted_embedding(small):
    truth, *_, source = small
    rng = np.random.default_rng(5)
    features = Features(IDS, np.concatenate([truth, 2.5 * rng.normal(size=(40, 4))], 1), "distorted")
    card = report.card(source, features)
    short = report.summary(card).set_index(["dataset", "stage", "measure"])
    before = short.loc["choices", "zero-shot, same folds", "accuracy"]["value"]
    after = short.loc["choices", "probed", "accuracy"]["value"]
    gain = short.loc["choices", "probed", "gain"]
    assert gain["value"] == pytest.approx(after - before, abs=1e-9)
    assert gain["low"] > 0
    raw, fitted = (short.loc["choices", stage, "ece"]["value"] for stage in ("zero-shot", "calibrated"))
    assert fitted < raw
    assert card.reliability["n"].sum() > 0
    without = report.card(source, features, draws=50, probe=False)
    assert "probed" not in set(without.table["stage"])


def test_rows_are_those_of_the_chapters(small):
    truth, triplets, rdm, source = small
    features = Features(IDS, truth + np.random.default_rng(2).normal(0, 0.5, truth.shape), "noisy")
    table = report.card(source, features).table.set_index(["dataset", "stage", "measure", "detail"]).sort_index()
    common = {"profile": "own"}
    found = [
        zero_shot.of_features([features], triplets, ("cosine", "dot"), repeated=True, dataset="choices", **common),
        rsa_chapter.of_features([features], rdm, ("correlation",), dataset="choices/arrangement", **common),
        rsa_chapter.of_people([features], rdm, against=("single",), dataset="choices/arrangement", **common),
        probing.of_features([features], triplets, dataset="choices", **common),
    ]
    for row in [row for one in found for row in one.table.itertuples()]:
        detail = row.detail if row.stage != "probed" else table.loc["choices", "probed", "gain"].index[0]
        own = table.loc[row.dataset, row.stage, row.measure, detail]
        assert own[["value", "low", "high", "n"]].tolist() == pytest.approx([row.value, row.low, row.high, row.n])
    chosen = calibration.of_features(features, triplets)["chosen"].set_index("rule")
    for stage, rule in (("zero-shot", "1"), ("calibrated", "log loss")):
        (own,) = table.loc["choices", stage, "ece"].itertuples()
        assert own.value == pytest.approx(chosen.loc[rule, "ece"])
        assert own.low <= own.value <= own.high


def test_a_network_of_the_drawn_world_has_the_numbers_of_the_pages():
    source, name = open_source("mini"), "softmax-resnet-m"
    card = report.card(source, report.subject(name, profile=source.profile), probe=False, progress=False)
    table = card.table.query("stage == 'zero-shot'").set_index(["dataset", "layer", "measure", "detail"])
    pages = [zero_shot.measure(source, [name], roles=("things", "coarse")), rsa_chapter.measure(source, [name])]
    seen = 0
    for row in [row for page in pages for row in page.table.itertuples() if row.detail in ("correlation", "cosine")]:
        key = row.dataset, row.layer, row.measure, row.detail
        if key in table.index:
            own = table.loc[key]
            assert own[["value", "low", "high"]].tolist() == pytest.approx([row.value, row.low, row.high], abs=1e-4)
            seen += 1
    assert seen == 4 + 12
    assert {"cosine, coarse", "dot, boundary"} <= set(card.table.query("dataset == 'levels'")["detail"])


def test_some_of_the_ids_are_enough_and_said(small):
    truth, triplets, _, source = small
    some = [0, *range(3, 30)]
    features = Features([IDS[k] for k in some], truth[some], "some")
    card = report.card(source, features, draws=50, probe=False)
    inside = np.isin(triplets.triplets, some).all(1)
    row = card.table[(card.table["measure"] == "accuracy") & (card.table["stage"] == "zero-shot")].iloc[0]
    assert row["n"] == inside.sum()
    similarity = similarity_matrix(truth, "cosine")
    assert row["value"] == pytest.approx(odd_one_out.accuracy(similarity, triplets.triplets[inside]), abs=1e-9)
    assert f"choices: restricted to 28 of 40 ids ({inside.sum()} triplets)" in card.notes


def test_ids_that_match_nothing(small):
    values, source = np.random.default_rng(0).normal(size=(5, 3)), small[-1]
    told = (
        r"its 5 ids \(such as 'x0'\) match no data set .*: 0 of 40 ids of choices, choices/arr.* \(such as 'thing00'\)"
    )
    with pytest.raises(InputError, match=told):
        report.card(source, Features([f"x{i}" for i in range(5)], values, "m"))
    paths = Features([f"images/{one}.jpg" for one in IDS], np.random.default_rng(0).normal(size=(40, 3)), "m")
    with pytest.raises(InputError, match="the stems of the ids would match: drop folder and suffix"):
        report.card(source, paths)


def test_levels_are_told_apart(tmp_path):
    truth, triplets, _ = world()
    level = np.array(["coarse", "fine"])[np.arange(len(triplets)) // 3 % 2]
    data = Triplets(IDS, triplets.triplets, "here", "MIT", level=level)
    pixels = np.zeros((40, 8, 8, 3), np.uint8)
    plain.write_pictures(tmp_path / "lab", Stimuli(IDS, "here", "MIT", images=pixels))
    plain.write_answers(tmp_path / "lab/answers.csv", data)
    card = report.card(open_source(tmp_path), Features(IDS, truth, "m"), draws=50)
    own = card.table[card.table["model"] == "m"]
    assert own["detail"].tolist() == ["cosine, coarse", "dot, coarse", "cosine, fine", "dot, fine"]
    assert card.reliability.empty
    similarity = similarity_matrix(truth, "dot")
    fine = odd_one_out.accuracy(similarity, data.triplets[level == "fine"])
    assert own["value"].iloc[3] == pytest.approx(fine, abs=1e-9)
    people = card.table[card.table["model"] == "people"]
    assert set(people["detail"]) >= {"majority, fine", "leave-one-out, coarse"}
    short = report.summary(card).set_index("detail")
    limit = odd_one_out.noise_ceiling(data.triplets[level == "fine"], "leave-one-out")
    assert short.loc["dot, fine", "ceiling"] == pytest.approx(limit)


def seeing():
    """A network that looks at 32 x 32 pixels."""
    torch = pytest.importorskip("torch")
    from humalign.zoo import Model, Preprocess

    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(3, 8, 5, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(6))
    module(torch.zeros(1, 3, 32, 32))
    how = Preprocess(size=32, resize=32, squash=True)
    return Model("net", module, how, {"penultimate": "1:gap", "logits": "3"}, "w")


def test_a_network_is_shown_the_pictures(small):
    model = seeing()
    card = report.card(small[-1], model, draws=50, probe=False, progress=False)
    assert set(card.table["layer"]) == {"penultimate", "logits", ""}
    assert set(card.table["dataset"]) == {"choices", "choices/arrangement"}
    assert card.facts["weights_digest"] == model.checksum


def test_pictures_of_other_things_are_not_shown_at_all(small, monkeypatch):
    others = Stimuli([f"other{k}" for k in range(40)], "here", "MIT", images=np.zeros((40, 32, 32, 3), np.uint8))
    monkeypatch.setattr(Source, "seen", lambda *_: pytest.fail("a picture was shown"))
    found = small[-1]
    found.triplets("choices"), found.arrangement("choices/arrangement")  # read before the pictures are exchanged
    monkeypatch.setattr(Source, "pictures", lambda *_: others)
    with pytest.raises(HumalignError, match="choices: the images on this machine are not its images"):
        report.card(found, seeing())


def test_pictures_that_would_take_too_long_to_draw_are_left_out(monkeypatch):
    monkeypatch.setattr(report, "DRAWN_PIXELS", 200 * 32**2)
    notes = report.card(open_source("mini"), seeing(), draws=20, probe=False, progress=False).notes
    assert "things: left out, as 396 pictures would have to be drawn with 32 x 32 pixels" in notes
    assert not any(note.startswith("cichy") for note in notes)


def test_drawn_pictures_have_the_resolution_of_the_network(folder):
    drawn, model = open_source("mini"), seeing()
    assert drawn.side(model) == 32
    assert drawn.pictures("cichy", drawn.side(model)).images.shape == (118, 32, 32, 3)
    assert open_source(folder).side(model) is None


def test_the_drawn_world_belongs_to_the_profile_mini(folder, monkeypatch):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    assert [one.kind for one in open_sources(get_profile("mini"))] == ["drawn"]
    assert [one.kind for one in open_sources(get_profile("mini", data=folder))] == ["drawn", "published"]
    assert [one.kind for one in open_sources(get_profile("slice", data=folder))] == ["published"]
    monkeypatch.setenv("HUMALIGN_PROFILE", "slice")
    assert [one.kind for one in open_sources(get_profile(data=folder))] == ["published"]


def test_what_is_tested(folder):
    assert open_source("mini").answer_sets() == ["things", "coarse", "levels", "cichy", "king1", "king2"]
    assert open_source(folder).answer_sets() == ["choices", "choices/arrangement"]
    published = open_source(get_profile("slice", data=folder))
    assert published.answer_sets() == ["choices", "choices/arrangement"]
    assert open_source(get_profile("slice").with_(data=None)).answer_sets() == []


def test_published_sets_are_roles_by_their_names(folder):
    source = open_source(get_profile("full", data=folder))
    one = source.role("things/testset1")
    assert (one.kind, one.answers, one.pictures) == ("triplets", ("things/testset1",), ("things/images",))
    assert one.stand_ins == ("things_cc0/images",)
    assert source.role("cifar100/coarse_triplets").pictures == ("cifar100/train",)
    assert source.role("king2019/set1").pictures == ("king2019/set1/images",)
    assert source.role("cichy2019").kind == "arrangement"
    with pytest.raises(InputError, match="no role is called 'things/vice_42'"):
        source.role("things/vice_42")
    with pytest.raises(InputError, match="no role is called 'things/testset1'"):
        open_source(folder).role("things/testset1")


def test_two_names_of_one_layer_count_once(small):
    model = seeing()
    model.layers = {"penultimate": "3", "logits": "3"}
    source = small[-1]
    assert [part.layer for part in source.seen_by(model, source.pictures("choices"), progress=False)] == ["penultimate"]


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files at hand")
def test_real_answers_and_files():
    profile = get_profile("slice", data=DATA)
    source = open_source(profile)
    assert {"mur92", "things/test_10_id", "things/testset1", "things/llm_people"} <= set(source.answer_sets())
    assert not {"things/testset2_repeat", "things/llm_gpt4"} & set(source.answer_sets())
    part = report.subject(f"{DATA}/mur92/features/efficientnet_lite0.logits.npz", profile=profile)
    assert (part.ids[0], part.ids[91], part.layer, part.model) == ("image01", "image92", "logits", "efficientnet_lite0")
    table = report.card(source, part).table.set_index(["dataset", "measure", "model"])["value"]
    human = source.arrangement("mur92")
    assert table["mur92", "spearman", part.model] == pytest.approx(rsa.compare(rsa.rdm(part.values), human.mean()))
    shown = source.stand_ins("things/test_10_id")
    card = report.card(source, seeing(), draws=20, progress=False)
    within = source.triplets("things/test_10_id").restrict(shown.ids)
    row = card.table.query("dataset == 'things/test_10_id' and layer == 'logits' and detail == 'cosine'").iloc[0]
    assert row["n"] == len(within)
    assert "things/test_10_id: pictures of things_cc0/images stand in for those that people judged" in card.notes


def options(folder):
    return ["--no-probe", "--bootstrap", "50", "--profile", "slice", "--data", str(folder)]


def test_command_line(small, folder, tmp_path, capsys):
    truth = small[0]
    np.savez(tmp_path / "f.npz", features=truth, ids=np.array(IDS))
    command = ["evaluate", str(tmp_path / "f.npz"), *options(folder)]
    assert cli.main([*command, "--json", str(tmp_path / "f.json"), "--plots", str(tmp_path / "plots")]) == 0
    out = capsys.readouterr().out
    assert "Report card: f" in out
    assert "arrangement" in out
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["model"] == "f"
    direct = odd_one_out.accuracy(similarity_matrix(truth, "cosine"), small[1].triplets)
    row = next(r for r in found["summary"] if r["detail"] == "cosine" and r["measure"] == "accuracy")
    assert row["value"] == pytest.approx(direct, abs=1e-6)
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {
        "report.html", "report.csv", "accuracy.svg", "rsa.svg", "calibration.svg",
    }  # fmt: skip
    page = (tmp_path / "plots" / "report.html").read_text()
    assert page.count("<svg") == page.count("aria-label") == 3
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert cli.main([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "f"


def test_several_models_in_one_call(small, folder, tmp_path, capsys):
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for file, factor in zip(files, (1, -1)):
        np.savez(file, features=factor * small[0] + 1, ids=np.array(IDS))
    command = ["evaluate", *map(str, files), *options(folder)]
    assert cli.main([*command, "--json", str(tmp_path / "both.json")]) == 0
    said = capsys.readouterr().out
    assert said.index("Report card: a") < said.index("Report card: b")
    assert [one["model"] for one in json.loads((tmp_path / "both.json").read_text())["cards"]] == ["a", "b"]
    assert cli.main([*command, "--html", str(tmp_path / "x.html")]) == 2
    assert "--html: shows one model, not 2" in capsys.readouterr().err
    assert cli.main(["evaluate", str(files[0]), str(tmp_path / "none.npz"), *options(folder)]) == 2
    told = capsys.readouterr()
    assert "there is no such file" in told.err
    assert told.out == ""  # before anything was measured


@pytest.mark.parametrize(
    ("model", "given", "match"),
    [
        ("f.npz", ["--checkpoint", "w.pt"], "--checkpoint: has no meaning for features"),
        ("f.npz", ["--untrained"], "--untrained: has no meaning for features"),
        ("f.npz", ["--seed", "0"], "--seed: has no meaning for features"),
        ("f.npz", ["--preprocess", "own"], "--preprocess: has no meaning for features"),
        (".", ["--seed", "1"], "--seed: has no meaning for features"),
        ("softmax-resnet-m", ["--layer", "logits"], "--layer: has no meaning for a network"),
        ("softmax-resnet-m", ["--ids", "ids.txt"], "--ids: has no meaning for a network"),
        ("softmax-resnet-m", ["--checkpoint", "w.pt"], "softmax-resnet-m: takes no weights file"),
        ("mini:softmax-resnet-m", ["--checkpoint", "w.pt"], "softmax-resnet-m: takes no weights file"),
        ("choices.csv", ["--seed", "1"], "--seed: has no meaning for choices"),
    ],
)
def test_options_without_a_meaning_are_refused(model, given, match, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "f.npz", features=np.eye(40), ids=np.array(IDS))
    assert cli.main(["evaluate", model, *given]) == 2
    told = capsys.readouterr().err
    assert match in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda f: None, "there is no such file"),
        (lambda f: f.write_bytes(b""), "empty"),
        (lambda f: f.write_bytes(b"PK\x03\x04 half"), "truncated or not a .npz|truncated or damaged"),
        (lambda f: np.savez(f, features=np.ones((3, 2))), "has no ids"),
        (lambda f: np.savez(f, features=np.ones((3, 2)), ids=np.array(["a", "b"])), "2 ids for 3 rows"),
        (lambda f: np.savez(f, features=np.eye(2), ids=np.array(["a", "a"])), "'a' occurs more than once"),
        (lambda f: np.savez(f, features=np.array([[1, np.nan], [0, 1]]), ids=np.array(["a", "b"])), "NaN or infinite"),
        (lambda f: np.savez(f, features=np.ones((2, 2)), ids=np.array(["a", "b"])), "all rows are the same"),
        (lambda f: np.savez(f, features=np.eye(2), ids=np.array(["a", "b"])), "match no data set"),
        (lambda f: np.savez(f, weights=np.eye(2), mean=0.0, std=1.0), "linear transform"),
    ],
)
def test_bad_files_give_one_line_and_exit_code_2(make, match, small, folder, tmp_path, capsys):
    import re

    file = tmp_path / "f.npz"
    make(file)
    assert cli.main(["evaluate", str(file), *options(folder)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("humalign evaluate: ")
    assert "\n" not in error
    assert re.search(match, error), error


def test_unknown_names_give_one_line(capsys):
    assert cli.main(["evaluate", "resnett50"]) == 2
    assert "nearest: resnet50" in capsys.readouterr().err
