"""Choices of whatever chose: three names and the odd one in each line of a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files
from .types import Triplets

COLUMNS = ("a", "b", "c", "odd")
MORE = ("model", "person")
MEND = "write one choice a line: a, b, c (three names) and odd (one of them); model and person if you like"


def read(path) -> dict[str, Triplets]:
    """Choices by who made them.

    Parameters
    ----------
    path : path
        CSV with the columns a, b, c, odd and, if wanted, person and model; further columns are passed over. Names are
        those of the objects, for THINGS the uniqueID.

    Returns
    -------
    dict of str to Triplets
        By the name in the column model, without it by the name of the file; ``participants`` from the column person.

    Raises
    ------
    InputError
        One line with the first row that is wrong: no such column, an empty name, an object twice, an odd one that is
        none of the three.
    """
    path = Path(path)
    frame = files.read_frame(path, COLUMNS, text=(*COLUMNS, *MORE))
    names = frame[list(COLUMNS)]
    if (empty := names.isna().any(axis=1)).any():
        raise _wrong(path, empty, "has an empty name")
    names = names.apply(lambda column: column.str.strip())
    shown = names[["a", "b", "c"]].to_numpy(object)
    twice = (shown[:, 0] == shown[:, 1]) | (shown[:, 0] == shown[:, 2]) | (shown[:, 1] == shown[:, 2])
    if twice.any():
        raise _wrong(path, twice, "names one object twice")
    at = shown == names[["odd"]].to_numpy(object)
    if not (known := at.any(1)).all():
        row = int(np.argmin(known))
        raise _wrong(path, ~known, f"has the odd one '{names['odd'].iloc[row]}', which is none of the three")
    ids, codes = np.unique(shown.astype(str), return_inverse=True)
    codes = codes.reshape(shown.shape)
    kept = codes[~at].reshape(-1, 2)
    rows = np.column_stack([kept, codes[at]])
    who = frame["model"].fillna("").str.strip() if "model" in frame else np.full(len(frame), path.stem, object)
    if (nobody := np.asarray(who == "")).any():
        raise _wrong(path, nobody, "names no model")
    people = frame["person"].fillna("").astype(str).to_numpy() if "person" in frame else None
    whole = Triplets(tuple(map(str, ids)), rows, path.name, "", path.stem, participants=people)
    return {str(one): whole.select(np.flatnonzero(np.asarray(who) == one)) for one in dict.fromkeys(who)}


def _wrong(path, rows, told: str) -> InputError:
    return InputError(f"line {int(np.argmax(np.asarray(rows))) + 2} {told}", path, MEND)
