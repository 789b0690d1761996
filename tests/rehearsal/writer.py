"""The writer of tiny files: where they go, what is drawn for all of them, and one method a format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from humalign.data.known import MANIFEST
from humalign.errors import InputError
from humalign.store import write_json

CONCEPTS = (
    "aardvark", "apple", "bear", "bicycle", "bus", "camera_lens", "camera1", "camera2", "car", "cat", "chair", "dog",
    "duck", "guitar", "hammer", "hot_chocolate", "hot_tub", "hot-air_balloon", "ice", "ice_cream", "ice_cube",
    "ice-cream_cone", "pepper_mill", "pepper1", "pepper2", "piano", "rose_bush", "rosette", "table", "violin",
)  # fmt: skip
SYNSETS = tuple(f"n{1440000 + 137 * k:08d}" for k in range(24))


class Writer:
    """Writes tiny files under ``root``; everything follows from ``seed``.

    Parameters
    ----------
    root : path
        An empty or new folder.
    seed : int
    """

    def __init__(self, root, seed: int = 0):
        self.root, self.rng = Path(root), np.random.default_rng(seed)
        self.root.mkdir(parents=True, exist_ok=True)
        if any(self.root.iterdir()):
            raise InputError("is not empty", root, "rehearse in a new folder")
        write_json(self.root / MANIFEST, {"rehearsal": True, "note": "tiny files in the published layouts, not data"})
        m = len(CONCEPTS)
        self.latent = self.rng.gamma(0.4, 1.0, (m, 6))

    def path(self, name: str) -> Path:
        """A path under the root whose folder exists."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def npy(self, name, array):
        """A .npy file."""
        np.save(self.path(name), array)

    def text(self, name, rows, form="%d"):
        """Rows of numbers, separated by blanks."""
        np.savetxt(self.path(name), rows, fmt=form)

    def mat(self, name, **variables):
        """A MATLAB file (version 5)."""
        import scipy.io

        scipy.io.savemat(self.path(name), variables)

    def image(self, name, side: int = 20):
        """A small picture: one colour with noise; the format follows the ending."""
        from PIL import Image

        pixels = self.rng.integers(0, 200, 3) + self.rng.integers(0, 56, (side, side, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(self.path(name))
