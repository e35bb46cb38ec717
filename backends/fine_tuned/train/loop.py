"""The steps of a training: each takes one turn on this machine per batch, and gives it up again."""

from __future__ import annotations

import contextlib
import errno
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast, get_args

from backends.errors import BackendError, disk_error, is_out_of_memory
from backends.fine_tuned.train import checkpoint, precision
from backends.fine_tuned.train.checkpoint import TrainingState
from backends.fine_tuned.train.events import (
    LiveAnswer,
    LiveAnswers,
    StepRecord,
    TrainingNote,
    TrainingResult,
)
from backends.fine_tuned.train.examples import Example, encode, epoch_steps, prompt_ids, prompt_note, steps_per_epoch
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.method import TrainingSettings, rate_at
from backends.fine_tuned.train.precision import ComputePrecision, PrecisionChoice
from backends.fine_tuned.train.runs import Run, log, read_part, set_state
from backends.models import inference
from backends.models.local import LocalModel
from backends.run.jobs import Progress
from backends.run.lane import Cancelled, turns

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class NotFinite(BackendError):
    """The loss or its gradient is no longer a number. `adapter`: the name of what was made of the state at `kept`."""

    def __init__(self, step: int, rate: float, kept: int | None, adapter: str = "") -> None:
        self.step, self.rate, self.kept = step, rate, kept
        where = f"as the adapter {adapter}" if adapter else "in the training's folder"
        state = f"The state at step {kept} is kept {where}." if kept else "No earlier state was kept."
        super().__init__(
            f"At step {step} the loss was no longer a number. {state}",
            f"Start a new training with a lower learning rate, such as {rate / 5:.1g}.",
        )


def as_fault(error: BaseException, step: int) -> BackendError | None:
    """What a user reads of an error that ended a training at `step`; None if it is of a kind that nobody foresaw."""
    if is_out_of_memory(error):
        return BackendError(
            "There is not enough memory to train on even one pair at a time.",
            "Shorten the longest pairs, train fewer layers or a lower rank, or close other programs.",
        )
    if (refused := disk_error(error)) is not None and refused.errno in _NO_ROOM:
        return BackendError(f"The disk is full; training stopped at step {step}.", "Make room and resume the training.")
    return None


CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"

_EVALUATIONS = 5
LIVE_QUESTIONS = 3
LIVE_TOKENS = 32
HELD_OUT_MOST = 64
"""Pairs that the held-out loss is measured on, the first ones: more would cost more than they tell."""

CHECKPOINT_S = 20.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


_LAST_PASS_RATE = 0.25
"""Of the highest rate: the last pass adds the held-out pairs to what is known and is not to undo it."""


def step_count(settings: TrainingSettings, pairs: int, held_out: int = 0) -> int:
    """How many steps of the optimizer a training on so many pairs has; with a last pass over these and the held-out."""
    per_step = settings.batch * settings.accumulate
    last = steps_per_epoch(pairs + held_out, per_step) if settings.last_pass and held_out else 0
    return settings.epochs * steps_per_epoch(pairs, per_step) + last


def evaluation_interval(settings: TrainingSettings, steps: int) -> int:
    """After how many steps the held-out part is looked at."""
    return settings.answers_every or max(1, math.ceil(steps / _EVALUATIONS))


class TrainingLoop:
    """One training from its first step, or its last checkpoint, to the last step or until somebody stops it."""

    def __init__(self, run: Run, base: LocalModel, cancel: threading.Event) -> None:
        self.run = run
        self.step = 0
        self.seconds = self.step_seconds = 0.0
        self.tokens = 0
        self.best: TrainingState | None = None
        self.held_out_loss: float | None = None
        self._cancel = cancel
        self._base = base
        self._batch = run.settings.batch
        self._saved_at = time.monotonic()
        train, held_out = read_part(run, "train"), read_part(run, "held_out")
        self._before_last_pass = step_count(run.settings, len(train))
        self._every = evaluation_interval(run.settings, self._before_last_pass)
        everything = (*train, *held_out) if run.steps > self._before_last_pass else ()
        self._everything = self.timed(encode, base, everything, run.system_prompt)
        self._train = self.timed(encode, base, train, run.system_prompt)
        self._held_out = self.timed(encode, base, held_out[:HELD_OUT_MOST], run.system_prompt)
        self._shown = (held_out or train)[:LIVE_QUESTIONS]
        self._prompts = [prompt_ids(base, pair.asked, run.system_prompt) for pair in self._shown]
        self._epoch = lru_cache(maxsize=1)(self._positions)
        self.precision: PrecisionChoice
        self.learner: Learner

    def prepare(self) -> Iterator[Progress[TrainingResult]]:
        """Make the model trainable, and go on from the checkpoint if one was written. Says what it does next, each
        time before it does it. Raises `Cancelled`."""
        run, base = self.run, self._base
        if (choice := self._known_precision()) is None:
            yield Progress(run.step, run.steps, "measuring a step in float32 and in bfloat16")
            choice = self._measured_precision()
        self._take(choice)
        yield Progress(run.step, run.steps, "making the model trainable")
        self.learner = self.timed(Learner, base, replace(run.settings, precision=choice.precision), self._train)
        if (run.folder / CHECKPOINT).is_file():
            yield Progress(run.step, run.steps, "going back to the last checkpoint")
        self.resume()

    @property
    def is_in_last_pass(self) -> bool:
        """Whether what is held out was trained on as well, in a step of the last pass."""
        return self.step > self._before_last_pass

    @property
    def last_pass_done(self) -> bool:
        """Whether everything was gone over once more, so that the last state becomes the adapter."""
        return self.is_in_last_pass and self.step == self.run.steps

    @property
    def _is_looked_at(self) -> bool:
        return self.step % self._every == 0 or self.step in (self._before_last_pass, self.run.steps)

    @property
    def state(self) -> TrainingState:
        """How far it is."""
        return TrainingState(self.step, self._batch, self.seconds, self.step_seconds, self.tokens, self.held_out_loss)

    def timed(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do a piece of work in a turn of its own; only the work is timed, not the wait. Raises `Cancelled`."""
        if self._cancel.is_set():
            raise Cancelled
        with turns(f"training {self.run.name}", self._cancel)():
            began = time.monotonic()
            try:
                return inference.run(function, *args, **kwargs)
            finally:
                self.seconds += time.monotonic() - began

    def resume(self) -> None:
        """Go on from the checkpoint, if one was written."""
        file = self.run.folder / CHECKPOINT
        if not file.is_file():
            return
        learner = self.learner
        state = self.timed(checkpoint.load, file, learner.trainable.parameters, learner.optimizer)
        self.step, self._batch, self.tokens = state.step, state.batch, state.tokens
        self.seconds, self.step_seconds = self.seconds + state.seconds, state.step_seconds
        with contextlib.suppress(FileNotFoundError):
            self.best = checkpoint.state_of(self.run.folder / BEST)
        self.run = set_state(self.run, step=self.step)

    def return_to_checkpoint(self) -> None:
        """Return to the checkpoint, also while somebody asks to stop. The work done since then still counts as work."""
        spent = self.seconds, self.step_seconds, self.tokens
        self._cancel = threading.Event()
        self.resume()
        self.seconds, self.step_seconds, self.tokens = spent

    def steps(self) -> Iterator[Progress[TrainingResult]]:
        """Do what is left. `Cancelled` leaves the state as it was after the last whole step."""
        settings = self.run.settings
        if settings.precision == "auto" and settings.method == "lora" and self.step == 0:
            yield self._progress(TrainingNote(0, f"Trained in {self.precision}."))
        if self.step == 0 and (note := prompt_note(self._base, self.run.system_prompt)):
            yield self._progress(TrainingNote(0, note))
        if self.learner.slow_because:
            yield self._progress(TrainingNote(self.step, self.learner.slow_because))
        if self.step == 0 and settings.answers_every != 0:
            yield Progress(0, self.run.steps, "asking the base first")
            yield self._progress(self._live_answers())
        if self.step < self.run.steps:
            yield Progress(self.step, self.run.steps, f"doing step {self.step + 1}")
        while self.step < self.run.steps:
            self.held_out_loss = None
            if self.step == self._before_last_pass:
                yield self._progress(self._begin_last_pass())
            yield from self._one_step()
            if self._is_looked_at:
                if settings.answers_every != 0:
                    yield self._progress(self._live_answers())
                self.save()
            elif time.monotonic() - self._saved_at > CHECKPOINT_S:
                self.save()

    def finish(self) -> None:
        """After the last step, whether or not somebody stopped it: look once more, and write the checkpoint."""
        self._cancel = threading.Event()
        if self.step:
            self.evaluate_held_out()
            self.save()

    def save(self) -> None:
        """Write the checkpoint. Raises `OSError` if there is no room."""
        learner = self.learner
        file = self.run.folder / CHECKPOINT
        inference.run(checkpoint.save, file, learner.trainable.parameters, learner.optimizer, self.state)
        self._saved_at = time.monotonic()
        self.run = set_state(self.run, saved=self.step)

    def clean_up(self) -> None:
        """Remove what only a resume needs: for the last layers, about three times their size."""
        for name in (CHECKPOINT, BEST):
            (self.run.folder / name).unlink(missing_ok=True)

    def evaluate_held_out(self) -> None:
        """Measure the held-out loss; where it tells how well the pairs were learned, keep the state if none was better.

        By phrasing it does, and for reading, whose held-out examples can be answered. By group it rises while the
        pairs are still being learned (docs/measurements.md).
        """
        if not self._held_out or self.held_out_loss is not None or self.is_in_last_pass:
            return
        answers = sum(one.answer_tokens for one in self._held_out)
        ordered = sorted(self._held_out, key=lambda one: len(one.ids))
        self.held_out_loss = sum(self.timed(self.learner.loss, batch) for batch in self._batches(ordered)) / answers
        if self.run.settings.split_by == "group" and self.run.reading is None:
            return
        if self.best is None or self.held_out_loss < (self.best.held_out_loss or math.inf):
            self._keep_as_best()

    def _keep_as_best(self) -> None:
        self.best = self.state
        inference.run(checkpoint.save, self.run.folder / BEST, self.learner.trainable.parameters, None, self.state)

    def _begin_last_pass(self) -> TrainingNote:
        """Go back to the state that would become the adapter; it stays that one until the pass is over."""
        if self.best is None:
            self._keep_as_best()
        else:
            self.timed(checkpoint.load_parameters, self.run.folder / BEST, self.learner.trainable.parameters)
        assert self.best is not None
        return TrainingNote(
            self.step + 1,
            f"Last pass over everything, from the state at step {self.best.step}: all {len(self._everything):,} pairs, "
            "the held-out ones too. What was measured of these before no longer tests the adapter.",
        )

    def _known_precision(self) -> PrecisionChoice | None:
        """What was set or taken at the beginning, or is remembered; None where it has to be measured."""
        training, run = self.run.settings, self.run
        if (choice := precision.precision_from_settings(training)) is not None:
            return choice
        if run.precision in get_args(ComputePrecision):
            return PrecisionChoice(cast(ComputePrecision, run.precision), run.precision_reason)
        return precision.load_choice(self._base, training, run.data)

    def _measured_precision(self) -> PrecisionChoice:
        training = self.run.settings
        middle = sorted(self._train, key=lambda one: len(one.ids))[len(self._train) // 2 :][: training.batch]
        choice = self.timed(precision.measure_precision, self._base, training, middle)
        if choice.worth_saving:
            precision.save_choice(self._base, training, self.run.data, choice)
        return choice

    def _take(self, choice: PrecisionChoice) -> None:
        """Compute in it, and write it down where it was not set: a resumed training goes on in the same."""
        self.precision = choice
        if precision.precision_from_settings(self.run.settings) is None:
            self.run = set_state(self.run, precision=choice.precision, precision_reason=choice.reason)

    def _one_step(self) -> Iterator[Progress[TrainingResult]]:
        settings, began = self.run.settings, self.seconds
        examples, rate = self._next()
        answers = sum(one.answer_tokens for one in examples)
        while True:
            try:
                total = sum(self.timed(self.learner.add_gradient, batch, answers) for batch in self._batches(examples))
                break
            except (RuntimeError, MemoryError) as error:
                yield self._progress(self._halve_batch(error))
        if not (math.isfinite(total) and math.isfinite(self.timed(self.learner.update, rate))):
            raise NotFinite(self.step + 1, settings.top_rate, self._kept())
        self.step += 1
        tokens, seconds = sum(len(one.ids) for one in examples), self.seconds - began
        self.tokens, self.step_seconds = self.tokens + tokens, self.step_seconds + seconds
        if self._is_looked_at:
            self.evaluate_held_out()
        self.run = set_state(self.run, step=self.step)
        yield self._progress(
            StepRecord(self.step, total / answers, self.held_out_loss, tokens, seconds, tokens / max(seconds, 1e-9))
        )

    def _next(self) -> tuple[list[Example], float]:
        """What the next step takes, and at which learning rate."""
        settings, main = self.run.settings, self._before_last_pass
        if self.step < main:
            per_epoch = main // settings.epochs
            chosen = self._epoch(self.step // per_epoch)[self.step % per_epoch]
            return [self._train[position] for position in chosen], rate_at(settings, self.step, main)
        chosen = self._epoch(settings.epochs)[self.step - main]
        return [self._everything[position] for position in chosen], _LAST_PASS_RATE * settings.top_rate

    def _halve_batch(self, error: Exception) -> TrainingNote:
        """Smaller batches after an attempt without enough memory; the step keeps its pairs. Raises what is no such."""
        if not is_out_of_memory(error):
            raise error
        inference.run(self.learner.drop_gradients)
        if self._batch == 1:
            raise error
        self._batch = -(-self._batch // 2)
        pairs = "1 pair" if self._batch == 1 else f"{self._batch} pairs"
        sentence = f"Out of memory: the batch was halved to {pairs}. A step takes as many pairs as before."
        return TrainingNote(self.step + 1, sentence)

    def _live_answers(self) -> LiveAnswers:
        texts = self.timed(self.learner.answers, self._prompts, LIVE_TOKENS)
        shown = zip(self._shown, texts, strict=True)
        answers = tuple(LiveAnswer(pair.question, pair.answer, text) for pair, text in shown)
        return LiveAnswers(self.step, answers, held_out=bool(self._held_out) and not self.is_in_last_pass)

    def _positions(self, epoch: int) -> list[list[int]]:
        settings = self.run.settings
        examples = self._train if epoch < settings.epochs else self._everything
        return epoch_steps(examples, settings.batch * settings.accumulate, settings.seed, epoch)

    def _batches(self, examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
        for start in range(0, len(examples), self._batch):
            yield examples[start : start + self._batch]

    def _kept(self) -> int | None:
        file = self.run.folder / CHECKPOINT
        return checkpoint.state_of(file).step if file.is_file() else None

    def _progress(self, result: TrainingResult) -> Progress[TrainingResult]:
        log(self.run, result)
        return Progress(self.step, self.run.steps, f"training {self.run.name}", result)
