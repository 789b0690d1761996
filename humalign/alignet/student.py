"""The network that is aligned: one of the zoo without its head, and a linear triplet head."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..store import load_arrays, save_arrays, unlike
from ..zoo.loading import load
from ..zoo.model import Model


class Student(nn.Module):
    """A tower with its preprocessing and an optional linear triplet head.

    Parameters
    ----------
    tower : humalign.zoo.Model
        Loaded without its head (``zoo.load(NAME, head=False)``); it is trained in place.
    head : int
        Width of the head; 0 for none, then the logits are the features.
    input : {"unit", "native"}
        Pixels in [0, 1], or normalised as the tower was trained.
    seed : int
        Of the head: normal weights with variance 1 / width (truncated at 2 sd, as Flax' lecun_normal), bias 0.
    """

    def __init__(self, tower: Model, head: int = 1024, input: str = "unit", seed: int = 42):
        super().__init__()
        own = tower.preprocess
        unit = 1.0 if own.scale == 1 / 255 else 255 * own.scale  # the network's unit of brightness
        own_mean, own_std = ([float(v) / unit for v in values] for values in (own.mean, own.std))
        with torch.no_grad():
            width = tower.module(torch.zeros(1, 3, own.size, own.size)).shape[1]
        self.facts = {
            "tower": tower.name,
            "width": int(width),
            "side": own.size,
            "head": int(head),
            "input": input,
            "mean": own_mean,
            "std": own_std,
        }
        self.tower, self.bgr = tower.module, own.channels == "BGR"
        mean, std = (own_mean, own_std) if input == "native" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Linear(width, head) if head else None
        if head:
            with torch.no_grad():
                scale = 1 / (math.sqrt(width) * 0.87962566103423978)  # sd of a normal cut at 2 sd
                generator = torch.Generator().manual_seed(seed)
                nn.init.trunc_normal_(self.head.weight, 0, scale, -2 * scale, 2 * scale, generator=generator)
                nn.init.zeros_(self.head.bias)

    @property
    def side(self) -> int:
        """Pixels of its input."""
        return self.facts["side"]

    def features(self, pixels: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """Features of pictures in [0, 1]: float32 (b, width). "bfloat16" runs the tower under autocast."""
        pixels = ((pixels.flip(1) if self.bgr else pixels) - self.mean) / self.std
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            out = self.tower(pixels)
        return out.float()

    def forward(self, pixels: torch.Tensor, precision: str = "float32"):
        """Features (b, width) and triplet logits (b, head or width) of pictures in [0, 1]."""
        features = self.features(pixels, precision)
        return features, features if self.head is None else self.head(features)

    def set_checkpointing(self) -> None:
        """Recompute activations in the backward pass; InputError where the tower cannot."""
        for module in (self.tower, *self.tower.children()):
            if hasattr(module, "set_grad_checkpointing"):
                module.set_grad_checkpointing(True)
                return
        raise InputError("cannot recompute its activations", self.facts["tower"], "train without --checkpointing")

    def freeze_statistics(self) -> None:
        """Batch norm uses its running statistics from now on; call it again after ``train()``."""
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    def has_batch_norm(self) -> bool:
        """Whether any layer depends on the batch."""
        return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in self.modules())

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights and statistics, by name."""
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}

    def load_weights(self, arrays: dict[str, np.ndarray], where="student") -> None:
        """Load weights that :meth:`arrays` gave; InputError when they do not fit."""
        own = self.state_dict()
        if set(arrays) != set(own) or any(np.shape(arrays[k]) not in (own[k].shape, own[k].shape or (1,)) for k in own):
            raise InputError(
                "holds the weights of another network", where, "use the file that belongs to this tower and head"
            )
        self.load_state_dict({k: torch.from_numpy(np.array(v)).reshape(own[k].shape) for k, v in arrays.items()})

    def save(self, path, **meta) -> Path:
        """Write weights (safetensors) and facts (JSON side-car), atomically."""
        return save_arrays(path, self.arrays(), {"student": self.facts, **meta})


def load_student(path, profile=None) -> Student:
    """A student that :meth:`Student.save` wrote, in eval mode; ``path`` is the file or its folder."""
    path = Path(path)
    if path.is_dir():
        path = path / "student.safetensors"
    arrays, meta = load_arrays(path)
    like = {"tower": str, "side": int, "head": int, "input": str}
    if told := unlike(meta, {"student": like}):
        raise InputError(f"is not a student ({told})", path, "name the folder that 'humalign alignet train' wrote")
    facts = meta["student"]
    tower = load(facts["tower"], pretrained=False, profile=profile, head=False, side=facts["side"])
    student = Student(tower, facts["head"], facts["input"])
    student.load_weights(arrays, path)
    return student.eval()


def embed(
    student: Student,
    pictures,
    batch: int = 256,
    logits: bool = False,
    device=None,
    precision: str = "float32",
    progress=None,
) -> np.ndarray:
    """Features (or triplet logits) of pictures: float32 (m, d).

    Parameters
    ----------
    student : Student
    pictures : Pictures
        In [0, 1], any number.
    logits : bool
        Through the triplet head.
    progress : callable, optional
        Called with the number of pictures done.
    """
    student = student.to(device or "cpu").eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            pixels = pictures.pixels(np.arange(start, min(start + batch, len(pictures)))).to(student.mean.device)
            parts.append(student(pixels, precision)[1 if logits else 0].cpu())
            if progress:
                progress(len(pixels))
    return torch.cat(parts).numpy()
