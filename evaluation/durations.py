"""Durations in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Whole seconds up to two minutes, then minutes, then hours: `40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
