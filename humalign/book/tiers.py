"""Tiers: steps on the way to the whole book, each one command to fetch, one to extract, one to build.

A tier asks nothing, can be called again at any time and goes on where it stopped; what cannot be had is told in one
sentence and its figures stay empty. ``tiers.toml`` declares the tiers.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from ..config import Profile
from ..errors import HumalignError, InputError, MissingData

CPU = 0.1  # assumed: sustained 10^12 operations a second of the cores of one machine
FIGURE = re.compile(r"^\s*name: (fig-[\w-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Tier:
    """One tier.

    Attributes
    ----------
    name, title : str
    notebooks : tuple of str
        Pages that it is for.
    data : tuple of str or None
        Data sets; None: all that the notebooks need.
    roles : tuple of str or None
        Whose pictures its networks see; None: all that the notebooks need.
    networks : tuple of str
        Keys of networks with public weights.
    """

    name: str
    title: str
    notebooks: tuple[str, ...]
    data: tuple[str, ...] | None
    roles: tuple[str, ...] | None
    networks: tuple[str, ...]


@cache
def _file() -> dict:
    return tomllib.loads(resources.files(__package__).joinpath("tiers.toml").read_text("utf8"))


def names() -> list[str]:
    """Names of the tiers, the smallest first."""
    return list(_file())


def tier(name: str) -> Tier:
    """A tier by its name.

    Raises
    ------
    InputError
        When there is none.
    """
    from . import requirements

    if name not in _file():
        raise InputError(f"no tier is called '{name}'", "--tier", f"choose one of {', '.join(names())}")
    told = _file()[name]
    notebooks = tuple(told["notebooks"]) or tuple(requirements.notebooks())
    every = name == "all"
    asked = [requirements.of_notebook("full", one) for one in notebooks]
    wanted = told.get("roles", list(dict.fromkeys(role for one in asked for role in one.features)))
    roles = None if every else tuple(wanted)
    data = tuple(told["data"]) if "data" in told else None if every else tuple(_needed(asked, wanted))
    return Tier(name, told["title"], notebooks, data, roles, _networks(told["networks"]))


def _needed(asked, roles) -> list[str]:
    """Data sets that pages need: their own, and for each role people's answers and the pictures."""
    from ..roles import ROLES

    found = [name for one in asked for name in (*one.data, *one.also)]
    for role in roles:
        found += [*ROLES[role].answers[:1], *ROLES[role].pictures[:1]]
    return list(dict.fromkeys(found))


def _networks(said) -> tuple[str, ...]:
    from .. import zoo
    from ..zoo.facts import STATES, kinds

    if not isinstance(said, str):
        return tuple(said)
    facts = kinds(zoo.table("full"))
    facts = facts[facts["public"].astype(bool) & (facts["loader"].fillna("") != "")]
    second = facts["student"].isin(STATES)
    own = {"paper 1": ~second & (facts["student"] == ""), "paper 2": second, "all": facts["student"].notna()}
    return tuple(facts.loc[own[said], "model"])


def pictures(source, role: str, data=None) -> str:
    """The pictures that the networks of a tier see for a role: those at hand, else those that the tier fetches.

    Parameters
    ----------
    source : Source
    role : str
    data : tuple of str, optional
        Data sets of the tier.
    """
    from ..data import registry

    shown, names = source.shown(role), source.role(role).pictures
    here = source.root is not None and shown in names and not registry.entry(shown).missing(source.root)
    wanted = [name for name in names if data is not None and name in data]
    return shown if here or not wanted else wanted[0]


# ---- getting it ------------------------------------------------------------------------------------------------------


def fetch(name: str, profile: Profile, say=print, progress: bool = True) -> bool:
    """Fetch everything of a tier that is open: data, then weights.

    Parameters
    ----------
    name : str
    profile : Profile
        Its data folder is where files go; made where it is not there.
    say : callable
        Where lines go.
    progress : bool

    Returns
    -------
    bool
        False where something open could not be had, so that calling again may help.

    Raises
    ------
    MissingData
        Without a data folder.
    """
    from ..data import registry

    one, wrong, closed = tier(name), [], []
    _folder(profile, name).mkdir(parents=True, exist_ok=True)
    for line in cost(one, profile):
        say(line)
    for data in one.data or [entry.name for entry in registry.entries("full")]:
        told, by_hand = _data(registry.entry(data), profile, say, progress)
        wrong += [told] if told else []
        closed += [by_hand] if by_hand else []
    wrong += [told for model in one.networks if (told := _weights(model, profile, say, progress))]
    if closed:
        say(f"By hand, their figures stay empty until then: {', '.join(closed)}.")
    _end(one, profile, say, [f"Not fetched: {line}" for line in wrong], f"humalign extract --tier {name}")
    return not wrong


def _folder(profile: Profile, name: str) -> Path:
    """The data folder; MissingData without one."""
    if profile.data is None:
        raise MissingData("needs a data folder", f"tier {name}", "point HUMALIGN_DATA or --data at one")
    return profile.data


def _end(one: Tier, profile: Profile, say, wrong: list[str], following: str) -> None:
    """What went wrong, what comes next, and which figures are real."""
    for line in wrong:
        say(line)
    say(f"Next: {following}" if not wrong else "The same command goes on where this one stopped.")
    for line in figures(one, profile):
        say(line)


def _data(entry, profile: Profile, say, progress) -> tuple[str, str]:
    """Fetch one data set: what went wrong, and what has to be done by hand; "" for neither."""
    from ..data.describe import open_downloads
    from ..data.fetch import fetch as get

    if not entry.missing(profile.data):
        say(f"{entry.name}: is here")
        return "", ""
    by_hand = f"{entry.name} ({entry.by_hand or 'see humalign data where'})"
    if not open_downloads(entry):
        return "", by_hand
    try:
        if get(entry.name, profile, say=say, progress=progress):
            return "", ""
    except HumalignError as error:
        return f"{entry.name}: {error}", ""
    return ("", by_hand) if entry.closed else (f"{entry.name}: is not complete, or does not verify", "")


def _weights(model: str, profile: Profile, say, progress) -> str:
    """Have the weights of a network on this machine; "" or what is wrong."""
    from ..book.costs import cached
    from ..zoo import facts_of, load, published

    row = facts_of(model) or {}
    loader = row.get("loader") or ""
    try:
        if published.downloads(loader):
            fine = published.fetch([model], profile, say=say, progress=progress)
            return "" if fine else f"{model}: its weights are not complete"
        if not cached(loader, model):
            load(model, profile=profile)
            say(f"{model}: weights are here")
    except HumalignError as error:
        return f"{model}: {error}"
    return ""


# ---- features --------------------------------------------------------------------------------------------------------


def extract(name: str, profile: Profile, say=print, progress: bool | None = None) -> bool:
    """Extract the features of every network of a tier from every set of pictures that is at hand.

    Parameters
    ----------
    name, profile, say, progress
        As for :func:`fetch`.

    Returns
    -------
    bool
        False where pictures were there and a network could not see them.

    Raises
    ------
    MissingData
        Without a data folder.
    """
    from .. import features
    from ..commands.extract import pictures_of
    from ..data import registry
    from ..features import shards
    from ..roles import ROLES
    from ..source import open_source
    from ..zoo import load

    one, root, wrong = tier(name), _folder(profile, name), []
    source = open_source(profile)
    roles = one.roles or [role for role, about in ROLES.items() if about.pictures]
    shown = list(dict.fromkeys(pictures(source, role, one.data) for role in roles if source.role(role).pictures))
    here = [name for name in shown if not registry.entry(name).missing(root)]
    empty = [name for name in shown if name not in here]
    for line in cost(one, profile):
        say(line)
    for model in one.networks:
        todo = [name for name in here if not _done(root, model, name)]
        if not todo:
            say(f"{model}: features are here")
            continue
        try:
            network = load(model, profile=profile)
            for name_ in todo:
                out = shards.place(root, model, name_)
                stimuli = pictures_of(name_, source)
                features.extract(network, stimuli, list(network.layers), device=profile.device, out=out,
                                 dtype=_precision(profile), progress=progress)  # fmt: skip
                say(f"{model}: features of {len(stimuli)} pictures of {name_}")
        except HumalignError as error:
            wrong.append(f"{model}: {error}")
    if empty:
        say(f"No pictures, their figures stay empty: {', '.join(empty)}.")
    _end(one, profile, say, [f"Not extracted: {line}" for line in wrong], "HUMALIGN_PROFILE=full make book")
    return not wrong


def _done(root: Path, model: str, name: str) -> bool:
    from ..features import shards

    path = shards.find(root, model, name)
    return path is not None and shards.finished(path)


def _precision(profile: Profile) -> str:
    return "bf16" if profile.torch_device().type == "cuda" else "float32"


# ---- what it costs, what is real -------------------------------------------------------------------------------------


def cost(one: Tier, profile: Profile) -> list[str]:
    """What a tier costs, as lines: the sums of its plan."""
    from ..commands.plan import summary
    from .costs import plan

    found, slow = plan(profile, tier=one), plan(profile, tier=one, tflops=CPU)
    out = [f"Tier {one.name}: {one.title}.", *(f"  {line}" for line in summary(found))]
    if hours := slow.totals["gpu_hours"]:
        out.insert(
            -len(found.assumptions) - 1, f"  without a GPU: ~ {hours:.2g} hours ({CPU:g} x 10^12 operations a second)"
        )
    return out


def figures(one: Tier, profile: Profile, folder: Path | None = None) -> list[str]:
    """Which figures of a tier are real with what is at hand, as lines: a page, its figures, and what is missing.

    Parameters
    ----------
    one : Tier
    profile : Profile
    folder : Path, optional
        With the text notebooks; default: ``notebooks`` here, where figures can be named.
    """
    from .requirements import Notice

    folder, real, empty = folder or Path("notebooks"), [], []
    for name in one.notebooks:
        path = folder / f"{name}.md"
        found = FIGURE.findall(path.read_text("utf8")) if path.is_file() else []
        said = Notice(profile, name)
        if said.asked.drawn or (said.asked.elsewhere and not said.asked.data):
            continue
        if said.missing:
            gone = ", ".join(_short(line.what) for line in said.missing)
            empty.append(f"  {name}: missing {gone}")
            continue
        less = [_short(line.what) for line in said.lines if not line.here]
        but = f"; those that need {', '.join(less)} stay empty" if less else ""
        found = [one for one in found if one not in said.asked.simulated]
        real.append(f"  {name}: {', '.join(found) or 'its figures'}{but}")
    out = ["Real once the book is built:", *real] if real else ["No figure is real yet."]
    return out + (["Empty:", *empty] if empty else [])


def _short(what: str) -> str:
    """What is missing without its title: the name of a data set, or "features for ..."."""
    if what == "features of 0 released networks after alignment":
        return "features of aligned networks"
    if what.startswith("features of 0 networks for "):
        return f"features for {what.removeprefix('features of 0 networks for ').partition(' ')[0]}"
    return "layers along the depth" if what.startswith("features of ") else what.partition(" (")[0]
