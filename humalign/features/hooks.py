"""Which activations to keep: layer specifications, forward hooks, pooling."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from ..errors import InputError

POOLS = ("none", "gap", "cls")


@dataclass(frozen=True)
class Layer:
    """One layer to record.

    Attributes
    ----------
    name : str
        As it was asked for.
    module : str
        Name of the module that is hooked.
    side : {"out", "in"}
        Its output or its (first) input.
    pool : {"none", "gap", "cls"}
        Flatten; mean over positions (image maps and tokens); class token (first token).
    """

    name: str
    module: str
    side: str = "out"
    pool: str = "none"

    @property
    def specification(self) -> str:
        """``MODULE[@in][:POOL]``."""
        return self.module + ("@in" if self.side == "in" else "") + ("" if self.pool == "none" else f":{self.pool}")


def parse(text: str, model, pool: str | None = None) -> Layer:
    """A layer from ``penultimate``, ``logits`` or ``MODULE[@in][:none|gap|cls]``.

    Parameters
    ----------
    text : str
    model : humalign.zoo.Model
    pool : str, optional
        Pooling where the text names none.

    Raises
    ------
    InputError
        For an unknown layer (with the nearest names) or pooling.
    """
    given = model.resolve(text)
    name, colon, own = given.partition(":")
    how = own if colon else (pool or "none")
    if how not in POOLS:
        raise InputError(f"pooling '{how}' is not known", text, f"choose {', '.join(POOLS)}")
    name, _, side = name.partition("@")
    if side not in ("", "in", "out"):
        raise InputError(f"'@{side}' is not known", text, "write @in for the input of a module")
    known = model.layer_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.3)
        near += [n for n in [*known[:2], *known[-2:]] if n not in near]
        raise InputError(
            f"no layer is called '{name}'",
            model.name,
            f"try penultimate, logits, {', '.join(near[:6])}; "
            f"'humalign models {model.name} --layers' lists all {len(known)}",
        )
    return Layer(text, name, side or "out", how)


def _first_tensor(value):
    import torch

    while not isinstance(value, torch.Tensor):
        if isinstance(value, dict):
            value = next(iter(value.values()))
        elif isinstance(value, (tuple, list)) and value:
            value = value[0]
        else:
            raise InputError(f"gives {type(value).__name__}, not a tensor", "layer", "choose another layer")
    return value


def pooled(value, how: str, channels_last: bool = False):
    """A new float32 tensor (n, p) from an activation of any shape.

    Parameters
    ----------
    value : tensor (n, p), (n, tokens, p), (n, p, h, w) or, with ``channels_last``, (n, h, w, p)
    how : {"none", "gap", "cls"}
    channels_last : bool
    """
    if value.ndim == 4 and how == "gap":
        value = value.float().mean((1, 2) if channels_last else (2, 3))
    elif value.ndim == 3 and how == "gap":
        value = value.float().mean(1)
    elif value.ndim == 3 and how == "cls":
        value = value[:, 0]
    elif how == "cls" and value.ndim == 4:
        raise InputError("has an image map, no class token", "pooling", "use gap or none")
    # a copy always: the next module may write in place (VGG's ReLU after classifier.3 does)
    return value.flatten(1).float().clone() if value.ndim > 1 else value[:, None].float().clone()


class Recorder:
    """Forward hooks on several layers of one network; use as a context, then :meth:`take` after each forward pass."""

    def __init__(self, model, layers):
        self.model, self.layers = model, tuple(layers)
        self.channels_last = getattr(model.module, "output_fmt", "") == "NHWC" or "Swin" in type(model.module).__name__
        self._found, self._handles = {}, []

    def __enter__(self):
        modules = dict(self.model.module.named_modules())
        for layer in self.layers:

            def hook(_module, *given, layer=layer):  # the input alone, or input and output
                self._found.pop(layer.name, None)  # of several calls the last counts, also for the order
                self._found[layer.name] = pooled(_first_tensor(given[-1]), layer.pool, self.channels_last)

            module = modules[layer.module]
            before = layer.side == "in"  # taken before the module runs, since it may write in place
            register = module.register_forward_pre_hook if before else module.register_forward_hook
            self._handles.append(register(hook))
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def activations(self, n: int) -> dict:
        """Activations (n, p) of the last forward pass by layer name, in the order in which the network made them.

        Raises
        ------
        InputError
            When a layer was not used, or does not give one row per image.
        """
        found, self._found = self._found, {}
        for layer in self.layers:
            if layer.name not in found:
                raise InputError(f"layer '{layer.name}' was not used", self.model.name, "choose another layer")
            if len(found[layer.name]) != n:
                raise InputError(
                    f"layer '{layer.name}' gives {len(found[layer.name])} rows for {n} images",
                    self.model.name,
                    "its first axis is not the images: choose another layer",
                )
        return found
