"""Trainings from begin to end: `new_run` checks one and writes it down, `train_run` and `resume_run` carry it out."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import Reading
from backends.fine_tuned.adapters.catalogue import check_name, is_complete
from backends.fine_tuned.pairs import held_out
from backends.fine_tuned.pairs.files import Pair, check_enough
from backends.fine_tuned.pairs.held_out import sample_pairs
from backends.fine_tuned.train.events import (
    LiveAnswer,
    LiveAnswers,
    StepRecord,
    Trained,
    TrainingNote,
    TrainingResult,
)
from backends.fine_tuned.train.examples import check_lengths
from backends.fine_tuned.train.lock import training as right_to_train
from backends.fine_tuned.train.loop import NotFinite, TrainingLoop, as_fault, step_count
from backends.fine_tuned.train.method import TrainingSettings, check, trained_bytes
from backends.fine_tuned.train.publishing import publish_adapter
from backends.fine_tuned.train.runs import Run, find_run, history, log, new_id, set_state, truncate_log, write_run
from backends.models.local import LocalModel, base_of, load_base
from backends.run.jobs import Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings

MOST_PAIRS = 10_000
"""Pairs that are trained on at once, at most; more take hours on a processor."""

_SPARE_BYTES = 50_000_000


def check_pair_count(pairs: int) -> None:
    """Raises `BackendError` for too few or too many pairs."""
    check_enough(pairs)
    if pairs > MOST_PAIRS:
        raise BackendError(
            f"{pairs:,} pairs are more than the {MOST_PAIRS:,} that are trained on at once.",
            f"Train on a sample of {MOST_PAIRS:,} or fewer.",
        )


def check_adapter_folder(adapters: Path | None, name: str) -> None:
    """An earlier adapter gives way to the new one; anything else of its name in the wanted folder does not."""
    place = adapters / name if adapters else None
    if place and place.exists() and not is_complete(place):
        raise BackendError(f"{place} is there already and is no adapter.", "Choose another name or folder.")


def check_disk_space(base: LocalModel, run: Run) -> None:
    """Parameters and two moments in float32, twice while a checkpoint is replaced; the best state; the adapter."""
    needed = 8 * trained_bytes(base, run.settings) + _SPARE_BYTES
    place = next(folder for folder in run.folder.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise BackendError(
            f"The training takes up to {needed / 1e6:,.0f} MB on disk; {free / 1e6:,.0f} MB are free at {place}.",
            "Make room, or train fewer layers or a lower rank.",
        )


__all__ = [
    "MOST_PAIRS",
    "LiveAnswer",
    "LiveAnswers",
    "StepRecord",
    "Trained",
    "TrainingNote",
    "TrainingSettings",
    "new_run",
    "resume_run",
    "sample_pairs",
    "train_run",
]


def new_run(
    settings: Settings,
    pairs: Sequence[Pair],
    name: str,
    training: TrainingSettings,
    source: str = "",
    adapters: Path | None = None,
    command: str = "",
    reading: Reading | None = None,
) -> Run:
    """Check a training and write it down. `source` says in words where the pairs are from; see `Run` for the rest. For
    examples of reading, `reading` says from what they were made.

    Brings the base into memory if it is not there. Raises `BackendError` for what cannot be trained: a bad name or
    setting, fewer than 2 pairs, more than `MOST_PAIRS`, pairs longer than the context, too little room on disk.
    """
    check_name(name)
    check_adapter_folder(adapters, name)
    check(training)
    check_pair_count(len(pairs))
    for _ in load_base(settings):
        pass
    base = base_of(settings)
    check_lengths(base, pairs, settings.system_prompt)
    parts = held_out.split(pairs, training.held_out_share, training.split_by, training.seed)
    id = new_id()
    run = Run(
        id=id,
        name=name,
        folder=settings.data / "trainings" / id,
        created=datetime.now(UTC),
        state="interrupted",
        step=0,
        steps=step_count(training, len(parts.train), len(parts.held_out)),
        reason="It was not begun.",
        resumable=True,
        pairs=len(parts.train),
        held_out=len(parts.held_out),
        settings=training,
        system_prompt=settings.system_prompt,
        source=source,
        base_model=base.weights.model_id,
        base_revision=base.weights.revision,
        adapters=adapters,
        command=command,
        reading=reading,
    )
    with _disk_faults(run):
        check_disk_space(base, run)
        write_run(run, parts.train, parts.held_out)
        if parts.reason and training.held_out_share:
            log(run, TrainingNote(0, parts.reason))
        if parts.leaks:
            log(run, TrainingNote(0, held_out.leak_sentence(len(parts.leaks))))
    return run


def train_run(settings: Settings, run: Run, cancel: threading.Event) -> Iterator[Progress[TrainingResult]]:
    """Train, from the last checkpoint if there is one: the weights become those of a training that was never stopped.

    `cancel` stops it and keeps the best so far; it can then go on another time. The last result is `Trained`, unless
    it was stopped before the first step. Raises `BackendError` for what ends a training before its time (the run
    stays, and says why), for one that is finished, for another base than it was begun on, and while another training
    runs in the same data folder.
    """
    with right_to_train(run.id, run.data):
        run = find_run(run.id, settings.data)
        if run.state == "finished":
            raise BackendError(f"The training of {run.name} is finished.", "Start a new one.")
        with _disk_faults(run):
            run = set_state(run, state="running", reason="", resumable=False)
        try:
            yield from _work(settings, run, cancel)
        except BackendError as fault:
            _fail(run, str(fault), resumable=not isinstance(fault, NotFinite))
            raise
        except Exception as error:
            known = as_fault(error, find_run(run.id, run.data).step)
            _fail(run, str(known or f"It failed unexpectedly ({type(error).__name__})."), resumable=True)
            if known is None:
                raise
            raise known from error


def resume_run(settings: Settings, run: Run, cancel: threading.Event) -> Iterator[Progress[TrainingResult]]:
    """The same for a training that was stopped, interrupted or failed. Raises `BackendError` if it cannot go on."""
    run = find_run(run.id, settings.data)
    if run.state != "running" and not run.resumable:
        raise BackendError(f"The training of {run.name} cannot be resumed. {run.reason}", "Start a new one.")
    yield from train_run(settings, run, cancel)


def _fail(run: Run, reason: str, resumable: bool) -> None:
    with contextlib.suppress(OSError):  # where the disk is full, the lock tells that it no longer runs
        set_state(find_run(run.id, run.data), state="failed", reason=reason, resumable=resumable)


def _work(settings: Settings, run: Run, cancel: threading.Event) -> Iterator[Progress[TrainingResult]]:
    yield Progress(run.step, run.steps, "waiting for the machine")
    try:
        with turns(f"training {run.name}", cancel)():
            for loading in load_base(settings):
                yield Progress(run.step, run.steps, loading.what)
            base = base_of(settings)
            _check_base(run, base)
        yield Progress(run.step, run.steps, "reading the pairs")
        loop = TrainingLoop(run, base, cancel)
        yield from loop.prepare()
    except Cancelled:
        set_state(run, state="stopped", reason=_stopped(run), resumable=True)
        return
    truncate_log(run, loop.step)
    try:
        with contextlib.suppress(Cancelled):
            yield from loop.steps()
    except NotFinite as fault:
        yield Progress(loop.step, run.steps, "going back to the last good state")
        raise _publish_last_good(settings, base, loop, fault) from fault
    yield from _end(settings, base, loop)


def _publish_last_good(settings: Settings, base: LocalModel, loop: TrainingLoop, fault: NotFinite) -> NotFinite:
    """Make an adapter of the last good state, if there is one and no adapter in its place; what is to be said then."""
    run = loop.run
    if fault.kept is None or ((run.adapters or run.data / "adapters") / run.name).exists():
        return fault
    loop.return_to_checkpoint()
    publish_adapter(settings, base, loop)
    return NotFinite(fault.step, fault.rate, loop.best.step if loop.best else loop.step, run.name)


def _end(settings: Settings, base: LocalModel, loop: TrainingLoop) -> Iterator[Progress[TrainingResult]]:
    run = loop.run
    finished = loop.step == run.steps
    if not loop.step:
        set_state(run, state="stopped", reason=_stopped(run), resumable=True)
        return
    yield Progress(loop.step, run.steps, "writing the adapter")
    loop.finish()
    if finished and (doubt := _diverged(run)):
        log(run, doubt)
        yield Progress(loop.step, run.steps, "writing the adapter", doubt)
    run = loop.run  # which now has the step of the last checkpoint
    folder = publish_adapter(settings, base, loop)
    best = loop.best.step if loop.best else loop.step
    kept = "" if best == loop.step else f" The best so far is kept, step {best}, where the held-out loss was lowest."
    if loop.last_pass_done:
        best, kept = loop.step, f" The last pass over everything began at the state of step {best}."
    reason = f"All {run.steps} steps are done." if finished else _stopped(run)
    trained = Trained(run.name, folder, loop.step, loop.seconds, best, reason + kept)
    log(run, trained)
    set_state(run, state="finished" if finished else "stopped", reason=trained.reason, resumable=not finished)
    if finished:
        loop.clean_up()
    yield Progress(loop.step, run.steps, "done" if finished else "stopped", trained)


def _diverged(run: Run) -> TrainingNote | None:
    """What to say if the mean loss of the last fifth of the steps is above that of the first fifth.

    Of fewer than ten steps nothing is said: their batches differ too much.
    """
    losses = [one.loss for one in history(run) if isinstance(one, StepRecord)]
    if len(losses) < 10:
        return None
    fifth = len(losses) // 5
    began, ended = fmean(losses[:fifth]), fmean(losses[-fifth:])
    if ended <= began:
        return None
    return TrainingNote(
        len(losses),
        f"The loss ended at {ended:.3g} and had begun at {began:.3g}: little or nothing was learned. Train again with "
        f"a lower learning rate, such as {run.settings.top_rate / 5:.1g}.",
    )


def _stopped(run: Run) -> str:
    return f"Stopped at step {run.step} of {run.steps}." if run.step else "Stopped before the first step."


def _check_base(run: Run, base: LocalModel) -> None:
    if base.weights.revision != run.base_revision:
        raise BackendError(
            f"The training was begun on {run.base_model} at {run.base_revision}; "
            f"the base is now {base.weights.model_id} at {base.weights.revision}.",
            "Set raw.model and raw.revision to that base, or start a new training.",
        )


@contextlib.contextmanager
def _disk_faults(run: Run) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BackendError(f"The training could not be written down: {reason}.", "Check the data folder.") from error
