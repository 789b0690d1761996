"""What a teacher is fitted to, from files, networks or data sets, and the fit with its strength chosen over objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.types import Features, Triplets
from ..errors import InputError
from ..source import Source, open_source
from . import teacher as teachers


@dataclass
class Judged:
    """What a teacher is fitted to: features of the judged objects, human choices about them, an embedding of them."""

    features: Features
    choices: Triplets
    embedding: object | None
    title: str


def read_features(name: str, source: Source) -> Features:
    """Features from a file or folder, or from a published data set."""
    from ..features import read

    if Path(name).exists():
        return read(name)
    found = source.published(name)
    if not isinstance(found, Features):
        raise InputError("does not hold features", name, "name a file with ids and values, or a data set of features")
    return found


def frozen(network: str, profile):
    """A network whose features a teacher maps: normalised as it was trained, pictures resized as the paper does."""
    from ..zoo import load

    model = load(network, profile=profile)
    own = model.preprocess
    model.preprocess = own.with_(resize=own.size, squash=True, interpolation="bicubic", antialias=False)
    return model


def judged(profile, network=None, features=None, images=None, dataset=None, embedding=None) -> Judged:
    """Gather what a teacher needs, aligned by id.

    Parameters
    ----------
    profile : Profile
    network : str, optional
        Tower whose features of the judged pictures are computed.
    features : str, optional
        Stored features instead: a file, or a data set of the profile.
    images : path, optional
        The judged pictures (file name without suffix = id); in ``mini`` they are drawn.
    dataset, embedding : str, optional
        Human choices, by their role or the name of a published data set, and a published embedding of people. In
        ``mini`` the drawn people's choices and what they see.
    """
    source = open_source(profile)
    drawn = source.kind == "drawn"
    if bool(network) == bool(features):
        raise InputError("give either a network or features", "teacher", "--network mini:NAME, or --features FILE")
    if not (dataset or drawn):
        raise InputError("which human choices?", "teacher", "give --dataset, see 'humalign data list'")
    choices, human = source.triplets(dataset or "things"), source.published(embedding) if embedding else None
    if drawn and not embedding:
        from ..world.datasets import embedding as seen

        human = seen()
    if features:
        found = read_features(features, source)
    elif images or drawn:
        from ..features import extract, from_folder

        stimuli = from_folder(images) if images else source.pictures("things", 64)
        model = frozen(network, profile)
        found = replace(extract(model, stimuli, device=profile.torch_device())["penultimate"], model=network)
    else:
        raise InputError("which pictures did people judge?", "teacher", "give --images, or --features")
    known = set(found.ids) if human is None else set(found.ids) & set(human.ids)
    ids = [i for i in choices.ids if i in known]
    if len(ids) < 6:
        raise InputError(f"only {len(ids)} judged objects have features", "teacher", "check that ids agree")
    return Judged(
        found.align(ids),
        choices.restrict(ids),
        None if human is None else human.align(ids),
        f"{len(ids)} objects, {choices.name}",
    )


def fit_teacher(data: Judged, kind: str = "uncertainty", strengths=(0.1,), folds: int = 3):
    """Fit a teacher; several strengths are compared by object-wise cross-validation.

    Returns
    -------
    teacher : Teacher
    table : DataFrame or None
        Of the cross-validation.
    """
    targets = None
    if kind == "uncertainty":
        if data.embedding is None:
            raise InputError("needs a human embedding for soft targets", "teacher", "give --embedding, or --kind plain")
        targets = teachers.soft_targets(data.embedding.values, data.choices.triplets)
    x, rows, table = data.features.values, data.choices.triplets, None
    groups = np.unique(data.choices.concepts, return_inverse=True)[1]
    strength = float(strengths[0])
    if len(strengths) > 1:
        table = teachers.cross_validate(x, rows, targets, kind, strengths, n_folds=folds, groups=groups)
        strength = teachers.best_strength(table)
    fitted = teachers.fit(x, rows, targets, kind, strength)
    meta = {
        "strength": strength,
        "choices": data.choices.name,
        "triplets": len(rows),
        "objects": len(x),
        "embedding": "" if data.embedding is None else data.embedding.name,
    }
    return teachers.Teacher(data.features.model, kind, fitted, meta), table
