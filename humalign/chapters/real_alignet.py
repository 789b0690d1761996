"""AligNet on real people: networks pretrained on ImageNet, aligned on photographs with a teacher that people taught."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from .. import claims, record, resample, results, show
from ..results import Measured
from ..zoo import facts as zoo
from . import statements

ROLES, OPTIONAL = (), ()  # recorded runs
CLAIMS = "claims_aligned.toml"
RUNS, LOG, CHOSEN = "real_alignet_runs.csv", "real_alignet_log.csv", "real_alignet_chosen.csv"
REFERENCES = "real_alignet_references.csv"  # the teacher, people's limits, chance
HELD_OUT, CHOOSING = "real_alignet_held_out.txt", "real_alignet_choosing.txt"
STUDENTS = {  # short names, for axes
    "efficientnet-lite0": "EfficientNet-Lite0",
    "efficientnet-lite1": "EfficientNet-Lite1",
    "squeezenet1_0": "SqueezeNet",
}
STAGES = ("base", "permuted", "UnAligNet", "AligNet")
NATIVE = "base, own size"  # the untouched network with pictures of the size that it was trained with
EMBEDDINGS = ("things/spose_49", "things/vice_42")  # fitted to people's choices, about held-out concepts, too
KINDS = ("human bodypart", "human face", "nonhuman bodypart", "nonhuman face", "artificial inanimate",
         "natural inanimate")  # of the 92 images  # fmt: skip
SHOTS = (1, 2, 4)
ODD = "odd one out"
PRIMARY = ("mur92", "spearman", "correlation", "penultimate")
CONTRASTS = (("AligNet", "base"), ("AligNet", "UnAligNet"))
LONGER_SUFFIX = ", 200 steps"
LONGER = tuple(f"{stage}{LONGER_SUFFIX}" for stage in ("AligNet", "UnAligNet"))  # beside the chosen number of steps
CURVED = "efficientnet-lite0"  # the student of the trade-off curve


def rate_text(rate: float) -> str:
    """A learning rate in few characters: "3e−5"."""
    return f"{rate:.0e}".replace("e-0", "e−")


def examples(shots: int) -> str:
    """The detail of rows on categories learned from some examples of each."""
    return f"categories, {shots} example{'s' if shots > 1 else ''}"


MEASURES = {  # (dataset, measure, detail, layer): words
    PRIMARY: "mean of 16 people (ρ)",
    ("mur92", "spearman with each person", "correlation", "penultimate"): "single people (ρ)",
    ("mur92", "accuracy", ODD, "penultimate"): "odd one out, 92 images",
    ("things/spose_49", "spearman", "held-out", "penultimate"): "SPoSE, held-out (ρ)",
    ("things/vice_42", "spearman", "held-out", "penultimate"): "VICE, held-out (ρ)",
    ("photographs", "accuracy", "held-out", "penultimate"): "responses, held-out",
    **{("mur92", "accuracy", examples(k), "penultimate"): examples(k) for k in SHOTS},
    ("imagenet", "accuracy", "photographs", "logits"): "ImageNet top-1",
    ("imagenet", "agreement", "held-out", "logits"): "ImageNet answers kept",
}
SHOWN = [*list(MEASURES)[:4], ("mur92", "accuracy", examples(1), "penultimate"), *list(MEASURES)[-2:]]  # in the table


# ---- records ---------------------------------------------------------------------------------------------------------


def _recorded(file: str):
    return record.file_of(file, "AligNet with real people", "python -m humalign.experiments --real")


def runs() -> Measured:
    """All recorded runs, with bootstrap draws over images or concepts.

    Raises
    ------
    MissingData
        When no run is recorded yet.
    """
    return Measured.load(_recorded(RUNS), "recorded")


def log() -> pd.DataFrame:
    """One line a run of the protocol: stage, model, seed, state (done, failed, not run), facts of training."""
    return pd.read_csv(_recorded(LOG))


def chosen() -> pd.DataFrame:
    """How the settings were chosen on seen concepts, run by run."""
    return pd.read_csv(_recorded(CHOSEN))


def references() -> pd.DataFrame:
    """The teacher on people's responses, people's limits, and chance: a result table."""
    return results.read(_recorded(REFERENCES), "recorded")


def models() -> pd.DataFrame:
    """Facts of the students."""
    table = zoo.table()
    return table[table["model"].isin(STUDENTS)].reset_index(drop=True)


def of_measure(found: Measured, place: tuple) -> Measured:
    """Rows of one key of :data:`MEASURES`."""
    keys = zip(("dataset", "measure", "detail", "layer"), place)
    return found.select(np.all([found.table[key] == value for key, value in keys], axis=0))


# ---- tables ----------------------------------------------------------------------------------------------------------


def points(found: Measured, place: tuple = PRIMARY, stages=STAGES) -> pd.DataFrame:
    """One row a student and stage: value (mean over seeds), low, high, seeds, each (single seeds in words)."""
    part = of_measure(found, place)
    part = part.select(part.table["stage"].isin(list(stages)))
    return resample.averaged(part, ["model", "stage"])


def limits(measure: str) -> dict[str, float]:
    """What no model can exceed, and chance, in one measure of the 92 images: name to value."""
    rows = references()
    rows = rows[(rows["dataset"] == "mur92") & (rows["measure"] == measure)]
    return dict(zip(rows["detail"], rows["value"]))


def main_points(found: Measured) -> dict[str, pd.DataFrame]:
    """Agreement with the mean of 16 people and with single people: title to :func:`points`."""
    single = ("mur92", "spearman with each person", "correlation", "penultimate")
    return {"with the mean of 16 people": points(found), "with single people, averaged": points(found, single)}


def main_limits() -> dict[str, tuple[float, float]]:
    """Ceilings of :func:`main_points`: title to lower and upper end."""
    found = limits("ceiling")
    ends = (found["mean"],) * 2, (found["single, lower"], found["single, upper"])
    return dict(zip(("with the mean of 16 people", "with single people, averaged"), ends))


def stacked(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of several panels below each other, the panel in the first column."""
    out = pd.concat([part.assign(panel=title) for title, part in parts.items()], ignore_index=True)
    return out[["panel", *out.columns[:-1]]].assign(provenance="recorded")


def _for_every_seed(found: Measured) -> Measured:
    """The untouched networks, which no seed concerns, beside the students of every seed."""
    base, seeds = found.select("stage == 'base'"), sorted(set(found.table["seed"]) - {0})
    more = [Measured(base.table.assign(seed=seed), base.draws) for seed in seeds]
    return results.combine(found, *more)


def contrasts(found: Measured, pairs=CONTRASTS) -> pd.DataFrame:
    """Paired differences in all measures: plus, minus, name, model ("all": mean of the students), value, low, high."""
    parts, found = [], _for_every_seed(found)
    for plus, minus in pairs:
        for place, name in MEASURES.items():
            part = resample.difference(of_measure(found, place), {"stage": plus}, {"stage": minus})
            parts.append(part.assign(plus=plus, minus=minus, name=name))
    return pd.concat(parts, ignore_index=True)


def curve(found: Measured) -> pd.DataFrame:
    """The trade-off of one student, seed 0: label, change, lr, kept, accuracy (ImageNet top-1), near (with intervals).

    "kept" is the share of ImageNet answers as before on held-out photographs; "near" the agreement with the mean of 16
    people. The untouched network keeps all.
    """
    part = found.select((found.table["model"] == CURVED) & (found.table["seed"] == 0))
    rates = {r.stage: json.loads(r.settings)["lr"] for r in log().itertuples() if isinstance(r.settings, str)}
    columns = {"near": PRIMARY, "kept": ("imagenet", "agreement", "held-out", "logits"),
               "top": ("imagenet", "accuracy", "photographs", "logits")}  # fmt: skip
    rows: dict[str, dict] = {}
    for column, place in columns.items():
        for row in of_measure(part, place).table.itertuples():
            label, _, change = row.stage.partition(", ")
            if label == "permuted" or row.stage == NATIVE:
                continue
            own = rows.setdefault(row.stage, {"label": label, "change": change, "lr": rates.get(row.stage, 0.0)})
            own |= {column: row.value, f"{column}_low": row.low, f"{column}_high": row.high}
    return pd.DataFrame(rows.values()).sort_values(["label", "change", "lr"], kind="stable").reset_index(drop=True)


def table(found: Measured) -> pd.DataFrame:
    """The students before and after, for display: one row a student and stage, seeds averaged."""
    rows, parts = {}, {place: points(found, place, (NATIVE, *STAGES)) for place in SHOWN}
    for place, part in parts.items():
        for row in part.to_dict("records"):
            new = {"student": STUDENTS[row["model"]], "labels": row["stage"], "seeds": row["seeds"]}
            own = rows.setdefault((row["model"], row["stage"]), new)
            own[MEASURES[place]] = show.number(row["value"], (row["low"], row["high"]), "recorded", digits=2)
    order = {stage: k for k, stage in enumerate((NATIVE, *STAGES))}
    keys = sorted(rows, key=lambda key: (list(STUDENTS).index(key[0]), order[key[1]]))
    return pd.DataFrame([rows[key] for key in keys])


def contrast_table(found: pd.DataFrame) -> pd.DataFrame:
    """:func:`contrasts` for display: one row a measure, the mean of the students and each of them."""
    rows: dict[tuple, dict] = {}
    for row in found.itertuples():
        new = {"difference": f"{row.plus} − {row.minus}", "measure": row.name}
        own = rows.setdefault((row.plus, row.minus, row.name), new)
        own[STUDENTS.get(row.model, "mean")] = show.number(row.value, (row.low, row.high), "recorded")
    return pd.DataFrame(rows.values())[["difference", "measure", "mean", *STUDENTS.values()]]


def verdicts(found: Measured) -> pd.DataFrame:
    """The claims of this page, judged: see :func:`humalign.claims.judge`."""
    return claims.judge(_for_every_seed(found), models(), claims.ledger(CLAIMS))


def claim_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Claims with criterion, effect, verdict and what was known before, for display."""
    shown = ("claim", "statistic", "criterion", "effect", "verdict", "status")
    return statements.table(judged, "recorded", shown).rename(columns={"status": "known before"})


def chosen_table() -> pd.DataFrame:
    """The runs that settings were chosen by, for display."""
    out = chosen()
    changed = {"lr": out["lr"].map(rate_text), "decay": out["decay"].astype(int)}
    out = out.assign(**changed, chosen=np.where(out["chosen"], "chosen", ""), provenance="recorded")
    return out.rename(columns={"lr": "learning rate"})


def teacher_table() -> pd.DataFrame:
    """The teacher on people's responses, for display."""
    rows = references()
    rows = rows[rows["model"].str.startswith("things/") & (rows["measure"] == "accuracy")]
    value = [show.number(r.value, None if np.isnan(r.low) else (r.low, r.high), "recorded") for r in rows.itertuples()]
    names = {"AligNet": "fitted to people", "UnAligNet": "untransformed"}
    columns = {"responses": rows["dataset"], "tested on": rows["detail"], "answers": rows["n"].astype(int),
               "features": rows["stage"].map(names), "accuracy": value}  # fmt: skip
    return pd.DataFrame(columns)


def cost_table() -> pd.DataFrame:
    """What the runs cost, by student and steps: CPU minutes of one run (training and measuring; one thread)."""
    done = log()
    done = done[(done["state"] == "done") & done["steps"].notna()]
    grouped = done.assign(minutes=done["cpu_seconds"] / 60).groupby(["model", "steps"], sort=False)
    out = grouped.agg(runs=("seed", "size"), minutes=("minutes", "mean"), most=("minutes", "max"),
                      moved=("displacement", "mean")).reset_index()  # fmt: skip
    out["model"] = out["model"].map(STUDENTS)
    return out.assign(steps=out["steps"].astype(int), provenance="recorded").rename(
        columns={"model": "student", "minutes": "CPU minutes a run", "most": "longest", "moved": "change of weights"}
    )


def numbers(found: Measured, judged: pd.DataFrame) -> dict:
    """Numbers of the prose, by key."""
    told = {}
    counts = log()["state"].str.partition(":")[0].value_counts()
    told |= {f"ra_{key.replace(' ', '_')}": show.number(int(counts.get(key, 0)), None, "recorded")
             for key in ("done", "failed", "not run")}  # fmt: skip
    told["ra_planned"] = show.number(int(counts.sum()), None, "recorded")
    ceiling = limits("ceiling")
    told |= {"ra_ceiling": show.number(ceiling["mean"], None, "recorded", digits=2),
             "ra_ceiling_low": show.number(ceiling["single, lower"], None, "recorded", digits=2),
             "ra_ceiling_high": show.number(ceiling["single, upper"], None, "recorded", digits=2)}  # fmt: skip
    for place, key in ((PRIMARY, "people"), (list(MEASURES)[-1], "kept"), (list(MEASURES)[-2], "top")):
        for stage, row in _over_students(found, place).items():
            name = stage.lower().replace(LONGER_SUFFIX, "_longer")
            told[f"ra_{key}_{name}"] = show.number(row[0], row[1], "recorded", digits=2)
    longer = resample.difference(of_measure(found, PRIMARY), *({"stage": one} for one in LONGER))
    if len(longer):
        row = longer.iloc[-1]
        told["ra_longer_people"] = show.number(row["value"], (row["low"], row["high"]), "recorded")
    told |= _numbers_of_curve(curve(found))
    told |= statements.numbers(judged, "recorded", "ra")
    count = found.table.set_index(["dataset", "measure", "detail"])["n"]
    for key, place in (("responses", ("photographs", "accuracy", "held-out")),
                       ("classes", ("imagenet", "accuracy", "photographs")),
                       ("held", ("imagenet", "agreement", "held-out"))):  # fmt: skip
        told[f"ra_{key}_n"] = show.number(int(count.loc[place].iloc[0]), None, "recorded")
    value = {row.measure: row.value for row in references().itertuples()}  # these four occur once
    counted = {"questions": "questions", "most_asked": "answers to the most asked", "fitted": "responses"}
    told |= {f"ra_{key}": show.number(int(value[name]), None, "recorded") for key, name in counted.items()}
    told["ra_strength"] = show.number(float(value["strength"]), None, "recorded", digits=1)
    told["ra_minutes"] = show.number(float(cost_table()["longest"].max()), None, "recorded", digits=1)
    return told


def _numbers_of_curve(table: pd.DataFrame) -> dict:
    """The curve in numbers: highest learning rate, the one below the chosen one, and a pull to the start."""
    own = table[table["label"] == "AligNet"]
    plain, out = own[~own["change"].str.contains("steps|pull|decay")].sort_values("lr"), {}
    rate = plain.loc[plain["change"] == "", "lr"].item()
    ends = {"far": plain["lr"].max(), "mild": plain.loc[plain["lr"] < rate, "lr"].max()}
    for key, lr in ends.items():
        for label, part in table[table["lr"] == lr].groupby("label"):
            row = part[part["change"].str.startswith("learning rate")].iloc[0]
            name = f"ra_{key}_{label.lower()}"
            out |= {name: show.number(row["near"], None, "recorded", digits=2),
                    f"{name}_kept": show.number(row["kept"], None, "recorded", digits=2)}  # fmt: skip
        out[f"ra_{key}_rate"] = show.Words(rate_text(lr))
    pulled = own[own["change"].str.contains("pull|decay")].iloc[0]
    out |= {"ra_pulled": show.number(pulled["near"], None, "recorded", digits=2),
            "ra_pulled_kept": show.number(pulled["kept"], None, "recorded", digits=2)}  # fmt: skip
    return out


def _over_students(found: Measured, place: tuple) -> dict[str, tuple]:
    """Mean over the students of one measure, by stage: value and interval (objects and seeds)."""
    out = {}
    for stage in (*STAGES, *LONGER):
        part = of_measure(found, place)
        part = part.select((part.table["stage"] == stage).to_numpy())
        if len(part.table):
            both = resample.networks(part, models(), "").both().mean(0)
            out[stage] = float(both[0]), tuple(float(v) for v in results.interval(both[1:]))
    return out
