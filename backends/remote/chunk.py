"""What one chunk of a stream says, trusting nothing about its shape.

Text is `delta.content`: a string, or a list of parts (Mistral's reasoning models). Reasoning is `reasoning_content`
(DeepSeek, vLLM, SGLang, llama.cpp), `reasoning` (OpenRouter, Groq, Ollama, newer vLLM) or a part of kind `thinking`.
OpenAI counts reasoning and does not send it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backends.base import Usage
from backends.text import encodable

ABSURD_TOKENS = 10_000_000
"""More than any model reads or writes in one answer: the largest context windows hold about two million tokens."""


def reported_usage(raw: object) -> tuple[Usage, tuple[str, ...]]:
    """`raw` (the last `usage` of a stream: an object, a mapping or None) as `Usage`, and what was wrong with it.

    A count that is negative, not a whole number, above `ABSURD_TOKENS`, or larger than the count that includes
    it, is None: not reported.
    """
    if raw is None:
        return Usage(), ()
    notes: list[str] = []
    prompt = _count(raw, "prompt_tokens", notes)
    completion = _count(raw, "completion_tokens", notes)
    cached = _count(_field(raw, "prompt_tokens_details"), "cached_tokens", notes)
    reasoning = _count(_field(raw, "completion_tokens_details"), "reasoning_tokens", notes)
    cached = _within(cached, prompt, "cached_tokens", "prompt_tokens", notes)
    reasoning = _within(reasoning, completion, "reasoning_tokens", "completion_tokens", notes)
    known = any(count is not None for count in (prompt, completion, cached, reasoning))
    return Usage(prompt, completion, cached, reasoning, "server" if known else None), tuple(notes)


_TIER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
UNREADABLE_TIER = "unreadable"
"""Stands for a service tier whose name cannot be one."""


def reported_tier(raw: object, redact: Callable[[str], str]) -> str | None:
    """The service tier that a server says it used, in small letters; None if it said nothing.

    `redact` takes secrets out: nothing keeps a server from sending the key back as the name.
    """
    if raw is None or raw == "":
        return None
    name = redact(raw).strip().lower() if isinstance(raw, str) else ""
    return name if _TIER.fullmatch(name) else UNREADABLE_TIER


def _field(raw: object, name: str) -> object:
    if isinstance(raw, dict):
        return raw.get(name)
    return getattr(raw, name, None)


def _count(raw: object, name: str, notes: list[str]) -> int | None:
    value = _field(raw, name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ABSURD_TOKENS:
        return value
    notes.append(f"The server reported {_shown(value)} as {name}; that cannot be true and counts as not reported.")
    return None


def _within(part: int | None, whole: int | None, part_name: str, whole_name: str, notes: list[str]) -> int | None:
    if part is None or whole is None or part <= whole:
        return part
    notes.append(f"The server reported more {part_name} ({part}) than {whole_name} ({whole}); they are left out.")
    return None


def _shown(value: object) -> str:
    """A number as it is, cut short; anything else only by its kind, since it may hold anything."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) < 10**18 else "a number of more than 18 digits"
    return "something that is not a whole number"


_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class ChunkContent:
    """The parts of a chunk that matter here; empty or None where it does not have them. `usage` is as it came."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: object = None
    service_tier: object = None


def parse_chunk(chunk: object) -> ChunkContent:
    """Read a chunk: a JSON document of any shape. Only the first choice counts; one is asked for."""
    if not isinstance(chunk, dict):
        return ChunkContent()
    usage = chunk.get("usage")
    tier = chunk.get("service_tier")
    if tier is None and isinstance(usage, dict):  # where Anthropic puts it
        tier = usage.get("service_tier")
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return ChunkContent(usage=usage, service_tier=tier)
    reason, delta = choice.get("finish_reason"), choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    content = delta.get("content")
    text, reasoning = (content, "") if isinstance(content, str) else _parts(content)
    if not reasoning:
        reasoning = next((value for name in _REASONING if isinstance(value := delta.get(name), str) and value), "")
    return ChunkContent(
        encodable(text), encodable(reasoning), reason if isinstance(reason, str) and reason else None, usage, tier
    )


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
