"""The extraction: batches through a network, activations into shards; resumable, sharded, bounded in memory."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import torch_device
from ..data.types import Features, Stimuli
from ..errors import HumalignError, InputError
from ..store import digest, write_json
from . import hooks, images, shards

MAX_SHARD = 4096  # images
SHARD_BYTES = 256 << 20
SHARDS = 256  # aimed at, so that little is lost by a kill
DTYPES = ("float32", "bf16")


@dataclass(frozen=True)
class Ranks:
    """Which of several processes this is (torchrun's RANK, WORLD_SIZE, LOCAL_RANK)."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def from_environment(cls) -> Ranks:
        """As torchrun sets them; one process otherwise."""
        get = os.environ.get
        return cls(int(get("RANK", 0)), int(get("WORLD_SIZE", 1)), int(get("LOCAL_RANK", 0)))


class _Together:
    """A barrier between the processes of torchrun; nothing where there is one process."""

    def __init__(self, ranks: Ranks):
        self.ranks, self.own = ranks, False

    def __enter__(self):
        if self.ranks.world > 1:
            import torch.distributed as dist

            if not dist.is_initialized():
                dist.init_process_group("gloo")  # nothing is sent but signals; features go to disk
                self.own = True
        return self

    def wait(self):
        if self.ranks.world > 1:
            import torch.distributed as dist

            dist.barrier()

    def __exit__(self, *_):
        if self.own:
            import torch.distributed as dist

            dist.destroy_process_group()


def _device(device, ranks: Ranks):
    import torch

    if isinstance(device, torch.device):
        return device
    found = torch_device(device or "auto")
    return torch_device(f"cuda:{ranks.local}") if str(found) == "cuda" and ranks.world > 1 else found


def _workers(workers, device, stimuli) -> int:
    if workers not in (None, "auto"):
        if int(workers) < 0:
            raise InputError(f"is {workers}", "workers", "give a number from 0")
        return int(workers)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if isinstance(stimuli.images, np.ndarray) or device.type == "cpu" else max(1, min(16, cores - 1))


def versions() -> dict:
    """Versions that decide numbers."""
    from importlib import metadata

    found = {"python": platform.python_version()}
    for name in ("humalign", "torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _forward(model, recorder, batch, device, dtype):
    """Activations on the host by layer; copies from a GPU are only begun."""
    import torch

    with torch.inference_mode():
        x = model.preprocess.arithmetic(batch.to(device, non_blocking=True))
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bf16"):
            model.module(x)
        found = recorder.activations(len(batch))
        if device.type == "cpu":
            return found, None
        found = {name: value.to("cpu", non_blocking=True) for name, value in found.items()}
        event = None
        if device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
        else:
            getattr(torch, device.type).synchronize()
        return found, event


def _widths(model, recorder, device, dtype) -> dict[str, int]:
    """Width of each layer, by a look at one blank picture of the size that the preprocessing gives."""
    import torch

    side = model.preprocess.size
    try:
        found, _ = _forward(model, recorder, torch.zeros(1, side, side, 3, dtype=torch.uint8), device, dtype)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot look at {side} x {side} pixels ({reason})", model.name, "use its own preprocessing"
        ) from None
    return {name: value.shape[1] for name, value in found.items()}


def _run(model, recorder, stimuli, rows, device, dtype, workers):
    """Yield activations, one dict of arrays a batch, always one batch behind the device so that it never waits."""
    pending = None

    def done(item):
        found, event = item
        if event is not None:
            event.synchronize()
        return {name: value.numpy() for name, value in found.items()}

    for batch in images.batches(stimuli, model.preprocess, rows, workers, pin=device.type == "cuda"):
        current = _forward(model, recorder, batch, device, dtype)
        if pending is not None:
            yield done(pending)
        pending = current
    if pending is not None:
        yield done(pending)


def _check(stimuli, found: dict, rows) -> None:
    for name, value in found.items():
        bad = ~np.isfinite(value).all(1)
        if bad.any():
            raise HumalignError(
                f"layer '{name}' gives NaN or infinity for the image '{stimuli.ids[rows[int(np.argmax(bad))]]}'; "
                "extract with float32"
            )


def _split(rows, size):
    return [list(rows[i : i + size]) for i in range(0, len(rows), size)]


def extract(
    model,
    stimuli,
    layers=("penultimate",),
    *,
    device="auto",
    batch_size: int | None = None,
    dtype: str = "float32",
    workers="auto",
    out=None,
    resume: bool = True,
    pool: str | None = None,
    shard_size: int | None = None,
    progress: bool | None = None,
    profile=None,
):
    """Turn images into features.

    Parameters
    ----------
    model : Model or str
        A loaded network, or a name for :func:`humalign.zoo.load`.
    stimuli : Stimuli or path
        Images with ids; a folder is read with :func:`humalign.features.from_folder`.
    layers : sequence of str
        "penultimate", "logits", or ``MODULE[@in][:none|gap|cls]`` (see :mod:`humalign.features.hooks`); all in one
        pass.
    device : str or torch.device
        "auto" takes a GPU where there is one.
    batch_size : int, optional
        Default: the network's own (:class:`humalign.zoo.Model`), else 32 on a CPU, 256 elsewhere.
    dtype : {"float32", "bf16"}
        "bf16" runs the network under autocast; features are stored as float32 always.
    workers : int or "auto"
        Processes that decode images.
    out : path, optional
        Folder for shards. Without it the features come back in memory.
    resume : bool
        Go on where an earlier run with the same settings stopped; False begins anew.
    pool : {"none", "gap", "cls"}, optional
        For layers that name no pooling themselves.
    shard_size : int, optional
        Images in a file; default: about 256 files, at most 4096 images and 256 MiB each.
    progress : bool, optional
        Default: on a terminal.
    profile : Profile, optional
        Names the folders with real data and trained networks, for a model given by name.

    Returns
    -------
    dict of str to Features, or Path
        By layer, in order of depth; the folder when ``out`` is given.

    Raises
    ------
    InputError
        Unknown model, layer or device, unreadable image, or a folder that holds features of other settings.

    Notes
    -----
    Started by torchrun, each process takes every ``WORLD_SIZE``-th shard and writes into the same folder. With one
    ``shard_size`` the files do not depend on interruptions or on the number of processes.

    The order of depth is that in which the activations of a picture arise, whatever the order asked for; the manifest
    holds it under "order" (its "layers" are sorted by name).
    """
    from .. import zoo

    if isinstance(model, (str, Path)):
        model = zoo.load(str(model), profile=profile)
    if not isinstance(stimuli, Stimuli):
        stimuli = images.from_folder(stimuli)
    if stimuli.images is None:
        raise InputError("have no images", stimuli.name, "choose a data set with images")
    if dtype not in DTYPES:
        raise InputError(f"'{dtype}' is not known", "dtype", f"choose {' or '.join(DTYPES)}")
    ranks = Ranks.from_environment()
    device = _device(device, ranks)
    if batch_size is None:
        batch_size = model.batch or (32 if device.type == "cpu" else 256)
    batch_size = int(batch_size)
    if batch_size < 1:
        raise InputError(f"is {batch_size}", "batch size", "give a number above 0")
    layers = [layers] if isinstance(layers, str) else list(layers)
    parsed = [hooks.parse(text, model, pool) for text in dict.fromkeys(layers)]
    if not parsed:
        raise InputError("there are none", "layers", "name at least one, for instance penultimate")
    model.module.to(device)
    workers = _workers(workers, device, stimuli)
    with hooks.Recorder(model, parsed) as recorder:
        widths = _widths(model, recorder, device, dtype)
        about = _about(model, stimuli, parsed, widths, dtype, device, batch_size, ranks, shard_size)
        if out is None:
            return _in_memory(model, recorder, stimuli, about, device, dtype, workers, batch_size, progress)
        with _Together(ranks) as together:
            _to_folder(
                Path(out),
                model,
                recorder,
                stimuli,
                about,
                device,
                dtype,
                workers,
                batch_size,
                progress,
                resume,
                ranks,
                together,
            )
    return Path(out)


def _about(model, stimuli, layers, widths, dtype, device, batch_size, ranks, shard_size) -> dict:
    n = len(stimuli)
    if shard_size is None:
        by_memory = max(1, SHARD_BYTES // (4 * sum(widths.values())))
        shard_size = min(MAX_SHARD, -(-n // (SHARDS * ranks.world)))
        shard_size = min(by_memory, -(-max(shard_size, 1) // batch_size) * batch_size)
    return {
        "format": shards.FORMAT,
        "model": model.name,
        "weights": model.weights,
        "weights_digest": model.checksum,
        "preprocess": model.preprocess.describe(),
        "layers": {one.name: {"module": one.specification, "width": widths[one.name]} for one in layers},
        "order": list(widths),
        "dtype": dtype,
        "n": n,
        "images": stimuli.name,
        "images_digest": stimuli.checksum,
        "ids_digest": digest(stimuli.ids),
        "source": stimuli.source,
        "licence": stimuli.licence,
        "shard_size": int(shard_size),
        "batch_size": batch_size,
        "device": str(device.type),
        "threads": _threads(),
        "versions": versions(),
    }


def _threads() -> int:
    """Threads of one process: sums in another order differ in the last digits."""
    import torch

    return torch.get_num_threads()


def _bar(total, initial, progress, ranks=None):
    from tqdm import tqdm

    off = (ranks is not None and ranks.rank > 0) or progress is False
    return tqdm(
        total=total,
        initial=initial,
        desc="extracting",
        unit="image",
        disable=True if off else None if progress is None else False,
    )


def _in_memory(model, recorder, stimuli, about, device, dtype, workers, batch_size, progress) -> dict:
    n = len(stimuli)
    rows = _split(range(n), batch_size)
    out = {name: np.empty((n, about["layers"][name]["width"]), np.float32) for name in about["order"]}
    with _bar(n, 0, progress) as bar:
        for part, found in zip(rows, _run(model, recorder, stimuli, rows, device, dtype, workers)):
            _check(stimuli, found, part)
            for name, value in found.items():
                out[name][part[0] : part[-1] + 1] = value
            bar.update(len(part))
    return {
        name: Features(
            stimuli.ids,
            value,
            model.name,
            name,
            stimuli.source,
            stimuli.licence,
            name=f"{model.name} {name}",
            meta=about,
        )
        for name, value in out.items()
    }


SAME = ("weights_digest", "preprocess", "layers", "dtype", "n", "images_digest", "ids_digest")  # else it is another run


def _prepare(out: Path, about: dict, resume: bool) -> dict:
    """Write the manifest, or take the one that is there when it means the same run."""
    path = out / shards.MANIFEST
    if path.is_file() and resume:
        found = shards.manifest(out)
        if different := [key for key in SAME if found.get(key) != about[key]]:
            raise InputError(
                f"holds features of other settings (differs in {', '.join(different)})",
                out,
                "choose another folder, or --restart to replace them",
            )
        shards.sweep(out)
        if "order" not in found:  # written by an earlier version
            found["order"] = about["order"]
            write_json(path, found)
        return found
    if out.exists() and not out.is_dir():
        raise InputError("is a file", out, "name a folder")
    if not path.is_file() and out.is_dir() and any(out.iterdir()):
        leftovers = [p for p in out.iterdir() if not p.name.startswith((".manifest", ".shard-"))]
        if leftovers:
            raise InputError("holds other files", out, "choose an empty folder")
    if path.is_file():
        path.unlink()
        for old in (*out.glob("shard-*.safetensors"), *out.glob("shard-*.safetensors.json")):
            old.unlink()
    shards.sweep(out) if out.is_dir() else None
    write_json(path, about)
    return about


def _to_folder(
    out, model, recorder, stimuli, about, device, dtype, workers, batch_size, progress, resume, ranks, together
):
    if ranks.rank == 0:
        _prepare(out, about, resume)
    together.wait()
    size, n = shards.manifest(out)["shard_size"], len(stimuli)
    spans = [(k, range(start, min(start + size, n))) for k, start in enumerate(range(0, n, size))]
    mine = [(k, span) for k, span in spans if k % ranks.world == ranks.rank]
    todo = [(k, span) for k, span in mine if not shards.shard_is_whole(out, k, len(span), stimuli, span)]
    rows = [part for _, span in todo for part in _split(span, batch_size)]
    total = sum(len(span) for _, span in mine)
    running = iter(_run(model, recorder, stimuli, rows, device, dtype, workers)) if rows else iter(())
    with _bar(total, total - sum(len(span) for _, span in todo), progress, ranks) as bar:
        for number, span in todo:
            arrays = {
                name: np.empty((len(span), layer["width"]), np.float32) for name, layer in about["layers"].items()
            }
            for part in _split(span, batch_size):
                found = next(running)
                _check(stimuli, found, part)
                for name, value in found.items():
                    arrays[name][part[0] - span[0] : part[-1] + 1 - span[0]] = value
                bar.update(len(part))
            pictures = images.content(stimuli, span)
            shards.write_shard(out, number, stimuli.ids[span[0] : span[-1] + 1], arrays, pictures)
    together.wait()
