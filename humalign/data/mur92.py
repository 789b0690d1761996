"""Mur et al. 2013: 16 people's multi-arrangement dissimilarities of 92 images, and the images themselves."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import File, dataset, raw_file
from .types import HumanRDM, Stimuli

SOURCE = "https://github.com/rsagroup/rsatoolbox (demos/92imageData)"
CITATION = "Mur et al. 2013, Frontiers in Psychology 4:128; Kriegeskorte et al. 2008, Neuron 60:1126-1141"
REPOSITORY, FOLDER = "rsagroup/rsatoolbox", "demos/92imageData"
IMAGES = File(
    "mur92/Kriegeskorte_Neuron2008_supplementalData.mat",
    "stimuli_92objs: 92 images (175, 175, 3) uint8, category flags",
    url=raw_file(
        REPOSITORY, "9ac4b5cdcb702c02481cabba33c551d187d50b6c", f"{FOLDER}/Kriegeskorte_Neuron2008_supplementalData.mat"
    ),
)
RDMS = File(
    "mur92/92_behavRDMs.mat",
    "rdms_behav_92: one (92, 92) dissimilarity matrix a person",
    url=raw_file(REPOSITORY, "8ee4a8f6b55f788acbee29521916f5f38f2926be", f"{FOLDER}/92_behavRDMs.mat"),
)
FLAGS = ("human", "face", "animal", "natural")


_FACTS = {"profiles": ("slice", "full"), "source": SOURCE, "licence": "MIT", "citation": CITATION}


@dataset(
    "mur92/images",
    title="92 object images of Kriegeskorte et al. 2008 with category flags",
    kind="stimuli",
    files={"images": IMAGES},
    row_order="as in the file; ids image01 to image92",
    size="3.6 MB",
    expect={"images": 92},
    **_FACTS,
)
def images(at):
    """Stimuli (92 images, 175 x 175); ids by place in the file, meta: category flags and category vectors."""
    path = at.path("images")
    content = read.read_mat(path, ("stimuli_92objs",))
    stimuli = content["stimuli_92objs"]
    try:
        pictures = [np.asarray(one["image"]) for one in stimuli]
        names = [str(one["category"]) for one in stimuli]
        flags = {key: [bool(one[key]) for one in stimuli] for key in FLAGS}
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"stimuli_92objs lacks a field ({error})", path, read.AGAIN) from None
    if not pictures:
        raise InputError("stimuli_92objs is empty", path, read.AGAIN)
    if bad := [n for n, one in enumerate(pictures) if one.dtype != np.uint8 or one.shape != pictures[0].shape]:
        raise InputError(f"image {bad[0]} is {pictures[bad[0]].dtype} {pictures[bad[0]].shape}", path, read.AGAIN)
    meta = dict(flags)
    if "categoryVectors" in content and "categoryLabels" in content:
        vectors = np.asarray(content["categoryVectors"]).astype(bool)
        if len(vectors) != len(names):
            raise InputError(f"categoryVectors has {len(vectors)} rows for {len(names)} images", path, read.AGAIN)
        meta["categories"] = [
            tuple(str(label) for label, flag in zip(content["categoryLabels"], row) if flag) for row in vectors
        ]
    return at.make(Stimuli, path, ids=ids_of(len(names)), images=np.stack(pictures), concepts=tuple(names), meta=meta)


def ids_of(m: int) -> tuple[str, ...]:
    """Names of the images, by place."""
    return tuple(f"image{n + 1:02d}" for n in range(m))


@dataset(
    "mur92",
    title="Multi-arrangement dissimilarities of 92 images, 16 people",
    kind="rdm",
    files={"rdms": RDMS},
    row_order="as the images (ids image01 to image92)",
    size="1 MB",
    expect={"images": 92, "people": 16},
    **_FACTS,
)
def rdms(at):
    """HumanRDM (people, 92, 92)."""
    path = at.path("rdms")
    people = read.read_mat(path, ("rdms_behav_92",))["rdms_behav_92"]
    people = [people] if isinstance(people, dict) else people
    try:
        matrices = [np.asarray(one["RDM"], dtype=float) for one in people]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"rdms_behav_92 has no field RDM of numbers ({error})", path, read.AGAIN) from None
    if not matrices or any(one.shape != matrices[0].shape or one.ndim != 2 for one in matrices):
        raise InputError("the people's matrices differ in shape", path, read.AGAIN)
    return at.make(HumanRDM, path, ids=ids_of(len(matrices[0])), rdm=np.stack(matrices))
