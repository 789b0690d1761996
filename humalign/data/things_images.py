"""The pictures of THINGS: those that people judged, all of the database, and free photographs of the same concepts."""

from __future__ import annotations

from ..errors import InputError
from . import files as read
from . import things
from .registry import Download, File, dataset
from .things import CONCEPTS
from .types import Stimuli


def _check_images(stimuli, at):
    ids = set(things.concept_ids(at))
    extra = [name for name in stimuli.meta["stray"] if name not in ids]
    if extra:
        yield f"{at.path('images')}: {len(extra)} images belong to no concept, for instance {extra[0]}; remove them"


_IMAGES = {
    "kind": "stimuli",
    "licence": "research use",
    "citation": "Hebart et al. 2019, THINGS, PLOS ONE 14(10)",
    "row_order": "names inside",
}


@dataset(
    "things/images",
    title="THINGS reference images, one for each concept (the odd-one-out stimuli)",
    files={
        "images": File(
            "things/images",
            "<uniqueID>.jpg, one a concept",
            also=("images", "things/reference_images"),
            folder=True,
        ),
        "concepts": CONCEPTS,
    },
    source="https://martin-hebart.com/reference_images.zip",
    size="about 100 MB",
    expect={"images": 1854},
    check=_check_images,
    downloads=(Download("https://martin-hebart.com/reference_images.zip", "things", unpack=True),),
    steps=(
        "where the address is gone: ask its author, or take things/images_plus, free photographs of the same concepts",
        "unpack the images as <data>/things/images/<uniqueID>.jpg",
    ),
    **_IMAGES,
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


@dataset(
    "things/images_plus",
    title="THINGSplus photographs, one for each concept, free of rights (not those that people judged)",
    files={
        "images": File("things/object_images_CC0", "<uniqueID>.jpg, one a concept", folder=True),
        "concepts": CONCEPTS,
    },
    source="https://osf.io/jum2f/ (THINGSplus)",
    size="1.18 GB",
    expect={"images": 1854},
    check=_check_images,
    downloads=(Download("https://osf.io/download/wb36u/", "things", unpack=True),),
    **{**_IMAGES, "licence": "CC0", "citation": "Stoinski et al. 2023, THINGSplus, Behavior Research Methods 56"},
)
def images_plus(at):
    """Stimuli in THINGS' order; images = paths."""
    return images(at)


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
    source="https://osf.io/jum2f/ (THINGS database)",
    size="about 5 GB",
    expect={"concepts": 1854},
    likely={"images": 26107},
    check=_check_object_images,
    downloads=(
        Download("https://things-initiative.org/uploads/THINGS/images.zip", "things/object_images", unpack=True),
    ),
    steps=(
        "or take images_THINGS.zip from https://osf.io/download/rdxy2/ (read the terms at https://osf.io/jum2f/; "
        "password things4all; some unzip programs take it for a zip bomb: try another)",
        "unpack it as <data>/things/object_images/<uniqueID>/",
    ),
    **_IMAGES,
)
def object_images(at):
    """Stimuli with ids uniqueID/file stem, concepts = uniqueID."""
    folder, known = read.unwrapped(at.path("images")), set(things.concept_ids(at))
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
