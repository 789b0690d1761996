"""Time and memory of writing AligNet triplets: sample, label, order and store, from features on disk.

    python benchmarks/alignet_stream.py --images 64000 --width 1152 -n 200000 --memory 256

Prints triplets per second, peak anonymous memory (what the process itself holds) and peak resident memory (which counts
pages of the mapped feature file, too), and what that means for 10 million triplets over 1.28 million images.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from humalign.alignet.dataset import write_triplets
from humalign.alignet.sampling import Groups
from humalign.data.alignet import TripletFile


class Memory(threading.Thread):
    """Highest anonymous and resident memory of this process, in bytes, looked at every 20 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.anonymous = self.resident = 0
        self.over = threading.Event()

    def run(self):
        """Look until told to stop."""
        while not self.over.wait(0.02):
            lines = dict(
                line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
            )
            self.anonymous = max(self.anonymous, 1024 * int(lines["RssAnon"].split()[0]))
            self.resident = max(self.resident, 1024 * int(lines["VmRSS"].split()[0]))


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64_000)
    parser.add_argument("--width", type=int, default=1152)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("-n", "--triplets", type=int, default=200_000)
    parser.add_argument("--memory", type=int, default=256, metavar="MB")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        features = np.lib.format.open_memmap(f"{folder}/z.npy", "w+", np.float32, (args.images, args.width))
        for start in range(0, args.images, 4096):
            features[start : start + 4096] = rng.standard_normal((len(features[start : start + 4096]), args.width))
        features.flush()
        del features
        values = np.load(f"{folder}/z.npy", mmap_mode="r")
        names = [f"n{i % 1000:08d}_{i}.JPEG" for i in range(args.images)]
        groups = Groups(rng.integers(args.clusters, size=args.images))
        watch = Memory()
        watch.start()
        began, cpu = time.perf_counter(), time.process_time()
        path = Path(folder) / "train_cluster_border_500.npz"
        write_triplets(path, args.triplets, "cluster_border", values, names, groups, memory=args.memory << 20)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        watch.over.set()
        watch.join()
        began = time.perf_counter()
        rows = len(TripletFile.read(path))
        checked = time.perf_counter() - began
        size = path.stat().st_size
    print(f"{args.images:,} images x {args.width}, {rows:,} triplets, pieces of {args.memory} MB")
    print(
        f"  {rows / seconds:,.0f} triplets/s ({rows / cpu:,.0f} per CPU second); checking {rows / checked:,.0f} rows/s"
    )
    print(f"  peak memory {watch.anonymous / 2**20:,.0f} MB own, {watch.resident / 2**20:,.0f} MB with mapped pages")
    print(
        f"  file {size / 2**20:,.0f} MB; 10 million triplets: {10e6 / rows * cpu / 60:,.0f} CPU minutes, "
        f"{10e6 / rows * size / 2**30:.1f} GB"
    )


if __name__ == "__main__":
    main()
