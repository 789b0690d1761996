"""One loaded network: its module, what it wants done to images, and the names of its layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from ..errors import InputError
from .preprocess import Preprocess


@dataclass(frozen=True)
class Request:
    """How a network is wanted, as :func:`humalign.zoo.load` has it."""

    pretrained: bool = True
    checkpoint: object = None
    seed: int = 0
    head: bool = True
    side: int | None = None
    profile: object = None

    @property
    def published(self) -> bool:
        """Whether the published weights are wanted."""
        return self.pretrained and not self.checkpoint


@dataclass(eq=False)
class Model:
    """A network that is ready to see.

    Attributes
    ----------
    name : str
        Key in :func:`humalign.zoo.table`, or the name it was asked for by.
    module : torch.nn.Module
        In evaluation mode; takes float images (n, 3, size, size).
    preprocess : Preprocess
        Callable on one image; carries its own description.
    layers : dict of str to str
        Layer specifications (see :mod:`humalign.features.hooks`) of "penultimate" and, where there are any, "logits".
    weights : str
        Which weights: an identifier, a file name, or "untrained, seed 0".
    facts : dict
        The row of the table, where there is one.
    batch : int
        Pictures at a time where numbers depend on it in the last digits; 0 where nobody minds.
    frozen : bool
        False for a network that is going to be trained.
    """

    name: str
    module: object
    preprocess: Preprocess
    layers: dict
    weights: str = ""
    facts: dict = field(default_factory=dict)
    batch: int = 0
    frozen: bool = True

    def __post_init__(self):
        self.module.eval()
        if self.frozen:
            self.module.requires_grad_(False)

    @cached_property
    def checksum(self) -> str:
        """Digest of all weights and buffers (16 hex digits)."""
        import hashlib

        state = hashlib.sha256()
        for key, value in sorted(self.module.state_dict().items()):
            state.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
            state.update(value.detach().cpu().contiguous().flatten().view(_bytes()).numpy().data)
        return state.hexdigest()[:16]

    def layer_names(self) -> list[str]:
        """Names of all modules that can be hooked."""
        return [name for name, _ in self.module.named_modules() if name]

    def resolve(self, layer: str) -> str:
        """The specification behind "penultimate" or "logits"; anything else comes back unchanged."""
        if layer in ("penultimate", "logits") and layer not in self.layers:
            raise InputError(
                f"has no {layer} layer", self.name, f"layers with a name: {', '.join(self.layers) or 'none'}"
            )
        return self.layers.get(layer, layer)


def _bytes():
    import torch

    return torch.uint8
