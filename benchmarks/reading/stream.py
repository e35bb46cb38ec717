"""An endless stream of exercises: group n of a seed is always the same one."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from benchmarks.reading.catalogue import held_out_domains, training_domains
from benchmarks.reading.exercises import Group, draw_group
from benchmarks.reading.manual_questions import manual_groups
from benchmarks.reading.manual_text import Told, read_sentences

MANUAL_SHARE = 0.25
"""Of the groups, where there are manuals."""


def exercises_of(
    seed: int, questions: int, manuals: str = "", unnamed: float = 0.0, manual_share: float = MANUAL_SHARE
) -> Callable[[int], Group]:
    """Number -> group of exercises to train on. `manuals`: a file of sentences, from which a share is drawn; `unnamed`:
    see `draw_group`."""
    domains = training_domains()
    from_manuals = manual_groups(_part(manuals, held_out=False)) if manuals else None

    def group(number: int) -> Group:
        draw = random.Random(f"{seed} {number}")
        if from_manuals and draw.random() < manual_share:
            return from_manuals(draw, questions)
        return draw_group(domains, draw, questions, unnamed)

    return group


@cache
def held_out_groups(count: int, questions: int = 5, manuals: str = "", unnamed: float = 0.0) -> tuple[Group, ...]:
    """Groups from domains, or from manuals if there are any, that nothing is trained on."""
    domains = held_out_domains()
    from_manuals = manual_groups(_part(manuals, held_out=True)) if manuals else None
    draws = [random.Random(f"held out {number}") for number in range(count)]
    if from_manuals:
        return tuple(from_manuals(draw, questions) for draw in draws)
    return tuple(draw_group(domains, draw, questions, unnamed) for draw in draws)


def _part(file: str, held_out: bool) -> list[Told]:
    """The sentences of the manuals that are held out, one in ten, or of the others."""
    sentences = read_sentences(Path(file))
    return [told for told in sentences if (zlib.crc32(told.document.encode()) % 10 == 0) == held_out]
