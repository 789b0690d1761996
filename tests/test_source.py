"""Answers, pictures and features by role: the drawn world, a study of ones own, published files, a reader's network."""

import os

import numpy as np
import pandas as pd
import pytest

from humalign.answers import permuted
from humalign.config import Profile, get_profile
from humalign.data import plain
from humalign.data.types import Features, HumanRDM, Stimuli, Triplets
from humalign.errors import InputError, MissingData
from humalign.roles import ROLES
from humalign.source import open_source
from humalign.store import write_json

DATA = os.environ.get("HUMALIGN_DATA")
N = 20


# ---- a lab's own study


@pytest.fixture
def lab(tmp_path):
    """20 photographs of ten things, 200 answers of five people, one arrangement, and all that a study can hold."""
    rng, root = np.random.default_rng(1), tmp_path / "data"
    folder = root / "lab"
    ids = tuple(f"picture {k}" for k in range(N))
    shown = Stimuli(
        ids, "", "", rng.integers(0, 256, (N, 9, 7, 3), dtype=np.uint8), [f"thing {k // 2}" for k in range(N)]
    )
    plain.write_pictures(folder, shown, kind=["tool"] * 10 + ["animal"] * 10, room=["north"] * N)
    rows = np.stack([rng.permutation(N)[:3] for _ in range(200)])
    who, seconds = np.array([f"p{k % 5}" for k in range(200)]), rng.uniform(1, 3, 200)
    answers = Triplets(ids, rows, "", "", participants=who, response_times=seconds)
    plain.write_answers(folder / "answers.csv", answers)
    plain.write_answers(folder / "labels.csv", answers.select(np.arange(50)))
    plain.write_answers(folder / "repeated.csv", answers.select(np.arange(10)))
    again = Triplets(ids, rows[:10, [1, 2, 0]], "", "", participants=who[:10])
    plain.write_answers(folder / "repeated-again.csv", again)
    rdm = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    plain.write_arrangement(folder / "arrangement.npz", HumanRDM(ids[3:9], np.stack([rdm, 2 * rdm]), "", ""))
    one = ["p0", "trial", "coarse", *ids[:3], ids[1], 1.5, ""]
    catch = ["p0", "catch", "", ids[4], ids[4], ids[9], ids[9], 0.5, ids[9]]
    columns = ["participant", "kind", "level", "image1", "image2", "image3", "selected", "seconds", "correct"]
    plain.write_sessions(folder / "sessions.csv", pd.DataFrame([one, catch], columns=columns))
    people = plain.People(ids, ("red", "round"), rng.random((N, 2)), rng.dirichlet(np.ones(3), 200), title="our model")
    plain.write_people(folder / "people.npz", people)
    order = rng.permutation(N)  # rows of features are met by name
    values = rng.normal(size=(N, 5)).astype(np.float32)
    path = root / "features" / "our/network" / "lab.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, ids=np.array(ids)[order], penultimate=values[order], logits=values[order, :3])
    return root, answers, people, values


def test_a_study_of_ones_own_is_read_whole(lab):
    root, answers, people, values = lab
    source = open_source(root)
    assert source.roles() == ["things", "coarse", "levels", "cichy", "test", "lab"]  # roles that its files can play
    assert source.triplets("things").checksum == source.triplets("lab").checksum
    assert source.missing("lab", features=True) == ""
    found = source.triplets("lab")
    assert found.checksum == answers.checksum
    assert found.concepts[:3] == ("thing 0", "thing 0", "thing 1")
    assert (found.participants == answers.participants).all()
    assert (found.response_times == answers.response_times).all()
    assert source.triplets("lab") is found  # read once
    assert len(source.triplets("lab/labels")) == 50
    assert len(source.repeated("lab")) == 10
    first, again = source.again("lab")
    assert (np.sort(first.triplets, 1) == np.sort(again.triplets, 1)).all()
    assert source.arrangement("lab").ids == answers.ids[3:9]
    assert source.arrangement("lab").concepts[0] == "thing 1"
    assert source.arrangement("lab").people == 2
    assert source.sessions("lab")["kind"].tolist() == ["trial", "catch"]
    assert source.people("lab").checksum == people.checksum
    assert not source.people("lab").known
    shown = source.pictures("lab")
    assert shown.meta == {"kind": ["tool"] * 10 + ["animal"] * 10, "room": ["north"] * N}
    assert source.pictures("lab", side=8).images.shape == (N, 8, 8, 3)
    assert [d.model for d in source.descriptions("lab")] == ["pixels", "colour histogram", "category"]
    assert source.networks()["model"].tolist() == source.models("lab") == ["our/network"]
    penultimate, logits = source.features("lab")
    assert (penultimate.align(shown.ids).values == values).all()
    assert (logits.layer, logits.model, logits.values.shape) == ("logits", "our/network", (N, 3))
    assert source.state("lab") == [["our/network", 0, penultimate.meta["digest"]]]


def test_a_study_beside_published_files_is_found_by_its_layout(lab, tmp_path):
    source = open_source(Profile("full", lab[0], tmp_path / "cache"))
    assert source.roles() == ["lab"]
    assert len(source.triplets("lab")) == 200
    assert "data where things/all" in source.missing("things")


def test_a_study_that_changes_is_read_again(lab):
    source = open_source(lab[0])
    assert len(source.triplets("lab")) == 200
    plain.write_answers(lab[0] / "lab/answers.csv", lab[1].select(np.arange(40)))
    assert len(source.triplets("lab")) == 40
    with pytest.raises(InputError, match="probabilities of 200 answers for 40 triplets"):
        source.people("lab")


def test_what_a_study_lacks_is_told_in_one_line(lab, tmp_path):
    root = lab[0]
    (root / "lab/answers.csv").unlink()
    source = open_source(root)
    with pytest.raises(MissingData, match=r"answers\.csv: is not here"):
        source.triplets("lab")
    with pytest.raises(InputError, match=r"no role is called 'lib'; choose one of .*, lab"):
        source.triplets("lib")
    with pytest.raises(MissingData, match="'king1' is not in this data folder"):
        source.arrangement("king1")
    with pytest.raises(InputError, match="is one study; give the folder that holds it"):
        open_source(root / "lab")
    with pytest.raises(InputError, match="holds no study"):
        open_source(tmp_path / "data/features")
    with pytest.raises(InputError, match="no profile is called 'nowhere'"):
        open_source("nowhere")
    (root / "features/our/network/lab.npz").unlink()
    with pytest.raises(MissingData, match="no features of any network for the pictures of lab"):
        list(open_source(root).features("lab"))


def test_the_command_line_lists_and_checks_a_study(lab, capsys):
    from humalign import cli

    root = str(lab[0])
    assert cli.main(["data", "list", "--data", root]) == 0
    assert "lab" in capsys.readouterr().out
    assert cli.main(["data", "verify", "lab", "--data", root]) == 0
    said = capsys.readouterr().out
    assert "20 pictures, 10 concepts, 200 answers, 50 labels" in said
    (lab[0] / "lab/sessions.csv").write_text("participant\n")
    assert cli.main(["data", "verify", "lab", "--data", root, "--json"]) == 2
    assert "sessions.csv: has no column called kind" in capsys.readouterr().out


def test_an_altered_file_is_refused_where_its_checksum_is_known(lab):
    root = lab[0]
    write_json(root / "humalign-data.json", {"sha256": {"lab/answers.csv": "0" * 64}, "source": "our lab"})
    with pytest.raises(InputError, match=r"answers\.csv: differs from the known checksum"):
        open_source(root).triplets("lab")
    assert open_source(root).pictures("lab").source == "our lab"


# ---- the reader's own network


def test_the_readers_network_is_one_more(lab, tmp_path):
    root, _, _, values = lab
    ids = tuple(f"picture {k}" for k in range(N))
    mine = Features(ids, values * 2, "mine")
    source = open_source(root, mine=mine)
    assert source.models("lab") == ["our/network", "mine"]
    assert source.networks().set_index("model").loc["mine", ["group", "number"]].tolist() == ["Yours", 2]
    assert [p.model for p in source.features("lab")] == ["our/network", "our/network", "mine"]
    part = open_source(root, mine=Features(ids[:5], values[:5], "part"))
    assert part.models("lab") == ["our/network"]  # it has not seen all pictures
    np.savez(tmp_path / "own.npz", ids=np.array(ids), penultimate=values, logits=values)
    assert [p.layer for p in open_source(root, tmp_path / "own.npz").features("lab", models=["own"])] == [
        "penultimate",
        "logits",
    ]


def test_the_readers_network_looks_at_the_pictures(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("HUMALIGN_CACHE", str(tmp_path / "cache"))
    source = open_source(lab[0]).plus("softmax-resnet-m", name="Drawn")
    assert source.networks()["name"].tolist()[-1] == "Drawn"
    (found,) = source.features("lab", ("penultimate",), ["softmax-resnet-m"])
    assert len(found) == N
    (again,) = source.features("lab", ("penultimate",), ["softmax-resnet-m"])  # kept
    assert (found.values == again.values).all()


# ---- the drawn world


def test_the_drawn_world_by_role():
    from humalign.world import datasets, observers, stimuli

    source = open_source("mini")
    assert open_source(get_profile("mini")) is source
    assert source.triplets().checksum == datasets.things().checksum
    assert source.triplets("coarse").checksum == datasets.coarse_labels().checksum
    assert source.arrangement("king2").checksum == datasets.arrangement("king2").checksum
    assert source.shown("coarse") == source.shown("levels") == "test"
    people = source.people()
    assert people.known
    assert people.nearest == 3
    rows = np.arange(0, 120_000, 999)
    expected = observers.group_probabilities(observers.values(people.ids), source.triplets().triplets[rows])
    assert np.allclose(people.probabilities[rows], expected, atol=1e-12)
    assert (source.pictures("cichy", 64).images == stimuli.images("cichy", 64).images).all()
    assert all(source.missing(name) == "" for name, role in ROLES.items() if role.folder and name != "mur92")
    assert "mur92" in source.missing("mur92")


def test_features_of_the_drawn_world_are_made_on_demand():
    import torch

    from humalign.world import stimuli
    from humalign.zoo import small

    source = open_source("mini")
    found = {part.layer: part for part in source.features("cichy", models=["softmax-resnet-m"])}
    pixels = stimuli.images("cichy", 32).images
    with torch.inference_mode():
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
        network = small.trained("softmax-resnet-m").eval()
        by_hand = {"penultimate": network[:2](x), "logits": network(x)}
    assert set(found) == set(by_hand)
    for layer, part in found.items():
        np.testing.assert_allclose(part.values, by_hand[layer], atol=1e-4)
        assert part.ids == stimuli.split_ids("cichy")
    with pytest.raises(MissingData, match="humalign world train"):
        list(source.features("cichy", models=["softmax-resnet-m"], seeds=(77,)))


# ---- published files


def test_without_a_data_folder_the_remedy_is_named(tmp_path):
    source = open_source(Profile("full", None, tmp_path))
    assert source.roles() == []
    assert "HUMALIGN_DATA" in source.missing("things")
    with pytest.raises(MissingData, match="needs a data folder"):
        source.triplets()
    with pytest.raises(MissingData, match="profile mini"):
        source.pictures("test")
    with pytest.raises(InputError, match="no triplets are called 'cichy'"):
        source.triplets("cichy")


def test_the_control_permutes_the_objects():
    ids = tuple("abcde")
    data = Triplets(ids, np.array([[0, 1, 2], [2, 3, 4], [0, 4, 1]]), "", "")
    found = permuted(data)
    assert found.ids == ids
    back = dict(zip(found.triplets.ravel().tolist(), data.triplets.ravel().tolist()))
    assert sorted(back) == sorted(back.values()) == list(range(5))
    assert found.triplets.ravel().tolist() != data.triplets.ravel().tolist()


@pytest.mark.skipif(not DATA, reason="needs HUMALIGN_DATA")
def test_the_public_files_by_role():
    source = open_source(get_profile("slice", data=DATA))
    assert {"things", "mur92"} <= set(source.roles())
    assert (len(source.triplets()), len(source.repeated())) == (127_304, 15_640)
    people = source.people()
    assert people.ids == source.triplets().ids
    assert (people.known, people.probabilities) == (False, None)
    assert source.arrangement("mur92").people == 16
    (clip,) = source.features("things", models=["clip_ViT-B/32"])
    assert (clip.layer, clip.values.shape) == ("penultimate", (1854, 512))
    with pytest.raises(MissingData, match="profile 'slice'"):
        source.sessions()


def test_every_published_set_of_a_role_is_in_the_registry():
    from humalign.data import registry

    known = {one.name: one.kind for one in registry.entries()}
    for role in ROLES.values():
        names = (*role.answers, *role.pictures, *role.repeated, *role.again, *role.people)
        assert {*names, role.probabilities or names[0] if names else ""} <= {*known, ""}
        assert all(known[name] == "stimuli" for name in role.pictures)


def test_features_of_pictures_that_changed_under_the_same_name_and_size_are_made_anew(tmp_path):
    from PIL import Image

    from humalign import zoo
    from humalign.data.types import Stimuli

    profile = get_profile("mini", cache=tmp_path)
    model, paths = zoo.load("mini:softmax-resnet-s", pretrained=False, profile=profile), [tmp_path / "a.bmp"]
    found = []
    for colour in ("red", "blue", "red"):
        Image.new("RGB", (32, 32), colour).save(paths[0])
        shown = Stimuli(("a",), "", "", images=paths)
        found.append(open_source(profile).seen_by(model, shown, progress=False)[0].values)
    assert not np.allclose(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
