"""Approaches as pages write them: icon and name, in the approach's colour."""

from __future__ import annotations

from backends.registry import ApproachSpec, spec_of, specs
from ui.shared.text import escaped


def title_of(approach: str) -> str:
    """Icon and name for headings, in the approach's colour."""
    spec = spec_of(approach)
    return f":{spec.colour}[{spec.icon} **{_letters(spec)}**]"


def option_of(approach: str) -> str:
    """Icon and name where one of several is chosen."""
    spec = spec_of(approach)
    return f"{spec.icon} {_letters(spec)}"


def _letters(spec: ApproachSpec) -> str:
    """The name for Markdown: that of a connection, or of what a ledger knows alone, is not ours."""
    return spec.name if any(spec.id == known.id for known in specs()) else escaped(spec.name)
