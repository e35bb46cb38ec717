"""The answers of several arms as a CSV for spreadsheets: a line for each question."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from evaluation.judging import Judged

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def answers_csv(rows: Sequence[Judged]) -> bytes:
    """Questions, references and, for each arm, answer, right (1 or 0), semantic score, seconds, USD; unknown is empty.

    UTF-8 with its mark. Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    arms = list(rows[0].answers) if rows else []
    out = io.StringIO(newline="")
    table = csv.writer(out)
    parts = ("answer", "status", "right", "semantic", "latency_s", "cost_usd")
    table.writerow(["id", "question", "reference_answer", "tags", *(f"{arm}_{part}" for arm in arms for part in parts)])
    for row in rows:
        sample = row.sample
        line = [sample.id, sample.question, sample.reference_answer, ";".join(sample.tags)]
        cells = [_harmless(text) for text in line]
        for arm in arms:
            given, near = row.answers[arm], row.semantic[arm]
            cells += [
                _harmless(given.text),
                given.status,
                str(int(row.right[arm])),
                "" if near is None else f"{near:.4f}",
                "" if given.latency_s is None else f"{given.latency_s:.3f}",
                given.cost_usd or "",
            ]
        table.writerow(cells)
    return out.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
