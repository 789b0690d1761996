"""Pictures for students: from a folder or from memory, resized as the paper does, in [0, 1]."""

from __future__ import annotations

import numpy as np
import torch

from ..data.ids import check_ids
from ..errors import InputError
from ..features.images import from_folder, read


def resize(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Resize whole pictures to a square, aspect not kept: bicubic with a = -.75, half-pixel centres, no antialiasing.

    Parameters
    ----------
    pixels : float tensor (b, 3, h, w) in [0, 1]
    side : int

    Returns
    -------
    float tensor (b, 3, side, side), clipped to [0, 1]

    Notes
    -----
    The formula of OpenCV's INTER_CUBIC, which the official code uses. Pillow's bicubic filter smooths when it shrinks a
    picture and gives other features.
    """
    if pixels.shape[-2:] == (side, side):
        return pixels
    return torch.nn.functional.interpolate(pixels, (side, side), mode="bicubic", align_corners=False).clamp_(0, 1)


def _unit(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (b, h, w, 3) to float (b, 3, h, w) in [0, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(255)


IN_MEMORY = 1 << 30


class Pictures:
    """Pictures with ids.

    Parameters
    ----------
    ids : sequence of str
    source : uint8 array (m, h, w, 3), or sequence of m paths
    side : int
        Pixels they are resized to.

    Notes
    -----
    Pictures read from files stay in memory after the first reading where all of them have at most ``IN_MEMORY`` bytes.
    """

    def __init__(self, ids, source, side: int):
        self.ids, self.side = check_ids(ids, "pictures"), int(side)
        if len(source) != len(self.ids):
            raise InputError(f"{len(source)} pictures for {len(self.ids)} ids", "pictures", "give one picture per id")
        self.source = source
        self.row = {name: i for i, name in enumerate(self.ids)}
        if isinstance(source, np.ndarray) and (source.ndim != 4 or source.shape[3] != 3 or source.dtype != np.uint8):
            raise InputError(f"are {source.dtype} {source.shape}", "pictures", "give uint8 (m, h, w, 3)")
        fits = len(self.ids) * side * side * 3 <= IN_MEMORY
        self.kept = {} if fits and not isinstance(source, np.ndarray) else None

    def __len__(self):
        return len(self.ids)

    @classmethod
    def folder(cls, path, side: int) -> Pictures:
        """All pictures below a folder; the id is the path inside it with forward slashes.

        Raises
        ------
        InputError
            When the folder does not exist or holds no picture.
        """
        found = from_folder(path, suffix=True)
        return cls(found.ids, found.images, side)

    def rows(self, names) -> np.ndarray:
        """Numbers of pictures by id, in the shape of ``names``; also by file name alone, where that is unique.

        A name with folders is never met by a picture of another folder: one path has to be the end of the other.
        """
        names = np.asarray(names, dtype=np.str_)
        unique, inverse = np.unique(names, return_inverse=True)
        if not hasattr(self, "_by_name"):
            last: dict[str, int] = {}
            for i, name in enumerate(self.ids):
                short = name.rpartition("/")[2]
                last[short] = -1 if short in last else i
            self._by_name = last
        found = np.array([self._row(name) for name in unique.tolist()])
        if (found < 0).any():
            k = int(np.argmax(found < 0))
            why = "is the name of several pictures" if found[k] == -1 else "is not among the pictures"
            raise InputError(
                f"'{unique[k]}' {why}", "triplets", "point --images at the folder the triplets were made from"
            )
        return found[inverse].reshape(names.shape)

    def _row(self, name: str) -> int:
        if name in self.row:
            return self.row[name]
        row = self._by_name.get(name.rpartition("/")[2], -2)
        ends = row >= 0 and (f"/{self.ids[row]}".endswith(f"/{name}") or f"/{name}".endswith(f"/{self.ids[row]}"))
        return row if ends or row == -1 else -2

    def pixels(self, rows) -> torch.Tensor:
        """Pictures of rows: float tensor (b, 3, side, side) in [0, 1]."""
        rows = np.asarray(rows)
        if isinstance(self.source, np.ndarray):
            return resize(_unit(self.source[rows]), self.side)
        return torch.stack([self._one(int(r)) for r in rows])

    def _one(self, row: int) -> torch.Tensor:
        if self.kept is not None and row in self.kept:
            return self.kept[row].float().div_(255)
        pixels = resize(_unit(read(self.source[row])[None]), self.side)[0]
        if self.kept is not None:
            self.kept[row] = (pixels * 255).round().to(torch.uint8)
            return self.kept[row].float().div_(255)
        return pixels


def flip_and_shift(pixels: torch.Tensor, seed, places=None, whole: int | None = None) -> torch.Tensor:
    """Mirror each picture with probability one half; roll all by up to 2 pixels; decided by ``seed`` alone.

    Parameters
    ----------
    pixels : float tensor (b, 3, h, w)
    seed : int or sequence of int
    places : int array (b,), optional
        Where these pictures stand among the ``whole`` pictures of a step that several processes share. What is drawn
        is drawn for all of them, so that each picture is changed as one process alone would change it.
    whole : int, optional
        Pictures of the whole step (default: b).

    Returns
    -------
    float tensor (b, 3, h, w)
    """
    generator = np.random.default_rng(seed)
    flip = generator.random(len(pixels) if whole is None else whole) < 0.5
    down, right = (int(v) for v in generator.integers(-2, 3, size=2))
    flip = torch.from_numpy(flip if places is None else flip[places])
    pixels = torch.where(flip[:, None, None, None], pixels.flip(3), pixels)
    return torch.roll(pixels, (down, right), (2, 3))


def progress_bar(total: int, text: str, unit: str = "image"):
    """Progress bar that leaves nothing behind."""
    from tqdm import tqdm

    return tqdm(total=total, desc=text, unit=unit, unit_scale=True, leave=False)
