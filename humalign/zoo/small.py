"""The small networks of the drawn world as models like any other: their list ``zoo.toml``, weights and preprocessing.

Beside the networks of the list there are the two behind the teachers of the drawn world: the largest ResNet, trained
for longer. The networks of the list are trained alike, briefly, so that they can be compared; none of them is better
than the students, and a teacher has to be. ``teacher-web`` has seen noisy labels of all concepts (it plays the
web-scale network of the paper), ``teacher-seen`` only ever labels of the seen concepts. Training:
:mod:`humalign.world.train`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from ..edition import NOW
from ..errors import InputError, MissingData
from ..store import load_arrays, read_json
from .model import Model
from .preprocess import Preprocess

SIDE = NOW.side  # pixels
LIST = NOW.within(Path(__file__).parent) / "zoo.toml"
LAYERS = ("penultimate", "logits")
BATCH = 512  # pictures at a time; convolutions of other batches differ in the last digits
TEACHERS = {  # name: training set, epochs; both start from the weights of a network of the list
    "teacher-web": {"data": "web", "epochs": 8, "start": "softmax-resnet-l", "lr": 3e-3, "seed": 77},
    "teacher-seen": {"data": "taxonomy", "epochs": 16, "start": "softmax-resnet-l", "lr": 3e-3, "seed": 78},
}


# ---- the list --------------------------------------------------------------------------------------------------------


@cache
def zoo() -> dict[str, dict]:
    """The declarative list ``zoo.toml``: name to facts, defaults filled in, in the order of training."""
    table = tomllib.loads(LIST.read_text("utf8"))
    networks = {}
    for entry in table["network"]:
        spec = {**table["defaults"], **table["objective"].get(entry.get("objective", "softmax"), {}), **entry}
        family, _, size = spec["arch"].partition("-")
        spec |= {"family": (family := table["family"][family]), "size": size}
        spec["lr"] = entry.get("lr", table["learning_rate"].get(family, table["defaults"]["lr"]))
        spec["epochs"] *= table["epoch_factor"].get(family, 1)
        if spec["name"] in networks:
            raise InputError(f"'{spec['name']}' is listed twice", "zoo.toml", "rename one")
        networks[spec["name"]] = spec
    return networks


def spec(name: str) -> dict:
    """The entry of one network of the list; InputError for an unknown name."""
    if name not in zoo():
        raise InputError(
            f"no network of the mini zoo is called '{name}'", "zoo.toml", "'humalign world train --list' names all"
        )
    return zoo()[name]


def arch_of(name: str) -> str:
    """The architecture of a network of the list or of a teacher."""
    return spec(TEACHERS[name]["start"] if name in TEACHERS else name)["arch"]


def records_path() -> Path:
    """Table of all training runs that come with the package."""
    return NOW.within(Path(str(resources.files("humalign"))) / "recorded") / "mini_zoo_training.csv"


def records():
    """Facts of the training runs that come with the package: one row a network and seed (DataFrame)."""
    import pandas as pd

    return pd.read_csv(records_path()) if records_path().is_file() else pd.DataFrame(columns=["model", "seed"])


# ---- weights ---------------------------------------------------------------------------------------------------------


def weights_folder() -> Path:
    """Folder of the weights that come with the package."""
    return NOW.within(Path(str(resources.files(__package__).joinpath("weights"))))


def weights_path(name: str, seed: int = 0, profile=None) -> Path:
    """File with the weights of a network: in the package, else in the cache of the profile.

    Raises
    ------
    InputError
        For an unknown name.
    MissingData
        When it has not been trained here.
    """
    from ..config import get_profile

    file = f"{name}.safetensors" if name in TEACHERS else f"{spec(name)['name']}.s{seed}.safetensors"
    for folder in (weights_folder(), (profile or get_profile("mini")).cache / "zoo"):
        if (folder / file).is_file():
            return folder / file
    run = "" if name in TEACHERS else f", seed {seed}"
    raise MissingData("is not trained here", f"{name}{run}", command(name, seed))


def command(name: str, seed: int = 0) -> str:
    """The command that trains a network."""
    return f"humalign world train {name}" + ("" if name in TEACHERS else f" --seed {seed}")


def facts(name: str, seed: int = 0, profile=None) -> dict:
    """The side-car of a trained network: how it was trained, what it reached, ``sha256`` of its weights."""
    path = weights_path(name, seed, profile)
    return read_json(path.with_name(path.name + ".json"))


def trained(name: str, seed: int = 0, profile=None):
    """A trained network as a plain module, float32, in eval mode, on the CPU; every call gives one of its own.

    Parameters
    ----------
    name : str
        Name in ``zoo.toml`` or :data:`TEACHERS`.
    seed : int
        Which of its training runs (teachers have one).
    profile : Profile, optional
        Names the cache folder with networks that were trained here.

    Returns
    -------
    torch.nn.Sequential
        Layers ``encoder``, ``penultimate`` and, where there is a head, ``logits``; input as
        :class:`SmallPreprocess` gives it. Image/text networks have the joint embedding as ``logits``.
    """
    import torch

    from .architectures import build

    path = weights_path(name, seed, profile)
    arrays, meta = load_arrays(path)
    outputs = meta["outputs"] if meta.get("has_logits") else None
    with torch.random.fork_rng(devices=[]):
        network = build(arch_of(name), outputs, "" if name in TEACHERS else spec(name)["objective"])
    own = {key: torch.from_numpy(value) for key, value in arrays.items() if not key.startswith("text.")}
    lacking, strange = network.load_state_dict(own, strict=False)
    lacking = [key for key in lacking if not key.endswith("num_batches_tracked")]
    if lacking or strange:
        raise InputError("holds another architecture", path, command(name, seed))
    return network.float().eval().to(memory_format=torch.channels_last)


# ---- models ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SmallPreprocess(Preprocess):
    """The pixels of this world, values in [-1, 1], channels last: the arithmetic of training."""

    size: int = SIDE
    resize: int = SIDE
    squash: bool = True
    interpolation: str = "box"
    mean: tuple = (0.5,) * 3
    std: tuple = (0.5,) * 3
    source: str = "humalign.zoo.small"

    def arithmetic(self, batch):
        """As :meth:`Preprocess.arithmetic`, rounded as in training."""
        import torch

        x = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
        return x.contiguous(memory_format=torch.channels_last)


def model(network, name: str = "network", weights: str = "", frozen: bool = True) -> Model:
    """A small network as a model: its layers with a name, what it sees, and how many pictures at a time."""
    layers = {layer: layer for layer in LAYERS if hasattr(network, layer)}
    return Model(name, network, SmallPreprocess(), layers, weights, batch=BATCH, frozen=frozen)


def load(name: str, seed: int = 0, pretrained: bool = True, profile=None, head: bool = True) -> Model:
    """A network of the drawn world.

    Parameters
    ----------
    name : str
        Name in ``zoo.toml`` or :data:`TEACHERS`; ``NAME:RUN`` names the training run.
    seed : int
        Which of its training runs, where the name does not say; for ``pretrained=False`` the seed of the random weights
        (which have no logits).
    head : bool
        False gives a network that ends with its penultimate layer and can be trained.

    Raises
    ------
    MissingData
        When this run has not been trained here.
    """
    from .sources import seeded

    base, _, run = name.partition(":")
    if run and not run.isdigit():
        raise InputError("names no training run", name, f"write {base}:NUMBER")
    if pretrained:
        run = int(run or seed)
        if run and base in TEACHERS:
            raise InputError(f"has one training run, not {run}", name, "leave the seed out")
        network, said = trained(base, run, profile), f"humalign.world, seed {run}"
        network = network if head else network[:2]
    else:
        from .architectures import build

        with seeded(seed):
            network, said = build(arch_of(base)), f"untrained, seed {seed}"
    return model(network, name, said, frozen=head)
