"""What went wrong on the way to a server, as a sentence and what to do next. Never a key, never a traceback."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from backends.errors import BackendError
from backends.remote.client import LARGEST_ANSWER_MB, TooLarge
from backends.remote.connection import Connection
from backends.remote.error_bodies import error_body, words_of
from backends.remote.events import Malformed
from backends.remote.retry_after import wait_asked_for_s
from backends.remote.stream import NotAStream, ReportedError
from backends.remote.transport import refusal_in
from backends.text import visible

WAIT_AND_RETRY = {408, 429, 500, 502, 503, 504, 529}
"""Status codes that may go away by themselves. 529 is what Anthropic's servers say when they are overloaded."""

_MESSAGE_CHARACTERS = 300
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance", "insufficient_credits"}
_TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
_FILTERED = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
_REASONS = _NO_MONEY | _TOO_LONG | _FILTERED


@dataclass(frozen=True)
class Fault:
    """One failed attempt. `short` names it in a note; `retry_after_s` is what the server asked for, if it did.

    `sent` is False if the request never reached the server.
    """

    short: str
    cause: str
    next_step: str
    retryable: bool = False
    retry_after_s: float | None = None
    status: int | None = None
    sent: bool = True
    param: str | None = None
    message: str = ""

    def error(self, tried: str = "") -> BackendError:
        """The fault as the user reads it; `tried` says how many attempts were made."""
        return BackendError(f"{self.cause}{tried}", self.next_step)


def fault_of(error: BaseException, connection: Connection, began: bool, now: float) -> Fault:
    """What `error` means. `began`: text had already arrived; `now`: wall-clock seconds, for a dated Retry-After.

    Whoever shows it takes the secrets out (`Connection.redaction`): a server may send them back in any place.
    """
    import openai

    if refused := refusal_in(error):  # the SDK wraps what is raised while it connects or reads
        return Fault("the address was refused", refused.cause, refused.next_step, sent=False)
    for link in _chain(error):
        if isinstance(link, TooLarge):
            return Fault(
                "too large an answer",
                f"{connection.where} sent more than {LARGEST_ANSWER_MB} MB, or compressed what it was asked to send "
                "plain.",
                'Lower "Answer length" (max_tokens); if it stays, the server is not OpenAI-compatible.',
            )
    if isinstance(error, NotAStream):
        return _not_a_stream(error, connection)
    if isinstance(error, openai.APIStatusError):
        return _status(error, connection, now)
    if isinstance(error, openai.APIConnectionError):
        return _network(error, connection, began)
    if isinstance(error, ReportedError):
        return reported(error.body, connection, began, error.framed)
    if isinstance(error, (Malformed, json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
        words = error.said.strip() if isinstance(error, Malformed) else ""
        said = "" if words[:1] in '{[<"' else _server_message(connection, words)
        return Fault(
            "a malformed stream",
            f"{connection.where} sent a malformed stream: part of it is not JSON{said}.",
            "Ask again; if it stays, the server is not OpenAI-compatible.",
        )
    return Fault(
        "an unreadable answer",
        f"The answer of {connection.where} could not be read ({type(error).__name__}).",
        "Ask again; if it stays, the server is not OpenAI-compatible.",
    )


def sent_nothing(connection: Connection, instead: str = "") -> Fault:
    """A stream without a single chunk; `instead` is the text that came in its place."""
    said = _server_message(connection, instead)
    return Fault(
        "an empty stream",
        f"{connection.where} answered with an empty stream{said and f' and text that is none{said}'}.",
        "Is the base URL right? It usually ends with /v1.",
    )


def no_answer_in(value: object, connection: Connection, framed: bool = False) -> Fault:
    """JSON with status 200 that is neither an answer nor an error; `value` is the first document.

    `framed`: it came in a stream, as those of other interfaces do (OpenAI's Responses, Anthropic's Messages).
    """
    known = ", ".join(str(name)[:40] for name in list(value)[:6]) if isinstance(value, dict) else ""
    holds = f" with {visible(connection.redaction.text(known))}" if known else ""
    if framed:
        return Fault(
            "no answer",
            f"{connection.where} sent a stream of documents{holds}, and none of them is a chunk of chat completions.",
            "Is the base URL right? It usually ends with /v1; /chat/completions is added to it.",
        )
    return Fault(
        "no answer",
        f"{connection.where} answered with something else than text (application/json): a document{holds}, in which "
        "there is no answer.",
        "Is the base URL right? It usually ends with /v1.",
    )


def reported(body: object, connection: Connection, began: bool, framed: bool = True) -> Fault:
    """An error that came with status 200: in an event of the stream, or as a document in its place."""
    said = _server_message(connection, body)
    if not framed and not began:
        cause = f"{connection.where} reported an error with status 200{said}."
        return Fault("an error with status 200", cause, "Check the model name and the settings.")
    place = "in the middle of the answer" if began else "before the answer began"
    return Fault(
        "an error in the stream", f"{connection.where} reported an error {place}{said}.", "Ask again in a moment."
    )


def _status(error: object, connection: Connection, now: float) -> Fault:
    """A status of 300 and above, which the SDK raises as `APIStatusError`."""
    from openai import APIStatusError

    assert isinstance(error, APIStatusError)
    code, headers = error.status_code, error.response.headers
    asked = wait_asked_for_s(headers, error.body, now)
    found = error_body(error.body)
    named = (error.code or found.code, error.type, found.kind)
    reason = next(
        (name for name in named if isinstance(name, str) and name.lower() in _REASONS), error.code or found.code
    )
    cause, next_step = _sentences(code, connection, _server_message(connection, error.body), asked, reason)
    return Fault(
        f"{code} from the server",
        cause,
        next_step,
        retryable=code in WAIT_AND_RETRY and (reason or "").lower() not in _REASONS,
        retry_after_s=asked,
        status=code,
        param=error.param if isinstance(error.param, str) else found.param,
        message=found.words,
    )


def _sentences(
    code: int, connection: Connection, said: str, asked: float | None, reason: str | None
) -> tuple[str, str]:
    """Cause and next step of a status code."""
    where, model = connection.where, connection.model
    if 300 <= code < 400:
        return (
            f"{where} redirects to another address ({code}), and redirects are not followed.",
            "Set the base URL to the final address.",
        )
    if code == 401 and not connection.key:
        cause = f"{where} wants an API key and none is configured for it (401)."
        return cause, connection.withheld or f"Set {connection.key_variable}."
    about = (reason or "").lower()
    if code == 402 or about in _NO_MONEY:
        return (
            f"The account at {where} has no quota left ({code}){said}.",
            "Add credit to the account or use another key.",
        )
    if about in _TOO_LONG:
        return (
            f"Question and answer are too long for {model} at {where} ({code}){said}.",
            'Shorten the question, lower "Answer length" (max_tokens), or retrieve fewer passages.',
        )
    if about in _FILTERED:
        return f"The content filter of {where} refused the question ({code}){said}.", "Rephrase the question."
    if code == 429:
        wait = f" It asked to wait {seconds(asked)}." if asked is not None else ""
        return f"{where} gets too many requests from this key (429){said}.{wait}", "Wait a little and ask again."
    return _by_code(code, connection, said)


def _by_code(code: int, connection: Connection, said: str) -> tuple[str, str]:
    """Cause and next step where nothing but the status code tells what happened."""
    where, model = connection.where, connection.model
    known = {
        400: (f"{where} refused the request (400){said}.", "Check the model name and the settings."),
        401: (f"{where} did not accept the key (401).", f"Check {connection.key_variable}."),
        403: (
            f"{where} does not let this key use {model} (403){said}.",
            "Use another model, or a key that is allowed to.",
        ),
        404: (
            f"{where} does not know the model {model}, or the base URL is wrong (404){said}.",
            f"Check {connection.model_setting}, and that the base URL ends as the server wants it, usually with /v1.",
        ),
        408: (f"{where} waited too long for the request (408){said}.", "Ask again."),
        409: (f"{where} is busy with a conflicting request (409){said}.", "Ask again in a moment."),
        413: (f"The question is too long for {where} (413){said}.", "Shorten it, or retrieve fewer passages."),
        422: (f"{where} did not understand the request (422){said}.", "Check the model name and the settings."),
        500: (f"{where} failed while answering (500){said}.", "Ask again in a moment."),
        502: (f"{where} cannot reach its model server (502){said}.", "Ask again in a moment."),
        503: (f"{where} is not available now (503){said}.", "Ask again in a moment."),
        504: (f"{where} got no answer from its model server in time (504){said}.", "Ask again in a moment."),
        529: (f"{where} is overloaded (529){said}.", "Ask again in a few minutes."),
    }
    next_step = "Ask again in a moment." if code >= 500 else "Check the base URL and the model."
    return known.get(code, (f"{where} answered with status {code}{said}.", next_step))


def _network(error: BaseException, connection: Connection, began: bool) -> Fault:
    """No connection, or a connection that ended."""
    import httpx2

    where = connection.where
    chain = list(_chain(error))
    connecting = any(isinstance(link, httpx2.ConnectError) for link in chain)
    for link in chain:
        if isinstance(link, ssl.SSLError) and connecting:
            reason = getattr(link, "verify_message", "") or getattr(link, "reason", None) or "handshake failed"
            return Fault(
                "no secure connection",
                f"No secure connection to {where} could be made ({reason}).",
                "Check that the address wants https, and the server's certificate.",
                sent=False,
            )
        if isinstance(link, socket.gaierror):
            return Fault(
                "an unknown host name",
                f"The host name in {where} could not be found.",
                "Check the base URL and the network connection.",
                retryable=link.errno == socket.EAI_AGAIN,
                sent=False,
            )
    if any(isinstance(link, httpx2.ConnectTimeout) for link in chain):
        limit = seconds(connection.connect_timeout_s)
        cause = f"{where} could not be reached within {limit}."
        return Fault("no connection in time", cause, "Check the base URL and the network.", True, sent=False)
    if any(isinstance(link, httpx2.ProxyError) for link in chain):
        return Fault(
            "the proxy refused", f"The proxy did not connect to {where}.", "Check the proxy settings.", sent=False
        )
    if connecting:
        return Fault(
            "no connection",
            f"{where} does not accept connections.",
            "Check that the server runs and that the base URL is right.",
            retryable=True,
            sent=False,
        )
    place = "in the middle of the answer" if began else "before the answer began"
    return Fault("a broken connection", f"The connection to {where} broke off {place}.", "Ask again.", retryable=True)


def _not_a_stream(error: NotAStream, connection: Connection) -> Fault:
    kind = "a web page" if error.content_type in ("text/html", "application/xhtml+xml") else "something else than text"
    shown = f" ({error.content_type})" if error.content_type and kind != "a web page" else ""
    return Fault(
        "not a stream",
        f"{connection.where} answered with {kind}{shown} where a stream of text was expected.",
        "Is the base URL right? It usually ends with /v1.",
    )


def _server_message(connection: Connection, body: object) -> str:
    """The server's own words for a sentence, cut short, and without markup; or nothing.

    Secrets go before it is cut: what is cut off in the middle would not be known for one.
    """
    text = " ".join(visible(connection.redaction.text(words_of(body))).split())
    if not text or text.startswith("<"):
        return ""
    if len(text) > _MESSAGE_CHARACTERS:
        text = text[:_MESSAGE_CHARACTERS].rstrip() + "…"
    return f": {text.rstrip('.!')}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def seconds(value: float) -> str:
    """A duration in words, at most one decimal: `2 s`, `0.5 s`."""
    return re.sub(r"\.0$", "", f"{value:.1f}") + " s"
