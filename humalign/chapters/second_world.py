"""The second drawn world: labels whose overlap with observers varies, fair pairs, a teacher that knows no drawing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from .. import claims as ledger
from .. import record, resample, show
from ..edition import EDITIONS
from ..results import Measured, interval
from ..source import Source
from ..store import read_json
from ..zoo.facts import kinds
from . import claims, probing, statements, student, verdict_rule, verdicts
from .world import FROZEN

ROLES, OPTIONAL = (), ()  # recorded runs
WORLD = EDITIONS["2"]
FILES = {"networks": "mini_seeds.csv", "facts": "networks.csv", "students": student.RUNS, "log": student.LOG}
CONTROLS = ("Rewired labels", "Labels of all concepts")  # groups that no paper has: not part of the papers' claims
LEDGER = "claims_second.toml"
REAL = "THINGS, 27 categories, and SPoSE-49"
NOT_YET = show.Words("not measured yet")
TOGETHER = ", kinds together"  # end of stages where a kind and its basic concept lie in one fold of the probe
RUNS_PLANNED = 3  # training runs of each network
NAMES_ONLY, LINE = "sigmoid-resnet-m", "resnet-m"  # the network that labels are compared with; architecture of the line
STAGES = ("base", "permuted", "UnAligNet", "AligNet")
TEACHERS = {  # end of a stage: what the teacher knew
    "": "photographs only",
    ", seen teacher": "labels of seen concepts",
    ", leaky teacher": "labels of all concepts",
}
WAYS = ("labels", "linear transform", "UnAligNet", "AligNet")  # to gain agreement, in the figure of overlap
ODD = {"dataset": "things", "measure": "accuracy"}
MEASURES = {  # dataset, measure, detail: words
    ("levels", "accuracy", "H2/coarse"): "coarse",
    ("levels", "accuracy", "H2/fine"): "fine",
    ("levels", "accuracy", "H2/boundary"): "boundary",
    ("one-shot", "accuracy", "H2"): "one example each",
    ("shift", "accuracy", "H2"): "new superordinates",
    ("ratings", "spearman", "cosine"): "ratings of pairs (ρ)",
    ("naming", "accuracy", "chosen against a network"): "pictures chosen against a network",
}


def _path(what: str) -> Path:
    name = str(WORLD.within(Path()) / FILES[what])
    return record.file_of(name, "the second drawn world", "HUMALIGN_WORLD=2 humalign record --profile mini")


@lru_cache(maxsize=1)
def frozen() -> dict:
    """What was frozen before any network: overlaps of labels, naming by trivial descriptions, the data."""
    return read_json(WORLD.within(FROZEN.parent) / FROZEN.name)


def networks() -> Measured:
    """Results of all training runs, with draws; MissingData where none is recorded."""
    return Measured.load(_path("networks"), "recorded")


def students() -> Measured:
    """Results of all students, with draws; MissingData where none is recorded."""
    return Measured.load(_path("students"), "recorded")


def log() -> pd.DataFrame:
    """One line a planned student: stage, model, seed, state (done, failed, not run) and facts of training."""
    return pd.read_csv(_path("log"))


def overlaps() -> dict[str, float]:
    """Training set of a network to the Mantel correlation of its labels with what observers see."""
    found = {name: row["mantel"] for name, row in frozen()["rewired"].items() if name != REAL}
    shares = {name: name.split()[1].rstrip("%") for name in found}
    return {"taxonomy" if shares[n] == "100" else f"taxonomy-{shares[n]}": value for n, value in found.items()}


def facts() -> pd.DataFrame:
    """Facts of the networks (:func:`humalign.zoo.facts.kinds`), with ``overlap`` of those with a taxonomy."""
    table = pd.read_csv(_path("facts"))
    for column in ("role", "augmentation", "objective", "family", "training_data"):
        table[column] = table[column].astype(object).fillna("")
    return kinds(table).assign(overlap=table["training_data"].map(overlaps()))


# ---- verdicts --------------------------------------------------------------------------------------------------------


def judged(measured: Measured | None = None, models: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every claim of both papers, those of the ledger that was added later with a criterion, and this world's own.

    Returns
    -------
    DataFrame
        Of :func:`humalign.claims.judge`. The papers' claims leave networks out that no paper has
        (:data:`CONTROLS`).
    """
    measured = claims.join(networks(), student.as_claimed(students())) if measured is None else measured
    models = facts() if models is None else models
    papers = models[~models["group"].isin(CONTROLS)]
    own = ledger.judge(measured, models, ledger.ledger(LEDGER))
    return pd.concat([ledger.judge(measured, papers), own], ignore_index=True)


def own(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The claims of this world's own ledger among :func:`judged`."""
    return verdicts[verdicts["id"].str.startswith("w2-")]


def rule(runs: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """How often verdicts on groups of networks are right: simulated studies like that of the taxonomy's labels.

    Returns
    -------
    DataFrame
        Of :func:`humalign.chapters.verdict_rule.measure`.
    """
    test = next(claim["test"] for claim in ledger.ledger(LEDGER) if claim["id"] == "w2-labels")
    concepts = {"labels": frozen()["concepts"]}
    return verdict_rule.measure(runs, models, concepts, designs={"labels": test})


def _first(source: Source) -> dict:
    """Verdicts of the papers' claims in a drawn world, as it is measured there."""
    return {"verdicts": ledger.judge(*claims.collect(source))}


# the first world's verdicts, readable beside the second one's also where nothing is measured
FIRST = record.Study("mini_verdicts", frozenset(), ("verdicts",), 1, _first, live=False, profile="mini")


def own_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """This world's own claims with criterion, effect and verdict, for display."""
    found = statements.table(own(verdicts), "recorded", (*statements.COLUMNS[:3], "basis", "verdict"))
    return found.assign(effect=found["effect"].where(own(verdicts)["effect"].notna().to_numpy(), ""))


def both_worlds(verdicts: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """The papers' claims in both drawn worlds, for display.

    Parameters
    ----------
    verdicts, first : DataFrame
        Of :func:`judged`; of the first world.
    """
    both = first.merge(verdicts, on="id", suffixes=("_first", "_second"))
    out = {"claim": both["claim_first"], "criterion": both["criterion_first"]}
    for world in ("first", "second"):
        rows = both[[f"effect_{world}", f"low_{world}", f"high_{world}"]].itertuples(index=False)
        out[f"{world} world"] = [
            "" if np.isnan(e) else show.number(e, (low, high), "recorded") for e, low, high in rows
        ]
        out[f"basis, {world}"] = both[f"basis_{world}"]
        words = both[f"verdict_{world}"]
        out[f"verdict, {world}"] = [statements.WORDS.get(v, v) for v in words]
    return pd.DataFrame(out)


# ---- overlap ---------------------------------------------------------------------------------------------------------


def _cells(measured: Measured, models: pd.DataFrame, **where) -> resample.Networks:
    keep = np.all([measured.table[key] == value for key, value in where.items()], axis=0)
    return resample.networks(measured.select(keep), models, "")


def _gain(after: resample.Networks, before: resample.Networks) -> pd.DataFrame:
    """Value of each network in ``after`` minus that of the same, or of the only, network in ``before``."""
    left, right = after.both(), before.both()
    at = before.facts["model"].tolist()
    rows = []
    for k, model in enumerate(after.facts["model"]):
        if len(at) == 1 or model in at:
            gain = left[k] - right[0 if len(at) == 1 else at.index(model)]
            rows.append((model, gain[0], *interval(gain[1:])))
    return pd.DataFrame(rows, columns=["model", "value", "low", "high"])


def overlap_points(runs: Measured, aligned: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """What labels, a linear transform and alignment add to odd-one-out accuracy, at each overlap, one architecture.

    Parameters
    ----------
    runs, aligned : Measured
        Of :func:`networks` and :func:`students`.
    models : DataFrame
        Of :func:`facts`.

    Returns
    -------
    DataFrame
        way (one of :data:`WAYS`), model, overlap, value, low, high. "labels": minus the network that was told the names
        of concepts only; "linear transform": minus the same network in the same folds; others: minus the same network.
    """
    line = models[models["overlap"].notna() & (models["arch"] == LINE)]
    names, both = models[models["model"] == NAMES_ONLY], {**ODD, "layer": "penultimate"}
    zero = {**both, "stage": "zero-shot", "detail": "cosine"}
    parts = {"labels": _gain(_cells(runs, line, **zero), _cells(runs, names, **zero))}
    folds = _cells(runs, line, **both, stage="zero-shot, same folds")
    parts["linear transform"] = _gain(_cells(runs, line, **both, stage="probed"), folds)
    base = _cells(aligned, line, **ODD, stage="base", detail="cosine")
    for way in WAYS[2:]:
        after = _cells(aligned, line, **ODD, stage=f"{way}, overlap", detail="cosine")
        parts[way] = _gain(after, base)
    out = pd.concat([part.assign(way=way) for way, part in parts.items() if len(part)], ignore_index=True)
    return out.merge(line[["model", "overlap"]], on="model").sort_values(["way", "overlap"], ignore_index=True)


def real_overlap() -> float:
    """Mantel correlation of THINGS' categories with SPoSE: real labels, real people."""
    return frozen()["rewired"][REAL]["mantel"]


def line_at(points: pd.DataFrame, overlap: float, way: str = "labels") -> float:
    """The straight line through the points of one way, at an overlap."""
    part = points[points["way"] == way]
    return float(np.polyval(np.polyfit(part["overlap"], part["value"], 1), overlap))


# ---- networks --------------------------------------------------------------------------------------------------------


def zero_shot_points(runs: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """Zero-shot odd-one-out accuracy of every network, better layer: model, facts, value, low, high."""
    where = {**ODD, "stage": "zero-shot", "detail": "cosine"}
    keep = np.all([runs.table[key] == value for key, value in where.items()], axis=0)
    cells = resample.networks(runs.select(keep), models)
    ends = np.array([interval(draws) for draws in cells.draws])
    columns = ["model", "name", "arch", "group", "objective", "training_data", "runs"]
    return cells.facts[columns].assign(value=cells.value, low=ends[:, 0], high=ends[:, 1])


def naming(models: pd.DataFrame) -> pd.DataFrame:
    """Test pictures that a linear probe names: of trivial descriptions, untrained and self-supervised networks.

    Returns
    -------
    DataFrame
        name, group ("Description" or that of the network), value.
    """
    trivial = pd.DataFrame(frozen()["naming"].items(), columns=["name", "value"]).assign(group="Description")
    shown = models[models["group"].isin(["Self-Supervised", "Untrained"]) & models["reference_accuracy"].notna()]
    nets = shown.rename(columns={"reference_accuracy": "value"})[["name", "group", "value"]]
    return pd.concat([trivial, nets], ignore_index=True).sort_values("value", ignore_index=True)


def fair_pairs(runs: Measured, models: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy of the three architectures by what they were told, with matched pictures and steps.

    Returns
    -------
    DataFrame
        told, value, low, high, and each (values of the networks).
    """
    points = zero_shot_points(runs, models[models["arch"].str.endswith("-m")])
    told = {
        ("Untrained", "pictures"): "nothing (untrained)",
        ("Self-Supervised", "pictures"): "nothing (SimCLR)",
        ("Concept labels", "concepts-10"): "one label, 10 pictures",
        ("Concept labels", "concepts-20"): "one label, 20 pictures",
        ("Concept labels", "concepts"): "one label, 40 pictures",
        ("Coarse labels", "coarse"): "superordinate only",
        ("Image/Text", "captions-seen"): "captions",
        ("Rewired labels", "taxonomy-0"): "taxonomy, rewired",
        ("Taxonomy labels", "taxonomy"): "taxonomy",
    }
    keep = points["objective"].isin(["Softmax", "Sigmoid", "SimCLR", "Image/text", "none"])
    one_label = (points["group"] != "Concept labels") | (points["objective"] == "Softmax")
    points = points[keep & one_label]
    rows = []
    for key, words in told.items():
        part = points[(points["group"] == key[0]) & (points["training_data"] == key[1])]
        if len(part):
            each = " ".join(f"{v:.6g}" for v in part["value"])
            rows.append((words, part["value"].mean(), part["value"].min(), part["value"].max(), each))
    return pd.DataFrame(rows, columns=["told", "value", "low", "high", "each"])


# ---- students --------------------------------------------------------------------------------------------------------


def student_points(aligned: Measured) -> pd.DataFrame:
    """Students before and after alignment, mean over networks and seeds: panel, stage, value, low, high."""
    found = aligned.select(aligned.table["stage"].isin(STAGES) & aligned.table["model"].isin(WORLD.students))
    runs = found.table.groupby(["model", "seed"])["stage"].transform("nunique")
    found = found.select((runs == len(STAGES)).to_numpy())  # runs that have all of them
    keys = pd.Series(list(zip(*(found.table[c] for c in ("dataset", "measure", "detail")))))
    parts = []
    for key, words in MEASURES.items():
        rows = found.select((keys == key).to_numpy())
        if not len(rows.table):
            continue
        for stage in STAGES:
            part = rows.select((rows.table["stage"] == stage).to_numpy())
            if len(part.table):
                cells = resample.networks(part, pd.DataFrame({"model": list(WORLD.students)}), "")
                parts.append((words, stage, cells.value.mean(), *interval(cells.draws.mean(0)), len(cells.value)))
    return pd.DataFrame(parts, columns=["panel", "stage", "value", "low", "high", "networks"])


def teacher_points(aligned: Measured) -> pd.DataFrame:
    """One student after alignment by teachers that knew different things: panel, teacher, stage, value, low, high."""
    first, rows = next(iter(WORLD.students)), []
    models = pd.DataFrame({"model": [first]})
    for (dataset, measure, detail), words in MEASURES.items():
        where = {"dataset": dataset, "measure": measure, "detail": detail}
        for end, knew in TEACHERS.items():
            for stage in ("UnAligNet", "AligNet"):
                cells = _cells(aligned, models, **where, stage=f"{stage}{end}")
                if len(cells.value):
                    rows.append((words, knew, stage, cells.value[0], *interval(cells.draws[0])))
    return pd.DataFrame(rows, columns=["panel", "teacher", "stage", "value", "low", "high"])


def teacher_table(aligned: Measured) -> pd.DataFrame:
    """:func:`teacher_points` for display, a row a teacher and a column a measure."""
    points = teacher_points(aligned)
    told = [show.number(r.value, (r.low, r.high), "recorded") for r in points.itertuples()]
    wide = points.assign(value=told, student=points["stage"]).pivot(
        index=["teacher", "student"], columns="panel", values="value"
    )
    rows = pd.MultiIndex.from_product([list(TEACHERS.values()), ["UnAligNet", "AligNet"]], names=wide.index.names)
    return wide.reindex(rows.intersection(wide.index))[list(dict.fromkeys(points["panel"]))].reset_index()


# ---- the page --------------------------------------------------------------------------------------------------------


def bayes() -> float:
    """Accuracy that no model of the observers can exceed, on random triplets of things."""
    return frozen()["observed"]["bayes"]


def state(models: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Training runs and alignment experiments of the protocol: what, planned, done."""
    done = models.assign(runs=models["seeds"].fillna("").astype(str).str.split().str.len())
    rows = [(f"networks: {group}", RUNS_PLANNED * len(part), int(part["runs"].sum()))
            for group, part in done.groupby("group", sort=False)]  # fmt: skip
    kinds_of = lines["stage"].str.replace(r"^(AligNet|UnAligNet)$", "AligNet and UnAligNet", regex=True)
    kinds_of = kinds_of.str.replace(r"^(AligNet|UnAligNet), ", "students: ", regex=True)
    for kind, part in lines.groupby(kinds_of, sort=False):
        rows.append((kind, len(part), int((part["state"] == "done").sum())))
    return pd.DataFrame(rows, columns=["what", "planned", "done"])


def stage_numbers(points: pd.DataFrame) -> dict:
    """Values of single stages for the prose: ``w2_one_shot_base`` ..., ``w2_boundary_base`` ...; of
    :func:`student_points`."""
    names = {
        MEASURES["one-shot", "accuracy", "H2"]: "one_shot",
        MEASURES["levels", "accuracy", "H2/boundary"]: "boundary",
    }
    return {f"w2_{names[row.panel]}_{row.stage.lower()}": show.number(row.value, (row.low, row.high), "recorded")
            for row in points.itertuples() if row.panel in names}  # fmt: skip


def probe_numbers(runs: Measured) -> dict:
    """Gains of the probe for the prose, same networks: ``w2_gain_apart`` with folds over concepts, and
    ``w2_gain_together`` with folds over basic concepts."""
    table, out = runs.table, {"w2_gain_apart": NOT_YET, "w2_gain_together": NOT_YET}
    own = table[table["stage"] == probing.PROBED + TOGETHER]
    same = table["model"].isin(own["model"]) & (table["layer"] == "penultimate") & (table["dataset"] == "things")
    for key, end in (("apart", ""), ("together", TOGETHER)):
        sides = {"plus": {"stage": probing.PROBED + end}, "minus": {"stage": probing.SAME + end}}
        found = resample.difference(runs.select(same.to_numpy()), **sides)
        for row in found[found["model"] == "all"].itertuples():
            out[f"w2_gain_{key}"] = show.number(row.value, (row.low, row.high), "recorded")
    return out


def numbers(found: pd.DataFrame, models: pd.DataFrame, lines: pd.DataFrame, draws: int) -> dict:
    """Numbers for the prose.

    Parameters
    ----------
    found : DataFrame
        Of :func:`judged`.
    models : DataFrame
        Of :func:`facts`.
    lines : DataFrame
        Of :func:`log`.
    draws : int
        Behind each interval.
    """
    there = found[found["effect"].notna()]
    out = claims.of_draws(there, draws, "w2") | {
        f"w2_{name.partition('-')[2].replace('-', '_')}": NOT_YET for name in own(found)["id"]
    }
    out |= {f"w2_v_{name.replace('-', '_')}": NOT_YET for name in found["id"]}
    out |= statements.numbers(own(there), "recorded", "w2")
    naming = frozen()["naming"]
    out |= {
        "w2_real_overlap": show.number(real_overlap(), None, "recorded"),
        "w2_first_overlap": show.number(read_json(FROZEN)["overlap"]["mantel"], None, "recorded"),
        "w2_networks": show.number(int(models["seeds"].notna().sum()), None, "recorded"),
        "w2_runs": show.number(
            int(models["seeds"].fillna("").astype(str).str.split().str.len().sum()), None, "recorded"
        ),
        "w2_done": show.number(int((lines["state"] == "done").sum()), None, "recorded"),
        "w2_planned": show.number(len(lines), None, "recorded"),
        "w2_pixels": show.number(naming["pixels"], None, "recorded"),
        "w2_colours": show.number(naming["colour histogram"], None, "recorded"),
        "w2_bayes": show.number(bayes(), None, "recorded"),
    }
    for row in there.itertuples():
        out[f"w2_v_{row.id.replace('-', '_')}"] = show.number(row.effect, (row.low, row.high), "recorded")
    for row in found.itertuples():
        key = row.id.replace("-", "_")
        out[f"w2_v_{key}_word"] = show.Words(verdicts.SAID.get(row.verdict, row.verdict))
    return out
