"""The statements of pages on real people: their ledger, and judged ones as a table and as numbers of the prose."""

from __future__ import annotations

import pandas as pd

from .. import show

LEDGER = "claims_people.toml"
WORDS = {"replicates": "holds", "does not replicate": "fails", "undecided": "undecided"}
COLUMNS = ("claim", "criterion", "effect", "verdict")


def _effect(row, provenance: str) -> show.Number:
    return show.number(row.effect, (row.low, row.high), provenance)


def table(judged: pd.DataFrame, provenance: str, columns=COLUMNS) -> pd.DataFrame:
    """Statements of a page with criterion, effect and verdict, for display.

    Parameters
    ----------
    judged : DataFrame
        Of :func:`humalign.claims.judge`.
    provenance : str
    columns : tuple of str
        Which of its columns, in order.
    """
    told = [_effect(row, provenance) for row in judged.itertuples()]
    out = judged.assign(effect=told, verdict=[WORDS.get(v, v) for v in judged["verdict"]])
    return out[list(columns)].reset_index(drop=True)


def counts(judged: pd.DataFrame, provenance: str, key: str) -> dict:
    """How many statements hold, fail and are open, for the prose; ``key`` is that of a number, with {} for the word."""
    words, found = {"replicates": "holds", "does not replicate": "fails", "undecided": "open"}, judged["verdict"]
    return {key.format(word): show.number(int((found == verdict).sum()), None, provenance)
            for verdict, word in words.items()}  # fmt: skip


def numbers(judged: pd.DataFrame, provenance: str, page: str, effect: str = "{}") -> dict:
    """For the prose: how many statements there are, how many hold, fail and are open, and the effect of each.

    Parameters
    ----------
    judged : DataFrame
        Of :func:`humalign.claims.judge`.
    provenance : str
    page : str
        Prefix of the numbers: "rq" of "rq_holds".
    effect : str
        Key of an effect, with {} for the id of the statement without its prefix.
    """
    out = counts(judged, provenance, f"{page}_{{}}")
    out[f"{page}_claims"] = show.number(len(judged), None, provenance)
    for row in judged.itertuples():
        name = row.id.partition("-")[2].replace("-", "_")
        out[f"{page}_{effect.format(name)}"] = _effect(row, provenance)
    return out
