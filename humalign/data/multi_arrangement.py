"""Arrangements of natural images: Cichy et al. 2019 (118 images) and King et al. 2019 (two sets)."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from . import files as read
from .registry import File, dataset
from .types import HumanRDM, Stimuli
from .verify import picture_problems

CICHY = "Cichy et al. 2019, The spatiotemporal neural dynamics underlying perceived similarity, NeuroImage 194:12-24"
KING = "King et al. 2019, Similarity judgments and cortical visual responses, NeuroImage 197:368-382"


def pictures(at, endings=(".jpg", ".jpeg")) -> Stimuli:
    """The images of an entry with these endings, by file name; ids = file stems."""
    folder = read.unwrapped(at.path("images"))
    paths = [path for path in read.list_images(folder) if path.suffix.lower() in endings]
    if not paths:
        raise InputError(f"holds no {' or '.join(endings)} images", folder, read.AGAIN)
    return at.make(Stimuli, folder, ids=tuple(path.stem for path in paths), images=[str(path) for path in paths])


def check_pictures(_rdm, at):
    """Lines about pictures of a matrix that cannot be opened."""
    return picture_problems(pictures(at))


def _matrix(at, path, rdm) -> HumanRDM:
    """The matrices (people, m, m) in the order of the images, which must be as many."""
    ids = pictures(at).ids
    if rdm.shape[-1] != len(ids):
        raise InputError(
            f"has dissimilarities of {rdm.shape[-1]} images, but {at.path('images')} holds {len(ids)}",
            path,
            "complete the folder of images",
        )
    return at.make(HumanRDM, path, ids=ids, rdm=rdm)


_CICHY_FILES = {
    "images": File(
        "cichy2019/images", "*.jpg; row order = sorted file names", also=("multi-arrangement/images",), folder=True
    ),
    "judgments": File(
        "cichy2019/sim_judgements/judgments_general.mat",
        "variable judgments (people, m, m)",
        also=("multi-arrangement/sim_judgements/judgments_general.mat",),
    ),
}
_ASK = "ask the authors of the paper; no open copy is known"
_CICHY = {
    "source": "Cichy et al. 2019 (authors)",
    "licence": "ask the authors",
    "citation": CICHY,
    "access": "copy from the authors",
    "size": "about 10 MB",
    "likely": {"images": 118},
    "steps": (
        _ASK,
        "humalign data import judgments_general.mat --as cichy2019",
        "humalign data import FOLDER_OF_IMAGES --as cichy2019 --key images",
    ),
}


@dataset(
    "cichy2019",
    title="Multi-arrangement dissimilarities of natural images (Cichy et al. 2019)",
    kind="rdm",
    files=_CICHY_FILES,
    row_order="sorted image file names",
    check=check_pictures,
    **_CICHY,
)
def cichy2019(at):
    """HumanRDM (people, m, m); the papers average over people."""
    path = at.path("judgments")
    values = np.asarray(read.read_mat(path, ("judgments",))["judgments"])
    if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or values.shape[-1] != values.shape[-2]:
        raise InputError(f"judgments are {values.dtype} of shape {values.shape}", path, "expected (people, m, m)")
    return _matrix(at, path, values)


@dataset(
    "cichy2019/images",
    title="The natural images of Cichy et al. 2019",
    kind="stimuli",
    files={"images": _CICHY_FILES["images"]},
    row_order="sorted file names",
    **_CICHY,
)
def cichy2019_images(at):
    """Stimuli; ids = file stems."""
    return pictures(at)


# ---------------------------------------------------------------------------------------------- King et al. 2019


def square(vectors: np.ndarray, m: int, part: str = "upper") -> np.ndarray:
    """Vectors of pairs -> symmetric matrices.

    Parameters
    ----------
    vectors : array (people, m (m - 1) / 2)
    m : int
    part : {"upper", "lower"}
        Which triangle, read row by row. King's file is "upper" (history of the papers' code, 2022-12-20).

    Returns
    -------
    array (people, m, m)
    """
    rows, columns = np.triu_indices(m, 1) if part == "upper" else np.tril_indices(m, -1)
    result = np.zeros((len(vectors), m, m))
    result[:, rows, columns] = vectors
    result[:, columns, rows] = vectors
    return result


def _king_files(which):
    return {
        "images": File(
            f"king2019/images/{which}",
            "0001.jpg ...; row order = sorted file names",
            also=(f"free-arrangement/images/{which}",),
            folder=True,
        ),
        "behavior": File(
            "king2019/sim_judgements/BEHAVIOR.mat",
            f"BEHAVIOR.{which}.pairwisedistances (people, m (m - 1) / 2), upper triangle row by row",
            also=("free-arrangement/sim_judgements/BEHAVIOR.mat",),
        ),
        "labels": File(
            "king2019/images/stimulus_category_labels.txt",
            "header, then comma-separated, last field = number of the stimulus",
            also=("free-arrangement/images/stimulus_category_labels.txt",),
            optional=True,
        ),
    }


def read_labels(path) -> dict[int, str]:
    """Stimulus number -> category, from King's label file."""
    result = {}
    for row, line in enumerate(read.read_lines(path)[1:], 2):
        *names, number = [field.strip() for field in line.split(",")]
        if not number.isdigit() or not names:
            raise InputError(f"line {row} does not end in a number", path, read.AGAIN)
        result[int(number)] = names[0]
    return result


def _separation(matrix, categories) -> float:
    """Mean dissimilarity between categories minus within, in standard deviations."""
    same = np.equal.outer(categories, categories)
    off = ~np.eye(len(categories), dtype=bool)
    if not (same & off).any() or not (~same).any():
        return float("nan")
    return float((matrix[~same].mean() - matrix[same & off].mean()) / (matrix[off].std() or 1.0))


def _check_vector(rdm, at):
    """A line when reading the lower triangle gives clearer category blocks than the upper one."""
    labels = at.get("labels")
    if labels is None:
        return
    of = read_labels(labels)
    numbers = [int(i) if i.isdigit() else -1 for i in rdm.ids]
    if any(number not in of for number in numbers):
        yield f"{labels}: has no category for every image; {read.AGAIN}"
        return
    categories = np.array([of[number] for number in numbers])
    mean, m = rdm.mean(), len(rdm)
    upper = _separation(mean, categories)
    lower = _separation(square(mean[np.triu_indices(m, 1)][None], m, "lower")[0], categories)
    if lower > upper:
        yield (
            f"{at.path('behavior')}: categories stand out less ({upper:.2f}) than when read as a lower triangle "
            f"({lower:.2f}); the vector's order differs from the published one"
        )


def _register_king(which):
    facts = {
        "source": "King et al. 2019 (authors)",
        "licence": "ask the authors",
        "citation": KING,
        "access": "copy from the authors",
        "size": "about 10 MB",
        "likely": {"images": 144},
        "steps": (
            _ASK,
            f"humalign data import BEHAVIOR.mat --as king2019/{which}",
            f"humalign data import FOLDER_OF_IMAGES --as king2019/{which} --key images",
        ),
    }

    @dataset(
        f"king2019/{which}",
        title=f"Free-arrangement dissimilarities of natural images (King et al. 2019), {which}",
        kind="rdm",
        files=_king_files(which),
        row_order="sorted image file names",
        check=(_check_vector, check_pictures),
        **facts,
    )
    def load(at):
        """HumanRDM (people, m, m)."""
        path = at.path("behavior")
        behavior = read.read_mat(path, ("BEHAVIOR",))["BEHAVIOR"]
        try:
            vectors = np.atleast_2d(np.asarray(behavior[which]["pairwisedistances"], dtype=float))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise InputError(f"has no BEHAVIOR.{which}.pairwisedistances ({error})", path, read.AGAIN) from None
        m = round((1 + (1 + 8 * vectors.shape[-1]) ** 0.5) / 2)
        if vectors.ndim != 2 or m * (m - 1) // 2 != vectors.shape[1]:
            raise InputError(f"pairwisedistances has shape {vectors.shape}", path, "expected (people, m (m - 1) / 2)")
        return _matrix(at, path, square(vectors, m))

    @dataset(
        f"king2019/{which}/images",
        title=f"The natural images of King et al. 2019, {which}",
        kind="stimuli",
        files={"images": _king_files(which)["images"]},
        row_order="sorted file names",
        **facts,
    )
    def load_images(at):
        """Stimuli; ids = file stems."""
        return pictures(at)


_register_king("set1")
_register_king("set2")
