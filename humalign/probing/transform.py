"""The linear transform: standardise by two numbers, multiply by a matrix, add a bias; saved as plain npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..arrays import as_matrix, is_tensor, to_numpy
from ..errors import InputError
from ..store import atomic_path


class LinearTransform:
    r"""A learned map of features: :math:`z = \frac{x - \mathrm{mean}}{\mathrm{std}} W + b`.

    Parameters
    ----------
    weights : array, shape (p, q)
    mean, std : float or array of shape (p,)
        One global mean and standard deviation, as both papers use; an array standardises each feature by its own.
    bias : array, shape (q,), optional

    Raises
    ------
    InputError
        For shapes that do not fit together, NaN, or a standard deviation that is not above 0.

    Notes
    -----
    Muttenthaler et al. (2023), section 3 (equation 2); the files of gLocal (Muttenthaler et al. 2023b) have this form.
    """

    def __init__(self, weights, mean=0.0, std=1.0, bias=None):
        self.weights = as_matrix(to_numpy(weights), "weights")
        self.mean = self._scale(mean, "mean")
        self.std = self._scale(std, "std")
        if not (np.asarray(self.std) > 0).all():
            raise InputError("is not above 0", "std", "constant features cannot be standardised")
        self.bias, self.report = None, None
        if bias is not None:
            self.bias = to_numpy(bias).astype(self.weights.dtype, copy=False).reshape(-1)
            if self.bias.shape != (self.weights.shape[1],) or not np.isfinite(self.bias).all():
                raise InputError(
                    f"has shape {self.bias.shape} or holds NaN", "bias", f"give {self.weights.shape[1]} finite numbers"
                )

    def _scale(self, value, where):
        value = np.asarray(to_numpy(value), dtype=np.float64)
        if value.size == 1:
            value = value.reshape(())
        elif value.shape != (self.weights.shape[0],):
            raise InputError(f"has shape {value.shape}", where, "give one number, or one for each feature")
        if not np.isfinite(value).all():
            raise InputError("is not finite", where, "fit the transform again")
        return float(value) if value.ndim == 0 else value

    def __repr__(self):
        return f"LinearTransform({self.weights.shape[0]} -> {self.weights.shape[1]}, bias={self.bias is not None})"

    def apply(self, features):
        """Transformed features.

        Parameters
        ----------
        features : array or tensor, shape (m, p)

        Returns
        -------
        array or tensor, shape (m, q)
            Where the features live.

        Raises
        ------
        InputError
            When the number of columns is not p.
        """
        values = as_matrix(features)
        if values.shape[1] != self.weights.shape[0]:
            raise InputError(
                f"have {values.shape[1]} columns",
                "features",
                f"this transform takes {self.weights.shape[0]}; use the layer that it was learned on",
            )
        if is_tensor(values):
            import torch

            def here(value):
                return torch.as_tensor(value, dtype=values.dtype, device=values.device)
        else:

            def here(value):
                return np.asarray(value, dtype=values.dtype)

        out = ((values - here(self.mean)) / here(self.std)) @ here(self.weights)
        return out if self.bias is None else out + here(self.bias)

    __call__ = apply

    def save(self, path) -> Path:
        """Write an npz file (keys weights, mean, std and, if there is one, bias), atomically."""
        path = Path(path)
        if path.suffix != ".npz":
            raise InputError("does not end in .npz", path, "name it so")
        arrays = {"weights": self.weights, "mean": np.asarray(self.mean), "std": np.asarray(self.std)}
        if self.bias is not None:
            arrays["bias"] = self.bias
        with atomic_path(path) as partial:
            np.savez(partial, **arrays)
        return path

    @classmethod
    def load(cls, path) -> LinearTransform:
        """Read an npz file written by :meth:`save` or by gLocal; nothing in it is ever executed.

        Raises
        ------
        InputError
            When the file is missing, damaged, holds pickled objects, or lacks the keys weights, mean and std.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError("does not exist", path, "check the path")
        try:
            with open(path, "rb") as opened:  # closed also where it is damaged
                file = np.load(opened, allow_pickle=False)
                missing = {"weights", "mean", "std"} - set(file.files)
                if missing:
                    raise InputError(
                        f"lacks {', '.join(sorted(missing))}", path, "a transform has weights, mean and std"
                    )
                arrays = {key: file[key] for key in ("weights", "mean", "std", "bias") if key in file.files}
        except InputError:
            raise
        except Exception as error:  # of zipfile, its decoders and NumPy's headers
            raise InputError(f"cannot be read as npz ({error})", path, "fetch or make it again") from None
        try:
            return cls(**arrays)
        except (InputError, TypeError, ValueError) as error:
            raise InputError(str(error), path, "fetch or make it again") from None


def standardisation(features) -> tuple[float, float]:
    """The global mean and the global (population) standard deviation of a feature matrix.

    Raises
    ------
    InputError
        For constant features.
    """
    values = as_matrix(features)
    if is_tensor(values):
        mean, std = float(values.double().mean()), float(values.double().std(correction=0))
    else:
        mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not std > 1e-12 * max(1.0, abs(mean)):
        raise InputError("are constant", "features", "a transform cannot be learned from them")
    return mean, std
