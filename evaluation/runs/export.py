"""The cells of a run as a file, by its ending: CSV, JSON lines, Parquet, or a log of inspect_ai."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from backends.errors import BackendError, disk_faults
from backends.storage.files import replacing
from backends.store.database import Store
from evaluation.runs.exported import Exported, exported, mark_record
from evaluation.runs.inspect_log import write_eval, write_json
from evaluation.runs.marks import VERDICTS
from evaluation.runs.model import Run
from evaluation.spreadsheet import csv_bytes

_COLUMNS = (
    *("question_id", "question", "reference_answer", "key_facts", "source", "tags", "cluster", "critical"),
    *("approach", "repeat", "status", "model", "text", "error"),
    *("latency_s", "ttft_s", "retrieval_s", "queued_s", "retry_s", "prompt_tokens", "completion_tokens"),
    *("cost_usd", "cost_basis", "untimed", "asked", "ended_at"),
    *("marked_right", "marked_wrong", "marked_unclear", "stars", "comments"),
)
_COUNTS = ("repeat", "asked", "marked_right", "marked_wrong", "marked_unclear", "stars")
_AT_ONCE = 10_000


def check_ending(file: Path) -> None:
    """Raise `BackendError` for a file that cannot be written by its ending, or for what stands in its place."""
    if file.is_dir():
        raise BackendError(f"{file} is a folder.", "Give a file in it.")
    if above := next((one for one in file.parents if one.is_file()), None):
        raise BackendError(f"{above} is a file and no folder.", "Give a file in a folder.")
    if file.suffix.lower() not in _WRITERS:
        raise BackendError(f"{file.name} cannot be written.", f"Its name has to end in {', '.join(_WRITERS)}.")


def export_cells(store: Store, run: Run, file: Path) -> None:
    """Write every cell with its scores and marks, whole or not at all. Raises `BackendError`."""
    check_ending(file)
    with disk_faults(f"The file {file.name}"), replacing(file) as part:
        _WRITERS[file.suffix.lower()](part, store, run)


def _records(store: Store, run: Run) -> Iterator[dict[str, Any]]:
    return map(_record, exported(store, run))


def _record(one: Exported) -> dict[str, Any]:
    cell, sample = one.cell, one.sample
    return {
        "question_id": sample.id,
        "question": sample.question or None,
        "reference_answer": sample.reference_answer or None,
        "key_facts": [list(group) for group in sample.key_facts],
        "source": list(sample.sources),
        "tags": list(sample.tags),
        "cluster": sample.cluster,
        "critical": sample.critical,
        "approach": cell.approach,
        "repeat": cell.repeat,
        "status": cell.status,
        "model": cell.model,
        "text": cell.text,
        "error": cell.error,
        "latency_s": cell.timings.latency_s,
        "ttft_s": cell.timings.ttft_s,
        "retrieval_s": cell.timings.retrieval_s,
        "queued_s": cell.timings.queued_s,
        "retry_s": cell.timings.retry_s,
        "prompt_tokens": cell.usage.prompt_tokens,
        "completion_tokens": cell.usage.completion_tokens,
        "cost_usd": None if cell.cost.usd is None else f"{cell.cost.usd:f}",
        "cost_basis": cell.cost.basis,
        "untimed": cell.untimed or None,
        "asked": cell.asked,
        "ended_at": cell.ended_at.isoformat(),
        "scores": {name: score.value for name, score in one.scores.items()},
        "marks": [mark_record(mark) for mark in one.marks],
    }


def _flat(records: Iterator[dict[str, Any]], scorers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For tables: a column for each scorer in place of `scores`, counts in place of `marks`, and lists as text, which
    a question set reads again."""
    for record in records:
        found, marks = record.pop("scores"), record.pop("marks")
        facts, sources, tags = (record[name] for name in ("key_facts", "source", "tags"))
        record |= {"key_facts": "; ".join(" | ".join(group) for group in facts)}
        record |= {"source": "; ".join(sources), "tags": "; ".join(tags), "critical": "true" * record["critical"]}
        record |= {f"marked_{said}": sum(mark["verdict"] == said for mark in marks) for said in VERDICTS}
        record |= {"stars": sum(mark["star"] for mark in marks)}
        record |= {"comments": "\n".join(mark["comment"] for mark in marks if mark["comment"])}
        yield record | {f"score_{name}": _number(found.get(name)) for name in scorers}


def _number(value: bool | float | None) -> float | None:
    return None if value is None else float(value)


def _write_jsonl(file: Path, store: Store, run: Run) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for record in _records(store, run):
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_csv(file: Path, store: Store, run: Run) -> None:
    rows = list(_records(store, run))
    named = _scorers_in(rows)
    columns = [*_COLUMNS, *(f"score_{name}" for name in named)]
    file.write_bytes(csv_bytes(columns, ([row[name] for name in columns] for row in _flat(iter(rows), named))))


def _write_parquet(file: Path, store: Store, run: Run) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = list(_records(store, run))
    named = _scorers_in(rows)
    numbers = {name: pyarrow.float64() for name in _COLUMNS if name.endswith("_s")}
    counts = {name: pyarrow.int64() for name in _COLUMNS if name.endswith("_tokens") or name in _COUNTS}
    kinds = dict.fromkeys(_COLUMNS, pyarrow.string()) | numbers | counts
    kinds |= {f"score_{name}": pyarrow.float64() for name in named}
    schema, flat = pyarrow.schema(list(kinds.items())), _flat(iter(rows), named)
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(flat, _AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _scorers_in(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["scores"]))


_WRITERS: dict[str, Callable[[Path, Store, Run], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
    ".eval": write_eval,
    ".json": write_json,
}
