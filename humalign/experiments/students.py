"""Students of the drawn world: the pictures they are aligned on, one alignment run from names to a student."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..alignet.batches import PoolBatches
from ..alignet.images import Pictures
from ..alignet.sampling import Groups, kmeans
from ..alignet.settings import PRESETS, Settings
from ..alignet.student import Student, embed
from ..alignet.training import Trainer
from ..arrays import one_of
from ..cache import kept
from ..chapters.alignet_data import CLUSTERS
from ..chapters.teacher import concepts, features, fitted
from ..edition import NOW
from ..source import open_source
from ..store import digest
from ..zoo.loading import load

VERSION = 1  # of what is kept: goes up when its numbers change
PARTS = ("all", "seen", "without H2")  # whose pictures are used for alignment


@lru_cache(maxsize=4)
def unlabelled(profile, part: str = "all"):
    """Train pictures of all concepts, of the seen ones, or of all but H2: Stimuli of this world's size."""
    from ..world.stimuli import images

    stimuli = images("train", profile=profile)
    wanted = set(concepts(part))
    return stimuli.align([i for i, c in zip(stimuli.ids, stimuli.concepts) if c in wanted])


def pictures(profile, part: str = "all") -> Pictures:
    """Train pictures without their labels: of all concepts, of the seen ones, or of all but H2."""
    stimuli = unlabelled(profile, one_of(part, PARTS, "pictures"))
    return Pictures(stimuli.ids, stimuli.images, NOW.side)


@dataclass(frozen=True)
class StudentRun:
    """One alignment run in the drawn world.

    Attributes
    ----------
    student : str
        Network of the mini zoo.
    seed : int
        Training seed of the student, and seed of the alignment.
    teacher : str
        Network of the mini zoo; its human-aligned or untransformed map, as ``settings.teacher`` says.
    kind : {"uncertainty", "plain", "glocal", "permuted"}
        Of the human-aligned map; "permuted" is that of uncertainty where each concept is given another one's pictures.
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
    teacher: str = NOW.teacher
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


def embedding_of(profile, run: StudentRun):
    """The teacher's representations of the pictures of a run, the reference of its local term, and the clusters."""
    from ..world.observers import permutation
    from ..world.stimuli import concept_of, split_ids

    kind = run.kind if run.settings.teacher == "human-aligned" else "untransformed"
    permuted, kind = kind == "permuted", "uncertainty" if kind == "permuted" else kind
    source = open_source(profile)
    found = fitted(source, run.teacher, kind, run.judged)
    row = {name: i for i, name in enumerate(split_ids("train"))}
    rows = [row[name] for name in unlabelled(profile, run.pictures).ids]
    plain = features(source, run.teacher, "train")
    if permuted:
        other = [f"{permutation()[concept_of(i)]}/{i.partition('/')[2]}" for i in split_ids("train")]
        plain = plain[[row[name] for name in other]]
    values = found.apply(plain)[rows]

    def make():
        return {"labels": kmeans(values - values.mean(0), run.clusters, seed=0)[0]}

    inputs = [found.key, run.pictures, run.clusters, *(["permuted"] if permuted else [])]
    labels = kept(profile, f"student-clusters-{run.teacher}", VERSION, inputs, make)["labels"]
    return values, (plain - plain.mean(0))[rows], labels


def start(run: StudentRun, profile) -> Student:
    """The student before alignment: its trained weights, or random ones of the same architecture."""
    s, name = run.settings, f"mini:{run.student}"
    if run.scratch:
        base = load(name, False, seed=9000 + run.seed, profile=profile, head=False)
    else:
        base = load(f"{name}:{run.seed}", profile=profile, head=False)
    return Student(base, s.head, s.input, s.seed)


def trainer(run: StudentRun, profile, folder=None) -> Trainer:
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
    return Trainer(start(run, profile), batches, s, folder, made_from=[run.key])


def student_features(student: Student, profile, split: str) -> np.ndarray:
    """Features of a split of pictures: float32 (m, p)."""
    from ..world.stimuli import images

    stimuli = images(split, profile=profile)
    return embed(student, Pictures(stimuli.ids, stimuli.images, NOW.side), 512)
