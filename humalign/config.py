"""The profile: where data, products and devices are; read once, passed explicitly."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from .edition import NOW
from .errors import InputError

PROFILES = ("mini", "slice", "full")
OWN = "own"  # name of the profile that a folder with studies of its owner is


@dataclass(frozen=True)
class Profile:
    """One source of data for the one code.

    Attributes
    ----------
    name : {"mini", "slice", "full", "own"}
        ``mini`` draws its own world; ``slice`` reads small public files; ``full`` reads every data set of both papers;
        ``own`` reads the studies in a folder (:mod:`humalign.data.plain`).
    data : Path or None
        Folder with real data (``HUMALIGN_DATA``); None where there is none. Of ``own``, the folder with the studies.
    cache : Path
        Folder for products that can be computed again (``HUMALIGN_CACHE``).
    device : str
        Torch device: "cpu", "cuda", "mps"; "auto" takes the best one at hand when it is needed.
    seed : int
        Seed of everything random that is not part of a frozen protocol.
    """

    name: str = "mini"
    data: Path | None = None
    cache: Path = Path(".cache")
    device: str = "auto"
    seed: int = 0

    @property
    def kind(self) -> str:
        """What its data are: "drawn" (all of it is drawn here, nothing can be missing), "own" (studies in a folder of
        their owner), or "published" files."""
        return {"mini": "drawn", OWN: OWN}.get(self.name, "published")

    @property
    def complete(self) -> bool:
        """Whether it reads all that both papers use, so that studies are held as they held them."""
        return self.name == "full"

    def with_(self, **changes) -> Profile:
        """A copy with other values."""
        return replace(self, **changes)

    def torch_device(self):
        """The torch device to compute on; InputError when it cannot be used here."""
        return torch_device(self.device)


def torch_device(name: str = "auto"):
    """The torch device called ``name``; "auto" is a GPU where there is one. InputError when it cannot be used here.

    Of several processes (torchrun) each tries its own GPU, so that the first one does not hold memory of all.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        found = torch.device(name)
        own = str(found) == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1
        torch.empty(1, device=f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if own else found)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(f"'{name}' is not usable here", "device", "choose cpu, cuda, mps or auto") from None
    return found


def default_cache() -> Path:
    """``HUMALIGN_CACHE``, or the user's cache folder."""
    if folder := os.environ.get("HUMALIGN_CACHE"):
        return NOW.within(Path(folder).expanduser().resolve())
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return NOW.within((Path(base) / "humalign").expanduser())


def whose(name: str) -> str:
    """Whose judgments a profile holds, by its name: "simulated" observers or real "people"."""
    return "simulated" if Profile(name).kind == "drawn" else "people"


def get_profile(name: str | None = None, *, data=None, cache=None, device: str | None = None, seed: int = 0) -> Profile:
    """The profile named by arguments first, then by the environment.

    Parameters
    ----------
    name : {"mini", "slice", "full"} or path, optional
        A profile, or the folder with studies that is one. Default: ``HUMALIGN_PROFILE``, else "mini".
    data, cache : path, optional
        Default: ``HUMALIGN_DATA``, ``HUMALIGN_CACHE``. A folder with studies holds its own data.
    device : str, optional
        Default: ``HUMALIGN_DEVICE``, else "auto".
    seed : int

    Raises
    ------
    InputError
        For an unknown profile or a data folder that does not exist.
    """
    name = str(name or os.environ.get("HUMALIGN_PROFILE") or "mini")
    data = data or os.environ.get("HUMALIGN_DATA") or None
    if name not in PROFILES:
        if not Path(name).expanduser().is_dir():
            remedy = f"choose one of {', '.join(PROFILES)}, or name a folder with studies of yours"
            raise InputError(f"no profile is called '{name}', and no folder", "profile", remedy)
        name, data = OWN, name
    if data is not None:
        data = Path(data).expanduser().resolve()
        if not data.is_dir():
            raise InputError(
                "this folder does not exist", data, "point HUMALIGN_DATA or --data at the folder with the data"
            )
    cache = Path(cache).expanduser().resolve() if cache else default_cache()
    return Profile(name, data, cache, device or os.environ.get("HUMALIGN_DEVICE") or "auto", seed)
