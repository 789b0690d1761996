"""The networks of a profile: their facts, their features for the pictures of a data set, their results as points."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import resample
from ..cache import kept
from ..config import Profile
from ..data.types import Features
from ..errors import InputError, MissingData
from ..results import Measured, combine, farthest
from ..store import read_json
from . import feature_store, sources

LAYERS = ("penultimate", "logits")
VERSION = 1  # of the features of the drawn world: goes up when their numbers change
OBJECTIVES = {  # names in zoo.toml: as printed, and as the claims name them
    "extra l2": "Extra L2",
    "simclr": "SimCLR",
    "barlow twins": "Barlow Twins",
    "vicreg": "VICReg",
    "swav": "SwAV",
    "moco v2": "MoCo v2",
    "rotnet": "RotNet",
    "image/text": "Image/text",
    "none": "none",
}
AUGMENTATIONS = {"standard": "", "mixup": "MixUp", "automatic": "Automatic augmentation"}


# ---- facts -----------------------------------------------------------------------------------------------------------


def facts(profile: Profile) -> pd.DataFrame:
    """One row a network.

    Returns
    -------
    DataFrame
        number (order of the table), model, name, family, size, group, palette, role, objective, augmentation,
        parameters, training_data, reference_accuracy (share, of a linear probe on pictures of all concepts), seeds,
        source, public, stand_in.

    Notes
    -----
    ``role`` says in which comparisons a network takes part: "objective" (one architecture, one label per image),
    "architecture" and "size" (plain softmax, one label per image, equal settings), "labels" (the same
    architectures with one label per image and with other label sets, softmax or sigmoid). In the full profile it stands
    in the table, and ``reference_accuracy`` is ImageNet top-1 (share).
    """
    if profile.name != "mini":
        return _published(profile)
    from ..world import networks as zoo

    return describe(zoo.table())


def _published(profile: Profile) -> pd.DataFrame:
    """Facts of the networks of both papers, from the table of :mod:`humalign.zoo`."""
    from .. import zoo

    table = zoo.table(profile)
    table["reference_accuracy"] = table["reference_accuracy"] / 100
    for column in ("role", "augmentation", "objective", "family"):
        table[column] = table[column].fillna("")
    return table.assign(palette=table["group"], size="", arch=table["family"], number=np.arange(1, len(table) + 1))


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """Facts of the mini zoo as the claims and figures name them, from the table of :mod:`humalign.world.networks`."""
    table = table.reset_index(drop=True).copy()
    table["objective"] = table["objective"].map(lambda o: OBJECTIVES.get(str(o), str(o)[:1].upper() + str(o)[1:]))
    table["augmentation"] = table["augmentation"].map(lambda a: AUGMENTATIONS.get(str(a), str(a))).fillna("")
    if "role" not in table:
        table["role"] = roles(table)
    table["number"] = np.arange(1, len(table) + 1)
    return table


def roles(table: pd.DataFrame, base: str = "resnet-m") -> list[str]:
    """Comparisons that each network takes part in, from what it was trained on and how.

    Parameters
    ----------
    table : DataFrame
        arch, size, group, objective, augmentation, family.
    base : str
        The architecture that objectives are compared on.
    """
    one_label = (table["group"] == "Concept labels") & (table["augmentation"] == "")
    plain = one_label & (table["objective"] == "Softmax")
    sizes = table[plain].groupby("family")["size"].nunique()
    other_labels = table["group"].isin(["Coarse labels", "Taxonomy labels", "Web labels"])
    both = set(table["arch"][other_labels])
    out = []
    for k, row in enumerate(table.itertuples()):
        found = []
        if row.arch == base and row.group == "Concept labels":
            found.append("objective")
        if plain[k] and row.size == "m":
            found.append("architecture")
        if plain[k] and sizes.get(row.family, 0) > 1:
            found.append("size")
        if row.arch in both and (other_labels[k] or (one_label[k] and row.objective in ("Softmax", "Sigmoid"))):
            found.append("labels")
        out.append(" ".join(found))
    return out


def trained(profile: Profile, seed: int = 0) -> list[str]:
    """Networks at hand: with weights of one training run (mini) or features (full), in the order of the table."""
    if profile.name != "mini":
        return feature_store.models(profile) if profile.name == "full" and seed == 0 else []
    from ..world import networks as zoo

    found = []
    for name in facts(profile)["model"]:
        try:
            zoo.weights_path(name, seed, profile)
        except MissingData:
            continue
        found.append(name)
    return found


def chosen(profile: Profile, models=None, seeds=(0,)) -> list[tuple[str, int]]:
    """The training runs that a study covers: (network, seed) pairs.

    Raises
    ------
    InputError
        When none is at hand.
    """
    runs = [(m, s) for s in seeds for m in trained(profile, s) if models is None or m in models]
    if not runs and profile.name != "mini":
        raise MissingData(
            "there are no features of " + ("any network" if models is None else ", ".join(map(str, models))),
            f"profile {profile.name}",
            "'humalign plan --profile full' lists networks, costs and commands",
        )
    if not runs:
        raise InputError(
            f"no weights are at hand (seeds {', '.join(map(str, seeds))})", "mini zoo", "humalign world train NAME"
        )
    return runs


def state(profile: Profile, seeds=(0,), models=None) -> list:
    """What the features depend on, for cache keys: checksum of the weights of each run, and their version."""
    if profile.name != "mini":
        return [feature_store.state(profile, models)]
    from ..world import networks as zoo

    sums = []
    for name, seed in chosen(profile, models, seeds):
        path = zoo.weights_path(name, seed, profile)
        sums.append([name, seed, read_json(path.with_name(path.name + ".json"))["sha256"]])
    return [sums, VERSION]


# ---- features --------------------------------------------------------------------------------------------------------


def iterate(profile: Profile, dataset: str, layers=LAYERS, models=None, seeds=(0,)) -> Iterator[Features]:
    """Features of one network after the other, for the pictures of a data set.

    Parameters
    ----------
    profile : Profile
    dataset : str
        "things", "things-permuted", "coarse", "cichy", "king1", "king2", or a split such as "test".
    layers : tuple of str
        Layers that a network does not have are left out.
    models, seeds
        As in :func:`chosen`.

    Raises
    ------
    MissingData
        In the full profile, when the feature store holds nothing for these pictures.
    """
    if profile.name != "mini":
        yield from feature_store.iterate(profile, dataset, layers, models if 0 in seeds else ())
        return
    from ..world import networks as zoo
    from ..world import stimuli

    split, runs = sources.split(dataset), chosen(profile, models, seeds)
    pictures = None

    def images():
        nonlocal pictures
        if pictures is None:
            pictures = stimuli.images(split, zoo.SIDE, profile)
        return pictures

    ids, drawn = stimuli.split_ids(split), stimuli.drawings_digest()
    for name, seed in tqdm(runs, desc=f"features of {split}", unit="network", leave=False):
        path = zoo.weights_path(name, seed, profile)
        weights = read_json(path.with_name(path.name + ".json"))["sha256"]

        def make(name=name, seed=seed):
            network = zoo.load(name, seed, profile)
            return {layer: zoo.features(network, images().images, layer) for layer in LAYERS if hasattr(network, layer)}

        arrays = kept(profile, f"features-{name}.s{seed}-{split}", VERSION, [weights, drawn, ids], make)
        for layer in layers:
            if layer in arrays:
                meta = {"seed": seed, "weights": weights}
                yield Features(
                    ids, arrays[layer], name, layer, stimuli.SOURCE, stimuli.LICENCE, f"{name} {layer}", meta
                )


def features(profile: Profile, dataset: str, layers=LAYERS, models=None, seeds=(0,)) -> list[Features]:
    """Features of all networks for the pictures of a data set; see :func:`iterate`."""
    return list(iterate(profile, dataset, layers, models, seeds))


def descriptions(profile: Profile, dataset: str, ids) -> dict[str, np.ndarray]:
    """Simple descriptions of the pictures of a data set, for reference: name to centred values (m, d).

    Pixels and colour histogram know nothing of what is shown; the category (one-hot superordinate) and people's own
    dimensions know all. In the full profile: the first two, and for THINGS the category (27 high-level categories of
    its authors) where that file is at hand.
    """
    if profile.name != "mini":
        return _real_descriptions(profile, dataset, ids)
    from ..world import observers, stimuli
    from ..world.drawing import world
    from ..world.rules import baselines

    pictures = stimuli.images(sources.split(dataset), 32, profile).align(ids)
    found = baselines(pictures.images)
    category = [world().superordinate[c] for c in pictures.concepts]
    onehot = (np.asarray(category)[:, None] == np.array(sorted(set(category)))).astype(np.float32)
    made = {"pixels": found["pixels"], "colour histogram": found["colour histogram"], "category": onehot}
    made = {name: values - values.mean(0) for name, values in made.items()}
    return {**made, "people's dimensions": observers.values(ids)}


def _real_descriptions(profile: Profile, dataset: str, ids) -> dict[str, np.ndarray]:
    from ..data import registry
    from ..world.rules import baselines

    pictures = registry.load(sources.pictures(dataset), profile).align(ids)
    found = baselines(_thumbnails(pictures.images, 32))
    made = {name: found[name] for name in ("pixels", "colour histogram")}
    if dataset.startswith("things") and "things/categories_27" in registry.available(profile):
        made["category"] = registry.load("things/categories_27", profile).loc[list(ids)].to_numpy(np.float32)
    return {name: values - values.mean(0) for name, values in made.items()}


def _thumbnails(images, side: int) -> np.ndarray:
    """Pictures as uint8 (m, side, side, 3), area-reduced."""
    from PIL import Image

    out = np.empty((len(images), side, side, 3), np.uint8)
    for row, image in enumerate(images):
        with Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(image) as picture:
            out[row] = np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BOX))
    return out


# ---- results of all training runs ------------------------------------------------------------------------------------


def recorded_path() -> Path:
    """Results of further training runs that come with the package."""
    return Path(str(resources.files("humalign").joinpath("recorded", "mini_seeds.csv")))


@lru_cache(maxsize=1)
def recorded() -> Measured | None:
    """Results of further training runs, recorded by ``humalign record --profile mini``; None without them."""
    return Measured.load(recorded_path(), "recorded") if recorded_path().is_file() else None


KEY = ["dataset", "stage", "measure", "detail", "layer"]


def with_recorded(live: Measured) -> Measured:
    """Live results joined by the recorded ones of other training runs of the same networks, for the same measures."""
    other = recorded()
    if other is None:
        return live
    wanted = set(live.table[KEY].itertuples(index=False, name=None))
    have = set(zip(live.table["model"], live.table["seed"]))
    models = set(live.table["model"])
    keep_rows = [
        key in wanted and model in models and (model, seed) not in have
        for key, model, seed in zip(
            other.table[KEY].itertuples(index=False, name=None), other.table["model"], other.table["seed"]
        )
    ]
    other = other.select(np.array(keep_rows, bool))
    return combine(live, other) if len(other.table) else live


def points(measured: Measured, models: pd.DataFrame, layer: str = "best", **where) -> pd.DataFrame:
    """One row a network for a figure: facts, value (mean over training runs), 95 % interval over concepts and runs.

    Parameters
    ----------
    measured : Measured
    models : DataFrame
        :func:`facts`.
    layer : str
        "penultimate", "logits", or "best": the one with the larger value, network by network (the paper's rule).
    **where
        Columns of the result table and the value wanted, for instance ``dataset="things", detail="cosine"``.

    Returns
    -------
    DataFrame
        Facts, dataset, stage, measure, detail, layer, value, low, high, runs (how many training runs), each (the value
        of every run, in words), provenance (of several the one farthest from live); in the order of the facts.
    """
    mask = np.ones(len(measured.table), bool)
    for column, value in where.items():
        mask &= (measured.table[column] == value).to_numpy()
    part = measured.select(mask)
    cells = resample.networks(part, models, layer)
    if not len(cells.value) and len(measured.table) and measured.table["profile"].iloc[0] != "mini":
        asked = ", ".join(f"{key} {value}" for key, value in {**where, "layer": layer}.items())
        raise MissingData("nothing was measured", asked, "'humalign plan --profile full' says what is missing")
    low, high = resample.interval(cells.draws) if len(cells.draws) else (np.empty(0), np.empty(0))
    out = cells.facts.assign(value=cells.value, low=low, high=high)
    rows = part.table if layer in ("", "best") else part.table[part.table["layer"] == layer]
    means = rows.groupby(["model", "layer"], sort=False)["value"].mean()
    used = {m: means[m].idxmax() if layer == "best" else layer for m in out["model"]}
    out["layer"] = out["model"].map(used)
    own = rows if layer == "" else rows[rows["layer"] == rows["model"].map(used)]
    own = own.sort_values("seed", kind="stable").groupby("model")
    out["each"] = out["model"].map(own["value"].agg(lambda v: " ".join(f"{x:.4f}" for x in v)))
    out["provenance"] = out["model"].map(own["provenance"].agg(farthest))
    for column in ("dataset", "stage", "measure", "detail"):
        out[column] = where.get(column, "")
    return out.sort_values("number").reset_index(drop=True)
