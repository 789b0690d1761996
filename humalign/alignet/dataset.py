"""AligNet triplets on disk: the released npz layout, written and read in pieces, never whole.

Three arrays of n rows: ``filenames`` (n, 3) str, ``similarities`` (n, 3) float32 = the teacher's dot products of the
pairs (0, 1), (0, 2), (1, 2), and ``indices`` (n, 3) int. Images of a row are ordered so that s01 >= s02 >= s12: the
first two are the teacher's pair, the last is its odd one out. Source: README and loader of the official repository.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..store import atomic_path, digest, read_json, write_json

MEMBERS = ("filenames", "similarities", "indices")
AGAIN = "fetch or make it again"


def order_rows(triplets: np.ndarray, similarities: np.ndarray):
    """Reorder each triplet so that s01 >= s02 >= s12, the odd one last.

    Parameters
    ----------
    triplets : int (n, 3)
    similarities : float (n, 3)
        Of the pairs (0, 1), (0, 2), (1, 2) as the rows stand.

    Returns
    -------
    triplets, similarities : arrays (n, 3)

    Notes
    -----
    The image that the two largest similarities share comes first, the other image of the largest pair second.
    """
    rank = np.argsort(-similarities, axis=1, kind="stable")
    opposite = np.array([2, 1, 0])  # the image that a pair leaves out
    odd, middle = opposite[rank[:, 0]], opposite[rank[:, 1]]
    order = np.stack([3 - odd - middle, middle, odd], 1)
    return np.take_along_axis(triplets, order, 1), np.take_along_axis(similarities, rank, 1)


def violations(similarities: np.ndarray) -> dict[str, float]:
    """Share of rows that break each part of the order: s01 < s02, s02 < s12, and s12 above one of both (the README)."""
    s01, s02, s12 = np.asarray(similarities).T
    return {
        "s01 >= s02": float((s01 < s02).mean()),
        "s02 >= s12": float((s02 < s12).mean()),
        "s12 smallest": float(((s12 > s01) | (s12 > s02)).mean()),
    }


def map_member(path, name: str):
    """One array of an npz file, memory-mapped where it is stored without compression, else read.

    Raises
    ------
    InputError
        When the file is damaged, lacks the array, or holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("does not exist", path, "check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                raise InputError(f"has no array '{name}'", path, f"an AligNet file holds {', '.join(MEMBERS)}")
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read(member)
                header = member.tell()
            if dtype.hasobject:
                raise InputError(f"array '{name}' holds pickled objects, which are never loaded", path, AGAIN)
            if info.compress_type != zipfile.ZIP_STORED:
                with np.load(path, allow_pickle=False) as file:
                    return file[name]
            with open(path, "rb") as file:
                file.seek(info.header_offset + 26)
                lengths = np.frombuffer(file.read(4), "<u2")
            start = info.header_offset + 30 + int(lengths.sum()) + header
            if start + dtype.itemsize * int(np.prod(shape)) > path.stat().st_size:
                raise InputError("is cut short", path, AGAIN)
            if 0 in shape:
                return np.empty(shape, dtype)
            return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read as npz ({error})", path, AGAIN) from None


@dataclass
class TripletFile:
    """AligNet triplets, on disk or in memory.

    Attributes
    ----------
    filenames : str array (n, 3), or None
    similarities : float array (n, 3)
    indices : int array (n, 3)
    path : Path or None
    order : dict
        Shares of rows that break the order, from the rows checked.
    """

    filenames: np.ndarray | None
    similarities: np.ndarray
    indices: np.ndarray
    path: Path | None = None
    order: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.similarities)

    @classmethod
    def read(cls, path, order: str = "assert", chunk: int = 1_000_000) -> TripletFile:
        """Open a released or own file; arrays stay on disk.

        Parameters
        ----------
        path : path
        order : {"assert", "report"}
            What to do when rows are not ordered s01 >= s02 >= s12.
        chunk : int
            Rows checked at a time.

        Raises
        ------
        InputError
            For a damaged file, arrays that do not fit together, values that are not finite, or (assert) a wrong order.
        """
        path = Path(path)
        arrays = {name: map_member(path, name) for name in MEMBERS}
        n = len(arrays["similarities"])
        for name, kinds in zip(MEMBERS, ("US", "f", "iu")):
            array = arrays[name]
            if array.shape != (n, 3) or array.dtype.kind not in kinds or n == 0:
                raise InputError(f"'{name}' is {array.dtype} {array.shape}", path, "each array is (n, 3); " + AGAIN)
        broken = {}
        for start in range(0, n, chunk):
            part = np.asarray(arrays["similarities"][start : start + chunk])
            if not np.isfinite(part).all():
                raise InputError("holds similarities that are not finite", path, AGAIN)
            for rule, share in violations(part).items():
                broken[rule] = broken.get(rule, 0.0) + share * len(part) / n
        if order == "assert" and any(broken.values()):
            rule, share = max(broken.items(), key=lambda item: item[1])
            raise InputError(
                f"{share:.1%} of rows break {rule}",
                path,
                "columns must be (01), (02), (12) with the odd image last; order='report' reads it anyway",
            )
        return cls(arrays["filenames"], arrays["similarities"], arrays["indices"], path, broken)

    def names(self, rows) -> np.ndarray:
        """File names of rows, (len(rows), 3) str."""
        names = np.asarray(self.filenames[rows])
        return np.char.decode(names, "utf8") if names.dtype.kind == "S" else names


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

    def __init__(self, path, rows: int, width: int, parts=()):
        self.path, self.rows = Path(path), int(rows)
        if self.path.suffix != ".npz":
            raise InputError("does not end in .npz", path, "name it so")
        self.types = dict(zip(MEMBERS, (np.dtype(f"<U{max(width, 1)}"), np.dtype("<f4"), np.dtype("<i8"))))
        self.folder = self.path.with_name(self.path.name + ".parts")
        self.key = digest("alignet file 1", rows, width, parts)
        self.done = 0
        state = self.folder / "state.json"
        if state.is_file():
            found = read_json(state)
            if found.get("key") == self.key and all((self.folder / name).is_file() for name in MEMBERS):
                self.done = int(found["done"])
        if self.done == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files = {}
        for name, kind in self.types.items():
            self.files[name] = open(self.folder / name, "r+b" if self.done else "w+b")  # noqa: SIM115
            self.files[name].truncate(self.done * 3 * kind.itemsize)
            self.files[name].seek(0, 2)

    def append(self, filenames, similarities, indices) -> None:
        """Add rows (k, 3) of each array and note how far the file is."""
        for name, values in zip(MEMBERS, (filenames, similarities, indices)):
            values = np.ascontiguousarray(values, self.types[name])
            if values.ndim != 2 or values.shape[1] != 3:
                raise InputError(f"'{name}' has shape {values.shape}", self.path, "rows hold three images")
            self.files[name].write(values.data)
            self.files[name].flush()
        self.done += len(similarities)
        write_json(self.folder / "state.json", {"key": self.key, "done": self.done})

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
    parts=(),
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
    parts : object
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
    writer = TripletWriter(path, n, width, ["piece", piece, rule, seed, len(values), parts])
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
