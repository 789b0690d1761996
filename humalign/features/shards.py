"""The store of features: a folder of shards with a manifest, or one safetensors file with a side-car; read by ids."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np

from ..data.types import Features
from ..errors import InputError, MissingData
from ..store import digest, load_arrays, read_json, save_arrays, unlike

MANIFEST = "manifest.json"
FORMAT = 1
LIKE = {  # what is read of a manifest
    "model": str, "n": int, "shard_size": int, "layers": {str: {"module": str, "width": int}}, "order?": [str],
    "weights": str, "weights_digest": str, "ids_digest": str, "preprocess": {}, "dtype": str, "source?": str,
    "licence?": str,
}  # fmt: skip


def shard_path(folder, number: int) -> Path:
    """Where shard ``number`` lies."""
    return Path(folder) / f"shard-{number:05d}.safetensors"


def write_shard(folder, number: int, ids, arrays: dict, pictures: str = "") -> None:
    """Write one shard atomically, in its side-car its ids and the digest of the picture files it was made from."""
    save_arrays(shard_path(folder, number), arrays, {"ids": list(ids), "pictures": pictures})


def shard_is_whole(folder, number: int, n: int, stimuli=None, rows=()) -> bool:
    """Whether shard ``number`` is there, complete, undamaged (checksum) and made from what the picture files hold now.

    Parameters
    ----------
    folder, number, n
        Folder, number of the shard, how many rows it should have.
    stimuli : Stimuli, optional
    rows : sequence of int
        Of the pictures in it.
    """
    from .images import content

    with contextlib.suppress(InputError):
        _, meta = _load(folder, number, True)
        known = meta.get("pictures", "")  # "": pictures in memory, or written by an earlier version
        return len(meta["ids"]) == n and (not known or stimuli is None or known == content(stimuli, rows))
    return False


def _load(folder, number: int, verify: bool):
    """Arrays and side-car of one shard."""
    path = shard_path(folder, number)
    arrays, meta = load_arrays(path, verify)
    told = unlike(meta, {"ids": [str], "pictures?": str})
    told = told or next((f"array '{k}' has shape {v.shape} for {len(meta['ids'])} ids" for k, v in arrays.items()
                         if v.ndim != 2 or len(v) != len(meta["ids"])), "")  # fmt: skip
    if told:
        raise InputError(told, path, "delete both files and extract again")
    return arrays, meta


def content_digest(folder) -> str:
    """Digest of all that a finished folder holds: the checksums of its shards."""
    about = manifest(folder)
    sums = [read_json(shard_path(folder, k).with_suffix(".safetensors.json"), {"sha256": str})["sha256"]
            for k in range(_whole(Path(folder), about))]  # fmt: skip
    return digest(sums)


def sweep(folder) -> None:
    """Remove temporary files that a killed run left behind."""
    for path in Path(folder).glob(".*-*"):
        if path.is_file() and path.name.startswith((".shard-", ".manifest")):
            path.unlink(missing_ok=True)


def manifest(folder) -> dict:
    """The manifest of a folder of features.

    Raises
    ------
    MissingData, InputError
        When there is none, or of another format.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise MissingData("is not a folder of features (no manifest.json)", folder, "make it with 'humalign extract'")
    found = read_json(path, {"format": int}, "extract again")
    if found["format"] != FORMAT:
        raise InputError(f"has format {found['format']}, this version reads {FORMAT}", path, "extract again")
    if told := unlike(found, LIKE):
        raise InputError(told, path, "extract again")
    widths = [layer["width"] for layer in found["layers"].values()]
    if not (0 < found["n"] < 1e9 and found["n"] / found["shard_size"] < 1e6 and widths and 0 < min(widths) < 1e8):
        raise InputError("names sizes that cannot be", path, "extract again")
    if set(found.get("order", found["layers"])) != set(found["layers"]):
        raise InputError("names other layers under 'order' than under 'layers'", path, "extract again")
    return found


def layers(path) -> list[str]:
    """The layers that a store of features holds, from input to output.

    Parameters
    ----------
    path : path
        As for :func:`read`.

    Returns
    -------
    list of str
        In the order in which the network made them, where ``humalign extract`` wrote it down; the arrays of a .npz file
        of others in the order of the file; else by name with numbers as numbers, and penultimate and logits last.
    """
    path = Path(path)
    if path.is_dir():
        return _ordered(manifest(path))
    side = path.with_name(path.name + ".json")
    if side.is_file() and "manifest" in (meta := read_json(side, ({"manifest?": LIKE}, list))):
        return _ordered(meta["manifest"])
    from ..data.features_file import layers as of_others

    found = of_others(path)
    return found if path.suffix == ".npz" else sorted(found, key=_depth)


def _ordered(about: dict) -> list[str]:
    return list(about.get("order") or sorted(about["layers"], key=_depth))


def _depth(name: str) -> tuple:
    parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]
    return ("penultimate", "logits").index(name) + 1 if name in ("penultimate", "logits") else 0, parts


def _choose(layers, layer, where) -> str:
    if layer is None and len(layers) == 1:
        return layers[0]
    if layer is None and "penultimate" in layers:
        return "penultimate"
    if layer not in layers:
        asked = f"has no layer '{layer}'" if layer else "holds several layers"
        raise InputError(asked, where, f"choose one of {', '.join(layers)}")
    return layer


def read(path, layer: str | None = None, ids=None, verify: bool = True, data=None) -> Features:
    """Read features.

    Parameters
    ----------
    path : path
        A folder that ``humalign extract`` wrote, a file of :func:`merge`, or features of others (npy, npz, safetensors,
        HDF5) with their ids, see :mod:`humalign.data.features_file`.
    layer : str, optional
        Which layer, where there are several (default: penultimate).
    ids : sequence of str, optional
        Only these rows, in this order; other shards' rows are dropped as they are read.
    verify : bool
        Compare checksums.
    data : path, optional
        Folder with THINGS data, to name the rows of a file without ids.

    Returns
    -------
    Features

    Raises
    ------
    MissingData
        When shards are missing, so that the extraction has to be finished first.
    InputError
        For an unknown layer, damaged shards, unknown ids.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, layer, ids, verify)
    if path.suffix == ".safetensors" and path.with_name(path.name + ".json").is_file():
        meta = read_json(path.with_name(path.name + ".json"), (dict, list))
        if "manifest" in meta:
            return _read_merged(path, layer, ids, verify)
    from ..data.features_file import read as read_others

    found = read_others(path, layer=layer, data=data)
    return found if ids is None else found.align(ids)


def _features(values, ids, chosen, about, where) -> Features:
    meta = {k: v for k, v in about.items() if k not in ("ids_digest",)}
    return Features(
        tuple(ids),
        values,
        model=about["model"],
        layer=chosen,
        source=about.get("source", ""),
        licence=about.get("licence", ""),
        name=str(where),
        meta=meta,
    )


def _read_folder(folder: Path, layer, ids, verify) -> Features:
    about = manifest(folder)
    chosen = _choose(list(about["layers"]), layer, folder)
    wanted = None if ids is None else {name: row for row, name in enumerate(ids)}
    count = _whole(folder, about)
    width = about["layers"][chosen]["width"]
    values = np.empty((about["n"] if wanted is None else len(wanted), width), np.float32)
    names, filled = [], 0
    for number in range(count):
        rows, part = _part(folder, number, chosen, width, verify)
        if wanted is None:
            if filled + len(part) > len(values):
                break
            values[filled : filled + len(part)] = part
            names += rows
            filled += len(part)
        else:
            keep = [(r, wanted[name]) for r, name in enumerate(rows) if name in wanted]
            if keep:
                source, target = np.array(keep).T
                values[target] = part[source]
                names += [rows[r] for r in source]
    if wanted is not None:
        found = set(names)
        if lost := [name for name in wanted if name not in found]:
            raise InputError(f"has no row for {', '.join(lost[:3])}", folder, "align by the ids that both sides have")
        names = list(ids)
    elif digest(tuple(names)) != about["ids_digest"]:
        raise InputError("holds shards of another extraction", folder, "extract again, with --restart")
    return _features(values, names, chosen, about, folder)


def _part(folder: Path, number: int, layer: str, width: int, verify: bool) -> tuple[list, np.ndarray]:
    """Ids and values of one layer in one shard."""
    arrays, meta = _load(folder, number, verify)
    if layer not in arrays or arrays[layer].shape[1] != width:
        raise InputError(f"has no layer '{layer}' of width {width}", shard_path(folder, number), "extract again")
    return meta["ids"], np.asarray(arrays[layer], np.float32)


def stream(path, layer: str | None = None, verify: bool = True):
    """Features part by part, so that memory holds one shard: yields (ids, values (n, p) float32).

    Parameters
    ----------
    path : path
        As for :func:`read`; what is no folder of shards comes as one part.
    layer, verify
        As for :func:`read`.

    Raises
    ------
    MissingData, InputError
        As for :func:`read`.
    """
    path = Path(path)
    if not path.is_dir():
        found = read(path, layer, verify=verify)
        yield found.ids, found.values
        return
    about = manifest(path)
    chosen = _choose(list(about["layers"]), layer, path)
    for number in range(_whole(path, about)):
        rows, part = _part(path, number, chosen, about["layers"][chosen]["width"], verify)
        yield tuple(rows), part


def _whole(folder: Path, about: dict) -> int:
    """How many shards a finished folder has; MissingData when some are not there."""
    count = -(-about["n"] // about["shard_size"])
    gone = [k for k in range(count) if not shard_path(folder, k).with_suffix(".safetensors.json").is_file()]
    if gone:
        raise MissingData(
            f"{len(gone)} of {count} shards are not there yet",
            folder,
            "run the same 'humalign extract' again: it goes on where it stopped",
        )
    return count


def merge(folder, file) -> Path:
    """All layers of a finished folder as one safetensors file; the side-car holds ids and manifest.

    Returns
    -------
    Path
    """
    about = manifest(folder)
    file = Path(file)
    if file.suffix != ".safetensors":
        raise InputError("must end in .safetensors", file, "name another file")
    arrays, ids = {}, None
    for layer in about["layers"]:
        found = _read_folder(Path(folder), layer, None, True)
        arrays[layer], ids = found.values, list(found.ids)
    return save_arrays(file, arrays, {"ids": ids, "manifest": about})


def _read_merged(path: Path, layer, ids, verify) -> Features:
    arrays, meta = load_arrays(path, verify)
    if told := unlike(meta, {"ids": [str], "manifest": LIKE}):
        raise InputError(told, path.with_name(path.name + ".json"), "merge again")
    chosen = _choose(list(arrays), layer, path)
    found = _features(arrays[chosen], meta["ids"], chosen, meta["manifest"], path)
    return found if ids is None else found.align(ids)


# ---- the store of a data folder: features/MODEL/PICTURES -------------------------------------------------------------

FOLDER = "features"
FILES = (".safetensors", ".npz", ".npy", ".h5", ".hdf5")  # features of others, with their ids


def place(root, model: str, pictures: str) -> Path:
    """Where the features of a network for the pictures of a data set lie: a folder, or a file with an ending."""
    return Path(root) / FOLDER / model / pictures


def find(root, model: str, pictures: str) -> Path | None:
    """The features of a network for the pictures of a data set, or None."""
    if root is None:
        return None
    path = place(root, model, pictures)
    if (path / MANIFEST).is_file():
        return path
    return next((p for end in FILES if (p := path.with_name(path.name + end)).is_file()), None)


def models(root, pictures: str) -> list[str]:
    """Names of all networks with features for the pictures of a data set, whoever made them, sorted."""
    top = Path(root) / FOLDER
    found = [p.parent for p in top.rglob(f"{pictures}/{MANIFEST}")]
    found += [p.with_name(p.name.removesuffix(end)) for end in FILES for p in top.rglob(pictures + end)]
    depth = len(Path(pictures).parts)
    return sorted({p.relative_to(top).parents[depth - 1].as_posix() for p in found} - {"."})


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


def about(path) -> dict:
    """What is known of features without reading them: weights, layers, digest."""
    path = Path(path)
    if path.is_dir():
        found = manifest(path)
        parts = [found[k] for k in ("weights_digest", "preprocess", "layers", "dtype", "ids_digest")]
        return {"weights": found["weights"], "layers": list(found["layers"]), "digest": digest(parts)}
    side = path.with_name(path.name + ".json")
    like = {"manifest?": {"weights?": str, "layers?": {str: {}}}}
    said = read_json(side, (like, list)) if side.is_file() else {}
    said = said.get("manifest", {}) if isinstance(said, dict) else {}
    state = path.stat()
    return {
        "weights": said.get("weights", "as their owner says"),
        "layers": list(said.get("layers", ())),
        "digest": digest([path.name, state.st_size, state.st_mtime_ns]),
    }


def finished(path) -> bool:
    """Whether all shards of a folder are there; true for a file."""
    path = Path(path)
    if not path.is_dir():
        return True
    found = manifest(path)
    count = -(-found["n"] // found["shard_size"])
    return all(shard_path(path, k).with_suffix(".safetensors.json").is_file() for k in range(count))


def read_layers(path, wanted) -> list[Features]:
    """Those of some layers that a store of features holds; the one array of a file of others by its own name."""
    known = about(path)["layers"]
    if known:
        return [read(path, layer) for layer in wanted if layer in known]
    found = []
    for layer in wanted:
        try:
            found.append(read(path, layer))
        except InputError as error:
            if not error.problem.startswith("has no array called"):
                raise
    one = None if found else read(path)
    return found or [part for part in [one] if part.layer in wanted]
