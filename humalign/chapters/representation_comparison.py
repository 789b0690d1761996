"""Networks beside networks: agreement of choices, CKA, shared failures, doubt, families set apart, maps, layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .. import concepts as measures
from .. import odd_one_out, record, resample, results, rsa, show
from ..answers import joined
from ..cache import kept
from ..errors import MissingData
from ..features import shards
from ..plots import style
from ..record import Tables
from ..results import Measured, combine
from ..roles import NETWORKS
from ..similarity import similarity_matrix
from ..source import LAYERS, YOURS, Source
from . import concepts as dimensions
from . import networks, things_files, zero_shot

ROLES, OPTIONAL = ("things",), ()
VERSION = 2  # of what is kept: goes up when its numbers change
PAIRS = 2  # the same of pairs of networks; 2: debiased CKA and that of random features beside the biased one
DEBIASED, NOISE = "CKA, debiased", "CKA of random features"
PEOPLE = "people's dimensions"  # the pseudo-network: the mean embedding of the people, dot products
ALONG, EXAMPLE = "layers", "resnet18"  # stage of accuracies along the depth; named where no features are there at all
# of triplets that set two groups apart: how many are shown
KINDS = {"first right, second wrong": 4, "second right, first wrong": 2, "both wrong, different": 2}
SMALL = 1e-4  # per cent; smaller shares are not written out
TOP = {  # the colours of the paper's t-SNE figure: the category that has each, and the narrower ones
    "animal": ("mammal", "bird", "sea", "bug", "reptile"),
    "vehicle": ("vehicle",),
    "clothing": ("clothing",),
    "plant": ("plant", "fruit", "vegetable"),
    "food": ("dish", "drink"),
    "furniture": ("furniture",),
    "container": ("container", "kitchen"),
}


# ---- choices and features --------------------------------------------------------------------------------------------


def choices(source: Source, layer: str = "penultimate", models=None, seeds=(0,)) -> dict[str, np.ndarray]:
    """Which object of every triplet each network sets apart: int8 (n,), 2 = as people did; cosine similarity.

    The entry "people's dimensions" follows what people see in the pictures (dot product), as VICE in the paper.
    """
    triplets = source.triplets()

    def make():
        _, values = dimensions.dimensions(source)
        out = {PEOPLE: odd_one_out.choices(similarity_matrix(values, "dot"), triplets.triplets).astype(np.int8)}
        for part in source.features("things", (layer,), models, seeds):
            similarity = similarity_matrix(part.align(triplets.ids).values, "cosine")
            out[part.model] = odd_one_out.choices(similarity, triplets.triplets).astype(np.int8)
        return out

    parts = [source.state("things", models, seeds), [source.people("things").checksum], triplets.checksum, layer]
    found = kept(source.profile, f"choices-{layer}", VERSION, parts, make)
    known = list(source.networks()["model"])
    return {name: found[name] for name in [PEOPLE, *(m for m in known if m in found)]}


def _long(square: pd.DataFrame, measure: str, layer: str) -> pd.DataFrame:
    square = square.rename_axis("first").rename_axis("second", axis=1)
    return square.stack().rename("value").reset_index().assign(measure=measure, layer=layer)


def pairs_of_layer(source: Source, layer: str = "penultimate") -> pd.DataFrame:
    """:func:`pairs` at one layer."""
    triplets = source.triplets()

    def make():
        _, values = dimensions.dimensions(source)
        features = {PEOPLE: values}
        features |= {p.model: p.align(triplets.ids).values for p in source.features("things", (layer,))}
        same = measures.agreement(choices(source, layer))
        parts = {"agreement": same, "CKA": measures.cka_matrix(features)}
        parts |= {DEBIASED: measures.cka_matrix(features, debiased=True), NOISE: noise(features)}
        return pd.concat([_long(part, name, layer) for name, part in parts.items()], ignore_index=True)

    parts = [source.state("things"), [source.people("things").checksum], triplets.checksum, layer]
    return kept(source.profile, f"pairs-{layer}", PAIRS, parts, make)


def noise(features: dict) -> pd.DataFrame:
    """:func:`humalign.rsa.cka_of_noise` for the sizes of every pair of features, 1 on the diagonal."""
    (n,) = {len(x) for x in features.values()}
    sizes = np.array([x.shape[1] for x in features.values()])
    grid = rsa.cka_of_noise(n, sizes[:, None], sizes)
    np.fill_diagonal(grid, 1)
    return pd.DataFrame(grid, list(features), list(features))


def pairs(source: Source) -> pd.DataFrame:
    """Every pair of networks, both layers: share of equal choices ("agreement") and linear CKA of features ("CKA").

    CKA is the paper's, which grows with the number of features; beside it "CKA, debiased" and "CKA of random features",
    which is what the biased one gives for noise of the same sizes.

    Returns
    -------
    DataFrame
        first, second, value, measure, layer; "people's dimensions" among the networks.
    """
    return pd.concat([pairs_of_layer(source, layer) for layer in LAYERS])


def order(pairs: pd.DataFrame, models: pd.DataFrame) -> list[str]:
    """Rows of the heat maps: people first, then networks by training group and family.

    Parameters
    ----------
    pairs : DataFrame
        :func:`pairs`.
    models : DataFrame
        Facts.
    """
    names, facts = list(dict.fromkeys(pairs["first"])), models.set_index("model")
    place = {g: i for i, g in enumerate(style.order(facts["group"].unique()))}
    known = sorted((place[facts.loc[n, "group"]], facts.loc[n, "family"], n) for n in names if n in facts.index)
    return [n for n in names if n not in facts.index] + [n for *_, n in known]


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
        where = {"within": same, "between": other, "people": part["second"] == PEOPLE}
        means = {column: part.loc[rows_of, "value"].mean() for column, rows_of in where.items()}
        known = {"measure": measure, "layer": layer, "group": name, "networks": part["first"].nunique()}
        rows.append({**known, **means})
    return pd.DataFrame(rows)


# ---- failures and doubt ----------------------------------------------------------------------------------------------


def people_entropy(source: Source) -> np.ndarray:
    """Entropy (nats) of the probabilities with which people keep the pairs of each triplet: (n,)."""
    chances = source.people().probabilities
    if chances is None:
        how = "'humalign data where things/vice_probabilities'"
        raise MissingData("nobody says how sure people are", "things", how)
    return odd_one_out.entropy(chances)


def trained(choices: dict, models: pd.DataFrame) -> dict:
    """Choices of the trained networks only."""
    group = models.set_index("model")["group"]
    return {name: value for name, value in choices.items() if name in group.index and group[name] != "Untrained"}


def failures(choices: dict, entropy, models: pd.DataFrame) -> pd.DataFrame:
    """How many networks miss the human choice, triplet by triplet, counted.

    Parameters
    ----------
    choices : dict of str to int8 (n,)
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
    some = trained(choices, models)
    errors = np.stack([value != 2 for value in some.values()])
    wrong, k = errors.sum(0), len(errors)
    n = np.bincount(wrong, minlength=k + 1)
    expected = np.ones(1)
    for rate in errors.mean(1):
        expected = np.convolve(expected, [1 - rate, rate])
    with np.errstate(invalid="ignore"):
        mean = np.bincount(wrong, entropy, k + 1) / n
        known = np.bincount(wrong, choices[PEOPLE] == 2, k + 1) / n
    columns = {"wrong": np.arange(k + 1), "triplets": n, "share": n / n.sum(), "independent": expected}
    return pd.DataFrame({**columns, "entropy": mean, "dimensions": known})


def doubt(choices: dict, entropy, models: pd.DataFrame) -> pd.DataFrame:
    """Error by people's entropy, in the paper's bins of a tenth of a nat: network by network, with its group.

    Returns
    -------
    DataFrame
        model, group, low, high, n, error; empty bins left out.
    """
    table = measures.entropy_bins(choices, entropy)
    group = models.set_index("model")["group"]
    return table[table["n"] > 0].assign(group=lambda t: t["model"].map(group).fillna("People")).reset_index(drop=True)


def by_group(table: pd.DataFrame) -> pd.DataFrame:
    """Mean error of each training group in each bin of entropy."""
    return table.groupby(["group", "low", "high", "n"], as_index=False)["error"].mean()


def apart(source: Source, choices: dict, models: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Triplets that set two training groups apart: each unanimous, and not of one mind with the other.

    Returns
    -------
    DataFrame
        triplet (row), kind ("first right, second wrong" ...), first_choice, second_choice, entropy (people's, nats),
        a, b, odd (ids; ``odd`` is what people set apart), dimension (of people, that the triplet rests on).
    """
    members = {g: [m for m in choices if m in set(models.loc[models["group"] == g, "model"])] for g in (first, second)}
    for group, names in members.items():
        if not names:
            raise MissingData("has no network with features here", f"training group {group}", "humalign plan")
    triplets = source.triplets()
    table = measures.contrast(choices, members[first], members[second])
    names, values = dimensions.dimensions(source)
    rows = triplets.triplets[table["triplet"]]
    ids = np.asarray(triplets.ids)[rows]
    about = np.asarray(names)[measures.attribute(rows, values)] if len(rows) else np.array([], object)
    shown = dict(zip(("a", "b", "odd"), ids.T))
    return table.assign(entropy=people_entropy(source)[table["triplet"]], **shown, dimension=about)


def clearest(apart: pd.DataFrame, kinds=KINDS) -> pd.DataFrame:
    """Of each kind the triplets about which people are surest, no concept twice; ``kinds``: kind to how many."""
    out = []
    for kind, n in kinds.items():
        used: set[str] = set()
        for row in apart[apart["kind"] == kind].sort_values(["entropy", "triplet"], kind="stable").to_dict("records"):
            concepts = {row[c].partition("/")[0] for c in ("a", "b", "odd")}
            if n and len(concepts) == 3 and not concepts & used:
                out.append(row)
                used |= concepts
                n -= 1
    return pd.DataFrame(out, columns=apart.columns)


# ---- maps ------------------------------------------------------------------------------------------------------------


def maps(source: Source, models, layer: str = "penultimate") -> pd.DataFrame:
    """t-SNE maps of the pictures: people's dimensions and some networks (cosine, random start, seed 0, as the paper).

    Returns
    -------
    DataFrame
        model, id, x, y, superordinate, category (of the paper's colours; "other" else).
    """
    triplets = source.triplets()
    wanted = [m for m in models if m in source.models("things")]
    above, category = categories(source, triplets.ids)

    def make():
        from sklearn.manifold import TSNE

        _, values = dimensions.dimensions(source)
        features = {PEOPLE: values}
        if wanted:
            features |= {p.model: p.align(triplets.ids).values for p in source.features("things", (layer,), wanted)}
        rows = []
        for name, x in features.items():
            settings = {"metric": "cosine", "init": "random", "random_state": 0, "max_iter": 1000}
            near = min(30.0, (len(x) - 1) / 3)  # scikit-learn's default, less where so many neighbours do not exist
            place = TSNE(perplexity=near, **settings).fit_transform(np.asarray(x, np.float32))
            columns = {"model": name, "id": triplets.ids, "x": place[:, 0], "y": place[:, 1]}
            rows.append(pd.DataFrame({**columns, "superordinate": above, "category": category}))
        return pd.concat(rows, ignore_index=True)

    parts = [source.state("things", wanted) if wanted else [], triplets.checksum, wanted, layer]
    parts += [[source.people("things").checksum], category]
    return kept(source.profile, "maps", VERSION, parts, make)


def categories(source: Source, ids) -> tuple[list[str], list[str]]:
    """Category of each object, and its category in the paper's colours ("other" where none or several apply).

    Where pictures or their categories are not at hand, "other" for all.
    """
    try:
        about = source.pictures("things").align(ids).meta
    except MissingData:
        about = {}
    kind = about.get("kind", [""] * len(ids))
    narrower = {name: top for top, names in TOP.items() for name in names}

    def colour(names) -> str:
        found = {name for name in names if name in TOP} or {narrower[name] for name in names if name in narrower}
        return found.pop() if len(found) == 1 else "other"

    return [name or "other" for name in kind], [colour(names) for names in about.get("kinds", [(k,) for k in kind])]


# ---- layer by layer -------------------------------------------------------------------------------------------------


def of_layers(features, triplets, **common) -> Measured:
    """Zero-shot accuracy (cosine) of each layer of one network, in the order of depth.

    As :func:`humalign.chapters.zero_shot.of_features`, at the stage "layers", detail = number of the layer, from 1.
    """
    found = zero_shot.of_features(features, triplets, ("cosine",), **common)
    number = {part.layer: str(k) for k, part in enumerate(features, 1)}
    return Measured(found.table.assign(stage=ALONG, detail=found.table["layer"].map(number)), found.draws)


def along_depth(source: Source, wanted=()) -> Measured:
    """:func:`of_layers` for networks in all layers that can be had, network by network kept in the cache.

    Parameters
    ----------
    source : Source
    wanted : sequence of str
        Networks. Of these, those that have layers between input and penultimate; all such networks, where none of them
        has; and always the reader's own.

    Raises
    ------
    MissingData
        When no network has such layers.
    """
    facts = source.networks()
    yours = list(facts.loc[facts["group"] == YOURS, "model"])
    chosen = between(source, [*wanted, *yours]) if between(source, wanted) else between(source)
    if not chosen:
        told = f"no network has layers between input and penultimate for the pictures of {source.shown('things')}"
        raise MissingData(told, Path(source.root or "") / shards.FOLDER, command(source))
    return combine(*(networks.measure(source, "things", of_layers, VERSION, name=ALONG, layers=layers, models=[model])
                     for model, layers in chosen.items()))  # fmt: skip


def between(source: Source, wanted=None) -> dict[str, tuple[str, ...]]:
    """All layers of networks that have more than penultimate and logits, in the order of depth.

    Parameters
    ----------
    source : Source
    wanted : sequence of str, optional
        In their order; default: all at hand.
    """
    here = source.models("things")
    found = {m: source.layers("things", m) for m in (here if wanted is None else wanted) if m in here}
    return {model: layers for model, layers in found.items() if set(layers) - set(LAYERS)}


def command(source: Source, model: str | None = None) -> str:
    """The command that extracts the stages of a network, with penultimate layer and logits.

    Parameters
    ----------
    source : Source
    model : str, optional
        Default: the first network with public weights whose features are there, so that nothing else has to be
        downloaded; else ResNet-18.
    """
    from .. import zoo
    from ..data import registry
    from ..features import stages

    known = zoo.table("full").set_index("model")
    public = known.index[known["public"].astype(str).eq("True") & known["loader"].astype(bool)]
    model = model or next((m for m in source.models("things") if m in public), EXAMPLE)
    pictures = source.shown("things")
    options = [shards.command(model, pictures, layers=" ".join(stages.stages_of(model)))]
    if source.root and (shards.place(source.root, model, pictures) / shards.MANIFEST).is_file():
        options.append("--restart")  # one folder holds what one run made
    if source.root and registry.rehearsal(source.root):
        options.append("--untrained")
    return " ".join(options)


# ---- the public files ------------------------------------------------------------------------------------------------


COMPARED = ("things/clip_vit_b32", "things/word2vec", "things/vice_42", "things/spose_49")
PUBLIC_NAMES = {name: things_files.NAMES[name] for name in COMPARED} | {"people": "people"}
PUBLIC_FILES = frozenset({*COMPARED, *things_files.TEST_SETS, things_files.TRAINING, things_files.CONCEPTS})


def _tables(source: Source) -> dict:
    """Agreement and CKA of CLIP, word2vec, VICE and SPoSE, with people, on both repeated test sets."""
    parts = [source.published(name) for name in things_files.TEST_SETS]
    triplets = joined(parts, things_files.object_ids(source), "both test sets")
    kernels = {name: things_files.kernel_of(NETWORKS[name]) for name in COMPARED}
    values = {name: source.published(name).align(triplets.ids).values for name in kernels}
    found = {name: odd_one_out.choices(similarity_matrix(values[name], kernel), triplets.triplets)
             for name, kernel in kernels.items()}  # fmt: skip
    found["people"] = np.full(len(triplets), 2)
    names = list(found)
    both = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    same = np.stack([found[a] == found[b] for a, b in both])
    mean, drawn = resample.triplet_means(same, triplets.triplets, triplets.concepts)
    rows = [{"model": a, "detail": b, "measure": "agreement", "value": v} for (a, b), v in zip(both, mean)]
    table = Measured.of(rows, drawn, profile="slice", dataset="things/testset1 and 2", n=len(triplets)).table
    forms = {"CKA": measures.cka_matrix(values), DEBIASED: measures.cka_matrix(values, debiased=True)}
    forms[NOISE] = noise(values)
    more = [{"model": a, "detail": b, "measure": form, "value": found.loc[a, b]}
            for form, found in forms.items() for a, b in both if "people" not in (a, b)]  # fmt: skip
    common = {"profile": "slice", "dataset": f"{len(triplets.ids):,} concepts", "n": len(triplets.ids)}
    return {"pairs": pd.concat([table, results.table(more, **common)], ignore_index=True)}


# version 2: rows of CLIP by their right names; 3: debiased CKA and that of random features
PUBLIC = record.Study("slice_comparison", PUBLIC_FILES, ("pairs",), 3, _tables)


# ---- tables ----------------------------------------------------------------------------------------------------------


def names(models: pd.DataFrame) -> dict[str, str]:
    """Name for readers of each network, and of people's dimensions."""
    return networks.names(models) | {PEOPLE: PEOPLE}


def numbers(pairs: pd.DataFrame) -> dict:
    """Numbers for the prose: mean agreement of two networks, and of a network with people; key to number.

    Parameters
    ----------
    pairs : DataFrame
        :func:`pairs`; the penultimate layer and each pair of different networks once count.
    """
    once = (pairs["layer"] == "penultimate") & (pairs["measure"] == "agreement") & (pairs["first"] < pairs["second"])
    people = (pairs["first"] == PEOPLE) | (pairs["second"] == PEOPLE)
    return {
        "cmp_agreement": show.number(pairs.loc[once & ~people, "value"].mean()),
        "cmp_agreement_people": show.number(pairs.loc[once & people, "value"].mean()),
    }


def numbers_of_failures(wrong: pd.DataFrame) -> dict:
    """Numbers for the prose: triplets that all trained networks miss, or none; key to number.

    Parameters
    ----------
    wrong : DataFrame
        :func:`failures`: first row none, last row all.
    """
    none, every = wrong.iloc[0], wrong.iloc[-1]
    expected = 100 * every["independent"]
    shown = expected if expected >= SMALL else f"less than {SMALL:.4f}"
    return {
        "cmp_all": show.number(100 * every["share"], digits=1, unit=" %"),
        "cmp_all_n": show.number(int(every["triplets"])),
        "cmp_all_expected": show.number(shown, digits=4, unit=" %"),
        "cmp_none": show.number(100 * none["share"], digits=1, unit=" %"),
        "cmp_known": show.number(100 * every["dimensions"], digits=0, unit=" %"),
        "cmp_networks": show.number(int(wrong["wrong"].max())),
    }


def pictures(source: Source, chosen: pd.DataFrame, size: int) -> dict[str, np.ndarray]:
    """Pictures of the objects of some triplets (columns a, b, odd), by id: uint8 (size, size, 3)."""
    return source.seen("things", pd.unique(chosen[["a", "b", "odd"]].to_numpy().ravel()), size)


def apart_table(apart: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """How many triplets set two training groups apart, kind by kind, and the dimensions that they rest on most often.

    Parameters
    ----------
    apart : DataFrame
        kind, dimension; one row a triplet.
    first, second : str
        The groups.
    """
    kinds = {kind: kind.replace("first", "{0}").replace("second", "{1}").format(first, second) for kind in KINDS}
    found = apart.groupby("kind")["dimension"]
    top = found.agg(lambda part: ", ".join(part.value_counts().index[:4])).reindex(list(kinds)).fillna("")
    counts = found.size().reindex(list(kinds), fill_value=0)
    columns = {"triplets": counts.to_numpy(), "most frequent dimensions": top.to_numpy()}
    return pd.DataFrame({"kind": list(kinds.values()), **columns})


def public_table(public: Tables) -> pd.DataFrame:
    """Agreement and CKA of models and people on the public files, one row a pair."""
    rows = public["pairs"].rename(columns={"model": "first", "detail": "second"})
    rows = rows.assign(provenance=public.provenance, **{c: rows[c].map(PUBLIC_NAMES) for c in ("first", "second")})
    return rows[["first", "second", "measure", "value", "low", "high", "provenance"]]
