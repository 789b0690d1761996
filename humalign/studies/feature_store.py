"""The feature store of the full profile: ``features/MODEL/DATASET`` under the data folder, and what lies in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..config import Profile
from ..data import registry
from ..data.types import Features
from ..errors import InputError, MissingData
from ..features import shards
from ..store import digest, read_json
from . import sources

FOLDER = "features"
FILES = (".safetensors", ".npz", ".npy", ".h5", ".hdf5")  # features of others, with their ids


def place(root, model: str, pictures: str) -> Path:
    """Where the features of a network for the pictures of a data set lie: a folder, or a file with an ending."""
    return Path(root) / FOLDER / model / pictures


def find(profile: Profile, model: str, dataset: str) -> Path | None:
    """The features of a network for the pictures of a data set, or None.

    Parameters
    ----------
    profile : Profile
    model : str
        Key of the network table.
    dataset : str
        Name in the studies, such as "things".
    """
    if profile.data is None:
        return None
    path = place(profile.data, model, sources.pictures(dataset))
    if (path / shards.MANIFEST).is_file():
        return path
    return next((p for end in FILES if (p := path.with_name(path.name + end)).is_file()), None)


def command(model: str, pictures: str, logits: bool = True, gpus: int = 1, layers: str = "") -> str:
    """The command that makes the features of a network for the pictures of a data set.

    Parameters
    ----------
    model, pictures : str
    logits : bool
        Whether the network has such a layer.
    gpus : int
        More than one: by torchrun.
    layers : str
        Names of the layers to extract, separated by blanks (default: penultimate, and logits where there are any).
    """
    start = f"torchrun --nproc-per-node {gpus} -m humalign" if gpus > 1 else "humalign"
    layers = layers or ("penultimate logits" if logits else "penultimate")
    return (
        f"{start} extract {model} --dataset {pictures} --layers {layers} --bf16"
        f" --profile full --out $HUMALIGN_DATA/{FOLDER}/{model}/{pictures}"
    )


@lru_cache(maxsize=4)
def _table():
    from .. import zoo

    table = zoo.table("full")
    return dict(zip(table["model"], table["group"]))


def about(path: Path) -> dict:
    """What is known of features without reading them: weights, layers, digest."""
    path = Path(path)
    if path.is_dir():
        found = shards.manifest(path)
        return {
            "weights": found["weights"],
            "layers": list(found["layers"]),
            "digest": digest([found[k] for k in ("weights_digest", "preprocess", "layers", "dtype", "ids_digest")]),
        }
    side = path.with_name(path.name + ".json")
    said = read_json(side).get("manifest", {}) if side.is_file() else {}
    state = path.stat()
    return {
        "weights": said.get("weights", "as their owner says"),
        "layers": list(said.get("layers", ())),
        "digest": digest([path.name, state.st_size, state.st_mtime_ns]),
    }


def refused(profile: Profile, dataset: str) -> list[str]:
    """Networks whose features are there but are not used, with the reason."""
    found = {m: p for m in _table() if (p := find(profile, m, dataset))}
    return [f"{m} ({why})" for m, p in found.items() if (why := unusable(profile, m, p))]


def unusable(profile: Profile, model: str, path: Path) -> str:
    """Why features do not count: an extraction that is not finished, or random weights under the name of a trained
    network (allowed in a rehearsal); "" where they count."""
    if path.is_dir():
        found = shards.manifest(path)
        count = -(-found["n"] // found["shard_size"])
        if not all(shards.shard_path(path, k).with_suffix(".safetensors.json").is_file() for k in range(count)):
            return "extraction not finished"
    if about(path)["weights"].startswith("untrained") and _table()[model] != "Untrained":
        return "" if registry.rehearsal(profile.data) else "random weights"
    return ""


def models(profile: Profile, dataset: str | None = None) -> list[str]:
    """Networks with features for a data set (None: for any), in the order of the table.

    What does not count is told by :func:`unusable`.
    """
    names = [dataset] if dataset else list(sources.FULL)
    found = {m: [p for name in names if (p := find(profile, m, name)) is not None] for m in _table()}
    return [m for m, paths in found.items() if any(not unusable(profile, m, p) for p in paths)]


def none_found(profile: Profile, dataset: str) -> MissingData:
    """The error for a data set without features."""
    pictures = sources.pictures(dataset)
    return MissingData(
        f"there are no features of any network for the pictures of {pictures}",
        Path(profile.data or "") / FOLDER,
        f"{command('MODEL', pictures)}; 'humalign plan --profile full' lists networks and costs",
    )


def state(profile: Profile, wanted=None) -> list:
    """Digests of all features at hand, for cache keys."""
    return [
        [m, name, about(path)["digest"]]
        for m in models(profile)
        if wanted is None or m in wanted
        for name in sources.FULL
        if (path := find(profile, m, name)) is not None and not unusable(profile, m, path)
    ]


def digests(profile: Profile, dataset: str, wanted=None) -> list:
    """Networks with features for the pictures of one data set, and the digest of these features, for cache keys."""
    names = [m for m in models(profile, dataset) if wanted is None or m in wanted]
    return [[m, about(find(profile, m, dataset))["digest"]] for m in names]


def iterate(profile: Profile, dataset: str, layers, wanted=None) -> Iterator[Features]:
    """Features of one network and layer after the other, read from the store; the model is the key of the table.

    Raises
    ------
    MissingData
        When no network has any, or an extraction is not finished.
    InputError
        When a file is damaged.
    """
    names = [m for m in models(profile, dataset) if wanted is None or m in wanted]
    if not names:
        raise none_found(profile, dataset)
    for name in names:
        path = find(profile, name, dataset)
        known = about(path)
        meta = {"seed": 0, "weights": known["digest"], "said": known["weights"]}
        found = [shards.read(path, layer) for layer in layers if layer in known["layers"]]
        if not known["layers"]:
            found = _of_others(path, layers)
        for part in found:
            yield replace(part, model=name, meta=meta)


def _of_others(path: Path, layers) -> list[Features]:
    """The layers of a file of others: by the names of its arrays, or the one array it has."""
    found = []
    for layer in layers:
        try:
            found.append(shards.read(path, layer))
        except InputError as error:
            if not error.problem.startswith("has no array called"):
                raise
    one = None if found else shards.read(path)
    return found or [part for part in [one] if part.layer in layers]
