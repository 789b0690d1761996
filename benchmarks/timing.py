"""Timing and printing: best of a few runs, one line a measurement."""

import time


def best(function, repeats: int = 3) -> float:
    """Shortest wall time of a few calls after one warm-up call, in seconds."""
    function()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def once(function):
    """Wall time and result of one call."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def line(what: str, seconds: float, reference: float | None = None, target: str = "", note: str = "") -> None:
    """Print one measurement, the ratio to its reference, and the target."""
    ratio = f"{reference / seconds:8.0f} x" if reference is not None else " " * 10
    print(f"  {what:<58}{seconds:9.3f} s {ratio}  {target:<14}{note}", flush=True)


def head(title: str) -> None:
    """Print a heading."""
    print(f"\n{title}", flush=True)
