"""Kinds of basic concepts (dalmatian of dog) of a world that has some: whose values they inherit, and what differs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..edition import NOW
from ..errors import InputError

FILE = NOW.within(Path(__file__).parent) / "kinds.txt"


def parse(text: str, where: str = "kinds.txt") -> dict[str, tuple[str, dict[str, float]]]:
    """Lines ``kind < basic: dimension*weight, ...``; lines with # are comments.

    Returns
    -------
    dict
        Kind to (basic concept, dimension of the people to the value that replaces that of the basic concept).

    Raises
    ------
    InputError
        Naming the line that cannot be read, or a kind given twice.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        head, colon, rest = line.partition(":")
        kind, sign, basic = (part.strip() for part in head.partition("<"))
        try:
            changed = {name.strip(): float(weight) for name, _, weight in
                       (token.partition("*") for token in rest.split(",") if token.strip())}  # fmt: skip
        except ValueError:
            changed = None
        if not colon or not sign or not kind or not basic or kind in found or changed is None:
            raise InputError("is no new 'kind < basic: dimension*weight, ...'", f"{where}:{number}", "mend the line")
        found[kind] = (basic, changed)
    return found


@lru_cache(maxsize=1)
def table() -> dict[str, tuple[str, dict[str, float]]]:
    """The kinds of this world, see :func:`parse`; empty where every concept is a basic one."""
    return parse(FILE.read_text("utf8"), FILE.name) if FILE.is_file() else {}


def basic(concept: str) -> str:
    """The basic concept that a concept is a kind of, or the concept itself."""
    return table()[concept][0] if concept in table() else concept
