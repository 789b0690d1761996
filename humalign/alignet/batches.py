"""What a student sees in each step: decided by seed and step alone, so that training resumes exactly.

Several processes share a step: each takes an equal part of its triplets, and mirrors and shifts the pictures of that
part as one process alone would do it.

``FileBatches`` reads stored AligNet triplets, as the paper does. ``PoolBatches`` draws pictures and forms all triplets
within them, which gives small networks many triplets per picture; its labels come from the teacher's embedding.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from .images import Pictures, flip_and_shift


@dataclass
class Batch:
    """Pictures (u, 3, s, s) in [0, 1], triplets (t, 3) of places among them, the teacher's similarities (t, 3),
    and, for the local term, the untransformed teacher's features (u, p)."""

    pixels: torch.Tensor
    triplets: torch.Tensor
    targets: torch.Tensor
    reference: torch.Tensor | None = None


class _Steps:
    """A sequence of batches, one a step."""

    def __init__(self, pictures: Pictures, steps: int, seed: int, augmentation: str):
        self.pictures, self.steps, self.seed, self.augmentation = pictures, int(steps), int(seed), augmentation
        self.rank, self.world = 0, 1

    def __len__(self):
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        if not 0 <= step < self.steps:
            raise IndexError(step)
        return self.make(int(step), self.rank, self.world)

    def whole(self, step: int) -> Batch:
        """The batch of a step as one process alone would see it, without augmentation."""
        return self.make(step, 0, 1, plain=True)

    def _pixels(self, rows, step: int, plain: bool, places=None, whole: int | None = None) -> torch.Tensor:
        """Pictures of rows; ``places`` among the ``whole`` pictures of the step when these are a part of them."""
        pixels = self.pictures.pixels(rows)
        if self.augmentation != "flip-shift" or plain:
            return pixels
        return flip_and_shift(pixels, [self.seed, step, 1], places, whole)


class FileBatches(_Steps):
    """Batches of stored triplets; every pass over the file has its own random order.

    Parameters
    ----------
    file : TripletFile
    pictures : Pictures
        Matched by file name, never by row number.
    steps, batch : int
        Triplets a step, over all processes.
    seed : int
    augmentation : {"none", "flip-shift"}
    columns : tuple of 3 ints
        Order in which the three similarities are read; anything but (0, 1, 2) is a known mistake, kept to show it.
    reference : (array (k, p), int array (m,)), optional
        The untransformed teacher's features and the row of each picture in them, for the local term.
    """

    def __init__(
        self, file, pictures, steps, batch=512, seed=42, augmentation="none", columns=(0, 1, 2), reference=None
    ):
        super().__init__(pictures, steps, seed, augmentation)
        self.file, self.batch, self.columns, self.reference = file, int(batch), list(columns), reference
        self._epoch = (-1, None)

    def _order(self, epoch: int) -> np.ndarray:
        if self._epoch[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.file)).astype(np.int32)
            self._epoch = (epoch, order)
        return self._epoch[1]

    def _rows(self, step: int, rank: int, world: int) -> np.ndarray:
        """Rows of the file in one process's share of a step."""
        n, share = len(self.file), self.batch // world
        place = step * self.batch + rank * share + np.arange(share)
        return np.concatenate(
            [self._order(int(epoch))[place[place // n == epoch] % n] for epoch in np.unique(place // n)]
        )

    def make(self, step: int, rank: int, world: int, plain: bool = False) -> Batch:
        if self.batch % world:
            raise InputError(f"{self.batch} triplets over {world} processes", "batch", "use a multiple")
        rows = self._rows(step, rank, world)
        images = self.pictures.rows(self.file.names(rows))
        unique, inverse = np.unique(images, return_inverse=True)
        places = whole = None
        if world > 1 and self.augmentation != "none" and not plain:
            every = np.unique(self.pictures.rows(self.file.names(self._rows(step, 0, 1))))
            places, whole = np.searchsorted(every, unique), len(every)
        targets = np.asarray(self.file.similarities[rows], np.float32)[:, self.columns]
        near = None
        if self.reference is not None:
            values, row = self.reference
            near = torch.from_numpy(np.array(values[row[unique]], np.float32))
        triplets = torch.from_numpy(inverse.reshape(images.shape))
        return Batch(self._pixels(unique, step, plain, places, whole), triplets, torch.from_numpy(targets), near)


class PoolBatches(_Steps):
    """Batches of pictures with all triplets formed inside.

    Parameters
    ----------
    values : array (m, d)
        The teacher's representation of each picture; labels are its dot products.
    pictures : Pictures
        The same m pictures.
    steps, batch : int
        Pictures a step.
    rule : {"mixed", "cluster_border", "random", "class_border", "all"}
        Border rules take two pictures of each of batch / 2 groups, and triplets of two of one group and one of another;
        "mixed" adds as many random triplets; "random" draws pictures and triplets at random; "all" draws pictures at
        random and takes every triplet of them.
    groups : Groups, optional
        Clusters or classes.
    triplets : int
        Border (and, in "mixed", also random) triplets a step; half as many more in "random".
    reference : array (m, p), optional
        The untransformed teacher's features, for the local term.
    seed, augmentation
    columns : tuple of 3 ints
        As in :class:`FileBatches`.
    """

    RULES = ("mixed", "cluster_border", "class_border", "random", "all")

    def __init__(
        self,
        values,
        pictures,
        steps,
        batch=192,
        rule="mixed",
        groups=None,
        triplets=4096,
        reference=None,
        seed=0,
        augmentation="none",
        columns=(0, 1, 2),
    ):
        super().__init__(pictures, steps, seed, augmentation)
        if rule not in self.RULES:
            raise InputError(
                f"'{rule}' cannot be formed within a batch", "sampling", f"choose one of {', '.join(self.RULES)}"
            )
        if len(values) != len(pictures) or not 6 <= batch <= len(pictures):
            raise InputError(
                f"{len(values)} rows, {len(pictures)} pictures, {batch} a step",
                "batches",
                "give one row per picture and between 6 pictures and all of them a step",
            )
        if rule not in ("random", "all"):
            if groups is None or len(groups.with_at_least(2, rule)) < 3:
                raise InputError(
                    "needs 3 groups of at least 2 pictures", f"sampling '{rule}'", "use more or larger clusters"
                )
            if batch % 2:
                raise InputError(f"{batch} pictures a step", "batches", "border rules take pairs: use an even number")
        self.values = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        self.reference = None if reference is None else torch.from_numpy(np.ascontiguousarray(reference, np.float32))
        self.batch, self.rule, self.groups, self.triplets = int(batch), rule, groups, int(triplets)
        self.columns = list(columns)

    def _draw(self, rng):
        """Pictures of a step (batch,) and triplets (t, 3) of places among them."""
        from .sampling import _random

        if self.rule == "all":
            every = np.array(list(itertools.combinations(range(self.batch), 3)))
            return rng.choice(len(self.values), self.batch, replace=False), every
        if self.rule == "random":
            return rng.choice(len(self.values), self.batch, replace=False), _random(
                self.batch, 3 * self.triplets // 2, rng
            )
        fit = self.groups.with_at_least(2, self.rule)
        half = self.batch // 2
        chosen = rng.choice(fit, half, replace=len(fit) < half)
        rows = self.groups.draw(chosen, 2, rng).ravel()
        a = rng.integers(half, size=self.triplets)
        b = (a + 1 + rng.integers(half - 1, size=self.triplets)) % half
        triplets = np.stack([2 * a, 2 * a + 1, 2 * b + rng.integers(2, size=self.triplets)], 1)
        triplets = triplets[chosen[a] != chosen[b]]
        if self.rule == "mixed":
            triplets = np.concatenate([triplets, _random(self.batch, self.triplets, rng)])
        if len(fit) < half:  # a group drawn twice may bring a picture twice
            r = rows[triplets]
            triplets = triplets[(r[:, 0] != r[:, 1]) & (r[:, 0] != r[:, 2]) & (r[:, 1] != r[:, 2])]
        return rows, triplets

    def make(self, step: int, rank: int, world: int, plain: bool = False) -> Batch:
        rows, triplets = self._draw(np.random.default_rng([self.seed, step]))
        z = self.values[rows]
        gram = z @ z.T
        t = torch.from_numpy(triplets)
        targets = torch.stack([gram[t[:, 0], t[:, 1]], gram[t[:, 0], t[:, 2]], gram[t[:, 1], t[:, 2]]], 1)[
            :, self.columns
        ]
        if world > 1:  # equal shares; every process needs the pictures of its own triplets only
            share = len(t) // world
            part = slice(rank * share, (rank + 1) * share)
            used, inverse = np.unique(triplets[part], return_inverse=True)
            pixels = self._pixels(rows[used], step, plain, used, len(rows))
            return Batch(pixels, torch.from_numpy(inverse.reshape(-1, 3)), targets[part])
        return Batch(
            self._pixels(rows, step, plain), t, targets, None if self.reference is None else self.reference[rows]
        )
