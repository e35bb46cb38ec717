"""Answers and passages as plain records: what `--json` prints and scripts rely on."""

from __future__ import annotations

from typing import Any

from backends.base import Answer, Passage


def answer_record(answer: Answer) -> dict[str, Any]:
    """An answer in the terminal contract's fields; durations in seconds, `cost_usd` a string or None."""
    timings, usage = answer.timings, answer.usage
    return {
        "approach": answer.approach,
        "model": answer.model,
        "stand_in": answer.stand_in,
        "text": answer.text,
        "status": answer.status,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
        "queued_s": timings.queued_s,
        "load_s": timings.load_s,
        "retry_s": timings.retry_s,
        "retrieval_s": timings.retrieval_s,
        "ttft_s": timings.ttft_s,
        "latency_s": timings.latency_s,
        "tokens_per_s": timings.tokens_per_s,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "source": usage.source,
        },
        "cost_usd": None if answer.cost.usd is None else f"{answer.cost.usd:f}",
        "cost_basis": answer.cost.basis,
        "sources": [passage_record(passage) for passage in answer.sources],
        "notes": list(answer.notes),
    }


def passage_record(passage: Passage) -> dict[str, Any]:
    """A passage in the terminal contract's fields; offsets in characters of the extracted text."""
    return {
        "document": passage.document,
        "page": passage.page,
        "chunk_id": passage.chunk_id,
        "score": passage.score,
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
    }
