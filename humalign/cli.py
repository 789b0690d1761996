"""The command ``humalign``: one module of ``humalign.commands`` per sub-command, imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
import sys
import textwrap

from . import __version__
from .errors import HumalignError

COMMANDS = {
    "data": "list, verify, locate, fetch and import data sets",
    "models": "list networks and what is known of them",
    "extract": "turn images into features",
    "evaluate": "report cards of models",
    "gallery": "report cards side by side, as one page",
    "probe": "fit a linear transform to human choices",
    "run": "run one notebook with parameters",
    "sweep": "run one notebook over a grid of parameters",
    "world": "draw the mini world, train and verify its networks",
    "alignet": "teacher, triplets, student: the AligNet pipeline",
    "claims": "test the claims of both papers on result tables",
    "record": "store the numbers computed from real data",
    "play": "make the odd-one-out game from your own pictures",
    "plan": "what a profile needs: downloads, disk, hours",
}


def add_profile_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose data, cache and device."""
    parser.add_argument("--profile", choices=("mini", "slice", "full"), help="source of data (HUMALIGN_PROFILE)")
    parser.add_argument("--data", metavar="DIR", help="folder with real data (HUMALIGN_DATA)")
    parser.add_argument("--cache", metavar="DIR", help="folder for products that can be made again (HUMALIGN_CACHE)")
    parser.add_argument("--device", help="cpu, cuda, mps or auto (HUMALIGN_DEVICE)")


def profile_from(args):
    """The :class:`humalign.config.Profile` that the options of :func:`add_profile_options` name."""
    from .config import get_profile

    return get_profile(args.profile, data=args.data, cache=args.cache, device=args.device)


def overview() -> str:
    """Help text: every command with one line."""
    lines = "\n".join(f"  {name:<10}{line}" for name, line in COMMANDS.items())
    return (
        f"humalign {__version__}: how neural networks see, compared with people\n\nusage: humalign COMMAND ...\n\n"
        f"commands:\n{lines}\n\n'humalign COMMAND --help' shows options and an example."
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (work failed), 2 (bad input) or 130 (interrupted)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(__version__)
        return 0
    name = argv[0]
    if name not in COMMANDS:
        print(f"humalign: no command is called '{name}'; 'humalign --help' lists them", file=sys.stderr)
        return 2
    module = importlib.import_module(f".commands.{name}", __package__)
    parser = argparse.ArgumentParser(
        prog=f"humalign {name}",
        description=textwrap.dedent(module.__doc__ or COMMANDS[name]).strip(),
        epilog="example:\n" + textwrap.indent(textwrap.dedent(module.EXAMPLE).strip(), "  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    args = parser.parse_args(argv[1:])
    try:
        return int(module.main(args) or 0)
    except HumalignError as error:
        print(f"humalign {name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"humalign {name}: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:  # a file that cannot be read or written, a full disk
        if error.filename is None:
            raise
        print(f"humalign {name}: {error.filename}: {error.strerror}", file=sys.stderr)
        return HumalignError.exit_code
