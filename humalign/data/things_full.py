"""All of THINGS: the training triplets, the large table of responses, further embeddings, probabilities and images."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from . import files as read
from . import things
from .features_known import SPOSE, VICE, embedding, embedding_files
from .registry import File, dataset
from .row_orders import check_declared
from .things import CC, CONCEPTS, HEBART, MAPS, OSF, load_triplets, row_ids
from .types import Stimuli, Triplets

OSF_SPOSE = "https://osf.io/z2784/ (SPoSE release)"
CODE = "https://github.com/LukasMut/human_alignment"


def _places(stem: str) -> tuple[str, ...]:
    """Where the papers' code and the releases keep a triplet file."""
    return tuple(
        f"{folder}/{stem}{ending}" for folder in ("things/triplets", "triplets") for ending in (".npy", ".txt")
    )


def _register(stem, title, source, citation, order, size, expect, note=""):
    first, *rest = _places(stem)
    if order == "sorted" and stem in ("trainset", "validationset", "testset3"):
        first, rest = f"things/triplets/{stem}.txt", [f"triplets/{stem}.txt"]

    @dataset(
        f"things/{stem}",
        title=title,
        kind="triplets",
        files=things.triplet_files(first, "(n, 3), 0-based, odd one last (.npy or white-space text)", also=rest),
        source=source,
        licence=CC,
        citation=citation,
        row_order=order + note,
        size=size,
        expect=expect,
        steps=(
            f"open {source.split(' ')[0]} and take {stem}.npy, or {stem}.txt",
            f"humalign data import FILE --as things/{stem}",
        ),
    )
    def load(at):
        return load_triplets(at, order=order)


_PAPER = " as the papers' code pairs it with the features; verify says so if the file is in raw order"
_register("train_90", "THINGS odd-one-out, nine tenths of the responses of paper 1", OSF_SPOSE, SPOSE, "sorted",
          "about 30 MB", {}, _PAPER)  # fmt: skip
_register("test_10", "THINGS odd-one-out, one tenth of the responses of paper 1", OSF_SPOSE, SPOSE, "sorted",
          "about 3.5 MB", {}, _PAPER)  # fmt: skip
_register("correct_triplets", "THINGS odd-one-out, responses that VICE predicts (things-aligned)", CODE,
          "Muttenthaler et al. 2023, ICLR", "sorted", "about 20 MB", {}, _PAPER)  # fmt: skip
_register("trainset", "THINGS odd-one-out, training set of THINGS-data", OSF, HEBART, "sorted", "about 55 MB", {})
_register("validationset", "THINGS odd-one-out, validation set of THINGS-data", OSF, HEBART, "sorted", "about 6 MB", {})
_register("testset3", "THINGS odd-one-out, testset3: many people on the triplets of testset2", OSF, HEBART, "sorted",
          "about 3 MB", {})  # fmt: skip


@dataset(
    "things/all",
    title="THINGS odd-one-out, train_90 followed by test_10 (what paper 1 evaluates and probes on)",
    kind="triplets",
    files={
        "train": File(_places("train_90")[0], "(n, 3)", also=_places("train_90")[1:]),
        "test": File(_places("test_10")[0], "(n, 3)", also=_places("test_10")[1:]),
        "concepts": CONCEPTS,
        "maps": MAPS,
    },
    source=OSF_SPOSE,
    licence=CC,
    citation=SPOSE,
    row_order="as its parts",
    size="no further files",
    steps=("get things/train_90 and things/test_10",),
)
def everything(at):
    """Triplets of train_90, then test_10 (``np.vstack``, train first: the papers' code)."""
    parts = [at.load(name) for name in ("things/train_90", "things/test_10")]
    ids = parts[0].ids
    return at.make(
        Triplets,
        at.path("train"),
        ids=ids,
        triplets=np.concatenate([part.align(ids).triplets for part in parts]),
        meta={"row_order": parts[0].meta["row_order"], "train": len(parts[0]), "test": len(parts[1])},
    )


@dataset(
    "things/large",
    title="THINGS odd-one-out, every response with person and repetition (the large table)",
    kind="triplets",
    files=things.triplet_files(
        "things/triplets/triplets_large_final_correctednc_correctedorder.csv",
        "image1, image2, image3 (1-based), choice (1 to 3: odd one), subject_id, noise_ceiling; tabs or commas",
        also=("triplets/triplets_large_final_correctednc_correctedorder.csv",),
    ),
    source=OSF,
    licence=CC,
    citation=HEBART,
    row_order="raw (its description says that it is not resorted); verify checks it",
    size="about 400 MB",
    steps=(
        "open https://osf.io/f5rn6/, folder data/triplet_dataset",
        "take triplets_large_final_correctednc_correctedorder.csv",
        "humalign data import FILE --as things/large",
    ),
)
def large(at):
    """Triplets with people; the odd one is moved to column 2, indices become 0-based.

    ``level`` holds the set: "0" regular, "1", "2", "3" the repeated sets.
    """
    path = at.path("triplets")
    first = read.read_text_start(path)
    sep = "\t" if "\t" in first else ","
    images = ["image1", "image2", "image3"]
    frame = read.read_frame(path, (*images, "choice", "subject_id"), sep=sep, text=("subject_id",))
    table = np.stack([_counts(frame[name], path, name) for name in images], 1)
    choice = _counts(frame["choice"], path, "choice")
    if table.min() == 0:
        raise InputError("image numbers begin at 0", path, "this table is 1-based: get the file again")
    if ((choice < 1) | (choice > 3)).any():
        row = int(np.argmax((choice < 1) | (choice > 3)))
        raise InputError(f"row {row} has choice {choice[row]}", path, "choice is 1, 2 or 3: the odd one's column")
    odd = table[np.arange(len(table)), choice - 1]
    kept = table[np.arange(3) != (choice - 1)[:, None]].reshape(-1, 2)
    people = frame["subject_id"]
    if people.isna().any():
        raise InputError(f"row {int(np.argmax(people.isna()))} has no subject_id", path, read.AGAIN)
    level = None
    if "noise_ceiling" in frame:
        level = np.array([f"{v:g}" for v in _numbers(frame["noise_ceiling"].fillna(0), path, "noise_ceiling")])
    order = things.declared_order(at, "raw")
    found = at.make(
        Triplets,
        path,
        ids=row_ids(at, order),
        triplets=np.column_stack([kept, odd]) - 1,
        participants=people.to_numpy().astype(str),
        level=level,
        meta={"row_order": order},
    )
    check_declared(at, "triplets", order, found.triplets)
    return found


def _numbers(column, path, name):
    values = column.to_numpy()
    if values.dtype.kind not in "iuf":
        raise InputError(f"column {name} holds text", path, read.AGAIN)
    return values


def _counts(column, path, name):
    return read.whole(_numbers(column, path, name), f"{path} ({name})")


# ---------------------------------------------------------------------------------------------- embeddings


def _register_embedding(name, title, path, also, order, source, citation, d):
    @dataset(
        f"things/{name}",
        title=title,
        kind="embedding",
        files=embedding_files(path, f"(1854, {d})", also),
        source=source,
        licence="MIT" if "VICE" in title else CC,
        citation=citation,
        row_order=order,
        size="0.3 to 3 MB",
        expect={"objects": 1854, "dimensions": d},
        steps=(f"take the {d}-dimensional embedding from {source}", f"humalign data import FILE --as things/{name}"),
    )
    def load(at):
        return embedding(at, things.declared_order(at, order))


_register_embedding("vice_44", "VICE embedding, 44 dimensions", "things/embeddings/vice_44d.npy", (), "raw",
                    "https://github.com/LukasMut/VICE", VICE, 44)  # fmt: skip
_register_embedding("vice_45", "VICE embedding of paper 1, 45 dimensions", "things/embeddings/vice_45d.npy",
                    ("things/dimensions/vice_embedding.npy", "dimensions/vice_embedding.npy"), "raw",
                    CODE, VICE, 45)  # fmt: skip
_register_embedding("spose_66", "SPoSE embedding, 66 dimensions", "things/embeddings/spose_embedding_66d_sorted.txt",
                    (), "sorted", "https://osf.io/f5rn6/", HEBART, 66)  # fmt: skip


@dataset(
    "things/vice_probabilities",
    title="VICE's probabilities of the three odd-one-out choices for every triplet, and their entropy",
    kind="table",
    files={
        "probabilities": File(
            "things/probas/probabilities_all_triplets.npy",
            "(n, 3), rows sum to 1",
            also=("probas/probabilities_all_triplets.npy",),
        ),
        "entropies": File(
            "things/entropies/entropies_all_triplets.npy",
            "(n,) nats",
            also=("entropies/entropies_all_triplets.npy",),
            optional=True,
        ),
    },
    source=CODE,
    licence="MIT",
    citation="Muttenthaler et al. 2023, ICLR",
    row_order="as things/all (train_90, then test_10)",
    size="about 35 MB",
    steps=("take probas/ and entropies/ from the data of the papers' code", "put them under things/"),
)
def vice_probabilities(at):
    """Dict: probabilities (n, 3), and entropies (n,) where the file is there."""
    path = at.path("probabilities")
    values = read.shaped(read.read_npy(path), (None, 3), path)
    if values.dtype.kind != "f" or not np.isfinite(values).all() or (values < 0).any():
        raise InputError("holds values that are no probabilities", path, read.AGAIN)
    if not np.allclose(values.sum(1), 1, atol=1e-3):
        raise InputError(f"row {int(np.argmax(np.abs(values.sum(1) - 1)))} does not sum to 1", path, read.AGAIN)
    result = {"probabilities": values}
    if entropies := at.get("entropies"):
        result["entropies"] = read.shaped(read.read_npy(entropies), (len(values),), entropies)
        if result["entropies"].dtype.kind != "f" or not np.isfinite(result["entropies"]).all():
            raise InputError("holds values that are not finite numbers", entropies, read.AGAIN)
        if (result["entropies"] < -1e-6).any() or (result["entropies"] > np.log(3) + 1e-3).any():
            raise InputError("holds values outside 0 to ln 3", entropies, read.AGAIN)
    return result


# ---------------------------------------------------------------------------------------------- images


def _check_images(stimuli, at):
    ids = set(things.concept_ids(at))
    extra = [name for name in stimuli.meta["stray"] if name not in ids]
    if extra:
        yield f"{at.path('images')}: {len(extra)} images belong to no concept, for instance {extra[0]}; remove them"


_DATABASE = {
    "kind": "stimuli",
    "source": "https://osf.io/jum2f/ (THINGS database)",
    "licence": "research use; fetched with the password given there",
    "citation": "Hebart et al. 2019, THINGS, PLOS ONE 14(10)",
    "row_order": "names inside",
    "needs": "accept the terms; password of the THINGS archive",
}
_TERMS = "open https://osf.io/jum2f/ and read the terms; they hold the password of the archive"


@dataset(
    "things/images",
    title="THINGS reference images, one for each concept (the odd-one-out stimuli)",
    files={
        "images": File("things/images", "<uniqueID>.jpg, one a concept", also=("images",), folder=True),
        "concepts": CONCEPTS,
    },
    size="about 100 MB",
    expect={"images": 1854},
    check=_check_images,
    steps=(
        _TERMS,
        "unpack the reference images as <data>/things/images/<uniqueID>.jpg",
        "humalign data verify things/images",
    ),
    **_DATABASE,
)
def images(at):
    """Stimuli in THINGS' order; images = paths."""
    folder, ids = at.path("images"), things.concept_ids(at)
    found = {path.stem: path for path in read.list_images(folder)}
    if missing := [name for name in ids if name not in found]:
        raise InputError(
            f"has no image for {len(missing)} of {len(ids)} concepts, for instance {missing[0]}",
            folder,
            "each image is called <uniqueID>.jpg",
        )
    stray = tuple(sorted(set(found) - set(ids)))
    return at.make(Stimuli, folder, ids=ids, images=[str(found[name]) for name in ids], meta={"stray": stray})


def _check_object_images(stimuli, at):
    ids = set(things.concept_ids(at))
    shown = set(stimuli.concepts)
    if gone := sorted(ids - shown):
        yield f"{at.path('images')}: {len(gone)} concepts have no folder, for instance {gone[0]}; {read.AGAIN}"


@dataset(
    "things/object_images",
    title="THINGS images, twelve or more for each concept",
    files={
        "images": File(
            "things/object_images", "<uniqueID>/<uniqueID>_01b.jpg ...", also=("object_images",), folder=True
        ),
        "concepts": CONCEPTS,
    },
    size="about 5 GB",
    expect={"concepts": 1854},
    check=_check_object_images,
    steps=(
        _TERMS,
        "unpack object_images_*.zip as <data>/things/object_images/<uniqueID>/",
    ),
    **_DATABASE,
)
def object_images(at):
    """Stimuli with ids uniqueID/file stem, concepts = uniqueID."""
    folder, known = at.path("images"), set(things.concept_ids(at))
    ids, paths, shown = [], [], []
    for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
        if sub.name not in known:
            raise InputError(f"folder {sub.name} is no THINGS concept", folder, "remove it")
        for path in read.list_images(sub):
            ids.append(f"{sub.name}/{path.stem}")
            paths.append(str(path))
            shown.append(sub.name)
    if not ids:
        raise InputError("holds no folders of concepts", folder, "unpack it as <uniqueID>/<image>.jpg")
    return at.make(Stimuli, folder, ids=ids, images=paths, concepts=shown)
