"""Training a reader: exercises are drawn as they are needed, and the training can be cut and resumed at any time.

A step is `groups` pieces of evidence with all questions about each. Group number n depends on the seed and n alone, so
a resumed training goes on as if nothing had happened. What is used afterwards is the running mean of the weights
(Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"), which is good at any step and
needs no end that was planned.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.fine_tuned.adapters.card import write_card
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train import checkpoint
from backends.fine_tuned.train.checkpoint import TrainingState
from backends.fine_tuned.train.examples import Example, encode
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.step import computed_tokens, summed_loss
from backends.models import inference
from backends.models.adapter_files import WEIGHTS
from backends.models.local import LocalModel
from backends.storage.files import replacing, sha256
from benchmarks.reading.exercises import Group
from benchmarks.reading.prompt import reader_prompt
from benchmarks.reading.stream import exercises_of

CHECKPOINT, MEAN, LOG, SETTINGS = "checkpoint.safetensors", "mean.safetensors", "log.jsonl", "settings.json"
CHECKPOINT_S = 90.0


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How a reader is trained.

    `groups` pieces of evidence a step, each with `questions`; the learning rate rises over `warmup` steps and stays,
    or falls linearly to 0 from step `fall_from` to `steps`. `mean_over`: steps that the running mean remembers.
    """

    rank: int = 8
    alpha: int = 16
    learning_rate: float = 1e-3
    groups: int = 4
    questions: int = 6
    ask_first: bool = False
    cite_first: bool = False
    warmup: int = 20
    steps: int = 100_000
    fall_from: int = 100_000
    mean_over: int = 40
    seed: int = 0
    manuals: str = ""
    target_modules: tuple[str, ...] = ()

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        top = self.learning_rate * min(1.0, (step + 1) / self.warmup)
        left = (self.steps - step) / max(1, self.steps - self.fall_from)
        return top * max(0.0, min(1.0, left))


def as_pairs(group: Group, settings: ReaderSettings) -> list[Pair]:
    """The exercises of a group as pairs of prompt and answer."""
    return [
        Pair(reader_prompt(one.question, group.evidence, settings.ask_first), one.answer(settings.cite_first))
        for one in group.exercises
    ]


class ReaderTraining:
    """A training in a folder, from its beginning or its last checkpoint."""

    def __init__(
        self, base: LocalModel, folder: Path, settings: ReaderSettings, system_prompt: str, workers: int = 1
    ) -> None:
        self.workers = workers
        self.folder, self.settings, self._base, self._system = folder, settings, base, system_prompt
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self._stream = exercises_of(settings.seed, settings.questions, settings.manuals)
        method = TrainingSettings(
            rank=settings.rank,
            alpha=settings.alpha,
            precision="float32",
            seed=settings.seed,
            target_modules=tuple(settings.target_modules),
        )
        first = encode(base, as_pairs(self._stream(0), settings), system_prompt)
        self.learner = inference.run(Learner, base, method, first)
        self.parameters: dict[str, Any] = self.learner.trainable.parameters
        self.mean = {name: one.detach().clone() for name, one in self.parameters.items()}
        if (folder / CHECKPOINT).is_file():
            self._resume()

    def run(self, seconds: float, most_tokens: int | None = None) -> Iterator[dict[str, float]]:
        """Train for so long, or on so many computed tokens; yields a record a step. Saves at the end, too."""
        until, saved = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until and self.step < self.settings.steps:
            if most_tokens is not None and self.tokens >= most_tokens:
                break
            yield inference.run(self._one_step)
            if time.monotonic() - saved > CHECKPOINT_S:
                inference.run(self.save)
                saved = time.monotonic()
        inference.run(self.save)

    def _batches(self) -> list[list[Example]]:
        start = self.step * self.settings.groups
        groups = [self._stream(number) for number in range(start, start + self.settings.groups)]
        batches = [encode(self._base, as_pairs(group, self.settings), self._system) for group in groups]
        if self.settings.ask_first:  # nothing but the system prompt is shared, so they may as well share rows
            return [[one for batch in batches for one in batch]]
        return [batch for batch in batches if batch]

    def _one_step(self) -> dict[str, float]:
        import torch

        began, batches = time.monotonic(), self._batches()
        answers = sum(one.answer_tokens for batch in batches for one in batch)
        loss = self._add_gradients(batches, answers) / answers
        norm = self.learner.update(self.settings.rate(self.step))
        self.step += 1
        keep = min(1 - 1 / self.settings.mean_over, self.step / (self.step + 9))
        with torch.no_grad():
            for name, one in self.parameters.items():
                self.mean[name].lerp_(one, 1 - keep)
        self.tokens += sum(computed_tokens(batch) for batch in batches)
        self.seconds += time.monotonic() - began
        record = {"step": self.step, "loss": loss, "norm": norm, "tokens": self.tokens, "seconds": self.seconds}
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({name: round(value, 4) for name, value in record.items()}) + "\n")
        return record

    def _add_gradients(self, batches: Sequence[Sequence[Example]], answers: int) -> float:
        """The gradient of the step, its batches side by side where there are workers; returns the summed loss.

        A worker computes with one thread (`OMP_NUM_THREADS=1`), so none of them waits for another one that the system
        has put aside: on busy cores two workers get about twice as much done as one with two threads.
        """
        import torch

        def gradient(batch: Sequence[Example]) -> tuple[float, tuple[Any, ...]]:
            loss = summed_loss(self.learner.model, batch, self.learner.fast)
            return float(loss.detach()), torch.autograd.grad(loss / answers, self.learner.parameters)

        with ThreadPoolExecutor(self.workers) as pool:
            total = 0.0
            for loss, gradients in pool.map(gradient, batches):
                total += loss
                for parameter, one in zip(self.learner.parameters, gradients, strict=True):
                    parameter.grad = one if parameter.grad is None else parameter.grad.add_(one)
        return total

    def save(self) -> None:
        """Write the checkpoint and the mean. Raises `OSError` if there is no room."""
        from safetensors.torch import save_file

        state = TrainingState(self.step, self.settings.groups, self.seconds, self.seconds, self.tokens)
        checkpoint.save(self.folder / CHECKPOINT, self.parameters, self.learner.optimizer, state)
        with replacing(self.folder / MEAN) as part:
            save_file({name: one.contiguous() for name, one in self.mean.items()}, part)

    def write_adapter(self, folder: Path) -> None:
        """The mean as an adapter in peft's format, with its card, as every adapter of the catalogue has one."""
        folder.mkdir(parents=True, exist_ok=True)
        inference.run(self.learner.trainable.write, folder, self.mean)
        write_card(folder, self._card() | {"sha256": sha256(folder / WEIGHTS)})

    def _card(self) -> dict[str, Any]:
        reading = self.settings
        batch = reading.groups * reading.questions
        trained = {"rank": reading.rank, "alpha": reading.alpha, "batch": batch, "learning_rate": reading.learning_rate}
        return {
            "base_model": self._base.weights.model_id,
            "base_revision": self._base.weights.revision,
            "method": "lora",
            "settings": trained | {"seed": reading.seed, "system_prompt": self._system},
            "data": {"pairs": self.step * batch, "source": "reading exercises (python -m benchmarks.reading)"},
            "created": datetime.now(UTC).isoformat("T", "seconds"),
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "tokens_per_s": round(self.tokens / max(self.seconds, 1e-9), 1),
            "precision": self.learner.trainable.precision,
            "device": self._base.device,
            "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")},
            "command": "make reader",
        }

    def use_mean(self) -> None:
        """Put the mean into the model, to ask it. The training cannot go on after that."""
        import torch

        with torch.no_grad():
            for name, one in self.parameters.items():
                one.copy_(self.mean[name])

    def _resume(self) -> None:
        from safetensors.torch import load_file

        state = inference.run(checkpoint.load, self.folder / CHECKPOINT, self.parameters, self.learner.optimizer)
        self.step, self.tokens, self.seconds = state.step, state.tokens, state.seconds
        self.mean = load_file(self.folder / MEAN)


__all__: Sequence[str] = ("ReaderSettings", "ReaderTraining", "as_pairs")
