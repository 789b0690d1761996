"""Published weights that the package fetches itself: AligNet's archives, the loss functions' and AugReg's networks.

They lie in ``weights/`` of the data folder, as they were published.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from ..data.entry_types import Download
from ..errors import InputError, MissingData
from .model import Model, Request

GOOGLE = "https://storage.googleapis.com"
ALIGNET, LOSSES, AUGREG = "weights/alignet", "weights/losses", "weights/augreg"
SIZES = {"SigLIP2-B-alignet": 350866208}
LICENCES = {"ViT-B": "CC-BY-4.0", "Scratch-B": "CC-BY-4.0", "CLIP-ViT-B": "MIT"}  # the others: Apache-2.0
SPELLINGS = {"CLIP-ViT-B": "CLIP-Vit-B"}  # the authors' page has the second one
INDEX = Download(f"{GOOGLE}/vit_models/augreg/index.csv", f"{AUGREG}/index.csv")
PORT = Download(  # SigLIP2-B + AligNet as others converted it, to compare with
    "https://github.com/ViCCo-Group/dimpred/releases/download/alignet-weights-v1/alignet_siglip2_b.safetensors",
    f"{ALIGNET}/alignet_siglip2_b.safetensors",
    checksum="sha256:2ce461e04ac11271c736d32477d873f7d14fe6932c73d8757fec2854c6482647",
    size=377786744,
)
PORTED = "SigLIP2-B-alignet"


def _student(archive: str) -> str:
    """``SigLIP2-B`` of ``SigLIP2-B-base_model``."""
    return archive.rpartition("-")[0]


def _spellings(archive: str) -> list[str]:
    """Names of an archive, the usual one first."""
    student = _student(archive)
    return [archive, *([archive.replace(student, SPELLINGS[student])] if student in SPELLINGS else [])]


def downloads(loader: str) -> tuple[Download, ...]:
    """What has to be fetched for a loader of the table of networks before it can be used; () for nothing."""
    source, _, rest = loader.partition(":")
    if source == "savedmodel" and "|" in rest:
        archive = rest.partition("|")[2]
        url, *mirrors = [f"{GOOGLE}/alignet/models/{name}.tar.gz" for name in _spellings(archive)]
        return (Download(url, ALIGNET, tuple(mirrors), unpack=True, size=SIZES.get(archive, 350_000_000)),)
    if source == "losses":
        place = f"{rest}/seed0/model.ckpt"
        return tuple(
            Download(f"{GOOGLE}/gresearch/loss_functions_transfer/checkpoints/{place}{end}", f"{LOSSES}/{place}{end}")
            for end in (".index", ".data-00000-of-00001")
        )
    return (INDEX,) if source == "augreg" else ()


def licence(loader: str) -> str:
    """The licence of what :func:`downloads` names."""
    return LICENCES.get(_student(loader.partition("|")[2]), "Apache-2.0")


# ---- where they lie --------------------------------------------------------------------------------------------------


def _root(profile, name: str) -> Path:
    from ..config import get_profile

    root = (profile or get_profile()).data
    if root is None:
        raise MissingData(
            "its weights lie in the data folder", name, "set HUMALIGN_DATA or --data, or use --checkpoint FILE"
        )
    return Path(root)


def _remedy(name: str) -> str:
    from . import facts

    stand_in = (facts.facts_of(name) or {}).get("stand_in")
    return f"humalign models fetch '{name}'" + (f"; nearest public network: {stand_in}" if stand_in else "")


def saved_model(archive: str, profile, name: str) -> Path:
    """The folder of an unpacked archive of AligNet.

    Raises
    ------
    MissingData
        When it was not fetched.
    """
    root = _root(profile, name) / ALIGNET
    for spelling in _spellings(archive):
        found = sorted(path.parent for path in (root / spelling).rglob("saved_model.pb"))
        if found:
            return found[0]
    raise MissingData("is not on this machine", root / archive, _remedy(name))


def loss_checkpoint(loss: str, profile, name: str) -> Path:
    """The prefix of a checkpoint of the loss functions' networks."""
    prefix = _root(profile, name) / f"{LOSSES}/{loss}/seed0/model.ckpt"
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        raise MissingData("is not on this machine", prefix, _remedy(name))
    return prefix


def augreg_file(index, name: str, ds: str, accuracy: float) -> str:
    """The file of an AugReg network, found in their index by what the paper says of it.

    Parameters
    ----------
    index : path
        Their index.csv.
    name, ds : str
        As the index has them ("B/16"; "i1k" or "i21k": what it was trained on first).
    accuracy : float
        ImageNet accuracy of the network adapted at 224 pixels, a share or per cent, to three digits of per cent.

    Raises
    ------
    InputError
        When no row, or more than one, fits.
    """
    from ..data import files as read

    columns = ("name", "ds", "adapt_ds", "adapt_resolution", "adapt_final_test", "adapt_filename")
    try:
        rows = list(csv.DictReader(read.read_lines(index)))
        if not rows or not set(columns) <= set(rows[0]):
            raise ValueError(f"it lacks columns, of {', '.join(columns)}")
        wanted = accuracy if accuracy <= 1 else accuracy / 100
        found = {
            row["adapt_filename"]
            for row in rows
            if (row["name"], row["ds"], row["adapt_ds"]) == (name, ds, "imagenet2012")
            and float(row["adapt_resolution"]) == 224
            and abs(float(row["adapt_final_test"]) - wanted) < 6e-6
        }
    except (ValueError, TypeError) as error:
        raise InputError(f"is not the index of AugReg ({error})", index, read.AGAIN) from None
    if len(found) != 1:
        raise InputError(
            f"lists {len(found) or 'no'} networks {name}, {ds}, with the accuracy {wanted:.3%} at 224 pixels", index,
            "use the stand-in that 'humalign models' names",
        )  # fmt: skip
    return found.pop()


def _augreg(rest: str, accuracy, root: Path) -> Download:
    """The weights of ``ARCH|NAME|DS``, once the index is there."""
    _, name, ds = rest.split("|")
    file = augreg_file(root / INDEX.path, name, ds, accuracy)
    if "/" in file or file.startswith("."):
        raise InputError(f"names the file '{file[:60]}'", root / INDEX.path, "fetch the index again")
    return Download(f"{INDEX.url.rpartition('/')[0]}/{file}.npz", f"{AUGREG}/{file}.npz")


def augreg(rest: str, name: str, ask: Request) -> Model:
    """``augreg:ARCH|NAME|DS``: a vision transformer of timm with the weights that AugReg's index names."""
    from . import facts
    from .checkpoints import read as read_arrays
    from .sources import timm as of_timm

    arch = rest.partition("|")[0]
    model = of_timm(f"{arch}?num_classes=1000", name, replace(ask, pretrained=False, checkpoint=None))
    if ask.checkpoint or ask.pretrained:
        path = ask.checkpoint
        if not path:
            root = _root(ask.profile, name)
            if not (root / INDEX.path).is_file():
                raise MissingData("is not on this machine", root / INDEX.path, _remedy(name))
            path = root / _augreg(rest, facts.facts_of(name)["reference_accuracy"], root).path
            if not path.is_file():
                raise MissingData("is not on this machine", path, _remedy(name))
        _load_augreg(model.module, path, read_arrays(path))
        model.weights = Path(path).name
    return model


def _load_augreg(module, path, arrays) -> None:
    """timm's own reader, after the shapes were looked at (it passes over a head that does not fit)."""
    head = arrays.get("head/kernel")
    if head is None or tuple(head.shape) != (module.num_features, 1000):
        raise InputError("has no head for 1,000 classes of this width", path, "check the architecture")
    try:
        module.load_pretrained(str(path))
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"does not fit the architecture ({told})", path, "check the architecture") from None


# ---- fetching --------------------------------------------------------------------------------------------------------

FAMILIES = {"alignet": "savedmodel:", "losses": "losses:", "augreg": "augreg:"}


def chosen(names) -> list[dict]:
    """Rows of the table for names of networks or of families (alignet, losses, augreg)."""
    from . import facts
    from .loading import unknown

    rows = []
    for name in names:
        if name in FAMILIES:
            rows += [row for row in facts.rows() if row["loader"].startswith(FAMILIES[name]) and row["public"]]
            continue
        row = facts.facts_of(name)
        if row is None:
            raise unknown(name)
        if not downloads(row["loader"] or ""):
            how = "its weights come on first use" if row["public"] else "it has no public weights"
            raise InputError("is not fetched this way", name, f"{how}; families are {', '.join(FAMILIES)}")
        rows.append(row)
    return list({row["model"]: row for row in rows}.values())


def _here(row: dict, profile) -> bool:
    """Whether the weights of a network lie there."""
    source, _, rest = row["loader"].partition(":")
    try:
        if source == "savedmodel":
            saved_model(rest.partition("|")[2], profile, row["model"])
        elif source == "losses":
            return all((Path(profile.data) / item.path).is_file() for item in downloads(row["loader"]))
        else:
            root = Path(profile.data)
            return (root / _augreg(rest, row["reference_accuracy"], root).path).is_file()
    except InputError:
        return False
    return True


def fetch(names, profile, ask=None, say=print, progress: bool = True, port: bool = False) -> bool:
    """Fetch published weights into the data folder and load each network once.

    Parameters
    ----------
    names : sequence of str
        Networks, or families: alignet, losses, augreg.
    profile : Profile
    ask, say, progress
        As for :func:`humalign.data.fetch.fetch`.
    port : bool
        Also get the PyTorch port of SigLIP2-B + AligNet, to compare the converted tensors with.

    Returns
    -------
    bool
        Whether all are there and fit.
    """
    from ..data.fetch import get

    rows = chosen(names)
    root = _root(profile, " ".join(names))
    if any(row["loader"].startswith("augreg:") for row in rows) and not (root / INDEX.path).is_file():
        get([INDEX], root, None, say, progress)
    wanted, fine = [], True
    for row in rows:
        if _here(row, profile):
            continue
        try:
            rest = row["loader"].partition(":")[2]
            augmented = row["loader"].startswith("augreg:")
            items = (_augreg(rest, row["reference_accuracy"], root),) if augmented else downloads(row["loader"])
        except InputError as error:
            say(f"  {row['model']}: {error}")
            fine = False
            continue
        say(f"{row['model']}: {row['name']}, licence {licence(row['loader'])}")
        wanted += items
    if port and not (root / PORT.path).is_file():
        wanted.append(PORT)
    if wanted and not get(wanted, root, ask, say, progress):
        return False
    return all([_fits(row, profile, say) for row in rows if fine or _here(row, profile)]) and fine


def _fits(row: dict, profile, say) -> bool:
    """Load a network once and say whether it fits, and what of it others' conversion confirms."""
    from . import load

    try:
        model = load(row["model"], profile=profile)
        told = f"{sum(p.numel() for p in model.module.parameters()) / 1e6:.1f} million parameters"
        port = Path(profile.data) / PORT.path
        if row["loader"].endswith(f"|{PORTED}") and port.is_file():
            told += f", {agreement(model.module, port)}"
    except InputError as error:
        say(f"  {row['model']}: {error}")
        return False
    say(f"  {row['model']}: fits, {told}")
    return True


def agreement(module, port) -> str:
    """How a converted SigLIP2-B agrees with the public PyTorch port, in words.

    Raises
    ------
    InputError
        When a tensor differs.
    """
    import torch

    from .checkpoints import read

    theirs = {k.removeprefix("encoder."): v for k, v in read(port).items() if k.startswith("encoder.")}
    ours = {k: v for k, v in module.state_dict().items() if not k.startswith("head.")}
    both = theirs.keys() & ours.keys()
    wrong = (theirs.keys() ^ ours.keys()) | {name for name in both if not torch.equal(ours[name], theirs[name])}
    if wrong:
        raise InputError(
            f"differs from the public port in {len(wrong)} of {len(ours)} tensors, first {min(wrong)}", port,
            "one of the two files is damaged, or the order of the variables is another",
        )  # fmt: skip
    return f"all {len(ours)} tensors equal those of the public port"
