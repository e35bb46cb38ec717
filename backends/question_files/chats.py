"""Chats in a record: OpenAI's messages, ShareGPT's conversations, prompts and completions that are lists of messages.

One question and its answer are read: the first turn of the user and the reply to it. What comes after them is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.storage import strict_json

_ROLES, _TEXTS = ("role", "from", "author", "speaker"), ("content", "value", "text", "parts", "message")
_USER = frozenset({"user", "human", "prompter", "question", "usermessage"})
_ASSISTANT = frozenset({"assistant", "gpt", "bot", "chatbot", "chatgpt", "model", "ai", "answer", "bing", "bard"})
_SYSTEM = frozenset({"system", "developer"})
_BESIDE = ("reasoning_content", "reasoning", "thinking", "tool_calls", "function_call", "images", "audio", "refusal")
_NO_CHAT = "not a chat of one user turn and one assistant turn"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer to it. `further` turns were not read; `system`: a system message stands before them.

    `broken` ends the sentence "The row is ..." where there is no such thing. `beside`: what else the two turns hold.
    """

    question: str = ""
    answer: str = ""
    further: int = 0
    system: bool = False
    broken: str = ""
    beside: tuple[str, ...] = ()


def is_chat(value: object) -> bool:
    """Whether a cell holds turns."""
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) for turn in value)


def first_exchange(turns: object, answered: bool) -> Exchange:
    """The first question of a chat and the answer to it. Without `answered`, a question alone is enough."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return Exchange(broken=_NO_CHAT)
    said = [turn for turn in turns if _who(turn) not in _SYSTEM]
    roles = [_who(turn) for turn in said[:2]]
    asked = bool(roles) and roles[0] in _USER
    replied = len(roles) == 2 and roles[1] in _ASSISTANT
    if not asked or not (replied or (not answered and len(roles) == 1)):
        return Exchange(broken=_NO_CHAT)
    texts = [_text(turn) for turn in said[: 1 + replied]]
    if broken := next((text.broken for text in texts if text.broken), "") or (answered and _unwanted(said[1])):
        return Exchange(broken=broken)
    beside = dict.fromkeys(name for turn in said[: len(texts)] for name in _BESIDE if turn.get(name))
    answer = texts[1].question if replied else ""
    return Exchange(texts[0].question, answer, len(said) - len(texts), len(said) < len(turns), beside=tuple(beside))


def _unwanted(turn: dict[str, Any]) -> str:
    """What marks a reply as not to be learned, as OpenAI (`weight`) and Axolotl (`train`) have it; or ""."""
    for name, value in (("weight", "0"), ("train", "false"), ("training", "false"), ("masked", "true")):
        marker = turn.get(name)
        if (
            marker is not None
            and not isinstance(marker, (list, dict))
            and str(marker).strip().lower() in (value, value + ".0")
        ):
            return f"marked as an answer that is not wanted ({name} is {value})"
    return ""


def turns_in(cell: object) -> list[dict[str, Any]]:
    """The turns in a cell: a list of them, or the same spelled out as JSON, as tables have it; else none."""
    if isinstance(cell, str) and cell.lstrip().startswith("[") and cell.rstrip().endswith("]"):
        try:
            (cell,) = strict_json.documents(cell)
        except ValueError:
            return []
    return cell if isinstance(cell, list) and is_chat(cell) else []


def begins_with_reply(turns: list[dict[str, Any]]) -> bool:
    """Whether the first turn is the assistant's."""
    return _who(turns[0]) in _ASSISTANT


def _who(turn: dict[str, Any]) -> str:
    who = next((turn[key] for key in _ROLES if key in turn), "")
    if isinstance(who, dict):  # an export of ChatGPT: {"author": {"role": "user"}}
        who = who.get("role", "")
    return who.strip().casefold() if isinstance(who, str) else ""


def _text(turn: dict[str, Any]) -> Exchange:
    """The text of a turn, as the question of an exchange."""
    content = next((turn[key] for key in _TEXTS if key in turn), None)
    if isinstance(content, dict) and is_chat(content.get("parts")):
        content = content["parts"]
    if not isinstance(content, list):
        return _scalar(content)
    found = [_part(part) for part in content]
    broken = next((part.broken for part in found if part.broken), "")
    return Exchange("\n".join(part.question for part in found), broken=broken)


def _part(part: object) -> Exchange:
    if not isinstance(part, dict):
        return _scalar(part)
    kind = part.get("type", "text")
    if isinstance(kind, str) and kind in ("text", "input_text", "output_text") and "text" in part:
        return _scalar(part["text"])
    return Exchange(broken=f"a chat with a part that is not text ({str(kind)[:40]})")


def _scalar(value: object) -> Exchange:
    if isinstance(value, bool):
        return Exchange("true" if value else "false")
    if value is None or isinstance(value, str):
        return Exchange(value or "")
    return Exchange(broken="a chat with a turn that is not text")
