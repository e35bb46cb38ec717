"""Drafting pairs in the background: which chunks are asked about, what it will cost, and the job itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from backends.base import Backend, Cost
from backends.fine_tuned.pairs.drafts import DraftProgress, SourceChunk, draft_pairs, draft_question
from backends.fine_tuned.pairs.files import Pair
from backends.paid_api import PaidApiBackend
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.spend.estimate import expect_by_tokens


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair that was kept, and the text of the passage that it was drafted from."""

    pair: Pair
    passage: str


def drafting_key(data: Path) -> str:
    """The key of the job that drafts pairs; there is one at a time."""
    return f"drafting {Path(data).resolve()}"


def evenly(rows: Sequence[int], count: int) -> list[int]:
    """`count` of `rows` at even distances, so that every part of a collection is asked about."""
    if count >= len(rows):
        return list(rows)
    return [rows[position * len(rows) // count] for position in range(count)]


def expected_cost(backend: Backend, chunks: Sequence[SourceChunk], per_chunk: int) -> Cost | None:
    """What drafting would cost at a paid model's list price, as an upper bound; None where nothing is paid per token.

    `Cost.usd` is None where the price is not known.
    """
    if not isinstance(backend, PaidApiBackend) or backend.stand_in:
        return None
    total, basis = Decimal(0), ""
    for chunk in chunks:
        cost = expect_by_tokens(backend, draft_question(chunk, per_chunk)).cost
        if cost.usd is None:
            return cost
        total, basis = total + cost.usd, cost.basis
    return Cost(total, f"{len(chunks)} chunks; for the last one: {basis}" if basis else "nothing to ask")


def start(backend: Backend, chunks: Sequence[SourceChunk], per_chunk: int, data: Path) -> Job:
    """Draft in the background; the drafts are among the job's results as soon as they are made.

    Raises `BackendError` while another drafting runs.
    """

    def steps(cancel: threading.Event) -> Iterator[Progress[Draft | DraftProgress]]:
        done, doing, kept, passage = 0, "starting", 0, ""
        for event in draft_pairs(chunks, backend, cancel, per_chunk):
            result: Draft | DraftProgress
            if isinstance(event, Pair):
                kept, result = kept + 1, Draft(event, passage)
            else:
                done, doing, kept, result = event.done, event.doing, event.kept, event
                passage = chunks[event.position].text if chunks else ""
            detail = f"{done} of {len(chunks)} chunks, {kept} {'pair' if kept == 1 else 'pairs'}; {doing}"
            yield Progress(done, len(chunks), detail, result)

    return jobs.start(drafting_key(data), "Drafting pairs", steps)
