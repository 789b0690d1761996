"""One table from a folder of executed notebooks: the parameters each ran with and the numbers it glued."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import HumalignError, InputError
from ..store import read_json, write_text
from .run import scalars


def collect(folder) -> list[dict]:
    """One row for each ``.ipynb`` below ``folder``: parameters, notebook, and every glued number.

    Hidden folders are passed over: Jupyter keeps copies in ``.ipynb_checkpoints``.
    """
    found = (path.relative_to(folder) for path in Path(folder).rglob("*.ipynb"))
    like = {"cells": [{}], "metadata?": {"humalign?": {"parameters?": {}}, "papermill?": {"parameters?": {}}}}
    paths = [Path(folder) / path for path in sorted(found) if not any(part.startswith(".") for part in path.parts)]
    if not paths:
        raise InputError("holds no executed notebook", folder, "run a sweep first")
    rows = []
    for path in paths:
        content = read_json(path, like, "run it again, or move it away")
        meta = content.get("metadata", {})
        parameters = meta.get("humalign", meta.get("papermill", {})).get("parameters", {})
        rows.append({**parameters, "notebook": path.relative_to(folder).as_posix(), **scalars(path)})
    return rows


def main(argv: list[str]) -> int:
    """``python -m humalign.book.collect FOLDER TABLE.csv``."""
    import pandas as pd

    if len(argv) != 2:
        print("usage: python -m humalign.book.collect FOLDER TABLE.csv", file=sys.stderr)
        return 2
    try:
        table = pd.DataFrame(collect(argv[0]))
    except HumalignError as error:
        print(f"humalign.book.collect: {error}", file=sys.stderr)
        return error.exit_code
    write_text(argv[1], table.to_csv(index=False, lineterminator="\n"))
    print(f"{argv[1]}: {len(table)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
