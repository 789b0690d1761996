"""The networks of a profile: their facts, their features for the pictures of a data set, their results as points."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..claims import Cells
from ..config import Profile
from ..data.types import Features
from ..errors import InputError, MissingData
from ..measured import Measured, combine
from ..results import farthest
from . import feature_store, keep, sources

LAYERS = ("penultimate", "logits")


# ---- facts -----------------------------------------------------------------------------------------------------------


def facts(profile: Profile) -> pd.DataFrame:
    """One row a network, the same columns in every profile: :func:`humalign.zoo.table`."""
    from .. import zoo

    return zoo.table(profile)


def trained(profile: Profile, seed: int = 0) -> list[str]:
    """Networks at hand: with weights of one training run (mini) or features (full), in the order of the table."""
    if profile.name != "mini":
        return feature_store.models(profile) if profile.name == "full" and seed == 0 else []
    from ..zoo import small

    found = []
    for name in facts(profile)["model"]:
        try:
            small.weights_path(name, seed, profile)
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
    """What the features depend on, for cache keys: checksum of the weights of each run, and the code."""
    if profile.name != "mini":
        return [feature_store.state(profile, models), keep.code("studies.feature_store")]
    from ..zoo import small

    sums = [[name, seed, small.facts(name, seed, profile)["sha256"]] for name, seed in chosen(profile, models, seeds)]
    return [sums, keep.code("zoo.small")]


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
    from ..features import extract
    from ..world import stimuli
    from ..zoo import small

    split, runs = sources.split(dataset), chosen(profile, models, seeds)
    source, pictures = keep.code("zoo.small"), None

    def images():
        nonlocal pictures
        if pictures is None:
            pictures = stimuli.images(split, small.SIDE, profile)
        return pictures

    ids, drawn = stimuli.split_ids(split), stimuli.drawings_digest()
    folder = profile.cache / "features"
    for name, seed in tqdm(runs, desc=f"features of {split}", unit="network", leave=False):
        weights = small.facts(name, seed, profile)["sha256"]

        def make(name=name, seed=seed):
            model = small.load(name, seed, profile=profile)
            found = extract(model, images(), model.layers, device="cpu", progress=False)
            return {layer: part.values for layer, part in found.items()}

        with keep.lock(folder / f".{split}.lock"):
            arrays = keep.cached(folder, f"{name}.s{seed}-{split}", [weights, source, drawn, ids], make)
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
    cells = Cells(part, models, layer)
    if not len(cells.value) and len(measured.table) and measured.table["profile"].iloc[0] != "mini":
        asked = ", ".join(f"{key} {value}" for key, value in {**where, "layer": layer}.items())
        raise MissingData("nothing was measured", asked, "'humalign plan --profile full' says what is missing")
    from ..measured import interval

    low, high = interval(cells.draws) if len(cells.draws) else (np.empty(0), np.empty(0))
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
