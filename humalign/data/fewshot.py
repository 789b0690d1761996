"""Sets for few-shot transfer: Caltech-101, DTD and Pets (read by torchvision), Cars-196, UC-Merced."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import Download, File, dataset
from .types import Stimuli

VGG = "https://www.robots.ox.ac.uk/~vgg/data"


def _torchvision(kind: str, at, key: str, **options):
    """A data set of ``torchvision.datasets`` on the files that are there; what is wrong with them is one line."""
    from .. import compat  # noqa: F401  isort: skip  (before torchvision)
    from torchvision import datasets

    try:
        return getattr(datasets, kind)(at.root, **options)
    except (RuntimeError, ValueError, OSError, LookupError) as error:
        raise InputError(f"cannot be read ({error})", at.path(key), read.AGAIN) from None


def _stimuli(at, ids, paths, shown, **meta) -> Stimuli:
    """Stimuli of listed pictures, which have to be there, one of each name and not empty."""
    if not ids:
        raise InputError("lists no pictures", at.root / next(iter(at.entry.files.values())).path, read.AGAIN)
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InputError(f"lists {twice} twice", at.root / next(iter(at.entry.files.values())).path, read.AGAIN)
    here = {str(path) for folder in sorted({Path(path).parent for path in paths}) for path in read.list_images(folder)}
    if gone := [path for path in map(str, paths) if path not in here]:
        where = Path(gone[0])
        raise InputError(f"lacks {len(gone)} listed images, for instance {where.name}", where.parent, read.AGAIN)
    return at.make(Stimuli, at.root, ids=ids, images=[str(path) for path in paths], concepts=shown, meta=meta)


@dataset(
    "caltech101",
    title="Caltech-101, photographs of 101 object categories",
    kind="stimuli",
    files={
        "images": File(
            "caltech101/101_ObjectCategories", "<class>/image_0001.jpg; BACKGROUND_Google is left out", folder=True
        )
    },
    source="https://data.caltech.edu/records/mzrjq-6wc02",
    licence="CC-BY-4.0",
    citation="Fei-Fei, Fergus, Perona 2004, CVPR workshop",
    row_order="ids inside",
    size="130 MB",
    expect={"concepts": 101},
    downloads=(
        Download(
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
            "caltech101",
            checksum="md5:3138e1922a9193bfa496528edbbc45d0",
            unpack=True,
            inner=("caltech-101/101_ObjectCategories.tar.gz", "md5:b224c7392d521a49829488ab0f1120d9"),
        ),
    ),
)
def caltech101(at):
    """Stimuli; concepts = class; no official split."""
    found, folder = _torchvision("Caltech101", at, "images"), at.path("images")
    shown = [found.categories[k] for k in found.y]
    names = [f"image_{number:04d}" for number in found.index]
    paths = [folder / one / f"{name}.jpg" for one, name in zip(shown, names)]
    return _stimuli(at, [f"{one}/{name}" for one, name in zip(shown, names)], paths, shown)


def _mat_annotations(path, images) -> tuple[list, list, list]:
    content = read.read_mat(path, ("annotations",))
    rows = np.atleast_1d(content["annotations"])
    try:
        names = [str(row["fname"]) for row in rows]
        classes = [int(row["class"]) for row in rows]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"annotations lack fname or class ({error})", path, "take the file with labels") from None
    if not names:
        raise InputError("annotations are empty", path, read.AGAIN)
    if min(classes) < 1:
        raise InputError(f"class {min(classes)} where classes count from 1", path, read.AGAIN)
    return names, classes, [str(Path(images) / name) for name in names]


@dataset(
    "cars196",
    title="Stanford Cars, 196 car models",
    kind="stimuli",
    files={
        "train": File("cars196/cars_train", "00001.jpg ...", folder=True),
        "test": File("cars196/cars_test", "00001.jpg ...", folder=True),
        "train_labels": File("cars196/devkit/cars_train_annos.mat", "annotations: fname, class (from 1)"),
        "test_labels": File(
            "cars196/cars_test_annos_withlabels.mat",
            "annotations: fname, class (from 1)",
            also=("cars196/devkit/cars_test_annos_withlabels.mat",),
        ),
        "names": File("cars196/devkit/cars_meta.mat", "class_names", optional=True),
    },
    source="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (no longer served; labels and copies exist)",
    licence="research use",
    citation="Krause, Stark, Deng, Fei-Fei 2013, 3DRR workshop",
    row_order="ids inside",
    access="Kaggle account for the pictures: the authors' server is off",
    size="1.9 GB",
    expect={"concepts": 196},
    downloads=(
        Download(
            "https://github.com/pytorch/vision/files/11644847/car_devkit.tgz",
            "cars196",
            checksum="md5:c3b158d763b6e2245038c8ad08e45376",
            unpack=True,
        ),
        Download(
            "https://github.com/nguyentruonglau/stanford-cars/blob/main/labeldata/cars_test_annos_withlabels.mat?raw=true",
            "cars196/cars_test_annos_withlabels.mat",
            checksum="md5:b0a2b23655a3edd16d84508592a98d10",
        ),
    ),
    steps=(
        "take the pictures from Kaggle (data set rickyyyyyyy/torchvision-stanford-cars, or "
        "jessicali9530/stanford-cars-dataset; cars_test.tgz has md5 4ce7ebf6a94d07f1952d94dd34c4d501)",
        "put them at <data>/cars196/cars_train and <data>/cars196/cars_test",
    ),
)
def cars196(at):
    """Stimuli; concepts = class name or number, meta split = train or test."""
    names = None
    if at.get("names"):
        names = [str(one) for one in np.atleast_1d(read.read_mat(at.path("names"), ("class_names",))["class_names"])]
        if not names:
            raise InputError("names no class", at.path("names"), read.AGAIN)
    ids, paths, shown, split = [], [], [], []
    for part in ("train", "test"):
        here = {path.name for path in read.list_images(at.path(part))}
        files, classes, found = _mat_annotations(at.path(f"{part}_labels"), at.path(part))
        if missing := sorted(set(files) - here):
            raise InputError(f"lacks {len(missing)} images, for instance {missing[0]}", at.path(part), read.AGAIN)
        if names and max(classes) > len(names):
            raise InputError(
                f"class {max(classes)} where there are {len(names)}", at.path(f"{part}_labels"), read.AGAIN
            )
        ids += [f"{part}/{Path(name).stem}" for name in files]
        paths += found
        shown += [names[c - 1] if names else f"class {c}" for c in classes]
        split += [part] * len(files)
    return _stimuli(at, ids, paths, shown, split=split)


@dataset(
    "dtd",
    title="Describable Textures (DTD), 47 textures",
    kind="stimuli",
    files={
        "images": File("dtd/dtd/images", "<texture>/<texture>_0001.jpg", folder=True),
        "train": File("dtd/dtd/labels/train1.txt", "<texture>/<image> a line"),
        "val": File("dtd/dtd/labels/val1.txt", "the same"),
        "test": File("dtd/dtd/labels/test1.txt", "the same"),
    },
    source=f"{VGG}/dtd/",
    licence="research use",
    citation="Cimpoi, Maji, Kokkinos, Mohamed, Vedaldi 2014, CVPR",
    row_order="ids inside",
    size="625 MB",
    expect={"concepts": 47},
    downloads=(
        Download(
            f"{VGG}/dtd/download/dtd-r1.0.1.tar.gz",
            "dtd",
            checksum="md5:fff73e5086ae6bdbea199a49dfb8a4c1",
            unpack=True,
        ),
    ),
)
def dtd(at):
    """Stimuli; concepts = texture, meta split = train, val or test (first of the ten official splits)."""
    parts = {name: _torchvision("DTD", at, name, split=name) for name in ("train", "val", "test")}
    paths = [path for part in parts.values() for path in part._image_files]
    shown = [part.classes[k] for part in parts.values() for k in part._labels]
    split = [name for name, part in parts.items() for _ in part._labels]
    return _stimuli(at, [f"{one}/{path.stem}" for one, path in zip(shown, paths)], paths, shown, split=split)


@dataset(
    "pets",
    title="Oxford-IIIT Pets, 37 breeds of cats and dogs",
    kind="stimuli",
    files={
        "images": File("oxford-iiit-pet/images", "<Breed>_<number>.jpg", folder=True),
        "train": File("oxford-iiit-pet/annotations/trainval.txt", "name, class (from 1), species, breed number"),
        "test": File("oxford-iiit-pet/annotations/test.txt", "the same"),
    },
    source=f"{VGG}/pets/",
    licence="CC-BY-SA-4.0",
    citation="Parkhi, Vedaldi, Zisserman, Jawahar 2012, CVPR",
    row_order="ids inside",
    size="800 MB",
    expect={"concepts": 37},
    downloads=(
        Download(
            f"{VGG}/pets/data/images.tar.gz",
            "oxford-iiit-pet",
            checksum="md5:5c4f3ee8e5d25df40f4fd59a7f44e54c",
            unpack=True,
        ),
        Download(
            f"{VGG}/pets/data/annotations.tar.gz",
            "oxford-iiit-pet",
            checksum="md5:95a8c909bbe2e81eed6a22bccdf3f68f",
            unpack=True,
        ),
    ),
)
def pets(at):
    """Stimuli; concepts = breed, meta split = train or test."""
    splits = {"train": "trainval", "test": "test"}
    parts = {name: _torchvision("OxfordIIITPet", at, name, split=part) for name, part in splits.items()}
    for name, part in parts.items():
        if any(not 0 <= k < len(part.classes) for k in part._labels) or len(set(part.classes)) != len(part.classes):
            raise InputError("numbers its breeds in two ways", at.path(name), read.AGAIN)
    paths = [path for part in parts.values() for path in part._images]
    shown = [part.classes[k] for part in parts.values() for k in part._labels]
    split = [name for name, part in parts.items() for _ in part._labels]
    return _stimuli(at, [path.stem for path in paths], paths, shown, split=split)


@dataset(
    "ucmerced",
    title="UC-Merced land use, aerial images of 21 classes",
    kind="stimuli",
    files={"images": File("ucmerced/UCMerced_LandUse/Images", "<class>/<class>00.tif", folder=True)},
    source="http://weegee.vision.ucmerced.edu/datasets/landuse.html",
    licence="public domain (USGS images)",
    citation="Yang, Newsam 2010, ACM GIS",
    row_order="ids inside",
    size="330 MB",
    expect={"concepts": 21, "images": 2100},
    downloads=(
        Download(
            "https://hf.co/datasets/torchgeo/ucmerced/resolve/7c5ef3454d9b1cccfa7ccde0c01fc8f00a45909a/UCMerced_LandUse.zip",
            "ucmerced",
            mirrors=("http://weegee.vision.ucmerced.edu/datasets/UCMerced_LandUse.zip",),
            checksum="md5:5b7ec56793786b6dc8a908e8854ac0e4",
            unpack=True,
        ),
    ),
)
def ucmerced(at):
    """Stimuli; concepts = class; no official split."""
    folder = at.path("images")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not names:
        raise InputError("holds no class folders", folder, "unpack it as <class>/<image>")
    found = [(name, path) for name in names for path in read.list_images(folder / name)]
    ids = [f"{name}/{path.stem}" for name, path in found]
    return _stimuli(at, ids, [path for _, path in found], [name for name, _ in found])
