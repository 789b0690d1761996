"""THINGS: concepts, their four row orders, categories and odd-one-out triplets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from . import files as read
from .ids import check_ids
from .registry import Download, File, dataset, raw_file
from .row_orders import ORDERS, check_declared, in_order
from .types import Triplets

OSF = "https://osf.io/f5rn6/ (THINGS-data, folder data/triplet_dataset)"
CC = "CC-BY-4.0"
TRIPLETS = Download(  # the whole folder; the second archive holds it as triplet_dataset/
    "https://files.osf.io/v1/resources/f5rn6/providers/osfstorage/62d6b34bc79a4c38719e62fa/?zip=",
    "things/triplets",
    mirrors=("https://osf.io/n9u4a/download",),
    unpack=True,
)
HEBART = "Hebart, Contier, Teichmann et al. 2023, THINGS-data, eLife 12:e82580"
LICENCE = File("things/triplets/LICENSE.txt", "the licence of THINGS-data in full", optional=True, shared=True)
CONCEPTS = File(
    "things/concepts/things_concepts.tsv",
    "tab-separated, one concept a line, ids in the column uniqueID, THINGS' own order",
    also=("concepts/things_concepts.tsv",),
    shared=True,
    url=raw_file(
        "ViCCo-Group/thingsvision", "a325699ecab4f29703ab10136641538ff8b44e2e", "thingsvision/data/things_concepts.tsv"
    ),
)
MAPS = File(
    "things/concepts/row_orders.csv",
    "sorted_index, uniqueID, raw_index, python_index, upper_index: the row of each concept in each order",
    optional=True,
)


# ---------------------------------------------------------------------------------------------- concepts and orders


@dataset(
    "things/concepts",
    title="THINGS concepts and their metadata",
    kind="concepts",
    profiles=("slice", "full"),
    files={
        "concepts": CONCEPTS,
        "names": File(
            "things/concepts/unique_id.txt",
            "the names alone, one a line",
            optional=True,
            url="https://osf.io/download/2y463",
        ),
    },
    source="https://osf.io/jum2f/ (THINGS database, things_concepts.tsv)",
    licence=CC,
    citation="Hebart et al. 2019, THINGS: a database of 1,854 object concepts, PLOS ONE 14(10)",
    row_order="sorted (THINGS' own), ids inside",
    size="0.5 MB",
    expect={"rows": 1854},
)
def concepts(at):
    """Concept metadata: DataFrame, index = uniqueID in THINGS' order."""
    path = at.path("concepts")
    frame = read.read_frame(path, ("uniqueID",), sep="\t", text=("uniqueID", "Word"))
    if frame["uniqueID"].isna().any():
        row = int(np.argmax(frame["uniqueID"].isna()))
        raise InputError(f"row {row} has no uniqueID", path, read.AGAIN)
    frame.index = list(check_ids(frame["uniqueID"], path))
    frame.index.name = "id"
    return frame


def concept_ids(at) -> tuple[str, ...]:
    """The concept names in THINGS' order, as the files beside a data set give them."""
    return tuple(concepts(at).index)


def _check_maps(frame, at):
    ids = concept_ids(at)
    if tuple(frame.index) != ids:
        yield f"{at.path('maps')}: rows are not in the order of things_concepts.tsv; {read.AGAIN}"
        return
    for order in ORDERS[1:]:
        if in_order(ids, order, frame) != in_order(ids, order):
            yield f"{at.path('maps')}: the {order} order is not the rule for it; {read.AGAIN}"


@dataset(
    "things/orders",
    title="The four row orders of the THINGS concepts",
    kind="concepts",
    profiles=("slice", "full"),
    files={
        "maps": replace(MAPS, optional=False),
        "earlier": File(
            "things/concepts/index_maps.csv", "an earlier map without the order 'upper', not read", optional=True
        ),
        "concepts": CONCEPTS,
    },
    source="derived from the concept names (THINGS' own; by image file name; Python's sorted; sorted by str.upper)",
    licence=CC,
    row_order="sorted, ids inside",
    size="40 kB",
    expect={"rows": 1854},
    check=_check_maps,
)
def orders(at):
    """Row orders: DataFrame, index = uniqueID, columns sorted_index, raw_index, python_index, upper_index."""
    path = at.path("maps")
    columns = tuple(f"{order}_index" for order in ORDERS)
    frame = read.read_frame(path, ("uniqueID", *columns), text=("uniqueID",))
    frame.index = list(check_ids(frame.pop("uniqueID"), path))
    frame.index.name = "id"
    for column in frame:
        if sorted(frame[column]) != list(range(len(frame))):
            raise InputError(f"column {column} is not a permutation of 0 to {len(frame) - 1}", path, read.AGAIN)
    return frame


def row_ids(at, order: str) -> tuple[str, ...]:
    """Concept names in ``order`` for an entry with the files ``concepts`` and, optionally, ``maps``."""
    maps = orders(at) if "maps" in at.entry.files and at.get("maps") else None
    return in_order(concept_ids(at), order, maps)


@dataset(
    "things/categories_53",
    title="53 high-level categories of the THINGS concepts",
    kind="concepts",
    profiles=("slice", "full"),
    files={
        "categories": File(
            "things/concepts/Categories_final_20200131_fixedUniqueID.tsv",
            "(concepts, 2 + 53), 1 or blank",
            url=raw_file(
                "ViCCo-Group/dimension_encoding",
                "b1843e7eb92858c9c4a9ef88b4a5faea24752b49",
                "data/Categories_final_20200131_fixedUniqueID.tsv",
            ),
        ),
        "concepts": CONCEPTS,
    },
    source="https://github.com/ViCCo-Group/dimension_encoding (THINGS-data)",
    licence="MIT copy; THINGS-data CC-BY-4.0",
    citation=HEBART,
    row_order="sorted, names inside with spaces for underscores",
    size="0.1 MB",
    expect={"rows": 1854, "columns": 53},
)
def categories_53(at):
    """Category membership: bool DataFrame (concepts, 53), index = uniqueID."""
    path = at.path("categories")
    frame = read.read_frame(path, ("uniqueID",), sep="\t", text=("uniqueID", "Word"))
    names = [str(name).replace(" ", "_") for name in frame.pop("uniqueID")]
    frame = frame.drop(columns="Word", errors="ignore")
    return _membership(frame.fillna(0), check_ids(names, path), concept_ids(at), path)


@dataset(
    "things/categories_27",
    title="27 high-level categories of the THINGS concepts",
    kind="concepts",
    profiles=("slice", "full"),
    files={
        "categories": File(
            "things/concepts/category_mat_manual_27.tsv",
            "(concepts, 27), 0 or 1, no ids",
            url=raw_file("LukasMut/VICE", "f484c1446459c12c15deb2df1476f53969ad6f4d", "data/category_mat_manual.tsv"),
        ),
        "concepts": CONCEPTS,
    },
    source="https://github.com/LukasMut/VICE (data/category_mat_manual.tsv of an early commit)",
    licence="CC-BY-4.0 (SPoSE release); the repository became GPL-3.0 later",
    citation=HEBART,
    row_order="sorted",
    size="0.1 MB",
    expect={"rows": 1854, "columns": 27},
)
def categories_27(at):
    """Category membership: bool DataFrame (concepts, 27), index = uniqueID."""
    path, ids = at.path("categories"), concept_ids(at)
    frame = read.read_frame(path, (), sep="\t")
    if len(frame) != len(ids):
        raise InputError(f"has {len(frame)} rows for {len(ids)} concepts", path, read.AGAIN)
    return _membership(frame, ids, ids, path)


def _membership(frame, names, ids, path):
    values = frame.to_numpy()
    if not np.isin(values.astype(str), ["0", "1", "0.0", "1.0"]).all():
        raise InputError("holds cells that are neither 0 nor 1", path, read.AGAIN)
    frame = frame.astype(float).astype(bool)
    frame.index = list(names)
    if set(names) != set(ids):
        strange = sorted(set(names) ^ set(ids))[0]
        raise InputError(f"names and concepts differ, for instance at '{strange}'", path, read.AGAIN)
    return frame.loc[list(ids)]


# ---------------------------------------------------------------------------------------------- triplets


def declared_order(at, order: str) -> str:
    """The row order of an entry: what the data folder's manifest says of it ("row_order"), else ``order``."""
    from .known import manifest

    return manifest(at.root).get("row_order", {}).get(at.entry.name, order)


def load_triplets(at, *, columns: int = 3, order: str = "sorted", checked: bool = True) -> Triplets:
    """Triplets of an entry; a fourth column is the person. ``checked``: people's choices must not refute the order."""
    path = at.path("triplets")
    order = declared_order(at, order)
    table = read.read_triplets(path, columns)
    if (table[:, :3] < 0).any():
        raise InputError(f"row {int(np.argmax((table[:, :3] < 0).any(1)))} has a negative index", path, read.AGAIN)
    found = at.make(
        Triplets,
        path,
        ids=row_ids(at, order),
        triplets=np.ascontiguousarray(table[:, :3]),
        participants=table[:, 3] if columns == 4 else None,
        meta={"row_order": order},
    )
    if checked:
        check_declared(at, "triplets", order, found.triplets)
    return found


def triplet_files(path: str, what: str, also=(), **more) -> dict:
    """The files of one triplet data set."""
    return {
        "triplets": File(path, what, also=tuple(also), **more),
        "concepts": CONCEPTS,
        "maps": MAPS,
        "licence": LICENCE,
    }


def places(name: str) -> tuple[str, ...]:
    """Where else a text file of THINGS-data's triplets is looked for."""
    return f"triplets/{name}.txt", f"things/triplets/triplet_dataset/{name}.txt"


def triplet_set(name, title, *, path="", what="(n, 3) text, 0-based, odd one last", also=(), url="", columns=3,
                order="sorted", row_order="", profiles=("slice", "full"), source=OSF, licence=CC, citation=HEBART,
                kind="triplets", **facts) -> None:  # fmt: skip
    """Register one file of triplets of THINGS' concepts, ``things/NAME``.

    Parameters
    ----------
    name, title, path, what, also, url, profiles, source, licence, citation, kind, **facts
        See :class:`humalign.data.registry.Entry` and ``File``; default: a text file as THINGS-data publishes it.
    columns : {3, 4}
        The fourth is the person.
    order : str
        Of the numbers in the file, see :mod:`humalign.data.row_orders`.
    row_order : str
        What is said of the order, where it is more than its name.
    """

    @dataset(
        f"things/{name}",
        title=f"THINGS odd-one-out{title}",
        kind=kind,
        profiles=profiles,
        files=triplet_files(path or f"things/triplets/{name}.txt", what, also=also, url=url),
        source=source,
        licence=licence,
        citation=citation,
        row_order=row_order or order,
        **facts,
    )
    def load(at):
        return load_triplets(at, columns=columns, order=order)


for _trials, _name, _what, _size in (
    (15640, "testset1", "1,000 distinct triplets, asked often: the original noise ceiling", "200 kB"),
    (36407, "testset2", "1,000 further triplets, mostly early trials", "0.5 MB"),
    (36407, "testset2_repeat", "the same people answering testset2 again", "0.5 MB"),
):
    triplet_set(_name, f", {_name}: {_what}", also=places(_name), size=_size,
                expect={"trials": _trials, "objects": 1854}, downloads=(TRIPLETS,))  # fmt: skip

PEOPLE = "(n, 4) text, 0-based, odd one third, person fourth"
MIRKO = "https://github.com/MirkoTh/semantic-representations-ID"
triplet_set(
    "test_10_id", ", a tenth of the responses with the person's number", path="things/triplets/test_10_ID.txt",
    what=PEOPLE, columns=4, source=f"{MIRKO} (responses: THINGS-data)", size="2.1 MB",
    url=raw_file(
        "MirkoTh/semantic-representations-ID", "86ce6b8dfab3692629e474ef401cdfad88a95a13", "data/test_10_ID.txt"
    ),
    expect={"trials": 127304, "objects": 1854, "people": 264},
)  # fmt: skip
triplet_set(
    "responses_2025", ", a new crowd: 160 people answered the same 440 triplets", what=PEOPLE, columns=4,
    source=f"{MIRKO} (collected in 2025, not part of THINGS-data)", licence="GPL-3.0 repository", size="1.2 MB",
    citation="Thalmann et al., semantic representations and individual differences (repository)",
    expect={"trials": 70400, "objects": 1854, "people": 160},
)  # fmt: skip
for _name, _who, _kind in (
    ("people", "people", "triplets"), ("gpt4", "GPT-4", "choices"), ("chatgpt35", "ChatGPT-3.5", "choices")
):  # fmt: skip
    triplet_set(
        f"llm_{_name}", f": {_who} on the same 2,171 triplets", path=f"things/llm/{_name}.txt", kind=_kind,
        source="https://github.com/ChangdeDu/LLMs_core_dimensions", licence="MIT", size="29 kB",
        citation="Du et al. 2025, Human-like object concept representations emerge naturally in multimodal large "
        "language models, Nature Machine Intelligence 7:860-875", expect={"trials": 2171, "objects": 1854},
    )  # fmt: skip
