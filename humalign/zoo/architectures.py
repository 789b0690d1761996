"""The tiny networks of the drawn world, untrained: architectures for pictures of 32 or 64 pixels, and heads."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from .. import compat  # noqa: F401  (before timm)
from ..errors import InputError
from .small import SIDE

PATCH = 8  # pixels, for patch-based architectures
JOINT = 64  # width of the embedding that pictures and captions share

# ---- architectures ---------------------------------------------------------------------------------------------------
# Each builder returns (encoder, width): encoder maps (n, 3, SIDE, SIDE) to (n, width). All but AlexNet are timm classes
# at reduced width and depth; strides are those of the class, but at 32 pixels, which are few, stem pooling is left out.


def _alexnet(width):
    def stage(a, b, k, s):
        return [nn.Conv2d(a, b, k, s, k // 2), nn.ReLU(inplace=True)]

    w = width
    layers = [*stage(3, w, 5, 2), nn.MaxPool2d(2), *stage(w, 2 * w, 3, 1), *stage(2 * w, 3 * w, 3, 1)]
    layers += [*stage(3 * w, 2 * w, 3, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * w * 16, 4 * w)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)), 4 * w


def _vgg(plan, features):
    from timm.layers import ClassifierHead
    from timm.models.vgg import VGG, ConvMlp

    early = [plan[0] // 2, "M"] if SIDE > 32 else []  # one more layer before the resolution of 32 pixels
    net = VGG(cfg=[*early, *plan], num_classes=0, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 512, drop_rate=0.0)
    net.pre_logits = ConvMlp(plan[-2], features, kernel_size=2, mlp_ratio=1.0, drop_rate=0.0)
    net.num_features = net.head_hidden_size = features
    net.head = ClassifierHead(features, 0, pool_type="avg")
    return net, features


def _resnet(channels, layers, bottleneck=False, **more):
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet

    block, stem = (Bottleneck if bottleneck else BasicBlock), more.pop("stem", channels[0])
    net = ResNet(block, layers, num_classes=0, channels=channels, stem_type="deep", stem_width=stem // 2,
                 zero_init_last=False, **more)  # fmt: skip
    net.conv1 = nn.Conv2d(3, stem, 5, 2, 2, bias=False)
    net.maxpool = nn.MaxPool2d(2) if SIDE > 32 else nn.Identity()
    return net, net.num_features


def _densenet(growth, blocks):
    from timm.layers import BatchNormAct2d
    from timm.models.densenet import DenseNet

    net = DenseNet(growth_rate=growth, block_config=blocks, num_classes=0, bn_size=3, stem_type="deep")
    net.features.pool0 = nn.MaxPool2d(2) if SIDE > 32 else nn.Identity()
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

ARCHITECTURES = {  # name, ending in the size: (builder, its arguments)
    "alexnet-m": (_alexnet, (24,)),
    "vgg-s": (_vgg, ((12, "M", 20, "M", 32, "M", 48, "M"), 64)),
    "vgg-m": (_vgg, ((16, "M", 32, "M", 48, 48, "M", 64, "M"), 96)),
    "vgg-l": (_vgg, ((20, "M", 40, "M", 64, 64, "M", 96, 96, "M"), 128)),
    "resnet-s": (_resnet, ((16, 24, 32, 48), (1, 1, 1, 1))),
    "resnet-m": (_resnet, ((24, 32, 48, 80), (1, 1, 1, 1))),
    "resnet-l": (_resnet, ((32, 48, 80, 128), (1, 1, 1, 1))),
    "resnext-m": (
        lambda: _resnet((8, 14, 22, 32), (1, 1, 1, 1), True, stem=24, cardinality=4, base_width=48),
        (),
    ),
    "densenet-s": (_densenet, (8, (2, 3, 4, 3))),
    "densenet-m": (_densenet, (12, (2, 3, 4, 4))),
    "densenet-l": (_densenet, (18, (2, 3, 4, 4))),
    "efficientnet-m": (lambda: _inverted(_EFFICIENT, 112, 24, "swish"), ()),
    "mobilenet-m": (lambda: _inverted(_MOBILE, 112, 24, "relu6"), ()),
    "convnext-m": (_convnext, ((20, 32, 56, 96), (1, 1, 2, 1))),
    "vit-s": (_vit, (48, 3, 3)),
    "vit-m": (_vit, (72, 4, 3)),
    "vit-l": (_vit, (96, 5, 4)),
    "mixer-m": (_mixer, (80, 4)),
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
        (n, 3, side, side) float in [-1, 1] to (n, width).
    width : int
    """
    if arch not in ARCHITECTURES:
        raise InputError(f"no architecture is called '{arch}'", "arch", f"choose one of {', '.join(ARCHITECTURES)}")
    builder, arguments = ARCHITECTURES[arch]
    return builder(*arguments)


def assemble(body, head):
    """A network of encoder and head with the layers ``penultimate`` and ``logits`` (absent without a head)."""
    parts = [("encoder", body), ("penultimate", nn.Identity())]
    return nn.Sequential(OrderedDict(parts if head is None else [*parts, ("logits", head)]))


class CosineHead(nn.Module):
    """Cosine between features and class vectors over a temperature."""

    def __init__(self, width, outputs, temperature):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, width) / math.sqrt(width))
        self.temperature = temperature

    def forward(self, features):
        return F.linear(F.normalize(features, dim=1), F.normalize(self.weight, dim=1)) / self.temperature


def head(objective: str, width: int, outputs: int):
    """What is stored as the logits layer of a network that was trained on an objective of the list."""
    if objective == "cosine softmax":
        return CosineHead(width, outputs, 0.1)
    if objective == "image/text":
        return nn.Linear(width, JOINT, bias=False)
    return nn.Linear(width, outputs)


def build(arch: str, outputs: int | None = None, objective: str = "softmax"):
    """An untrained network: ``encoder``, ``penultimate``, ``logits``.

    Parameters
    ----------
    arch : str
    outputs : int, optional
        Number of labels; None for a network without logits.
    objective : str
        Decides the form of the logits layer.
    """
    body, width = encoder(arch)
    return assemble(body, None if outputs is None else head(objective, width, outputs))
