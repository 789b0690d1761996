"""Notebooks run when, and only when, something they depend on changed; a failed cell ends the build."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from humalign import depends
from humalign.book import run as book
from humalign.errors import InputError

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Page

"""
PARAMETERS = """```{code-cell} ipython3
:tags: [parameters]

seed = 0
profile = "mini"
```

"""


def cell(code):
    return f"```{{code-cell}} ipython3\n{code}\n```\n\n"


def write(folder, name, *codes):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(HEADER + PARAMETERS + "".join(map(cell, codes)), "utf8")
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A notebook that reads one data file and one module, run once."""
    root = tmp_path_factory.mktemp("ran")
    data = root / "data"
    data.mkdir()
    (data / "numbers.txt").write_text("1 2 3")
    source = write(
        root / "notebooks",
        "one",
        "import os, pathlib, numpy as np\nimport humalign.similarity\n"
        "pathlib.Path(humalign.__file__).with_name('calibration.py').read_bytes()\n"
        "print(np.loadtxt(pathlib.Path(os.environ['HUMALIGN_DATA'], 'numbers.txt')).sum() + seed)",
        "import humalign.data.registry\nfrom humalign.config import get_profile\n"
        "humalign.data.registry.available(get_profile('slice'))\n"
        "from humalign import show\nimport pandas as pd\n"
        "show.glue('total', 1.25)\nshow.figure_data(pd.DataFrame({'a': [1]}), 'fig-one')",
    )
    before = os.environ.get("HUMALIGN_DATA")
    os.environ["HUMALIGN_DATA"] = str(data)
    try:
        run = book.Run(source, root / "out" / "one.ipynb", {"seed": 4})
        lines = []
        _, failures = book.run_all([run], say=lines.append)
        assert not failures
        assert lines[-1].startswith("[1/1] one.md")
        yield run, data
    finally:
        if before is None:
            del os.environ["HUMALIGN_DATA"]
        else:
            os.environ["HUMALIGN_DATA"] = before


@pytest.fixture
def here(ran, monkeypatch):
    run, data = ran
    monkeypatch.setenv("HUMALIGN_DATA", str(data))
    return run, data


def test_fresh_after_a_run(here):
    run, _ = here
    text = run.target.read_text("utf8")
    assert "10.0" in text  # 1 + 2 + 3 + the parameter
    assert book.why_stale(run) == ""


def test_record_names_what_was_used_and_nothing_else(here):
    run, _ = here
    files = json.loads(run.target.read_text("utf8"))["metadata"]["humalign"]["files"]
    assert {"humalign:similarity.py", "humalign:arrays.py", "data:numbers.txt"} <= set(files)
    assert "humalign:calibration.py" in files  # read as text, as digests of code do
    assert "humalign:crowd.py" not in files
    assert "humalign:book.py" not in files


def test_stale_after_another_parameter_or_text(here, tmp_path):
    run, _ = here
    assert "parameters" in book.why_stale(book.Run(run.source, run.target, {"seed": 5}))
    changed = tmp_path / "one.md"
    changed.write_text(run.source.read_text("utf8") + "\nmore\n", "utf8")
    assert "text" in book.why_stale(book.Run(changed, run.target, run.parameters))


def test_stale_after_another_package_version(here, monkeypatch):
    run, _ = here
    monkeypatch.setattr(book, "versions", lambda: "numpy 0.0")
    assert "version" in book.why_stale(run)


def test_stale_after_changed_data(here):
    run, data = here
    path = data / "numbers.txt"
    before, stamp = path.read_text(), path.stat()
    try:
        path.write_text("1 2 4")
        assert book.why_stale(run) == "numbers.txt changed"
    finally:
        path.write_text(before)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert book.why_stale(run) == ""


def test_stale_after_new_data(here):
    run, data = here
    new = data / "more.txt"
    new.write_text("x")
    try:
        assert "data arrived" in book.why_stale(run)
        told = json.loads(run.target.read_text("utf8"))
        kept, told["metadata"]["humalign"]["listing"] = run.target.read_text("utf8"), None  # it asked for no data
        run.target.write_text(json.dumps(told), "utf8")
        assert book.why_stale(run) == ""
        run.target.write_text(kept, "utf8")
    finally:
        new.unlink()


def test_asking_what_data_there_are_is_noted(monkeypatch, tmp_path):
    from humalign.config import get_profile
    from humalign.data import registry

    for ask in (
        lambda: registry.available(get_profile("slice", data=tmp_path)),
        lambda: registry.entry("mur92").missing(tmp_path),
        lambda: registry.available(get_profile("slice").with_(data=None)),
    ):
        monkeypatch.setattr(depends, "_asked", False)
        ask()
        assert depends._asked
    monkeypatch.setattr(depends, "_asked", False)
    registry.available(get_profile("mini"))
    assert not depends._asked


def test_stale_after_a_changed_module_only_if_imported(here, monkeypatch):
    run, _ = here
    real = depends.state
    monkeypatch.setattr(book, "state", lambda name: "other" if name == "humalign:crowd.py" else real(name))
    assert book.why_stale(run) == ""
    monkeypatch.setattr(book, "state", lambda name: "other" if name == "humalign:similarity.py" else real(name))
    assert book.why_stale(run) == "similarity.py changed"


def test_stale_when_a_table_of_a_figure_is_gone(here):
    run, _ = here
    path = run.target.parent / "data" / "fig-one.csv"
    text = path.read_text()
    path.unlink()
    try:
        assert book.why_stale(run) == "fig-one.csv is gone"
    finally:
        path.write_text(text)


def test_stale_without_a_record(here, tmp_path):
    run, _ = here
    done = json.loads(run.target.read_text("utf8"))
    del done["metadata"]["humalign"]["files"]
    target = tmp_path / "one.ipynb"
    target.write_text(json.dumps(done), "utf8")
    assert book.why_stale(book.Run(run.source, target, run.parameters)) == "never ran"


def test_folders_of_many_files_count_as_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HUMALIGN_DATA", str(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_text("a")
    names = {f"data:images/{number}.jpg" for number in range(501)}
    assert depends._many_as_one(names | {"data:x.txt"}) == {"data:images/*", "data:x.txt"}
    before = depends.state("data:images/*")
    (tmp_path / "images" / "a.jpg").write_text("aa")
    assert depends.state("data:images/*") != before


def test_glued_numbers_are_collected(here):
    assert book.scalars(here[0].target) == {"total": 1.25}


def test_two_runs_are_the_same_bytes(here, tmp_path):
    run, _ = here
    again = book.Run(run.source, tmp_path / "one.ipynb", run.parameters)
    assert not book.run_all([again], say=lambda line: None)[1]
    assert again.target.read_bytes() == run.target.read_bytes()


def test_failure_is_told_and_the_other_result_is_kept(tmp_path):
    bad = write(tmp_path / "notebooks", "bad", "values = [1]\nvalues[3]")
    good = write(tmp_path / "notebooks", "good", "seed + 1")
    runs = [book.Run(path, tmp_path / f"{path.stem}.ipynb") for path in (bad, good)]
    seconds, failures = book.run_all(runs, workers=2, say=lambda line: None)
    assert [run.source.stem for run in seconds] == ["good"]
    assert runs[1].target.is_file()
    assert not runs[0].target.exists()
    assert failures[runs[0]].splitlines()[-1] == "bad.md, cell [2]: IndexError: list index out of range"


def test_plan_gives_parameters_only_where_they_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("HUMALIGN_PROFILE", "slice")
    write(tmp_path / "notebooks", "a")
    (tmp_path / "notebooks" / "b.md").write_text(HEADER, "utf8")
    write(tmp_path / "notebooks", "c")
    runs = book.plan(
        tmp_path / "notebooks", tmp_path, {"all": {"profile": "mini"}, "c": {"profile": "full", "seed": 2}}
    )
    assert [run.parameters for run in runs] == [{"profile": "slice"}, {}, {"profile": "full", "seed": 2}]


def test_plan_refuses_unknown_names(tmp_path):
    write(tmp_path / "notebooks", "a")
    with pytest.raises(InputError, match="names notebooks that do not exist: nothing"):
        book.plan(tmp_path / "notebooks", tmp_path, {"nothing": {"seed": 1}})
    with pytest.raises(InputError, match="has no parameter sead"):
        book.plan(tmp_path / "notebooks", tmp_path, {"a": {"sead": 1}})


def test_processes_at_most_as_many_as_asked():
    with book.executor("processes", 2) as pool:
        jobs = [pool.submit(os.getpid) for _ in range(4)]
        assert os.getpid() not in {job.result() for job in jobs}


class Here:
    """The least an executor of a queueing system offers: submit, and jobs with done and result."""

    def __init__(self, workers):
        self.workers = workers

    def submit(self, function, *args):
        job = Future()
        job.set_result(function(*args))
        return job


def factory(workers):
    return Here(workers)


def test_executor_from_an_import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with book.executor("test_book_run:factory", 3) as pool:
        assert pool.workers == 3
        assert pool.submit(max, 1, 2).result() == 2


@pytest.mark.parametrize("spec", ["threads", "no.such.module:name", "os:no_such_name"])
def test_unknown_executor(spec):
    with pytest.raises(InputError, match=r"package\.module:factory"), book.executor(spec, 1):
        pass


def test_dask_executor():
    pytest.importorskip("distributed")
    with book.executor("dask", 1) as pool:
        job = pool.submit(divmod, 7, 2)
        assert job.result(timeout=60) == (3, 1)


def make_book(root, *codes):
    write(root / "notebooks", "page", *codes)
    folder = root / "book"
    folder.mkdir()
    (folder / "_config.yml").write_text(
        "title: t\nauthor: a\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        "sphinx:\n  extra_extensions: [humalign.book.sphinx]\n  config: {humalign_timeout: 60}\n"
    )
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: notebooks/page\n")
    (folder / "index.md").write_text("# Book\n\n$$x^2$$\n")
    return folder


def build(folder):
    return subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_failed_cell_ends_the_build_with_its_error(tmp_path):
    done = build(make_book(tmp_path, "raise ValueError('rows 3 to 5 are NaN')"))
    assert done.returncode == 1
    said = (done.stdout + done.stderr).strip().splitlines()
    assert "page.md, cell [2]: ValueError: rows 3 to 5 are NaN" in done.stderr.strip().splitlines()[-1], said[-5:]


def test_the_build_runs_once_and_shows_the_result(tmp_path):
    folder = make_book(tmp_path, "6 * 7 + seed")
    first = build(folder)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "1 of 1 out of date" in first.stdout
    assert "42" in (folder / "_build/html/notebooks/page.html").read_text("utf8")
    assert (folder / "_build/html/_static/mathjax/tex-chtml.js").is_file()
    assert "0 of 1 out of date" in build(folder).stdout


def test_the_table_of_data_sets_holds_the_whole_registry(tmp_path):
    """Every data set stands in the table, alone or in a family, with its source and licence."""
    from sphinx.application import Sphinx

    from humalign.data import describe, registry

    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser']\n"
        "def setup(app):\n"
        "    from humalign.book.sphinx import DataTable\n"
        "    app.add_directive('humalign-data', DataTable)\n"
    )
    (tmp_path / "index.md").write_text("# Data\n\n```{humalign-data} full\n```\n")
    app = Sphinx(tmp_path, tmp_path, tmp_path / "out", tmp_path / "tree", "html", status=None, warning=sys.stderr)
    app.build()
    assert not app.statuscode
    page = (tmp_path / "out" / "index.html").read_text("utf8").replace("\u2019", "'").replace("&#39;", "'")
    rows = describe.families("full")
    counted = [int(found[1]) for row in rows if (found := re.search(r"\((\d+) sets\)", row["data"]))]
    assert sum(counted) + len(rows) - len(counted) == len(registry.entries("full"))
    for row in rows:
        assert row["data"].split(" (")[0] in page
    for one in registry.entries("full"):
        assert one.origin in page
        assert one.licence in page
    text = (Path(__file__).resolve().parents[1] / "book" / "data_and_licences.md").read_text("utf8")
    assert "{humalign-data} slice" in text
    assert "{humalign-data} full" in text
