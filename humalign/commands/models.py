"""List networks and what is known of them, and fetch published weights: the mini world's, and all of both papers."""

from __future__ import annotations

from ..cli import add_profile_options

EXAMPLE = """
humalign models                          # everything
humalign models --profile full --group "Self-Supervised"
humalign models resnet50                 # all facts of one network
humalign models alexnet --layers         # its layers
humalign models resnet50 --stages        # a few of them along its depth, for 'humalign extract --layers'
humalign models fetch alignet            # weights that lie in the data folder: alignet, losses, augreg, or a name
"""
SHOWN = ("model", "name", "family", "group", "objective", "parameters", "reference_accuracy", "width", "weights")


def configure(parser) -> None:
    """Options of ``humalign models``."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="show one network; 'fetch': get weights of NAME ...")
    parser.add_argument("names", nargs="*", metavar="NAME", help="with fetch: networks, or alignet, losses, augreg")
    parser.add_argument("--yes", action="store_true", help="with fetch: do not ask first")
    parser.add_argument("--port", action="store_true", help="with fetch: also the public port of SigLIP2-B, to compare")
    parser.add_argument("--group", help="only this training group")
    parser.add_argument("--family", help="only this architecture family")
    parser.add_argument("--extras", action="store_true", help="also networks that the papers' figures do not show")
    parser.add_argument("--layers", action="store_true", help="list the layers of MODEL (built without weights)")
    parser.add_argument("--stages", action="store_true", help="name layers of MODEL along its depth, for 'extract'")
    parser.add_argument("--json", metavar="FILE", help="write the table, or MODEL's facts, as JSON ('-': print it)")
    add_profile_options(parser)


def _one(args) -> int:
    from ..zoo import facts_of, load
    from ..zoo.loading import PREFIXES, unknown

    name = args.model
    if args.stages:
        from ..features.stages import stages_of

        print(*stages_of(name))
        return 0
    if args.layers:
        model = load(name, pretrained=False)
        named = {spec: alias for alias, spec in model.layers.items()}
        for layer in model.layer_names():
            aliases = [a for s, a in named.items() if s.partition("@")[0].partition(":")[0] == layer]
            print(layer + (f"    ({', '.join(aliases)})" if aliases else ""))
        return 0
    row = facts_of(name)
    if row is None and name.partition(":")[0] in PREFIXES:
        model = load(name, pretrained=False)
        row = {
            "model": name,
            "parameters": sum(p.numel() for p in model.module.parameters()),
            **model.layers,
            "preprocessing": model.preprocess.describe(),
        }
    if row is None:
        raise unknown(name)
    if args.json:
        return _json(row, args.json)
    for key, value in row.items():
        if value not in (None, ""):
            print(f"{key:<20} {value:,.0f}" if key == "parameters" else f"{key:<20} {value}")
    return 0


def _fetch(args) -> int:
    """Get published weights; 2 where some are missing or do not fit."""
    from ..cli import profile_from
    from ..errors import InputError
    from ..zoo.published import FAMILIES, fetch
    from .data import ask

    if not args.names:
        raise InputError("names nothing", "models fetch", f"name networks, or {', '.join(FAMILIES)}")
    done = fetch(args.names, profile_from(args), ask=None if args.yes else ask, port=args.port)
    return 0 if done else 2


def _json(found, where: str) -> int:
    """Write a record, or a list of records, as JSON; NaN becomes null."""
    import json
    import math

    from ..store import write_text

    def plain(record):
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in record.items()}

    found = plain(found) if isinstance(found, dict) else [plain(record) for record in found]
    text = json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"
    print(text, end="") if where == "-" else write_text(where, text)
    return 0


def main(args) -> int:
    """Print one network or the table, or fetch weights."""
    if args.model == "fetch":
        return _fetch(args)
    if args.names:
        from ..errors import InputError

        raise InputError(f"does not go with '{args.names[0]}'", args.model, "name one network, or 'fetch' and networks")
    if args.model:
        return _one(args)
    from ..errors import InputError
    from ..zoo import table

    if args.layers or args.stages:
        raise InputError("needs a network", "--layers" if args.layers else "--stages", "humalign models MODEL ...")
    frame = table(args.profile, extras=args.extras or args.profile is None)
    for column in ("group", "family"):
        if wanted := getattr(args, column):
            known = sorted(set(frame[column].dropna()))
            if wanted not in known:
                raise InputError(f"'{wanted}' is not known", f"--{column}", f"choose one of {', '.join(known)}")
            frame = frame[frame[column] == wanted]
    if args.json:
        return _json(frame.to_dict("records"), args.json)
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, pad_edge=False)
    for column in SHOWN:
        grid.add_column(column, justify="right" if column in ("parameters", "reference_accuracy", "width") else "left")
    for row in frame.to_dict("records"):
        public = row["public"] is True or str(row["public"]) == "True"
        row["weights"] = (
            "public"
            if public
            else f"stand-in: {row['stand_in']}"
            if isinstance(row["stand_in"], str) and row["stand_in"]
            else "features only"
        )
        grid.add_row(*[_cell(row.get(column), column) for column in SHOWN])
    import shutil
    import sys

    Console(width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 200, markup=False).print(grid)
    print(f"{len(frame)} networks")
    return 0


def _cell(value, column: str) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if column == "parameters":
        return f"{value / 1e6:.2f} M"
    if column == "reference_accuracy":
        return f"{value:.3f}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
