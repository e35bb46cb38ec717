"""Answers and passages as plain records: what `--json` prints and scripts rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.base import Answer, Attempt, Passage
from backends.rag.evidence import SentenceEvidence, check

if TYPE_CHECKING:
    from backends.rag.search import Hit, SearchResult


def answer_record(answer: Answer, question: str) -> dict[str, Any]:
    """An answer in the terminal contract's fields; durations in seconds, `cost_usd` a string or None.

    Where passages were retrieved, each sentence is compared with them now, after all measuring; `evidence_note` says
    what could not be compared, None if all was.
    """
    checked = check(answer, question)
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
        "first_reasoning_s": timings.first_reasoning_s,
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
        "service_tier": usage.service_tier,
        "cost_usd": None if answer.cost.usd is None else f"{answer.cost.usd:f}",
        "cost_basis": answer.cost.basis,
        "sources": [passage_record(passage) for passage in answer.sources],
        "evidence": [evidence_record(sentence) for sentence in checked.sentences],
        "evidence_note": checked.note or None,
        "notes": list(answer.notes),
        "attempts": [attempt_record(attempt) for attempt in answer.attempts],
    }


def attempt_record(attempt: Attempt) -> dict[str, Any]:
    """One request: when it began and how long it lasted (seconds), how it ended, the wait after it, what it cost."""
    usage, cost = attempt.usage, attempt.cost
    return {
        "number": attempt.number,
        "began_s": attempt.began_s,
        "lasted_s": attempt.lasted_s,
        "status": attempt.status,
        "fault": attempt.fault or None,
        "waited_s": attempt.waited_s,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
        "cost_usd": None if cost is None or cost.usd is None else f"{cost.usd:f}",
    }


def evidence_record(sentence: SentenceEvidence) -> dict[str, Any]:
    """A sentence of an answer: offsets in its text, and the numbers (from 1) of the passages that support it.

    `supported` is None where there is nothing to check, `checked_own_citation` where the answer cites nothing itself.
    """
    return {
        "start": sentence.start,
        "end": sentence.end,
        "supported": sentence.verdict == "supported" if sentence.checked else None,
        "passages": list(sentence.passages),
        "checked_own_citation": sentence.own_confirmed,
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


def search_record(result: SearchResult) -> dict[str, Any]:
    """The hits of one query in the terminal contract's fields; with each hit its headings, its rank from 1 and score
    at every stage (None where a stage did not put it forward), and the near-duplicates that were merged into it.
    """
    return {
        "query": result.query,
        "mode": result.mode,
        "hits": [_hit_record(hit) for hit in result.hits],
        "stage_s": dict(result.stage_s),
    }


def _hit_record(hit: Hit) -> dict[str, Any]:
    stages = {"dense": hit.dense, "keyword": hit.keyword, "fused": hit.fused, "reranked": hit.reranked}
    return {
        **passage_record(hit.passage),
        "heading": hit.heading,
        "stages": {n: None if s is None else {"rank": s.rank, "score": s.score} for n, s in stages.items()},
        "also": [passage_record(passage) for passage in hit.also],
    }
