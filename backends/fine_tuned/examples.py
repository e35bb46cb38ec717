"""Pairs as token ids, and the batches in which they are trained on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.base import Question
from backends.engines.local_model import LocalModel
from backends.engines.transformers import build_prompt
from backends.fine_tuned.pairs import Pair


@dataclass(frozen=True, slots=True)
class Example:
    """A pair's tokens: the prompt in the model's chat format, then the answer, of which the loss counts every token.

    `answer` is the number of answer tokens at the end of `ids`, the end of text included.
    """

    ids: tuple[int, ...]
    answer: int

    @property
    def prompt(self) -> int:
        """The number of prompt tokens."""
        return len(self.ids) - self.answer


def encode(base: LocalModel, pairs: Iterable[Pair], system_prompt: str) -> list[Example]:
    """The pairs as the comparison would ask them. Raises `BackendError` for a question longer than the context."""
    return [_encoded(base, pair, system_prompt) for pair in pairs]


def _encoded(base: LocalModel, pair: Pair, system_prompt: str) -> Example:
    prompt = prompt_ids(base, pair.question, system_prompt)
    answer = base.tokenizer(pair.answer, add_special_tokens=False, verbose=False).input_ids
    return Example((*prompt, *answer, base.tokenizer.eos_token_id), len(answer) + 1)


def prompt_ids(base: LocalModel, question: str, system_prompt: str) -> list[int]:
    """The tokens of a question as the comparison would ask it."""
    ids: list[int] = build_prompt(base, Question(question, system_prompt, max_tokens=1)).ids[0].tolist()
    return ids


def shared_prefix(batch: Sequence[Example]) -> int:
    """How many tokens all prompts begin with alike; one is always left, from which the answer is predicted.

    The system prompt is the same for all, so this is often half of a short prompt: it is computed once per batch.
    """
    first, last = min(one.ids for one in batch), max(one.ids for one in batch)
    limit = min(one.prompt for one in batch) - 1
    alike = (count for count, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return max(0, min(next(alike, limit), limit))


def steps_per_epoch(pairs: int, per_step: int) -> int:
    """How many steps of the optimizer go once through the pairs."""
    return -(-pairs // per_step)


def epoch_steps(examples: Sequence[Example], per_step: int, seed: int, epoch: int) -> list[list[int]]:
    """The positions of the examples that each step of an epoch takes: of similar length, so that little is padded.

    Examples are shuffled, sorted by length (equal ones stay shuffled) and cut into steps whose sizes differ by one
    at most; the steps are shuffled again. The order depends on seed and epoch alone.
    """
    draw = random.Random(f"{seed} {epoch}")  # noqa: S311 - an order, not a secret
    order = list(range(len(examples)))
    draw.shuffle(order)
    order.sort(key=lambda position: len(examples[position].ids))
    count = steps_per_epoch(len(order), per_step)
    steps = [order[len(order) * n // count : len(order) * (n + 1) // count] for n in range(count)]
    draw.shuffle(steps)
    return steps
