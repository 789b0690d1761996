"""Scale out: a real cluster of two Dask workers, one of them killed half-way; sweeps that go on where they stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from humalign.book import run as book
from humalign.cli import main

ROOT = Path(__file__).resolve().parents[1]
HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Page

```{code-cell} ipython3
:tags: [parameters]

seed = 0
```

```{code-cell} ipython3
import time
import numpy as np
from humalign import show
time.sleep(1)
total = float(np.random.default_rng(seed).normal(size=1000).sum())
show.glue("total", total)
total
```
"""


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    made = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with made as cluster, distributed.Client(cluster) as client:
        yield cluster, client


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "notebooks" / "page.md"
    path.parent.mkdir()
    path.write_text(HEADER, "utf8")
    return path


def runs_in(folder, source, seeds):
    return [book.Run(source, folder / f"{seed}" / "page.ipynb", {"seed": seed}) for seed in seeds]


def test_nothing_is_lost_when_a_worker_is_killed_half_way(cluster, source, tmp_path):
    cluster, client = cluster
    runs, killed = runs_in(tmp_path / "dask", source, range(4)), {}
    process = client.run(os.getpid)

    def kill_one(line):
        """When the first notebook is finished: kill a worker that is busy with another one."""
        if killed or "failed" in line or not line.startswith("["):
            return
        busy = [worker for worker, tasks in client.processing().items() if tasks and worker in process]
        killed.update(worker=busy[0], pid=process[busy[0]], busy=len(client.processing()[busy[0]]))
        os.kill(killed["pid"], signal.SIGKILL)

    seconds, failures = book.run_all(runs, spec=f"dask:{cluster.scheduler_address}", workers=2, say=kill_one)
    assert killed["busy"] > 0, "the worker had nothing to lose"
    assert not failures
    assert set(seconds) == set(runs)
    assert killed["pid"] not in client.run(os.getpid).values()

    serial = runs_in(tmp_path / "serial", source, range(4))
    assert not book.run_all(serial, spec="processes", workers=1, say=lambda line: None)[1]
    for one, other in zip(runs, serial):
        assert one.target.read_bytes() == other.target.read_bytes()


def test_a_sweep_goes_on_where_it_stopped(cluster, source, tmp_path, capsys):
    cluster, _ = cluster
    spec, out = f"dask:{cluster.scheduler_address}", tmp_path / "runs"
    asked = ["sweep", str(source), "-o", str(out), "--executor", spec, "-g", "seed"]
    assert main([*asked, "0", "1"]) == 0
    assert "2 cells, 0 already done" in capsys.readouterr().out
    first = pd.read_csv(out / "page.csv")
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.ipynb")}

    lost = sorted(stamps)[0]
    lost.unlink()  # as if the sweep had been interrupted before this cell was written
    assert main([*asked, "0", "1", "2"]) == 0
    assert "3 cells, 1 already done" in capsys.readouterr().out
    again = pd.read_csv(out / "page.csv")
    assert again["seed"].tolist() == [0, 1, 2]
    assert again["total"].tolist()[:2] == first["total"].tolist()
    assert (again["state"] == "done").all()
    kept = sorted(stamps)[1]
    assert kept.stat().st_mtime_ns == stamps[kept]


def factory(workers):
    """An executor of threads, found by its import path; papermill runs each kernel in a process of its own."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1)


def test_a_sweep_on_an_executor_by_import_path(source, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    out = tmp_path / "runs"
    asked = ["sweep", str(source), "-o", str(out), "--executor", "test_scale_out:factory", "-g", "seed", "7"]
    assert main(asked) == 0
    assert pd.read_csv(out / "page.csv")["seed"].tolist() == [7]


def test_the_sweep_workflow_of_the_repository(source, tmp_path):
    """The shell steps of .github/workflows/sweep.yml, run here: one job a value, then the table."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "sweep.yml").read_text("utf8"))["jobs"]
    assert jobs["cell"]["strategy"]["matrix"]["value"] == "${{ fromJSON(inputs.values) }}"
    bin_ = tmp_path / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    (bin_ / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_ / "python").chmod(0o755)

    def step(job, word, **variables):
        script = next(one["run"] for one in jobs[job]["steps"] if word in one.get("run", ""))
        known = {"NOTEBOOK": "page", "PARAMETER": "seed", **variables}
        assert set(known) >= set(jobs[job]["env"])
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env={**os.environ, **known})
        assert done.returncode == 0

    for value in ("3", "4"):
        step("cell", "papermill", VALUE=value)
    step("table", "humalign.book.collect")
    table = pd.read_csv(tmp_path / "runs" / "page.csv")
    assert table["seed"].tolist() == [3, 4]
    assert table["total"].nunique() == 2
