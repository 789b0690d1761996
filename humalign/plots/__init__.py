"""Figures: one function a figure, a result table in, a matplotlib figure out; the look is in :mod:`humalign.plots.style`."""
