"""The row orders of the THINGS concepts, and evidence from people's choices of which one a file is in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData
from .files import AGAIN, read_matrix
from .ids import check_finite, check_ids
from .types import Triplets

RULES = {
    "sorted": None,
    "raw": lambda name: name + ".jpg",
    "python": lambda name: name,
    "upper": str.upper,
}
"""Order: the key that sorts the concept names into it (by code point); None = THINGS' own order."""
ORDERS = tuple(RULES)
PEOPLE = {
    "things/test_10_id": 4,
    "things/testset1": 3,
    "things/testset2": 3,
}  # responses to judge by, and their columns
MODELS = {
    "things/spose_49": "sorted",
    "things/vice_42": "raw",
}  # embeddings of people's choices, to test responses with
DECIDES, REFUTES = (
    2.0,
    3.0,
)  # standard errors; swapping two random rows of a real file passed the first in 0 of 450 cases
MOST = 500_000  # trials that are looked at; more change nothing
CHANCE = 1 / 3


def in_order(ids, order: str, maps=None) -> tuple[str, ...]:
    """Concept names in one of the four row orders that are in circulation.

    Parameters
    ----------
    ids : sequence of str
        In THINGS' own order.
    order : {"sorted", "raw", "python", "upper"}
        "sorted" = THINGS' own (`unique_id.txt`); "raw" = by image file name (``uniqueID + ".jpg"`` by code point, the
        order of the VICE embedding and of image folders); "python" = Python's ``sorted`` of the names; "upper" =
        ``sorted(names, key=str.upper)``, which puts the underscore after the letters.
    maps : DataFrame, optional
        The published map (data set ``things/orders``); without it the rules above are applied.
    """
    ids = check_ids(ids, "concepts")
    if order not in RULES:
        raise InputError(f"no row order is called '{order}'", "things", f"choose one of {', '.join(ORDERS)}")
    if order == "sorted":
        return ids
    if maps is not None:
        if set(maps.index) != set(ids):
            raise InputError("names other concepts than things_concepts.tsv", "row_orders.csv", AGAIN)
        return tuple(maps[f"{order}_index"].sort_values().index)
    return tuple(sorted(ids, key=RULES[order]))


# ---------------------------------------------------------------------------------------------- evidence


@dataclass(frozen=True)
class OrderEvidence:
    """What people's choices say about the row order of a file.

    Attributes
    ----------
    kind : {"rows", "triplets"}
        Whether the file has a row a concept, or holds triplets of row numbers.
    best : str or None
        The order that the evidence names; None where it does not decide.
    candidates : tuple of str
        The orders that the evidence cannot tell apart, the likeliest first.
    reason : str
        One sentence.
    table : DataFrame
        A row an order: order, accuracy, standard_error (over distinct triplets), n (trials), triplets (distinct ones),
        log_likelihood (mean, nats), all on the trials that touch a concept whose row differs between the orders.
    pairs : DataFrame
        The likeliest order against each other one, on exactly the trials where the two differ: order, other, n,
        accuracy, other_accuracy, gain (mean log-likelihood, nats), z (gain in standard errors).
    layout : str
        For triplets: the column of the odd one and the first index where they are not 2 and 0; else "".
    """

    kind: str
    best: str | None
    candidates: tuple
    reason: str
    table: object
    pairs: object
    layout: str = ""

    def z(self, order: str, other: str) -> float:
        """Standard errors by which ``order`` explains people's choices better than ``other``, one of them the best."""
        if self.pairs.empty or order == other:
            return 0.0
        best = self.pairs["order"].iloc[0]
        rows = self.pairs.set_index("other")["z"]
        return float(rows[other]) if order == best else -float(rows[order])

    def refutes(self, order: str) -> str:
        """One clause when the evidence contradicts ``order``, else ""."""
        if not self.candidates or self.z(self.candidates[0], order) < REFUTES:
            return ""
        row = self.pairs.set_index("other").loc[order]
        return (
            f"is not in {order} order but in {' or '.join(self.candidates)} order (people's choices agree with "
            f"{row['accuracy']:.3f} against {row['other_accuracy']:.3f} on the {int(row['n']):,} trials that differ, "
            f"{row['z']:.0f} standard errors in log-likelihood)"
        )


def detect(values, triplets=None, *, data=None) -> OrderEvidence:
    """Which row order of the THINGS concepts a file is in, judged by people's odd-one-out choices.

    The file is read in each known order in turn; the orders are compared on the human trials in which they make a
    difference. Each distinct triplet counts once, so that a question asked of many people is no more evidence than
    another one.

    Parameters
    ----------
    values : array, shape (m, p) or (n, 3) or (n, 4)
        Features or an embedding with a row a concept; or triplets (whole numbers: two kept objects, the odd one and
        perhaps a person), which are compared with an embedding of people's choices.
    triplets : Triplets or int array (n, 3), optional
        Human choices in THINGS' own order, the odd one last, to judge rows by. Default: those in the data folder.
    data : path, optional
        The data folder; default ``HUMALIGN_DATA``. The concept names are read from it.

    Returns
    -------
    OrderEvidence

    Raises
    ------
    MissingData
        Without a data folder that holds the concept names and people's choices.
    InputError
        For values that are no numbers, or have another number of rows than there are concepts.

    Notes
    -----
    Choices follow a softmax over the three similarities (cosine or dot product, with the temperature that fits best on
    the trials which no order touches). An order is named when it beats every other one by two standard errors of the
    mean log-likelihood over distinct triplets on the trials where the two differ, and when the untouched trials are
    predicted better than chance. Log-likelihood decides since it uses how close a choice was; accuracy is told beside.
    """
    root = _root(data)
    names = _names(root)
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise InputError(f"holds {values.dtype} of shape {values.shape}", "values", "give numbers with two axes")
    check_finite(values, "values")
    if _are_triplets(values, len(names)):
        if triplets is not None:
            raise InputError("are triplets themselves", "values", "give human triplets only with features")
        return _of_triplets(values[:, :3].astype(np.int64), names, root)
    if len(values) != len(names):
        remedy = "give a row a concept, or triplets of three or four columns"
        raise InputError(f"have {len(values)} rows for {len(names)} THINGS concepts", "values", remedy)
    trials = _people(root) if triplets is None else _sorted_rows(triplets, names)
    return _of_rows(values.astype(np.float64), trials, names)


def _are_triplets(values, m: int) -> bool:
    if values.shape[1] not in (3, 4) or not (values == np.round(values)).all():
        return False
    return bool(values[:, :3].min() >= 0 and values[:, :3].max() <= m)


def _of_rows(values, trials, names) -> OrderEvidence:
    """Rows of unknown order against people's trials in THINGS' own order."""
    from ..similarity import similarity_matrix

    place = {order: _inverse(in_order(names, order), names) for order in ORDERS}  # row of each concept
    found = []
    for kernel in ("cosine", "dot"):
        try:
            similarity = similarity_matrix(values, kernel)
        except InputError:
            continue  # a row of zeros has no direction
        found.append(_Comparison(similarity, trials, place))
    if not found:
        raise InputError("have no similarities", "values", "check for rows that are all zero or too large")
    return max(found, key=lambda one: one.fit).evidence("rows")


def _of_triplets(trials, names, root) -> OrderEvidence:
    """Triplets of unknown order against an embedding of people's choices whose rows are known."""
    similarity = _model(root)
    trials = trials[:: max(1, len(trials) // MOST)]
    place = {order: _inverse(names, in_order(names, order)) for order in ORDERS}  # concept of each row
    found = {}
    for first in (0, 1) if trials.min() > 0 else (0,):
        for odd in (2, 0, 1):
            rest = [column for column in range(3) if column != odd]
            if trials.max() - first < len(names):
                found[first, odd] = _Comparison(similarity, trials[:, [*rest, odd]] - first, place)
    if not found:
        raise InputError(f"has indices above {len(names) - 1}", "triplets", "number the concepts from 0")
    declared = next(iter(found))  # as it should be, or else the only numbering that fits
    logs = {key: max(map(one.log_likelihood, ORDERS), key=np.mean) for key, one in found.items()}  # order left open
    likeliest = max(logs, key=lambda key: logs[key].mean())
    gain, error = _spread(logs[likeliest] - logs[declared], found[declared].group)
    key = likeliest if gain > REFUTES * error else declared
    told = [f"the odd one looks to be in column {key[1]}"] if key[1] != 2 else []
    told += ["indices look 1-based"] if key[0] else []
    return found[key].evidence("triplets", ", ".join(told))


class _Comparison:
    """Choices by one similarity matrix, with rows placed by each order."""

    GRID = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)  # temperatures, in standard deviations of the similarities

    def __init__(self, similarity, trials, place):
        self.similarity, self.trials, self.place = similarity, trials, place
        maps = np.stack(list(place.values()))
        self.touched = (maps != maps[0]).any(0)[trials].any(1)
        self.group = np.unique(_question(trials), return_inverse=True)[1]
        spread = float(np.std(similarity[np.triu_indices(len(similarity), 1)])) or 1.0
        untouched = np.flatnonzero(~self.touched) if not self.touched.all() else np.arange(len(trials))
        untouched = untouched[:: max(1, len(untouched) // 50_000)]
        rows = maps[0][trials[untouched]]
        self.temperature = max(
            (step * spread for step in self.GRID), key=lambda step: self._log_likelihood(rows, step).mean()
        )
        self.fit = float(self._log_likelihood(rows, self.temperature).mean())

    def _pairs(self, rows):
        a, b, c = rows.T
        return np.stack([self.similarity[a, b], self.similarity[a, c], self.similarity[b, c]], 1)

    def _log_likelihood(self, rows, temperature):
        scores = self._pairs(rows) / temperature
        top = scores.max(1)
        return np.maximum(scores[:, 0] - top - np.log(np.exp(scores - top[:, None]).sum(1)), -25.0)

    def log_likelihood(self, order):
        """Of every trial, its rows placed by one order (nats)."""
        return self._log_likelihood(self.place[order][self.trials], self.temperature)

    def _hits(self, rows):
        scores = self._pairs(rows)
        best = scores == scores.max(1, keepdims=True)
        return best[:, 0] / best.sum(1)

    def evidence(self, kind: str, layout: str = "") -> OrderEvidence:
        """Judge the orders."""
        import pandas as pd

        rows, group = self.trials[self.touched], self.group[self.touched]
        hits = {order: self._hits(place[rows]) for order, place in self.place.items()}
        logs = {order: self._log_likelihood(place[rows], self.temperature) for order, place in self.place.items()}
        table = pd.DataFrame(
            {"order": order, "accuracy": hits[order].mean() if len(rows) else np.nan,
             "standard_error": _spread(hits[order], group)[1], "n": len(rows), "triplets": len(np.unique(group)),
             "log_likelihood": logs[order].mean() if len(rows) else np.nan}
            for order in ORDERS
        )  # fmt: skip
        columns = ["order", "other", "n", "accuracy", "other_accuracy", "gain", "z"]
        known = self._hits(next(iter(self.place.values()))[self.trials[~self.touched]])
        share, error = _spread(known, self.group[~self.touched])
        if not len(rows) or not share - CHANCE > max(3 * error, 1e-9):
            why = "no trial touches a concept whose row differs between the orders" if not len(rows) else (
                f"the trials that no order touches are predicted no better than by chance ({share:.3f} of "
                f"{len(known):,}, chance .333): poor values, or rows in none of the known orders"
            )  # fmt: skip
            return OrderEvidence(kind, None, ORDERS, why, table, pd.DataFrame(columns=columns), layout)
        best = self._best(logs, rows, group)
        pairs = pd.DataFrame([self._pair(best, other, hits, logs, rows, group) for other in ORDERS if other != best])
        close = tuple(pairs.loc[pairs["z"] < DECIDES, "other"])
        if close:
            names = f"{', '.join((best, *close[:-1]))} and {close[-1]}"
            why = f"people's choices do not tell {names} order apart"
            return OrderEvidence(kind, None, (best, *close), why, table, pairs[columns], layout)
        why = f"people's choices name {best} order, {pairs['z'].min():.1f} standard errors before the next"
        return OrderEvidence(kind, best, (best,), why, table, pairs[columns], layout)

    def _best(self, logs, rows, group):
        """The order that no other one beats on the trials where the two differ."""
        best = ORDERS[0]
        for other in ORDERS[1:]:
            if self._gain(other, best, logs, rows, group)[1] > 0:
                best = other
        return best

    def _gain(self, order, other, logs, rows, group):
        differ = (self.place[order] != self.place[other])[rows].any(1)
        if not differ.any():
            return differ, 0.0, 0.0
        gain, error = _spread((logs[order] - logs[other])[differ], group[differ])
        return differ, gain, gain / error if error > 0 else 0.0

    def _pair(self, order, other, hits, logs, rows, group):
        differ, gain, z = self._gain(order, other, logs, rows, group)
        own = (
            {"accuracy": hits[order][differ].mean(), "other_accuracy": hits[other][differ].mean()}
            if differ.any()
            else {}
        )
        return {"order": order, "other": other, "n": int(differ.sum()), "accuracy": np.nan, "other_accuracy": np.nan,
                **own, "gain": gain, "z": z}  # fmt: skip


def _spread(values, group) -> tuple[float, float]:
    """Mean over distinct triplets, each with the mean of its trials, and its standard error."""
    if len(values) < 2:
        return float("nan"), float("nan")
    sizes = np.bincount(group)
    means = np.bincount(group, values)[sizes > 0] / sizes[sizes > 0]
    return float(means.mean()), float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else float("nan")


def _question(trials):
    """Code of the set of three objects of every row."""
    rows = np.sort(trials, axis=1).astype(np.int64)
    return (rows[:, 0] << 42) | (rows[:, 1] << 21) | rows[:, 2]


def _inverse(order, names):
    """Position in ``order`` of every one of ``names``."""
    place = {name: row for row, name in enumerate(order)}
    return np.array([place[name] for name in names])


# ---------------------------------------------------------------------------------------------- what is judged by


def _root(data) -> Path:
    from ..config import get_profile

    root = get_profile("slice", data=data).data
    if root is None:
        remedy = "point HUMALIGN_DATA or --data at the folder with the data"
        raise MissingData("needs the THINGS concepts and people's choices", "row order", remedy)
    return root


def concept_names(data=None) -> tuple[str, ...]:
    """The THINGS concepts in THINGS' own order, as the data folder lists them; MissingData where it does not."""
    return _names(_root(data))


def _place(name: str, root: Path):
    from . import registry

    one = registry.entry(name)
    return None if one.missing(root) else registry.Place(one, root)


def _names(root: Path) -> tuple[str, ...]:
    from .things import concept_ids

    at = _place("things/concepts", root)
    if at is None:
        raise MissingData("is not here", root / "things/concepts/things_concepts.tsv",
                          "'humalign data where things/concepts' says how to get it")  # fmt: skip
    return concept_ids(at)


def _sorted_rows(triplets, names) -> np.ndarray:
    if isinstance(triplets, Triplets):
        return triplets.align(names).triplets
    return Triplets(names, np.asarray(triplets), "", "", "human triplets").triplets


@lru_cache(maxsize=2)
def _people(root: Path) -> np.ndarray:
    """Human choices in the data folder, (n, 3), in THINGS' own order; MissingData where there are none.

    Read without the check that this evidence serves, which would otherwise ask for itself.
    """
    from .things import load_triplets

    here = [(at, columns) for name, columns in PEOPLE.items() if (at := _place(name, root))]
    found = [load_triplets(at, columns=columns, checked=False).align(_names(root)).triplets for at, columns in here]
    if not found:
        name = next(iter(PEOPLE))
        raise MissingData(
            "are not here", root / "things/triplets", f"'humalign data where {name}' says how to get them"
        )
    return np.concatenate(found)


@lru_cache(maxsize=2)
def _model(root: Path) -> np.ndarray:
    """Similarities of the concepts (THINGS' own order) by an embedding that was fitted to people's choices."""
    from ..similarity import similarity_matrix

    names = _names(root)
    for name, order in MODELS.items():
        if at := _place(name, root):
            values = read_matrix(at.path("embedding"))
            return similarity_matrix(values[_inverse(in_order(names, order), names)].astype(np.float64), "dot")
    name = next(iter(MODELS))
    raise MissingData("are not here", root / "things/embeddings", f"'humalign data where {name}' says how to get one")


_JUDGED: dict[tuple, OrderEvidence | None] = {}  # evidence by file, size and time of change


def check_declared(at, key: str, order: str, values) -> None:
    """Refuse a declared row order that people's choices contradict.

    Parameters
    ----------
    at : Place
    key : str
        Of the file within its data set.
    order : str
        As declared by the registry or the manifest of the data folder.
    values : array
        What the file holds: a row a concept, or triplets of row numbers.

    Raises
    ------
    InputError
        One line with the evidence and how to declare another order; for triplets also where another column looks to
        hold the odd one, or the numbering to begin at 1.
    """
    path = at.path(key)
    state = path.stat()
    name = (path, state.st_size, state.st_mtime_ns, at.root)
    if name not in _JUDGED:
        try:
            _JUDGED[name] = detect(values, data=at.root)
        except MissingData:  # nothing to judge by
            _JUDGED[name] = None
    if (found := _JUDGED[name]) is None:
        return
    if found.layout:
        raise InputError(found.layout, path, "rewrite it 0-based with the odd one last")
    if told := found.refutes(order):
        line = f'{{"row_order": {{"{at.entry.name}": "{found.candidates[0]}"}}}}'
        raise InputError(told, path, f"write {line} into humalign-data.json in {at.root}")
