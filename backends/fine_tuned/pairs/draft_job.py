"""Drafting pairs in the background: which chunks are asked about, what it will cost, and the job itself."""

from __future__ import annotations

import threading
import uuid
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
from backends.text import counted


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair that was kept, and the text of the passage that it was drafted from, with its document."""

    pair: Pair
    passage: str
    document: str = ""


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
    return Cost(total, f"{counted(len(chunks), 'chunk')}; for the last one: {basis}" if basis else "nothing to ask")


def start(
    backend: Backend, chunks: Sequence[SourceChunk], per_chunk: int, data: Path, key: str = "", what: str = "pair"
) -> Job:
    """Draft in the background; the drafts are among the job's results as soon as they are made.

    `key` is the job's, that of drafting pairs if left out, and `what` is drafted, in the singular. All that is asked is
    one run to a cap for runs. Raises `BackendError` while another job of that key runs.
    """
    run = uuid.uuid4().hex

    def steps(cancel: threading.Event) -> Iterator[Progress[Draft | DraftProgress]]:
        done, doing, kept, passage, document = 0, "starting", 0, "", ""
        for event in draft_pairs(chunks, backend, cancel, per_chunk, run):
            result: Draft | DraftProgress
            if isinstance(event, Pair):
                kept, result = kept + 1, Draft(event, passage, document)
            else:
                done, doing, kept, result = event.done, event.doing, event.kept, event
                asked = chunks[event.position] if chunks else None
                passage, document = (asked.text, asked.document) if asked else ("", "")
            detail = f"{done} of {counted(len(chunks), 'chunk')}, {counted(kept, what)}; {doing}"
            yield Progress(done, len(chunks), detail, result)

    return jobs.start(key or drafting_key(data), f"Drafting {what}s", steps)
