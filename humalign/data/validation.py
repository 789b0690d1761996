"""AligNet's validation study: the rated pairs of images, and the ratings with the models' distances."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from . import files as read
from .levels import PAPER, image_name
from .registry import File, dataset, raw_file
from .types import Stimuli

_FACTS = {
    "kind": "levels",
    "source": "https://github.com/Frieda-Josefine/AligNet-Human-Validation-Experiment",
    "licence": "MIT",
    "citation": PAPER,
    "row_order": "ids inside (ImageNet file names)",
}


def _pairs(columns, path) -> list[tuple[str, str]]:
    """The two images of each row as ImageNet file names, sorted."""
    return [tuple(sorted(image_name(one, path, row) for one in two)) for row, two in enumerate(columns.to_numpy())]


@dataset(
    "levels/alignet_pairs",
    title="AligNet validation study: the 200 image pairs, as three participants saw them",
    profiles=("slice", "full"),
    files={
        "pairs": File(
            "levels/alignet_validation_pairs.csv",
            "id; image1; image2; trial_type",
            url=raw_file(
                "Frieda-Josefine/AligNet-Human-Validation-Experiment",
                "a5292bc30fa836afefdfb3e78a581dea494b54c6",
                "experiment/Server Inputs/revision_exp_example.csv",
            ),
        )
    },
    size="35 kB",
    expect={"rows": 200},
    **_FACTS,
)
def alignet_pairs(at):
    """DataFrame (pairs, 2): image1, image2 (ImageNet file names); all participants in the file saw the same pairs."""
    import pandas as pd

    path = at.path("pairs")
    frame = read.read_frame(path, ("id", "image1", "image2"), sep=";", text=("id", "image1", "image2"))
    pairs = {}
    for row, (person, names) in enumerate(zip(frame["id"], _pairs(frame[["image1", "image2"]], path))):
        if names[0] == names[1] or names[0].split("_")[0] != names[1].split("_")[0]:
            raise InputError(f"row {row} does not name two images of one ImageNet class", path, read.AGAIN)
        pairs.setdefault(person, set()).add(names)
    sets = list(pairs.values())
    if any(one != sets[0] for one in sets):
        raise InputError("participants did not see the same pairs", path, read.AGAIN)
    return pd.DataFrame(sorted(sets[0]), columns=["image1", "image2"])


def _distances(models_path, pairs, path) -> np.ndarray:
    """Distances of the two networks and their signed difference, (ratings, 3), from the models' file."""
    wanted = ("Image1", "Image2", "alignet", "unalignet", "align_unalign_z_diff_signed")
    models = read.read_frame(models_path, wanted, sep=";", text=("Image1", "Image2"))
    values = models[list(wanted[2:])]
    if any(values[c].dtype.kind not in "fi" for c in values) or not np.isfinite(values.to_numpy(dtype=float)).all():
        raise InputError("the models' distances are not numbers", models_path, read.AGAIN)
    keys = _pairs(models[["Image1", "Image2"]], models_path)
    if len(set(keys)) != len(keys):
        raise InputError("lists one pair twice", models_path, read.AGAIN)
    row_of = {key: row for row, key in enumerate(keys)}
    if unknown := [pair for pair in pairs if pair not in row_of]:
        raise InputError(f"rates {' and '.join(unknown[0])}, which {models_path.name} does not list", path, read.AGAIN)
    return values.to_numpy(dtype=float)[[row_of[pair] for pair in pairs]]


def _ratings(path):
    """The answered trials of the ratings' file: DataFrame participant, image1, image2, response, slider."""
    import pandas as pd

    columns = ("prolific_id", "exp_trial_type", "response", "image1Path", "image2Path")
    frame = read.read_frame(path, columns, text=("prolific_id", "exp_trial_type", "image1Path", "image2Path"))
    frame = frame[frame["exp_trial_type"] == "exp_trial"]
    if frame.empty:
        raise InputError("holds no experimental trials", path, "exp_trial_type is 'exp_trial' for these")
    try:  # other screens of the same column may hold text
        response = pd.to_numeric(frame["response"]).to_numpy(dtype=float)
    except (ValueError, TypeError):
        raise InputError("responses are not numbers", path, read.AGAIN) from None
    answered = np.isfinite(response)
    frame, response = frame[answered], response[answered]
    if len(response) == 0 or response.min() < 1 or response.max() > 10:
        raise InputError("responses are not between 1 and 10", path, read.AGAIN)
    if frame["prolific_id"].isna().any():
        raise InputError(f"row {int(np.argmax(frame['prolific_id'].isna()))} names no participant", path, read.AGAIN)
    pairs = _pairs(frame[["image1Path", "image2Path"]], path)
    result = pd.DataFrame(pairs, columns=["image1", "image2"])
    result.insert(0, "participant", frame["prolific_id"].to_numpy())
    result["response"] = response
    top = result.groupby("participant")["response"].transform("max")
    result["slider"] = np.where(top > 5, "1-10", "1-5")
    return result


@dataset(
    "levels/validation_ratings",
    title="AligNet validation study: rated similarity of the 200 pairs",
    files={
        "ratings": File(
            "levels/AligNet_Human_Validation_results.csv",
            "prolific_id, exp_trial_type, response, image1Path, image2Path",
            url=raw_file(
                "Frieda-Josefine/AligNet-Human-Validation-Experiment",
                "ecc25c08da6d45c44ae23fdef14f8973fc2b43d8",
                "results/AligNet_Human_Validation_results.csv",
            ),
        ),
        "models": File(
            "levels/max_divergence_top_100_of_1.csv",
            "; separated: Image1, Image2, alignet, unalignet, align_unalign_z_diff_signed (not published)",
            optional=True,
        ),
    },
    size="about 5 MB",
    steps=(
        "the models' distances were not published: without them the ratings do not say which network was closer; the "
        "features of two networks do",
    ),
    **_FACTS,
)
def validation_ratings(at):
    """One row a rating: DataFrame participant, image1, image2, response, slider, alignet, unalignet, z, closer.

    ``slider`` is "1-5" or "1-10" (pilots), told by the largest response of the person, as the authors' notebook does;
    ``alignet`` and ``unalignet`` are the models' distances; ``closer`` = "alignet" where the signed difference is
    negative. Without the file of the models there are no columns alignet, unalignet, z and closer.
    """
    path, models_path = at.path("ratings"), at.get("models")
    result = _ratings(path)
    if models_path is None:
        return result
    pairs = list(zip(result["image1"], result["image2"]))
    result[["alignet", "unalignet", "z"]] = _distances(models_path, pairs, path)
    result["closer"] = np.where(result["z"] < 0, "alignet", "unalignet")
    return result


@dataset(
    "levels/validation_images",
    title="AligNet validation study: the pictures of the 200 pairs",
    files={
        "ratings": File("levels/AligNet_Human_Validation_results.csv", "as levels/validation_ratings", shared=True),
        "images": File("imagenet/train", "as imagenet/train", folder=True, shared=True),
    },
    size="part of imagenet/train",
    steps=("get levels/validation_ratings and imagenet/train",),
    **{**_FACTS, "kind": "stimuli", "licence": "research use (ImageNet terms)"},
)
def validation_images(at):
    """Stimuli; ids = file names, concepts = WordNet ids; only pictures of rated pairs."""
    rated, folder = _ratings(at.path("ratings")), at.path("images")
    ids = sorted({*rated["image1"], *rated["image2"]})
    classes = [name.split("_")[0] for name in ids]
    paths = [folder / wnid / name for wnid, name in zip(classes, ids)]
    if gone := [path for path in paths if not path.is_file()]:
        raise InputError(f"lacks {len(gone)} pictures, for instance {gone[0].name}", folder, read.AGAIN)
    return at.make(Stimuli, folder, ids=ids, images=[str(path) for path in paths], concepts=classes)
