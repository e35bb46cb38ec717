"""How long a training would take and what it needs on this machine, from a few measured steps."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import TypeVar, get_args

import psutil

from backends.errors import BackendError, is_out_of_memory
from backends.fine_tuned.pairs.files import Pair, check_enough
from backends.fine_tuned.pairs.held_out import split
from backends.fine_tuned.train import precision
from backends.fine_tuned.train.examples import Example, encode, epoch_steps, prompt_ids, prompt_note
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.loop import HELD_OUT_MOST, LIVE_QUESTIONS, LIVE_TOKENS, evaluation_interval, step_count
from backends.fine_tuned.train.method import TrainingSettings, check, trained_bytes
from backends.fine_tuned.train.precision import ComputePrecision, PrecisionChoice
from backends.fine_tuned.train.step import computed_tokens
from backends.models import inference
from backends.models.inference import stable_step_s
from backends.models.local import LocalModel, base_of, load_base
from backends.run.jobs import Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings
from backends.spend.pricing import machine_cost
from backends.storage.process import free_memory

_SAMPLE_INTERVAL_S = 0.005


class PeakMemory:
    """`with` it around work, once or more often: `peak_bytes` is the most there was above the level at its making.

    On a CPU what this process has taken for itself, looked at 200 times a second: pages of files that are mapped, such
    as weights, do not count, since the system takes them back at any time. On a GPU what torch has allotted there.
    """

    def __init__(self, device: str) -> None:
        self.peak_bytes = 0
        self._device = device
        self._before = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread()

    def __enter__(self) -> PeakMemory:
        self.peak_bytes = 0
        self._stop.clear()
        if self._device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()
        if self._device == "cuda":
            import torch

            self.peak_bytes = int(torch.cuda.max_memory_allocated()) - self._before

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_INTERVAL_S):
            self._sample()

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._now() - self._before)

    def _now(self) -> int:
        if self._device == "cuda":
            import torch

            return int(torch.cuda.memory_allocated())
        memory = psutil.Process().memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))  # `shared` is known on Linux


_T = TypeVar("_T")

_PARTS = 6
_LOOKED_AT = 2_000
"""Pairs that are encoded; of more, so many are drawn and stand for all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training would take. `peak_bytes`: memory on top of what is in use; `free_bytes`: what is free now.

    `precision` is the one that the training will take, and `precision_reason` why; `note` is "" or a warning.
    """

    seconds: float
    peak_bytes: int
    free_bytes: int
    cost_usd: Decimal | None
    cost_basis: str
    tokens_per_s: float
    precision: ComputePrecision
    steps: int
    note: str
    precision_reason: str = ""


def estimate(
    settings: Settings, pairs: Sequence[Pair], training: TrainingSettings, cancel: threading.Event
) -> Iterator[Progress[Estimate]]:
    """Measure three steps per precision that is worth it, the longest batch among them, and compute with them.

    What is found about `auto` is what the next training takes. Gives up the machine after each step. Ends without an
    estimate if `cancel` is set. Raises `BackendError` for settings that are not possible, and if the memory does not
    even do for the probe.
    """
    check(training)
    check_enough(len(pairs))
    try:
        with turns("trying out the training", cancel)():
            for loading in load_base(settings):
                yield Progress(0, 1, loading.what)
            base = base_of(settings)
        free = free_memory(base.device)
        probe = _Probe(base, settings, pairs, training, cancel)
        worth_it = probe.precisions()
        for done, name in enumerate(worth_it):
            try:
                for part, doing in enumerate(probe.measure(name)):
                    yield Progress(_PARTS * done + part, _PARTS * len(worth_it), f"trying out {name}: {doing}")
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or (name == worth_it[-1] and not probe.measured):
                    raise
    except Cancelled:
        return
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BackendError(
            "There is not enough memory to try out the training.", "Lower the batch, the rank or the layers."
        ) from None
    choice = probe.choice()
    if training.precision == "auto" and training.method == "lora" and choice.worth_saving:
        precision.save_choice(base, training, settings.data, choice)
    yield Progress(1, 1, "done", probe.estimate(settings, choice, free))


@dataclass(frozen=True, slots=True)
class _MeasuredPrecision:
    """Seconds: once to prepare, per computed token in training and without a gradient, per round of live answers.

    `tokens_per_s` of the steps, prompt and answer tokens; `note` says what the learner has to say of itself.
    """

    tokens_per_s: float
    prepare_s: float
    train_s: float
    loss_s: float
    answers_s: float
    peak_bytes: int
    note: str


class _Probe:
    """Measures each precision on the same batches."""

    def __init__(
        self,
        base: LocalModel,
        settings: Settings,
        pairs: Sequence[Pair],
        training: TrainingSettings,
        cancel: threading.Event,
    ) -> None:
        looked_at = list(pairs)
        if len(pairs) > _LOOKED_AT:
            looked_at = random.Random(training.seed).sample(looked_at, _LOOKED_AT)  # noqa: S311 - no secret
        self._scale = len(pairs) / len(looked_at)
        parts = split(looked_at, training.held_out_share, training.split_by, training.seed)
        self._base, self._training = base, training
        self._turn = turns("trying out the training", cancel)
        self._cancel = cancel
        self._train = encode(base, parts.train, settings.system_prompt)
        self._held_out_part = parts.held_out
        self._held_out = encode(base, parts.held_out[:HELD_OUT_MOST], settings.system_prompt)
        shown = (parts.held_out or parts.train)[:LIVE_QUESTIONS]
        self._prompts = [prompt_ids(base, pair.asked, settings.system_prompt) for pair in shown]
        steps = epoch_steps(self._train, training.batch, training.seed, 0)
        batches = [[self._train[position] for position in step] for step in steps]
        self._batches = sorted(batches, key=computed_tokens)
        self.measured: dict[ComputePrecision, _MeasuredPrecision] = {}
        self._settled: PrecisionChoice | None = None
        self._memory = PeakMemory(base.device)

    def precisions(self) -> tuple[ComputePrecision, ...]:
        """What is worth trying: the one that is settled, or both; bfloat16 not where a product in it is hopeless."""
        self._settled = precision.precision_from_settings(self._training)
        if self._settled is None:
            spent = self._timed(lambda: precision.matmul_seconds(self._base))[0]
            self._settled = precision.rule_out_bfloat16(spent)
        return get_args(ComputePrecision) if self._settled is None else (self._settled.precision,)

    def choice(self) -> PrecisionChoice:
        """The precision of the training, once everything worth it was measured."""
        if self._settled is not None:
            return self._settled
        return precision.faster_precision({name: one.tokens_per_s for name, one in self.measured.items()})

    def measure(self, name: ComputePrecision) -> Iterator[str]:
        """A step to warm up, one on the longest batch and one on a middle one; says which of the `_PARTS` is next."""
        middle, longest = self._batches[len(self._batches) // 2], self._batches[-1]
        with self._memory:
            yield "preparing the model"
            learner, prepare_s = self._timed(
                lambda: Learner(self._base, replace(self._training, precision=name), self._train)
            )
            yield "a step to warm up"
            self._timed(lambda: _step(learner, middle))
            yield "the longest step"
            longest_s = self._stable_step_s(lambda: _step(learner, longest))
            yield "a usual step"
            seconds = longest_s + self._stable_step_s(lambda: _step(learner, middle))
            yield "a look at the loss"
            loss_s = self._stable_step_s(lambda: learner.loss(middle)) / computed_tokens(middle)
            yield "the live answers"
            answers_s = 0.0
            if self._training.answers_every != 0:
                answers_s = self._stable_step_s(lambda: learner.answers(self._prompts, LIVE_TOKENS))
        train_s = seconds / (computed_tokens(longest) + computed_tokens(middle))
        tokens = sum(len(one.ids) for one in (*longest, *middle))
        self.measured[name] = _MeasuredPrecision(
            tokens / seconds, prepare_s, train_s, loss_s, answers_s, self._memory.peak_bytes, learner.slow_because
        )

    def estimate(self, settings: Settings, choice: PrecisionChoice, free: int) -> Estimate:
        """The whole training from its parts, in the precision that it takes."""
        best = self.measured[choice.precision]
        training = self._training
        trained, held_out = (round(len(part) * self._scale) for part in (self._train, self._held_out_part))
        steps = step_count(training, trained, held_out)
        main = step_count(training, trained)
        looks = -(-main // evaluation_interval(training, main))
        epoch = sum(map(computed_tokens, self._batches)) * self._scale
        passes = training.epochs * steps / main
        train_s = best.train_s * epoch * passes
        held_out_s = best.loss_s * computed_tokens(self._held_out) * looks if self._held_out else 0.0
        seconds = best.prepare_s + train_s + held_out_s + best.answers_s * (looks + 1)
        tokens = sum(len(one.ids) for one in self._train) * self._scale * passes
        cost = machine_cost(seconds, settings.machine_usd_per_hour)
        note = " ".join(filter(None, (best.note, prompt_note(self._base, settings.system_prompt))))
        least = 4 * trained_bytes(self._base, training)  # parameters, gradients, two moments: reused heap hides them
        peak_bytes = max(best.peak_bytes, least)
        if peak_bytes > free:
            note += " " * bool(note) + (
                f"The training needs about {peak_bytes / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free. "
                "Lower the batch, the rank or the layers."
            )
        return Estimate(
            seconds,
            peak_bytes,
            free,
            cost.usd,
            f"estimate: {cost.basis}",
            tokens / train_s,
            choice.precision,
            steps,
            note,
            choice.reason,
        )

    def _stable_step_s(self, function: Callable[[], object]) -> float:
        return stable_step_s(self._base.device, lambda: self._timed(function)[1])

    def _timed(self, function: Callable[[], _T]) -> tuple[_T, float]:
        if self._cancel.is_set():
            raise Cancelled
        with self._turn():
            began = time.monotonic()
            return inference.run(function), time.monotonic() - began


def _step(learner: Learner, batch: Sequence[Example]) -> None:
    learner.add_gradient(batch, sum(one.answer_tokens for one in batch))
    learner.update(0.0)
