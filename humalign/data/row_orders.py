"""The three row orders of the THINGS concepts, and evidence from an embedding of which one a file is in."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .files import AGAIN
from .ids import check_ids
from .types import Triplets

ORDERS = ("sorted", "raw", "python")


def in_order(ids, order: str, maps=None) -> tuple[str, ...]:
    """Concept names in one of the three row orders that are in circulation.

    Parameters
    ----------
    ids : sequence of str
        In THINGS' own order.
    order : {"sorted", "raw", "python"}
        "sorted" = THINGS' own (`unique_id.txt`); "raw" = by image file name (``uniqueID + ".jpg"`` by code point, the
        order of the VICE embedding and of image folders); "python" = Python's ``sorted`` of the names.
    maps : DataFrame, optional
        The published map (data set ``things/orders``); without it the rules above are applied.
    """
    ids = check_ids(ids, "concepts")
    if order not in ORDERS:
        raise InputError(f"no row order is called '{order}'", "things", f"choose one of {', '.join(ORDERS)}")
    if order == "sorted":
        return ids
    if maps is not None:
        if set(maps.index) != set(ids):
            raise InputError("names other concepts than things_concepts.tsv", "index_maps.csv", AGAIN)
        column = {"raw": "raw_index", "python": "python_sorted_index"}[order]
        return tuple(maps[column].sort_values().index)
    return tuple(sorted(ids, key=(lambda name: name + ".jpg") if order == "raw" else None))


def order_evidence(triplets: Triplets, embedding) -> dict:
    """Which row order triplets were written in, judged by an embedding whose rows are known by name.

    Counts only trials that touch a concept whose row differs between "sorted" and "raw".

    Parameters
    ----------
    triplets : Triplets
    embedding : ConceptEmbedding

    Returns
    -------
    dict
        n (affected trials); where there are any, the accuracy under "sorted" and "raw".
    """
    from .. import odd_one_out
    from ..similarity import similarity_matrix

    own = triplets.ids
    base = tuple(embedding.ids)
    other = {name: in_order(base, name) for name in ("sorted", "raw")}
    moved = np.array([a != b for a, b in zip(other["sorted"], other["raw"])])
    rows = triplets.triplets[moved[triplets.triplets].any(1)] if len(own) == len(moved) else triplets.triplets[:0]
    result = {"n": len(rows)}
    for name, ids in other.items():
        if len(rows):
            similarity = similarity_matrix(embedding.align(ids).values.astype(np.float64), "dot")
            result[name] = float(odd_one_out.accuracy(similarity, rows))
    return result


def layout_evidence(triplets: Triplets, embedding) -> dict:
    """How often an embedding finds the odd one in each column, as the indices stand and as if they were 1-based.

    Parameters
    ----------
    triplets : Triplets
    embedding : ConceptEmbedding

    Returns
    -------
    dict
        "column 0", "column 1", "column 2": shares of trials (they sum to 1); "1-based": share of column 2 when 1 is
        subtracted from every index (only where no index is 0).
    """
    from .. import odd_one_out
    from ..similarity import similarity_matrix

    similarity = similarity_matrix(embedding.align(triplets.ids).values.astype(np.float64), "dot")
    chosen = odd_one_out.choices(similarity, triplets.triplets)
    found = {f"column {k}": float((chosen == k).mean()) for k in range(3)}
    if triplets.triplets.min() > 0:
        found["1-based"] = float((odd_one_out.choices(similarity, triplets.triplets - 1) == 2).mean())
    return found


def check_order(triplets: Triplets, at, least: int = 200):
    """Lines when an embedding at hand says that rows, columns or numbering are others than declared."""
    from . import registry

    for name in ("things/spose_49", "things/vice_42"):
        if not registry.entry(name).missing(at.root):
            known = at.load(name)
            if len(triplets) >= least:
                shares = layout_evidence(triplets, known)
                best = max(shares, key=shares.get)
                if shares[best] > shares["column 2"] + 2 * (0.5 / len(triplets)) ** 0.5:
                    told = "indices look 1-based" if best == "1-based" else f"the odd one looks to be in {best}"
                    yield (
                        f"{at.path('triplets')}: {told} ({name} then predicts {shares[best]:.3f} of trials, "
                        f"{shares['column 2']:.3f} as they stand); rewrite it 0-based with the odd one last"
                    )
                    return
            found = order_evidence(triplets, known)
            declared = triplets.meta.get("row_order", "sorted")
            other = "raw" if declared == "sorted" else "sorted"
            if found["n"] < least or declared not in found:
                return
            spread = 2 * (0.5 / found["n"]) ** 0.5
            if found[other] > found[declared] + spread:
                yield (
                    f"{at.path('triplets')}: looks to be in {other} order, not {declared} ({name} predicts "
                    f"{found[other]:.3f} against {found[declared]:.3f} of {found['n']} affected trials); write "
                    f'{{"row_order": {{"{at.entry.name}": "{other}"}}}} into humalign-data.json in {at.root}'
                )
            return
