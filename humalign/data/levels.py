"""Levels (AligNet's human data): trial lists, answered sessions, and the pairs of the validation study."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import File, dataset

LEVEL = {"between_class": "coarse", "within_class": "fine", "class_border": "boundary", "class_boundary": "boundary"}
CLASSES = {"coarse": 3, "fine": 1, "boundary": 2}
IMAGENET_NAME = re.compile(r"^(n\d{8})_(\d+)\.JPEG$")
PAPER = "Muttenthaler, Greff, Born et al. 2025, Aligning machine and human visual representations, Nature"
GIN = "https://gin.g-node.org/fborn/Dataset_Levels"


def image_name(path, where, line) -> str:
    """The ImageNet file name at the end of a stimulus path; InputError when it is none."""
    name = PurePosixPath(str(path)).name
    if not IMAGENET_NAME.match(name):
        raise InputError(f"row {line} names '{str(path)[:60]}', not an ImageNet file", where, read.AGAIN)
    return name


def level_of(kinds, images, where) -> np.ndarray:
    """Level names (n,) of triplet classes, checked against the number of different WordNet ids in each triplet."""
    kinds = np.asarray(kinds, dtype=object)
    if unknown := [k for k in dict.fromkeys(kinds) if k not in LEVEL]:
        raise InputError(f"triplet class '{unknown[0]}' is unknown", where, f"classes are {', '.join(LEVEL)}")
    level = np.array([LEVEL[k] for k in kinds])
    synsets = [[name.split("_")[0] for name in row] for row in images]
    different = np.array([len(set(row)) for row in synsets])
    wanted = np.array([CLASSES[one] for one in level])
    if (different != wanted).any():
        row = int(np.argmax(different != wanted))
        raise InputError(
            f"row {row} is called {kinds[row]} but shows {different[row]} ImageNet classes", where, read.AGAIN
        )
    return level


@dataset(
    "levels/trials",
    title="Levels: trial lists of the first 20 participant slots (no responses)",
    kind="levels",
    profiles=("slice", "full"),
    files={
        "trials": File(
            "levels/triplets_experiment_first_20_participants.csv", "id, image1, image2, image3, trial, triplet_class"
        )
    },
    source="https://github.com/Frieda-Josefine/HumanEval_experiment",
    licence="MIT",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="1.9 MB",
    expect={"rows": 6600},
)
def trials(at):
    """DataFrame: participant, trial, image1, image2, image3 (ImageNet file names), level (coarse, fine, boundary)."""
    import pandas as pd

    path = at.path("trials")
    images = ["image1", "image2", "image3"]
    columns = ["id", *images, "trial", "triplet_class"]
    frame = read.read_frame(path, columns, text=("id", *images, "triplet_class"))
    names = [[image_name(p, path, row) for p in line] for row, line in enumerate(frame[images].to_numpy())]
    if twice := [row for row, line in enumerate(names) if len(set(line)) < 3]:
        raise InputError(f"row {twice[0]} names one image twice", path, read.AGAIN)
    level = level_of(frame["triplet_class"], names, path)
    result = pd.DataFrame(names, columns=images)
    result.insert(0, "participant", frame["id"].to_numpy())
    result.insert(1, "trial", frame["trial"].to_numpy())
    result["level"] = level
    return result


@dataset(
    "levels/alignet_pairs",
    title="AligNet validation study: the 200 image pairs, as three participants saw them",
    kind="levels",
    profiles=("slice", "full"),
    files={"pairs": File("levels/alignet_validation_pairs.csv", "id; image1; image2; trial_type")},
    source="https://github.com/Frieda-Josefine/AligNet-Human-Validation-Experiment",
    licence="MIT",
    citation=PAPER,
    row_order="ids inside (ImageNet file names)",
    size="35 kB",
    expect={"rows": 200},
)
def alignet_pairs(at):
    """DataFrame (pairs, 2): image1, image2 (ImageNet file names); every participant saw the same pairs."""
    import pandas as pd

    path = at.path("pairs")
    frame = read.read_frame(path, ("id", "image1", "image2"), sep=";", text=("id", "image1", "image2"))
    pairs = {}
    for row, (person, *two) in enumerate(frame[["id", "image1", "image2"]].to_numpy()):
        names = sorted(image_name(one, path, row) for one in two)
        if names[0] == names[1] or names[0].split("_")[0] != names[1].split("_")[0]:
            raise InputError(f"row {row} does not name two images of one ImageNet class", path, read.AGAIN)
        pairs.setdefault(person, set()).add(tuple(names))
    sets = list(pairs.values())
    if any(one != sets[0] for one in sets):
        raise InputError("participants did not see the same pairs", path, read.AGAIN)
    return pd.DataFrame(sorted(sets[0]), columns=["image1", "image2"])
