"""What a server says went wrong, in whichever of the shapes that OpenAI-compatible servers use.

OpenAI: `{"error": {"message", "type", "param", "code"}}`. Gemini: that in a list. vLLM, older: `{"object": "error",
"message"}`. FastAPI: `{"detail": "..."}` or a list of `{"loc", "msg"}`. TGI: `{"error": "...", "error_type"}`. MiniMax:
`{"base_resp": {"status_code", "status_msg"}}`. OpenRouter: an `error` beside or inside a choice. Gateways: `errors`,
`message`, `msg`, a web page with a title, or words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from backends.text import encodable

_WORDS = ("message", "msg", "error_description", "error_msg", "error_message", "status_msg", "description", "reason")
_WITHIN = ("error", "errors", "detail", "details", "base_resp", "title", "text")
_NAMES = ("type", "code", "status", "error_code", "error_type")
_DEEPEST, _MOST = 5, 5
_READ_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The server's words (empty: none), and what it named: a code, the parameter that it is about, and a type."""

    words: str = ""
    code: str | None = None
    param: str | None = None
    kind: str | None = None


def error_body(body: object) -> ErrorBody:
    """What a body says. Never raises; work is bounded."""
    found = _named(body, 0)
    named = (_text(found.get(name)) for name in ("code", "param", "type"))
    return ErrorBody(words_of(body), *named)


def retry_delay(body: object) -> str | None:
    """Google's `retryDelay` (`39s`) from the details of an error, as they stand in google.rpc.RetryInfo."""
    found = _named(body, 0).get("details")
    for one in found[:_MOST] if isinstance(found, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("retryDelay"), str):
            return str(one["retryDelay"])
    return None


def words_of(body: object) -> str:
    """The words of a body, else its names for what happened, else the body itself as JSON; nothing for nothing."""
    if isinstance(body, str):
        text = body.strip()[:_READ_CHARACTERS]
        if text.startswith("data:"):  # an event, with a status that is not 200
            try:
                return words_of(json.loads(text.removeprefix("data:").partition("\n")[0]))
            except (ValueError, RecursionError):
                text = text.removeprefix("data:").strip()
        return page_title(text) if text.startswith("<") else encodable(text)
    if words := _words(body, 0):
        return encodable(words[:_READ_CHARACTERS])
    if isinstance(body, (Mapping, list)) and body:
        try:
            return encodable(json.dumps(body, ensure_ascii=False)[:_READ_CHARACTERS])
        except (ValueError, RecursionError):
            return ""
    return ""


def page_title(page: str) -> str:
    """The title of a web page, which is where servers and proxies say what happened; or nothing."""
    head = page[:_READ_CHARACTERS]
    small = head.lower()
    if len(small) != len(head) or (start := small.find("<title")) < 0 or (begin := small.find(">", start)) < 0:
        return ""
    end = small.find("</title", begin)
    return "" if end < 0 or "<" in head[begin + 1 : end] else encodable(" ".join(head[begin + 1 : end].split()))


def reported_error(value: object) -> object | None:
    """What in a document with status 200 reports an error, or None if it reports none."""
    if isinstance(value, list):
        return value if value and all(reported_error(one) is not None for one in value[:_MOST]) else None
    if not isinstance(value, Mapping):
        return None
    for name in ("error", "errors"):
        if value.get(name):
            return value if isinstance(value[name], (bool, int)) else value[name]
    answer = value.get("base_resp")
    if isinstance(answer, Mapping) and answer.get("status_code"):
        return answer
    choices = value.get("choices")
    if isinstance(choices, list) and choices:
        within = choices[0].get("error") if isinstance(choices[0], Mapping) else None
        return within or None
    if "choices" in value or "usage" in value:
        return None
    if value.get("object") == "error" or value.get("type") == "error" or value.get("success") is False:
        return value
    said = next((value[name] for name in ("detail", *_WORDS) if value.get(name)), None)
    return value if isinstance(said, (str, list)) else None


def _words(body: object, depth: int) -> str:
    if isinstance(body, str):
        return body.strip()
    if depth > _DEEPEST:
        return ""
    if isinstance(body, list):
        found = dict.fromkeys(text for one in body[:_MOST] if (text := _words(one, depth + 1)))
        return "; ".join(found)
    if not isinstance(body, Mapping):
        return ""
    where = body.get("loc") or body.get("path")
    place = ".".join(map(str, where[:8])) + ": " if isinstance(where, list) and where else ""
    for name in (*_WORDS, *_WITHIN):
        if text := _words(body.get(name), depth + 1):
            return place + text
    return " ".join(dict.fromkeys(named for name in _NAMES if (named := _text(body.get(name)))))


def _named(body: object, depth: int) -> Mapping[str, object]:
    """The innermost object that says what happened."""
    if depth > _DEEPEST:
        return {}
    if isinstance(body, list):
        return _named(body[0], depth + 1) if body else {}
    if not isinstance(body, Mapping):
        return {}
    inner = next((body[name] for name in ("error", "errors") if isinstance(body.get(name), (Mapping, list))), None)
    return _named(inner, depth + 1) or body if inner else body


def _text(value: object) -> str | None:
    if isinstance(value, str) and value.strip():
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9 else None
