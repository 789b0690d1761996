"""The drawn world as a data folder: whole or not there, the same answers as the observers gave."""

import numpy as np
import pandas as pd
import pytest

from humalign import cli
from humalign.config import get_profile
from humalign.data import plain
from humalign.data.known import MANIFEST
from humalign.store import read_json, sha256
from humalign.world import datasets, folder, stimuli


@pytest.fixture(scope="module")
def root():
    return folder.ready(get_profile("mini"))


def test_the_manifest_knows_every_table(root):
    said = read_json(root / MANIFEST)
    assert said["licence"] == "MIT"
    tables = {p.relative_to(root).as_posix() for p in root.glob("*/*") if p.is_file()}
    assert set(said["sha256"]) == tables
    assert all(sha256(root / name) == digest for name, digest in said["sha256"].items())
    assert plain.studies(root) == sorted(folder.STUDIES)


def test_pictures_are_those_of_the_world(root):
    from PIL import Image

    for study in folder.STUDIES:
        found, drawn = plain.read_pictures(root / study), stimuli.images(study, 32)
        assert (found.ids, found.concepts) == (drawn.ids, drawn.concepts)
        some = range(0, len(found), 37)
        assert all((np.asarray(Image.open(found.images[k])) == drawn.images[k]).all() for k in some)
        assert set(found.meta) == {"kind", "part"}


def test_answers_are_those_of_the_observers(root):
    things, test = (plain.read_pictures(root / name) for name in ("things", "test"))
    pairs = {
        "answers": datasets.things(),
        "control": datasets.permuted(),
        "repeated": datasets.things_repeated(),
        "repeated-again": datasets.things_repeated(again=True),
    }
    for name, made in pairs.items():
        found = plain.read_answers(root / "things" / f"{name}.csv", things, name)
        assert found.checksum == made.checksum
        assert (found.participants == made.participants).all()
        assert (found.response_times == made.response_times).all()
    labels = plain.read_answers(root / "test/labels.csv", test, "labels")
    assert labels.checksum == datasets.coarse_labels().checksum
    sessions = plain.read_sessions(root / "test/sessions.csv", test)
    pd.testing.assert_frame_equal(sessions, datasets.levels_sessions(), check_dtype=False)
    for name in stimuli.ARRANGEMENTS:
        found = plain.read_arrangement(root / name / "arrangement.npz", plain.read_pictures(root / name))
        assert found.checksum == datasets.arrangement(name).checksum


def test_the_command_writes_it_and_refuses_a_folder_with_files(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(folder, "STUDIES", ("things",))  # fewer pictures: what is checked are the folders
    monkeypatch.setattr(folder, "ARRANGEMENTS", ())
    out = tmp_path / "out"
    assert cli.main(["world", "data", "--out", str(out)]) == 0
    assert (out / MANIFEST).is_file()
    assert cli.main(["world", "data", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "not an empty folder" in told
    assert told.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
