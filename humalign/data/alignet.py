"""The AligNet release: synthetic triplets with the teacher's similarities, representations and clusters."""

from __future__ import annotations

from dataclasses import replace

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
        """A humalign.alignet.dataset.TripletFile: arrays stay on disk; ``order`` = shares of rows that break it."""
        from ..alignet.dataset import TripletFile

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
