"""Run one notebook over a grid of parameters: one executed notebook a cell, and one table of all.

A cell that is finished and still holds (same text, parameters, code, data and versions) is not repeated, so an
interrupted sweep goes on where it stopped. The table has one row a cell: parameters, state, and every number that the
notebook glued; "left_out" counts cells that could not run for want of data.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

EXAMPLE = """
humalign sweep start -g seed 0 1 2 -g n_triplets 500 1000 -o runs --workers 2
humalign sweep start --grid grid.yml --executor dask:tcp://scheduler:8786
"""


def configure(parser) -> None:
    """Options of ``humalign sweep``."""
    from ..cli import number

    parser.add_argument("notebook", help="path, or name of a notebook in notebooks/")
    parser.add_argument(
        "-g",
        "--values",
        nargs="+",
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="values of one parameter; may be repeated, the grid is their product",
    )
    parser.add_argument("--grid", metavar="FILE", help="YAML file: parameter -> list of values")
    parser.add_argument(
        "--strict", action="store_true", help="exit with code 1 when cells were left out for want of data"
    )
    parser.add_argument("-o", "--output", default="runs", metavar="DIR", help="folder for the results (default: runs)")
    parser.add_argument(
        "--executor",
        default="processes",
        metavar="SPEC",
        help="processes, dask, dask:ADDRESS or package.module:factory (default: processes)",
    )
    parser.add_argument("--workers", type=number(), default=0, help="runs at a time (default: as many as cores)")
    parser.add_argument("--timeout", type=number(1), default=3600, help="seconds allowed for one cell of a notebook")


def grid(args) -> dict[str, list]:
    """Parameter -> values, from ``--grid`` and ``-g``."""
    from ..errors import InputError
    from .run import value_of

    found = {}
    if args.grid:
        path = Path(args.grid)
        if not path.is_file():
            raise InputError("does not exist", path, "name a YAML file with parameter: [values]")
        found = value_of(path.read_text("utf8"), path)
        if not isinstance(found, dict) or not all(isinstance(v, list) and v for v in found.values()):
            raise InputError("is not a mapping of parameters to lists", path, "write lines such as 'seed: [0, 1, 2]'")
    for key, *values in args.values:
        if not values:
            raise InputError(f"parameter {key} has no values", "-g", f"write -g {key} VALUE VALUE")
        found[key] = [value_of(value) for value in values]
    if not found:
        raise InputError("no parameter to vary", "sweep", "give -g KEY VALUE VALUE or --grid FILE")
    return found


def main(args) -> int:
    """Run the grid."""
    import pandas as pd

    from ..book.run import Run, check_parameters, find_notebook, left_out, run_all, scalars, whole, why_stale
    from ..errors import HumalignError
    from ..store import digest, write_text

    source, values = find_notebook(args.notebook), grid(args)
    check_parameters(source, values)
    out = Path(args.output).resolve()
    runs = []
    for combination in itertools.product(*values.values()):
        cell = whole(dict(zip(values, combination)))
        name = f"{source.stem}-{digest(json.dumps(cell, sort_keys=True, default=str))[:10]}"
        runs.append(Run(source, out / name / f"{name}.ipynb", cell))
    todo = [run for run in runs if why_stale(run)]
    print(f"{len(runs)} cells, {len(runs) - len(todo)} already done", flush=True)
    _, failures = run_all(todo, spec=args.executor, workers=args.workers, timeout=args.timeout)
    rows, lacking = [], 0
    for run in runs:
        state = "failed" if run in failures else "done"
        numbers = {} if run in failures else {"left_out": len(left_out(run.target)), **scalars(run.target)}
        lacking += bool(numbers.get("left_out"))
        rows.append({**run.parameters, "state": state, "notebook": run.target.relative_to(out).as_posix(), **numbers})
    table = out / f"{source.stem}.csv"
    write_text(table, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    print(f"{table}: {len(rows)} rows")
    if failures:
        raise HumalignError(f"{len(failures)} of {len(runs)} cells failed\n" + "\n".join(failures.values()))
    if lacking:
        told = f"{lacking} of {len(runs)} notebooks left cells out for want of data; the column left_out counts them"
        print(told, file=sys.stderr)
    return int(bool(lacking) and args.strict)
