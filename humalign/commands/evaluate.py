"""Report card of networks: odd-one-out choices, RSA and calibration on every data set at hand, with human ceilings.

NAME_OR_FILE is a network (see 'humalign models'; timm:NAME, open_clip:ARCH/TAG and torchvision:NAME work too), a file
with features and ids (.npy, .npz, .safetensors, .h5), a folder that 'humalign extract' wrote, or choices of whatever
chose: a .csv file with the columns a, b, c (three names) and odd (one of them), perhaps model and person. A network is
shown the pictures at hand; features are compared with the data sets whose ids they have, choices with people's answers
to the same questions. The measures are those of the book's chapters.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..cli import SEED, add_profile_options, number, profile_from

EXAMPLE = """
humalign evaluate softmax-resnet-m
humalign evaluate timm:resnet18.a1_in1k --html resnet18.html --json resnet18.json
humalign evaluate my_features.npz --data DATA
humalign evaluate softmax-resnet-m softmax-vit-m my_features.npz --json cards.json
humalign evaluate choices.csv --data DATA --json choices.json
"""
OF_FEATURES, OF_NETWORKS = ("layer", "ids"), ("checkpoint", "untrained", "preprocess", "seed")  # options


def configure(parser) -> None:
    """Options of ``humalign evaluate``."""
    parser.add_argument("models", metavar="NAME_OR_FILE", nargs="+")
    parser.add_argument("--json", metavar="FILE", help="write all numbers as JSON ('-': print them)")
    parser.add_argument("--html", metavar="FILE", help="write one page with figures and numbers")
    parser.add_argument("--plots", metavar="DIR", help="write the page, its figures (SVG) and a CSV into a folder")
    parser.add_argument("--layer", metavar="NAME", help="layer of a features file that holds several")
    parser.add_argument("--ids", metavar="FILE", help="ids of the rows of a features file, one a line")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights of the network from this file")
    parser.add_argument("--untrained", action="store_true", help="random weights")
    parser.add_argument("--preprocess", choices=("own", "paper1", "alignet"), help="see 'humalign extract'")
    parser.add_argument("--seed", type=SEED, help="of random weights, or which training run of a mini network")
    parser.add_argument("--no-probe", action="store_true", help="fit no transforms (quicker)")
    parser.add_argument(
        "--bootstrap",
        type=number(10, 100_000),
        metavar="N",
        help="draws behind each interval (default: as many as the book)",
    )
    add_profile_options(parser)


def main(args) -> int:
    """Measure, print, write."""
    from ..errors import InputError
    from ..source import open_sources

    if len(args.models) > 1 and (args.html or args.plots):
        told = "--html" if args.html else "--plots"
        raise InputError(f"shows one model, not {len(args.models)}", told, "evaluate them one by one, or use --json")
    profile = profile_from(args)
    cards = [_asked(args, name, profile) for name in args.models]  # what cannot be read is told before anything is done
    sources = open_sources(profile)
    return _write(args, [make(sources) for make in cards])


def _asked(args, name: str, profile):
    """A function of the sources that makes the card of one model."""
    from .. import report, report_choices
    from ..data import choices

    if Path(name).suffix == ".csv":
        _refuse(args, (*OF_FEATURES, *OF_NETWORKS), "choices")
        made = choices.read(name)
        return lambda sources: report_choices.choices_card(sources, made, where=name)
    if report.is_features(name):
        _refuse(args, OF_NETWORKS, "features")
    else:
        _refuse(args, OF_FEATURES, "a network")
    model = report.subject(
        name, pretrained=not args.untrained, checkpoint=args.checkpoint, seed=args.seed or 0,
        preprocess=args.preprocess or "own", layer=args.layer, ids=args.ids, profile=profile,
    )  # fmt: skip
    say = (lambda line: print(line, file=sys.stderr)) if sys.stderr.isatty() else None
    options = {"probe": not args.no_probe, "say": say, "where": name}
    if args.bootstrap:
        options["draws"] = args.bootstrap
    return lambda sources: report.card(sources, model, **options)


def _refuse(args, names, what: str) -> None:
    """InputError for the first of some options that was given and has no meaning."""
    from ..errors import InputError

    for name in names:
        if (given := getattr(args, name)) is not None and given is not False:
            raise InputError(f"has no meaning for {what}", f"--{name}", "leave it out")


def _write(args, cards: list) -> int:
    from .. import report
    from ..store import write_json

    made = [card.as_dict() for card in cards]
    content = made[0] if len(made) == 1 else {"cards": made}
    if args.json == "-":
        import json

        print(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True))
    else:
        for card in cards:
            _show(card, report.summary(card))
        if args.json:
            print(write_json(args.json, content))
    if args.html or args.plots:
        from .. import report_figures

        paths = [report_figures.write_page(cards[0], args.html)] if args.html else []
        paths += report_figures.write_folder(cards[0], args.plots) if args.plots else []
        for path in paths:
            print(path, file=sys.stderr if args.json == "-" else sys.stdout)
    return 0


def _show(found, short) -> None:
    import shutil

    from rich.console import Console
    from rich.table import Table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 140
    console = Console(width=width, highlight=False, markup=False)
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
            "Intervals: 95 % bootstrap over concepts or images. Ceilings: leave-one-out agreement of people "
            "(accuracy), reliability of their mean (correlations). 'Of the way': from chance to the ceiling.",
            style="dim",
        )
    for note in found.notes:
        console.print(note, style="dim")
