"""Reading strangers' files: every damage becomes one line naming file, problem and remedy; pickles stay closed."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData

AGAIN = "get the file again ('humalign data where' tells from where)"
NO_PICKLE = "it holds pickled objects, which are never loaded: save plain arrays instead"


def reason(error: BaseException) -> str:
    """What a library says of a damaged file, in one line."""
    words = " ".join(str(error).split())[:200]
    return words or type(error).__name__


def exists(path, remedy=AGAIN) -> Path:
    """The path, when it is a file with something in it."""
    path = Path(path)
    if not path.is_file():
        if path.exists():
            raise InputError("is no file", path, remedy)
        raise MissingData("there is no such file", path, remedy)
    if path.stat().st_size == 0:
        raise InputError("the file is empty", path, remedy)
    return path


def shaped(array: np.ndarray, shape, where, remedy="check that this is the file the registry means") -> np.ndarray:
    """The array, when its shape fits ``shape`` (None = any length)."""
    fits = array.ndim == len(shape) and all(want is None or want == got for want, got in zip(shape, array.shape))
    if not fits:
        wanted = "(" + ", ".join("n" if s is None else str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"
        raise InputError(f"has shape {array.shape} where {wanted} is expected", where, remedy)
    return array


def whole(array: np.ndarray, where) -> np.ndarray:
    """The array as int64, when every number is whole."""
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.int64, copy=False)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"holds {array.dtype} where whole numbers are expected", where, AGAIN)
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(array) & (array == np.floor(array)))
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise InputError(f"row {row} holds a number that is not whole", where, "indices are whole numbers: " + AGAIN)
    return array.astype(np.int64)


def read_npy(path, shape=None) -> np.ndarray:
    """One array from a .npy file; pickled objects are refused.

    Raises
    ------
    InputError
        When the file is missing, empty, truncated, pickled or of another shape.
    """
    path = exists(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd headers
            array = np.load(path, allow_pickle=False)
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise InputError("is not a plain .npy file", path, NO_PICKLE) from None
        raise InputError(f"is truncated or damaged ({reason(error)})", path, AGAIN) from None
    except Exception as error:  # its header is read as Python text: nearly anything can come of it
        raise InputError(f"is not a .npy file ({reason(error)})", path, AGAIN) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError("is an archive (.npz), not one array", path, "save the array with numpy.save")
    return array if shape is None else shaped(array, shape, path)


def read_npz(path, keys=()) -> dict[str, np.ndarray]:
    """All arrays of a .npz file; pickled objects are refused, ``keys`` must be there."""
    path = exists(path)
    try:
        with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
            archive = np.load(file, allow_pickle=False)  # of an open file: closed also where it is damaged
            if not hasattr(archive, "files"):
                raise InputError("is one array (.npy), not an archive", path, "save it with numpy.savez")
            if missing := [key for key in keys if key not in archive.files]:
                raise InputError(
                    f"has no array called {', '.join(missing)} (it has {', '.join(archive.files) or 'none'})",
                    path,
                    AGAIN,
                )
            arrays = {key: archive[key] for key in archive.files}
            if strange := [key for key, value in arrays.items() if not isinstance(value, np.ndarray)]:
                raise InputError(f"holds '{strange[0]}', which is no array", path, AGAIN)
            return arrays
    except InputError:
        raise
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise InputError("is not a plain .npz file", path, NO_PICKLE) from None
        raise InputError(f"is truncated or damaged ({reason(error)})", path, AGAIN) from None
    except Exception as error:  # of zipfile, its decoders and NumPy's headers
        raise InputError(f"is truncated or not a .npz file ({reason(error)})", path, AGAIN) from None


def read_text(path) -> str:
    """A UTF-8 text file."""
    path = exists(path)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error.reason} at byte {error.start})", path, AGAIN) from None


def read_lines(path) -> list[str]:
    """The lines of a text file, without empty ones at its end."""
    return read_text(path).rstrip("\n").split("\n")


def read_numbers(path, columns: int | None = None) -> np.ndarray:
    """A text file of numbers separated by white space, one row a line -> float array (n, columns).

    Raises
    ------
    InputError
        Names the first line with another number of columns or something that is not a number.
    """
    text = read_text(path)
    if not text.strip():
        raise InputError("holds no numbers", path, AGAIN)
    try:
        array = np.loadtxt(io.StringIO(text), ndmin=2, comments=None)
        if columns is None or array.shape[1] == columns:
            return array
    except ValueError:
        array = None
    width = columns
    for number, line in enumerate(text.split("\n"), 1):
        parts = line.split()
        if not parts:
            continue
        width = width or len(parts)
        if len(parts) != width:
            raise InputError(f"line {number} has {len(parts)} columns where {width} are expected", path, AGAIN)
        for part in parts:
            try:
                float(part)
            except ValueError:
                raise InputError(f"line {number} holds '{part[:20]}', which is not a number", path, AGAIN) from None
    raise InputError("holds no numbers", path, AGAIN)


def read_matrix(path) -> np.ndarray:
    """Numbers with two axes, from .npy or from text separated by white space."""
    path = Path(path)
    return read_npy(path, (None, None)) if path.suffix == ".npy" else read_numbers(path)


def read_triplets(path, columns: int = 3) -> np.ndarray:
    """Triplets from .npy or text -> int64 (n, columns).

    Whole numbers and the right number of columns are checked here; range and repetition by
    :class:`humalign.data.types.Triplets`.
    """
    array = read_npy(path, (None, columns)) if Path(path).suffix == ".npy" else read_numbers(path, columns)
    array = whole(array, path)
    if not len(array):
        raise InputError("holds no triplets", path, AGAIN)
    return array


def read_frame(path, columns=(), sep=",", text=()):
    """A table with a header line -> DataFrame; ``columns`` must be there, ``text`` columns stay strings."""
    import pandas as pd

    path = exists(path)
    try:
        with warnings.catch_warnings():  # a line with more cells than the header is told by a warning alone
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, sep=sep, dtype=dict.fromkeys(text, str), encoding="utf-8-sig", index_col=False)
    except Exception as error:  # pandas raises many kinds
        raise InputError(f"cannot be read as a table ({reason(error)})", path, AGAIN) from None
    if missing := [c for c in columns if c not in frame]:
        names = ", ".join(map(str, list(frame.columns)[:8]))
        raise InputError(f"has no column called {', '.join(missing)} (it has {names})", path, AGAIN)
    if frame.empty:
        raise InputError("has a header and no rows", path, AGAIN)
    return frame


def read_mat(path, keys=()) -> dict:
    """Variables of a MATLAB file (version 5 to 7; 7.3 is read with h5py, transposed back)."""
    import scipy.io

    path = exists(path)
    try:
        content = scipy.io.loadmat(path, simplify_cells=True)
    except NotImplementedError:
        content = _read_mat73(path)
    except Exception as error:
        told = f"{type(error).__name__}: {reason(error)}" if str(error) else type(error).__name__
        raise InputError(f"is truncated or not a MATLAB file ({told})", path, AGAIN) from None
    content = {key: value for key, value in content.items() if not key.startswith("__")}
    if missing := [key for key in keys if key not in content]:
        raise InputError(
            f"has no variable called {', '.join(missing)} (it has {', '.join(content) or 'none'})", path, AGAIN
        )
    return content


def hdf5(path, take):
    """What ``take(file)`` makes of an HDF5 file; InputError when it is missing or damaged, whatever h5py says."""
    import h5py

    path = exists(path)
    try:
        with h5py.File(path) as file:
            return take(file)
    except InputError:
        raise
    except Exception as error:  # h5py raises nearly every kind
        raise InputError(f"is truncated or not HDF5 ({reason(error)})", path, AGAIN) from None


def own_array(item, path) -> np.ndarray:
    """The array of an HDF5 data set, when its numbers lie in this file and are not more than it can hold.

    Raises
    ------
    InputError
        For numbers in another file (external storage, virtual data sets), which could be any file of this machine, and
        for sizes that no compression of a file of this size explains.
    """
    if item.external or item.is_virtual:
        raise InputError(f"'{item.name}' takes its numbers from other files, which are never read", path, "store them")
    if item.shape is not None and item.nbytes > max(1 << 26, 2000 * Path(path).stat().st_size):
        raise InputError(f"'{item.name}' claims {item.nbytes} bytes, more than the file can hold", path, AGAIN)
    return item[()]


def _read_mat73(path) -> dict:
    import h5py

    def take(item, depth=0):
        if depth > 20:
            raise InputError("holds variables that refer to themselves", path, AGAIN)
        if isinstance(item, h5py.Group):
            own = [key for key in item if isinstance(item.get(key, getlink=True), h5py.HardLink)]
            return {key: take(item[key], depth + 1) for key in own}
        if item.dtype == h5py.ref_dtype:
            return [take(item.file[ref], depth + 1) for ref in own_array(item, path).ravel()]
        return np.asarray(own_array(item, path)).T

    return hdf5(path, lambda file: {key: take(file[key]) for key in file if not key.startswith("#")})


def readable(path) -> None:
    """InputError where a file is not what its ending says; of other endings, where it is empty."""
    kinds = {".npy": read_npy, ".npz": read_npz, ".mat": read_mat, ".csv": read_frame, ".json": read_json,
             ".tsv": lambda p: read_frame(p, sep="\t"), ".txt": read_text}  # fmt: skip
    kinds |= dict.fromkeys((".h5", ".hdf5"), lambda p: hdf5(p, list))
    kinds.get(Path(path).suffix.lower(), exists)(path)


def read_json(path, like=None):
    """JSON, of the form ``like`` (:func:`humalign.store.unlike`)."""
    from ..store import read_json as read

    return read(exists(path), like, AGAIN)


def rgb(image):
    """A Pillow image as 8-bit RGB, the same everywhere a picture is read.

    Grey of 16 bits is scaled to 8; what is transparent lies on white; CMYK and palettes are turned as Pillow does it.
    Pixels are taken as they are stored: like the papers' code, nothing is turned as EXIF says.

    Raises
    ------
    InputError
        For pixels of 32 bits, whose black and white nobody knows.
    """
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise InputError("has 32 bits a pixel", "picture", "save it with 8 or 16")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def list_images(folder) -> list[Path]:
    """Image files directly in a folder, sorted by file name (code points, as the papers' code does)."""
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingData("there is no such folder", folder, AGAIN)
    found = sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in IMAGES and p.name[0] != "."), key=lambda p: p.name
    )
    if not found:
        raise InputError("holds no images", folder, AGAIN)
    stems: dict[str, Path] = {}
    for path in found:
        if (other := stems.setdefault(path.stem, path)) is not path:
            raise InputError(f"holds both {other.name} and {path.name}", folder, "keep one picture of each name")
    if lost := [p for p in found if not p.exists()]:
        raise InputError(f"{len(lost)} images are links to nowhere, the first is {lost[0].name}", folder, AGAIN)
    if empty := [p for p in found if p.stat().st_size == 0]:
        raise InputError(f"{len(empty)} images are empty, the first is {empty[0].name}", folder, AGAIN)
    return found


def unwrapped(folder) -> Path:
    """The folder, or the only folder in it where it holds nothing else: archives wrap what they hold."""
    folder = Path(folder)
    while folder.is_dir():
        inside = [path for path in folder.iterdir() if path.name[0] not in "._"]
        if len(inside) != 1 or not inside[0].is_dir():
            break
        folder = inside[0]
    return folder


def pictures_below(folder, endings=IMAGES) -> list[str]:
    """Picture files at any depth below a folder: relative paths, sorted.

    Hidden files and folders are passed over; links to nowhere are not, so that reading them says what is missing.
    """
    folder = Path(folder)
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in endings)
    seen = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return sorted(path.as_posix() for path in seen if not (folder / path).is_dir())


def read_text_start(path, length: int = 4096) -> str:
    """The first line of a text file."""
    with open(exists(path), encoding="utf-8-sig", errors="replace") as file:
        return file.readline(length)
