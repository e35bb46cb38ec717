"""How many tokens a text has for a model, what its chat template adds to a pair, and which pairs are too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.base import BackendError, Question
from backends.engines.local_model import LocalModel
from backends.engines.transformers import build_prompt
from backends.fine_tuned.pairs import Pair

CountTokens = Callable[[str], int]
"""Text -> its number of tokens, without what a chat template adds."""

_PROBE = "x"
_NAMED, _BEGIN = 5, 60


def token_counter(base: LocalModel) -> CountTokens:
    """The model's own tokenizer as a counter: about 20 microseconds for a short text (November 2026)."""
    tokenizer = base.tokenizer.backend_tokenizer
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def template_tokens(base: LocalModel, system_prompt: str) -> int:
    """What each pair has in training besides question and answer: chat template, system prompt, end of text."""
    prompt = build_prompt(base, Question(_PROBE, system_prompt, max_tokens=1))
    return prompt.tokens - token_counter(base)(_PROBE) + 1


def check_lengths(base: LocalModel, pairs: Sequence[Pair], system_prompt: str) -> None:
    """Raises `BackendError` naming the pairs that are longer than the context."""
    window = base.context_tokens
    count, around = token_counter(base), template_tokens(base, system_prompt)
    lengths = [count(pair.question) + count(pair.answer) + around for pair in pairs]
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
