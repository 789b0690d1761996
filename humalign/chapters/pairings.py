"""Findings of the drawn world beside real people and what was published: the rows of ``pairings.toml`` as tables."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import pandas as pd

from .. import claims as ledger
from .. import show, zoo
from ..config import get_profile
from ..errors import InputError
from ..plots.style import YOURS
from ..results import Measured, farthest
from ..source import open_source
from ..zoo.facts import kinds
from . import choosers, real_alignet, real_doubt, real_networks, real_probing, real_teacher
from .statements import WORDS

FILE = "pairings.toml"
KEYS = {"chapters", "finding", "drawn", "people", "people_note", "published", "said", "no_drawn", "no_people",
        "no_published"}  # fmt: skip
CAPTION = (
    "What was found here beside real people and the papers. Effects with 95 % intervals; verdicts by criteria written "
    "beforehand ({ref}`ch-claims`)."
)
NO_CLAIM = ("control", "contrast", "not a claim")  # how a source begins that is no paper


@cache
def pairs() -> tuple[dict, ...]:
    """The rows of ``pairings.toml``.

    Raises
    ------
    InputError
        For a key that no row has, or a row whose sides neither name something nor say why not.
    """
    rows = tomllib.loads(resources.files("humalign").joinpath(FILE).read_text("utf8"))["pair"]
    for row in rows:
        if unknown := set(row) - KEYS:
            raise InputError(f"a row has the unknown key '{min(unknown)}'", FILE, f"use {', '.join(sorted(KEYS))}")
        for side in ("drawn", "people"):
            if bool(row.get(side)) == (f"no_{side}" in row):
                raise InputError(f"{row} needs either {side} or no_{side}", FILE, "name it, or say why there is none")
        if not _claim(row) and not {"finding"} & set(row):
            raise InputError(f"{row} needs words for what was found", FILE, "add finding")
    return tuple(rows)


def of_chapter(chapter: str) -> list[dict]:
    """Rows of one chapter, in order."""
    return [row for row in pairs() if chapter in row["chapters"]]


@cache
def drawn_claims() -> dict[str, dict]:
    """Claims that results of a profile decide or measure, by id: with criterion, and those without."""
    return {claim["id"]: claim for claim in [*ledger.ledger(), *ledger.later()]}


def _claim(row: dict) -> dict:
    """The claim that a row is about, the drawn one first; {} for a row of numbers."""
    known = drawn_claims() | {c["id"]: c for file in ("claims_people.toml", "claims_aligned.toml")
                              for c in ledger.ledger(file)}  # fmt: skip
    return next((known[name] for side in ("drawn", "people") for name in row.get(side, ()) if name in known), {})


# ---- the three sides -------------------------------------------------------------------------------------------------


@cache
def _study(prefix: str) -> tuple[pd.DataFrame, dict]:
    """Judged claims of a page on real people (with provenance), and its numbers, by the prefix of their names."""
    profile, none = get_profile("slice"), pd.DataFrame({"id": []})
    if prefix == "ra":
        runs = real_alignet.runs()
        judged = real_alignet.verdicts(runs)
        return judged, real_alignet.numbers(runs, judged)
    if prefix == "te":
        return none, real_teacher.numbers(*real_teacher.real(open_source(profile)))
    page = {"rn": real_networks, "rp": real_networks, "rq": real_probing, "rd": real_doubt, "ch": choosers}[prefix]
    tables = page.TABLES.tables(profile)
    models = () if prefix == "rd" else (page.TABLES.source(profile).networks(),)
    models = (choosers.facts(page.TABLES.source(profile)),) if prefix == "ch" else models
    return tables["claims"].assign(provenance=tables.provenance), page.numbers(tables, *models)


def of_people(name: str) -> tuple[list, str]:
    """Cell and verdict of a claim, or of a number, on real people.

    Raises
    ------
    InputError
        When no page on real people has it.
    """
    try:
        judged, numbers = _study(name[:2])
    except KeyError:
        judged, numbers = pd.DataFrame({"id": []}), {}
    if name in numbers:
        return [numbers[name]], ""
    row = judged[judged["id"] == name]
    if not len(row):
        raise InputError(f"'{name}' is neither a claim nor a number of a page on real people", FILE, "name another")
    return _effect(row.iloc[0])


def _effect(row) -> tuple[list, str]:
    """An effect with its unit, and the verdict in words."""
    if row["effect"] != row["effect"]:
        return ["not measured"], ""
    number = show.number(row["effect"], (row["low"], row["high"]), row["provenance"])
    return [number, row["unit"]], WORDS.get(row["verdict"], row["verdict"])


def _of_drawn(name: str, measured: Measured | None, models: pd.DataFrame | None, numbers: dict) -> tuple[list, str]:
    """The same of a claim on the results of a chapter, or of one of its numbers."""
    if name not in drawn_claims():
        return [numbers.get(name, "not measured")], ""
    claim = drawn_claims()[name]
    row = ledger.effect(measured, kinds(models[models["group"] != YOURS]), claim)
    criterion, ends = claim.get("criterion"), (row["effect"], row["low"], row["high"])
    return _effect(row | {"verdict": ledger.verdict(*ends, criterion) if criterion else "no criterion"})


def published(row: dict) -> list:
    """What was published of a finding: numbers with their label and work, else where the paper says it in words."""
    if "no_published" in row:
        return [f"none: {row['no_published']}"]
    known, out = zoo.published_numbers(), []
    for wanted in row.get("published", ()):
        part = known
        for column in {"work", "responses", "network"} & set(wanted):
            part = part[part[column].str.contains(wanted[column], regex=False)]
        if not len(part):
            raise InputError(f"{wanted} names no published number", FILE, "see published_accuracy.csv")
        told, source = farthest(part["provenance"]), "; ".join(dict.fromkeys(part["source"]))
        ends = [show.number(v, None, told, source) for v in sorted({part["value"].min(), part["value"].max()})]
        label = f"{wanted['label']} ({part['work'].iloc[0]})"
        out += [*(["·"] if out else []), label, *(ends if len(ends) == 1 else (ends[0], "to", ends[1]))]
    source = row.get("said") or ("" if out else _claim(row).get("source", ""))
    if source.startswith(NO_CLAIM):
        return [f"none: {source}"]
    return out + ([f"in words: {source}"] if source else [])


# ---- tables ----------------------------------------------------------------------------------------------------------


def _side(found: list[tuple[list, str]], note: str = "") -> tuple[list, str]:
    """Cells of several effects as one, and their verdicts as one."""
    cell = []
    for parts, _ in found:
        cell += [*(["·"] if cell else []), *parts]
    words = ", ".join(dict.fromkeys(word for _, word in found if word))
    return [*cell, *([f"({note})"] if note else [])], words


def _people(row: dict) -> tuple[list, str]:
    if "no_people" in row:
        return [f"none: {row['no_people']}"], ""
    return _side([of_people(name) for name in row["people"]], row.get("people_note", ""))


def _both(drawn: str, people: str) -> str:
    words = [f"{side}: {word}" for side, word in (("drawn", drawn), ("people", people)) if word]
    return "; ".join(words) or "numbers, not a test"


def table(
    chapter: str, measured: Measured | None = None, models: pd.DataFrame | None = None, numbers: dict | None = None
) -> pd.DataFrame:
    """Main findings of a chapter beside real people and what was published, for display.

    Parameters
    ----------
    chapter : str
        Name of its notebook.
    measured : Measured, optional
        Results of the chapter that its claims are judged on.
    models : DataFrame, optional
        Facts of the networks.
    numbers : dict, optional
        Numbers of the chapter's prose, by key.

    Returns
    -------
    DataFrame
        finding, published, here, real people, verdict.

    Raises
    ------
    InputError
        For a chapter without rows, or a row that names what is not there.
    """
    out = []
    for row in of_chapter(chapter):
        drawn, first = [f"none: {row.get('no_drawn')}"], ""
        if "drawn" in row:
            drawn, first = _side([_of_drawn(name, measured, models, numbers or {}) for name in row["drawn"]])
        people, second = _people(row)
        out.append({"finding": row.get("finding") or _claim(row)["claim"], "published": published(row), "here": drawn,
                    "real people": people, "verdict": _both(first, second)})  # fmt: skip
    if not out:
        raise InputError(f"no row is about '{chapter}'", FILE, "add one")
    return pd.DataFrame(out)


def beside(verdicts: pd.DataFrame) -> pd.DataFrame:
    """What real people showed and what was published of each claim: columns real people (with verdict) and published.

    Parameters
    ----------
    verdicts : DataFrame
        Of :func:`humalign.claims.judge`; its column id counts.
    """
    rows = {row["drawn"][0]: row for row in pairs() if len(row.get("drawn", ())) == 1}
    out = []
    for name in verdicts["id"]:
        people, word = _people(rows[name])
        out.append({"real people": [*people, *([f"· {word}"] if word else [])], "published": published(rows[name])})
    return pd.DataFrame(out, columns=["real people", "published"])
