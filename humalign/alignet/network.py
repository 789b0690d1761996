"""The networks behind the teachers of the drawn world: the largest ResNet of the mini zoo, trained for longer.

The zoo's networks are trained alike, briefly, so that they can be compared; none of them is better than the students. A
teacher has to be. ``teacher-web`` has seen noisy labels of all concepts (it plays the web-scale network of the paper);
``teacher-seen`` has only ever seen labels of the seen concepts.
"""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingData
from ..store import digest, load_arrays, save_arrays

NETWORKS = {  # name: training set, epochs; both start from the weights of a network of the zoo
    "teacher-web": {"data": "web", "epochs": 8, "start": "softmax-resnet-l", "lr": 3e-3, "seed": 77},
    "teacher-seen": {"data": "taxonomy", "epochs": 16, "start": "softmax-resnet-l", "lr": 3e-3, "seed": 78},
}
OBJECTIVE = "sigmoid"
VERSION = 1


def folder() -> Path:
    """Where the weights lie that come with the package."""
    return Path(str(resources.files("humalign.alignet").joinpath("weights")))


def spec(name: str) -> dict:
    """How a teacher network is trained; InputError for an unknown name."""
    if name not in NETWORKS:
        raise InputError(f"no teacher network is called '{name}'", "teacher", f"choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def path(name: str, profile=None) -> Path:
    """File with its weights: in the package, else in the cache of the profile; MissingData when there is none."""
    from ..config import get_profile

    spec(name)
    for place in (folder(), (profile or get_profile("mini")).cache / "alignet"):
        if (place / f"{name}.safetensors").is_file():
            return place / f"{name}.safetensors"
    raise MissingData("is not trained here", name, f"python -m humalign.alignet.network {name}")


def sha256(name: str, profile=None) -> str:
    """Checksum of its weights."""
    return load_arrays(path(name, profile))[1]["sha256"]


def load(name: str, profile=None):
    """The network in eval mode, layers ``encoder`` and ``penultimate``; every call gives one of its own."""
    import torch

    from ..world import networks

    arrays, _ = load_arrays(path(name, profile))
    network = networks.build(networks.spec(spec(name)["start"])["arch"])
    own = network.state_dict()
    missing = [k for k in own if k not in arrays and not k.endswith("num_batches_tracked")]
    if missing:
        raise InputError(
            "holds another architecture", path(name, profile), f"python -m humalign.alignet.network {name}"
        )
    network.load_state_dict({k: torch.from_numpy(np.array(v)).float() for k, v in arrays.items()}, strict=False)
    return network.eval().to(memory_format=torch.channels_last)


def train(name: str, profile=None, out=None, say=None) -> Path:
    """Train a teacher network; an interrupted training goes on after its last epoch.

    Parameters
    ----------
    name : str
        Key of :data:`NETWORKS`.
    out : path, optional
        Folder for the weights (default: the cache of the profile).
    say : callable, optional
        Progress, as :func:`humalign.world.train.fit` reports it.
    """
    import torch

    from ..config import get_profile
    from ..world import networks
    from ..world.objectives import make
    from ..world.stimuli import drawings_digest
    from ..world.train import fit, training_data

    plan, profile = spec(name), profile or get_profile("mini")
    images, targets, labels = training_data(plan["data"], profile)
    start = networks.load(plan["start"], 0, profile)
    torch.manual_seed(plan["seed"])
    objective = make(OBJECTIVE, networks.encoder(networks.spec(plan["start"])["arch"])[1], len(labels))
    key = digest(
        "teacher network", VERSION, plan, drawings_digest(), networks.facts(plan["start"], 0, profile)["sha256"]
    )
    checkpoint = profile.cache / "alignet" / f"{name}.checkpoint.safetensors"
    rest = {"lr": plan["lr"], "seed": plan["seed"], "weight_decay": 0.02, "checkpoint": checkpoint, "key": key}
    losses = fit(start.encoder, objective, images, targets, epochs=plan["epochs"], progress=say, **rest)
    network = networks.assemble(start.encoder, None)
    arrays = {k: v.half().numpy() if v.is_floating_point() else v.numpy() for k, v in network.state_dict().items()}
    target = Path(out) if out else profile.cache / "alignet"
    meta = {"name": name, **plan, "objective": OBJECTIVE, "key": key, "losses": losses, "pictures": len(images)}
    return save_arrays(target / f"{name}.safetensors", arrays, meta)


def main(argv=None) -> int:
    """``python -m humalign.alignet.network NAME ...``: train teacher networks into the package."""
    import sys

    import torch

    torch.set_num_threads(1)
    for name in argv or sys.argv[1:] or list(NETWORKS):
        print(train(name, out=folder(), say=partial(print, name, flush=True)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
