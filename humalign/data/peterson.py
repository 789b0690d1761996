"""Peterson et al. 2016/2018: rated similarity of images in six categories, turned into dissimilarities."""

from __future__ import annotations

import re

import numpy as np

from ..errors import InputError, MissingData
from . import files as read
from . import known
from .known import published_checksum
from .multi_arrangement import pictures
from .registry import Download, File, dataset, raw_file
from .types import HumanRDM
from .verify import picture_problems

CATEGORIES = ("animals", "automobiles", "fruits", "furniture", "various", "vegetables")
RATING = 10.0  # the largest rating (papers' code); ratings run from 0 to 10
ENDINGS = (".jpg", ".png")
CITATION = "Peterson, Abbott, Griffiths 2018, Cognitive Science 42:2648-2669"


def _matrix_file(folder):
    """The similarity file of a category: a .mat with a variable *sim*, or a table of pairs; pickles stay closed."""
    names = sorted(p.name for p in folder.iterdir())
    matlab = sorted((name for name in names if name.endswith(".mat")), key=lambda name: "sim" not in name.lower())
    if found := [*matlab, *(name for name in names if name.endswith((".csv", ".tsv")))]:
        return folder / found[0]
    if pickles := [name for name in names if name.endswith((".pickle", ".pkl"))]:
        raise InputError(
            "ratings are a pickle, which is never loaded",
            folder / pickles[0],
            "convert it on a machine where you trust it to a CSV with the columns image1, image2, rating",
        )
    raise MissingData("holds no similarity file (.mat, or a CSV of pairs)", folder, read.AGAIN)


def _matlab(path):
    """Similarity matrix of a .mat file, and the numbers of its pictures where the file names them."""
    content = read.read_mat(path)
    keys = [key for key in content if "sim" in key.lower()]
    if not keys:
        raise InputError(f"has no variable with 'sim' in its name (it has {', '.join(content)})", path, read.AGAIN)
    key = "simMatrix" if "simMatrix" in keys else keys[-1]  # others hold one batch of raters
    matrix = np.asarray(content[key])
    if matrix.dtype.kind not in "fiu":
        raise InputError(f"{key} does not hold numbers", path, read.AGAIN)
    numbers = next((np.atleast_1d(content[key]) for key in content if key.lower().endswith("_idx")), None)
    if numbers is not None:
        numbers = read.whole(numbers.ravel(), path)
        read.shaped(matrix, (len(numbers), len(numbers)), path, "rows are the numbered images")
    return matrix, numbers


def _rated(stimuli, numbers, path):
    """Names of the rated pictures: all, or by the numbers that the ratings name, in their order."""
    if numbers is None:
        return stimuli.ids
    of = {int(found.group()): name for name in stimuli.ids if (found := re.search(r"\d+", name))}
    if missing := [int(n) for n in numbers if int(n) not in of]:
        if len(of) == len(numbers) == len(stimuli):  # the rated ones alone, numbered anew
            return tuple(of[n] for n in sorted(of))
        raise InputError(f"rates image {missing[0]}, which the folder does not hold", path, "complete the images")
    return tuple(of[int(n)] for n in numbers)


def read_similarity(path, stimuli):
    """Similarity of the pictures of a category: matrix (m, m) on the rating scale, and the names of its rows.

    The diagonal is the largest rating.
    """
    if path.suffix == ".mat":
        matrix, numbers = _matlab(path)
        ids = _rated(stimuli, numbers, path)
        matrix = read.shaped(matrix.astype(float), (len(ids), len(ids)), path, "rows are the images of the category")
    else:
        ids = stimuli.ids
        matrix = _pairs(path, len(ids))
    if not np.isfinite(matrix).all():
        raise InputError("holds similarities that are not finite", path, read.AGAIN)
    if not np.allclose(matrix, matrix.T, atol=1e-6):
        raise InputError("similarities are not symmetric", path, read.AGAIN)
    off = matrix[~np.eye(len(ids), dtype=bool)]
    diagonal = np.diagonal(matrix)
    if np.ptp(diagonal) > 1e-6 or off.max() > diagonal[0] + 1e-6:
        raise InputError(
            "the diagonal is not the largest similarity", path, "it may hold dissimilarities: turn them round"
        )
    return matrix, ids


def _pairs(path, m):
    """Mean rating of each pair, from a table image1, image2, rating; images by the number in their names, from 1."""
    sep = "\t" if path.suffix == ".tsv" else ","
    frame = read.read_frame(path, ("image1", "image2", "rating"), sep=sep, text=("image1", "image2"))
    rows = []
    for name in ("image1", "image2"):
        found = [re.search(r"\d+", str(value)) for value in frame[name]]
        if None in found:
            raise InputError(f"row {found.index(None)} of {name} has no number in it", path, read.AGAIN)
        rows.append(np.array([int(one.group()) - 1 for one in found]))
    index = np.stack(rows, 1)
    if index.min() < 0 or index.max() >= m:
        raise InputError(f"names image {index.max() + 1 if index.max() >= m else 0}, there are {m}", path, read.AGAIN)
    ratings = frame["rating"].to_numpy()
    if ratings.dtype.kind not in "fiu" or not np.isfinite(ratings).all() or ratings.min() < 0 or ratings.max() > RATING:
        raise InputError(f"ratings are not numbers from 0 to {RATING:g}", path, read.AGAIN)
    total, count = np.zeros((m, m)), np.zeros((m, m))
    np.add.at(total, (index[:, 0], index[:, 1]), ratings)
    np.add.at(count, (index[:, 0], index[:, 1]), 1)
    total, count = total + total.T, count + count.T
    np.fill_diagonal(total, RATING)
    np.fill_diagonal(count, 1)
    if (count == 0).any():
        a, b = np.argwhere(count == 0)[0]
        raise InputError(f"has no rating of images {a + 1} and {b + 1}", path, read.AGAIN)
    return total / count


_COMMIT = "jcpeterson/percept2vec", "2f82c622a8c4677101364e0b22883fc32e782faf"
_RESULTS = "peterson/animals/sim_judgements/turkResults_CogSci2016.mat"
OPEN = {  # the one set that is public
    "source": f"https://github.com/{_COMMIT[0]}",
    "licence": "GPL-3.0 (ratings); the pictures come from the web",
    "downloads": (
        Download(raw_file(*_COMMIT, "turkResults_CogSci2016.mat"), _RESULTS, (), published_checksum(_RESULTS)),
        Download(raw_file(*_COMMIT, "animals.zip"), "peterson/animals/images", unpack=True),
    ),
}
CLOSED = {
    "source": "Peterson et al. 2018 (authors)",
    "licence": "ask the authors",
    "access": "copy from the authors",
}


def _register(category):
    folder = f"peterson/{category}/images"
    files = {
        "images": File(
            folder,
            "*.jpg or *.png; row order = sorted file names, or the numbers that the ratings name",
            folder=True,
        ),
        "similarity": File(
            f"peterson/{category}/sim_judgements",
            "*.mat, variable *sim* (m, m), 0 to 10; or a CSV image1, image2, rating (fruits come as a pickle)",
            folder=True,
        ),
    }
    facts = {
        "citation": CITATION,
        "size": "about 20 MB",
        "likely": {"images": 120},
        "steps": (
            "ask the authors of the paper; no open copy is known",
            f"put images and ratings into <data>/peterson/{category}/images and /sim_judgements",
        ),
        **CLOSED,
    }
    if category == "animals":
        facts |= {**OPEN, "access": "", "steps": ()}

    @dataset(
        f"peterson/{category}",
        title=f"Rated similarity of {category} (Peterson et al.)",
        kind="rdm",
        files=files,
        row_order="sorted image file names",
        check=lambda rdm, at: picture_problems(pictures(at, ENDINGS)),
        **facts,
    )
    def load(at):
        """HumanRDM (m, m) = largest rating minus rated similarity; compare it with dissimilarities of the network."""
        path = _matrix_file(at.path("similarity"))
        known.check_known(path, at.root, at.entry)
        similarity, ids = read_similarity(path, pictures(at, ENDINGS))
        return at.make(HumanRDM, path, ids=ids, rdm=similarity[0, 0] - similarity)

    @dataset(
        f"peterson/{category}/images",
        title=f"Images of {category} (Peterson et al.)",
        kind="stimuli",
        files={"images": files["images"]},
        row_order="sorted file names",
        **facts,
    )
    def load_images(at):
        """Stimuli; ids = file stems."""
        return pictures(at, ENDINGS)


for _category in CATEGORIES:
    _register(_category)
