"""ImageNet-1k in its official layouts, ImageNet-A, and the BREEDS tasks made of ImageNet classes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read
from .known import expected
from .registry import Download, File, dataset, entry
from .tables import read_breeds
from .types import Stimuli

WNID = re.compile(r"^n\d{8}$")
SOURCE = "https://image-net.org/download-images"
FILES = "https://image-net.org/data/ILSVRC/2012"
CITATION = "Russakovsky et al. 2015, ImageNet large scale visual recognition challenge, IJCV 115:211-252"
VAL_NAME = re.compile(r"^ILSVRC2012_val_(\d{8})\.JPEG$")


def class_folders(folder) -> list[str]:
    """WordNet ids of the class folders, sorted; InputError for none or for strangers."""
    folder = Path(folder)
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise InputError("holds no class folders", folder, "unpack it as <WordNet id>/<image>")
    if strange := [name for name in names if not WNID.match(name)]:
        raise InputError(f"folder {strange[0]} is no WordNet id", folder, "remove it")
    return names


def tree(at) -> Stimuli:
    """Stimuli of a folder of class folders: ids = file names, concepts = WordNet ids, images = paths (str)."""
    folder = at.path("images")
    ids, paths, shown = [], [], []
    for wnid in class_folders(folder):
        inside = sorted(e.name for e in os.scandir(folder / wnid) if e.name[0] != "." and _image(e.name))
        if not inside:
            raise InputError(f"class folder {wnid} holds no images", folder, read.AGAIN)
        ids += inside
        paths += [f"{folder}/{wnid}/{one}" for one in inside]
        shown += [wnid] * len(inside)
    if len(set(ids)) != len(ids):
        raise InputError("two classes hold a file of one name", folder, "unpack the archives again")
    return at.make(Stimuli, folder, ids=ids, images=paths, concepts=shown)


def _image(name: str) -> bool:
    return name.lower().endswith(read.IMAGES)


def class_numbers(wnids) -> dict[str, int]:
    """Class number of each WordNet id: place in sorted order, as networks trained on ImageNet-1k output them."""
    return {wnid: number for number, wnid in enumerate(sorted(set(wnids)))}


def _check_empty(stimuli, _at):
    """Files of no bytes, sampled evenly (at most 2,000)."""
    step = max(1, len(stimuli) // 2000)
    empty = [path for path in list(stimuli.images)[::step] if os.path.exists(path) and os.path.getsize(path) == 0]
    if empty:
        yield f"{empty[0]}: the image is empty ({len(empty)} of those sampled); {read.AGAIN}"


def _check_train(stimuli, at):
    wrong = [i for i, c in zip(stimuli.ids, stimuli.concepts) if not i.startswith(c + "_")]
    if wrong:
        yield f"{at.path('images')}: {len(wrong)} files lie in another class, first {wrong[0]}; unpack again"
    yield from _check_empty(stimuli, at)


_ACCESS = "account at image-net.org and its terms"


@dataset(
    "imagenet/train",
    title="ImageNet-1k training images",
    kind="stimuli",
    files={"images": File("imagenet/train", "<WordNet id>/<WordNet id>_<number>.JPEG", folder=True)},
    source=SOURCE,
    licence="research use (ImageNet terms)",
    citation=CITATION,
    row_order="ids inside; class number = place of the WordNet id in sorted order",
    access=_ACCESS,
    size="138 GB",
    expect={"images": 1281167, "concepts": 1000},
    check=_check_train,
    steps=(
        f"register at {SOURCE} and take {FILES}/ILSVRC2012_img_train.tar (md5 1d675b47d978889d74fa0da5fadfb00e)",
        "unpack it, and each n........tar in it, to <data>/imagenet/train/<WordNet id>/",
    ),
)
def train(at):
    """Stimuli; ids = file names, concepts = WordNet ids."""
    return tree(at)


@dataset(
    "imagenet/val",
    title="ImageNet-1k validation images",
    kind="stimuli",
    files={
        "images": File(
            "imagenet/val", "ILSVRC2012_val_00000001.JPEG ... (official, flat), or <WordNet id>/ folders", folder=True
        ),
        "devkit": File(
            "imagenet/ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
            "one ILSVRC2012_ID (from 1) a line; only for the flat layout",
            optional=True,
        ),
        "meta": File("imagenet/ILSVRC2012_devkit_t12/data/meta.mat", "synsets: ILSVRC2012_ID, WNID", optional=True),
        "list": File(
            "imagenet/val.txt",
            "file name and class number (sorted order, from 0) a line; instead of the devkit",
            optional=True,
        ),
    },
    source=SOURCE,
    licence="research use (ImageNet terms)",
    citation=CITATION,
    row_order="ids inside",
    access=_ACCESS,
    size="6.3 GB",
    expect={"images": 50000, "concepts": 1000},
    check=_check_empty,
    steps=(
        f"register at {SOURCE} and take {FILES}/ILSVRC2012_img_val.tar (md5 29b22e2961454d5413ddabcf34fc5622) and "
        "ILSVRC2012_devkit_t12.tar.gz (md5 fa75699e90414af021442c21a62c3abf) beside it",
        "unpack the images to <data>/imagenet/val, the devkit to <data>/imagenet/ILSVRC2012_devkit_t12",
    ),
)
def val(at):
    """Stimuli; ids = file names, concepts = WordNet ids."""
    folder = at.path("images")
    with os.scandir(folder) as held:
        folders = any(entry.is_dir() and entry.name[0] != "." for entry in held)
    if folders:
        return tree(at)
    names = [path.name for path in read.list_images(folder)]
    numbers = []
    for name in names:
        found = VAL_NAME.match(name)
        if not found:
            raise InputError(f"file {name} is not called ILSVRC2012_val_........JPEG", folder, "remove or rename it")
        numbers.append(int(found.group(1)))
    wnids = _devkit(at, numbers) if at.get("devkit") else _list(at, names)
    return at.make(Stimuli, folder, ids=names, images=[f"{folder}/{name}" for name in names], concepts=wnids)


def _devkit(at, numbers) -> list[str]:
    """WordNet ids by the devkit: its class ids are not in sorted order, meta.mat names them."""
    truth, meta = at.path("devkit"), at.path("meta")
    labels = read.whole(read.read_numbers(truth, 1)[:, 0], truth)
    synsets = read.read_mat(meta, ("synsets",))["synsets"]
    try:
        of = {int(one["ILSVRC2012_ID"]): str(one["WNID"]) for one in np.atleast_1d(synsets)}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"synsets lack ILSVRC2012_ID or WNID ({error})", meta, read.AGAIN) from None
    if len(labels) not in (50_000, len(numbers)):  # a line too many would shift all later labels
        raise InputError(f"has {len(labels)} labels for {len(numbers)} pictures, not 50000", truth, read.AGAIN)
    if max(numbers) > len(labels):
        raise InputError(f"has {len(labels)} labels, image {max(numbers)} has none", truth, read.AGAIN)
    chosen = labels[np.array(numbers) - 1]
    if strange := [int(label) for label in np.unique(chosen) if int(label) not in of]:
        raise InputError(f"label {strange[0]} is not in meta.mat", truth, read.AGAIN)
    return [of[int(label)] for label in chosen]


def _list(at, names) -> list[str]:
    path = at.get("list")
    if path is None:
        raise InputError(
            "is flat and has no labels",
            at.path("images"),
            "add the devkit (ILSVRC2012_devkit_t12) or imagenet/val.txt, or sort images into class folders",
        )
    wnids = class_folders(at.root / "imagenet/train") if (at.root / "imagenet/train").is_dir() else None
    of = {}
    for row, line in enumerate(read.read_lines(path), 1):
        parts = line.split()
        if len(parts) != 2 or not parts[1].isdigit():
            raise InputError(f"line {row} is not 'file number'", path, read.AGAIN)
        of[parts[0]] = int(parts[1])
    if missing := [name for name in names if name not in of]:
        raise InputError(f"has no label for {missing[0]}", path, read.AGAIN)
    if wnids is None:
        return [f"class{of[name]:04d}" for name in names]
    if max(of.values()) >= len(wnids):
        raise InputError(f"label {max(of.values())} where there are {len(wnids)} classes", path, "labels count from 0")
    return [wnids[of[name]] for name in names]


@dataset(
    "imagenet_a",
    title="ImageNet-A: natural adversarial examples of 200 ImageNet classes",
    kind="stimuli",
    files={"images": File("imagenet-a", "<WordNet id>/<image>.jpg", also=("imagenet_a",), folder=True)},
    source="https://github.com/hendrycks/natural-adv-examples",
    licence="MIT",
    citation="Hendrycks, Zhao, Basart, Steinhardt, Song 2021, Natural adversarial examples, CVPR",
    row_order="ids inside",
    size="690 MB",
    expect={"concepts": 200},
    likely={"images": 7500},
    check=_check_empty,
    downloads=(
        Download(
            "https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar",
            "",
            checksum="md5:c3e55429088dc681f30d81f4726b6595",
            unpack=True,
            size=687552512,
        ),
    ),
)
def imagenet_a(at):
    """Stimuli; ids = WordNet id/file name, concepts = WordNet ids."""
    folder = at.path("images")
    ids, paths, shown = [], [], []
    for wnid in class_folders(folder):
        for path in read.list_images(folder / wnid):
            ids.append(f"{wnid}/{path.name}")
            paths.append(str(path))
            shown.append(wnid)
    return at.make(Stimuli, folder, ids=ids, images=paths, concepts=shown)


TASKS = {"entity13": 13, "entity30": 30, "living17": 17, "nonliving26": 26}


def breeds_stimuli(stimuli: Stimuli, groups, classes: dict[str, int], name: str) -> Stimuli:
    """The images of one BREEDS task.

    Parameters
    ----------
    stimuli : Stimuli
        ImageNet images, concepts = WordNet ids.
    groups : list of dict
        As ``load("tables/breeds")[task]``.
    classes : dict of WordNet id to class number
        Of all ImageNet classes (:func:`class_numbers`).
    name : str

    Returns
    -------
    Stimuli
        concepts = superclass ("super 3"), meta domain = "source" or "target", meta wnid.
    """
    place = {}
    for group in groups:
        for domain in ("source", "target"):
            for number in group[domain]:
                place[number] = (f"super {group['super']}", domain)
    rows = [row for row, wnid in enumerate(stimuli.concepts) if classes.get(wnid) in place]
    if max(place) >= len(classes):
        raise InputError(
            f"has {len(classes)} classes, the task uses class {max(place)}",
            stimuli.name,
            "all ImageNet classes are needed",
        )
    if not rows:
        raise InputError("none of its images belongs to a class of the task", stimuli.name, "check the class folders")
    found = [place[classes[stimuli.concepts[row]]] for row in rows]
    return Stimuli(
        ids=[stimuli.ids[row] for row in rows],
        source=stimuli.source,
        licence=stimuli.licence,
        images=[stimuli.images[row] for row in rows],
        concepts=[one for one, _ in found],
        meta={"domain": [domain for _, domain in found], "wnid": [stimuli.concepts[row] for row in rows]},
        name=name,
    )


def _register_breeds(task, count):
    @dataset(
        f"breeds/{task}",
        title=f"BREEDS {task}: subpopulation shift, validation images",
        kind="stimuli",
        files={
            "images": File("imagenet/val", "as imagenet/val", folder=True, shared=True),
            "breeds": File("tables/breeds.json", "class numbers of source and target", shared=True),
        },
        source="https://github.com/MadryLab/BREEDS-Benchmarks",
        licence="research use (ImageNet terms)",
        citation="Santurkar, Tsipras, Madry 2021, BREEDS, ICLR",
        row_order="ids inside",
        access=_ACCESS,
        size="part of imagenet/val",
        expect={"concepts": count},
        steps=("get imagenet/val and tables/breeds",),
    )
    def load(at):
        """Stimuli; concepts = superclass, meta domain = source or target. Training images: ``breeds_stimuli``."""
        groups = read_breeds(at.path("breeds"))
        if task not in groups:
            raise InputError(f"has no task {task} (it has {', '.join(groups)})", at.path("breeds"), read.AGAIN)
        stimuli = at.load("imagenet/val")
        classes = class_numbers(stimuli.concepts)
        all_of_them = expected(entry("imagenet/val"), at.root).get("concepts", len(classes))
        if len(classes) != all_of_them:  # else the numbers of the classes behind the gap would be others
            raise InputError(
                f"shows {len(classes)} of {all_of_them} classes, whose places number them",
                at.path("images"),
                read.AGAIN,
            )
        return breeds_stimuli(stimuli, groups[task], classes, f"breeds/{task}")


for _task, _count in TASKS.items():
    _register_breeds(_task, _count)
