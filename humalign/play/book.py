"""The game on the first page of the book: photographs and real people where these data are, else the drawn world."""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from ..cache import kept
from ..config import Profile, get_profile
from ..data import registry
from ..source import open_source
from ..store import content, digest
from . import Game, make, of_triplets, with_networks

VERSION = 1  # of the game kept between builds of the book; goes up whenever it changes for the same data
PHOTOGRAPHS = "things_cc0/images"
PEOPLE = ("things/testset1", "things/testset2", "things/test_10_id", "things/responses_2025")
NETWORKS = ("things/clip_vit_b32", "things_cc0/features")
DRAWN = {"imagetext-resnet-m": "Image/text ResNet-M", "softmax-resnet-m": "ResNet-M"}
REAL_ABOUT = (
    'Real people: their answers are those of <a href="https://osf.io/f5rn6/">THINGS-data</a> (Hebart et al. 2023, '
    'CC BY 4.0){more}. The photographs are from <a href="https://osf.io/jum2f/">THINGSplus</a> (Stoinski et al. 2024, '
    "CC0); people judged other photographs of the same things.{networks} Questions that many people answered come "
    "first; most others were put to one person."
)
DRAWN_ABOUT = (
    "Simulated observers: no person answered here. Pictures and answers come from the small world that this book "
    "draws, where 36 simulated observers judged each question; the two small networks saw the pictures at 32 × 32 "
    "pixels. With the data of THINGS, this page shows photographs and the answers of real people."
)


def front_page(profile: Profile | None = None) -> Game:
    """Five games of ten rounds, from the best data there are.

    Parameters
    ----------
    profile : Profile, optional
        Names the folder with real data and the cache; default from the environment.
    """
    real, game, inputs = _chosen(profile)
    return _unpacked(kept(real, "game", VERSION, inputs, lambda: _packed(game())))


def made_from(profile: Profile | None = None) -> str:
    """Digest of all that the game of :func:`front_page` is made from."""
    return digest(VERSION, _chosen(profile)[2])


def _chosen(profile: Profile | None):
    """The profile of real data, what makes the game, and what it is made from."""
    real = get_profile("slice") if profile is None else profile.with_(name="slice")
    found = [name for name in (PHOTOGRAPHS, *PEOPLE, *NETWORKS) if name in registry.available(real)]
    if PHOTOGRAPHS in found and set(found) & set(PEOPLE):
        paths = [path for name in found for path in registry.entry(name).files_in(real.data).values()]
        return real, partial(_of_photographs, real, found), [found, [content(path) for path in paths]]
    from ..world import stimuli

    source = open_source(real.with_(name="mini"))
    inputs = [stimuli.drawings_digest(), source.state("things", list(DRAWN))]
    return real, partial(_of_drawings, source), inputs


def _packed(game: Game) -> dict:
    """A game as arrays."""
    text, pictures = json.dumps([game.data, game.about]), b"".join(game.thumbnails)
    return {"text": np.frombuffer(text.encode(), np.uint8), "pictures": np.frombuffer(pictures, np.uint8),
            "ends": np.cumsum([len(one) for one in game.thumbnails])}  # fmt: skip


def _unpacked(arrays: dict) -> Game:
    data, about = json.loads(arrays["text"].tobytes())
    pictures = np.split(arrays["pictures"], arrays["ends"])[:-1]
    return Game(data, tuple(one.tobytes() for one in pictures), about)


def _of_photographs(profile: Profile, found: list[str]) -> Game:
    pictures = registry.load(PHOTOGRAPHS, profile)
    sets = [registry.load(name, profile) for name in PEOPLE if name in found]
    networks, said = {}, []
    if NETWORKS[0] in found:
        networks["CLIP ViT-B/32"] = registry.load(NETWORKS[0], profile)
        said.append("CLIP saw the photographs that people judged")
    if NETWORKS[1] in found:
        networks["EfficientNet-Lite0"] = registry.load(NETWORKS[1], profile)["efficientnet_lite0", "logits"]
        said.append("EfficientNet-Lite0 saw those shown here")
    answers = with_networks(of_triplets(*sets, ids=pictures.ids), networks, pictures.ids)
    about = REAL_ABOUT.format(
        more=", and for one question also those of 160 people asked in 2025" if PEOPLE[3] in found else "",
        networks=f" {', '.join(said)}." if said else "",
    )
    return make(pictures, answers, labels=[_spoken(name) for name in pictures.ids], about=about)


def _spoken(name: str) -> str:
    """A name of THINGS in words: blanks for underscores, without the digit that tells two meanings apart."""
    return name.rstrip("0123456789").replace("_", " ")


def _of_drawings(source) -> Game:
    from ..data.types import Stimuli
    from ..world import stimuli

    asked = source.repeated("things")
    networks = {DRAWN[part.model]: part for part in source.features("things", ("penultimate",), list(DRAWN))}
    answers = with_networks(of_triplets(asked, ids=asked.ids), networks, asked.ids)
    pictures = Stimuli(asked.ids, stimuli.SOURCE, stimuli.LICENCE, _Drawn(asked.ids), asked.concepts)
    return make(pictures, answers, who=("simulated observer", "simulated observers"), about=DRAWN_ABOUT)


class _Drawn:
    """Drawings of the world in the size of thumbnails, each drawn when it is asked for."""

    def __init__(self, ids):
        self.ids = ids

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, row):
        from ..world import stimuli
        from . import SIDE

        return stimuli.picture(self.ids[row], SIDE, noise=False)[0]
