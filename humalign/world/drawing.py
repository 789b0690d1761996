"""The drawings as data: reads ``drawings/*.txt`` into outlines that the renderer can move and fill.

A file holds one superordinate. Its first line is ``== superordinate : scene scene ...``; each further line is one
concept, ``name: slots | part | part ...``. Coordinates run from -10 to 10, y points down.

- slots: ``A=red,gold`` (palette names one of which is drawn by lot; ``A`` is the main colour), ``T=40`` (largest
  rotation in degrees, else 12), ``@=water,sky`` (habitual scenes of this concept instead of those of the file).
- part: ``shape colour numbers``. Shapes: ``e cx,cy rx,ry [deg]`` ellipse; ``r cx,cy hw,hh [radius [rad]]`` rectangle by
  half sizes; ``p x,y ...`` polygon; ``s x,y ...`` smooth closed curve; ``l width x,y ...`` polyline; ``c width x,y
  ...`` smooth open curve; ``a width cx,cy rx,ry deg0,deg1`` arc. Prefix ``m``: also its mirror image; ``?``: present
  half the time.
- colour: a palette name, a slot, or ``bg`` (a hole), with ``-`` (darker) or ``+`` (lighter) behind it.

``<superordinate>_views.txt`` holds further views (``dog/2: ...``), ``scenes.txt`` the backgrounds (``== scene``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..edition import NOW
from ..errors import InputError

FOLDER = Path(__file__).parent / "drawings"
FOLDERS = (FOLDER, NOW.within(Path(__file__).parent) / "drawings") if NOW.folder else (FOLDER,)
PALETTE = {
    "red": (208, 45, 45),
    "crimson": (150, 25, 50),
    "orange": (240, 140, 40),
    "gold": (244, 200, 60),
    "lime": (160, 205, 70),
    "green": (52, 140, 64),
    "teal": (30, 140, 140),
    "sky": (140, 200, 235),
    "blue": (45, 95, 200),
    "navy": (32, 44, 96),
    "purple": (125, 65, 160),
    "magenta": (205, 60, 150),
    "pink": (245, 165, 185),
    "brown": (128, 80, 45),
    "tan": (205, 165, 115),
    "cream": (245, 228, 190),
    "white": (246, 246, 244),
    "silver": (196, 200, 206),
    "gray": (130, 132, 136),
    "slate": (82, 92, 108),
    "black": (28, 28, 32),
}
COLOURS = tuple(PALETTE)
# shape: (fewest numbers or points behind the colour, most, is it closed, does a width come first)
SHAPES = {
    "e": (2, 3, True, False),
    "r": (2, 4, True, False),
    "p": (3, 99, True, False),
    "s": (3, 99, True, False),
    "l": (3, 99, False, True),
    "c": (3, 99, False, True),
    "a": (4, 4, False, True),
}


@dataclass(frozen=True)
class View:
    """One drawn view of a concept, ready to be moved: outlines laid end to end in a few arrays.

    Attributes
    ----------
    concept, number : str, int
    slots : dict
        Slot name -> palette names to choose from.
    rotation : float
        Largest rotation, degrees.
    scenes : tuple of str
        Habitual backgrounds (a scene named twice is drawn twice as often).
    parts : int
        Number of parts.
    optional : ndarray of bool (parts,)
    colours : tuple of (base, marks)
        Colour of each part: palette name, slot or ``bg``; marks are ``+`` and ``-``.
    strokes : tuple of (part, start, stop, closed, width)
        Outlines to paint in order; a mirrored part has two.
    points, centres : ndarray (n, 2)
        All outline points, and the centre of the part each belongs to.
    part_of : ndarray of int (n,)
    side : ndarray (n,)
        1, or -1 for mirrored copies.
    """

    concept: str
    number: int
    slots: dict
    rotation: float
    scenes: tuple
    parts: int
    optional: np.ndarray
    colours: tuple
    strokes: tuple
    points: np.ndarray
    centres: np.ndarray
    part_of: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class World:
    """All drawings: concept -> superordinate, concept -> views, scene name -> view."""

    superordinate: dict = field(default_factory=dict)
    views: dict = field(default_factory=dict)
    scenes: dict = field(default_factory=dict)

    @property
    def concepts(self) -> tuple:
        """Names of the concepts, in the order of the alphabet."""
        return tuple(sorted(self.views))

    @property
    def superordinates(self) -> tuple:
        """Names of the superordinates, in the order of the alphabet."""
        return tuple(sorted(set(self.superordinate.values())))

    def members(self, superordinate: str) -> tuple:
        """Concepts of one superordinate."""
        return tuple(c for c in self.concepts if self.superordinate[c] == superordinate)


def smooth(points, closed: bool, steps: int) -> np.ndarray:
    """Catmull-Rom curve through ``points``, ``steps`` points per segment: (n, 2)."""
    points = np.asarray(points, float)
    padded = np.vstack([points[-1:], points, points[:2]]) if closed else np.vstack([points[:1], points, points[-1:]])
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.vstack([curve, points[-1:]])


def subdivide(points, closed: bool, step: float = 2.0) -> np.ndarray:
    """Polyline with further points, at most about ``step`` units apart, so that the warp can bend it."""
    points = np.asarray(points, float)
    ends = np.vstack([points, points[:1]]) if closed else points
    pieces = []
    for start, stop in pairwise(ends):
        n = max(1, int(math.hypot(*(stop - start)) / step))
        pieces.append(start + (stop - start) * np.arange(n)[:, None] / n)
    return np.vstack(pieces if closed else [*pieces, ends[-1:]])


def ellipse(centre, radii, degrees: float = 0.0, start: float = 0.0, stop: float = 360.0, n: int = 28) -> np.ndarray:
    """Points on an ellipse or an arc of it."""
    t = np.radians(np.linspace(start, stop, n))
    x, y = radii[0] * np.cos(t), radii[1] * np.sin(t)
    turn = math.radians(degrees)
    return np.c_[
        centre[0] + x * math.cos(turn) - y * math.sin(turn), centre[1] + x * math.sin(turn) + y * math.cos(turn)
    ]


def rectangle(centre, half, radius: float = 0.0, turn: float = 0.0) -> np.ndarray:
    """Rectangle with half sizes ``half``, rounded corners and a turn in radians."""
    (cx, cy), (w, h) = centre, half
    radius = min(abs(radius), w, h)
    corners = ((1, 1, 0), (-1, 1, 90), (-1, -1, 180), (1, -1, 270))
    if radius < 0.05:
        points = np.array([(cx + sx * w, cy + sy * h) for sx, sy, _ in corners])
    else:
        points = np.vstack(
            [
                ellipse((cx + sx * (w - radius), cy + sy * (h - radius)), (radius, radius), 0, a, a + 90, 5)
                for sx, sy, a in corners
            ]
        )
    c, s = math.cos(turn), math.sin(turn)
    return subdivide((points - centre) @ np.array([[c, s], [-s, c]]) + centre, True)


def outline(shape: str, numbers: list):
    """(points, closed, width) of one part; ``numbers`` holds floats and (x, y) pairs."""
    if shape == "e":
        return ellipse(*numbers), True, 0.0
    if shape == "r":
        return rectangle(*numbers), True, 0.0
    if shape == "p":
        return subdivide(numbers, True), True, 0.0
    if shape == "s":
        return smooth(numbers, True, 5), True, 0.0
    width, *rest = numbers
    if shape == "l":
        return subdivide(rest, False), False, width
    if shape == "c":
        return smooth(rest, False, 6), False, width
    return ellipse(rest[0], rest[1], 0, *rest[2], n=32), False, width


def _number(text: str):
    pair = text.split(",")
    if len(pair) > 2:
        raise ValueError(f"'{text}' is neither a number nor a pair x,y")
    values = tuple(float(value) for value in pair)
    if not all(math.isfinite(value) and abs(value) <= 1000 for value in values):
        raise ValueError(f"'{text}' is out of range")
    return values if len(values) == 2 else values[0]


def _part(text: str, slots: dict):
    """(shape, optional, mirrored, base, marks, outline) of one part."""
    tokens = text.split()
    head = tokens[0]
    optional, head = head.startswith("?"), head.removeprefix("?")
    mirrored, shape = head.startswith("m"), head.removeprefix("m")
    if shape not in SHAPES:
        raise ValueError(f"'{tokens[0]}' is no shape (e r p s l c a, with m and ? before it)")
    if len(tokens) < 2:
        raise ValueError(f"the part '{text}' has no colour")
    base = tokens[1].rstrip("+-")
    if base not in slots and base not in PALETTE and base != "bg":
        raise ValueError(f"'{tokens[1]}' is neither a palette colour nor a slot of this concept")
    fewest, most, _, width_first = SHAPES[shape]
    try:
        numbers = [_number(token) for token in tokens[2:]]
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith("'") else f"'{text}' holds a word for a number") from None
    if not fewest <= len(numbers) <= most:
        raise ValueError(f"'{text}' has {len(numbers)} numbers or points; {shape} takes at least {fewest}")
    scalars = [isinstance(n, float) for n in numbers]
    expected = {"e": [False, False, True], "r": [False, False, True, True]}.get(shape, [width_first] + [False] * 98)
    if scalars != expected[: len(scalars)]:
        raise ValueError(f"'{text}' mixes up single numbers and pairs x,y")
    return optional, mirrored, base, tokens[1][len(base) :], outline(shape, numbers)


def parse_line(line: str, concept: str, number: int, scenes: tuple) -> View:
    """One :class:`View` from the text behind ``name:``.

    Raises
    ------
    ValueError
        With the problem in a few words; :func:`load` adds file and line.
    """
    slots, rotation, parts = {}, 12.0, []
    segments = [segment.strip() for segment in line.split("|")]
    for segment in segments:
        if "=" not in segment:
            continue
        for token in segment.split():
            key, found, value = token.partition("=")
            if not found or not value:
                raise ValueError(f"'{token}' is no slot (write A=red,gold)")
            if key == "T":
                rotation = _number(value)
            elif key == "@":
                scenes = tuple(value.split(","))
            else:
                slots[key] = tuple(value.split(","))
                if unknown := [v for v in slots[key] if v not in PALETTE]:
                    raise ValueError(f"slot {key} names the unknown colour '{unknown[0]}'")
    parts = [_part(segment, slots) for segment in segments if segment and "=" not in segment]
    if not parts:
        raise ValueError("nothing is drawn")
    strokes, points, centres, part_of, side, at = [], [], [], [], [], 0
    for k, (_, mirrored, _, _, (shape, closed, width)) in enumerate(parts):
        for sign in (1, -1) if mirrored else (1,):
            strokes.append((k, at, at + len(shape), closed, width))
            at += len(shape)
            points.append(shape)
            centres.append(np.broadcast_to(shape.mean(0), shape.shape))
            part_of.append(np.full(len(shape), k))
            side.append(np.full(len(shape), float(sign)))
    return View(
        concept,
        number,
        slots,
        float(rotation),
        tuple(scenes),
        len(parts),
        np.array([p[0] for p in parts]),
        tuple((p[2], p[3]) for p in parts),
        tuple(strokes),
        np.vstack(points),
        np.vstack(centres),
        np.concatenate(part_of),
        np.concatenate(side),
    )


def _lines(path: Path):
    for number, line in enumerate(path.read_text("utf8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"{path.name}:{number}", line.strip()


def load(*folders) -> World:  # noqa: C901 (one check after the other, each with its message)
    """Read all drawings of some folders (default: those of this world).

    Raises
    ------
    InputError
        Naming file, line and problem: unknown shape, colour or scene, wrong numbers, a concept drawn twice, a second
        view without a first.
    """
    files = [path for folder in folders or FOLDERS for path in Path(folder).glob("*.txt")]
    files.sort(key=lambda path: (path.stem.endswith("_views"), path.name))
    if not files:
        raise InputError("holds no drawings", folders[0], "point at a folder with <superordinate>.txt files")
    world, where_of = World(), {}
    for path in files:
        superordinate, scenes = None, ()
        for where, line in _lines(path):
            if line.startswith("=="):
                name, _, rest = line[2:].partition(":")
                superordinate, scenes = name.strip(), tuple(rest.split())
                continue
            name, colon, rest = line.partition(":")
            name = name.strip()
            concept, _, view = name.partition("/")
            if not colon or not concept or not (view or "1").isdigit():
                raise InputError("a line must read 'name: slots | part | part'", where)
            number = int(view or 1)
            further = path.stem.endswith("_views")
            if superordinate is None and not further:
                raise InputError("no line '== superordinate : scenes' stands above this concept", where)
            if further:
                if concept not in world.views:
                    raise InputError(f"a further view of '{concept}', which has no first view", where)
                if superordinate is None:
                    scenes = world.views[concept][0].scenes
            taken = (
                world.scenes
                if superordinate == "scene"
                else {(c, v.number) for c, views in world.views.items() for v in views}
            )
            if (concept if superordinate == "scene" else (concept, number)) in taken:
                raise InputError(f"'{name}' is drawn twice", where)
            try:
                parsed = parse_line(rest, concept, number, scenes)
            except ValueError as error:
                raise InputError(f"{name}: {error}", where) from None
            if superordinate == "scene":
                world.scenes[concept] = parsed
                continue
            if "A" not in parsed.slots:
                raise InputError(f"{name}: no slot A (the main colour)", where, "add A=colour,colour")
            where_of[name] = where
            world.views.setdefault(concept, []).append(parsed)
            if not further:
                world.superordinate[concept] = superordinate
    _check_views(world, where_of)
    return world


def _check_views(world: World, where_of: dict) -> None:
    """Every scene is drawn, and views are numbered from 1; sorts them."""
    for views in world.views.values():
        for view in views:
            key = view.concept if view.number == 1 else f"{view.concept}/{view.number}"
            if unknown := [s for s in view.scenes if s not in world.scenes]:
                raise InputError(f"{key}: there is no scene '{unknown[0]}'", where_of[key], "draw it in scenes.txt")
    for concept, views in world.views.items():
        views.sort(key=lambda view: view.number)
        if [view.number for view in views] != list(range(1, len(views) + 1)):
            raise InputError(f"the views of '{concept}' are not numbered 1, 2, ...", where_of[concept])


@lru_cache(maxsize=1)
def world() -> World:
    """The world of this package (read once)."""
    return load()
