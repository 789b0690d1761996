"""All of THINGS' responses: the triplets of paper 1 and what stands in for them, and the large table with people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import files as read
from . import things
from .features_known import SPOSE
from .known import published, published_checksum
from .registry import Download, File, dataset, raw_file, registered
from .row_orders import check_declared
from .things import CC, CONCEPTS, HEBART, MAPS, OSF, load_triplets, row_ids
from .types import Triplets

OSF_SPOSE = "https://osf.io/z2784/ (SPoSE release)"
SPLIT = "florianmahner/gpt-behavior", "4a8bd2fe526a7ba0b568e3b3569e6338100a8abd"
ANY = "(n, 3), 0-based, odd one last (.npy or white-space text)"


def places_of(stem: str) -> tuple[str, ...]:
    """Where the papers' code and the releases keep a triplet file."""
    return tuple(
        f"{folder}/{stem}{ending}" for folder in ("things/triplets", "triplets") for ending in (".npy", ".txt")
    )


PUBLIC = {  # data set of paper 1, which is not published: the public split of the same responses
    "train_90": "things/triplets/behavior_triplets_train90.txt",
    "test_10": "things/triplets/behavior_triplets_test10.txt",
}
DOWNLOADS = {
    stem: Download(
        raw_file(*SPLIT, f"data/{path.rpartition('/')[2]}"),
        path,
        checksum=published_checksum(path),
        size=published().get(path, {}).get("size"),
    )
    for stem, path in PUBLIC.items()
}


def _register_paper(stem, title, size, likely):
    first, *rest = places_of(stem)

    @dataset(
        f"things/{stem}",
        title=title,
        kind="triplets",
        files=things.triplet_files(first, ANY, also=(*rest, PUBLIC[stem])),
        source=f"https://github.com/{SPLIT[0]} (a public split of about the same responses)",
        licence="none stated; the responses are THINGS-data, CC-BY-4.0",
        citation=SPOSE,
        row_order="raw (the papers' code pairs it with a folder of images); verify checks it",
        size=size,
        likely=likely,
        downloads=(DOWNLOADS[stem],),
        steps=(
            f"who has the papers' own {stem}.npy: humalign data import FILE --as things/{stem}; it is taken first "
            f"(a file {stem}.txt of MirkoTh/semantic-representations-ID is another one, a sample of things/large)",
        ),
    )
    def load(at):
        """Triplets; meta file = the name of the file: the papers' own, or the public split."""
        found = load_triplets(at, order="raw")
        return replace(found, meta={**found.meta, "file": at.path("triplets").name})


_register_paper("train_90", "THINGS odd-one-out, nine tenths of the responses of paper 1", "17 MB", {})
_register_paper("test_10", "THINGS odd-one-out, one tenth of the responses of paper 1", "1.9 MB", {"trials": 146168})


things.triplet_set(
    "public_tenth", ", the tenth of the responses of paper 1 that the SPoSE release publishes", what=ANY,
    path="things/triplets/data1854_batch5_test10.txt", url="https://osf.io/download/sd3f7/", order="raw",
    row_order="raw; verify checks it", profiles=("full",), source=OSF_SPOSE, citation=SPOSE, size="1.9 MB",
    expect={"trials": 146012, "objects": 1854},
)  # fmt: skip
for _name, _what, _size, _likely in (
    ("trainset", "training set of THINGS-data", "55 MB", {"trials": 4120663}),
    ("validationset", "validation set of THINGS-data", "6 MB", {"trials": 453642}),
    ("testset3", "testset3: many people on the triplets of testset2", "0.5 MB", {}),
):
    things.triplet_set(_name, f", {_what}", what=ANY, also=things.places(_name), profiles=("full",), size=_size,
                       likely=_likely, downloads=(things.TRIPLETS,))  # fmt: skip


STAND_INS = (  # what things/all takes, the first that is there: data sets, what they are
    (("train_90", "test_10"), "train_90 and test_10 of paper 1"),
    (("trainset", "validationset"), "trainset and validationset of THINGS-data"),
    (("public_tenth",), "the public tenth of the responses of paper 1"),
)


def taken(found: dict) -> tuple[tuple[str, ...], str]:
    """Which data sets things/all takes of those that are there, and what they are.

    Parameters
    ----------
    found : dict of str to Path
        Files that are there, by key.
    """
    stems, told = next(one for one in STAND_INS if found.keys() >= set(one[0]))
    public = {Path(path).name for path in PUBLIC.values()}
    if {found[stem].name for stem in stems} & public:
        told = "a public split of the responses of paper 1"
    return stems, told


def stand_in(root) -> str:
    """What things/all takes in the place of the papers' own files, in words; "" where these or none are there."""
    one = registered("things/all")
    if one.missing(root):
        return ""
    told = taken(one.files_in(root))[1]
    return "" if told == STAND_INS[0][1] else f"{told}, in the place of {STAND_INS[0][1]}"


def part_of(stem: str) -> File:
    """The triplets of another data set here, as an optional file."""
    return replace(registered(f"things/{stem}").files["triplets"], optional=True, shared=True, url="")


@dataset(
    "things/all",
    title="THINGS odd-one-out, what paper 1 evaluates and probes on: train_90 and test_10, or what stands in for them",
    kind="triplets",
    files={
        **{stem: part_of(stem) for stems, _ in STAND_INS for stem in stems},
        "concepts": CONCEPTS,
        "maps": MAPS,
    },
    any_of=tuple(stems for stems, _ in STAND_INS),
    source=f"https://github.com/{SPLIT[0]} (what stands in for the papers' unpublished files: see where)",
    licence=CC,
    citation=SPOSE,
    row_order="as its parts",
    size="no further files",
    downloads=tuple(DOWNLOADS.values()),
    steps=("the first of these is taken: " + "; ".join(told for _, told in STAND_INS),),
)
def everything(at):
    """Triplets of train_90, then test_10 (``np.vstack``, train first: the papers' code), or of what stands in for them.

    meta: which (what was taken), file (their names), parts (how many rows each).
    """
    stems, told = taken({stem: path for stem in at.entry.files if (path := at.get(stem))})
    parts = [at.load(f"things/{stem}") for stem in stems]
    ids = parts[0].ids
    files = [at.path(stem).name for stem in stems]
    return at.make(
        Triplets,
        at.path(stems[0]),
        ids=ids,
        triplets=np.concatenate([part.align(ids).triplets for part in parts]),
        meta={
            "row_order": parts[0].meta["row_order"],
            "which": told,
            "file": ", ".join(files),
            "parts": [len(part) for part in parts],
        },
    )


@dataset(
    "things/large",
    title="THINGS odd-one-out, every response with person and repetition (the large table)",
    kind="triplets",
    files=things.triplet_files(
        "things/triplets/triplets_large_final_correctednc_correctedorder.csv",
        "image1, image2, image3 (1-based), choice (1 to 3: odd one), subject_id, noise_ceiling; tabs or commas",
        also=("triplets/triplets_large_final_correctednc_correctedorder.csv",),
        url="https://osf.io/download/h2smy",
        mirrors=("https://osf.io/h2smy/download",),
    ),
    source=OSF,
    licence=CC,
    citation=HEBART,
    row_order="sorted (the script that wrote it sorts last); verify checks it",
    size="about 400 MB",
    likely={"trials": 4699160, "people": 12340},
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
    order = things.declared_order(at, "sorted")
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
