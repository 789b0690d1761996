"""Images to activations: any layer of any network, on any device, resumable, stored with ids and side-car."""

from __future__ import annotations

import importlib

_HOME = {
    "extract": "extraction",
    "read": "shards",
    "merge": "shards",
    "from_folder": "images",
}
__all__ = ["extract", "from_folder", "merge", "read"]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
