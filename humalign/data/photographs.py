"""Free photographs of THINGS concepts, and features of pretrained networks on them and on the 92 images."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from . import files as read
from . import known, mur92, registry, things
from .registry import File, dataset
from .types import Features, Stimuli

TABLE = File("things_cc0/concepts.csv", "uniqueID, sorted_index: the concepts with a photograph")


def _check_concepts(stimuli, at):
    """The rows that the table gives its concepts are THINGS' own."""
    place = {name: row for row, name in enumerate(things.concept_ids(at))}
    if wrong := [name for name, row in zip(stimuli.ids, stimuli.meta["sorted_index"]) if place.get(name) != row]:
        yield f"{at.path('concepts')}: '{wrong[0]}' has another row in things_concepts.tsv; {read.AGAIN}"


@dataset(
    "things_cc0/images",
    title="THINGSplus photographs of 278 concepts (not those that people judged)",
    kind="stimuli",
    profiles=("slice", "full"),
    files={
        "images": File("things_cc0/images", "<uniqueID>.webp, 256 x 256, one a concept", folder=True),
        "table": TABLE,
        "concepts": things.CONCEPTS,
    },
    source="https://osf.io/jum2f/ (THINGSplus); copies: https://github.com/markjouh/conceptbasis",
    licence="CC0 (pictures), MIT (copies)",
    citation="Stoinski, Perkuhn, Hebart 2024, THINGSplus, Behavior Research Methods 56:1583-1603",
    row_order="names inside",
    size="5 MB",
    expect={"images": 278, "concepts": 278},
    check=_check_concepts,
)
def images(at):
    """Stimuli (278 pictures); ids = THINGS' uniqueID, in the order of THINGS."""
    table = read.read_frame(at.path("table"), ("uniqueID", "sorted_index"), text=("uniqueID",))
    paths = {path.stem: path for path in read.list_images(at.path("images"))}
    if (empty := table["uniqueID"].isna()).any():
        raise InputError(f"line {int(empty.argmax()) + 2} has no uniqueID", at.path("table"), read.AGAIN)
    if set(paths) != set(table["uniqueID"]):
        lost = sorted(set(paths) ^ set(table["uniqueID"]))[0]
        raise InputError(f"pictures and {TABLE.path} differ, for instance at '{lost}'", at.path("images"), read.AGAIN)
    names, meta = table["uniqueID"].tolist(), {"sorted_index": table["sorted_index"].tolist()}
    pictures = [str(paths[name]) for name in names]
    return at.make(Stimuli, at.path("images"), ids=tuple(names), images=pictures, meta=meta)


def features_of(at, ids, rename=lambda name: name) -> dict[tuple[str, str], Features]:
    """Features of every network in a folder, by network and layer, with the rows of each in the order of ``ids``.

    Files are called NETWORK.LAYER.npz and hold ``features`` (m, p) and ``ids`` (m,); a network may leave pictures out.
    """
    folder, found = at.path("features"), {}
    for path in sorted(folder.glob("*.npz")):
        model, _, layer = path.stem.rpartition(".")
        if not model:
            raise InputError("is not called NETWORK.LAYER.npz", path, "rename it")
        known.check_known(path, at.root, at.entry)
        arrays = read.read_npz(path, ("features", "ids"))
        values = read.shaped(arrays["features"], (len(arrays["ids"]), None), path)
        if arrays["ids"].ndim != 1 or arrays["ids"].dtype.kind != "U":
            raise InputError("ids are not a list of names", path, read.AGAIN)
        own = {"model": model, "layer": layer, "meta": {"file": path.name}}
        part = at.make(Features, path, ids=tuple(rename(str(name)) for name in arrays["ids"]), values=values, **own)
        if strange := sorted(set(part.ids) - set(ids)):
            raise InputError(f"names '{strange[0]}', which is none of the pictures", path, read.AGAIN)
        found[model, layer] = part.align([name for name in ids if name in set(part.ids)])
    if not found:
        raise InputError("holds no NETWORK.LAYER.npz", folder, read.AGAIN)
    return found


def of_file(path, profile) -> Features | None:
    """The features of one of the published files of a data folder, as its registry names them; None for other files.

    Parameters
    ----------
    path : path
    profile : Profile or None
        Names the data folder.
    """
    root, path = getattr(profile, "data", None), Path(path).resolve()
    for entry in registry.entries("slice") if root else ():
        folder = entry.files["features"].find(root) if entry.kind == "feature sets" else None
        if folder is not None and folder.resolve() == path.parent and not entry.missing(root):
            found = registry.load(entry.name, profile.with_(name="slice")).values()
            return next((part for part in found if part.meta["file"] == path.name), None)
    return None


_FEATURES = {
    "kind": "feature sets",
    "profiles": ("slice", "full"),
    "source": "computed from the networks' published weights; siglip2: https://github.com/markjouh/conceptbasis",
    "licence": "Apache-2.0 or MIT weights",
    "row_order": "names inside",
}


@dataset(
    "things_cc0/features",
    title="Features of pretrained networks on the THINGSplus photographs",
    files={
        "features": File("things_cc0/features", "NETWORK.LAYER.npz: features (m, p) float16, ids (m,)", folder=True),
        "table": TABLE,
    },
    size="8 MB",
    expect={"entries": 22},
    **_FEATURES,
)
def of_photographs(at):
    """Dict of (network, layer) -> Features; ids = THINGS' uniqueID."""
    table = read.read_frame(at.path("table"), ("uniqueID",), text=("uniqueID",))
    return features_of(at, table["uniqueID"].tolist())


@dataset(
    "mur92/features",
    title="Features of pretrained networks on the 92 images",
    files={
        "features": File("mur92/features", "NETWORK.LAYER.npz: features (92, p) float16, ids 00 to 91", folder=True),
    },
    size="2 MB",
    expect={"entries": 16},
    **_FEATURES,
)
def of_92_images(at):
    """Dict of (network, layer) -> Features; ids image01 to image92 (the files count from 00, by place)."""
    return features_of(at, mur92.ids_of(92), lambda name: f"image{int(name) + 1:02d}" if name.isdigit() else name)
