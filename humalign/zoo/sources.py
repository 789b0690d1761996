"""How a network is built: torchvision, timm, open_clip, weights by address, in a Python package, in the data folder."""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path

from .. import compat  # noqa: F401  (before timm, open_clip and torchvision)
from ..errors import InputError, MissingData
from . import checkpoints, hub
from . import preprocess as pre
from .model import Model, Request

LAST = ("fc", "heads", "head", "classifier", "last_linear")


def _nearest(name: str, known, where: str, remedy: str = "") -> InputError:
    near = (
        difflib.get_close_matches(name, known, n=4, cutoff=0.5) or [k for k in known if name.lower() in k.lower()][:4]
    )
    told = f"nearest: {', '.join(near)}" if near else remedy or f"for instance {', '.join(list(known)[:3])}"
    return InputError(f"no network is called '{name}'", where, told)


@contextlib.contextmanager
def seeded(seed: int):
    """Torch's random state set for the block and put back after it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _last_linear(module) -> str | None:
    """Name of the classifier: the last linear layer (or 1 x 1 convolution) of the module."""
    from torch import nn

    names = [
        n for n, m in module.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d)) and n.partition(".")[0] in LAST
    ]
    return names[-1] if names else None


def generic_layers(module) -> dict:
    """Penultimate (input of the classifier) and logits (its output) of any classification network."""
    name = getattr(module, "default_cfg", {}).get("classifier") if hasattr(module, "default_cfg") else None
    known = dict(module.named_modules())
    if isinstance(name, (tuple, list)):
        name = name[0]
    if name not in known or not any(True for _ in known[name].parameters(False)):
        name = _last_linear(module)
    if name is not None:
        pool = ":gap" if known[name].__class__.__name__ == "Conv2d" else ""
        return {"penultimate": f"{name}@in{pool}", "logits": f"{name}{pool}"}
    tail = [n for n in ("head_drop", "fc_norm", "norm", "global_pool", "avgpool", "pre_logits") if n in known]
    return {"penultimate": tail[0]} if tail else {}


def torchvision_weights(name: str, tag: str = "DEFAULT"):
    """The weights entry ``tag`` of a torchvision network."""
    from torchvision.models import get_model_weights

    entries = get_model_weights(name)
    if tag == "DEFAULT":
        return entries.DEFAULT
    if tag not in entries.__members__:
        raise InputError(
            f"has no weights called '{tag}'", f"torchvision:{name}", f"it has {', '.join(entries.__members__)}"
        )
    return entries[tag]


def without_head(module):
    """The module with its classifier taken off: it gives the features that the classifier saw."""
    from torch import nn

    name = _last_linear(module)
    if name is not None:
        parent, _, child = name.rpartition(".")
        if isinstance(module.get_submodule(name), nn.Conv2d):  # SqueezeNet: convolution, then the mean over positions
            setattr(module, name.partition(".")[0], nn.AdaptiveAvgPool2d(1))
        else:
            setattr(module.get_submodule(parent), child, nn.Identity())
    return module


def as_asked(name: str, module, preprocess, layers: dict, said: str, ask: Request) -> Model:
    """A model as it is asked for: with its layers, or without its head and with the wanted side."""
    if ask.head:
        return Model(name, module, preprocess, layers, said)
    if ask.side:
        preprocess = preprocess.with_(size=ask.side, resize=ask.side)
    return Model(name, module, preprocess, {}, said, frozen=False)


def torchvision(rest: str, name: str, ask: Request) -> Model:
    """``torchvision:NAME[?weights=TAG]``; the tag "none" stands for random weights, whatever is asked."""
    from torchvision import models

    arch, _, query = rest.partition("?")
    tag = query.removeprefix("weights=") or "DEFAULT"
    known = models.list_models(module=models)
    if arch not in known:
        raise _nearest(arch, known, "torchvision")
    random = tag == "none"
    weights = torchvision_weights(arch, "DEFAULT" if random else tag)
    options = {"num_classes": n} if ask.checkpoint and (n := checkpoints.classes_of(ask.checkpoint)) else {}
    module, said = _of_torchvision(arch, ask, **options), f"untrained, seed {ask.seed}"
    if ask.checkpoint:
        checkpoints.load_into(module, ask.checkpoint, arch)
        said = Path(ask.checkpoint).name
    elif ask.pretrained and not random:
        file = weights.url.rpartition("/")[2]
        checkpoints.load_into(
            module, checkpoints.fetch(weights.url, file, file.rpartition("-")[2].partition(".")[0]), arch
        )
        said = str(weights)
    layers = generic_layers(module)
    module = module if ask.head else without_head(module)
    return as_asked(name, module, pre.of_torchvision(weights), layers, said, ask)


def _of_torchvision(arch: str, ask: Request, **options):
    import warnings

    from torchvision import models

    with seeded(ask.seed), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The default weight initialization")
        return models.get_model(arch, weights=None, **options)


def by_address(rest: str, name: str, ask: Request) -> Model:
    """``url:ARCH[+CLASSES]|ADDRESS``: a torchvision architecture with weights from elsewhere (VISSL, Ecoset ...)."""
    from torch import nn

    arch, _, url = rest.partition("|")
    arch, _, classes = arch.partition("+")
    module = _of_torchvision(arch, ask, **({"num_classes": int(classes)} if classes else {}))
    if not classes:  # self-supervised: there is no classifier
        module.fc = nn.Identity()
    said = f"untrained, seed {ask.seed}"
    if ask.checkpoint or ask.pretrained:
        file = f"humalign-{name.replace('/', '_')}{Path(url).suffix or '.pth'}"
        path = ask.checkpoint or checkpoints.fetch(url, file)
        checkpoints.load_into(module, path, arch)
        said = Path(path).name if ask.checkpoint else url
    layers = generic_layers(module) if classes else {"penultimate": "avgpool"}
    module = module if ask.head or not classes else without_head(module)
    return as_asked(name, module, pre.THINGSVISION, layers, said, ask)


def _options(query: str, name: str) -> dict:
    """Options behind the question mark of a name: whole numbers or words."""
    parts = [part.partition("=") for part in query.split("&") if part]
    if wrong := ["".join(part) for part in parts if not (part[0] and part[1])]:
        raise InputError(f"'{wrong[0]}' is no option", name, "write timm:NAME?option=value")
    return {key: int(value) if value.isdigit() else value for key, _, value in parts}


def timm(rest: str, name: str, ask: Request) -> Model:
    """``timm:NAME[?option=value&...]``; options go to ``timm.create_model`` (img_size, act_layer)."""
    import timm as library

    arch, _, query = rest.partition("?")
    options = _options(query, name)
    base, _, tag = arch.partition(".")
    if not library.is_model(base):
        raise _nearest(arch, library.list_models(), "timm")
    tags = [n.partition(".")[2] for n in library.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        raise InputError(f"has no weights called '{tag}'", f"timm:{base}", f"it has {', '.join(tags[:6]) or 'none'}")
    if not ask.head:
        options["num_classes"] = 0
    elif ask.checkpoint and (n := checkpoints.classes_of(ask.checkpoint)):
        options["num_classes"] = n
    if ask.published and not tags:
        raise MissingData("timm has no trained weights for it", f"timm:{base}", "use --untrained or --checkpoint FILE")
    sides = [{"img_size": ask.side}, {}] if ask.side else [{}]  # convolutional networks take no img_size
    try:
        with seeded(ask.seed), hub.weights(f"timm:{arch}", ask.published):
            for k, side in enumerate(sides, 1):
                try:
                    module = library.create_model(arch, pretrained=ask.published, **options, **side)
                    break
                except TypeError:
                    if k == len(sides):
                        raise
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"timm cannot build it ({hub.short(error)})", name, "check its options") from None
    said = f"timm {arch}" if ask.published else f"untrained, seed {ask.seed}"
    if ask.checkpoint:
        checkpoints.load_into(module, ask.checkpoint, arch)
        said = Path(ask.checkpoint).name
    return as_asked(name, module, pre.of_timm(module), generic_layers(module), said, ask)


def image_tower(visual):
    """A module whose ``visual`` is the image side of an image/text network; its output is the joint embedding."""
    from torch import nn

    class ImageTower(nn.Module):
        def __init__(self):
            super().__init__()
            self.visual = visual

        def forward(self, x):
            out = self.visual(x)
            return out[0] if isinstance(out, (tuple, list)) else out

    return ImageTower()


def load_visual(visual, checkpoint, arch: str) -> None:
    """Load the image side of an open_clip network from a file of the whole network or of that side alone."""
    state = checkpoints.state_dict(checkpoints.read(checkpoint), checkpoint)
    state = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")} or state
    own = visual.state_dict()
    for name in sorted(own):
        if name not in state or state[name].shape != own[name].shape:
            lost = "has no" if name not in state else f"has another shape {tuple(state[name].shape)} of"
            raise InputError(f"{lost} 'visual.{name}' of the architecture {arch}", checkpoint, "check the architecture")
    visual.load_state_dict({name: state[name] for name in own})


def open_clip(rest: str, name: str, ask: Request) -> Model:
    """``open_clip:ARCH/TAG``; the text tower is dropped."""
    import open_clip as library
    import torch

    arch, _, tag = rest.partition("/")
    if arch not in library.list_models():
        raise _nearest(arch, library.list_models(), "open_clip", "write open_clip:ARCH/TAG")
    tags = library.list_pretrained_tags_by_model(arch)
    if tag and tag not in tags:
        raise InputError(
            f"has no weights called '{tag}'", f"open_clip:{arch}", f"it has {', '.join(tags[:6]) or 'none'}"
        )
    if ask.published and not tag:
        raise InputError(
            "names no weights", f"open_clip:{arch}", f"write open_clip:{arch}/TAG; it has {', '.join(tags[:6])}"
        )
    options = {"force_image_size": ask.side} if ask.side else {}
    try:
        with seeded(ask.seed), hub.weights(f"open_clip:{rest}", ask.published):
            whole = library.create_model(
                arch,
                pretrained=tag if ask.published else None,
                load_weights=ask.published,
                device=torch.get_default_device(),
                **options,
            )
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"open_clip cannot build it ({hub.short(error)})", name, "check the name") from None
    said = f"open_clip {rest}" if ask.published else f"untrained, seed {ask.seed}"
    if ask.checkpoint:
        load_visual(whole.visual, ask.checkpoint, arch)
        said = Path(ask.checkpoint).name
    layers = {"penultimate": "visual", "logits": "visual"}
    module = image_tower(whole.visual) if ask.head else whole.visual
    return as_asked(name, module, pre.of_open_clip(whole.visual, arch), layers, said, ask)


def package(rest: str, name: str, ask: Request) -> Model:
    """``package:ARCH|PACKAGE==VERSION``: an architecture of timm with weights that a Python package brings along.

    Raises
    ------
    MissingData
        When the package is not installed; the line names the command.
    """
    import timm as library

    arch, _, wanted = rest.partition("|")
    with seeded(ask.seed):
        module = library.create_model(arch, pretrained=False)
    said = f"untrained, seed {ask.seed}"
    if ask.checkpoint:
        checkpoints.load_into(module, ask.checkpoint, arch)
        said = Path(ask.checkpoint).name
    elif ask.pretrained:
        path = checkpoints.in_package(wanted, name)
        checkpoints.load_in_order(module, path, arch)
        said = path.name
    layers, side = generic_layers(module), int(module.pretrained_cfg["input_size"][-1])
    module = module if ask.head else without_head(module)
    return as_asked(name, module, pre.efficientnet_lite(side), layers, said, ask)


def slice_file(rest: str, name: str, ask: Request) -> Model:
    """``slice:ARCH|FILE``: a torchvision architecture with weights from the data folder (SqueezeNet 1.0 from Caffe)."""
    arch, _, file = rest.partition("|")
    module, said = _of_torchvision(arch, ask), f"untrained, seed {ask.seed}"
    if ask.pretrained or ask.checkpoint:
        from ..config import get_profile

        root = (ask.profile or get_profile()).data
        if not ask.checkpoint and root is None:
            raise MissingData(
                "its weights lie in the data folder", name, "set HUMALIGN_DATA or --data, or use --checkpoint FILE"
            )
        path = Path(ask.checkpoint) if ask.checkpoint else root / file
        checkpoints.load_into(module, path, arch)
        said = path.name
    # features.12 is the last fire module; the classifier is a 1 x 1 convolution, averaged over positions
    layers = {"penultimate": "features:gap", "logits": "classifier"}
    module = module if ask.head else without_head(module)
    return as_asked(name, module, pre.CAFFE_SQUEEZENET, layers, said, ask)


SOURCES = {
    "torchvision": torchvision,
    "timm": timm,
    "open_clip": open_clip,
    "url": by_address,
    "package": package,
    "slice": slice_file,
}
