"""Students before and after alignment, training runs averaged: people's choices, arrangements, levels, times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import resample
from ..cache import kept
from ..config import Profile
from ..results import Measured

STAGES = ("base", "UnAligNet", "AligNet")
NAMES = {
    "softmax-resnet-m": "ResNet",
    "softmax-vit-m": "ViT",
    "simclr-resnet-m": "SimCLR",
    "imagetext-seen-resnet-m": "Image/text",
}
"""Short names of the students for axes."""
PEOPLE = {  # (dataset, measure, detail): title of a panel
    ("things", "accuracy", "cosine"): "odd-one-out choices, all concepts",
    ("things", "accuracy", "cosine, held-out concepts"): "odd-one-out choices, held-out concepts only",
    ("cichy", "spearman", "correlation"): "arrangement, 118 pictures",
    ("king1", "spearman", "correlation"): "arrangement, first 144 pictures",
    ("king2", "spearman", "correlation"): "arrangement, second 144 pictures",
}
LEVELS = {("levels", "accuracy", level): level for level in ("coarse", "fine", "boundary")}
TIMES = {("levels", "entropy-time", level): level for level in ("coarse", "fine", "boundary")}
SECOND_HAND = (  # level: lowest and highest base network, lowest and highest AligNet student of the paper
    ("coarse", 0.3609, 0.5738, 0.6570, 0.6856),
    ("fine", 0.4604, 0.5772, 0.5893, 0.6292),
    ("boundary", 0.7037, 0.9367, 0.9309, 0.9424),
)
"""Levels accuracies of the paper as others quote them."""
VERSION = 1  # of the tables that are kept: goes up when their numbers change


def averaged(measured: Measured, stages=STAGES, models=tuple(NAMES)) -> pd.DataFrame:
    """Mean over training runs of every network, stage and measure.

    Parameters
    ----------
    measured : Measured
        Rows of result tables with draws over objects.
    stages, models : sequences of str
        Those to keep, in order.

    Returns
    -------
    DataFrame
        model, stage, dataset, measure, detail, value, low, high (95 %, objects and training runs resampled), seeds,
        each (the single runs in words, where there are several).
    """
    t = measured.table
    known = t["stage"].isin(list(stages)) & t["model"].isin(list(models))
    out = resample.averaged(measured.select(known.to_numpy()), ["model", "stage", "dataset", "measure", "detail"])
    order = {"model": list(models), "stage": list(stages)}
    return out.sort_values(
        ["model", "stage"], key=lambda c: c.map(order[c.name].index), kind="stable", ignore_index=True
    )


def panels(runs: Measured, wanted: dict, stages=STAGES, models=tuple(NAMES)) -> pd.DataFrame:
    """The rows of :func:`averaged` that belong to some panels, with the title of the panel in column ``panel``."""
    t = runs.table
    keys = pd.Series(list(zip(t["dataset"], t["measure"], t["detail"])), index=t.index)
    found = averaged(runs.select(keys.isin(list(wanted)).to_numpy()), stages, models)
    titles = [wanted[key] for key in zip(found["dataset"], found["measure"], found["detail"])]
    return found.assign(panel=pd.Categorical(titles, list(wanted.values()))).astype({"panel": str})


def people_lines(profile: Profile) -> dict:
    """What people set for the panels of :data:`PEOPLE`: title to {label: value}."""
    from ..chapters import networks, rsa, zero_shot

    best = zero_shot.limit(zero_shot.ceilings(networks.source(profile)))
    out = {}
    for (dataset, measure, detail), title in PEOPLE.items():
        if measure == "accuracy":
            out[title] = {"chance": 1 / 3}
            if detail == "cosine":  # all concepts, as the ceiling
                out[title]["best possible"] = best
        else:
            own = rsa.limits(rsa.ceilings(networks.source(profile), (dataset,)), measure)
            out[title] = {"best possible": float(own[dataset])}
    return out


def level_lines(profile: Profile) -> tuple[dict, dict]:
    """Lines of the levels figures: chance and people's agreement (leave-one-out); zero and people's doubt and time.

    Chance is above 1/3 where people tie, since either of two tied labels counts.

    Returns
    -------
    accuracy, times : dicts of level to {label: value}
    """
    from ..alignet import measure
    from ..chapters import levels, networks

    found = levels.people_summary(networks.source(profile), profile.seed)
    found = found.set_index(["quantity", "level"])["drawn people"]
    agree, time = levels.QUANTITIES["ceiling"], levels.QUANTITIES["time_entropy"]
    table = measure.level_set(profile)[1]
    right = table["top"].map(lambda mask: int(mask).bit_count() / 3).groupby(table["level"]).mean()
    names = LEVELS.values()
    return (
        {k: {"chance": float(right[k]), "people": float(found[agree, k])} for k in names},
        {k: {"none": 0.0, "people": float(found[time, k])} for k in names},
    )


def split_lines(profile: Profile, part: str = "H2", n: int = 2000) -> dict:
    """Lines of the figure on one part of the concept split: chance, and the most likely answer of the drawn people.

    Returns
    -------
    dict
        Title of the panel (as in :func:`humalign.studies.alignet_mini.levels`) to {label: value}.
    """

    def make():
        from ..alignet import measure
        from ..world import observers

        data, rows = measure.level_triplets(part), []
        for level in LEVELS.values():
            own = data.triplets[data.level == level][:n]
            rows.append({"level": level, "best": observers.group_probabilities(measure._seen(), own).max(1).mean()})
        return pd.DataFrame(rows)

    best = kept(profile, f"alignet-best-{part}", VERSION, n, make).set_index("level")["best"]
    return {f"{k}, {part}": {"chance": 1 / 3, "best possible": float(v)} for k, v in best.items()}


def published_levels() -> pd.DataFrame:
    """Levels accuracies of the paper, as others quote them: level, four ends of ranges, people, provenance."""
    from ..chapters.levels import PUBLISHED

    people = {level: value for quantity, level, value, *_ in PUBLISHED if quantity == "ceiling"}
    rows = [
        {"level": level, "base, lowest": a, "base, highest": b, "AligNet, lowest": c, "AligNet, highest": d,
         "people, leave-one-out": people[level], "provenance": "second-hand"}
        for level, a, b, c, d in SECOND_HAND
    ]  # fmt: skip
    return pd.DataFrame(rows)


def level_options(profile: Profile, networks=tuple(NAMES), teacher: str = "teacher-web") -> pd.DataFrame:
    """Levels accuracy of untouched networks, and of a teacher with and without its map, by kernel and rule for ties.

    Returns
    -------
    DataFrame
        model, stage, level, kernel (cosine, dot), ties (either, drop), value.
    """
    from ..alignet import mini

    parts = [[networks, teacher], [mini.weights_of(profile, n) for n in (*networks, teacher)]]
    return kept(profile, "level-options", VERSION, parts, lambda: _level_options(profile, networks, teacher))


def _level_options(profile, networks, teacher) -> pd.DataFrame:
    from .. import levels, odd_one_out
    from ..alignet import measure, mini
    from ..similarity import similarity_matrix

    triplets, table = measure.level_set(profile)
    sets = {(n, "base"): mini.features(profile, n, "test") for n in networks}
    sets[teacher, "base"] = mini.features(profile, teacher, "test")
    sets[teacher, "teacher"] = mini.teacher(profile, teacher, "uncertainty").apply(sets[teacher, "base"])
    rows = []
    for (model, stage), values in sets.items():
        for kernel in ("cosine", "dot"):
            chosen = odd_one_out.choices(similarity_matrix(values, kernel), triplets.triplets)
            for ties in ("either", "drop"):
                right = levels.correct(chosen, table["top"].to_numpy(), ties)
                for level in LEVELS.values():
                    value = np.nanmean(right[triplets.level == level])
                    rows.append(dict(model=model, stage=stage, level=level, kernel=kernel, ties=ties, value=value))
    return pd.DataFrame(rows)


def changes(runs: Measured, models=tuple(NAMES)) -> pd.DataFrame:
    """Each control minus the primary run that it varies, of the same student and seeds, paired.

    Returns
    -------
    DataFrame
        student, control, coarse, fine, boundary, one-shot, shift (H2, each with its 95 % interval in words), runs.
    """
    from .alignet import accuracy

    wanted = {"coarse": ("levels", "H2/coarse"), "fine": ("levels", "H2/fine"), "boundary": ("levels", "H2/boundary"),
              "one-shot": ("one-shot", "H2"), "shift": ("shift", "H2")}  # fmt: skip
    rows = []
    for model in models:
        own = runs.select((runs.table["model"] == model).to_numpy())
        for stage in (s for s in dict.fromkeys(own.table["stage"]) if "," in s):
            row = {"student": NAMES[model], "control": stage}
            for name, (dataset, detail) in wanted.items():
                found = accuracy(own, detail, dataset)
                found = resample.difference(found, {"stage": stage}, {"stage": stage.partition(",")[0]})
                if len(found):
                    row |= {name: _signed(found.iloc[0]), "runs": int(found["seeds"].iloc[0])}
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


def headline(contrasts: pd.DataFrame, log: pd.DataFrame) -> dict:
    """Numbers and verdicts for the prose of the student page: key to what :func:`humalign.show.glue` shows."""
    from .. import show

    own = contrasts[contrasts["model"] == "all"].set_index(["plus", "minus", "dataset", "detail"])
    places = {"coarse": ("levels", "H2/coarse"), "fine": ("levels", "H2/fine"), "boundary": ("levels", "H2/boundary"),
              "shot": ("one-shot", "H2")}  # fmt: skip
    out = {}
    for name, place in places.items():
        for minus in ("base", "UnAligNet"):
            row, key = own.loc[("AligNet", minus, *place)], f"{name}_{'base' if minus == 'base' else 'un'}"
            out[key] = show.number(row["value"], (row["low"], row["high"]), "recorded")
            out[f"{key}_word"] = show.Words(verdict(row["low"], row["high"]))
    single = contrasts[contrasts["model"] != "all"]
    out["seeds"] = show.number(int(single["seeds"].max()), None, "recorded", digits=0)
    out["done"] = show.number(int((log["state"] == "done").sum()), None, "recorded", digits=0)
    out["planned"] = show.number(len(log), None, "recorded", digits=0)
    return out


def settings() -> pd.DataFrame:
    """The released configuration and the primary runs side by side: setting, paper, here."""
    from ..alignet.experiments import PRIMARY
    from ..alignet.settings import PRESETS

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


def teachers(runs: Measured, models=("teacher-web", "teacher-seen")) -> pd.DataFrame:
    """The teachers on H2: model, map, coarse, fine, boundary, one-shot, shift."""
    t = runs.table
    own = t[t["model"].isin(list(models)) & (t["measure"] == "accuracy")]
    wanted = {("levels", "H2/coarse"): "coarse", ("levels", "H2/fine"): "fine", ("levels", "H2/boundary"): "boundary",
              ("one-shot", "H2"): "one-shot", ("shift", "H2"): "shift"}  # fmt: skip
    names = {"base": "none", "teacher": "human-aligned", "teacher, plain": "plain", "teacher, gLocal": "gLocal"}
    rows = {}
    for r in own.itertuples():
        if (r.dataset, r.detail) in wanted and r.stage in names:
            row = rows.setdefault((r.model, r.stage), {"network": r.model, "map": names[r.stage]})
            row[wanted[r.dataset, r.detail]] = r.value
    return pd.DataFrame(rows.values()).assign(provenance="recorded")


def teacher_lines(table: pd.DataFrame, columns, network: str = "teacher-web") -> dict:
    """Lines of the human-aligned teacher for the figure of controls: column to {label: value}."""
    own = table[(table["network"] == network) & (table["map"] == "human-aligned")]
    named = {"shot": "one-shot"}
    return {c: {"teacher": float(own[named.get(c, c)].iloc[0])} for c in columns if len(own)}
