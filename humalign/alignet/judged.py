"""What a teacher is fitted to, from files, networks or data sets, and the fit with its strength chosen over objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.types import Features, Triplets
from ..errors import InputError
from . import teacher as teachers
from .images import Pictures, progress_bar


@dataclass
class Judged:
    """What a teacher is fitted to: features of the judged objects, human choices about them, an embedding of them."""

    features: Features
    choices: Triplets
    embedding: object | None
    title: str


def read_features(name: str, profile) -> Features:
    """Features from a file or folder, or from a data set of the profile."""
    from ..data import registry
    from ..features import read

    if Path(name).exists():
        return read(name)
    found = registry.load(name, profile)
    if not isinstance(found, Features):
        raise InputError("does not hold features", name, "name a file with ids and values, or a data set of features")
    return found


def network_features(network: str, source, profile, text: str = "embedding") -> Features:
    """Features of pictures by a frozen tower, normalised as it was trained.

    Parameters
    ----------
    network : str
        ``mini:NAME``, ``timm:NAME`` or ``open_clip:ARCH/TAG``.
    source : Pictures, or a function of the side in pixels that gives them
    """
    from .student import Student, embed, tower

    student = Student(tower(network, profile=profile), 0, "native")
    pictures = source(student.side) if callable(source) else source
    with progress_bar(len(pictures), text) as bar:
        values = embed(student, pictures, device=profile.torch_device(), progress=bar.update)
    return Features(pictures.ids, values, network)


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
        Human choices and human embedding by name.
    """
    from ..data import registry

    mini = profile.name == "mini"
    if bool(network) == bool(features):
        raise InputError("give either a network or features", "teacher", "--network mini:NAME, or --features FILE")
    if not (dataset or mini):
        raise InputError("which human choices?", "teacher", "give --dataset, see 'humalign data list'")
    choices = registry.load(dataset or "things", profile)
    human = (
        registry.load(embedding, profile)
        if embedding
        else registry.load("observer-dimensions", profile)
        if mini
        else None
    )
    if features:
        found = read_features(features, profile)
    elif images:
        found = network_features(network, lambda side: Pictures.folder(images, side), profile)
        found = Features(tuple(i.rpartition(".")[0] for i in found.ids), found.values, network)
    elif mini:
        from ..world.stimuli import images as drawn

        stimuli = drawn("things", 64, profile)
        found = network_features(network, lambda side: Pictures(stimuli.ids, stimuli.images, side), profile)
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
