"""Odd-one-out accuracy along the depth of networks: of the drawn world by forward passes, else from the store."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from .. import odd_one_out, resample
from ..cache import kept
from ..chapters import networks, zero_shot
from ..config import Profile
from ..data import registry
from ..errors import MissingData
from ..results import Measured, combine
from ..similarity import similarity_matrix
from ..source import open_source
from . import comparison

DATASET, STAGE = "things", "layers"
VERSION = 1  # of the tables that are kept: goes up when their numbers change
BLOCKS = ("Block", "Bottleneck", "InvertedResidual", "DepthwiseSeparableConv")  # ends of the names of their classes
EXAMPLE = "resnet18"  # named by the remedy where no features are there at all


def by_layer(profile: Profile, models) -> Measured:
    """Zero-shot accuracy (cosine) along the depth of some networks.

    In the drawn world after every block, maps and tokens averaged over positions. In the full profile in all layers
    that lie in the feature store, in order of depth (:func:`humalign.features.shards.layers`).

    Parameters
    ----------
    profile : Profile
    models : sequence of str
        See :func:`chosen`.

    Returns
    -------
    Measured
        Data set "things", stage "layers", detail = number of the layer, from 1; layer = its name.

    Raises
    ------
    MissingData
        In the full profile, when the store has no layers between for any of these networks.
    """
    return _drawn(profile, models) if profile.name == "mini" else _stored(profile, models)


def chosen(profile: Profile, wanted) -> list[str]:
    """The networks to show: in the drawn world the wanted ones, with examples of groups for those not at hand; else the
    wanted ones of :func:`at_hand`, or all of them where none is."""
    if profile.name == "mini":
        return comparison.examples(networks.facts(profile), profile, wanted)
    here = at_hand(profile)
    return [m for m in wanted if m in here] or list(here)


# ---- the drawn world -------------------------------------------------------------------------------------------------


def blocks(model) -> list[str]:
    """Layer specifications from input to output: every outermost block of layers, else every convolution."""
    modules = [(name, type(module).__name__) for name, module in model.module.named_modules()]
    found = [name for name, kind in modules if kind.endswith(BLOCKS)]
    names = [n for n in found if not any(n.startswith(f"{other}.") for other in found)]
    if not names:
        names = [n for n, kind in modules if n.startswith("encoder") and kind in ("Conv2d", "Linear")]
    return [*(f"{n}:gap" for n in names), *model.layers]


def _drawn(profile: Profile, models) -> Measured:
    triplets = networks.source(profile).triplets()
    wanted = [m for m in models if m in networks.source(profile).models("things")]

    def make():
        from ..features import extract
        from ..world import stimuli
        from ..zoo import small

        pictures = stimuli.images("things", small.SIDE, profile).align(triplets.ids)
        rows, right = [], []
        for name in tqdm(wanted, desc="layers", unit="network", leave=False):
            model = small.load(name, profile=profile)
            layers = blocks(model)
            found = extract(model, pictures, layers, device="cpu", progress=False)
            for k, layer in enumerate(layers):
                similarity = similarity_matrix(found[layer].values, "cosine")
                rows.append({"model": name, "layer": layer, "detail": str(k + 1), "n": len(triplets)})
                right.append(odd_one_out.scores(similarity, triplets.triplets) == 1)
        value, drawn = resample.triplet_means(np.stack(right), triplets.triplets, triplets.concepts)
        rows = [{**r, "value": v} for r, v in zip(rows, value)]
        return Measured.of(rows, drawn, profile=profile.name, dataset=DATASET, stage=STAGE, measure="accuracy")

    parts = [networks.source(profile).state("things", wanted), triplets.checksum, wanted]
    return kept(profile, "layers", VERSION, parts, make)


# ---- the feature store -----------------------------------------------------------------------------------------------


def at_hand(profile: Profile) -> dict[str, list[str]]:
    """Networks whose features for THINGS hold more than penultimate and logits: all their layers, in order of depth."""
    from ..features import shards

    source = open_source(profile)
    found = {m: shards.layers(source.stored(DATASET, m)) for m in source.models(DATASET) if source.stored(DATASET, m)}
    return {model: layers for model, layers in found.items() if set(layers) - set(networks.LAYERS)}


def none_found(profile: Profile) -> MissingData:
    """The error for a store without layers between; it names the command for one network."""
    from ..features import shards

    pictures = open_source(profile).shown(DATASET)
    return MissingData(
        f"no network has layers between input and penultimate for the pictures of {pictures}",
        profile.data / shards.FOLDER if profile.data else "data folder",
        command(profile),
    )


def command(profile: Profile, model: str | None = None) -> str:
    """The command that extracts the stages of a network, with penultimate layer and logits.

    Parameters
    ----------
    profile : Profile
    model : str, optional
        Default: the first network with public weights whose features are there, so that nothing else has to be
        downloaded; else ResNet-18.
    """
    from ..features import shards, stages

    facts = networks.facts(profile).set_index("model")
    public = facts.index[facts["public"].astype(str).eq("True") & facts["loader"].astype(bool)]
    source = open_source(profile)
    here = [m for m in source.models(DATASET) if m in public]
    model = model or next(iter(here), EXAMPLE)
    pictures = source.shown(DATASET)
    options = [shards.command(model, pictures, layers=" ".join(stages.stages_of(model)))]
    if profile.data and (shards.place(profile.data, model, pictures) / shards.MANIFEST).is_file():
        options.append("--restart")  # one folder holds what one run made
    if profile.data and registry.rehearsal(profile.data):
        options.append("--untrained")
    return " ".join(options)


def _stored(profile: Profile, models) -> Measured:
    triplets, here = networks.source(profile).triplets(), at_hand(profile)
    wanted = [m for m in models if m in here]
    if not wanted:
        raise none_found(profile)
    bar = tqdm(wanted, desc="layers", unit="network", leave=False)
    return combine(*(_of_network(profile, model, here[model], triplets) for model in bar))


def _of_network(profile: Profile, model: str, layers, triplets) -> Measured:
    from ..features import shards

    source = networks.source(profile)
    path = source.stored(DATASET, model)

    def make():
        rows, right = [], []
        for k, layer in enumerate(layers):
            found = shards.read(path, layer, ids=triplets.ids, verify=k == 0)
            rows.append({"model": model, "layer": layer, "detail": str(k + 1), "n": len(triplets)})
            right.append(zero_shot.right(found, triplets))
        value, drawn = resample.triplet_means(np.stack(right), triplets.triplets, triplets.concepts)
        rows = [{**r, "value": v} for r, v in zip(rows, value)]
        return Measured.of(rows, drawn, profile=profile.name, dataset=DATASET, stage=STAGE, measure="accuracy")

    parts = [source.state(DATASET, [model]), layers, triplets.checksum]
    return kept(profile, f"layers-{model}", VERSION, parts, make)
