"""The nouns of the house: what has rows carries its ids, and two things meet only through ``align``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, MissingData
from ..store import digest
from .ids import check_finite, check_ids, concepts_of, follow, positions

SMALLEST, LARGEST = 1e-15, 1e15  # of the largest feature: products of float32 beyond are 0 or infinite


def _size(path) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        raise MissingData("this image does not exist", path, "check the folder") from None


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Images and what they show.

    Attributes
    ----------
    ids : tuple of str
    source, licence : str
    images : uint8 array (m, h, w, 3), or sequence of m paths, or None
    concepts : tuple of str
        Name of the concept each image shows; the ids where not given.
    meta : dict
        Further facts, for instance per-image lists.
    """

    ids: tuple[str, ...]
    source: str
    licence: str
    images: Any = None
    concepts: tuple[str, ...] = None  # type: ignore[assignment]  # the ids where not given
    meta: dict = field(default_factory=dict)
    name: str = "stimuli"

    def __post_init__(self):
        object.__setattr__(self, "ids", check_ids(self.ids, self.name))
        object.__setattr__(self, "concepts", concepts_of(self.concepts, self.ids, self.name))
        if self.images is not None and len(self.images) != len(self.ids):
            raise InputError(f"{len(self.images)} images for {len(self.ids)} ids", self.name, "give one image per id")

    def __len__(self):
        return len(self.ids)

    def align(self, ids) -> Stimuli:
        """The same stimuli in the order of ``ids``."""
        rows = positions(self.ids, ids, self.name)
        images = self.images
        if images is not None:
            images = images[rows] if isinstance(images, np.ndarray) else [images[r] for r in rows]
        return replace(
            self,
            ids=tuple(self.ids[r] for r in rows),
            images=images,
            meta=follow(self.meta, rows, len(self.ids)),
            concepts=tuple(self.concepts[r] for r in rows),
        )

    @cached_property
    def checksum(self) -> str:
        """Digest of ids and pictures: of the pixels, or of names and sizes of the files, wherever they lie."""
        images = self.images
        if images is not None and not isinstance(images, np.ndarray):
            images = [(Path(path).name, _size(path)) for path in images]
        return digest(self.ids, images)


@dataclass(frozen=True, eq=False)
class Triplets:
    """Odd-one-out responses.

    Attributes
    ----------
    ids : tuple of str
        The objects; indices in ``triplets`` are 0-based positions in it.
    triplets : int array (n, 3)
        Columns 0 and 1 = the pair kept together, **column 2 = the odd one out**.
    source, licence, name : str
    concepts : tuple of str
        Concept of each object; the ids where not given.
    participants : array (n,), optional
        Who answered.
    response_times : float array (n,), optional
        Seconds.
    level : str array (n,), optional
        For instance "coarse", "fine", "boundary".
    """

    ids: tuple[str, ...]
    triplets: np.ndarray
    source: str
    licence: str
    name: str = "triplets"
    concepts: tuple[str, ...] = None  # type: ignore[assignment]  # the ids where not given
    participants: np.ndarray | None = None
    response_times: np.ndarray | None = None
    level: np.ndarray | None = None
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "ids", check_ids(self.ids, self.name))
        object.__setattr__(self, "concepts", concepts_of(self.concepts, self.ids, self.name))
        triplets = np.asarray(self.triplets)
        if triplets.ndim != 2 or triplets.shape[1] != 3 or not len(triplets):
            raise InputError(f"has shape {triplets.shape}", self.name, "triplets need shape (n, 3) with n > 0")
        if not np.issubdtype(triplets.dtype, np.integer):
            if not (np.isfinite(triplets).all() and (triplets == np.round(triplets)).all()):
                raise InputError("holds numbers that are not whole", self.name, "triplets are 0-based object indices")
            triplets = triplets.astype(np.int64)
        low, high, m = int(triplets.min()), int(triplets.max()), len(self.ids)
        if low == 1 and high == m:
            raise InputError(f"indices run from 1 to {m}", self.name, "they look 1-based: subtract 1")
        if low < 0 or high >= m:
            raise InputError(
                f"indices run from {low} to {high} but there are {m} objects",
                self.name,
                "check that triplets and ids belong together",
            )
        a, b, c = triplets.T
        same = (a == b) | (a == c) | (b == c)
        if same.any():
            raise InputError(
                f"row {int(np.argmax(same))} names one object twice", self.name, "a triplet has three objects"
            )
        object.__setattr__(self, "triplets", triplets)
        for key in ("participants", "response_times", "level"):
            value = getattr(self, key)
            if value is not None:
                value = np.asarray(value)
                if value.shape != (len(triplets),):
                    raise InputError(
                        f"{key} has shape {value.shape} for {len(triplets)} triplets",
                        self.name,
                        "give one value per triplet",
                    )
                object.__setattr__(self, key, value)

    def __len__(self):
        return len(self.triplets)

    def select(self, rows) -> Triplets:
        """Some of the triplets (mask or row numbers), same objects."""
        pick = {
            k: getattr(self, k)[rows]
            for k in ("participants", "response_times", "level")
            if getattr(self, k) is not None
        }
        meta = follow(self.meta, np.arange(len(self))[rows], len(self)) if self.meta else self.meta
        return replace(self, triplets=self.triplets[rows], meta=meta, **pick)

    def align(self, ids) -> Triplets:
        """The same triplets with objects numbered in the order of ``ids``; every object used must be among them."""
        ids = check_ids(ids, self.name)
        index = {name: row for row, name in enumerate(ids)}
        table = np.array([index.get(name, -1) for name in self.ids])
        moved = table[self.triplets]
        if (moved < 0).any():
            lost = self.ids[int(self.triplets[moved < 0][0])]
            raise InputError(
                f"uses '{lost}', which the other side does not have",
                self.name,
                "drop these triplets with restrict() or supply the object",
            )
        concept = dict(zip(self.ids, self.concepts))
        return replace(self, ids=ids, triplets=moved, concepts=tuple(concept.get(i, i) for i in ids))

    def restrict(self, ids) -> Triplets:
        """Only triplets whose three objects are all among ``ids``, numbered in that order."""
        known = set(check_ids(ids, self.name))
        inside = np.array([name in known for name in self.ids])
        rows = inside[self.triplets].all(1)
        if not rows.any():
            raise InputError("no triplet has all three objects among the ids given", self.name, "check the ids")
        return self.select(rows).align(ids)

    @cached_property
    def checksum(self) -> str:
        """Digest of ids and responses."""
        return digest(self.ids, self.triplets.astype(np.int64))


@dataclass(frozen=True, eq=False)
class HumanRDM:
    """Dissimilarities between images as people see them.

    Attributes
    ----------
    ids : tuple of str
    rdm : float array (m, m) or (people, m, m)
        Symmetric, zero diagonal.
    """

    ids: tuple[str, ...]
    rdm: np.ndarray
    source: str
    licence: str
    name: str = "rdm"
    concepts: tuple[str, ...] = None  # type: ignore[assignment]  # the ids where not given

    def __post_init__(self):
        object.__setattr__(self, "ids", check_ids(self.ids, self.name))
        object.__setattr__(self, "concepts", concepts_of(self.concepts, self.ids, self.name))
        rdm = np.asarray(self.rdm, dtype=float)
        m = len(self.ids)
        if rdm.ndim not in (2, 3) or rdm.shape[-2:] != (m, m):
            raise InputError(f"has shape {rdm.shape} for {m} ids", self.name, "an RDM is (m, m) or (people, m, m)")
        check_finite(rdm.reshape(-1, m), self.name)
        if not np.allclose(rdm, np.swapaxes(rdm, -1, -2), rtol=1e-5, atol=1e-7):
            raise InputError("is not symmetric", self.name, "check how the vector of pairs was read")
        if np.abs(np.diagonal(rdm, axis1=-2, axis2=-1)).max() > 1e-6 * max(1.0, np.abs(rdm).max()):
            raise InputError("has a diagonal that is not zero", self.name, "it may hold similarities: turn them round")
        object.__setattr__(self, "rdm", rdm)

    def __len__(self):
        return len(self.ids)

    @property
    def people(self) -> int:
        """How many people's matrices there are."""
        return 1 if self.rdm.ndim == 2 else len(self.rdm)

    def mean(self) -> np.ndarray:
        """Mean over people, (m, m)."""
        return self.rdm if self.rdm.ndim == 2 else self.rdm.mean(0)

    def align(self, ids) -> HumanRDM:
        """The same RDM in the order of ``ids``."""
        rows = positions(self.ids, ids, self.name)
        return replace(
            self,
            ids=tuple(self.ids[r] for r in rows),
            rdm=self.rdm[..., rows[:, None], rows],
            concepts=tuple(self.concepts[r] for r in rows),
        )

    @cached_property
    def checksum(self) -> str:
        """Digest of ids and dissimilarities."""
        return digest(self.ids, self.rdm)


class _Rows:
    """What tables of one row per object share."""

    ids: tuple[str, ...]
    name: str
    values: np.ndarray

    def _check(self, least: int = 1):
        object.__setattr__(self, "ids", check_ids(self.ids, self.name))
        values = np.asarray(self.values)
        if values.ndim != 2 or len(values) != len(self.ids) or values.shape[1] < least:
            raise InputError(
                f"has shape {values.shape} for {len(self.ids)} ids", self.name, "values need shape (ids, dimensions)"
            )
        if values.dtype.kind not in "fiu":
            raise InputError(f"holds {values.dtype}, not real numbers", self.name, "store floats")
        if values.dtype.kind != "f":
            values = values.astype(np.float32)
        check_finite(values, self.name)
        object.__setattr__(self, "values", values)

    def __len__(self):
        return len(self.ids)

    @cached_property
    def checksum(self) -> str:
        """Digest of ids and values."""
        return digest(self.ids, np.asarray(self.values))


@dataclass(frozen=True, eq=False)
class ConceptEmbedding(_Rows):
    """A human embedding of objects, for instance VICE or SPoSE.

    Attributes
    ----------
    ids : tuple of str
    values : float array (m, d)
    dimensions : tuple of str
        Name of each dimension.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    dimensions: tuple[str, ...]
    source: str
    licence: str
    name: str = "embedding"

    def __post_init__(self):
        self._check()
        names = tuple(str(d) for d in self.dimensions)
        if len(names) != self.values.shape[1]:
            raise InputError(
                f"{len(names)} dimension names for {self.values.shape[1]} columns",
                self.name,
                "give one name per column",
            )
        object.__setattr__(self, "dimensions", names)
        if len(self.ids) > 1 and np.ptp(self.values, axis=0).max() == 0:
            raise InputError("all rows are the same", self.name, "get the embedding again")

    def align(self, ids) -> ConceptEmbedding:
        """The same embedding in the order of ``ids``."""
        rows = positions(self.ids, ids, self.name)
        return replace(self, ids=tuple(self.ids[r] for r in rows), values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Features(_Rows):
    """Activations of one layer of one network.

    Attributes
    ----------
    ids : tuple of str
    values : float array (m, p)
    model, layer : str
    meta : dict
        Preprocessing, versions, device, checksum of the weights ...
    """

    ids: tuple[str, ...]
    values: np.ndarray
    model: str
    layer: str = "penultimate"
    source: str = ""
    licence: str = ""
    name: str = "features"
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        self._check()
        largest = max(float(self.values.max()), -float(self.values.min()))
        if largest and not SMALLEST < largest < LARGEST:
            told = f"its largest value is {largest:.2g}, so that products of features are 0 or infinite"
            raise InputError(told, self.name, "scale all features by one factor")
        if len(self.ids) > 1 and np.ptp(self.values, axis=0).max() == 0:
            raise InputError(
                "all rows are the same", self.name, "the network or its preprocessing is broken: extract again"
            )

    def align(self, ids) -> Features:
        """The same features in the order of ``ids``."""
        rows = positions(self.ids, ids, self.name)
        meta = follow(self.meta, rows, len(self.ids))
        return replace(self, ids=tuple(self.ids[r] for r in rows), values=self.values[rows], meta=meta)
