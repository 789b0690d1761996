"""A tiny data folder in the exact layouts of every data set, for rehearsing the full profile and for tests."""

from __future__ import annotations

from pathlib import Path

from humalign.data.known import MANIFEST, manifest
from humalign.errors import InputError
from humalign.store import write_json

from .alignet import alignet, levels, transforms
from .arrangements import arrangements, photographs
from .pictures import image_sets
from .things import things
from .writer import CONCEPTS, SYNSETS, Writer

__all__ = ["CONCEPTS", "SYNSETS", "write"]

PARTS = (
    things,
    arrangements,
    image_sets,
    levels,
    alignet,
    transforms,
    photographs,
)  # in this order: all draw from one generator


def write(root, seed: int = 0) -> Path:
    """Write the whole tiny folder; its manifest says that it is a rehearsal.

    Parameters
    ----------
    root : path
        New or empty.
    seed : int

    Returns
    -------
    Path
        The folder, for ``get_profile("full", data=...)``.
    """
    writer = Writer(root, seed)
    for part in PARTS:
        part(writer)
    _note_expectations(writer.root)
    return writer.root


def _note_expectations(root: Path) -> None:
    """Write the counts of every data set into the manifest, so that verification notices what goes missing."""
    from humalign.config import get_profile
    from humalign.data.verify import verify

    reports = verify(get_profile("full", data=root))
    if bad := [report for report in reports if report.status != "ok"]:
        raise InputError(f"the tiny folder does not verify ({bad[0].name}: {bad[0].problems[0]})", root)
    counts = {r.name: {k: v for k, v in r.facts.items() if isinstance(v, int)} for r in reports}
    write_json(root / MANIFEST, {**manifest(root), "expect": counts})
