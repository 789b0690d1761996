"""Checks and small bridges that let the measures take NumPy arrays and torch tensors alike."""

from __future__ import annotations

import sys

import numpy as np

from .errors import InputError


def is_tensor(value) -> bool:
    """True for a torch tensor; torch is never imported for this."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_numpy(value) -> np.ndarray:
    """A NumPy array of ``value``; tensors are copied to the host."""
    return value.detach().cpu().numpy() if is_tensor(value) else np.asarray(value)


def as_matrix(values, where: str = "features"):
    """A finite float matrix (m, p); float64 stays float64, everything else becomes float32.

    Raises
    ------
    InputError
        For another number of axes, an empty matrix, values that are no numbers, NaN or infinity.
    """
    if is_tensor(values):
        import torch

        if values.dtype not in (torch.float32, torch.float64):
            values = values.to(torch.float32)
        finite = values.numel() > 0 and bool(torch.isfinite(values).all())
    else:
        try:
            values = np.asarray(values)
            values = values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)
        except (TypeError, ValueError):
            raise InputError("does not hold numbers", where, "give a matrix with one row an object") from None
        finite = values.size > 0 and bool(np.isfinite(values).all())
    if values.ndim != 2 or 0 in tuple(values.shape):
        raise InputError(f"has shape {tuple(values.shape)}", where, "give a matrix (objects, features)")
    if not finite:
        raise InputError("holds NaN or infinite values", where, "find the rows that failed and make them again")
    return values


def as_square(values, where: str = "similarity"):
    """A square float matrix (m, m) without NaN (minus infinity is allowed)."""
    if not is_tensor(values):
        values = np.asarray(values)
        if values.dtype not in (np.float32, np.float64):
            try:
                values = values.astype(np.float64 if values.dtype.kind in "iub" else np.float32)
            except (TypeError, ValueError):
                raise InputError("does not hold numbers", where, "give a square matrix (m, m)") from None
    elif not values.is_floating_point():
        values = values.double()
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.shape[0] == 0:
        raise InputError(f"has shape {tuple(values.shape)}", where, "give a square matrix (m, m)")
    low = values.min()
    if bool(low != low):
        raise InputError("holds NaN", where, "find the objects without features and leave them out")
    return values


def as_triplets(triplets, n_objects: int | None = None, like=None, contents: bool = True):
    """Integer triplets (n, 3) that name three different objects each.

    Parameters
    ----------
    triplets : array or tensor, int, shape (n, 3)
        0-based object indices, odd one last.
    n_objects : int, optional
        Number of objects; larger indices are refused.
    like : array or tensor, optional
        Where the result shall live: a tensor on the device of ``like``, or a NumPy array.
    contents : bool
        False checks shape and type only.

    Raises
    ------
    InputError
        For a wrong shape, no triplets, fractions, 1-based or too large or negative indices, or an object named twice.
    """
    where = "triplets"
    if not is_tensor(triplets):
        triplets = np.asarray(triplets)
    if triplets.ndim != 2 or triplets.shape[1] != 3:
        raise InputError(f"have shape {tuple(triplets.shape)}", where, "give an integer array (n, 3), odd one last")
    if triplets.shape[0] == 0:
        raise InputError("there are none", where, "check the filter or the file that made them")
    if is_tensor(triplets):
        integral = not (triplets.is_floating_point() or triplets.is_complex() or str(triplets.dtype) == "torch.bool")
    else:
        integral = triplets.dtype.kind in "iu"
    if not integral:
        raise InputError(f"are of type {triplets.dtype}", where, "give integer object indices")
    if contents:
        _check_contents(triplets, n_objects, where)
    if is_tensor(like):
        import torch

        return torch.as_tensor(triplets, device=like.device).long()
    if is_tensor(triplets):
        return to_numpy(triplets)
    return triplets


def _check_contents(triplets, n_objects, where: str) -> None:
    low, high = int(triplets.min()), int(triplets.max())
    if low < 0:
        raise InputError(f"hold the negative index {low}", where, "object indices count from 0")
    if n_objects is not None and high >= n_objects:
        if low == 1 and high == n_objects:
            raise InputError(f"look 1-based (indices 1 to {high} of {n_objects} objects)", where, "subtract 1")
        raise InputError(
            f"name object {high}, but there are {n_objects} objects",
            where,
            "give all objects, or triplets of these objects, counted from 0",
        )
    first, second, third = triplets[:, 0], triplets[:, 1], triplets[:, 2]
    repeated = (first == second) | (first == third) | (second == third)
    if bool(repeated.any()):
        row = int(repeated.nonzero()[0][0])
        raise InputError(f"row {row} names an object twice", where, "remove such rows")


def positive(value, where: str) -> float:
    """``value`` as a finite float above zero, or an InputError."""
    number = float(value)
    if not 0 < number < float("inf"):
        raise InputError(f"is {value}", where, "give a number above 0")
    return number


def one_of(value, options, where: str):
    """``value`` if it is among ``options``, or an InputError that lists them."""
    if value not in options:
        listed = ", ".join(f"'{option}'" if isinstance(option, str) else str(option) for option in options)
        raise InputError(f"'{value}' is not known", where, f"choose {listed}")
    return value
