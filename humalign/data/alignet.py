"""The AligNet release: synthetic triplets with the teacher's similarities, representations and clusters.

Triplets are an npz file of three arrays of n rows: ``filenames`` (n, 3) str, ``similarities`` (n, 3) float32 = the
teacher's dot products of the pairs (0, 1), (0, 2), (1, 2), and ``indices`` (n, 3) int. Images of a row are ordered so
that s01 >= s02 >= s12: the first two are the teacher's pair, the last is its odd one out. Source: README and loader of
the official repository.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read
from .ids import check_ids
from .levels import PAPER
from .registry import Download, File, dataset
from .types import Features
from .verify import Note

ROOT = "https://storage.googleapis.com/alignet/data/release_1.1"
TRANSFORMS = ("uncertainty_distillation", "untransformed")
SAMPLINGS = ("between_class", "class_border", "within_class", "cluster_500", "cluster_border_500")
SPLITS = {"train": 10_000_000, "val": 10_000}
ROWS = {"val_between_class": 1_000_000}  # where the authors state another number than that of the split
SIZES = {"val_within_class": "467 kB", "val_between_class": "45 MB"}


MEMBERS = ("filenames", "similarities", "indices")
AGAIN = "fetch or make it again"


def order_rows(triplets: np.ndarray, similarities: np.ndarray):
    """Reorder each triplet so that s01 >= s02 >= s12, the odd one last.

    Parameters
    ----------
    triplets : int (n, 3)
    similarities : float (n, 3)
        Of the pairs (0, 1), (0, 2), (1, 2) as the rows stand.

    Returns
    -------
    triplets, similarities : arrays (n, 3)

    Notes
    -----
    The image that the two largest similarities share comes first, the other image of the largest pair second.
    """
    rank = np.argsort(-similarities, axis=1, kind="stable")
    opposite = np.array([2, 1, 0])  # the image that a pair leaves out
    odd, middle = opposite[rank[:, 0]], opposite[rank[:, 1]]
    order = np.stack([3 - odd - middle, middle, odd], 1)
    return np.take_along_axis(triplets, order, 1), np.take_along_axis(similarities, rank, 1)


def violations(similarities: np.ndarray) -> dict[str, float]:
    """Share of rows that break each part of the order: s01 < s02, s02 < s12, and s12 above one of both (the README)."""
    s01, s02, s12 = np.asarray(similarities).T
    return {
        "s01 >= s02": float((s01 < s02).mean()),
        "s02 >= s12": float((s02 < s12).mean()),
        "s12 smallest": float(((s12 > s01) | (s12 > s02)).mean()),
    }


def map_member(path, name: str):
    """One array of an npz file, memory-mapped where it is stored without compression, else read.

    Raises
    ------
    InputError
        When the file is damaged, lacks the array, or holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("does not exist", path, "check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                raise InputError(f"has no array '{name}'", path, f"an AligNet file holds {', '.join(MEMBERS)}")
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                header_of = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, fortran, dtype = header_of(member)
                header = member.tell()
            if dtype.hasobject:
                raise InputError(f"array '{name}' holds pickled objects, which are never loaded", path, AGAIN)
            with archive.open(info) as member:  # a memory map checks no checksum: all bytes are read once
                while member.read(1 << 22):
                    pass
            if info.compress_type != zipfile.ZIP_STORED:
                return read.read_npz(path, (name,))[name]
            if info.file_size != header + dtype.itemsize * int(np.prod(shape, dtype=float)):
                raise InputError(f"array '{name}' has other sizes than its header says", path, AGAIN)
            with open(path, "rb") as file:
                file.seek(info.header_offset + 26)
                lengths = np.frombuffer(file.read(4), "<u2")
            start = info.header_offset + 30 + int(lengths.sum()) + header
            if start + dtype.itemsize * int(np.prod(shape)) > path.stat().st_size:
                raise InputError("is cut short", path, AGAIN)
            if 0 in shape:
                return np.empty(shape, dtype)
            return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    except InputError:
        raise
    except Exception as error:  # of zipfile and NumPy's headers
        raise InputError(f"cannot be read as npz ({read.reason(error)})", path, AGAIN) from None


@dataclass
class TripletFile:
    """AligNet triplets, on disk or in memory.

    Attributes
    ----------
    filenames : str array (n, 3), or None
    similarities : float array (n, 3)
    indices : int array (n, 3)
    path : Path or None
    order : dict
        Shares of rows that break the order, from the rows checked.
    """

    filenames: np.ndarray | None
    similarities: np.ndarray
    indices: np.ndarray
    path: Path | None = None
    order: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.similarities)

    @classmethod
    def read(cls, path, order: str = "assert", chunk: int = 1_000_000) -> TripletFile:
        """Open a released or own file; arrays stay on disk.

        Parameters
        ----------
        path : path
        order : {"assert", "report"}
            What to do when rows are not ordered s01 >= s02 >= s12.
        chunk : int
            Rows checked at a time.

        Raises
        ------
        InputError
            For a damaged file, arrays that do not fit together, values that are not finite, or (assert) a wrong order.
        """
        path = Path(path)
        arrays = {name: map_member(path, name) for name in MEMBERS}
        n = len(arrays["similarities"])
        for name, kinds in zip(MEMBERS, ("US", "f", "iu")):
            array = arrays[name]
            if array.shape != (n, 3) or array.dtype.kind not in kinds or n == 0:
                raise InputError(f"'{name}' is {array.dtype} {array.shape}", path, "each array is (n, 3); " + AGAIN)
        broken = {}
        for start in range(0, n, chunk):
            part = np.asarray(arrays["similarities"][start : start + chunk])
            if not np.isfinite(part).all():
                raise InputError("holds similarities that are not finite", path, AGAIN)
            for rule, share in violations(part).items():
                broken[rule] = broken.get(rule, 0.0) + share * len(part) / n
        if order == "assert" and any(broken.values()):
            rule, share = max(broken.items(), key=lambda item: item[1])
            raise InputError(
                f"{share:.1%} of rows break {rule}",
                path,
                "columns must be (01), (02), (12) with the odd image last; order='report' reads it anyway",
            )
        return cls(arrays["filenames"], arrays["similarities"], arrays["indices"], path, broken)

    def names(self, rows) -> np.ndarray:
        """File names of rows, (len(rows), 3) str."""
        names = np.asarray(self.filenames[rows])
        return np.char.decode(names, "utf8") if names.dtype.kind == "S" else names


def _check(sampling):
    def check(file, at):
        path = at.path("triplets")
        rules = file.order
        if rules.get("s12 smallest"):
            yield f"{path}: in {rules['s12 smallest']:.2%} of rows the last image is not the odd one out; {read.AGAIN}"
        for rule in ("s01 >= s02", "s02 >= s12"):
            if rules.get(rule):
                yield Note(f"{path}: {rules[rule]:.2%} of rows break {rule}; soft losses do not need it")
        names = file.names(slice(0, min(len(file), 10_000)))
        classes = np.char.partition(names, "_")[..., 0]
        different = np.array([len(set(row)) for row in classes])
        wanted = {"between_class": 3, "class_border": 2, "within_class": 1}.get(sampling)
        if wanted and (different != wanted).any():
            row = int(np.argmax(different != wanted))
            yield f"{path}: row {row} shows {different[row]} ImageNet classes, {sampling} has {wanted}; {read.AGAIN}"

    return check


def _register(transform, split, sampling):
    name = f"alignet/{transform}/{split}_{sampling}"

    @dataset(
        name,
        title=f"AligNet triplets, {split}, sampling {sampling}, teacher {transform.replace('_', ' ')}",
        kind="soft triplets",
        files={
            "triplets": File(
                f"{name}.npz", "filenames (n, 3), similarities (n, 3) of pairs 01, 02, 12, indices (n, 3); odd one last"
            )
        },
        source=f"{ROOT}/index.html",
        licence="CC-BY-4.0",
        citation=PAPER,
        row_order="ids inside (ImageNet file names)",
        size="470 MB" if split == "train" else SIZES.get(f"{split}_{sampling}", "about 500 kB"),
        likely={"rows": ROWS.get(f"{split}_{sampling}", SPLITS[split])},
        check=_check(sampling),
        downloads=(Download(f"{ROOT}/{transform}/{split}_{sampling}.npz", f"{name}.npz"),),
        steps=(f"should the address have changed: open {ROOT}/index.html, import the file with --as {name}",),
    )
    def load(at):
        """A :class:`TripletFile`: arrays stay on disk; ``order`` = shares of rows that break it."""
        path = read.exists(at.path("triplets"))
        file = TripletFile.read(path, order="report")
        if (np.asarray(file.indices[: 1 << 20]) < 0).any():
            raise InputError("indices hold negative numbers", path, read.AGAIN)
        names = file.names(slice(0, min(len(file), 1 << 20)))
        twice = (names[:, 0] == names[:, 1]) | (names[:, 0] == names[:, 2]) | (names[:, 1] == names[:, 2])
        if twice.any():
            raise InputError(f"row {int(np.argmax(twice))} names one image twice", path, read.AGAIN)
        strange = ~np.char.endswith(names, ".JPEG")
        if strange.any():
            raise InputError(f"names '{names[strange][0][:40]}', not an ImageNet file", path, read.AGAIN)
        return file


for _transform in TRANSFORMS:
    for _split in SPLITS:
        for _sampling in SAMPLINGS:
            _register(_transform, _split, _sampling)


NAMES = File(
    "alignet/imagenet2012_filenames.npy",
    "(m,) file names, row i = image i of tensorflow_datasets' imagenet2012, train",
    url=f"{ROOT}/imagenet2012_filenames.npy",
)


@dataset(
    "alignet/filenames",
    title="File names of the ImageNet training images in the order of AligNet's indices",
    kind="table",
    files={"names": NAMES},
    source=f"{ROOT}/index.html",
    licence="CC-BY-4.0",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="about 100 MB",
    likely={"entries": 1281167},
    steps=(f"should the address have changed: open {ROOT}/index.html, import the file with --as alignet/filenames",),
)
def filenames(at):
    """Tuple of ImageNet file names; index i of the triplet files is the i-th."""
    path = at.path("names")
    return _named(read.shaped(read.read_npy(path), (None,), path), path)


def _named(names, path) -> tuple[str, ...]:
    if names.dtype.kind not in "SU":
        raise InputError(f"file names are {names.dtype}", path, read.AGAIN)
    return check_ids(np.char.decode(names, "utf8") if names.dtype.kind == "S" else names, path)


_REPRESENTATIONS = {
    "representations": File(
        "alignet/representations.npz",
        "file names (m,), representations (m, p) and cluster numbers (m,), told apart by shape and kind",
    ),
    "names": replace(NAMES, optional=True, shared=True, what="instead of file names inside", url=""),
}
_GET = (Download(f"{ROOT}/representations.npz", "alignet/representations.npz"),)
_LOOK = (
    f"should the address have changed: open {ROOT}/index.html",
    'the layout is not documented; where it is not understood, list it: python -c "import numpy; '
    "print(numpy.load('representations.npz').files)\", and write filenames, representations, clusters yourself",
)
KINDS = {"filenames": (1, "SU"), "representations": (2, "f"), "clusters": (1, "iu")}  # array: axes, kinds of numbers


def _representations(at) -> dict:
    path, told = at.path("representations"), read.read_npz(at.path("representations"))
    arrays = {}
    for name, (axes, kinds) in KINDS.items():
        fitting = [key for key, array in told.items() if array.ndim == axes and array.dtype.kind in kinds]
        if name in told:
            arrays[name] = told[name]
        elif len(fitting) == 1:  # under the file's own key
            arrays[name] = told[fitting[0]]
        elif name == "filenames" and at.get("names"):
            arrays[name] = np.array(filenames(at))
        else:
            raise InputError(f"has no array called {name} (it has {', '.join(told)})", path, read.AGAIN)
    if arrays["filenames"].dtype.kind in "iu" and at.get("names"):
        arrays["filenames"] = np.array(filenames(at))[arrays["filenames"]]
    m = len(arrays["filenames"])
    read.shaped(arrays["filenames"], (m,), path)
    read.shaped(arrays["representations"], (m, None), path)
    arrays["clusters"] = read.whole(read.shaped(arrays["clusters"], (m,), path), path)
    arrays["filenames"] = _named(arrays["filenames"], path)
    if arrays["clusters"].min() < 0:
        raise InputError("holds negative cluster numbers", path, "clusters are numbered from 0")
    if arrays["representations"].dtype.kind != "f" or not np.isfinite(arrays["representations"]).all():
        raise InputError("representations hold values that are not finite numbers", path, read.AGAIN)
    return arrays


@dataset(
    "alignet/representations",
    title="SigLIP so400m representations of the ImageNet training images (released with AligNet)",
    kind="features",
    files=_REPRESENTATIONS,
    source=f"{ROOT}/index.html",
    licence="CC-BY-4.0",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="about 6 GB",
    likely={"dimensions": 1152},
    downloads=_GET,
    steps=_LOOK,
)
def representations(at):
    """Features (images, p), ids = ImageNet file names; the clusters are ``alignet/clusters``."""
    path, arrays = at.path("representations"), _representations(at)
    return at.make(
        Features, path, ids=arrays["filenames"], values=arrays["representations"], model="so400m-siglip-webli384"
    )


@dataset(
    "alignet/clusters",
    title="Cluster numbers (k-means, 500) of the ImageNet training images (released with AligNet)",
    kind="table",
    files=_REPRESENTATIONS,
    source=f"{ROOT}/index.html",
    licence="CC-BY-4.0",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="with alignet/representations",
    downloads=_GET,
    steps=_LOOK,
)
def clusters(at):
    """DataFrame, index = ImageNet file name, column cluster."""
    import pandas as pd

    arrays = _representations(at)
    return pd.DataFrame({"cluster": arrays["clusters"]}, index=list(arrays["filenames"]))
