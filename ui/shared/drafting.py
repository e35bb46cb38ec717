"""Drafting from the documents of a collection, for pairs and for question sets alike: who writes, about which passages,
and what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from backends.fine_tuned.pairs import draft_job
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.drafts import DraftProgress
from backends.rag.store.library import StoredChunk
from backends.run.jobs import Job, JobState
from backends.settings import Settings
from backends.text import counted
from ui.rag.collections import collection_bar, opened_index
from ui.shared import numbers

MOST_CHUNKS = 200
ROW = 35  # pixels, Streamlit's own
_REFRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class ToDraft:
    """What is chosen: the writer, the passages, and how many drafts of each."""

    writer: str
    chunks: list[StoredChunk]
    each: int


def choose_passages(
    current: Settings, writers: Sequence[str], option: Callable[[str], str], key: str, of_each: str
) -> ToDraft | None:
    """Draw the choice; None where the collection holds nothing. Raises `BackendError` if it cannot be read."""
    info = collection_bar(current)
    if info is None or not info.documents:
        st.info("This collection holds nothing yet. Add documents on the RAG page.")
        return None
    if st.session_state.get(f"{key}_writer") not in writers:
        st.session_state[f"{key}_writer"] = writers[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        writer = st.segmented_control(
            "Written by", writers, format_func=option, required=True, key=f"{key}_writer", persist_state="session"
        )
        most = min(MOST_CHUNKS, info.chunks)
        count = st.number_input(
            "Passages to ask about",
            1,
            most,
            min(20, most),
            key=f"{key}_chunks",
            persist_state="session",
            width=190,
            help="Taken at even distances from the whole collection.",
        )
        each = st.number_input(of_each, 1, 5, 2, key=f"{key}_each", persist_state="session", width=170)
    return ToDraft(writer or writers[0], _chunks(current, int(count)), int(each))


def _chunks(current: Settings, count: int) -> list[StoredChunk]:
    index = opened_index(current)
    rows = draft_job.evenly(index.numbers(), count)
    found = index.rows(rows)
    return [found[row] for row in rows if row in found]


def arriving(job: Job, table: Callable[[JobState], pd.DataFrame]) -> None:
    """Draw what was drafted so far, again and again until the job has ended."""

    def draw() -> None:
        st.dataframe(table(job.state), hide_index=True, height=ROW * 7 + 3, alt="What was drafted so far, newest first")

    st.fragment(draw, run_every=_REFRESH_S)()


def drafts_of(state: JobState) -> list[Draft]:
    """What a model has drafted so far in a job."""
    return [result for result in state.results if isinstance(result, Draft)]


def summary(state: JobState, what: str = "pair") -> str:
    """What came of it: `14 pairs from 10 of 10 chunks; dropped: 3 duplicate, 2 too long. Cost $0.002.`"""
    progress = [result for result in state.results if isinstance(result, DraftProgress)]
    if not progress:
        return f"No {what}s."
    last = progress[-1]
    words = f"{counted(last.kept, what)} from {last.done} of {counted(last.chunks, 'chunk')}"
    dropped = ", ".join(f"{count} {why}" for why, count in sorted(last.dropped.items(), key=lambda one: -one[1]))
    words += f"; dropped: {dropped}." if dropped else "."
    if last.usd is None:
        return f"{words} Its cost is unknown: {last.basis}." if last.unpriced else words
    least = "at least " if last.unpriced else ""
    return f"{words} Cost {least}{numbers.dollars(last.usd)}."
