"""Run one notebook with parameters and keep the executed notebook."""

from __future__ import annotations

import sys
from pathlib import Path

EXAMPLE = """
humalign run notebooks/zero_shot.md -p layer logits -p profile mini -o zero_shot-logits.ipynb
humalign run zero_shot -p profile DIR   # studies of your own, see 'python -m pydoc humalign.data.plain'
humalign run zero_shot --show           # the parameters it has
"""


def configure(parser) -> None:
    """Options of ``humalign run``."""
    from ..cli import number

    parser.add_argument("notebook", help="path, or name of a notebook in notebooks/")
    parser.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="set a parameter (YAML value); may be repeated",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="executed notebook (default: NAME.ipynb in this folder)")
    parser.add_argument("--timeout", type=number(1), default=3600, help="seconds allowed for one cell")
    parser.add_argument(
        "--strict", action="store_true", help="exit with code 1 when cells were left out for want of data"
    )
    parser.add_argument("--show", action="store_true", help="list the parameters and their defaults, run nothing")


def value_of(text: str, where=None):
    """A parameter value from the command line, or from the file ``where``: YAML, so 1 is a number, [a, b] a list."""
    import json

    import yaml

    from ..errors import InputError

    try:
        value = yaml.safe_load(text)
        json.dumps(value)  # what a notebook can note
        return value
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise InputError(f"is no YAML value of numbers, text and lists ({reason})", where or text[:80]) from None


def main(args) -> int:
    """Run the notebook."""
    from ..book.run import Run, check_parameters, default_parameters, find_notebook, left_out, run_all, whole
    from ..errors import HumalignError, InputError

    source = find_notebook(args.notebook)
    if args.show:
        for key, value in default_parameters(source).items():
            print(f"{key} = {value!r}")
        return 0
    parameters = {key: value_of(value) for key, value in args.parameter}
    check_parameters(source, parameters)
    parameters = whole(parameters)
    target = Path(args.output or f"{source.stem}.ipynb").resolve()
    if target == source:
        raise InputError("would be overwritten by its own result", target, "name another file with -o")
    if target.suffix != ".ipynb":
        raise InputError("must end in .ipynb", target, "name another file with -o")
    one = Run(source, target, parameters, f"{target.stem}-data")
    seconds, failures = run_all([one], workers=1, timeout=args.timeout)
    if failures:
        told = failures[one]
        raise HumalignError(f"\n{told}" if "\n" in told else told)
    print(f"{target} ({seconds[one]:.1f} s)")
    if reasons := left_out(target):
        print(f"{len(reasons)} cells were left out, the first since {reasons[0]}", file=sys.stderr)
    return int(bool(reasons) and args.strict)
