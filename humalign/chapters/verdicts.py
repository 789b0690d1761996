"""Verdicts on the claims of both papers as words and numbers of the prose."""

from __future__ import annotations

import pandas as pd

from .. import claims as ledger
from .. import show
from ..plots.style import YOURS
from ..record import Tables
from ..results import Measured
from ..source import Source
from ..zoo.facts import kinds
from . import claims, recovery

ROLES, OPTIONAL = claims.ROLES, claims.OPTIONAL
SAID = {
    "replicates": "holds",
    "does not replicate": "does not hold",
    "undecided": "is undecided",
    "not measured": "was not measured",
}


def numbers(judged: pd.DataFrame, provenance: str = "") -> dict:
    """Effect and verdict of every claim, by key: ``p1_size`` and ``p1_size_word`` for the claim ``p1-size``.

    Parameters
    ----------
    judged : DataFrame
        Of :func:`humalign.claims.judge`: id, effect, low, high, verdict, provenance.
    provenance : str
        Of all effects, where the table has no such column.
    """
    out = {}
    for row in judged.to_dict("records"):
        key, verdict = row["id"].replace("-", "_"), row["verdict"]
        told = provenance or row.get("provenance") or "live"
        ends = (row["low"], row["high"]) if row["low"] == row["low"] else None
        out[key] = show.number(row["effect"], ends, told)
        out[f"{key}_word"] = show.Words(SAID.get(verdict, verdict))
    return out


def of_measured(measured: Measured, models: pd.DataFrame) -> dict:
    """:func:`numbers` of the claims that some results decide; all others "were not measured"."""
    facts = kinds(models[models["group"] != YOURS])  # the reader's own network is no evidence for a claim
    return numbers(ledger.judge(measured, facts))


def of_students(models: pd.DataFrame) -> dict:
    """:func:`numbers` of the claims about alignment, from the recorded students."""
    return of_measured(claims.drawn_students(), models)


def of_papers(measured: Measured, models: pd.DataFrame) -> dict:
    """:func:`numbers` of the first paper's claims from some results, of the second's from the recorded students."""
    second = {key: value for key, value in of_students(models).items() if key.startswith("p2")}
    return of_measured(measured, models) | second


def of_people(tables: Tables) -> dict:
    """:func:`numbers` of the claims that were tested on real people (:mod:`humalign.chapters.real_networks`)."""
    return numbers(tables["claims"], tables.provenance)


def of_recovery(source: Source) -> dict:
    """How often the flexible probe, and plain similarity, name the network that made the choices."""
    table = recovery.measure(source)
    return claims.numbers_of_recovery(recovery.recovered(table), recovery.recovered(table, "zero_shot"))
