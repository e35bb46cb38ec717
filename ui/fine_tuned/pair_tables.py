"""Pairs as tables and files: what the editor shows and gives back, faults, the held-out part, downloads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from backends.fine_tuned.pairs.check import PairReport
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.held_out import Leak, Split
from backends.fine_tuned.train.training import MOST_PAIRS
from evaluation.spreadsheet import csv_bytes
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

COLUMNS = ("question", "answer", "group", "generated", "source")
USE = "use"
"""The column of ticks in the table of drafts."""

_LEAKS = {"exact": "the same question", "normalised": "the same but for case and marks", "near": "nearly the same"}


def frame(pairs: Sequence[Pair]) -> pd.DataFrame:
    """One row per pair."""
    return pd.DataFrame(
        {
            "question": pd.Series([pair.question for pair in pairs], dtype="str"),
            "answer": pd.Series([pair.answer for pair in pairs], dtype="str"),
            "group": pd.Series([pair.group for pair in pairs], dtype="str"),
            "generated": pd.Series([pair.generated for pair in pairs], dtype="boolean"),
            "source": pd.Series([pair.source for pair in pairs], dtype="str"),
        }
    )


def drafts_frame(drafts: Sequence[Draft]) -> pd.DataFrame:
    """One row per draft, ticked at first, with the passage to read it against."""
    table = frame([draft.pair for draft in drafts])[["question", "answer", "source"]]
    table.insert(0, USE, True)
    table["passage"] = pd.Series([draft.passage for draft in drafts], dtype="str")
    return table


def pairs_of(table: pd.DataFrame) -> tuple[Pair, ...]:
    """The pairs of an edited table, in order. What was left empty in an added row is ""; drafts are `generated`."""
    drafts = USE in table
    rows = table[table[USE].fillna(False).astype(bool)] if drafts else table
    return tuple(
        Pair(
            _text(row["question"]),
            _text(row["answer"]),
            _text(row.get("group")),
            drafts or row.get("generated") is True,
            _text(row.get("source")),
        )
        for row in rows.to_dict("records")
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def faults_table(report: PairReport, most: int) -> pd.DataFrame:
    """The first `most` faults; row None is the whole file."""
    shown = sorted(report.faults, key=lambda fault: fault.severity)[:most]
    return plain_frame(
        {
            "Row": ["file" if fault.row is None else f"{fault.row:,}" for fault in shown],
            "What": ["error" if fault.severity == "error" else "look at it" for fault in shown],
            "Sentence": [fault.sentence for fault in shown],
        }
    )


def held_out_table(split: Split) -> pd.DataFrame:
    """The pairs that are not trained on, with the number of their group of paraphrases and what leaks."""
    leaks = {leak.question: leak for leak in split.leaks}
    return plain_frame(
        {
            "Question": [pair.question for pair in split.held_out],
            "Answer": [pair.answer for pair in split.held_out],
            "Seen in training": [_leak(leaks.get(row), split) for row in range(len(split.held_out))],
        }
    )


def _leak(leak: Leak | None, split: Split) -> str:
    return f"{_LEAKS[leak.kind]}: {split.train[leak.training].question}" if leak else ""


def split_words(split: Split) -> str:
    """How many pairs are kept aside and trained on, as Markdown; of too many pairs only a sample is taken."""
    kept, rest = len(split.held_out), len(split.train)
    leaks = "" if split.leaks else " None of those that are kept aside is seen in training."
    if not kept:
        return f"**{rest:,} pairs** are trained on. {escaped(split.reason)}"
    if kept + rest > MOST_PAIRS:
        return (
            f"More than {MOST_PAIRS:,} pairs are not trained on at once: the section Train draws a sample, of which "
            f"about {100 * kept / (kept + rest):.0f} % are kept aside.{leaks}"
        )
    return f"**{kept:,} pairs** are kept aside and **{rest:,}** are trained on.{leaks}"


def jsonl(pairs: Sequence[Pair]) -> bytes:
    """One object per line, without the fields that are empty; read back, they are the same pairs."""
    lines = []
    for pair in pairs:
        row: dict[str, object] = {"question": pair.question, "answer": pair.answer}
        row |= {"group": pair.group} if pair.group else {}
        row |= {"generated": True} if pair.generated else {}
        row |= {"source": pair.source} if pair.source else {}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def csv_file(pairs: Sequence[Pair]) -> bytes:
    """A CSV for spreadsheets, in which nothing is a formula. JSONL keeps every character as it is."""
    rows = ((pair.question, pair.answer, pair.group, "true" if pair.generated else "", pair.source) for pair in pairs)
    return csv_bytes(COLUMNS, rows)
