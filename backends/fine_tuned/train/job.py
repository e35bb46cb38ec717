"""Training in the background: one at a time, with questions answered between its steps.

The rule: a training takes a turn on this machine for each batch and gives it up again, so a question that is asked
meanwhile waits for at most one batch, besides the questions before it in the line. (A look at the held-out part is
cut into such turns too; its three live answers are one. At the beginning it takes a turn to bring the base into memory
and one to make it trainable.) The training takes its next turn behind those who wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from backends.errors import BackendError
from backends.fine_tuned.train.events import TrainingResult
from backends.fine_tuned.train.lock import holder
from backends.fine_tuned.train.runs import Run, find_run
from backends.fine_tuned.train.training import resume_run
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.settings import Settings

KEY = "training"

_runs: WeakKeyDictionary[Job, str] = WeakKeyDictionary()


def start(settings: Settings, run: Run) -> Job:
    """Start a training, or go on with one that was stopped or interrupted.

    Raises `BackendError` while another training runs, in this process or in another one on the same data folder, and
    if the run cannot be resumed.
    """
    refuse_second(settings)
    run = find_run(run.id, settings.data)
    if not run.resumable:
        raise BackendError(f"The training of {run.name} cannot be resumed. {run.reason}", "Start a new one.")

    def steps(cancel: threading.Event) -> Iterator[Progress[TrainingResult]]:
        return resume_run(settings, run, cancel)

    job = jobs.start(KEY, f"Training {run.name}", steps)
    _runs[job] = run.id
    return job


def run_id(job: Job) -> str | None:
    """The id of the training that a job carries out, whose name others may have too; None if it is no training's."""
    return _runs.get(job)


def running() -> Job | None:
    """The training that runs in this process, or None."""
    job = jobs.find(KEY)
    return job if job is not None and job.state.running else None


def refuse_second(settings: Settings) -> None:
    """Raises `BackendError` while a training runs: which one, how far it is, and in which process."""
    trains = holder(settings.data)
    if trains is None:
        return
    run = find_run(trains.run, settings.data)
    raise BackendError(
        f"{run.name} is being trained: step {run.step} of {run.steps}, in process {trains.pid}.",
        "Wait until it has finished, or stop it there.",
    )
