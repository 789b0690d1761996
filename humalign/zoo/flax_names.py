"""Names of the variables of a vision transformer that an exporter left without names, from their order and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Shape:
    """What the shapes of the variables say of a vision transformer.

    Attributes
    ----------
    patch, width, depth, heads, mlp, side : int
        Patch side (pixels), token width, blocks, attention heads, hidden units, tokens per image side.
    class_token, pos_on_class, map_head : bool
        A class token; a position embedding for it; multi-head attention pooling with a learned query.
    pre_norm, layer_scale, both : bool
        A norm before the first block (CLIP); factors on the branches of each block (DINOv2); features are the class
        token and the mean of the others side by side, as the heads say.
    """

    patch: int
    width: int
    depth: int
    heads: int
    mlp: int
    side: int
    class_token: bool
    pos_on_class: bool
    map_head: bool
    pre_norm: bool = False
    layer_scale: bool = False
    both: bool = False

    @property
    def features(self) -> int:
        """Numbers a picture."""
        return self.width * (1 + self.both)


NUMBERED = re.compile(r"^(?:.*?[^\d])?(\d+)$")
# Where a norm before the blocks, and factors on their branches, would sort; (): there is none.
PRE_NORMS = ((), ("LayerNorm_0",), ("Transformer", "pre_norm"), ("ln_pre",), ("pre_norm",))
SCALES = ((), ("LayerScale_0/gamma", "LayerScale_1/gamma"), ("ls1/gamma", "ls2/gamma"))


def is_anonymous(variables: dict) -> bool:
    """Whether variables have numbers instead of names (``jax2tf_arg_0``, ``arr_0``, ``variables/0/...``)."""
    return bool(variables) and all(NUMBERED.match(_plain(name)) for name in variables)


def _plain(name: str) -> str:
    return str(name).removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").removesuffix(":0")


def _tree(  # noqa: C901 (a list of variables, some of them optional)
    shape: Shape, pre_norm: tuple, scales: tuple, triplet: bool, head: str, bias: bool = True
) -> list[tuple[str, tuple]]:
    """Names and shapes of all variables in captured order; None in a shape fits any length."""
    d, e = shape.width, shape.width // shape.heads
    tree: dict[tuple, tuple] = {}

    def norm(*at):
        tree[*at, "bias"] = tree[*at, "scale"] = (d,)

    def dense(at, rows, columns):
        tree[*at, "kernel"], tree[*at, "bias"] = (rows, columns), (columns,)

    def attention(*at):
        for part in ("query", "key", "value"):
            tree[*at, part, "kernel"], tree[*at, part, "bias"] = (d, shape.heads, e), (shape.heads, e)
        tree[*at, "out", "kernel"], tree[*at, "out", "bias"] = (shape.heads, e, d), (d,)

    tree["embedding", "kernel"] = (shape.patch, shape.patch, 3, d)
    if bias:
        tree["embedding", "bias"] = (d,)
    tree["pos_embedding",] = (1, shape.side**2 + shape.pos_on_class, d)
    if shape.class_token:
        tree["cls",] = (1, 1, d)
    norm("Transformer", "encoder_norm")
    if pre_norm:
        norm(*pre_norm)
    if shape.map_head:
        norm("MAPHead_0", "LayerNorm_0")
        attention("MAPHead_0", "MultiHeadDotProductAttention_0")
        dense(("MAPHead_0", "MlpBlock_0", "Dense_0"), d, shape.mlp)
        dense(("MAPHead_0", "MlpBlock_0", "Dense_1"), shape.mlp, d)
        tree["MAPHead_0", "probe"] = (1, 1, d)
    for number in range(shape.depth):
        at = ("Transformer", f"encoderblock_{number}")
        norm(*at, "LayerNorm_0")
        norm(*at, "LayerNorm_1")
        attention(*at, "MultiHeadDotProductAttention_0")
        dense((*at, "MlpBlock_0", "Dense_0"), d, shape.mlp)
        dense((*at, "MlpBlock_0", "Dense_1"), shape.mlp, d)
        for name in scales:
            tree[(*at, *name.split("/"))] = (d,)
    out = [("/".join(parts), tree[parts]) for parts in sorted(tree)]
    if triplet:
        out += [("triplet_head/bias", (None,)), ("triplet_head/kernel", (None, None))]
    if head == "norm and dense":
        out += [("i1k_norm/bias", (None,)), ("i1k_norm/scale", (None,))]
    if head:
        out += [("i1k_head/bias", (None,)), ("i1k_head/kernel", (None, None))]
    return out


def _sizes(shapes) -> Shape:
    """Sizes of a vision transformer from the shapes of its variables; what they leave open is False."""

    def told(problem):
        return InputError(problem, "SavedModel", "only the ViT family of big_vision is known")

    kernels = [s for s in shapes if len(s) == 4 and s[2] == 3]
    if len(kernels) != 1 or kernels[0][0] != kernels[0][1]:
        raise told(f"has {len(kernels)} patch embeddings among {len(shapes)} variables without names")
    patch, d = kernels[0][0], kernels[0][3]
    queries = [s for s in shapes if len(s) == 3 and s[0] == d and s[1] * s[2] == d and s[0] != 1]
    positions = [s[1] for s in shapes if len(s) == 3 and s[0] == 1 and s[2] == d and s[1] > 1]
    hidden = [s[1] for s in shapes if len(s) == 2 and s[0] == d and (s[1], d) in shapes]
    if not queries or len(positions) != 1 or not hidden:
        raise told(f"has no attention, positions or hidden layers among {len(shapes)} variables without names")
    heads = queries[0][1]
    attentions = shapes.count((heads, d // heads, d))
    side = int(np.sqrt(positions[0]))
    return Shape(patch, d, attentions, heads, hidden[0], side, False, side * side != positions[0], False)


def names_of(shapes) -> list[str]:
    """Names of variables without names, in captured order, from their shapes alone.

    Parameters
    ----------
    shapes : sequence of tuple of int

    Returns
    -------
    list of str
        As :func:`convert` understands them; heads are ``triplet_head``, ``i1k_norm`` and ``i1k_head``.

    Raises
    ------
    InputError
        When no order that is known fits every shape, or several do.
    """
    shapes = [tuple(int(n) for n in shape) for shape in shapes]
    sizes, fitting = _sizes(shapes), []
    for bias, pre_norm, scales, triplet, head, token, pool in product(
        (True, False), PRE_NORMS, SCALES, (True, False), ("norm and dense", "dense", ""), (False, True), (False, True)
    ):
        if sizes.pos_on_class and not token:
            continue
        shape = replace(sizes, class_token=token, map_head=pool, depth=sizes.depth - pool)
        tree = _tree(shape, pre_norm, scales, triplet, head, bias)
        if len(tree) == len(shapes) and all(
            len(want) == len(got) and all(w in (None, g) for w, g in zip(want, got))
            for (_, want), got in zip(tree, shapes)
        ):
            names = [name for name, _ in tree]
            if not pre_norm and not scales:
                return names  # the order that is documented
            fitting.append(names)
    if len(fitting) > 1:
        raise InputError(
            f"its {len(shapes)} variables have no names, and their shapes fit more than one order", "SavedModel",
            "give its variables with names (npz), or its features as a file",
        )  # fmt: skip
    if fitting:
        return fitting[0]
    raise InputError(
        f"its {len(shapes)} variables have no names, and their shapes fit no order that is known",
        "SavedModel",
        "only the ViT family of big_vision is known",
    )


def named(variables) -> dict[str, np.ndarray]:
    """Variables by name; those with numbers, or in a list, get the names of their place in captured order."""
    if isinstance(variables, dict):
        if not is_anonymous(variables):
            return variables
        variables = [variables[k] for k in sorted(variables, key=lambda k: int(NUMBERED.match(_plain(k))[1]))]
    return dict(zip(names_of([np.shape(value) for value in variables]), variables))
