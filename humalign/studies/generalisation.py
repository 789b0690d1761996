"""What alignment does for transfer of the students: one and few shots, subpopulation shift, anomaly detection."""

from __future__ import annotations

import pandas as pd

from .. import resample
from ..chapters import student
from ..results import Measured

NAMES = student.NAMES
MAIN = ("base", "UnAligNet", "AligNet")
TASKS = {  # words: (dataset, measure, detail)
    "one example, H2": ("one-shot", "accuracy", "H2"),
    "three examples, H2": ("few-shot", "accuracy", "3"),
    "shift, H2": ("shift", "accuracy", "H2"),
    "anomalies": ("anomaly", "auroc", "superordinate"),
}


def pick(runs: Measured, dataset: str, measure: str, details, stages=MAIN) -> pd.DataFrame:
    """Rows of the students at the given stages, training runs averaged (see :func:`student.averaged`)."""
    t = runs.table
    wanted = (t["dataset"] == dataset) & (t["measure"] == measure) & t["detail"].isin(list(details))
    return student.averaged(runs.select(wanted.to_numpy()), stages, tuple(NAMES))


def chance() -> tuple[dict, dict]:
    """Chance of one-shot naming (one of the concepts of H1 or H2), and of naming one of all superordinates."""
    from ..world.drawing import world
    from ..world.splits import concepts_of

    kinds = len(set(world().superordinate.values()))
    return {p: 1 / len(concepts_of(p)) for p in ("H1", "H2")}, {p: 1 / kinds for p in ("seen", "H1", "H2")}


def few_shot(runs: Measured) -> pd.DataFrame:
    """Few-shot accuracy on held-out concepts (H2) by number of examples, training runs averaged.

    Returns
    -------
    DataFrame
        model, stage, shots, value, low, high, seeds, each, chance.
    """
    found = pick(runs, "few-shot", "accuracy", [str(n) for n in student.SHOTS])
    return found.assign(shots=found["detail"].astype(int), chance=chance()[0][student.PART])


def contrasts(runs: Measured) -> pd.DataFrame:
    """What alignment brings at all, and what of it comes from people: mean difference over students.

    Returns
    -------
    DataFrame
        task, "AligNet minus" ("base": all that alignment brings, "UnAligNet": what people add), value, low, high (95 %,
        paired over objects and training runs), students, verdict, provenance.
    """
    students, rows = runs.select(runs.table["model"].isin(list(NAMES)).to_numpy()), []
    for task, (dataset, measure, detail) in TASKS.items():
        for minus in ("base", "UnAligNet"):
            found = resample.difference(
                student.of_measure(students, detail, dataset, measure), {"stage": "AligNet"}, {"stage": minus}
            )
            own = found[found["model"] == "all"].iloc[0]
            rows.append({"task": task, "AligNet minus": minus, "value": own["value"], "low": own["low"],
                         "high": own["high"], "students": len(found) - 1,
                         "verdict": student.verdict(own["low"], own["high"]), "provenance": "recorded"})  # fmt: skip
    return pd.DataFrame(rows)


def load() -> Measured:
    """The recorded runs."""
    return student.runs()
