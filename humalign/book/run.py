"""Runs notebooks with papermill: which are out of date, on which executor, and what came of it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import json
import os
import platform
import re
import time
import warnings
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from ..config import OWN, PROFILES, get_profile
from ..depends import DOWNLOAD, MIME, depends_on, listing, produces, state
from ..errors import HumalignError, InputError
from ..processes import OwnProcesses
from ..store import atomic_path, read_json, sha256, unlike
from .missing import MISSED, fill

__all__ = [
    "Run",
    "default_parameters",
    "depends_on",
    "execute",
    "executor",
    "find_notebook",
    "plan",
    "produces",
    "run_all",
    "scalars",
    "why_stale",
]

SUFFIXES = (".md", ".py", ".ipynb")
PACKAGES = ("matplotlib", "numpy", "open_clip_torch", "pandas", "scikit-learn", "scipy", "timm", "torch", "torchvision")


@dataclass(frozen=True, eq=False)
class Run:
    """One notebook with one set of parameters.

    Attributes
    ----------
    source : Path
        Text notebook (MyST ``.md``, percent ``.py``) or ``.ipynb``.
    target : Path
        The executed notebook.
    parameters : dict
        Values that replace those of the cell tagged ``parameters``.
    data : str
        Name of the folder beside the target that gets the tables of its figures.
    """

    source: Path
    target: Path
    parameters: dict = field(default_factory=dict)
    data: str = "data"

    @property
    def digest(self) -> str:
        """Everything that is known before the run: text, parameters, versions."""
        parts = [
            self.source.read_bytes(),
            json.dumps(self.parameters, sort_keys=True, default=str).encode(),
            versions().encode(),
            mine().encode(),
            owned(self.parameters.get("profile")).encode(),
        ]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@cache
def versions() -> str:
    """Python and the packages that numbers can depend on, with their versions."""
    found = [f"python {platform.python_version()}"]
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def mine() -> str:
    """The reader's own network, ``HUMALIGN_MINE``, which joins every figure: its name, or the content of its file."""
    name = os.environ.get("HUMALIGN_MINE", "")
    return f"{name} {sha256(name)}" if os.path.isfile(name) else name


def whole(parameters: dict) -> dict:
    """The parameters, with the whole path of a folder that is the profile, checked: notebooks run in their own folder.

    Raises
    ------
    InputError
        For what is neither a profile nor a folder with studies.
    """
    if "profile" not in parameters:
        return parameters
    from ..source import open_source

    profile = get_profile(parameters["profile"])
    if profile.kind != OWN:
        return parameters
    return {**parameters, "profile": str(open_source(profile).root)}


def owned(profile) -> str:
    """Names, sizes and times of the files in a folder that is the profile; "" for the profiles with names."""
    if profile is None or profile in PROFILES or not Path(profile).is_dir():
        return ""
    files = (path for path in sorted(Path(profile).rglob("*")) if path.is_file())
    return repr([(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files])


def default_parameters(source: Path) -> dict:
    """Names and values in the cell tagged ``parameters``; a value that is not a literal is given as its source text."""
    found = {}
    for cell in read_notebook(source).cells:
        if cell.cell_type != "code" or "parameters" not in cell.metadata.get("tags", []):
            continue
        try:
            statements = ast.parse(cell.source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f", line {error.lineno} of the cell" if isinstance(error, SyntaxError) else ""
            told = f"its parameters are not Python ({getattr(error, 'msg', error)}{line})"
            raise InputError(told, source, "mend the cell tagged 'parameters'") from None
        for statement in statements:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                try:
                    value = ast.literal_eval(statement.value)
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    value = ast.unparse(statement.value)
                found.update({target.id: value for target in targets if isinstance(target, ast.Name)})
    return found


def read_notebook(source: Path):
    """A notebook from text or .ipynb.

    Raises
    ------
    InputError
        For what is none: no text, damaged, cells without a kind or source, tags that are no list of words.
    """
    import jupytext
    import nbformat

    try:
        with warnings.catch_warnings(action="ignore"):  # of older forms, which are read
            notebook = jupytext.read(source)
            notebook = nbformat.v4.upgrade(notebook) if notebook.get("nbformat") == 4 else notebook
    except Exception as error:  # of several libraries
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"is no notebook ({reason})", source, "write it again, or move it away") from None
    text = (str, [str])
    cell = {"cell_type": str, "source": text, "metadata": {"tags?": [str], "mystnb?": {str: object}}}
    if told := unlike(notebook, {"nbformat": int, "metadata": {str: object}, "cells": [cell]}):
        raise InputError(f"is no notebook ({told})", source, "write it again, or move it away")
    if strange := [one.cell_type for one in notebook.cells if one.cell_type not in ("code", "markdown", "raw")]:
        raise InputError(f"is no notebook (a cell of kind '{strange[0]}')", source, "write it again, or move it away")
    return notebook


def check_parameters(source: Path, parameters: dict) -> None:
    """InputError when the notebook has no such parameter."""
    known = default_parameters(source)
    if unknown := sorted(set(parameters) - set(known)):
        raise _no_parameter(unknown, known, source)


def _no_parameter(unknown, known, source) -> InputError:
    return InputError(f"has no parameter {', '.join(unknown)}", source, f"it has {', '.join(known) or 'none'}")


def find_notebook(name: str, folder: Path | None = None) -> Path:
    """The notebook that a path, or the name of a notebook in ``notebooks/``, means."""
    folder = folder or Path("notebooks")
    for path in (Path(name), *(folder / f"{name}{suffix}" for suffix in SUFFIXES), folder / name):
        if path.is_file() and path.suffix in SUFFIXES:
            return path.resolve()
    names = ", ".join(sorted(p.stem for p in folder.glob("*") if p.suffix in SUFFIXES)) or "none here"
    raise InputError("is no notebook", name, f"give a path or one of: {names}")


def plan(sources: Path, out: Path, parameters: dict | None = None) -> list[Run]:
    """One run for each notebook in a folder.

    Parameters
    ----------
    sources, out : Path
        Folder with the text notebooks; folder for the executed ones.
    parameters : dict, optional
        For each notebook (by stem) its parameters; the entry ``all`` holds for every notebook that has the parameter.
        ``HUMALIGN_PROFILE`` replaces ``profile`` of ``all``; what is given for one notebook comes before both.

    Raises
    ------
    InputError
        For a notebook, a parameter or a profile that does not exist.
    """
    parameters = dict(parameters or {})
    common = dict(parameters.pop("all", {}) or {})
    if profile := os.environ.get("HUMALIGN_PROFILE"):
        common["profile"] = profile
    runs = []
    for source in sorted(p for p in Path(sources).iterdir() if p.suffix in SUFFIXES and p.name.upper() != "README.MD"):
        own = dict(parameters.pop(source.stem, {}) or {})
        if own or common:
            known = default_parameters(source)
            if unknown := sorted(set(own) - set(known)):
                raise _no_parameter(unknown, known, source)
            own = whole({**{key: value for key, value in common.items() if key in known}, **own})
        runs.append(Run(source, Path(out) / f"{source.stem}.ipynb", own))
    if parameters:
        raise InputError(
            f"names notebooks that do not exist: {', '.join(sorted(parameters))}",
            "humalign_parameters",
            "correct _config.yml",
        )
    return runs


def why_stale(run: Run) -> str:
    """Why a notebook has to run (again); empty when its stored result still holds."""
    noted = {"files": {str: str}, "digest": str, "outputs?": [str], "listing?": (str, None)}
    try:
        record = read_json(run.target, {"metadata": {"humalign": noted}})["metadata"]["humalign"]
    except InputError:
        return "never ran"
    files, known = record["files"], record["digest"]
    if known != run.digest:
        return "its text, its parameters or a package version changed"
    if record.get("listing") is not None and record["listing"] != listing():
        return "data arrived or went"
    changed = [name.partition(":")[2] for name, value in files.items() if state(name) != value]
    if changed:
        return f"{changed[0]} changed" + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
    missing = [name for name in record.get("outputs", []) if not (run.target.parent / run.data / name).is_file()]
    return f"{missing[0]} is gone" if missing else ""


def _strip_ansi(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _move_downloads(cell) -> None:
    """Put the link to the numbers of a figure into its legend, as every output of its cell would be a figure."""
    figure = cell.metadata.get("mystnb", {}).get("figure")
    kept = []
    for output in cell.get("outputs", []):
        link = output.get("data", {}).pop(DOWNLOAD, None)
        if link is not None and figure is not None:
            figure["caption"] = f"{figure.get('caption', '').rstrip()}\n\n{link}\n"
        else:
            kept.append(output)
    if cell.cell_type == "code":
        cell["outputs"] = kept


def execute(run: Run, timeout: int = 3600, threads: int = 0) -> float:
    """Run one notebook and write the result; returns seconds.

    Call it in a process of its own: papermill changes the working directory. The result is the same, byte for byte,
    for the same numbers: random cell ids and timings are left out.

    Raises
    ------
    HumalignError
        When a cell fails; the last line of the message names notebook, cell and error.
    """
    import nbformat
    import papermill

    start = time.perf_counter()
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # no dates in SVG figures
    os.environ["HUMALIGN_OUTPUT"] = str(run.target.parent.resolve() / run.data)
    for name in ("HUMALIGN_CACHE", "HUMALIGN_DATA", "HUMALIGN_MINE", "HUMALIGN_PROFILE"):  # the kernel runs elsewhere
        value = os.environ.get(name, "")
        if value and value not in PROFILES and (name == "HUMALIGN_CACHE" or Path(value).expanduser().exists()):
            os.environ[name] = str(Path(value).expanduser().resolve())
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    notebook = read_notebook(run.source)
    code = "from humalign.depends import report as _report; _report()"
    notebook.cells.append(nbformat.v4.new_code_cell(code, metadata={"tags": ["humalign-record"]}))
    try:
        done = papermill.execute_notebook(
            notebook,
            None,
            parameters=run.parameters,
            kernel_name="python3",
            cwd=str(run.source.parent),
            progress_bar=False,
            execution_timeout=timeout,
            extra_arguments=[
                "--IPKernelApp.log_level=50",  # ipykernel 7 warns about TCP at every start
                "--IPKernelApp.exec_lines=from humalign import depends as _d; _d.watch(); del _d",
            ],
        )
    except papermill.PapermillExecutionError as error:
        trace = _strip_ansi("\n".join(error.traceback))
        where = f"{run.source.name}, cell [{error.exec_count}]: {error.ename}: {_strip_ansi(str(error.evalue))}"
        raise HumalignError(f"{trace}\n\n{where}") from None
    except Exception as error:
        raise HumalignError(f"{run.source.name}: {type(error).__name__}: {error}") from None
    last = done.cells.pop()
    record = next((o["data"][MIME] for o in last.get("outputs", []) if MIME in o.get("data", {})), None)
    fill(done)
    missed = sum(any(MISSED in o.get("metadata", {}) for o in cell.get("outputs", [])) for cell in done.cells)
    for number, cell in enumerate(done.cells):
        cell["id"] = f"cell-{number}"  # jupytext invents random ids for text sources
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        _move_downloads(cell)
        if cell.cell_type == "code":  # progress bars and warnings: timings and paths of the machine, not results
            cell["outputs"] = [o for o in cell["outputs"] if o.get("name") != "stderr"]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = ["injected-parameters", "hide-input"]
    for key in ("papermill", "jupytext"):
        done.metadata.pop(key, None)
    done.metadata["humalign"] = {"digest": run.digest, "parameters": run.parameters, "missed": missed, **(record or {})}
    with atomic_path(run.target) as partial:
        nbformat.write(done, partial)
    return time.perf_counter() - start


@contextlib.contextmanager
def executor(spec: str = "processes", workers: int = 1):
    """An object with ``submit(function, *args)``, as a context.

    Parameters
    ----------
    spec : str
        ``processes`` (default); ``dask`` (a local cluster) or ``dask:tcp://host:port`` (a running one); or the import
        path of a factory, ``package.module:factory``, called with ``workers``. Its result needs ``submit``, whose
        results need ``done()`` and ``result()``: any ``concurrent.futures`` executor, ``submitit`` executors, the
        executor of a dask-jobqueue cluster.
    workers : int
        Processes at a time, at least 1.
    """
    workers = max(1, int(workers))
    if spec == "processes":
        with OwnProcesses(workers) as pool:
            yield pool
    elif spec == "dask" or spec.startswith("dask:"):
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise InputError(
                "dask.distributed is not installed", "executor", "pip install 'humalign[cluster]'"
            ) from None
        if spec == "dask":
            local = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            with local as cluster, Client(cluster) as client:
                yield client.get_executor(pure=False)
        else:
            with Client(spec.partition(":")[2]) as client:
                yield client.get_executor(pure=False)
    else:
        module, _, name = spec.partition(":") if ":" in spec else (*spec.rpartition(".")[:2], spec.rpartition(".")[2])
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"cannot be imported ({error})",
                f"executor '{spec}'",
                "use processes, dask, dask:ADDRESS or package.module:factory",
            ) from None
        made = factory(workers)
        # submitit executors are context managers of another kind, which hold jobs back until the end (batch)
        closes = hasattr(made, "__enter__") and not hasattr(made, "batch")
        with made if closes else contextlib.nullcontext(made) as pool:
            yield pool


def run_all(
    runs: list[Run], *, spec: str = "processes", workers: int = 0, timeout: int = 3600, say=print, every: float = 30.0
) -> tuple[dict[Run, float], dict[Run, str]]:
    """Run notebooks at the same time; what is finished is kept when another one fails.

    Parameters
    ----------
    runs : list of Run
    spec : str
        See :func:`executor`.
    workers : int
        0: as many as cores, at most as many as runs.
    timeout : int
        Seconds allowed for one cell.
    say : callable
        Gets one line for each finished notebook, and one each ``every`` seconds while nothing finishes.

    Returns
    -------
    seconds : dict of Run to float
        The runs that ended well.
    failures : dict of Run to str
        The others, with the traceback of the failed cell and, as last line, where and what.
    """
    if not runs:
        return {}, {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(workers or cores, len(runs))
    threads = max(1, cores // workers) if spec == "processes" else 0
    seconds, failures = {}, {}
    with executor(spec, workers) as pool:
        jobs = {run: pool.submit(execute, run, timeout, threads) for run in runs}
        began = last = time.monotonic()
        try:
            while waiting := {run: job for run, job in jobs.items() if run not in seconds and run not in failures}:
                for run, job in waiting.items():
                    if not job.done():
                        continue
                    last = time.monotonic()
                    number = f"[{len(seconds) + len(failures) + 1}/{len(runs)}]"
                    try:
                        seconds[run] = job.result()
                        say(f"{number} {run.source.name} ({seconds[run]:.1f} s)")
                    except Exception as error:
                        told = str(error)
                        failures[run] = told if run.source.name in told else f"{run.source.name}: {told}"
                        say(f"{number} {run.source.name} failed")
                if time.monotonic() - last > every:
                    last = time.monotonic()
                    left = ", ".join(run.source.name for run, job in waiting.items() if not job.done())
                    say(f"after {last - began:.0f} s still to come: {left}")
                time.sleep(0.1)
        except KeyboardInterrupt:
            left = [run.source.name for run, job in jobs.items() if not (job.cancel() or job.done())]
            say(f"stopping {', '.join(left) or 'the rest'}; what was finished is kept")
            raise
    return seconds, failures


def left_out(path: Path) -> list[str]:
    """Why cells of an executed notebook could not run for want of data: one reason a cell."""
    shown = {"metadata?": {MISSED + "?": {"reason": str}}}
    cells = read_json(path, {"cells": [{"outputs?": [shown]}]}, "run it again, or move it away")["cells"]
    told = [[o["metadata"][MISSED]["reason"] for o in cell.get("outputs", []) if MISSED in o.get("metadata", {})]
            for cell in cells]  # fmt: skip
    return [reasons[0] for reasons in told if reasons]


def scalars(path: Path) -> dict[str, float]:
    """Numbers that an executed notebook glued (``humalign.show.glue``), by key."""
    found = {}
    shown = {"metadata?": {"scrapbook?": {"name?": str}}, "data?": {str: object}}
    for cell in read_json(path, {"cells": [{"outputs?": [shown]}]}, "run it again, or move it away")["cells"]:
        for output in cell.get("outputs", []):
            key = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = next((v for k, v in output.get("data", {}).items() if k.endswith("text/plain")), "")
            text = "".join(map(str, text)) if isinstance(text, list) else str(text)
            match = re.match(r"(?:np\.\w+\()?([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", text)
            if key and match:
                found[key] = float(match[1])
    return found
