"""Dimensions of real people: what CLIP shares with the public VICE embedding, by dimension and by regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from .. import concepts as measures
from .. import odd_one_out, probing, record, resample
from ..data import registry
from ..data.types import Triplets
from ..results import combine, interval
from ..similarity import similarity_matrix
from . import concepts

VICE_LABELS = {  # columns of the public embedding, with the paper's label for the same leading objects (judged)
    22: "Metal",
    41: "Food",
    31: "Plant-related",
    12: "Animal-related",
    1: "Furniture",
    39: "Clothing",
    4: "Royal",
    34: "Outdoors-related",
    5: "Long, thin, pointed",
    27: "Wood",
    24: "Vehicles",
    21: "Body part",
    26: "Technology",
    28: "Colorful",
    3: "Small repeated items",
    32: "Circular",
    36: "Sports",
    17: "Paper",
    18: "Liquids",
    38: "Sea",
    10: "Red",
    11: "Bathing, medical",
    35: "Powdery",
    25: "Weapons",
    15: "Nets, grating",
    20: "White",
    14: "Arms, legs, skin",
    30: "Sky-related",
    19: "Elongated",
    23: "Spherical",
    8: "Decorative",
    33: "Musical instrument",
    40: "Patterned",
    0: "Green",
    7: "Fire-related",
    29: "Black",
    13: "String-related",
    16: "Shiny",
    37: "Eyes",
    6: "Toy, child",
    2: "Yellow",
    9: "Seating, suspended",
}
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
STRENGTH = 0.1  # of the probe of CLIP; the page on real human data chooses among several
VERSION = 1  # of the tables that are kept: goes up when their numbers change


def responses(profile, names=RESPONSES) -> Triplets:
    """Human responses to THINGS triplets of several files as one set, in THINGS' sorted order of objects."""
    ids = tuple(registry.load("things/concepts", profile).index)
    parts = [registry.load(name, profile).align(ids) for name in names]
    return replace(
        parts[0],
        triplets=np.concatenate([p.triplets for p in parts]),
        participants=None,
        response_times=None,
        level=None,
    )


def _public(source) -> dict:
    profile = source.profile
    everything, training = responses(profile), responses(profile, RESPONSES[2:])
    ids, strengths = everything.ids, (STRENGTH,)
    vice = registry.load(VICE, profile).align(ids).values
    heavy = np.argsort(-vice.sum(0), kind="stable")
    vice, names = vice[:, heavy], [VICE_LABELS[int(k)] for k in heavy]
    part = concepts.divide(everything, vice, names)
    clip = registry.load(CLIP, profile).align(ids).values
    words = registry.load(WORDS, profile).align(ids).values
    scores = [odd_one_out.scores(similarity_matrix(x, "cosine"), part.triplets.triplets) == 1 for x in (clip, words)]
    out = [concepts.group_rows([{"model": CLIP}, {"model": WORDS}], scores, part, concepts.ZERO, profile="slice")]
    settings = {"penalty": "identity", "tolerance": 1e-4, "max_iterations": 100, "device": profile.torch_device()}
    cross = probing.cross_validation(
        clip, training.triplets, strengths=strengths, n_folds=3, seed=concepts.SEED, **settings
    )
    held = cross.held_out()
    rows = held["triplet"].to_numpy()
    inside, at = concepts.subset(concepts.divide(training, vice, names), rows)
    before = odd_one_out.scores(similarity_matrix(clip, "cosine"), training.triplets[rows]) == 1
    for stage, right in ((concepts.SAME, before), (concepts.PROBED, held["choice"].to_numpy() == 2)):
        out.append(concepts.group_rows([{"model": CLIP}], [right[at]], inside, stage, profile="slice"))
    spose = registry.load(SPOSE, profile).align(ids).values
    spose = spose[:, np.argsort(-spose.sum(0), kind="stable")]
    fits, folds = [], probing.object_folds(len(ids), concepts.FOLDS, concepts.SEED)
    targets = [VICE] * vice.shape[1] + [SPOSE] * spose.shape[1]
    labels = [*names, *(f"dimension {k + 1}" for k in range(spose.shape[1]))]
    position = [*range(1, vice.shape[1] + 1), *range(1, spose.shape[1] + 1)]
    both = np.hstack([vice, spose])
    for model, x in ((CLIP, clip), (WORDS, words)):
        _, predicted, _ = measures.regress_dimensions(x, both, names=labels, n_folds=concepts.FOLDS, seed=concepts.SEED)
        value, drawn = resample.r2(both, predicted, folds, ids)
        low, high = interval(drawn)
        columns = {"target": targets, "model": model, "position": position, "dimension": labels, "r2": value}
        fits.append(pd.DataFrame({**columns, "low": low, "high": high}))
    examples = [
        {"dimension": n, "rank": r + 1, "concept": ids[i].replace("_", " ")}
        for k, n in enumerate(names)
        for r, i in enumerate(np.argsort(-vice[:, k])[:6])
    ]
    facts = [{"what": "triplets", "value": part.total}, {"what": "predicted by VICE", "value": len(part.rows)}]
    return {
        "accuracy": combine(*out).table,
        "r2": pd.concat(fits),
        "examples": pd.DataFrame(examples),
        "facts": pd.DataFrame(facts),
    }


# version 2: rows of CLIP by their right names
PUBLIC = record.Study("slice_concepts", NEEDED, ("accuracy", "r2", "examples", "facts"), 2, _public)
