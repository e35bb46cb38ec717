"""Timing that leaves out what a GPU does on first use."""

from __future__ import annotations

from collections.abc import Callable

_STEADY, _MOST_ROUNDS = 0.9, 5


def steady_s(device: str, seconds: Callable[[], float]) -> float:
    """What a piece of work takes (`seconds` does it and tells) once it no longer gets faster, at most six times.

    A GPU loads its kernels on first use, for each shape: the first training steps in bfloat16 took five times as long
    as later ones (H100, November 2026). On a processor the work is done once.
    """
    best = seconds()
    for _ in range(0 if device == "cpu" else _MOST_ROUNDS):
        spent = seconds()
        if spent > _STEADY * best:
            break
        best = spent
    return best
