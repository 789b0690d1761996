"""A gallery of report cards: one page with a table that sorts, from the JSON files of 'humalign evaluate'.

The page needs nothing else and no network. Values of simulated observers and of real people have columns of
their own.
"""

from __future__ import annotations

EXAMPLE = """
humalign evaluate softmax-resnet-m softmax-vit-m --json zoo.json
humalign evaluate my_features.npz --data DATA --json mine.json
humalign gallery zoo.json mine.json --out gallery.html
"""


def configure(parser) -> None:
    """Options of ``humalign gallery``."""
    parser.add_argument("cards", metavar="CARD.json", nargs="+", help="files that 'humalign evaluate --json' wrote")
    parser.add_argument("--out", metavar="FILE", default="gallery.html", help="the page (default: gallery.html)")


def main(args) -> int:
    """Read, write, say where."""
    from .. import report_gallery

    print(report_gallery.write(report_gallery.read(args.cards), args.out))
    return 0
