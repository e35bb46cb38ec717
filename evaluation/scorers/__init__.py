"""Every scorer: those of this folder, one file each, and those of installed packages.

To add one, write a file with a module-level `SCORER` (one `Scorer`, or a list of them) and name it in `_BUILT_IN`, or
let an installed package name it in the entry point group `crossroads.scorers`. `docs/extending.md` has an example.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from backends.registry import load
from evaluation.scorers.base import AnswerToScore, Score, Scorer

__all__ = ["AnswerToScore", "Score", "Scorer", "faults", "registered", "scorers", "title_of"]

GROUP = "crossroads.scorers"
"""The entry point group in which installed packages name their scorers."""

_BUILT_IN = (
    "evaluation.scorers.right:SCORER",
    "evaluation.scorers.semantic:SCORER",
)
"""Where each scorer is, in the order in which scores are listed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """The scorers by name, and a sentence for each entry point that could not be loaded."""

    scorers: Mapping[str, Scorer]
    faults: tuple[str, ...]


@cache
def registered() -> Registered:
    """All that is known, found once per process."""
    found = {scorer.name: scorer for lazy in _BUILT_IN for scorer in _listed(load(lazy))}
    faults = []
    for point in entry_points(group=GROUP):
        try:
            found |= _checked(_listed(point.load()), found)
        except Exception as fault:  # a package of somebody else's: its fault must not take the others away
            _log.exception("the entry point %s", point.value)
            faults.append(f"The scorer {point.name} of an installed package could not be loaded: {fault}.")
    return Registered(found, tuple(faults))


def _listed(named: Any) -> list[Any]:
    return list(named) if isinstance(named, list | tuple) else [named]


def _checked(named: list[Any], known: Mapping[str, Scorer]) -> dict[str, Scorer]:
    found: dict[str, Scorer] = {}
    for scorer in named:
        if not isinstance(scorer, Scorer) or not scorer.name.isidentifier():
            raise TypeError("it is no Scorer with a Python name")
        if scorer.name in known or scorer.name in found:
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
