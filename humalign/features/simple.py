"""What pictures are like without any network: pixels, colours, edges."""

from __future__ import annotations

import numpy as np

from .images import read


def thumbnails(images, side: int) -> np.ndarray:
    """Pictures as uint8 (m, side, side, 3), reduced by area; those of this size come back as they are.

    Parameters
    ----------
    images : sequence of paths or of uint8 arrays (h, w, 3)
    side : int
        Pixels.
    """
    from PIL import Image

    out = np.empty((len(images), side, side, 3), np.uint8)
    for row, image in enumerate(images):
        picture = Image.fromarray(image if isinstance(image, np.ndarray) else read(image))
        out[row] = np.asarray(picture.resize((side, side), Image.Resampling.BOX))
    return out


def descriptions(pixels: np.ndarray) -> dict:
    """Trivial features of pictures (m, 32, 32, 3): pixels, 8x8 pixels, colour histogram (root of counts), edges."""
    x = pixels.astype(np.float64)
    cell = (pixels // 64).astype(np.int64) @ np.array([16, 4, 1])
    cell = cell.reshape(len(x), -1) + 64 * np.arange(len(x))[:, None]
    counts = np.bincount(cell.ravel(), minlength=64 * len(x)).reshape(len(x), 64)
    grey = x.mean(-1)
    edges = np.abs(np.diff(grey, axis=1))[:, :, :-1] + np.abs(np.diff(grey, axis=2))[:, :-1]
    return {
        "pixels": x.reshape(len(x), -1),
        "pixels 8x8": x.reshape(len(x), 8, 4, 8, 4, 3).mean((2, 4)).reshape(len(x), -1),
        "colour histogram": np.sqrt(counts),
        "edges": np.sqrt(edges.reshape(len(x), -1)),
    }
