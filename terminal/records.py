"""Answers and passages as plain records: what `--json` prints and scripts rely on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from backends.base import Answer, Attempt, BelowThreshold, Passage
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.rag.documents.tables import shown_heading
from backends.rag.evidence.answer import SentenceEvidence, check
from backends.rag.evidence.conflicts import Conflict, Said
from backends.rag.store.progress import IndexProgress
from backends.recorded import recorded_answers
from backends.remote import connections
from backends.remote.connection import without_secrets
from backends.remote.connection_settings import approach_of
from backends.remote.connection_test import run_steps
from backends.settings import Settings
from backends.spend.ledger import ExpectedCost, recorder
from evaluation.attribution import Arm, Attribution
from evaluation.judging import SEMANTIC, Gain, Judged, Share, scores_record
from evaluation.proof import ADAPTER, BASE, AdapterProof
from evaluation.scorers import Score
from evaluation.statistics import Estimate
from evaluation.training_data import Seen

if TYPE_CHECKING:
    from backends.rag.search.retriever import Hit, SearchResult


def connection_record(settings: Settings, name: str) -> dict[str, Any]:
    """A connection as it is configured. Raises `BackendError` if there is none of that name."""
    chosen = connections.settings_of(settings, name)
    provider = connections.provider_of(chosen, name)
    key, variable = connections.key_of(settings, name)
    return {
        "approach": approach_of(name),
        "provider": provider.name if provider else None,
        "base_url": without_secrets(connections.base_url_of(settings, name)),
        "model": chosen.model,
        "key_variable": variable,
        "has_key": key is not None,
        "withheld": settings.withheld(connections.section_of(name)) or None,
        "on_this_machine": connections.computes_here(settings, name),
        "price": None if chosen.price is None else chosen.price.model_dump(mode="json"),
        "recorded": _recorded_questions(settings, name) if chosen.recorded else None,
    }


def _recorded_questions(settings: Settings, name: str) -> dict[str, Any]:
    """Which questions have a recorded answer; what is not known of the files, or why they cannot be used."""
    try:
        known = recorded_answers(settings, name)
    except BackendError as fault:
        return {"fault": str(fault), "model": None, "questions": [], "notes": []}
    return {
        "fault": None,
        "model": known.models[0],
        "questions": [one.question for one in known.answers],
        "notes": list(known.notes),
    }


def tested_record(settings: Settings, name: str, report: Callable[[str], None]) -> dict[str, Any]:
    """The connection with the steps of a test; what its chat cost is recorded, as a test.

    Recorded answers are read, and nobody is asked.
    """
    record = connection_record(settings, name)
    if (recorded := record["recorded"]) is not None:
        says = recorded["fault"] or f"{len(recorded['questions'])} recorded answers of {recorded['model']} can be read."
        readable = recorded["fault"] is None
        files: dict[str, Any] = {"step": "files", "passed": readable, "says": says, "models": []}
        return record | {"works": readable, "steps": [files]}
    backend = PaidApiBackend(settings, name=name)  # what is configured, and no stand-in for it
    steps = []
    for step in run_steps(backend, threading.Event()):
        report(f"{record['approach']}: {step.name} {'ok' if step.passed else 'failed'}")
        steps.append({"step": step.name, "passed": step.passed, "says": step.says, "models": list(step.models)})
        if step.answer:
            recorder(settings, purpose="test")(step.answer)
    return record | {"works": all(step["passed"] for step in steps), "steps": steps}


def file_record(step: IndexProgress) -> dict[str, Any]:
    """The file as JSON: its state and why, and what was understood of it if it was stored now (else null)."""
    read = step.understood
    return {
        "file": step.file,
        "state": step.state.replace(" ", "_"),
        "error": _reason(step) or None,
        "pages": read and read.pages,
        "characters": read and read.characters,
        "chunks": read and read.chunks,
        "language": read and read.language,
        "warnings": list(read.warnings) if read else [],
    }


def file_line(step: IndexProgress) -> str:
    """The file in a line: `3/16 manual.pdf: indexed (4 pages, ...) Page 2 has no text: it was probably scanned.`"""
    start = f"{step.files_done}/{step.files_total} {step.file}: {step.state}"
    if read := step.understood:
        return " ".join([f"{start} ({read.describe})", *read.warnings])
    return f"{start} {_reason(step)}".rstrip()


def _reason(step: IndexProgress) -> str:
    return " ".join(filter(None, (step.cause, step.next_step)))


def proof_json(proof: AdapterProof) -> dict[str, Any]:
    """Scores of base and adapter, their paired difference, what was forgotten, and every question with both answers."""
    forgetting = proof.forgetting
    return {
        "adapter": proof.adapter,
        "sha256": proof.sha256,
        "base_model": proof.base_model,
        "question_set": proof.question_set,
        "left_out": proof.left_out,
        "base": _share(proof.base)
        | {"semantic": _estimate(proof.base_semantic), "scores": scores_record(proof.rows, BASE)},
        "tuned": _share(proof.tuned)
        | {"semantic": _estimate(proof.tuned_semantic), "scores": scores_record(proof.rows, ADAPTER)},
        "difference": _gain(proof.difference) | {"semantic": _estimate(proof.semantic_difference)},
        "to_right": [row.sample.id for row in proof.to_right],
        "to_wrong": [row.sample.id for row in proof.to_wrong],
        "forgetting": None
        if forgetting is None
        else {"known_by_base": forgetting.kept.questions, "kept": _share(forgetting.kept)}
        | {"lost": [row.sample.question for row in forgetting.lost]},
        "training": _seen(proof.seen),
        "questions": [_judged(row) for row in proof.rows],
    }


def attribution_json(found: Attribution) -> dict[str, Any]:
    """The four arms, what each technique bought, the parts of the set, and every question with all answers."""
    return {
        "adapter": found.adapter,
        "sha256": found.sha256,
        "question_set": found.question_set,
        "collection": found.collection,
        "passages": found.passages,
        "left_out": found.left_out,
        "arms": {name: _arm(arm) | {"scores": scores_record(found.rows, name)} for name, arm in found.arms.items()},
        "techniques": {
            name: _gain(one.gain) | {"extra_s": _estimate(one.seconds), "extra_usd_per_1000": _text(one.usd_per_1000)}
            for name, one in found.techniques.items()
        },
        "slices": {
            part.name: {"questions": part.questions, "right": {arm: one.right for arm, one in part.right.items()}}
            | {"gains": {name: _gain(gain) for name, gain in part.gains.items()}}
            for part in found.slices
        },
        "training_usd": _text(found.training_usd),
        "training_usd_per_1000": _text(found.training_usd_per_1000),
        "training": _seen(found.seen),
        "questions": [_judged(row) for row in found.rows],
    }


def _arm(arm: Arm) -> dict[str, Any]:
    return {
        "model": arm.model,
        "right": _share(arm.right),
        "semantic": _estimate(arm.semantic),
        "latency_p50_s": arm.latency_p50_s,
        "latency_s": arm.latency_s,
        "prompt_tokens": arm.prompt_tokens,
        "completion_tokens": arm.completion_tokens,
        "cost_usd": _text(arm.usd),
        "failed": arm.failed,
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"right": share.right, "questions": share.questions, "share": share.value, "low": low, "high": high}


def _estimate(value: Estimate | None) -> dict[str, float] | None:
    return None if value is None else {"value": value.value, "low": value.low, "high": value.high}


def _gain(gain: Gain) -> dict[str, Any]:
    one = gain.estimate
    return {"value": one.value, "low": one.low, "high": one.high, "changed": gain.changed, "clear": gain.clear}


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"pairs": seen.pairs, "leaked": seen.kinds(), "facts_taught": len(seen.taught)}


def _judged(row: Judged) -> dict[str, Any]:
    answers = {
        arm: {
            "text": one.text,
            "status": one.status,
            "right": row.is_right(arm),
            "semantic": row.value(SEMANTIC, arm),
            "scores": {name: _score(row.score(name, arm)) for name in row.scores},
        }
        for arm, one in row.answers.items()
    }
    return {"id": row.sample.id, "question": row.sample.question, "reference": row.sample.reference_answer} | answers


def _score(score: Score) -> dict[str, Any]:
    return {"value": score.value, "status": score.status, "reason": score.reason or None}


def _text(value: object | None) -> str | None:
    return None if value is None else f"{value:f}"


def answer_record(answer: Answer, question: str, expected: ExpectedCost | None = None) -> dict[str, Any]:
    """An answer in the terminal contract's fields; durations in seconds, amounts of USD a string or None.

    `expected` is what it was expected to cost before it was asked; `recorded` is None unless it was given earlier.
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
        "draft": None if answer.draft is None else asdict(answer.draft),
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
        "expected_cost_usd": None if expected is None or expected.cost.usd is None else f"{expected.cost.usd:f}",
        "expected_cost_basis": None if expected is None else expected.cost.basis,
        "recorded": recorded_record(answer),
        "below_threshold": below_threshold_record(answer.below_threshold),
        "sources": [passage_record(passage) for passage in answer.sources],
        "evidence": [evidence_record(sentence) for sentence in checked.sentences],
        "evidence_note": checked.note or None,
        "conflicts": [conflict_record(conflict) for conflict in checked.conflicts],
        "notes": list(answer.notes),
        "attempts": [attempt_record(attempt) for attempt in answer.attempts],
    }


def recorded_record(answer: Answer) -> dict[str, Any] | None:
    """When a recorded answer was given (UTC, ISO; None if that is not known), and what tells of it."""
    one = answer.recorded
    return None if one is None else {"at": one.at and one.at.isoformat(), "source": one.source}


def below_threshold_record(below: BelowThreshold | None) -> dict[str, Any] | None:
    """How near the search came where nothing was good enough: its sentences with their scores; else None.

    `refused` is False where an answer was wanted all the same; `wordless` is True where the question has no word to
    look for.
    """
    if below is None:
        return None
    nearest = [_sentence_record(passage, score) for passage, score in below.nearest]
    return {
        "best": below.best,
        "threshold": below.threshold,
        "refused": below.refused,
        "wordless": below.wordless,
        "nearest": nearest,
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
    `disagreement`: a passage gives another figure for the same thing, see `conflict_record`.
    """
    return {
        "start": sentence.start,
        "end": sentence.end,
        "supported": sentence.verdict == "supported" if sentence.checked else None,
        "disagreement": bool(sentence.conflicts),
        "passages": list(sentence.passages),
        "checked_own_citation": sentence.citations_confirmed,
    }


def conflict_record(conflict: Conflict) -> dict[str, Any]:
    """Two sources that give different figures for the same thing: what the answer goes by, and the other one.

    `warning`: the answer may be wrong for it.
    """
    return {
        "used": _figure_record(conflict.used),
        "other": _figure_record(conflict.other),
        "sentence": conflict.sentence,
        "warning": conflict.is_warning,
    }


def _figure_record(figure: Said) -> dict[str, Any]:
    """`number` is that of the source, from 1; None for a passage that the writer did not read."""
    return {"figure": figure.text, "number": figure.number or None, "passage": passage_record(figure.passage)}


def passage_record(passage: Passage) -> dict[str, Any]:
    """A passage in the terminal contract's fields; offsets in characters of the extracted text.

    `superseded` says in a few words why its document is not in force any more, None if nothing tells.
    """
    return {
        "document": passage.document,
        "page": passage.page,
        "chunk_id": passage.chunk_id,
        "score": passage.score,
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
        "superseded": passage.superseded or None,
    }


def _sentence_record(passage: Passage, score: float) -> dict[str, Any]:
    return passage_record(passage) | {"heading": shown_heading(passage.heading), "rank_score": score}


def search_record(result: SearchResult) -> dict[str, Any]:
    """The hits of one query in the terminal contract's fields; with each hit its headings, its rank from 1 and score
    at every stage (None where a stage did not put it forward), and the near-duplicates that were merged into it.
    """
    return {
        "query": result.query,
        "mode": result.mode,
        "hits": [_hit_record(hit) for hit in result.hits],
        "sentences": [_sentence_record(one.passage, one.score) for one in result.sentences],
        "stage_s": dict(result.stage_s),
    }


def _hit_record(hit: Hit) -> dict[str, Any]:
    stages = {"dense": hit.dense, "keyword": hit.keyword, "fused": hit.fused}
    stages |= {"sentences": hit.sentences, "reranked": hit.reranked}
    return {
        **passage_record(hit.passage),
        "heading": shown_heading(hit.heading),
        "stages": {n: None if s is None else {"rank": s.rank, "score": s.score} for n, s in stages.items()},
        "also": [passage_record(passage) for passage in hit.near_duplicates],
    }
