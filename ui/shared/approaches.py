"""Approaches as pages write them: icon and name, in the approach's colour."""

from __future__ import annotations

from backends.registry import spec_of
from ui.shared.text import escaped


def title_of(approach: str) -> str:
    """Icon and name for headings, in the approach's colour."""
    spec = spec_of(approach)
    return f":{spec.colour}[{spec.icon} **{escaped(spec.name)}**]"


def option_of(approach: str) -> str:
    """Icon and name where one of several is chosen."""
    spec = spec_of(approach)
    return f"{spec.icon} {escaped(spec.name)}"
