"""The command ``humalign``: one module of ``humalign.commands`` per sub-command, imported only when it is used."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import tempfile
import textwrap
from pathlib import Path

from . import __version__
from .errors import HumalignError, InputError
from .processes import Terminated, terminable

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


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        """InputError with what is wrong."""
        raise InputError(message, None, f"'{self.prog} --help' shows all options")


def number(least=0, most=None, kind=int):
    """An argparse type: whole numbers (or finite ones, ``kind=float``) from ``least`` to ``most``."""

    def read(text: str):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is no {'whole ' if kind is int else ''}number") from None
        if not least <= value <= (float("inf") if most is None else most):
            wanted = f"from {least} to {most}" if most is not None else f"from {least}"
            raise argparse.ArgumentTypeError(f"{text} is out of range, give a number {wanted}")
        return value

    return read


SEED = number(0, 2**32 - 1)  # what NumPy, torch and scikit-learn take alike
STRENGTH = number(0, 1e6, float)  # of a penalty


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
    for stream in (sys.stdout, sys.stderr):  # names of files need not be text
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    try:
        module = importlib.import_module(f".commands.{name}", __package__)
        args = _parser(name, module).parse_args(argv[1:])
        _no_empty(args)
        _writable(args)
        with terminable():
            return int(module.main(args) or 0)
    except HumalignError as error:
        return _told(name, error, error.exit_code)
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        return _told(name, f"{'ended' if ended else 'interrupted'}; what was finished is kept", 143 if ended else 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except MemoryError:
        return _told(name, "memory ran out", HumalignError.exit_code)
    except OSError as error:  # a file that cannot be read or written, a full disk
        if error.strerror is None:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        return _told(name, f"{where}{error.strerror}", HumalignError.exit_code)


def _parser(name: str, module) -> Parser:
    parser = Parser(
        prog=f"humalign {name}",
        description=textwrap.dedent(module.__doc__ or COMMANDS[name]).strip(),
        epilog="example:\n" + textwrap.indent(textwrap.dedent(module.EXAMPLE).strip(), "  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return parser


def _told(name: str, message, code: int) -> int:
    print(f"humalign {name}: {message}", file=sys.stderr)
    return code


def _no_empty(args) -> None:
    """InputError for an empty value: a variable of the shell that was not set."""
    for key, value in vars(args).items():
        if "" in (value if isinstance(value, list) else [value]):
            raise InputError("is empty", key.replace("_", "-"), "give a value or leave it out")


FILES, FOLDERS = ("csv", "html", "json", "merge"), ("out", "output", "plots")  # options that name what is written


def _writable(args) -> None:
    """HumalignError for a place that cannot be written: before the work, not after it."""
    for key in (*FILES, *FOLDERS):
        told = getattr(args, key, None)
        if not isinstance(told, (str, Path)) or told == "-":
            continue
        path = Path(told).absolute()
        if key in FILES and path.is_dir():
            raise HumalignError(f"--{key} {told}: is a folder; name a file")
        above = next(place for place in (path if path.is_dir() else path.parent, *path.parents) if place.exists())
        if not above.is_dir():
            raise HumalignError(f"--{key} {told}: {above} is no folder; name another place")
        try:
            tempfile.TemporaryFile(dir=above).close()
        except OSError as error:
            raise HumalignError(f"--{key} {told}: cannot be written in {above} ({error.strerror})") from None
