"""Peterson et al. 2016/2018: rated similarity of images in six categories, turned into dissimilarities."""

from __future__ import annotations

import re

import numpy as np

from ..errors import InputError, MissingData
from . import files as read
from .multi_arrangement import pictures
from .registry import File, dataset
from .types import HumanRDM
from .verify import picture_problems

CATEGORIES = ("animals", "automobiles", "fruits", "furniture", "various", "vegetables")
RATING = 10.0  # the largest rating (papers' code); ratings run from 0 to 10
ENDINGS = (".jpg", ".png")
CITATION = "Peterson, Abbott, Griffiths 2018, Cognitive Science 42:2648-2669"


def _matrix_file(folder):
    """The similarity file of a category: a .mat whose name contains 'sim', or a table of pairs; pickles stay closed."""
    names = sorted(p.name for p in folder.iterdir())
    for name in names:
        if name.endswith(".mat") and "sim" in name.lower():
            return folder / name
    for name in names:
        if name.endswith((".csv", ".tsv")):
            return folder / name
    if pickles := [name for name in names if name.endswith((".pickle", ".pkl"))]:
        raise InputError(
            "ratings are a pickle, which is never loaded",
            folder / pickles[0],
            "convert it on a machine where you trust it to a CSV with the columns image1, image2, rating",
        )
    raise MissingData("holds no similarity file (*sim*.mat, or a CSV of pairs)", folder, read.AGAIN)


def read_similarity(path, m: int) -> np.ndarray:
    """Similarity matrix (m, m) of a category, on the rating scale; the diagonal is the largest rating."""
    if path.suffix == ".mat":
        content = read.read_mat(path)
        keys = [key for key in content if "sim" in key.lower()]
        if not keys:
            raise InputError(f"has no variable with 'sim' in its name (it has {', '.join(content)})", path, read.AGAIN)
        matrix = np.asarray(content[keys[-1]])
        if matrix.dtype.kind not in "fiu":
            raise InputError(f"{keys[-1]} does not hold numbers", path, read.AGAIN)
        matrix = read.shaped(matrix.astype(float), (m, m), path, "rows are the images of the category")
    else:
        matrix = _pairs(path, m)
    if not np.isfinite(matrix).all():
        raise InputError("holds similarities that are not finite", path, read.AGAIN)
    if not np.allclose(matrix, matrix.T, atol=1e-6):
        raise InputError("similarities are not symmetric", path, read.AGAIN)
    off = matrix[~np.eye(m, dtype=bool)]
    diagonal = np.diagonal(matrix)
    if np.ptp(diagonal) > 1e-6 or off.max() > diagonal[0] + 1e-6:
        raise InputError(
            "the diagonal is not the largest similarity", path, "it may hold dissimilarities: turn them round"
        )
    return matrix


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


def _register(category):
    files = {
        "images": File(f"peterson/{category}/images", "*.jpg or *.png; row order = sorted file names", folder=True),
        "similarity": File(
            f"peterson/{category}/sim_judgements",
            "*sim*.mat, variable *sim* (m, m), 0 to 10; or a CSV image1, image2, rating (fruits come as a pickle)",
            folder=True,
        ),
    }
    facts = {
        "source": "Peterson et al. 2018 (authors)",
        "licence": "ask the authors",
        "citation": CITATION,
        "needs": "copy from the authors",
        "size": "about 20 MB",
        "likely": {"images": 120},
        "steps": (
            "ask the authors of the paper",
            f"put images and ratings into <data>/peterson/{category}/images and /sim_judgements",
        ),
    }

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
        ids = pictures(at, ENDINGS).ids
        path = _matrix_file(at.path("similarity"))
        similarity = read_similarity(path, len(ids))
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
