"""A run as a log of inspect_ai (inspect.aisi.org.uk/eval-logs.html): `.eval`, its zip of JSON files, or one `.json`.

The fields are those of `EvalLog`, version 2, as inspect_ai 0.3.285 reads it. A log is of one model there: of a run with
several approaches, each sample is called APPROACH/QUESTION and names the model that answered in its output, and each
score is given for each approach. A repeat is an epoch. What could not be scored is no score, and says why in the
sample's metadata.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.store.database import Store
from evaluation.runs.exported import Exported, exported, mark_record
from evaluation.runs.model import Run
from evaluation.runs.results import ScoreSummary, results_of

_VERSION = 2
_STOPPED = {"ok": "stop", "truncated": "max_tokens"}
_YES, _NO = "C", "I"
"""How inspect_ai writes a score that is yes or no: correct, incorrect."""


def write_json(file: Path, store: Store, run: Run) -> None:
    """Write the log as one JSON document."""
    with file.open("w", encoding="utf-8") as out:
        out.write(json.dumps(_header(store, run), ensure_ascii=False)[:-1] + ', "samples": [')
        for number, one in enumerate(exported(store, run)):
            out.write(",\n" * bool(number) + json.dumps(_sample(run, one), ensure_ascii=False))
        out.write("]}\n")


def write_eval(file: Path, store: Store, run: Run) -> None:
    """Write the log as a zip of JSON files, a file for each sample."""
    header = _header(store, run)
    summaries = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        begun = {name: header[name] for name in ("version", "eval", "plan")}
        archive.writestr("_journal/start.json", json.dumps(begun))
        for one in exported(store, run):
            sample = _sample(run, one)
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
            summaries.append(_summary(sample))
        archive.writestr("summaries.json", json.dumps(summaries))
        archive.writestr("header.json", json.dumps(header))


# --- the run --------------------------------------------------------------------------------------


def _header(store: Store, run: Run) -> dict[str, Any]:
    result = results_of(store, run)
    several = len(run.approaches) > 1
    scores = [
        _score(name, one.approach, summary, several)
        for one in result.approaches
        for name, summary in one.scores.items()
    ]
    answered = sum(one.cells - one.failed for one in result.approaches)
    status = "success" if result.complete else "error" if run.fault else "cancelled"
    began = run.created_at.isoformat()
    ended = run.finished_at.isoformat() if run.finished_at else ""
    header = {
        "version": _VERSION,
        "status": status,
        "eval": _spec(run),
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {"total_samples": run.cells, "completed_samples": answered, "scores": scores},
        "stats": {"started_at": began, "completed_at": ended, "model_usage": {}, "role_usage": {}},
    }
    return header | ({"error": _fault(run.fault)} if status == "error" else {})


def _spec(run: Run) -> dict[str, Any]:
    models = [one.model or one.approach for one in run.approaches]
    return {
        "eval_id": _short_id(run.id, "eval"),
        "run_id": run.id,
        "created": run.created_at.isoformat(),
        "task": run.set_name,
        "task_id": _short_id(run.set_hash, "task"),
        "task_version": 0,
        "dataset": {"name": run.set_name, "samples": run.questions, "shuffled": False},
        "model": models[0] if len(models) == 1 else "several: " + ", ".join(models),
        "config": {"epochs": run.repeats, "fail_on_error": False},
        "packages": dict(run.packages),
        "metadata": {
            "approaches": [{"approach": one.approach, "model": one.model} for one in run.approaches],
            "question_set_sha256": run.set_hash,
            "seed": run.seed,
            "settings": dict(run.settings),
            "machine": dict(run.machine),
            "prices": run.prices,
            "judge": run.judge,
        },
    }


def _short_id(*parts: str) -> str:
    """As inspect_ai's own ids are: 22 letters and figures."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:22]


def _score(name: str, approach: str, one: ScoreSummary, several: bool) -> dict[str, Any]:
    mean = one.mean
    values = {"mean": mean.value, "low_95": mean.low, "high_95": mean.high} if mean else {}
    return {
        "name": f"{name} ({approach})" if several else name,
        "scorer": name,
        "scored_samples": one.scored,
        "unscored_samples": one.not_applicable + one.failed,
        "params": {"approach": approach},
        "metrics": {metric: {"name": metric, "value": value, "params": {}} for metric, value in values.items()},
    }


def _fault(message: str) -> dict[str, str]:
    return {"message": message, "traceback": "", "traceback_ansi": ""}


# --- a cell ---------------------------------------------------------------------------------------


def _sample(run: Run, one: Exported) -> dict[str, Any]:
    cell, question = one.cell, one.sample
    id = f"{cell.approach}/{question.id}" if len(run.approaches) > 1 else question.id
    answered = not cell.failed
    said = {"role": "assistant", "content": cell.text or "", "source": "generate", "model": cell.model}
    output: dict[str, Any] = {"model": cell.model, "choices": [], "completion": ""}
    usage = _usage(cell.usage.prompt_tokens, cell.usage.completion_tokens, cell.usage.cached_tokens)
    if answered:
        choice = {"message": said, "stop_reason": _STOPPED.get(cell.status, "unknown")}
        output |= {"choices": [choice], "completion": cell.text or "", "time": cell.timings.latency_s}
        output |= {"usage": usage} if usage else {}
    sample: dict[str, Any] = {
        "id": id,
        "epoch": cell.repeat + 1,
        "input": question.question,
        "target": question.reference_answer or "; ".join(" | ".join(group) for group in question.key_facts),
        "messages": [{"role": "user", "content": question.question, "source": "input"}, *([said] if answered else [])],
        "output": output,
        "scores": dict(_values(one)),
        "metadata": _metadata(one),
        "store": {},
        "events": [],
        "attachments": {},
        "model_usage": {cell.model: usage} if usage else {},
        "role_usage": {},
        "completed_at": cell.ended_at.isoformat(),
        "working_time": cell.timings.latency_s,
        "uuid": _short_id(run.id, cell.approach, str(cell.position), str(cell.repeat)),
    }
    return sample | ({} if answered else {"error": _fault(cell.error or cell.status)})


def _usage(prompt: int | None, completion: int | None, cached: int | None) -> dict[str, int] | None:
    """The tokens; None where a part of them is not known."""
    if prompt is None or completion is None:
        return None
    more = {"input_tokens_cache_read": cached} if cached is not None else {}
    return {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion} | more


def _values(one: Exported) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, score in one.scores.items():
        if score.value is not None:
            yes_no = isinstance(score.value, bool)
            value = (_YES if score.value else _NO) if yes_no else score.value
            yield name, {"value": value, "answer": one.cell.text, "history": []}


def _metadata(one: Exported) -> dict[str, Any]:
    cell, question, times = one.cell, one.sample, one.cell.timings
    return {
        "approach": cell.approach,
        "question_id": question.id,
        "key_facts": [list(group) for group in question.key_facts],
        "sources": list(question.sources),
        "tags": list(question.tags),
        "cluster": question.cluster,
        "critical": question.critical,
        "status": cell.status,
        "given_earlier": cell.recorded,
        "stand_in": cell.stand_in,
        "ttft_s": times.ttft_s,
        "retrieval_s": times.retrieval_s,
        "queued_s": times.queued_s,
        "retry_s": times.retry_s,
        "cost_usd": None if cell.cost.usd is None else f"{cell.cost.usd:f}",
        "cost_basis": cell.cost.basis,
        "unscored": {name: score.reason for name, score in one.scores.items() if score.value is None},
        "marks": [mark_record(mark) for mark in one.marks],
    }


_SUMMED = (
    "id",
    "epoch",
    "input",
    "target",
    "scores",
    "model_usage",
    "role_usage",
    "completed_at",
    "working_time",
    "uuid",
)


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: sample[name] for name in _SUMMED} | {"metadata": {}, "retries": 0}
    found |= {"completed": "error" not in sample, "message_count": len(sample["messages"])}
    return found | ({"error": sample["error"]["message"]} if "error" in sample else {})
