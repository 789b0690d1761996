"""List, verify, locate, fetch and import data sets."""

from __future__ import annotations

import json
import sys

EXAMPLE = """
humalign data list --profile slice --data ~/humalign-data
humalign data verify 'things/*' --profile slice --data ~/humalign-data
humalign data where cichy2019 --profile full
humalign data fetch --tier small --data ~/humalign-data    # asks nothing; call again to go on
humalign data order features.npy --data ~/humalign-data
humalign data import ~/Downloads/BEHAVIOR.mat --as king2019/set1 --profile full --data ~/humalign-data
"""


def configure(parser) -> None:
    """Actions and options of ``humalign data``."""
    from ..cli import add_profile_options
    from .plan import add_tier

    actions = parser.add_subparsers(dest="action", required=True, metavar="{list,verify,where,order,fetch,import}")

    def action(name, names, line):
        sub = actions.add_parser(name, help=line, description=line)
        if names:
            sub.add_argument("names", nargs=names, metavar="FILE" if name in ("import", "order") else "NAME")
        add_profile_options(sub)
        if name in ("list", "verify", "where", "order"):
            sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    action("list", None, "what there is, and what of it is on this machine")
    action("verify", "*", "read, count and check what is on this machine (a NAME may end in *)")
    action("where", "+", "where it comes from, its licence, its files and how to get it")
    order = action("order", "+", "which row order of the THINGS concepts a file is in, judged by people's choices")
    order.add_argument("--layer", metavar="NAME", help="which array, where a file holds several")
    fetch = action("fetch", "*", "download what is open")
    fetch.add_argument("--yes", action="store_true", help="do not ask first")
    add_tier(fetch)
    adopt = action("import", "+", "adopt a file or folder you already have")
    adopt.add_argument("--as", dest="entry", metavar="NAME", required=True, help="data set it belongs to")
    adopt.add_argument("--key", help="which of its files, where the file name does not tell")
    adopt.add_argument("--link", action="store_true", help="link instead of copying")
    adopt.add_argument("--accept", action="store_true", help="accept a file whose checksum is another one")


def main(args) -> int:
    """Run one action; 0 = well, 2 = something is wrong with data or input."""
    profile = _profile(args)
    actions = {"list": _list, "verify": _verify, "where": _where, "order": _order, "fetch": _fetch, "import": _import}
    return actions[args.action](args, profile)


def _profile(args):
    """The profile; where none is named and a data folder is given, everything that can lie in one ("full")."""
    import os

    from ..cli import profile_from

    profile = profile_from(args)
    if not args.profile and not os.environ.get("HUMALIGN_PROFILE") and profile.data is not None:
        return profile.with_(name="full")
    return profile


def _root(profile):
    """The folder that the profile reads: the data folder, or that of the drawn world; None where there is none."""
    from ..source import open_source

    return open_source(profile).root


def _list(args, profile) -> int:
    import pandas as pd

    from ..data import registry
    from ..data.plain import OWNER, studies

    asked = bool(args.profile or profile.data)
    frame, told = (registry.table(profile), profile.name) if asked else (registry.table(), "slice and full")
    root = _root(profile) if asked else None
    if root is not None:
        licence = registry.manifest(root).get("licence", OWNER)
        own = [{"name": name, "kind": "study", "licence": licence, "here": True} for name in studies(root)]
        frame = pd.concat([frame, pd.DataFrame(own)], ignore_index=True).fillna("") if own else frame
    if args.json:
        print(frame.to_json(orient="records", indent=1, force_ascii=False))
        return 0
    from rich.console import Console
    from rich.table import Table

    wide = Console(width=None if sys.stdout.isatty() else 160, markup=False)
    grid = Table(title=f"Data sets, profile {told}" + (f", {root}" if root else ""))
    for column in ("name", "kind", "size", "licence", "by hand", "here"):
        grid.add_column(column, no_wrap=column == "name")
    for row in frame.itertuples():
        here = {True: "yes", False: "no"}.get(row.here, "?")
        grid.add_row(row.name, row.kind, row.size, row.licence, row.by_hand or "nothing", here)
    wide.print(grid)
    if not asked:
        print("the drawn world: humalign data list --profile mini")
    if frame["here"].isna().any():
        print("'?': no data folder is set (HUMALIGN_DATA or --data)")
    return 0


def _verify(args, profile) -> int:
    from ..data.verify import verify
    from ..errors import InputError

    if (root := _root(profile)) is None:
        raise InputError("needs a data folder", "data verify", "point HUMALIGN_DATA or --data at it")
    reports = verify(profile, args.names, root)
    if args.json:
        print(json.dumps([report.as_dict() for report in reports], indent=1, default=float))
    else:
        for report in reports:
            if report.status == "missing" and not args.names:
                continue
            told = ", ".join(f"{value} {key}" for key, value in report.facts.items() if isinstance(value, int))
            sums = f"; {report.checksums} of {report.checksums + report.unknown} files with known checksum"
            print(f"{report.status:<8} {report.name:<34} {told}{sums if report.checksums + report.unknown else ''}")
            for problem in report.problems:
                print(f"         {problem}")
            for note in report.notes:
                print(f"         note: {note}")
        counts = {s: sum(r.status == s for r in reports) for s in ("ok", "problem", "missing")}
        print(f"{counts['ok']} ok, {counts['problem']} with problems, {counts['missing']} not here")
    bad = [r for r in reports if r.status == "problem" or (args.names and r.status == "missing")]
    return 2 if bad else 0


def _where(args, profile) -> int:
    from ..data.describe import describe, describe_text

    chosen = [_any(name, profile) for name in args.names]
    if args.json:
        print(json.dumps([describe(one, profile) for one in chosen], indent=1))
        return 0
    for one in chosen:
        print(describe_text(one, profile))
    return 0


def _order(args, profile) -> int:
    from ..data import row_orders
    from ..data.features_file import read_values

    told = []
    for name in args.names:
        found = row_orders.detect(read_values(name, args.layer), data=profile.data)
        told.append({"file": name, "order": found.best, "candidates": list(found.candidates), "reason": found.reason,
                     "layout": found.layout, "kind": found.kind, "table": found.table.to_dict("records"),
                     "pairs": found.pairs.to_dict("records")})  # fmt: skip
        if args.json:
            continue
        print(f"{name}: {found.best or 'undecided'}")
        print(f"  {found.reason}")
        if found.layout:
            print(f"  {found.layout}")
        print("  trials that touch a concept whose row differs between the orders:")
        print(f"  {'order':<8} {'accuracy':>8} {'standard error':>15} {'trials':>9}")
        for row in found.table.itertuples():
            print(f"  {row.order:<8} {row.accuracy:>8.3f} {row.standard_error:>15.3f} {row.n:>9,}")
        for row in found.pairs.itertuples():
            shares = f"{row.accuracy:.3f} and {row.other_accuracy:.3f}"
            print(f"  {row.order} against {row.other}: {shares} of {row.n:,} trials that differ; z = {row.z:.1f}")
    if args.json:
        print(json.dumps(told if len(told) > 1 else told[0], indent=1))
    return 0


def _any(name, profile):
    from ..data import registry
    from ..errors import InputError

    try:
        return registry.entry(name, profile)
    except InputError:
        return registry.entry(name)


def _fetch(args, profile) -> int:
    from ..data.fetch import fetch
    from ..errors import InputError

    if bool(args.tier) == bool(args.names):
        raise InputError("name data sets or a tier" if not args.tier else "does not go with names",
                         "data fetch" if not args.tier else "--tier", "humalign data list; humalign plan")  # fmt: skip
    if args.tier:
        from ..book import tiers

        return 0 if tiers.fetch(args.tier, profile.with_(name="full")) else 2
    done = [fetch(name, profile, ask=None if args.yes else ask, say=print) for name in args.names]
    return 0 if all(done) else 2


def ask(question: str) -> bool:
    """Whether the reader at the terminal says yes.

    Raises
    ------
    InputError
        Where nobody sits at a terminal.
    """
    from ..errors import InputError

    if not sys.stdin.isatty():
        raise InputError("needs a yes before it downloads", "fetch", "repeat with --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _import(args, profile) -> int:
    from ..data.adopt import adopt

    for name in args.names:
        print(adopt(name, args.entry, profile, key=args.key, link=args.link, accept=args.accept))
    return 0
