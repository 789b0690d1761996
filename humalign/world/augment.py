"""Vectorised augmentation of small pictures on any device; all lots come from one CPU generator."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

# Permutations of four tiles, for the jigsaw task.
TILE_ORDERS = torch.tensor(
    [(a, b, c, 6 - a - b - c) for a in range(4) for b in range(4) for c in range(4) if len({a, b, c}) == 3]
)


def scaled(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 in [-1, 1], channels last in memory."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)


def _uniform(generator, n, low, high, like):
    return torch.empty(n).uniform_(low, high, generator=generator).to(like.device)


def shift_and_flip(images: torch.Tensor, generator, most: int = 3) -> torch.Tensor:
    """Mirror half of the images and shift each by up to ``most`` pixels (edges repeated)."""
    n, _, h, w = images.shape
    dx, dy = torch.randint(-most, most + 1, (2, n), generator=generator)
    flip = torch.rand(n, generator=generator) < 0.5
    rows = (torch.arange(h)[None] + dy[:, None]).clamp_(0, h - 1)
    columns = (torch.arange(w)[None] + dx[:, None]).clamp_(0, w - 1)
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    at = (torch.arange(n)[:, None, None] * h + rows[:, :, None]) * w + columns[:, None, :]
    pixels = images.permute(0, 2, 3, 1).reshape(n * h * w, -1)
    return pixels[at.to(images.device)].permute(0, 3, 1, 2)


def warp(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Resample by affine maps (n, 2, 3) from output to input coordinates in [-1, 1]; edges reflect."""
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False, padding_mode="reflection")


def strong_view(images: torch.Tensor, generator) -> torch.Tensor:
    """One view for self-supervised methods: crop of 40 to 100 % of the area, flip, small rotation, colour, grey.

    Parameters
    ----------
    images : float tensor (n, 3, h, w) in [-1, 1]
    generator : torch.Generator
        On the CPU.
    """
    n = len(images)
    zoom = _uniform(generator, n, 0.4, 1.0, images).sqrt()
    angle = _uniform(generator, n, -0.2, 0.2, images)
    mirror = (torch.rand(n, generator=generator) < 0.5).to(images.device)
    side = 1.0 - 2.0 * mirror.float()
    maps = torch.zeros(n, 2, 3, device=images.device)
    maps[:, 0, 0], maps[:, 0, 1] = side * zoom * angle.cos(), -zoom * angle.sin()
    maps[:, 1, 0], maps[:, 1, 1] = side * zoom * angle.sin(), zoom * angle.cos()
    place = torch.rand(n, 2, generator=generator).to(images.device) * 2 - 1
    maps[:, :, 2] = place * (1 - zoom)[:, None]
    views = warp(images, maps)
    mix = torch.eye(3) + 0.2 * torch.randn(n, 3, 3, generator=generator)
    mix = mix * torch.empty(n, 1, 1).uniform_(0.6, 1.4, generator=generator)
    grey = torch.rand(n, 1, 1, generator=generator) < 0.2
    mix = torch.where(grey, mix.sum(1, keepdim=True).expand(n, 3, 3) / 3, mix).to(images.device)
    offset = (0.2 * torch.randn(n, 3, 1, generator=generator)).to(images.device)
    offset = torch.where(grey.to(images.device), offset.mean(1, keepdim=True), offset)
    out = torch.baddbmm(offset, mix, views.flatten(2)).clamp_(-1.5, 1.5)
    return out.view_as(views).contiguous(memory_format=torch.channels_last)


AUTOMATIC = ("none", "rotate", "shear x", "shear y", "shift x", "shift y", "brightness", "contrast", "colour",
             "posterise", "solarise", "sharpness")  # fmt: skip


def automatic(images: torch.Tensor, generator) -> torch.Tensor:
    """One operation at random strength per image (the scheme of TrivialAugment, Mueller and Hutter 2021).

    Parameters
    ----------
    images : float tensor (n, 3, h, w) in [-1, 1]
    generator : torch.Generator
    """
    n, device = len(images), images.device
    kind = torch.randint(len(AUTOMATIC), (n,), generator=generator).to(device)
    level = _uniform(generator, n, -1, 1, images)

    def chosen(name, values, rest=0.0):
        return torch.where(kind == AUTOMATIC.index(name), values, torch.full_like(values, rest))

    angle = chosen("rotate", level * math.radians(45))
    maps = torch.zeros(n, 2, 3, device=device)
    maps[:, 0, 0] = maps[:, 1, 1] = angle.cos()
    maps[:, 0, 1] = -angle.sin() + chosen("shear x", level * 0.5)
    maps[:, 1, 0] = angle.sin() + chosen("shear y", level * 0.5)
    maps[:, 0, 2], maps[:, 1, 2] = chosen("shift x", level * 0.5), chosen("shift y", level * 0.5)
    x = images.clone()
    moved = (kind >= AUTOMATIC.index("rotate")) & (kind <= AUTOMATIC.index("shift y"))
    if moved.any():
        x[moved] = warp(images[moved], maps[moved])
    grow = torch.exp(level * 0.9)[:, None, None, None]

    def apply(name, function):
        mask = kind == AUTOMATIC.index(name)
        if mask.any():
            x[mask] = function(x[mask], grow[mask], level[mask][:, None, None, None]).clamp(-1, 1)

    apply("brightness", lambda v, g, s: (v + 1) * g - 1)
    apply("contrast", lambda v, g, s: (v - v.mean((1, 2, 3), keepdim=True)) * g + v.mean((1, 2, 3), keepdim=True))
    apply("colour", lambda v, g, s: (v - v.mean(1, keepdim=True)) * g + v.mean(1, keepdim=True))
    apply("posterise", lambda v, g, s: torch.round((v + 1) * (3 + 3 * s.abs())) / (3 + 3 * s.abs()) - 1)
    apply("solarise", lambda v, g, s: torch.where(v > s.abs(), -v, v))
    apply("sharpness", lambda v, g, s: v + s * (v - F.avg_pool2d(v, 3, 1, 1, count_include_pad=False)))
    return x


def mixup(images: torch.Tensor, targets: torch.Tensor, generator, alpha: float = 0.2):
    """Mix pairs of images and their (soft) targets by Beta(alpha, alpha) (Zhang et al. 2018).

    Returns
    -------
    images (n, 3, h, w), targets (n, k)
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    import numpy as np

    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    other = torch.randperm(len(images), generator=generator).to(images.device)
    return share * images + (1 - share) * images[other], share * targets + (1 - share) * targets[other]


def rotate(images: torch.Tensor, _generator=None):
    """Each image turned by 0, 90, 180 and 270 degrees: (images (4n, ...), number of quarter turns (4n,))."""
    turns = torch.arange(4, device=images.device).repeat_interleave(len(images))
    return torch.cat([torch.rot90(images, k, (2, 3)) for k in range(4)]), turns


def jigsaw(images: torch.Tensor, generator):
    """Cut into 2 x 2 tiles, crop each tile by up to 2 pixels at random, permute them: (images, number of the order).

    Each tile is cut to 7/8 of its side at a random place and pasted on the mean colour, so that edges do not match.
    """
    n, c, h, w = images.shape
    th, tw = h // 2, w // 2
    tiles = images.reshape(n, c, 2, th, 2, tw).permute(0, 2, 4, 1, 3, 5).reshape(n, 4, c, th, tw)
    order = torch.randint(len(TILE_ORDERS), (n,), generator=generator)
    tiles = tiles[torch.arange(n)[:, None].to(images.device), TILE_ORDERS[order].to(images.device)]
    gap = max(1, tw // 8)
    dx, dy = torch.randint(0, gap + 1, (2, n, 4), generator=generator)
    rows, columns = torch.arange(th)[None, None], torch.arange(tw)[None, None]
    keep = ((rows >= dy[..., None]) & (rows < dy[..., None] + th - gap))[..., :, None]
    keep = (keep & ((columns >= dx[..., None]) & (columns < dx[..., None] + tw - gap))[..., None, :]).to(images.device)
    tiles = torch.where(keep[:, :, None], tiles, tiles.mean((3, 4), keepdim=True))
    out = tiles.reshape(n, 2, 2, c, th, tw).permute(0, 3, 1, 4, 2, 5).reshape(n, c, h, w)
    return out.contiguous(memory_format=torch.channels_last), order.to(images.device)
