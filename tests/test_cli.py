"""The command line: help everywhere, exit codes, notebooks with parameters, sweeps that resume."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from humalign import cli

NOTEBOOK = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

```{code-cell} ipython3
:tags: [parameters]

seed = 0
scale = 1.5
```

```{code-cell} ipython3
from humalign import show
assert seed != 13, "unlucky"
show.glue("double", scale * 2 * seed)
```
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "double.md"
    path.write_text(NOTEBOOK, "utf8")
    monkeypatch.chdir(tmp_path)
    return path


def test_overview_lists_the_commands(capsys):
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    for name in (
        "data",
        "models",
        "extract",
        "evaluate",
        "probe",
        "run",
        "sweep",
        "world",
        "alignet",
        "claims",
        "record",
    ):
        assert f"\n  {name} " in said


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"humalign {name}" in capsys.readouterr().out.partition("example:")[2]


def test_unknown_command(capsys):
    assert cli.main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_version(capsys):
    import humalign

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == humalign.__version__


def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "humalign", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "commands:" in done.stdout


def test_run_shows_parameters(notebook, capsys):
    assert cli.main(["run", "double", "--show"]) == 0
    assert capsys.readouterr().out.splitlines() == ["seed = 0", "scale = 1.5"]


def test_run_with_parameters(notebook, tmp_path, capsys):
    assert cli.main(["run", "double", "-p", "seed", "4", "-o", "out/four.ipynb"]) == 0
    done = json.loads((tmp_path / "out/four.ipynb").read_text("utf8"))
    assert done["metadata"]["humalign"]["parameters"] == {"seed": 4}
    from humalign.book.run import scalars

    assert scalars(tmp_path / "out/four.ipynb") == {"double": 12.0}


def test_run_of_a_failing_cell(notebook, capsys):
    assert cli.main(["run", "double", "-p", "seed", "13", "-o", "x.ipynb"]) == 1
    assert capsys.readouterr().err.strip().endswith("AssertionError: unlucky")
    assert not os.path.exists("x.ipynb")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nothing"], "is no notebook"),
        (["run", "double", "-p", "sead", "1"], "has no parameter sead"),
        (["run", "double", "-p", "seed", "[1"], "is no YAML value"),
        (["run", "double", "-o", "x.html"], "must end in .ipynb"),
        (["sweep", "double"], "no parameter to vary"),
        (["sweep", "double", "-g", "seed"], "has no values"),
        (["sweep", "double", "-g", "speed", "1"], "has no parameter speed"),
        (["sweep", "double", "--grid", "none.yml"], "does not exist"),
        (["sweep", "double", "--grid", "bad.yml"], "bad.yml: is no YAML value"),
        (["sweep", "double", "-g", "seed", "1", "--executor", "threads"], "cannot be imported"),
    ],
)
def test_bad_input_is_one_line(notebook, arguments, words, capsys):
    (notebook.parents[1] / "bad.yml").write_text("seed: [1, 2\nscale: [3\n")
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert len(said.splitlines()) == 1


def test_sweep_resumes_and_tells_failures(notebook, tmp_path, capsys):
    (tmp_path / "grid.yml").write_text("seed: [1, 13]\n")
    arguments = ["sweep", "double", "--grid", "grid.yml", "-g", "scale", "2.0", "-o", "runs", "--workers", "2"]
    assert cli.main(arguments) == 1
    out, err = capsys.readouterr()
    assert "2 cells, 0 already done" in out
    assert "1 of 2 cells failed" in err
    table = pd.read_csv(tmp_path / "runs/double.csv")
    assert table["state"].tolist() == ["done", "failed"]
    assert table["double"].tolist()[0] == 4
    done = tmp_path / "runs" / table["notebook"][0]
    stamp = done.stat().st_mtime_ns
    assert cli.main(arguments) == 1
    assert "2 cells, 1 already done" in capsys.readouterr().out
    assert done.stat().st_mtime_ns == stamp


def test_collect_reads_what_papermill_wrote(notebook, tmp_path):
    from humalign.book.collect import collect, main

    assert cli.main(["run", "double", "-p", "seed", "2", "-o", "runs/two.ipynb"]) == 0
    copies = tmp_path / "runs" / ".ipynb_checkpoints"
    copies.mkdir()
    (copies / "two-checkpoint.ipynb").write_bytes((tmp_path / "runs" / "two.ipynb").read_bytes())
    assert collect(tmp_path / "runs") == [{"seed": 2, "notebook": "two.ipynb", "double": 6.0}]
    assert main([str(tmp_path / "runs"), str(tmp_path / "t.csv")]) == 0
    assert pd.read_csv(tmp_path / "t.csv")["double"].tolist() == [6.0]
    assert main([str(tmp_path / "notebooks"), "x.csv"]) == 2


def test_collect_tells_of_a_damaged_notebook_in_one_line(tmp_path, capsys):
    from humalign.book.collect import main

    (tmp_path / "cut.ipynb").write_text('{"cells": [')
    assert main([str(tmp_path), str(tmp_path / "t.csv")]) == 2
    said = capsys.readouterr().err.strip()
    assert "cut.ipynb: cannot be read as JSON" in said
    assert "\n" not in said
    for other in ("[]", '{"metadata": {}}'):
        (tmp_path / "cut.ipynb").write_text(other)
        assert main([str(tmp_path), str(tmp_path / "t.csv")]) == 2
        assert "cut.ipynb: it " in capsys.readouterr().err


def test_nothing_is_recorded_without_data_or_from_a_rehearsal(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    assert cli.main(["record", "--only", "levels", "--out", str(tmp_path / "out")]) == 2
    assert "needs a data folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()  # and not what was recorded before, as if it were new
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "humalign-data.json").write_text('{"rehearsal": true}')
    assert cli.main(["record", "--data", str(tmp_path / "data")]) == 2
    assert "not data" in capsys.readouterr().err


EXTRACT = ["extract", "torchvision:alexnet", "--untrained", "--images", "{}/pictures", "--out", "{}/o"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["probe", "{}/f.npz", "--triplets", "things", "--device", "foo"],
        [*EXTRACT, "--device", "foo"],
        [*EXTRACT, "--workers", "-1"],
        [*EXTRACT, "--merge", "a.npz"],
        ["extract", "{}/damaged.pt", "--images", "{}/pictures", "--out", "{}/o"],
        ["plan", "--profile", "full", "--gpus", "0"],
    ],
)
def test_options_that_cannot_be_are_one_line(arguments, tmp_path, capsys):
    import numpy as np
    from PIL import Image

    from humalign.config import get_profile
    from humalign.source import open_source

    ids = open_source(get_profile("mini")).ids("things")
    np.savez(tmp_path / "f.npz", ids=np.array(ids), features=np.random.default_rng(0).normal(size=(len(ids), 3)))
    (tmp_path / "damaged.pt").write_bytes(b"no weights")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "a.png")
    assert cli.main([one.format(tmp_path) for one in arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"humalign {arguments[0]}: ")
    assert "\n" not in said


def test_models_as_json_one_or_all(capsys):
    assert cli.main(["models", "resnet50", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "resnet50"
    assert cli.main(["models", "--profile", "mini", "--json", "-"]) == 0
    assert all(row["source"] == "mini" for row in json.loads(capsys.readouterr().out))
    assert cli.main(["models", "--layers"]) == 2
    assert "needs a network" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_one_line_and_exit_code_1(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert cli.main(["models", "--profile", "mini", "--json", str(tmp_path / "file" / "x.json")]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("humalign models: ")
    assert "\n" not in said
