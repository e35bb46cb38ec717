"""What one chunk of a stream says, trusting nothing about its shape.

Text is `delta.content`: a string, or a list of parts (Mistral's reasoning models). Reasoning is `reasoning_content`
(DeepSeek, vLLM, SGLang, llama.cpp), `reasoning` (OpenRouter, Groq, Ollama, newer vLLM), `reasoning_details`
(OpenRouter) or a part of kind `thinking`. OpenAI counts reasoning and does not send it. A refusal is `delta.refusal`.
Servers that do not stream send `message` in place of `delta`. What is said aloud has its words in `audio.transcript`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backends.text import encodable, visible

_REASONING = ("reasoning_content", "reasoning", "thinking", "thought", "reasoning_details", "thinking_blocks")
_READ = {"content", "refusal", "text", "finish_reason", *_REASONING}
_NO_CONTENT = {
    *("role", "name", "index", "id", "annotations", "citations", "logprobs", "prefix", "padding", "obfuscation"),
    *("reasoning_signature", "signature", "provider_specific_fields", "extra_content", "provider_metadata"),
    *("message_id", "created", "created_at", "timestamp", "provider", "model", "context", "end_turn", "channel"),
    *("phase", "token_ids", "stop_reason", "matched_stop", "content_filter_results", "recipient", "metadata"),
}
"""Fields of a delta that hold nothing of an answer."""

_SPOKEN = {
    "tool_calls": "a call of a tool",
    "function_call": "a call of a function",
    "tool_use": "a call of a tool",
    "audio": "sound",
    "images": "pictures",
    "image_url": "a picture",
    "image": "a picture",
    "input_audio": "sound",
    "output_audio": "sound",
    "file": "a file",
    "video_url": "a film",
}
_THINKING = {"thinking", "reasoning", "thought", "reasoning.text", "reasoning.summary", "redacted_thinking"}
_TEXT = {"text", "output_text", "input_text", ""}
_NAME_CHARACTERS = 40
_NO_INDEX = 1_000_000_000
_NO_REASON = {"", "null", "none"}


@dataclass(frozen=True, slots=True)
class ChunkContent:
    """The parts of a chunk that matter here; empty or None where it does not have them. `usage` is as it came.

    `timings` are llama.cpp's counts, which it also sends where no usage is asked for. `whole`: the text is that of the
    whole answer. `left_out` names what the chunk holds besides, in words. `index` is the choice's own number.
    `half`: the first half of a character (a high surrogate) with which the text ends, which `text` leaves out.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: object = None
    service_tier: object = None
    refusal: str = ""
    timings: object = None
    whole: bool = False
    left_out: tuple[str, ...] = ()
    index: int | None = field(default=None, compare=False)
    half: str = field(default="", compare=False)


def parse_chunk(chunk: object, half: str = "") -> ChunkContent:
    """Read a chunk: a JSON document of any shape. Of several choices the lowest counts; one is asked for.

    `half` is that of the chunk before it: servers that cut by UTF-16 cut characters (elie222/rakazo issue 416).
    """
    if not isinstance(chunk, dict):
        return ChunkContent(half=half)
    choices = _choices(chunk)
    choice = min(choices, key=_index_of) if choices else None
    usage = _usage(chunk, choice)
    tier = chunk.get("service_tier")
    if tier is None and isinstance(usage, dict):  # where Anthropic puts it
        tier = usage.get("service_tier")
    timings = chunk.get("timings")
    if not isinstance(choice, dict):
        return ChunkContent(usage=usage, service_tier=tier, timings=timings, half=half)
    said, whole = _said(choice)
    content = said.get("content")
    parts = _content_parts(said.get("text") if content is None else content)
    reasoning = next((found for name in _REASONING if (found := "".join(_texts(said.get(name))))), "")
    refusal, audio = said.get("refusal"), said.get("audio")
    spoken = audio.get("transcript") if isinstance(audio, dict) else None
    left_out = dict.fromkeys(
        (*parts.left_out, *_left_out(said), *(("more than one answer",) if len(choices) > 1 else ()))
    )
    text, half = _joined(half, parts.text or (spoken if isinstance(spoken, str) else ""))
    return ChunkContent(
        text=encodable(text),
        reasoning=encodable(parts.reasoning or reasoning),
        finish_reason=_finish_reason(choice, said),
        usage=usage,
        service_tier=tier,
        refusal=encodable(parts.refusal or (refusal if isinstance(refusal, str) else "")),
        timings=timings,
        whole=whole,
        left_out=tuple(left_out),
        index=number if (number := _index_of(choice)) < _NO_INDEX else None,
        half=half,
    )


def _joined(half: str, text: str) -> tuple[str, str]:
    """Text after the first half of a character, and the half with which it ends itself."""
    if not text:
        return "", half
    if half and "\udc00" <= text[0] <= "\udfff":
        text = (half + text[0]).encode("utf-16", "surrogatepass").decode("utf-16") + text[1:]
    elif half:
        text = half + text
    return (text[:-1], text[-1]) if "\ud800" <= text[-1] <= "\udbff" else (text, "")


def _choices(chunk: Mapping[str, object]) -> list[object]:
    """The choices of a chunk; one that stands there without a list is one."""
    choices = chunk.get("choices")
    if isinstance(choices, dict) and ("delta" in choices or "message" in choices):
        return [choices]
    return choices if isinstance(choices, list) else []


def _said(choice: Mapping[str, object]) -> tuple[Mapping[str, object], bool]:
    """What a choice says, by fields, and whether it is a whole message. In older completions it is its `text`."""
    delta, message = choice.get("delta"), choice.get("message")
    for value in (delta, message):
        if isinstance(value, dict):
            return value, value is message
    for value in (delta, message):
        if isinstance(value, str) and value:
            return {"content": value}, value is message
    return {"content": choice.get("text")}, False


def _finish_reason(choice: Mapping[str, object], said: Mapping[str, object]) -> str | None:
    """Why it ended, under OpenAI's name, or else under those of gateways over other interfaces."""
    details = choice.get("finish_details")
    places = (
        choice.get("finish_reason"),
        choice.get("finishReason"),
        said.get("finish_reason"),
        details.get("type") if isinstance(details, dict) else None,
        choice.get("native_finish_reason"),
    )
    named = (place for place in places if isinstance(place, str) and place.strip().lower() not in _NO_REASON)
    return next(named, None)


def _index_of(choice: object) -> int:
    index = choice.get("index") if isinstance(choice, dict) else None
    return index if isinstance(index, int) and 0 <= index < _NO_INDEX else _NO_INDEX


def has_choices(chunk: object) -> bool:
    """Whether a document is a chunk of chat completions, if only one that says nothing yet."""
    return isinstance(chunk, dict) and "choices" in chunk


def _usage(chunk: Mapping[str, object], choice: object) -> object:
    """Where the counts are: at the top, in Groq's `x_groq`, as Gemini's own name has it, or in the choice (Kimi)."""
    groq = chunk.get("x_groq")
    places = (
        chunk.get("usage"),
        groq.get("usage") if isinstance(groq, dict) else None,
        chunk.get("usageMetadata"),
        choice.get("usage") if isinstance(choice, dict) else None,
    )
    return next((found for found in places if found is not None), None)


@dataclass(frozen=True, slots=True)
class _ContentParts:
    """What the parts of a content say; `left_out` names in words what else they hold."""

    text: str
    reasoning: str = ""
    refusal: str = ""
    left_out: tuple[str, ...] = ()


def _content_parts(content: object) -> _ContentParts:
    if isinstance(content, str):
        return _ContentParts(content)
    text, reasoning, refusal, left_out = "", "", "", []
    if isinstance(content, (int, float)):
        left_out.append("content that is a number")
    for part in (content,) if isinstance(content, dict) else content if isinstance(content, list) else ():
        if isinstance(part, str):
            text += part
            continue
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        found = "".join(_texts(part))
        if isinstance(kind, str) and kind in _THINKING:
            reasoning += found
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
        elif found:
            text += found
        elif isinstance(kind, str) and kind not in _TEXT:
            left_out.append(_SPOKEN.get(kind) or f"a part of the kind {_name(kind)}")
    return _ContentParts(text, reasoning, refusal, tuple(left_out))


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """The texts in a part: itself, or in the fields that hold text, lists of such parts included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < 4:
        for one in value:
            yield from _texts(one, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for name in ("text", "thinking", "summary", "reasoning"):
            if value.get(name):
                yield from _texts(value[name], depth + 1)
                return


def _left_out(said: Mapping[str, object]) -> Iterator[str]:
    for name, value in said.items():
        if value and name not in _READ and name not in _NO_CONTENT and isinstance(value, (str, list, dict)):
            yield _SPOKEN.get(name) or f"the field {_name(name)}"


def _name(name: str) -> str:
    return " ".join(visible(name).split())[:_NAME_CHARACTERS]
