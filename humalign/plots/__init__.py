"""Figures: one function a figure, result tables in, a matplotlib figure out; the look is in ``style``."""
