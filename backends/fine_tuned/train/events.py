"""What a training says of itself, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of the optimizer. `loss`: mean cross entropy in nats over the answer tokens of the step's pairs.

    `held_out_loss` is the same over the held-out part, in the steps in which it was measured. `tokens`: prompt and
    answer tokens of the step's pairs, without padding; `seconds`: what the step took, without waiting.
    """

    step: int
    loss: float
    held_out_loss: float | None
    tokens: int
    seconds: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the model says at this step (`text`), beside what was wanted."""

    question: str
    reference: str
    text: str


@dataclass(frozen=True, slots=True)
class LiveAnswers:
    """The same few questions at each look. `held_out`: whether they are held out; False means they are trained on.

    Step 0 is the base, before anything was learned.
    """

    step: int
    answers: tuple[LiveAnswer, ...]
    held_out: bool


@dataclass(frozen=True, slots=True)
class TrainingNote:
    """Something that happened on the way and that the user should see."""

    step: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Trained:
    """The end: an adapter called `name` is in `folder`. `steps` were done, the adapter is the state at `best_step`.

    `seconds` of work, without waiting for turns. `reason`: in a sentence, why it ended and what was kept.
    """

    name: str
    folder: Path
    steps: int
    seconds: float
    best_step: int
    reason: str


TrainingResult = StepRecord | LiveAnswers | TrainingNote | Trained
