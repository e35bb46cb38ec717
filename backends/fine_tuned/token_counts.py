"""How many tokens a text has for a model, and what its chat template adds to a pair."""

from __future__ import annotations

from collections.abc import Callable

from backends.base import Question
from backends.engines.local_model import LocalModel
from backends.engines.transformers import build_prompt

CountTokens = Callable[[str], int]
"""Text -> its number of tokens, without what a chat template adds."""

_PROBE = "x"


def token_counter(base: LocalModel) -> CountTokens:
    """The model's own tokenizer as a counter: about 20 microseconds for a short text (November 2026)."""
    tokenizer = base.tokenizer.backend_tokenizer
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def template_tokens(base: LocalModel, system_prompt: str) -> int:
    """What each pair has in training besides question and answer: chat template, system prompt, end of text."""
    prompt = build_prompt(base, Question(_PROBE, system_prompt, max_tokens=1))
    return prompt.tokens - token_counter(base)(_PROBE) + 1
