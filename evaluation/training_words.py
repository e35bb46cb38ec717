"""A training in the terminal's words: what is wrong with the pairs, what it would take, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backends.fine_tuned.events import StepRecord
from backends.fine_tuned.pair_check import check_pairs
from backends.fine_tuned.probe import Estimate
from evaluation.durations import duration

_FAULTS_SHOWN = 10


def fault_words(file: Path) -> Iterator[str]:
    """What deserves a look in a file of pairs, by row: duplicates, pairs that contradict each other, and so on."""
    faults = check_pairs(file).faults
    for fault in faults[:_FAULTS_SHOWN]:
        yield fault.sentence if fault.row is None else f"row {fault.row}: {fault.sentence}"
    if len(faults) > _FAULTS_SHOWN:
        yield f"and {len(faults) - _FAULTS_SHOWN:,} more to look at"


def estimate_words(found: Estimate) -> str:
    """An estimate in a sentence, with its warning."""
    cost = f"${found.cost_usd:.3g}" if found.cost_usd is not None else "cost unknown"
    return (
        f"{found.steps} steps, about {duration(found.seconds)}, {cost} ({found.cost_basis}), "
        f"{found.tokens_per_s:,.0f} tokens/s in {found.precision} ({found.precision_reason}), "
        f"{found.peak_bytes / 1e6:,.0f} MB of memory. " + found.note
    ).strip()


def step_line(step: StepRecord, total: int, seconds_per_step: float) -> str:
    """`step 12 of 60, loss 1.234, held-out loss 1.300, 410 tokens/s, about 24 s left`."""
    held_out = "" if step.held_out_loss is None else f", held-out loss {step.held_out_loss:.3f}"
    left = duration(seconds_per_step * (total - step.step))
    return (
        f"step {step.step} of {total}, loss {step.loss:.3f}{held_out}, {step.tokens_per_s:.0f} tokens/s, "
        f"about {left} left"
    )
