"""What one chunk of a stream says, trusting nothing about its shape.

Text is `delta.content`: a string, or a list of parts (Mistral's reasoning models). Reasoning is `reasoning_content`
(DeepSeek, vLLM, SGLang, llama.cpp), `reasoning` (OpenRouter, Groq, Ollama, newer vLLM) or a part of kind `thinking`.
OpenAI counts reasoning and does not send it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SURROGATE = re.compile("[\ud800-\udfff]")
_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class Said:
    """The parts of a chunk that matter here; empty or None where it does not have them. `usage` is as it came."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: object = None
    service_tier: object = None


def said(chunk: object) -> Said:
    """Read a chunk: a JSON document of any shape. Only the first choice counts; one is asked for."""
    if not isinstance(chunk, dict):
        return Said()
    usage = chunk.get("usage")
    tier = chunk.get("service_tier")
    if tier is None and isinstance(usage, dict):  # where Anthropic puts it
        tier = usage.get("service_tier")
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return Said(usage=usage, service_tier=tier)
    reason, delta = choice.get("finish_reason"), choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    content = delta.get("content")
    text, reasoning = (content, "") if isinstance(content, str) else _parts(content)
    if not reasoning:
        reasoning = next((value for name in _REASONING if isinstance(value := delta.get(name), str) and value), "")
    return Said(
        encodable(text), encodable(reasoning), reason if isinstance(reason, str) and reason else None, usage, tier
    )


def encodable(text: str) -> str:
    """`text` without lone halves of characters, which no file or page can hold."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _parts(content: object) -> tuple[str, str]:
    """Text and reasoning of a list of parts."""
    text, reasoning = "", ""
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            reasoning += "".join(_texts(part.get("thinking")))
        else:
            text += "".join(_texts([part]))
    return text, reasoning


def _texts(parts: object) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
