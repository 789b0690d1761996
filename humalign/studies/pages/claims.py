"""The page on claims: criteria, verdicts paper by paper, numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import claims, show
from ...results import Measured
from .. import evidence


def criteria() -> dict[str, dict]:
    """Claim to criterion, as written before any result was seen."""
    return {claim["id"]: claim["criterion"] for claim in claims.ledger()}


def of_paper(verdicts: pd.DataFrame, paper: int) -> pd.DataFrame:
    """Verdicts on the claims of paper 1 or 2."""
    return verdicts[verdicts["paper"] == paper]


def headline(verdicts: pd.DataFrame, measured: Measured) -> dict:
    """Numbers for the prose: verdicts of each paper, and the training runs behind them; key to number."""
    return {
        **evidence.verdict_counts(verdicts),
        "cl_runs_1": claims.training_runs(measured, dataset="things", stage="zero-shot"),
        "cl_runs_2": claims.training_runs(measured, dataset="levels", stage="AligNet"),
    }


def recovered(probed: pd.DataFrame, plain: pd.DataFrame) -> dict:
    """Numbers for the prose: generators named right with and without the probe, and all; key to number.

    Parameters
    ----------
    probed, plain : DataFrame
        :func:`humalign.chapters.recovery.recovered`.
    """
    return {
        "cl_recovered": show.number(int(probed["right"].sum())),
        "cl_recovered_plain": show.number(int(plain["right"].sum())),
        "cl_generators": show.number(len(probed)),
    }
