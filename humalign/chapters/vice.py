"""The small public files on THINGS that several pages read: responses of people, features, embeddings; their names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.types import Triplets
from ..source import Source

CLIP, WORDS, VICE, SPOSE = "things/clip_vit_b32", "things/word2vec", "things/vice_42", "things/spose_49"
RESPONSES = ("things/testset1", "things/testset2", "things/test_10_id")
NEEDED = frozenset({CLIP, WORDS, VICE, SPOSE, *RESPONSES, "things/concepts"})
NAMES = {
    CLIP: "CLIP ViT-B/32",
    WORDS: "word2vec (names)",
    VICE: "VICE, 42 dimensions",
    SPOSE: "SPoSE, 49 dimensions",
    "people": "people",
}
KERNELS = {CLIP: "cosine", WORDS: "cosine", VICE: "dot", SPOSE: "dot"}


def responses(source: Source, names=RESPONSES) -> Triplets:
    """Human responses to THINGS triplets of several files as one set, in THINGS' sorted order of objects."""
    ids = tuple(source.published("things/concepts").index)
    parts = [source.published(name).align(ids) for name in names]
    return replace(
        parts[0],
        triplets=np.concatenate([p.triplets for p in parts]),
        participants=None,
        response_times=None,
        level=None,
    )
