"""Ids: distinct, found by name, and what follows them when rows change places."""

from __future__ import annotations

import numpy as np

from ..errors import InputError


def check_ids(ids, where) -> tuple[str, ...]:
    """Ids as a tuple of distinct, non-empty strings; InputError otherwise."""
    ids = tuple(str(i) for i in ids)
    if not ids:
        raise InputError("there are no ids", where, "give one id per row")
    if any(not i for i in ids):
        raise InputError(f"id number {ids.index('')} is empty", where, "give every row an id")
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))
        raise InputError(f"id '{twice}' occurs more than once", where, "ids must be distinct")
    return ids


def positions(ids: tuple[str, ...], wanted, where) -> np.ndarray:
    """Row numbers in ``ids`` of the ids ``wanted``; InputError names the first unknown ones."""
    wanted = check_ids(wanted, where)
    index = {name: row for row, name in enumerate(ids)}
    missing = [name for name in wanted if name not in index]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"has no row for {', '.join(missing[:3])}{more}", where, "align by the ids that both sides have"
        )
    return np.array([index[name] for name in wanted], dtype=np.intp)


def check_finite(values: np.ndarray, where) -> None:
    """InputError when a number is NaN or infinite."""
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise InputError(
            f"{int(bad.sum())} values are NaN or infinite, the first in row {row}", where, "compute these rows again"
        )


def concepts_of(concepts, ids, where) -> tuple[str, ...]:
    """One concept an id, as text; the ids themselves where none are given."""
    if concepts is None:
        return ids
    concepts = tuple(str(c) for c in concepts)
    if len(concepts) != len(ids):
        raise InputError(f"{len(concepts)} concepts for {len(ids)} ids", where, "give one concept per id")
    return concepts


def follow(meta: dict, rows, m: int) -> dict:
    """Facts of single rows (lists as long as the m ids) in the order of ``rows``; all others as they are."""
    return {k: [v[r] for r in rows] if isinstance(v, (list, tuple)) and len(v) == m else v for k, v in meta.items()}
