"""Do networks doubt where people doubt? What the page on the crowd of 160 people shows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import choices, claims, crowd, odd_one_out, record, results, show
from ..record import Tables
from ..source import Source
from . import calibration, networks, statements, things_files, zero_shot
from . import real_doubt_measures as measures
from .real_doubt_measures import PEOPLE, SETS, STAGE

ROLES, OPTIONAL = ("photographs",), ()
VERSION = 2  # of the tables that are kept: goes up when their numbers change
NEEDED = frozenset({
    *SETS, measures.TRAINING, things_files.CONCEPTS, *things_files.NAMES, "things_cc0/images", "things_cc0/features",
})  # fmt: skip
BINS = 8  # of people's entropy
AGREEMENT = {"accuracy": "with single answers", "agreement with majority": "with the majority",
             "doubt": "of doubt with doubt"}  # fmt: skip
AXES = {"with single answers": "share", "with the majority": "share", "of doubt with doubt": "Spearman's ρ"}
CHANCE = {"with single answers": zero_shot.CHANCE, "with the majority": zero_shot.CHANCE, "of doubt with doubt": 0.0}
SHORT = {"clip": "clip_ViT-B/32", "vgg": "vgg16_srf200", "words": "word2vec", "spose": "spose_49", "vice": "vice_42"}
WORDS = {"accuracy": "single", "agreement with majority": "majority", "doubt": "doubt", "log loss": "loss",
         "overconfidence": "sure"}  # fmt: skip
RULES = {"1": "as they are", "log loss": "lowest log loss", "ECE": "lowest ECE"}


def _tables(source: Source) -> dict:
    ids, facts = things_files.object_ids(source), source.networks()
    groups, own = dict(zip(facts["model"], facts["group"])), measures.asked(source)
    first, counts = measures.elsewhere(source, own), own.crowd.counts
    judges = [measures.judge(part, own, first) for part in things_files.models(source, ids)]
    answers = {SETS[name]: source.published(name).align(ids) for name in SETS}
    chosen, curves = zip(*(measures.calibrated(one, answers) for one in judges))
    measured = results.combine(
        measures.people_of(own), *(measures.of_model(one, own) for one in judges),
        measures.consistency(judges, own, groups),
    )  # fmt: skip
    people = pd.DataFrame([{"model": PEOPLE, "name": PEOPLE, "group": "Crowd"}])
    doubts = crowd.doubt(counts)
    edges = np.quantile(doubts, np.linspace(0, 1, BINS + 1))
    entropy = {one.model: odd_one_out.entropy(one.chances["log loss"]) for one in judges} | {PEOPLE: doubts}
    wrong = {one.model: 1 - (crowd.majority(counts) * one.picked).sum(1) for one in judges}
    binned = [[calibration.binned(values, doubts, edges).assign(model=model) for model, values in by.items()]
              for by in (entropy, wrong)]  # fmt: skip
    shares = pd.DataFrame(np.sort(own.share, axis=1)[:, ::-1], columns=["first", "second", "third"])
    more = measures.two_agree_in_sets(source, own), measures.failed(judges, own, groups)
    return {
        "results": results.combine(measured.table, *more),
        "claims": claims.judge(measured, pd.concat([facts, people]), claims.ledger(statements.LEDGER, "rd-")),
        "chosen": pd.concat(chosen, ignore_index=True),
        "reliability": pd.concat(curves, ignore_index=True),
        "entropy": pd.concat(binned[0], ignore_index=True),
        "errors": pd.concat(binned[1], ignore_index=True).rename(columns={"value": "error"}),
        "shares": shares.sort_values("first", ascending=False, ignore_index=True),
        "people": measures.by_person(judges, own),
        "apart": measures.apart(own, ids),
        "failures": measures.failures(judges, own, groups, ids),
        "pictured": measures.pictured(source, groups),
    }


TABLES = record.Study(
    "slice_doubt", NEEDED,
    ("results", "claims", "chosen", "reliability", "entropy", "errors", "shares", "people", "apart", "failures",
     "pictured"), VERSION, _tables,
)  # fmt: skip
"""Everything that this page shows."""

# ---- tables ----------------------------------------------------------------------------------------------------------


def points(tables: Tables, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """How five models agree with the crowd: title of the comparison to one row a model, facts, value, low, high."""
    rows = tables["results"]
    rows = rows[(rows["dataset"] == "crowd") & (rows["stage"] == STAGE)]
    columns = ["model", "layer", "value", "low", "high"]
    return {title: models.merge(rows.loc[rows["measure"] == measure, columns], on="model", validate="one_to_one")
            .assign(provenance=tables.provenance) for measure, title in AGREEMENT.items()}  # fmt: skip


def of_people(tables: Tables) -> pd.Series:
    """What the crowd leaves open: (measure, detail) to value."""
    rows = tables["results"]
    rows = rows[(rows["model"] == PEOPLE) & (rows["stage"] == "ceiling") & (rows["dataset"] == "crowd")]
    return rows.set_index(["measure", "detail"])["value"]


def limits(tables: Tables) -> dict[str, tuple[float, float]]:
    """The ceiling of each comparison of :func:`points`, from another person to the best possible."""
    own = of_people(tables)
    one, known = own["agreement with majority", "one person"], own["known doubt", "ceiling"]
    ends = {"accuracy": (own["accuracy", "another person"], own["accuracy", "majority"]),
            "agreement with majority": (one, one), "doubt": (known, known)}  # fmt: skip
    return networks.titled(ends, AGREEMENT)


def persons(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Agreement with every person of the crowd, one row a person and judge: name, group, value."""
    facts = models.set_index("model")
    own = [model for model in facts.index if model in tables["people"]]
    names = {"person": "another person"} | facts.loc[own, "name"].to_dict()
    groups = {"person": "Crowd"} | facts.loc[own, "group"].to_dict()
    long = tables["people"].melt("rank", list(names), "model", "value")
    return long.assign(name=long["model"].map(names), group=long["model"].map(groups), provenance=tables.provenance)


def curves(tables: Tables, rules=tuple(calibration.RULES)) -> pd.DataFrame:
    """Bins of confidence of each model on the crowd's answers."""
    rows = calibration.by_rule(tables["reliability"])
    return rows[(rows["set"] == "crowd") & rows["rule"].isin(rules)]


def alike(tables: Tables) -> pd.DataFrame:
    """How alike models and people err, one row a pair: model, detail (the other), measure, value."""
    rows = tables["results"]
    rows = rows[(rows["measure"] == choices.CONSISTENCY) & ~rows["detail"].isin(["networks"])]
    return rows[(rows["model"] < rows["detail"]) | (rows["detail"] == PEOPLE)]


def people_table(tables: Tables) -> pd.DataFrame:
    """How often two people agree in each set of repeated questions, for display."""
    rows = tables["results"]
    rows = rows[rows["measure"] == "two agree"]
    frame = rows[["value", "low", "high"]].assign(questions=rows["n"].astype(int), provenance=tables.provenance)
    frame.insert(0, "people", rows["dataset"].map(lambda name: "crowd of 2025" if name == "crowd" else name))
    frame.insert(1, "asked", rows["detail"])
    return frame.rename(columns={"value": "two people agree"})


def calibration_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Temperatures of each model by rule, and calibration on the crowd and on both test sets, for display."""
    rows = calibration.by_rule(tables["chosen"]).set_index(["model", "rule", "set"])
    out = rows["temperature"].xs("crowd", level="set").reset_index()
    for name, title in {"crowd": "crowd", "testset1": "test set 1", "testset2": "test set 2"}.items():
        part = rows.xs(name, level="set").loc[list(zip(out["model"], out["rule"]))]
        for key, words in {"ece": "ECE", "nll": "log loss", "sureness": "sure", "accuracy": "right"}.items():
            if name == "crowd" or key in ("ece", "nll"):
                out[f"{words}, {title}"] = part[key].to_numpy()
    out = out.assign(model=out["model"].map(networks.names(models)), rule=out["rule"].map(RULES))
    return out.assign(provenance=tables.provenance)


def apart_table(tables: Tables) -> pd.DataFrame:
    """Questions on which the crowds of two times differ most, for display."""
    out = tables["apart"].assign(provenance=tables.provenance)
    words = {"before": "odd one, THINGS-data", "now": "odd one, 2025", "share before": "share who said the first, then",
             "share now": "and in 2025", "answers": "answers then"}  # fmt: skip
    return _spaced(out).rename(columns=words)


def failures_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Questions that every network misses, for display."""
    names = networks.names(models)
    out = tables["failures"].assign(provenance=tables.provenance)
    words = {"odd": "people's odd one", "share": "share of people", **names}
    out.insert(0, "beside", out.pop("first") + ", " + out.pop("second"))
    return _spaced(out).rename(columns=words)


def _spaced(frame: pd.DataFrame) -> pd.DataFrame:
    """Names of concepts with spaces."""
    return frame.map(lambda value: value.replace("_", " ") if isinstance(value, str) else value)


def pictures(source: Source, table: pd.DataFrame, size: int = 200) -> dict[str, np.ndarray]:
    """Free photographs of the concepts of a table that are at hand, by name; {} where there are none."""
    if source.missing("photographs"):
        return {}
    return source.seen("photographs", list(dict.fromkeys(table["concept"])), size)


def numbers(tables: Tables) -> dict:
    """Numbers of the prose, by key."""
    told, rows = tables.provenance, tables["results"]
    keyed = rows.set_index(["model", "stage", "measure", "detail"])

    def one(model, stage, measure, detail="", digits=3):
        row = keyed.loc[(model, stage, measure, detail)]
        row = row.iloc[0] if isinstance(row, pd.DataFrame) else row
        ends = (row["low"], row["high"]) if row["low"] == row["low"] else None
        return show.number(row["value"], ends, told, digits=digits)

    out = {f"rd_{key}": one(PEOPLE, "ceiling", *at) for key, at in {
        "person": ("accuracy", "another person"), "best": ("accuracy", "majority"),
        "one": ("agreement with majority", "one person"), "loss": ("log loss", ""), "half": ("known doubt", "half"),
        "reliable": ("known doubt", "reliability"), "ceiling": ("known doubt", "ceiling")}.items()}  # fmt: skip
    out |= {f"rd_{key}": one(PEOPLE, "again", *at) for key, at in {
        "across": ("across",), "now": ("within, now",), "before": ("within, before",), "same": ("same majority",),
        "near": ("across minus within, half of the people",),
        "again": ("doubt, before and now",), "again_limit": ("doubt, before and now", "ceiling")}.items()}  # fmt: skip
    single = ("accuracy", "agreement with majority", "doubt")
    every = (*single, "log loss", "overconfidence")
    wanted = {"clip": every, "spose": every, "vgg": single[:1], "words": ("accuracy", "doubt"), "vice": single[2:]}
    out |= {f"rd_{key}_{WORDS[name]}": one(SHORT[key], STAGE if name in single else "log loss", name)
            for key, measured in wanted.items() for name in measured}  # fmt: skip
    out |= {f"rd_{key}": one(*at) for key, at in {
        "kappa_people": (PEOPLE, STAGE, choices.CONSISTENCY, PEOPLE),
        "kappa_spose": ("spose_49", STAGE, choices.CONSISTENCY, PEOPLE),
        "kappa_clip": ("clip_ViT-B/32", STAGE, choices.CONSISTENCY, PEOPLE),
        "kappa_embeddings": ("spose_49", STAGE, choices.CONSISTENCY, "vice_42")}.items()}  # fmt: skip
    counted = rows[rows["stage"] == "failures"].set_index(["measure", "detail"])["value"]
    keys = {"questions": ("questions", "all"), "missed": ("missed by all", "all"), "sure": ("questions", "sure"),
            "missed_sure": ("missed by all", "sure"),
            "rescued": ("of these, an embedding is right", "all")}  # fmt: skip
    out |= {f"rd_{key}": show.number(int(counted[at]), None, told) for key, at in keys.items()}
    out["rd_missed_chance"] = show.number(counted["missed by all, if independent", "all"], None, told, digits=0)
    people, split = tables["people"], tables["shares"]["first"] < 0.5
    out |= {"rd_people": show.number(len(people), None, told), "rd_split": show.number(int(split.sum()), None, told),
            "rd_guessing": show.number(int((people["majority"] < measures.GUESSING).sum()), None, told),
            "rd_ln3": show.number(float(np.log(3)), None, told),
            "rd_beaten": show.number(100 * (people["spose_49"] > people["person"]).mean(), None, told, digits=0,
                                     unit=" %")}  # fmt: skip
    shared = keyed.loc[(PEOPLE, "again", "across", "")]
    out["rd_shared"] = show.number(int(shared["n"]), None, told)
    return out | statements.numbers(tables["claims"], told, "rd", "{}_effect")
