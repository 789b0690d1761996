"""The drawn world: its people, the tables of its frozen protocol, the naming check, and its figures."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from .. import levels, odd_one_out, show
from ..plots import panels, style
from ..source import Source
from ..store import read_json

ROLES, OPTIONAL = (), ()
PLAYS = {  # role: what it plays
    "things": "THINGS odd-one-out",
    "things-permuted": "control: permuted taxonomy",
    "coarse": "CIFAR-100 coarse triplets",
    "levels": "Levels (coarse, fine, boundary)",
    "cichy": "118-image arrangements",
    "king1": "144-image arrangements, set 1",
    "king2": "144-image arrangements, set 2",
}
CELL = 72  # pixels of a picture on a sheet
FROZEN = Path(str(resources.files("humalign.world").joinpath("frozen.json")))


def overlap() -> pd.DataFrame:
    """How much of each observers' dimension the label taxonomy explains (adjusted R²): dimension, two columns."""
    found = read_json(FROZEN)["overlap"]["dimensions"]
    rows = [(name, v["superordinate"], v["taxonomy"]) for name, v in found.items()]
    table = pd.DataFrame(rows, columns=["dimension", "adjusted R², superordinates", "with hypernyms"])
    return table.sort_values("with hypernyms", ascending=False, kind="stable", ignore_index=True)


def naming_check() -> pd.DataFrame:
    """Every answer of the blind naming check: concept, view, first, second, judged."""
    return pd.read_csv(FROZEN.with_name("naming_check.csv"), keep_default_na=False)


def naming_summary() -> pd.DataFrame:
    """Share of the drawings by how their first name was judged."""
    order = ["same", "synonym", "broader", "narrower", "other"]
    counts = naming_check()["judged"].value_counts().reindex(order, fill_value=0)
    return pd.DataFrame({"first name given": order, "drawings": counts.array, "share": counts.array / counts.sum()})


def sets(source: Source) -> pd.DataFrame:
    """The data sets of the drawn world as its people and pictures make them: role, what it plays, size.

    Parameters
    ----------
    source : Source
        Of the drawn world.
    """
    rows = []

    def add(name, plays, found):
        asked = 0 if found.participants is None else len(np.unique(found.participants))
        rows.append((name, plays, len(found.ids), asked, len(found)))

    for role, plays in PLAYS.items():
        kind = source.role(role).kind
        if kind == "arrangement":
            found, n = source.arrangement(role), len(source.ids(role))
            rows.append((role, plays, n, found.people, n * (n - 1) // 2))
        elif kind == "sessions":
            answers, _ = levels.exclude(source.sessions(role))
            rows.append((role, plays, len(source.ids(role)), answers["participant"].nunique(), len(answers)))
        else:
            add(role, plays, source.triplets(role))
    first, again = source.again("things")
    add("things, repeated", "THINGS repeated triplets (ceilings)", first)
    add("things, again", "the same people once more", again)
    people = source.people("things")
    rows.append(("things, people", "VICE", len(people.ids), 0, len(people.names)))
    return pd.DataFrame(rows, columns=["role", "plays", "pictures", "people", "triplets, pairs or dimensions"])


def dimensions(source: Source) -> pd.DataFrame:
    """What the main group attends to, in the mean of the things pictures of each superordinate.

    Parameters
    ----------
    source : Source
        Of the drawn world.

    Returns
    -------
    DataFrame
        superordinate, dimension, value; dimensions in their own order, the colours last.
    """
    from ..world import datasets
    from ..world.drawing import world as drawn

    truth = datasets.embedding()  # people's dimensions by the weight that the group gives them
    kinds = np.asarray(source.pictures("things").align(truth.ids).meta["kind"])
    means = {kind: truth.values[kinds == kind].mean(0) for kind in drawn().superordinates}
    table = pd.DataFrame(means, index=pd.Index(truth.dimensions, name="dimension"))
    long = table.rename_axis(columns="superordinate").stack().rename("value").reset_index()
    return long[["superordinate", "dimension", "value"]]


def difficulty(source: Source, n: int = 40_000, bins: int = 8) -> pd.DataFrame:
    """How hard triplets are for people: choices and times by the entropy of the main group's choices.

    Parameters
    ----------
    source : Source
        Of the drawn world.
    n : int
        Triplets of the things set.
    bins : int
        Equally filled bins of entropy.

    Returns
    -------
    DataFrame
        entropy (mean of the bin, nats), accuracy (of the group's own values), bayes (share of the most likely answer),
        n, seconds_low, seconds, seconds_high (quartiles of response times).
    """
    things, people = source.triplets("things"), source.people("things")
    shown, seconds, seen = things.triplets[:n], things.response_times[:n], people.dimensions
    probabilities = people.probabilities[:n]
    doubt = odd_one_out.entropy(probabilities)
    edges = np.quantile(doubt, np.linspace(0, 1, bins + 1)[1:-1])
    columns = {"entropy": doubt, "right": odd_one_out.choices(seen @ seen.T, shown) == 2, "bayes": probabilities.max(1)}
    frame = pd.DataFrame({"bin": np.digitize(doubt, edges), **columns, "seconds": seconds}).groupby("bin")
    table = frame[["entropy", "right", "bayes"]].mean().rename(columns={"right": "accuracy"}).assign(n=frame.size())
    table[["seconds_low", "seconds", "seconds_high"]] = frame["seconds"].quantile([0.25, 0.5, 0.75]).unstack()
    return table.reset_index(drop=True)


def numbers(check: pd.DataFrame) -> dict:
    """Numbers for the prose: concepts that are drawn, and those with a second view; key to number.

    Parameters
    ----------
    check : DataFrame
        concept, view: :func:`naming_check`.
    """
    views = check.groupby("concept")["view"].nunique()
    return {"world_concepts": show.number(len(views)), "world_second": show.number(int((views > 1).sum()))}


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def contact_sheet(names=None, *, columns: int = 10, seed: int = 0, views: bool = False):
    """Pictures of concepts, each with its name below.

    Parameters
    ----------
    names : sequence of str, optional
        Concepts; default: the first of each superordinate.
    columns : int
        Pictures in a row.
    seed : int
    views : bool
        One picture of every drawn view.

    Returns
    -------
    figure : matplotlib.figure.Figure
    table : pandas.DataFrame
        Columns picture, concept, view, superordinate, main_colour, scene.
    """
    from ..world import draw
    from ..world.drawing import world

    drawings = world()
    if names is None:
        names = [drawings.members(s)[0] for s in drawings.superordinates]
    cells = [(n, v.number) for n in names for v in (drawings.views[n] if views else drawings.views[n][:1])]
    columns = min(columns, 5) if style.narrow() else columns
    rows = -(-len(cells) // columns)
    fig, axes = panels.axes(1.22 * style.WIDTH / columns * rows, rows, columns, squeeze=False, stack=False)
    for ax in axes.flat:
        ax.set_axis_off()
    table, place = [], {"ha": "center", "va": "top", "fontsize": 8.5, "color": style.GREY}
    for k, (ax, (name, view)) in enumerate(zip(axes.flat, cells)):
        pixels, facts = draw.render(name, draw.seed_of(f"sheet{seed}/{name}/{view - 1}"), CELL, view, noise=False)
        ax.imshow(pixels, interpolation="nearest")
        ax.text(0.5, -0.04, name if view == 1 else f"{name} {view}", transform=ax.transAxes, **place)
        table.append((k, name, view, drawings.superordinate[name], facts["slots"]["A"], facts["scene"]))
    frame = pd.DataFrame(table, columns=["picture", "concept", "view", "superordinate", "main_colour", "scene"])
    return fig, frame


@panels.figure
def variety(
    names=("dog", "elephant", "apple", "cup", "chair", "car", "guitar", "house"), *, each: int = 8, size: int = 64
):
    """What varies between pictures of one concept: a row of training pictures for each, as crisp as ``size`` allows.

    Returns
    -------
    figure : matplotlib.figure.Figure
    table : pandas.DataFrame
        Columns id, view, main_colour, scene, scale.
    """
    from ..world import stimuli

    fig, axes = panels.axes(style.WIDTH / each * len(names), len(names), each, squeeze=False, stack=False)
    rows = []
    for line, name in zip(axes, names):
        for k, ax in enumerate(line):
            pixels, facts = stimuli.picture(f"{name}/train{k}", size)
            ax.imshow(pixels, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            rows.append((f"{name}/train{k}", facts["view"], facts["slots"]["A"], facts["scene"], facts["scale"]))
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return fig, pd.DataFrame(rows, columns=["id", "view", "main_colour", "scene", "scale"])


@panels.figure
def taxonomy(*, icon: int = 44):
    """Every concept as a small picture in the row of its superordinate, rows grouped by top category of the labels.

    Returns
    -------
    figure : matplotlib.figure.Figure
    table : pandas.DataFrame
        Columns top, superordinate, concept, hypernyms.
    """
    from ..world import draw, labels
    from ..world.drawing import world

    drawings = world()
    frame = pd.DataFrame(
        [(labels.top(c), labels.superordinate(c), c, ", ".join(labels.hypernyms(c))) for c in drawings.concepts],
        columns=["top", "superordinate", "concept", "hypernyms"],
    ).sort_values(["top", "superordinate", "concept"], ignore_index=True)
    lines = frame.groupby(["superordinate"], sort=False)["concept"].apply(list)
    tops = frame.groupby("superordinate")["top"].agg(lambda values: values.mode()[0])
    order = sorted(lines.index, key=lambda s: (tops[s], s))
    most = max(map(len, lines))
    fig, ax = panels.axes(0.37 * len(order), width=0.8 * style.WIDTH)
    y = -1.0
    previous, ticks = None, []
    for name in order:
        y += 1.35 if previous not in (None, tops[name]) else 1.0
        if previous != tops[name]:
            ax.text(most + 0.1, y, tops[name], ha="left", va="center", fontsize=8.5, color=style.GREY, style="italic")
        previous = tops[name]
        ticks.append(y)
        for k, concept in enumerate(lines[name]):
            pixels, _ = draw.render(concept, draw.seed_of(f"icon/{concept}"), icon, 1, 0.0, noise=False)
            ax.imshow(pixels, extent=(k, k + 0.94, y + 0.47, y - 0.47), interpolation="nearest")
    ax.set(aspect="equal", xlim=(0, most + 2.6), ylim=(y + 0.6, -0.6))
    ax.set_yticks(ticks, order, fontsize=9)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig, frame


@panels.figure
def attention(table: pd.DataFrame):
    """Heat map of what the main group attends to: mean value of each superordinate on every dimension.

    Parameters
    ----------
    table : DataFrame
        From :func:`dimensions`: superordinate, dimension, value.
    """
    rows, names = (list(dict.fromkeys(table[column])) for column in ("dimension", "superordinate"))
    means = table.pivot(index="dimension", columns="superordinate", values="value").loc[rows, names].to_numpy()
    fig, ax = panels.axes(0.163 * len(means) + 1.1)
    image = ax.imshow(means, aspect="auto", cmap="magma_r", vmin=0)
    ax.set_yticks(range(len(means)), [d.replace("colour: ", "") for d in rows], fontsize=8.5)
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=8.5)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    colours = sum(d.startswith("colour: ") for d in rows)
    ax.axhline(len(means) - colours - 0.5, color=style.GREY, lw=1)
    beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
    place = (len(names) - 0.5, len(means) - colours / 2 - 0.5)
    ax.annotate("colours", place, rotation=90, fontsize=8.5, color=style.GREY, **beside)
    beside = {"location": "bottom"} if style.narrow() else {"shrink": 0.35, "anchor": (0, 1), "fraction": 0.06}
    fig.colorbar(image, ax=ax, label="mean value", **beside)
    return fig


@panels.figure
def hardness(table: pd.DataFrame):
    """How hard triplets are: accuracy of the group's own values and response times by entropy of the group's choices.

    Parameters
    ----------
    table : DataFrame
        From :func:`difficulty`, one row a bin of entropy.
    """
    fig, (left, right) = panels.axes(3.3, 1, 2)
    left.plot(table.entropy, table.bayes, color=style.GREY, ls="--", label="best possible (Bayes)")
    left.plot(table.entropy, table.accuracy, "o", color="darkcyan", label="the group's own values")
    style.reference_line(left, 1 / 3, "chance", at=0.01)
    left.set(xlabel="entropy of the group's choices (nats)", ylabel="odd-one-out accuracy", ylim=(0.28, 1))
    left.legend(fontsize=9)
    band = {"color": "darkcyan", "alpha": 0.25, "lw": 0, "label": "middle half of the answers"}
    right.fill_between(table.entropy, table.seconds_low, table.seconds_high, **band)
    right.plot(table.entropy, table.seconds, "o-", color="darkcyan", label="median")
    right.set(xlabel="entropy of the group's choices (nats)", ylabel="response time (s)", ylim=(0, None))
    right.legend(fontsize=9, loc="lower right")
    return fig
