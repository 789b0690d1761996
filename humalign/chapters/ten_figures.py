"""Both papers in ten figures, and the questions that they leave open: verdicts of this book in words."""

from __future__ import annotations

import pandas as pd

from .. import claims as ledger
from .. import show
from ..errors import MissingData
from ..record import Tables
from ..source import Source
from . import claims, recovery, student

ROLES, OPTIONAL = claims.ROLES, claims.OPTIONAL
SAID = {
    "replicates": "holds",
    "does not replicate": "does not hold",
    "undecided": "is undecided",
    "not measured": "was not measured",
}


def verdicts(source: Source) -> pd.DataFrame:
    """Every claim of both papers, judged on the networks and the students of a source."""
    measured, models = claims.collect(source)
    return ledger.judge(measured, models)


def numbers(judged: pd.DataFrame, provenance: str = "") -> dict:
    """Effect and verdict of every claim, by key: ``p1_size`` and ``p1_size_word`` for the claim ``p1-size``.

    Parameters
    ----------
    judged : DataFrame
        id, effect, low, high, verdict; provenance, unless it is given.
    """
    out = {}
    for row in judged.to_dict("records"):
        key, verdict = row["id"].replace("-", "_"), row["verdict"]
        told = provenance or row.get("provenance") or "live"
        ends = (row["low"], row["high"]) if row["low"] == row["low"] else None
        out[key] = show.number(row["effect"], ends, told)
        out[f"{key}_word"] = show.Words(SAID.get(verdict, verdict))
    return out


def of_people(tables: Tables) -> dict:
    """The same for the claims that were tested on real people (:mod:`humalign.chapters.real_networks`)."""
    return numbers(tables["claims"], tables.provenance)


def tally(judged: pd.DataFrame, prefix: str) -> dict:
    """How many claims of papers (without controls) there are, and how many hold."""
    part = judged[~judged["control"]] if "control" in judged else judged
    held = int((part["verdict"] == "replicates").sum())
    return {f"{prefix}_all": show.number(len(part)), f"{prefix}_held": show.number(held)}


def recovered(source: Source) -> dict:
    """How often the flexible probe, and plain similarity, name the network that made the choices."""
    table = recovery.measure(source)
    return claims.numbers_of_recovery(recovery.recovered(table), recovery.recovered(table, "zero_shot"))


def costs() -> dict:
    """What alignment adds and what it takes, from the recorded students."""
    try:
        return student.numbers(student.contrasts(student.runs()), student.log())
    except MissingData:
        return {}
