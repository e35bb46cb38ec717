"""How an answer ended: its status and sentence, from the finish reason that the engine or server gave.

OpenAI's reasons are stop, length, content_filter, tool_calls and function_call. Others have their own: Mistral
(model_length, error), DeepSeek (insufficient_system_resource), Zhipu (sensitive, network_error, abort), Gemini (SAFETY,
MAX_TOKENS, ...), Anthropic (end_turn, max_tokens, refusal, ...), TGI (eos_token), Bedrock (guardrail_intervened),
Cohere (COMPLETE), vLLM and SGLang (abort). Each is listed in its maker's API reference.
"""

from __future__ import annotations

from backends.base import Status
from backends.text import visible

_DONE = {
    "stop",
    "end_turn",
    "eos",
    "eos_token",
    "stop_sequence",
    "stop_token",
    "complete",
    "completed",
    "finish",
    "done",
}
_DONE |= {"im_end", "eot_id", "eot", "end_of_turn", "s", "return"}  # tokens that end an answer, sent as its reason
_DONE |= {"finished", "end", "natural", "success", "endoftext", "end_of_text", "end_of_sequence"}
_LENGTH = {"length", "max_tokens", "model_length", "max_output", "max_output_tokens", "max_new_tokens", "max_length"}
_LENGTH |= {"max_completion_tokens", "token_limit", "model_context_window_exceeded", "context_length", "context_window"}
_LENGTH |= {"context_length_exceeded", "incomplete", "limit", "truncated"}
_FILTER = {
    "content_filter",
    "content_filtered",
    "filtered",
    "filter",
    "safety",
    "sensitive",
    "moderation",
    "recitation",
}
_FILTER |= {"blocklist", "prohibited_content", "spii", "image_safety", "guardrail_intervened", "language", "blocked"}
_FILTER |= {"error_toxic", "content_policy", "content_policy_violation", "model_armor", "risk_control"}
_REFUSAL = {"refusal", "refused"}
_TOOL = {"tool_calls", "function_call", "tool_use", "tool_call", "malformed_function_call", "unexpected_tool_call"}
_TOOL |= {"pause_turn"}
_BROKEN = {"error", "cancelled", "canceled", "abort", "aborted", "network_error", "insufficient_system_resource"}
_BROKEN |= {"timeout", "failed", "failure", "server_error", "internal_error", "overloaded", "interrupted", "other"}
_BROKEN |= {"error_limit", "unknown", "user_cancel", "finish_reason_unspecified", "malformed_response", "disconnected"}
_SHOWN = 60

Ending = tuple[Status, str | None]


def ending(reason: str | None, said_something: bool, refusal: bool = False) -> Ending:
    """Status and sentence of an answer that ended with `reason` (None: none was given), with text or without."""
    name = (
        (reason or "")
        .strip()
        .strip("<|>[]/")
        .lower()
        .removeprefix("finish_reason_")
        .replace("-", "_")
        .replace(" ", "_")
    )
    if refusal or name in _REFUSAL:
        return "refused", "The model refused to answer; asking the same again is paid for again. Rephrase the question."
    if name in _LENGTH:
        return "truncated", 'The token limit was reached. Raise "Answer length" (max_tokens) for a longer answer.'
    if reason is None:
        return "truncated", "The stream ended without saying why; the answer may be incomplete. Ask again."
    if name in _FILTER and said_something:
        return "truncated", "The provider's content filter stopped the answer. Rephrase the question."
    if name in _FILTER:
        return "refused", "The provider's content filter let no answer through. Rephrase the question."
    shown = visible(reason)[:_SHOWN]
    if name in _BROKEN:
        place = "in the middle of the answer" if said_something else "before any text"
        sentence = f"The server ended with the finish reason {shown}: it failed {place}. Ask again in a moment."
        return ("truncated" if said_something else "error"), sentence
    if name in _TOOL:
        sentence = (
            f"The model asked for a tool (finish reason {shown}), and none is offered here. Rephrase the question."
        )
        return ("truncated" if said_something else "empty"), sentence
    if not said_something:
        return "empty", "The model answered with nothing. Ask again or rephrase the question."
    if name in _DONE:
        return "ok", None
    return (
        "truncated",
        f"The server ended with the finish reason {shown}, which is not known here; the answer may be incomplete.",
    )
