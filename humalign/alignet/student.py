"""The network that is aligned: an image tower of timm, open_clip or the mini zoo, and a linear triplet head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..store import load_arrays, save_arrays


@dataclass
class Tower:
    """An image tower and what it expects.

    Attributes
    ----------
    name : str
        ``timm:NAME``, ``open_clip:ARCH/TAG`` or ``mini:NAME``; with ``:SEED`` behind a mini name.
    module : torch.nn.Module
        Pictures (b, 3, side, side) to features (b, width).
    width, side : int
    mean, std : tuple of 3 floats
        The normalisation it was trained with, for pixels in [0, 1].
    """

    name: str
    module: nn.Module
    width: int
    side: int
    mean: tuple
    std: tuple


def _library(name: str):
    """timm or open_clip, after what makes torchvision importable."""
    import importlib

    from .. import compat  # noqa: F401

    return importlib.import_module(name)


REMEDY = (
    "fetch them once where there is a network (the cache folder, see HF_HOME, can be copied), give a weights file "
    "(train --checkpoint FILE), or start from random weights (train --scratch)"
)


def _timm(name: str, pretrained: bool, side, checkpoint):
    timm = _library("timm")
    from ..zoo import checkpoints, hub

    pretrained = pretrained and checkpoint is None
    options = {"num_classes": 0}
    if side:
        options["img_size"] = side
    try:
        with hub.weights(f"timm:{name}", pretrained, REMEDY):
            try:
                model = timm.create_model(name, pretrained=pretrained, **options)
            except TypeError:  # convolutional networks take no img_size
                options.pop("img_size", None)
                model = timm.create_model(name, pretrained=pretrained, **options)
    except RuntimeError as error:
        raise InputError(
            f"timm cannot make it ({str(error).splitlines()[0]})", f"timm:{name}", "see timm.list_models()"
        ) from None
    if checkpoint is not None:
        checkpoints.load_into(model, checkpoint, name)
    facts = timm.data.resolve_model_data_config(model)
    return model, model.num_features, side or facts["input_size"][-1], facts["mean"], facts["std"]


def _open_clip(name: str, pretrained: bool, side, checkpoint):
    open_clip = _library("open_clip")
    from ..zoo import hub, sources

    arch, _, tag = name.partition("/")
    wanted = pretrained and checkpoint is None
    if arch not in open_clip.list_models():
        raise InputError(f"open_clip has no model '{arch}'", f"open_clip:{name}", "write open_clip:ARCH/TAG")
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if wanted and tag not in tags:
        known = f"it has {', '.join(tags[:6])}" if tags else "use --checkpoint FILE or --scratch"
        raise InputError(
            f"has no weights called '{tag}'" if tag else "names no weights, write open_clip:ARCH/TAG",
            f"open_clip:{arch}",
            known,
        )
    options = {"force_image_size": side} if side else {}
    try:
        with hub.weights(f"open_clip:{name}", wanted, REMEDY):
            model = open_clip.create_model(arch, pretrained=tag if wanted else None, **options)
    except RuntimeError as error:
        raise InputError(
            f"open_clip cannot make it ({str(error).splitlines()[0]})", f"open_clip:{name}", "check the tag"
        ) from None
    visual = model.visual
    if checkpoint is not None:
        sources.load_visual(visual, checkpoint, arch)
    size = visual.image_size[0] if isinstance(visual.image_size, (tuple, list)) else visual.image_size
    with torch.no_grad():
        width = visual.eval()(torch.zeros(1, 3, size, size)).shape[1]  # eval: batch norm must not learn from this
    return visual, width, int(size), tuple(visual.image_mean), tuple(visual.image_std)


def _mini(name: str, pretrained: bool, profile):
    from ..world import networks
    from . import network as teachers

    name, _, seed = name.partition(":")
    if name in teachers.NETWORKS:
        module = (
            teachers.load(name, profile)
            if pretrained
            else networks.build(networks.spec(teachers.spec(name)["start"])["arch"])
        )
    elif pretrained:
        module = networks.load(name, int(seed or 0), profile)[:2]
    else:
        module = networks.build(networks.spec(name)["arch"])
    with torch.no_grad():
        module.eval()
        width = module(torch.zeros(1, 3, networks.SIDE, networks.SIDE)).shape[1]
    return module, width, networks.SIDE, (0.5,) * 3, (0.5,) * 3


def tower(name: str, pretrained: bool = True, side: int | None = None, profile=None, checkpoint=None) -> Tower:
    """An image tower by name.

    Parameters
    ----------
    name : str
        ``timm:NAME``, ``open_clip:ARCH/TAG`` or ``mini:NAME`` (``mini:NAME:SEED``).
    pretrained : bool
        False gives random weights, from torch's global generator (the control "Scratch").
    side : int, optional
        Input size in pixels, for towers that allow another one.
    profile : Profile, optional
        Where networks of the mini zoo may lie.
    checkpoint : path, optional
        Weights from this file instead of the published ones, for timm and open_clip.

    Raises
    ------
    InputError
        For a name that its library does not know, or a file that does not fit.
    MissingData
        When the weights are not on this machine and cannot be fetched.
    """
    library, colon, rest = name.partition(":")
    if not colon or library not in ("timm", "open_clip", "mini"):
        raise InputError("is no name of a tower", name, "write timm:NAME, open_clip:ARCH/TAG or mini:NAME")
    if library == "mini":
        if checkpoint is not None:
            raise InputError("takes no weights file", name, "its weights come with the package")
        found = _mini(rest, pretrained, profile)
    else:
        found = {"timm": _timm, "open_clip": _open_clip}[library](rest, pretrained, side, checkpoint)
    module, width, side, mean, std = found
    return Tower(name, module, int(width), int(side), tuple(map(float, mean)), tuple(map(float, std)))


class Student(nn.Module):
    """A tower with its preprocessing and an optional linear triplet head.

    Parameters
    ----------
    tower : Tower
    head : int
        Width of the head; 0 for none, then the logits are the features.
    input : {"unit", "native"}
        Pixels in [0, 1], or normalised as the tower was trained.
    seed : int
        Of the head: normal weights with variance 1 / width (truncated at 2 sd, as Flax' lecun_normal), bias 0.
    """

    def __init__(self, tower: Tower, head: int = 1024, input: str = "unit", seed: int = 42):
        super().__init__()
        self.facts = {
            "tower": tower.name,
            "width": tower.width,
            "side": tower.side,
            "head": int(head),
            "input": input,
            "mean": list(tower.mean),
            "std": list(tower.std),
        }
        self.tower = tower.module
        mean, std = (tower.mean, tower.std) if input == "native" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.head = nn.Linear(tower.width, head) if head else None
        if head:
            with torch.no_grad():
                scale = 1 / (math.sqrt(tower.width) * 0.87962566103423978)  # sd of a normal cut at 2 sd
                generator = torch.Generator().manual_seed(seed)
                nn.init.trunc_normal_(self.head.weight, 0, scale, -2 * scale, 2 * scale, generator=generator)
                nn.init.zeros_(self.head.bias)

    @property
    def side(self) -> int:
        """Pixels of its input."""
        return self.facts["side"]

    def features(self, pixels: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """Features of pictures in [0, 1]: float32 (b, width). "bfloat16" runs the tower under autocast."""
        pixels = (pixels - self.mean) / self.std
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

    def take(self, arrays: dict[str, np.ndarray], where="student") -> None:
        """Load weights that :meth:`arrays` gave; InputError when they do not fit."""
        own = self.state_dict()
        if set(arrays) != set(own) or any(arrays[k].size != own[k].numel() for k in own):
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
    facts = meta.get("student")
    if not facts:
        raise InputError("is not a student", path, "name the folder that 'humalign alignet train' wrote")
    own_side = None if facts["tower"].startswith("mini:") else facts["side"]
    with torch.random.fork_rng(devices=[]):
        student = Student(tower(facts["tower"], False, own_side, profile), facts["head"], facts["input"])
    student.take(arrays, path)
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
