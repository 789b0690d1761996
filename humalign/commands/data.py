"""List, verify, locate, fetch and import data sets.

list             what there is and what is at hand
verify [NAME]    read, count and check what is at hand (a NAME may end in *)
where NAME       where it comes from, its licence, files and how to get it
fetch NAME       download what is open; otherwise the steps to take
import FILE      adopt a file or folder you already have
"""

from __future__ import annotations

import json
import sys

EXAMPLE = """
humalign data list --profile slice --data ~/humalign-data
humalign data verify 'things/*' --profile slice --data ~/humalign-data
humalign data where cichy2019 --profile full
humalign data import ~/Downloads/BEHAVIOR.mat --as king2019/set1 --profile full --data ~/humalign-data
"""


def configure(parser) -> None:
    """Options of ``humalign data``."""
    from ..cli import add_profile_options

    add_profile_options(parser)
    parser.add_argument("action", choices=("list", "verify", "where", "fetch", "import"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="data sets (verify, where, fetch) or files (import)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--as", dest="entry", metavar="NAME", help="import: which data set the file belongs to")
    parser.add_argument("--key", help="import: which of its files, where the file name does not tell")
    parser.add_argument("--link", action="store_true", help="import: link instead of copying")
    parser.add_argument("--accept", action="store_true", help="import: accept a file whose checksum is another one")
    parser.add_argument("--yes", action="store_true", help="fetch: do not ask before downloading")


def main(args) -> int:
    """Run one action; 0 = well, 2 = something is wrong with data or input."""
    from ..cli import profile_from
    from ..errors import InputError

    profile = profile_from(args)
    if args.action == "list" and args.names:
        raise InputError("takes no names", "data list", "use 'humalign data where NAME'")
    return {"list": _list, "verify": _verify, "where": _where, "fetch": _fetch, "import": _import}[args.action](
        args, profile
    )


def _list(args, profile) -> int:
    from ..data import registry

    frame = registry.table(profile if args.profile or profile.data else None)
    if args.json:
        print(frame.to_json(orient="records", indent=1, force_ascii=False))
        return 0
    from rich.console import Console
    from rich.table import Table

    wide = Console(width=None if sys.stdout.isatty() else 160)
    grid = Table(title=f"Data sets, profile {profile.name}" + (f", {profile.data}" if profile.data else ""))
    for column in ("name", "kind", "size", "licence", "needs", "here"):
        grid.add_column(column, no_wrap=column == "name")
    for row in frame.itertuples():
        here = {True: "yes", False: "no", None: "computed" if row.profiles == "mini" else "?"}[row.here]
        grid.add_row(row.name, row.kind, row.size, row.licence, row.needs or "nothing", here)
    wide.print(grid)
    if profile.name != "mini" and profile.data is None:
        print("'?': no data folder is set (HUMALIGN_DATA or --data)")
    return 0


def _verify(args, profile) -> int:
    from ..data.verify import verify
    from ..errors import InputError

    if profile.name != "mini" and profile.data is None:
        raise InputError("needs a data folder", "data verify", "point HUMALIGN_DATA or --data at it")
    reports = verify(profile, args.names)
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
        counts = {s: sum(r.status == s for r in reports) for s in ("ok", "problem", "missing")}
        print(f"{counts['ok']} ok, {counts['problem']} with problems, {counts['missing']} not here")
    bad = [r for r in reports if r.status == "problem" or (args.names and r.status == "missing")]
    return 2 if bad else 0


def _where(args, profile) -> int:
    from ..data import registry
    from ..errors import InputError

    if not args.names:
        raise InputError("needs a name", "data where", "'humalign data list' shows all")
    chosen = [registry.entry(name) if profile.name != "mini" else _any(name, profile) for name in args.names]
    if args.json:
        print(json.dumps([registry.describe(one, profile) for one in chosen], indent=1))
        return 0
    for one in chosen:
        print(registry.describe_text(one, profile))
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

    if not args.names:
        raise InputError("needs a name", "data fetch", "'humalign data list' shows all")
    done = [fetch(name, profile, ask=None if args.yes else _ask, say=print) for name in args.names]
    return 0 if all(done) else 2


def _ask(question: str) -> bool:
    from ..errors import InputError

    if not sys.stdin.isatty():
        raise InputError("needs a yes before it downloads", "data fetch", "repeat with --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _import(args, profile) -> int:
    from ..data.fetch import adopt
    from ..errors import InputError

    if not args.entry or not args.names:
        raise InputError("needs files and --as NAME", "data import", "humalign data import FILE --as NAME")
    for name in args.names:
        print(adopt(name, args.entry, profile, key=args.key, link=args.link, accept=args.accept))
    return 0
