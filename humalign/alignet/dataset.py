"""AligNet triplets written to disk in the released npz layout, in pieces, never whole.

The layout: :mod:`humalign.data.alignet`.
"""

from __future__ import annotations

import contextlib
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..data.alignet import MEMBERS, order_rows
from ..errors import InputError
from ..store import atomic_path, digest, read_json, telling_no_room, write_json


class TripletWriter:
    """Write an AligNet file piece by piece; an interrupted one goes on where it stopped.

    Rows are appended to three raw files in ``<path>.parts``; :meth:`close` packs them into one uncompressed npz.

    Parameters
    ----------
    path : path
        Ends in .npz.
    rows : int
        How many there will be.
    width : int
        Longest file name in characters.
    parts : object
        Everything the content depends on; a started file with other parts is begun anew.

    Attributes
    ----------
    done : int
        Rows already written.
    """

    def __init__(self, path, rows: int, width: int, made_from=()):
        self.path, self.rows = Path(path), int(rows)
        if self.path.suffix != ".npz":
            raise InputError("does not end in .npz", path, "name it so")
        self.types = dict(zip(MEMBERS, (np.dtype(f"<U{max(width, 1)}"), np.dtype("<f4"), np.dtype("<i8"))))
        self.folder = self.path.with_name(self.path.name + ".parts")
        self.key = digest("alignet file 1", rows, width, made_from)
        self.done = 0
        state = self.folder / "state.json"
        self.sums = dict.fromkeys(MEMBERS, 0)
        with contextlib.suppress(InputError):  # damaged: begun anew
            found = read_json(state, {"key": str, "done": int, "sums": dict.fromkeys(MEMBERS, int)})
            if found["key"] == self.key and 0 < found["done"] <= self.rows:
                self.done, self.sums = self._kept(found["done"], found["sums"])
        if self.done == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files = {}
        for name, kind in self.types.items():
            self.files[name] = open(self.folder / name, "r+b" if self.done else "w+b")  # noqa: SIM115
            self.files[name].truncate(self.done * 3 * kind.itemsize)
            self.files[name].seek(0, 2)

    def _kept(self, done: int, sums: dict) -> tuple[int, dict]:
        """How many rows of a started file can be gone on from: all that were noted, or none where bytes are others."""
        for name, kind in self.types.items():
            left, found = done * 3 * kind.itemsize, 0
            try:
                with open(self.folder / name, "rb") as file:
                    while left and (block := file.read(min(left, 1 << 22))):
                        found, left = zlib.crc32(block, found), left - len(block)
            except OSError:
                return 0, dict.fromkeys(MEMBERS, 0)
            if left or found != sums[name]:
                return 0, dict.fromkeys(MEMBERS, 0)
        return done, sums

    def append(self, filenames, similarities, indices) -> None:
        """Add rows (k, 3) of each array and note how far the file is."""
        for name, values in zip(MEMBERS, (filenames, similarities, indices)):
            values = np.ascontiguousarray(values, self.types[name])
            if values.ndim != 2 or values.shape[1] != 3:
                raise InputError(f"'{name}' has shape {values.shape}", self.path, "rows hold three images")
            with telling_no_room(self.path):
                self.files[name].write(values.data)
                self.files[name].flush()
            self.sums[name] = zlib.crc32(values.data, self.sums[name])
        self.done += len(similarities)
        write_json(self.folder / "state.json", {"key": self.key, "done": self.done, "sums": self.sums})

    def close(self) -> Path:
        """Pack the npz and remove the pieces; InputError when rows are missing."""
        for file in self.files.values():
            file.close()
        if self.done != self.rows:
            raise InputError(f"{self.done} of {self.rows} rows are written", self.path, "go on with the same settings")
        with atomic_path(self.path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name, kind in self.types.items():
                # same header as np.savez writes, then the raw rows
                header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (self.rows, 3)}
                with (
                    archive.open(f"{name}.npy", "w", force_zip64=True) as member,
                    open(self.folder / name, "rb") as raw,
                ):
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(raw, member, 1 << 22)
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.path


def dot_products(values, triplets: np.ndarray) -> np.ndarray:
    """Dot products of the pairs (0, 1), (0, 2), (1, 2): float32 (n, 3).

    Parameters
    ----------
    values : array or memory map (m, d)
        Each needed row is read once, in order.
    triplets : int (n, 3)
    """
    rows, inverse = np.unique(triplets, return_inverse=True)
    inverse = inverse.reshape(triplets.shape)
    part = np.asarray(values[rows], np.float32)
    a, b, c = (part[inverse[:, k]] for k in range(3))
    return np.stack([np.einsum("ij,ij->i", a, b), np.einsum("ij,ij->i", a, c), np.einsum("ij,ij->i", b, c)], 1)


def write_triplets(
    path,
    n: int,
    rule: str,
    values,
    names,
    groups=None,
    *,
    seed: int = 0,
    memory: int = 256 << 20,
    made_from=(),
    progress=None,
) -> Path:
    """Sample, label, order and store ``n`` triplets with bounded memory.

    Parameters
    ----------
    path : path
        npz to write.
    n : int
    rule : str
        See :func:`humalign.alignet.sampling.sample`.
    values : array or memory map (m, d)
        The teacher's representations of all images.
    names : sequence of str (m,)
        File name of each image.
    groups : Groups, optional
    seed : int
        Piece k is drawn with ``default_rng([seed, k])``, so that a resumed file equals an uninterrupted one.
    memory : int
        Bytes for one piece.
    made_from : object
        What else the content depends on (digest of the teacher and the images).
    progress : callable, optional
        Called with the number of rows written.

    Returns
    -------
    Path
    """
    from .sampling import sample

    if len(names) != len(values):
        raise InputError(f"{len(names)} names for {len(values)} rows", "images", "align names and features")
    names = np.asarray(names, dtype=np.str_)
    width = int(np.char.str_len(names).max())
    per_row = 3 * (3 * 4 * values.shape[1] + 4 * width + 64)  # gathered rows twice, products, names, indices
    piece = int(np.clip(memory // per_row, 1024, 1 << 18))
    writer = TripletWriter(path, n, width, ["piece", piece, rule, seed, len(values), made_from])
    if progress and writer.done:
        progress(writer.done)
    while writer.done < n:
        k = min(piece, n - writer.done)
        rng = np.random.default_rng([seed, writer.done])
        triplets = sample(k, rule, len(values), groups, rng=rng)
        triplets, similarities = order_rows(triplets, dot_products(values, triplets))
        writer.append(names[triplets], similarities, triplets)
        if progress:
            progress(k)
    return writer.close()
