"""How long a training still takes, wherever it is told."""

from __future__ import annotations

from collections.abc import Sequence

from backends.fine_tuned.events import StepRecord
from backends.fine_tuned.runs import Run
from backends.jobs import JobState


def job_left_s(state: JobState, now: float) -> float | None:
    """Seconds that the rest takes at the pace so far, waiting and looks at the held-out part included.

    A resumed training begins in the middle, so the steps of this job are counted. None before the second step, and once
    it was asked to stop, since the rest is not done then.
    """
    steps = sum(isinstance(one, StepRecord) for one in state.results)
    if steps < 2 or not state.running or state.cancelled or state.done >= state.total:
        return None
    return (now - state.started) / steps * (state.total - state.done)


def run_left_s(run: Run, records: Sequence[StepRecord]) -> float | None:
    """The same for a training of another process, from what its log says of its steps; without waiting."""
    if len(records) < 2 or run.step >= run.steps:
        return None
    return sum(one.seconds for one in records) / len(records) * (run.steps - run.step)
