"""Dimensions of real people: what CLIP shares with the public VICE embedding, by dimension and by regression."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd

from .. import concepts as measures
from .. import odd_one_out, probing, resample, show
from .. import record as recording
from ..data.types import Triplets
from ..results import combine, interval
from ..similarity import similarity_matrix
from ..source import Source
from . import concepts

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


def _public(source: Source) -> dict:
    everything, training = responses(source), responses(source, RESPONSES[2:])
    ids, strengths = everything.ids, (STRENGTH,)
    vice = source.published(VICE).align(ids).values
    heavy = np.argsort(-vice.sum(0), kind="stable")
    vice, names = vice[:, heavy], [concepts.VICE_LABELS[int(k)] for k in heavy]
    part = concepts.divide(everything, vice, names)
    clip = source.published(CLIP).align(ids).values
    words = source.published(WORDS).align(ids).values
    scores = [odd_one_out.scores(similarity_matrix(x, "cosine"), part.triplets.triplets) == 1 for x in (clip, words)]
    out = [concepts.by_dimension([{"model": CLIP}, {"model": WORDS}], scores, part, concepts.ZERO, profile="slice")]
    settings = {"penalty": "identity", "tolerance": 1e-4, "max_iterations": 100}
    settings["device"] = source.profile.torch_device()
    cross = probing.cross_validation(
        clip, training.triplets, strengths=strengths, n_folds=3, seed=concepts.SEED, **settings
    )
    held = cross.held_out()
    rows = held["triplet"].to_numpy()
    inside, at = concepts.subset(concepts.divide(training, vice, names), rows)
    before = odd_one_out.scores(similarity_matrix(clip, "cosine"), training.triplets[rows]) == 1
    for stage, right in ((concepts.SAME, before), (concepts.PROBED, held["choice"].to_numpy() == 2)):
        out.append(concepts.by_dimension([{"model": CLIP}], [right[at]], inside, stage, profile="slice"))
    spose = source.published(SPOSE).align(ids).values
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
PUBLIC = recording.Study("slice_concepts", NEEDED, ("accuracy", "r2", "examples", "facts"), 2, _public)


# ---- what the page shows ---------------------------------------------------------------------------------------------


def _clip(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of CLIP, one row a dimension, one column a stage; values on few triplets left out."""
    part = accuracy[(accuracy["model"] == CLIP) & (accuracy["n"] >= concepts.FEW)]
    return part.pivot(index="detail", columns="stage", values="value")


def numbers(tables: recording.Tables) -> dict:
    """Numbers of the prose, by key: responses that VICE predicts, and what the transform adds to CLIP.

    Parameters
    ----------
    tables : Tables
        Of ``PUBLIC``.
    """
    counted = tables["facts"].set_index("what")["value"]
    stages = _clip(tables["accuracy"]).dropna()
    gain = (stages[concepts.PROBED] - stages[concepts.SAME]).sort_values(ascending=False)
    best, told = gain.index[0], tables.provenance
    return {
        "con_public": show.number(tables.when, None, told, "THINGS-data, VICE, SPoSE"),
        "con_public_kept": show.number(int(counted["predicted by VICE"]), None, told),
        "con_public_total": show.number(int(counted["triplets"]), None, told),
        "con_public_gain": ", ".join(gain.index[:4]),
        "con_public_best": best,
        "con_public_before": show.number(stages.loc[best, concepts.SAME], None, told),
        "con_public_after": show.number(stages.loc[best, concepts.PROBED], None, told),
    }


def leading(examples: pd.DataFrame, width: int = 60) -> pd.DataFrame:
    """The leading objects of each dimension as one line of text: dimension, leading objects."""
    lines = examples.sort_values("rank").groupby("dimension", sort=False)["concept"].agg(", ".join)
    return lines.map(lambda text: textwrap.shorten(text, width, placeholder=" …")).reset_index(name="leading objects")


def table(tables: recording.Tables) -> pd.DataFrame:
    """One row a VICE dimension, from heavy to light: leading objects, triplets, accuracy of CLIP at three stages.

    Accuracies on few triplets are left out.

    Parameters
    ----------
    tables : Tables
        Of ``PUBLIC``.
    """
    accuracy = tables["accuracy"]
    plain = accuracy[(accuracy["stage"] == concepts.ZERO) & (accuracy["model"] == CLIP)]
    out = leading(tables["examples"]).merge(_clip(accuracy), left_on="dimension", right_index=True, how="left")
    out = out.merge(plain[["detail", "n"]], left_on="dimension", right_on="detail")
    out = out.assign(n=out["n"].astype(int), provenance=tables.provenance)
    out = out.rename(columns={"n": "triplets", concepts.SAME: "same triplets"})
    return out[["dimension", "leading objects", "triplets", "zero-shot", "same triplets", "probed", "provenance"]]
