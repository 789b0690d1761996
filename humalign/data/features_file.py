"""A reader's own features: .npy, .npz, .safetensors or HDF5, always with ids, never by an order taken on trust."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError, MissingData
from ..store import read_json
from . import files
from .ids import check_ids
from .types import Features

VALUES = ("features", "values", "embeddings", "activations", "penultimate", "logits", "x")
IDS = ("ids", "names", "concepts", "filenames", "files", "stimuli")
SIDE_CAR = {"ids?": [str], "sha256?": str, "model?": str, "layer?": str, "source?": str, "licence?": str}
FORMS = (".npy", ".npz", ".safetensors", ".h5", ".hdf5")


def read_ids(path) -> list[str]:
    """Ids from a text file (one a line) or a JSON file (a list, or an object with the key "ids")."""
    path = Path(path)
    if path.suffix == ".json":
        content = files.read_json(path, (dict, list))
        content = content.get("ids") if isinstance(content, dict) else content
        if not (isinstance(content, list) and all(isinstance(one, str) for one in content)):
            raise InputError("holds no list of ids", path, 'write a list of texts, or an object with the key "ids"')
        return content
    return [line.strip() for line in files.read_lines(path)]


def _beside(path: Path):
    """Ids in a file next to the features, or None."""
    for name in (
        f"{path.name}.ids.txt",
        f"{path.stem}.ids.txt",
        f"{path.stem}.txt",
        f"{path.name}.json",
        f"{path.stem}.json",
    ):
        other = path.with_name(name)
        if other.is_file():
            if other.suffix == ".json":
                content = read_json(other)
                if isinstance(content, dict) and "ids" not in content:
                    continue
            return read_ids(other), other
    return None, None


def _strings(values, where) -> list[str]:
    values = np.asarray(values).ravel()
    try:
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf8")
        elif values.dtype.kind == "O":
            values = [one.decode("utf8") if isinstance(one, bytes) else one for one in values]
    except UnicodeDecodeError:
        raise InputError("ids are not UTF-8 text", where, "store them as strings") from None
    if not all(isinstance(one, (str, np.integer)) for one in values):  # np.str_ is text
        raise InputError("ids are not text", where, "store them as strings")
    return [str(one) for one in values]


def _pick(arrays: dict, layer, path) -> tuple[np.ndarray, str]:
    if "weights" in arrays and {"mean", "std"} <= set(arrays):
        raise InputError("holds a linear transform, not features", path, "give the features it is to be applied to")
    if layer is not None:
        if layer not in arrays:
            raise InputError(
                f"has no array called {layer} (it has {', '.join(arrays)})", path, "name one of these layers"
            )
        return arrays[layer], layer
    for key in VALUES:
        if key in arrays:
            return arrays[key], key
    rest = [
        key for key, value in arrays.items() if np.asarray(value).ndim == 2 and np.asarray(value).dtype.kind in "fiu"
    ]
    if len(rest) == 1:
        return arrays[rest[0]], rest[0]
    raise InputError(
        f"has {len(rest)} arrays that could be features (it has {', '.join(arrays) or 'none'})",
        path,
        f"call the array '{VALUES[0]}', or name the layer",
    )


def _hdf5(path) -> tuple[dict, dict]:
    import h5py

    def take(file):
        arrays = {}

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                arrays[name] = files.own_array(item, path)

        file.visititems(visit)
        return arrays, {key: str(value) for key, value in file.attrs.items()}

    return files.hdf5(path, take)


def _safetensors(path) -> tuple[dict, dict]:
    from safetensors import safe_open

    files.exists(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except Exception as error:
        told = files.reason(error)
        raise InputError(f"cannot be read as safetensors ({told})", path, "store float32 and write it again") from None


def _arrays(path: Path) -> tuple[dict, dict]:
    """The arrays of a file and what it and its side-car say of them."""
    if path.suffix not in FORMS:
        hint = (
            files.NO_PICKLE
            if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".joblib")
            else f"use {', '.join(FORMS)}"
        )
        raise InputError(f"has the ending '{path.suffix}', which is no feature file", path, hint)
    meta: dict = {}
    if path.suffix == ".npy":
        arrays = {"features": files.read_npy(path)}
    elif path.suffix == ".npz":
        arrays = files.read_npz(path)
    elif path.suffix == ".safetensors":
        arrays, meta = _safetensors(path)
    else:
        arrays, meta = _hdf5(path)
    side = path.with_name(path.name + ".json")
    if side.is_file() and isinstance(content := read_json(side, (SIDE_CAR, list)), dict):
        from ..store import sha256

        if content.get("sha256") and content["sha256"] != sha256(path):
            raise InputError("does not match the checksum of its side-car", path, "copy both files again")
        meta = {**meta, **content}
    return arrays, meta


def _matrix(arrays: dict, layer, path) -> tuple[np.ndarray, str]:
    values, key = _pick(arrays, layer, path)
    values = np.asarray(values)
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    if values.ndim > 2 and np.prod(values.shape[1:]) == values.shape[-1]:
        values = values.reshape(len(values), values.shape[-1])
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise InputError(f"features are {values.dtype} of shape {values.shape}", path, "store floats of shape (ids, p)")
    return values, key


def read_values(path, layer: str | None = None) -> np.ndarray:
    """The numbers of a file with a row an object or a row a triplet, without ids.

    Parameters
    ----------
    path : path
        A features file (see :func:`read`), or text: numbers separated by white space or commas, with or without a line
        of names above them.
    layer : str, optional
        Which array, where the file holds several.

    Returns
    -------
    array (n, p)

    Raises
    ------
    InputError
        For a missing or damaged file, or one that does not hold numbers with two axes.
    """
    path = Path(path)
    if path.suffix in FORMS:
        return _matrix(_arrays(files.exists(path))[0], layer, path)[0]
    if path.suffix not in (".txt", ".csv", ".tsv", ".dat"):
        raise InputError(f"has the ending '{path.suffix}'", path, f"use {', '.join((*FORMS, '.txt', '.csv', '.tsv'))}")
    if path.suffix in (".csv", ".tsv"):
        frame = files.read_frame(path, sep="\t" if path.suffix == ".tsv" else ",")
        try:  # a first line of numbers is no line of names
            first = np.array([float(name) for name in frame.columns])
        except ValueError:
            first = np.empty((0, frame.shape[1]))
        frame = frame.select_dtypes("number")
        if frame.empty:
            raise InputError("has no column of numbers", path, "write the values as numbers")
        return np.vstack([first, frame.to_numpy()]) if first.size == frame.shape[1] else frame.to_numpy()
    return files.read_numbers(path)


def _things(values, path, data) -> tuple[list[str], str]:
    """Names of the rows of a file without ids, and their order: of THINGS, where people's choices name the order."""
    from . import row_orders

    remedy = f"write one id a line, in row order, into {path.stem}.ids.txt beside it (for THINGS: uniqueID)"
    try:
        names = row_orders.concept_names(data)
        found = row_orders.detect(values, data=data) if len(values) == len(names) else None
    except MissingData:
        found = None
    if found is None:
        raise InputError("has no ids", path, remedy)
    if found.best is None:
        raise InputError(f"has no ids, and {found.reason}", path, remedy)
    return list(row_orders.in_order(names, found.best)), found.best


def read(path, ids=None, *, layer: str | None = None, model: str | None = None, data=None) -> Features:
    """Features from a file, with their ids.

    Parameters
    ----------
    path : path
        ``.npy`` (one array (m, p); ids beside it in ``NAME.ids.txt``, ``NAME.txt`` or ``NAME.json``), ``.npz`` or HDF5
        (array ``features`` and ``ids``; ``embeddings``/``filenames`` and the like are understood), or
        ``.safetensors`` with a JSON side-car ``NAME.safetensors.json`` (keys ids, model, layer).
    ids : sequence of str, or path of a file with ids, optional
        Overrides what lies in or beside the file.
    layer : str, optional
        Which array, where the file holds several.
    model : str, optional
        Name of the network; default the side-car's, else the file name.
    data : path, optional
        Folder with THINGS data (default ``HUMALIGN_DATA``). A file without ids that has a row for each THINGS concept
        gets its names where people's choices name its row order (:mod:`humalign.data.row_orders`).

    Returns
    -------
    Features

    Raises
    ------
    InputError
        For an unknown or damaged file, no ids, another number of ids than rows, repeated ids, NaN, or equal rows.
    """
    path = Path(path)
    arrays, meta = _arrays(path)
    values, key = _matrix(arrays, layer, path)
    names, where = _ids(ids, arrays, meta, path)
    if names is None:
        names, order = _things(values, path, data)
        meta = {**meta, "facts": {"row order": f"{order}, named by people's choices"}}
    if len(names) != len(values):
        raise InputError(f"{len(names)} ids for {len(values)} rows", where or path, "give one id per row, in row order")
    try:
        return Features(
            ids=check_ids(names, where or path),
            values=values,
            model=model or str(meta.get("model", path.stem)),
            layer=str(meta.get("layer", layer or (key if key in ("penultimate", "logits") else "penultimate"))),
            source=str(meta.get("source", path.name)),
            licence=str(meta.get("licence", "")),
            name=path.stem,
            meta={k: v for k, v in meta.items() if k not in ("ids", "model", "layer", "source", "licence")},
        )
    except InputError as error:
        raise InputError(error.problem, where if error.where == where else path, error.remedy) from None


def layers(path) -> list[str]:
    """Names of the arrays that :func:`read` takes as ``layer``: numbers, two axes or more; only headers are read.

    Parameters
    ----------
    path : path
        .npz (in the order of the file), .safetensors or HDF5; a .npy file has one array without a name: none.

    Raises
    ------
    InputError
        For a damaged file.
    """
    path = Path(path)
    if path.suffix == ".npy":
        return []
    files.exists(path)
    try:
        if path.suffix == ".npz":
            with open(path, "rb") as file:
                names = list(np.load(file, allow_pickle=False).files)
            found = {name: _header(path, name) for name in names}
        elif path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(str(path), framework="numpy") as file:
                parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                found = {n: (p.get_shape(), "O" if p.get_dtype() == "BOOL" else "f") for n, p in parts.items()}
        else:
            import h5py

            parts = {}
            with h5py.File(path) as file:
                file.visititems(lambda name, item: parts.update({name: item}) if hasattr(item, "shape") else None)
                found = {name: (item.shape, item.dtype.kind) for name, item in parts.items()}
    except Exception as error:  # of four libraries
        raise InputError(f"is truncated or damaged ({files.reason(error)})", path, files.AGAIN) from None
    return [name for name, (shape, kind) in found.items() if len(shape) > 1 and kind in "fiu" and name not in IDS]


def _header(path, name: str) -> tuple[tuple, str]:
    """Shape and kind of one array of a .npz file."""
    import zipfile

    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    return shape, dtype.kind


def _ids(ids, arrays, meta, path):
    if isinstance(ids, (str, Path)):
        return read_ids(ids), Path(ids)
    if ids is not None:
        return [str(one) for one in ids], None
    for key in IDS:
        if key in arrays:
            names = _strings(arrays[key], f"{path} ({key})")
            if key in ("filenames", "files"):
                names = [_stem(name) for name in names]
            return names, None
    if isinstance(meta.get("ids"), list):
        return [str(one) for one in meta["ids"]], path.with_name(path.name + ".json")
    return _beside(path)


def _stem(name: str) -> str:
    """The stem of an image's file name, as the papers' code matches files to concepts."""
    pure = PurePosixPath(name)
    return pure.stem if pure.suffix.lower() in files.IMAGES else name
