"""The page on temperature and calibration: rows of its figures, its tables, numbers in the prose."""

from __future__ import annotations

import pandas as pd

from ... import show
from ...chapters import networks
from ...record import Tables
from .. import calibration, vice


def by_rule(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its column rule as text: CSV files read a column that holds only 1 as numbers."""
    return table.assign(rule=table["rule"].astype(str))


def of_networks(table: pd.DataFrame, models) -> pd.DataFrame:
    """Rows of some networks."""
    return table[table["model"].isin(models)]


def table(models: pd.DataFrame, chosen: pd.DataFrame, doubt: pd.DataFrame) -> pd.DataFrame:
    """One row a network: temperatures by three rules, log loss, accuracy, correlations of its entropy.

    Parameters
    ----------
    models : DataFrame
        number, name, group, model.
    chosen : DataFrame
        model, rule, temperature, nll, accuracy.
    doubt : DataFrame
        model, entropy, time: rank correlations.
    """
    wide = chosen.pivot(index="model", columns="rule", values=["temperature", "nll", "accuracy"])
    columns = {
        "T, grid": wide["temperature", "grid"],
        "T, lowest ECE": wide["temperature", "continuous"],
        "T, log loss": wide["temperature", "log loss"],
        "log loss": wide["nll", "log loss"],
        "accuracy": wide["accuracy", "1"],
    }
    facts = of_networks(models, wide.index).set_index("model")[["number", "name", "group"]].assign(**columns)
    headings = {"entropy": "ρ, people's entropy", "time": "ρ, response time"}
    return networks.numbered(facts.join(doubt.set_index("model").rename(columns=headings)))


def headline(models: pd.DataFrame, chosen: pd.DataFrame) -> dict:
    """Numbers for the prose: triplets, and medians over trained networks before and after; key to number.

    Parameters
    ----------
    models : DataFrame
        model, group.
    chosen : DataFrame
        model, rule, n (triplets of one half), ece, temperature.
    """
    group = chosen["model"].map(models.set_index("model")["group"])
    median = chosen[group != "Untrained"].groupby("rule")[["ece", "temperature"]].median()
    return {
        "cal_n": show.number(2 * int(chosen["n"].max())),
        "cal_before": show.number(median.loc["1", "ece"]),
        "cal_after": show.number(median.loc["continuous", "ece"]),
        "cal_temperature": show.number(median.loc["continuous", "temperature"]),
    }


def _surest(found: dict[str, pd.DataFrame]) -> pd.Series:
    """The network whose entropy correlates most with people's: its row of "doubt", named by the network."""
    own = calibration.known(found, "doubt").set_index("model").drop("people")
    return own.loc[own["entropy"].idxmax()]


def entropies(found: dict[str, pd.DataFrame], names: dict[str, str]) -> dict:
    """Numbers for the prose: the network that hesitates most as people do; key to number.

    Parameters
    ----------
    found : dict of str to DataFrame
        :func:`humalign.studies.calibration.study`.
    names : dict of str to str

    Raises
    ------
    MissingData
        When nobody says how sure people are.
    """
    best = _surest(found)
    return {"cal_doubt_name": names[best.name], "cal_doubt": show.number(best["entropy"])}


def times(found: dict[str, pd.DataFrame]) -> dict:
    """Numbers for the prose: correlations of response times with people's entropy, and with that of this network.

    Raises
    ------
    MissingData
        When there are no response times.
    """
    people = calibration.known(found, "time").set_index("model").loc["people", "time"]
    return {"cal_time_people": show.number(people), "cal_time": show.number(_surest(found)["time"])}


def public_table(public: Tables) -> pd.DataFrame:
    """Temperatures and calibration on the public files, one row a model and rule."""
    rows = by_rule(public["chosen"])
    rows = rows.assign(model=rows["model"].map(vice.NAMES), provenance=public.provenance)
    columns = ["model", "rule", "temperature", "ece", "nll", "entropy", "accuracy", "provenance"]
    return rows[columns].rename(columns={"ece": "ECE", "nll": "log loss"})
