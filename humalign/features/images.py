"""Pictures by id: from a folder, from a data set, and as batches ready for a network."""

from __future__ import annotations

import threading
from pathlib import Path, PurePosixPath
from queue import Queue

import numpy as np

from ..data.files import IMAGES, pictures_below, rgb
from ..data.types import Stimuli
from ..errors import InputError, MissingData
from ..store import digest, sha256

SUFFIXES = (*IMAGES, ".gif", ".ppm")
MOST = 4096  # pictures whose content is looked at where a product or a training is gone on with


def from_folder(folder, suffix: bool = False) -> Stimuli:
    """All images under a folder, sorted by path.

    Parameters
    ----------
    folder : path
    suffix : bool
        The ids keep the suffix, as file names in triplets do.

    Returns
    -------
    Stimuli
        ``ids`` are the relative paths without suffix ("dog/1", "n01440764/n01440764_10026"); ``images`` are paths.

    Raises
    ------
    InputError, MissingData
        When the folder does not exist or has no images, or two files have the same id.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise MissingData("this folder does not exist", folder, "name a folder with images")
    names = pictures_below(folder, SUFFIXES)
    if strange := [name for name in names if not name.isprintable()]:
        told = strange[0].encode("ascii", "backslashreplace").decode()
        raise InputError(f"holds '{told}', whose name is no printable text", folder, "rename it")
    if special := [name for name in names if (folder / name).exists() and not (folder / name).is_file()]:
        raise InputError(f"holds '{special[0]}', which is no file (a pipe or a device)", folder, "take it out")
    if not names:
        raise InputError("has no images", folder, f"images end in {', '.join(SUFFIXES[:5])} ...")
    ids = names if suffix else [PurePosixPath(name).with_suffix("").as_posix() for name in names]
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))
        raise InputError(f"two images are called '{twice}'", folder, "they differ only in the suffix: rename one")
    images = [folder / name for name in names]
    return Stimuli(tuple(ids), f"folder {folder.name}", "as its owner says", images=images, name=folder.name)


def content(stimuli: Stimuli, rows=None, most: int | None = None) -> str:
    """Digest of what some picture files hold; "" for pictures in memory, whose pixels are their checksum.

    Parameters
    ----------
    stimuli : Stimuli
    rows : sequence of int, optional
        Default: all.
    most : int, optional
        Of more files, as many are read, spread evenly over the set; names and sizes of all count in any case.
    """
    if stimuli.images is None or isinstance(stimuli.images, np.ndarray):
        return ""
    rows = range(len(stimuli)) if rows is None else rows
    if most is not None and len(rows) > most:
        rows = [rows[int(k)] for k in np.linspace(0, len(rows) - 1, most)]
        return digest(stimuli.checksum, [sha256(stimuli.images[row]) for row in rows])
    return digest([sha256(stimuli.images[row]) for row in rows])


def read(path) -> np.ndarray:
    """One picture from a file: uint8 (h, w, 3); InputError when it cannot be read."""
    from PIL import Image

    if not Path(path).is_file():  # a pipe would be waited for
        raise InputError("is no file", path, "take it out of the folder")
    try:
        with Image.open(path) as image:
            return np.asarray(rgb(image))
    except InputError as error:
        raise InputError(error.problem, path, error.remedy) from None
    except Exception as error:  # Pillow's decoders raise many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot be read as an image ({reason})", path, "repair it or take it out of the folder"
        ) from None


class Decoded:
    """A torch data set: uint8 arrays (size, size, 3) after the network's geometry, or the error of a bad file."""

    def __init__(self, images, preprocess):
        self.images, self.preprocess = images, preprocess

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        image = self.images[row]
        try:
            return self.preprocess.geometry(image if isinstance(image, np.ndarray) else read(image))
        except InputError as error:  # a process that decodes hands it to the main process
            return error


def _stack(items):
    import torch

    for item in items:
        if isinstance(item, InputError):
            return item
    return torch.from_numpy(np.stack(items))


def batches(stimuli: Stimuli, preprocess, rows: list, workers: int, pin: bool):
    """Batches of uint8 pictures (n, size, size, 3) for lists of row numbers, read ahead.

    Parameters
    ----------
    stimuli : Stimuli
    preprocess : Preprocess
    rows : list of int lists
        One list a batch.
    workers : int
        Processes that decode; 0 decodes in a thread beside the network.
    pin : bool
        Page-locked memory, for copies to a GPU that do not wait.

    Raises
    ------
    InputError
        Names the first image that cannot be read.
    """
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Decoded(stimuli.images, preprocess),
        batch_sampler=rows,
        num_workers=workers,
        collate_fn=_stack,
        pin_memory=pin,
        prefetch_factor=3 if workers else None,
    )
    for batch in loader if workers else _ahead(loader):
        if isinstance(batch, InputError):
            raise batch
        yield batch


def _ahead(iterable, depth: int = 3):
    """The items of ``iterable``, made by a thread that keeps ``depth`` of them ready."""
    queue: Queue = Queue(depth)
    stop, end = threading.Event(), object()

    def work():
        try:
            for item in iterable:
                queue.put(item)
                if stop.is_set():
                    return
            queue.put(end)
        except BaseException as error:  # handed to the reader
            queue.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not end:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while not queue.empty():  # let the thread see the signal
            queue.get_nowait()
