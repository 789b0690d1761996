"""AligNet's students, released as TensorFlow SavedModels: Flax variables to a timm vision transformer.

Read the variables where TensorFlow is installed and keep them as plain arrays::

    model = tf.saved_model.load(FOLDER)
    numpy.savez("student.npz", **{v.name.removesuffix(":0"): v.numpy() for v in model.variables})

then ``humalign extract SigLIP-B+AligNet --checkpoint student.npz ...``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData
from . import checkpoints
from . import preprocess as pre
from .model import Model, Request

BLOCK = re.compile(r"(?:^|/)encoderblock_(\d+)/")
STACKED = re.compile(r"(?:^|/)encoderblock/")
EPS = 1e-6


@dataclass(frozen=True)
class Shape:
    """What the shapes of the variables say of a vision transformer.

    Attributes
    ----------
    patch, width, depth, heads, mlp, side : int
        Patch side (pixels), token width, blocks, attention heads, hidden units, tokens per image side.
    class_token, pos_on_class, map_head : bool
        A class token; a position embedding for it; multi-head attention pooling with a learned query.
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


def tidy(variables: dict) -> dict[str, np.ndarray]:
    """Variables under one spelling: ``/`` between parts, no ``:0``, no scope before ``Transformer``, blocks unstacked.

    Parameters
    ----------
    variables : dict of str to array

    Returns
    -------
    dict of str to float32 array
    """
    out = {}
    for name, value in variables.items():
        clean = name.removesuffix(":0").replace(".", "/").strip("/")
        out[clean] = np.asarray(value, np.float32) if np.asarray(value).dtype.kind == "f" else np.asarray(value)
    roots = [n[: n.index("Transformer/")] for n in out if "Transformer/" in n]
    if not roots:
        raise InputError(
            "no variable is called 'Transformer/...'",
            "SavedModel",
            f"found {', '.join(list(out)[:3])}: not this family",
        )
    root = min(roots, key=len)
    above = root.rstrip("/").rpartition("/")[0]
    out = {n.removeprefix(root) if root and n.startswith(root) else n: v for n, v in out.items()}
    if above:  # heads may lie beside the tower
        out = {n.removeprefix(above + "/"): v for n, v in out.items()}
    for name in [n for n in out if STACKED.search(n)]:
        value = out.pop(name)
        for block in range(len(value)):
            out[STACKED.sub(f"/encoderblock_{block}/", name).lstrip("/")] = value[block]
    return out


def shape_of(variables: dict) -> Shape:
    """Read sizes off tidy variables.

    Raises
    ------
    InputError
        When a variable that every vision transformer has is missing, or the tokens form no square.
    """

    def get(name):
        if name not in variables:
            raise InputError(f"has no variable '{name}'", "SavedModel", "only the ViT family of big_vision is known")
        return variables[name]

    kernel = get("embedding/kernel")
    blocks = {int(m[1]) for n in variables if (m := BLOCK.search(n))}
    if not blocks or blocks != set(range(max(blocks) + 1)):
        raise InputError(f"has blocks {sorted(blocks)}", "SavedModel", "some are missing: export it again")
    query = get("Transformer/encoderblock_0/MultiHeadDotProductAttention_0/query/kernel")
    positions = get("pos_embedding").reshape(-1, kernel.shape[-1]).shape[0]
    class_token = "cls" in variables
    side = round(np.sqrt(positions))
    on_class = class_token and side * side != positions
    side = round(np.sqrt(positions - on_class))
    if side * side + on_class != positions:
        raise InputError(
            f"has {positions} positions, no square of tokens", "SavedModel", "only square inputs are known"
        )
    return Shape(
        kernel.shape[0], kernel.shape[-1], len(blocks), query.shape[1],
        get("Transformer/encoderblock_0/MlpBlock_0/Dense_0/kernel").shape[-1], side, class_token, on_class,
        any(n.startswith("MAPHead_0/") for n in variables),
    )  # fmt: skip


def _attention(name: str, width: int, take) -> dict:
    """Query, key, value and output of one attention as (out, in) matrices and vectors."""
    out = {}
    for part in ("query", "key", "value"):
        out[f"{part}.weight"] = take(f"{name}/{part}/kernel").reshape(width, width).T
        out[f"{part}.bias"] = take(f"{name}/{part}/bias").reshape(width)
    out["out.weight"] = take(f"{name}/out/kernel").reshape(width, width).T
    out["out.bias"] = take(f"{name}/out/bias")
    return out


def convert(variables: dict) -> tuple[dict, Shape, dict]:
    """Flax variables to the state dict of a timm ``VisionTransformer``.

    Dense kernels are transposed, query, key and value are flattened over heads and stacked, the patch kernel goes from
    (h, w, in, out) to (out, in, h, w), the query of the pooling head becomes ``attn_pool.latent``.

    Parameters
    ----------
    variables : dict of str to array
        As the SavedModel names them (see :func:`tidy` for the spellings understood).

    Returns
    -------
    state : dict of str to float32 tensor
    shape : Shape
    heads : dict of str to float32 tensor
        What is not part of the tower: ``i1k_head`` and ``triplet_head`` where they are there, as named in the file.

    Raises
    ------
    InputError
        For missing or unknown variables, or shapes that do not fit together.
    """
    import torch

    v = tidy(variables)
    shape = shape_of(v)
    used: set[str] = set()

    def take(name):
        if name not in v:
            raise InputError(f"has no variable '{name}'", "SavedModel", "export all variables")
        used.add(name)
        return v[name]

    state = {
        "patch_embed.proj.weight": take("embedding/kernel").transpose(3, 2, 0, 1),
        "patch_embed.proj.bias": take("embedding/bias"),
        "pos_embed": take("pos_embedding").reshape(1, -1, shape.width),
        "norm.weight": take("Transformer/encoder_norm/scale"),
        "norm.bias": take("Transformer/encoder_norm/bias"),
    }
    if shape.class_token:
        state["cls_token"] = take("cls").reshape(1, 1, shape.width)
    for block in range(shape.depth):
        old, new = f"Transformer/encoderblock_{block}", f"blocks.{block}"
        for k in (0, 1):
            state[f"{new}.norm{k + 1}.weight"] = take(f"{old}/LayerNorm_{k}/scale")
            state[f"{new}.norm{k + 1}.bias"] = take(f"{old}/LayerNorm_{k}/bias")
            state[f"{new}.mlp.fc{k + 1}.weight"] = take(f"{old}/MlpBlock_0/Dense_{k}/kernel").T
            state[f"{new}.mlp.fc{k + 1}.bias"] = take(f"{old}/MlpBlock_0/Dense_{k}/bias")
        a = _attention(f"{old}/MultiHeadDotProductAttention_0", shape.width, take)
        for kind in ("weight", "bias"):
            state[f"{new}.attn.qkv.{kind}"] = np.concatenate([a[f"{p}.{kind}"] for p in ("query", "key", "value")])
            state[f"{new}.attn.proj.{kind}"] = a[f"out.{kind}"]
    if shape.map_head:
        a = _attention("MAPHead_0/MultiHeadDotProductAttention_0", shape.width, take)
        state["attn_pool.latent"] = take("MAPHead_0/probe").reshape(1, 1, shape.width)
        for kind in ("weight", "bias"):
            state[f"attn_pool.q.{kind}"] = a[f"query.{kind}"]
            state[f"attn_pool.kv.{kind}"] = np.concatenate([a[f"key.{kind}"], a[f"value.{kind}"]])
            state[f"attn_pool.proj.{kind}"] = a[f"out.{kind}"]
        state["attn_pool.norm.weight"] = take("MAPHead_0/LayerNorm_0/scale")
        state["attn_pool.norm.bias"] = take("MAPHead_0/LayerNorm_0/bias")
        for k in (0, 1):
            state[f"attn_pool.mlp.fc{k + 1}.weight"] = take(f"MAPHead_0/MlpBlock_0/Dense_{k}/kernel").T
            state[f"attn_pool.mlp.fc{k + 1}.bias"] = take(f"MAPHead_0/MlpBlock_0/Dense_{k}/bias")
    heads, unknown = {}, []
    for name in sorted(set(v) - used):
        if name.startswith(("i1k", "triplet", "head")) and v[name].dtype.kind == "f":
            heads[name] = torch.from_numpy(np.ascontiguousarray(v[name]))
        elif v[name].ndim:  # scalars are step counters and the like
            unknown.append(name)
    if unknown:
        raise InputError(
            f"has '{unknown[0]}' and {len(unknown) - 1} more variables of another architecture", "SavedModel",
            "only the ViT family of big_vision is known",
        )  # fmt: skip
    return {k: torch.from_numpy(np.ascontiguousarray(x)) for k, x in state.items()}, shape, heads


def build(shape: Shape):
    """An empty timm ``VisionTransformer`` of this shape: tanh GELU, LayerNorm with epsilon 1e-6, no classifier."""
    from functools import partial

    from .. import compat  # noqa: F401  isort: skip  (before timm)
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn

    return VisionTransformer(
        img_size=shape.side * shape.patch, patch_size=shape.patch, embed_dim=shape.width, depth=shape.depth,
        num_heads=shape.heads, mlp_ratio=shape.mlp / shape.width, num_classes=0, class_token=shape.class_token,
        no_embed_class=not shape.pos_on_class, fc_norm=False, act_layer="gelu_tanh",
        global_pool="map" if shape.map_head else "token" if shape.class_token else "avg",
        norm_layer=partial(nn.LayerNorm, eps=EPS),
    )  # fmt: skip


def load_tower(path):
    """A converted tower from the npz of a SavedModel's variables: (module, Shape, heads)."""
    content = checkpoints.read(path)
    arrays = {k: x.numpy() for k, x in checkpoints.state_dict(content, path).items()}
    try:
        state, shape, heads = convert(arrays)
    except InputError as error:
        raise InputError(error.problem, path, error.remedy) from None
    module = build(shape)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"does not fit ({str(error).splitlines()[-1].strip()})", path, "export all variables"
        ) from None
    return module, shape, heads


def load(rest: str, name: str, ask: Request) -> Model:
    """``savedmodel:``: a student of paper 2 from its variables; ``rest`` names the family of the untrained one.

    Raises
    ------
    MissingData
        Without a checkpoint: the SavedModels have to be fetched and exported first.
    """
    from .sources import seeded

    if not ask.head:
        raise InputError("cannot be trained here", name, "choose a network of timm, torchvision or open_clip")
    if ask.published:
        raise MissingData(
            "is released as a TensorFlow SavedModel", name,
            "export its variables as npz (see humalign.zoo.savedmodel) and give --checkpoint FILE",
        )  # fmt: skip
    if ask.checkpoint:
        module, shape, _ = load_tower(ask.checkpoint)
        said = Path(ask.checkpoint).name
    else:
        token = rest == "token"
        shape = Shape(16, 768, 12, 12, 3072, 14, token, token, not token)  # ViT-B/16, 224 px
        with seeded(ask.seed):
            module = build(shape)
        said = f"untrained, seed {ask.seed}"
    layer = "attn_pool" if shape.map_head else "norm:cls" if shape.class_token else "norm:gap"
    side = shape.side * shape.patch
    return Model(name, module, pre.ALIGNET.with_(size=side, resize=side), {"penultimate": layer}, said)
