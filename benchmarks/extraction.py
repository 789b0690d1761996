"""Throughput of the extraction against the bare forward pass: images already decoded, and JPEG files.

    python -m benchmarks extraction
    python -m benchmarks.extraction [--model torchvision:resnet18] [--images 256] [--device auto]

Prints images per second of both, best of several interleaved rounds, and their ratio; on a CPU also the ratio of CPU
seconds, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from humalign import zoo
from humalign.data.types import Stimuli
from humalign.features import extract, from_folder

from .timing import head, line


def bare(model, x, batch: int, device, dtype: str) -> None:
    """The forward pass alone, on tensors that lie ready on the device."""
    import torch

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bf16"):
        for part in x.split(batch):
            model.module(part)
        wait()


def timed(function) -> np.ndarray:
    """Seconds on the clock and CPU seconds of a call."""
    start = time.perf_counter(), time.process_time()
    function()
    return np.array([time.perf_counter() - start[0], time.process_time() - start[1]])


def measure(name: str, images: int, batch: int, device: str, dtype: str, rounds: int, workers) -> dict:
    """Images per second: bare, decoded images in memory, decoded images to shards, JPEG files to shards."""
    from PIL import Image

    from humalign.features.extraction import Ranks, _device

    device = _device(device, Ranks())
    model = zoo.load(name, pretrained=False)
    model.module.to(device)
    size = model.preprocess.size
    decoded = model.preprocess.with_(resize=size)
    files_model, model.preprocess = model.preprocess, decoded
    pixels = np.random.default_rng(0).integers(0, 256, (images, size, size, 3), dtype=np.uint8)
    seen = Stimuli(tuple(f"i{k}" for k in range(images)), "noise", "none", images=pixels, name="noise")
    import torch

    x = torch.cat([decoded.arithmetic(torch.from_numpy(part).to(device)) for part in np.array_split(pixels, 8)])
    layers = ["penultimate"]
    model.checksum  # noqa: B018  (once, not in the timing)
    options = {"batch_size": batch, "device": device, "dtype": dtype, "workers": workers, "progress": False}
    best = {key: np.full(2, np.inf) for key in ("bare", "memory", "shards", "files")}

    def keep(key, function):
        best[key] = np.minimum(best[key], timed(function))

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "jpg").mkdir()
        for k, one in enumerate(pixels):
            wide = Image.fromarray(one).resize((size * 3 // 2, size * 5 // 4), Image.Resampling.BICUBIC)
            wide.save(folder / "jpg" / f"i{k}.jpg", quality=90)
        jpg = from_folder(folder / "jpg")
        bare(model, x[:batch], batch, device, dtype)  # warm
        for number in range(rounds):
            keep("bare", lambda: bare(model, x, batch, device, dtype))
            keep("memory", lambda: extract(model, seen, layers, **options))
            out = folder / f"shards{number}"
            keep("shards", lambda out=out: extract(model, seen, layers, out=out, **options))
        model.preprocess = files_model
        for number in range(max(1, rounds // 2)):
            out = folder / f"files{number}"
            keep("files", lambda out=out: extract(model, jpg, layers, out=out, **options))
    return {
        "model": name, "device": str(device), "dtype": dtype, "images": images, "batch": batch,
        **{key: images / float(seconds[0]) for key, seconds in best.items()},
        **{f"{key}_cpu_seconds": float(seconds[1]) for key, seconds in best.items()},
    }  # fmt: skip


NAMES = {
    "bare": "forward pass alone",
    "memory": "decoded images, kept in memory",
    "shards": "decoded images, to shards",
    "files": "JPEG files, to shards",
}


def extraction(name: str = "torchvision:resnet18", images: int = 256, batch: int = 32) -> None:
    """Images to features beside the bare forward pass, as one of ``python -m benchmarks``: share of its throughput."""
    import torch

    head(f"extraction: {name}, untrained, {images} images, batches of {batch}")
    found = measure(name, images, batch, "auto", "bf16" if torch.cuda.is_available() else "float32", 3, None)
    for key, what in NAMES.items():
        share = "" if key == "bare" else f"{100 * found[key] / found['bare']:.1f} % of the forward pass"
        target = "" if key in ("bare", "files") else ">= 90 %"
        line(f"{what} ({found['device']}, {found['dtype']})", images / found[key], None, target, share)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="torchvision:resnet18")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    found = measure(
        args.model, args.images, args.batch_size, args.device, args.dtype, args.rounds, args.workers
    )  # fmt: skip
    print(
        f"{found['model']} on {found['device']}, {found['dtype']}, {found['images']} images, "
        f"batches of {found['batch']}"
    )
    for key, name in NAMES.items():
        told = f"  {name:<32}{found[key]:9.1f} images/s   {100 * found[key] / found['bare']:5.1f} % of the forward pass"
        if found["device"] == "cpu":
            told += f"   ({100 * found['bare_cpu_seconds'] / found[f'{key}_cpu_seconds']:5.1f} % by CPU seconds)"
        print(told)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
