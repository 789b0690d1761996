"""From a name to a network: keys of the table, mini names, other libraries' names and weights files."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..config import get_profile
from ..errors import InputError, MissingData
from . import facts
from .model import Model, Request
from .preprocess import chosen

PREFIXES = ("timm", "open_clip", "torchvision", "mini")
WEIGHT_FILES = (".safetensors", ".npz", ".pth", ".pt", ".bin", ".tar", ".torch")


def load(
    name: str,
    pretrained: bool = True,
    checkpoint=None,
    *,
    preprocess=None,
    seed: int = 0,
    profile=None,
    head: bool = True,
    side: int | None = None,
) -> Model:
    """Load a network.

    Parameters
    ----------
    name : str
        A key of :func:`humalign.zoo.table` (``resnet50``, ``clip_ViT-B/32``), the name of a mini network,
        ``timm:NAME``, ``open_clip:ARCH/TAG``, ``torchvision:NAME``, ``mini:NAME[:SEED]``, or a weights file whose
        architecture can be told.
    pretrained : bool
        False builds it with random weights (``seed``).
    checkpoint : path, optional
        Weights from this file instead of the published ones.
    preprocess : str or Preprocess, optional
        "own" (default), "paper1" (256, crop 224) or "alignet" (OpenCV cubic, values in [0, 1]).
    seed : int
        Of the random weights, and which seed of a mini network whose name says none.
    profile : Profile, optional
        Names the folders with real data and with networks that were trained here (default: from the environment).
    head : bool
        False gives a network that ends with its features, (n, size, size) pictures to (n, width), and can be trained.
    side : int, optional
        Input size in pixels, for networks that allow another one; without a head only.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        For an unknown name (with the nearest ones), a network without public weights, a file that does not fit, or a
        network that cannot be had without its head.
    MissingData
        When weights are not on this machine and cannot be downloaded.
    """
    name = str(name)
    source = name.partition(":")[0]
    ask = Request(pretrained, checkpoint, seed, head, side, profile)
    if source in PREFIXES and ":" in name:
        _meaningful(name, ask, drawn=source == "mini")
        return _finish(_build(name, name, ask), {}, preprocess)
    row = facts.facts_of(name)
    alone = row is None and Path(name).suffix in WEIGHT_FILES
    if row is None and not alone:
        raise unknown(name)
    _meaningful(name, ask, drawn=row is not None and row["source"] == "mini", alone=alone)
    if alone:
        return _finish(from_file(name, head), {}, preprocess)
    own = row["source"] == "mini"
    loader = f"mini:{row['model']}" if own else row["loader"]
    if not loader or (pretrained and not checkpoint and not row["public"] and "savedmodel:" not in loader):
        stand_in = f"; nearest public network: {row['stand_in']}" if row["stand_in"] else ""
        raise MissingData("has no public weights", row["model"], f"give its features as a file{stand_in}")
    model = _build(loader, row["model"], ask)
    if head and not own and not loader.startswith("savedmodel:"):  # these know their layers themselves
        if row["penultimate"]:
            model.layers["penultimate"] = row["penultimate"]
        if row["logits"]:
            model.layers["logits"] = row["logits"]
        elif row["group"] == "Self-Supervised":
            model.layers.pop("logits", None)
    return _finish(model, row, preprocess)


def weights_here(name: str, profile=None) -> Path | None:
    """The weights of a network that comes in a Python package or lies in the data folder; None where they are not here.

    Parameters
    ----------
    name : str
        A key of :func:`humalign.zoo.table`.
    profile : Profile, optional
        Names the data folder (default: from the environment).
    """
    from . import checkpoints

    source, _, rest = ((facts.facts_of(name) or {}).get("loader") or "").partition(":")
    wanted = rest.partition("|")[2]
    if source == "package":
        try:
            return checkpoints.in_package(wanted, name)
        except MissingData:
            return None
    if source == "slice":
        root = (profile or get_profile()).data
        return root / wanted if root is not None and (root / wanted).is_file() else None
    return None


def _meaningful(name: str, ask: Request, drawn: bool, alone: bool = False) -> None:
    """InputError for what was asked for and has no meaning: it would be passed over in silence."""
    if not ask.pretrained and ask.checkpoint is not None:
        raise InputError("starts from random weights or from a file, not both", name, "leave one of them out")
    if alone and (ask.checkpoint is not None or not ask.pretrained):
        raise InputError("is a weights file itself", name, "leave the other weights out")
    if ask.seed and ask.pretrained and not drawn:
        raise InputError(f"seed {ask.seed} has no meaning for given weights", name, "leave it out")
    run = name.rpartition(":")[2] if drawn else ""
    if run.isdigit() and (not ask.pretrained or ask.seed not in (0, int(run))):
        raise InputError("names a training run, and something else is asked for", name, "leave one of them out")


def _build(loader: str, name: str, ask: Request) -> Model:
    from . import loss_study, published, savedmodel, sources

    source, _, rest = loader.partition(":")
    if source == "mini":
        from . import small

        if ask.checkpoint is not None:
            raise InputError("takes no weights file", name, "its weights come with the package")
        model = small.load(rest, ask.seed, ask.pretrained, ask.profile, ask.head)
        model.name = name
        return model
    fetched = {"savedmodel": savedmodel.load, "losses": loss_study.load, "augreg": published.augreg}
    return {**sources.SOURCES, **fetched}[source](rest, name, ask)


def _finish(model: Model, row: dict, preprocess) -> Model:
    model.facts = row
    model.preprocess = chosen(preprocess, model.preprocess)
    return model


def unknown(name: str) -> InputError:
    """The error for a name that nothing answers to, with the nearest names."""
    keys = facts.keys()
    folded = {k.lower(): k for k in keys}
    near = difflib.get_close_matches(name.lower(), folded, n=4, cutoff=0.5)
    near = [folded[n] for n in near] or [k for k in keys if name.lower() in k.lower()][:4]
    told = f"nearest: {', '.join(near)}; " if near else ""
    return InputError(
        f"no network is called '{name}'",
        None,
        f"{told}'humalign models' lists all; timm:NAME, open_clip:ARCH/TAG and torchvision:NAME work too",
    )


def from_file(path, head: bool = True) -> Model:
    """A weights file alone: names and shapes inside tell its architecture (torchvision architectures only)."""
    from . import checkpoints, sources  # isort: skip  (sources makes torchvision importable everywhere)
    from torchvision import models

    state = checkpoints.state_dict(checkpoints.read(path), path)
    best, score = None, 0.0
    for arch in sorted(
        {
            r["loader"].partition(":")[2].partition("?")[0]
            for r in facts.rows()
            if r["loader"].startswith("torchvision:")
        }
    ):
        import torch

        with torch.device("meta"):
            own = models.get_model(arch, weights=None).state_dict()
        found = checkpoints.renamed(state, own)
        body = [k for k in own if not checkpoints.HEADS.match(k) and not k.endswith("num_batches_tracked")]
        fits = sum(k in found and found[k].shape == own[k].shape for k in body) / len(body)
        fits *= sum(k in own for k in found) / len(found)
        if fits > score:
            best, score = arch, fits
    if best is None or score < 0.8:
        raise InputError(
            "its architecture cannot be told from the names inside",
            path,
            "name it: torchvision:NAME or timm:NAME with --checkpoint FILE",
        )
    model = sources.torchvision(best, Path(path).stem, Request(False, path, head=head))
    missing = [k for k in ("fc.weight", "classifier.6.weight", "heads.head.weight") if k in model.module.state_dict()]
    has_head = any(k in checkpoints.renamed(state, model.module.state_dict()) for k in missing)
    if missing and not has_head:
        model.layers.pop("logits", None)
    return model
