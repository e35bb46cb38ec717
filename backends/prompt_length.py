"""How many tokens a prompt will have, before anybody is asked."""

from __future__ import annotations

import math

from backends.base import PromptTokens, Question
from backends.engines.local_model import in_memory
from backends.pricing import CHARACTERS_PER_TOKEN

TOKENS_OF_CHAT = 11
"""What the chat format adds to a system prompt and a question: OpenAI's 3 a message and 3 for the answer's start, and
the role names (OpenAI Cookbook, "How to count tokens with tiktoken", 2025)."""


def guessed(question: Question) -> PromptTokens:
    """From the number of characters, for a tokenizer that is not here."""
    characters = len(question.system_prompt) + len(question.text)
    tokens = math.ceil(characters / CHARACTERS_PER_TOKEN) + TOKENS_OF_CHAT
    return PromptTokens(tokens, False, f"{CHARACTERS_PER_TOKEN} characters a token")


def counted(model: str, question: Question) -> PromptTokens | None:
    """By the tokenizer of `model` (an id or a folder), if its weights are in memory; nothing is loaded for it."""
    base = in_memory(model)
    if base is None:
        return None
    from backends.engines.transformers import prompt_tokens

    return PromptTokens(prompt_tokens(base, question), True, f"counted by the tokenizer of {base.weights.model_id}")
