"""Helpers of the rehearsals: notebooks in the full profile on tiny files, and what their pages show."""

import json
from pathlib import Path

import numpy as np
import pytest

from humalign.book import missing
from humalign.book import run as book

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def run(names, data, folder, cache=None, **parameters):
    """Run notebooks in the full profile; the executed notebooks by name."""
    patch = pytest.MonkeyPatch()
    settings = {"DATA": data, "CACHE": cache or folder / "cache", "DEVICE": "cpu", "PROFILE": "full"}
    for key, value in settings.items():
        patch.setenv(f"HUMALIGN_{key}", str(value))
    patch.setenv("HF_HUB_OFFLINE", "1")
    try:
        runs = [r for r in book.plan(NOTEBOOKS, folder / "book", parameters) if r.source.stem in names]
        _, failures = book.run_all(runs, workers=2, say=lambda line: None)
    finally:
        patch.undo()
    assert not failures, next(iter(failures.values()))[-3000:]
    return {r.source.stem: json.loads(r.target.read_text("utf8")) for r in runs}


def outputs(notebook):
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def notes(notebook):
    """Reasons of the cells that were not computed."""
    return [
        o["metadata"][missing.MISSED]["reason"] for o in outputs(notebook) if missing.MISSED in o.get("metadata", {})
    ]


def notice(notebook):
    found = [o["data"] for o in outputs(notebook) if missing.REQUIREMENTS in o.get("metadata", {})]
    assert len(found) == 1
    return "".join(found[0]["text/plain"])


def figures(notebook):
    """Labels of the figures that show a picture."""
    shown = [c for c in notebook["cells"] if any("image/svg+xml" in o.get("data", {}) for o in c.get("outputs", []))]
    return {cell["metadata"]["mystnb"]["figure"]["name"] for cell in shown}


def adopt(root, profile, widths, pictures, seed=0):
    """Features of others, as files at their place: made-up ones of a few numbers, so that probes take no time.

    Those of THINGS follow the tiny people's dimensions, so that probes have something to find; all others are noise.

    Parameters
    ----------
    widths : dict of str to dict of str to int
        Network, layer, numbers a picture.
    pictures : sequence of str
        Data sets.
    """
    from humalign.data import registry

    rng, people = np.random.default_rng(seed), registry.load("things/vice_42", profile)
    for name in pictures:
        ids = np.array(registry.load(name, profile).ids)
        known = people.align(ids).values if set(ids) <= set(people.ids) else np.zeros((len(ids), 1))
        for model, layers in widths.items():
            path = root / "features" / model / f"{name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            arrays = {}
            for layer, d in layers.items():
                mixed = known @ rng.normal(size=(known.shape[1], d)) + 0.3 * rng.normal(size=(len(ids), d))
                arrays[layer] = mixed.astype(np.float32)
            np.savez(path, ids=ids, **arrays)
