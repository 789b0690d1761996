"""Run benchmarks and print them beside plain references of the same run."""

import argparse
import os
import platform

from .timing import head

NAMES = ("zero_shot", "rsa", "loss", "solvers", "mini", "cv", "extraction")


def main(argv=None) -> int:
    """Command line of ``python -m benchmarks``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones (default: all): {', '.join(NAMES)}")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own choice)")
    args = parser.parse_args(argv)
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; choose {', '.join(NAMES)}")
    import torch

    from . import extraction, measures, probes

    if args.threads:
        torch.set_num_threads(args.threads)
    functions = dict(
        zip(
            NAMES,
            (
                measures.zero_shot,
                measures.representational_similarity,
                probes.loss_and_gradient,
                probes.solvers,
                probes.mini,
                probes.cross_validation,
                extraction.extraction,
            ),
        )
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    head(f"{platform.machine()}, {os.cpu_count()} processors, {torch.get_num_threads()} torch threads{load}")
    print(f"  {'what':<58}{'best time':>11} {'reference /':>10}  target")
    for name in args.names or NAMES:
        functions[name]()
    return 0
