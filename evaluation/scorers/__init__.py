"""Every scorer: those of this folder, one file each, and those of installed packages.

To add one, write a file with a module-level `SCORER` (one `Scorer`, or a list of them) and name it in `_BUILT_IN`, or
let an installed package name it in the entry point group `crossroads.scorers`. `docs/extending.md` has an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from backends.registry import load_group
from evaluation.scorers.base import AnswerToScore, Score, Scorer

__all__ = ["AnswerToScore", "Score", "Scorer", "faults", "registered", "scorers", "title_of"]

GROUP = "crossroads.scorers"
"""The entry point group in which installed packages name their scorers."""

_BUILT_IN = (
    "evaluation.scorers.right:SCORER",
    "evaluation.scorers.semantic:SCORER",
    "evaluation.scorers.overlap:SCORER",
    "evaluation.scorers.refusal:SCORER",
    "evaluation.scorers.sources:SCORER",
    "evaluation.scorers.judged:SCORER",
)
"""Where each scorer is, in the order in which scores are listed."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The scorers by name, and a sentence for each entry point that could not be loaded."""

    scorers: Mapping[str, Scorer]
    faults: tuple[str, ...]


@cache
def registered() -> Registered:
    """All that is known, found once per process."""
    return Registered(*load_group(GROUP, "scorer", _BUILT_IN, _by_name))


def _by_name(named: Any) -> dict[str, Scorer]:
    found: dict[str, Scorer] = {}
    for scorer in named if isinstance(named, list | tuple) else [named]:
        if not isinstance(scorer, Scorer) or not scorer.name.isidentifier():
            raise TypeError("it is no Scorer with a Python name")
        if scorer.name in found:
            raise ValueError(f"there is a scorer {scorer.name!r} already")
        found[scorer.name] = scorer
    return found


def scorers() -> tuple[Scorer, ...]:
    """Every scorer in the order in which scores are listed; those of installed packages last."""
    return tuple(registered().scorers.values())


def faults() -> tuple[str, ...]:
    """A sentence for each scorer of an installed package that could not be loaded."""
    return registered().faults


def title_of(name: str) -> str:
    """What people read for a scorer's name; of one that is not installed any more, its name."""
    known = registered().scorers.get(name)
    return known.title if known else name.replace("_", " ").capitalize()
