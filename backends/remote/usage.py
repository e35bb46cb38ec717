"""Token counts as servers report them, under any of their names and in either way of counting, as one `Usage`.

Here `prompt_tokens` includes what came from a cache and `completion_tokens` includes reasoning, as OpenAI has it.
Others count them beside: xAI and Gemini the reasoning (UKGovernmentBEIS/inspect_ai issue 5528, mozilla-ai/any-llm
issue 1290), Anthropic the cache (https://platform.claude.com/docs/en/build-with-claude/prompt-caching). `total_tokens`
tells the pairs apart: the one whose sum it is holds. Where none is, what is not accounted for is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from backends.base import Usage

ABSURD_TOKENS = 10_000_000
"""More than any model reads or writes in one answer: the largest context windows hold about two million tokens."""

# Each name as a path. The first one that is there counts. Sources: the API references linked in `providers`, and
# Gemini's own (https://ai.google.dev/api/generate-content#UsageMetadata), Ollama's own
# (https://docs.ollama.com/api/usage), DeepSeek's (https://api-docs.deepseek.com/api/create-chat-completion) and
# llama.cpp's `timings` (tools/server/README.md), whose prompt_n leaves out what came from the cache, Bedrock's own
# (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html) and what gateways make of them
# (rashidrazak/opencode-cmd-provider issue 158).
_PROMPT = (
    *("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count", "prompt_n"),
    *("promptTokens", "inputTokens"),
)
_COMPLETION = (
    *("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count", "predicted_n"),
    *("completionTokens", "outputTokens"),
)
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens")
_CACHED = (
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cached_tokens",
    "num_cached_tokens",
    "cachedContentTokenCount",
    "cache_n",
    "prompt_tokens_details.cache_read_tokens",
    "prompt_tokens_details.cached_read_tokens",
    "prompt_cached_tokens",
    "cached_prompt_tokens",
    "cached_input_tokens",
    "cache_read_tokens",
    "cacheReadInputTokens",
    "cacheReadTokens",
    "cachedPromptTokens",
    "cachedInputTokens",
    "cachedTokens",
)
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_WRITTEN_INSIDE = (
    "prompt_tokens_details.cache_write_tokens",
    "prompt_tokens_details.cache_creation_tokens",
    "prompt_tokens_details.cached_creation_tokens",
    "input_tokens_details.cache_write_tokens",
)
_REASONING = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "reasoning_tokens",
    "thoughtsTokenCount",
    "reasoningTokens",
)
_CACHED_BESIDE = {"cache_read_input_tokens", "cache_n", "cacheReadInputTokens"}
"""Names that are used by servers whose prompt tokens leave the cached ones out."""


@dataclass(frozen=True, slots=True)
class _Count:
    """One count and the last part of the name that it came under; `tokens` is None if there is none."""

    tokens: int | None
    name: str

    @property
    def known(self) -> int:
        """The tokens, 0 if they are not known."""
        return self.tokens or 0


def reported_usage(raw: object) -> tuple[Usage, tuple[str, ...]]:
    """`raw` (the `usage` of a stream: an object, a mapping or None) as `Usage`, and what was wrong with it.

    A count that is negative, not a whole number, above `ABSURD_TOKENS`, or larger than the count that includes
    it, is None: not reported. So are completion tokens that do not account for the total.
    """
    if raw is None:
        return Usage(), ()
    notes: list[str] = []
    counts = _Counts(
        *(_count(raw, names, notes) for names in (_PROMPT, _COMPLETION, _CACHED, _WRITTEN, _REASONING, _TOTAL))
    )
    prompt, completion = counts.wholes(notes)
    cached = _within(counts.cached, prompt, counts.prompt.name, notes)
    reasoning = _within(counts.reasoning, completion, counts.completion.name, notes)
    known = any(count is not None for count in (prompt, completion, cached, reasoning))
    return Usage(prompt, completion, cached, reasoning, "server" if known else None), tuple(notes)


def merged_usage(earlier: object, later: object) -> object:
    """What two chunks of one stream say: the later one, with what only the earlier one says, but no older total.

    Most servers send one usage, some a growing one on every chunk, some its parts in different chunks. A later one of
    zeros alone says nothing.
    """
    if not isinstance(later, Mapping) or not isinstance(earlier, Mapping):
        return earlier if later is None or (not isinstance(later, Mapping) and earlier is not None) else later
    if says_nothing(later):
        return earlier
    if _complete(later):
        return later
    kept = {name: value for name, value in earlier.items() if value is not None and name not in _TOTAL}
    return kept | {name: value for name, value in later.items() if value is not None}


def says_nothing(raw: object) -> bool:
    """Whether there are counts for prompt and completion, and all that is there is zero."""
    if not isinstance(raw, Mapping):
        return False
    counts = [found for names in (_PROMPT, _COMPLETION, _TOTAL) if (found := _found(raw, names)[0]) is not None]
    return bool(counts) and all(count == 0 and not isinstance(count, bool) for count in counts)


def without_zeros(usage: Usage) -> tuple[Usage, tuple[str, ...]]:
    """The usage of an answer that has text without counts of zero for prompt or completion, and what is wrong."""
    prompt, completion = (None if count == 0 else count for count in (usage.prompt_tokens, usage.completion_tokens))
    names = [
        name for name, count in (("prompt", usage.prompt_tokens), ("completion", usage.completion_tokens)) if count == 0
    ]
    if not names:
        return usage, ()
    known = (prompt, completion, usage.cached_tokens, usage.reasoning_tokens)
    source = usage.source if any(count is not None for count in known) else None
    return replace(usage, prompt_tokens=prompt, completion_tokens=completion, source=source), tuple(
        f"The server reported 0 {name} tokens for an answer that has text; they count as not reported."
        for name in names
    )


def unknown_counts(raw: object) -> str:
    """A sentence where a server reports a usage in which there is neither prompt nor completion; else nothing."""
    if raw is None or any(_found(raw, names)[0] is not None for names in (_PROMPT, _COMPLETION)):
        return ""
    if not isinstance(raw, Mapping):
        return "The server reported a usage that is no object, so how many tokens the answer took is not known."
    numbers = [name for name, value in raw.items() if isinstance(value, (int, float, Mapping)) and value]
    if not numbers:
        return ""
    listed = ", ".join("".join(c for c in name[:40] if c.isalnum() or c == "_") for name in numbers[:5])
    return f"The server reported {listed}, but no tokens of prompt or completion, so what the answer took is not known."


def written_to_cache(raw: object) -> str:
    """A sentence on tokens that were written to a cache, for which some providers charge more; or nothing."""
    count = _found(raw, (*_WRITTEN, *_WRITTEN_INSIDE))[0]
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= ABSURD_TOKENS:
        return ""
    return (
        f"The server wrote {count:,} tokens of the prompt to its cache. They are priced as usual ones; some providers "
        "charge more for them."
    )


def _complete(raw: Mapping[str, object]) -> bool:
    return all(_found(raw, names)[0] is not None for names in (_PROMPT, _COMPLETION))


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts as they were sent."""

    prompt: _Count
    completion: _Count
    cached: _Count
    written: _Count
    reasoning: _Count
    total: _Count

    @property
    def cache_beside(self) -> bool:
        """Whether the names, or numbers that fit no other way, say that the prompt tokens leave the cached ones out."""
        if self.prompt.name in ("input_tokens", "prompt_n", "inputTokens"):
            return self.cached.name in _CACHED_BESIDE or self.written.tokens is not None
        return self.cached.name in _CACHED_BESIDE and self.cached.known > self.prompt.known

    def wholes(self, notes: list[str]) -> tuple[int | None, int | None]:
        """Prompt tokens with the cached ones and completion tokens with the reasoning; None for what is not known."""
        prompt, completion, total = self.prompt.tokens, self.completion.tokens, self.total.tokens
        if self.prompt.name == "prompt_n" and self.cached.tokens is None and prompt is not None:
            notes.append("The server reported prompt_n without cache_n, so how long the prompt was is not known.")
            return None, completion
        if prompt is None or completion is None or not total:
            beside_prompt = self.cached.known + self.written.known if self.cache_beside else 0
            thinking = self.reasoning.known if self.reasoning.name == "thoughtsTokenCount" else 0
            return _sum(prompt, beside_prompt), _sum(completion, thinking)
        missing = total - prompt - completion
        if missing < 0:
            notes.append(
                f"The server reported {total:,} as {self.total.name}, less than {self.prompt.name} ({prompt:,}) and "
                f"{self.completion.name} ({completion:,}) together; the total is left out."
            )
            return prompt, completion
        if not missing and self.cache_beside and self.cached.known > prompt:  # then the total leaves them out as well
            return _sum(prompt, self.cached.known + self.written.known), completion
        for beside_prompt, thinking in self._counted_apart():
            if missing == beside_prompt + thinking:
                return _sum(prompt, beside_prompt), _sum(completion, thinking)
        notes.append(
            f"The server reported {prompt:,} as {self.prompt.name}, {completion:,} as {self.completion.name} and "
            f"{total:,} as {self.total.name}. It does not say what the other {missing:,} are, so how many tokens the "
            "answer took is not known."
        )
        return prompt, None

    def _counted_apart(self) -> list[tuple[int, int]]:
        """What may be counted beside prompt and completion, the likelier way first."""
        cache_counts = dict.fromkeys((self.cached.known + self.written.known, self.cached.known, self.written.known))
        pairs = [(0, 0), (0, self.reasoning.known), *((beside_prompt, 0) for beside_prompt in cache_counts)]
        if self.cache_beside:
            pairs = [(0, 0), *((beside_prompt, 0) for beside_prompt in cache_counts), (0, self.reasoning.known)]
        return [*pairs, *((beside_prompt, self.reasoning.known) for beside_prompt in cache_counts)]


def _sum(count: int | None, more: int) -> int | None:
    return None if count is None or count + more > ABSURD_TOKENS else count + more


def _count(raw: object, names: tuple[str, ...], notes: list[str]) -> _Count:
    value, path = _found(raw, names)
    if value is None:
        return _Count(None, names[0].rpartition(".")[2])
    name = path.rpartition(".")[2]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ABSURD_TOKENS:
        return _Count(value, name)
    notes.append(f"The server reported {_shown(value)} as {name}; that cannot be true and counts as not reported.")
    return _Count(None, name)


def _found(raw: object, names: tuple[str, ...]) -> tuple[object, str]:
    """The first of `names` that has a value, and which it is; a zero only where no other says more."""
    zero: tuple[object, str] = (None, "")
    for path in names:
        value = raw
        for part in path.split("."):
            value = _field(value, part)
        if value is not None and value != 0:
            return value, path
        if value is not None and zero[0] is None:
            zero = value, path
    return zero


def _field(raw: object, name: str) -> object:
    if isinstance(raw, Mapping):
        return raw.get(name)
    return getattr(raw, name, None)


def _within(part: _Count, whole: int | None, whole_name: str, notes: list[str]) -> int | None:
    if part.tokens is None or whole is None or part.tokens <= whole:
        return part.tokens
    notes.append(
        f"The server reported more {part.name} ({part.tokens}) than {whole_name} ({whole}); they are left out."
    )
    return None


def _shown(value: object) -> str:
    """A number as it is, cut short; anything else only by its kind, since it may hold anything."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) < 10**18 else "a number of more than 18 digits"
    return "something that is not a whole number"


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
