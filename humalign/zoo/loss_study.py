"""The ResNet-50s of nine loss functions (Kornblith et al. 2021): TensorFlow checkpoints to torchvision's ResNet-50.

The moving averages of all weights are taken (``/ExponentialMovingAverage``), as the authors' ``load_model.py`` does.
Layers were numbered as they were made: in the first block of a stage the shortcut comes before the three convolutions.
Class 0 of 1,001 is empty and dropped. Logits are those of the final layer, before a loss scales them.

Source: google-research/google-research, loss_functions_transfer/{load_model,resnet_model,resnet_preprocessing}.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from . import preprocess as pre
from .model import Model, Request

AVERAGE = "/ExponentialMovingAverage"
BLOCKS = (3, 4, 6, 3)
PREPROCESS = pre.Preprocess(
    interpolation="bicubic",
    antialias=False,
    source="loss functions: centre crop of 7/8, bicubic to 224, ImageNet mean and deviation",
)


def layers() -> list[tuple[str, str]]:
    """Convolutions and norms of torchvision's ResNet-50 in the order in which TensorFlow numbered them."""
    out = [("conv1", "bn1")]
    for stage, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            if block == 0:
                out.append((f"{at}.downsample.0", f"{at}.downsample.1"))
            out += [(f"{at}.conv{k}", f"{at}.bn{k}") for k in (1, 2, 3)]
    return out


def convert(variables) -> dict:
    """A checkpoint's variables to the state dict of torchvision's ResNet-50.

    Parameters
    ----------
    variables : mapping of str to array
        ``conv2d/kernel/ExponentialMovingAverage`` ...; with ``dense/normalized_kernel`` instead of ``dense/kernel`` for
        the cosine softmax, whose columns are brought to length 1.

    Returns
    -------
    dict of str to float32 tensor

    Raises
    ------
    InputError
        When a variable is missing.
    """
    import torch

    def take(name):
        try:
            return np.asarray(variables[name + AVERAGE], np.float32)
        except KeyError:
            raise InputError(
                f"has no '{name}{AVERAGE}'", "checkpoint", "only ResNet-50 (v1) with moving averages is known"
            ) from None

    state = {}
    for number, (convolution, norm) in enumerate(layers()):
        of = f"_{number}" if number else ""
        state[f"{convolution}.weight"] = take(f"conv2d{of}/kernel").transpose(3, 2, 0, 1)
        for ours, theirs in (
            ("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")
        ):  # fmt: skip
            state[f"{norm}.{ours}"] = take(f"batch_normalization{of}/{theirs}")
    cosine = f"dense/normalized_kernel{AVERAGE}" in variables
    kernel = take("dense/normalized_kernel" if cosine else "dense/kernel")
    if cosine:
        kernel = kernel / np.sqrt(np.maximum((kernel**2).sum(0), 1e-12))
    state["fc.weight"], state["fc.bias"] = kernel[:, 1:].T, take("dense/bias")[1:]
    return {name: torch.from_numpy(np.array(value, order="C")) for name, value in state.items()}


def build():
    """An empty ResNet-50 of these networks: the first pooling pads behind, not on both sides as torchvision's."""
    from .. import compat  # noqa: F401  isort: skip  (before torchvision)
    from torch import nn
    from torchvision import models

    module = models.resnet50(weights=None)
    module.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return module


def load(rest: str, name: str, ask: Request) -> Model:
    """``losses:LOSS``: a network from its checkpoint in the data folder, or from ``ask.checkpoint``."""
    from . import published
    from .sources import as_asked, seeded, without_head
    from .tensorflow_files import Checkpoint

    with seeded(ask.seed):
        module = build()
    said = f"untrained, seed {ask.seed}"
    if ask.checkpoint or ask.pretrained:
        prefix = Path(ask.checkpoint) if ask.checkpoint else published.loss_checkpoint(rest, ask.profile, name)
        prefix = prefix.with_name(prefix.name.removesuffix(".index"))
        tensors = Checkpoint(prefix)
        try:
            module.load_state_dict(convert(tensors), strict=False)  # counts of batches are not kept
        except (InputError, RuntimeError) as error:
            if getattr(error, "where", None) not in (None, "checkpoint"):
                raise
            told = getattr(error, "problem", str(error).splitlines()[-1].strip())
            raise InputError(f"is no such network ({told})", prefix, "check the checkpoint") from None
        said = f"{prefix.parent.parent.name}/{prefix.parent.name}/{prefix.name}"
    module = module if ask.head else without_head(module)
    return as_asked(name, module, PREPROCESS, {"penultimate": "avgpool", "logits": "fc"}, said, ask)
