"""Networks beside networks: agreement of choices, CKA, shared failures, doubt, families set apart, maps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import concepts as measures
from .. import odd_one_out, resample, results
from ..cache import kept
from ..chapters import concepts as dimensions
from ..chapters import networks, vice
from ..config import Profile
from ..data import registry
from ..errors import MissingData
from ..results import Measured
from ..similarity import similarity_matrix
from . import public

PEOPLE = "people's dimensions"  # the pseudo-network: the mean embedding of the people, dot products
VERSION = 1  # of the tables that are kept: goes up when their numbers change
TOP = {  # superordinates of the drawn world by the colours of the paper's t-SNE figure
    "animal": ("mammal", "bird", "sea", "bug", "reptile"),
    "vehicle": ("vehicle",),
    "clothing": ("clothing",),
    "plant": ("plant", "fruit", "vegetable"),
    "food": ("dish", "drink"),
    "furniture": ("furniture",),
    "container": ("container", "kitchen"),
}


# ---- choices and features --------------------------------------------------------------------------------------------


def choices(profile: Profile, layer: str = "penultimate", models=None, seeds=(0,)) -> dict[str, np.ndarray]:
    """Which object of every triplet each network sets apart: int8 (n,), 2 = as people did; cosine similarity.

    The entry "people's dimensions" follows what people see in the pictures (dot product), as VICE in the paper.
    """
    triplets = networks.source(profile).triplets()

    def make():
        _, values = dimensions.dimensions(networks.source(profile))
        out = {PEOPLE: odd_one_out.choices(similarity_matrix(values, "dot"), triplets.triplets).astype(np.int8)}
        for part in networks.source(profile).features("things", (layer,), models, seeds):
            similarity = similarity_matrix(part.align(triplets.ids).values, "cosine")
            out[part.model] = odd_one_out.choices(similarity, triplets.triplets).astype(np.int8)
        return out

    state = networks.source(profile).state("things", models, seeds)
    parts = [state, [networks.source(profile).people("things").checksum], triplets.checksum, layer]
    found = kept(profile, f"choices-{layer}", VERSION, parts, make)
    known = list(networks.facts(profile)["model"])
    return {name: found[name] for name in [PEOPLE, *(m for m in known if m in found)]}


def _long(square: pd.DataFrame, measure: str, layer: str) -> pd.DataFrame:
    square = square.rename_axis("first").rename_axis("second", axis=1)
    return square.stack().rename("value").reset_index().assign(measure=measure, layer=layer)


def pairs(profile: Profile, layer: str = "penultimate", models=None, seeds=(0,)) -> pd.DataFrame:
    """Every pair of networks: share of equal choices ("agreement") and linear CKA of the features ("CKA").

    Returns
    -------
    DataFrame
        first, second, value, measure, layer; "people's dimensions" among the networks.
    """
    triplets = networks.source(profile).triplets()

    def make():
        _, values = dimensions.dimensions(networks.source(profile))
        features = {PEOPLE: values}
        features |= {
            p.model: p.align(triplets.ids).values
            for p in networks.source(profile).features("things", (layer,), models, seeds)
        }
        same = measures.agreement(choices(profile, layer, models, seeds))
        return pd.concat(
            [_long(same, "agreement", layer), _long(measures.cka_matrix(features), "CKA", layer)], ignore_index=True
        )

    state = networks.source(profile).state("things", models, seeds)
    parts = [state, [networks.source(profile).people("things").checksum], triplets.checksum, layer]
    return kept(profile, f"pairs-{layer}", VERSION, parts, make)


def order(names, models: pd.DataFrame) -> list[str]:
    """People first, then networks by training group and family, as in the rows of the heat maps."""
    from ..plots import style

    group = models.set_index("model")["group"]
    place = {g: i for i, g in enumerate(style.order(group.unique()))}
    family = models.set_index("model")["family"]
    known = [n for n in names if n in group.index]
    return [n for n in names if n not in group.index] + sorted(known, key=lambda n: (place[group[n]], family[n], n))


def within_and_between(table: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Mean value of the pairs within each training group, between it and the others, and with people's dimensions.

    Returns
    -------
    DataFrame
        measure, layer, group, networks, within, between, people (NaN where there is no such pair).
    """
    group = models.set_index("model")["group"]
    table = table[table["first"] != table["second"]]
    table = table.assign(a=table["first"].map(group), b=table["second"].map(group))
    rows = []
    for (measure, layer, name), part in table.dropna(subset="a").groupby(["measure", "layer", "a"], sort=False):
        same, other = part["b"] == name, part["b"].notna() & (part["b"] != name)
        rows.append(
            {
                "measure": measure,
                "layer": layer,
                "group": name,
                "networks": part["first"].nunique(),
                "within": part["value"][same].mean(),
                "between": part["value"][other].mean(),
                "people": part["value"][part["second"] == PEOPLE].mean(),
            }
        )
    return pd.DataFrame(rows)


# ---- failures and doubt ----------------------------------------------------------------------------------------------


def people_entropy(profile: Profile) -> np.ndarray:
    """Entropy (nats) of the probabilities with which people keep the pairs of each triplet: (n,)."""
    chances = networks.source(profile).people().probabilities
    if chances is None:
        raise MissingData(
            "nobody says how sure people are", "things", "'humalign data where things/vice_probabilities'"
        )
    return odd_one_out.entropy(chances)


def trained(found: dict, models: pd.DataFrame) -> dict:
    """Choices of the trained networks only."""
    group = models.set_index("model")["group"]
    return {name: value for name, value in found.items() if name in group.index and group[name] != "Untrained"}


def failures(found: dict, entropy, models: pd.DataFrame) -> pd.DataFrame:
    """How many networks miss the human choice, triplet by triplet, counted.

    Parameters
    ----------
    found : dict of str to int8 (n,)
        :func:`choices`.
    entropy : float (n,)
        People's entropy, nats.
    models : DataFrame
        Facts.

    Returns
    -------
    DataFrame
        wrong (number of trained networks), triplets, share, independent (share expected if networks erred
        independently at their own rates), entropy (people's mean, nats), dimensions (share of these triplets in which
        people's dimensions choose as people did).
    """
    some = trained(found, models)
    errors = np.stack([value != 2 for value in some.values()])
    wrong, k = errors.sum(0), len(errors)
    n = np.bincount(wrong, minlength=k + 1)
    expected = np.ones(1)
    for rate in errors.mean(1):
        expected = np.convolve(expected, [1 - rate, rate])
    with np.errstate(invalid="ignore"):
        mean = np.bincount(wrong, entropy, k + 1) / n
        known = np.bincount(wrong, found[PEOPLE] == 2, k + 1) / n
    return pd.DataFrame(
        {
            "wrong": np.arange(k + 1),
            "triplets": n,
            "share": n / n.sum(),
            "independent": expected,
            "entropy": mean,
            "dimensions": known,
        }
    )


def doubt(found: dict, entropy, models: pd.DataFrame) -> pd.DataFrame:
    """Error by people's entropy, in the paper's bins of a tenth of a nat: network by network, with its group.

    Returns
    -------
    DataFrame
        model, group, low, high, n, error; empty bins left out.
    """
    table = measures.entropy_bins(found, entropy)
    group = models.set_index("model")["group"]
    return table[table["n"] > 0].assign(group=lambda t: t["model"].map(group).fillna("People")).reset_index(drop=True)


def by_group(table: pd.DataFrame) -> pd.DataFrame:
    """Mean error of each training group in each bin of entropy."""
    return table.groupby(["group", "low", "high", "n"], as_index=False)["error"].mean()


def apart(profile: Profile, found: dict, models: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Triplets that set two training groups apart: each unanimous, and not of one mind with the other.

    Returns
    -------
    DataFrame
        triplet (row), kind ("first right, second wrong" ...), first_choice, second_choice, entropy (people's, nats),
        a, b, odd (ids; ``odd`` is what people set apart), dimension (of people, that the triplet rests on).
    """
    members = {g: [m for m in found if m in set(models.loc[models["group"] == g, "model"])] for g in (first, second)}
    for group, names in members.items():
        if not names and profile.name != "mini":
            raise MissingData("has no network with features here", f"training group {group}", "humalign plan")
    triplets = networks.source(profile).triplets()
    table = measures.contrast(found, members[first], members[second])
    mirror = measures.contrast(found, members[second], members[first])
    mirror = mirror[mirror["kind"] == "first right, second wrong"].rename(
        columns={"first_choice": "second_choice", "second_choice": "first_choice"}
    )
    table = pd.concat([table, mirror.assign(kind="second right, first wrong")], ignore_index=True)
    names, values = dimensions.dimensions(networks.source(profile))
    rows = triplets.triplets[table["triplet"]]
    ids = np.asarray(triplets.ids)[rows]
    about = np.asarray(names)[measures.attribute(rows, values)] if len(rows) else np.array([], object)
    return table.assign(
        entropy=people_entropy(profile)[table["triplet"]], a=ids[:, 0], b=ids[:, 1], odd=ids[:, 2], dimension=about
    )


def clear(table: pd.DataFrame, kind: str, n: int = 4) -> pd.DataFrame:
    """The ``n`` triplets of a kind about which people are surest, no concept twice."""
    out, used = [], set()
    for row in table[table["kind"] == kind].sort_values(["entropy", "triplet"], kind="stable").to_dict("records"):
        concepts = {row[c].partition("/")[0] for c in ("a", "b", "odd")}
        if len(concepts) == 3 and not concepts & used:
            out.append(row)
            used |= concepts
        if len(out) == n:
            break
    return pd.DataFrame(out, columns=table.columns)


# ---- maps ------------------------------------------------------------------------------------------------------------


def maps(profile: Profile, models, layer: str = "penultimate") -> pd.DataFrame:
    """t-SNE maps of the pictures: people's dimensions and some networks (cosine, random start, seed 0, as the paper).

    Returns
    -------
    DataFrame
        model, id, x, y, superordinate, category (of the paper's colours; "other" else).
    """
    triplets = networks.source(profile).triplets()
    wanted = [m for m in models if m in networks.source(profile).models("things")]
    above, category = categories(profile, triplets.ids)

    def make():
        from sklearn.manifold import TSNE

        _, values = dimensions.dimensions(networks.source(profile))
        features = {PEOPLE: values}
        if wanted:
            features |= {
                p.model: p.align(triplets.ids).values
                for p in networks.source(profile).features("things", (layer,), wanted)
            }
        rows = []
        for name, x in features.items():
            settings = {"metric": "cosine", "init": "random", "random_state": 0, "max_iter": 1000}
            place = TSNE(perplexity=perplexity(len(x)), **settings).fit_transform(np.asarray(x, np.float32))
            columns = {"model": name, "id": triplets.ids, "x": place[:, 0], "y": place[:, 1]}
            rows.append(pd.DataFrame({**columns, "superordinate": above, "category": category}))
        return pd.concat(rows, ignore_index=True)

    state = networks.source(profile).state("things", wanted) if wanted else []
    parts = [state, triplets.checksum, wanted, layer, [networks.source(profile).people("things").checksum], category]
    return kept(profile, "maps", VERSION, parts, make)


def perplexity(n: int) -> float:
    """Of a t-SNE map of n points: scikit-learn's default of 30, less where so many neighbours do not exist."""
    return min(30.0, (n - 1) / 3)


def categories(profile: Profile, ids) -> tuple[list[str], list[str]]:
    """Superordinate of each object, and its category in the paper's colours ("other" where none or several apply).

    In the full profile: the 27 high-level categories of THINGS where that file is at hand, else "other" for all.
    """
    if profile.name == "mini":
        from ..world.drawing import world
        from ..world.stimuli import concept_of

        colour = {s: top for top, members in TOP.items() for s in members}
        above = [world().superordinate[concept_of(name)] for name in ids]
        return above, [colour.get(s, "other") for s in above]
    if "things/categories_27" not in registry.available(profile):
        return ["other"] * len(ids), ["other"] * len(ids)
    member = registry.load("things/categories_27", profile).loc[list(ids)].astype(bool)
    names = np.asarray(member.columns)
    above = [names[row][0] if row.sum() == 1 else "other" for row in member.to_numpy()]
    shown = {name: member[name] for name in TOP if name in member}
    count = sum(shown.values()) if shown else 0
    top = [next((n for n, flag in shown.items() if flag.iloc[k] and count.iloc[k] == 1), "other")
           for k in range(len(ids))]  # fmt: skip
    return above, top


def examples(models: pd.DataFrame, profile: Profile, wanted) -> list[str]:
    """The wanted networks that are at hand; the first trained one of each group in place of those that are not."""
    here = networks.source(profile).models("things")
    found = [m for m in wanted if m in here]
    group = models.set_index("model")["group"]
    for name in here:
        if len(found) < len(wanted) and name not in found and group[name] not in {group[m] for m in found}:
            found.append(name)
    return found


# ---- the public files ------------------------------------------------------------------------------------------------


def _public(profile) -> dict:
    """Agreement and CKA of CLIP, word2vec, VICE and SPoSE, with people, on both repeated test sets."""
    triplets = vice.responses(profile, vice.RESPONSES[:2])
    kernels = {vice.CLIP: "cosine", vice.WORDS: "cosine", vice.VICE: "dot", vice.SPOSE: "dot"}
    values = {name: registry.load(name, profile).align(triplets.ids).values for name in kernels}
    found = {
        name: odd_one_out.choices(similarity_matrix(values[name], kernel), triplets.triplets)
        for name, kernel in kernels.items()
    }
    found["people"] = np.full(len(triplets), 2)
    names = list(found)
    both = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    same = np.stack([found[a] == found[b] for a, b in both])
    mean, drawn = resample.triplet_means(same, triplets.triplets, triplets.concepts)
    rows = [{"model": a, "detail": b, "measure": "agreement", "value": v} for (a, b), v in zip(both, mean)]
    table = Measured.of(rows, drawn, profile="slice", dataset="things/testset1 and 2", n=len(triplets)).table
    cka = measures.cka_matrix(values)
    more = [
        {"model": a, "detail": b, "value": cka.loc[a, b], "n": len(triplets.ids)}
        for a, b in both
        if "people" not in (a, b)
    ]
    more = results.table(more, profile="slice", dataset=f"{len(triplets.ids):,} concepts", measure="CKA")
    return {"pairs": pd.concat([table, more], ignore_index=True)}


# version 2: rows of CLIP by their right names
PUBLIC = public.Study("slice_comparison", vice.NEEDED, ("pairs",), 2, _public)


def record(profile, folder=None) -> list:
    """Store the tables from the public files with the package (``slice_comparison``)."""
    return PUBLIC.record(profile, folder)
