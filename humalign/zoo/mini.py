"""The mini world's networks as models like any other."""

from __future__ import annotations

from .. import compat  # noqa: F401  (before timm)
from .model import Model
from .preprocess import Preprocess


def preprocessing() -> Preprocess:
    """What the drawn world's networks see: 32 x 32 pixels (area-reduced), values in [-1, 1]."""
    from ..world.networks import SIDE

    return Preprocess(
        size=SIDE,
        resize=SIDE,
        squash=True,
        interpolation="box",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        source="humalign.world.networks",
    )


def load(name: str, seed: int = 0, pretrained: bool = True, profile=None) -> Model:
    """A network of the drawn world.

    Parameters
    ----------
    name : str
        Name in ``humalign/world/zoo.toml``.
    seed : int
        Which of its training runs; for ``pretrained=False`` the seed of the random weights (which have no logits).

    Raises
    ------
    MissingData
        When this seed has not been trained here.
    """
    from ..world import networks

    if pretrained:
        module, said = networks.load(name, seed, profile), f"humalign.world, seed {seed}"
    else:
        from .sources import seeded

        with seeded(seed):
            module, said = networks.build(networks.spec(name)["arch"]), f"untrained, seed {seed}"
    layers = {layer: layer for layer in networks.LAYERS if hasattr(module, layer)}
    return Model(name, module, preprocessing(), layers, said)
