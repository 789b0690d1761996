"""Sets of pictures by id: which pictures exist, and their pixels, drawn once and kept."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np

from .. import store
from ..config import get_profile
from ..data.types import Stimuli
from ..edition import NOW
from ..errors import InputError
from ..processes import pool as processes
from . import draw
from .drawing import FOLDERS, world

SOURCE = "drawn world of humalign (simulated)"
LICENCE = "MIT"
SEED = NOW.seed  # master seed of the frozen world; every other seed is derived from it and a name
COUNTS = NOW.pictures  # per concept
ARRANGEMENTS = NOW.arranged  # pictures of as many concepts
SPLITS = (*COUNTS, *ARRANGEMENTS)


def generator(name: str) -> np.random.Generator:
    """A random generator that belongs to a name: ``default_rng([SEED, hash of name])``."""
    return np.random.default_rng([SEED, draw.seed_of(name)])


def arrangement_concepts(name: str) -> tuple[str, ...]:
    """Concepts of an arrangement set, drawn without replacement, in the order of the alphabet."""
    concepts = world().concepts
    n = ARRANGEMENTS[name]
    if n > len(concepts):
        raise InputError(f"needs {n} concepts, {len(concepts)} are drawn", f"arrangement set '{name}'")
    return tuple(sorted(generator(f"arrangement/{name}").permutation(list(concepts))[:n].tolist()))


def split_ids(split: str) -> tuple[str, ...]:
    """Ids of a split: ``dog/train0``, ``dog/web0``, ``dog/test0``, ``dog/1`` (things), ``dog/cichy`` ...

    Raises
    ------
    InputError
        For an unknown split.
    """
    if split in ARRANGEMENTS:
        return tuple(f"{concept}/{split}" for concept in arrangement_concepts(split))
    if split == "things":
        return tuple(f"{concept}/{k + 1}" for concept in world().concepts for k in range(COUNTS[split]))
    if split not in COUNTS:
        raise InputError(f"no split is called '{split}'", "split", f"choose one of {', '.join(SPLITS)}")
    return tuple(f"{concept}/{split}{k}" for concept in world().concepts for k in range(COUNTS[split]))


def concept_of(name: str) -> str:
    """The concept an image id shows."""
    return name.partition("/")[0]


def view_of(name: str) -> int | None:
    """View that an id fixes: ``dog/2`` shows view 2 where there is one; other splits draw the view by lot."""
    concept, _, rest = name.partition("/")
    return min(int(rest), len(world().views[concept])) if rest.isdigit() else None


def picture(name: str, size: int = 64, kappa: float = draw.KAPPA, noise: bool = True):
    """The picture of an id and its facts, at any size (see :func:`humalign.world.draw.render`)."""
    return draw.render(concept_of(name), draw.seed_of(f"{SEED}/{name}"), size, view_of(name), kappa, noise=noise)


def main_colour(name: str) -> str:
    """Palette name of the main colour of the picture of an id, without drawing it."""
    return draw.facts(concept_of(name), draw.seed_of(f"{SEED}/{name}"), view_of(name))["slots"]["A"]


@lru_cache(maxsize=1)
def drawings_digest() -> str:
    """Digest of all that decides pixels: drawings, parameters of the renderer, its version, the master seed."""
    files = {path.name: path for folder in FOLDERS for path in sorted(folder.glob("*.txt"))}
    return store.digest(files, draw.VERSION, draw.VARIATION, draw.PALETTE, draw.SUPERSAMPLING, draw.KAPPA, SEED)


def _drawn(job):
    names, size, kappa = job
    full, factor = (64, 64 // size) if size < 64 and 64 % size == 0 else (size, 1)
    pixels, facts = [], []
    for name in names:
        image, fact = picture(name, full, kappa)
        pixels.append(draw.reduce(image, factor) if factor > 1 else image)
        facts.append(fact)
    return np.stack(pixels), facts


def pictures_of(table, side: int = 96) -> dict[str, np.ndarray]:
    """The pictures that a table names in its columns first, second, third, odd and picture, drawn anew.

    Parameters
    ----------
    table : DataFrame
    side : int
        Pixels.

    Returns
    -------
    dict
        id to uint8 array (side, side, 3).
    """
    named = table.filter(["first", "second", "third", "odd", "picture"]).select_dtypes(exclude="number")
    names = list(dict.fromkeys(named.stack().dropna()))
    return dict(zip(names, draw_ids(names, side, workers=1, progress=False)[0]))


def draw_ids(ids, size: int, kappa: float = draw.KAPPA, workers: int = 2, progress: bool | None = None):
    """Pixels (m, size, size, 3) uint8 and facts of any ids, drawn now, by ``workers`` processes."""
    from tqdm import tqdm

    ids = tuple(ids)
    jobs = [(ids[i : i + 128], size, kappa) for i in range(0, len(ids), 128)]
    bar = tqdm(
        total=len(ids), desc="drawing", unit="image", disable=None if progress is None else not progress, leave=False
    )
    pixels, facts = [], []
    with bar:
        if workers < 2 or len(ids) < 1500:
            results = map(_drawn, jobs)
            pool = None
        else:
            pool = processes(workers)
            results = pool.map(_drawn, jobs)
        try:
            for part, fact in results:
                pixels.append(part)
                facts += fact
                bar.update(len(fact))
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
    return np.concatenate(pixels), facts


def load(ids, size: int, profile=None, name: str = "pictures", kappa: float = draw.KAPPA, workers: int = 2):
    """Pixels and facts of any ids, kept in the cache of the profile."""
    ids = tuple(ids)
    profile = profile or get_profile("mini")

    def make():
        pixels, facts = draw_ids(ids, size, kappa, workers)
        return {"pixels": pixels, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}

    parts = [drawings_digest(), ids, size, float(kappa)]
    folder = profile.cache / "world"
    with store.lock(folder / f".{name}-{size}.lock"):
        arrays = store.cached(folder, f"{name}-{size}", parts, make)
    return arrays["pixels"], json.loads(arrays["facts"].tobytes())


def images(split: str, size: int = NOW.side, profile=None, *, kappa: float = draw.KAPPA) -> Stimuli:
    """All pictures of a split.

    Parameters
    ----------
    split : {"train", "web", "test", "things", "cichy", "king1", "king2"}
    size : int
        Default: what networks see. Divisors of 64 are drawn at 64 and averaged over blocks; other sizes are
        drawn directly.
    profile : Profile, optional
        Names the cache folder.

    Returns
    -------
    Stimuli
        ``images`` uint8 (m, size, size, 3); ``meta`` lists as long as the ids: ``facts``, ``colours`` (main colour),
        ``views``.
    """
    ids = split_ids(split)
    pixels, facts = load(ids, size, profile, split, kappa)
    meta = {
        "facts": facts,
        "colours": [f["slots"]["A"] for f in facts],
        "views": [f["view"] for f in facts],
        "size": size,
    }
    return Stimuli(ids, SOURCE, LICENCE, images=pixels, concepts=tuple(map(concept_of, ids)), meta=meta, name=split)
