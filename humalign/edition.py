"""Which drawn world is meant: the first, whose networks come with the package, or the second, see world/second."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InputError

VARIABLE = "HUMALIGN_WORLD"


@dataclass(frozen=True)
class Edition:
    """What two drawn worlds do not share; grammar, people's dimensions, data sets and measures are the same.

    Attributes
    ----------
    number : int
    seed : int
        Master seed; every other seed is derived from it and a name.
    side : int
        Pixels that networks see.
    kappa, scale : float
        Scene coupling and scale of the observers' choices, each set by its rule (PROTOCOL.md).
    pictures : dict
        Pictures of each concept, by split.
    arranged : dict
        Concepts of each arrangement set.
    teacher : str
        Network whose features are mapped for students.
    students : dict
        Networks that are aligned, with their short names for axes.
    folder : str
        Where what is its own lies in ``world``, ``zoo``, ``recorded`` and the cache; "" of the first.
    """

    number: int
    seed: int
    side: int
    kappa: float
    scale: float
    pictures: dict = field(default_factory=dict)
    arranged: dict = field(default_factory=dict)
    teacher: str = ""
    students: dict = field(default_factory=dict)
    folder: str = ""

    def within(self, path) -> Path:
        """A folder, or the one beneath it for what is this edition's own."""
        return Path(path) / self.folder if self.folder else Path(path)


EDITIONS = {
    "1": Edition(
        number=1, seed=20260, side=32, kappa=0.6, scale=1.16,
        pictures={"train": 80, "web": 80, "test": 16, "things": 2}, arranged={"cichy": 118, "king1": 144, "king2": 144},
        teacher="teacher-web",
        students={"softmax-resnet-m": "ResNet", "softmax-vit-m": "ViT", "simclr-resnet-m": "SimCLR",
                  "imagetext-seen-resnet-m": "Image/text"},
    ),
    "2": Edition(
        number=2, seed=20262, side=64, kappa=0.6, scale=1.10,
        pictures={"train": 40, "test": 16, "things": 2}, arranged={"cichy": 118, "king1": 144, "king2": 144},
        teacher="efficientnet-lite0", folder="second",
        students={"softmax-resnet-m": "ResNet", "softmax-densenet-m": "DenseNet", "simclr-resnet-m": "SimCLR",
                  "imagetext-resnet-m": "Image/text"},
    ),
}  # fmt: skip


def _chosen() -> Edition:
    """The edition that the environment names, read once: a process has one drawn world.

    Raises
    ------
    InputError
        For an edition that there is not.
    """
    name = os.environ.get(VARIABLE) or "1"
    if name not in EDITIONS:
        raise InputError(f"there is no drawn world '{name}'", VARIABLE, f"choose one of {', '.join(EDITIONS)}")
    return EDITIONS[name]


NOW = _chosen()
