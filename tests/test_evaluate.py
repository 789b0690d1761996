"""The report card: numbers equal direct computations, files and networks, friendly failures, page and JSON."""

import json

import numpy as np
import pytest

from humalign import cli, odd_one_out, report, results, rsa
from humalign import report_measures as measures
from humalign.config import get_profile
from humalign.data.types import Features, HumanRDM, Stimuli, Triplets
from humalign.errors import InputError
from humalign.similarity import similarity_matrix

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


@pytest.fixture
def small(monkeypatch):
    """``report`` with the two small data sets instead of those at hand; the truth that made them."""
    truth, triplets, rdm = world()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    pictures = Stimuli(IDS, "here", "MIT", images=pixels)
    found = [
        report.DataTest("choices", "mini", lambda: triplets, lambda side: pictures, probed=True),
        report.DataTest("arrangement", "mini", lambda: rdm, lambda side: pictures),
    ]
    monkeypatch.setattr(report, "sets_at_hand", lambda profile, drawn=True: found)
    return truth, triplets, rdm


def test_numbers_equal_direct_computations(small):
    truth, triplets, rdm = small
    order = np.random.default_rng(3).permutation(40)
    features = Features([IDS[k] for k in order], truth[order] + 0.3, "planted")
    card = report.card(features, get_profile("mini"), n_boot=200)
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
    rho = short.loc["arrangement", "zero-shot", "spearman", "correlation"]
    assert rho["value"] == pytest.approx(rsa.compare(rsa.rdm(truth + 0.3), rdm.mean()), abs=1e-9)
    single = short.loc["arrangement", "zero-shot", "spearman with each person", "correlation"]
    each = [rsa.compare(rsa.rdm(truth + 0.3), one) for one in rdm.rdm]
    assert single["value"] == pytest.approx(np.mean(each), abs=1e-9)
    assert single["ceiling"] == pytest.approx(rsa.noise_ceiling(rdm.rdm)[1])
    people = card.table[card.table["model"] == "people"]
    assert set(people["detail"]) == {"majority", "leave-one-out", "reliability", "lower", "upper"}
    results.table(card.table)  # a valid result table


def test_probe_and_calibration_help_a_distorted_embedding(small):
    truth = small[0]
    rng = np.random.default_rng(5)
    features = Features(IDS, np.concatenate([truth, 2.5 * rng.normal(size=(40, 4))], 1), "distorted")
    card = report.card(features, get_profile("mini"), n_boot=200)
    short = report.summary(card).set_index(["dataset", "stage", "measure"])
    before = short.loc["choices", "zero-shot, same folds", "accuracy"]["value"]
    after = short.loc["choices", "probed", "accuracy"]["value"]
    gain = short.loc["choices", "probed", "gain"]
    assert gain["value"] == pytest.approx(after - before, abs=1e-9)
    assert gain["low"] > 0
    raw, fitted = (short.loc["choices", stage, "ece"]["value"] for stage in ("zero-shot", "calibrated"))
    assert fitted < raw
    assert card.reliability["n"].sum() > 0
    without = report.card(features, get_profile("mini"), n_boot=50, probe=False)
    assert "probed" not in set(without.table["stage"])


def test_some_of_the_ids_are_enough_and_said(small):
    truth, triplets, _ = small
    some = [0, *range(3, 30)]
    features = Features([IDS[k] for k in some], truth[some], "some")
    card = report.card(features, get_profile("mini"), n_boot=50, probe=False)
    inside = np.isin(triplets.triplets, some).all(1)
    row = card.table[(card.table["measure"] == "accuracy") & (card.table["stage"] == "zero-shot")].iloc[0]
    assert row["n"] == inside.sum()
    similarity = similarity_matrix(truth, "cosine")
    assert row["value"] == pytest.approx(odd_one_out.accuracy(similarity, triplets.triplets[inside]), abs=1e-9)
    assert f"choices: restricted to 28 of 40 ids ({inside.sum()} triplets)" in card.notes


def test_ids_that_match_nothing(small):
    values = np.random.default_rng(0).normal(size=(5, 3))
    told = r"its 5 ids \(such as 'x0'\) match no data set .*: 0 of 40 ids of choices, arrangement \(such as 'thing00'\)"
    with pytest.raises(InputError, match=told):
        report.card(Features([f"x{i}" for i in range(5)], values, "m"), get_profile("mini"))
    paths = Features([f"images/{one}.jpg" for one in IDS], np.random.default_rng(0).normal(size=(40, 3)), "m")
    with pytest.raises(InputError, match="the stems of the ids would match: drop folder and suffix"):
        report.card(paths, get_profile("mini"))


def test_levels_are_told_apart():
    truth, triplets, _ = world()
    level = np.array(["coarse", "fine"])[np.arange(len(triplets)) // 3 % 2]
    data = Triplets(IDS, triplets.triplets, "here", "MIT", level=level)
    rows, curves = measures.triplet_rows(Features(IDS, truth, "m"), data, n_boot=50, seed=0)
    assert [r["detail"] for r in rows] == ["cosine, coarse", "cosine, fine", "dot, coarse", "dot, fine"]
    assert not curves
    similarity = similarity_matrix(truth, "dot")
    fine = odd_one_out.accuracy(similarity, data.triplets[level == "fine"])
    assert rows[3]["value"] == pytest.approx(fine, abs=1e-9)
    assert {r["detail"] for r in measures.ceiling_rows(data)} >= {"majority, fine", "leave-one-out, coarse"}


def test_a_network_is_shown_the_pictures(small):
    torch = pytest.importorskip("torch")
    from humalign.zoo import Model, Preprocess

    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(3, 8, 5, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(6))
    module(torch.zeros(1, 3, 32, 32))
    seeing = Preprocess(size=32, resize=32, squash=True)
    model = Model("net", module, seeing, {"penultimate": "1:gap", "logits": "3"}, "w")
    card = report.card(model, get_profile("mini", device="cpu"), n_boot=50, probe=False)
    assert set(card.table["layer"]) == {"penultimate", "logits", ""}
    assert set(card.table["dataset"]) == {"choices", "arrangement"}
    assert card.facts["weights_digest"] == model.checksum


def test_pictures_of_other_things_are_not_shown_at_all(small, monkeypatch):
    triplets = small[1]
    others = Stimuli([f"other{k}" for k in range(40)], "here", "MIT", images=np.zeros((40, 32, 32, 3), np.uint8))
    monkeypatch.setattr(report, "_features_of", lambda *_: pytest.fail("a picture was shown"))
    test, notes = report.DataTest("choices", "full", lambda: triplets, lambda side: others), []
    model = type("Net", (), {"facts": {}, "preprocess": None})
    found = report._look(model, test, get_profile("mini"), {}, notes, print, None)
    assert found == (None, None)
    assert "are not its images" in notes[0]


def test_the_drawn_world_belongs_to_the_profile_mini(small, tmp_path, monkeypatch):
    asked = []
    found = report.sets_at_hand(None)
    monkeypatch.setattr(report, "sets_at_hand", lambda profile, drawn=True: asked.append(drawn) or found)
    np.savez(tmp_path / "f.npz", features=small[0], ids=np.array(IDS))
    command = ["evaluate", str(tmp_path / "f.npz"), "--no-probe", "--bootstrap", "20"]
    monkeypatch.delenv("HUMALIGN_PROFILE", raising=False)
    assert cli.main(command) == 0
    assert cli.main([*command, "--profile", "slice"]) == 0
    monkeypatch.setenv("HUMALIGN_PROFILE", "slice")
    assert cli.main(command) == 0
    assert asked == [True, False, False]


def test_command_line(small, tmp_path, capsys):
    truth = small[0]
    np.savez(tmp_path / "f.npz", features=truth, ids=np.array(IDS))
    command = ["evaluate", str(tmp_path / "f.npz"), "--no-probe", "--bootstrap", "50"]
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
def test_bad_files_give_one_line_and_exit_code_2(make, match, small, tmp_path, capsys):
    import re

    file = tmp_path / "f.npz"
    make(file)
    assert cli.main(["evaluate", str(file), "--no-probe"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("humalign evaluate: ")
    assert "\n" not in error
    assert re.search(match, error), error


def test_unknown_names_give_one_line(small, capsys):
    assert cli.main(["evaluate", "resnett50"]) == 2
    assert "nearest: resnet50" in capsys.readouterr().err


def test_the_sets_at_hand(tmp_path):
    names = [one.name for one in report.sets_at_hand(get_profile("mini"))]
    assert {"things", "levels", "coarse-labels", "arrangement-cichy", "arrangement-king1"} <= set(names)
    assert report.sets_at_hand(get_profile("mini").with_(data=None), drawn=False) == []
