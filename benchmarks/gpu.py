"""What only a GPU machine can check, in one table: the same numbers as on the CPU, and how fast.

    python -m benchmarks.gpu                        (any CUDA machine: under 6 minutes)
    python -m benchmarks.gpu --device cpu --small   (the script itself, on any machine: under a minute)

Needs no download: features, triplets and pictures are drawn at random, networks are untrained. Ends with exit code 1
when a number of the device lies outside its bound.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from humalign import calibration, odd_one_out, probing, resample, rsa, zoo
from humalign.alignet.batches import PoolBatches
from humalign.alignet.images import Pictures
from humalign.alignet.settings import Settings
from humalign.alignet.student import Student
from humalign.alignet.training import Processes, Trainer
from humalign.data.types import Stimuli
from humalign.features import extract
from humalign.probing.engine import Objective, TripletLikelihood
from humalign.similarity import KERNELS, similarity_matrix

from . import extraction
from .measures import OBJECTS, WIDTH, random_triplets
from .probes import planted
from .timing import best, head, once


@dataclass(frozen=True)
class Size:
    """How much is computed."""

    objects: int = OBJECTS
    width: int = WIDTH
    triplets: int = 1_460_000
    towers: tuple[str, ...] = ("timm:resnet18", "timm:vit_base_patch16_224")
    compared: int = 32  # pictures whose features are compared
    pictures: int = 1024  # pictures whose extraction is timed
    batch: int = 128
    strengths: tuple[float, ...] = (0.01, 0.1, 0.3)
    draws: int = 20
    steps: int = 10  # of AligNet
    student_batch: int = 192


SMALL = Size(60, 16, 2_000, ("timm:resnet18", "timm:vit_tiny_patch16_224"), 4, 8, 4, (0.01, 0.1), 5, 2, 8)


class Table:
    """Rows of comparisons and of timings, printed as they come."""

    def __init__(self):
        self.rows: list[dict] = []

    def same(self, what: str, difference: float, bound: float) -> None:
        """A difference between the device and its reference, and how large it may be."""
        ok = bool(difference <= bound)  # NaN is no agreement
        self.rows.append({"what": what, "difference": float(difference), "bound": bound, "ok": ok})
        print(f"  {what:<62}{difference:10.1e}  <= {bound:.0e}  {'' if ok else 'OUTSIDE'}", flush=True)

    def took(self, what: str, seconds: float, note: str = "") -> None:
        """A time."""
        self.rows.append({"what": what, "seconds": float(seconds), "note": note})
        print(f"  {what:<62}{seconds:10.4f} s  {note}", flush=True)

    @property
    def ok(self) -> bool:
        """Whether every difference is within its bound."""
        return all(row.get("ok", True) for row in self.rows)


def host(value) -> np.ndarray:
    """A NumPy array of float64."""
    return (value.detach().cpu().numpy() if torch.is_tensor(value) else np.asarray(value)).astype(np.float64)


def relative(value, reference) -> float:
    """Norm of the difference over norm of the reference."""
    value, reference = host(value), host(reference)
    return float(np.linalg.norm(value - reference) / np.linalg.norm(reference))


def waited(function, device: torch.device):
    """The function, returning when the device has done its work."""

    def call():
        result = function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return call


def measures(table: Table, size: Size, device: torch.device) -> None:
    """Every measure on float32 tensors of the device against NumPy in float64."""
    head("measures: float32 on the device against float64 in NumPy")
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((size.objects, size.width)) for _ in range(2))
    a, b = (torch.tensor(v, dtype=torch.float32, device=device) for v in (x, y))
    triplets = random_triplets(min(size.triplets, 100_000), size.objects)
    for kernel in KERNELS:
        table.same(f"similarity, {kernel}", relative(similarity_matrix(a, kernel), similarity_matrix(x, kernel)), 1e-5)
    there, here = similarity_matrix(a), similarity_matrix(x)
    differ = np.mean(host(odd_one_out.choices(there, triplets)) != odd_one_out.choices(here, triplets))
    table.same("odd-one-out choices that differ, share", differ, 1e-3)
    table.same(
        "odd-one-out accuracy",
        abs(odd_one_out.accuracy(there, triplets) - odd_one_out.accuracy(here, triplets)),
        1e-3,
    )
    p, q = (odd_one_out.probabilities(s, triplets, 0.1) for s in (there, here))
    table.same("probabilities", relative(p, q), 1e-5)
    table.same("entropy", relative(odd_one_out.entropy(p), odd_one_out.entropy(q)), 1e-5)
    error = calibration.expected_calibration_error
    table.same("calibration error", abs(error(p) - error(q)), 1e-3)
    for metric in ("correlation", "cosine", "euclidean"):
        table.same(f"RDM, {metric}", relative(rsa.rdm(a, metric), rsa.rdm(x, metric)), 1e-5)
    for method in ("spearman", "pearson"):
        found = [rsa.compare(rsa.rdm(u), rsa.rdm(v), method) for u, v in ((a, b), (x, y))]
        table.same(f"RDMs compared, {method}", abs(found[0] - found[1]), 1e-5)
    table.same("linear CKA", abs(rsa.cka(a, b) - rsa.cka(x, y)), 1e-5)


def probe(table: Table, size: Size, device: torch.device) -> None:
    """The probe: loss, gradient and fit on the device against the CPU."""
    m, p, n = min(size.objects, 500), min(size.width, 64), min(size.triplets, 40_000)
    head(f"probe: {n:,} triplets, {m} objects x {p}, float32 on the device against float64 on the CPU")
    features, triplets = planted(m, p, n)
    weights = 0.1 * np.random.default_rng(0).standard_normal((p, p))
    found = []
    for where, dtype in ((device, torch.float32), (torch.device("cpu"), torch.float64)):
        x = torch.tensor((features - features.mean()) / features.std(), dtype=dtype, device=where)
        objective = Objective(x, TripletLikelihood(triplets, m, device=where, dtype=dtype), "fro2", 1e-3)
        value, gradient = objective(torch.tensor(weights, dtype=dtype, device=where))
        fitted = probing.fit(features, triplets, penalty="fro2", strength=1e-3, device=where, dtype=dtype)
        similarity = similarity_matrix(fitted.apply(features), "dot")
        found.append((value, gradient, fitted.report["objective"], odd_one_out.accuracy(similarity, triplets)))
    (value, gradient, objective, accuracy), reference = found
    table.same("loss", abs(value - reference[0]) / abs(reference[0]), 1e-5)
    table.same("gradient", relative(gradient, reference[1]), 1e-4)
    table.same("objective of the fit", abs(objective - reference[2]) / abs(reference[2]), 1e-4)
    table.same("accuracy of the fit", abs(accuracy - reference[3]), 2e-3)


def noise(n: int, side: int) -> Stimuli:
    """Pictures of coloured noise, smooth enough to tell apart."""
    coarse = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    pixels = coarse.repeat(-(-side // 8), 1).repeat(-(-side // 8), 2)[:, :side, :side]
    return Stimuli(tuple(f"i{k}" for k in range(n)), "noise", "none", images=np.ascontiguousarray(pixels), name="noise")


def features(table: Table, size: Size, device: torch.device) -> None:
    """Extracted features: float32 and bf16 on the device against float32 on the CPU."""
    for name in size.towers:
        head(f"extraction: {name}, untrained, {size.compared} pictures, against float32 on the CPU")
        model = zoo.load(name, pretrained=False)
        pictures = noise(size.compared, model.preprocess.size)

        def run(where, dtype="float32", batch=size.compared, model=model, pictures=pictures):
            options = {"device": where, "dtype": dtype, "batch_size": batch, "progress": False, "workers": 0}
            return next(iter(extract(model, pictures, ["penultimate"], **options).values())).values

        allowed = torch.backends.cudnn.allow_tf32
        try:
            torch.backends.cudnn.allow_tf32 = False
            reference = run(torch.device("cpu"), batch=1)
            table.same("float32, without TF32", relative(run(device), reference), 1e-4)
        finally:
            torch.backends.cudnn.allow_tf32 = allowed
        table.same(f"float32, as humalign extract runs (TF32 {allowed})", relative(run(device), reference), 5e-3)
        half = run(device, "bf16")
        table.same("bf16", relative(half, reference), 5e-2)
        table.same(
            "bf16: cosine similarities, largest difference",
            np.abs(similarity_matrix(half) - similarity_matrix(reference)).max(),
            2e-2,
        )


def throughput(table: Table, size: Size, device: torch.device) -> None:
    """Images per second of the extraction beside the bare forward pass."""
    for name in size.towers:
        for dtype in ("float32", "bf16"):
            head(f"throughput: {name}, {dtype}, {size.pictures} images, batches of {size.batch}")
            found = extraction.measure(name, size.pictures, size.batch, str(device), dtype, 2, None)
            for key, what in extraction.NAMES.items():
                share = "" if key == "bare" else f", {100 * found[key] / found['bare']:.1f} % of the forward pass"
                table.took(f"{name} {dtype}: {what}", size.pictures / found[key], f"{found[key]:,.0f} images/s{share}")


def at_the_size_of_things(table: Table, size: Size, device: torch.device) -> None:
    """Zero-shot accuracy, probe, RDMs with Spearman correlation and bootstrap."""
    head(f"{size.triplets:,} triplets, {size.objects:,} objects x {size.width}")
    values, triplets = planted(size.objects, size.width, size.triplets)
    x = torch.tensor(values, device=device)
    sets = torch.tensor(triplets, device=device)

    def zero_shot(features, triplets):
        return odd_one_out.accuracy(similarity_matrix(features), triplets)

    table.took("zero-shot accuracy, NumPy", best(lambda: zero_shot(values, triplets)))
    table.took("zero-shot accuracy, device", best(waited(lambda: zero_shot(x, sets), device)))
    table.same("  the two accuracies", abs(zero_shot(x, sets) - zero_shot(values, triplets)), 1e-4)
    standard = (x - x.mean()) / x.std()
    seconds, likelihood = once(waited(lambda: TripletLikelihood(triplets, size.objects, device=device), device))
    table.took("probe: indices of pairs, once a data set", seconds)
    objective = Objective(standard, likelihood, "fro2", 1e-3)
    weights = 0.02 * torch.randn(size.width, size.width, generator=torch.Generator().manual_seed(0)).to(device)
    table.took("probe: loss and gradient", best(waited(lambda: objective(weights), device)))
    seconds, found = once(lambda: probing.cross_validate(x, triplets, size.strengths, device=device))
    held = found.groupby("strength")["ce"].mean().min()
    table.took(f"probe: 3 folds x {len(size.strengths)} strengths", seconds, f"best held-out loss {held:.4f}")
    other = torch.tensor(np.random.default_rng(1).standard_normal(values.shape), dtype=torch.float32, device=device)
    table.took("two RDMs and their Spearman correlation", best(lambda: rsa.compare(rsa.rdm(x), rsa.rdm(other))))
    a, b = host(rsa.rdm(x)), host(rsa.rdm(other))
    a, b = rsa.upper_triangle(a), rsa.upper_triangle(b)
    seconds, _ = once(lambda: resample.pair_correlation(a, b, size.draws))
    table.took(f"bootstrap of it, {size.draws} draws of objects (on the CPU)", seconds)


def steps(name: str, device: torch.device, precision: str, images: int, count: int):
    """A few steps of AligNet with labels drawn at random: seconds of each, losses."""
    torch.manual_seed(0)
    student = Student(zoo.load(name, pretrained=False, head=False), head=1024)
    pictures = noise(2 * images, student.side)
    values = np.random.default_rng(0).standard_normal((2 * images, 32)).astype(np.float32)
    batches = PoolBatches(values, Pictures(pictures.ids, pictures.images, student.side), count, images, "random")
    settings = Settings(steps=count, warmup=1, batch=images, precision=precision, batch_norm="frozen")
    ends = [time.perf_counter()]

    def progress(*_):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        ends.append(time.perf_counter())

    outcome = Trainer(student, batches, settings, group=Processes(0, 1, device)).run(progress=progress)
    return np.diff(ends), np.array([row["loss"] for row in outcome.log])


def alignet(table: Table, size: Size, device: torch.device) -> None:
    """AligNet: losses of the first steps against the CPU, and the time of a step."""
    head("AligNet: jsd, a step = forward, backward, AdamToStart")
    few = min(16, size.student_batch)
    for name in size.towers:
        losses = [
            steps(name, where, "float32", few, 2)[1] for where in (device, torch.device("cpu"))
        ]  # fmt: skip
        table.same(f"{name}: losses of two steps, {few} pictures, float32", relative(*losses), 1e-3)
        seconds, _ = steps(name, device, "bfloat16", size.student_batch, size.steps)
        usual = float(np.median(seconds[1:]))
        table.took(f"{name}: a step, bf16", usual, f"{size.student_batch / usual:,.0f} pictures/s")


PARTS = (measures, probe, features, throughput, at_the_size_of_things, alignet)


def main(argv=None) -> int:
    """Command line of ``python -m benchmarks.gpu``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1, cpu")
    parser.add_argument("--small", action="store_true", help="tiny sizes: does the script itself run?")
    parser.add_argument("--json", metavar="FILE", help="write the rows of the table there, too")
    args = parser.parse_args(argv)
    device, size = torch.device(args.device), SMALL if args.small else Size()
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; give --device cpu --small to try the script")
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    print(f"{card}, torch {torch.__version__}, {torch.get_num_threads()} CPU threads")
    table, began = Table(), time.perf_counter()
    for part in PARTS:
        part(table, size, device)
    seconds = time.perf_counter() - began
    wrong = [row["what"].strip() for row in table.rows if not row.get("ok", True)]
    print(f"\n{seconds:.0f} s. " + (f"Outside their bounds: {'; '.join(wrong)}" if wrong else "All within bounds."))
    if args.json:
        about = {"card": card, "torch": torch.__version__, "seconds": seconds, "rows": table.rows}
        Path(args.json).write_text(json.dumps(about, indent=1) + "\n", "utf8")
    return 0 if table.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
