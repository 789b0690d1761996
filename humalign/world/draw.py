"""One picture: a drawing moved, bent, coloured, set before a background; one seed is one picture at any size."""

from __future__ import annotations

import colorsys
import hashlib
import math

import numpy as np
from PIL import Image, ImageDraw

from ..edition import NOW
from ..errors import InputError
from .drawing import COLOURS, PALETTE, View, World, world

VERSION = 1  # counts up when the same seed no longer gives the same picture
SUPERSAMPLING = 4
# What varies between pictures of one concept. Lengths are drawing units (the canvas is 22 units wide at scale 1).
VARIATION = {
    "canvas": 22.0,  # units across the picture at scale 1
    "scale": (0.62, 0.98),  # uniform
    "aspect": 0.12,  # sd of the log of the aspect ratio
    "warp": 0.55,  # sd of the amplitude of the smooth warp
    "warp_frequency": (0.1, 0.3),  # radians per unit, uniform
    "part_size": 0.07,  # sd of the log of a part's size
    "part_shift": 0.18,  # sd
    "line_width": 0.12,  # sd of the log of a line's width
    "outline": (0.0, 0.5, 0.8, 1.1),  # width in 1/64 of the picture, by lot
    "clutter": 3,  # most polygons in a plain background
    "light": 0.1,  # sd of brightness and of its gradients
    "noise": 6.0,  # sd of pixel noise, grey levels
    "contrast": 110,  # least sum of absolute differences between background and main colour
    "scene_shift": 0.07,  # sd, share of the picture
}
KAPPA = NOW.kappa  # scene coupling: probability that the background is a habitual scene
_OUTLINE_COLOUR = (20, 20, 24)


def seed_of(name: str) -> int:
    """The seed that belongs to a name (an image id): the first 8 bytes of its SHA-256."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def shade(colour, marks: str):
    """``colour`` darker by each ``-`` and lighter by each ``+``."""
    for mark in marks:
        h, l, s = colorsys.rgb_to_hls(*(v / 255 for v in colour))
        l = l * 0.68 if mark == "-" else min(1.0, l + 0.14)
        colour = tuple(int(255 * v) for v in colorsys.hls_to_rgb(h, l, s))
    return colour


def _jitter(colour, rng, amount: float = 1.0):
    """A colour near ``colour``."""
    h, l, s = colorsys.rgb_to_hls(*(v / 255 for v in colour))
    n = rng.standard_normal(3) * amount
    l, s = min(0.97, max(0.06, l + n[1] * 0.05)), min(1.0, max(0.0, s * (1 + n[2] * 0.15)))
    return tuple(int(255 * v) for v in colorsys.hls_to_rgb((h + n[0] * 0.018) % 1, l, s))


def _any_colour(rng):
    return _jitter(PALETTE[COLOURS[rng.integers(len(COLOURS))]], rng, 2.0)


def _distance(a, b) -> int:
    return sum(abs(x - y) for x, y in zip(a, b))


def _paint_scene(pen, scene: View, rng, size: int):
    unit = size / 20
    side = unit if rng.random() < 0.5 else -unit
    shift = size / 2 + rng.normal(0, VARIATION["scene_shift"], 2) * size
    hidden = scene.optional & (rng.random(scene.parts) < 0.5)
    colours = [_jitter(PALETTE[base], rng, 1.8) for base, _ in scene.colours]
    points = scene.points * [side, unit] + shift
    for part, start, stop, closed, width in scene.strokes:
        if hidden[part]:
            continue
        flat = points[start:stop].ravel().tolist()
        if closed:
            pen.polygon(flat, fill=colours[part])
        else:
            pen.line(flat, fill=colours[part], width=max(1, int(width * unit)))


def _paint_plain(pen, kind: int, first, second, rng, size: int):
    """Plain backgrounds: 0 and 4 bare with small polygons, 1 horizon, 2 stripes, 3 disc."""
    if kind == 1:
        pen.rectangle([0, rng.uniform(0.45, 0.8) * size, size, size], fill=second)
    elif kind == 2:
        width, slope = size * rng.uniform(0.08, 0.2), rng.uniform(-1, 1) * size
        for i in range(-20, 40, 2):
            left, right = i * width, (i + 1) * width
            pen.polygon([left, 0, right, 0, right + slope, size, left + slope, size], fill=second)
    elif kind == 3:
        x, y, q = rng.uniform([0.2, 0.2, 0.35], [0.8, 0.8, 0.6]) * size
        pen.ellipse([x - q, y - q, x + q, y + q], fill=second)
    else:
        for _ in range(rng.integers(0, VARIATION["clutter"] + 1)):
            x, y, q = rng.uniform([0, 0, 0.03], [1, 1, 0.1]) * size
            corners, turn = int(rng.integers(3, 9)), int(rng.integers(90))
            pen.regular_polygon((x, y, q), corners, rotation=turn, fill=shade(first, "+-"[rng.integers(2)]))


def _background(view: View, drawings: World, main, rng, size: int, kappa: float):
    """(image, name of the scene or kind of plain background)."""
    first, second = _any_colour(rng), _any_colour(rng)
    for _ in range(20):
        if _distance(first, main) > VARIATION["contrast"]:
            break
        first = _any_colour(rng)
    if rng.random() < 0.6 or _distance(second, main) <= VARIATION["contrast"]:
        second = shade(first, "+-"[rng.integers(2)])
    coupled, choice, kind = rng.random() < kappa, rng.random(), int(rng.integers(5))
    image = Image.new("RGB", (size, size), first)
    pen = ImageDraw.Draw(image)
    if coupled and view.scenes:
        scene = view.scenes[int(choice * len(view.scenes))]
        _paint_scene(pen, drawings.scenes[scene], rng, size)
        return image, scene
    _paint_plain(pen, kind, first, second, rng, size)
    return image, ("bare", "horizon", "stripes", "disc", "bare")[kind]


def _moved(view: View, rng, size: int):
    """(points (n, 2) in pixels, factor units -> pixels, widths of lines (parts,) in units)."""
    v = VARIATION
    scale = rng.uniform(*v["scale"])
    unit = scale * size / v["canvas"]
    stretch = math.exp(rng.normal(0, v["aspect"]) / 2)
    turn, flip = math.radians(rng.uniform(-1, 1) * view.rotation), -1 if rng.random() < 0.5 else 1
    amplitude, phase = rng.normal(0, v["warp"], (2, 2)), rng.uniform(0, 2 * math.pi, (2, 2))
    frequency = rng.uniform(*v["warp_frequency"], (2, 2))
    offset = 0.5 + rng.uniform(-1, 1, 2) * max(0.0, 0.5 - scale * 10.5 / v["canvas"])
    size_jitter = np.exp(rng.normal(0, v["part_size"], (view.parts, 2)))
    shift, width = rng.normal(0, v["part_shift"], (view.parts, 2)), np.exp(rng.normal(0, v["line_width"], view.parts))
    points = (view.points - view.centres) * size_jitter[view.part_of] + view.centres + shift[view.part_of]
    points[:, 0] *= view.side
    swapped = np.stack([points[:, ::-1].T, points.T], 1)  # (coordinate, other or own axis, n)
    points = points + (amplitude[..., None] * np.sin(frequency[..., None] * swapped + phase[..., None])).sum(1).T
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    matrix = matrix @ np.diag([unit * flip * stretch, unit / stretch])
    return points @ matrix.T + offset * size, unit, width


def _paint_object(image, view: View, points, unit: float, widths, colours, hidden, outline: int, least: float):
    pen, behind = ImageDraw.Draw(image), None
    if any(base == "bg" for base, _ in view.colours):
        behind = image.copy()
    for part, start, stop, closed, width in view.strokes:
        if hidden[part]:
            continue
        shape, fill = points[start:stop], colours[part]
        flat = shape.ravel().tolist()
        if closed:
            if fill is None:  # a hole shows the background
                mask = Image.new("1", image.size)
                ImageDraw.Draw(mask).polygon(flat, fill=1)
                image.paste(behind, mask=mask)
            else:
                pen.polygon(flat, fill=fill)
            if outline:
                pen.line(flat + flat[:2], fill=_OUTLINE_COLOUR, width=outline)
            continue
        fill = fill or _OUTLINE_COLOUR
        wide = max(least, width * unit * widths[part])
        joint = "curve" if width >= 0.6 and stop - start > 2 else None
        if outline and width >= 1:
            pen.line(flat, fill=_OUTLINE_COLOUR, width=round(wide + 2 * outline), joint=joint)
        pen.line(flat, fill=fill, width=max(1, round(wide)), joint=joint)
        if width >= 0.8:
            for x, y in (shape[0], shape[-1]):
                pen.ellipse([x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2], fill=fill)


def _choose(concept: str, seed, view: int | None, drawings: World):
    """(View, slots, generator of the further looks)."""
    views = drawings.views.get(concept)
    if views is None:
        raise InputError(
            f"'{concept}' is no concept of the drawn world", "concept", "humalign world data --concepts lists them"
        )
    looks = np.random.default_rng([int(seed), 0])
    lot = int(looks.integers(2**31))
    view = lot % len(views) + 1 if view is None else view
    if not 1 <= view <= len(views):
        raise InputError(f"'{concept}' has no view {view}", "view", f"choose 1 to {len(views)}")
    drawn = views[view - 1]
    slots = {slot: names[int(looks.integers(2**31)) % len(names)] for slot, names in drawn.slots.items()}
    return drawn, slots, looks


def facts(concept: str, seed, view: int | None = None, drawings: World | None = None) -> dict:
    """``view`` and ``slots`` of the picture :func:`render` would draw, without drawing it."""
    drawn, slots, _ = _choose(concept, seed, view, world() if drawings is None else drawings)
    return {"view": drawn.number, "slots": slots}


def render(
    concept: str,
    seed,
    size: int = 64,
    view: int | None = None,
    kappa: float = KAPPA,
    *,
    noise: bool = True,
    drawings: World | None = None,
):
    """One picture of a concept.

    Parameters
    ----------
    concept : str
    seed : int
        Decides everything. Geometry and colours do not depend on ``size``; pixel noise comes last, from its own
        generator.
    size : int
        Width and height in pixels.
    view : int, optional
        Number of the view, from 1; default: by lot.
    kappa : float
        Probability that the background is a habitual scene of the concept.
    noise : bool
        Add pixel noise.
    drawings : World, optional
        Default: the world of this package.

    Returns
    -------
    image : uint8 (size, size, 3)
    facts : dict
        ``view``, ``slots`` (slot -> palette name drawn), ``scene`` (or kind of plain background),
        ``scale`` (one drawing unit as a share of the width).

    Raises
    ------
    InputError
        For an unknown concept or view.
    """
    drawings = world() if drawings is None else drawings
    behind, pose, grain = (np.random.default_rng([int(seed), k]) for k in (1, 2, 3))
    drawn, slots, looks = _choose(concept, seed, view, drawings)
    fixed = {slot: _jitter(PALETTE[name], looks) for slot, name in slots.items()}
    hidden = drawn.optional & (looks.random(drawn.parts) < 0.5)
    outline = VARIATION["outline"][int(looks.integers(len(VARIATION["outline"])))]
    for base, _ in drawn.colours:
        if base != "bg" and base not in fixed:
            fixed[base] = _jitter(PALETTE[base], looks, 0.7)
    colours = [None if base == "bg" else shade(fixed[base], marks) for base, marks in drawn.colours]
    full = size * SUPERSAMPLING
    image, scene = _background(drawn, drawings, fixed["A"], behind, full, kappa)
    points, unit, widths = _moved(drawn, pose, full)
    _paint_object(image, drawn, points, unit, widths, colours, hidden, round(outline * full / 64), 0.8 * full / 64)
    pixels = np.asarray(image.reduce(SUPERSAMPLING), np.float32)
    light = grain.normal(0, VARIATION["light"], 3).astype(np.float32)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    pixels = pixels * (1 + light[0] + light[1] * ramp[None, :, None] + light[2] * ramp[:, None, None])
    if noise:
        pixels += np.float32(VARIATION["noise"]) * grain.standard_normal(pixels.shape, dtype=np.float32)
    facts = {"view": drawn.number, "slots": slots, "scene": scene, "scale": round(unit / full, 4)}
    return np.clip(pixels, 0, 255).astype(np.uint8), facts


def reduce(images: np.ndarray, factor: int) -> np.ndarray:
    """Mean over blocks of ``factor`` x ``factor`` pixels: uint8 (..., h, w, 3) -> (..., h/factor, w/factor, 3)."""
    *head, h, w, c = images.shape
    blocks = images.reshape(*head, h // factor, factor, w // factor, factor, c)
    return np.floor(blocks.astype(np.float32).mean((-4, -2)) + 0.5).astype(np.uint8)


def contact_sheet(
    names=None,
    per_concept: int = 1,
    columns: int = 12,
    size: int = 96,
    seed: int = 0,
    labels: bool = True,
    views: bool = False,
    drawings: World | None = None,
) -> Image.Image:
    """A sheet of pictures, one cell each.

    Parameters
    ----------
    names : sequence of str, optional
        Concepts; default: all, ordered by superordinate.
    per_concept : int
        Pictures of each (ignored with ``views``).
    columns, size : int
        Cells in a row; pixels of a cell.
    labels : bool
        Names below the pictures; without them the sheet serves a blind naming check.
    views : bool
        One picture of each view instead.
    """
    drawings = world() if drawings is None else drawings
    if names is None:
        names = sorted(drawings.concepts, key=lambda c: (drawings.superordinate[c], c))
    cells = [
        (name, view, k)
        for name in names
        for view, k in (
            [(v + 1, v) for v in range(len(drawings.views[name]))] if views else [(None, k) for k in range(per_concept)]
        )
    ]
    foot = 12 if labels else 0
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * size, rows * (size + foot)), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for i, (name, view, k) in enumerate(cells):
        x, y = i % columns * size, i // columns * (size + foot)
        pixels, _ = render(name, seed_of(f"sheet{seed}/{name}/{k}"), size, view, KAPPA, noise=False, drawings=drawings)
        sheet.paste(Image.fromarray(pixels), (x, y))
        if labels:
            pen.text((x + 2, y + size), name if view in (None, 1) else f"{name}/{view}", fill=(0, 0, 0))
    return sheet
