"""The request for an answer, and what is remembered of parameters that a server refuses."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from backends.base import Question
from backends.remote.address import host_of
from backends.remote.connection import Connection

OPENAI_HOST = "api.openai.com"

_DROPPABLE = ("stream_options", "temperature", "seed", "reasoning_effort")
_SWAPS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

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


def request_body(
    connection: Connection,
    messages: Sequence[Mapping[str, str]],
    question: Question,
    refused: Mapping[str, str | None],
) -> dict[str, Any]:
    """The JSON body of a streamed chat completion, without what the server is known to refuse."""
    at_openai = host_of(connection.base_url) == OPENAI_HOST
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
    for name, replacement in refused.items():
        if name in body:
            value = body.pop(name)
            if replacement:
                body[replacement] = value
    return body


def refused_parameter(body: Mapping[str, Any], param: str | None, message: str) -> tuple[str, str | None] | None:
    """Which parameter of `body` a 400 or 422 is about, and what to send instead (None: nothing).

    The server's own `param` field decides where it is given; else the first name that its message mentions.
    Returns None if the refusal is about something that cannot be left out.
    """
    candidates = [name for name in (*_SWAPS, *_DROPPABLE) if name in body]
    if param:
        named = [name for name in candidates if name == param.split(".")[0]]
    else:
        named = [name for name in candidates if re.search(rf"\b{name}\b", message)]
        named.sort(key=lambda name: message.index(name))
    if not named:
        return None
    return named[0], _SWAPS.get(named[0])
