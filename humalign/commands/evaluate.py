"""Report card of one model: odd-one-out choices, RSA and calibration on every data set at hand, with human ceilings.

NAME_OR_FILE is a network (see 'humalign models'; timm:NAME, open_clip:ARCH/TAG and torchvision:NAME work too), a file
with features and ids (.npy, .npz, .safetensors, .h5), a folder that 'humalign extract' wrote, or choices of whatever
chose: a .csv file with the columns a, b, c (three names) and odd (one of them), perhaps model and person. A network is
shown the pictures at hand; features are compared with the data sets whose ids they have, choices with people's answers
to the same questions.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..cli import add_profile_options, profile_from

EXAMPLE = """
humalign evaluate softmax-resnet-m
humalign evaluate timm:resnet18.a1_in1k --html resnet18.html --json resnet18.json
humalign evaluate my_features.npz --data DATA
humalign evaluate choices.csv --data DATA --json choices.json
"""


def configure(parser) -> None:
    """Options of ``humalign evaluate``."""
    parser.add_argument("model", metavar="NAME_OR_FILE")
    parser.add_argument("--json", metavar="FILE", help="write all numbers as JSON ('-': print them)")
    parser.add_argument("--html", metavar="FILE", help="write one page with figures and numbers")
    parser.add_argument("--plots", metavar="DIR", help="write the page, its figures (SVG) and a CSV into a folder")
    parser.add_argument("--layer", metavar="NAME", help="layer of a features file that holds several")
    parser.add_argument("--ids", metavar="FILE", help="ids of the rows of a features file, one a line")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights of the network from this file")
    parser.add_argument("--untrained", action="store_true", help="random weights")
    parser.add_argument(
        "--preprocess", choices=("own", "paper1", "alignet"), default="own", help="see 'humalign extract'"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of random weights, or which training run of a mini network"
    )
    parser.add_argument("--no-probe", action="store_true", help="fit no transforms (quicker)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws behind each interval")
    add_profile_options(parser)


def main(args) -> int:
    """Measure, print, write."""
    from .. import report
    from ..errors import InputError

    if args.bootstrap < 10:
        raise InputError(f"is {args.bootstrap}", "--bootstrap", "give at least 10")
    profile = profile_from(args)
    if Path(args.model).suffix == ".csv":
        return _write(args, _of_choices(args, profile))
    what = report.subject(
        args.model, pretrained=not args.untrained, checkpoint=args.checkpoint, seed=args.seed,
        preprocess=args.preprocess, layer=args.layer, ids=args.ids, profile=profile,
    )  # fmt: skip
    quiet = not sys.stderr.isatty()
    found = report.card(
        what, profile, drawn=profile.name == "mini", probe=not args.no_probe, n_boot=args.bootstrap,
        say=None if quiet else lambda line: print(line, file=sys.stderr), where=args.model,
    )  # fmt: skip
    return _write(args, found)


def _of_choices(args, profile):
    from .. import report
    from ..data import choices
    from ..errors import InputError

    given = {"--layer": args.layer, "--ids": args.ids, "--checkpoint": args.checkpoint, "--untrained": args.untrained}
    if meant := [name for name, value in given.items() if value]:
        raise InputError("has no meaning for choices", meant[0], "leave it out")
    return report.choices_card(choices.read(args.model), profile, drawn=profile.name == "mini", where=args.model)


def _write(args, found) -> int:
    from .. import report
    from ..store import write_json

    if args.json == "-":
        import json

        print(json.dumps(found.as_dict(), indent=1, ensure_ascii=False, sort_keys=True))
    else:
        _show(found, report.summary(found))
        if args.json:
            print(write_json(args.json, found.as_dict()))
    if args.html or args.plots:
        from ..plots import card

        for path in ([card.write_page(found, args.html)] if args.html else []) + (
            card.write_folder(found, args.plots) if args.plots else []
        ):
            print(path, file=sys.stderr if args.json == "-" else sys.stdout)
    return 0


def _show(found, short) -> None:
    import shutil

    from rich.console import Console
    from rich.table import Table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 140
    console = Console(width=width, highlight=False)
    grid = Table(box=None, pad_edge=False, title=f"Report card: {found.model}", title_justify="left")
    several = short["model"].nunique() > 1
    for name in ("data set", *(["model"] if several else []), "layer", "stage", "measure", "detail"):
        grid.add_column(name)
    for name in ("value", "95 % interval", "ceiling", "of the way", "n"):
        grid.add_column(name, justify="right", no_wrap=True)
    last = None
    for row in short.itertuples():
        interval = f"{row.low:.3f} to {row.high:.3f}" if row.low == row.low else ""
        ceiling = f"{row.ceiling:.3f}" if row.ceiling == row.ceiling else ""
        share = f"{100 * row.share:.0f} %" if row.share == row.share else ""
        name = row.dataset if row.dataset != last else ""
        last = row.dataset
        model = [row.model] if several else []
        grid.add_row(name, *model, row.layer, row.stage, row.measure, row.detail, f"{row.value:.3f}", interval, ceiling,
                     share, f"{row.n:,}")  # fmt: skip
    console.print(grid)
    people = found.table[found.table["model"] == "people"]
    if len(people):
        console.print(
            "[dim]Intervals: 95 % bootstrap over concepts or images. Ceilings: leave-one-out agreement of people "
            "(accuracy), reliability of their mean (Spearman). 'Of the way': from chance to the ceiling.[/dim]"
        )
    for note in found.notes:
        console.print(f"[dim]{note}[/dim]")
