"""Sets for few-shot transfer: Caltech-101, Cars-196, DTD, Pets and UC-Merced (CIFAR-100 has its own module)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import Download, File, dataset
from .types import Stimuli

VGG = "https://www.robots.ox.ac.uk/~vgg/data"


def _folders(folder, skip=()) -> tuple[list, list, list]:
    """ids (class/stem), paths and classes of a folder of class folders."""
    ids, paths, shown = [], [], []
    names = sorted(p.name for p in Path(folder).iterdir() if p.is_dir() and p.name[0] != "." and p.name not in skip)
    if not names:
        raise InputError("holds no class folders", folder, "unpack it as <class>/<image>")
    for name in names:
        for path in read.list_images(Path(folder) / name):
            ids.append(f"{name}/{path.stem}")
            paths.append(str(path))
            shown.append(name)
    return ids, paths, shown


def _stimuli(at, ids, paths, shown, **meta) -> Stimuli:
    if len(set(ids)) != len(ids):
        raise InputError("holds two images of one name in a class", at.root, "remove the copies")
    return at.make(Stimuli, at.root, ids=ids, images=paths, concepts=shown, meta=meta)


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
        Download("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", "caltech101", unpack=True),
    ),
    steps=("it holds caltech-101/101_ObjectCategories.tar.gz: unpack that to <data>/caltech101",),
)
def caltech101(at):
    """Stimuli; concepts = class; no official split."""
    return _stimuli(at, *_folders(at.path("images"), skip=("BACKGROUND_Google",)))


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
    source="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (no longer served; copies exist)",
    licence="research use",
    citation="Krause, Stark, Deng, Fei-Fei 2013, 3DRR workshop",
    row_order="ids inside",
    needs="a copy: the authors' server is off",
    size="1.9 GB",
    expect={"concepts": 196},
    steps=("find a copy with the files above", "put it under <data>/cars196"),
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
        "images": File("dtd/images", "<texture>/<texture>_0001.jpg", folder=True),
        "train": File("dtd/labels/train1.txt", "<texture>/<image> a line"),
        "val": File("dtd/labels/val1.txt", "the same"),
        "test": File("dtd/labels/test1.txt", "the same"),
    },
    source=f"{VGG}/dtd/",
    licence="research use",
    citation="Cimpoi, Maji, Kokkinos, Mohamed, Vedaldi 2014, CVPR",
    row_order="ids inside",
    size="625 MB",
    expect={"concepts": 47},
    downloads=(Download(f"{VGG}/dtd/download/dtd-r1.0.1.tar.gz", "", unpack=True),),
)
def dtd(at):
    """Stimuli; concepts = texture, meta split = train, val or test (first of the ten official splits)."""
    ids, paths, shown = _folders(at.path("images"))
    part = {}
    for name in ("train", "val", "test"):
        for line in read.read_lines(at.path(name)):
            key = str(Path(line.strip()).with_suffix(""))
            if key in part:
                raise InputError(f"{line.strip()} is in two splits", at.path(name), read.AGAIN)
            part[key] = name
    known = set(ids)
    if unknown := [key for key in part if key not in known]:
        raise InputError(
            f"lacks {len(unknown)} listed images, for instance {unknown[0]}", at.path("images"), read.AGAIN
        )
    if lost := [key for key in ids if key not in part]:
        raise InputError(f"lists no split for {len(lost)} images, for instance {lost[0]}", at.path("train"), read.AGAIN)
    return _stimuli(at, ids, paths, shown, split=[part[one] for one in ids])


@dataset(
    "pets",
    title="Oxford-IIIT Pets, 37 breeds of cats and dogs",
    kind="stimuli",
    files={
        "images": File("pets/images", "<Breed>_<number>.jpg", folder=True),
        "train": File("pets/annotations/trainval.txt", "name, class (from 1), species, breed number"),
        "test": File("pets/annotations/test.txt", "the same"),
    },
    source=f"{VGG}/pets/",
    licence="CC-BY-SA-4.0",
    citation="Parkhi, Vedaldi, Zisserman, Jawahar 2012, CVPR",
    row_order="ids inside",
    size="800 MB",
    expect={"concepts": 37},
    downloads=(
        Download(f"{VGG}/pets/data/images.tar.gz", "pets", unpack=True),
        Download(f"{VGG}/pets/data/annotations.tar.gz", "pets", unpack=True),
    ),
)
def pets(at):
    """Stimuli; concepts = breed, meta split = train or test."""
    folder = at.path("images")
    here = {path.stem: path for path in read.list_images(folder)}
    ids, shown, split, classes = [], [], [], {}
    for part in ("train", "test"):
        for row, line in enumerate(read.read_lines(at.path(part)), 1):
            if line.startswith("#"):
                continue
            fields = line.split()
            if len(fields) != 4 or not fields[1].isdigit():
                raise InputError(f"line {row} is not 'name class species breed'", at.path(part), read.AGAIN)
            breed = fields[0].rsplit("_", 1)[0]
            if classes.setdefault(fields[1], breed) != breed:
                raise InputError(
                    f"line {row}: class {fields[1]} is {breed} and {classes[fields[1]]}", at.path(part), read.AGAIN
                )
            if fields[0] not in here:
                raise InputError(f"lacks {fields[0]}.jpg, which {at.path(part).name} lists", folder, read.AGAIN)
            ids.append(fields[0])
            shown.append(breed)
            split.append(part)
    return _stimuli(at, ids, [str(here[one]) for one in ids], shown, split=split)


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
    downloads=(Download("http://weegee.vision.ucmerced.edu/datasets/UCMerced_LandUse.zip", "ucmerced", unpack=True),),
)
def ucmerced(at):
    """Stimuli; concepts = class; no official split."""
    return _stimuli(at, *_folders(at.path("images")))
