"""The networks of both papers and of the mini world: what is known of them, and how to load them."""

from __future__ import annotations

import importlib

_HOME = {"table": "facts", "facts_of": "facts", "published_numbers": "facts", "published_others": "facts",
         "load": "loading", "weights_here": "loading", "Model": "model", "Preprocess": "preprocess"}  # fmt: skip
__all__ = ["Model", "Preprocess", "facts_of", "load", "published_numbers", "published_others", "table", "weights_here"]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
