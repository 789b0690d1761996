"""What a profile needs and costs: data sets, networks, GPU hours, disk. Numbers with '~' are estimates.

The assumptions behind the estimates are printed below the tables; --tflops and --rate replace them by those of your
machine. Nothing is downloaded.
"""

from __future__ import annotations

import json
import sys

from ..cli import add_profile_options, number, profile_from

EXAMPLE = """
humalign plan --profile full
humalign plan --profile full --notebook zero_shot --data ~/humalign-data
humalign plan --tier small                # the first step: cheap; then paper1, paper2, all
humalign plan --profile full --tflops 100 --json > plan.json
humalign plan --profile full --commands --gpus 4 > extract.sh
"""


def configure(parser) -> None:
    """Options of ``humalign plan``."""
    from ..book.costs import PICTURES, TFLOPS

    parser.add_argument("--notebook", nargs="+", metavar="NAME", help="only what these notebooks need")
    add_tier(parser)
    told = f"sustained speed of the GPU, 10^12 operations a second (default: {TFLOPS:g})"
    parser.add_argument("--tflops", type=number(1e-3, 1e9, float), default=TFLOPS, help=told)
    parser.add_argument(
        "--rate",
        type=number(1e-3, 1e9, float),
        default=PICTURES,
        help=f"pictures decoded a second (default: {PICTURES:g})",
    )
    parser.add_argument("--commands", action="store_true", help="print the extractions still to do, one command a line")
    parser.add_argument(
        "--gpus", type=number(1, 100_000), default=1, help="GPUs that each of these commands uses (torchrun)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_profile_options(parser)


def add_tier(parser) -> None:
    """The option --tier."""
    parser.add_argument(
        "--tier", metavar="TIER", help="a step on the way to the whole book: small, paper1, paper2, all"
    )


def main(args) -> int:
    """Print the plan."""
    from ..book.costs import plan
    from ..book.tiers import figures, tier
    from ..errors import InputError

    if args.tier and args.notebook:
        raise InputError("does not go with --notebook", "--tier", "give one of them")
    profile, chosen = profile_from(args), args.tier and tier(args.tier)
    if chosen:
        profile = profile.with_(name="full")
    found = plan(profile, args.notebook, tflops=args.tflops, rate=args.rate, gpus=args.gpus, tier=chosen or None)
    if args.commands:
        print("\n".join(found.commands))
        return 0
    if args.json:
        print(json.dumps(found.as_dict(), indent=1))
        return 0
    if not found.items:
        print(f"Profile {profile.name}: nothing to download; all of it is drawn or comes with the package.")
        return 0
    _show(found, profile)
    if chosen:
        print(f"Tier {chosen.name}: {chosen.title}.")
        print(f"Then: humalign data fetch --tier {chosen.name}; humalign extract --tier {chosen.name}; "
              "HUMALIGN_PROFILE=full make book")  # fmt: skip
        print("\n".join(figures(chosen, profile)))
    return 0


def _show(found, profile) -> None:
    from rich.console import Console
    from rich.table import Table

    wide = Console(width=None if sys.stdout.isatty() else 160, markup=False)
    titles = {"data": "Data sets", "network": "Networks", "features": "Features to extract", "probing": "Probing"}
    for kind, title in titles.items():
        lines = found.of(kind)
        if not lines:
            continue
        grid = Table(title=f"{title}, profile {found.profile}")
        columns = {
            "data": ("name", "bytes", "what", "by hand", "here"),
            "network": ("name", "bytes", "what", "here", "get"),
            "features": ("name", "bytes", "GPU hours", "what"),
            "probing": ("name", "what"),
        }[kind]
        for column in columns:
            justify = "right" if column in ("bytes", "GPU hours") else "left"
            grid.add_column(column, no_wrap=column == "name", justify=justify)
        for x in lines:
            here = "computed" if kind == "probing" else {True: "yes", False: "no", None: "?"}[x.here]
            cells = {
                "name": x.name, "bytes": size(x.bytes, x.estimate), "what": x.what, "by hand": x.by_hand or "nothing",
                "here": here, "get": x.get, "GPU hours": "unknown" if x.hours is None else f"~ {x.hours:.2g}",
            }  # fmt: skip
            grid.add_row(*[cells[c] for c in columns])
        wide.print(grid)
    for line in summary(found):
        print(line)
    if profile.data is None:
        print("'?': no data folder is set (HUMALIGN_DATA or --data)")


def size(value, estimate: bool = True) -> str:
    """Bytes for people; '~' marks an estimate."""
    from ..data.fetch import human

    if value is None:
        return "unknown"
    if not value:
        return "-"
    return ("~ " if estimate else "") + human(value)


def summary(chosen) -> list[str]:
    """The sums as lines."""
    total, lines = chosen.totals, []
    for kind, word in (("data", "data sets"), ("network", "networks"), ("features", "picture sets")):
        one = total[kind]
        if one["lines"]:
            unknown = f" and {one['unknown']} of unknown size" if one["unknown"] else ""
            lines.append(
                f"{one['lines']} {word}: {size(one['bytes'])}{unknown}; {one['here']} here, "
                f"{one['by_hand']} by hand, {size(one['bytes_left'])} left"
            )
    if total["gpu_hours"]:
        lines.append(f"extraction: ~ {total['gpu_hours']:.2g} GPU hours")
    lines.append(f"disk: {size(total['disk_bytes'])}, archives being unpacked need their size once more")
    return lines + [f"estimate: {line}" for line in chosen.assumptions]
