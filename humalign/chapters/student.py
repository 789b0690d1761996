"""Students before and after alignment: recorded runs of the drawn world, averaged, contrasts, controls, examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from .. import levels, odd_one_out, resample, results, show
from .. import record as recording
from ..alignet.optim import learning_rate
from ..alignet.settings import PRESETS, PRIMARY, Settings
from ..cache import kept
from ..data.types import Triplets
from ..edition import NOW
from ..results import Measured, farthest
from ..similarity import similarity_matrix
from ..source import Source
from ..store import load_arrays
from . import rsa, teacher, zero_shot

ROLES, OPTIONAL = (), ()  # students of the drawn world, recorded
VERSION = 1  # of what is kept: goes up when its numbers change
RUNS, LOG, DIAGNOSIS = "alignet_runs.csv", "alignet_log.csv", "alignet_diagnosis.csv"
FEATURES = "alignet_features.safetensors"
PER_CONCEPT = 4  # test pictures whose features are recorded, of each concept
SHOTS = (1, 2, 3)  # examples of each concept in the few-shot test
PART = "H2"  # the held-out concepts that are reported
WHOLE = "reported"  # stands for it where people judged pictures that no concept is split by
STAGES = ("base", "UnAligNet", "AligNet")
NAMES = NOW.students  # with short names, for axes
CHOICES = {  # (dataset, measure, detail): title of a panel
    ("things", "accuracy", "cosine"): "odd-one-out choices, all concepts",
    ("things", "accuracy", "cosine, held-out concepts"): "odd-one-out choices, held-out concepts only",
}
ARRANGED = {
    ("cichy", "spearman", "correlation"): "arrangement, 118 pictures",
    ("king1", "spearman", "correlation"): "arrangement, first 144 pictures",
    ("king2", "spearman", "correlation"): "arrangement, second 144 pictures",
}
LEVELS = {("levels", "accuracy", before + level): level for before in ("", f"{WHOLE}/") for level in levels.LEVELS}
TIMES = {("levels", "entropy-time", level): level for level in levels.LEVELS}
# Levels accuracies of the paper, as others quote them: level, lowest and highest base, lowest and highest AligNet
SECOND_HAND = (
    ("coarse", 0.3609, 0.5738, 0.6570, 0.6856),
    ("fine", 0.4604, 0.5772, 0.5893, 0.6292),
    ("boundary", 0.7037, 0.9367, 0.9309, 0.9424),
)
MEASURES = {  # (dataset, detail): words
    ("levels", "H2/coarse"): "coarse, reported concepts",
    ("levels", "H2/fine"): "fine, reported concepts",
    ("levels", "H2/boundary"): "boundary, reported concepts",
    ("one-shot", "H2"): "one-shot, reported concepts",
    ("shift", "H2"): "shift, reported concepts",
    ("levels", "H1/coarse"): "coarse, other held-out concepts",
    ("levels", "seen/coarse"): "coarse, seen concepts",
    ("levels", "seen/boundary"): "boundary, seen concepts",
}
CONTRASTS = (("AligNet", "base"), ("AligNet", "UnAligNet"), ("UnAligNet", "base"))
REPORTED = {  # on the held-out concepts that are reported; column: (dataset, detail)
    "coarse": ("levels", "H2/coarse"),
    "fine": ("levels", "H2/fine"),
    "boundary": ("levels", "H2/boundary"),
    "shot": ("one-shot", "H2"),
    "shift": ("shift", "H2"),
}
WORDS = {"shot": "one-shot"}  # columns that are headed otherwise

# ---- records -------------------------------------------------------------------------------------------------------


def runs() -> Measured:
    """All recorded alignment runs, with bootstrap draws over concepts.

    Raises
    ------
    MissingData
        When no run is recorded yet.
    """
    return Measured.load(_recorded(RUNS), "recorded")


def log() -> pd.DataFrame:
    """One line an experiment of the protocol: stage, model, seed, state (done, failed, not run), facts of training."""
    return pd.read_csv(_recorded(LOG))


def _recorded(name: str) -> Path:
    return recording.file_of(name, "AligNet experiments", "python -m humalign.experiments")


def mistakes() -> pd.DataFrame:
    """Recorded outcomes of the mistakes that ports make, on the drawn levels: result rows with the name of each."""
    found = results.read(recording.FOLDER / DIAGNOSIS, "recorded")
    found = found[found["dataset"] == "levels"]
    return found.assign(name=found["stage"].str.removeprefix("diagnosis: "))


def recorded_features() -> dict[tuple[str, str], np.ndarray]:
    """Features of the students (seed 0) by (model, stage), for the first 4 test pictures of each concept.

    Returns
    -------
    dict
        Float32 arrays (pictures, p).

    Raises
    ------
    MissingData
        When no experiment was recorded.
    """
    arrays, _ = load_arrays(_recorded(FEATURES))
    keys = (key.split("/") for key in sorted(arrays))
    return {(m, s): arrays[f"{m}/{s}/{k}"].astype(np.float32) for m, s, k in keys if k == "test"}


def pictures(split: str = "test") -> pd.DataFrame:
    """Concept and superordinate of the pictures of :func:`recorded_features`: id, concept, superordinate."""
    from ..world.drawing import world
    from ..world.stimuli import concept_of, split_ids

    ids = split_ids(split)
    if split == "test":
        ids = [i for i in ids if int(i.rsplit("test", 1)[1]) < PER_CONCEPT]
    concepts = [concept_of(i) for i in ids]
    return pd.DataFrame({"id": ids, "concept": concepts, "superordinate": [world().superordinate[c] for c in concepts]})


def as_claimed(runs: Measured) -> Measured:
    """The same rows as claims select them: on the concepts of :data:`PART` the detail is, or begins with,
    :data:`WHOLE`."""
    table = runs.table
    told = table["detail"].str.match(f"{PART}(/|,|$)") & table["dataset"].isin(["levels", "one-shot", "shift"])
    detail = WHOLE + table["detail"].str.removeprefix(PART)
    return Measured(table.assign(detail=table["detail"].where(~told, detail)), runs.draws)


# ---- runs averaged -------------------------------------------------------------------------------------------------


def of_measure(measured: Measured, detail: str, dataset: str = "levels", measure: str = "accuracy") -> Measured:
    """Rows of one measure, for instance ``of_measure(runs(), "H2/coarse")``."""
    t = measured.table
    return measured.select(((t["dataset"] == dataset) & (t["measure"] == measure) & (t["detail"] == detail)).to_numpy())


def aligned(measured: Measured) -> list[str]:
    """Networks that some results know after alignment: those of :data:`NAMES` first, in their order."""
    t = measured.table
    found = list(dict.fromkeys(t.loc[t["stage"].str.partition(",")[0] == "AligNet", "model"]))
    return [m for m in NAMES if m in found] + [m for m in found if m not in NAMES]


def averaged(measured: Measured, stages=STAGES, models=None) -> pd.DataFrame:
    """Mean over training runs of every network, stage and measure.

    Parameters
    ----------
    measured : Measured
        Rows of result tables with draws over objects.
    stages : sequence of str
        Those to keep, in order.
    models : sequence of str, optional
        The same; default: :func:`aligned`.

    Returns
    -------
    DataFrame
        model, stage, dataset, measure, detail, value, low, high (95 %, objects and training runs resampled), seeds,
        each (the single runs in words, where there are several).
    """
    t, models = measured.table, aligned(measured) if models is None else models
    known = t["stage"].isin(list(stages)) & t["model"].isin(list(models))
    out = resample.averaged(measured.select(known.to_numpy()), ["model", "stage", "dataset", "measure", "detail"])
    order = {"model": list(models), "stage": list(stages)}
    return out.sort_values(
        ["model", "stage"], key=lambda c: c.map(order[c.name].index), kind="stable", ignore_index=True
    )


def by_panel(runs: Measured, wanted: dict) -> pd.DataFrame:
    """The rows of :func:`averaged` that belong to some panels, with the title of the panel in column ``panel``."""
    t = runs.table
    keys = pd.Series(list(zip(t["dataset"], t["measure"], t["detail"])), index=t.index)
    found = averaged(runs.select(keys.isin(list(wanted)).to_numpy()), STAGES, aligned(runs))
    titles = [wanted[key] for key in zip(found["dataset"], found["measure"], found["detail"])]
    return found.assign(panel=pd.Categorical(titles, list(dict.fromkeys(wanted.values())))).astype({"panel": str})


def level_panels(runs: Measured) -> pd.DataFrame:
    """Accuracy by level on the concepts that are reported, training runs averaged: :func:`by_panel`."""
    split = {("levels", "accuracy", f"{PART}/{level}"): f"{level}, {PART}" for level in levels.LEVELS}
    return by_panel(runs, split | {("levels", "accuracy", f"{WHOLE}/{level}"): level for level in levels.LEVELS})


def arranged_panels(runs: Measured) -> pd.DataFrame:
    """Agreement with every set of arrangements and of ratings of likeness, training runs averaged: :func:`by_panel`."""
    t = runs.table
    own = t[(t["measure"] == "spearman") & (t["detail"] == "correlation") & (t["dataset"] != "model-similarity")]
    found = {(name, "spearman", "correlation"): name for name in dict.fromkeys(own["dataset"])}
    return by_panel(runs, {**ARRANGED, **{key: title for key, title in found.items() if key not in ARRANGED}})


def named(dataset: str, detail: str) -> str:
    """What a row of :func:`contrasts` is about, see :data:`MEASURES`."""
    return MEASURES[dataset, PART + detail.removeprefix(WHOLE) if detail.startswith(WHOLE) else detail]


def contrasts(runs: Measured, pairs=CONTRASTS) -> pd.DataFrame:
    """All differences of :data:`MEASURES` as one table.

    Parameters
    ----------
    runs : Measured
    pairs : sequence of pairs of str
        Stages.

    Returns
    -------
    DataFrame
        plus, minus, dataset, detail, provenance, and what :func:`humalign.resample.difference` gives; no rows for what
        was not measured.
    """
    parts, provenance = [], farthest(runs.table["provenance"], "live")
    whole = {(dataset, detail.replace(PART, WHOLE)) for dataset, detail in MEASURES if detail.startswith(PART)}
    for plus, minus in pairs:
        for dataset, detail in [*MEASURES, *sorted(whole)]:
            own = of_measure(runs, detail, dataset)
            found = resample.difference(own, {"stage": plus}, {"stage": minus})
            parts.append(found.assign(detail=detail, dataset=dataset, plus=plus, minus=minus, provenance=provenance))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def controls(runs: Measured, model: str = "softmax-resnet-m") -> pd.DataFrame:
    """One line a run of one network, training runs averaged.

    Returns
    -------
    DataFrame
        stage, seeds; coarse, fine, boundary, shot, shift (all on H2), each also with _low, _high and _each. The primary
        runs come first, then each change with UnAligNet before AligNet.
    """
    t, rows = runs.table, {}
    stages = list(dict.fromkeys(t.loc[t["model"] == model, "stage"]))
    changes = list(dict.fromkeys(s.partition(", ")[2] for s in stages))
    stages.sort(key=lambda s: (changes.index(s.partition(", ")[2]), STAGES.index(s.partition(",")[0])))
    found = averaged(runs, stages, (model,))
    for row in found[found["measure"] == "accuracy"].itertuples():
        for key, place in REPORTED.items():
            if (row.dataset, row.detail) == place:
                new = {key: row.value, f"{key}_low": row.low, f"{key}_high": row.high, f"{key}_each": row.each}
                rows.setdefault(row.stage, {"stage": row.stage, "seeds": row.seeds}).update(new)
    return pd.DataFrame(rows.values())


def teachers(runs: Measured, models=("teacher-web", "teacher-seen")) -> pd.DataFrame:
    """The teachers on H2: model, map, coarse, fine, boundary, one-shot, shift."""
    t = runs.table
    own = t[t["model"].isin(list(models)) & (t["measure"] == "accuracy")]
    wanted = {place: WORDS.get(column, column) for column, place in REPORTED.items()}
    names = {"base": "none", "teacher": "human-aligned", "teacher, plain": "plain", "teacher, gLocal": "gLocal"}
    rows = {}
    for r in own.itertuples():
        if (r.dataset, r.detail) in wanted and r.stage in names:
            row = rows.setdefault((r.model, r.stage), {"network": r.model, "map": names[r.stage]})
            row[wanted[r.dataset, r.detail]] = r.value
    return pd.DataFrame(rows.values()).assign(provenance="recorded")


# ---- what people set -----------------------------------------------------------------------------------------------


def people_lines(source: Source) -> dict:
    """What people set for the panels of :data:`CHOICES` and :data:`ARRANGED`: title to {label: value}."""
    best = zero_shot.limit(zero_shot.ceilings(source))
    out = {}
    for (dataset, measure, detail), title in {**CHOICES, **ARRANGED}.items():
        if measure == "accuracy":
            out[title] = {"chance": 1 / 3}
            if detail == "cosine" and best is not None:  # all concepts, as the ceiling
                out[title]["best possible"] = best
        elif not source.missing(dataset):
            own = rsa.limits(rsa.ceilings(source, (dataset,)), measure)
            out[title] = {"best possible": float(own[dataset])}
    return out


def level_set(source: Source) -> tuple[Triplets, pd.DataFrame]:
    """The Levels data set of the drawn world: triplets as presented, table of :func:`humalign.levels.triplets`."""
    from .levels import judged

    (triplets, table), shown = judged(source), source.pictures("test")
    return replace(triplets.align(shown.ids), concepts=tuple(shown.concepts)), table


def level_lines(source: Source) -> tuple[dict, dict]:
    """Lines of the levels figures: chance and people's agreement (leave-one-out); zero and people's doubt and time.

    Chance is above 1/3 where people tie, since either of two tied labels counts.

    Returns
    -------
    accuracy, times : dicts of level to {label: value}
    """
    from .levels import QUANTITIES, judged, people_summary, whose

    found = people_summary(source, source.profile.seed).set_index(["quantity", "level"])
    found, agree, time = found[whose(found)[0]], QUANTITIES["ceiling"], QUANTITIES["time_entropy"]
    table = judged(source)[1]
    right = table["top"].map(lambda mask: int(mask).bit_count() / 3).groupby(table["level"]).mean()
    return (
        {k: {"chance": float(right[k]), "people": float(found[agree, k])} for k in levels.LEVELS},
        {k: {"none": 0.0, "people": float(found[time, k])} for k in levels.LEVELS},
    )


def split_lines(source: Source, n: int = 2000) -> dict:
    """Lines of the figure on one part of the concept split: chance, and the most likely answer of the observers.

    Returns
    -------
    dict
        Title of the panel (as in :func:`level_panels`) to {label: value}.
    """

    def make():
        from ..world import observers
        from ..world.splits import level_triplets

        data, rows = level_triplets(PART), []
        seen = observers.values(data.ids)
        for level in levels.LEVELS:
            own = data.triplets[data.level == level][:n]
            rows.append({"level": level, "best": observers.group_probabilities(seen, own).max(1).mean()})
        return pd.DataFrame(rows)

    best = kept(source.profile, f"alignet-best-{PART}", VERSION, n, make).set_index("level")["best"]
    return {f"{k}, {PART}": {"chance": 1 / 3, "best possible": float(v)} for k, v in best.items()}


def teacher_lines(table: pd.DataFrame, columns) -> dict:
    """Lines of the human-aligned teacher for the figure of controls: column to {label: value}."""
    own = table[(table["network"] == teacher.TEACHER) & (table["map"] == "human-aligned")]
    return {c: {"teacher": float(own[WORDS.get(c, c)].iloc[0])} for c in columns if len(own)}


# ---- measuring -----------------------------------------------------------------------------------------------------


def reach(decays=(0.0, 0.5, 1.0, 30.0), settings: Settings = PRIMARY) -> pd.DataFrame:
    """Change of one weight whose gradient never changes sign: d <- d + lr * (1 - decay * d), for several decays.

    Parameters
    ----------
    decays : sequence of float
    settings : Settings
        Whose schedule of the learning rate; default: that of the primary runs.

    Returns
    -------
    DataFrame
        decay, step, lr, change.
    """
    parts = []
    steps = settings.steps
    rates = np.array([learning_rate(k, settings.lr, settings.warmup, steps) for k in range(steps)])
    for decay in decays:
        change, d = np.empty(steps), 0.0
        for k, rate in enumerate(rates):
            d += rate * (1 - decay * d)
            change[k] = d
        parts.append(pd.DataFrame({"decay": decay, "step": np.arange(1, steps + 1), "lr": rates, "change": change}))
    return pd.concat(parts, ignore_index=True)


def level_options(source: Source, networks=tuple(NAMES)) -> pd.DataFrame:
    """Levels accuracy of untouched networks, and of a teacher with and without its map, by kernel and rule for ties.

    Returns
    -------
    DataFrame
        model, stage, level, kernel (cosine, dot), ties (either, drop), value.
    """
    mapped = teacher.TEACHER

    def make():
        triplets, table = level_set(source)
        sets = {(n, "base"): teacher.features(source, n, "test") for n in (*networks, mapped)}
        sets[mapped, "teacher"] = teacher.fitted(source, mapped).apply(sets[mapped, "base"])
        rows = []
        for (model, stage), values in sets.items():
            for kernel in ("cosine", "dot"):
                chosen = odd_one_out.choices(similarity_matrix(values, kernel), triplets.triplets)
                for ties in ("either", "drop"):
                    right = levels.correct(chosen, table["top"].to_numpy(), ties)
                    for level in levels.LEVELS:
                        value = np.nanmean(right[triplets.level == level])
                        rows.append(dict(model=model, stage=stage, level=level, kernel=kernel, ties=ties, value=value))
        return pd.DataFrame(rows)

    parts = [[networks, mapped], [teacher.state(source, n) for n in (*networks, mapped)]]
    return kept(source.profile, "level-options", VERSION, parts, make)


def option_table(options: pd.DataFrame) -> pd.DataFrame:
    """:func:`level_options` with a column a level."""
    wide = options.pivot(index=["model", "stage", "kernel", "ties"], columns="level", values="value")
    known = options[["model", "stage", "kernel", "ties"]].drop_duplicates()
    return known.join(wide[list(levels.LEVELS)], on=list(known)).assign(provenance="live").reset_index(drop=True)


# ---- tables and numbers --------------------------------------------------------------------------------------------


def published_levels() -> pd.DataFrame:
    """Levels accuracies of the paper, as others quote them: level, four ends of ranges, people, provenance."""
    from .levels import PUBLISHED

    people = {level: value for quantity, level, value, *_ in PUBLISHED if quantity == "ceiling"}
    ends = ["base, lowest", "base, highest", "AligNet, lowest", "AligNet, highest"]
    out = pd.DataFrame(SECOND_HAND, columns=["level", *ends])
    return out.assign(**{"people, leave-one-out": out["level"].map(people)}, provenance="second-hand")


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """The means over students of :func:`contrasts` for display: contrast, measure, difference, low, high, runs."""
    own = table[table["model"] == "all"]
    told = [named(*key) for key in zip(own["dataset"], own["detail"])]
    out = own.assign(contrast=own["plus"] + " minus " + own["minus"], measure=told)
    columns = ["contrast", "measure", "value", "low", "high", "seeds", "provenance"]
    return out[columns].rename(columns={"value": "difference", "seeds": "runs"}).reset_index(drop=True)


def change_table(runs: Measured) -> pd.DataFrame:
    """Each control minus the primary run that it varies, of the same student and seeds, paired.

    Returns
    -------
    DataFrame
        student, control, coarse, fine, boundary, one-shot, shift (H2, each with its 95 % interval in words), runs.
    """
    rows = []
    for model in NAMES:
        own = runs.select((runs.table["model"] == model).to_numpy())
        for stage in (s for s in dict.fromkeys(own.table["stage"]) if "," in s):
            row = {"student": NAMES[model], "control": stage}
            for column, (dataset, detail) in REPORTED.items():
                found = of_measure(own, detail, dataset)
                found = resample.difference(found, {"stage": stage}, {"stage": stage.partition(",")[0]})
                if len(found):
                    row |= {WORDS.get(column, column): _signed(found.iloc[0]), "runs": int(found["seeds"].iloc[0])}
            rows.append(row)
    return pd.DataFrame(rows).assign(provenance="recorded")


def _signed(row) -> str:
    text = f"{row['value']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    return text.replace("-", "−")


def verdict(low: float, high: float) -> str:
    """What a 95 % interval says of a difference."""
    if low > 0:
        return "higher, the interval excludes zero"
    return "lower, the interval excludes zero" if high < 0 else "not resolved, the interval holds zero"


def numbers(contrasts: pd.DataFrame, log: pd.DataFrame) -> dict:
    """Numbers and verdicts of the prose, by key; see :func:`contrasts` and :func:`log`.

    What was not measured has none.
    """
    own = contrasts[(contrasts["model"] == "all") & (contrasts["plus"] == "AligNet")]
    told, out = [named(*key) for key in zip(own["dataset"], own["detail"])], {}
    for name in ("coarse", "fine", "boundary", "shot"):
        for row in own[[one == MEASURES[REPORTED[name]] for one in told]].to_dict("records"):
            key = f"st_{name}_{'base' if row['minus'] == 'base' else 'un'}"
            out[key] = show.number(row["value"], (row["low"], row["high"]), row["provenance"])
            out[f"{key}_word"] = show.Words(verdict(row["low"], row["high"]))
    single = contrasts[contrasts["model"] != "all"]
    out["st_seeds"] = show.number(int(single["seeds"].max()), None, farthest(single["provenance"]), digits=0)
    out["st_done"] = show.number(int((log["state"] == "done").sum()), None, "recorded", digits=0)
    out["st_planned"] = show.number(len(log), None, "recorded", digits=0)
    return out


def settings_table() -> pd.DataFrame:
    """The released configuration and the primary runs side by side: setting, paper, here."""
    words = {
        "loss": "loss", "temperature": "temperature τ", "head": "width of the triplet head (0: none)", "steps": "steps",
        "warmup": "warm-up steps", "batch": "triplets a step (here: pictures, triplets within)", "lr": "learning rate",
        "decay": "decay δ to the starting weights", "input": "pixels", "batch_norm": "batch norm",
        "augmentation": "augmentation", "local": "weight of the local term", "seed": "seed",
    }  # fmt: skip
    paper, own = PRESETS["paper"].as_dict(), PRIMARY.as_dict()
    own["temperature"] = own["temperature"] or "matched to the student"
    shown = {"unit": "in [0, 1]", "native": "as the network was trained"}
    return pd.DataFrame(
        [{"setting": text, "paper, released configuration": shown.get(str(paper[key]), f"{paper[key]}"),
          "primary runs": shown.get(str(own[key]), f"{own[key]}")} for key, text in words.items()]
    )  # fmt: skip
