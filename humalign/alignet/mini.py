"""AligNet in the drawn world: its pictures, teachers and students, and one alignment run from names to a student."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..arrays import one_of
from ..store import cached, digest
from ..zoo import small
from ..zoo.loading import load
from . import teacher as teachers
from .batches import PoolBatches
from .images import Pictures
from .sampling import Groups, kmeans
from .settings import PRESETS, Settings
from .student import Student, embed
from .training import Trainer

TEACHER_TRIPLETS = 30_000  # soft-labelled triplets of things pictures that the map is fitted on
STRENGTH = 0.1
CLUSTERS = 240  # 1.2 per concept
SOURCES = {"all": "all", "seen": "seen", "without H2": "without H2"}  # pictures used for alignment


def concepts(part: str) -> tuple[str, ...]:
    """Concepts of a part of the concept split; also "without H2"."""
    from ..world.splits import concepts_of

    return tuple(sorted(concepts_of("seen") + concepts_of("H1"))) if part == "without H2" else concepts_of(part)


@lru_cache(maxsize=4)
def _unlabelled(profile, part: str):
    from ..world.stimuli import images

    stimuli = images("train", 32, profile)
    wanted = set(concepts(part))
    return stimuli.align([i for i, c in zip(stimuli.ids, stimuli.concepts) if c in wanted])


def pictures(profile, part: str = "all") -> Pictures:
    """Train pictures without their labels: of all concepts, of the seen ones, or of all but H2."""
    stimuli = _unlabelled(profile, one_of(part, tuple(SOURCES), "pictures"))
    return Pictures(stimuli.ids, stimuli.images, 32)


def weights_of(profile, name: str, seed: int = 0) -> str:
    """Checksum of the weights of a network of the mini zoo, or of a teacher network."""
    return small.facts(name, seed, profile)["sha256"]


def features(profile, name: str, split: str, seed: int = 0) -> np.ndarray:
    """Penultimate features of a network of the mini zoo, or a teacher network, for a split of pictures: (m, p)."""
    from ..features import extract
    from ..world import stimuli

    def make():
        model = small.load(name, seed, profile=profile)
        found = extract(model, stimuli.images(split, small.SIDE, profile), device="cpu", progress=False)
        return {"values": found["penultimate"].values}

    parts = ["features 1", name, seed, split, weights_of(profile, name, seed), stimuli.drawings_digest()]
    return cached(profile.cache / "alignet", f"features-{name}-{split}", parts, make)["values"]


def judged_triplets(part: str, n: int = TEACHER_TRIPLETS) -> np.ndarray:
    """Random triplets of things pictures of three different concepts of a part of the split: int (n, 3)."""
    from ..world.datasets import random_triplets
    from ..world.stimuli import concept_of, generator, split_ids

    names = np.array([concept_of(i) for i in split_ids("things")])
    rows = np.flatnonzero(np.isin(names, concepts(part)))
    codes = np.unique(names[rows], return_inverse=True)[1]
    return rows[random_triplets(codes, n, generator(f"alignet/teacher/{part}"))]


def choices(part: str) -> np.ndarray:
    """Hard choices: the people's answers to things triplets whose three concepts belong to a part of the split."""
    from ..world.datasets import things

    data = things("train")
    inside = np.isin(np.array(data.concepts), concepts(part))
    return data.triplets[inside[data.triplets].all(1)]


def teacher(
    profile,
    network: str = "teacher-web",
    kind: str = "uncertainty",
    part: str = "seen",
    strength: float = STRENGTH,
    seed: int = 0,
) -> teachers.Teacher:
    """A teacher fitted to the observers, kept in the cache.

    Parameters
    ----------
    profile : Profile
    network : str
        Network whose features are mapped: a teacher network, or one of the mini zoo.
    kind : {"uncertainty", "plain", "glocal", "untransformed"}
        "untransformed" is centred and scaled until its labels are as sure as those of "uncertainty".
    part : {"seen", "all"}
        Concepts that people judged.
    strength : float
    seed : int
        Of the network.
    """
    from ..probing import transform
    from ..world.datasets import embedding

    one_of(kind, teachers.KINDS, "kind")
    name = f"mini:{network}" + (f":{seed}" if seed else "")
    meta = {
        "judged": part,
        "strength": strength,
        "triplets": TEACHER_TRIPLETS if kind != "plain" else len(choices(part)),
    }
    if kind == "untransformed":
        aligned = teacher(profile, network, "uncertainty", part, strength, seed)
        plain = features(profile, network, "train", seed)
        return teachers.Teacher(name, kind, teachers.scaled_to(plain, aligned.apply(plain)), meta)

    def make():
        x = features(profile, network, "things", seed)
        if kind == "uncertainty":
            rows = judged_triplets(part)
            fitted = teachers.fit(x, rows, teachers.soft_targets(embedding().values, rows), kind, strength)
        else:
            more = {"reference": features(profile, network, "train", seed)[::16]} if kind == "glocal" else {}
            fitted = teachers.fit(x, choices(part), None, kind, strength, **more)
        return {
            "weights": fitted.weights,
            "mean": np.array([fitted.mean]),
            "std": np.array([fitted.std]),
            "bias": fitted.bias,
        }

    from ..world.observers import PARAMETERS, SCALE

    parts = [
        teachers.SOLVER,
        "teacher 1",
        weights_of(profile, network, seed),
        kind,
        part,
        strength,
        TEACHER_TRIPLETS,
        SCALE,
        PARAMETERS,
    ]
    a = cached(profile.cache / "alignet", f"teacher-{network}-{kind}", parts, make)
    return teachers.Teacher(name, kind, transform.LinearTransform(a["weights"], a["mean"], a["std"], a["bias"]), meta)


@dataclass(frozen=True)
class Run:
    """One alignment run in the drawn world.

    Attributes
    ----------
    student : str
        Network of the mini zoo.
    seed : int
        Training seed of the student, and seed of the alignment.
    teacher : str
        Network of the mini zoo; its human-aligned or untransformed map, as ``settings.teacher`` says.
    kind : {"uncertainty", "plain", "glocal"}
        Of the human-aligned map.
    judged : {"seen", "all"}
        Concepts that people judged for the teacher.
    pictures : {"all", "seen", "without H2"}
        Train pictures used for alignment.
    rule : str
        Sampling, see :class:`humalign.alignet.batches.PoolBatches`.
    clusters : int
    scratch : bool
        Start from random weights.
    columns : tuple of int
        Order in which the teacher's similarities are read; anything but (0, 1, 2) is a mistake, kept to show it.
    settings : Settings
    """

    student: str
    seed: int = 0
    teacher: str = "teacher-web"
    kind: str = "uncertainty"
    judged: str = "seen"
    pictures: str = "all"
    rule: str = "mixed"
    clusters: int = CLUSTERS
    scratch: bool = False
    columns: tuple = (0, 1, 2)
    settings: Settings = PRESETS["mini"]

    @property
    def key(self) -> str:
        """Digest of all choices."""
        plain = {k: v for k, v in self.__dict__.items() if k != "settings"}
        return digest("mini run 1", plain, self.settings.as_dict())


def embedding_of(profile, run: Run):
    """The teacher's representations of the pictures of a run, the reference of its local term, and the clusters."""
    from ..world.stimuli import split_ids

    kind = run.kind if run.settings.teacher == "human-aligned" else "untransformed"
    found = teacher(profile, run.teacher, kind, run.judged)
    row = {name: i for i, name in enumerate(split_ids("train"))}
    rows = [row[name] for name in _unlabelled(profile, run.pictures).ids]
    plain = features(profile, run.teacher, "train")
    values = found.apply(plain)[rows]

    def make():
        return {"labels": kmeans(values - values.mean(0), run.clusters, seed=0)[0]}

    parts = ["clusters 1", found.key, run.pictures, run.clusters]
    labels = cached(profile.cache / "alignet", f"clusters-{run.teacher}", parts, make)["labels"]
    return values, (plain - plain.mean(0))[rows], labels


def start(run: Run, profile) -> Student:
    """The student before alignment: its trained weights, or random ones of the same architecture."""
    s, name = run.settings, f"mini:{run.student}:{run.seed}"
    base = load(name, not run.scratch, seed=9000 + run.seed, profile=profile, head=False)
    return Student(base, s.head, s.input, s.seed)


def trainer(run: Run, profile, folder=None) -> Trainer:
    """Everything ready to train."""
    s, own = run.settings, pictures(profile, run.pictures)
    values, reference, labels = embedding_of(profile, run)
    groups = Groups(labels) if run.rule in ("mixed", "cluster_border") else None
    batches = PoolBatches(
        values,
        own,
        s.steps,
        s.batch,
        run.rule,
        groups,
        reference=reference if s.local else None,
        seed=s.seed,
        augmentation=s.augmentation,
        columns=run.columns,
    )
    return Trainer(start(run, profile), batches, s, folder, parts=[run.key])


def student_features(student: Student, profile, split: str, logits: bool = False) -> np.ndarray:
    """Features (or logits) of a split of pictures: float32 (m, p)."""
    from ..world.stimuli import images

    stimuli = images(split, 32, profile)
    return embed(student, Pictures(stimuli.ids, stimuli.images, 32), 512, logits)
