"""How many tokens a prompt will have, before anybody is asked."""

from __future__ import annotations

import math
from pathlib import Path

from backends import openai_tokens
from backends.base import PromptTokens, Question
from backends.engines.local_model import in_memory
from backends.pricing import CHARACTERS_PER_TOKEN

TOKENS_OF_MESSAGE = 4
"""What the chat format adds to a message: 3, and 1 for its role (OpenAI Cookbook, "How to count tokens with tiktoken",
2025)."""

TOKENS_OF_START = 3
"""What it adds before the answer (as above)."""


def guessed(question: Question) -> PromptTokens:
    """From the number of characters, for a tokenizer that is not here."""
    characters = sum(len(text) for text in _messages(question))
    tokens = math.ceil(characters / CHARACTERS_PER_TOKEN) + _chat(question)
    return PromptTokens(tokens, False, f"{CHARACTERS_PER_TOKEN} characters a token")


def counted(model: str, question: Question, data: Path) -> PromptTokens | None:
    """By the tokenizer of `model` (an id or a folder), if its weights are in memory or it is OpenAI's; None if not.

    No weights are loaded for it and nothing is fetched.
    """
    if base := in_memory(model):
        from backends.engines.transformers import prompt_tokens

        return PromptTokens(prompt_tokens(base, question), True, f"counted by the tokenizer of {base.weights.model_id}")
    encoding = openai_tokens.encoding_of(model)
    if encoding is None:
        return None
    tokens = _chat(question)
    for text in _messages(question):
        found = openai_tokens.count(text, encoding, data)
        if found is None:
            return None
        tokens += found
    return PromptTokens(tokens, True, f"counted by tiktoken, {encoding}")


def _messages(question: Question) -> list[str]:
    return [text for text in (question.system_prompt, question.text) if text]


def _chat(question: Question) -> int:
    return TOKENS_OF_MESSAGE * len(_messages(question)) + TOKENS_OF_START
