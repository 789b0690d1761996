"""What a profile costs: data sets, networks, extraction, probing, disk; what is known and what is estimated.

Sizes of data sets are those of the registry. Sizes of weights follow from the number of values in each network, hours
from the operations of one forward pass, counted on networks without weights (``zoo/costs.csv``).
What is not known is None and shown as "unknown"; sums name how many parts are unknown.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from ..config import Profile
from ..errors import InputError

TFLOPS = 20.0  # assumed: sustained 10^12 operations a second of one GPU in bfloat16, a small part of its data sheet
PICTURES = 1000.0  # assumed: pictures decoded a second by the processes that feed one GPU


@dataclass
class Item:
    """One line of a plan.

    Attributes
    ----------
    kind : str
        "data", "network", "features" or "probing".
    name, what : str
    bytes : int or None
        To download (data, network) or to store (features); None = unknown.
    estimate : bool
        Whether ``bytes`` or ``hours`` are estimated.
    hours : float or None
        Of a GPU (features); None = unknown or nothing.
    by_hand : str
        What has to be done by hand.
    here : bool or None
        None: cannot be told.
    get : str
        The command or source.
    """

    kind: str
    name: str
    what: str = ""
    bytes: int | None = None
    estimate: bool = True
    hours: float | None = None
    by_hand: str = ""
    here: bool | None = None
    get: str = ""


@dataclass
class Plan:
    """All lines, the assumptions behind the estimates, the sums, and the commands of the extractions still to do."""

    profile: str
    notebooks: list[str]
    items: list[Item]
    assumptions: list[str]
    totals: dict = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)

    def of(self, kind: str) -> list[Item]:
        """The lines of one kind."""
        return [item for item in self.items if item.kind == kind]


# ---- operations of a forward pass ------------------------------------------------------------------------------------


@cache
def costs() -> dict[str, dict]:
    """By model: side of the input (pixels), operations of a forward pass (multiply and add: 2), stored values."""
    text = resources.files("humalign.zoo").joinpath("costs.csv").read_text("utf8")
    return {row.pop("model"): {k: int(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))}


# ---- the lines -------------------------------------------------------------------------------------------------------


def _data(profile: Profile, names) -> list[Item]:
    """Data sets; files that several data sets share count once, with the first."""
    from ..data import registry
    from ..data.describe import open_downloads

    out, seen = [], {}
    shared = ("no further", "none", "with ", "part of")
    chosen = [one for one in registry.entries(profile) if names is None or one.name in names]
    for one in sorted(chosen, key=lambda one: one.size.startswith(shared)):  # those with a size of their own first
        own = frozenset(f.path for f in one.files.values() if not f.shared and not f.optional)
        links = frozenset(d.url for d in one.downloads)
        first = next((n for n, (o, u) in seen.items() if (own and own <= o) or (links and links <= u)), "")
        seen[one.name] = (own, links)
        size = 0 if first or one.size.startswith(shared) else one.bytes
        here = None if profile.data is None else not one.missing(profile.data)
        get = f"humalign data fetch {one.name}" if open_downloads(one) else f"humalign data where {one.name}"
        what = f"with {first}" if first else one.size
        out.append(Item("data", one.name, what, size, True, None, one.by_hand, here, get))
    return out


def cached(loader: str, model: str) -> bool | None:
    """Whether published weights lie in the caches of torch or of the Hugging Face hub; None: cannot tell."""
    from .. import compat  # noqa: F401  (before timm, open_clip and torchvision)

    source, _, rest = loader.partition(":")
    try:
        if source == "torchvision":
            from ..zoo.sources import torchvision_weights

            arch, _, query = rest.partition("?")
            if query == "weights=none":
                return True
            file = torchvision_weights(arch, query.removeprefix("weights=") or "DEFAULT").url.rpartition("/")[2]
            return (_torch_home() / file).is_file()
        if source == "url":
            suffix = Path(rest.partition("|")[2]).suffix or ".pth"
            return (_torch_home() / f"humalign-{model.replace('/', '_')}{suffix}").is_file()
        if source == "timm":
            from timm.models import get_pretrained_cfg

            known = get_pretrained_cfg(rest.partition("?")[0])
            return _hub(known.hf_hub_id) if known is not None and known.hf_hub_id else None
        if source == "open_clip":
            from open_clip.pretrained import get_pretrained_cfg

            known = get_pretrained_cfg(*rest.split("/", 1)) or {}
            file = Path(known.get("url", "")).name
            hub = known.get("hf_hub", "").rstrip("/")
            return bool(file and (Path.home() / ".cache/clip" / file).is_file()) or bool(hub and _hub(hub))
    except (ImportError, InputError, ValueError):
        pass
    return None


def _torch_home() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _hub(name: str) -> bool:
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE) / f"models--{'--'.join(name.split('/')[:2])}" / "snapshots"
    return snapshots.is_dir() and any(p.is_file() for p in snapshots.rglob("*"))


def _networks(rows) -> list[Item]:
    from ..zoo.published import downloads

    out = []
    for row in rows:
        public = str(row["public"]) == "True" and bool(row["loader"])
        counted = costs().get(row["model"])
        if public:
            random = row["loader"].endswith("?weights=none")
            size = 0 if random else 4 * counted["values"] if counted else None
            here = cached(row["loader"], row["model"])
            get = f"humalign models fetch '{row['model']}'" if downloads(row["loader"]) else "on first use"
            told = "random weights" if random else "public weights"
            out.append(Item("network", row["model"], told, size, True, None, "", here, get))
        else:
            stand_in = row["stand_in"] if isinstance(row["stand_in"], str) else ""
            get = "features as a file" + (f"; nearest public network: {stand_in}" if stand_in else "")
            by_hand = "features of others"
            out.append(Item("network", row["model"], "no public weights", 0, False, None, by_hand, None, get))
    return out


def _count(name: str, profile: Profile) -> int | None:
    """Pictures in a data set: counted where the manifest or the files say, else as the registry expects."""
    from ..data import registry
    from ..data.known import manifest

    one = registry.entry(name, "full")
    told = manifest(profile.data).get("expect", {}).get(name, {}) if profile.data else {}
    return told.get("images") or one.expect.get("images") or one.likely.get("images")


def _pictures(profile: Profile, roles, data) -> dict[str, str]:
    """The pictures of each role."""
    from ..source import open_source
    from .tiers import pictures

    source = open_source(profile)
    return {role: pictures(source, role, data) for role in roles}


def _features(profile: Profile, rows, shown, tflops: float, rate: float) -> list[Item]:
    """One line a picture set: hours and disk of all networks with public weights whose features are not there."""
    from ..features import shards
    from ..source import open_source

    source, out = open_source(profile), []
    for dataset, pictures in shown.items():
        if any(item.name == pictures for item in out):
            continue
        n, there = _count(pictures, profile), set(source.models(dataset))
        todo = [r for r in rows if str(r["public"]) == "True" and r["loader"] and r["model"] not in there]
        known = [r for r in todo if r["model"] in costs()]
        hours = size = None
        if n is not None:
            seconds = [max(n * costs()[r["model"]]["flop"] / (tflops * 1e12), n / rate) for r in known]
            hours, size = sum(seconds) / 3600, 4 * n * sum(_width(r) for r in known)
        what = f"{n if n is not None else 'unknown number of'} pictures x {len(known)} networks"
        what += f", {len(there)} are there" if there else ""
        what += f", {len(todo) - len(known)} of unknown cost" if len(todo) > len(known) else ""
        get = shards.command("MODEL", pictures)
        out.append(Item("features", pictures, what, size, True, hours, "", not todo, get))
    return out


def _commands(profile: Profile, rows, shown, gpus: int) -> list[str]:
    """Extractions still to do: one command a picture set and network with public weights."""
    from ..features import shards
    from ..source import open_source

    source, out = open_source(profile), []
    for dataset, pictures in shown.items():
        there = set(source.models(dataset))
        for row in rows:
            if row["loader"] and str(row["public"]) == "True" and row["model"] not in there:
                logits = isinstance(row["logits"], str) and bool(row["logits"])
                out.append(shards.command(row["model"], pictures, logits, gpus))
    return list(dict.fromkeys(out))


def _width(row) -> int:
    """Numbers stored for a picture: the penultimate layer, and logits (taken as 1000 classes) where there are any."""
    wide = row["width"] if row["width"] == row["width"] and row["width"] else 1000
    return int(wide) + (1000 if isinstance(row["logits"], str) and row["logits"] else 0)


def plan(
    profile: Profile, notebooks=None, *, tflops: float = TFLOPS, rate: float = PICTURES, layers: int = 2, gpus: int = 1,
    tier=None,
) -> Plan:  # fmt: skip
    """Everything that a profile, or some notebooks in it, needs.

    Parameters
    ----------
    profile : Profile
    notebooks : list of str, optional
        Default: all data sets and all notebooks.
    tflops, rate : float
        Assumed speed of the GPU (10^12 operations a second, sustained) and of decoding (pictures a second).
    layers : int
        Layers that are probed.
    gpus : int
        How many the extraction commands use.
    tier : humalign.book.tiers.Tier, optional
        Only its data, networks and pictures, in place of notebooks.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        For an unknown notebook.
    """
    from .. import zoo
    from ..roles import ROLES
    from . import requirements

    if tflops <= 0 or rate <= 0:
        raise InputError("must be above 0", "--tflops and --rate", "give a speed")
    if gpus < 1:
        raise InputError(f"is {gpus}", "--gpus", "give at least 1")
    if tier is not None:
        notebooks = None if tier.data is None else tier.notebooks
    asked = [
        requirements.of_notebook("full", name) and requirements.of_notebook(profile, name)
        for name in (notebooks or requirements.notebooks())
    ]
    names = {n for one in asked for n in (*one.data, *one.also)} if notebooks else None
    wanted = list(dict.fromkeys(f for one in asked for f in one.features))
    if names is not None:
        names |= {one for name in wanted for one in (*ROLES[name].answers[:1], *ROLES[name].pictures[:1])}
    if tier is not None:
        names, wanted = tier.data, wanted if tier.roles is None else list(tier.roles)
    items = _data(profile, names)
    rows = zoo.table(profile).to_dict("records") if wanted and profile.kind == "published" else []
    rows = [row for row in rows if tier is None or row["model"] in tier.networks]
    shown = _pictures(profile, wanted, names)
    items += _networks(rows) + _features(profile, rows, shown, tflops, rate)
    assumptions = []
    if rows:
        assumptions = [
            f"weights: 4 bytes a value of the image side, {len(costs())} networks counted without weights",
            f"GPU hours: the slower of {tflops:g} x 10^12 operations a second and {rate:g} decoded pictures a second",
            "features: float32, the penultimate layer and 1000 logits where a network has a classifier",
        ]
    if any(one.probing for one in asked):
        from ..chapters import probing

        folds, strengths = probing.FOLDS, len(probing.PAPER)
        fits = len([r for r in rows if str(r["public"]) == "True"]) * layers * folds * strengths
        what = f"{fits} fits ({folds} folds x {strengths} strengths x {layers} layers a network); time unknown "
        what += "before the first network: 'python -m benchmarks' measures one cross-validation of this size here"
        items.append(Item("probing", "linear transforms", what, 0, True, None, "", None, "humalign run probing"))
    items.sort(key=lambda item: item.name if item.kind == "data" else "~")
    found = Plan(profile.name, list(notebooks or requirements.notebooks()), items, assumptions)
    found.totals, found.commands = _totals(found), _commands(profile, rows, shown, gpus)
    return found


def _totals(plan: Plan) -> dict:
    out = {}
    for kind in ("data", "network", "features"):
        lines = plan.of(kind)
        left = [x for x in lines if not x.here]
        out[kind] = {
            "lines": len(lines),
            "here": sum(x.here is True for x in lines),
            "bytes": sum(x.bytes or 0 for x in lines),
            "bytes_left": sum(x.bytes or 0 for x in left),
            "unknown": sum(x.bytes is None for x in lines),
            "by_hand": sum(bool(x.by_hand) and x.here is not True for x in lines),
        }
    out["gpu_hours"] = sum(x.hours or 0 for x in plan.of("features"))
    out["disk_bytes"] = sum(out[kind]["bytes"] for kind in ("data", "network", "features"))
    return out
