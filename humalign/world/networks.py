"""The tiny networks of the mini zoo: architectures for 32 x 32 pictures, trained weights, features and facts."""

from __future__ import annotations

import tomllib
from collections import OrderedDict
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData
from ..store import load_arrays, read_json

SIDE = 32  # pixels
PATCH = 8  # pixels, for patch-based architectures
LAYERS = ("penultimate", "logits")


def _torch():
    import torch

    from .. import compat  # noqa: F401  (before timm)

    return torch


# ---- architectures ---------------------------------------------------------------------------------------------------
# Each builder returns (encoder, width): encoder maps (n, 3, 32, 32) to (n, width). All but AlexNet are timm classes at
# reduced width and depth; strides are those of the class except that stem pooling is left out, since 32 pixels are few.


def _alexnet(width):
    from torch import nn

    def stage(a, b, k, s):
        return [nn.Conv2d(a, b, k, s, k // 2), nn.ReLU(inplace=True)]

    w = width
    layers = [*stage(3, w, 5, 2), nn.MaxPool2d(2), *stage(w, 2 * w, 3, 1), *stage(2 * w, 3 * w, 3, 1)]
    layers += [*stage(3 * w, 2 * w, 3, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * w * 16, 4 * w)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)), 4 * w


def _vgg(plan, features):
    from timm.models.vgg import VGG, ConvMlp
    from torch import nn

    net = VGG(cfg=[*plan], num_classes=0, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 512, drop_rate=0.0)
    net.pre_logits = ConvMlp(plan[-2], features, kernel_size=2, mlp_ratio=1.0, drop_rate=0.0)
    net.num_features = net.head_hidden_size = features
    from timm.layers import ClassifierHead

    net.head = ClassifierHead(features, 0, pool_type="avg")
    return net, features


def _resnet(channels, layers, bottleneck=False, **more):
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet
    from torch import nn

    block, stem = (Bottleneck if bottleneck else BasicBlock), more.pop("stem", channels[0])
    net = ResNet(block, layers, num_classes=0, channels=channels, stem_type="deep", stem_width=stem // 2,
                 zero_init_last=False, **more)  # fmt: skip
    net.conv1 = nn.Conv2d(3, stem, 5, 2, 2, bias=False)
    net.maxpool = nn.Identity()
    return net, net.num_features


def _densenet(growth, blocks):
    from timm.layers import BatchNormAct2d
    from timm.models.densenet import DenseNet
    from torch import nn

    net = DenseNet(growth_rate=growth, block_config=blocks, num_classes=0, bn_size=3, stem_type="deep")
    net.features.pool0 = nn.Identity()
    for name in ("conv1", "norm1", "conv2", "norm2"):
        delattr(net.features, name)
    net.features.conv0 = nn.Conv2d(3, 2 * growth, 5, 2, 2, bias=False)
    net.features.norm0 = BatchNormAct2d(2 * growth)
    return net, net.num_features


def _inverted(definition, features, stem, act):
    from timm.layers import get_act_layer
    from timm.models._efficientnet_builder import decode_arch_def
    from timm.models.efficientnet import EfficientNet

    net = EfficientNet(
        decode_arch_def(definition), num_classes=0, num_features=features, stem_size=stem, act_layer=get_act_layer(act)
    )
    return net, features


def _convnext(dims, depths):
    from timm.models.convnext import ConvNeXt

    net = ConvNeXt(num_classes=0, depths=depths, dims=dims, patch_size=2, ls_init_value=1e-2, kernel_sizes=5)
    return net, dims[-1]


def _vit(width, depth, heads):
    from timm.models.vision_transformer import VisionTransformer

    net = VisionTransformer(
        img_size=SIDE, patch_size=PATCH, num_classes=0, embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=2.0
    )
    return net, width


def _mixer(width, depth):
    from timm.models.mlp_mixer import MlpMixer

    net = MlpMixer(
        num_classes=0, img_size=SIDE, patch_size=PATCH, num_blocks=depth, embed_dim=width, mlp_ratio=(0.5, 2.0)
    )
    return net, width


_MOBILE = [["ds_r1_k3_s1_e1_c16"], ["ir_r2_k3_s2_e4_c24"], ["ir_r3_k3_s2_e4_c40"], ["ir_r2_k3_s2_e4_c56"]]
_EFFICIENT = [
    ["ds_r1_k3_s1_e1_c16_se0.25"],
    ["ir_r2_k3_s2_e4_c24_se0.25"],
    ["ir_r2_k5_s2_e4_c40_se0.25"],
    ["ir_r2_k3_s2_e4_c48_se0.25"],
]

ARCHITECTURES = {  # name: (family, size, builder, its arguments)
    "alexnet-m": ("AlexNet", "m", _alexnet, (24,)),
    "vgg-s": ("VGG", "s", _vgg, ((12, "M", 20, "M", 32, "M", 48, "M"), 64)),
    "vgg-m": ("VGG", "m", _vgg, ((16, "M", 32, "M", 48, 48, "M", 64, "M"), 96)),
    "vgg-l": ("VGG", "l", _vgg, ((20, "M", 40, "M", 64, 64, "M", 96, 96, "M"), 128)),
    "resnet-s": ("ResNet", "s", _resnet, ((16, 24, 32, 48), (1, 1, 1, 1))),
    "resnet-m": ("ResNet", "m", _resnet, ((24, 32, 48, 80), (1, 1, 1, 1))),
    "resnet-l": ("ResNet", "l", _resnet, ((32, 48, 80, 128), (1, 1, 1, 1))),
    "resnext-m": (
        "ResNeXt",
        "m",
        lambda: _resnet((8, 14, 22, 32), (1, 1, 1, 1), True, stem=24, cardinality=4, base_width=48),
        (),
    ),
    "densenet-s": ("DenseNet", "s", _densenet, (8, (2, 3, 4, 3))),
    "densenet-m": ("DenseNet", "m", _densenet, (12, (2, 3, 4, 4))),
    "densenet-l": ("DenseNet", "l", _densenet, (18, (2, 3, 4, 4))),
    "efficientnet-m": ("EfficientNet", "m", lambda: _inverted(_EFFICIENT, 112, 24, "swish"), ()),
    "mobilenet-m": ("MobileNet", "m", lambda: _inverted(_MOBILE, 112, 24, "relu6"), ()),
    "convnext-m": ("ConvNeXt", "m", _convnext, ((20, 32, 56, 96), (1, 1, 2, 1))),
    "vit-s": ("ViT", "s", _vit, (48, 3, 3)),
    "vit-m": ("ViT", "m", _vit, (72, 4, 3)),
    "vit-l": ("ViT", "l", _vit, (96, 5, 4)),
    "mixer-m": ("MLP-Mixer", "m", _mixer, (80, 4)),
}


# ---- one network -----------------------------------------------------------------------------------------------------


def encoder(arch: str):
    """A fresh encoder and the width of its output.

    Parameters
    ----------
    arch : str
        Name in ``ARCHITECTURES``; initial weights come from torch's global generator.

    Returns
    -------
    module : torch.nn.Module
        (n, 3, 32, 32) float in [-1, 1] to (n, width).
    width : int
    """
    _torch()
    if arch not in ARCHITECTURES:
        raise InputError(f"no architecture is called '{arch}'", "arch", f"choose one of {', '.join(ARCHITECTURES)}")
    _, _, builder, arguments = ARCHITECTURES[arch]
    return builder(*arguments)


def assemble(body, head):
    """A network of encoder and head with the layers ``penultimate`` and ``logits`` (absent without a head)."""
    from torch import nn

    parts = [("encoder", body), ("penultimate", nn.Identity())]
    return nn.Sequential(OrderedDict(parts if head is None else [*parts, ("logits", head)]))


def build(arch: str, outputs: int | None = None, objective: str = "softmax"):
    """An untrained network: ``encoder``, ``penultimate``, ``logits``.

    Parameters
    ----------
    arch : str
    outputs : int, optional
        Number of labels; None for a network without logits.
    objective : str
        Decides the form of the logits layer (see :mod:`humalign.world.objectives`).
    """
    body, width = encoder(arch)
    if outputs is None:
        return assemble(body, None)
    from .objectives import make

    return assemble(body, make(objective, width, outputs).head)


# ---- the list of the zoo ---------------------------------------------------------------------------------------------


@cache
def zoo() -> dict[str, dict]:
    """The declarative list ``zoo.toml``: name to facts, defaults filled in, in the order of training."""
    table = tomllib.loads(resources.files(__package__).joinpath("zoo.toml").read_text("utf8"))
    networks = {}
    for entry in table["network"]:
        spec = {**table["defaults"], **table["objective"].get(entry.get("objective", "softmax"), {}), **entry}
        family, size, *_ = ARCHITECTURES[spec["arch"]]
        spec |= {"family": family, "size": size}
        spec["lr"] = entry.get("lr", table["learning_rate"].get(family, table["defaults"]["lr"]))
        spec["epochs"] *= table["epoch_factor"].get(family, 1)
        if spec["name"] in networks:
            raise InputError(f"'{spec['name']}' is listed twice", "zoo.toml", "rename one")
        networks[spec["name"]] = spec
    return networks


def spec(name: str) -> dict:
    """The entry of one network; InputError for an unknown name."""
    if name not in zoo():
        raise InputError(
            f"no network of the mini zoo is called '{name}'", "zoo.toml", "'humalign world train --list' names all"
        )
    return zoo()[name]


def weights_folder() -> Path:
    """Folder of the weights that come with the package."""
    return Path(str(resources.files("humalign.zoo").joinpath("weights")))


def weights_path(name: str, seed: int = 0, profile=None) -> Path:
    """File with the weights of a network: in the package, else in the cache of the profile.

    Raises
    ------
    MissingData
        When it has not been trained here.
    """
    spec(name)
    from ..config import get_profile

    file = f"{name}.s{seed}.safetensors"
    for folder in (weights_folder(), (profile or get_profile("mini")).cache / "zoo"):
        if (folder / file).is_file():
            return folder / file
    raise MissingData("is not trained here", f"{name}, seed {seed}", f"humalign world train {name} --seed {seed}")


def load(name: str, seed: int = 0, profile=None):
    """A trained network in eval mode, float32, on the CPU.

    Parameters
    ----------
    name : str
        Name in ``zoo.toml``.
    seed : int
    profile : Profile, optional
        Names the cache folder with networks that were trained here.

    Returns
    -------
    torch.nn.Sequential
        Layers ``encoder``, ``penultimate`` and, where there is a head, ``logits``; input as :func:`preprocess`
        gives it. Image/text networks have the joint embedding as ``logits``.
    """
    torch = _torch()
    arrays, meta = load_arrays(weights_path(name, seed, profile))
    entry = spec(name)
    with torch.random.fork_rng(devices=[]):
        network = build(entry["arch"], meta["outputs"] if meta["has_logits"] else None, entry["objective"])
    own = {key: torch.from_numpy(value) for key, value in arrays.items() if not key.startswith("text.")}
    lacking, strange = network.load_state_dict(own, strict=False)
    lacking = [key for key in lacking if not key.endswith("num_batches_tracked")]
    if lacking or strange:
        raise InputError(
            "holds another architecture",
            weights_path(name, seed, profile),
            f"humalign world train {name} --seed {seed}",
        )
    return network.float().eval().to(memory_format=torch.channels_last)


def preprocess(images: np.ndarray):
    """Pictures for a network: uint8 (n, h, w, 3) to a float tensor (n, 3, 32, 32) in [-1, 1].

    Pictures of other sizes are resampled by area (shrinking) or bilinearly (growing).
    """
    torch = _torch()
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"expects uint8 (n, h, w, 3), got {images.dtype} {images.shape}", "images", "convert to 8-bit RGB"
        )
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    if x.shape[2:] != (SIDE, SIDE):
        shrink = min(x.shape[2:]) >= SIDE
        x = torch.nn.functional.interpolate(x, (SIDE, SIDE), mode="area" if shrink else "bilinear")
    return (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def features(name, images: np.ndarray, layer: str = "penultimate", seed: int = 0, profile=None, batch: int = 512):
    """Features of pictures in one layer of a network.

    Parameters
    ----------
    name : str or torch.nn.Sequential
        Name in ``zoo.toml`` (loaded with ``seed``) or a network that :func:`load` returned.
    images : uint8 array (n, h, w, 3)
    layer : {"penultimate", "logits"}

    Returns
    -------
    float32 array (n, p)

    Raises
    ------
    InputError
        For a layer that the network does not have.
    """
    torch = _torch()
    network = load(name, seed, profile) if isinstance(name, str) else name
    if layer not in LAYERS or not hasattr(network, layer):
        raise InputError(f"has no layer '{layer}'", name if isinstance(name, str) else "network", "take 'penultimate'")
    upto = network if layer == "logits" else network[:2]
    with torch.inference_mode():
        parts = [upto(preprocess(images[i : i + batch])) for i in range(0, len(images), batch)]
    return torch.cat(parts).numpy()


def records_path() -> Path:
    """Table of all training runs that come with the package."""
    return Path(str(resources.files("humalign").joinpath("recorded"))) / "mini_zoo_training.csv"


def records():
    """Facts of the training runs that come with the package: one row a network and seed (DataFrame)."""
    import pandas as pd

    return pd.read_csv(records_path()) if records_path().is_file() else pd.DataFrame(columns=["model", "seed"])


def table():
    """Facts of the networks of the zoo, one row each, in the columns of a model table.

    Returns
    -------
    pandas.DataFrame
        model, name, source, family, size, arch, group, palette, objective, augmentation, training_data, epochs,
        parameters, reference_accuracy (linear probe on test pictures of all concepts, mean over seeds), seeds
        (recorded), logits (is there such a layer), own_accuracy, public, stand_in.
    """
    import pandas as pd

    runs = records()
    rows = []
    for name, entry in zoo().items():
        own = runs[runs.model == name]
        first = own.iloc[0] if len(own) else {}
        rows.append(
            {
                "model": name, "name": entry["title"], "source": "mini", "family": entry["family"],
                "size": entry["size"],
                "arch": entry["arch"], "group": entry["group"], "palette": entry["palette"],
                "objective": entry["objective"], "augmentation": entry["augmentation"], "training_data": entry["data"],
                "epochs": entry["epochs"], "wave": entry["wave"], "parameters": first.get("parameters"),
                "reference_accuracy": own["probe_accuracy"].mean() if len(own) else np.nan,
                "own_accuracy": own["own_accuracy"].mean() if len(own) else np.nan,
                "logits": bool(first.get("has_logits", False)),
                "seeds": " ".join(str(s) for s in sorted(own["seed"])), "public": True, "stand_in": "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def facts(name: str, seed: int = 0, profile=None) -> dict:
    """The side-car of a trained network: how it was trained and what it reached."""
    path = weights_path(name, seed, profile)
    return read_json(path.with_name(path.name + ".json"))
