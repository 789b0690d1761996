"""AligNet's networks, released as TensorFlow SavedModels: Flax variables to a timm vision transformer.

``humalign models fetch alignet`` gets the archives; TensorFlow is not needed. A SavedModel, or an npz of its variables
made elsewhere, can also be named: ``humalign extract SigLIP-B+AligNet --checkpoint FOLDER_OR_FILE ...``.

The exporter gave the variables no names. They are known by the order in which the signature captures them: that of the
Flax tree with sorted keys, so that block 10 comes before block 2 and a bias before its kernel, then the ImageNet head.
The order is confirmed for SigLIP2-B (ViCCo-Group/dimpred, training/alignet/mapping.tsv), and inferred for the others,
which came from the same exporter: :func:`.flax_names.names_of` takes an order only where every shape fits.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData
from . import checkpoints
from . import preprocess as pre
from .flax_names import PRE_NORMS, Shape, named
from .model import Model, Request

BLOCK = re.compile(r"(?:^|/)encoderblock_(\d+)/")
STACKED = re.compile(r"(?:^|/)encoderblock/")
EPS = 1e-6


# ---- conversion ------------------------------------------------------------------------------------------------------


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
    spellings = (("i1k_head/norm/", "i1k_norm/"), ("i1k_head/dense/", "i1k_head/"))  # the public port's, ours
    for theirs, ours in spellings:
        out = {n.replace(theirs, ours): v for n, v in out.items()}
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
        any(n.startswith("MAPHead_0/") for n in variables), any(f"{n}/scale" in variables for n in _PRE),
        any(PARTS[1].search(n) for n in variables),
        any(n.startswith("i1k_norm/") and v.shape == (2 * kernel.shape[-1],) for n, v in variables.items()),
    )  # fmt: skip


_PRE = ["/".join(parts) for parts in PRE_NORMS if parts]
PARTS = {k: re.compile(rf"encoderblock_\d+/(LayerScale_{k - 1}|ls{k})/gamma$") for k in (1, 2)}


def _attention(name: str, width: int, take) -> dict:
    """Query, key, value and output of one attention as (out, in) matrices and vectors."""
    out = {}
    for part in ("query", "key", "value"):
        out[f"{part}.weight"] = take(f"{name}/{part}/kernel").reshape(width, width).T
        out[f"{part}.bias"] = take(f"{name}/{part}/bias").reshape(width)
    out["out.weight"] = take(f"{name}/out/kernel").reshape(width, width).T
    out["out.bias"] = take(f"{name}/out/bias")
    return out


def _block(number: int, v: dict, shape: Shape, take) -> dict:
    """State of one transformer block."""
    out, old, new = {}, f"Transformer/encoderblock_{number}", f"blocks.{number}"
    for k in (0, 1):
        out[f"{new}.norm{k + 1}.weight"] = take(f"{old}/LayerNorm_{k}/scale")
        out[f"{new}.norm{k + 1}.bias"] = take(f"{old}/LayerNorm_{k}/bias")
        out[f"{new}.mlp.fc{k + 1}.weight"] = take(f"{old}/MlpBlock_0/Dense_{k}/kernel").T
        out[f"{new}.mlp.fc{k + 1}.bias"] = take(f"{old}/MlpBlock_0/Dense_{k}/bias")
    a = _attention(f"{old}/MultiHeadDotProductAttention_0", shape.width, take)
    for kind in ("weight", "bias"):
        out[f"{new}.attn.qkv.{kind}"] = np.concatenate([a[f"{p}.{kind}"] for p in ("query", "key", "value")])
        out[f"{new}.attn.proj.{kind}"] = a[f"out.{kind}"]
    for k in (1, 2) if shape.layer_scale else ():
        found = next(n for n in v if n.startswith(f"{old}/") and PARTS[k].search(n))
        out[f"{new}.ls{k}.gamma"] = take(found)
    return out


def _pooling_head(shape: Shape, take) -> dict:
    """State of the head that pools by attention."""
    out = {}
    a = _attention("MAPHead_0/MultiHeadDotProductAttention_0", shape.width, take)
    out["attn_pool.latent"] = take("MAPHead_0/probe").reshape(1, 1, shape.width)
    for kind in ("weight", "bias"):
        out[f"attn_pool.q.{kind}"] = a[f"query.{kind}"]
        out[f"attn_pool.kv.{kind}"] = np.concatenate([a[f"key.{kind}"], a[f"value.{kind}"]])
        out[f"attn_pool.proj.{kind}"] = a[f"out.{kind}"]
    out["attn_pool.norm.weight"] = take("MAPHead_0/LayerNorm_0/scale")
    out["attn_pool.norm.bias"] = take("MAPHead_0/LayerNorm_0/bias")
    for k in (0, 1):
        out[f"attn_pool.mlp.fc{k + 1}.weight"] = take(f"MAPHead_0/MlpBlock_0/Dense_{k}/kernel").T
        out[f"attn_pool.mlp.fc{k + 1}.bias"] = take(f"MAPHead_0/MlpBlock_0/Dense_{k}/bias")
    return out


def convert(variables: dict) -> tuple[dict, Shape, dict]:
    """Flax variables to the state dict of a timm ``VisionTransformer``.

    Dense kernels are transposed, query, key and value are flattened over heads and stacked, the patch kernel goes from
    (h, w, in, out) to (out, in, h, w), the query of the pooling head becomes ``attn_pool.latent``.

    Parameters
    ----------
    variables : dict of str to array, or sequence of array
        By the names of Flax (see :func:`tidy` for the spellings understood), or without names in captured order.

    Returns
    -------
    state : dict of str to float32 tensor
    shape : Shape
    heads : dict of str to float32 tensor
        What is not part of the tower: ``i1k_norm``, ``i1k_head`` and ``triplet_head`` where they are there, as named.

    Raises
    ------
    InputError
        For missing or unknown variables, or shapes that do not fit together.
    """
    import torch

    v = tidy(named(variables))
    shape = shape_of(v)
    used: set[str] = set()

    def take(name):
        if name not in v:
            raise InputError(f"has no variable '{name}'", "SavedModel", "export all variables")
        used.add(name)
        return v[name]

    state = {
        "patch_embed.proj.weight": take("embedding/kernel").transpose(3, 2, 0, 1),
        "patch_embed.proj.bias": take("embedding/bias") if "embedding/bias" in v else np.zeros(shape.width, np.float32),
        "pos_embed": take("pos_embedding").reshape(1, -1, shape.width),
        "norm.weight": take("Transformer/encoder_norm/scale"),
        "norm.bias": take("Transformer/encoder_norm/bias"),
    }
    if shape.class_token:
        state["cls_token"] = take("cls").reshape(1, 1, shape.width)
    for number in range(shape.depth):
        state |= _block(number, v, shape, take)
    if shape.pre_norm:
        found = next(name for name in _PRE if f"{name}/scale" in v)
        state["norm_pre.weight"], state["norm_pre.bias"] = take(f"{found}/scale"), take(f"{found}/bias")
    if shape.map_head:
        state |= _pooling_head(shape, take)
    heads, unknown = {}, []
    for name in sorted(set(v) - used):
        if name.startswith(("i1k", "triplet", "head")) and v[name].dtype.kind == "f":
            heads[name] = torch.from_numpy(np.array(v[name]))
        elif v[name].ndim:  # scalars are step counters and the like
            unknown.append(name)
    if unknown:
        raise InputError(
            f"has '{unknown[0]}' and {len(unknown) - 1} more variables of another architecture", "SavedModel",
            "only the ViT family of big_vision is known",
        )  # fmt: skip
    return {k: torch.from_numpy(np.array(x, order="C")) for k, x in state.items()}, shape, heads


def build(shape: Shape, act: str = "gelu_tanh", eps: float = EPS):
    """An empty timm ``VisionTransformer`` of this shape, without classifier.

    Parameters
    ----------
    shape : Shape
    act : str
        Activation, as timm calls it; big_vision's is the approximation of GELU by tanh.
    eps : float
        Of the norms.
    """
    from functools import partial

    from .. import compat  # noqa: F401  isort: skip  (before timm)
    import torch
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn

    class ClassAndMean(VisionTransformer):
        """Features: the class token and the mean of the other tokens, side by side."""

        def pool(self, x, pool_type=None):  # noqa: ARG002 (as timm calls it)
            return torch.cat([x[:, 0], x[:, 1:].mean(1)], 1)

    module = (ClassAndMean if shape.both else VisionTransformer)(
        img_size=shape.side * shape.patch, patch_size=shape.patch, embed_dim=shape.width, depth=shape.depth,
        num_heads=shape.heads, mlp_ratio=shape.mlp / shape.width, num_classes=0, class_token=shape.class_token,
        no_embed_class=not shape.pos_on_class, fc_norm=False, act_layer=act, pre_norm=shape.pre_norm,
        init_values=1.0 if shape.layer_scale else None,
        global_pool="map" if shape.map_head else "token" if shape.class_token else "avg",
        norm_layer=partial(nn.LayerNorm, eps=eps),
    )  # fmt: skip
    if shape.pre_norm:  # timm leaves this bias out, Flax does not
        module.patch_embed.proj = nn.Conv2d(3, shape.width, shape.patch, shape.patch)
    return module


# What weights do not tell, by family: activation, epsilon and, untrained, the shape of ViT-B/16 at 224 pixels. CLIP's
# are those of the network that its student began as; like all but those of "map", they are not confirmed by a graph.
_VIT = (16, 768, 12, 12, 3072, 14)
FAMILIES = {
    "map": ("gelu_tanh", EPS, Shape(*_VIT, False, False, True)),
    "token": ("gelu_tanh", EPS, Shape(*_VIT, True, False, False)),
    "dino": ("gelu_tanh", EPS, Shape(*_VIT, True, True, False)),
    "clip": ("quick_gelu", 1e-5, Shape(*_VIT, True, True, False, pre_norm=True)),
}


def _head(heads: dict, shape: Shape, eps: float):
    """The ImageNet head of a file: norm, then classifier; None where it has none that fits."""
    import torch
    from torch import nn

    parts = [heads.get(f"i1k_{name}") for name in ("norm/scale", "norm/bias", "head/kernel", "head/bias")]
    if any(part is None for part in parts) or parts[0].shape != (shape.features,):
        return None
    scale, bias, kernel, offset = parts
    head = nn.Sequential(nn.LayerNorm(shape.features, eps=eps), nn.Linear(*kernel.shape))
    with torch.no_grad():
        for target, value in zip(head.parameters(), (scale, bias, kernel.T, offset)):
            target.copy_(value)
    return head


def variables_of(path):
    """Variables of a SavedModel folder (in captured order), or of a file of arrays (by name)."""
    if Path(path).is_dir():
        from . import tensorflow_files

        return tensorflow_files.captured(path)
    return {k: x.numpy() for k, x in checkpoints.state_dict(checkpoints.read(path), path).items()}


def _ported(variables: dict, usual: Shape) -> tuple[dict, Shape, dict]:
    """The same of the public PyTorch port of SigLIP2-B: timm's names behind ``encoder.``, heads as linear layers."""
    import torch

    tensors = {k: torch.from_numpy(x) for k, x in variables.items()}
    state = {k.removeprefix("encoder."): x for k, x in tensors.items() if k.startswith("encoder.")}
    heads = {}
    for name in ("i1k_norm", "i1k_head", "triplet_head"):
        if f"{name}.weight" in tensors:
            weight = tensors[f"{name}.weight"]
            heads[f"{name}/{'scale' if weight.ndim == 1 else 'kernel'}"] = weight.T if weight.ndim == 2 else weight
            heads[f"{name}/bias"] = tensors[f"{name}.bias"]
    width, _, patch, _ = state["patch_embed.proj.weight"].shape
    depth = len({k.split(".")[1] for k in state if k.startswith("blocks.")})
    side = round(state["pos_embed"].shape[1] ** 0.5)
    mlp = state["blocks.0.mlp.fc1.weight"].shape[0] if "blocks.0.mlp.fc1.weight" in state else usual.mlp
    heads_of = max(1, width * usual.heads // usual.width)  # 64 numbers a head
    return state, replace(usual, patch=patch, width=width, depth=depth, side=side, mlp=mlp, heads=heads_of), heads


def load_tower(path, family: str = "map"):
    """A converted tower from a SavedModel folder, or the npz of its variables: (module, Shape, heads)."""
    act, eps, usual = FAMILIES[family]
    try:
        variables = variables_of(path)
        ported = isinstance(variables, dict) and "encoder.patch_embed.proj.weight" in variables
        state, shape, heads = _ported(variables, usual) if ported else convert(variables)
    except MissingData:
        raise
    except InputError as error:
        where = path if error.where == "SavedModel" else error.where
        raise InputError(error.problem, where, error.remedy) from None
    module = build(shape, act, eps)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"does not fit ({str(error).splitlines()[-1].strip()})", path, "export all variables"
        ) from None
    return module, shape, heads


def load(rest: str, name: str, ask: Request) -> Model:
    """``savedmodel:FAMILY|ARCHIVE``: a network of paper 2 from the folder of its archive, or from ``ask.checkpoint``.

    Raises
    ------
    MissingData
        When the archive was not fetched.
    InputError
        When it is wanted without its head.
    """
    from .sources import seeded

    if not ask.head:
        raise InputError("cannot be trained here", name, "choose a network of timm, torchvision or open_clip")
    family, _, archive = rest.partition("|")
    act, eps, shape = FAMILIES[family]
    layers = {}
    if ask.checkpoint or ask.pretrained:
        from . import published

        path = ask.checkpoint or published.saved_model(archive, ask.profile, name)
        module, shape, heads = load_tower(path, family)
        said = Path(path).name
        if (head := _head(heads, shape, eps)) is not None:
            module.head = head
            layers = {"logits": "head"}
    else:
        with seeded(ask.seed):
            module = build(shape, act, eps)
        said = f"untrained, seed {ask.seed}"
    layer = (
        "attn_pool" if shape.map_head else "fc_norm" if shape.both else "norm:cls" if shape.class_token else "norm:gap"
    )
    side = shape.side * shape.patch
    return Model(name, module, pre.ALIGNET.with_(size=side, resize=side), {"penultimate": layer, **layers}, said)
