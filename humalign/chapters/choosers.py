"""Whatever chooses: language models, networks and embeddings on the same questions, held against people's answers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from .. import choices, claims, crowd, odd_one_out, record, resample, results, show
from ..data.types import Triplets
from ..plots import panels, style
from ..record import Tables
from ..results import Measured
from ..similarity import similarity_matrix
from ..source import Source
from . import networks, statements, things_files, zero_shot

ROLES, OPTIONAL = (), ()  # the page is about single published files: NEEDED
VERSION = 2  # of the tables that are kept: goes up when their numbers change
PEOPLE = "things/llm_people"
LANGUAGE = {"gpt4": "GPT-4", "chatgpt35": "ChatGPT-3.5"}  # model: name; the data sets are things/llm_MODEL
SEEING = ("clip_ViT-B/32", "vgg16_srf200")
NEEDED = frozenset({
    PEOPLE, *(f"things/llm_{model}" for model in LANGUAGE), *things_files.TEST_SETS, things_files.CONCEPTS,
    *things_files.NAMES, "things/categories_27",
})  # fmt: skip
DATASET, STAGE = "choosers", "choices"
TWO = ("gpt4", "clip_ViT-B/32")  # compared category by category
REFERENCE, PLACES = "spose_49", ("first", "second", "third")
FEW = 60  # questions of a category, at least
KNOWS = {"gpt4": "words", "chatgpt35": "words", "word2vec": "words", "clip_ViT-B/32": "photographs (and text to learn)",
         "vgg16_srf200": "photographs", "vice_42": "people's choices", "spose_49": "people's choices"}  # fmt: skip
MEASURES = {"agreement": "same choice", choices.CONSISTENCY: "error consistency, Cohen's kappa"}

# ---- measuring -------------------------------------------------------------------------------------------------------


def made(source: Source) -> tuple[Triplets, dict[str, Triplets], dict[str, np.ndarray]]:
    """People's answers, what every chooser chose on the same questions, and similarities of those that have some."""
    people = source.published(PEOPLE).align(things_files.object_ids(source))
    found = {model: source.published(f"things/llm_{model}").align(people.ids) for model in LANGUAGE}
    similar = {part.model: similarity_matrix(part.values, things_files.kernel_of(part.model))
               for part in things_files.models(source, people.ids)}  # fmt: skip
    more = {model: choices.of_similarity(similarity, people, model) for model, similarity in similar.items()}
    return people, found | more, similar


def agreement(people: Triplets, found: dict[str, Triplets]) -> Measured:
    """Agreement of every chooser with people, of each two with each other, and how alike they err.

    Returns
    -------
    Measured
        Dataset "choosers", stage "choices": "accuracy"; "agreement" and "error consistency" with another chooser's name
        as detail; "error consistency", detail "language models" and "networks that see" (means).
    """
    rows, draws = [], []
    for model, own in found.items():
        one, drawn = choices.of_choices(own, people, model, DATASET)
        rows += [row for row in one if row["measure"] == choices.SINGLE]
        draws += [d for row, d in zip(one, drawn) if row["measure"] == choices.SINGLE]
    alike = {}
    for first, second in combinations(found, 2):
        two, drawn = choices.compare(found[first], found[second], people)
        for row, d in zip(two, drawn):
            common = {"dataset": DATASET, "stage": STAGE, **row}
            rows += [{**common, "model": first, "detail": second}, {**common, "model": second, "detail": first}]
            draws += [d, d]
            if row["measure"] == choices.CONSISTENCY:
                alike[first, second] = alike[second, first] = row["value"], d
    for model in LANGUAGE:
        for detail, others in (("language models", LANGUAGE), ("networks that see", SEEING)):
            parts = [alike[model, other] for other in others if other != model]
            common = {"dataset": DATASET, "stage": STAGE, "measure": choices.CONSISTENCY, "n": len(people)}
            rows.append({**common, "model": model, "detail": detail, "value": np.mean([v for v, _ in parts])})
            draws.append(np.mean([d for _, d in parts], axis=0))
    return Measured.of(rows, np.stack(draws), profile="slice")


def places(people: Triplets, found: dict[str, Triplets]) -> Measured:
    """Whether choosers go by the place of an object in the row of people's file, where the person's odd one is last.

    Returns
    -------
    Measured
        Measure "first among differing": of the choices unlike the person's, the share that falls on the first object,
        not on the second. Measure "same as SPoSE", detail "first", "second" and "third": the share of SPoSE's choice at
        this place that a chooser makes, too (added after the first look). n choices.
    """
    rows = results.Rows(dataset=DATASET, stage=STAGE, profile="slice")
    place = {model: _odd(own, people)[:, None] == people.triplets for model, own in found.items()}
    for model, own in place.items():
        scores = {("first among differing", ""): (own[:, 0], own[:, :2].any(1))}
        if model != REFERENCE:
            scores |= {("same as SPoSE", name): (own[:, k] & place[REFERENCE][:, k], place[REFERENCE][:, k])
                       for k, name in enumerate(PLACES)}  # fmt: skip
        for (measure, detail), both in scores.items():
            value, drawn = resample.triplet_means(np.stack(both).astype(float), people.triplets, people.concepts)
            with np.errstate(invalid="ignore", divide="ignore"):  # nobody differs: not a number
                share, each = value[0] / value[1], drawn[0] / drawn[1]
            rows.add(DATASET, measure, detail, share, each, int(both[1].sum()), model=model)
    return rows.measured()


def _odd(own: Triplets, people: Triplets) -> np.ndarray:
    """The object that a chooser picks on each question of the people, (n,); -1 where it was not asked."""
    table = {tuple(sorted(row)): row[2] for row in own.triplets.tolist()}
    return np.array([table.get(tuple(sorted(row)), -1) for row in people.triplets.tolist()])


def stand_ins(source: Source, similar: dict[str, np.ndarray]) -> pd.DataFrame:
    """What people's disagreement leaves open, from the repeated test sets, and how hard these are for the same models.

    Returns
    -------
    DataFrame
        A result table, a dataset each test set: model "people", measure "accuracy", detail "another person" and "best
        possible"; the accuracy of every model that has similarities.
    """
    rows = results.Rows(stage="stand-in", profile="slice")
    for name in things_files.TEST_SETS:
        answers = source.published(name).align(things_files.object_ids(source))
        objects, counts, _ = odd_one_out.response_counts(answers.triplets)
        scores = {("people", "another person"): crowd.two_agree(counts),
                  ("people", "best possible"): counts.max(1) / counts.sum(1)}  # fmt: skip
        for model, similarity in similar.items():
            picked = np.asarray(odd_one_out.choices(similarity, objects))[:, None] == np.arange(3)
            scores[model, ""] = (counts / counts.sum(1, keepdims=True) * picked).sum(1)
        value, drawn = resample.triplet_means(np.stack(list(scores.values())), objects, answers.concepts)
        for (model, detail), v, d in zip(scores, value, drawn):
            rows.add(name, "accuracy", detail, v, d, len(objects), model=model)
    return rows.measured().table


def by_category(source: Source, people: Triplets, found: dict[str, Triplets]) -> pd.DataFrame:
    """Agreement with people in the questions that hold a concept of each category, and the paired difference.

    Returns
    -------
    DataFrame
        category, n (questions), one column a chooser of :data:`TWO`, difference (first minus second), low, high.
    """
    member = source.published("things/categories_27").loc[list(people.ids)]
    right = np.stack([_odd(found[model], people) == people.triplets[:, 2] for model in TWO]).astype(float)
    rows = []
    for category in member:
        part = member[category].to_numpy()[people.triplets].any(1)
        if part.sum() >= FEW:
            value, drawn = resample.triplet_means(right[:, part], people.triplets[part], people.concepts)
            low, high = resample.interval(drawn[0] - drawn[1])
            rows.append({"category": category, "n": int(part.sum()), **dict(zip(TWO, value)),
                         "difference": value[0] - value[1], "low": float(low), "high": float(high)})  # fmt: skip
    return pd.DataFrame(rows).sort_values("difference", ascending=False, ignore_index=True)


def facts(source: Source) -> pd.DataFrame:
    """The networks of the source, and the language models after them."""
    known = source.networks()
    more = [{"model": model, "name": name, "group": "Text only", "palette": "Text only"}
            for model, name in LANGUAGE.items()]  # fmt: skip
    out = pd.concat([known, pd.DataFrame(more)], ignore_index=True)
    return out.assign(number=np.arange(1, len(out) + 1))


def _tables(source: Source) -> dict:
    people, found, similar = made(source)
    measured = results.combine(agreement(people, found), places(people, found))
    accuracy = measured.select("measure == 'accuracy'")
    draws = dict(zip(accuracy.table["model"], accuracy.draws))
    value = accuracy.table.set_index("model")["value"]
    rows = []
    for model in found:
        for other in LANGUAGE:
            if model != other:
                low, high = resample.interval(draws[other] - draws[model])
                rows.append({"plus": other, "minus": model, "value": value[other] - value[model], "low": float(low),
                             "high": float(high)})  # fmt: skip
    return {
        "results": results.combine(measured.table, stand_ins(source, similar)),
        "differences": pd.DataFrame(rows),
        "categories": by_category(source, people, found),
        "claims": claims.judge(measured, facts(source), claims.ledger(statements.LEDGER, "ch-")),
    }


TABLES = record.Study(
    "slice_choosers", NEEDED, ("results", "differences", "categories", "claims"), VERSION, _tables
)  # fmt: skip
"""Everything that this page shows."""

# ---- tables ----------------------------------------------------------------------------------------------------------


def points(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """One row a chooser: facts, layer (what it knows), value, low, high."""
    rows = tables["results"]
    rows = rows[(rows["dataset"] == DATASET) & (rows["measure"] == choices.SINGLE)]
    out = models.merge(rows[["model", "value", "low", "high", "n"]], on="model", validate="one_to_one")
    return out.assign(layer="penultimate", knows=out["model"].map(KNOWS), provenance=tables.provenance)


def limits(tables: Tables) -> tuple[float, float]:
    """Another person, and the best possible: means over both repeated test sets, whose questions are others."""
    rows = tables["results"]
    rows = rows[(rows["stage"] == "stand-in") & (rows["model"] == "people")]
    found = rows.groupby("detail")["value"].mean()
    return float(found["another person"]), float(found["best possible"])


def ranked(points: pd.DataFrame) -> dict[str, str]:
    """Model to name, the one that agrees least with people first."""
    rows = points.sort_values("value")
    return dict(zip(rows["model"], rows["name"]))


def pairs(tables: Tables) -> pd.DataFrame:
    """Same choice and error consistency of each two choosers."""
    rows, found = tables["results"], set(KNOWS)
    return rows[rows["measure"].isin(MEASURES) & rows["detail"].isin(found) & (rows["model"] < rows["detail"])]


def table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Every chooser: what it knows, agreement with people here and on the test sets, and GPT-4 minus the chooser."""
    own, told = points(tables, models).sort_values("value", ascending=False), tables.provenance
    rows, less = tables["results"], tables["differences"].set_index(["plus", "minus"])
    sets = rows[rows["stage"] == "stand-in"].pivot_table(index="model", columns="dataset", values="value")
    out = pd.DataFrame({"chooser": own["name"], "knows": own["knows"]})
    out["agreement with people"] = [show.estimate(row) for row in own.to_dict("records")]
    gaps = [less.loc[("gpt4", model)] if ("gpt4", model) in less.index else None for model in own["model"]]
    out["GPT-4 minus it"] = ["" if gap is None else show.number(gap["value"], (gap["low"], gap["high"]), told)
                             for gap in gaps]  # fmt: skip
    for name in things_files.TEST_SETS:
        known = own["model"].map(sets[name])
        out[name.removeprefix("things/")] = ["" if v != v else show.number(v, None, told) for v in known]
    return out


def by_place(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """How often each chooser makes SPoSE's choice, by its place in the row: name, group, detail, value, low, high."""
    rows = tables["results"]
    rows = rows.loc[rows["measure"] == "same as SPoSE", ["model", "detail", "value", "low", "high", "n"]]
    return rows.merge(models[["model", "name", "group"]], on="model").assign(provenance=tables.provenance)


def place_table(tables: Tables, models: pd.DataFrame) -> pd.DataFrame:
    """Where choices unlike people's fall, first or second in the row of the files, for display."""
    rows = tables["results"]
    rows = rows[rows["measure"] == "first among differing"]
    names = networks.names(models)
    return pd.DataFrame({
        "chooser": rows["model"].map(names), "differing choices": rows["n"].astype(int), "first object": rows["value"],
        "low": rows["low"], "high": rows["high"], "provenance": tables.provenance,
    })  # fmt: skip


def numbers(tables: Tables, models: pd.DataFrame) -> dict:
    """Numbers of the prose, by key."""
    told, rows = tables.provenance, tables["results"]
    own = points(tables, models).set_index("model")
    shown = {"gpt4": "gpt4", "chat": "chatgpt35", "clip": "clip_ViT-B/32", "words": "word2vec"}
    out = {f"ch_{key}": show.estimate(own.loc[model]) for key, model in shown.items()}
    person, best = limits(tables)
    out |= {"ch_person": show.number(person, None, told), "ch_best": show.number(best, None, told),
            "ch_questions": show.number(int(own["n"].max()), None, told)}  # fmt: skip
    keyed = rows.set_index(["model", "measure", "detail"])

    def one(model, measure, detail=""):
        row = keyed.loc[(model, measure, detail)]
        return show.number(row["value"], (row["low"], row["high"]), told)

    out |= {"ch_same": one("gpt4", "agreement", "chatgpt35"), "ch_kappa": one("gpt4", choices.CONSISTENCY, "chatgpt35"),
            "ch_kappa_clip": one("gpt4", choices.CONSISTENCY, "clip_ViT-B/32"),
            "ch_kappa_spose": one("gpt4", choices.CONSISTENCY, "spose_49"),
            "ch_kappa_words": one("gpt4", choices.CONSISTENCY, "word2vec"),
            **{f"ch_{key}_{name}": one(model, "same as SPoSE", name) for name in PLACES for key, model in
               (("chat", "chatgpt35"), ("gpt4", "gpt4"), ("clip", "clip_ViT-B/32"))},
            "ch_first": one("gpt4", "first among differing"),
            "ch_first_chat": one("chatgpt35", "first among differing"),
            "ch_first_clip": one("clip_ViT-B/32", "first among differing")}  # fmt: skip
    kinds = tables["categories"]
    sides = {"ahead": kinds["low"] > 0, "behind": kinds["high"] < 0}
    out |= {f"ch_{key}": show.number(int(mask.sum()), None, told) for key, mask in sides.items()}
    out |= {"ch_categories": show.number(len(kinds), None, told), "ch_top": kinds["category"].iloc[0],
            "ch_last": kinds["category"].iloc[-1]}  # fmt: skip
    return out | statements.numbers(tables["claims"], told, "ch", "{}_effect")


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def categories(table: pd.DataFrame, names: dict[str, str]):
    """Two choosers category by category, sorted by their difference; a bar where its interval excludes zero.

    Parameters
    ----------
    table : DataFrame
        category, n, one column each of :data:`TWO`, difference, low, high.
    names : dict of str to str
    """
    rows = table.sort_values("difference").reset_index(drop=True)
    fig, ax = panels.axes(1.2 + 0.27 * len(rows))
    y = np.arange(len(rows))
    sure = (rows["low"] > 0) | (rows["high"] < 0)
    ax.hlines(y, rows[TWO[0]], rows[TWO[1]], color=style.GREY, lw=np.where(sure, 3.5, 1), alpha=0.7, zorder=1)
    looks = {TWO[0]: ("Text only", 0.98), TWO[1]: ("Image/Text", 0.02)}
    for model, (group, _) in looks.items():
        ax.scatter(rows[model], y, s=46, color=style.color(group), marker=style.marker(group), edgecolors=style.OUTLINE,
                   linewidths=0.7, zorder=3, label=names[model])  # fmt: skip
    ax.set_yticks(y, [f"{name}  ({n})" for name, n in zip(rows["category"], rows["n"])], fontsize=9.5)
    style.reference_line(ax, zero_shot.CHANCE, "chance", axis="x", at=0.02)
    ax.set(xlabel="agreement with people", ylim=(-0.8, len(rows) - 0.2))
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", lw=0.5)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    return fig


@panels.figure
def at_places(table: pd.DataFrame):
    """How often each chooser makes SPoSE's choice, where it is the first, the second and the third of the row.

    Parameters
    ----------
    table : DataFrame
        name, group, detail (place), value, low, high.
    """
    own = table[table["model"] != "vice_42"]  # the twin of SPoSE
    names = list(dict.fromkeys(own["name"]))
    fig, axes = panels.axes(3.1, 1, len(names), sharey=True)
    for ax, name in zip(np.atleast_1d(axes), names):
        part = own[own["name"] == name].set_index("detail").loc[list(PLACES)]
        group = part["group"].iloc[0]
        ax.vlines(range(3), part["low"], part["high"], color=style.GREY, lw=1, alpha=0.7)
        ax.plot(range(3), part["value"], color=style.color(group), marker=style.marker(group), ms=7, mec=style.OUTLINE)
        ax.set_xticks(range(3), ["1st", "2nd", "3rd"], fontsize=9.5)
        ax.set_xlim(-0.4, 2.4)
        ax.set_title(name.partition(" (")[0].replace(" ViT", "\nViT"), fontsize=10.5)
    axes[0].set_ylabel("share with SPoSE's choice")
    fig.supxlabel("place of SPoSE's choice in the row (the person's odd one is third)", fontsize=10, color=style.GREY)
    return fig
