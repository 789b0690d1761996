"""Trains the small networks, of the list zoo.toml and behind teachers."""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np

from ..config import get_profile
from ..errors import HumalignError, InputError
from ..processes import OwnProcesses
from ..store import atomic_path, digest, load_arrays, read_json, save_arrays
from ..zoo import small
from ..zoo.architectures import assemble
from ..zoo.architectures import encoder as fresh_encoder
from .fitting import LADDER, enough, fit, linear_probe, settle

VERSION = 1  # counts up when the same list and seed no longer give the same networks
PROBE_IMAGES = 20  # training pictures per concept for the linear probe
SEEDS = (0, 1, 2)


# ---- one network of the list -----------------------------------------------------------------------------------------


def training_data(data: str, profile=None):
    """Images (uint8 tensor (n, 3, side, side)), targets (tensor or None), label names.

    ``data`` is a training set of :mod:`humalign.world.splits`; ``captions-seen`` restricts ``captions`` to the seen
    concepts, so that the pictures are those of ``concepts``; ``concepts-10`` has ten pictures of each concept,
    ``taxonomy-25`` a taxonomy a quarter of which is left as it is (:func:`humalign.world.labels.rewired`).
    """
    import torch

    from . import labels, splits

    name, _, share = data.partition("-")
    share = int(share) if share.isdigit() else None
    base = "concepts" if data in ("pictures", "captions-seen") else data if share is None else name
    stimuli, told = splits.training_set(base, small.SIDE, profile)
    if share is not None and name == "taxonomy":
        told = labels.rewired(stimuli.concepts, share / 100)
    elif share is not None:
        keep = np.flatnonzero([int(i.rpartition("train")[2]) < share for i in stimuli.ids])
        stimuli, told = stimuli.align([stimuli.ids[k] for k in keep]), (told[0][keep], told[1])
    if data == "pictures":
        told = None
    if data == "captions-seen":
        told = labels.targets(stimuli.ids, stimuli.concepts, stimuli.meta["facts"], "captions")
    images = torch.from_numpy(np.ascontiguousarray(stimuli.images.transpose(0, 3, 1, 2)))
    images = images.contiguous(memory_format=torch.channels_last)
    return images, None if told is None else torch.from_numpy(told[0]), () if told is None else told[1]


def key_of(spec: dict, seed: int, epochs: int) -> str:
    """Digest of all that decides a trained network: list entry, seed, world, version of the trainer."""
    from .stimuli import drawings_digest

    settled = {k: spec[k] for k in ("arch", "data", "objective", "augmentation", "lr", "weight_decay")}
    return digest("zoo", VERSION, settled, seed, epochs, drawings_digest())


def _prepare(spec, seed, outputs):
    import torch

    from .objectives import OBJECTIVES, Labels, make

    torch.manual_seed(1_000_003 * (seed + 1))
    encoder, width = fresh_encoder(spec["arch"])
    options = {}
    if issubclass(OBJECTIVES[spec["objective"]], Labels):
        options["augmentation"] = spec["augmentation"]
    return encoder, make(spec["objective"], width, outputs, **options), width


def _versions():
    import timm
    import torch

    return {"torch": torch.__version__.partition("+")[0], "timm": timm.__version__}


def train(name: str, seed: int = 0, *, folder, profile=None, epochs: int | None = None, device="cpu", say=None) -> dict:
    """Train one network of the list, or return the facts of the one that is there.

    Writes ``<name>.s<seed>.safetensors`` (float16) and its side-car to ``folder``; while it runs, a checkpoint
    after each epoch to the cache.

    Returns
    -------
    dict
        Facts of the run: ``COLUMNS``, losses by epoch, and what it reached (:func:`accuracies`).
    """
    import torch

    from .stimuli import drawings_digest

    spec = small.spec(name)
    profile = profile or get_profile("mini")
    epochs = spec["epochs"] if epochs is None else epochs
    key = key_of(spec, seed, epochs)
    path = Path(folder) / f"{name}.s{seed}.safetensors"
    with contextlib.suppress(InputError):
        meta = load_arrays(path)[1]
        if meta.get("key") == key:
            return meta
    if torch.device(device).type == "cpu":
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    images, targets, labels = training_data(spec["data"], profile)
    encoder, objective, width = _prepare(spec, seed, len(labels))
    timing = {"seconds": 0.0, "cpu_seconds": 0.0}
    partial = profile.cache / "zoo" / "checkpoints" / path.name
    if spec["objective"] == "none":
        encoder.to(memory_format=torch.channels_last)
        settle(encoder, images)
        losses = []
    else:
        losses = fit(
            encoder, objective, images, targets, epochs=epochs, lr=spec["lr"], seed=seed, device=device,
            weight_decay=spec["weight_decay"], checkpoint=partial, key=key, progress=say, timing=timing,
        )  # fmt: skip
    network = assemble(encoder, objective.head).cpu().eval()
    text = getattr(objective, "text", None)
    state = dict(network.state_dict())
    if text is not None:
        state |= {f"text.{k}": v for k, v in text.cpu().state_dict().items()}
    arrays = {}
    for k, value in state.items():
        if value.is_floating_point():
            half = value.half()
            if not torch.isfinite(half).all():
                raise HumalignError(f"{name}: weights do not fit into 16 bits")
            value.copy_(half)
            arrays[k] = half.numpy()
    meta = {
        "model": name, "seed": seed, "key": key, "arch": spec["arch"], "objective": spec["objective"],
        "augmentation": spec["augmentation"], "data": spec["data"], "epochs": epochs if losses else 0,
        "pictures": len(images), "outputs": len(labels), "has_logits": objective.head is not None,
        "parameters": sum(p.numel() for p in encoder.parameters()), "width": width,
        "first_loss": losses[0] if losses else None, "final_loss": losses[-1] if losses else None,
        "losses": [round(v, 5) for v in losses], **timing,
        "device": str(device), "world": drawings_digest(), "trainer": VERSION, **_versions(),
        **accuracies(network, objective, spec, labels, profile),
    }  # fmt: skip
    save_arrays(path, arrays, meta)
    for leftover in (partial, partial.with_name(partial.name + ".json")):
        leftover.unlink(missing_ok=True)
    return read_json(path.with_name(path.name + ".json"))


def accuracies(network, objective, spec, labels, profile=None) -> dict:
    """What a trained network reached on test pictures.

    Returns
    -------
    dict
        ``own_accuracy``: top-1 on its own labels (concept labels among several; concept names for image/text),
        over the concepts it was trained on; None without labels. ``probe_accuracy``: linear probe of the
        penultimate layer on all concepts, trained on ``PROBE_IMAGES`` pictures each.
    """
    import torch

    from . import splits, stimuli
    from .labels import lexicon, superordinate

    test = stimuli.images("test", small.SIDE, profile)
    shown = np.array(test.concepts)
    some = stimuli.images("train", small.SIDE, profile)
    number = {c: i for i, c in enumerate(sorted(set(shown)))}
    first = np.array([int(i.rpartition("train")[2]) < PROBE_IMAGES for i in some.ids])
    fitted = _features(network, some.align([i for i, wanted in zip(some.ids, first) if wanted]))
    tested = _features(network, test)
    probe = linear_probe(
        fitted, [number[c] for c in np.array(some.concepts)[first]], tested, [number[c] for c in shown]
    )
    own = None
    if objective.head is not None:
        seen = set(splits.concepts_of("all" if spec["data"] in ("all", "web", "captions", "captions-web") else "seen"))
        rows = np.array([c in seen for c in shown])
        with torch.inference_mode():
            logits = objective.head(torch.from_numpy(tested[rows])).numpy()
            if spec["objective"] == "image/text":
                names = sorted(seen)
                words = torch.tensor([[lexicon().index(c), 0, 0, 0] for c in names])
                said = torch.nn.functional.normalize(objective.text(words), dim=1).numpy()
                logits = logits @ said.T
            else:
                names = [c for c in labels if spec["data"] == "coarse" or c in seen]
                logits = logits[:, : len(names)]
        truth = [superordinate(c) for c in shown[rows]] if spec["data"] == "coarse" else shown[rows]
        own = float((np.array(names)[logits.argmax(1)] == truth).mean())
    return {"own_accuracy": own, "probe_accuracy": probe}


def _features(network, stimuli) -> np.ndarray:
    from ..features import extract

    return extract(small.model(network), stimuli, device="cpu", progress=False)["penultimate"].values


# ---- the networks behind teachers ------------------------------------------------------------------------------------


def train_teacher(name: str, *, folder, profile=None, say=None) -> dict:
    """Train a network of :data:`humalign.zoo.small.TEACHERS`; an interrupted training goes on after its last epoch.

    Parameters
    ----------
    name : str
    folder : path
        For the weights.
    say : callable, optional
        Progress, as :func:`humalign.world.fitting.fit` reports it.

    Returns
    -------
    dict
        The side-car.
    """
    import torch

    from .objectives import make
    from .stimuli import drawings_digest

    torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    plan, profile = small.TEACHERS[name], profile or get_profile("mini")
    images, targets, labels = training_data(plan["data"], profile)
    start = small.trained(plan["start"], 0, profile)
    torch.manual_seed(plan["seed"])
    objective = make("sigmoid", fresh_encoder(small.arch_of(name))[1], len(labels))
    key = digest("teacher network", 1, plan, drawings_digest(), small.facts(plan["start"], 0, profile)["sha256"])
    checkpoint = profile.cache / "zoo" / "checkpoints" / f"{name}.safetensors"
    rest = {"lr": plan["lr"], "seed": plan["seed"], "weight_decay": 0.02, "checkpoint": checkpoint, "key": key}
    losses = fit(start.encoder, objective, images, targets, epochs=plan["epochs"], progress=say, **rest)
    network = assemble(start.encoder, None)
    arrays = {k: v.half().numpy() if v.is_floating_point() else v.numpy() for k, v in network.state_dict().items()}
    meta = {"name": name, **plan, "objective": "sigmoid", "key": key, "losses": losses, "pictures": len(images)}
    path = save_arrays(Path(folder) / f"{name}.safetensors", arrays, meta)
    return read_json(path.with_name(path.name + ".json"))


# ---- the whole list --------------------------------------------------------------------------------------------------

COLUMNS = ("model", "seed", "arch", "objective", "augmentation", "data", "epochs", "pictures", "parameters", "width",
           "outputs", "has_logits", "first_loss", "final_loss", "own_accuracy", "probe_accuracy", "seconds",
           "cpu_seconds", "device", "world", "key", "trainer", "torch", "timm", "sha256")  # fmt: skip


def write_records(folders, path=None) -> Path:
    """Gather the side-cars of trained networks into one table (CSV), in the order of the list."""
    import pandas as pd

    order = {name: i for i, name in enumerate(small.zoo())}
    rows = {}
    for folder in folders:
        for file in Path(folder).glob("*.s*.safetensors.json"):
            meta = read_json(file)
            if meta["model"] in order:
                rows[meta["model"], meta["seed"]] = {column: meta.get(column) for column in COLUMNS}
    ordered = sorted(rows.values(), key=lambda row: (order[row["model"]], row["seed"]))
    path = Path(path or small.records_path())
    with atomic_path(path) as partial:
        pd.DataFrame(ordered, columns=COLUMNS).to_csv(partial, index=False, float_format="%.6g")
    return path


def _job(name, seed, folder, profile, device):
    return train(name, seed, folder=folder, profile=profile, device=device)


def train_many(pairs, *, folder_of, profile, jobs=2, device="cpu", say=print, after=None) -> int:
    """Train (name, seed) pairs in ``jobs`` processes, finished ones not again; returns the number that failed."""
    failed, began, pairs = 0, time.time(), list(pairs)
    for variable in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):  # glibc: keep freed memory, a third less time
        os.environ.setdefault(variable, str(2**30))
    with OwnProcesses(jobs) as pool:
        waiting = {pool.submit(_job, n, s, folder_of(s), profile, device): (n, s) for n, s in pairs}
        for done, future in enumerate(as_completed(waiting), 1):
            name, seed = waiting[future]
            try:
                meta = future.result()
                own = "-" if meta["own_accuracy"] is None else f"{meta['own_accuracy']:.3f}"
                loss = "-" if meta["final_loss"] is None else f"{meta['final_loss']:.3f}"
                text = f"loss {loss}  own {own}  probe {meta['probe_accuracy']:.3f}  {meta['seconds']:.0f} s"
            except Exception as error:  # one network's failure is reported and the others go on
                failed, text = failed + 1, f"failed: {type(error).__name__}: {error}"
            say(f"[{done}/{len(pairs)} {time.time() - began:6.0f} s] {name} seed {seed}: {text}")
            if after is not None:
                after()
    return failed


def ladder(name: str, profile=None, rungs=LADDER, seed: int = 0, say=print) -> int:
    """Number of epochs by the network's own training loss.

    The rule: the smallest rung of ``LADDER`` whose final loss has made at least ``ENOUGH`` of the fall (from the first
    epoch's mean loss) that the next rung makes. Nothing but the training loss enters.
    """
    spec = small.spec(name)
    images, targets, labels = training_data(spec["data"], profile)
    runs = []
    for epochs in rungs:
        encoder, objective, _ = _prepare(spec, seed, len(labels))
        settings = {"epochs": epochs, "lr": spec["lr"], "seed": seed, "weight_decay": spec["weight_decay"]}
        runs.append(fit(encoder, objective, images, targets, **settings))
        say(f"{name}: {epochs} epochs, loss {runs[-1][0]:.4f} to {runs[-1][-1]:.4f}")
        if len(runs) > 1 and enough(runs[-2], runs[-1]):
            return rungs[len(runs) - 2]
    return rungs[-1]


def training_pictures(names, profile) -> None:
    """Draw all pictures that training needs into the cache, before several processes ask for them."""
    from . import stimuli

    splits = {"train", "test"} | {"web" for n in names if small.zoo()[n]["data"] in ("web", "captions-web")}
    for split in sorted(splits):
        stimuli.images(split, small.SIDE, profile)
