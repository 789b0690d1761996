"""Which layers to record along the depth of a network: its stages or, where it has none, its blocks."""

from __future__ import annotations

import re

NUMBERED = re.compile(r"(.*?)_?\d+[a-z]?")  # layer3, stages.2, encoder_layer_7, inception4b, Mixed_5d


def stages(model) -> list[str]:
    """Layer specifications from input to output: stages, averaged over positions, then the layers with a name.

    Stages are the outermost modules that are numbered one after the other (``layer1`` ..., ``blocks.0`` ...) and that
    hold more than half of the layers with weights: of a ResNet its four stages, of a transformer its blocks. Of numbers
    that count single layers and blocks, the blocks are taken; of single layers only, the poolings (VGG, AlexNet).

    Parameters
    ----------
    model : humalign.zoo.Model

    Returns
    -------
    list of str
        For :func:`humalign.features.extract`; the modules in the order in which they are defined.
    """
    return [*(f"{name}:gap" for name in _outermost(model.module)), *model.layers]


def stages_of(name: str) -> list[str]:
    """The same of a network by its name, built without weights and without memory (torch's meta device)."""
    import torch

    from .. import zoo

    try:
        with torch.device("meta"):
            return stages(zoo.load(name, pretrained=False))
    except NotImplementedError:  # its random weights are drawn with numbers of their own
        return stages(zoo.load(name, pretrained=False))


BLOCKS = ("Block", "Bottleneck", "InvertedResidual", "DepthwiseSeparableConv")  # ends of the names of their classes


def blocks(model) -> list[str]:
    """Layer specifications from input to output: every outermost block of layers, else every convolution.

    Finer than :func:`stages`, for networks whose modules are known: those of the drawn world.
    """
    modules = [(name, type(module).__name__) for name, module in model.module.named_modules()]
    found = [name for name, kind in modules if kind.endswith(BLOCKS)]
    names = [n for n in found if not any(n.startswith(f"{other}.") for other in found)]
    if not names:
        names = [n for n, kind in modules if n.startswith("encoder") and kind in ("Conv2d", "Linear")]
    return [*(f"{n}:gap" for n in names), *model.layers]


def _outermost(module) -> list[str]:
    holders = {name: one for name, one in module.named_modules() if any(True for _ in one.parameters())}
    leaves = [name for name, one in holders.items() if any(True for _ in one.parameters(recurse=False))]

    def inside(name: str) -> int:
        return sum(leaf == name or leaf.startswith(f"{name}.") for leaf in leaves)

    for parent, one in module.named_modules():
        families: dict[str, list[str]] = {}
        for child, _ in one.named_children():
            found = NUMBERED.fullmatch(child)
            families.setdefault(found[1] if found else child, []).append(f"{parent}.{child}" if parent else child)
        for names in families.values():
            if len(names) > 1 and 2 * sum(map(inside, names)) > len(leaves):
                return _members(module, names, inside)
    return [name for name, _ in module.named_children() if name in holders]


def _members(module, names: list[str], inside) -> list[str]:
    """Of numbered modules: those that hold several layers, else the poolings, else those with weights."""
    if blocks := [name for name in names if inside(name) > 1]:
        return blocks
    pools = [name for name in names if "Pool" in type(module.get_submodule(name)).__name__]
    return pools if len(pools) > 1 else [name for name in names if inside(name)]
