"""Test the claims of both papers on result tables and print effect, interval and verdict."""

EXAMPLE = """
humalign claims
humalign claims --profile mini --csv claims.csv
humalign claims --ledger
"""


def configure(parser):
    """Add the options of ``humalign claims``."""
    from ..cli import add_profile_options

    add_profile_options(parser)
    parser.add_argument("--csv", metavar="FILE", help="also write the verdicts to this file")
    parser.add_argument("--ledger", action="store_true", help="only list the claims with their criteria")


def main(args) -> int:
    """Print the table of verdicts."""
    import sys

    from rich.console import Console
    from rich.table import Table

    from .. import claims
    from ..cli import profile_from
    from ..store import write_text

    console = Console(width=None if sys.stdout.isatty() else 160, markup=False)
    view = Table(show_lines=False, header_style="bold")
    if args.ledger:
        for column in ("id", "claim", "status", "criterion"):
            view.add_column(column, overflow="fold")
        for claim in claims.ledger():
            view.add_row(claim["id"], claim["claim"], claim["status"], claims.describe(claim["criterion"]))
        console.print(view)
        return 0
    from ..chapters.claims import collect
    from ..source import open_source

    frame = claims.judge(*collect(open_source(profile_from(args))))
    for column in ("id", "claim", "effect", "95 % interval", "criterion", "verdict"):
        view.add_column(column, overflow="fold")
    for row in frame.itertuples():
        measured = row.verdict != "not measured"
        view.add_row(
            row.id,
            row.claim,
            f"{row.effect:+.3f}" if measured else "",
            f"{row.low:+.3f} to {row.high:+.3f}" if measured else "",
            row.criterion,
            row.verdict,
        )
    console.print(view)
    console.print(frame["verdict"].value_counts().to_string())
    if args.csv:
        print(write_text(args.csv, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")))
    return 0
