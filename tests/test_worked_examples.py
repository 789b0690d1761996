"""What a newcomer adds, one worked example each: its diff applies to a copy of the package, and the result runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "tests/worked_examples"
NAMES = ("hammer", "saw", "spoon", "fork", "apple", "bread")


def files_of(diff: str) -> list[str]:
    return re.findall(r"^\+\+\+ b/(.+)$", (EXAMPLES / f"{diff}.diff").read_text("utf8"), re.M)


def patched(diff: str, folder: Path) -> Path:
    """A copy of the repository with a diff applied; files that it leaves alone are links."""
    touched = {str(ROOT / name) for name in files_of(diff)}

    def copy(source, target):
        (shutil.copy2 if source in touched else os.symlink)(source, target)

    for part in ("humalign", "notebooks", "tests"):
        ignored = shutil.ignore_patterns("worked_examples", "rehearsal")
        shutil.copytree(ROOT / part, folder / part, copy_function=copy, ignore=ignored)
    told = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", str(EXAMPLES / f"{diff}.diff")], cwd=folder, env=told, check=True)
    return folder


def python(folder: Path, *arguments: str, **environment: str) -> str:
    """What Python says in the copy."""
    told = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
            "HUMALIGN_CACHE": str(folder / "cache"), **environment}  # fmt: skip
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lab(root: Path, study: str, pictures: str) -> None:
    """Pictures of six things, and features of two networks for them."""
    rng = np.random.default_rng(0)
    (root / study / "pictures").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(root / study / f"pictures/{name}.png")
    kind = np.repeat(np.eye(3), 2, 0)
    for model, noise in (("resnet18", 0.1), ("clip_RN50", 5.0)):
        file = root / "features" / model / f"{pictures}.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, penultimate=kind + noise * rng.random((6, 3)), ids=np.array(NAMES))


def test_each_example_touches_at_most_three_files_and_the_book_names_them():
    told = (ROOT / "book/how_to.md").read_text("utf8")
    found = sorted(path.stem for path in EXAMPLES.glob("*.diff"))
    assert found == ["claim", "figure", "measure", "network", "own", "published"]
    for name in found:
        (row,) = [line for line in told.splitlines() if f"`{name}.diff`" in line]
        assert len(files_of(name)) <= 3
        for path in files_of(name):
            shown = path if not path.startswith("mine/") else path.rpartition("/")[2]
            assert f"`{shown}`" in row.replace("NAME", "tools"), path


def test_a_network(tmp_path):
    code = """
from humalign import zoo
from humalign.book import costs
from humalign.source import open_source
model = zoo.load("mobilenet_v3_small", pretrained=False)
from test_plan import counted
assert counted("mobilenet_v3_small") == costs.costs()["mobilenet_v3_small"]
assert set(model.layers) == {"penultimate", "logits"}
facts = open_source("full").networks().set_index("model").loc["mobilenet_v3_small"]
assert facts["group"] == "Supervised (ImageNet-1K)" and abs(facts["parameters"] - 2.54e6) < 1e4
"""
    folder = patched("network", tmp_path)
    python(folder, "-c", code, PYTHONPATH=f"{folder}{os.pathsep}{folder / 'tests'}")


def test_pictures_and_answers_of_ones_own(tmp_path):
    folder = patched("own", tmp_path)
    lab(folder / "mine", "tools", "tools")
    told = python(folder, "-m", "humalign", "data", "verify", "tools", "--data", "mine")
    assert "6 pictures, 6 concepts, 12 answers" in told
    code = """
from humalign.chapters import zero_shot
from humalign.source import open_source
table = zero_shot.measure(open_source("mine")).table.query("detail == 'cosine'").set_index("model")["value"]
print(round(table["resnet18"], 3), len(open_source("mine").triplets()))
"""
    assert python(folder, "-c", code).split() == ["1.0", "12"]


def test_a_published_data_set(tmp_path):
    folder = patched("published", tmp_path)
    lab(folder / "data", "tools", "tools/images")
    (folder / "data/tools/pictures").rename(folder / "data/tools/images")
    (folder / "data/tools/answers.csv").write_text("image1;image2;odd\nhammer;saw;apple\nspoon;fork;saw\n")
    told = python(folder, "-m", "humalign", "data", "verify", "tools", "--profile", "full", "--data", "data")
    assert "1 ok" in told, told
    code = """
from humalign.chapters import zero_shot
from humalign.source import open_source
measured = zero_shot.measure(open_source("full"), roles=("tools",))
print(measured.table.query("detail == 'cosine'").set_index("model")["value"]["resnet18"])
"""
    assert python(folder, "-c", code, HUMALIGN_DATA=str(folder / "data")).split() == ["1.0"]


def test_a_measure(tmp_path):
    folder = patched("measure", tmp_path)
    told = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_similarity.py", "-k", "scipy")
    assert "5 passed" in told
    code = """
import numpy as np
from humalign.chapters import zero_shot
from humalign.data.types import Features, Triplets
ids = tuple("abcd")
answers = Triplets(ids, np.array([[0, 1, 2], [0, 1, 3]]), "made up", "none")
found = Features(ids, np.array([[0.0, 0], [1, 0], [9, 9], [8, 1]]), "toy", "penultimate")
table = zero_shot.of_features([found], answers, dataset="things", profile="own").table
print(table.set_index("detail")["value"]["manhattan"])
"""
    assert python(folder, "-c", code).split() == ["1.0"]


def test_a_figure(tmp_path):
    folder = patched("figure", tmp_path)
    code = """
import jupytext, pandas as pd
from humalign import show
from humalign.chapters import zero_shot
points = pd.DataFrame({"group": ["Image/Text", "Self-Supervised", "Self-Supervised"], "value": [0.5, 0.4, 0.42]})
(cell,) = [c for c in jupytext.read("notebooks/zero_shot.md").cells if "fig-zero-shot-groups" in c.source]
exec(cell.source)
"""
    output = folder / "output"
    python(folder, "-c", code, HUMALIGN_OUTPUT=str(output), MPLBACKEND="agg")
    assert (output / "fig-zero-shot-groups.csv").read_text().count("\n") == 4


def test_a_claim(tmp_path):
    code = """
import numpy as np, pandas as pd
from humalign import claims
from humalign.results import Measured
models = pd.DataFrame({"model": ["a", "b"], "group": ["Image/Text", "Concept labels"], "number": [1, 2]})
keys = {"dataset": "cichy", "measure": "spearman", "stage": "zero-shot", "detail": "correlation",
        "layer": "penultimate", "seed": 0}
rows = [{**keys, "model": "a", "value": 0.4}, {**keys, "model": "b", "value": 0.2}]
draws = np.array([[0.4], [0.2]]) + 0.01 * np.random.default_rng(0).standard_normal((2, 200))
(claim,) = [one for one in claims.ledger() if one["id"] == "p1-image-text-cichy"]
print(*claims.judge(Measured.of(rows, draws, profile="mini"), models, [claim])["verdict"])
"""
    assert python(patched("claim", tmp_path), "-c", code).strip() == "replicates"
