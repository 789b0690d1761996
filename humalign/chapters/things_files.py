"""The small public files on THINGS that several pages read: answers, and five models of all objects."""

from __future__ import annotations

import numpy as np

from ..data.types import Features
from ..roles import NETWORKS
from ..source import Source

TEST_SETS = ("things/testset1", "things/testset2")
TRAINING = "things/test_10_id"
CONCEPTS = "things/concepts"
EMBEDDINGS = {"spose_49": "things/spose_49", "vice_42": "things/vice_42"}  # of people, fitted to THINGS triplets
IN_SAMPLE = "in-sample: fitted to THINGS triplets"
NAMES = {  # data set: its model on pages
    "things/vice_42": "VICE (42 dimensions)",
    "things/spose_49": "SPoSE (49 dimensions)",
    "things/clip_vit_b32": "CLIP ViT-B/32",
    "things/vgg16_srf200": "VGG-16 (200 factors)",
    "things/word2vec": "word2vec (concept names)",
}


def object_ids(source: Source) -> tuple[str, ...]:
    """The 1,854 THINGS concepts in THINGS' own (sorted) order."""
    return tuple(source.published(CONCEPTS).index)


def questions(triplets) -> np.ndarray:
    """Code of the set of three objects of every row, (n,): equal codes mean the same question."""
    ordered = np.sort(np.asarray(triplets, dtype=np.int64), axis=1)
    base = 1 << 20
    return (ordered[:, 0] * base + ordered[:, 1]) * base + ordered[:, 2]


def models(source: Source, ids) -> list[Features]:
    """Networks, and embeddings fitted to people's choices, that know all concepts, in the order of the table."""
    known, found = {model: name for name, model in NETWORKS.items()}, []
    for model in source.networks()["model"]:
        if model in known:
            part = source.published(known[model]).align(ids)
            found.append(Features(ids, np.asarray(part.values, np.float32), model, "penultimate", part.source))
    return found


def kernel_of(model: str) -> str:
    """Dot products for people's embeddings, as they were fitted; cosine for all others."""
    return "dot" if model in EMBEDDINGS else "cosine"
