"""Triplets for training a student: which pictures a teacher is asked about, its soft labels, the way in one picture."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import show
from ..alignet import sampling
from ..alignet.dataset import dot_products, order_rows
from ..cache import kept
from ..odd_one_out import softmax
from ..plots import panels, style
from ..source import Source
from . import teacher
from .teacher import TEACHER

ROLES, OPTIONAL = (), ()  # pictures and teachers of the drawn world
VERSION = 1  # of what is kept: goes up when its numbers change
CLUSTERS = 240  # 1.2 for each concept
RULES = ("between_class", "class_border", "within_class", "cluster", "cluster_border", "random", "mixed")
PLAIN_RULES = ("random", "cluster_border", "cluster")  # those that two teachers are compared on
SIMILARITIES = ["s01", "s02", "s12"]
RELATION = {"one concept": "#1d6c8a", "two concepts": "#841e5a", "one superordinate": "#86be91", "others": "#c9c9c9"}
STEPS = {  # step: title, then what works on the pictures (words, state), in order
    "fit": ("Fit a map to people", (("a large network gives features x", "frozen"),
                                    ("a linear map z = xW + b", "fitted"))),
    "label": ("Ask it about new pictures", (("the same network", "frozen"), ("the same map", "frozen"))),
    "train": ("Fine-tune another network", (("a student network, all its weights", "trained"),
                                            ("a pull back to the weights it began with", "pull"))),
}  # fmt: skip

# ---- triplets and their labels ---------------------------------------------------------------------------------------


def _pool(source: Source, network: str, kind: str, clusters: int):
    """Test pictures as the pool: ids, the teacher's representations, clusters, concepts, superordinates."""
    shown, fitted = source.pictures("test"), teacher.fitted(source, network, kind)
    values = fitted.apply(teacher.features(source, network, "test"))

    def make():
        return {"labels": sampling.kmeans(values - values.mean(0), clusters, seed=0)[0]}

    inputs = [fitted.key, clusters, teacher.state(source, network)]
    labels = kept(source.profile, f"alignet-clusters-{kind}", VERSION, inputs, make)["labels"]
    return shown.ids, values, labels, np.array(shown.concepts), np.array(shown.meta["kind"])


def sampled(source: Source, kind="uncertainty", clusters: int = CLUSTERS, n: int = 20_000, rules=RULES) -> dict:
    """Triplets of test pictures by each rule, ordered, with the teacher's similarities.

    Parameters
    ----------
    source : Source
        The drawn world.
    kind : str
        Of the map of :data:`humalign.chapters.teacher.TEACHER`, see :data:`humalign.alignet.teacher.KINDS`.
    clusters : int
    n : int
        Triplets of each rule.
    rules : sequence of str
        See :mod:`humalign.alignet.sampling`.

    Returns
    -------
    dict
        Rule to DataFrame: first, second, odd (ids), s01, s02, s12, concepts (how many), superordinates (how many).
    """
    ids, values, labels, concepts, kinds = _pool(source, TEACHER, kind, clusters)
    names, out = np.array(ids), {}
    groups = {"classes": sampling.Groups(concepts), "clusters": sampling.Groups(labels), None: None}
    for rule in rules:
        group, rng = groups[sampling.RULES[rule][1]], np.random.default_rng([1, len(rule)])
        rows = sampling.sample(n, rule, len(ids), group, rng=rng)
        rows, similarities = order_rows(rows, dot_products(values, rows))
        frame = pd.DataFrame(names[rows], columns=["first", "second", "odd"])
        frame[SIMILARITIES] = similarities
        for column, code in (("concepts", concepts), ("superordinates", kinds)):
            own = np.sort(np.unique(code, return_inverse=True)[1][rows], 1)
            frame[column] = 1 + (np.diff(own, axis=1) > 0).sum(1)
        out[rule] = frame
    return out


def shares(triplets: dict) -> pd.DataFrame:
    """Shares of kinds of triplets a rule: rule, one concept, two concepts, one superordinate, others.

    Parameters
    ----------
    triplets : dict of str to DataFrame
        :func:`sampled`.
    """
    rows = []
    for rule, frame in triplets.items():
        one, two = frame["concepts"] == 1, frame["concepts"] == 2
        near = (frame["concepts"] == 3) & (frame["superordinates"] == 1)
        kinds = {"one concept": one, "two concepts": two, "one superordinate": near, "others": ~(one | two | near)}
        rows.append({"rule": rule, **{k: v.mean() for k, v in kinds.items()}})
    return pd.DataFrame(rows)


def confidences(aligned: dict, plain: dict, bins: int = 20) -> pd.DataFrame:
    """How sure the labels of two teachers are: distribution of the largest of the three probabilities.

    Parameters
    ----------
    aligned, plain : dict of str to DataFrame
        :func:`sampled` of the human-aligned teacher and of the untransformed one; the rules of ``plain`` count.
    bins : int

    Returns
    -------
    DataFrame
        rule, teacher, probability (middle of a bin), share.
    """
    edges, parts = np.linspace(1 / 3, 1, bins + 1), []
    for name, triplets in (("human-aligned", aligned), ("untransformed", plain)):
        for rule in plain:
            top = softmax(triplets[rule][SIMILARITIES].to_numpy()).max(1)
            share = np.histogram(top, edges)[0] / len(top)
            named = {"rule": rule, "teacher": name}
            parts.append(pd.DataFrame({**named, "probability": (edges[1:] + edges[:-1]) / 2, "share": share}))
    return pd.concat(parts, ignore_index=True)


def numbers(triplets: dict, shares: pd.DataFrame) -> dict:
    """Numbers of the prose, by key: of three rules the share with two pictures of one concept, and how sure labels are.

    Parameters
    ----------
    triplets : dict of str to DataFrame
        :func:`sampled`.
    shares : DataFrame
        :func:`shares`.
    """
    two, out = shares.set_index("rule")["two concepts"], {}
    for rule, key in {"random": "random", "cluster_border": "border", "cluster": "cluster"}.items():
        sure = softmax(triplets[rule][SIMILARITIES].to_numpy()).max(1).mean()
        out |= {f"ad_two_{key}": show.number(two[rule], digits=2), f"ad_sure_{key}": show.number(sure, digits=2)}
    return out


# ---- the way from people to a student --------------------------------------------------------------------------------


def _chances(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Chance that each picture of triplets (n, 3) of rows of ``values`` is the odd one: softmax of the other pair."""
    return softmax(dot_products(values, rows))[:, ::-1]  # pairs (0, 1), (0, 2), (1, 2) leave 2, 1, 0


def _judged(source: Source) -> list[dict]:
    """The triplet that observers are surest of among those that features alone get wrong and the map gets right."""
    from ..world import observers

    ids, rows = np.array(source.ids("things")), teacher.judged_triplets("seen", 3000)
    x = teacher.features(source, TEACHER, "things")
    answers = {"people": observers.group_probabilities(observers.values(ids), rows)[:, ::-1]}
    for who, kind in (("features alone", "untransformed"), ("map", "uncertainty")):
        answers[who] = _chances(teacher.fitted(source, TEACHER, kind).apply(x), rows)
    odd = {who: p.argmax(1) for who, p in answers.items()}
    fits = (odd["map"] == odd["people"]) & (odd["features alone"] != odd["people"])
    best = int(np.argmax(np.where(fits, answers["people"].max(1), -1)))
    order = np.argsort(answers["people"][best])
    return [{"who": who, "pictures": ids[rows[best][order]], "odd": p[best][order]} for who, p in answers.items()]


def _labelled(source: Source) -> dict:
    """Of the border triplets the one whose label is of median certainty, with its label."""
    table = sampled(source, rules=("cluster_border",))["cluster_border"]
    label = softmax(table[SIMILARITIES].to_numpy())
    certain = label.max(1)
    place = int(np.argsort(certain, kind="stable")[len(certain) // 2])
    return {"pictures": table.loc[place, ["first", "second", "odd"]].to_numpy(), "odd": label[place][::-1]}


def pipeline(source: Source) -> pd.DataFrame:
    """The three steps from people's choices to a student, for :func:`humalign.plots.schematics.pipeline`.

    Parameters
    ----------
    source : Source
        The drawn world.

    Returns
    -------
    DataFrame
        One row a node: step (1, 2, 3), title, node ("works" or "answers"), words (what works, or whose answers), state
        (frozen, fitted, trained, pull; given for answers), and for answers first, second, third (picture ids) and
        odd_1, odd_2, odd_3 (chance that each is the odd one).
    """
    label = _labelled(source)
    answers = {
        "fit": _judged(source),
        "label": [{"who": "soft label", **label}],
        "train": [{"who": "answers are pulled to the soft label", **label}],
    }
    rows = []
    for k, (step, (title, works)) in enumerate(STEPS.items(), 1):
        rows += [dict(step=k, title=title, node="works", words=w, state=s) for w, s in works]
        for a in answers[step]:
            names = dict(zip(("first", "second", "third"), a["pictures"]))
            odd = dict(zip(("odd_1", "odd_2", "odd_3"), map(float, a["odd"])))
            rows.append(dict(step=k, title=title, node="answers", words=a["who"], state="given", **names, **odd))
    return pd.DataFrame(rows)


# ---- figures ---------------------------------------------------------------------------------------------------------


@panels.figure
def bars(shares: pd.DataFrame):
    """What each sampling rule draws: shares of kinds of triplets (rows sum to one); see :func:`shares`."""
    fig, ax = panels.axes(0.42 * len(shares) + 1.4, width=style.WIDTH * 0.9)
    left = np.zeros(len(shares))
    y = np.arange(len(shares))[::-1]
    for column, colour in RELATION.items():
        ax.barh(y, shares[column], left=left, color=colour, label=column)
        left = left + shares[column].to_numpy()
    ax.set_yticks(y, shares["rule"])
    ax.set(xlabel="share of triplets", xlim=(0, 1))
    ax.legend(ncols=2, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return fig


@panels.figure
def confidence(labels: pd.DataFrame):
    """Distribution of the largest label probability, by sampling rule and teacher; see :func:`confidences`."""
    rules = list(dict.fromkeys(labels["rule"]))
    fig, axes = panels.axes(1.5 * len(rules) + 0.7, len(rules), width=style.WIDTH * 0.8, sharex=True, squeeze=False)
    for ax, rule in zip(axes[:, 0], rules):
        for name, part in labels[labels["rule"] == rule].groupby("teacher", sort=False):
            colour = style.STAGES["AligNet"] if name == "human-aligned" else style.STAGES["UnAligNet"]
            ax.step(part["probability"], part["share"], where="mid", color=colour, label=name)
        ax.set_ylabel("share")
        ax.set_title(rule, loc="left", fontsize=10)
    axes[0, 0].legend(fontsize=9)
    axes[-1, 0].set_xlabel("largest probability of the soft label")
    return fig
