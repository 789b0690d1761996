"""What VICE and SPoSE say of THINGS: embeddings, probabilities, doubt, and the responses that VICE predicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import odd_one_out
from ..errors import InputError
from ..similarity import similarity_matrix
from . import files as read
from . import things
from .features_known import FINAL, VICE, concept_table
from .known import published_checksum
from .registry import Download, File, dataset, raw_file, registered
from .things import CC, HEBART, load_triplets
from .things_full import ANY, DOWNLOADS, PUBLIC, STAND_INS, part_of, places_of
from .verify import Note

VICE_CODE = "LukasMut/VICE", "5f80103ef4c9eb29477c4cadb1c9c54476d59e97"


concept_table(
    "things/vice_44", "VICE embedding, 44 dimensions", "things/embeddings/vice_44d.npy", 44, "raw",
    "https://github.com/LukasMut/VICE (an earlier commit)", "GPL-3.0", VICE,
    url=raw_file(VICE_CODE[0], "4e0cc6886f23c6f2740e0d47bf5e6e3ce72c8785", FINAL),
)  # fmt: skip
concept_table(
    "things/vice_45", "VICE embedding of paper 1, 45 dimensions", "things/embeddings/vice_45d.npy", 45, "raw",
    "not published (the papers' code names it)", "GPL-3.0", VICE,
    also=("things/dimensions/vice_embedding.npy", "dimensions/vice_embedding.npy"),
    steps=("it is not published: ask the authors, or train VICE again; things/vice_44 and things/vice_42 are public "
           "and stand in", "humalign data import FILE --as things/vice_45"),
)  # fmt: skip
concept_table(
    "things/spose_66", "SPoSE embedding, 66 dimensions", "things/embeddings/spose_embedding_66d_sorted.txt", 66,
    "sorted", "https://osf.io/f5rn6/ (as corrected in January 2023)", CC, HEBART,
    url="https://osf.io/nfbp3/download",
)  # fmt: skip


PROBABILITIES = File(
    "things/probas/probabilities_all_triplets.npy",
    "(n, 3), rows sum to 1; class 0 = the kept pair",
    also=("probas/probabilities_all_triplets.npy",),
    url=raw_file(*VICE_CODE, "probas/things/train_set/probabilities_all_triplets.npy"),
)


def _as_many(told, at):
    """A line when no triplets at hand are as many as the probabilities."""
    everything_here = registered("things/all")
    if not everything_here.missing(at.root):
        parts = at.load("things/all").meta["parts"]
        if len(told["probabilities"]) not in (parts[0], sum(parts)):
            yield Note(
                f"{at.path('probabilities')}: has {len(told['probabilities'])} rows, the triplets at hand "
                f"{' + '.join(map(str, parts))}: probabilities of an embedding are taken instead (things/entropies)"
            )


@dataset(
    "things/vice_probabilities",
    title="VICE's probabilities of the three odd-one-out choices for every triplet, and their entropy",
    kind="table",
    files={
        "probabilities": PROBABILITIES,
        "entropies": File(
            "things/entropies/entropies_all_triplets.npy",
            "(n,) nats; computed where it is not there",
            also=("entropies/entropies_all_triplets.npy",),
            optional=True,
        ),
    },
    source=f"https://github.com/{VICE_CODE[0]} (probas/things/train_set)",
    licence="GPL-3.0",
    citation=VICE,
    row_order="as the triplets that VICE was trained on (not confirmed: the papers' code pairs it with things/all)",
    size="about 16 MB",
    check=_as_many,
)
def vice_probabilities(at):
    """Dict: probabilities (n, 3), and entropies (n,) in nats, from their file or computed."""
    path = at.path("probabilities")
    values = read.shaped(read.read_npy(path), (None, 3), path)
    if values.dtype.kind != "f" or not np.isfinite(values).all() or (values < 0).any():
        raise InputError("holds values that are no probabilities", path, read.AGAIN)
    if not np.allclose(values.sum(1), 1, atol=1e-3):
        raise InputError(f"row {int(np.argmax(np.abs(values.sum(1) - 1)))} does not sum to 1", path, read.AGAIN)
    entropies = at.get("entropies")
    if entropies is None:
        return {"probabilities": values, "entropies": odd_one_out.entropy(values)}
    told = read.shaped(read.read_npy(entropies), (len(values),), entropies)
    if told.dtype.kind != "f" or not np.isfinite(told).all():
        raise InputError("holds values that are not finite numbers", entropies, read.AGAIN)
    if (told < -1e-6).any() or (told > np.log(3) + 1e-3).any():
        raise InputError("holds values outside 0 to ln 3", entropies, read.AGAIN)
    return {"probabilities": values, "entropies": told}


_PEOPLE = {"vice_45": 45, "vice_44": 44, "vice_42": 42}
_ALL = registered("things/all")


@dataset(
    "things/entropies",
    title="How sure people are of each triplet of things/all: entropy of VICE's probabilities",
    kind="table",
    files={
        **_ALL.files,
        "probabilities": replace(PROBABILITIES, optional=True, shared=True, url=""),
        **{
            name: replace(registered(f"things/{name}").files["embedding"], optional=True, shared=True, url="")
            for name in _PEOPLE
        },
    },
    any_of=tuple((*stems, name) for stems, _ in STAND_INS for name in ("probabilities", *_PEOPLE)),
    source="computed",
    licence="GPL-3.0 (VICE)",
    citation=VICE,
    row_order="as things/all",
    size="no further files",
    steps=("get things/all and things/vice_45 (not published), things/vice_44 or things/vice_42",),
)
def entropies(at):
    """Dict: entropies (n,) in nats, probabilities (n, 3), which (what they come from).

    The published probabilities where they are as many as the triplets, else those of the mean embedding (softmax of the
    dot products of the three pairs): 45 dimensions, or 44, or 42. All were fitted on responses to THINGS.
    """
    triplets = at.load("things/all")
    if at.get("probabilities"):
        told = at.load("things/vice_probabilities")
        if len(told["probabilities"]) == len(triplets):
            return {**told, "which": "VICE's published probabilities"}
    name = next((name for name in _PEOPLE if at.get(name)), None)
    if name is None:
        raise InputError(
            f"has another number of rows than things/all ({len(triplets)})",
            at.path("probabilities"),
            "'humalign data fetch things/vice_44': its probabilities are computed",
        )
    values = at.load(f"things/{name}").align(triplets.ids).values.astype(np.float64)
    found = odd_one_out.probabilities(similarity_matrix(values, "dot"), triplets.triplets)
    which = f"the mean VICE embedding with {_PEOPLE[name]} dimensions"
    return {"probabilities": found, "entropies": odd_one_out.entropy(found), "which": which}


@dataset(
    "things/correct_triplets",
    title="THINGS odd-one-out, responses that VICE predicts (things-aligned)",
    kind="triplets",
    files={
        **things.triplet_files(
            places_of("correct_triplets")[0], ANY, also=places_of("correct_triplets")[1:], optional=True
        ),
        **{stem: part_of(stem) for stem in PUBLIC},
        "probabilities": replace(PROBABILITIES, optional=True, shared=True, url=""),
    },
    any_of=("triplets", (*PUBLIC, "probabilities")),
    source="not published; rebuilt from VICE's probabilities",
    licence=CC,
    citation="Muttenthaler et al. 2023, ICLR",
    row_order="raw, as train_90 and test_10",
    size="no further files",
    downloads=(
        *DOWNLOADS.values(),
        Download(PROBABILITIES.url, PROBABILITIES.path, (), published_checksum(PROBABILITIES.path)),
    ),
)
def correct_triplets(at):
    """Triplets: of their file, else those of train_90 (and test_10) whose kept pair VICE finds likeliest."""
    if at.get("triplets"):
        return load_triplets(at, order="raw")
    path, told = at.path("probabilities"), at.load("things/vice_probabilities")["probabilities"]
    parts = [at.load(f"things/{stem}") for stem in PUBLIC]
    rows = np.concatenate([part.align(parts[0].ids).triplets for part in parts])
    if len(told) == len(parts[0]):
        rows = rows[: len(told)]
    if len(told) != len(rows):
        raise InputError(f"has {len(told)} rows for {len(rows)} triplets", path, "both have to be of one release")
    chosen = told.argmax(1) == 0
    return replace(
        parts[0], triplets=rows[chosen], name="things/correct_triplets", meta={**parts[0].meta, "made": True}
    )
