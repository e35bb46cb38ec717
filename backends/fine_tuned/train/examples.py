"""Pairs as token ids, and the batches in which they are trained on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from backends.base import Question
from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair
from backends.models.generate import build_prompt
from backends.models.local import LocalModel

CountTokens = Callable[[str], int]
"""Text -> its number of tokens, without what a chat template adds."""

_PROBE = "x"
_NAMED, _BEGIN = 5, 60


def token_counter(base: LocalModel) -> CountTokens:
    """The model's own tokenizer as a counter."""
    tokenizer = base.tokenizer.backend_tokenizer
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def template_tokens(base: LocalModel, system_prompt: str) -> int:
    """What each pair has in training besides question and answer: chat template, system prompt, end of text."""
    prompt = build_prompt(base, Question(_PROBE, system_prompt, max_tokens=1))
    return prompt.tokens - token_counter(base)(_PROBE) + 1


def prompt_note(base: LocalModel, system_prompt: str) -> str:
    """What is to be said of the form in which the model gets each question; or nothing."""
    return build_prompt(base, Question(_PROBE, system_prompt, max_tokens=1)).note


def check_lengths(base: LocalModel, pairs: Sequence[Pair], system_prompt: str) -> None:
    """Raises `BackendError` naming the pairs that are longer than the context."""
    window = base.context_tokens
    count, around = token_counter(base), template_tokens(base, system_prompt)
    lengths = [count(pair.asked) + count(pair.answer) + around for pair in pairs]
    long = [pair for pair, tokens in zip(pairs, lengths, strict=True) if window and tokens > window]
    if long:
        which = "; ".join(_begin(pair.question) for pair in long[:_NAMED])
        more = f"; and {len(long) - _NAMED:,} more" if len(long) > _NAMED else ""
        raise BackendError(
            f"{len(long):,} of {len(pairs):,} pairs {'is' if len(long) == 1 else 'are'} longer than the context of "
            f"{window:,} tokens: {which}{more}.",
            "Shorten or remove them.",
        )


def _begin(question: str) -> str:
    """By which a pair is found in its file: its place there is not known here."""
    line = " ".join(question.split())
    return f'"{line}"' if len(line) <= _BEGIN else f'"{line[:_BEGIN]}…"'


@dataclass(frozen=True, slots=True)
class Example:
    """A pair's tokens: the prompt in the model's chat format, then the answer, of which the loss counts every token.

    `answer_tokens` is the number of answer tokens at the end of `ids`, the end of text included.
    """

    ids: tuple[int, ...]
    answer_tokens: int

    @property
    def prompt_tokens(self) -> int:
        """The number of prompt tokens."""
        return len(self.ids) - self.answer_tokens


def encode(base: LocalModel, pairs: Iterable[Pair], system_prompt: str) -> list[Example]:
    """The pairs as the comparison would ask them. Raises `BackendError` for a question longer than the context."""
    return [_encoded(base, pair, system_prompt) for pair in pairs]


def _encoded(base: LocalModel, pair: Pair, system_prompt: str) -> Example:
    prompt = prompt_ids(base, pair.asked, system_prompt)
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
    limit = min(one.prompt_tokens for one in batch) - 1
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
