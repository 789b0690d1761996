"""CIFAR-100 in its binary form (the Python form is a pickle) and the coarse odd-one-out task made of it."""

from __future__ import annotations

import random

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import Download, File, dataset
from .types import Stimuli, Triplets

SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"
CITATION = "Krizhevsky 2009, Learning multiple layers of features from tiny images"
SIDE = 32
RECORD = 2 + 3 * SIDE * SIDE
FOLDER = "cifar100/cifar-100-binary"


def _files(split):
    return {
        "images": File(
            f"{FOLDER}/{split}.bin", f"records of {RECORD} bytes: coarse label, fine label, 3 x 32 x 32 pixels"
        ),
        "fine": File(f"{FOLDER}/fine_label_names.txt", "one name a line"),
        "coarse": File(f"{FOLDER}/coarse_label_names.txt", "one name a line"),
    }


_GET = Download(  # the form that torchvision reads is a pickle
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "cifar100",
    checksum="md5:03b5dce01913d631647c71ecec9e9cb8",
    unpack=True,
)


def _names(path) -> tuple[str, ...]:
    names = [line.strip() for line in read.read_lines(path) if line.strip()]
    if len(set(names)) != len(names):
        raise InputError("names a class twice", path, read.AGAIN)
    return tuple(names)


def read_binary(path, fine, coarse):
    """One binary file: images uint8 (m, 32, 32, 3), fine and coarse label numbers (m,).

    Parameters
    ----------
    path : path
    fine, coarse : sequence of str
        Names of the classes.
    """
    read.exists(path)
    size = path.stat().st_size
    if size % RECORD:
        raise InputError(f"has {size} bytes, not a multiple of {RECORD}: truncated or another file", path, read.AGAIN)
    table = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    for column, names, what in ((0, coarse, "coarse"), (1, fine, "fine")):
        if table[:, column].max() >= len(names):
            raise InputError(
                f"{what} label {table[:, column].max()} where there are {len(names)} names", path, read.AGAIN
            )
    order = [len(np.unique(table[table[:, 1] == f, 0])) for f in np.unique(table[:, 1])]
    if max(order) > 1:
        raise InputError("one fine class has several coarse ones", path, read.AGAIN)
    images = table[:, 2:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), table[:, 1].astype(int), table[:, 0].astype(int)


def _register(split, count):
    @dataset(
        f"cifar100/{split}",
        title=f"CIFAR-100, {split} images with fine and coarse labels",
        kind="stimuli",
        files=_files(split),
        source=SOURCE,
        licence="none stated by the authors; research use",
        citation=CITATION,
        row_order="as in the file; ids split/number",
        size="170 MB",
        expect={"images": count, "concepts": 100},
        downloads=(_GET,),
    )
    def load(at):
        """Stimuli (m, 32, 32, 3); concepts = fine class, meta coarse = superclass."""
        fine, coarse = _names(at.path("fine")), _names(at.path("coarse"))
        images, fines, coarses = read_binary(at.path("images"), fine, coarse)
        return at.make(
            Stimuli,
            at.path("images"),
            ids=[f"{split}/{n:05d}" for n in range(len(images))],
            images=images,
            concepts=[fine[n] for n in fines],
            meta={"coarse": [coarse[n] for n in coarses], "split": [split] * len(images)},
        )


_register("train", 50000)
_register("test", 10000)


def generate(labels, n: int = 50000, seed: int = 0) -> np.ndarray:
    """Coarse odd-one-out triplets from labels, the draws of the papers' code.

    A superclass is drawn uniformly, then another one, then two images of the first (with replacement) and one of the
    second. The generator of Python is used as there, class lists being shuffled after each is added, so that the same
    labels and seed give the same triplets; drawing one after the other is what keeps the sequence.

    Parameters
    ----------
    labels : int array (m,)
        Superclass number of each image.
    n, seed : int

    Returns
    -------
    int array (n, 3)
        Column 2 = the odd one out; rows whose first two images are the same occur (drawing with replacement).

    Notes
    -----
    Muttenthaler et al. 2023 (ICLR), reference task; script generate_cifar_triplets of the papers' code.
    """
    labels = np.asarray(labels)
    classes = list(np.unique(labels))
    if len(classes) < 2:
        raise InputError("needs two superclasses or more", "labels", "give one label per image")
    rng = random.Random(seed)
    members = []
    for label in classes:
        members.append(np.flatnonzero(labels == label).tolist())
        rng.shuffle(members)
    rows = np.empty((n, 3), dtype=np.int64)
    numbers = list(range(len(classes)))
    for row in range(n):
        same = rng.choice(numbers)
        other = rng.choice([k for k in numbers if k != same])
        rows[row] = rng.choice(members[same]), rng.choice(members[same]), rng.choice(members[other])
    return rows


def _check_coarse(triplets, at):
    stimuli = at.load("cifar100/train")
    coarse = np.array(stimuli.meta["coarse"])
    a, b, c = triplets.triplets.T
    wrong = (coarse[a] != coarse[b]) | (coarse[a] == coarse[c])
    if wrong.any():
        yield f"{at.entry.name}: {int(wrong.sum())} triplets mix superclasses wrongly; {read.AGAIN}"


@dataset(
    "cifar100/coarse_triplets",
    title="Coarse odd-one-out task on CIFAR-100 superclasses (reference task of paper 1)",
    kind="triplets",
    files={
        **_files("train"),
        "triplets": File(
            "cifar100/cifar100_coarse_triplets.npy",
            "(n, 3), 0-based; made from the labels when it is not there",
            optional=True,
        ),
    },
    source="https://github.com/LukasMut/human_alignment (scripts/generate_cifar_triplets.py)",
    licence="facts",
    citation="Muttenthaler et al. 2023, ICLR",
    row_order="as cifar100/train",
    size="none (made in a second)",
    check=_check_coarse,
    downloads=(_GET,),
)
def coarse_triplets(at):
    """Triplets over the training images; those that drew one image twice are dropped (meta dropped)."""
    stimuli = at.load("cifar100/train")
    path = at.get("triplets")
    if path:
        rows = read.read_triplets(path)
    else:
        names = {name: number for number, name in enumerate(_names(at.path("coarse")))}
        rows = generate(np.array([names[one] for one in stimuli.meta["coarse"]]))
    twice = rows[:, 0] == rows[:, 1]
    return at.make(
        Triplets,
        path or at.path("images"),
        ids=stimuli.ids,
        triplets=rows[~twice],
        concepts=stimuli.concepts,
        meta={"dropped": int(twice.sum()), "made": path is None},
    )
