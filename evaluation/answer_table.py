"""The answers of several arms as a CSV for spreadsheets: a line for each question."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.judging import Judged
from evaluation.spreadsheet import csv_bytes


def answers_csv(rows: Sequence[Judged]) -> bytes:
    """Questions, references and, for each arm, answer, right (1 or 0), semantic score, seconds, USD; unknown is empty.

    UTF-8 with its mark. Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    arms = list(rows[0].answers) if rows else []
    parts = ("answer", "status", "right", "semantic", "latency_s", "cost_usd")
    columns = ["id", "question", "reference_answer", "tags", *(f"{arm}_{part}" for arm in arms for part in parts)]
    table = []
    for row in rows:
        sample = row.sample
        cells: list[str | float] = [sample.id, sample.question, sample.reference_answer, ";".join(sample.tags)]
        for arm in arms:
            given, near = row.answers[arm], row.semantic[arm]
            cells += [
                given.text,
                given.status,
                int(row.right[arm]),
                "" if near is None else round(near, 4),
                "" if given.latency_s is None else round(given.latency_s, 3),
                given.cost_usd or "",
            ]
        table.append(cells)
    return csv_bytes(columns, table)
