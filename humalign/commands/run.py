"""Run one notebook with parameters and keep the executed notebook."""

from __future__ import annotations

from pathlib import Path

EXAMPLE = """
humalign run notebooks/zero_shot.md -p seed 1 -p profile mini -o zero_shot-seed1.ipynb
humalign run zero_shot -p profile DIR   # studies of your own, see 'python -m pydoc humalign.data.plain'
humalign run zero_shot --show           # the parameters it has
"""


def configure(parser) -> None:
    """Options of ``humalign run``."""
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
    parser.add_argument("--timeout", type=int, default=3600, help="seconds allowed for one cell")
    parser.add_argument("--show", action="store_true", help="list the parameters and their defaults, run nothing")


def value_of(text: str, where=None):
    """A parameter value from the command line, or from the file ``where``: YAML, so 1 is a number, [a, b] a list."""
    import yaml

    from ..errors import InputError

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"is no YAML value ({str(error).splitlines()[0]})", where or text) from None


def main(args) -> int:
    """Run the notebook."""
    from ..book.run import Run, check_parameters, default_parameters, find_notebook, run_all, whole
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
    seconds, failures = run_all([Run(source, target, parameters)], workers=1, timeout=args.timeout)
    if failures:
        raise HumalignError("\n" + "\n".join(failures.values()))
    print(f"{target} ({next(iter(seconds.values())):.1f} s)")
    return 0
