"""What releases and workflows rest on."""

import importlib.util
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from humalign.similarity import similarity_matrix

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_says_the_same_version():
    assert len(set(script("release").versions().values())) == 1


def test_citation_and_archive_say_the_same_date():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))["date-released"]
    assert json.loads((ROOT / ".zenodo.json").read_text("utf8"))["publication_date"] == cited


def test_release_packs_the_book_and_refuses_another_version(tmp_path, monkeypatch, capsys):
    release = script("release")
    for name in ("humalign/recorded", "book/_build/html", "release"):
        (tmp_path / name).mkdir(parents=True)
    for name in release.versions():
        (tmp_path / name).write_text((ROOT / name).read_text("utf8"), "utf8")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert release.main(tmp_path / "release") == 2  # no book yet
    assert "make book" in capsys.readouterr().err
    (tmp_path / "book/_build/html/index.html").write_text("<p>book</p>", "utf8")
    assert release.main(tmp_path / "release") == 0
    version = release.versions()["CITATION.cff"]
    with tarfile.open(tmp_path / f"release/humalign-book-{version}.tar.gz") as tar:
        assert f"humalign-book-{version}/index.html" in tar.getnames()
    sums = (tmp_path / "release/SHA256SUMS").read_text("utf8").splitlines()
    assert len(sums) == len(list((tmp_path / "release").iterdir())) - 1 == 4
    assert (tmp_path / "release/NOTES.md").read_text("utf8").strip()
    (tmp_path / "CITATION.cff").write_text("version: 9.9.9\n", "utf8")
    assert release.main(tmp_path / "release") == 2
    assert "CITATION.cff 9.9.9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "differ"),
    [("<article><p>two  words</p></article>", 0), ("<article><p>two other words</p></article>", 1), (None, 1)],
)
def test_two_builds_are_compared_by_their_words(tmp_path, capsys, other, differ):
    for folder, text in (("a", "<article><p>two words</p></article>"), ("b", other)):
        (tmp_path / folder).mkdir()
        if text:
            (tmp_path / folder / "page.html").write_text(text, "utf8")
    assert script("same_text").main(tmp_path / "a", tmp_path / "b") == differ
    assert f"{differ} of 1 pages differ" in capsys.readouterr().out


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_pin_actions_and_ask_for_little(path):
    text = path.read_text("utf8")
    flow = yaml.safe_load(text)
    assert flow["permissions"] == {}
    for name, job in flow["jobs"].items():
        assert job.get("permissions"), f"{name} has no permissions of its own"
        assert "timeout-minutes" in job, name
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


@pytest.mark.parametrize("kernel", ["cosine", "dot", "euclidean"])
def test_the_first_contribution_passes_and_fits(kernel):
    code = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf8"), re.S)[1]
    assert max(map(len, code.splitlines())) <= 120
    names = {"np": np, "pytest": pytest, "similarity_matrix": similarity_matrix}
    exec(code, names)
    names["test_a_rotation_changes_nothing"](kernel)
    assert "def test_a_rotation" not in (ROOT / "tests/test_similarity.py").read_text("utf8"), "give another example"
