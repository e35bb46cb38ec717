"""The request for an answer, and what is remembered of parameters that a server refuses."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from backends.base import Question
from backends.remote.address import host_of
from backends.remote.connection import Connection
from backends.text import with_system_prompt

OPENAI_HOST = "api.openai.com"

SYSTEM_ROLE = "the system role"
"""Stands among refused parameters for messages in the role `system`: they go into the question."""

_DROPPABLE = ("stream_options", "temperature", "seed", "reasoning_effort")
_SWAPS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

_WHO = ("system", "developer", "'system'", '"system"', "`system`", "'developer'", '"developer"')
_WHAT = (
    *(" role", " message", " prompt", " instruction", "_instruction", " with this model", "' is not", '" is not'),
    *(" is not", " (2013)", "-role", "_prompt", "'", '"', "`"),
)
_REFUSES = (
    *("not support", "unsupported", "n't support", "not allowed", "not enabled", "not permitted", "invalid"),
    *("not one of", "unrecognized", "does not exist", "unknown", "unexpected", "not accepted", "must "),
    *("cannot", "can't", "disallowed", "not available"),
)
_ONLY_OTHER_ROLES = (
    "only user and assistant roles",
    "roles must alternate",
    "role must alternate",
    "alternate between user and assistant",
    "input should be 'user' or 'assistant'",
    "input should be 'user', 'assistant'",
    "role: system",
    "role 'system'",
    'role "system"',
    "first message must be from user",
    "first message must have role 'user'",
)
_READ_CHARACTERS = 10_000
_NO_STREAMS = (
    *("to stream this model", "'stream' does not support", "not support stream", "streaming is not supported"),
    *("streaming not supported", "stream is not supported", "streaming is not enabled", "streaming unsupported"),
)
_OUT_OF_RANGE = ("too large", "too small", "at most", "below minimum", "above maximum", "less than or equal")
"""Words about the value of a token limit, not about its name: the other name would not help."""

# The least reasoning that each model family of OpenAI offers. The token limit counts reasoning too, so at the
# default effort (medium) an answer of 160 tokens can come back empty.
# https://platform.openai.com/docs/guides/reasoning and OpenAI's refusals as of November 2026.
_LEAST_REASONING = ((re.compile(r"gpt-5(-mini|-nano)?(-20\d\d-\d\d-\d\d)?$"), "minimal"),)


class RefusedParameters:
    """What each (base URL, model) refused in this process: parameter -> its replacement, or None to leave it out."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], dict[str, str | None]] = {}
        self._lock = threading.Lock()

    def for_connection(self, connection: Connection) -> dict[str, str | None]:
        """A copy of what is known about this server and model."""
        with self._lock:
            return dict(self._known.get((connection.base_url, connection.model), {}))

    def remember(self, connection: Connection, refused: Mapping[str, str | None]) -> None:
        """Keep what an accepted request had to do without."""
        if refused:
            with self._lock:
                self._known.setdefault((connection.base_url, connection.model), {}).update(refused)

    def forget(self) -> None:
        """Start afresh, as a new process would."""
        with self._lock:
            self._known.clear()


REFUSED = RefusedParameters()


def messages_of(question: Question) -> list[dict[str, str]]:
    """The question as a conversation: its system prompt, if there is one, and itself."""
    messages = [{"role": "user", "content": question.text}]
    if question.system_prompt:
        messages.insert(0, {"role": "system", "content": question.system_prompt})
    return messages


def request_body(
    connection: Connection,
    messages: Sequence[Mapping[str, str]],
    question: Question,
    refused: Mapping[str, str | None],
) -> dict[str, Any]:
    """The JSON body of a streamed chat completion, without what the server is known to refuse."""
    at_openai = host_of(connection.base_url) == OPENAI_HOST
    if SYSTEM_ROLE in refused:
        messages = without_system_role(messages)
    body: dict[str, Any] = {
        "model": connection.model,
        "messages": [dict(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens" if at_openai else "max_tokens": question.max_tokens,
        "temperature": question.temperature,
        "seed": question.seed,
    }
    effort = next((effort for family, effort in _LEAST_REASONING if family.match(connection.model)), None)
    if at_openai and effort:
        body["reasoning_effort"] = effort
    if "stream" in refused:  # and what goes with it
        del body["stream"], body["stream_options"]
    for name, replacement in refused.items():
        if name in body:
            value = body.pop(name)
            if replacement:
                body[replacement] = value
    return body


def without_system_role(messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The messages with what stood in the role `system` in front of the first question."""
    systems = [message["content"] for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    first = next((n for n, message in enumerate(others) if message["role"] == "user"), None)
    if not systems or first is None:
        return list(messages)
    content = with_system_prompt("\n\n".join(systems), others[first]["content"])
    return [*others[:first], {**others[first], "content": content}, *others[first + 1 :]]


def refuses_system_role(body: Mapping[str, Any], param: str | None, message: str) -> bool:
    """Whether a refusal is about a message in the role `system` (which OpenAI's newer models call `developer`).

    By the words of OpenAI, Gemini, vLLM, TGI, llama.cpp, LM Studio, MiniMax and chat templates.
    """
    if not any(one["role"] == "system" for one in body["messages"]):
        return False
    said = message[:_READ_CHARACTERS].lower()
    if param and re.match(r"messages\b.{0,20}\brole\b", param):
        return True
    if any(words in said for words in _ONLY_OTHER_ROLES):
        return True
    named = any(f"{who}{what}" in said for who in _WHO for what in _WHAT)
    return named and any(word in said for word in _REFUSES)


def refused_parameter(body: Mapping[str, Any], param: str | None, message: str) -> tuple[str, str | None] | None:
    """Which parameter of `body` a 400 or 422 is about, and what to send instead (None: nothing).

    The server's own `param` field decides where it is given; else the first name that its message mentions.
    Returns None if the refusal is about something that cannot be left out.
    """
    candidates = [name for name in (*_SWAPS, *_DROPPABLE) if name in body]
    said = message[:_READ_CHARACTERS].lower()
    if any(words in said for words in _NO_STREAMS) or param == "stream":
        return ("stream", None) if "stream" in body else None
    if any(words in said for words in _OUT_OF_RANGE):
        candidates = [name for name in candidates if name not in _SWAPS]
    if param:
        named = [name for name in candidates if name == param.split(".")[0]]
    else:
        named = [name for name in candidates if re.search(rf"\b{name}\b", message)]
        named.sort(key=lambda name: message.index(name))
    if not named:
        return None
    return named[0], _SWAPS.get(named[0])
