"""The items of a rating session, made from the answers of a run, in one house form that gives nothing away."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.errors import BackendError
from backends.rag.prompt import refuses
from backends.store.database import Store
from evaluation.ratings.model import Item, Kind, pairs_of
from evaluation.runs.model import Cell, Run, cluster_of
from evaluation.runs.records import cells_of, samples_of, scores_of

REFUSAL = "This question cannot be answered."
NOTHING = "(no text)"
_LONGEST_REFUSAL = 200  # characters; a longer text says more than that it does not know
_CITATION = re.compile(r"[ \t]{0,2}\[\d{1,3}(?:, ?\d{1,3}){0,9}\]")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Items:
    """What can be rated of a run, and in a sentence what cannot; empty if all can."""

    items: tuple[Item, ...]
    left_out: str


def house_form(text: str, refused: bool = False) -> str:
    """An answer without what tells its approach: no citations, and every refusal in the same words."""
    plain = _BLANK_LINES.sub("\n\n", _CITATION.sub("", text)).strip()
    if refused or (len(plain) <= _LONGEST_REFUSAL and refuses(plain)):
        return REFUSAL
    return plain or NOTHING


def items_of_run(
    store: Store, run: Run, approaches: Sequence[str], kind: Kind, only: Collection[int] | None = None
) -> Items:
    """The first answer of each of these approaches to every question (`only`: to those at these positions).

    For pairs, an item for every two of the answers. An answer that failed is left out, and a question with fewer than
    two. Raises `BackendError` for a run whose texts were not kept.
    """
    samples = samples_of(store, run)
    if samples is None or not run.keeps_texts:
        raise BackendError(
            "The texts of this run were not kept (store.keep_texts), so nobody can rate them.",
            "Run it again with them.",
        )
    answered: dict[int, dict[str, Cell]] = {}
    failed = 0
    for cell in cells_of(store, run.id):
        if cell.repeat or cell.approach not in approaches or (only is not None and cell.position not in only):
            continue
        if cell.failed or cell.text is None:
            failed += 1
        else:
            answered.setdefault(cell.position, {})[cell.approach] = cell
    facts = _scores(store, run)
    items: list[Item] = []
    alone = 0
    for position in sorted(answered):
        cells = {name: answered[position][name] for name in approaches if name in answered[position]}
        if len(cells) < 2:
            alone += 1
            continue
        sample = samples[position]
        whole = Item(
            number=len(items),
            question=sample.question,
            answers={name: house_form(cell.text or "", _refused(cell)) for name, cell in cells.items()},
            reference=sample.reference_answer,
            tags=tuple(sample.tags),
            cluster=cluster_of(sample) or f"question {sample.id}",
            facts={name: _facts(cell) | {"scores": facts.get((name, position), {})} for name, cell in cells.items()},
        )
        items += _pairs(whole) if kind == "pairwise" else [whole]
    return Items(tuple(replace(item, number=number) for number, item in enumerate(items)), _left_out(failed, alone))


def _refused(cell: Cell) -> bool:
    return cell.status in ("refused", "below_threshold")


def _pairs(whole: Item) -> list[Item]:
    return [
        replace(
            whole,
            answers={name: whole.answers[name] for name in pair},
            facts={name: whole.facts[name] for name in pair},
        )
        for pair in pairs_of(whole.approaches)
    ]


def _scores(store: Store, run: Run) -> dict[tuple[str, int], dict[str, float]]:
    """By approach and position the value of each scorer."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for (approach, position, repeat), scorer, score in scores_of(store, run.id):
        if repeat == 0 and score.value is not None:
            found.setdefault((approach, position), {})[scorer] = float(score.value)
    return found


def _facts(cell: Cell) -> dict[str, Any]:
    return {
        "status": cell.status,
        "latency_s": cell.timings.latency_s,
        "cost_usd": None if cell.cost.usd is None else f"{cell.cost.usd:f}",
        "cites": bool(cell.sources) and bool(_CITATION.search(cell.text or "")),
        "characters": len(cell.text or ""),
    }


def _left_out(failed: int, alone: int) -> str:
    parts = []
    if failed:
        parts.append(f"{failed:,} answer{'s' if failed != 1 else ''} that failed")
    if alone:
        parts.append(f"{alone:,} question{'s' if alone != 1 else ''} with fewer than two answers")
    return f"Left out: {' and '.join(parts)}." if parts else ""
